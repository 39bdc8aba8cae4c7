//! `kstrim remove`: removes components, and what kstrim created for them.

use std::process::ExitCode;

use super::consent;
use super::invocation::{Ended, Invocation};
use super::living::{self, Living};
use crate::cli::{Global, Remove};
use crate::component;
use crate::config;
use crate::engine::task::{Job, Spec, infos};
use crate::failure::Result;
use crate::teardown::component as teardown;

/// Remove components.
///
/// # Errors
/// None: failures are reported as events, and in the exit code.
pub(crate) async fn run(global: &Global, args: &Remove) -> Result<ExitCode> {
    let invocation = Invocation::begin(global, "remove", args.output);
    let ended = remove(&invocation, global, args).await;
    invocation.release_held().await;
    Ok(invocation.finish(ended))
}

async fn remove(invocation: &Invocation, global: &Global, args: &Remove) -> Result<Ended> {
    let names = config::once(&args.names);
    let living = living::open_to_change(invocation, global).await?;
    let looked = async {
        let mut plans = Vec::new();
        for name in &names {
            plans.push(teardown::look(&living.cx, component::of(*name), living.resource.json()).await?);
        }
        Ok::<_, Box<crate::failure::Failure>>(plans)
    };
    let plans = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let losses = Losses::of(&plans);
    let job = |plan: teardown::Plan| {
        let component = plan.component;
        let spec = Spec::new(component.name.as_str(), component.title, &[], 10);
        Job::new(spec, teardown::RemoveComponent::new(plan, &names), &living.cx)
    };
    let jobs: Vec<Job> = plans.into_iter().map(job).collect();
    invocation.started(None, infos(&jobs));
    tokio::select! {
        agreed = agreed(&living, args, &losses) => agreed?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    }
    let cx = living.cx.clone();
    let report = invocation.run(jobs, cx.journal.clone(), Some(args.timeout)).await;
    cx.stop_observing();
    Ok(Ended { report, next: None })
}

/// What is lost in addition to the components.
struct Losses {
    topics: Vec<String>,
    /// Components that restart the brokers: name and title.
    restarting: Vec<(&'static str, &'static str)>,
}

impl Losses {
    fn of(plans: &[teardown::Plan]) -> Self {
        let restarting = plans.iter().filter(|p| p.there && p.component.restarts_brokers());
        Self {
            topics: plans.iter().flat_map(|p| p.data()).map(str::to_owned).collect(),
            restarting: restarting.map(|p| (p.component.name.as_str(), p.component.title)).collect(),
        }
    }
}

/// Ask for consent if topics are deleted or brokers restart.
async fn agreed(living: &Living, args: &Remove, losses: &Losses) -> Result<()> {
    let titles: Vec<&str> = losses.restarting.iter().map(|(_, title)| *title).collect();
    if let Some((task, _)) = losses.restarting.first()
        && (args.yes || losses.topics.is_empty())
    {
        let what = format!("loses {}", titles.join(" and "));
        return consent::to_restart(living, task, &what, args.yes).await;
    }
    if args.yes || losses.topics.is_empty() {
        return Ok(());
    }
    let words: Vec<&str> = args.names.iter().map(|n| n.as_str()).collect();
    let mut question =
        format!("This deletes {} and the topics {}", words.join(", "), losses.topics.join(", "));
    if !titles.is_empty() {
        question = format!("{question}, and {}", consent::restarts(living).await?);
    }
    consent::to(living, &format!("{question}."), "nothing was deleted").await
}
