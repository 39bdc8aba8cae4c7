//! A profile belongs to kstrim by its identity, not by its name or by an old entry of a journal.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Action, Engine, Scenario, Test};
use crate::support::{
    PROFILE, apply_foreign, events, failure, fresh, journal, kstrim, kubectl, quick, ready, told, written,
};

const DOWN: [&str; 2] = ["down", "--yes"];
/// An engine on which docker's stand-in has no machine.
const ELSEWHERE: &str = "tcp://elsewhere:2375";

fn minikube(test: &Test, verb: &str) {
    test.fake("minikube", [verb, "-p", PROFILE]).expect(0);
}

/// Check that the profile exists, and that minikube was not asked to delete it.
#[track_caller]
fn untouched(test: &Test) {
    assert!(test.profile(PROFILE).is_object());
    let deletes: Vec<String> =
        written(test).into_iter().filter(|line| line.starts_with("minikube delete")).collect();
    assert_eq!(deletes, Vec::<String>::new());
}

/// Whether minikube has recorded an address, which means that a machine ran.
fn addressed(test: &Test) -> bool {
    let path = test.home().join(".minikube/profiles/kstrim/config.json");
    let config: Value = fs::read_to_string(path).ok().and_then(|t| t.parse().ok()).unwrap_or_default();
    config["Nodes"][0]["IP"].as_str().is_some_and(|ip| !ip.is_empty())
}

/// Change the journal as a test needs it.
fn rewrite_journal(test: &Test, change: impl FnOnce(&mut Value)) {
    let path = test.home().join(".local/state/kstrim/profiles/kstrim/journal.json");
    let mut journal = journal(test);
    change(&mut journal);
    fs::write(path, journal.to_string()).expect("a journal");
}

#[test]
fn a_users_own_profile_is_not_deleted_after_an_up_that_created_nothing() {
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.engine = Engine::Down;
    });
    assert_eq!(failure(&events(&mut test, ["up"], 3)), "KS-ENGINE-DOWN");
    assert_eq!(journal(&test)["profile_is_ours"], false, "nothing was created");
    test.change_scenario(|s| s.engine = Engine::Up);
    minikube(&test, "start");
    for state in ["running", "stopped"] {
        let lines = events(&mut test, DOWN, 5);
        assert_eq!(failure(&lines), "KS-PROFILE-FOREIGN", "{state}: {}", told(&lines));
        assert!(told(&lines).contains("minikube delete -p kstrim"), "{}", told(&lines));
        untouched(&test);
        minikube(&test, "stop");
    }
}

#[test]
fn a_profile_recreated_by_hand_and_stopped_is_not_deleted() {
    let mut test = ready();
    assert!(journal(&test)["made"]["machine"].is_string(), "{}", journal(&test));
    for verb in ["delete", "start", "stop"] {
        minikube(&test, verb);
    }
    let lines = events(&mut test, DOWN, 5);
    assert_eq!(failure(&lines), "KS-PROFILE-FOREIGN", "{}", told(&lines));
    untouched(&test);
    // Nor if its machine does not exist.
    test.fake("docker", ["rm", "-f", PROFILE]).expect(0);
    assert_eq!(failure(&events(&mut test, DOWN, 5)), "KS-PROFILE-FOREIGN");
    assert_eq!(failure(&events(&mut test, ["up", "--recreate"], 5)), "KS-PROFILE-FOREIGN");
    untouched(&test);
}

#[test]
fn kstrims_own_stopped_profile_is_deleted() {
    let mut test = ready();
    minikube(&test, "stop");
    let lines = events(&mut test, DOWN, 0);
    let goes = lines.iter().find(|l| l["type"] == "profile_deletion").expect("what goes");
    assert_eq!((&goes["machine"], &goes["looked_inside"]), (&json!("stopped"), &json!(false)));
    assert!(test.profile(PROFILE).is_null());
}

#[test]
fn an_unfulfilled_intent_proves_no_ownership() {
    // Killed between the journal and minikube: the intent stays.
    let mut test =
        fresh().scenario(quick).fault("minikube", "start -o json", Some(1), Action::KillParentBefore);
    assert_eq!(kstrim(&mut test, ["up"]).code(), 137);
    let intent = journal(&test);
    assert!(intent["made"]["token"].is_string() && intent["profile_is_ours"] == false, "{intent}");
    test.change_scenario(|s| s.faults.clear());
    minikube(&test, "start");
    kubectl(&test, "create namespace precious").expect(0);
    minikube(&test, "stop");
    assert_eq!(failure(&events(&mut test, DOWN, 5)), "KS-PROFILE-FOREIGN");
    assert_eq!(failure(&events(&mut test, ["up"], 5)), "KS-PROFILE-FOREIGN");
    untouched(&test);
}

#[test]
fn a_profile_of_a_killed_start_is_recognized_by_its_identity() {
    for ms in [20, 100, 300, 700] {
        let slow = |s: &mut Scenario| {
            quick(s);
            s.timings.start = 1_000;
        };
        let mut test =
            fresh().scenario(slow).fault("minikube", "start -o json", Some(1), Action::KillBoth { ms });
        kstrim(&mut test, ["up"]);
        test.change_scenario(|s| s.faults.clear());
        let mut again = test.fork();
        kstrim(&mut again, ["up"]).expect(0);
        kstrim(&mut again, DOWN).expect(0);
        // The cluster cannot be asked: what kstrim recorded of the machine decides.
        let before = journal(&test);
        let lines = if before["made"]["machine"].is_null() && addressed(&test) {
            assert_eq!(failure(&events(&mut test, DOWN, 5)), "KS-PROFILE-UNPROVEN", "{before}");
            events(&mut test, ["down", "--yes", "--adopt"], 0)
        } else {
            events(&mut test, DOWN, 0)
        };
        assert!(test.profile(PROFILE).is_null(), "after {ms} ms: {}", told(&lines));
        kstrim(&mut test, ["up"]).expect(0);
    }
}

#[test]
fn a_missing_machine_is_not_replaced_without_consent() {
    let mut test = ready();
    test.fake("docker", ["rm", "-f", PROFILE]).expect(0);
    test.forget_calls();
    let lines = events(&mut test, ["up"], 2);
    assert_eq!(failure(&lines), "KS-PROFILE-GONE", "{}", told(&lines));
    assert!(told(&lines).contains("kstrim up -o json --recreate"), "{}", told(&lines));
    assert!(told(&lines).contains("the volume kstrim still exists"), "{}", told(&lines));
    untouched(&test);
    // doctor does not do it either.
    let fixed = test.args(["doctor", "--fix", "--yes", "-o", "json"]).run().json();
    assert_eq!(fixed["fixes"].as_array().map_or(0, Vec::len), 0, "{fixed:#}");
    untouched(&test);
    kstrim(&mut test, ["up", "--recreate"]).expect(0);
    kstrim(&mut test, DOWN).expect(0);
}

#[test]
fn a_profile_of_another_engine_is_not_a_missing_machine() {
    let mut test = ready();
    let made = journal(&test)["made"]["engine"].clone();
    assert_eq!((&made["driver"], &made["id"]), (&json!("docker"), &json!("7TRN:IPZB")), "{made}");
    minikube(&test, "stop");
    test = test.env("DOCKER_HOST", ELSEWHERE);
    for verb in ["up", "down"] {
        let lines = if verb == "up" { events(&mut test, ["up"], 3) } else { events(&mut test, DOWN, 3) };
        assert_eq!(failure(&lines), "KS-ENGINE-CHANGED", "{verb}: {}", told(&lines));
        for word in ["7TRN:IPZB", "ELSE:WHERE", ELSEWHERE, "DOCKER_HOST=unix:///var/run/docker.sock kstrim"] {
            assert!(told(&lines).contains(word), "{word}: {}", told(&lines));
        }
        untouched(&test);
    }
    test.restore_environment();
    kstrim(&mut test, ["up"]).expect(0);
    // Also while it is running: `minikube delete` would leave it running.
    test = test.env("DOCKER_HOST", ELSEWHERE);
    assert_eq!(failure(&events(&mut test, DOWN, 3)), "KS-ENGINE-CHANGED");
    untouched(&test);
    test.restore_environment();
    kstrim(&mut test, DOWN).expect(0);
}

#[test]
fn an_older_journal_counts_only_together_with_the_cluster() {
    let older = || {
        let test = ready();
        rewrite_journal(&test, |j| drop(j.as_object_mut().and_then(|j| j.remove("made"))));
        test
    };
    // It is running: its uid and the marker prove it, and the identity is recorded.
    let mut test = older();
    kstrim(&mut test, ["up"]).expect(0);
    assert!(journal(&test)["made"]["machine"].is_string(), "{}", journal(&test));
    minikube(&test, "stop");
    kstrim(&mut test, DOWN).expect(0);

    let mut test = older();
    minikube(&test, "stop");
    for verb in ["up", "down"] {
        let lines = if verb == "up" { events(&mut test, ["up"], 5) } else { events(&mut test, DOWN, 5) };
        assert_eq!(failure(&lines), "KS-PROFILE-UNPROVEN", "{verb}: {}", told(&lines));
        let adopt = format!("kstrim {verb} {}-o json --adopt", if verb == "up" { "" } else { "--yes " });
        assert!(told(&lines).contains(&adopt), "{adopt}: {}", told(&lines));
        untouched(&test);
    }
    let mut again = test.fork();
    kstrim(&mut again, ["up", "--adopt"]).expect(0);
    assert_eq!(journal(&again)["profile_is_ours"], true, "its cluster has proved it");
    kstrim(&mut test, ["down", "--yes", "--adopt"]).expect(0);
    assert!(test.profile(PROFILE).is_null());
}

#[test]
fn foreign_objects_in_a_profile_are_deleted_only_after_a_prompt() {
    let mut test = ready();
    apply_foreign(
        &test,
        &[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "precious"}}),
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data", "namespace": "precious"},
                "spec": {"resources": {"requests": {"storage": "3Gi"}}}}),
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "mine", "namespace": "default"},
                "spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
        ],
    );
    let lines = events(&mut test, DOWN, 5);
    assert_eq!(failure(&lines), "KS-PROFILE-OTHERS", "{}", told(&lines));
    for word in
        ["namespace precious (0 pods, 1 volume claim)", "PersistentVolumeClaim mine", "--delete-others"]
    {
        assert!(told(&lines).contains(word), "{word}: {}", told(&lines));
    }
    untouched(&test);
    // The prompt lists all of it.
    let lines = events(&mut test, ["down", "--delete-others"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT");
    for word in [
        "1 node on docker 7TRN:IPZB",
        "machine running",
        "namespace kafka",
        "precious",
        "kstrim down --delete-others -o json --yes",
    ] {
        assert!(told(&lines).contains(word), "{word}: {}", told(&lines));
    }
    let lines = events(&mut test, ["down", "--delete-others", "--yes"], 0);
    let goes = lines.iter().find(|l| l["type"] == "profile_deletion").expect("what goes");
    assert_eq!((&goes["driver"], &goes["nodes"]), (&json!("docker"), &json!(1)));
    let claims: Vec<&Value> =
        goes["volumes"].as_array().expect("a list").iter().map(|v| &v["claim"]).collect();
    assert!(claims.contains(&&json!("data-0-my-cluster-dual-role-0")), "{goes:#}");
    let others = goes["volumes"].as_array().expect("a list").iter().filter(|v| v["others"] == true);
    assert_eq!(others.count(), 2, "{goes:#}");
    assert!(test.profile(PROFILE).is_null());
}

#[test]
fn a_script_logs_what_yes_agreed_to() {
    let mut test = ready();
    let run = kstrim(&mut test, DOWN).expect(0);
    for word in
        ["deletes profile kstrim: 1 node on docker", "deletes namespace kafka", "deletes volume claims"]
    {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
}
