//! What kstrim does in the nodes of a profile that it stops or pauses, through `minikube ssh`.
//!
//! `minikube stop` gives Kafka no time to shut down: with the drivers docker and podman it stops the containers of
//! `kube-system`, then shuts the node down (`Stop` in minikube's `pkg/drivers/kic/kic.go`), waits for 20 s
//! (`ShutDown` in its `oci/oci.go`) and kills the remaining processes. Clients, brokers and controllers are stopped
//! at the same time, although a broker needs a controller to shut down cleanly.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::minikube::Minikube;
use super::minikube_output;
use crate::exec::{Cmd, Output};
use crate::failure::Result;

/// How long a container may take to stop before the container runtime kills it.
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// How often a step of [`Minikube::empty_runtime`] is tried, and the time between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// A systemd drop-in, written by a shell in the node: containerd counts as started only once it responds, for at most
/// ten seconds.
const STARTED_ONCE_IT_RESPONDS: &str = concat!(
    "'mkdir -p /etc/systemd/system/containerd.service.d && printf \"[Service]\\n",
    "ExecStartPost=-/usr/bin/timeout 10 /bin/sh -c \\\"until crictl version; do sleep 0.05; done\\\"\\n\" ",
    "> /etc/systemd/system/containerd.service.d/50-kstrim.conf'"
);

/// A node of a profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    name: String,
    /// Whether it is the only node: then it is not passed to minikube.
    only: bool,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The stages of a shutdown, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It is a client of the brokers: Kafka Connect, MirrorMaker, the bridge.
    Client,
    /// A broker, which may be a controller as well.
    Broker,
    /// A controller that is not a broker, or ZooKeeper: brokers need it until they have stopped.
    Controller,
}

/// A Strimzi container that runs in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    /// The container runtime's id: hexadecimal digits.
    pub id: String,
    /// Its pod.
    pub pod: String,
    /// The stage in which it is stopped.
    pub stage: Stage,
}

/// `crictl pods -o json`.
#[derive(Deserialize)]
struct Pods {
    #[serde(default)]
    items: Option<Vec<Sandbox>>,
}

#[derive(Deserialize)]
struct Sandbox {
    id: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// `crictl ps -o json`.
#[derive(Deserialize)]
struct Containers {
    #[serde(default)]
    containers: Option<Vec<Running>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    id: String,
    pod_sandbox_id: String,
    metadata: Metadata,
    #[serde(default)]
    labels: PodName,
}

/// The labels that the kubelet sets on a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct PodName {
    /// The namespace of its pod.
    #[serde(rename = "io.kubernetes.pod.namespace")]
    pub namespace: String,
    /// The name of its pod.
    #[serde(rename = "io.kubernetes.pod.name")]
    pub name: String,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

/// `crictl inspect -o json`.
#[derive(Deserialize)]
struct Inspected {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    exit_code: i64,
}

/// What a command in a node reports last: its last line on stderr, or else on stdout, without the line that ssh adds
/// about its exit status.
pub(crate) fn last_line(output: &Output) -> String {
    let last = |text: &str| {
        let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
        lines.find(|line| !crate::words::SSH.matches(line)).map(str::to_owned)
    };
    last(&output.stderr).or_else(|| last(&output.text())).unwrap_or_default()
}

/// The stage in which a container is stopped, by its name and the labels that Strimzi sets on its pod. `None`: it can
/// be killed without loss of data.
fn stage(container: &str, labels: &BTreeMap<String, String>) -> Option<Stage> {
    let label = |name: &str| labels.get(name).map(String::as_str);
    match (label("strimzi.io/kind")?, container) {
        ("KafkaConnect" | "KafkaMirrorMaker2" | "KafkaMirrorMaker" | "KafkaBridge", _) => Some(Stage::Client),
        ("Kafka", "kafka") if label("strimzi.io/broker-role") == Some("false") => Some(Stage::Controller),
        ("Kafka", "kafka") => Some(Stage::Broker),
        ("Kafka", "zookeeper") => Some(Stage::Controller),
        _ => None,
    }
}

/// Whether it is an id of the container runtime: it is passed to a shell in the node.
fn hexadecimal(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Strimzi's containers, from the lists of the node's pods and running containers; `None` if these are not valid
/// output of crictl.
fn containers(pods: &str, running: &str) -> Option<Vec<Container>> {
    let pods: Pods = serde_json::from_str(pods.trim()).ok()?;
    let running: Containers = serde_json::from_str(running.trim()).ok()?;
    let pods: BTreeMap<String, BTreeMap<String, String>> =
        pods.items.into_iter().flatten().map(|pod| (pod.id, pod.labels.unwrap_or_default())).collect();
    let mut found: Vec<Container> = running
        .containers
        .into_iter()
        .flatten()
        .filter(|container| hexadecimal(&container.id))
        .filter_map(|container| {
            let labels = pods.get(&container.pod_sandbox_id)?;
            let stage = stage(&container.metadata.name, labels)?;
            let pod = labels.get("io.kubernetes.pod.name").cloned().unwrap_or_default();
            Some(Container { id: container.id, pod, stage })
        })
        .collect();
    found.sort_by(|a, b| (a.stage, &a.pod).cmp(&(b.stage, &b.pod)));
    Some(found)
}

impl Minikube {
    /// The profile's nodes, the control plane first; none if minikube cannot find the machine of one of them.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>> {
        let output = self.run(&self.status_json_cmd()).await?;
        let names = minikube_output::node_names(&output.text()).unwrap_or_default();
        let only = names.len() == 1;
        Ok(names.into_iter().map(|name| Node { name, only }).collect())
    }

    /// A command that runs in a node as root. A shell there interprets its words, so they must never contain the
    /// user's values.
    pub(super) fn in_node(&self, node: &Node, words: &[&str]) -> Cmd {
        let cmd = self.cmd(&["ssh"]);
        let cmd = if node.only { cmd } else { cmd.args(["-n", &node.name]) };
        cmd.args(["--", "sudo"]).args(words.iter().copied()).timeout(Duration::from_secs(60))
    }

    /// Stop a node's kubelet: containers that exit are not restarted.
    pub(crate) async fn stop_kubelet(&self, node: &Node) -> Result<Output> {
        self.run(&self.in_node(node, &["systemctl", "stop", "kubelet"])).await
    }

    /// Start a node's kubelet, which restarts the containers that have exited.
    pub(crate) async fn start_kubelet(&self, node: &Node) -> Result<Output> {
        self.run(&self.in_node(node, &["systemctl", "start", "kubelet"])).await
    }

    /// Let the next `minikube start` find containerd ready. It restarts containerd and sends it one request. While
    /// containerd still loads the containers of before, that request fails, and minikube waits for 10 to 15 s before
    /// the next (`waitForCRIVersion` in its `pkg/minikube/node/start.go`; minikube#10705; observed with 1.38.1).
    pub(crate) async fn prepare_containerd(&self, node: &Node) -> Result<Output> {
        self.run(&self.in_node(node, &["sh", "-c", STARTED_ONCE_IT_RESPONDS])).await
    }

    /// Strimzi's running containers in a node, in the order in which they are to be stopped.
    pub(crate) async fn strimzi_containers(&self, node: &Node) -> Result<Vec<Container>> {
        let (list, ps) = (["crictl", "pods", "-o", "json"], ["crictl", "ps", "-o", "json"]);
        let (list, ps) = (self.in_node(node, &list), self.in_node(node, &ps));
        let (pods, running) = (self.run(&list).await?, self.run(&ps).await?);
        if !pods.exit.success() {
            return Err(Self::unexpected(&list, &pods));
        }
        containers(&pods.text(), &running.text()).ok_or_else(|| Self::unexpected(&ps, &running))
    }

    /// Let the container runtime stop a container; returns when it has exited.
    pub(crate) async fn stop_container(&self, node: &Node, container: &Container) -> Result<Output> {
        let grace = GRACE.as_secs().to_string();
        let cmd = self.in_node(node, &["crictl", "stop", "--timeout", &grace, &container.id]);
        self.run(&cmd.timeout(GRACE + Duration::from_secs(30))).await
    }

    /// All running containers of a node, and their pods; etcd's is the last.
    pub(crate) async fn all_containers(&self, node: &Node) -> Result<Vec<(String, PodName)>> {
        let ps = self.in_node(node, &["crictl", "ps", "-o", "json"]);
        let output = self.run(&ps).await?;
        let running: Option<Containers> = serde_json::from_str(output.text().trim()).ok();
        let running = running.filter(|_| output.exit.success());
        let running = running.ok_or_else(|| Self::unexpected(&ps, &output))?.containers.unwrap_or_default();
        let mut running: Vec<Running> = running.into_iter().filter(|c| hexadecimal(&c.id)).collect();
        running.sort_by_key(|container| container.metadata.name == "etcd");
        Ok(running.into_iter().map(|container| (container.id, container.labels)).collect())
    }

    /// Let the container runtime stop containers one after another, each within `grace`.
    pub(crate) async fn stop_containers(&self, node: &Node, ids: &[&str], grace: Duration) -> Result<Output> {
        let seconds = grace.as_secs().to_string();
        let mut words = vec!["crictl", "stop", "--timeout", &seconds];
        words.extend(ids);
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let limit = (grace + Duration::from_secs(5)).saturating_mul(count) + Duration::from_secs(30);
        self.run(&self.in_node(node, &words).timeout(limit)).await
    }

    /// Stop a node's kubelet, remove all its pods, images by their digests, and what containerd keeps of both; then stop
    /// containerd, so that its files can be copied. `lease` is a new name. Whether that succeeded, and containerd has
    /// only layers of images, in the directory of its snapshotter overlayfs.
    pub(crate) async fn empty_runtime(&self, node: &Node, unwanted: &[&str], lease: &str) -> Result<bool> {
        let mut images = vec!["crictl", "rmi"];
        images.extend(unwanted.iter().filter(|digest| hexadecimal(digest)));
        let pods = ["crictl", "rmp", "-a", "-f"];
        // containerd deletes the files of containers some time after the containers, and at the end of a lease.
        let id = format!("--id={lease}");
        let created = ["ctr", "-n", "k8s.io", "leases", "create", &id];
        let files = ["ctr", "-n", "k8s.io", "leases", "delete", "--sync", lease];
        let some = images.len() > 2;
        let steps = [Some(&pods[..]), some.then_some(&images[..]), Some(&created[..]), Some(&files[..])];
        if !self.stop_kubelet(node).await?.exit.success() {
            return Ok(false);
        }
        for words in steps.into_iter().flatten() {
            // The removal of a pod fails while the kubelet's own removal of it is under way.
            let mut left = TRIES;
            while !self.run(&self.in_node(node, words)).await?.exit.success() {
                left -= 1;
                if left == 0 {
                    return Ok(false);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        let runtime = self.in_node(node, &["systemctl", "stop", "containerd"]);
        Ok(self.has_only_layers(node).await? && self.run(&runtime).await?.exit.success())
    }

    /// Whether the snapshots of containerd's overlayfs are layers of Kubernetes' images, and there are some. Others belong
    /// to containers that were not created by Kubernetes, or to an image that is being pulled or built.
    async fn has_only_layers(&self, node: &Node) -> Result<bool> {
        const KUBERNETES: &str = "k8s.io";
        let namespaces = self.run(&self.in_node(node, &["ctr", "namespaces", "ls", "-q"])).await?;
        let mut layers = 0;
        for namespace in namespaces.text().split_whitespace() {
            let list = ["ctr", "-n", namespace, "snapshots", "--snapshotter=overlayfs", "ls"];
            let listed = self.run(&self.in_node(node, &list)).await?;
            // The first line is a heading; the last column is the kind.
            let text = listed.text();
            let kinds: Vec<&str> =
                text.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
            let others = namespace != KUBERNETES && !kinds.is_empty();
            if !listed.exit.success() || others || kinds.iter().any(|kind| *kind != "Committed") {
                return Ok(false);
            }
            layers += kinds.len();
        }
        Ok(namespaces.exit.success() && layers > 0)
    }

    /// Free space on the file system of a node's images, in MiB. `None`: unknown.
    pub(crate) async fn free_for_images(&self, node: &Node) -> Option<u64> {
        let words = ["df", "--output=avail", "--block-size=1M", "/var/lib/containerd"];
        let output = self.run(&self.in_node(node, &words)).await.ok().filter(|o| o.exit.success())?;
        output.text().lines().last()?.trim().parse().ok()
    }

    /// The exit code of a container; `None` if the container runtime no longer has it.
    pub(crate) async fn exit_code(&self, node: &Node, container: &Container) -> Result<Option<i64>> {
        let cmd = self.in_node(node, &["crictl", "inspect", "-o", "json", &container.id]);
        let output = self.run(&cmd).await?;
        let inspected: Option<Inspected> = serde_json::from_str(output.text().trim()).ok();
        Ok(inspected.map(|inspected| inspected.status.exit_code))
    }

    /// The command that stops the machine.
    pub(crate) fn stop_cmd(&self) -> Cmd {
        // minikube itself tries for two minutes.
        self.cmd(&["stop", "-o", "json"]).timeout(Duration::from_secs(5 * 60))
    }

    /// The command that freezes all containers. By default, minikube pauses only those of Kubernetes itself, so that
    /// brokers would continue to run.
    pub(crate) fn pause_cmd(&self) -> Cmd {
        self.cmd(&["pause", "-A", "-o", "json"]).timeout(Duration::from_secs(2 * 60))
    }

    /// The command that resumes all of them.
    pub(crate) fn unpause_cmd(&self) -> Cmd {
        self.cmd(&["unpause", "-A", "-o", "json"]).timeout(Duration::from_secs(2 * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_end_before_brokers_and_brokers_before_controllers() {
        let pods = r#"{"items": [
            {"id": "a1", "labels": {"strimzi.io/kind": "Kafka", "strimzi.io/broker-role": "false", "io.kubernetes.pod.name": "c"}},
            {"id": "a2", "labels": {"strimzi.io/kind": "Kafka", "strimzi.io/broker-role": "true", "io.kubernetes.pod.name": "b"}},
            {"id": "a3", "labels": {"strimzi.io/kind": "KafkaConnect", "io.kubernetes.pod.name": "x"}},
            {"id": "a4", "labels": {"strimzi.io/kind": "Kafka", "io.kubernetes.pod.name": "e"}},
            {"id": "a5", "labels": {"app": "theirs", "io.kubernetes.pod.name": "t"}},
            {"id": "a6", "labels": null}]}"#;
        let one = |id: &str, pod: &str, name: &str| {
            format!(
                r#"{{"id": "{id}", "podSandboxId": "{pod}", "metadata": {{"name": "{name}", "attempt": 0}}}}"#
            )
        };
        let running = [
            one("01", "a1", "kafka"),
            one("02", "a2", "kafka"),
            one("03", "a3", "my-connect"),
            one("04", "a4", "user-operator"),
            one("05", "a5", "kafka"),
            one("06", "a6", "kafka"),
            one("07; reboot", "a2", "kafka"),
            one("08", "a4", "zookeeper"),
        ];
        let found =
            containers(pods, &format!(r#"{{"containers": [{}]}}"#, running.join(","))).expect("parsed");
        let found: Vec<(&str, &str, Stage)> =
            found.iter().map(|c| (c.id.as_str(), c.pod.as_str(), c.stage)).collect();
        assert_eq!(
            found,
            [
                ("03", "x", Stage::Client),
                ("02", "b", Stage::Broker),
                ("01", "c", Stage::Controller),
                ("08", "e", Stage::Controller),
            ]
        );
        assert_eq!(containers(r#"{"items": null}"#, r#"{"containers": null}"#), Some(Vec::new()));
        assert_eq!(containers("ssh: connection refused", "{}"), None);
    }
}
