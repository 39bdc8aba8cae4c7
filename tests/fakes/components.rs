//! The components of a Kafka cluster: Connect, MirrorMaker 2 and the bridge from their own resources, the exporter
//! and Cruise Control from fields of the Kafka resource. Objects and messages follow strimzi-kafka-operator's
//! assembly operators.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::deployments::{hash, owner};
use crate::desired;
use crate::pods;

/// A kind of resource and what the operator creates for it.
struct Sort {
    plural: &'static str,
    kind: &'static str,
    part: &'static str,
    /// End of the names of pods.
    end: &'static str,
    /// End of the name of the service, its port, and whether the status has it as `url`.
    service: (&'static str, u16),
    image: &'static str,
    sets: bool,
}

const SORTS: [Sort; 3] = [
    Sort {
        plural: "kafkaconnects",
        kind: "KafkaConnect",
        part: "kafka-connect",
        end: "connect",
        service: ("connect-api", 8083),
        image: "STRIMZI_KAFKA_CONNECT_IMAGES",
        sets: true,
    },
    Sort {
        plural: "kafkamirrormaker2s",
        kind: "KafkaMirrorMaker2",
        part: "kafka-mirror-maker-2",
        end: "mirrormaker2",
        service: ("mirrormaker2-api", 8083),
        image: "STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES",
        sets: true,
    },
    Sort {
        plural: "kafkabridges",
        kind: "KafkaBridge",
        part: "kafka-bridge",
        end: "bridge",
        service: ("bridge-service", 8080),
        image: "STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE",
        sets: false,
    },
];

/// One step of all resources in the namespaces that the operator watches.
pub fn run(c: &mut Cluster, watches: &dyn Fn(&str) -> bool, deployment: &Value) {
    for sort in &SORTS {
        for key in c.keys(&format!("{}.kafka.strimzi.io", sort.plural), "") {
            if key.split('/').nth(1).is_some_and(watches) {
                one(c, &key, sort, deployment);
            }
        }
    }
    connectors(c, watches);
}

/// Connectors, and the transfers from topic to topic: see `Logs::carry` of the stand-in broker.
fn connectors(c: &mut Cluster, watches: &dyn Fn(&str) -> bool) {
    let mut links = Vec::new();
    let loses = c.scenario.loses;
    for mirror in c.list("kafkamirrormaker2s.kafka.strimzi.io", "") {
        if mirror["status"]["conditions"][0]["type"] == "Ready" {
            let from = text(&mirror, "/spec/mirrors/0/topicsPattern").replace("\\.", ".");
            links.push(json!({"from": from, "to": format!("source.{from}"), "makes": true, "loses": loses}));
        }
    }
    let mut files = std::collections::BTreeMap::new();
    for key in c.keys("kafkaconnectors.kafka.strimzi.io", "") {
        let Some(object) = c.get(&key).cloned() else { continue };
        let ns = text(&object, "/metadata/namespace");
        let connect = text(&object, "/metadata/labels/strimzi.io~1cluster");
        let up = pods_of(c, ns, connect, "kafka-connect");
        let uid = text(&object, "/metadata/uid").to_owned();
        if !watches(ns) || up.is_empty() || !up.iter().all(pods::is_ready) {
            continue;
        }
        let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
        if !c.elapsed(&uid, &format!("connector {generation}"), c.scenario.timings.pick) {
            continue;
        }
        let trace = c.scenario.connector_trace.clone();
        if trace.is_none() {
            let config = &object["spec"]["config"];
            let at = files.entry(text(config, "/file").to_owned()).or_insert((None, None));
            match config["topics"].as_str() {
                Some(topic) => at.0 = Some(topic.to_owned()),
                None => at.1 = config["topic"].as_str().map(str::to_owned),
            }
        }
        if object["status"]["observedGeneration"].as_u64() == Some(generation) {
            continue;
        }
        let time = c.fine_time();
        let name = text(&object, "/metadata/name").to_owned();
        c.update(&key, |o| {
            let task = match &trace {
                Some(trace) => json!({"id": 0, "state": "FAILED", "worker_id": "w", "trace": trace}),
                None => json!({"id": 0, "state": "RUNNING", "worker_id": "w"}),
            };
            let condition = if trace.is_some() {
                json!({"lastTransitionTime": time, "status": "True", "type": "NotReady", "reason": "Throwable",
                    "message": "The following tasks have failed: 0, see connectorStatus for more details."})
            } else {
                json!({"lastTransitionTime": time, "status": "True", "type": "Ready"})
            };
            o["status"] = json!({"conditions": [condition], "observedGeneration": generation, "tasksMax": 1,
                "connectorStatus": {"name": name, "type": "sink", "tasks": [task],
                    "connector": {"state": "RUNNING", "worker_id": "w"}}});
        });
    }
    for (from, to) in files.into_values().filter_map(|(from, to)| from.zip(to)) {
        links.push(json!({"from": from, "to": to, "makes": false, "loses": loses}));
    }
    let file = c.topics.with_file_name("links.json");
    let now = json!(links).to_string();
    let was = std::fs::read_to_string(&file).unwrap_or_else(|_| "[]".into());
    if was != now {
        // The previous transfers belong to connectors that no longer exist.
        let _ = std::fs::create_dir_all(c.topics.with_file_name(""));
        crate::broker::log::write_whole(&file, now.as_bytes()).expect("FAKE_WORLD is writable");
    }
}

/// Of a list `VERSION=IMAGE` the one of a version, or all of what holds one.
fn image(deployment: &Value, variable: &str, version: &str) -> String {
    let value = desired::env(deployment, variable).unwrap_or_default();
    let of_version = value.lines().filter_map(|l| l.trim().split_once('=')).find(|(v, _)| *v == version);
    of_version.map_or(value.trim(), |(_, image)| image).to_owned()
}

fn labels(cluster: &str, kind: &str, part: &str, name: &str) -> Value {
    let mut labels = desired::labels(cluster, part, part);
    (labels["strimzi.io/kind"], labels["strimzi.io/name"]) = (json!(kind), json!(name));
    labels
}

fn one(c: &mut Cluster, key: &str, sort: &Sort, deployment: &Value) {
    let Some(object) = c.get(key).cloned() else { return };
    let uid = text(&object, "/metadata/uid").to_owned();
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
    if object["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    let ready = object["status"]["conditions"][0]["type"] == "Ready";
    if ready && object["status"]["observedGeneration"].as_u64() == Some(generation) {
        return;
    }
    let t = c.scenario.timings.clone();
    if !c.elapsed(&uid, &format!("validate {generation}"), t.pick + t.validate) {
        return;
    }
    if let Some((_, reason, message)) =
        c.scenario.refuse_beside.iter().find(|(k, ..)| k == sort.kind).cloned()
    {
        return not_ready(c, key, &reason, &message, generation);
    }
    let (ns, cluster) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
    let name = format!("{cluster}-{}", sort.end);
    let labels = labels(cluster, sort.kind, sort.part, &name);
    let owners = json!([owner(text(&object, "/apiVersion"), sort.kind, cluster, &uid, false)]);
    let image = image(deployment, sort.image, text(&object, "/spec/version"));
    let container = json!({"image": image, "imagePullPolicy": "IfNotPresent", "name": name,
        "ports": [{"containerPort": sort.service.1, "name": "rest-api", "protocol": "TCP"}]});
    service(c, ns, &format!("{cluster}-{}", sort.service.0), sort.service.1, &labels, &owners);
    if sort.sets {
        pod_set(c, ns, &name, &labels, &owners, container, &hash(&object["spec"], 8));
    } else {
        workload(c, ns, &name, &labels, &owners, vec![container], &Value::Null, "RollingUpdate");
    }
    let up = pods_of(c, ns, cluster, sort.part);
    if !up.is_empty() && up.iter().all(pods::is_ready) {
        let time = c.fine_time();
        let url = format!("http://{cluster}-{}.{ns}.svc:{}", sort.service.0, sort.service.1);
        c.update(key, |o| {
            o["status"] = json!({"conditions": [{"lastTransitionTime": time, "status": "True", "type": "Ready"}],
                "observedGeneration": generation, "replicas": 1, "url": url});
        });
    } else if c.elapsed(&uid, &format!("timeout {generation}"), t.operation_timeout) {
        let message = format!(
            "Exceeded timeout of 300000ms while waiting for Pods resource {name} in namespace {ns} to be ready"
        );
        not_ready(c, key, "StrimziTimeoutException", &message, generation);
    }
}

fn not_ready(c: &mut Cluster, key: &str, reason: &str, message: &str, generation: u64) {
    let time = c.fine_time();
    c.update(key, |o| {
        if o["status"]["conditions"][0]["reason"] == *reason
            && o["status"]["observedGeneration"].as_u64() == Some(generation)
        {
            return;
        }
        o["status"] = json!({"observedGeneration": generation, "conditions": [{"lastTransitionTime": time,
            "message": message, "reason": reason, "status": "True", "type": "NotReady"}]});
    });
}

/// Pods of a part that are not being deleted.
pub fn pods_of(c: &Cluster, ns: &str, cluster: &str, part: &str) -> Vec<Value> {
    let mine = |p: &&Value| {
        text(p, "/metadata/labels/strimzi.io~1cluster") == cluster
            && text(p, "/metadata/labels/strimzi.io~1component-type") == part
            && !p["metadata"]["deletionTimestamp"].is_string()
    };
    c.each("pods", ns).filter(mine).cloned().collect()
}

fn service(c: &mut Cluster, ns: &str, name: &str, port: u16, labels: &Value, owners: &Value) {
    c.ensure(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": ns, "labels": labels, "ownerReferences": owners},
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.17.99",
            "ports": [{"name": "rest-api", "port": port, "protocol": "TCP", "targetPort": port}],
            "selector": desired::selector(labels)},
        "status": {"loadBalancer": {}}}));
}

fn pod_set(
    c: &mut Cluster,
    ns: &str,
    name: &str,
    labels: &Value,
    owners: &Value,
    container: Value,
    revision: &str,
) {
    let pod = format!("{name}-0");
    let mut own = labels.clone();
    own["strimzi.io/controller"] = json!("strimzipodset");
    own["strimzi.io/controller-name"] = json!(name);
    own["strimzi.io/pod-name"] = json!(pod);
    let template = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"annotations": {"strimzi.io/revision": revision}, "labels": own, "name": pod, "namespace": ns},
        "spec": {"containers": [container], "hostname": pod, "serviceAccountName": name}});
    let (_, served) = text(owners, "/0/apiVersion").rsplit_once('/').unwrap_or_default();
    let set = json!({"apiVersion": format!("core.strimzi.io/{served}"), "kind": "StrimziPodSet",
        "metadata": {"labels": labels, "name": name, "namespace": ns, "ownerReferences": owners},
        "spec": {"pods": [template], "selector": {"matchLabels": desired::selector(labels)}}});
    c.put(set, "pods");
}

/// A Deployment of one pod template.
#[allow(clippy::too_many_arguments, reason = "a Deployment in one call")]
pub fn workload(
    c: &mut Cluster,
    ns: &str,
    name: &str,
    labels: &Value,
    owners: &Value,
    containers: Vec<Value>,
    volumes: &Value,
    strategy: &str,
) {
    let mut template = json!({"metadata": {"labels": labels}, "spec": {"containers": containers,
        "serviceAccountName": name, "terminationGracePeriodSeconds": 30}});
    if volumes.is_array() {
        template["spec"]["volumes"] = volumes.clone();
    }
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"labels": labels, "name": name, "namespace": ns, "ownerReferences": owners},
        "spec": {"progressDeadlineSeconds": 600, "replicas": 1, "revisionHistoryLimit": 10,
            "selector": {"matchLabels": desired::selector(labels)},
            "strategy": {"type": strategy}, "template": template},
        "status": {}});
    c.put(deployment, "template");
}

/// What is created for fields of a Kafka resource besides brokers and entity operator: field, part, variable of the
/// image.
const FIELDS: [(&str, &str, &str); 2] = [
    ("kafkaExporter", "kafka-exporter", "STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE"),
    ("cruiseControl", "cruise-control", "STRIMZI_DEFAULT_CRUISE_CONTROL_IMAGE"),
];

/// The topic operator's credentials for Cruise Control.
fn topic_operators_secret(cluster: &str) -> String {
    format!("{cluster}-entity-topic-operator-cc-api")
}

/// Create one of the parts that the Kafka resource's field requests, or delete it if the field no longer exists.
pub fn of_kafka(c: &mut Cluster, kafka: &Value, deployment: &Value, wanted: &str) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    for (field, part, variable) in FIELDS.into_iter().filter(|(_, part, _)| *part == wanted) {
        let name = format!("{cluster}-{part}");
        if !kafka["spec"][field].is_object() {
            for kind in ["deployments.apps", "services"] {
                c.delete(&format!("{kind}/{ns}/{name}"));
            }
            if part == "cruise-control" {
                c.delete(&format!("secrets/{ns}/{}", topic_operators_secret(cluster)));
            }
            continue;
        }
        let labels = labels(cluster, "Kafka", part, &name);
        let owners = json!([desired::of_kafka(kafka)]);
        let container = json!({"image": image(deployment, variable, ""), "imagePullPolicy": "IfNotPresent",
            "name": name, "ports": [{"containerPort": 9404, "name": "tcp-prometheus", "protocol": "TCP"}]});
        if part == "cruise-control" {
            service(c, ns, &name, 9090, &labels, &owners);
            c.ensure(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": topic_operators_secret(cluster), "namespace": ns, "labels": labels,
                    "ownerReferences": owners},
                "data": {"topic-operator.apiAdminName": "dG9waWMtb3BlcmF0b3I=",
                    "topic-operator.apiAdminPassword": "cGxhbnRlZC1wYXNzd29yZA=="}}));
        }
        workload(c, ns, &name, &labels, &owners, vec![container], &Value::Null, "RollingUpdate");
    }
}

/// Whether one of the parts is ready, or not requested.
pub fn of_kafka_ready(c: &Cluster, kafka: &Value, wanted: &str) -> bool {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let mut asked =
        FIELDS.iter().filter(|(field, part, _)| *part == wanted && kafka["spec"][*field].is_object());
    asked.all(|(_, part, _)| {
        let up = pods_of(c, ns, cluster, part);
        !up.is_empty() && up.iter().all(pods::is_ready)
    })
}

/// Why the operator rejects a Kafka resource because of its components.
pub fn refusal(kafka: &Value, brokers: u64) -> Option<(String, String)> {
    if !kafka["spec"]["cruiseControl"].is_object() || brokers > 1 {
        return None;
    }
    let message = format!(
        "Kafka {}/{} has invalid configuration. Cruise Control cannot be deployed with a Kafka cluster which has only \
         one broker. It requires at least two Kafka brokers.",
        text(kafka, "/metadata/namespace"),
        text(kafka, "/metadata/name")
    );
    Some(("InvalidResourceException".into(), message))
}
