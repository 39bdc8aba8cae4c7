//! What the operator creates for a Kafka resource and its pools: the rejections, the objects, the status. The objects
//! are those of recordings 01 and 02.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::deployments::{hash, owner};
use crate::pods;

/// A group of equal nodes: a KafkaNodePool, or its equivalent from before node pools.
pub struct Pool {
    pub name: String,
    pub ids: Vec<u64>,
    /// The KafkaNodePool, or null.
    pub object: Value,
    /// `roles`, `storage`, `resources`, `jvmOptions`.
    pub spec: Value,
    /// `kafka` or `zookeeper`.
    pub component: &'static str,
}

impl Pool {
    pub fn pods(&self, kafka: &Value) -> Vec<String> {
        let cluster = text(kafka, "/metadata/name");
        self.ids.iter().map(|id| format!("{cluster}-{}-{id}", self.name)).collect()
    }

    pub fn has(&self, role: &str) -> bool {
        self.spec["roles"].as_array().into_iter().flatten().any(|r| r == role)
    }
}

/// The value of an environment variable of the operator's Deployment.
pub fn env(deployment: &Value, name: &str) -> Option<String> {
    let all = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array()?;
    Some(all.iter().find(|e| e["name"] == name)?["value"].as_str()?.to_owned())
}

/// The pools of a Kafka resource, with ids assigned in order of their names.
pub fn pools(c: &Cluster, kafka: &Value) -> Vec<Pool> {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let mut used = crate::operator::node_ids_in_use(c, ns, cluster);
    let mut all = Vec::new();
    let pooled = crate::migration::pooled(kafka);
    for (name, component) in [("zookeeper", "zookeeper"), ("kafka", "kafka")] {
        let there = if component == "kafka" { !pooled } else { crate::migration::has_zookeeper(kafka) };
        if !there {
            continue;
        }
        let mut spec = kafka["spec"][name].clone();
        spec["roles"] = if component == "kafka" { json!(["broker"]) } else { json!([]) };
        let count = spec["replicas"].as_u64().unwrap_or(1);
        let ids = (0..count).collect();
        all.push(Pool { name: name.into(), ids, object: Value::Null, spec, component });
    }
    if !pooled {
        return all;
    }
    for object in c.each("kafkanodepools.kafka.strimzi.io", ns) {
        let mine = text(object, "/metadata/labels/strimzi.io~1cluster") == cluster;
        if mine && !object["metadata"]["deletionTimestamp"].is_string() {
            let (object, spec) = (object.clone(), object["spec"].clone());
            let ids = crate::operator::node_ids(&object, &mut used);
            let name = text(&object, "/metadata/name").to_owned();
            all.push(Pool { name, ids, object, spec, component: "kafka" });
        }
    }
    all
}

/// What a reconciliation processes: the generation of the Kafka resource, then of its pools.
pub fn marker(kafka: &Value, pools: &[Pool]) -> String {
    let of = |o: &Value| format!("{}:{}", text(o, "/metadata/uid"), o["metadata"]["generation"]);
    let pools: Vec<String> = pools.iter().map(|pool| of(&pool.object)).collect();
    let asked = ["pause-reconciliation", "node-pools", "kraft"]
        .map(|name| text(kafka, &format!("/metadata/annotations/strimzi.io~1{name}")).to_owned())
        .join(" ");
    // The operator reconciles again when its own status update has changed it.
    let state = text(kafka, "/status/kafkaMetadataState");
    format!("{}/{asked} {state}/{}", kafka["metadata"]["generation"], pools.join(","))
}

/// The Kafka resource with its annotations at the start of the reconciliation with this marker; node pools are listed
/// later.
pub fn as_begun(kafka: &Value, marker: &str) -> Value {
    let mut kafka = kafka.clone();
    let asked = marker.split('/').nth(1).unwrap_or_default();
    for (name, value) in ["node-pools", "kraft"].iter().zip(asked.split(' ').skip(1)) {
        let annotations = &mut kafka["metadata"]["annotations"];
        let name = format!("strimzi.io/{name}");
        match (value, annotations.as_object_mut()) {
            ("", Some(all)) => _ = all.shift_remove(&name),
            (value, _) => annotations[name] = json!(value),
        }
    }
    kafka
}

/// The Kafka versions that an operator supports, from its Deployment, with their images.
fn versions(deployment: &Value) -> Vec<(String, String)> {
    let list = env(deployment, "STRIMZI_KAFKA_IMAGES").unwrap_or_default();
    let pairs = list.lines().filter_map(|line| line.trim().split_once('='));
    pairs.map(|(version, image)| (version.to_owned(), image.to_owned())).collect()
}

/// Why the operator rejects a Kafka resource: reason and message.
pub fn refusal(kafka: &Value, pools: &[Pool], deployment: &Value) -> Option<(String, String)> {
    let known = versions(deployment);
    let version = text(kafka, "/spec/kafka/version");
    if !version.is_empty() && !known.is_empty() && !known.iter().any(|(v, _)| v == version) {
        let known: Vec<&str> = known.iter().map(|(v, _)| v.as_str()).collect();
        let known = known.join(", ");
        let message =
            format!("Unsupported Kafka.spec.kafka.version: {version}. Supported versions are: [{known}]");
        return Some(("UnsupportedKafkaVersionException".into(), message));
    }
    if let Some(refusal) = crate::migration::refusal(kafka, pools, deployment) {
        return Some(refusal);
    }
    let name = text(kafka, "/metadata/name");
    if pools.is_empty() {
        let message = format!("No KafkaNodePools found for Kafka cluster {name}");
        return Some(("InvalidConfigurationException".into(), message));
    }
    let brokers: u64 = pools.iter().filter(|p| p.has("broker")).map(|p| p.ids.len() as u64).sum();
    for option in [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
    ] {
        let value = &kafka["spec"]["kafka"]["config"][option];
        let value = value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(1);
        if value > brokers {
            let message = format!(
                "Kafka configuration option '{option}' should be set to {brokers} because this cluster has only \
                 {brokers} Kafka broker(s)."
            );
            return Some(("InvalidResourceException".into(), message));
        }
    }
    crate::components::refusal(kafka, brokers)
}

pub fn labels(cluster: &str, name: &str, component: &str) -> Value {
    json!({
        "app.kubernetes.io/instance": cluster, "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": format!("strimzi-{cluster}"),
        "strimzi.io/cluster": cluster, "strimzi.io/component-type": component, "strimzi.io/kind": "Kafka",
        "strimzi.io/name": format!("{cluster}-{component}"),
    })
}

/// Those of these labels that belong in a selector.
pub fn selector(labels: &Value) -> Value {
    json!({"strimzi.io/cluster": labels["strimzi.io/cluster"], "strimzi.io/kind": labels["strimzi.io/kind"],
        "strimzi.io/name": labels["strimzi.io/name"]})
}

/// Id, size and class of a pool's persistent volumes.
fn volumes(pool: &Pool) -> Vec<(String, Value)> {
    let storage = &pool.spec["storage"];
    let named = |volume: &Value| match volume["id"].as_u64() {
        Some(id) => format!("data-{id}"),
        None => "data".to_owned(),
    };
    let all = match text(storage, "/type") {
        "jbod" => storage["volumes"].as_array().cloned().unwrap_or_default(),
        _ => vec![storage.clone()],
    };
    all.iter().filter(|v| v["type"] == "persistent-claim").map(|v| (named(v), v.clone())).collect()
}

pub fn claims(c: &mut Cluster, kafka: &Value, pools: &[Pool]) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    for pool in pools {
        for pod in pool.pods(kafka) {
            for (volume, spec) in volumes(pool) {
                let name = format!("{volume}-{pod}");
                let mut labels = labels(cluster, "kafka", pool.component);
                labels["strimzi.io/pool-name"] = json!(pool.name);
                let class = spec["class"].as_str().unwrap_or_default();
                let delete = spec["deleteClaim"] == true;
                let mut claim = json!({
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "metadata": {"annotations": {"strimzi.io/delete-claim": delete.to_string()},
                        "finalizers": ["kubernetes.io/pvc-protection"], "labels": labels, "name": name, "namespace": ns},
                    "spec": {"accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": spec["size"]}},
                        "storageClassName": class, "volumeMode": "Filesystem"},
                    "status": {"phase": "Pending"},
                });
                if delete {
                    claim["metadata"]["ownerReferences"] = json!([of_kafka(kafka)]);
                }
                c.ensure(claim);
            }
        }
    }
}

pub fn of_kafka(kafka: &Value) -> Value {
    let (api, name) = (text(kafka, "/apiVersion"), text(kafka, "/metadata/name"));
    owner(api, "Kafka", name, text(kafka, "/metadata/uid"), false)
}

pub fn services(c: &mut Cluster, kafka: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    for suffix in ["kafka-bootstrap", "kafka-brokers"] {
        let labels = labels(cluster, "kafka", "kafka");
        let mut selector = selector(&labels);
        selector["strimzi.io/broker-role"] = json!("true");
        c.ensure(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("{cluster}-{suffix}"), "namespace": ns, "labels": labels,
                "ownerReferences": [of_kafka(kafka)]},
            "spec": {"type": "ClusterIP", "selector": selector,
                "ports": [{"name": "tcp-clients", "port": 9092, "protocol": "TCP", "targetPort": 9092}],
                "clusterIP": if suffix == "kafka-brokers" { "None" } else { "10.96.17.23" }},
            "status": {"loadBalancer": {}}}));
    }
}

/// The id of a Kafka cluster, after its pods were created.
pub fn cluster_id(c: &Cluster, kafka: &Value) -> Option<String> {
    c.memory.cluster_ids.get(text(kafka, "/metadata/uid")).cloned()
}

/// The status of the pools, such as `nodeIds`.
pub fn pool_status(c: &mut Cluster, kafka: &Value, pools: &[Pool]) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let id = cluster_id(c, kafka);
    for pool in pools.iter().filter(|p| p.object.is_object()) {
        let selector = format!(
            "strimzi.io/cluster={cluster},strimzi.io/name={cluster}-kafka,strimzi.io/kind=Kafka,strimzi.io/pool-name={}",
            pool.name
        );
        c.update(&format!("kafkanodepools.kafka.strimzi.io/{ns}/{}", pool.name), |o| {
            let mut status = json!({});
            if let Some(id) = &id {
                status["clusterId"] = json!(id);
            }
            status["conditions"] = json!([]);
            status["labelSelector"] = json!(selector);
            status["nodeIds"] = json!(pool.ids);
            status["observedGeneration"] = pool.object["metadata"]["generation"].clone();
            status["replicas"] = json!(pool.ids.len());
            status["roles"] = pool.spec["roles"].clone();
            o["status"] = status;
        });
    }
}

fn kafka_version(kafka: &Value, deployment: &Value) -> (String, String) {
    let known = versions(deployment);
    let wanted = text(kafka, "/spec/kafka/version");
    let found = known.iter().find(|(v, _)| v == wanted).or(known.last()).cloned();
    found.unwrap_or_else(|| ("4.3.1".into(), "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1".into()))
}

/// The StrimziPodSets, whose pods [`pod_sets`] then makes.
pub fn make_pod_sets(c: &mut Cluster, kafka: &Value, pools: &[Pool], deployment: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let (version, image) = kafka_version(kafka, deployment);
    let image = kafka["spec"]["kafka"]["image"].as_str().map_or(image, str::to_owned);
    if cluster_id(c, kafka).is_none() {
        // An id in the status is used: this is how a cluster is recovered from its volumes.
        let id = match text(kafka, "/status/clusterId") {
            "" => crate::topics::base64(&c.random()),
            given => given.to_owned(),
        };
        c.memory.cluster_ids.insert(text(kafka, "/metadata/uid").to_owned(), id);
    }
    for pool in pools {
        let name = format!("{cluster}-{}", pool.name);
        let mut set_labels = labels(cluster, "kafka", pool.component);
        set_labels["strimzi.io/pool-name"] = json!(pool.name);
        let pods: Vec<Value> = pool
            .pods(kafka)
            .into_iter()
            .map(|pod| pod_template(kafka, pool, &pod, &name, &set_labels, (&version, &image)))
            .collect();
        let owner = if pool.object.is_object() {
            let api = text(&pool.object, "/apiVersion");
            owner(api, "KafkaNodePool", &pool.name, text(&pool.object, "/metadata/uid"), false)
        } else {
            of_kafka(kafka)
        };
        // An operator before 1.0 writes the version that it reads: v1beta2.
        let (_, served) = text(kafka, "/apiVersion").rsplit_once('/').unwrap_or_default();
        let set = json!({
            "apiVersion": format!("core.strimzi.io/{served}"), "kind": "StrimziPodSet",
            "metadata": {"annotations": {"strimzi.io/kafka-version": version,
                    "strimzi.io/storage": pool.spec["storage"].to_string()},
                "labels": set_labels, "name": name, "namespace": ns, "ownerReferences": [owner]},
            "spec": {"pods": pods, "selector": {"matchLabels": {"strimzi.io/cluster": cluster,
                "strimzi.io/kind": "Kafka", "strimzi.io/name": format!("{cluster}-kafka"),
                "strimzi.io/pool-name": pool.name}}},
        });
        c.put(set, "pods");
    }
    if let Some(now) = c.get(&format!("kafkas.kafka.strimzi.io/{ns}/{cluster}")).cloned() {
        pool_status(c, &now, pools);
    }
}

fn pod_template(
    kafka: &Value,
    pool: &Pool,
    pod: &str,
    set: &str,
    set_labels: &Value,
    (version, image): (&str, &str),
) -> Value {
    let mut labels = set_labels.clone();
    if pool.component == "kafka" {
        labels["strimzi.io/broker-role"] = json!(pool.has("broker").to_string());
        labels["strimzi.io/controller-role"] = json!(pool.has("controller").to_string());
    }
    labels["strimzi.io/controller"] = json!("strimzipodset");
    labels["strimzi.io/controller-name"] = json!(set);
    labels["strimzi.io/pod-name"] = json!(pod);
    let mut pod_volumes = Vec::new();
    let mut mounts = Vec::new();
    for (volume, _) in volumes(pool) {
        pod_volumes
            .push(json!({"name": volume, "persistentVolumeClaim": {"claimName": format!("{volume}-{pod}")}}));
        mounts.push(json!({"mountPath": format!("/var/lib/kafka/{volume}"), "name": volume}));
    }
    let additional = &kafka["spec"]["kafka"]["template"]["pod"]["volumes"];
    pod_volumes.extend(additional.as_array().into_iter().flatten().cloned());
    let port = |name: &str, port: u64| json!({"containerPort": port, "name": name, "protocol": "TCP"});
    let container = json!({
        "image": image, "imagePullPolicy": "IfNotPresent", "name": pool.component,
        "ports": [port("tcp-ctrlplane", 9090), port("tcp-replication", 9091), port("tcp-clients", 9092),
            port("tcp-clientstls", 9093)],
        "resources": pool.spec.get("resources").cloned().unwrap_or(json!({})), "volumeMounts": mounts,
    });
    let spec = json!({"containers": [container], "hostname": pod,
        "serviceAccountName": format!("{}-kafka", text(kafka, "/metadata/name")),
        "subdomain": format!("{}-kafka-brokers", text(kafka, "/metadata/name")),
        "terminationGracePeriodSeconds": 30, "volumes": pod_volumes});
    let heap = text(&pool.spec, "/jvmOptions/-Xms");
    // Dynamic options are changed without a restart (recording 17); other changes need new pods.
    let config = &kafka["spec"]["kafka"]["config"];
    let (listeners, metrics) =
        (&kafka["spec"]["kafka"]["listeners"], &kafka["spec"]["kafka"]["metricsConfig"]);
    let reporter = kafka["spec"]["cruiseControl"].is_object();
    let protocol = &config["inter.broker.protocol.version"];
    let mode = crate::migration::configuration(kafka, pool);
    let revision = hash(
        &json!([spec, version, heap, config["num.partitions"], listeners, metrics, reporter, protocol, mode]),
        8,
    );
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"annotations": {"strimzi.io/cluster-ca-cert-generation": "0",
                "strimzi.io/kafka-version": version, "strimzi.io/revision": revision},
            "labels": labels, "name": pod, "namespace": text(kafka, "/metadata/namespace")},
        "spec": spec})
}

/// A pod's template in its StrimziPodSet.
pub fn template<'a>(set: &'a Value, pod: &str) -> Option<&'a Value> {
    set["spec"]["pods"].as_array()?.iter().find(|t| text(t, "/metadata/name") == pod)
}

/// The pod set controller: creates missing pods and deletes surplus ones.
pub fn pod_sets(c: &mut Cluster) {
    for key in c.keys("strimzipodsets.core.strimzi.io", "") {
        let set = c.objects[&key].clone();
        if set["metadata"]["deletionTimestamp"].is_string() {
            continue;
        }
        let (ns, name) = (text(&set, "/metadata/namespace"), text(&set, "/metadata/name"));
        let wanted = set["spec"]["pods"].as_array().cloned().unwrap_or_default();
        let (mut current, mut ready) = (0, 0);
        let mut refused = None;
        for template in &wanted {
            let pod_key = format!("pods/{ns}/{}", text(template, "/metadata/name"));
            let Some(pod) = c.get(&pod_key).cloned() else {
                // In the words of the operator's client; the reconciliation ends there.
                if let Some(words) = pods::refusal(c, text(template, "/metadata/name")) {
                    refused = Some(format!(
                        "Failure executing: POST at: https://10.96.0.1:443/api/v1/namespaces/{ns}/pods. Message: {words}. \
                         Received status: Status(apiVersion=v1, code=403, kind=Status, reason=Forbidden, status=Failure)."
                    ));
                    break;
                }
                let mut meta = template["metadata"].clone();
                let uid = text(&set, "/metadata/uid");
                meta["ownerReferences"] =
                    json!([owner(text(&set, "/apiVersion"), "StrimziPodSet", name, uid, true)]);
                pods::create(c, meta, template["spec"].clone());
                continue;
            };
            let revision = "/metadata/annotations/strimzi.io~1revision";
            if text(&pod, revision) != text(template, revision) {
                c.delete(&pod_key);
                continue;
            }
            current += 1;
            ready += u64::from(pods::is_ready(&pod));
        }
        let surplus = |pod: &&Value| {
            let mine = text(pod, "/metadata/labels/strimzi.io~1controller-name") == name;
            mine && template(&set, text(pod, "/metadata/name")).is_none()
        };
        let surplus: Vec<String> =
            c.each("pods", ns).filter(surplus).map(|p| text(p, "/metadata/name").to_owned()).collect();
        for pod in surplus {
            c.delete(&format!("pods/{ns}/{pod}"));
        }
        let time = c.fine_time();
        c.update(&key, |o| {
            if let Some(words) = refused {
                let since = o["status"]["conditions"][0]["lastTransitionTime"].as_str().unwrap_or(&time);
                o["status"] = json!({"observedGeneration": o["metadata"]["generation"], "pods": 0, "readyPods": 0,
                    "currentPods": 0, "conditions": [{"type": "Error", "status": "true", "message": words,
                        "reason": "KubernetesClientException", "lastTransitionTime": since}]});
                return;
            }
            o["status"] = json!({"currentPods": current, "observedGeneration": o["metadata"]["generation"],
                "pods": wanted.len(), "readyPods": ready});
        });
    }
}

pub fn entity_operator(c: &mut Cluster, kafka: &Value, deployment: &Value) {
    let wanted = &kafka["spec"]["entityOperator"];
    if !wanted.is_object() {
        return;
    }
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let name = format!("{cluster}-entity-operator");
    let mut containers = Vec::new();
    for (field, container, variable) in [
        ("topicOperator", "topic-operator", "STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE"),
        ("userOperator", "user-operator", "STRIMZI_DEFAULT_USER_OPERATOR_IMAGE"),
    ] {
        if wanted[field].is_object() {
            let image = env(deployment, variable).unwrap_or_else(|| "quay.io/strimzi/operator:1.2.0".into());
            containers.push(json!({"image": image, "imagePullPolicy": "IfNotPresent", "name": container}));
        }
    }
    let labels = labels(cluster, "entity-operator", "entity-operator");
    let owners = json!([of_kafka(kafka)]);
    let volumes = &wanted["template"]["pod"]["volumes"];
    crate::components::workload(c, ns, &name, &labels, &owners, containers, volumes, "Recreate");
}

/// Whether the entity operator is Available, or not requested.
pub fn entity_ready(c: &Cluster, kafka: &Value) -> bool {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    if !kafka["spec"]["entityOperator"].is_object() {
        return true;
    }
    let entity = c.get(&format!("deployments.apps/{ns}/{cluster}-entity-operator"));
    entity.is_some_and(|d| {
        d["status"]["observedGeneration"] == d["metadata"]["generation"] && d["status"]["readyReplicas"] == 1
    })
}

/// The condition that 1.2.0 adds to every Kafka resource.
pub fn security() -> Value {
    json!({"authentication": {"type": "strimzi-mtls"}, "encryption": {"type": "strimzi-tls"}})
}

pub fn ready_status(kafka: &Value, pools: &[Pool], deployment: &Value, time: &str) -> Value {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let (version, _) = kafka_version(kafka, deployment);
    let mut parts = version.split('.');
    let short = format!("{}.{}", parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let metadata = match text(kafka, "/spec/kafka/metadataVersion") {
        "" => format!("{short}-IV0"),
        given => given.to_owned(),
    };
    let operator = text(deployment, "/spec/template/spec/containers/0/image");
    let release = operator.rsplit_once(':').map_or("1.2.0", |(_, tag)| tag);
    let mut conditions = Vec::new();
    let ephemeral = |role: &str| {
        let of_role: Vec<&Pool> = pools.iter().filter(|p| p.has(role)).collect();
        let nodes: usize = of_role.iter().map(|p| p.ids.len()).sum();
        nodes == 1 && of_role.iter().all(|p| volumes(p).is_empty())
    };
    for (role, loss) in [("broker", "lose topic messages"), ("controller", "lose data")] {
        if ephemeral(role) {
            let message = format!(
                "A Kafka cluster with a single {role} node and ephemeral storage will {loss} after any restart or \
                 rolling update."
            );
            conditions.push(json!({"lastTransitionTime": time, "message": message, "reason": "KafkaStorage",
                "status": "True", "type": "Warning"}));
        }
    }
    conditions.push(json!({"lastTransitionTime": time, "status": "True", "type": "Ready"}));
    let host = format!("{cluster}-kafka-bootstrap.{ns}.svc");
    let listeners = kafka["spec"]["kafka"]["listeners"].as_array().into_iter().flatten().map(|l| {
        let port = &l["port"];
        let mut out = json!({"addresses": [{"host": host, "port": port}],
            "bootstrapServers": format!("{host}:{port}")});
        if l["tls"] == true {
            out["certificates"] = json!(["REDACTED"]);
        }
        out["name"] = l["name"].clone();
        out
    });
    let listeners: Vec<Value> = listeners.collect();
    let names: Vec<Value> =
        pools.iter().filter(|p| p.object.is_object()).map(|p| json!({"name": p.name})).collect();
    let mut status = json!({"clusterId": "", "clusterSecurity": security(), "conditions": conditions,
        "kafkaMetadataVersion": metadata, "kafkaNodePools": names, "kafkaVersion": version,
        "listeners": listeners, "observedGeneration": null, "operatorLastSuccessfulVersion": release});
    crate::migration::status(kafka, deployment, time, &mut status);
    status
}
