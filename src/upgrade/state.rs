//! The current state, always read from the live cluster.

use serde_json::Value;

use super::migrate;
use super::model::{Metadata, State};
use super::path;
use super::rule::{Rule, rule};
use super::shape::Shape;
use crate::catalogue::{Mode, Release};
use crate::cluster::definitions;
use crate::cluster::installation;
use crate::cluster::session::Session;
use crate::cluster::{operators, ownership, refusals};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Object;
use crate::kube::cluster::Deployment;
use crate::kube::cluster::OPERATOR;
use crate::kube::object::text;
use crate::names::{ImageRegistry, KubernetesVersion, SecretName, Version};

/// The API groups of Strimzi's CRDs.
pub(super) const GROUPS: [&str; 2] = ["kafka.strimzi.io", "core.strimzi.io"];
/// The first release that requires `operations` in the ACLs of a KafkaUser.
const ACL: Version = Version::new(0, 49, 0);

/// The current versions, and how the cluster was created.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The current versions.
    pub state: State,
    /// Whether resources cannot become ready before the next step: an upgrade ended between two changes that belong
    /// together, the next release's CRDs and its operator, or the controllers and the annotation to migrate to them.
    pub between: bool,
    /// The settings that determine the resources.
    pub shape: Shape,
    /// Where the operator's image comes from, if not from its own registry.
    pub registry: Option<ImageRegistry>,
    /// Pull secrets of the operator's image.
    pub pull_secrets: Vec<SecretName>,
}

/// Read it.
pub(crate) async fn look(cx: &Session, kafka: &Value, pools: &[Value]) -> Result<Found> {
    let here = |what: &str| format!("{what} in namespace {}", cx.namespace());
    ours(cx, kafka, errors::KAFKA_FOREIGN, &here(&format!("the Kafka cluster {}", cx.cluster())))?;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/{}", cx.namespace(), OPERATOR);
    let failed = |e| cx.api_failure("read the operator", &e);
    let Some(deployment) = cx.kubectl.find(&path).await.map_err(failed)? else {
        let all = operators::all(cx).await.map_err(failed)?.into_iter().map(Object::new);
        if let Some(found) = all.into_iter().find(|o| Deployment(o).watches(cx.namespace())) {
            let what = format!("the operator {} in namespace {}", found.name(), found.namespace());
            ours(cx, found.json(), errors::OPERATOR_FOREIGN, &what)?;
        }
        let message = format!("there is no Strimzi operator in namespace {}", cx.namespace());
        let failure = Failure::new(errors::UPGRADE_NO_PATH, Kind::Prerequisite, message);
        return Err(Box::new(failure.hint(format!("install it: {}", refusals::up(cx)))));
    };
    ours(cx, &deployment, errors::OPERATOR_FOREIGN, &here("the Strimzi operator"))?;
    let definitions: Vec<Value> = definitions::list(cx)
        .await?
        .into_iter()
        .filter(|c| GROUPS.contains(&text(c, "/spec/group")))
        .collect();
    for definition in &definitions {
        let what = format!("the resource definition {}", installation::name(definition));
        ours(cx, definition, errors::CRDS_FOREIGN, &what)?;
    }
    let release = path::known(ownership::release(&deployment).unwrap_or("of an unknown release"))?;
    let gates = deployment.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
    let gated = gates
        .into_iter()
        .flatten()
        .any(|e| text(e, "/name") == "STRIMZI_FEATURE_GATES" && text(e, "/value").contains("+UseKRaft"));
    let metadata = metadata(kafka, release, gated)?;
    let version = ["/spec/kafka/version", "/status/kafkaVersion"].map(|at| text(kafka, at).parse().ok());
    let kafka_version: Version =
        version.into_iter().flatten().next().unwrap_or_else(|| release.default_kafka.clone());
    let level = match metadata.mode() {
        Mode::Kraft => kafka.pointer("/spec/kafka/metadataVersion"),
        Mode::Zookeeper => kafka.pointer("/spec/kafka/config/inter.broker.protocol.version"),
    };
    let level = level.map(crate::names::plain);
    let stored_as_v1 = |c: &Value| c.pointer("/status/storedVersions") == Some(&serde_json::json!(["v1"]));
    let state = State {
        release,
        kafka: kafka_version,
        level,
        metadata,
        kubernetes: kubernetes(cx).await,
        converted: definitions.iter().all(stored_as_v1),
    };
    // A release that serves several versions still reads and writes the oldest.
    let reads = state.release.api_versions.last();
    let blind = definitions.iter().filter(|c| text(c, "/spec/names/kind") == "Kafka").any(|kafka| {
        let versions = kafka.pointer("/spec/versions").and_then(Value::as_array);
        let served: Vec<&str> = versions
            .into_iter()
            .flatten()
            .filter(|v| v["served"] == true)
            .map(|v| text(v, "/name"))
            .collect();
        reads.is_some_and(|reads| !served.contains(&reads.as_str()))
    });
    let image = text(&deployment, "/spec/template/spec/containers/0/image");
    let registry = image.rsplit_once("/strimzi/operator:").map(|(registry, _)| registry);
    let secrets = deployment.pointer("/spec/template/spec/imagePullSecrets").and_then(Value::as_array);
    Ok(Found {
        shape: Shape::of(kafka, pools, state.mode()),
        between: blind || migrate::between(kafka, pools, state.metadata),
        state,
        registry: registry.filter(|r| *r != "quay.io").and_then(|r| r.parse().ok()),
        pull_secrets: secrets.into_iter().flatten().filter_map(|s| text(s, "/name").parse().ok()).collect(),
    })
}

/// Where a Kafka cluster keeps its metadata. `gated`: the operator has the feature gate that alone decided before
/// 0.38.
fn metadata(kafka: &Value, release: &Release, gated: bool) -> Result<Metadata> {
    let asked = migrate::annotation(kafka, migrate::KRAFT);
    let reached = text(kafka, "/status/kafkaMetadataState");
    let refuse = |message: String| Err(rule(Rule::MigrationOrder, Kind::Prerequisite, message).into());
    match (asked, reached) {
        // The operator reports it only if it can migrate.
        ("enabled", "ZooKeeper" | "KRaftMigration" | "KRaftDualWriting") => refuse(format!(
            "strimzi.io/kraft is `enabled`, but the metadata state is {reached}: it must be `migration` first"
        )),
        ("enabled", "KRaftPostMigration" | "PreKRaft") => Ok(Metadata::Finishing),
        ("migration", "" | "ZooKeeper" | "KRaftMigration" | "KRaftDualWriting" | "KRaftPostMigration") => {
            Ok(Metadata::Migrating)
        }
        (_, "KRaftMigration" | "KRaftDualWriting" | "KRaftPostMigration" | "PreKRaft") => {
            refuse(format!("the migration to KRaft is being rolled back, the metadata state is {reached}"))
        }
        ("rollback", "" | "ZooKeeper") => refuse("strimzi.io/kraft is `rollback`".to_owned()),
        _ => {
            // The annotation was introduced with 0.38; before it only the gate decided.
            let before = release.version < Version::new(0, 38, 0);
            let kraft = kafka.pointer("/spec/zookeeper").is_none() || asked == "enabled" || before && gated;
            Ok(match kraft {
                true if !release.schema.zookeeper_required && migrate::left(kafka) => Metadata::Unfinished,
                true => Metadata::Kraft,
                false if migrate::annotation(kafka, migrate::NODE_POOLS) == "enabled" => Metadata::Pooled,
                false => Metadata::Zookeeper,
            })
        }
    }
}

fn ours(cx: &Session, object: &Value, id: crate::failure::Id, what: &str) -> Result<()> {
    if cx.owns(object) {
        return Ok(());
    }
    let message = format!("{what} was not created by kstrim");
    let failure = Failure::new(id, Kind::Foreign, message);
    Err(Box::new(
        failure
            .because("kstrim upgrades only what it created")
            .hint(format!("upgrade it the way it was installed: {}", Rule::OperatorFirst.source())),
    ))
}

async fn kubernetes(cx: &Session) -> Option<crate::names::Minor> {
    let version: Value = serde_json::from_str(&cx.kubectl.raw("/version").await.ok()?).ok()?;
    let version: KubernetesVersion = text(&version, "/gitVersion").split(['+', '-']).next()?.parse().ok()?;
    Some(version.minor())
}

/// Refuse an upgrade that would affect foreign objects: another Kafka cluster would get another operator or other
/// CRDs, ACLs in the old form would be lost.
pub(crate) async fn alone(cx: &Session, found: &Found, target: &Version) -> Result<()> {
    let group = format!("/apis/kafka.strimzi.io/{}", cx.api_version().as_str());
    let all = cx.list(&format!("{group}/kafkas"), "list Strimzi's resources").await?;
    let other = all.iter().find(|k| {
        text(k, "/metadata/namespace") != cx.namespace() || text(k, "/metadata/name") != cx.cluster()
    });
    if let Some(other) = other {
        let (namespace, name) = (text(other, "/metadata/namespace"), text(other, "/metadata/name"));
        let message = format!("the Kafka cluster {name} in namespace {namespace} would be upgraded, too");
        return Err(rule(Rule::OneStrimzi, Kind::Foreign, message).into());
    }
    if found.state.release.version >= ACL || *target < ACL {
        return Ok(());
    }
    let users = cx
        .list(&format!("{group}/namespaces/{}/kafkausers", cx.namespace()), "list Strimzi's resources")
        .await?;
    let old = users.iter().find(|user| {
        let acls = user.pointer("/spec/authorization/acls").and_then(Value::as_array);
        acls.into_iter().flatten().any(|acl| acl.get("operation").is_some())
    });
    match old.map(|user| text(user, "/metadata/name")) {
        None => Ok(()),
        Some(name) => {
            let message = format!("the KafkaUser {name} has an access rule with `operation`");
            Err(rule(Rule::AclOperations, Kind::Prerequisite, message)
                .hint(format!(
                    "replace it with `operations: [...]`: {}",
                    cx.target.kubectl("edit kafkauser").arg(name).arg("-n").arg(cx.namespace())
                ))
                .into())
        }
    }
}
