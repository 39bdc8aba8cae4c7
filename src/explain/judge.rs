//! Records since when findings have persisted, and which are certain.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use super::scene::{Probe, Scene};
use crate::failure::Id;

/// Remembers since when each finding holds. One per wait; ask it at every change of what is
/// observed and about once a second besides, since certainty comes with time.
#[derive(Debug, Default)]
pub struct Judge {
    /// By our own clock: the cluster's may go wrong, and graces are short.
    first_seen: BTreeMap<(Id, String), Timestamp>,
}

/// The judge's word.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// The cause that stops the wait, if there is one.
    pub terminal: Option<Finding>,
    /// All that shows, the deepest first, certain or not.
    pub findings: Vec<Finding>,
    /// Questions whose answers would say more, not answered yet.
    pub probes: Vec<Probe>,
}

impl Judge {
    /// A judge who has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Look at the scene. As soon as one finding is certain, the deepest of all that may stop
    /// a wait is named: a crash loop that is certain after a while is named by the
    /// out-of-memory kill that shows beside it.
    pub fn look(&mut self, scene: &Scene<'_>) -> Verdict {
        let findings = super::findings(scene);
        let key = |f: &Finding| (f.id, f.subject.clone());
        self.first_seen.retain(|seen, _| findings.iter().any(|f| key(f) == *seen));
        let mut certain = false;
        for finding in &findings {
            let first = *self.first_seen.entry(key(finding)).or_insert(scene.now);
            let held = scene.now.duration_since(first);
            certain |= finding
                .certain_after
                .is_some_and(|after| held >= SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX));
        }
        let terminal = findings.iter().find(|f| certain && f.certain_after.is_some()).cloned();
        let mut probes: Vec<Probe> = findings.iter().flat_map(|f| f.probes.iter().cloned()).collect();
        probes.retain(|p| !scene.answers.contains_key(p));
        probes.sort();
        probes.dedup();
        Verdict { terminal, findings, probes }
    }
}
