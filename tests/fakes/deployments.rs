//! The Deployment and ReplicaSet controllers in one: one pod for every template; the old one is deleted when the new
//! one is ready (or immediately, with strategy Recreate).

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cluster::{Cluster, condition, text};
use crate::pods;

pub fn run(c: &mut Cluster) {
    for key in c.keys("deployments.apps", "") {
        one(c, &key);
    }
}

/// A short hash of a JSON value.
pub fn hash(value: &Value, digits: usize) -> String {
    let digest = Sha256::digest(value.to_string());
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    hex[..digits].to_owned()
}

fn one(c: &mut Cluster, key: &str) {
    let Some(deployment) = c.get(key).cloned() else { return };
    if deployment["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    let (ns, name) = (text(&deployment, "/metadata/namespace"), text(&deployment, "/metadata/name"));
    let uid = text(&deployment, "/metadata/uid");
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let version = format!("{uid}/{}", deployment["metadata"]["generation"]);
    let known = c.memory.templates.get(&version).cloned();
    let hash = known.unwrap_or_else(|| {
        let hash = hash(&deployment["spec"]["template"], 10);
        c.memory.templates.insert(version, hash.clone());
        hash
    });
    let set_name = format!("{name}-{hash}");
    let set_key = format!("replicasets.apps/{ns}/{set_name}");
    if c.get(&set_key).is_none() {
        let mut template = deployment["spec"]["template"].clone();
        template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
        let mut labels = template["metadata"]["labels"].clone();
        labels["pod-template-hash"] = json!(hash);
        let set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": set_name, "namespace": ns, "labels": labels,
                "ownerReferences": [owner("apps/v1", "Deployment", name, uid, true)]},
            "spec": {"replicas": replicas, "template": template},
        });
        c.add(set);
        let message = format!("Scaled up replica set {set_name} from 0 to {replicas}");
        c.event(&deployment, "Normal", "ScalingReplicaSet", &message, "deployment-controller");
        let time = c.time();
        c.update(key, |o| {
            let revision = text(o, "/metadata/annotations/deployment.kubernetes.io~1revision");
            let revision = revision.parse::<u32>().unwrap_or(0) + 1;
            o["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(revision.to_string());
            let created = json!({"lastUpdateTime": time, "reason": "NewReplicaSetCreated", "status": "True",
                "message": format!("Created new replica set \"{set_name}\""), "type": "Progressing"});
            condition(&mut o["status"]["conditions"], created, &time);
        });
        return;
    }
    let set_uid = text(&c.objects[&set_key], "/metadata/uid").to_owned();
    let of_set = |o: &Value, uid: &str| text(o, "/metadata/ownerReferences/0/uid") == uid;
    let living = |o: &Value| !o["metadata"]["deletionTimestamp"].is_string();
    let mine: Vec<&Value> = c.each("pods", ns).filter(|p| of_set(p, &set_uid) && living(p)).collect();
    let ready = mine.iter().filter(|p| pods::is_ready(p)).count() as u64;
    let before = mine.len() as u64;
    let (mut there, mut refused) = (before, None);
    for _ in before..replicas {
        match make_pod(c, &set_key, &deployment) {
            None => there += 1,
            Some(words) => refused = Some(words),
        }
    }
    let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
    let mut old_pods = 0;
    let others: Vec<String> = c
        .each("replicasets.apps", ns)
        .filter(|set| of_set(set, uid) && text(set, "/metadata/uid") != set_uid)
        .map(|set| text(set, "/metadata/uid").to_owned())
        .collect();
    for old_uid in others {
        for pod in c.list("pods", ns).iter().filter(|p| of_set(p, &old_uid) && living(p)) {
            old_pods += 1;
            if recreate || ready >= replicas {
                c.delete(&format!("pods/{ns}/{}", text(pod, "/metadata/name")));
            }
        }
    }
    status(c, key, &set_name, [replicas, there, ready, old_pods], refused);
}

/// `refused`: why a pod of the ReplicaSet could not be created, which is a condition of the Deployment as long as it
/// applies.
fn status(c: &mut Cluster, key: &str, set: &str, counts: [u64; 4], refused: Option<String>) {
    let [replicas, there, ready, old] = counts;
    let time = c.time();
    c.update(key, |o| {
        let mut conditions = o["status"]["conditions"].clone();
        let available = ready >= replicas;
        let (status, reason, message) = if available {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        let new = json!({"lastUpdateTime": time, "message": message, "reason": reason, "status": status,
            "type": "Available"});
        settle(&mut conditions, new, &time);
        let (reason, message) = if available {
            ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
        } else {
            ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
        };
        let new = json!({"lastUpdateTime": time, "message": message, "reason": reason, "status": "True",
            "type": "Progressing"});
        settle(&mut conditions, new, &time);
        match refused {
            Some(words) => {
                let new = json!({"lastUpdateTime": time, "message": words, "reason": "FailedCreate",
                    "status": "True", "type": "ReplicaFailure"});
                settle(&mut conditions, new, &time);
            }
            None => {
                if let Some(all) = conditions.as_array_mut() {
                    all.retain(|c| c["type"] != "ReplicaFailure");
                }
            }
        }
        let mut status = json!({"conditions": conditions,
            "observedGeneration": o["metadata"]["generation"], "replicas": there + old,
            "updatedReplicas": there});
        if ready > 0 {
            status["availableReplicas"] = json!(ready);
            status["readyReplicas"] = json!(ready);
        }
        if ready < replicas {
            status["unavailableReplicas"] = json!(replicas - ready);
        }
        o["status"] = status;
    });
}

/// Set a condition only if it changes, so that its times are kept.
fn settle(list: &mut Value, new: Value, time: &str) {
    let old = list.as_array().into_iter().flatten().find(|c| c["type"] == new["type"]);
    let same = |name: &str| old.is_some_and(|old| old[name] == new[name]);
    if !(same("status") && same("reason") && same("message")) {
        condition(list, new, time);
    }
}

pub fn owner(api: &str, kind: &str, name: &str, uid: &str, controller: bool) -> Value {
    json!({"apiVersion": api, "blockOwnerDeletion": true, "controller": controller, "kind": kind,
        "name": name, "uid": uid})
}

/// Create a pod; returns the API server's message if admission rejects it.
fn make_pod(c: &mut Cluster, set_key: &str, deployment: &Value) -> Option<String> {
    let set = c.objects[set_key].clone();
    let name = text(&set, "/metadata/name");
    if let Some(words) = pods::refusal(c, &format!("{name}-x7k2p")) {
        let mut told = deployment["status"]["conditions"].as_array().into_iter().flatten();
        let first = !told.any(|c| c["type"] == "ReplicaFailure");
        // It tries again, and tells of it.
        if first || c.lapse(text(&set, "/metadata/uid"), "retry", 1_000) {
            c.event(
                &set,
                "Warning",
                "FailedCreate",
                &format!("Error creating: {words}"),
                "replicaset-controller",
            );
        }
        return Some(words);
    }
    let pod_name = format!("{name}-{}", &c.random()[..5]);
    let mut meta = set["spec"]["template"]["metadata"].clone();
    meta["name"] = json!(pod_name);
    meta["generateName"] = json!(format!("{name}-"));
    meta["namespace"] = set["metadata"]["namespace"].clone();
    meta["ownerReferences"] =
        json!([owner("apps/v1", "ReplicaSet", name, text(&set, "/metadata/uid"), true)]);
    pods::create(c, meta, set["spec"]["template"]["spec"].clone());
    let message = format!("Created pod: {pod_name}");
    c.event(&set, "Normal", "SuccessfulCreate", &message, "replicaset-controller");
    None
}
