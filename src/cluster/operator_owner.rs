//! Who installed an operator, and which release it is: read from its Deployment alone.

use std::fmt;

use serde_json::Value;

use super::installation::{by_kstrim, label};
use crate::catalogue::{self, Release};
use crate::kube::Object;
use crate::kube::cluster::Deployment;
use crate::kube::object::{list, text};
use crate::names::Version;

/// Who installed an operator, and so changes and upgrades it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A release of Helm's.
    Helm {
        /// Its name; empty if the Deployment does not have it.
        release: String,
        /// Its namespace.
        namespace: String,
    },
    /// The Operator Lifecycle Manager.
    Olm {
        /// The ClusterServiceVersion.
        csv: String,
        /// Its namespace.
        namespace: String,
    },
    /// An Application of Argo CD.
    ArgoCd {
        /// The Application.
        application: String,
    },
    /// A HelmRelease or Kustomization of Flux.
    Flux {
        /// `HelmRelease` or `Kustomization`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// An installation of kstrim: this one, or that of another namespace.
    Kstrim,
    /// A person, with a Kubernetes client.
    Hand {
        /// The field manager that wrote the Deployment; empty if the API server does not report it.
        manager: String,
    },
}

impl Owner {
    /// Who installed this Deployment. Tools that render Helm charts themselves are checked before Helm.
    pub(crate) fn of(deployment: &Value) -> Self {
        let label = |name: &str| label(deployment, name).filter(|value| !value.is_empty());
        let annotation = |name: &str| {
            let value = deployment.pointer("/metadata/annotations")?.get(name)?.as_str()?;
            Some(value).filter(|value| !value.is_empty())
        };
        let owned = |value: Option<&str>| value.unwrap_or_default().to_owned();
        if by_kstrim(deployment) {
            return Owner::Kstrim;
        }
        if let Some(application) = label("argocd.argoproj.io/instance").or_else(|| {
            // `APPLICATION:GROUP/KIND:NAMESPACE/NAME`.
            annotation("argocd.argoproj.io/tracking-id")?.split(':').next()
        }) {
            return Owner::ArgoCd { application: application.to_owned() };
        }
        for (kind, group) in
            [("HelmRelease", "helm.toolkit.fluxcd.io"), ("Kustomization", "kustomize.toolkit.fluxcd.io")]
        {
            if let Some(name) = label(&format!("{group}/name")) {
                let namespace = owned(label(&format!("{group}/namespace")));
                return Owner::Flux { kind, name: name.to_owned(), namespace };
            }
        }
        let references = list(deployment, "/metadata/ownerReferences");
        let csv = references.iter().find(|owner| owner["kind"] == CSV).map(|owner| text(owner, "/name"));
        let is_csv = label("olm.owner.kind").is_none_or(|kind| kind == CSV);
        if csv.is_some() || label("olm.managed") == Some("true") || label("olm.owner").is_some() && is_csv {
            let home = text(deployment, "/metadata/namespace");
            return Owner::Olm {
                csv: owned(label("olm.owner").or(csv)),
                namespace: label("olm.owner.namespace").unwrap_or(home).to_owned(),
            };
        }
        let release = annotation("meta.helm.sh/release-name");
        // Helm 2 put its own name in `heritage`, which Strimzi's chart sets, too.
        if release.is_some()
            || label("app.kubernetes.io/managed-by") == Some("Helm")
            || label("heritage") == Some("Helm")
        {
            let home = text(deployment, "/metadata/namespace");
            return Owner::Helm {
                release: owned(release.or(label("release"))),
                namespace: annotation("meta.helm.sh/release-namespace").unwrap_or(home).to_owned(),
            };
        }
        // The status is written by its controller.
        let writers = list(deployment, "/metadata/managedFields").iter();
        let manager = writers
            .filter(|entry| text(entry, "/subresource").is_empty())
            .map(|entry| text(entry, "/manager"))
            .find(|manager| !manager.is_empty() && *manager != "kube-controller-manager");
        Owner::Hand { manager: owned(manager) }
    }

    /// Its name in `status -o json`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Owner::Helm { .. } => "helm",
            Owner::Olm { .. } => "olm",
            Owner::ArgoCd { .. } => "argo-cd",
            Owner::Flux { .. } => "flux",
            Owner::Kstrim => "kstrim",
            Owner::Hand { .. } => "by-hand",
        }
    }
}

/// The kind of object by which the Operator Lifecycle Manager installs an operator.
const CSV: &str = "ClusterServiceVersion";

/// Completes "installed ...".
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Helm { release, namespace } if release.is_empty() => {
                write!(f, "by Helm (in namespace {namespace})")
            }
            Owner::Helm { release, namespace } => {
                write!(f, "by Helm (release {release} in namespace {namespace})")
            }
            Owner::Olm { csv, namespace } if csv.is_empty() => {
                write!(f, "by the Operator Lifecycle Manager (in namespace {namespace})")
            }
            Owner::Olm { csv, namespace } => {
                write!(f, "by the Operator Lifecycle Manager ({CSV} {csv} in namespace {namespace})")
            }
            Owner::ArgoCd { application } => write!(f, "by Argo CD (Application {application})"),
            Owner::Flux { kind, name, namespace } if namespace.is_empty() => {
                write!(f, "by Flux ({kind} {name})")
            }
            Owner::Flux { kind, name, namespace } => {
                write!(f, "by Flux ({kind} {name} in namespace {namespace})")
            }
            Owner::Kstrim => f.write_str("by kstrim"),
            Owner::Hand { manager } if manager.is_empty() => f.write_str("by hand"),
            Owner::Hand { manager } => write!(f, "by hand (with {manager})"),
        }
    }
}

/// An operator's release as text, from the first of these that has it: kstrim's annotation, the tag of its image,
/// the tags of the images in its environment, its ClusterServiceVersion, its chart. An image with a digest only
/// has no release.
pub(crate) fn release_text(operator: &Object) -> Option<String> {
    let deployment = Deployment(operator);
    let annotated = operator.annotation("kstrim/release").filter(|_| by_kstrim(operator.json()));
    let image = tag(container_image(operator));
    let given = ["STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE", "STRIMZI_DEFAULT_USER_OPERATOR_IMAGE"];
    let given = given.iter().find_map(|name| tag(deployment.value(name)?));
    let of_kafka = deployment.value(Deployment::KAFKA_IMAGES).and_then(|images| {
        // `1.2.0-kafka-4.3.1`.
        let mut tags = images.lines().filter_map(|line| tag(line.split_once('=')?.1.trim()));
        tags.find_map(|tag| Some(tag.split_once("-kafka-")?.0))
    });
    // `strimzi-cluster-operator.v1.2.0`.
    let csv = match Owner::of(operator.json()) {
        Owner::Olm { csv, .. } => csv.split_once(".v").map(|(_, version)| version.to_owned()),
        _ => None,
    };
    // `strimzi-kafka-operator-1.2.0`.
    let charts = ["helm.sh/chart", "chart"].into_iter().filter_map(|name| operator.label(name));
    let chart = charts.filter_map(|chart| chart.rsplit_once('-')).map(|(_, version)| version).next();
    let named = [annotated, image, given, of_kafka].into_iter().flatten().map(str::to_owned);
    let all: Vec<String> = named.chain(csv).chain(chart.map(str::to_owned)).collect();
    // The tag of a custom image may not be a version: `1.2.0` has precedence over `latest`.
    let version = |text: &&String| text.parse::<Version>().is_ok();
    all.iter().find(version).or(all.first()).cloned()
}

/// An operator's release in the catalogue.
pub(crate) fn release(operator: &Object) -> Option<&'static Release> {
    catalogue::find(&release_text(operator)?.parse().ok()?)
}

/// The Kafka versions that an operator has images of, oldest first; `None` if its Deployment does not list them.
pub(crate) fn kafkas(operator: &Object) -> Option<Vec<Version>> {
    let images = Deployment(operator).value(Deployment::KAFKA_IMAGES)?;
    let versions = images.lines().filter_map(|line| line.split_once('=')?.0.trim().parse().ok());
    let mut versions: Vec<Version> = versions.collect();
    versions.sort();
    Some(versions).filter(|versions| !versions.is_empty())
}

/// The image of the container that runs the operator: a service mesh may insert another container before it.
fn container_image(operator: &Object) -> &str {
    let containers = list(operator.json(), "/spec/template/spec/containers");
    let runs = |container: &&Value| {
        list(container, "/env").iter().any(|variable| variable["name"] == Deployment::KAFKA_IMAGES)
    };
    containers.iter().find(runs).or(containers.first()).map_or("", |container| text(container, "/image"))
}

/// The tag of an image: `quay.io/strimzi/operator:1.2.0@sha256:...`.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next().unwrap_or(image);
    name.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(metadata: Value, image: &str, env: Value) -> Object {
        Object::new(json!({"kind": "Deployment", "metadata": metadata,
            "spec": {"template": {"spec": {"containers": [{"image": image, "env": env}]}}}}))
    }

    fn told(mut metadata: Value) -> (String, &'static str) {
        metadata["name"] = json!("strimzi-cluster-operator");
        metadata["namespace"] = json!("home");
        let owner = Owner::of(&json!({"metadata": metadata}));
        (owner.to_string(), owner.kind())
    }

    #[test]
    fn the_deployment_says_who_installed_it() {
        let helm = json!({"labels": {"app.kubernetes.io/managed-by": "Helm", "chart": "strimzi-kafka-operator-1.2.0"},
            "annotations": {"meta.helm.sh/release-name": "kafka-op", "meta.helm.sh/release-namespace": "ops"}});
        assert_eq!(told(helm.clone()), ("by Helm (release kafka-op in namespace ops)".into(), "helm"));
        let mut flux = helm.clone();
        flux["labels"]["helm.toolkit.fluxcd.io/name"] = json!("strimzi");
        flux["labels"]["helm.toolkit.fluxcd.io/namespace"] = json!("flux-system");
        assert_eq!(told(flux), ("by Flux (HelmRelease strimzi in namespace flux-system)".into(), "flux"));
        let kustomize = json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}});
        assert_eq!(told(kustomize).0, "by Flux (Kustomization apps)");
        let mut argo = helm;
        argo["annotations"]["argocd.argoproj.io/tracking-id"] =
            json!("streaming:apps/Deployment:home/strimzi-cluster-operator");
        assert_eq!(told(argo), ("by Argo CD (Application streaming)".into(), "argo-cd"));
        let olm = json!({"labels": {"olm.managed": "true", "olm.owner": "strimzi-cluster-operator.v1.2.0",
            "olm.owner.kind": "ClusterServiceVersion", "olm.owner.namespace": "operators"}});
        let words = "by the Operator Lifecycle Manager (ClusterServiceVersion strimzi-cluster-operator.v1.2.0 \
                     in namespace operators)";
        assert_eq!(told(olm), (words.into(), "olm"));
        let referenced =
            json!({"ownerReferences": [{"kind": "ClusterServiceVersion", "name": "strimzi.v1"}]});
        assert_eq!(told(referenced).1, "olm");
        assert_eq!(told(json!({"labels": {"app.kubernetes.io/managed-by": "kstrim"}})).1, "kstrim");
        let hand = json!({"managedFields": [{"manager": "kube-controller-manager", "subresource": "status"},
            {"manager": "kubectl-client-side-apply"}]});
        assert_eq!(told(hand), ("by hand (with kubectl-client-side-apply)".into(), "by-hand"));
        assert_eq!(told(json!({})).0, "by hand");
    }

    #[test]
    fn the_release_is_read_from_what_has_a_tag() {
        let found =
            |metadata: Value, image: &str, env: Value| release_text(&deployment(metadata, image, env));
        let digest = "quay.io/strimzi/operator@sha256:00";
        let plain = || json!({"name": "o"});
        assert_eq!(found(plain(), "quay.io/strimzi/operator:0.51.0", json!([])).as_deref(), Some("0.51.0"));
        assert_eq!(found(plain(), "r.example:5000/x:0.45.2@sha256:00", json!([])).as_deref(), Some("0.45.2"));
        assert_eq!(found(plain(), digest, json!([])), None);
        let kafka = json!([{"name": "STRIMZI_KAFKA_IMAGES",
            "value": "4.2.0=quay.io/strimzi/kafka:1.1.0-kafka-4.2.0\n4.1.1=quay.io/strimzi/kafka@sha256:01\n"}]);
        assert_eq!(found(plain(), digest, kafka.clone()).as_deref(), Some("1.1.0"));
        let versions = kafkas(&deployment(plain(), digest, kafka)).expect("a list");
        assert_eq!(versions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["4.1.1", "4.2.0"]);
        let olm = json!({"name": "o", "labels": {"olm.owner": "strimzi-cluster-operator.v1.2.0"}});
        assert_eq!(found(olm, digest, json!([])).as_deref(), Some("1.2.0"));
        let chart = json!({"name": "o", "labels": {"chart": "strimzi-kafka-operator-0.47.0"}});
        assert_eq!(found(chart.clone(), digest, json!([])).as_deref(), Some("0.47.0"));
        assert_eq!(found(chart, "x/operator:latest", json!([])).as_deref(), Some("0.47.0"));
        assert_eq!(found(plain(), "x/operator:latest", json!([])).as_deref(), Some("latest"));
        assert!(release(&deployment(plain(), "x/operator:9.9.9", json!([]))).is_none());
        assert!(release(&deployment(plain(), "x/operator:1.2.0", json!([]))).is_some());
    }
}
