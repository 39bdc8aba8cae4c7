//! `doctor` and `up` agree about the same machine, environment and settings: what `up` refuses, `doctor` reports with
//! the same id, and if `up` succeeds, `doctor` has found nothing that would prevent it.

use std::collections::BTreeSet;

use crate::harness::{Engine, Host, ProfileSeed, Scenario};
use crate::support::{fresh, quick};

const NOWHERE: &str = "unix:///nonexistent/docker.sock";
const INSIDE: &str = "tcp://127.0.0.1:32862/nonexistent";

struct Case {
    what: &'static str,
    env: &'static [(&'static str, &'static str)],
    args: &'static [&'static str],
    file: &'static str,
    choose: fn(&mut Scenario),
    /// The id with which `up` fails; empty if it succeeds.
    id: &'static str,
}

const PLAIN: Case = Case { what: "plain", env: &[], args: &[], file: "", choose: |_| {}, id: "" };

fn cases() -> Vec<Case> {
    vec![
        PLAIN,
        Case { what: "no engine", env: &[("DOCKER_HOST", NOWHERE)], id: "KS-ENGINE-DOWN", ..PLAIN },
        Case { what: "engine down", choose: |s| s.engine = Engine::Down, id: "KS-ENGINE-DOWN", ..PLAIN },
        Case {
            what: "engine denied",
            choose: |s| s.engine = Engine::Denied,
            id: "KS-ENGINE-PERMISSION",
            ..PLAIN
        },
        Case {
            what: "a shell after docker-env of a profile that is stopped",
            env: &[
                ("MINIKUBE_ACTIVE_DOCKERD", "minikube"),
                ("DOCKER_HOST", INSIDE),
                ("DOCKER_TLS_VERIFY", "1"),
                ("DOCKER_CERT_PATH", "/nonexistent/.minikube/certs"),
            ],
            ..PLAIN
        },
        Case {
            what: "the same, with what was there before",
            env: &[
                ("MINIKUBE_ACTIVE_DOCKERD", "minikube"),
                ("DOCKER_HOST", INSIDE),
                ("MINIKUBE_EXISTING_DOCKER_HOST", "unix:///var/run/docker.sock"),
            ],
            ..PLAIN
        },
        Case {
            what: "the same, and what was there before is gone",
            env: &[
                ("MINIKUBE_ACTIVE_DOCKERD", "minikube"),
                ("DOCKER_HOST", "unix:///var/run/docker.sock"),
                ("MINIKUBE_EXISTING_DOCKER_HOST", NOWHERE),
            ],
            id: "KS-ENGINE-DOWN",
            ..PLAIN
        },
        Case {
            what: "an unknown release",
            args: &["--release", "9.9.9"],
            id: "KS-VERSION-RELEASE-UNKNOWN",
            ..PLAIN
        },
        Case {
            what: "the same by a variable",
            env: &[("KSTRIM_RELEASE", "9.9.9")],
            id: "KS-VERSION-RELEASE-UNKNOWN",
            ..PLAIN
        },
        Case {
            what: "the same by a file",
            file: "release: 9.9.9\n",
            id: "KS-VERSION-RELEASE-UNKNOWN",
            ..PLAIN
        },
        Case { what: "memory in a file", file: "\u{feff}memory: 6Gi\r\n", ..PLAIN },
        Case { what: "memory by a variable", env: &[("KSTRIM_MEMORY", "6144")], ..PLAIN },
        Case {
            what: "somebody else's profile",
            choose: |s| s.profiles.push(ProfileSeed { host: Host::Running, ..ProfileSeed::default() }),
            id: "KS-PROFILE-FOREIGN",
            ..PLAIN
        },
    ]
}

#[test]
fn doctor_and_up_agree() {
    for case in cases() {
        let mut test = fresh().scenario(quick).scenario(case.choose);
        for (name, value) in case.env {
            test = test.env(name, value);
        }
        if !case.file.is_empty() {
            test.write("kstrim.yaml", case.file);
        }
        let flags = || ["--minikube-arg=--force", "-o", "json"].into_iter().chain(case.args.iter().copied());
        let doctor = test.args(["doctor", "--offline"].into_iter().chain(flags())).run();
        let up = test.args(["up"].into_iter().chain(flags())).run();
        let id = |text: &str| {
            let begin = text.find("[KS-").or_else(|| text.find("\"id\":\"KS-").map(|at| at + 5))?;
            let rest = text[begin + 1..].trim_start_matches('"');
            Some(rest.split(|c: char| !(c.is_ascii_uppercase() || c == '-')).next()?.to_owned())
        };
        let last = up.stdout.lines().last().unwrap_or_default();
        let of_up = if up.code() == 0 { None } else { id(last).or_else(|| id(&up.stderr)) };
        let document: serde_json::Value = doctor.stdout.parse().unwrap_or_default();
        let failed = document["checks"].as_array().into_iter().flatten().filter(|c| c["verdict"] == "failed");
        let mut of_doctor: BTreeSet<String> =
            failed.filter_map(|c| Some(c["problem"]["id"].as_str()?.to_owned())).collect();
        of_doctor.extend(id(&doctor.stderr));
        let what = case.what;
        assert_eq!(of_up.clone().unwrap_or_default(), case.id, "{what}: {}{}", up.stdout, up.stderr);
        match of_up {
            None => assert_eq!(of_doctor, BTreeSet::new(), "{what}: `up` succeeds"),
            Some(id) => {
                assert!(of_doctor.contains(&id), "{what}: `up` fails with {id}, doctor: {of_doctor:?}")
            }
        }
    }
}
