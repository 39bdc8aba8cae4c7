//! The components, compared with every release's definitions and images.

use kstrim::internals::catalogue::{self, Release};
use kstrim::internals::component::{self, TABLE};
use kstrim::internals::manifest::component::ComponentInput;
use kstrim::internals::manifest::images::{self, Image};
use kstrim::internals::manifest::render::{self, Preset, RenderInput};
use kstrim::internals::manifest::{Object, to_yaml, tune};
use kstrim::internals::names::ComponentName;

use crate::strimzi::Data;
use crate::xtask::schema::Schemas;

/// Checks every component with every Kafka version of the release, tuned and not; returns the number of objects.
pub fn fits(release: &Release, schemas: &Schemas) -> usize {
    let (namespace, cluster) = ("kafka".parse().unwrap(), "my-cluster".parse().unwrap());
    let (topic, storage) = ("my-topic".parse().unwrap(), "20Gi".parse().unwrap());
    let mut checked = 0;
    for (tuning, version) in release.kafka.iter().flat_map(|k| [(true, &k.version), (false, &k.version)]) {
        let input = ComponentInput {
            release,
            kafka: version,
            namespace: &namespace,
            cluster: &cluster,
            port: 9092,
            topic: &topic,
            tuning,
        };
        let mut objects: Vec<Object> = TABLE.iter().flat_map(|c| c.objects(&input)).collect();
        objects
            .extend(kstrim::internals::manifest::component::proof_connectors(&input, "20261126t041949z-1"));
        let mut kafka = render::kafka(&RenderInput {
            release,
            kafka: version,
            preset: Preset::default_for(release),
            namespace: &namespace,
            cluster: &cluster,
            tuning: tuning.then(Default::default),
            storage: &storage,
            storage_class: None,
            class_data: false,
        })
        .unwrap();
        component::into_kafka(&mut kafka, None, &ComponentName::ALL, &input);
        objects.extend(kafka.into_iter().filter(|o| o.kind() == "Kafka"));
        for object in objects.iter().filter(|o| o.kind() != "ConfigMap") {
            schemas.check(object).unwrap_or_else(|why| {
                panic!(
                    "Strimzi {}: {object}: {why}\n{}",
                    release.version,
                    to_yaml(std::slice::from_ref(object))
                )
            });
            checked += 1;
        }
    }
    checked
}

/// Every release has an image for each component, and its definition.
pub fn every_component_has_its_image_and_its_kind_in_every_release(data: &Data) {
    let wanted: Vec<Image> = TABLE.iter().map(|c| c.image).collect();
    for release in catalogue::releases() {
        let mut objects = data.objects(&release.version);
        let kinds: Vec<String> = objects
            .iter()
            .filter(|o| o.kind() == "CustomResourceDefinition")
            .filter_map(|o| Some(o.get("/spec/names/kind")?.as_str()?.to_owned()))
            .collect();
        for kind in component::KINDS {
            assert!(kinds.iter().any(|k| k == kind.as_str()), "{}: {kind}", release.version);
        }
        let operator = tune::operator(&mut objects).unwrap();
        for kafka in &release.kafka {
            let found = images::beside(operator, &kafka.version, &wanted, &[]).unwrap();
            let words: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
            assert!(words.iter().any(|i| i.contains("bridge")), "{}: {words:?}", release.version);
            assert!(words.contains(&kafka.image.as_str()), "Connect runs the brokers' image: {words:?}");
        }
    }
}
