//! Is this machine fit, and can the live cluster take what was asked for? Reads only: whatever
//! must be refused is refused before anything is changed.

use std::cell::OnceCell;

use async_trait::async_trait;
use serde_json::Value;

use super::refused;
use crate::catalogue::{self, Partial};
use crate::context::{Cx, Machine};
use crate::engine::task::{Doneness, Spec, Task};
use crate::failure::{Failure, Id, Kind, Result};
use crate::names::{KubernetesVersion, Version};
use crate::quickstart::operator::DEPLOYMENT;
use crate::quickstart::{ownership, sources};
use crate::tool::minikube_output::{Listed, Profile, memory_mb};

/// The program is too old.
pub const TOO_OLD: Id = Id("KS-TOOL-TOO-OLD");
/// The live Kubernetes is not one that the release supports.
pub const KUBERNETES: Id = Id("KS-KUBERNETES-UNSUPPORTED");

/// Oldest kubectl whose server-side apply is stable (Kubernetes 1.22 changelog).
const OLDEST_KUBECTL: Version = Version::new(1, 22, 0);

/// The task.
#[derive(Default)]
pub struct Preflight {
    passed: OnceCell<String>,
}

#[async_trait(?Send)]
impl Task<Cx> for Preflight {
    fn spec(&self) -> Spec {
        super::spec("preflight", "Preflight", &[], 3)
    }

    async fn check(&self, _: &Cx) -> Result<Doneness> {
        Ok(match self.passed.get() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("looking at this machine".into()),
        })
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        cx.journal.borrow().refuse_newer()?;
        let api = async {
            // Without a kubeconfig of ours there is no cluster of ours to ask.
            if cx.journal.borrow().journal.cluster_uid.is_none() {
                None
            } else {
                Some(cx.kubectl.ready().await)
            }
        };
        let (minikube, kubectl, listed, api) =
            tokio::join!(cx.minikube.version(), cx.kubectl.client_version(), cx.minikube.listed(), api);
        let (minikube, kubectl, listed) = (minikube?, kubectl?, listed?);
        old_enough("kubectl", &kubectl, &OLDEST_KUBECTL, "https://kubernetes.io/docs/tasks/tools/")?;
        if let Some(oldest) = catalogue::catalogue().minikube.first() {
            old_enough("minikube", &minikube, &oldest.version, "https://minikube.sigs.k8s.io/docs/start/")?;
        }
        let claimed = cx.journal.borrow().journal.profile_is_ours;
        cx.profile_is_ours.set(claimed);
        if let Listed::Valid(profile) = &listed {
            if matches!(api, Some(Ok(()))) {
                let (settled, live) = tokio::join!(ownership::settle(cx), refuse_live(cx));
                settled?;
                cx.machine_is(Machine::Api);
                live?;
            }
            if !cx.profile_is_ours.get() && !cx.settings.adopt && !marked(cx, api.is_some()).await? {
                return Err(refused::foreign(
                    cx,
                    refused::PROFILE,
                    format!("the minikube profile {}", profile.name),
                    "--profile ANOTHER-NAME",
                ));
            }
            unchanged(cx, profile)?;
            supported(cx, profile)?;
        } else if claimed {
            // The profile is gone: whatever the journal knew of it is history.
            let mut journal = cx.journal.borrow_mut();
            journal.journal.cluster_uid = None;
            journal.journal.profile_is_ours = false;
            cx.profile_is_ours.set(false);
        }
        let live = match &listed {
            Listed::Valid(profile) if cx.settings.kubernetes.is_none() => profile.kubernetes.parse().ok(),
            _ => cx.settings.kubernetes.clone(),
        };
        let choice = catalogue::resolve(&Partial {
            release: Some(cx.choice.release.version.clone()),
            kafka: Some(cx.choice.kafka.clone()),
            kubernetes: live,
            mode: None,
            minikube: minikube.parse().ok(),
        })?;
        for warning in choice.warnings {
            cx.emit.warn(Some("preflight"), warning);
        }
        let _ = cx.kubernetes.set(choice.kubernetes);
        let _ = cx.listed.set(listed);
        // Fetched while minikube starts; whoever needs it first waits for it. A file of the user's
        // is read at once: what is wrong with it is told before anything is made.
        sources::prefetch(cx);
        if cx.settings.manifests.as_ref().is_some_and(|from| !from.contains("://")) {
            sources::install(cx).await?;
        }
        let _ = self.passed.set(format!("minikube {minikube}, kubectl {kubectl}"));
        Ok(())
    }

    async fn describe(&self, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![format!(
            "{} version; {} version --client",
            cx.minikube.program().display(),
            cx.kubectl.program().display()
        )])
    }
}

/// A profile without our journal may still carry our marker: ask it, if it runs.
async fn marked(cx: &Cx, asked: bool) -> Result<bool> {
    if asked || super::cluster::connect(cx).await?.is_err() {
        return Ok(false);
    }
    cx.machine_is(Machine::Api);
    ownership::settle(cx).await?;
    Ok(cx.profile_is_ours.get())
}

fn old_enough(program: &str, found: &str, oldest: &Version, page: &str) -> Result<()> {
    match found.parse::<Version>() {
        Ok(version) if version < *oldest => Err(Box::new(
            Failure::new(TOO_OLD, Kind::Prerequisite, format!("{program} {found} is too old"))
                .because(format!("kstrim needs {program} {oldest} or newer"))
                .hint(format!("get a newer one: {page}")),
        )),
        // A build with a version of its own making is taken as it is.
        _ => Ok(()),
    }
}

/// Name every setting that minikube would silently ignore or refuse on an existing profile.
fn unchanged(cx: &Cx, profile: &Profile) -> Result<()> {
    let settings = &cx.settings;
    let mut changes = Vec::new();
    if let Some(memory) = settings.memory.as_deref().and_then(memory_mb)
        && memory != profile.memory_mb
    {
        changes.push(format!("memory: it has {} MiB, asked for {memory} MiB", profile.memory_mb));
    }
    if let Some(cpus) = settings.cpus.as_deref().and_then(|c| c.parse::<u64>().ok())
        && cpus != profile.cpus
    {
        changes.push(format!("CPUs: it has {}, asked for {cpus}", profile.cpus));
    }
    if let Some(driver) = &settings.driver
        && *driver != profile.driver
    {
        changes.push(format!("driver: it has {}, asked for {driver}", profile.driver));
    }
    if let Some(nodes) = settings.nodes
        && nodes as usize != profile.nodes
    {
        changes.push(format!("nodes: it has {}, asked for {nodes}", profile.nodes));
    }
    if let (Some(asked), Ok(live)) = (&settings.kubernetes, profile.kubernetes.parse::<Version>())
        && asked.is_lower_than(&live)
    {
        changes.push(format!("Kubernetes: it has {live}, asked for the lower {asked}"));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        refused::SETTINGS,
        Kind::Usage,
        format!("the profile {} exists and cannot be changed like this", profile.name),
    );
    for change in changes {
        failure = failure.because(change);
    }
    let flags = refused::target_flags(&settings.target);
    Err(Box::new(
        failure
            .hint(format!("keep it as it is: {} without those flags", refused::up(cx)))
            .hint(format!("or make it anew: kstrim down --yes{flags}, then the same `kstrim up`")),
    ))
}

/// The live Kubernetes must be one that the release supports.
fn supported(cx: &Cx, profile: &Profile) -> Result<()> {
    let release = cx.choice.release;
    match profile.kubernetes.parse::<KubernetesVersion>() {
        Ok(live) if !release.kubernetes.contains(live.minor()) => Err(Box::new(
            Failure::new(
                KUBERNETES,
                Kind::Prerequisite,
                format!(
                    "the profile {} runs Kubernetes {}, which Strimzi {} does not support",
                    profile.name, profile.kubernetes, release.version
                ),
            )
            .because(format!("Strimzi {} supports Kubernetes {}", release.version, release.kubernetes))
            .hint("pick a release that fits: kstrim versions")
            .hint(format!("or make another profile: {} --profile ANOTHER-NAME", refused::up(cx))),
        )),
        _ => Ok(()),
    }
}

/// Refuse what the live operators rule out. A smaller Strimzi over a larger one would leave its
/// resource definitions' stored versions behind; a second one in another namespace would take the
/// cluster-wide bindings away from the first.
async fn refuse_live(cx: &Cx) -> Result<()> {
    let path = "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dkstrim";
    let found =
        cx.kubectl.find(path).await.map_err(|e| ownership::api_failure(cx, "look at the operator", &e))?;
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for operator in found.as_ref().and_then(|l| l["items"].as_array()).into_iter().flatten() {
        if text(operator, "/metadata/name") != DEPLOYMENT {
            continue;
        }
        let namespace = text(operator, "/metadata/namespace");
        if namespace != cx.namespace() {
            return Err(Box::new(
                Failure::new(
                    refused::ELSEWHERE,
                    Kind::Foreign,
                    format!("Strimzi runs in the namespace {namespace} of this profile already"),
                )
                .because("its permissions are cluster-wide, so that a profile has room for one")
                .hint(format!("use that one: kstrim up --namespace {namespace}"))
                .hint("or make another profile: kstrim up --profile ANOTHER-NAME"),
            ));
        }
        let live = ownership::release(operator).and_then(|r| r.parse::<Version>().ok());
        let asked = &cx.choice.release.version;
        if let Some(live) = live.filter(|live| live > asked) {
            return Err(Box::new(
                Failure::new(
                    refused::DOWNGRADE,
                    Kind::Usage,
                    format!("Strimzi {live} is installed; it cannot be replaced by the smaller {asked}"),
                )
                .hint(format!("keep it: {} --release {live}", refused::up(cx)))
                .hint(format!(
                    "or begin anew: kstrim down --keep-cluster --yes{}",
                    refused::target_flags(&cx.settings.target)
                )),
            ));
        }
    }
    Ok(())
}
