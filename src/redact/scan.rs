//! Redacts values that follow names of secrets in a text: `password=x`, `"token": "x"`, `--api-key x`, `- name:
//! DB_PASSWORD` with its `value: x`, also if escaped in nested text.

use std::sync::LazyLock;

use regex::Regex;

use super::BLANK;
use super::names::is_secret;

/// A name and what separates it from its value. One of two groups matches.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let name = r"[A-Za-z0-9_./\-]+";
    let quote = r#"\\*["']?"#;
    // A name in one field and its value in the next: Kubernetes' environment variables.
    let pair = format!(
        r"\b(?:name|key){quote}\s*[:=]\s*{quote}(?P<pair>{name}){quote}\s*,?\s*{quote}value{quote}\s*[:=][ \t]*"
    );
    // A flag and its value as separate words.
    let flag = r#"--(?P<flag>[A-Za-z0-9_.\-]+)(?:[ \t]+|\\*["']\s*,\s*)"#;
    let field = format!(r"(?P<field>{name}){quote}[ \t]*(?P<sign>=>|[:=])[ \t]*");
    Regex::new(&format!("{pair}|{flag}|{field}")).unwrap_or_else(|e| unreachable!("{e}"))
});

/// Whether a value is not secret, whatever its name: empty, or a reference to a secret.
pub(crate) fn is_not_secret(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || [
            "null", "none", "true", "false", "[hidden]", "REDACTED", "nil", "<nil>", "\"\"", "<none>",
            "<unset>",
        ]
        .contains(&value)
        || (value.starts_with("${") || value.starts_with("$("))
            && value.ends_with(['}', ')'])
            && value.matches('$').count() == 1
}

/// Redact such values in a text.
pub(crate) fn named_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = NAMED.captures_at(text, at) {
        let whole = found.get(0).map_or(at..at, |m| m.range());
        let name = ["pair", "flag", "field"].iter().find_map(|group| found.name(group));
        // The value of one name may be the next name: `kind: password: x`.
        at = whole.end;
        let Some(name) = name.filter(|name| is_secret(name.as_str())) else {
            continue;
        };
        let to_line_end = found.name("field").is_some() && begins_line(text, name.start());
        let value = value(text, whole.end, to_line_end);
        if !is_not_secret(&text[value.clone()]) {
            out.push_str(&text[copied..value.start]);
            out.push_str(BLANK);
            copied = value.end;
        }
        at = at.max(value.end);
        if at >= text.len() {
            break;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Whether only indentation, a list's dash, a comment's sign or `export` precedes.
fn begins_line(text: &str, at: usize) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let before = text[line..at].trim_matches(|c: char| c.is_whitespace() || "-#\"'".contains(c));
    before.is_empty() || before == "export"
}

/// The range of the value that begins at `start`.
fn value(text: &str, start: usize, to_line_end: bool) -> std::ops::Range<usize> {
    let rest = &text[start..];
    let escapes = rest.bytes().take_while(|b| *b == b'\\').count();
    if let Some(quote @ ('"' | '\'')) = rest[escapes..].chars().next() {
        let inside = start + escapes + 1;
        return inside..closing(text, inside, quote, escapes);
    }
    let line = rest.find('\n').unwrap_or(rest.len());
    let first = rest[..line].trim();
    if first.starts_with('[') && !first.starts_with("[hidden]") {
        let end = rest[..line].find(']').unwrap_or(line);
        return start + 1..(start + end).max(start + 1);
    }
    if first.starts_with('{') {
        return start..start;
    }
    if first.starts_with(['|', '>']) && first.len() <= 3 {
        return start + line..block_end(text, start + line);
    }
    let end = if to_line_end {
        line
    } else {
        rest[..line].find(|c: char| c.is_whitespace() || "\"'".contains(c)).unwrap_or(line)
    };
    // A backslash before a quote belongs to the quote.
    let end = rest[..end].trim_end_matches('\\').len();
    start..start + end
}

/// The end of a quoted text: a quote with as many preceding backslashes as the opening one.
fn closing(text: &str, inside: usize, quote: char, escapes: usize) -> usize {
    let bytes = text.as_bytes();
    let mut backslashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(inside) {
        match byte {
            b'\\' => backslashes += 1,
            b if char::from(*b) == quote => {
                let escaped_once = escapes == 0 && backslashes % 2 == 1;
                if backslashes == escapes || escapes == 0 && !escaped_once || backslashes < escapes {
                    return at - backslashes.min(escapes);
                }
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
    }
    text.len()
}

/// The end of a YAML block whose first line ends at `at`: all lines with more indentation.
fn block_end(text: &str, at: usize) -> usize {
    let head = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let outer = indent(&text[head..at]);
    let (mut next, mut end) = (at, at);
    for (n, line) in text[at..].split_inclusive('\n').enumerate() {
        if n > 0 && !line.trim().is_empty() && indent(line) <= outer {
            break;
        }
        next += line.len();
        end = next - usize::from(line.ends_with('\n'));
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_redacted_and_their_surroundings_are_kept() {
        for (from, to) in [
            ("password=hunter2", "password=REDACTED"),
            ("a=b password=hunter2 c=d", "a=b password=REDACTED c=d"),
            ("\tssl.keystore.password = hunter2 with blanks\nx", "\tssl.keystore.password = REDACTED\nx"),
            ("db_password: correct horse\nuser: ada", "db_password: REDACTED\nuser: ada"),
            (
                r#"{"user":"ada","password":"hun\"ter2","n":1}"#,
                r#"{"user":"ada","password":"REDACTED","n":1}"#,
            ),
            (r#"said {\"token\":\"hunter2\",\"n\":1}"#, r#"said {\"token\":\"REDACTED\",\"n\":1}"#),
            (
                r#"ScramLoginModule required username="a" password="hunter2";"#,
                r#"ScramLoginModule required username="a" password="REDACTED";"#,
            ),
            ("run --password hunter2 --user ada", "run --password REDACTED --user ada"),
            ("run --account.key hunter2 --user ada", "run --account.key REDACTED --user ada"),
            (r#"["--api-token","hunter2","x"]"#, r#"["--api-token","REDACTED","x"]"#),
            ("- name: DB_PASSWORD\n  value: hunter2\n", "- name: DB_PASSWORD\n  value: REDACTED\n"),
            (r#"{"name":"DB_PASSWORD","value":"hunter2"}"#, r#"{"name":"DB_PASSWORD","value":"REDACTED"}"#),
            ("token: |\n  line one\n  two\nuser: ada", "token: |REDACTED\nuser: ada"),
            ("env: {DB_PASS='hunter2', A=b}", "env: {DB_PASS='REDACTED', A=b}"),
            ("passwords = [one, two] x", "passwords = [REDACTED] x"),
            ("export GITHUB_TOKEN=hunter2", "export GITHUB_TOKEN=REDACTED"),
            ("{password => 'hunter2'}", "{password => 'REDACTED'}"),
            ("sasl.jaas.config=org.X required password=\"hunter2\";", "sasl.jaas.config=REDACTED"),
            ("password=\"cut off", "password=\"REDACTED"),
        ] {
            assert_eq!(named_values(from), to, "{from}");
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for same in [
            "ssl.keystore.password = null",
            "ssl.key.password = [hidden]",
            "secretName: my-cluster-certs",
            "ssl.truststore.password=${strimzienv:CERTS_STORE_PASSWORD}",
            "token:",
            "time: 12:30:01",
            "password=REDACTED",
            "{\"secret\": {\"name\": \"x\"}}",
            "http://host:80/path",
            "",
            "- name: CLIENT\n  value: ada\n",
        ] {
            assert_eq!(named_values(same), same);
        }
    }

    proptest::proptest! {
        #[test]
        fn random_text_does_not_panic_and_redaction_is_idempotent(text in "(?s)([ -~\\n]|password|token|[=:\"'\\\\]|é){0,60}") {
            let once = named_values(&text);
            let _ = crate::redact::private_key::blank(&text);
            proptest::prop_assert!(!once.contains("password=x"), "{}", once);
        }
    }
}
