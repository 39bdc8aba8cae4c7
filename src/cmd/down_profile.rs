//! What goes with a profile that `kstrim down` deletes: read before anybody is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::installation;
use crate::config::Target;
use crate::context::Cx;
use crate::event::{DeletedNamespace, DeletedVolume, ProfileDeletion};
use crate::exec::quote;
use crate::failure::{Failure, Id, Kind, Result};
use crate::manifest::label::{KSTRIM, MANAGED_BY};
use crate::observe::Version;
use crate::quickstart::{first_start, gone, identity, refused};
use crate::teardown::{items, name};
use crate::tool::minikube_output::{Listed, State};

/// The profile holds what kstrim did not make.
pub const OTHERS: Id = Id("KS-PROFILE-OTHERS");

/// Kinds of Strimzi's whose pods and volumes have the label `strimzi.io/cluster` with the resource's name.
const OWNERS: [&str; 4] = ["kafkas", "kafkaconnects", "kafkabridges", "kafkamirrormaker2s"];

/// Look. `runs`: the cluster answers, and can be looked into.
///
/// # Errors
/// `KS-API-*` when a cluster that answers cannot be asked, `KS-TOOL-*` when minikube cannot.
pub async fn look(cx: &Cx, runs: bool) -> Result<ProfileDeletion> {
    let listed = cx.minikube.listed().await?;
    let disk = cx.minikube.on_disk();
    let machine = match (&listed, runs) {
        (_, true) => "running",
        (Listed::Valid(_), false) => word(&cx.minikube.status().await?),
        _ => "never created",
    };
    let (driver, nodes) = match &listed {
        Listed::Valid(profile) => (profile.driver.clone(), profile.nodes as u64),
        _ => (disk.driver.clone(), 0),
    };
    let engine = identity::engine(&cx.minikube, &driver).await;
    let engine_volume = match cx.minikube.engine(&driver) {
        Some(engine) => engine.has_volume(cx.profile()).await,
        None => None,
    };
    let mut goes = ProfileDeletion {
        profile: cx.profile().to_owned(),
        driver,
        engine: engine.as_ref().map(gone::named),
        machine: machine.to_owned(),
        nodes,
        engine_volume,
        looked_inside: runs,
        namespaces: Vec::new(),
        volumes: Vec::new(),
    };
    if runs {
        inside(cx, &mut goes).await?;
    }
    Ok(goes)
}

fn word(state: &State) -> &'static str {
    match state {
        State::Absent => "never created",
        State::Running => "running",
        State::Paused => "paused",
        State::Stopped => "stopped",
        State::Partial => "half started",
        State::Gone => "gone",
        State::EngineDown(_) => "unknown: the engine does not answer",
    }
}

/// Namespaces and volumes of a cluster that answers.
async fn inside(cx: &Cx, goes: &mut ProfileDeletion) -> Result<()> {
    let namespaces = items(cx, "/api/v1/namespaces").await?;
    let pods = items(cx, "/api/v1/pods").await?;
    let claims = items(cx, "/api/v1/persistentvolumeclaims").await?;
    let ours = Ours::look(cx).await?;
    let mut found: BTreeMap<String, DeletedNamespace> = BTreeMap::new();
    for namespace in &namespaces {
        let name = name(namespace);
        // Those that every cluster has are nobody's; what is in them may be somebody's.
        let others = !first_start::is_kubernetes(&name) && !installation::by_kstrim(namespace);
        found.insert(name.clone(), DeletedNamespace { name, others, ..DeletedNamespace::default() });
    }
    for pod in &pods {
        let Some(namespace) = found.get_mut(text(pod, "/metadata/namespace")) else { continue };
        namespace.pods += 1;
        if is_others(&ours, namespace, pod) {
            namespace.others_objects.push(format!("pod {}", name(pod)));
        }
    }
    for claim in &claims {
        let Some(namespace) = found.get_mut(text(claim, "/metadata/namespace")) else { continue };
        let others = is_others(&ours, namespace, claim);
        if others {
            namespace.others_objects.push(format!("volume claim {}", name(claim)));
        }
        goes.volumes.push(DeletedVolume {
            namespace: namespace.name.clone(),
            claim: name(claim),
            size: Some(text(claim, "/spec/resources/requests/storage").to_owned()).filter(|s| !s.is_empty()),
            others: others || namespace.others,
        });
    }
    for (namespace, name) in &ours.not_made {
        if let Some(namespace) = found.get_mut(namespace).filter(|n| !n.others) {
            namespace.others_objects.push(name.clone());
        }
    }
    // Kubernetes' own without anything of anybody's go without saying.
    let plain = |n: &DeletedNamespace| first_start::is_kubernetes(&n.name) && n.others_objects.is_empty();
    goes.namespaces = found.into_values().filter(|n| !plain(n)).collect();
    Ok(())
}

/// Whether a pod or claim is somebody else's. In a namespace of somebody else's all are, and are not named one by one;
/// in Kubernetes' own `kube-*` none are.
fn is_others(ours: &Ours, namespace: &DeletedNamespace, object: &Value) -> bool {
    !namespace.others && !namespace.name.starts_with("kube-") && !ours.has(&namespace.name, object)
}

/// By what pods and claims of kstrim's are known.
struct Ours {
    /// Namespace and name of every Kafka, Connect, bridge and MirrorMaker 2 that kstrim made.
    made: BTreeSet<(String, String)>,
    /// Of those that it did not make the namespace, kind and name.
    not_made: BTreeSet<(String, String)>,
    /// Namespaces with an operator that kstrim installed.
    operators: BTreeSet<String>,
}

impl Ours {
    async fn look(cx: &Cx) -> Result<Self> {
        let (mut made, mut not_made) = (BTreeSet::new(), BTreeSet::new());
        let version = super::living::served(cx).await?.unwrap_or(Version::V1).as_str();
        for kind in OWNERS {
            for found in items(cx, &format!("/apis/kafka.strimzi.io/{version}/{kind}")).await? {
                let (namespace, name) = (text(&found, "/metadata/namespace").to_owned(), name(&found));
                if installation::by_kstrim(&found) {
                    made.insert((namespace, name));
                } else {
                    not_made.insert((namespace, format!("{} {name}", text(&found, "/kind"))));
                }
            }
        }
        let deployments = items(cx, "/apis/apps/v1/deployments").await?;
        let operators = deployments
            .iter()
            .filter(|d| installation::by_kstrim(d))
            .map(|d| text(d, "/metadata/namespace").to_owned())
            .collect();
        Ok(Self { made, not_made, operators })
    }

    fn has(&self, namespace: &str, object: &Value) -> bool {
        let label =
            |name: &str| object.pointer("/metadata/labels").and_then(|l| l.get(name)).and_then(Value::as_str);
        if label(MANAGED_BY) == Some(KSTRIM) {
            return true;
        }
        if label("strimzi.io/kind") == Some("cluster-operator") {
            return self.operators.contains(namespace);
        }
        let Some(cluster) = label("strimzi.io/cluster") else { return false };
        let key = (namespace.to_owned(), cluster.to_owned());
        // Volumes outlive their Kafka (`down --keep-data`).
        let owner_is_others =
            self.not_made.iter().any(|(n, kind)| n == namespace && kind.ends_with(&format!(" {cluster}")));
        self.made.contains(&key) || !owner_is_others
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Refuse what would take others' things along, unless somebody said that they go, too.
///
/// # Errors
/// [`OTHERS`].
pub fn refuse_others(target: &Target, goes: &ProfileDeletion, agreed: bool) -> Result<()> {
    let others = goes.others();
    if agreed || others.is_empty() {
        return Ok(());
    }
    let message = format!("the profile {} holds what kstrim did not make", goes.profile);
    let mut failure = Failure::new(OTHERS, Kind::Foreign, message);
    for other in others {
        failure = failure.because(other);
    }
    let flags = refused::target_flags(target);
    Err(Box::new(
        failure
            .hint(format!("delete only what kstrim made: kstrim down --keep-cluster{flags}"))
            .hint(format!("or delete all of it, theirs too: kstrim down --delete-others{flags}")),
    ))
}

/// Whether there is anything in the namespace in use that kstrim made.
///
/// # Errors
/// `KS-API-*`.
pub async fn anything_of_ours(cx: &Cx) -> Result<bool> {
    let namespace = cx.namespace();
    let version = super::living::served(cx).await?.unwrap_or(Version::V1).as_str();
    let mut paths = vec![format!("/apis/apps/v1/namespaces/{namespace}/deployments")];
    for kind in ["kafkas", "kafkatopics", "kafkausers", "kafkanodepools"] {
        paths.push(format!("/apis/kafka.strimzi.io/{version}/namespaces/{namespace}/{kind}"));
    }
    for path in paths {
        if items(cx, &path).await?.iter().any(installation::by_kstrim) {
            return Ok(true);
        }
    }
    let found = items(cx, "/api/v1/namespaces").await?;
    Ok(found.iter().any(|n| name(n) == namespace && installation::by_kstrim(n)))
}

/// The profile that `down` was to delete is not the one that kstrim made.
pub fn not_ours(cx: &Cx, runs: bool) -> Failure {
    let profile = cx.profile();
    let failure = Failure::new(
        refused::PROFILE,
        Kind::Foreign,
        format!("nothing was deleted: kstrim did not make this profile {profile}"),
    );
    let failure = if runs {
        failure
            .because("nothing that identifies the profile that kstrim made is in this one")
            .because(format!("and kstrim has made nothing in its namespace {}", cx.namespace()))
    } else {
        failure.because("nothing that identifies a profile that kstrim made is in its files").hint(format!(
            "a cluster that runs may carry kstrim's mark: minikube start -p {}",
            quote(profile)
        ))
    };
    failure.hint(format!("if all of it may go, delete it yourself: minikube delete -p {}", quote(profile)))
}
