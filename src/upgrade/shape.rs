//! Which settings kstrim created the Kafka resource with, derived from the live resources, and how the resources of a
//! later release are merged over them: changes by users are kept.

use serde_json::{Map, Value};

use crate::catalogue::Mode;
use crate::config::{BrokerJvm, PresetName};
use crate::manifest::Object;
use crate::manifest::class_data;
use crate::manifest::render::Preset;
use crate::names::StorageSize;

/// The settings of `up` that determine the resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The preset.
    pub preset: PresetName,
    /// Size of each volume, if one is specified.
    pub storage: Option<StorageSize>,
    /// kstrim's laptop tuning, if it has it.
    pub tuning: Option<BrokerJvm>,
    /// Whether its JVMs use class-data archives.
    pub class_data: bool,
}

impl Shape {
    /// Of the Kafka resource and its pools.
    pub(crate) fn of(kafka: &Value, pools: &[Value], mode: Mode) -> Self {
        let brokers = |pool: &&Value| {
            let roles = pool.pointer("/spec/roles").and_then(Value::as_array);
            roles.is_some_and(|roles| roles.iter().any(|role| role == "broker"))
        };
        let dual = |pool: &&Value| pool.pointer("/metadata/name").is_some_and(|name| name == "dual-role");
        let pool = pools.iter().find(dual).or(pools.iter().find(brokers)).filter(|_| mode == Mode::Kraft);
        let storage =
            pool.map_or_else(|| kafka.pointer("/spec/kafka/storage"), |pool| pool.pointer("/spec/storage"));
        let size = storage.and_then(|s| s.pointer("/volumes/0/size").or(s.pointer("/size")));
        let preset = match Preset::of(mode, pools) {
            Some(Preset::Single) | None => PresetName::Single,
            Some(Preset::Ephemeral) => PresetName::Ephemeral,
            Some(Preset::Ha) => PresetName::Ha,
            Some(Preset::Zookeeper) => PresetName::Zookeeper,
            Some(Preset::Migrated) => PresetName::Migrated,
        };
        Self {
            preset,
            storage: size.and_then(Value::as_str).and_then(|size| size.parse().ok()),
            tuning: kafka.pointer("/spec/kafka/readinessProbe").map(|_| {
                match kafka.pointer("/spec/kafka/jvmOptions/-XX/TieredStopAtLevel") {
                    Some(_) => BrokerJvm::QuickStart,
                    None => BrokerJvm::Throughput,
                }
            }),
            class_data: class_data::is_in(kafka),
        }
    }
}

/// `new` merged over `live`: a live value that equals that of `old` is replaced, one that somebody changed is kept.
/// Storage is never changed: the operator could not.
pub(crate) fn merge_over_live(old: Option<&Object>, new: &Object, live: &Value) -> Object {
    let none = Value::Object(Map::new());
    let mut merged = new.clone();
    let old = old.map_or(&none, Object::value);
    for field in ["spec", "metadata"] {
        let pointer = format!("/{field}");
        let (Some(new), Some(live)) = (new.get(&pointer), live.get(field)) else { continue };
        let theirs = merge(old.get(field), new, live, field);
        merged.set(&[field], theirs);
    }
    merged
}

fn merge(old: Option<&Value>, new: &Value, live: &Value, key: &str) -> Value {
    match (new, live) {
        (Value::Object(_), Value::Object(_)) if key == "storage" => live.clone(),
        (Value::Object(wanted), Value::Object(has)) => {
            let mut out = Map::new();
            for (key, new) in wanted {
                let before = old.and_then(|o| o.get(key));
                match has.get(key) {
                    Some(live) => _ = out.insert(key.clone(), merge(before, new, live, key)),
                    // New in this release; a field that existed before was removed by somebody.
                    None if before.is_none() => _ = out.insert(key.clone(), new.clone()),
                    None => {}
                }
            }
            Value::Object(out)
        }
        _ if old == Some(live) => new.clone(),
        _ => live.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(spec: Value) -> Object {
        Object::new(json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
            "metadata": {"name": "my-cluster"}, "spec": spec}))
        .unwrap()
    }

    #[test]
    fn changes_by_users_are_kept() {
        let old = object(json!({"kafka": {"version": "4.2.0", "config": {"a": 1, "b": 1, "gone": 1},
            "storage": {"type": "x"}, "probe": {"initialDelaySeconds": 1}, "old": true}}));
        let new =
            object(json!({"kafka": {"version": "4.3.1", "config": {"a": 2, "b": 2, "gone": 2, "fresh": 2},
            "storage": {"type": "y"}, "probe": {"initialDelaySeconds": 5}}}));
        let live = json!({"apiVersion": "kafka.strimzi.io/v1beta2", "metadata": {"name": "my-cluster"},
            "spec": {"kafka": {"version": "4.2.0", "config": {"a": 1, "b": 7, "theirs": 3},
                "storage": {"type": "x"}, "probe": {"initialDelaySeconds": 1}, "old": true}}});
        let merged = merge_over_live(Some(&old), &new, &live);
        assert_eq!(merged.api_version(), "kafka.strimzi.io/v1");
        assert_eq!(
            merged.get("/spec/kafka"),
            Some(&json!({"version": "4.3.1", "config": {"a": 2, "b": 7, "fresh": 2},
                "storage": {"type": "x"}, "probe": {"initialDelaySeconds": 5}}))
        );
    }

    #[test]
    fn the_preset_is_recognized() {
        let pool = |name: &str, storage: Value| {
            let roles = if name == "controller" { json!(["controller"]) } else { json!(["broker"]) };
            json!({"metadata": {"name": name}, "spec": {"roles": roles, "storage": storage}})
        };
        let kafka = json!({"spec": {"kafka": {"readinessProbe": {}}}});
        let volume =
            |kind: &str| json!({"type": "jbod", "volumes": [{"id": 0, "type": kind, "size": "5Gi"}]});
        let claim = volume("persistent-claim");
        let shape = |pools: &[Value]| Shape::of(&kafka, pools, Mode::Kraft);
        let single = shape(&[pool("dual-role", claim.clone()), pool("broker", claim.clone())]);
        assert_eq!(single.preset, PresetName::Single, "scaled, with a pool of brokers beside");
        assert_eq!((single.storage.unwrap().as_str(), single.tuning), ("5Gi", Some(BrokerJvm::Throughput)));
        let quick = json!({"spec": {"kafka": {"readinessProbe": {},
            "jvmOptions": {"-XX": {"TieredStopAtLevel": "1", "UseSerialGC": "true"}}}}});
        let quick = Shape::of(&quick, &[pool("dual-role", claim.clone())], Mode::Kraft);
        assert_eq!(quick.tuning, Some(BrokerJvm::QuickStart));
        let broker = pool("broker", claim.clone());
        assert_eq!(shape(&[pool("controller", claim.clone()), broker]).preset, PresetName::Ha);
        let migrated = shape(&[pool("controller", volume("ephemeral")), pool("kafka", claim)]);
        assert_eq!((migrated.preset, migrated.storage.unwrap().as_str()), (PresetName::Migrated, "5Gi"));
        assert_eq!(shape(&[pool("dual-role", volume("ephemeral"))]).preset, PresetName::Ephemeral);
        assert_eq!(shape(&[pool("dual-role", json!({"type": "ephemeral"}))]).preset, PresetName::Ephemeral);
        let old = json!({"spec": {"kafka": {"storage": {"type": "persistent-claim", "size": "1Gi"}}}});
        let old = Shape::of(&old, &[], Mode::Zookeeper);
        assert_eq!(
            (old.preset, old.storage.unwrap().as_str(), old.tuning),
            (PresetName::Zookeeper, "1Gi", None)
        );
    }
}
