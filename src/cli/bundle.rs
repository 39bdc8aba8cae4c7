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
    /// Write a bundle of what a set of versions needs
    ///
    /// Images come from --image-archive, else out of the running cluster. The file's path is printed.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Box<BundleCreate>),
    /// Show what a bundle is for and what is in it
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
  kstrim up; kstrim bundle create -o kafka.bundle            of the cluster that runs
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
    /// Put the minikube and kubectl that are used into it
    #[arg(long)]
    pub tools: bool,
    /// Put minikube's own downloads for the Kubernetes version into it
    #[arg(long)]
    pub minikube_cache: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// `kstrim bundle inspect`, `kstrim bundle verify`
#[derive(Debug, Clone, Args)]
pub struct BundleFile {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print
    #[arg(id = "format", long = "output", short = 'o', value_enum, default_value_t)]
    pub format: Format,
}
