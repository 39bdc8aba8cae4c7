//! The fixes of `--fix`: only for what kstrim created, or without any loss. Each is printed before it is applied.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Value, json};

use super::data::{Check, Word};
use super::live::Live;
use crate::checks::Ground;
use crate::cluster::api_server;
use crate::cluster::change;
use crate::cluster::connection;
use crate::cluster::installation::{Consent, Installation, Owned};
use crate::cluster::inventory::{Class, Inventory};
use crate::cluster::journal::JournalFile;
use crate::cluster::lease::{Lease, Refused};
use crate::cluster::{image_cache, lost_machine, ownership, profile_owner, suspension};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::cluster::OPERATOR;
use crate::kube::kind::Version;
use crate::kube::kubectl::{FIELD_MANAGER, Kubectl};
use crate::kube::strimzi::PAUSE;
use crate::kube::{ApiError, ApiErrorKind, Kind as Observed};
use crate::tool::minikube::{Minikube, StartOptions};
use crate::tool::minikube_output::{Listed, State};

/// A possible fix.
pub(crate) struct Planned {
    /// The check that it belongs to.
    pub check: &'static str,
    /// What it does, in messages.
    pub what: String,
    /// Whether it changes the profile or its contents.
    pub changes_cluster: bool,
    act: Act,
    /// The name of the profile, or the name derived from a context.
    profile: String,
}

enum Act {
    /// Restore the user's permissions on a directory of kstrim's.
    Permit(PathBuf),
    /// Move an unreadable journal aside.
    MoveAway(PathBuf),
    /// Write the profile's context into kstrim's kubeconfig.
    Context(Rc<Minikube>),
    /// Delete a profile in which nothing ever ran, if that is still true and its journal still records that kstrim
    /// created it.
    Delete(Rc<Minikube>, PathBuf, String),
    /// Start it.
    Start(Rc<Minikube>, StartOptions, String),
    /// Restart the operator's pods of a namespace, which frees its lock.
    Restart(Rc<Kubectl>, String, Vec<String>),
    /// Remove kstrim's own annotation from a Kafka resource of a namespace.
    Unpause(Rc<Kubectl>, String, String),
}

/// The possible fixes for these results, in the order in which to apply them.
pub(crate) async fn plan(ground: &Ground, live: &Live<'_>, checks: &[Check]) -> Vec<Planned> {
    let mut all = Vec::new();
    let problem = |id: &str| {
        let wrong = |c: &&Check| c.id == id && matches!(c.verdict, Word::Failed | Word::Warning);
        checks.iter().find(wrong).and_then(|c| c.problem.as_ref()).map(|p| p.id.as_str())
    };
    let mut add = |check, what: String, changes_cluster, act| {
        let profile = ground.profile_name().to_owned();
        all.push(Planned { check, what, changes_cluster, act, profile });
    };
    for (check, folder, id) in [
        ("disk.state", &ground.state_dir, errors::STATE_UNWRITABLE),
        ("disk.cache", &ground.cache_dir, errors::DOWNLOAD_CACHE),
    ] {
        if problem(check) == Some(id.as_str()) && not_writable_by_owner(folder) {
            let what = format!("make the directory {} writable for you", folder.display());
            add(check, what, false, Act::Permit(folder.clone()));
        }
    }
    if problem("profile.journal") == Some(errors::JOURNAL_CORRUPT.as_str()) {
        let journal = ground.paths().journal();
        let what = format!("rename {}; a marker in the cluster shows who created it", journal.display());
        add("profile.journal", what, false, Act::MoveAway(journal));
    }
    if let Ok(minikube) = &ground.minikube {
        profile_fixes(ground, minikube, problem("profile.state"), &mut add).await;
        if problem("cluster.context").is_some() {
            let what = "write the profile's context to kstrim's own kubeconfig".to_owned();
            add("cluster.context", what, false, Act::Context(minikube.clone()));
        }
    }
    if let Some((kubectl, status, snapshot)) = live.cluster_now() {
        let target = &ground.settings.target;
        let namespace = target.namespace.to_string();
        let ours = status.operator.as_ref().is_some_and(|o| o.ours);
        if problem("kafka.ready") == Some(errors::OPERATOR_LOCK.as_str()) && ours {
            let pods = snapshot.pods(&namespace).filter(|p| p.is_operator() && !p.0.deleting());
            let pods: Vec<String> = pods.map(|p| p.0.name().to_owned()).collect();
            let what = format!("restart the operator {OPERATOR}, which frees its lock on the Kafka cluster");
            add("kafka.ready", what, true, Act::Restart(kubectl.clone(), namespace.clone(), pods));
        }
        let kafka = snapshot.kafka(&namespace, target.cluster.as_str());
        if problem("kafka.ready") == Some(errors::KAFKA_PAUSED.as_str())
            && kafka.is_some_and(|k| paused_by_us(k.0.json()))
        {
            let what = format!("resume the reconciliation of the Kafka cluster {}", target.cluster);
            let name = target.cluster.to_string();
            add("kafka.ready", what, true, Act::Unpause(kubectl.clone(), namespace, name));
        }
    }
    all
}

/// The possible fixes for the profile, if it belongs to kstrim.
async fn profile_fixes(
    ground: &Ground,
    minikube: &Rc<Minikube>,
    problem: Option<&str>,
    add: &mut impl FnMut(&'static str, String, bool, Act),
) {
    let Some(problem) = problem.filter(|_| ground.ours.get() == Some(true)) else { return };
    let name = ground.profile_name();
    let never_ran = ground.listed().await.is_ok_and(|listed| never_ran(&listed));
    let options = StartOptions { extra: ground.settings.minikube_args.clone(), ..StartOptions::default() };
    let check = "profile.state";
    match problem {
        p if p == errors::PROFILE_HALF_MADE.as_str() && never_ran => {
            let what = format!("delete the partly created profile {name}, in which nothing ever ran");
            let journal = ground.paths().journal();
            add(check, what, true, Act::Delete(minikube.clone(), journal, name.to_owned()));
        }
        p if [errors::PROFILE_STOPPED, errors::PROFILE_PAUSED, errors::PROFILE_PARTIAL]
            .iter()
            .any(|id| id.as_str() == p) =>
        {
            let lost = p == errors::PROFILE_PARTIAL.as_str()
                && api_server::is_manifest_missing(minikube).await.unwrap_or(false);
            let first = if lost { "restore the file that starts its API server, and " } else { "" };
            let what = format!("{first}start the profile {name}");
            add(check, what, true, Act::Start(minikube.clone(), options, name.to_owned()));
        }
        _ => {}
    }
}

/// Whether nothing ever ran in a profile.
fn never_ran(listed: &Listed) -> bool {
    match listed {
        Listed::Broken => true,
        Listed::Valid(profile) => !profile.addressed,
        Listed::Absent => false,
    }
}

/// Whether this user owns a directory but may not write to it.
fn not_writable_by_owner(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).is_ok_and(|meta| {
        meta.is_dir()
            && meta.uid() == rustix::process::geteuid().as_raw()
            && meta.permissions().mode() & 0o300 != 0o300
    })
}

/// Whether kstrim set the annotation that pauses reconciliation.
fn paused_by_us(kafka: &Value) -> bool {
    let fields = kafka.pointer("/metadata/managedFields").and_then(Value::as_array);
    let setters: Vec<&str> = fields
        .into_iter()
        .flatten()
        .filter(|f| !f["fieldsV1"]["f:metadata"]["f:annotations"][format!("f:{PAUSE}")].is_null())
        .filter_map(|f| f["manager"].as_str())
        .collect();
    setters == [FIELD_MANAGER]
}

impl Planned {
    /// Apply it.
    pub(crate) async fn run(&self) -> Result<()> {
        let vain = |message: String, cause: String| {
            Box::new(Failure::new(errors::FIX_IN_VAIN, Kind::Task, message).because(cause))
        };
        let unwritable = |path: &Path, e: std::io::Error| {
            vain(format!("{} is not changed", path.display()), e.to_string())
        };
        match &self.act {
            Act::Permit(folder) => {
                let set = || {
                    let mode = fs::metadata(folder)?.permissions().mode();
                    fs::set_permissions(folder, Permissions::from_mode(mode | 0o700))
                };
                set().map_err(|e| unwritable(folder, e))
            }
            Act::MoveAway(file) => {
                fs::rename(file, file.with_extension("json.bad")).map_err(|e| unwritable(file, e))
            }
            Act::Context(minikube) => {
                let output = minikube.run_cmd(&minikube.update_context_cmd()).await?;
                if output.exit.success() {
                    return Ok(());
                }
                Err(vain("the context was not written".into(), output.last_stderr_line().to_owned()))
            }
            Act::Delete(minikube, journal, profile) => {
                // The lock is acquired only now: another command may have completed the profile in the meantime.
                let (listed, disk) = (minikube.listed().await?, minikube.on_disk());
                let journal = JournalFile::open(journal, profile)?.state;
                let ours = profile_owner::listed(&journal, &disk, &listed).is_ours();
                if !ours || !never_ran(&listed) || disk.addressed {
                    let cause = "another command has continued with it in the meantime".to_owned();
                    return Err(vain(
                        format!("the profile {profile} is no longer only partly created"),
                        cause,
                    ));
                }
                if let Some((made, now)) = lost_machine::engines(minikube, &journal).await {
                    let cause = format!(
                        "it was created on {}, but {} responds now",
                        lost_machine::named(&made),
                        lost_machine::named(&now)
                    );
                    return Err(vain(format!("the profile {profile} was not deleted"), cause));
                }
                let output = image_cache::delete_profile(minikube, &journal).await?;
                // Its exit code says nothing about what remains.
                match minikube.listed().await? {
                    Listed::Absent => Ok(()),
                    _ => Err(vain("the profile still exists".into(), output.last_stderr_line().to_owned())),
                }
            }
            Act::Start(minikube, options, profile) => {
                if minikube.status().await? == State::Paused {
                    return suspension::unpause(minikube, profile).await;
                }
                if api_server::is_manifest_missing(minikube).await? {
                    api_server::recreate_manifest(minikube, profile, true).await?;
                }
                let cmd = minikube.start_cmd(options);
                connection::read_events(minikube.start(&cmd).await?, &cmd, profile, |_| {}).await
            }
            Act::Restart(kubectl, namespace, pods) => {
                let deleted = self.exclusively(kubectl, namespace, restart(kubectl, namespace, pods)).await;
                deleted.map_err(|e| vain("the operator was not restarted".into(), e.message))
            }
            Act::Unpause(kubectl, namespace, name) => {
                let patched = self.exclusively(kubectl, namespace, unpause(kubectl, namespace, name)).await;
                patched.map_err(|e| vain(format!("the Kafka cluster {name} is still paused"), e.message))
            }
        }
    }

    /// Prevent other commands from changing the namespace at the same time.
    async fn exclusively(
        &self,
        kubectl: &Rc<Kubectl>,
        namespace: &str,
        work: impl Future<Output = Result<(), ApiError>>,
    ) -> Result<(), ApiError> {
        // The profile's lock is held, so a Lease that an earlier command in this directory left is unused.
        let holder = ownership::holder(&self.profile, "doctor --fix");
        match Lease::take(kubectl.clone(), namespace, &holder, |_| {}, || {}).await {
            Ok(lease) => {
                let done = work.await;
                lease.release(kubectl).await;
                done
            }
            Err(Refused::Held { holder, .. }) => {
                let message = format!("another command is changing the namespace: {holder}");
                Err(ApiError::new(ApiErrorKind::Conflict, message))
            }
            Err(Refused::Api(error)) => Err(error),
        }
    }
}

/// Delete the operator's pods, if the installation's Deployment created them.
async fn restart(kubectl: &Rc<Kubectl>, namespace: &str, pods: &[String]) -> Result<(), ApiError> {
    let installation = Installation::find(kubectl, namespace, "").await?;
    let inventory = Inventory::of(kubectl, &installation, &BTreeSet::new()).await?;
    let known = inventory.uids();
    for pod in inventory.of_class(Class::Dependent).filter(|i| i.kind == "Pod") {
        let named = pods.iter().any(|name| name == pod.name());
        if let Some(owned) = installation.dependent(&pod.collection, &pod.object, &known).filter(|_| named) {
            change::delete(kubectl, &installation, &owned).await?;
        }
    }
    Ok(())
}

/// Remove kstrim's own annotation from a Kafka resource that still has it.
async fn unpause(kubectl: &Kubectl, namespace: &str, name: &str) -> Result<(), ApiError> {
    let installation = Installation::find(kubectl, namespace, "").await?;
    let group = kubectl.find(Version::GROUP).await?.unwrap_or_default();
    let collection = Observed::Kafka.path(Version::served(&group).unwrap_or_default(), Some(namespace));
    let Some(kafka) = kubectl.find(&format!("{collection}/{name}")).await? else { return Ok(()) };
    let owned = Owned::requested(&collection, &kafka, Consent::by_name());
    let patch = |now: &Value| paused_by_us(now).then(|| json!({"metadata": {"annotations": {PAUSE: null}}}));
    change::patch(kubectl, &installation, &owned, patch).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resources_that_kstrim_paused_are_resumed() {
        let kafka = |managers: &[&str]| {
            let fields: Vec<Value> = managers
                .iter()
                .map(|m| {
                    json!({"manager": m, "fieldsV1": {"f:metadata": {"f:annotations":
                        {"f:strimzi.io/pause-reconciliation": {}}}}})
                })
                .chain([json!({"manager": "else", "fieldsV1": {"f:spec": {}}})])
                .collect();
            json!({"metadata": {"managedFields": fields}})
        };
        assert!(paused_by_us(&kafka(&["kstrim"])));
        assert!(!paused_by_us(&kafka(&["kubectl-annotate"])));
        assert!(!paused_by_us(&kafka(&["kstrim", "kubectl-annotate"])));
        assert!(!paused_by_us(&kafka(&[])) && !paused_by_us(&json!({})));
    }

    #[test]
    fn a_directory_without_its_owners_permissions_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!not_writable_by_owner(folder.path()));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).expect("its own");
        assert!(not_writable_by_owner(folder.path()));
        assert!(!not_writable_by_owner(&folder.path().join("none")));
    }
}
