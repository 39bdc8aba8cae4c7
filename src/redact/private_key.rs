//! Redacts PEM private keys, including incomplete ones: a log's tail may begin inside one.

use std::sync::LazyLock;

use regex::Regex;

use super::BLANK;

/// Maximum length of a key, including escaped line ends and a time before each line. Bytes.
const LONGEST: usize = 32 << 10;

static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-----(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----")
        .unwrap_or_else(|e| unreachable!("{e}"))
});

/// Redact the private keys in a text.
pub(crate) fn blank(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(mark) = MARK.find(rest) {
        let (before, after) = (&rest[..mark.start()], &rest[mark.end()..]);
        if mark.as_str().starts_with("-----END") {
            out.push_str(&before[..before.len() - tail(before)]);
            rest = after;
        } else {
            out.push_str(before);
            let end = MARK.find(after).filter(|m| m.as_str().starts_with("-----END") && m.start() < LONGEST);
            rest = &after[end.map_or_else(|| head(after), |m| m.end())..];
        }
        out.push_str(BLANK);
    }
    if out.is_empty() {
        return text.to_owned();
    }
    out.push_str(rest);
    out
}

fn of_a_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=\\\r\n".contains(&byte)
}

/// Number of bytes at the beginning that may belong to a key.
fn head(text: &str) -> usize {
    text.bytes().take(LONGEST).take_while(|b| of_a_key(*b)).count()
}

/// Number of bytes at the end that may belong to a key.
fn tail(text: &str) -> usize {
    text.bytes().rev().take(LONGEST).take_while(|b| of_a_key(*b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_and_truncated_keys_are_redacted() {
        let begin = "-----BEGIN RSA PRIVATE KEY-----";
        let end = "-----END RSA PRIVATE KEY-----";
        for (from, to) in [
            (format!("a\n{begin}\nMIIE\nAbc=\n{end}\nb"), "a\nREDACTED\nb".to_owned()),
            (format!("{{\"k\":\"{begin}\\nMIIE\\n{end}\\n\"}}"), "{\"k\":\"REDACTED\\n\"}".to_owned()),
            (format!("20:01 {begin}\n20:02 MIIE\n20:03 {end} c"), "20:01 REDACTED c".to_owned()),
            (format!("cut. MIIE\nAbc=\n{end}\nb"), "cut. REDACTED\nb".to_owned()),
            (format!("a {begin}\nMIIE\nAbc="), "a REDACTED".to_owned()),
            (format!("{begin}\nA\n{end} and {begin}\nB\n{end}"), "REDACTED and REDACTED".to_owned()),
            ("-----BEGIN CERTIFICATE-----\nMIIE".into(), "-----BEGIN CERTIFICATE-----\nMIIE".into()),
        ] {
            assert_eq!(blank(&from), to, "{from}");
        }
    }
}
