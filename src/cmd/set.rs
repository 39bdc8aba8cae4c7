//! `kstrim set`: changes broker settings in the Kafka resource.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::change;
use super::consent;
use super::living::{self, Living};
use crate::cli::{Global, Set};
use crate::cluster::brokers::{self, Brokers};
use crate::cluster::ownership;
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka;

/// Settings that Strimzi manages itself and does not accept: `KafkaClusterSpec.FORBIDDEN_PREFIXES`.
const STRIMZIS: [&str; 24] = [
    "listeners",
    "advertised.",
    "broker.",
    "listener.",
    "host.name",
    "port",
    "inter.broker.listener.name",
    "sasl.",
    "ssl.",
    "security.",
    "password.",
    "log.dir",
    "zookeeper.connect",
    "zookeeper.set.acl",
    "zookeeper.ssl",
    "zookeeper.clientCnxnSocket",
    "authorizer.",
    "super.user",
    "cruise.control.metrics.topic",
    "cruise.control.metrics.reporter.bootstrap.servers",
    "node.id",
    "process.roles",
    "controller.",
    "metadata.log.dir",
];
/// Exceptions from these: `KafkaClusterSpec.FORBIDDEN_PREFIX_EXCEPTIONS`.
const ALLOWED: [&str; 5] = [
    "ssl.cipher.suites",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "controller.quorum.election.backoff.max.ms",
    "controller.quorum.request.timeout.ms",
];
/// How long a broker may take to respond with its settings.
const ASK: Duration = Duration::from_secs(15);

/// Change settings of the brokers.
///
/// # Errors
/// None: failures are reported as events, and in the exit code.
pub(crate) async fn run(global: &Global, args: &Set) -> Result<ExitCode> {
    let keys: Vec<&str> = keys(args).collect();
    let title = format!("Settings {}", keys.join(", "));
    living::task(global, "set", title, args.output, async |invocation| {
        let living = living::open_to_change(invocation, global).await?;
        change::ours(&living, args.adopt)?;
        let done = set(&living, args).await;
        living.cx.stop_observing();
        done
    })
    .await
}

fn keys(args: &Set) -> impl Iterator<Item = &str> {
    args.settings.iter().map(|s| s.key.as_str()).chain(args.unset.iter().map(String::as_str))
}

async fn set(living: &Living, args: &Set) -> Result<String> {
    let cx = &living.cx;
    for key in keys(args) {
        allowed(key, &cx.target)?;
    }
    let settings = settings(living).await;
    known(living, args, settings.as_ref())?;
    let none = Map::new();
    let kafka = living.kafka();
    let now = kafka.config().unwrap_or(&none);
    let mut wanted = Map::new();
    for setting in &args.settings {
        wanted.insert(setting.key.clone(), setting.json());
    }
    for key in &args.unset {
        wanted.insert(key.clone(), Value::Null);
    }
    // Settings that already have the requested value are not written again; the old values are kept to undo the
    // change.
    let same = |key: &str, value: &Value| match now.get(key) {
        None => value.is_null(),
        Some(has) => !value.is_null() && crate::names::plain(has) == crate::names::plain(value),
    };
    wanted.retain(|key, value| !same(key, value));
    if wanted.is_empty() {
        return Ok("all settings already have these values".into());
    }
    restarts(living, args, wanted.keys(), settings.as_ref()).await?;
    let back: Map<String, Value> =
        wanted.keys().map(|key| (key.clone(), now.get(key).cloned().unwrap_or(Value::Null))).collect();
    let waiter = change::begin();
    let given = wanted.clone();
    patch(living, args.adopt, |_| Some(wanted.clone())).await?;
    match change::follow(living, &waiter, args.timeout).await {
        Ok(()) => Ok(format!("every broker of the Kafka cluster {} uses the new settings", cx.cluster())),
        // A rejected setting would keep the operator from reconciling anything else.
        Err(failure) if failure.kind == Kind::Task => {
            // Settings that somebody else has changed since are kept.
            let ours = |now: &Kafka<'_>| {
                let config = now.config();
                let still =
                    |key: &str| config.and_then(|c| c.get(key)).unwrap_or(&Value::Null) == &given[key];
                Some(back.clone().into_iter().filter(|(key, _)| still(key)).collect())
            };
            let undone = match patch(living, args.adopt, ours).await {
                Ok(()) => "the previous settings of the Kafka cluster were restored".to_owned(),
                Err(e) => format!("the previous settings could not be restored: {e}"),
            };
            Err(Box::new(failure.because(undone)))
        }
        Err(failure) => Err(failure),
    }
}

async fn patch(
    living: &Living,
    adopt: bool,
    mut config: impl FnMut(&Kafka<'_>) -> Option<Map<String, Value>>,
) -> Result<()> {
    let patch = |now: &Kafka<'_>| Some(json!({"spec": {"kafka": {"config": config(now)?}}}));
    let doing = "change the settings of the Kafka cluster";
    ownership::change_kafka(&living.cx, adopt, Some(&living.resource), doing, patch).await.map(drop)
}

/// Refuse settings that Strimzi would silently ignore.
fn allowed(key: &str, target: &Target) -> Result<()> {
    let theirs = STRIMZIS.iter().find(|prefix| key.starts_with(**prefix));
    let Some(prefix) = theirs.filter(|_| !ALLOWED.contains(&key)) else { return Ok(()) };
    let message = format!("{key} is managed by Strimzi");
    let failure = Failure::new(errors::SET_FORBIDDEN, Kind::Usage, message)
        .because(format!("Strimzi silently ignores settings that begin with {prefix:?}"));
    Err(Box::new(match *prefix {
        "listeners" | "listener." | "advertised." | "sasl." | "ssl." => {
            failure.hint("listeners are configured in spec.kafka.listeners of the Kafka resource")
        }
        "authorizer." | "super.user" => failure.hint("see spec.kafka.authorization of the Kafka resource"),
        _ => {
            let see = target.kubectl("get kafkas.kafka.strimzi.io").arg(&target.cluster);
            let see = see.arg("-n").arg(&target.namespace).args(["-o", "yaml"]);
            failure.hint(format!("see spec.kafka of the Kafka resource: {see}"))
        }
    }))
}

/// The settings that the brokers support, and for each whether they read it only when they start. `None` if the
/// brokers cannot be reached.
async fn settings(living: &Living) -> Option<BTreeMap<String, bool>> {
    let cx = &living.before;
    cx.synced(&brokers::KINDS).await;
    let deadline = Instant::now() + ASK;
    let asked = async {
        let brokers = Brokers::of(cx).map_err(|f| f.message)?;
        let mut client = brokers.client(deadline).await.map_err(|e| e.to_string())?;
        client.settings(deadline).await.map_err(|e| e.to_string())
    };
    let unknown = |why: String| {
        cx.emit.warn(format!("the brokers could not be asked which settings they recognize: {why}"));
    };
    asked.await.map_err(unknown).ok()
}

/// Ask before the brokers restart. If Kafka supports it, Strimzi changes a setting in the running broker; otherwise
/// it restarts the broker, also for settings that Kafka does not support.
async fn restarts(
    living: &Living,
    args: &Set,
    keys: impl Iterator<Item = &String>,
    known: Option<&BTreeMap<String, bool>>,
) -> Result<()> {
    let at_start = |key: &&String| known.is_none_or(|known| known.get(*key).copied().unwrap_or(true));
    let keys: Vec<&str> = keys.filter(at_start).map(String::as_str).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let what = match known {
        Some(_) => format!("reads {} only when a broker starts", keys.join(", ")),
        None => format!("may read {} only when a broker starts", keys.join(", ")),
    };
    consent::to_restart(living, "set", &what, args.yes).await
}

/// Refuse settings that Kafka does not support: the operator passes them on, and the broker ignores them.
fn known(living: &Living, args: &Set, names: Option<&BTreeMap<String, bool>>) -> Result<()> {
    let Some(names) = names else { return Ok(()) };
    let cx = &living.cx;
    for setting in &args.settings {
        // Kafka passes these to its metadata manager of tiered storage, and the brokers do not list them.
        if names.contains_key(&setting.key) || setting.key.starts_with("rlmm.config.") {
            continue;
        }
        let near = names
            .keys()
            .map(|name| (strsim::damerau_levenshtein(name, &setting.key), name))
            .min()
            .filter(|(distance, name)| *distance <= 2 + name.len() / 6);
        let message = format!("Kafka {} has no broker setting {}", cx.choice.kafka, setting.key);
        let failure = Failure::new(errors::SET_UNKNOWN, Kind::Usage, message)
            .because("the operator would pass it on, and the brokers would ignore it");
        return Err(Box::new(match near {
            Some((_, near)) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint(
                "for a list of broker settings, see https://kafka.apache.org/documentation/#brokerconfigs",
            ),
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_strimzi_ignores_are_refused() {
        for key in ["listeners", "ssl.keystore.location", "log.dirs", "node.id", "broker.id"] {
            assert_eq!(
                allowed(key, &Target::default()).map_err(|f| f.id),
                Err(errors::SET_FORBIDDEN),
                "{key}"
            );
        }
        for key in ["log.retention.hours", "num.partitions", "ssl.protocol", "min.insync.replicas"] {
            assert!(allowed(key, &Target::default()).is_ok(), "{key}");
        }
    }
}
