//! Which objects of a cluster belong to this installation of kstrim.
//!
//! An installation is Strimzi and Kafka in one namespace of one cluster. Its id is created once and kept in the
//! ConfigMap [`MARKER`] of that namespace; every object that kstrim creates has it as the label [`ID`]. The label
//! [`MANAGED_BY`] alone says only that *some* kstrim created an object.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kube::ApiError;
use crate::kube::kubectl::Kubectl;
use crate::kube::object::text;
use crate::manifest::label::{DIGEST, ID, KSTRIM, MANAGED_BY};
use crate::manifest::render::CLUSTER_LABEL;

/// Name of the ConfigMap that keeps the installation's id.
pub(crate) const MARKER: &str = "kstrim-installation";
/// The entry of [`MARKER`] that says whether kstrim created the namespace.
const CREATED_NAMESPACE: &str = "created-namespace";
/// The operator's Deployment, in every release.
const OPERATOR: &str = "strimzi-cluster-operator";

/// An installation, found or to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installation {
    namespace: String,
    id: String,
    /// Whether the marker is in the namespace.
    marked: bool,
    /// Whether the namespace itself is labelled with the id.
    named: bool,
    /// Set if an earlier kstrim, which had no ids, installed it. Its objects are recognised by what binds them to the
    /// namespace: they are in it, or their digest is one of these, which were found in it.
    without_ids: Option<Vec<String>>,
}

/// An object that kstrim may delete or change: it was read from the cluster, and it belongs to the installation or
/// the user asked for the change. Only this module constructs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    path: String,
    uid: String,
    resource_version: String,
    basis: Basis,
}

/// Why an object may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// It belongs to the installation.
    Installation,
    /// Kubernetes or the operator created it for an object of the installation.
    Dependent,
    /// The user named it.
    Requested,
}

/// The user asked for a change of an object that kstrim did not create: `--adopt`, or its name on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consent(());

impl Consent {
    /// The user named this object on the command line.
    pub(crate) fn by_name() -> Self {
        Self(())
    }

    /// The user specified `--adopt`.
    pub(crate) fn by_flag(adopt: bool) -> Option<Self> {
        adopt.then_some(Self(()))
    }
}

impl Owned {
    /// The API's path of the object.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The uid of the object as it was read.
    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    pub(super) fn resource_version(&self) -> &str {
        &self.resource_version
    }

    pub(super) fn basis(&self) -> Basis {
        self.basis
    }

    /// An object that the user asked to change, whoever created it.
    pub(crate) fn requested(collection: &str, object: &Value, _: Consent) -> Self {
        Self::new(&format!("{collection}/{}", name(object)), object, Basis::Requested)
    }

    pub(super) fn new(path: &str, object: &Value, basis: Basis) -> Self {
        Self {
            path: path.to_owned(),
            uid: uid(object).to_owned(),
            resource_version: text(object, "/metadata/resourceVersion").to_owned(),
            basis,
        }
    }
}

impl Installation {
    /// The installation in a namespace. `proposed` is the id of one that is to be created.
    pub(crate) async fn find(kubectl: &Kubectl, namespace: &str, proposed: &str) -> Result<Self, ApiError> {
        let at = |path: String| async move { kubectl.find(&path).await };
        let core = format!("/api/v1/namespaces/{namespace}");
        let (marker, space, operator) = tokio::join!(
            at(format!("{core}/configmaps/{MARKER}")),
            at(core.clone()),
            at(format!("/apis/apps/v1/namespaces/{namespace}/deployments/{OPERATOR}")),
        );
        let (marker, space, operator) = (marker?, space?, operator?);
        let mut found = Self {
            namespace: namespace.to_owned(),
            id: proposed.to_owned(),
            marked: false,
            named: false,
            without_ids: None,
        };
        let ours = |object: &&Value| by_kstrim(object);
        if let Some(id) = marker.as_ref().filter(ours).and_then(id_of) {
            found.id = id.to_owned();
            found.marked = true;
            return Ok(found);
        }
        // The marker is not there yet, or was deleted by hand; the namespace that kstrim created has the id too.
        if let Some(id) = space.as_ref().filter(ours).and_then(id_of) {
            found.id = id.to_owned();
            found.named = true;
            return Ok(found);
        }
        let unmarked =
            |object: &Option<Value>| object.as_ref().is_some_and(|o| by_kstrim(o) && id_of(o).is_none());
        let kafkas = match unmarked(&space) || unmarked(&operator) {
            true => true,
            false => by_kstrim_without_id(kubectl, namespace).await?,
        };
        if kafkas {
            let digests = [&space, &operator].into_iter().flatten().filter_map(digest).map(str::to_owned);
            found.without_ids = Some(digests.collect());
        }
        Ok(found)
    }

    /// The installation's id, also of one that is to be created.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the marker is in the namespace.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }

    /// Whether an earlier kstrim, which had no installation ids, created it.
    pub(crate) fn is_unmarked(&self) -> bool {
        !self.marked && !self.named && self.without_ids.is_some()
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same after its marker was created.
    #[must_use]
    pub(crate) fn marked(mut self) -> Self {
        self.marked = true;
        self
    }

    /// The same before its namespace is created: nothing in it has the id yet. A marker that was found belonged to
    /// an earlier namespace and was deleted with it.
    #[must_use]
    pub(crate) fn in_new_namespace(mut self) -> Self {
        self.marked = false;
        self.named = false;
        self
    }

    /// Whether an object belongs to the installation.
    pub(crate) fn owns(&self, object: &Value) -> bool {
        if !by_kstrim(object) {
            return false;
        }
        match id_of(object) {
            Some(id) => id == self.id,
            None => self.without_ids.as_ref().is_some_and(|digests| self.matches_unmarked(object, digests)),
        }
    }

    /// Whether an object without an id is bound to the namespace of an installation without one.
    fn matches_unmarked(&self, object: &Value, digests: &[String]) -> bool {
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
        if let Some(namespace) = namespace {
            return namespace == self.namespace;
        }
        if object.pointer("/metadata/name").and_then(Value::as_str) == Some(&self.namespace)
            && object.get("roleRef").is_none()
            && object.get("rules").is_none()
        {
            return true;
        }
        if let Some(subjects) = object.get("subjects").and_then(Value::as_array) {
            return !subjects.is_empty() && subjects.iter().all(|s| s["namespace"] == self.namespace);
        }
        digest(object).is_some_and(|digest| digests.iter().any(|d| d == digest))
    }

    /// An object of a list, if it belongs to the installation. `collection` is the path of the list in the object's
    /// own namespace.
    pub(crate) fn owned(&self, collection: &str, object: &Value) -> Option<Owned> {
        let path = format!("{collection}/{}", name(object));
        self.owns(object).then(|| Owned::new(&path, object, Basis::Installation))
    }

    /// An object that Kubernetes or the operator created for one of the installation's. `known` are the uids of the
    /// installation's objects and of their dependents.
    #[allow(clippy::unused_self, reason = "`known` are this installation's objects")]
    pub(crate) fn dependent(
        &self,
        collection: &str,
        object: &Value,
        known: &BTreeSet<String>,
    ) -> Option<Owned> {
        let itself = Some(uid(object)).filter(|uid| !uid.is_empty());
        let mine = owners(object).chain(itself).any(|uid| known.contains(uid));
        mine.then(|| Owned::new(&format!("{collection}/{}", name(object)), object, Basis::Dependent))
    }

    /// A volume claim that `down` labelled with the installation's id before it deleted the claim's Kafka.
    pub(crate) fn owned_claim(&self, collection: &str, claim: &Value) -> Option<Owned> {
        let path = format!("{collection}/{}", name(claim));
        (id_of(claim) == Some(&self.id)).then(|| Owned::new(&path, claim, Basis::Dependent))
    }

    /// The marker, as it is created.
    pub(crate) fn marker(&self, created_namespace: bool) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": MARKER, "namespace": self.namespace,
                "labels": {MANAGED_BY: KSTRIM, ID: self.id},
            },
            "data": {
                "id": self.id,
                CREATED_NAMESPACE: created_namespace.to_string(),
                "created-by": format!("kstrim {}", env!("CARGO_PKG_VERSION")),
            },
        })
    }

    /// The path of the marker's collection.
    pub(crate) fn markers(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }
}

/// Whether a Kafka resource of the namespace was created by an earlier kstrim, which had no installation ids.
async fn by_kstrim_without_id(kubectl: &Kubectl, namespace: &str) -> Result<bool, ApiError> {
    let Some(group) = kubectl.find("/apis/kafka.strimzi.io").await? else { return Ok(false) };
    let Some(version) = crate::kube::kind::Version::served(&group) else { return Ok(false) };
    let path = crate::kube::Kind::Kafka.path(version, Some(namespace));
    Ok(kubectl.list(&path).await?.iter().any(|o| by_kstrim(o) && id_of(o).is_none()))
}

/// Whether some kstrim created an object.
pub(crate) fn by_kstrim(object: &Value) -> bool {
    label(object, MANAGED_BY) == Some(KSTRIM)
}

/// The id of the installation that created an object.
pub(crate) fn id_of(object: &Value) -> Option<&str> {
    label(object, ID)
}

/// The Kafka cluster, or Kafka Connect cluster, to which an object belongs by its label.
pub(crate) fn cluster_of(object: &Value) -> Option<&str> {
    label(object, CLUSTER_LABEL)
}

/// An object's label.
pub(crate) fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(name)?.as_str()
}

/// An object's name.
pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// An object's uid.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// The uids of an object's owners.
pub(crate) fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
}

fn digest(object: &Value) -> Option<&str> {
    object.pointer("/metadata/annotations")?.get(DIGEST)?.as_str()
}

#[cfg(test)]
pub(super) mod tests_support {
    use super::*;

    /// An installation with this id.
    pub(in crate::cluster) fn marked(namespace: &str, id: &str) -> Installation {
        Installation {
            namespace: namespace.into(),
            id: id.into(),
            marked: true,
            named: false,
            without_ids: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(marked: bool, without_ids: Option<&[&str]>) -> Installation {
        Installation {
            namespace: "kafka".into(),
            id: "mine".into(),
            marked,
            named: false,
            without_ids: without_ids.map(|digests| digests.iter().map(|d| (*d).to_owned()).collect()),
        }
    }

    fn object(namespace: Option<&str>, labels: Value, more: Value) -> Value {
        let mut object =
            json!({"metadata": {"name": "x", "uid": "1", "resourceVersion": "2", "labels": labels}});
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = namespace.into();
        }
        for (key, value) in more.as_object().into_iter().flatten() {
            match key.as_str() {
                "annotations" | "name" => object["metadata"][key] = value.clone(),
                _ => object[key] = value.clone(),
            }
        }
        object
    }

    #[test]
    fn an_object_belongs_to_the_installation_by_its_id() {
        let found = installation(true, None);
        let by = |id: &str| json!({MANAGED_BY: KSTRIM, ID: id});
        assert!(found.owns(&object(Some("kafka"), by("mine"), json!({}))));
        assert!(found.owns(&object(None, by("mine"), json!({}))));
        for labels in
            [by("another"), json!({MANAGED_BY: KSTRIM}), json!({MANAGED_BY: "Helm", ID: "mine"}), json!({})]
        {
            assert!(!found.owns(&object(Some("kafka"), labels.clone(), json!({}))), "{labels}");
            assert!(found.owned("/api/v1/namespaces/kafka/pods", &object(None, labels, json!({}))).is_none());
        }
        let owned = found.owned("/api/v1/x", &object(None, by("mine"), json!({}))).expect("owned");
        assert_eq!((owned.path(), owned.uid(), owned.resource_version()), ("/api/v1/x/x", "1", "2"));
    }

    #[test]
    fn objects_without_an_id_are_bound_by_their_namespace_subjects_or_digest() {
        let label = || json!({MANAGED_BY: KSTRIM});
        let old = installation(false, Some(&["abc"]));
        let subjects = |namespace: &str| json!({"roleRef": {}, "subjects": [{"kind": "ServiceAccount", "name": "o", "namespace": namespace}]});
        let digest = |digest: &str| json!({"rules": [], "annotations": {DIGEST: digest}});
        let cases = [
            (object(Some("kafka"), label(), json!({})), true),
            (object(Some("other"), label(), json!({})), false),
            (object(None, label(), json!({"name": "kafka"})), true),
            (object(None, label(), subjects("kafka")), true),
            (object(None, label(), subjects("other")), false),
            (object(None, label(), digest("abc")), true),
            (object(None, label(), digest("def")), false),
            (object(None, label(), json!({})), false),
            (object(Some("kafka"), json!({MANAGED_BY: KSTRIM, ID: "another"}), json!({})), false),
        ];
        for (object, mine) in cases {
            assert_eq!(old.owns(&object), mine, "{object}");
        }
        // Once the marker exists, a label alone proves nothing, except to the run that created the marker.
        let later = installation(true, None);
        assert!(!later.owns(&object(Some("kafka"), label(), json!({}))));
        assert!(old.marked().owns(&object(Some("kafka"), label(), json!({}))));
    }

    #[test]
    fn a_dependent_has_an_owner_that_was_known() {
        let found = installation(true, None);
        let known = BTreeSet::from(["7".to_owned()]);
        let pod =
            |owner: &str| json!({"metadata": {"name": "p", "uid": "9", "ownerReferences": [{"uid": owner}]}});
        assert!(found.dependent("/api/v1/namespaces/kafka/pods", &pod("7"), &known).is_some());
        assert!(found.dependent("/api/v1/namespaces/kafka/pods", &pod("8"), &known).is_none());
    }
}
