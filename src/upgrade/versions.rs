//! Removes references to API versions that the next release's CRDs no longer have, before those CRDs are applied.
//!
//! Two things refer to a version: objects that are stored in it (`convert`), and the entries of
//! `metadata.managedFields` that were written in it. The installed operator writes entries of the old version until
//! the API server stops serving it. So that version stays in the definitions, which the API server needs for reading
//! those entries, but is not served any more; then no entry can be written, and those that exist are moved; then the
//! next release's own definitions follow.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::managed;
use super::state::GROUPS;
use crate::cluster::definitions;
use crate::cluster::{change, installation};
use crate::engine::task::{Doneness, Task};
use crate::event::Unit;
use crate::failure::Result;
use crate::kube::object::{text, time};
use crate::manifest::Object;
use crate::manifest::label::DIGEST;
use crate::quickstart::context::Context;
use crate::quickstart::sources;

/// Number of objects that are written at the same time.
const AT_ONCE: usize = 8;

/// How old definitions are when the garbage collector of Kubernetes certainly knows their resources: it looks for new
/// ones every 30 s (`NewGarbageCollector` and `Sync` in kube-controller-manager), and longer after a definition was
/// deleted. Until then, it looks the owner of an object up in the version that the object's owner reference names, and
/// deletes the object if that version is not served any more (observed with Kubernetes 1.34.4, 5 s after the definition
/// was created): Secrets and Deployments of a running Kafka cluster.
const KNOWN_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Which versions remain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Those of the CRDs of the context's release, which are applied next.
    Release,
    /// Those of the live CRDs: an entry of any other was left by an upgrade without this step.
    Live,
}

/// The task.
pub(crate) struct Versions {
    keep: Keep,
}

/// A CRD and its remaining versions.
struct Kind {
    group: String,
    plural: String,
    kind: String,
    stays: Vec<String>,
    stored: String,
    /// Versions of the live CRD that are removed.
    goes: Vec<Version>,
    created: Option<Timestamp>,
}

struct Version {
    name: String,
    served: bool,
    whole: Value,
}

impl Kind {
    fn stays(&self) -> Vec<&str> {
        self.stays.iter().map(String::as_str).collect()
    }

    fn path(&self, version: &str) -> String {
        format!("/apis/{}/{version}/{}", self.group, self.plural)
    }
}

impl Versions {
    /// With the release of the context.
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep }
    }

    /// The live CRDs.
    async fn kinds(&self, cx: &Context) -> Result<Vec<Kind>> {
        let live = definitions::list(cx).await?;
        let live = live.iter().filter(|c| GROUPS.contains(&text(c, "/spec/group")) && cx.owns(c));
        let wanted = match self.keep {
            Keep::Release => Some(sources::install(cx).await?.phases.crds.clone()),
            Keep::Live => None,
        };
        Ok(live.filter_map(|live| kind(live, wanted.as_deref())).collect())
    }

    /// The release's CRDs, plus the removed versions, which are no longer served.
    async fn without_service(&self, cx: &Context, kinds: &[Kind]) -> Result<Vec<Object>> {
        let mut all = sources::install(cx).await?.phases.crds.clone();
        all.retain_mut(|object| {
            let Some(kind) = kinds.iter().find(|k| named(k, object) && !k.goes.is_empty()) else {
                return false;
            };
            if let Some(versions) = object.get_mut("/spec/versions").and_then(Value::as_array_mut) {
                for version in &kind.goes {
                    let mut whole = version.whole.clone();
                    (whole["served"], whole["storage"]) = (false.into(), false.into());
                    versions.push(whole);
                }
            }
            // Not yet what `up` of the release creates.
            let digest = object.get("/metadata/annotations/kstrim~1digest").and_then(Value::as_str);
            let digest = format!("{}-versions", digest.unwrap_or_default());
            object.set(&["metadata", "annotations", DIGEST], digest);
            true
        });
        Ok(all)
    }

    /// Wait until the garbage collector knows the resources of which a version is removed.
    async fn known(&self, cx: &Context, kinds: &[Kind]) {
        let served = kinds.iter().filter(|kind| kind.goes.iter().any(|version| version.served));
        let newest = served.filter_map(|kind| kind.created).max();
        if let Some(left) = newest.and_then(|created| until_known(created, Timestamp::now())) {
            let what = "waiting until the garbage collector of Kubernetes knows the new definitions";
            cx.emit.progress(what, None);
            tokio::time::sleep(left).await;
        }
    }

    /// Wait until nothing can be written in the removed versions.
    async fn refused(&self, cx: &Context, kinds: &[Kind]) -> Result<()> {
        for kind in kinds {
            for version in &kind.goes {
                let path = format!("{}?limit=1", kind.path(&version.name));
                while cx.kubectl.find(&path).await.map_err(|e| failed(cx, &e))?.is_some() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        Ok(())
    }

    /// Every object with an entry of a version that is removed.
    async fn stale<'a>(&self, cx: &Context, kinds: &'a [Kind]) -> Result<Vec<(&'a Kind, Value)>> {
        let mut all = Vec::new();
        for kind in kinds {
            let found = cx.list(&kind.path(&kind.stored), "list Strimzi's resources").await?.into_iter();
            all.extend(found.filter(|i| managed::is_stale(i, &kind.group, &kind.stays())).map(|i| (kind, i)));
        }
        Ok(all)
    }

    /// Move the entries of one object, unless it has changed or was deleted: then it is checked again.
    async fn write(&self, cx: &Context, kind: &Kind, mut object: Value) -> Result<()> {
        let Some(moved) = managed::moved(&object, &kind.group, &kind.stays(), &kind.stored) else {
            return Ok(());
        };
        object["apiVersion"] = format!("{}/{}", kind.group, kind.stored).into();
        object["kind"] = json!(kind.kind);
        let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
        let path = match namespace {
            "" => format!("/apis/{}/{}/{}/{name}", kind.group, kind.stored, kind.plural),
            namespace => {
                let of = format!("namespaces/{namespace}/{}/{name}", kind.plural);
                format!("/apis/{}/{}/{of}", kind.group, kind.stored)
            }
        };
        let replaced = change::replace_field_managers(&cx.kubectl, &path, &object, moved).await;
        replaced.map(drop).map_err(|e| failed(cx, &e))
    }
}

fn failed(cx: &Context, error: &crate::kube::ApiError) -> Box<crate::failure::Failure> {
    cx.api_failure("retire an old version of Strimzi's resources", error)
}

#[async_trait(?Send)]
impl Task<Context> for Versions {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let kinds = self.kinds(cx).await?;
        let served: BTreeSet<&str> =
            kinds.iter().flat_map(|k| &k.goes).filter(|v| v.served).map(|v| v.name.as_str()).collect();
        if !served.is_empty() {
            let names = served.into_iter().collect::<Vec<_>>().join(", ");
            return Ok(Doneness::Pending(format!("{names} is still served")));
        }
        let stale = self.stale(cx, &kinds).await?.len();
        Ok(match stale {
            0 => Doneness::Done("no resource refers to a version that is removed".into()),
            1 => Doneness::Pending("1 resource refers to a version that is removed".into()),
            _ => Doneness::Pending(format!("{stale} resources refer to a version that is removed")),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let kinds = self.kinds(cx).await?;
        if kinds.iter().flat_map(|k| &k.goes).any(|v| v.served) {
            self.known(cx, &kinds).await;
            let definitions = self.without_service(cx, &kinds).await?;
            cx.apply(&definitions, true).await.map_err(|e| failed(cx, &e))?;
        }
        self.refused(cx, &kinds).await?;
        loop {
            let stale = self.stale(cx, &kinds).await?;
            if stale.is_empty() {
                return Ok(());
            }
            let total = stale.len() as u64;
            let mut writes = stream::iter(stale)
                .map(|(kind, object)| self.write(cx, kind, object))
                .buffer_unordered(AT_ONCE);
            let mut done = 0;
            while let Some(written) = writes.next().await {
                written?;
                done += 1;
                let of = Some((done, total, Unit::Items));
                cx.emit.progress("moving field managers to the remaining version", of);
            }
        }
    }
}

/// How long until definitions that were created at `created` are known; `None` if they are. The node's clock may differ
/// from this machine's, so it is never longer than for new ones.
fn until_known(created: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = (KNOWN_AFTER - now.duration_since(created)).min(KNOWN_AFTER);
    left.is_positive().then(|| left.unsigned_abs())
}

fn named(kind: &Kind, definition: &Object) -> bool {
    definition.name() == format!("{}.{}", kind.plural, kind.group)
}

/// A live CRD with its remaining versions; `None` if the release does not have it at all.
fn kind(live: &Value, wanted: Option<&[Object]>) -> Option<Kind> {
    let versions = |definition: &Value| -> Vec<Value> {
        definition.pointer("/spec/versions").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let all = versions(live);
    let stays = match wanted {
        Some(wanted) => versions(wanted.iter().find(|w| w.name() == installation::name(live))?.value()),
        None => all.clone(),
    };
    let name = |version: &Value| text(version, "/name").to_owned();
    let stored = stays.iter().find(|v| v["storage"] == true).map(name)?;
    let stays: Vec<String> = stays.iter().map(name).collect();
    let goes = all.into_iter().filter(|v| !stays.contains(&name(v)));
    let goes = goes.map(|v| Version { name: name(&v), served: v["served"] == true, whole: v }).collect();
    Some(Kind {
        group: text(live, "/spec/group").to_owned(),
        plural: text(live, "/spec/names/plural").to_owned(),
        kind: text(live, "/spec/names/kind").to_owned(),
        stays,
        stored,
        goes,
        created: time(live, "/metadata/creationTimestamp"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_definitions_are_known_after_two_minutes() {
        let now: Timestamp = "2026-11-30T10:00:00Z".parse().unwrap();
        let left = |created: &str| until_known(created.parse().unwrap(), now).map(|left| left.as_secs());
        assert_eq!(left("2026-11-30T09:59:50Z"), Some(110));
        assert_eq!(left("2026-11-30T09:58:00Z"), None);
        assert_eq!(left("2026-10-30T09:58:00Z"), None);
        assert_eq!(left("2026-11-30T10:30:00Z"), Some(120), "the node's clock is ahead");
    }
}
