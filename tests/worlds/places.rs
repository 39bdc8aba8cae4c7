//! The worlds themselves, and the part of their state that is compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Value, json};

use crate::foreign::{self, Foreign, OTHER_ID, Situation};
use crate::harness::{Run, Test};
use crate::support;

/// Which world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// `up` created a profile and everything in it.
    Profile,
    /// `up` succeeded on somebody's own cluster.
    Context,
    /// On somebody's own cluster, another kstrim's Strimzi and Kafka run in another namespace; nothing is ours.
    Elsewhere,
    /// A minikube profile that somebody started by hand.
    Theirs,
}

impl Base {
    /// The profile, which is also the name of the context.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Profile => support::PROFILE,
            Self::Context | Self::Elsewhere => "prod",
            Self::Theirs => "minikube",
        }
    }

    /// The flags that say where kstrim works.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Profile => &[],
            Self::Context | Self::Elsewhere => &["--context", "prod"],
            Self::Theirs => &["-p", "minikube"],
        }
    }

    /// Whether there is an installation of ours.
    pub fn has_ours(self) -> bool {
        matches!(self, Self::Profile | Self::Context)
    }

    /// A separate copy of the world.
    pub fn fork(self) -> Test {
        static SHARED: [Mutex<Weak<Test>>; 4] = [const { Mutex::new(Weak::new()) }; 4];
        // Kept for the lifetime of the process: each takes seconds.
        static KEPT: Mutex<Vec<Arc<Test>>> = Mutex::new(Vec::new());
        let mut shared = SHARED[self as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let base = shared.upgrade().unwrap_or_else(|| {
            let base = Arc::new(self.build());
            KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(base.clone());
            *shared = Arc::downgrade(&base);
            base
        });
        base.fork()
    }

    fn build(self) -> Test {
        let mut test = support::fresh().scenario(support::quick);
        match self {
            Self::Profile => drop(test.args(["up"]).run().expect(0)),
            Self::Context => {
                test.fake("minikube", ["start", "-p", "prod"]).expect(0);
                let up = ["up", "--context", "prod", "--preset", "single", "--yes"];
                test.args(up).run().expect(0);
            }
            Self::Theirs => drop(test.fake("minikube", ["start"]).expect(0)),
            Self::Elsewhere => {
                test.fake("minikube", ["start", "-p", "prod"]).expect(0);
                let mut colleague = test.colleague();
                let up = "up --context prod -n theirs -c theirs --topic their-topic --preset single --yes"
                    .split(' ');
                colleague.args(up).run().expect(0);
            }
        }
        let namespaces = ["theirs", "kafka"]
            .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        let missing = namespaces.iter().filter(|n| {
            test.object(self.profile(), &format!("namespaces//{}", n["metadata"]["name"].as_str().unwrap()))
                .is_null()
        });
        let mut objects: Vec<Value> = missing.cloned().collect();
        objects.push(foreign::widgets());
        kubectl(self, &test, &["apply", "--server-side", "--field-manager=else", "-f", "-"], &objects)
            .expect(0);
        let wait = ["wait", "crd/widgets.example.com", "--for=condition=Established", "--timeout=5s"];
        kubectl(self, &test, &wait, &[]).expect(0);
        test.forget_calls();
        test
    }
}

/// kubectl, run by somebody else.
pub fn kubectl(base: Base, test: &Test, args: &[&str], objects: &[Value]) -> Run {
    let mut words = match base {
        Base::Profile => support::target(test),
        _ => vec!["--context".to_owned(), base.profile().to_owned()],
    };
    words.extend(args.iter().map(|word| (*word).to_owned()));
    test.fake_with("kubectl", words, &support::text(objects))
}

/// Wait until the controllers have nothing left to do, so that later changes have another cause.
pub fn settle(base: Base, test: &Test) {
    let version = || {
        kubectl(base, test, &["get", "--raw", "/version"], &[]);
        let objects = test.objects(base.profile());
        let all = objects.as_object().into_iter().flatten();
        all.filter_map(|(_, o)| o["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok()).max()
    };
    let mut before = version();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(60));
        let now = version();
        if now == before {
            return;
        }
        before = now;
    }
}

/// Fill a world. Returns the keys of the foreign objects.
pub fn populate(base: Base, test: &Test, objects: &[Foreign], situations: &[Situation]) -> Vec<String> {
    let strimzi = base.has_ours();
    let mut all: Vec<Value> = objects.iter().map(|object| object.object(strimzi)).collect();
    // The last one wins, so that each kind and name occurs once.
    let identity = |o: &Value| {
        (
            o["kind"].clone(),
            o["apiVersion"].clone(),
            o["metadata"]["namespace"].clone(),
            o["metadata"]["name"].clone(),
        )
    };
    for situation in situations.iter().filter(|_| strimzi) {
        all.extend(foreign::applied(*situation));
        if *situation == Situation::AutoTopic {
            topic(test, "orders", "6d1b8a9e-0f6b-4a53-8d0e-6b1d5c2f7a10");
        }
    }
    let mut once: Vec<Value> = Vec::new();
    for object in all {
        once.retain(|other| identity(other) != identity(&object));
        once.push(object);
    }
    if strimzi && once.iter().any(|o| o["kind"] == "KafkaTopic" && o["metadata"]["name"] == "their-claim") {
        topic(test, "claimed", "7e2c9b0f-1a7c-4b64-9e1f-7c2e6d3a8b21");
    }
    if !once.is_empty() {
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=else", "-f", "-"];
        kubectl(base, test, &apply, &once).expect(0);
    }
    let before: Vec<String> = keys(base, test);
    for situation in situations.iter().filter(|_| strimzi) {
        match situation {
            Situation::KafkaGone => {
                let gone = ["delete", "kafka", "my-cluster", "-n", "kafka", "--wait=true", "--timeout=10s"];
                kubectl(base, test, &gone, &[]).expect(0);
            }
            Situation::KafkaTheirs => {
                let label = format!("kstrim.io/installation={OTHER_ID}");
                for kind in ["kafka/my-cluster", "kafkanodepool/dual-role"] {
                    kubectl(base, test, &["label", kind, "-n", "kafka", "--overwrite", &label], &[]);
                }
            }
            _ => {}
        }
    }
    settle(base, test);
    let mut foreign: Vec<String> = match base {
        // Everything.
        Base::Elsewhere | Base::Theirs => before,
        Base::Profile | Base::Context => {
            let key = |o: &Value| key_of(o, &before);
            once.iter().filter_map(key).collect()
        }
    };
    if situations.contains(&Situation::KafkaTheirs) && strimzi {
        foreign.push(support::KAFKA.to_owned());
        foreign.push("kafkanodepools.kafka.strimzi.io/kafka/dual-role".to_owned());
    }
    foreign.retain(|key| !key.starts_with("events/") && !key.starts_with("nodes/"));
    // The Secrets of foreign users belong to their operator, and are just as foreign.
    for key in foreign.clone() {
        if let Some(user) = key.strip_prefix("kafkausers.kafka.strimzi.io/") {
            foreign.push(format!("secrets/{user}"));
        }
    }
    foreign
}

fn keys(base: Base, test: &Test) -> Vec<String> {
    let objects = test.objects(base.profile());
    objects.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

fn key_of(object: &Value, keys: &[String]) -> Option<String> {
    let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let (group, kind) = (text(&object["apiVersion"]), text(&object["kind"]).to_lowercase());
    let group = group.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
    let end = format!("/{}/{}", text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
    let fits = |key: &&String| {
        key.strip_suffix(&end).is_some_and(|resource| {
            // The plural begins like the kind, except for its last letter: policy, policies.
            let plural = resource.strip_suffix(&group).unwrap_or("");
            !plural.contains('.')
                && plural.starts_with(&kind[..kind.len() - 1])
                && plural.len() < kind.len() + 4
        })
    };
    keys.iter().find(fits).cloned()
}

/// A topic in the brokers, with a message.
fn topic(test: &Test, name: &str, id: &str) {
    let folder = test.world_dir().join("broker/topics").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let meta = json!({"name": name, "id": id, "partitions": 2, "starts": {}});
    fs::write(folder.join("meta.json"), meta.to_string()).expect("a topic");
    let logs = stand_ins::broker::log::Logs::open(&test.world_dir().join("broker")).expect("logs");
    logs.write(name, &["an order".to_owned()]).expect("a message");
}

/// The foreign objects that exist, without what controllers write.
pub fn foreign_objects(base: Base, test: &Test, foreign: &[String]) -> BTreeMap<String, Value> {
    let objects = test.objects(base.profile());
    let mut seen = BTreeMap::new();
    for key in foreign {
        let mut object = objects[key].clone();
        if let Some(map) = object.as_object_mut() {
            map.remove("status");
        }
        if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["managedFields", "resourceVersion", "generation"] {
                meta.remove(field);
            }
        }
        seen.insert(key.clone(), object);
    }
    seen
}

/// The files of the brokers' topics that kstrim did not create.
pub fn topics(test: &Test, ours: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let folder = test.world_dir().join("broker/topics");
    let mut all = BTreeMap::new();
    for topic in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = topic.file_name().to_string_lossy().into_owned();
        if name.starts_with("__") || ours.contains(&name.as_str()) {
            continue;
        }
        for file in fs::read_dir(topic.path()).into_iter().flatten().flatten() {
            let path = file.path();
            let key = path.strip_prefix(&folder).unwrap_or(Path::new("")).display().to_string();
            all.insert(key, fs::read(&path).unwrap_or_default());
        }
    }
    all
}

/// What happened to topics, one line each. Messages may be added, and none may be lost.
pub fn topic_changes(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut all = Vec::new();
    for (file, old) in before {
        let told = match after.get(file) {
            None => Some("is gone".to_owned()),
            Some(new) if file.ends_with(".log") => {
                (!new.starts_with(old)).then(|| "lost messages".to_owned())
            }
            Some(new) if file.ends_with("meta.json") => {
                let field = |bytes: &[u8], name: &str| {
                    serde_json::from_slice::<Value>(bytes).unwrap_or_default()[name].clone()
                };
                let mut all: Vec<String> = Vec::new();
                for name in ["id", "partitions"] {
                    if field(old, name) != field(new, name) {
                        all.push(format!("{name} {} is {}", field(old, name), field(new, name)));
                    }
                }
                // The first offset may rise if the partition was empty.
                for (partition, first) in field(new, "starts").as_object().into_iter().flatten() {
                    let log = file.replace("meta.json", &format!("{partition}.log"));
                    let had = before.get(&log).is_some_and(|log| !log.is_empty());
                    if had && first.as_u64() > field(old, "starts")[partition].as_u64().or(Some(0)) {
                        all.push(format!("partition {partition} begins with offset {first}"));
                    }
                }
                (!all.is_empty()).then(|| format!("was changed: {}", all.join(", ")))
            }
            Some(_) => None,
        };
        all.extend(told.map(|told| format!("topic {file} {told}")));
    }
    all
}

/// What happened to objects, one line each.
pub fn object_changes(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let differs = |(key, old): (&String, &Value)| {
        let new = &after[key];
        if old == new {
            return None;
        }
        if new.get("apiVersion").is_none() {
            return Some(format!("{key} is gone"));
        }
        let mut fields = Vec::new();
        paths("", old, new, &mut fields);
        Some(format!("{key} was changed: {}", fields.join(", ")))
    };
    before.iter().filter_map(differs).collect()
}

fn paths(at: &str, old: &Value, new: &Value, into: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                paths(&format!("{at}/{name}"), &old[name.as_str()], &new[name.as_str()], into);
            }
        }
        _ if old != new => into.push(at.to_owned()),
        _ => {}
    }
}
