//! Words without quotes as kubectl reads them.
//!
//! kubectl reads YAML 1.1 by Go's rules, the parser here YAML 1.2: `yes` is true to kubectl and a string here, `0644`
//! is 420 to kubectl and a string here. Manifests are written for kubectl, so its interpretation applies. The parser
//! does not report whether a word had quotes, so the text is examined.

use std::collections::HashSet;

use serde_json::{Number, Value};

/// The value of a word without quotes to kubectl, if it is a string to the parser here; `None` if they agree.
pub(super) fn as_kubectl(word: &str) -> Option<Value> {
    let text = || matches!(serde_yaml::from_str(word), Ok(Value::String(text)) if text == word);
    by_go(word).filter(|_| text())
}

/// The value of any word without quotes to kubectl.
pub(crate) fn by_kubectl(word: &str) -> Result<Value, String> {
    // Most words are strings in both versions: no need to call the parser.
    let maybe = |c: char| c.is_ascii_digit() || "+-.~".contains(c);
    let named = word.len() <= 5 && word.starts_with(|c: char| "tTfFnNyYoO".contains(c));
    if !word.is_empty() && !word.starts_with(maybe) && !named {
        return Ok(word.into());
    }
    let digits = word.bytes().all(|b| b.is_ascii_digit()) && (word.len() == 1 || !word.starts_with('0'));
    if let Some(number) = word.parse::<i64>().ok().filter(|_| digits) {
        return Ok(number.into());
    }
    if let Some(value) = as_kubectl(word) {
        return Ok(value);
    }
    match serde_yaml::from_str::<serde_yaml::Value>(word) {
        Ok(serde_yaml::Value::Null) => Ok(Value::Null),
        Ok(serde_yaml::Value::Bool(value)) => Ok(value.into()),
        Ok(serde_yaml::Value::Number(number)) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Ok(whole.into()),
            (None, Some(whole), _) => Ok(whole.into()),
            (None, None, value) => {
                let number = value.and_then(Number::from_f64);
                number.map(Value::Number).ok_or_else(|| "a number must be finite".to_owned())
            }
        },
        _ => Ok(word.into()),
    }
}

/// The value of a word without quotes to kubectl, if that is not a string.
fn by_go(word: &str) -> Option<Value> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(true.into()),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(false.into()),
        _ => {}
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let plain = word.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let whole = |digits: &str, radix| i64::from_str_radix(&format!("{sign}{digits}"), radix).ok();
    let mut prefix = digits.chars();
    let of_base = match (prefix.next(), prefix.next().map(|c| c.to_ascii_lowercase())) {
        (Some('0'), Some('x')) => unsigned(&digits[2..]).and_then(|digits| whole(digits, 16)),
        (Some('0'), Some('o')) => unsigned(&digits[2..]).and_then(|digits| whole(digits, 8)),
        (Some('0'), Some('b')) => unsigned(&digits[2..]).and_then(|digits| whole(digits, 2)),
        (Some('0'), Some(_)) => unsigned(digits).and_then(|digits| whole(digits, 8)),
        _ => unsigned(digits).and_then(|digits| whole(digits, 10)),
    };
    let separates = |at: usize| {
        let digit =
            |at: Option<usize>| at.and_then(|at| word.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    // After a point without digits before it, underscores are allowed only where Go's own numbers have them.
    let odd = word.starts_with('.') && !word.match_indices('_').all(|(at, _)| separates(at));
    of_base.map(Value::from).or_else(|| decimal(&plain).filter(|_| !odd))
}

fn unsigned(digits: &str) -> Option<&str> {
    digits.starts_with(|c: char| c.is_ascii_hexdigit()).then_some(digits)
}

/// A number with a point or an exponent, or an integer with leading zeros.
fn decimal(plain: &str) -> Option<Value> {
    let digits = plain.contains(|c: char| c.is_ascii_digit());
    let number = digits && plain.chars().all(|c| c.is_ascii_digit() || ".+-eE".contains(c));
    let value: f64 = plain.parse().ok().filter(|_| number)?;
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return format!("{value:.0}").parse::<i64>().ok().map(Value::from);
    }
    Number::from_f64(value).map(Value::Number)
}

/// The words of a text that are read differently, with and without quotes.
#[derive(Debug, Default)]
pub(super) struct Words {
    values: Seen,
    keys: Seen,
}

#[derive(Debug, Default)]
struct Seen {
    plain: HashSet<String>,
    quoted: HashSet<String>,
}

impl Seen {
    fn read(&self, word: &str) -> Result<Option<Value>, String> {
        let Some(value) = as_kubectl(word) else { return Ok(None) };
        match (self.plain.contains(word), self.quoted.contains(word)) {
            (true, true) => Err(format!(
                "{word} occurs with and without quotes, and without quotes kubectl reads it as {value}: \
                 write {value}, or quote it everywhere"
            )),
            (true, false) => Ok(Some(value)),
            (false, _) => Ok(None),
        }
    }
}

impl Words {
    /// The words of a YAML text.
    pub(super) fn of(text: &str) -> Self {
        let mut words = Self::default();
        // The indentation of a block scalar (`|`, `>`): its lines are indented further than this column.
        let mut block: Option<usize> = None;
        let mut depth = 0;
        for line in text.lines() {
            let indent = line.len() - line.trim_start_matches(' ').len();
            if block.is_some_and(|column| line.trim().is_empty() || indent > column) {
                continue;
            }
            block = words.line(line.trim_end(), &mut depth);
        }
        words
    }

    /// The value of a word to kubectl, if that is not a string.
    ///
    /// # Errors
    /// The word occurs both with and without quotes, so it is not known which occurrence this is.
    pub(super) fn read(&self, word: &str) -> Result<Option<Value>, String> {
        self.values.read(word)
    }

    /// The same for a key of a mapping, which is then a string to kubectl.
    pub(super) fn read_key(&self, word: &str) -> Result<Option<Value>, String> {
        self.keys.read(word)
    }

    fn seen(&mut self, key: bool) -> &mut Seen {
        if key { &mut self.keys } else { &mut self.values }
    }

    /// Read the words of a line; returns the indentation of a block scalar that begins in it.
    fn line(&mut self, line: &str, depth: &mut usize) -> Option<usize> {
        let (mut at, mut column) = (0, 0);
        while at < line.len() {
            let rest = &line[at..];
            let Some(first) = rest.chars().next() else { break };
            let dash = first == '-' && (rest.len() == 1 || rest.starts_with("- "));
            match first {
                '#' if at == 0 || line[..at].ends_with(' ') => return None,
                ' ' | '\t' | ',' | ':' | '?' => at += 1,
                '[' | '{' => {
                    *depth += 1;
                    at += 1;
                }
                ']' | '}' => {
                    *depth = depth.saturating_sub(1);
                    at += 1;
                }
                '-' if dash => {
                    column = at;
                    at += 1;
                }
                '|' | '>' if *depth == 0 => return Some(column),
                '&' | '*' | '!' => at += rest.find(' ').unwrap_or(rest.len()),
                '"' | '\'' => {
                    let (text, end) = quoted(rest, first);
                    let key = is_key(&rest[end..]);
                    self.seen(key).quoted.extend(as_kubectl(&text).map(|_| text));
                    if key && *depth == 0 {
                        column = at;
                    }
                    at += end;
                }
                _ => {
                    let end = plain(rest, *depth > 0);
                    let text = rest[..end].trim_end();
                    let key = is_key(&rest[end..]);
                    self.seen(key).plain.extend(as_kubectl(text).map(|_| text.to_owned()));
                    if key && *depth == 0 {
                        column = at;
                    }
                    at += end.max(1);
                }
            }
        }
        None
    }
}

/// Whether a scalar is a key, by the text after it.
fn is_key(after: &str) -> bool {
    let after = after.trim_start();
    after == ":" || after.starts_with(": ") || after.starts_with(":\t")
}

/// The text between quotes, and its end; an unclosed one ends with the line.
fn quoted(rest: &str, mark: char) -> (String, usize) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if mark == '"' => text.extend(chars.next().map(|(_, c)| c)),
            _ if c == mark && mark == '\'' && chars.peek().is_some_and(|(_, next)| *next == mark) => {
                text.push(c);
                chars.next();
            }
            _ if c == mark => return (text, at + 1),
            _ => text.push(c),
        }
    }
    (text, rest.len())
}

/// The end of a scalar without quotes.
fn plain(rest: &str, flow: bool) -> usize {
    let ends = |at: usize, c: char| match c {
        ':' => rest[at + 1..].chars().next().is_none_or(|next| next == ' ' || flow && ",[]{}".contains(next)),
        '#' => rest[..at].ends_with(' '),
        _ => flow && ",[]{}".contains(c),
    };
    rest.char_indices().find(|(at, c)| ends(*at, *c)).map_or(rest.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The output of `kubectl annotate --local -o json` (1.34.4).
    #[test]
    fn words_are_read_as_by_kubectl() {
        for (word, value) in [
            ("yes", json!(true)),
            ("OFF", json!(false)),
            ("N", json!(false)),
            ("0644", json!(420)),
            ("-017", json!(-15)),
            ("00", json!(0)),
            ("0899", json!(899)),
            ("08", json!(8)),
            ("1_000", json!(1000)),
            ("-1_0", json!(-10)),
            ("1__0", json!(10)),
            ("2024_01_15", json!(20_240_115)),
            ("0b1_1", json!(3)),
            ("0x_1F", json!(31)),
            ("1_000.5", json!(1000.5)),
            (".5_0", json!(0.5)),
        ] {
            assert_eq!(as_kubectl(word), Some(value), "{word}");
        }
        for word in ["8080", "0x1F", "0o17", "1e3", ".5", "true", "+1", "0"] {
            assert_eq!(as_kubectl(word), None, "{word} is a number or a truth value to both");
        }
        for word in [
            "oN",
            "_1",
            "1.2.3",
            "0o8",
            "0b2",
            "0x",
            "12:30",
            "2024-01-15",
            "1.34.4",
            "10s",
            "-",
            "+",
            ".",
            "5Gi",
            ".7_",
        ] {
            assert_eq!(as_kubectl(word), None, "{word}");
        }
    }

    #[test]
    fn quotes_are_detected() {
        let text = "a: yes # no\nb: 'on'\nc: [off, \"y\", {d: 0644}]\non: 1\n- - 1_000\ne: |\n  x: n\n  N\nf: No\n\
                    g: don't say no\n- h: >-\n    NO\n  i: 'it''s'\n  j: \"0_1\"\n";
        let words = Words::of(text);
        let sorted = |words: &HashSet<String>| {
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.sort_unstable();
            words.join(" ")
        };
        assert_eq!(sorted(&words.values.plain), "0644 1_000 No off yes");
        assert_eq!(sorted(&words.values.quoted), "0_1 on y");
        assert_eq!(sorted(&words.keys.plain), "on");
        assert_eq!(sorted(&words.keys.quoted), "");
    }
}
