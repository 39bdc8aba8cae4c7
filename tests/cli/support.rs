//! Shared by the tests of the quickstart: an install manifest with the structure of the published one, worlds in
//! which `up` succeeded, and functions that examine them.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Map, Value, json};

use crate::harness::{Call, Run, Scenario, Test};

/// The profile's name.
pub const PROFILE: &str = "kstrim";
/// The Kafka's key in the world.
pub const KAFKA: &str = "kafkas.kafka.strimzi.io/kafka/my-cluster";
/// The operator's Deployment.
pub const OPERATOR: &str = "deployments.apps/kafka/strimzi-cluster-operator";
/// The topic.
pub const TOPIC: &str = "kafkatopics.kafka.strimzi.io/kafka/my-topic";
/// The broker's claim.
pub const CLAIM: &str = "persistentvolumeclaims/kafka/data-0-my-cluster-dual-role-0";
/// The arguments that delete everything but the cluster.
pub const KEEP: [&str; 3] = ["down", "--keep-cluster", "--yes"];
/// The marker in a cluster that kstrim created.
pub const MARKER: &str = "configmaps/kube-system/kstrim";

/// The label with the id of the installation that an object belongs to.
pub const ID: &str = "kstrim.io/installation";

const STRIMZI: &str = "strimzi-cluster-operator";
const KINDS: [(&str, &str); 10] = [
    ("Kafka", "kafkas"),
    ("KafkaConnect", "kafkaconnects"),
    ("StrimziPodSet", "strimzipodsets"),
    ("KafkaTopic", "kafkatopics"),
    ("KafkaUser", "kafkausers"),
    ("KafkaNodePool", "kafkanodepools"),
    ("KafkaBridge", "kafkabridges"),
    ("KafkaConnector", "kafkaconnectors"),
    ("KafkaMirrorMaker2", "kafkamirrormaker2s"),
    ("KafkaRebalance", "kafkarebalances"),
];

/// Kinds of namespaced objects that the stand-in's controllers ignore.
pub const INERT: [(&str, &str); 21] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "LimitRange"),
    ("v1", "ResourceQuota"),
    ("v1", "Endpoints"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ControllerRevision"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("policy/v1", "PodDisruptionBudget"),
    ("coordination.k8s.io/v1", "Lease"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
];

/// Objects like those of Strimzi 1.2.0's install manifest: same kinds and names, without schemas.
pub fn install() -> Vec<Value> {
    install_of("1.2.0", &["4.2.0", "4.2.1", "4.3.0", "4.3.1"], &["v1"])
}

/// The same of another release: with these Kafka versions and served versions, the last is stored.
pub fn install_of(release: &str, kafkas: &[&str], served: &[&str]) -> Vec<Value> {
    let labels = json!({"app": "strimzi"});
    let rbac = "rbac.authorization.k8s.io";
    let mut all = vec![json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": STRIMZI, "labels": labels}})];
    let role = |name: &str, groups: Value, resources: Value| {
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels},
            "rules": [{"apiGroups": groups, "resources": resources,
                "verbs": ["get", "list", "watch", "create", "delete", "patch", "update"]}]})
    };
    let binding = |kind: &str, name: &str, role: &str| {
        json!({"apiVersion": format!("{rbac}/v1"), "kind": kind,
            "metadata": {"name": name, "labels": labels},
            "subjects": [{"kind": "ServiceAccount", "name": STRIMZI, "namespace": "myproject"}],
            "roleRef": {"kind": "ClusterRole", "name": role, "apiGroup": rbac}})
    };
    let named = |rest: &str| format!("{STRIMZI}{rest}");
    all.extend([
        role(&named("-namespaced"), json!(["", "apps"]), json!(["pods", "services", "deployments"])),
        binding("RoleBinding", STRIMZI, &named("-namespaced")),
        role(&named("-global"), json!(["", "storage.k8s.io"]), json!(["nodes", "storageclasses"])),
        binding("ClusterRoleBinding", STRIMZI, &named("-global")),
        role(&named("-leader-election"), json!(["coordination.k8s.io"]), json!(["leases"])),
        binding("RoleBinding", &named("-leader-election"), &named("-leader-election")),
        role(&named("-watched"), json!(["kafka.strimzi.io"]), json!(["kafkas", "kafkanodepools"])),
        binding("RoleBinding", &named("-watched"), &named("-watched")),
        role("strimzi-kafka-broker", json!([""]), json!(["nodes"])),
        binding("ClusterRoleBinding", &named("-kafka-broker-delegation"), "strimzi-kafka-broker"),
        role("strimzi-entity-operator", json!(["kafka.strimzi.io"]), json!(["kafkatopics", "kafkausers"])),
        binding("RoleBinding", &named("-entity-operator-delegation"), "strimzi-entity-operator"),
        role("strimzi-kafka-client", json!([""]), json!(["nodes"])),
        binding("ClusterRoleBinding", &named("-kafka-client-delegation"), "strimzi-kafka-client"),
    ]);
    for (kind, plural) in KINDS {
        let group = if kind == "StrimziPodSet" { "core.strimzi.io" } else { "kafka.strimzi.io" };
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let mut spec = anything.clone();
        if kind == "Kafka" {
            let fields = [
                "kafka",
                "zookeeper",
                "entityOperator",
                "cruiseControl",
                "kafkaExporter",
                "clusterCa",
                "clientsCa",
            ];
            let fields: Map<String, Value> =
                fields.map(|name| (name.to_owned(), anything.clone())).into_iter().collect();
            spec = json!({"type": "object", "properties": fields});
        }
        let schema = json!({"openAPIV3Schema": {"type": "object",
            "properties": {"spec": spec, "status": anything}}});
        let version = |name: &&str| {
            json!({"name": name, "served": true, "storage": served.last() == Some(name), "schema": schema,
                "subresources": {"status": {}}})
        };
        let versions: Vec<Value> = served.iter().map(version).collect();
        all.push(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"),
                "labels": {"app": "strimzi", "strimzi.io/crd-install": "true"}},
            "spec": {"group": group, "scope": "Namespaced",
                "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural,
                    "singular": kind.to_lowercase()},
                "versions": versions}}));
    }
    all.push(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": STRIMZI, "labels": labels}, "data": {"log4j2.properties": "name = test"}}));
    all.push(deployment(release, kafkas));
    all
}

fn deployment(release: &str, kafkas: &[&str]) -> Value {
    let own = json!({"fieldRef": {"fieldPath": "metadata.namespace"}});
    let images: String = kafkas
        .iter()
        .map(|version| format!("{version}=quay.io/strimzi/kafka:{release}-kafka-{version}\n"))
        .collect();
    let operator = format!("quay.io/strimzi/operator:{release}");
    let newest = format!("quay.io/strimzi/kafka:{release}-kafka-{}", kafkas.last().expect("a Kafka"));
    let pod = json!({"name": STRIMZI, "strimzi.io/kind": "cluster-operator"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": STRIMZI, "labels": {"app": "strimzi"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": pod},
            "template": {"metadata": {"labels": pod}, "spec": {"serviceAccountName": STRIMZI,
                "containers": [{"name": STRIMZI, "image": operator,
                    "env": [
                        {"name": "STRIMZI_NAMESPACE", "valueFrom": own},
                        {"name": "STRIMZI_KAFKA_IMAGES", "value": images},
                        {"name": "STRIMZI_KAFKA_CONNECT_IMAGES", "value": images},
                        {"name": "STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES", "value": images},
                        {"name": "STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE", "value": "quay.io/strimzi/kafka-bridge:1.0.0"},
                        {"name": "STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE", "value": newest},
                        {"name": "STRIMZI_DEFAULT_CRUISE_CONTROL_IMAGE", "value": newest},
                        {"name": "STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE", "value": operator},
                        {"name": "STRIMZI_DEFAULT_USER_OPERATOR_IMAGE", "value": operator},
                        {"name": "STRIMZI_FEATURE_GATES", "value": ""},
                    ],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"},
                        "initialDelaySeconds": 10, "periodSeconds": 30},
                    "resources": {"limits": {"cpu": "1000m", "memory": "384Mi"}}}]}}}})
}

/// Objects as a manifest.
pub fn text(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// The manifest's text.
pub fn manifest() -> String {
    text(&install())
}

/// A machine on which nothing has been started, with the manifest available.
pub fn fresh() -> Test {
    let test = Test::new();
    test.write("install.yaml", manifest());
    test.env("KSTRIM_MANIFESTS", "install.yaml")
}

/// Shorter times, for tests that run `up` many times.
pub fn quick(s: &mut Scenario) {
    let t = &mut s.timings;
    (t.start, t.restart, t.image, t.pull) = (40, 20, 10, 20);
    (t.operator_boot, t.operator_ready, t.broker_ready, t.entity_ready) = (10, 40, 30, 30);
    (t.node_ready, t.default_account, t.validate, t.pods, t.namespace) = (5, 5, 5, 5, 10);
}

/// A world in which `up` succeeded, forked from one that the tests of this process share.
pub fn ready() -> Test {
    static SHARED: Mutex<Weak<Test>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let base = shared.upgrade().unwrap_or_else(|| {
        let mut test = fresh().scenario(quick);
        test.args(["up"]).run().expect(0);
        let test = Arc::new(test);
        *shared = Arc::downgrade(&test);
        test
    });
    let mut fork = base.fork();
    fork.args::<&str>([]);
    fork
}

/// Run kstrim with these arguments.
pub fn kstrim<const N: usize>(test: &mut Test, args: [&str; N]) -> Run {
    test.args(args).run()
}

/// Run kstrim with `-o json`; its lines.
pub fn events<const N: usize>(test: &mut Test, args: [&str; N], code: i32) -> Vec<Value> {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    test.args(all).run().expect(code).json_lines()
}

/// The failure's id in the last line.
pub fn failure(lines: &[Value]) -> String {
    lines.last().and_then(|l| l["failure"]["id"].as_str()).unwrap_or("none").to_owned()
}

/// The whole text of the failure.
pub fn told(lines: &[Value]) -> String {
    lines.last().map(|l| l["failure"].to_string()).unwrap_or_default()
}

/// How each task ended.
pub fn outcomes(lines: &[Value]) -> BTreeMap<String, String> {
    let word = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let ended = lines.iter().filter(|l| l["type"] == "task_finished");
    ended.map(|l| (word(&l["task"]), word(&l["outcome"]))).collect()
}

/// The index of the line with this event of a task.
#[track_caller]
pub fn place(lines: &[Value], kind: &str, task: &str) -> usize {
    lines.iter().position(|l| l["type"] == kind && l["task"] == task).unwrap_or_else(|| {
        panic!("no {kind} of {task} in {lines:#?}");
    })
}

/// Whether a call changes anything.
pub fn writes(call: &Call) -> bool {
    let words = ["apply", "delete", "patch", "create", "label", "annotate", "scale", "replace"];
    let verbs = ["start", "stop", "pause", "unpause", "load", "pull", "update-context"];
    let has = |list: &[&str]| call.args.iter().any(|a| list.contains(&a.as_str()));
    match call.program.as_str() {
        // An access review creates nothing, and every run that may change something holds a Lease.
        "kubectl" => {
            has(&words)
                && !has(&["auth", "--dry-run=server"])
                && !call.args.iter().any(|a| a.contains("/leases"))
        }
        _ => has(&words) || has(&verbs),
    }
}

/// kstrim's writes, one line each.
pub fn written(test: &Test) -> Vec<String> {
    test.calls().iter().filter(|c| !c.by_hand && writes(c)).map(Call::line).collect()
}

/// The arguments that select the cluster: kstrim's own kubeconfig, which it also exports.
pub fn target(test: &Test) -> Vec<String> {
    let own = test.home().join(".local/state/kstrim/profiles/kstrim/kubeconfig");
    let mut words = vec!["--context".to_owned(), PROFILE.to_owned()];
    if own.exists() {
        words.extend(["--kubeconfig".to_owned(), own.display().to_string()]);
    }
    words
}

/// Run the stand-in of kubectl.
pub fn kubectl(test: &Test, args: &str) -> Run {
    let mut words = target(test);
    words.extend(args.split_whitespace().map(str::to_owned));
    test.fake("kubectl", words)
}

/// The same with arguments that contain blanks.
pub fn kubectl_words(test: &Test, more: Vec<String>) -> Run {
    let mut words = target(test);
    words.extend(more);
    test.fake("kubectl", words)
}

/// Apply an object as another user.
pub fn apply_foreign(test: &Test, objects: &[Value]) {
    let text: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    apply_as(test, "else", &text).expect(0);
}

/// The same in the cluster of a context of the user's own kubeconfig.
pub fn apply_foreign_to(test: &Test, context: &str, objects: &[Value]) {
    let words = ["--context", context, "apply", "--server-side", "-f", "-", "--field-manager=else"];
    test.fake_with("kubectl", words, &text(objects)).expect(0);
}

/// Apply a text under a field manager.
pub fn apply_as(test: &Test, manager: &str, text: &str) -> Run {
    let mut words = target(test);
    words.extend(["apply", "--server-side", "--force-conflicts", "-f", "-"].map(str::to_owned));
    words.push(format!("--field-manager={manager}"));
    test.fake_with("kubectl", words, text)
}

/// Kinds whose objects are the same after every successful run.
const LASTING: [&str; 12] = [
    "namespaces",
    "customresourcedefinitions.apiextensions.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "serviceaccounts",
    "configmaps",
    "persistentvolumeclaims",
    "deployments.apps",
    "kafkas.kafka.strimzi.io",
    "kafkanodepools.kafka.strimzi.io",
    "kafkatopics.kafka.strimzi.io",
];

/// The world without what differs between runs: labels, annotations and content by key.
pub fn state(test: &Test) -> BTreeMap<String, Value> {
    let objects = test.objects(PROFILE);
    // Every namespace gets its service account `default` and its root certificates a moment later.
    let lasting = |key: &str| {
        LASTING.contains(&key.split('/').next().unwrap_or(""))
            && !key.starts_with("serviceaccounts/")
            && !key.ends_with("/kube-root-ca.crt")
            || key.starts_with("serviceaccounts/kafka/") && !key.ends_with("/default")
    };
    let mut state = BTreeMap::new();
    for (key, object) in objects.as_object().into_iter().flatten().filter(|(key, _)| lasting(key)) {
        let mut content = object.clone();
        if key == MARKER {
            // Every start has its own id.
            content["data"]["start"] = Value::Null;
        }
        let fields = content.as_object_mut().expect("an object");
        fields.remove("status");
        let metadata = fields.remove("metadata").unwrap_or_default();
        if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove("volumeName");
        }
        let kept = json!({"labels": metadata["labels"], "annotations": metadata["annotations"],
            "content": content});
        state.insert(key.clone(), without_id(kept));
    }
    state
}

/// The same without the installation's id, which differs between worlds.
fn without_id(mut kept: Value) -> Value {
    if kept["labels"][ID].is_string() {
        kept["labels"][ID] = "ID".into();
    }
    if kept["content"]["data"]["id"].is_string() {
        kept["content"]["data"]["id"] = "ID".into();
    }
    kept
}

/// Panics with the differences.
#[track_caller]
pub fn same(left: &BTreeMap<String, Value>, right: &BTreeMap<String, Value>, what: &str) {
    let mut differs = Vec::new();
    for key in left.keys().chain(right.keys()) {
        if left.get(key) != right.get(key) {
            differs.push(format!("{key}\n  was {:?}\n  is  {:?}", left.get(key), right.get(key)));
        }
    }
    assert!(differs.is_empty(), "{what}: {}", differs.join("\n"));
}

/// kstrim's journal of the profile, or null.
pub fn journal(test: &Test) -> Value {
    let path = test.home().join(".local/state/kstrim/profiles/kstrim/journal.json");
    std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether an object carries kstrim's label.
pub fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kstrim"
}

/// Keys of the objects that kstrim created.
pub fn ours(test: &Test) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let made = objects.as_object().into_iter().flatten().filter(|(_, object)| is_ours(object));
    made.map(|(key, _)| key.clone()).collect()
}

/// Change an object as if it were foreign: the same object with another label.
pub fn disown(test: &Test, kind: &str, name: &str) {
    let patch = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "else"}}});
    kubectl(test, &format!("patch {kind} {name} -n kafka --type=merge -p {patch}")).expect(0);
}

/// A world in which kstrim created the profile and nothing else exists.
pub fn empty_cluster() -> Test {
    let mut test = ready();
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    test.forget_calls();
    test
}

/// Wait until the world is as required; panics after some seconds.
#[track_caller]
pub fn until(test: &Test, what: &str, wanted: impl Fn(&Test) -> bool) {
    let since = std::time::Instant::now();
    loop {
        // Time advances when the API is read.
        kubectl(test, "get --raw /api/v1/namespaces").expect(0);
        if wanted(test) {
            return;
        }
        assert!(since.elapsed().as_secs() < 20, "not so: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Topics in the broker.
pub fn topics(test: &Test) -> Vec<String> {
    let folder = test.world_dir().join("broker/topics");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
