//! Where kstrim keeps its own files.
//!
//! State (journal, lock, kubeconfig, event logs) is per profile under the platform's state
//! folder; downloads are under its cache folder; programs that kstrim obtained are under its data
//! folder. `KSTRIM_STATE_DIR`, `KSTRIM_CACHE_DIR` and `KSTRIM_DATA_DIR` override them.

use std::path::PathBuf;

use crate::names::is_context;

/// Environment variable that replaces the state folder.
pub const STATE_DIR: &str = "KSTRIM_STATE_DIR";
/// Environment variable that replaces the cache folder.
pub const CACHE_DIR: &str = "KSTRIM_CACHE_DIR";

/// Environment variable that replaces the data folder.
pub const DATA_DIR: &str = "KSTRIM_DATA_DIR";

/// The state folder: `$XDG_STATE_HOME/kstrim`, on systems without one the local data folder.
pub fn state_dir() -> PathBuf {
    chosen(STATE_DIR).unwrap_or_else(|| {
        dirs::state_dir().or_else(dirs::data_local_dir).unwrap_or_else(|| ".".into()).join("kstrim")
    })
}

/// The cache folder.
pub fn cache_dir() -> PathBuf {
    chosen(CACHE_DIR).unwrap_or_else(|| dirs::cache_dir().unwrap_or_else(|| ".".into()).join("kstrim"))
}

/// The data folder: `$XDG_DATA_HOME/kstrim`. What is in it is not made again by itself.
pub fn data_dir() -> PathBuf {
    chosen(DATA_DIR).unwrap_or_else(|| dirs::data_local_dir().unwrap_or_else(|| ".".into()).join("kstrim"))
}

fn chosen(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The file that says that somebody agreed to work on a cluster, by its identity.
pub fn agreed_file(uid: &str) -> PathBuf {
    let safe: String = uid.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    state_dir().join("agreed").join(safe)
}

/// The files of one profile.
#[derive(Debug, Clone)]
pub struct ProfilePaths {
    folder: PathBuf,
}

impl ProfilePaths {
    /// Below `state`, in a folder named after the profile (whose name is a safe file name).
    pub fn new(state: PathBuf, profile: &str) -> Self {
        Self { folder: state.join("profiles").join(profile) }
    }

    /// The folder itself.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Whether they are of a context, and so there is no minikube.
    pub fn of_context(&self) -> bool {
        self.folder.file_name().and_then(|n| n.to_str()).is_some_and(is_context)
    }

    /// kstrim's own kubeconfig: the user's is never written.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("journal.json")
    }

    /// The lock of the one run at a time.
    pub fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Archives with evidence of runs that failed.
    pub fn evidence(&self) -> PathBuf {
        self.folder.join("evidence")
    }

    /// Which programs of kstrim's own the last `up` used, if any.
    pub fn tools(&self) -> PathBuf {
        self.folder.join("tools.json")
    }

    /// The events of the last run of a verb, as JSON lines.
    pub fn events(&self, verb: &str) -> PathBuf {
        self.folder.join(format!("{verb}.events.jsonl"))
    }
}
