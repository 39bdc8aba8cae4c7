//! All tasks of `up` in one table.
//!
//! ```text
//! preflight ─ cluster ── namespace ─ crds ─┬─ operator ───────────────┐
//!          └─ images ──────────────────────┴─ kafka ─ topic ─ smoke ──┴─ ready
//!                                               └─ components ─ proof ─┘
//! ```
//! `cluster` is done when the API server answers, not when `minikube start` returns; `images` works
//! beside it as soon as the node runs; `namespace` acquires the Lease, without which nothing is changed; `kafka`
//! waits for its resource definitions, not for the operator; `smoke` runs while the entity operator still starts.
//! `operator` and `kafka` wait for `images` only when images come from archives, since the kubelet cannot pull those
//! itself.

pub mod cluster;
pub mod component;
pub mod crds;
pub mod existing_cluster;
pub mod images;
pub mod kafka;
pub mod namespace;
pub mod next;
pub mod nodes;
pub mod operator;
pub mod preflight;
pub mod programs;
pub mod proof;
pub mod ready;
pub mod script;
pub mod smoke;
pub mod sources;
pub mod topic;
pub mod unbundle;

use std::rc::Rc;
use std::time::Duration;

use crate::cluster::session::Cx;
use crate::config::Settings;
use crate::engine::task::{Spec, Task};

/// Everything `up` does, in the order it is listed to people.
pub fn tasks(settings: &Settings) -> Vec<Rc<dyn Task<Cx>>> {
    if settings.target.context.is_some() {
        return elsewhere(settings);
    }
    let archives = !settings.image_archives.is_empty() || settings.bundle.is_some();
    let tasks: Vec<Rc<dyn Task<Cx>>> = vec![
        Rc::new(preflight::Preflight::default()),
        Rc::<cluster::Cluster>::default(),
        Rc::new(images::Images::default()),
        Rc::new(namespace::Namespace::default()),
        Rc::new(crds::Crds::default()),
        Rc::new(operator::Operator::new(archives)),
        Rc::new(kafka::Kafka::new(archives)),
        Rc::new(topic::Topic::default()),
        Rc::new(smoke::Smoke::default()),
    ];
    tasks.into_iter().chain(last(settings)).collect()
}

/// What stands beside Kafka, and the wait for all of it.
fn last(settings: &Settings) -> impl Iterator<Item = Rc<dyn Task<Cx>>> {
    let beside = settings.with.iter().map(|name| {
        let task: Rc<dyn Task<Cx>> = Rc::new(component::Beside::new(*name, &["kafka"]));
        task
    });
    let ready: Rc<dyn Task<Cx>> = Rc::new(ready::Ready::after(&settings.with));
    let proof = (!settings.with.is_empty()).then(|| {
        let task: Rc<dyn Task<Cx>> = Rc::new(proof::Proof::new(&settings.with));
        task
    });
    beside.chain(proof).chain(std::iter::once(ready))
}

/// The same on somebody's own cluster: no `cluster`, no `images`, another `preflight`.
fn elsewhere(settings: &Settings) -> Vec<Rc<dyn Task<Cx>>> {
    let rest: Vec<Rc<dyn Task<Cx>>> = vec![
        Rc::new(namespace::Namespace::default()),
        Rc::new(crds::Crds::default()),
        Rc::new(operator::Operator::new(false)),
        Rc::new(kafka::Kafka::new(false)),
        Rc::new(topic::Topic::default()),
        Rc::new(smoke::Smoke::default()),
    ];
    let rest = rest.into_iter().chain(last(settings));
    let preflight: Rc<dyn Task<Cx>> = Rc::new(existing_cluster::Preflight::default());
    std::iter::once(preflight).chain(rest.map(existing_cluster::Rewired::around)).collect()
}

fn spec(id: &'static str, title: &'static str, needs: &[&'static str], minutes: u64) -> Spec {
    Spec { id, title, needs: needs.to_vec(), timeout: Duration::from_secs(60 * minutes) }
}

/// Ends when the cluster changed, at the latest after a second: some causes are a matter of time.
pub(crate) async fn store_or_second(cx: &Cx) {
    let version = cx.store.version();
    tokio::select! {
        _ = cx.store.newer_than(version) => {}
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
}
