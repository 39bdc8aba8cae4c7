//! Whether this machine is suitable, and whether the live cluster allows what was requested. Reads only: everything
//! that has to be refused is refused before anything is changed.

use std::cell::OnceCell;

use super::context::Context;
use super::{check_files, class_data, programs, sources};
use crate::checks::{self, Ground, Group};
use crate::cluster::installation;
use crate::cluster::{operators, ownership, profile_owner, suspension};
use crate::engine::task::{Doneness, Task};
use crate::failure::Result;
use crate::quickstart::context::Reached;
use crate::tool::minikube_output::Listed;
use async_trait::async_trait;

/// The task.
#[derive(Default)]
pub(crate) struct Preflight {
    passed: OnceCell<String>,
    /// What a run that only reads (`plan`) does not install.
    wanting: OnceCell<String>,
    /// Whether the run installs no Strimzi.
    without_install: bool,
}

impl Preflight {
    /// For a run that installs no Strimzi: no install manifest is fetched.
    pub(crate) fn without_install() -> Self {
        Self { without_install: true, ..Self::default() }
    }
}

#[async_trait(?Send)]
impl Task<Context> for Preflight {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        Ok(match (self.passed.get(), self.wanting.get()) {
            (Some(what), _) => Doneness::Done(what.clone()),
            (None, Some(what)) => Doneness::Pending(what.clone()),
            (None, None) => Doneness::Pending("checking this machine".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        cx.journal.borrow().refuse_newer()?;
        let ground = Ground::of(cx, &cx.settings);
        // Without our kubeconfig, there is no cluster of ours to query.
        let ask = cx.journal.borrow().state.cluster_uid.is_some();
        let found = programs::check(cx, ask).await?;
        ground.programs_say(&found.minikube, &found.kubectl, &found.listed);
        let (listed, api) = (found.listed.clone(), &found.api);
        refuse(cx, &ground, &[Group::Tools, Group::Disk, Group::Network]).await?;
        let owner = profile_owner::of(cx, &listed);
        cx.ownership.profile_is_ours.set(owner.may_continue());
        if let Listed::Valid(_) = &listed {
            suspension::refuse_unfinished_restore(cx)?;
            if matches!(api, Some(Ok(()))) {
                let (settled, live) =
                    tokio::join!(ownership::determine(cx, cx.starting()), operators::all(cx));
                settled?;
                cx.machine_is(Reached::Api);
                let mut live = live.map_err(|e| cx.api_failure("read the operator", &e))?;
                if operators::find_existing(cx, &live).await?.is_some() {
                    // It is used; kstrim does not install another one.
                    live.clear();
                }
                live.retain(installation::by_kstrim);
                let _ = ground.operators.set(live);
            }
            if !cx.ownership.profile_is_ours.get() && !cx.settings.adopt {
                marked(cx, api.is_some()).await?;
            }
            ground.ours.set(Some(cx.ownership.profile_is_ours.get()));
            refuse(cx, &ground, &[Group::Profile]).await?;
        } else {
            profile_owner::forget(&mut cx.journal.borrow_mut().state);
            cx.ownership.profile_is_ours.set(false);
        }
        refuse(cx, &ground, &[Group::Versions]).await?;
        let choice = ground.resolved().await?;
        for warning in choice.warnings {
            cx.emit.warn(warning);
        }
        let _ = cx.machine.kubernetes.set(choice.kubernetes);
        let _ = cx.machine.minikube.set(found.minikube.clone());
        let _ = cx.machine.listed.set(listed);
        cx.class_data.set(class_data::is_expected(cx, ground.operators.get().map_or(&[], Vec::as_slice)));
        // Fetched while minikube starts; the first task that needs it waits for it. A file that the user specified is
        // read at once, so that its problems are reported before anything is created.
        let installs = !self.without_install && cx.existing_operator().is_none();
        if installs {
            sources::prefetch(cx);
        }
        let file = cx.settings.manifests.as_ref().is_some_and(|from| !from.contains("://"));
        if installs && (file || cx.settings.bundle.is_some()) {
            sources::install(cx).await?;
        }
        check_files::check(cx, matches!(api, Some(Ok(())))).await?;
        if found.wanting.is_empty() {
            if !cx.ownership.read_only.get() {
                found.remember(cx);
            }
            let _ = self.passed.set(found.text());
        } else {
            let _ = self.wanting.set(format!("obtains {}", found.wanting.join(" and ")));
        }
        Ok(())
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![format!(
            "{} version; {} version --client",
            cx.minikube.program().display(),
            cx.kubectl.program().display()
        )])
    }
}

/// Run those checks of these groups that can refuse; report their warnings.
async fn refuse(cx: &Context, ground: &Ground, groups: &[Group]) -> Result<()> {
    for group in groups {
        checks::refuse(ground, *group, |warning| {
            let hint = warning.hints.first().map(|hint| format!(": {hint}")).unwrap_or_default();
            cx.emit.warn(format!("{warning}{hint}"));
        })
        .await?;
    }
    Ok(())
}

/// A profile without our journal may still contain our marker: check its cluster, if that is running.
async fn marked(cx: &Context, asked: bool) -> Result<()> {
    if asked || crate::cluster::connection::connect(cx, cx.starting()).await?.is_err() {
        return Ok(());
    }
    cx.machine_is(Reached::Api);
    ownership::determine(cx, cx.starting()).await
}
