//! Objects that Kubernetes itself creates in a cluster: its leases and classes, the endpoints of services, the
//! volumes of claims. They appear among the others when a namespace is listed.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};

pub fn bootstrap(c: &mut Cluster) {
    let node = c.profile.clone();
    for (namespace, name) in [
        ("kube-node-lease", node.as_str()),
        ("kube-system", "kube-controller-manager"),
        ("kube-system", "kube-scheduler"),
    ] {
        let time = c.micro_time();
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": time}});
        c.add(lease);
    }
    for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
    {
        let class = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": name}, "value": value, "preemptionPolicy": "PreemptLowerPriority"});
        c.add(class);
    }
    let rbac = "rbac.authorization.k8s.io";
    let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    let role = json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole",
        "metadata": {"name": "cluster-admin", "labels": labels},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    c.add(role);
    let binding = json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": "cluster-admin", "labels": labels},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "system:masters"}]});
    c.add(binding);
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"clusterIP": "10.96.0.1", "type": "ClusterIP",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 8443}]},
        "status": {"loadBalancer": {}}});
    c.add(service);
    let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": c.ip}], "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}]}]});
    c.add(endpoints);
}

/// The endpoints controllers.
pub fn run(c: &mut Cluster) {
    let missing = |service: &&Value| {
        let key =
            format!("endpoints/{}/{}", text(service, "/metadata/namespace"), text(service, "/metadata/name"));
        service["spec"]["selector"].is_object()
            && !service["metadata"]["deletionTimestamp"].is_string()
            && c.get(&key).is_none()
    };
    let services: Vec<Value> = c.each("services", "").filter(missing).cloned().collect();
    for service in services {
        let (ns, name) = (text(&service, "/metadata/namespace"), text(&service, "/metadata/name"));
        if c.get(&format!("namespaces//{ns}")).is_none_or(|o| o["metadata"]["deletionTimestamp"].is_string())
        {
            continue;
        }
        let mut labels = service["metadata"]["labels"].clone();
        if labels.is_null() {
            labels = json!({});
        }
        let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": name, "namespace": ns, "labels": labels,
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": c.time()}}});
        c.add(endpoints);
        labels["kubernetes.io/service-name"] = json!(name);
        labels["endpointslice.kubernetes.io/managed-by"] = json!("endpointslice-controller.k8s.io");
        let owner = crate::deployments::owner("v1", "Service", name, text(&service, "/metadata/uid"), true);
        let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{name}-{}", &c.random()[..5]), "namespace": ns, "labels": labels,
                "generateName": format!("{name}-"), "ownerReferences": [owner]},
            "endpoints": [], "ports": []});
        c.add(slice);
    }
    // EndpointSlices are deleted with their owner, Endpoints by name.
    let left = |o: &&Value| {
        let (ns, name) = (text(o, "/metadata/namespace"), text(o, "/metadata/name"));
        o["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"].is_string()
            && c.get(&format!("services/{ns}/{name}")).is_none()
    };
    let left: Vec<String> = c
        .each("endpoints", "")
        .filter(left)
        .map(|o| format!("endpoints/{}/{}", text(o, "/metadata/namespace"), text(o, "/metadata/name")))
        .collect();
    left.iter().for_each(|key| c.delete(key));
}

/// The volume that a provisioner creates for a claim.
pub fn volume(c: &mut Cluster, claim: &Value, name: &str, class: &str) {
    let policy = c.get(&format!("storageclasses.storage.k8s.io//{class}"));
    let policy = policy.map_or("Delete", |class| text(class, "/reclaimPolicy")).to_owned();
    let meta = &claim["metadata"];
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "finalizers": ["kubernetes.io/pv-protection"],
            "annotations": {"pv.kubernetes.io/provisioned-by": "k8s.io/minikube-hostpath"}},
        "spec": {"accessModes": claim["spec"]["accessModes"], "capacity": claim["spec"]["resources"]["requests"],
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta["name"],
                "namespace": meta["namespace"], "uid": meta["uid"]},
            "hostPath": {"path": format!("/tmp/hostpath-provisioner/{name}")},
            "persistentVolumeReclaimPolicy": policy, "storageClassName": class, "volumeMode": "Filesystem"},
        "status": {"phase": "Bound"}});
    c.add(volume);
}

/// A claim is deleted: its volume is deleted with it, or kept without its claim.
pub fn release(c: &mut Cluster, claim: &Value) {
    let key = format!("persistentvolumes//{}", text(claim, "/spec/volumeName"));
    let keeps = c.get(&key).is_some_and(|o| text(o, "/spec/persistentVolumeReclaimPolicy") == "Retain");
    if keeps {
        c.update(&key, |o| o["status"]["phase"] = json!("Released"));
        return;
    }
    if c.get(&key).is_some() {
        c.remove(&key);
    }
    // The data is deleted with its volume.
    let _ = std::fs::remove_dir_all(&c.topics);
}
