//! Connecting to the brokers as a user: its credentials, which are only kept in memory, the listener that accepts it,
//! and the error if the brokers reject it.

use jiff::Timestamp;

use super::living::Living;
use super::user::{self, User};
use crate::checks::certificate;
use crate::cluster::{credentials, listener};
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::security::Security;
use crate::kafka::{KafkaError, error::code};
use crate::manifest::user::Authentication;
use crate::names::UserName;

/// The credentials of a user, for a listener with or without TLS.
pub(crate) async fn security(living: &Living, user: &User, tls: bool) -> Result<Security> {
    let (name, how) = (&user.user, authentication(user)?);
    let secrets = user::secrets(living, user).await?;
    let unusable = |why: String| {
        Box::new(
            Failure::new(
                errors::USER_CREDENTIALS,
                Kind::Task,
                format!("the credentials of the user {name} cannot be used"),
            )
            .because(why),
        )
    };
    let ca = if tls { Some(credentials::cluster_ca(&living.cx).await?) } else { None };
    if let (Authentication::Tls, Some(cert)) = (how, secrets.get("user.crt")) {
        check_not_expired(name, cert, &living.cx.target)?;
    }
    credentials::security(ca.as_deref(), Some((name, how, &secrets))).map_err(unusable)
}

/// The authentication type of a user.
pub(crate) fn authentication(user: &User) -> Result<Authentication> {
    Authentication::parse(&user.authentication).ok_or_else(|| {
        let message = format!("the credentials of the user {} are not in the cluster", user.user);
        let failure = Failure::new(errors::USER_CREDENTIALS, Kind::Usage, message);
        let why =
            format!("its authentication is {}: Strimzi creates no credentials for it", user.authentication);
        Box::new(failure.because(why))
    })
}

/// How a user connects inside the cluster: the port of a listener that accepts it, and its credentials.
pub(crate) async fn inner(living: &Living, name: &UserName) -> Result<(u16, Security)> {
    let (user, _) = user::find_user(living, name).await?;
    let how = authentication(&user)?;
    let listener = living.kafka().listeners().find(|l| listener::accepts(l, how) && l.advertises_pods());
    let Some((listener, port)) = listener.and_then(|l| Some((l, l.port()?))) else {
        return Err(user::no_listener(living, name.as_str(), how));
    };
    Ok((port, security(living, &user, listener.tls()).await?))
}

/// Refuse an expired certificate: the brokers would close the connection without an error message.
fn check_not_expired(name: &str, cert: &str, target: &Target) -> Result<()> {
    let Some(end) = certificate::earliest_expiry(cert.as_bytes()).filter(|end| *end <= Timestamp::now())
    else {
        return Ok(());
    };
    Err(Box::new(
        Failure::new(
            errors::USER_CERTIFICATE_EXPIRED,
            Kind::Task,
            format!("the certificate of the user {name} has expired"),
        )
        .because(format!("it was valid until {end}"))
        .hint(format!(
            "the user operator normally renews certificates in time; check its log: {}",
            target.kstrim("logs --component entity-operator")
        ))
        .hint(format!(
            "or create the user again: {} && {}",
            target.kstrim("user delete").arg(name),
            target.kstrim("user create").arg(name)
        )),
    ))
}

/// The failure for an error of the brokers that concerns authentication or authorization. `what` is what failed, such
/// as `the topic orders could not be read`; `rule` would allow it, `topic:orders:read`.
pub(crate) fn failure(
    error: &KafkaError,
    what: &str,
    user: Option<&str>,
    rule: &str,
    target: &Target,
) -> Option<Failure> {
    let show = |user: &str| target.kstrim("user show").arg(user);
    let who = user.map_or_else(|| "a client without a user".to_owned(), |user| format!("the user {user}"));
    let failure = match error {
        KafkaError::Untrusted { .. } => {
            Failure::new(errors::BROKER_UNTRUSTED, Kind::Task, format!("{what}: a broker is not trusted"))
                .because(error)
                .hint(format!("check when the cluster's certificates expire: {}", target.kstrim("doctor")))
        }
        KafkaError::Refused { .. } => {
            let failure =
                Failure::new(errors::LOGIN_REFUSED, Kind::Task, format!("{what}: the brokers reject {who}"));
            let failure = failure.because(error);
            match user {
                Some(user) => failure.hint(format!("check whether the user is ready: {}", show(user))),
                None => failure,
            }
        }
        error if error.is_denied() => {
            let failure = Failure::new(
                errors::USER_DENIED,
                Kind::Task,
                format!("{what}: {who} does not have the permission"),
            );
            let failure = failure.because(error);
            let failure = match error.code() {
                Some(code::CLUSTER_AUTHORIZATION_FAILED) => {
                    failure.because("a producer needs permission to write to some topic")
                }
                _ => failure,
            };
            match user {
                Some(user) => failure
                    .hint(format!("show its permissions: {}", show(user)))
                    .hint(format!("the user needs the rule --acl {rule}")),
                None => failure.because(format!("the user needs the rule {rule}")).hint(format!(
                    "authenticate as a user with this rule: {}",
                    target.again().with("--user", "another-name")
                )),
            }
        }
        _ => return None,
    };
    Some(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authentication_and_authorization_errors_are_recognized() {
        let id = |error: &KafkaError| {
            failure(error, "it failed", Some("app"), "topic:t:read", &Target::default()).map(|f| f.id)
        };
        let peer = || "b:9096".to_owned();
        assert_eq!(id(&KafkaError::Refused { peer: peer(), why: "no".into() }), Some(errors::LOGIN_REFUSED));
        assert_eq!(
            id(&KafkaError::Untrusted { peer: peer(), why: "no".into() }),
            Some(errors::BROKER_UNTRUSTED)
        );
        assert_eq!(
            id(&KafkaError::broker(code::TOPIC_AUTHORIZATION_FAILED, "t", None)),
            Some(errors::USER_DENIED)
        );
        assert_eq!(id(&KafkaError::broker(code::NOT_LEADER_OR_FOLLOWER, "t", None)), None);
        let denied = KafkaError::broker(code::CLUSTER_AUTHORIZATION_FAILED, "t", None);
        let said = failure(&denied, "it failed", None, "topic:t:write", &Target::default()).unwrap();
        assert!(said.hints[0].contains("--user"), "{said}");
    }

    #[test]
    fn an_expired_certificate_is_reported_first() {
        let old =
            check_not_expired("app", include_str!("../../tests/fixtures/ended-2021.crt"), &Target::default())
                .unwrap_err();
        assert!(old.id == errors::USER_CERTIFICATE_EXPIRED && old.causes[0].contains("2021"), "{old}");
        assert!(
            check_not_expired("app", include_str!("../../tests/fixtures/until-2120.crt"), &Target::default())
                .is_ok()
        );
    }
}
