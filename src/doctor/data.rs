//! The published shape of `kstrim doctor -o json`: see `docs/doctor.md`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::checks::{Group, Verdict};
use crate::event::FailureInfo;
use crate::failure::{Failure, Kind};

/// The version of the document. It is raised when a field changes its meaning or is removed; new fields do not raise
/// it, and readers ignore unknown fields.
pub(crate) const VERSION: u32 = 1;

/// The result of `kstrim doctor`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Doctor {
    /// The version of this format: 1. Readers ignore fields that they do not know.
    pub v: u32,
    /// When the state was collected (UTC, RFC 3339).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The minikube profile.
    pub profile: String,
    /// The process's exit code: the worst result.
    pub exit_code: u8,
    /// How long all checks took together, in milliseconds.
    pub ms: u64,
    /// Number of checks by verdict.
    pub counts: Counts,
    /// The checks, from the machine up to Kafka.
    pub checks: Vec<Check>,
    /// With `--fix`: the fixes in order. Otherwise empty.
    pub fixes: Vec<Fix>,
}

/// Number of checks by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Counts {
    /// No problem.
    pub ok: u64,
    /// It may cause problems later.
    pub warning: u64,
    /// `up` cannot work in this state, or the cluster does not work.
    pub failed: u64,
    /// There was nothing to check.
    pub skipped: u64,
}

/// One check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// Its stable name, `GROUP.WHAT`.
    pub id: String,
    /// What it is about.
    pub group: Group,
    /// What it checks, for people.
    pub title: String,
    /// Its verdict.
    pub verdict: Word,
    /// What was found, what is wrong, or why there was nothing to check; one line.
    pub found: String,
    /// What is wrong, in full; null unless it is a warning or a failure.
    pub problem: Option<FailureInfo>,
    /// Duration in milliseconds.
    pub ms: u64,
    /// What `--fix` would do about it; null if nothing.
    pub fix: Option<String>,
}

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// No problem.
    Ok,
    /// It may cause problems later.
    Warning,
    /// `up` cannot work in this state, or the cluster does not work.
    Failed,
    /// There was nothing to check.
    Skipped,
}

/// Something that can be fixed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Fix {
    /// The check that it belongs to.
    pub check: String,
    /// What it does.
    pub what: String,
    /// Whether it changes the profile or its contents, and therefore requires consent.
    pub changes_cluster: bool,
    /// Its outcome.
    pub outcome: FixOutcome,
    /// Why it failed, or null.
    pub problem: Option<FailureInfo>,
}

/// The outcome of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FixOutcome {
    /// It was done.
    Done,
    /// It was tried and failed.
    Failed,
    /// The user did not agree.
    NotAgreed,
}

/// The result of a check, before it becomes part of the document.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Its verdict.
    pub word: Word,
    /// One line.
    pub found: String,
    /// What is wrong.
    pub problem: Option<FailureInfo>,
}

impl Outcome {
    /// No problem.
    pub(crate) fn ok(found: impl Into<String>) -> Self {
        Self { word: Word::Ok, found: found.into(), problem: None }
    }

    /// There was nothing to check.
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self { word: Word::Skipped, found: why.into(), problem: None }
    }

    /// A warning or a failure.
    pub(crate) fn wrong(word: Word, problem: FailureInfo) -> Self {
        Self { word, found: problem.message.clone(), problem: Some(problem) }
    }

    /// A failure.
    pub(crate) fn failed(failure: &Failure) -> Self {
        Self::wrong(Word::Failed, FailureInfo::new(failure, None))
    }

    /// A warning.
    pub(crate) fn warning(failure: &Failure) -> Self {
        Self::wrong(Word::Warning, FailureInfo::new(failure, None))
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok(found) => Self::ok(found),
            Verdict::Skip(why) => Self::skipped(why),
            Verdict::Warn(failure) => Self::warning(&failure),
            Verdict::Fail(failure) => Self::failed(&failure),
        }
    }
}

impl Doctor {
    /// The document of these checks.
    pub(crate) fn new(profile: &str, checks: Vec<Check>, ms: u64) -> Self {
        let mut counts = Counts::default();
        for check in &checks {
            *match check.verdict {
                Word::Ok => &mut counts.ok,
                Word::Warning => &mut counts.warning,
                Word::Failed => &mut counts.failed,
                Word::Skipped => &mut counts.skipped,
            } += 1;
        }
        Self {
            v: VERSION,
            time: Timestamp::now(),
            profile: profile.to_owned(),
            exit_code: exit_code(&checks),
            ms,
            counts,
            checks,
            fixes: Vec::new(),
        }
    }
}

/// The worst result determines the exit code: missing prerequisites first, then conflicts, then everything else.
fn exit_code(checks: &[Check]) -> u8 {
    let failed = |wanted: &dyn Fn(Kind) -> bool| {
        checks
            .iter()
            .filter(|c| c.verdict == Word::Failed)
            .any(|c| c.problem.as_ref().is_some_and(|p| wanted(p.kind)))
    };
    if failed(&|k| k == Kind::Prerequisite) {
        Kind::Prerequisite.exit_code()
    } else if failed(&|k| k == Kind::Foreign) {
        Kind::Foreign.exit_code()
    } else if failed(&|_| true) {
        Kind::Task.exit_code()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict) -> Check {
        let Outcome { word, found, problem } = verdict.into();
        Check {
            id: "x.y".into(),
            group: Group::Machine,
            title: "t".into(),
            verdict: word,
            found,
            problem,
            ms: 0,
            fix: None,
        }
    }

    #[test]
    fn the_worst_result_is_the_exit_code() {
        let failure = |kind| Box::new(Failure::new(crate::errors::UNKNOWN, kind, "m"));
        let fail = |kind| check(Verdict::Fail(failure(kind)));
        let warn = || check(Verdict::Warn(failure(Kind::Prerequisite)));
        for (checks, code) in [
            (vec![], 0),
            (vec![check(Verdict::Ok("fine".into())), warn(), check(Verdict::Skip("no".into()))], 0),
            (vec![fail(Kind::Task)], 1),
            (vec![fail(Kind::Usage)], 1),
            (vec![fail(Kind::Foreign), fail(Kind::Task)], 5),
            (vec![fail(Kind::Foreign), fail(Kind::Prerequisite), fail(Kind::Task)], 3),
        ] {
            assert_eq!(exit_code(&checks), code, "{checks:?}");
        }
        let doctor = Doctor::new("p", vec![warn(), fail(Kind::Task)], 1);
        assert_eq!((doctor.counts.warning, doctor.counts.failed, doctor.exit_code), (1, 1, 1));
    }
}
