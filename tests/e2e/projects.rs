//! `up -f` with manifests as projects keep them (tests/fixtures/projects): each comes up, is verified, is followed through a
//! change, loses what leaves the files, and goes without a trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ground::Ground;

/// A project and what happens to it.
struct Project {
    /// Its directory in `tests/fixtures/projects`.
    folder: &'static str,
    /// What `-f` names in it, if not all of it.
    path: &'static str,
    /// The Kafka cluster that is verified.
    cluster: &'static str,
    /// Whether it is too large for the machine as it is.
    fit: bool,
    /// Changes: a file, a text in it, and what replaces the text.
    edits: &'static [(&'static str, &'static str, &'static str)],
    /// What the change is in the cluster: kind, name, JSON pointer, value.
    changed: (&'static str, &'static str, &'static str, &'static str),
    /// A file that leaves the project, and the objects in it.
    removed: (&'static str, &'static [(&'static str, &'static str)]),
}

/// Bring it up, change it, prune it and take it down. `used` looks at it while it is up.
fn lives(ground: &Ground, project: &Project, used: impl Fn(&Ground)) {
    let folder = copy(ground, project.folder);
    let path = folder.join(project.path).display().to_string();
    let mut files = vec!["-f", &path];
    files.extend(project.fit.then_some("--fit"));
    let sources = ground.sources();
    let mut diff = vec!["diff"];
    diff.extend(files.iter().copied().chain(sources.iter().map(String::as_str)));

    ground.up_succeeds(&files).events().verified(10);
    used(ground);
    ground.kstrim(&diff).expect(0);

    for (file, from, to) in project.edits {
        let file = folder.join(file);
        let text = fs::read_to_string(&file).expect("a file");
        assert!(text.contains(from), "{from}");
        fs::write(&file, text.replacen(from, to, 1)).expect("a file");
    }
    let (file, gone) = project.removed;
    fs::remove_file(folder.join(file)).expect("a file");
    let shown = ground.kstrim(&diff).expect(1).stdout;
    let (kind, name, pointer, value) = project.changed;
    assert!(shown.to_lowercase().contains(&format!("/{kind}/{name}")), "{shown}");
    ground.up_succeeds(&[&files[..], &["--prune"]].concat()).events().verified(10);
    let live = ground.kubectl_json(&["get", kind, name, "-n", "kafka"]);
    let found = live.pointer(pointer).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    assert_eq!(found.as_deref(), Some(value), "{kind} {name} {pointer}");
    for (kind, name) in gone {
        let left = ground.kubectl(&["get", kind, "-n", "kafka", "-o", "name"]);
        assert!(!left.lines().any(|line| line.ends_with(&format!("/{name}"))), "{left}");
    }
    ground.kstrim(&diff).expect(0);

    ground.kstrim(&["down", "-c", project.cluster, "--keep-cluster", "--yes"]).expect(0);
    let left = ground.kubectl_json(&["get", "namespaces"]);
    let names = left["items"].as_array().into_iter().flatten().filter_map(|n| n.pointer("/metadata/name"));
    assert!(!names.map(Value::to_string).any(|name| name.contains("kafka")), "{left}");
}

/// A copy of a project, which the test changes.
fn copy(ground: &Ground, folder: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/projects").join(folder);
    let to = ground.file("project");
    let _ = fs::remove_dir_all(&to);
    copy_into(&from, &to);
    to
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_into(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("a file")),
        }
    }
}

/// Wait until a command prints something.
fn prints(ground: &Ground, words: &[&str], text: &str) {
    let began = Instant::now();
    loop {
        let run = ground.kstrim(words);
        if run.stdout.contains(text) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "{words:?} does not print {text}: {run}");
        std::thread::sleep(Duration::from_secs(2));
    }
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn several_listeners_separate_controllers_jbod_and_acls() {
    let ground = Ground::with_a_cluster("projects::several_listeners_separate_controllers_jbod_and_acls");
    let project = Project {
        folder: "several-listeners",
        path: "",
        cluster: "shop",
        fit: true,
        edits: &[("topics.yaml", "partitions: 6", "partitions: 9")],
        changed: ("kafkatopic", "orders-created", "/spec/partitions", "9"),
        removed: ("reporting.yaml", &[("kafkauser", "reporting")]),
    };
    lives(&ground, &project, |ground| {
        prints(ground, &["topic", "list", "-c", "shop"], "orders.created");
        // Only a superuser, or a user with the right, may write.
        ground.kstrim(&["smoke-test", "-c", "shop"]).expect(0);
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn connect_with_connectors() {
    let ground = Ground::with_a_cluster("projects::connect_with_connectors");
    let project = Project {
        folder: "connect-and-connectors",
        path: "",
        cluster: "events",
        fit: true,
        edits: &[("connectors.yaml", "file: /tmp/licences", "file: /tmp/licences-2")],
        changed: ("kafkaconnector", "licences", "/spec/config/file", "/tmp/licences-2"),
        removed: ("second-connector.yaml", &[("kafkaconnector", "licences-copy")]),
    };
    lives(&ground, &project, |ground| {
        let connector = ground.kubectl_json(&["get", "kafkaconnector", "licences", "-n", "kafka"]);
        let state = connector.pointer("/status/connectorStatus/tasks/0/state");
        assert_eq!(state.and_then(Value::as_str), Some("RUNNING"), "{connector}");
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn mirror_maker_between_two_clusters() {
    let ground = Ground::with_a_cluster("projects::mirror_maker_between_two_clusters");
    let project = Project {
        folder: "mirror-two-clusters",
        path: "",
        cluster: "west",
        fit: false,
        edits: &[("clusters.yaml", "partitions: 2", "partitions: 3")],
        changed: ("kafkatopic", "orders", "/spec/partitions", "3"),
        removed: ("scratch.yaml", &[("kafkatopic", "scratch")]),
    };
    lives(&ground, &project, |ground| {
        let list =
            ["exec", "-n", "kafka", "east-east-0", "-c", "kafka", "--", "bin/kafka-topics.sh", "--list"];
        let list = [&list[..], &["--bootstrap-server", "localhost:9092"]].concat();
        let began = Instant::now();
        while !ground.kubectl(&list).contains("west.orders") {
            assert!(began.elapsed() < Duration::from_secs(90), "the topic is not mirrored");
            std::thread::sleep(Duration::from_secs(2));
        }
        ground.kstrim(&["smoke-test", "-c", "east"]).expect(0);
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn metrics_and_logging_from_config_maps() {
    let ground = Ground::with_a_cluster("projects::metrics_and_logging_from_config_maps");
    let project = Project {
        folder: "metrics",
        path: "",
        cluster: "metered",
        fit: true,
        edits: &[("kafka.yaml", "log.retention.hours: 24", "log.retention.hours: 48")],
        changed: ("kafka", "metered", "/spec/kafka/config/log.retention.hours", "48"),
        removed: ("dashboard.yaml", &[("configmap", "metered-dashboard")]),
    };
    lives(&ground, &project, |ground| {
        let metrics = "/api/v1/namespaces/kafka/pods/metered-dual-0:9404/proxy/metrics";
        let metrics = ground.kubectl(&["get", "--raw", metrics]);
        assert!(metrics.contains("kafka_server_"), "{metrics}");
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn cruise_control_with_a_rebalance() {
    let ground = Ground::with_a_cluster("projects::cruise_control_with_a_rebalance");
    let project = Project {
        folder: "cruise-control",
        path: "",
        cluster: "balanced",
        fit: false,
        edits: &[("kafka.yaml", "partitions: 4", "partitions: 6")],
        changed: ("kafkatopic", "events", "/spec/partitions", "6"),
        removed: ("rebalance.yaml", &[("kafkarebalance", "full")]),
    };
    lives(&ground, &project, |ground| {
        let rebalance = ground.kubectl_json(&["get", "kafkarebalance", "full", "-n", "kafka"]);
        assert!(rebalance.to_string().contains("ProposalReady"), "{rebalance}");
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn an_application_with_a_certificate() {
    let ground = Ground::with_a_cluster("projects::an_application_with_a_certificate");
    let project = Project {
        folder: "application",
        path: "",
        cluster: "app",
        fit: true,
        edits: &[("app.yaml", "greeting: hello", "greeting: good morning")],
        changed: ("configmap", "orders", "/data/greeting", "good morning"),
        removed: ("first-orders.yaml", &[("job", "first-orders")]),
    };
    lives(&ground, &project, |ground| {
        let topics = ground.kstrim(&["topic", "list", "-c", "app"]).expect(0).stdout;
        assert!(topics.contains("orders"), "{topics}");
        let job = ground.kubectl_json(&["get", "job", "first-orders", "-n", "kafka"]);
        assert_eq!(job.pointer("/status/succeeded"), Some(&1.into()), "{job}");
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_kustomize_overlay() {
    let ground = Ground::with_a_cluster("projects::a_kustomize_overlay");
    let project = Project {
        folder: "overlay",
        path: "dev",
        cluster: "payments",
        fit: true,
        edits: &[
            ("dev/partitions.yaml", "value: 2", "value: 4"),
            ("dev/kustomization.yaml", ", audit.yaml", ""),
        ],
        changed: ("kafkatopic", "payments", "/spec/partitions", "4"),
        removed: ("dev/audit.yaml", &[("kafkatopic", "audit")]),
    };
    lives(&ground, &project, |ground| {
        let kafka = ground.kubectl_json(&["get", "kafka", "payments", "-n", "kafka"]);
        assert_eq!(kafka.pointer("/metadata/labels/team").and_then(Value::as_str), Some("payments"));
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn scram_users_with_quotas() {
    let ground = Ground::with_a_cluster("projects::scram_users_with_quotas");
    let project = Project {
        folder: "quotas",
        path: "",
        cluster: "shared",
        fit: true,
        edits: &[("users.yaml", "requestPercentage: 55", "requestPercentage: 65")],
        changed: ("kafkauser", "team-a", "/spec/quotas/requestPercentage", "65"),
        removed: ("admin.yaml", &[("kafkauser", "admin"), ("secret", "admin-password")]),
    };
    lives(&ground, &project, |ground| prints(ground, &["topic", "list", "-c", "shared"], "Users_V1"));
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_bridge_as_a_scram_user() {
    let ground = Ground::with_a_cluster("projects::a_bridge_as_a_scram_user");
    let project = Project {
        folder: "bridge",
        path: "",
        cluster: "web",
        fit: true,
        edits: &[("bridge.yaml", "acks: all", "acks: 1")],
        changed: ("kafkabridge", "web", "/spec/producer/config/acks", "1"),
        removed: ("topic.yaml", &[("kafkatopic", "clicks")]),
    };
    lives(&ground, &project, |ground| {
        let pods = ground.kubectl(&["get", "pods", "-n", "kafka", "-o", "name"]);
        assert!(pods.contains("web-bridge"), "{pods}");
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn an_export_of_another_cluster() {
    let ground = Ground::with_a_cluster("projects::an_export_of_another_cluster");
    let project = Project {
        folder: "exported",
        path: "",
        cluster: "exported",
        fit: true,
        edits: &[("topics.yaml", "partitions: 4", "partitions: 5")],
        changed: ("kafkatopic", "invoices", "/spec/partitions", "5"),
        removed: ("archive.yaml", &[("kafkatopic", "archive")]),
    };
    lives(&ground, &project, |ground| prints(ground, &["topic", "list", "-c", "exported"], "invoices"));
}
