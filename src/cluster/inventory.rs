//! The contents of a namespace: objects of every kind that the API server lists, including custom resources.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;

use super::installation::{Installation, id_of, label, name, owners, uid};
use super::operators;
use crate::event;
use crate::kube::kubectl::Kubectl;
use crate::kube::{ApiError, ApiErrorKind};
use crate::names::is_internal_topic;

/// How many lists are requested at once.
const AT_ONCE: usize = 8;
/// The most names of one kind shown in a sentence.
const SHOWN: usize = 4;

/// A kind of object as the API server serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Served {
    /// `/api/v1`, `/apis/apps/v1`.
    api: String,
    plural: String,
    kind: String,
}

/// An object of the namespace.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// `Deployment`.
    pub kind: String,
    /// The path of its list in the namespace.
    pub collection: String,
    /// The object itself.
    pub object: Value,
    /// Who owns it.
    pub class: Class,
}

/// Who owns an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The installation's.
    Owned,
    /// Kubernetes or the operator created it for an object of the installation.
    Dependent,
    /// Kubernetes creates one in every namespace.
    System,
    /// Anything else.
    Foreign,
}

/// All objects of a namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    /// What was listed.
    pub items: Vec<Item>,
    /// Kinds that could not be listed, and why. Objects of these kinds may exist.
    pub unknown: Vec<String>,
}

impl Item {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        name(&self.object)
    }

    /// Whether it was deleted and still exists.
    pub(crate) fn deleting(&self) -> bool {
        self.object.pointer("/metadata/deletionTimestamp").is_some()
    }

    fn uid(&self) -> &str {
        uid(&self.object)
    }
}

impl Inventory {
    /// List the namespace of an installation and determine who owns each object. `known` are uids of objects that
    /// belonged to the installation when they were last seen: their dependents still belong to it.
    pub(crate) async fn of(
        kubectl: &Kubectl,
        installation: &Installation,
        known: &BTreeSet<String>,
    ) -> Result<Self, ApiError> {
        let (kinds, mut unknown) = served(kubectl).await?;
        let namespace = installation.namespace();
        let lists: Vec<_> = stream::iter(kinds)
            .map(|kind| async move {
                let collection = format!("{}/namespaces/{namespace}/{}", kind.api, kind.plural);
                (kubectl.list(&collection).await, collection, kind)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut items = Vec::new();
        for (list, collection, kind) in lists {
            match list {
                Ok(list) => {
                    items.extend(list.into_iter().map(|object| Item {
                        kind: kind.kind.clone(),
                        collection: collection.clone(),
                        object,
                        class: Class::Foreign,
                    }));
                }
                // Some kinds are advertised but cannot be listed in a namespace.
                Err(error) if error.kind == ApiErrorKind::NoSuchKind => {}
                Err(error) => unknown.push(format!("{}: {}", kind.plural, error.message)),
            }
        }
        items.sort_by(|a, b| (&a.kind, a.name()).cmp(&(&b.kind, b.name())));
        items.dedup_by(|a, b| a.uid() == b.uid() && !a.uid().is_empty());
        classify(&mut items, installation, known);
        Ok(Self { items, unknown })
    }

    /// Objects of a class.
    pub(crate) fn of_class(&self, class: Class) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.class == class)
    }

    /// The uids of the installation's objects.
    pub(crate) fn uids(&self) -> BTreeSet<String> {
        let mine = self.items.iter().filter(|i| matches!(i.class, Class::Owned | Class::Dependent));
        mine.map(|item| item.uid().to_owned()).collect()
    }

    /// Why the namespace is kept: other people's objects by kind, and kinds that cannot be listed.
    pub(crate) fn foreign(&self) -> Vec<String> {
        let mut lines = by_kind(self.of_class(Class::Foreign));
        lines.extend(self.unknown.iter().map(|why| format!("cannot be listed: {why}")));
        lines
    }
}

/// Objects as lines for messages: `Deployment my-app`, `ConfigMap a, b, c, d and 3 more`.
pub(crate) fn by_kind<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some((kind, names)) if *kind == item.kind => names.push(item.name()),
            _ => lines.push((item.kind.clone(), vec![item.name()])),
        }
    }
    lines.into_iter().map(|(kind, names)| format!("{kind} {}", event::few(&names, SHOWN))).collect()
}

/// Every namespaced kind that can be listed, in its group's preferred version or in another one: not every kind of a
/// group is served in the group's preferred version.
async fn served(kubectl: &Kubectl) -> Result<(Vec<Served>, Vec<String>), ApiError> {
    let groups = kubectl.find("/apis").await?.unwrap_or_default();
    // A group's versions in order of preference; the position decides in which of them a kind is listed.
    let mut apis = vec!["/api/v1".to_owned()];
    for group in groups["groups"].as_array().into_iter().flatten() {
        let preferred = group.pointer("/preferredVersion/groupVersion").and_then(Value::as_str);
        let versions = group["versions"].as_array().into_iter().flatten();
        let all = versions.filter_map(|version| version["groupVersion"].as_str());
        let others = all.filter(|version| Some(*version) != preferred);
        apis.extend(preferred.into_iter().chain(others).map(|version| format!("/apis/{version}")));
    }
    // The API server has just responded. A group with a separate API server (metrics.k8s.io) returns 503 as long as
    // that server is unavailable: retrying would take as long as a restart, for each such group.
    let once = &kubectl.clone().without_retries();
    let lists: Vec<_> = stream::iter(apis)
        .map(|api| async move { (once.find(&api).await, api) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut kinds, mut unknown) = (Vec::new(), Vec::new());
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for (list, api) in lists {
        let group = api.trim_start_matches("/apis/").split('/').next().unwrap_or_default().to_owned();
        let core = api == "/api/v1";
        let list = match list {
            Ok(list) => list.unwrap_or_default(),
            Err(error) => {
                unknown.push(format!("{api}: {}", error.message));
                continue;
            }
        };
        for resource in list["resources"].as_array().into_iter().flatten() {
            let plural = resource["name"].as_str().unwrap_or_default();
            let lists = resource["verbs"].as_array().is_some_and(|v| v.iter().any(|v| v == "list"));
            let deletes = resource["verbs"].as_array().is_some_and(|v| v.iter().any(|v| v == "delete"));
            if resource["namespaced"] != true || !lists || !deletes || plural.contains('/') {
                continue;
            }
            // Events are records, not contents; metrics cannot be deleted and were skipped above.
            if plural == "events" && (core || group == "events.k8s.io") {
                continue;
            }
            if !seen.insert((group.clone(), plural.to_owned())) {
                continue;
            }
            let kind = resource["kind"].as_str().unwrap_or(plural).to_owned();
            kinds.push(Served { api: api.clone(), plural: plural.to_owned(), kind });
        }
    }
    kinds.sort();
    Ok((kinds, unknown))
}

/// Determine who owns each object.
fn classify(items: &mut [Item], installation: &Installation, known: &BTreeSet<String>) {
    let mut mine: BTreeSet<String> = known.clone();
    for item in items.iter_mut() {
        item.class = if system(item) {
            Class::System
        } else if installation.owns(&item.object) {
            mine.insert(item.uid().to_owned());
            Class::Owned
        } else {
            Class::Foreign
        };
    }
    // Owners of owners: Kafka, StrimziPodSet, Pod.
    loop {
        let mut found = Vec::new();
        for item in items.iter_mut().filter(|item| item.class == Class::Foreign) {
            if owners(&item.object).any(|owner| mine.contains(owner)) {
                item.class = Class::Dependent;
                found.push(item.uid().to_owned());
            }
        }
        if found.is_empty() {
            break;
        }
        mine.extend(found);
    }
    let with = |class: &dyn Fn(&Item) -> bool| -> Vec<(String, String)> {
        items.iter().filter(|i| class(i)).map(|i| (i.kind.clone(), i.name().to_owned())).collect()
    };
    let services = with(&|i| i.kind == "Service" && i.class != Class::Foreign);
    // OLM names the Deployment after its version.
    let other_operator = items
        .iter()
        .any(|i| i.kind == "Deployment" && i.class == Class::Foreign && operators::is_operator(&i.object));
    let claims = claims(items);
    let kafkas = with(&|i| i.kind == "Kafka" && i.class == Class::Owned);
    for item in items.iter_mut().filter(|item| item.class == Class::Foreign) {
        let dependent = match item.kind.as_str() {
            // Kubernetes' controller creates one for the Service of the same name.
            "Endpoints" => services.iter().any(|(_, name)| name == item.name()),
            // The operator's leader election.
            "Lease" => !other_operator && item.name() == "strimzi-cluster-operator",
            // Up to 0.40, the topic operator creates resources for Kafka's internal topics, and for its own.
            "KafkaTopic" => {
                let topic = item.object.pointer("/spec/topicName").and_then(Value::as_str);
                let cluster = label(&item.object, "strimzi.io/cluster");
                topic.is_some_and(is_internal_topic) && kafkas.iter().any(|(_, name)| cluster == Some(name))
            }
            "PersistentVolumeClaim" => {
                id_of(&item.object) == Some(installation.id()) || claims.iter().any(|uid| uid == item.uid())
            }
            _ => false,
        };
        if dependent {
            item.class = Class::Dependent;
        }
    }
}

/// The uids of the claims that the operator created for a Kafka of the installation. Strimzi's claims have no owner
/// reference (they outlive their Kafka), so a claim is recognised by the pod that mounts it, or by the operator's
/// labels and its age.
fn claims(items: &[Item]) -> Vec<String> {
    let kafkas: Vec<&Item> = items.iter().filter(|i| i.kind == "Kafka" && i.class == Class::Owned).collect();
    let mounted: BTreeSet<&str> = items
        .iter()
        .filter(|i| i.kind == "Pod" && i.class == Class::Dependent)
        .flat_map(|pod| pod.object.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten())
        .filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
        .collect();
    let created = |item: &Item| {
        let text = item.object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let of_kafka = |claim: &Item| {
        let cluster = label(&claim.object, "strimzi.io/cluster");
        let by_operator = label(&claim.object, "app.kubernetes.io/managed-by")
            == Some("strimzi-cluster-operator")
            && label(&claim.object, "strimzi.io/kind") == Some("Kafka");
        kafkas.iter().any(|kafka| {
            cluster == Some(kafka.name())
                && (mounted.contains(claim.name()) || by_operator && created(claim) >= created(kafka))
        })
    };
    let claims = items.iter().filter(|i| i.kind == "PersistentVolumeClaim" && i.class == Class::Foreign);
    claims.filter(|claim| of_kafka(claim)).map(|claim| claim.uid().to_owned()).collect()
}

/// Whether Kubernetes creates such an object in every namespace.
fn system(item: &Item) -> bool {
    match item.kind.as_str() {
        "ConfigMap" => matches!(item.name(), "kube-root-ca.crt" | "openshift-service-ca.crt"),
        "ServiceAccount" => {
            let pulls_only =
                item.object.get("secrets").is_none_or(|s| s.as_array().is_some_and(Vec::is_empty));
            item.name() == "default" && pulls_only
        }
        // The Service of the API server.
        "Service" | "Endpoints" | "EndpointSlice" => {
            item.name() == "kubernetes"
                && item.object.pointer("/metadata/namespace").and_then(Value::as_str) == Some("default")
        }
        // Held by this command, or left behind by one that was killed.
        "Lease" => item.name() == super::lease::NAME && super::installation::by_kstrim(&item.object),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::installation::tests_support::marked;

    fn item(kind: &str, name: &str, metadata: Value, more: Value) -> Item {
        let mut object = json!({"metadata": metadata});
        object["metadata"]["name"] = name.into();
        object["metadata"]["uid"] = format!("{kind}/{name}").into();
        for (key, value) in more.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        Item { kind: kind.into(), collection: String::new(), object, class: Class::Foreign }
    }

    fn classes(mut items: Vec<Item>) -> Vec<(String, Class)> {
        classify(&mut items, &marked("kafka", "mine"), &BTreeSet::new());
        items.iter().map(|item| (format!("{} {}", item.kind, item.name()), item.class)).collect()
    }

    /// As Strimzi 0.30 creates them.
    #[test]
    fn internal_topics_depend_on_their_kafka_cluster() {
        let mine =
            json!({"labels": {"app.kubernetes.io/managed-by": "kstrim", "kstrim.io/installation": "mine"}});
        let topic = |name: &str, cluster: &str, topic: &str| {
            let labels = json!({"labels": {"strimzi.io/cluster": cluster}});
            item("KafkaTopic", name, labels, json!({"spec": {"topicName": topic}}))
        };
        let found = classes(vec![
            item("Kafka", "c", mine, json!({})),
            topic("offsets", "c", "__consumer_offsets"),
            topic("offsets-of-others", "theirs", "__consumer_offsets"),
            topic("orders", "c", "orders"),
        ]);
        let classes: Vec<Class> = found.into_iter().map(|(_, class)| class).collect();
        assert_eq!(classes, [Class::Owned, Class::Dependent, Class::Foreign, Class::Foreign]);
    }

    #[test]
    fn objects_are_owned_dependent_or_foreign() {
        let mine = json!({"labels": {"app.kubernetes.io/managed-by": "kstrim", "kstrim.io/installation": "mine"},
            "creationTimestamp": "2026-01-02T00:00:00Z"});
        let of = |owner: &str| json!({"ownerReferences": [{"uid": owner}]});
        let claim = |made: &str| {
            json!({"creationTimestamp": made, "labels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka",
                "app.kubernetes.io/managed-by": "strimzi-cluster-operator"}})
        };
        let mounts = json!({"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "mounted"}}]}});
        let found = classes(vec![
            item("Kafka", "c", mine, json!({})),
            item("StrimziPodSet", "c-b", of("Kafka/c"), json!({})),
            item("Pod", "c-b-0", of("StrimziPodSet/c-b"), mounts),
            item("Pod", "theirs", of("ReplicaSet/theirs"), json!({})),
            item("Service", "c-bootstrap", of("Kafka/c"), json!({})),
            item("Endpoints", "c-bootstrap", json!({}), json!({})),
            item("Endpoints", "theirs", json!({}), json!({})),
            item(
                "PersistentVolumeClaim",
                "mounted",
                json!({"labels": {"strimzi.io/cluster": "c"}}),
                json!({}),
            ),
            item("PersistentVolumeClaim", "younger", claim("2026-01-03T00:00:00Z"), json!({})),
            item("PersistentVolumeClaim", "older", claim("2026-01-01T00:00:00Z"), json!({})),
            item(
                "PersistentVolumeClaim",
                "labelled",
                json!({"labels": {"strimzi.io/cluster": "c"},
                "creationTimestamp": "2026-01-03T00:00:00Z"}),
                json!({}),
            ),
            item(
                "PersistentVolumeClaim",
                "kept",
                json!({"labels": {"kstrim.io/installation": "mine"}}),
                json!({}),
            ),
            item("ConfigMap", "kube-root-ca.crt", json!({}), json!({})),
            item("ConfigMap", "app", json!({}), json!({})),
            item("ServiceAccount", "default", json!({}), json!({})),
            item("Lease", "strimzi-cluster-operator", json!({}), json!({})),
            item("Secret", "password", json!({}), json!({})),
        ]);
        let wanted = [
            Class::Owned,
            Class::Dependent,
            Class::Dependent,
            Class::Foreign,
            Class::Dependent,
            Class::Dependent,
            Class::Foreign,
            Class::Dependent,
            Class::Dependent,
            Class::Foreign,
            Class::Foreign,
            Class::Dependent,
            Class::System,
            Class::Foreign,
            Class::System,
            Class::Dependent,
            Class::Foreign,
        ];
        for ((what, class), wanted) in found.iter().zip(wanted) {
            assert_eq!(*class, wanted, "{what}");
        }
    }

    #[test]
    fn the_lease_of_an_operator_of_others_is_theirs() {
        let lease = || item("Lease", "strimzi-cluster-operator", json!({}), json!({}));
        let labels = json!({"labels": {"strimzi.io/kind": "cluster-operator"}});
        let theirs = item("Deployment", "strimzi-cluster-operator-v1.2.0", labels, json!({}));
        let found = classes(vec![theirs, lease()]);
        assert_eq!(found[1].1, Class::Foreign);
        let app = item("Deployment", "app", json!({}), json!({}));
        assert_eq!(classes(vec![app, lease()])[1].1, Class::Dependent);
    }

    #[test]
    fn many_names_are_shortened() {
        let all: Vec<Item> =
            (0..6).map(|n| item("ConfigMap", &format!("c{n}"), json!({}), json!({}))).collect();
        assert_eq!(by_kind(all.iter()), ["ConfigMap c0, c1, c2, c3 and 2 more"]);
    }
}
