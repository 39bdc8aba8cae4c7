//! Allows one changing command at a time in each namespace, whichever machine it runs on: a Kubernetes Lease
//! (`coordination.k8s.io`), used as by Kubernetes' own controllers. The file lock of `engine/lock.rs` does the same
//! for the commands of one user before a cluster exists.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::kube::kubectl::Kubectl;
use crate::kube::object::text;
use crate::kube::{ApiError, ApiErrorKind};
use crate::manifest::label::{KSTRIM, MANAGED_BY};

/// The Lease's name.
pub(crate) const NAME: &str = "kstrim";
/// A holder that has not renewed it for this long is considered dead.
const DURATION: Duration = Duration::from_secs(45);
/// How often a holder renews it.
const RENEW: Duration = Duration::from_secs(15);
/// How often a dead holder's Lease is polled.
const LOOK: Duration = Duration::from_secs(2);
/// The annotation that identifies the holder's state directory and machine: only one command at a time can hold the
/// file lock there.
const STATE: &str = "kstrim.io/holder-state";

/// Who acquires the Lease.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    /// `user@host, pid 17: kstrim up`.
    pub identity: String,
    /// An identity that only one running command can have: machine and lock file. See [`STATE`].
    pub state: String,
}

/// Why the Lease cannot be acquired.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A running command holds it: its holder, and since when.
    Held {
        /// Who holds it.
        holder: String,
        /// Since when, as the API server stores it.
        since: String,
    },
    /// The API server refused.
    Api(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// A Lease that is held. It is renewed until [`Lease::release`]; if somebody else takes it over, `lost` is called
/// once.
pub(crate) struct Lease {
    path: String,
    held: Rc<RefCell<Value>>,
    renewing: JoinHandle<()>,
}

impl Lease {
    /// Acquire the Lease of a namespace. `waiting` is called once if this has to wait for a holder that seems to be
    /// dead.
    pub(crate) async fn take(
        kubectl: Rc<Kubectl>,
        namespace: &str,
        holder: &Holder,
        waiting: impl FnOnce(&str),
        lost: impl Fn() + 'static,
    ) -> Result<Self, Refused> {
        let collection = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
        let path = format!("{collection}/{NAME}");
        let mut waiting = Some(waiting);
        // Another machine's clock cannot be relied on: the holder is dead if the Lease does not change for its
        // duration.
        let mut seen: Option<(String, Instant)> = None;
        let lost: Rc<dyn Fn()> = Rc::new(lost);
        loop {
            let wanted = lease(namespace, holder);
            match kubectl.create_at(&collection, &wanted).await {
                Ok(created) => return Ok(Self::renewed(kubectl, path, created, holder, lost)),
                Err(error) if error.kind == ApiErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
            let Some(found) = kubectl.find(&path).await? else { continue };
            let version = text(&found, "/metadata/resourceVersion").to_owned();
            let renewed = text(&found, "/spec/renewTime");
            let same_state = text(&found, "/metadata/annotations/kstrim.io~1holder-state") == holder.state;
            if !super::installation::by_kstrim(&found) {
                let holder = format!("the Lease {NAME}, which kstrim did not create");
                let since = text(&found, "/metadata/creationTimestamp").to_owned();
                return Err(Refused::Held { holder, since });
            }
            let unheld = text(&found, "/spec/holderIdentity").is_empty();
            let fresh = renewed.parse::<Timestamp>().is_ok_and(|at| {
                let age = Timestamp::now().duration_since(at).unsigned_abs();
                age < DURATION
            });
            let dead = match &seen {
                Some((before, at)) if *before == version => at.elapsed() >= DURATION,
                // It was renewed while it was watched: the holder is alive, and the clocks differ.
                Some(_) => return Err(refused_by_holder(&found)),
                None => {
                    seen = Some((version.clone(), Instant::now()));
                    false
                }
            };
            if same_state || unheld || dead {
                let mut taken = wanted;
                taken["metadata"]["resourceVersion"] = version.into();
                taken["metadata"]["uid"] = text(&found, "/metadata/uid").into();
                match kubectl.replace_at(&path, &taken).await {
                    Ok(now) => return Ok(Self::renewed(kubectl, path, now, holder, lost)),
                    Err(error) if matches!(error.kind, ApiErrorKind::Conflict | ApiErrorKind::NotFound) => {
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if fresh {
                return Err(refused_by_holder(&found));
            }
            if let Some(waiting) = waiting.take() {
                waiting(text(&found, "/spec/holderIdentity"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn renewed(kubectl: Rc<Kubectl>, path: String, held: Value, holder: &Holder, lost: Rc<dyn Fn()>) -> Self {
        let held = Rc::new(RefCell::new(held));
        let renewing = {
            let (path, held) = (path.clone(), held.clone());
            let identity = holder.identity.clone();
            tokio::task::spawn_local(async move {
                loop {
                    tokio::time::sleep(RENEW).await;
                    let mut next = held.borrow().clone();
                    next["spec"]["renewTime"] = now().into();
                    match kubectl.replace_at(&path, &next).await {
                        Ok(now) => *held.borrow_mut() = now,
                        // Somebody took it over, or deleted it with its namespace.
                        Err(error)
                            if matches!(error.kind, ApiErrorKind::Conflict | ApiErrorKind::NotFound) =>
                        {
                            match kubectl.find(&path).await {
                                Ok(Some(found)) if text(&found, "/spec/holderIdentity") == identity => {
                                    *held.borrow_mut() = found;
                                }
                                // Deleted with its namespace, or by hand: nobody else holds it.
                                Ok(None) => return,
                                Ok(Some(_)) => {
                                    lost();
                                    return;
                                }
                                Err(_) => {}
                            }
                        }
                        // An API server that is unavailable comes back, or the run fails on its own.
                        Err(_) => {}
                    }
                }
            })
        };
        Self { path, held, renewing }
    }

    /// Release it. A Lease that cannot be deleted expires on its own.
    pub(crate) async fn release(self, kubectl: &Kubectl) {
        self.renewing.abort();
        let mut held = self.held.borrow().clone();
        for _ in 0..2 {
            let (uid, version) = (text(&held, "/metadata/uid"), text(&held, "/metadata/resourceVersion"));
            let options = json!({
                "kind": "DeleteOptions", "apiVersion": "v1",
                "preconditions": {"uid": uid, "resourceVersion": version},
            });
            match kubectl.delete_at(&self.path, &options).await {
                Err(error) if error.kind == ApiErrorKind::Conflict => {}
                _ => return,
            }
            // A renewal that was in progress has changed it.
            let Ok(Some(now)) = kubectl.find(&self.path).await else { return };
            if text(&now, "/spec/holderIdentity") != text(&held, "/spec/holderIdentity") {
                return;
            }
            held = now;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// The refusal if a running command holds this Lease.
fn refused_by_holder(lease: &Value) -> Refused {
    let at = |pointer| text(lease, pointer).to_owned();
    Refused::Held { holder: at("/spec/holderIdentity"), since: at("/spec/acquireTime") }
}

fn lease(namespace: &str, holder: &Holder) -> Value {
    let now = now();
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": NAME, "namespace": namespace,
            "labels": {MANAGED_BY: KSTRIM},
            "annotations": {STATE: holder.state},
        },
        "spec": {
            "holderIdentity": holder.identity,
            "leaseDurationSeconds": DURATION.as_secs(),
            "acquireTime": now, "renewTime": now,
        },
    })
}

/// Now, as Kubernetes' MicroTime.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
