//! Where kstrim stores its own files.
//!
//! State (journal, lock, kubeconfig, event logs) is per profile in the platform's state directory; downloads are in
//! its cache directory; programs that kstrim installed are in its data directory. `KSTRIM_STATE_DIR`,
//! `KSTRIM_CACHE_DIR` and `KSTRIM_DATA_DIR` override them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Kind};
use crate::names::is_context;

/// Environment variable that replaces the state directory.
pub(crate) const STATE_DIR: &str = "KSTRIM_STATE_DIR";
/// Environment variable that replaces the cache directory.
pub(crate) const CACHE_DIR: &str = "KSTRIM_CACHE_DIR";
/// Environment variable that replaces the data directory.
pub(crate) const DATA_DIR: &str = "KSTRIM_DATA_DIR";

/// A path where nothing can be written, used if a directory is unknown. [`unknown`] is checked before any command
/// that would use it; the working directory is never a substitute.
const NOWHERE: &str = "/dev/null/kstrim";

/// The state directory: `$XDG_STATE_HOME/kstrim`, on systems without one the local data directory.
pub(crate) fn state_dir() -> PathBuf {
    folder(STATE_DIR, dirs::state_dir().or_else(dirs::data_local_dir))
}

/// The cache directory.
pub fn cache_dir() -> PathBuf {
    folder(CACHE_DIR, dirs::cache_dir())
}

/// The data directory: `$XDG_DATA_HOME/kstrim`. Its contents are not restored automatically.
pub(crate) fn data_dir() -> PathBuf {
    folder(DATA_DIR, dirs::data_local_dir())
}

fn folder(variable: &str, platform: Option<PathBuf>) -> PathBuf {
    let platform = || platform.filter(|folder| folder.is_absolute()).map(|folder| folder.join("kstrim"));
    chosen(variable).or_else(platform).unwrap_or_else(|| NOWHERE.into())
}

/// A variable that names a directory of kstrim's by a relative path, and that path. From another working directory it
/// would be another directory, with other journals.
pub(crate) fn relative() -> Option<(&'static str, PathBuf)> {
    let named = |variable| Some((variable, chosen(variable)?));
    [STATE_DIR, CACHE_DIR, DATA_DIR].into_iter().filter_map(named).find(|(_, folder)| folder.is_relative())
}

/// Whether one of kstrim's directories is not known: there is neither a home directory nor a variable that sets it.
pub(crate) fn unknown() -> bool {
    [state_dir(), cache_dir(), data_dir()].iter().any(|folder| folder.starts_with(NOWHERE))
}

/// The user's home directory. If neither the environment nor the user database has one, a directory in kstrim's state
/// directory: minikube and kubectl would otherwise write into the working directory.
pub(crate) fn home() -> PathBuf {
    dirs::home_dir().filter(|home| home.is_absolute()).unwrap_or_else(|| state_dir().join("home"))
}

/// Create a directory of kstrim's own, and those above it that do not exist: accessible only to this user, whatever the
/// umask. If an earlier kstrim created it readable by others, its mode is corrected.
pub(crate) fn private_dir(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    for new in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(new) {
            // Another kstrim was faster.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && new.is_dir() => {}
            other => other?,
        }
        fs::set_permissions(new, Permissions::from_mode(0o700))?;
    }
    let meta = fs::metadata(folder)?;
    if !meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
    }
    if meta.mode() & 0o077 != 0 && meta.uid() == rustix::process::geteuid().as_raw() {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Open a file of kstrim's own that only this user can read, whatever the umask and whoever created it.
pub(crate) fn private_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    if file.metadata()?.mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Write such a file, replacing its contents.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_file(OpenOptions::new().write(true).create(true).truncate(true), path)?.write_all(bytes)
}

fn chosen(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// The file that records the user's agreement to work on a cluster, by the cluster's identity.
pub(crate) fn agreed_file(uid: &str) -> PathBuf {
    let safe: String = uid.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    state_dir().join("agreed").join(safe)
}

/// The files of one profile.
#[derive(Debug, Clone)]
pub struct ProfilePaths {
    folder: PathBuf,
}

impl ProfilePaths {
    /// Below `state`, in a directory named after the profile (whose name is a safe file name).
    pub fn new(state: PathBuf, profile: &str) -> Self {
        Self { folder: state.join("profiles").join(profile) }
    }

    /// The directory itself.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Whether they belong to a context, so that there is no minikube.
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

    /// The lock, which one run can hold at a time.
    pub fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// The directory of archives with evidence of failed runs.
    pub fn evidence(&self) -> PathBuf {
        self.folder.join("evidence")
    }

    /// The record of which of kstrim's own programs the last `up` used, if any.
    pub fn tools(&self) -> PathBuf {
        self.folder.join("tools.json")
    }

    /// The events of the last run of a command, as JSON lines.
    pub fn events(&self, verb: &str) -> PathBuf {
        self.folder.join(format!("{verb}.events.jsonl"))
    }
}

/// The failure of writing to the state directory.
pub(crate) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        crate::errors::STATE_UNWRITABLE,
        Kind::Prerequisite,
        format!("kstrim's state at {} cannot be written", path.display()),
    )
    .because(error)
    .hint("free disk space, correct the permissions of the directory, or choose another one with KSTRIM_STATE_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn files_are_accessible_only_to_their_user() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a/b/c");
        private_dir(&folder).expect("created");
        for at in [&folder, &root.path().join("a/b"), &root.path().join("a")] {
            assert_eq!(mode(at), 0o700, "{}", at.display());
        }
        // A mode that an earlier version left too permissive is corrected.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("opened");
        private_dir(&folder).expect("there");
        assert_eq!(mode(&folder), 0o700);
        let file = folder.join("f");
        fs::write(&file, "old").expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("opened");
        write_private(&file, b"new").expect("written");
        assert_eq!((mode(&file), fs::read(&file).expect("text")), (0o600, b"new".to_vec()));
        assert!(
            private_dir(&file).is_err() && private_dir(&file.join("x")).is_err(),
            "a file is no directory"
        );
    }
}
