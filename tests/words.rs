//! The words of other programs that decide anything are in one table, `src/words.rs`.

mod source;

/// What looks for words in a text.
const LOOKING: [&str; 9] = [
    "contains",
    "starts_with",
    "ends_with",
    "split_once",
    "rsplit_once",
    "strip_prefix",
    "strip_suffix",
    "find",
    "matches",
];

/// Whether a literal is words, not a mark such as `": "` or a name such as `"strimzi.io/"`.
fn is_words(literal: &str) -> bool {
    let words = literal.split(' ').filter(|w| w.chars().filter(char::is_ascii_alphabetic).count() >= 2);
    words.count() >= 2
}

/// The literals that a line looks for.
fn looked_for(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for name in LOOKING {
        for rest in line.split(&format!(".{name}(\"")).skip(1) {
            found.extend(rest.split('"').next());
        }
    }
    found
}

#[test]
fn words_of_others_are_looked_for_by_the_table_alone() {
    let mut wrong = Vec::new();
    for file in source::files().iter().filter(|f| !f.test && f.path != "words.rs") {
        for (at, line) in file.code.iter().enumerate() {
            let words = looked_for(line).into_iter().filter(|literal| is_words(literal));
            wrong.extend(words.map(|literal| format!("src/{}:{}: {literal:?}", file.path, at + 1)));
        }
    }
    assert!(wrong.is_empty(), "these belong into src/words.rs: {wrong:#?}");
}

#[test]
fn words_are_found_where_they_are() {
    assert_eq!(
        looked_for(r#"if message.contains("no such thing") || l.starts_with("a")"#),
        ["no such thing", "a"]
    );
    assert!(is_words("connection refused") && !is_words("remaining: ") && !is_words("strimzi.io/"));
}
