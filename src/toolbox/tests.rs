//! Tests with a mirror directory, without a network.

use std::ops::ControlFlow;

use super::*;
use crate::download::{Settings, Source, Store};
use crate::errors;

struct Bench {
    folder: tempfile::TempDir,
    toolbox: Toolbox,
    store: Store,
    digests: std::sync::Mutex<String>,
}

fn version() -> Version {
    Version::new(1, 2, 3)
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mirror = folder.path().join("mirror");
        fs::create_dir(&mirror).expect("a folder");
        let settings = Settings { offline: true, ..Settings::default() };
        let store = Store { folder: folder.path().join("cache"), source: Source::Folder(mirror), settings };
        Self { toolbox: Toolbox::at(folder.path().join("tools")), folder, store, digests: Default::default() }
    }

    fn place(&self, tool: Tool) -> PathBuf {
        self.folder
            .path()
            .join("mirror")
            .join(self.toolbox.url(tool, &version()).trim_start_matches("https://"))
    }

    /// Publish a file with its correct checksum, which the user trusts.
    fn publish(&self, tool: Tool, text: &str) -> String {
        let place = self.place(tool);
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        fs::write(&place, text).expect("written");
        let sha256 = download::sha256(&place).expect("a digest");
        self.vouch(tool, &sha256);
        sha256
    }

    /// The user's digest of a tool, replacing an earlier one.
    fn vouch(&self, tool: Tool, sha256: &str) {
        let name = vouched::name(tool, &version(), &self.toolbox.platform);
        let mut digests = self.digests.lock().expect("the text");
        let kept: String =
            digests.lines().filter(|line| !line.ends_with(&name)).map(|l| format!("{l}\n")).collect();
        *digests = format!("{kept}{sha256}  {name}\n");
    }

    fn checksum(&self, tool: Tool, text: &str) {
        let place = self.place(tool);
        fs::write(
            place.with_file_name(format!("{}.sha256", place.file_name().expect("a name").to_string_lossy())),
            text,
        )
        .expect("written");
    }

    fn obtain(&self, tool: Tool) -> Result<PathBuf> {
        let digests = Digests::parse(self.digests.lock().expect("the text").as_bytes()).expect("digests");
        self.toolbox.obtain(tool, &version(), &self.store, &digests, &mut |_| ControlFlow::Continue(()))
    }
}

#[test]
fn publishers_urls() {
    let minikube = url(Tool::Minikube, &version(), "linux-amd64");
    assert_eq!(
        minikube,
        "https://github.com/kubernetes/minikube/releases/download/v1.2.3/minikube-linux-amd64"
    );
    let kubectl = url(Tool::Kubectl, &version(), "darwin-arm64");
    assert_eq!(kubectl, "https://dl.k8s.io/release/v1.2.3/bin/darwin/arm64/kubectl");
}

#[test]
fn a_tool_is_installed_once_and_can_be_run() {
    let bench = Bench::new();
    let sha256 = bench.publish(Tool::Kubectl, "#!/bin/sh\n");
    let path = bench.obtain(Tool::Kubectl).expect("obtained");
    assert!(
        path.ends_with("kubectl") && fs::metadata(&path).expect("a file").permissions().mode() & 0o111 != 0
    );
    let kept = bench.toolbox.list().expect("a list");
    assert_eq!((kept.len(), kept[0].state, &kept[0].sha256), (1, State::Good, &sha256));
    // Neither the mirror nor the cache is needed any more.
    fs::remove_dir_all(bench.folder.path().join("mirror")).expect("removed");
    assert_eq!(bench.obtain(Tool::Kubectl).expect("there"), path);
    assert_eq!(bench.toolbox.versions(Tool::Kubectl).expect("versions"), [version()]);
    assert_eq!(bench.toolbox.versions(Tool::Minikube).expect("versions"), []);
}

#[test]
fn a_file_with_another_digest_is_rejected_with_both_digests() {
    let bench = Bench::new();
    let right = bench.publish(Tool::Minikube, "right");
    fs::write(bench.place(Tool::Minikube), "wrong").expect("written");
    let failure = bench.obtain(Tool::Minikube).expect_err("another file");
    assert_eq!(failure.id, errors::DOWNLOAD_DIGEST);
    let wrong = download::sha256(&bench.place(Tool::Minikube)).expect("a digest");
    let causes = failure.causes.join(" ");
    assert!(causes.contains(&right) && causes.contains(&wrong), "{causes}");
    assert!(!bench.toolbox.path_of(Tool::Minikube, &version()).exists());
}

/// A mirror only delivers bytes; its own checksum is not trusted.
#[test]
fn a_mirrors_own_checksum_is_not_trusted() {
    let bench = Bench::new();
    let sha256 = bench.publish(Tool::Kubectl, "#!/bin/sh\n");
    bench.checksum(Tool::Kubectl, &sha256);
    bench.digests.lock().expect("the text").clear();
    let failure = bench.obtain(Tool::Kubectl).expect_err("no trusted digest");
    assert_eq!((failure.id, failure.kind), (errors::TOOL_UNPINNED, Kind::Prerequisite));
    assert!(failure.hints.iter().any(|hint| hint.contains("kubectl-1.2.3-")), "{:?}", failure.hints);
    // A version in the catalogue is verified with its digest.
    let known = Version::new(1, 34, 4);
    let url = bench.toolbox.url(Tool::Kubectl, &known);
    let place = bench.folder.path().join("mirror").join(url.trim_start_matches("https://"));
    fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    fs::write(&place, "#!/bin/sh\n").expect("written");
    let digests = Digests::default();
    let mut silent = |_| ControlFlow::Continue(());
    let failure = bench.toolbox.obtain(Tool::Kubectl, &known, &bench.store, &digests, &mut silent);
    assert_eq!(failure.expect_err("not the published one").id, errors::DOWNLOAD_DIGEST);
}

#[test]
fn programs_are_not_downloaded_over_plain_http() {
    let bench = Bench::new();
    for (base, refused) in [
        ("http://mirror.example/x", true),
        ("HTTP://10.0.0.1:8000", true),
        ("http://127.0.0.1.example", true),
        ("http://localhost.example", true),
        ("http://127.0.0.1:1", false),
        ("http://localhost:1", false),
        ("http://[::1]:1", false),
        ("https://mirror.example", false),
    ] {
        let store = Store { source: Source::Url(base.into()), ..bench.store.clone() };
        bench.vouch(Tool::Kubectl, &"a".repeat(64));
        let digests = Digests::parse(bench.digests.lock().expect("the text").as_bytes()).expect("digests");
        let mut silent = |_| ControlFlow::Continue(());
        let failure = bench.toolbox.obtain(Tool::Kubectl, &version(), &store, &digests, &mut silent);
        let id = failure.expect_err("offline").id;
        assert_eq!(id, if refused { errors::TOOL_PLAIN_HTTP } else { errors::DOWNLOAD_OFFLINE }, "{base}");
    }
}

/// What an earlier kstrim accepted based on a mirror's checksum is not run, however long it has been installed.
#[test]
fn tools_that_were_verified_with_a_mirrors_checksum_are_not_used() {
    let bench = Bench::new();
    bench.publish(Tool::Kubectl, "evil");
    let path = bench.obtain(Tool::Kubectl).expect("obtained");
    let as_before = |from: &str, at: &Version| {
        bench
            .toolbox
            .change(|ledger| {
                let key = bench.toolbox.key(Tool::Kubectl, &version());
                let entry = ledger.tools.get(&key).cloned().expect("an entry");
                let entry = Entry { voucher: None, from: from.into(), ..entry };
                ledger.tools.insert(bench.toolbox.key(Tool::Kubectl, at), entry);
            })
            .expect("written");
    };
    as_before("http://mirror.example/kubectl", &version());
    let failure = bench.toolbox.verified(Tool::Kubectl, &version()).expect_err("a mirror's checksum");
    assert_eq!((failure.id, failure.kind), (errors::TOOL_UNPINNED, Kind::Prerequisite));
    as_before(&bench.toolbox.url(Tool::Kubectl, &version()), &version());
    assert_eq!(
        bench.toolbox.verified(Tool::Kubectl, &version()).expect("its publisher's"),
        Some(path.clone())
    );
    // A version whose digest is known must match it, whatever source is recorded.
    let known = Version::new(1, 34, 4);
    as_before(&bench.toolbox.url(Tool::Kubectl, &known), &known);
    let other = bench.toolbox.path_of(Tool::Kubectl, &known);
    fs::create_dir_all(other.parent().expect("a folder")).expect("a folder");
    fs::copy(&path, &other).expect("copied");
    let failure = bench.toolbox.verified(Tool::Kubectl, &known).expect_err("not the published one");
    assert!(
        failure.causes.iter().any(|cause| cause.starts_with("published sha256:")),
        "{:?}",
        failure.causes
    );
}

#[test]
fn a_changed_checksum_is_rejected_until_the_record_is_removed() {
    let bench = Bench::new();
    let before = bench.publish(Tool::Kubectl, "one");
    bench.obtain(Tool::Kubectl).expect("obtained");
    assert!(bench.toolbox.remove(Tool::Kubectl, &version(), false).expect("removed"));
    assert!(!bench.toolbox.remove(Tool::Kubectl, &version(), false).expect("nothing there"));
    assert_eq!(bench.toolbox.list().expect("a list")[0].state, State::Removed);
    let now = bench.publish(Tool::Kubectl, "two");
    let failure = bench.obtain(Tool::Kubectl).expect_err("another checksum");
    assert_eq!(failure.id, errors::TOOL_CHECKSUM_CHANGED);
    let causes = failure.causes.join(" ");
    assert!(causes.contains(&before) && causes.contains(&now), "{causes}");
    assert!(bench.toolbox.remove(Tool::Kubectl, &version(), true).expect("forgotten"));
    bench.obtain(Tool::Kubectl).expect("the new one is taken");
}

#[test]
fn a_modified_file_is_rejected_with_both_digests() {
    let bench = Bench::new();
    let right = bench.publish(Tool::Kubectl, "right");
    let path = bench.obtain(Tool::Kubectl).expect("obtained");
    let time = fs::metadata(&path).and_then(|m| m.modified()).expect("a time");
    // The same size, with the modification time restored.
    fs::write(&path, "wrong").expect("written");
    File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).expect("a time");
    let failure = bench.toolbox.verified(Tool::Kubectl, &version()).expect_err("another file");
    assert_eq!(failure.id, errors::TOOL_CHANGED);
    let wrong = download::sha256(&path).expect("a digest");
    let causes = failure.causes.join(" ");
    assert!(causes.contains(&right) && causes.contains(&wrong), "{causes}");
    assert_eq!(bench.toolbox.list().expect("a list")[0].state, State::Changed);
    // After the content is restored it is valid again, and so is a copy of the directory.
    fs::write(&path, "right").expect("written");
    assert_eq!(bench.toolbox.verified(Tool::Kubectl, &version()).expect("good"), Some(path.clone()));
    // A file that kstrim did not install is not run either.
    let other = bench.toolbox.path_of(Tool::Kubectl, &Version::new(9, 9, 9));
    fs::create_dir_all(other.parent().expect("a folder")).expect("a folder");
    fs::write(&other, "x").expect("written");
    let failure = bench.toolbox.verified(Tool::Kubectl, &Version::new(9, 9, 9)).expect_err("unknown");
    assert_eq!(failure.id, errors::TOOL_CHANGED);
}

#[test]
fn without_a_record_nothing_is_trusted() {
    let bench = Bench::new();
    bench.publish(Tool::Kubectl, "x");
    bench.obtain(Tool::Kubectl).expect("obtained");
    let record = ledger::path(bench.toolbox.folder());
    for text in ["", "{", "[]", "{\"schema\": 99, \"tools\": {}}"] {
        fs::write(&record, text).expect("written");
        assert_eq!(bench.toolbox.list().expect_err(text).id, errors::TOOL_LEDGER, "{text}");
        assert_eq!(bench.obtain(Tool::Kubectl).expect_err(text).id, errors::TOOL_LEDGER, "{text}");
    }
}

#[test]
fn concurrent_installations_are_both_recorded() {
    let bench = Bench::new();
    let tools = Tool::ALL;
    tools.iter().for_each(|tool| drop(bench.publish(*tool, tool.name())));
    std::thread::scope(|scope| {
        for tool in tools {
            let bench = &bench;
            scope.spawn(move || bench.obtain(tool).expect("obtained"));
        }
    });
    assert_eq!(bench.toolbox.list().expect("a list").len(), 2);
}

#[test]
fn the_tools_of_a_profile_are_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.json");
    let mut used = Used::read(&file);
    used.set(Tool::Kubectl, Some(version()));
    used.write(&file).expect("written");
    assert_eq!(Used::read(&file).version(Tool::Kubectl), Some(&version()));
    assert_eq!(Used::read(&file).version(Tool::Minikube), None);
    Used::default().write(&file).expect("removed");
    Used::default().write(&file).expect("gone is fine");
    assert!(!file.exists());
    fs::write(&file, "{\"kubectl\": \"../../bin/sh\"}").expect("written");
    assert_eq!(Used::read(&file), Used::default(), "no version, no path");
}
