//! The cluster operator: missing, watching another namespace, or one too many.

use serde_json::Value;

use super::finding::Finding;
use super::scene::{Expect, OPERATOR, Scene};
use super::{Family, Rule};
use crate::errors;
use crate::kube::cluster::Deployment;
use crate::kube::{Kind, Object, Snapshot};

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[errors::OPERATOR_MISSING], family: Family::Operator, find: missing },
    Rule { ids: &[errors::OPERATOR_NAMESPACE], family: Family::Operator, find: elsewhere },
    Rule { ids: &[errors::OPERATOR_STOPPED], family: Family::Operator, find: stopped },
    Rule { ids: &[errors::OPERATOR_SECOND], family: Family::Operator, find: second },
];

fn missing(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let namespace = &scene.expect.namespace;
    if !scene.synced(Kind::Deployment) || scene.operator().is_some() {
        return;
    }
    found.push(
        Finding::new(
            errors::OPERATOR_MISSING,
            90,
            format!("deployment/{}", scene.expect.operator),
            format!(
                "no Strimzi operator watches namespace {namespace}, so the Kafka resource is not reconciled"
            ),
        )
        .evidence(format!("no Deployment of an operator in namespace {namespace}, or of one that watches it"))
        .hint(format!("install it: {}", scene.expect.kstrim("up")))
        .certain_after(20),
    );
}

fn elsewhere(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let expect = scene.expect;
    let Some(operator) = scene.operator() else { return };
    if operator.serves(&expect.namespace, scene.kafka().map(|kafka| kafka.0)) {
        return;
    }
    let (name, watched) = (operator.0.name(), operator.watched_namespaces().join(","));
    if operator.watches(&expect.namespace) {
        found.push(ignores(scene, operator));
        return;
    }
    let finding = Finding::new(
        errors::OPERATOR_NAMESPACE,
        88,
        format!("deployment/{name}"),
        format!("the operator watches namespace {watched}, not {}", expect.namespace),
    )
    .evidence(format!("deployments/{name} env STRIMZI_NAMESPACE={watched}"))
    .hint(format!("create the Kafka resource in namespace {watched}"))
    .certain_after(3);
    // kstrim installs no second operator.
    found.push(match operator.is_kstrims() {
        true => {
            finding.hint(format!("or install an operator for {}: {}", expect.namespace, expect.kstrim("up")))
        }
        false => finding.hint(format!("or let it watch {}, too", expect.namespace)),
    });
}

/// An operator with a label selector that the Kafka resource does not match.
fn ignores(scene: &Scene<'_>, operator: Deployment<'_>) -> Finding {
    let (expect, name) = (scene.expect, operator.0.name());
    let labels: Vec<String> = operator.selector().iter().map(|(k, v)| format!("{k}={v}")).collect();
    let label = expect.kubectl("label kafka").arg(&expect.cluster).args(&labels);
    let sentence = format!(
        "the operator reconciles only resources with the labels {}, which the Kafka resource does not have",
        labels.join(", ")
    );
    Finding::new(errors::OPERATOR_NAMESPACE, 88, format!("deployment/{name}"), sentence)
        .evidence(format!("deployments/{name} env STRIMZI_CUSTOM_RESOURCE_SELECTOR={}", labels.join(",")))
        .hint(format!("add these labels to the Kafka resource and its node pools: {}", expect.inside(label)))
        .hint("or install an operator without that variable")
        .certain_after(3)
}

/// An operator that was scaled to 0.
fn stopped(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(operator) = scene.operator().filter(|o| o.requested_replicas() == 0) else { return };
    let (name, namespace) = (operator.0.name(), operator.0.namespace());
    found.push(
        Finding::new(
            errors::OPERATOR_STOPPED,
            89,
            format!("deployment/{name}"),
            format!("the operator is scaled to 0 in namespace {namespace}: changes have no effect"),
        )
        .evidence(format!("deployments/{name} spec.replicas=0"))
        .hint(format!(
            "{}start it again: {}",
            if operator.is_kstrims() { "" } else { "if it is yours, " },
            scene
                .expect
                .kubectl("scale --replicas=1")
                .arg(format!("deployment/{name}"))
                .args(["-n", namespace])
        ))
        .set_by_hand(2),
    );
}

fn second(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let namespace = &scene.expect.namespace;
    let kafka = scene.kafka().map(|kafka| kafka.0);
    let both = scene.snapshot.operators().filter(|o| o.serves(namespace, kafka));
    let homes: Vec<&str> = both.map(|d| d.0.namespace()).collect();
    if let [_, second, ..] = homes.as_slice() {
        found.push(against_each_other(second, &homes, namespace));
    }
}

fn against_each_other(second: &str, homes: &[&str], namespace: &str) -> Finding {
    Finding::new(
        errors::OPERATOR_SECOND,
        30,
        format!("deployment/{second}/{OPERATOR}"),
        format!(
            "operators in the namespaces {} all watch namespace {namespace} and undo each other's changes",
            homes.join(" and ")
        ),
    )
    .evidence(format!("Deployments of operators in {}", homes.join(", ")))
    .hint("remove all but one, or restrict them with STRIMZI_NAMESPACE")
}

/// Operators in other namespaces that watch the Kafka resource's namespace in addition to its own operator, in the
/// whole cluster.
pub(crate) fn rivals(operators: &[Value], snapshot: &Snapshot, expect: &Expect) -> Option<Finding> {
    let kafka = snapshot.kafka(&expect.namespace, &expect.cluster).map(|kafka| kafka.0);
    let objects: Vec<Object> = operators.iter().cloned().map(Object::new).collect();
    let mut homes = vec![expect.operator_namespace.as_str()];
    let others = objects.iter().map(Deployment).filter(|d| d.serves(&expect.namespace, kafka));
    homes.extend(others.map(|d| d.0.namespace()).filter(|home| *home != expect.operator_namespace));
    let second = homes.get(1)?;
    Some(against_each_other(second, &homes, &expect.namespace))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::scene::{Answers, Expect, Scope};

    fn ids(objects: Vec<Object>) -> Vec<&'static str> {
        let snapshot = Snapshot::of(objects);
        let expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Operator).located(&snapshot);
        let now = "2026-11-22T20:00:00Z".parse().unwrap();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &Answers::new(), now };
        crate::explain::findings(&scene).iter().map(|f| f.id.as_str()).collect()
    }

    fn operator(namespace: &str, env: serde_json::Value) -> Object {
        Object::new(json!({"kind": "Deployment", "metadata": {"name": OPERATOR, "namespace": namespace},
            "spec": {"template": {"spec": {"containers": [{"env": [env]}]}}}}))
    }

    #[test]
    fn an_operator_that_watches_another_namespace_is_found() {
        let own = || json!({"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}});
        let set = |v: &str| json!({"name": "STRIMZI_NAMESPACE", "value": v});
        assert!(ids(vec![operator("kafka", own())]).is_empty());
        assert!(ids(vec![operator("kafka", set("*"))]).is_empty());
        assert!(ids(vec![operator("kafka", set("a, kafka"))]).is_empty());
        assert_eq!(ids(vec![operator("kafka", set("myproject"))]), ["KS-OPERATOR-NAMESPACE"]);
        assert_eq!(ids(vec![operator("kafka", own()), operator("other", set("*"))]), ["KS-OPERATOR-SECOND"]);
        assert!(ids(vec![operator("kafka", own()), operator("other", own())]).is_empty(), "each its own");
        assert_eq!(ids(vec![operator("other", own())]), ["KS-OPERATOR-MISSING"]);
        let selects = |namespace: &str| {
            let mut json = operator(namespace, set("*")).json().clone();
            json["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
                set("*"), {"name": "STRIMZI_CUSTOM_RESOURCE_SELECTOR", "value": "co-name=first"}]);
            Object::new(json)
        };
        let labels = |labels: serde_json::Value| {
            Object::new(json!({"kind": "Kafka", "spec": {"kafka": {"replicas": 1}},
                "metadata": {"name": "my-cluster", "namespace": "kafka", "labels": labels}}))
        };
        let (bare, labelled) = (|| labels(json!({})), || labels(json!({"co-name": "first"})));
        assert_eq!(ids(vec![selects("kafka"), bare()]), ["KS-OPERATOR-NAMESPACE"]);
        assert_eq!(ids(vec![selects("other"), bare()]), ["KS-OPERATOR-MISSING"]);
        assert!(ids(vec![selects("other"), labelled()]).is_empty());
        assert!(ids(vec![operator("kafka", own()), selects("other"), bare()]).is_empty(), "no rival");
        assert!(ids(vec![operator("other", set("a, kafka"))]).is_empty(), "one elsewhere is as good");
        let named = |name: &str| {
            let mut json = operator("other", set("*")).json().clone();
            json["metadata"]["name"] = json!(name);
            json["spec"]["template"]["metadata"] = json!({"labels": {"strimzi.io/kind": "cluster-operator"}});
            Object::new(json)
        };
        assert!(ids(vec![named("strimzi-cluster-operator-v1.2.0")]).is_empty(), "by its labels");
        let both = vec![operator("kafka", own()), named("strimzi-cluster-operator-v1.2.0")];
        assert_eq!(ids(both), ["KS-OPERATOR-SECOND"]);
        let mut none = operator("kafka", own()).json().clone();
        none["spec"]["replicas"] = json!(0);
        assert_eq!(ids(vec![Object::new(none)]), ["KS-OPERATOR-STOPPED"]);
        assert!(ids(vec![]).is_empty(), "not listed yet: absence means nothing");
    }

    #[test]
    fn a_second_operator_that_watches_the_namespace_is_a_rival() {
        let env = |v: &str| json!({"name": "STRIMZI_NAMESPACE", "value": v});
        let own = || json!({"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}});
        let expect = Expect::kafka("kafka", "my-cluster");
        let rival = |all: Vec<Object>| {
            let all: Vec<Value> = all.iter().map(|o| o.json().clone()).collect();
            rivals(&all, &Snapshot::default(), &expect).map(|f| f.sentence)
        };
        let words = rival(vec![operator("other", env("*"))]).expect("beside the one to come");
        assert!(words.contains("kafka and other"), "{words}");
        assert!(rival(vec![operator("kafka", own()), operator("other", env("kafka, x"))]).is_some());
        assert!(rival(vec![operator("kafka", env("*")), operator("other", own())]).is_none());
        assert!(rival(vec![]).is_none());
    }
}
