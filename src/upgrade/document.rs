//! The path as a document, and as text.

use schemars::JsonSchema;
use serde::Serialize;

use super::path::{Action, Stop};
use super::state::Found;
use crate::catalogue::Mode;
use crate::config::Target;

/// The version of the document.
pub(crate) const VERSION: u32 = 1;

/// What `kstrim upgrade --dry-run -o json` prints.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PathDocument {
    /// The version of this format: 1. Readers ignore fields that they do not know.
    pub v: u32,
    /// The minikube profile.
    pub profile: String,
    /// Namespace of operator and Kafka.
    pub namespace: String,
    /// Name of the Kafka cluster.
    pub cluster: String,
    /// The current versions.
    pub from: Point,
    /// The target versions.
    pub to: Point,
    /// The steps in order; empty if there is nothing to do.
    pub steps: Vec<StepDocument>,
}

/// A Strimzi release and its Kafka version.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Point {
    /// Strimzi, `1.2.0`.
    pub release: String,
    /// Kafka, `4.3.1`.
    pub kafka: String,
    /// The metadata version; with ZooKeeper `inter.broker.protocol.version`. Null if it is not set.
    pub metadata: Option<String>,
    /// `kraft` or `zookeeper`.
    pub mode: String,
}

/// A step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct StepDocument {
    /// `versions`, `operator`, `kafka`, `metadata`, `resources`, `pools`, `migrate`, `kraft`, `convert` or `smoke`.
    pub step: String,
    /// The Strimzi release that it belongs to.
    pub release: String,
    /// What is done, for people.
    pub what: String,
    /// Name of the rule that requires it, as in docs/upgrade.md.
    pub rule: Option<String>,
    /// The text of the rule.
    pub why: Option<String>,
    /// Equivalent commands.
    pub commands: Vec<String>,
}

/// Describe a path.
pub(crate) fn describe_path(target: &Target, found: &Found, way: &[Stop]) -> PathDocument {
    let state = &found.state;
    let named = |mode: Mode| match mode {
        Mode::Kraft => "kraft".to_owned(),
        Mode::Zookeeper => "zookeeper".to_owned(),
    };
    let from = Point {
        release: state.release.version.to_string(),
        kafka: state.kafka.to_string(),
        metadata: state.level.clone(),
        mode: named(state.mode()),
    };
    let to = way.last().map_or_else(
        || from.clone(),
        |last| Point {
            release: last.release.version.to_string(),
            kafka: last.kafka.to_string(),
            metadata: last.level.clone(),
            mode: named(last.mode),
        },
    );
    let mut steps = Vec::new();
    if !way.is_empty() {
        steps.push(smoke(target, &from.release, "before anything is changed"));
    }
    for stop in way {
        for step in &stop.steps {
            steps.push(describe_step(target, stop, step));
            if !matches!(step.action, Action::Versions { .. }) {
                steps.push(smoke(target, &stop.release.version.to_string(), "before the next step"));
            }
        }
    }
    let (profile, namespace) = (target.profile.to_string(), target.namespace.to_string());
    PathDocument { v: VERSION, profile, namespace, cluster: target.cluster.to_string(), from, to, steps }
}

fn smoke(target: &Target, release: &str, when: &str) -> StepDocument {
    StepDocument {
        step: "smoke".into(),
        release: release.into(),
        what: format!("produce and consume messages, {when}"),
        rule: None,
        why: None,
        commands: vec![target.kstrim("smoke-test").to_string()],
    }
}

fn describe_step(target: &Target, stop: &Stop, step: &super::path::Step) -> StepDocument {
    let release = &stop.release.version;
    let patch = |what: String| {
        let patch = target.kubectl("patch kafka").arg(&target.cluster).arg("-n").arg(&target.namespace);
        patch.args(["--type=merge", "-p", &what]).to_string()
    };
    let level = stop.level.as_deref().unwrap_or("none");
    let field = match stop.mode {
        Mode::Kraft => format!(r#""metadataVersion":"{level}""#),
        Mode::Zookeeper => format!(r#""config":{{"inter.broker.protocol.version":"{level}"}}"#),
    };
    let wait = target.kubectl("wait --for=condition=Ready --timeout=600s -n").arg(&target.namespace);
    let wait = wait.arg(format!("kafka/{}", target.cluster)).to_string();
    let apply = target.kubectl("apply --server-side -f -");
    let annotate = |what: &str| {
        let annotate = target.kubectl("annotate kafka").arg(&target.cluster).arg("-n").arg(&target.namespace);
        annotate.args(["--overwrite", what]).to_string()
    };
    let state = |state: &str| {
        let wait = target.kubectl("wait --timeout=3600s -n").arg(&target.namespace);
        let wait = wait.arg(format!("--for=jsonpath={{.status.kafkaMetadataState}}={state}"));
        wait.arg(format!("kafka/{}", target.cluster)).to_string()
    };
    let (name, what, mut commands) = match &step.action {
        Action::Versions { gone } => (
            "versions",
            format!("remove all references to {}, which Strimzi {release} does not have", gone.join(", ")),
            vec![
                format!(
                    "kubectl apply --server-side -f -   # the definitions of {release}, and {} in them, not served",
                    gone.join(", ")
                ),
                "kubectl replace --raw PATH -f -   # every resource: the versions in metadata.managedFields"
                    .to_owned(),
            ],
        ),
        Action::Operator { from } => (
            "operator",
            format!(
                "Strimzi {from} to {release}: resource definitions, then the operator, which rolls the brokers"
            ),
            vec![format!(
                "{}   # {}",
                target.kubectl("apply --server-side --force-conflicts -f -"),
                stop.release.url
            )],
        ),
        Action::Kafka { from, .. } => (
            "kafka",
            format!("Kafka {from} to {}, one broker at a time", stop.kafka),
            vec![patch(format!(r#"{{"spec":{{"kafka":{{"version":"{}"}}}}}}"#, stop.kafka))],
        ),
        Action::Level { from } => (
            "metadata",
            match stop.mode {
                Mode::Kraft => format!("metadata version {} to {level}", from.as_deref().unwrap_or("unset")),
                Mode::Zookeeper => {
                    format!("inter.broker.protocol.version {} to {level}", from.as_deref().unwrap_or("unset"))
                }
            },
            vec![patch(format!(r#"{{"spec":{{"kafka":{{{field}}}}}}}"#))],
        ),
        Action::Pools => (
            "pools",
            "a node pool `kafka` for the brokers, which keep their names and volumes".to_owned(),
            vec![
                format!("{apply}   # KafkaNodePool kafka: role broker, with replicas and storage of spec.kafka"),
                annotate("strimzi.io/node-pools=enabled"),
            ],
        ),
        Action::Migrate => (
            "migrate",
            "a node pool `controller`, to which the metadata is copied; it is still written to ZooKeeper as well, and \
             the migration can be rolled back until the next step"
                .to_owned(),
            vec![
                format!("{apply}   # KafkaNodePool controller: role controller, with replicas and storage of spec.zookeeper"),
                annotate("strimzi.io/kraft=migration"),
                state("KRaftPostMigration"),
            ],
        ),
        Action::Kraft => (
            "kraft",
            "KRaft alone: ZooKeeper is deleted and its volumes are kept; this cannot be undone".to_owned(),
            vec![annotate("strimzi.io/kraft=enabled"), state("KRaft")],
        ),
        Action::WithoutZookeeper => (
            "resources",
            "Kafka without spec.zookeeper, spec.kafka.replicas and storage, and inter.broker.protocol.version"
                .to_owned(),
            vec![patch(
                r#"{"spec":{"zookeeper":null,"kafka":{"replicas":null,"storage":null,"config":{"inter.broker.protocol.version":null}}}}"#
                    .to_owned(),
            )],
        ),
        Action::Resources => (
            "resources",
            format!("Kafka and node pools as in Strimzi {release}; your changes are kept"),
            vec![{
                let render = target.kstrim("render --release").arg(release).arg("--kafka").arg(&stop.kafka);
                format!("{apply}   # {render}")
            }],
        ),
        Action::Convert => (
            "convert",
            "store all Strimzi resources as v1, and record this in the definitions".to_owned(),
            vec![
                format!("{apply}   # the definitions, with v1 as the version to store"),
                format!(
                    "{}   # every resource: written once, so that it is stored as v1",
                    target.kubectl("patch -f - --type=merge -p {}")
                ),
                target
                    .kubectl("patch crd NAME --subresource=status --type=merge -p")
                    .arg(r#"{"status":{"storedVersions":["v1"]}}"#)
                    .to_string(),
            ],
        ),
    };
    if !matches!(step.action, Action::Convert | Action::Versions { .. }) {
        commands.push(wait);
    }
    StepDocument {
        step: name.into(),
        release: release.to_string(),
        what,
        rule: Some(step.rule.name().into()),
        why: Some(step.rule.sentence().into()),
        commands,
    }
}

/// The document as text.
pub(crate) fn text(told: &PathDocument) -> String {
    let mut out = format!(
        "Strimzi {} with Kafka {} to Strimzi {} with Kafka {}, profile {}\n\n",
        told.from.release, told.from.kafka, told.to.release, told.to.kafka, told.profile
    );
    if told.steps.is_empty() {
        out.push_str("Nothing to do: everything is up to date.\n");
        return out;
    }
    for (number, step) in told.steps.iter().enumerate() {
        out.push_str(&format!("{:2}  {:9}  {}\n", number + 1, step.step, step.what));
        if let (Some(rule), Some(why)) = (&step.rule, &step.why) {
            out.push_str(&format!("{:15}rule {rule}: {why}\n", ""));
        }
        for command in &step.commands {
            out.push_str(&format!("{:17}{command}\n", ""));
        }
    }
    out.push_str(&format!("\n{} steps. Nothing was changed.\n", told.steps.len()));
    out
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
