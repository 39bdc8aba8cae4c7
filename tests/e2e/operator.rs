//! Strimzi's operator on the ground: the real one, or the stand-in for machines without its images
//! (`tests/ground/ground test --operator real`).

use std::fmt::{self, Display};
use std::time::Duration;

/// The operator that the ground uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `tests/ground/operator`: Python programs that replace the cluster, topic and user operator, and the bridge.
    StandIn,
    /// Strimzi's own images.
    Real,
}

/// Where something cannot run.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// An operator.
    Operator(Operator),
    /// Every Kubernetes 1.x above this one.
    KubernetesAbove(u32),
}

/// Tests that only one of the two operators, or only an older Kubernetes can run.
pub struct Exception {
    /// The test, as `cargo test` names it.
    pub test: &'static str,
    /// The part of it.
    pub part: &'static str,
    /// Where it does not run.
    pub not_on: Place,
    /// Why.
    pub because: &'static str,
}

/// All exceptions. Everything else runs on both operators, and on each Kubernetes of the ground.
pub const EXCEPTIONS: [Exception; 4] = [
    Exception {
        test: "class_data::the_jvms_of_the_next_cluster_use_them",
        part: "all of it",
        not_on: Place::Operator(Operator::StandIn),
        because: "its operators have no JVM",
    },
    Exception {
        test: "components::components_come_and_go_without_a_trace",
        part: "exporter",
        not_on: Place::Operator(Operator::Real),
        because: "the Kafka Exporter is in no package registry, so the real Kafka image is built without it",
    },
    Exception {
        test: "from_zookeeper::zookeeper_is_left_without_a_loss",
        part: "all of it",
        not_on: Place::Operator(Operator::StandIn),
        because: "the stand-in runs Kafka 4, which has no ZooKeeper",
    },
    Exception {
        test: "from_older::what_runs_on_0_45_goes_over_two_releases_to_0_51",
        part: "all of it",
        not_on: Place::KubernetesAbove(33),
        because: "Strimzi 0.47 supports Kubernetes up to 1.33 (KSTRIM_GROUND_KUBERNETES=v1.33.6)",
    },
];

impl Operator {
    /// The operator of `ground env`.
    ///
    /// # Panics
    /// Without a ground.
    pub fn of_ground() -> Self {
        match std::env::var("KSTRIM_GROUND_OPERATOR").as_deref() {
            Ok("stand-in") => Self::StandIn,
            Ok("real") => Self::Real,
            other => panic!("KSTRIM_GROUND_OPERATOR is {other:?}: eval \"$(tests/ground/ground env)\""),
        }
    }

    /// A time limit for the stand-in, adapted. The real operators, and every program of the real Kafka image, are
    /// JVMs that start on few and busy CPUs.
    pub fn limit(self, of_stand_in: Duration) -> Duration {
        match self {
            Self::StandIn => of_stand_in,
            Self::Real => of_stand_in * 2,
        }
    }

    /// Why a part of a test does not run here.
    pub fn exception(self, test: &str, part: &str) -> Option<&'static str> {
        let here = |place: Place| match place {
            Place::Operator(operator) => operator == self,
            Place::KubernetesAbove(minor) => kubernetes() > minor,
        };
        let row = EXCEPTIONS.iter().find(|e| e.test == test && e.part == part && here(e.not_on));
        row.map(|e| e.because)
    }
}

/// The minor version of the ground's Kubernetes: 34.
fn kubernetes() -> u32 {
    let arguments = std::env::var("KSTRIM_GROUND_START_ARGS").expect("eval \"$(tests/ground/ground env)\"");
    let version = arguments.split_whitespace().find_map(|a| a.strip_prefix("--kubernetes-version=v1."));
    let minor = version.and_then(|v| v.split('.').next()?.parse().ok());
    minor.unwrap_or_else(|| panic!("no version of Kubernetes in {arguments}"))
}

impl Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StandIn => "stand-in",
            Self::Real => "real",
        })
    }
}

/// Each exception belongs to an existing test that uses it: needs no ground.
#[test]
fn every_exception_is_asked_for_by_its_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    for Exception { test, part, because, .. } in EXCEPTIONS {
        let (module, function) = test.split_once("::").expect("module::test");
        let source = std::fs::read_to_string(folder.join(module).with_extension("rs")).expect("the module");
        assert!(source.contains(&format!("fn {function}()")), "there is no test {test}");
        assert!(source.contains("ground.runs("), "{test} does not ask for its exception");
        assert!(source.contains(&format!("\"{part}\"")), "{test} has no part {part}");
        assert!(!because.is_empty());
    }
}
