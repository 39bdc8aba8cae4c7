//! `kstrim plan` and `kstrim render`: what `up` would do, and what it applies.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::Test;
use crate::support::{
    CLAIM, ID, PROFILE, apply_as, fresh, kstrim, kubectl, quick, ready, same, state, until, written,
};

/// The state of each task.
fn states(test: &mut Test) -> BTreeMap<String, String> {
    let before = state(test);
    let plan = kstrim(test, ["plan", "-o", "json"]).expect(0).json();
    assert_eq!(written(test), Vec::<String>::new(), "a plan only reads");
    same(&before, &state(test), "a plan changed");
    let word = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let tasks = plan["tasks"].as_array().expect("tasks").iter();
    tasks.map(|t| (word(&t["id"]), word(&t["state"]))).collect()
}

#[track_caller]
fn are(states: &BTreeMap<String, String>, state: &str, tasks: &[&str]) {
    for task in tasks {
        assert_eq!(states.get(*task).map(String::as_str), Some(state), "{task} in {states:?}");
    }
}

#[test]
fn a_plan_without_a_profile() {
    let mut test = fresh();
    let states = states(&mut test);
    are(&states, "done", &["preflight"]);
    are(&states, "needed", &["cluster", "images"]);
    are(&states, "later", &["namespace", "crds", "operator", "kafka", "topic", "smoke", "ready"]);
    let run = kstrim(&mut test, ["plan"]).expect(0);
    for words in ["minikube start", "minikube image pull"] {
        let (program, verb) = words.split_once(' ').expect("two words");
        assert!(
            run.stdout.lines().any(|l| l.contains(program) && l.contains(verb)),
            "{words}: {}",
            run.stdout
        );
    }
    assert!(!test.home().join(".local/state/kstrim").exists(), "a look leaves nothing");
}

#[test]
fn a_plan_for_a_complete_cluster() {
    let mut test = ready();
    let states = states(&mut test);
    let done = ["preflight", "cluster", "images", "namespace", "crds", "operator", "kafka", "topic", "ready"];
    are(&states, "done", &done);
    are(&states, "always", &["smoke"]);
    let run = kstrim(&mut test, ["plan"]).expect(0);
    assert!(run.stdout.contains("Nothing to do"), "{}", run.stdout);
}

#[test]
fn a_plan_for_an_incomplete_cluster() {
    let mut test = ready();
    kubectl(&test, "delete kafkatopics.kafka.strimzi.io my-topic -n kafka --wait=false").expect(0);
    let key = "kafkatopics.kafka.strimzi.io/kafka/my-topic";
    until(&test, "the topic is gone", |t| t.object(PROFILE, key).is_null());
    let states = states(&mut test);
    are(&states, "done", &["cluster", "namespace", "crds", "operator", "kafka"]);
    are(&states, "needed", &["topic"]);
    are(&states, "later", &["smoke", "ready"]);
}

#[test]
fn the_script_is_bash() {
    let mut test = fresh();
    let run = kstrim(&mut test, ["plan", "--script"]).expect(0);
    insta::assert_snapshot!(run.stdout);
    let path = test.write("up.sh", &run.stdout);
    let places = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];
    let bash = places.into_iter().find(|p| Path::new(p).exists()).expect("bash, for which the script is");
    let checked = Command::new(bash).arg("-n").arg(&path).output().expect("bash runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// The script creates the same cluster as `up`: with minikube's own configuration, and the chosen Kubernetes.
#[test]
fn the_script_starts_minikube_as_up_does() {
    let configured: [(&str, &str); 2] = [("memory", "9000"), ("kubernetes-version", "v1.34.0")];
    for config in [&[][..], &configured[..]] {
        let mut test = fresh().scenario(|s| {
            s.minikube_config = config.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        });
        let plan = kstrim(&mut test, ["plan", "-o", "json", "--cpus=3"]).expect(0).stdout;
        let plan: Value = serde_json::from_str(&plan).expect("json");
        let tasks = plan["tasks"].as_array().expect("tasks");
        let cluster = tasks.iter().find(|task| task["id"] == "cluster").expect("the cluster");
        let planned = cluster["commands"][0].as_str().expect("a command");
        let (_, planned) = planned.split_once(" start -o json -p kstrim ").expect("minikube start");
        let script = kstrim(&mut test, ["plan", "--script", "--cpus=3"]).expect(0).stdout;
        let line = script.lines().find_map(|line| line.strip_prefix("minikube start -p kstrim "));
        assert_eq!(line, Some(planned), "{config:?}");
        assert_eq!(planned.contains("--memory="), config.is_empty(), "{planned}");
    }
}

#[test]
fn render_prints_kafka_and_topic() {
    let mut test = fresh();
    let parts = ["namespace", "kafka", "topic"].map(|part| {
        let run = kstrim(&mut test, ["render", "--only", part]).expect(0);
        format!("# {part}\n{}", run.stdout)
    });
    insta::assert_snapshot!(parts.join("\n"));
}

#[test]
fn an_old_release_has_its_own_quickstarts_preset() {
    let mut test = fresh();
    let of = |test: &mut Test, [first, second]: [&str; 2]| {
        let run = kstrim(test, ["render", "--only", "kafka", first, second]).expect(0);
        (run.stdout.contains("zookeeper:"), run.stdout.contains("kind: KafkaNodePool"))
    };
    assert_eq!(of(&mut test, ["--release=0.30.0", "--storage=1Gi"]), (true, false));
    assert_eq!(of(&mut test, ["--release=0.45.2", "--preset=zookeeper"]), (true, false));
    assert_eq!(of(&mut test, ["--release=0.45.2", "--storage=1Gi"]), (false, true));
}

#[test]
fn the_rendered_manifests_are_what_up_applies() {
    let mut test = fresh().scenario(quick);
    // With the tuning, `up` also adds a volume for class-data archives.
    let rendered = kstrim(&mut test, ["render", "--stock"]).expect(0).stdout;
    kstrim(&mut test, ["up", "--stock"]).expect(0);
    // The text is the same for every cluster: it contains no installation's id, and no ConfigMap that stores one.
    let mut up = state(&test);
    assert!(up.remove("configmaps/kafka/kstrim-installation").is_some(), "{:?}", up.keys());
    let mut with_id = 0;
    for object in up.values_mut() {
        let labels = object["labels"].as_object_mut();
        with_id += usize::from(labels.is_some_and(|labels| labels.remove(ID).is_some()));
    }
    assert!(with_id > 10, "{with_id} objects have the installation's id");
    // The same profile, with the rendered text applied by hand instead of by kstrim.
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    // Kinds are served a moment after their CRDs are created.
    until(&test, "it is applied", |t| apply_as(t, "kstrim", &rendered).code() == 0);
    let claims = |t: &Test| t.object(PROFILE, CLAIM).is_object();
    let entity =
        |t: &Test| t.object(PROFILE, "deployments.apps/kafka/my-cluster-entity-operator").is_object();
    until(&test, "Kafka is there", |t| claims(t) && entity(t));
    same(&up, &state(&test), "rendered and applied by hand");
}
