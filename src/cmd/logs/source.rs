//! The containers that have logs.

use crate::cli::Component;
use crate::kube::Snapshot;
use crate::kube::pod::{Container, Pod, State};

/// One run of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The component.
    pub part: Component,
    /// The name that precedes its lines.
    pub component: String,
    /// The pod's namespace: the operator may be in another one.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's uid: another pod may have its name later.
    uid: String,
    /// The container.
    pub container: String,
    /// Which run of the container.
    restarts: i64,
    /// Whether there was an earlier run.
    pub restarted: bool,
    /// Its state.
    pub stage: Stage,
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has not written anything yet, for this reason.
    Waiting(String),
    /// It is running.
    Running,
    /// It has ended; its log exists.
    Over,
}

/// Identifies a run of a container.
pub(crate) type Key = (String, String, i64);

impl Source {
    /// Its identity.
    pub(crate) fn key(&self) -> Key {
        (self.uid.clone(), self.container.clone(), self.restarts)
    }

    /// Whether `kubectl logs` has output for it.
    pub(crate) fn has_log(&self) -> bool {
        !matches!(self.stage, Stage::Waiting(_))
    }
}

/// The containers of the operator and of a Kafka cluster, in display order. `home` is the namespace of a remote
/// operator.
pub(crate) fn sources(
    snapshot: &Snapshot,
    namespace: &str,
    home: Option<&str>,
    cluster: &str,
    wanted: &[Component],
) -> Vec<Source> {
    let abroad = home.into_iter().flat_map(|home| snapshot.pods(home).filter(Pod::is_operator));
    let mut found: Vec<Source> = snapshot
        .pods(namespace)
        .chain(abroad)
        .flat_map(|pod| pod.containers().map(move |container| (pod, container)))
        .filter_map(|(pod, container)| source(&pod, &container, cluster))
        .filter(|source| wanted.is_empty() || wanted.iter().any(|want| covers(*want, source.part)))
        .collect();
    found.sort_by_key(|s| (s.part as u8, s.pod.clone(), s.container.clone()));
    found
}

fn covers(wanted: Component, part: Component) -> bool {
    let entity = matches!(part, Component::TopicOperator | Component::UserOperator);
    wanted == part || wanted == Component::EntityOperator && entity
}

fn source(pod: &Pod<'_>, container: &Container<'_>, cluster: &str) -> Option<Source> {
    let (name, inside) = (pod.0.name(), container.name());
    let (part, component) = if pod.is_operator() {
        (Component::Operator, "operator")
    } else if pod.is_kafka_node_of(cluster) {
        let short = name.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-'));
        (Component::Kafka, short.unwrap_or(name))
    } else if pod.cluster() == Some(cluster) {
        let part = match (inside, pod.0.label("strimzi.io/component-type")) {
            ("topic-operator", _) => Component::TopicOperator,
            ("user-operator", _) => Component::UserOperator,
            (_, Some("kafka-connect")) => Component::Connect,
            (_, Some("kafka-mirror-maker-2")) => Component::MirrorMaker,
            (_, Some("kafka-bridge")) => Component::Bridge,
            (_, Some("cruise-control")) => Component::CruiseControl,
            (_, Some("kafka-exporter")) => Component::Exporter,
            _ => Component::Other,
        };
        let name = match part {
            Component::Connect => "connect",
            Component::MirrorMaker => "mirror-maker",
            Component::Bridge => "bridge",
            Component::Exporter => "exporter",
            _ => inside,
        };
        (part, name)
    } else {
        return None;
    };
    let stage = match container.state() {
        State::Running { .. } => Stage::Running,
        State::Terminated(_) | State::Waiting { reason: "CrashLoopBackOff", .. } => Stage::Over,
        State::Waiting { reason, .. } => Stage::Waiting(reason.to_owned()),
        State::Unknown => Stage::Waiting("it has not started yet".to_owned()),
    };
    Some(Source {
        part,
        component: component.to_owned(),
        namespace: pod.0.namespace().to_owned(),
        pod: name.to_owned(),
        uid: pod.0.uid().to_owned(),
        container: inside.to_owned(),
        restarts: container.restarts(),
        restarted: container.last().is_some(),
        stage,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kube::Object;

    fn pod(name: &str, labels: &serde_json::Value, containers: &[&str]) -> Object {
        let containers: Vec<_> = containers
            .iter()
            .map(|c| json!({"name": c, "restartCount": 0, "state": {"running": {"startedAt": "2026-11-22T20:00:00Z"}}}))
            .collect();
        Object::new(
            json!({"kind": "Pod", "metadata": {"name": name, "namespace": "kafka", "uid": name, "labels": labels},
            "status": {"containerStatuses": containers}}),
        )
    }

    #[test]
    fn components_have_short_names_and_an_order() {
        let of = |cluster: &str, kind: &str| {
            json!({"strimzi.io/cluster": cluster, "strimzi.io/kind": "Kafka", "strimzi.io/name": format!("{cluster}-{kind}"),
                "strimzi.io/component-type": kind})
        };
        let snapshot = Snapshot::of([
            pod(
                "my-cluster-entity-operator-x",
                &of("my-cluster", "entity-operator"),
                &["user-operator", "topic-operator"],
            ),
            pod("my-cluster-dual-role-0", &of("my-cluster", "kafka"), &["kafka"]),
            pod("other-dual-role-0", &of("other", "kafka"), &["kafka"]),
            pod(
                "strimzi-cluster-operator-1",
                &json!({"name": "strimzi-cluster-operator", "strimzi.io/kind": "cluster-operator"}),
                &["strimzi-cluster-operator"],
            ),
            pod("my-cluster-connect-0", &of("my-cluster", "kafka-connect"), &["my-cluster-connect"]),
            pod("mine", &json!({}), &["app"]),
        ]);
        let names = |wanted: &[Component]| -> Vec<String> {
            sources(&snapshot, "kafka", None, "my-cluster", wanted).into_iter().map(|s| s.component).collect()
        };
        assert_eq!(names(&[]), ["operator", "dual-role-0", "topic-operator", "user-operator", "connect"]);
        assert_eq!(names(&[Component::Connect]), ["connect"]);
        assert_eq!(names(&[Component::EntityOperator]), ["topic-operator", "user-operator"]);
        assert_eq!(names(&[Component::Kafka, Component::UserOperator]), ["dual-role-0", "user-operator"]);
        assert_eq!(names(&[Component::Other]), Vec::<String>::new());
    }
}
