//! Who created what. For objects in the cluster, the label `app.kubernetes.io/managed-by: kstrim` and the
//! installation's id show it; for the profile, the journal, compared with the identity of the cluster, and a marker
//! in the cluster that is still there if the journal is lost.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::change::Deleted;
use super::profile_owner::{self, Online};
use super::session::Session;
use super::{first_start, refusals};
use crate::cluster::installation::{Consent, Installation, Owned};
use crate::cluster::lease::{self, Holder, Lease};
use crate::cluster::{adopt, change};
use crate::errors;
use crate::exec::cancel::Reason;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka;
use crate::kube::kubectl::Kubectl;
use crate::kube::{self, ApiError, Kind as ObservedKind};
use crate::manifest::Object;
use crate::manifest::label::{DIGEST, KSTRIM, MANAGED_BY, RELEASE};
use crate::tool::machine::OnDisk;

/// Path of the marker that kstrim creates in a cluster that it created.
pub(crate) const MARKER: &str = "/api/v1/namespaces/kube-system/configmaps/kstrim";

/// An annotation that kstrim wrote.
fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

/// The digest of what kstrim applied.
pub(crate) fn digest(object: &Value) -> Option<&str> {
    annotation(object, DIGEST)
}

/// The release from which kstrim applied it.
pub(crate) fn release(object: &Value) -> Option<&str> {
    annotation(object, RELEASE)
}

/// Key of the marker: the id that kstrim passed to the start that created the profile.
const START: &str = "start";

/// Whether the marker says that kstrim created `profile`, given its files.
pub(crate) fn marker_matches(marker: &Value, profile: &str, disk: &OnDisk) -> bool {
    let data = |key: &str| marker.pointer("/data").and_then(|d| d.get(key)).and_then(Value::as_str);
    // The marker of an older kstrim has no start id, and not every profile has one.
    let another = matches!((data(START), &disk.token), (Some(start), Some(token)) if start != token);
    data("profile") == Some(profile) && !another
}

/// Determine who owns the profile of a running cluster, and create the marker in one of ours. `starting`: a `minikube
/// start` of this run is running.
pub(crate) async fn determine(cx: &Session, starting: bool) -> Result<()> {
    let (system, marker) =
        tokio::join!(cx.kubectl.find("/api/v1/namespaces/kube-system"), cx.kubectl.find(MARKER));
    let uid = system
        .map_err(|e| cx.api_failure("read the cluster's identity", &e))?
        .and_then(|ns| ns.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned));
    let marked = marker.map_err(|e| cx.api_failure("read kstrim's marker", &e))?;
    // Another person's cluster never becomes kstrim's, and gets no marker.
    let theirs = cx.target.context.is_some();
    let disk = cx.minikube.on_disk();
    let marked = !theirs && marked.is_some_and(|m| marker_matches(&m, cx.profile(), &disk));
    let ours = !theirs && {
        let seen = |inhabited| Online { uid: uid.as_deref(), marked, inhabited };
        let judge = |inhabited| profile_owner::online(&cx.journal.borrow().state, &disk, seen(inhabited));
        // Checked only if it makes a difference.
        judge(true).is_ours() || judge(false).is_ours() && !first_start::is_inhabited(cx).await?
    };
    cx.ownership.profile_is_ours.set(ours);
    if cx.ownership.read_only.get() {
        return Ok(());
    }
    if ours && !marked {
        let marker = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kstrim", "namespace": "kube-system", "labels": {MANAGED_BY: KSTRIM}},
            "data": {"profile": cx.profile(), "made-by": format!("kstrim {}", env!("CARGO_PKG_VERSION")),
                START: disk.token},
        });
        cx.kubectl
            .apply(&marker.to_string(), true)
            .await
            .map_err(|e| cx.api_failure("write kstrim's marker", &e))?;
    }
    {
        let mut journal = cx.journal.borrow_mut();
        let made = journal.state.made.clone();
        if ours {
            profile_owner::recognised(&mut journal.state, &disk);
        } else if journal.state.made.take().is_some() {
            // What the journal says about kstrim's own start does not apply to this profile.
            journal.state.never_whole = false;
            journal.state.start_unfinished = starting;
        }
        let known = journal.state.profile_is_ours == ours && journal.state.cluster_uid == uid;
        if !known || journal.state.made != made {
            journal.state.profile_is_ours = ours;
            journal.state.cluster_uid = uid;
            journal.save()?;
        }
    }
    profile_owner::complete(&cx.minikube, &cx.journal).await
}

/// The installation in the run's namespace, looked up once per run.
pub(crate) async fn installation(cx: &Session) -> Result<Installation> {
    let _looking = cx.ownership.looking.lock().await;
    if let Some(known) = &*cx.ownership.installation.borrow() {
        return Ok(known.clone());
    }
    let recorded = cx.journal.borrow().state.installations.get(cx.namespace()).cloned();
    let proposed = recorded.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let found = Installation::find(&cx.kubectl, cx.namespace(), &proposed).await;
    let found = found.map_err(|e| cx.api_failure("look up kstrim's installation", &e))?;
    *cx.ownership.installation.borrow_mut() = Some(found.clone());
    Ok(found)
}

/// The same for a run that will create something: the id is on disk before any object has it, so that after a run
/// was killed the next one continues as the same installation.
pub(crate) async fn installation_to_create(cx: &Session) -> Result<Installation> {
    let found = installation(cx).await?;
    if !cx.ownership.read_only.get() {
        let mut journal = cx.journal.borrow_mut();
        let known = &mut journal.state.installations;
        if known.get(cx.namespace()).map(String::as_str) != Some(found.id()) {
            known.insert(cx.namespace().to_owned(), found.id().to_owned());
            journal.save()?;
        }
    }
    Ok(found)
}

/// The same after somebody else created the namespace, while kstrim waited until an earlier one of that name was
/// deleted.
pub(crate) async fn installation_again(cx: &Session) -> Result<Installation> {
    let before = installation(cx).await?;
    {
        let _looking = cx.ownership.looking.lock().await;
        let found = Installation::find(&cx.kubectl, cx.namespace(), before.id()).await;
        let found = found.map_err(|e| cx.api_failure("look up kstrim's installation", &e))?;
        // Replaced in one step, never absent in between: concurrent tasks ask it who owns objects.
        cx.ownership.installation.replace(Some(found));
    }
    installation_to_create(cx).await
}

/// Create the marker of the installation, and label the objects of an earlier kstrim, which had no ids, with its id.
pub(crate) async fn establish(cx: &Session, created_namespace: bool) -> Result<Installation> {
    let found = installation_to_create(cx).await?;
    if found.is_marked() {
        return Ok(found);
    }
    if found.is_unmarked() {
        let stamped = adopt::label_unmarked(&cx.kubectl, &found).await;
        stamped.map_err(|e| cx.api_failure("label the installation's objects with its id", &e))?;
    }
    let failed = |e| cx.api_failure("create the ConfigMap of the installation", &e);
    let marker = found.marker(created_namespace);
    let now = match change::create(&cx.kubectl, &found.markers(), &marker).await.map_err(failed)? {
        Some(_) => found.marked(),
        // Another run was faster: its installation is used.
        None => {
            let theirs = Installation::find(&cx.kubectl, cx.namespace(), found.id()).await.map_err(failed)?;
            if theirs.is_marked() { theirs } else { return Err(foreign_marker(cx)) }
        }
    };
    *cx.ownership.installation.borrow_mut() = Some(now.clone());
    installation_to_create(cx).await
}

/// A ConfigMap with the marker's name that kstrim did not create.
fn foreign_marker(cx: &Session) -> Box<Failure> {
    let message = format!(
        "the ConfigMap {} in namespace {} was not created by kstrim",
        crate::cluster::installation::MARKER,
        cx.namespace()
    );
    Box::new(
        Failure::new(errors::INSTALLATION_TAKEN, Kind::Foreign, message)
            .hint(format!("use another namespace: {}", refusals::up(cx).with("--namespace", "another-name"))),
    )
}

/// Apply objects of an install manifest: those that do not exist, and those of the installation. Every installation
/// of Strimzi uses the same names, so a foreign object is refused even with the user's consent: its operator would
/// lose its permissions.
pub(crate) async fn apply_install(cx: &Session, objects: &[Object], doing: &str) -> Result<()> {
    installation(cx).await?;
    let look = |object: Object| async move {
        let Some(collection) = collection(object.kind(), cx.namespace()) else { return Ok((object, None)) };
        let found = cx.kubectl.find(&format!("{collection}/{}", object.name())).await;
        Ok::<_, ApiError>((object, found?))
    };
    let looked = futures_util::future::try_join_all(objects.iter().cloned().map(look)).await;
    let mut mine = Vec::new();
    for (mut object, live) in looked.map_err(|e| cx.api_failure("read what is installed", &e))? {
        if let Some(live) = live {
            if !cx.owns(&live) {
                return Err(strimzi_of_others(cx, &object));
            }
            if let Some(uid) = live.pointer("/metadata/uid").and_then(Value::as_str) {
                object.set(&["metadata", "uid"], uid);
            }
        }
        mine.push(object);
    }
    cx.apply(&mine, true).await.map(drop).map_err(|e| cx.api_failure(doing, &e))
}

fn strimzi_of_others(cx: &Session, object: &Object) -> Box<Failure> {
    let message = format!(
        "Strimzi is in this cluster, and kstrim did not install it: {} {}",
        object.kind(),
        object.name()
    );
    Box::new(
        Failure::new(crate::errors::CONTEXT_STRIMZI, Kind::Foreign, message)
            .because("its objects and kstrim's have the same names; applying kstrim's would remove its permissions")
            .hint(format!(
                "use that Strimzi unchanged, or a cluster without one: {}",
                refusals::up(cx).with("--profile", "another-name")
            )),
    )
}

/// The path of the collection of an object of an install manifest.
fn collection(kind: &str, namespace: &str) -> Option<String> {
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    Some(match kind {
        "ServiceAccount" => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
        "ConfigMap" => format!("/api/v1/namespaces/{namespace}/configmaps"),
        "Deployment" => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        "Role" => format!("{rbac}/namespaces/{namespace}/roles"),
        "RoleBinding" => format!("{rbac}/namespaces/{namespace}/rolebindings"),
        "ClusterRole" => format!("{rbac}/clusterroles"),
        "ClusterRoleBinding" => format!("{rbac}/clusterrolebindings"),
        _ => return None,
    })
}

/// Change the run's Kafka resource: merge the patch that `patch` computes from its current state, and retry if it was
/// changed in the meantime. `adopt`: the user requested the change of a Kafka resource that kstrim did not create.
/// `seen` is the resource that was read: another one with that name is not changed.
pub(crate) async fn change_kafka(
    cx: &Session,
    adopt: bool,
    seen: Option<&kube::Object>,
    doing: &str,
    mut patch: impl FnMut(&Kafka<'_>) -> Option<Value>,
) -> Result<bool> {
    let installation = installation(cx).await?;
    let collection = ObservedKind::Kafka.path(cx.api_version(), Some(cx.namespace()));
    let path = format!("{collection}/{}", cx.cluster());
    let kafka = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the Kafka resource", &e))?;
    let uid = |kafka: &Value| kafka.pointer("/metadata/uid").and_then(Value::as_str) == seen.map(|o| o.uid());
    let Some(kafka) = kafka.filter(|now| seen.is_none() || uid(now)) else {
        let message = format!("the Kafka cluster {} was deleted or replaced in the meantime", cx.cluster());
        return Err(Box::new(
            Failure::new(errors::KAFKA_REPLACED, Kind::Task, message)
                .hint(format!("check what exists: {}", cx.target.kstrim("status"))),
        ));
    };
    let by_id = installation.owned(&collection, &kafka);
    let by_user = || Consent::by_flag(adopt).map(|consent| Owned::requested(&collection, &kafka, consent));
    let Some(owned) = by_id.or_else(by_user) else {
        let what = format!("the Kafka cluster {} in namespace {}", cx.cluster(), cx.namespace());
        return Err(refusals::foreign(cx, errors::KAFKA_FOREIGN, what, "--cluster"));
    };
    let patch = |now: &Value| patch(&Kafka(&kube::Object::new(now.clone())));
    let changed = change::patch(&cx.kubectl, &installation, &owned, patch).await;
    changed.map_err(|e| cx.api_failure(doing, &e))
}

/// Hold the namespace's Lease until [`release_lease`]: no other command that changes the namespace runs at the same
/// time, on any machine. A namespace that does not exist has none yet.
pub(crate) async fn acquire_lease(cx: &Session, verb: &str) -> Result<()> {
    if cx.ownership.lease.borrow().is_some() || cx.ownership.read_only.get() {
        return Ok(());
    }
    let path = format!("/api/v1/namespaces/{}", cx.namespace());
    let space = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the namespace", &e))?;
    if space.is_none_or(|ns| ns.pointer("/metadata/deletionTimestamp").is_some()) {
        return Ok(());
    }
    let holder = holder(cx.profile(), verb);
    let waiting = |who: &str| {
        let message = format!("waiting for the Lease of a command that no longer responds: {who}");
        cx.emit.warn(message);
    };
    let cancel = cx.ownership.cancel.clone();
    let lost = move || cancel.cancel(Reason::LeaseLost);
    let foreign_marker = Lease::take(cx.kubectl.clone(), cx.namespace(), &holder, waiting, lost).await;
    match foreign_marker {
        Ok(lease) => {
            *cx.ownership.lease.borrow_mut() = Some(lease);
            Ok(())
        }
        Err(lease::Refused::Held { holder, since }) => {
            let message = format!("another command is changing the namespace {}", cx.namespace());
            Err(Box::new(
                Failure::new(errors::NAMESPACE_LOCKED, Kind::Locked, message)
                    .because(format!("{holder}, since {since}"))
                    .hint("wait for it to finish, then run the same command again"),
            ))
        }
        Err(lease::Refused::Api(e)) => Err(cx.api_failure("acquire the namespace's Lease", &e)),
    }
}

/// Release the namespace's Lease. `kubectl` runs commands even after the run was interrupted.
pub(crate) async fn release_lease(cx: &Session, kubectl: &Kubectl) {
    let lease = cx.ownership.lease.borrow_mut().take();
    if let Some(lease) = lease {
        lease.release(kubectl).await;
    }
}

/// An id of the state directory, created with it. If there is none, each call returns a different one, so that no
/// holder is considered dead too early.
fn directory_id(folder: &std::path::Path) -> String {
    let path = folder.join("lease-holder");
    if let Ok(known) = std::fs::read_to_string(&path)
        && !known.trim().is_empty()
    {
        return known.trim().to_owned();
    }
    let new = uuid::Uuid::new_v4().to_string();
    if let Ok(file) = tempfile::NamedTempFile::new_in(folder)
        && std::fs::write(file.path(), &new).is_ok()
        && file.persist_noclobber(&path).is_err()
        && let Ok(known) = std::fs::read_to_string(&path)
    {
        return known.trim().to_owned();
    }
    new
}

/// Identifies this command as the holder of a Lease.
pub(crate) fn holder(profile: &str, verb: &str) -> Holder {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().into_owned();
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let folder = std::path::absolute(crate::paths::state_dir()).unwrap_or_default();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // Containers share one host name and have no machine id: a file next to the lock files distinguishes them.
    let here = directory_id(&folder);
    let state = format!("{} {} {host} {} {here} {profile}", machine.trim(), boot.trim(), folder.display());
    let run = uuid::Uuid::new_v4().simple().to_string();
    Holder {
        identity: format!("{user}@{host}, pid {}, run {}: kstrim {verb}", std::process::id(), &run[..8]),
        state: crate::sha256::of(state.as_bytes()),
    }
}

/// How many deletions are sent at once.
const AT_ONCE: usize = 4;

/// Delete objects of the installation, a few at once; `what` completes "cannot delete ...".
pub(crate) async fn delete(cx: &Session, what: &str, owned: Vec<Owned>) -> Result<()> {
    let installation = installation(cx).await?;
    let installation = &installation;
    stream::iter(owned)
        .map(|owned| async move {
            let deleted = change::delete(&cx.kubectl, installation, &owned).await;
            match deleted.map_err(|e| cx.api_failure(&format!("delete {what}"), &e))? {
                Deleted::Yes => {}
                Deleted::NoLongerOwned => {
                    let message = format!("{} now belongs to somebody else, and is kept", owned.path());
                    cx.emit.warn(message);
                }
            }
            Ok(())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// The objects of a list that belong to the installation. `collection` is the list's path in the namespace.
pub(crate) async fn owned(cx: &Session, collection: &str, objects: &[Value]) -> Result<Vec<Owned>> {
    let installation = installation(cx).await?;
    Ok(objects.iter().filter_map(|object| installation.owned(collection, object)).collect())
}
