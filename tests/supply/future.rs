//! Releases that do not exist, in the form in which their publishers would publish them: their changes are found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kstrim::internals::catalogue::{self, broker};
use serde_json::{Value, json};

use crate::support::{install_of, text};
use crate::xtask::next::{Finding, Tool, What, changes};

fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, content).expect("written");
}

fn found(folder: &Path) -> Vec<Finding> {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    changes(folder, sources, catalogue::catalogue()).unwrap_or_else(|e| panic!("{e:#}"))
}

/// Whether there is a finding of this kind whose text has these words.
#[track_caller]
fn has(all: &[Finding], tool: Tool, what: What, words: &str) {
    let fits = |f: &&Finding| f.tool == tool && f.what == what && f.text.contains(words);
    let list = || all.iter().map(|f| format!("{f}\n")).collect::<String>();
    assert!(all.iter().any(|f| fits(&f)), "{tool:?} {what:?} {words:?} in\n{}", list());
}

/// The manifest of 1.2.0, with its Kafka versions.
fn like_1_2_0(release: &str) -> Vec<Value> {
    let mut objects = install_of(release, &["4.2.0", "4.2.1", "4.3.0", "4.3.1"], &["v1"]);
    let volumes = json!({"type": "object", "properties": {"volumes": {"type": "array"}},
        "x-kubernetes-preserve-unknown-fields": true});
    let template = json!({"type": "object", "properties": {"pod": volumes},
        "x-kubernetes-preserve-unknown-fields": true});
    let fields = json!({"kafka": {"type": "object",
        "properties": {"metadataVersion": {"type": "string"}, "template": template},
        "x-kubernetes-preserve-unknown-fields": true}});
    schema(&mut objects, "Kafka", &fields);
    let metadata = json!({"type": "object", "properties": {"kraftMetadata": {"type": "string"}},
        "x-kubernetes-preserve-unknown-fields": true});
    let storage = json!({"type": "object", "properties": {"volumes": {"type": "array", "items": metadata}},
        "x-kubernetes-preserve-unknown-fields": true});
    schema(&mut objects, "KafkaNodePool", &json!({"storage": storage}));
    objects
}

/// Add these fields to the `spec` of the newest version of a kind's definition.
fn schema(objects: &mut [Value], kind: &str, fields: &Value) {
    let definition = objects.iter_mut().find(|o| o["spec"]["names"]["kind"] == kind).expect("a definition");
    definition["spec"]["versions"][0]["schema"] = json!({"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": fields, "x-kubernetes-preserve-unknown-fields": true}}}});
}

/// The files of minikube's sources that are read, with these facts.
fn minikube(folder: &Path, version: &str, (default, oldest): (&str, &str), listed: &[&str], runtime: &str) {
    let at = |name: &str| format!("minikube-{version}/{name}");
    let constants = format!(
        "const (\n\tDefaultKubernetesVersion = \"{default}\"\n\tNewestKubernetesVersion = \"{default}\"\n\
         \tOldestKubernetesVersion = \"{oldest}\"\n)\n"
    );
    put(folder, &at("constants.go"), constants);
    let listed: String = listed.iter().map(|version| format!("\t\"{version}\",\n")).collect();
    put(folder, &at("constants_kubernetes_versions.go"), format!("var All = []string{{\n{listed}}}\n"));
    let start =
        format!("func defaultRuntime() string {{\n\t// by itself\n\treturn constants.{runtime}\n}}\n");
    put(folder, &at("start.go"), start);
    let flags = [
        "driver",
        "memory",
        "cpus",
        "nodes",
        "kubernetes-version",
        "container-runtime",
        "uuid",
        "wait-timeout",
    ];
    let flags: String = flags.iter().map(|flag| format!("\tname = \"{flag}\"\n")).collect();
    put(folder, &at("start_flags.go"), flags);
}

/// What a current API server serves, by group and version.
const SERVED: [&str; 12] = [
    "apps/v1",
    "apiextensions.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
    "coordination.k8s.io/v1",
    "authorization.k8s.io/v1",
    "storage.k8s.io/v1",
    "events.k8s.io/v1",
    "batch/v1",
    "policy/v1",
    "networking.k8s.io/v1",
    "metrics.k8s.io/v1beta1",
    "admissionregistration.k8s.io/v1",
];

fn discovery(served: impl IntoIterator<Item = &'static str>) -> String {
    let items: Vec<Value> = served
        .into_iter()
        .filter_map(|api| api.split_once('/'))
        .map(|(group, version)| json!({"metadata": {"name": group}, "versions": [{"version": version}]}))
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "items": items}).to_string()
}

/// A line for each setting that counts brokers, as this version of Kafka prints it.
fn defaults(kafka: &str) -> String {
    let version = kafka.parse().expect("a version");
    let line = |need: &broker::Need| {
        format!("{}\tSHORT\t{}\n", need.name.trim_start_matches("rlmm.config."), need.default)
    };
    broker::needs(&version).map(line).collect()
}

pub fn changes_of_fictitious_releases_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Strimzi 1.3.0: one Kafka version more and one less, another version of its API in which listeners have another
    // name, no probe of the operator, and an object of an API that the next Kubernetes version does not serve.
    let mut objects = install_of("1.3.0", &["4.2.1", "4.3.0", "4.3.1", "4.4.0"], &["v2", "v1"]);
    let kafka = json!({"kafka": {"type": "object", "properties": {
        "version": {"type": "string"}, "config": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "readinessProbe": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "template": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "endpoints": {"type": "array"}}}});
    schema(&mut objects, "Kafka", &kafka);
    for object in &mut objects {
        if let Some(container) = object.pointer_mut("/spec/template/spec/containers/0") {
            container.as_object_mut().unwrap().remove("readinessProbe");
        }
    }
    objects
        .push(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x"}}));
    put(folder, "strimzi-cluster-operator-1.3.0.yaml", text(&objects));
    // minikube 1.40.0: Kubernetes 1.38 with CRI-O, none before 1.32.
    minikube(folder, "1.40.0", ("v1.38.0", "v1.32.0"), &["v1.38.0", "v1.36.9", "v1.36.8"], "CRIO");
    let flags = folder.join("minikube-1.40.0/start_flags.go");
    fs::write(&flags, fs::read_to_string(&flags).unwrap().replace("\"uuid\"", "\"id\"")).unwrap();
    let published = json!([{"name": "v1.40.0", "checksums": {"amd64": {"linux": "aa", "windows": "ww"},
        "arm64": {"linux": "bb"}, "linux": "aa"}}, {"name": "v1.39.0", "checksums": {"amd64": {"linux": "old"}}}]);
    put(folder, "minikube-1.40.0/releases-v2.json", published.to_string());
    // Kubernetes 1.38: without an API that Strimzi uses and one that kstrim uses.
    let gone = ["policy/v1", "coordination.k8s.io/v1"];
    put(folder, "kubernetes-1.38.json", discovery(SERVED.into_iter().filter(|api| !gone.contains(api))));
    put(folder, "kubectl-1.38.0.sha256", "cc  linux-amd64\n");
    // Kafka 4.4.0: a new internal topic, and a changed default.
    let changed = defaults("4.4.0")
        .replace("offsets.topic.replication.factor\tSHORT\t3", "offsets.topic.replication.factor\tSHORT\t5");
    let changed = changed.replace("share.coordinator.state.topic.min.isr\tSHORT\t2\n", "");
    put(
        folder,
        "kafka-4.4.0.tsv",
        format!("{changed}queue.state.topic.replication.factor\tSHORT\t3\nlog.retention.hours\tINT\t168\n"),
    );

    let all = found(folder);
    let strimzi = |what, words: &str| has(&all, Tool::Strimzi, what, words);
    strimzi(What::New, "write its facts");
    strimzi(What::KafkaVersions, "new: Kafka 4.4.0");
    strimzi(What::KafkaVersions, "gone: Kafka 4.2.0");
    strimzi(What::ApiVersions, "new: kafka.strimzi.io/ v2");
    strimzi(What::ApiVersions, "resources would be written as v2");
    strimzi(What::Schema, "metadata_version: false");
    strimzi(What::Rendering, "'listeners' was unexpected");
    strimzi(What::Manifest, "changes 2 things, not 3");
    let minikube = |what, words: &str| has(&all, Tool::Minikube, what, words);
    minikube(
        What::New,
        r#"{"version":"1.40.0","default":"1.38.0","oldest":"1.32.0","newest":"1.38.0","patches":["1.36.9"]}"#,
    );
    minikube(
        What::DefaultKubernetes,
        "makes Kubernetes 1.38.0 by default, which Strimzi 1.2.0 does not support",
    );
    minikube(What::DefaultKubernetes, "kstrim asks for 1.36.9");
    minikube(What::OldestKubernetes, "makes nothing older than 1.32.0: not for Strimzi ");
    minikube(What::DefaultRuntime, "takes constants.CRIO by default");
    minikube(What::Flag, "no --uuid");
    minikube(What::Digests, r#"to be added: "linux-amd64": "aa""#);
    minikube(What::Digests, r#"to be added: "linux-arm64": "bb""#);
    minikube(What::Digests, "darwin-arm64 was not published");
    has(
        &all,
        Tool::Kubernetes,
        What::ApiGone,
        "policy/v1 is not served; PodDisruptionBudget of Strimzi 1.3.0 uses it",
    );
    has(
        &all,
        Tool::Kubernetes,
        What::ApiGone,
        "coordination.k8s.io/v1 is not served; src/cluster/lease.rs uses it",
    );
    has(&all, Tool::Kubernetes, What::Unsupported, "no Strimzi release");
    has(&all, Tool::Kubectl, What::Digests, r#"to be added: "linux-amd64": "cc""#);
    let kafka = |what, words: &str| has(&all, Tool::Kafka, what, words);
    kafka(What::New, "no Strimzi release");
    kafka(What::BrokerDefault, "offsets.topic.replication.factor is 5 by default, broker.rs has 3");
    kafka(What::BrokerDefault, "queue.state.topic.replication.factor is new and 3 by default");
    kafka(What::BrokerDefault, "share.coordinator.state.topic.min.isr is gone");
    // What did not change is not reported.
    let told: BTreeSet<String> = all.iter().map(|f| format!("{:?} {:?}", f.tool, f.what)).collect();
    assert_eq!(told.len(), 17, "{told:#?}");
    assert!(!all.iter().any(|f| f.text.contains("ww") || f.text.contains("retention")), "{all:#?}");
}

/// Releases like the known ones in every respect: only their names are new.
pub fn a_release_that_changes_nothing_is_only_new() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    put(folder, "strimzi-cluster-operator-1.2.1.yaml", text(&like_1_2_0("1.2.1")));
    put(folder, "kubernetes-1.36.json", discovery(SERVED));
    put(folder, "kafka-4.3.1.tsv", defaults("4.3.1"));
    let all = found(folder);
    let told: Vec<_> = all.iter().map(|f| (f.tool, f.what)).collect();
    assert_eq!(told, [(Tool::Strimzi, What::New)], "{all:#?}");
    // According to the catalogue, minikube 1.39.0 changes nothing either.
    minikube(folder, "1.39.0", ("v1.37.0", "v1.28.0"), &["v1.37.0", "v1.36.4", "v1.36.3"], "Containerd");
    let published = catalogue::programs::digest(
        kstrim::internals::names::Tool::Minikube,
        &"1.39.0".parse().unwrap(),
        "linux-amd64",
    );
    let published = json!([{"name": "v1.39.0", "checksums": {"amd64": {"linux": published}}}]);
    put(folder, "minikube-1.39.0/releases-v2.json", published.to_string());
    let all = found(folder);
    let told: Vec<_> = all.iter().filter(|f| f.tool == Tool::Minikube).map(|f| f.what).collect();
    // Its default is outside of every Strimzi release's range, and the digests for three platforms are unknown.
    let wanted = [What::DefaultKubernetes, What::Digests, What::Digests, What::Digests];
    assert_eq!(told, wanted, "{all:#?}");
}
