//! Presets of old and new releases with all components, validated by a real API server: strictly, and without storing
//! them.

use std::time::Duration;

use kstrim::internals::catalogue;
use kstrim::internals::component;
use kstrim::internals::manifest::render::Preset;
use kstrim::internals::names::ComponentName;

use crate::ground::{Ground, within};

#[path = "../supply/dry_run.rs"]
mod list;

/// The namespace of the dry runs.
const NAMESPACE: &str = "dry";
/// The label of Strimzi's CRDs.
const DEFINITIONS: [&str; 4] = ["crd", "-l", "app=strimzi", "--ignore-not-found"];

/// Install a release's CRDs: over those of the previous release, as an upgrade would; if the API server rejects that
/// because a stored version would be removed, replace them.
fn define(ground: &Ground, version: &str, yaml: &str) {
    let file = ground.write(&format!("definitions-{version}"), yaml);
    let words = ["kubectl", "--", "apply", "--server-side", "-f", &file];
    let over = ground.kstrim(&words);
    if over.code() != 0 {
        assert!(over.stderr.contains("status.storedVersions"), "{version}: {over}");
        without_definitions(ground);
        ground.kstrim(&words).expect(0);
    }
    // kubectl fails at a CRD that has no conditions yet.
    within(Duration::from_secs(120), "the definitions are established", || {
        let wait = ["kubectl", "--", "wait", "--for=condition=Established", "--timeout=60s"];
        let run = ground.kstrim(&[&wait[..], &["crd", "-l", "app=strimzi"]].concat());
        if run.code() == 0 { Ok(()) } else { Err(run.stderr) }
    });
}

/// Delete Strimzi's CRDs. Soon after their creation the API server delays it for minutes ("storage is
/// (re)initializing"), unless they change.
fn without_definitions(ground: &Ground) {
    ground.kubectl(&[&["delete"][..], &DEFINITIONS, &["--wait=false"]].concat());
    within(Duration::from_secs(240), "the definitions are gone", || {
        let left = ground.kubectl(&[&["get"][..], &DEFINITIONS, &["-o", "name"]].concat());
        if left.is_empty() {
            return Ok(());
        }
        let now = format!("look-again={}", jiff::Timestamp::now());
        ground.kstrim(&["kubectl", "--", "annotate", "crd", "-l", "app=strimzi", "--overwrite", &now]);
        Err(left)
    });
}

/// How to recognize the document of a CRD.
const DEFINITION: &str = "\nkind: CustomResourceDefinition\n";

/// All components that a preset can have.
fn with(preset: Preset) -> String {
    let fitting = ComponentName::ALL.into_iter().filter(|n| component::of(*n).brokers <= preset.brokers());
    fitting.map(ComponentName::as_str).collect::<Vec<_>>().join(",")
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn every_preset_passes_a_strict_dry_run() {
    // CRDs are cluster-scoped, and those of two releases cannot exist at the same time.
    let ground = Ground::with_a_cluster("dry_run::every_preset_passes_a_strict_dry_run");
    let manifests = ground.install_manifests();
    ground.kubectl(&["create", "namespace", NAMESPACE]);
    for version in list::RELEASES {
        let release = catalogue::find(&version.parse().expect("a version")).expect("a known release");
        let manifest = manifests.join(format!("strimzi-cluster-operator-{version}.yaml"));
        let render = |more: &[&str]| {
            let all = ["render", "--namespace", NAMESPACE, "--release", version, "--manifests"];
            let words = [&all[..], &[manifest.to_str().expect("text")], more].concat();
            ground.kstrim(&words).expect(0).stdout
        };
        define(&ground, version, &render(&["--only", "crds"]));
        // Objects that presets share are sent once, the CRDs not at all: those were just applied.
        let mut documents: Vec<String> = Vec::new();
        for preset in Preset::ALL.into_iter().filter(|preset| preset.check(release).is_ok()) {
            let all = render(&["--preset", &preset.to_string(), "--with", &with(preset)]);
            for document in all.split("---\n").filter(|d| !d.trim().is_empty() && !d.contains(DEFINITION)) {
                if !documents.iter().any(|other| other == document) {
                    documents.push(document.to_owned());
                }
            }
        }
        // Check that validation is strict: a Kafka resource with an unknown last field must be rejected.
        let (field, wrong) = ("\n  entityOperator:", "\n  entityOperators: {}\n  entityOperator:");
        let kafka = documents.iter().find(|document| document.contains(field)).expect("a Kafka");
        let more = ground.write(&format!("{version}-wrong"), &kafka.replacen(field, wrong, 1));
        let right = ground.write(version, &documents.join("---\n"));
        let objects = documents.len();
        // Just after a change the API server may still use the previous CRDs.
        let refused = within(Duration::from_secs(60), "all but the last is taken", || {
            let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict"];
            let run = ground.kstrim(&[&["kubectl", "--"], &apply[..], &["-f", &right, "-f", &more]].concat());
            let passed =
                run.stdout.lines().filter(|line| line.ends_with("serverside-applied (server dry run)"));
            if passed.count() == objects { Ok(run) } else { Err(run.to_string()) }
        });
        let refused = refused.expect(1).stderr;
        let told: Vec<&str> = refused.lines().filter(|line| line.starts_with("Error")).collect();
        assert!(
            told.len() == 1 && told[0].contains("entityOperators: field not declared in schema"),
            "{version}: {refused}"
        );
    }
    without_definitions(&ground);
    ground.kubectl(&["delete", "namespace", NAMESPACE]);
}
