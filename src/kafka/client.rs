//! A client of a whole cluster: the leader of each partition, and a connection to each broker.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes, VersionRange};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::conn::Conn;
use super::error::{KafkaError, Result, code};
use super::security::Security;
use super::turns::Turns;
use crate::exec::BoxFuture;

/// A broker's advertised address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerAddr {
    /// Its node id; -1 when not yet known.
    pub id: i32,
    /// `my-cluster-dual-role-0.my-cluster-kafka-brokers.kafka.svc`
    pub host: String,
    /// 9092
    pub port: u16,
}

impl BrokerAddr {
    /// The name of the broker's pod: the host's first label, which is what Strimzi advertises on internal listeners.
    /// An IP address is returned unchanged.
    pub(crate) fn pod(&self) -> &str {
        if self.host.parse::<std::net::IpAddr>().is_ok() {
            return &self.host;
        }
        self.host.split('.').next().unwrap_or(&self.host)
    }

    fn is_same_broker(&self, other: &BrokerAddr) -> bool {
        if self.id >= 0 && other.id >= 0 {
            return self.id == other.id;
        }
        self.port == other.port && self.pod() == other.pod()
    }
}

impl std::fmt::Display for BrokerAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.pod(), self.port)
    }
}

/// How a broker is reached.
pub(crate) trait Dial {
    /// The host and port to connect to for `broker`. Called once per connection; what is opened for it (a
    /// port-forward) must last as long as the [`Dial`].
    fn dial<'a>(&'a self, broker: &'a BrokerAddr) -> BoxFuture<'a, io::Result<(String, u16)>>;

    /// A connection to `broker` broke or timed out: its port-forward may be stale and must not be used again.
    fn broke(&self, broker: &BrokerAddr) {
        let _ = broker;
    }
}

/// Brokers that can be reached at their advertised addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Direct;

impl Dial for Direct {
    fn dial<'a>(&'a self, broker: &'a BrokerAddr) -> BoxFuture<'a, io::Result<(String, u16)>> {
        Box::pin(async { Ok((broker.host.clone(), broker.port)) })
    }
}

/// Options of a [`Client`].
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Shown in the broker's log and metrics.
    pub client_id: String,
    /// The limit of one request, within the caller's deadline.
    pub request_timeout: Duration,
    /// Highest version to use, by API key: for a broker with a bug in a newer one.
    pub highest: BTreeMap<i16, i16>,
    /// Whether compressed batches are decompressed. Otherwise they are [`super::records::Entry::Opaque`].
    pub decompress: bool,
    /// Whether only committed transactions are read (Kafka's `isolation.level=read_committed`). Kafka's own
    /// consumer reads all by default, and so does this client.
    pub committed: bool,
    /// The security settings of the listener.
    pub security: Security,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_id: "kstrim".to_owned(),
            request_timeout: Duration::from_secs(15),
            highest: BTreeMap::new(),
            decompress: false,
            committed: false,
            security: Security::default(),
        }
    }
}

/// A topic and its partitions' leaders, from the latest metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; nil from a broker older than 2.8.
    pub id: Uuid,
    /// The leader's node id of each partition, by partition number; -1 for none.
    pub leaders: Vec<i32>,
}

impl Topic {
    /// The number of partitions.
    pub(crate) fn partitions(&self) -> u32 {
        u32::try_from(self.leaders.len()).unwrap_or(u32::MAX)
    }

    /// Whether every partition has a leader.
    fn all_led(&self) -> Result<()> {
        (0..).zip(&self.leaders).try_for_each(|(partition, _)| self.leader(partition).map(drop))
    }

    /// Whether any partition has a leader.
    fn any_led(&self) -> Result<()> {
        if self.leaders.iter().any(|leader| *leader >= 0) { Ok(()) } else { self.all_led() }
    }

    /// The partitions that have a leader.
    pub(crate) fn led(&self) -> impl Iterator<Item = i32> + '_ {
        (0..).zip(&self.leaders).filter(|(_, leader)| **leader >= 0).map(|(partition, _)| partition)
    }

    /// The leader of `partition`.
    pub(crate) fn leader(&self, partition: i32) -> Result<i32> {
        let what = format!("topic {}, partition {partition}", self.name);
        match usize::try_from(partition).ok().and_then(|p| self.leaders.get(p)) {
            None => Err(KafkaError::broker(code::UNKNOWN_TOPIC_OR_PARTITION, what, None)),
            Some(-1) => Err(KafkaError::broker(code::LEADER_NOT_AVAILABLE, what, None)),
            Some(leader) => Ok(*leader),
        }
    }
}

/// The key of the bootstrap connection until its broker's id is known.
const BOOTSTRAP: i32 = -1;

/// First pause before a retry.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause before a retry.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The maximum duration of an attempt, unless a broker does not respond.
const ROOM: Duration = Duration::from_millis(250);

/// A client of a Kafka cluster.
pub(crate) struct Client {
    dial: Rc<dyn Dial>,
    options: Options,
    bootstrap: BrokerAddr,
    brokers: BTreeMap<i32, BrokerAddr>,
    controller: i32,
    conns: BTreeMap<i32, Conn>,
    pub(super) turns: Turns,
}

impl Client {
    /// Connect to one broker and read the addresses of the others. A connection that is refused or closed immediately
    /// is retried until `deadline`: a port-forward exists before the broker does.
    pub(crate) async fn connect(
        bootstrap: BrokerAddr,
        dial: Rc<dyn Dial>,
        options: Options,
        deadline: Instant,
    ) -> Result<Self> {
        let mut client = Self {
            dial,
            options,
            bootstrap,
            brokers: BTreeMap::new(),
            controller: BOOTSTRAP,
            conns: BTreeMap::new(),
            turns: Turns::default(),
        };
        let mut pause = Pause::until(deadline);
        loop {
            match client.metadata(None, deadline).await {
                Err(e) if e.is_connection() && pause.wait().await => {}
                result => return result.map(|_| client),
            }
        }
    }

    /// The brokers by node id, from the latest metadata.
    pub(crate) fn brokers(&self) -> &BTreeMap<i32, BrokerAddr> {
        &self.brokers
    }

    /// A topic all of whose partitions have a leader. A topic that does not exist (yet), or has a partition without a
    /// leader, is looked up again until `deadline`.
    pub(crate) async fn topic(&mut self, name: &str, deadline: Instant) -> Result<Topic> {
        self.topic_with(name, deadline, Topic::all_led).await
    }

    /// A topic with at least one partition that has a leader, without waiting for the others. Otherwise like
    /// [`Client::topic`].
    pub(crate) async fn topic_in_part(&mut self, name: &str, deadline: Instant) -> Result<Topic> {
        self.topic_with(name, deadline, Topic::any_led).await
    }

    async fn topic_with(
        &mut self,
        name: &str,
        deadline: Instant,
        enough: fn(&Topic) -> Result<()>,
    ) -> Result<Topic> {
        let mut pause = Pause::until(deadline);
        loop {
            let found = self.topic_as_is(name, deadline).await;
            match found.and_then(|topic| enough(&topic).map(|()| topic)) {
                Err(e) if (e.is_retriable() || e.is_connection()) && pause.wait().await => {
                    if e.is_connection() {
                        self.rotate_first_broker();
                    }
                }
                result => return result,
            }
        }
    }

    /// Look a topic up again after `refusal`, which is returned if the deadline passes in the meantime.
    pub(super) async fn look_up_again(
        &mut self,
        topic: &mut Topic,
        refusal: KafkaError,
        deadline: Instant,
    ) -> Result<()> {
        *topic = match self.topic_in_part(&topic.name, deadline).await {
            Err(KafkaError::Timeout { .. }) => return Err(refusal),
            found => found?,
        };
        Ok(())
    }

    /// Like [`Client::topic`], with a single request.
    pub(crate) async fn topic_now(&mut self, name: &str, deadline: Instant) -> Result<Topic> {
        let topic = self.topic_as_is(name, deadline).await?;
        topic.all_led()?;
        Ok(topic)
    }

    /// Like [`Client::topic_now`], but also if partitions have no leader.
    pub(crate) async fn topic_as_is(&mut self, name: &str, deadline: Instant) -> Result<Topic> {
        let answer = self.metadata(Some(name), deadline).await?;
        let asked = |t: &&MetadataResponseTopic| t.name.as_ref().is_some_and(|n| n.0.as_str() == name);
        let Some(found) = answer.topics.iter().find(asked) else {
            return Err(KafkaError::Protocol(format!("the broker's metadata leaves out topic {name}")));
        };
        if found.error_code != 0 {
            return Err(KafkaError::broker(found.error_code, format!("topic {name}"), None));
        }
        let mut leaders = vec![-1; found.partitions.len()];
        for partition in &found.partitions {
            let what = format!("topic {name}, partition {}", partition.partition_index);
            // A replica that is down is reported as an error, together with a working leader.
            const LEADERLESS: [i16; 3] = [0, code::REPLICA_NOT_AVAILABLE, code::LEADER_NOT_AVAILABLE];
            if !LEADERLESS.contains(&partition.error_code) {
                return Err(KafkaError::broker(partition.error_code, what, None));
            }
            let led = partition.error_code != code::LEADER_NOT_AVAILABLE;
            let slot = usize::try_from(partition.partition_index).ok().and_then(|p| leaders.get_mut(p));
            *slot.ok_or_else(|| KafkaError::Protocol(format!("{what}: numbers with gaps")))? =
                if led { partition.leader_id.0.max(-1) } else { -1 };
        }
        if leaders.is_empty() {
            let what = format!("topic {name} has no partitions yet");
            return Err(KafkaError::broker(code::LEADER_NOT_AVAILABLE, what, None));
        }
        Ok(Topic { name: name.to_owned(), id: found.topic_id, leaders })
    }

    /// Request the brokers and, if specified, a topic. This never creates the topic.
    async fn metadata(&mut self, topic: Option<&str>, deadline: Instant) -> Result<MetadataResponse> {
        // Any broker can respond; prefer one that is connected.
        let node = self.any_node();
        // Version 4 is the first that can avoid creating the topic.
        let handled = VersionRange { min: 4, max: 13 };
        let (_, answer) = self
            .call(node, handled, deadline, |_| {
                let mut request = MetadataRequest::default();
                request.allow_auto_topic_creation = false;
                request.topics = Some(topic.map(named_topic).into_iter().collect());
                request
            })
            .await?;
        if answer.error_code != 0 {
            return Err(KafkaError::broker(answer.error_code, "Metadata", None));
        }
        self.controller = answer.controller_id.0;
        self.brokers = answer
            .brokers
            .iter()
            .filter_map(|b| {
                let port = u16::try_from(b.port).ok()?;
                Some((b.node_id.0, BrokerAddr { id: b.node_id.0, host: b.host.to_string(), port }))
            })
            .collect();
        self.name_bootstrap();
        Ok(answer)
    }

    /// Assign its broker's id to the bootstrap connection, so that it is used for that broker.
    fn name_bootstrap(&mut self) {
        let Some(broker) = self.brokers.values().find(|b| b.is_same_broker(&self.bootstrap)) else { return };
        let id = broker.id;
        if let Some(conn) = self.conns.remove(&BOOTSTRAP) {
            self.conns.entry(id).or_insert(conn);
        }
    }

    /// Start with the next known broker: the first one may be down for a long time.
    fn rotate_first_broker(&mut self) {
        let current = self.brokers.values().find(|b| b.is_same_broker(&self.bootstrap)).map(|b| b.id);
        let after = self.brokers.values().find(|b| current.is_some_and(|c| b.id > c));
        if let Some(next) = after.or(self.brokers.values().next()) {
            self.bootstrap = next.clone();
        }
    }

    /// Whether compressed batches are decompressed.
    pub(super) fn decompresses(&self) -> bool {
        self.options.decompress
    }

    /// Whether only committed transactions are read.
    pub(super) fn reads_committed(&self) -> bool {
        self.options.committed
    }

    /// A node for requests that every broker can handle.
    pub(super) fn any_node(&self) -> i32 {
        let connected = self.conns.iter().find(|(_, conn)| conn.is_usable()).map(|(id, _)| *id);
        connected.unwrap_or(BOOTSTRAP)
    }

    /// The controller, or a broker that forwards to it.
    pub(super) fn controller(&self) -> i32 {
        self.controller
    }

    /// Send the request that `build` creates for the negotiated version, and wait for the response.
    pub(super) async fn call<R: Request>(
        &mut self,
        node: i32,
        handled: VersionRange,
        deadline: Instant,
        build: impl FnOnce(i16) -> R,
    ) -> Result<(i16, R::Response)> {
        let deadline = deadline.min(Instant::now() + self.options.request_timeout);
        let highest = self.options.highest.get(&R::KEY).copied().unwrap_or(i16::MAX);
        let handled = VersionRange { min: handled.min, max: handled.max.min(highest) };
        // Removed here, so that a call that is dropped midway also drops its connection.
        let mut conn = match self.conns.remove(&node) {
            Some(conn) if conn.is_usable() => conn,
            _ => self.open(node, deadline).await?,
        };
        let result = match conn.pick::<R>(handled) {
            Ok(version) => {
                conn.call(&build(version), version, deadline).await.map(|answer| (version, answer))
            }
            Err(e) => Err(e),
        };
        if conn.is_usable() {
            self.conns.insert(node, conn);
        } else {
            self.dial.broke(self.brokers.get(&node).unwrap_or(&self.bootstrap));
        }
        result
    }

    async fn open(&self, node: i32, deadline: Instant) -> Result<Conn> {
        let broker = if node == BOOTSTRAP {
            &self.bootstrap
        } else {
            self.brokers.get(&node).ok_or_else(|| {
                KafkaError::broker(
                    code::LEADER_NOT_AVAILABLE,
                    format!("broker {node} is not registered"),
                    None,
                )
            })?
        };
        let peer = broker.to_string();
        let (host, port) = match tokio::time::timeout_at(deadline, self.dial.dial(broker)).await {
            Err(_) => return Err(KafkaError::Timeout { peer, during: "connecting".to_owned() }),
            Ok(Err(source)) => return Err(KafkaError::Connect { to: peer, source }),
            Ok(Ok(address)) => address,
        };
        let Options { client_id, security, .. } = &self.options;
        let opened = Conn::open((&host, port), (&peer, &broker.host), client_id, security, deadline).await;
        if opened.is_err() {
            self.dial.broke(broker);
        }
        opened
    }
}

/// A name in the form that messages require.
pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn named_topic(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(topic_name(name)))
}

/// A request's own limit in milliseconds, so that the broker does not work longer than we wait.
pub(super) fn millis_until(deadline: Instant, at_most: Duration) -> i32 {
    let left = deadline.saturating_duration_since(Instant::now()).min(at_most);
    i32::try_from(left.as_millis()).unwrap_or(i32::MAX)
}

/// Increasing pauses up to a deadline.
pub(super) struct Pause {
    next: Duration,
    deadline: Instant,
}

impl Pause {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { next: FIRST_PAUSE, deadline }
    }

    /// Pause; `false`, without pausing, if the deadline would pass during the pause or the next attempt: a timeout
    /// would hide the reason why the last attempt failed.
    pub(super) async fn wait(&mut self) -> bool {
        let end = Instant::now() + self.next;
        if end + ROOM >= self.deadline {
            return false;
        }
        sleep_until(end).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_is_the_first_label() {
        let at = |id, host: &str| BrokerAddr { id, host: host.to_owned(), port: 9092 };
        let advertised = at(0, "my-cluster-dual-role-0.my-cluster-kafka-brokers.kafka.svc");
        assert_eq!(advertised.pod(), "my-cluster-dual-role-0");
        assert_eq!(at(0, "127.0.0.1").pod(), "127.0.0.1");
        assert!(at(-1, "my-cluster-dual-role-0").is_same_broker(&advertised));
        assert!(!at(-1, "my-cluster-dual-role-1").is_same_broker(&advertised));
        assert!(!at(1, "my-cluster-dual-role-0").is_same_broker(&advertised));
    }
}
