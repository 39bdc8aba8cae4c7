//! Validates redirects.

use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// The URL that a `Location` refers to.
pub(super) fn target(from: &str, location: &str) -> Result<String> {
    let to = join(from, location);
    let unsafe_ = match scheme(&to) {
        Err(failure) if failure.id == errors::DOWNLOAD_CREDENTIALS => return Err(failure),
        Err(_) => true,
        Ok(scheme_of_it) => scheme(from)? == "https" && scheme_of_it != "https",
    };
    if !unsafe_ {
        return Ok(to);
    }
    let message = format!("{from} redirects to {to}, which is not safe to follow");
    Err(Box::new(
        Failure::new(errors::DOWNLOAD_SCHEME, Kind::Task, message)
            .because("a redirect must lead to http or https, and never from https to http")
            .hint("a proxy or a login page of this network may be responding instead of the server"),
    ))
}

/// A `Location` in the sense of RFC 3986, for http(s) bases.
fn join(base: &str, to: &str) -> String {
    let has_scheme = to.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match to {
        _ if has_scheme => to.to_owned(),
        _ if to.starts_with("//") => format!("{scheme}:{to}"),
        _ if to.starts_with('/') => format!("{scheme}://{authority}{to}"),
        _ => {
            let path = path.split(['?', '#']).next().unwrap_or("");
            let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            format!("{scheme}://{authority}/{folder}{to}")
        }
    }
}

/// `http` or `https`; anything else is rejected, and so is a URL with a password, which would appear in logs and
/// events.
pub(super) fn scheme(url: &str) -> Result<&'static str> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((_, host)) = authority.rsplit_once('@') {
        let message = format!("the URL of {host} contains a user name or a password");
        let failure = Failure::new(errors::DOWNLOAD_CREDENTIALS, Kind::Usage, message)
            .because("URLs are printed and logged")
            .hint("use a mirror that does not need them, or local files: --mirror DIR, --manifests FILE");
        return Err(Box::new(failure));
    }
    let known = ["https", "http"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme));
    known.ok_or_else(|| {
        let message = format!("{url} is not an http or https URL");
        Box::new(Failure::new(errors::DOWNLOAD_SCHEME, Kind::Usage, message))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn locations_are_resolved() {
        let base = "https://h:1/a/b?q=/x";
        for (to, joined) in [
            ("http://x/y", "http://x/y"),
            ("file:/etc/passwd", "file:/etc/passwd"),
            ("//x/y", "https://x/y"),
            ("/c", "https://h:1/c"),
            ("c?d", "https://h:1/a/c?d"),
        ] {
            assert_eq!(join(base, to), joined);
        }
        assert_eq!(join("http://h", "c"), "http://h/c");
    }

    #[test]
    fn unsafe_schemes_are_rejected() {
        for (from, to, id) in [
            ("https://h/a", "http://h/a", errors::DOWNLOAD_SCHEME),
            ("https://h/a", "file:///etc/passwd", errors::DOWNLOAD_SCHEME),
            ("http://h/a", "FTP://h/a", errors::DOWNLOAD_SCHEME),
            ("http://h/a", "data:text/plain,x", errors::DOWNLOAD_SCHEME),
            ("https://h/a", "https://me:hunter2@h/a", errors::DOWNLOAD_CREDENTIALS),
            ("https://h/a", "//me:hunter2@h/a", errors::DOWNLOAD_CREDENTIALS),
        ] {
            let failure = target(from, to).expect_err(to);
            assert_eq!(failure.id, id, "{to}");
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
        assert_eq!(target("http://h/a", "HTTPS://h/b").expect("safe"), "HTTPS://h/b");
    }

    proptest! {
        /// Whatever a server sends: a redirect that is followed is http(s), never less secure, and contains no login.
        #[test]
        fn random_locations_are_safe(
            secure in any::<bool>(),
            start in prop::sample::select(vec!["", "/", "//", "http:", "http://", "https://", "HTTPS://", "file://", "h://", ":", "@", "\\", "?", "#"]),
            rest in "(\\PC{0,40}|[a-z0-9:@/?#.%\\\\-]{0,40})",
        ) {
            let from = format!("{}://host:1/folder/file?q=1", if secure { "https" } else { "http" });
            if let Ok(to) = target(&from, &format!("{start}{rest}")) {
                let lower = to.to_ascii_lowercase();
                prop_assert!(lower.starts_with("https://") || !secure && lower.starts_with("http://"), "{}", to);
                let authority = lower.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
                prop_assert!(!authority.unwrap_or_default().contains('@'), "{}", to);
            }
        }
    }
}
