//! What a client needs from the cluster's Secrets, read into memory only: the CA of the brokers, and a user's
//! credentials.

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::session::Session;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::security::{Login, Security, Tls};
use crate::manifest::user::Authentication;

/// The entries of a Secret that are text.
pub(crate) type Entries = BTreeMap<String, String>;

/// The entries of a Secret of the namespace; `None` if it does not exist.
pub(crate) async fn entries(cx: &Session, name: &str) -> Result<Option<Entries>> {
    let path = format!("/api/v1/namespaces/{}/secrets/{name}", cx.namespace());
    let found = cx.kubectl.find(&path).await;
    let found = found.map_err(|e| cx.api_failure("read a secret", &e))?;
    Ok(found.map(|secret| {
        let data = secret.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        let decoded = |value: &Value| String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok();
        data.iter().filter_map(|(key, value)| Some((key.clone(), decoded(value)?))).collect()
    }))
}

/// An entry of a Secret; `what` describes it in the error message.
pub(crate) fn entry(entries: Option<&Entries>, key: &str, what: &str) -> Result<String> {
    entries.and_then(|e| e.get(key)).cloned().ok_or_else(|| {
        Box::new(Failure::new(
            errors::USER_LATE,
            Kind::Task,
            format!("{what} does not exist yet: no {key} in its Secret"),
        ))
    })
}

/// The CA certificates of the brokers, in PEM.
pub(crate) async fn cluster_ca(cx: &Session) -> Result<String> {
    let ca = entries(cx, &format!("{}-cluster-ca-cert", cx.cluster())).await?;
    entry(ca.as_ref(), "ca.crt", "the cluster's CA")
}

/// How a client connects to a listener: with TLS if there is a CA, and as a user if one is specified, with the
/// entries of its Secret.
///
/// # Errors
/// Why the credentials cannot be used, without any of them.
pub(crate) fn security(
    ca: Option<&str>,
    user: Option<(&str, Authentication, &Entries)>,
) -> std::result::Result<Security, String> {
    let (mut certificate, mut login) = (None, None);
    if let Some((name, how, entries)) = user {
        let entry = |key: &str| {
            entries.get(key).map(String::as_str).ok_or_else(|| format!("its Secret has no {key}"))
        };
        match how {
            Authentication::Tls if ca.is_none() => {
                return Err("a certificate needs a listener with TLS".into());
            }
            Authentication::Tls => certificate = Some((entry("user.crt")?, entry("user.key")?)),
            Authentication::Scram => {
                let password = entry("password")?.to_owned();
                login = Some(Rc::new(Login { user: name.to_owned(), password }));
            }
        }
    }
    let tls = ca.map(|ca| Tls::new(ca, certificate)).transpose()?.map(Rc::new);
    Ok(Security { tls, login })
}
