//! `kstrim add`: adds components to a running Kafka cluster.

use crate::quickstart::context::Context;
use std::process::ExitCode;
use std::rc::Rc;

use super::change;
use super::consent;
use super::invocation::{Ended, Invocation};
use super::living::{self, Living};
use crate::cli::{Add, Global};
use crate::cluster::brokers;
use crate::component;
use crate::config::{self, Settings};
use crate::engine::task::{Plan, Spec};
use crate::failure::{Failure, Kind, Result};
use crate::names::ComponentName;
use crate::quickstart::components::ComponentTask;

/// Add components.
///
/// # Errors
/// None: failures are reported as events, and in the exit code.
pub(crate) async fn run(global: &Global, args: &Add) -> Result<ExitCode> {
    let invocation = Invocation::begin(global, "add", args.output);
    let ended = add(&invocation, global, args).await;
    invocation.release_held().await;
    Ok(invocation.finish(ended))
}

async fn add(invocation: &Invocation, global: &Global, args: &Add) -> Result<Ended> {
    let names = config::once(&args.names);
    let mut plan = Plan::default();
    for name in &names {
        let spec = Spec::new(name.as_str(), component::of(*name).title, &[], 10);
        plan.add(spec, ComponentTask::new(*name));
    }
    invocation.started(None, plan.infos());
    let living = living::open_to_change(invocation, global).await?;
    allowed(&living, args, &names).await?;
    let restarting = names.iter().map(|name| component::of(*name)).filter(|c| c.restarts_brokers());
    let restarting: Vec<&component::Component> =
        restarting.filter(|c| !c.is_field_of(living.resource.json())).collect();
    if let Some(first) = restarting.first() {
        let titles: Vec<&str> = restarting.iter().map(|c| c.title).collect();
        let what = format!("gets {}", titles.join(" and "));
        tokio::select! {
            agreed = consent::to_restart(&living, first.name.as_str(), &what, args.yes) => agreed?,
            _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
        }
    }
    let existing = Settings::for_existing(&living.cx.target, &args.topic);
    let settings = Settings { with: names, stock: args.stock, adopt: args.adopt, ..existing };
    let cx = Rc::new(Context::for_release(&living.cx, settings, living.cx.choice.clone()));
    let report = invocation.run(plan.jobs(&cx), cx.journal.clone(), Some(args.timeout)).await;
    cx.stop_observing();
    Ok(Ended { report, next: None })
}

/// Refuse what the Kafka cluster cannot run, before anything is changed.
async fn allowed(living: &Living, args: &Add, names: &[ComponentName]) -> Result<()> {
    if names.iter().any(|name| component::of(*name).field().is_some())
        && !living.cx.owns(living.resource.json())
    {
        change::ours(living, args.adopt)?;
    }
    if names.iter().any(|name| component::of(*name).kind().is_some())
        && living.kafka().plain_listener().is_none()
    {
        let refused = *brokers::no_plain_listener(living.cx.cluster());
        return Err(Box::new(Failure { kind: Kind::Prerequisite, ..refused }));
    }
    if names.iter().any(|name| component::of(*name).brokers > 1) {
        let way_out = format!("add brokers first: {}", living.cx.target.kstrim("scale --brokers 3"));
        component::check(names, living.nodes().await?.brokers_wanted, &way_out)?;
    }
    Ok(())
}
