//! Files that tests write: the same tests compare them on every other run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Tests that write published schemas, as arguments of `cargo test`.
const SCHEMAS: [&[&str]; 2] =
    [&["--lib", "schema"], &["--test", "cli", "config::the_published_schema_matches_the_programs"]];

/// Tests that write pages of the documentation, or tables in them.
const DOCS: [&[&str]; 2] = [
    &["--lib", "errors::tests::the_page_of"],
    &["--test", "supply", "the_table_of_presets_is_what_is_checked"],
];

const RELIABILITY: &[&str] = &["--test", "cli", "reliability::"];

/// Write `docs/schema`.
pub fn schemas(root: &Path) -> Result<()> {
    SCHEMAS.iter().try_for_each(|tests| test(root, "UPDATE_SCHEMA", tests))
}

/// Write the pages and tables that come from the code.
pub fn docs(root: &Path, reliability: bool) -> Result<()> {
    DOCS.iter()
        .copied()
        .chain(reliability.then_some(RELIABILITY))
        .try_for_each(|tests| test(root, "UPDATE_DOCS", tests))
}

fn test(root: &Path, update: &str, tests: &[&str]) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").context("run this as `cargo xtask`")?);
    cargo.current_dir(root).args(["test", "--quiet", "--package", "kstrim"]).args(tests);
    // One at a time: some read what others write.
    cargo.args(["--", "--test-threads=1"]).env(update, "1");
    // What cargo tells xtask about its own package would make other packages' build scripts run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_MANIFEST", "CARGO_PKG", "CARGO_BIN", "CARGO_CRATE", "CARGO_PRIMARY"]
            .iter()
            .any(|start| text.starts_with(start))
        {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "{update}=1 cargo test {} failed", tests.join(" "));
    Ok(())
}
