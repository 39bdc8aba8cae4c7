use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde::Serialize as _;
use serde_json::json;

use super::*;

fn single_value(text: &str) -> Value {
    let mut all = parse(text, 10).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).value
}

fn fault(text: &str) -> Fault {
    match parse(text, 10) {
        Ok(all) => panic!("{text}: {all:?}"),
        Err(fault) => fault,
    }
}

/// `manifest/plain.rs` compares words with the values that kubectl reads.
#[test]
fn words_are_read_as_kubectl_reads_them() {
    let text = "a: yes\nb: \"yes\"\nc: 0644\nd: '0644'\ne: 1_000\nf: 12:30\ng: 1.5\nh: ~\ni: Null\nj: no\n\
                k: !!str 1\nl: 2024-01-15\nm: 5Gi\nnn: true\no:\np: 0x1F\nq: |\n  on\nyes: 1\n1: 2\n";
    assert_eq!(
        single_value(text),
        json!({
            "a": true, "b": "yes", "c": 420, "d": "0644", "e": 1000, "f": "12:30", "g": 1.5, "h": null, "i": null,
            "j": false, "k": "1", "l": "2024-01-15", "m": "5Gi", "nn": true, "o": null, "p": 31, "q": "on\n",
            "true": 1, "1": 2,
        })
    );
}

#[test]
fn every_field_has_its_line() {
    let text = "\n# a comment\nkind: Kafka\nspec:\n  listeners:\n    - name: plain\n      port: 9092\n    - {name: tls,\n       \
                port: 9093}\n  text: |\n    a\n    b\n  after: 1\n---\nkind: Second\n";
    let all = parse(text, 10).expect("two documents");
    let line = |at: usize, pointer: &str| all[at].lines.of(pointer).map(Lines::line);
    for (pointer, expected) in [
        ("/kind", 3),
        ("/spec", 4),
        ("/spec/listeners", 5),
        ("/spec/listeners/0", 6),
        ("/spec/listeners/0/port", 7),
        ("/spec/listeners/1/name", 8),
        ("/spec/listeners/1/port", 9),
        ("/spec/text", 10),
        ("/spec/after", 13),
    ] {
        assert_eq!(line(0, pointer), Some(expected), "{pointer}");
    }
    assert_eq!((line(0, "/spec/none"), line(1, "/kind")), (None, Some(15)));
}

#[test]
fn aliases_and_merge_keys_are_followed() {
    let text = "base: &base {cpu: 1, memory: 2Gi}\nuse: *base\nmerged:\n  <<: *base\n  cpu: 4\nboth:\n  <<: [{a: 1}, {a: 2, b: 3}]\n\
         quoted:\n  \"<<\": 1\n";
    let value = single_value(text);
    assert_eq!(value["use"], json!({"cpu": 1, "memory": "2Gi"}));
    assert_eq!(value["merged"], json!({"cpu": 4, "memory": "2Gi"}));
    assert_eq!(value["both"], json!({"a": 1, "b": 3}));
    assert_eq!(value["quoted"], json!({"<<": 1}));
}

#[test]
fn errors_have_their_line() {
    for (text, line, words) in [
        ("a: 1\nb:\n\tc: 1\n", 3, "tab"),
        ("a: 1\nb: 2\na: 3\n", 3, "\"a\" occurs twice"),
        ("a: 1\nyes: 2\ntrue: 3\n", 3, "\"true\" occurs twice"),
        ("a: 1\nb: !custom x\n", 2, "tag"),
        ("a: .nan\n", 1, "finite"),
        ("a: [1, 2\nb: 3\n", 2, ""),
        ("a: 1\n? [b]\n: 2\n", 2, "a key must be text"),
        ("a:\n  <<: 1\n", 2, "merged"),
        ("a: *none\n", 1, ""),
        ("a: &a [*a]\n", 1, "not complete"),
    ] {
        let fault = fault(text);
        assert_eq!(fault.line, line, "{text}: {fault:?}");
        assert!(fault.why.contains(words) && !fault.too_large, "{text}: {fault:?}");
    }
}

/// Tabs, surrogate pairs, long keys and several objects are valid in JSON only.
#[test]
fn json_is_read_as_kubectl_does() {
    let text = "{\n\t\"a\": 1,\n\t\"b\": {\n\t\t\"c\": [\n\t\t\ttrue,\n\t\t\tnull,\n\t\t\t-1.5e2]\n\t},\n\t\
                \"d\": \"x\\ty\\/z \\ud83d\\ude00 \\\"{[,:\\\\\"\n}\n";
    assert_eq!(
        single_value(text),
        json!({"a": 1, "b": {"c": [true, null, -150.0]}, "d": "x\ty/z \u{1f600} \"{[,:\\"})
    );
    let long = "k".repeat(3000);
    assert_eq!(single_value(&format!("{{\"{long}\": {{}}}}"))[&long], json!({}));
    assert_eq!(single_value("{\"<<\": {\"a\": 1}}"), json!({"<<": {"a": 1}}));

    let several = "\n{\"a\": 1}\n{\n\t\"b\":\n\t2}{\"c\": [{\"d\": 3}]}\n";
    let all = parse(several, 10).expect("three documents");
    let values: Vec<&Value> = all.iter().map(|parsed| &parsed.value).collect();
    assert_eq!(values, [&json!({"a": 1}), &json!({"b": 2}), &json!({"c": [{"d": 3}]})]);
    let line = |at: usize, pointer: &str| all[at].lines.of(pointer).map(Lines::line);
    assert_eq!((all[0].lines.line(), all[1].lines.line()), (2, 3));
    assert_eq!((line(1, "/b"), line(2, "/c/0/d")), (Some(4), Some(5)));
    assert!(parse(several, 2).expect_err("too many").too_large);

    // YAML that looks like JSON is still read; what is neither has JSON's error.
    assert_eq!(single_value("{\"a\": 1, # a comment\n}"), json!({"a": 1}));
    for (text, line) in [
        ("{\n\t\"a\": 1\n\t\"b\": 2\n}\n", 3),
        ("{\"a\": 1}\n{\"b\": ", 2),
        ("{\"a\": 1,\n \"a\": 2}", 2),
        ("{\"a\":\n \"\\ud83d\"}", 2),
    ] {
        let fault = fault(text);
        assert!(fault.line == line && !fault.why.contains("tab"), "{text}: {fault:?}");
    }
}

#[test]
fn bombs_are_stopped_by_a_limit() {
    let start = Instant::now();
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let many = "---\na: 1\n".repeat(20);
    let deep = "- ".repeat(3000) + "x";
    let blocks: String = (0..2000).map(|level| " ".repeat(level) + "a:\n").collect();
    for text in [&bomb, &many, &"[".repeat(100_000), &"{a: ".repeat(100_000), &deep, &blocks] {
        let fault = fault(text);
        assert!(fault.too_large, "{fault:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, 10);
    }

    #[test]
    fn yaml_like_text_does_not_panic(text in "([a-c&*!<>|\"'\\[\\]{}:?,#%@~ \n\t-]|: |- |\n  |---\n|<<: |&a |\\*a ){0,80}") {
        let _ = parse(&text, 10);
    }

    #[test]
    fn json_like_text_does_not_panic(text in "\\{\"[a-c&*!<>|\"'\\[\\]{}:?,#%@~ \n\t\\\\-]{0,60}") {
        let _ = parse(&text, 10);
    }

    #[test]
    fn json_is_read_as_it_is_written(value in values()) {
        let value = json!({"value": value});
        let mut tabs = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut tabs, formatter)).expect("JSON");
        for text in [value.to_string(), String::from_utf8(tabs).expect("UTF-8")] {
            let all = parse(&text, 10).expect("valid JSON");
            prop_assert_eq!(&all[0].value, &value, "{}", text);
        }
    }

    /// The other reader of this crate, which uses another parser, reads the same.
    #[test]
    fn both_readers_read_the_same(value in values()) {
        let text = serde_yaml::to_string(&value).expect("JSON is YAML");
        let all = parse(&text, 10).expect("valid YAML");
        prop_assert_eq!(&all[0].value, &value, "{}", text);
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{2}[a-zA-Z0-9 ./:#\\n\"'-]{0,12}[a-z]{2}zz".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{3,8}zz", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
