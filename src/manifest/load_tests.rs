use proptest::prelude::*;

use super::*;
use crate::errors;
use crate::failure::Id;
use crate::manifest::{digest, to_yaml};

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

fn refused(text: &str) -> (Id, String) {
    let failure = from_bytes("x.yaml", text.as_bytes()).expect_err("must be refused");
    (failure.id, format!("{failure} | {}", failure.causes.join(" | ")))
}

#[test]
fn documents_and_lists_become_objects() {
    let text = format!(
        "# comment\n---\n---\n{GOOD}---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {{name: b}}\n...\n"
    );
    let objects = from_bytes("x", text.as_bytes()).unwrap();
    let shown: Vec<_> = objects.iter().map(Object::to_string).collect();
    assert_eq!(shown, ["ConfigMap a", "Secret b"]);
}

#[test]
fn errors_name_the_place() {
    let texts = [
        &format!("{GOOD}---\na: b\n  c: d\n"),
        &format!("{GOOD}---\nkind: A\nkind: B\n"),
        "just text",
        "- a\n- b",
        "kind: A\n? [x]\n: b\n",
        "a: 1\nb: !x 1",
        "a: .nan",
        "a: &x {b: 1}\nc: {<<: *x}",
    ];
    let shown: Vec<_> = texts.iter().map(|text| format!("{text:?}\n  {}\n", refused(text).1)).collect();
    insta::assert_snapshot!(shown.concat());
}

#[test]
fn invalid_objects_are_refused() {
    for (text, id) in [
        ("", errors::MANIFEST_EMPTY),
        ("# nothing\n\n  # here", errors::MANIFEST_EMPTY),
        ("---\n---\n", errors::MANIFEST_EMPTY),
        ("a: b", errors::MANIFEST_OBJECT),
        ("apiVersion: v1\nkind: A\nmetadata: {}", errors::MANIFEST_OBJECT),
        ("apiVersion: v1\nkind: [A]\nmetadata: {name: a}", errors::MANIFEST_OBJECT),
        ("apiVersion: v1\nkind: A\nmetadata: {name: a, labels: [x]}", errors::MANIFEST_OBJECT),
        ("apiVersion: v1\nkind: List", errors::MANIFEST_OBJECT),
        ("apiVersion: v1\nkind: List\nitems: [1]", errors::MANIFEST_OBJECT),
        (&format!("{GOOD}---\n{GOOD}"), errors::MANIFEST_DUPLICATE),
        ("\u{0}\u{1}", errors::MANIFEST_YAML),
        ("a: [", errors::MANIFEST_YAML),
    ] {
        assert_eq!(refused(text).0, id, "{text:?}");
    }
    assert_eq!(from_bytes("x", &[0xff, 0xfe, 0xfd, b'a']).unwrap_err().id, errors::MANIFEST_YAML);
}

#[test]
fn the_same_name_in_two_groups_is_not_a_duplicate() {
    let other = GOOD.replace("v1", "example.org/v1");
    assert_eq!(from_bytes("x", format!("{GOOD}---\n{other}").as_bytes()).unwrap().len(), 2);
}

#[test]
fn nested_aliases_are_a_bomb() {
    // Each level is ten times as large as the one before.
    let mut nested = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..12 {
        let m = n - 1;
        nested += &format!("a{n}: &a{n} [*a{m},*a{m},*a{m},*a{m},*a{m},*a{m},*a{m},*a{m},*a{m},*a{m}]\n");
    }
    assert_eq!(refused(&nested).0, errors::MANIFEST_YAML);
}

#[test]
fn many_aliases_of_one_anchor_are_a_bomb() {
    // Not nested, so it passes the parser's own limit.
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(3_000), "*a,".repeat(3_000));
    let (id, text) = refused(&wide);
    assert_eq!(id, errors::MANIFEST_YAML);
    assert!(text.contains("alias"), "{text}");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a,".repeat(1000));
    assert_eq!(refused(&long).0, errors::MANIFEST_YAML);
}

#[test]
fn depth_is_limited() {
    let texts = [
        format!("a: {}1{}", "[".repeat(900), "]".repeat(900)),
        format!("a: {}", "[".repeat(10 << 20)),
        format!("a: {}", "{a: ".repeat(1 << 20)),
        format!("{}a", "- ".repeat(50_000)),
        (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
    ];
    for text in texts {
        assert_eq!(refused(&text).0, errors::MANIFEST_YAML);
    }
}

#[test]
fn size_is_limited() {
    let big = " ".repeat(SIZE_LIMIT as usize + 1);
    assert_eq!(refused(&big).0, errors::MANIFEST_TOO_LARGE);
}

#[test]
fn honest_aliases_work() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: &n a}\ndata: {x: *n}\n";
    let objects = from_bytes("x", text.as_bytes()).unwrap();
    assert_eq!(objects[0].get("/data/x").unwrap(), "a");
}

#[test]
fn folders_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("20-b.yaml", &GOOD.replace("name: a", "name: b"));
    write("10-a.yml", GOOD);
    write("README.md", "not yaml: [");
    let objects = from_path(folder.path()).unwrap();
    assert_eq!(objects.iter().map(Object::name).collect::<Vec<_>>(), ["a", "b"]);
    write("30.yaml", GOOD);
    assert_eq!(from_path(folder.path()).unwrap_err().id, errors::MANIFEST_DUPLICATE);
    assert_eq!(from_path(&folder.path().join("none")).unwrap_err().id, errors::MANIFEST_UNREADABLE);
}

/// Objects with strings, numbers and nested values.
fn objects() -> impl Strategy<Value = Vec<Object>> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[0-9.eE:+-]{0,6}".prop_map(Value::from),
        "(y|n|on|off|yes|null|~|true|0x1F|0o17|017|<<|\\.inf|=)".prop_map(Value::from),
        Just(Value::Null),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z./-]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[a-z]{1,6}", tree, 1..6).prop_map(|all| {
        let object = |(name, spec): (String, Value)| {
            Object::new(serde_json::json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "spec": spec,
            }))
            .unwrap()
        };
        all.into_iter().map(object).collect()
    })
}

fn reversed_keys(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(k, v)| (k.clone(), reversed_keys(v))).collect())
        }
        Value::Array(items) => items.iter().map(reversed_keys).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = from_bytes("x", &bytes);
    }

    #[test]
    fn yaml_like_text_never_panics(text in "([-?:,\\[\\]{}#&*!|>'\"%@`a-c0-9 \n~<.]|--- |\\.\\.\\.\n){0,80}") {
        let _ = from_bytes("x", text.as_bytes());
    }

    #[test]
    fn written_objects_can_be_read(objects in objects()) {
        let read = from_bytes("x", to_yaml(&objects).as_bytes()).unwrap();
        prop_assert_eq!(read, objects);
    }

    #[test]
    fn the_digest_ignores_order_and_formatting(objects in objects(), turn in 0_usize..6) {
        let expected = digest(&objects);
        let mut other: Vec<_> =
            objects.iter().map(|o| Object::new(reversed_keys(o.value())).unwrap()).collect();
        let turn = turn % other.len();
        other.rotate_left(turn);
        prop_assert_eq!(&digest(&other), &expected);
        let json: String = other.iter().map(|o| format!("---\n{}\n", o.value())).collect();
        prop_assert_eq!(&digest(&from_bytes("x", json.as_bytes()).unwrap()), &expected);
        let mut changed = objects.clone();
        changed[0].set(&["data"], "x");
        prop_assert_ne!(&digest(&changed), &expected);
    }
}

/// Words without quotes are read as kubectl reads them, as in every other manifest.
#[test]
fn words_of_older_yaml_are_read_as_kubectl_reads_them() {
    let spec = |text: &str| {
        let text = format!("apiVersion: v1\nkind: A\nmetadata: {{name: a}}\n{text}");
        from_bytes("x.yaml", text.as_bytes()).map(|objects| objects[0].get("/spec").cloned().unwrap())
    };
    let text = "spec:\n  mode: 0644\n  port: 8080\n  on: yes\n  keep: 'no'\n  env: [{name: P, value: \"8080\"}]\n  \
                script: |\n    set: off\n  size: 1_000\n";
    let read = serde_json::json!({"mode": 420, "port": 8080, "true": true, "keep": "no",
        "env": [{"name": "P", "value": "8080"}], "script": "set: off\n", "size": 1000});
    assert_eq!(spec(text).unwrap(), read);
    let crlf = spec(&text.replace('\n', "\r\n")).unwrap();
    assert_eq!(crlf, read, "lines may end as on Windows");
    let keys = spec("spec: {no: b, 010: g, 1_000: e, 0x1F: z, 'off': k, 1.50: f, 0644: o}").unwrap();
    let by_kubectl = serde_json::json!({"false": "b", "8": "g", "1000": "e", "31": "z", "off": "k", "1.5": "f", "420": "o"});
    assert_eq!(keys, by_kubectl, "as kubectl 1.34.4 prints them");
    assert_eq!(
        from_bytes("x", "\u{feff}---\nkind: A\nmetadata: {name: a}\napiVersion: v1\n".as_bytes())
            .unwrap()
            .len(),
        1
    );
    let refused = spec("spec: {a: yes, b: 'yes'}").unwrap_err();
    assert!(refused.causes[0].contains("with and without quotes"), "{refused:?}");
}
