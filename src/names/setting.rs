//! A setting of Kafka as it is typed: `retention.ms=86400000`.

use std::str::FromStr;

use serde_json::Value;

/// A name of Kafka's configuration and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `retention.ms`: letters, digits, dots, underscores and dashes.
    pub key: String,
    /// As typed; may be empty.
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?} is not a setting: use KEY=VALUE, such as retention.ms=86400000");
        let (key, value) = text.split_once('=').ok_or_else(form)?;
        let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !key.starts_with(|c: char| c.is_ascii_alphabetic()) || !key.chars().all(word) {
            return Err(form());
        }
        if value.chars().any(char::is_control) {
            return Err(format!("the value of {key} contains a control character"));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

impl Setting {
    /// The value as in YAML: whole numbers, `true` and `false` as themselves, everything else as text.
    pub fn json(&self) -> Value {
        let canonical = self.value.parse::<i64>().ok().filter(|n| n.to_string() == self.value);
        match (canonical, self.value.as_str()) {
            (Some(number), _) => number.into(),
            (_, "true") => true.into(),
            (_, "false") => false.into(),
            (_, text) => text.into(),
        }
    }
}

/// A value of a resource's `config` as text, as Kafka expects it.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_type() {
        let value = |text: &str| text.parse::<Setting>().map(|s| s.json());
        assert_eq!(value("retention.ms=86400000"), Ok(json!(86_400_000)));
        assert_eq!(value("preallocate=true"), Ok(json!(true)));
        assert_eq!(value("cleanup.policy=compact,delete"), Ok(json!("compact,delete")));
        assert_eq!(value("x=a=b"), Ok(json!("a=b")));
        assert_eq!(value("x=007"), Ok(json!("007")));
        for bad in ["", "retention.ms", "=1", "a b=1", "-x=1", "x=\n"] {
            assert!(value(bad).is_err(), "{bad:?}");
        }
        assert_eq!((plain(&json!(1)), plain(&json!("a"))), ("1".into(), "a".into()));
    }
}
