//! `kstrim user create`

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::Value;

use super::{FOR_GOOD, PLURAL, User, all, obstacle, prepare};
use crate::cli::{self, Global, UserCreate};
use crate::cluster::session::Session;
use crate::cluster::{change, installation, listener};
use crate::cmd::living::{self, Living};
use crate::engine::task::Doneness;
use crate::errors;
use crate::explain::{self, Answers, Scene, Scope};
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::{Authorization, Entity};
use crate::kube::strimzi::KafkaUser;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::Object;
use crate::manifest::user::{self as resource, Authentication, UserInput};

pub(super) async fn run(global: &Global, args: &UserCreate) -> Result<ExitCode> {
    let title = format!("User {}", args.user);
    living::task(global, "user", title, args.output, async |invocation| {
        let living = living::open_to_change(invocation, global).await?;
        let done = create(&living, args).await;
        living.cx.stop_observing();
        done
    })
    .await
}

fn how(asked: cli::Authentication) -> Authentication {
    match asked {
        cli::Authentication::Tls => Authentication::Tls,
        cli::Authentication::Scram => Authentication::Scram,
    }
}

async fn create(living: &Living, args: &UserCreate) -> Result<String> {
    let cx = &living.cx;
    let authentication = how(args.authentication);
    living.served(Entity::User, &format!("the user {}", args.user))?;
    refuse_ignored_rules(living, args)?;
    let wanted = resource::user(&UserInput {
        release: cx.choice.release,
        namespace: &cx.target.namespace,
        cluster: &cx.target.cluster,
        user: &args.user,
        authentication,
        acls: &args.acls,
        quotas: &args.quotas,
    });
    let known = all(living).await?;
    let there = known.iter().find(|(u, _)| u.user == args.user.as_str());
    if let Some((_, json)) = there {
        differs(json, &wanted, cx)?;
        // Before brokers are restarted for the user.
        if let Some(failure) = obstacle(living, json, &FOR_GOOD) {
            return Err(failure);
        }
    }
    if there.is_none() {
        // Before brokers are restarted for the user.
        if cx
            .kubectl
            .find(&living::path(cx, PLURAL, Some(args.user.as_str())))
            .await
            .is_ok_and(|u| u.is_some())
        {
            return Err(foreign_resource(living, args).await?);
        }
        secret_is_free(living, args).await?;
    }
    let missing = listener::preparation(&living.kafka(), authentication, !args.acls.is_empty());
    if let Some((_, said)) = missing {
        if args.prepare_kafka {
            prepare::kafka(living, authentication, !args.acls.is_empty(), &said, args.yes, args.timeout)
                .await?;
        } else {
            unprepared(living, args, authentication)?;
        }
    }
    if there.is_none() {
        secret_is_free(living, args).await?;
        let collection = living::path(cx, PLURAL, None);
        let object = &cx.labelled(vec![wanted])[0];
        let created = change::create(&cx.kubectl, &collection, object.value()).await;
        if created.map_err(|e| cx.api_failure("create the user", &e))?.is_none() {
            return Err(foreign_resource(living, args).await?);
        }
    } else if there.is_some_and(|(u, _)| u.ready) {
        return Ok(format!("user {} already exists", args.user));
    }
    cx.synced(&[ObservedKind::KafkaUser, ObservedKind::Kafka]).await;
    let name = args.user.as_str();
    let done = living::wait(
        cx,
        args.timeout,
        async |snapshot| look(cx, name, snapshot),
        || {
            let snapshot = cx.store.snapshot();
            let user = snapshot.get(ObservedKind::KafkaUser, cx.namespace(), name);
            let why = user.map_or_else(
                || Some("the resource no longer exists".into()),
                |u| KafkaUser(u).not_ready_reason(),
            );
            let failure =
                Failure::new(errors::USER_LATE, Kind::Timeout, format!("user {name} does not exist yet"));
            Box::new(why.into_iter().fold(failure, Failure::because))
        },
    );
    if let Err(failure) = done.await {
        let mut failure = crate::cmd::topic::with_cause(cx, failure).await;
        if failure.kind == Kind::Timeout && failure.hints.is_empty() {
            let log = cx.target.kubectl("logs -c user-operator -n").arg(cx.namespace());
            let log = log.arg(format!("deployment/{}-entity-operator", cx.cluster()));
            failure.hints.push(format!("show its operator's log: {log}"));
        }
        return Err(failure);
    }
    let target = &cx.target;
    Ok(format!(
        "user {name} is ready; to export a client configuration: {}",
        target.kstrim("user show").arg(name).args(["--export", "DIR"])
    ))
}

/// The refusal to create a user whose resource name is in use by another Kafka cluster's user.
async fn foreign_resource(living: &Living, args: &UserCreate) -> Result<Box<Failure>> {
    let cx = &living.cx;
    let found = cx.kubectl.find(&living::path(cx, PLURAL, Some(args.user.as_str()))).await;
    let found = found.map_err(|e| cx.api_failure("read the user", &e))?.unwrap_or_default();
    let owner = installation::cluster_of(&found);
    let message = match owner {
        Some(owner) => format!("the KafkaUser {} belongs to the Kafka cluster {owner}", args.user),
        None => format!("the KafkaUser {} already exists", args.user),
    };
    Ok(Box::new(
        Failure::new(errors::USER_TAKEN, Kind::Foreign, message)
            .because(format!("the namespace {} can have only one KafkaUser of a given name", cx.namespace()))
            .hint("create the user under another name"),
    ))
}

/// Refuse a name whose Secret is foreign: the user operator writes the credentials into the Secret of the user's name
/// and overwrites its contents.
async fn secret_is_free(living: &Living, args: &UserCreate) -> Result<()> {
    let cx = &living.cx;
    let path = format!("/api/v1/namespaces/{}/secrets/{}", cx.namespace(), args.user);
    let found = cx.kubectl.find(&path).await;
    let Some(secret) = found.map_err(|e| cx.api_failure("look for a Secret of this name", &e))? else {
        return Ok(());
    };
    let message = format!("a Secret {} exists in the namespace {}", args.user, cx.namespace());
    let owners = secret.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let left =
        owners.into_iter().flatten().any(|o| o["kind"] == "KafkaUser" && o["name"] == args.user.as_str());
    if left {
        // It belongs to an earlier user of that name and is about to be garbage-collected.
        return Ok(());
    }
    let failure = Failure::new(errors::SECRET_FOREIGN, Kind::Foreign, message)
        .because("the user operator would overwrite its contents with the credentials");
    Err(Box::new(failure.hint("create the user under another name, or rename the Secret")))
}

/// Refuse rules for a Kafka cluster whose authorization ignores those of KafkaUsers: the user operator would reject
/// the user.
fn refuse_ignored_rules(living: &Living, args: &UserCreate) -> Result<()> {
    let kafka = living.kafka();
    let Some(Authorization { kind, takes_rules: false, .. }) = kafka.authorization() else { return Ok(()) };
    if args.acls.is_empty() {
        return Ok(());
    }
    let message = format!("the Kafka cluster {} does not support access rules of users", living.cx.cluster());
    Err(Box::new(
        Failure::new(errors::USER_NO_AUTHORIZATION, Kind::Prerequisite, message)
            .because(format!("its authorization is {kind}, which has its own rules"))
            .hint("omit --acl, and add the rules to that authorization"),
    ))
}

/// The failure if the Kafka cluster lacks something and the user did not agree to add it: the operator would reject
/// rules; a listener may be added later.
fn unprepared(living: &Living, args: &UserCreate, how: Authentication) -> Result<()> {
    let cx = &living.cx;
    let target = &cx.target;
    if !args.acls.is_empty() && living.kafka().authorization().is_none() {
        return Err(Box::new(
            Failure::new(
                errors::USER_NO_AUTHORIZATION,
                Kind::Prerequisite,
                format!(
                    "the Kafka cluster {} does not enforce access rules: it has no authorization",
                    cx.cluster()
                ),
            )
            .hint(format!(
                "add it, which restarts the brokers one by one: {}",
                target.again().arg("--prepare-kafka")
            ))
            .hint("or omit --acl: without authorization, every user has all permissions"),
        ));
    }
    if listener::for_users(&living.kafka(), how).is_none() {
        cx.emit.warn(format!(
            "the Kafka cluster {} has no listener with {} authentication, so this user cannot connect yet; add one: {}",
            cx.cluster(),
            how.strimzi(),
            target.again().arg("--prepare-kafka")
        ));
    }
    Ok(())
}

/// Refuse a user that exists with other settings than requested.
fn differs(there: &Value, wanted: &Object, cx: &Session) -> Result<()> {
    let (has, asked) = (User::of(there, true), User::of(wanted.value(), true));
    let mut lines = Vec::new();
    if has.authentication != asked.authentication {
        lines.push(format!(
            "authentication: it has {}, but {} was requested",
            has.authentication, asked.authentication
        ));
    }
    if !asked.acls.is_empty() && has.acls != asked.acls {
        lines.push(format!("rules: it has {}, but {} was requested", listed(&has.acls), listed(&asked.acls)));
    }
    if asked.quotas.iter().any(|(name, limit)| has.quotas.get(name) != Some(limit)) {
        lines.push("its quotas are different".into());
    }
    let target = &cx.target;
    let see = target.kstrim("user show").arg(&has.user).to_string();
    living::as_asked(
        cx,
        errors::USER_EXISTS,
        &format!("the user {}", has.user),
        lines,
        &see,
        (PLURAL, &has.user),
    )
}

fn listed(rules: &[String]) -> String {
    if rules.is_empty() { "none".to_owned() } else { rules.join(" ") }
}

/// Judge a snapshot of it.
fn look(cx: &Session, name: &str, snapshot: &Snapshot) -> Result<Doneness> {
    let Some(object) = snapshot.get(ObservedKind::KafkaUser, cx.namespace(), name) else {
        return Ok(Doneness::Pending(format!("user {name}: does not exist yet")));
    };
    let Some(why) = KafkaUser(object).not_ready_reason() else { return Ok(Doneness::Done(String::new())) };
    let expect = cx.expect().scope(Scope::Everything);
    let answers = Answers::new();
    let scene = Scene { snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
    let subject = format!("user/{name}");
    match explain::findings(&scene).into_iter().find(|f| f.subject == subject) {
        Some(finding) => Err(Box::new(finding.failure())),
        None => Ok(Doneness::Pending(why)),
    }
}
