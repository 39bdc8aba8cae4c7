//! Names that Kubernetes, Strimzi or Kafka rejects, found before anything is created.

use std::collections::HashMap;
use std::str::FromStr;

use serde_json::Value;

use super::document::Document;
use super::problem::Problem;
use super::references::{cluster_of, topic_of};
use super::schema::is_strimzi;
use crate::errors;
use crate::manifest::Object;
use crate::names::{ClusterName, DnsLabel, SecretName, TopicName, UserName};

const TOPIC_NAME: &str = "/spec/topicName";

/// What is wrong with the name of an object, or with the topic that it describes.
pub(super) fn check(document: &Document) -> Option<Problem> {
    let object = &document.object;
    let name = object.name();
    let of_strimzi = is_strimzi(object);
    let rule = match (of_strimzi, object.group(), object.kind()) {
        (true, _, "Kafka") => broken::<ClusterName>(name, ClusterName::RULE),
        (true, _, "KafkaUser") => broken::<UserName>(name, UserName::RULE),
        // Services and pods are named after them.
        (
            true,
            _,
            "KafkaNodePool" | "KafkaConnect" | "KafkaMirrorMaker2" | "KafkaMirrorMaker" | "KafkaBridge",
        ) => broken::<DnsLabel>(name, DnsLabel::RULE),
        (_, "", "Service") => {
            let label = broken::<DnsLabel>(name, SERVICE);
            label.or_else(|| name.starts_with(|c: char| c.is_ascii_digit()).then_some(SERVICE))
        }
        // They may have any name that can be a part of a path.
        (_, "rbac.authorization.k8s.io", _) => {
            (name.contains(['/', '%']) || name == "." || name == "..").then_some("without '/' and '%'")
        }
        _ => broken::<SecretName>(name, SecretName::RULE),
    };
    if let Some(rule) = rule {
        let what = format!("is not a valid name: {rule}");
        let problem = Problem::field(errors::FILE_OBJECT, document, "/metadata/name", what);
        return Some(
            match of_strimzi && object.kind() == "KafkaTopic" && name.parse::<TopicName>().is_ok() {
                true => {
                    problem.hint(format!("give it another metadata.name, and set spec.topicName: {name}"))
                }
                false => problem,
            },
        );
    }
    let topic = object.get(TOPIC_NAME).and_then(Value::as_str).filter(|_| is_topic(object))?;
    broken::<TopicName>(topic, TopicName::RULE).map(|rule| {
        let what = format!("is not a valid topic name: {rule}");
        Problem::field(errors::FILE_OBJECT, document, TOPIC_NAME, what)
    })
}

/// The rule of a Service's name: a DNS-1035 label.
const SERVICE: &str =
    "1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit";

fn broken<T: FromStr>(name: &str, rule: &'static str) -> Option<&'static str> {
    name.parse::<T>().is_err().then_some(rule)
}

fn is_topic(object: &Object) -> bool {
    is_strimzi(object) && object.kind() == "KafkaTopic"
}

/// KafkaTopics of a Kafka cluster that describe the same topic, or topics that Kafka does not accept beside each
/// other: in names of metrics, `.` and `_` are the same (`Topic.unifyCollisionChars` in Kafka's clients).
pub(super) fn colliding_topics(documents: &[Document]) -> Vec<Problem> {
    let mut seen: HashMap<(Option<&str>, String), (&str, &Document)> = HashMap::new();
    let mut problems = Vec::new();
    for document in documents.iter().filter(|document| is_topic(&document.object)) {
        let object = &document.object;
        let topic = topic_of(object);
        let key = (cluster_of(object), topic.replace('.', "_"));
        let Some((other, first)) = seen.insert(key, (topic, document)) else { continue };
        let origin = &first.origin;
        let what = match other == topic {
            true => format!("describes the topic {topic}, which {} at {origin} describes, too", first.object),
            false => format!(
                "describes the topic {topic}, which collides with {other} of {} at {origin}",
                first.object
            ),
        };
        let hint = match other == topic {
            true => "remove one of the two",
            false => "rename one of the two: Kafka does not distinguish '.' and '_' in names of topics",
        };
        problems.push(Problem::field(errors::FILE_DUPLICATE, document, "", what).hint(hint));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::test_support::documents;
    use super::*;

    fn named(api: &str, kind: &str, name: &str) -> Option<Problem> {
        let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n");
        check(&documents(&text)[0])
    }

    #[test]
    fn names_follow_the_rules_of_their_kinds() {
        let strimzi = "kafka.strimzi.io/v1";
        let long = "a".repeat(254);
        for (api, kind, good, bad) in [
            ("v1", "ConfigMap", "a.b-c", "A"),
            ("v1", "ConfigMap", "1", long.as_str()),
            ("v1", "Secret", "x", "'${NAME}'"),
            ("v1", "Service", "web", "1web"),
            ("v1", "Service", "w-1", "web.app"),
            ("rbac.authorization.k8s.io/v1", "Role", "system:reader:X", "a/b"),
            ("apps/v1", "Deployment", "a.b", "a_b"),
            (strimzi, "Kafka", "orders", "orders.prod"),
            (strimzi, "KafkaNodePool", "nodes-1", "nodes_1"),
            (strimzi, "KafkaUser", "a.b", "alice@home"),
            (strimzi, "KafkaTopic", "a.b", "My_Topic"),
            ("example.com/v1", "Thing", "a.b", "a b"),
        ] {
            let digits = if good == "1" { "'1'" } else { good };
            assert_eq!(named(api, kind, digits), None, "{kind} {good}");
            let problem = named(api, kind, bad).unwrap_or_else(|| panic!("{kind} {bad}"));
            assert_eq!((problem.id, problem.origin.line), (errors::FILE_OBJECT, 4), "{problem}");
        }
        let topic = named(strimzi, "KafkaTopic", "My_Topic").expect("upper case");
        assert!(topic.hint.is_some_and(|hint| hint.ends_with("spec.topicName: My_Topic")));
    }

    fn topics(given: &[(&str, &str)]) -> Vec<Document> {
        let one = |(name, spec): &(&str, &str)| {
            format!(
                "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: {name}\n  labels: \
                 {{strimzi.io/cluster: c}}\nspec: {spec}\n---\n"
            )
        };
        documents(&given.iter().map(one).collect::<String>())
    }

    #[test]
    fn a_topic_is_described_once() {
        assert_eq!(colliding_topics(&topics(&[("a", "{}"), ("b", "{topicName: c_d}")])), []);
        let same = colliding_topics(&topics(&[("a", "{}"), ("b", "{topicName: a}")]));
        assert!(
            same[0].message.contains("describes the topic a, which KafkaTopic a at test.yaml:1"),
            "{}",
            same[0]
        );
        let close = colliding_topics(&topics(&[("x.y", "{}"), ("b", "{topicName: x_y}")]));
        assert!(close[0].message.contains("collides with x.y of KafkaTopic x.y"), "{}", close[0]);
    }

    #[test]
    fn a_topic_that_kafka_rejects_is_found() {
        let problem = check(&topics(&[("a", "{topicName: 'x y/z'}")])[0]).expect("a space");
        assert_eq!((problem.id, problem.pointer.as_str()), (errors::FILE_OBJECT, TOPIC_NAME));
    }
}
