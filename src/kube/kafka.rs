//! A live Kafka resource with its node pools, whoever wrote it. All commands and checks use these views: the presets
//! describe only what kstrim writes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::object::{Condition, Object, list, number, text, texts};
use super::pod::Pod;
use crate::names::Version;

/// A Kafka resource. A failed one has `NotReady=True` with the exception as the reason, a paused one neither `Ready`
/// nor `NotReady`; `Ready=False` does not occur.
#[derive(Debug, Clone, Copy)]
pub struct Kafka<'a>(pub &'a Object);

/// An address in a Kafka resource's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// Name of its listener in the spec: `plain`.
    pub name: &'a str,
    /// The listener in the spec; `None` if the spec no longer contains it.
    pub listener: Option<Listener<'a>>,
    /// `host:port` for clients.
    pub bootstrap: &'a str,
}

/// One of `spec.kafka.listeners`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener<'a>(pub &'a Value);

impl<'a> Listener<'a> {
    /// `plain`.
    pub fn name(&self) -> &'a str {
        text(self.0, "/name")
    }

    /// The port in the brokers' pods.
    pub fn port(&self) -> Option<u16> {
        number(self.0, "/port").and_then(|port| u16::try_from(port).ok())
    }

    /// `internal`, `nodeport`, `loadbalancer`, `cluster-ip` ...
    pub fn kind(&self) -> &'a str {
        text(self.0, "/type")
    }

    /// Whether it uses TLS.
    pub fn tls(&self) -> bool {
        self.0["tls"] == true
    }

    /// The type of its authentication: `tls`, `scram-sha-512`, `oauth` ...; `None` without authentication.
    pub fn authentication(&self) -> Option<&'a str> {
        let authentication = self.0.get("authentication").filter(|a| !a.is_null())?;
        Some(text(authentication, "/type"))
    }

    /// Whether its brokers have a certificate of the user's own, which the cluster's CA did not sign.
    pub fn has_custom_certificate(&self) -> bool {
        self.0.pointer("/configuration/brokerCertChainAndKey").is_some_and(Value::is_object)
    }

    /// The listener's overrides for single brokers: `configuration.brokers`.
    pub fn overrides(&self) -> &'a [Value] {
        list(self.0, "/configuration/brokers")
    }

    /// Whether it is an internal listener whose brokers advertise their pods' names and its own port: then a
    /// port-forward to each of them is sufficient.
    pub fn advertises_pods(&self) -> bool {
        const HERE: [&str; 2] = ["advertisedHost", "advertisedPort"];
        const TEMPLATES: [&str; 2] = ["advertisedHostTemplate", "advertisedPortTemplate"];
        let configuration = self.0.get("configuration");
        let template = |field: &&str| configuration.and_then(|all| all.get(*field)).is_some();
        self.kind() == "internal"
            && !TEMPLATES.iter().any(template)
            && self.overrides().iter().all(|b| HERE.iter().all(|field| b.get(*field).is_none()))
    }
}

/// An operator in the entity operator's pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// The topic operator.
    Topic,
    /// The user operator.
    User,
}

impl Entity {
    const fn field(self) -> &'static str {
        match self {
            Self::Topic => "topicOperator",
            Self::User => "userOperator",
        }
    }
}

/// The authorization of a Kafka cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// `simple`, `opa`, `keycloak`, `custom`.
    pub kind: &'a str,
    /// Whether the ACLs of KafkaUsers are applied: the user operator writes them through Kafka's Admin API.
    pub takes_rules: bool,
    /// Whether clients without a user may do everything: they are a super user, or resources without ACLs are
    /// unrestricted.
    pub admits_anonymous: bool,
}

impl<'a> Kafka<'a> {
    /// Condition `Ready=True`. Trust it only together with [`Object::observed`].
    pub fn ready(&self) -> Option<Condition<'a>> {
        self.0.condition("Ready").filter(Condition::is_true)
    }

    /// Condition `NotReady=True`, after a failure or with reason `Creating`.
    pub fn not_ready(&self) -> Option<Condition<'a>> {
        self.0.condition("NotReady").filter(Condition::is_true)
    }

    /// Whether the operator reports that reconciliation is paused.
    pub fn paused(&self) -> Option<Condition<'a>> {
        self.0.condition("ReconciliationPaused").filter(Condition::is_true)
    }

    /// Messages of `Warning` conditions; they also occur on success.
    pub fn warnings(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.conditions().filter(|c| c.kind == "Warning").map(|c| c.message)
    }

    /// The listeners in the spec, in its order.
    pub fn listeners(&self) -> impl Iterator<Item = Listener<'a>> + use<'a> {
        list(self.0.json(), "/spec/kafka/listeners").iter().map(Listener)
    }

    /// The addresses in the status, in its order.
    pub fn addresses(&self) -> impl Iterator<Item = Address<'a>> + use<'a> {
        let kafka = *self;
        list(self.0.json(), "/status/listeners").iter().map(move |l| {
            // The field was named `type` in releases that do not have `name` in the status.
            let name = Some(text(l, "/name")).filter(|n| !n.is_empty()).unwrap_or(text(l, "/type"));
            let listener = kafka.listeners().find(|s| s.name() == name);
            Address { name, listener, bootstrap: text(l, "/bootstrapServers") }
        })
    }

    /// A listener's bootstrap server for clients: `host:port`; `None` before the status contains it.
    pub fn bootstrap(&self, listener: &Listener<'_>) -> Option<&'a str> {
        let address = self.addresses().find(|a| a.listener.as_ref() == Some(listener))?;
        Some(address.bootstrap).filter(|bootstrap| !bootstrap.is_empty())
    }

    /// The first internal listener without TLS and authentication, through which kstrim connects to the brokers.
    pub fn plain_listener(&self) -> Option<Listener<'a>> {
        self.listeners().find(|l| l.advertises_pods() && !l.tls() && l.authentication().is_none())
    }

    /// `spec.kafka.authorization`; `None` if every client may do everything.
    pub fn authorization(&self) -> Option<Authorization<'a>> {
        let spec = self.0.json().pointer("/spec/kafka/authorization").filter(|a| a.is_object())?;
        let kind = text(spec, "/type");
        // `KafkaAuthorization.supportsAdminApi` of each type.
        let takes_rules = match kind {
            "simple" => true,
            "keycloak" => spec["delegateToKafkaAcls"] == true,
            "custom" => spec["supportsAdminApi"] == true,
            _ => false,
        };
        let anonymous = list(spec, "/superUsers").iter().any(|user| {
            let name = user.as_str().unwrap_or_default();
            name == "ANONYMOUS" || name == "User:ANONYMOUS"
        });
        let everyone = self.option("allow.everyone.if.no.acl.found").as_deref() == Some("true");
        Some(Authorization {
            kind,
            takes_rules,
            admits_anonymous: kind == "simple" && (anonymous || everyone),
        })
    }

    /// The prefix of the names of its users' Secrets.
    pub fn user_secret_prefix(&self) -> &'a str {
        text(self.0.json(), "/spec/entityOperator/userOperator/secretPrefix")
    }

    /// `spec.kafka.config`.
    pub fn config(&self) -> Option<&'a Map<String, Value>> {
        self.0.json().pointer("/spec/kafka/config")?.as_object()
    }

    /// A setting of `spec.kafka.config` as text.
    pub fn option(&self, name: &str) -> Option<String> {
        Some(crate::names::plain(self.config()?.get(name)?))
    }

    /// Whether it has tiered storage.
    pub fn tiered_storage(&self) -> bool {
        self.0.json().pointer("/spec/kafka/tieredStorage").is_some_and(Value::is_object)
    }

    /// Whether its spec has a ZooKeeper, which releases from 0.46 on reject.
    pub fn zookeeper(&self) -> bool {
        self.0.json().pointer("/spec/zookeeper").is_some_and(Value::is_object)
    }

    /// Whether it runs ZooKeeper. A migrated one does not, even while its spec still has one.
    pub fn has_zookeeper(&self) -> bool {
        self.zookeeper()
            && match text(self.0.json(), "/status/kafkaMetadataState") {
                "" => self.0.annotation("strimzi.io/kraft") != Some("enabled"),
                state => !["PreKRaft", "KRaft"].contains(&state),
            }
    }

    /// The metadata version in `status`, empty before there is one.
    pub fn metadata_version(&self) -> &'a str {
        text(self.0.json(), "/status/kafkaMetadataVersion")
    }

    /// `status.clusterId`, empty before there is one.
    pub fn cluster_id(&self) -> &'a str {
        text(self.0.json(), "/status/clusterId")
    }

    /// The requested Kafka version, empty for the operator's default.
    pub fn requested_version(&self) -> &'a str {
        text(self.0.json(), "/spec/kafka/version")
    }

    /// The Kafka version in `status`, empty before there is one.
    pub fn version(&self) -> &'a str {
        text(self.0.json(), "/status/kafkaVersion")
    }

    /// The target Kafka version: the requested one, or the one that the operator chose.
    pub fn target_version(&self) -> Option<Version> {
        [self.requested_version(), self.version()].into_iter().find_map(|version| version.parse().ok())
    }

    /// The operator release of the last successful reconciliation.
    pub fn operator_version(&self) -> &'a str {
        text(self.0.json(), "/status/operatorLastSuccessfulVersion")
    }

    /// Whether node pools describe its nodes. Before they were the only way, a Kafka resource with ZooKeeper, or one
    /// that only a feature gate made KRaft, had its brokers in its own spec unless an annotation said otherwise.
    pub fn uses_pools(&self) -> bool {
        self.0.annotation("strimzi.io/node-pools") == Some("enabled")
            || self.own_replicas().is_none()
            || !self.zookeeper()
    }

    /// Requested brokers in its own spec, which only a Kafka resource without node pools has.
    pub fn replicas(&self) -> Option<i64> {
        self.own_replicas().filter(|_| !self.uses_pools())
    }

    fn own_replicas(&self) -> Option<i64> {
        number(self.0.json(), "/spec/kafka/replicas")
    }

    /// Its nodes, from its node pools.
    pub fn nodes<'p>(&self, pools: impl IntoIterator<Item = KafkaNodePool<'p>>) -> Nodes {
        let mut nodes = Nodes::default();
        if let Some(replicas) = self.replicas() {
            nodes.brokers_wanted = u32::try_from(replicas).unwrap_or(0);
            // Without node pools brokers are numbered from 0.
            nodes.brokers = (0..i32::try_from(replicas).unwrap_or(0)).collect();
            nodes.all = nodes.brokers.clone();
            return nodes;
        }
        for pool in pools.into_iter().filter(|pool| pool.belongs_to(self)) {
            nodes.all.extend(pool.node_ids());
            if pool.has_brokers() {
                nodes.brokers.extend(pool.node_ids());
                nodes.brokers_wanted += u32::try_from(pool.requested_replicas()).unwrap_or(0);
            }
        }
        nodes
    }

    /// Whether the spec has an entity operator (topic or user operator).
    pub fn wants_entity_operator(&self) -> bool {
        [Entity::Topic, Entity::User].into_iter().any(|entity| self.managed_namespace(entity).is_some())
    }

    /// The namespace whose topics or users are managed; `None` if the spec has no such operator.
    pub fn managed_namespace(&self, entity: Entity) -> Option<&'a str> {
        let spec =
            self.0.json().pointer("/spec/entityOperator")?.get(entity.field()).filter(|o| o.is_object())?;
        let named = spec.get("watchedNamespace").and_then(Value::as_str).filter(|n| !n.is_empty());
        Some(named.unwrap_or(self.0.namespace()))
    }

    /// Whether topics or users in the Kafka resource's own namespace are managed.
    pub fn manages_own_namespace(&self, entity: Entity) -> bool {
        self.managed_namespace(entity) == Some(self.0.namespace())
    }

    /// The components of the spec besides its nodes, by the name in their pods' labels, with their titles.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
        let (spec, entity_operator) = (self.0.json().get("spec"), self.wants_entity_operator());
        let zookeeper = self.has_zookeeper();
        PARTS.into_iter().filter_map(move |(field, part, title)| {
            let asked = match field {
                "entityOperator" => entity_operator,
                "zookeeper" => zookeeper,
                _ => spec.and_then(|s| s.get(field)).is_some_and(Value::is_object),
            };
            asked.then_some((part, title))
        })
    }
}

/// The nodes of a Kafka cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// The number of requested brokers.
    pub brokers_wanted: u32,
    /// Ids of the brokers, as far as the operator has assigned them.
    pub brokers: BTreeSet<i32>,
    /// Ids of all nodes, brokers or controllers.
    pub all: BTreeSet<i32>,
}

impl Nodes {
    /// The brokers as text: `brokers 0, 1, 2`.
    pub fn describe_brokers(&self) -> String {
        let ids: Vec<String> = self.brokers.iter().map(ToString::to_string).collect();
        match ids.as_slice() {
            [] => "its brokers".to_owned(),
            [id] => format!("broker {id}"),
            ids => format!("brokers {}", ids.join(", ")),
        }
    }
}

/// The parts of a Kafka cluster besides its nodes, in the order in which the operator (1.2.0) reconciles them: the
/// field in the spec, the name in its pods' labels, its title.
const PARTS: [(&str, &str, &str); 4] = [
    ("zookeeper", "zookeeper", "ZooKeeper"),
    ("cruiseControl", "cruise-control", "Cruise Control"),
    ("entityOperator", "entity-operator", "the entity operator"),
    ("kafkaExporter", "kafka-exporter", "the Kafka Exporter"),
];

/// The title of the part of the Kafka cluster `cluster` that the pod belongs to, even if the spec no longer contains
/// that part.
pub(crate) fn part_title(pod: &Pod<'_>, cluster: &str) -> Option<&'static str> {
    PARTS.into_iter().find_map(|(_, part, title)| pod.is_part_of(cluster, part).then_some(title))
}

/// The additional volumes of the pods of a `Kafka`.
pub(crate) fn additional_volumes(kafka: &Value) -> impl Iterator<Item = &Value> {
    ["/spec/kafka/template/pod/volumes", "/spec/entityOperator/template/pod/volumes"]
        .into_iter()
        .flat_map(|pointer| list(kafka, pointer))
}

/// The storages of a Kafka resource or a node pool, including the volumes of a `jbod`.
pub(crate) fn storages(resource: &Value) -> impl Iterator<Item = &Value> {
    let all = ["/spec/storage", "/spec/kafka/storage", "/spec/zookeeper/storage"].into_iter();
    all.filter_map(|at| resource.pointer(at)).flat_map(with_volumes)
}

/// A storage, including the volumes of a `jbod`.
pub(crate) fn with_volumes(storage: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(storage).chain(list(storage, "/volumes"))
}

/// The annotation of a node pool with the nodes that the operator removes first, instead of those with the highest
/// ids.
pub(crate) const REMOVE_IDS: &str = "strimzi.io/remove-node-ids";

/// A node pool. It has no `Ready`; without a status no Kafka resource uses it.
#[derive(Debug, Clone, Copy)]
pub struct KafkaNodePool<'a>(pub &'a Object);

impl<'a> KafkaNodePool<'a> {
    /// The Kafka cluster it belongs to: label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Whether it belongs to this Kafka cluster.
    pub fn belongs_to(&self, kafka: &Kafka<'_>) -> bool {
        self.cluster() == Some(kafka.0.name()) && self.0.namespace() == kafka.0.namespace()
    }

    /// Requested nodes.
    pub fn requested_replicas(&self) -> i64 {
        number(self.0.json(), "/spec/replicas").unwrap_or(0)
    }

    /// Node ids that the operator assigned, ascending.
    pub fn node_ids(&self) -> BTreeSet<i32> {
        let ids = list(self.0.json(), "/status/nodeIds").iter();
        ids.filter_map(|id| i32::try_from(id.as_i64()?).ok()).collect()
    }

    /// Nodes in its status.
    pub fn replicas(&self) -> Option<i64> {
        number(self.0.json(), "/status/replicas")
    }

    /// `broker`, `controller`.
    pub fn roles(&self) -> Vec<&'a str> {
        texts(self.0.json(), "/spec/roles")
    }

    /// Whether its nodes are brokers.
    pub fn has_brokers(&self) -> bool {
        self.roles().contains(&"broker")
    }

    /// Whether its nodes are controllers.
    pub fn has_controllers(&self) -> bool {
        self.roles().contains(&"controller")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kafka(spec: &Value) -> Object {
        Object::new(json!({"metadata": {"name": "bus", "namespace": "team-a"}, "spec": spec}))
    }

    #[test]
    fn the_listener_for_kstrim_is_found_by_its_properties() {
        let listener = |name: &str, port: u16, kind: &str, more: Value| {
            let mut listener = json!({"name": name, "port": port, "type": kind, "tls": false});
            for (key, value) in more.as_object().into_iter().flatten() {
                listener[key] = value.clone();
            }
            listener
        };
        let advertised =
            json!({"configuration": {"brokers": [{"broker": 0, "advertisedHost": "127.0.0.1"}]}});
        let object = kafka(&json!({"kafka": {"listeners": [
            listener("plain", 9092, "nodeport", json!({})),
            listener("tls", 9093, "internal", json!({"tls": true})),
            listener("app", 9095, "internal", json!({"authentication": {"type": "scram-sha-512"}})),
            listener("host", 9094, "internal", advertised),
            listener("clients", 19092, "internal", json!({"authentication": null})),
        ]}}));
        let found = Kafka(&object).plain_listener().map(|l| (l.name(), l.port()));
        assert_eq!(found, Some(("clients", Some(19092))));
        assert_eq!(Kafka(&kafka(&json!({"kafka": {"listeners": null}}))).plain_listener(), None);
    }

    #[test]
    fn only_some_authorizations_support_acls() {
        for (spec, found) in [
            (json!(null), None),
            (json!({"type": "simple"}), Some(("simple", true))),
            (json!({"type": "opa", "url": "http://opa"}), Some(("opa", false))),
            (json!({"type": "keycloak", "delegateToKafkaAcls": true}), Some(("keycloak", true))),
            (json!({"type": "keycloak"}), Some(("keycloak", false))),
            (json!({"type": "custom", "supportsAdminApi": true}), Some(("custom", true))),
            (json!({"type": "custom", "authorizerClass": "a.B"}), Some(("custom", false))),
        ] {
            let object = kafka(&json!({"kafka": {"authorization": spec}}));
            assert_eq!(Kafka(&object).authorization().map(|a| (a.kind, a.takes_rules)), found, "{spec}");
        }
    }

    #[test]
    fn topics_and_users_are_managed_in_the_watched_namespace() {
        for (spec, topics, here) in [
            (json!({}), None, false),
            (json!({"entityOperator": {"userOperator": {}}}), None, false),
            (json!({"entityOperator": {"topicOperator": null}}), None, false),
            (json!({"entityOperator": {"topicOperator": {}}}), Some("team-a"), true),
            (json!({"entityOperator": {"topicOperator": {"watchedNamespace": ""}}}), Some("team-a"), true),
            (json!({"entityOperator": {"topicOperator": {"watchedNamespace": "apps"}}}), Some("apps"), false),
        ] {
            let object = kafka(&spec);
            let kafka = Kafka(&object);
            assert_eq!(
                (kafka.managed_namespace(Entity::Topic), kafka.manages_own_namespace(Entity::Topic)),
                (topics, here)
            );
        }
    }

    /// Pools with any name, dedicated controllers, another Kafka cluster's pool, and a Kafka resource from before
    /// node pools.
    #[test]
    fn nodes_come_from_the_pools_or_the_kafka_resource() {
        let pool = |name: &str, cluster: &str, roles: &[&str], ids: &[i32]| {
            Object::new(json!({
                "metadata": {"name": name, "namespace": "team-a", "labels": {"strimzi.io/cluster": cluster}},
                "spec": {"replicas": ids.len(), "roles": roles}, "status": {"nodeIds": ids}}))
        };
        let pools = [
            pool("quorum", "bus", &["controller"], &[100, 101, 102]),
            pool("ssd", "bus", &["broker"], &[7, 3]),
            pool("hdd", "bus", &["broker", "controller"], &[5]),
            pool("theirs", "other", &["broker"], &[1]),
        ];
        let pools = || pools.iter().map(KafkaNodePool);
        let nodes = |object: &Object| {
            let nodes = Kafka(object).nodes(pools());
            (nodes.brokers_wanted, nodes.describe_brokers(), nodes.all.len())
        };
        assert_eq!(nodes(&kafka(&json!({"kafka": {}}))), (3, "brokers 3, 5, 7".into(), 6));
        // Releases before 0.46 also require these fields for a KRaft cluster, and ignore them.
        let ignored = kafka(&json!({"kafka": {"replicas": 9}}));
        assert_eq!(nodes(&ignored).0, 3);
        let own = json!({"kafka": {"replicas": 2}, "zookeeper": {"replicas": 1}});
        assert_eq!(nodes(&kafka(&own)), (2, "brokers 0, 1".into(), 2));
        let annotated = Object::new(json!({"metadata": {"name": "bus", "namespace": "team-a",
            "annotations": {"strimzi.io/node-pools": "enabled"}}, "spec": own}));
        assert_eq!(nodes(&annotated).0, 3);
    }
}
