//! An operator that already exists in the cluster determines the release, before the settings of a run are resolved.
//!
//! Nothing else is decided here: an operator that cannot be used is refused by the preflight.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::existing_operator::ExistingOperator;
use crate::cluster::installation::{by_kstrim, label};
use crate::cluster::journal::JournalFile;
use crate::cluster::operators;
use crate::config::Settings;
use crate::exec::cancel::Cancel;
use crate::exec::system::System;
use crate::failure::Failure;
use crate::kube::Object;
use crate::kube::kafka::Kafka;
use crate::kube::kubectl::Kubectl;
use crate::kube::object::text;
use crate::manifest::label::ID;
use crate::names::{Tool, Version};
use crate::paths::{ProfilePaths, state_dir};
use crate::quickstart::programs;
use crate::tool::minikube::Minikube;

/// A local API server that is available responds within this time. That of a stopped or deleted profile does
/// not respond.
const PROMPT: Duration = Duration::from_secs(2);
/// A remote API server may need longer.
const FAR: Duration = Duration::from_secs(15);

/// What was found in the cluster.
pub(super) struct Found {
    operator: ExistingOperator,
    /// The version of the Kafka that kstrim created there.
    kafka: Option<Version>,
}

/// Find an operator that kstrim did not install and that watches the namespace; `None` also if the API server does
/// not respond.
pub(super) async fn look(settings: &Settings) -> Option<Found> {
    let target = &settings.target;
    let paths = ProfilePaths::new(state_dir(), target.profile.as_str());
    let kubeconfig = paths.kubeconfig();
    // For kstrim's own operator no request is needed: the preflight checks whether it still exists.
    let journal = JournalFile::open(&paths.journal(), target.profile.as_str()).ok();
    if journal.is_some_and(|journal| journal.state.own_operators.contains(target.namespace.as_str())) {
        return None;
    }
    let runner = Rc::new(System::new(Cancel::default(), false));
    let program = |tool| programs::locate(tool, &paths, settings.system_tools).ok();
    let limit = if target.context.is_some() { FAR } else { PROMPT };
    if !kubeconfig.is_file() {
        // The user's own profile, for which kstrim has no kubeconfig yet.
        if !settings.adopt || target.context.is_some() {
            return None;
        }
        let minikube = program(Tool::Minikube)?;
        let minikube = Minikube::new(minikube, target.profile.as_str(), &kubeconfig, runner.clone());
        if minikube.on_disk().token.is_none() && !minikube.on_disk().addressed {
            return None;
        }
        minikube.run_cmd(&minikube.update_context_cmd()).await.ok()?;
    }
    let kubectl = Kubectl::new(program(Tool::Kubectl)?, &kubeconfig, target.profile.as_str(), runner);
    if !kubectl.has_context() {
        return None;
    }
    tokio::time::timeout(limit, among(&kubectl.clone().without_retries(), settings)).await.ok()?
}

async fn among(kubectl: &Kubectl, settings: &Settings) -> Option<Found> {
    let (namespace, cluster) = (settings.target.namespace.as_str(), settings.target.cluster.as_str());
    let operators: Vec<Object> =
        operators::listed(kubectl).await.ok()?.into_iter().map(Object::new).collect();
    // The installation's id is compared by the preflight; here the namespace suffices, since kstrim's own operators
    // watch no other.
    let ours = |object: &Value| by_kstrim(object) && text(object, "/metadata/namespace") == namespace;
    ExistingOperator::among(&operators, namespace, None, ours)?;
    let kafka = operators::kafka_resource(kubectl, namespace, cluster).await;
    let operator = ExistingOperator::among(&operators, namespace, kafka.as_ref(), ours)?;
    let mine = kafka.filter(|kafka| by_kstrim(kafka.json()) && label(kafka.json(), ID).is_some());
    let kafka = mine.and_then(|kafka| Kafka(&kafka).requested_version().parse().ok());
    Some(Found { operator, kafka })
}

impl Found {
    /// The release of the operator is that of the run, unless another one was requested, which the preflight refuses.
    pub(super) fn choose_release(&self, settings: &mut Settings) {
        if let (None, Some(release)) = (&settings.release, self.operator.release()) {
            settings.release = Some(release.version.clone());
        }
    }

    /// The Kafka version: the requested one, the current one, or the newest that the operator and the
    /// catalogue support.
    pub(super) fn choose_kafka(&self, settings: &mut Settings) {
        let release = self.operator.release().map(|release| &release.version);
        if settings.kafka.is_some() || release.is_none() || settings.release.as_ref() != release {
            return;
        }
        let kafkas = self.operator.kafkas();
        let kept = self.kafka.clone().filter(|running| kafkas.contains(running));
        settings.kafka = kept.or(kafkas.last().cloned());
    }

    /// A failure to resolve the settings, with the operator that decides the release.
    pub(super) fn explain(&self, settings: &Settings, failure: Box<Failure>) -> Box<Failure> {
        let release = self.operator.release().map(|release| &release.version);
        if release.is_none() || settings.release.as_ref() != release {
            return failure;
        }
        let why = format!(
            "the release is that of {}, which watches namespace {}",
            self.operator.described(),
            settings.target.namespace
        );
        Box::new(failure.because(why))
    }
}
