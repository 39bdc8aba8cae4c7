//! `kubectl create|replace|delete --raw PATH -f FILE`: POST, PUT and DELETE of one object, with the preconditions
//! that the API server accepts, and with its own responses.

use serde_json::{Value, json};

use crate::apply::{self, Options};
use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::kinds::{self, Path, Resource};
use crate::kubectl::{Link, not_found, unreachable};
use crate::preconditions::{MODIFIED, Violation, violation};

/// `create`, `replace`, `delete` with `--raw`.
pub fn run(link: &Link, io: &mut Io, args: &Args) -> Done {
    let files = args.all("filename");
    if files.len() > 1 {
        return Err(End::Error("error: --raw can only use a single local file or stdin".into()));
    }
    if files.is_empty() && args.verb() != "delete" {
        return Err(End::Error("error: must specify one of -f and -k".into()));
    }
    let body = match files.first() {
        Some(file) => read(file)?,
        None => Value::Null,
    };
    let (path, _) = crate::get::query(args.flag("raw").unwrap_or_default());
    let (_world, mut cluster) = link.open().map_err(|away| unreachable(io, away, false))?;
    let Some(found) = kinds::of_path(&cluster, &path) else {
        return Err(refused("NotFound", "the server could not find the requested resource"));
    };
    let answer = match args.verb() {
        "create" => post(&mut cluster, &found, body),
        "replace" => put(&mut cluster, &found, body),
        _ => delete(&mut cluster, &found, &body),
    }?;
    let clock = cluster.clock;
    cluster.advance(clock);
    cluster.save(link.place);
    io.line(&answer.to_string())?;
    Ok(0)
}

fn read(file: &str) -> Result<Value, End> {
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)
            .map_err(|e| End::Error(format!("error: {e}")))?;
    } else {
        bytes = std::fs::read(file)
            .map_err(|_| End::Error(format!("error: open {file}: no such file or directory")))?;
    }
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    // It is sent as it is, and no content type means JSON.
    serde_json::from_slice(&bytes)
        .map_err(|e| refused("BadRequest", &format!("the object provided is unrecognized: {e}")))
}

fn refused(reason: &str, message: &str) -> End {
    End::Error(format!("Error from server ({reason}): {message}"))
}

fn not_allowed() -> End {
    refused("MethodNotAllowed", "the server does not allow this method on the requested resource")
}

fn conflict(what: &str, name: &str, why: &str) -> End {
    refused("Conflict", &format!("Operation cannot be fulfilled on {what} \"{name}\": {why}"))
}

/// The body, if it is an object that belongs to the path.
fn object(found: &Path, mut body: Value) -> Result<Value, End> {
    let api = crate::get::api_version(&found.resource, &found.version);
    let (given, kind) = (text(&body, "/apiVersion"), text(&body, "/kind"));
    if given != api || kind != found.resource.kind {
        let message = format!(
            "the API version in the data ({given}, Kind={kind}) does not match the expected API version ({api}, Kind={})",
            found.resource.kind
        );
        return Err(refused("BadRequest", &message));
    }
    if found.resource.namespaced {
        let namespace = text(&body, "/metadata/namespace");
        if !namespace.is_empty() && namespace != found.namespace {
            return Err(refused(
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        body["metadata"]["namespace"] = json!(found.namespace);
    }
    Ok(body)
}

fn served(cluster: &Cluster, found: &Path, key: &str) -> Value {
    let mut object = cluster.get(key).cloned().unwrap_or_default();
    object["apiVersion"] = json!(crate::get::api_version(&found.resource, &found.version));
    object
}

fn post(cluster: &mut Cluster, found: &Path, body: Value) -> Result<Value, End> {
    let resource = &found.resource;
    if found.name.is_some() {
        return Err(not_allowed());
    }
    let new = object(found, body)?;
    let name = text(&new, "/metadata/name").to_owned();
    let key = resource.key(&found.namespace, &name);
    if !text(&new, "/metadata/resourceVersion").is_empty() {
        return Err(End::Error(
            "Error from server: resourceVersion should not be set on objects to be created".into(),
        ));
    }
    if let Some(old) = cluster.get(&key) {
        let ends = old["metadata"]["deletionTimestamp"].is_string();
        let why = if ends { "object is being deleted: " } else { "" };
        return Err(refused("AlreadyExists", &format!("{why}{} \"{name}\" already exists", resource.id())));
    }
    let key = apply::create(cluster, resource, new, &Options::raw(&found.namespace))
        .map_err(|refusal| End::Error(refusal.to_string()))?;
    Ok(served(cluster, found, &key))
}

/// Whether a PUT has to have the resource version that it is based on, and whether a PUT may create the object.
fn strategy(resource: &Resource) -> (bool, bool) {
    let lease = resource.plural == "leases";
    (lease || !kinds::is_builtin(&resource.group) || resource.plural == "customresourcedefinitions", lease)
}

fn put(cluster: &mut Cluster, found: &Path, body: Value) -> Result<Value, End> {
    let resource = &found.resource;
    let Some(name) = found.name.clone() else { return Err(not_allowed()) };
    let mut new = object(found, body)?;
    if text(&new, "/metadata/name") != name {
        let message = format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            text(&new, "/metadata/name")
        );
        return Err(refused("BadRequest", &message));
    }
    let key = resource.key(&found.namespace, &name);
    let (conditional, creates) = strategy(resource);
    let uid = text(&new, "/metadata/uid").to_owned();
    let (old, there) = match cluster.get(&key) {
        Some(old) => (old.clone(), true),
        None => (Value::Null, false),
    };
    if !there && !creates {
        return Err(End::Error(not_found(resource, &name)));
    }
    if !uid.is_empty() && uid != text(&old, "/metadata/uid") {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{name}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            resource.plural,
            found.namespace,
            text(&old, "/metadata/uid")
        );
        return Err(conflict(&resource.id(), &name, &why));
    }
    if !there {
        let key = apply::create(cluster, resource, new, &Options::raw(&found.namespace))
            .map_err(|refusal| End::Error(refusal.to_string()))?;
        return Ok(served(cluster, found, &key));
    }
    if conditional && text(&new, "/metadata/resourceVersion").is_empty() {
        return Err(End::Error(format!(
            "The {} \"{name}\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update",
            resource.id()
        )));
    }
    match violation(resource, &name, &new, Some(&old)) {
        Some(Violation::Conflict(_)) => return Err(conflict(&resource.id(), &name, MODIFIED)),
        Some(Violation::Invalid(message)) => return Err(End::Error(message)),
        None => {}
    }
    for field in ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        match old["metadata"].get(field) {
            Some(value) => new["metadata"][field] = value.clone(),
            None => drop(new["metadata"].as_object_mut().and_then(|meta| meta.shift_remove(field))),
        }
    }
    // Entries that are sent count; a client that does not know of them does not remove them.
    let sent = new["metadata"]["managedFields"].as_array().is_some_and(|all| !all.is_empty());
    if let Some(entries) = old["metadata"].get("managedFields").filter(|_| !sent) {
        new["metadata"]["managedFields"] = entries.clone();
    }
    if let Some(map) = new.as_object_mut() {
        map.shift_remove("status");
    }
    if let Some(status) = old.get("status") {
        new["status"] = status.clone();
    }
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    apply::stored(cluster, resource, &mut new);
    let last = served(cluster, found, &key);
    cluster.update(&key, |o| *o = new);
    // It may have removed the last finalizer, and with it the object.
    Ok(if cluster.get(&key).is_some() { served(cluster, found, &key) } else { last })
}

fn delete(cluster: &mut Cluster, found: &Path, options: &Value) -> Result<Value, End> {
    let resource = &found.resource;
    let Some(name) = found.name.clone() else { return Err(not_allowed()) };
    let kind = text(options, "/kind");
    if !(kind.is_empty() || kind == "DeleteOptions") {
        return Err(refused("BadRequest", &format!("no kind \"{kind}\" is registered for version \"v1\"")));
    }
    let key = resource.key(&found.namespace, &name);
    let Some(old) = cluster.get(&key).cloned() else {
        return Err(End::Error(not_found(resource, &name)));
    };
    check(resource, &name, &old, &options["preconditions"])?;
    let uid = text(&old, "/metadata/uid").to_owned();
    let dry_run = options["dryRun"].as_array().is_some_and(|list| !list.is_empty());
    if !dry_run {
        match text(options, "/propagationPolicy") {
            "Orphan" => crate::lifecycle::orphan(cluster, &uid),
            "Foreground" => crate::lifecycle::hold_for_dependents(cluster, &key),
            _ => {}
        }
        cluster.delete(&key);
    }
    if cluster.get(&key).is_some() && !dry_run {
        return Ok(served(cluster, found, &key));
    }
    let mut details = json!({"name": name, "kind": resource.plural, "uid": uid});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}))
}

/// The preconditions of a deletion. Namespaces and definitions have a check of their own.
fn check(resource: &Resource, name: &str, old: &Value, conditions: &Value) -> Result<(), End> {
    let own = ["namespaces", "customresourcedefinitions"].contains(&resource.plural.as_str());
    let what = match (own, resource.group.as_str()) {
        (true, _) => resource.id(),
        (false, "") => resource.kind.clone(),
        (false, group) => format!("{}.{group}", resource.kind),
    };
    for (field, word, end) in [
        ("uid", "UID", "The object might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "The object might have been modified"),
    ] {
        let (Some(wanted), there) =
            (conditions[field].as_str(), old["metadata"][field].as_str().unwrap_or_default())
        else {
            continue;
        };
        if wanted == there {
            continue;
        }
        let why = if own {
            format!("Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {there}")
        } else {
            format!(
                "the {word} in the precondition ({wanted}) does not match the {word} in record ({there}). {end}"
            )
        };
        return Err(conflict(&what, name, &why));
    }
    Ok(())
}
