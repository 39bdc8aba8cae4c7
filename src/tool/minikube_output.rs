//! Pure parsers of minikube's output with `-o json`, in the format of minikube 1.38; unknown fields and lines are
//! skipped, since `-o json` output also contains plain lines.

use serde::Deserialize;

use crate::words;

/// One CloudEvents line of `minikube start -o json` (all values are strings).
#[derive(Debug, Clone, PartialEq)]
pub enum StartEvent {
    /// A step; numbers may jump and go back.
    Step {
        /// Its text.
        message: String,
        /// Current step.
        step: u64,
        /// Number of steps.
        total: u64,
    },
    /// A download, 0.0 to 1.0.
    Download {
        /// What is downloaded.
        artifact: String,
        /// The downloaded share.
        progress: f64,
    },
    /// A warning or other information.
    Warning(String),
    /// An error event. Only the exit code of the process decides whether it failed.
    Error(StartError),
}

/// An error event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartError {
    /// minikube's reason id such as `PROVIDER_DOCKER_NOT_RUNNING`; empty for warnings without a name.
    pub name: String,
    /// Its text.
    pub message: String,
    /// minikube's advice; empty if it contains an unrendered template.
    pub advice: String,
    /// minikube's exit code for it.
    pub exitcode: Option<i32>,
}

#[derive(Deserialize)]
struct CloudEvent {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: std::collections::BTreeMap<String, serde_json::Value>,
}

/// Parse one line; `None` for lines that are not events or not relevant.
pub fn start_event(line: &str) -> Option<StartEvent> {
    let event: CloudEvent = serde_json::from_str(line.trim()).ok()?;
    let text = |key: &str| event.data.get(key).and_then(|v| v.as_str()).unwrap_or_default().trim().to_owned();
    match event.kind.strip_prefix("io.k8s.sigs.minikube.")? {
        "step" => Some(StartEvent::Step {
            message: text("message"),
            step: text("currentstep").parse().ok()?,
            total: text("totalsteps").parse().ok()?,
        }),
        "download.progress" => Some(StartEvent::Download {
            artifact: text("artifact"),
            progress: text("progress").parse().ok()?,
        }),
        "warning" => Some(StartEvent::Warning(text("message"))),
        "error" => {
            let advice = text("advice");
            Some(StartEvent::Error(StartError {
                name: text("name"),
                message: text("message"),
                advice: if advice.contains("{{") { String::new() } else { advice },
                exitcode: text("exitcode").parse().ok(),
            }))
        }
        _ => None,
    }
}

/// A profile in `minikube profile list -o json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// CPUs.
    pub cpus: u64,
    /// Driver, `docker`.
    pub driver: String,
    /// Kubernetes, without the leading v.
    pub kubernetes: String,
    /// Container runtime.
    pub runtime: String,
    /// Number of nodes.
    pub nodes: usize,
    /// Whether its control plane has an address. A start that was killed before minikube stored it leaves a profile
    /// that no later start can repair (`DRV_CP_ENDPOINT`; minikube 1.38.1).
    pub addressed: bool,
}

#[derive(Deserialize)]
struct ProfileList {
    #[serde(default)]
    valid: Vec<ListedProfile>,
    #[serde(default)]
    invalid: Vec<ListedProfile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedProfile {
    name: String,
    config: Option<ProfileConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProfileConfig {
    #[serde(default)]
    memory: u64,
    #[serde(default, rename = "CPUs")]
    cpus: u64,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    kubernetes_config: KubernetesConfig,
    #[serde(default)]
    nodes: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct KubernetesConfig {
    kubernetes_version: String,
    container_runtime: String,
}

/// The entry of one name in `profile list`.
#[derive(Debug, Clone, PartialEq)]
pub enum Listed {
    /// No such profile.
    Absent,
    /// A directory without a usable configuration, as a rejected start leaves it.
    Broken,
    /// A profile.
    Valid(Profile),
}

/// Find `name` in the output of `minikube profile list -o json`; `None` if the output is not valid.
pub fn profile(stdout: &str, name: &str) -> Option<Listed> {
    let list: ProfileList = serde_json::from_str(stdout.trim()).ok()?;
    if let Some(found) = list.valid.iter().find(|p| p.name == name)
        && let Some(config) = &found.config
    {
        return Some(Listed::Valid(Profile {
            name: name.to_owned(),
            memory_mb: config.memory,
            cpus: config.cpus,
            driver: config.driver.clone(),
            kubernetes: config.kubernetes_config.kubernetes_version.trim_start_matches('v').to_owned(),
            runtime: config.kubernetes_config.container_runtime.clone(),
            nodes: config.nodes.as_ref().map_or(1, Vec::len),
            addressed: config.nodes.iter().flatten().next().is_none_or(|node| node["IP"] != ""),
        }));
    }
    let broken = list.invalid.iter().chain(&list.valid).any(|p| p.name == name);
    Some(if broken { Listed::Broken } else { Listed::Absent })
}

/// The state of a profile's machine and control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No such profile (exit 85).
    Absent,
    /// All four components respond.
    Running,
    /// Paused by `minikube pause`.
    Paused,
    /// Stopped by `minikube stop`.
    Stopped,
    /// The host is running, the control plane is not: a start that was killed, or a crash.
    Partial,
    /// The machine is not found: its container no longer exists.
    Gone,
    /// The machine is not found; the engine's message.
    EngineDown(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatusJson {
    name: String,
    host: String,
    #[serde(rename = "APIServer")]
    api_server: String,
    kubelet: String,
}

/// Interpret `minikube status -o json` by exit code, stdout and stderr (minikube's exit bits: 1 host, 2 kubelet or
/// API server, 4 kubeconfig; 85 unknown profile; a missing machine prints `null`). With several nodes stdout is an
/// array; the first is the control plane.
pub fn status(exit: i32, stdout: &str, stderr: &str) -> Option<State> {
    if exit == 85 {
        return Some(State::Absent);
    }
    let text = stdout.trim();
    let status: Option<StatusJson> = if text.starts_with('[') {
        serde_json::from_str::<Vec<StatusJson>>(text).ok()?.into_iter().next()
    } else {
        serde_json::from_str(text).ok()?
    };
    let Some(status) = status else {
        let gone = words::any(&words::NO_CONTAINER, stderr);
        let last = stderr.lines().map(str::trim).rfind(|l| words::any(&words::ENGINE, l));
        return Some(match last {
            _ if gone => State::Gone,
            Some(words) => State::EngineDown(words.to_owned()),
            // A machine that may exist must not be considered missing: it would be deleted.
            None => return None,
        });
    };
    Some(match (status.host.as_str(), status.kubelet.as_str(), status.api_server.as_str()) {
        ("Running", "Running", "Running") => State::Running,
        ("Running", _, "Paused") | ("Paused", ..) => State::Paused,
        ("Running", ..) => State::Partial,
        ("Nonexistent", ..) => State::Gone,
        _ => State::Stopped,
    })
}

/// The names of all nodes, from `minikube status -o json`, the control plane first; `None` if a machine
/// cannot be found.
pub(crate) fn node_names(stdout: &str) -> Option<Vec<String>> {
    let text = stdout.trim();
    let all: Vec<StatusJson> = match text.starts_with('[') {
        true => serde_json::from_str(text).ok()?,
        false => vec![serde_json::from_str(text).ok()?],
    };
    Some(all.into_iter().map(|node| node.name).collect())
}

/// The nodes other than the control plane whose machine is not running, from `minikube status -o json` of a profile
/// with several nodes. `None` if a machine cannot be found: then minikube (1.38.1) prints `null` for all of them.
pub(crate) fn stopped_workers(stdout: &str) -> Option<Vec<String>> {
    let all: Vec<StatusJson> = serde_json::from_str(stdout.trim()).ok()?;
    Some(all.into_iter().skip(1).filter(|node| node.host != "Running").map(|node| node.name).collect())
}

/// Keys and values in `minikube config view` (`- memory: 8192` lines).
pub fn config_view(stdout: &str) -> Vec<(String, String)> {
    stdout
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::memory_mb;

    /// Seen on minikube 1.38.1 with `docker stop n3-m03`, and with `docker rm -f n3-m03`.
    #[test]
    fn a_stopped_worker_is_named() {
        let node = |name: &str, host: &str, worker: bool| {
            format!(
                r#"{{"Name":"{name}","Host":"{host}","Kubelet":"{host}","APIServer":"Irrelevant","Kubeconfig":"Irrelevant","Worker":{worker}}}"#
            )
        };
        let all =
            [node("n3", "Running", false), node("n3-m02", "Running", true), node("n3-m03", "Stopped", true)];
        assert_eq!(stopped_workers(&format!("[{}]", all.join(","))), Some(vec!["n3-m03".to_owned()]));
        assert_eq!(stopped_workers(&format!("[{}]", all[..2].join(","))), Some(vec![]));
        assert_eq!(stopped_workers("null"), None);
    }

    /// Every recorded `minikube` command of a scenario: argv, exit, stdout, stderr.
    fn recorded(scenario: &str) -> Vec<(Vec<String>, i32, String, String)> {
        #[derive(Deserialize)]
        struct Command {
            argv: Vec<String>,
            exit: i32,
            stdout: String,
            stderr: String,
        }
        let path = format!("{}/tests/recordings/{scenario}/commands.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        text.lines()
            .map(|line| serde_json::from_str::<Command>(line).expect("a recorded command"))
            .map(|c| (c.argv, c.exit, c.stdout, c.stderr))
            .collect()
    }

    fn states(scenario: &str) -> Vec<State> {
        recorded(scenario)
            .into_iter()
            .filter(|(argv, ..)| {
                argv.get(1).is_some_and(|v| v == "status")
                    && argv.iter().any(|a| a == "json")
                    && !argv.iter().any(|a| a == "-l")
            })
            .map(|(argv, exit, out, err)| {
                status(exit, &out, &err).unwrap_or_else(|| panic!("{argv:?}: {out}"))
            })
            .collect()
    }

    #[test]
    fn recorded_states_are_parsed() {
        use State::{Absent, Partial, Paused, Running, Stopped};
        assert_eq!(
            states("23-mk-status"),
            [Absent, Running, Paused, Running, Stopped, Running, Running, Running]
        );
        assert!(
            matches!(states("24-mk-engine-down").first(), Some(State::EngineDown(w)) if w.contains("Cannot connect"))
        );
        assert_eq!(states("27-mk-container-gone")[0], State::Gone);
        assert_eq!(states("26-mk-killed-15s")[0], Partial);
    }

    #[test]
    fn recorded_profiles_are_parsed() {
        let (.., out, _) = recorded("21-mk-start-fresh")
            .into_iter()
            .find(|(argv, ..)| argv.iter().any(|a| a == "list"))
            .map(|(a, e, _, r)| {
                let path = concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/tests/recordings/21-mk-start-fresh/snapshots/profile-list.json"
                );
                (a, e, std::fs::read_to_string(path).expect("snapshot"), r)
            })
            .expect("a list");
        let Some(Listed::Valid(found)) = profile(&out, "kstrim2") else { panic!("not found") };
        assert_eq!((found.memory_mb, found.cpus, found.driver.as_str()), (4096, 2, "docker"));
        assert_eq!(
            (found.kubernetes.as_str(), found.runtime.as_str(), found.nodes),
            ("1.34.4", "containerd", 1)
        );
        assert_eq!(profile(&out, "nope"), Some(Listed::Absent));
    }

    #[test]
    fn recorded_streams_are_parsed() {
        let (.., out, _) = recorded("25-mk-bad-request")
            .into_iter()
            .find(|(argv, ..)| argv.iter().any(|a| a.contains("memory=900g")))
            .expect("the scenario has it");
        let errors: Vec<_> = out
            .lines()
            .filter_map(start_event)
            .filter_map(|e| match e {
                StartEvent::Error(error) if !error.name.is_empty() => Some(error),
                _ => None,
            })
            .collect();
        assert_eq!(errors[0].name, "RSRC_OVER_ALLOC_MEM");
        assert_eq!(errors[0].exitcode, Some(10));
        assert_eq!(errors[0].advice, "", "an unrendered template is no advice");
    }

    #[test]
    fn an_incomplete_line_is_not_an_event() {
        assert_eq!(start_event(r#"{"specversion":"1.0","type":"io.k8s.sigs.minik"#), None);
        assert_eq!(start_event("plain words"), None);
    }

    #[test]
    fn sizes() {
        for (text, mb) in [("4096", 4096), ("4g", 4096), ("4GB", 4096), ("2GiB", 2048), ("4096mb", 4096)] {
            assert_eq!(memory_mb(text), Some(mb), "{text}");
        }
        assert_eq!(memory_mb("max"), None);
        assert_eq!(
            config_view("- memory: 8192\n- driver: docker\n"),
            [("memory".to_owned(), "8192".to_owned()), ("driver".to_owned(), "docker".to_owned())]
        );
    }
}
