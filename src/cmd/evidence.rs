//! Evidence of a failed run, stored next to the profile's journal: what `kstrim diagnose` would collect a moment
//! later, when it may no longer exist.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use jiff::Timestamp;

use super::invocation::{Ended, Invocation};
use crate::diagnose::{self, Limits, Request};
use crate::event::FailureInfo;
use crate::failure::{Kind, Result};
use crate::paths::private_dir;

/// How many archives are kept for a profile.
const KEPT: usize = 5;

/// Collect evidence, if the cause of a failure can be found in the cluster: not for an invalid command line, a
/// concurrent run, a foreign object, or an interrupt. It takes a few seconds at most, and Ctrl-C stops it. If it
/// cannot be written, the failure is reported without it.
pub(crate) async fn collect(invocation: &Invocation, ended: &Result<Ended>) -> Option<PathBuf> {
    let (task, failure) = match ended {
        Err(failure) => (None, failure),
        Ok(ended) => ended.report.failure.as_ref().map(|(task, failure)| (task.as_deref(), failure))?,
    };
    match failure.kind {
        Kind::Task | Kind::Timeout | Kind::Smoke | Kind::Prerequisite => {}
        Kind::Usage | Kind::Foreign | Kind::Locked | Kind::NotFound => return None,
        Kind::Interrupted | Kind::Terminated => return None,
    }
    // kstrim creates no directory for a profile that it has never used.
    if !invocation.paths.folder().is_dir() {
        return None;
    }
    let folder = invocation.paths.evidence();
    private_dir(&folder).ok()?;
    let info = FailureInfo::new(failure, task);
    let time = Timestamp::now();
    let path = folder.join(format!("{}.tar.gz", diagnose::name(invocation.target().profile.as_str(), time)));
    let request = Request {
        target: invocation.target(),
        paths: &invocation.paths,
        // The run's own runner starts no more processes.
        runner: Rc::new(invocation.runner.detached()),
        limits: Limits::on_failure(),
        failure: Some((invocation.verb(), &info)),
        plan: None,
    };
    let written = tokio::select! {
        written = diagnose::write(request, &path, time) => written.ok(),
        () = invocation.cancel.signalled() => None,
    };
    delete_old_archives(&folder);
    written.map(|written| written.path)
}

/// Delete all but the newest: their names sort by time.
fn delete_old_archives(folder: &Path) {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .collect();
    all.sort();
    for old in all.iter().rev().skip(KEPT) {
        let _ = std::fs::remove_file(old);
    }
}

impl Invocation {
    /// Collect evidence of a failure, then do the same as [`Invocation::finish`].
    pub(crate) async fn finish_with_evidence(self, ended: Result<Ended>, wanted: bool) -> ExitCode {
        let evidence = if wanted { collect(&self, &ended).await } else { None };
        self.finish_with_archive(ended, evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_archives_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        for n in 0..8 {
            std::fs::write(folder.path().join(format!("kstrim-diagnose-a-2026112{n}.tar.gz")), "")
                .expect("a file");
        }
        std::fs::write(folder.path().join("mine.txt"), "").expect("a file");
        delete_old_archives(folder.path());
        let mut left: Vec<String> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        let expected: Vec<String> = (3..8)
            .map(|n| format!("kstrim-diagnose-a-2026112{n}.tar.gz"))
            .chain(["mine.txt".to_owned()])
            .collect();
        assert_eq!(left, expected);
    }
}
