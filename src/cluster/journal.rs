//! The journal of a profile: a file with its state and with what earlier runs did. Whether a step is needed is
//! determined from the cluster; the journal records what the cluster cannot show: whether kstrim created this
//! profile, and what a run was doing when it was killed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::journal::{Entries, Journal};
use crate::errors;
use crate::event::Outcome;
use crate::failure::{Failure, Kind, Result};
use crate::paths::{private_dir, unwritable};

/// The journal's version. A file with a larger one is left untouched.
pub(crate) const SCHEMA: u32 = 1;

/// What kstrim knows about a profile, as stored in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProfileState {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Id of the last run.
    #[serde(default)]
    pub run_id: String,
    /// The minikube profile.
    pub profile: String,
    /// The Strimzi release of the last `up`.
    #[serde(default)]
    pub release: Option<String>,
    /// Whether kstrim created the profile, as far as the last run could prove it. [`ProfileState::made`] identifies
    /// that profile, so that a later one of the same name can be distinguished from it.
    #[serde(default)]
    pub profile_is_ours: bool,
    /// How the profile that kstrim created can be recognised. Written before the command that creates it, and
    /// completed while that command runs; a run that created nothing removes it again.
    #[serde(default)]
    pub made: Option<Made>,
    /// Since when the profile has been stopped or paused, if kstrim did that. Whether it still is, only the machine's
    /// state shows.
    #[serde(default)]
    pub suspended: Option<Suspension>,
    /// When kstrim last started the processes in the machine: a process that ended before that did not crash.
    #[serde(default)]
    pub node_started: Option<Timestamp>,
    /// The file of the snapshot that a run has begun to restore: until that is finished, the profile contains parts of
    /// two clusters.
    #[serde(default)]
    pub restoring: Option<PathBuf>,
    /// Whether a `minikube start` was begun and is not known to have succeeded. The API server responds long before
    /// the start is finished, and a start that is killed in between leaves a node without a network.
    #[serde(default)]
    pub start_unfinished: bool,
    /// Whether no `minikube start` of the profile has ever succeeded. A start that is killed inside kubeadm can leave
    /// a cluster without kube-proxy and CoreDNS, and every later start reports success without adding them.
    #[serde(default)]
    pub never_whole: bool,
    /// uid of the namespace `kube-system`, the cluster's identity: a profile of the same name that somebody else
    /// created later has another one.
    #[serde(default)]
    pub cluster_uid: Option<String>,
    /// By namespace: the id of the installation that this kstrim creates there. Written before any object gets it.
    #[serde(default)]
    pub installations: BTreeMap<String, String>,
    /// By namespace: the Kafka cluster that `up` created or found last, which commands use if none is specified.
    #[serde(default)]
    pub clusters: BTreeMap<String, String>,
    /// Namespaces in which kstrim's own operator was last found: the next `up` does not need to look for another
    /// operator before it resolves its settings.
    #[serde(default)]
    pub own_operators: BTreeSet<String>,
    /// The topic that kstrim started to create in Kafka when no topic of that name existed, with the Kafka resource's
    /// uid; `None` once its KafkaTopic exists.
    #[serde(default)]
    pub creating_topic: Option<String>,
    /// Removals that `remove` has started, by the Kafka resource's uid and the component: the topics to delete with
    /// the component. Recorded before anything is deleted, and kept until they are deleted.
    #[serde(default)]
    pub removing: BTreeMap<String, Vec<String>>,
    /// The images that were running when the last run succeeded: image to digest.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// By namespace and JVM: the images for which the node was last seen to have class-data archives.
    #[serde(default)]
    pub class_data: BTreeMap<String, BTreeMap<String, String>>,
    /// What decides which images fit the profile's node ([`super::image_cache`]); `None`: they are not kept.
    #[serde(default)]
    pub image_cache: Option<String>,
    /// The label of the profile's volume while kstrim copies images into it, until minikube has started from it.
    #[serde(default)]
    pub filling_volume: Option<String>,
    /// The tasks' entries, by task id.
    #[serde(default)]
    pub tasks: Entries,
}

/// Records that kstrim stopped or paused the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspension {
    /// Which of the two, and how far it got.
    pub state: SuspensionState,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a profile is being stopped or paused, or is stopped or paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SuspensionState {
    /// `kstrim stop` has begun to shut down what runs in it.
    Stopping,
    /// Its machine is stopped.
    Stopped,
    /// `kstrim pause` has begun to freeze it.
    Pausing,
    /// It is paused.
    Paused,
    /// `kstrim snapshot save` has shut down what runs in it, and has not started it again yet.
    Saving,
}

impl SuspensionState {
    /// The same with the current time.
    pub(crate) fn now(self) -> Suspension {
        Suspension { state: self, since: Timestamp::now() }
    }

    /// Whether the operation was not finished: then the profile has to be started to become consistent again.
    pub(crate) fn is_unfinished(self) -> bool {
        matches!(self, Self::Stopping | Self::Pausing | Self::Saving)
    }
}

/// What identifies the profile that kstrim created, readable even if nothing is running. None of it matches a profile
/// of the same name that somebody created later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    /// When its first start began.
    pub begun: Timestamp,
    /// A random id that was passed to the program that created it, which stores it with the profile.
    #[serde(default)]
    pub token: Option<String>,
    /// Digest of its machine's public key; `None` until the machine was found.
    #[serde(default)]
    pub machine: Option<String>,
    /// The container engine that runs its machine; `None` for a virtual machine.
    #[serde(default)]
    pub engine: Option<On>,
}

/// A container engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct On {
    /// Its kind.
    pub driver: String,
    /// Its own id.
    pub id: String,
    /// The name of the client's context for it.
    #[serde(default)]
    pub context: String,
    /// Its address.
    #[serde(default)]
    pub host: String,
}

/// A journal and the path of its file.
#[derive(Debug)]
pub(crate) struct JournalFile {
    path: PathBuf,
    /// The state stored in it.
    pub state: ProfileState,
    read_only: bool,
}

impl JournalFile {
    /// The journal of a profile that kstrim has never used.
    pub(crate) fn fresh(path: &Path, profile: &str) -> Self {
        let state = ProfileState {
            schema: SCHEMA,
            run_id: String::new(),
            profile: profile.to_owned(),
            release: None,
            profile_is_ours: false,
            made: None,
            suspended: None,
            node_started: None,
            restoring: None,
            start_unfinished: false,
            never_whole: false,
            cluster_uid: None,
            installations: BTreeMap::new(),
            clusters: BTreeMap::new(),
            own_operators: BTreeSet::new(),
            creating_topic: None,
            removing: BTreeMap::new(),
            class_data: BTreeMap::new(),
            images: BTreeMap::new(),
            image_cache: None,
            filling_volume: None,
            tasks: Entries::default(),
        };
        Self { path: path.into(), state, read_only: false }
    }

    /// Record the Kafka cluster of a namespace, for commands that specify none.
    pub(crate) fn remember_cluster(&mut self, namespace: &str, cluster: &str) -> Result<()> {
        if self.state.clusters.get(namespace).map(String::as_str) == Some(cluster) {
            return Ok(());
        }
        self.state.clusters.insert(namespace.to_owned(), cluster.to_owned());
        self.save()
    }

    /// Read the journal at `path`, or create an empty one for `profile`.
    ///
    /// # Errors
    /// [`errors::JOURNAL_CORRUPT`] if the file is not a valid journal, `KS-STATE-UNWRITABLE` if it cannot be
    /// read at all.
    pub(crate) fn open(path: &Path, profile: &str) -> Result<Self> {
        let fresh = || Self::fresh(path, profile).state;
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::fresh(path, profile));
            }
            Err(e) => return Err(Box::new(unwritable(path, &e))),
        };
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }
        let corrupt = |cause: String| {
            Box::new(
                Failure::new(
                    errors::JOURNAL_CORRUPT,
                    Kind::Task,
                    format!("the journal {} cannot be read", path.display()),
                )
                .because(cause)
                .hint(format!(
                    "rename it: mv {0} {0}.bad   (kstrim then relies on the state of the cluster)",
                    path.display()
                )),
            )
        };
        let versioned: Versioned = serde_json::from_slice(&text).map_err(|e| corrupt(e.to_string()))?;
        if versioned.schema > SCHEMA {
            let mut state = fresh();
            state.schema = versioned.schema;
            // Fields that both versions have are still read; the file itself is never written.
            if let Ok(known) = serde_json::from_slice::<ProfileState>(&text) {
                state = known;
            }
            return Ok(Self { path: path.into(), state, read_only: true });
        }
        let state: ProfileState = serde_json::from_slice(&text).map_err(|e| corrupt(e.to_string()))?;
        if state.profile != profile {
            return Err(corrupt(format!("it belongs to profile {}, not {profile}", state.profile)));
        }
        Ok(Self { path: path.into(), state, read_only: false })
    }

    /// Whether a newer kstrim wrote the file: then [`JournalFile::save`] does nothing.
    #[cfg(test)]
    pub(crate) fn is_newer(&self) -> bool {
        self.read_only
    }

    /// Refuse to change a profile whose journal was written by a newer kstrim.
    pub(crate) fn refuse_newer(&self) -> Result<()> {
        if !self.read_only {
            return Ok(());
        }
        Err(Box::new(
            Failure::new(
                errors::JOURNAL_NEWER,
                Kind::Prerequisite,
                format!("the journal {} was written by a newer kstrim", self.path.display()),
            )
            .because(format!("its schema is {}, but this kstrim supports {SCHEMA}", self.state.schema))
            .hint("use the newer kstrim for this profile, or another profile with --profile NAME"),
        ))
    }

    /// Write the journal to a new file in the same directory, sync it, and rename it over the old one.
    ///
    /// # Errors
    /// `KS-STATE-UNWRITABLE`, also on a full disk; the old file is then unchanged.
    pub(crate) fn save(&self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        let write = || -> std::io::Result<()> {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            private_dir(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, &self.state)?;
            file.write_all(b"\n")?;
            file.as_file().sync_data()?;
            file.persist(&self.path).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|e| Box::new(unwritable(&self.path, &e)))
    }

    /// Delete the journal after `down`. A missing file is not an error.
    pub(crate) fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Box::new(unwritable(&self.path, &e))),
            _ => Ok(()),
        }
    }
}

impl Journal for RefCell<JournalFile> {
    fn started(&self, task: &str) -> Result<()> {
        let mut file = self.borrow_mut();
        file.state.tasks.start(task);
        file.save()
    }

    fn finished(&self, task: &str, outcome: Outcome) -> Result<()> {
        let mut file = self.borrow_mut();
        if file.state.tasks.finish(task, outcome) { file.save() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("temp dir")
    }

    #[test]
    fn a_saved_journal_can_be_read() {
        let folder = folder();
        let path = folder.path().join("a/journal.json");
        let mut file = JournalFile::open(&path, "kstrim").expect("a fresh one");
        file.state.profile_is_ours = true;
        RefCell::new(file).started("cluster").expect("saved");
        let again = JournalFile::open(&path, "kstrim").expect("read");
        assert!(again.state.profile_is_ours);
        assert!(again.state.tasks.0["cluster"].outcome.is_none(), "a run that died in it");
    }

    #[test]
    fn a_corrupt_journal_is_refused_and_kept() {
        let folder = folder();
        let path = folder.path().join("journal.json");
        std::fs::write(&path, "{\"schema\": 1, \"profile\"").expect("written");
        let failure = JournalFile::open(&path, "kstrim").expect_err("refused");
        assert_eq!(failure.id, errors::JOURNAL_CORRUPT);
        assert!(failure.hints[0].contains("mv "));
    }

    #[test]
    fn a_newer_journal_is_read_and_never_written() {
        let folder = folder();
        let path = folder.path().join("journal.json");
        let text = r#"{"schema": 99, "profile": "kstrim", "profile_is_ours": true, "future": []}"#;
        std::fs::write(&path, text).expect("written");
        let file = JournalFile::open(&path, "kstrim").expect("read");
        assert!(file.is_newer() && file.state.profile_is_ours);
        let file = RefCell::new(file);
        file.started("cluster").expect("nothing is written");
        let file = file.into_inner();
        assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
        assert_eq!(file.refuse_newer().expect_err("refused").id, errors::JOURNAL_NEWER);
    }

    #[test]
    fn an_unwritable_folder_is_reported() {
        let folder = folder();
        let blocker = folder.path().join("file");
        std::fs::write(&blocker, "").expect("written");
        let file = JournalFile::open(&blocker.join("journal.json"), "kstrim");
        let failure = file.and_then(|f| f.save()).expect_err("refused");
        assert_eq!(failure.id, crate::errors::STATE_UNWRITABLE);
    }
}
