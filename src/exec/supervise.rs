//! The step between our fork and the child's program: `kstrim __exec PID PROGRAM ARG...`.
//!
//! A SIGKILL of kstrim must not leave a `minikube start` running that the next run would conflict with. On Linux the
//! kernel can end a child with its parent, but the child itself must request that; doing so after `fork` in our own
//! process needs `unsafe`, doing it in a new process does not. So a child starts as kstrim, makes the request and
//! becomes the program. It costs about a millisecond: this command is handled before the command line is parsed.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::process::Command;

/// The hidden command.
pub(crate) const VERB: &str = "__exec";

/// Become `program`, which is killed when the process `parent` ends. Returns only on failure.
pub(crate) fn exec(parent: u32, program: OsString, args: Vec<OsString>) -> io::Result<Infallible> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // The parent may have ended before the request was made.
        if std::os::unix::process::parent_id() != parent {
            return Err(io::Error::other("kstrim ended first"));
        }
        Err(Command::new(program).args(args).exec())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (parent, Command::new(program).args(args));
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}
