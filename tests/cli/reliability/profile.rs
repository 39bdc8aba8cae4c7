//! The minikube profile in every state it can be in.

use std::fs;

use super::{
    End::{Healed, Killed, Named},
    Fault, Left, World, break_call, fault, minikube_fails,
};
use crate::harness::{Action, Host, ProfileSeed, Test};
use crate::support::{PROFILE, quick};

fn seeded(test: &mut Test, seed: ProfileSeed) {
    test.change_scenario(|s| {
        quick(s);
        s.profiles = vec![seed];
    });
}

fn minikube(test: &mut Test, args: &[&str]) {
    test.fake("minikube", args.iter().copied().chain(["-p", PROFILE])).expect(0);
}

/// The file by which the kubelet starts the API server is moved away.
fn lose_server(test: &mut Test) {
    const FILE: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
    test.fake("docker", ["exec", PROFILE, "mv", FILE, "/tmp/"]).expect(0);
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Nothing, Profile};
    use World::{Fresh, Ready};
    vec![
        fault(
            "profile-stopped",
            "`minikube stop`",
            Ready,
            |t| minikube(t, &["stop"]),
            Healed("is stopped"),
            All,
        ),
        fault(
            "profile-paused",
            "`minikube pause`",
            Ready,
            |t| minikube(t, &["pause"]),
            Healed("is paused"),
            All,
        ),
        fault(
            "profile-deleted",
            "`minikube delete`",
            Ready,
            |t| minikube(t, &["delete"]),
            Healed("does not exist"),
            All,
        ),
        fault(
            "node-removed",
            "`docker rm -f` of the node's container",
            Ready,
            |t| drop(t.fake("docker", ["rm", "-f", PROFILE]).expect(0)),
            Named("KS-PROFILE-GONE", 2),
            All,
        )
        .cured_by(|t| drop(t.args(["up", "--recreate"]).run().expect(0))),
        fault(
            "node-removed-foreign",
            "the same in somebody else's profile",
            Fresh,
            |t| seeded(t, ProfileSeed { host: Host::Gone, ..ProfileSeed::default() }),
            Named("KS-PROFILE-FOREIGN", 5),
            Profile,
        )
        .by(&["up", "--adopt"])
        .cured_by(|t| minikube(t, &["delete"])),
        fault(
            "profile-foreign",
            "somebody else's profile has the name",
            Fresh,
            |t| seeded(t, ProfileSeed::default()),
            Named("KS-PROFILE-FOREIGN", 5),
            Profile,
        )
        .then(&["up", "--adopt"]),
        fault(
            "profile-memory",
            "a different memory size is requested than the profile has",
            Ready,
            |_| {},
            Named("KS-PROFILE-SETTINGS", 2),
            All,
        )
        .by(&["up", "--memory", "6g"]),
        fault(
            "profile-driver",
            "a different driver is requested than the profile has",
            Ready,
            |_| {},
            Named("KS-PROFILE-SETTINGS", 2),
            All,
        )
        .by(&["up", "--driver", "podman"]),
        fault(
            "kubernetes-older",
            "an older Kubernetes is requested than the profile has",
            Ready,
            |_| {},
            Named("KS-PROFILE-SETTINGS", 2),
            All,
        )
        .by(&["up", "--kubernetes-version", "1.33.0"]),
        fault(
            "kubernetes-unsupported",
            "the adopted profile runs a Kubernetes version that the release does not support",
            Fresh,
            |t| seeded(t, ProfileSeed { kubernetes: "v1.24.0".into(), ..ProfileSeed::default() }),
            Named("KS-KUBERNETES-UNSUPPORTED", 3),
            Profile,
        )
        .by(&["up", "--adopt"])
        .cured_by(|t| minikube(t, &["delete"])),
        fault(
            "start-killed",
            "`minikube start` is killed while it runs",
            Fresh,
            |t| {
                t.change_scenario(|s| s.timings.start = 2_000);
                break_call(t, "minikube", "start -o json", Some(1), Action::KillSelf { ms: 300 });
            },
            Named("KS-MINIKUBE", 1),
            Profile,
        ),
        fault(
            "kstrim-killed-starting",
            "kstrim is killed (SIGKILL) while minikube starts",
            Fresh,
            |t| {
                t.change_scenario(|s| s.timings.start = 2_000);
                break_call(t, "minikube", "start -o json", Some(1), Action::KillBoth { ms: 300 });
            },
            Killed,
            Profile,
        ),
        fault(
            "kstrim-killed-testing",
            "kstrim is killed (SIGKILL) while it connects to the broker",
            World::Empty,
            |t| break_call(t, "kubectl", "port-forward", Some(1), Action::KillParentBefore),
            Killed,
            // The topic is created in Kafka before it has a KafkaTopic.
            Left::Kafka,
        ),
        fault(
            "kubernetes-does-not-come-up",
            "the API server's process never appears",
            Fresh,
            |t| {
                let words = "wait 6m0s for node: wait for apiserver proc: apiserver process never appeared";
                minikube_fails(t, "K8S_APISERVER_MISSING", 105, words);
            },
            Named("KS-APISERVER-MISSING", 1),
            Nothing,
        ),
        fault(
            "api-server-lost",
            "the API server's file is moved out of the node",
            Ready,
            lose_server,
            Healed("kubeadm restores it"),
            All,
        ),
        fault(
            "api-server-lost-lately",
            "the same, and minikube keeps looking for it",
            Ready,
            |t| {
                lose_server(t);
                let hang = Action::Hang { stdout: String::new(), stubborn: false };
                break_call(t, "minikube", "status", None, hang);
            },
            Healed("kubeadm restores it"),
            All,
        ),
        fault(
            "api-server-lost-foreign",
            "the same in somebody else's profile",
            Fresh,
            |t| seeded(t, ProfileSeed { host: Host::Headless, ..ProfileSeed::default() }),
            Named("KS-APISERVER-MISSING", 1),
            Profile,
        )
        .by(&["up", "--adopt"])
        .cured_by(|t| minikube(t, &["delete"])),
        fault(
            "api-server-lost-for-good",
            "the same, and kubeadm cannot write it",
            Ready,
            |t| {
                lose_server(t);
                let stderr = "error execution phase control-plane/apiserver: open /etc/kubernetes/manifests/kube-apiserver.yaml: read-only file system\nssh: Process exited with status 1".into();
                break_call(
                    t,
                    "minikube",
                    "kubeadm",
                    None,
                    Action::Exit { code: 1, stdout: String::new(), stderr },
                );
            },
            Named("KS-APISERVER-MISSING", 1),
            All,
        ),
        fault(
            "start-says-done-too-early",
            "`minikube start` succeeds before there is a node",
            Fresh,
            |t| {
                break_call(t, "minikube", "start -o json", Some(1), Action::Cut { bytes: 700, exit: Some(0) })
            },
            Named("KS-API-UNREACHABLE", 1),
            Nothing,
        ),
        fault(
            "kubeconfig-lost",
            "kstrim's kubeconfig of the profile is deleted",
            Ready,
            |t| {
                let file = t.home().join(".local/state/kstrim/profiles/kstrim/kubeconfig");
                fs::remove_file(file).expect("a kubeconfig");
            },
            Healed("Ready"),
            All,
        ),
    ]
}
