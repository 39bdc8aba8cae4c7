//! `kstrim up` from nothing to a verified cluster, and again.

use std::fs;

use serde_json::Value;

use crate::harness::Test;
use crate::support::{
    KAFKA, MARKER, OPERATOR, PROFILE, TOPIC, events, fresh, is_ours, journal, kstrim, ours, outcomes, place,
    quick, ready, same, state, written,
};

/// Text that differs between runs.
fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
        (r" +(\d+\.)?\d+ s\b", " [s]"),
        (r"\d+ ms", "[ms]"),
        (r"sha256:[0-9a-f]{64}", "sha256:[digest]"),
    ]
}

/// A world with slow operators, so that orders do not depend on how busy the machine is.
fn slow_operators() -> Test {
    fresh().scenario(|s| {
        quick(s);
        s.timings.operator_ready = 8_000;
        s.timings.entity_ready = 9_000;
    })
}

#[test]
fn up_creates_everything_as_a_graph() {
    let mut test = slow_operators();
    let lines = events(&mut test, ["up"], 0);
    let outcomes = outcomes(&lines);
    for task in [
        "preflight",
        "cluster",
        "images",
        "namespace",
        "crds",
        "operator",
        "kafka",
        "topic",
        "smoke",
        "ready",
    ] {
        assert_eq!(outcomes.get(task).map(String::as_str), Some("done"), "{task}");
    }
    let started = |task| place(&lines, "task_started", task);
    let finished = |task| place(&lines, "task_finished", task);
    assert!(started("images") < finished("cluster"), "images work beside the cluster");
    assert!(started("kafka") < finished("operator"), "Kafka does not wait for the operator");
    assert!(finished("crds") < started("kafka"), "Kafka waits for its definitions");
    assert!(finished("smoke") < finished("operator"), "the test does not wait for the operator");
    assert!(finished("smoke") < finished("ready"));
    let last = lines.last().expect("a line");
    assert_eq!((&last["type"], &last["outcome"]), (&"run_finished".into(), &"done".into()));
    assert_eq!(last["next"]["bootstrap"], "my-cluster-kafka-bootstrap.kafka.svc:9092");
    assert_eq!(test.leftovers(), []);

    let kafka = test.object(PROFILE, KAFKA);
    let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    assert!(kafka["status"]["conditions"].as_array().expect("conditions").iter().any(ready), "{kafka}");
    assert_eq!(kafka["status"]["observedGeneration"], kafka["metadata"]["generation"]);
    for key in [KAFKA, OPERATOR, TOPIC, MARKER, "namespaces//kafka"] {
        let object = test.object(PROFILE, key);
        assert!(is_ours(&object), "{key}");
        if key != MARKER {
            let digest = object["metadata"]["annotations"]["kstrim/digest"].as_str().unwrap_or("");
            assert!(digest.len() > 16, "{key}: {digest}");
            assert_eq!(object["metadata"]["annotations"]["kstrim/release"], "1.2.0", "{key}");
        }
    }
    let made = ours(&test);
    let kinds = ["clusterroles", "rolebindings", "customresourcedefinitions", "deployments", "configmaps"];
    assert!(kinds.iter().all(|kind| made.iter().any(|key| key.starts_with(kind))), "{made:#?}");
    let objects = test.objects(PROFILE);
    let bound = |key: &&String| key.contains("bindings.rbac") && key.contains("/strimzi-cluster-operator");
    let bindings: Vec<&String> = made.iter().filter(bound).collect();
    assert_eq!(bindings.len(), 7, "{bindings:?}");
    for key in bindings {
        assert_eq!(objects[key]["subjects"][0]["namespace"], "kafka", "{key}");
    }
    assert!(!objects.to_string().contains("myproject"));
    let journal = journal(&test);
    assert_eq!(journal["profile_is_ours"], true);
    assert!(journal["tasks"].as_object().expect("tasks").values().all(|t| t["finished"].is_string()));
}

#[test]
fn the_users_kubeconfig_is_not_changed() {
    let mut test = fresh().scenario(quick);
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: production\n# mine\n";
    fs::create_dir_all(test.home().join(".kube")).expect("a folder");
    let theirs = test.home().join(".kube/config");
    fs::write(&theirs, text).expect("a file");
    kstrim(&mut test, ["up"]).expect(0);
    assert_eq!(fs::read_to_string(&theirs).expect("a file"), text);
    let own = test.home().join(".local/state/kstrim/profiles/kstrim/kubeconfig");
    assert!(fs::read_to_string(own).expect("kstrim's own").contains("name: kstrim"));
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(fs::read_to_string(&theirs).expect("a file"), text);
}

#[test]
fn plain_output_of_up() {
    let mut test = slow_operators();
    let run = kstrim(&mut test, ["up"]).expect(0);
    // Tasks that overlap are reported in any order, and the reasons in between depend on the machine.
    let (log, block) = run.stderr.split_once("\n\n").expect("a log and a summary");
    let told = |line: &&str| {
        [" started: ", " done in ", " already done: ", " warning: "].iter().any(|w| line.contains(w))
    };
    let mut log: Vec<&str> = log.lines().filter(told).collect();
    log.sort_by_key(|line| line.split_once("  ").map(|(_, rest)| rest));
    insta::with_settings!({filters => {
        let mut all = filters();
        all.push((r"(ready +started:) .*", "$1 [what is late]"));
        all
    }}, {
        insta::assert_snapshot!(format!("{}\n\n{block}\n--- stdout\n{}", log.join("\n"), run.stdout));
    });
}

#[test]
fn a_second_up_finds_everything_and_writes_nothing() {
    let mut test = ready();
    let before = state(&test);
    let lines = events(&mut test, ["up"], 0);
    for (task, outcome) in outcomes(&lines) {
        let always = ["preflight", "smoke"].contains(&task.as_str());
        assert_eq!(outcome, if always { "done" } else { "already_done" }, "{task}");
    }
    assert_eq!(written(&test), Vec::<String>::new());
    let calls = test.calls();
    let lines: Vec<String> = calls.iter().map(|c| c.line()).collect();
    // One of them looks whether the Job of the first `up` has written the class-data archives.
    assert!(calls.len() <= 32, "{} calls:\n{}", calls.len(), lines.join("\n"));
    same(&before, &state(&test), "a second up changed");
}

#[test]
fn up_smoke_test_down() {
    let mut test = fresh().scenario(quick);
    kstrim(&mut test, ["up"]).expect(0);
    kstrim(&mut test, ["smoke-test"]).expect(0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(test.profile(PROFILE).is_null());
    assert_eq!(test.leftovers(), []);
}

/// A flag takes precedence over the user's own `minikube config`, which takes precedence over the quickstart's
/// defaults.
#[test]
fn the_users_minikube_config_overrides_the_default_and_a_flag_overrides_both() {
    for (config, flags, wanted) in [
        (&[][..], &[][..], ["--memory=4096", "--cpus=2"]),
        (&[("memory", "6144"), ("cpus", "3")], &[], ["", ""]),
        (&[("memory", "6144")], &["--memory", "5g"], ["--memory=5g", "--cpus=2"]),
    ] {
        let mut test = fresh().scenario(quick);
        test.change_scenario(|s| {
            s.minikube_config = config.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        });
        test.args([&["up"], flags].concat()).run().expect(0);
        let calls = test.calls();
        let start = calls.iter().find(|c| c.args.iter().any(|a| a == "start")).expect("a start");
        for (flag, wanted) in ["--memory", "--cpus"].into_iter().zip(wanted) {
            let given = start.args.iter().find(|a| a.starts_with(flag)).map_or("", String::as_str);
            assert_eq!(given, wanted, "{config:?} {flags:?}: {}", start.line());
        }
    }
}

#[test]
fn several_nodes_are_requested_from_minikube() {
    let mut test = fresh().scenario(quick);
    events(&mut test, ["up", "--nodes", "3", "--preset", "ha"], 0);
    let starts = test
        .calls()
        .iter()
        .filter(|c| c.program == "minikube" && c.args[0] == "start")
        .cloned()
        .collect::<Vec<_>>();
    assert_eq!(starts.len(), 1);
    assert!(starts[0].args.contains(&"--nodes=3".to_owned()), "{}", starts[0].line());
    // minikube's own volumes work only on the first node.
    assert!(
        starts[0].args.contains(&"--addons=storage-provisioner-rancher".to_owned()),
        "{}",
        starts[0].line()
    );
    for pool in ["broker", "controller"] {
        let pool = test.object(PROFILE, &format!("kafkanodepools.kafka.strimzi.io/kafka/{pool}"));
        assert_eq!(pool["spec"]["storage"]["volumes"][0]["class"], "local-path", "{pool}");
    }
    assert_eq!(test.profile(PROFILE)["nodes"], 3);
    let spread = test.object(PROFILE, KAFKA)["spec"]["kafka"]["template"]["pod"]["affinity"].clone();
    assert!(spread["podAntiAffinity"].is_object(), "brokers are spread over nodes: {spread}");
    // The same number is not a change, and another one is rejected.
    test.forget_calls();
    events(&mut test, ["up", "--nodes", "3", "--preset", "ha"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    let lines = events(&mut test, ["up", "--nodes", "2", "--preset", "ha"], 2);
    assert_eq!(crate::support::failure(&lines), "KS-PROFILE-SETTINGS");
    // Nor is it a change if the number is not specified.
    events(&mut test, ["up", "--preset", "ha"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    // Objects of minikube's add-on are not foreign.
    kstrim(&mut test, ["down", "--yes"]).expect(0);
}

/// The API server considers a node ready for 50 s after it was stopped, and responds without it: `up` waited for its
/// broker until its limit expired.
#[test]
fn a_stopped_node_is_restarted() {
    let mut test = fresh().scenario(quick);
    events(&mut test, ["up", "--nodes", "3", "--preset", "ha"], 0);
    let node = format!("{PROFILE}-m03");
    crate::support::kubectl(&test, &format!("annotate node {node} kstrim.test/stopped=yes")).expect(0);
    let lines = kstrim(&mut test, ["status", "-o", "json"]).json();
    let note = lines["nodes"].clone();
    assert_eq!(note[2], serde_json::json!({"name": node, "ready": false}), "{note}");
    let shown = kstrim(&mut test, ["status"]).stdout;
    assert!(shown.contains(&format!("the node {node} is not ready")), "{shown}");
    test.forget_calls();
    let lines = events(&mut test, ["up", "--nodes", "3", "--preset", "ha"], 0);
    assert_eq!(outcomes(&lines)["cluster"], "done");
    let starts = test.calls().iter().filter(|c| c.program == "minikube" && c.args[0] == "start").count();
    assert_eq!(starts, 1);
    let ready = test.object(PROFILE, &format!("nodes//{node}"))["status"]["conditions"].clone();
    assert!(
        ready.as_array().expect("conditions").iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
    );
    test.forget_calls();
    events(&mut test, ["up", "--nodes", "3", "--preset", "ha"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
}

/// minikube adds the other nodes long after the first one is ready. Pods that start before that stay on the first,
/// and an image that is loaded before that is on the first only.
#[test]
fn with_several_nodes_images_and_kafka_wait_for_all_of_them() {
    let mut test = fresh().scenario(quick);
    test.write("all.tar", "quay.io/strimzi/operator:1.2.0\nquay.io/strimzi/kafka:1.2.0-kafka-4.3.1\n");
    events(&mut test, ["up", "--nodes", "3", "--preset", "ha", "--image-archive", "all.tar"], 0);
    for node in [PROFILE.to_owned(), format!("{PROFILE}-m02"), format!("{PROFILE}-m03")] {
        let images = test.object(PROFILE, &format!("nodes//{node}"))["status"]["images"].to_string();
        assert!(images.contains("operator:1.2.0") && images.contains("kafka-4.3.1"), "{node}: {images}");
    }
    // If images are pulled, Kafka waits only for the nodes.
    let mut test = fresh().scenario(quick);
    let lines = events(&mut test, ["up", "--nodes", "3", "--preset", "ha"], 0);
    let done =
        lines.iter().find(|l| l["message"].as_str().is_some_and(|m| m.starts_with("To connect to this")));
    let done = done.expect("minikube's last words")["time"].as_str().expect("a time").to_owned();
    let done: jiff::Timestamp = done.parse().expect("a time");
    let kafka = test.calls().into_iter().filter(|c| c.program == "kubectl" && c.line().contains(" apply "));
    let last = kafka.map(|c| c.at).max().expect("an apply");
    assert!(
        last >= done.as_millisecond() - 50,
        "Kafka was applied {} ms before",
        done.as_millisecond() - last
    );
}
