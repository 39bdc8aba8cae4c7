//! Evidence of what is wrong, in one archive that can be shared: a summary first, then output of kstrim, the cluster,
//! its pods and minikube, without secrets.
//!
//! Nothing that it queries can block it: every child process has a short limit ([`bounded`]), the whole collection
//! has one, and what could not be collected by then is reported as a gap. [`bundle`] holds what was collected,
//! [`crate::redact`] redacts the secrets when all of them are known, [`archive`] packs it.

mod archive;
mod bounded;
mod bundle;
mod cluster;
mod local;
mod machine;
mod summary;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Target;
use crate::errors;
use crate::event::FailureInfo;
use crate::exec::{BoxFuture, Runner};
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::kube::pod::Event;
use crate::paths::ProfilePaths;
use crate::status::look::{self, Looker};
use crate::status::model::Memory;

pub(crate) use bundle::Gap;
pub use bundle::{FILE_LIMIT, WHOLE_LIMIT};

/// Time limit of the plan.
const PLAN: Duration = Duration::from_secs(15);
/// Maximum number of warning events in the summary.
const WARNINGS: usize = 20;

/// How much is collected, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For the whole collection.
    pub whole: Duration,
    /// For each child process.
    pub child: Duration,
    /// Number of child processes at once.
    pub at_once: usize,
    /// Lines of each log.
    pub log_lines: u64,
    /// Number of logs.
    pub logs: usize,
    /// Lines of each of the node's own logs.
    pub node_lines: u32,
}

impl Limits {
    /// For `kstrim diagnose`, whose user waits at most this long.
    pub(crate) fn asked(whole: Duration) -> Self {
        let child = Duration::from_secs(20).min(whole);
        Self { whole, child, at_once: 6, log_lines: 5000, logs: 120, node_lines: 120 }
    }

    /// After a failure, which must be reported soon.
    pub(crate) fn on_failure() -> Self {
        Self {
            whole: Duration::from_secs(8),
            child: Duration::from_secs(5),
            at_once: 6,
            log_lines: 1000,
            logs: 24,
            node_lines: 60,
        }
    }
}

/// What to collect.
pub(crate) struct Request<'a> {
    /// Which cluster.
    pub target: &'a Target,
    /// The profile's files.
    pub paths: &'a ProfilePaths,
    /// Runs the child processes.
    pub runner: Rc<dyn Runner>,
    /// Limits.
    pub limits: Limits,
    /// The command that failed, and its failure.
    pub failure: Option<(&'a str, &'a FailureInfo)>,
    /// What `up` would do now, if that is to be included.
    pub plan: Option<BoxFuture<'a, Result<String>>>,
}

/// An archive that was written.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    /// Its path.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Number of files.
    pub files: usize,
    /// Duration in seconds.
    pub seconds: f64,
    /// Why Kafka is not ready, one line; null if it is, or if the cluster could not be read.
    pub reason: Option<String>,
    /// What is wrong, root cause first: id and sentence.
    pub findings: Vec<Found>,
    /// What could not be collected.
    pub gaps: Vec<Gap>,
}

/// A problem.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    /// Stable id.
    pub id: String,
    /// The cause, one sentence.
    pub sentence: String,
}

/// The name of an archive created at `time`, without its suffix.
pub(crate) fn name(profile: &str, time: Timestamp) -> String {
    format!("kstrim-diagnose-{profile}-{}", time.strftime("%Y%m%dT%H%M%SZ"))
}

/// Collect, and write the archive to `path`.
pub(crate) async fn write(mut request: Request<'_>, path: &Path, time: Timestamp) -> Result<Written> {
    let began = Instant::now();
    let bundle = bundle::Bundle::default();
    let target = request.target;
    for name in [target.profile.as_str(), target.namespace.as_str(), target.cluster.as_str()] {
        bundle.name(name);
    }
    machine::local(&request, &bundle);
    let mut runs = local::collect(&request, &bundle);
    // The run's last event, with this failure, is emitted later.
    for run in runs.iter_mut().filter(|run| request.failure.is_some_and(|(verb, _)| verb == run.verb)) {
        run.outcome.get_or_insert_with(|| "failed".to_owned());
    }
    let mut warnings = Vec::new();
    let plan = request.plan.take();
    let whole = request.limits.whole;
    let _ = tokio::time::timeout(whole, ask(&request, &bundle, plan, &mut warnings)).await;
    bundle.close(&format!("it was not available within the time limit of {} s", whole.as_secs()));

    let redactor = bundle.redactor();
    let mut files = bundle.files(&redactor);
    let (status, gaps, profile) = (bundle.status(), bundle.gaps(), target.profile.as_str());
    let summary = summary::markdown(&summary::Facts {
        profile,
        time,
        failure: request.failure,
        status: status.as_ref(),
        facts: facts(&bundle),
        runs: &runs,
        warnings: &warnings,
        gaps: &gaps,
        files: &files,
    });
    files.insert(0, bundle::File { name: "summary.md".into(), text: redactor.text(&summary) });
    let bytes = archive::write(path, &name(profile, time), &files, time).map_err(|e| {
        Box::new(
            Failure::new(
                errors::DIAGNOSE_UNWRITABLE,
                Kind::Prerequisite,
                format!("the archive {} cannot be written", path.display()),
            )
            .because(e)
            .hint(format!("specify another location: {}", target.kstrim("diagnose --file FILE"))),
        )
    })?;
    let found =
        |f: &crate::status::data::Finding| Found { id: f.id.clone(), sentence: redactor.text(&f.sentence) };
    Ok(Written {
        path: path.to_owned(),
        bytes,
        files: files.len(),
        seconds: (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        reason: status.as_ref().and_then(|s| s.reason.as_ref()).map(|r| redactor.text(r)),
        findings: status.iter().flat_map(|s| &s.findings).map(found).collect(),
        gaps: gaps.into_iter().map(|g| Gap { why: redactor.text(&g.why), ..g }).collect(),
    })
}

/// Everything that has to be queried, in parallel where one part does not depend on another.
async fn ask(
    request: &Request<'_>,
    bundle: &bundle::Bundle,
    plan: Option<BoxFuture<'_, Result<String>>>,
    warnings: &mut Vec<String>,
) {
    let limits = request.limits;
    let runner: Rc<dyn Runner> =
        Rc::new(bounded::Bounded::new(request.runner.clone(), limits.child, limits.at_once));
    let cluster = async {
        let mut troubles = Vec::new();
        let looker = Looker::lenient(request.target, request.paths, runner.clone(), &mut troubles);
        for trouble in &troubles {
            bundle.gap("status.json", machine::said(trouble));
        }
        let seen = match bundle.part("the state of the cluster", looker.look()).await {
            Ok(seen) => seen,
            Err(failure) => return bundle.gap("the state of the cluster", machine::said(&failure)),
        };
        let events = seen.snapshot.all(ObservedKind::Event).map(Event);
        let mut lines: Vec<Event<'_>> = events.filter(Event::is_warning).collect();
        lines.sort_by_key(Event::last);
        warnings.extend(lines.iter().rev().take(WARNINGS).rev().map(cluster::event_line));
        let status = async {
            let status = look::status(&seen, &seen.snapshot, &mut Memory::default()).await;
            bundle.text("status.json", serde_json::to_string_pretty(&status).unwrap_or_default());
            bundle.set_status(status);
        };
        let objects = async {
            match &seen.reached {
                Some(reached) => cluster::ask(request, bundle, &reached.kubectl, &seen.snapshot).await,
                None => bundle.gap("objects, events and logs", unreached(&seen)),
            }
        };
        tokio::join!(status, objects);
    };
    let plan = async {
        let Some(plan) = plan else { return };
        // It watches; without an API server it would wait for the first list for its whole limit.
        match tokio::time::timeout(PLAN.min(limits.whole), bundle.part("kstrim/plan.txt", plan)).await {
            Ok(Ok(text)) => bundle.text("kstrim/plan.txt", text),
            Ok(Err(failure)) => bundle.gap("kstrim/plan.txt", machine::said(&failure)),
            // The part stays unfinished, and is reported as a gap.
            Err(_) => {}
        }
    };
    tokio::join!(cluster, plan, machine::ask(request, bundle, runner.clone()));
}

/// Why there are no objects.
fn unreached(seen: &look::Seen) -> String {
    match &seen.facts.api {
        Some(Err(why)) => format!("the API server does not respond: {why}"),
        _ => "the profile has no API server to query".to_owned(),
    }
}

/// The table of versions.
fn facts(bundle: &bundle::Bundle) -> Vec<(&'static str, String)> {
    let mut facts = bundle.facts();
    if let Some(status) = bundle.status() {
        let versions = status.versions;
        let profile = status.profile;
        let words = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        facts.insert("minikube", words(versions.minikube));
        facts.insert("kubectl", words(versions.kubectl));
        facts.insert("Kubernetes", words(versions.kubernetes));
        facts.insert("Strimzi", words(versions.strimzi));
        facts.insert("Kafka", words(versions.kafka));
        let engine: Vec<String> = profile.driver.into_iter().chain(profile.runtime).collect();
        facts.insert("engine", words((!engine.is_empty()).then(|| engine.join(", "))));
        let sizes = profile.memory_mb.zip(profile.cpus);
        facts.insert("profile", words(sizes.map(|(mb, cpus)| format!("{mb} MiB memory, {cpus} CPUs"))));
    }
    let order = [
        "kstrim",
        "minikube",
        "kubectl",
        "Kubernetes",
        "Strimzi",
        "Kafka",
        "engine",
        "profile",
        "system",
        "machine",
        "disk",
    ];
    order.iter().filter_map(|name| facts.remove(name).map(|value| (*name, value))).collect()
}
