//! Settings from files: precedence, rejected settings, and `kstrim config`.

use std::fs;

use serde_json::Value;

use crate::harness::Test;
use crate::support::{fresh, kstrim};

const USER: &str = ".config/kstrim/config.yaml";

fn write_user(test: &Test, text: &str) {
    let file = test.home().join(USER);
    fs::create_dir_all(file.parent().expect("a folder")).expect("the user's directory");
    fs::write(file, text).expect("the user's file");
}

/// (value, origin, where) of a setting.
fn setting(shown: &Value, key: &str) -> (Value, String, String) {
    let all = shown["settings"].as_array().expect("a list");
    let one = all.iter().find(|s| s["key"] == key).unwrap_or_else(|| panic!("no {key} in {shown}"));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    (one["value"].clone(), text(&one["origin"]), text(&one["where"]))
}

#[test]
fn flag_env_project_user_default() {
    let mut test = fresh().env("KSTRIM_CPUS", "6").env("KSTRIM_TIMEOUT", "9m");
    write_user(&test, "memory: 5g\ncpus: 3\nnodes: 2\ndriver: podman\n");
    let project =
        test.write("kstrim.yaml", "# ours\nmemory: 6g\nstock: true\nminikube-arg: [--force, --cni=bridge]\n");
    let trusted = kstrim(&mut test, ["trust"]).expect(0);
    assert!(
        trusted.stderr.contains("kstrim.yaml:4: minikube-arg: --force, --cni=bridge"),
        "{}",
        trusted.stderr
    );
    let shown = kstrim(&mut test, ["config", "show", "--driver", "docker", "-o", "json"]).expect(0).json();
    assert_eq!((&shown["files"][1]["trusted"], &shown["files"][0]["trusted"]), (&true.into(), &false.into()));
    let is = |key: &str, value: &str, origin: &str, place: &str| {
        let (found, from, at) = setting(&shown, key);
        assert_eq!((found.as_str(), from.as_str()), (Some(value), origin), "{key} in {shown}");
        assert!(at.ends_with(place), "{key}: {at}");
    };
    is("driver", "docker", "flag", "");
    is("cpus", "6", "env", "KSTRIM_CPUS");
    is("timeout", "9m", "env", "KSTRIM_TIMEOUT");
    is("memory", "6g", "project", "kstrim.yaml:2");
    is("stock", "true", "project", "kstrim.yaml:3");
    is("minikube-arg", "--force,--cni=bridge", "project", ":4");
    is("nodes", "2", "user", &format!("{USER}:3"));
    is("profile", "kstrim", "default", "");
    assert_eq!(setting(&shown, "kafka").0, Value::Null);
    assert_eq!(test.calls(), [], "it asks nobody");

    // A file that no longer exists is not read.
    fs::remove_file(project).expect("the project's file");
    let shown = kstrim(&mut test, ["config", "show", "-o", "json"]).expect(0).json();
    assert_eq!(setting(&shown, "memory").0, "5g");
    assert_eq!(setting(&shown, "driver").0, "podman");
}

#[test]
fn settings_of_a_file_reach_minikube_and_the_manifests() {
    let mut test = fresh();
    test.write("kstrim.yaml", "memory: 6g\nnamespace: events\ncluster: orders\nprofile: shop\n");
    let rendered = kstrim(&mut test, ["render", "--only", "kafka"]).expect(0).stdout;
    assert!(rendered.contains("namespace: events") && rendered.contains("name: orders"), "{rendered}");
    let plan = kstrim(&mut test, ["plan"]).expect(0).stdout;
    assert!(plan.contains("-p shop") && plan.contains("--memory=6g"), "{plan}");
    // A flag still takes precedence.
    let rendered = kstrim(&mut test, ["render", "--only", "kafka", "-n", "other"]).expect(0).stdout;
    assert!(rendered.contains("namespace: other"), "{rendered}");
}

#[test]
fn an_invalid_file_is_rejected_with_its_line_before_anything_runs() {
    for (text, words) in [
        ("memory: 4g\nmemori: 5g\n", ["kstrim.yaml:2", "did you mean `memory`?", "KS-CONFIG-KEY"]),
        ("namespace: My_Kafka\n", ["kstrim.yaml:1", "DNS-1123", "KS-CONFIG-VALUE"]),
        ("kubernetes-version: 1.30\n", ["kstrim.yaml:1", "quote it", "KS-CONFIG-VALUE"]),
        ("memory: [\n", ["kstrim.yaml", "is not valid YAML", "KS-CONFIG-UNREADABLE"]),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", ["kstrim.yaml:1", "unknown setting", "KS-CONFIG-KEY"]),
    ] {
        let mut test = fresh();
        test.write("kstrim.yaml", text);
        for verb in ["up", "status"] {
            let run = kstrim(&mut test, [verb]).expect(2);
            for word in words {
                assert!(run.stderr.contains(word), "{text}: no {word:?} in\n{}", run.stderr);
            }
        }
        assert_eq!(test.calls(), [], "{text}");
        // Help is available nevertheless.
        kstrim(&mut test, ["up", "--help"]).expect(0);
    }
    let mut test = fresh();
    test.write("kstrim.yaml", vec![b'#'; 70_000]);
    let run = kstrim(&mut test, ["status"]).expect(2);
    assert!(run.stderr.contains("70000 bytes"), "{}", run.stderr);
}

#[test]
fn init_writes_the_defaults() {
    let mut test = fresh();
    let before = kstrim(&mut test, ["config", "show", "-o", "json"]).expect(0).json();
    let run = kstrim(&mut test, ["config", "init"]).expect(0);
    assert_eq!(run.stdout, "kstrim.yaml\n");
    let file = test.work().join("kstrim.yaml");
    let text = fs::read_to_string(&file).expect("the file");
    for key in ["memory", "preset", "image-archive", "stock"] {
        assert!(text.contains(&format!("\n#{key}:")), "{key} in\n{text}");
    }
    let after = kstrim(&mut test, ["config", "show", "-o", "json"]).expect(0).json();
    assert_eq!(after["settings"], before["settings"]);

    // With every commented value enabled it still describes the defaults.
    let told: String = text
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|l| !l.starts_with([' ', '!']) && !l.ends_with(':')))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(told.contains("profile: kstrim"), "{told}");
    fs::write(&file, told).expect("the file");
    let values = |shown: &Value| -> Vec<Value> {
        shown["settings"].as_array().expect("a list").iter().map(|s| s["value"].clone()).collect()
    };
    let shown = kstrim(&mut test, ["config", "show", "-o", "json"]).expect(0).json();
    assert_eq!(values(&shown), values(&before));

    let run = kstrim(&mut test, ["config", "init"]).expect(5);
    assert!(run.stderr.contains("KS-CONFIG-EXISTS"), "{}", run.stderr);
    kstrim(&mut test, ["config", "init", "--force"]).expect(0);
    kstrim(&mut test, ["config", "init", "--user"]).expect(0);
    assert!(test.home().join(USER).is_file());
}

#[test]
fn the_published_schema_matches_the_programs() {
    let mut test = fresh();
    let printed = kstrim(&mut test, ["config", "schema"]).expect(0).stdout;
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/config.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(published, &printed).expect("the schema");
    }
    assert_eq!(
        fs::read_to_string(published).expect("the schema"),
        printed,
        "`cargo xtask schemas` writes it; review the diff"
    );
}

/// As CI systems set variables that have no value.
#[test]
fn an_empty_variable_leaves_the_files_value() {
    let test = crate::support::fresh();
    write_user(&test, "memory: 5g\nnamespace: team\n");
    let mut test = test.env("KSTRIM_MEMORY", "").env("KSTRIM_NAMESPACE", "");
    let shown = test.args(["config", "show"]).run().expect(0).stdout;
    assert!(shown.contains("5g") && shown.contains("team"), "{shown}");
}
