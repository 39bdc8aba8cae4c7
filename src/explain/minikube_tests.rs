use std::fs;

use serde_json::Value;

use super::*;

/// Every failed `minikube start` of a recording: its errors and exit code, explained.
fn recorded(recording: &str) -> Vec<(String, Failure)> {
    let path = format!("{}/tests/recordings/{recording}/commands.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut explained = Vec::new();
    for line in text.lines() {
        let command: Value = serde_json::from_str(line).unwrap();
        let exit = command["exit"].as_i64().unwrap();
        let argv = command["argv"].to_string();
        if exit <= 0 || !argv.contains("minikube") || !argv.contains("\"start\"") {
            continue;
        }
        let events: Vec<Value> = command["stdout"]
            .as_str()
            .unwrap_or("")
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .filter(|e| e["type"] == "io.k8s.sigs.minikube.error")
            .collect();
        let errors: Vec<Error<'_>> = events
            .iter()
            .map(|e| Error {
                name: e["data"]["name"].as_str().unwrap_or(""),
                message: e["data"]["message"].as_str().unwrap_or(""),
            })
            .collect();
        let stderr = command["stderr"].as_str().unwrap_or("");
        explained.push((argv, explain(&errors, Exit::Code(exit as i32), stderr, "mkrec")));
    }
    assert!(!explained.is_empty(), "{recording} has no failed start");
    explained
}

fn ids(recording: &str) -> Vec<(&'static str, Kind)> {
    recorded(recording).iter().map(|(_, f)| (f.id.as_str(), f.kind)).collect()
}

#[test]
fn engine() {
    use Kind::Prerequisite;
    // The first of these ran as root with --force: exit 14, last event MK_USAGE.
    assert_eq!(
        ids("24-mk-engine-down"),
        [
            ("KS-ENGINE-DOWN", Prerequisite),
            ("KS-ENGINE-DOWN", Prerequisite),
            ("KS-ENGINE-MISSING", Prerequisite)
        ]
    );
}

#[test]
fn existing_profile_and_missing_container() {
    assert_eq!(
        ids("22-mk-start-again"),
        [("KS-PROFILE-DRIVER", Kind::Foreign), ("KS-KUBERNETES-OLDER", Kind::Foreign)]
    );
    assert_eq!(ids("27-mk-container-gone"), [("KS-APISERVER-MISSING", Kind::Task)]);
}

#[test]
fn bad_requests() {
    let found = recorded("25-mk-bad-request");
    for (argv, id) in [
        ("900g", "KS-MEMORY-TOO-MUCH"),
        ("100mb", "KS-MEMORY-TOO-LITTLE"),
        ("=abc", "KS-MINIKUBE-USAGE"),
        ("cpus=64", "KS-CPUS"),
        ("cpus=1\"", "KS-CPUS"),
        ("driver=nope", "KS-DRIVER"),
        ("runtime=nope", "KS-MINIKUBE-USAGE"),
        ("v1.99.0", "KS-NETWORK-DNS"),
        ("v1.20.0", "KS-KUBERNETES-VERSION"),
    ] {
        let (_, failure) =
            found.iter().find(|(a, _)| a.contains(argv)).unwrap_or_else(|| panic!("no {argv}"));
        assert_eq!(failure.id.as_str(), id, "{argv}: {failure:?}");
    }
    let all: Vec<&str> = found.iter().map(|(_, f)| f.id.as_str()).collect();
    assert!(all.contains(&"KS-ENGINE-PERMISSION") && all.contains(&"KS-ROOT"), "{all:?}");
    let (_, flag) = found.iter().find(|(_, f)| f.id.as_str() == "KS-MINIKUBE").expect("the unknown flag");
    assert!(!flag.causes.is_empty(), "{flag:?}");
}

#[test]
fn unfilled_templates_are_not_printed() {
    for recording in ["22-mk-start-again", "24-mk-engine-down", "25-mk-bad-request", "27-mk-container-gone"] {
        for (argv, failure) in recorded(recording) {
            let text = format!("{failure:?}");
            assert!(
                !text.contains("{{") && !text.contains("<no value>") && !text.contains("{p}"),
                "{argv}: {text}"
            );
        }
    }
}

#[test]
fn rows_are_reachable() {
    for (at, row) in ROWS.iter().enumerate() {
        let errors = [Error { name: row.name, message: "x" }];
        let failure = explain(&errors, Exit::Code(1), "", "p");
        assert_eq!((failure.id, failure.message.contains("{p}")), (row.id, false), "row {at} {}", row.name);
    }
    let subnet = Error {
        name: "GUEST_PROVISION",
        message: "un-retryable: no free private network subnets found with given parameters",
    };
    assert_eq!(explain(&[subnet], Exit::Code(80), "", "p").id.as_str(), "KS-NETWORK-SUBNET");
    let named = |name, message| explain(&[Error { name, message }], Exit::Code(80), "", "p").id.as_str();
    let tls = "Get \"https://dl.k8s.io/x\": tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assert_eq!(named("INET_CACHE_KUBECTL", tls), "KS-NETWORK-TLS");
    assert_eq!(named("INET_CACHE_KUBECTL", "connection reset by peer"), "KS-NETWORK");
    // A warning names no cause by itself, but explains a cluster that then does not respond.
    let remark = Error {
        name: "",
        message: "You appear to be using a proxy, but your NO_PROXY environment does not include the minikube IP (192.168.49.2).",
    };
    let after = |name| explain(&[remark, Error { name, message: "x" }], Exit::Code(105), "", "p").id.as_str();
    assert_eq!(after("K8S_APISERVER_MISSING"), "KS-PROXY-RANGES");
    assert_eq!(after("PROVIDER_DOCKER_NOT_RUNNING"), "KS-ENGINE-DOWN");
    assert_eq!(explain(&[], Exit::Signal(9), "E1122 10:00 x\n", "p").id.as_str(), "KS-MINIKUBE");
}

#[test]
fn denied_access_is_distinguished_from_an_engine_that_is_down() {
    let down = |words: &str| engine_down(words, "p").id.as_str();
    let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
    assert_eq!(down(&denied.replace("/var/run", "/no/such/place")), "KS-ENGINE-PERMISSION");
    let gone = "Cannot connect to the Docker daemon at unix:///no/such/place/docker.sock. Is the docker daemon running?";
    assert_eq!(down(gone), "KS-ENGINE-DOWN");
    assert_eq!(down("error during connect: EOF"), "KS-ENGINE-DOWN");
    // The socket's permissions take precedence over the message. Root may write everywhere.
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("docker.sock");
    fs::write(&socket, "").expect("a file");
    let said = |words: &str| words.replace("SOCKET", &socket.display().to_string());
    assert_eq!(down(&said("permission denied at unix://SOCKET: no")), "KS-ENGINE-DOWN");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).expect("its own");
    let root = rustix::process::geteuid().is_root();
    let want = if root { "KS-ENGINE-DOWN" } else { "KS-ENGINE-PERMISSION" };
    assert_eq!(down(&said("Cannot connect to the Docker daemon at unix://SOCKET. Is it running?")), want);
}

#[test]
fn a_stalled_start_is_reported_with_its_last_step() {
    let failure = stalled("Pulling base image", "p");
    assert_eq!((failure.id.as_str(), failure.kind), ("KS-MINIKUBE-STALLED", Kind::Timeout));
    assert_eq!(failure.causes, ["last step: Pulling base image"]);
    assert_eq!(stalled("", "p").causes, ["it reported nothing"]);
    // Similar cases: a start that ended, whatever it had printed before.
    let named = [Error { name: "GUEST_PROVISION", message: "timed out waiting" }];
    assert_eq!(explain(&named, Exit::Code(80), "", "p").id.as_str(), "KS-PROFILE-BROKEN");
    assert_eq!(explain(&[], Exit::Signal(9), "", "p").id.as_str(), "KS-MINIKUBE");
}
