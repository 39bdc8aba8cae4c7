//! Checks references between the documents, and to existing objects of the namespace.
//!
//! Strimzi's operators ignore a topic without a label, and wait indefinitely for a Secret that does not exist,
//! without an error. Such mistakes are reported before anything is applied.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Document, below};
use super::named::{self, Named};
use super::problem::Problem;
use super::schema::nearest;
use crate::catalogue::Release;
use crate::catalogue::broker;
use crate::errors;
use crate::manifest::Object;
use crate::manifest::render::CLUSTER_LABEL;

/// The approximate maximum number of problems that are collected.
const MOST: usize = 200;

/// Node pools with more replicas are not numbered.
const MOST_NODES: u64 = 1000;

/// Objects that the namespace has, or will have, in addition to the documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Existing {
    /// Kafka clusters, such as that of the preset.
    pub(crate) kafkas: Vec<Cluster>,
    /// The names of the documents' Kafka clusters that exist already.
    pub(crate) deployed: BTreeSet<String>,
    /// Other objects: kind and name.
    pub(crate) objects: BTreeSet<(String, String)>,
}

impl Existing {
    /// Whether an object exists.
    fn has(&self, kind: &str, name: &str) -> bool {
        self.objects.contains(&(kind.to_owned(), name.to_owned()))
    }
}

/// The properties of a Kafka cluster that other objects depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cluster {
    /// Its name.
    pub(crate) name: String,
    /// The number of brokers, if it is known.
    pub(crate) brokers: Option<u64>,
    /// The types of authentication of its listeners.
    pub(crate) authentication: BTreeSet<String>,
    /// Whether the rules of KafkaUsers have an effect.
    pub(crate) takes_rules: bool,
    /// Whether it has a topic operator.
    pub(crate) topic_operator: bool,
    /// Whether it has a user operator.
    pub(crate) user_operator: bool,
    /// Whether it has Cruise Control.
    pub(crate) cruise_control: bool,
    /// The prefix of the names of the users' Secrets.
    pub(crate) secret_prefix: String,
}

impl Cluster {
    /// The properties according to a Kafka resource and its node pools.
    pub(crate) fn of(kafka: &Object, pools: &[&Object]) -> Self {
        let get = |pointer: &str| kafka.get(pointer).filter(|value| !value.is_null());
        let authentication = listeners(kafka).iter().filter_map(|listener| {
            listener.pointer("/authentication/type").and_then(Value::as_str).map(str::to_owned)
        });
        let authorization = get("/spec/kafka/authorization");
        let kind = authorization.and_then(|a| a["type"].as_str()).unwrap_or_default();
        let delegates =
            authorization.is_some_and(|a| a["delegateToKafkaAcls"] == true || a["supportsAdminApi"] == true);
        let prefix = get("/spec/entityOperator/userOperator/secretPrefix").and_then(Value::as_str);
        Self {
            name: kafka.name().to_owned(),
            brokers: brokers(kafka, pools),
            authentication: authentication.collect(),
            takes_rules: kind == "simple" || delegates,
            topic_operator: get("/spec/entityOperator/topicOperator").is_some(),
            user_operator: get("/spec/entityOperator/userOperator").is_some(),
            cruise_control: get("/spec/cruiseControl").is_some(),
            secret_prefix: prefix.unwrap_or_default().to_owned(),
        }
    }
}

fn listeners(kafka: &Object) -> &[Value] {
    kafka.get("/spec/kafka/listeners").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a node pool has a role.
pub(super) fn has_role(pool: &Object, role: &str) -> bool {
    let roles = pool.get("/spec/roles").and_then(Value::as_array);
    roles.into_iter().flatten().any(|given| given == role)
}

fn brokers(kafka: &Object, pools: &[&Object]) -> Option<u64> {
    if pools.is_empty() {
        return kafka.get("/spec/kafka/replicas").and_then(Value::as_u64);
    }
    let of_pool = |pool: &Object| pool.get("/spec/replicas").and_then(Value::as_u64);
    let mut with_brokers = pools.iter().filter(|pool| has_role(pool, "broker"));
    with_brokers.try_fold(0, |sum: u64, pool| Some(sum.saturating_add(of_pool(pool)?)))
}

/// The label that names the cluster.
pub(crate) fn cluster_of(object: &Object) -> Option<&str> {
    object.get(&label_pointer()).and_then(Value::as_str)
}

/// The topic that a KafkaTopic describes.
pub(crate) fn topic_of(object: &Object) -> &str {
    object.get("/spec/topicName").and_then(Value::as_str).unwrap_or(object.name())
}

/// Whether a KafkaRebalance is a template for automatic rebalances.
pub(super) fn is_template(rebalance: &Object) -> bool {
    let annotation = "/metadata/annotations/strimzi.io~1rebalance-template";
    rebalance.get(annotation).is_some_and(|value| *value == "true")
}

fn label_pointer() -> String {
    below("/metadata/labels", CLUSTER_LABEL)
}

/// All inconsistencies, in the order of the documents.
pub(crate) fn check(
    documents: &[Document],
    existing: &Existing,
    namespace: &str,
    release: &Release,
) -> Vec<Problem> {
    let of_kind =
        |kind: &'static str| documents.iter().filter(move |document| document.object.kind() == kind);
    let pools_of = |name: &str| -> Vec<&Object> {
        of_kind("KafkaNodePool").map(|d| &d.object).filter(|pool| cluster_of(pool) == Some(name)).collect()
    };
    let mut clusters: BTreeMap<&str, Cluster> =
        existing.kafkas.iter().map(|kafka| (kafka.name.as_str(), kafka.clone())).collect();
    for kafka in of_kind("Kafka") {
        let name = kafka.object.name();
        clusters.insert(name, Cluster::of(&kafka.object, &pools_of(name)));
    }
    let set = Set { documents, existing, clusters, namespace, release, named: Named::of(documents) };
    let mut problems = Vec::new();
    for document in documents {
        set.document(document, &mut problems);
        if problems.len() >= MOST {
            break;
        }
    }
    problems
}

struct Set<'a> {
    documents: &'a [Document],
    existing: &'a Existing,
    clusters: BTreeMap<&'a str, Cluster>,
    namespace: &'a str,
    release: &'a Release,
    named: Named<'a>,
}

fn wrong(document: &Document, pointer: &str, what: impl std::fmt::Display) -> Problem {
    Problem::field(errors::FILE_REFERENCE, document, pointer, what)
}

impl<'a> Set<'a> {
    fn document(&self, document: &'a Document, problems: &mut Vec<Problem>) {
        match document.object.kind() {
            "Kafka" => self.kafka(document, problems),
            "KafkaNodePool" => self.pool(document, problems),
            "KafkaTopic" => self.topic(document, problems),
            "KafkaUser" => self.user(document, problems),
            "KafkaConnector" => self.connector(document, problems),
            // Cruise Control takes its goals from a template; the operator does not reconcile it.
            "KafkaRebalance" if is_template(&document.object) => {}
            "KafkaRebalance" => self.rebalance(document, problems),
            "KafkaConnect" | "KafkaBridge" | "KafkaMirrorMaker2" => self.client(document, problems),
            _ => {}
        }
        self.objects(document, problems);
    }

    fn rebalance(&self, document: &Document, problems: &mut Vec<Problem>) {
        let Some(cluster) = self.cluster(document, problems) else { return };
        if !cluster.cruise_control {
            let what = format!("needs Cruise Control, which the Kafka {} does not have", cluster.name);
            problems.push(wrong(document, "", what).hint("add spec.cruiseControl: {} to the Kafka"));
        }
        let Some(ids) = self.broker_ids(&cluster.name) else { return };
        let node = |pointer: String| {
            let id = document.object.get(&pointer)?.as_u64().filter(|id| !ids.contains(id))?;
            let all: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let what = format!("is {id}, but the brokers of {} are {}", cluster.name, all.join(", "));
            Some(wrong(document, &pointer, what))
        };
        let length =
            |pointer: &str| document.object.get(pointer).and_then(Value::as_array).map_or(0, Vec::len);
        problems.extend((0..length("/spec/brokers")).filter_map(|at| node(format!("/spec/brokers/{at}"))));
        for at in 0..length("/spec/moveReplicasOffVolumes") {
            let entry = format!("/spec/moveReplicasOffVolumes/{at}");
            problems.extend(node(format!("{entry}/brokerId")));
            let volumes = format!("{entry}/volumeIds");
            for at in 0..length(&volumes) {
                let pointer = format!("{volumes}/{at}");
                let id = document.object.get(&pointer).and_then(Value::as_u64);
                if let Some(id) = id.filter(|id| !self.has_volume(&cluster.name, *id)) {
                    let what = format!("is {id}, but the brokers of {} have no such volume", cluster.name);
                    problems.push(wrong(document, &pointer, what));
                }
            }
        }
    }

    /// The ids of a cluster's brokers, if they are known: those of a new cluster start at 0, in the order in which the
    /// API server lists the node pools (`NodeIdAssignor`), unless an annotation of a node pool says otherwise.
    fn broker_ids(&self, cluster: &str) -> Option<BTreeSet<u64>> {
        if self.existing.deployed.contains(cluster) {
            return None;
        }
        let mut pools: Vec<&Object> = self.pools_of(cluster).collect();
        if pools.is_empty() {
            let replicas = self.kafka_of(cluster)?.get("/spec/kafka/replicas").and_then(Value::as_u64);
            return replicas.filter(|n| *n <= MOST_NODES).map(|replicas| (0..replicas).collect());
        }
        pools.sort_by_key(|pool| pool.name());
        let (mut next, mut ids) = (0, BTreeSet::new());
        for pool in pools {
            if pool.get("/metadata/annotations/strimzi.io~1next-node-ids").is_some() {
                return None;
            }
            let replicas = pool.get("/spec/replicas").and_then(Value::as_u64).filter(|n| *n <= MOST_NODES)?;
            if has_role(pool, "broker") {
                ids.extend(next..next + replicas);
            }
            next += replicas;
        }
        Some(ids)
    }

    /// Whether brokers of a cluster have a volume with this id.
    fn has_volume(&self, cluster: &str, id: u64) -> bool {
        let has = |object: &Object, pointer: &str| {
            let volumes = object.get(pointer).and_then(Value::as_array);
            volumes.into_iter().flatten().any(|volume| volume["id"] == id)
        };
        self.pools_of(cluster).any(|pool| has(pool, "/spec/storage/volumes"))
            || self.kafka_of(cluster).is_some_and(|kafka| has(kafka, "/spec/kafka/storage/volumes"))
    }

    /// The Kafka of this name among the documents.
    fn kafka_of(&self, cluster: &str) -> Option<&'a Object> {
        let mut objects = self.documents.iter().map(|document| &document.object);
        objects.find(|object| object.kind() == "Kafka" && object.name() == cluster)
    }

    /// The node pools of a cluster among the documents.
    fn pools_of(&self, cluster: &str) -> impl Iterator<Item = &'a Object> {
        let objects = self.documents.iter().map(|document| &document.object);
        objects.filter(move |o| o.kind() == "KafkaNodePool" && cluster_of(o) == Some(cluster))
    }

    /// The Kafka cluster in a document's label.
    fn cluster(&self, document: &Document, problems: &mut Vec<Problem>) -> Option<&Cluster> {
        let name = label(document, "Kafka", problems)?;
        let found = self.clusters.get(name);
        if found.is_none() {
            no_such(document, "Kafka", name, self.clusters.keys().copied(), problems);
        }
        found
    }

    fn kafka(&self, document: &Document, problems: &mut Vec<Problem>) {
        let kafka = &document.object;
        let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
        for (at, listener) in listeners(kafka).iter().enumerate() {
            let name = listener["name"].as_str().map(|name| ("name", name.to_owned()));
            let port = listener["port"].as_u64().map(|port| ("port", port.to_string()));
            for (field, value) in name.into_iter().chain(port) {
                if let Some(first) = seen.insert((field, value.clone()), at) {
                    let pointer = format!("/spec/kafka/listeners/{at}/{field}");
                    let at = document.at(&format!("/spec/kafka/listeners/{first}"));
                    problems.push(wrong(
                        document,
                        &pointer,
                        format!("is {value}, as that of the listener at {at}"),
                    ));
                }
            }
        }
        let Some(cluster) = self.clusters.get(kafka.name()) else { return };
        self.pools(document, problems);
        let Some(brokers) = cluster.brokers else { return };
        for need in &broker::NEEDS {
            let pointer = below("/spec/kafka/config", need.name);
            within(document, &pointer, brokers, &cluster.name, problems);
        }
        if cluster.cruise_control && brokers == 1 {
            let what = "needs at least two brokers, but the cluster has one";
            problems.push(wrong(document, "/spec/cruiseControl", what));
        }
    }

    /// A Kafka without ZooKeeper needs controllers and brokers, in node pools.
    fn pools(&self, document: &Document, problems: &mut Vec<Problem>) {
        let kafka = &document.object;
        let zookeeper = self.release.zookeeper && kafka.get("/spec/zookeeper").is_some_and(|v| !v.is_null());
        if zookeeper
            || !self.release.kraft.node_pools
            || self.existing.kafkas.iter().any(|k| k.name == kafka.name())
        {
            return;
        }
        let pools: Vec<&Object> = self.pools_of(kafka.name()).collect();
        let missing: Vec<&str> = ["broker", "controller"]
            .into_iter()
            .filter(|role| !pools.iter().any(|p| has_role(p, role)))
            .collect();
        if !missing.is_empty() {
            let what =
                format!("has no KafkaNodePool with the role {}", missing.join(" and none with the role "));
            let hint = format!("add a KafkaNodePool with the label {CLUSTER_LABEL}: {}", kafka.name());
            problems.push(wrong(document, "", what).hint(hint));
        }
    }

    fn pool(&self, document: &Document, problems: &mut Vec<Problem>) {
        let Some(cluster) = self.cluster(document, problems) else { return };
        let kafka =
            self.documents.iter().find(|d| d.object.kind() == "Kafka" && d.object.name() == cluster.name);
        let place = |document: &Document| {
            document.object.namespace().filter(|n| !n.is_empty()).unwrap_or(self.namespace).to_owned()
        };
        if let Some(kafka) = kafka.filter(|kafka| place(kafka) != place(document)) {
            let what =
                format!("is {}, but its Kafka {} is in {}", place(document), cluster.name, place(kafka));
            problems.push(Problem::field(errors::FILE_NAMESPACE, document, "/metadata/namespace", what));
        }
    }

    fn topic(&self, document: &Document, problems: &mut Vec<Problem>) {
        let Some(cluster) = self.cluster(document, problems) else { return };
        if !cluster.topic_operator {
            let what = format!("needs a topic operator, which the Kafka {} does not have", cluster.name);
            problems.push(
                wrong(document, "", what).hint("add spec.entityOperator.topicOperator: {} to the Kafka"),
            );
        }
        if let Some(brokers) = cluster.brokers {
            within(document, "/spec/replicas", brokers, &cluster.name, problems);
        }
        const IN_SYNC: &str = "/spec/config/min.insync.replicas";
        let number = |pointer: &str| {
            document.object.get(pointer).and_then(|v| v.as_u64().or_else(|| v.as_str()?.trim().parse().ok()))
        };
        if let (Some(in_sync), Some(replicas)) = (number(IN_SYNC), number("/spec/replicas"))
            && in_sync > replicas
        {
            let what = format!("is {in_sync}, but the topic has {}", count(replicas, "replica"));
            problems.push(
                wrong(document, IN_SYNC, what).hint("lower it: producers with acks=all could not write"),
            );
        }
    }

    fn user(&self, document: &Document, problems: &mut Vec<Problem>) {
        let Some(cluster) = self.cluster(document, problems) else { return };
        if !cluster.user_operator {
            let what = format!("needs a user operator, which the Kafka {} does not have", cluster.name);
            problems.push(
                wrong(document, "", what).hint("add spec.entityOperator.userOperator: {} to the Kafka"),
            );
        }
        const TYPE: &str = "/spec/authentication/type";
        let given = document.object.get(TYPE).and_then(Value::as_str);
        let needed = match given {
            Some("tls" | "tls-external") => Some("tls"),
            other => other,
        };
        // It is not known what a custom listener accepts.
        if let Some(needed) =
            needed.filter(|n| !cluster.authentication.iter().any(|a| a == n || a == "custom"))
        {
            let listeners: Vec<&str> = cluster.authentication.iter().map(String::as_str).collect();
            let listeners = if listeners.is_empty() { "none".to_owned() } else { listeners.join(", ") };
            let what = format!(
                "is {}, but no listener of the Kafka {} has the authentication {needed} (they have: {listeners})",
                given.unwrap_or_default(),
                cluster.name
            );
            problems.push(wrong(document, TYPE, what));
        }
        let rules = document.object.get("/spec/authorization").is_some_and(|value| !value.is_null());
        if rules && !cluster.takes_rules {
            let what =
                format!("has no effect: the Kafka {} has no authorization of the type simple", cluster.name);
            let hint =
                "add spec.kafka.authorization: {type: simple} to the Kafka, or remove it from the user";
            problems.push(wrong(document, "/spec/authorization", what).hint(hint));
        }
    }

    fn connector(&self, document: &'a Document, problems: &mut Vec<Problem>) {
        let Some(name) = label(document, "KafkaConnect", problems) else { return };
        let connects = self.documents.iter().filter(|d| d.object.kind() == "KafkaConnect");
        let Some(connect) = connects.clone().find(|d| d.object.name() == name) else {
            if !self.existing.has("KafkaConnect", name) {
                let outside = self.existing.objects.iter().filter(|(kind, _)| kind == "KafkaConnect");
                let known = connects.map(|d| d.object.name()).chain(outside.map(|(_, name)| name.as_str()));
                no_such(document, "KafkaConnect", name, known, problems);
            }
            return;
        };
        const USES: &str = "strimzi.io/use-connector-resources";
        if connect.object.get(&below("/metadata/annotations", USES)).and_then(Value::as_str) != Some("true") {
            let what =
                format!("is ignored: the {} at {} has no annotation {USES}", connect.object, connect.origin);
            let hint = format!("add the annotation {USES}: \"true\" to the {}", connect.object);
            problems.push(wrong(document, "", what).hint(hint));
        }
    }

    /// Clients of a Kafka cluster, which refer to it by its bootstrap Service.
    fn client(&self, document: &Document, problems: &mut Vec<Problem>) {
        let mut servers =
            vec!["/spec/bootstrapServers".to_owned(), "/spec/target/bootstrapServers".to_owned()];
        for (list, field) in [("clusters", "/bootstrapServers"), ("mirrors", "/source/bootstrapServers")] {
            let items = document.object.get(&format!("/spec/{list}")).and_then(Value::as_array);
            servers.extend((0..items.map_or(0, Vec::len)).map(|at| format!("/spec/{list}/{at}{field}")));
        }
        for pointer in servers {
            let Some(text) = document.object.get(&pointer).and_then(Value::as_str) else { continue };
            let Some(name) = bootstrap(text, self.namespace) else { continue };
            let Some(cluster) = self.clusters.get(name) else {
                let problem =
                    wrong(document, &pointer, format!("names the Kafka {name}, which does not exist"));
                problems.push(match nearest(name, self.clusters.keys().copied()) {
                    Some(near) => problem.hint(format!("did you mean {near} instead of {name}?")),
                    None => problem,
                });
                continue;
            };
            let Some(brokers) = cluster.brokers else { continue };
            let config = format!("{}/config", pointer.trim_end_matches("/bootstrapServers"));
            for topic in ["offset", "config", "status"] {
                let pointer = below(&config, &format!("{topic}.storage.replication.factor"));
                within(document, &pointer, brokers, name, problems);
            }
        }
    }

    /// ConfigMaps, Secrets and claims by name.
    fn objects(&self, document: &Document, problems: &mut Vec<Problem>) {
        for reference in named::references(&document.object) {
            let named::Reference { kind, name, key, pointer } = reference;
            if problems.len() >= MOST {
                return;
            }
            if self.existing.has(kind, name)
                || self.named.is_produced(kind, name)
                || self.by_strimzi(kind, name)
            {
                continue;
            }
            let Some(found) = self.named.find(kind, name) else {
                let problem =
                    wrong(document, &pointer, format!("names the {kind} {name}, which does not exist"));
                problems.push(match nearest(name, self.named.names(kind)) {
                    Some(near) => problem.hint(format!("did you mean {near} instead of {name}?")),
                    None => problem.hint(format!(
                        "add the manifest of the {kind} {name}, or create it in the namespace"
                    )),
                });
                continue;
            };
            if let Some(key) = key
                && !named::has_key(found, key)
            {
                let what = format!(
                    "names the key {key:?}, which the {kind} {name} at {} does not have",
                    found.origin
                );
                problems.push(wrong(document, &pointer, what));
            }
        }
    }

    /// Secrets that Strimzi's operators create.
    fn by_strimzi(&self, kind: &str, name: &str) -> bool {
        const OF_CLUSTER: [&str; 7] = [
            "-cluster-ca-cert",
            "-cluster-ca",
            "-clients-ca-cert",
            "-clients-ca",
            "-cluster-operator-certs",
            "-kafka-jmx",
            "-cruise-control-api",
        ];
        let of_cluster =
            self.clusters.keys().any(|c| name.strip_prefix(c).is_some_and(|rest| OF_CLUSTER.contains(&rest)));
        let mut users = self.documents.iter().map(|d| &d.object).filter(|o| o.kind() == "KafkaUser");
        let of_user = users.any(|user| {
            let cluster = cluster_of(user).and_then(|cluster| self.clusters.get(cluster));
            let prefix = cluster.map_or("", |cluster| cluster.secret_prefix.as_str());
            name.strip_prefix(prefix) == Some(user.name())
        });
        let of_existing =
            self.existing.objects.iter().any(|(kind, user)| kind == "KafkaUser" && user == name);
        kind == "Secret" && (of_cluster || of_user || of_existing)
    }
}

/// The label that an operator selects by.
fn label<'d>(document: &'d Document, kind: &str, problems: &mut Vec<Problem>) -> Option<&'d str> {
    let name = cluster_of(&document.object);
    if name.is_none() {
        let what = format!("has no label {CLUSTER_LABEL}, so no operator reconciles it");
        let hint = format!("add the label {CLUSTER_LABEL} with the name of its {kind}");
        problems.push(wrong(document, "/metadata", what).hint(hint));
    }
    name
}

fn no_such<'n>(
    document: &Document,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
    problems: &mut Vec<Problem>,
) {
    let problem = wrong(document, &label_pointer(), format!("names the {kind} {name}, which does not exist"));
    let all: Vec<&str> = known.clone().collect();
    problems.push(match nearest(name, known) {
        Some(near) => problem.hint(format!("did you mean {near} instead of {name}?")),
        None if all.is_empty() => problem.hint(format!("add the manifest of the {kind} {name}")),
        None => problem.hint(format!("the {kind} resources are: {}", all.join(", "))),
    });
}

/// Check that a number of replicas is not greater than the number of brokers.
fn within(document: &Document, pointer: &str, brokers: u64, cluster: &str, problems: &mut Vec<Problem>) {
    let value = document.object.get(pointer);
    let number = value.and_then(|v| v.as_u64().or_else(|| v.as_str()?.trim().parse().ok()));
    if let Some(number) = number.filter(|number| *number > brokers) {
        let what = format!("is {number}, but the Kafka {cluster} has {}", count(brokers, "broker"));
        problems.push(wrong(document, pointer, what).hint("lower it, add brokers, or use --fit"));
    }
}

fn count(number: u64, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// The Kafka cluster in this namespace with the bootstrap Service in these addresses:
/// `my-cluster-kafka-bootstrap:9092`.
fn bootstrap<'s>(servers: &'s str, namespace: &str) -> Option<&'s str> {
    let host = servers.split(',').next()?.trim().rsplit_once(':').map_or(servers, |(host, _)| host);
    let host = host.trim();
    let (service, domain) =
        host.split_once('.').map_or((host, None), |(service, domain)| (service, Some(domain)));
    let here = domain.is_none_or(|domain| domain.split('.').next() == Some(namespace));
    service.strip_suffix("-kafka-bootstrap").filter(|name| here && !name.is_empty())
}

#[cfg(test)]
#[path = "references_tests.rs"]
mod tests;
