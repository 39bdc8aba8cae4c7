//! One cluster's objects: the store of the API server, the clock that drives the controllers, and their state.
//!
//! Controllers are level-triggered functions of the store; each waits with [`Cluster::elapsed`], a named timer.
//! [`Cluster::advance`] proceeds from timer to timer, so that the observed states depend only on what was applied and
//! when, not on how often they were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kinds::{self, Resource};
use crate::managed;
use crate::scenario::Scenario;
use crate::world::{Place, Profile, now};

/// Objects, clock, timers. The fields that are not skipped are its file (`store.rs`).
#[derive(Serialize, Deserialize)]
pub struct Cluster {
    /// Incremented with each write, from a number that no earlier cluster reached (the time of its creation, in ms).
    /// It comes first, so that it can be read without the rest.
    pub(crate) saves: i64,
    /// The profile's name, which is also the node's.
    #[serde(skip)]
    pub profile: String,
    pub ip: String,
    #[serde(skip)]
    pub scenario: Arc<Scenario>,
    /// Resource version of the last change.
    pub rv: u64,
    /// Milliseconds since 1970 of the last advance.
    pub clock: i64,
    /// By `plural.group/namespace/name`.
    pub objects: BTreeMap<String, Value>,
    pub timers: BTreeMap<String, i64>,
    /// State of the controllers besides the objects.
    pub memory: Memory,
    #[serde(skip)]
    pub topics: std::path::PathBuf,
    serial: u64,
    /// Lines that must still be appended to the file of changes.
    #[serde(skip)]
    pub(crate) changes: Vec<String>,
    /// Length of the file of changes.
    pub(crate) written: u64,
    /// How much has changed since it was read.
    #[serde(skip)]
    pub(crate) moves: u64,
    /// The version of Strimzi's resources that the running operator writes.
    #[serde(skip)]
    pub(crate) writes_in: Option<&'static str>,
    /// Under which scenarios ([`Scenario::id`]) the controllers have nothing to do, if nothing happened since.
    pub(crate) at_rest: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Reconciliations in progress, by `namespace/name` of the Kafka resource: the locks.
    pub running: BTreeMap<String, Reconciliation>,
    /// What was reconciled last, by uid of the Kafka resource.
    pub done: BTreeMap<String, String>,
    /// Which cluster id a volume was formatted with, by uid of its claim.
    pub volumes: BTreeMap<String, String>,
    /// Cluster ids, by uid of the Kafka resource.
    pub cluster_ids: BTreeMap<String, String>,
    /// Hashes of pod templates, by uid and generation of their Deployment.
    pub templates: BTreeMap<String, String>,
    /// How often a pod's back-off was increased, by its uid.
    pub back_offs: BTreeMap<String, u32>,
    /// Field managers: what each applied last, by key and manager.
    pub applied: BTreeMap<String, BTreeMap<String, Value>>,
    /// Kafka resources whose pods did not become ready in time, by uid.
    pub fatal: BTreeMap<String, bool>,
    /// The operator that hangs, by its pod's uid.
    #[serde(default)]
    pub hung: Option<String>,
    #[serde(default)]
    pub no_network: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The uid of its Kafka resource.
    pub uid: String,
    /// The uid of the operator pod that runs it.
    pub operator: String,
    /// What it reconciles: generations of the Kafka and its pools.
    pub marker: String,
    /// `validate`, `pods`, `entity`.
    pub phase: String,
    pub since: i64,
    pub began: i64,
}

impl Cluster {
    /// A cluster as `minikube start` leaves it.
    pub fn new(place: &Place, profile: &str, data: &Profile) -> Self {
        let mut cluster = Self {
            saves: now(),
            profile: profile.to_owned(),
            ip: data.ip.clone(),
            scenario: place.scenario.clone(),
            rv: 300,
            clock: now(),
            objects: BTreeMap::new(),
            timers: BTreeMap::new(),
            memory: Memory::default(),
            topics: place.topics(),
            serial: 0,
            changes: Vec::new(),
            written: 0,
            moves: 1,
            writes_in: None,
            at_rest: None,
        };
        crate::nodes::bootstrap(&mut cluster, data);
        cluster
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.timers.values().copied().filter(|due| *due > self.clock).min()
    }

    /// Advance the time to `to`. Controllers that have nothing to do run again when a timer fires, or the scenario
    /// changed: what they do depends on nothing else.
    pub fn advance(&mut self, to: i64) {
        loop {
            if self.at_rest != Some(self.scenario.id) {
                self.settle();
            }
            match self.next_due() {
                Some(due) if due <= to => {
                    self.clock = due;
                    // Even if there is nothing to do: whoever waits for the next timer must not find this one again.
                    self.touch();
                }
                _ => break,
            }
        }
        self.clock = self.clock.max(to);
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            let before = self.moves;
            crate::nodes::run(self);
            crate::lifecycle::run(self);
            crate::deployments::run(self);
            crate::operator::run(self);
            crate::topics::run(self);
            crate::pods::run(self);
            if before == self.moves {
                self.at_rest = Some(self.scenario.id);
                return;
            }
        }
        panic!("the controllers do not come to rest");
    }

    /// Whether `ms` have passed since the first call for `uid` and `step`.
    pub fn elapsed(&mut self, uid: &str, step: &str, ms: u64) -> bool {
        let name = format!("{uid}/{step}");
        if let Some(due) = self.timers.get(&name) {
            return *due <= self.clock;
        }
        self.touch();
        self.timers.insert(name, self.clock + ms as i64);
        ms == 0
    }

    /// Like [`Cluster::elapsed`], and restarts after that.
    pub fn lapse(&mut self, uid: &str, step: &str, ms: u64) -> bool {
        let passed = self.elapsed(uid, step, ms);
        if passed {
            self.forget(uid, step);
        }
        passed
    }

    /// Like [`Cluster::lapse`] with a time that doubles every time, up to 64-fold: a pod's back-off.
    pub fn back_off(&mut self, uid: &str, ms: u64) -> bool {
        let before = self.memory.back_offs.get(uid).copied().unwrap_or(0);
        let passed = self.lapse(uid, "back-off", ms << before.min(6));
        if passed {
            self.memory.back_offs.insert(uid.to_owned(), before + 1);
        }
        passed
    }

    pub fn forget(&mut self, uid: &str, step: &str) {
        self.timers.remove(&format!("{uid}/{step}"));
        self.touch();
    }

    /// Time was suspended (the profile was stopped): shift every timer.
    pub fn thaw(&mut self) {
        let pause = now() - self.clock;
        self.timers.values_mut().for_each(|due| *due += pause);
        self.clock += pause;
        self.touch();
    }

    /// 32 unique hex digits.
    pub fn random(&mut self) -> String {
        self.serial += 1;
        self.touch();
        let seed = format!("{} {} {}", self.profile, self.serial, self.clock);
        Sha256::digest(seed).iter().take(16).map(|b| format!("{b:02x}")).collect()
    }

    pub fn uid(&mut self) -> String {
        let h = self.random();
        format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..32])
    }

    /// The clock in the API's format, in whole seconds.
    pub fn time(&self) -> String {
        stamp(self.clock - self.clock.rem_euclid(1000))
    }

    /// The clock in Strimzi's format, with nanoseconds.
    pub fn fine_time(&self) -> String {
        self.time_with("000001")
    }

    /// The clock as `MicroTime`, the type of a lease's times.
    pub fn micro_time(&self) -> String {
        self.time_with("000")
    }

    fn time_with(&self, digits: &str) -> String {
        format!("{}.{:03}{digits}Z", self.time().trim_end_matches('Z'), self.clock.rem_euclid(1000))
    }

    /// Something other than an object changed: run all controllers again.
    pub fn touch(&mut self) {
        self.moves += 1;
        self.at_rest = None;
    }

    fn record(&mut self, kind: &str, key: &str, object: &Value) {
        self.touch();
        let line = json!({"rv": self.rv, "key": key, "type": kind, "object": object});
        self.changes.push(format!("{line}\n"));
    }

    /// A new object; sets uid, times and versions. The caller has checked that it does not exist.
    pub fn create(&mut self, resource: &Resource, mut object: Value) -> String {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("").to_owned();
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let key = resource.key(&namespace, &name);
        self.rv += 1;
        let uid = self.uid();
        let time = self.time();
        let meta = &mut object["metadata"];
        if meta["uid"].is_null() {
            meta["uid"] = json!(uid);
        }
        // Definitions are old: kstrim waits before it removes a version of new ones.
        let old = resource.kind == "CustomResourceDefinition";
        meta["creationTimestamp"] = json!(if old { stamp(self.clock - 3_600_000) } else { time });
        meta["resourceVersion"] = json!(self.rv.to_string());
        if resource.has_generation() {
            meta["generation"] = json!(1);
        }
        self.written_by_the_operator(&key, &mut object, false);
        self.record("ADDED", &key, &object);
        self.objects.insert(key.clone(), object);
        key
    }

    /// A new object of a controller's.
    pub fn add(&mut self, object: Value) -> String {
        self.create(&kinds::of_object(&object), object)
    }

    /// An object of a controller, unless one with its name exists.
    pub fn ensure(&mut self, object: Value) {
        if self.get(&key_of(&object)).is_none() {
            self.add(object);
        }
    }

    /// An object of a controller; if it exists, this field of its spec is replaced with the new one's.
    pub fn put(&mut self, object: Value, field: &str) {
        match self.get(&key_of(&object)).is_some() {
            true => self.update(&key_of(&object), |o| o["spec"][field] = object["spec"][field].clone()),
            false => drop(self.add(object)),
        }
    }

    /// The running operator, if there is one, becomes a field manager of a custom resource.
    fn written_by_the_operator(&self, key: &str, object: &mut Value, status: bool) {
        let Some(version) = self.writes_in.filter(|_| managed::versions(self, key).is_some()) else { return };
        let group = key.split('/').next().and_then(|resource| resource.split_once('.'));
        let api_version = format!("{}/{version}", group.map_or("", |(_, group)| group));
        let (manager, operation) = ("strimzi-cluster-operator", "Update");
        managed::note(object, &managed::Entry { manager, operation, api_version: &api_version, status });
    }

    /// Change an object; nothing happens if it stays the same. Removes it when the last finalizer of a deleted one is
    /// removed.
    pub fn update(&mut self, key: &str, change: impl FnOnce(&mut Value)) {
        let Some(old) = self.objects.get(key) else { return };
        let mut new = old.clone();
        change(&mut new);
        if new == *old {
            return;
        }
        let same = |field: &str| new["metadata"][field] == old["metadata"][field];
        if same("managedFields") {
            let status = new["status"] != old["status"];
            let mut noted = new.clone();
            self.written_by_the_operator(key, &mut noted, status);
            if managed::stale(self, key, &noted).is_some()
                && let Some(metadata) = noted["metadata"].as_object_mut()
            {
                metadata.shift_remove("managedFields");
            }
            new = noted;
        }
        if differs(&new, old)
            && let Some(generation) = old["metadata"]["generation"].as_u64()
        {
            new["metadata"]["generation"] = json!(generation + 1);
        }
        self.rv += 1;
        new["metadata"]["resourceVersion"] = json!(self.rv.to_string());
        let finished = new["metadata"]["deletionTimestamp"].is_string()
            && new["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
            && !key.starts_with("pods/")
            && !key.starts_with("namespaces/");
        self.record("MODIFIED", key, &new);
        self.objects.insert(key.to_owned(), new);
        if finished {
            self.remove(key);
        }
    }

    /// The DELETE request: pods end gracefully, finalizers are respected.
    pub fn delete(&mut self, key: &str) {
        let Some(object) = self.objects.get(key) else { return };
        if object["metadata"]["deletionTimestamp"].is_string() {
            return;
        }
        if key.starts_with("customresourcedefinitions.") {
            let hold = json!(["customresourcecleanup.apiextensions.k8s.io"]);
            self.update(key, |o| o["metadata"]["finalizers"] = hold);
        }
        let object = &self.objects[key];
        let pod = key.starts_with("pods/");
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        if !pod && !held && !key.starts_with("namespaces/") {
            self.remove(key);
            return;
        }
        let time = self.time();
        self.update(key, |o| {
            let meta = &mut o["metadata"];
            meta["deletionTimestamp"] = json!(time);
            if !key.starts_with("namespaces/") {
                meta["deletionGracePeriodSeconds"] = json!(if pod { 30 } else { 0 });
            }
            if let Some(generation) = meta["generation"].as_u64() {
                meta["generation"] = json!(generation + 1);
            }
        });
    }

    /// Delete immediately.
    pub fn remove(&mut self, key: &str) {
        let Some(mut object) = self.objects.remove(key) else { return };
        self.rv += 1;
        object["metadata"]["resourceVersion"] = json!(self.rv.to_string());
        self.record("DELETED", key, &object);
        let uid = format!("{}/", object["metadata"]["uid"].as_str().unwrap_or("-"));
        self.timers.retain(|name, _| !name.starts_with(&uid));
        self.memory.applied.remove(key);
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.objects.get(key)
    }

    /// The version of the node, and of the API server.
    pub fn kubelet_version(&self) -> &str {
        let node = self.get(&format!("nodes//{}", self.profile));
        node.map_or("", |node| text(node, "/status/nodeInfo/kubeletVersion"))
    }

    /// Keys of a resource's objects, `plural.group`, in a namespace or in all (empty).
    pub fn keys(&self, resource: &str, namespace: &str) -> Vec<String> {
        self.range(resource, namespace).map(|(key, _)| key.clone()).collect()
    }

    /// Objects of a resource, in a namespace or in all (empty).
    pub fn each<'a>(&'a self, resource: &str, namespace: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.range(resource, namespace).map(|(_, object)| object)
    }

    fn range<'a>(
        &'a self,
        resource: &str,
        namespace: &str,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let prefix = match namespace {
            "" => format!("{resource}/"),
            ns => format!("{resource}/{ns}/"),
        };
        self.objects.range(prefix.clone()..).take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// Objects of a resource, cloned.
    pub fn list(&self, resource: &str, namespace: &str) -> Vec<Value> {
        self.each(resource, namespace).cloned().collect()
    }

    pub fn event(&mut self, about: &Value, kind: &str, reason: &str, message: &str, component: &str) {
        let field = |name: &str| about["metadata"][name].as_str().unwrap_or("").to_owned();
        let suffix = self.random();
        let namespace = match field("namespace") {
            ns if ns.is_empty() => "default".to_owned(),
            ns => ns,
        };
        let mut involved = json!({
            "apiVersion": about["apiVersion"], "kind": about["kind"], "name": field("name"),
            "namespace": namespace, "resourceVersion": field("resourceVersion"), "uid": field("uid"),
        });
        if component == "kubelet"
            && reason != "Scheduled"
            && let Some(name) = about["spec"]["containers"][0]["name"].as_str()
        {
            involved["fieldPath"] = json!(format!("spec.containers{{{name}}}"));
        }
        let time = self.time();
        let mut source = json!({"component": component});
        let mut instance = "";
        let node = self.profile.clone();
        if component == "kubelet" {
            source["host"] = json!(node);
            instance = &node;
        }
        let event = json!({
            "apiVersion": "v1", "count": 1, "eventTime": null, "firstTimestamp": time,
            "involvedObject": involved, "kind": "Event", "lastTimestamp": time, "message": message,
            "metadata": {"name": format!("{}.{}", field("name"), &suffix[..16]), "namespace": namespace},
            "reason": reason, "reportingComponent": component, "reportingInstance": instance,
            "source": source, "type": kind,
        });
        self.add(event);
    }

    /// Add a test's object as if it had existed for a long time.
    pub fn seed(&mut self, object: Value) {
        if let Err(e) = crate::apply::one(self, object, &crate::apply::Options::seed()) {
            panic!("a seeded object is refused: {e}");
        }
        let to = self.clock + 3_000;
        self.advance(to);
    }
}

/// The key of an object that a controller creates.
fn key_of(object: &Value) -> String {
    kinds::of_object(object).key(text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

/// Whether anything but metadata and status changed, which means a new generation.
fn differs(new: &Value, old: &Value) -> bool {
    let desired =
        |o: &Value, name: &str| !["metadata", "status", "apiVersion"].contains(&name) && !o[name].is_null();
    let of = |a: &Value, b: &Value| {
        a.as_object().is_some_and(|map| map.keys().any(|name| desired(a, name) && a[name] != b[name]))
    };
    of(new, old) || of(old, new)
}

/// RFC 3339 in UTC.
pub fn stamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).expect("a time").to_string()
}

/// Text at a JSON pointer, or "".
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    // `Value::pointer` allocates two strings for each step; few have anything to unescape.
    let found = match pointer.contains('~') {
        true => value.pointer(pointer),
        false => pointer.split('/').skip(1).try_fold(value, |value, step| match value {
            Value::Object(map) => map.get(step),
            Value::Array(list) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        }),
    };
    found.and_then(Value::as_str).unwrap_or("")
}

/// Set a condition, keeping its time if its status stays.
pub fn condition(list: &mut Value, mut new: Value, time: &str) {
    if !list.is_array() {
        *list = json!([]);
    }
    new["lastTransitionTime"] = json!(time);
    let Some(list) = list.as_array_mut() else { return };
    match list.iter_mut().find(|c| c["type"] == new["type"]) {
        Some(old) => {
            if old["status"] == new["status"] {
                new["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = new;
        }
        None => list.push(new),
    }
}
