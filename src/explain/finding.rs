//! What a rule found.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::scene::Probe;
pub use crate::errors::Severity;
use crate::failure::{Failure, Id, Kind};

/// How `up` recovers from a finding of severity [`Severity::Heal`] while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Delete the operator's pod, so that a new one starts.
    RestartOperator,
    /// Apply the operator's objects again: some of them were changed or removed.
    ApplyOperator,
    /// Annotate the Kafka resource, so that the operator reconciles it now instead of in its next periodic
    /// reconciliation.
    Reconcile,
    /// Remove Strimzi's own finalizer from this topic, which is deleted with its namespace: no topic operator manages
    /// it any more.
    ReleaseTopic(String),
    /// Delete this pod of the operator or of Kafka: its restart is delayed by the failures of an earlier run
    /// (Kubernetes doubles the back-off up to five minutes), whose cause may be gone.
    RestartPod(String),
}

/// A cause, or a symptom if no cause is known.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Stable id.
    pub id: Id,
    /// What kstrim may do about it.
    pub severity: Severity,
    /// Its subject, such as `pod/my-cluster-dual-role-0`; together with the id it identifies the finding.
    pub subject: String,
    /// The cause, one sentence without a final stop.
    pub sentence: String,
    /// The field that proves it, such as `pods/NAME status....reason=ErrImagePull`.
    pub evidence: String,
    /// The last lines of the most relevant log, for someone who knows the program.
    pub lines: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
    /// Since when, if the objects show it (the API server's clock).
    pub since: Option<Timestamp>,
    /// How long it must persist before it ends a wait; `None`: it never does by itself.
    pub certain_after: Option<Duration>,
    /// Whether somebody configured it: waiting does not change it, so a single look at the cluster is certain.
    pub stands: bool,
    /// Until it has persisted this long it is part of every start: `doctor` does not report it, but a run that ends
    /// at this moment does.
    pub usual_for: Option<Duration>,
    /// How close to the root cause it is: of several findings the deepest is the cause. 0 to 99.
    pub depth: u8,
    /// How kstrim can recover from it.
    pub recovery: Option<Recovery>,
    /// Probes whose results would show more. The caller may run them; they are read-only.
    pub probes: Vec<Probe>,
}

impl Finding {
    /// A finding with its id's severity that ends no wait.
    pub fn new(id: Id, depth: u8, subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            id,
            severity: id.entry().severity,
            subject: subject.into(),
            sentence: sentence.into(),
            evidence: String::new(),
            lines: Vec::new(),
            hints: Vec::new(),
            since: None,
            certain_after: None,
            stands: false,
            usual_for: None,
            depth,
            recovery: None,
            probes: Vec::new(),
        }
    }

    /// Set another severity than that of the id, if more or less can be done in this case.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Set how kstrim can recover from it.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = Some(recovery);
        self
    }

    /// Allow a restart of a pod that an earlier run left in this state; the severity stays.
    #[must_use]
    pub fn new_start(mut self, pod: &str) -> Self {
        self.recovery = Some(Recovery::RestartPod(pod.to_owned()));
        self
    }

    /// Set the evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = evidence.into();
        self
    }

    /// Set the last lines of a log.
    #[must_use]
    pub fn lines(mut self, lines: Vec<String>) -> Self {
        self.lines = lines;
        self
    }

    /// Add a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// It persists until somebody changes it; a wait allows `seconds` for that.
    #[must_use]
    pub fn set_by_hand(mut self, seconds: u64) -> Self {
        self.stands = true;
        self.certain_after(seconds)
    }

    /// Set since when it persists.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// It ends a wait after it has persisted for this many seconds.
    #[must_use]
    pub fn certain_after(mut self, seconds: u64) -> Self {
        self.certain_after = Some(Duration::from_secs(seconds));
        self
    }

    /// It is normal for this many seconds.
    #[must_use]
    pub fn usual_for(mut self, seconds: u64) -> Self {
        self.usual_for = Some(Duration::from_secs(seconds));
        self
    }

    /// Whether it is normal at `now`.
    pub fn usual_at(&self, now: Timestamp) -> bool {
        self.usual_for.is_some_and(|usual| !self.held_for(usual, now))
    }

    /// Add a probe.
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Self {
        self.probes.push(probe);
        self
    }

    /// Whether it is certain at `now`, if it was first seen then or, according to the objects' times, earlier. For a
    /// single look; a wait uses the [`super::Judge`].
    pub fn certain_at(&self, now: Timestamp) -> bool {
        self.certain_after.is_some_and(|after| self.held_for(after, now))
    }

    fn held_for(&self, long: Duration, now: Timestamp) -> bool {
        let held = self.since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        held >= SignedDuration::try_from(long).unwrap_or(SignedDuration::MAX)
    }

    /// As the failure of a task.
    pub fn failure(&self) -> Failure {
        let mut failure = Failure::new(self.id, Kind::Task, self.sentence.clone());
        if !self.evidence.is_empty() {
            failure = failure.because(&self.evidence);
        }
        for line in self.lines.iter().filter(|l| !self.evidence.ends_with(l.as_str())) {
            failure = failure.because(format!("log: {line}"));
        }
        failure.hints.clone_from(&self.hints);
        failure
    }
}

impl From<Finding> for Box<Failure> {
    fn from(finding: Finding) -> Self {
        Box::new(finding.failure())
    }
}

/// The first 300 characters, on one line.
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
