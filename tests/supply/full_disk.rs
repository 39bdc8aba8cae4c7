//! A full disk: what cannot be written is an error with an id, and no partial file remains. This needs a file system
//! of a few kilobytes, and so root.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Completion;

use crate::harness::Test;

/// A file system that is unmounted when this is dropped.
struct Tiny(tempfile::TempDir);

impl Tiny {
    /// A file system of 64 KiB without free space.
    fn full() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"])
            .arg(folder.path())
            .output()
            .map_err(|e| format!("mount cannot be run: {e}"))?;
        if !mount.status.success() {
            return Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned());
        }
        let tiny = Self(folder);
        let fill = std::fs::write(tiny.path().join("fill"), vec![0; 128 << 10]);
        assert!(fill.is_err(), "it has no more room than that");
        Ok(tiny)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// All files except the one that fills it.
    fn files(&self) -> Vec<String> {
        let output = Command::new("find")
            .arg(self.path())
            .args(["-type", "f", "-not", "-name", "fill", "-size", "+0"])
            .output()
            .expect("find");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

/// Everything that kstrim writes.
pub fn a_full_disk_is_an_error_and_leaves_no_partial_file() -> Completion {
    let tiny = match Tiny::full() {
        Ok(tiny) => tiny,
        Err(why) => return Completion::ignored_with(format!("a file system cannot be mounted: {why}")),
    };
    let mut test = Test::new();
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        test = test.env(name, tiny.path());
    }
    let archive = tiny.path().join("d.tar.gz").display().to_string();
    for (args, id, code) in [
        (&["up"][..], "KS-STATE-UNWRITABLE", 3),
        (&["config", "init", "--user"], "KS-CONFIG-UNWRITABLE", 1),
        (&["config", "init", "--user"], "KS-CONFIG-UNWRITABLE", 1),
        (&["diagnose", "--file", &archive], "KS-DIAGNOSE-UNWRITABLE", 3),
    ] {
        let run = test.args(args.iter().copied()).run();
        let told = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code(), code, "{args:?}: {told}");
        assert!(told.contains(id) && told.contains("hint: "), "{args:?}: {told}");
        assert_eq!(tiny.files(), Vec::<String>::new(), "{args:?}");
    }
    let left = std::fs::read_dir(test.work()).expect("the working directory").count();
    assert_eq!(left, 0, "nothing is written into the working directory");
    Completion::Completed
}
