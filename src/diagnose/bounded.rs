//! A runner that limits the duration and the number of child processes.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::exec::{BoxFuture, Cmd, ExecError, Lines, Output, Runner};

/// Runs child processes with another runner, within limits.
pub(crate) struct Bounded {
    inner: Rc<dyn Runner>,
    child: Duration,
    gate: Semaphore,
}

impl Bounded {
    /// At most `at_once` child processes, each for at most `child`.
    pub(crate) fn new(inner: Rc<dyn Runner>, child: Duration, at_once: usize) -> Self {
        Self { inner, child, gate: Semaphore::new(at_once) }
    }

    fn bounded(&self, cmd: &Cmd) -> Cmd {
        let limit = cmd.timeout.min(self.child);
        cmd.clone().timeout(limit)
    }
}

impl Runner for Bounded {
    fn run<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, Result<Output, ExecError>> {
        Box::pin(async move {
            let _turn = self.gate.acquire().await.map_err(|_| ExecError::Cancelled)?;
            self.inner.run(&self.bounded(cmd)).await
        })
    }

    fn stream<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>> {
        Box::pin(async move { self.inner.stream(&self.bounded(cmd)).await })
    }
}
