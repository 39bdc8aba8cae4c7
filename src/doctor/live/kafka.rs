//! Kafka in the cluster.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Cluster, findings, foreign};
use crate::checks::{Ground, certificate};
use crate::cluster::brokers::{self, Brokers};
use crate::cluster::forwards::Forwards;
use crate::config::Target;
use crate::doctor::data::Outcome;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::kafka::error::{KafkaError, code};
use crate::kafka::smoke::Plan;
use crate::kube::strimzi::KafkaUser;
use crate::kube::{Api, Kind as ObservedKind};
use crate::names::is_internal_topic;

/// How long before its expiry a certificate causes a warning: Strimzi should have renewed it 16 days earlier.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Free space below which a broker will soon stop, MiB: it creates segments of up to 1 GiB.
const FULL_MB: u64 = 512;
/// Free space below which a warning is printed, MiB.
const TIGHT_MB: u64 = 2048;
/// How long a broker may take to respond.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the messages of `--smoke` may take.
const SMOKE: Duration = Duration::from_secs(60);

/// Whether Kafka is ready at its current generation.
pub(crate) async fn ready(ground: &Ground, cluster: &Cluster) -> Outcome {
    let status = &cluster.status;
    let Some(kafka) = &status.kafka else {
        return Outcome::skipped(format!("there is no Kafka {} yet", ground.settings.target.cluster));
    };
    if !kafka.ours && !ground.settings.adopt {
        let what = format!("the Kafka {}", kafka.name);
        return foreign(ground, errors::KAFKA_FOREIGN, &what, "--cluster");
    }
    if let Some(outcome) = findings(status, "kafka.ready") {
        return outcome;
    }
    match &kafka.reason {
        None => {
            // Releases before 0.37 do not have it in the status.
            let version = kafka.version.as_ref().or(kafka.wanted_version.as_ref());
            let version = version.map(|version| format!(", Kafka {version}")).unwrap_or_default();
            Outcome::ok(format!("{} is ready{version}", kafka.name))
        }
        Some(reason) => Outcome::warning(
            &Failure::new(
                errors::KAFKA_NOT_READY,
                Kind::Task,
                format!("the Kafka cluster {} is not ready: {reason}", kafka.name),
            )
            .hint(format!("follow it: {}", ground.settings.target.kstrim("status --watch"))),
        ),
    }
}

/// Whether every topic and user is ready.
pub(crate) async fn topics(ground: &Ground, cluster: &Cluster) -> Outcome {
    if let Some(outcome) = findings(&cluster.status, "kafka.topics") {
        return outcome;
    }
    // The topic operator of older releases also creates resources for Kafka's own topics.
    let topics = cluster.status.topics.iter().filter(|t| !is_internal_topic(&t.topic));
    let topics: Vec<_> = topics.map(|t| (t.topic.as_str(), t.reason.clone())).collect();
    let target = &ground.settings.target;
    let users = cluster.snapshot().all(ObservedKind::KafkaUser).map(KafkaUser);
    let users: Vec<_> = users
        .filter(|u| u.0.namespace() == target.namespace.as_str())
        .filter(|u| u.cluster().is_none_or(|c| c == target.cluster.as_str()))
        .map(|u| (u.0.name(), u.not_ready_reason()))
        .collect();
    if topics.is_empty() && users.is_empty() {
        return Outcome::skipped("none exist yet");
    }
    let told = [("topics", &topics), ("users", &users)].into_iter().filter(|(_, all)| !all.is_empty());
    let ready = told
        .map(|(what, all)| {
            let ready = all.iter().filter(|(_, reason)| reason.is_none()).count();
            format!("{ready} of {} {what} are ready", all.len())
        })
        .collect::<Vec<_>>()
        .join(", ");
    let waiting = topics.iter().chain(&users).find_map(|(name, reason)| Some((name, reason.as_ref()?)));
    match waiting {
        None => Outcome::ok(ready),
        Some((name, why)) => Outcome::warning(
            &Failure::new(errors::KAFKA_NOT_READY, Kind::Task, format!("{ready}; {name}: {why}"))
                .hint(format!("follow them: {}", target.kstrim("status --watch"))),
        ),
    }
}

/// The cluster's certificate authorities. Strimzi renews them a month before their expiry, unless it is paused, down,
/// or configured not to.
pub(crate) async fn certificates(ground: &Ground, cluster: &Cluster) -> Outcome {
    let target = &ground.settings.target;
    if cluster.status.kafka.is_none() {
        return Outcome::skipped("the Kafka cluster does not exist yet");
    }
    let read = ["cluster-ca-cert", "clients-ca-cert"].map(|name| async move {
        let secret = format!("{}-{name}", target.cluster);
        let pem = cluster.kubectl.secret_entry(target.namespace.as_str(), &secret, "ca.crt").await;
        (secret, pem)
    });
    let mut ends = Vec::new();
    for (secret, pem) in join_all(read).await {
        match pem {
            Err(error) => return Outcome::skipped(error.message),
            Ok(pem) => ends.extend(certificate::earliest_expiry(pem.as_bytes()).map(|end| (end, secret))),
        }
    }
    judge_ends(ends, Timestamp::now(), target)
}

fn judge_ends(ends: Vec<(Timestamp, String)>, now: Timestamp, target: &Target) -> Outcome {
    let (name, namespace) = (&target.cluster, &target.namespace);
    let Some((end, secret)) = ends.into_iter().min() else {
        return Outcome::skipped("none exist yet");
    };
    let day = end.strftime("%Y-%m-%d");
    let failure = |message: String| {
        Failure::new(errors::KAFKA_CERTIFICATES, Kind::Task, message)
            .because(format!("the certificate in the Secret {secret} is valid until {end}"))
            .hint(format!(
                "the operator renews it: {}",
                target
                    .kubectl("annotate secret")
                    .arg(secret)
                    .arg("-n")
                    .arg(namespace)
                    .arg("strimzi.io/force-renew=true")
            ))
            .hint(format!(
                "check that the operator is running and the Kafka cluster is not paused: {}",
                target.kstrim("status")
            ))
    };
    if end <= now {
        return Outcome::failed(&failure(format!(
            "certificates of the Kafka cluster {name} expired on {day}"
        )));
    }
    if end.duration_since(now) < SOON {
        return Outcome::warning(&failure(format!(
            "certificates of the Kafka cluster {name} expire on {day}"
        )));
    }
    Outcome::ok(format!("valid until {day}"))
}

/// Free space in the brokers' volumes, from the kubelet. It does not measure the volumes of minikube's own
/// provisioner, which are directories of the node: then the node's disk counts.
pub(crate) async fn volumes(ground: &Ground, cluster: &Cluster) -> Outcome {
    if let Some(outcome) = findings(&cluster.status, "kafka.volumes") {
        return outcome;
    }
    if cluster.status.storage.claims.is_empty() {
        return Outcome::skipped("none exist");
    }
    let nodes: Vec<&str> = cluster.snapshot().nodes().map(|n| n.0.name()).collect();
    let paths: Vec<String> = nodes.iter().map(|n| format!("/api/v1/nodes/{n}/proxy/stats/summary")).collect();
    let answers = join_all(paths.iter().map(|path| cluster.kubectl.get(path))).await;
    let mut rooms = Vec::new();
    for (node, answer) in nodes.iter().zip(answers) {
        match answer {
            Ok(summary) => rooms.extend(rooms_of(&summary, node, ground.settings.target.namespace.as_str())),
            Err(error) => {
                return Outcome::skipped(format!("the kubelet does not report it: {}", error.message));
            }
        }
    }
    judge_rooms(&rooms)
}

/// Free space of something, MiB.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Room {
    free_mb: u64,
    of_mb: u64,
    what: String,
}

/// The free space of a namespace's claims and of the node's disk in a kubelet's summary
/// (`k8s.io/kubelet/pkg/apis/stats/v1alpha1`).
fn rooms_of(summary: &Value, node: &str, namespace: &str) -> Vec<Room> {
    let room = |stats: &Value, what: String| {
        let mb = |key: &str| Some(stats[key].as_u64()? >> 20);
        Some(Room { free_mb: mb("availableBytes")?, of_mb: mb("capacityBytes")?, what })
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut rooms: Vec<Room> =
        room(&summary["node"]["fs"], format!("the disk of node {node}")).into_iter().collect();
    for pod in list(&summary["pods"]).iter().filter(|p| p["podRef"]["namespace"] == namespace) {
        for volume in list(&pod["volume"]).iter().filter(|v| v["pvcRef"]["namespace"] == namespace) {
            let claim = volume["pvcRef"]["name"].as_str().unwrap_or_default();
            rooms.extend(room(volume, format!("the volume {claim}")));
        }
    }
    rooms
}

fn judge_rooms(rooms: &[Room]) -> Outcome {
    let Some(least) = rooms.iter().min() else {
        return Outcome::skipped("the kubelet does not report it");
    };
    let gib = crate::checks::machine::gib;
    let Room { free_mb, of_mb, what } = least;
    let failure = |message: String| {
        Failure::new(errors::VOLUME_FULL, Kind::Task, message)
            .hint("free space on this machine: docker system df; docker system prune")
            .hint("or lower retention.ms or retention.bytes of large topics")
    };
    let message = format!("{what} has {} of {} free", gib(*free_mb), gib(*of_mb));
    match *free_mb {
        free if free < FULL_MB => Outcome::failed(&failure(message)),
        free if free < TIGHT_MB => Outcome::warning(&failure(message)),
        _ => Outcome::ok(message),
    }
}

/// Whether a broker responds and every partition of the topic has a leader; with `--smoke`, whether messages are
/// produced and consumed.
pub(crate) async fn smoke(ground: &Ground, cluster: &Cluster) -> Outcome {
    let target = &ground.settings.target;
    let topic = ground.settings.topic.as_str();
    if !cluster.status.kafka.as_ref().is_some_and(|k| k.ready) {
        return Outcome::skipped("the Kafka cluster is not ready");
    }
    let dial = Forwards::new(cluster.kubectl.clone(), target.namespace.as_str());
    let found = Brokers::find(cluster.snapshot(), target, dial);
    let brokers = match found {
        Ok(brokers) => brokers,
        // TLS or authentication on every listener is a valid choice. `doctor` creates no user: `smoke-test` does.
        Err(failure) if failure.id == errors::NO_PLAIN_LISTENER => {
            let failure = failure
                .hint(format!("or test it as a user of the test's own: {}", target.kstrim("smoke-test")));
            return match ground.messages {
                true => Outcome::failed(&failure),
                false => Outcome::warning(&failure),
            };
        }
        Err(failure) => return Outcome::failed(&failure),
    };
    let deadline = tokio::time::Instant::now() + ANSWER;
    let answer = async { brokers.client(deadline).await?.topic_now(topic, deadline).await };
    match answer.await {
        Ok(found) if !ground.messages => Outcome::ok(format!(
            "a broker responds; every partition of topic {topic} has a leader ({} in total)",
            found.partitions()
        )),
        Err(KafkaError::Broker { code, .. })
            if code == code::UNKNOWN_TOPIC_OR_PARTITION && !ground.messages =>
        {
            Outcome::ok(format!("a broker responds; topic {topic} does not exist"))
        }
        Ok(_) => messages(&brokers, topic, &ground.settings.target).await,
        Err(error) => Outcome::failed(
            &Failure::new(
                errors::SMOKE_CONNECT,
                Kind::Smoke,
                "a broker is ready, but kstrim cannot communicate with it",
            )
            .because(error)
            .hint(format!("check its log: {}", ground.settings.target.kstrim("smoke-test"))),
        ),
    }
}

async fn messages(brokers: &Brokers, topic: &str, target: &Target) -> Outcome {
    let run_id = format!("doctor-{}-{}", Timestamp::now().as_millisecond(), std::process::id());
    let plan = Plan { allow_foreign: true, timeout: SMOKE, ..Plan::new(run_id, topic, target) };
    let run = brokers.run_test(&plan, &|_| {}).await;
    match run.failure {
        None => Outcome::ok(brokers::summary(&run.report)),
        Some(failure) => Outcome::failed(&failure),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::data::Word;

    #[test]
    fn the_certificate_that_expires_first_counts() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(["kstrim", "status"]).expect("it parses");
        let target = Target::from(&cli.global);
        let judged = |ends: &[(&str, &str)], now: &str| {
            judge_ends(ends.iter().map(|(t, s)| (at(t), (*s).to_owned())).collect(), at(now), &target).word
        };
        let ends = [("2030-01-01T00:00:00Z", "a"), ("2027-01-01T00:00:00Z", "b")];
        assert_eq!(judged(&ends, "2026-11-25T00:00:00Z"), Word::Ok);
        assert_eq!(judged(&ends, "2026-12-25T00:00:00Z"), Word::Warning);
        assert_eq!(judged(&ends, "2027-01-01T00:00:00Z"), Word::Failed);
        assert_eq!(judged(&[], "2027-01-01T00:00:00Z"), Word::Skipped);
    }

    #[test]
    fn the_fullest_volume_counts() {
        let mb = |n: u64| n << 20;
        let summary = |node: u64, claim: Option<u64>| {
            let volume = claim.map(|free| {
                json!({"name": "data", "availableBytes": mb(free), "capacityBytes": mb(10_240),
                    "pvcRef": {"name": "data-0", "namespace": "kafka"}})
            });
            json!({"node": {"fs": {"availableBytes": mb(node), "capacityBytes": mb(20_480)}},
                "pods": [{"podRef": {"name": "x", "namespace": "kafka"}, "volume": [volume, {"name": "tmp"}]},
                    {"podRef": {"name": "y", "namespace": "else"}, "volume": [{"availableBytes": 0,
                        "capacityBytes": 1, "pvcRef": {"name": "z", "namespace": "else"}}]}]})
        };
        let judged = |node, claim| {
            let outcome = judge_rooms(&rooms_of(&summary(node, claim), "n", "kafka"));
            (outcome.word, outcome.found)
        };
        assert_eq!(
            judged(10_240, None),
            (Word::Ok, "the disk of node n has 10.0 GiB of 20.0 GiB free".into())
        );
        assert_eq!(judged(10_240, Some(1024)).0, Word::Warning);
        assert_eq!(
            judged(10_240, Some(100)),
            (Word::Failed, "the volume data-0 has 100 MiB of 10.0 GiB free".into())
        );
        assert_eq!(judge_rooms(&rooms_of(&json!({}), "n", "kafka")).word, Word::Skipped);
    }
}
