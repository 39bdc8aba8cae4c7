//! Programs that kstrim installs: if the machine has none, or unsuitable ones.

use std::fs;

use serde_json::Value;

use crate::bare::{self, KUBECTL, MINIKUBE, own};
use crate::harness::{Action, Test};
use crate::mirror::{Mirror, sha256, url};
use crate::support::{failure, quick, told};
use crate::trouble::{finished, surroundings, up_fails, up_succeeds};

/// A machine with a container engine and nothing else, and a mirror with the pinned tools.
fn bare() -> (Test, Mirror) {
    let test = surroundings().scenario(quick).without("minikube").without("kubectl");
    let mirror = Mirror::new(&test);
    mirror.tool(&test, "minikube", MINIKUBE);
    mirror.tool(&test, "kubectl", KUBECTL);
    let test = test.env("KSTRIM_MIRROR", mirror.folder()).env("KSTRIM_TOOL_DIGESTS", mirror.digests());
    (test, mirror)
}

fn list(test: &mut Test) -> Vec<(String, String)> {
    let listed = test.args(["tools", "list", "-o", "json"]).run().expect(0).json();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = listed.as_array().expect("a list").iter();
    all.map(|one| (format!("{}@{}", text(&one["tool"]), text(&one["version"])), text(&one["state"])))
        .collect()
}

/// With these tests' own manifest; `tests/supply` does the same with Strimzi's.
#[test]
fn a_container_engine_and_kstrim_are_enough() {
    bare::a_container_engine_and_kstrim_are_enough(None);
}

#[test]
fn suitable_programs_on_path_are_preferred() {
    let (mut test, _mirror) = bare();
    test.args(["tools", "install"]).run().expect(0);
    assert_eq!(list(&mut test).len(), 2);
    let mut test = test.with("minikube").with("kubectl");
    let run = up_succeeds(&mut test, &[]);
    assert!(!run.stdout.contains("kstrim's own"), "{}", run.stdout);
    assert!(!test.args(["env"]).run().expect(0).stdout.contains("PATH="));
}

#[test]
fn old_programs_are_replaced_for_the_run_unless_that_is_forbidden() {
    let old = || Action::Exit {
        code: 0,
        stdout: r#"{"clientVersion":{"major":"1","minor":"18","gitVersion":"v1.18.0"}}"#.into(),
        stderr: String::new(),
    };
    let (test, _mirror) = bare();
    let mut test = test.with("minikube").with("kubectl").fault("kubectl", "version --client", Some(1), old());
    let run = up_succeeds(&mut test, &[]);
    assert!(
        run.stdout.contains("kubectl 1.18.0 is too old; kstrim installed its own kubectl"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("minikube 1.38.1, kubectl 1.34.4 (kstrim's own)"), "{}", run.stdout);
    assert_eq!(list(&mut test), [(format!("kubectl@{KUBECTL}"), "good".to_owned())]);
    assert!(test.bin().join("kubectl").exists(), "the system's stays");

    let (test, mirror) = bare();
    let mut test = test.with("minikube").with("kubectl").fault("kubectl", "version --client", None, old());
    up_fails(&mut test, &["--system-tools"], "KS-TOOL-TOO-OLD", 3);
    assert!(list(&mut test).is_empty() && mirror.seen().is_empty());
    // A suitable but older one is replaced, too; offline, or if that is forbidden, there is a warning.
    let lags = Action::Exit {
        code: 0,
        stdout: r#"{"clientVersion":{"major":"1","minor":"30","gitVersion":"v1.30.0"}}"#.into(),
        stderr: String::new(),
    };
    let (test, _mirror) = bare();
    let mut test = test.with("minikube").with("kubectl").fault("kubectl", "version --client", None, lags);
    let run = up_succeeds(&mut test, &["--system-tools"]);
    assert!(run.stdout.contains("more than one minor version older"), "{}", run.stdout);
}

/// minikube 1.38.1 supports no Kubernetes that Strimzi 0.30.0 supports; an older one does.
#[test]
fn a_minikube_that_does_not_support_the_kubernetes_is_replaced() {
    let (test, mirror) = bare();
    mirror.tool(&test, "minikube", "1.36.0");
    // A manifest that knows the Kafka of that release.
    let text = include_str!("../fixtures/install.yaml").replace("4.3.1=", "3.2.0=");
    test.write("install.yaml", text);
    let test = test.with("minikube").with("kubectl");
    // The stand-in that is installed as 1.36.0 reports that version.
    let says = r#"{"commit":"x","minikubeVersion":"v1.36.0"}"#;
    let action = Action::Exit { code: 0, stdout: says.into(), stderr: String::new() };
    let mut test = test.fault("minikube", "version", Some(2), action);
    let run = test.args(["up", "-o", "json", "--release", "0.30.0", "--timeout", "20s"]).run();
    assert!(run.stdout.contains("kstrim installed its own minikube 1.36.0"), "{}{}", run.stdout, run.stderr);
    let start = test.calls().into_iter().find(|call| call.args.first().is_some_and(|a| a == "start"));
    assert!(start.is_some_and(|call| call.line().contains("--kubernetes-version=v1.24")), "{}", run.stdout);
}

#[test]
fn modified_programs_are_never_run() {
    // The file does not match its checksum.
    let (mut test, mirror) = bare();
    mirror.put(&url("minikube", MINIKUBE), "evil");
    let run = up_fails(&mut test, &[], "KS-DOWNLOAD-DIGEST", 1);
    let text = finished(&run)["failure"].to_string();
    assert!(text.contains(&sha256(b"evil")) && text.contains("minikube was not found"), "{text}");
    assert!(text.contains("minikube.sigs.k8s.io"), "{text}");
    // The mirror's own checksum file is not even requested.
    mirror.put(&format!("{}.sha256", url("minikube", MINIKUBE)), sha256(b"evil"));
    up_fails(&mut test, &[], "KS-DOWNLOAD-DIGEST", 1);
    // The user's own list is not a list of digests.
    fs::write(mirror.digests(), "<html>sign in</html>").expect("written");
    up_fails(&mut test, &[], "KS-TOOL-CHECKSUM-FORMAT", 2);
    assert_eq!(test.calls(), []);
    assert!(list(&mut test).is_empty());

    // The checksum differs from the one at the first installation.
    let (mut test, mirror) = bare();
    test.args(["tools", "install"]).run().expect(0);
    let removed = test.args(["tools", "remove", "kubectl"]).run().expect(0).stdout;
    assert_eq!(removed.trim(), own(&test, "kubectl", KUBECTL).display().to_string());
    mirror.put(&url("kubectl", KUBECTL), "other");
    let platform = kstrim::internals::bundle::platform();
    let text = format!("{}  kubectl-{KUBECTL}-{platform}\n", sha256(b"other"));
    fs::write(mirror.digests(), text).expect("written");
    let run = up_fails(&mut test, &[], "KS-TOOL-CHECKSUM-CHANGED", 1);
    assert!(finished(&run)["failure"].to_string().contains("--forget kubectl@1.35.1"));
    test.args(["tools", "remove", "helm"]).run().expect(2);
    test.args(["tools", "remove", "kubectl@9.9.9"]).run().expect(2);

    // The installed file was modified.
    let file = own(&test, "minikube", MINIKUBE);
    fs::write(&file, "#!/bin/sh\nexit 0\n").expect("written");
    assert_eq!(list(&mut test)[0].1, "changed");
    up_fails(&mut test, &[], "KS-TOOL-CHANGED", 3);
    let run = test.args(["status"]).run().expect(3);
    assert!(run.stderr.contains("KS-TOOL-CHANGED"), "{}", run.stderr);
}

#[test]
fn nothing_is_downloaded_if_that_is_not_wanted() {
    let (mut test, mirror) = bare();
    let base = mirror.serve();
    let url_mirror = format!("--mirror={base}");
    up_fails(&mut test, &["--offline", &url_mirror], "KS-DOWNLOAD-OFFLINE", 1);
    up_fails(&mut test, &["--system-tools", &url_mirror], "KS-TOOL-MISSING", 3);
    assert_eq!(mirror.seen(), [""; 0]);
    // A plan shows what would be done, and does not do it.
    let run = test.args(["plan"]).run().expect(0);
    assert!(run.stdout.contains("obtains minikube 1.38.1 and kubectl 1.35.1"), "{}", run.stdout);
    assert!(list(&mut test).is_empty());
    assert_eq!(test.calls(), []);
    // A program that the user specifies is used, or none.
    let mut test = test.env("KSTRIM_KUBECTL", "/no/such/kubectl");
    up_fails(&mut test, &[], "KS-TOOL-MISSING", 3);
}

/// A byte now and then keeps every single read within its limit.
#[test]
fn a_dripping_server_is_abandoned() {
    let (mut test, mirror) = bare();
    let base = format!("--mirror={}", mirror.drip());
    let run = up_fails(&mut test, &[&base, "--download-timeout=1s"], "KS-DOWNLOAD-SLOW", 1);
    let text = finished(&run)["failure"].to_string();
    for words in ["minikube-", "bytes in 1s, less than 1024 per second", "of 9999 in total", "--mirror"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let run = test.args(["tools", "install", "kubectl", &base, "--download-timeout=1s"]).run().expect(1);
    assert!(run.stderr.contains("KS-DOWNLOAD-SLOW"), "{}", run.stderr);
    assert_eq!(test.calls(), []);
}

#[test]
fn a_url_with_a_password_is_rejected_without_printing_it() {
    for flag in ["--mirror", "--manifests"] {
        let (mut test, _mirror) = bare();
        let args = format!("{flag}=https://me:hunter2@mirror.example/x");
        let run = test.args(["up", "-o", "json", &args]).run().expect(2);
        let lines = run.json_lines();
        assert_eq!(failure(&lines), "KS-DOWNLOAD-CREDENTIALS", "{}", told(&lines));
        assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"), "{}", run.stdout);
    }
}
