//! One run at a time per profile: an OS lock on a file, which the kernel releases when the process ends, however that
//! happens. The holder writes its identity into the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::paths::{private_dir, private_file, unwritable};

/// The held lock; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Acquire the lock at `path` for the command `command`.
    pub(crate) fn take(path: &Path, command: &str) -> Result<Self> {
        let open = || {
            if let Some(folder) = path.parent() {
                private_dir(folder)?;
            }
            private_file(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
        };
        let mut file = open().map_err(|e| Box::new(unwritable(path, &e)))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let who =
                    if holder.is_empty() { "another kstrim command".to_owned() } else { holder.to_owned() };
                return Err(Box::new(
                    Failure::new(
                        errors::LOCKED,
                        Kind::Locked,
                        "another kstrim command is using this profile",
                    )
                    .because(format!("held by {who}"))
                    .hint("wait for it to finish, stop it, or use another profile with --profile NAME"),
                ));
            }
            Err(TryLockError::Error(e)) => return Err(Box::new(unwritable(path, &e))),
        }
        // The holder's identity is only information: a failure to write it is ignored.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            writeln!(file, "kstrim {command}, pid {}, since {now}", std::process::id())
        });
        Ok(Self(file))
    }
}

/// Closing the file is not enough: a child process that was forked and has not executed its program yet has it open,
/// too.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_learns_the_holder_and_a_released_lock_is_available() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("p/lock");
        let first = Lock::take(&path, "up").expect("free");
        let failure = Lock::take(&path, "down").expect_err("held");
        assert_eq!((failure.id, failure.kind.exit_code()), (errors::LOCKED, 7));
        assert!(failure.causes[0].contains(&format!("kstrim up, pid {}", std::process::id())));
        drop(first);
        Lock::take(&path, "down").expect("free again");
    }
}
