//! The Strimzi cluster operator: one reconciliation at a time for every Kafka, which holds the
//! cluster's lock while it waits for pods (recordings 06b, 07, 08, 09).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::{Cluster, Reconciliation, condition, text};
use crate::components;
use crate::desired::{self, Pool};
use crate::managed;
use crate::pods;

// What a reconciliation waits for after the brokers, by the suffix of its Deployment's name.
const CRUISE_CONTROL: &str = "cruise-control";
const ENTITY_OPERATOR: &str = "entity-operator";
const EXPORTER: &str = "kafka-exporter";

// The states of a reconciled resource: once, and again because the status was written.
const ONCE: &str = " once";
const AGAIN: &str = " again";

const KAFKAS: &str = "kafkas.kafka.strimzi.io";

/// A running operator with its permissions.
struct Operator {
    /// Of its pod.
    uid: String,
    /// `*` or namespaces.
    watches: Vec<String>,
    deployment: Value,
    /// The version of Strimzi's resources that it reads and writes.
    speaks: &'static str,
}

pub fn run(c: &mut Cluster) {
    abandoned(c);
    let operators = find(c);
    if operators.is_empty() {
        return;
    }
    for operator in &operators {
        lead(c, operator);
        c.writes_in = Some(operator.speaks);
        for key in c.keys(KAFKAS, "") {
            let ns = key.split('/').nth(1).unwrap_or("").to_owned();
            let watched = operator.watches.iter().any(|w| w == "*" || *w == ns);
            if watched && selects(&operator.deployment, &c.objects[&key]) {
                reconcile(c, &key, operator);
            }
        }
        let watches = |ns: &str| operator.watches.iter().any(|w| w == "*" || w == ns);
        components::run(c, &watches, &operator.deployment);
    }
    desired::pod_sets(c);
    c.writes_in = None;
}

/// The lease of its leader election, which has no owner and is never deleted.
fn lead(c: &mut Cluster, operator: &Operator) {
    let ns = text(&operator.deployment, "/metadata/namespace").to_owned();
    let terminates = c
        .get(&format!("namespaces//{ns}"))
        .is_none_or(|namespace| namespace["metadata"]["deletionTimestamp"].is_string());
    if terminates {
        return;
    }
    let time = c.micro_time();
    c.ensure(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "strimzi-cluster-operator", "namespace": ns},
        "spec": {"acquireTime": time, "holderIdentity": operator.uid, "leaseDurationSeconds": 15,
            "leaseTransitions": 0, "renewTime": time}}));
}

/// All operators that may reconcile: one in each namespace.
fn find(c: &mut Cluster) -> Vec<Operator> {
    let boot = c.scenario.timings.operator_boot;
    let mine = |pod: &&Value| {
        text(pod, "/metadata/labels/name") == "strimzi-cluster-operator"
            || text(pod, "/metadata/labels/strimzi.io~1kind") == "cluster-operator"
    };
    let pods: Vec<Value> = c.each("pods", "").filter(mine).cloned().collect();
    let mut all: Vec<Operator> = Vec::new();
    for pod in pods {
        let uid = text(&pod, "/metadata/uid");
        if pod["metadata"]["deletionTimestamp"].is_string() || !pods::runs(&pod) {
            continue;
        }
        let ns = text(&pod, "/metadata/namespace");
        let account = text(&pod, "/spec/serviceAccountName");
        if !c.elapsed(uid, "boot", boot) || pods::fate(c, &pod).is_some() || !allowed(c, ns, account) {
            continue;
        }
        // It does not see resources in a version that is no longer served.
        let speaks = managed::spoken(&pod);
        if !managed::serves(c, speaks) {
            continue;
        }
        let uid = uid.to_owned();
        if c.scenario.operator_hangs {
            let hung = c.memory.hung.get_or_insert_with(|| uid.clone());
            if *hung == uid {
                continue;
            }
        }
        // Its ReplicaSet has the Deployment's name and a hash.
        let set = text(&pod, "/metadata/ownerReferences/0/name");
        let name = set.rsplit_once('-').map_or("strimzi-cluster-operator", |(name, _)| name);
        let Some(deployment) = c.get(&format!("deployments.apps/{ns}/{name}")).cloned() else { continue };
        // Of two pods of one Deployment, one is the leader.
        if all.iter().any(|other| other.deployment["metadata"]["uid"] == deployment["metadata"]["uid"]) {
            continue;
        }
        let watches = match watched(&deployment) {
            Some(list) if !list.is_empty() => list.split(',').map(|w| w.trim().to_owned()).collect(),
            Some(_) => vec!["*".to_owned()],
            None => vec![ns.to_owned()],
        };
        all.push(Operator { uid, watches, deployment, speaks });
    }
    all
}

/// What `STRIMZI_NAMESPACE` is: a value, or the annotation of the pods in which the Operator Lifecycle Manager lists
/// namespaces, none for all. `None`: the operator's own, by its field.
fn watched(deployment: &Value) -> Option<String> {
    if let Some(list) = desired::env(deployment, "STRIMZI_NAMESPACE").filter(|list| !list.is_empty()) {
        return Some(list);
    }
    let template = &deployment["spec"]["template"];
    let env = template["spec"]["containers"][0]["env"].as_array()?;
    let field = text(env.iter().find(|e| e["name"] == "STRIMZI_NAMESPACE")?, "/valueFrom/fieldRef/fieldPath");
    let name = field.strip_prefix("metadata.annotations['")?.strip_suffix("']")?;
    Some(template["metadata"]["annotations"][name].as_str().unwrap_or_default().to_owned())
}

/// Whether a resource has the labels of `STRIMZI_CUSTOM_RESOURCE_SELECTOR`.
fn selects(deployment: &Value, resource: &Value) -> bool {
    let selector = desired::env(deployment, "STRIMZI_CUSTOM_RESOURCE_SELECTOR").unwrap_or_default();
    let mut labels = selector.split(',').filter_map(|label| label.split_once('='));
    labels.all(|(name, value)| resource["metadata"]["labels"][name] == value)
}

/// What the operator needs first: the Lease of its leader election, and the Kafka resources.
fn allowed(c: &Cluster, ns: &str, account: &str) -> bool {
    let who = format!("system:serviceaccount:{ns}:{account}");
    can(c, &who, "get", "coordination.k8s.io", "leases", ns)
        && can(c, &who, "list", "kafka.strimzi.io", "kafkas", ns)
}

/// RBAC: may `who` do this in that namespace? Everyone but service accounts and `nobody` may.
pub fn can(c: &Cluster, who: &str, verb: &str, group: &str, plural: &str, ns: &str) -> bool {
    let Some(account) = who.strip_prefix("system:serviceaccount:") else {
        return who.is_empty() || who.contains("admin");
    };
    let (of, name) = account.split_once(':').unwrap_or(("", account));
    let everywhere = c.each("clusterrolebindings.rbac.authorization.k8s.io", "");
    // No namespace is called "-".
    let home = if ns.is_empty() { "-" } else { ns };
    let mut bindings = everywhere.chain(c.each("rolebindings.rbac.authorization.k8s.io", home));
    let subject =
        |s: &Value| s["kind"] == "ServiceAccount" && s["name"] == name && text(s, "/namespace") == of;
    bindings.any(|binding| {
        if !binding["subjects"].as_array().into_iter().flatten().any(subject) {
            return false;
        }
        let role = text(binding, "/roleRef/name");
        let key = match text(binding, "/roleRef/kind") {
            "Role" => format!("roles.rbac.authorization.k8s.io/{ns}/{role}"),
            _ => format!("clusterroles.rbac.authorization.k8s.io//{role}"),
        };
        let rules = c.get(&key).and_then(|role| role["rules"].as_array());
        let holds =
            |list: &Value, word: &str| list.as_array().into_iter().flatten().any(|w| w == word || w == "*");
        rules.into_iter().flatten().any(|rule| {
            holds(&rule["apiGroups"], group)
                && holds(&rule["resources"], plural)
                && holds(&rule["verbs"], verb)
        })
    })
}

/// Reconciliations whose Kafka resource was deleted: they hold the lock until their timeout.
fn abandoned(c: &mut Cluster) {
    let uids: Vec<String> = c.each(KAFKAS, "").map(|k| text(k, "/metadata/uid").to_owned()).collect();
    let pods: Vec<String> = c.each("pods", "").map(|p| text(p, "/metadata/uid").to_owned()).collect();
    let timeout = c.scenario.timings.operation_timeout;
    for (name, work) in c.memory.running.clone() {
        let dead = !pods.contains(&work.operator);
        let orphan = !uids.contains(&work.uid);
        // A timer, so that the world advances then.
        let over = c.elapsed(&work.uid, &format!("timeout {}", work.since), timeout);
        if dead || orphan && (work.phase == "validate" || over) {
            c.memory.running.remove(&name);
            c.touch();
        }
    }
}

fn not_ready(c: &mut Cluster, key: &str, reason: &str, message: &str, observed: Option<u64>) {
    let time = c.fine_time();
    c.update(key, |o| {
        let condition = json!([{"lastTransitionTime": time, "message": message, "reason": reason,
            "status": "True", "type": "NotReady"}]);
        if reason == "Creating" {
            o["status"] = json!({"conditions": condition, "observedGeneration": 0});
            return;
        }
        if !o["status"].is_object() {
            o["status"] = json!({});
        }
        o["status"]["clusterSecurity"] = desired::security();
        o["status"]["conditions"] = condition;
        o["status"]["observedGeneration"] = json!(observed);
    });
}

fn reconcile(c: &mut Cluster, key: &str, operator: &Operator) {
    let Some(kafka) = c.get(key).cloned() else { return };
    if kafka["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    let uid = text(&kafka, "/metadata/uid").to_owned();
    let name = key.split_once('/').map_or("", |(_, name)| name).to_owned();
    let generation = kafka["metadata"]["generation"].as_u64();
    let pools = desired::pools(c, &kafka);
    // A new operator reconciles everything once.
    let image = text(&operator.deployment, "/spec/template/spec/containers/0/image");
    let marker = format!("{}@{image}", desired::marker(&kafka, &pools));
    let t = c.scenario.timings.clone();
    let Some(work) = c.memory.running.get(&name).cloned() else {
        if kafka["metadata"]["annotations"]["strimzi.io/pause-reconciliation"] == "true" {
            let time = c.fine_time();
            c.update(key, |o| {
                let paused =
                    json!([{"lastTransitionTime": time, "status": "True", "type": "ReconciliationPaused"}]);
                if o["status"]["conditions"][0]["type"] != "ReconciliationPaused" {
                    o["status"]["conditions"] = paused;
                }
                o["status"]["observedGeneration"] = json!(generation);
                if let Some(status) = o["status"].as_object_mut() {
                    status.shift_remove("kafkaMetadataState");
                }
            });
            return;
        }
        // A paused resource is reconciled again when the annotation is removed (recording 20).
        let resumed = kafka["status"]["conditions"][0]["type"] == "ReconciliationPaused";
        let settled = c.memory.done.get(&uid) == Some(&marker) && !resumed;
        let healed = c.memory.fatal.contains_key(&uid) && pods_ready(c, &kafka, &pools);
        if settled && !healed {
            return;
        }
        if c.lapse(&uid, "pick", t.pick) {
            if !kafka["status"].is_object() {
                not_ready(c, key, "Creating", "Kafka cluster is being deployed", None);
            }
            let since = c.clock;
            let operator = operator.uid.clone();
            let again = c.memory.done.get(&uid).is_some_and(|done| *done == format!("{marker}{ONCE}"));
            let marker = if again { format!("{marker}{AGAIN}") } else { marker };
            let work =
                Reconciliation { uid, operator, marker, phase: "validate".into(), since, began: since };
            c.memory.running.insert(name, work);
        }
        return;
    };
    if work.uid != uid {
        return; // "Reconciliation is in progress": the old one holds the lock
    }
    let over = c.elapsed(&uid, &format!("over {}", work.since), t.operation_timeout);
    match work.phase.as_str() {
        "validate" => {
            if !c.elapsed(&uid, &format!("validate {}", work.since), t.validate) {
                return;
            }
            let begun = desired::as_begun(&kafka, &work.marker);
            let refusal =
                c.scenario.refuse.clone().or_else(|| desired::refusal(&begun, &pools, &operator.deployment));
            if let Some((reason, message)) = refusal {
                not_ready(c, key, &reason, &message, generation);
                finish(c, &name, &uid, &marker);
                return;
            }
            crate::migration::erase(c, &kafka);
            desired::claims(c, &kafka, &pools);
            desired::services(c, &kafka);
            crate::certificates::secrets(c, &kafka);
            crate::certificates::trust(c, &kafka);
            desired::pool_status(c, &kafka, &pools);
            if !c.elapsed(&uid, &format!("pods {}", work.since), t.pods) {
                return;
            }
            desired::make_pod_sets(c, &kafka, &pools, &operator.deployment);
            enter(c, &name, "pods");
        }
        "pods" if pods_ready(c, &kafka, &pools) => {
            c.memory.fatal.remove(&uid);
            components::of_kafka(c, &kafka, &operator.deployment, CRUISE_CONTROL);
            enter(c, &name, CRUISE_CONTROL);
        }
        // In this order: one that never becomes ready prevents the creation of those after it.
        CRUISE_CONTROL if components::of_kafka_ready(c, &kafka, CRUISE_CONTROL) => {
            desired::entity_operator(c, &kafka, &operator.deployment);
            enter(c, &name, ENTITY_OPERATOR);
        }
        ENTITY_OPERATOR if desired::entity_ready(c, &kafka) => {
            components::of_kafka(c, &kafka, &operator.deployment, EXPORTER);
            enter(c, &name, EXPORTER);
        }
        EXPORTER if components::of_kafka_ready(c, &kafka, EXPORTER) => {
            let copied = t.metadata_copied;
            if crate::migration::config(&kafka) == crate::migration::Config::Migration
                && !c.elapsed(&uid, &format!("metadata {}", work.began), copied)
            {
                return;
            }
            ready(c, key, &kafka, &pools, &operator.deployment);
            finish(c, &name, &uid, &marker);
        }
        phase => {
            // After a first failure the next one is immediate (recording 06).
            let again = phase == "pods" && c.memory.fatal.contains_key(&uid);
            if !over && !again {
                return;
            }
            let ns = text(&kafka, "/metadata/namespace");
            if again {
                not_ready(c, key, "FatalProblem", "Pod is unschedulable or is not starting", generation);
                finish(c, &name, &uid, &marker);
                return;
            }
            let what = match missing_pod(c, &kafka, &pools) {
                Some(pod) => format!("Pods resource {pod}"),
                None => format!("Deployment resource {}-{phase}", text(&kafka, "/metadata/name")),
            };
            let message = format!(
                "Exceeded timeout of 300000ms while waiting for {what} in namespace {ns} to be ready"
            );
            not_ready(c, key, "StrimziTimeoutException", &message, generation);
            // The wait for components starts again each time.
            if phase == "pods" {
                c.memory.fatal.insert(uid, true);
            }
            c.memory.running.remove(&name);
            c.touch();
        }
    }
}

/// Ids that the pools of a Kafka have.
pub fn node_ids_in_use(c: &Cluster, ns: &str, cluster: &str) -> BTreeSet<u64> {
    let of = |pool: &Value| pool["status"]["nodeIds"].as_array().cloned().unwrap_or_default();
    let pools = c.each("kafkanodepools.kafka.strimzi.io", ns);
    let mine = pools.filter(|p| text(p, "/metadata/labels/strimzi.io~1cluster") == cluster);
    mine.flat_map(of).filter_map(|id| id.as_u64()).collect()
}

/// A pool's ids: it keeps its current ones, the highest are removed first, new ones are the lowest free ones.
pub fn node_ids(pool: &Value, used: &mut BTreeSet<u64>) -> Vec<u64> {
    let wanted = pool["spec"]["replicas"].as_u64().unwrap_or(0) as usize;
    let has = pool["status"]["nodeIds"].as_array().into_iter().flatten();
    let mut ids: Vec<u64> = has.filter_map(Value::as_u64).collect();
    ids.sort_unstable();
    ids.truncate(wanted);
    while ids.len() < wanted {
        let free = (0..).find(|id| !used.contains(id)).unwrap_or(0);
        used.insert(free);
        ids.push(free);
    }
    ids
}

fn enter(c: &mut Cluster, name: &str, phase: &str) {
    let clock = c.clock;
    if let Some(work) = c.memory.running.get_mut(name) {
        work.phase = phase.into();
        work.since = clock;
    }
    c.touch();
}

fn finish(c: &mut Cluster, name: &str, uid: &str, marker: &str) {
    let work = c.memory.running.remove(name);
    // The state at its start was reconciled: later changes follow in the next reconciliation.
    let marker = work.map_or_else(|| marker.to_owned(), |work| work.marker);
    let marker = match marker.strip_suffix(AGAIN) {
        Some(marker) => marker.to_owned(),
        None if c.scenario.operator_looks_again => format!("{marker}{ONCE}"),
        None => marker,
    };
    c.memory.done.insert(uid.to_owned(), marker);
    c.touch();
}

fn wanted_pods(kafka: &Value, pools: &[Pool]) -> Vec<String> {
    pools.iter().flat_map(|pool| pool.pods(kafka)).collect()
}

fn missing_pod(c: &Cluster, kafka: &Value, pools: &[Pool]) -> Option<String> {
    let ns = text(kafka, "/metadata/namespace");
    let current = |pod: &Value| {
        let set = text(pod, "/metadata/labels/strimzi.io~1controller-name");
        let wanted = c.get(&format!("strimzipodsets.core.strimzi.io/{ns}/{set}"));
        let template = wanted.and_then(|set| desired::template(set, text(pod, "/metadata/name")));
        template.is_some_and(|t| {
            t["metadata"]["annotations"]["strimzi.io/revision"]
                == pod["metadata"]["annotations"]["strimzi.io/revision"]
        })
    };
    wanted_pods(kafka, pools).into_iter().find(|name| {
        let pod = c.get(&format!("pods/{ns}/{name}"));
        !pod.is_some_and(|p| {
            pods::is_ready(p) && !p["metadata"]["deletionTimestamp"].is_string() && current(p)
        })
    })
}

fn pods_ready(c: &Cluster, kafka: &Value, pools: &[Pool]) -> bool {
    missing_pod(c, kafka, pools).is_none()
}

fn ready(c: &mut Cluster, key: &str, kafka: &Value, pools: &[Pool], deployment: &Value) {
    let time = c.fine_time();
    let mut status = desired::ready_status(kafka, pools, deployment, &time);
    if let Some(id) = desired::cluster_id(c, kafka) {
        status["clusterId"] = json!(id);
    }
    let marker = c.memory.running.values().find(|w| w.uid == text(kafka, "/metadata/uid"));
    // The observed generation is the one at its start.
    let observed = marker.and_then(|w| w.marker.split('/').next()?.parse::<u64>().ok());
    status["observedGeneration"] = json!(observed);
    c.update(key, |o| {
        let mut conditions = o["status"]["conditions"].clone();
        if let Some(list) = conditions.as_array_mut() {
            list.retain(|k| k["type"] == "Ready");
        }
        for new in status["conditions"].as_array().cloned().unwrap_or_default() {
            match new["type"].as_str() {
                Some("Ready") => condition(&mut conditions, new, &time),
                // A type may come twice, and before Ready (recording 02).
                _ => {
                    if let Some(list) = conditions.as_array_mut() {
                        list.push(new);
                    }
                }
            }
        }
        status["conditions"] = conditions;
        o["status"] = status;
    });
}

/// The last lines of a broker whose volume another cluster has formatted.
pub fn stale_volume(c: &Cluster, pod: &Value) -> Option<String> {
    let (own, volumes) = volumes(c, pod)?;
    let read = volumes.iter().filter_map(|uid| c.memory.volumes.get(uid)).find(|id| **id != own)?;
    Some(format!(
        "Exception in thread \"main\" java.lang.RuntimeException: Invalid cluster.id in: \
         /var/lib/kafka/data-0/kafka-log0/meta.properties. Expected {own}, but read {read}"
    ))
}

/// A running broker has written its cluster id to its volumes.
pub fn format_volumes(c: &mut Cluster, pod: &Value) {
    if let Some((own, volumes)) = volumes(c, pod) {
        for uid in volumes {
            c.memory.volumes.entry(uid).or_insert_with(|| own.clone());
        }
    }
}

/// A broker's cluster id and the uids of its claims.
fn volumes(c: &Cluster, pod: &Value) -> Option<(String, Vec<String>)> {
    if text(pod, "/metadata/labels/strimzi.io~1broker-role") != "true" {
        return None;
    }
    let ns = text(pod, "/metadata/namespace");
    let cluster = text(pod, "/metadata/labels/strimzi.io~1cluster");
    let kafka = c.get(&format!("{KAFKAS}/{ns}/{cluster}"))?;
    let id = c.memory.cluster_ids.get(text(kafka, "/metadata/uid"))?.clone();
    let claims = pod["spec"]["volumes"].as_array()?.iter().filter_map(|volume| {
        let claim = volume["persistentVolumeClaim"]["claimName"].as_str()?;
        let claim = c.get(&format!("persistentvolumeclaims/{ns}/{claim}"))?;
        // Other volumes have no data of Kafka.
        claim["metadata"]["labels"]["strimzi.io/cluster"].is_string().then_some(())?;
        Some(text(claim, "/metadata/uid").to_owned())
    });
    Some((id, claims.collect()))
}
