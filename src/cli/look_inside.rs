//! Small commands that inspect the cluster.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::What;

/// `kstrim render`
#[derive(Debug, Clone, Args)]
pub struct Render {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// Print only this part
    #[arg(long, value_enum)]
    pub only: Option<Part>,
    /// Write a kustomization into this directory, which must be new or empty, for `kubectl apply -k --server-side`
    #[arg(long, value_name = "DIR", conflicts_with = "only")]
    pub kustomize: Option<PathBuf>,
}

/// `kstrim diff`
#[derive(Debug, Clone, Args)]
pub struct Diff {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
}

/// A part of the manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The namespace
    Namespace,
    /// Strimzi's custom resource definitions
    Crds,
    /// The operator and its permissions
    Operator,
    /// The Kafka resource and its node pools
    Kafka,
    /// Your own manifests (--filename), except for the Kafka resource and its node pools
    Files,
    /// The topic
    Topic,
    /// The components (--with)
    Components,
}

/// `kstrim kubectl`
#[derive(Debug, Clone, Args)]
pub struct Kubectl {
    /// Arguments for kubectl
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "ARGS")]
    pub args: Vec<std::ffi::OsString>,
}

/// `kstrim env`
#[derive(Debug, Clone, Args)]
pub struct Env {
    /// Shell that will evaluate the output
    #[arg(long, value_enum, default_value_t)]
    pub shell: ShellName,
}

/// A shell's way to set a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum ShellName {
    /// sh, bash, zsh
    #[default]
    Posix,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}
