//! A publisher's checksum file: in the format of `sha256sum`, or only the digits.

use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// Maximum size, in bytes. A page that a proxy sends instead is always larger.
pub(crate) const SIZE_LIMIT: u64 = 16 << 10;

/// Digits of a SHA-256.
const DIGITS: usize = 64;

/// The SHA-256 of the file named `name`, lower case. A line contains only the digits, or digits and a file name in
/// the format of `sha256sum`; of several lines the one with this name counts.
///
/// # Errors
///
/// `KS-TOOL-CHECKSUM-FORMAT` for anything else, naming the line; `origin` names its source.
pub fn parse(origin: &str, bytes: &[u8], name: &str) -> Result<String> {
    let refuse = |why: String| {
        Box::new(
            Failure::new(
                errors::TOOL_CHECKSUM_FORMAT,
                Kind::Task,
                format!("{origin} is not a checksum file"),
            )
            .because(why)
            .hint("check its content: a proxy or a login page may respond instead of the server")
            .hint("or use another mirror: --mirror URL|DIR"),
        )
    };
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(refuse(format!("it has {} bytes, more than any checksum file has", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is not text".into()))?;
    let mut found: Option<(Option<&str>, String)> = None;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let several = lines.clone().nth(1).is_some();
    for (at, line) in lines {
        let (digits, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(refuse(format!("line {}: not {DIGITS} hexadecimal digits", at + 1)));
        }
        // A star before the name means that the file was read in binary mode.
        let of = rest.trim_start().trim_start_matches('*');
        let of = (!of.is_empty()).then(|| of.rsplit('/').next().unwrap_or(of));
        if several && of.is_none() {
            return Err(refuse(format!("line {}: one of several, without a file name", at + 1)));
        }
        if of.is_some_and(|of| of != name) {
            continue;
        }
        let digits = digits.to_ascii_lowercase();
        if found.as_ref().is_some_and(|(_, earlier)| *earlier != digits) {
            return Err(refuse(format!("line {}: a second checksum of {name}", at + 1)));
        }
        found = Some((of, digits));
    }
    found.map(|(_, digits)| digits).ok_or_else(|| refuse(format!("it has no checksum of {name}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> Result<String> {
        parse("https://example.org/kubectl.sha256", text.as_bytes(), "kubectl")
    }

    #[test]
    fn checksum_files_of_publishers_are_parsed() {
        let (upper, b) = (A.to_ascii_uppercase(), "b".repeat(DIGITS));
        for text in [
            A.to_owned(),
            format!("{A}\n"),
            format!("{upper}\r\n"),
            format!("{A}  kubectl\n"),
            format!("{A} *bin/linux/amd64/kubectl\n"),
            format!("{b}  kubeadm\n{A}  kubectl\n\n"),
        ] {
            assert_eq!(read(&text).unwrap_or_else(|f| panic!("{text}: {:?}", f.causes)), A);
        }
    }

    #[test]
    fn other_text_is_rejected_with_its_line() {
        let b = "b".repeat(DIGITS);
        for (text, why) in [
            (String::new(), "no checksum of kubectl"),
            ("<html><body>Sign in</body></html>".into(), "line 1"),
            (A[1..].into(), "line 1"),
            (format!("{A}0"), "line 1"),
            (A.replace('0', "g"), "line 1"),
            (format!("SHA256(kubectl)= {A}"), "line 1"),
            (format!("{A}  minikube\n"), "no checksum of kubectl"),
            (format!("{A}\n{b}\n"), "line 1: one of several"),
            (format!("{A}  kubectl\n{b}  kubectl\n"), "line 2: a second checksum"),
            ("x".repeat(SIZE_LIMIT as usize + 1), "more than any checksum file"),
        ] {
            let failure = read(&text).expect_err(&text);
            assert_eq!(failure.id, errors::TOOL_CHECKSUM_FORMAT);
            assert!(failure.causes[0].contains(why), "{text}: {:?}", failure.causes);
        }
        assert_eq!(parse("x", &[0xff, 0xfe], "kubectl").expect_err("no text").causes, ["it is not text"]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic_and_return_only_digests(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(digest) = parse("x", &bytes, "kubectl") {
                prop_assert!(digest.len() == DIGITS && digest.bytes().all(|b| b.is_ascii_hexdigit()));
            }
        }

        #[test]
        fn similar_lines_do_not_panic(text in "([0-9a-f]{60,66}[ *]{0,3}(kubectl|x|/)?\r?\n?){0,4}") {
            if let Ok(digest) = parse("x", text.as_bytes(), "kubectl") {
                prop_assert!(text.contains(&digest));
            }
        }

        #[test]
        fn the_right_line_is_found_at_any_position(
            digests in proptest::collection::vec("[0-9a-f]{64}", 1..6), at in 0_usize..6, star in any::<bool>(),
        ) {
            let at = at % digests.len();
            let gap = if star { " *" } else { "  " };
            let name = |n: usize| if n == at { "kubectl".to_owned() } else { format!("other-{n}") };
            let text: String =
                digests.iter().enumerate().map(|(n, d)| format!("{d}{gap}{}\n", name(n))).collect();
            prop_assert_eq!(&parse("x", text.as_bytes(), "kubectl").unwrap(), &digests[at]);
        }
    }
}
