//! Directories that must be writable, and their free space.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::{Ground, Verdict};
use crate::errors;
use crate::failure::{Failure, Id, Kind};

/// Space that kstrim's own files need, MiB: a journal, logs, install manifests of about a megabyte each.
const OWN_MB: u64 = 64;
/// Space below which minikube cannot create a node, MiB: base image and preload are about 1.7 GB, unpacked.
const NODE_MB: u64 = 2048;
/// Space below which a warning is printed, MiB: with Strimzi's and Kafka's images a node needs about 5 GB.
const TIGHT_MB: u64 = 8192;

/// A directory's state.
struct Directory {
    path: PathBuf,
    /// Whether it, or its nearest existing parent, is writable.
    writable: bool,
    /// Whether a component of its path is not a directory.
    blocked: bool,
    /// Free space for this user, MiB.
    free_mb: Option<u64>,
}

impl Directory {
    fn at(path: &Path) -> Self {
        let there = path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
        let free = |s: rustix::fs::StatVfs| (s.f_bavail.saturating_mul(s.f_frsize)) >> 20;
        Self {
            path: path.to_owned(),
            writable: access(there, Access::WRITE_OK).is_ok(),
            blocked: !there.is_dir(),
            free_mb: statvfs(there).ok().map(free),
        }
    }
}

/// kstrim's state directory.
pub(crate) async fn state(ground: &Ground) -> Verdict {
    judge(
        &Directory::at(&ground.state_dir),
        errors::STATE_UNWRITABLE,
        crate::paths::STATE_DIR,
        OWN_MB,
        OWN_MB,
    )
}

/// kstrim's cache directory.
pub(crate) async fn cache(ground: &Ground) -> Verdict {
    judge(&Directory::at(&ground.cache_dir), errors::DOWNLOAD_CACHE, crate::paths::CACHE_DIR, OWN_MB, OWN_MB)
}

/// minikube's directory: its downloads, and with most drivers the node's disk. With the docker driver that
/// is Docker's, usually on the same disk.
pub(crate) async fn minikube(ground: &Ground) -> Verdict {
    let (least, snug) = if ground.profile().await.is_some() { (OWN_MB, OWN_MB) } else { (NODE_MB, TIGHT_MB) };
    judge(&Directory::at(&ground.host.minikube_home()), errors::HOST, "MINIKUBE_HOME", least, snug)
}

fn judge(folder: &Directory, id: Id, variable: &str, least: u64, snug: u64) -> Verdict {
    let shown = folder.path.display();
    if folder.blocked || !folder.writable {
        let why =
            if folder.blocked { "something in its path is not a directory" } else { "it is not writable" };
        return Verdict::Fail(Box::new(
            Failure::new(id, Kind::Prerequisite, format!("the directory {shown} cannot be used"))
                .because(why)
                .hint("make your user its owner, or correct its path")
                .hint(format!("or use another one: {variable}=/path/to/directory")),
        ));
    }
    let Some(free) = folder.free_mb else { return Verdict::Ok(format!("{shown}")) };
    let gib = super::machine::gib(free);
    let failure = || {
        Box::new(
            Failure::new(errors::DISK_FULL, Kind::Prerequisite, format!("only {gib} are free in {shown}"))
                .hint("free disk space; `docker system prune` removes what Docker no longer uses"),
        )
    };
    match free {
        _ if free < least => Verdict::Fail(failure()),
        _ if free < snug => Verdict::Warn(Box::new(
            failure().because("a new cluster with Strimzi and Kafka takes about 5 GB"),
        )),
        _ => Verdict::Ok(format!("{shown}, {gib} free")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_and_permission_are_checked() {
        let folder = |writable, blocked, free_mb| Directory { path: "/x".into(), writable, blocked, free_mb };
        let judged = |f: Directory| match judge(&f, errors::STATE_UNWRITABLE, "V", NODE_MB, TIGHT_MB) {
            Verdict::Ok(found) => found,
            Verdict::Warn(f) => format!("warn {}", f.id),
            Verdict::Fail(f) => format!("fail {}", f.id),
            Verdict::Skip(why) => why,
        };
        assert_eq!(judged(folder(true, false, Some(20_480))), "/x, 20.0 GiB free");
        assert_eq!(judged(folder(true, false, None)), "/x");
        assert_eq!(judged(folder(true, false, Some(4096))), "warn KS-DISK-FULL");
        assert_eq!(judged(folder(true, false, Some(100))), "fail KS-DISK-FULL");
        assert_eq!(judged(folder(false, false, Some(20_480))), "fail KS-STATE-UNWRITABLE");
        assert_eq!(judged(folder(true, true, Some(20_480))), "fail KS-STATE-UNWRITABLE");
    }

    #[test]
    fn a_real_directory_is_examined() {
        let temp = tempfile::tempdir().expect("a folder");
        let fine = Directory::at(&temp.path().join("a/b"));
        assert!(fine.writable && !fine.blocked && fine.free_mb.is_some());
        let file = temp.path().join("file");
        std::fs::write(&file, "").expect("a file");
        assert!(Directory::at(&file.join("below")).blocked);
    }
}
