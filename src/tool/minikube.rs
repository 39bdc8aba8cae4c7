//! minikube, always with `-p PROFILE` and with kstrim's own kubeconfig.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::arguments::flag_value;
use super::engine::Engine;
use super::exec_failure;
use super::machine::{self, OnDisk};
use super::minikube_output::{self as output, Listed, State};
use crate::errors;
use crate::exec::{Cmd, Exit, Lines, Output, Runner};
use crate::failure::{Failure, Kind, Result};
use crate::names::image::same;
use crate::names::{ImageName, is_context};
use crate::paths;

/// Environment variable that names the program's path.
pub(crate) const VARIABLE: &str = "KSTRIM_MINIKUBE";
/// Where to download it.
pub(crate) const PAGE: &str = "https://minikube.sigs.k8s.io/docs/start/";
/// Defaults that can also be set by a variable instead of `minikube config` (`setupViper` of minikube's
/// `cmd/minikube/cmd`).
const BY_VARIABLE: [&str; 5] = ["driver", "memory", "cpus", "kubernetes-version", "force"];

/// Find minikube.
pub(crate) fn find() -> Result<PathBuf> {
    super::find("minikube", VARIABLE, PAGE)
}

/// minikube's own directory (`MiniPath` in its `pkg/minikube/localpath`).
pub(crate) fn home() -> PathBuf {
    let named = std::env::var_os("MINIKUBE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    match named {
        Some(home) if home.file_name().is_some_and(|name| name == ".minikube") => home,
        Some(home) => home.join(".minikube"),
        None => paths::home().join(".minikube"),
    }
}

/// The options of `minikube start` besides the profile; `None` leaves the choice to minikube.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct StartOptions {
    /// `--driver`.
    pub driver: Option<String>,
    /// `--memory`, as the user specified it.
    pub memory: Option<String>,
    /// `--cpus`.
    pub cpus: Option<String>,
    /// `--nodes`.
    pub nodes: Option<u32>,
    /// `--kubernetes-version`, without the leading v.
    pub kubernetes: Option<String>,
    /// `--container-runtime`.
    pub runtime: Option<String>,
    /// `--uuid`: identifies the profile ([`super::machine`]).
    pub token: Option<String>,
    /// Passed through unchanged.
    pub extra: Vec<String>,
}

impl StartOptions {
    /// The arguments of `minikube start`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let kubernetes = self.kubernetes.as_ref().map(|v| format!("v{}", v.trim_start_matches('v')));
        let nodes = self.nodes.map(|n| n.to_string());
        let flags = [
            ("--driver", &self.driver),
            ("--memory", &self.memory),
            ("--cpus", &self.cpus),
            ("--nodes", &nodes),
            ("--kubernetes-version", &kubernetes),
            ("--container-runtime", &self.runtime),
            ("--uuid", &self.token),
        ];
        let set = flags.into_iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value.as_ref()?)));
        set.chain(self.extra.iter().cloned()).collect()
    }
}

/// An image in a node's container runtime, as `minikube image ls` lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeImage {
    /// The digest of its configuration, with or without the prefix `sha256:`.
    #[serde(default)]
    pub id: String,
    /// Its names with tags.
    #[serde(default, rename = "repoTags")]
    pub names: Vec<String>,
}

impl NodeImage {
    /// Whether this is one of its names.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.names.iter().any(|other| same(other, name))
    }

    /// The digest of its configuration: hexadecimal digits.
    pub(crate) fn digest(&self) -> &str {
        self.id.trim_start_matches("sha256:")
    }
}

/// The program and its profile.
pub(crate) struct Minikube {
    program: RefCell<PathBuf>,
    profile: String,
    kubeconfig: PathBuf,
    runner: Rc<dyn Runner>,
}

impl Minikube {
    /// `program` for `profile`; minikube will write its context into `kubeconfig`.
    pub(crate) fn new(program: PathBuf, profile: &str, kubeconfig: &Path, runner: Rc<dyn Runner>) -> Self {
        Self {
            program: RefCell::new(program),
            profile: profile.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            runner,
        }
    }

    /// The same with another runner: one that starts commands even after the run was interrupted.
    pub(crate) fn with_runner(&self, runner: Rc<dyn Runner>) -> Self {
        Self::new(self.program(), &self.profile, &self.kubeconfig, runner)
    }

    /// The program's path.
    pub(crate) fn program(&self) -> PathBuf {
        self.program.borrow().clone()
    }

    /// Use another program from now on.
    pub(crate) fn set_program(&self, program: PathBuf) {
        *self.program.borrow_mut() = program;
    }

    pub(super) fn cmd(&self, verb: &[&str]) -> Cmd {
        Cmd::new(self.program())
            .args(verb.iter().copied())
            .args(["-p", &self.profile])
            .env("KUBECONFIG", self.kubeconfig.display().to_string())
    }

    pub(super) async fn run(&self, cmd: &Cmd) -> Result<Output> {
        if self.is_none() {
            let message = format!("{}: there is no minikube with --context", self.profile);
            return Err(Box::new(Failure::new(errors::TOOL_MISSING, Kind::Prerequisite, message)));
        }
        self.runner.run(cmd).await.map_err(|e| Box::new(exec_failure(cmd, &e)))
    }

    pub(super) fn unexpected(cmd: &Cmd, output: &Output) -> Box<Failure> {
        let shown: String = output.text().chars().take(200).collect();
        Box::new(
            Failure::new(
                errors::TOOL_BROKEN,
                Kind::Prerequisite,
                format!("minikube printed unexpected output ({})", output.exit),
            )
            .because(output.last_stderr_line())
            .because(shown)
            .hint(format!("run the command yourself to see its output: {cmd}")),
        )
    }

    /// Whether there is no minikube: the profile's name is derived from a context of the user's kubeconfig. Then it
    /// is never run; queries return the state of a machine that kstrim does not manage.
    pub(crate) fn is_none(&self) -> bool {
        is_context(&self.profile)
    }

    /// The profile's files on this disk.
    pub(crate) fn on_disk(&self) -> OnDisk {
        if self.is_none() { OnDisk::default() } else { machine::read(&home(), &self.profile) }
    }

    /// The DNS domain of the profile's services: as minikube stored it, otherwise as a `minikube start` with these
    /// arguments sets it (`pkg/minikube/constants`: `ClusterDNSDomain`). `None` if there is no minikube, or if it is no
    /// domain.
    pub(crate) fn dns_domain(&self, arguments: &[String]) -> Option<String> {
        if self.is_none() {
            return None;
        }
        let given = || {
            flag_value(arguments, "dns-domain")
                .or_else(|| by_variable("dns-domain", |name| std::env::var(name).ok()))
                .unwrap_or_else(|| "cluster.local".to_owned())
        };
        let domain = self.on_disk().dns_domain.unwrap_or_else(given);
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        (!domain.is_empty() && domain.chars().all(valid)).then_some(domain)
    }

    /// When the profile's configuration was last written, which every `minikube start` does.
    pub(crate) fn configured_at(&self) -> Option<Timestamp> {
        if self.is_none() { None } else { machine::configured_at(&home(), &self.profile) }
    }

    /// The container engine of a driver; `None` for drivers that have none, or if its client is missing.
    pub(crate) fn engine(&self, driver: &str) -> Option<Engine> {
        let known = matches!(driver, "docker" | "podman") && !self.is_none();
        known.then(|| Engine::find(driver, self.runner.clone()))?
    }

    /// minikube's version, `1.38.1`.
    pub(crate) async fn version(&self) -> Result<String> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            minikube_version: String,
        }
        let cmd = self.cmd(&["version", "-o", "json"]).timeout(Duration::from_secs(20));
        let output = self.run(&cmd).await?;
        match serde_json::from_str::<Version>(output.text().trim()) {
            Ok(version) if output.exit.success() => {
                Ok(version.minikube_version.trim_start_matches('v').to_owned())
            }
            _ => Err(Self::unexpected(&cmd, &output)),
        }
    }

    /// minikube's entry for the profile; quick, queries no engine.
    pub(crate) async fn listed(&self) -> Result<Listed> {
        if self.is_none() {
            return Ok(Listed::Absent);
        }
        let cmd = self.cmd(&["profile", "list", "--light", "-o", "json"]).timeout(Duration::from_secs(60));
        let output = self.run(&cmd).await?;
        output::profile(&output.text(), &self.profile).ok_or_else(|| Self::unexpected(&cmd, &output))
    }

    /// The state of the machine and the control plane.
    pub(crate) async fn status(&self) -> Result<State> {
        if self.is_none() {
            return Ok(State::Running);
        }
        let cmd = self.status_json_cmd();
        let output = self.run(&cmd).await?;
        let Exit::Code(code) = output.exit else { return Err(Self::unexpected(&cmd, &output)) };
        output::status(code, &output.text(), &output.stderr).ok_or_else(|| Self::unexpected(&cmd, &output))
    }

    /// The nodes other than the control plane whose machine is not running; `None` if minikube cannot determine one
    /// of them.
    pub(crate) async fn stopped_workers(&self) -> Result<Option<Vec<String>>> {
        Ok(output::stopped_workers(&self.run(&self.status_json_cmd()).await?.text()))
    }

    pub(super) fn status_json_cmd(&self) -> Cmd {
        self.cmd(&["status", "-o", "json"]).timeout(Duration::from_secs(60))
    }

    /// The profile's configuration in minikube's files.
    pub(crate) async fn profile_config(&self) -> Result<Option<Value>> {
        let cmd = self.cmd(&["profile", "list", "--light", "-o", "json"]).timeout(Duration::from_secs(60));
        let output = self.run(&cmd).await?;
        let list: Value =
            serde_json::from_slice(&output.stdout).map_err(|_| Self::unexpected(&cmd, &output))?;
        let mut all =
            ["valid", "invalid"].into_iter().filter_map(|kind| list.get(kind)?.as_array()).flatten();
        Ok(all.find(|p| p.get("Name").and_then(Value::as_str) == Some(&self.profile)).cloned())
    }

    /// The command that prints the profile's state as text; its exit code is a bit field.
    pub(crate) fn status_cmd(&self) -> Cmd {
        self.cmd(&["status"]).timeout(Duration::from_secs(60))
    }

    /// The command that prints the last lines of the node's own logs, or with `start` the log of the last `minikube
    /// start` of any profile, which needs no running node.
    pub(crate) fn logs_cmd(&self, start: bool, lines: u32) -> Cmd {
        let cmd = self.cmd(&["logs"]).timeout(Duration::from_secs(60));
        if start { cmd.arg("--last-start-only") } else { cmd.arg(format!("--length={lines}")) }
    }

    /// The user's own defaults (`minikube config set ...`, `MINIKUBE_MEMORY=...`).
    pub(crate) async fn config(&self) -> Result<Vec<(String, String)>> {
        let cmd = self.cmd(&["config", "view"]);
        let mut config = output::config_view(&self.run(&cmd).await?.text());
        for key in BY_VARIABLE {
            if let Some(value) = by_variable(key, |name| std::env::var(name).ok()) {
                config.retain(|(other, _)| other != key);
                config.push((key.to_owned(), value));
            }
        }
        Ok(config)
    }

    /// The `start` command.
    pub(crate) fn start_cmd(&self, options: &StartOptions) -> Cmd {
        // minikube itself gives up after six minutes of waiting; a first download may take longer.
        self.cmd(&["start", "-o", "json"]).args(options.arguments()).timeout(Duration::from_secs(30 * 60))
    }

    /// Start the profile; the lines can be parsed with [`output::start_event`].
    pub(crate) async fn start(&self, cmd: &Cmd) -> Result<Box<dyn Lines>> {
        self.runner.stream(cmd).await.map_err(|e| Box::new(exec_failure(cmd, &e)))
    }

    /// The `delete` command.
    pub(crate) fn delete_cmd(&self) -> Cmd {
        self.cmd(&["delete", "-o", "json"]).timeout(Duration::from_secs(180))
    }

    /// Delete the profile. Exit code 0 says neither what existed nor what remains.
    pub(crate) async fn delete(&self) -> Result<Output> {
        self.run(&self.delete_cmd()).await
    }

    /// The command that writes the profile's context into our kubeconfig.
    pub(crate) fn update_context_cmd(&self) -> Cmd {
        self.cmd(&["update-context"])
    }

    /// A command about images. If a node's runtime fails, minikube exits with 0 and reports it as a warning in its
    /// log, which by default goes only to a file.
    fn image_cmd(&self, verb: &str) -> Cmd {
        self.cmd(&["image", verb]).arg("--stderrthreshold=1")
    }

    /// The command that loads an image archive into the cluster.
    pub(crate) fn image_load_cmd(&self, archive: &Path) -> Cmd {
        self.image_cmd("load").arg(archive.display().to_string()).timeout(Duration::from_secs(600))
    }

    /// The command that saves an image of the cluster as an archive.
    pub(crate) fn image_save_cmd(&self, image: &ImageName, file: &Path) -> Cmd {
        let words = [image.as_str().to_owned(), file.display().to_string()];
        self.image_cmd("save").args(words).timeout(Duration::from_secs(900))
    }

    /// The command that pulls an image inside the cluster.
    pub(crate) fn image_pull_cmd(&self, image: &ImageName) -> Cmd {
        self.image_cmd("pull").arg(image.as_str()).timeout(Duration::from_secs(900))
    }

    /// A command to run in the node, as root. Its words are interpreted by a shell there: never use values of a user.
    pub(super) fn node_cmd(&self, words: &[&str]) -> Cmd {
        self.cmd(&["ssh"]).args(["--", "sudo"]).args(words.iter().copied()).timeout(Duration::from_secs(30))
    }

    /// Names of the files in a directory of the node; `None` if it cannot be read.
    pub(crate) async fn node_files(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let output = self.run(&self.node_cmd(&["ls", folder])).await?;
        let names = || output.text().split_whitespace().map(str::to_owned).collect();
        Ok(output.exit.success().then(names))
    }

    /// The node's own kubeadm of this Kubernetes version with minikube's configuration (minikube's
    /// `pkg/minikube/bootstrapper/bsutil`, `constants.KubeadmYamlPath`).
    pub(crate) fn kubeadm_cmd(&self, kubernetes: &str, words: &[&str]) -> Cmd {
        let program = format!("/var/lib/minikube/binaries/v{kubernetes}/kubeadm");
        let cmd = self.node_cmd(&[program.as_str()]).args(words.iter().copied());
        cmd.args(["--config", "/var/tmp/minikube/kubeadm.yaml"])
    }

    /// Run a minikube command until it ends.
    pub(crate) async fn run_cmd(&self, cmd: &Cmd) -> Result<Output> {
        self.run(cmd).await
    }

    /// The images in the cluster.
    pub(crate) async fn images(&self) -> Result<Vec<NodeImage>> {
        let cmd = self.cmd(&["image", "ls", "--format", "json"]).timeout(Duration::from_secs(60));
        let output = self.run(&cmd).await?;
        serde_json::from_str(output.text().trim()).map_err(|_| Self::unexpected(&cmd, &output))
    }
}

/// The value of a default that is set by its variable.
fn by_variable(key: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let name = format!("MINIKUBE_{}", key.to_uppercase().replace('-', "_"));
    variable(&name).filter(|value| !value.is_empty())
}
