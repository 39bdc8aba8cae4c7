//! An operator that kstrim did not install and that watches the namespace: it is used unchanged. Who installed it, its
//! release, and the reasons for which kstrim cannot use it.
//!
//! The operator, its resource definitions and its permissions are only read here.

use std::rc::Rc;

use futures_util::future::join_all;
use serde_json::Value;

use super::operator_owner::{self, Owner};
use super::operator_refusals as refuse;
use super::operators::{self, typed};
use super::session::Session;
use super::{definitions, ownership};
use crate::catalogue::{Mode, Release};
use crate::failure::Result;
use crate::kube::cluster::{Crd, Deployment};
use crate::kube::{ApiErrorKind, Kind, Object};
use crate::manifest::Object as Manifest;
use crate::manifest::images;
use crate::names::{ImageName, Version};

/// Permissions that an operator's service account needs first in a namespace that it watches: verb and resource.
const NEEDS: [(&str, &str); 2] = [("list", "kafkas.kafka.strimzi.io"), ("create", "services")];

/// An operator that kstrim uses and does not change.
#[derive(Debug, Clone)]
pub(crate) struct ExistingOperator {
    /// Its Deployment, as it was read.
    pub deployment: Object,
    /// Who installed it.
    pub owner: Owner,
    /// The namespaces of the operators that watch the same resources, that of this one first.
    homes: Vec<String>,
    /// Whether there is a Kafka resource that lacks the labels by which it selects.
    ignores_kafka: bool,
}

impl ExistingOperator {
    /// The operator that watches the namespace; `None` if one of `ours` runs in it.
    pub(crate) fn among(
        operators: &[Object],
        namespace: &str,
        kafka: Option<&Object>,
        ours: impl Fn(&Value) -> bool,
    ) -> Option<Self> {
        if operators.iter().any(|o| o.namespace() == namespace && ours(o.json())) {
            return None;
        }
        let watching: Vec<&Object> = operators
            .iter()
            .filter(|o| !ours(o.json()) && !o.deleting() && Deployment(o).watches(namespace))
            .collect();
        let which = |wanted: &dyn Fn(&&Object) -> bool| -> Vec<&Object> {
            watching.iter().copied().filter(wanted).collect()
        };
        let by_labels = which(&|o| kafka.is_some() && Deployment(o).serves(namespace, kafka));
        let of_all = which(&|o| Deployment(o).selector().is_empty());
        // Operators that select by labels come last: a new Kafka resource gets their labels.
        let all = [by_labels, of_all, watching].into_iter().find(|all| !all.is_empty())?;
        // An operator in the namespace itself has precedence.
        let first = all.iter().copied().find(|o| o.namespace() == namespace).or(all.first().copied())?;
        let mut homes = vec![first.namespace().to_owned()];
        let others = all.iter().filter(|o| o.uid() != first.uid() || o.name() != first.name());
        homes.extend(others.map(|o| o.namespace().to_owned()));
        let ignores_kafka = kafka.is_some() && !Deployment(first).serves(namespace, kafka);
        Some(Self { deployment: first.clone(), owner: Owner::of(first.json()), homes, ignores_kafka })
    }

    /// `the operator strimzi-cluster-operator in namespace strimzi`.
    pub(crate) fn named(&self) -> String {
        operators::named(&self.deployment)
    }

    /// The same, followed by who installed it.
    pub(crate) fn described(&self) -> String {
        format!("{}, installed {}", self.named(), self.owner)
    }

    /// Its namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.deployment.namespace()
    }

    /// Its release, if the catalogue has it.
    pub(crate) fn release(&self) -> Option<&'static Release> {
        operator_owner::release(&self.deployment)
    }

    /// The labels without which it ignores a resource.
    pub(crate) fn selector(&self) -> Vec<(String, String)> {
        let labels = Deployment(&self.deployment).selector().into_iter();
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Whether the namespace is meant for it: it runs there, or its list of namespaces contains it.
    pub(crate) fn names(&self, namespace: &str) -> bool {
        self.namespace() == namespace
            || Deployment(&self.deployment).watched_namespaces().contains(&namespace)
    }

    /// The Kafka versions that both the operator and the catalogue support, oldest first. If the Deployment does not
    /// list images, they are those of its release.
    pub(crate) fn kafkas(&self) -> Vec<Version> {
        let Some(release) = self.release() else { return Vec::new() };
        let images = operator_owner::kafkas(&self.deployment);
        let has = |version: &Version| images.as_ref().is_none_or(|images| images.contains(version));
        release.kafka.iter().map(|kafka| kafka.version.clone()).filter(has).collect()
    }

    /// The images that it uses for brokers of this Kafka version and for components, according to its Deployment. Its
    /// own image is not among them: the operator is running.
    pub(crate) fn images(&self, kafka: &Version, mode: Mode, beside: &[images::Image]) -> Vec<ImageName> {
        let Some(release) = self.release() else { return Vec::new() };
        let mut json = self.deployment.json().clone();
        // The items of a list have neither field.
        json["apiVersion"] = "apps/v1".into();
        json["kind"] = "Deployment".into();
        let Ok(mut deployment) = Manifest::new(json) else { return Vec::new() };
        let zookeeper = mode == Mode::Zookeeper;
        let Ok(mut all) = images::of(&mut deployment, kafka, &release.default_kafka, zookeeper) else {
            return Vec::new();
        };
        all.extend(images::beside(&mut deployment, kafka, beside, &all).unwrap_or_default());
        all.remove(0);
        all
    }
}

/// Add the labels by which an operator selects its resources. A label that has another value is not changed.
pub(super) fn select(objects: &mut [Manifest], selector: &[(String, String)]) {
    for object in objects.iter_mut().filter(|object| object.group() == "kafka.strimzi.io") {
        for (name, value) in selector {
            let labels = object.get("/metadata/labels");
            if labels.and_then(|labels| labels.get(name)).is_none() {
                object.set(&["metadata", "labels", name], value.as_str());
            }
        }
    }
}

/// The operator that kstrim did not install and that watches the namespace of the session; looked up once in a run. A
/// user who may not list Deployments in all namespaces gets those in the namespace.
pub(crate) async fn of(cx: &Session) -> Result<Option<Rc<ExistingOperator>>> {
    find(cx, None).await
}

/// The same where the operators were listed already.
pub(crate) async fn of_listed(cx: &Session, operators: &[Value]) -> Result<Option<Rc<ExistingOperator>>> {
    find(cx, Some(operators)).await
}

async fn find(cx: &Session, listed: Option<&[Value]>) -> Result<Option<Rc<ExistingOperator>>> {
    let look = || async {
        ownership::installation(cx).await?;
        let all = match listed {
            Some(operators) => operators.iter().map(|json| typed("Deployment", json.clone())).collect(),
            None => everywhere(cx).await?,
        };
        let among =
            |kafka| ExistingOperator::among(&all, cx.namespace(), kafka, |operator| cx.owns(operator));
        // The Kafka resource's labels only matter for choosing between several operators.
        let found = match among(None) {
            Some(_) => {
                let kafka = operators::kafka_resource(&cx.kubectl, cx.namespace(), cx.cluster()).await;
                among(kafka.as_ref())
            }
            None => None,
        };
        remember(cx, all.iter().any(|o| o.namespace() == cx.namespace() && cx.owns(o.json())))?;
        Ok::<_, Box<crate::failure::Failure>>(found.map(Rc::new))
    };
    cx.ownership.existing.get_or_try_init(look).await.cloned()
}

/// Record in the journal whether kstrim's own operator is in the namespace.
pub(crate) fn remember(cx: &Session, own: bool) -> Result<()> {
    let mut journal = cx.journal.borrow_mut();
    if cx.ownership.read_only.get() || journal.state.own_operators.contains(cx.namespace()) == own {
        return Ok(());
    }
    match own {
        true => journal.state.own_operators.insert(cx.namespace().to_owned()),
        false => journal.state.own_operators.remove(cx.namespace()),
    };
    journal.save()
}

/// All operators of the cluster that this user may list.
async fn everywhere(cx: &Session) -> Result<Vec<Object>> {
    let listed = match operators::all(cx).await {
        Err(error) if error.kind == ApiErrorKind::Forbidden => {
            let path = Kind::Deployment.path(cx.api_version(), Some(cx.namespace()));
            let mine = cx.kubectl.list(&path).await;
            mine.map(|all| all.into_iter().filter(operators::is_operator).collect())
        }
        listed => listed,
    };
    let listed = listed.map_err(|e| cx.api_failure("read the operators", &e))?;
    Ok(listed.into_iter().map(|json| typed("Deployment", json)).collect())
}

/// Refuse an operator that kstrim cannot use, before anything is changed.
///
/// # Errors
/// `KS-OPERATOR-*` and `KS-CRDS-RELEASE`: each is about an operator that kstrim did not install.
pub(crate) async fn usable(cx: &Session, found: &ExistingOperator) -> Result<()> {
    if let [_, _, ..] = found.homes.as_slice() {
        return Err(refuse::several(&cx.target, found, &found.homes));
    }
    let Some(release) = found.release() else {
        let text = operator_owner::release_text(&found.deployment);
        return Err(refuse::unknown_release(&cx.target, found, text.as_deref()));
    };
    if release.version != cx.choice.release.version {
        return Err(refuse::another_release(&cx.target, found, release, &cx.choice.release.version));
    }
    let kafkas = found.kafkas();
    if !kafkas.contains(&cx.choice.kafka) {
        return Err(refuse::another_kafka(&cx.target, found, &kafkas, &cx.choice.kafka));
    }
    if Deployment(&found.deployment).requested_replicas() == 0 {
        return Err(refuse::stopped(&cx.target, found));
    }
    if found.ignores_kafka {
        return Err(refuse::ignored(&cx.target, found));
    }
    definitions_fit(cx, release, true).await?;
    may_work(cx, found).await
}

/// Refuse resource definitions that do not serve the versions that this release reads and writes. `needed`: a missing
/// definition is refused, too, because kstrim does not add it.
pub(crate) async fn definitions_fit(cx: &Session, release: &'static Release, needed: bool) -> Result<()> {
    let live = definitions::list(cx).await?;
    let objects: Vec<Object> = live.into_iter().map(Object::new).collect();
    for (kind, name) in
        [("Kafka", "kafkas"), ("KafkaNodePool", "kafkanodepools"), ("KafkaTopic", "kafkatopics")]
    {
        // A release that serves several versions reads and writes the oldest; kstrim writes the newest.
        let versions: Vec<&str> = release.api_versions.iter().map(String::as_str).collect();
        if !versions.iter().any(|version| release.serves(kind, version)) {
            continue;
        }
        let name = format!("{name}.kafka.strimzi.io");
        let Some(found) = objects.iter().find(|object| object.name() == name) else {
            if needed {
                return Err(refuse::missing_definition(&cx.target, release, &name));
            }
            continue;
        };
        let served = Crd(found).served();
        if let Some(lacking) = versions.iter().find(|version| !served.contains(version)) {
            return Err(refuse::other_definitions(&cx.target, release, &name, lacking, &served));
        }
    }
    Ok(())
}

/// Refuse an operator whose service account lacks permissions in the namespace. If the user may not impersonate that
/// account, the permissions are unknown and the operator is accepted.
async fn may_work(cx: &Session, found: &ExistingOperator) -> Result<()> {
    let account = Some(Deployment(&found.deployment).service_account()).filter(|account| !account.is_empty());
    let user = format!("system:serviceaccount:{}:{}", found.namespace(), account.unwrap_or("default"));
    let ask = |(verb, what): (&'static str, &'static str)| {
        let user = user.clone();
        async move { (verb, what, cx.kubectl.can_i(verb, what, &user, cx.namespace()).await) }
    };
    let answers = join_all(NEEDS.map(ask)).await;
    let denied = answers.iter().filter(|(_, _, answer)| answer.as_deref().is_ok_and(|answer| answer == "no"));
    let denied: Vec<String> = denied.map(|(verb, what, _)| format!("{verb} {what}")).collect();
    if denied.is_empty() { Ok(()) } else { Err(refuse::forbidden(&cx.target, found, &user, &denied)) }
}

/// Refuse an operator in the namespace that watches only other namespaces: kstrim's own would have the same names.
pub(crate) fn refuse_other_namespaces(cx: &Session, operators: &[Value]) -> Result<()> {
    let here = operators.iter().filter(|o| operators::namespace(o) == cx.namespace());
    match here.into_iter().find(|o| !cx.owns(o)) {
        Some(found) => Err(refuse::watches_others(&cx.target, &typed("Deployment", found.clone()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operator(namespace: &str, watched: &str, selector: &str) -> Object {
        Object::new(json!({"kind": "Deployment",
            "metadata": {"name": "strimzi-cluster-operator", "namespace": namespace, "uid": namespace},
            "spec": {"template": {"spec": {"containers": [
                {"name": "strimzi-cluster-operator", "image": "quay.io/strimzi/operator:1.2.0", "env": [
                    {"name": "STRIMZI_NAMESPACE", "value": watched},
                    {"name": "STRIMZI_CUSTOM_RESOURCE_SELECTOR", "value": selector},
                    {"name": "STRIMZI_KAFKA_IMAGES",
                        "value": "4.2.0=x/kafka:1.2.0-kafka-4.2.0\n9.9.9=x/kafka:1.2.0-kafka-9.9.9"}]}]}}}}))
    }

    fn found(operators: &[Object], kafka: Option<&Object>) -> Option<(String, usize)> {
        let found = ExistingOperator::among(operators, "kafka", kafka, |_| false)?;
        Some((found.namespace().to_owned(), found.homes.len()))
    }

    #[test]
    fn the_operator_that_watches_the_namespace_is_found() {
        let (here, all) = (operator("kafka", "kafka", ""), operator("strimzi", "*", ""));
        let other = operator("else", "a,b", "");
        assert_eq!(found(std::slice::from_ref(&other), None), None);
        assert_eq!(found(&[other.clone(), all.clone()], None), Some(("strimzi".into(), 1)));
        assert_eq!(found(&[all.clone(), here.clone()], None), Some(("kafka".into(), 2)));
        let ours = |o: &Value| o["metadata"]["namespace"] == "kafka";
        assert!(ExistingOperator::among(&[here, all.clone()], "kafka", None, ours).is_none(), "kstrim's");
        // Those with a selector are for labelled resources only.
        let (first, second) = (operator("one", "*", "co=first"), operator("two", "*", "co=second"));
        assert_eq!(found(&[first.clone(), all], None), Some(("strimzi".into(), 1)));
        assert_eq!(found(std::slice::from_ref(&first), None), Some(("one".into(), 1)));
        assert_eq!(found(&[first.clone(), second.clone()], None), Some(("one".into(), 2)));
        let kafka = Object::new(json!({"metadata": {"name": "k", "labels": {"co": "second"}}}));
        assert_eq!(found(&[first, second], Some(&kafka)), Some(("two".into(), 1)));
    }

    #[test]
    fn it_runs_the_versions_that_both_have() {
        let one = ExistingOperator::among(&[operator("s", "*", "co=a")], "kafka", None, |_| false);
        let one = one.expect("it watches");
        assert_eq!(one.kafkas().iter().map(ToString::to_string).collect::<Vec<_>>(), ["4.2.0"]);
        let images = one.images(&"4.2.0".parse().expect("a version"), Mode::Kraft, &[]);
        assert_eq!(images.iter().map(ToString::to_string).collect::<Vec<_>>(), ["x/kafka:1.2.0-kafka-4.2.0"]);
        assert!(!one.names("kafka") && one.names("s"));
        let object = |kind: &str, api: &str, labels: Value| {
            Manifest::new(
                json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x", "labels": labels}}),
            )
            .expect("an object")
        };
        let mut objects = [
            object("Kafka", "kafka.strimzi.io/v1", json!({})),
            object("Kafka", "kafka.strimzi.io/v1", json!({"co": "mine"})),
            object("ConfigMap", "v1", json!({})),
        ];
        select(&mut objects, &one.selector());
        let label = |object: &Manifest| object.get("/metadata/labels/co").cloned();
        assert_eq!(objects.each_ref().map(label), [Some(json!("a")), Some(json!("mine")), None]);
    }
}
