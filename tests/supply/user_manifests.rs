//! Manifests of users (`kstrim up -f`), validated by Strimzi's own definitions, and Strimzi's examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kstrim::internals::catalogue::{self, Release, served};
use kstrim::internals::manifest::render::Preset;
use kstrim::internals::manifest::to_yaml;
use kstrim::internals::user_manifests::supply::{checked, checked_after_fit, has_replacement};
use serde_json::Value;

use crate::strimzi::Data;
use crate::table;

/// The served kinds and versions in the catalogue are those of the definitions in every install manifest.
pub fn the_catalogue_lists_what_each_release_serves(data: &Data) {
    for release in catalogue::releases() {
        let mut served = BTreeSet::new();
        for object in data.objects(&release.version) {
            let text =
                |pointer: &str| object.get(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            if object.kind() != "CustomResourceDefinition" || text("/spec/group") != "kafka.strimzi.io" {
                continue;
            }
            let versions = object.get("/spec/versions").and_then(Value::as_array).into_iter().flatten();
            let names =
                versions.filter(|version| version["served"] == true).filter_map(|v| v["name"].as_str());
            served.extend(names.map(|name| (text("/spec/names/kind"), name.to_owned())));
        }
        let said = served::KINDS.iter().flat_map(|kind| {
            let versions = ["v1", "v1beta2", "v1beta1", "v1alpha1", "v2"];
            versions
                .into_iter()
                .filter(|v| release.serves(kind, v))
                .map(|v| ((*kind).to_owned(), v.to_owned()))
        });
        assert_eq!(said.collect::<BTreeSet<_>>(), served, "Strimzi {}", release.version);
    }
}

/// What kstrim renders for a release also passes the checks for users' manifests; with one wrong letter it does not.
pub fn rendered_manifests_pass_the_users_checks(data: &Data) {
    let (mut fitting, mut refused) = (0, 0);
    for release in catalogue::releases() {
        let install = data.objects(&release.version);
        for preset in Preset::ALL.into_iter().filter(|preset| preset.check(release).is_ok()) {
            for objects in table::renderings(release, preset) {
                let text = to_yaml(&objects);
                let check = |text: &str| {
                    checked(Path::new("kafka.yaml"), text, release, &install)
                        .unwrap_or_else(|why| panic!("Strimzi {} {preset}: {why}\n{text}", release.version))
                };
                let (chosen, problems) = check(&text);
                assert_eq!(problems, Vec::<String>::new(), "Strimzi {} {preset}\n{text}", release.version);
                assert_eq!(chosen.version, release.version, "{preset}\n{text}");
                fitting += 1;
                let wrong = text.replace("entityOperator:", "entityOperators:");
                if wrong != text {
                    let line = 1 + wrong.lines().position(|line| line.contains("entityOperators:")).unwrap();
                    let (_, problems) = check(&wrong);
                    assert!(problems[0].starts_with(&format!("kafka.yaml:{line}: Kafka ")), "{problems:?}");
                    refused += 1;
                }
            }
        }
    }
    assert!(fitting > 36 && refused > 36, "{fitting}, {refused}");
}

/// Manifests of real projects fit the release that is chosen for them.
pub fn manifests_of_projects_fit_the_chosen_release(data: &Data) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/projects"));
    let projects = fs::read_dir(folder).expect("the projects").flatten().map(|entry| entry.path());
    // kubectl builds those with a kustomization.
    let projects: Vec<PathBuf> = projects.filter(|path| !path.join("base").is_dir()).collect();
    assert!(projects.len() >= 11, "{projects:?}");
    for project in projects {
        let files = if project.is_dir() { yaml_below(&project) } else { vec![project.clone()] };
        let texts = files.iter().map(|file| fs::read_to_string(file).expect("a manifest"));
        let text = texts.collect::<Vec<_>>().join("---\n");
        let newest = catalogue::releases().last().expect("a release");
        let check = |release| {
            checked(&project, &text, release, &data.objects(&release.version))
                .unwrap_or_else(|why| panic!("{why}"))
        };
        let (chosen, _) = check(newest);
        assert_eq!(check(chosen).1, Vec::<String>::new(), "Strimzi {}", chosen.version);
        let fitted = checked_after_fit(&project, &text, chosen, &data.objects(&chosen.version));
        assert_eq!(fitted, Ok(Vec::new()), "Strimzi {}", chosen.version);
    }
}

/// Strimzi's examples fit their own release.
pub fn strimzis_examples_fit_their_release(data: &Data) -> Result<(), String> {
    let folder = data.facts()?.parent().expect("a folder").to_owned();
    let mut count = 0;
    for release in catalogue::releases() {
        for file in yaml_below(&folder.join(release.version.to_string()).join("examples")) {
            example(data, release, &file);
            count += 1;
        }
    }
    match count {
        0 => Err(format!("needs Strimzi's examples below {}", folder.display())),
        _ => Ok(()),
    }
}

fn example(data: &Data, release: &'static Release, file: &Path) {
    let text = fs::read_to_string(file).expect("an example");
    let (chosen, problems) = checked(file, &text, release, &data.objects(&release.version))
        .unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(chosen.version, release.version, "{}", file.display());
}

fn yaml_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(yaml_below(&path)),
            false => {
                found.extend(Some(path).filter(|path| path.extension().is_some_and(|ext| ext == "yaml")))
            }
        }
    }
    found.sort();
    found
}

/// For every field that `v1` no longer has, there is a message about its replacement.
pub fn every_field_removed_in_v1_has_a_replacement(data: &Data) {
    let of = |version: &str, api: &str| {
        let mut fields = BTreeSet::new();
        for object in data.objects(&version.parse().unwrap()) {
            let kind = object.get("/spec/names/kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            let versions = object.get("/spec/versions").and_then(Value::as_array).into_iter().flatten();
            let users = served::KINDS.contains(&kind.as_str());
            for schema in versions.filter(|version| users && version["name"] == api) {
                walk(&schema["schema"]["openAPIV3Schema"]["properties"]["spec"], "/spec", &kind, &mut fields);
            }
        }
        fields
    };
    let new = of("1.2.0", "v1");
    let mut lost = 0;
    for old in ["0.45.2", "0.51.0"] {
        let old = of(old, "v1beta2");
        for (kind, pointer) in &old {
            let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
            let gone = |pointer: &str| !new.contains(&(kind.clone(), pointer.to_owned()));
            // MirrorMaker 1 has a single message for the whole resource; fields that only changed their form have the
            // same name.
            let form = pointer.contains("/emptyDir/sizeLimit/");
            if kind == "KafkaMirrorMaker"
                || form
                || !gone(pointer)
                || parent != "/spec" && gone(parent.trim_end_matches("/0"))
            {
                continue;
            }
            lost += 1;
            assert!(has_replacement(kind, pointer), "{kind} {pointer}");
        }
    }
    assert!(lost > 100, "{lost}");
}

fn walk(schema: &Value, pointer: &str, kind: &str, fields: &mut BTreeSet<(String, String)>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{name}");
        fields.insert((kind.to_owned(), pointer.clone()));
        walk(schema, &pointer, kind, fields);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{pointer}/0"), kind, fields);
    }
}
