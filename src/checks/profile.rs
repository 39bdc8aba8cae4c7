//! The minikube profile: whether it exists, is complete, belongs to kstrim, and has the requested settings.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Ground, Verdict};
use crate::catalogue::{self, Partial, Release};
use crate::cluster::journal::SCHEMA;
use crate::cluster::profile_owner::Owner;
use crate::cluster::{api_server, ownership, refusals};
use crate::command_line::CommandLine;
use crate::config::{Settings, Target};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::cluster::OPERATOR;
use crate::manifest::render::Preset;
use crate::names::memory_mb;
use crate::names::{KubernetesVersion, Minor, Version};
use crate::tool::minikube_output::{Listed, Profile, State};

/// How long before its expiry a certificate causes a warning.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Whether kstrim's journal can be read, and was not written by a newer kstrim.
pub(crate) async fn journal(ground: &Ground) -> Verdict {
    Verdict::of(ground.journal.as_ref().map_err(Clone::clone).and_then(|journal| {
        if journal.schema > SCHEMA {
            return Err(Box::new(
                Failure::new(
                    errors::JOURNAL_NEWER,
                    Kind::Prerequisite,
                    "the journal was written by a newer kstrim",
                )
                .because(format!("its schema is {}, but this kstrim supports {SCHEMA}", journal.schema))
                .hint("use the newer kstrim for this profile, or another profile with --profile NAME"),
            ));
        }
        Ok(if journal.run_id.is_empty() { "none exists yet" } else { "can be read" }.into())
    }))
}

/// Its state according to minikube.
pub(crate) async fn state(ground: &Ground) -> Verdict {
    let (listed, state) = match (ground.listed().await, ground.state().await) {
        (Ok(listed), Ok(state)) => (listed, state),
        (Err(failure), _) | (_, Err(failure)) if ground.minikube.is_ok() => return Verdict::Fail(failure),
        _ => return Verdict::Skip("there is no minikube".into()),
    };
    let claimed = ground.owner().await.is_some_and(Owner::is_ours);
    let cut_off = claimed && ground.journal.as_ref().is_ok_and(|j| j.never_whole || j.start_unfinished);
    let target = &ground.settings.target;
    let verdict = judge_state(&listed, &state, ground.profile_name(), (claimed, cut_off), target);
    match (verdict, &ground.minikube) {
        (Verdict::Fail(failure), Ok(minikube)) if failure.id == errors::PROFILE_PARTIAL => {
            let lost = matches!(api_server::is_manifest_missing(minikube).await, Ok(true));
            let cause = "nothing starts its API server: the file for it is missing in the node";
            Verdict::Fail(if lost { Box::new(failure.because(cause)) } else { failure })
        }
        (verdict, _) => verdict,
    }
}

fn judge_state(
    listed: &Listed,
    state: &State,
    name: &str,
    (claimed, cut_off): (bool, bool),
    target: &Target,
) -> Verdict {
    let up = refusals::up_of(target);
    let told = |id, kind, message: String| Failure::new(id, kind, message).hint(format!("continue: {up}"));
    let warn = |id, message: String| Verdict::Warn(Box::new(told(id, Kind::Task, message)));
    let fail = |id, message: String| Verdict::Fail(Box::new(told(id, Kind::Task, message)));
    let rests = |id, state, verb| {
        let message = format!("the profile {name} is {state}");
        // `up` is about to start it.
        match claimed && target.again().verb() != Some("up") {
            true => Verdict::Warn(Box::new(
                Failure::new(id, Kind::Task, message).hint(format!("{verb} it: {}", target.kstrim(verb))),
            )),
            false => warn(id, message),
        }
    };
    let half = |taken_up: bool| {
        let kind = if claimed || taken_up { Kind::Task } else { Kind::Foreign };
        let message = format!(
            "the profile {name} is only partly created: an earlier start was interrupted or rejected"
        );
        let failure = Failure::new(errors::PROFILE_HALF_MADE, kind, message);
        if claimed {
            let remove = target.kstrim("doctor --fix");
            let failure = failure.because("nothing ran in it").hint(format!("create it again: {up}"));
            return Verdict::Warn(Box::new(failure.hint(format!("or remove it: {remove}"))));
        }
        let failure = failure.hint(format!("if it is not needed: {}", target.minikube("delete")));
        if taken_up { Verdict::Warn(Box::new(failure)) } else { Verdict::Fail(Box::new(failure)) }
    };
    match (listed, state) {
        // The next start uses a directory without a configuration, regardless of who left it.
        (Listed::Broken, State::Absent | State::Gone | State::Stopped) => half(true),
        (Listed::Valid(profile), _) if !profile.addressed => half(false),
        (_, State::Absent) => Verdict::Ok(format!("{name} does not exist yet: {up} creates it")),
        (_, State::Running) if cut_off => {
            warn(errors::PROFILE_HALF_MADE, format!("an earlier start of the profile {name} was interrupted"))
        }
        (Listed::Valid(p), State::Running) => {
            Verdict::Ok(format!("{name} is running: {}, {} MiB, {} CPUs", p.driver, p.memory_mb, p.cpus))
        }
        (_, State::Running) => Verdict::Ok(format!("{name} is running")),
        (_, State::Stopped) => rests(errors::PROFILE_STOPPED, "stopped", "start"),
        (_, State::Paused) => rests(errors::PROFILE_PAUSED, "paused", "unpause"),
        (_, State::Partial) => fail(
            errors::PROFILE_PARTIAL,
            format!("the machine of profile {name} is running, but its control plane is not"),
        ),
        (_, State::Gone) => {
            let message = format!("the machine of profile {name} was removed");
            let failure = Failure::new(errors::PROFILE_GONE, Kind::Task, message);
            let hint = format!("delete the profile with its data and re-create it: {}", up.arg("--recreate"));
            Verdict::Fail(Box::new(match claimed {
                true => failure.hint(hint),
                false => failure.hint(format!("delete it yourself: {}", target.minikube("delete"))),
            }))
        }
        (_, State::EngineDown(_)) => Verdict::Skip("the engine does not respond".into()),
    }
}

/// Whether kstrim created it or may use it.
pub(crate) async fn owner(ground: &Ground) -> Verdict {
    let Some(profile) = ground.profile().await else { return Verdict::Skip("none exists yet".into()) };
    match ground.ours.get() {
        None => Verdict::Skip("the profile cannot be checked".into()),
        Some(true) => Verdict::Ok("created by kstrim".into()),
        Some(false) if ground.settings.adopt => {
            Verdict::Ok("not created by kstrim, but used (--adopt)".into())
        }
        Some(false) if matches!(ground.owner().await, Some(Owner::Unproven(_))) => {
            Verdict::Fail(Box::new(refusals::unproven(
                &ground.settings.target,
                &refusals::up_of(&ground.settings.target).arg("--adopt"),
            )))
        }
        Some(false) => Verdict::Fail(refusals::foreign_to(
            &ground.settings.target,
            errors::PROFILE_FOREIGN,
            &format!("the minikube profile {}", profile.name),
            "--profile",
        )),
    }
}

/// Whether it has the requested settings.
pub(crate) async fn settings(ground: &Ground) -> Verdict {
    let Some(profile) = ground.profile().await else { return Verdict::Skip("none exists yet".into()) };
    Verdict::of(unchanged(ground, &profile).map(|()| "it has all requested settings".into()))
}

/// Name every setting that minikube would silently ignore or refuse on an existing profile.
fn unchanged(ground: &Ground, profile: &Profile) -> Result<()> {
    let settings = &ground.settings;
    let mut changes = Vec::new();
    if let Some(memory) = settings.memory.as_deref().and_then(memory_mb)
        && memory != profile.memory_mb
    {
        changes.push(format!("memory: it has {} MiB, requested {memory} MiB", profile.memory_mb));
    }
    if let Some(cpus) = settings.cpus.as_deref().and_then(|c| c.parse::<u64>().ok())
        && cpus != profile.cpus
    {
        changes.push(format!("CPUs: it has {}, requested {cpus}", profile.cpus));
    }
    if let Some(driver) = &settings.driver
        && *driver != profile.driver
    {
        changes.push(format!("driver: it has {}, requested {driver}", profile.driver));
    }
    if let Some(nodes) = settings.nodes
        && nodes as usize != profile.nodes
    {
        changes.push(format!("nodes: it has {}, requested {nodes}", profile.nodes));
    }
    if let (Some(asked), Ok(live)) = (&settings.kubernetes, profile.kubernetes.parse::<Version>())
        && asked.is_lower_than(&live)
    {
        changes.push(format!("Kubernetes: it has {live}, requested the lower {asked}"));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(
        errors::PROFILE_SETTINGS,
        Kind::Usage,
        format!("the profile {} exists and cannot be changed like this", profile.name),
    );
    for change in changes {
        failure = failure.because(change);
    }
    let target = &settings.target;
    Err(Box::new(failure.hint(format!("keep it unchanged: {}", target.kstrim("up"))).hint(format!(
        "or create it again: delete it, then run the same command again: {}",
        target.kstrim("down")
    ))))
}

/// Whether its Kubernetes version is supported by the release.
pub(crate) async fn kubernetes(ground: &Ground) -> Verdict {
    let Some(profile) = ground.profile().await else { return Verdict::Skip("none exists yet".into()) };
    Verdict::of(match ground.choice().await {
        Ok(choice) => supported(&ground.settings, choice.release, &profile),
        Err(failure) => Err(failure),
    })
}

fn supported(settings: &Settings, release: &Release, profile: &Profile) -> Result<String> {
    match profile.kubernetes.parse::<KubernetesVersion>() {
        Ok(live) if !release.kubernetes.contains(live.minor()) && settings.allow_unsupported => Ok(format!(
            "Kubernetes {}, which Strimzi {} does not support: --allow-unsupported",
            profile.kubernetes, release.version
        )),
        Ok(live) if !release.kubernetes.contains(live.minor()) => {
            let what = format!("the profile {} runs Kubernetes {}", profile.name, profile.kubernetes);
            Err(Box::new(unsupported(settings, release, &what, live.minor())))
        }
        _ => Ok(format!("Kubernetes {}, which Strimzi {} supports", profile.kubernetes, release.version)),
    }
}

/// The failure if the live Kubernetes version, described by `what`, is not supported by the release.
pub(crate) fn unsupported(settings: &Settings, release: &Release, what: &str, live: Minor) -> Failure {
    let (target, version) = (&settings.target, &release.version);
    let message = format!("{what}, which Strimzi {version} does not support");
    let failure = Failure::new(errors::KUBERNETES_UNSUPPORTED, Kind::Prerequisite, message)
        .because(format!("Strimzi {version} supports Kubernetes {}", release.kubernetes));
    let asked = Partial {
        kafka: settings.kafka.clone(),
        kubernetes: Some(KubernetesVersion::Minor(live)),
        mode: settings.preset.map(|preset| Preset::from(preset).mode()),
        ..Partial::default()
    };
    let failure = match catalogue::nearest(version, &asked) {
        Some(near) => failure.hint(format!(
            "use the nearest Strimzi that supports it (Kubernetes {}): {}",
            near.kubernetes,
            refusals::up_of(target).with("--release", &near.version)
        )),
        None => {
            failure.because(format!("no Strimzi release in the catalogue supports Kubernetes {live}")).hint(
                format!("check whether a newer kstrim supports it: {}", CommandLine::new("kstrim versions")),
            )
        }
    };
    let nearest = release.kubernetes.nearest(live);
    let failure = match &target.context {
        Some(_) => failure.hint(format!(
            "or use a cluster with the nearest Kubernetes that Strimzi {version} supports: {nearest}"
        )),
        None => failure.hint(format!(
            "or create another profile with the nearest Kubernetes that Strimzi {version} supports: {}",
            refusals::up_of(target)
                .with("--profile", "another-name")
                .with("--release", version)
                .with("--kubernetes-version", nearest)
        )),
    };
    failure.hint(format!(
        "or try it anyway: {}",
        refusals::up_of(target).with("--release", version).arg("--allow-unsupported")
    ))
}

/// What the live operators do not allow.
pub(crate) async fn operator(ground: &Ground) -> Verdict {
    match ground.operators.get() {
        None => Verdict::Skip("the cluster was not checked".into()),
        Some(operators) => Verdict::of(against(ground, operators).await),
    }
}

async fn against(ground: &Ground, operators: &[Value]) -> Result<String> {
    let choice = ground.choice().await?;
    let (found, live) = fits(ground, &choice.release.version, operators)?;
    if let Some(live) = live {
        older(ground, &choice.release.version, &live).await?;
    }
    Ok(match ground.newer().await {
        Some(newer) => format!(
            "{found}; {newer} is available: {}",
            ground.settings.target.kstrim("upgrade --dry-run --release").arg(&newer)
        ),
        None => found,
    })
}

/// A Kafka cluster must be upgraded to a later Strimzi in steps, possibly through intermediate releases; without one,
/// only the operator is replaced.
async fn older(ground: &Ground, asked: &Version, live: &Version) -> Result<()> {
    let target = &ground.settings.target;
    let kubectl = ground.kubectl.as_ref().map_err(Clone::clone)?;
    let mut there = false;
    for version in ["v1", "v1beta2"] {
        let path = format!(
            "/apis/kafka.strimzi.io/{version}/namespaces/{}/kafkas/{}",
            target.namespace, target.cluster
        );
        there |= matches!(kubectl.find(&path).await, Ok(Some(_)));
    }
    if live >= asked || !there {
        return Ok(());
    }
    Err(Box::new(
        Failure::new(
            errors::RELEASE_UPGRADE,
            Kind::Usage,
            format!(
                "Strimzi {live} is installed and runs the Kafka cluster {}; `up` does not upgrade it",
                target.cluster
            ),
        )
        .because("Strimzi and Kafka are upgraded in steps, with a smoke test after each step")
        .hint(format!("upgrade: {}", target.kstrim("upgrade --release").arg(asked)))
        .hint(format!("or keep it: {}", refusals::up_of(target).with("--release", live))),
    ))
}

/// Installing an older Strimzi over a newer one would leave the stored versions of the newer CRDs behind; a second
/// one in another namespace would replace the subjects of the first one's cluster-wide bindings.
fn fits(ground: &Ground, asked: &Version, operators: &[Value]) -> Result<(String, Option<Version>)> {
    let target = &ground.settings.target;
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (mut found, mut installed) = ("kstrim has not installed one".to_owned(), None);
    for operator in operators.iter().filter(|o| text(o, "/metadata/name") == OPERATOR) {
        let namespace = text(operator, "/metadata/namespace");
        if namespace != target.namespace.as_str() {
            return Err(Box::new(
                Failure::new(
                    errors::OPERATOR_ELSEWHERE,
                    Kind::Foreign,
                    format!("Strimzi already runs in the namespace {namespace} of this profile"),
                )
                .because("its permissions are cluster-wide, so a profile can have only one")
                .hint(format!("use that one: {}", refusals::up_of(target).with("--namespace", &namespace)))
                .hint(format!(
                    "or create another profile: {}",
                    refusals::up_of(target).with("--profile", "another-name")
                )),
            ));
        }
        let live = ownership::release(operator).and_then(|r| r.parse::<Version>().ok());
        if let Some(live) = live.as_ref().filter(|live| *live > asked) {
            return Err(Box::new(
                Failure::new(
                    errors::RELEASE_DOWNGRADE,
                    Kind::Usage,
                    format!("Strimzi {live} is installed; it cannot be replaced by the older {asked}"),
                )
                .hint(format!("keep it: {}", refusals::up_of(target).with("--release", live)))
                .hint(format!("or start over: {}", target.kstrim("down --keep-cluster --yes"))),
            ));
        }
        found = live
            .as_ref()
            .map_or("Strimzi is installed".into(), |live| format!("Strimzi {live} is installed"));
        installed = live;
    }
    Ok((found, installed))
}

/// minikube's own certificates for the profile.
pub(crate) async fn certificates(ground: &Ground) -> Verdict {
    let Some(profile) = ground.profile().await else { return Verdict::Skip("none exists yet".into()) };
    let home = ground.host.minikube_home();
    let folder = home.join("profiles").join(&profile.name);
    let files = [folder.join("client.crt"), folder.join("apiserver.crt"), home.join("ca.crt")];
    judge_certificates(&files, Timestamp::now(), &profile.name)
}

fn judge_certificates(files: &[impl AsRef<Path>], now: Timestamp, profile: &str) -> Verdict {
    let read = |path: &Path| {
        Some((path.to_owned(), super::certificate::earliest_expiry(&std::fs::read(path).ok()?)?))
    };
    let Some((path, end)) = files.iter().filter_map(|f| read(f.as_ref())).min_by_key(|(_, end)| *end) else {
        return Verdict::Skip("minikube has none in the expected location".into());
    };
    let day = end.strftime("%Y-%m-%d");
    let failure = |message: String| {
        Box::new(
            Failure::new(errors::CERTIFICATES_EXPIRED, Kind::Task, message)
                .because(format!("{} is valid until {end}", path.display()))
                .hint(format!(
                    "minikube renews them when it starts: {} && {}",
                    CommandLine::minikube("stop", profile),
                    CommandLine::minikube("start", profile)
                )),
        )
    };
    if end <= now {
        return Verdict::Fail(failure(format!("certificates of the profile {profile} expired on {day}")));
    }
    if end.duration_since(now) < SOON {
        return Verdict::Warn(failure(format!("certificates of the profile {profile} expire on {day}")));
    }
    Verdict::Ok(format!("valid until {day}"))
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
