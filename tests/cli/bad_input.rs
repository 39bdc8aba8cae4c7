//! Invalid input: rejected before anything is done, with the rule and a hint.

use crate::harness::{Action, Test};
use crate::trouble::{clean, finished, ready, surroundings, up_fails};

/// Run with these arguments: exit code 2, no program was started, and stderr contains all of `words`.
#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let mut test = surroundings();
    refused_in(&mut test, args, words);
}

#[track_caller]
fn refused_in(test: &mut Test, args: &[&str], words: &[&str]) {
    let run = test.args(args.iter().copied()).run().expect(2);
    clean(test, &run);
    assert_eq!(test.calls(), [], "nothing may run before {args:?} is refused");
    assert_eq!(run.stdout, "", "{args:?}");
    for word in words {
        assert!(run.stderr.contains(word), "{args:?}: {word:?} is not in\n{}", run.stderr);
    }
}

const VERBS: [&str; 6] = ["up", "plan", "render", "status", "smoke-test", "down"];

#[test]
fn names_are_checked_before_any_command() {
    for verb in VERBS {
        for bad in ["My_Kafka", "a/b", "a b", "", "-x", "a\u{1b}[31m", &"n".repeat(64)] {
            let namespace = format!("--namespace={bad}");
            refused(&[verb, &namespace], &["namespace", "DNS-1123"]);
        }
    }
    refused(&["up", "--namespace=My_Kafka"], &["try \"my-kafka\""]);
    for bad in ["1st", "A", "-a", "a.b", &"c".repeat(47)] {
        refused(&["up", &format!("--cluster={bad}")], &["Kafka cluster name", "beginning with a letter"]);
    }
    for bad in ["--force", "a_b", "x", "a/../b", &"p".repeat(64)] {
        refused(
            &["up", &format!("--profile={bad}")],
            &["minikube profile", "beginning and ending with a letter"],
        );
    }
    for bad in ["..", "a b", "", &"t".repeat(250)] {
        refused(&["up", &format!("--topic={bad}")], &["topic name", "1 to 249"]);
        refused(&["smoke-test", &format!("--topic={bad}")], &["topic name", "1 to 249"]);
    }
}

#[test]
fn a_name_that_begins_with_a_dash_is_not_a_flag() {
    for (flag, value) in
        [("--profile", "--force"), ("--namespace", "-n"), ("--cluster", "-x"), ("--topic", "-")]
    {
        // After a blank clap parses the value as a flag; it is rejected in both cases.
        refused(&["up", flag, value], &["error"]);
    }
}

#[test]
fn names_in_the_environment_are_checked_too() {
    for (name, word) in [
        ("KSTRIM_PROFILE", "minikube profile"),
        ("KSTRIM_NAMESPACE", "DNS-1123"),
        ("KSTRIM_CLUSTER", "Kafka cluster name"),
        ("KSTRIM_TOPIC", "topic name"),
    ] {
        let mut test = surroundings().env(name, "-no way-");
        refused_in(&mut test, &["up"], &[word]);
    }
}

#[test]
fn invalid_values_are_rejected_with_the_allowed_ones() {
    for (arg, words) in [
        ("--memory=lots", &["--memory", "4096", "4g"][..]),
        ("--memory=-1", &["--memory"]),
        ("--memory=0", &["--memory"]),
        ("--cpus=0", &["--cpus", "whole number"]),
        ("--cpus=two", &["--cpus", "whole number"]),
        ("--driver=-x", &["--driver", "docker"]),
        ("--driver=do cker", &["--driver"]),
        ("--storage=1 GB", &["storage size", "100Gi"]),
        ("--storage=0Gi", &["storage size"]),
        ("--timeout=soon", &["--timeout", "90s"]),
        ("--timeout=0s", &["--timeout"]),
        ("--timeout=-5s", &["--timeout"]),
        ("--nodes=0", &["--nodes", "1..=20"]),
        ("--image-archive=no-such.tar", &["--image-archive", "no-such.tar", "docker save"]),
        ("--minikube-arg=--profile=other", &["--minikube-arg", "--profile"]),
        ("--minikube-arg=-p", &["--minikube-arg"]),
        ("--minikube-arg=-o", &["--minikube-arg"]),
        ("--preset=huge", &["--preset", "single", "ephemeral", "ha", "zookeeper"]),
        ("--output=loud", &["--output", "auto", "tty", "plain", "json"]),
        ("--release=1.2", &["--release", "1.2.0"]),
        ("--no-such-flag", &["--no-such-flag"]),
    ] {
        refused(&["up", arg], words);
    }
    refused(&["smoke-test", "--messages=0"], &["--messages"]);
    refused(&["smoke-test", "--size=much"], &["--size"]);
    refused(&["smoke-test", "--timeout=0"], &["--timeout"]);
    refused(&["up", "--quiet", "--verbose"], &["--quiet", "--verbose"]);
    refused(&["no-such-verb"], &["no-such-verb"]);
    refused(&[], &["Usage"]);
}

#[test]
fn incompatible_versions_list_compatible_ones() {
    for (args, words) in [
        (&["--release=9.9.9"][..], &["9.9.9", "1.2.0"][..]),
        (&["--kafka=9.9.9"], &["9.9.9", "4.3.1"]),
        (&["--release=1.2.0", "--kafka=3.9.1"], &["3.9.1", "4.3.1"]),
        (&["--release=0.45.0", "--kafka=4.3.1"], &["0.45.0", "3.9.0"]),
        (&["--release=1.2.0", "--kubernetes-version=1.20.0"], &["1.20", "1.30"]),
        (&["--release=1.2.0", "--preset=zookeeper"], &["ookeeper", "0.45"]),
    ] {
        let all: Vec<&str> = ["up"].iter().chain(args).copied().collect();
        refused(&all, words);
    }
}

#[test]
fn an_invalid_manifest_is_rejected_before_the_cluster_is_created() {
    let good = include_str!("../fixtures/install.yaml");
    let broken = good.replace("  replicas: 1", "  replicas: [1");
    let foreign =
        good.replacen("  name: strimzi-cluster-operator\n", "  name: a\n  namespace: elsewhere\n", 1);
    let unknown = good.replacen("kind: ServiceAccount", "kind: Spaceship", 1);
    let line = 1 + broken.lines().position(|l| l.contains("[1")).expect("the line");
    let near = |text: &str| (line..line + 4).any(|n| text.contains(&format!("line {n}")));
    let cases = [
        ("no-such.yaml", None, "KS-MANIFEST-UNREADABLE", &["no-such.yaml"][..]),
        ("broken.yaml", Some(broken.as_str()), "KS-MANIFEST-YAML", &["broken.yaml"]),
        ("foreign.yaml", Some(&foreign), "KS-MANIFEST-NAMESPACE", &["elsewhere"]),
        ("unknown.yaml", Some(&unknown), "KS-MANIFEST-KIND-UNKNOWN", &["Spaceship"]),
        ("empty.yaml", Some(""), "KS-MANIFEST-EMPTY", &["empty.yaml"]),
        ("list.yaml", Some("- a\n- b\n"), "KS-MANIFEST-YAML", &["list.yaml", "line"]),
        ("bytes.yaml", Some("a: \u{0}\n"), "KS-MANIFEST-YAML", &["bytes.yaml"]),
    ];
    for (name, text, id, words) in cases {
        let mut test = surroundings();
        let path = test.work().join(name);
        if let Some(text) = text {
            test.write(name, text);
        }
        let path = path.display().to_string();
        let run = up_fails(&mut test, &["--manifests", &path], id, 2);
        let failure = finished(&run)["failure"].to_string();
        assert!(words.iter().all(|word| failure.contains(word)), "{failure}");
        assert!(name != "broken.yaml" || near(&failure), "line {line} is not named: {failure}");
        let start = test.calls().into_iter().find(|c| c.line().contains("start"));
        assert_eq!(start, None, "{name}");
    }
}

#[test]
fn a_directory_of_manifests_is_read_and_an_empty_one_is_rejected() {
    let mut test = surroundings();
    test.write("empty/README", "");
    let folder = test.work().join("empty").display().to_string();
    up_fails(&mut test, &["--manifests", &folder], "KS-MANIFEST-EMPTY", 2);
}

#[test]
fn an_unwritable_state_directory_is_reported() {
    let test = surroundings();
    let file = test.write("a-file", "");
    let mut test = test.env("KSTRIM_STATE_DIR", file.join("state"));
    let run = up_fails(&mut test, &[], "KS-STATE-UNWRITABLE", 3);
    assert!(finished(&run)["failure"].to_string().contains("KSTRIM_STATE_DIR"));
    assert_eq!(test.calls(), []);
    // Read-only commands need no state.
    let run = test.args(["status"]).run();
    clean(&test, &run);
}

/// Where the journal of the profile `kstrim` is.
fn journal(test: &Test) -> std::path::PathBuf {
    test.home().join(".local/state/kstrim/profiles/kstrim/journal.json")
}

fn write_journal(test: &Test, text: &str) {
    let path = journal(test);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

#[test]
fn a_corrupt_journal_is_reported_and_not_changed() {
    for text in ["", "{", "{\"schema\": 1, \"profile\"", "[]", "{\"schema\": 1, \"profile\": \"other\"}"] {
        let mut test = surroundings();
        write_journal(&test, text);
        let run = up_fails(&mut test, &[], "KS-JOURNAL-CORRUPT", 1);
        let failure = finished(&run)["failure"].to_string();
        assert!(failure.contains("journal.json") && failure.contains("mv "), "{failure}");
        assert_eq!(std::fs::read_to_string(journal(&test)).expect("it is there"), text);
        assert_eq!(test.calls(), []);
    }
}

#[test]
fn a_newer_journal_is_never_written() {
    let text = r#"{"schema": 99, "profile": "kstrim", "profile_is_ours": true, "future": []}"#;
    let mut test = ready();
    write_journal(&test, text);
    let run = up_fails(&mut test, &[], "KS-JOURNAL-NEWER", 3);
    assert!(finished(&run)["failure"].to_string().contains("newer kstrim"));
    test.args(["down", "--yes"]).run().expect(3);
    test.args(["status"]).run().expect(0);
    assert_eq!(std::fs::read_to_string(journal(&test)).expect("it is there"), text);
    assert!(test.profile("kstrim").is_object(), "nothing was deleted");
}

#[test]
fn a_full_disk_is_reported_and_the_old_journal_stays_intact() {
    // A limit on the size of files looks like a full disk to a writer (EFBIG).
    let mut test = ready();
    let before = std::fs::read_to_string(journal(&test)).expect("a journal");
    let kstrim = test.args(["up", "-o", "json"]).kstrim();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    shell.arg(kstrim.get_program()).args(kstrim.get_args()).env_clear().current_dir(test.work());
    shell.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().expect("it runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("KS-STATE-UNWRITABLE") && said.contains("free disk space"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(std::fs::read_to_string(journal(&test)).expect("a journal"), before);
    let left = std::fs::read_dir(journal(&test).parent().expect("a folder")).expect("a folder").flatten();
    let left: Vec<_> =
        left.map(|e| e.file_name()).filter(|n| n.to_string_lossy().starts_with(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_missing_program_is_named_with_its_download_page() {
    for (program, page) in
        [("minikube", "minikube.sigs.k8s.io"), ("kubectl", "kubernetes.io/docs/tasks/tools")]
    {
        let mut test = surroundings().without(program).env("KSTRIM_SYSTEM_TOOLS", "true");
        let run = up_fails(&mut test, &[], "KS-TOOL-MISSING", 3);
        let failure = finished(&run)["failure"].to_string();
        assert!(failure.contains(program) && failure.contains(page), "{failure}");
        assert_eq!(test.calls(), []);
        test.args(["smoke-test"]).run().expect(3);
        test.args(["down", "--yes"]).run().expect(3);
        // Commands without a cluster need no programs.
        test.args(["render"]).run().expect(0);
        test.args(["versions"]).run().expect(0);
    }
}

/// The stand-in prints this instead of its version.
fn says(program: &str, args: &str, stdout: &str) -> Test {
    let action = Action::Exit { code: 0, stdout: stdout.into(), stderr: String::new() };
    surroundings().fault(program, args, None, action).env("KSTRIM_SYSTEM_TOOLS", "true")
}

#[test]
fn old_programs_are_rejected_with_the_required_version() {
    for (program, args, stdout) in [
        ("minikube", "version", r#"{"commit":"x","minikubeVersion":"v1.0.0"}"#),
        (
            "kubectl",
            "version --client",
            r#"{"clientVersion":{"major":"1","minor":"18","gitVersion":"v1.18.0"}}"#,
        ),
    ] {
        let mut test = says(program, args, stdout);
        let run = up_fails(&mut test, &[], "KS-TOOL-TOO-OLD", 3);
        let failure = finished(&run)["failure"].to_string();
        assert!(failure.contains(&format!("{program} 1.")) && failure.contains("or newer"), "{failure}");
    }
}

#[test]
fn a_minikube_that_does_not_support_the_kubernetes_is_rejected() {
    // Without a manifest, which would determine the release.
    let mut test = Test::new().env("KSTRIM_SYSTEM_TOOLS", "true");
    let args = ["--kubernetes-version=1.20.0"];
    let run = up_fails(&mut test, &args, "KS-VERSION-MINIKUBE-UNSUPPORTED", 3);
    let failure = finished(&run)["failure"].to_string();
    assert!(failure.contains("1.28.0 to 1.35.1") && failure.contains("--release"), "{failure}");
    assert!(test.profile("kstrim").is_null());
}

#[test]
fn programs_with_invalid_output_are_reported() {
    for (program, args) in
        [("minikube", "version"), ("kubectl", "version --client"), ("minikube", "profile list")]
    {
        for stdout in ["", "null", "{\"minikubeVersion\":", "<html>", "\u{0}\u{1}"] {
            let mut test = says(program, args, stdout);
            let run = up_fails(&mut test, &[], "KS-TOOL-BROKEN", 3);
            assert!(finished(&run)["failure"].to_string().contains(program));
        }
    }
}
