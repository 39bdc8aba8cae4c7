//! The directory of class-data archives in a profile's only node (`manifest/class_data.rs` says what they are for).
//!
//! `NAME.jsa` is an archive; `NAME.image` says in which image it was written. An archive is never written to in place:
//! running JVMs have it mapped. Next to them is a file with a setting of these JVMs.

use std::path::Path;
use std::time::Duration;

use super::minikube::Minikube;
use crate::exec::Cmd;
use crate::names::DnsLabel;

/// How long the copy of an archive may take.
const COPY: Duration = Duration::from_secs(60);

/// The directories of a volume in the node.
pub(crate) struct Directory<'a> {
    minikube: &'a Minikube,
    archives: String,
    lists: String,
    setting: &'static str,
    settings: String,
}

impl Minikube {
    /// The directories `archives` and `lists` of a namespace below `root`, which is an absolute path, and the line
    /// `setting` of the file `settings` among the archives. None of them has characters that a shell interprets.
    pub(crate) fn class_data<'a>(
        &'a self,
        root: &str,
        namespace: &DnsLabel,
        [archives, lists]: [&str; 2],
        (settings, setting): (&str, &'static str),
    ) -> Directory<'a> {
        let part = |part: &str| format!("{root}/{namespace}/{part}");
        let settings = format!("{}/{settings}", part(archives));
        Directory { minikube: self, archives: part(archives), lists: part(lists), setting, settings }
    }
}

impl Directory<'_> {
    /// Create them, writable by the user of any image, and the file of settings; read the files `NAME.image`: names and
    /// contents. `None`: the node does not respond, or refuses.
    pub(crate) async fn open(&self) -> Option<Vec<(String, String)>> {
        let images = format!("{}/*.image", self.archives);
        let (archives, lists) = (self.archives.as_str(), self.lists.as_str());
        let create = ["install", "-d", "-m", "0777", archives, lists, "&&"];
        let write = ["{", "echo", self.setting, ">", &self.settings, ";"];
        // grep fails if there are none.
        let read = ["grep", "-sH", ".", &images, "||", "true;", "}"];
        let words = [&create[..], &write, &read].concat();
        let output = self.minikube.run_cmd(&self.minikube.node_cmd(&words)).await.ok()?;
        let file = |line: &str| {
            let (path, content) = line.trim().strip_prefix(&self.archives)?.split_once(':')?;
            Some((path.strip_prefix('/')?.strip_suffix(".image")?.to_owned(), content.to_owned()))
        };
        output.exit.success().then(|| output.text().lines().filter_map(file).collect())
    }

    /// Copy an archive of this machine into the node; it is used once it is published. Whether that succeeded.
    pub(crate) async fn copy_in(&self, file: &Path, name: &str) -> bool {
        let to = format!("{}/{name}.jsa.part", self.archives);
        self.copy(&file.display().to_string(), &to).await
    }

    /// Publish archives that were copied in, by name; with the contents of the file `NAME.image`, or without one. The
    /// contents must not have quotes: a shell in the node writes them. Whether that succeeded.
    pub(crate) async fn publish(&self, all: &[(&str, Option<String>)]) -> bool {
        let one = |(name, image): &(&str, Option<String>)| {
            let image = match image {
                Some(image) => format!("echo \"{image}\" > {name}.image"),
                None => format!("rm -f {name}.image"),
            };
            format!("mv -f {name}.jsa.part {name}.jsa && {image}")
        };
        let commands: Vec<String> = all.iter().map(one).collect();
        let script = format!("'cd {} && {}'", self.archives, commands.join(" && "));
        self.succeeds(&self.minikube.node_cmd(&["sh", "-c", &script])).await
    }

    /// Copy an archive to a file of this machine. `node` is the node's name. Whether that succeeded.
    pub(crate) async fn copy_out(&self, node: &str, name: &str, file: &Path) -> bool {
        let from = format!("{node}:{}/{name}.jsa", self.archives);
        self.copy(&from, &file.display().to_string()).await
    }

    async fn copy(&self, from: &str, to: &str) -> bool {
        self.succeeds(&self.minikube.cmd(&["cp"]).args([from, to]).timeout(COPY)).await
    }

    async fn succeeds(&self, cmd: &Cmd) -> bool {
        self.minikube.run_cmd(cmd).await.is_ok_and(|output| output.exit.success())
    }
}
