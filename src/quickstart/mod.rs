//! All tasks of `up` in one table.
//!
//! ```text
//! preflight ─ cluster ── namespace ─ crds ─┬─ operator ───────────────┐
//!          └─ images ──────────────────────┴─ kafka ─ topic ─ smoke ──┴─ ready
//!                                               └─ components ─ proof ─┘
//! ```
//! `cluster` is done when the API server responds, not when `minikube start` returns; `images` runs at the same time,
//! as soon as the node is running, the operator's first; `namespace` acquires the Lease, without which nothing is
//! changed; `kafka` waits for its CRDs, not for the operator; `smoke` runs while the entity operator is still starting.
//! If images come from archives, `kafka` waits for `images`, and `operator` for its own image, because the kubelet cannot pull those itself.

pub(crate) mod check_files;
pub(crate) mod class_data;
pub(crate) mod cluster;
pub(crate) mod components;
pub(crate) mod context;
pub(crate) mod crds;
pub(crate) mod existing_cluster;
pub(crate) mod files;
mod image_cache;
pub(crate) mod images;
pub(crate) mod kafka;
pub(crate) mod namespace;
pub(crate) mod next;
pub(crate) mod nodes;
pub(crate) mod operator;
pub(crate) mod preflight;
pub(crate) mod programs;
pub(crate) mod proof;
pub(crate) mod ready;
pub(crate) mod script;
pub(crate) mod smoke;
pub(crate) mod sources;
pub(crate) mod topic;
pub(crate) mod unbundle;
pub(crate) mod user_objects;

use self::check_files::CheckFiles;
use self::context::Context;
use self::files::UserFiles;
use crate::component;
use crate::config::Settings;
use crate::engine::task::{Plan, Spec};
use crate::user_manifests::order::Phase;

/// All tasks of `up`, in display order. With `prune`, objects that are no longer in `files` are deleted.
pub(crate) fn plan(settings: &Settings, files: Option<&UserFiles>, prune: bool) -> Plan<Context> {
    // An existing cluster is checked, not started, and pulls its images itself.
    let exists = settings.target.context.is_some();
    let archives = settings.loads_archives();
    let mut plan = Plan::default();
    if exists {
        plan.add(Spec::new("preflight", "Preflight", &[], 5), existing_cluster::Preflight::default());
    } else {
        // Downloading programs may take long.
        plan.add(Spec::new("preflight", "Preflight", &[], 30), preflight::Preflight::default());
        plan.add(Spec::new("cluster", "minikube cluster", &["preflight"], 40), cluster::Cluster::default());
        plan.add(Spec::new("images", "Images", &["preflight"], 40), images::Images::default());
    }
    let mut running = if exists { "preflight" } else { "cluster" };
    if files.is_some() {
        plan.add(Spec::new("manifests", "Your manifests", &[running], 1), CheckFiles);
        running = "manifests";
    }
    plan.add(Spec::new("namespace", "Namespace", &[running], 3), namespace::Namespace::default());
    plan.add(Spec::new("crds", "Custom resource definitions", &["namespace"], 5), crds::Crds::default());
    let needs = ["namespace", "crds"];
    plan.add(Spec::new("operator", "Strimzi operator", &needs, 10), operator::Operator::with_image(archives));
    let cluster = settings.target.cluster.as_str();
    let groups = files.map(|files| user_objects::groups(files, cluster)).unwrap_or_default();
    let before =
        groups.iter().filter(|group| group.phase == Phase::Foundations).map(|group| group.id.as_str());
    let kafka_needs: Vec<&str> = needs.iter().copied().chain(before).collect();
    plan.add(Spec::new("kafka", "Kafka brokers", &kafka_needs, 15), kafka::Kafka::with_images(archives));
    // A topic in the manifests is created as described there: the task of the run's topic waits for it.
    let theirs = files.is_some_and(|files| files.has_topic(cluster, settings.topic.as_str()));
    let topics = groups.iter().filter(|group| theirs && group.kind() == "KafkaTopic");
    let topics: Vec<String> = topics.map(|group| group.id.clone()).collect();
    let own = match files {
        Some(files) => {
            user_objects::add(&mut plan, groups, files.needs_authenticator(cluster), archives, prune)
        }
        None => Vec::new(),
    };
    let topic_needs: Vec<&str> = ["kafka"].into_iter().chain(topics.iter().map(String::as_str)).collect();
    plan.add(Spec::new("topic", "Topic", &topic_needs, 3), topic::Topic::default());
    plan.add(Spec::new("smoke", "Smoke test", &["topic"], 3), smoke::Smoke::default());
    for name in &settings.with {
        let title = component::of(*name).title;
        // Their images are among those that Kafka waits for.
        plan.add(Spec::new(name.as_str(), title, &["kafka"], 10), components::ComponentTask::new(*name));
    }
    let mut ready = vec!["operator", "smoke"];
    if !settings.with.is_empty() {
        let mut needs = vec!["smoke"];
        needs.extend(settings.with.iter().map(|name| name.as_str()));
        plan.add(
            Spec::new("proof", "Smoke test of components", &needs, 4),
            proof::Proof::new(&settings.with),
        );
        ready.push("proof");
    }
    ready.extend(own.iter().map(String::as_str));
    plan.add(Spec::new("ready", "Everything ready", &ready, 10), ready::Ready::default());
    plan
}
