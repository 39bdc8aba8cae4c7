//! The short forms of a user's access rules and quotas, and their `KafkaUser` fields.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// Operations in the short form, and in Strimzi's (`AclOperation` of its API).
const OPERATIONS: [(&str, &str); 11] = [
    ("read", "Read"),
    ("write", "Write"),
    ("create", "Create"),
    ("delete", "Delete"),
    ("alter", "Alter"),
    ("describe", "Describe"),
    ("cluster-action", "ClusterAction"),
    ("alter-configs", "AlterConfigs"),
    ("describe-configs", "DescribeConfigs"),
    ("idempotent-write", "IdempotentWrite"),
    ("all", "All"),
];

/// Kinds of resources in the short form and in Strimzi's, and the operations that Kafka supports for them
/// (`AclEntry.supportedOperations` of Kafka).
const KINDS: [(&str, &str, &[&str]); 4] = [
    (
        "topic",
        "topic",
        &[
            "read",
            "write",
            "create",
            "describe",
            "delete",
            "alter",
            "describe-configs",
            "alter-configs",
            "all",
        ],
    ),
    ("group", "group", &["read", "describe", "delete", "all"]),
    ("transactional-id", "transactionalId", &["describe", "write", "all"]),
    (
        "cluster",
        "cluster",
        &[
            "create",
            "cluster-action",
            "describe-configs",
            "alter-configs",
            "idempotent-write",
            "alter",
            "describe",
            "all",
        ],
    ),
];

/// An access rule: `topic:orders:read,describe`, `group:app-*:read@10.0.0.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    kind: &'static str,
    name: String,
    prefix: bool,
    operations: Vec<&'static str>,
    host: Option<String>,
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "TYPE:NAME:OPERATION,...[@HOST], such as topic:orders:read,describe";
        let (rule, host) = match text.split_once('@') {
            Some((rule, host)) => (rule, Some(host.to_owned())),
            None => (text, None),
        };
        let mut parts = rule.splitn(2, ':');
        let word = parts.next().unwrap_or_default();
        // A topic's name must not contain a colon, but a group's may: the last one counts.
        let Some((name, operations)) = parts.next().and_then(|rest| rest.rsplit_once(':')) else {
            return Err(format!("{text:?} is not an access rule: use {FORM}"));
        };
        let Some((word, kind, allowed)) = KINDS.iter().find(|(w, ..)| *w == word) else {
            let known = KINDS.map(|(w, ..)| w).join(", ");
            return Err(format!("{word:?} is not a type of an access rule: use one of {known}"));
        };
        let plain = |s: &str| !s.is_empty() && !s.chars().any(|c| c.is_control() || c.is_whitespace());
        if !plain(name) || host.as_deref().is_some_and(|h| !plain(h)) {
            return Err(format!("{text:?} has an empty name or host, or one with blanks: use {FORM}"));
        }
        if *word == "cluster" && name != "*" {
            return Err(format!("a cluster rule applies to the whole cluster: use cluster:*:{operations}"));
        }
        let mut found = Vec::new();
        for operation in operations.split(',') {
            let Some((known, strimzi)) = OPERATIONS.iter().find(|(o, _)| *o == operation) else {
                return Err(format!(
                    "{operation:?} is not an operation: {word} supports {}",
                    allowed.join(", ")
                ));
            };
            if !allowed.contains(known) {
                return Err(format!("{word} has no operation {known}: it supports {}", allowed.join(", ")));
            }
            if !found.contains(strimzi) {
                found.push(*strimzi);
            }
        }
        let prefix = name != "*" && name.ends_with('*');
        let name = if prefix { name.trim_end_matches('*') } else { name };
        if name != "*" && name.contains('*') || name.is_empty() {
            return Err(format!("{text:?}: a * must be alone or at the end of a name"));
        }
        Ok(Self { kind, name: name.to_owned(), prefix, operations: found, host })
    }
}

impl Rule {
    /// As an element of `spec.authorization.acls`.
    pub fn value(&self) -> Value {
        let mut resource = json!({"type": self.kind});
        if self.kind != "cluster" {
            resource["name"] = json!(self.name);
            resource["patternType"] = json!(if self.prefix { "prefix" } else { "literal" });
        }
        let mut rule = json!({"resource": resource, "operations": self.operations});
        if let Some(host) = &self.host {
            rule["host"] = json!(host);
        }
        rule
    }
}

/// An element of `spec.authorization.acls` in the short form.
pub(crate) fn short(rule: &Value) -> String {
    let text = |at: &str| rule.pointer(at).and_then(Value::as_str).unwrap_or("");
    let kind = KINDS.iter().find(|(_, k, _)| *k == text("/resource/type"));
    let kind = kind.map_or(text("/resource/type"), |(word, ..)| word);
    let star = if text("/resource/patternType") == "prefix" { "*" } else { "" };
    let name = Some(text("/resource/name")).filter(|n| !n.is_empty()).unwrap_or("*");
    let word = |o: &str| OPERATIONS.iter().find(|(_, s)| *s == o).map_or(o.to_owned(), |(w, _)| (*w).into());
    // Before 0.38 a rule had a single `operation`.
    let many = rule.pointer("/operations").and_then(Value::as_array);
    let mut operations: Vec<String> =
        many.into_iter().flatten().filter_map(Value::as_str).map(word).collect();
    if operations.is_empty() {
        operations.push(word(text("/operation")));
    }
    let host = match text("/host") {
        "" | "*" => String::new(),
        host => format!("@{host}"),
    };
    let denies = if text("/type") == "deny" { "deny " } else { "" };
    format!("{denies}{kind}:{name}{star}:{}{host}", operations.join(","))
}

/// A limit: `produce=1m`, `request=25`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    field: &'static str,
    limit: Value,
}

/// Names in the short form, fields in `spec.quotas`, and whether the value is a number of bytes.
const QUOTAS: [(&str, &str, bool); 4] = [
    ("produce", "producerByteRate", true),
    ("consume", "consumerByteRate", true),
    ("request", "requestPercentage", false),
    ("mutations", "controllerMutationRate", false),
];

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            format!("{text:?} is not a quota: use NAME=LIMIT, such as produce=1m or request=25")
        })?;
        let Some((_, field, bytes)) = QUOTAS.iter().find(|(n, ..)| *n == name) else {
            let known = QUOTAS.map(|(n, ..)| n).join(", ");
            return Err(format!("{name:?} is not a quota: use one of {known}"));
        };
        let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match (&value[digits.len()..], *field) {
            ("", _) => 1,
            ("k", _) if *bytes => 1 << 10,
            ("m", _) if *bytes => 1 << 20,
            ("g", _) if *bytes => 1 << 30,
            _ => 0,
        };
        let whole = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n > 0);
        let limit = match (*field, whole) {
            // A rate of less than one per second is possible.
            ("controllerMutationRate", _) => digits
                .parse::<f64>()
                .ok()
                .filter(|n| *n > 0.0 && n.is_finite() && unit == 1)
                .map(|n| json!(n)),
            // Strimzi requires a 32-bit number here.
            ("requestPercentage", Some(n)) => i32::try_from(n).ok().map(|n| json!(n)),
            (_, Some(n)) => i32::try_from(n).ok().map(|n| json!(n)),
            (_, None) => None,
        };
        let takes =
            if *bytes { "bytes per second up to 2047m, such as 500k or 1m" } else { "a number above 0" };
        limit.map(|limit| Self { field, limit }).ok_or_else(|| format!("the quota {name} must be {takes}"))
    }
}

impl Quota {
    /// Its field in `spec.quotas`, and the value.
    pub fn entry(&self) -> (&'static str, Value) {
        (self.field, self.limit.clone())
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.field, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_can_be_converted_to_strimzis_form_and_back() {
        for (text, value) in [
            (
                "topic:orders:read,describe",
                json!({"resource": {"type": "topic", "name": "orders", "patternType": "literal"},
                    "operations": ["Read", "Describe"]}),
            ),
            (
                "group:app-*:read@10.0.0.1",
                json!({"resource": {"type": "group", "name": "app-", "patternType": "prefix"},
                    "operations": ["Read"], "host": "10.0.0.1"}),
            ),
            (
                "topic:*:all",
                json!({"resource": {"type": "topic", "name": "*", "patternType": "literal"}, "operations": ["All"]}),
            ),
            (
                "cluster:*:idempotent-write",
                json!({"resource": {"type": "cluster"}, "operations": ["IdempotentWrite"]}),
            ),
            (
                "group:a:b:read",
                json!({"resource": {"type": "group", "name": "a:b", "patternType": "literal"}, "operations": ["Read"]}),
            ),
        ] {
            let rule: Rule = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(rule.value(), value, "{text}");
            assert_eq!(short(&rule.value()), text);
        }
        let old = json!({"resource": {"type": "topic", "name": "t"}, "operation": "Read", "host": "*"});
        assert_eq!(short(&old), "topic:t:read");
    }

    #[test]
    fn invalid_rules_are_rejected_with_the_correct_form() {
        for (text, words) in [
            ("orders", "use TYPE:NAME"),
            ("topic:orders", "use TYPE:NAME"),
            ("queue:orders:read", "topic, group"),
            ("topic:orders:eat", "topic supports read"),
            ("group:g:write", "group has no operation write"),
            ("cluster:my-cluster:alter", "cluster:*:alter"),
            ("topic::read", "empty name"),
            ("topic:a*b:read", "at the end"),
            ("topic:a:read@", "empty name or host"),
        ] {
            let error = text.parse::<Rule>().expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn quotas_have_units() {
        let entry = |text: &str| text.parse::<Quota>().map(|q| q.entry());
        assert_eq!(entry("produce=1m"), Ok(("producerByteRate", json!(1_048_576))));
        assert_eq!(entry("consume=500k"), Ok(("consumerByteRate", json!(512_000))));
        assert_eq!(entry("request=25"), Ok(("requestPercentage", json!(25))));
        assert_eq!(entry("mutations=0.5"), Ok(("controllerMutationRate", json!(0.5))));
        for bad in ["produce", "produce=", "produce=-1", "produce=4g", "request=5m", "speed=1", "mutations=0"]
        {
            assert!(entry(bad).is_err(), "{bad}");
        }
    }
}
