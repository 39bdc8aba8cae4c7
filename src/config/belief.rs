//! Whether a file on this machine can safely be treated as the user's own: who owns it and every directory above it,
//! and who else has write access. The same check as git's `safe.directory` (CVE-2022-24765) and ssh's `StrictModes`.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Limit in bytes. A settings file is short; a larger one is a mistake, or an attack on the parser.
pub(crate) const LIMIT: u64 = 64 * 1024;
/// How many symbolic links are followed; the same limit as on Linux.
const MOST_LINKS: usize = 40;

/// The user on whose behalf files are read.
#[derive(Debug, Clone)]
pub(crate) struct Me {
    /// Whose files are accepted: the user's own, root's, and with sudo those of the calling user.
    owners: Vec<u32>,
    /// `/etc/passwd` and `/etc/group`, for groups of a single user.
    passwd: String,
    group: String,
}

impl Me {
    /// The user of this process.
    pub(crate) fn now() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let mut owners = vec![uid, 0];
        // Set by sudo; a value from elsewhere matters only for root, who could read the file anyway.
        let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse::<u32>().ok());
        owners.extend(sudo.filter(|_| uid == 0));
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self { owners, passwd: read("/etc/passwd"), group: read("/etc/group") }
    }

    fn owns(&self, uid: u32) -> bool {
        self.owners.contains(&uid)
    }

    /// Whether a group has no members but the owners: many systems create such a group for every user, with a umask
    /// that makes files group-writable. A group that is not in these files does not qualify.
    fn is_private(&self, gid: u32) -> bool {
        fn field(line: &str, at: usize) -> &str {
            line.split(':').nth(at).unwrap_or("")
        }
        let number = |line: &str, at: usize| field(line, at).trim().parse::<u32>().ok();
        let mine = |line: &&str| number(line, 2).is_some_and(|uid| self.owns(uid));
        let (own, others): (Vec<&str>, Vec<&str>) =
            self.passwd.lines().filter(|line| !line.starts_with('#')).partition(mine);
        let Some(group) = self.group.lines().find(|line| number(line, 2) == Some(gid)) else { return false };
        let mut members = field(group, 3).split(',').map(str::trim).filter(|name| !name.is_empty());
        own.iter().any(|line| number(line, 3) == Some(gid))
            && !others.iter().any(|line| number(line, 3) == Some(gid))
            && members.all(|name| own.iter().any(|line| field(line, 0) == name))
    }

    fn others_write(&self, meta: &Metadata) -> Option<&'static str> {
        if meta.mode() & 0o002 != 0 {
            Some("everybody")
        } else if meta.mode() & 0o020 != 0 && !self.is_private(meta.gid()) {
            Some("its group")
        } else {
            None
        }
    }

    /// Why a file is not accepted, in one clause; `None` if it is. `meta` belongs to the opened file.
    pub(crate) fn reason_to_reject(&self, path: &Path, meta: &Metadata) -> io::Result<Option<String>> {
        if !meta.is_file() {
            return Ok(Some("it is not a regular file".into()));
        }
        if let Some(why) = self.of_owner("it", meta) {
            return Ok(Some(why));
        }
        if let Some(who) = self.others_write(meta) {
            return Ok(Some(format!("{who} can write to it")));
        }
        let mut at = std::path::absolute(path)?;
        let mut shared = false;
        for _ in 0..MOST_LINKS {
            let entry = fs::symlink_metadata(&at)?;
            // A link has no mode of its own; its owner decides its target.
            if let Some(why) = self.of_owner(&format!("the link {}", at.display()), &entry) {
                return Ok(Some(why));
            }
            match self.of_parents(&at, &mut shared)? {
                Some(why) => return Ok(Some(why)),
                None if entry.is_symlink() => {
                    let next = fs::read_link(&at)?;
                    at = at.parent().unwrap_or(Path::new("/")).join(next);
                }
                // In a directory like /tmp anybody may create a hard link to another user's file.
                None if shared && meta.nlink() > 1 => {
                    return Ok(Some(
                        "it has several hard links, in a directory to which everybody can write".into(),
                    ));
                }
                None => return Ok(None),
            }
        }
        Ok(Some("its path contains too many symbolic links".into()))
    }

    fn of_owner(&self, what: &str, meta: &Metadata) -> Option<String> {
        let me = self.owners.first().copied().unwrap_or_default();
        (!self.owns(meta.uid())).then(|| format!("{what} belongs to uid {}, you are uid {me}", meta.uid()))
    }

    /// Every parent directory: whoever may rename one of them may replace this file with another. Links among them
    /// are resolved, and both paths are checked.
    fn of_parents(&self, at: &Path, shared: &mut bool) -> io::Result<Option<String>> {
        let folder = at.parent().unwrap_or(Path::new("/"));
        let real = folder.canonicalize()?;
        let mut folders: Vec<PathBuf> = real.ancestors().map(Path::to_owned).collect();
        folders.extend(folder.ancestors().filter(|p| !p.as_os_str().is_empty()).map(Path::to_owned));
        for folder in folders {
            let meta = fs::symlink_metadata(&folder)?;
            if let Some(why) = self.of_owner(&format!("the directory {}", folder.display()), &meta) {
                return Ok(Some(why));
            }
            if meta.is_symlink() {
                continue;
            }
            let Some(who) = self.others_write(&meta) else { continue };
            // In a directory with the sticky bit, such as /tmp, only a file's owner may rename or remove it.
            if meta.mode() & 0o1000 == 0 {
                return Ok(Some(format!("{who} can write to the directory {}", folder.display())));
            }
            *shared |= folder == real;
        }
        Ok(None)
    }
}

/// A file that was opened without blocking: FIFOs and devices are not read.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
    /// The metadata of the file that was opened, which a later rename does not change.
    pub meta: Metadata,
}

impl Opened {
    /// Open it.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        Ok(Self { file, meta })
    }

    /// Its content.
    ///
    /// # Errors
    ///
    /// I/O errors; also if it is not a regular file, or larger than the limit.
    pub(crate) fn read(self) -> io::Result<Vec<u8>> {
        if !self.meta.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        self.file.take(LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LIMIT {
            let size = self.meta.len().max(LIMIT + 1);
            return Err(io::Error::other(format!(
                "it has {size} bytes, but a settings file has less than {LIMIT}"
            )));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn me() -> Me {
        Me {
            owners: vec![rustix::process::geteuid().as_raw(), 0],
            passwd: String::new(),
            group: String::new(),
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn reason_to_reject(me: &Me, path: &Path) -> Option<String> {
        let opened = Opened::at(path).expect("opened");
        me.reason_to_reject(path, &opened.meta).expect("looked at")
    }

    #[test]
    fn others_must_not_write_to_it_or_above_it() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("a/b");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("kstrim.yaml");
        fs::write(&file, "memory: 6g\n").expect("a file");
        mode(&file, 0o644);
        [&folder, &root.path().join("a")].iter().for_each(|f| mode(f, 0o755));
        assert_eq!(reason_to_reject(&me(), &file), None);
        for (at, bits, words) in [
            (&file, 0o646, "everybody can write to it"),
            (&file, 0o664, "its group can write to it"),
            (&folder, 0o777, "everybody can write to the directory"),
            (&folder, 0o775, "its group can write to the directory"),
            (&root.path().join("a"), 0o777, "everybody can write to the directory"),
        ] {
            let before = fs::metadata(at).expect("there").permissions().mode() & 0o7777;
            mode(at, bits);
            let why = reason_to_reject(&me(), &file).unwrap_or_else(|| panic!("{bits:o} is believed"));
            assert!(why.starts_with(words), "{why}");
            mode(at, before);
        }
        // As in /tmp: only the owner of a file may replace it.
        mode(&folder, 0o1777);
        assert_eq!(reason_to_reject(&me(), &file), None);
        fs::hard_link(&file, folder.join("second")).expect("a second name");
        assert!(reason_to_reject(&me(), &file).expect("a doubt").contains("several hard links"));
        fs::remove_file(folder.join("second")).expect("removed");
        // The user's own private group.
        mode(&folder, 0o755);
        mode(&file, 0o664);
        let (uid, gid) = (rustix::process::geteuid().as_raw(), fs::metadata(&file).expect("there").gid());
        let mut own = me();
        own.passwd = format!("ada:x:{uid}:{gid}::/home/ada:/bin/sh\nbob:x:77777:77777::/:/bin/sh\n");
        own.group = format!("ada:x:{gid}:\n");
        assert_eq!(reason_to_reject(&own, &file), None);
        own.group = format!("ada:x:{gid}:ada,bob\n");
        assert!(reason_to_reject(&own, &file).is_some(), "bob is in the group");
        own.group = format!("ada:x:{gid}:\n");
        own.passwd = own.passwd.replace("77777:77777", &format!("77777:{gid}"));
        assert!(reason_to_reject(&own, &file).is_some(), "it is bob's primary group");
    }

    #[test]
    fn files_and_directories_of_another_owner_are_not_accepted() {
        let root = tempfile::tempdir().expect("a folder");
        let (file, link) = (root.path().join("f"), root.path().join("kstrim.yaml"));
        fs::write(&file, "").expect("a file");
        mode(&file, 0o644);
        symlink("f", &link).expect("a link");
        assert_eq!(reason_to_reject(&me(), &link), None);
        let stranger = Me { owners: vec![4_000_000], ..me() };
        assert!(reason_to_reject(&stranger, &file).expect("a doubt").contains("you are uid 4000000"));
        assert!(reason_to_reject(&stranger, &link).is_some());
        let meta = Opened::at(&file).expect("opened").meta;
        // A world-writable directory further up, behind a link.
        let open = root.path().join("open/deep");
        fs::create_dir_all(&open).expect("a folder");
        fs::rename(&file, open.join("f")).expect("moved");
        fs::remove_file(&link).expect("removed");
        symlink("open/deep/f", &link).expect("a link");
        assert_eq!(me().reason_to_reject(&link, &meta).expect("looked at"), None);
        mode(&root.path().join("open"), 0o777);
        assert!(me().reason_to_reject(&link, &meta).expect("looked at").expect("a doubt").contains("/open"));
    }

    #[cfg(target_os = "linux")] // mknod
    #[test]
    fn special_files_do_not_block() {
        let root = tempfile::tempdir().expect("a folder");
        let fifo = root.path().join("kstrim.yaml");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a FIFO");
        assert!(reason_to_reject(&me(), &fifo).expect("a doubt").contains("not a regular file"));
        assert!(Opened::at(&fifo).expect("opened").read().is_err());
        assert!(Opened::at(Path::new("/dev/zero")).expect("opened").read().is_err());
        assert!(reason_to_reject(&me(), root.path()).is_some());
    }
}
