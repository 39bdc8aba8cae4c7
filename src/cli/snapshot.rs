//! `kstrim snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Format;
use super::start_stop::VerifiedRun;
use crate::names::{SnapshotName, machine};

pub(super) const EXAMPLES: &str = "\
Examples:
  kstrim snapshot save seeded
  kstrim snapshot restore seeded --yes
  kstrim snapshot list";

const SAVE_EXAMPLES: &str = "\
Examples:
  kstrim snapshot save seeded
  kstrim snapshot save seeded --without-images --force      quicker, for this profile only
  kstrim snapshot save --file kafka.snapshot                a file to copy to another machine

Exit codes: as `kstrim up`";

const RESTORE_EXAMPLES: &str = "\
Examples:
  kstrim snapshot restore seeded --yes
  kstrim snapshot restore --file kafka.snapshot             creates the profile if it does not exist

Exit codes: as `kstrim up`";

/// `kstrim snapshot`
#[derive(Debug, Clone, Args)]
pub struct Snapshot {
    /// What to do
    #[command(subcommand)]
    pub verb: SnapshotVerb,
}

/// The verbs of `kstrim snapshot`.
#[derive(Debug, Clone, Subcommand)]
pub enum SnapshotVerb {
    /// Save the cluster with its data in a file
    ///
    /// Saves all objects with their uids, all volumes and the images. The cluster is shut down cleanly for that, started again
    /// and verified. The file contains the cluster's Secrets and private keys.
    #[command(after_help = SAVE_EXAMPLES)]
    Save(Box<SnapshotSave>),
    /// List the snapshots of the profile
    #[command(after_help = "Examples:\n  kstrim snapshot list\n  kstrim snapshot list -o json")]
    List(SnapshotList),
    /// Replace the cluster with a snapshot, and verify it
    ///
    /// Topics, messages, users and everything else become what they were; what was created since is deleted. If the profile
    /// does not exist, it is created.
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(Box<SnapshotRestore>),
    /// Delete snapshots
    #[command(after_help = "Examples:\n  kstrim snapshot delete seeded")]
    Delete(SnapshotDelete),
}

/// Which snapshot.
#[derive(Debug, Clone, Args)]
pub struct SnapshotPlace {
    /// The name of the snapshot
    #[arg(value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
    pub name: Option<SnapshotName>,
    /// A file instead of a name
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `kstrim snapshot save`
#[derive(Debug, Clone, Args)]
pub struct SnapshotSave {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: SnapshotPlace,
    /// Do not include the images: the snapshot can then be restored where they are, or can be pulled
    #[arg(long)]
    pub without_images: bool,
    /// Replace an existing snapshot
    #[arg(long)]
    pub force: bool,
    /// Do not ask for confirmation if it affects what others created in the profile
    #[arg(long, short = 'y')]
    pub yes: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub run: VerifiedRun,
}

/// `kstrim snapshot list`
#[derive(Debug, Clone, Args)]
pub struct SnapshotList {
    /// Output format
    #[arg(id = "format", long = "output", short = 'o', value_enum, default_value_t)]
    pub format: Format,
}

/// `kstrim snapshot restore`
#[derive(Debug, Clone, Args)]
pub struct SnapshotRestore {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: SnapshotPlace,
    /// minikube driver of a new profile; otherwise that of the snapshot
    #[arg(long, env = "KSTRIM_DRIVER", value_parser = machine::driver, value_name = "NAME")]
    pub driver: Option<String>,
    /// Memory of a new profile; otherwise that of the snapshot
    #[arg(long, env = "KSTRIM_MEMORY", value_parser = machine::memory, value_name = "SIZE")]
    pub memory: Option<String>,
    /// CPUs of a new profile; otherwise those of the snapshot
    #[arg(long, env = "KSTRIM_CPUS", value_parser = machine::cpus, value_name = "N")]
    pub cpus: Option<String>,
    /// Argument to pass to `minikube start`; repeatable
    #[arg(long, allow_hyphen_values = true, value_parser = machine::minikube_arg, value_name = "ARG")]
    pub minikube_arg: Vec<String>,
    /// Do not ask for confirmation
    #[arg(long, short = 'y')]
    pub yes: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub run: VerifiedRun,
}

/// `kstrim snapshot delete`
#[derive(Debug, Clone, Args)]
pub struct SnapshotDelete {
    /// The names of the snapshots
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<SnapshotName>,
}
