//! `kstrim up` continues from any state, and rejects what is foreign.

use std::fs;

use serde_json::Value;

use crate::harness::{Action, CutOff, Host, ProfileSeed, Registry, Scenario, Test};
use crate::support::{
    KAFKA, MARKER, PROFILE, TOPIC, disown, empty_cluster, events, failure, fresh, is_ours, journal, kstrim,
    kubectl, outcomes, quick, ready, same, state, told, until, written,
};

/// The world as `up` leaves it.
fn complete() -> std::collections::BTreeMap<String, Value> {
    state(&ready())
}

#[track_caller]
fn up_completes(test: &mut Test) {
    kstrim(test, ["up"]).expect(0);
    same(&complete(), &state(test), "not as after one `up`");
}

#[test]
fn a_registry_that_works_again() {
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.registry = Registry::Unreachable;
    });
    let lines = events(&mut test, ["up"], 1);
    assert_eq!(failure(&lines), "KS-NETWORK-DNS");
    assert!(told(&lines).contains("run the same command again: kstrim up -o json"), "{}", told(&lines));
    test.change_scenario(|s| s.registry = Registry::Up);
    up_completes(&mut test);
}

#[test]
fn a_broker_image_that_is_corrected() {
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.missing_images = vec!["strimzi/kafka:".into()];
    });
    let lines = events(&mut test, ["up"], 1);
    assert_eq!(failure(&lines), "KS-IMAGE-PULL");
    assert_eq!(outcomes(&lines)["kafka"], "failed");
    test.change_scenario(|s| s.missing_images.clear());
    up_completes(&mut test);
}

#[test]
fn what_an_earlier_down_is_still_deleting() {
    let definition = "delete --raw /apis/apiextensions.k8s.io/v1/customresourcedefinitions/";
    for (what, slow) in [("delete --raw /api/v1/namespaces/kafka -f", "namespace"), (definition, "crds")] {
        let mut test = ready().fault("kubectl", what, None, Action::KillParentAfter);
        test.change_scenario(|s| match slow {
            "crds" => s.timings.crd_delete = 3_000,
            _ => s.timings.namespace = 3_000,
        });
        assert_eq!(kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).code(), 137, "{what}");
        test.change_scenario(|s| s.faults.clear());
        let lines = events(&mut test, ["up"], 0);
        let waits = |l: &Value| l["message"].as_str().is_some_and(|m| m.contains("still being deleted"));
        let reason = |l: &Value| l["reason"].as_str().is_some_and(|m| m.contains("still being deleted"));
        assert!(lines.iter().any(|l| waits(l) || reason(l)), "{what}: {lines:#?}");
        same(&complete(), &state(&test), what);
    }
}

/// The journal's entry that a topic was being created has only a name: a topic that is in use by now does not belong
/// to kstrim.
#[test]
fn a_topic_that_was_used_after_a_run_was_killed_is_not_claimed() {
    let killed = || {
        let create = "kafkatopics -f";
        let mut test = fresh().scenario(quick).fault("kubectl", create, Some(1), Action::KillParentBefore);
        assert_eq!(kstrim(&mut test, ["up"]).code(), 137);
        test.change_scenario(|s| s.faults.clear());
        assert!(journal(&test)["creating_topic"].is_string() && test.object(PROFILE, TOPIC).is_null());
        test
    };
    let mut test = killed();
    kstrim(&mut test, ["smoke-test", "--topic", "my-topic"]).expect(0);
    let lines = events(&mut test, ["up"], 0);
    assert!(warnings_and_failure(&lines, "without a KafkaTopic"), "{lines:#?}");
    assert!(test.object(PROFILE, TOPIC).is_null());
    up_completes(&mut killed());
}

fn warnings_and_failure(lines: &[Value], words: &str) -> bool {
    lines.iter().any(|l| l["message"].as_str().is_some_and(|m| m.contains(words)))
}

#[test]
fn a_kafka_without_its_pool() {
    let mut test = ready();
    kubectl(&test, "delete kafkanodepools.kafka.strimzi.io dual-role -n kafka --wait=false").expect(0);
    up_completes(&mut test);
}

#[test]
fn objects_deleted_by_hand_are_recreated() {
    for what in ["kafkatopics.kafka.strimzi.io my-topic", "deployments.apps strimzi-cluster-operator"] {
        let mut test = ready();
        kubectl(&test, &format!("delete {what} -n kafka --wait=false")).expect(0);
        until(&test, what, |t| {
            let (kind, name) = what.split_once(' ').expect("two words");
            t.object(PROFILE, &format!("{kind}/kafka/{name}")).is_null()
        });
        up_completes(&mut test);
    }
}

#[test]
fn a_profile_that_is_stopped_or_paused() {
    for verb in ["stop", "pause"] {
        let mut test = ready();
        test.fake("minikube", [verb, "-p", PROFILE]).expect(0);
        let lines = events(&mut test, ["up"], 0);
        assert_eq!(outcomes(&lines)["cluster"], "done", "{verb}");
        same(&complete(), &state(&test), verb);
    }
}

#[test]
fn a_start_that_died() {
    for ms in [2, 12, 30] {
        let mut test = fresh().scenario(quick).fault("minikube", "start", Some(1), Action::KillSelf { ms });
        let lines = events(&mut test, ["up"], 1);
        assert_eq!(lines.last().expect("a line")["failure"]["task"], "cluster");
        up_completes(&mut test);
    }
}

#[test]
fn a_first_start_that_died_inside_kubeadm_or_right_after() {
    let died = || {
        let slow = |s: &mut Scenario| {
            quick(s);
            s.timings.start = 2_000;
        };
        fresh().scenario(slow).fault("minikube", "start", Some(1), Action::KillSelf { ms: 1_000 })
    };
    // kubeadm may be beyond repair, though minikube may print "Done!".
    let anew = |l: &Value| l["message"].as_str().is_some_and(|m| m.contains("it is created again"));
    for cut_off in [CutOff::NoAddOns, CutOff::Fails, CutOff::NoNetwork] {
        let mut test = died();
        events(&mut test, ["up"], 1);
        test.change_scenario(|s| s.kubeadm_cut_off = Some(cut_off));
        let lines = events(&mut test, ["up"], 0);
        assert!(lines.iter().any(anew), "{lines:#?}");
        same(&complete(), &state(&test), "made anew");
    }

    // The same cluster with any other objects in it is not deleted.
    let mut test = died();
    events(&mut test, ["up"], 1);
    test.change_scenario(|s| s.kubeadm_cut_off = Some(CutOff::NoAddOns));
    test.fake("minikube", ["start", "-p", PROFILE]).expect(0);
    kubectl(&test, "create namespace precious").expect(0);
    let lines = events(&mut test, ["up"], 0);
    assert!(!lines.iter().any(anew), "{lines:#?}");
    assert!(state(&test).contains_key("namespaces//precious"));
}

#[test]
fn a_missing_container() {
    let mut test = ready();
    test.fake("docker", ["rm", "-f", PROFILE]).expect(0);
    let lines = events(&mut test, ["up", "--recreate"], 0);
    let said = |l: &Value| l["message"].as_str().is_some_and(|m| m.contains("is re-created"));
    assert!(lines.iter().any(said), "{lines:#?}");
    same(&complete(), &state(&test), "created again");
}

#[test]
fn a_profile_deleted_by_hand() {
    let mut test = ready();
    test.fake("minikube", ["delete", "-p", PROFILE]).expect(0);
    up_completes(&mut test);
}

#[test]
fn a_profile_recreated_by_others_is_foreign() {
    let mut test = ready();
    test.fake("minikube", ["delete", "-p", PROFILE]).expect(0);
    test.fake("minikube", ["start", "-p", PROFILE, "--memory=4096", "--cpus=2"]).expect(0);
    let before = state(&test);
    let lines = events(&mut test, ["up"], 5);
    assert_eq!(failure(&lines), "KS-PROFILE-FOREIGN");
    assert_eq!(written(&test), Vec::<String>::new());
    same(&before, &state(&test), "a foreign profile was touched");
    // The journal records this; the next `down` does not delete it either.
    kstrim(&mut test, ["down", "--yes"]);
    assert!(test.profile(PROFILE).is_object());
}

#[test]
fn the_marker_replaces_a_lost_journal() {
    for what in ["journal.json", ""] {
        let mut test = ready();
        let folder = test.home().join(".local/state/kstrim/profiles/kstrim");
        if what.is_empty() {
            fs::remove_dir_all(&folder).expect("kstrim's folder");
        } else {
            fs::remove_file(folder.join(what)).expect("the journal");
        }
        kstrim(&mut test, ["up"]).expect(0);
        assert_eq!(journal(&test)["profile_is_ours"], true);
        kstrim(&mut test, ["down", "--yes"]).expect(0);
        assert!(test.profile(PROFILE).is_null());
    }
}

#[test]
fn a_foreign_profile_is_rejected_or_adopted() {
    let seed = || {
        fresh().scenario(|s| {
            quick(s);
            s.profiles = vec![ProfileSeed { kubernetes: "v1.34.4".into(), ..ProfileSeed::default() }];
        })
    };
    for host in [Host::Running, Host::Stopped] {
        let mut test = seed();
        test.change_scenario(|s| s.profiles[0].host = host);
        let lines = events(&mut test, ["up"], 5);
        assert_eq!(failure(&lines), "KS-PROFILE-FOREIGN", "{host:?}");
        assert!(told(&lines).contains("--adopt"), "{}", told(&lines));
        let objects = test.objects(PROFILE);
        assert!(!objects.to_string().contains("kstrim/digest"), "{host:?}");
        events(&mut test, ["up", "--adopt"], 0);
        assert!(test.object(PROFILE, MARKER).is_null(), "an adopted profile is not ours");
        assert_eq!(journal(&test)["profile_is_ours"], false);
        // Without its own consent the next run accepts only kstrim's own objects.
        let again = events(&mut test, ["up"], 5);
        assert_eq!(failure(&again), "KS-PROFILE-FOREIGN");
    }
}

#[test]
fn foreign_objects_are_rejected_or_adopted() {
    let cases = [
        ("namespace", "kafka", "KS-NAMESPACE-FOREIGN"),
        ("kafka", "my-cluster", "KS-KAFKA-FOREIGN"),
        ("crd", "kafkas.kafka.strimzi.io", "KS-CRDS-FOREIGN"),
    ];
    for (kind, name, id) in cases {
        let mut test = ready();
        disown(&test, kind, name);
        let before = state(&test);
        let lines = events(&mut test, ["up"], 5);
        assert_eq!(failure(&lines), id);
        assert!(told(&lines).contains(name) && told(&lines).contains("--adopt"), "{}", told(&lines));
        assert_eq!(written(&test), Vec::<String>::new(), "{id}");
        same(&before, &state(&test), id);
        events(&mut test, ["up", "--adopt"], 0);
        same(&before, &state(&test), "adopted, and changed");
    }
}

/// An operator that is no longer kstrim's watches the namespace: it is used as it is.
#[test]
fn an_operator_that_became_somebody_elses_is_used() {
    let mut test = ready();
    disown(&test, "deployment", "strimzi-cluster-operator");
    let before = state(&test);
    events(&mut test, ["up"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    same(&before, &state(&test), "used, and changed");
}

#[test]
fn a_second_kafka_cluster_does_not_use_the_first_ones_pool() {
    let mut test = ready();
    let before = state(&test);
    let lines = events(&mut test, ["up", "--cluster", "second"], 5);
    assert_eq!(failure(&lines), "KS-POOL-TAKEN");
    assert!(told(&lines).contains("kstrim up -o json --cluster my-cluster"), "{}", told(&lines));
    same(&before, &state(&test), "refused, and changed");
}

#[test]
fn an_adopted_foreign_namespace_is_completed() {
    let mut test = empty_cluster();
    kubectl(&test, "create namespace kafka").expect(0);
    let lines = events(&mut test, ["up"], 5);
    assert_eq!(failure(&lines), "KS-NAMESPACE-FOREIGN");
    assert!(test.object(PROFILE, KAFKA).is_null());
    events(&mut test, ["up", "--adopt"], 0);
    assert!(!is_ours(&test.object(PROFILE, "namespaces//kafka")));
    assert!(is_ours(&test.object(PROFILE, KAFKA)));
}

#[test]
fn settings_that_differ_from_the_profile() {
    let mut test = ready();
    let args =
        ["up", "--memory=6g", "--cpus=4", "--driver=podman", "--nodes=3", "--kubernetes-version=1.34.0"];
    let lines = events(&mut test, args, 2);
    assert_eq!(failure(&lines), "KS-PROFILE-SETTINGS");
    for word in ["memory", "CPUs", "driver", "nodes", "Kubernetes"] {
        assert!(told(&lines).contains(word), "{word}: {}", told(&lines));
    }
    assert_eq!(written(&test), Vec::<String>::new());
    // The same values are not a change.
    events(&mut test, ["up", "--memory=4096", "--cpus=2", "--driver=docker"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn an_older_strimzi() {
    let mut test = ready();
    let lines = events(&mut test, ["up", "--release", "1.1.0"], 2);
    assert_eq!(failure(&lines), "KS-RELEASE-DOWNGRADE");
    assert!(told(&lines).contains("1.2.0") && told(&lines).contains("1.1.0"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
}
