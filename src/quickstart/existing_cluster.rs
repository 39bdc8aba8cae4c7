//! Preflight of an existing cluster (`--context`), instead of `preflight` and `cluster`: whether it responds, whether
//! its Kubernetes version is supported, whether this user has the permissions that the plan needs, and whether
//! somebody else's Strimzi is installed. Reads only.

use std::cell::OnceCell;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::Value;

use super::context::Context;
use super::{check_files, sources};
use crate::checks::{self, Ground, Group};
use crate::cluster::connection;
use crate::cluster::installation;
use crate::cluster::operator_refusals::beside_others;
use crate::cluster::{existing_operator, operators, ownership, refusals};
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::explain;
use crate::failure::{Failure, Kind, Result};
use crate::kube::{Kind as ObservedKind, Object};
use crate::manifest::render::Preset;
use crate::names::KubernetesVersion;
use crate::quickstart::context::Reached;

/// Permissions that the plan needs in the whole cluster: verb and resource.
const EVERYWHERE: [(&str, &str); 8] = [
    ("get", "namespaces"),
    ("create", "namespaces"),
    ("create", "customresourcedefinitions.apiextensions.k8s.io"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("create", "clusterroles.rbac.authorization.k8s.io"),
    ("patch", "clusterroles.rbac.authorization.k8s.io"),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
    ("list", "nodes"),
];
/// Permissions that it needs in its namespace.
const IN_NAMESPACE: [(&str, &str); 17] = [
    ("create", "serviceaccounts"),
    ("create", "configmaps"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
    ("create", "deployments.apps"),
    ("patch", "deployments.apps"),
    ("list", "pods"),
    ("delete", "pods"),
    ("get", "pods/log"),
    ("create", "pods/portforward"),
    ("list", "persistentvolumeclaims"),
    ("list", "events"),
    ("create", "leases.coordination.k8s.io"),
    ("update", "leases.coordination.k8s.io"),
    ("delete", "leases.coordination.k8s.io"),
    ("create", "kafkas.kafka.strimzi.io"),
    ("create", "kafkanodepools.kafka.strimzi.io"),
    ("create", "kafkatopics.kafka.strimzi.io"),
];

/// Those of them that are needed only to install Strimzi.
const OF_STRIMZI: [&str; 6] = [
    "customresourcedefinitions.apiextensions.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "serviceaccounts",
    "deployments.apps",
];

/// The task.
#[derive(Default)]
pub(crate) struct Preflight {
    passed: OnceCell<String>,
}

#[async_trait(?Send)]
impl Task<Context> for Preflight {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        Ok(match self.passed.get() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("checking the cluster".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        cx.journal.borrow().refuse_newer()?;
        let ground = Ground::of(cx, &cx.settings);
        checks::refuse(&ground, Group::Disk, |_| {}).await?;
        if let Err(why) = connection::connect(cx, cx.starting()).await? {
            let message = "the cluster does not respond";
            let failure = Failure::new(crate::errors::NO_CLUSTER, Kind::Prerequisite, message).because(why);
            return Err(Box::new(
                failure.hint("check that your own kubectl can connect to the cluster with this context"),
            ));
        }
        ownership::determine(cx, cx.starting()).await?;
        ownership::installation(cx).await?;
        let kubernetes = kubernetes(cx).await?;
        existing_operator::of(cx).await?;
        let (allowed, theirs, volumes) = tokio::join!(allowed(cx), strimzi(cx), volumes(cx));
        allowed?;
        // Why an existing operator cannot be used is more relevant than why no other one can be installed.
        let mut operators = operators(cx).await?;
        if operators::find_existing(cx, &operators).await?.is_some() {
            operators.clear();
        }
        theirs?;
        volumes?;
        operators.retain(installation::by_kstrim);
        let _ = ground.operators.set(operators);
        checks::refuse(&ground, Group::Profile, |_| {}).await?;
        cx.machine_is(Reached::Api);
        cx.observe(&[
            ObservedKind::Namespace,
            ObservedKind::Deployment,
            ObservedKind::Pod,
            ObservedKind::Claim,
            ObservedKind::Event,
        ]);
        if cx.existing_operator().is_none() {
            sources::prefetch(cx);
        }
        check_files::check(cx, true).await?;
        let _ = self.passed.set(format!("Kubernetes {kubernetes}, all permissions granted"));
        Ok(())
    }

    async fn describe(&self, _: &Context) -> Result<Vec<String>> {
        let questions = EVERYWHERE.len() + IN_NAMESPACE.len();
        Ok(vec![format!("kubectl auth can-i VERB RESOURCE   # {questions} questions")])
    }
}

async fn kubernetes(cx: &Context) -> Result<String> {
    let failed = |e| cx.api_failure("query its version", &e);
    let version: Value =
        serde_json::from_str(&cx.kubectl.raw("/version").await.map_err(failed)?).unwrap_or_default();
    let said = version.pointer("/gitVersion").and_then(Value::as_str).unwrap_or_default();
    // Providers append a suffix: `v1.33.5-gke.1080000`, `v1.33.5-eks-3025e55`.
    let bare = said.split(['-', '+']).next().unwrap_or_default().trim_start_matches('v').to_owned();
    let release = cx.choice.release;
    match bare.parse::<KubernetesVersion>() {
        Ok(live) if !release.kubernetes.contains(live.minor()) && !cx.settings.allow_unsupported => {
            let what = format!("the cluster runs Kubernetes {bare}");
            Err(Box::new(checks::profile::unsupported(&cx.settings, release, &what, live.minor())))
        }
        _ => Ok(bare),
    }
}

async fn allowed(cx: &Context) -> Result<()> {
    let everywhere = EVERYWHERE.iter().map(|(verb, what)| (*verb, *what, None));
    let here = IN_NAMESPACE.iter().map(|(verb, what)| (*verb, *what, Some(cx.namespace())));
    // Strimzi itself is installed only if the cluster does not have it yet.
    let installs = cx.existing_operator().is_none();
    let asked = everywhere.chain(here).filter(|(_, what, _)| installs || !OF_STRIMZI.contains(what));
    let asked = asked.map(|(verb, what, namespace)| async move {
        let place = namespace.map_or("in the whole cluster".to_owned(), |n| format!("in namespace {n}"));
        match cx.kubectl.may(verb, what, namespace).await {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(format!("{verb} {what} {place}"))),
            Err(e) => Err(cx.api_failure("query the permissions", &e)),
        }
    });
    let mut missing = Vec::new();
    for answer in join_all(asked).await {
        missing.extend(answer?);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the user of this context does not have all required permissions: {} are missing",
        missing.len()
    );
    let failure = Failure::new(errors::CONTEXT_FORBIDDEN, Kind::Prerequisite, message);
    Err(Box::new(
        missing.into_iter().fold(failure, |f, what| f.because(format!("missing permission: {what}"))).hint(
            "ask the administrator for a role such as cluster-admin: Strimzi installs CRDs and roles for the \
             whole cluster",
        ),
    ))
}

async fn operators(cx: &Context) -> Result<Vec<Value>> {
    operators::all(cx).await.map_err(|e| cx.api_failure("read the operators", &e))
}

/// Warn of an operator that kstrim did not install, and refuse if its cluster-wide roles would be replaced.
async fn strimzi(cx: &Context) -> Result<()> {
    let text = |o: &Value, at: &str| o.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    if cx.existing_operator().is_some() {
        // It is used unchanged: none of its objects are applied.
        return Ok(());
    }
    let operators = operators(cx).await?;
    let theirs = operators.iter().filter(|o| !cx.owns(o));
    let elsewhere: Vec<&Value> =
        theirs.filter(|o| text(o, "/metadata/namespace") != cx.namespace()).collect();
    for operator in &elsewhere {
        let namespace = text(operator, "/metadata/namespace");
        cx.emit.warn(format!("another Strimzi operator runs in namespace {namespace}: two that watch one namespace undo each other's work"),
        );
    }
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?labelSelector=app%3Dstrimzi";
    let bindings = cx.list(path, "look for other roles").await?;
    let Some(taken) = bindings.iter().find(|b| !cx.owns(b)) else { return Ok(()) };
    let name = text(taken, "/metadata/name");
    let message =
        format!("Strimzi is in this cluster, and kstrim did not install it: ClusterRoleBinding {name}");
    let failure = Failure::new(errors::CONTEXT_STRIMZI, Kind::Foreign, message)
        .because("its roles have the same names as kstrim's; applying kstrim's would remove its permissions");
    let objects: Vec<Object> = elsewhere.into_iter().cloned().map(Object::new).collect();
    let failure = beside_others(&cx.target, failure, &objects);
    Err(Box::new(
        failure.hint("use a namespace that its operator watches").hint("or use a cluster without Strimzi"),
    ))
}

/// Refuse if no volumes would be provisioned for a new Kafka cluster: its claims name no storage class, and without a
/// default class they stay pending forever. If the storage classes cannot be read, this is not checked.
async fn volumes(cx: &Context) -> Result<()> {
    if cx.preset() == Preset::Ephemeral {
        return Ok(());
    }
    let Ok(Some(list)) = cx.kubectl.find("/apis/storage.k8s.io/v1/storageclasses").await else {
        return Ok(());
    };
    let classes = explain::storage_classes(&list);
    let named: Vec<&str> = classes.iter().map(|(name, _)| *name).collect();
    if classes.iter().any(|(_, default)| *default) || has_volumes(cx).await {
        return Ok(());
    }
    Err(Box::new(refusals::no_class(&cx.target, &named, refusals::up(cx))))
}

/// Whether the Kafka cluster already has volume claims.
async fn has_volumes(cx: &Context) -> bool {
    let path = format!(
        "/api/v1/namespaces/{}/persistentvolumeclaims?labelSelector=strimzi.io%2Fcluster%3D{}",
        cx.namespace(),
        cx.cluster()
    );
    cx.kubectl.list(&path).await.is_ok_and(|claims| !claims.is_empty())
}
