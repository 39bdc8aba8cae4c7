//! What minikube stores about a profile on disk, read without minikube and without an engine. Two things in it
//! identify a profile, and `minikube delete` removes both (minikube 1.38 and later, `cmd/minikube/cmd/delete.go`):
//!
//! * `UUID` in `profiles/NAME/config.json`: the value of `minikube start --uuid`, saved before the machine is created
//!   (`pkg/minikube/node/start.go`: `SaveProfile` before `startHost`), kept by every later start
//!   (`updateExistingConfigFromFlags` changes it only for a given flag), empty unless somebody passes the flag. Only the
//!   hyperkit driver reads it, and generates one if none is given.
//! * `machines/NAME/id_rsa.pub`: the machine's key. Drivers that create a machine (docker, podman, kvm2, qemu, vfkit,
//!   virtualbox ...) generate it with the machine (`ssh.GenerateSSHKey`) and never again while the file exists; the
//!   drivers `none` and `ssh` have none.

use std::path::Path;

use crate::sha256;
use jiff::Timestamp;
use serde::Deserialize;

/// A profile's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OnDisk {
    /// Whether the profile has a directory.
    pub folder: bool,
    /// Whether it has a configuration. A start that fails its checks leaves a directory without one.
    pub configured: bool,
    /// The `UUID` of its configuration, if it has one.
    pub token: Option<String>,
    /// minikube's driver; empty if there is no configuration.
    pub driver: String,
    /// Whether its control plane has an address: without one, nothing ever ran in it.
    pub addressed: bool,
    /// The DNS domain of its services (`minikube start --dns-domain`), `cluster.local`.
    pub dns_domain: Option<String>,
    /// Digest of the machine's public key.
    pub key: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    #[serde(rename = "UUID")]
    uuid: String,
    #[serde(rename = "Driver")]
    driver: String,
    #[serde(rename = "Nodes")]
    nodes: Option<Vec<Node>>,
    #[serde(rename = "KubernetesConfig")]
    kubernetes: Kubernetes,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Kubernetes {
    #[serde(rename = "DNSDomain")]
    dns_domain: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Node {
    #[serde(rename = "IP")]
    ip: String,
}

/// Read the files of `profile` in minikube's directory. Missing and unreadable files count as absent.
pub(crate) fn read(home: &Path, profile: &str) -> OnDisk {
    let folder = home.join("profiles").join(profile);
    let config = std::fs::read(folder.join("config.json")).ok();
    let known: Config = config.as_deref().and_then(|b| serde_json::from_slice(b).ok()).unwrap_or_default();
    let key = std::fs::read(home.join("machines").join(profile).join("id_rsa.pub")).ok();
    OnDisk {
        folder: folder.is_dir(),
        configured: config.is_some(),
        token: Some(known.uuid).filter(|uuid| !uuid.is_empty()),
        driver: known.driver,
        addressed: known.nodes.iter().flatten().next().is_some_and(|node| !node.ip.is_empty()),
        dns_domain: Some(known.kubernetes.dns_domain).filter(|domain| !domain.is_empty()),
        key: key.filter(|bytes| !bytes.is_empty()).map(|bytes| digest(&bytes)),
    }
}

/// When a profile's configuration was last written; every `minikube start` writes it, `stop` and `pause` do not.
pub(crate) fn configured_at(home: &Path, profile: &str) -> Option<Timestamp> {
    let config = home.join("profiles").join(profile).join("config.json");
    Timestamp::try_from(std::fs::metadata(config).ok()?.modified().ok()?).ok()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256::of(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minikubes_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        assert_eq!(read(home, "p"), OnDisk::default());
        let write = |path: &str, text: &str| {
            let path = home.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("profiles/p/client.crt", "of a start that was refused");
        assert!(!read(home, "p").configured);
        write("profiles/p/config.json", r#"{"UUID":"a-b","Driver":"docker","Nodes":[{"IP":""}]}"#);
        let begun = read(home, "p");
        assert!(begun.configured && !begun.addressed && begun.key.is_none());
        assert_eq!((begun.token.as_deref(), begun.driver.as_str()), (Some("a-b"), "docker"));
        write(
            "profiles/p/config.json",
            r#"{"UUID":"","Driver":"docker","Nodes":[{"IP":"192.168.49.2"}],
            "KubernetesConfig":{"DNSDomain":"kafka.test"}}"#,
        );
        write("machines/p/id_rsa.pub", "ssh-rsa AAAA one\n");
        let made = read(home, "p");
        assert!(made.addressed && made.token.is_none());
        assert_eq!((begun.dns_domain, made.dns_domain.as_deref()), (None, Some("kafka.test")));
        write("machines/p/id_rsa.pub", "ssh-rsa AAAA two\n");
        assert_ne!(made.key, read(home, "p").key, "another machine has another key");
        // A truncated file is a configuration without information.
        write("profiles/p/config.json", r#"{"UUID":"a"#);
        assert_eq!((read(home, "p").configured, read(home, "p").token), (true, None));
    }
}
