//! Which resources the API serves: the built-in ones, and those of Established CRDs.

use serde_json::Value;

use crate::cluster::{Cluster, text};

/// A resource as described by discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `""` for the core group.
    pub group: String,
    pub versions: Vec<String>,
    pub kind: String,
    pub plural: String,
    /// `k`.
    pub short: Vec<String>,
    pub namespaced: bool,
}

const BUILTIN: &[(&str, &str, &str, &str, &str, bool)] = &[
    ("", "v1", "Namespace", "namespaces", "ns", false),
    ("", "v1", "Node", "nodes", "no", false),
    ("", "v1", "PersistentVolume", "persistentvolumes", "pv", false),
    ("", "v1", "Pod", "pods", "po", true),
    ("", "v1", "Service", "services", "svc", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", "sa", true),
    ("", "v1", "ConfigMap", "configmaps", "cm", true),
    ("", "v1", "Secret", "secrets", "", true),
    ("", "v1", "Event", "events", "ev", true),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", true),
    ("", "v1", "Endpoints", "endpoints", "ep", true),
    ("", "v1", "LimitRange", "limitranges", "limits", true),
    ("", "v1", "ResourceQuota", "resourcequotas", "quota", true),
    ("", "v1", "ReplicationController", "replicationcontrollers", "rc", true),
    ("", "v1", "PodTemplate", "podtemplates", "", true),
    ("apps", "v1", "Deployment", "deployments", "deploy", true),
    ("apps", "v1", "DaemonSet", "daemonsets", "ds", true),
    ("apps", "v1", "ReplicaSet", "replicasets", "rs", true),
    ("apps", "v1", "StatefulSet", "statefulsets", "sts", true),
    ("apps", "v1", "ControllerRevision", "controllerrevisions", "", true),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", true),
    ("batch", "v1", "Job", "jobs", "", true),
    ("batch", "v1", "CronJob", "cronjobs", "cj", true),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", true),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", "ing", true),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "", false),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", "", true),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "", true),
    ("events.k8s.io", "v1", "Event", "events", "ev", true),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", false),
    ("storage.k8s.io", "v1", "CSIDriver", "csidrivers", "", false),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", false),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", "", true),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "", true),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", "", false),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", "", false),
    (
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "",
        false,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "",
        false,
    ),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd", false),
    ("apiregistration.k8s.io", "v1", "APIService", "apiservices", "", false),
];

impl Resource {
    /// `plural.group`, the first part of a key.
    pub fn id(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The same as the first part of a key. Both groups that serve Events serve the same objects.
    pub fn stored(&self) -> String {
        if self.group == "events.k8s.io" { self.plural.clone() } else { self.id() }
    }

    pub fn key(&self, namespace: &str, name: &str) -> String {
        let namespace = if self.namespaced { namespace } else { "" };
        format!("{}/{namespace}/{name}", self.stored())
    }

    /// `kafka.kafka.strimzi.io`, as kubectl prints it before `/name`.
    pub fn printed(&self) -> String {
        let singular = self.kind.to_lowercase();
        if self.group.is_empty() { singular } else { format!("{singular}.{}", self.group) }
    }

    /// Whether the API server counts generations of it.
    pub fn has_generation(&self) -> bool {
        let without = ["rbac.authorization.k8s.io", "storage.k8s.io", "coordination.k8s.io", "events.k8s.io"];
        match self.group.as_str() {
            "" => ["pods", "replicationcontrollers"].contains(&self.plural.as_str()),
            group => !without.contains(&group) && self.plural != "controllerrevisions",
        }
    }

    fn answers_to(&self, word: &str) -> bool {
        let singular = self.kind.to_lowercase();
        word == self.plural || word == singular || self.short.iter().any(|s| s == word)
    }
}

fn make(row: &(&str, &str, &str, &str, &str, bool)) -> Resource {
    let (group, version, kind, plural, short, namespaced) = *row;
    Resource {
        group: group.into(),
        versions: vec![version.into()],
        kind: kind.into(),
        plural: plural.into(),
        short: if short.is_empty() { Vec::new() } else { vec![short.into()] },
        namespaced,
    }
}

pub fn builtin(plural: &str) -> Resource {
    make(BUILTIN.iter().find(|row| row.3 == plural).expect("a built-in resource"))
}

/// The resource of an object that a controller creates: a built-in one, or one of Strimzi's.
pub fn of_object(object: &Value) -> Resource {
    let (api, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let custom = || Resource {
        group: group.into(),
        versions: vec![version.into()],
        kind: kind.into(),
        plural: format!("{}s", kind.to_lowercase()),
        short: Vec::new(),
        namespaced: true,
    };
    BUILTIN.iter().find(|row| row.0 == group && row.2 == kind).map_or_else(custom, make)
}

pub fn crd_is(crd: &Value, condition: &str) -> bool {
    let conditions = crd.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|c| c.iter().any(|c| c["type"] == condition && c["status"] == "True"))
}

pub fn of_crd(crd: &Value) -> Resource {
    let words = |v: &Value| -> Vec<String> {
        v.as_array().into_iter().flatten().filter_map(|w| w.as_str().map(str::to_owned)).collect()
    };
    let served = crd["spec"]["versions"].as_array().into_iter().flatten();
    Resource {
        group: text(crd, "/spec/group").to_owned(),
        versions: served
            .filter(|v| v["served"] != false)
            .filter_map(|v| v["name"].as_str().map(str::to_owned))
            .collect(),
        kind: text(crd, "/spec/names/kind").to_owned(),
        plural: text(crd, "/spec/names/plural").to_owned(),
        short: words(&crd["spec"]["names"]["shortNames"]),
        namespaced: text(crd, "/spec/scope") != "Cluster",
    }
}

/// All served resources.
pub fn served(cluster: &Cluster) -> Vec<Resource> {
    let mut all: Vec<Resource> = BUILTIN.iter().map(make).collect();
    for key in cluster.keys("customresourcedefinitions.apiextensions.k8s.io", "") {
        if let Some(crd) = cluster.get(&key).filter(|crd| crd_is(crd, "Established")) {
            all.push(of_crd(crd));
        }
    }
    all
}

/// By apiVersion and kind. `Err(true)`: its CRD exists, but is not yet Established.
pub fn of_kind(cluster: &Cluster, api_version: &str, kind: &str) -> Result<Resource, bool> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let fits = |r: &Resource| r.group == group && r.kind == kind && r.versions.iter().any(|v| v == version);
    if let Some(found) = served(cluster).into_iter().find(fits) {
        return Ok(found);
    }
    let crds = cluster.list("customresourcedefinitions.apiextensions.k8s.io", "");
    Err(crds.iter().any(|crd| crd_is(crd, "NamesAccepted") && fits(&of_crd(crd))))
}

/// By a word of the command line: `kafka`, `kafkas.kafka.strimzi.io`, `deploy`.
pub fn of_word(cluster: &Cluster, word: &str) -> Option<Resource> {
    let word = word.to_lowercase();
    let all = served(cluster);
    if let Some(found) = all.iter().find(|r| r.answers_to(&word)) {
        return Some(found.clone());
    }
    let (name, rest) = word.split_once('.')?;
    all.into_iter().find(|r| {
        let versioned = r.versions.iter().any(|v| rest == format!("{v}.{}", r.group));
        r.answers_to(name) && (rest == r.group || versioned)
    })
}

/// Whether an `apiVersion`'s group is one of Kubernetes' own, so its objects are not custom resources.
pub fn is_builtin(group: &str) -> bool {
    BUILTIN.iter().any(|row| row.0 == group)
}

/// A path of the API: its resource, namespace and name.
pub struct Path {
    pub resource: Resource,
    pub version: String,
    /// `""`: all, or none.
    pub namespace: String,
    /// `None`: a list.
    pub name: Option<String>,
}

/// Parse `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME`; `None`: nothing is served there.
pub fn of_path(cluster: &Cluster, path: &str) -> Option<Path> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", ns, rest @ ..] if !rest.is_empty() => (*ns, rest),
        rest => ("", rest),
    };
    let [plural, name @ ..] = rest else { return None };
    let resource = served(cluster)
        .into_iter()
        .find(|r| r.group == group && r.plural == *plural && r.versions.iter().any(|v| v == version))?;
    let name = match name {
        [] => None,
        [name] => Some((*name).to_owned()),
        _ => return None,
    };
    let version = version.to_owned();
    Some(Path { resource, version, namespace: namespace.to_owned(), name })
}

/// Whether an object matches a label selector `a=b,g in (h,i)`.
pub fn labels_match(object: &Value, selector: &str) -> bool {
    let label = |name: &str| object["metadata"]["labels"].get(name.trim()).and_then(Value::as_str);
    let mut rest = selector.trim();
    while !rest.is_empty() {
        // A comma inside "(a,b)" does not end a term.
        let open = rest.find('(').unwrap_or(usize::MAX);
        let end = match rest.find(',') {
            Some(comma) if comma > open => rest.find(')').map(|close| close + 1),
            comma => comma,
        };
        let (term, more) = rest.split_at(end.unwrap_or(rest.len()));
        rest = more.trim_start_matches(',').trim();
        let passes = if let Some((name, values)) = term.split_once(" in ") {
            let values = values.trim().trim_matches(['(', ')']);
            label(name).is_some_and(|v| values.split(',').any(|w| w.trim() == v))
        } else if let Some((name, value)) = term.split_once('=') {
            label(name) == Some(value.trim_start_matches('=').trim())
        } else {
            panic!("the label selector {term} is not played")
        };
        if !passes {
            return false;
        }
    }
    true
}

/// Whether an object matches a field selector such as `metadata.name=x,involvedObject.kind=Pod`.
pub fn fields_match(object: &Value, selector: &str) -> bool {
    selector.split(',').filter(|term| !term.trim().is_empty()).all(|term| {
        let (path, value) = term.split_once('=').unwrap_or((term, ""));
        let pointer = format!("/{}", path.trim().replace('.', "/"));
        text(object, &pointer) == value.trim_start_matches('=').trim()
    })
}
