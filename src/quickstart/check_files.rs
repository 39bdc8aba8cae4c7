//! Checks the user's own manifests against the release, each other and the objects in the namespace, before
//! anything is changed.

use async_trait::async_trait;
use serde_json::Value;

use super::context::Context;
use super::files::UserFiles;
use super::user_objects::collection;
use super::{kafka, sources};
use crate::catalogue::Release;
use crate::cluster::existing_operator::ExistingOperator;
use crate::cluster::installation::{self, MARKER};
use crate::cluster::operator_refusals::other_label;
use crate::cluster::{access, definitions, ownership};
use crate::config::PULL_SECRET;
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::kube::object::text;
use crate::manifest::label::is_of_files;
use crate::manifest::{self, Object, Phases};
use crate::tool::minikube_output::Listed;
use crate::user_manifests::document::Document;
use crate::user_manifests::references::{self, Cluster, Existing};
use crate::user_manifests::{built_in, problem, schema, scope};

/// Refuse manifests that do not match the release, each other, or the objects in the namespace, before anything is
/// changed. `answers`: whether there is a cluster that responds.
pub(crate) async fn check(cx: &Context, answers: bool) -> Result<()> {
    let Some(files) = &cx.files else { return Ok(()) };
    compare(cx, files, answers).await?;
    for reason in &files.reasons {
        cx.emit.warn(format!("Strimzi {} is used: {reason}", cx.choice.release.version));
    }
    Ok(())
}

async fn compare(cx: &Context, files: &UserFiles, answers: bool) -> Result<()> {
    let Some(operator) = cx.existing_operator() else {
        return files.check(cx, &sources::install(cx).await?.phases, answers).await;
    };
    files.selected(cx, operator)?;
    // Nothing is installed, and the API server checks against its own definitions.
    let crds = definitions::list(cx).await?.into_iter().filter_map(typed).collect();
    files.check(cx, &Phases { crds, ..Phases::default() }, answers).await
}

/// The task that checks the manifests with the cluster once it is running, if the preflight could not: because the
/// profile was stopped, or did not exist.
pub(crate) struct CheckFiles;

#[async_trait(?Send)]
impl Task<Context> for CheckFiles {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let Some(files) = &cx.files else { return Ok(Doneness::Done("there are none".into())) };
        Ok(match (files.references_checked.get(), files.accepted.get()) {
            (true, true) => Doneness::Done("what they refer to exists".into()),
            (true, false) => Doneness::Pending("the API server has not checked them".into()),
            (false, _) => Doneness::Pending("the cluster was stopped".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let Some(files) = &cx.files else { return Ok(()) };
        if files.references_checked.get() {
            return files.dry_run(cx).await;
        }
        compare(cx, files, true).await
    }

    async fn describe(&self, _: &Context) -> Result<Vec<String>> {
        Ok(vec!["# what the manifests refer to, and what the namespace has".into()])
    }
}

/// A definition from a list as an object; the API server omits the kind from the items of a list.
fn typed(mut definition: serde_json::Value) -> Option<Object> {
    definition["apiVersion"] = "apiextensions.k8s.io/v1".into();
    definition["kind"] = "CustomResourceDefinition".into();
    Object::new(definition).ok()
}

impl UserFiles {
    /// Refuse manifests that the operator would ignore: kstrim adds the labels that it selects by, but replaces none.
    fn selected(&self, cx: &Context, operator: &ExistingOperator) -> Result<()> {
        let selector = operator.selector();
        let read = self.given.documents.iter().filter(|d| d.object.group() == "kafka.strimzi.io");
        for document in read {
            let labels = document.object.get("/metadata/labels");
            let other = |(name, value): &&(String, String)| {
                labels.and_then(|labels| labels.get(name)).is_some_and(|label| label != value.as_str())
            };
            if let Some((name, value)) = selector.iter().find(other) {
                let at = document.at("/metadata/labels").to_string();
                return Err(other_label(&cx.target, operator, &at, (name, value)));
            }
        }
        Ok(())
    }

    /// Refuse manifests that do not match the release's definitions, or contradict each other or the objects in
    /// the namespace.
    async fn check(&self, cx: &Context, install: &Phases, answers: bool) -> Result<()> {
        let (release, definitions) = (cx.choice.release, &install.crds);
        let own = |object: &Object| {
            let own = install
                .namespaced
                .iter()
                .any(|own| own.kind() == object.kind() && own.name() == object.name());
            own || matches!(
                (object.kind(), object.name()),
                ("Secret", PULL_SECRET) | ("KafkaUser", access::USER) | ("ConfigMap", MARKER)
            )
        };
        if let Some(document) = self.given.documents.iter().find(|document| own(&document.object)) {
            let message = format!(
                "{}: {} is an object of kstrim's own",
                document.at("/metadata/name"),
                document.object
            );
            let failure = Failure::new(errors::FILE_SCOPE, Kind::Usage, message);
            return Err(Box::new(failure.hint("leave it out, or give it another name")));
        }
        self.check_definitions(release, definitions)?;
        let mut existing = Existing::default();
        if answers {
            self.check_served(cx).await?;
            self.look(cx, &mut existing).await?;
        } else if matches!(cx.machine.listed.get(), Some(Listed::Valid(_))) {
            // A stopped profile may contain what the manifests refer to: they are compared once it is running.
            return Ok(());
        } else {
            // The cluster will be a new one.
            let new = |document: &&Document| !built_in::is_served(&document.object);
            let unserved = self.needed().filter(new).map(scope::unserved).collect::<Vec<_>>();
            problem::failure(&unserved).map_or(Ok(()), Err)?;
        }
        let preset = !self.has_kafka(cx.cluster()) && self.given.kafkas().next().is_none();
        if preset && !existing.kafkas.iter().any(|kafka| kafka.name == cx.cluster()) {
            let wanted = kafka::wanted(cx)?;
            let pools: Vec<&Object> = wanted.iter().filter(|o| o.kind() == "KafkaNodePool").collect();
            existing
                .kafkas
                .extend(wanted.iter().filter(|o| o.kind() == "Kafka").map(|o| Cluster::of(o, &pools)));
        }
        let problems = references::check(&self.fitted.documents, &existing, cx.namespace(), release);
        problem::failure(&problems).map_or(Ok(()), Err)?;
        self.references_checked.set(true);
        if answers { self.dry_run(cx).await } else { Ok(()) }
    }

    /// Refuse what does not match the definitions of the release, without a cluster.
    pub(crate) async fn check_schema(&self, cx: &Context) -> Result<()> {
        self.check_definitions(cx.choice.release, &sources::install(cx).await?.phases.crds)
    }

    fn check_definitions(&self, release: &Release, definitions: &[Object]) -> Result<()> {
        let problems = schema::Definitions::new(release, definitions).check(&self.given.documents);
        problem::failure(&problems).map_or(Ok(()), Err)
    }

    /// Refuse objects of Kubernetes' own and other kinds that the API server rejects, before anything is created.
    /// Those of Strimzi were checked against the definitions, which the run may have yet to install.
    async fn dry_run(&self, cx: &Context) -> Result<()> {
        let documents: Vec<&Document> = self.needed().filter(|d| !schema::is_strimzi(&d.object)).collect();
        // As long as the namespace does not exist, they are checked in another one: the rules are the same.
        let path = format!("/api/v1/namespaces/{}", cx.namespace());
        let found = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the namespace", &e))?;
        let placed = |document: &Document| {
            let mut object = self.placed(&document.object);
            if found.is_none() {
                object.set(&["metadata", "namespace"], "default");
            }
            object
        };
        let all: Vec<Object> = documents.iter().map(|document| placed(document)).collect();
        let rejected = async |objects: &[Object]| {
            let error = cx.kubectl.would_apply(&manifest::to_yaml(objects), false).await.err()?;
            let failure = cx.api_failure("check the manifests", &error);
            // Anything else, such as a conflict with another client, is reported when the object is applied.
            (failure.id == errors::RESOURCE_INVALID).then_some(failure)
        };
        if !all.is_empty() && rejected(&all).await.is_some() {
            let mut problems = Vec::new();
            for (document, object) in documents.iter().zip(&all).take(problem::LISTED) {
                if let Some(failure) = rejected(std::slice::from_ref(object)).await
                    && !self.is_foreign(cx, object).await?
                {
                    problems.push(scope::rejected(document, &failure.causes));
                }
            }
            problem::failure(&problems).map_or(Ok(()), Err)?;
        }
        self.accepted.set(true);
        Ok(())
    }

    /// Whether somebody else has an object of this name: then it is not changed, and the task of its kind says so.
    async fn is_foreign(&self, cx: &Context, object: &Object) -> Result<bool> {
        let path =
            format!("{}/{}", collection(cx, object.api_version(), object.kind()).await?, object.name());
        let found = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the object", &e))?;
        Ok(found.is_some_and(|live| !cx.owns(&live)))
    }

    /// The documents without those that `--fit` leaves out where their kind is not served.
    fn needed(&self) -> impl Iterator<Item = &Document> {
        let documents = self.fitted.documents.iter();
        documents.filter(|document| !(self.fitting && scope::is_optional(document.object.group())))
    }

    /// Refuse kinds that the cluster does not serve. Strimzi's own definitions are installed by the run.
    async fn check_served(&self, cx: &Context) -> Result<()> {
        let mut unserved = Vec::new();
        for document in self.needed().filter(|document| !schema::is_strimzi(&document.object)) {
            match collection(cx, document.object.api_version(), document.object.kind()).await {
                Ok(_) => {}
                Err(failure) if failure.id == errors::KIND_MISSING => {
                    unserved.push(scope::unserved(document))
                }
                Err(failure) => return Err(failure),
            }
        }
        problem::failure(&unserved).map_or(Ok(()), Err)
    }

    /// Refuse to turn the Kafka cluster of a preset into another one of the same name: its node pools would stay.
    async fn refuse_preset_pools(&self, cx: &Context, pools: &[Value]) -> Result<()> {
        let own = ownership::installation(cx).await?;
        let cluster = cx.cluster();
        let of_files = self.fitted.pools(cluster);
        let is_preset = |pool: &&Value| {
            installation::cluster_of(pool) == Some(cluster)
                && own.owns(pool)
                && !is_of_files("KafkaNodePool", pool)
                && !of_files.iter().any(|own| own.object.name() == text(pool, "/metadata/name"))
        };
        let found = pools.iter().find(is_preset).filter(|_| self.has_kafka(cluster));
        let Some(pool) = found else { return Ok(()) };
        let message = format!("the Kafka {cluster} exists already, from a preset and with other node pools");
        let why = format!("the manifests have no node pool {}", text(pool, "/metadata/name"));
        let down = cx.target.kstrim("down --keep-cluster");
        Err(Box::new(
            Failure::new(errors::FILE_PRESET, Kind::Usage, message)
                .because(why)
                .hint(format!("delete it with its data, then run the command again: {down}"))
                .hint("or give the Kafka in your manifests another name"),
        ))
    }

    /// Read the objects of the namespace that manifests may refer to.
    async fn look(&self, cx: &Context, existing: &mut Existing) -> Result<()> {
        let namespace = cx.namespace();
        let strimzi = format!("/apis/kafka.strimzi.io/{}", cx.api_version().as_str());
        for (api, kind, plural) in [
            ("/api/v1", "ConfigMap", "configmaps"),
            ("/api/v1", "Secret", "secrets"),
            ("/api/v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            (strimzi.as_str(), "KafkaUser", "kafkausers"),
            (strimzi.as_str(), "KafkaConnect", "kafkaconnects"),
        ] {
            let path = format!("{api}/namespaces/{namespace}/{plural}");
            let found = cx.list(&path, &format!("list the {plural}")).await?;
            let name = |object: &Value| text(object, "/metadata/name").to_owned();
            existing.objects.extend(found.iter().map(|object| (kind.to_owned(), name(object))));
        }
        let observed = |kind: ObservedKind| kind.path(cx.api_version(), Some(namespace));
        let doing = "list the Kafka clusters";
        let pools = cx.list(&observed(ObservedKind::KafkaNodePool), doing).await?;
        let kafkas = cx.list(&observed(ObservedKind::Kafka), doing).await?;
        self.refuse_preset_pools(cx, &pools).await?;
        let typed = |mut json: Value, kind: &str| {
            json["kind"] = kind.into();
            json["apiVersion"] = format!("kafka.strimzi.io/{}", cx.api_version().as_str()).into();
            Object::new(json).ok()
        };
        let pools: Vec<Object> = pools.into_iter().filter_map(|json| typed(json, "KafkaNodePool")).collect();
        for kafka in kafkas.into_iter().filter_map(|json| typed(json, "Kafka")) {
            if self.has_kafka(kafka.name()) {
                existing.deployed.insert(kafka.name().to_owned());
                continue;
            }
            let own: Vec<&Object> =
                pools.iter().filter(|pool| references::cluster_of(pool) == Some(kafka.name())).collect();
            existing.kafkas.push(Cluster::of(&kafka, &own));
        }
        Ok(())
    }
}
