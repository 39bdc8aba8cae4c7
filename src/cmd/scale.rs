//! `kstrim scale`: changes the number of brokers of a node pool.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::change;
use super::consent;
use super::listeners;
use super::living::{self, Living};
use crate::catalogue::broker::{self, Need};
use crate::cli::{Global, Scale};
use crate::cluster::brokers::{self, Brokers};
use crate::cluster::change as cluster;
use crate::cluster::installation::{Consent, Owned};
use crate::cluster::ownership;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::{Kafka, KafkaNodePool, REMOVE_IDS};
use crate::kube::{ApiError, ApiErrorKind, Object as NodePool};
use crate::manifest::Object;
use crate::manifest::render::CLUSTER_LABEL;

/// How long the brokers may take to report the locations of replicas.
const ASK: Duration = Duration::from_secs(30);

/// What is scaled: a node pool, or the Kafka resource if there are none.
struct Pool {
    place: Place,
    name: String,
    /// The number of brokers in it, and in all node pools.
    has: u32,
    all: u32,
    /// Ids of its nodes, ascending.
    ids: BTreeSet<i32>,
    controllers: bool,
}

/// Where the number of brokers is set.
enum Place {
    /// In the Kafka resource: there are no node pools.
    Kafka,
    /// In a node pool, as it was read.
    Pool(NodePool),
    /// In a node pool that does not exist yet: its resource, without the number of nodes.
    New(Box<Object>),
}

/// Change the number of brokers.
///
/// # Errors
/// None: failures are reported as events, and in the exit code.
pub(crate) async fn run(global: &Global, args: &Scale) -> Result<ExitCode> {
    let title = format!("{} brokers", args.brokers);
    living::task(global, "scale", title, args.output, async |invocation| {
        let living = living::open_to_change(invocation, global).await?;
        change::ours(&living, args.adopt)?;
        let done = scale(&living, args).await;
        living.cx.stop_observing();
        done
    })
    .await
}

async fn scale(living: &Living, args: &Scale) -> Result<String> {
    let cx = &living.cx;
    let pool = pool(living, args).await?;
    let others = pool.all - pool.has;
    let Some(wanted) = args.brokers.checked_sub(others) else {
        let message = format!("{others} brokers are in other pools than {}", pool.name);
        let failure = Failure::new(errors::SCALE_POOL, Kind::Usage, message);
        return Err(Box::new(failure.hint(format!(
            "specify the node pool to reduce: {}",
            cx.target.again().with("--pool", "another-name")
        ))));
    };
    if wanted < pool.has {
        check_broker_count(living, args.brokers)?;
        let leaving: Vec<i32> = pool.ids.iter().copied().skip(wanted as usize).collect();
        if pool.controllers {
            return Err(controllers(&pool, &leaving));
        }
        if let Place::Pool(object) = &pool.place
            && let Some(why) = unsettled(&KafkaNodePool(object))
        {
            return Err(not_settled(living, &pool, why));
        }
        check_no_replicas(living, &leaving).await?;
        if !args.yes {
            let what = if leaving.len() == 1 { "broker" } else { "brokers" };
            let question = format!(
                "This removes {what} {} from the Kafka cluster {}, which then has {}. The volumes are kept.",
                shown(&leaving),
                cx.cluster(),
                args.brokers
            );
            consent::to(living, &question, "nothing was changed").await?;
        }
    }
    // Before the brokers are created, so that none has to restart.
    listeners::advertise(living, args.adopt, wanted.saturating_sub(pool.has)).await?;
    let waiter = change::begin();
    if wanted != pool.has {
        let refused = |e| cx.api_failure("change the number of brokers", &e);
        match &pool.place {
            Place::New(new) => {
                let mut new = (**new).clone();
                new.set(&["spec", "replicas"], wanted);
                let labelled = cx.labelled(vec![new]);
                let collection = living::path(cx, "kafkanodepools", None);
                let created = cluster::create(&cx.kubectl, &collection, labelled[0].value()).await;
                if created.map_err(refused)?.is_none() {
                    return Err(changed_in_the_meantime(&pool));
                }
            }
            Place::Kafka => {
                let patch = |now: &Kafka<'_>| {
                    let patch = json!({"spec": {"kafka": {"replicas": wanted}}});
                    (now.replicas() == Some(i64::from(pool.has))).then_some(patch)
                };
                let doing = "change the number of brokers";
                let seen = Some(&living.resource);
                if !ownership::change_kafka(cx, args.adopt, seen, doing, patch).await? {
                    return Err(changed_in_the_meantime(&pool));
                }
            }
            Place::Pool(object) => {
                let installation = ownership::installation(cx).await?;
                let collection = living::path(cx, "kafkanodepools", None);
                let named = args.pool.is_some().then(Consent::by_name);
                let consent = Consent::by_flag(args.adopt).or(named);
                let object = object.json();
                let by_user = || consent.map(|consent| Owned::requested(&collection, object, consent));
                let Some(owned) = installation.owned(&collection, object).or_else(by_user) else {
                    return Err(foreign(living, &pool));
                };
                let patch = |now: &Value| {
                    let now = NodePool::new(now.clone());
                    let now = KafkaNodePool(&now);
                    let same = now.requested_replicas() == i64::from(pool.has);
                    // Fewer: remove exactly the brokers that were checked.
                    let as_seen =
                        wanted > pool.has || unsettled(&now).is_none() && now.node_ids() == pool.ids;
                    (same && as_seen).then(|| json!({"spec": {"replicas": wanted}}))
                };
                let changed = cluster::patch(&cx.kubectl, &installation, &owned, patch).await;
                if !changed.map_err(refused)? {
                    return Err(changed_in_the_meantime(&pool));
                }
            }
        }
    }
    change::follow(living, &waiter, args.timeout).await?;
    // The operator may not have used the lowest free ids: then these brokers restart once more.
    if listeners::advertise(living, args.adopt, 0).await? {
        change::follow(living, &change::begin(), args.timeout).await?;
    }
    let serve = match args.brokers {
        1 => "1 broker is ready".to_owned(),
        n => format!("{n} brokers are ready"),
    };
    Ok(match wanted.cmp(&pool.has) {
        Ordering::Greater => {
            let stay = "existing topics are not moved until you reassign them";
            match settings_to_raise(living, args.brokers) {
                Some(raise) => format!("{serve}; {stay}; {raise}"),
                None => format!("{serve}; {stay}"),
            }
        }
        Ordering::Less => {
            let see = cx.target.kstrim("status");
            format!("{serve}; the volumes of the removed brokers are kept: {see}")
        }
        Ordering::Equal => serve,
    })
}

/// Why it is not certain which brokers of a node pool the operator would remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsettled {
    /// The operator has not reconciled an earlier change yet, so its node ids are out of date.
    Behind,
    /// [`REMOVE_IDS`] is set.
    Named,
}

fn unsettled(pool: &KafkaNodePool<'_>) -> Option<Unsettled> {
    if pool.0.annotation(REMOVE_IDS).is_some() {
        return Some(Unsettled::Named);
    }
    let all = i64::try_from(pool.node_ids().len()).is_ok_and(|nodes| nodes == pool.requested_replicas());
    (!pool.0.observed() || !all).then_some(Unsettled::Behind)
}

/// The refusal to remove brokers while it is not certain which ones would be removed.
fn not_settled(living: &Living, pool: &Pool, why: Unsettled) -> Box<Failure> {
    let message = format!(
        "it is not certain which brokers of node pool {} would be removed, so none is removed",
        pool.name
    );
    let target = &living.cx.target;
    Box::new(match why {
        Unsettled::Behind => Failure::new(errors::SCALE_POOL, Kind::Task, message)
            .because("the operator has not yet reconciled an earlier change of the node pool")
            .hint(format!("wait until it has, then try again: {}", target.kstrim("status"))),
        Unsettled::Named => Failure::new(errors::SCALE_POOL, Kind::Usage, message)
            .because(format!(
                "the annotation {REMOVE_IDS} makes the operator remove brokers that were not checked"
            ))
            .hint(format!(
                "remove the annotation: {}",
                target
                    .kubectl("annotate kafkanodepools.kafka.strimzi.io")
                    .arg(&pool.name)
                    .arg("-n")
                    .arg(&target.namespace)
                    .arg(format!("{REMOVE_IDS}-"))
            )),
    })
}

/// The refusal to change what was changed in the meantime.
fn changed_in_the_meantime(pool: &Pool) -> Box<Failure> {
    let message =
        format!("the number of nodes in {} was changed by somebody else in the meantime", pool.name);
    Box::new(
        Failure::new(errors::SCALE_POOL, Kind::Task, message)
            .hint("nothing was changed: check it, then try again"),
    )
}

/// The refusal to change a pool that kstrim did not create.
fn foreign(living: &Living, pool: &Pool) -> Box<Failure> {
    let message = format!("the node pool {} was not created by kstrim", pool.name);
    let target = &living.cx.target;
    Box::new(
        Failure::new(errors::POOL_FOREIGN, Kind::Foreign, message)
            .hint(format!("change it anyway: {}", target.again().with("--pool", &pool.name))),
    )
}

/// The topics that have partitions in a broker's data directories, once for each partition.
async fn partitions_on_disk(living: &Living, id: i32) -> Result<Vec<String>, ApiError> {
    const VOLUMES: &str = "/var/lib/kafka";
    let cx = &living.before;
    let snapshot = cx.store.snapshot();
    let pods = snapshot.pods(cx.namespace()).filter(|p| p.is_kafka_node_of(cx.cluster()));
    let suffix = format!("-{id}");
    let pod = pods.map(|p| p.0.name().to_owned()).find(|name| name.ends_with(&suffix));
    let missing = || ApiError::new(ApiErrorKind::NotFound, format!("broker {id} has no pod to inspect"));
    let pod = pod.ok_or_else(missing)?;
    let list = |path: String| {
        let pod = pod.clone();
        async move { cx.kubectl.list_directory(cx.namespace(), &pod, "kafka", &path).await }
    };
    let mut topics = Vec::new();
    for volume in list(VOLUMES.to_owned()).await?.into_iter().filter(|v| v.starts_with("data")) {
        for folder in list(format!("{VOLUMES}/{volume}/kafka-log{id}")).await? {
            // `orders-0`; Kafka's own metadata log is on every node.
            let Some((topic, partition)) = folder.rsplit_once('-') else { continue };
            if partition.bytes().all(|b| b.is_ascii_digit()) && topic != "__cluster_metadata" {
                topics.push(topic.to_owned());
            }
        }
    }
    Ok(topics)
}

/// The node pool to change.
async fn pool(living: &Living, args: &Scale) -> Result<Pool> {
    let cx = &living.cx;
    let found = living.pools().await?;
    let kafka = living.kafka();
    let nodes = kafka.nodes(found.iter().map(KafkaNodePool));
    let all = nodes.brokers_wanted;
    if !kafka.uses_pools() {
        let name = cx.cluster().to_owned();
        let ids = nodes.brokers;
        return Ok(Pool { place: Place::Kafka, name, has: all, all, ids, controllers: false });
    }
    let mine: Vec<Pool> = found
        .iter()
        .map(KafkaNodePool)
        .filter(KafkaNodePool::has_brokers)
        .map(|p| Pool {
            place: Place::Pool(p.0.clone()),
            name: p.0.name().to_owned(),
            has: u32::try_from(p.requested_replicas()).unwrap_or(0),
            all,
            ids: p.node_ids(),
            controllers: p.has_controllers(),
        })
        .collect();
    if mine.is_empty() {
        let message = format!("the Kafka cluster {} has no node pool with brokers", cx.cluster());
        return Err(Box::new(Failure::new(errors::SCALE_POOL, Kind::Prerequisite, message)));
    }
    let names: Vec<String> = mine.iter().map(|p| p.name.clone()).collect();
    let wanted = args.pool.as_ref().map(|p| p.as_str());
    let mixed = mine.iter().all(|p| p.controllers);
    // Nodes that are also controllers are not changed: the cluster depends on their number. Additional brokers get a
    // node pool of their own.
    if wanted.is_none() && mixed && args.brokers > all {
        let first = found.iter().find(|p| p.name() == names[0]);
        return new_pool_like(living, first.map_or(&Value::Null, NodePool::json), all).await;
    }
    let fits = |p: &Pool| wanted.map_or(mixed || !p.controllers, |w| p.name == w);
    let mut fitting: Vec<Pool> = mine.into_iter().filter(fits).collect();
    match (fitting.len(), fitting.pop()) {
        (1, Some(pool)) => Ok(pool),
        (0, _) => {
            let name = wanted.unwrap_or_default();
            let message = format!("the Kafka cluster {} has no node pool {name} with brokers", cx.cluster());
            let failure = Failure::new(errors::SCALE_POOL, Kind::Usage, message);
            Err(Box::new(failure.hint(format!("it has {}", names.join(", ")))))
        }
        _ => {
            let message = format!("the Kafka cluster {} has several node pools with brokers", cx.cluster());
            let failure = Failure::new(errors::SCALE_POOL, Kind::Usage, message);
            Err(Box::new(
                failure.hint(format!("specify the one to change: --pool {}", names.join(" or --pool "))),
            ))
        }
    }
}

/// A new pool of brokers only, otherwise like `model`.
async fn new_pool_like(living: &Living, model: &Value, all: u32) -> Result<Pool> {
    const NAME: &str = "broker";
    let cx = &living.cx;
    // The names of all node pools in the namespace, of any Kafka cluster.
    let pools = living.list("kafkanodepools").await?;
    if let Some(there) = pools.iter().find(|p| p["metadata"]["name"] == NAME) {
        let whose = match there["metadata"]["labels"][CLUSTER_LABEL] == cx.cluster() {
            true => "has no brokers, only controllers",
            false => "belongs to another Kafka cluster",
        };
        let message = format!("the node pool {NAME} in namespace {} {whose}", cx.namespace());
        return Err(Box::new(
            Failure::new(errors::POOL_TAKEN, Kind::Foreign, message)
                .because("names of node pools are unique in a namespace, and the new brokers need this one")
                .hint("create a node pool with another name yourself, then specify it: --pool NAME"),
        ));
    }
    let mut spec = model.get("spec").cloned().unwrap_or_default();
    spec["roles"] = json!(["broker"]);
    spec["replicas"] = json!(0);
    let made = json!({
        "apiVersion": cx.choice.release.api_version(), "kind": "KafkaNodePool",
        "metadata": {"name": NAME, "namespace": cx.namespace(), "labels": {CLUSTER_LABEL: cx.cluster()}},
        "spec": spec,
    });
    let new = Object::new(made).map_err(|why| {
        Box::new(Failure::new(errors::SCALE_POOL, Kind::Task, format!("the new node pool {why}")))
    })?;
    let place = Place::New(Box::new(new));
    Ok(Pool { place, name: NAME.into(), has: 0, all, ids: BTreeSet::new(), controllers: false })
}

/// Refuse to have fewer brokers than the Kafka cluster's settings, or their defaults, need.
fn check_broker_count(living: &Living, brokers: u32) -> Result<()> {
    let too_high: Vec<(&Need, Setting)> =
        needs(living).into_iter().filter(|(_, setting)| setting.value > brokers).collect();
    if too_high.is_empty() {
        return Ok(());
    }
    let target = &living.cx.target;
    let shown: Vec<String> = too_high.iter().map(|(need, setting)| setting.shown(need)).collect();
    let lower: Vec<String> =
        too_high.iter().map(|(need, _)| format!("{}={}", need.name, need.counts.with(brokers))).collect();
    Err(Box::new(
        Failure::new(
            errors::SCALE_REPLICATION,
            Kind::Usage,
            format!("Kafka settings require more than {brokers} brokers: {}", shown.join(", ")),
        )
        .hint(format!("lower them first: {}", target.kstrim("set").args(lower))),
    ))
}

/// The value of a setting in the Kafka resource.
struct Setting {
    value: u32,
    set: bool,
}

impl Setting {
    fn shown(&self, need: &Need) -> String {
        let by_default = if self.set { "" } else { " (Kafka's default)" };
        format!("{}={}{by_default}", need.name, self.value)
    }
}

/// The settings of this Kafka cluster that count brokers, with their values. Those of tiered storage count only if it
/// is used.
fn needs(living: &Living) -> Vec<(&'static Need, Setting)> {
    let kafka = living.kafka();
    let version = kafka.target_version().unwrap_or_else(|| living.cx.choice.kafka.clone());
    let value = |need: &'static Need| match kafka.option(need.name) {
        Some(value) => value.parse().ok().map(|value| (need, Setting { value, set: true })),
        None if need.name.starts_with("rlmm.") && !kafka.tiered_storage() => None,
        None => Some((need, Setting { value: need.default, set: false })),
    };
    broker::needs(&version).filter_map(value).collect()
}

/// The message about settings that are lower than the new number of brokers allows. Raising them is a separate
/// change, because it restarts the brokers.
fn settings_to_raise(living: &Living, brokers: u32) -> Option<String> {
    let raise: Vec<String> = needs(living)
        .into_iter()
        .filter(|(need, setting)| setting.value < need.counts.with(brokers))
        .map(|(need, _)| format!("{}={}", need.name, need.counts.with(brokers)))
        .collect();
    (!raise.is_empty()).then(|| {
        let set = living.cx.target.kstrim("set").args(raise);
        format!("new topics get as many replicas as before; to raise this, which restarts the brokers: {set}")
    })
}

fn controllers(pool: &Pool, leaving: &[i32]) -> Box<Failure> {
    Box::new(
        Failure::new(
            errors::SCALE_CONTROLLERS,
            Kind::Usage,
            format!("the nodes {} of node pool {} are also controllers", shown(leaving), pool.name),
        )
        .because(
            "a majority of the controllers must remain; removing several at once can leave the cluster \
             without one",
        )
        .hint("brokers in a separate node pool can be removed; kstrim adds new brokers in such a node pool"),
    )
}

/// Refuse while the brokers to be removed have replicas: the operator does not move them.
async fn check_no_replicas(living: &Living, leaving: &[i32]) -> Result<()> {
    let cx = &living.before;
    cx.synced(&brokers::KINDS).await;
    let brokers = Brokers::of(cx);
    let deadline = Instant::now() + ASK;
    let unseen = |why: String| {
        let message = "it is not known which partitions the brokers host, so none is removed";
        let hint = format!("check what exists: {}", cx.target.kstrim("status"));
        Box::new(Failure::new(errors::SCALE_DATA, Kind::Task, message).because(why).hint(hint))
    };
    let mut topics: BTreeMap<String, usize> = BTreeMap::new();
    // Access rules hide topics from a client without a user: in this case, the brokers' data directories are checked.
    if living.kafka().authorization().is_some() {
        for id in leaving {
            for topic in partitions_on_disk(living, *id).await.map_err(|e| unseen(e.to_string()))? {
                *topics.entry(topic).or_default() += 1;
            }
        }
    } else {
        let brokers = brokers?;
        let held = async {
            let mut client = brokers.client(deadline).await?;
            client.replicas(deadline).await
        };
        for (topic, partitions) in held.await.map_err(|e| unseen(e.to_string()))? {
            let there = partitions.iter().filter(|p| p.iter().any(|node| leaving.contains(node))).count();
            if there > 0 {
                topics.insert(topic, there);
            }
        }
    }
    if topics.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 5;
    let mut names: Vec<String> = topics.iter().take(SHOWN).map(|(t, n)| format!("{t} ({n})")).collect();
    if topics.len() > SHOWN {
        names.push(format!("and {} more topics", topics.len() - SHOWN));
    }
    Err(Box::new(
        Failure::new(
            errors::SCALE_DATA,
            Kind::Usage,
            format!("the brokers {} host partitions whose data would be lost", shown(leaving)),
        )
        .because(format!("partitions of {}", names.join(", ")))
        .hint(
            "move them to the remaining brokers (kafka-reassign-partitions.sh, or Cruise Control), then \
        try again",
        )
        .hint(format!("or delete topics that are not needed: {}", cx.target.kstrim("topic delete TOPIC"))),
    ))
}

fn shown(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
