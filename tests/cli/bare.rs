//! A machine on which nothing but a container engine is installed. `tests/supply` uses this, too.

use std::path::PathBuf;

use crate::harness::Test;
use crate::mirror::{Mirror, url};
use crate::support::{manifest, quick};
use crate::trouble::clean;

/// The minikube version that the catalogue pins for the newest set.
pub const MINIKUBE: &str = "1.38.1";
/// The kubectl version that it pins.
pub const KUBECTL: &str = "1.35.1";

/// The path of one of kstrim's own tools.
pub fn own(test: &Test, tool: &str, version: &str) -> PathBuf {
    let platform = url("minikube", MINIKUBE);
    let platform = platform.rsplit_once("minikube-").expect("a platform").1;
    test.home().join(".local/share/kstrim/tools").join(tool).join(version).join(platform).join(tool)
}

/// A user with only a container engine, kstrim, and a mirror over HTTP. `published` is Strimzi's own install
/// manifest, which is recognized by its digest; without it, a manifest of these tests is passed by URL.
pub fn a_container_engine_and_kstrim_are_enough(published: Option<&[u8]>) {
    let test = Test::new().scenario(quick).without("minikube").without("kubectl");
    let mirror = Mirror::new(&test);
    let sums = [mirror.tool(&test, "minikube", MINIKUBE), mirror.tool(&test, "kubectl", KUBECTL)];
    let base = mirror.serve();
    let mut test = test.env("KSTRIM_TOOL_DIGESTS", mirror.digests());
    let mut args = vec!["up".to_owned(), "-o".into(), "json".into(), format!("--mirror={base}")];
    let release = "1.2.0";
    let asset = format!(
        "https://github.com/strimzi/strimzi-kafka-operator/releases/download/{release}/strimzi-cluster-operator-{release}.yaml"
    );
    match published {
        Some(text) => drop(mirror.put(&asset, text)),
        None => {
            mirror.put("install.yaml", manifest());
            args.push(format!("--manifests={base}/install.yaml"));
        }
    }
    let run = test.args(args).run().expect(0);
    clean(&test, &run);
    let said: String = run.json_lines().iter().map(|line| format!("{line}\n")).collect();
    for words in [
        "minikube was not found",
        "kstrim installed its own minikube 1.38.1",
        "kstrim installed its own kubectl 1.35.1",
        // The stand-in reports the version of the program that it replaces.
        "minikube 1.38.1 (kstrim's own), kubectl 1.34.4 (kstrim's own)",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let listed = test.args(["tools", "list", "-o", "json"]).run().expect(0).json();
    for (at, sum) in [(0, &sums[0]), (1, &sums[1])] {
        assert_eq!((&listed[at]["sha256"], &listed[at]["state"]), (&sum.as_str().into(), &"good".into()));
    }
    // All other commands find them; nothing is downloaded again, and nothing needs the network.
    let asked = mirror.seen().len();
    assert!(asked >= 3, "{:?}", mirror.seen());
    let sums = mirror.seen().into_iter().filter(|path| path.ends_with(".sha256")).count();
    assert_eq!(sums, 0, "a mirror is not asked for checksums");
    for args in [
        &["status"][..],
        &["smoke-test", "--messages", "3"],
        &["kubectl", "--", "get", "pods", "-n", "kafka"],
        &["plan"],
        &["up", "--offline"],
    ] {
        // A manifest that was passed by URL is not one of the catalogue's.
        if published.is_none() && ["plan", "up"].contains(&args[0]) {
            continue;
        }
        let run = test.args(args.iter().copied()).run().expect(0);
        clean(&test, &run);
    }
    let exports = test.args(["env"]).run().expect(0).stdout;
    for (tool, version) in [("minikube", MINIKUBE), ("kubectl", KUBECTL)] {
        let folder = own(&test, tool, version).parent().expect("a folder").display().to_string();
        assert!(exports.contains(&folder) && exports.contains("export PATH="), "{exports}");
    }
    test.args(["down", "--yes"]).run().expect(0);
    assert_eq!(mirror.seen().len(), asked, "{:?}", mirror.seen());
    assert!(test.profile("kstrim").is_null());
}
