//! Records since when findings have persisted, and which are certain.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use super::scene::{Probe, Scene};
use crate::failure::Id;

/// Remembers since when each finding persists. One per wait; call it at every change of the observed state and also
/// about once a second, because findings become certain with time.
#[derive(Debug, Default)]
pub struct Judge {
    /// Our own clock: the cluster's may be wrong, and the periods are short.
    first_seen: BTreeMap<(Id, String), Timestamp>,
}

/// The result of [`Judge::look`].
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// The cause that ends the wait, if there is one.
    pub terminal: Option<Finding>,
    /// All findings, the deepest first, certain or not.
    pub findings: Vec<Finding>,
    /// Probes that were not run yet and whose results would show more.
    pub probes: Vec<Probe>,
}

impl Judge {
    /// A judge without any findings yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Evaluate the scene. As soon as one finding is certain, the deepest of all that may end a wait is reported: a
    /// crash loop that becomes certain after a while is reported as the out-of-memory kill that was found with it.
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
