//! What minikube's named errors mean (`pkg/minikube/reason` of minikube; exit codes recorded
//! with 1.38).

use std::path::Path;

use rustix::fs::Access;
use rustix::io::Errno;

use super::finding::short;
use crate::command_line::CommandLine;
use crate::errors;
use crate::exec::{Cmd, Exit};
use crate::failure::{Failure, Id, Kind};
use crate::words;

/// An error event of `minikube ... -o json`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Error<'a> {
    /// `data.name`: `PROVIDER_DOCKER_NOT_RUNNING`; empty for warnings without a name.
    pub name: &'a str,
    /// `data.message`.
    pub message: &'a str,
}

/// Kubernetes does not start: `minikube start` did not end. What to do about it; the ranges are those of minikube's
/// own advice.
pub(super) const PROXY_HINT: &str = "export NO_PROXY=$NO_PROXY,localhost,127.0.0.1,10.96.0.0/12,192.168.59.0/24,192.168.49.0/24,192.168.39.0/24";

struct Row {
    /// Prefix of the error's name: a complete name, or a family that ends in `_`.
    name: &'static str,
    id: Id,
    kind: Kind,
    sentence: &'static str,
    hints: &'static [&'static str],
}

const fn row(
    name: &'static str,
    id: Id,
    kind: Kind,
    sentence: &'static str,
    hints: &'static [&'static str],
) -> Row {
    Row { name, id, kind, sentence, hints }
}

/// Our own sentences, never minikube's advice, which may contain unrendered templates or be misleading. `{p}` is the
/// profile, `{delete}` and `{logs}` are minikube's commands for it. The first matching row counts.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("PROVIDER_DOCKER_NOT_RUNNING", errors::ENGINE_DOWN, Kind::Prerequisite, "Docker is installed but not running",
        &["start it: sudo systemctl start docker (Linux), or start Docker Desktop", "then run the same command again"]),
    row("PROVIDER_PODMAN_NOT_RUNNING", errors::ENGINE_DOWN, Kind::Prerequisite, "Podman is installed but not running",
        &["start it: podman machine start, or systemctl --user start podman.socket"]),
    row("PROVIDER_DOCKER_NOT_FOUND", errors::ENGINE_MISSING, Kind::Prerequisite, "no docker program is on PATH",
        &["install Docker: https://docs.docker.com/engine/install/", "or choose another minikube driver"]),
    row("PROVIDER_DOCKER_NEWGRP", errors::ENGINE_PERMISSION, Kind::Prerequisite, "you do not have \
                                                                                  permission to use Docker's socket",
        &["join the group docker: sudo usermod -aG docker $USER, then log in again (or newgrp docker)"]),
    row("PROVIDER_DOCKER_NOPERM", errors::ENGINE_PERMISSION, Kind::Prerequisite, "you do not have \
                                                                                  permission to use Docker's socket",
        &["join the group docker: sudo usermod -aG docker $USER, then log in again (or newgrp docker)"]),
    row("PROVIDER_DOCKER_DEADLINE_EXCEEDED", errors::ENGINE_SLOW, Kind::Prerequisite, "Docker does not \
                                                                                       respond in time",
        &["restart Docker; on a busy machine try again"]),
    row("PROVIDER_NOT_FOUND", errors::ENGINE_MISSING, Kind::Prerequisite, "the driver's program is not installed",
        &["install it, or choose another minikube driver"]),
    row("PROVIDER_NOT_RUNNING", errors::ENGINE_DOWN, Kind::Prerequisite, "the container engine is not running",
        &["start it and run the same command again"]),
    row("PROVIDER_", errors::ENGINE_BROKEN, Kind::Prerequisite, "the container engine cannot be used", &["docker \
                                                                                                          version shows more"]),
    row("PR_", errors::ENGINE_BROKEN, Kind::Prerequisite, "the container engine cannot be used", &["docker \
                                                                                                    version shows more"]),
    row("DRV_AS_ROOT", errors::ROOT, Kind::Prerequisite, "minikube refuses to use this driver as root",
        &["run kstrim as an ordinary user who has permission to use Docker"]),
    row("DRV_NEEDS_ROOT", errors::ROOT, Kind::Prerequisite, "this minikube driver needs root", &["choose the docker driver"]),
    row("DRV_UNSUPPORTED_OS", errors::DRIVER, Kind::Usage, "minikube does not support this driver on this \
                                                            machine", &["choose the docker driver"]),
    row("DRV_", errors::DRIVER, Kind::Prerequisite, "the minikube driver cannot be used", &["choose the docker driver"]),
    row("RSRC_OVER_ALLOC_MEM", errors::MEMORY_TOO_MUCH, Kind::Usage, "more memory is requested than this \
                                                                      machine has",
        &["request less memory"]),
    row("RSRC_INSUFFICIENT_CONTAINER_MEMORY", errors::MEMORY_TOO_LITTLE, Kind::Prerequisite, "the container engine has too little memory",
        &["give Docker more memory in its settings (Docker Desktop: Settings, Resources)"]),
    row("RSRC_INSUFFICIENT_REQ_MEMORY", errors::MEMORY_TOO_LITTLE, Kind::Usage, "Kubernetes needs more \
                                                                                 memory than requested",
        &["request more memory; 4 GiB are recommended for Kafka"]),
    row("RSRC_INSUFFICIENT_SYS_MEMORY", errors::MEMORY_TOO_LITTLE, Kind::Prerequisite, "this machine has too little memory", &[]),
    row("RSRC_DOCKER_MEMORY", errors::MEMORY_TOO_LITTLE, Kind::Prerequisite, "the container engine has too little memory",
        &["give Docker more memory in its settings (Docker Desktop: Settings, Resources)"]),
    row("RSRC_DOCKER_CORES", errors::CPUS, Kind::Prerequisite, "the container engine has too few CPUs",
        &["give Docker 2 CPUs or more in its settings (Docker Desktop: Settings, Resources)"]),
    row("RSRC_INSUFFICIENT_CORES", errors::CPUS, Kind::Usage, "the requested number of CPUs is not \
                                                               available on this machine, or too low for Kubernetes (which needs 2)",
        &["request at least 2 CPUs, and no more than the machine has"]),
    row("RSRC_DOCKER_STORAGE", errors::DISK_FULL, Kind::Prerequisite, "Docker's disk is full", &["free some: docker system prune"]),
    row("RSRC_PODMAN_STORAGE", errors::DISK_FULL, Kind::Prerequisite, "Podman's disk is full", &["free some: podman system prune"]),
    row("RSRC_INSUFFICIENT_STORAGE", errors::DISK_FULL, Kind::Prerequisite, "this machine has too little disk space", &["free some"]),
    row("RSRC_", errors::RESOURCES, Kind::Prerequisite, "this machine or the container engine does not \
                                                         have enough of some resource", &[]),
    row("GUEST_DRIVER_MISMATCH", errors::PROFILE_DRIVER, Kind::Foreign, "the profile {p} exists with another driver",
        &["use its driver, or another profile, or remove it: {delete}"]),
    row("K8S_DOWNGRADE_UNSUPPORTED", errors::KUBERNETES_OLDER, Kind::Foreign, "the profile {p} runs a \
                                                                               newer Kubernetes and cannot be downgraded",
        &["use its version, or another profile, or remove it: {delete}"]),
    row("K8S_OLD_UNSUPPORTED", errors::KUBERNETES_VERSION, Kind::Usage, "this minikube does not support \
                                                                         such an old Kubernetes version",
        &["choose a newer Kubernetes, or an older minikube"]),
    row("K8S_APISERVER_MISSING", errors::APISERVER_MISSING, Kind::Task, "Kubernetes did not start in the \
                                                                         profile {p}",
        &["show why its API server does not start: {logs}", "if nothing else helps, delete it and run the same command again: {delete}"]),
    row("K8S_", errors::KUBERNETES_START, Kind::Task, "Kubernetes could not be set up in the profile {p}",
        &["delete it and run the same command again: {delete}", "show its log: {logs}"]),
    row("INET_LOOKUP_HOST", errors::NETWORK_DNS, Kind::Prerequisite, "a host name on the internet cannot \
                                                                      be resolved",
        &["check the network and DNS; if you use a proxy, set HTTPS_PROXY and NO_PROXY"]),
    row("INET_", errors::NETWORK, Kind::Prerequisite, "the internet cannot be reached",
        &["check the network; if you use a proxy, set HTTPS_PROXY and NO_PROXY"]),
    row("IF_", errors::NETWORK_LOCAL, Kind::Prerequisite, "the network between this machine and the node \
                                                           does not work", &[]),
    row("GUEST_STOP_TIMEOUT", errors::PROFILE_STOP, Kind::Task, "the profile {p} could not be stopped",
        &["if its container no longer exists: {delete}"]),
    row("GUEST_PAUSE", errors::PROFILE_PAUSE, Kind::Task, "the profile {p} could not be paused", &[]),
    row("GUEST_UNPAUSE", errors::PROFILE_PAUSED, Kind::Task, "the profile {p} could not be unpaused",
        &["show its log: {logs}"]),
    row("GUEST_PROVISION_NOSPACE", errors::DISK_FULL, Kind::Prerequisite, "no disk space is left for the node",
        &["free some: docker system prune"]),
    row("GUEST_PORT_IN_USE", errors::PORT_IN_USE, Kind::Prerequisite, "another program is using a port \
                                                                       that Kubernetes needs",
        &["stop that program, or choose the docker driver"]),
    row("GUEST_IMAGE_", errors::IMAGE_LOAD, Kind::Task, "an image could not be loaded into the profile {p}", &[]),
    row("GUEST_STATUS", errors::PROFILE_BROKEN, Kind::Task, "the profile {p} is in a bad state", &["delete it and run the same command again: {delete}"]),
    row("GUEST_", errors::PROFILE_BROKEN, Kind::Task, "the node of the profile {p} could not be set up",
        &["run the same command again; if that fails, delete it and run the same command again: {delete}", "show \
                                                                                                            its log: {logs}"]),
    row("RUNTIME_", errors::RUNTIME, Kind::Task, "the container runtime in the profile {p} does not work",
        &["delete it and run the same command again: {delete}"]),
    row("HOST_", errors::HOST, Kind::Prerequisite, "a setting or file of this machine prevents minikube \
                                                    from working",
        &["minikube's own files are in MINIKUBE_HOME: check that you own them and can write to them"]),
    row("ENV_", errors::HOST, Kind::Prerequisite, "an environment variable prevents minikube from working", &[]),
    row("MK_USAGE", errors::MINIKUBE_USAGE, Kind::Usage, "minikube rejects a setting", &["correct the \
                                                                                          setting that minikube names"]),
    row("MK_", errors::MINIKUBE, Kind::Task, "minikube itself failed", &[]),
];

/// It has no name of its own, but is part of a `GUEST_PROVISION` or `MK_...`.
const SUBNET: Row = row(
    "",
    errors::NETWORK_SUBNET,
    Kind::Prerequisite,
    "no subnet is free for minikube's network",
    &[
        "remove unused networks: docker network prune",
        "or disconnect a VPN that uses the private address ranges",
    ],
);

/// These have no name either: minikube prints them inside other errors.
const NOT_TRUSTED: Row = row(
    "",
    errors::NETWORK_TLS,
    Kind::Prerequisite,
    "a server's certificate is not trusted",
    &["if your network inspects TLS traffic, add its certificate to the system's trust store and to \
       ~/.minikube/certs"],
);
const PROXIED: Row = row(
    "",
    errors::PROXY_RANGES,
    Kind::Prerequisite,
    "the proxy variables do not exclude the cluster's own addresses, so requests for them go to the proxy",
    &[PROXY_HINT],
);

/// minikube failed without an error that is known.
const UNKNOWN: Row = row("", errors::MINIKUBE, Kind::Task, "minikube failed", &["show its log: {logs}"]);

/// Why a minikube command on `profile` failed. Call it only if the exit code is not 0: named errors also occur on
/// success. `stderr` is used if no event was printed (a usage error).
///
/// The first named error is the cause: with `--force` a second one (`MK_USAGE` after `PROVIDER_DOCKER_NOT_RUNNING`)
/// and its exit code are misleading.
pub(crate) fn explain(errors: &[Error<'_>], exit: Exit, stderr: &str, profile: &str) -> Failure {
    let error = errors.iter().find(|e| !e.name.is_empty());
    let row = error.map_or(&UNKNOWN, |e| {
        let fits = |r: &&Row| e.name == r.name || r.name.ends_with('_') && e.name.starts_with(r.name);
        let says = |words: &str| e.message.contains(words);
        let family = |names: &[&str]| names.iter().any(|n| e.name.starts_with(n));
        // A warning that minikube printed earlier, which explains why the cluster then does not respond.
        let proxied = errors.iter().any(|e| e.name.is_empty() && no_proxy_remark(e.message));
        if says("no free private network subnets") {
            &SUBNET
        } else if says("x509: ") && family(&["INET_", "K8S_", "GUEST_"]) {
            &NOT_TRUSTED
        } else if proxied && family(&["K8S_", "GUEST_", "IF_"]) {
            &PROXIED
        } else {
            ROWS.iter().find(fits).unwrap_or(&UNKNOWN)
        }
    });
    let fill = |text: &str| {
        let command = |words| CommandLine::minikube(words, profile).to_string();
        text.replace("{p}", profile)
            .replace("{delete}", &command("delete"))
            .replace("{logs}", &command("logs"))
    };
    let mut failure = Failure::new(row.id, row.kind, fill(row.sentence));
    match error {
        Some(error) => {
            failure =
                failure.because(format!("minikube: {} ({})", without_template(error.message), error.name))
        }
        None => {
            let last = errors.iter().rev().map(|e| e.message).find(|m| !m.trim().is_empty());
            let line = last.unwrap_or_else(|| last_line(stderr));
            failure = failure.because(without_template(line)).because(format!("minikube ended with {exit}"));
        }
    }
    row.hints.iter().fold(failure, |failure, hint| failure.hint(fill(hint)))
}

/// Whether minikube warns that `NO_PROXY` lacks the cluster's address (1.38, `pkg/minikube/node/start.go`).
pub(crate) fn no_proxy_remark(message: &str) -> bool {
    words::NO_PROXY.matches(message)
}

/// The container engine does not respond; `words` is its client's message. Whether it is down or access is denied is
/// determined by the permissions of its socket, or by the message if there is no socket to examine.
pub(crate) fn engine_down(words: &str, profile: &str) -> Failure {
    let socket = words.split("unix://").nth(1).map(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
        rest[..end].trim_end_matches(['.', ':', ',', ';'])
    });
    let denied = socket.and_then(|path| denied(Path::new(path)));
    let name = if denied.unwrap_or_else(|| words::PERMISSION.matches(&words.to_lowercase())) {
        "PROVIDER_DOCKER_NOPERM"
    } else {
        "PROVIDER_DOCKER_NOT_RUNNING"
    };
    explain(&[Error { name, message: words }], Exit::Code(7), "", profile)
}

/// Whether this user may not write to a socket; `None` if that cannot be determined.
fn denied(socket: &Path) -> Option<bool> {
    match rustix::fs::access(socket, Access::WRITE_OK) {
        Ok(()) => Some(false),
        Err(Errno::ACCESS) => Some(true),
        Err(_) => None,
    }
}

/// `minikube start` did not end within the limit of `up`'s task. `last` is its last message.
pub(crate) fn stalled(last: &str, profile: &str) -> Failure {
    let told = if last.is_empty() { "it reported nothing".to_owned() } else { format!("last step: {last}") };
    Failure::new(errors::MINIKUBE_STALLED, Kind::Timeout, "minikube start did not finish")
        .because(told)
        .hint(format!("show what it is doing: {}", CommandLine::minikube("logs", profile)))
        .hint("a slow network can need more time; minikube keeps what it has downloaded")
}

/// The node is running but nothing in it starts its API server: the kubelet's `file` for it no longer exists. `cmd`
/// writes it again.
pub(crate) fn server_lost(file: &str, cmd: &Cmd, profile: &str) -> Failure {
    let sentence = format!("nothing starts the API server in the node of profile {profile}");
    Failure::new(errors::APISERVER_MISSING, Kind::Task, sentence)
        .because(format!("the node is running, but its file {file} is missing"))
        .hint(format!("starting the profile does not restore it; this does: {cmd}"))
        .hint(format!(
            "or delete it and run the same command again: {}",
            CommandLine::minikube("delete", profile)
        ))
}

/// klog lines (`E1122 ...`) occur even on success.
fn last_line(stderr: &str) -> &str {
    let klog = |l: &str| {
        l.len() > 5 && l.starts_with(['I', 'W', 'E', 'F']) && l[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    stderr.lines().rev().map(str::trim).find(|l| !l.is_empty() && !klog(l)).unwrap_or("")
}

/// minikube's message without the quoted command of a probe, whose template it may fail to fill (`{{.Server.Os}}`,
/// `<no value>`).
fn without_template(message: &str) -> String {
    let message = short(message);
    let template = |text: &str| text.contains("{{") || words::NO_VALUE.matches(text);
    if !template(&message) {
        return message;
    }
    match words::EXIT_STATUS.after(&message).or_else(|| Some(message.split_once(": ")?.1)) {
        Some(rest) if !template(rest) => rest.to_owned(),
        _ => "(no readable message)".to_owned(),
    }
}

#[cfg(test)]
#[path = "minikube_tests.rs"]
mod tests;
