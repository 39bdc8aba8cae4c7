//! Why an image could not be pulled, from the messages of the container runtime.

use super::finding::short;
use crate::errors;
use crate::failure::Id;
use crate::words::{self, Words};

/// What the registry or network reported.
pub(super) struct Cause {
    pub(super) id: Id,
    /// The end of a sentence.
    pub(super) words: &'static str,
    pub(super) hint: &'static str,
    /// How many seconds it must persist before waiting is considered useless: a registry's response will not change,
    /// a network may recover.
    pub(super) seconds: u64,
}

/// The cause in a runtime's message.
pub(super) fn cause(message: &str) -> Cause {
    let said = without_names(message);
    let says = |all: &[Words]| words::any(all, &said);
    let cause = |id, words, seconds, hint| Cause { id, words, hint, seconds };
    if says(&words::REGISTRY_LIMIT) {
        cause(
            errors::REGISTRY_LIMIT,
            ": the registry's rate limit is reached",
            10,
            "wait, or pull with a login: --image-pull-config",
        )
    } else if says(&words::REGISTRY_TLS) {
        cause(
            errors::NETWORK_TLS,
            ": the registry's certificate is not trusted (a proxy that intercepts TLS?)",
            6,
            "add the certificate of the intercepting proxy to ~/.minikube/certs, and create the profile \
             with --minikube-arg=--embed-certs",
        )
    } else if says(&words::REGISTRY_DNS) {
        cause(
            errors::NETWORK_DNS,
            ": the registry's name cannot be resolved from inside the node",
            10,
            "check that names can be resolved on this machine; a VPN or a proxy may prevent it in the node",
        )
    } else if says(&words::REGISTRY_DENIED) {
        cause(
            errors::REGISTRY_DENIED,
            ": the registry denies access",
            6,
            "the image may be private (--image-pull-config), or a proxy may require a login",
        )
    } else if says(&words::REGISTRY_LACKS) {
        cause(errors::IMAGE_PULL, ": it does not exist in the registry", 4, "check the name and the tag")
    } else if says(&[words::REGISTRY_HTTP]) {
        cause(
            errors::NETWORK_REGISTRY,
            ": the registry speaks HTTP, not HTTPS",
            6,
            "create the profile with --minikube-arg=--insecure-registry=HOST:PORT",
        )
    } else if says(&words::REGISTRY_AWAY) {
        cause(
            errors::NETWORK_REGISTRY,
            ": the registry cannot be reached from inside the node",
            10,
            "check the network; if you use a proxy, set HTTPS_PROXY and NO_PROXY before the profile is \
             created",
        )
    } else {
        cause(errors::IMAGE_PULL, "", 10, "check the network of the node, and the image's name")
    }
}

/// A runtime's message without what it quotes: names of images and hosts, addresses and digests may contain any word
/// and any number.
fn without_names(message: &str) -> String {
    let plain = message.replace('\\', "");
    let outside = plain.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let inside = |word: &str, mark: char| {
        let at = |(at, _): (usize, &str)| {
            let sides = (word[..at].chars().next_back(), word[at + 1..].chars().next());
            matches!(sides, (Some(left), Some(right)) if left.is_alphanumeric() && right.is_alphanumeric())
        };
        word.match_indices(mark).any(at)
    };
    let name = |word: &str| {
        word.contains(['@', '>'])
            || word.contains('/') && !word.starts_with("i/o")
            || inside(word, '.')
            || inside(word, ':')
    };
    outside.split_whitespace().filter(|word| !name(word)).collect::<Vec<_>>().join(" ")
}

/// The id of a pull's failure.
pub(crate) fn id(words: &str) -> Id {
    cause(words).id
}

/// The cause and the runtime's message, as the end of a sentence.
pub(crate) fn cause_with_message(words: &str) -> String {
    let cause = cause(words).words;
    match (cause, words.trim()) {
        (cause, "") => cause.to_owned(),
        ("", words) => format!(": {}", short(words)),
        (cause, words) => format!("{cause} ({})", short(words)),
    }
}

/// The error of `minikube image pull` or `image load`. Both exit with 0 if a node's runtime fails (minikube's
/// `pkg/machine/cache_images.go`: "live pushes are not considered a failure"); the reason is a warning in minikube's
/// log, with the runtime's own output on the following lines.
pub(crate) fn complaint(stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr.lines().map(str::trim).collect();
    if let Some(at) = lines.iter().position(|l| words::any(&words::NOT_PULLED, l)) {
        // The runtime's last message is closest to the cause.
        let runtime = lines[at..].iter().rev().find_map(|line| described(line));
        return Some(runtime.or_else(|| of_command(&lines[at..])).unwrap_or_else(|| plain(lines[at])));
    }
    let marked = |l: &&&str| !words::any(&words::SLOW, l) && words::any(&words::COMPLAINS, l);
    lines.iter().find(marked).map(|line| (*line).to_owned())
}

/// The description in a gRPC error as printed by containerd's clients: `... desc = TEXT" image="...`.
fn described(line: &str) -> Option<String> {
    let (_, text) = line.rsplit_once(words::DESCRIBED.text())?;
    // Quoted by the logger: it ends at the first quote that is not escaped.
    let mut told = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => told.extend(chars.next()),
            '"' => break,
            c => told.push(c),
        }
    }
    Some(told)
}

/// The last line that a command in the node wrote to its stderr.
fn of_command(lines: &[&str]) -> Option<String> {
    let at = lines.iter().position(|line| *line == "stderr:")?;
    lines[at + 1..].iter().rev().find(|line| !line.is_empty()).map(|line| (*line).to_owned())
}

/// A line of klog without its header.
fn plain(line: &str) -> String {
    line.split_once("] ").map_or(line, |(_, text)| text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// minikube 1.38.1 with containerd, in a network without a registry.
    const PULL: &str = r#"W1125 21:25:16.270347   13944 cache_images.go:599] Failed to pull images for profile images-1 error pulling images: crictl: sudo /usr/local/bin/crictl pull quay.io/strimzi/operator:9: Process exited with status 1
stdout:

stderr:
E1125 21:25:16.199215    1958 log.go:32] "PullImage from image service failed" err="rpc error: code = Unknown desc = failed to pull and unpack image \"quay.io/strimzi/operator:9\": failed to resolve reference \"quay.io/strimzi/operator:9\": failed to do request: Head \"https://quay.io/v2/strimzi/operator/manifests/9\": dial tcp: lookup quay.io on 192.168.58.1:53: read udp 192.168.58.2:56147->192.168.58.1:53: i/o timeout" image="quay.io/strimzi/operator:9"
time="2026-11-25T21:25:16Z" level=fatal msg="pulling image: failed to pull and unpack image \"quay.io/strimzi/operator:9\": failed to resolve reference \"quay.io/strimzi/operator:9\": failed to do request: Head \"https://quay.io/v2/strimzi/operator/manifests/9\": dial tcp: lookup quay.io on 192.168.58.1:53: read udp 192.168.58.2:56147->192.168.58.1:53: i/o timeout"
"#;
    /// The same minikube with a file that is not an archive.
    const LOAD: &str = r#"W1125 21:25:17.915663   14586 cache_images.go:254] Failed to load cached images for "images-1": loading images: containerd load /var/lib/minikube/images/bad.tar: ctr images import: sudo ctr -n=k8s.io images import /var/lib/minikube/images/bad.tar: Process exited with status 1
stdout:

stderr:
ctr: unexpected EOF
"#;

    #[test]
    fn the_runtimes_message_is_found_below_minikubes() {
        let words = complaint(PULL).expect("a complaint");
        assert!(
            words.starts_with("failed to pull and unpack image \"quay.io/strimzi/operator:9\": failed"),
            "{words}"
        );
        assert!(words.ends_with("192.168.58.1:53: i/o timeout"), "{words}");
        let told = cause_with_message(&words);
        assert!(
            told.starts_with(": the registry's name cannot be resolved from inside the node ("),
            "{told}"
        );
        assert_eq!(complaint(LOAD).as_deref(), Some("ctr: unexpected EOF"));
    }

    #[test]
    fn output_of_a_successful_pull_is_not_an_error() {
        for fine in [
            "",
            "W1125 21:11:00.1 1 cache_images.go:349] error getting status for m02: gone",
            "I1125 x] done",
            "! Executing \"docker container inspect p --format={{.State.Status}}\" took an unusually long time: 7.7s\n* Restarting the docker service may improve performance.",
        ] {
            assert_eq!(complaint(fine), None, "{fine}");
        }
        let unknown =
            "W1125 21:11:00.1 1 cache_images.go:309] Failed to load cached images for \"p\": loading: EOF";
        assert_eq!(
            complaint(unknown).as_deref(),
            Some("Failed to load cached images for \"p\": loading: EOF")
        );
        let old = "! The image 'x' was not found; unable to add it to cache.";
        assert_eq!(complaint(old).as_deref(), Some(old));
    }

    #[test]
    fn causes() {
        for (words, cause) in [
            ("toomanyrequests: You have reached your pull rate limit", "rate limit"),
            ("x: not found", "does not exist in the registry"),
            ("pull access denied, repository does not exist", "denies access"),
            ("dial tcp: lookup quay.io on 192.168.49.1:53: connection refused", "cannot be resolved"),
            ("dial tcp 10.0.0.1:443: i/o timeout", "cannot be reached"),
            ("http: server gave HTTP response to HTTPS client", "speaks HTTP"),
            (
                "unexpected status from HEAD request to https://h/v2/x/manifests/1: 429 Too Many Requests",
                "rate limit",
            ),
            ("pulling from host h failed with status code [manifests 1]: 401 Unauthorized", "denies access"),
            // Words in a name, an address or a digest do not count.
            (
                "failed to resolve reference \"registry.example:4013/a/b:1\": registry.example:4013/a/b:1: not found",
                "does not exist in the registry",
            ),
            (
                "dial tcp: lookup not-denied.example on 10.0.0.1:53: read udp 10.0.0.2:42915->10.0.0.1:53: i/o timeout",
                "cannot be resolved",
            ),
            ("a/b@sha256:aa429bb403: x509.example/a/b: manifest unknown", "does not exist in the registry"),
            (
                "failed to do request: Head \"https://x509.example:4290/v2/\": tls: failed to verify certificate: x509: unknown authority",
                "not trusted",
            ),
        ] {
            assert!(cause_with_message(words).contains(cause), "{}", cause_with_message(words));
        }
    }
}
