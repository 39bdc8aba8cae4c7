//! A profile whose machine no longer exists. minikube cannot start it again (recording 27), only delete it and create
//! another one; that loses the data in its volume, and if the container engine was switched, it would lose a machine
//! that is running on the other engine.

use super::image_cache;
use super::profile_owner::{self, Owner};
use super::refusals;
use super::session::Session;
use crate::cluster::journal::{On, ProfileState};
use crate::command_line::CommandLine;
use crate::errors;
use crate::exec::quote;
use crate::failure::{Failure, Kind, Result};
use crate::tool::minikube::Minikube;

/// What is known about a profile whose machine does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Who owns it.
    pub owner: Owner,
    /// The engine on which it was created and the one in use now, if both are known and differ.
    pub engines: Option<(On, On)>,
    /// Whether the profile ever had a machine, according to kstrim's journal or the profile's files.
    pub had_machine: bool,
    /// Whether the engine still has the machine's volume; `None`: there is no engine, or it did not respond.
    pub volume: Option<bool>,
    /// Whether the user agreed that it is deleted and re-created.
    pub agreed: bool,
}

/// What `up` does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Refuse: it was created by somebody else.
    Foreign,
    /// Refuse: the machine may be running on the other engine.
    OtherEngine,
    /// Ask for confirmation, or refuse: data would be lost.
    Ask,
    /// Delete it and create it again.
    Recreate,
}

/// Decide what to do.
pub(crate) fn decide(facts: &Facts) -> Plan {
    match facts.owner {
        // minikube lists it, so something exists: missing files prove nothing.
        Owner::Foreign(_) | Owner::Unproven(_) | Owner::Empty => Plan::Foreign,
        Owner::Ours if facts.agreed => Plan::Recreate,
        Owner::Ours if facts.engines.is_some() => Plan::OtherEngine,
        // A start that never created a machine: there is nothing to lose.
        Owner::Ours if !facts.had_machine => Plan::Recreate,
        Owner::Ours => Plan::Ask,
    }
}

/// Collect the facts; `agreed`: the user agreed that the profile is deleted.
pub(crate) async fn look(cx: &Session, agreed: bool) -> Facts {
    let disk = cx.minikube.on_disk();
    let made = cx.journal.borrow().state.made.clone();
    let worked = !cx.journal.borrow().state.never_whole;
    let had_machine = worked || disk.key.is_some() || made.as_ref().is_some_and(|m| m.machine.is_some());
    let engine = cx.minikube.engine(&disk.driver);
    let volume = match &engine {
        Some(engine) => engine.has_volume(cx.profile()).await,
        None => None,
    };
    let owner = profile_owner::offline(&cx.journal.borrow().state, &disk);
    let engines = engines_of(cx).await;
    Facts { owner, engines, had_machine, volume, agreed }
}

/// The engine on which the profile was created and the one that responds now, if both are known and differ.
pub(crate) async fn engines(minikube: &Minikube, journal: &ProfileState) -> Option<(On, On)> {
    let made = journal.made.as_ref()?.engine.clone()?;
    let now = profile_owner::engine(minikube, &made.driver).await?;
    (made.id != now.id).then_some((made, now))
}

/// The same for the profile of this session.
async fn engines_of(cx: &Session) -> Option<(On, On)> {
    let journal = cx.journal.borrow().state.clone();
    engines(&cx.minikube, &journal).await
}

/// Refuse to change the profile if the client is connected to another engine than the one with the profile's machine.
pub(crate) async fn refuse_other_engine(cx: &Session, again: &CommandLine) -> Result<()> {
    if !profile_owner::is_made(cx) {
        return Ok(());
    }
    match engines_of(cx).await {
        Some((made, now)) => Err(Box::new(other_engine(cx, &made, &now, again))),
        None => Ok(()),
    }
}

/// An engine, as named in messages.
pub(crate) fn named(engine: &On) -> String {
    let On { driver, id, context, host } = engine;
    match (context.is_empty(), host.is_empty()) {
        (true, true) => format!("{driver} {id}"),
        (false, true) => format!("{driver} {id} (context {context})"),
        (true, false) => format!("{driver} {id} ({host})"),
        (false, false) => format!("{driver} {id} (context {context}, {host})"),
    }
}

/// The failure; `again` is the command to run once the client is connected to the right engine again.
fn other_engine(cx: &Session, made: &On, now: &On, again: &CommandLine) -> Failure {
    let message = format!("the profile {} was created on another container engine", cx.profile());
    let mut failure = Failure::new(errors::ENGINE_CHANGED, Kind::Prerequisite, message)
        .because(format!("it was created on {}", named(made)))
        .because(format!(
            "{} responds now: DOCKER_HOST, the docker context or the engine has changed",
            named(now)
        ))
        .because("nothing was deleted: its machine and its data may be intact on the other engine");
    if !made.context.is_empty() && made.context != "default" && made.context != now.context {
        failure = failure.hint(format!("switch back: docker context use {}", quote(&made.context)));
    } else if !made.host.is_empty() && made.host != now.host {
        failure = failure.hint(format!("use that engine: DOCKER_HOST={} {again}", quote(&made.host)));
    }
    failure
}

/// What would be lost, for messages.
pub(crate) fn describe_loss(cx: &Session, facts: &Facts) -> String {
    let profile = cx.profile();
    match facts.volume {
        Some(true) => {
            format!(
                "the volume {profile} still exists; it holds all data of the profile and is deleted with it"
            )
        }
        Some(false) => "its volume does not exist either: none of its data is left".to_owned(),
        None => "any data that is left is deleted with it".to_owned(),
    }
}

/// Delete the profile so that it can be created again, if [`decide`] allows it.
pub(crate) async fn resolve(cx: &Session, agreed: bool) -> Result<()> {
    let facts = look(cx, agreed).await;
    match (decide(&facts), &facts.engines) {
        (Plan::Foreign, _) => Err(Box::new(
            Failure::new(
                errors::PROFILE_FOREIGN,
                Kind::Foreign,
                format!("the machine of profile {} does not exist", cx.profile()),
            )
            .because(
                "it was removed; minikube cannot start the profile again, only delete it and create a \
                 new one",
            )
            .because("nothing proves that kstrim created the profile, so kstrim does not delete it")
            .hint(format!("delete it yourself: {}", cx.target.minikube("delete"))),
        )),
        (Plan::OtherEngine, Some((made, now))) => {
            Err(Box::new(other_engine(cx, made, now, &refusals::up(cx)).hint(format!(
                "if that engine or its data no longer exists: {}",
                refusals::up(cx).arg("--recreate")
            ))))
        }
        (Plan::Ask | Plan::OtherEngine, _) => Err(Box::new(
            Failure::new(errors::PROFILE_GONE, Kind::Usage, format!("the machine of profile {} does not exist", cx.profile()))
                .because("it was removed; minikube cannot start the profile again, only delete it and create a new one")
                .because(describe_loss(cx, &facts))
                .hint(format!(
                    "delete the profile with its data and re-create it: {}",
                    refusals::up(cx).arg("--recreate")
                )),
        )),
        (Plan::Recreate, _) => {
            let message = format!("the machine of profile {} does not exist; it is re-created", cx.profile());
            cx.emit.warn(message);
            let journal = cx.journal.borrow().state.clone();
            image_cache::delete_profile(&cx.minikube, &journal).await.map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::profile_owner::{Doubt, Other};

    #[test]
    fn a_missing_machine_is_recreated_only_without_loss_or_with_consent() {
        let on = |id: &str| On {
            driver: "docker".into(),
            id: id.into(),
            context: String::new(),
            host: String::new(),
        };
        let two = Some((on("a"), on("b")));
        let foreign = Owner::Foreign(Other::Recreated);
        let unproven = Owner::Unproven(Doubt::OldJournal);
        for (owner, engines, had_machine, agreed, want) in [
            (Owner::Ours, None, true, false, Plan::Ask),
            (Owner::Ours, None, true, true, Plan::Recreate),
            (Owner::Ours, None, false, false, Plan::Recreate),
            (Owner::Empty, None, false, false, Plan::Foreign),
            (Owner::Ours, two.clone(), true, false, Plan::OtherEngine),
            (Owner::Ours, two.clone(), false, false, Plan::OtherEngine),
            (Owner::Ours, two.clone(), true, true, Plan::Recreate),
            (foreign, None, true, true, Plan::Foreign),
            (foreign, None, false, false, Plan::Foreign),
            (unproven, two, true, true, Plan::Foreign),
        ] {
            for volume in [None, Some(true), Some(false)] {
                let facts = Facts { owner, engines: engines.clone(), had_machine, volume, agreed };
                assert_eq!(decide(&facts), want, "{facts:?}");
            }
        }
    }

    #[test]
    fn an_engine_is_named_by_what_is_known_of_it() {
        let on = |context: &str, host: &str| On {
            driver: "docker".into(),
            id: "A:B".into(),
            context: context.into(),
            host: host.into(),
        };
        assert_eq!(named(&on("", "")), "docker A:B");
        assert_eq!(named(&on("default", "unix:///d.sock")), "docker A:B (context default, unix:///d.sock)");
    }
}
