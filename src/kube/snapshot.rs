//! The observed objects at one point in time.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::cluster::{Crd, Deployment, Namespace, Node};
use super::kafka::{Kafka, KafkaNodePool};
use super::kind::Kind;
use super::object::Object;
use super::pod::{Claim, Event, Pod};
use super::strimzi::KafkaTopic;

/// Namespace (empty for cluster-scoped kinds) and name.
pub(crate) type Key = (String, String);
pub(crate) type Objects = BTreeMap<Key, Object>;

/// A snapshot of a [`super::Store`]. Cloning is cheap; the store may change independently.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) kinds: BTreeMap<Kind, Rc<Objects>>,
    pub(crate) synced: BTreeSet<Kind>,
}

impl Snapshot {
    /// A snapshot of these objects, with all their kinds considered synced. For one-shot reads and tests.
    pub fn of(objects: impl IntoIterator<Item = Object>) -> Self {
        let mut snapshot = Snapshot::default();
        for object in objects {
            if let Some(kind) = Kind::parse(object.kind()) {
                let key = (object.namespace().to_owned(), object.name().to_owned());
                Rc::make_mut(snapshot.kinds.entry(kind).or_default()).insert(key, object);
                snapshot.synced.insert(kind);
            }
        }
        snapshot
    }

    /// Whether the kind was listed at least once: only then is the absence of an object meaningful.
    pub fn synced(&self, kind: Kind) -> bool {
        self.synced.contains(&kind)
    }

    /// All objects of a kind, by namespace and name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.kinds.get(&kind).into_iter().flat_map(|o| o.values())
    }

    /// One object.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object> {
        let namespace = if kind.namespaced() { namespace } else { "" };
        self.kinds.get(&kind)?.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Pods of a namespace.
    pub fn pods<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = Pod<'a>> {
        self.inside(Kind::Pod, namespace).map(Pod)
    }

    /// Claims of a namespace.
    pub fn claims<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = Claim<'a>> {
        self.inside(Kind::Claim, namespace).map(Claim)
    }

    /// Events about exactly this object, not about an earlier one with the same name.
    pub fn events_of<'a>(&'a self, object: &'a Object) -> impl Iterator<Item = Event<'a>> {
        let uid = object.uid();
        self.all(Kind::Event).map(Event).filter(move |e| !uid.is_empty() && e.about_uid() == uid)
    }

    /// A deployment.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<Deployment<'_>> {
        self.get(Kind::Deployment, namespace, name).map(Deployment)
    }

    /// Strimzi's operators, in all namespaces.
    pub fn operators(&self) -> impl Iterator<Item = Deployment<'_>> {
        let all = self.all(Kind::Deployment).filter(|d| !d.deleting()).map(Deployment);
        all.filter(Deployment::is_cluster_operator)
    }

    /// The operator of a Kafka resource: one in its namespace that manages it, otherwise one elsewhere that does,
    /// otherwise one in its namespace that does not.
    pub fn operator_of(&self, namespace: &str, cluster: &str) -> Option<Deployment<'_>> {
        let kafka = self.kafka(namespace, cluster).map(|kafka| kafka.0);
        let rank = |d: &Deployment<'_>| match (d.serves(namespace, kafka), d.0.namespace() == namespace) {
            (true, true) => Some(0),
            (true, false) => Some(1),
            (false, true) => Some(2),
            // A Kafka resource that kstrim has not created yet gets the labels that the operator selects by.
            (false, false) => (kafka.is_none() && d.watches(namespace)).then_some(3),
        };
        self.operators().filter_map(|d| Some((rank(&d)?, d))).min_by_key(|(rank, _)| *rank).map(|(_, d)| d)
    }

    /// The same with additional objects.
    #[must_use]
    pub fn with(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        for object in objects {
            if let Some(kind) = Kind::parse(object.kind()) {
                let key = (object.namespace().to_owned(), object.name().to_owned());
                Rc::make_mut(self.kinds.entry(kind).or_default()).insert(key, object);
            }
        }
        self
    }

    /// A Kafka resource.
    pub fn kafka(&self, namespace: &str, name: &str) -> Option<Kafka<'_>> {
        self.get(Kind::Kafka, namespace, name).map(Kafka)
    }

    /// Node pools of a namespace, of any Kafka cluster.
    pub fn pools<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = KafkaNodePool<'a>> {
        self.inside(Kind::KafkaNodePool, namespace).map(KafkaNodePool)
    }

    /// A topic, by the name of its resource.
    pub fn topic(&self, namespace: &str, name: &str) -> Option<KafkaTopic<'_>> {
        self.get(Kind::KafkaTopic, namespace, name).map(KafkaTopic)
    }

    /// The topic resources of a namespace.
    pub fn topics<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = KafkaTopic<'a>> {
        self.inside(Kind::KafkaTopic, namespace).map(KafkaTopic)
    }

    /// A CRD, by its full name `kafkas.kafka.strimzi.io`.
    pub fn crd(&self, name: &str) -> Option<Crd<'_>> {
        self.get(Kind::Crd, "", name).map(Crd)
    }

    /// A namespace.
    pub fn namespace(&self, name: &str) -> Option<Namespace<'_>> {
        self.get(Kind::Namespace, "", name).map(Namespace)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.all(Kind::Node).map(Node)
    }

    fn inside<'a>(&'a self, kind: Kind, namespace: &'a str) -> impl Iterator<Item = &'a Object> {
        self.all(kind).filter(move |o| o.namespace() == namespace)
    }
}
