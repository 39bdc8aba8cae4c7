use super::*;
use crate::catalogue::{find, releases};
use crate::errors;
use crate::manifest::to_yaml;

fn render(release: &Release, preset: Preset, tuned: bool) -> Result<Vec<Object>> {
    kafka(&RenderInput {
        release,
        kafka: &release.default_kafka,
        preset,
        namespace: &"kafka".parse().unwrap(),
        cluster: &"my-cluster".parse().unwrap(),
        tuning: tuned.then_some(BrokerJvm::QuickStart),
        storage: &"100Gi".parse().unwrap(),
        storage_class: None,
        class_data: false,
    })
}

/// One of each variant: ZooKeeper; KRaft by feature gates without and with node pools, with an ignored ZooKeeper
/// section; by annotations; without either; v1.
#[test]
fn rendered_yaml() {
    for (version, preset, tuning) in [
        ("0.30.0", Preset::Zookeeper, true),
        ("0.30.0", Preset::Single, true),
        ("0.36.0", Preset::Ephemeral, false),
        ("0.39.0", Preset::Ha, false),
        ("0.45.2", Preset::Single, true),
        ("0.45.2", Preset::Zookeeper, false),
        ("0.48.0", Preset::Ephemeral, true),
        ("1.2.0", Preset::Single, true),
        ("1.2.0", Preset::Single, false),
        ("1.2.0", Preset::Ha, true),
    ] {
        let release = find(&version.parse().unwrap()).unwrap();
        let name = format!("{version}-{preset}-{}", if tuning { "tuned" } else { "plain" });
        insta::assert_snapshot!(name, to_yaml(&render(release, preset, tuning).unwrap()));
    }
}

#[test]
fn unsupported_presets_are_refused() {
    for release in releases() {
        for preset in Preset::ALL {
            let rendered = render(release, preset, true);
            assert_eq!(rendered.is_ok(), preset.mode() == Mode::Kraft || release.zookeeper);
        }
    }
    let newest = find(&"1.2.0".parse().unwrap()).unwrap();
    assert_eq!(render(newest, Preset::Zookeeper, true).unwrap_err().id, errors::PRESET_UNSUPPORTED);
}

#[test]
fn the_default_preset_is_the_quickstarts() {
    let default = |version: &str| Preset::default_for(find(&version.parse().unwrap()).unwrap());
    assert_eq!(default("0.30.0"), Preset::Zookeeper);
    assert_eq!(default("0.40.0"), Preset::Zookeeper);
    assert_eq!(default("0.41.0"), Preset::Single);
    assert_eq!(default("1.2.0"), Preset::Single);
}

#[test]
fn gates_follow_the_mode() {
    let release = find(&"0.37.0".parse().unwrap()).unwrap();
    assert!(Preset::Zookeeper.feature_gates(release).is_empty());
    assert_eq!(
        Preset::Single.feature_gates(release),
        ["UseKRaft", "KafkaNodePools", "UnidirectionalTopicOperator"]
    );
    assert!(Preset::Single.feature_gates(find(&"0.40.0".parse().unwrap()).unwrap()).is_empty());
}

#[test]
fn topics_name_their_cluster() {
    let release = find(&"1.2.0".parse().unwrap()).unwrap();
    let (namespace, cluster) = ("kafka".parse().unwrap(), "c".parse().unwrap());
    let plain = topic(release, &namespace, &cluster, &"my-topic".parse().unwrap(), 1, 1);
    let odd = topic(release, &namespace, &cluster, &"My_Topic".parse().unwrap(), 3, 2);
    insta::assert_snapshot!(to_yaml(&[super::namespace(&namespace), plain, odd]));
}

#[test]
fn tuning_touches_nothing_but_probes_and_jvms() {
    let release = find(&"1.2.0".parse().unwrap()).unwrap();
    let mut tuned = render(release, Preset::Single, true).unwrap();
    let kafka = tuned.last_mut().unwrap();
    kafka.remove(&["spec", "kafka", "readinessProbe"]);
    kafka.remove(&["spec", "kafka", "jvmOptions"]);
    for name in ["topicOperator", "userOperator"] {
        kafka.set(&["spec", "entityOperator", name], json!({}));
    }
    assert_eq!(tuned, render(release, Preset::Single, false).unwrap());
}
