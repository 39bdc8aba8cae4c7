//! How kstrim's own client reaches the brokers of a Kafka that it did not describe: by a listener that asks for nothing, by
//! TLS with the cluster's CA, or as a user that exists only for the test.
//!
//! OAuth and custom authentication belong to a server that kstrim does not know, and a listener with a certificate of
//! its own to a CA that it does not know: such listeners are left out.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::change;
use super::listener;
use super::ownership;
use super::session::Session;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::Security;
use crate::kafka::security::{Login, Tls};
use crate::kube::Kind as ObservedKind;
use crate::kube::kafka::{Entity, Kafka, Listener};
use crate::kube::kubectl::Kubectl;
use crate::manifest::user::{self, Authentication, UserInput};
use crate::names::acl::Rule;

/// The user of the smoke test.
pub(crate) const USER: &str = "kstrim-smoke-test";
/// How long the user operator may take to create its credentials.
const CREDENTIALS: Duration = Duration::from_secs(90);

/// A way to the brokers.
enum Way<'a> {
    /// A listener without TLS and authentication.
    Plain,
    /// A listener with TLS that asks for no credentials.
    Tls(Listener<'a>),
    /// A listener that takes users of this kind.
    User(Listener<'a>, Authentication),
}

/// Settle how the brokers are reached, once a run. `Some`: why kstrim's client cannot reach them, for people; the Kafka
/// may be all right.
pub(crate) async fn settle(cx: &Session, topic: &str) -> Result<Option<String>> {
    if cx.broker_access.borrow().is_some() {
        return Ok(None);
    }
    let snapshot = cx.synced(&super::brokers::KINDS).await;
    let Some(kafka) = snapshot.kafka(cx.namespace(), cx.cluster()) else { return Ok(None) };
    let (listener, how) = match way(&kafka) {
        Ok(Way::Plain) => return Ok(None),
        Ok(Way::Tls(listener)) => (listener, None),
        Ok(Way::User(listener, how)) => (listener, Some(how)),
        Err(why) => return Ok(Some(why)),
    };
    let Some(port) = listener.port() else { return Ok(Some("its listener has no port".into())) };
    let ca = match listener.tls() {
        true => {
            let secret = secret(cx, &format!("{}-cluster-ca-cert", cx.cluster())).await?;
            Some(entry(&secret.unwrap_or_default(), "ca.crt")?)
        }
        false => None,
    };
    let mut security = Security::default();
    let (mut certificate, mut login) = (None, None);
    if let Some(how) = how {
        let credentials = credentials(cx, &kafka, how, topic).await?;
        match how {
            Authentication::Tls => {
                certificate = Some((entry(&credentials, "user.crt")?, entry(&credentials, "user.key")?))
            }
            Authentication::Scram => {
                login =
                    Some(Rc::new(Login { user: USER.into(), password: entry(&credentials, "password")? }));
            }
        }
    }
    if let Some(ca) = ca {
        let pair = certificate.as_ref().map(|(cert, key)| (cert.as_str(), key.as_str()));
        security.tls = Some(Rc::new(Tls::new(&ca, pair).map_err(unusable)?));
    }
    security.login = login;
    cx.broker_access.replace(Some((port, security)));
    Ok(None)
}

/// Whether [`settle`] will create a user.
pub(crate) async fn creates_user(cx: &Session) -> bool {
    let snapshot = cx.synced(&super::brokers::KINDS).await;
    let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
    kafka.is_some_and(|kafka| matches!(way(&kafka), Ok(Way::User(..))))
}

/// Delete the user of the test, if this run has created it; by `kubectl`, which works on after an interrupt.
pub(crate) async fn release(cx: &Session, kubectl: &Kubectl) -> Result<()> {
    if !cx.test_user.get() {
        return Ok(());
    }
    let collection = ObservedKind::KafkaUser.path(cx.api_version(), Some(cx.namespace()));
    let found = kubectl.find(&format!("{collection}/{USER}")).await;
    let Some(user) = found.map_err(|e| cx.api_failure("read the user of the smoke test", &e))? else {
        return Ok(());
    };
    let installation = ownership::installation(cx).await?;
    cx.broker_access.take();
    cx.test_user.set(false);
    let Some(owned) = installation.owned(&collection, &user) else { return Ok(()) };
    let deleted = change::delete(kubectl, &installation, &owned).await;
    deleted.map(drop).map_err(|e| cx.api_failure("delete the user of the smoke test", &e))
}

/// The listener that asks for the least, of those inside the cluster.
fn way<'a>(kafka: &Kafka<'a>) -> std::result::Result<Way<'a>, String> {
    let rules = kafka.authorization();
    // With access rules, who comes without a user may do nothing, unless the rules say so.
    let anonymous = rules.as_ref().is_none_or(|rules| rules.admits_anonymous);
    let inner =
        || kafka.listeners().filter(Listener::is_inner).filter(|l| !(l.tls() && l.has_own_certificate()));
    if anonymous && kafka.plain_listener().is_some() {
        return Ok(Way::Plain);
    }
    if anonymous && let Some(listener) = inner().find(|l| l.tls() && l.authentication().is_none()) {
        return Ok(Way::Tls(listener));
    }
    for how in [Authentication::Tls, Authentication::Scram] {
        let Some(listener) = inner().find(|l| listener::takes(l, how)) else { continue };
        if !kafka.operates_here(Entity::User) {
            return Err(
                "its listeners ask for a user, and it has no user operator that could create one".into()
            );
        }
        return match rules.as_ref().is_none_or(|rules| rules.kind == "simple") {
            true => Ok(Way::User(listener, how)),
            false => {
                Err("its authorization is not Kafka's own, so kstrim cannot give its user the rights".into())
            }
        };
    }
    Err("none of its internal listeners takes a client without a user, a client certificate or SCRAM-SHA-512"
        .into())
}

/// The Secret of the test's user, which is created if there is none.
async fn credentials(
    cx: &Session,
    kafka: &Kafka<'_>,
    how: Authentication,
    topic: &str,
) -> Result<BTreeMap<String, String>> {
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
    cx.test_user.set(true);
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
        if ready && let Some(entries) = secret(cx, &name).await?.filter(|entries| entries.contains_key(key)) {
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

/// The entries of a Secret as text; `None` if there is none.
async fn secret(cx: &Session, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let path = format!("/api/v1/namespaces/{}/secrets/{name}", cx.namespace());
    let found = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read a Secret", &e))?;
    let text = |value: &Value| String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok();
    let entries = |json: Value| {
        let data = json.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        data.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
    };
    Ok(found.map(entries))
}

fn entry(entries: &BTreeMap<String, String>, key: &str) -> Result<String> {
    entries.get(key).cloned().ok_or_else(|| unusable(format!("the Secret has no {key}")))
}

fn unusable(why: String) -> Box<Failure> {
    let failure = Failure::new(
        errors::USER_CREDENTIALS,
        Kind::Task,
        "the credentials of the test's user cannot be used",
    );
    Box::new(failure.because(why))
}
