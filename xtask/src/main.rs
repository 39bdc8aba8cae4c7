//! The maintainers' commands. They write the files of this repository that are generated; CONTRIBUTING.md and
//! docs/releases.md say when.

mod catalogue;
mod generate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Maintainers' commands of kstrim
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The catalogue of releases, src/catalogue/releases.json (docs/releases.md)
    #[command(subcommand)]
    Catalogue(Catalogue),
    /// Write docs/schema from the types
    Schemas,
    /// Write docs/errors.md and docs/presets.md, and the table of error ids in docs/exit-codes.md
    Docs {
        /// Also write the table of faults in docs/reliability.md, which injects each of them: several minutes
        #[arg(long)]
        reliability: bool,
    },
}

#[derive(Subcommand)]
enum Catalogue {
    /// Add the releases that FACTS names, or replace them
    Add(Sources),
    /// Write the whole catalogue from the facts and manifests of every release
    Regenerate(Sources),
    /// List what the next releases of Strimzi, Kafka, minikube, Kubernetes and kubectl change; exit code 1 if
    /// anything does
    Next {
        /// Folder with what their publishers publish (docs/releases.md has the names of the files)
        folder: PathBuf,
    },
}

#[derive(clap::Args)]
struct Sources {
    /// JSON file with what is known about each release
    facts: PathBuf,
    /// Folder with a strimzi-cluster-operator-RELEASE.yaml for each release in FACTS
    manifests: PathBuf,
}

fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

fn run(command: Command) -> Result<ExitCode> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is a folder of the repository")?;
    let known = kstrim::internals::catalogue::catalogue();
    match command {
        Command::Catalogue(Catalogue::Add(Sources { facts, manifests })) => {
            let new = catalogue::from_files(&facts, &manifests)?;
            write(root, &catalogue::merge(known.clone(), new))?;
        }
        Command::Catalogue(Catalogue::Regenerate(Sources { facts, manifests })) => {
            write(root, &catalogue::from_files(&facts, &manifests)?)?;
        }
        Command::Catalogue(Catalogue::Next { folder }) => {
            let changes = catalogue::next::changes(&folder, &root.join("src"), known)?;
            for change in &changes {
                println!("{change}");
            }
            return Ok(ExitCode::from(u8::from(!changes.is_empty())));
        }
        Command::Schemas => generate::schemas(root)?,
        Command::Docs { reliability } => generate::docs(root, reliability)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write(root: &Path, catalogue: &kstrim::internals::catalogue::Catalogue) -> Result<()> {
    let path = root.join("src/catalogue/releases.json");
    std::fs::write(&path, catalogue::text(catalogue)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

#[test]
fn the_command_line_is_consistent() {
    <Cli as clap::CommandFactory>::command().debug_assert();
}
