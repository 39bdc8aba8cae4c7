//! Removes one component: its resource or its field of the Kafka resource, its pods and Services, and the topics that
//! kstrim or the component created for it.

use crate::cluster::component_test::component_input;
use crate::cluster::refusals;
use crate::errors;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::orphans::Orphans;
use super::{Scope as Known, few, moment, name, of_cluster, with_labels};
use crate::cluster::brokers::{self, Brokers};
use crate::cluster::finalizers;
use crate::cluster::ownership::{self};
use crate::cluster::rollout;
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::component::{self, Component};
use crate::engine::task::{Doneness, Task};
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::KafkaError;
use crate::kube::kafka::Kafka;
use crate::kube::{Kind as ObservedKind, Object, Snapshot};
use crate::manifest::label::{KSTRIM, MANAGED_BY};
use crate::names::ComponentName;

/// How long the brokers may take to delete its topics: a single broker that restarts because its metrics are removed
/// in the same run is unavailable for half a minute, longer on a busy machine.
const DELETE: Duration = Duration::from_secs(120);

/// What exists of a component.
pub(crate) struct Plan {
    /// The component.
    pub component: &'static Component,
    /// Whether there is something to remove.
    pub there: bool,
    /// The topics that are deleted with it: none if it does not exist, except those that an interrupted `remove`
    /// recorded.
    topics: Vec<String>,
    /// The key of its record in the journal.
    key: String,
}

impl Plan {
    /// The topics that are deleted with it and contain more than measurements and messages of smoke tests.
    pub(crate) fn data(&self) -> impl Iterator<Item = &str> {
        let measures = self.component.name == ComponentName::CruiseControl;
        self.topics.iter().map(String::as_str).filter(move |t| !measures && !t.starts_with("kstrim-proof-"))
    }
}

/// Determine what exists of a component that is to be removed.
pub(crate) async fn look(cx: &Session, component: &'static Component, kafka: &Value) -> Result<Plan> {
    ownership::installation(cx).await?;
    let resource = resource(cx, component).await?;
    let there = match &resource {
        Some(found) if !cx.owns(found) => return Err(refusals::foreign_component(cx, component)),
        Some(_) => true,
        None if component.is_field_of(kafka) && !component.is_marked(kafka) => {
            return Err(refusals::foreign_component(cx, component));
        }
        None => component.is_field_of(kafka),
    };
    if component.name == ComponentName::Connect {
        check_unused(cx).await?;
    }
    let uid = kafka.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    let key = format!("{uid}/{}", component.name);
    // A component that does not exist has no topics: topics with those names may be anybody's.
    let topics = if there {
        (component.topics)(&cx.target.cluster, resource.as_ref())
    } else {
        cx.journal.borrow().state.removing.get(&key).cloned().unwrap_or_default()
    };
    Ok(Plan { component, there, topics, key })
}

/// The resource of a component, if it has one.
async fn resource(cx: &Session, component: &Component) -> Result<Option<Value>> {
    let Some(kind) = component.kind() else { return Ok(None) };
    let path = format!("{}/{}", kind.path(cx.api_version(), Some(cx.namespace())), cx.cluster());
    cx.kubectl.find(&path).await.map_err(|e| cx.api_failure(&format!("read {}", component.title), &e))
}

/// Refuse to remove Connect while it has connectors that kstrim did not create.
async fn check_unused(cx: &Session) -> Result<()> {
    let path = ObservedKind::KafkaConnector.path(cx.api_version(), Some(cx.namespace()));
    let path = with_labels(&path, &of_cluster(cx));
    let theirs: Vec<String> =
        cx.list(&path, "list what kstrim created").await?.iter().filter(|c| !cx.owns(c)).map(name).collect();
    if theirs.is_empty() {
        return Ok(());
    }
    let target = &cx.target;
    Err(Box::new(
        Failure::new(
            errors::COMPONENT_IN_USE,
            Kind::Foreign,
            format!("Kafka Connect has connectors: {}", few(&theirs)),
        )
        .because("without it they would stop, and their state would be lost")
        .hint(format!(
            "if they are not needed, delete them first: {}",
            target
                .kubectl("delete kafkaconnectors.kafka.strimzi.io")
                .args(&theirs)
                .arg("-n")
                .arg(cx.namespace())
        )),
    ))
}

/// Delete the connectors that kstrim created, while Connect can still stop them.
async fn delete_connectors(cx: &Session) -> Result<()> {
    let collection = ObservedKind::KafkaConnector.path(cx.api_version(), Some(cx.namespace()));
    let found = cx.list(&with_labels(&collection, &of_cluster(cx)), "list what kstrim created").await?;
    ownership::delete(cx, "the connectors", ownership::owned(cx, &collection, &found).await?).await
}

/// The task.
pub(crate) struct RemoveComponent {
    plan: Plan,
    /// All components that are removed in this run: their fields are removed together.
    names: Vec<ComponentName>,
    cleared: Cell<bool>,
    waiter: Waiter,
}

impl RemoveComponent {
    /// A task for a plan, one of those for `names`.
    pub(crate) fn new(plan: Plan, names: &[ComponentName]) -> Self {
        let waiter = Waiter::new(Scope::Kafka, "the change of the Kafka cluster cannot take effect");
        Self { plan, names: names.to_vec(), cleared: Cell::new(false), waiter }
    }

    /// What is left of it, apart from topics.
    async fn left(&self, cx: &Session) -> Result<Option<String>> {
        let component = self.plan.component;
        if let Some(found) = resource(cx, component).await? {
            if !cx.owns(&found) {
                return Err(refusals::foreign_component(cx, component));
            }
            let kind = component.kind().map_or("", ObservedKind::as_str);
            super::held::refuse(cx, [(kind, &found)])?;
            return Ok(Some(format!("to be deleted: {kind}/{}", name(&found))));
        }
        let snapshot =
            cx.synced(&[ObservedKind::Kafka, ObservedKind::KafkaNodePool, ObservedKind::Pod]).await;
        let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
        if kafka.is_some_and(|k| component.is_marked(k.0.json())) {
            return Ok(Some(format!("to be removed from the Kafka resource: {}", component.title)));
        }
        for (api, plural) in [("api/v1", "pods"), ("api/v1", "services"), ("api/v1", "configmaps")] {
            let left = self.owned(cx, api, plural).await?;
            if !left.is_empty() {
                return Ok(Some(format!("still exists: {plural} {}", few(&left))));
            }
        }
        if component.field().is_some() {
            return self.settled(cx, &snapshot).await;
        }
        Ok(None)
    }

    /// Objects of a kind that belong to it, whoever created them: those with the component's label, and those of
    /// kstrim's own that it refers to.
    async fn owned(&self, cx: &Session, api: &str, plural: &str) -> Result<Vec<String>> {
        let component = self.plan.component;
        // The brokers are kept when their metrics are removed.
        let part = if component.pods == "kafka" { "none" } else { component.pods };
        let selector = format!("{},strimzi.io/component-type={part}", of_cluster(cx));
        let path = with_labels(&format!("/{api}/namespaces/{}/{plural}", cx.namespace()), &selector);
        Ok(cx.list(&path, "list what kstrim created").await?.iter().map(name).collect())
    }

    /// Whether the brokers run without the field.
    async fn settled(&self, cx: &Session, snapshot: &Snapshot) -> Result<Option<String>> {
        Ok(match self.waiter.look(cx, snapshot, ready::kafka).await? {
            Doneness::Pending(why) => Some(why),
            _ => rollout::progress(cx).await,
        })
    }

    /// Delete its topics. Nothing uses them any more, and they have no KafkaTopic.
    async fn clear(&self, cx: &Session) -> Result<()> {
        if self.plan.topics.is_empty() {
            return Ok(());
        }
        self.record(cx, true)?;
        cx.synced(&brokers::KINDS).await;
        let deadline = Instant::now() + DELETE;
        let deleted = loop {
            let brokers = match Brokers::of(cx) {
                Err(_) if Instant::now() < deadline => {
                    moment().await;
                    continue;
                }
                brokers => brokers?,
            };
            match self.delete_topics(&brokers, deadline).await {
                // A broker is unavailable: it is being restarted.
                Err(e) if e.is_connection() && Instant::now() < deadline => moment().await,
                deleted => break deleted,
            }
        };
        deleted.map_err(|e| {
            let target = &cx.target;
            Box::new(
                Failure::new(
                    errors::COMPONENT_TOPICS,
                    Kind::Task,
                    format!("the topics of {} could not be deleted", self.plan.component.title),
                )
                .because(e)
                .hint(format!(
                    "try again: {}",
                    target.kstrim("remove").arg(self.plan.component.name).arg("--yes")
                )),
            )
        })
    }
}

impl RemoveComponent {
    /// Record which topics are to be deleted, or that they no longer exist.
    fn record(&self, cx: &Session, begun: bool) -> Result<()> {
        let Plan { topics, key, .. } = &self.plan;
        let mut journal = cx.journal.borrow_mut();
        let removing = &mut journal.state.removing;
        let changed = match begun {
            true => {
                !topics.is_empty() && removing.insert(key.clone(), topics.clone()).as_ref() != Some(topics)
            }
            false => removing.remove(key).is_some(),
        };
        if changed { journal.save() } else { Ok(()) }
    }

    async fn delete_topics(&self, brokers: &Brokers, deadline: Instant) -> Result<(), KafkaError> {
        let mut client = brokers.client(deadline).await?;
        for topic in &self.plan.topics {
            client.delete_topic(topic, None, deadline).await?;
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl Task<Session> for RemoveComponent {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        if let Some(left) = self.left(cx).await? {
            return Ok(Doneness::Pending(left));
        }
        if !self.cleared.get() {
            // Once per run; a topic that does not exist is no error.
            self.clear(cx).await?;
            self.record(cx, false)?;
            self.cleared.set(true);
        }
        Ok(Doneness::Done(format!("{} was removed", self.plan.component.title)))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        // Before anything is deleted: afterwards nothing shows who owns its topics.
        self.record(cx, true)?;
        let component = self.plan.component;
        if let Some(kind) = component.kind() {
            if component.name == ComponentName::Connect {
                delete_connectors(cx).await?;
            }
            let found: Vec<Value> = resource(cx, component).await?.into_iter().collect();
            let collection = kind.path(cx.api_version(), Some(cx.namespace()));
            return ownership::delete(cx, component.title, ownership::owned(cx, &collection, &found).await?)
                .await;
        }
        let path = ObservedKind::Kafka.path(cx.api_version(), Some(cx.namespace()));
        let found = cx.kubectl.find(&format!("{path}/{}", cx.cluster())).await;
        let kafka = found.map_err(|e| cx.api_failure("read the Kafka resource", &e))?.unwrap_or_default();
        let kafka = Object::new(kafka);
        if component::patch_to_remove(kafka.json(), &self.names).is_some() {
            self.waiter.changed_now();
            // kstrim marked these fields as its own: removing them needs no further consent.
            let take = |now: &Kafka<'_>| component::patch_to_remove(now.0.json(), &self.names);
            ownership::change_kafka(cx, true, Some(&kafka), "change the Kafka cluster", take).await?;
            self.waiter.changed_now();
        }
        // What the field referred to is deleted after it.
        for object in component.objects(&component_input(cx, &crate::config::default_topic(), false)) {
            let collection = format!("/api/v1/namespaces/{}/configmaps", cx.namespace());
            let found = cx.kubectl.find(&format!("{collection}/{}", object.name())).await;
            let found = found.map_err(|e| cx.api_failure("read the rules of the metrics", &e))?;
            let found: Vec<Value> = found.into_iter().collect();
            ownership::delete(
                cx,
                "the rules of the metrics",
                ownership::owned(cx, &collection, &found).await?,
            )
            .await?;
        }
        Ok(())
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let kind = self.plan.component.kind()?;
        let left = resource(cx, self.plan.component).await.ok()??;
        finalizers::explain(cx, [(kind.as_str(), left)])
    }

    async fn changed(&self, cx: &Session) {
        // The Kafka resource is watched; whether the deleted objects still exist is requested.
        match self.plan.component.kind() {
            None => cx.changed_or_second().await,
            Some(_) => moment().await,
        }
    }
}

/// The task of `down` for all components: deletes the resources that kstrim created, before the Kafka cluster that
/// they use.
pub(crate) struct Components {
    orphans: Orphans,
}

impl Components {
    /// What was known about the installation when `down` started.
    pub(crate) fn new(scope: Rc<Known>) -> Self {
        Self { orphans: Orphans::new(scope) }
    }
}

#[async_trait(?Send)]
impl Task<Session> for Components {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let resources = created_resources(cx).await?;
        if !resources.is_empty() {
            super::held::refuse(cx, resources.iter().map(|(kind, object)| (*kind, object)))?;
            let names: Vec<String> =
                resources.iter().map(|(kind, object)| format!("{kind}/{}", name(object))).collect();
            return Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))));
        }
        let kinds = component::KINDS.map(ObservedKind::as_str).join(",");
        let selector = format!("{},strimzi.io/kind in ({kinds})", of_cluster(cx));
        let path = with_labels(&format!("/api/v1/namespaces/{}/pods", cx.namespace()), &selector);
        let pods = self.orphans.dependents(cx, cx.list(&path, "list what kstrim created").await?);
        if pods.is_empty() {
            return Ok(Doneness::Done("none is left".into()));
        }
        self.orphans.sweep(cx, &selector, &pods).await?;
        let names: Vec<String> = pods.iter().map(name).collect();
        Ok(Doneness::Pending(format!("stopping: {}", few(&names))))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        for (kind, object) in created_resources(cx).await? {
            let collection = match ObservedKind::parse(kind) {
                Some(kind) => kind.path(cx.api_version(), Some(cx.namespace())),
                None => format!("/api/v1/namespaces/{}/configmaps", cx.namespace()),
            };
            let owned = ownership::owned(cx, &collection, std::slice::from_ref(&object)).await?;
            ownership::delete(cx, &format!("the {kind}"), owned).await?;
        }
        Ok(())
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        finalizers::explain(cx, created_resources(cx).await.ok()?)
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

/// The resources of components that kstrim created, with their kinds.
async fn created_resources(cx: &Session) -> Result<Vec<(&'static str, Value)>> {
    ownership::installation(cx).await?;
    let mine = format!("{MANAGED_BY}={KSTRIM},{}", of_cluster(cx));
    let rules = with_labels(&format!("/api/v1/namespaces/{}/configmaps", cx.namespace()), &mine);
    let kinds = component::KINDS.map(|kind| async move {
        let path = kind.path(cx.api_version(), Some(cx.namespace()));
        let found = cx.list(&path, "list what kstrim created").await?;
        let mine = found.into_iter().filter(|o| name(o) == cx.cluster() && cx.owns(o));
        Ok::<_, Box<Failure>>(mine.map(|o| (kind.as_str(), o)).collect::<Vec<_>>())
    });
    let (kinds, rules) =
        tokio::join!(futures_util::future::try_join_all(kinds), cx.list(&rules, "list what kstrim created"));
    let rules = rules?.into_iter().filter(|o| cx.owns(o)).map(|o| ("ConfigMap", o));
    Ok(kinds?.into_iter().flatten().chain(rules).collect())
}
