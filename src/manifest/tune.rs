//! The laptop tuning of the cluster operator's Deployment, and its feature gates.
//!
//! Strimzi's install files are written for a busy production cluster: the readiness probe runs first after 10 s and
//! then every 30 s, and the JVM gets at most one CPU. On a laptop, this is most of the waiting time.
//!
//! `JAVA_OPTS` is what the operator's image reads: `cluster-operator/scripts/cluster_operator_run.sh`
//! and `docker-images/operator/scripts/launch_java.sh` of strimzi-kafka-operator append to it
//! and pass it to `java`, in every release from 0.30.0 to 1.2.0. (The topic and user operator
//! get theirs from the Kafka resource: see [`super::render`].)

use serde_json::{Map, Value, json};

use super::Object;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::Minor;

/// The name of Strimzi's Deployment and of its container.
pub const OPERATOR: &str = "strimzi-cluster-operator";
/// Fast start instead of high throughput: the C1 compiler only, and the collector with the least work at start.
pub const QUICK_JVM: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";
/// Delay before the first probe, in seconds.
pub const PROBE_DELAY: u64 = 1;
/// Period of the probe, in seconds.
pub const PROBE_PERIOD: u64 = 2;

/// The cluster operator's Deployment among the objects.
pub fn operator(objects: &mut [Object]) -> Result<&mut Object> {
    objects.iter_mut().find(|o| o.kind() == "Deployment" && o.name() == OPERATOR).ok_or_else(|| {
        Box::new(
            Failure::new(
                errors::MANIFEST_OPERATOR,
                Kind::Usage,
                format!("the manifest has no Deployment {OPERATOR}"),
            )
            .hint("specify Strimzi's own strimzi-cluster-operator-RELEASE.yaml"),
        )
    })
}

/// Apply the tuning for a laptop. Returns what was changed, one sentence each, for `kstrim plan`; nothing for a
/// Deployment that is already tuned.
pub fn tune_operator(deployment: &mut Object) -> Result<Vec<String>> {
    let container = container(deployment)?;
    let mut tuned = Vec::new();

    if let Some(probe) = container.get_mut("readinessProbe").and_then(Value::as_object_mut) {
        let old = |key: &str, default: u64| probe.get(key).and_then(Value::as_u64).unwrap_or(default);
        let was = (old("initialDelaySeconds", 0), old("periodSeconds", 10));
        if was.0 > PROBE_DELAY || was.1 > PROBE_PERIOD {
            tuned.push(format!(
                "operator readiness probe: after {PROBE_DELAY} s, then every {PROBE_PERIOD} s (was {} s, {} s)",
                was.0, was.1
            ));
            probe.insert("initialDelaySeconds".into(), PROBE_DELAY.into());
            probe.insert("periodSeconds".into(), PROBE_PERIOD.into());
        }
    }

    let limits = container.get_mut("resources").and_then(|r| r.get_mut("limits"));
    if let Some(cpu) = limits.and_then(Value::as_object_mut).and_then(|limits| limits.shift_remove("cpu")) {
        let cpu = cpu.as_str().map_or_else(|| cpu.to_string(), str::to_owned);
        tuned.push(format!("operator CPU limit: none (was {cpu})"));
    }

    let options = env(container, "JAVA_OPTS").and_then(|e| e.get("value")).and_then(Value::as_str);
    let options = options.unwrap_or("").trim().to_owned();
    if !options.contains(QUICK_JVM) {
        set_env(container, "JAVA_OPTS", format!("{options} {QUICK_JVM}").trim());
        tuned.push(format!("operator JAVA_OPTS: {QUICK_JVM}, for a quick JVM start"));
    }
    Ok(tuned)
}

/// The variable with the DNS domain of Kubernetes' services.
const DNS_DOMAIN: &str = "KUBERNETES_SERVICE_DNS_DOMAIN";

/// Set the DNS domain of the cluster's services, unless the Deployment has it. Without it, the operator's start script
/// looks it up first (`getent hosts kubernetes.default` in `cluster_operator_run.sh`, releases 0.30.0 to 1.2.0), which
/// also queries the name server outside the cluster: two seconds if that does not respond, for example offline.
/// Returns what was changed, a sentence.
pub fn set_dns_domain(deployment: &mut Object, domain: &str) -> Result<Option<String>> {
    let container = container(deployment)?;
    if env(container, DNS_DOMAIN).is_some() {
        return Ok(None);
    }
    set_env(container, DNS_DOMAIN, domain);
    Ok(Some(format!("operator {DNS_DOMAIN}: {domain}, so that it does not have to look it up")))
}

/// The variable with the Kubernetes version; if it is set, the operator does not query the API server for it.
const KUBERNETES: &str = "STRIMZI_KUBERNETES_VERSION";

/// The first Kubernetes version whose `/version` has fields that older clients reject (`emulationMajor`).
const EMULATED: Minor = Minor { major: 1, minor: 33 };

/// Whether the operator of a release that supports Kubernetes up to `newest` cannot start on a newer one unless the
/// version is set: its client rejects the API server's response (Strimzi's issue 11386).
pub fn refuses_newer(newest: Minor) -> bool {
    newest < EMULATED
}

/// Set the operator's Kubernetes version: the newest that its release supports, because the operator chooses API
/// versions by it. Returns what was changed, a sentence.
pub fn set_kubernetes(deployment: &mut Object, minor: Minor) -> Result<String> {
    set_env(container(deployment)?, KUBERNETES, &format!("major={}\nminor={}", minor.major, minor.minor));
    Ok(format!("operator {KUBERNETES}: {minor}, because it cannot read the version of newer API servers"))
}

/// Enable feature gates in `STRIMZI_FEATURE_GATES`, in addition to existing ones. Returns what was changed, a
/// sentence, or `None` if nothing was.
pub fn set_feature_gates(deployment: &mut Object, gates: &[String]) -> Result<Option<String>> {
    let container = container(deployment)?;
    let found = env(container, "STRIMZI_FEATURE_GATES").and_then(|e| e.get("value")).and_then(Value::as_str);
    let mut all: Vec<String> = found
        .unwrap_or("")
        .split(',')
        .map(str::trim)
        .filter(|gate| !gate.is_empty() && !gates.contains(&gate[1..].to_owned()))
        .map(str::to_owned)
        .collect();
    let before = found.unwrap_or("").to_owned();
    all.extend(gates.iter().map(|gate| format!("+{gate}")));
    let after = all.join(",");
    if gates.is_empty() || after == before {
        return Ok(None);
    }
    set_env(container, "STRIMZI_FEATURE_GATES", &after);
    Ok(Some(format!("operator feature gates: {after}")))
}

/// The container of the operator.
pub(super) fn container(deployment: &mut Object) -> Result<&mut Map<String, Value>> {
    let name = deployment.to_string();
    let containers = deployment.get_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    containers
        .and_then(|all| all.iter_mut().find(|c| c["name"] == OPERATOR))
        .and_then(Value::as_object_mut)
        .ok_or_else(|| {
            let message = format!("{name} has no container {OPERATOR}");
            Box::new(Failure::new(errors::MANIFEST_OPERATOR, Kind::Usage, message))
        })
}

pub(super) fn env<'a>(container: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    container.get("env")?.as_array()?.iter().find(|e| e["name"] == name)
}

pub(super) fn set_env(container: &mut Map<String, Value>, name: &str, value: &str) {
    let list = container.entry("env").or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Value::Array(list) = list else { return };
    list.retain(|e| e["name"] != name);
    list.push(json!({"name": name, "value": value}));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Object {
        Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": OPERATOR},
            "spec": {"template": {"metadata": {"labels": {"name": OPERATOR}}, "spec": {"containers": [{
                "name": OPERATOR,
                "env": [
                    {"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                    {"name": "STRIMZI_FEATURE_GATES", "value": ""},
                ],
                "readinessProbe": {"httpGet": {"path": "/ready"}, "initialDelaySeconds": 10, "periodSeconds": 30},
                "livenessProbe": {"initialDelaySeconds": 10, "periodSeconds": 30},
                "resources": {"limits": {"cpu": "1000m", "memory": "384Mi"}, "requests": {"cpu": "200m"}},
            }]}}},
        }))
        .unwrap()
    }

    #[test]
    fn tuning_reports_its_changes_and_is_idempotent() {
        let mut object = deployment();
        insta::assert_debug_snapshot!(tune_operator(&mut object).unwrap(), @r#"
        [
            "operator readiness probe: after 1 s, then every 2 s (was 10 s, 30 s)",
            "operator CPU limit: none (was 1000m)",
            "operator JAVA_OPTS: -XX:TieredStopAtLevel=1 -XX:+UseSerialGC, for a quick JVM start",
        ]
        "#);
        let container = object.get("/spec/template/spec/containers/0").unwrap().clone();
        assert_eq!(
            container["resources"],
            json!({"limits": {"memory": "384Mi"}, "requests": {"cpu": "200m"}})
        );
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
        assert_eq!(container["livenessProbe"], json!({"initialDelaySeconds": 10, "periodSeconds": 30}));
        assert_eq!(
            container["env"][0],
            deployment().get("/spec/template/spec/containers/0/env/0").unwrap().clone()
        );
        assert_eq!(container["env"][2], json!({"name": "JAVA_OPTS", "value": QUICK_JVM}));
        assert!(tune_operator(&mut object).unwrap().is_empty());
    }

    #[test]
    fn a_dns_domain_in_the_manifest_is_kept() {
        let mut object = deployment();
        assert!(set_dns_domain(&mut object, "cluster.local").unwrap().is_some());
        assert_eq!(set_dns_domain(&mut object, "other.test").unwrap(), None);
        let env = object.get("/spec/template/spec/containers/0/env/2").unwrap();
        assert_eq!(*env, json!({"name": DNS_DOMAIN, "value": "cluster.local"}));
    }

    #[test]
    fn gates_are_added_to_existing_ones() {
        let mut object = deployment();
        let gates = ["UseKRaft".to_owned(), "KafkaNodePools".to_owned()];
        let said = set_feature_gates(&mut object, &gates).unwrap();
        assert_eq!(said.as_deref(), Some("operator feature gates: +UseKRaft,+KafkaNodePools"));
        assert_eq!(set_feature_gates(&mut object, &gates).unwrap(), None);
        set_feature_gates(&mut object, &["Other".to_owned()]).unwrap();
        let env = object.get("/spec/template/spec/containers/0/env/1/value").unwrap();
        assert_eq!(env, "+UseKRaft,+KafkaNodePools,+Other");
    }

    #[test]
    fn the_kubernetes_version_is_set_if_it_cannot_be_read() {
        let minor = |text: &str| text.parse::<Minor>().unwrap();
        assert!(
            refuses_newer(minor("1.24")) && refuses_newer(minor("1.32")) && !refuses_newer(minor("1.33"))
        );
        let mut object = deployment();
        let said = set_kubernetes(&mut object, minor("1.24")).unwrap();
        assert!(said.contains("STRIMZI_KUBERNETES_VERSION: 1.24"), "{said}");
        let env = object.get("/spec/template/spec/containers/0/env/2").unwrap();
        assert_eq!(*env, json!({"name": "STRIMZI_KUBERNETES_VERSION", "value": "major=1\nminor=24"}));
    }

    #[test]
    fn an_unknown_deployment_is_an_error() {
        let strange =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": []});
        let mut object = Object::new(strange).unwrap();
        assert_eq!(tune_operator(&mut object).unwrap_err().id, errors::MANIFEST_OPERATOR);
        assert_eq!(operator(&mut [object]).unwrap_err().id, errors::MANIFEST_OPERATOR);
    }
}
