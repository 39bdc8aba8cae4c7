//! How observers reach the API server, and what its refusals mean.

use std::fmt;

use serde_json::Value;

use crate::exec::{BoxFuture, ExecError, Lines};

/// Read access to a cluster. Implemented over `kubectl get --raw`, and by tests.
pub trait Api {
    /// The JSON at `path`, such as `/api/v1/namespaces/kafka/pods`.
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Value, ApiError>>;
    /// A watch: one JSON object `{"type", "object"}` a line, until the server or somebody ends it.
    fn watch<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>>;
}

/// What kind of refusal it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiErrorKind {
    /// The object is not there.
    NotFound,
    /// The server does not serve this kind or version (no CRD, or not of this version).
    NoSuchKind,
    /// RBAC or an admission rule says no.
    Forbidden,
    /// Not logged in, or the certificate expired.
    Unauthorized,
    /// Another field manager owns a field, or the object changed meanwhile.
    Conflict,
    /// It is there already.
    AlreadyExists,
    /// The namespace or the object is being deleted.
    Terminating,
    /// The object does not fit its schema or a rule: see [`ApiError::field`].
    Invalid,
    /// The resource version is too old: list again.
    Expired,
    /// Nobody answers: refused, no route, TLS handshake timed out ...
    Unreachable,
    /// The kubeconfig has no such context, or is missing.
    NoContext,
    /// kubectl itself waited too long for a condition.
    TimedOut,
    /// The answer was no JSON.
    Malformed,
    /// kubectl could not be run to its end.
    Exec,
    /// Anything else.
    Other,
}

/// A refused or failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What kind.
    pub kind: ApiErrorKind,
    /// The sentence for people, at most [`MESSAGE_LIMIT`] characters.
    pub message: String,
}

/// Most characters of an [`ApiError::message`]. An `Invalid` quotes the whole patch otherwise.
pub const MESSAGE_LIMIT: usize = 500;

impl ApiError {
    /// An error of this kind.
    pub fn new(kind: ApiErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: cut(message.into()) }
    }

    /// Read kubectl's stderr. There is no JSON error even with `-o json`; the sentence for
    /// people is the last line (klog lines come first), or the first line that begins like an
    /// error when advice follows it.
    pub fn from_stderr(stderr: &str) -> Self {
        let lines: Vec<&str> = stderr.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()).collect();
        let telling = |l: &&&str| {
            [
                "Error from server",
                "error: ",
                "Error in configuration",
                "Unable to connect",
                "The connection to",
            ]
            .iter()
            .any(|start| l.starts_with(start))
        };
        let plain = |l: &&&str| !klog(l) && !l.starts_with("Warning:") && !l.starts_with("ensure CRDs");
        let first = lines.iter().position(|l| telling(&l));
        let message = match first {
            Some(at) => {
                // Fields follow on indented lines; a head ending in a colon goes on, after whole
                // patches, at "from server" or "for:".
                let head = lines[at].trim();
                let rest = &lines[at + 1..];
                let indented = rest.iter().take_while(|l| l.starts_with("  "));
                let server = rest.iter().find(|l| {
                    head.ends_with(':') && (l.starts_with("from server") || l.starts_with("for: "))
                });
                let more = indented.chain(server).map(|l| l.trim());
                std::iter::once(head).chain(more).collect::<Vec<_>>().join(" ")
            }
            None => {
                lines.iter().rev().find(plain).or(lines.last()).map_or(String::new(), |l| l.trim().to_owned())
            }
        };
        let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
        Self::new(classify(&message, stderr), message)
    }

    /// The field an `Invalid` names: `spec.kafka.metadataVerzion`.
    pub fn field(&self) -> Option<&str> {
        let text = self.message.as_str();
        if let Some(rest) = text.split("unknown field \"").nth(1) {
            return rest.split('"').next();
        }
        if let Some((before, _)) = text.split_once(": field not declared in schema") {
            return before.rsplit([' ', '\n']).next().map(|f| f.trim_start_matches('.'));
        }
        for mark in [
            ": Invalid value",
            ": Unsupported value",
            ": Required value",
            ": Forbidden:",
            ": Duplicate value",
        ] {
            if let Some((before, _)) = text.split_once(mark) {
                return before.rsplit(' ').next().map(|f| f.trim_start_matches('['));
            }
        }
        None
    }

    /// Whether asking again soon may help.
    pub fn transient(&self) -> bool {
        matches!(
            self.kind,
            ApiErrorKind::NotFound
                | ApiErrorKind::NoSuchKind
                | ApiErrorKind::Expired
                | ApiErrorKind::Unreachable
                | ApiErrorKind::Malformed
        )
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl From<ExecError> for ApiError {
    fn from(error: ExecError) -> Self {
        Self::new(ApiErrorKind::Exec, format!("kubectl {error}"))
    }
}

/// A line of Go's klog: `E1122 20:32:18.439460   16711 memcache.go:265] ...`.
fn klog(line: &str) -> bool {
    let mut chars = line.chars();
    chars.next().is_some_and(|c| "IWEF".contains(c))
        && chars.by_ref().take(4).all(|c| c.is_ascii_digit())
        && line.contains(".go:")
}

fn cut(mut message: String) -> String {
    if let Some((at, _)) = message.char_indices().nth(MESSAGE_LIMIT) {
        message.truncate(at);
        message.push('…');
    }
    message
}

/// The word in brackets is the API's own reason and decides, except where the same reason
/// covers different things; without it only the words are left.
fn classify(message: &str, stderr: &str) -> ApiErrorKind {
    let reason = message
        .split_once("rror from server (")
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(reason, _)| reason);
    let says = |words: &str| message.contains(words);
    if says("being terminated") || says("object is being deleted") {
        return ApiErrorKind::Terminating;
    }
    match reason {
        "NotFound" if says("could not find the requested resource") => return ApiErrorKind::NoSuchKind,
        "NotFound" => return ApiErrorKind::NotFound,
        "Forbidden" => return ApiErrorKind::Forbidden,
        "Unauthorized" => return ApiErrorKind::Unauthorized,
        "AlreadyExists" => return ApiErrorKind::AlreadyExists,
        "Conflict" => return ApiErrorKind::Conflict,
        "Invalid" => return ApiErrorKind::Invalid,
        "Expired" | "Gone" => return ApiErrorKind::Expired,
        "ServiceUnavailable" | "Timeout" | "ServerTimeout" => return ApiErrorKind::Unreachable,
        "BadRequest" if says("strict decoding error") => return ApiErrorKind::Invalid,
        _ => {}
    }
    let any = |words: &[&str]| words.iter().any(|w| message.contains(w));
    if any(&["no matches for kind", "doesn't have a resource type", "could not find the requested resource"])
        || stderr.contains("no matches for kind")
    {
        ApiErrorKind::NoSuchKind
    } else if any(&["context was not found", "context does not exist", "no configuration has been provided"])
        || message.starts_with("stat ") && says("no such file or directory")
    {
        ApiErrorKind::NoContext
    } else if any(&["Apply failed with", "please apply your changes to the latest version"]) {
        ApiErrorKind::Conflict
    } else if says(" is forbidden: ") {
        ApiErrorKind::Forbidden
    } else if any(&["must be logged in", "certificate has expired"]) {
        ApiErrorKind::Unauthorized
    } else if any(&[
        "field not declared in schema",
        "strict decoding error",
        "failed to create typed patch object",
    ]) {
        ApiErrorKind::Invalid
    } else if message.starts_with("Unable to connect")
        || message.starts_with("The connection to the server")
        || any(&[
            "connection refused",
            "no route to host",
            "TLS handshake timeout",
            "unexpected EOF",
            "i/o timeout",
        ])
    {
        ApiErrorKind::Unreachable
    } else if says("timed out waiting for the condition") {
        ApiErrorKind::TimedOut
    } else if says(" not found") && !says("executable file") {
        ApiErrorKind::NotFound
    } else {
        ApiErrorKind::Other
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(stderr: &str) -> (ApiErrorKind, String) {
        let error = ApiError::from_stderr(stderr);
        (error.kind, error.message)
    }

    /// What the first failed kubectl of a recording said whose argv and note hold `what`.
    fn recorded(recording: &str, what: &str) -> ApiError {
        let path = format!("{}/tests/recordings/{recording}/commands.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|c| c["exit"] != 0 && c["argv"][0].as_str().unwrap().ends_with("kubectl"))
            .find(|c| format!("{} {}", c["argv"], c["note"]).contains(what))
            .map(|c| ApiError::from_stderr(c["stderr"].as_str().unwrap()))
            .unwrap_or_else(|| panic!("{recording} has no {what}"))
    }

    #[test]
    fn recorded_errors_are_told_apart() {
        use ApiErrorKind as K;
        for (recording, what, kind, words) in [
            ("29-kubectl-errors", "unknown context", K::NoContext, "specified context: nope"),
            ("29-kubectl-errors", "kubeconfig file missing", K::NoContext, "stat /nonexistent/config"),
            ("29-kubectl-errors", "connection refused", K::Unreachable, "127.0.0.1:1 was refused"),
            ("29-kubectl-errors", "no current-context", K::Unreachable, "localhost:8080 was refused"),
            ("29-kubectl-errors", "nobody at that address", K::Unreachable, "no route to host"),
            ("29-kubectl-errors", "forbidden", K::Forbidden, "cannot list resource"),
            ("29-kubectl-errors", "forbidden custom", K::Forbidden, "kafkas"),
            ("29-kubectl-errors", "forbidden apply", K::Forbidden, "cannot get resource"),
            ("29-kubectl-errors", "missing namespace", K::NotFound, "namespaces"),
            ("29-kubectl-errors", "already exists", K::AlreadyExists, "already exists"),
            ("29-kubectl-errors", "nosuchthing", K::NoSuchKind, "resource type"),
            ("29-kubectl-errors", "\"conflict\"", K::Conflict, "conflict with \"one\": .data.a"),
            ("29-kubectl-errors", "wait timeout", K::TimedOut, "on kafkas/my-cluster"),
            ("29-kubectl-errors", "\"logs\",\"nope\"", K::NotFound, "pods \"nope\""),
            ("29-kubectl-errors", "missing program", K::Other, "no-such-program"),
            ("13-crd-not-established-race", "no CRDs at all", K::NoSuchKind, "could not find"),
            ("13b-crd-race-during-install", "apply", K::NoSuchKind, "no matches for kind"),
            ("13c-no-crds", "fresh discovery", K::NoSuchKind, "no matches for kind"),
            ("11-namespace-stuck", "up again", K::Terminating, "being deleted"),
            ("11-namespace-stuck", "create while", K::Terminating, "being terminated"),
            ("14-old-apiversion", "zookeeper-as-v1.yaml", K::Invalid, "unknown field"),
            ("14-old-apiversion", "wrong-type", K::Invalid, "is invalid: [spec.replicas: Invalid value"),
            ("14-old-apiversion", "old CRDs over", K::Invalid, "storedVersions"),
            ("23-mk-status", "\"paused\"", K::Unreachable, "TLS handshake timeout"),
            ("23-mk-status", "stopped: what", K::NoContext, "mkrec"),
            ("27-mk-container-gone", "get", K::Unreachable, "no route to host"),
        ] {
            let error = recorded(recording, what);
            assert_eq!(error.kind, kind, "{recording} {what}: {error}");
            assert!(error.message.contains(words), "{recording} {what}: {error}");
            assert!(error.message.chars().count() <= MESSAGE_LIMIT + 1);
        }
    }

    #[test]
    fn the_field_at_fault_is_found() {
        for (what, field) in [
            ("unknown-field.yaml\",\"--dry-run=server\",\"--validate=st", "spec.kafka.metadataVerzion"),
            ("server side, default validation", "spec.kafka.replicas"),
            ("old CRDs over", "status.storedVersions[0]"),
            ("wrong-type", "spec.replicas"),
        ] {
            let error = recorded("14-old-apiversion", what);
            assert_eq!(error.field(), Some(field), "{error}");
        }
        assert_eq!(ApiError::new(ApiErrorKind::NotFound, "x not found").field(), None);
    }

    #[test]
    fn noise_is_not_the_message() {
        let stderr = "E1122 20:32:18.4 16711 memcache.go:265] noise\nWarning: x\nsomething odd\n";
        assert_eq!(read(stderr), (ApiErrorKind::Other, "something odd".into()));
        assert_eq!(read(""), (ApiErrorKind::Other, String::new()));
    }
}
