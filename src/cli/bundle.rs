//! `kstrim bundle`'s flags.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Format, What};

/// `kstrim bundle`
#[derive(Debug, Clone, Args)]
pub struct Bundle {
    /// What to do
    #[command(subcommand)]
    pub verb: BundleVerb,
}

/// The verbs of `kstrim bundle`.
#[derive(Debug, Clone, Subcommand)]
pub enum BundleVerb {
    /// Create a bundle for a set of versions
    ///
    /// The images come from --image-archive, or else from the running cluster. Prints the path of the file.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Box<BundleCreate>),
    /// Show what a bundle is for and what it contains
    #[command(
        after_help = "Examples:\n  kstrim bundle inspect kafka.bundle\n  kstrim bundle inspect kafka.bundle -o json"
    )]
    Inspect(BundleFile),
    /// Check every file in a bundle against its digest
    #[command(after_help = "Examples:\n  kstrim bundle verify kafka.bundle")]
    Verify(BundleFile),
}

const CREATE_EXAMPLES: &str = "\
                               Examples:
  kstrim up; kstrim bundle create -o kafka.bundle            with images from the running cluster
  kstrim bundle create -o kafka.bundle --image-archive operator.tar --image-archive kafka.tar
  kstrim bundle create -o kafka.bundle --tools --minikube-cache --kubernetes-version 1.34.4
  kstrim up --bundle kafka.bundle                            on a machine without a network";

/// `kstrim bundle create`
#[derive(Debug, Clone, Args)]
pub struct BundleCreate {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// The file to write
    #[arg(id = "file", long = "output", short = 'o', value_name = "FILE", required = true)]
    pub file: PathBuf,
    /// Include the minikube and kubectl that are used
    #[arg(long)]
    pub tools: bool,
    /// Include minikube's own downloads for the Kubernetes version
    #[arg(long)]
    pub minikube_cache: bool,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

/// `kstrim bundle inspect`, `kstrim bundle verify`
#[derive(Debug, Clone, Args)]
pub struct BundleFile {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Output format
    #[arg(id = "format", long = "output", short = 'o', value_enum, default_value_t)]
    pub format: Format,
}
