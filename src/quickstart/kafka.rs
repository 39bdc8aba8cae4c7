//! The Kafka resource and its node pools; the task is done when every broker is ready. The entity operator starts
//! later: `ready` waits for it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::context::{Context, Loaded};
use super::{components as beside, nodes, user_objects};
use crate::catalogue::Mode;
use crate::cluster::wait::Waiter;
use crate::cluster::{ownership, refusals};
use crate::component;
use crate::engine::task::{Doneness, Task, Wait};
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka as LiveKafka;
use crate::kube::{self, ApiError, Kind as ObservedKind, Snapshot};
use crate::manifest::label::{CLUSTER_ID, is_of_files};
use crate::manifest::render::{self, Preset, RenderInput};
use crate::manifest::{self, Object, class_data};
use crate::names::{ComponentName, plain};

/// How long to wait until the operator reports that it has paused. An operator that starts later than this reads the
/// id when it starts.
const PAUSED: Duration = Duration::from_secs(60);

/// Kubernetes gives a pod 30 s to terminate before it kills it.
const POD_END: Duration = Duration::from_secs(40);

/// What shows whether brokers are ready, and why not.
pub(crate) const KINDS: [ObservedKind; 8] = [
    ObservedKind::Kafka,
    ObservedKind::KafkaNodePool,
    ObservedKind::StrimziPodSet,
    ObservedKind::Pod,
    ObservedKind::Claim,
    ObservedKind::Event,
    ObservedKind::Deployment,
    ObservedKind::Node,
];

/// The task.
pub(crate) struct Kafka {
    waiter: Waiter,
    /// Whether its images come from archives that another task loads.
    loaded: bool,
}

impl Default for Kafka {
    fn default() -> Self {
        Self { waiter: Waiter::new(Scope::Kafka, "Kafka cannot start"), loaded: false }
    }
}

impl Kafka {
    /// For a plan in which `images` loads the images from archives, if `loaded`.
    pub(crate) fn with_images(loaded: bool) -> Self {
        Self { loaded, ..Self::default() }
    }
}

#[async_trait(?Send)]
impl Task<Context> for Kafka {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let snapshot = cx.synced(&KINDS).await;
        let wanted = wanted_over(cx, &snapshot)?;
        let found = snapshot.kafka(cx.namespace(), cx.cluster());
        // An adopted Kafka resource keeps its node pools.
        if found.as_ref().is_none_or(|k| cx.owns(k.0.json()))
            && let Some(taken) = taken(&snapshot, cx, &wanted)
        {
            return Ok(Doneness::Foreign(taken));
        }
        if found.as_ref().is_none_or(|k| cx.owns(k.0.json()))
            && let Some(pool) = foreign_pool(&snapshot, cx, &wanted)
        {
            return Ok(Doneness::Foreign(pool));
        }
        let Some(found) = found else {
            return Ok(Doneness::Pending(format!("the Kafka cluster {} does not exist", cx.cluster())));
        };
        let json = found.0.json();
        let ours = cx.owns(json);
        if !ours && !cx.settings.adopt {
            return Ok(Doneness::Foreign(refusals::foreign(
                cx,
                errors::KAFKA_FOREIGN,
                format!("the Kafka cluster {} in namespace {}", cx.cluster(), cx.namespace()),
                "--cluster",
            )));
        }
        if found.0.deleting() {
            return Ok(Doneness::Pending(format!(
                "an earlier Kafka cluster {} is still being deleted",
                cx.cluster()
            )));
        }
        let lacks = |name: &ComponentName| {
            let component = component::of(*name);
            component.field().is_some() && !component.is_field_of(json)
        };
        if let Some(name) = cx.settings.with.iter().find(|name| lacks(name)) {
            return Ok(Doneness::Pending(format!("{} does not exist", component::of(*name).title)));
        }
        if ours
            && !is_used_unchanged(cx, json)
            && (ownership::digest(json) != Some(&manifest::digest(&wanted))
                || !complete(&snapshot, cx, &wanted))
        {
            return Ok(Doneness::Pending("its settings must be applied".into()));
        }
        Ok(match self.waiter.look(cx, &snapshot, ready::brokers).await? {
            Doneness::Done(_) => Doneness::Done(format!("Kafka {} is running", cx.choice.kafka)),
            other => other,
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let snapshot = cx.store.snapshot();
        let wanted = wanted_over(cx, &snapshot)?;
        let live = snapshot.kafka(cx.namespace(), cx.cluster());
        let as_wanted = |json: &Value| {
            !cx.owns(json)
                || is_used_unchanged(cx, json)
                || ownership::digest(json) == Some(&manifest::digest(&wanted))
                    && complete(&snapshot, cx, &wanted)
        };
        if let Some(json) = live.as_ref().map(|k| k.0.json()).filter(|json| as_wanted(json)) {
            // A requested component may be new.
            let input = beside::input(cx);
            let names = new(cx, json);
            if component::patch_to_add(json, &names, &input).is_none() {
                return Ok(());
            }
            self.waiter.changed_now();
            beside::rules(cx).await?;
            beside::patch_kafka(cx, |now| component::patch_to_add(now, &names, &input)).await?;
            self.waiter.changed_now();
            return Ok(());
        }
        nodes::joined(cx).await?;
        if self.loaded {
            // The kubelet would try to pull a missing image, and wait before it tries again.
            cx.images_are_loaded(Loaded::Wanted).await;
        }
        let kept = if live.is_none() { kept_volumes(cx, &settled_volumes(cx).await)? } else { None };
        if let Some(live) = &live {
            warn_of_changes(cx, &snapshot, live, &wanted);
        }
        self.waiter.changed_now();
        beside::rules(cx).await?;
        apply(cx, wanted, live.as_ref().map(|k| k.0.json()), kept).await?;
        cx.journal.borrow_mut().remember_cluster(cx.namespace(), cx.cluster())?;
        self.waiter.changed_now();
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        let names: Vec<String> = wanted(cx)?.iter().map(|o| format!("{}/{}", o.kind(), o.name())).collect();
        let mut lines = vec![format!("kubectl apply --server-side -f -   # {}", names.join(", "))];
        lines.extend(user_objects::fitted(cx, |object| names.contains(&object.replacen(' ', "/", 1))));
        if let Some(broker_jvm) = cx.settings.tuning().filter(|_| !cx.kafka_is_from_files()) {
            let tuned = render::tuned(broker_jvm, cx.class_data.get());
            lines.extend(tuned.iter().map(|t| format!("# laptop tuning: {t}")));
        }
        Ok(lines)
    }
}

/// The Kafka resource and its node pools as requested, not yet labelled.
pub(crate) fn wanted(cx: &Context) -> Result<Vec<Object>> {
    if let Some(files) = cx.files.as_ref().filter(|_| cx.kafka_is_from_files()) {
        return Ok(files.kafka(cx.cluster()));
    }
    wanted_as(cx, cx.preset(), cx.class_data.get())
}

/// The same for a Kafka resource that may exist: if no preset was requested, it keeps its node pools.
fn wanted_over(cx: &Context, snapshot: &Snapshot) -> Result<Vec<Object>> {
    if cx.kafka_is_from_files() {
        return wanted(cx);
    }
    let live = snapshot.kafka(cx.namespace(), cx.cluster()).filter(|kafka| cx.owns(kafka.0.json()));
    let preset = match &live {
        Some(kafka) if cx.settings.preset.is_none() => {
            let mine = snapshot.pools(cx.namespace()).filter(|pool| pool.belongs_to(kafka));
            let pools: Vec<Value> = mine.map(|pool| pool.0.json().clone()).collect();
            let mode = if kafka.has_zookeeper() { Mode::Zookeeper } else { Mode::Kraft };
            Preset::of(mode, &pools).unwrap_or(cx.preset())
        }
        _ => cx.preset(),
    };
    // Other volumes would restart the brokers.
    let class_data = live.map_or(cx.class_data.get(), |kafka| class_data::is_in(kafka.0.json()));
    wanted_as(cx, preset, class_data)
}

fn wanted_as(cx: &Context, preset: Preset, class_data: bool) -> Result<Vec<Object>> {
    render::kafka(&RenderInput {
        release: cx.choice.release,
        kafka: &cx.choice.kafka,
        preset,
        namespace: &cx.target.namespace,
        cluster: &cx.target.cluster,
        storage: &cx.settings.storage,
        storage_class: nodes::storage_class(cx),
        tuning: cx.settings.tuning(),
        class_data,
    })
}

/// Whether a Kafka comes from manifests that this run does not have: it is used unchanged.
fn is_used_unchanged(cx: &Context, kafka: &Value) -> bool {
    is_of_files("Kafka", kafka) && !cx.kafka_is_from_files()
}

/// The requested components that do not exist yet. An existing component that kstrim did not create is kept, and its
/// task reports that.
fn new(cx: &Context, kafka: &Value) -> Vec<ComponentName> {
    cx.settings.with.iter().copied().filter(|name| !component::of(*name).is_field_of(kafka)).collect()
}

/// The failure if a node pool's name is used by another Kafka cluster of the namespace: applying ours would take over
/// its brokers (Strimzi assigns a node pool by the label `strimzi.io/cluster`).
fn taken(snapshot: &Snapshot, cx: &Context, wanted: &[Object]) -> Option<Box<Failure>> {
    let pools = wanted.iter().filter(|o| o.kind() == "KafkaNodePool");
    let (pool, owner) = pools
        .filter_map(|o| snapshot.get(ObservedKind::KafkaNodePool, cx.namespace(), o.name()))
        .filter_map(|pool| Some((pool.name(), pool.label("strimzi.io/cluster")?)))
        .find(|(_, owner)| *owner != cx.cluster())?;
    let message =
        format!("the node pool {pool} in namespace {} belongs to the Kafka cluster {owner}", cx.namespace());
    let failure = Failure::new(errors::POOL_TAKEN, Kind::Foreign, message).because(format!(
        "a namespace can have only one node pool of a given name, and {} needs one named {pool}",
        cx.cluster()
    ));
    if cx.kafka_is_from_files() {
        let other = cx.target.kstrim("down --keep-cluster").with("--cluster", owner);
        return Some(Box::new(
            failure
                .hint("give the node pool another name in the manifests")
                .hint(format!("or delete the Kafka cluster {owner} with its data first: {other}")),
        ));
    }
    Some(Box::new(
        failure
            .hint(format!("use the existing Kafka cluster: {}", refusals::up(cx).with("--cluster", owner)))
            .hint(format!("or another namespace: {}", refusals::up(cx).with("--namespace", cx.cluster()))),
    ))
}

/// The failure if a node pool of this Kafka cluster was not created by kstrim: it may be kept for recovery.
fn foreign_pool(snapshot: &Snapshot, cx: &Context, wanted: &[Object]) -> Option<Box<Failure>> {
    let pools = wanted.iter().filter(|o| o.kind() == "KafkaNodePool");
    let mut live = pools.filter_map(|o| snapshot.get(ObservedKind::KafkaNodePool, cx.namespace(), o.name()));
    let pool = live.find(|pool| !cx.owns(pool.json()) && !pool.deleting())?;
    let message =
        format!("the node pool {} in namespace {} was not created by kstrim", pool.name(), cx.namespace());
    Some(Box::new(
        Failure::new(errors::POOL_FOREIGN, Kind::Foreign, message)
            .because("kstrim would change it, and delete it with its Kafka cluster")
            .hint(format!("use another name: {}", refusals::up(cx).with("--cluster", "another-name")))
            .hint(format!("or another namespace: {}", refusals::up(cx).with("--namespace", "another-name"))),
    ))
}

/// Report what changes in a running Kafka cluster: Strimzi may restart its brokers for it. A repeated `up` does not
/// ask for consent.
fn warn_of_changes(cx: &Context, snapshot: &Snapshot, live: &LiveKafka<'_>, wanted: &[Object]) {
    if !live.0.has_status() {
        return;
    }
    let mut changed = Vec::new();
    for object in wanted {
        let kind = if object.kind() == "Kafka" { ObservedKind::Kafka } else { ObservedKind::KafkaNodePool };
        let found = snapshot.get(kind, cx.namespace(), object.name());
        let (Some(found), Some(spec)) = (found, object.get("/spec")) else { continue };
        changes(spec, found.json().get("spec").unwrap_or(&Value::Null), "spec", &mut changed);
    }
    changed.sort();
    changed.dedup();
    if changed.is_empty() {
        return;
    }
    let brokers = live.nodes(snapshot.pools(cx.namespace())).describe_brokers();
    let message = format!(
        "settings of the Kafka cluster {} change ({}): Strimzi restarts {brokers} if necessary",
        cx.cluster(),
        changed.join(", ")
    );
    cx.emit.warn(message);
}

/// The fields of `wanted` that have another value in `live`.
fn changes(wanted: &Value, live: &Value, at: &str, found: &mut Vec<String>) {
    match (wanted, live) {
        (Value::Object(fields), _) if !fields.is_empty() => {
            for (name, value) in fields {
                changes(value, live.get(name).unwrap_or(&Value::Null), &format!("{at}.{name}"), found);
            }
        }
        // The API server keeps numbers and strings as they were written, and users write either.
        _ if plain(wanted) == plain(live) => {}
        // Elements may have fields that kstrim does not set, for example listeners.
        (Value::Array(wanted), Value::Array(live)) if wanted.len() <= live.len() => {
            for (wanted, live) in wanted.iter().zip(live) {
                changes(wanted, live, at, found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// Whether all node pools exist too: an apply can be interrupted (recording 13b).
fn complete(snapshot: &Snapshot, cx: &Context, wanted: &[Object]) -> bool {
    wanted
        .iter()
        .filter(|o| o.kind() == "KafkaNodePool")
        .all(|o| snapshot.get(ObservedKind::KafkaNodePool, cx.namespace(), o.name()).is_some())
}

/// The snapshot in which no volume claim of an earlier cluster is being deleted any more. A deleted claim exists
/// until the pod that uses it has ended. Pods that nobody stops would keep it indefinitely, so this waits no longer
/// than a pod may take to terminate.
async fn settled_volumes(cx: &Context) -> Snapshot {
    let latest = tokio::time::Instant::now() + POD_END;
    let mut told = false;
    loop {
        let snapshot = cx.store.snapshot();
        let mine = |c: &crate::kube::pod::Claim<'_>| c.cluster() == Some(cx.cluster()) && c.0.deleting();
        let Some(going) = snapshot.claims(cx.namespace()).find(mine).map(|c| c.0.name().to_owned()) else {
            return snapshot;
        };
        if tokio::time::Instant::now() >= latest {
            return snapshot;
        }
        if !told {
            cx.emit.progress(format!("the volume claim {going} is still being deleted"), None);
            told = true;
        }
        cx.changed_or_second().await;
    }
}

/// The cluster id of volumes that `down --keep-data` kept, if there are any.
fn kept_volumes(cx: &Context, snapshot: &Snapshot) -> Result<Option<String>> {
    let mut ids = Vec::new();
    for claim in snapshot.claims(cx.namespace()) {
        if claim.0.label("strimzi.io/cluster") == Some(cx.cluster()) {
            ids.push((claim.0.name().to_owned(), claim.0.annotation(CLUSTER_ID).map(str::to_owned)));
        }
    }
    if cx.preset() == Preset::Ephemeral {
        return Ok(None);
    }
    if let Some((name, _)) = ids.iter().find(|(_, id)| id.is_none()) {
        return Err(Box::new(
            Failure::new(
                errors::OLD_VOLUMES,
                Kind::Foreign,
                format!(
                    "the volume claim {name} is left over from an earlier Kafka cluster {}",
                    cx.cluster()
                ),
            )
            .because(
                "a new Kafka cluster gets a new cluster id, and brokers reject a volume with a different one",
            )
            .hint(format!(
                "delete the old data: {}",
                cx.settings
                    .target
                    .kubectl("delete pvc -n")
                    .arg(cx.namespace())
                    .arg("-l")
                    .arg(format!("strimzi.io/cluster={}", cx.cluster()))
            )),
        ));
    }
    Ok(ids.into_iter().find_map(|(_, id)| id))
}

/// Apply. With kept volumes, the Kafka resource is created paused, gets their cluster id, and is then resumed
/// (Strimzi: "Recovering a cluster from persistent volumes").
async fn apply(
    cx: &Context,
    mut wanted: Vec<Object>,
    live: Option<&Value>,
    kept: Option<String>,
) -> Result<()> {
    const PAUSE: &str = "strimzi.io/pause-reconciliation";
    let refused = |e| cx.api_failure("apply the Kafka resource", &e);
    // The digest covers what is always applied, without the annotation that is added temporarily.
    wanted = cx.labelled(wanted);
    let names = live.map_or_else(|| cx.settings.with.clone(), |live| new(cx, live));
    component::into_kafka(&mut wanted, live, &names, &beside::input(cx));
    if let Some(live) = live {
        // Only if it is still the Kafka resource that was read.
        let uid = live.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        for kafka in wanted.iter_mut().filter(|o| o.kind() == "Kafka") {
            kafka.set(&["metadata", "uid"], uid);
        }
    }
    let Some(id) = kept else {
        cx.apply(&wanted, false).await.map_err(refused)?;
        return Ok(());
    };
    cx.emit.warn(format!("volumes of an earlier cluster exist; it gets their cluster id {id}"));
    let mut paused = wanted.clone();
    for object in paused.iter_mut().filter(|o| o.kind() == "Kafka") {
        object.set(&["metadata", "annotations", PAUSE], "true");
    }
    cx.apply(&paused, false).await.map_err(refused)?;
    set_cluster_id(cx, &id).await.map_err(refused)?;
    // The same apply without the annotation removes it again, because kstrim owns the field.
    cx.apply(&wanted, false).await.map_err(refused)?;
    Ok(())
}

/// Write the cluster id into the status of the paused Kafka resource. An operator that was reconciling just before
/// overwrites the status once; so it is written until the operator has reported the pause, and the id is still set.
async fn set_cluster_id(cx: &Context, id: &str) -> std::result::Result<(), ApiError> {
    let path =
        format!("{}/{}", ObservedKind::Kafka.path(cx.api_version(), Some(cx.namespace())), cx.cluster());
    let end = Instant::now() + PAUSED;
    loop {
        let kafka = cx.kubectl.find(&path).await?.unwrap_or_default();
        let kafka = kube::Object::new(kafka);
        let there = LiveKafka(&kafka).cluster_id() == id;
        let pauses = LiveKafka(&kafka).paused().is_some();
        if there && (pauses || Instant::now() >= end) {
            return Ok(());
        }
        if there {
            tokio::time::sleep(Duration::from_millis(200)).await;
        } else {
            let uid = kafka.uid();
            let status = json!({"metadata": {"uid": uid}, "status": {"clusterId": id}});
            let kind = "kafka.kafka.strimzi.io";
            cx.kubectl.patch(cx.namespace(), kind, cx.cluster(), &status, Some("status")).await?;
        }
    }
}
