//! The operator and its permissions: everything from the install manifest that belongs to the installation.

use std::rc::Rc;

use async_trait::async_trait;
use serde_json::Value;

use super::orphans::Orphans;
use super::{Scope, ends, few, moment, name, strimzis, with_labels};
use crate::cluster::installation::Owned;
use crate::cluster::session::Session;
use crate::cluster::{existing_operator, finalizers, operators, ownership};
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};
use crate::kube::object::text;
use crate::manifest::class_data;
use crate::manifest::label::{KSTRIM, MANAGED_BY};

/// Kinds of an install manifest: the path of the list; `{ns}` is the namespace.
const KINDS: [&str; 10] = [
    "/apis/apps/v1/namespaces/{ns}/deployments",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings",
    "/api/v1/namespaces/{ns}/configmaps",
    // The docker login of --image-pull-config.
    "/api/v1/namespaces/{ns}/secrets",
    "/api/v1/namespaces/{ns}/serviceaccounts",
    BINDINGS,
    ROLES,
    JOBS,
    CLAIMS,
    VOLUMES,
];
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
/// Of these kinds only what belongs to the class-data archives: the user's manifests may have others.
const JOBS: &str = "/apis/batch/v1/namespaces/{ns}/jobs";
const CLAIMS: &str = "/api/v1/namespaces/{ns}/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

/// Kinds that the operator reconciles: while somebody has one in the namespace, the operator is kept.
const RUN: [&str; 5] = ["kafkas", "kafkaconnects", "kafkabridges", "kafkamirrormaker2s", "kafkamirrormakers"];

/// The label of the operator's pods and of what creates them.
const SELECTOR: &str = "name=strimzi-cluster-operator";

/// The task.
pub(crate) struct Operator {
    orphans: Orphans,
}

impl Operator {
    /// What was known about the installation when `down` started.
    pub(crate) fn new(scope: Rc<Scope>) -> Self {
        Self { orphans: Orphans::new(scope) }
    }
}

#[async_trait(?Send)]
impl Task<Session> for Operator {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let runs = runs(cx).await?;
        if !runs.is_empty() {
            return Ok(Doneness::Done(format!(
                "kept, because it reconciles what kstrim did not create: {}",
                few(&runs)
            )));
        }
        let live = live(cx).await?;
        // Their names are very similar: the kind distinguishes them.
        let names: Vec<String> = live
            .iter()
            .flat_map(|(path, objects)| {
                let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
                objects.iter().map(move |object| format!("{kind}/{}", name(object)))
            })
            .collect();
        if !names.is_empty() {
            return Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))));
        }
        let pods = self.orphans.dependents(cx, cx.list(&pods_path(cx), "list what kstrim created").await?);
        let Some(pod) = pods.first() else {
            let left = self.orphans.sweep_namespace(cx).await?;
            if !left.is_empty() {
                return Ok(Doneness::Pending(format!("still exist: {}", few(&left))));
            }
            existing_operator::remember(cx, false)?;
            return Ok(Doneness::Done("no operator of kstrim's is left".into()));
        };
        self.orphans.sweep(cx, SELECTOR, &pods).await?;
        Ok(Doneness::Pending(format!("stopping: {}", name(pod))))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let mut all: Vec<Owned> = Vec::new();
        for (path, objects) in live(cx).await? {
            all.extend(ownership::owned(cx, &path, &objects).await?);
        }
        ownership::delete(cx, "the operator", all).await
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let left = cx.list(&pods_path(cx), "list what kstrim created").await.ok()?;
        finalizers::explain(cx, left.into_iter().map(|pod| ("Pod", pod)))
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

/// What is left of the installation, by the path of its list.
async fn live(cx: &Session) -> Result<Vec<(String, Vec<Value>)>> {
    ownership::installation(cx).await?;
    let selector = format!("{MANAGED_BY}={KSTRIM}");
    let one = |template: &'static str| {
        let collection = template.replace("{ns}", cx.namespace());
        let path = with_labels(&collection, &selector);
        async move {
            let found = cx.list(&path, "list what kstrim created").await?;
            let class_data = [JOBS, CLAIMS, VOLUMES].contains(&template);
            let of_operator = |o: &Value| match class_data {
                true => name(o).starts_with(class_data::NAME),
                false => name(o) != crate::cluster::installation::MARKER,
            };
            // A claim waits for its pods, and a volume for its claim: nothing else waits for them.
            let waits = |o: &Value| class_data && ends(o);
            let mine = |o: &Value| cx.owns(o) && of_operator(o) && !waits(o);
            Ok::<_, Box<Failure>>((collection, found.into_iter().filter(mine).collect::<Vec<_>>()))
        }
    };
    let mut found = futures_util::future::try_join_all(KINDS.map(one)).await?;
    let shared = shared(cx).await?;
    for (path, objects) in &mut found {
        if path == ROLES {
            objects.retain(|role| !shared.contains(&name(role)));
        }
    }
    Ok(found.into_iter().filter(|(_, objects)| !objects.is_empty()).collect())
}

/// Cluster roles that somebody else's binding refers to: the roles of Strimzi have the same names everywhere.
async fn shared(cx: &Session) -> Result<Vec<String>> {
    let everywhere = "/apis/rbac.authorization.k8s.io/v1/rolebindings";
    let (global, bindings) = tokio::join!(
        cx.list(BINDINGS, "list what kstrim created"),
        cx.list(everywhere, "list what kstrim created")
    );
    let bindings = global?.into_iter().chain(bindings?);
    // The operator's bindings for a Kafka cluster of the installation refer to service accounts of this namespace.
    let elsewhere = |b: &Value| {
        let subjects = b.get("subjects").and_then(Value::as_array);
        subjects.into_iter().flatten().any(|s| s["namespace"] != cx.namespace())
    };
    let theirs = bindings.filter(|b| !cx.owns(b) && elsewhere(b));
    Ok(theirs.map(|b| text(&b, "/roleRef/name").to_owned()).collect())
}

/// Other people's objects in the namespace that the operator reconciles.
async fn runs(cx: &Session) -> Result<Vec<String>> {
    ownership::installation(cx).await?;
    let one = |plural: &'static str| async move {
        let found = cx.list(&format!("{}/{plural}", strimzis(cx)), "list what kstrim created").await?;
        let theirs = found.into_iter().filter(|o| !cx.owns(o));
        Ok::<_, Box<Failure>>(theirs.map(|o| format!("{plural}/{}", name(&o))).collect::<Vec<_>>())
    };
    Ok(futures_util::future::try_join_all(RUN.map(one)).await?.concat())
}

/// Other installations of Strimzi in the cluster, which need its definitions.
pub(crate) async fn elsewhere(cx: &Session) -> Result<Vec<String>> {
    let all = operators::all(cx).await;
    let all = all.map_err(|e| cx.api_failure("look for other operators", &e))?;
    let theirs = all.iter().filter(|d| !cx.owns(d));
    Ok(theirs.map(|d| format!("the operator in namespace {}", text(d, "/metadata/namespace"))).collect())
}

fn pods_path(cx: &Session) -> String {
    with_labels(&format!("/api/v1/namespaces/{}/pods", cx.namespace()), SELECTOR)
}
