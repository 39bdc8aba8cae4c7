//! The components of a Kafka cluster: one table that every command uses.
//!
//! Connect, MirrorMaker 2 and the bridge are separate resources, which have kstrim's label. The exporter, Cruise
//! Control and the brokers' metrics are fields of the Kafka resource; for each, an annotation on the Kafka resource
//! says that kstrim created it. [`ready`] determines whether a component is ready.

pub(crate) mod ready;

use serde_json::{Map, Value, json};

use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::kube::Kind;
use crate::manifest::Object;
use crate::manifest::component::{self as render, ComponentInput};
use crate::manifest::images::Image;
use crate::names::{ClusterName, ComponentName};

/// Where a component is configured.
pub enum Home {
    /// In a separate resource with the name of the Kafka resource.
    Resource(Kind, fn(&ComponentInput<'_>) -> Object),
    /// In a field of the Kafka resource.
    Field(Field),
}

/// A field of the Kafka resource.
pub struct Field {
    /// Its path: `spec`, `kafkaExporter`.
    pub path: &'static [&'static str],
    /// Its value.
    pub wanted: fn(&ComponentInput<'_>) -> Value,
    /// An object that the value refers to, if there is one.
    pub beside: fn(&ComponentInput<'_>) -> Option<Object>,
    /// Whether the brokers run something for it, and restart when it is added or removed.
    pub in_brokers: bool,
}

/// A component that can run in addition to Kafka.
pub struct Component {
    /// Its name.
    pub name: ComponentName,
    /// Its title in messages: `Kafka Connect`.
    pub title: &'static str,
    /// What it does, for help texts and documents.
    pub about: &'static str,
    /// Where it is configured.
    pub home: Home,
    /// Label `strimzi.io/component-type` of its pods; `kafka` for what the brokers run themselves.
    pub pods: &'static str,
    /// Its image.
    pub image: Image,
    /// The smallest number of brokers with which it works.
    pub brokers: u32,
    /// The topics that belong to it, by the Kafka cluster's name and its resource in the cluster.
    pub topics: fn(&ClusterName, Option<&Value>) -> Vec<String>,
}

fn nothing(_: &ComponentInput<'_>) -> Option<Object> {
    None
}

/// The topics in which Cruise Control and the brokers' reporter store measurements (the defaults of Cruise Control,
/// which Strimzi does not change: `cruisecontrol.properties`).
const CRUISE_CONTROL_TOPICS: [&str; 3] = [
    "strimzi.cruisecontrol.metrics",
    "strimzi.cruisecontrol.partitionmetricsamples",
    "strimzi.cruisecontrol.modeltrainingsamples",
];

/// The topics of MirrorMaker 2: its internal ones, one in which it records which offsets correspond, and the mirrored
/// topic.
fn mirrored(cluster: &ClusterName, resource: Option<&Value>) -> Vec<String> {
    let mut topics: Vec<String> = render::mirror_topics(cluster).into();
    // Another MirrorMaker 2 may have a topic of that name.
    topics.extend(resource.map(|_| "mm2-offset-syncs.target.internal".to_owned()));
    topics.extend(resource.and_then(mirror_of));
    topics
}

/// The topic to which a MirrorMaker 2 that kstrim created mirrors another.
pub(crate) fn mirror_of(resource: &Value) -> Option<String> {
    Some(format!("{}.{}", render::SOURCE, mirrored_topic(resource)?))
}

/// The topic that a MirrorMaker 2 that kstrim created mirrors.
pub(crate) fn mirrored_topic(resource: &Value) -> Option<String> {
    Some(resource.pointer("/spec/mirrors/0/topicsPattern")?.as_str()?.replace("\\.", "."))
}

/// All components, in display order.
pub static TABLE: [Component; 6] = [
    Component {
        name: ComponentName::Connect,
        title: "Kafka Connect",
        about: "runs connectors, which move data into and out of Kafka",
        home: Home::Resource(Kind::KafkaConnect, render::connect),
        pods: "kafka-connect",
        image: Image::ByVersion("STRIMZI_KAFKA_CONNECT_IMAGES"),
        brokers: 1,
        topics: |cluster, _| {
            let own = render::connect_topics(cluster).into_iter();
            own.chain(render::PROOF_TOPICS.map(str::to_owned)).collect()
        },
    },
    Component {
        name: ComponentName::MirrorMaker,
        title: "MirrorMaker 2",
        about: "mirrors a topic to a second one",
        home: Home::Resource(Kind::KafkaMirrorMaker2, render::mirror_maker),
        pods: "kafka-mirror-maker-2",
        image: Image::ByVersion("STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES"),
        brokers: 1,
        topics: mirrored,
    },
    Component {
        name: ComponentName::Bridge,
        title: "HTTP bridge",
        about: "Kafka over HTTP, on port 8080",
        home: Home::Resource(Kind::KafkaBridge, render::bridge),
        pods: "kafka-bridge",
        image: Image::One("STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE"),
        brokers: 1,
        topics: |_, _| vec![render::BRIDGE_TOPIC.to_owned()],
    },
    Component {
        name: ComponentName::CruiseControl,
        title: "Cruise Control",
        about: "balances partitions over brokers",
        home: Home::Field(Field {
            path: &["spec", "cruiseControl"],
            wanted: render::cruise_control,
            beside: nothing,
            // Its metrics reporter.
            in_brokers: true,
        }),
        pods: "cruise-control",
        image: Image::One("STRIMZI_DEFAULT_CRUISE_CONTROL_IMAGE"),
        brokers: 2,
        topics: |_, _| CRUISE_CONTROL_TOPICS.map(str::to_owned).into(),
    },
    Component {
        name: ComponentName::Exporter,
        title: "Kafka Exporter",
        about: "exports metrics about topics and consumer groups for Prometheus",
        home: Home::Field(Field {
            path: &["spec", "kafkaExporter"],
            wanted: render::exporter,
            beside: nothing,
            in_brokers: false,
        }),
        pods: "kafka-exporter",
        image: Image::One("STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE"),
        brokers: 1,
        topics: |_, _| Vec::new(),
    },
    Component {
        name: ComponentName::Metrics,
        title: "Broker metrics",
        about: "exports the brokers' metrics for Prometheus",
        home: Home::Field(Field {
            path: &["spec", "kafka", "metricsConfig"],
            wanted: render::metrics,
            beside: render::metrics_rules,
            in_brokers: true,
        }),
        pods: "kafka",
        image: Image::Kafka,
        brokers: 1,
        topics: |_, _| Vec::new(),
    },
];

/// The component with this name.
pub fn of(name: ComponentName) -> &'static Component {
    // The order of the table is that of the names, which a test checks.
    &TABLE[name as usize]
}

/// The kinds of resources of components.
pub const KINDS: [Kind; 3] = [Kind::KafkaConnect, Kind::KafkaMirrorMaker2, Kind::KafkaBridge];

impl Component {
    /// Its field of the Kafka resource, if it is one.
    pub fn field(&self) -> Option<&Field> {
        match &self.home {
            Home::Field(field) => Some(field),
            Home::Resource(..) => None,
        }
    }

    /// The kind of its resource, if it has one.
    pub fn kind(&self) -> Option<Kind> {
        match &self.home {
            Home::Resource(kind, _) => Some(*kind),
            Home::Field(_) => None,
        }
    }

    /// The annotation on the Kafka resource that says that kstrim created its field.
    pub fn mark(&self) -> String {
        format!("kstrim/with-{}", self.name)
    }

    /// The objects that are applied for it in addition to the Kafka resource, not yet labelled.
    pub fn objects(&self, input: &ComponentInput<'_>) -> Vec<Object> {
        match &self.home {
            Home::Resource(_, render) => vec![render(input)],
            Home::Field(field) => (field.beside)(input).into_iter().collect(),
        }
    }

    /// Whether the brokers restart when it is added or removed.
    pub fn restarts_brokers(&self) -> bool {
        self.field().is_some_and(|field| field.in_brokers)
    }

    /// Whether a Kafka resource has its field, whoever created it.
    pub fn is_field_of(&self, kafka: &Value) -> bool {
        let value = self.field().and_then(|f| kafka.pointer(&format!("/{}", f.path.join("/"))));
        value.is_some_and(|v| !v.is_null())
    }

    /// Whether kstrim created its field of a Kafka resource.
    pub fn is_marked(&self, kafka: &Value) -> bool {
        kafka.pointer("/metadata/annotations").and_then(|a| a.get(self.mark())).is_some()
    }
}

/// Set the fields of components in a Kafka resource that is applied: those of `wanted`, and those that kstrim created
/// in the live resource, so that another apply does not remove them.
pub fn into_kafka(
    objects: &mut [Object],
    live: Option<&Value>,
    wanted: &[ComponentName],
    input: &ComponentInput<'_>,
) {
    for object in objects.iter_mut().filter(|o| o.kind() == "Kafka") {
        for component in &TABLE {
            let Some(field) = component.field() else { continue };
            let there = live.filter(|kafka| component.is_marked(kafka) && component.is_field_of(kafka));
            let value = match there {
                Some(kafka) => kafka.pointer(&format!("/{}", field.path.join("/"))).cloned(),
                None if wanted.contains(&component.name) => Some((field.wanted)(input)),
                None => None,
            };
            if let Some(value) = value {
                object.set(field.path, value);
                object.set(&["metadata", "annotations", &component.mark()], "true");
            }
        }
    }
}

/// The merge patch that adds the missing fields of `names` to a Kafka resource; `None` if none is missing.
pub(crate) fn patch_to_add(
    kafka: &Value,
    names: &[ComponentName],
    input: &ComponentInput<'_>,
) -> Option<Value> {
    patch(names, |component, field| {
        let done = component.is_field_of(kafka) && component.is_marked(kafka);
        (!done).then(|| ((field.wanted)(input), json!("true")))
    })
}

/// The merge patch that removes the fields of `names` from a Kafka resource; `None` if kstrim created none of them.
pub(crate) fn patch_to_remove(kafka: &Value, names: &[ComponentName]) -> Option<Value> {
    patch(names, |component, _| component.is_marked(kafka).then_some((Value::Null, Value::Null)))
}

fn patch(
    names: &[ComponentName],
    value: impl Fn(&Component, &Field) -> Option<(Value, Value)>,
) -> Option<Value> {
    let mut patch = Value::Null;
    for component in names.iter().map(|name| of(*name)) {
        let Some(field) = component.field() else { continue };
        let Some((value, mark)) = value(component, field) else { continue };
        set(&mut patch, field.path, value);
        set(&mut patch, &["metadata", "annotations", &component.mark()], mark);
    }
    (!patch.is_null()).then_some(patch)
}

fn set(into: &mut Value, path: &[&str], value: Value) {
    let mut at = into;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[*key];
    }
    *at = value;
}

/// Refuse components that do not work with this number of brokers: the operator would reject the whole Kafka
/// resource.
pub(crate) fn check(names: &[ComponentName], brokers: u32, way_out: &str) -> Result<()> {
    let Some(component) = names.iter().map(|n| of(*n)).find(|c| c.brokers > brokers) else { return Ok(()) };
    let message = format!("{} needs at least {} brokers", component.title, component.brokers);
    Err(Box::new(
        Failure::new(errors::COMPONENT_BROKERS, Class::Usage, message)
            .because(format!(
                "it moves partitions between brokers, but this Kafka cluster has {brokers}: the operator \
                 would reject the whole cluster"
            ))
            .hint(way_out.to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    fn input<T>(use_it: impl FnOnce(&ComponentInput<'_>) -> T) -> T {
        let release = catalogue::find(&"1.2.0".parse().unwrap()).unwrap();
        use_it(&ComponentInput {
            release,
            kafka: &release.default_kafka,
            namespace: &"kafka".parse().unwrap(),
            cluster: &"my-cluster".parse().unwrap(),
            port: 9092,
            topic: &"my-topic".parse().unwrap(),
            tuning: false,
        })
    }

    #[test]
    fn the_table_is_in_the_order_of_the_names() {
        for name in ComponentName::ALL {
            assert_eq!(of(name).name, name);
            assert_eq!(of(name).kind().is_some(), of(name).field().is_none());
        }
        let kinds: Vec<Kind> = TABLE.iter().filter_map(Component::kind).collect();
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn fields_are_added_kept_and_removed() {
        use ComponentName::{Exporter, Metrics};
        let bare = json!({"metadata": {}, "spec": {"kafka": {}}});
        let patch = input(|i| patch_to_add(&bare, &[ComponentName::Connect, Exporter, Metrics], i)).unwrap();
        assert_eq!(patch["spec"]["kafka"]["metricsConfig"]["type"], "strimziMetricsReporter");
        assert_eq!(patch["spec"]["kafkaExporter"]["topicRegex"], ".*");
        let marks = json!({"kstrim/with-exporter": "true", "kstrim/with-metrics": "true"});
        assert_eq!(patch["metadata"]["annotations"], marks);
        assert_eq!(input(|i| patch_to_add(&patch, &[Exporter, Metrics], i)), None, "it has them");

        // A later apply without them removes nothing, and one with another component adds that.
        let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "k"}});
        let mut applied = [Object::new(kafka).unwrap()];
        input(|i| into_kafka(&mut applied, Some(&patch), &[], i));
        assert_eq!(applied[0].get("/spec"), patch.get("spec"));
        assert_eq!(applied[0].get("/metadata/annotations"), Some(&marks));

        let gone = patch_to_remove(&patch, &[Exporter]).unwrap();
        assert_eq!(
            gone,
            json!({"spec": {"kafkaExporter": null},
            "metadata": {"annotations": {"kstrim/with-exporter": null}}})
        );
        assert_eq!(patch_to_remove(&bare, &[Exporter]), None);
        // A foreign field is not removed.
        let theirs = json!({"spec": {"kafkaExporter": {}}});
        assert!(patch_to_remove(&theirs, &[Exporter]).is_none() && of(Exporter).is_field_of(&theirs));
    }

    #[test]
    fn one_broker_is_too_few_to_balance() {
        assert!(check(&ComponentName::ALL, 2, "").is_ok());
        let refused = check(&ComponentName::ALL, 1, "use --preset ha").unwrap_err();
        assert_eq!((refused.id, refused.kind), (errors::COMPONENT_BROKERS, Class::Usage));
        assert!(check(&[ComponentName::Connect], 1, "").is_ok());
    }
}
