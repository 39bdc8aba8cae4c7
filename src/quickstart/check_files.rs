//! The user's own manifests against the release, each other and what the namespace has, before anything is changed.

use super::context::Context;
use super::files::UserFiles;
use super::{kafka, sources};
use crate::cluster::existing_operator::ExistingOperator;
use crate::cluster::installation::MARKER;
use crate::cluster::operator_refusals::other_label;
use crate::cluster::{access, definitions};
use crate::config::PULL_SECRET;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::manifest::{Object, Phases};
use crate::tool::minikube_output::Listed;
use crate::user_manifests::references::{self, Cluster, Existing};
use crate::user_manifests::{problem, schema};

/// Refuse manifests that do not fit the release, each other, or what the namespace has, before anything is changed.
/// `answers`: whether there is a cluster that can be asked.
pub(crate) async fn check(cx: &Context, answers: bool) -> Result<()> {
    let Some(files) = &cx.files else { return Ok(()) };
    if let Some(operator) = cx.existing_operator() {
        files.selected(cx, operator)?;
        // Nothing is installed, and the API server checks against the definitions that are there.
        let crds = definitions::list(cx).await?.into_iter().filter_map(typed).collect();
        files.check(cx, &Phases { crds, ..Phases::default() }, answers).await?;
    } else {
        files.check(cx, &sources::install(cx).await?.phases, answers).await?;
    }
    for reason in &files.reasons {
        cx.emit.warn(format!("Strimzi {} is used: {reason}", cx.choice.release.version));
    }
    Ok(())
}

/// A definition of a list, to which the API server leaves the kind.
fn typed(mut definition: serde_json::Value) -> Option<Object> {
    definition["apiVersion"] = "apiextensions.k8s.io/v1".into();
    definition["kind"] = "CustomResourceDefinition".into();
    Object::new(definition).ok()
}

impl UserFiles {
    /// Refuse what the operator would ignore: kstrim adds its labels, and replaces none.
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

    /// Refuse what does not match the release's definitions, or contradicts itself or what the namespace has.
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
        let problems = schema::Definitions::new(release, definitions).check(&self.given.documents);
        if let Some(failure) = problem::failure(&problems) {
            return Err(failure);
        }
        let mut existing = Existing::default();
        if answers {
            self.look(cx, &mut existing).await?;
        } else if matches!(cx.machine.listed.get(), Some(Listed::Valid(_))) {
            // A profile that is stopped may have what the manifests refer to.
            return Ok(());
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
        problem::failure(&problems).map_or(Ok(()), Err)
    }

    /// What the namespace has that manifests may refer to.
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
            let name =
                |object: &serde_json::Value| crate::kube::object::text(object, "/metadata/name").to_owned();
            existing.objects.extend(found.iter().map(|object| (kind.to_owned(), name(object))));
        }
        let collection = |kind: ObservedKind| kind.path(cx.api_version(), Some(namespace));
        let doing = "list the Kafka clusters";
        let pools = cx.list(&collection(ObservedKind::KafkaNodePool), doing).await?;
        let kafkas = cx.list(&collection(ObservedKind::Kafka), doing).await?;
        let typed = |mut json: serde_json::Value, kind: &str| {
            json["kind"] = kind.into();
            json["apiVersion"] = format!("kafka.strimzi.io/{}", cx.api_version().as_str()).into();
            Object::new(json).ok()
        };
        let pools: Vec<Object> = pools.into_iter().filter_map(|json| typed(json, "KafkaNodePool")).collect();
        for kafka in kafkas.into_iter().filter_map(|json| typed(json, "Kafka")) {
            if self.has_kafka(kafka.name()) {
                continue;
            }
            let own: Vec<&Object> =
                pools.iter().filter(|pool| references::cluster_of(pool) == Some(kafka.name())).collect();
            existing.kafkas.push(Cluster::of(&kafka, &own));
        }
        Ok(())
    }
}
