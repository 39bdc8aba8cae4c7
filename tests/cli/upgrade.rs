//! `kstrim upgrade`: the path, and the rules that forbid one.

use serde_json::{Value, json};

use crate::bundle;
use crate::harness::{Action, Fault, Registry, Test};
use crate::support::{
    KAFKA, PROFILE, apply_foreign, events, failure, fresh, install_of, kubectl, quick, state, text, told,
    until, writes, written,
};

/// Releases of the tests: Kafka versions and served versions as in the catalogue.
const RELEASES: [(&str, &[&str], &[&str]); 3] = [
    ("0.51.0", &["4.1.0", "4.1.1", "4.2.0"], &["v1", "v1beta2"]),
    ("1.0.1", &["4.1.0", "4.1.1", "4.1.2", "4.2.0"], &["v1"]),
    ("1.2.0", &["4.2.0", "4.2.1", "4.3.0", "4.3.1"], &["v1"]),
];

fn manifest(release: &str) -> String {
    format!("manifests/strimzi-cluster-operator-{release}.yaml")
}

/// A world in which `up` of this release succeeded.
fn runs(release: &str, more: &[&str]) -> Test {
    let mut test = fresh().scenario(quick);
    for (release, kafkas, served) in RELEASES {
        test.write(&manifest(release), text(&install_of(release, kafkas, served)));
    }
    let file = manifest(release);
    let mut args = vec!["up", "--release", release, "--manifests", &file];
    args.extend(more);
    test.args(args).run().expect(0);
    test.forget_calls();
    test
}

/// The steps of a dry run.
fn dry(test: &mut Test, to: &str) -> (Value, Vec<String>) {
    let args = ["upgrade", "--release", to, "--dry-run", "-o", "json"];
    let told: Value = serde_json::from_str(&test.args(args).run().expect(0).stdout).expect("JSON");
    let steps = told["steps"].as_array().expect("steps").iter();
    let word = |s: &Value| format!("{} {}", s["step"].as_str().unwrap(), s["release"].as_str().unwrap());
    let steps = steps.filter(|s| s["step"] != "smoke").map(word).collect();
    (told, steps)
}

#[test]
fn the_path_is_shown_and_nothing_is_changed() {
    let mut test = runs("1.0.1", &[]);
    let (told, steps) = dry(&mut test, "1.2.0");
    assert_eq!(steps, ["operator 1.2.0", "kafka 1.2.0", "metadata 1.2.0"]);
    assert_eq!(
        (&told["from"]["kafka"], &told["to"]["kafka"], &told["from"]["mode"]),
        (&"4.2.0".into(), &"4.3.1".into(), &"kraft".into())
    );
    let schema = std::fs::read_to_string("docs/schema/upgrade.schema.json").expect("the schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema").validate(&told).expect("by the schema");
    let shown = test.args(["upgrade", "--release", "1.2.0", "--dry-run"]).run().expect(0).stdout;
    assert!(shown.contains("rule metadata-last: ") && shown.contains("Nothing was changed"), "{shown}");
    let same = test.args(["upgrade", "--release", "1.0.1", "--dry-run"]).run().expect(0).stdout;
    assert!(same.contains("Nothing to do"), "{same}");
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn the_rule_that_forbids_a_path_is_named() {
    let mut test = runs("1.0.1", &[]);
    let refused = |test: &mut Test, args: &[&str], code: i32| {
        let mut all = vec!["upgrade", "--dry-run", "--release"];
        all.extend(args);
        test.args(all).run().expect(code).stderr
    };
    let older = refused(&mut test, &["0.51.0"], 2);
    assert!(older.contains("KS-UPGRADE-NO-PATH") && older.contains("rule no-downgrade"), "{older}");
    let nowhere = refused(&mut test, &["9.9.9"], 2);
    assert!(nowhere.contains("KS-VERSION-RELEASE-UNKNOWN"), "{nowhere}");
    let unknown = refused(&mut test, &["1.2.0", "--kafka", "4.1.2"], 2);
    assert!(unknown.contains("KS-VERSION-CONTRADICTION"), "{unknown}");
    // `up` does not replace the operator of an existing Kafka cluster.
    let lines = events(&mut test, ["up"], 2);
    assert_eq!(failure(&lines), "KS-RELEASE-UPGRADE");
    assert!(told(&lines).contains("kstrim upgrade --release 1.2.0"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
    assert_eq!(test.object(PROFILE, KAFKA)["spec"]["kafka"]["version"], "4.2.0");
}

#[test]
fn before_1_0_everything_is_converted() {
    let mut test = runs("0.51.0", &[]);
    let (_, steps) = dry(&mut test, "1.0.1");
    assert_eq!(steps, ["convert 0.51.0", "versions 1.0.1", "operator 1.0.1", "resources 1.0.1"]);
}

/// The ids of the tasks that ended, in order, with their outcomes.
fn ended(lines: &[Value]) -> Vec<String> {
    let ends = lines.iter().filter(|l| l["type"] == "task_finished");
    ends.map(|l| format!("{} {}", l["task"].as_str().unwrap(), l["outcome"].as_str().unwrap())).collect()
}

fn upgrade(test: &mut Test, to: &str, code: i32) -> Vec<Value> {
    events(test, ["upgrade", "--release", to, "--manifests", "manifests", "--yes"], code)
}

#[test]
fn operator_then_kafka_then_metadata_with_messages_between() {
    let mut test = runs("1.0.1", &[]);
    events(&mut test, ["set", "log.retention.hours=24", "min.insync.replicas=2", "--yes"], 0);
    test.forget_calls();
    let unasked = test.args(["upgrade", "--release", "1.2.0", "--manifests", "manifests"]).run().expect(2);
    assert!(unasked.stderr.contains("KS-CONSENT"), "{}", unasked.stderr);
    assert_eq!(written(&test), Vec::<String>::new());
    let lines = upgrade(&mut test, "1.2.0", 0);
    let steps = [
        "ready",
        "topic",
        "smoke-1",
        "versions-1.0.1",
        "crds-1.2.0",
        "operator-1.2.0",
        "brokers-1.2.0",
        "smoke-2",
        "kafka-4.3.1",
        "smoke-3",
        "metadata-4.3-IV0",
        "smoke-4",
    ];
    let ids = ended(&lines).iter().map(|e| e.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids, steps);
    let place = |kind: &str, task: &str| crate::support::place(&lines, kind, task);
    assert!(place("task_finished", "smoke-2") < place("task_started", "kafka-4.3.1"));
    let kafka = test.object(PROFILE, KAFKA);
    assert_eq!(kafka["spec"]["kafka"]["version"], "4.3.1");
    assert_eq!(kafka["spec"]["kafka"]["metadataVersion"], "4.3-IV0");
    let config = &kafka["spec"]["kafka"]["config"];
    assert_eq!((&config["log.retention.hours"], &config["min.insync.replicas"]), (&json!(24), &json!(2)));
    let pods = test.objects(PROFILE);
    assert!(pods["pods/kafka/my-cluster-dual-role-0"].to_string().contains("kafka:1.2.0-kafka-4.3.1"));
    // Nothing is left to do, not even for `up` of that release, besides the class-data archives for the new images.
    test.forget_calls();
    events(&mut test, ["up"], 0);
    assert_eq!(written(&test).len(), 1, "the Job: {:#?}", written(&test));
    test.forget_calls();
    assert_eq!(ended(&upgrade(&mut test, "1.2.0", 0)).len(), 3, "ready, topic, smoke");
    events(&mut test, ["up"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    assert_eq!(test.object(PROFILE, KAFKA)["spec"]["kafka"]["config"]["min.insync.replicas"], 2);
}

#[test]
fn stored_resources_are_converted_before_1_0() {
    let mut test = runs("0.51.0", &[]);
    events(&mut test, ["topic", "create", "orders"], 0);
    let versions = |test: &Test| {
        let objects = test.objects(PROFILE);
        let all = objects.as_object().unwrap().iter().filter(|(key, _)| key.contains(".kafka.strimzi.io/"));
        let mut versions: Vec<String> = all
            .filter(|(key, _)| !key.starts_with("customresourcedefinitions"))
            .map(|(_, o)| o["apiVersion"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect();
        versions.sort();
        versions.dedup();
        versions
    };
    assert_eq!(versions(&test), ["v1beta2"]);
    let lines = upgrade(&mut test, "1.0.1", 0);
    let ends = ended(&lines);
    assert!(
        ends.contains(&"convert-v1 done".into()) && ends.contains(&"operator-1.0.1 done".into()),
        "{ends:?}"
    );
    assert_eq!(versions(&test), ["v1"]);
    let crd = test.object(PROFILE, "customresourcedefinitions.apiextensions.k8s.io//kafkas.kafka.strimzi.io");
    assert_eq!(crd["status"]["storedVersions"], json!(["v1"]));
    let served: Vec<&Value> =
        crd["spec"]["versions"].as_array().unwrap().iter().map(|v| &v["name"]).collect();
    assert_eq!(served, ["v1"]);
}

#[test]
fn a_foreign_kafka_cluster_is_not_upgraded() {
    let mut test = runs("1.0.1", &[]);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}});
    let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "theirs", "namespace": "prod"}, "spec": {"kafka": {}}});
    apply_foreign(&test, &[namespace, kafka]);
    test.forget_calls();
    let lines = upgrade(&mut test, "1.2.0", 5);
    assert!(told(&lines).contains("rule one-strimzi") && told(&lines).contains("theirs"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_missing_manifest_is_named_before_anything_is_changed() {
    let mut test = runs("1.0.1", &[]);
    std::fs::remove_file(test.work().join(manifest("1.2.0"))).expect("removed");
    let lines = upgrade(&mut test, "1.2.0", 2);
    assert_eq!(failure(&lines), "KS-SETTING-INVALID");
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_killed_upgrade_continues() {
    killed_and_resumed("1.0.1");
}

fn killed_and_resumed(from: &str) {
    let mut whole = runs(from, &[]);
    let base = whole.fork();
    upgrade(&mut whole, "1.2.0", 0);
    let end = |test: &Test| state(test);
    let (expected, calls) = (end(&whole), whole.calls());
    let writing = (1..).zip(&calls).filter(|(_, call)| !call.by_hand && writes(call));
    let places: Vec<u32> = writing.map(|(k, _)| k).collect();
    assert!(places.len() >= 4, "{places:?}");
    let mut killed = 0;
    for &k in &places {
        let mut test = base.fork();
        let action = Action::KillParentAfter;
        test.change_scenario(|s| {
            s.faults = vec![Fault { program: String::new(), args: String::new(), nth: Some(k), action }]
        });
        let args = ["upgrade", "--release", "1.2.0", "--manifests", "manifests", "--yes"];
        // The number of commands varies between runs; one that succeeded before the kill is equally good.
        match test.args(args).run().code() {
            137 => killed += 1,
            code => assert_eq!(code, 0, "killed at command {k}"),
        }
        test.change_scenario(|s| s.faults.clear());
        upgrade(&mut test, "1.2.0", 0);
        assert_eq!(end(&test), expected, "killed at command {k}");
    }
    assert!(killed * 2 > places.len(), "killed at {killed} of {places:?}");
}

/// Objects of Strimzi's that name this version in `metadata.managedFields`.
fn naming(test: &Test, version: &str) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let all = objects.as_object().into_iter().flatten();
    let names =
        |o: &Value| o["metadata"]["managedFields"].to_string().contains(&format!(".strimzi.io/{version}\""));
    all.filter(|(_, object)| names(object)).map(|(key, _)| key.clone()).collect()
}

/// The operator before 1.0 writes statuses as v1beta2 until it is replaced. Once the definitions no longer list that
/// version, the API server refuses every apply to an object that still names it.
#[test]
fn no_managed_fields_name_a_removed_version() {
    let mut test = runs("0.51.0", &[]);
    events(&mut test, ["topic", "create", "orders"], 0);
    let before = naming(&test, "v1beta2");
    for kind in ["kafkas.", "kafkanodepools.", "strimzipodsets."] {
        assert!(before.iter().any(|key| key.starts_with(kind)), "{kind} {before:?}");
    }
    let lines = upgrade(&mut test, "1.2.0", 0);
    assert!(ended(&lines).contains(&"versions-1.2.0 done".into()), "{:?}", ended(&lines));
    assert_eq!(naming(&test, "v1beta2"), Vec::<String>::new());
    // Its owners are unchanged: nothing was cleared.
    let pool = test.object(PROFILE, "kafkanodepools.kafka.strimzi.io/kafka/dual-role");
    let managers: Vec<&str> = pool["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    assert!(managers.contains(&"kstrim") && managers.contains(&"strimzi-cluster-operator"), "{managers:?}");
    // Every object can be applied by anybody.
    events(&mut test, ["set", "log.retention.hours=24", "--yes"], 0);
    events(&mut test, ["up"], 0);
}

/// An upgrade by an earlier kstrim left such entries behind.
#[test]
fn leftovers_of_an_earlier_upgrade_are_fixed() {
    let mut test = runs("1.2.0", &["--kafka", "4.2.0"]);
    let stale = json!([{"manager": "strimzi-cluster-operator", "operation": "Update",
        "apiVersion": "kafka.strimzi.io/v1beta2", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}},
        "subresource": "status"}]);
    let path = "/apis/kafka.strimzi.io/v1/namespaces/kafka/kafkanodepools/dual-role";
    let mut pool = test.object(PROFILE, "kafkanodepools.kafka.strimzi.io/kafka/dual-role");
    pool["metadata"]["managedFields"] = stale;
    test.write("pool.json", pool.to_string());
    kubectl(&test, &format!("replace --raw {path} -f pool.json")).expect(0);
    assert_eq!(naming(&test, "v1beta2").len(), 1);
    upgrade(&mut test, "1.2.0", 0);
    assert_eq!(naming(&test, "v1beta2"), Vec::<String>::new());
}

#[test]
fn a_killed_upgrade_with_a_conversion_continues() {
    killed_and_resumed("0.51.0");
}

#[test]
fn images_are_loaded_before_the_first_step() {
    let mut test = runs("1.0.1", &[]);
    let older = "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0";
    test.write("operator.tar", "quay.io/strimzi/operator:1.2.0\n");
    test.write("kafka.tar", format!("{older}\n"));
    let folder = [
        "--manifests",
        "manifests",
        "--yes",
        "--image-archive",
        "operator.tar",
        "--image-archive",
        "kafka.tar",
    ];
    let mut args = vec!["upgrade", "--release", "1.2.0", "-o", "json"];
    args.extend(folder);
    let lines = test.args(args.clone()).run().expect(0).json_lines();
    assert_eq!(ended(&lines)[0], "images done");
    let calls: Vec<String> = test.calls().iter().map(|c| c.line()).collect();
    let loads: Vec<usize> = (0..calls.len()).filter(|at| calls[*at].contains("image load")).collect();
    let applied = calls.iter().position(|c| c.contains("apply --server-side")).expect("something is applied");
    assert!(loads.len() == 2 && loads.iter().all(|at| *at < applied), "{loads:?} {applied}");
    // Images that are in no archive are reported before anything waits for them.
    let message = lines
        .iter()
        .filter(|l| l["type"] == "warning")
        .map(|w| w["message"].as_str().unwrap_or_default())
        .find(|m| m.starts_with("no image archive contains"));
    let message = message.expect("a warning");
    assert!(message.contains("kafka:1.2.0-kafka-4.3.1") && !message.contains(older), "{message}");
    // A missing file is reported before anything is read.
    test.forget_calls();
    args.extend(["--image-archive", "no.tar"]);
    let lines = test.args(args).run().expect(2).json_lines();
    assert_eq!(failure(&lines), "KS-SETTING-INVALID");
    assert_eq!(written(&test), Vec::<String>::new());
}

/// Manifest and images of a release on the path come from its bundle, if they are not available elsewhere.
#[test]
fn a_bundle_is_sufficient_for_its_release() {
    let mut test = runs("1.0.1", &[]);
    bundle::archives(&test);
    // The bundle is for the release with its default Kafka; the current one comes from another file.
    bundle::archive_of(&test, "older.tar", "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0", "{}");
    test.args(bundle::CREATE).run().expect(0);
    std::fs::remove_dir_all(test.work().join("manifests")).expect("removed");
    test.change_scenario(|s| s.registry = Registry::Unreachable);
    test.forget_calls();
    let args =
        ["upgrade", "--release=1.2.0", "--bundle=kafka.bundle", "--image-archive=older.tar", "--offline"];
    let lines = test.args(args.into_iter().chain(["--yes", "-o", "json"])).run().expect(0).json_lines();
    assert_eq!(ended(&lines)[0], "images done");
    let warns = |l: &&Value| l["type"] == "warning" && l["message"].to_string().contains("no image archive");
    assert_eq!(lines.iter().find(warns), None);
    let calls: Vec<String> = test.calls().iter().map(|c| c.line()).collect();
    let loads: Vec<usize> = (0..calls.len()).filter(|at| calls[*at].contains("image load")).collect();
    let applied = calls.iter().position(|c| c.contains("apply --server-side")).expect("something is applied");
    assert!(loads.len() == 3 && loads.iter().all(|at| *at < applied), "{loads:?} {applied}");
    assert_eq!(test.object(PROFILE, KAFKA)["spec"]["kafka"]["version"], "4.3.1");
    // One for a release that is not on the path is a mistake.
    let mut test = runs("0.51.0", &[]);
    bundle::archives(&test);
    test.args(bundle::CREATE).run().expect(0);
    test.forget_calls();
    let args = ["upgrade", "--release", "1.0.1", "--bundle", "kafka.bundle", "--yes"];
    let lines = events(&mut test, args, 2);
    assert_eq!(failure(&lines), "KS-SETTING-INVALID");
    assert!(told(&lines).contains("is for Strimzi 1.2.0"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_group_that_lost_its_offsets_stops_the_upgrade() {
    let mut test = runs("1.0.1", &[]);
    let groups = test.world_dir().join("broker/groups.json");
    let at = |offset: i64| json!({"app": {"my-topic": {"0": offset}}}).to_string();
    std::fs::write(&groups, at(7)).expect("written");
    // Time to change the brokers' responses between the first smoke test and the second.
    test.change_scenario(|s| s.timings.operator_boot = 3_000);
    let args = ["upgrade", "--release", "1.2.0", "--manifests", "manifests", "--yes", "-o", "json"];
    let running = test.args(args).spawn();
    let deployment = "deployments.apps/kafka/strimzi-cluster-operator";
    until(&test, "the next operator", |test| {
        test.object(PROFILE, deployment).to_string().contains("operator:1.2.0")
    });
    std::fs::write(&groups, at(3)).expect("written");
    let lines = running.wait().expect(6).json_lines();
    assert_eq!(failure(&lines), "KS-UPGRADE-LOST");
    let told = told(&lines);
    assert!(
        told.contains("group app in topic my-topic, partition 0 had committed offset 7, and now has 3"),
        "{told}"
    );
    assert_eq!(test.object(PROFILE, KAFKA)["spec"]["kafka"]["version"], "4.2.0", "no further step");
    // Deleted by somebody: the upgrade continues.
    test.change_scenario(quick);
    upgrade(&mut test, "1.2.0", 0);
}

/// A cluster of an earlier kstrim lacks settings that one broker needs; `up` writes them for a new one.
#[test]
fn settings_that_need_more_brokers_are_set() {
    let mut test = runs("1.0.1", &[]);
    let lacks = r#"{"spec":{"kafka":{"config":{"share.coordinator.state.topic.replication.factor":null,"share.coordinator.state.topic.min.isr":null,"min.insync.replicas":null}}}}"#;
    kubectl(&test, &format!("patch kafka my-cluster -n kafka --type=merge -p {lacks}")).expect(0);
    upgrade(&mut test, "1.2.0", 0);
    let config = test.object(PROFILE, KAFKA)["spec"]["kafka"]["config"].clone();
    assert_eq!(config["share.coordinator.state.topic.replication.factor"], 1);
    assert_eq!(config["share.coordinator.state.topic.min.isr"], 1);
    // New with Kafka 4.3.
    assert_eq!(config["rlmm.config.remote.log.metadata.topic.min.isr"], 1);
    assert_eq!(
        config["min.insync.replicas"],
        Value::Null,
        "somebody's choice, and one broker does with the default"
    );
}

#[test]
fn components_are_upgraded_with_kafka() {
    let mut test = runs("0.51.0", &["--with", "connect,exporter"]);
    let lines = upgrade(&mut test, "1.2.0", 0);
    let steps = ended(&lines);
    let before =
        steps.iter().position(|s| s.starts_with("connect-0.51.0")).expect("connect before the conversion");
    let converted = steps.iter().position(|s| s.starts_with("convert-v1")).expect("the conversion");
    assert!(before < converted, "{steps:?}");
    let connect = test.object(PROFILE, "kafkaconnects.kafka.strimzi.io/kafka/my-cluster");
    assert_eq!(connect["spec"]["version"], "4.3.1");
    assert_eq!(connect["metadata"]["annotations"]["kstrim/release"], "1.2.0");
    assert!(test.object(PROFILE, KAFKA)["spec"]["kafkaExporter"].is_object());
}
