//! The smoke test of components: messages through Connect, through MirrorMaker 2 and through the bridge, and the
//! metrics of the exporter and of the brokers about the topic.
//!
//! Nothing is executed in a pod: everything uses port-forwards and custom resources, which are deleted afterwards.

mod http;
mod messages;

use crate::errors;
use crate::manifest::component::PLAIN_PORT;
use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::session::Session;
use crate::component::{Component, TABLE, of};
use crate::event::ComponentReport;
use crate::explain::{Answers, Judge, Scene, Scope};
use crate::failure::{Failure, Id, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::manifest::component::ComponentInput;
use crate::names::{ComponentName, TopicName};

/// The time limit for listing the components.
const LOOK: Duration = Duration::from_secs(10);

/// The test of one component.
pub(crate) struct Trial<'a> {
    cx: &'a Session,
    /// The topic of the smoke test.
    topic: &'a TopicName,
    component: &'static Component,
    /// Its resource, if it has one.
    resource: Option<Value>,
    /// Distinguishes this run's messages from others: lower-case letters, digits and dashes.
    run: String,
    deadline: Instant,
    judge: RefCell<Judge>,
}

/// The result: the number of messages, and a description.
type Outcome = (u64, String);

impl Trial<'_> {
    async fn run(&self) -> Result<Outcome> {
        match self.component.name {
            ComponentName::Connect => messages::connect(self).await,
            ComponentName::MirrorMaker => messages::mirror(self).await,
            ComponentName::Bridge => http::bridge(self).await,
            ComponentName::Exporter | ComponentName::Metrics => http::metrics(self).await,
            ComponentName::CruiseControl => Ok((0, "it is ready".into())),
        }
    }

    /// Fails with the cause if waiting cannot succeed.
    async fn fail_if_hopeless(&self) -> Result<()> {
        let snapshot = self.cx.synced(&[ObservedKind::Pod, ObservedKind::Event]).await;
        let (expect, answers) =
            (self.cx.expect().scope(Scope::Component(self.component.pods)), Answers::new());
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
        match self.judge.borrow_mut().look(&scene).terminal {
            Some(cause) => Err(self.failure(cause.id, Some(cause.failure()))),
            None => Ok(()),
        }
    }

    /// The failure of this test, with its cause.
    fn failure(&self, id: Id, cause: Option<Failure>) -> Box<Failure> {
        let mut failure =
            Failure::new(id, Kind::Smoke, format!("{} failed its smoke test", self.component.title));
        if let Some(cause) = cause {
            failure = failure.because(cause.message);
            failure = cause.causes.into_iter().fold(failure, Failure::because);
            failure.hints = cause.hints;
        }
        let target = &self.cx.target;
        Box::new(failure.hint(format!("show its log: {}", target.kstrim("logs --component").arg(self.log()))))
    }

    /// The component's name in `kstrim logs`.
    fn log(&self) -> &'static str {
        match self.component.name {
            ComponentName::Metrics => "kafka",
            name => name.as_str(),
        }
    }
}

/// Test these components concurrently; returns a report for each, and the first failure.
pub(crate) async fn test_components(
    cx: &Session,
    names: &[ComponentName],
    topic: &TopicName,
    run_id: &str,
    limit: Duration,
) -> (Vec<ComponentReport>, Option<Box<Failure>>) {
    let deadline = Instant::now() + limit;
    // The state of the connectors is needed during the test.
    cx.store.follow();
    // Cruise Control passes no messages on: being ready is its test.
    let tried = names.iter().filter(|name| **name != ComponentName::CruiseControl);
    let outcomes = join_all(tried.map(|name| test_component(cx, of(*name), topic, run_id, deadline))).await;
    let (mut reports, mut first) = (Vec::new(), None);
    for (report, failure) in outcomes {
        reports.push(report);
        first = first.or(failure);
    }
    (reports, first)
}

async fn test_component(
    cx: &Session,
    component: &'static Component,
    topic: &TopicName,
    run_id: &str,
    deadline: Instant,
) -> (ComponentReport, Option<Box<Failure>>) {
    let began = Instant::now();
    let mut kinds = crate::cluster::brokers::KINDS.to_vec();
    kinds.extend(component.kind());
    let snapshot = cx.synced(&kinds).await;
    let resource = component.kind().and_then(|kind| snapshot.get(kind, cx.namespace(), cx.cluster()));
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let trial = Trial {
        cx,
        topic,
        component,
        resource: resource.map(|r| r.json().clone()),
        run: run_id.chars().map(word).collect(),
        deadline,
        judge: RefCell::default(),
    };
    let outcome = tokio::time::timeout_at(deadline + Duration::from_secs(5), trial.run()).await;
    let outcome = outcome.unwrap_or_else(|_| {
        let late = Failure::new(
            errors::COMPONENT_SMOKE,
            Kind::Smoke,
            "it took longer than the time limit of the test",
        );
        Err(trial.failure(errors::COMPONENT_SMOKE, Some(late)))
    });
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let component = component.name.to_string();
    match outcome {
        Ok((verified, said)) => {
            let said = if verified == 0 { said } else { format!("{said} in {took_ms} ms") };
            (ComponentReport { component, passed: true, said, verified, took_ms, id: None }, None)
        }
        Err(failure) => {
            let why = failure.causes.first().unwrap_or(&failure.message).clone();
            let id = Some(failure.id.to_string());
            (ComponentReport { component, passed: false, said: why, verified: 0, took_ms, id }, Some(failure))
        }
    }
}

/// The components that exist and that kstrim created.
pub(crate) async fn installed(cx: &Session) -> Vec<ComponentName> {
    let mut kinds = vec![ObservedKind::Kafka];
    kinds.extend(crate::component::KINDS);
    // For a user who may not list them, there are none to test.
    let Ok(snapshot) = tokio::time::timeout(LOOK, cx.synced(&kinds)).await else { return Vec::new() };
    let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
    let there = |component: &&Component| match component.kind() {
        Some(kind) => {
            let found = snapshot.get(kind, cx.namespace(), cx.cluster());
            found.is_some_and(|o| cx.owns(o.json()) && !o.deleting())
        }
        None => kafka
            .as_ref()
            .is_some_and(|k| component.is_field_of(k.0.json()) && component.is_marked(k.0.json())),
    };
    TABLE.iter().filter(there).map(|component| component.name).collect()
}

/// The summary of passed tests.
pub(crate) fn summary(reports: &[ComponentReport]) -> String {
    let test_component = |r: &ComponentReport| format!("{}: {}", r.component, r.said);
    reports.iter().map(test_component).collect::<Vec<_>>().join("; ")
}

/// The input for rendering components of the session's Kafka cluster. `tuning`: with the settings for a small
/// machine.
pub(crate) fn component_input<'a>(cx: &'a Session, topic: &'a TopicName, tuning: bool) -> ComponentInput<'a> {
    let snapshot = cx.store.snapshot();
    let plain = snapshot.kafka(cx.namespace(), cx.cluster()).and_then(|kafka| kafka.plain_listener()?.port());
    ComponentInput {
        release: cx.choice.release,
        kafka: &cx.choice.kafka,
        namespace: &cx.target.namespace,
        cluster: &cx.target.cluster,
        port: plain.unwrap_or(PLAIN_PORT),
        topic,
        tuning,
    }
}
