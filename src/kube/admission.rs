//! What admission rejects, and which part of it rejected.
//!
//! A rejection by a quota, a limit range, pod security or a policy is a 403 or 422 like any other, and a webhook that
//! does not respond is a 500: `reason` does not distinguish them, their messages do. The same messages arrive through
//! kubectl, in the condition `ReplicaFailure`, in events `FailedCreate` and in the operator's status of its pod sets,
//! each with its own prefix.

use crate::words;

/// What rejects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A ResourceQuota.
    Quota {
        /// Its name; empty if no quota exists that would permit it.
        name: String,
        /// Whether the object lacks values that the quota counts.
        unspecified: bool,
    },
    /// A LimitRange.
    LimitRange,
    /// The namespace's pod security level.
    PodSecurity {
        /// `restricted:latest`.
        level: String,
    },
    /// A webhook that rejected: a policy engine (Kyverno, Gatekeeper), or a user's own.
    Webhook {
        /// The webhook's name in its configuration.
        name: String,
    },
    /// A webhook that did not respond and is required (`failurePolicy: Fail`).
    BrokenWebhook {
        /// The webhook's name in its configuration.
        name: String,
    },
    /// A ValidatingAdmissionPolicy.
    Policy {
        /// Its name.
        name: String,
    },
    /// The pod's service account is missing.
    ServiceAccount,
    /// Another plugin, such as OpenShift's security context constraints.
    Other,
}

/// A rejection by admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What rejects.
    pub by: By,
    /// The API server's own message, without what others added before and after it.
    pub message: String,
    /// The reason: the part of the message that follows the rejecter's name.
    pub why: String,
}

impl Refusal {
    /// The webhook that rejects or does not respond.
    pub fn webhook(&self) -> Option<&str> {
        match &self.by {
            By::Webhook { name } | By::BrokenWebhook { name } => Some(name),
            _ => None,
        }
    }
}

/// The rejection in a message; `None` if it is something else, such as RBAC's.
pub(crate) fn refusal(message: &str) -> Option<Refusal> {
    let message = without_context(message);
    let (by, why) = read(message)?;
    Some(Refusal { by, message: message.to_owned(), why: why.trim().to_owned() })
}

/// Whether a message says that the namespace accepts nothing new, because it is being deleted.
pub(super) fn terminating(message: &str) -> bool {
    words::IS_FORBIDDEN.after(without_context(message)).is_some_and(|rest| words::TERMINATING.matches(rest))
}

/// Whether a message rejects an object, or a kind of objects: `pods "x" is forbidden: ...`.
pub(super) fn forbidden(message: &str) -> bool {
    words::IS_FORBIDDEN.before(without_context(message)).is_some_and(|what| !what.contains(": "))
}

/// A message without what controllers, the operator's client and kubectl add to it.
fn without_context(text: &str) -> &str {
    let mut text = text.trim();
    if let Some(rest) = words::CREATING.after(text) {
        text = rest;
    }
    if words::CREATING_IN_SET.matches(text)
        && let Some(rest) = words::SET_FAILED.after(text)
    {
        text = rest;
    }
    if words::EXECUTING.matches(text)
        && let Some(rest) = words::MESSAGE.after(text)
    {
        text = words::RECEIVED.before(rest).unwrap_or(rest);
        text = words::MAY_BE_REVOKED.after(text).unwrap_or(text);
    }
    for _ in 0..2 {
        text = without_source(without_head(text));
    }
    text
}

/// The message of `Error from server (Reason): message` or `The Kafka "x" is invalid: : message`.
fn without_head(text: &str) -> &str {
    if words::any(&words::FROM_SERVER, text) {
        return text.split_once(": ").map_or(text, |(_, rest)| rest);
    }
    match words::IS_INVALID.after(text) {
        // A cause without a field.
        Some(rest) if words::INVALID_OBJECT.matches(text) => {
            rest.trim_start_matches("* ").trim_start_matches(": ")
        }
        _ => text,
    }
}

/// The message after `error when creating "STDIN": `, or after a whole patch that is quoted.
fn without_source(text: &str) -> &str {
    let mut text = text;
    while words::any(&words::WHILE, text) {
        let Some((_, rest)) = text.split_once(": ") else { break };
        text = rest;
        // `for: "STDIN": error when patching "STDIN": message`
        if let Some(rest) = words::GOES_ON[1].after(text) {
            text = rest.split_once(": ").map_or(rest, |(_, rest)| rest);
        }
    }
    text
}

fn read(message: &str) -> Option<(By, &str)> {
    if let Some(rest) = words::WEBHOOK_FAILED.after(message) {
        let (name, why) = rest.split_once('"')?;
        return Some((By::BrokenWebhook { name: name.to_owned() }, why.trim_start_matches([':', ' '])));
    }
    if let Some(rest) = words::WEBHOOK.after(message) {
        let (name, _) = rest.split_once('"')?;
        let why = words::DENIED.after(&rest[name.len()..])?;
        return Some((By::Webhook { name: name.to_owned() }, why.trim_start_matches([':', ' '])));
    }
    if words::POLICY.matches(message) {
        return policy(message);
    }
    // `pods "x" is forbidden: ...`, about an object, not quoted inside another message.
    let (what, rest) = message.split_once(words::IS_FORBIDDEN.text())?;
    if what.contains(": ") || words::RBAC.matches(rest) || words::TERMINATING.matches(rest) {
        return None;
    }
    let quota = |name: &str, unspecified| By::Quota { name: name.to_owned(), unspecified };
    if let Some(rest) = words::QUOTA_EXCEEDED.after(rest) {
        let (name, why) = rest.split_once(", ").unwrap_or((rest, ""));
        return Some((quota(name, false), why));
    }
    if let Some(rest) = words::QUOTA_UNSPECIFIED.after(rest) {
        let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
        return Some((quota(name, true), why));
    }
    if words::QUOTA_NEEDED.matches(rest) {
        return Some((quota("", false), rest));
    }
    if let Some(level) = words::POD_SECURITY.after(rest) {
        let (level, why) = level.split_once('"')?;
        return Some((By::PodSecurity { level: level.to_owned() }, why.trim_start_matches([':', ' '])));
    }
    if words::POLICY.matches(rest) {
        return policy(rest);
    }
    if words::NO_ACCOUNT.matches(rest) {
        return Some((By::ServiceAccount, rest));
    }
    let limits = words::any(&words::LIMIT_RANGE, rest) || words::LIMIT_RANGE_CLAIM.matches(rest);
    Some((if limits { By::LimitRange } else { By::Other }, rest))
}

fn policy(message: &str) -> Option<(By, &str)> {
    let (name, _) = words::POLICY.after(message)?.split_once('\'')?;
    Some((By::Policy { name: name.to_owned() }, words::DENIED_REQUEST.after(message)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API server's message, its meaning, and the part that is printed.
    type Row = (&'static str, fn(&By) -> bool, &'static str);

    /// Messages of Kubernetes 1.34: `pkg/quota/v1/install`, `plugin/pkg/admission/{limitranger,serviceaccount}`,
    /// `staging/src/k8s.io/{pod-security-admission,apiserver/pkg/admission/plugin}`.
    const TABLE: &[Row] = &[
        (
            r#"pods "x" is forbidden: exceeded quota: team, requested: limits.cpu=1, used: limits.cpu=4, limited: limits.cpu=4"#,
            |by| *by == By::Quota { name: "team".into(), unspecified: false },
            "requested: limits.cpu=1, used: limits.cpu=4, limited: limits.cpu=4",
        ),
        (
            r#"pods "x" is forbidden: failed quota: team: must specify limits.cpu for: strimzi-cluster-operator"#,
            |by| *by == By::Quota { name: "team".into(), unspecified: true },
            "must specify limits.cpu for: strimzi-cluster-operator",
        ),
        (
            r#"pods "x" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]"#,
            |by| matches!(by, By::Quota { name, .. } if name.is_empty()),
            "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
        ),
        (
            r#"pods "x" is forbidden: maximum memory usage per Container is 512Mi, but limit is 1Gi"#,
            |by| *by == By::LimitRange,
            "maximum memory usage per Container is 512Mi, but limit is 1Gi",
        ),
        (
            r#"pods "x" is forbidden: [maximum cpu usage per Pod is 1.  No limit is specified, minimum memory usage per Pod is 1Gi, but request is 512Mi]"#,
            |by| *by == By::LimitRange,
            "[maximum cpu usage per Pod is 1.  No limit is specified, minimum memory usage per Pod is 1Gi, but request is 512Mi]",
        ),
        (
            r#"persistentvolumeclaims "data-0" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Gi"#,
            |by| *by == By::LimitRange,
            "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Gi",
        ),
        (
            r#"pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "kafka" must set securityContext.allowPrivilegeEscalation=false)"#,
            |by| *by == By::PodSecurity { level: "restricted:latest".into() },
            r#"allowPrivilegeEscalation != false (container "kafka" must set securityContext.allowPrivilegeEscalation=false)"#,
        ),
        (
            r#"admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/kafka/x was blocked due to the following policies"#,
            |by| *by == By::Webhook { name: "validate.kyverno.svc-fail".into() },
            "resource Pod/kafka/x was blocked due to the following policies",
        ),
        (
            r#"admission webhook "validation.gatekeeper.sh" denied the request: [owner] you must provide labels: {"owner"}"#,
            |by| *by == By::Webhook { name: "validation.gatekeeper.sh".into() },
            r#"[owner] you must provide labels: {"owner"}"#,
        ),
        (
            r#"admission webhook "a.b.c" denied the request without explanation"#,
            |by| *by == By::Webhook { name: "a.b.c".into() },
            "without explanation",
        ),
        (
            r#"Internal error occurred: failed calling webhook "a.b.c": failed to call webhook: Post "https://p.s.svc:443/validate?timeout=3s": dial tcp 10.96.1.1:443: connect: connection refused"#,
            |by| *by == By::BrokenWebhook { name: "a.b.c".into() },
            r#"failed to call webhook: Post "https://p.s.svc:443/validate?timeout=3s": dial tcp 10.96.1.1:443: connect: connection refused"#,
        ),
        (
            r#"Internal error occurred: failed calling webhook "a.b.c": failed to call webhook: Post "https://p.s.svc:443/?timeout=3s": context deadline exceeded"#,
            |by| *by == By::BrokenWebhook { name: "a.b.c".into() },
            r#"failed to call webhook: Post "https://p.s.svc:443/?timeout=3s": context deadline exceeded"#,
        ),
        (
            r#"pods "x" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'all' denied request: no changes on Fridays"#,
            |by| *by == By::Policy { name: "freeze".into() },
            "no changes on Fridays",
        ),
        (
            r#"ValidatingAdmissionPolicy 'freeze' denied request: no changes on Fridays"#,
            |by| *by == By::Policy { name: "freeze".into() },
            "no changes on Fridays",
        ),
        (
            r#"pods "x" is forbidden: error looking up service account kafka/x: serviceaccount "x" not found"#,
            |by| *by == By::ServiceAccount,
            r#"error looking up service account kafka/x: serviceaccount "x" not found"#,
        ),
        (
            r#"pods "x" is forbidden: unable to validate against any security context constraint: [provider "anyuid": Forbidden]"#,
            |by| *by == By::Other,
            r#"unable to validate against any security context constraint: [provider "anyuid": Forbidden]"#,
        ),
    ];

    #[test]
    fn the_rejecter_is_recognized_in_every_form_of_message() {
        let around: [(&str, &str); 8] = [
            ("", ""),
            ("Error creating: ", ""),
            ("create Pod a-0 in StatefulSet a failed error: ", ""),
            (
                "Failure executing: POST at: https://10.96.0.1:443/api/v1/namespaces/kafka/pods. Message: ",
                ". Received status: Status(apiVersion=v1, code=403, kind=Status, reason=Forbidden, status=Failure).",
            ),
            (
                "Failure executing: POST at: https://10.96.0.1:443/api/v1/namespaces/kafka/pods. Message: Forbidden!Configured service account doesn't have access. Service account may have been revoked. ",
                "",
            ),
            ("Error from server (Forbidden): ", ""),
            ("Error from server (InternalError): error when creating \"STDIN\": ", ""),
            (
                "Error from server (Invalid): error when applying patch: for: \"STDIN\": error when patching \"STDIN\": ",
                "",
            ),
        ];
        for (message, by, why) in TABLE {
            for (before, after) in around {
                let told = refusal(&format!("{before}{message}{after}"));
                let told = told.unwrap_or_else(|| panic!("{before}{message}"));
                assert!(by(&told.by), "{before}{message}: {told:?}");
                assert_eq!((told.message.as_str(), told.why.as_str()), (*message, *why), "{before}");
            }
        }
        let invalid =
            r#"The kafkatopics "x" is invalid: : ValidatingAdmissionPolicy 'freeze' denied request: no"#;
        assert_eq!(refusal(invalid).map(|r| r.by), Some(By::Policy { name: "freeze".into() }));
    }

    #[test]
    fn other_errors_and_quoted_messages_are_no_rejections() {
        for message in [
            "",
            r#"pods is forbidden: User "x" cannot create resource "pods" in API group "" in the namespace "kafka""#,
            r#"pods "x" is forbidden: User "y" cannot delete resource "pods""#,
            r#"configmaps "x" is forbidden: unable to create new content in namespace kafka because it is being terminated"#,
            r#"error: exec: admission webhook "x" denied the request: y"#,
            r#"Internal error occurred: error executing command in container: failed calling webhook "x""#,
            r#"my note: pods "x" is forbidden: exceeded quota: team, requested: pods=1"#,
            r#"kafkas.kafka.strimzi.io "my-cluster" not found"#,
        ] {
            assert_eq!(refusal(message), None, "{message}");
        }
    }
}
