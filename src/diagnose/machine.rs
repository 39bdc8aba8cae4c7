//! This machine, its container engine, and minikube's own state.

use std::time::Duration;

use serde_json::Value;

use super::Request;
use super::bundle::Bundle;
use crate::exec::{Cmd, Runner};
use crate::failure::Failure;
use crate::names::Tool;
use crate::tool::minikube::Minikube;
use crate::toolbox::Toolbox;

/// Environment variables that change what kstrim, minikube and kubectl do. Others may be private and are not
/// collected.
const VARIABLES: [&str; 14] = [
    "KUBECONFIG",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "CI",
    "TERM",
    "LANG",
    "SHELL",
];
/// Prefixes of names of such variables.
const PREFIXES: [&str; 2] = ["KSTRIM_", "MINIKUBE_"];

/// The machine and the environment; starts no program.
pub(crate) fn local(request: &Request<'_>, bundle: &Bundle) {
    bundle.fact("kstrim", env!("CARGO_PKG_VERSION"));
    let uname = rustix::system::uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let system = read("/etc/os-release")
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
            Some(line.trim_matches('"').to_owned())
        })
        .unwrap_or_else(|| word(uname.sysname()));
    bundle.fact("system", format!("{system}, kernel {}, {}", word(uname.release()), word(uname.machine())));
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo").and_then(|text| {
        let kib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()
        };
        Some(format!(", {} MiB memory, {} MiB free", kib("MemTotal:")? / 1024, kib("MemAvailable:")? / 1024))
    });
    bundle.fact("machine", format!("{cpus} CPUs{}", memory.unwrap_or_default()));
    let state = request.paths.folder();
    let disk = state.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
    if let Some(disk) = disk {
        bundle.fact("disk", format!("{} MiB free for kstrim's files", (disk.f_bavail * disk.f_frsize) >> 20));
    }
    let mut variables: Vec<String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| {
            VARIABLES.contains(&name.as_str()) || PREFIXES.iter().any(|start| name.starts_with(start))
        })
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    variables.sort();
    bundle.text("kstrim/environment.txt", variables.concat());
    // A program may log a secret that it was given.
    let secret = std::env::vars_os().filter(|(name, _)| crate::redact::is_secret(&name.to_string_lossy()));
    bundle.secret(secret.map(|(_, value)| value.to_string_lossy().into_owned()));
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// minikube's output, and the state of the engine.
pub(crate) async fn ask(request: &Request<'_>, bundle: &Bundle, runner: std::rc::Rc<dyn Runner>) {
    let program = match Toolbox::open().program(Tool::Minikube, request.paths) {
        Ok(program) => program,
        Err(failure) => return bundle.gap("minikube", said(&failure)),
    };
    let minikube =
        Minikube::new(program, request.target.profile.as_str(), &request.paths.kubeconfig(), runner.clone());
    if minikube.is_none() {
        return;
    }
    let config = async {
        let config = bundle.part("minikube/profile.yaml", minikube.profile_config()).await;
        let driver = match config {
            Ok(Some(config)) => {
                let driver =
                    config.pointer("/Config/Driver").and_then(Value::as_str).unwrap_or("").to_owned();
                bundle.objects("minikube/profile.yaml", config);
                driver
            }
            Ok(None) => return bundle.gap("minikube/profile.yaml", "minikube has no such profile"),
            Err(failure) => return bundle.gap("minikube/profile.yaml", said(&failure)),
        };
        if ["docker", "podman"].contains(&driver.as_str()) {
            let cmd = Cmd::new(&driver).arg("version").timeout(Duration::from_secs(10));
            printed(bundle, "minikube/engine.txt", &minikube, &cmd).await;
        }
    };
    let status = async {
        printed(bundle, "minikube/status.txt", &minikube, &minikube.status_cmd()).await;
    };
    let start = async {
        let cmd = minikube.logs_cmd(true, 0);
        printed(bundle, "minikube/last-start.log", &minikube, &cmd).await;
    };
    let node = async {
        let cmd = minikube.logs_cmd(false, request.limits.node_lines);
        printed(bundle, "minikube/node.log", &minikube, &cmd).await;
    };
    tokio::join!(config, status, start, node);
}

/// A command's output, with its exit status if it failed.
async fn printed(bundle: &Bundle, name: &str, minikube: &Minikube, cmd: &Cmd) {
    match bundle.part(name, minikube.run_cmd(cmd)).await {
        Ok(output) => {
            let mut text = output.text();
            if !output.exit.success() {
                text.push_str(&format!("{}\n({})\n", output.stderr, output.exit));
            }
            bundle.log(name, text);
        }
        Err(failure) => bundle.gap(name, said(&failure)),
    }
}

/// A failure in one line.
pub(crate) fn said(failure: &Failure) -> String {
    format!("{} [{}]", failure.message, failure.id)
}
