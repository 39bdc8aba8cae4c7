//! How kstrim's own client connects to the brokers of a Kafka cluster that it did not configure: through a listener
//! without authentication, with TLS and the cluster's CA if needed, or as a user that exists only during the test.
//!
//! OAuth and custom authentication need a server that kstrim does not know, and a listener with a custom certificate
//! needs a CA that it does not know: such listeners are not used.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::change;
use super::credentials::{Entries, cluster_ca, entries, security};
use super::listener;
use super::ownership;
use super::session::Session;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::kube::kafka::{Entity, Kafka, Listener};
use crate::kube::kubectl::Kubectl;
use crate::manifest::user::{self, Authentication, UserInput};
use crate::names::acl::Rule;

/// The user of the smoke test.
pub(crate) const USER: &str = "kstrim-smoke-test";
/// How long the user operator may take to create its credentials.
const CREDENTIALS: Duration = Duration::from_secs(90);

/// How to connect to the brokers.
enum Method<'a> {
    /// A listener without TLS and authentication.
    Plain,
    /// A listener with TLS that requires no credentials.
    Tls(Listener<'a>),
    /// A listener that accepts users with this type of authentication.
    User(Listener<'a>, Authentication),
}

/// Determine how to connect to the brokers, once in a run. `Some`: why kstrim's client cannot connect, as a clause;
/// the Kafka cluster itself may be healthy.
pub(crate) async fn determine(cx: &Session, topic: &str) -> Result<Option<String>> {
    if cx.access.credentials.borrow().is_some() {
        return Ok(None);
    }
    let snapshot = cx.synced(&super::brokers::KINDS).await;
    let Some(kafka) = snapshot.kafka(cx.namespace(), cx.cluster()) else { return Ok(None) };
    let (listener, how) = match choose_method(&kafka) {
        Ok(Method::Plain) => return Ok(None),
        Ok(Method::Tls(listener)) => (listener, None),
        Ok(Method::User(listener, how)) => (listener, Some(how)),
        Err(why) => return Ok(Some(why)),
    };
    let Some(port) = listener.port() else { return Ok(Some("its listener has no port".into())) };
    let ca = if listener.tls() { Some(cluster_ca(cx).await?) } else { None };
    let user = match how {
        Some(how) => Some((how, credentials(cx, &kafka, how, topic).await?)),
        None => None,
    };
    let user = user.as_ref().map(|(how, entries)| (USER, *how, entries));
    let security = security(ca.as_deref(), user).map_err(unusable)?;
    cx.access.credentials.replace(Some((port, security)));
    Ok(None)
}

/// Whether [`determine`] will create a user.
pub(crate) async fn creates_user(cx: &Session) -> bool {
    let snapshot = cx.synced(&super::brokers::KINDS).await;
    let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
    kafka.is_some_and(|kafka| matches!(choose_method(&kafka), Ok(Method::User(..))))
}

/// Delete the user of the test, if this run created it. `kubectl` must still work after an interrupt.
pub(crate) async fn delete_test_user(cx: &Session, kubectl: &Kubectl) -> Result<()> {
    if !cx.access.test_user.get() {
        return Ok(());
    }
    let collection = ObservedKind::KafkaUser.path(cx.api_version(), Some(cx.namespace()));
    let found = kubectl.find(&format!("{collection}/{USER}")).await;
    let Some(user) = found.map_err(|e| cx.api_failure("read the user of the smoke test", &e))? else {
        return Ok(());
    };
    let installation = ownership::installation(cx).await?;
    cx.access.credentials.take();
    cx.access.test_user.set(false);
    let Some(owned) = installation.owned(&collection, &user) else { return Ok(()) };
    let deleted = change::delete(kubectl, &installation, &owned).await;
    deleted.map(drop).map_err(|e| cx.api_failure("delete the user of the smoke test", &e))
}

/// The internal listener with the fewest requirements for its clients.
fn choose_method<'a>(kafka: &Kafka<'a>) -> std::result::Result<Method<'a>, String> {
    let rules = kafka.authorization();
    // With access rules, a client without a user has no permissions unless the rules grant them.
    let anonymous = rules.as_ref().is_none_or(|rules| rules.admits_anonymous);
    let internal = || {
        kafka
            .listeners()
            .filter(Listener::advertises_pods)
            .filter(|l| !(l.tls() && l.has_custom_certificate()))
    };
    if anonymous && kafka.plain_listener().is_some() {
        return Ok(Method::Plain);
    }
    if anonymous && let Some(listener) = internal().find(|l| l.tls() && l.authentication().is_none()) {
        return Ok(Method::Tls(listener));
    }
    for how in [Authentication::Tls, Authentication::Scram] {
        let Some(listener) = internal().find(|l| listener::accepts(l, how)) else { continue };
        if !kafka.manages_own_namespace(Entity::User) {
            return Err(
                "its listeners require a user, and it has no user operator that could create one".into()
            );
        }
        return match rules.as_ref().is_none_or(|rules| rules.kind == "simple") {
            true => Ok(Method::User(listener, how)),
            false => {
                Err("its authorization is not Kafka's own, so kstrim cannot grant permissions to its user"
                    .into())
            }
        };
    }
    Err("none of its internal listeners takes a client without a user, a client certificate or SCRAM-SHA-512"
        .into())
}

/// The Secret of the smoke test's user, which is created if it does not exist.
async fn credentials(cx: &Session, kafka: &Kafka<'_>, how: Authentication, topic: &str) -> Result<Entries> {
    let rule = |text: String| text.parse::<Rule>().map_err(|why| unusable(format!("{text}: {why}")));
    let rules = match kafka.authorization() {
        None => Vec::new(),
        Some(_) => {
            vec![rule(format!("topic:{topic}:all"))?, rule("cluster:*:describe,idempotent-write".into())?]
        }
    };
    let user_name = USER.parse().map_err(|why| unusable(format!("{why}")))?;
    let wanted = user::user(&UserInput {
        release: cx.choice.release,
        namespace: &cx.target.namespace,
        cluster: &cx.target.cluster,
        user: &user_name,
        authentication: how,
        acls: &rules,
        quotas: &[],
    });
    let collection = ObservedKind::KafkaUser.path(cx.api_version(), Some(cx.namespace()));
    let found = cx.kubectl.find(&format!("{collection}/{USER}")).await;
    let found = found.map_err(|e| cx.api_failure("read the user of the smoke test", &e))?;
    if found.as_ref().is_some_and(|user| !cx.owns(user)) {
        let what = format!("the KafkaUser {USER} in namespace {}", cx.namespace());
        return Err(super::refusals::foreign(cx, errors::FILE_FOREIGN, what, "--namespace"));
    }
    cx.access.test_user.set(true);
    let applied = cx.apply(&cx.labelled(vec![wanted]), false).await;
    applied.map_err(|e| cx.api_failure("create the user of the smoke test", &e))?;
    cx.emit.progress("waiting for the credentials of the test's user", None);
    let end = Instant::now() + CREDENTIALS;
    // `userOperator.secretPrefix`, if there is one.
    let prefix = kafka.user_secret_prefix();
    let name = format!("{prefix}{USER}");
    let key = if how == Authentication::Tls { "user.crt" } else { "password" };
    loop {
        let ready =
            cx.kubectl.find(&format!("{collection}/{USER}")).await.ok().flatten().is_some_and(|user| {
                let user = crate::kube::Object::new(user);
                user.observed() && user.condition("Ready").is_some_and(|ready| ready.is_true())
            });
        if ready && let Some(entries) = entries(cx, &name).await?.filter(|entries| entries.contains_key(key))
        {
            return Ok(entries);
        }
        if Instant::now() >= end {
            let message = format!("the user {USER} has no credentials yet");
            let failure = Failure::new(errors::USER_LATE, Kind::Timeout, message);
            let log = cx.target.kstrim("logs --component entity-operator");
            return Err(Box::new(failure.hint(format!("check the log of the user operator: {log}"))));
        }
        sleep(Duration::from_millis(300)).await;
    }
}

fn unusable(why: String) -> Box<Failure> {
    let failure = Failure::new(
        errors::USER_CREDENTIALS,
        Kind::Task,
        "the credentials of the test's user cannot be used",
    );
    Box::new(failure.because(why))
}
