//! Writes objects as YAML that YAML 1.1 and 1.2 parsers read identically.
//!
//! kstrim writes YAML 1.2, kubectl and many other programs read YAML 1.1, in which more plain words are not strings:
//! `yes`, `1_000`, `2024_01_15`, `12:30`. Those are quoted.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Object;

/// The objects as a YAML stream.
pub fn to_yaml(objects: &[Object]) -> String {
    objects.iter().map(|object| format!("---\n{}", text(object))).collect()
}

/// Anything as YAML.
pub fn text(data: &impl Serialize) -> String {
    let value = serde_json::to_value(data).unwrap_or_default();
    let plain = value.to_string();
    // The serializer cannot be configured to quote: such words get marks, which are replaced by quotes. The data does
    // not contain the mark.
    let mark = ('\u{E000}'..='\u{F8FF}').find(|mark| !plain.contains(*mark)).unwrap_or('\u{E000}');
    let marked = serde_yaml::to_string(&quoted(value, mark))
        .unwrap_or_else(|e| unreachable!("JSON values are always YAML: {e}"));
    marked.replace(mark, "'")
}

/// The same value with marks around every key or string that is not a string in YAML 1.1.
fn quoted(value: Value, mark: char) -> Value {
    let quote = |text: String| if is_ambiguous(&text) { format!("{mark}{text}{mark}") } else { text };
    match value {
        Value::String(text) => Value::String(quote(text)),
        Value::Array(all) => all.into_iter().map(|value| quoted(value, mark)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (quote(key), quoted(value, mark)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Whether a plain word is, or may be, something other than a string in YAML 1.1: booleans, null, numbers with
/// underscores, in other bases and in base 60, timestamps. In doubt it is quoted: a quoted word is a string
/// everywhere.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<"];
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let number = |c: char| c.is_ascii_digit() || "_:.+-eEtTzZ ".contains(c);
    let unsigned = text.trim_start_matches(['+', '-']);
    let based = ["0x", "0X", "0o", "0O", "0b", "0B"].iter().any(|base| {
        let rest = unsigned.strip_prefix(base);
        rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit() || c == '_'))
    });
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let special = ["inf", "nan"].iter().any(|word| {
        let rest = unsigned.strip_prefix('.');
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(word))
    });
    // Versions such as 4.3.1 are strings everywhere.
    let version = text.matches('.').count() > 1 && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let digits = text.contains(|c: char| c.is_ascii_digit());
    // The serializer itself quotes a word with a colon and a blank, which would put the marks inside the quotes.
    special || based || begins && digits && !version && !text.contains(": ") && text.chars().all(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ambiguous_words_are_quoted() {
        for word in [
            "yes",
            "No",
            "ON",
            "y",
            "~",
            "=",
            "<<",
            "1_000",
            "0x1F",
            "0o17",
            "0b11",
            "017",
            "1e3",
            "12:30",
            "12_30",
            "2024_01_15",
            "2024-01-15",
            "2024-01-15T10:00:00Z",
            ".5",
            "+1",
            "-.inf",
            ".NaN",
            "1.",
            "190:20:30",
            "1.34",
            "2001-12-14 21:59:43.10 -5",
        ] {
            assert!(is_ambiguous(word), "{word}");
            assert_eq!(text(&json!({"a": word})), format!("a: '{word}'\n"));
            assert_eq!(text(&json!({word: 1})), format!("'{word}': 1\n"));
        }
        for word in ["my-topic", "4.3.1", "100Gi", "500m", "a_b", "no-way", "kafka", "10s", "709865ff08"] {
            assert!(!is_ambiguous(word), "{word}");
            assert_eq!(text(&json!({"a": word})), format!("a: {word}\n"));
        }
        let marked = text(&json!({"a": "\u{E000}yes", "b": "yes"}));
        assert_eq!(marked, "a: \u{E000}yes\nb: 'yes'\n");
    }
}
