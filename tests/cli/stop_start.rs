//! `kstrim stop`, `start`, `pause` and `unpause`: everything is as it was, and what others have in the profile is named before
//! it stops, too.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Action, Fault, Host, Scenario, Test};
use crate::support::{
    KEEP, PROFILE, apply_foreign, events, failure, fresh, journal, kstrim, outcomes, quick, ready, same,
    state, told, written,
};
use crate::trouble::signal_in;

/// The calls that change something in the profile's machine, without the flags that all have.
fn halting(test: &Test) -> Vec<String> {
    let calls = test.calls().into_iter().filter(|call| call.program == "minikube" && !call.by_hand);
    let words = calls.map(|call| call.args.join(" ").replace(" -p kstrim", "").replace(" -o json", ""));
    let changes = |line: &String| {
        ["stop", "start", "pause", "unpause"].contains(&line.split(' ').next().unwrap_or_default())
            || line.contains("systemctl")
            || line.contains("crictl stop")
    };
    words.filter(changes).map(|line| line.replace("ssh -- sudo ", "")).collect()
}

/// In how many nodes containerd was prepared for the next start.
fn prepared(test: &Test) -> usize {
    let calls = test.calls().into_iter().filter(|call| call.program == "minikube");
    calls.filter(|call| call.args.iter().any(|word| word.contains("50-kstrim.conf"))).count()
}

/// The container runtime's id of a pod's first container, as the stand-in makes it.
fn container(test: &Test, pod: &str) -> String {
    let pod = test.object(PROFILE, &format!("pods/kafka/{pod}"));
    format!("{}01", pod["metadata"]["uid"].as_str().expect("a uid").replace('-', ""))
}

/// A message in the topic, and a topic and a user that were created with kstrim.
fn used() -> Test {
    let mut test = ready();
    kstrim(&mut test, ["topic", "create", "orders", "--partitions", "3"]).expect(0);
    kstrim(&mut test, ["user", "create", "app", "--prepare-kafka", "--yes"]).expect(0);
    test.stdin("hello\n");
    kstrim(&mut test, ["produce", "orders"]).expect(0);
    test.stdin("");
    test.forget_calls();
    test
}

fn profile(test: &mut Test) -> Value {
    kstrim(test, ["status", "-o", "json"]).expect(0).json()["profile"].clone()
}

fn warnings(lines: &[Value]) -> String {
    let all = lines.iter().filter(|line| line["type"] == "warning");
    all.map(|line| line["message"].as_str().unwrap_or_default().to_owned() + "\n").collect()
}

#[test]
fn brokers_are_shut_down_before_the_machine_and_everything_is_there_again() {
    let mut test = used();
    let (before, broker) = (state(&test), container(&test, "my-cluster-dual-role-0"));
    let lines = events(&mut test, ["stop"], 0);
    assert_eq!(
        halting(&test),
        ["systemctl stop kubelet", &format!("crictl stop --timeout 60 {broker}"), "stop"]
    );
    assert_eq!(warnings(&lines), "");
    assert_eq!(prepared(&test), 1);
    assert_eq!(test.profile(PROFILE)["host"], json!(Host::Stopped));
    // No object was changed for it.
    let writes = written(&test);
    assert!(!writes.iter().any(|line| line.starts_with("kubectl")), "{writes:#?}");
    same(&before, &state(&test), "stop");

    test.forget_calls();
    let lines = events(&mut test, ["start"], 0);
    let done = outcomes(&lines);
    assert_eq!((done["cluster"].as_str(), done["smoke"].as_str()), ("done", "done"), "{done:?}");
    // Both wait only if the brokers and the entity operator need longer than minikube.
    assert!(["kafka", "ready"].iter().all(|task| done[*task].ends_with("done")), "{done:?}");
    assert_eq!(halting(&test), ["start"]);
    assert!(lines.last().expect("a line")["next"]["bootstrap"].is_string(), "{lines:#?}");
    same(&before, &state(&test), "start");
    let run = kstrim(&mut test, ["consume", "orders", "--from-beginning", "-m", "1", "--timeout", "20s"]);
    assert_eq!(run.expect(0).stdout, "hello\n");
    let users = kstrim(&mut test, ["user", "list", "-o", "json"]).expect(0).stdout;
    assert!(users.contains("app"), "{users}");
    assert_eq!(test.leftovers(), []);
}

#[test]
fn a_start_does_not_need_the_install_manifest() {
    let mut test = ready().env("KSTRIM_MANIFESTS", "no-such-file.yaml").env("KSTRIM_OFFLINE", "true");
    kstrim(&mut test, ["stop"]).expect(0);
    kstrim(&mut test, ["start"]).expect(0);
}

#[test]
fn a_repeated_stop_or_start_is_reported() {
    let mut test = ready();
    let lines = events(&mut test, ["start"], 0);
    assert!(warnings(&lines).contains("already running"), "{lines:#?}");
    assert_eq!(outcomes(&lines)["cluster"], "already_done");
    assert_eq!(outcomes(&lines)["smoke"], "done");
    kstrim(&mut test, ["stop"]).expect(0);
    let first = profile(&mut test);
    test.forget_calls();
    let lines = events(&mut test, ["stop"], 0);
    assert_eq!(outcomes(&lines)["machine"], "already_done");
    assert_eq!(halting(&test), Vec::<String>::new());
    assert_eq!(profile(&mut test)["since"], first["since"]);
}

#[test]
fn status_reports_a_stopped_or_paused_profile_and_since_when() {
    let mut test = ready();
    assert_eq!(profile(&mut test)["since"], Value::Null);
    for (down, up, state) in [("stop", "start", "stopped"), ("pause", "unpause", "paused")] {
        kstrim(&mut test, [down]).expect(0);
        let document = kstrim(&mut test, ["status", "-o", "json"]).expect(0).json();
        let since = &document["profile"]["since"];
        assert_eq!(document["profile"]["state"], state);
        assert!(since.is_string() && since.as_str() <= document["time"].as_str(), "{since}");
        assert_eq!(document["next"], json!([format!("kstrim {up}")]));
        let text = kstrim(&mut test, ["status"]).expect(0).stdout;
        let line = format!("since {}", since.as_str().unwrap_or_default().get(..19).unwrap_or(""));
        assert!(text.contains(&format!("kstrim: {state}, created by kstrim")), "{text}");
        assert!(text.contains(&line) && text.contains(" ago)"), "{line}: {text}");
        // Every other command says what to run.
        let run = kstrim(&mut test, ["topic", "list"]).expect(3);
        assert!(run.stderr.contains(&format!("start it: kstrim {up}")), "{}", run.stderr);
        kstrim(&mut test, [up]).expect(0);
        let now = profile(&mut test);
        assert_eq!((&now["state"], &now["since"]), (&json!("running"), &Value::Null));
        assert_eq!(journal(&test)["suspended"], Value::Null);
    }
}

/// The journal's time is that of kstrim's own stop.
#[test]
fn a_stop_by_hand_after_a_start_by_hand_has_no_known_time() {
    let mut test = ready();
    kstrim(&mut test, ["stop"]).expect(0);
    assert!(profile(&mut test)["since"].is_string());
    for verb in ["start", "stop"] {
        test.fake("minikube", [verb, "-p", PROFILE]).expect(0);
    }
    let now = profile(&mut test);
    assert_eq!((&now["state"], &now["since"]), (&json!("stopped"), &Value::Null));
}

#[test]
fn up_starts_a_stopped_profile_too() {
    for verb in ["stop", "pause"] {
        let mut test = ready();
        let before = state(&test);
        kstrim(&mut test, [verb]).expect(0);
        test.forget_calls();
        kstrim(&mut test, ["up"]).expect(0);
        let expected = if verb == "stop" { "start" } else { "unpause -A" };
        assert!(halting(&test).iter().any(|line| line == expected), "{:#?}", halting(&test));
        same(&before, &state(&test), verb);
        assert_eq!(journal(&test)["suspended"], Value::Null);
    }
}

#[test]
fn pause_freezes_everything_and_unpause_verifies() {
    let mut test = ready();
    kstrim(&mut test, ["pause"]).expect(0);
    assert_eq!(halting(&test), ["pause -A"]);
    // A second one changes nothing.
    test.forget_calls();
    assert_eq!(outcomes(&events(&mut test, ["pause"], 0))["machine"], "already_done");
    assert_eq!(halting(&test), Vec::<String>::new());
    let lines = events(&mut test, ["unpause"], 0);
    assert_eq!(halting(&test), ["unpause -A"]);
    assert_eq!((&*outcomes(&lines)["cluster"], &*outcomes(&lines)["smoke"]), ("done", "done"));
    // What is frozen cannot shut down: `stop` lets it go on first.
    kstrim(&mut test, ["pause"]).expect(0);
    test.forget_calls();
    kstrim(&mut test, ["stop"]).expect(0);
    assert_eq!(halting(&test)[..2], ["unpause -A", "systemctl stop kubelet"]);
    let lines = events(&mut test, ["pause"], 3);
    assert_eq!(failure(&lines), "KS-PROFILE-STOPPED", "{}", told(&lines));
    let lines = events(&mut test, ["unpause"], 3);
    assert_eq!(failure(&lines), "KS-PROFILE-STOPPED", "{}", told(&lines));
    assert!(told(&lines).contains("kstrim start"), "{}", told(&lines));
}

#[test]
fn a_machine_that_cannot_freeze_is_reported_and_keeps_running() {
    let mut test = ready();
    test.change_scenario(|s| s.no_freezer = true);
    let lines = events(&mut test, ["pause"], 3);
    assert_eq!(failure(&lines), "KS-PROFILE-PAUSE", "{}", told(&lines));
    assert!(told(&lines).contains("freezer") && told(&lines).contains("kstrim stop"), "{}", told(&lines));
    assert_eq!(halting(&test), Vec::<String>::new());

    // minikube finds out only when it has stopped the kubelet.
    let stdout = json!({"type": "io.k8s.sigs.minikube.error", "data": {"name": "GUEST_PAUSE", "exitcode": "80",
        "message": "Pause: pausing containers: runc: exit status 1"}});
    let fails = Action::Exit { code: 80, stdout: format!("{stdout}\n"), stderr: String::new() };
    test.change_scenario(|s| {
        s.no_freezer = false;
        s.faults.push(Fault {
            program: "minikube".into(),
            args: "pause -A".into(),
            nth: Some(1),
            action: fails,
        });
    });
    let lines = events(&mut test, ["pause"], 1);
    assert_eq!(failure(&lines), "KS-PROFILE-PAUSE", "{}", told(&lines));
    assert_eq!(halting(&test), ["pause -A", "unpause -A"]);
    assert_eq!(journal(&test)["suspended"], Value::Null);
    kstrim(&mut test, ["smoke-test"]).expect(0);
}

#[test]
fn a_broker_that_does_not_stop_is_reported_and_the_machine_stops() {
    let mut test = ready();
    test.change_scenario(|s| s.stubborn.push("dual-role".into()));
    let lines = events(&mut test, ["stop"], 0);
    let warning = lines.iter().find(|l| l["id"] == "KS-PROFILE-UNCLEAN").expect("a warning");
    assert!(warning["message"].as_str().unwrap_or("").contains("my-cluster-dual-role-0"), "{warning}");
    assert_eq!(test.profile(PROFILE)["host"], json!(Host::Stopped));

    let mut test = ready();
    let fails = Action::Exit { code: 1, stdout: String::new(), stderr: "ssh: no route".into() };
    test.change_scenario(|s| {
        s.faults.push(Fault {
            program: "minikube".into(),
            args: "systemctl stop".into(),
            nth: None,
            action: fails,
        });
    });
    let lines = events(&mut test, ["stop"], 0);
    assert!(warnings(&lines).contains("not shut down cleanly"), "{lines:#?}");
    assert_eq!(halting(&test).last().map(String::as_str), Some("stop"));
}

#[test]
fn several_nodes_are_shut_down_all() {
    let mut test = fresh().scenario(quick);
    kstrim(&mut test, ["up", "--nodes", "2"]).expect(0);
    test.forget_calls();
    kstrim(&mut test, ["stop"]).expect(0);
    let calls = halting(&test);
    let mut kubelets: Vec<&String> = calls.iter().take(2).collect();
    kubelets.sort();
    assert_eq!(
        kubelets,
        ["ssh -n kstrim -- sudo systemctl stop kubelet", "ssh -n kstrim-m02 -- sudo systemctl stop kubelet"],
        "{calls:#?}"
    );
    assert_eq!(calls.last().map(String::as_str), Some("stop"));
    kstrim(&mut test, ["start"]).expect(0);
}

#[test]
fn somebody_elses_profile_is_refused() {
    let mut test = fresh().scenario(quick);
    test.fake("minikube", ["start", "-p", PROFILE]).expect(0);
    test.forget_calls();
    for verb in ["stop", "pause", "start", "unpause"] {
        let lines = events(&mut test, [verb], 5);
        assert_eq!(failure(&lines), "KS-PROFILE-FOREIGN", "{verb}: {}", told(&lines));
    }
    assert_eq!(halting(&test), Vec::<String>::new());
    // Nor is it touched when it is stopped.
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    assert_eq!(failure(&events(&mut test, ["start"], 5)), "KS-PROFILE-FOREIGN");
    test.fake("minikube", ["start", "-p", PROFILE]).expect(0);
    kstrim(&mut test, ["stop", "--adopt", "--yes"]).expect(0);
    assert_eq!(test.profile(PROFILE)["host"], json!(Host::Stopped));
    assert_eq!(prepared(&test), 0);
}

#[test]
fn foreign_objects_are_named_and_need_consent() {
    let mut test = ready();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stranger"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "keep", "namespace": "stranger"}, "data": {"a": "b"}});
    apply_foreign(&test, &[namespace, map]);
    let before = test.object(PROFILE, "configmaps/stranger/keep");
    for verb in ["stop", "pause"] {
        let lines = events(&mut test, [verb], 2);
        assert_eq!(failure(&lines), "KS-CONSENT", "{}", told(&lines));
        assert!(told(&lines).contains("namespace stranger"), "{}", told(&lines));
        assert!(told(&lines).contains(&format!("kstrim {verb} -o json --yes")), "{}", told(&lines));
    }
    assert_eq!(halting(&test), Vec::<String>::new());
    let lines = events(&mut test, ["stop", "--yes"], 0);
    assert!(warnings(&lines).contains("namespace stranger"), "{lines:#?}");
    kstrim(&mut test, ["start"]).expect(0);
    assert_eq!(test.object(PROFILE, "configmaps/stranger/keep"), before);
}

#[test]
fn a_missing_cluster_is_reported() {
    let mut test = fresh().scenario(quick);
    for verb in ["stop", "start", "pause", "unpause"] {
        let lines = events(&mut test, [verb], 3);
        assert_eq!(failure(&lines), "KS-NO-CLUSTER", "{verb}: {}", told(&lines));
        assert!(told(&lines).contains("kstrim up"), "{}", told(&lines));
        let run = test.args([verb, "--context", "mine"]).run();
        assert_ne!(run.code(), 0, "{verb}");
    }
    // The machine comes back, and says that there is no Kafka in it.
    let mut test = ready();
    kstrim(&mut test, KEEP).expect(0);
    kstrim(&mut test, ["stop"]).expect(0);
    let lines = events(&mut test, ["start"], 3);
    assert_eq!(failure(&lines), "KS-NO-CLUSTER", "{}", told(&lines));
    assert_eq!(test.profile(PROFILE)["host"], json!(Host::Running));
    // A machine that somebody deleted is not created again.
    let mut test = ready();
    test.fake("docker", ["rm", "-f", PROFILE]).expect(0);
    assert_eq!(failure(&events(&mut test, ["start"], 1)), "KS-PROFILE-GONE");
}

#[test]
fn an_interrupted_stop_keeps_everything_running() {
    for (verb, middle, undone) in [
        ("stop", "crictl stop", "systemctl start kubelet"),
        ("stop", "stop -o json", "systemctl start kubelet"),
        ("pause", "pause -A", "unpause -A"),
    ] {
        let mut test = ready();
        let run = signal_in(&mut test, &[verb, "-o", "json"], middle, Signal::INT).expect(130);
        assert!(run.stdout.contains("run the same command again"), "{}", run.stdout);
        assert!(halting(&test).iter().any(|line| line == undone), "{middle}: {:#?}", halting(&test));
        kstrim(&mut test, ["smoke-test"]).expect(0);
        kstrim(&mut test, [verb]).expect(0);
    }
}

#[test]
fn a_killed_stop_is_completed_or_undone() {
    for (verb, then) in [("stop", "stop"), ("stop", "start"), ("stop", "up"), ("pause", "start")] {
        let mut test = ready();
        let at = if verb == "stop" { "crictl stop" } else { "pause -A" };
        signal_in(&mut test, &[verb], at, Signal::KILL);
        assert!(journal(&test)["suspended"]["state"].as_str().is_some_and(|how| how.ends_with("ing")));
        test.forget_calls();
        kstrim(&mut test, [then]).expect(0);
        if then == "stop" {
            assert_eq!(test.profile(PROFILE)["host"], json!(Host::Stopped));
        } else {
            // The kubelet may be stopped though the API server answers: only a start of the machine tells.
            assert!(halting(&test).iter().any(|line| line == "start"), "{:#?}", halting(&test));
            kstrim(&mut test, ["smoke-test"]).expect(0);
            assert_eq!(journal(&test)["suspended"], Value::Null);
        }
    }
}

#[test]
fn a_start_that_fails_says_why() {
    let mut test = ready();
    kstrim(&mut test, ["stop"]).expect(0);
    let crash = |s: &mut Scenario| {
        s.crashes.push(crate::harness::Crash::always("dual-role", "Error", 1, "something nobody knows"));
    };
    test.change_scenario(crash);
    let lines = events(&mut test, ["start"], 1);
    assert_eq!(failure(&lines), "KS-CRASH-LOOP", "{}", told(&lines));
    assert_eq!(lines.last().expect("a line")["failure"]["task"], "kafka");
}
