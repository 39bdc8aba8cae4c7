//! Pods that cannot start or stay up: the operator's, the brokers' and the entity operator's.

use jiff::SignedDuration;

use super::finding::Finding;
use super::finding::short;
use super::scene::{Probe, Scene};
use super::{Family, Rule, logs};
use crate::errors;
use crate::kube::cluster::{Node, Taint};
use crate::kube::object::Condition;
use crate::kube::pod::{Container, Ended, Event, Pod, State};
use crate::words;

/// How long a node that was started again may take until its network and DNS work.
const BOOT: SignedDuration = SignedDuration::from_secs(30);

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[
            errors::POD_UNSCHEDULABLE_MEMORY,
            errors::POD_UNSCHEDULABLE_CPU,
            errors::POD_UNSCHEDULABLE,
            errors::NODE_NOT_READY,
            errors::NODE_PRESSURE,
        ],
        family: Family::Pods,
        find: unschedulable,
    },
    Rule {
        ids: &[
            errors::OOM_KILLED,
            errors::CRASH_LOOP,
            errors::BROKER_CONFIG,
            errors::CLUSTER_ID,
            errors::VOLUME_FULL,
            errors::OPERATOR_KUBERNETES,
            errors::OPERATOR_FORBIDDEN,
        ],
        family: Family::Pods,
        find: crash,
    },
    Rule { ids: &[errors::NODE_NOT_READY], family: Family::Pods, find: lost_node },
    Rule { ids: &[errors::CONTAINER_CONFIG], family: Family::Pods, find: container_config },
    Rule { ids: &[errors::CONTAINER_CONFIG], family: Family::Pods, find: mounts },
    Rule { ids: &[errors::PULL_SECRET], family: Family::Pods, find: pull_secret },
    Rule { ids: &[errors::POD_EVICTED], family: Family::Pods, find: evicted },
];

/// A pod in scope, and its title.
pub(super) struct Watched<'a> {
    pub(super) pod: Pod<'a>,
    pub(super) operator: bool,
}

impl Watched<'_> {
    pub(super) fn title(&self) -> String {
        let name = self.pod.0.name();
        match self.pod.0.label("strimzi.io/component-type") {
            _ if self.operator => format!("operator pod {name}"),
            Some("entity-operator") => format!("entity operator pod {name}"),
            Some("kafka") => format!("broker {name}"),
            Some("kafka-connect") => format!("Kafka Connect pod {name}"),
            Some("kafka-mirror-maker-2") => format!("MirrorMaker 2 pod {name}"),
            Some("kafka-bridge") => format!("HTTP bridge pod {name}"),
            Some("cruise-control") => format!("Cruise Control pod {name}"),
            Some("kafka-exporter") => format!("Kafka Exporter pod {name}"),
            _ => format!("pod {name}"),
        }
    }

    pub(super) fn subject(&self) -> String {
        format!("pod/{}", self.pod.0.name())
    }

    /// Without an operator there are no brokers: its problems are closer to the root cause.
    pub(super) fn depth(&self, depth: u8) -> u8 {
        depth + if self.operator { 15 } else { 0 }
    }
}

/// Pods that are being deleted, or that completed, are ignored.
pub(super) fn watched<'a>(scene: &Scene<'a>) -> Vec<Watched<'a>> {
    // The operator's own pods are waited for by another task.
    let operator = if scene.workload().is_some() { Vec::new() } else { scene.operator_pods() };
    let operator = operator.into_iter().map(|pod| Watched { pod, operator: true });
    let kafka = scene.cluster_pods().map(|pod| Watched { pod, operator: false });
    operator.chain(kafka).filter(|w| !w.pod.0.deleting() && w.pod.phase() != "Succeeded").collect()
}

fn unschedulable(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene) {
        let Some(condition) = watched.pod.unschedulable() else { continue };
        let message = condition.message;
        let finding = |id, depth, sentence: &str| {
            Finding::new(
                id,
                watched.depth(depth),
                watched.subject(),
                format!("{}: {sentence}", watched.title()),
            )
            .evidence(format!("{} PodScheduled=False Unschedulable: {}", watched.subject(), short(message)))
            .since(condition.last_transition)
        };
        let memory = words::NO_MEMORY.matches(message);
        let cpu = words::NO_CPU.matches(message);
        if memory {
            found.push(
                finding(
                    errors::POD_UNSCHEDULABLE_MEMORY,
                    60,
                    "no node has as much free memory as it requests",
                )
                .hint(
                    "lower its resources.requests.memory, or create a new cluster with \
                         more memory",
                )
                .certain_after(3),
            );
        }
        if cpu {
            found.push(
                finding(errors::POD_UNSCHEDULABLE_CPU, 59, "no node has as much free CPU as it requests")
                    .hint(
                        "lower its resources.requests.cpu, or create a new cluster with \
                         more CPUs",
                    )
                    .certain_after(3),
            );
        }
        let kept_away = |key| repelled(scene, message, key);
        if kept_away("node.kubernetes.io/disk-pressure") || kept_away("node.kubernetes.io/memory-pressure") {
            found.push(
                finding(
                    errors::NODE_PRESSURE,
                    66,
                    "the node is low on disk space or memory and accepts no pods",
                )
                .hint("free disk space on this machine: docker system df shows what uses it")
                .certain_after(15),
            );
        } else if kept_away("node.kubernetes.io/not-ready") || kept_away("node.kubernetes.io/unreachable") {
            found.push(not_ready(scene, finding(errors::NODE_NOT_READY, 65, "the node is not ready")));
        } else if !memory && !cpu && !words::UNBOUND.matches(message) {
            // If no node has a taint any more, the scheduler has not retried yet.
            let outdated = words::SOME_TAINT.matches(message) && !scene.snapshot.nodes().any(|n| blocks(&n));
            let seconds = if outdated { 120 } else { 15 };
            found.push(
                finding(errors::POD_UNSCHEDULABLE, 50, "it cannot be scheduled on any node")
                    .certain_after(seconds),
            );
        }
    }
}

/// Whether a taint with this key repels a pod. Since Kubernetes 1.34 the scheduler does not name it, and the nodes
/// must be examined; before: `untolerated taint {node.kubernetes.io/not-ready: }`.
fn repelled(scene: &Scene<'_>, message: &str, key: &str) -> bool {
    let has = |node: Node<'_>| node.taints().iter().any(|taint| taint.key == key && taint.repels_pods());
    message.contains(key) || words::SOME_TAINT.matches(message) && scene.snapshot.nodes().any(has)
}

fn blocks(node: &Node<'_>) -> bool {
    node.taints().iter().any(Taint::repels_pods)
}

/// With the kubelet's message. A new node is not ready for some seconds; longer if its network plugin is pulled from
/// a registry.
fn not_ready(scene: &Scene<'_>, mut finding: Finding) -> Finding {
    for node in scene.snapshot.nodes().filter(|n| !n.ready()) {
        if let Some(ready) = node.0.condition("Ready").filter(|c| !c.is_true()) {
            finding = with_node(scene, finding, node, &ready);
            if node.lacks_network() {
                finding = finding.hint(
                    "an interrupted first start can leave a cluster without a pod network permanently; \
                     create a new cluster",
                );
            }
        }
    }
    finding.certain_after(120)
}

/// The finding with the node's own conditions.
fn with_node(scene: &Scene<'_>, finding: Finding, node: Node<'_>, ready: &Condition<'_>) -> Finding {
    let (name, reason) = (node.0.name(), ready.reason);
    finding
        .evidence(format!("node/{name} Ready={} {reason}: {}", ready.status, short(ready.message)))
        .hint(format!("show more: {}", scene.expect.kubectl("describe node").arg(name)))
}

/// Pods on a node whose kubelet no longer reports. A broker's volume ties it to its node, so its pod remains
/// `Terminating` until the node is back; other pods are replaced on another node.
fn lost_node(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let brokers = scene.cluster_pods().filter(|pod| pod.is_kafka_node_of(&scene.expect.cluster));
    let of_brokers: Vec<&str> = brokers.filter(|pod| !pod.ready()).map(|pod| pod.node()).collect();
    let others: Vec<&str> =
        watched(scene).iter().map(|w| w.pod).filter(|pod| !pod.ready()).map(|pod| pod.node()).collect();
    for node in scene.snapshot.nodes().filter(|node| !node.ready()) {
        let name = node.0.name();
        let Some(ready) = node.0.condition("Ready").filter(|c| !c.is_true()) else { continue };
        if !of_brokers.contains(&name) && !others.contains(&name) {
            continue;
        }
        let sentence = format!("the node {name}, on which pods of Kafka run, is not ready");
        let finding = Finding::new(errors::NODE_NOT_READY, 64, format!("node/{name}"), sentence);
        let finding = with_node(scene, finding, node, &ready).since(ready.last_transition);
        found.push(finding.certain_after(120));
    }
}

fn crash(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene) {
        for container in watched.pod.containers() {
            let Some(end) = container.down() else { continue };
            crashed(scene, &watched, &container, &end, found);
        }
    }
}

fn crashed(
    scene: &Scene<'_>,
    watched: &Watched<'_>,
    container: &Container<'_>,
    end: &Ended<'_>,
    found: &mut Vec<Finding>,
) {
    let (title, subject, name) = (watched.title(), watched.subject(), container.name());
    let crashes = container.crashes(scene.expect.crashes_since());
    // Pods of a node that has just been started fail until its network and DNS work.
    let booting = scene.expect.node_started.is_some_and(|at| scene.now.duration_since(at) < BOOT);
    let certain = |finding: Finding, seconds| if booting { finding } else { finding.certain_after(seconds) };
    let proof = format!(
        "{subject} container {name} ended: {} exit code {}, restarts {}",
        end.reason,
        end.exit_code,
        container.restarts()
    );
    if end.reason == "OOMKilled" {
        let finding = Finding::new(
            errors::OOM_KILLED,
            watched.depth(68),
            subject.clone(),
            format!("{title}: killed for using more memory than its limit"),
        )
        .evidence(&proof)
        .hint(
            "raise its resources.limits.memory, or lower jvmOptions -Xmx: the limit must \
             cover the heap plus about half as much again",
        )
        .since(end.finished);
        // A restart may fix the first such end; after a second one it will not.
        let after = if crashes >= 2 { 0 } else { 15 };
        found.push(certain(finding.new_start(watched.pod.0.name()), after));
    }
    let log = asked(watched.pod, container, scene);
    let told = log.and_then(|l| if watched.operator { logs::operator(l) } else { logs::broker(l) });
    if let Some(told) = told {
        let finding =
            Finding::new(told.id, watched.depth(69), subject.clone(), format!("{title}: {}", told.sentence))
                .evidence(format!("show its log: {}", told.line))
                .lines(log.map(logs::last_lines).unwrap_or_default())
                .since(end.finished)
                .new_start(watched.pod.0.name());
        found.push(match told.id == errors::CLUSTER_ID {
            true => super::storage::cluster_id_hints(finding.certain_after(0), scene),
            false => certain(finding, 2),
        });
    }
    let words = log
        .and_then(logs::last_relevant_line)
        .map_or(String::new(), |w| format!("; last log lines: {}", short(w)));
    let lines = log.map(logs::last_lines).unwrap_or_default();
    let mut finding = Finding::new(
        errors::CRASH_LOOP,
        watched.depth(45),
        subject,
        format!("{title}: container {name} keeps crashing (exit code {}){words}", end.exit_code),
    )
    .evidence(proof)
    .lines(lines)
    .hint(format!(
        "show its log: {}",
        scene.expect.kubectl("logs").arg(watched.pod.0.name()).args([
            "-c",
            name,
            "--previous",
            "-n",
            watched.pod.0.namespace()
        ])
    ))
    .new_start(watched.pod.0.name())
    .since(end.finished);
    finding = finding.probe(question(watched.pod, container));
    // Once may be chance. Twice is a loop, but it may still end by itself (a controller that started before its
    // peers); after the second restart it will not.
    finding = match crashes {
        0 | 1 => finding,
        _ if container.restarts() >= 2 => certain(finding, 2),
        _ => certain(finding, 30),
    };
    found.push(finding);
}

/// While a container waits to be restarted or has just ended, its current log is that of the failed run; `--previous`
/// shows that only once it runs again.
pub(super) fn question(pod: Pod<'_>, container: &Container<'_>) -> Probe {
    Probe::PodLog {
        namespace: pod.0.namespace().to_owned(),
        pod: pod.0.name().to_owned(),
        container: container.name().to_owned(),
        previous: false,
        restarts: container.restarts(),
    }
}

/// The newest result for this container's log. A result for an earlier end is still useful.
pub(super) fn asked<'a>(pod: Pod<'_>, container: &Container<'_>, scene: &Scene<'a>) -> Option<&'a str> {
    let about = |p: &&Probe| {
        matches!(p, Probe::PodLog { namespace, pod: name, container: of, .. }
            if namespace == pod.0.namespace() && name == pod.0.name() && of == container.name())
    };
    let newest = scene.answers.keys().filter(about).max_by_key(|p| match p {
        Probe::PodLog { restarts, .. } => *restarts,
        _ => 0,
    })?;
    scene.answers.get(newest).map(String::as_str)
}

fn container_config(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene) {
        for container in watched.pod.containers() {
            let State::Waiting { reason, message } = container.state() else { continue };
            if matches!(reason, "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") {
                found.push(
                    Finding::new(
                        errors::CONTAINER_CONFIG,
                        watched.depth(58),
                        watched.subject(),
                        format!(
                            "{}: container {} cannot be created: {}",
                            watched.title(),
                            container.name(),
                            short(message)
                        ),
                    )
                    .evidence(format!("{} container {} waits: {reason}", watched.subject(), container.name()))
                    .since(watched.pod.0.created())
                    // A Secret or ConfigMap may be created a little later than the pod.
                    .certain_after(15),
                );
            }
        }
    }
}

/// A volume that references a Secret or ConfigMap that does not exist: the kubelet retries forever.
fn mounts(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene).iter().filter(|w| !w.pod.ready()) {
        let last = scene.snapshot.events_of(watched.pod.0).max_by_key(Event::last);
        let Some(event) =
            last.filter(|e| e.reason() == "FailedMount" && words::NOT_FOUND.matches(e.message()))
        else {
            continue;
        };
        let message = short(event.message());
        found.push(
            Finding::new(
                errors::CONTAINER_CONFIG,
                watched.depth(58),
                watched.subject(),
                format!("{}: a volume cannot be mounted: {message}", watched.title()),
            )
            .evidence(format!("event FailedMount of {}: {message}", watched.subject()))
            .since(event.first())
            // Secrets and ConfigMaps may be created a little later than the pod.
            .certain_after(30),
        );
    }
}

/// A pull secret that does not exist. The kubelet tries without it and reports only this.
fn pull_secret(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene) {
        let pulling = |c: &Container<'_>| {
            matches!(c.state(), State::Waiting { reason: "ErrImagePull" | "ImagePullBackOff", .. })
        };
        if !watched.pod.containers().any(|c| pulling(&c)) {
            continue;
        }
        let events = scene.snapshot.events_of(watched.pod.0);
        let lacks =
            events.filter(|e| e.reason() == "FailedToRetrieveImagePullSecret").max_by_key(Event::last);
        let Some(event) = lacks else { continue };
        let told = words::PULL_SECRETS.after(event.message()).and_then(|rest| Some(rest.split_once(')')?.0));
        let names = told.map_or_else(|| watched.pod.pull_secrets().join(", "), str::to_owned);
        let namespace = watched.pod.0.namespace();
        found.push(
            Finding::new(
                errors::PULL_SECRET,
                watched.depth(71),
                watched.subject(),
                format!("{}: the Secret to pull its images with does not exist: {names}", watched.title()),
            )
            .evidence(format!(
                "event {} of {}: {}",
                event.reason(),
                watched.subject(),
                short(event.message())
            ))
            .hint(format!(
                "list the existing ones: {}",
                scene.expect.kubectl("get secrets -n").arg(namespace)
            ))
            .hint(format!(
                "or let kstrim create one from a docker login: {}",
                scene.expect.kstrim("up --image-pull-config FILE")
            ))
            .since(event.first())
            .certain_after(6),
        );
    }
}

fn evicted(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene) {
        let reason = watched.pod.0.json().pointer("/status/reason").and_then(|r| r.as_str());
        if watched.pod.phase() == "Failed" && reason == Some("Evicted") {
            let message =
                watched.pod.0.json().pointer("/status/message").and_then(|m| m.as_str()).unwrap_or("");
            found.push(
                Finding::new(
                    errors::POD_EVICTED,
                    watched.depth(64),
                    watched.subject(),
                    format!("{}: the node evicted it: {}", watched.title(), short(message)),
                )
                .evidence(format!("{} phase Failed, reason Evicted", watched.subject()))
                .hint("free disk space or memory on this machine")
                .certain_after(20),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::explain::{Answers, Expect, Scope, findings};
    use crate::kube::{Object, Snapshot};

    #[test]
    fn a_missing_secret_is_named() {
        let told = |reason: &str, event: (&str, &str)| {
            let objects: [Value; 2] = [
                json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "kafka", "uid": "p",
                        "labels": {"strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka"}},
                    "spec": {"nodeName": "n", "imagePullSecrets": [{"name": "regcred"}]},
                    "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "image": "i", "ready": false,
                        "state": {"waiting": {"reason": reason, "message": "denied"}}}]}}),
                json!({"kind": "Event", "metadata": {"name": "e", "namespace": "kafka"}, "type": "Warning",
                    "reason": event.0, "message": event.1, "firstTimestamp": "2026-11-22T20:00:00Z",
                    "lastTimestamp": "2026-11-22T20:00:00Z", "involvedObject": {"kind": "Pod", "name": "p", "uid": "p"}}),
            ];
            let snapshot = Snapshot::of(objects.map(Object::new));
            let expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Kafka);
            let now = "2026-11-22T20:01:00Z".parse().unwrap();
            let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &Answers::new(), now };
            findings(&scene).first().map(|f| (f.id.as_str(), f.sentence.clone()))
        };
        let secret = "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.";
        let (id, says) = told("ImagePullBackOff", ("FailedToRetrieveImagePullSecret", secret)).expect("one");
        assert!(id == "KS-PULL-SECRET" && says.ends_with(": regcred"), "{id} {says}");
        // A pull that succeeds needs none; and a pull may fail for other reasons.
        assert_eq!(told("ContainerCreating", ("FailedToRetrieveImagePullSecret", secret)), None);
        assert_ne!(told("ErrImagePull", ("Failed", "denied")).expect("one").0, "KS-PULL-SECRET");
        let mount = r#"MountVolume.SetUp failed for volume "tls" : secret "gone" not found"#;
        let (id, says) = told("ContainerCreating", ("FailedMount", mount)).expect("one");
        assert!(id == "KS-CONTAINER-CONFIG" && says.contains(r#"secret "gone" not found"#), "{id} {says}");
    }
}
