//! Creation and deletion by the API server's own controllers: CRDs become Established, dependents are deleted with
//! their owners, namespaces and CRDs with their content.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::{Cluster, condition, text};
use crate::kinds::{crd_is, of_crd};

const CRDS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// One step of all of them.
pub fn run(c: &mut Cluster) {
    for key in c.keys(CRDS, "") {
        crd(c, &key);
    }
    collect(c);
    foreground(c);
    for key in c.keys("namespaces", "") {
        namespace(c, &key);
    }
}

fn established(status: &str, reason: &str) -> Value {
    json!({"message": "the initial names have been accepted", "reason": reason, "status": status,
        "type": "Established"})
}

fn crd(c: &mut Cluster, key: &str) {
    let busy = |crd: &&Value| crd["metadata"]["deletionTimestamp"].is_string() || !crd_is(crd, "Established");
    let Some(crd) = c.get(key).filter(busy).cloned() else { return };
    let uid = text(&crd, "/metadata/uid").to_owned();
    let t = c.scenario.timings.clone();
    let time = c.time();
    if crd["metadata"]["deletionTimestamp"].is_string() {
        end_of_crd(c, key, &crd);
    } else if !crd_is(&crd, "NamesAccepted") {
        if c.elapsed(&uid, "names", t.crd_names) {
            c.update(key, |o| {
                o["status"]["acceptedNames"] = o["spec"]["names"].clone();
                let list = &mut o["status"]["conditions"];
                let names = json!({"message": "no conflicts found", "reason": "NoConflicts", "status": "True",
                    "type": "NamesAccepted"});
                condition(list, names, &time);
                condition(list, established("False", "Installing"), &time);
            });
        }
    } else if !crd_is(&crd, "Established") && c.elapsed(&uid, "established", t.crd_established) {
        c.update(key, |o| {
            condition(&mut o["status"]["conditions"], established("True", "InitialNamesAccepted"), &time);
        });
        // Until this timer fires, a watch of the new kind may end with 410 (recording 01).
        c.elapsed(&uid, "watch-cache", t.crd_watch_cache);
    }
}

/// Whether the watch cache of a CRD's kind is still being filled.
pub fn watch_cache_fills(c: &Cluster, group: &str, plural: &str) -> bool {
    let crd = c.get(&format!("{CRDS}//{plural}.{group}"));
    let uid = crd.map(|crd| text(crd, "/metadata/uid")).unwrap_or_default();
    c.timers.get(&format!("{uid}/watch-cache")).is_some_and(|due| *due > c.clock)
}

fn end_of_crd(c: &mut Cluster, key: &str, crd: &Value) {
    let uid = text(crd, "/metadata/uid");
    let time = c.time();
    let name = text(crd, "/metadata/name");
    let ends = |reason: &str, message: &str| json!({"message": message, "reason": reason, "status": "True", "type": "Terminating"});
    let hangs = |list: &[String]| list.iter().any(|hanging| name.contains(hanging));
    // Its annotations belonged to its creator until it was changed.
    let touched = crd["metadata"]["annotations"]["kstrim/look-again"].is_string();
    if hangs(&c.scenario.stuck_crds) || hangs(&c.scenario.put_off_crds) && !touched {
        let stuck = ends("InstanceDeletionFailed", "could not list instances: storage is (re)initializing");
        c.update(key, |o| condition(&mut o["status"]["conditions"], stuck, &time));
        return;
    }
    if !crd_is(crd, "Terminating") {
        let pending = ends(
            "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        );
        c.update(key, |o| condition(&mut o["status"]["conditions"], pending, &time));
    }
    if !c.elapsed(uid, "instances", c.scenario.timings.crd_delete) {
        return;
    }
    let instances = c.keys(&of_crd(crd).id(), "");
    for instance in &instances {
        c.delete(instance);
    }
    let going = ends("InstanceDeletionInProgress", "CustomResource deletion is in progress");
    c.update(key, |o| condition(&mut o["status"]["conditions"], going, &time));
    if c.keys(&of_crd(crd).id(), "").is_empty() && c.elapsed(uid, "finalize", c.scenario.timings.crd_delete) {
        c.update(key, |o| o["metadata"]["finalizers"] = json!([]));
    }
}

/// Keys and uids of the objects of which something is true.
fn found(c: &Cluster, wanted: impl Fn(&Value) -> bool) -> Vec<(String, String)> {
    let found = c.objects.iter().filter(|(_, o)| wanted(o));
    found.map(|(key, o)| (key.clone(), text(o, "/metadata/uid").to_owned())).collect()
}

/// The garbage collector: an object whose owners no longer exist is deleted.
fn collect(c: &mut Cluster) {
    let living: BTreeSet<&str> = c.objects.values().map(|o| text(o, "/metadata/uid")).collect();
    let orphan = |o: &Value| {
        let owners = o["metadata"]["ownerReferences"].as_array().filter(|owners| !owners.is_empty());
        !o["metadata"]["deletionTimestamp"].is_string()
            && owners.is_some_and(|owners| owners.iter().all(|owner| !living.contains(text(owner, "/uid"))))
    };
    for (key, uid) in found(c, orphan) {
        if c.elapsed(&uid, "gc", c.scenario.timings.gc) {
            c.delete(&key);
        }
    }
}

/// The finalizer of an object that is deleted after its dependents.
const FOREGROUND: &str = "foregroundDeletion";

fn dependents(c: &Cluster, uid: &str) -> Vec<String> {
    let owned = |o: &Value| {
        let owners = o["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| text(owner, "/uid") == uid))
    };
    found(c, owned).into_iter().map(|(key, _)| key).collect()
}

/// Orphaning deletion: the dependents are kept and lose this owner.
pub fn orphan(c: &mut Cluster, uid: &str) {
    for key in dependents(c, uid) {
        c.update(&key, |o| {
            if let Some(owners) = o["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|owner| text(owner, "/uid") != uid);
            }
        });
    }
}

/// Foreground deletion: the object is deleted after its dependents.
pub fn hold_for_dependents(c: &mut Cluster, key: &str) {
    c.update(key, |o| match o["metadata"]["finalizers"].as_array_mut() {
        Some(held) if held.iter().any(|f| f == FOREGROUND) => {}
        Some(held) => held.push(json!(FOREGROUND)),
        None => o["metadata"]["finalizers"] = json!([FOREGROUND]),
    });
}

/// The garbage collector's other half: objects that wait for the deletion of their dependents.
fn foreground(c: &mut Cluster) {
    let waits = |o: &Value| {
        o["metadata"]["deletionTimestamp"].is_string()
            && o["metadata"]["finalizers"].as_array().is_some_and(|held| held.iter().any(|f| f == FOREGROUND))
    };
    for (key, uid) in found(c, waits) {
        if !c.elapsed(&uid, "foreground", c.scenario.timings.gc) {
            continue;
        }
        let below = dependents(c, &uid);
        below.iter().for_each(|key| c.delete(key));
        if dependents(c, &uid).is_empty() {
            c.update(&key, |o| {
                if let Some(held) = o["metadata"]["finalizers"].as_array_mut() {
                    held.retain(|f| f != FOREGROUND);
                }
            });
        }
    }
}

/// Namespaced objects of a namespace.
fn content(c: &Cluster, namespace: &str) -> Vec<String> {
    let of_namespace = |key: &&String| key.split('/').nth(1) == Some(namespace);
    c.objects.keys().filter(of_namespace).cloned().collect()
}

fn namespace(c: &mut Cluster, key: &str) {
    let ends = |namespace: &&Value| namespace["metadata"]["deletionTimestamp"].is_string();
    let Some(namespace) = c.get(key).filter(ends).cloned() else { return };
    let (name, uid) = (text(&namespace, "/metadata/name"), text(&namespace, "/metadata/uid"));
    c.update(key, |o| o["status"]["phase"] = json!("Terminating"));
    let wait = c.scenario.timings.namespace;
    if !c.elapsed(uid, "content", wait) {
        return;
    }
    for object in content(c, name) {
        c.delete(&object);
    }
    let left = content(c, name);
    // The first report has no problems, whatever remains (recording 11).
    let settled = c.timers.contains_key(&format!("{uid}/reported"));
    let report = if settled && c.elapsed(uid, "reported", wait) { left.as_slice() } else { &[] };
    let conditions = conditions(c, report);
    let time = c.time();
    c.update(key, |o| {
        for new in conditions {
            condition(&mut o["status"]["conditions"], new, &time);
        }
    });
    c.elapsed(uid, "reported", wait);
    if left.is_empty() {
        c.remove(key);
    }
}

/// The conditions of a namespace that is being deleted and still contains these objects.
fn conditions(c: &Cluster, left: &[String]) -> Vec<Value> {
    // `pods. has 2 resource instances, ...`
    let counted = |words: Vec<&str>, verb: &str| {
        let names: BTreeSet<&str> = words.iter().copied().collect();
        let count = |name: &str| words.iter().filter(|word| **word == name).count();
        let parts = names.iter().map(|name| format!("{name} {verb} {} resource instances", count(name)));
        parts.collect::<Vec<_>>().join(", ")
    };
    let kinds: Vec<&str> = left.iter().filter_map(|key| key.split('/').next()).collect();
    let held = left.iter().filter_map(|key| c.get(key)?["metadata"]["finalizers"].as_array());
    let held: Vec<&str> = held.flatten().filter_map(Value::as_str).collect();
    let remaining = match kinds.is_empty() {
        true => ("False", "ContentRemoved", "All content successfully removed".to_owned()),
        false => {
            let kinds = counted(kinds, "has");
            ("True", "SomeResourcesRemain", format!("Some resources are remaining: {kinds}"))
        }
    };
    let finalizers = match held.is_empty() {
        true => ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned()),
        false => {
            let held = counted(held, "in");
            let message = format!("Some content in the namespace has finalizers remaining: {held}");
            ("True", "SomeFinalizersRemain", message)
        }
    };
    let well = |reason, message: &str| ("False", reason, message.to_owned());
    let discovered = well("ResourcesDiscovered", "All resources successfully discovered");
    let parsed = well("ParsedGroupVersions", "All legacy kube types successfully parsed");
    let deleted = "All content successfully deleted, may be waiting on finalization";
    let all = [
        ("NamespaceDeletionDiscoveryFailure", discovered),
        ("NamespaceDeletionGroupVersionParsingFailure", parsed),
        ("NamespaceDeletionContentFailure", well("ContentDeleted", deleted)),
        ("NamespaceContentRemaining", remaining),
        ("NamespaceFinalizersRemaining", finalizers),
    ];
    let one = |(kind, (status, reason, message))| json!({"lastTransitionTime": "", "message": message, "reason": reason, "status": status, "type": kind});
    all.map(one).to_vec()
}
