//! Recordings of a real cluster, passed to the store event by event; at every event, and twice a second in between,
//! the rules and predicates are evaluated at the recording's time.
//!
//! The recordings are in `tests/recordings`.

mod driver;
mod held_rows;
mod lock_rows;
mod rows;

use driver::{Case, Run};
use kstrim::internals::explain::{Expect, Probe, Scope};

fn kafka() -> Expect {
    Expect::kafka("kafka", "my-cluster")
}

/// The operator has the permissions, and there is no log.
fn permitted(probe: &Probe, _t: f64) -> Option<String> {
    matches!(probe, Probe::AuthCanI { .. }).then(|| "yes\n".to_owned())
}

fn run(recording: &'static str) -> Run {
    Case::new(recording, kafka()).run()
}

#[test]
fn a_successful_run_never_has_a_failure() {
    for (recording, ready) in [("01-happy-persistent", 70.07), ("02-happy-ephemeral", 69.41)] {
        let run = run(recording);
        run.never_fails(0.0, 100.0);
        run.becomes_ready(ready);
    }
    Case::new("01-happy-persistent", kafka().scope(Scope::Teardown)).run().never_fails(0.0, 200.0);
    // In 02 a CRD is stuck that is not needed: this does not matter for a Kafka cluster, but for a teardown.
    Case::new("02-happy-ephemeral", kafka().scope(Scope::Teardown)).run().fails_with(
        "KS-CRD-STUCK",
        18.0,
        69.0,
    );
    for recording in ["15-broker-crash", "17-rolling-update", "19-smoke-edge", "29-kubectl-errors"] {
        run(recording).never_fails(0.0, 1000.0);
    }
    run("16-scale").never_fails(0.0, 1000.0);
}

#[test]
fn the_live_list_shows_what_is_waited_for() {
    let whys = run("01-happy-persistent").whys(70.0);
    assert_eq!(
        whys,
        [
            "Kafka: does not exist yet",
            "operator: being initialized",
            "operator: starting",
            "node pool dual-role: waiting for the operator to reconcile it",
            "brokers: waiting for the operator to create them",
            "broker my-cluster-dual-role-0: waiting to be scheduled",
            "broker my-cluster-dual-role-0: being initialized",
            "broker my-cluster-dual-role-0: container being created",
            "broker my-cluster-dual-role-0: starting",
            "Kafka: waiting for the entity operator",
            "Kafka: waiting for the entity operator (waiting to be scheduled)",
            "Kafka: waiting for the entity operator (being initialized)",
            "Kafka: waiting for the entity operator (container being created)",
            "Kafka: waiting for the entity operator (starting)",
            "Kafka: waiting for the operator to report its status",
        ]
    );
}

#[test]
fn brokers_are_ready_before_the_kafka_resource_is() {
    let run =
        Case::new("01-happy-persistent", kafka()).asking(kstrim::internals::explain::ready::brokers).run();
    run.becomes_ready(45.89);
    let operator = Case::new("01-happy-persistent", kafka().scope(Scope::Operator))
        .asking(kstrim::internals::explain::ready::operator)
        .run();
    operator.becomes_ready(37.70);
    operator.never_fails(0.0, 100.0);
}

#[test]
fn unsupported_version() {
    let run = run("03-unsupported-kafka-version");
    run.never_fails(0.0, 4.1);
    run.fails_with("KS-KAFKA-VERSION", 5.7, 15.3);
    run.never_fails(15.34, 100.0);
    run.becomes_ready(70.10);
    let finding = run.finding_at(10.0);
    assert!(finding.sentence.contains("3.9.0"), "{finding:?}");
    assert!(finding.hints.iter().any(|h| h.contains("4.2.0, 4.2.1, 4.3.0, 4.3.1")), "{finding:?}");
}

#[test]
fn replication_factor() {
    let run = run("04-replication-factor-too-high");
    run.never_fails(0.0, 4.2);
    // The second and third corrections follow within seconds: only the last state counts.
    run.never_fails(6.42, 100.0);
    run.becomes_ready(54.61);
    let paced = Case::new("04-replication-factor-too-high", kafka()).stop_at(4.5).linger(3.0).run();
    paced.fails_with("KS-REPLICATION-FACTOR", 5.9, 7.4);
    assert!(paced.finding_at(7.0).sentence.contains("'default.replication.factor'"));
}

#[test]
fn no_node_pool_and_its_stale_verdict() {
    let run = run("05-no-node-pool");
    run.never_fails(0.0, 4.5);
    run.fails_with("KS-NO-NODE-POOL", 5.7, 26.5);
    assert!(
        run.finding_at(20.0).hints.iter().any(|h| h.contains("dual-role has mycluster")),
        "{:?}",
        run.finding_at(20.0)
    );
    // For 52 s the old status remains at the current generation while the cluster starts.
    run.never_fails(26.57, 100.0);
    run.becomes_ready(78.37);
}

#[test]
fn unschedulable_for_memory() {
    let run = run("06-insufficient-memory");
    run.never_fails(0.0, 10.8);
    // Also after 308 s, when the operator reports StrimziTimeoutException and FatalProblem.
    run.fails_with("KS-POD-UNSCHEDULABLE-MEMORY", 11.5, 320.0);
}

#[test]
fn recreated_under_the_lock() {
    let case = || Case::new("06b-recreate-blocked", kafka()).answers(permitted).linger(60.0);
    let run = case().operator_log().run();
    run.never_fails(0.0, 12.0);
    run.fails_with("KS-OPERATOR-LOCK", 13.5, 60.0);
    assert!(run.finding_at(20.0).evidence.contains("reconciliation #1 "), "{:?}", run.finding_at(20.0));
    // Its log cannot be read: a slow operator may need that long.
    let unread = case().run();
    unread.never_fails(0.0, 32.0);
    unread.fails_with("KS-OPERATOR-LOCK", 33.5, 60.0);
    // No probe gets a response: it is only known that the operator writes no status.
    let silent = Case::new("06b-recreate-blocked", kafka()).linger(90.0).run();
    silent.never_fails(0.0, 60.0);
    silent.fails_with("KS-OPERATOR-SILENT", 63.0, 80.0);
}

#[test]
fn broker_image() {
    let run = Case::new("07-image-pull-failure", kafka()).changed(47.0).operator_log().run();
    run.never_fails(0.0, 28.0);
    run.fails_with("KS-NETWORK-DNS", 29.3, 46.9);
    assert!(run.finding_at(40.0).sentence.contains("name cannot be resolved"), "{:?}", run.finding_at(40.0));
    run.fails_with("KS-OPERATOR-LOCK", 60.0, 309.0);
    run.never_fails(310.6, 400.0);
    run.becomes_ready(361.0);
    // Without a correction the finding remains, whatever the status says.
    let left = Case::new("07-image-pull-failure", kafka()).stop_at(46.0).linger(30.0).run();
    left.fails_with("KS-NETWORK-DNS", 29.3, 75.0);
}

#[test]
fn operator_image() {
    for (scope, ask) in [
        (Scope::Operator, kstrim::internals::explain::ready::operator as driver::Ask),
        (Scope::Kafka, kstrim::internals::explain::ready::kafka),
    ] {
        let run = Case::new("07b-operator-image-pull-failure", kafka().scope(scope)).asking(ask).run();
        run.never_fails(0.0, 25.0);
        run.fails_with("KS-NETWORK-DNS", 26.1, 48.4);
        assert!(run.finding_at(30.0).sentence.starts_with("operator pod"), "{:?}", run.finding_at(30.0));
        // The old pod continues to fail for half a minute while the new one exists.
        run.never_fails(48.7, 81.3);
        if scope == Scope::Operator {
            run.becomes_ready(80.77);
        }
    }
}

#[test]
fn storage_class() {
    let run = Case::new("08-pvc-pending", kafka()).answers(permitted).operator_log().run();
    run.never_fails(0.0, 6.6);
    run.fails_with("KS-STORAGE-CLASS", 7.3, 31.0);
    assert!(run.finding_at(20.0).sentence.contains("\"nope\""));
    run.fails_with("KS-OPERATOR-LOCK", 59.0, 93.0);
    run.never_fails(93.2, 170.0);
    run.becomes_ready(159.4);
}

/// The log of the recording's broker, as `kubectl logs` printed it.
fn cluster_id_log(probe: &Probe, t: f64) -> Option<String> {
    match probe {
        Probe::AuthCanI { .. } => Some("yes".to_owned()),
        Probe::PodLog { .. } if t > 170.0 => {
            Some(driver::stdout_of("09-stale-pvc-cluster-id", "\"--tail=40\""))
        }
        _ => None,
    }
}

#[test]
fn stale_cluster_id() {
    let run = Case::new("09-stale-pvc-cluster-id", kafka()).answers(cluster_id_log).run();
    run.never_fails(0.0, 68.0);
    run.becomes_ready(55.08);
    run.fails_with("KS-OPERATOR-LOCK", 91.0, 146.4);
    run.never_fails(146.7, 176.4);
    let (t, id) = run.first_failure(150.0);
    assert!(id == "KS-CLUSTER-ID" && t < 177.2, "at the first end, 176.5: {id} at {t}");
    run.fails_with("KS-CLUSTER-ID", 185.5, 188.0);
    run.fails_with("KS-CLUSTER-ID", 188.5, 197.0);
    assert!(run.finding_at(186.0).sentence.contains("3YjifmAATzCdc2kdOSRodg"), "{:?}", run.finding_at(186.0));
    assert!(run.suspects_at(170.0).contains(&"KS-CLUSTER-ID".to_owned()), "foretold by the claim's age");
}

#[test]
fn crash_loop_without_a_log() {
    let run = Case::new("09-stale-pvc-cluster-id", kafka()).answers(permitted).run();
    run.never_fails(146.7, 188.0);
    let (t, id) = run.first_failure(150.0);
    assert_eq!(id, "KS-CRASH-LOOP");
    assert!(t < 220.0, "named at {t}");
}

fn forbidden(probe: &Probe, t: f64) -> Option<String> {
    let answer = if t < 81.4 { "no\n" } else { "yes\n" };
    matches!(probe, Probe::AuthCanI { .. }).then(|| answer.to_owned())
}

/// The same responses, and the binding as it was recorded.
fn bound(probe: &Probe, t: f64) -> Option<String> {
    let Probe::Bindings { .. } = probe else { return forbidden(probe, t) };
    let binding = driver::stdout_of("10-operator-forbidden", "\"rolebinding\"");
    let binding: serde_json::Value = serde_json::from_str(&binding).expect("JSON");
    Some(kstrim::internals::explain::subjects(&serde_json::json!({"items": [binding]})))
}

#[test]
fn operator_bound_elsewhere() {
    let run = Case::new("10-operator-forbidden", kafka()).answers(bound).run();
    run.never_fails(0.0, 36.0);
    run.fails_with("KS-OPERATOR-BINDING", 39.5, 81.0);
    assert!(run.finding_at(60.0).sentence.contains("are for myproject"), "{:?}", run.finding_at(60.0));
    run.never_fails(93.95, 170.0);
}

#[test]
fn operator_forbidden() {
    let run = Case::new("10-operator-forbidden", kafka()).answers(forbidden).run();
    run.never_fails(0.0, 36.0);
    run.fails_with("KS-OPERATOR-FORBIDDEN", 38.0, 81.0);
    run.never_fails(93.95, 170.0);
    run.becomes_ready(162.4);
}

#[test]
fn namespace_stuck() {
    let run = Case::new("11-namespace-stuck", kafka().scope(Scope::Teardown)).run();
    run.never_fails(0.0, 61.0);
    run.fails_with("KS-TOPIC-FINALIZER", 77.6, 91.9);
    run.never_fails(92.1, 200.0);
    let (t, _) = run.first_failure(0.0);
    assert!(t < 77.6, "before the namespace's own condition settles, at {t}");
}

#[test]
fn install_deleted_first() {
    let run = Case::new("11b-install-deleted-first", kafka().scope(Scope::Teardown)).run();
    let (t, id) = run.first_failure(0.0);
    assert_eq!(id, "KS-TOPIC-FINALIZER", "at {t}");
    assert!(run.suspects_at(70.0).contains(&"KS-CRD-STUCK".to_owned()));
    run.never_fails(82.5, 200.0);
}

fn topic(name: &str) -> Run {
    let expect = Expect { topic: Some(name.to_owned()), ..kafka().scope(Scope::Topic) };
    Case::new("12-topic-failure", expect).asking(kstrim::internals::explain::ready::topic).run()
}

#[test]
fn topics() {
    let rf = topic("topic-rf3");
    rf.never_fails(0.0, 2.3);
    rf.fails_with("KS-TOPIC-REPLICATION", 3.9, 60.4);
    rf.never_fails(60.42, 60.8);
    rf.becomes_ready(60.63);
    topic("topic-no-label").fails_with("KS-TOPIC-LABEL", 40.4, 60.8);
    topic("topic-other-cluster").fails_with("KS-TOPIC-LABEL", 40.6, 60.8);
    let shrink = topic("topic-shrink");
    shrink.becomes_ready(38.81);
    shrink.never_fails(0.0, 40.8);
    shrink.fails_with("KS-TOPIC-CHANGE", 41.5, 60.8);
    topic("my-topic").never_fails(0.0, 60.8);
}

/// Strimzi's example user has rules, and its example Kafka cluster has no authorization; two other users are ready.
#[test]
fn the_example_user_is_refused() {
    let run = Case::new("01-happy-persistent", kafka().scope(Scope::Everything)).run();
    let refused = |t| run.suspects_at(t).iter().filter(|id| *id == "KS-USER-REFUSED").count();
    assert_eq!((refused(74.2), refused(74.5), refused(99.0)), (0, 1, 1));
    run.never_fails(0.0, 100.0);
}

#[test]
fn out_of_memory() {
    let run = run("18-oomkilled");
    run.never_fails(0.0, 11.9);
    run.fails_with("KS-OOM-KILLED", 12.5, 13.0);
    let (t, id) = run.first_failure(0.0);
    assert!(id == "KS-OOM-KILLED" && t < 12.6, "{id} at {t}");
}

#[test]
fn crash_and_deletion_are_detected_although_the_kafka_resource_is_ready() {
    let run = run("15-broker-crash");
    run.is_ready(1.8, 3.1);
    run.not_ready(3.2, 25.3);
    run.not_ready(25.6, 50.4);
    run.is_ready(50.5, 60.0);
}

#[test]
fn a_change_is_ready_when_it_is_applied() {
    let run = run("17-rolling-update");
    run.not_ready(1.6, 3.7);
    run.not_ready(4.0, 45.5);
    run.is_ready(45.56, 46.1);
    let paused = Case::new("20-pause-reconciliation", kafka()).run();
    paused.becomes_ready(54.18);
    paused.not_ready(56.6, 104.4);
    paused.not_ready(104.95, 135.7);
    paused.fails_with("KS-KAFKA-PAUSED", 58.5, 68.3);
    paused.never_fails(68.4, 140.0);
}

#[test]
fn scaling_waits_for_pool_and_pods() {
    let run = run("16-scale");
    run.becomes_ready(60.2);
    run.not_ready(60.45, 105.0);
    run.not_ready(111.0, 135.0);
    run.not_ready(135.4, 184.5);
}
