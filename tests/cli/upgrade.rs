//! `kstrim upgrade`: the way, and what forbids one.

use serde_json::Value;

use crate::harness::Test;
use crate::support::{PROFILE, events, failure, fresh, install_of, quick, text, told, written};

/// Releases of the tests: Kafka versions and served versions as in the catalogue.
const RELEASES: [(&str, &[&str], &[&str]); 3] = [
    ("0.51.0", &["4.1.0", "4.1.1", "4.2.0"], &["v1", "v1beta2"]),
    ("1.0.1", &["4.1.0", "4.1.1", "4.1.2", "4.2.0"], &["v1"]),
    ("1.2.0", &["4.2.0", "4.2.1", "4.3.0", "4.3.1"], &["v1"]),
];

fn manifest(release: &str) -> String {
    format!("manifests/strimzi-cluster-operator-{release}.yaml")
}

/// A world in which `up` of this release went through.
fn runs(release: &str, more: &[&str]) -> Test {
    let mut test = fresh().scenario(quick);
    for (release, kafkas, served) in RELEASES {
        test.write(&manifest(release), text(&install_of(release, kafkas, served)));
    }
    let file = manifest(release);
    let mut args = vec!["up", "--release", release, "--manifests", &file];
    args.extend(more);
    test.args(args).run().expect(0);
    test.forget_calls();
    test
}

/// The steps of a dry run.
fn dry(test: &mut Test, to: &str) -> (Value, Vec<String>) {
    let args = ["upgrade", "--release", to, "--dry-run", "-o", "json"];
    let told: Value = serde_json::from_str(&test.args(args).run().expect(0).stdout).expect("JSON");
    let steps = told["steps"].as_array().expect("steps").iter();
    let word = |s: &Value| format!("{} {}", s["step"].as_str().unwrap(), s["release"].as_str().unwrap());
    let steps = steps.filter(|s| s["step"] != "smoke").map(word).collect();
    (told, steps)
}

#[test]
fn the_way_is_shown_and_nothing_changed() {
    let mut test = runs("1.0.1", &[]);
    let (told, steps) = dry(&mut test, "1.2.0");
    assert_eq!(steps, ["operator 1.2.0", "kafka 1.2.0", "metadata 1.2.0"]);
    assert_eq!(
        (&told["from"]["kafka"], &told["to"]["kafka"], &told["from"]["mode"]),
        (&"4.2.0".into(), &"4.3.1".into(), &"kraft".into())
    );
    let schema = std::fs::read_to_string("docs/schema/upgrade.schema.json").expect("the schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema").validate(&told).expect("by the schema");
    let shown = test.args(["upgrade", "--release", "1.2.0", "--dry-run"]).run().expect(0).stdout;
    assert!(shown.contains("rule metadata-last: ") && shown.contains("Nothing was changed"), "{shown}");
    let same = test.args(["upgrade", "--release", "1.0.1", "--dry-run"]).run().expect(0).stdout;
    assert!(same.contains("Nothing to do"), "{same}");
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn what_forbids_a_way_is_named() {
    let mut test = runs("1.0.1", &[]);
    let refused = |test: &mut Test, args: &[&str], code: i32| {
        let mut all = vec!["upgrade", "--dry-run", "--release"];
        all.extend(args);
        test.args(all).run().expect(code).stderr
    };
    let older = refused(&mut test, &["0.51.0"], 2);
    assert!(older.contains("KS-UPGRADE-NO-PATH") && older.contains("rule no-downgrade"), "{older}");
    let nowhere = refused(&mut test, &["9.9.9"], 2);
    assert!(nowhere.contains("KS-VERSION-RELEASE-UNKNOWN"), "{nowhere}");
    let unknown = refused(&mut test, &["1.2.0", "--kafka", "4.1.2"], 2);
    assert!(unknown.contains("KS-VERSION-CONTRADICTION"), "{unknown}");
    // `up` does not replace the operator under a Kafka.
    let lines = events(&mut test, ["up"], 2);
    assert_eq!(failure(&lines), "KS-RELEASE-UPGRADE");
    assert!(told(&lines).contains("kstrim upgrade --release 1.2.0"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
    assert_eq!(test.object(PROFILE, crate::support::KAFKA)["spec"]["kafka"]["version"], "4.2.0");
}

#[test]
fn before_1_0_everything_is_converted() {
    let mut test = runs("0.51.0", &[]);
    let (_, steps) = dry(&mut test, "1.0.1");
    assert_eq!(steps, ["convert 0.51.0", "operator 1.0.1", "resources 1.0.1"]);
}
