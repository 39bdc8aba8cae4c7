//! The state on disk: one lock, one small file for the profiles, and for every profile a file of objects, an
//! append-only file of changes (read by watches) and the time of the next event.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::scenario::{Host, ProfileSeed, Scenario};

/// Milliseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

/// `$FAKE_WORLD` and the test's scenario; none of it is locked.
#[derive(Debug, Clone)]
pub struct Place {
    pub dir: PathBuf,
    pub scenario: Arc<Scenario>,
}

/// The profiles, held under the lock until dropped.
pub struct World {
    place: Place,
    pub profiles: BTreeMap<String, Profile>,
    /// Containers that a `delete` without an engine left (recording 28).
    pub leftovers: BTreeSet<String>,
    /// The engine's volumes, other than those that minikube creates.
    pub volumes: BTreeMap<String, Volume>,
    _lock: File,
}

/// A volume of the engine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Volume {
    pub labels: BTreeMap<String, String>,
    /// The images in the container runtime's directory in it.
    pub images: Vec<String>,
    /// Whether the container runtime's database is in it.
    #[serde(default)]
    pub database: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    pub host: Host,
    /// MB.
    pub memory: u64,
    pub cpus: u64,
    pub driver: String,
    /// `v1.34.4`.
    pub kubernetes: String,
    pub runtime: String,
    pub nodes: u64,
    pub ip: String,
    /// `--uuid` of the start that created it; empty without one.
    #[serde(default)]
    pub uuid: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    profiles: BTreeMap<String, Profile>,
    leftovers: BTreeSet<String>,
    #[serde(default)]
    volumes: BTreeMap<String, Volume>,
}

impl Place {
    pub fn open() -> Result<Self, String> {
        let dir = PathBuf::from(std::env::var_os("FAKE_WORLD").ok_or("FAKE_WORLD is not set")?);
        let scenario = match fs::read(dir.join("scenario.json")) {
            Ok(bytes) => Scenario::read(&bytes).map_err(|e| format!("scenario.json: {e}"))?,
            Err(_) => Scenario::default(),
        };
        let scenario = Arc::new(scenario);
        let place = Self { dir, scenario };
        if !place.dir.join("minikube.json").exists() {
            // The world's initial state exists before the first command.
            drop(place.lock());
        }
        Ok(place)
    }

    /// Take the lock and read the profiles.
    pub fn lock(&self) -> World {
        fs::create_dir_all(self.dir.join("clusters")).expect("FAKE_WORLD is writable");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join("lock"))
            .expect("lock file");
        lock.lock().expect("lock");
        self.locked(lock)
    }

    /// The lock alone, if nobody holds it.
    pub fn try_lock(&self) -> Option<File> {
        let lock = OpenOptions::new().write(true).open(self.dir.join("lock")).ok()?;
        lock.try_lock().ok()?;
        Some(lock)
    }

    /// Read the profiles; the caller holds the lock.
    pub fn locked(&self, lock: File) -> World {
        let saved: Option<Saved> = fs::read(self.dir.join("minikube.json"))
            .ok()
            .map(|bytes| serde_json::from_slice(&bytes).expect("minikube.json"));
        let seeding = saved.is_none();
        let Saved { profiles, leftovers, volumes } = saved.unwrap_or_default();
        let mut world = World { place: self.clone(), profiles, leftovers, volumes, _lock: lock };
        if seeding {
            world.seed();
        }
        world
    }

    /// A file of a profile's cluster: `json`, `changes` or `due`.
    pub fn cluster_file(&self, profile: &str, kind: &str) -> PathBuf {
        self.dir.join("clusters").join(format!("{profile}.{kind}"))
    }

    /// When a profile's cluster next changes by itself, in ms since 1970; `None`: it is not running.
    fn read_due(&self, profile: &str) -> Option<i64> {
        let text = fs::read_to_string(self.cluster_file(profile, "due")).ok()?;
        Some(text.trim().parse().unwrap_or(i64::MAX))
    }

    /// The same; never for one that is not running.
    pub fn due(&self, profile: &str) -> i64 {
        self.read_due(profile).unwrap_or(i64::MAX)
    }

    /// How long until then; `None`: it is not running.
    pub fn until_due(&self, profile: &str) -> Option<Duration> {
        let left = self.read_due(profile)?.saturating_sub(now());
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    pub fn broker(&self) -> PathBuf {
        self.dir.join("broker")
    }

    pub fn topics(&self) -> PathBuf {
        self.broker().join("topics")
    }
}

impl World {
    fn seed(&mut self) {
        for seed in self.place.scenario.profiles.clone() {
            let ip = self.free_ip();
            let ProfileSeed { name, host, memory, cpus, driver, kubernetes, objects } = seed;
            let runtime = "containerd".to_owned();
            let uuid = String::new();
            let profile = Profile { host, memory, cpus, driver, kubernetes, runtime, nodes: 1, ip, uuid };
            crate::minikube::files(&name, &profile);
            self.profiles.insert(name.clone(), profile.clone());
            if !matches!(host, Host::Invalid | Host::Made | Host::Starting) {
                let mut cluster = Cluster::new(&self.place, &name, &profile);
                // Long ago, so that everything about it has settled by now.
                cluster.clock = now() - 3_600_000;
                for object in objects {
                    cluster.seed(object);
                }
                cluster.advance(now());
                cluster.save(&self.place);
                if !matches!(host, Host::Stopped) {
                    crate::kubeconfig::add_to(&crate::kubeconfig::of_user(), &name, &profile.ip);
                }
            }
        }
        self.save();
    }

    pub fn save(&self) {
        let saved = Saved {
            profiles: self.profiles.clone(),
            leftovers: self.leftovers.clone(),
            volumes: self.volumes.clone(),
        };
        write(&self.place.dir.join("minikube.json"), &json!(saved));
    }

    /// An address like minikube's: 192.168.49.2, then .58, .67 ...
    pub fn free_ip(&self) -> String {
        let used = self.profiles.len() as u64;
        format!("192.168.{}.2", 49 + 9 * used)
    }

    /// A profile's cluster, advanced to the current time.
    pub fn cluster(&self, profile: &str) -> Cluster {
        let mut cluster = Cluster::load(&self.place, profile);
        cluster.advance(now());
        cluster
    }

    pub fn drop_cluster(&self, profile: &str) {
        for kind in ["json", "changes", "due"] {
            let _ = fs::remove_file(self.place.cluster_file(profile, kind));
        }
        let _ = fs::remove_dir_all(self.place.topics());
    }
}

/// Write a JSON value so that readers see the old or the new one.
pub fn write(path: &Path, value: &Value) {
    replace(path, value.to_string().as_bytes());
}

/// Write a file so that readers see the old or the new one.
pub fn replace(path: &Path, bytes: &[u8]) {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    fs::write(&temporary, bytes).expect("FAKE_WORLD is writable");
    fs::rename(&temporary, path).expect("FAKE_WORLD is writable");
}

/// Append one line in one write.
pub fn append(path: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("FAKE_WORLD is writable");
    file.write_all(format!("{line}\n").as_bytes()).expect("FAKE_WORLD is writable");
}
