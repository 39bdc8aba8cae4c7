//! Kubernetes itself.

use serde_json::Value;

use super::{Cluster, findings, foreign};
use crate::checks::Ground;
use crate::cluster::refusals;
use crate::cluster::refusals::no_class;
use crate::config::{PresetName, Target};
use crate::doctor::data::Outcome;
use crate::errors;
use crate::explain;
use crate::failure::{Failure, Kind};
use crate::kube::Api;

/// Whether kstrim's kubeconfig leads to the cluster.
pub(crate) async fn context(ground: &Ground, cluster: &Cluster) -> Outcome {
    let profile = ground.profile_name();
    if cluster.seen.facts.our_kubeconfig {
        return Outcome::ok(format!("has the context {profile}"));
    }
    Outcome::warning(
        &Failure::new(
            errors::CONTEXT_MISSING,
            Kind::Task,
            format!("kstrim's own kubeconfig does not point to the profile {profile}"),
        )
        .because("minikube's does; the profile was created or started without kstrim")
        .hint(format!("write it: {}", refusals::up_of(&ground.settings.target))),
    )
}

/// Whether the nodes accept pods.
pub(crate) async fn node(ground: &Ground, cluster: &Cluster) -> Outcome {
    if let Some(outcome) = findings(&cluster.status, "cluster.node") {
        return outcome;
    }
    let mut ready = 0;
    for node in cluster.snapshot().nodes() {
        let name = node.0.name();
        let pressure = ["MemoryPressure", "DiskPressure", "PIDPressure"]
            .into_iter()
            .find(|c| node.0.condition(c).is_some_and(|c| c.is_true()));
        if let Some(pressure) = pressure {
            return Outcome::failed(
                &Failure::new(
                    errors::NODE_PRESSURE,
                    Kind::Task,
                    format!("the node {name} is under {pressure}"),
                )
                .because("it accepts no new pods, and may evict existing ones")
                .hint("free disk space or memory on this machine"),
            );
        }
        if !node.ready() {
            return Outcome::failed(
                &Failure::new(errors::NODE_NOT_READY, Kind::Task, format!("the node {name} is not ready"))
                    .because(node.0.condition("Ready").map(|c| c.message.to_owned()).unwrap_or_default())
                    .hint(format!(
                        "this is normal for some seconds after a start; otherwise: {}",
                        ground.settings.target.kubectl("describe node")
                    )),
            );
        }
        ready += 1;
    }
    match ready {
        0 => Outcome::skipped("no node was reported"),
        1 => Outcome::ok("1 node is ready"),
        n => Outcome::ok(format!("{n} nodes are ready")),
    }
}

/// Whether there is a default storage class, which brokers' volumes need.
pub(crate) async fn storage(ground: &Ground, cluster: &Cluster) -> Outcome {
    let settings = &ground.settings;
    // As in `up`: a Kafka cluster without volumes needs no class.
    let ephemeral = match &cluster.status.kafka {
        Some(_) => cluster.status.storage.claims.is_empty(),
        None => settings.preset == Some(PresetName::Ephemeral),
    };
    if ephemeral {
        return Outcome::skipped("the Kafka cluster has no volumes");
    }
    match cluster.kubectl.get("/apis/storage.k8s.io/v1/storageclasses").await {
        Ok(list) => judge_classes(&list, &settings.target),
        Err(error) => Outcome::skipped(error.message),
    }
}

fn judge_classes(list: &Value, target: &Target) -> Outcome {
    let classes = explain::storage_classes(list);
    if let Some((name, _)) = classes.iter().find(|(_, default)| *default) {
        return Outcome::ok(format!("{name} is the default class"));
    }
    let names: Vec<&str> = classes.iter().map(|(name, _)| *name).collect();
    let failure = no_class(target, &names, refusals::up_of(target));
    // For doctor this is a fault of the existing cluster.
    Outcome::failed(&Failure { kind: Kind::Task, ..failure })
}

/// Whether the namespace exists, is not being deleted, and belongs to kstrim.
pub(crate) async fn namespace(ground: &Ground, cluster: &Cluster) -> Outcome {
    if let Some(outcome) = findings(&cluster.status, "cluster.namespace") {
        return outcome;
    }
    match &cluster.status.namespace {
        None => Outcome::skipped(format!("there is no namespace {} yet", ground.settings.target.namespace)),
        Some(namespace) if !namespace.ours && prepared(ground, cluster) => {
            Outcome::ok(format!("{}, which its operator watches by name", namespace.name))
        }
        Some(namespace) if !namespace.ours => {
            let what = format!("the namespace {}", namespace.name);
            foreign(ground, errors::NAMESPACE_FOREIGN, &what, "--namespace")
        }
        Some(namespace) => Outcome::ok(format!("{}, kstrim's", namespace.name)),
    }
}

/// Whether an operator that kstrim did not install was given the namespace.
fn prepared(ground: &Ground, cluster: &Cluster) -> bool {
    let namespace = ground.settings.target.namespace.as_str();
    super::strimzi::existing(ground, cluster).is_some_and(|operator| operator.names(namespace))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::data::Word;

    #[test]
    fn a_default_class_is_needed() {
        let class = |name: &str, default: &str| json!({"metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}}});
        let judged = |items: Vec<Value>| judge_classes(&json!({"items": items}), &Target::default());
        assert_eq!(
            judged(vec![class("slow", "false"), class("standard", "true")]).found,
            "standard is the default class"
        );
        let none = judged(vec![class("slow", "false")]);
        assert_eq!(
            (none.word, none.problem.expect("a problem").causes),
            (Word::Failed, vec!["its storage classes: slow".into()])
        );
        assert_eq!(judged(vec![]).word, Word::Failed);
    }
}
