//! The images of an install manifest: which of them a preset runs, their registry, and their pull secrets.
//!
//! The operator reads the images of its operands from its environment: `STRIMZI_..._IMAGE` contains one,
//! `STRIMZI_..._IMAGES` a line `KAFKA-VERSION=IMAGE` for each Kafka version, and `STRIMZI_DEFAULT_MAVEN_BUILDER` one
//! under a different name. Compared with all 36 releases in `tests/supply`.

use serde_json::{Value, json};

use super::Object;
use super::tune::{OPERATOR, container, env, set_env};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{ImageName, ImageRegistry, Version};

/// Pull secrets that the operator sets on every pod that it creates, separated by commas.
const PULL_SECRETS: &str = "STRIMZI_IMAGE_PULL_SECRETS";
/// A sidecar of the entity operator, for ZooKeeper; removed in Strimzi 0.40.
const TLS_SIDECAR: &str = "STRIMZI_DEFAULT_TLS_SIDECAR_ENTITY_OPERATOR_IMAGE";

/// The form of an image variable of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    One,
    ByVersion,
}

fn holds(variable: &str) -> Option<Holds> {
    let rest = variable.strip_prefix("STRIMZI_")?;
    if rest.ends_with("_IMAGES") {
        Some(Holds::ByVersion)
    } else if rest.ends_with("_IMAGE") || rest.ends_with("_MAVEN_BUILDER") {
        Some(Holds::One)
    } else {
        None
    }
}

/// The lines `VERSION=IMAGE`.
fn by_version(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(version, image)| (version.trim(), image.trim()))
}

/// Replace the registry of every image in the operator's Deployment by `registry`: its own, and those of its
/// operands. Returns how many were replaced.
pub fn from_registry(deployment: &mut Object, registry: &ImageRegistry) -> Result<usize> {
    let mut moved = 0;
    let mut at = |image: &str| {
        moved += 1;
        registry.image(image)
    };
    for kind in ["containers", "initContainers"] {
        let list = deployment.get_mut(&format!("/spec/template/spec/{kind}")).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten() {
            if let Some(Value::String(image)) = container.get_mut("image") {
                *image = at(image);
            }
        }
    }
    let container = container(deployment)?;
    let list = container.get_mut("env").and_then(Value::as_array_mut);
    for variable in list.into_iter().flatten() {
        let held = variable.get("name").and_then(Value::as_str).and_then(holds);
        let (Some(held), Some(Value::String(value))) = (held, variable.get_mut("value")) else { continue };
        *value = match held {
            Holds::One if value.is_empty() => continue,
            Holds::One => at(value.trim()),
            Holds::ByVersion => {
                by_version(value).map(|(version, image)| format!("{version}={}\n", at(image))).collect()
            }
        };
    }
    Ok(moved)
}

/// Pull images with these Secrets of the namespace: for the operator's own pod, its service account, and everything
/// that the operator creates.
pub fn pull_with(objects: &mut [Object], secrets: &[String]) -> Result<()> {
    if secrets.is_empty() {
        return Ok(());
    }
    let list: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
    for account in objects.iter_mut().filter(|o| o.kind() == "ServiceAccount" && o.name() == OPERATOR) {
        account.set(&["imagePullSecrets"], list.clone());
    }
    let deployment = super::tune::operator(objects)?;
    set_env(container(deployment)?, PULL_SECRETS, &secrets.join(","));
    deployment.set(&["spec", "template", "spec", "imagePullSecrets"], list);
    Ok(())
}

/// The image of a component, as a variable of the operator's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// The brokers' own.
    Kafka,
    /// The one for the Kafka version, in this variable.
    ByVersion(&'static str),
    /// The only one in this variable.
    One(&'static str),
}

/// The images of components of a Kafka cluster with this version, each once and without those in `known`.
pub fn beside(
    deployment: &mut Object,
    kafka: &Version,
    wanted: &[Image],
    known: &[ImageName],
) -> Result<Vec<ImageName>> {
    let title = deployment.to_string();
    let container = container(deployment)?;
    let value = |name: &str| env(container, name).and_then(|e| e.get("value")).and_then(Value::as_str);
    let version = kafka.to_string();
    let mut images: Vec<ImageName> = Vec::new();
    for image in wanted {
        let (variable, found) = match image {
            Image::Kafka => continue,
            Image::One(name) => (name, value(name)),
            Image::ByVersion(name) => {
                let mut lines = value(name).into_iter().flat_map(by_version);
                (name, lines.find(|(v, _)| *v == version).map(|(_, image)| image))
            }
        };
        let strange = |why: String| {
            let message = format!("cannot determine the images of {title}: {why}");
            Box::new(Failure::new(errors::MANIFEST_OPERATOR, Kind::Usage, message))
        };
        let found = found.ok_or_else(|| strange(format!("{variable} has none for Kafka {version}")))?;
        let image: ImageName = found.trim().parse().map_err(|e| strange(format!("{e}")))?;
        if !known.contains(&image) && !images.contains(&image) {
            images.push(image);
        }
    }
    Ok(images)
}

/// The images that a Kafka cluster with this version runs, the operator's first, each once. `zookeeper`: for the
/// preset with ZooKeeper.
///
/// # Errors
/// `KS-MANIFEST-OPERATOR` if the manifest lacks an image or has an invalid one.
pub fn of(
    deployment: &mut Object,
    kafka: &Version,
    default: &Version,
    zookeeper: bool,
) -> Result<Vec<ImageName>> {
    let title = deployment.to_string();
    let container = container(deployment)?;
    let value = |name: &str| env(container, name).and_then(|e| e.get("value")).and_then(Value::as_str);
    let kafka_image = |version: &Version| {
        let version = version.to_string();
        by_version(value("STRIMZI_KAFKA_IMAGES")?).find(|(v, _)| *v == version).map(|(_, image)| image)
    };
    let strange = |why: String| {
        let message = format!("cannot determine the images of {title}: {why}");
        Box::new(Failure::new(errors::MANIFEST_OPERATOR, Kind::Usage, message))
    };
    let own = container.get("image").and_then(Value::as_str);
    let mut found = vec![
        own.ok_or_else(|| strange("its container has no image".into()))?,
        kafka_image(kafka).ok_or_else(|| strange(format!("STRIMZI_KAFKA_IMAGES has no {kafka}")))?,
    ];
    found.extend(value("STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE"));
    found.extend(value("STRIMZI_DEFAULT_USER_OPERATOR_IMAGE"));
    if zookeeper {
        // ZooKeeper uses the image of the release's default Kafka version, whatever version was requested
        // (`ZookeeperCluster.fromCrd` of strimzi-kafka-operator).
        found.extend(kafka_image(default));
        found.extend(value(TLS_SIDECAR));
    }
    let mut images: Vec<ImageName> = Vec::new();
    for image in found {
        let image: ImageName = image.trim().parse().map_err(|e| strange(format!("{e}")))?;
        if !images.contains(&image) {
            images.push(image);
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> Vec<Object> {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": OPERATOR},
            "spec": {"template": {"spec": {"containers": [{
                "name": OPERATOR, "image": "quay.io/strimzi/operator:1",
                "env": [
                    {"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                    {"name": "STRIMZI_KAFKA_IMAGES",
                        "value": "3.1.0=quay.io/strimzi/kafka:1-kafka-3.1.0\n3.2.0=quay.io/strimzi/kafka:1-kafka-3.2.0\n"},
                    {"name": "STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE", "value": "quay.io/strimzi/operator:1"},
                    {"name": "STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE", "value": "quay.io/strimzi/kafka-bridge:0.2"},
                    {"name": "STRIMZI_DEFAULT_MAVEN_BUILDER", "value": "quay.io/strimzi/maven-builder:1"},
                    {"name": TLS_SIDECAR, "value": "quay.io/strimzi/kafka:1-kafka-3.2.0"},
                    {"name": "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "value": "120000"},
                ],
            }]}}},
        });
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR}});
        [account, deployment].into_iter().map(|o| Object::new(o).unwrap()).collect()
    }

    fn of_zookeeper(kafka: &str, zookeeper: bool) -> Vec<String> {
        let mut deployment = objects().pop().unwrap();
        let (kafka, default) = (kafka.parse().unwrap(), "3.2.0".parse().unwrap());
        let images = of(&mut deployment, &kafka, &default, zookeeper).unwrap();
        images.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_image_is_replaced_and_nothing_else() {
        let mut deployment = objects().pop().unwrap();
        let registry = "r.example:5000/quay".parse().unwrap();
        assert_eq!(from_registry(&mut deployment, &registry).unwrap(), 7);
        let text = deployment.value().to_string();
        assert!(!text.contains("quay.io/"), "{text}");
        let env = deployment.get("/spec/template/spec/containers/0/env").unwrap();
        assert_eq!(
            env[1]["value"],
            "3.1.0=r.example:5000/quay/strimzi/kafka:1-kafka-3.1.0\n\
             3.2.0=r.example:5000/quay/strimzi/kafka:1-kafka-3.2.0\n"
        );
        assert_eq!(env[0], objects()[1].get("/spec/template/spec/containers/0/env/0").unwrap().clone());
        assert_eq!(env[6]["value"], "120000");
    }

    #[test]
    fn images_are_listed_once() {
        let (operator, new, old) = (
            "quay.io/strimzi/operator:1",
            "quay.io/strimzi/kafka:1-kafka-3.2.0",
            "quay.io/strimzi/kafka:1-kafka-3.1.0",
        );
        assert_eq!(of_zookeeper("3.2.0", false), [operator, new]);
        assert_eq!(of_zookeeper("3.1.0", false), [operator, old]);
        assert_eq!(
            of_zookeeper("3.1.0", true),
            [operator, old, new],
            "ZooKeeper has the default Kafka's image"
        );
    }

    #[test]
    fn components_add_their_images() {
        let mut deployment = objects().pop().unwrap();
        let (kafka, known) =
            ("3.1.0".parse().unwrap(), "quay.io/strimzi/kafka:1-kafka-3.1.0".parse().unwrap());
        let wanted = [
            Image::Kafka,
            Image::ByVersion("STRIMZI_KAFKA_IMAGES"),
            Image::One("STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE"),
            Image::One("STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE"),
        ];
        let found = beside(&mut deployment, &kafka, &wanted, &[known]).unwrap();
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["quay.io/strimzi/kafka-bridge:0.2"]
        );
        let missing = beside(&mut deployment, &kafka, &[Image::One("STRIMZI_NONE_IMAGE")], &[]).unwrap_err();
        assert!(missing.message.contains("STRIMZI_NONE_IMAGE"), "{}", missing.message);
    }

    #[test]
    fn pull_secrets_are_set_wherever_pods_are_created() {
        let mut objects = objects();
        pull_with(&mut objects, &["one".into(), "two".into()]).unwrap();
        let list = json!([{"name": "one"}, {"name": "two"}]);
        assert_eq!(objects[0].get("/imagePullSecrets"), Some(&list));
        assert_eq!(objects[1].get("/spec/template/spec/imagePullSecrets"), Some(&list));
        let env = objects[1].get("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
        assert_eq!(env.last().unwrap(), &json!({"name": PULL_SECRETS, "value": "one,two"}));
    }

    #[test]
    fn invalid_images_never_reach_a_command_line() {
        let mut deployment = objects().pop().unwrap();
        let image = deployment.get_mut("/spec/template/spec/containers/0/image").unwrap();
        *image = json!("--overwrite");
        let (kafka, default) = ("3.2.0".parse().unwrap(), "3.2.0".parse().unwrap());
        assert_eq!(of(&mut deployment, &kafka, &default, false).unwrap_err().id, errors::MANIFEST_OPERATOR);
    }
}
