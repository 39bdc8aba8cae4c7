//! Whether this machine is suitable: a table of checks, each a record that examines the [`Ground`] and returns a
//! [`Verdict`]. `up` runs those that can refuse before it changes anything (its task `preflight`); `doctor` runs all
//! of them. What several checks need is queried once, by the ground.

pub(crate) mod certificate;
pub(crate) mod disk;
pub(crate) mod engine;
pub(crate) mod ground;
pub(crate) mod machine;
pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod ports;
pub(crate) mod profile;
pub(crate) mod proxy;
pub(crate) mod tools;
pub(crate) mod versions;

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use ground::{Ground, Host};

use crate::exec::BoxFuture;
use crate::failure::{Failure, Result};

/// What a check is about, from the machine up to Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// This machine: memory, CPUs.
    Machine,
    /// The container engine or hypervisor under minikube.
    Engine,
    /// `minikube` and `kubectl`.
    Tools,
    /// Whether Strimzi, Kafka, Kubernetes and minikube work together.
    Versions,
    /// What `up` would download, and the connection.
    Network,
    /// Directories and free space.
    Disk,
    /// Ports on this machine.
    Ports,
    /// Names that may be in use.
    Names,
    /// The minikube profile.
    Profile,
    /// The running Kubernetes.
    Cluster,
    /// Strimzi in it.
    Strimzi,
    /// Kafka in it.
    Kafka,
}

impl Group {
    /// The group's name, as in the document.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Group::Machine => "machine",
            Group::Engine => "engine",
            Group::Tools => "tools",
            Group::Versions => "versions",
            Group::Network => "network",
            Group::Disk => "disk",
            Group::Ports => "ports",
            Group::Names => "names",
            Group::Profile => "profile",
            Group::Cluster => "cluster",
            Group::Strimzi => "strimzi",
            Group::Kafka => "kafka",
        }
    }
}

/// The verdict of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No problem; what was found.
    Ok(String),
    /// It may cause problems later.
    Warn(Box<Failure>),
    /// `up` cannot work in this state.
    Fail(Box<Failure>),
    /// There was nothing to check; the reason.
    Skip(String),
}

impl Verdict {
    /// No problem, unless it failed.
    pub(crate) fn of(result: Result<String>) -> Self {
        match result {
            Ok(found) => Verdict::Ok(found),
            Err(failure) => Verdict::Fail(failure),
        }
    }
}

/// Whether `up` runs a check before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InUp {
    /// No: minikube itself fails as quickly, or the check takes too long.
    No,
    /// Yes, and a failed check stops it.
    Refuses,
    /// Yes, and warnings are printed, too.
    Warns,
}

/// A check.
pub(crate) struct Check {
    /// Its stable name, `GROUP.WHAT`.
    pub id: &'static str,
    /// Its group.
    pub group: Group,
    /// What it checks, in messages.
    pub title: &'static str,
    /// Whether `up` runs it.
    pub in_up: InUp,
    /// Performs the check.
    pub run: for<'a> fn(&'a Ground) -> BoxFuture<'a, Verdict>,
}

/// A row of the table.
macro_rules! check {
    ($group:ident, $id:literal, $title:literal, $in_up:ident, $run:path) => {
        Check {
            id: $id,
            group: Group::$group,
            title: $title,
            in_up: InUp::$in_up,
            run: |ground| Box::pin($run(ground)),
        }
    };
}

/// Every check that needs no running cluster, in the order of display.
pub(crate) const TABLE: &[Check] = &[
    check!(Machine, "machine.memory", "memory of this machine", No, machine::memory),
    check!(Machine, "machine.cpus", "CPUs of this machine", No, machine::cpus),
    check!(Engine, "engine.driver", "the minikube driver", No, engine::driver),
    check!(Engine, "engine.answers", "the container engine", No, engine::responds),
    check!(Engine, "engine.size", "memory and CPUs of the engine", No, engine::size),
    check!(Engine, "engine.root", "root", No, engine::root),
    check!(Tools, "tools.minikube", "minikube", Refuses, tools::minikube),
    check!(Tools, "tools.kubectl", "kubectl", Refuses, tools::kubectl),
    check!(Tools, "tools.skew", "kubectl and Kubernetes versions", No, tools::skew),
    check!(Versions, "versions.set", "version compatibility", Refuses, versions::set),
    check!(Network, "network.proxy", "proxy variables", Warns, proxy::proxy),
    check!(Network, "network.subnet", "a subnet for minikube", No, network::subnet),
    check!(Network, "network.mirror", "the download mirror", Refuses, network::mirror),
    check!(Network, "network.manifest", "Strimzi's install manifest", No, network::manifest),
    check!(Network, "network.registry", "the image registry", No, network::registry),
    check!(Network, "network.minikube", "minikube's downloads", No, network::minikube),
    check!(Disk, "disk.state", "kstrim's state directory", Refuses, disk::state),
    check!(Disk, "disk.cache", "kstrim's cache directory", No, disk::cache),
    check!(Disk, "disk.minikube", "minikube's directory", No, disk::minikube),
    check!(Ports, "ports.local", "ports of this machine", No, ports::local),
    check!(Names, "names.container", "the node's name", No, names::container),
    check!(Profile, "profile.journal", "kstrim's journal of the profile", No, profile::journal),
    check!(Profile, "profile.state", "the minikube profile", No, profile::state),
    check!(Profile, "profile.operator", "Strimzi in the profile", Refuses, profile::operator),
    check!(Profile, "profile.owner", "the owner of the profile", Refuses, profile::owner),
    check!(Profile, "profile.settings", "settings of the profile", Refuses, profile::settings),
    check!(Profile, "profile.kubernetes", "Kubernetes version of the profile", Refuses, profile::kubernetes),
    check!(Profile, "profile.certificates", "minikube's certificates", No, profile::certificates),
];

/// Run the checks of a group that `up` runs; the first failure is returned. Warnings are passed to `warn`.
pub(crate) async fn refuse(ground: &Ground, group: Group, mut warn: impl FnMut(&Failure)) -> Result<()> {
    for check in TABLE.iter().filter(|c| c.group == group && c.in_up != InUp::No) {
        match (check.run)(ground).await {
            Verdict::Fail(failure) => return Err(failure),
            Verdict::Warn(failure) if check.in_up == InUp::Warns => warn(&failure),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_begin_with_their_group() {
        let mut seen = std::collections::BTreeSet::new();
        for check in TABLE {
            assert!(seen.insert(check.id), "{} twice", check.id);
            assert!(check.id.starts_with(&format!("{}.", check.group.name())), "{}", check.id);
        }
        assert!(TABLE.is_sorted_by_key(|c| c.group), "groups stand together");
    }
}
