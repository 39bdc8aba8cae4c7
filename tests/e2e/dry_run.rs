//! Presets of old and new releases as a real API server judges them: strictly, and without keeping them.

use std::path::{Path, PathBuf};
use std::process::Command;

use kstrim::catalogue;
use kstrim::manifest::render::Preset;

use crate::ground::Ground;
use crate::run::Run;

#[path = "../supply/dry_run.rs"]
mod list;

/// The dry runs' own namespace.
const NAMESPACE: &str = "dry";
/// The label of Strimzi's definitions.
const DEFINITIONS: [&str; 4] = ["crd", "-l", "app=strimzi", "--ignore-not-found"];

/// Strimzi's install manifests, which lie beside the one that the ground uses.
fn unpacked(into: &Path) {
    let manifest = PathBuf::from(std::env::var_os("KSTRIM_GROUND_MANIFEST").expect("the ground's manifest"));
    let archive = manifest
        .ancestors()
        .map(|folder| folder.join("install-manifests.tar.xz"))
        .find(|archive| archive.is_file())
        .expect("install-manifests.tar.xz above the ground's manifest");
    let status = Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(into).status();
    assert!(status.expect("tar runs").success(), "tar cannot unpack {}", archive.display());
}

fn dry_run(ground: &Ground, name: &str, yaml: &str) -> Run {
    let file = ground.write(name, yaml);
    ground.kstrim(&[
        "kubectl",
        "--",
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        &file,
    ])
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn every_preset_passes_a_strict_dry_run() {
    let ground = Ground::with_kafka("dry_run::every_preset_passes_a_strict_dry_run");
    let folder = tempfile::tempdir().expect("a folder");
    unpacked(folder.path());
    // Definitions are the whole cluster's, and those of two releases cannot be there at once.
    ground.kstrim(&["down", "--keep-cluster", "--yes"]).expect(0);
    ground.kubectl(&["create", "namespace", NAMESPACE]);
    for version in list::RELEASES {
        let release = catalogue::find(&version.parse().expect("a version")).expect("a known release");
        let manifest = folder.path().join(format!("strimzi-cluster-operator-{version}.yaml"));
        let render = |more: &[&str]| {
            let all = ["render", "--namespace", NAMESPACE, "--release", version, "--manifests"];
            let words = [&all[..], &[manifest.to_str().expect("text")], more].concat();
            ground.kstrim(&words).expect(0).stdout
        };
        ground.apply(&format!("definitions-{version}"), &render(&["--only", "crds"]));
        ground.kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd",
            "-l",
            "app=strimzi",
            "--timeout=120s",
        ]);
        for preset in Preset::ALL.into_iter().filter(|preset| preset.check(release).is_ok()) {
            let name = format!("{version}-{preset}");
            let yaml = render(&["--preset", &preset.to_string()]);
            let run = dry_run(&ground, &name, &yaml).expect(0);
            let objects = yaml.lines().filter(|line| *line == "---").count();
            let passed =
                run.stdout.lines().filter(|line| line.ends_with("serverside-applied (server dry run)"));
            assert_eq!(passed.count(), objects, "{name}: {run}");
            // Strictness is no matter of course: the same with one field too many is refused.
            let more = yaml.replace("\n  entityOperator:", "\n  entityOperators: {}\n  entityOperator:");
            let more =
                if more == yaml { yaml.replace("\n  kafka:\n", "\n  kafkas: {}\n  kafka:\n") } else { more };
            let refused = dry_run(&ground, &format!("{name}-wrong"), &more).expect(1);
            assert!(refused.stderr.contains("field not declared in schema"), "{name}: {refused}");
        }
        let definitions = [&["delete"][..], &DEFINITIONS, &["--timeout=240s"]].concat();
        ground.kubectl(&definitions);
    }
    ground.kubectl(&["delete", "namespace", NAMESPACE]);
    let left = ground.kubectl(&[&["get"][..], &DEFINITIONS, &["-o", "name"]].concat());
    assert_eq!(left, "", "definitions that the next test would take for somebody else's");
}
