//! kstrim's own minikube and kubectl, for machines without suitable ones.
//!
//! Files are `TOOL/VERSION/OS-ARCH/TOOL` below the toolbox's directory, so that such a directory can be part of PATH.
//! Each is verified against the catalogue's digest, or, if that has none, against the publisher's checksum file
//! ([`vouched`]), and the digest is recorded: a file or a checksum that differs later is rejected. Nothing outside
//! the directory is changed.

pub(crate) mod checksum;
mod ledger;
mod obtain;
pub(crate) mod pins;
mod used;
pub(crate) mod vouched;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ledger::{Entry, Ledger, Stamp};
use serde::Serialize;
pub(crate) use used::Used;
pub(crate) use vouched::{Digests, Voucher};

use crate::command_line::CommandLine;
use crate::download;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Tool, Version};
use crate::paths::{ProfilePaths, data_dir, private_dir, private_file};
use crate::tool;

/// The directory of kstrim's own tools.
#[derive(Debug, Clone)]
pub struct Toolbox {
    folder: PathBuf,
    platform: String,
}

/// A tool that is or was installed.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// Which.
    pub tool: Tool,
    /// Its version.
    pub version: Version,
    /// `linux-amd64`.
    pub platform: String,
    /// Its path.
    pub path: PathBuf,
    /// Its digest, as verified when it was installed.
    pub sha256: String,
    /// Where it came from.
    pub from: String,
    /// When it was installed.
    pub obtained: Timestamp,
    /// Its current state.
    pub state: State,
}

/// The current state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it was verified.
    Good,
    /// Its content differs.
    Changed,
    /// Missing; its digest is still recorded.
    Removed,
}

/// This machine's platform in the names of published programs: `linux-amd64`, `darwin-arm64`.
fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        arch => arch,
    };
    format!("{os}-{arch}")
}

/// Where a tool is published, for a platform such as `linux-amd64`.
pub(crate) fn url(tool: Tool, version: &Version, platform: &str) -> String {
    match tool {
        Tool::Minikube => {
            format!("https://github.com/kubernetes/minikube/releases/download/v{version}/minikube-{platform}")
        }
        Tool::Kubectl => {
            format!("https://dl.k8s.io/release/v{version}/bin/{}/kubectl", platform.replacen('-', "/", 1))
        }
    }
}

/// Find a tool on PATH, or in its environment variable.
pub(crate) fn on_path(tool: Tool) -> Result<PathBuf> {
    match tool {
        Tool::Minikube => tool::minikube::find(),
        Tool::Kubectl => crate::kube::kubectl::find(),
    }
}

/// Whether the user specified the program by its environment variable: then no other is used.
pub(crate) fn is_named(tool: Tool) -> bool {
    let variable = match tool {
        Tool::Minikube => tool::minikube::VARIABLE,
        Tool::Kubectl => crate::kube::kubectl::VARIABLE,
    };
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

impl Toolbox {
    /// The toolbox of this user: `tools` in kstrim's data directory.
    pub fn open() -> Self {
        Self::at(data_dir().join("tools"))
    }

    /// A toolbox in another directory.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, platform: platform() }
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a tool, if it exists.
    pub fn path_of(&self, tool: Tool, version: &Version) -> PathBuf {
        self.folder.join(tool.name()).join(version.to_string()).join(&self.platform).join(tool.name())
    }

    fn key(&self, tool: Tool, version: &Version) -> String {
        format!("{tool}/{version}/{}", self.platform)
    }

    /// The published URL of this platform's file.
    pub fn url(&self, tool: Tool, version: &Version) -> String {
        url(tool, version, &self.platform)
    }

    /// The program that a command uses for an existing cluster: the one that the user specified, otherwise the one
    /// that `up` used for the profile, otherwise the one on PATH, otherwise the newest of kstrim's own.
    ///
    /// # Errors
    ///
    /// `KS-TOOL-MISSING`; `KS-TOOL-CHANGED` if one of kstrim's own was modified.
    pub fn program(&self, tool: Tool, paths: &ProfilePaths) -> Result<PathBuf> {
        if tool == Tool::Minikube && paths.of_context() {
            return Ok(tool.name().into());
        }
        if !is_named(tool)
            && let Some(version) = Used::read(&paths.tools()).version(tool)
            && let Some(path) = self.verified(tool, version)?
        {
            return Ok(path);
        }
        let missing = match on_path(tool) {
            Ok(path) => return Ok(path),
            Err(missing) => missing,
        };
        if !is_named(tool) {
            for version in self.versions(tool)? {
                if let Some(path) = self.verified(tool, &version)? {
                    return Ok(path);
                }
            }
        }
        Err(Box::new(missing.hint(format!(
            "or let kstrim install its own: {}",
            CommandLine::new("kstrim tools install").arg(tool)
        ))))
    }

    /// minikube and kubectl as found by [`Toolbox::program`].
    pub fn programs(&self, paths: &ProfilePaths) -> Result<(PathBuf, PathBuf)> {
        Ok((self.program(Tool::Minikube, paths)?, self.program(Tool::Kubectl, paths)?))
    }

    /// The directories of kstrim's own tools that the profile's last `up` used.
    pub fn used(&self, paths: &ProfilePaths) -> Result<Vec<PathBuf>> {
        let used = Used::read(&paths.tools());
        let mut folders = Vec::new();
        for tool in Tool::ALL.into_iter().filter(|tool| !is_named(*tool)) {
            if let Some(version) = used.version(tool)
                && let Some(path) = self.verified(tool, version)?
            {
                folders.extend(path.parent().map(Path::to_owned));
            }
        }
        Ok(folders)
    }

    /// The installed versions of a tool, newest first.
    pub fn versions(&self, tool: Tool) -> Result<Vec<Version>> {
        let there = |kept: &Kept| kept.tool == tool && kept.path.is_file();
        let mut versions: Vec<_> =
            self.entries(false)?.into_iter().filter(there).map(|kept| kept.version).collect();
        versions.sort_by(|a, b| b.cmp(a));
        Ok(versions)
    }

    /// Everything that was installed for this platform; each file is read and hashed.
    pub fn list(&self) -> Result<Vec<Kept>> {
        self.entries(true)
    }

    fn entries(&self, hash: bool) -> Result<Vec<Kept>> {
        let mut all = Vec::new();
        for (key, entry) in Ledger::read(&self.folder)?.tools {
            let mut parts = key.split('/');
            let (Some(tool), Some(version), Some(platform)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let tool = Tool::ALL.into_iter().find(|known| known.name() == tool);
            let (Some(tool), Ok(version)) = (tool, version.parse::<Version>()) else { continue };
            if platform != self.platform {
                continue;
            }
            let path = self.path_of(tool, &version);
            let state = match () {
                () if !path.is_file() => State::Removed,
                () if hash && download::sha256(&path).ok().as_ref() != Some(&entry.sha256) => State::Changed,
                () => State::Good,
            };
            let Entry { sha256, from, obtained, .. } = entry;
            all.push(Kept {
                tool,
                version,
                platform: platform.to_owned(),
                path,
                sha256,
                from,
                obtained,
                state,
            });
        }
        all.sort_by(|a, b| (a.tool, &b.version).cmp(&(b.tool, &a.version)));
        Ok(all)
    }

    /// The path of a tool that is installed and unchanged; none if it does not exist. The file is hashed only if its
    /// stamp changed.
    pub fn verified(&self, tool: Tool, version: &Version) -> Result<Option<PathBuf>> {
        let path = self.path_of(tool, version);
        let Some(stamp) = Stamp::of(&path) else { return Ok(None) };
        let ledger = Ledger::read(&self.folder)?;
        let entry = ledger.tools.get(&self.key(tool, version));
        if let Some(entry) = entry {
            self.vouched(tool, version, entry)?;
        }
        if entry.is_some_and(|entry| entry.stamp == Some(stamp)) {
            return Ok(Some(path));
        }
        let found = download::sha256(&path)?;
        let expected = entry.map(|entry| entry.sha256.as_str());
        if expected == Some(&found) {
            // A copied or restored directory; the next check is quick again. Failing to record that is harmless.
            let _ = self.note(tool, version, None);
            return Ok(Some(path));
        }
        let spec = format!("{tool}@{version}");
        Err(Box::new(
            Failure::new(
                errors::TOOL_CHANGED,
                Kind::Prerequisite,
                format!("{} is not the file that kstrim installed", path.display()),
            )
            .because(match expected {
                Some(expected) => format!("expected sha256:{expected}"),
                None => "kstrim installed none".to_owned(),
            })
            .because(format!("found    sha256:{found}"))
            .hint(format!(
                "install it again: {} && {}",
                CommandLine::new("kstrim tools remove").arg(&spec),
                CommandLine::new("kstrim tools install").arg(&spec)
            ))
            .hint("or let `up` use the tools of this machine: --system-tools"),
        ))
    }

    /// Install a verified file: copy it and record its digest. `from` is its source.
    ///
    /// # Errors
    ///
    /// `KS-TOOL-CHECKSUM-CHANGED` if a different file of this version was installed before, `KS-DOWNLOAD-DIGEST` if
    /// the file has a different digest, `KS-TOOL-UNWRITABLE`.
    pub fn install_from_file(
        &self,
        tool: Tool,
        version: &Version,
        file: &Path,
        (sha256, voucher): (&str, Voucher),
        from: &str,
    ) -> Result<PathBuf> {
        self.remembered(tool, version, sha256, from)?;
        let path = self.path_of(tool, version);
        let folder = path.parent().unwrap_or(&self.folder);
        let copy = || -> io::Result<tempfile::TempPath> {
            private_dir(folder)?;
            let mut to = tempfile::NamedTempFile::new_in(folder)?;
            io::copy(&mut File::open(file)?, &mut to)?;
            to.as_file().set_permissions(fs::Permissions::from_mode(0o755))?;
            to.as_file().sync_all()?;
            Ok(to.into_temp_path())
        };
        let copied = copy().map_err(|e| self.unwritable(&e))?;
        let found = download::sha256(&copied)?;
        if found != sha256 {
            return Err(Box::new(download::other_content(from, sha256, &found)));
        }
        copied.persist(&path).map_err(|e| self.unwritable(&e.error))?;
        let entry = Entry {
            sha256: sha256.to_owned(),
            from: from.to_owned(),
            obtained: Timestamp::now(),
            voucher: Some(voucher),
            stamp: None,
        };
        self.note(tool, version, Some(entry))?;
        Ok(path)
    }

    /// Reject a digest that differs from the recorded one.
    fn remembered(&self, tool: Tool, version: &Version, sha256: &str, from: &str) -> Result<()> {
        let ledger = Ledger::read(&self.folder)?;
        let Some(before) = ledger.tools.get(&self.key(tool, version)).filter(|e| e.sha256 != sha256) else {
            return Ok(());
        };
        Err(Box::new(
            Failure::new(
                errors::TOOL_CHECKSUM_CHANGED,
                Kind::Task,
                format!("{tool} {version} is published with another checksum than before"),
            )
            .because(format!("on {}: sha256:{}, from {}", before.obtained, before.sha256, before.from))
            .because(format!("now: sha256:{sha256}, from {from}"))
            .hint(
                "a released file does not change: ask its publisher, or check which server responds in \
                 its place",
            )
            .hint(format!(
                "if the change is legitimate: {}",
                CommandLine::new("kstrim tools remove --forget").arg(format!("{tool}@{version}"))
            )),
        ))
    }

    /// Remove a tool; its digest stays recorded unless `forget`. Returns whether there was anything to remove.
    pub fn remove(&self, tool: Tool, version: &Version, forget: bool) -> Result<bool> {
        let path = self.path_of(tool, version);
        let there = path.is_file();
        if there {
            fs::remove_file(&path).map_err(|e| self.unwritable(&e))?;
            // Directories that are empty now; removing others fails, which is ignored.
            for folder in path.ancestors().skip(1).take(3) {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        let key = self.key(tool, version);
        let known = Ledger::read(&self.folder)?.tools.contains_key(&key);
        if known {
            self.change(|ledger| {
                if forget {
                    ledger.tools.remove(&key);
                } else if let Some(entry) = ledger.tools.get_mut(&key) {
                    entry.stamp = None;
                }
            })?;
        }
        Ok(there || known && forget)
    }

    /// Record an entry (or what is known of it) with the file's current stamp.
    fn note(&self, tool: Tool, version: &Version, entry: Option<Entry>) -> Result<()> {
        let (key, stamp) = (self.key(tool, version), Stamp::of(&self.path_of(tool, version)));
        self.change(|ledger| {
            if let Some(entry) = entry.or_else(|| ledger.tools.get(&key).cloned()) {
                ledger.tools.insert(key, Entry { stamp, ..entry });
            }
        })
    }

    /// Change the ledger, one process at a time.
    fn change(&self, change: impl FnOnce(&mut Ledger)) -> Result<()> {
        let lock = || -> io::Result<File> {
            private_dir(&self.folder)?;
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true);
            let lock = private_file(&mut options, &self.folder.join(".lock"))?;
            lock.lock()?;
            Ok(lock)
        };
        let _lock = lock().map_err(|e| self.unwritable(&e))?;
        let mut ledger = Ledger::read(&self.folder)?;
        change(&mut ledger);
        ledger.write(&self.folder).map_err(|e| self.unwritable(&e))
    }

    fn unwritable(&self, error: &io::Error) -> Box<Failure> {
        let message =
            format!("cannot write to the directory of kstrim's own tools, {}", self.folder.display());
        Box::new(Failure::new(errors::TOOL_UNWRITABLE, Kind::Prerequisite, message).because(error).hint(
            "free disk space, make your user the owner of the directory, or choose another one \
             with KSTRIM_DATA_DIR",
        ))
    }
}

#[cfg(test)]
mod tests;
