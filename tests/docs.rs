//! What the documents say of the code is what the code says.

use std::collections::{BTreeMap, BTreeSet};

use kstrim::internals::failure::Kind;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every word of a file below `src` and `tests`, by its path.
fn sources() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut folders = vec!["src".to_owned(), "tests".to_owned()];
    while let Some(folder) = folders.pop() {
        let path = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            match entry.file_type().expect("a type") {
                t if t.is_dir() => folders.push(name),
                _ if name.ends_with(".rs") => all.push((name.clone(), read(&name))),
                _ => {}
            }
        }
    }
    all
}

/// The walk through all explanations names only what there is, and every rule is in it.
#[test]
fn each_explanation_has_its_rule_its_tests_and_its_fault() {
    use kstrim::internals::explain;
    let text = read("docs/explanations.md");
    let (_, table) = text.split_once("<!-- explanations -->\n").expect("the table's beginning");
    let (table, _) = table.split_once("<!-- /explanations -->").expect("the table's end");
    let (sources, reliability) = (sources(), read("docs/reliability.md"));
    let faults: BTreeMap<&str, &str> = reliability
        .lines()
        .filter_map(|line| Some((line.strip_prefix("| `")?.split_once('`')?.0, line)))
        .collect();
    let mut ids = BTreeSet::new();
    for row in table.lines().skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, id, does, rule, shown, alike, named] = cells[..] else { panic!("{row}") };
        ids.insert(id);
        let entry = kstrim::internals::errors::find(id).unwrap_or_else(|| panic!("no such error: {row}"));
        let severity = match entry.severity {
            explain::Severity::Prevent => "prevented",
            explain::Severity::Heal => "recovered",
            explain::Severity::Consent => "needs consent",
            explain::Severity::Explain => "explained",
        };
        assert_eq!(does, severity, "{row}");
        let file = sources.iter().find(|(path, _)| *path == format!("src/{rule}"));
        assert!(file.is_some(), "no such file: {row}");
        for test in shown.split(", ").chain(alike.split(", ")) {
            let head = format!("fn {test}()");
            assert!(sources.iter().any(|(_, code)| code.contains(&head)), "no test {test}: {row}");
        }
        for fault in named.split(", ").filter(|f| !f.is_empty()) {
            assert!(faults.contains_key(fault), "no fault {fault}: {row}");
        }
    }
    let mentioned: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|w| w.contains('_')).collect();
    for test in mentioned {
        let head = format!("fn {test}()");
        assert!(sources.iter().any(|(_, code)| code.contains(&head)), "no test {test}");
    }
    let missing: Vec<_> =
        explain::rules().flat_map(|rule| rule.ids).filter(|id| !ids.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "no row in docs/explanations.md for: {missing:?}");
}

/// `docs/exit-codes.md` has a row for each kind, and no other.
#[test]
fn the_table_of_exit_codes_is_that_of_the_kinds() {
    let text = read("docs/exit-codes.md");
    let rows: BTreeMap<String, u8> = text
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let code = cells.next()?.parse().ok()?;
            let kind = cells.next()?.trim().strip_prefix('`')?.strip_suffix('`')?;
            Some((kind.to_owned(), code))
        })
        .collect();
    // The names come from the schema that the type itself generates, so a new kind is seen here.
    let schema = schemars::schema_for!(Kind).to_value();
    let cases = schema["oneOf"].as_array().expect("a choice");
    let mut kinds = BTreeMap::new();
    for name in cases.iter().map(|case| case["const"].as_str().expect("a name")) {
        let kind: Kind = serde_json::from_value(name.into()).expect("a kind");
        kinds.insert(name.to_owned(), kind.exit_code());
    }
    assert_eq!(rows, kinds);
    let codes: BTreeSet<_> = kinds.values().collect();
    assert_eq!(codes.len(), kinds.len(), "two kinds have one exit code");
}
