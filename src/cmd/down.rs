//! `kstrim down`

use std::process::ExitCode;
use std::rc::Rc;

use super::invocation::{Ended, Invocation};
use super::{down_profile, living};
use serde_json::Value;

use crate::catalogue::{self, Partial};
use crate::cli::{Down, Global, OutputMode};
use crate::cluster::connection;
use crate::cluster::profile_owner::{self, Owner};
use crate::cluster::session::Session;
use crate::cluster::{image_cache, lost_machine, ownership, refusals};
use crate::engine::run::Report;
use crate::engine::task::infos;
use crate::errors;
use crate::event::{Event, ProfileDeletion};
use crate::failure::{Failure, Kind, Result};
use crate::manifest::label::is_of_files;
use crate::teardown;
use crate::teardown::plan::{self, Plan};
use crate::teardown::profile::Seen;
use crate::tool::minikube_output::Listed;

/// What is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Nothing exists.
    Nothing,
    /// The profile and everything in it.
    Profile,
    /// Kafka, Strimzi and the namespace.
    Resources,
    /// Kafka and Strimzi; the volume claims are kept.
    ResourcesButData,
}

/// Delete the cluster, or what kstrim installed in it.
///
/// # Errors
/// The user answered no to the prompt; other failures are reported as events.
pub(crate) async fn run(global: &Global, args: &Down) -> Result<ExitCode> {
    let choice = catalogue::resolve(&Partial::default())?;
    let invocation = Invocation::begin(global, "down", args.output);
    let ended = match super::up::session(&invocation, choice) {
        Ok(cx) => {
            let cx = Rc::new(cx);
            let ended = down(&invocation, cx.clone(), args).await;
            invocation.release(&cx).await;
            ended
        }
        Err(failure) => Err(failure),
    };
    Ok(invocation.finish(ended))
}

async fn down(invocation: &Invocation, cx: Rc<Session>, args: &Down) -> Result<Ended> {
    let _lock = invocation.lock()?;
    cx.journal.borrow().refuse_newer()?;
    // Read before the prompt: the profile that is deleted later must be this one.
    let disk = cx.minikube.on_disk();
    let looked = async {
        let (extent, answers) = extent(&cx, args).await?;
        let (mut plan, mut profile) = (None, None);
        match extent {
            Extent::Nothing => {}
            Extent::Profile => profile = Some(profile_deletion(&cx, args, answers).await?),
            Extent::Resources | Extent::ResourcesButData => {
                // Regardless of the release.
                cx.store.serves(living::served(&cx).await?);
                ownership::acquire_lease(&cx, "down").await?;
                plan = Some(plan::look(&cx, extent == Extent::ResourcesButData).await?);
                refuse_other_kafkas(&cx, args.keep_data).await?;
            }
        }
        Ok::<_, Box<Failure>>((extent, plan, profile, answers))
    };
    let (extent, plan, profile, answers) = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let scope = plan.as_ref().map(|plan| plan.scope.clone()).unwrap_or_default();
    let jobs = match extent {
        Extent::Nothing => teardown::profile(&cx, None),
        Extent::Profile => {
            let uid = cx.journal.borrow().state.cluster_uid.clone().filter(|_| answers);
            teardown::profile(&cx, Some(Seen { disk, uid }))
        }
        Extent::Resources => teardown::tasks(&cx, &scope, false),
        Extent::ResourcesButData => teardown::tasks(&cx, &scope, true),
    };
    let begin = || {
        invocation.started(None, infos(&jobs));
        if let Some(plan) = &plan {
            cx.emit.send(Event::DeletionPlanned(plan.deletion.clone()));
        }
        if let Some(profile) = &profile {
            cx.emit.send(Event::ProfileDeletion(profile.clone()));
        }
    };
    // A script needs the list before the refusal; an interactive user sees it in the prompt.
    let ahead = args.output == OutputMode::Json;
    if ahead {
        begin();
    }
    if extent != Extent::Nothing && plan.as_ref().is_none_or(|plan| !plan.is_empty()) {
        tokio::select! {
            agreed = consent(&cx, args, extent, plan.as_ref(), profile.as_ref()) => agreed?,
            _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
        }
    }
    if !ahead {
        begin();
    }
    if extent == Extent::Nothing {
        image_cache::remove_unfinished(&cx).await?;
    }
    let report: Report = invocation.run(jobs, cx.journal.clone(), Some(args.timeout)).await;
    cx.stop_observing();
    if report.failure.is_none() && cx.target.context.is_some() {
        // The credentials are no longer needed; the next command copies them again.
        invocation.release(&cx).await;
        let _ = std::fs::remove_file(invocation.paths.kubeconfig());
    }
    if report.failure.is_none() && matches!(extent, Extent::Resources | Extent::ResourcesButData) {
        let mut journal = cx.journal.borrow_mut();
        if journal.state.clusters.remove(cx.namespace()).is_some() {
            journal.save()?;
        }
    }
    if report.failure.is_none() && matches!(extent, Extent::Nothing | Extent::Profile) {
        // Everything else about the profile can be deleted; the lock file is kept because this run holds the lock.
        cx.journal.borrow().remove()?;
        let _ = std::fs::remove_file(invocation.paths.kubeconfig());
    }
    Ok(Ended { report, next: None })
}

/// Determine what exists, who owns it, and whether the cluster responds.
async fn extent(cx: &Session, args: &Down) -> Result<(Extent, bool)> {
    if cx.target.context.is_some() {
        super::connected(cx).await?;
        ownership::determine(cx, false).await?;
        return Ok((if args.keep_data { Extent::ResourcesButData } else { Extent::Resources }, true));
    }
    let listed = cx.minikube.listed().await?;
    let owner = profile_owner::of(cx, &listed);
    match listed {
        Listed::Absent => return Ok((Extent::Nothing, false)),
        // Left by a start that was refused or killed; nothing runs in it.
        Listed::Broken if owner.is_ours() => return Ok((Extent::Profile, false)),
        Listed::Broken => return Ok((Extent::Nothing, false)),
        Listed::Valid(_) => {}
    }
    let only_resources = args.keep_cluster || args.keep_data;
    // It fails without a container engine: then nothing can be deleted, whatever was requested.
    let answers = match connection::connect(cx, false).await? {
        Ok(()) => {
            ownership::determine(cx, false).await?;
            true
        }
        Err(why) if only_resources => {
            let target = &cx.target;
            return Err(Box::new(
                Failure::new(errors::NO_CLUSTER, Kind::Prerequisite, "the cluster cannot be inspected")
                    .because(why)
                    .hint(if owner.is_ours() {
                        format!("start it, then try again: {}", target.kstrim("start"))
                    } else {
                        format!("start it, then try again: {}", target.minikube("start"))
                    })
                    .hint(if owner.is_ours() {
                        format!("or delete everything: {}", target.kstrim("down"))
                    } else {
                        format!("or delete everything yourself: {}", target.minikube("delete"))
                    }),
            ));
        }
        Err(_) => {
            match owner {
                Owner::Ours | Owner::Empty => {}
                Owner::Unproven(_) if args.adopt => {}
                Owner::Unproven(_) => {
                    let adopt = cx.target.again().arg("--adopt");
                    return Err(Box::new(refusals::unproven(&cx.target, &adopt)));
                }
                Owner::Foreign(_) => return Err(Box::new(down_profile::not_ours(cx, false))),
            }
            cx.ownership.profile_is_ours.set(true);
            false
        }
    };
    if !cx.ownership.profile_is_ours.get() && !only_resources && !down_profile::anything_of_ours(cx).await? {
        return Err(Box::new(down_profile::not_ours(cx, true)));
    }
    let extent = match (cx.ownership.profile_is_ours.get(), args.keep_cluster, args.keep_data) {
        (_, _, true) => Extent::ResourcesButData,
        (true, false, false) => Extent::Profile,
        (ours, ..) => {
            if !ours && !args.keep_cluster {
                let message = format!("the profile {} is kept: kstrim did not create it", cx.profile());
                cx.emit.warn(message);
            }
            Extent::Resources
        }
    };
    Ok((extent, answers))
}

/// Refuse if another Kafka cluster of kstrim's, besides the one to be deleted, would lose its operator.
async fn refuse_other_kafkas(cx: &Session, keep_data: bool) -> Result<()> {
    let base = format!("/apis/kafka.strimzi.io/{}/namespaces/{}", cx.api_version().as_str(), cx.namespace());
    let found = cx.list(&format!("{base}/kafkas"), "list what is in the cluster").await?;
    // Those from the user's manifests are deleted together with the others, but their data cannot be kept.
    let goes = |k: &Value| cx.owns(k) && !keep_data && is_of_files("Kafka", k);
    let other = found.iter().find(|k| !(teardown::name(k) == cx.cluster() && cx.owns(k) || goes(k)));
    let Some(name) = other.map(teardown::name) else { return Ok(()) };
    let target = &cx.target;
    if keep_data && other.is_some_and(|k| cx.owns(k)) {
        let message =
            format!("nothing was deleted: the namespace also has the Kafka cluster {name} of your manifests");
        let failure = Failure::new(errors::KAFKA_FOREIGN, Kind::Foreign, message).because(
            "the data of one Kafka cluster can be kept, and the other one would be left without an operator",
        );
        return Err(Box::new(
            failure.hint(format!("keep its data: {}", target.again().with("--cluster", name))),
        ));
    }
    let message = match other.is_some_and(|k| cx.owns(k)) {
        true => format!("nothing was deleted: the namespace also has kstrim's Kafka cluster {name}"),
        false => format!(
            "nothing was deleted: kstrim did not create the Kafka cluster {name} in namespace {}",
            cx.namespace()
        ),
    };
    let failure = Failure::new(errors::KAFKA_FOREIGN, Kind::Foreign, message)
        .because("it would be left without an operator");
    let mut besides = found.iter().filter(|k| teardown::name(k) != name);
    if besides.all(|k| cx.owns(k) && is_of_files("Kafka", k)) {
        let both = target.again().with("--cluster", name);
        return Err(Box::new(
            failure.hint(format!("delete it together with those of your manifests: {both}")),
        ));
    }
    Err(Box::new(failure.hint(format!(
        "if it is not needed, delete it first: {}",
        target.kubectl("delete kafkas.kafka.strimzi.io").arg(name).arg("-n").arg(cx.namespace())
    ))))
}

/// What is deleted with the profile, if it may be deleted.
async fn profile_deletion(cx: &Session, args: &Down, answers: bool) -> Result<ProfileDeletion> {
    // `minikube delete` on another engine would delete the profile and leave its machine running.
    lost_machine::refuse_other_engine(cx, &cx.target.again()).await?;
    let found = down_profile::look(cx, answers).await?;
    // An interactive user sees it in the prompt; a script has to pass the flag.
    let asked = !args.yes && super::consent::can_ask();
    down_profile::refuse_others(&cx.target, &found, args.delete_others || asked)?;
    Ok(found)
}

/// Ask the user for confirmation, or check that a script passed `--yes`.
async fn consent(
    cx: &Session,
    args: &Down,
    extent: Extent,
    plan: Option<&Plan>,
    profile: Option<&ProfileDeletion>,
) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    let question = match (plan, profile) {
        (Some(plan), _) => question(cx, extent, plan),
        (None, Some(profile)) => {
            let lines: Vec<String> = profile.lines().iter().map(|line| format!("\n  {line}")).collect();
            format!(
                "This deletes the minikube profile {} and all data in it:{}",
                cx.profile(),
                lines.concat()
            )
        }
        (None, None) => format!("This deletes the minikube profile {} and all data in it.", cx.profile()),
    };
    let hint = format!("to agree: {}", cx.target.again().arg("--yes"));
    super::consent::ask(&question, "nothing was deleted", &hint).await
}

/// What is deleted, from where, and what is kept.
fn question(cx: &Session, extent: Extent, plan: &Plan) -> String {
    let server = plan.deletion.server.as_deref().unwrap_or("an unknown server");
    let place = match &cx.target.context {
        Some(context) => format!("context {context} ({server})"),
        None => format!("minikube profile {} ({server})", cx.profile()),
    };
    let mut lines = vec![format!("This deletes from the namespace {} of the {place}:", cx.namespace())];
    lines.extend(plan.lines());
    if extent == Extent::ResourcesButData {
        lines.push(match (plan.ephemeral, plan.claims_deleted.as_slice()) {
            (true, _) => {
                "All messages will be lost: this Kafka cluster stores its data in its pods, so there are \
                 no volumes to keep."
                    .into()
            }
            (false, []) => "The volumes are kept.".into(),
            (false, with) => format!(
                "Some volumes and their messages will be lost: Strimzi deletes those of {} with it \
                 (deleteClaim: true).",
                with.join(", ")
            ),
        });
    }
    if !plan.deletion.kept.is_empty() {
        lines.push(format!("These are kept, and so is the namespace: {}.", plan.deletion.kept.join("; ")));
    }
    for why in &plan.deletion.unknown {
        lines.push(format!("This cannot be listed, so the namespace is kept: {why}."));
    }
    lines.join("\n")
}
