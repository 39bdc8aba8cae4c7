//! Migrates from ZooKeeper to KRaft as documented by Strimzi ("Migrating to KRaft mode", 0.45): brokers in a node
//! pool, then a pool of controllers to which the metadata is copied, then KRaft alone. Each part derives what is left
//! to do from the live cluster, so that it continues wherever an earlier run ended.

use std::cell::Cell;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::model::{Metadata, State};
use super::rule::Rule;
use super::rule::rule;
use super::settled::{self, KINDS};
use crate::catalogue::Mode;
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::cluster::{change, installation};
use crate::command_line::CommandLine;
use crate::engine::task::{Doneness, Task, Wait};
use crate::errors;
use crate::explain::Scope;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::{Kafka, with_volumes};
use crate::kube::object::text;
use crate::kube::strimzi::PAUSE;
use crate::kube::{ApiError, Kind as ObservedKind, Snapshot};
use crate::manifest::Object;
use crate::manifest::render::{CLUSTER_LABEL, CONTROLLER, MIGRATED};
use crate::quickstart::context::Context;

/// Enables node pools for the operator.
pub(super) const NODE_POOLS: &str = "strimzi.io/node-pools";
/// `migration`, then `enabled`.
pub(super) const KRAFT: &str = "strimzi.io/kraft";
/// Records that kstrim paused the reconciliation between two changes that belong together.
const PAUSED: &str = "kstrim/paused";
/// How long to wait for the operator's condition `ReconciliationPaused`. After that the step continues without it,
/// and reports what the operator rejects.
const PAUSES: Duration = Duration::from_secs(180);
/// The subject of a failure, after "cannot".
const DOING: &str = "migrate the Kafka cluster to KRaft";
/// Settings in `spec.kafka.config` that brokers with ZooKeeper have and brokers in KRaft mode do not.
const OPTIONS: [&str; 2] = ["inter.broker.protocol.version", "log.message.format.version"];
/// Fields of `spec.kafka` that node pools have instead.
const POOLED: [&str; 2] = ["replicas", "storage"];

/// A part of the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The brokers in a node pool, otherwise unchanged.
    Pools,
    /// Controllers, with the metadata in them as well as in ZooKeeper.
    Migrate,
    /// The metadata only in KRaft.
    Kraft,
}

impl Part {
    /// Whether `status.kafkaMetadataState` has reached this part.
    fn reached(self, state: &str) -> bool {
        match self {
            Self::Pools => true,
            Self::Migrate => ["KRaftPostMigration", "PreKRaft", "KRaft"].contains(&state),
            Self::Kraft => state == "KRaft",
        }
    }

    /// The annotation that requests it, and its value.
    const fn asks(self) -> (&'static str, &'static str) {
        match self {
            Self::Pools => (NODE_POOLS, "enabled"),
            Self::Migrate => (KRAFT, "migration"),
            Self::Kraft => (KRAFT, "enabled"),
        }
    }
}

/// The task.
pub(crate) struct Migrate {
    waiter: Waiter,
    part: Part,
    warned: Cell<bool>,
}

impl Migrate {
    /// A part, with the release and the Kafka version of the context.
    pub(crate) fn new(part: Part) -> Self {
        let waiter =
            Waiter::new(Scope::Kafka, "the migration of the Kafka cluster to KRaft does not complete");
        Self { waiter, part, warned: Cell::new(false) }
    }

    /// Whether everything is requested.
    fn asked(&self, cx: &Context, kafka: &Value, pools: &[Value]) -> bool {
        let (name, value) = self.part.asks();
        annotation(kafka, name) == value
            && annotation(kafka, PAUSED).is_empty()
            && self.pool(cx, kafka, pools).is_none()
    }

    /// The missing node pool.
    fn pool(&self, cx: &Context, kafka: &Value, pools: &[Value]) -> Option<Value> {
        let part = if self.part == Part::Pools { "/spec/kafka" } else { "/spec/zookeeper" };
        let (name, role) = match self.part {
            Part::Pools if annotation(kafka, NODE_POOLS) != "enabled" => (MIGRATED, "broker"),
            Part::Migrate => (CONTROLLER, "controller"),
            _ => return None,
        };
        if pools.iter().any(|pool| installation::name(pool) == name) {
            return None;
        }
        let of = |field: &str| kafka.pointer(&format!("{part}/{field}")).cloned();
        let mut storage = of("storage")?;
        // Controllers' volumes are defined as in kstrim's node pools; those of brokers do not change.
        if role == "controller" && storage["type"] != "jbod" {
            storage["id"] = 0.into();
            storage = json!({"type": "jbod", "volumes": [storage]});
        }
        let mut spec = json!({"replicas": of("replicas")?, "roles": [role], "storage": storage});
        // From Strimzi 1.0 on only node pools have resources.
        let mut all = pools.iter().filter_map(|pool| pool.pointer("/spec/resources"));
        if let Some(resources) = kafka.pointer("/spec/kafka/resources").or(all.next()) {
            spec["resources"] = resources.clone();
        }
        Some(json!({
            "apiVersion": cx.choice.release.api_version(), "kind": "KafkaNodePool",
            "metadata": {"name": name, "namespace": cx.namespace(), "labels": {CLUSTER_LABEL: cx.cluster()}},
            "spec": spec,
        }))
    }

    /// Create a node pool. An existing foreign one with its name is a failure.
    async fn create(&self, cx: &Context, pool: Value) -> Result<()> {
        let object = Object::new(pool).map_err(|why| {
            Box::new(Failure::new(errors::POOL_TAKEN, Kind::Task, format!("the new node pool {why}")))
        })?;
        let path = ObservedKind::KafkaNodePool.path(cx.api_version(), Some(cx.namespace()));
        for object in cx.labelled(vec![object]) {
            let created =
                change::create(&cx.kubectl, &path, object.value()).await.map_err(|e| failed(cx, &e))?;
            if created.is_none() {
                let there = cx.kubectl.find(&format!("{path}/{}", object.name())).await;
                if let Some(there) = there.map_err(|e| failed(cx, &e))? {
                    free(cx, &there)?;
                }
            }
        }
        Ok(())
    }

    /// Wait until the operator reports that reconciliation is paused: a reconciliation that started earlier may still
    /// list the node pools.
    async fn paused(&self, cx: &Context) {
        let end = Instant::now() + PAUSES;
        while Instant::now() < end {
            let snapshot = cx.store.snapshot();
            if snapshot.kafka(cx.namespace(), cx.cluster()).is_some_and(|kafka| kafka.paused().is_some()) {
                break;
            }
            cx.changed_or_second().await;
        }
    }

    /// Warn once about ZooKeeper's volumes, which are kept after its deletion.
    fn warn_of_volumes(&self, cx: &Context, snapshot: &Snapshot) {
        let of = format!("{}-zookeeper", cx.cluster());
        let mine = |c: &crate::kube::pod::Claim<'_>| {
            c.cluster() == Some(cx.cluster()) && c.0.label("strimzi.io/name") == Some(of.as_str())
        };
        if self.part != Part::Kraft
            || self.warned.replace(true)
            || !snapshot.claims(cx.namespace()).any(|c| mine(&c))
        {
            return;
        }
        let delete = delete_claims(cx, &format!("strimzi.io/name={of}"));
        cx.emit.warn(format!(
            "ZooKeeper was deleted, but its volumes are kept; to delete them and the metadata in them: {delete}"
        ));
    }
}

fn failed(cx: &Context, error: &ApiError) -> Box<Failure> {
    cx.api_failure(DOING, error)
}

#[async_trait(?Send)]
impl Task<Context> for Migrate {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let snapshot = cx.synced(&KINDS).await;
        let Some(kafka) = snapshot.kafka(cx.namespace(), cx.cluster()) else {
            return Ok(Doneness::Pending("the Kafka cluster does not exist".into()));
        };
        let (json, pools) = (kafka.0.json(), pools(&snapshot, cx));
        if !self.asked(cx, json, &pools) {
            return Ok(Doneness::Pending("the migration has not been requested".into()));
        }
        let state = text(json, "/status/kafkaMetadataState");
        let settled = settled::look(cx, &self.waiter, true).await?;
        let taken_up = |pool: &Value| {
            pool.pointer("/status/nodeIds").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty())
        };
        Ok(match (settled, self.part.reached(state)) {
            (Doneness::Done(_), true) if !pools.iter().all(taken_up) => {
                Doneness::Pending("the operator has not reconciled the node pools".into())
            }
            (Doneness::Done(_), true) => {
                self.warn_of_volumes(cx, &snapshot);
                Doneness::Done(match self.part {
                    Part::Pools => "the brokers are in a node pool".into(),
                    Part::Migrate => {
                        "the metadata is in KRaft and in ZooKeeper; it can be rolled back until the next step"
                            .into()
                    }
                    Part::Kraft => "the metadata is only in KRaft".into(),
                })
            }
            (Doneness::Pending(why), _) => Doneness::Pending(match self.part {
                Part::Pools => why,
                _ => format!("metadata state {}, {why}", state_for_people(state)),
            }),
            (Doneness::Done(_), false) => {
                Doneness::Pending(format!("metadata state {}", state_for_people(state)))
            }
            (foreign, _) => foreign,
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let snapshot = cx.store.snapshot();
        let Some(kafka) = snapshot.kafka(cx.namespace(), cx.cluster()) else { return Ok(()) };
        let (json, pools) = (kafka.0.json(), pools(&snapshot, cx));
        self.waiter.changed_now();
        if self.asked(cx, json, &pools) {
            return Ok(());
        }
        if let Some(pool) = self.pool(cx, json, &pools) {
            // The operator rejects controllers without the annotation, and the annotation without controllers.
            if self.part == Part::Migrate {
                patch(cx, |_| Some(annotations(json!({PAUSE: "true", PAUSED: "true"})))).await?;
                self.paused(cx).await;
            }
            self.create(cx, pool).await?;
        }
        let (name, value) = self.part.asks();
        let moved = pools.iter().any(|pool| installation::name(pool) == MIGRATED)
            || self.pool(cx, json, &pools).is_some();
        patch(cx, |kafka| {
            let mut new = json!({name: value});
            if !annotation(kafka, PAUSED).is_empty() {
                (new[PAUSE], new[PAUSED]) = (Value::Null, Value::Null);
            }
            let mut change = annotations(new);
            if self.part == Part::Pools {
                // Kafka has ignored it since 3.0, and the operator rejects a value that differs from the protocol
                // version's.
                if kafka.pointer(&format!("/spec/kafka/config/{}", OPTIONS[1])).is_some() {
                    change["spec"]["kafka"]["config"] = json!({OPTIONS[1]: null});
                }
                if moved && kafka.pointer("/spec/kafka/resources").is_some() {
                    change["spec"]["kafka"]["resources"] = Value::Null;
                }
            }
            Some(change)
        })
        .await?;
        self.waiter.changed_now();
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }
}

/// A metadata state for messages.
fn state_for_people(state: &str) -> &str {
    if state.is_empty() { "unknown" } else { state }
}

pub(super) fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(name))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn annotations(all: Value) -> Value {
    json!({"metadata": {"annotations": all}})
}

/// The Kafka cluster's node pools.
fn pools(snapshot: &Snapshot, cx: &Session) -> Vec<Value> {
    let mine = snapshot.pools(cx.namespace()).filter(|pool| pool.cluster() == Some(cx.cluster()));
    mine.filter(|pool| !pool.0.deleting()).map(|pool| pool.0.json().clone()).collect()
}

/// Patch the live Kafka resource, which must belong to this installation.
async fn patch(cx: &Session, mut make: impl FnMut(&Value) -> Option<Value>) -> Result<()> {
    let make = |kafka: &Kafka<'_>| make(kafka.0.json());
    ownership::change_kafka(cx, false, None, DOING, make).await.map(drop)
}

/// The fields of a Kafka resource in KRaft mode that only ZooKeeper, or one without node pools, needs.
fn leftovers(kafka: &Value) -> Option<Value> {
    let present = |parent: &str, names: &[&str]| -> Map<String, Value> {
        let parent = kafka.pointer(parent).and_then(Value::as_object);
        let there = names.iter().filter(|name| parent.is_some_and(|p| p.contains_key(**name)));
        there.map(|name| ((*name).to_owned(), Value::Null)).collect()
    };
    let mut spec = present("/spec", &["zookeeper"]);
    let mut own = present("/spec/kafka", &POOLED);
    let config = present("/spec/kafka/config", &OPTIONS);
    if !config.is_empty() {
        own.insert("config".into(), config.into());
    }
    if !own.is_empty() {
        spec.insert("kafka".into(), own.into());
    }
    (!spec.is_empty()).then(|| json!({"spec": spec}))
}

/// Whether a Kafka resource in KRaft mode still has fields that only ZooKeeper needed.
pub(crate) fn left(kafka: &Value) -> bool {
    leftovers(kafka).is_some()
}

/// Remove those fields, whoever wrote them.
pub(crate) async fn leave(cx: &Session) -> Result<()> {
    patch(cx, leftovers).await
}

/// Whether an earlier run ended after it created the controllers and before it set `strimzi.io/kraft=migration`: the
/// operator does not reconcile the Kafka resource, or rejects it, until the step is done.
pub(crate) fn between(kafka: &Value, pools: &[Value], metadata: Metadata) -> bool {
    let controllers = pools.iter().any(|pool| installation::name(pool) == CONTROLLER);
    metadata.mode() == Mode::Zookeeper
        && (!annotation(kafka, PAUSED).is_empty() || controllers != metadata.begun())
}

/// Refuse what Strimzi cannot migrate, or what is foreign, before anything is changed.
pub(crate) async fn possible(cx: &Session, state: &State, kafka: &Value) -> Result<()> {
    let group = format!("/apis/kafka.strimzi.io/{}/namespaces/{}", cx.api_version().as_str(), cx.namespace());
    let pools = cx.list(&format!("{group}/kafkanodepools"), "list Strimzi's resources").await?;
    let needed = |pool: &&Value| {
        let name = installation::name(pool);
        let mine = installation::cluster_of(pool) == Some(cx.cluster());
        name == CONTROLLER
            || name == MIGRATED && state.metadata == Metadata::Zookeeper
            || mine && state.metadata.begun()
    };
    for pool in pools.iter().filter(needed) {
        free(cx, pool)?;
    }
    let refuse = |by: Rule, message: String| rule(by, Kind::Prerequisite, message);
    for (whose, at) in [("ZooKeeper", "/spec/zookeeper/storage"), ("the brokers", "/spec/kafka/storage")] {
        if kafka.pointer(at).is_some_and(|storage| with_volumes(storage).any(|s| s["type"] == "ephemeral")) {
            let message = format!("the storage of {whose} is ephemeral");
            return Err(refuse(Rule::MigrationStorage, message)
                .hint("create a new cluster in KRaft mode, and copy the data with MirrorMaker 2")
                .into());
        }
    }
    if pools.iter().any(|pool| installation::name(pool) == CONTROLLER) {
        return Ok(());
    }
    let claims = cx
        .list(
            &format!("/api/v1/namespaces/{}/persistentvolumeclaims", cx.namespace()),
            "list Strimzi's resources",
        )
        .await?;
    let of_controllers = |claim: &&Value| {
        installation::label(claim, CLUSTER_LABEL) == Some(cx.cluster())
            && installation::label(claim, "strimzi.io/pool-name") == Some(CONTROLLER)
    };
    let Some(claim) = claims.iter().find(of_controllers) else { return Ok(()) };
    let delete = delete_claims(cx, &format!("strimzi.io/pool-name={CONTROLLER}"));
    let message = format!(
        "the volume claim {} is left over from controllers that no longer exist",
        installation::name(claim)
    );
    Err(refuse(Rule::MigrationVolumes, message).hint(format!("delete it: {delete}")).into())
}

/// The command that deletes the Kafka cluster's volume claims with one more label.
fn delete_claims(cx: &Session, label: &str) -> CommandLine {
    let selector = format!("{CLUSTER_LABEL}={},{label}", cx.cluster());
    cx.target.kubectl("delete pvc -n").arg(cx.namespace()).arg("-l").arg(selector)
}

/// Refuse if a node pool with a name that the migration needs exists, unless it belongs to this installation and this
/// Kafka cluster.
fn free(cx: &Session, pool: &Value) -> Result<()> {
    let (name, owner) = (installation::name(pool), installation::cluster_of(pool).unwrap_or_default());
    let cause = "a namespace can have only one node pool of a given name, and the migration to KRaft needs \
                 this one";
    if owner != cx.cluster() {
        let message = format!(
            "the node pool {name} in namespace {} belongs to the Kafka cluster {owner}",
            cx.namespace()
        );
        return Err(Box::new(Failure::new(errors::POOL_TAKEN, Kind::Foreign, message).because(cause)));
    }
    if cx.owns(pool) {
        return Ok(());
    }
    let message = format!("the node pool {name} in namespace {} was not created by kstrim", cx.namespace());
    Err(Box::new(
        Failure::new(errors::POOL_FOREIGN, Kind::Foreign, message)
            .because("kstrim migrates only what it created")
            .hint(format!("migrate it as Strimzi's documentation describes: {}", Rule::DualWrite.source())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_only_zookeeper_needed_are_found() {
        let kafka = json!({"spec": {"zookeeper": {"replicas": 1}, "entityOperator": {},
            "kafka": {"replicas": 1, "storage": {"type": "jbod"}, "version": "3.9.1",
                "config": {"inter.broker.protocol.version": "3.9", "log.retention.hours": 24}}}});
        assert_eq!(
            leftovers(&kafka),
            Some(json!({"spec": {"zookeeper": null, "kafka": {"replicas": null, "storage": null,
                "config": {"inter.broker.protocol.version": null}}}}))
        );
        let migrated =
            json!({"spec": {"kafka": {"version": "3.9.1", "config": {"log.retention.hours": 24}}}});
        assert_eq!(leftovers(&migrated), None);
    }

    #[test]
    fn a_run_that_ended_between_two_changes_is_detected() {
        let pool = [json!({"metadata": {"name": "controller"}})];
        let (kafka, paused) = (json!({}), annotations(json!({PAUSED: "true"})));
        assert!(!between(&kafka, &[], Metadata::Pooled) && !between(&kafka, &pool, Metadata::Migrating));
        assert!(between(&kafka, &pool, Metadata::Pooled) && between(&paused, &[], Metadata::Pooled));
        assert!(!between(&kafka, &[], Metadata::Kraft), "one whose nodes are both");
    }
}
