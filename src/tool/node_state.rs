//! The state of a cluster as files of its node: packed into an archive and copied out for a snapshot, or replaced by
//! the contents of one.
//!
//! kubeadm keeps etcd's data and the keys of service accounts below `/var/lib/minikube` (`vmpath.GuestPersistentDir` of
//! minikube). minikube's provisioners create volumes below [`VOLUMES`]. `emptyDir` volumes are directories of the
//! kubelet. Everything else in the node is created by `minikube start` from the same versions, or by the kubelet from
//! what the API server has.

use std::path::Path;
use std::time::Duration;

use super::minikube::Minikube;
use super::node::Node;
use crate::exec::{Cmd, Output};
use crate::failure::Result;

/// etcd's data.
pub(crate) const ETCD: &str = "/var/lib/minikube/etcd";
/// The keys that sign the tokens of service accounts: tokens in Secrets stay valid.
const KEYS: [&str; 2] = ["/var/lib/minikube/certs/sa.key", "/var/lib/minikube/certs/sa.pub"];
/// The directories of minikube's storage provisioners: its own, and that of the add-on storage-provisioner-rancher.
pub(crate) const VOLUMES: [&str; 2] = ["/tmp/hostpath-provisioner", "/opt/local-path-provisioner"];
/// The directory of the kubelet's pods.
const PODS: &str = "/var/lib/kubelet/pods";
/// The name of the directories with `emptyDir` volumes, and of those with the kubelet's metadata about them.
const EMPTY_DIR: &str = "kubernetes.io~empty-dir";
/// The directory in the node for archives that are copied. Other users of the node cannot list it.
const TRANSFER: &str = "/var/lib/kstrim";
/// The archive in it.
const ARCHIVE: &str = "/var/lib/kstrim/state.tar.gz";
/// The time limit of commands that read or write the whole state.
const LONG: Duration = Duration::from_secs(15 * 60);

/// Whether it is a plain absolute path: it is interpreted by a shell in the node.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("/../")
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._~-".contains(&b))
}

impl Minikube {
    fn lines(output: &Output) -> Vec<String> {
        output.text().lines().map(|line| line.trim().to_owned()).filter(|line| is_plain(line)).collect()
    }

    /// The directories and files in a node that are the state of its cluster.
    pub(crate) async fn state_paths(&self, node: &Node) -> Result<Vec<String>> {
        let mut words = vec!["find", ETCD];
        words.extend(KEYS);
        words.extend(VOLUMES);
        words.extend(["-maxdepth", "0"]);
        // A path that does not exist makes it fail; the others are printed all the same.
        let mut paths = Self::lines(&self.run(&self.in_node(node, &words)).await?);
        let words = ["find", PODS, "-mindepth", "3", "-maxdepth", "3", "-name", EMPTY_DIR];
        paths.extend(Self::lines(&self.run(&self.in_node(node, &words)).await?));
        Ok(paths)
    }

    async fn make_transfer(&self, node: &Node) -> Result<Output> {
        self.run(&self.in_node(node, &["install", "-d", "-m", "0711", TRANSFER])).await
    }

    /// Pack directories and files of a node into an archive in the node. Nothing may write to them.
    pub(crate) async fn pack_state(&self, node: &Node, paths: &[String]) -> Result<Output> {
        let made = self.make_transfer(node).await?;
        if !made.exit.success() {
            return Ok(made);
        }
        let mut words = vec!["tar", "--create", "--gzip", "--sparse", "--one-file-system", "--numeric-owner"];
        words.extend(["--absolute-names", "--file", ARCHIVE]);
        words.extend(paths.iter().map(String::as_str));
        self.run(&self.in_node(node, &words).timeout(LONG)).await
    }

    /// Copy the archive of [`Minikube::pack_state`] to a file of this machine.
    pub(crate) async fn copy_state_out(&self, node: &Node, file: &Path) -> Result<Output> {
        let from = format!("{node}:{ARCHIVE}");
        self.run(&self.copy(&from, &file.display().to_string())).await
    }

    /// Copy a file of this machine into the node as the archive of [`Minikube::unpack_state`].
    pub(crate) async fn copy_state_in(&self, node: &Node, file: &Path) -> Result<Output> {
        let made = self.make_transfer(node).await?;
        if !made.exit.success() {
            return Ok(made);
        }
        self.run(&self.copy(&file.display().to_string(), &format!("{node}:{ARCHIVE}"))).await
    }

    fn copy(&self, from: &str, to: &str) -> Cmd {
        self.cmd(&["cp"]).args([from, to]).timeout(LONG)
    }

    /// Check that the archive in the node is complete.
    pub(crate) async fn test_state(&self, node: &Node) -> Result<Output> {
        self.run(&self.in_node(node, &["gzip", "--test", ARCHIVE]).timeout(LONG)).await
    }

    /// Delete the state of a node's cluster. Nothing may run in the node that uses it.
    pub(crate) async fn clear_state(&self, node: &Node) -> Result<Output> {
        let paths = self.state_paths(node).await?;
        let mut words = vec!["find"];
        words.extend(paths.iter().map(String::as_str).filter(|path| !KEYS.contains(path)));
        if words.len() == 1 {
            // Without a path, it would search the working directory.
            return self.run(&self.in_node(node, &["true"])).await;
        }
        // Mounted contents are not deleted: directories of the user's machine, and volumes in memory.
        words.extend(["-xdev", "-mindepth", "1", "-not", "-fstype", "tmpfs", "-delete"]);
        self.run(&self.in_node(node, &words).timeout(LONG)).await
    }

    /// Unpack the archive in the node.
    pub(crate) async fn unpack_state(&self, node: &Node) -> Result<Output> {
        let words = ["tar", "--extract", "--gzip", "--preserve-permissions", "--numeric-owner"];
        let words = words.into_iter().chain(["--absolute-names", "--file", ARCHIVE]).collect::<Vec<_>>();
        self.run(&self.in_node(node, &words).timeout(LONG)).await
    }

    /// Delete the archive in the node.
    pub(crate) async fn delete_state_archive(&self, node: &Node) -> Result<Output> {
        self.run(&self.in_node(node, &["rm", "-rf", TRANSFER])).await
    }
}
