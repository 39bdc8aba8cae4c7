//! Directories that must be writable, and their free space.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::{Ground, Verdict};
use crate::errors;
use crate::failure::{Failure, Id, Kind};

/// Room that kstrim's own files need, MiB: a journal, logs, install manifests of a megabyte each.
const OWN_MB: u64 = 64;
/// Room below which minikube cannot make a node, MiB: base image and preload are about 1.7 GB, unpacked.
const NODE_MB: u64 = 2048;
/// Room below which it is a squeeze, MiB: with Strimzi's and Kafka's images a node takes about 5 GB.
const SNUG_MB: u64 = 8192;

/// What is seen of a directory.
struct Folder {
    path: PathBuf,
    /// It, or the nearest directory above it, may be written.
    writable: bool,
    /// What is in the way is no directory.
    blocked: bool,
    /// Free for this user, MiB.
    free_mb: Option<u64>,
}

impl Folder {
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
    judge(&Folder::at(&ground.state_dir), errors::STATE_UNWRITABLE, crate::paths::STATE_DIR, OWN_MB, OWN_MB)
}

/// kstrim's cache directory.
pub(crate) async fn cache(ground: &Ground) -> Verdict {
    judge(&Folder::at(&ground.cache_dir), errors::DOWNLOAD_CACHE, crate::paths::CACHE_DIR, OWN_MB, OWN_MB)
}

/// minikube's directory: its downloads, and with most drivers the node's disk. With the docker driver that
/// is Docker's, usually on the same disk.
pub(crate) async fn minikube(ground: &Ground) -> Verdict {
    let (least, snug) = if ground.profile().await.is_some() { (OWN_MB, OWN_MB) } else { (NODE_MB, SNUG_MB) };
    judge(&Folder::at(&ground.host.minikube_home()), errors::HOST, "MINIKUBE_HOME", least, snug)
}

fn judge(folder: &Folder, id: Id, variable: &str, least: u64, snug: u64) -> Verdict {
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
    fn room_and_permission_are_judged() {
        let folder = |writable, blocked, free_mb| Folder { path: "/x".into(), writable, blocked, free_mb };
        let judged = |f: Folder| match judge(&f, errors::STATE_UNWRITABLE, "V", NODE_MB, SNUG_MB) {
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
    fn a_real_folder_is_seen() {
        let temp = tempfile::tempdir().expect("a folder");
        let fine = Folder::at(&temp.path().join("a/b"));
        assert!(fine.writable && !fine.blocked && fine.free_mb.is_some());
        let file = temp.path().join("file");
        std::fs::write(&file, "").expect("a file");
        assert!(Folder::at(&file.join("below")).blocked);
    }
}
