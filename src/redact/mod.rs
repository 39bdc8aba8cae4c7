//! Redacts secrets: in objects by their structure, in text by patterns, by the names that precede values, and by the
//! values of the cluster's own Secrets. In doubt, it redacts.

mod names;
mod private_key;
mod scan;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;
use serde_json::Value;

pub(crate) use names::is_secret;

/// The replacement for a secret.
pub(crate) const BLANK: &str = "REDACTED";

/// Minimum length of a known value that is redacted everywhere. Shorter ones would match too much other text, and are
/// found by their names.
const SHORTEST: usize = 6;
/// Minimum length of a line of a known multi-line value that is redacted on its own.
const SHORTEST_LINE: usize = 20;

/// Patterns that are secret wherever they occur, and their replacements.
static SHAPES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let shapes: [(&str, &str); 7] = [
        // user:password of a URL. Only before the first slash: an image's digest also has an @.
        (r#"://[^\s/"'<>\\]+@"#, "://REDACTED@"),
        (r"(?i)\b(bearer|basic|negotiate)(\s+|%20)[A-Za-z0-9+/=._~\-]{6,}", "${1} REDACTED"),
        // A JSON web token: each part begins with `{"` in base64.
        (r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(\.[A-Za-z0-9_\-]*)?", BLANK),
        // `-----BEGIN ` in base64: keys and certificates in kubeconfigs and Secrets.
        (r"\bLS0tLS1CRUdJTi[A-Za-z0-9+/=]*", BLANK),
        (r"\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hvs\.|dckr_pat_|npm_)[A-Za-z0-9_\-]{16,}", BLANK),
        (r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", BLANK),
        // 48 bytes or more in padded base64: keys of storage accounts, webhooks, signatures. Digests are hexadecimal,
        // ids are shorter, and only the last line of a certificate is padded.
        (r"\b[A-Za-z0-9+/]{62,}={1,2}", BLANK),
    ];
    shapes
        .into_iter()
        .map(|(shape, with)| (Regex::new(shape).unwrap_or_else(|e| unreachable!("{e}")), with))
        .collect()
});

/// Redact whatever looks like a secret, or follows the name of one: arguments, lines of a log.
pub fn text(text: &str) -> String {
    Redactor::default().text(text)
}

/// Redact credentials in URLs and whatever else looks like a secret. Quotes, braces and other delimiters are kept, so
/// that JSON remains valid.
pub fn shapes(text: &str) -> String {
    let mut text = text.to_owned();
    for (shape, with) in SHAPES.iter() {
        if let std::borrow::Cow::Owned(new) = shape.replace_all(&text, *with) {
            text = new;
        }
    }
    text
}

/// The words of a command with secrets redacted: after a flag with such a name, in `NAME=VALUE`, in a URL.
pub(crate) fn arguments(words: &[String]) -> Vec<String> {
    let mut flag_before = false;
    let blank = |word: &String| {
        let after_flag = std::mem::replace(&mut flag_before, is_secret_flag(word));
        if after_flag && !word.starts_with("--") { BLANK.to_owned() } else { text(word) }
    };
    words.iter().map(blank).collect()
}

/// Whether the next word is the value of a secret: `--token`, `--docker-password`.
fn is_secret_flag(word: &str) -> bool {
    word.strip_prefix("--").is_some_and(|flag| !flag.contains('=') && is_secret(flag))
}

/// Redacts secrets.
#[derive(Default)]
pub struct Redactor {
    known: Option<AhoCorasick>,
}

impl Redactor {
    /// With values that are known to be secret; `names` are words that are not, even if they are the value of a
    /// Secret: the name of a user or of the cluster.
    pub fn new(known: impl IntoIterator<Item = String>, names: &dyn Fn(&str) -> bool) -> Self {
        let mut values: Vec<String> = Vec::new();
        for value in known {
            let whole = value.trim();
            let lines = whole.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            values.extend(lines.map(str::to_owned));
            if whole.len() >= SHORTEST {
                values.push(whole.to_owned());
            }
        }
        values.retain(|value| !names(value) && !value.starts_with("-----"));
        values.sort();
        values.dedup();
        let known = (!values.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values).ok());
        Self { known: known.flatten() }
    }

    /// Redact a text.
    pub fn text(&self, text: &str) -> String {
        scan::named_values(&shapes(&private_key::blank(&self.known(text))))
    }

    /// Redact only the values that are known to be secret.
    pub fn known(&self, text: &str) -> String {
        match &self.known {
            Some(known) => {
                let mut out = String::with_capacity(text.len());
                known.replace_all_with(text, &mut out, |_, _, out| {
                    out.push_str(BLANK);
                    true
                });
                out
            }
            None => text.to_owned(),
        }
    }

    /// Redact an object.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => {
                for at in 1..items.len() {
                    if items[at - 1].as_str().is_some_and(is_secret_flag) {
                        blank(&mut items[at]);
                    }
                }
                items.iter_mut().for_each(|item| self.value(item));
            }
            Value::Object(fields) => {
                let secret = fields.get("kind").and_then(Value::as_str) == Some("Secret");
                let named = ["name", "key"].iter().any(|k| {
                    fields.get(*k).and_then(Value::as_str).is_some_and(is_secret)
                        && fields.get("value").is_some_and(|v| !v.is_object())
                });
                for (name, field) in fields.iter_mut() {
                    let all = secret && matches!(name.as_str(), "data" | "stringData") || name == "auths";
                    if all && let Some(values) = field.as_object_mut() {
                        values.values_mut().for_each(|v| *v = BLANK.into());
                    } else if name.ends_with("last-applied-configuration") {
                        let bytes = field.as_str().map_or(0, str::len);
                        *field = format!("{BLANK} ({bytes} bytes)").into();
                    } else if is_secret(name) || named && name == "value" {
                        blank(field);
                        self.value(field);
                    } else {
                        self.value(field);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Redact a scalar or a list. Fields of an object have their own names.
fn blank(value: &mut Value) {
    match value {
        Value::String(text) if scan::is_not_secret(text) => {}
        Value::String(_) | Value::Number(_) => *value = BLANK.into(),
        Value::Array(items) => items.iter_mut().filter(|i| !i.is_object()).for_each(blank),
        Value::Null | Value::Bool(_) | Value::Object(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> String {
        Redactor::default().text(text)
    }

    #[test]
    fn patterns_are_redacted_everywhere() {
        for (from, to) in [
            ("see http://ada:s3cr3t@proxy:3128/x", "see http://REDACTED@proxy:3128/x"),
            ("https://user:p@ss@host/", "https://REDACTED@host/"),
            ("Authorization: Bearer abc.def-ghi", "Authorization: REDACTED"),
            ("curl sent bearer abcdef0123 to it", "curl sent bearer REDACTED to it"),
            ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2ln end", "jwt REDACTED end"),
            ("x LS0tLS1CRUdJTiBDRVJU+/= y", "x REDACTED y"),
            ("ghp_0123456789abcdefghij", "REDACTED"),
            ("id AKIAIOSFODNN7EXAMPLE.", "id REDACTED."),
        ] {
            assert_eq!(text(from), to, "{from}");
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for same in [
            "docker-pullable://quay.io/strimzi/kafka@sha256:0123456789abcdef",
            "MountVolume.SetUp failed for volume \"x\" : secret \"my-cluster-clients\" not found",
            "2026-11-22 20:22:15 INFO  Main: ClusterOperator 1.2.0 is starting",
            "basic auth is off",
            "E1122 20:32:18.639158   16749 memcache.go:265] x",
        ] {
            assert_eq!(text(same), same);
        }
    }

    #[test]
    fn known_values_are_redacted_in_any_text_but_names_are_kept() {
        let known =
            ["hunter2".into(), "my-cluster".into(), "abc".into(), "first-line-of-a-long-value\nx".into()];
        let redactor = Redactor::new(known, &|word| word == "my-cluster");
        assert_eq!(
            redactor.text("my-cluster: said hunter2, abc and first-line-of-a-long-value"),
            "my-cluster: said REDACTED, abc and REDACTED"
        );
    }

    #[test]
    fn objects_keep_their_structure() {
        let mut object = json!({
            "kind": "Pod",
            "metadata": {"annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"password\":\"hunter2\"}",
                "note": "token=hunter2 and more"}},
            "spec": {"containers": [{
                "args": ["--user", "ada", "--password", "hunter2", "--api-token=hunter2"],
                "env": [
                    {"name": "DB_PASSWORD", "value": "hunter2"},
                    {"name": "CLIENT", "value": "ada"},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}],
            }], "automountServiceAccountToken": true,
                "volumes": [{"secret": {"secretName": "certs"}},
                    {"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607}}]}}]},
            "config": {"ssl.keystore.password": "hunter2", "log.retention.hours": 24, "pin_token": 1234},
            "auths": {"https://index.docker.io/v1/": {"auth": "aHVudGVyMg=="}},
        });
        Redactor::default().value(&mut object);
        let shown = object.to_string();
        assert!(
            !shown.contains("hunter2") && !shown.contains("aHVudGVyMg") && !shown.contains("1234"),
            "{shown}"
        );
        for kept in
            ["ada", "secretName", "certs", "3607", "DB_PASSWORD", "24", "\"key\":\"password\"", "true"]
        {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
    }

    #[test]
    fn only_the_keys_of_a_secret_are_kept() {
        let mut secret = json!({"kind": "Secret", "data": {"user": "YWRh"}, "stringData": {"a": "b"}});
        Redactor::default().value(&mut secret);
        assert_eq!(secret, json!({"kind": "Secret", "data": {"user": BLANK}, "stringData": {"a": BLANK}}));
    }
}
