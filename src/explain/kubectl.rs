//! What kubectl's errors mean.

use super::admission;
use super::scene::Expect;
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Id, Kind};
use crate::kube::{ApiError, ApiErrorKind};
use crate::names::is_context;
use crate::words;

const ZOOKEEPER: Id = errors::KAFKA_ZOOKEEPER;

/// Causes of a server that does not respond, which kubectl's message names.
pub(crate) const MORE_SPECIFIC: [Id; 4] =
    [errors::PROXY_RANGES, errors::CONTEXT_WRONG, errors::CERTIFICATE_EXPIRED, errors::API_UNAUTHORIZED];

pub(crate) fn ids() -> Vec<Id> {
    let mut ids = vec![
        errors::API_UNREACHABLE,
        errors::API_FORBIDDEN,
        errors::API_UNAUTHORIZED,
        errors::CONTEXT_MISSING,
        errors::CERTIFICATE_EXPIRED,
        errors::CONTEXT_WRONG,
        errors::PROXY_RANGES,
        errors::API_CONFLICT,
        errors::RESOURCE_INVALID,
        ZOOKEEPER,
        errors::OBJECT_TERMINATING,
        errors::KIND_MISSING,
        errors::CRD_STORED_VERSION,
        errors::API_NOT_FOUND,
        errors::API_EXISTS,
        errors::KUBECTL,
    ];
    ids.extend(admission::IDS);
    ids
}

/// Why kubectl failed at `doing` ("apply the operator") in the cluster of `profile`.
pub fn explain(error: &ApiError, doing: &str, profile: &str, expect: &Expect) -> Failure {
    if let Some(refusal) = error.refusal() {
        let told = admission::explain_refusal(&refusal, error.configuration.as_deref(), expect);
        let failure = Failure::new(told.id, Kind::Task, format!("cannot {doing}: {}", told.sentence));
        return told.hints.into_iter().fold(failure.because(&error.message), Failure::hint);
    }
    let mut failure = meant(error, doing, profile, expect);
    if is_context(profile)
        && [
            errors::API_UNREACHABLE,
            errors::API_UNAUTHORIZED,
            errors::CONTEXT_WRONG,
            errors::CERTIFICATE_EXPIRED,
        ]
        .contains(&failure.id)
    {
        failure = failure.hint(
            "check that your own kubectl can connect to the cluster with this context, \
             and log in again if it asks for that",
        );
    }
    failure
}

fn meant(error: &ApiError, doing: &str, profile: &str, expect: &Expect) -> Failure {
    let failure = |id, kind, why: &str| {
        Failure::new(id, kind, format!("cannot {doing}: {why}")).because(&error.message)
    };
    // minikube commands do not fix a cluster that minikube did not create.
    let mend = |failure: Failure, what: &str, words| match is_context(profile) {
        true => failure,
        false => failure.hint(format!("{what}: {}", CommandLine::minikube(words, profile))),
    };
    match error.kind {
        ApiErrorKind::Unreachable if by_proxy(&error.message) => failure(
            errors::PROXY_RANGES,
            Kind::Prerequisite,
            "a request for the cluster's API server went to a proxy, which rejected it",
        )
        .hint(super::minikube::PROXY_HINT),
        ApiErrorKind::Unreachable if words::UNKNOWN_AUTHORITY.matches(&error.message) => {
            let wrong = failure(
                errors::CONTEXT_WRONG,
                Kind::Task,
                "the kubeconfig contains the certificates of another cluster",
            );
            let wrong = mend(
                wrong,
                "if the profile was created again without kstrim, get its certificates",
                "update-context",
            );
            mend(wrong, "or start it", "start")
        }
        ApiErrorKind::Unreachable => {
            let silent =
                failure(errors::API_UNREACHABLE, Kind::Task, "the cluster's API server does not respond");
            mend(mend(silent, "check whether it is running", "status"), "start it", "start")
        }
        ApiErrorKind::NoContext => {
            let missing = failure(
                errors::CONTEXT_MISSING,
                Kind::Task,
                &format!("the kubeconfig has no context {profile}"),
            );
            mend(missing, "stopping the profile removes it, and starting the profile restores it", "start")
        }
        ApiErrorKind::Forbidden => failure(errors::API_FORBIDDEN, Kind::Task, "permission denied")
            .hint("use credentials with the permission, or ask the administrator of the cluster"),
        ApiErrorKind::Unauthorized if words::EXPIRED.matches(&error.message) => {
            let why = "the cluster's certificates have expired, or this machine's clock is wrong";
            mend(
                failure(errors::CERTIFICATE_EXPIRED, Kind::Task, why),
                "minikube renews them when it starts the profile",
                "start",
            )
            .hint("check the clock: date")
        }
        ApiErrorKind::Unauthorized => mend(
            failure(errors::API_UNAUTHORIZED, Kind::Task, "the credentials are rejected"),
            "minikube renews its certificates when it starts the profile",
            "start",
        ),
        ApiErrorKind::Conflict => failure(
            errors::API_CONFLICT,
            Kind::Foreign,
            "another client set one of its fields to a different value",
        )
        .hint("check which client set the field: see metadata.managedFields of the object"),
        ApiErrorKind::Invalid if error.field().is_some_and(|f| words::STORED_VERSIONS.matches(f)) => failure(
            errors::CRD_STORED_VERSION,
            Kind::Foreign,
            "the cluster may contain Strimzi resources in a version that the older CRDs do not have",
        )
        .hint(
            "install a Strimzi release at least as new as the one that was installed, or use another profile",
        ),
        ApiErrorKind::Invalid if error.field().is_some_and(super::kafka::is_zookeeper_field) => failure(
            ZOOKEEPER,
            Kind::Usage,
            "it is written for ZooKeeper, which this Strimzi release no longer supports",
        )
        .hint(
            "use kstrim's own presets, or a Strimzi release that supports ZooKeeper: --preset \
             zookeeper --release 0.45.2",
        ),
        ApiErrorKind::Invalid => match error.field() {
            Some(field) => {
                failure(errors::RESOURCE_INVALID, Kind::Usage, &format!("the field {field} is invalid"))
                    .hint(format!("correct {field}: other Strimzi releases may spell it differently"))
            }
            None => failure(errors::RESOURCE_INVALID, Kind::Usage, "it does not match its schema"),
        },
        ApiErrorKind::Terminating => {
            failure(errors::OBJECT_TERMINATING, Kind::Task, "it, or its namespace, is still being deleted")
                .hint("wait until that has finished, then try again")
        }
        ApiErrorKind::NoSuchKind => failure(
            errors::KIND_MISSING,
            Kind::Task,
            "the cluster does not serve this kind of resource in this version",
        )
        .because("the CRDs are missing, not established yet, or belong to another Strimzi release")
        .hint(format!("show them: {}", expect.kubectl("get crd kafkas.kafka.strimzi.io"))),
        ApiErrorKind::NotFound => failure(errors::API_NOT_FOUND, Kind::Task, "it does not exist"),
        ApiErrorKind::AlreadyExists => failure(errors::API_EXISTS, Kind::Foreign, "it already exists"),
        ApiErrorKind::TimedOut => {
            Failure { kind: Kind::Timeout, ..failure(errors::KUBECTL, Kind::Timeout, "it timed out") }
        }
        // The rejection is explained separately.
        ApiErrorKind::Admission
        | ApiErrorKind::Expired
        | ApiErrorKind::Malformed
        | ApiErrorKind::Exec
        | ApiErrorKind::Other => failure(errors::KUBECTL, Kind::Task, "kubectl failed"),
    }
}

/// Go's HTTP client reports a proxy's response to CONNECT as its bare HTTP status text.
fn by_proxy(message: &str) -> bool {
    let rest = words::UNREACHABLE[0].after(message).and_then(|rest| rest.strip_prefix(": ")).unwrap_or("");
    words::PROXY_CONNECT.matches(rest) || words::PROXY_STATUS.contains(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_named_and_a_stored_version_is_distinguished() {
        let read = |text: &str| {
            explain(
                &ApiError::from_stderr(text),
                "apply the Kafka resource",
                "p",
                &Expect::kafka("kafka", "my-cluster"),
            )
        };
        let field = read(
            "Error from server: failed to create typed patch object (kafka/a; kafka.strimzi.io/v1, Kind=Kafka): .spec.zookeeper: field not declared in schema",
        );
        assert_eq!((field.id, field.kind), (ZOOKEEPER, Kind::Usage));
        assert!(field.causes[0].contains("spec.zookeeper"), "{field:?}");
        let other = read(
            "Error from server: failed to create typed patch object (kafka/a; kafka.strimzi.io/v1, Kind=Kafka): .spec.nonsense: field not declared in schema",
        );
        assert_eq!((other.id, other.kind), (errors::RESOURCE_INVALID, Kind::Usage));
        assert!(other.message.contains("spec.nonsense"), "{other}");
        let stored = read(
            "Error from server (Invalid): CustomResourceDefinition.apiextensions.k8s.io \"kafkas.kafka.strimzi.io\" is invalid: status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions",
        );
        assert_eq!(stored.id, errors::CRD_STORED_VERSION);
        let id = |text: &str| read(text).id.as_str();
        let head = "Unable to connect to the server: ";
        assert_eq!(id(&format!("{head}Bad Gateway")), "KS-PROXY-RANGES");
        assert_eq!(
            id(&format!("{head}proxyconnect tcp: dial tcp 10.0.0.9:3128: i/o timeout")),
            "KS-PROXY-RANGES"
        );
        assert_eq!(
            id("Error from server (Forbidden): pods is forbidden: User \"x\" cannot list"),
            "KS-API-FORBIDDEN"
        );
        let tls = format!("{head}tls: failed to verify certificate: x509: certificate ");
        assert_eq!(
            id(&format!(
                "{tls}has expired or is not yet valid: current time 2036-01-01T00:00:00Z is after 2029-01-01T00:00:00Z"
            )),
            "KS-CERTIFICATE-EXPIRED"
        );
        assert_eq!(id(&format!("{tls}signed by unknown authority")), "KS-CONTEXT-WRONG");
        assert_eq!(id("error: You must be logged in to the server (Unauthorized)"), "KS-API-UNAUTHORIZED");
        let gone =
            read("Unable to connect to the server: dial tcp 192.168.49.2:8443: connect: no route to host\n");
        assert_eq!((gone.id, gone.hints.is_empty()), (errors::API_UNREACHABLE, false));
    }
}
