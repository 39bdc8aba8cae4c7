//! Strimzi's own install manifests, which are not part of this repository: from the directory in `KSTRIM_STRIMZI`, or
//! else from kstrim's cache, or else downloaded into it and verified against their pinned digests.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kstrim::internals::catalogue::{self, Choice, Partial, Release};
use kstrim::internals::download::{Settings, Source, Store};
use kstrim::internals::manifest::source::{CLASS, install};
use kstrim::internals::manifest::{Object, load};
use kstrim::internals::names::Version;

/// The variable with the path of a directory that contains `install-manifests.tar.xz`, with a
/// `strimzi-cluster-operator-RELEASE.yaml` for each release, and `releases.json`, the facts.
const FOLDER: &str = "KSTRIM_STRIMZI";

/// The manifests of all releases of the catalogue.
pub struct Data {
    files: HashMap<Version, PathBuf>,
    parsed: Mutex<HashMap<Version, Vec<Object>>>,
    facts: Option<PathBuf>,
    _unpacked: Option<tempfile::TempDir>,
}

/// The manifests, or why there are none. If the specified directory does not contain them, the test fails.
pub fn data() -> Result<&'static Data, String> {
    static DATA: OnceLock<Result<Data, String>> = OnceLock::new();
    let data = DATA.get_or_init(|| match std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) {
        Some(folder) => Ok(unpacked(Path::new(&folder))),
        None => fetched(),
    });
    data.as_ref().map_err(|why| format!("needs Strimzi's manifests: set {FOLDER}; {why}"))
}

fn unpacked(folder: &Path) -> Data {
    let archive = folder.join("install-manifests.tar.xz");
    let to = tempfile::tempdir().expect("a folder");
    let status = Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(to.path()).status();
    assert!(status.is_ok_and(|s| s.success()), "{FOLDER}: tar cannot unpack {}", archive.display());
    let files = versions().map(|version| {
        let file = to.path().join(format!("strimzi-cluster-operator-{version}.yaml"));
        assert!(file.is_file(), "{FOLDER}: there is no {version} in {}", archive.display());
        (version, file)
    });
    Data {
        files: files.collect(),
        parsed: Mutex::default(),
        facts: Some(folder.join("releases.json")),
        _unpacked: Some(to),
    }
}

/// Uses the downloader of `kstrim up`, which checks the digests. Stops at the first that cannot be downloaded.
fn fetched() -> Result<Data, String> {
    let offline = std::env::var_os("KSTRIM_OFFLINE").is_some_and(|value| value == "true");
    let settings =
        Settings { attempts: 1, connect_timeout: Duration::from_secs(5), offline, ..Settings::default() };
    let store = Store { folder: kstrim::internals::paths::cache_dir(), source: Source::Origin, settings };
    let mut files = HashMap::new();
    for release in catalogue::releases() {
        let choice = choice(release);
        install(None, &choice, &store, &mut |_| ControlFlow::Continue(())).map_err(|failure| {
            format!("downloading them failed: {}", failure.causes.first().unwrap_or(&failure.message))
        })?;
        files.insert(release.version.clone(), store.path(CLASS, &choice.digest));
    }
    Ok(Data { files, parsed: Mutex::default(), facts: None, _unpacked: None })
}

fn versions() -> impl Iterator<Item = Version> {
    catalogue::releases().iter().map(|release| release.version.clone())
}

/// The set of versions for a release.
pub fn choice(release: &Release) -> Choice {
    catalogue::resolve(&Partial { release: Some(release.version.clone()), ..Partial::default() }).unwrap()
}

impl Data {
    /// A release's install manifest.
    pub fn file(&self, version: &Version) -> &Path {
        &self.files[version]
    }

    /// The objects in it.
    pub fn objects(&self, version: &Version) -> Vec<Object> {
        let load = || load::from_path(self.file(version)).unwrap_or_else(|f| panic!("{f} {:?}", f.causes));
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        parsed.entry(version.clone()).or_insert_with(load).clone()
    }

    /// The file of facts about the releases, from which the catalogue is generated.
    pub fn facts(&self) -> Result<&Path, String> {
        self.facts.as_deref().ok_or_else(|| format!("needs the facts about the releases: set {FOLDER}"))
    }
}
