//! The cluster operator: missing, looking elsewhere, or one too many.

use serde_json::Value;

use super::finding::Finding;
use super::scene::{Expect, OPERATOR, Scene};
use super::{Family, Rule};
use crate::failure::Id;
use crate::observe::cluster::Deployment;
use crate::observe::{Kind, Object};

const OPERATOR_MISSING: Id = Id("KS-OPERATOR-MISSING");
const OPERATOR_NAMESPACE: Id = Id("KS-OPERATOR-NAMESPACE");
const OPERATOR_SECOND: Id = Id("KS-OPERATOR-SECOND");
pub(super) const OPERATOR_FORBIDDEN: Id = Id("KS-OPERATOR-FORBIDDEN");
pub(super) const OPERATOR_KUBERNETES: Id = Id("KS-OPERATOR-KUBERNETES");

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[OPERATOR_MISSING], family: Family::Operator, find: missing },
    Rule { ids: &[OPERATOR_NAMESPACE], family: Family::Operator, find: elsewhere },
    Rule { ids: &[OPERATOR_SECOND], family: Family::Operator, find: second },
];

fn missing(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let namespace = &scene.expect.operator_namespace;
    if !scene.synced(Kind::Deployment) || scene.snapshot.deployment(namespace, OPERATOR).is_some() {
        return;
    }
    found.push(
        Finding::new(
            OPERATOR_MISSING,
            90,
            format!("deployment/{OPERATOR}"),
            format!(
                "no Strimzi operator is in namespace {namespace}: nobody makes a Kafka of the Kafka resource"
            ),
        )
        .evidence(format!("no deployments/{OPERATOR} in namespace {namespace}"))
        .hint(format!("install it: kstrim up{}", scene.expect.flags))
        .certain_after(20),
    );
}

/// Whether this operator looks at `namespace`. The install files set `STRIMZI_NAMESPACE` from
/// the pod's own namespace, which has no plain value; a list is separated by commas.
fn looks_at(operator: Deployment<'_>, namespace: &str) -> bool {
    match operator.env("STRIMZI_NAMESPACE") {
        None | Some("") => operator.0.namespace() == namespace,
        Some("*") => true,
        Some(list) => list.split(',').any(|n| n.trim() == namespace),
    }
}

fn elsewhere(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let expect = scene.expect;
    let Some(operator) = scene.snapshot.deployment(&expect.operator_namespace, OPERATOR) else { return };
    if looks_at(operator, &expect.namespace) {
        return;
    }
    let watched = operator.env("STRIMZI_NAMESPACE").unwrap_or(&expect.operator_namespace);
    found.push(
        Finding::new(
            OPERATOR_NAMESPACE,
            88,
            format!("deployment/{OPERATOR}"),
            format!("the operator looks at namespace {watched}, not at {}", expect.namespace),
        )
        .evidence(format!("deployments/{OPERATOR} env STRIMZI_NAMESPACE={watched}"))
        .hint(format!("put the Kafka resource into namespace {watched}"))
        .hint(format!("or install an operator for {}: kstrim up{}", expect.namespace, expect.flags))
        .certain_after(3),
    );
}

fn second(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let namespace = &scene.expect.namespace;
    let both: Vec<&Object> = scene
        .snapshot
        .all(Kind::Deployment)
        .filter(|d| d.name() == OPERATOR && looks_at(Deployment(d), namespace))
        .collect();
    let homes: Vec<&str> = both.iter().map(|d| d.namespace()).collect();
    if let [_, second, ..] = homes.as_slice() {
        found.push(against_each_other(second, &homes, namespace));
    }
}

fn against_each_other(second: &str, homes: &[&str], namespace: &str) -> Finding {
    Finding::new(
        OPERATOR_SECOND,
        30,
        format!("deployment/{second}/{OPERATOR}"),
        format!(
            "operators in the namespaces {} all look at namespace {namespace} and work against each other",
            homes.join(" and ")
        ),
    )
    .evidence(format!("deployments/{OPERATOR} in {}", homes.join(", ")))
    .hint("remove all but one, or restrict one by STRIMZI_NAMESPACE")
}

/// The operators of other namespaces that look at the Kafka's, beside the one that is to be in its
/// own: of all Deployments of the operator's name in the cluster.
pub fn rivals(operators: &[Value], expect: &Expect) -> Option<Finding> {
    let objects: Vec<Object> = operators.iter().cloned().map(Object::new).collect();
    let mut homes = vec![expect.operator_namespace.as_str()];
    let others =
        objects.iter().filter(|d| d.name() == OPERATOR && looks_at(Deployment(d), &expect.namespace));
    homes.extend(others.map(Object::namespace).filter(|home| *home != expect.operator_namespace));
    let second = homes.get(1)?;
    Some(against_each_other(second, &homes, &expect.namespace))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::scene::{Answers, Expect, Scope};
    use crate::observe::Snapshot;

    fn ids(objects: Vec<Object>) -> Vec<&'static str> {
        let snapshot = Snapshot::of(objects);
        let expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Operator);
        let now = "2026-11-22T20:00:00Z".parse().unwrap();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &Answers::new(), now };
        crate::explain::findings(&scene).iter().map(|f| f.id.0).collect()
    }

    fn operator(namespace: &str, env: serde_json::Value) -> Object {
        Object::new(json!({"kind": "Deployment", "metadata": {"name": OPERATOR, "namespace": namespace},
            "spec": {"template": {"spec": {"containers": [{"env": [env]}]}}}}))
    }

    #[test]
    fn where_an_operator_looks() {
        let own = || json!({"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}});
        let set = |v: &str| json!({"name": "STRIMZI_NAMESPACE", "value": v});
        assert!(ids(vec![operator("kafka", own())]).is_empty());
        assert!(ids(vec![operator("kafka", set("*"))]).is_empty());
        assert!(ids(vec![operator("kafka", set("a, kafka"))]).is_empty());
        assert_eq!(ids(vec![operator("kafka", set("myproject"))]), ["KS-OPERATOR-NAMESPACE"]);
        assert_eq!(ids(vec![operator("kafka", own()), operator("other", set("*"))]), ["KS-OPERATOR-SECOND"]);
        assert!(ids(vec![operator("kafka", own()), operator("other", own())]).is_empty(), "each its own");
        assert_eq!(ids(vec![operator("other", own())]), ["KS-OPERATOR-MISSING"]);
        assert!(ids(vec![]).is_empty(), "not listed yet: absence means nothing");
    }

    #[test]
    fn an_operator_elsewhere_that_looks_here_is_a_rival() {
        let env = |v: &str| json!({"name": "STRIMZI_NAMESPACE", "value": v});
        let own = || json!({"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {}}});
        let expect = Expect::kafka("kafka", "my-cluster");
        let rival = |all: Vec<Object>| {
            let all: Vec<Value> = all.iter().map(|o| o.json().clone()).collect();
            rivals(&all, &expect).map(|f| f.sentence)
        };
        let words = rival(vec![operator("other", env("*"))]).expect("beside the one to come");
        assert!(words.contains("kafka and other"), "{words}");
        assert!(rival(vec![operator("kafka", own()), operator("other", env("kafka, x"))]).is_some());
        assert!(rival(vec![operator("kafka", env("*")), operator("other", own())]).is_none());
        assert!(rival(vec![]).is_none());
    }
}
