//! Rules for pods of all kinds of workloads: resources, placement, images; and for Services and claims.

use serde_json::Value;

use super::{
    CPU, Edit, Fit, HEAP, IMAGE, MEMORY, PLACEMENT, PULL_SECRET, SERVICE, STORAGE_CLASS, fields, kafka,
    number, size,
};
use crate::errors;
use crate::user_manifests::document::{Document, below};
use crate::user_manifests::problem::Problem;
use crate::user_manifests::schema::is_strimzi;

/// Maximum memory of a pod that is neither a broker nor a controller.
const OTHERS: u64 = 512 << 20;
/// Maximum memory of Connect, MirrorMaker 2 and Cruise Control. With 512 MiB the kernel kills Connect while it loads
/// its plugins.
const LARGE: u64 = 1 << 30;
/// Minimum memory with which a broker or controller starts.
const LEAST_NODE: u64 = 512 << 20;
/// Minimum memory of any other pod.
const LEAST_OTHER: u64 = 128 << 20;
/// Maximum CPU request of a broker or controller, in millicores.
const NODE_CPU: u64 = 250;
/// Maximum CPU request of any other pod.
const OTHER_CPU: u64 = 100;

/// Kinds with pods, including those whose pods an operator creates.
fn has_pods(edit: &Edit<'_, '_>) -> bool {
    let object = edit.object();
    let workload = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"]
        .contains(&object.kind());
    is_strimzi(object) || workload && matches!(object.group(), "" | "apps" | "batch")
}

/// Change one document; `nodes` is the number of brokers and controllers in all documents.
pub(super) fn fit_document(edit: &mut Edit<'_, '_>, nodes: u64, secrets: &[String]) {
    match (edit.object().group(), edit.object().kind()) {
        ("route.openshift.io", "Route") => return edit.refuse("", "is a Route, which only OpenShift has"),
        ("", "Service") => return service(edit),
        ("", "PersistentVolumeClaim") => return claim(edit, "/spec"),
        _ if !has_pods(edit) => return,
        ("apps", "StatefulSet") => {
            let count = edit.get("/spec/volumeClaimTemplates").and_then(Value::as_array).map_or(0, Vec::len);
            (0..count).for_each(|at| claim(edit, &format!("/spec/volumeClaimTemplates/{at}/spec")));
        }
        _ => {}
    }
    resources(edit, nodes);
    placement(edit);
    images(edit, secrets);
}

/// The memory of each broker and controller.
fn share(edit: &Edit<'_, '_>, nodes: u64) -> u64 {
    // In whole mebibytes, so that the written value is the compared one.
    ((edit.fit.limits.memory / 2 / nodes.max(1)) >> 20 << 20).max(LEAST_NODE)
}

/// Whether a field belongs to brokers or controllers.
fn is_node(edit: &Edit<'_, '_>, pointer: &str) -> bool {
    let kafka = ["/spec/kafka/", "/spec/zookeeper/"].iter().any(|start| pointer.starts_with(start));
    edit.object().kind() == "KafkaNodePool" || edit.object().kind() == "Kafka" && kafka
}

/// The maximum memory of a pod that is neither a broker nor a controller.
fn most_memory(edit: &Edit<'_, '_>, pointer: &str) -> u64 {
    match edit.object().kind() {
        "KafkaConnect" | "KafkaMirrorMaker" | "KafkaMirrorMaker2" => LARGE,
        "Kafka" if pointer.starts_with("/spec/cruiseControl/") => LARGE,
        _ => OTHERS,
    }
}

fn resources(edit: &mut Edit<'_, '_>, nodes: u64) {
    for pointer in fields(edit.object(), "resources") {
        if pointer.contains("/volumeClaimTemplates/") {
            continue;
        }
        let (memory, cpu) = match is_node(edit, &pointer) {
            true => (share(edit, nodes), NODE_CPU),
            false => (most_memory(edit, &pointer), OTHER_CPU),
        };
        for part in ["requests", "limits"] {
            let part = format!("{pointer}/{part}");
            let Some(Value::Object(all)) = edit.get(&part).cloned() else { continue };
            for (name, value) in &all {
                let at = below(&part, name);
                match name.as_str() {
                    "memory" if size::quantity(value).is_some_and(|given| given > memory as f64) => {
                        edit.set(&at, size::bytes(memory), &MEMORY);
                    }
                    "cpu" if part.ends_with("/limits") => edit.remove(&at, &CPU),
                    "cpu" if size::quantity(value).is_some_and(|given| given * 1000.0 > cpu as f64) => {
                        edit.set(&at, format!("{cpu}m"), &CPU);
                    }
                    "memory" | "cpu" | "storage" | "ephemeral-storage" => {}
                    other => edit.refuse(&at, format!("needs {other}, which this machine does not offer")),
                }
            }
            if !all.is_empty() && edit.get(&part) == Some(&Value::Object(serde_json::Map::new())) {
                // CPU was the only limit.
                edit.remove(&part, &CPU);
            }
        }
    }
    for pointer in fields(edit.object(), "jvmOptions") {
        let memory = if is_node(edit, &pointer) { share(edit, nodes) } else { most_memory(edit, &pointer) };
        for option in ["-Xmx", "-Xms"] {
            let at = below(&pointer, option);
            let given = edit.text(&at).and_then(|text| size::heap(&text));
            if given.is_some_and(|given| given > memory / 2) {
                edit.set(&at, format!("{}m", (memory / 2) >> 20), &HEAP);
            }
        }
    }
}

fn placement(edit: &mut Edit<'_, '_>) {
    const FIELDS: [&str; 8] = [
        "affinity",
        "tolerations",
        "topologySpreadConstraints",
        "nodeSelector",
        "nodeName",
        "priorityClassName",
        "schedulerName",
        "runtimeClassName",
    ];
    for field in FIELDS {
        for pointer in fields(edit.object(), field) {
            edit.remove(&pointer, &PLACEMENT);
        }
    }
}

/// Public registries.
const PUBLIC: [&str; 9] = [
    "docker.io",
    "index.docker.io",
    "quay.io",
    "ghcr.io",
    "registry.k8s.io",
    "gcr.io",
    "public.ecr.aws",
    "mcr.microsoft.com",
    "container-registry.oracle.com",
];

/// The registry of an image; Docker Hub if it has none.
pub(super) fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

fn replacement(edit: &Edit<'_, '_>, image: &str) -> Option<String> {
    let of = |(from, to): &(String, String)| {
        let rest = image.strip_prefix(from.trim_end_matches('/'))?.strip_prefix('/')?;
        Some(format!("{}/{rest}", to.trim_end_matches('/')))
    };
    edit.fit.limits.registries.iter().find_map(of)
}

/// Whether an image already has the registry of a replacement.
fn is_replaced(edit: &Edit<'_, '_>, image: &str) -> bool {
    let starts = |(_, to): &(String, String)| {
        image.strip_prefix(to.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    edit.fit.limits.registries.iter().any(starts)
}

fn images(edit: &mut Edit<'_, '_>, secrets: &[String]) {
    for pointer in fields(edit.object(), "image") {
        let Some(image) = edit.text(&pointer) else { continue };
        let output = pointer.ends_with("/build/output/image");
        // A replaced image is not replaced again, even if the replacement begins with the same name.
        match replacement(edit, &image).filter(|_| !is_replaced(edit, &image)) {
            Some(other) => edit.set(&pointer, other, &IMAGE),
            None if is_replaced(edit, &image) => {}
            None if output => {
                edit.refuse(&pointer, format!("is pushed to {}, which has no replacement", registry(&image)));
            }
            None if !PUBLIC.contains(&registry(&image)) => {
                let what =
                    format!("is the image {image} of a registry that is not public and has no replacement");
                edit.refuse(&pointer, what);
            }
            None => {}
        }
    }
    if edit.text("/spec/build/output/type").as_deref() == Some("imagestream") {
        edit.refuse("/spec/build/output/type", "is imagestream, which only OpenShift has");
    }
    for pointer in fields(edit.object(), "imagePullSecrets") {
        let Some(Value::Array(all)) = edit.get(&pointer).cloned() else { continue };
        let known =
            |secret: &&Value| secret["name"].as_str().is_some_and(|name| secrets.iter().any(|s| s == name));
        let kept: Vec<Value> = all.iter().filter(known).cloned().collect();
        if kept.is_empty() {
            edit.remove(&pointer, &PULL_SECRET);
        } else if kept.len() < all.len() {
            edit.set(&pointer, kept, &PULL_SECRET);
        }
    }
}

fn service(edit: &mut Edit<'_, '_>) {
    if edit.text("/spec/type").as_deref() != Some("LoadBalancer") {
        return;
    }
    edit.set("/spec/type", "ClusterIP", &SERVICE);
    const FIELDS: [&str; 6] = [
        "loadBalancerIP",
        "loadBalancerClass",
        "loadBalancerSourceRanges",
        "externalTrafficPolicy",
        "allocateLoadBalancerNodePorts",
        "healthCheckNodePort",
    ];
    for field in FIELDS {
        edit.remove(&format!("/spec/{field}"), &SERVICE);
    }
    let ports = edit.get("/spec/ports").and_then(Value::as_array).map_or(0, Vec::len);
    for at in 0..ports {
        edit.remove(&format!("/spec/ports/{at}/nodePort"), &SERVICE);
    }
}

fn claim(edit: &mut Edit<'_, '_>, pointer: &str) {
    kafka::storage_size(edit, &format!("{pointer}/resources/requests/storage"));
    kafka::storage_class(edit, &format!("{pointer}/storageClassName"));
    for field in ["volumeName", "selector", "volumeAttributesClassName"] {
        edit.remove(&format!("{pointer}/{field}"), &STORAGE_CLASS);
    }
}

/// Check that all pods fit together, with their requests or, without requests, with the minimum with which they
/// start.
pub(super) fn total(documents: &[Document], fit: &mut Fit<'_>) {
    let (mut memory, mut cpu) = (0.0, 0.0);
    let mut largest: Option<(&Document, f64)> = None;
    for document in documents {
        let object = &document.object;
        let at = |pointer: &str| object.get(pointer).and_then(number);
        let requested =
            |pointer: &str, name: &str| object.get(&format!("{pointer}/{name}")).and_then(size::quantity);
        let containers = |pointer: &str| {
            let list = object.get(pointer).and_then(Value::as_array);
            (0..list.map_or(0, Vec::len))
                .map(|at| format!("{pointer}/{at}/resources/requests"))
                .collect::<Vec<_>>()
        };
        let (replicas, requests, least) = match object.kind() {
            "KafkaNodePool" => {
                (at("/spec/replicas").unwrap_or(1), vec!["/spec/resources/requests".to_owned()], LEAST_NODE)
            }
            "Kafka" if at("/spec/kafka/replicas").is_some() && fit_has_no_pools(documents, object.name()) => {
                (
                    at("/spec/kafka/replicas").unwrap_or(1),
                    vec!["/spec/kafka/resources/requests".to_owned()],
                    LEAST_NODE,
                )
            }
            "KafkaConnect" | "KafkaMirrorMaker2" | "KafkaBridge" => {
                (at("/spec/replicas").unwrap_or(1), vec!["/spec/resources/requests".to_owned()], LEAST_OTHER)
            }
            "Deployment" | "StatefulSet" | "Job" => {
                let fit_document = at("/spec/replicas").unwrap_or(1);
                (fit_document, containers("/spec/template/spec/containers"), 0)
            }
            _ => continue,
        };
        let sum = |name: &str, least: u64| -> f64 {
            requests.iter().map(|pointer| requested(pointer, name).unwrap_or(least as f64)).sum()
        };
        let needs = sum("memory", least) * replicas as f64;
        memory += needs;
        cpu += sum("cpu", 0) * 1000.0 * replicas as f64;
        if largest.is_none_or(|(_, most)| needs > most) {
            largest = Some((document, needs));
        }
    }
    let limits = fit.limits;
    let Some((document, _)) = largest else { return };
    let all = [
        (memory > limits.memory as f64, size::bytes(memory as u64), "memory", size::bytes(limits.memory)),
        (cpu > limits.cpu as f64, format!("{}m", cpu.ceil()), "CPU", format!("{}m", limits.cpu)),
    ];
    for (_, needed, of, given) in all.into_iter().filter(|(exceeded, ..)| *exceeded) {
        let what = format!(
            "cannot be made to fit: all pods together need {needed} of {of}, and there is {given}; this needs most"
        );
        let problem = Problem::field(errors::FILE_FIT, document, "", what);
        fit.problems.push(problem.hint(
            "remove some of the manifests, or use a machine with more memory and CPUs (--memory, --cpus)",
        ));
    }
}

fn fit_has_no_pools(documents: &[Document], name: &str) -> bool {
    !documents.iter().any(|document| {
        document.object.kind() == "KafkaNodePool" && super::cluster_of(&document.object) == Some(name)
    })
}
