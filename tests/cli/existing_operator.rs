//! An operator that somebody else installed: it is used as it is, whoever installed it, or refused with the reason.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Run, Test};
use crate::support::{
    PROFILE, apply_foreign, empty_cluster, events, failure, install_of, outcomes, told, until, written,
};
use crate::{doctor, support};

const NEWEST: (&str, &[&str], &[&str]) = ("1.2.0", &["4.2.0", "4.2.1", "4.3.0", "4.3.1"], &["v1"]);

/// How an operator is installed.
struct Install {
    home: &'static str,
    /// `STRIMZI_NAMESPACE`; `None` for the namespace of the operator, as in the install files.
    watched: Option<&'static str>,
    release: (&'static str, &'static [&'static str], &'static [&'static str]),
    /// Changes the Deployment.
    edit: fn(&mut Value),
    /// Namespaces in which it has permissions; empty for all.
    bound: &'static [&'static str],
}

impl Default for Install {
    fn default() -> Self {
        Self { home: "strimzi", watched: Some("*"), release: NEWEST, edit: |_| {}, bound: &[] }
    }
}

fn helm(deployment: &mut Value) {
    let metadata = &mut deployment["metadata"];
    metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    metadata["labels"]["chart"] = json!("strimzi-kafka-operator-1.2.0");
    metadata["labels"]["component"] = json!("deployment");
    metadata["annotations"] = json!({"meta.helm.sh/release-name": "streams", "meta.helm.sh/release-namespace": metadata["namespace"]});
}

fn olm(deployment: &mut Value) {
    let metadata = &mut deployment["metadata"];
    metadata["name"] = json!("strimzi-cluster-operator-v1.2.0");
    metadata["labels"] = json!({"olm.managed": "true", "olm.owner": "strimzi-cluster-operator.v1.2.0",
        "olm.owner.kind": "ClusterServiceVersion", "olm.owner.namespace": "operators"});
    let template = &mut deployment["spec"]["template"];
    template["metadata"]["annotations"] = json!({"olm.targetNamespaces": ""});
    let container = &mut template["spec"]["containers"][0];
    container["image"] = json!(format!("quay.io/strimzi/operator@sha256:{}", "0".repeat(64)));
    container["env"][0] = json!({"name": "STRIMZI_NAMESPACE",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['olm.targetNamespaces']"}}});
}

fn selector(deployment: &mut Value) {
    let env =
        deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().expect("variables");
    env.push(json!({"name": "STRIMZI_CUSTOM_RESOURCE_SELECTOR", "value": "team=streams"}));
}

fn stopped(deployment: &mut Value) {
    deployment["spec"]["replicas"] = json!(0);
}

fn two_replicas(deployment: &mut Value) {
    deployment["spec"]["replicas"] = json!(2);
}

impl Install {
    /// The namespaces, then everything else, the Deployment among it.
    fn objects(&self) -> (Vec<Value>, Vec<Value>) {
        let mut spaces = vec![self.home];
        spaces.extend(self.bound.iter().filter(|namespace| **namespace != self.home));
        let space =
            |name: &&str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let spaces = spaces.iter().map(space).collect();
        let (release, kafkas, served) = self.release;
        let mut objects = install_of(release, kafkas, served);
        let mut bindings = Vec::new();
        for object in &mut objects {
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            if !matches!(kind.as_str(), "ClusterRole" | "ClusterRoleBinding" | "CustomResourceDefinition") {
                object["metadata"]["namespace"] = json!(self.home);
            }
            for subject in object["subjects"].as_array_mut().into_iter().flatten() {
                subject["namespace"] = json!(self.home);
            }
            if kind == "Deployment" {
                if let Some(watched) = self.watched {
                    object["spec"]["template"]["spec"]["containers"][0]["env"][0] =
                        json!({"name": "STRIMZI_NAMESPACE", "value": watched});
                }
                (self.edit)(object);
            }
            if kind == "RoleBinding" {
                bindings.extend(self.bindings(object));
            }
        }
        objects.extend(bindings);
        (spaces, objects)
    }

    /// What Strimzi documents for an operator that watches other namespaces: a binding in each, or one for all.
    fn bindings(&self, of_home: &Value) -> Vec<Value> {
        let mut binding = of_home.clone();
        if self.bound.is_empty() {
            binding["kind"] = json!("ClusterRoleBinding");
            let name = format!("{}-all", binding["metadata"]["name"].as_str().expect("a name"));
            binding["metadata"] = json!({"name": name, "labels": {"app": "strimzi"}});
            return vec![binding];
        }
        let others = self.bound.iter().filter(|namespace| **namespace != self.home);
        let of = |namespace: &&str| {
            let mut binding = binding.clone();
            binding["metadata"]["namespace"] = json!(namespace);
            binding
        };
        others.map(of).collect()
    }

    /// Install it as somebody else would, and wait until it runs.
    fn apply_to(&self, test: &Test) {
        let (spaces, objects) = self.objects();
        apply_foreign(test, &spaces);
        apply_foreign(test, &objects);
        until(test, "its definitions are established", |test| {
            let crds = "customresourcedefinitions.apiextensions.k8s.io//kafkas.kafka.strimzi.io";
            test.object(PROFILE, crds)["status"].to_string().contains("Established")
        });
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
        let name = deployment["metadata"]["name"].as_str().expect("a name");
        let key = format!("deployments.apps/{}/{name}", self.home);
        until(test, "the operator is available", |test| {
            let deployment = test.object(PROFILE, &key);
            let ready = deployment["status"]["availableReplicas"].as_u64().unwrap_or(0);
            let observed = deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"];
            observed && ready == deployment["spec"]["replicas"].as_u64().unwrap_or(1)
        });
    }

    fn world(&self) -> Test {
        let test = empty_cluster();
        self.apply_to(&test);
        test.forget_calls();
        test
    }
}

/// Everything that kstrim did not create, as it is stored: with its resource version. Leases are renewed, and a node
/// reports what it runs.
fn theirs(test: &Test) -> BTreeMap<String, Value> {
    let kinds = ["leases", "nodes", "events", "endpoints", "persistentvolumes", "componentstatuses"];
    let objects = test.objects(PROFILE);
    let all = objects.as_object().expect("objects").iter();
    let kept = all.filter(|(key, object)| {
        let kind = key.split(['/', '.']).next().unwrap_or_default();
        !kinds.contains(&kind) && !support::is_ours(object) && !key.contains("kube-root-ca")
    });
    kept.map(|(key, object)| (key.clone(), object.clone())).collect()
}

#[track_caller]
fn untouched(before: &BTreeMap<String, Value>, test: &Test, after: &str) {
    let now = theirs(test);
    for (key, object) in before {
        assert_eq!(now.get(key), Some(object), "{key} after {after}");
    }
}

fn detail(lines: &[Value], task: &str) -> String {
    let ended = lines.iter().find(|l| l["type"] == "task_finished" && l["task"] == task);
    ended.map(|l| l["detail"].to_string()).unwrap_or_default()
}

/// What everybody does, in an order; nothing of the owner's changes.
fn lives_with(install: &Install, kind: &str, described: &str, more: &[&str]) {
    let mut test = install.world();
    let before = theirs(&test);
    let with = |args: &[&'static str]| -> Vec<String> {
        args.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let run = |test: &mut Test, args: Vec<String>, code: i32| -> Run { test.args(args).run().expect(code) };
    // Not before it is asked for: a plan changes nothing.
    let planned = run(&mut test, with(&["plan"]), 0).stdout;
    assert!(planned.contains(described), "{planned}");
    assert_eq!(written(&test), Vec::<String>::new());
    let lines = run(&mut test, with(&["up", "-o", "json"]), 0).json_lines();
    assert_eq!(lines[0]["release"], install.release.0, "{}", told(&lines));
    assert!(detail(&lines, "operator").contains(described), "{}", detail(&lines, "operator"));
    untouched(&before, &test, "up");
    let own = test.object(PROFILE, "deployments.apps/kafka/strimzi-cluster-operator");
    assert_eq!(own.is_null(), install.home != "kafka", "none is installed beside it");
    // The API server stores it in the last of the versions that the definition serves.
    let api = *install.release.2.last().expect("a version");
    let kafka = test.object(PROFILE, support::KAFKA);
    assert_eq!(kafka["spec"]["kafka"]["version"], *install.release.1.last().expect("a Kafka"), "{kafka}");
    assert_eq!(kafka["apiVersion"], format!("kafka.strimzi.io/{api}"));
    // The second time there is nothing to do.
    test.forget_calls();
    let again = run(&mut test, with(&["up", "-o", "json"]), 0).json_lines();
    assert_eq!(written(&test), Vec::<String>::new());
    assert_eq!(outcomes(&again)["operator"], "already_done");
    untouched(&before, &test, "the second up");
    run(&mut test, vec!["smoke-test".into()], 0);
    let status = run(&mut test, vec!["status".into(), "-o".into(), "json".into()], 0).json();
    assert_eq!(status["operator"]["owner"]["kind"], kind, "{status}");
    assert_eq!(status["operator"]["namespace"], install.home);
    assert_eq!(status["operator"]["release"], install.release.0);
    let text = run(&mut test, vec!["status".into()], 0).stdout;
    assert!(text.contains(&format!("installed {described}")), "{text}");
    untouched(&before, &test, "status");
    let doctor = test.args(["doctor", "--offline", "--fix", "--yes", "-o", "json"].iter().chain(more)).run();
    let document = doctor.json();
    for check in ["strimzi.crds", "strimzi.operator", "strimzi.rbac", "cluster.namespace"] {
        assert_eq!(doctor::verdicts(&document)[check], "ok", "{:#}", doctor::check(&document, check));
    }
    assert_eq!(document["fixes"], json!([]));
    untouched(&before, &test, "doctor --fix");
    for args in [&["topic", "create", "orders"][..], &["user", "create", "app"], &["add", "bridge"]] {
        test.args(args).run().expect(0);
    }
    test.args(["scale", "--brokers", "1"]).run().expect(0);
    test.args(["set", "num.partitions=2", "--yes"]).run().expect(0);
    let lines = events(&mut test, ["upgrade", "--release", "1.2.0", "--yes"], 5);
    assert_eq!(failure(&lines), "KS-UPGRADE-OPERATOR", "{}", told(&lines));
    assert!(told(&lines).contains(described), "{}", told(&lines));
    untouched(&before, &test, "upgrade");
    events(&mut test, ["down", "--keep-cluster", "--yes"], 0);
    untouched(&before, &test, "down");
    assert!(test.object(PROFILE, support::KAFKA).is_null());
    let left = support::ours(&test);
    assert!(left.iter().all(|key| key.starts_with("configmaps/kube-system/")), "{left:?}");
}

#[test]
fn one_that_helm_installed_in_the_namespace_is_used() {
    let install = Install { home: "kafka", watched: None, edit: helm, ..Install::default() };
    lives_with(&install, "helm", "by Helm (release streams in namespace kafka)", &[]);
}

#[test]
fn one_that_helm_installed_for_all_namespaces_is_used() {
    let install = Install { edit: helm, ..Install::default() };
    lives_with(&install, "helm", "by Helm (release streams in namespace strimzi)", &[]);
}

#[test]
fn one_that_has_the_namespace_in_its_list_is_used() {
    let install = Install {
        watched: Some("team-a, kafka"),
        bound: &["strimzi", "team-a", "kafka"],
        ..Install::default()
    };
    lives_with(&install, "by-hand", "by hand", &[]);
}

#[test]
fn one_of_the_operator_lifecycle_manager_is_used() {
    let install = Install { home: "operators", edit: olm, ..Install::default() };
    let described = "by the Operator Lifecycle Manager (ClusterServiceVersion strimzi-cluster-operator.v1.2.0 in \
                     namespace operators)";
    lives_with(&install, "olm", described, &[]);
}

#[test]
fn the_release_of_the_operator_decides() {
    let release = ("0.51.0", &["4.1.0", "4.1.1", "4.2.0"][..], &["v1", "v1beta2"][..]);
    lives_with(&Install { release, ..Install::default() }, "by-hand", "by hand", &[]);
}

#[test]
fn two_replicas_are_one_operator() {
    let mut test = Install { edit: two_replicas, ..Install::default() }.world();
    events(&mut test, ["up"], 0);
}

#[test]
fn a_release_with_zookeeper_gets_what_it_understands() {
    let release = ("0.45.2", &["3.8.0", "3.8.1", "3.9.0", "3.9.1"][..], &["v1beta2"][..]);
    let mut test = Install { release, edit: helm, ..Install::default() }.world();
    let before = theirs(&test);
    events(&mut test, ["up", "--allow-unsupported"], 0);
    let kafka = test.object(PROFILE, support::KAFKA);
    assert_eq!(kafka["apiVersion"], "kafka.strimzi.io/v1beta2");
    // No release in which Kafka needs ZooKeeper can do what this preset needs.
    let run = test.args(["up", "--preset", "zookeeper", "--kafka", "4.3.1"]).run().expect(2);
    assert!(run.stderr.contains("the release is that of the operator"), "{}", run.stderr);
    untouched(&before, &test, "up");
}

/// Refused before anything is changed.
#[track_caller]
fn refused(test: &mut Test, args: &[&str], code: i32, id: &str) -> String {
    let before = theirs(test);
    test.forget_calls();
    let all: Vec<&str> = ["up", "-o", "json"].into_iter().chain(args.iter().copied()).collect();
    let lines = test.args(all).run().expect(code).json_lines();
    assert_eq!(failure(&lines), id, "{}", told(&lines));
    assert_eq!(written(test), Vec::<String>::new());
    untouched(&before, test, "a refusal");
    assert!(test.object(PROFILE, support::KAFKA).is_null());
    told(&lines)
}

#[test]
fn a_release_that_is_not_in_the_catalogue_is_refused() {
    let release = ("9.9.9", NEWEST.1, NEWEST.2);
    let mut test = Install { release, edit: helm, ..Install::default() }.world();
    let told = refused(&mut test, &[], 3, "KS-OPERATOR-RELEASE-UNKNOWN");
    assert!(
        told.contains("Strimzi 9.9.9") && told.contains("1.2.0") && told.contains("release streams"),
        "{told}"
    );
    let document = test.args(doctor::ARGS).run().json();
    let operator = &doctor::check(&document, "strimzi.operator")["problem"]["id"];
    assert_eq!(operator, "KS-OPERATOR-RELEASE-UNKNOWN");
    // One that is too old is upgraded by its owner.
    let mut test =
        Install { release: ("0.10.0", NEWEST.1, NEWEST.2), edit: helm, ..Install::default() }.world();
    let told = refused(&mut test, &[], 3, "KS-OPERATOR-RELEASE-UNKNOWN");
    assert!(told.contains("helm upgrade streams") && told.contains("strimzi-crds-1.2.0.yaml"), "{told}");
}

#[test]
fn what_contradicts_the_operator_is_refused() {
    let mut test = Install { edit: helm, ..Install::default() }.world();
    let told = refused(&mut test, &["--release", "0.51.0"], 2, "KS-OPERATOR-RELEASE");
    assert!(told.contains("kstrim up -o json --release 1.2.0"), "{told}");
    // The operator has images of fewer versions than its release.
    let release = ("1.2.0", &["4.2.0", "4.2.1"][..], NEWEST.2);
    let mut test = Install { release, edit: helm, ..Install::default() }.world();
    let told = refused(&mut test, &["--kafka", "4.3.1"], 2, "KS-OPERATOR-KAFKA");
    assert!(told.contains("--kafka 4.2.1"), "{told}");
    events(&mut test, ["up"], 0);
    assert_eq!(test.object(PROFILE, support::KAFKA)["spec"]["kafka"]["version"], "4.2.1");
}

#[test]
fn manifests_are_checked_against_the_operators_release() {
    let release = ("0.51.0", &["4.1.0", "4.1.1", "4.2.0"][..], &["v1", "v1beta2"][..]);
    let mut test = Install { release, edit: helm, ..Install::default() }.world();
    let topic = |api: &str| {
        format!(
            "apiVersion: kafka.strimzi.io/{api}\nkind: KafkaTopic\nmetadata:\n  name: orders\n  labels: \
             {{strimzi.io/cluster: my-cluster}}\nspec: {{partitions: 2, replicas: 1}}\n"
        )
    };
    test.write("topic.yaml", topic("v1beta2"));
    events(&mut test, ["up", "-f", "topic.yaml"], 0);
    let orders = test.object(PROFILE, "kafkatopics.kafka.strimzi.io/kafka/orders");
    assert_eq!(orders["spec"]["partitions"], 2, "{orders}");
    let mut test = Install { edit: helm, ..Install::default() }.world();
    test.write("topic.yaml", topic("v1beta2"));
    let run = test.args(["up", "-f", "topic.yaml"]).run().expect(2);
    assert!(run.stderr.contains("KS-FILE-RELEASE"), "{}", run.stderr);
    assert!(run.stderr.contains("the release is that of the operator"), "{}", run.stderr);
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn one_in_the_namespace_that_watches_only_others_is_refused() {
    let install = Install {
        home: "kafka",
        watched: Some("team-a"),
        edit: helm,
        bound: &["team-a"],
        ..Install::default()
    };
    let mut test = install.world();
    let told = refused(&mut test, &[], 5, "KS-OPERATOR-NAMESPACE");
    assert!(told.contains("watches only team-a") && told.contains("watchNamespaces={team-a}"), "{told}");
    refused(&mut test, &["--adopt"], 5, "KS-OPERATOR-NAMESPACE");
}

/// One elsewhere that watches other namespaces does not look at the Kafka; its definitions are somebody else's.
#[test]
fn one_elsewhere_that_watches_only_others_is_not_used() {
    let install = Install { watched: Some("team-a"), edit: helm, bound: &["team-a"], ..Install::default() };
    let mut test = install.world();
    let before = theirs(&test);
    let lines = events(&mut test, ["up"], 5);
    assert_eq!(failure(&lines), "KS-CRDS-FOREIGN", "{}", told(&lines));
    assert!(told(&lines).contains("watches only"), "{}", told(&lines));
    untouched(&before, &test, "a refusal");
}

#[test]
fn one_that_is_scaled_to_0_is_refused_and_not_started() {
    let mut test = Install { edit: stopped, ..Install::default() }.world();
    let told = refused(&mut test, &[], 3, "KS-OPERATOR-STOPPED");
    assert!(told.contains("scale --replicas=1 deployment/strimzi-cluster-operator -n strimzi"), "{told}");
}

#[test]
fn one_without_permissions_in_the_namespace_is_refused() {
    let install =
        Install { watched: Some("team-a,kafka"), edit: helm, bound: &["team-a"], ..Install::default() };
    let mut test = install.world();
    let told = refused(&mut test, &[], 3, "KS-OPERATOR-FORBIDDEN");
    assert!(told.contains("create rolebinding strimzi-cluster-operator-watched"), "{told}");
}

#[test]
fn two_that_watch_the_namespace_are_refused() {
    let mut test = Install { edit: helm, ..Install::default() }.world();
    Install { home: "operators", edit: olm, ..Install::default() }.apply_to(&test);
    let told = refused(&mut test, &[], 5, "KS-OPERATOR-SECOND");
    assert!(told.contains("strimzi and operators") || told.contains("operators and strimzi"), "{told}");
}

#[test]
fn resources_get_the_labels_that_the_operator_selects_by() {
    let mut test = Install { edit: selector, ..Install::default() }.world();
    let before = theirs(&test);
    events(&mut test, ["up"], 0);
    for key in [support::KAFKA, "kafkanodepools.kafka.strimzi.io/kafka/dual-role"] {
        assert_eq!(test.object(PROFILE, key)["metadata"]["labels"]["team"], "streams", "{key}");
    }
    events(&mut test, ["add", "bridge"], 0);
    let bridge = test.object(PROFILE, "kafkabridges.kafka.strimzi.io/kafka/my-cluster");
    assert_eq!(bridge["metadata"]["labels"]["team"], "streams");
    let kafka = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: t\n  labels: \
                 {strimzi.io/cluster: my-cluster, team: others}\nspec: {partitions: 1, replicas: 1}\n";
    test.write("topic.yaml", kafka);
    let lines = events(&mut test, ["up", "-f", "topic.yaml"], 5);
    assert_eq!(failure(&lines), "KS-OPERATOR-NAMESPACE", "{}", told(&lines));
    untouched(&before, &test, "up");
}

#[test]
fn definitions_of_another_release_are_refused() {
    let old = ("0.45.2", &["3.9.0"][..], &["v1beta2"][..]);
    fn newer(deployment: &mut Value) {
        helm(deployment);
        let env = install_of(NEWEST.0, NEWEST.1, NEWEST.2).pop().expect("the Deployment");
        let container = &env["spec"]["template"]["spec"]["containers"][0];
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = container["image"].clone();
        deployment["spec"]["template"]["spec"]["containers"][0]["env"][1] = container["env"][1].clone();
    }
    let mut test = Install { release: old, edit: newer, ..Install::default() }.world();
    let told = refused(&mut test, &[], 3, "KS-CRDS-RELEASE");
    assert!(told.contains("it serves v1beta2") && told.contains("strimzi-crds-1.2.0.yaml"), "{told}");
}

/// Somebody else's namespace needs consent, unless the operator was given it.
#[test]
fn a_namespace_of_others_is_used_if_the_operator_has_it_in_its_list() {
    let mut test = Install::default().world();
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kafka"}});
    apply_foreign(&test, &[space]);
    let lines = events(&mut test, ["up"], 5);
    assert_eq!(failure(&lines), "KS-NAMESPACE-FOREIGN");
    events(&mut test, ["up", "--adopt"], 0);
}

/// Its owner upgrades it: the next `up` uses the release, and leaves Kafka's version until it is asked for another.
#[test]
fn an_operator_that_its_owner_upgraded_is_used_as_it_is_now() {
    let release = ("1.1.0", &["4.1.0", "4.1.1", "4.2.0"][..], &["v1"][..]);
    let mut test = Install { release, ..Install::default() }.world();
    events(&mut test, ["up"], 0);
    assert_eq!(test.object(PROFILE, support::KAFKA)["spec"]["kafka"]["version"], "4.2.0");
    Install::default().apply_to(&test);
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(lines[0]["release"], "1.2.0");
    assert_eq!(test.object(PROFILE, support::KAFKA)["spec"]["kafka"]["version"], "4.2.0");
    events(&mut test, ["up", "--kafka", "4.3.1"], 0);
    assert_eq!(test.object(PROFILE, support::KAFKA)["spec"]["kafka"]["version"], "4.3.1");
}

/// A profile that is stopped answers nobody: what it has is found when it runs.
#[test]
fn the_operator_of_a_profile_that_is_stopped_is_found_when_it_runs() {
    let mut test = Install { edit: helm, ..Install::default() }.world();
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    let lines = events(&mut test, ["up"], 0);
    assert!(detail(&lines, "operator").contains("release streams"), "{lines:#?}");
    let release = ("0.51.0", &["4.2.0"][..], &["v1", "v1beta2"][..]);
    let mut test = Install { release, edit: helm, ..Install::default() }.world();
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    let lines = events(&mut test, ["up"], 2);
    assert_eq!(failure(&lines), "KS-OPERATOR-RELEASE");
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(lines[0]["release"], "0.51.0");
}

/// In somebody's own cluster, permissions to install Strimzi are not needed.
#[test]
fn an_operator_in_a_cluster_of_ones_own_is_used() {
    const CLUSTER: &str = "prod";
    let test = support::fresh().scenario(support::quick);
    test.fake("minikube", ["start", "-p", CLUSTER]).expect(0);
    let (spaces, objects) = Install { edit: helm, ..Install::default() }.objects();
    support::apply_foreign_to(&test, CLUSTER, &spaces);
    support::apply_foreign_to(&test, CLUSTER, &objects);
    let mut test = test.without("minikube").without("docker");
    test.change_scenario(|s| s.forbidden = vec!["create clusterroles.rbac.authorization.k8s.io".into()]);
    let lines = events(&mut test, ["up", "--context", CLUSTER, "--preset", "single", "--yes"], 0);
    assert!(detail(&lines, "operator").contains("release streams"), "{lines:#?}");
    events(&mut test, ["down", "--context", CLUSTER, "--yes"], 0);
    assert!(test.object(CLUSTER, "deployments.apps/strimzi/strimzi-cluster-operator").is_object());
    assert!(test.object(CLUSTER, support::KAFKA).is_null());
}
