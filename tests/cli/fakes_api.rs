//! The stand-ins as the API server of Kubernetes 1.34: preconditions, discovery, owners, namespaces, and the harm
//! that Strimzi's operators do to existing objects. Messages are those of `k8s.io/apiserver` and `k8s.io/kubectl`
//! 0.34.4.

use serde_json::{Value, json};

use crate::fakes_faithful::running;
use crate::harness::{Metrics, Run, Test};
use crate::support;

/// kubectl with arguments that contain spaces, and with input on stdin.
fn kubectl_with(test: &Test, args: &str, stdin: &Value) -> Run {
    let mut words = support::target(test);
    words.extend(args.split_whitespace().map(str::to_owned));
    test.fake_with("kubectl", words, &stdin.to_string())
}

fn kubectl(test: &Test, args: &str) -> Run {
    kubectl_with(test, args, &Value::Null)
}

fn get(test: &Test, path: &str) -> Value {
    kubectl(test, &format!("get --raw {path}")).expect(0).json()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

fn post(test: &Test, path: &str, object: &Value) -> Value {
    kubectl_with(test, &format!("create --raw {path} -f -"), object).expect(0).json()
}

fn delete(test: &Test, path: &str, preconditions: &Value, policy: &str) -> Run {
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions,
        "propagationPolicy": policy});
    kubectl_with(test, &format!("delete --raw {path} -f -"), &options)
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().expect("a resource version")
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().expect("a uid")
}

#[test]
fn the_response_to_a_post_is_the_stored_object() {
    let test = running();
    let made = post(&test, MAPS, &map("one", "1"));
    assert_eq!((&made["kind"], &made["metadata"]["namespace"]), (&json!("ConfigMap"), &json!("default")));
    assert_eq!(get(&test, &format!("{MAPS}/one")), made);
    let again = kubectl_with(&test, &format!("create --raw {MAPS} -f -"), &map("one", "2")).expect(1);
    assert_eq!(again.stderr.trim(), "Error from server (AlreadyExists): configmaps \"one\" already exists");
    let elsewhere = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "kube-system"}});
    let run = kubectl_with(&test, &format!("create --raw {MAPS} -f -"), &elsewhere).expect(1);
    assert!(run.stderr.contains("does not match the namespace sent on the request"), "{}", run.stderr);
    let run =
        kubectl_with(&test, "create --raw /api/v1/namespaces/none/configmaps -f -", &map("x", "")).expect(1);
    assert_eq!(run.stderr.trim(), "Error from server (NotFound): namespaces \"none\" not found");
}

#[test]
fn a_put_is_rejected_if_the_object_was_replaced_or_changed() {
    let test = running();
    let first = post(&test, MAPS, &map("one", "1"));
    let put = |object: &Value| kubectl_with(&test, &format!("replace --raw {MAPS}/one -f -"), object);
    let mut changed = first.clone();
    changed["data"]["key"] = json!("2");
    let second = put(&changed).expect(0).json();
    assert_ne!(version(&first), version(&second));
    assert_eq!((uid(&first), &second["data"]["key"]), (uid(&second), &json!("2")));
    let run = put(&changed).expect(1);
    assert_eq!(
        run.stderr.trim(),
        "Error from server (Conflict): Operation cannot be fulfilled on configmaps \"one\": the object has been \
         modified; please apply your changes to the latest version and try again"
    );
    // Without a version it is written unconditionally, as with most kinds.
    put(&map("one", "3")).expect(0);
    let mut other = map("one", "4");
    other["metadata"]["uid"] = json!("another");
    let run = put(&other).expect(1);
    assert!(
        run.stderr
            .starts_with("Error from server (Conflict): Operation cannot be fulfilled on configmaps \"one\"")
            && run
                .stderr
                .contains(&format!("UID in precondition: another, UID in object meta: {}", uid(&first))),
        "{}",
        run.stderr
    );
    let run = kubectl_with(&test, &format!("replace --raw {MAPS}/two -f -"), &map("two", "")).expect(1);
    assert_eq!(run.stderr.trim(), "Error from server (NotFound): configmaps \"two\" not found");
}

#[test]
fn only_one_of_two_takes_over_a_lease() {
    let test = running();
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let time = "2026-11-28T18:39:00.123456Z";
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kstrim"},
        "spec": {"holderIdentity": "a", "acquireTime": time, "leaseDurationSeconds": 30}});
    let made = post(&test, leases, &lease);
    assert_eq!(made["spec"]["acquireTime"], time);
    assert_eq!(made["metadata"]["generation"], Value::Null);
    let put = |holder: &str, base: &Value| {
        let mut lease = base.clone();
        lease["spec"]["holderIdentity"] = json!(holder);
        kubectl_with(&test, &format!("replace --raw {leases}/kstrim -f -"), &lease)
    };
    let taken = put("b", &made).expect(0).json();
    assert_eq!(taken["spec"]["holderIdentity"], "b");
    let run = put("c", &made).expect(1);
    assert!(
        run.stderr.contains("(Conflict): Operation cannot be fulfilled on leases.coordination.k8s.io"),
        "{}",
        run.stderr
    );
    // A lease is never written without the version that the update is based on.
    let run = put("c", &lease).expect(1);
    assert!(run.stderr.contains("metadata.resourceVersion: Invalid value: 0"), "{}", run.stderr);
    // A lease that is gone is not re-created by a PUT with the uid of the old one, ...
    delete(&test, &format!("{leases}/kstrim"), &json!({"uid": uid(&taken)}), "Background").expect(0);
    let run = put("c", &taken).expect(1);
    assert!(run.stderr.contains("Precondition failed: UID in precondition"), "{}", run.stderr);
    // ... but by a PUT without one.
    put("c", &lease).expect(0);
}

#[test]
fn a_deletion_has_preconditions() {
    let test = running();
    let first = post(&test, MAPS, &map("one", "1"));
    let path = format!("{MAPS}/one");
    let run = delete(&test, &path, &json!({"uid": "another"}), "Background").expect(1);
    assert_eq!(
        run.stderr.trim(),
        format!(
            "Error from server (Conflict): Operation cannot be fulfilled on ConfigMap \"one\": the UID in the \
             precondition (another) does not match the UID in record ({}). The object might have been deleted and \
             then recreated",
            uid(&first)
        )
    );
    kubectl(&test, "label configmap one -n default a=b").expect(0);
    let both = json!({"uid": uid(&first), "resourceVersion": version(&first)});
    let run = delete(&test, &path, &both, "Background").expect(1);
    assert!(run.stderr.contains("The object might have been modified"), "{}", run.stderr);
    let now = get(&test, &path);
    let both = json!({"uid": uid(&now), "resourceVersion": version(&now)});
    let status = delete(&test, &path, &both, "Background").expect(0).json();
    assert_eq!((&status["kind"], &status["status"]), (&json!("Status"), &json!("Success")));
    assert_eq!(status["details"]["uid"], first["metadata"]["uid"]);
    let run = delete(&test, &path, &both, "Background").expect(1);
    assert_eq!(run.stderr.trim(), "Error from server (NotFound): configmaps \"one\" not found");
    // When re-created it has another uid, and the old precondition fails.
    let second = post(&test, MAPS, &map("one", "1"));
    assert_ne!(uid(&first), uid(&second));
    delete(&test, &path, &json!({"uid": uid(&first)}), "Background").expect(1);
    // Namespaces have a check of their own.
    let run = delete(&test, "/api/v1/namespaces/default", &json!({"uid": "x"}), "Background").expect(1);
    let begin = "Error from server (Conflict): Operation cannot be fulfilled on namespaces \"default\": Precondition \
        failed: UID in precondition: x, UID in object meta: ";
    assert!(run.stderr.starts_with(begin), "{}", run.stderr);
    assert!(!uid(&get(&test, "/api/v1/namespaces/kube-system")).is_empty());
}

#[test]
fn patches_and_applies_have_preconditions() {
    let test = running();
    let first = post(&test, MAPS, &map("one", "1"));
    let patch = |kind: &str, patch: &Value| {
        kubectl(&test, &format!("patch configmap one -n default --type={kind} -p {patch}"))
    };
    let at = |version: &str, uid: &str| json!({"metadata": {"resourceVersion": version, "uid": uid}, "data": {"key": "2"}});
    patch("merge", &at(version(&first), uid(&first))).expect(0);
    let run = patch("merge", &at(version(&first), uid(&first))).expect(1);
    assert!(
        run.stderr.starts_with("Error from server (Conflict): Operation cannot be fulfilled"),
        "{}",
        run.stderr
    );
    let now = get(&test, &format!("{MAPS}/one"));
    let run = patch("merge", &at(version(&now), "another")).expect(1);
    assert_eq!(
        run.stderr.trim(),
        "The ConfigMap \"one\" is invalid: metadata.uid: Invalid value: \"another\": field is immutable"
    );
    let steps = |value: &str| {
        json!([{"op": "test", "path": "/data/key", "value": value},
            {"op": "replace", "path": "/data/key", "value": "3"}, {"op": "add", "path": "/data/more", "value": "x"}])
    };
    patch("json", &steps("2")).expect(0);
    let run = patch("json", &steps("2")).expect(1);
    assert_eq!(
        run.stderr.trim(),
        "The request is invalid: the server rejected our request due to an error in our request"
    );
    assert_eq!(get(&test, &format!("{MAPS}/one"))["data"], json!({"key": "3", "more": "x"}));

    let apply = |object: &Value| {
        kubectl_with(&test, "apply --server-side --field-manager=kstrim -n default -f -", object)
    };
    let mut stale = map("one", "4");
    stale["metadata"]["resourceVersion"] = json!(version(&first));
    let run = apply(&stale).expect(1);
    assert!(
        run.stderr.starts_with(
            "error: Operation cannot be fulfilled on configmaps \"one\": the object has been modified; please apply your \
             changes to the latest version and try again\nPlease review the fields above"
        ),
        "{}",
        run.stderr
    );
    // An object that does not exist is created if only a version is given, and not if a uid is.
    let mut gone = map("two", "4");
    gone["metadata"]["uid"] = json!(uid(&first));
    let run = apply(&gone).expect(1);
    assert!(run.stderr.contains("uid mismatch: the provided object specified uid"), "{}", run.stderr);
    gone["metadata"] = json!({"name": "two", "resourceVersion": version(&first)});
    apply(&gone).expect(0);
}

#[test]
fn discovery_lists_all_served_resources() {
    let mut test = support::ready();
    let groups = get(&test, "/apis");
    let names: Vec<&str> =
        groups["groups"].as_array().expect("groups").iter().filter_map(|g| g["name"].as_str()).collect();
    for group in
        ["apps", "batch", "coordination.k8s.io", "discovery.k8s.io", "kafka.strimzi.io", "core.strimzi.io"]
    {
        assert!(names.contains(&group), "{group} in {names:?}");
    }
    assert_eq!(get(&test, "/api")["versions"], json!(["v1"]));
    let core = get(&test, "/api/v1");
    let of = |list: &Value, name: &str| {
        list["resources"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|r| r["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(of(&core, "pods/log")["verbs"], json!(["get"]));
    assert_eq!(of(&core, "bindings")["verbs"], json!(["create"]));
    assert_eq!(
        (&of(&core, "namespaces")["namespaced"], &of(&core, "pods")["namespaced"]),
        (&json!(false), &json!(true))
    );
    let reviews = get(&test, "/apis/authorization.k8s.io/v1");
    assert_eq!(of(&reviews, "localsubjectaccessreviews")["namespaced"], true);
    let kafka = get(&test, "/apis/kafka.strimzi.io/v1");
    assert_eq!(of(&kafka, "kafkas")["kind"], "Kafka");
    // Every resource that can be listed is listed.
    for group in groups["groups"].as_array().expect("groups") {
        let at = group["preferredVersion"]["groupVersion"].as_str().expect("a version");
        for resource in get(&test, &format!("/apis/{at}"))["resources"].as_array().expect("a list") {
            let lists = resource["verbs"].as_array().is_some_and(|verbs| verbs.iter().any(|v| v == "list"));
            if lists {
                let name = resource["name"].as_str().expect("a name");
                assert!(get(&test, &format!("/apis/{at}/{name}"))["items"].is_array());
            }
        }
    }
    assert!(!names.contains(&"metrics.k8s.io"));
    test.change_scenario(|s| s.metrics = Some(Metrics::Down));
    assert!(get(&test, "/apis").to_string().contains("metrics.k8s.io/v1beta1"));
    let run = kubectl(&test, "get --raw /apis/metrics.k8s.io/v1beta1").expect(1);
    assert_eq!(
        run.stderr.trim(),
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request"
    );
    test.change_scenario(|s| s.metrics = Some(Metrics::Up));
    assert_eq!(of(&get(&test, "/apis/metrics.k8s.io/v1beta1"), "pods")["verbs"], json!(["get", "list"]));
    let pods = get(&test, "/apis/metrics.k8s.io/v1beta1/namespaces/kafka/pods");
    assert!(!pods["items"].as_array().expect("items").is_empty());
}

/// Keys of the objects in a namespace.
fn content(test: &Test, namespace: &str) -> Vec<String> {
    let objects = test.objects("kstrim");
    let here = objects.as_object().into_iter().flatten().map(|(key, _)| key.clone());
    here.filter(|key| key.split('/').nth(1) == Some(namespace)).collect()
}

/// An object of every namespaced kind that no controller acts on.
pub fn every_kind(namespace: &str) -> Vec<Value> {
    let of = |api: &str, kind: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "theirs", "namespace": namespace}});
    let more = [("v1", "Event"), ("v1", "PodTemplate"), ("v1", "ReplicationController")];
    support::INERT.into_iter().chain(more).map(|(api, kind)| of(api, kind)).collect()
}

#[test]
fn a_namespace_is_deleted_with_everything_without_finalizers() {
    let test = running();
    kubectl(&test, "create namespace theirs").expect(0);
    kubectl(&test, "wait --for=create configmap/kube-root-ca.crt -n theirs --timeout=5s").expect(0);
    for object in every_kind("theirs") {
        kubectl_with(&test, "apply --server-side -f -", &object).expect(0);
    }
    let held = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": "theirs", "finalizers": ["example.com/hold"]}});
    kubectl_with(&test, "apply --server-side -f -", &held).expect(0);
    assert!(content(&test, "theirs").len() > every_kind("").len() + 2);
    let run = kubectl(&test, "delete namespace theirs --timeout=500ms").expect(1);
    assert!(run.stderr.contains("timed out"), "{}", run.stderr);
    assert_eq!(content(&test, "theirs"), ["configmaps/theirs/held"]);
    kubectl(&test, r#"patch configmap held -n theirs --type=merge -p {"metadata":{"finalizers":null}}"#)
        .expect(0);
    kubectl(&test, "wait namespace/theirs --for=delete --timeout=5s").expect(0);
    assert!(content(&test, "theirs").is_empty());
}

#[test]
fn dependents_are_deleted_according_to_the_policy() {
    let test = running();
    for (policy, stays) in [("Background", false), ("Foreground", false), ("Orphan", true)] {
        let owner = post(&test, MAPS, &map("owner", ""));
        let mut child = map("child", "");
        child["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid(&owner)}]);
        post(&test, MAPS, &child);
        let answer =
            delete(&test, &format!("{MAPS}/owner"), &json!({"uid": uid(&owner)}), policy).expect(0).json();
        assert_eq!(answer["kind"] == "ConfigMap", policy == "Foreground", "{policy}: {answer}");
        kubectl(&test, "wait --for=delete configmap/owner -n default --timeout=5s").expect(0);
        if stays {
            std::thread::sleep(std::time::Duration::from_millis(100));
            assert!(
                get(&test, &format!("{MAPS}/child"))["metadata"]["ownerReferences"]
                    .as_array()
                    .is_none_or(Vec::is_empty)
            );
        } else {
            kubectl(&test, "wait --for=delete configmap/child -n default --timeout=5s").expect(0);
        }
    }
}

/// The brokers' directory of a topic.
fn topic(test: &Test, name: &str) -> std::path::PathBuf {
    test.world_dir().join("broker/topics").join(name)
}

fn kafka_topic(name: &str, topic: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": name, "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"topicName": topic}})
}

#[test]
fn an_existing_topic_is_taken_over_and_deleted_with_its_resource() {
    let test = support::ready();
    // A topic without a resource.
    std::fs::create_dir_all(topic(&test, "orders")).expect("a folder");
    let meta = json!({"name": "orders", "id": "6d1b8a9e-0f6b-4a53-8d0e-6b1d5c2f7a10", "partitions": 3, "starts": {}});
    std::fs::write(topic(&test, "orders/meta.json"), meta.to_string()).expect("a topic");
    std::fs::write(topic(&test, "orders/0.log"), "messages").expect("a log");
    support::apply_foreign(&test, &[kafka_topic("first", "orders")]);
    support::kubectl(&test, "wait kafkatopic/first -n kafka --for=condition=Ready --timeout=5s").expect(0);
    assert!(topic(&test, "orders/0.log").exists());
    // Another resource for the same topic is not reconciled, and deleting it does not delete the topic.
    support::apply_foreign(&test, &[kafka_topic("second", "orders")]);
    support::kubectl(&test, "wait kafkatopic/second -n kafka --for=condition=Ready=False --timeout=5s")
        .expect(0);
    let second = test.object("kstrim", "kafkatopics.kafka.strimzi.io/kafka/second");
    let condition = &second["status"]["conditions"][0];
    assert_eq!(condition["reason"], "ResourceConflict");
    assert_eq!(condition["message"], "Managed by Ref{namespace='kafka', name='first'}");
    support::kubectl(&test, "delete kafkatopic second -n kafka").expect(0);
    assert!(topic(&test, "orders/0.log").exists());
    support::kubectl(&test, "delete kafkatopic first -n kafka").expect(0);
    assert!(!topic(&test, "orders").exists());
}

#[test]
fn a_user_takes_over_the_secret_of_its_name() {
    let test = support::ready();
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "app", "namespace": "kafka", "labels": {"team": "a"}}, "data": {"db-password": "aHVudGVyMg=="}});
    let user = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": "app", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"authentication": {"type": "tls"}}});
    support::apply_foreign(&test, &[secret]);
    support::apply_foreign(&test, &[user]);
    support::kubectl(&test, "wait kafkauser/app -n kafka --for=condition=Ready --timeout=5s").expect(0);
    let secret = test.object("kstrim", "secrets/kafka/app");
    assert_eq!(
        (&secret["data"]["db-password"], secret["data"]["user.crt"].is_string()),
        (&Value::Null, true)
    );
    assert_eq!(secret["metadata"]["labels"]["team"], Value::Null);
    support::kubectl(&test, "delete kafkauser app -n kafka").expect(0);
    support::kubectl(&test, "wait --for=delete secret/app -n kafka --timeout=5s").expect(0);
}

#[test]
fn claims_have_volumes_and_services_have_endpoints() {
    let test = support::ready();
    let volumes = get(&test, "/api/v1/persistentvolumes");
    let claims = get(&test, "/api/v1/namespaces/kafka/persistentvolumeclaims");
    for claim in claims["items"].as_array().expect("claims") {
        let mut volumes = volumes["items"].as_array().expect("volumes").iter();
        let volume =
            volumes.find(|v| v["metadata"]["name"] == claim["spec"]["volumeName"]).expect("a volume");
        assert_eq!(volume["spec"]["claimRef"]["uid"], claim["metadata"]["uid"]);
    }
    let of = |kind: &str| content(&test, "kafka").iter().filter(|key| key.starts_with(kind)).count();
    assert!(of("endpoints/") > 0 && of("endpointslices.discovery.k8s.io/") > 0 && of("events/") > 0);
    assert_eq!(of("configmaps/kafka/kube-root-ca.crt"), 1);
    assert_eq!(of("leases.coordination.k8s.io/kafka/strimzi-cluster-operator"), 1);
    // The same Events are served under both of their groups.
    let old = get(&test, "/api/v1/namespaces/kafka/events");
    let new = get(&test, "/apis/events.k8s.io/v1/namespaces/kafka/events");
    assert_eq!(old["items"][0]["metadata"]["uid"], new["items"][0]["metadata"]["uid"]);
    assert_eq!(old["items"][0]["message"], new["items"][0]["note"]);
}

#[test]
fn authorization_hides_topics_from_anonymous_clients() {
    let mut test = support::ready();
    support::kstrim(&mut test, ["topic", "create", "orders"]).expect(0);
    let read = ["consume", "orders", "--from-beginning", "--idle", "300ms"];
    support::kstrim(&mut test, read).expect(0);
    let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "my-cluster", "namespace": "kafka"},
        "spec": {"kafka": {"authorization": {"type": "simple"}}}});
    support::apply_foreign(&test, &[kafka]);
    let run = support::kstrim(&mut test, read);
    assert_ne!(run.code(), 0, "{}", run.stderr);
    assert!(run.stderr.contains("TOPIC_AUTHORIZATION_FAILED"), "{}", run.stderr);
    // An anonymous client that is a super user sees them.
    let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "my-cluster", "namespace": "kafka"},
        "spec": {"kafka": {"authorization": {"type": "simple", "superUsers": ["User:ANONYMOUS"]}}}});
    support::apply_foreign(&test, &[kafka]);
    support::kstrim(&mut test, read).expect(0);
}
