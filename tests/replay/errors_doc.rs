//! `docs/errors.md` and the rules hold each other.

#[test]
fn every_id_has_its_section() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    let text = std::fs::read_to_string(path).unwrap();
    let missing: Vec<String> = kstrim::explain::ids()
        .into_iter()
        .filter(|id| {
            let section = text.split(&format!("\n## {id}\n")).nth(1).unwrap_or("");
            let section = section.split("\n## ").next().unwrap_or("");
            !["**Meaning.**", "**How kstrim knows.**", "**What to do.**"]
                .iter()
                .all(|part| section.contains(part))
        })
        .map(|id| id.to_string())
        .collect();
    assert!(missing.is_empty(), "no whole section in docs/errors.md: {missing:?}");
}

#[test]
fn ids_are_well_formed() {
    for id in kstrim::explain::ids() {
        let rest = id.0.strip_prefix("KS-").unwrap_or_else(|| panic!("{id}"));
        assert!(!rest.is_empty() && id.0.len() <= 40, "{id}");
        assert!(rest.chars().all(|c| c.is_ascii_uppercase() || c == '-'), "{id}");
    }
}
