//! What `down` would delete, and what it would keep: determined before anything is done, shown in the prompt and in
//! the event stream.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Scope, name};
use crate::cluster::adopt::CLUSTER_SCOPED;
use crate::cluster::brokers::{self, Brokers};
use crate::cluster::inventory::{Class, Inventory, Item, by_kind};
use crate::cluster::ownership::{self};
use crate::cluster::session::Session;
use crate::event::{DeletedObject, Deletion};
use crate::failure::Result;
use crate::kube::kafka;
use crate::manifest::class_data;

/// How long the brokers may take to respond with the number of topics.
const ASK: Duration = Duration::from_secs(3);

/// What exists before `down`.
pub(crate) struct Plan {
    /// The input of the tasks.
    pub scope: Rc<Scope>,
    /// The list for the prompt and for scripts.
    pub deletion: Deletion,
    /// Whether the Kafka's data is lost even if its volumes are kept, because it has none.
    pub ephemeral: bool,
    /// Resources whose volumes Strimzi deletes with them (`deleteClaim`), although the data is to be kept.
    pub claims_deleted: Vec<String>,
}

impl Plan {
    /// Whether there is something to delete.
    pub(crate) fn is_empty(&self) -> bool {
        self.deletion.objects.is_empty()
    }

    /// The lines of the prompt: first what contains data, then the rest by kind.
    pub(crate) fn lines(&self) -> Vec<String> {
        let objects = &self.deletion.objects;
        let data = |object: &DeletedObject| {
            matches!(object.kind.as_str(), "Kafka" | "Namespace")
                || object.kind == "PersistentVolumeClaim" && object.name != class_data::NAME
        };
        let mut lines = Vec::new();
        for object in objects.iter().filter(|o| data(o)) {
            let size = object.size.as_deref().map(|size| format!(" ({size})")).unwrap_or_default();
            lines.push(format!("  {} {}{size}", object.kind, object.name));
        }
        if let Some(topics) = self.deletion.topics {
            let s = if topics == 1 { "topic" } else { "topics" };
            lines.push(format!("  {topics} {s} in Kafka, with all messages"));
        }
        let rest = || objects.iter().filter(|o| !data(o));
        let mut kinds: Vec<&str> = rest().map(|o| o.kind.as_str()).collect();
        kinds.dedup();
        for kind in kinds {
            let names: Vec<String> = rest().filter(|o| o.kind == kind).map(|o| o.name.clone()).collect();
            lines.push(format!("  {kind} {}", super::few(&names)));
        }
        lines
    }
}

/// Determine what exists.
pub(crate) async fn look(cx: &Session, keep_data: bool) -> Result<Plan> {
    let installation = ownership::installation(cx).await?;
    let inventory = Inventory::of(&cx.kubectl, &installation, &BTreeSet::new()).await;
    let inventory = inventory.map_err(|e| cx.api_failure("list what is in the namespace", &e))?;
    let mut objects: Vec<DeletedObject> = Vec::new();
    let kept_kind =
        |item: &Item| keep_data && item.kind == "PersistentVolumeClaim" && item.name() != class_data::NAME;
    for item in &inventory.items {
        // Pods, Services and certificates are deleted with their owners; users want to know about the volumes.
        let shown = match item.class {
            Class::Owned => true,
            Class::Dependent => item.kind == "PersistentVolumeClaim",
            Class::System | Class::Foreign => false,
        };
        if shown && !kept_kind(item) {
            let size = item.object.pointer("/spec/resources/requests/storage").and_then(Value::as_str);
            objects.push(DeletedObject {
                kind: item.kind.clone(),
                name: item.name().to_owned(),
                size: size.map(str::to_owned),
            });
        }
    }
    let foreign = inventory.foreign();
    let stays = keep_data || !foreign.is_empty();
    for (kind, path) in CLUSTER_SCOPED.into_iter().filter(|(kind, _)| !(stays && *kind == "Namespace")) {
        for object in
            cx.list(path, "list what kstrim created").await?.into_iter().filter(|object| cx.owns(object))
        {
            objects.push(DeletedObject { kind: kind.into(), name: name(&object), size: None });
        }
    }
    let kafka = inventory.of_class(Class::Owned).find(|i| i.kind == "Kafka" && i.name() == cx.cluster());
    let ephemeral = kafka.is_some() && ephemeral(&inventory);
    let claims_deleted = if keep_data { claims_deleted(&inventory) } else { Vec::new() };
    let topics = match kafka {
        Some(_) if !keep_data || ephemeral || !claims_deleted.is_empty() => topics(cx).await,
        _ => None,
    };
    let namespace_stays = !objects.iter().any(|object| object.kind == "Namespace");
    let deletion = Deletion {
        namespace: cx.namespace().to_owned(),
        context: cx.target.context.as_ref().map(ToString::to_string),
        server: cx.kubectl.server(),
        objects,
        topics,
        kept: by_kind(inventory.of_class(Class::Foreign)),
        unknown: inventory.unknown.clone(),
    };
    let scope = Rc::new(Scope { known: inventory.uids(), namespace_stays });
    Ok(Plan { scope, deletion, ephemeral, claims_deleted })
}

/// Whether a Kafka cluster or one of its node pools stores its data in the pods.
fn ephemeral(inventory: &Inventory) -> bool {
    let storages =
        inventory.of_class(Class::Owned).filter(|i| matches!(i.kind.as_str(), "Kafka" | "KafkaNodePool"));
    storages.flat_map(|item| kafka::storages(&item.object)).any(|storage| storage["type"] == "ephemeral")
}

/// The Kafka resources and node pools with a volume that Strimzi deletes with them.
fn claims_deleted(inventory: &Inventory) -> Vec<String> {
    let all = inventory.of_class(Class::Owned);
    all.filter(|i| matches!(i.kind.as_str(), "Kafka" | "KafkaNodePool") && deletes_claims(&i.object))
        .map(|item| format!("{} {}", item.kind, item.name()))
        .collect()
}

/// Whether a storage of a resource has `deleteClaim`, alone or as a volume of type `jbod`.
fn deletes_claims(object: &Value) -> bool {
    kafka::storages(object).any(|storage| storage["deleteClaim"] == true)
}

/// The number of topics in Kafka without its internal ones, if the brokers respond.
async fn topics(cx: &Session) -> Option<usize> {
    let asked = async {
        cx.synced(&brokers::KINDS).await;
        let deadline = Instant::now() + ASK;
        let mut client = Brokers::of(cx).ok()?.client(deadline).await.ok()?;
        let topics = client.replicas(deadline).await.ok()?;
        Some(topics.into_iter().filter(|(name, _)| !name.starts_with("__")).count())
    };
    tokio::time::timeout(ASK, asked).await.ok()?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_storage_or_one_of_its_volumes_deletes_its_claims() {
        let volume = json!({"type": "persistent-claim", "deleteClaim": true});
        let kept = json!({"type": "persistent-claim", "deleteClaim": false});
        let jbod = json!({"type": "jbod", "volumes": [kept, volume]});
        for storage in [&volume, &jbod] {
            assert!(deletes_claims(&json!({"spec": {"storage": storage}})));
            assert!(deletes_claims(&json!({"spec": {"kafka": {"storage": storage}}})));
        }
        let kept = json!({"type": "jbod", "volumes": [kept]});
        assert!(!deletes_claims(&json!({"spec": {"storage": kept, "kafka": {"storage": kept}}})));
    }
}
