//! `kstrim snapshot`

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use serde::Serialize;

use super::invocation::{Ended, Invocation};
use super::{consent, down_profile, existing_profile, living};
use crate::bundle::{Bundle, Snapshot, megabytes};
use crate::cli::{
    Format, Global, OutputMode, SnapshotDelete, SnapshotList, SnapshotPlace, SnapshotRestore, SnapshotSave,
    SnapshotVerb,
};
use crate::cluster::journal::JournalFile;
use crate::config::{Settings, Target};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::lifecycle::restore::{self, Before, Restore};
use crate::lifecycle::save::{self, Save, Wanted};
use crate::lifecycle::snapshots;
use crate::names::{KubernetesVersion, Version};
use crate::quickstart::context::Context;
use crate::terminal;
use crate::terminal::table::Table;
use crate::tool::minikube_output::{Listed, State};

/// Run one of its subcommands.
///
/// # Errors
/// What is wrong with the command line or with the files; other failures are reported as events.
pub(crate) async fn run(global: &Global, verb: &SnapshotVerb) -> Result<ExitCode> {
    existing_profile::of_minikube(&Target::from(global), "snapshot")?;
    match verb {
        SnapshotVerb::Save(args) => {
            let invocation = Invocation::begin(global, "snapshot", args.run.output);
            let ended = save(&invocation, args).await;
            Ok(invocation.finish_with_evidence(ended, !args.run.no_diagnose).await)
        }
        SnapshotVerb::Restore(args) => restore(global, args).await,
        SnapshotVerb::List(args) => list(global, args),
        SnapshotVerb::Delete(args) => delete(global, args),
    }
}

/// A snapshot in a list.
#[derive(Serialize)]
struct Row {
    name: String,
    file: PathBuf,
    /// Bytes.
    size: u64,
    /// Null if the file cannot be read.
    snapshot: Option<Snapshot>,
    release: Option<Version>,
    kafka: Option<Version>,
    kubernetes: Option<Version>,
    /// Why the file cannot be read.
    problem: Option<String>,
}

fn list(global: &Global, args: &SnapshotList) -> Result<ExitCode> {
    let rows: Vec<Row> = snapshots::list(global.profile.as_str())?
        .into_iter()
        .map(|stored| {
            let index = stored.bundle.as_ref().ok().map(|bundle| &bundle.index);
            Row {
                name: stored.name.to_string(),
                file: stored.file.clone(),
                size: stored.size,
                snapshot: index.and_then(|index| index.snapshot.clone()),
                release: index.map(|index| index.set.release.clone()),
                kafka: index.map(|index| index.set.kafka.clone()),
                kubernetes: index.and_then(|index| index.set.kubernetes.clone()),
                problem: stored.bundle.as_ref().err().map(ToString::to_string),
            }
        })
        .collect();
    super::print(&match args.format {
        Format::Json => super::json(&rows),
        Format::Yaml => super::yaml(&rows),
        Format::Text if rows.is_empty() => format!("No snapshots of the profile {}.\n", global.profile),
        Format::Text => table(&rows),
    });
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(["NAME", "SAVED", "SIZE", "STRIMZI", "KAFKA", "KUBERNETES"]);
    let shown = |version: &Option<Version>| version.as_ref().map_or("-".to_owned(), ToString::to_string);
    for row in rows {
        let saved = match (&row.snapshot, &row.problem) {
            (Some(snapshot), _) => snapshot.saved_at(),
            (None, Some(problem)) => problem.clone(),
            (None, None) => "it is no snapshot".to_owned(),
        };
        table.row([
            &row.name,
            &saved,
            &megabytes(row.size),
            &shown(&row.release),
            &shown(&row.kafka),
            &shown(&row.kubernetes),
        ]);
    }
    let mode =
        terminal::resolve(OutputMode::Auto, super::stdout_is_terminal(), false, &|n| std::env::var(n).ok());
    table.render(mode.stdout, terminal::stdout_columns())
}

fn delete(global: &Global, args: &SnapshotDelete) -> Result<ExitCode> {
    let profile = global.profile.as_str();
    let list = Target::from(global).kstrim("snapshot list").to_string();
    // All or none: a wrong name must be found before any other is deleted.
    for name in &args.names {
        if !snapshots::file(profile, name).exists() {
            return Err(snapshots::missing(profile, name, list));
        }
    }
    for name in &args.names {
        let file = snapshots::file(profile, name);
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Box::new(crate::paths::unwritable(&file, &e)));
            }
            _ => super::print(&format!("{}\n", file.display())),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of a snapshot of this profile.
fn file(place: &SnapshotPlace, profile: &str) -> PathBuf {
    match (&place.file, &place.name) {
        (Some(file), _) => file.clone(),
        (None, Some(name)) => snapshots::file(profile, name),
        (None, None) => unreachable!("the command line requires one of them"),
    }
}

async fn save(invocation: &Invocation, args: &SnapshotSave) -> Result<Ended> {
    let _lock = invocation.lock()?;
    let target = invocation.target();
    let journal = JournalFile::open(&invocation.paths.journal(), target.profile.as_str())?;
    let choice = existing_profile::choice(journal.state.release.and_then(|release| release.parse().ok()))?;
    let mut settings = Settings::for_existing(target, &args.run.topic);
    settings.adopt = args.run.adopt;
    let cx = Rc::new(super::up::context(invocation, settings, choice)?);
    let session = Rc::new(super::up::session(invocation, cx.choice.clone())?);
    let looked = async {
        let found = existing_profile::find(&cx, args.run.adopt).await?;
        if found.state != State::Running || !found.answers {
            return Err(existing_profile::not_running(
                &cx,
                "only the state of a running cluster can be saved",
            ));
        }
        let wanted =
            Wanted { file: file(&args.place, cx.profile()), force: args.force, images: !args.without_images };
        let save = Save::prepare(&cx, &found.profile, wanted).await?;
        let others = down_profile::look(&cx, true).await?.others();
        existing_profile::agreed(&cx, "restarts", args.yes, &others).await?;
        // Nothing else may change the namespace now. The Lease is released, so that it is not part of the snapshot.
        living::acquire_lease(invocation, &session).await?;
        invocation.release_held().await;
        let _ = cx.machine.listed.set(Listed::Valid(found.profile));
        Ok::<_, Box<Failure>>(Rc::new(save))
    };
    let save = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let plan = save::plan(&save);
    invocation.started(Some(&cx.choice.release.version.to_string()), plan.infos());
    let ended = existing_profile::run(invocation, &cx, plan.jobs(&cx), args.run.timeout).await?;
    if ended.report.failure.is_some() {
        save.shared.undo(&cx, Rc::new(invocation.runner.detached())).await;
    }
    Ok(ended)
}

async fn restore(global: &Global, args: &SnapshotRestore) -> Result<ExitCode> {
    let mut global = global.clone();
    let file = file(&args.place, global.profile.as_str());
    if let Some(name) = args.place.name.as_ref().filter(|_| !file.exists()) {
        let list = Target::from(&global).kstrim("snapshot list").to_string();
        return Err(snapshots::missing(global.profile.as_str(), name, list));
    }
    let restore = Restore::new(Bundle::open(&file)?)?;
    // If the snapshot has a Kafka cluster with another name than the default, that one is meant.
    let named = |flag| global.given.contains(&flag);
    let (namespace, cluster) = (named("--namespace"), named("--cluster"));
    if !namespace && !cluster {
        global.namespace.clone_from(&restore.snapshot().namespace);
        global.cluster.clone_from(&restore.snapshot().cluster);
    }
    let settings = settings(&global, args, &restore)?;
    let invocation = Invocation::begin(&global, "snapshot", args.run.output);
    let ended = restored(&invocation, settings, args, Rc::new(restore)).await;
    Ok(invocation.finish_with_evidence(ended, !args.run.no_diagnose).await)
}

/// The settings of a profile that is created for the snapshot.
fn settings(global: &Global, args: &SnapshotRestore, restore: &Restore) -> Result<Settings> {
    let (set, snapshot) = (&restore.bundle().index.set, restore.snapshot());
    let mut settings = Settings::for_existing(&Target::from(global), &args.run.topic);
    settings.adopt = args.run.adopt;
    settings.release = Some(set.release.clone());
    let kubernetes = set.kubernetes.as_ref().map(|version| version.to_string().parse::<KubernetesVersion>());
    settings.kubernetes = kubernetes.transpose().map_err(|error| {
        let message = format!("the index of the bundle {} is invalid", restore.bundle().path.display());
        Box::new(Failure::new(errors::BUNDLE_INDEX, Kind::Usage, message).because(error))
    })?;
    // The snapshot's cluster was running, so its versions work together.
    settings.allow_unsupported = true;
    settings.driver = args.driver.clone().or_else(|| Some(snapshot.driver.clone()));
    settings.memory = args.memory.clone().or_else(|| Some(format!("{}mb", snapshot.memory_mb)));
    settings.cpus = args.cpus.clone().or_else(|| Some(snapshot.cpus.to_string()));
    settings.minikube_args.clone_from(&args.minikube_arg);
    settings.minikube_args.push(format!("--container-runtime={}", snapshot.runtime));
    Ok(settings)
}

async fn restored(
    invocation: &Invocation,
    settings: Settings,
    args: &SnapshotRestore,
    restore: Rc<Restore>,
) -> Result<Ended> {
    let _lock = invocation.lock()?;
    let choice = existing_profile::choice(settings.release.clone())?;
    let cx = Rc::new(super::up::context_to_create(invocation, settings, choice)?);
    let looked = async {
        cx.journal.borrow().refuse_newer()?;
        let listed = cx.minikube.listed().await?;
        restore.is_of_profile(&cx)?;
        let Listed::Valid(_) = &listed else { return Ok(Before::Nothing) };
        let found = existing_profile::find_to_restore(&cx, args.run.adopt).await?;
        restore.fits(&cx, &found.profile)?;
        agreed(&cx, &restore, args.yes, found.answers).await?;
        let before = match found.state {
            State::Running | State::Partial => Before::Machine,
            _ => Before::Suspended,
        };
        let _ = cx.machine.listed.set(Listed::Valid(found.profile));
        Ok::<_, Box<Failure>>(before)
    };
    let before = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let plan = restore::plan(&restore, before);
    invocation.started(Some(&cx.choice.release.version.to_string()), plan.infos());
    let ended = existing_profile::run(invocation, &cx, plan.jobs(&cx), args.run.timeout).await?;
    if cx.journal.borrow().state.restoring.is_some() {
        let again = cx.target.again();
        cx.emit.warn_of(
            errors::SNAPSHOT_UNFINISHED,
            format!("the profile cannot be used until it is restored: {again}"),
        );
    }
    Ok(ended)
}

/// Ask before the cluster is replaced; in a script, `--yes` agrees.
async fn agreed(cx: &Context, restore: &Restore, yes: bool, answers: bool) -> Result<()> {
    let what = format!(
        "Everything in the minikube profile {} is replaced by the snapshot saved {}",
        cx.profile(),
        restore.snapshot().saved_at()
    );
    if yes {
        return Ok(());
    }
    let found = down_profile::look(cx, answers).await?;
    let lines: Vec<String> = found.lines().iter().map(|line| format!("\n  {line}")).collect();
    let question = format!("{what}; what was created or produced since is deleted:{}", lines.concat());
    let hint = format!("to agree: {}", cx.target.again().flag("--yes"));
    consent::ask(&question, "nothing was changed", &hint).await
}
