//! How observers access the API server, and the meaning of its errors.

use std::fmt;

use serde_json::Value;

use super::admission::{self, Refusal};
use super::object::text;
use crate::exec::{BoxFuture, ExecError, Lines};
use crate::words;

/// Read access to a cluster. Implemented over `kubectl get --raw`, and by tests.
pub(crate) trait Api {
    /// The JSON at `path`, such as `/api/v1/namespaces/kafka/pods`.
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Value, ApiError>>;
    /// A watch: one JSON object `{"type", "object"}` per line, until it ends.
    fn watch<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>>;
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiErrorKind {
    /// The object does not exist.
    NotFound,
    /// The server does not serve this kind or version (no CRD, or not with this version).
    NoSuchKind,
    /// Denied by RBAC.
    Forbidden,
    /// Rejected by admission, or a required webhook does not respond: see [`ApiError::refusal`].
    Admission,
    /// Not logged in, or the certificate expired.
    Unauthorized,
    /// Another field manager owns a field, or the object was changed in the meantime.
    Conflict,
    /// It exists already.
    AlreadyExists,
    /// The namespace or the object is being deleted.
    Terminating,
    /// The object violates its schema or a rule: see [`ApiError::field`].
    Invalid,
    /// The resource version is too old: list again.
    Expired,
    /// The server does not respond: connection refused, no route, TLS handshake timed out ...
    Unreachable,
    /// The kubeconfig does not have this context, or is missing.
    NoContext,
    /// kubectl itself timed out waiting for a condition.
    TimedOut,
    /// The response was not JSON.
    Malformed,
    /// kubectl did not run to completion.
    Exec,
    /// Anything else.
    Other,
}

/// A rejected or failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Its kind.
    pub kind: ApiErrorKind,
    /// The sentence for the user, at most [`MESSAGE_LIMIT`] characters.
    pub message: String,
    /// The configuration of the webhook that rejects or does not respond, as `KIND/NAME`, if it was looked up.
    pub configuration: Option<String>,
}

/// Maximum length of an [`ApiError::message`], in characters. An `Invalid` would otherwise quote the whole patch.
pub(crate) const MESSAGE_LIMIT: usize = 500;

impl ApiError {
    /// An error of this kind.
    pub fn new(kind: ApiErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: cut(message.into()), configuration: None }
    }

    /// From the API server's own `Status`; `None` if it is not one, for example if another program responded.
    pub fn from_status(status: &Value) -> Option<Self> {
        if text(status, "/kind") != "Status" || text(status, "/status") == "Success" {
            return None;
        }
        let (reason, message) = (text(status, "/reason"), text(status, "/message"));
        let kind = match (reason, text(status, "/details/name")) {
            // A path that is not served names no object.
            ("NotFound", "") => ApiErrorKind::NoSuchKind,
            _ => by_reason(reason, message).unwrap_or(ApiErrorKind::Other),
        };
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        Some(Self::new(kind, format!("Error from server{reason}: {message}")))
    }

    /// The rejection by admission, if it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        (self.kind == ApiErrorKind::Admission).then(|| admission::refusal(&self.message)).flatten()
    }

    /// From kubectl's stderr. There is no JSON error even with `-o json`; the sentence for the user is the last line
    /// (klog lines come first), or the first line that begins like an error if advice follows it.
    pub fn from_stderr(stderr: &str) -> Self {
        let lines: Vec<&str> = stderr.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()).collect();
        let telling = |l: &str| {
            words::any(&words::TELLING, l)
                && (!words::INVALID_OBJECT.matches(l) || answered(l) || is_unreachable(l))
        };
        let plain = |l: &&&str| !klog(l) && !words::any(&words::REMARKS, l);
        let first = lines.iter().position(|l| telling(l));
        let message = match first {
            Some(at) => {
                // Fields follow on indented lines, or as a list; a line that ends with a colon continues, after whole
                // patches, at "from server" or "for:".
                let head = lines[at].trim();
                let rest = &lines[at + 1..];
                let webhook = words::WEBHOOK_SAYS.matches(head);
                let of_webhook =
                    |l: &str| webhook && !telling(l) && !klog(l) && !words::any(&words::GOES_ON, l);
                let of_head = |l: &&&str| l.starts_with("  ") || l.starts_with("* ") || of_webhook(l);
                let fields = rest.iter().take_while(of_head);
                let server = rest.iter().find(|l| head.ends_with(':') && words::any(&words::GOES_ON, l));
                let more = fields.chain(server).map(|l| l.trim());
                std::iter::once(head).chain(more).collect::<Vec<_>>().join(" ")
            }
            None => {
                lines.iter().rev().find(plain).or(lines.last()).map_or(String::new(), |l| l.trim().to_owned())
            }
        };
        let message = words::ERROR.after(&message).unwrap_or(&message).to_owned();
        Self::new(classify(&message, stderr), message)
    }

    /// The field an `Invalid` names: `spec.kafka.metadataVerzion`.
    pub fn field(&self) -> Option<&str> {
        let text = self.message.as_str();
        if let Some(rest) = words::UNKNOWN_FIELD.after(text) {
            return rest.split('"').next();
        }
        if let Some(before) = words::UNDECLARED.before(text) {
            return before.rsplit([' ', '\n']).next().map(|f| f.trim_start_matches('.'));
        }
        let before = words::OF_FIELD.iter().find_map(|mark| mark.before(text))?;
        before.rsplit(' ').next().map(|f| f.trim_start_matches('['))
    }

    /// Whether a retry may help.
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

/// The API's reason in `Error from server (Reason): message`, and the message. The reason of a 422 has no parentheses
/// if kubectl prints its causes one by one; an unknown one is empty.
fn structured(message: &str) -> Option<(&str, &str)> {
    if words::any(&words::FROM_SERVER, message) {
        let (head, body) = message.split_once(": ").unwrap_or((message, ""));
        let reason = head.split_once(" (").map_or("", |(_, reason)| reason.trim_end_matches(')'));
        return Some((reason, body));
    }
    answered(message).then_some(("Invalid", message))
}

/// Whether a line contains the causes of a 422: `The Kafka "x" is invalid: ...`.
fn answered(line: &str) -> bool {
    words::REQUEST_INVALID.matches(line)
        || words::INVALID_OBJECT.matches(line) && words::IS_INVALID.matches(&format!("{line} "))
}

/// Whether kubectl could not connect.
fn is_unreachable(line: &str) -> bool {
    words::any(&words::UNREACHABLE, line)
}

/// The kind for the API's reason, except where the same reason has several meanings; `None` if there is none.
fn by_reason(reason: &str, message: &str) -> Option<ApiErrorKind> {
    if admission::refusal(message).is_some() {
        return Some(ApiErrorKind::Admission);
    }
    Some(match reason {
        "" => return None,
        "AlreadyExists" | "Conflict" if words::BEING_DELETED.matches(message) => ApiErrorKind::Terminating,
        "Forbidden" if admission::terminating(message) => ApiErrorKind::Terminating,
        "NotFound" if words::NO_RESOURCE.matches(message) => ApiErrorKind::NoSuchKind,
        "NotFound" => ApiErrorKind::NotFound,
        "Forbidden" => ApiErrorKind::Forbidden,
        "Unauthorized" => ApiErrorKind::Unauthorized,
        "AlreadyExists" => ApiErrorKind::AlreadyExists,
        "Conflict" => ApiErrorKind::Conflict,
        "Invalid" => ApiErrorKind::Invalid,
        "Expired" | "Gone" => ApiErrorKind::Expired,
        "ServiceUnavailable" | "Timeout" | "ServerTimeout" => ApiErrorKind::Unreachable,
        "BadRequest" if words::STRICT.matches(message) => ApiErrorKind::Invalid,
        _ => ApiErrorKind::Other,
    })
}

/// The API's own reason decides if kubectl prints one; only otherwise the message does.
fn classify(message: &str, stderr: &str) -> ApiErrorKind {
    let answer = structured(message);
    if let Some(kind) = by_reason(answer.map_or("", |(reason, _)| reason), message) {
        return kind;
    }
    let body = answer.map_or(message, |(_, body)| body);
    let any = |all: &[words::Words]| words::any(all, body);
    if stderr.lines().any(|l| words::any(&words::NO_KIND, words::ERROR.after(l).unwrap_or(l))) {
        ApiErrorKind::NoSuchKind
    } else if any(&words::NO_CONTEXT[..1])
        || any(&words::NO_CONTEXT[2..])
        || words::NO_CONTEXT[1].matches(body) && words::DOES_NOT_EXIST.matches(body)
        || words::STAT.matches(body) && words::NO_FILE.matches(body)
    {
        ApiErrorKind::NoContext
    } else if words::NO_RESOURCE.matches(body) {
        ApiErrorKind::NoSuchKind
    } else if admission::terminating(body) {
        ApiErrorKind::Terminating
    } else if any(&words::APPLY_CONFLICT) {
        ApiErrorKind::Conflict
    } else if admission::forbidden(body) {
        ApiErrorKind::Forbidden
    } else if words::LOGGED_IN.matches(body) || is_unreachable(body) && words::EXPIRED.matches(body) {
        ApiErrorKind::Unauthorized
    } else if words::UNTYPED.matches(body) || words::STRICT.matches(body) {
        ApiErrorKind::Invalid
    } else if answer.is_some() {
        // Whatever the message, a server responded.
        ApiErrorKind::Other
    } else if is_unreachable(body) || any(&words::NO_ANSWER) {
        ApiErrorKind::Unreachable
    } else if words::TIMED_OUT.matches(body) {
        ApiErrorKind::TimedOut
    } else if words::NOT_FOUND.matches(body) {
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

    /// The stderr of the first failed kubectl of a recording whose argv and note contain `what`.
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

    /// A rejection by Kyverno 1.13, which contains blank lines.
    #[test]
    fn a_webhooks_message_may_have_several_lines() {
        let stderr = "Error from server: admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\n\
                      resource KafkaTopic/kafka/x was blocked due to the following policies \n\n\
                      require-labels:\n  check-team: 'validation error: label team is required'\n";
        let (_, message) = read(stderr);
        assert!(
            message.ends_with("require-labels: check-team: 'validation error: label team is required'"),
            "{message}"
        );
    }

    #[test]
    fn recorded_errors_have_their_kind() {
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
    fn the_invalid_field_is_found() {
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
    fn other_output_is_not_part_of_the_message() {
        let stderr = "E1122 20:32:18.4 16711 memcache.go:265] noise\nWarning: x\nsomething odd\n";
        assert_eq!(read(stderr), (ApiErrorKind::Other, "something odd".into()));
        assert_eq!(read(""), (ApiErrorKind::Other, String::new()));
    }
}
