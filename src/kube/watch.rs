//! Keeps a [`Store`] up to date: lists, watches from there, and repeats this whenever the watch ends.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::api::{Api, ApiError, ApiErrorKind};
use super::kind::{Kind, Version};
use super::store::{Applied, Store};

/// First pause before a failed list or watch is retried; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest such pause.
const LAST_PAUSE: Duration = Duration::from_secs(2);
/// Pause while the kind is not served: its CRD is being created.
const CRD_PAUSE: Duration = Duration::from_millis(250);
/// The server ends a watch after this many seconds. Below the API server's own limit (30 min); also the maximum cost
/// of a dead connection that was not closed.
const WATCH_SECONDS: u32 = 240;

/// Watches some kinds, each in its own task. Dropping it ends the tasks, and with them their child processes.
#[derive(Debug)]
pub(crate) struct Watcher {
    tasks: Vec<JoinHandle<()>>,
    troubles: Rc<RefCell<BTreeMap<Kind, ApiError>>>,
}

impl Watcher {
    /// Watch `kinds` in `namespace` into `store`. Must be called inside a
    /// `tokio::task::LocalSet`.
    pub(crate) fn start(
        api: Rc<dyn Api>,
        kinds: impl IntoIterator<Item = Kind>,
        version: Version,
        namespace: &str,
        store: Rc<Store>,
    ) -> Self {
        let troubles = Rc::new(RefCell::new(BTreeMap::new()));
        let tasks = kinds
            .into_iter()
            .map(|kind| {
                let one = One {
                    api: api.clone(),
                    kind,
                    path: kind.path(version, Some(namespace)),
                    store: store.clone(),
                    troubles: troubles.clone(),
                };
                tokio::task::spawn_local(one.run())
            })
            .collect();
        Self { tasks, troubles }
    }

    /// Why a kind could not be read in the last attempt; empty if there is no problem. A kind that is not served yet
    /// is not a problem.
    pub(crate) fn troubles(&self) -> Vec<(Kind, ApiError)> {
        self.troubles.borrow().iter().map(|(k, e)| (*k, e.clone())).collect()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct One {
    api: Rc<dyn Api>,
    kind: Kind,
    path: String,
    store: Rc<Store>,
    troubles: Rc<RefCell<BTreeMap<Kind, ApiError>>>,
}

impl One {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.list().await {
                Ok(from) => {
                    self.troubles.borrow_mut().remove(&self.kind);
                    self.store.followed().await;
                    // A watch that delivered something was successful.
                    if self.follow(&from).await {
                        pause = FIRST_PAUSE;
                    }
                }
                Err(error) if matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::NoSuchKind) => {
                    // There are no objects of a kind that is not served (yet, or any more).
                    let snapshot = self.store.snapshot();
                    if !snapshot.synced(self.kind) || snapshot.all(self.kind).next().is_some() {
                        self.store.replace(self.kind, Vec::new());
                    }
                    self.troubles.borrow_mut().remove(&self.kind);
                    tokio::time::sleep(CRD_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    self.troubles.borrow_mut().insert(self.kind, error);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// List into the store; returns the resource version to watch from.
    async fn list(&self) -> Result<String, ApiError> {
        let mut list = self.api.get(&self.path).await?;
        let from = super::object::text(&list, "/metadata/resourceVersion").to_owned();
        let items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) => Vec::new(),
            _ => {
                return Err(ApiError::new(
                    ApiErrorKind::Malformed,
                    format!("{} did not return a list", self.path),
                ));
            }
        };
        self.store.replace(self.kind, items);
        Ok(from)
    }

    /// Watch until it ends in any way; returns whether it delivered anything. An incomplete line also ends it: the
    /// next list contains that change.
    async fn follow(&self, from: &str) -> bool {
        let path = format!(
            "{}?watch=1&allowWatchBookmarks=true&resourceVersion={from}&timeoutSeconds={WATCH_SECONDS}",
            self.path
        );
        let mut lines = match self.api.watch(&path).await {
            Ok(lines) => lines,
            Err(error) => {
                self.troubles.borrow_mut().insert(self.kind, error.into());
                return false;
            }
        };
        let mut any = false;
        while let Ok(Some(line)) = lines.next().await {
            if line.trim().is_empty() {
                continue;
            }
            let Ok(event) = serde_json::from_str(&line) else { break };
            match self.store.apply(self.kind, event) {
                Applied::Relist(_) => break,
                Applied::Changed => any = true,
                Applied::Nothing => {}
            }
        }
        any
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
