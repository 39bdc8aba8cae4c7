//! Compares the stand-in of minikube with the recordings: events, exit codes, and what a kill leaves.

use serde_json::Value;

use crate::fakes_faithful::{kubectl, recording, running};
use crate::harness::{Action, Engine, Host, ProfileSeed, Test};

/// Kinds and messages of CloudEvents, without the recording's own peculiarities.
fn events(text: &str) -> Vec<(String, String, String)> {
    let of = |line: &str| -> Option<(String, String, String)> {
        let event: Value = line.parse().ok()?;
        let field = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let data = &event["data"];
        Some((field(&event["type"]), field(&data["name"]), field(&data["exitcode"])))
    };
    let mut all: Vec<_> = text.lines().filter_map(of).collect();
    // Messages without names depend on the machine (root, registry); the named ones must be the same.
    all.retain(|(_, name, _)| !name.is_empty());
    all
}

#[test]
fn minikube_start_and_its_errors_match_the_recordings() {
    let mut compared = 0;
    for (folder, root) in [("22-mk-start-again", true), ("25-mk-bad-request", false)] {
        let log = recording(&format!("{folder}/commands.jsonl"));
        let test = Test::new().scenario(|s| s.root = root);
        for line in log.lines() {
            let record: Value = line.parse().expect("JSON");
            let argv: Vec<&str> =
                record["argv"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let line = argv.join(" ");
            let start = argv
                .iter()
                .position(|word| *word == "minikube")
                .filter(|at| argv.get(at + 1) == Some(&"start"));
            // Differs here: the number of CPUs, a group, root, base images of other drivers.
            let other = ["--cpus=64", "--driver=kvm2 --base", "--clear-groups"]
                .iter()
                .any(|skip| line.contains(skip));
            let Some(at) = start.filter(|_| !other && (root || line.contains("setpriv"))) else {
                continue;
            };
            let run = test.fake("minikube", &argv[at + 1..]);
            assert_eq!(i64::from(run.code()), record["exit"].as_i64().unwrap_or(0), "{line}\n{}", run.stdout);
            let mut real = events(record["stdout"].as_str().unwrap_or(""));
            let mut fake = events(&run.stdout);
            if line.contains("--cpus=1") && root {
                // It prints this twice; once is sufficient here.
                real.dedup();
                fake.dedup();
                real.sort();
                real.dedup();
                fake.sort();
                fake.dedup();
            }
            assert_eq!(fake, real, "{line}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "only {compared} starts compared");
}

#[test]
fn minikube_states_have_the_recorded_exit_codes() {
    let status = |host: Host| {
        let test = Test::new().scenario(|s| s.profiles.push(ProfileSeed { host, ..ProfileSeed::default() }));
        let run = test.fake("minikube", ["status", "-p", "kstrim", "-o", "json"]);
        (run.code(), run.stdout)
    };
    let object = |host: &str, kubelet: &str, server: &str, config: &str| {
        format!(
            r#"{{"Name":"kstrim","Host":"{host}","Kubelet":"{kubelet}","APIServer":"{server}","Kubeconfig":"{config}","Worker":false}}"#
        )
    };
    assert_eq!(status(Host::Running), (0, object("Running", "Running", "Running", "Configured")));
    assert_eq!(status(Host::Paused), (2, object("Running", "Stopped", "Paused", "Configured")));
    assert_eq!(status(Host::Stopped), (7, object("Stopped", "Stopped", "Stopped", "Stopped")));
    assert_eq!(status(Host::Starting), (6, object("Running", "Stopped", "Stopped", "Misconfigured")));
    assert_eq!(status(Host::Dead), (2, object("Running", "Running", "Stopped", "Configured")));
    assert_eq!(status(Host::Gone), (7, "null".into()));
    assert_eq!(status(Host::Made), (7, "null".into()));
    assert_eq!(status(Host::Invalid).0, 85);
}

#[test]
fn a_killed_start_leaves_an_incomplete_profile_that_a_second_start_completes() {
    for (ms, code) in [(25, 7), (100, 6)] {
        let start = ["start", "-p", "kstrim", "-o", "json", "--kubernetes-version=v1.34.4"];
        let mut seen = Vec::new();
        // How far it has got by then depends on the machine: a busy one gets more time.
        let killed = [1, 2, 3, 4, 6].into_iter().find_map(|times| {
            let kill = Action::KillSelf { ms: ms * times };
            let test = Test::new().fault("minikube", "start", Some(1), kill);
            assert_eq!(test.fake("minikube", start).code(), 137);
            seen.push(test.fake("minikube", ["status", "-p", "kstrim", "-o", "json"]).code());
            (seen.last() == Some(&code)).then_some(test)
        });
        let Some(test) = killed else { panic!("no start was cut off at {code}: {seen:?}") };
        test.fake("minikube", start).expect(0);
        test.fake("minikube", ["status", "-p", "kstrim"]).expect(0);
        kubectl(&test, "get --raw /readyz").expect(0);
    }
}

#[test]
fn delete_without_an_engine_reports_success_and_leaves_the_container() {
    let mut test = running();
    test.fake("minikube", ["status", "-p", "kstrim"]).expect(0);
    test.change_scenario(|s| s.engine = Engine::Down);
    let run = test.fake("minikube", ["delete", "-p", "kstrim", "-o", "json"]).expect(0);
    assert!(run.stdout.contains("Removed all traces"));
    test.change_scenario(|s| s.engine = Engine::Up);
    let list = ["ps", "-a", "--filter", "name=kstrim", "--format", "{{.Names}} {{.Status}}"];
    assert!(test.fake("docker", list).stdout.starts_with("kstrim Up"));
    test.fake("minikube", ["delete", "-p", "kstrim"]).expect(0);
    assert_eq!(test.fake("docker", list).stdout, "");
}
