//! `kstrim upgrade`

use std::process::ExitCode;
use std::rc::Rc;

use super::invocation::{Ended, Invocation};
use super::living::{self, Living};
use crate::bundle::Bundle;
use crate::catalogue::{self, Choice, Mode, Partial, Release};
use crate::cli::{Global, OutputMode, Upgrade};
use crate::cluster::{existing_operator, operator_refusals};
use crate::config::{PresetName, Settings, Target};
use crate::engine::task::infos;
use crate::errors;
use crate::exec::quote;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as Observed;
use crate::quickstart::{components as beside, next};
use crate::upgrade::document;
use crate::upgrade::images::Given;
use crate::upgrade::migrate;
use crate::upgrade::path::{self, Stop};
use crate::upgrade::state::{self, Found};
use crate::upgrade::steps::Way;

/// Upgrade to a later release, or show the upgrade path.
///
/// # Errors
/// What is wrong with the command line, and with --dry-run that there is no path; other failures are
/// reported as events.
pub(crate) async fn run(global: &Global, args: &Upgrade) -> Result<ExitCode> {
    let asked =
        Partial { release: Some(args.release.clone()), kafka: args.kafka.clone(), ..Partial::default() };
    let target = catalogue::resolve(&asked)?.release;
    if !args.dry_run {
        let invocation = Invocation::begin(global, "upgrade", args.output);
        let ended = upgrade(&invocation, global, args, target).await;
        invocation.release_held().await;
        return Ok(invocation.finish(ended));
    }
    living::reading(global, async |living| {
        let (found, way) = plan(&living, args, target).await?;
        let told = document::describe_path(&living.cx.target, &found, &way);
        super::print(&if args.output == OutputMode::Json {
            super::json(&told)
        } else {
            document::text(&told)
        });
        Ok(ExitCode::SUCCESS)
    })
    .await
}

async fn upgrade(
    invocation: &Invocation,
    global: &Global,
    args: &Upgrade,
    target: &'static Release,
) -> Result<Ended> {
    let given = given(global, args)?;
    let living = living::open_to_change(invocation, global).await?;
    let cx = living.cx.clone();
    let looked = async {
        let (found, way) = plan(&living, args, target).await?;
        agreed(&living, args, &found, &way).await?;
        Ok::<_, Box<Failure>>((found, way))
    };
    let (found, way) = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let (with, mirrored) = beside::resources(&living.before).await;
    living.before.stop_observing();
    let base = Settings { with, mirrored, ..Settings::for_existing(&cx.target, &args.topic) };
    unused(&given, &way)?;
    let given = Rc::new(given);
    let choose = |stop: &Stop| choice(&base, args, &given, &found, &way, stop);
    let jobs = Way { cx: &cx, found: &found, choose: &choose, given: given.clone() }.jobs(&way)?;
    invocation.started(Some(&target.version.to_string()), infos(&jobs));
    cx.journal.borrow_mut().state.run_id = invocation.run_id.clone();
    let report = invocation.run(jobs, cx.journal.clone(), args.timeout).await;
    let done = report.failure.is_none();
    if done {
        // The suggested next commands name one of the brokers.
        cx.synced(&[Observed::Pod]).await;
    }
    cx.stop_observing();
    if done {
        let mut journal = cx.journal.borrow_mut();
        journal.state.release = Some(target.version.to_string());
        journal.save()?;
    }
    Ok(Ended { report, next: done.then(|| next::next(&cx, &args.topic)) })
}

async fn plan(living: &Living, args: &Upgrade, target: &'static Release) -> Result<(Found, Vec<Stop>)> {
    let pools: Vec<_> = living.pools().await?.iter().map(|pool| pool.json().clone()).collect();
    // Before kstrim's own operator is looked for: there is none.
    if living.cx.owns(living.resource.json())
        && let Some(existing) = existing_operator::of(&living.cx).await?
    {
        return Err(operator_refusals::upgraded_by_owner(&living.cx.target, &existing, &target.version));
    }
    let found = state::look(&living.cx, living.resource.json(), &pools).await?;
    let way = path::plan(&found.state, target, args.kafka.as_ref(), args.kraft)?;
    state::alone(&living.cx, &found, &target.version).await?;
    if migrates(&found, &way).is_some() {
        migrate::possible(&living.cx, &found.state, living.resource.json()).await?;
    }
    Ok((found, way))
}

/// The step of the path that migrates from ZooKeeper to KRaft.
fn migrates<'a>(found: &Found, way: &'a [Stop]) -> Option<&'a Stop> {
    way.iter().find(|stop| found.state.mode() == Mode::Zookeeper && stop.mode == Mode::Kraft)
}

/// Ask the user, or check that a script passed `--yes`. If there is nothing to do, no consent is needed.
async fn agreed(living: &Living, args: &Upgrade, found: &Found, way: &[Stop]) -> Result<()> {
    let Some(last) = way.last().filter(|_| !args.yes) else { return Ok(()) };
    let migration = migrates(found, way).map_or_else(String::new, |stop| {
        format!(
            " With {}, it is migrated from ZooKeeper to KRaft, and ZooKeeper is deleted.",
            stop.release.version
        )
    });
    let question = format!(
        "This upgrades the Kafka cluster {} from Strimzi {} with Kafka {} to Kafka {}, with Strimzi \
         {}.{migration} Its brokers restart at every step. This cannot be undone.",
        living.cx.cluster(),
        found.state.release.version,
        found.state.kafka,
        last.kafka,
        releases(way)
    );
    super::consent::to(living, &question, "nothing was changed").await
}

/// The releases of a path, each once.
fn releases(way: &[Stop]) -> String {
    let mut all: Vec<String> = way.iter().map(|s| s.release.version.to_string()).collect();
    all.dedup();
    all.join(", ")
}

/// The archives and bundles specified on the command line.
fn given(global: &Global, args: &Upgrade) -> Result<Given> {
    let mut settings = Settings::for_existing(&Target::from(global), &args.topic);
    settings.load_images(&args.image_archive)?;
    let bundles = args.bundle.iter().map(|bundle| settings.open_bundle(bundle)).collect::<Result<_>>()?;
    Ok(Given { archives: settings.image_archives, bundles })
}

/// Refuse a bundle of a release that is not on the path: it was probably specified by mistake.
fn unused(given: &Given, way: &[Stop]) -> Result<()> {
    let on = |b: &&Bundle| way.iter().any(|s| s.release.version == b.index.set.release);
    let Some(bundle) = given.bundles.iter().find(|b| !way.is_empty() && !on(b)) else { return Ok(()) };
    let path = quote(&bundle.path.display().to_string());
    let message = format!("--bundle {path} is for Strimzi {}", bundle.index.set.release);
    Err(Box::new(
        Failure::new(errors::SETTING_INVALID, Kind::Usage, message)
            .because(format!("the upgrade path is Strimzi {}", releases(way)))
            .hint(format!("omit --bundle {path}")),
    ))
}

/// The settings with which `up` would install a step's release, and its versions.
fn choice(
    base: &Settings,
    args: &Upgrade,
    given: &Given,
    found: &Found,
    way: &[Stop],
    stop: &Stop,
) -> Result<(Settings, Choice)> {
    let mut settings = base.clone();
    settings.release = Some(stop.release.version.clone());
    settings.kafka = Some(stop.kafka.clone());
    settings.preset = Some(match stop.mode {
        Mode::Kraft if found.state.mode() == Mode::Zookeeper => PresetName::Migrated,
        _ => found.shape.preset,
    });
    settings.stock = found.shape.tuning.is_none();
    settings.broker_jvm = found.shape.tuning.unwrap_or_default();
    settings.mirror.clone_from(&args.mirror);
    settings.offline = args.offline;
    settings.image_registry.clone_from(&found.registry);
    settings.pull_secrets.clone_from(&found.pull_secrets);
    if let Some(size) = &found.shape.storage {
        settings.storage = size.clone();
    }
    settings.bundle = given.bundles.iter().find(|b| b.index.set.release == stop.release.version).cloned();
    if let (None, Some(folder)) = (&settings.bundle, &args.manifests) {
        settings.manifests = Some(manifest(folder, way, stop)?);
    }
    let choice = super::up::choose(&settings)?;
    Ok((settings, choice))
}

/// The install manifest of a release in the specified directory.
fn manifest(folder: &std::path::Path, way: &[Stop], stop: &Stop) -> Result<String> {
    let name = format!("strimzi-cluster-operator-{}.yaml", stop.release.version);
    let file = folder.join(&name);
    // A release that is already installed needs no manifest, unless its definitions are converted.
    let needed = way.iter().any(|s| s.release.version == stop.release.version);
    if file.is_file() || !needed {
        return Ok(file.to_string_lossy().into_owned());
    }
    let message = format!("--manifests {}: {name} does not exist", quote(&folder.display().to_string()));
    Err(Box::new(
        Failure::new(errors::SETTING_INVALID, Kind::Usage, message)
            .because(format!("Strimzi {} is on the upgrade path", stop.release.version))
            .hint(format!("it is published at {}", stop.release.url)),
    ))
}
