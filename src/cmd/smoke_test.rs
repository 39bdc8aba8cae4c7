//! `kstrim smoke-test`

use std::process::ExitCode;
use std::time::Instant;

use super::invocation::{Ended, Invocation};
use super::living;
use crate::cli::{Global, SmokeTest};
use crate::cluster::access;
use crate::cluster::brokers;
use crate::cluster::component_test;
use crate::config::Target;
use crate::engine::run::Report;
use crate::errors;
use crate::event::{self, ComponentReport, Event, Outcome, TaskInfo};
use crate::failure::{Failure, Kind, Result};
use crate::kafka::junit;
use crate::kafka::smoke::{Plan, Run};
use crate::quickstart::smoke;

/// Test the running Kafka cluster.
///
/// # Errors
/// What is wrong with the command line; other failures are reported as events.
pub(crate) async fn run(global: &Global, args: &SmokeTest) -> Result<ExitCode> {
    let plan = Plan {
        messages: args.messages,
        size: usize::try_from(args.size).unwrap_or(usize::MAX),
        keep: args.keep,
        timeout: args.timeout,
        ..Plan::new("", args.topic.as_str(), &Target::from(global))
    };
    plan.check()?;
    let invocation = Invocation::begin(global, "smoke-test", args.output);
    invocation
        .started(None, vec![TaskInfo { id: "smoke".into(), title: "Smoke test".into(), needs: vec![] }]);
    let began = Instant::now();
    invocation.emit.send(Event::TaskStarted { task: "smoke".into(), reason: "requested".into() });
    let plan = Plan { run_id: invocation.run_id.clone(), ..plan };
    let tested = tokio::select! {
        tested = event::in_task("smoke", test(&invocation, global, args, &plan)) => tested,
        _ = invocation.cancel.cancelled() => Err(invocation.interrupted()),
    };
    invocation.release_held().await;
    let begun = tested.is_ok();
    let (run, beside) =
        tested.unwrap_or_else(|failure| (Run::not_started(&plan, failure), Components::default()));
    let written = args.junit.as_ref().map_or(Ok(()), |path| {
        let xml = junit::to_xml(&run, &beside.reports, began.elapsed().as_secs_f64());
        std::fs::write(path, xml).map_err(|e| {
            Box::new(
                Failure::new(
                    errors::JUNIT_UNWRITABLE,
                    Kind::Usage,
                    format!("{} cannot be written", path.display()),
                )
                .because(e),
            )
        })
    });
    // A test that could not start has no measurements.
    if begun {
        invocation.emit.send(Event::Smoke(run.report.clone()));
    }
    for report in &beside.reports {
        invocation.emit.send(Event::ComponentSmoke(report.clone()));
    }
    let failure = run.failure.or(beside.failure).or(written.err());
    let outcome = if failure.is_none() { Outcome::Done } else { Outcome::Failed };
    let said = || match beside.reports.as_slice() {
        [] => brokers::summary(&run.report),
        some => format!("{}; {}", brokers::summary(&run.report), component_test::summary(some)),
    };
    let detail = failure.as_ref().map_or_else(said, |f| f.message.clone());
    let seconds = began.elapsed().as_secs_f64();
    invocation.emit.send(Event::TaskFinished { task: "smoke".into(), outcome, seconds, detail });
    let mut report = Report { failure: failure.map(|f| (Some("smoke".to_owned()), f)), ..Report::default() };
    report.seconds.insert("smoke".into(), seconds);
    let ended = Ok(Ended { report, next: None });
    Ok(invocation.finish_with_evidence(ended, !args.no_diagnose).await)
}

async fn test(
    invocation: &Invocation,
    global: &Global,
    args: &SmokeTest,
    plan: &Plan,
) -> Result<(Run, Components)> {
    // According to the running release, not the newest one.
    let cx = living::open(invocation, global).await?.cx;
    let create = smoke::topic_to_create(&cx, &args.topic).await?;
    let plan = &Plan { create, ..plan.clone() };
    let mut lock = None;
    if access::creates_user(&cx).await {
        lock = Some(living::lock(invocation).await?);
        living::acquire_lease(invocation, &cx).await?;
    }
    if let Some(why) = access::determine(&cx, args.topic.as_str()).await? {
        let message = format!("no message can be sent to the Kafka cluster {} and read", cx.cluster());
        return Err(Box::new(Failure::new(errors::NO_PLAIN_LISTENER, Kind::Smoke, message).because(why)));
    }
    let run = brokers::run_smoke_test(&cx, plan).await;
    access::delete_test_user(&cx, &cx.kubectl).await?;
    let run = run?;
    let mut beside = Components::default();
    if !args.no_components && run.failure.is_none() {
        let names = component_test::installed(&cx).await;
        if !names.is_empty() {
            // The tests of components create connectors and topics with fixed names.
            if lock.is_none() {
                lock = Some(living::lock(invocation).await?);
                living::acquire_lease(invocation, &cx).await?;
            }
        }
        (beside.reports, beside.failure) =
            component_test::test_components(&cx, &names, &args.topic, &plan.run_id, plan.timeout).await;
    }
    drop(lock);
    cx.stop_observing();
    Ok((run, beside))
}

/// The results of the tests of components.
#[derive(Default)]
struct Components {
    reports: Vec<ComponentReport>,
    failure: Option<Box<Failure>>,
}
