//! The cluster operator.

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault,
};
use crate::harness::{Crash, Test};
use crate::support::{disown, kubectl};

fn crash(test: &mut Test, reason: &str, exit: i32, log: &str) {
    let crash = Crash {
        pod: "strimzi-cluster-operator".into(),
        exit,
        reason: reason.into(),
        log: log.into(),
        ..Crash::default()
    };
    test.rescenario(|s| s.crashes.push(crash));
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Kafka};
    use World::{Empty, Fresh, Ready};
    vec![
        fault(
            "operator-image",
            "the operator's image cannot be pulled",
            Fresh,
            |t| t.rescenario(|s| s.missing_images.push("strimzi/operator".into())),
            Named("KS-IMAGE-PULL", 1),
            Kafka,
        ),
        fault(
            "operator-crashes",
            "the operator ends again and again",
            Empty,
            |t| crash(t, "Error", 1, "2026-11-22 20:00:00 ERROR Main:123 - something nobody knows"),
            Named("KS-CRASH-LOOP", 1),
            Kafka,
        ),
        fault(
            "operator-too-old",
            "the operator cannot talk to so new a Kubernetes",
            Empty,
            |t| {
                let log = "Caused by: com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException: Unrecognized field \"emulationMajor\" (class io.fabric8.kubernetes.client.VersionInfo)";
                crash(t, "Error", 1, log);
            },
            Named("KS-OPERATOR-KUBERNETES", 1),
            Kafka,
        ),
        fault(
            "operator-memory",
            "the operator is killed for using too much memory",
            Ready,
            |t| {
                crash(t, "OOMKilled", 137, "");
                kubectl(t, "delete pod -n kafka -l name=strimzi-cluster-operator --wait=false").expect(0);
            },
            Named("KS-OOM-KILLED", 1),
            All,
        ),
        fault(
            "operator-deleted",
            "the operator's Deployment is deleted by hand",
            Ready,
            |t| {
                drop(kubectl(t, "delete deployment strimzi-cluster-operator -n kafka --wait=false").expect(0))
            },
            Healed("the operator is not installed"),
            All,
        ),
        fault(
            "operator-foreign",
            "somebody else's operator is in the namespace",
            Ready,
            |t| disown(t, "deployment", "strimzi-cluster-operator"),
            Named("KS-OPERATOR-FOREIGN", 5),
            All,
        )
        .then(&["up", "--adopt"]),
        fault(
            "operator-elsewhere",
            "another namespace is asked for than the one Strimzi is in",
            Ready,
            |_| {},
            Named("KS-OPERATOR-ELSEWHERE", 5),
            All,
        )
        .by(&["up", "--namespace", "other"]),
        fault(
            "release-older",
            "an older Strimzi is asked for than the installed one",
            Ready,
            |_| {},
            Named("KS-RELEASE-DOWNGRADE", 2),
            All,
        )
        .by(&["up", "--release", "1.1.0"]),
    ]
}
