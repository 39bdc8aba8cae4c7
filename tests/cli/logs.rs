//! `kstrim logs`: several logs merged in chronological order, including restarts.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Action, Fault, Running, Test};
use crate::support::{kubectl, kubectl_words, ready, until};
use crate::trouble::eventually;

/// Add lines to a container's log, each with its time.
fn write(test: &Test, pod: &str, container: &str, lines: &[(&str, &str)]) {
    use std::io::Write;
    let folder = test.world_dir().join("logs");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("{pod}_{container}.log"));
    let mut file = std::fs::File::options().create(true).append(true).open(path).expect("a log");
    for (time, line) in lines {
        writeln!(file, "2099-01-01T00:00:{time}Z {line}").expect("written");
    }
}

const BROKER: &str = "my-cluster-dual-role-0";

/// Names of the pods of the world whose name begins so.
fn pod(test: &Test, start: &str) -> String {
    let objects = test.objects("kstrim");
    let prefix = format!("pods/kafka/{start}");
    let key =
        objects.as_object().expect("objects").keys().find(|key| key.starts_with(&prefix)).expect("a pod");
    key.trim_start_matches("pods/kafka/").to_owned()
}

#[test]
fn logs_are_merged_in_chronological_order_with_their_names() {
    let mut test = ready();
    let (operator, entity) =
        (pod(&test, "strimzi-cluster-operator"), pod(&test, "my-cluster-entity-operator"));
    write(&test, BROKER, "kafka", &[("01.000000001", "first"), ("03.5", "  at third")]);
    write(&test, &operator, "strimzi-cluster-operator", &[("02", "second")]);
    write(&test, &entity, "topic-operator", &[("03.6", "fourth")]);
    write(&test, &entity, "user-operator", &[("04", "fifth")]);
    let run = test.args(["logs"]).run().expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines[lines.len() - 5..],
        [
            "dual-role-0    | first",
            "operator       | second",
            "dual-role-0    |   at third",
            "topic-operator | fourth",
            "user-operator  | fifth",
        ],
        "{}",
        run.stdout
    );
    let run =
        test.args(["logs", "--component", "entity-operator", "--tail", "1", "-o", "json"]).run().expect(0);
    let lines = run.json_lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[0]["component"], &lines[0]["message"]), (&"topic-operator".into(), &"fourth".into()));
    assert_eq!(lines[1]["time"], "2099-01-01T00:00:04Z");
    // The broker's own first line is written at this moment; the API server counts whole seconds.
    std::thread::sleep(Duration::from_millis(2_100));
    let run = test.args(["logs", "--component", "kafka", "--since", "1s", "--timestamps"]).run().expect(0);
    assert!(run.stdout.starts_with("2099-01-01T00:00:01.000000001Z dual-role-0 | first\n"), "{}", run.stdout);
    let run = test.args(["logs", "--previous"]).run().expect(0);
    assert!(run.stdout.is_empty() && run.stderr.contains("no container was restarted"), "{}", run.stderr);
}

#[test]
fn without_a_cluster_or_pods() {
    let mut test = Test::new();
    for args in [&["logs"][..], &["logs", "--follow"]] {
        let run = test.args(args.iter().copied()).run().expect(3);
        assert!(run.stderr.contains("KS-NO-CLUSTER"), "{}", run.stderr);
    }
    let mut test = ready();
    let run = test.args(["logs", "--cluster", "another", "--component", "kafka"]).run().expect(3);
    assert!(run.stderr.contains("KS-NO-CLUSTER"), "{}", run.stderr);
    test.fake("minikube", ["stop", "-p", "kstrim"]).expect(0);
    let run = test.args(["logs"]).run().expect(3);
    assert!(run.stderr.contains("KS-NO-CLUSTER"), "{}", run.stderr);
}

/// Whether this many logs are being followed.
fn followed(test: &Test, count: usize) -> bool {
    test.calls().iter().filter(|c| c.line().contains("--follow")).count() >= count
}

#[test]
fn a_broker_that_is_replaced_is_followed_again() {
    let mut test = ready();
    write(&test, BROKER, "kafka", &[("01", "one")]);
    let running: Running = test.args(["logs", "-f", "--component", "kafka"]).spawn();
    eventually("the broker is followed", || followed(&test, 1));
    write(&test, BROKER, "kafka", &[("02", "two")]);
    let before = test.object("kstrim", &format!("pods/kafka/{BROKER}"))["metadata"]["uid"].clone();
    kubectl(&test, &format!("delete pods {BROKER} -n kafka --wait=false")).expect(0);
    until(&test, "there is a new broker", |t| {
        let pod = t.object("kstrim", &format!("pods/kafka/{BROKER}"));
        pod["metadata"]["uid"] != before && pod["status"]["phase"] == "Running"
    });
    eventually("the new one is followed", || followed(&test, 2));
    write(&test, BROKER, "kafka", &[("03", "three")]);
    std::thread::sleep(Duration::from_millis(800));
    running.signal(Signal::INT);
    let run = running.wait().expect(130);
    for line in ["dual-role-0 | one", "dual-role-0 | three"] {
        assert!(run.stdout.contains(line), "{line} in {}\n{}", run.stdout, run.stderr);
    }
    assert_eq!(run.stdout.matches("three").count(), 1, "{}", run.stdout);
    assert!(run.stderr.contains("a new container"), "{}\n{}", run.stderr, run.stdout);
    eventually("no child is left", || test.leftovers().is_empty());
}

#[test]
fn a_closed_pipe_ends_it() {
    let mut test = ready();
    let mut child = test
        .args(["logs", "--follow"])
        .kstrim()
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    eventually("logs are followed", || followed(&test, 4));
    drop(child.stdout.take());
    eventually("it ends", || child.try_wait().expect("wait").is_some());
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    eventually("no child is left", || test.leftovers().is_empty());
}

#[test]
fn a_container_that_is_restarted_in_its_pod_is_followed_again() {
    let mut test = ready();
    write(&test, BROKER, "kafka", &[("01", "one")]);
    let running: Running = test.args(["logs", "-f", "--component", "kafka"]).spawn();
    eventually("the broker is followed", || followed(&test, 1));
    let pod = test.object("kstrim", &format!("pods/kafka/{BROKER}"));
    let mut status = pod["status"]["containerStatuses"][0].clone();
    let ended = json!({"exitCode": 137, "reason": "Error", "startedAt": status["state"]["running"]["startedAt"],
        "finishedAt": "2026-11-22T20:30:00Z"});
    status["restartCount"] = json!(1);
    status["lastState"] = json!({"terminated": ended});
    let patch = json!({"status": {"containerStatuses": [status]}}).to_string();
    let words = ["patch", "pod", BROKER, "-n", "kafka", "--subresource=status", "--type=merge", "-p", &patch];
    kubectl_words(&test, words.map(str::to_owned).into()).expect(0);
    let again = test.object("kstrim", &format!("pods/kafka/{BROKER}"));
    assert_eq!(again["metadata"]["uid"], pod["metadata"]["uid"], "it is the same pod");
    eventually("its next run is followed", || followed(&test, 2));
    write(&test, BROKER, "kafka", &[("59", "after it")]);
    std::thread::sleep(Duration::from_millis(800));
    running.signal(Signal::INT);
    let run = running.wait().expect(130);
    assert_eq!(run.stdout.matches("after it").count(), 1, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("a new container"), "{}", run.stderr);
}

#[test]
fn an_unavailable_api_server_is_waited_for() {
    let mut test = ready();
    write(&test, BROKER, "kafka", &[("01", "one")]);
    let running: Running = test.args(["logs", "-f", "--component", "kafka"]).spawn();
    eventually("the broker is followed", || followed(&test, 1));
    // Unavailable: requests for logs are refused, and the followed log loses its server.
    let refused = "The connection to the server 192.168.49.2:8443 was refused - did you specify the right host or port?";
    let action = Action::Exit { code: 1, stdout: String::new(), stderr: refused.into() };
    test.change_scenario(|s| {
        s.faults.push(Fault { program: "kubectl".into(), args: "logs".into(), nth: None, action });
    });
    // A changed scenario takes effect with the next call by hand.
    kubectl(&test, "get pods -n kafka").expect(0);
    let pid = test.calls().iter().find(|c| c.line().contains("--follow")).map(|c| c.pid).expect("it follows");
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
    write(&test, BROKER, "kafka", &[("58", "meanwhile")]);
    eventually("requesting it again", || followed(&test, 3));
    test.change_scenario(|s| s.faults.clear());
    kubectl(&test, "get pods -n kafka").expect(0);
    let tries = test.calls().iter().filter(|c| c.line().contains("--follow")).count();
    eventually("and once more", || followed(&test, tries + 1));
    write(&test, BROKER, "kafka", &[("59", "back")]);
    std::thread::sleep(Duration::from_millis(800));
    running.signal(Signal::INT);
    let run = running.wait().expect(130);
    for line in ["one", "meanwhile", "back"] {
        let count = run.stdout.lines().filter(|l| l.ends_with(&format!("| {line}"))).count();
        assert_eq!(count, 1, "{line}: {}\n{}", run.stdout, run.stderr);
    }
}
