//! The brokers of a running Kafka cluster, reached through a port-forward to each broker's pod, and the smoke test
//! against them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::session::Session;
use crate::config::Target;
use crate::errors;
use crate::event::{SmokeReport, Unit};
use crate::failure::{Failure, Kind, Result};
use crate::kafka::admin::{Created, End, NewTopic};
use crate::kafka::client::{BrokerAddr, Client, Dial, Options};
use crate::kafka::smoke::{self, Plan, Progress, Run};
use crate::kafka::{KafkaError, Security};
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::Object;

/// Kinds that [`Brokers::of`] needs.
pub(crate) const KINDS: [ObservedKind; 2] = [ObservedKind::Kafka, ObservedKind::Pod];

/// The summary of a passed test.
pub(crate) fn summary(report: &SmokeReport) -> String {
    format!(
        "{} messages verified: produced in {} ms, consumed in {} ms",
        report.verified, report.produce_ms, report.consume_ms
    )
}

/// Run a smoke test and report its progress under the task `smoke`.
pub(crate) async fn run_smoke_test(cx: &Session, plan: &Plan) -> Result<Run> {
    cx.synced(&KINDS).await;
    let brokers = Brokers::of(cx)?;
    let shown = Cell::new(None);
    let progress = |progress: Progress| {
        // Large tests report often; for terminals and logs, an update now and then is enough.
        let now = std::time::Instant::now();
        let (message, of) = match progress {
            Progress::Connecting => ("connecting to the broker", None),
            Progress::Producing(done, total) => ("sending", Some((done, total, Unit::Items))),
            Progress::Consuming(done, total) => ("consuming", Some((done, total, Unit::Items))),
            Progress::CleaningUp => ("cleaning up", None),
        };
        let recent = shown
            .get()
            .is_some_and(|(at, what)| what == message && now.duration_since(at) < Duration::from_millis(200));
        if !recent {
            shown.set(Some((now, message)));
            cx.emit.progress(message, of);
        }
    };
    Ok(brokers.run_test(plan, &progress).await)
}

/// The brokers of the Kafka cluster, and how to connect to them.
pub(crate) struct Brokers {
    bootstrap: BrokerAddr,
    dial: Rc<dyn Dial>,
    security: Security,
    /// The cluster, for hints.
    target: Target,
}

impl Brokers {
    /// According to the session's snapshot; [`KINDS`] must be synced.
    pub(crate) fn of(cx: &Session) -> Result<Self> {
        if let Some((port, security)) = &*cx.access.credentials.borrow() {
            return Self::secured(cx, *port, security.clone());
        }
        Self::find(&cx.store.snapshot(), &cx.target, cx.access.forwards.clone())
    }

    /// The same through the listener with this port, which needs the credentials in `security`.
    pub(crate) fn secured(cx: &Session, port: u16, security: Security) -> Result<Self> {
        let target = &cx.target;
        let bootstrap = bootstrap(&cx.store.snapshot(), target, port)?;
        Ok(Self { bootstrap, dial: cx.access.forwards.clone(), security, target: target.clone() })
    }

    /// The brokers of a target's Kafka cluster in a snapshot, with connections opened by `dial`.
    pub(crate) fn find(snapshot: &Snapshot, target: &Target, dial: Rc<dyn Dial>) -> Result<Self> {
        let port = plain_port(snapshot, target.namespace.as_str(), target.cluster.as_str())?;
        let bootstrap = bootstrap(snapshot, target, port)?;
        Ok(Self { bootstrap, dial, security: Security::default(), target: target.clone() })
    }

    /// A client of these brokers.
    pub(crate) async fn client(&self, deadline: Instant) -> std::result::Result<Client, KafkaError> {
        self.client_with(Options::default(), deadline).await
    }

    /// A client of these brokers, with options.
    pub(crate) async fn client_with(
        &self,
        options: Options,
        deadline: Instant,
    ) -> std::result::Result<Client, KafkaError> {
        let options = Options { security: self.security.clone(), ..options };
        Client::connect(self.bootstrap.clone(), self.dial.clone(), options, deadline).await
    }

    /// Send messages and read them back.
    pub(crate) async fn run_test(&self, plan: &Plan, progress: &dyn Fn(Progress)) -> Run {
        let options = Options { security: self.security.clone(), ..Options::default() };
        smoke::run(plan, self.bootstrap.clone(), self.dial.clone(), options, progress).await
    }

    /// Whether Kafka has a topic.
    pub(crate) async fn has_topic(&self, name: &str) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let work = async { self.client(deadline).await?.has_topic(name, deadline).await };
        work.await.map_err(|e| {
            let message = format!("the brokers do not report whether the topic {name} exists");
            Box::new(
                Failure::new(errors::TOPIC_CREATE, Kind::Task, message)
                    .because(e)
                    .hint(format!("check what the broker reports: {}", self.target.kstrim("status"))),
            )
        })
    }

    /// Whether a topic has exactly that many partitions and nothing was ever written to any of them.
    pub(crate) async fn is_unused(&self, name: &str, partitions: u32) -> Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let work = async {
            let mut client = self.client(deadline).await?;
            let mut topic = client.topic(name, deadline).await?;
            if topic.partitions() != partitions {
                return Ok(false);
            }
            let first = client.list_offsets(&mut topic, End::Earliest, deadline).await?;
            let next = client.list_offsets(&mut topic, End::Latest, deadline).await?;
            Ok::<_, KafkaError>(first == next && next.values().all(|offset| *offset == 0))
        };
        work.await.map_err(|e| {
            let message = format!("the brokers do not report what is in the topic {name}");
            Box::new(
                Failure::new(errors::TOPIC_CREATE, Kind::Task, message)
                    .because(e)
                    .hint(format!("check what the broker reports: {}", self.target.kstrim("status"))),
            )
        })
    }

    /// Create `topic` as its resource describes it, if it does not exist.
    pub(crate) async fn create_topic(&self, name: &str, resource: &Object) -> Result<Created> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let new = new_topic(name, resource);
        let work = async {
            let mut client = self.client(deadline).await?;
            client.create_topic(&new, deadline).await
        };
        work.await.map_err(|e| {
            Box::new(
                Failure::new(
                    errors::TOPIC_CREATE,
                    Kind::Task,
                    format!("the topic {name} could not be created"),
                )
                .because(e)
                .hint(format!("check what the broker reports: {}", self.target.kstrim("status"))),
            )
        })
    }
}

/// A topic as its `KafkaTopic` describes it: `spec.partitions`, `spec.replicas`, `spec.config`.
pub(crate) fn new_topic(name: &str, resource: &Object) -> NewTopic {
    let number = |pointer| resource.get(pointer).and_then(serde_json::Value::as_i64);
    let mut config = BTreeMap::new();
    if let Some(entries) = resource.get("/spec/config").and_then(serde_json::Value::as_object) {
        for (key, value) in entries {
            config.insert(key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    NewTopic {
        name: name.to_owned(),
        partitions: number("/spec/partitions").and_then(|n| n.try_into().ok()).unwrap_or(-1),
        replication_factor: number("/spec/replicas").and_then(|n| n.try_into().ok()).unwrap_or(-1),
        config,
    }
}

/// The port of the first internal listener without TLS and authentication.
fn plain_port(snapshot: &Snapshot, namespace: &str, cluster: &str) -> Result<u16> {
    let plain = snapshot.kafka(namespace, cluster).and_then(|kafka| kafka.plain_listener()?.port());
    plain.ok_or_else(|| no_plain_listener(cluster))
}

/// The failure if a Kafka cluster has no listener without TLS and authentication.
pub(crate) fn no_plain_listener(cluster: &str) -> Box<Failure> {
    let message = format!("the Kafka {cluster} has no internal listener without TLS and authentication");
    let failure = Failure::new(errors::NO_PLAIN_LISTENER, Kind::Smoke, message);
    Box::new(
        failure
            .hint("add one to spec.kafka.listeners: {name: plain, port: 9092, type: internal, tls: false}"),
    )
}

/// The broker to connect to first, with the name in its certificate.
fn bootstrap(snapshot: &Snapshot, target: &Target, port: u16) -> Result<BrokerAddr> {
    let (namespace, cluster) = (target.namespace.as_str(), target.cluster.as_str());
    let pod = broker_pod(snapshot, target)?;
    Ok(BrokerAddr { id: -1, host: format!("{pod}.{cluster}-kafka-brokers.{namespace}.svc"), port })
}

/// The pod of a ready broker, or else of a running one.
fn broker_pod(snapshot: &Snapshot, target: &Target) -> Result<String> {
    let (namespace, cluster) = (target.namespace.as_str(), target.cluster.as_str());
    let mut pods: Vec<_> = snapshot.pods(namespace).filter(|p| p.is_broker_of(cluster)).collect();
    pods.sort_by_key(|p| !p.ready());
    pods.first().map(|p| p.0.name().to_owned()).ok_or_else(|| {
        Box::new(
            Failure::new(errors::NO_BROKER, Kind::Smoke, format!("the Kafka {cluster} has no broker pod"))
                .hint(format!("check what exists: {}", target.kstrim("status")))
                .hint(format!("create it: {}", target.kstrim("up"))),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, ready: bool, role: Option<&str>) -> Value {
        let mut labels = json!({"strimzi.io/cluster": "bus", "strimzi.io/name": "bus-kafka"});
        if let Some(role) = role {
            labels["strimzi.io/broker-role"] = role.into();
        }
        let status = if ready { "True" } else { "False" };
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kafka", "labels": labels,
            "uid": name}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]}})
    }

    fn bootstrap_with(pods: Vec<Value>) -> Option<String> {
        let snapshot = Snapshot::of(pods.into_iter().map(crate::kube::Object::new));
        let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(["kstrim", "-c", "bus", "status"]);
        broker_pod(&snapshot, &Target::from(&cli.expect("it parses").global)).ok()
    }

    /// "bus-controller-0" sorts before "bus-workers-1", and is ready too.
    #[test]
    fn a_controller_is_not_a_broker() {
        let controller = || pod("bus-controller-0", true, Some("false"));
        let found = bootstrap_with(vec![controller(), pod("bus-workers-1", true, Some("true"))]);
        assert_eq!(found.as_deref(), Some("bus-workers-1"));
        let found = bootstrap_with(vec![controller(), pod("bus-workers-1", false, Some("true"))]);
        assert_eq!(found.as_deref(), Some("bus-workers-1"), "one that is not ready before none");
        assert_eq!(bootstrap_with(vec![controller()]), None);
    }

    #[test]
    fn without_roles_every_node_is_a_broker() {
        let found = bootstrap_with(vec![pod("bus-kafka-0", false, None), pod("bus-kafka-1", true, None)]);
        assert_eq!(found.as_deref(), Some("bus-kafka-1"));
    }
}
