//! The command of `kstrim run`: a child process with kstrim's own streams and environment, which may use the
//! terminal.
//!
//! It leads a process group like every child process. On a terminal that group becomes the foreground group: Ctrl-C,
//! Ctrl-Z and changes of the terminal's size then reach only the command, and it may read. If it shared kstrim's
//! group, it would receive each signal of the terminal twice, once from the terminal and once from kstrim.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{SigSet, Signal as Blocked};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process_group, waitid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::system::{exit_of, through_supervisor};
use super::{Exit, supervise};

/// A running command.
pub(crate) struct Foreground {
    child: Child,
    group: Pid,
    /// kstrim's own group, if it was the terminal's foreground group before.
    lent: Option<Pid>,
}

impl Foreground {
    /// Start `program` with kstrim's streams; `env` is added to kstrim's environment, `without` is removed from it.
    pub(crate) fn start(
        program: &Path,
        args: &[OsString],
        env: &BTreeMap<String, OsString>,
        without: &[&str],
    ) -> io::Result<Self> {
        let mut command = if through_supervisor() {
            let mut command = Command::new("/proc/self/exe");
            command.arg(supervise::VERB).arg(std::process::id().to_string()).arg(program);
            command
        } else {
            Command::new(program)
        };
        for name in without {
            command.env_remove(name);
        }
        command.args(args).envs(env).process_group(0);
        command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let child = command.spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let group = id.ok_or_else(|| io::Error::other("it ended at once"))?;
        let mut started = Self { child, group, lent: None };
        started.give_terminal();
        Ok(started)
    }

    /// Its process id, which is also its group's id.
    pub(crate) fn pid(&self) -> Pid {
        self.group
    }

    /// Make the command's group the terminal's foreground group, if kstrim's is. A command that was stopped because
    /// it read before this, as a background process, continues.
    fn give_terminal(&mut self) {
        let (stdin, own) = (io::stdin(), getpgrp());
        if !stdin.is_terminal() || tcgetpgrp(&stdin).ok() != Some(own) {
            return;
        }
        if tcsetpgrp(&stdin, self.group).is_ok() {
            self.lent = Some(own);
            let _ = kill_process_group(self.group, Signal::CONT);
        }
    }

    /// Make kstrim's group the foreground group again: whatever waits for kstrim, such as a shell script, is in it.
    fn reclaim_terminal(&mut self) {
        let Some(own) = self.lent.take() else { return };
        // As a background group this would stop kstrim, unless the signal is blocked. The mask is restored at once:
        // child processes inherit it.
        let mut stop = SigSet::empty();
        stop.add(Blocked::SIGTTOU);
        if stop.thread_block().is_ok() {
            let _ = tcsetpgrp(io::stdin(), own);
            let _ = stop.thread_unblock();
        }
    }

    /// Wait for its end. If it is stopped (Ctrl-Z), kstrim stops, too, so that the shell notices, and both continue
    /// together.
    pub(crate) async fn wait(&mut self) -> io::Result<Exit> {
        let mut changes = signal(SignalKind::child())?;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                _ = changes.recv() => {}
            }
            if self.lent.is_some() && self.is_stopped() {
                let own = getpgrp();
                self.reclaim_terminal();
                let _ = kill_process_group(own, Signal::TSTP);
                // The shell continued it, in the foreground or not.
                self.give_terminal();
                let _ = kill_process_group(self.group, Signal::CONT);
            }
        };
        self.reclaim_terminal();
        status.map(exit_of)
    }

    /// Whether it was stopped since the last call. Never reaps it.
    fn is_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        waitid(WaitId::Pid(self.group), options).ok().flatten().is_some()
    }
}

/// A process that outlives kstrim.
pub(crate) struct Detached(Child);

impl Detached {
    /// Start this program again with these arguments: without streams, in its own process group, and independent of
    /// kstrim's lifetime. It has to end by itself.
    pub(crate) fn start(args: &[&OsStr]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self)
    }

    /// Whether it is running; if it has ended, it is reaped.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}
