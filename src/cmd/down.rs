//! `kstrim down`

use std::process::ExitCode;
use std::rc::Rc;

use super::session::{Ended, Session};
use super::{down_profile, living};
use crate::cli::{Down, Global, OutputMode};
use crate::cluster::connection;
use crate::cluster::profile_owner::{self, Owner};
use crate::cluster::session::{Cx, Machine};
use crate::cluster::{lost_machine, ownership, refusals};
use crate::config::Settings;
use crate::engine::run::Report;
use crate::engine::task::infos;
use crate::event::{Event, ProfileDeletion};
use crate::failure::{Failure, Kind, Result};
use crate::teardown;
use crate::teardown::plan::{self, Plan};
use crate::teardown::profile::Seen;
use crate::tool::minikube_output::Listed;

/// What is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Nothing is there.
    Nothing,
    /// The profile and everything in it.
    Profile,
    /// Kafka, Strimzi and the namespace.
    Resources,
    /// Kafka and Strimzi; the claims stay.
    ResourcesButData,
}

/// Take the cluster down.
///
/// # Errors
/// Told by the session, but for a refused question.
pub async fn run(global: &Global, args: &Down) -> Result<ExitCode> {
    let settings = Settings::of_target(global, &super::default_topic());
    let choice = super::up::choose(&settings)?;
    let session = Session::begin(global, "down", args.output);
    let ended = match super::up::context(&session, settings, choice) {
        Ok(cx) => {
            let cx = Rc::new(cx);
            let ended = down(&session, cx.clone(), args).await;
            session.release(&cx).await;
            ended
        }
        Err(failure) => Err(failure),
    };
    Ok(session.finish(ended))
}

async fn down(session: &Session, cx: Rc<Cx>, args: &Down) -> Result<Ended> {
    let _lock = session.lock()?;
    cx.journal.borrow().refuse_newer()?;
    // Before any question: what is deleted later has to be this profile.
    let disk = cx.minikube.on_disk();
    let looked = async {
        let extent = extent(&cx, args).await?;
        let (mut plan, mut profile) = (None, None);
        match extent {
            Extent::Nothing => {}
            Extent::Profile => profile = Some(profile_deletion(&cx, args).await?),
            Extent::Resources | Extent::ResourcesButData => {
                // Whichever release it is.
                cx.served.set(living::served(&cx).await?);
                ownership::exclude(&cx, "down").await?;
                plan = Some(plan::look(&cx, extent == Extent::ResourcesButData).await?);
                refuse_other_kafkas(&cx).await?;
            }
        }
        Ok::<_, Box<Failure>>((extent, plan, profile))
    };
    let (extent, plan, profile) = tokio::select! {
        looked = looked => looked?,
        _ = session.cancel.cancelled() => return Err(session.interrupted()),
    };
    let scope = plan.as_ref().map(|plan| plan.scope.clone()).unwrap_or_default();
    let jobs = match extent {
        Extent::Nothing => teardown::profile(&cx, None),
        Extent::Profile => {
            let answers = *cx.machine.borrow() == Machine::Api;
            let uid = cx.journal.borrow().state.cluster_uid.clone().filter(|_| answers);
            teardown::profile(&cx, Some(Seen { disk, uid }))
        }
        Extent::Resources => teardown::tasks(&cx, &scope, false),
        Extent::ResourcesButData => teardown::tasks(&cx, &scope, true),
    };
    let begin = || {
        session.started(None, infos(&jobs));
        if let Some(plan) = &plan {
            cx.emit.send(Event::DeletionPlanned(plan.deletion.clone()));
        }
        if let Some(profile) = &profile {
            cx.emit.send(Event::ProfileDeletion(profile.clone()));
        }
    };
    // A script reads the list before it is refused; a person reads it in the question.
    let ahead = args.output == OutputMode::Json;
    if ahead {
        begin();
    }
    if extent != Extent::Nothing && plan.as_ref().is_none_or(|plan| !plan.is_empty()) {
        tokio::select! {
            agreed = consent(&cx, args, extent, plan.as_ref(), profile.as_ref()) => agreed?,
            _ = session.cancel.cancelled() => return Err(session.interrupted()),
        }
    }
    if !ahead {
        begin();
    }
    let report: Report = session.run(jobs, cx.journal.clone(), Some(args.timeout)).await;
    cx.stop_observing();
    if report.failure.is_none() && cx.settings.target.context.is_some() {
        // Credentials that are no longer needed; the next command copies them again.
        session.release(&cx).await;
        let _ = std::fs::remove_file(session.paths.kubeconfig());
    }
    if report.failure.is_none() && matches!(extent, Extent::Nothing | Extent::Profile) {
        // What is left of the profile here is history; the lock file stays, it is being held.
        cx.journal.borrow().remove()?;
        let _ = std::fs::remove_file(session.paths.kubeconfig());
    }
    Ok(Ended { report, next: None })
}

/// Look at what is there and whose it is.
async fn extent(cx: &Cx, args: &Down) -> Result<Extent> {
    if cx.settings.target.context.is_some() {
        super::connected(cx).await?;
        cx.machine_is(Machine::Api);
        ownership::settle(cx).await?;
        return Ok(if args.keep_data { Extent::ResourcesButData } else { Extent::Resources });
    }
    let listed = cx.minikube.listed().await?;
    let owner = profile_owner::of(cx, &listed);
    match listed {
        Listed::Absent => return Ok(Extent::Nothing),
        // A start that was refused or killed; nothing runs in it.
        Listed::Broken if owner.is_ours() => return Ok(Extent::Profile),
        Listed::Broken => return Ok(Extent::Nothing),
        Listed::Valid(_) => {}
    }
    let only_resources = args.keep_cluster || args.keep_data;
    // It fails without an engine: nothing can be removed then, whatever was asked for.
    match connection::connect(cx).await? {
        Ok(()) => {
            cx.machine_is(Machine::Api);
            ownership::settle(cx).await?;
        }
        Err(why) if only_resources => {
            let target = &cx.settings.target;
            return Err(Box::new(
                Failure::new(
                    super::kubectl::NO_CLUSTER,
                    Kind::Prerequisite,
                    "the cluster cannot be inspected",
                )
                .because(why)
                .hint(format!("start it, then try again: {}", target.minikube("start")))
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
                    let adopt = cx.settings.target.again().arg("--adopt");
                    return Err(Box::new(refusals::unproven(&cx.settings.target, &adopt)));
                }
                Owner::Foreign(_) => return Err(Box::new(down_profile::not_ours(cx, false))),
            }
            cx.profile_is_ours.set(true);
        }
    }
    if !cx.profile_is_ours.get() && !only_resources && !down_profile::anything_of_ours(cx).await? {
        return Err(Box::new(down_profile::not_ours(cx, true)));
    }
    Ok(match (cx.profile_is_ours.get(), args.keep_cluster, args.keep_data) {
        (_, _, true) => Extent::ResourcesButData,
        (true, false, false) => Extent::Profile,
        (ours, ..) => {
            if !ours && !args.keep_cluster {
                let message = format!("the profile {} is kept: kstrim did not create it", cx.profile());
                cx.emit.warn(message);
            }
            Extent::Resources
        }
    })
}

/// Another Kafka of kstrim's, besides the one to be deleted, would lose its operator.
async fn refuse_other_kafkas(cx: &Cx) -> Result<()> {
    let base = format!("/apis/kafka.strimzi.io/{}/namespaces/{}", cx.api_version().as_str(), cx.namespace());
    let found = teardown::items(cx, &format!("{base}/kafkas")).await?;
    let other = found.iter().find(|k| teardown::name(k) != cx.cluster() || !cx.owns(k));
    let Some(name) = other.map(teardown::name) else { return Ok(()) };
    let target = &cx.settings.target;
    let failure = Failure::new(
        refusals::KAFKA,
        Kind::Foreign,
        format!(
            "nothing was deleted: the Kafka cluster {name} in namespace {} is not the one that kstrim \
             created",
            cx.namespace()
        ),
    )
    .because("it would be left without an operator");
    Err(Box::new(failure.hint(format!(
        "if it is not needed, delete it first: {}",
        target.kubectl("delete kafkas.kafka.strimzi.io").arg(name).arg("-n").arg(cx.namespace())
    ))))
}

/// What is deleted with the profile, if it may be deleted.
async fn profile_deletion(cx: &Cx, args: &Down) -> Result<ProfileDeletion> {
    // `minikube delete` on another engine forgets the profile and leaves its machine running.
    lost_machine::refuse_other_engine(cx, &cx.settings.target.again()).await?;
    let found = down_profile::look(cx, *cx.machine.borrow() == Machine::Api).await?;
    // A person sees it in the question; a script has to pass the flag.
    let asked = !args.yes && super::consent::can_ask();
    down_profile::refuse_others(&cx.settings.target, &found, args.delete_others || asked)?;
    Ok(found)
}

/// Ask a person, or see that a script agreed.
async fn consent(
    cx: &Cx,
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
    let hint = format!("to agree: {}", cx.settings.target.again().arg("--yes"));
    super::consent::ask(&question, "nothing was deleted", &hint).await
}

/// What is deleted, from where, and what is kept.
fn question(cx: &Cx, extent: Extent, plan: &Plan) -> String {
    let server = plan.deletion.server.as_deref().unwrap_or("an unknown server");
    let place = match &cx.settings.target.context {
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
