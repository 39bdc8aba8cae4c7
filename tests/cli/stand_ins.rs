//! The program that replaces `minikube`, `kubectl` and `docker`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The stand-in program, built if necessary: `cargo test --test cli` does not build examples.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Path::new(env!("CARGO_BIN_EXE_kstrim")).parent().expect("a folder");
        let program = folder.join("examples/fake-cluster");
        let modified = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
        let built = modified(&program);
        let sources = fs::read_dir(root.join("tests/fakes")).expect("tests/fakes");
        let newest = sources.flatten().filter_map(|entry| modified(&entry.path())).max();
        if built.is_none() || built < newest {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.current_dir(root).args(["build", "--quiet", "--example", "fake-cluster"]);
            // The variables that cargo sets for a test would make build scripts run again.
            for (name, _) in std::env::vars_os() {
                let text = name.to_string_lossy();
                if ["CARGO_MANIFEST", "CARGO_PKG", "CARGO_BIN", "CARGO_CRATE", "CARGO_PRIMARY"]
                    .iter()
                    .any(|start| text.starts_with(start))
                {
                    cargo.env_remove(&name);
                }
            }
            // The profile's directory: target/debug or target/release.
            if folder.ends_with("release") {
                cargo.arg("--release");
            }
            if !cargo.status().is_ok_and(|status| status.success()) {
                return None;
            }
        }
        Some(program)
    });
    program.as_deref().expect("the stand-ins build")
}
