//! Builds the document from the responses. Pure functions.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::components::{created_by_kstrim, why};
use super::data::{self, Level, ProfileState, Status, VERSION};
use super::{components, topics};
use crate::cluster::journal::{Suspension, SuspensionState};
use crate::cluster::operator_owner::{self, Owner};
use crate::command_line::Aim;
use crate::explain::ready::{self};
use crate::explain::{self, Answers, Expect, Probe, Scene, Scope, Verdict};
use crate::failure::{Failure, Id};
use crate::kube::Snapshot;
use crate::kube::kafka::{Kafka, KafkaNodePool};
use crate::kube::pod::{Claim, Pod, State as ContainerState};
use crate::kube::strimzi::pauses;
use crate::names::is_context;
use crate::tool::minikube_output::{Listed, State};

/// The target, as the user specified it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// minikube profile.
    pub profile: String,
    /// Namespace of the operator and the Kafka cluster.
    pub namespace: String,
    /// Name of the Kafka cluster.
    pub cluster: String,
    /// Flags that select the target in commands to paste.
    pub aims: Vec<Aim>,
}

/// Information other than the cluster's objects.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The target.
    pub place: Place,
    /// minikube's entry for the profile.
    pub listed: Option<Listed>,
    /// minikube's state of its machine.
    pub state: Option<State>,
    /// Whether kstrim created the profile.
    pub ours: bool,
    /// When kstrim stopped or paused it, if nobody has started it since.
    pub suspended: Option<Suspension>,
    /// Whether kstrim's own kubeconfig leads to the cluster.
    pub our_kubeconfig: bool,
    /// minikube's version.
    pub minikube: Option<String>,
    /// kubectl's version.
    pub kubectl: Option<String>,
    /// Whether the API server responds, and its Kubernetes version; `None` if it was not queried.
    pub api: Option<Result<String, String>>,
    /// The version in which Strimzi's resources were read, if they are served.
    pub strimzi_api: Option<&'static str>,
    /// Errors while looking.
    pub troubles: Vec<Failure>,
}

impl Facts {
    /// What is expected of the cluster: a Kafka resource and its operator in one namespace.
    pub(crate) fn expect(&self) -> Expect {
        let place = &self.place;
        let mut expect = Expect::kafka(&place.namespace, &place.cluster).scope(Scope::Everything);
        expect.aims.clone_from(&place.aims);
        expect.by_minikube = (!self.our_kubeconfig).then(|| place.profile.clone());
        expect
    }

    fn answers(&self) -> bool {
        matches!(self.api, Some(Ok(_)))
    }
}

/// State that is kept between looks; a single look starts empty.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Results of the rules' probes.
    pub answers: Answers,
    /// Probes that the last look did not run.
    pub open: Vec<Probe>,
    first_seen: FirstSeen,
}

/// Since when findings have been seen, by our own clock.
type FirstSeen = BTreeMap<(Id, String), Timestamp>;

/// The document. `snapshot` is empty unless the API server responds.
pub(crate) fn status(facts: &Facts, snapshot: &Snapshot, memory: &mut Memory, now: Timestamp) -> Status {
    let expect = facts.expect().located(snapshot);
    let scene = Scene { snapshot, expect: &expect, answers: &memory.answers, now };
    let verdict = if facts.answers() { verdict(&scene, &mut memory.first_seen) } else { Verdict::default() };
    memory.open.clone_from(&verdict.probes);
    let operator = operator(&scene, &verdict);
    let kafka = kafka(&scene, &verdict);
    let components = components::components(&scene, &verdict);
    let standing = standing(facts, &scene, &verdict, operator.as_ref(), kafka.as_ref(), &components);
    let mut findings: Vec<data::Finding> = facts.troubles.iter().map(trouble).collect();
    // That Strimzi is not installed is not a problem by itself; `reason` reports it.
    let nothing = operator.is_none() && kafka.is_none();
    let of_nothing = |f: &&explain::Finding| !nothing || f.id.as_str() != "KS-OPERATOR-MISSING";
    findings.extend(verdict.findings.iter().filter(of_nothing).map(|f| finding(f, now, &memory.first_seen)));
    Status {
        v: VERSION,
        time: now,
        ready: standing.is_none(),
        reason: standing.as_ref().map(|s| s.reason.clone()),
        next: standing.map(|s| s.next).unwrap_or_default(),
        profile: profile(facts),
        api_server: data::ApiServer {
            answers: facts.answers(),
            error: facts.api.as_ref().and_then(|a| a.as_ref().err()).cloned(),
        },
        nodes: nodes(snapshot),
        namespace: snapshot.namespace(&expect.namespace).map(|ns| data::Namespace {
            name: ns.0.name().to_owned(),
            terminating: ns.terminating(),
            ours: created_by_kstrim(ns.0),
        }),
        versions: data::Versions {
            kstrim: env!("CARGO_PKG_VERSION").to_owned(),
            minikube: facts.minikube.clone(),
            kubectl: facts.kubectl.clone(),
            kubernetes: facts.api.as_ref().and_then(|a| a.as_ref().ok()).cloned(),
            strimzi: operator.as_ref().and_then(|o| o.release.clone()),
            strimzi_api: facts.strimzi_api.map(str::to_owned),
            kafka: kafka.as_ref().and_then(|k| k.version.clone()),
        },
        addresses: scene.kafka().map(|k| addresses(&k)).unwrap_or_default(),
        pools: scene.pools().map(|p| pool(&scene, &p)).collect(),
        pods: pods(&scene),
        topics: topics::topics(&scene),
        components,
        storage: storage(&scene),
        operator,
        kafka,
        findings,
    }
}

fn nodes(snapshot: &Snapshot) -> Vec<data::Node> {
    let all = snapshot.nodes().map(|node| data::Node { name: node.0.name().to_owned(), ready: node.ready() });
    let mut all: Vec<data::Node> = all.collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The rules' findings, and which cause is certain: by the objects' own times, since a single look has no memory, or
/// by how long it has been seen.
fn verdict(scene: &Scene<'_>, first_seen: &mut FirstSeen) -> Verdict {
    let mut findings = explain::findings(scene);
    findings.retain(|f| !f.usual_at(scene.now));
    let key = |f: &explain::Finding| (f.id, f.subject.clone());
    first_seen.retain(|seen, _| findings.iter().any(|f| key(f) == *seen));
    for finding in &findings {
        first_seen.entry(key(finding)).or_insert(scene.now);
    }
    let certain = findings.iter().any(|f| level(f, scene.now, first_seen) == Level::Cause);
    let terminal = findings.iter().find(|f| certain && f.certain_after.is_some()).cloned();
    let mut probes: Vec<_> = findings.iter().flat_map(|f| f.probes.iter().cloned()).collect();
    probes.retain(|p| !scene.answers.contains_key(p));
    probes.sort();
    probes.dedup();
    Verdict { terminal, findings, probes }
}

fn level(finding: &explain::Finding, now: Timestamp, first_seen: &FirstSeen) -> Level {
    let Some(after) = finding.certain_after else { return Level::Warning };
    if finding.stands {
        return Level::Cause;
    }
    let seen = first_seen.get(&(finding.id, finding.subject.clone())).copied();
    let since = finding.since.into_iter().chain(seen).min().unwrap_or(now);
    let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
    if now.duration_since(since) >= after { Level::Cause } else { Level::Suspicion }
}

/// Why it is not ready, and what to do.
struct Standing {
    reason: String,
    next: Vec<String>,
}

/// The first thing that is missing, from the machine up; `None` if everything is ready.
fn standing(
    facts: &Facts,
    scene: &Scene<'_>,
    verdict: &Verdict,
    operator: Option<&data::Operator>,
    kafka: Option<&data::Kafka>,
    components: &[data::Component],
) -> Option<Standing> {
    let Place { profile, namespace, cluster, .. } = &facts.place;
    let command = |words| scene.expect.kstrim(words).to_string();
    let missing = |reason: String| Some(Standing { reason, next: vec![command("up")] });
    // `up` starts it, too, but applies its own settings.
    let rests = |reason: String, verb| {
        let next = command(if facts.ours { verb } else { "up" });
        Some(Standing { reason, next: vec![next] })
    };
    let waiting = |reason: String| {
        // A certain cause has its own hints; otherwise it only needs time.
        let watch = verdict.terminal.is_none().then(|| command("status --watch"));
        Some(Standing { reason, next: watch.into_iter().collect() })
    };
    if !facts.answers() {
        return match profile_state(facts) {
            ProfileState::Absent => missing(format!("the minikube profile {profile} does not exist")),
            ProfileState::Broken => missing(format!("the minikube profile {profile} was never started")),
            ProfileState::Paused => rests(format!("the minikube profile {profile} is paused"), "unpause"),
            ProfileState::Stopped => rests(format!("the minikube profile {profile} is stopped"), "start"),
            ProfileState::Gone => {
                missing(format!("the machine of the minikube profile {profile} does not exist"))
            }
            ProfileState::Partial => missing(format!(
                "the minikube profile {profile} is only partly started: its API server is not running"
            )),
            ProfileState::EngineDown => Some(Standing {
                reason: "the container engine or hypervisor of minikube does not respond".to_owned(),
                next: Vec::new(),
            }),
            ProfileState::Running | ProfileState::Unknown => {
                let whose = if is_context(profile) { "cluster" } else { "minikube profile" };
                missing(format!("the API server of the {whose} {profile} does not respond"))
            }
        };
    }
    match scene.snapshot.namespace(namespace) {
        None => return missing(format!("the namespace {namespace} does not exist")),
        Some(ns) if ns.terminating() => {
            return waiting(format!("the namespace {namespace} is being deleted"));
        }
        Some(_) => {}
    }
    if facts.strimzi_api.is_none() {
        return missing("Strimzi is not installed: the cluster has none of its CRDs".into());
    }
    let Some(operator) = operator else {
        return missing(format!("no Strimzi operator watches the namespace {namespace}"));
    };
    let Some(kafka) = kafka else {
        return missing(format!("the Kafka cluster {cluster} does not exist in the namespace {namespace}"));
    };
    if kafka.paused && !kafka.ready {
        // Waiting will not help either; the finding has the command that does.
        let reason = format!("the operator does not reconcile Kafka {cluster}: it is paused");
        return Some(Standing { reason, next: Vec::new() });
    }
    let part = || components.iter().find_map(|c| Some(format!("{}: {}", c.name, c.reason.as_ref()?)));
    match kafka.reason.clone().or_else(|| operator.reason.clone()).or_else(part) {
        // `up` restarts a node of its own profile; waiting does not.
        Some(reason) if facts.ours && scene.snapshot.nodes().any(|node| !node.ready()) => missing(reason),
        Some(reason) => waiting(reason),
        None => None,
    }
}

fn profile_state(facts: &Facts) -> ProfileState {
    match (&facts.listed, &facts.state) {
        (Some(Listed::Broken), Some(State::Absent) | None) => ProfileState::Broken,
        (_, Some(State::Absent)) | (Some(Listed::Absent), None) => ProfileState::Absent,
        (_, Some(State::Running)) => ProfileState::Running,
        (_, Some(State::Paused)) => ProfileState::Paused,
        (_, Some(State::Stopped)) => ProfileState::Stopped,
        (_, Some(State::Partial)) => ProfileState::Partial,
        (Some(Listed::Broken), Some(State::Gone)) => ProfileState::Broken,
        (_, Some(State::Gone)) => ProfileState::Gone,
        (_, Some(State::EngineDown(_))) => ProfileState::EngineDown,
        (_, None) => ProfileState::Unknown,
    }
}

/// Since when it is stopped or paused. Whether it is comes from the machine, the time from the journal.
fn since(facts: &Facts) -> Option<Timestamp> {
    let suspended = facts.suspended?;
    let is = matches!(
        (profile_state(facts), suspended.state),
        (ProfileState::Stopped, SuspensionState::Stopped) | (ProfileState::Paused, SuspensionState::Paused)
    );
    is.then_some(suspended.since)
}

fn profile(facts: &Facts) -> data::Profile {
    let valid = match &facts.listed {
        Some(Listed::Valid(profile)) => Some(profile),
        _ => None,
    };
    let known = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
    data::Profile {
        name: facts.place.profile.clone(),
        state: profile_state(facts),
        since: since(facts),
        ours: facts.ours,
        driver: valid.and_then(|p| known(&p.driver)),
        memory_mb: valid.map(|p| p.memory_mb),
        cpus: valid.map(|p| p.cpus),
        nodes: valid.map(|p| p.nodes as u64),
        runtime: valid.and_then(|p| known(&p.runtime)),
        kubernetes: valid.and_then(|p| known(&p.kubernetes)),
    }
}

fn operator(scene: &Scene<'_>, verdict: &Verdict) -> Option<data::Operator> {
    let found = scene.operator()?;
    let reason = why(ready::operator(scene, verdict));
    let owner = Owner::of(found.0.json());
    Some(data::Operator {
        name: found.0.name().to_owned(),
        namespace: found.0.namespace().to_owned(),
        release: operator_owner::release_text(found.0),
        available: reason.is_none(),
        reason,
        image: found.image().to_owned(),
        ours: created_by_kstrim(found.0),
        owner: data::OperatorOwner { kind: owner.kind().to_owned(), description: owner.to_string() },
    })
}

fn kafka(scene: &Scene<'_>, verdict: &Verdict) -> Option<data::Kafka> {
    let kafka = scene.kafka()?;
    let reason = why(ready::kafka(scene, verdict));
    let known = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Some(data::Kafka {
        name: kafka.0.name().to_owned(),
        ready: reason.is_none(),
        reason,
        version: known(kafka.version()),
        wanted_version: known(kafka.requested_version()),
        metadata_version: known(kafka.metadata_version()),
        cluster_id: known(kafka.cluster_id()),
        generation: kafka.0.generation(),
        observed_generation: kafka.0.observed_generation(),
        // The condition persists after the annotation was removed until the operator has reconciled.
        paused: kafka.paused().is_some() && pauses(kafka.0),
        deleting: kafka.0.deleting(),
        conditions: kafka
            .0
            .conditions()
            .filter(|c| c.kind != "Warning")
            .map(|c| data::Condition {
                kind: c.kind.to_owned(),
                status: c.status.to_owned(),
                reason: known(c.reason),
                message: known(c.message),
                since: c.last_transition,
            })
            .collect(),
        warnings: kafka.warnings().map(str::to_owned).collect(),
        ours: created_by_kstrim(kafka.0),
    })
}

fn pool(scene: &Scene<'_>, pool: &KafkaNodePool<'_>) -> data::Pool {
    let name = pool.0.name();
    let mine = |p: &Pod<'_>| p.0.label("strimzi.io/pool-name") == Some(name);
    data::Pool {
        name: name.to_owned(),
        roles: pool.roles().into_iter().map(str::to_owned).collect(),
        wanted: pool.requested_replicas(),
        ready: scene.nodes().filter(|p| mine(p) && p.ready()).count() as u64,
        node_ids: pool.node_ids().into_iter().map(i64::from).collect(),
        observed: pool.0.observed(),
    }
}

fn pods(scene: &Scene<'_>) -> Vec<data::Pod> {
    let cluster = scene.expect.cluster.as_str();
    scene
        .snapshot
        .pods(&scene.expect.namespace)
        .filter(|p| p.cluster() == Some(cluster))
        .chain(scene.snapshot.pods(&scene.expect.operator_namespace).filter(Pod::is_operator))
        .map(|p| data::Pod {
            name: p.0.name().to_owned(),
            part: part(&p, cluster),
            phase: p.phase().to_owned(),
            ready: p.ready(),
            restarts: p.containers().map(|c| c.restarts()).sum(),
            state: pod_state(scene.snapshot, p),
            node: Some(p.node().to_owned()).filter(|n| !n.is_empty()),
            images: p
                .containers()
                .map(|c| data::Image {
                    container: c.name().to_owned(),
                    image: c.image().to_owned(),
                    digest: c.digest().map(str::to_owned),
                })
                .collect(),
        })
        .collect()
}

fn pod_state(snapshot: &Snapshot, pod: Pod<'_>) -> String {
    match pod.phase() {
        _ if pod.ready() => "running".to_owned(),
        "Succeeded" => "completed".to_owned(),
        // The finding names the image; here there is not enough room.
        _ if pod
            .containers()
            .any(|c| matches!(c.state(), ContainerState::Waiting { reason, .. } if pull_state(reason))) =>
        {
            "image cannot be pulled".to_owned()
        }
        _ => ready::pod_state_in(snapshot, pod),
    }
}

fn pull_state(reason: &str) -> bool {
    matches!(reason, "ErrImagePull" | "ImagePullBackOff")
}

fn part(pod: &Pod<'_>, cluster: &str) -> data::Part {
    if pod.is_operator() {
        data::Part::Operator
    } else if pod.is_kafka_node_of(cluster) {
        data::Part::Kafka
    } else if pod.0.label("strimzi.io/name").is_some_and(|n| n.ends_with("-entity-operator")) {
        data::Part::EntityOperator
    } else {
        data::Part::Other
    }
}

fn storage(scene: &Scene<'_>) -> data::Storage {
    let cluster = scene.expect.cluster.as_str();
    let kept = scene.synced(crate::kube::Kind::Kafka) && scene.kafka().is_none();
    let claims: Vec<data::Claim> = scene
        .snapshot
        .claims(&scene.expect.namespace)
        .filter(|c| c.cluster() == Some(cluster))
        .map(|c| data::Claim {
            name: c.0.name().to_owned(),
            size: size(&c),
            class: c.storage_class().map(str::to_owned),
            phase: if c.0.deleting() { "Terminating".to_owned() } else { c.0.phase().to_owned() },
            bound: c.bound(),
            kept,
        })
        .collect();
    data::Storage { kept: claims.iter().filter(|c| c.kept).count() as u64, claims }
}

fn size(claim: &Claim<'_>) -> String {
    ["/status/capacity/storage", "/spec/resources/requests/storage"]
        .iter()
        .find_map(|at| claim.0.json().pointer(at)?.as_str())
        .unwrap_or("")
        .to_owned()
}

fn addresses(kafka: &Kafka<'_>) -> data::Addresses {
    let listeners: Vec<data::Listener> = kafka
        .addresses()
        .filter(|a| !a.bootstrap.is_empty())
        .map(|a| data::Listener {
            name: a.name.to_owned(),
            kind: a.listener.map_or("", |l| l.kind()).to_owned(),
            tls: a.listener.is_some_and(|l| l.tls()),
            bootstrap: a.bootstrap.to_owned(),
        })
        .collect();
    let first = listeners.iter().find(|l| !l.tls).or(listeners.first());
    data::Addresses { bootstrap: first.map(|l| l.bootstrap.clone()), listeners }
}

fn finding(found: &explain::Finding, now: Timestamp, first_seen: &FirstSeen) -> data::Finding {
    data::Finding {
        id: found.id.to_string(),
        subject: found.subject.clone(),
        sentence: found.sentence.clone(),
        evidence: found.evidence.clone(),
        hints: found.hints.clone(),
        level: level(found, now, first_seen),
        since: found.since,
    }
}

fn trouble(failure: &Failure) -> data::Finding {
    data::Finding {
        id: failure.id.to_string(),
        subject: "minikube".to_owned(),
        sentence: failure.message.clone(),
        evidence: failure.causes.join("; "),
        hints: failure.hints.clone(),
        level: Level::Cause,
        since: None,
    }
}
