//! This machine: its container engine, its programs, its memory and disk, kstrim's own files.

use std::fs::{self, File};
use std::path::PathBuf;

use super::{
    End::{Healed, Named},
    Fault, Left, World, break_call, fault, hide, minikube_fails,
};
use crate::harness::{Action, Engine, Test};

fn folder(test: &Test) -> PathBuf {
    test.home().join(".local/state/kstrim/profiles/kstrim")
}

fn says(test: &mut Test, program: &str, args: &str, stdout: &str) {
    let action = Action::Exit { code: 0, stdout: stdout.into(), stderr: String::new() };
    break_call(test, program, args, None, action);
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Nothing};
    use World::{Fresh, Ready};
    vec![
        fault(
            "docker-missing",
            "no `docker` on PATH",
            Fresh,
            |t| hide(t, "docker"),
            Named("KS-ENGINE-MISSING", 3),
            Nothing,
        ),
        fault(
            "docker-down",
            "the engine is stopped",
            Fresh,
            |t| t.change_scenario(|s| s.engine = Engine::Down),
            Named("KS-ENGINE-DOWN", 3),
            Nothing,
        ),
        fault(
            "docker-down-later",
            "the profile is stopped, then the engine",
            Ready,
            |t| {
                t.fake("minikube", ["stop", "-p", "kstrim"]).expect(0);
                t.change_scenario(|s| s.engine = Engine::Down);
            },
            Named("KS-ENGINE-DOWN", 3),
            All,
        ),
        fault(
            "docker-denied",
            "no permission for the engine's socket",
            Fresh,
            |t| t.change_scenario(|s| s.engine = Engine::Denied),
            Named("KS-ENGINE-PERMISSION", 3),
            Nothing,
        ),
        fault(
            "docker-slow",
            "the engine responds too late",
            Fresh,
            |t| {
                let words = "\"docker version --format {{.Server.Os}}-{{.Server.Version}}\" timed out";
                minikube_fails(t, "PROVIDER_DOCKER_DEADLINE_EXCEEDED", 64, words);
            },
            Named("KS-ENGINE-SLOW", 3),
            Nothing,
        ),
        fault(
            "root",
            "kstrim runs as root",
            Fresh,
            |t| t.change_scenario(|s| s.root = true),
            Named("KS-ROOT", 3),
            Nothing,
        ),
        fault(
            "memory-too-much",
            "more memory is requested than there is",
            Fresh,
            |_| {},
            Named("KS-MEMORY-TOO-MUCH", 2),
            Nothing,
        )
        .by(&["up", "--memory", "900g"]),
        fault(
            "memory-too-little",
            "less memory is requested than Kubernetes needs",
            Fresh,
            |_| {},
            Named("KS-MEMORY-TOO-LITTLE", 2),
            Nothing,
        )
        .by(&["up", "--memory", "1000mb"]),
        fault(
            "memory-of-docker",
            "the engine has less memory than Kubernetes needs",
            Fresh,
            |t| {
                let words = "Docker Desktop only has 1024MiB available, less than the required 1800MiB for Kubernetes";
                minikube_fails(t, "RSRC_DOCKER_MEMORY", 20, words);
            },
            Named("KS-MEMORY-TOO-LITTLE", 3),
            Nothing,
        ),
        fault("cpus", "more CPUs are requested than there are", Fresh, |_| {}, Named("KS-CPUS", 2), Nothing)
            .by(&["up", "--cpus", "64"]),
        fault(
            "disk-of-docker",
            "the engine's disk is full",
            Fresh,
            |t| {
                let words = "Docker is out of disk space! (/var is at 100% of capacity)";
                minikube_fails(t, "RSRC_DOCKER_STORAGE", 26, words);
            },
            Named("KS-DISK-FULL", 3),
            Nothing,
        ),
        fault(
            "disk-of-node",
            "the disk fills up while the node is created",
            Fresh,
            |t| {
                let words = "Failed to start host: creating host: create: write /var/lib/docker: no space left on device";
                minikube_fails(t, "GUEST_PROVISION_NOSPACE", 80, words);
            },
            Named("KS-DISK-FULL", 3),
            Nothing,
        ),
        Fault {
            run: &["up", "--system-tools"],
            ..fault(
                "minikube-missing",
                "no `minikube` on PATH",
                Fresh,
                |t| hide(t, "minikube"),
                Named("KS-TOOL-MISSING", 3),
                Nothing,
            )
        },
        Fault {
            run: &["up", "--system-tools"],
            ..fault(
                "kubectl-missing",
                "no `kubectl` on PATH",
                Ready,
                |t| hide(t, "kubectl"),
                Named("KS-TOOL-MISSING", 3),
                All,
            )
        },
        Fault {
            run: &["up", "--system-tools"],
            ..fault(
                "minikube-old",
                "`minikube` 1.0.0",
                Ready,
                |t| says(t, "minikube", "version", r#"{"commit":"x","minikubeVersion":"v1.0.0"}"#),
                Named("KS-TOOL-TOO-OLD", 3),
                All,
            )
        },
        Fault {
            run: &["up", "--system-tools"],
            ..fault(
                "kubectl-old",
                "`kubectl` 1.18.0",
                Ready,
                |t| {
                    let version = r#"{"clientVersion":{"major":"1","minor":"18","gitVersion":"v1.18.0"}}"#;
                    says(t, "kubectl", "version --client", version);
                },
                Named("KS-TOOL-TOO-OLD", 3),
                All,
            )
        },
        Fault {
            run: &["up", "--system-tools"],
            ..fault(
                "kubectl-skew",
                "`kubectl` 1.30.0 with a newer Kubernetes",
                Ready,
                |t| {
                    let version = r#"{"clientVersion":{"major":"1","minor":"30","gitVersion":"v1.30.0"}}"#;
                    says(t, "kubectl", "version --client", version);
                },
                Healed("KS-KUBECTL-SKEW"),
                All,
            )
        },
        fault(
            "minikube-hangs",
            "`minikube version` does not return",
            Ready,
            |t| {
                break_call(
                    t,
                    "minikube",
                    "version",
                    None,
                    Action::Hang { stdout: String::new(), stubborn: true },
                )
            },
            Named("KS-TOOL-HANGS", 4),
            All,
        ),
        fault(
            "minikube-nonsense",
            "`minikube profile list` prints a web page",
            Ready,
            |t| says(t, "minikube", "profile list", "<html>"),
            Named("KS-TOOL-BROKEN", 3),
            All,
        ),
        fault(
            "state-unwritable",
            "kstrim's state directory is a file",
            Ready,
            |t| {
                let file = t.write("a-file", "");
                *t = std::mem::take(t).env("KSTRIM_STATE_DIR", file);
            },
            Named("KS-STATE-UNWRITABLE", 3),
            All,
        ),
        fault(
            "journal-corrupt",
            "the journal is truncated",
            Ready,
            |t| {
                let journal = folder(t).join("journal.json");
                let text = fs::read_to_string(&journal).expect("a journal");
                fs::write(&journal, &text[..text.len() / 2]).expect("a journal");
            },
            Named("KS-JOURNAL-CORRUPT", 1),
            All,
        )
        .cured_by(|t| fs::remove_file(folder(t).join("journal.json")).expect("a journal")),
        fault(
            "journal-newer",
            "a newer kstrim wrote the journal",
            Ready,
            |t| {
                let journal = folder(t).join("journal.json");
                fs::rename(&journal, journal.with_extension("kept")).expect("a journal");
                fs::write(&journal, r#"{"schema": 99, "profile": "kstrim", "profile_is_ours": true}"#)
                    .expect("a journal");
            },
            Named("KS-JOURNAL-NEWER", 3),
            All,
        )
        .cured_by(|t| {
            let journal = folder(t).join("journal.json");
            fs::rename(journal.with_extension("kept"), journal).expect("a journal");
        }),
        fault(
            "locked",
            "another kstrim command is using the profile",
            Ready,
            lock,
            Named("KS-LOCKED", 7),
            All,
        )
        .cured_by(unlock),
    ]
}

/// Locks that rows hold, by the directory of their world.
static HELD: std::sync::Mutex<Vec<(PathBuf, File)>> = std::sync::Mutex::new(Vec::new());

fn lock(test: &mut Test) {
    let path = folder(test).join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).expect("a lock file");
    file.lock().expect("nobody else has it");
    HELD.lock().expect("the list").push((path, file));
}

fn unlock(test: &mut Test) {
    let path = folder(test).join("lock");
    HELD.lock().expect("the list").retain(|(held, _)| *held != path);
}
