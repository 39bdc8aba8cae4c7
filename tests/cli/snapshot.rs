//! `kstrim snapshot`: a cluster is saved in a file and restored from it, here or where nothing exists.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Action, Fault, Registry, Test};
use crate::support::{
    PROFILE, apply_foreign, events, failure, fresh, journal, kstrim, outcomes, quick, ready, same, state,
    told,
};
use crate::trouble::signal_in;

const RESTORE: [&str; 4] = ["snapshot", "restore", "seeded", "--yes"];

/// A cluster with a topic and a message.
fn used() -> Test {
    let mut test = ready();
    kstrim(&mut test, ["topic", "create", "orders", "--partitions", "3"]).expect(0);
    produce(&mut test, "before\n");
    test
}

fn produce(test: &mut Test, lines: &str) {
    test.stdin(lines);
    kstrim(test, ["produce", "orders"]).expect(0);
    test.stdin("");
}

fn messages(test: &mut Test) -> String {
    let run = kstrim(test, ["consume", "orders", "--from-beginning", "--idle", "2s", "--timeout", "30s"]);
    run.stdout
}

fn stored(test: &Test, name: &str) -> PathBuf {
    test.home().join(format!(".local/share/kstrim/snapshots/{PROFILE}/{name}.snapshot"))
}

/// The commands in the node and `minikube cp`, without the flags that all have.
fn in_node(test: &Test) -> Vec<String> {
    let calls = test.calls().into_iter().filter(|call| call.program == "minikube" && !call.by_hand);
    let words = calls.map(|call| call.args.join(" ").replace(" -p kstrim", ""));
    let words = words.filter(|line| line.starts_with("ssh") || line.starts_with("cp"));
    words.map(|line| line.replace("ssh -- sudo ", "")).collect()
}

fn position(lines: &[String], part: &str) -> usize {
    lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part}: {lines:#?}"))
}

#[test]
fn a_restored_cluster_is_the_one_that_was_saved() {
    let mut test = used();
    let saved = state(&test);
    test.forget_calls();
    let lines = events(&mut test, ["snapshot", "save", "seeded"], 0);
    let done = outcomes(&lines);
    assert!(["images", "brokers", "state", "file", "smoke"].iter().all(|task| done[*task].ends_with("done")));
    same(&saved, &state(&test), "save");
    // Kafka ends before everything else, nothing writes while the state is packed, and then all is started.
    let calls = in_node(&test);
    let order = [
        "stop kubelet",
        "crictl stop --timeout 60",
        "crictl stop --timeout 1 ",
        "tar --create",
        "cp kstrim:",
    ];
    let places: Vec<usize> = order.iter().map(|part| position(&calls, part)).collect();
    assert!(places.is_sorted(), "{calls:#?}");
    assert!(position(&calls, "start kubelet") > position(&calls, "tar --create"), "{calls:#?}");
    // It has Secrets in it.
    let file = stored(&test, "seeded");
    assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);

    // A message, a topic and an object of somebody's are gone afterwards; what was deleted is there again.
    produce(&mut test, "after\n");
    assert_eq!(messages(&mut test), "before\nafter\n");
    kstrim(&mut test, ["topic", "create", "later"]).expect(0);
    let lines = events(&mut test, ["snapshot", "restore", "seeded"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT", "{}", told(&lines));
    assert!(told(&lines).contains("snapshot restore seeded -o json --yes"), "{}", told(&lines));
    let lines = events(&mut test, ["snapshot", "restore", "seeded", "--yes"], 0);
    assert_eq!(outcomes(&lines)["smoke"], "done", "{lines:#?}");
    same(&saved, &state(&test), "restore");
    assert_eq!(messages(&mut test), "before\n");
    let state = journal(&test);
    assert_eq!((&state["restoring"], &state["suspended"]), (&Value::Null, &Value::Null));
    kstrim(&mut test, ["status"]).expect(0);
    assert_eq!(test.leftovers(), []);
}

#[test]
fn a_deleted_profile_is_created_again_from_its_snapshot() {
    let mut test = used();
    let saved = state(&test);
    let folder = test.home().join("of-the-user");
    fs::create_dir(&folder).expect("a directory");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("its mode");
    let path = folder.join("kafka.snapshot").display().to_string();
    kstrim(&mut test, ["snapshot", "save", "--file", &path]).expect(0);
    let shown = kstrim(&mut test, ["bundle", "verify", &path]).expect(0).stdout;
    assert!(shown.contains("the profile kstrim as saved 20") && shown.contains("unchanged"), "{shown}");
    // kstrim's own directories are private; this one is not its own.
    assert_eq!(fs::metadata(&folder).expect("it").permissions().mode() & 0o777, 0o755);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    // Nothing else of it is left on this machine.
    fs::remove_dir_all(test.home().join(".local/state/kstrim")).expect("removed");
    test.change_scenario(|s| s.registry = Registry::Unreachable);
    let mut test = test.env("KSTRIM_MANIFESTS", "no-such-file.yaml");
    let lines = events(&mut test, ["snapshot", "restore", "--file", &path], 0);
    assert_eq!(outcomes(&lines)["cluster"], "done", "{lines:#?}");
    same(&saved, &state(&test), "restore");
    assert_eq!(messages(&mut test), "before\n");
    // It is kstrim's, and can be used like any other.
    kstrim(&mut test, ["topic", "create", "later"]).expect(0);
    kstrim(&mut test, ["stop"]).expect(0);
    kstrim(&mut test, ["start"]).expect(0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
}

#[test]
fn a_stopped_profile_is_started_and_restored() {
    let mut test = used();
    kstrim(&mut test, ["snapshot", "save", "seeded"]).expect(0);
    produce(&mut test, "after\n");
    // An image is missing when the machine runs again.
    let operator = "quay.io/strimzi/operator:1.2.0";
    test.fake("minikube", ["-p", PROFILE, "image", "rm", operator]).expect(0);
    kstrim(&mut test, ["stop"]).expect(0);
    let run = kstrim(&mut test, ["snapshot", "save", "other"]);
    assert!(run.expect(3).stderr.contains("kstrim start"), "a stopped cluster is not saved");
    test.forget_calls();
    kstrim(&mut test, ["snapshot", "restore", "seeded", "--yes"]).expect(0);
    assert_eq!(messages(&mut test), "before\n");
    let calls: Vec<String> = test.calls().iter().map(|call| call.line()).collect();
    let loaded = calls.iter().any(|line| line.contains("image load"));
    assert!(loaded && position(&calls, "image load") > position(&calls, "minikube start"), "{calls:#?}");
    // A restore that was killed stays known, even while the machine is started for the next one.
    kstrim(&mut test, ["stop"]).expect(0);
    signal_in(&mut test, &RESTORE, "tar --extract", Signal::KILL);
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    signal_in(&mut test, &RESTORE, "image ls", Signal::KILL);
    assert_eq!(failure(&events(&mut test, ["start"], 1)), "KS-SNAPSHOT-UNFINISHED");
    kstrim(&mut test, ["snapshot", "restore", "seeded", "--yes"]).expect(0);
}

#[test]
fn snapshots_are_listed_and_deleted() {
    let mut test = ready();
    let run = kstrim(&mut test, ["snapshot", "list"]).expect(0);
    assert_eq!(run.stdout, "No snapshots of the profile kstrim.\n");
    for name in ["one", "two"] {
        kstrim(&mut test, ["snapshot", "save", name, "--without-images"]).expect(0);
    }
    fs::write(stored(&test, "broken"), "nonsense").expect("written");
    let rows = kstrim(&mut test, ["snapshot", "list", "-o", "json"]).expect(0).json();
    let names: Vec<&str> =
        rows.as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["one", "two", "broken"]);
    assert_eq!(rows[0]["snapshot"]["profile"], PROFILE);
    assert_eq!(rows[0]["release"], "1.2.0");
    assert!(rows[2]["problem"].is_string() && rows[2]["snapshot"].is_null(), "{rows}");
    let text = kstrim(&mut test, ["snapshot", "list"]).expect(0).stdout;
    assert!(text.starts_with("NAME") && text.contains("one") && text.contains("1.2.0"), "{text}");

    let run = kstrim(&mut test, ["snapshot", "save", "one"]).expect(5);
    assert!(run.stderr.contains("--force"), "{}", run.stderr);
    kstrim(&mut test, ["snapshot", "save", "one", "--force", "--without-images"]).expect(0);
    // All or none.
    let run = kstrim(&mut test, ["snapshot", "delete", "one", "nothing"]).expect(2);
    assert!(run.stderr.contains("KS-SNAPSHOT-MISSING"), "{}", run.stderr);
    assert!(stored(&test, "one").exists());
    kstrim(&mut test, ["snapshot", "delete", "one", "broken"]).expect(0);
    assert!(!stored(&test, "one").exists() && stored(&test, "two").exists());
    let run = kstrim(&mut test, ["snapshot", "restore", "one", "--yes"]).expect(2);
    assert!(run.stderr.contains("kstrim snapshot list"), "{}", run.stderr);
    // `down` keeps them.
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(stored(&test, "two").exists());
}

/// Fail the first such call of minikube.
fn fail(test: &mut Test, args: &str) {
    let action = Action::Exit {
        code: 1,
        stdout: String::new(),
        stderr: "tar: write error: No space left on device\nssh: Process exited with status 2".into(),
    };
    let fault = Fault { program: "minikube".into(), args: args.into(), nth: Some(1), action };
    test.change_scenario(|s| s.faults.push(fault));
}

#[test]
fn a_save_that_fails_leaves_no_file_and_everything_running() {
    for step in ["tar --create", " kstrim:/var/lib", "systemctl stop"] {
        let mut test = used();
        let before = state(&test);
        fail(&mut test, step);
        let lines = events(&mut test, ["snapshot", "save", "seeded", "--without-images"], 1);
        let id = if step.starts_with("systemctl") { "KS-PROFILE-UNCLEAN" } else { "KS-SNAPSHOT-NODE" };
        assert_eq!(failure(&lines), id, "{step}: {}", told(&lines));
        assert!(told(&lines).contains("No space left on device"), "{}", told(&lines));
        assert!(in_node(&test).last().is_some_and(|line| line == "systemctl start kubelet"), "{step}");
        assert!(!stored(&test, "seeded").exists());
        let folder = stored(&test, "seeded");
        assert_eq!(fs::read_dir(folder.parent().expect("a folder")).expect("it").count(), 0, "{step}");
        same(&before, &state(&test), step);
        assert_eq!(journal(&test)["suspended"], Value::Null);
    }
}

#[test]
fn a_save_that_is_interrupted_or_killed_is_taken_back() {
    for (signal, step) in
        [(Signal::INT, "tar --create"), (Signal::TERM, " kstrim:/var/lib"), (Signal::KILL, "tar --create")]
    {
        let mut test = used();
        let before = state(&test);
        let save = ["snapshot", "save", "seeded", "--without-images"];
        let run = signal_in(&mut test, &save, step, signal);
        if signal == Signal::KILL {
            assert_eq!(journal(&test)["suspended"]["state"], "saving");
            // The kubelet is stopped, though the API server may still answer.
            test.forget_calls();
            kstrim(&mut test, ["start"]).expect(0);
            let calls = test.calls();
            assert!(calls.iter().any(|call| call.line().contains("minikube start")), "{calls:#?}");
        } else {
            run.expect(if signal == Signal::INT { 130 } else { 143 });
            assert!(in_node(&test).last().is_some_and(|line| line == "systemctl start kubelet"), "{step}");
        }
        assert!(!stored(&test, "seeded").exists());
        assert_eq!(journal(&test)["suspended"], Value::Null);
        same(&before, &state(&test), step);
        kstrim(&mut test, ["snapshot", "save", "seeded", "--without-images"]).expect(0);
    }
}

#[test]
fn a_restore_that_is_killed_has_to_be_repeated() {
    let mut test = used();
    kstrim(&mut test, ["snapshot", "save", "seeded", "--without-images"]).expect(0);
    let saved = state(&test);
    produce(&mut test, "after\n");
    signal_in(&mut test, &RESTORE, "tar --extract", Signal::KILL);
    assert_eq!(failure(&events(&mut test, ["up"], 1)), "KS-SNAPSHOT-UNFINISHED");
    kstrim(&mut test, ["snapshot", "restore", "seeded", "--yes"]).expect(0);
    same(&saved, &state(&test), "restore");
    assert_eq!(messages(&mut test), "before\n");
    // Deleting the profile is the other way out.
    let run = signal_in(&mut test, &RESTORE, "tar --extract", Signal::INT).expect(130);
    assert!(run.stderr.contains("cannot be used until it is restored"), "{}", run.stderr);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    kstrim(&mut test, ["up"]).expect(0);
}

#[test]
fn a_restore_that_fails_is_not_started_by_accident() {
    let mut test = used();
    kstrim(&mut test, ["snapshot", "save", "seeded", "--without-images"]).expect(0);
    let saved = state(&test);
    produce(&mut test, "after\n");
    // Before anything is stopped, nothing has happened.
    fail(&mut test, "gzip --test");
    let lines = events(&mut test, ["snapshot", "restore", "seeded", "--yes"], 1);
    assert_eq!(failure(&lines), "KS-SNAPSHOT-NODE", "{}", told(&lines));
    assert_eq!(messages(&mut test), "before\nafter\n");

    fail(&mut test, "tar --extract");
    let lines = events(&mut test, ["snapshot", "restore", "seeded", "--yes"], 1);
    assert_eq!(failure(&lines), "KS-SNAPSHOT-NODE", "{}", told(&lines));
    for verb in ["start", "up", "stop"] {
        let lines = events(&mut test, [verb], 1);
        assert_eq!(failure(&lines), "KS-SNAPSHOT-UNFINISHED", "{verb}: {}", told(&lines));
        assert!(told(&lines).contains("kstrim snapshot restore --yes --file "), "{}", told(&lines));
    }
    kstrim(&mut test, ["snapshot", "restore", "seeded", "--yes"]).expect(0);
    same(&saved, &state(&test), "restore");
    kstrim(&mut test, ["start"]).expect(0);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_changed() {
    let mut test = used();
    kstrim(&mut test, ["snapshot", "save", "seeded", "--without-images"]).expect(0);
    let before = state(&test);
    let path = stored(&test, "seeded").display().to_string();
    test.forget_calls();
    let restore = ["snapshot", "restore", "--file", &path, "--yes"];
    let refused = |test: &mut Test, args: &[&str], code: i32, id: &str, part: &str| {
        let run = test.args(args.iter().copied()).run().expect(code);
        assert!(run.stderr.contains(id) && run.stderr.contains(part), "{args:?}: {}", run.stderr);
    };
    let other: Vec<&str> = restore.into_iter().chain(["-p", "other"]).collect();
    refused(&mut test, &other, 3, "KS-SNAPSHOT-OTHER", "--profile kstrim");
    refused(&mut test, &["up", "--bundle", &path], 2, "KS-SETTING-INVALID", "kstrim snapshot restore --file");
    refused(&mut test, &["snapshot", "save", "Bad_Name"], 2, "is not a valid snapshot name", "");
    // A file that was changed is found out before anything is stopped.
    let mut bytes = fs::read(&path).expect("the file");
    let last = bytes.len() - 2000;
    bytes[last] ^= 1;
    let damaged = test.home().join("damaged.snapshot");
    fs::write(&damaged, bytes).expect("written");
    let damaged = damaged.display().to_string();
    refused(&mut test, &["snapshot", "restore", "--file", &damaged, "--yes"], 2, "KS-BUNDLE-DIGEST", "");
    assert!(!in_node(&test).iter().any(|line| line.contains("stop")), "{:#?}", in_node(&test));
    same(&before, &state(&test), "refusals");

    // A volume that would be missing.
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "share"},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "nfs": {"server": "10.0.0.1", "path": "/export"}}});
    apply_foreign(&test, &[volume]);
    refused(&mut test, &["snapshot", "save", "other", "--yes"], 3, "KS-SNAPSHOT-VOLUME", "share");
}

#[test]
fn somebody_elses_profile_is_neither_saved_nor_replaced() {
    let mut test = used();
    kstrim(&mut test, ["snapshot", "save", "seeded", "--without-images"]).expect(0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    test.fake("minikube", ["start", "-p", PROFILE]).expect(0);
    for args in [["snapshot", "restore", "seeded", "--yes"], ["snapshot", "save", "mine", "--yes"]] {
        let lines = events(&mut test, args, 5);
        assert_eq!(failure(&lines), "KS-PROFILE-FOREIGN", "{args:?}: {}", told(&lines));
    }
    // What others have in kstrim's own profile is named before it is interrupted.
    let mut test = used();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stranger"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "keep", "namespace": "stranger"}, "data": {"a": "b"}});
    apply_foreign(&test, &[namespace, map]);
    let lines = events(&mut test, ["snapshot", "save", "seeded"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT", "{}", told(&lines));
    assert!(told(&lines).contains("namespace stranger"), "{}", told(&lines));
    kstrim(&mut test, ["snapshot", "save", "seeded", "--yes", "--without-images"]).expect(0);
    // It is part of the cluster, and so of the snapshot.
    test.fake("kubectl", ["--context", PROFILE, "delete", "namespace", "stranger"]);
    kstrim(&mut test, ["snapshot", "restore", "seeded", "--yes"]).expect(0);
    assert_eq!(test.object(PROFILE, "configmaps/stranger/keep")["data"]["a"], "b");
}

#[test]
fn several_nodes_are_refused() {
    let mut test = fresh().scenario(quick);
    kstrim(&mut test, ["up", "--nodes", "2"]).expect(0);
    let lines = events(&mut test, ["snapshot", "save", "seeded"], 3);
    assert_eq!(failure(&lines), "KS-SNAPSHOT-NODES", "{}", told(&lines));
}
