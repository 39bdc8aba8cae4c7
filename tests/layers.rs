//! The import table: who may use whom, and who alone may spawn, open sockets and speak HTTP.
//! `docs/design/architecture.md` says why.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::File;

/// The rooms from top to bottom. A room may use every room of a lower row.
const ROWS: &[&[&str]] = &[
    &["main"],
    &["internals"],
    &["cmd"],
    &["diagnose", "doctor"],
    &["lifecycle", "status", "teardown", "upgrade"],
    &["quickstart"],
    &["checks"],
    &["cluster"],
    &["component"],
    &["user_manifests"],
    &["explain", "manifest", "toolbox", "report"],
    &["kube", "kafka", "download"],
    &["config", "engine", "tool"],
    &["bundle", "exec", "terminal"],
    &["catalogue", "cli", "event", "paths"],
    &["command_line", "failure", "names"],
    &["errors", "redact", "sha256", "words"],
];

/// Uses within a row, or against the arrows, and why they are there.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|rooms| rooms.contains(&room))
}

fn allowed(from: &str, to: &str) -> bool {
    matches!((row(from), row(to)), (Some(from), Some(to)) if from < to)
}

fn excepted(from: &str, to: &str) -> bool {
    EXCEPTIONS.iter().any(|(f, t, _)| *f == from && *t == to)
}

/// The code of a line, without what is said about it.
fn code(line: &str) -> &str {
    line.split(" // ").next().unwrap_or(line)
}

/// Rooms that a file names, with the line.
fn uses(file: &File) -> Vec<(usize, String)> {
    let top =
        !file.path.contains('/') || file.path.matches('/').count() == 1 && file.path.ends_with("/mod.rs");
    let mut found = Vec::new();
    for (at, line) in file.code.iter().enumerate() {
        // In a room's own file `super` is the crate.
        let roots: &[&str] = if top { &["crate::", "kstrim::", "super::"] } else { &["crate::", "kstrim::"] };
        for root in roots {
            for rest in code(line).split(root).skip(1) {
                assert!(!rest.starts_with('{'), "src/{}:{}: one `use` for each room", file.path, at + 1);
                let room: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push((at + 1, room));
            }
        }
    }
    found
}

fn production() -> Vec<File> {
    source::files().into_iter().filter(|file| !file.test).collect()
}

#[test]
fn every_room_has_its_place() {
    for file in production() {
        let room = file.room();
        let known = room == "lib" || row(room).is_some();
        assert!(known, "src/{}: the room {room} is in no row of tests/layers.rs", file.path);
    }
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for file in production() {
        let from = file.room().to_owned();
        for (line, to) in uses(&file) {
            if to == from || allowed(&from, &to) {
                continue;
            }
            if excepted(&from, &to) {
                used.insert((from.clone(), to));
            } else {
                wrong.push(format!("src/{}:{line}: {from} uses {to}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "against the import table:\n{}", wrong.join("\n"));
    for (from, to, why) in EXCEPTIONS {
        let alive = used.contains(&((*from).to_owned(), (*to).to_owned()));
        assert!(alive, "nobody needs the exception {from} → {to} ({why}): take it out");
    }
}

#[test]
fn the_engine_does_not_know_what_it_runs() {
    let files = production();
    let engine: Vec<&File> = files.iter().filter(|file| file.room() == "engine").collect();
    assert!(!engine.is_empty(), "a rule that finds nothing guards nothing");
    for file in engine {
        for (at, line) in file.code.iter().enumerate() {
            let line = code(line).to_lowercase();
            for word in ["kafka", "strimzi", "minikube", "kubectl", "kubernetes"] {
                assert!(!line.contains(word), "src/{}:{}: {word}", file.path, at + 1);
            }
        }
    }
}

/// Words that only some files may use.
const RESERVED: &[(&[&str], &[&str])] = &[
    // clap has a type of this name, too.
    (
        &["process::Command", "Command::new(", "tokio::process"],
        &["exec/system.rs", "exec/supervise.rs", "exec/foreground.rs"],
    ),
    (&["ureq"], &["download/"]),
    // Everybody else asks the toolbox, which knows of kstrim's own.
    (&["minikube::find()", "kubectl::find()"], &["toolbox/"]),
    // Code that changes or deletes an object in a cluster takes an `Owned`; `give_cluster_id` writes a status.
    (
        &[".delete_at(", ".replace_at(", ".create_at(", "kubectl.patch("],
        &["cluster/", "kube/", "quickstart/kafka.rs"],
    ),
    // `Session::apply` adds the installation's id to what it applies. A profile's marker belongs to no installation.
    (&["kubectl.apply("], &["cluster/session.rs", "cluster/ownership.rs", "kube/"]),
    // The wire client, the probe whether a port-forward takes connections yet, and the socket of kubectl's proxy.
    (&["TcpStream", "UdpSocket", "UnixStream"], &["kafka/", "cluster/forwards.rs", "kube/proxy.rs"]),
    // kstrim's own files are private to its user: all other code creates them by `paths::private_dir` and
    // `private_file`. The exceptions write a file where the user asked for it, and minikube's own cache.
    (
        &["create_dir_all", "File::create("],
        &["cmd/config.rs", "cmd/user/", "cmd/render.rs", "cmd/trace.rs", "bundle/unpack.rs"],
    ),
    // A bare name is searched for only in the absolute directories of PATH.
    (&["which::which"], &["exec/mod.rs"]),
];

#[test]
fn only_some_rooms_touch_the_world() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for file in production() {
        for (words, homes) in RESERVED {
            for (at, line) in file.code.iter().enumerate() {
                let Some(word) = words.iter().find(|word| code(line).contains(**word)) else { continue };
                let home = homes
                    .iter()
                    .any(|home| file.path == *home || home.ends_with('/') && file.path.starts_with(home));
                assert!(home, "src/{}:{}: {word} belongs into {homes:?}", file.path, at + 1);
                *seen.entry(words[0]).or_default() += 1;
            }
        }
    }
    assert_eq!(seen.len(), RESERVED.len(), "a rule that finds nothing guards nothing: {seen:?}");
}

/// Fields of a Kafka, and where they are read. Whoever reads them elsewhere would soon read them otherwise.
const OF_A_KAFKA: [&str; 8] = [
    "\"/spec/kafka/",
    "\"/spec/entityOperator",
    "\"/spec/zookeeper",
    "\"/status/listeners\"",
    "\"/status/clusterId\"",
    "\"/status/kafkaVersion\"",
    "\"/status/kafkaMetadataVersion\"",
    "\"/status/operatorLastSuccessfulVersion\"",
];

#[test]
fn a_live_kafka_is_read_in_one_place() {
    // What is rendered is kstrim's own; an upgrade changes the fields of every release's own form.
    // What users write in files is not live, and has every release's fields.
    let elsewhere = |path: &str| {
        matches!(path, "manifest/render.rs" | "manifest/class_data.rs")
            || path.starts_with("upgrade/")
            || path.starts_with("user_manifests/")
    };
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for file in production().iter().filter(|file| !elsewhere(&file.path)) {
        for (at, line) in file.code.iter().enumerate() {
            let Some(field) = OF_A_KAFKA.iter().find(|field| line.contains(**field)) else { continue };
            seen.insert(field);
            if file.path != "kube/kafka.rs" {
                wrong.push(format!("src/{}:{}: {}", file.path, at + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "ask kube::kafka: {wrong:#?}");
    assert_eq!(seen.len(), OF_A_KAFKA.len(), "a rule that finds nothing guards nothing: {seen:?}");
}

/// A file that is longer has more than one subject. Below that, length is a matter of taste.
const LONGEST: usize = 800;

#[test]
fn files_have_one_subject() {
    let files = source::files();
    assert!(!files.is_empty(), "a rule that finds nothing guards nothing");
    for file in files {
        assert!(file.lines <= LONGEST, "src/{} has {} lines: split it", file.path, file.lines);
    }
}

/// Writing to stdout or stderr directly blocks kstrim's only thread if nobody reads, and lets control sequences in
/// other programs' output reach a terminal.
#[test]
fn one_file_prints() {
    const WAYS: [&str; 8] = [
        "println!(",
        "print!(",
        "stdout().lock()",
        "stderr().lock()",
        "io::stdout().write",
        "io::stderr().write",
        // As the one file does it.
        "stdout().as_fd()",
        "stderr().as_fd()",
    ];
    const HANDLES: [&str; 6] = [
        "(std::io::stdout(), ",
        "(std::io::stderr(), ",
        "&mut std::io::stdout()",
        "&mut std::io::stderr()",
        "Box::new(std::io::stdout())",
        "Box::new(std::io::stderr())",
    ];
    let (mut wrong, mut seen) = (Vec::new(), false);
    for file in production() {
        for (at, line) in file.code.iter().enumerate() {
            if !WAYS.iter().chain(&HANDLES).any(|way| code(line).contains(way)) {
                continue;
            }
            match file.path == "terminal/output.rs" {
                true => seen = true,
                false => wrong.push(format!("src/{}:{}: {}", file.path, at + 1, line.trim())),
            }
        }
    }
    assert!(wrong.is_empty(), "print through terminal::output: {wrong:#?}");
    assert!(seen, "a rule that finds nothing guards nothing");
}
