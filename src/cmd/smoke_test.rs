//! `kstrim smoke-test`

use std::process::ExitCode;
use std::time::Instant;

use super::living;
use super::session::{Ended, Session};
use crate::cli::{Global, SmokeTest};
use crate::context::{Cx, yaml};
use crate::engine::run::Report;
use crate::event::{ComponentReport, Event, Outcome, TaskInfo};
use crate::failure::{Failure, Id, Kind, Result};
use crate::kafka::junit;
use crate::kafka::smoke::{Plan, Run};
use crate::observe::Kind as ObservedKind;
use crate::quickstart::{kafka, ownership, proof, smoke, topic};

/// The JUnit file cannot be written.
pub const JUNIT: Id = Id("KS-JUNIT-UNWRITABLE");

/// Test the running Kafka.
///
/// # Errors
/// What is wrong with the command line; everything else is told by the session.
pub async fn run(global: &Global, args: &SmokeTest) -> Result<ExitCode> {
    let plan = Plan {
        messages: args.messages,
        size: usize::try_from(args.size).unwrap_or(usize::MAX),
        keep: args.keep,
        timeout: args.timeout,
        ..Plan::new("", args.topic.as_str())
    };
    plan.check()?;
    let session = Session::begin(global, "smoke-test", args.output);
    session.started(None, vec![TaskInfo { id: "smoke".into(), title: "Smoke test".into(), needs: vec![] }]);
    let began = Instant::now();
    session.emit.send(Event::TaskStarted { task: "smoke".into(), reason: "asked for".into() });
    let plan = Plan { run_id: session.run_id.clone(), ..plan };
    let tested = tokio::select! {
        tested = test(&session, global, args, &plan) => tested,
        _ = session.cancel.cancelled() => Err(session.interrupted()),
    };
    let begun = tested.is_ok();
    let (run, beside) = tested.unwrap_or_else(|failure| (Run::not_begun(&plan, failure), Beside::default()));
    let written = args.junit.as_ref().map_or(Ok(()), |path| {
        let xml = junit::to_xml(&run, &beside.reports, began.elapsed().as_secs_f64());
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
    for report in &beside.reports {
        session.emit.send(Event::ComponentSmoke(report.clone()));
    }
    let failure = run.failure.or(beside.failure).or(written.err());
    let outcome = if failure.is_none() { Outcome::Done } else { Outcome::Failed };
    let said = || match beside.reports.as_slice() {
        [] => smoke::said(&run.report),
        some => format!("{}; {}", smoke::said(&run.report), proof::said(some)),
    };
    let detail = failure.as_ref().map_or_else(said, |f| f.message.clone());
    let seconds = began.elapsed().as_secs_f64();
    session.emit.send(Event::TaskFinished { task: "smoke".into(), outcome, seconds, detail });
    let mut report = Report { failure: failure.map(|f| (Some("smoke"), f)), ..Report::default() };
    report.seconds.insert("smoke".into(), seconds);
    let ended = Ok(Ended { report, next: None });
    Ok(session.finish_with_evidence(ended, !args.no_diagnose).await)
}

async fn test(session: &Session, global: &Global, args: &SmokeTest, plan: &Plan) -> Result<(Run, Beside)> {
    // By the release that runs, not by the newest.
    let cx = living::open(session, global, &args.topic).await?.cx;
    let made = make_sure_of_topic(&cx, plan).await?;
    let mut run = smoke::test(&cx, plan).await?;
    if made && !plan.keep {
        match remove_topic(&cx).await {
            Ok(()) => run.report.left_behind = None,
            Err(failure) => run.report.left_behind = Some(failure.message),
        }
    }
    let mut beside = Beside::default();
    if !args.no_components && run.failure.is_none() {
        let names = proof::installed(&cx).await;
        (beside.reports, beside.failure) = proof::all(&cx, &names, &plan.run_id, plan.timeout).await;
    }
    cx.stop_observing();
    Ok((run, beside))
}

/// What the test of what stands beside Kafka came to.
#[derive(Default)]
struct Beside {
    reports: Vec<ComponentReport>,
    failure: Option<Box<Failure>>,
}

/// Whether the topic had to be made. It is made by its resource and in Kafka, as `up` does.
async fn make_sure_of_topic(cx: &Cx, plan: &Plan) -> Result<bool> {
    let mut kinds = smoke::KINDS.to_vec();
    kinds.push(ObservedKind::KafkaTopic);
    let snapshot = cx.synced(&kinds).await;
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
    let ready = snapshot.pods(cx.namespace()).filter(|p| p.is_broker_of(cx.cluster()) && p.ready()).count();
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
