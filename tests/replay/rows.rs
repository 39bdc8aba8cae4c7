//! Cases that the recordings do not contain, and similar ones that must not match: constructed objects, one
//! evaluation.

use jiff::{SignedDuration, Timestamp};
use kstrim::internals::explain::ready::{self, Readiness};
use kstrim::internals::explain::{self, Answers, Expect, Finding, Judge, Probe, Scene, Scope};
use kstrim::internals::kube::{Object, Snapshot};
use serde_json::{Value, json};

pub const T0: &str = "2026-11-22T20:00:00Z";

pub fn now() -> Timestamp {
    "2026-11-22T20:01:00Z".parse().unwrap()
}

/// A Kafka cluster that is being created, with its node pool and operator, without problems.
pub fn base() -> Vec<Value> {
    vec![
        json!({"kind": "Deployment", "metadata": {"name": "strimzi-cluster-operator", "namespace": "kafka", "generation": 1},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                "conditions": [{"type": "Available", "status": "True", "lastTransitionTime": T0}]}}),
        json!({"kind": "Kafka", "metadata": {"name": "my-cluster", "namespace": "kafka", "generation": 1, "creationTimestamp": T0},
            "spec": {"kafka": {}, "entityOperator": {"topicOperator": {}}},
            "status": {"observedGeneration": 0, "conditions": [{"type": "NotReady", "status": "True", "reason": "Creating", "lastTransitionTime": T0}]}}),
        json!({"kind": "KafkaNodePool", "metadata": {"name": "dual-role", "namespace": "kafka", "generation": 1, "creationTimestamp": T0,
            "labels": {"strimzi.io/cluster": "my-cluster"}}, "spec": {"replicas": 1}, "status": {"observedGeneration": 1, "nodeIds": [0]}}),
    ]
}

fn kafka_says(reason: &str, message: &str) -> Vec<Value> {
    let mut objects = base();
    objects[1]["status"] = json!({"observedGeneration": 1, "conditions": [
        {"type": "NotReady", "status": "True", "reason": reason, "message": message, "lastTransitionTime": "2026-11-22T20:00:05Z"}]});
    objects
}

fn broker(status: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "my-cluster-dual-role-0", "namespace": "kafka", "uid": "p1", "creationTimestamp": T0,
        "labels": {"strimzi.io/cluster": "my-cluster", "strimzi.io/name": "my-cluster-kafka", "strimzi.io/component-type": "kafka"}},
        "status": status})
}

fn with(more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    base().into_iter().chain(more).collect()
}

fn unschedulable(message: &str) -> Vec<Value> {
    with([broker(json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}))])
}

fn container(ready: bool, restarts: u32, state: Value, last: Value) -> Vec<Value> {
    with([broker(
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": if ready {"True"} else {"False"}}],
        "containerStatuses": [{"name": "kafka", "image": "quay.io/x/kafka:1", "ready": ready, "restartCount": restarts, "state": state, "lastState": last}]}),
    )])
}

fn waiting(reason: &str, message: &str) -> Vec<Value> {
    container(false, 0, json!({"waiting": {"reason": reason, "message": message}}), json!({}))
}

pub fn look(objects: Vec<Value>, expect: &Expect, answers: &Answers) -> Vec<Finding> {
    let snapshot = Snapshot::of(objects.into_iter().map(Object::new));
    explain::findings(&Scene { snapshot: &snapshot, expect, answers, now: now() })
}

/// The causes that end a wait if they persist, the deepest first.
fn causes(objects: Vec<Value>) -> Vec<(&'static str, u64)> {
    let found = look(objects, &Expect::kafka("kafka", "my-cluster"), &Answers::new());
    found.iter().filter_map(|f| f.certain_after.map(|after| (f.id.as_str(), after.as_secs()))).collect()
}

#[test]
fn a_starting_cluster_has_no_cause() {
    assert_eq!(causes(base()), []);
    assert_eq!(causes(waiting("ContainerCreating", "")), []);
    assert_eq!(
        causes(container(
            true,
            7,
            json!({"running": {"startedAt": T0}}),
            json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
        )),
        []
    );
    assert_eq!(
        causes(container(
            false,
            1,
            json!({"running": {"startedAt": T0}}),
            json!({"terminated": {"exitCode": 137, "reason": "Error"}})
        )),
        []
    );
    let warning = json!({"kind": "Event", "metadata": {"name": "e", "namespace": "kafka"}, "type": "Warning", "reason": "FailedMount",
        "involvedObject": {"kind": "Pod", "name": "my-cluster-dual-role-0", "uid": "p1"}});
    assert_eq!(causes(with([broker(json!({"phase": "Pending"})), warning])), []);
}

#[test]
fn scheduling() {
    assert_eq!(
        causes(unschedulable("0/1 nodes are available: 1 Insufficient cpu. x")),
        [("KS-POD-UNSCHEDULABLE-CPU", 3)]
    );
    let both = causes(unschedulable("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."));
    assert_eq!(
        both.iter().map(|c| c.0).collect::<Vec<_>>(),
        ["KS-POD-UNSCHEDULABLE-MEMORY", "KS-POD-UNSCHEDULABLE-CPU"]
    );
    // A node that was just started: for two minutes this is not a failure.
    let taint = "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.";
    assert_eq!(causes(unschedulable(taint)), [("KS-NODE-NOT-READY", 120)]);
    assert_eq!(causes(unschedulable(&taint.replace("not-ready", "disk-pressure")))[0].0, "KS-NODE-PRESSURE");
    // Kubernetes 1.34 does not name the taint in the message: the nodes do.
    let some_taint =
        "0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to deallocate";
    let beside = |taints: Value| {
        let node = json!({"kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": taints}, "status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "cni plugin not initialized"}]}});
        causes(unschedulable(some_taint).into_iter().chain([node]).collect())
    };
    let taint = |key: &str| json!([{"key": key, "effect": "NoSchedule"}]);
    assert_eq!(beside(taint("node.kubernetes.io/not-ready")), [("KS-NODE-NOT-READY", 120)]);
    assert_eq!(beside(taint("node.kubernetes.io/disk-pressure")), [("KS-NODE-PRESSURE", 15)]);
    assert_eq!(beside(taint("somebodys.own/taint")), [("KS-POD-UNSCHEDULABLE", 15)]);
    // The taint was removed, and the scheduler has not retried yet.
    assert_eq!(beside(json!([])), [("KS-POD-UNSCHEDULABLE", 120)]);
    let prefers = json!([{"key": "node.kubernetes.io/not-ready", "effect": "PreferNoSchedule"}]);
    assert_eq!(beside(prefers), [("KS-POD-UNSCHEDULABLE", 120)]);
    assert_eq!(
        causes(unschedulable("0/1 nodes are available: 1 node(s) didn't match pod affinity rules."))[0].0,
        "KS-POD-UNSCHEDULABLE"
    );
    // The claim's message has more details than the pod's.
    assert_eq!(
        causes(unschedulable("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")),
        []
    );
}

#[test]
fn containers() {
    assert_eq!(causes(waiting("InvalidImageName", ""))[0].0, "KS-IMAGE-NAME");
    assert_eq!(
        causes(waiting("CreateContainerConfigError", "secret \"x\" not found"))[0].0,
        "KS-CONTAINER-CONFIG"
    );
    let says =
        |m: &str| look(waiting("ErrImagePull", m), &Expect::kafka("kafka", "my-cluster"), &Answers::new());
    for (message, id, words) in [
        ("quay.io/x/kafka:1: not found", "KS-IMAGE-PULL", "does not exist in the registry"),
        ("something else", "KS-IMAGE-PULL", "cannot be pulled"),
        ("unexpected status: 401 UNAUTHORIZED", "KS-REGISTRY-DENIED", "denies access"),
        ("toomanyrequests: You have reached your pull rate limit", "KS-REGISTRY-LIMIT", "rate limit"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "KS-NETWORK-TLS",
            "not trusted",
        ),
        ("dial tcp: lookup quay.io on 10.0.0.1:53: no such host", "KS-NETWORK-DNS", "cannot be resolved"),
        ("dial tcp 1.2.3.4:443: i/o timeout", "KS-NETWORK-REGISTRY", "cannot be reached"),
        (
            "proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused",
            "KS-NETWORK-REGISTRY",
            "cannot be reached",
        ),
    ] {
        let found = says(message);
        assert!(found[0].id.as_str() == id && found[0].sentence.contains(words), "{message}: {found:?}");
        assert!(found[0].hints.len() >= 2, "{found:?}");
    }
    let evicted = with([broker(
        json!({"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage"}),
    )]);
    assert_eq!(causes(evicted)[0].0, "KS-POD-EVICTED");
}

#[test]
fn logs_show_the_cause_of_a_crash() {
    let loop_ = || {
        container(
            false,
            3,
            json!({"waiting": {"reason": "CrashLoopBackOff"}}),
            json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": T0}}),
        )
    };
    let expect = Expect::kafka("kafka", "my-cluster");
    let first = look(loop_(), &expect, &Answers::new());
    assert_eq!(first[0].id.as_str(), "KS-CRASH-LOOP");
    let probe = first[0].probes[0].clone();
    for (log, id) in [
        ("java.io.IOException: No space left on device", "KS-VOLUME-FULL"),
        ("org.apache.kafka.common.config.ConfigException: Invalid value x", "KS-BROKER-CONFIG"),
        ("java.lang.RuntimeException: Invalid cluster.id in: /x. Expected A, but read B", "KS-CLUSTER-ID"),
        ("something else\nERROR why it died", "KS-CRASH-LOOP"),
    ] {
        let found = look(loop_(), &expect, &Answers::from([(probe.clone(), log.to_owned())]));
        assert_eq!(found[0].id.as_str(), id, "{log}");
    }
    let found =
        look(loop_(), &expect, &Answers::from([(probe, "x\nERROR why it died\n\tat y.Z\n".to_owned())]));
    assert!(found[0].sentence.contains("ERROR why it died"), "{found:?}");
    assert_eq!(found[0].failure().causes[1..], ["log: x", "log: ERROR why it died"]);
}

#[test]
fn an_operator_too_old_for_this_kubernetes() {
    let pod = json!({"kind": "Pod", "metadata": {"name": "op-1", "namespace": "kafka", "labels": {"name": "strimzi-cluster-operator"}},
        "status": {"phase": "Running", "containerStatuses": [{"name": "strimzi-cluster-operator", "restartCount": 2, "ready": false,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}]}});
    let expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Operator);
    let probe = look(with([pod.clone()]), &expect, &Answers::new())[0].probes[0].clone();
    let log =
        "Caused by: com.fasterxml...UnrecognizedPropertyException: Unrecognized field \"emulationMajor\""
            .to_owned();
    assert_eq!(
        look(with([pod]), &expect, &Answers::from([(probe, log)]))[0].id.as_str(),
        "KS-OPERATOR-KUBERNETES"
    );
}

#[test]
fn messages_of_the_operator() {
    assert_eq!(
        causes(kafka_says("InvalidResourceException", "spec.kafka.listeners is wrong")),
        [("KS-KAFKA-CONFIG", 1)]
    );
    assert_eq!(
        causes(kafka_says("KubernetesClientException", "Failure executing")),
        [("KS-KAFKA-NOT-READY", 45)]
    );
    assert_eq!(causes(kafka_says("StrimziTimeoutException", "Exceeded timeout")), [("KS-KAFKA-TIMEOUT", 20)]);
    // It was written before the last change, so it describes an earlier state.
    let mut stale = kafka_says("InvalidResourceException", "x");
    stale[2]["metadata"]["creationTimestamp"] = json!("2026-11-22T20:00:30Z");
    assert_eq!(causes(stale), []);
    // After kstrim's own change, according to the API server.
    let mut rewritten = kafka_says("InvalidResourceException", "x");
    rewritten[1]["metadata"]["managedFields"] =
        json!([{"manager": "kstrim", "time": "2026-11-22T20:00:30Z"}]);
    assert_eq!(causes(rewritten), []);
    // Of an earlier generation.
    let mut older = kafka_says("InvalidResourceException", "x");
    older[1]["metadata"]["generation"] = json!(2);
    assert_eq!(causes(older), [("KS-KAFKA-UNOBSERVED", 60)]);
    // A node pool exists now.
    assert_eq!(
        causes(kafka_says(
            "InvalidConfigurationException",
            "No KafkaNodePools found for Kafka cluster my-cluster"
        )),
        []
    );
}

/// A Kafka cluster that was created, and then changed.
fn changed() -> Vec<Value> {
    let mut objects =
        with([broker(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}))]);
    objects[1]["metadata"]["generation"] = json!(2);
    objects[1]["status"] = json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": T0}]});
    objects
}

#[test]
fn a_change_that_is_not_reconciled() {
    assert_eq!(causes(changed()), [("KS-KAFKA-UNOBSERVED", 60)]);
    let expect = Expect::kafka("kafka", "my-cluster");
    let found = look(changed(), &expect, &Answers::new());
    assert_eq!(found[0].recovery, Some(explain::Recovery::RestartOperator));
    // The probe's response: the operator has no permission.
    let no = |p: &Probe| Answers::from([(p.clone(), "no\n".to_owned())]);
    let found = look(changed(), &expect, &no(&found[0].probes[0]));
    assert_eq!(
        (found[0].id.as_str(), found[0].recovery.clone()),
        ("KS-OPERATOR-FORBIDDEN", Some(explain::Recovery::ApplyOperator))
    );
    // A broker is being restarted for it.
    let mut rolling = changed();
    rolling[3]["metadata"]["deletionTimestamp"] = json!(T0);
    assert_eq!(causes(rolling), []);
    // Or the operator is not running, or reconciliation is paused.
    let mut down = changed();
    down[0]["status"] = json!({});
    assert_eq!(causes(down), []);
    let mut seen = changed();
    seen[1]["status"]["observedGeneration"] = json!(2);
    assert_eq!(causes(seen), []);
}

#[test]
fn resources_with_zookeeper() {
    let mut old = kafka_says("InvalidConfigurationException", "ZooKeeper-based clusters are not supported");
    old[1]["spec"]["zookeeper"] = json!({"replicas": 1});
    assert_eq!(causes(old.clone())[0], ("KS-KAFKA-ZOOKEEPER", 1));
    // A release with ZooKeeper accepts it.
    old[1]["status"] = json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(causes(old), []);
    let refusal = |text: &str| {
        let error = kstrim::internals::kube::ApiError::from_stderr(text);
        explain::kubectl::explain(
            &error,
            "apply the Kafka resource",
            "p",
            &Expect::kafka("kafka", "my-cluster"),
        )
        .id
        .as_str()
    };
    let head =
        "Error from server: failed to create typed patch object (kafka/a; kafka.strimzi.io/v1, Kind=Kafka): ";
    assert_eq!(
        refusal(&format!("{head}.spec.zookeeper: field not declared in schema")),
        "KS-KAFKA-ZOOKEEPER"
    );
    assert_eq!(
        refusal(&format!("{head}.spec.kafka.nonsense: field not declared in schema")),
        "KS-RESOURCE-INVALID"
    );
}

#[test]
fn a_late_entity_operator() {
    let pod = |ready: bool, state: Value, created: &str| {
        json!({"kind": "Pod", "metadata": {"name": "my-cluster-entity-operator-1", "namespace": "kafka", "creationTimestamp": created,
            "labels": {"strimzi.io/cluster": "my-cluster", "strimzi.io/component-type": "entity-operator"}},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready {"True"} else {"False"}}],
                "containerStatuses": [{"name": "topic-operator", "ready": ready, "restartCount": 0, "state": state}]}})
    };
    let running = json!({"running": {"startedAt": T0}});
    let late = || with([pod(false, running.clone(), T0)]);
    assert_eq!(causes(late()), [("KS-ENTITY-OPERATOR", 120)]);
    let expect = Expect::kafka("kafka", "my-cluster");
    let probe = look(late(), &expect, &Answers::new())[0].probes[0].clone();
    let answers = Answers::from([(probe, "INFO started\nERROR no broker answers\n".to_owned())]);
    assert!(look(late(), &expect, &answers)[0].sentence.contains("no broker answers"));
    // It has just started; it is ready; it has another problem.
    let young = look(with([pod(false, running.clone(), "2026-11-22T20:00:50Z")]), &expect, &Answers::new());
    assert!(young[0].probes.is_empty(), "{young:?}");
    assert_eq!(causes(with([pod(true, running, T0)])), []);
    let pulling = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    assert_eq!(causes(with([pod(false, pulling, T0)]))[0].0, "KS-IMAGE-PULL");
}

#[test]
fn a_late_broker() {
    let running = |since: &str| json!({"running": {"startedAt": since}});
    let late = || container(false, 0, running(T0), json!({}));
    assert_eq!(causes(late()), [("KS-BROKER-NOT-READY", 290)]);
    let expect = Expect::kafka("kafka", "my-cluster");
    let probe = look(late(), &expect, &Answers::new())[0].probes[0].clone();
    let log = "INFO starting\nERROR no controller answers\n".to_owned();
    let found = look(late(), &expect, &Answers::from([(probe, log)]));
    assert!(found[0].sentence.ends_with("last log lines: ERROR no controller answers"), "{found:?}");
    // It has just started; it is ready; it crashes repeatedly, and is running now; it was never started.
    let young =
        look(container(false, 0, running("2026-11-22T20:00:50Z"), json!({})), &expect, &Answers::new());
    assert!(
        young[0].probes.is_empty() && !young[0].certain_at(now()) && young[0].usual_at(now()),
        "{young:?}"
    );
    assert_eq!(causes(container(true, 0, running(T0), json!({}))), []);
    let ended =
        json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T20:00:40Z"}});
    let again = container(false, 3, running("2026-11-22T20:00:55Z"), ended);
    assert!(causes(again).iter().all(|(id, _)| *id != "KS-BROKER-NOT-READY"));
    assert_eq!(causes(waiting("ContainerCreating", "")), []);
}

#[test]
fn volumes() {
    let claim = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "data-0", "namespace": "kafka", "uid": "c2", "creationTimestamp": "2026-11-22T20:00:05Z",
        "labels": {"strimzi.io/cluster": "my-cluster"}}, "spec": {}, "status": {"phase": "Pending"}});
    let event = |uid: &str, message: &str| {
        json!({"kind": "Event", "metadata": {"name": "e", "namespace": "kafka"}, "type": "Warning",
        "reason": "ProvisioningFailed", "message": message, "involvedObject": {"kind": "PersistentVolumeClaim", "name": "data-0", "uid": uid}})
    };
    assert_eq!(causes(with([claim.clone()])), [("KS-VOLUME-UNBOUND", 90)]);
    assert_eq!(causes(with([claim.clone(), event("c2", "disk is full")])), [("KS-VOLUME-UNBOUND", 30)]);
    let no_class = "no persistent volumes available for this claim and no storage class is set";
    assert_eq!(causes(with([claim.clone(), event("c2", no_class)])), [("KS-STORAGE-CLASS", 3)]);
    // Kubernetes reports this in a Normal event.
    let mut normal = event("c2", no_class);
    (normal["type"], normal["reason"]) = (json!("Normal"), json!("FailedBinding"));
    assert_eq!(causes(with([claim.clone(), normal.clone()])), [("KS-STORAGE-CLASS", 3)]);
    // In a new cluster, the class may be created a little later.
    let node = json!({"kind": "Node", "metadata": {"name": "n", "creationTimestamp": T0}});
    assert_eq!(causes(with([claim.clone(), normal.clone(), node])), [("KS-STORAGE-CLASS", 60)]);
    let node =
        json!({"kind": "Node", "metadata": {"name": "n", "creationTimestamp": "2026-11-22T19:00:00Z"}});
    assert_eq!(causes(with([claim.clone(), normal, node])), [("KS-STORAGE-CLASS", 3)]);
    // Without an event, the storage classes are requested.
    let expect = Expect::kafka("kafka", "my-cluster");
    let probe = look(with([claim.clone()]), &expect, &Answers::new())[0].probes[0].clone();
    let told = |claim: &Value, classes: &str| {
        look(with([claim.clone()]), &expect, &Answers::from([(probe.clone(), classes.to_owned())]))[0]
            .id
            .as_str()
    };
    let named = |class: &str| {
        let mut claim = claim.clone();
        claim["spec"]["storageClassName"] = json!(class);
        claim
    };
    assert_eq!(told(&claim, ""), "KS-STORAGE-CLASS");
    assert_eq!(told(&claim, "slow -\n"), "KS-STORAGE-CLASS");
    assert_eq!(told(&claim, "slow -\nstandard default\n"), "KS-VOLUME-UNBOUND");
    assert_eq!(told(&named("fast"), "standard default\n"), "KS-STORAGE-CLASS");
    assert_eq!(told(&named("standard"), "standard -\n"), "KS-VOLUME-UNBOUND");
    // The event is about an earlier claim of that name.
    assert_eq!(
        causes(with([claim, event("c1", "storageclass.storage.k8s.io \"nope\" not found")])),
        [("KS-VOLUME-UNBOUND", 90)]
    );
}

/// On the real operator the topic operator starts after Cruise Control is ready, which takes two minutes, and is a JVM.
#[test]
fn a_topic_operator_that_starts_late_is_waited_for() {
    let expect =
        Expect { topic: Some("t".into()), ..Expect::kafka("kafka", "my-cluster").scope(Scope::Topic) };
    let topic = json!({"kind": "KafkaTopic", "metadata": {"name": "t", "namespace": "kafka", "generation": 1,
        "creationTimestamp": T0, "labels": {"strimzi.io/cluster": "my-cluster"}}});
    let pod = |part: &str, ready: bool| {
        let state = if ready { "True" } else { "False" };
        json!({"kind": "Pod", "metadata": {"name": format!("my-cluster-{part}"), "namespace": "kafka", "uid": part,
            "creationTimestamp": T0, "labels": {"strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka",
                "strimzi.io/name": format!("my-cluster-{part}"), "strimzi.io/component-type": part}},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": state}], "containerStatuses": [
                {"name": part, "image": "x:1", "ready": ready, "restartCount": 0, "state": {"running": {"startedAt": T0}}}]}})
    };
    let mut judge = Judge::new();
    let answers = Answers::new();
    let mut look = |seconds: i64, pods: Vec<Value>| {
        let objects = container(true, 0, json!({"running": {"startedAt": T0}}), json!({}));
        let snapshot = Snapshot::of(objects.into_iter().chain(pods).chain([topic.clone()]).map(Object::new));
        let now = now() + SignedDuration::from_secs(seconds);
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now };
        let verdict = judge.look(&scene);
        let why = match ready::kafka(&scene, &verdict) {
            Readiness::Progressing { why } => why,
            other => format!("{other:?}"),
        };
        (why, verdict.terminal.map(|f| f.id.as_str()))
    };
    let waits = "Kafka: waiting for Cruise Control (starting)";
    for seconds in [0, 60, 120] {
        let (why, terminal) = look(seconds, vec![pod("cruise-control", false)]);
        assert_eq!((why.as_str(), terminal), (waits, None), "{seconds}");
    }
    for seconds in [121, 160] {
        let starting = vec![pod("cruise-control", true), pod("entity-operator", false)];
        assert_eq!(look(seconds, starting).1, None, "{seconds}");
    }
    // From here on nothing explains the delay, but it has half a minute.
    let there = || vec![pod("cruise-control", true), pod("entity-operator", true)];
    assert_eq!(look(161, there()).1, None);
    assert_eq!(look(180, there()).1, None);
    assert_eq!(look(195, there()).1, Some("KS-TOPIC-UNSERVED"));
}

#[test]
fn topics_users_and_namespaces() {
    let topic = |status: Value| {
        json!({"kind": "KafkaTopic", "metadata": {"name": "t", "namespace": "kafka", "generation": 1, "creationTimestamp": T0,
        "labels": {"strimzi.io/cluster": "my-cluster"}}, "status": status})
    };
    let expect =
        Expect { topic: Some("t".into()), ..Expect::kafka("kafka", "my-cluster").scope(Scope::Topic) };
    let ids =
        |objects| look(objects, &expect, &Answers::new()).iter().map(|f| f.id.as_str()).collect::<Vec<_>>();
    // No operator has reconciled it. None can before the topic operator runs, which starts after the brokers.
    assert_eq!(ids(with([topic(json!({}))])), [""; 0]);
    let ready = |objects: Vec<Value>| {
        let mut objects = objects;
        objects[1]["status"] = json!({"observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": T0}]});
        objects
    };
    assert_eq!(ids(ready(with([topic(json!({}))]))), ["KS-TOPIC-UNSERVED"]);
    let failed = json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "False", "reason": "KafkaError", "message": "PolicyViolation", "lastTransitionTime": T0}]});
    assert_eq!(ids(with([topic(failed.clone())])), ["KS-TOPIC-REFUSED"]);
    // Not a rejection: the brokers were not running when it sent the request, or were unknown for a moment.
    for message in [
        "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment.",
        "org.apache.kafka.common.errors.InvalidReplicationFactorException: Unable to replicate the partition 1 \
         time(s): All brokers are currently fenced.",
    ] {
        let mut unanswered = failed.clone();
        unanswered["conditions"][0]["message"] = json!(message);
        let found = look(ready(with([topic(unanswered)])), &expect, &Answers::new());
        let first = (found[0].id.as_str(), found[0].certain_after.map(|a| a.as_secs()));
        assert_eq!(first, ("KS-TOPIC-UNSERVED", Some(30)), "{message}");
    }
    let user = json!({"kind": "KafkaUser", "metadata": {"name": "u", "namespace": "kafka", "generation": 1, "labels": {"strimzi.io/cluster": "my-cluster"}},
        "status": {"observedGeneration": 1, "conditions": [{"type": "NotReady", "status": "True", "reason": "ExecutionException", "message": "Simple authorization ACL rules"}]}});
    assert_eq!(ids(with([user])), ["KS-USER-REFUSED"]);
    let namespace = json!({"kind": "Namespace", "metadata": {"name": "kafka"}, "status": {"phase": "Terminating", "conditions": [
        {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "Some content in the namespace has finalizers remaining: kubernetes.io/pvc-protection in 1 resource instances"}]}});
    assert_eq!(causes(with([namespace])), [("KS-NAMESPACE-TERMINATING", 3)]);
}

#[test]
fn users_that_no_operator_watches() {
    let user = |label: Option<&str>, status: Value| {
        let labels = label.map_or(json!({}), |label| json!({"strimzi.io/cluster": label}));
        let metadata = json!({"name": "u", "namespace": "kafka", "creationTimestamp": T0, "labels": labels});
        json!({"kind": "KafkaUser", "metadata": metadata, "status": status})
    };
    let expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Everything);
    let ids = |objects: Vec<Value>| {
        let found = look(objects, &expect, &Answers::new());
        found.into_iter().filter(|f| f.subject == "user/u").map(|f| f.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(ids(with([user(None, json!({}))])), ["KS-USER-LABEL"]);
    assert_eq!(ids(with([user(Some("gone"), json!({}))])), ["KS-USER-LABEL"]);
    // The Kafka cluster of these cases has only a topic operator.
    assert_eq!(ids(with([user(Some("my-cluster"), json!({}))])), ["KS-USER-UNSERVED"]);
    let other =
        json!({"kind": "Kafka", "metadata": {"name": "other", "namespace": "kafka"}, "spec": {"kafka": {}}});
    assert_eq!(ids(with([user(Some("other"), json!({})), other])), [""; 0], "that one's to serve");
    // Strimzi's user operator can run alone, and then selects by other labels.
    let served = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(ids(with([user(None, served)])), [""; 0]);
}

#[test]
fn an_entity_operator_that_is_scaled_to_0() {
    let deployment = |name: &str, replicas: u8| {
        json!({"kind": "Deployment", "metadata": {"name": name, "namespace": "kafka", "creationTimestamp": T0},
            "spec": {"replicas": replicas}})
    };
    let stopped =
        |objects: Vec<Value>| causes(objects).iter().any(|(id, _)| *id == "KS-ENTITY-OPERATOR-STOPPED");
    assert!(stopped(with([deployment("my-cluster-entity-operator", 0)])));
    assert!(!stopped(with([deployment("my-cluster-entity-operator", 1)])));
    assert!(!stopped(with([deployment("other-entity-operator", 0)])));
    let mut without = with([deployment("my-cluster-entity-operator", 0)]);
    without[1]["spec"].as_object_mut().unwrap().remove("entityOperator");
    assert!(!stopped(without), "left of an earlier specification");
}

#[test]
fn a_finding_must_persist_and_the_deepest_is_reported() {
    let objects = unschedulable("0/1 nodes are available: 1 Insufficient memory.");
    let snapshot = Snapshot::of(objects.into_iter().map(Object::new));
    let expect = Expect::kafka("kafka", "my-cluster");
    let answers = Answers::new();
    let mut judge = Judge::new();
    let mut at = |seconds| {
        let scene = Scene {
            snapshot: &snapshot,
            expect: &expect,
            answers: &answers,
            now: now() + SignedDuration::from_secs(seconds),
        };
        let verdict = judge.look(&scene);
        ready::kafka(&scene, &verdict)
    };
    assert!(matches!(at(0), Readiness::Progressing { .. }));
    assert!(matches!(at(2), Readiness::Progressing { .. }));
    assert!(matches!(at(3), Readiness::Failed(f) if f.id.as_str() == "KS-POD-UNSCHEDULABLE-MEMORY"));
}

#[test]
fn a_timeout_reports_only_what_is_known() {
    let expect = Expect::kafka("kafka", "my-cluster");
    let say = |objects: Vec<Value>| {
        let snapshot = Snapshot::of(objects.into_iter().map(Object::new));
        let answers = Answers::new();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: now() };
        explain::timed_out(&scene, "Kafka my-cluster", std::time::Duration::from_secs(300))
    };
    let unknown = say(waiting("ContainerCreating", ""));
    assert_eq!(unknown.id.as_str(), "KS-UNKNOWN");
    assert!(
        unknown.causes.iter().any(|c| c.contains("pods/my-cluster-dual-role-0: container being created")),
        "{unknown:?}"
    );
    let known = say(kafka_says("StrimziTimeoutException", "Exceeded timeout"));
    assert_eq!(
        (known.id.as_str(), known.kind),
        ("KS-KAFKA-TIMEOUT", kstrim::internals::failure::Kind::Timeout)
    );
}

#[test]
fn a_pull_in_progress_is_reported() {
    let pulling = json!({"kind": "Event", "metadata": {"name": "e", "namespace": "kafka"}, "reason": "Pulling", "lastTimestamp": T0,
        "involvedObject": {"kind": "Pod", "name": "my-cluster-dual-role-0", "uid": "p1"}});
    let objects: Vec<Value> = waiting("ContainerCreating", "").into_iter().chain([pulling]).collect();
    let snapshot = Snapshot::of(objects.into_iter().map(Object::new));
    let (expect, answers) = (Expect::kafka("kafka", "my-cluster"), Answers::new());
    let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: now() };
    let Readiness::Progressing { why } = ready::kafka(&scene, &explain::Verdict::default()) else {
        panic!("ready")
    };
    assert_eq!(why, "broker my-cluster-dual-role-0: pulling image");
}

#[test]
fn crds_are_established_when_they_accept_resources() {
    let names = ["kafkas.kafka.strimzi.io"];
    let crd = |conditions: Value, deleting: bool| {
        let mut crd = json!({"kind": "CustomResourceDefinition", "metadata": {"name": names[0]},
            "spec": {"versions": [{"name": "v1beta2", "served": true}, {"name": "v1", "served": false}]}, "status": {"conditions": conditions}});
        if deleting {
            crd["metadata"]["deletionTimestamp"] = json!(T0);
        }
        Snapshot::of([Object::new(crd)])
    };
    let yes = json!([{"type": "Established", "status": "True"}]);
    let is = |snapshot: Snapshot, version| ready::crds_established(&snapshot, &names, version).is_ready();
    assert!(!is(Snapshot::default(), None) && !is(crd(json!(null), false), None));
    assert!(is(crd(yes.clone(), false), Some("v1beta2")) && !is(crd(yes.clone(), false), Some("v1")));
    assert!(!is(crd(yes, true), None));
}

#[test]
fn a_probe_is_a_command_to_paste() {
    let probe = Probe::PodLog {
        namespace: "kafka".into(),
        pod: "p".into(),
        container: "kafka".into(),
        previous: true,
        restarts: 1,
    };
    assert_eq!(probe.to_string(), "logs p -n kafka -c kafka --previous --tail=500");
}
