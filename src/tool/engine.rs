//! The container engine of minikube's drivers docker and podman. kstrim itself does not need it: it only queries what
//! minikube would find.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::exec::{self, Cmd, ExecError, Output, Runner};
use crate::words;

/// Time limit of one query. A healthy engine responds in a tenth of a second.
const LIMIT: Duration = Duration::from_secs(5);

/// Time limit for copying the contents of a volume.
const COPY: Duration = Duration::from_secs(45);
/// The label of containers that copy; its value is the profile for which they do.
const COPIES: &str = "io.github.kstrim.copy";
/// The directory of a volume that has its files.
const DATA: &str = "_data";

/// What a running engine reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    /// What distinguishes it from every other engine: docker's own id, which it keeps as long as its data; podman
    /// has none, so the host's name and the path of its storage. Empty if unknown.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Memory available to its containers, MiB; 0 if unknown.
    pub memory_mb: u64,
    /// CPUs; 0 if unknown.
    pub cpus: u64,
    /// Whether it runs as an ordinary user.
    pub rootless: bool,
}

/// The result of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It works.
    Up(Info),
    /// It is not running; its client's message.
    Down(String),
    /// Access is denied; its client's message.
    Denied(String),
    /// No response in time.
    Slow,
    /// Its client cannot be run, or its output is invalid.
    Broken(String),
}

/// An engine's client program.
pub(crate) struct Engine {
    program: PathBuf,
    runner: Rc<dyn Runner>,
}

/// What [`Engine::copy_volume`] copies from where to where.
pub(crate) struct Copy<'a> {
    /// The profile for which it does.
    pub profile: &'a str,
    /// An image that the engine has.
    pub image: &'a str,
    /// The volume that has the files.
    pub from: &'a str,
    /// The volume that gets them. If it is empty, it first gets the image's contents of the directory `mount`.
    pub to: &'a str,
    /// See `to`.
    pub mount: &'a str,
}

impl Engine {
    /// Find `docker` or `podman` on PATH, as minikube does.
    pub(crate) fn find(name: &str, runner: Rc<dyn Runner>) -> Option<Self> {
        Some(Self { program: exec::find(name.as_ref())?, runner })
    }

    fn cmd(&self) -> Cmd {
        let cmd = Cmd::new(&self.program).timeout(LIMIT);
        as_minikube_asks(cmd, self.program.ends_with("podman"), |name| std::env::var(name).ok())
    }

    fn info_cmd(&self) -> Cmd {
        self.cmd().args(["info", "--format", "{{json .}}"])
    }

    /// Query its information.
    pub(crate) async fn info(&self) -> Answer {
        match self.runner.run(&self.info_cmd()).await {
            Ok(output) => info(&output),
            Err(ExecError::TimedOut(_)) => Answer::Slow,
            Err(error) => Answer::Broken(error.to_string()),
        }
    }

    /// Whether it has a container with this name, running or not. `None`: unknown.
    pub(crate) async fn has_container(&self, name: &str) -> Option<bool> {
        // A filter's value is a regular expression; names contain letters, digits, '-' and '.'.
        let filter = format!("name=^/?{}$", name.replace('.', "[.]"));
        let cmd = self.cmd().args(["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
        let output = self.runner.run(&cmd).await.ok().filter(|o| o.exit.success())?;
        Some(output.text().lines().any(|line| line.trim().trim_start_matches('/') == name))
    }

    /// Whether it has a volume with this name. `None`: unknown.
    pub(crate) async fn has_volume(&self, name: &str) -> Option<bool> {
        let filter = format!("name={name}");
        let cmd = self.cmd().args(["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"]);
        let output = self.runner.run(&cmd).await.ok().filter(|o| o.exit.success())?;
        // The filter also matches parts of names.
        Some(output.text().lines().any(|line| line.trim() == name))
    }

    /// The id of the image that a container was created from. `None`: unknown.
    pub(crate) async fn image_of(&self, container: &str) -> Option<String> {
        let cmd = self.cmd().args(["container", "inspect", "--format", "{{.Image}}", container]);
        let output = self.runner.run(&cmd).await.ok().filter(|o| o.exit.success())?;
        Some(output.text().trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// A label of a volume. `None`: there is no such volume, it has no such label, or that is unknown.
    pub(crate) async fn volume_label(&self, volume: &str, label: &str) -> Option<String> {
        let cmd = self.cmd().args(["volume", "inspect", "--format", "{{json .Labels}}", volume]);
        let output = self.runner.run(&cmd).await.ok().filter(|o| o.exit.success())?;
        let labels: Option<BTreeMap<String, String>> = serde_json::from_slice(&output.stdout).ok()?;
        labels?.remove(label)
    }

    /// Create a volume. Whether that succeeded; it does as well if it exists.
    pub(crate) async fn create_volume(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().flat_map(|(key, value)| ["--label".to_owned(), format!("{key}={value}")]);
        self.succeeds(&self.cmd().args(["volume", "create"]).args(labels).arg(name)).await
    }

    /// Remove a volume that no container uses. Whether that succeeded.
    pub(crate) async fn remove_volume(&self, name: &str) -> bool {
        self.succeeds(&self.cmd().args(["volume", "rm", name]).timeout(COPY)).await
    }

    /// Remove the containers of [`Engine::copy_volume`] for a profile: the end of the client does not end them.
    pub(crate) async fn stop_copies(&self, profile: &str) {
        let filter = format!("label={COPIES}={profile}");
        let list = self.cmd().args(["ps", "-aq", "--filter", &filter]);
        let Ok(output) = self.runner.run(&list).await else { return };
        let text = output.text();
        let ids: Vec<&str> = text.split_whitespace().collect();
        if !ids.is_empty() {
            self.succeeds(&self.cmd().args(["rm", "--force"]).args(ids).timeout(COPY)).await;
        }
    }

    /// Bring paths of a volume into another one: `copied` as copies, `linked` as hard links of the same files, or as
    /// copies where the engine cannot link. Whether that succeeded; if not, nothing is copied any more, unless this run
    /// was interrupted.
    pub(crate) async fn copy_volume(&self, copy: &Copy<'_>, copied: &[&str], linked: &[&str]) -> bool {
        let done = self.copies(copy, copied).await && self.links_or_copies(copy, linked).await;
        if !done {
            self.stop_copies(copy.profile).await;
        }
        done
    }

    async fn links_or_copies(&self, copy: &Copy<'_>, paths: &[&str]) -> bool {
        if self.links(copy, paths).await {
            return true;
        }
        // The end of its client, after a timeout, does not end it.
        self.stop_copies(copy.profile).await;
        self.copies(copy, paths).await
    }

    async fn copies(&self, copy: &Copy<'_>, paths: &[&str]) -> bool {
        let from = format!("--volume={}:/from:ro", copy.from);
        let to = format!("--volume={}:{}", copy.to, copy.mount);
        let cmd = self.run_cp(copy, &[from, to], "/from");
        self.succeeds(&cmd.args(paths.iter().copied()).arg(copy.mount)).await
    }

    /// Files can only be linked below one mount: that of the directory of all volumes.
    async fn links(&self, copy: &Copy<'_>, paths: &[&str]) -> bool {
        let Some(volumes) = self.volumes_directory([copy.from, copy.to]).await else { return false };
        let mounts = [
            // Unlike `--volume`, this does not create a directory that does not exist.
            format!("--mount=type=bind,source={volumes},target=/volumes"),
            // With SELinux, containers have no access to that directory otherwise.
            "--security-opt=label=disable".to_owned(),
            // So that the engine does not remove the volumes meanwhile.
            format!("--volume={}:/used/from:ro", copy.from),
            format!("--volume={}:/used/to", copy.to),
        ];
        let [from, to] = [copy.from, copy.to].map(|name| format!("/volumes/{name}/{DATA}"));
        let cmd = self.run_cp(copy, &mounts, &from).arg("--link");
        self.succeeds(&cmd.args(paths.iter().copied()).arg(to)).await
    }

    /// Run cp in a directory of a container of an image that the engine has.
    fn run_cp(&self, copy: &Copy<'_>, mounts: &[String], directory: &str) -> Cmd {
        let cmd = self.cmd().args(["run", "--rm", "--network=none", "--pull=never", "--user=0:0"]);
        // For attributes that the kernel's overlay file system sets, `trusted.overlay.opaque`.
        let cmd = cmd.arg("--cap-add=SYS_ADMIN").arg(format!("--label={COPIES}={}", copy.profile));
        // Unlike docker's `--workdir`, env does not create a directory that does not exist.
        let cmd = cmd.arg("--entrypoint=env").args(mounts).arg(copy.image);
        let cmd = cmd.arg(format!("--chdir={directory}"));
        cmd.args(["cp", "--archive", "--remove-destination", "--parents"]).timeout(COPY)
    }

    /// Where the engine keeps the files of these volumes, each in a directory of its name, as its driver local does for
    /// volumes without options. `None`: it does not, or that is unknown.
    async fn volumes_directory(&self, names: [&str; 2]) -> Option<String> {
        let cmd = self.cmd().args(["volume", "inspect", "--format", "{{.Mountpoint}}"]).args(names);
        let output = self.runner.run(&cmd).await.ok().filter(|o| o.exit.success())?;
        volumes_directory(&output.text(), names)
    }

    async fn succeeds(&self, cmd: &Cmd) -> bool {
        self.runner.run(cmd).await.is_ok_and(|output| output.exit.success())
    }

    /// Where its client connects: the name of docker's context, and the address, which `DOCKER_HOST` overrides if
    /// set. Empty for podman, which has neither.
    pub(crate) async fn address(&self) -> Address {
        if !self.program.ends_with("docker") {
            return Address::default();
        }
        let format = "{{.Name}} {{.Endpoints.docker.Host}}";
        let cmd = self.cmd().args(["context", "inspect", "--format", format]);
        let said = match self.runner.run(&cmd).await {
            Ok(output) if output.exit.success() => output.text().trim().to_owned(),
            _ => String::new(),
        };
        let (context, host) = said.split_once(' ').unwrap_or_default();
        Address { context: context.to_owned(), host: host.trim().to_owned() }
    }
}

/// The directory that has the directories of both volumes, from their mount points, one in each line.
fn volumes_directory(mount_points: &str, names: [&str; 2]) -> Option<String> {
    let mut directories = mount_points.lines().zip(names).map(|(path, name)| {
        path.trim().strip_suffix(DATA)?.strip_suffix('/')?.strip_suffix(name)?.strip_suffix('/')
    });
    let (first, second) = (directories.next()??, directories.next()??);
    // These characters have a meaning in the option of a mount.
    (first == second && first.starts_with('/') && !first.contains([',', '"'])).then(|| first.to_owned())
}

/// Query the same engine as minikube. In a shell after `eval $(minikube docker-env)` the variables lead to the engine
/// inside a profile's node; minikube then uses the previous values, which that command saved, or none
/// (`PointToHostDockerDaemon` and `PointToHostPodman` in its `pkg/drivers/kic/oci`).
fn as_minikube_asks(cmd: Cmd, podman: bool, variable: impl Fn(&str) -> Option<String>) -> Cmd {
    let (active, names): (&str, &[&str]) = if podman {
        ("MINIKUBE_ACTIVE_PODMAN", &["PODMAN_VARLINK_BRIDGE", "CONTAINER_HOST"])
    } else {
        ("MINIKUBE_ACTIVE_DOCKERD", &["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"])
    };
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set(active).is_none() {
        return cmd;
    }
    names.iter().fold(cmd, |cmd, name| match set(&format!("MINIKUBE_EXISTING_{name}")) {
        Some(before) => cmd.env(*name, before),
        None => cmd.without(*name),
    })
}

/// Where an engine's client connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// docker's context.
    pub context: String,
    /// The address, `unix:///var/run/docker.sock`.
    pub host: String,
}

/// Interpret the output of `info`. Some clients exit with 0 without their server: then it has no version.
fn info(output: &Output) -> Answer {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |pointer: &str| said.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let version =
        Some(text("/ServerVersion")).filter(|v| !v.is_empty()).unwrap_or_else(|| text("/version/Version"));
    if output.exit.success() && !version.is_empty() {
        let options = said.get("SecurityOptions").and_then(Value::as_array);
        let rootless = options.is_some_and(|all| all.iter().any(|o| o == "name=rootless"))
            || said.pointer("/host/security/rootless").and_then(Value::as_bool) == Some(true);
        let storage = text("/store/graphRoot");
        let id = match text("/ID") {
            id if id.is_empty() && !storage.is_empty() => format!("{}:{storage}", text("/host/hostname")),
            id => id,
        };
        return Answer::Up(Info {
            id,
            version,
            memory_mb: number("/MemTotal").max(number("/host/memTotal")) >> 20,
            cpus: number("/NCPU").max(number("/host/cpus")),
            rootless,
        });
    }
    let errors = said.get("ServerErrors").and_then(Value::as_array);
    let said = errors.and_then(|e| e.first()?.as_str()).unwrap_or_else(|| output.last_stderr_line()).trim();
    let lower = said.to_lowercase();
    if words::PERMISSION.matches(&lower) {
        Answer::Denied(said.to_owned())
    } else if words::any(&words::ENGINE_DOWN, &lower) {
        Answer::Down(said.to_owned())
    } else {
        Answer::Broken(if said.is_empty() {
            format!("it ended with {}", output.exit)
        } else {
            said.to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_volumes_side_by_side_have_a_common_directory() {
        let of = |text: &str| volumes_directory(text, ["a", "b"]);
        let docker = "/var/lib/docker/volumes";
        assert_eq!(of(&format!("{docker}/a/_data\n{docker}/b/_data\n")).as_deref(), Some(docker));
        for other in [
            "",
            "/volumes/a/_data\n",
            "/volumes/a/_data\n/elsewhere/b/_data\n",
            "/volumes/b/_data\n/volumes/a/_data\n",
            "/volumes/a\n/volumes/b\n",
            "volumes/a/_data\nvolumes/b/_data\n",
            "/vol,readonly/a/_data\n/vol,readonly/b/_data\n",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_engine_inside_a_node_is_distinguished_from_minikubes() {
        let shell = |pairs: &'static [(&str, &str)]| {
            let value =
                move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            let cmd = as_minikube_asks(Cmd::new("docker"), false, value);
            (cmd.env.into_iter().collect::<Vec<_>>(), cmd.without.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(shell(&[("DOCKER_HOST", "tcp://1.2.3.4:2376")]), (vec![], vec![]));
        assert_eq!(shell(&[("DOCKER_HOST", "x"), ("MINIKUBE_ACTIVE_DOCKERD", "")]), (vec![], vec![]));
        let all = ["DOCKER_CERT_PATH", "DOCKER_HOST", "DOCKER_TLS_VERIFY"].map(str::to_owned);
        assert_eq!(shell(&[("MINIKUBE_ACTIVE_DOCKERD", "p"), ("DOCKER_HOST", "x")]), (vec![], all.to_vec()));
        let (env, without) = shell(&[
            ("MINIKUBE_ACTIVE_DOCKERD", "p"),
            ("DOCKER_HOST", "tcp://127.0.0.1:32862"),
            ("MINIKUBE_EXISTING_DOCKER_HOST", "unix:///run/user/1000/docker.sock"),
        ]);
        assert_eq!(env, [("DOCKER_HOST".to_owned(), "unix:///run/user/1000/docker.sock".to_owned())]);
        assert_eq!(without, [all[0].clone(), all[2].clone()]);
    }
    use crate::exec::Exit;

    fn answer(code: i32, stdout: &str, stderr: &str) -> Answer {
        info(&Output {
            exit: Exit::Code(code),
            stdout: stdout.into(),
            stderr: stderr.into(),
            took: Duration::ZERO,
        })
    }

    #[test]
    fn engines_that_respond() {
        let docker = r#"{"ID":"7TRN:IPZB","NCPU":2,"MemTotal":25276063744,"ServerVersion":"28.2.2","SecurityOptions":["name=seccomp"]}"#;
        let Answer::Up(info) = answer(0, docker, "") else { panic!("up") };
        assert_eq!(
            (info.version.as_str(), info.memory_mb, info.cpus, info.rootless),
            ("28.2.2", 24105, 2, false)
        );
        assert_eq!(info.id, "7TRN:IPZB");
        let podman = r#"{"host":{"cpus":8,"hostname":"a","memTotal":8589934592,"security":{"rootless":true}},"store":{"graphRoot":"/home/u/s"},"version":{"Version":"5.0.1"}}"#;
        let Answer::Up(info) = answer(0, podman, "") else { panic!("up") };
        assert_eq!(
            (info.version.as_str(), info.memory_mb, info.cpus, info.rootless),
            ("5.0.1", 8192, 8, true)
        );
        assert_eq!(info.id, "a:/home/u/s");
    }

    #[test]
    fn engines_that_do_not_respond() {
        let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert_eq!(answer(1, "\n", down), Answer::Down(down.into()));
        let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
        assert_eq!(answer(1, "", denied), Answer::Denied(denied.into()));
        // Docker 24 and older: exit code 0, and the errors in the document.
        let soft = format!(r#"{{"ServerVersion":"","ServerErrors":["{denied}"]}}"#);
        assert_eq!(answer(0, &soft, ""), Answer::Denied(denied.into()));
        assert_eq!(answer(125, "", ""), Answer::Broken("it ended with exit code 125".into()));
    }
}
