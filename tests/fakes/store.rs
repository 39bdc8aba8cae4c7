//! A cluster's file: read, and written if anything changed. A long-running process, such as a proxy with its many
//! reads, caches its content: parsing a hundred thousand characters of JSON again is most of the cost of a read.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cluster::Cluster;
use crate::world::{Place, replace};

/// Cached clusters by file. Access requires the world's lock.
static KEPT: Mutex<Option<BTreeMap<PathBuf, Cluster>>> = Mutex::new(None);

/// From now on this process caches what it reads and writes.
pub fn keep() {
    *kept() = Some(BTreeMap::new());
}

fn kept() -> MutexGuard<'static, Option<BTreeMap<PathBuf, Cluster>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    pub fn load(place: &Place, profile: &str) -> Self {
        let path = place.cluster_file(profile, "json");
        let kept = kept().as_mut().and_then(|kept| kept.remove(&path));
        let mut cluster = kept.filter(|kept| is_current(kept, &path)).unwrap_or_else(|| {
            let bytes = fs::read(&path).expect("the cluster's file");
            serde_json::from_slice(&bytes).expect("the cluster's JSON")
        });
        cluster.profile = profile.to_owned();
        cluster.scenario = place.scenario.clone();
        cluster.topics = place.topics();
        cluster
    }

    pub fn save(mut self, place: &Place) {
        if self.moves > 0 {
            self.write(place);
        }
        match kept().as_mut() {
            Some(kept) => drop(kept.insert(place.cluster_file(&self.profile, "json"), self)),
            // The stand-in ends soon: a thousand small allocations need not be freed one by one.
            None => std::mem::forget(self),
        }
    }

    /// Write a cluster of an earlier time in place of `before`.
    pub fn restored(mut self, place: &Place, profile: &str, before: &Self) {
        profile.clone_into(&mut self.profile);
        self.scenario = place.scenario.clone();
        self.topics = place.topics();
        self.ip.clone_from(&before.ip);
        self.saves = before.saves + 1;
        // Nobody may take what was listed before for current.
        self.rv = self.rv.max(before.rv) + 1;
        self.written = 0;
        // The controller manager publishes the authority of the machine that runs it now.
        let authority = crate::certificates::authority();
        for key in self.keys("configmaps", "").into_iter().filter(|key| key.ends_with("/kube-root-ca.crt")) {
            self.update(&key, |map| map["data"]["ca.crt"] = authority.clone().into());
        }
        self.moves = 1;
        self.save(place);
    }

    fn write(&mut self, place: &Place) {
        let of = |kind: &str| place.cluster_file(&self.profile, kind);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(of("changes"))
            .expect("FAKE_WORLD is writable");
        // A writer that was killed may have written more changes than the object file contains.
        file.set_len(self.written).expect("FAKE_WORLD is writable");
        file.seek(SeekFrom::End(0)).expect("FAKE_WORLD is writable");
        let changes = std::mem::take(&mut self.changes).concat();
        file.write_all(changes.as_bytes()).expect("FAKE_WORLD is writable");
        self.written += changes.len() as u64;
        self.saves += 1;
        self.moves = 0;
        replace(&of("json"), &serde_json::to_vec(&self).expect("JSON"));
        let due = self.next_due().unwrap_or(i64::MAX);
        fs::write(of("due"), due.to_string()).expect("FAKE_WORLD is writable");
    }
}

/// Whether the file is unchanged: its write counter comes first in it.
fn is_current(kept: &Cluster, path: &Path) -> bool {
    let begin = format!("{{\"saves\":{},", kept.saves);
    let mut there = vec![0; begin.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut there)).is_ok() && there == begin.as_bytes()
}
