//! `kstrim user`: manages users as `KafkaUser` resources; the user operator creates their credentials.

mod create;
pub(super) mod export;
mod prepare;
mod show;

pub(super) use export::{no_listener, secrets};

use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::living::{self, Living};
use crate::cli::{self, Global, UserDelete, UserVerb};
use crate::cluster::installation;
use crate::errors;
use crate::explain::{self, Answers, Scene, Scope};
use crate::failure::{Failure, Id, Kind, Result};
use crate::kube::kafka::Entity;
use crate::kube::strimzi::KafkaUser;
use crate::kube::{Kind as ObservedKind, Object, Snapshot};
use crate::manifest::user::Authentication;
use crate::names::{UserName, acl};

/// Causes that permanently keep the user operator from managing a user.
const FOR_GOOD: [Id; 2] = [errors::USER_LABEL, errors::RESOURCE_PAUSED];
/// Why a user has no credentials.
const NO_CREDENTIALS: [Id; 3] = [errors::USER_LABEL, errors::RESOURCE_PAUSED, errors::USER_REFUSED];

/// The authentication of a user whose certificate another CA issues.
const TLS_EXTERNAL: &str = "tls-external";
/// Plural name of the resource in the API.
const PLURAL: &str = "kafkausers";

/// Create, list, show or delete users.
pub(crate) async fn run(global: &Global, args: &cli::User) -> Result<ExitCode> {
    match &args.verb {
        UserVerb::Create(args) => create::run(global, args).await,
        UserVerb::List(args) => show::list(global, args).await,
        UserVerb::Show(args) => show::show(global, args).await,
        UserVerb::Delete(args) => delete(global, args).await,
    }
}

/// A user according to its resource. It contains no secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct User {
    /// The resource's name.
    pub user: String,
    /// `tls`, `scram-sha-512` ..., or `none`.
    pub authentication: String,
    /// Its name in Kafka, `CN=app` or `app`, as soon as it has one.
    pub principal: Option<String>,
    /// Its permissions, in the short form.
    pub acls: Vec<String>,
    /// Its limits, as in the resource.
    pub quotas: Map<String, Value>,
    /// The Secret with its credentials, as soon as it exists.
    pub secret: Option<String>,
    /// Whether it exists as requested.
    pub ready: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether kstrim created it.
    pub made_by_kstrim: bool,
}

impl User {
    fn of(json: &Value, mine: bool) -> Self {
        let text = |at: &str| json.pointer(at).and_then(Value::as_str).filter(|t| !t.is_empty());
        let object = Object::new(json.clone());
        let acls = json.pointer("/spec/authorization/acls").and_then(Value::as_array);
        let reason = KafkaUser(&object).not_ready_reason();
        Self {
            user: object.name().to_owned(),
            authentication: text("/spec/authentication/type").unwrap_or("none").to_owned(),
            principal: text("/status/username").map(str::to_owned),
            acls: acls.into_iter().flatten().map(acl::short).collect(),
            quotas: json.pointer("/spec/quotas").and_then(Value::as_object).cloned().unwrap_or_default(),
            secret: text("/status/secret").map(str::to_owned),
            ready: reason.is_none(),
            reason,
            made_by_kstrim: mine,
        }
    }

    fn how(&self) -> Option<Authentication> {
        Authentication::parse(&self.authentication)
    }

    /// The authentication of the listeners that accept it: a certificate of another CA counts as one, too.
    fn listener(&self) -> Option<Authentication> {
        if self.authentication == TLS_EXTERNAL { Some(Authentication::Tls) } else { self.how() }
    }

    /// Why there will never be a Secret with its credentials.
    fn without_secret(&self) -> Option<&'static str> {
        match self.authentication.as_str() {
            _ if self.how().is_some() => None,
            TLS_EXTERNAL => Some("none: its certificate is issued outside the cluster"),
            _ => Some("none: it has no credentials in the cluster"),
        }
    }
}

/// What keeps the user operator from managing a user, according to the user's resource: the failure with which a wait
/// for it would end.
fn obstacle(living: &Living, user: &Value, ids: &[Id]) -> Option<Box<Failure>> {
    let mut json = user.clone();
    // Items of a list have no kind.
    json["kind"] = ObservedKind::KafkaUser.as_str().into();
    let user = Object::new(json);
    let subject = format!("user/{}", user.name());
    let snapshot = Snapshot::of([living.resource.clone(), user]);
    let expect = living.cx.expect().scope(Scope::Everything);
    let answers = Answers::new();
    let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
    let found =
        explain::findings(&scene).into_iter().find(|f| f.subject == subject && ids.contains(&f.id))?;
    Some(Box::new(found.failure()))
}

/// The users of the Kafka cluster and those that no Kafka cluster has, with their resources, by name.
async fn all(living: &Living) -> Result<Vec<(User, Value)>> {
    let cluster = living.cx.cluster();
    let mine = |object: &Value| installation::cluster_of(object).is_none_or(|of| of == cluster);
    let found = living.list(PLURAL).await?.into_iter().filter(mine);
    let of = |object: Value| (User::of(&object, living.cx.owns(&object)), object);
    let mut users: Vec<_> = found.map(of).collect();
    users.sort_by(|(a, _), (b, _)| a.user.cmp(&b.user));
    Ok(users)
}

/// The user with this name.
pub(super) async fn find_user(living: &Living, name: &UserName) -> Result<(User, Value)> {
    let known = all(living).await?;
    if let Some(found) = known.iter().find(|(u, _)| u.user == name.as_str()) {
        return Ok(found.clone());
    }
    let target = &living.cx.target;
    let near = known
        .iter()
        .map(|(u, _)| (strsim::damerau_levenshtein(&u.user, name.as_str()), u.user.as_str()))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let failure = Failure::new(
        errors::USER_UNKNOWN,
        Kind::Usage,
        format!("the Kafka cluster {} has no user {name}", living.cx.cluster()),
    );
    Err(Box::new(match near {
        Some((_, near)) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint(format!("list them: {}", target.kstrim("user list"))),
    }))
}

async fn delete(global: &Global, args: &UserDelete) -> Result<ExitCode> {
    let title = format!("User {}", args.user);
    living::task(global, "user", title, args.output, async |invocation| {
        let living = living::open_to_change(invocation, global).await?;
        let cx = living.cx.clone();
        living.served(Entity::User, &format!("the user {}", args.user))?;
        let (user, object) = find_user(&living, &args.user).await?;
        if !args.yes {
            let whose = if user.made_by_kstrim { "" } else { ", which kstrim did not create," };
            let question = format!(
                "This deletes the user {}{whose} and its credentials: its clients will stop working.",
                user.user
            );
            super::consent::to(&living, &question, "nothing was deleted").await?;
        }
        super::topic::delete_named(&living, PLURAL, &object, "the user").await?;
        let late = |why: String| {
            let message = format!("the user {} is being deleted, but still exists", args.user);
            Box::new(Failure::new(errors::USER_LATE, Kind::Timeout, message).because(why))
        };
        super::topic::wait_until_deleted(&living, ObservedKind::KafkaUser, &user.user, args.timeout, late)
            .await?;
        cx.stop_observing();
        Ok(format!("user {} was deleted", args.user))
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_is_read_from_its_resource() {
        let mut json = json!({
            "metadata": {"name": "app", "generation": 2, "labels": {"strimzi.io/cluster": "c"}},
            "spec": {"authentication": {"type": "tls"}, "authorization": {"acls": [
                {"resource": {"type": "topic", "name": "a", "patternType": "prefix"}, "operations": ["Read"]}]}},
            "status": {"observedGeneration": 2, "username": "CN=app", "secret": "app",
                "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let user = User::of(&json, false);
        assert!(user.ready && user.reason.is_none() && !user.made_by_kstrim);
        assert_eq!((user.acls, user.principal.as_deref()), (vec!["topic:a*:read".into()], Some("CN=app")));
        json["status"]["conditions"] =
            json!([{"type": "NotReady", "status": "True", "reason": "X", "message": "no"}]);
        assert_eq!(User::of(&json, false).reason.as_deref(), Some("X: no"));
        json["metadata"]["generation"] = json!(3);
        assert_eq!(User::of(&json, false).reason.as_deref(), Some("the user operator is reconciling it"));
    }
}
