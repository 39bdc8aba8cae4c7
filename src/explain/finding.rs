//! What a rule found.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::scene::Probe;
pub use crate::errors::Severity;
use crate::failure::{Failure, Id, Kind};

/// How a finding of severity [`Severity::Heal`] is fixed while `up` waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// Delete the operator's pod: a new one begins with a clear head.
    RestartOperator,
    /// Apply the operator's objects again: something of them was changed or removed.
    ApplyOperator,
    /// Touch the Kafka, so that the operator looks at it now and not at its next round.
    LookAgain,
    /// Take Strimzi's own finalizer off this topic, which goes with its namespace: nobody serves it any more.
    ReleaseTopic(String),
    /// Delete this pod of the operator or of Kafka: it is held back by the failures of an earlier
    /// run (Kubernetes doubles the pause between tries up to five minutes), whose cause may be gone.
    RestartPod(String),
}

/// A cause, or a symptom for want of a deeper one.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Stable id.
    pub id: Id,
    /// What kstrim may do about it.
    pub severity: Severity,
    /// What it is about, as `pod/my-cluster-dual-role-0`; with the id it is the finding's identity.
    pub subject: String,
    /// The cause, one sentence without a final stop.
    pub sentence: String,
    /// The field that proved it, as `pods/NAME status....reason=ErrImagePull`.
    pub evidence: String,
    /// The last lines of the log that tells most, for somebody who knows the program.
    pub lines: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
    /// Since when, if the objects tell (the API server's clock).
    pub since: Option<Timestamp>,
    /// How long it must hold before it stops a wait; `None`: it never does by itself.
    pub certain_after: Option<Duration>,
    /// Whether it is what somebody has set: no time changes it, so that a single look at the cluster is certain of it.
    pub stands: bool,
    /// Younger than that it is what every start goes through: a look at the cluster does not tell of it, a run
    /// that ends just then does.
    pub usual_for: Option<Duration>,
    /// How near the root it is: of several findings the deepest is the cause. 0 to 99.
    pub depth: u8,
    /// How kstrim may put it right by itself.
    pub cure: Option<Cure>,
    /// Questions whose answers would say more. The caller may answer them read-only.
    pub probes: Vec<Probe>,
}

impl Finding {
    /// A finding of its id's severity that stops no wait.
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
            cure: None,
            probes: Vec::new(),
        }
    }

    /// Set another severity than that of the id: this once less, or more, can be done.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// kstrim can put it right, so.
    #[must_use]
    pub fn cure(mut self, cure: Cure) -> Self {
        self.cure = Some(cure);
        self
    }

    /// A pod that an earlier run left so may be given a new start; the severity stays.
    #[must_use]
    pub fn new_start(mut self, pod: &str) -> Self {
        self.cure = Some(Cure::RestartPod(pod.to_owned()));
        self
    }

    /// Set the proof.
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

    /// It stands until somebody changes it; a wait leaves them `seconds` for that.
    #[must_use]
    pub fn set_by_hand(mut self, seconds: u64) -> Self {
        self.stands = true;
        self.certain_after(seconds)
    }

    /// Set since when.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// It stops a wait when it held for this many seconds.
    #[must_use]
    pub fn certain_after(mut self, seconds: u64) -> Self {
        self.certain_after = Some(Duration::from_secs(seconds));
        self
    }

    /// It is nothing unusual for so many seconds.
    #[must_use]
    pub fn usual_for(mut self, seconds: u64) -> Self {
        self.usual_for = Some(Duration::from_secs(seconds));
        self
    }

    /// Whether it is nothing unusual at `now`.
    pub fn usual_at(&self, now: Timestamp) -> bool {
        self.usual_for.is_some_and(|usual| !self.held_for(usual, now))
    }

    /// Add a question.
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Self {
        self.probes.push(probe);
        self
    }

    /// Whether it is certain at `now`, if it was first seen then or, going by the objects'
    /// times, earlier. For a single look; a wait asks the [`super::Judge`].
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
