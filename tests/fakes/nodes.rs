//! The initial content of a cluster, and its own changes: the node's taint is removed, namespaces get their service
//! account, claims get volumes.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::world::Profile;

/// The node of recording 01 without its identity.
const NODE: &str = include_str!("node.json");

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// The kubelet's message before its runtime has a network (seen on a real cluster).
const NO_NETWORK: &str = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady \
    message:Network plugin returns error: cni plugin not initialized";

fn taint(key: &str) -> Value {
    json!({"effect": "NoSchedule", "key": key})
}

pub fn bootstrap(c: &mut Cluster, profile: &Profile) {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        c.add(namespace(name));
    }
    let mut node: Value = NODE.parse().expect("node.json");
    let name = c.profile.clone();
    node["metadata"]["name"] = json!(name);
    node["metadata"]["labels"]["kubernetes.io/hostname"] = json!(name);
    node["metadata"]["labels"]["minikube.k8s.io/name"] = json!(name);
    node["spec"]["taints"] = json!([taint(NOT_READY)]);
    node["status"]["addresses"] =
        json!([{"address": profile.ip, "type": "InternalIP"}, {"address": name, "type": "Hostname"}]);
    node["status"]["nodeInfo"]["kubeletVersion"] = json!(profile.kubernetes);
    node["status"]["allocatable"]["cpu"] = json!(profile.cpus.to_string());
    node["status"]["capacity"]["cpu"] = json!(profile.cpus.to_string());
    let time = c.time();
    for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastHeartbeatTime"] = json!(time);
        condition["lastTransitionTime"] = json!(time);
        if condition["type"] == "Ready" {
            condition["status"] = json!("False");
            condition["reason"] = json!("KubeletNotReady");
            condition["message"] = json!(NO_NETWORK);
        }
    }
    c.add(node);
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            "labels": {"addonmanager.kubernetes.io/mode": "EnsureExists"}},
        "provisioner": "k8s.io/minikube-hostpath", "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    });
    c.add(class);
    let provisioner = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "storage-provisioner", "namespace": "kube-system",
            "labels": {"addonmanager.kubernetes.io/mode": "Reconcile",
                "integration-test": "storage-provisioner"}},
        "spec": {"containers": [{"name": "storage-provisioner",
            "image": "gcr.io/k8s-minikube/storage-provisioner:v5"}]},
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    });
    c.add(provisioner);
    crate::furniture::bootstrap(c);
}

/// Add a node that is ready: without any image.
pub fn join(c: &mut Cluster, name: &str) {
    if c.get(&format!("nodes//{name}")).is_some() {
        return;
    }
    let mut node: Value = NODE.parse().expect("node.json");
    node["metadata"]["name"] = json!(name);
    node["metadata"]["labels"]["kubernetes.io/hostname"] = json!(name);
    node["metadata"]["labels"]["minikube.k8s.io/name"] = json!(c.profile);
    node["status"]["images"] = json!([]);
    c.add(node);
}

/// On a node of a profile with several: its machine was stopped.
const STOPPED: &str = "kstrim.test/stopped";

pub fn runs(node: &Value) -> bool {
    node["metadata"]["annotations"][STOPPED].is_null()
}

/// The nodes beside the control plane, by name.
pub fn workers(c: &Cluster) -> Vec<Value> {
    c.list("nodes", "").into_iter().filter(|node| text(node, "/metadata/name") != c.profile).collect()
}

/// Start the nodes that were stopped, as `minikube start` does.
pub fn start_workers(c: &mut Cluster) {
    for node in workers(c).iter().filter(|node| !runs(node)) {
        c.update(&format!("nodes//{}", text(node, "/metadata/name")), |node| {
            if let Some(annotations) = node["metadata"]["annotations"].as_object_mut() {
                annotations.remove(STOPPED);
            }
        });
    }
}

/// The node controller's changes for nodes that were stopped and started.
fn mark_workers(c: &mut Cluster) {
    let time = c.time();
    for node in workers(c) {
        let status = if runs(&node) { "True" } else { "Unknown" };
        c.update(&format!("nodes//{}", text(&node, "/metadata/name")), |node| set_ready(node, status, &time));
    }
}

/// Give a node's condition `Ready` a status, unless it has it.
fn set_ready(node: &mut Value, status: &str, time: &str) {
    let Some(ready) = ready_condition(node).filter(|ready| ready["status"] != status) else { return };
    let (reason, message) = match status {
        "True" => ("KubeletReady", "kubelet is posting ready status"),
        _ => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
    };
    ready["status"] = json!(status);
    ready["reason"] = json!(reason);
    ready["message"] = json!(message);
    ready["lastTransitionTime"] = json!(time);
}

/// The objects of minikube's add-on storage-provisioner-rancher, without its pod: volumes are not simulated.
pub fn local_path(c: &mut Cluster) {
    c.add(namespace("local-path-storage"));
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "local-path"},
        "provisioner": "rancher.io/local-path", "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    });
    c.add(class);
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "local-path-provisioner", "namespace": "local-path-storage"}});
    c.add(deployment);
}

/// What kubeadm adds last. Their pods are not simulated.
pub fn add_ons(c: &mut Cluster) {
    let add_on = |kind: &str, name: &str| {
        json!({"apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": name}}})
    };
    c.add(add_on("DaemonSet", "kube-proxy"));
    c.add(add_on("Deployment", "coredns"));
}

/// A namespace as the API server completes it.
pub fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    })
}

/// An image in a node's list; the size is derived from the name.
pub fn image_entry(image: &str) -> Value {
    json!({"names": [image], "sizeBytes": 50_000_000 + image.len() * 1_000_003})
}

pub fn images(c: &Cluster) -> Vec<String> {
    let node = c.get(&format!("nodes//{}", c.profile));
    let images = node.and_then(|n| n["status"]["images"].as_array());
    images.into_iter().flatten().map(|i| text(i, "/names/0").to_owned()).collect()
}

/// Add an image to the existing nodes.
pub fn add_image(c: &mut Cluster, image: &str) {
    for node in c.list("nodes", "") {
        let name = text(&node, "/metadata/name").to_owned();
        let there = node["status"]["images"].as_array().into_iter().flatten();
        if there.clone().any(|i| text(i, "/names/0") == image) {
            continue;
        }
        let entry = image_entry(image);
        c.update(&format!("nodes//{name}"), |node| {
            if let Some(images) = node["status"]["images"].as_array_mut() {
                images.insert(0, entry);
            }
        });
    }
}

/// Remove an image from the node; returns whether it existed.
pub fn remove_image(c: &mut Cluster, image: &str) -> bool {
    let had = images(c).iter().any(|i| i == image);
    c.update(&format!("nodes//{}", c.profile.clone()), |node| {
        if let Some(images) = node["status"]["images"].as_array_mut() {
            images.retain(|i| text(i, "/names/0") != image);
        }
    });
    had
}

pub fn taints(node: &Value) -> impl Iterator<Item = &str> {
    node["spec"]["taints"].as_array().into_iter().flatten().map(|t| text(t, "/key"))
}

fn ready_condition(node: &mut Value) -> Option<&mut Value> {
    node["status"]["conditions"].as_array_mut()?.iter_mut().find(|c| c["type"] == "Ready")
}

/// The controllers of nodes, service accounts and volumes.
pub fn run(c: &mut Cluster) {
    let t = c.scenario.timings.clone();
    let node = format!("nodes//{}", c.profile);
    let uid = c.get(&node).map(|n| text(n, "/metadata/uid").to_owned()).unwrap_or_default();
    let ready = !c.memory.no_network && c.elapsed(&uid, "ready", t.node_ready);
    let becomes_ready = ready
        && c.get(&node).is_some_and(|n| taints(n).any(|key| key == NOT_READY) && !crate::pods::is_ready(n));
    if becomes_ready {
        let time = c.time();
        c.update(&node, |n| {
            n["spec"] = json!({"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]});
            set_ready(n, "True", &time);
        });
    }
    if ready {
        let wanted: Vec<Value> = c.scenario.taint.iter().map(|key| taint(key)).collect();
        if c.get(&node).is_some_and(|n| !taints(n).eq(c.scenario.taint.as_deref())) {
            c.update(&node, |n| n["spec"]["taints"] = json!(wanted));
        }
    }
    mark_workers(c);
    for namespace in c.list("namespaces", "") {
        let (name, uid) = (text(&namespace, "/metadata/name"), text(&namespace, "/metadata/uid"));
        let account = format!("serviceaccounts/{name}/default");
        let ends = namespace["metadata"]["deletionTimestamp"].is_string();
        if !ends && c.get(&account).is_none() && c.elapsed(uid, "account", t.default_account) {
            let authority = crate::certificates::authority();
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": name}});
            c.add(account);
            c.ensure(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": authority},
                "metadata": {"name": "kube-root-ca.crt", "namespace": name, "annotations":
                    {"kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver"}}}));
        }
    }
    crate::furniture::run(c);
    for key in c.keys("persistentvolumeclaims", "") {
        claim(c, &key, t.bind);
    }
}

fn claim(c: &mut Cluster, key: &str, bind: u64) {
    let Some(claim) = c.get(key).cloned() else { return };
    let uid = text(&claim, "/metadata/uid").to_owned();
    if claim["metadata"]["deletionTimestamp"].is_string() {
        let name = text(&claim, "/metadata/name");
        let uses = |pod: &Value| {
            let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
            volumes.into_iter().any(|v| v["persistentVolumeClaim"]["claimName"] == name)
        };
        if !c.list("pods", text(&claim, "/metadata/namespace")).iter().any(uses) {
            c.memory.volumes.remove(&uid);
            crate::furniture::release(c, &claim);
            c.update(key, |o| {
                if let Some(list) = o["metadata"]["finalizers"].as_array_mut() {
                    list.retain(|f| f != "kubernetes.io/pvc-protection");
                }
            });
        }
        return;
    }
    if claim["metadata"]["finalizers"].is_null() {
        c.update(key, |o| o["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]));
    }
    if text(&claim, "/status/phase") != "Pending" {
        return;
    }
    // A claim with a selector is only bound to a volume that exists.
    if claim["spec"]["selector"].is_object() {
        bind_to_its_volume(c, key, &claim);
        return;
    }
    let is_default = |class: &&Value| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    };
    let classes = c.list("storageclasses.storage.k8s.io", "");
    let class = match text(&claim, "/spec/storageClassName") {
        "" => classes.iter().find(is_default).map_or("standard", |class| text(class, "/metadata/name")),
        class => class,
    };
    if c.get(&format!("storageclasses.storage.k8s.io//{class}")).is_none() {
        if c.lapse(&uid, "no-class", if c.timers.contains_key(&format!("{uid}/told")) { 150 } else { 1 }) {
            c.elapsed(&uid, "told", 1);
            let message = format!("storageclass.storage.k8s.io \"{class}\" not found");
            c.event(&claim, "Warning", "ProvisioningFailed", &message, "persistentvolume-controller");
        }
        return;
    }
    if bind >= crate::scenario::NEVER || !c.elapsed(&uid, "bind", bind) {
        return;
    }
    let volume = format!("pvc-{uid}");
    let message = format!("Successfully provisioned volume {volume}");
    c.event(&claim, "Normal", "ProvisioningSucceeded", &message, "k8s.io/minikube-hostpath");
    crate::furniture::volume(c, &claim, &volume, class);
    c.update(key, |o| {
        let notes = &mut o["metadata"]["annotations"];
        notes["pv.kubernetes.io/bind-completed"] = json!("yes");
        notes["pv.kubernetes.io/bound-by-controller"] = json!("yes");
        notes["volume.beta.kubernetes.io/storage-provisioner"] = json!("k8s.io/minikube-hostpath");
        notes["volume.kubernetes.io/storage-provisioner"] = json!("k8s.io/minikube-hostpath");
        o["spec"]["volumeName"] = json!(volume);
        o["spec"]["storageClassName"] = json!(class);
        o["status"] = json!({"accessModes": o["spec"]["accessModes"],
            "capacity": o["spec"]["resources"]["requests"], "phase": "Bound"});
    });
}

/// A claim is bound to the volume that was created for it.
fn bind_to_its_volume(c: &mut Cluster, key: &str, claim: &Value) {
    let same = |volume: &Value, of: &str| {
        text(volume, &format!("/spec/claimRef/{of}")) == text(claim, &format!("/metadata/{of}"))
    };
    let of_claim = |volume: &&Value| ["namespace", "name", "uid"].iter().all(|of| same(volume, of));
    let found = c.each("persistentvolumes", "").find(of_claim).map(|v| text(v, "/metadata/name").to_owned());
    let Some(name) = found else { return };
    let volume = format!("persistentvolumes//{name}");
    c.update(&volume, |o| o["status"] = json!({"phase": "Bound"}));
    c.update(key, |o| {
        o["spec"]["volumeName"] = json!(name);
        o["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = json!("yes");
        o["status"] = json!({"accessModes": o["spec"]["accessModes"],
            "capacity": o["spec"]["resources"]["requests"], "phase": "Bound"});
    });
}
