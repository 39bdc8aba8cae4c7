//! `kstrim remove`: what stands beside a Kafka goes, and what kstrim made for it.

use std::process::ExitCode;
use std::rc::Rc;

use super::living::{self, Living};
use super::session::{Ended, Session};
use crate::cli::{Global, Remove};
use crate::component;
use crate::config;
use crate::context::Cx;
use crate::engine::task::Task;
use crate::event::TaskInfo;
use crate::failure::Result;
use crate::teardown::component as teardown;

/// Remove components.
///
/// # Errors
/// None: everything is told by the session.
pub async fn run(global: &Global, args: &Remove) -> Result<ExitCode> {
    let session = Session::begin(global, "remove", args.output);
    let ended = remove(&session, global, args).await;
    session.release_held().await;
    Ok(session.finish(ended))
}

async fn remove(session: &Session, global: &Global, args: &Remove) -> Result<Ended> {
    let names = config::once(&args.names);
    let living = living::open_to_change(session, global, &super::default_topic()).await?;
    let looked = async {
        let mut plans = Vec::new();
        for name in &names {
            plans.push(teardown::look(&living.cx, component::of(*name), &living.kafka).await?);
        }
        agreed(&living, args, &plans).await?;
        Ok::<_, Box<crate::failure::Failure>>(plans)
    };
    let plans = tokio::select! {
        looked = looked => looked?,
        _ = session.cancel.cancelled() => return Err(session.interrupted()),
    };
    let tasks: Vec<Rc<dyn Task<Cx>>> = plans
        .into_iter()
        .map(|plan| {
            let task: Rc<dyn Task<Cx>> = Rc::new(teardown::Away::new(plan, &names));
            task
        })
        .collect();
    session.started(None, tasks.iter().map(|t| TaskInfo::from(&t.spec())).collect());
    let cx = living.cx.clone();
    let report = session.run(tasks, cx.clone(), cx.journal.clone(), Some(args.timeout)).await;
    cx.stop_observing();
    Ok(Ended { report, next: None })
}

/// Ask a person, or see that a script agreed, where topics go with it.
async fn agreed(living: &Living, args: &Remove, plans: &[teardown::Plan]) -> Result<()> {
    let topics: Vec<&str> = plans.iter().flat_map(|p| p.data()).collect();
    if args.yes || topics.is_empty() {
        return Ok(());
    }
    let target = &living.cx.settings.target;
    let words: Vec<&str> = args.names.iter().map(|n| n.as_str()).collect();
    let question = format!("This deletes {} and the topics {}.", words.join(", "), topics.join(", "));
    let hint = format!("say so: {}", target.again().arg("--yes"));
    super::consent::ask(&question, "nothing was deleted", &hint).await
}
