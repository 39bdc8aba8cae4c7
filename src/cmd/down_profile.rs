//! What is deleted along with a profile that `kstrim down` deletes: collected before the prompt.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::installation::{self, Installation};
use crate::cluster::inventory::{Class, Inventory, by_kind};
use crate::cluster::session::Session;
use crate::cluster::{first_start, lost_machine, profile_owner};
use crate::config::Target;
use crate::errors;
use crate::event::{DeletedNamespace, DeletedVolume, ProfileDeletion};
use crate::failure::{Failure, Kind, Result};
use crate::kube::Version;
use crate::kube::object::text;
use crate::teardown::name;
use crate::tool::minikube_output::{Listed, State};

/// Collect it. `runs`: the cluster responds, so its contents can be listed.
///
/// # Errors
/// `KS-API-*` if a cluster that responds cannot be queried, `KS-TOOL-*` if minikube cannot.
pub(crate) async fn look(cx: &Session, runs: bool) -> Result<ProfileDeletion> {
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
    let engine = profile_owner::engine(&cx.minikube, &driver).await;
    let engine_volume = match cx.minikube.engine(&driver) {
        Some(engine) => engine.has_volume(cx.profile()).await,
        None => None,
    };
    let mut deletion = ProfileDeletion {
        profile: cx.profile().to_owned(),
        driver,
        engine: engine.as_ref().map(lost_machine::named),
        machine: machine.to_owned(),
        nodes,
        engine_volume,
        looked_inside: runs,
        namespaces: Vec::new(),
        volumes: Vec::new(),
        others_cluster_wide: Vec::new(),
        unknown: Vec::new(),
    };
    if runs {
        inside(cx, &mut deletion).await?;
    }
    Ok(deletion)
}

fn word(state: &State) -> &'static str {
    match state {
        State::Absent => "never created",
        State::Running => "running",
        State::Paused => "paused",
        State::Stopped => "stopped",
        State::Partial => "half started",
        State::Gone => "gone",
        State::EngineDown(_) => "unknown: the engine does not respond",
    }
}

/// Namespaces and volumes of a cluster that responds.
async fn inside(cx: &Session, deletion: &mut ProfileDeletion) -> Result<()> {
    let namespaces = cx.list("/api/v1/namespaces", "list what is in the cluster").await?;
    let pods = cx.list("/api/v1/pods", "list what is in the cluster").await?;
    let claims = cx.list("/api/v1/persistentvolumeclaims", "list what is in the cluster").await?;
    let mut found: BTreeMap<String, DeletedNamespace> = BTreeMap::new();
    for namespace in &namespaces {
        let name = name(namespace);
        // Namespaces that exist in every cluster do not count as somebody else's; objects in them may.
        let others = !first_start::is_kubernetes(&name)
            && !installation::by_kstrim(namespace)
            && !is_add_on(namespace);
        found.insert(name.clone(), DeletedNamespace { name, others, ..DeletedNamespace::default() });
    }
    for pod in &pods {
        if let Some(namespace) = found.get_mut(text(pod, "/metadata/namespace")) {
            namespace.pods += 1;
        }
    }
    // Objects are not listed in foreign namespaces, which are foreign as a whole, nor in system namespaces.
    let mut theirs: BTreeSet<String> = BTreeSet::new();
    for namespace in found.values_mut().filter(|n| !n.others && !first_start::is_system(&n.name)) {
        let failed = |e| cx.api_failure("list what is in the cluster", &e);
        let installation = Installation::find(&cx.kubectl, &namespace.name, "").await.map_err(failed)?;
        let inventory = Inventory::of(&cx.kubectl, &installation, &BTreeSet::new()).await.map_err(failed)?;
        namespace.others_objects = by_kind(inventory.of_class(Class::Foreign));
        let unlisted = inventory.unknown.iter().map(|why| format!("{why} (namespace {})", namespace.name));
        deletion.unknown.extend(unlisted);
        theirs.extend(
            inventory.of_class(Class::Foreign).map(|item| text(&item.object, "/metadata/uid").to_owned()),
        );
    }
    for (namespace, objects) in in_system_namespaces(cx, &claims).await? {
        if let Some(namespace) = found.get_mut(&namespace) {
            namespace.others_objects = objects;
        }
    }
    deletion.others_cluster_wide = cluster_wide(cx, &claims).await?;
    for claim in &claims {
        let Some(namespace) = found.get(text(claim, "/metadata/namespace")) else { continue };
        deletion.volumes.push(DeletedVolume {
            namespace: namespace.name.clone(),
            claim: name(claim),
            size: Some(text(claim, "/spec/resources/requests/storage").to_owned()).filter(|s| !s.is_empty()),
            others: namespace.others || theirs.contains(text(claim, "/metadata/uid")),
        });
    }
    // Kubernetes' own namespaces are not listed unless they contain users' objects.
    let plain = |n: &DeletedNamespace| first_start::is_kubernetes(&n.name) && n.others_objects.is_empty();
    deletion.namespaces = found.into_values().filter(|n| !plain(n)).collect();
    Ok(())
}

/// Users' objects in Kubernetes' own namespaces, by namespace: volume claims, and workloads that do not belong
/// to an add-on.
async fn in_system_namespaces(cx: &Session, claims: &[Value]) -> Result<BTreeMap<String, Vec<String>>> {
    const WORKLOADS: [(&str, &str); 4] = [
        ("Deployment", "/apis/apps/v1/deployments"),
        ("StatefulSet", "/apis/apps/v1/statefulsets"),
        ("CronJob", "/apis/batch/v1/cronjobs"),
        ("Job", "/apis/batch/v1/jobs"),
    ];
    let mut all: Vec<(&str, Value)> =
        claims.iter().map(|claim| ("PersistentVolumeClaim", claim.clone())).collect();
    for (kind, path) in WORKLOADS {
        let of_nobody =
            |object: &Value| is_add_on(object) || object["metadata"]["ownerReferences"].is_array();
        all.extend(
            cx.list(path, "list what is in the cluster")
                .await?
                .into_iter()
                .filter(|o| !of_nobody(o))
                .map(|o| (kind, o)),
        );
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, object) in all {
        let namespace = text(&object, "/metadata/namespace");
        if first_start::is_system(namespace) {
            found.entry(namespace.to_owned()).or_default().push(format!("{kind} {}", name(&object)));
        }
    }
    Ok(found)
}

/// Whether kubeadm, a minikube add-on or the pod network created it: by the labels in minikube's `deploy/addons`, and
/// by name for what minikube's `--cni=calico` and `--cni=cilium` create without these labels.
fn is_add_on(object: &Value) -> bool {
    const LABELS: [&str; 4] =
        ["k8s-app", "addonmanager.kubernetes.io/mode", "kubernetes.io/minikube-addons", "io.cilium/app"];
    const GROUPS: [&str; 3] = ["crd.projectcalico.org", "policy.networking.k8s.io", "cilium.io"];
    LABELS.iter().any(|label| installation::label(object, label).is_some())
        || GROUPS.contains(&text(object, "/spec/group"))
        || text(object, "/metadata/namespace") == first_start::STORAGE_NAMESPACE
}

/// Cluster-scoped objects of others: volumes without a claim, which were not counted yet, and definitions.
async fn cluster_wide(cx: &Session, claims: &[Value]) -> Result<Vec<String>> {
    let claimed = |volume: &Value| {
        let of = |field: &str| text(volume, field);
        claims.iter().any(|claim| {
            (text(claim, "/metadata/namespace"), text(claim, "/metadata/name"))
                == (of("/spec/claimRef/namespace"), of("/spec/claimRef/name"))
        })
    };
    // A volume whose claim was deleted is being reclaimed, or was kept because of its reclaim policy.
    let of_a_claim = |volume: &Value| {
        !text(volume, "/metadata/annotations/pv.kubernetes.io~1provisioned-by").is_empty()
            && text(volume, "/spec/claimRef/namespace") == cx.namespace()
    };
    let volumes = cx.list("/api/v1/persistentvolumes", "list what is in the cluster").await?;
    let theirs =
        |volume: &&Value| !claimed(volume) && !of_a_claim(volume) && !installation::by_kstrim(volume);
    let volumes = volumes.iter().filter(theirs);
    let mut found: Vec<String> = volumes.map(|volume| format!("PersistentVolume {}", name(volume))).collect();
    let definitions = cx
        .list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "list what is in the cluster")
        .await?;
    let theirs = definitions.iter().filter(|d| !installation::by_kstrim(d) && !is_add_on(d));
    found.extend(theirs.map(|d| format!("CustomResourceDefinition {}", name(d))));
    Ok(found)
}

/// Refuse to delete other people's objects with the profile, unless the user agreed to that.
pub(crate) fn refuse_others(target: &Target, goes: &ProfileDeletion, agreed: bool) -> Result<()> {
    let others = goes.others();
    if agreed || others.is_empty() {
        return Ok(());
    }
    let message = format!("the profile {} contains things that kstrim did not create", goes.profile);
    let mut failure = Failure::new(errors::PROFILE_OTHERS, Kind::Foreign, message);
    for other in others {
        failure = failure.because(other);
    }
    Err(Box::new(
        failure
            .hint(format!("delete only what kstrim created: {}", target.again().arg("--keep-cluster")))
            .hint(format!(
                "or delete everything, including the objects of others: {}",
                target.again().arg("--delete-others")
            )),
    ))
}

/// Whether kstrim created anything in the current namespace.
pub(crate) async fn anything_of_ours(cx: &Session) -> Result<bool> {
    let namespace = cx.namespace();
    let version = super::living::served(cx).await?.unwrap_or(Version::V1).as_str();
    let mut paths = vec![format!("/apis/apps/v1/namespaces/{namespace}/deployments")];
    for kind in ["kafkas", "kafkatopics", "kafkausers", "kafkanodepools"] {
        paths.push(format!("/apis/kafka.strimzi.io/{version}/namespaces/{namespace}/{kind}"));
    }
    for path in paths {
        if cx.list(&path, "list what is in the cluster").await?.iter().any(installation::by_kstrim) {
            return Ok(true);
        }
    }
    let found = cx.list("/api/v1/namespaces", "list what is in the cluster").await?;
    Ok(found.iter().any(|n| name(n) == namespace && installation::by_kstrim(n)))
}

/// The failure if the profile that `down` should delete is not the one that kstrim created.
pub(crate) fn not_ours(cx: &Session, runs: bool) -> Failure {
    let profile = cx.profile();
    let failure = Failure::new(
        errors::PROFILE_FOREIGN,
        Kind::Foreign,
        format!("nothing was deleted: kstrim did not create this profile {profile}"),
    );
    let failure = if runs {
        failure
            .because("nothing identifies it as the profile that kstrim created")
            .because(format!("and kstrim has created nothing in its namespace {}", cx.namespace()))
    } else {
        failure.because("its files do not identify it as a profile that kstrim created").hint(format!(
            "start it, to check whether the cluster has kstrim's marker: {}",
            cx.target.minikube("start")
        ))
    };
    failure.hint(format!("if it is no longer needed, delete it yourself: {}", cx.target.minikube("delete")))
}
