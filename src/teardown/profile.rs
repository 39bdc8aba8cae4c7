//! The minikube profile and everything in it.

use std::cell::{Cell, RefCell};

use async_trait::async_trait;

use super::moment;
use crate::cluster::session::Session;
use crate::cluster::suspension;
use crate::cluster::{class_data, image_cache};
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::explain;
use crate::failure::{Failure, Kind, Result};
use crate::tool::machine::OnDisk;
use crate::tool::minikube_output::{Listed, State};

/// What identifies the profile as it was before the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its files.
    pub disk: OnDisk,
    /// uid of `kube-system`, if its cluster responded.
    pub uid: Option<String>,
}

/// The task.
pub(crate) struct Profile {
    /// The profile to delete; `None` if kstrim had none.
    seen: Option<Seen>,
    /// Whether this run has started to delete it: then some of its files may no longer exist.
    begun: Cell<bool>,
    /// The volume that has the node's images.
    images: RefCell<Option<String>>,
}

impl Profile {
    /// Delete exactly that profile.
    pub(crate) fn new(seen: Option<Seen>) -> Self {
        Self { seen, begun: Cell::new(false), images: RefCell::default() }
    }

    /// Refuse to delete another profile of that name: the user may answer the prompt much later.
    async fn same(&self, cx: &Session) -> Result<()> {
        let now = cx.minikube.on_disk();
        let uid = match &self.seen {
            Some(Seen { uid: Some(_), .. }) => {
                let system = cx.kubectl.find("/api/v1/namespaces/kube-system").await.ok().flatten();
                system.and_then(|ns| Some(ns.pointer("/metadata/uid")?.as_str()?.to_owned()))
            }
            _ => None,
        };
        if self.seen.as_ref().is_some_and(|seen| is_same(seen, &now, uid.as_deref(), self.begun.get())) {
            return Ok(());
        }
        let message =
            format!("nothing was deleted: the profile {} is not the one that was checked", cx.profile());
        let again = cx.target.kstrim("down").to_string();
        Err(Box::new(
            Failure::new(errors::PROFILE_FOREIGN, Kind::Foreign, message)
                .because("it was deleted and re-created in the meantime")
                .hint(format!("check what exists now: {again}")),
        ))
    }
}

/// Whether a profile is the one that was seen. `uid` is that of its cluster now, if it responds; `begun`: missing
/// files may have been deleted by this run.
fn is_same(seen: &Seen, now: &OnDisk, uid: Option<&str>, begun: bool) -> bool {
    let same = |seen: &Option<String>, now: &Option<String>| seen == now || begun && now.is_none();
    same(&seen.disk.token, &now.token)
        && same(&seen.disk.key, &now.key)
        && uid.is_none_or(|uid| seen.uid.as_deref() == Some(uid))
}

#[async_trait(?Send)]
impl Task<Session> for Profile {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        Ok(match cx.minikube.listed().await? {
            Listed::Absent => Doneness::Done(match self.images.borrow().as_ref() {
                None => format!("profile {} is deleted", cx.profile()),
                Some(volume) => {
                    format!("profile {} is deleted; the Docker volume {volume} has its images", cx.profile())
                }
            }),
            // Its owner is unknown; a later start continues with it.
            Listed::Broken if self.seen.is_none() => {
                Doneness::Done(format!("no profile {} created by kstrim exists", cx.profile()))
            }
            Listed::Broken | Listed::Valid(_) => {
                Doneness::Pending(format!("profile {} exists", cx.profile()))
            }
        })
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        // If the engine is unreachable, `minikube delete` exits with 0, reports that all traces are removed, and
        // leaves the container running (recording 28): so the engine is checked first.
        if let State::EngineDown(words) = cx.minikube.status().await? {
            return Err(Box::new(explain::minikube::engine_down(&words, cx.profile())));
        }
        if self.seen.as_ref().is_some_and(|seen| seen.uid.is_some()) {
            class_data::keep(cx).await;
        }
        self.same(cx).await?;
        if self.seen.as_ref().is_some_and(|seen| seen.uid.is_some()) {
            *self.images.borrow_mut() = image_cache::keep(cx).await;
        }
        self.begun.set(true);
        let journal = cx.journal.borrow().state.clone();
        let output = image_cache::delete_profile(&cx.minikube, &journal).await?;
        suspension::judge(&output, cx.profile())
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_profile_that_was_seen_is_deleted() {
        let disk = |token: Option<&str>, key: Option<&str>| OnDisk {
            token: token.map(Into::into),
            key: key.map(Into::into),
            ..OnDisk::default()
        };
        let seen = Seen { disk: disk(Some("t"), Some("k")), uid: Some("u".into()) };
        for (now, uid, begun, want) in [
            (disk(Some("t"), Some("k")), Some("u"), false, true),
            // It was stopped in the meantime.
            (disk(Some("t"), Some("k")), None, false, true),
            (disk(Some("t"), Some("k")), Some("other"), false, false),
            (disk(Some("t"), Some("other")), None, false, false),
            (disk(Some("other"), Some("k")), None, false, false),
            (disk(None, Some("other")), None, true, false),
            (disk(None, None), None, false, false),
            // What an earlier attempt of this run has left.
            (disk(Some("t"), None), None, true, true),
        ] {
            assert_eq!(is_same(&seen, &now, uid, begun), want, "{now:?} {uid:?} {begun}");
        }
        // A start by kstrim had created nothing; somebody's later start has created a machine.
        let empty = Seen { disk: OnDisk::default(), uid: None };
        assert!(!is_same(&empty, &disk(None, Some("k")), None, false));
    }
}
