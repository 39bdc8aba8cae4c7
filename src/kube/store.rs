//! Everything observed so far, fed by lists and watch events.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use tokio::sync::watch;

use super::kind::Kind;
use super::object::Object;
use super::snapshot::{Key, Snapshot};

/// The effect of a watch event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The store changed.
    Changed,
    /// Nothing changed: a bookmark, a repeated event, or one to ignore.
    Nothing,
    /// The watch ended (410 Expired, or another error): list again. The server's message.
    Relist(String),
}

/// The objects of a cluster, for one thread. A waiting task holds a receiver of [`Store::changes`] and takes a
/// [`Store::snapshot`] after each change.
#[derive(Debug)]
pub struct Store {
    state: RefCell<Snapshot>,
    version: watch::Sender<u64>,
    followed: watch::Sender<bool>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            state: RefCell::default(),
            version: watch::Sender::new(0),
            followed: watch::Sender::new(false),
        }
    }
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Incremented with every change.
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Notified (`changed().await`) when the version increased.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Wait until the store is newer than `version`, and return its version. The first such wait starts the watches;
    /// before that the objects are only listed, which is sufficient for a run that finds everything done.
    pub async fn newer_than(&self, version: u64) -> u64 {
        self.follow();
        self.newer_by_lists(version).await
    }

    /// Request that the cluster be watched.
    pub fn follow(&self) {
        self.followed.send_if_modified(|followed| !std::mem::replace(followed, true));
    }

    /// Returns when somebody waits for changes.
    pub async fn followed(&self) {
        // The sender lives as long as self, so this cannot fail.
        let _ = self.followed.subscribe().wait_for(|followed| *followed).await;
    }

    /// [`Store::newer_than`] without starting the watches: for the result of the first lists.
    pub async fn newer_by_lists(&self, version: u64) -> u64 {
        let mut changes = self.changes();
        // The sender lives as long as self, so this cannot fail.
        changes.wait_for(|now| *now > version).await.map_or(version, |now| *now)
    }

    /// Whether the kind was listed at least once.
    pub fn synced(&self, kind: Kind) -> bool {
        self.state.borrow().synced(kind)
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.state.borrow().clone()
    }

    /// Replace all objects of a kind with a list.
    pub fn replace(&self, kind: Kind, list: Vec<Value>) {
        let objects = list.into_iter().map(Object::new).map(|o| (key(&o), o)).collect();
        {
            let mut state = self.state.borrow_mut();
            state.kinds.insert(kind, Rc::new(objects));
            state.synced.insert(kind);
        }
        self.version.send_modify(|v| *v += 1);
    }

    /// Forget everything.
    pub fn clear(&self) {
        *self.state.borrow_mut() = Snapshot::default();
        self.version.send_modify(|v| *v += 1);
    }

    /// Apply a watch event `{"type", "object"}`.
    pub fn apply(&self, kind: Kind, event: Value) -> Applied {
        let Value::Object(mut event) = event else { return Applied::Nothing };
        let what = event.get("type").and_then(Value::as_str).unwrap_or("").to_owned();
        let Some(object) = event.remove("object") else { return Applied::Nothing };
        if what == "ERROR" {
            let says = object.get("message").and_then(Value::as_str).unwrap_or("the watch failed");
            return Applied::Relist(says.to_owned());
        }
        let object = Object::new(object);
        if object.name().is_empty() {
            return Applied::Nothing;
        }
        let changed = match what.as_str() {
            "ADDED" | "MODIFIED" => self.insert(kind, object),
            // Deleting a namespace sends its Events once more; ignore them.
            "DELETED" if kind != Kind::Event => self.remove(kind, &object),
            _ => false,
        };
        if !changed {
            return Applied::Nothing;
        }
        self.version.send_modify(|v| *v += 1);
        Applied::Changed
    }

    fn insert(&self, kind: Kind, object: Object) -> bool {
        let mut state = self.state.borrow_mut();
        let objects = Rc::make_mut(state.kinds.entry(kind).or_default());
        let key = key(&object);
        let same = |old: &Object| {
            old.uid() == object.uid()
                && !object.resource_version().is_empty()
                && old.resource_version() == object.resource_version()
        };
        if objects.get(&key).is_some_and(same) {
            return false;
        }
        objects.insert(key, object);
        true
    }

    /// A late deletion of an object must not remove a new one with the same name.
    fn remove(&self, kind: Kind, object: &Object) -> bool {
        let mut state = self.state.borrow_mut();
        let Some(objects) = state.kinds.get_mut(&kind) else { return false };
        let key = key(object);
        match objects.get(&key) {
            Some(held) if held.uid() == object.uid() => Rc::make_mut(objects).remove(&key).is_some(),
            _ => false,
        }
    }
}

fn key(object: &Object) -> Key {
    (object.namespace().to_owned(), object.name().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, rv: &str) -> Value {
        json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "n", "uid": uid, "resourceVersion": rv}})
    }

    #[test]
    fn events_add_change_and_remove() {
        let store = Store::new();
        let apply = |what, object| store.apply(Kind::Pod, json!({"type": what, "object": object}));
        assert_eq!(apply("ADDED", pod("1", "1")), Applied::Changed);
        assert_eq!(apply("MODIFIED", pod("1", "1")), Applied::Nothing, "a repeat");
        assert_eq!(apply("MODIFIED", pod("2", "2")), Applied::Changed, "a new one of that name");
        assert_eq!(apply("DELETED", pod("1", "3")), Applied::Nothing, "the old one's farewell");
        assert_eq!(store.snapshot().pods("n").count(), 1);
        assert_eq!(apply("BOOKMARK", json!({"metadata": {"resourceVersion": "9"}})), Applied::Nothing);
        assert_eq!(apply("DELETED", pod("2", "4")), Applied::Changed);
        assert_eq!(store.snapshot().pods("n").count(), 0);
        assert!(!store.synced(Kind::Pod), "never listed");
        assert_eq!(store.version(), 3);
    }

    #[test]
    fn a_snapshot_does_not_change() {
        let store = Store::new();
        store.replace(Kind::Pod, vec![pod("1", "1")]);
        let before = store.snapshot();
        store.replace(Kind::Pod, vec![]);
        assert_eq!((before.pods("n").count(), store.snapshot().pods("n").count()), (1, 0));
        assert!(store.synced(Kind::Pod));
    }

    #[test]
    fn an_error_requires_a_new_list_and_deleted_events_are_kept() {
        let store = Store::new();
        let expired =
            json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}});
        assert_eq!(store.apply(Kind::Kafka, expired), Applied::Relist("too old".into()));
        let event = json!({"metadata": {"name": "e", "namespace": "n", "uid": "1"}});
        store.apply(Kind::Event, json!({"type": "ADDED", "object": event}));
        assert_eq!(store.apply(Kind::Event, json!({"type": "DELETED", "object": event})), Applied::Nothing);
    }
}
