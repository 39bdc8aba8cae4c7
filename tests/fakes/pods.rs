//! Scheduler and kubelet: the life of a pod. Its stage is read from the pod's own status, as in the recordings.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::nodes;
use crate::scenario::Registry;

/// Create a pod like its controller; the status is the API server's.
pub fn create(c: &mut Cluster, metadata: Value, spec: Value) -> String {
    let asks = |what: &str| {
        let containers = spec["containers"].as_array().into_iter().flatten();
        containers.into_iter().any(|k| k["resources"][what].as_object().is_some_and(|r| !r.is_empty()))
    };
    let class = if asks("requests") || asks("limits") { "Burstable" } else { "BestEffort" };
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
        "status": {"phase": "Pending", "qosClass": class}});
    c.add(pod)
}

/// The API server's message if admission rejects a pod with this name.
pub fn refusal(c: &Cluster, pod: &str) -> Option<String> {
    let (_, words) = c.scenario.refused_pods.iter().find(|(part, _)| pod.contains(part.as_str()))?;
    Some(words.replace("{pod}", pod))
}

pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|k| k["type"] == "Ready" && k["status"] == "True")
}

/// Whether all containers run.
pub fn runs(pod: &Value) -> bool {
    let containers = pod["status"]["containerStatuses"].as_array();
    containers.is_some_and(|all| !all.is_empty() && all.iter().all(|k| k["state"]["running"].is_object()))
}

pub fn run(c: &mut Cluster) {
    for key in c.keys("pods", "") {
        one(c, &key);
    }
}

fn one(c: &mut Cluster, key: &str) {
    let busy = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_string() || !is_ready(pod);
    let Some(pod) = c.get(key).filter(busy).cloned() else { return };
    let uid = text(&pod, "/metadata/uid").to_owned();
    let t = c.scenario.timings.clone();
    if pod["metadata"]["deletionTimestamp"].is_string() {
        // Pods of the lowest priority take longer.
        let of_job = text(&pod, "/metadata/ownerReferences/0/kind") == "Job";
        if c.elapsed(&uid, "stop", if of_job { 5 * t.pod_stop } else { t.pod_stop }) {
            c.remove(key);
        }
        return;
    }
    let state = &pod["status"]["containerStatuses"][0]["state"];
    let waiting = text(state, "/waiting/reason");
    let scheduled = !text(&pod, "/status/conditions/0/type").is_empty() && !unschedulable(&pod);
    if !scheduled {
        if c.elapsed(&uid, "schedule", t.schedule) {
            schedule(c, key, &pod);
        }
    } else if pod["status"]["containerStatuses"].is_null() {
        containers(c, key, |_, _| json!({"waiting": {"reason": "ContainerCreating"}}));
    } else if waiting == "ContainerCreating" || c.scenario.waiting.is_empty() && is_held(waiting) {
        if c.elapsed(&uid, "sandbox", t.sandbox) {
            pull(c, key, &pod);
        }
    } else if waiting == "ErrImagePull" || waiting == "ImagePullBackOff" {
        if c.back_off(&uid, t.back_off) {
            pull_again(c, key, &pod, waiting);
        }
    } else if waiting == "CrashLoopBackOff" || state["terminated"].is_object() {
        if c.back_off(&uid, t.back_off) {
            restart(c, key, &pod);
        }
    } else if !is_ready(&pod) && state["running"].is_object() {
        live(c, key, &pod);
    }
}

/// Reasons of [`crate::scenario::Waiting`], after which the kubelet continues when the cause is removed.
fn is_held(reason: &str) -> bool {
    matches!(reason, "InvalidImageName" | "CreateContainerConfigError")
}

fn unschedulable(pod: &Value) -> bool {
    text(pod, "/status/conditions/0/type") == "PodScheduled"
        && text(pod, "/status/conditions/0/status") == "False"
}

/// A quantity of memory in bytes.
fn bytes(quantity: &str) -> u64 {
    let digits = quantity.trim_end_matches(|k: char| !k.is_ascii_digit());
    let unit: u64 = match &quantity[digits.len()..] {
        "Ki" | "k" | "K" => 1 << 10,
        "Mi" | "M" | "m" => 1 << 20,
        "Gi" | "G" | "g" => 1 << 30,
        "Ti" | "T" => 1 << 40,
        _ => 1,
    };
    digits.parse::<u64>().unwrap_or(0) * unit
}

/// A quantity of CPUs in thousandths.
fn milli(quantity: &str) -> u64 {
    match quantity.strip_suffix('m') {
        Some(thousandths) => thousandths.parse().unwrap_or(0),
        None => (quantity.parse::<f64>().unwrap_or(0.0) * 1000.0) as u64,
    }
}

fn requests(pod: &Value, what: &str, measure: fn(&str) -> u64) -> u64 {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let of = |k: &Value| {
        let resources = &k["resources"];
        let asked = resources["requests"].get(what).or(resources["limits"].get(what));
        asked.and_then(Value::as_str).map_or(0, measure)
    };
    containers.into_iter().map(of).sum()
}

fn obstacle(c: &Cluster, pod: &Value) -> Option<String> {
    let node = c.get(&format!("nodes//{}", c.profile))?;
    let ns = text(pod, "/metadata/namespace");
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        let bound = c
            .get(&format!("persistentvolumeclaims/{ns}/{claim}"))
            .is_some_and(|claim| text(claim, "/status/phase") == "Bound");
        if !claim.is_empty() && !bound {
            let message =
                "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
            return Some(message.to_owned());
        }
    }
    if let Some(words) = &c.scenario.obstacle
        && !text(pod, "/metadata/labels/strimzi.io~1cluster").is_empty()
    {
        return Some(words.clone());
    }
    let mut lacks = Vec::new();
    if crate::nodes::taints(node).next().is_some() {
        lacks.push("1 node(s) had untolerated taint(s)");
    }
    let placed = || c.each("pods", "").filter(|p| !text(p, "/spec/nodeName").is_empty());
    let used =
        |what: &str, measure: fn(&str) -> u64| -> u64 { placed().map(|p| requests(p, what, measure)).sum() };
    let limit =
        |what: &str, measure: fn(&str) -> u64| measure(text(node, &format!("/status/allocatable/{what}")));
    if used("cpu", milli) + requests(pod, "cpu", milli) > limit("cpu", milli) {
        lacks.push("1 Insufficient cpu");
    }
    if used("memory", bytes) + requests(pod, "memory", bytes) > limit("memory", bytes) {
        lacks.push("1 Insufficient memory");
    }
    if lacks.is_empty() {
        return None;
    }
    let lacks = lacks.join(", ");
    Some(format!(
        "0/1 nodes are available: {lacks}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 \
         Preemption is not helpful for scheduling."
    ))
}

fn schedule(c: &mut Cluster, key: &str, pod: &Value) {
    let time = c.time();
    if let Some(message) = obstacle(c, pod) {
        if text(pod, "/status/conditions/0/message") != message {
            c.event(pod, "Warning", "FailedScheduling", &message, "default-scheduler");
            let generation = pod["metadata"]["generation"].clone();
            c.update(key, |o| {
                o["status"]["conditions"] = json!([{"lastProbeTime": null, "lastTransitionTime": time,
                    "message": message, "observedGeneration": generation,
                    "reason": "Unschedulable", "status": "False", "type": "PodScheduled"}]);
            });
        }
        return;
    }
    let node = c.profile.clone();
    let full = format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let message = format!("Successfully assigned {full} to {node}");
    c.event(pod, "Normal", "Scheduled", &message, "default-scheduler");
    c.update(key, |o| {
        o["spec"]["nodeName"] = json!(node);
        o["status"]["conditions"] = json!([{"lastProbeTime": null, "lastTransitionTime": time,
            "status": "True", "type": "PodScheduled"}]);
    });
}

/// Rewrite status from the containers' states: `state(container, old status)`.
fn containers(c: &mut Cluster, key: &str, state: impl Fn(&Value, &Value) -> Value) {
    let time = c.time();
    let ip = format!("10.244.0.{}", 10 + c.rv % 200);
    let host = c.ip.clone();
    let known = nodes::images(c);
    c.update(key, |o| {
        let old = o["status"].clone();
        let spec = o["spec"]["containers"].as_array().cloned().unwrap_or_default();
        let mut list = Vec::new();
        for container in &spec {
            let before = old["containerStatuses"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|k| k["name"] == container["name"])
                .cloned()
                .unwrap_or_else(|| json!({"restartCount": 0, "lastState": {}, "ready": false}));
            let state = state(container, &before);
            list.push(container_status(container, &before, state, &known));
        }
        let started = list.iter().any(|k| !k["state"]["waiting"].is_object() || k["restartCount"] != 0);
        let generation = o["metadata"]["generation"].clone();
        let unready: Vec<&str> =
            list.iter().filter(|k| k["ready"] != true).filter_map(|k| k["name"].as_str()).collect();
        let unready = unready.join(" ");
        let was = |kind: &str| {
            let all = old["conditions"].as_array().into_iter().flatten();
            all.into_iter().find(|k| k["type"] == kind).cloned()
        };
        let set = |kind: &str, status: bool, blame: bool| {
            let word = if status { "True" } else { "False" };
            let since = was(kind)
                .filter(|k| k["status"] == word)
                .map_or(json!(time), |k| k["lastTransitionTime"].clone());
            let mut new = json!({"lastProbeTime": null, "lastTransitionTime": since,
                "observedGeneration": generation, "status": word, "type": kind});
            if blame && !status {
                new["message"] = json!(format!("containers with unready status: [{unready}]"));
                new["reason"] = json!("ContainersNotReady");
            }
            new
        };
        let all_ready = unready.is_empty();
        let conditions = vec![
            set("PodReadyToStartContainers", started, false),
            set("Initialized", true, false),
            set("Ready", all_ready, true),
            set("ContainersReady", all_ready, true),
            set("PodScheduled", true, false),
        ];
        let mut status = json!({"conditions": conditions, "containerStatuses": list, "hostIP": host,
            "hostIPs": [{"ip": host}], "observedGeneration": generation,
            "phase": if started { "Running" } else { "Pending" }});
        if started {
            let ip = if old["podIP"].is_string() { old["podIP"].clone() } else { json!(ip) };
            status["podIPs"] = json!([{"ip": ip}]);
            status["podIP"] = ip;
        }
        status["qosClass"] = old["qosClass"].clone();
        status["startTime"] =
            if old["startTime"].is_string() { old["startTime"].clone() } else { json!(time) };
        o["status"] = status;
    });
}

fn container_status(container: &Value, before: &Value, state: Value, known: &[String]) -> Value {
    let image = text(container, "/image");
    let live = state["running"].is_object();
    let mut status = json!({
        "image": image,
        "imageID": if known.iter().any(|k| k == image) && !state["waiting"].is_object() {
            format!("sha256:{}", crate::deployments::hash(&json!(image), 64))
        } else { String::new() },
        "lastState": before["lastState"], "name": container["name"],
        "ready": live && state["ready"] == true, "resources": container.get("resources").cloned().unwrap_or(json!({})),
        "restartCount": before["restartCount"], "started": live,
        "volumeMounts": container.get("volumeMounts").cloned().unwrap_or(json!([])),
    });
    let mut state = state;
    if let Some(map) = state.as_object_mut() {
        map.shift_remove("ready");
        if let Some(last) = map.shift_remove("last") {
            status["lastState"] = last;
            status["restartCount"] = json!(before["restartCount"].as_u64().unwrap_or(0) + 1);
        }
    }
    let fresh = live && before["state"]["running"].is_null();
    let id = match (fresh, before["containerID"].as_str()) {
        (false, Some(id)) => Some(id.to_owned()),
        (true, _) => {
            let seed = json!([image, state, status["restartCount"]]);
            Some(format!("containerd://{}", crate::deployments::hash(&seed, 64)))
        }
        (false, None) => None,
    };
    if let Some(id) = id {
        status["containerID"] = json!(id);
    }
    status["state"] = state;
    status
}

fn missing_image(c: &Cluster, pod: &Value) -> Option<String> {
    let present = nodes::images(c);
    let containers = pod["spec"]["containers"].as_array()?;
    let image =
        containers.iter().map(|k| text(k, "/image")).find(|image| !present.iter().any(|p| p == image))?;
    Some(image.to_owned())
}

/// containerd's message when an image cannot be pulled.
pub fn pull_error(c: &Cluster, image: &str) -> Option<String> {
    let (host, rest) = image.split_once('/').unwrap_or((image, ""));
    let (name, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
    let head =
        format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\"");
    let url = format!("https://{host}/v2/{name}/manifests/{tag}");
    let asked = format!("{head}: failed to do request: Head \"{url}\"");
    match c.scenario.registry {
        Registry::Unreachable => {
            let gateway = c.ip.replace(".2", ".1");
            Some(format!(
                "{asked}: dial tcp: lookup {host} on {gateway}:53: read udp {}:53277->{gateway}:53: read: connection refused",
                c.ip
            ))
        }
        Registry::Silent => Some(format!("{asked}: dial tcp 34.224.196.162:443: i/o timeout")),
        Registry::Intercepted => Some(format!(
            "{asked}: tls: failed to verify certificate: x509: certificate signed by unknown authority"
        )),
        Registry::Denied => Some(format!(
            "{head}: pull access denied, repository does not exist or may require authorization: server message: \
             insufficient_scope: authorization failed"
        )),
        Registry::Limited => {
            Some(format!("{head}: unexpected status from HEAD request to {url}: 429 Too Many Requests"))
        }
        Registry::Up => {
            let refused = c.scenario.missing_images.iter().any(|part| image.contains(part.as_str()));
            refused.then(|| format!("{head}: {image}: not found"))
        }
    }
}

fn pull(c: &mut Cluster, key: &str, pod: &Value) {
    let named = |w: &&crate::scenario::Waiting| text(pod, "/metadata/name").contains(&w.pod);
    if let Some(waiting) = c.scenario.waiting.iter().find(named).cloned() {
        let state = json!({"waiting": {"message": waiting.message, "reason": waiting.reason}});
        return containers(c, key, |_, _| state.clone());
    }
    let uid = text(pod, "/metadata/uid").to_owned();
    let t = c.scenario.timings.clone();
    let Some(image) = missing_image(c, pod) else {
        if c.elapsed(&uid, "container", t.container) {
            start(c, key, pod);
        }
        return;
    };
    let step = format!("pulling {image}");
    if !c.timers.contains_key(&format!("{uid}/{step}")) {
        c.event(pod, "Normal", "Pulling", &format!("Pulling image \"{image}\""), "kubelet");
    }
    match pull_error(c, &image) {
        None => {
            if c.elapsed(&uid, &step, t.pull) {
                nodes::add_image(c, &image);
                let message = format!("Successfully pulled image \"{image}\" in {}ms", t.pull);
                c.event(pod, "Normal", "Pulled", &message, "kubelet");
            }
        }
        Some(error) => {
            if c.elapsed(&uid, &step, t.pull_fail) {
                let message = format!("Failed to pull image \"{image}\": {error}");
                c.event(pod, "Warning", "Failed", &message, "kubelet");
                c.event(pod, "Warning", "Failed", "Error: ErrImagePull", "kubelet");
                containers(c, key, |_, _| json!({"waiting": {"message": error, "reason": "ErrImagePull"}}));
            }
        }
    }
}

fn pull_again(c: &mut Cluster, key: &str, pod: &Value, waiting: &str) {
    let Some(image) = missing_image(c, pod) else { return start(c, key, pod) };
    let Some(error) = pull_error(c, &image) else {
        nodes::add_image(c, &image);
        return start(c, key, pod);
    };
    let (message, reason) = if waiting == "ErrImagePull" {
        c.event(pod, "Normal", "BackOff", &format!("Back-off pulling image \"{image}\""), "kubelet");
        c.event(pod, "Warning", "Failed", "Error: ImagePullBackOff", "kubelet");
        (format!("Back-off pulling image \"{image}\": ErrImagePull: {error}"), "ImagePullBackOff")
    } else {
        (error, "ErrImagePull")
    };
    containers(c, key, |_, _| json!({"waiting": {"message": message, "reason": reason}}));
}

fn start(c: &mut Cluster, key: &str, pod: &Value) {
    for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
        let (image, name) = (text(container, "/image"), text(container, "/name"));
        let message = format!("Container image \"{image}\" already present on machine");
        c.event(pod, "Normal", "Pulled", &message, "kubelet");
        c.event(pod, "Normal", "Created", &format!("Created container: {name}"), "kubelet");
        c.event(pod, "Normal", "Started", &format!("Started container {name}"), "kubelet");
    }
    let time = c.time();
    containers(c, key, |_, _| json!({"running": {"startedAt": time}}));
}

/// How a container ends, if it does: exit code, reason, log.
pub fn fate(c: &Cluster, pod: &Value) -> Option<(i32, String, String)> {
    let name = text(pod, "/metadata/name");
    let died = pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0);
    for crash in &c.scenario.crashes {
        if name.contains(&crash.pod) && died < u64::from(crash.times) {
            return Some((crash.exit, crash.reason.clone(), crash.log.clone()));
        }
    }
    let container = &pod["spec"]["containers"][0];
    let limit = bytes(text(container, "/resources/limits/memory"));
    let pool = text(pod, "/metadata/labels/strimzi.io~1pool-name");
    let pool = format!("kafkanodepools.kafka.strimzi.io/{}/{pool}", text(pod, "/metadata/namespace"));
    let heap = c.get(&pool).map_or(0, |pool| bytes(text(pool, "/spec/jvmOptions/-Xms")));
    if limit > 0 && heap > limit {
        let log = "# Configuration providers configured by the user and by Strimzi".to_owned();
        return Some((137, "OOMKilled".into(), log));
    }
    crate::operator::stale_volume(c, pod).map(|log| (1, "Error".into(), log))
}

fn live(c: &mut Cluster, key: &str, pod: &Value) {
    let uid = text(pod, "/metadata/uid").to_owned();
    let t = c.scenario.timings.clone();
    let ready = match (
        text(pod, "/metadata/labels/name"),
        text(pod, "/metadata/labels/strimzi.io~1component-type"),
    ) {
        ("strimzi-cluster-operator", _) => t.operator_ready,
        (_, "kafka") => t.broker_ready,
        (_, "entity-operator") => t.entity_ready,
        _ => t.pod_ready,
    };
    let started = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"].clone();
    if let Some((exit, reason, _)) = fate(c, pod) {
        if c.lapse(&uid, "crash", t.crash) {
            let time = c.time();
            containers(c, key, |_, before| {
                json!({"terminated": {"containerID": before["containerID"], "exitCode": exit,
                    "finishedAt": time, "reason": reason, "startedAt": started}})
            });
        }
        return;
    }
    if ready < crate::scenario::NEVER && c.elapsed(&uid, "ready", ready) {
        crate::operator::format_volumes(c, pod);
        containers(c, key, |_, before| {
            let mut state = before["state"].clone();
            state["ready"] = json!(true);
            state
        });
    }
}

/// The machine was started again: each container that ran is another run of it.
pub fn started_again(c: &mut Cluster) {
    for key in c.keys("pods", "") {
        let Some(pod) = c.get(&key).cloned() else { continue };
        let runs = pod["status"]["containerStatuses"][0]["state"]["running"].is_object();
        if runs && !pod["metadata"]["deletionTimestamp"].is_string() {
            c.forget(text(&pod, "/metadata/uid"), "ready");
            let time = c.time();
            containers(c, &key, |_, _| json!({"running": {"startedAt": time}}));
        }
    }
}

fn restart(c: &mut Cluster, key: &str, pod: &Value) {
    let status = &pod["status"]["containerStatuses"][0];
    let terminated = status["state"]["terminated"].is_object();
    if terminated && status["restartCount"].as_u64().unwrap_or(0) >= 1 {
        let (name, full) = (text(status, "/name").to_owned(), {
            let uid = text(pod, "/metadata/uid");
            format!("{}_{}({uid})", text(pod, "/metadata/name"), text(pod, "/metadata/namespace"))
        });
        let message = format!("Back-off restarting failed container {name} in pod {full}");
        c.event(pod, "Warning", "BackOff", &message, "kubelet");
        containers(c, key, |_, before| {
            json!({"last": {"terminated": before["state"]["terminated"]},
                "waiting": {"message": format!("back-off 10s restarting failed container={name} pod={full}"),
                    "reason": "CrashLoopBackOff"}})
        });
        return;
    }
    c.forget(text(pod, "/metadata/uid"), "ready");
    let time = c.time();
    containers(c, key, |_, before| {
        let mut new = json!({"running": {"startedAt": time}});
        if before["state"]["terminated"].is_object() {
            new["last"] = json!({"terminated": before["state"]["terminated"]});
        }
        new
    });
}
