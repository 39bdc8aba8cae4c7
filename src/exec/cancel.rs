//! One cancel token per run: the reason for the cancellation, and a future that ends with it.

use std::rc::Rc;

use tokio::sync::watch;

/// Why a run is being stopped. The first reason is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A task failed; the others stop.
    Sibling,
    /// SIGINT (Ctrl-C).
    Interrupted,
    /// SIGTERM or a closed terminal.
    Terminated,
    /// The limit of the whole run expired.
    Deadline,
    /// Another command took over the namespace's Lease because it considered this one dead.
    LeaseLost,
}

/// A shared cancel token.
#[derive(Debug, Clone)]
pub(crate) struct Cancel(Rc<watch::Sender<Option<Reason>>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Rc::new(watch::channel(None).0))
    }
}

impl Cancel {
    /// Request cancellation; a later reason does not replace an earlier one, except that a signal replaces another
    /// task's failure or the deadline: it then decides the exit code.
    pub(crate) fn cancel(&self, reason: Reason) {
        self.0.send_if_modified(|current| {
            let replace = matches!(
                (&current, reason),
                (None, _)
                    | (
                        Some(Reason::Sibling | Reason::Deadline),
                        Reason::Interrupted | Reason::Terminated | Reason::LeaseLost
                    )
            );
            if replace {
                *current = Some(reason);
            }
            replace
        });
    }

    /// The reason, once there is one.
    pub(crate) fn reason(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Completes when a signal has requested cancellation, whatever else did before.
    pub(crate) async fn signalled(&self) {
        let mut receiver = self.0.subscribe();
        let asked =
            |reason: &Option<Reason>| matches!(reason, Some(Reason::Interrupted | Reason::Terminated));
        if receiver.wait_for(asked).await.is_err() {
            // The sender lives in `self`.
            std::future::pending().await
        }
    }

    /// Completes when cancellation was requested.
    pub(crate) async fn cancelled(&self) -> Reason {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        match receiver.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(Reason::Sibling),
            Err(_) => std::future::pending().await,
        }
    }
}
