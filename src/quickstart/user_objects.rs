//! The tasks of `up -f` for everything but the Kafka of the run: one for each group of manifests of a kind.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::context::Context;
use super::files::UserFiles;
use super::ready::KafkaReady;
use crate::cluster::inventory::Item;
use crate::cluster::wait::Waiter;
use crate::cluster::{applied_files, installation, ownership, refusals};
use crate::engine::task::{Doneness, Plan, Spec, Task};
use crate::errors;
use crate::event::few;
use crate::explain::{Workload, ready};
use crate::failure::{Failure, Kind, Result};
use crate::kube::object::{remove_server_fields, text};
use crate::kube::{Kind as ObservedKind, Object as Live};
use crate::manifest::{self, Object};
use crate::user_manifests::order::{self, Phase, State};
use crate::user_manifests::{fit, scope};

/// The snapshot's kinds that explain why a workload is not ready.
const KINDS: [ObservedKind; 4] =
    [ObservedKind::Pod, ObservedKind::Event, ObservedKind::Deployment, ObservedKind::Node];
/// How many objects that are no longer in the files are named.
const NAMED: usize = 20;
/// How long an object may report a failure before that ends the wait: a connector fails until its topic exists.
const FAILING: Duration = Duration::from_secs(90);

/// A group of manifests of one kind, as a task.
pub(crate) struct Group {
    /// When it is applied.
    pub(crate) phase: Phase,
    /// The id of its task.
    pub(crate) id: String,
    title: String,
    objects: Vec<Object>,
}

impl Group {
    /// The kind of its objects.
    pub(crate) fn kind(&self) -> &str {
        self.objects[0].kind()
    }
}

/// The groups of everything but the Kafka of the run, in the order of their phases.
pub(crate) fn groups(files: &UserFiles, cluster: &str) -> Vec<Group> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let grouped = files.groups(cluster).into_iter().map(|(phase, objects)| {
        let kind = objects[0].kind();
        let id = format!("file-{}", kind.to_lowercase());
        let count = seen.entry(id.clone()).and_modify(|n| *n += 1).or_insert(1);
        let id = if *count == 1 { id } else { format!("{id}-{count}") };
        let title = match objects.as_slice() {
            [one] => format!("{kind} {}", one.name()),
            many => format!("{kind} ({})", many.len()),
        };
        Group { phase, id, title, objects }
    });
    grouped.collect()
}

/// Add the tasks of the groups, and the task that deletes what is no longer in the files, to a plan that has the
/// tasks `namespace`, `crds` and `kafka`; returns their ids. `early`: workloads do not wait for the brokers.
pub(crate) fn add(
    plan: &mut Plan<Context>,
    groups: Vec<Group>,
    early: bool,
    archives: bool,
    prune: bool,
) -> Vec<String> {
    let named: Vec<(Phase, String)> = groups.iter().map(|group| (group.phase, group.id.clone())).collect();
    let of = |phases: &[Phase]| -> Vec<String> {
        named.iter().filter(|(phase, _)| phases.contains(phase)).map(|(_, id)| id.clone()).collect()
    };
    if groups.iter().any(|group| group.phase == Phase::Rebalances) {
        plan.add(Spec::new("kafka-ready", "Kafka cluster ready", &["kafka"], 10), KafkaReady::default());
    }
    for Group { phase, id, title, objects } in groups {
        let mut needs: Vec<String> = match phase {
            Phase::Foundations => vec!["namespace".into()],
            Phase::Clusters => vec!["crds".into(), "namespace".into()],
            // A program that authenticates or authorizes the brokers' clients has to run before the brokers.
            Phase::Workloads if early => vec!["namespace".into()],
            Phase::Rebalances => vec!["kafka-ready".into()],
            _ => vec!["kafka".into()],
        };
        needs.extend(match phase {
            Phase::Foundations => Vec::new(),
            Phase::Clusters => of(&[Phase::Foundations]),
            Phase::UsersAndTopics => of(&[Phase::Clusters]),
            Phase::Clients => of(&[Phase::Clusters, Phase::UsersAndTopics]),
            Phase::Connectors => of(&[Phase::Clients, Phase::UsersAndTopics]),
            Phase::Rebalances => of(&[Phase::Clusters]),
            // A connector may read from a workload such as a database, so no group waits for everything else.
            Phase::Workloads => of(&[Phase::Foundations]),
        });
        // What has pods may use an image of any archive.
        if archives && matches!(phase, Phase::Clusters | Phase::Workloads | Phase::Clients) {
            needs.push("images".into());
        }
        // Within a phase in the order of the table: a binding needs its role, a Kafka cluster its node pools.
        let ordered = matches!(phase, Phase::Foundations | Phase::Clusters);
        let earlier =
            named.iter().take_while(|(_, other)| *other != id).filter(|(of, _)| ordered && *of == phase);
        needs.extend(earlier.map(|(_, other)| other.clone()));
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        plan.add(Spec::new(id, title, &needs, 10), Objects::new(objects));
    }
    let mut all: Vec<String> = named.into_iter().map(|(_, id)| id).collect();
    let needs: Vec<&str> = all.iter().map(String::as_str).chain(["kafka"]).collect();
    plan.add(Spec::new("files", "Objects no longer in your files", &needs, 5), Pruned::new(prune));
    all.push("files".into());
    all
}

/// A group of objects of one kind.
struct Objects {
    objects: Vec<Object>,
    /// Whether this run has applied them: a difference to the file is then the API server's normalization,
    /// not a change.
    applied: Cell<bool>,
    failing: RefCell<BTreeMap<String, Instant>>,
    /// What existed after this run applied it.
    seen: RefCell<BTreeSet<String>>,
    /// Waits for those that have pods, by name.
    waiters: BTreeMap<String, Waiter>,
}

impl Objects {
    fn new(objects: Vec<Object>) -> Self {
        let waiters = objects.iter().filter_map(|object| {
            let workload = Workload::of(object.value())?;
            Some((object.name().to_owned(), Waiter::of_workload(workload)))
        });
        Self {
            waiters: waiters.collect(),
            objects,
            applied: Cell::default(),
            failing: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    fn kind(&self) -> &str {
        self.objects[0].kind()
    }

    /// The live objects of the group's kind by name.
    async fn live(&self, cx: &Context) -> Result<BTreeMap<String, Live>> {
        let mut live = BTreeMap::new();
        let versions: BTreeSet<&str> = self.objects.iter().map(Object::api_version).collect();
        for version in versions {
            let collection = collection(cx, version, self.kind()).await?;
            for mut json in cx.list(&collection, &format!("list the objects of kind {}", self.kind())).await?
            {
                json["kind"] = self.kind().into();
                let object = Live::new(json);
                live.insert(object.name().to_owned(), object);
            }
        }
        Ok(live)
    }

    /// An object that was changed in the cluster. The API server computes the comparison, since it normalizes
    /// many values.
    async fn drifted(&self, cx: &Context, live: &BTreeMap<String, Live>) -> Option<String> {
        let mine = |object: &&Object| live.get(object.name()).is_some_and(|found| cx.owns(found.json()));
        let wanted: Vec<Object> =
            self.objects.iter().filter(mine).flat_map(|object| cx.labelled(vec![object.clone()])).collect();
        if wanted.is_empty() {
            return None;
        }
        // If another field manager owns a field, the API server refuses, and nothing is applied.
        let after = cx.kubectl.preview(&manifest::to_yaml(&wanted), false).await.ok()?;
        let changed = |object: &Value| {
            let name = text(object, "/metadata/name");
            let live = live.get(name)?;
            (comparable(live.json()) != comparable(object))
                .then(|| format!("{name} was changed in the cluster"))
        };
        after.iter().find_map(changed)
    }

    /// What is left to do for an object; `None` if it is ready.
    async fn pending(&self, cx: &Context, object: &Object, live: Option<&Live>) -> Result<Option<String>> {
        let name = object.name();
        let Some(found) = live else {
            // Kubernetes deletes a Job with a TTL when it has ended.
            let ended =
                self.seen.borrow().contains(name) && object.get("/spec/ttlSecondsAfterFinished").is_some();
            return Ok(if ended { None } else { Some(format!("{name} does not exist")) });
        };
        if self.applied.get() {
            self.seen.borrow_mut().insert(name.to_owned());
        }
        if found.deleting() {
            return Ok(Some(format!("an earlier {name} is still being deleted")));
        }
        if !self.applied.get()
            && cx.owns(found.json())
            && ownership::digest(found.json()) != Some(&manifest::digest(std::slice::from_ref(object)))
        {
            return Ok(Some(format!("{name} is not as in the file")));
        }
        match order::state(object, Some(found)) {
            State::Ready => {
                self.failing.borrow_mut().remove(name);
                Ok(None)
            }
            State::Waiting(why) => {
                self.failing.borrow_mut().remove(name);
                self.explained(cx, name, why).await.map(|why| Some(format!("{name}: {why}")))
            }
            State::Failed(why) => {
                let why = self.explained(cx, name, why).await?;
                let since = *self.failing.borrow_mut().entry(name.to_owned()).or_insert_with(Instant::now);
                if since.elapsed() < FAILING {
                    return Ok(Some(format!("{name}: {why}")));
                }
                let kind = self.kind();
                let message = format!("{kind} {name} does not become ready");
                let show = cx.target.kubectl("describe").arg(kind.to_lowercase()).arg(name);
                Err(Box::new(
                    Failure::new(errors::FILE_NOT_READY, Kind::Task, message).because(why).hint(format!(
                        "show its conditions and events: {}",
                        show.arg("-n").arg(cx.namespace())
                    )),
                ))
            }
        }
    }
}

impl Objects {
    /// Why an object is not ready, according to its pods; a failure, if it is certain that it will not become ready.
    async fn explained(&self, cx: &Context, name: &str, why: String) -> Result<String> {
        let Some(waiter) = self.waiters.get(name).filter(|_| self.applied.get()) else { return Ok(why) };
        let snapshot = cx.synced(&KINDS).await;
        let shown = waiter.look(cx, &snapshot, ready::workload(&why)).await?;
        Ok(if let Doneness::Pending(shown) = shown { shown } else { why })
    }
}

#[async_trait(?Send)]
impl Task<Context> for Objects {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        if is_left_out(cx, &self.objects[0]).await? {
            let rule = fit::MONITORING;
            let kind = self.kind();
            return Ok(Doneness::Done(format!(
                "left out (--fit, {}): the cluster does not serve {kind}",
                rule.name
            )));
        }
        let live = self.live(cx).await?;
        let foreign = |object: &&Object| live.get(object.name()).is_some_and(|found| !cx.owns(found.json()));
        if let Some(object) = self.objects.iter().find(foreign).filter(|_| !cx.settings.adopt) {
            let what = format!("{} {} in namespace {}", self.kind(), object.name(), cx.namespace());
            return Ok(Doneness::Foreign(refusals::foreign(cx, errors::FILE_FOREIGN, what, "--namespace")));
        }
        let mut open = Vec::new();
        for object in &self.objects {
            open.extend(self.pending(cx, object, live.get(object.name())).await?);
        }
        if open.is_empty() && !self.applied.get() {
            open.extend(self.drifted(cx, &live).await);
        }
        let all = self.objects.len();
        Ok(match (open.as_slice(), all) {
            ([], 1) => {
                Doneness::Done(format!("{} {} is as in the file", self.kind(), self.objects[0].name()))
            }
            ([], _) => Doneness::Done(format!("{all} are as in the files")),
            ([first, ..], 1) => Doneness::Pending(first.clone()),
            ([first, ..], _) => Doneness::Pending(format!("{} of {all} ready; {first}", all - open.len())),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let live = self.live(cx).await?;
        let mut wanted = Vec::new();
        for object in &self.objects {
            let found = live.get(object.name());
            if found.is_some_and(|found| !cx.owns(found.json())) {
                continue;
            }
            // Each object has a separate digest.
            let mut labelled = cx.labelled(vec![object.clone()]);
            if let (Some(found), [object]) = (found, labelled.as_mut_slice()) {
                // Only if it is still the object that was read.
                object.set(&["metadata", "uid"], found.uid());
            }
            wanted.extend(labelled);
        }
        self.applied.set(true);
        self.failing.borrow_mut().clear();
        for waiter in self.waiters.values() {
            waiter.changed_now();
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let doing = format!("apply the manifests of {}", self.kind());
        let failed = |e| cx.api_failure(&doing, &e);
        // All of them or none, because only the API server can check its rules (CEL, webhooks, quotas).
        cx.kubectl.would_apply(&manifest::to_yaml(&wanted), false).await.map_err(failed)?;
        cx.apply(&wanted, false).await.map(drop).map_err(failed)
    }

    async fn changed(&self, cx: &Context) {
        cx.changed_or_second().await;
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        let mut lines: Vec<String> = self
            .objects
            .iter()
            .map(|object| format!("kubectl apply --server-side -f -   # {}/{}", object.kind(), object.name()))
            .collect();
        lines.extend(fitted(cx, |object| {
            self.objects.iter().any(|o| *object == format!("{} {}", o.kind(), o.name()))
        }));
        Ok(lines)
    }
}

/// An object without what the API server writes into it, and without its type, which the items of a list lack.
fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    remove_server_fields(&mut object);
    if let Some(fields) = object.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

/// What `--fit` changes in these objects, a line each.
pub(crate) fn fitted(cx: &Context, which: impl Fn(&String) -> bool) -> Vec<String> {
    let changes = cx.files.iter().flat_map(|files| &files.changes);
    let shown = |value: &Value| if value.is_null() { "nothing".to_owned() } else { value.to_string() };
    changes
        .filter(|change| which(&change.object))
        .map(|c| {
            format!(
                "# --fit ({}): {} {}: {} becomes {}",
                c.rule,
                c.object,
                c.path,
                shown(&c.from),
                shown(&c.to)
            )
        })
        .collect()
}

/// Whether `--fit` leaves an object out, because the cluster does not serve its kind and nothing depends on it.
pub(crate) async fn is_left_out(cx: &Context, object: &Object) -> Result<bool> {
    let fitting = cx.files.as_ref().is_some_and(|files| files.fitting);
    if !fitting || !scope::is_optional(object.group()) {
        return Ok(false);
    }
    match collection(cx, object.api_version(), object.kind()).await {
        Ok(_) => Ok(false),
        Err(failure) if failure.id == errors::KIND_MISSING => Ok(true),
        Err(failure) => Err(failure),
    }
}

/// The path of the objects of a kind in the namespace.
pub(crate) async fn collection(cx: &Context, api_version: &str, kind: &str) -> Result<String> {
    let api = match api_version.contains('/') {
        true => format!("/apis/{api_version}"),
        false => format!("/api/{api_version}"),
    };
    let known = cx.install.collections.borrow().get(&format!("{api}/{kind}")).cloned();
    if let Some(known) = known {
        return Ok(known);
    }
    let found =
        cx.kubectl.find(&api).await.map_err(|e| cx.api_failure("list the kinds of the API server", &e))?;
    let resources = found.as_ref().and_then(|list| list["resources"].as_array()).into_iter().flatten();
    let resource = resources.into_iter().find(|resource| {
        resource["kind"] == kind && resource["name"].as_str().is_some_and(|name| !name.contains('/'))
    });
    let refused =
        |id, kind, message: String, hint: &str| Err(Box::new(Failure::new(id, kind, message).hint(hint)));
    let Some(resource) = resource else {
        let message = format!("the cluster does not serve {kind} of {api_version}");
        return refused(
            errors::KIND_MISSING,
            Kind::Task,
            message,
            "install its definition first, or leave it out",
        );
    };
    if resource["namespaced"] != true {
        let message = format!("{kind} of {api_version} belongs to no namespace");
        return refused(errors::FILE_SCOPE, Kind::Usage, message, "apply it yourself, and leave it out");
    }
    let plural = resource["name"].as_str().unwrap_or_default();
    let path = format!("{api}/namespaces/{}/{plural}", cx.namespace());
    cx.install.collections.borrow_mut().insert(format!("{api}/{kind}"), path.clone());
    Ok(path)
}

/// Deletes what an earlier `up -f` applied and the files no longer contain, but only with `--prune`.
struct Pruned {
    prune: bool,
    told: Cell<bool>,
}

impl Pruned {
    fn new(prune: bool) -> Self {
        Self { prune, told: Cell::default() }
    }
}

/// Whether it is the Kafka resource of this run, or one of its node pools, from files that this run does not have:
/// the run uses it.
fn is_run_kafka(cx: &Context, item: &Item) -> bool {
    !cx.kafka_is_from_files()
        && match item.kind.as_str() {
            "Kafka" => item.name() == cx.cluster(),
            "KafkaNodePool" => installation::cluster_of(&item.object) == Some(cx.cluster()),
            _ => false,
        }
}

/// Whether an object that an earlier run applied is in no file now. `wanted` has the kinds and names of those that are.
fn is_stale(cx: &Context, wanted: &BTreeSet<(String, String)>, item: &Item) -> bool {
    !is_run_kafka(cx, item) && !wanted.contains(&(item.kind.clone(), item.name().to_owned()))
}

/// Kinds and names of the objects in the files.
fn wanted(cx: &Context) -> BTreeSet<(String, String)> {
    let all = cx.files.iter().flat_map(|files| files.all());
    all.map(|object| (object.kind().to_owned(), object.name().to_owned())).collect()
}

/// Objects that an earlier run applied from files and that are in none now.
pub(crate) async fn stale(cx: &Context) -> Result<Vec<Item>> {
    let mut items = applied_files::list(cx, &BTreeSet::new()).await?;
    let wanted = wanted(cx);
    items.retain(|item| is_stale(cx, &wanted, item));
    Ok(items)
}

#[async_trait(?Send)]
impl Task<Context> for Pruned {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let stale = stale(cx).await?;
        let names: Vec<String> = stale.iter().map(|item| format!("{} {}", item.kind, item.name())).collect();
        let names = few(&names, NAMED);
        Ok(match (stale.len(), self.prune) {
            (0, _) => Doneness::Done("everything that was applied is in your files".into()),
            (_, true) => Doneness::Pending(format!("to be deleted: {names}")),
            (count, false) => {
                if !self.told.replace(true) {
                    let delete = refusals::up(cx).arg("--prune");
                    cx.emit.warn(format!("no longer in your files: {names}; to delete them: {delete}"));
                }
                Doneness::Done(format!("{count} no longer in your files, kept"))
            }
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let (known, wanted) = (applied_files::known(cx).await?, wanted(cx));
        applied_files::delete(cx, &known, &|_| false, |item| is_stale(cx, &wanted, item)).await
    }

    async fn describe(&self, _: &Context) -> Result<Vec<String>> {
        Ok(vec!["# objects with the label kstrim.io/files that are not in your files".into()])
    }
}
