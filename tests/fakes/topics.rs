//! The topic and the user operator, which work only while a cluster's entity operator runs.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::broker::log::{Logs, write_whole};
use crate::cluster::{Cluster, text};
use crate::{managed, pods};

/// The finalizer that holds a topic until its operator has seen the deletion.
const FINALIZER: &str = "strimzi.io/topic-operator";

/// The status of a resource that is paused or unmanaged.
const HELD: [&str; 2] = ["Unmanaged", "ReconciliationPaused"];
const PAUSED: &str = HELD[1];

/// Which of them holds.
fn held(object: &Value) -> Option<&'static str> {
    let annotations = &object["metadata"]["annotations"];
    match annotations {
        _ if annotations["strimzi.io/managed"] == "false" => Some(HELD[0]),
        _ if annotations["strimzi.io/pause-reconciliation"] == "true" => Some(PAUSED),
        _ => None,
    }
}

pub fn run(c: &mut Cluster) {
    for key in c.keys("kafkatopics.kafka.strimzi.io", "") {
        topic(c, &key);
    }
    for key in c.keys("kafkausers.kafka.strimzi.io", "") {
        user(c, &key);
    }
    c.writes_in = None;
}

/// The cluster in a resource's label, if its entity operator runs in the resource's namespace.
fn served_cluster(c: &mut Cluster, object: &Value) -> Option<String> {
    let cluster = text(object, "/metadata/labels/strimzi.io~1cluster");
    let ns = text(object, "/metadata/namespace");
    let operator = c.each("pods", ns).find(|pod| {
        text(pod, "/metadata/labels/strimzi.io~1component-type") == "entity-operator"
            && text(pod, "/metadata/labels/strimzi.io~1cluster") == cluster
            && !pod["metadata"]["deletionTimestamp"].is_string()
            && pods::is_ready(pod)
    });
    operator?;
    // Unlike the cluster operator, the topic and the user operator of 0.49 to 0.51 write in v1.
    let speaks = if managed::serves(c, "v1") { "v1" } else { "v1beta2" };
    c.writes_in = Some(speaks);
    (managed::serves(c, speaks) && !cluster.is_empty()).then(|| cluster.to_owned())
}

fn brokers(c: &Cluster, ns: &str, cluster: &str) -> u64 {
    let of_cluster = |pod: &&Value| {
        text(pod, "/metadata/labels/strimzi.io~1cluster") == cluster
            && text(pod, "/metadata/labels/strimzi.io~1broker-role") == "true"
    };
    c.each("pods", ns).filter(of_cluster).count() as u64
}

/// Lock the brokers' logs while it exists.
fn lock(c: &Cluster) -> fs::File {
    let brokers = c.topics.parent().expect("a folder of brokers");
    Logs::open(brokers).and_then(|logs| logs.lock()).expect("FAKE_WORLD is writable")
}

fn topic(c: &mut Cluster, key: &str) {
    let settled = |topic: &&Value| {
        let told = HELD.into_iter().find(|held| text(topic, "/status/conditions/0/type") == *held);
        topic["status"]["observedGeneration"] == topic["metadata"]["generation"]
            && held(topic) == told
            && !topic["metadata"]["deletionTimestamp"].is_string()
    };
    let Some(topic) = c.get(key).filter(|topic| !settled(topic)).cloned() else { return };
    let Some(cluster) = served_cluster(c, &topic) else { return };
    let uid = text(&topic, "/metadata/uid").to_owned();
    let ns = text(&topic, "/metadata/namespace");
    let name = match text(&topic, "/spec/topicName") {
        "" => text(&topic, "/metadata/name").to_owned(),
        name => name.to_owned(),
    };
    let wait = c.scenario.timings.topic;
    // The layout of the fake broker's logs.
    let folder = c.topics.join(&name);
    let file = folder.join("meta.json");
    // If several resources describe one topic, the first one manages it.
    let manager = manager(c, &topic, &cluster, &name);
    let held = held(&topic);
    let managed = held != Some("Unmanaged");
    if topic["metadata"]["deletionTimestamp"].is_string() {
        if c.elapsed(&uid, "deleted", wait) {
            let lock = lock(c);
            if managed && manager.is_none() {
                let _ = fs::remove_dir_all(&folder);
            }
            drop(lock);
            c.update(key, |o| {
                if let Some(list) = o["metadata"]["finalizers"].as_array_mut() {
                    list.retain(|f| f != FINALIZER);
                }
            });
        }
        return;
    }
    let generation = topic["metadata"]["generation"].as_u64().unwrap_or(1);
    if !c.elapsed(&uid, &format!("generation {generation} {}", held.unwrap_or("")), wait) {
        return;
    }
    if let Some(held) = held {
        let time = c.fine_time();
        c.update(key, |o| {
            let held = json!({"lastTransitionTime": time, "status": "True", "type": held});
            o["status"] = json!({"conditions": [held], "observedGeneration": generation, "topicName": name});
        });
        return;
    }
    let replicas = topic["spec"]["replicas"].as_u64().unwrap_or(1);
    // The broker, another process, reads and writes there, too.
    let lock = lock(c);
    let old: Option<Value> = fs::read_to_string(&file).ok().and_then(|text| text.parse().ok());
    let had = old.as_ref().and_then(|old| old["partitions"].as_u64()).unwrap_or(0);
    // An existing topic is taken over, and keeps every setting that the resource does not have.
    let partitions = topic["spec"]["partitions"].as_u64().unwrap_or(had.max(1));
    let failure = if let Some(manager) = &manager {
        Some(("ResourceConflict", format!("Managed by Ref{{namespace='{ns}', name='{manager}'}}")))
    } else if replicas > brokers(c, ns, &cluster) {
        let message = format!(
            "org.apache.kafka.common.errors.InvalidReplicationFactorException: Unable to replicate the partition \
             {replicas} time(s): The target replication factor of {replicas} cannot be reached because only {} \
             broker(s) are registered or some brokers have all their log directories cordoned.",
            brokers(c, ns, &cluster)
        );
        Some(("KafkaError", message))
    } else if let Some(key) = unknown_option(&topic["spec"]["config"]) {
        let class = "org.apache.kafka.common.errors.InvalidConfigException";
        Some(("KafkaError", format!("{class}: Unknown topic config name: {key}")))
    } else if partitions < had {
        Some(("NotSupported", "Decreasing partitions not supported".to_owned()))
    } else {
        None
    };
    let id = match &old {
        Some(old) => text(old, "/id").to_owned(),
        None => c.uid(),
    };
    if failure.is_none() {
        fs::create_dir_all(&folder).expect("FAKE_WORLD is writable");
        let mut meta = old.clone().unwrap_or_else(|| json!({"name": name, "id": id, "starts": {}}));
        meta["partitions"] = json!(partitions);
        write_whole(&file, meta.to_string().as_bytes()).expect("FAKE_WORLD is writable");
    }
    drop(lock);
    let time = c.fine_time();
    let created = manager.is_none() && (failure.is_none() || old.is_some());
    c.update(key, |o| {
        let held = o["metadata"]["finalizers"].as_array().is_some_and(|f| f.iter().any(|f| f == FINALIZER));
        if !held {
            o["metadata"]["finalizers"] = json!([FINALIZER]);
        }
        let mut ready = json!({"lastTransitionTime": time, "status": "True", "type": "Ready"});
        if let Some((reason, message)) = failure {
            ready = json!({"lastTransitionTime": time, "message": message, "reason": reason,
                "status": "False", "type": "Ready"});
        }
        let mut status = json!({"conditions": [ready], "observedGeneration": generation});
        if created {
            status["topicId"] = json!(base64(&id));
        }
        status["topicName"] = json!(name);
        o["status"] = status;
    });
}

/// The other resource that manages this topic, if there is one.
fn manager(c: &Cluster, topic: &Value, cluster: &str, name: &str) -> Option<String> {
    let uid = text(topic, "/metadata/uid");
    if !text(topic, "/status/topicId").is_empty() {
        return None;
    }
    let others = c.each("kafkatopics.kafka.strimzi.io", text(topic, "/metadata/namespace"));
    let has_it = |other: &&Value| {
        let claims = match text(other, "/spec/topicName") {
            "" => text(other, "/metadata/name"),
            name => name,
        };
        claims == name
            && text(other, "/metadata/uid") != uid
            && text(other, "/metadata/labels/strimzi.io~1cluster") == cluster
            && !text(other, "/status/topicId").is_empty()
    };
    others.into_iter().find(has_it).map(|other| text(other, "/metadata/name").to_owned())
}

/// The first setting that does not belong to topics: Kafka's own have these prefixes.
fn unknown_option(config: &Value) -> Option<String> {
    const FAMILIES: [&str; 14] = [
        "cleanup.",
        "compression.",
        "delete.retention.",
        "file.delete.",
        "flush.",
        "index.",
        "max.",
        "message.",
        "min.",
        "preallocate",
        "retention.",
        "segment.",
        "unclean.",
        "local.retention.",
    ];
    let known = |key: &&String| FAMILIES.iter().any(|f| key.starts_with(f));
    config.as_object()?.keys().find(|key| !known(key)).cloned()
}

/// A 128-bit id as Kafka prints it: 22 characters of base64url, from 32 hex digits.
pub fn base64(hex: &str) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_str_radix(&hex.replace('-', ""), 16).unwrap_or(0);
    let sign = |place: u32| {
        // The last sign holds two bits.
        let bits = if place == 21 { number << 4 } else { number >> (122 - 6 * place) };
        SIGNS[(bits & 63) as usize] as char
    };
    (0..22).map(sign).collect()
}

fn user(c: &mut Cluster, key: &str) {
    let Some(user) = c.get(key).cloned() else { return };
    let Some(cluster) = served_cluster(c, &user) else { return };
    let uid = text(&user, "/metadata/uid").to_owned();
    let ns = text(&user, "/metadata/namespace");
    let generation = user["metadata"]["generation"].as_u64().unwrap_or(1);
    let paused = held(&user) == Some(PAUSED);
    let told = text(&user, "/status/conditions/0/type") == PAUSED;
    if user["status"]["observedGeneration"].as_u64() == Some(generation) && paused == told
        || !c.elapsed(&uid, &format!("generation {generation} {paused}"), c.scenario.timings.topic)
    {
        return;
    }
    if paused {
        let time = c.fine_time();
        c.update(key, |o| {
            let paused = json!({"lastTransitionTime": time, "status": "True", "type": PAUSED});
            o["status"]["conditions"] = json!([paused]);
            o["status"]["observedGeneration"] = json!(generation);
        });
        return;
    }
    let kafka = c.get(&format!("kafkas.kafka.strimzi.io/{ns}/{cluster}"));
    let authorizes = kafka.is_some_and(|k| k["spec"]["kafka"]["authorization"].is_object());
    let refused = user["spec"]["authorization"].is_object() && !authorizes;
    let time = c.fine_time();
    let name = text(&user, "/metadata/name").to_owned();
    let principal = credentials(c, &user, !refused);
    c.update(key, |o| {
        let condition = if refused {
            json!({"lastTransitionTime": time, "message": "java.util.concurrent.ExecutionException: \
                io.strimzi.operator.common.model.InvalidResourceException: Simple authorization ACL rules are \
                configured but not supported in the Kafka cluster configuration",
                "reason": "ExecutionException", "status": "True", "type": "NotReady"})
        } else {
            json!({"lastTransitionTime": time, "status": "True", "type": "Ready"})
        };
        o["status"] = json!({"conditions": [condition], "observedGeneration": generation,
            "secret": name, "username": principal});
    });
}

const CA: &str = include_str!("../fixtures/tls/ca.crt");
const USER: &str = include_str!("../fixtures/tls/user.crt");
const USER_KEY: &str = include_str!("../fixtures/tls/user.key");

/// The Secret of an existing user, and the name by which Kafka identifies it. The fields are those of recording 01.
fn credentials(c: &mut Cluster, user: &Value, there: bool) -> String {
    let (ns, name) = (text(user, "/metadata/namespace"), text(user, "/metadata/name"));
    let tls = text(user, "/spec/authentication/type") == "tls";
    let key = format!("secrets/{ns}/{name}");
    let own = |secret: &Value| text(secret, "/metadata/ownerReferences/0/uid") == text(user, "/metadata/uid");
    if there && !c.get(&key).is_some_and(own) {
        // Users' certificates expire together with Strimzi's.
        let old = c.scenario.expired.iter().any(|e| e == "strimzi");
        let cert = if old { include_str!("../fixtures/ended-2021.crt") } else { USER };
        let data = if tls {
            json!({"ca.crt": STANDARD.encode(CA), "user.crt": STANDARD.encode(cert),
                "user.key": STANDARD.encode(USER_KEY), "user.p12": STANDARD.encode([0x30, 0x82, 0xff, 0xfe]),
                "user.password": STANDARD.encode("p12-password")})
        } else {
            let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required";
            let jaas = format!("{jaas} username=\"{name}\" password=\"scram-password\";");
            json!({"password": STANDARD.encode("scram-password"), "sasl.jaas.config": STANDARD.encode(jaas)})
        };
        let (api, uid) = (text(user, "/apiVersion"), text(user, "/metadata/uid"));
        let owner = crate::deployments::owner(api, "KafkaUser", name, uid, false);
        let cluster = text(user, "/metadata/labels/strimzi.io~1cluster");
        let labels = json!({"app.kubernetes.io/instance": name, "app.kubernetes.io/managed-by": "strimzi-user-operator",
            "app.kubernetes.io/name": "strimzi-user-operator", "app.kubernetes.io/part-of": format!("strimzi-{name}"),
            "strimzi.io/cluster": cluster, "strimzi.io/kind": "KafkaUser"});
        let metadata = json!({"name": name, "namespace": ns, "labels": labels, "ownerReferences": [owner]});
        if c.get(&key).is_some() {
            // The owner of the Secret does not matter: its data is replaced (seen with the real operator).
            c.update(&key, |o| {
                o["data"] = data;
                for field in ["labels", "ownerReferences"] {
                    o["metadata"][field] = metadata[field].clone();
                }
            });
        } else {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
                "metadata": metadata});
            c.add(secret);
        }
    }
    if tls { format!("CN={name}") } else { name.to_owned() }
}
