//! `kstrim smoke-test`

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use super::session::{Ended, Session};
use crate::cli::{Global, SmokeTest};
use crate::config::Settings;
use crate::context::{Cx, yaml};
use crate::engine::run::Report;
use crate::event::{Event, Outcome, TaskInfo};
use crate::failure::{Failure, Id, Kind, Result};
use crate::kafka::junit;
use crate::kafka::smoke::{Plan, Run};
use crate::observe::Kind as ObservedKind;
use crate::quickstart::{kafka, ownership, smoke, topic};

/// The JUnit file cannot be written.
pub const JUNIT: Id = Id("KS-JUNIT-UNWRITABLE");

/// Test the running Kafka.
///
/// # Errors
/// What is wrong with the command line; everything else is told by the session.
pub async fn run(global: &Global, args: &SmokeTest) -> Result<ExitCode> {
    let settings = Settings::of_target(global, &args.topic);
    let plan = Plan {
        messages: args.messages,
        size: usize::try_from(args.size).unwrap_or(usize::MAX),
        keep: args.keep,
        timeout: args.timeout,
        ..Plan::new("", args.topic.as_str())
    };
    plan.check()?;
    let choice = super::up::choose(&settings)?;
    let session = Session::begin(global, "smoke-test", args.output);
    session.started(None, vec![TaskInfo { id: "smoke".into(), title: "Smoke test".into(), needs: vec![] }]);
    let began = Instant::now();
    session.emit.send(Event::TaskStarted { task: "smoke".into(), reason: "asked for".into() });
    let plan = Plan { run_id: session.run_id.clone(), ..plan };
    let tested = tokio::select! {
        tested = test(&session, settings, choice, &plan) => tested,
        _ = session.cancel.cancelled() => Err(session.interrupted()),
    };
    let begun = tested.is_ok();
    let run = tested.unwrap_or_else(|failure| Run::not_begun(&plan, failure));
    let written = args.junit.as_ref().map_or(Ok(()), |path| {
        let xml = junit::to_xml(&run, began.elapsed().as_secs_f64());
        std::fs::write(path, xml).map_err(|e| {
            Box::new(
                Failure::new(JUNIT, Kind::Usage, format!("{} cannot be written", path.display())).because(e),
            )
        })
    });
    // A test that could not begin has measured nothing.
    if begun {
        session.emit.send(Event::Smoke(run.report.clone()));
    }
    let failure = run.failure.or(written.err());
    let outcome = if failure.is_none() { Outcome::Done } else { Outcome::Failed };
    let detail = failure.as_ref().map_or_else(|| smoke::said(&run.report), |f| f.message.clone());
    let seconds = began.elapsed().as_secs_f64();
    session.emit.send(Event::TaskFinished { task: "smoke".into(), outcome, seconds, detail });
    let mut report = Report { failure: failure.map(|f| (Some("smoke"), f)), ..Report::default() };
    report.seconds.insert("smoke".into(), seconds);
    let ended = Ok(Ended { report, next: None });
    Ok(session.finish_with_evidence(ended, !args.no_diagnose).await)
}

async fn test(
    session: &Session,
    settings: Settings,
    choice: crate::catalogue::Choice,
    plan: &Plan,
) -> Result<Run> {
    let cx = Rc::new(super::up::context(session, settings, choice)?);
    super::connected(&cx).await?;
    let made = make_sure_of_topic(&cx, plan).await?;
    let mut run = smoke::test(&cx, plan).await?;
    if made && !plan.keep {
        match remove_topic(&cx).await {
            Ok(()) => run.report.left_behind = None,
            Err(failure) => run.report.left_behind = Some(failure.message),
        }
    }
    cx.stop_observing();
    Ok(run)
}

/// Whether the topic had to be made. It is made by its resource and in Kafka, as `up` does.
async fn make_sure_of_topic(cx: &Cx, plan: &Plan) -> Result<bool> {
    let mut kinds = smoke::KINDS.to_vec();
    kinds.push(ObservedKind::KafkaTopic);
    let snapshot = cx.synced(&kinds).await;
    if snapshot.kafka(cx.namespace(), cx.cluster()).is_none() {
        return Err(Box::new(
            Failure::new(
                super::kubectl::NO_CLUSTER,
                Kind::Prerequisite,
                format!("there is no Kafka {} in namespace {}", cx.cluster(), cx.namespace()),
            )
            .hint(format!("make it: {}", crate::quickstart::refused::up(cx))),
        ));
    }
    if snapshot.topic(cx.namespace(), &cx.settings.topic.resource_name()).is_some() {
        return Ok(false);
    }
    let brokers = smoke::Brokers::of(cx)?;
    let wanted = topic::wanted_with(cx, brokers_of(&snapshot, cx));
    cx.kubectl
        .apply(&yaml(&kafka::labelled(cx, wanted.clone())), false)
        .await
        .map_err(|e| ownership::api_failure(cx, "apply the topic", &e))?;
    brokers.create_topic(&plan.topic, &wanted[0]).await?;
    Ok(true)
}

/// Ready brokers, at most three: the replicas of a topic that is made for the test.
fn brokers_of(snapshot: &crate::observe::Snapshot, cx: &Cx) -> u32 {
    let ready =
        snapshot.pods(cx.namespace()).filter(|p| p.is_kafka_node_of(cx.cluster()) && p.ready()).count();
    u32::try_from(ready.clamp(1, 3)).unwrap_or(1)
}

async fn remove_topic(cx: &Cx) -> Result<()> {
    let what = ["kafkatopics.kafka.strimzi.io".to_owned(), cx.settings.topic.resource_name()];
    cx.kubectl
        .delete(Some(cx.namespace()), &what)
        .await
        .map_err(|e| ownership::api_failure(cx, "delete the topic", &e))?;
    // The topic operator takes the topic with it; where it does not run, nobody would.
    // Asked for, not looked up in the store: what was only listed there is from before the test.
    let path = format!(
        "/apis/kafka.strimzi.io/{}/namespaces/{}/kafkatopics/{}",
        cx.api_version().as_str(),
        cx.namespace(),
        cx.settings.topic.resource_name()
    );
    let gone = async {
        while !matches!(cx.kubectl.find(&path).await, Ok(None)) {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.map_err(|_| {
        Box::new(Failure::new(
            Id("KS-TOPIC-STUCK"),
            Kind::Task,
            format!(
                "the topic {} is being deleted, but the topic operator has not done it yet",
                cx.settings.topic
            ),
        ))
    })
}
