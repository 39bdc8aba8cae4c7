//! Determines who owns a minikube profile from what can be read while nothing is running: the id that kstrim passes
//! to `minikube start` and the machine's key ([`crate::tool::machine`]), compared with the journal. A cluster that
//! responds adds its own identity (the uid of `kube-system`) and kstrim's marker in it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::session::Session;
use crate::cluster::journal::{JournalFile, Made, On, ProfileState};
use crate::failure::Result;
use crate::tool::engine::Answer;
use crate::tool::machine::{self, OnDisk};
use crate::tool::minikube::{self, Minikube};
use crate::tool::minikube_output::Listed;

/// How often the files of a profile that is being created are checked.
const LOOK: Duration = Duration::from_millis(200);

/// Who owns the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// kstrim: it is the one that kstrim created.
    Ours,
    /// Nothing was created: at most a directory without a configuration, left by a start of kstrim's.
    Empty,
    /// Somebody else: it is not the one that kstrim created.
    Foreign(Other),
    /// The journal says that kstrim created one of this name, but nothing proves that it is this one.
    Unproven(Doubt),
}

/// What shows that it is a different one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Other {
    /// kstrim never created one of this name.
    NotMade,
    /// It was created later, under the same name.
    Recreated,
    /// It contains a different cluster.
    DifferentCluster,
    /// kstrim's own start created no machine; somebody's later start did, and it contains other people's objects.
    InUse,
}

/// Why nothing proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The journal was written by a kstrim that recorded no identity.
    OldJournal,
    /// Its configuration comes from kstrim's start; its machine appeared while kstrim was not watching.
    MachineUnseen,
    /// minikube lists it, but its files are not where they are expected.
    NoFiles,
}

impl Owner {
    /// Whether kstrim may treat it as its own.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Owner::Ours | Owner::Empty)
    }

    /// Whether `up` may continue with it: this includes a start of kstrim's whose machine was created while kstrim
    /// was not watching, since continuing deletes nothing, and the cluster proves its identity once it runs.
    pub(crate) fn may_continue(self) -> bool {
        self.is_ours() || self == Owner::Unproven(Doubt::MachineUnseen)
    }
}

/// What a cluster that responds reports about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Online<'a> {
    /// uid of its namespace `kube-system`.
    pub uid: Option<&'a str>,
    /// Whether it has kstrim's marker for this profile.
    pub marked: bool,
    /// Whether there is anything in it that Kubernetes itself did not create.
    pub inhabited: bool,
}

/// Whether the ids agree; `None` where one of them is missing.
fn same_token(made: &Made, disk: &OnDisk) -> Option<bool> {
    Some(made.token.as_ref()? == disk.token.as_ref()?)
}

/// Decide while nothing is running.
pub(crate) fn offline(journal: &ProfileState, disk: &OnDisk) -> Owner {
    if !journal.profile_is_ours && journal.made.is_none() {
        return Owner::Foreign(Other::NotMade);
    }
    if !disk.configured && disk.key.is_none() {
        return Owner::Empty;
    }
    let Some(made) = &journal.made else { return Owner::Unproven(Doubt::OldJournal) };
    let token = same_token(made, disk);
    match (&made.machine, &disk.key) {
        (Some(made), Some(found)) if made == found && token != Some(false) => Owner::Ours,
        (Some(_), Some(_)) => Owner::Foreign(Other::Recreated),
        (_, None) if token == Some(true) => Owner::Ours,
        // Without an address, no machine of it ever ran.
        (None, Some(_)) if token == Some(true) && !disk.addressed => Owner::Ours,
        (None, Some(_)) if token == Some(true) => Owner::Unproven(Doubt::MachineUnseen),
        _ => Owner::Foreign(Other::Recreated),
    }
}

/// The same for a profile given what minikube reports: one that it lists is never empty.
pub(crate) fn listed(journal: &ProfileState, disk: &OnDisk, listed: &Listed) -> Owner {
    match (offline(journal, disk), listed) {
        (Owner::Empty, Listed::Valid(_)) => Owner::Unproven(Doubt::NoFiles),
        (owner, _) => owner,
    }
}

/// Decide for a profile whose cluster responds.
pub(crate) fn online(journal: &ProfileState, disk: &OnDisk, seen: Online) -> Owner {
    if seen.marked {
        return Owner::Ours;
    }
    let same = journal.cluster_uid.as_deref().map(|known| Some(known) == seen.uid);
    match (offline(journal, disk), same) {
        (Owner::Foreign(Other::NotMade), _) => Owner::Foreign(Other::NotMade),
        // Nobody can choose a cluster's uid: whatever happened to the files, this is the right cluster.
        (_, Some(true)) => Owner::Ours,
        (Owner::Foreign(other), _) => Owner::Foreign(other),
        (_, Some(false)) => Owner::Foreign(Other::DifferentCluster),
        (Owner::Ours, None) => Owner::Ours,
        (Owner::Empty | Owner::Unproven(_), None) if !seen.inhabited => Owner::Ours,
        (Owner::Empty | Owner::Unproven(_), None) => Owner::Foreign(Other::InUse),
    }
}

/// Decide for this run's profile while nothing is running; `found` is what minikube lists.
pub(crate) fn of(cx: &Session, found: &Listed) -> Owner {
    listed(&cx.journal.borrow().state, &cx.minikube.on_disk(), found)
}

/// Whether this run's profile is one that kstrim created and that is not empty.
pub(crate) fn is_made(cx: &Session) -> bool {
    offline(&cx.journal.borrow().state, &cx.minikube.on_disk()) == Owner::Ours
}

/// Record the intent to create the profile, on disk before the first command. Returns the id for `minikube start`.
pub(crate) fn intend(cx: &Session, given: Option<String>) -> Result<Option<String>> {
    let fresh = given.is_none().then(|| uuid::Uuid::new_v4().to_string());
    let mut journal = cx.journal.borrow_mut();
    journal.state.profile_is_ours = false;
    journal.state.never_whole = true;
    journal.state.cluster_uid = None;
    let token = fresh.clone().or(given);
    journal.state.made = Some(Made { begun: Timestamp::now(), token, machine: None, engine: None });
    journal.save()?;
    cx.ownership.profile_is_ours.set(true);
    Ok(fresh)
}

/// Read what identifies a profile from its files while a start of kstrim's is creating it, or has just created it.
/// Returns whether there is anything new.
fn take(journal: &mut ProfileState, disk: &OnDisk) -> bool {
    let Some(made) = &mut journal.made else { return false };
    if same_token(made, disk) != Some(true) {
        return false;
    }
    let (ours, machine) = (journal.profile_is_ours, made.machine.is_some());
    journal.profile_is_ours = true;
    if made.machine.is_none() {
        made.machine.clone_from(&disk.key);
    }
    !ours || made.machine.is_some() != machine
}

/// The same, and record it in the journal.
pub(crate) fn note(minikube: &Minikube, journal: &RefCell<JournalFile>) -> Result<()> {
    let disk = minikube.on_disk();
    let mut journal = journal.borrow_mut();
    if take(&mut journal.state, &disk) { journal.save() } else { Ok(()) }
}

/// Record the identity of the profile as soon as it has one, while its start `runs`.
pub(crate) async fn follow(
    minikube: Rc<Minikube>,
    journal: Rc<RefCell<JournalFile>>,
    runs: impl Fn() -> bool,
) {
    while runs() {
        // If the journal cannot be written, the next writer reports the error.
        let _ = note(&minikube, &journal);
        let known = journal.borrow().state.made.as_ref().is_none_or(|m| m.machine.is_some());
        if known {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let _ = complete(&minikube, &journal).await;
}

/// Record the engine of our profile if its machine is known but its engine is not.
pub(crate) async fn complete(minikube: &Minikube, journal: &RefCell<JournalFile>) -> Result<()> {
    let wanting =
        |j: &ProfileState| j.made.as_ref().is_some_and(|m| m.machine.is_some() && m.engine.is_none());
    if !wanting(&journal.borrow().state) {
        return Ok(());
    }
    let engine = engine(minikube, &minikube.on_disk().driver).await;
    let mut journal = journal.borrow_mut();
    match (&mut journal.state.made, engine) {
        (Some(made), Some(engine)) if made.engine.is_none() => made.engine = Some(engine),
        _ => return Ok(()),
    }
    journal.save()
}

/// Record the identity of a profile that its running cluster has proved to be ours: one from an older journal, or
/// one whose journal was lost.
pub(crate) fn recognised(journal: &mut ProfileState, disk: &OnDisk) {
    let known = |made: &Made| made.machine == disk.key && same_token(made, disk) != Some(false);
    if disk.key.is_none() && disk.token.is_none() || journal.made.as_ref().is_some_and(known) {
        return;
    }
    let (token, machine) = (disk.token.clone(), disk.key.clone());
    journal.made = Some(Made { begun: Timestamp::now(), token, machine, engine: None });
}

/// After a run that has `started` the profile: record what its start created, and remove the intent if it
/// created nothing.
pub(crate) fn after(cx: &Session, started: bool) -> Result<()> {
    if cx.target.context.is_some() || !started {
        return Ok(());
    }
    note(&cx.minikube, &cx.journal)?;
    let disk = cx.minikube.on_disk();
    let mut journal = cx.journal.borrow_mut();
    if journal.state.profile_is_ours || disk.configured || disk.key.is_some() || disk.folder {
        return Ok(());
    }
    forget(&mut journal.state);
    journal.save()
}

/// Whether the profile of a journal exists on this machine, and nothing shows that somebody has created it again.
pub(crate) fn is_still_there(journal: &ProfileState) -> bool {
    let disk = machine::read(&minikube::home(), &journal.profile);
    let recreated = journal.made.as_ref().is_some_and(|made| same_token(made, &disk) == Some(false));
    disk.configured && !recreated
}

/// There is no profile: whatever the journal recorded about one is obsolete.
pub(crate) fn forget(journal: &mut ProfileState) {
    journal.cluster_uid = None;
    journal.profile_is_ours = false;
    journal.made = None;
    journal.never_whole = false;
    journal.start_unfinished = false;
    journal.suspended = None;
    journal.node_started = None;
    journal.restoring = None;
    journal.image_cache = None;
    journal.clusters.clear();
}

/// The container engine that a driver currently uses; `None` if there is none, or it does not respond.
pub(crate) async fn engine(minikube: &Minikube, driver: &str) -> Option<On> {
    let engine = minikube.engine(driver)?;
    let Answer::Up(info) = engine.info().await else { return None };
    let address = engine.address().await;
    let known = !info.id.is_empty();
    known.then(|| On { driver: driver.to_owned(), id: info.id, context: address.context, host: address.host })
}

#[cfg(test)]
#[path = "profile_owner_tests.rs"]
mod tests;
