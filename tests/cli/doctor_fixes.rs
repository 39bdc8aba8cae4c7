//! `kstrim doctor --fix` in a running cluster, and checks that need a world of their own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::doctor::{ARGS, check, doctor, fixes, verdicts, wrong};
use crate::harness::{Run, Test};
use crate::support;

/// The pod of the operator, by its uid.
fn operator_pod(test: &Test) -> String {
    let objects = test.objects("kstrim");
    let pods = objects.as_object().expect("objects").iter();
    let mut operator = pods.filter(|(key, _)| key.starts_with("pods/kafka/strimzi-cluster-operator"));
    operator.next().map(|(_, pod)| pod["metadata"]["uid"].to_string()).unwrap_or_default()
}

#[test]
fn an_operator_that_holds_its_lock_is_restarted_with_consent() {
    let mut test = support::empty_cluster();
    test.change_scenario(|s| {
        s.timings.operation_timeout = 300_000;
        s.obstacle = Some("0/1 nodes are available: 1 Insufficient memory.".into());
    });
    test.args(["up"]).run().expect(1);
    // Corrected by hand: the operator does not reconcile.
    let patch = json!({"spec": {"resources": {"requests": {"memory": "512Mi"}}}});
    support::kubectl(&test, &format!("patch kafkanodepool dual-role -n kafka --type=merge -p {patch}"))
        .expect(0);
    let document = test.args(ARGS).run().json();
    assert_eq!(check(&document, "kafka.ready")["problem"]["id"], "KS-OPERATOR-LOCK", "{document:#}");
    let fix = check(&document, "kafka.ready")["fix"].as_str().expect("a fix").to_owned();
    assert!(fix.starts_with("restart the operator strimzi-cluster-operator"), "{fix}");
    let before = operator_pod(&test);
    let run = test.args(ARGS.iter().chain(&["--fix", "--yes"])).run();
    let document = run.json();
    assert_eq!(fixes(&document), ["kafka.ready done"], "{document:#}");
    assert!(run.stderr.contains(&format!("fix kafka.ready: {fix}")), "{}", run.stderr);
    assert_ne!(operator_pod(&test), before, "it is another pod");
    test.change_scenario(|s| s.obstacle = None);
    test.args(["up"]).run().expect(0);
}

#[test]
fn a_kafka_resource_that_kstrim_paused_is_resumed() {
    let mut test = support::ready();
    let words =
        "annotate kafka my-cluster -n kafka --field-manager=kstrim strimzi.io/pause-reconciliation=true";
    support::kubectl(&test, words).expect(0);
    // A warning, and after some seconds a failure.
    let document = test.args(ARGS.iter().chain(&["--fix"])).run().json();
    assert_eq!(check(&document, "kafka.ready")["problem"]["id"], "KS-KAFKA-PAUSED");
    assert_eq!(fixes(&document), ["kafka.ready not_agreed"]);
    let document = test.args(ARGS.iter().chain(&["--fix", "--yes"])).run().json();
    assert_eq!(fixes(&document), ["kafka.ready done"]);
    let kafka = test.object("kstrim", support::KAFKA);
    assert_eq!(kafka["metadata"]["annotations"]["strimzi.io/pause-reconciliation"], Value::Null);
}

/// Change the owner of a directory and its contents.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), None).expect("root may");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            give(&entry.path(), user);
        } else {
            // Links to programs are kept.
            let _ = rustix::fs::chownat(
                rustix::fs::CWD,
                entry.path(),
                Some(rustix::fs::Uid::from_raw(user)),
                None,
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            );
        }
    }
}

#[test]
fn the_users_permissions_on_the_state_directory_are_restored() {
    let mut test = support::fresh();
    let folder = test.home().join(".local/state/kstrim");
    fs::create_dir_all(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).expect("its own");
    test.args(ARGS.iter().chain(&["--fix"]));
    let mut command = test.kstrim_copied();
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere: run as another user.
        let all = test.home().parent().expect("the test's directory").to_owned();
        fs::set_permissions(&all, fs::Permissions::from_mode(0o755)).expect("its own");
        give(&all, 65_534);
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().expect("it runs");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}", String::from_utf8_lossy(&output.stderr));
    });
    assert_eq!(fixes(&document), ["disk.state done"], "{document:#}");
    assert_eq!(verdicts(&document)["disk.state"], "ok");
    assert_eq!(fs::metadata(&folder).expect("it").permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_unschedulable_node_is_found() {
    for (condition, want) in [
        (json!({"type": "DiskPressure", "status": "True"}), "failed KS-NODE-PRESSURE"),
        (json!({"type": "MemoryPressure", "status": "True"}), "failed KS-NODE-PRESSURE"),
        (
            json!({"type": "Ready", "status": "False", "message": "container runtime is down"}),
            "failed KS-NODE-NOT-READY",
        ),
    ] {
        let mut test = support::ready();
        let patch = json!({"status": {"conditions": [condition]}}).to_string();
        let words = ["patch", "node", "kstrim", "--subresource=status", "--type=merge", "-p", &patch];
        support::kubectl_words(&test, words.map(str::to_owned).into()).expect(0);
        let document = doctor(&mut test, &[], 1);
        assert_eq!(verdicts(&document)["cluster.node"], want, "{condition}");
        let problem = &check(&document, "cluster.node")["problem"];
        assert!(problem["message"].as_str().is_some_and(|m| m.contains("node kstrim")), "{problem}");
        assert!(problem["hints"][0].is_string(), "{problem}");
    }
}

/// A proxy that responds to every request in the same way, and then continues with `then`; its address.
fn proxy(answer: &'static str, then: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://someone:secret@{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), then) = (stream, then.clone()) else { return };
            std::thread::spawn(move || {
                // Up to the empty line: the client sends its request in pieces.
                let head = BufReader::new(&stream).lines().map_while(Result::ok);
                head.take_while(|line| !line.is_empty()).for_each(drop);
                let _ = stream.write_all(answer.as_bytes());
                then(stream);
            });
        }
    });
    address
}

/// Let the client close the connection: closing with unread bytes would reset it.
fn hang_on(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
}

/// A proxy that intercepts TLS: it responds for every name, with an untrusted certificate.
fn intercept() -> impl Fn(TcpStream) + Clone + Send + 'static {
    let names = ["quay.io", "github.com", "dl.k8s.io", "storage.googleapis.com"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("its key");
    let config = std::sync::Arc::new(config);
    move |mut stream| {
        let mut tls = rustls::ServerConnection::new(config.clone()).expect("a connection");
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
    }
}

/// Run until all three servers fail for this reason. On a busy machine a response may take longer than doctor's
/// limit, which is another valid reason.
fn until_answered(test: &mut Test, id: &str) -> Run {
    let want = [("manifest", "failed"), ("minikube", "warning"), ("registry", "warning")]
        .map(|(what, how)| format!("network.{what} {how} {id}"));
    for last in (0..10).map(|n| n == 9) {
        let run = test.args(["doctor", "--minikube-arg=--force", "-o", "json"]).run().expect(3);
        let found = wrong(&run.json());
        if last || found == want {
            assert_eq!(found, want);
            return run;
        }
    }
    unreachable!("the last run is given back")
}

#[test]
fn a_proxy_that_requires_a_login_is_distinguished() {
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    let mut test =
        Test::new().env("HTTPS_PROXY", proxy(refusal, hang_on)).env("NO_PROXY", "192.168.0.0/16,10.0.0.0/8");
    let run = until_answered(&mut test, "KS-NETWORK-PROXY");
    let document = run.json();
    let problem = &check(&document, "network.manifest")["problem"];
    assert!(problem.to_string().contains("login"), "{problem}");
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("secret"), "{}", run.stdout);
}

#[test]
fn intercepted_tls_is_distinguished() {
    let address = proxy("HTTP/1.1 200 Connection established\r\n\r\n", intercept());
    let mut test = Test::new().env("HTTPS_PROXY", address).env("NO_PROXY", "192.168.0.0/16,10.0.0.0/8");
    let run = until_answered(&mut test, "KS-NETWORK-TLS");
    let document = run.json();
    let problem = &check(&document, "network.manifest")["problem"];
    assert!(problem.to_string().contains("trust store"), "{problem}");
}
