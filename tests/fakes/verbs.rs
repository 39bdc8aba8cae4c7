//! The other commands of kubectl.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apply::merge;
use crate::bell::Bell;
use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::get::{server_version, targets};
use crate::io::{Done, End, Io};
use crate::kinds::{self, Resource, labels_match};
use crate::kubectl::{Link, documents, not_found, unreachable};
use crate::preconditions::{Violation, violation};
use crate::{nodes, operator};

/// `create namespace NAME`, `create -f`.
pub fn create(link: &Link, io: &mut Io, args: &Args) -> Done {
    let (_world, mut cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let [kind, name] = args.objects() else {
        return Err(End::Error("error: must specify one of -f and -k".into()));
    };
    if !matches!(kind.as_str(), "namespace" | "ns") {
        return Err(End::Error("error: must specify one of -f and -k".into()));
    }
    if let Some(old) = cluster.get(&format!("namespaces//{name}")) {
        let ends = old["metadata"]["deletionTimestamp"].is_string();
        let why = if ends { "object is being deleted: " } else { "" };
        return Err(End::Error(format!(
            "Error from server (AlreadyExists): {why}namespaces \"{name}\" already exists"
        )));
    }
    cluster.add(nodes::namespace(name));
    cluster.save(link.place);
    io.line(&format!("namespace/{name} created"))?;
    Ok(0)
}

/// The objects in the arguments or in `-f`, with whether each exists.
fn named(link: &Link, cluster: &Cluster, args: &Args) -> Result<Vec<(Resource, String, String)>, End> {
    let mut all = Vec::new();
    let (files, source) = documents(args)?;
    let mut unmatched = Vec::new();
    for document in &files {
        let (api, kind, name) =
            (text(document, "/apiVersion"), text(document, "/kind"), text(document, "/metadata/name"));
        let Ok(resource) = kinds::of_kind(cluster, api, kind) else {
            unmatched.push(format!(
                "resource mapping not found for name: \"{name}\" namespace: \"\" from \"{source}\": no matches for kind \
                 \"{kind}\" in version \"{api}\"\nensure CRDs are installed first"
            ));
            continue;
        };
        let ns = match text(document, "/metadata/namespace") {
            "" => link.namespace.as_str(),
            ns => ns,
        };
        let key = resource.key(ns, name);
        all.push((resource, name.to_owned(), key));
    }
    if !unmatched.is_empty() {
        return Err(End::Error(unmatched.join("\n")));
    }
    for (resource, name) in targets(cluster, args.objects())? {
        if let Some(name) = name {
            let key = resource.key(&link.namespace, &name);
            all.push((resource, name, key));
            continue;
        }
        let ns = if args.is("all-namespaces") || !resource.namespaced { "" } else { &link.namespace };
        let selector = args.flag("selector").unwrap_or("");
        if selector.is_empty() && !args.is("all") {
            return Err(End::Error("error: resource(s) were provided, but no name was specified".into()));
        }
        for key in cluster.keys(&resource.stored(), ns) {
            let object = &cluster.objects[&key];
            if labels_match(object, selector) {
                all.push((resource.clone(), text(object, "/metadata/name").to_owned(), key));
            }
        }
    }
    Ok(all)
}

pub fn delete(link: &Link, io: &mut Io, args: &Args) -> Done {
    let dry = args.flag("dry-run").is_some_and(|mode| mode != "none");
    let mut wait = Vec::new();
    let mut missing = Vec::new();
    let mut lines = Vec::new();
    {
        let (_world, mut cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
        let all = named(link, &cluster, args)?;
        if !args.all("filename").is_empty() && all.iter().any(|(r, ..)| !r.namespaced) {
            io.err("Warning: deleting cluster-scoped resources, not scoped to the provided namespace");
        }
        if all.is_empty() && args.flag("selector").is_some() {
            lines.push("No resources found".to_owned());
        }
        for (resource, name, key) in all {
            let Some(object) = cluster.get(&key).cloned() else {
                if !args.is("ignore-not-found") {
                    missing.push(not_found(&resource, &name));
                }
                continue;
            };
            let place = match text(&object, "/metadata/namespace") {
                "" => String::new(),
                ns => format!(" from {ns} namespace"),
            };
            let dry_run = if dry { " (server dry run)" } else { "" };
            lines.push(format!("{} \"{name}\" deleted{place}{dry_run}", resource.printed()));
            if !dry {
                cluster.delete(&key);
                wait.push((resource, name, key, text(&object, "/metadata/uid").to_owned()));
            }
        }
        let clock = cluster.clock;
        cluster.advance(clock);
        cluster.save(link.place);
    }
    for line in lines {
        io.line(&line)?;
    }
    for text in &missing {
        io.err(text);
    }
    if args.flag("wait") == Some("false") {
        return Ok(i32::from(!missing.is_empty()));
    }
    let end =
        args.duration("timeout").filter(|ms| *ms > 0).map(|ms| Instant::now() + Duration::from_millis(ms));
    for (resource, name, key, uid) in wait {
        loop {
            {
                let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
                let there = cluster.get(&key).is_some_and(|o| text(o, "/metadata/uid") == uid);
                cluster.save(link.place);
                if !there {
                    break;
                }
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(End::Error(format!(
                    "error: timed out waiting for the condition on {}/{name}",
                    if resource.group.is_empty() { resource.plural } else { resource.id() }
                )));
            }
            rest(link, end);
        }
    }
    Ok(i32::from(!missing.is_empty()))
}

/// `patch --type=merge|json`.
pub fn patch(link: &Link, io: &mut Io, args: &Args) -> Done {
    let patch = args.flag("patch").unwrap_or("{}");
    let patch: Value = patch
        .parse()
        .or_else(|_| serde_yaml::from_str(patch))
        .map_err(|e| End::Error(format!("error: unable to parse \"{patch}\": {e}")))?;
    let json = args.flag("type") == Some("json");
    change(link, io, args, "patched", |object| match json {
        true => json_patch(object, &patch),
        false => {
            merge(object, &patch);
            Ok(())
        }
    })
}

/// RFC 6902's `test`, `add` and `replace` in maps; kubectl prints the same message for every operation that cannot be applied.
fn json_patch(object: &mut Value, patch: &Value) -> Result<(), End> {
    for step in patch.as_array().into_iter().flatten() {
        apply_step(object, step).ok_or_else(|| {
            End::Error(
                "The request is invalid: the server rejected our request due to an error in our request"
                    .into(),
            )
        })?;
    }
    Ok(())
}

fn apply_step(object: &mut Value, step: &Value) -> Option<()> {
    let (path, op, value) = (text(step, "/path"), text(step, "/op"), &step["value"]);
    if op == "test" {
        return (object.pointer(path).unwrap_or(&Value::Null) == value).then_some(());
    }
    let (parent, name) = path.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    match (object.pointer_mut(parent)?, op) {
        (Value::Object(map), "add") => drop(map.insert(name, value.clone())),
        (Value::Object(map), "replace") => *map.get_mut(&name)? = value.clone(),
        _ => return None,
    }
    Some(())
}

/// `label` and `annotate`: `name=value`, `name-`.
pub fn label(link: &Link, io: &mut Io, args: &Args) -> Done {
    let field = if args.verb() == "label" { "labels" } else { "annotations" };
    let change_word = |w: &String| w.contains('=') || w.ends_with('-');
    let changes: Vec<String> = args.words.iter().filter(|w| change_word(w)).cloned().collect();
    let words = args.words.iter().filter(|w| !change_word(w)).cloned().collect();
    let args = args.with_words(words);
    let verb = if field == "labels" { "labeled" } else { "annotated" };
    change(link, io, &args, verb, |object| {
        for change in &changes {
            let patch = match change.split_once('=') {
                Some((name, value)) => json!({name: value}),
                None => json!({change.trim_end_matches('-'): null}),
            };
            merge(&mut object["metadata"][field], &patch);
            manage(object, &args, field, &patch);
        }
        Ok(())
    })
}

/// The API server records the owner of a label or annotation. Needed only if a field manager is specified.
fn manage(object: &mut Value, args: &Args, field: &str, patch: &Value) {
    let (Some(manager), Some(entries)) = (args.flag("field-manager"), patch.as_object()) else { return };
    let mut fields = json!({});
    for name in entries.keys() {
        fields[format!("f:{name}")] = json!({});
    }
    let entry = json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {format!("f:{field}"): fields}}});
    match object["metadata"]["managedFields"].as_array_mut() {
        Some(all) => all.push(entry),
        None => object["metadata"]["managedFields"] = json!([entry]),
    }
}

fn change(
    link: &Link,
    io: &mut Io,
    args: &Args,
    verb: &str,
    act: impl Fn(&mut Value) -> Result<(), End>,
) -> Done {
    let (_world, mut cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    for (resource, name, key) in named(link, &cluster, args)? {
        let Some(object) = cluster.get(&key).cloned() else {
            return Err(End::Error(not_found(&resource, &name)));
        };
        let mut new = object.clone();
        act(&mut new)?;
        match violation(&resource, &name, &new, Some(&object)) {
            Some(Violation::Conflict(message)) => {
                return Err(End::Error(format!("Error from server (Conflict): {message}")));
            }
            Some(Violation::Invalid(message)) => return Err(End::Error(message)),
            None => {}
        }
        let note = if new == object { " (no change)" } else { "" };
        crate::apply::stored(&cluster, &resource, &mut new);
        cluster.update(&key, |o| *o = new);
        io.line(&format!("{}/{name} {verb}{note}", resource.printed()))?;
    }
    let clock = cluster.clock;
    cluster.advance(clock);
    cluster.save(link.place);
    Ok(0)
}

/// `wait --for=condition=X[=value]|delete|create`.
pub fn wait(link: &Link, io: &mut Io, args: &Args) -> Done {
    let goal = args.flag("for").unwrap_or("");
    let end = Instant::now() + Duration::from_millis(args.duration("timeout").unwrap_or(30_000));
    loop {
        let (mut waiting, mut met) = (Vec::new(), Vec::new());
        {
            let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
            let all = named(link, &cluster, args)?;
            if all.is_empty() {
                return Err(End::Error("error: no matching resources found".into()));
            }
            for (resource, name, key) in all {
                let object = cluster.get(&key);
                let holds = match (goal, object) {
                    ("delete", there) => there.is_none(),
                    ("create", there) => there.is_some(),
                    (_, None) => return Err(End::Error(not_found(&resource, &name))),
                    (goal, Some(object)) => condition_holds(object, goal.trim_start_matches("condition=")),
                };
                if holds {
                    met.push(format!("{}/{name} condition met", resource.printed()))
                } else {
                    waiting.push(format!("{}/{name}", resource.plural))
                }
            }
            cluster.save(link.place);
        }
        if waiting.is_empty() {
            for line in met.iter().filter(|_| goal != "delete") {
                io.line(line)?;
            }
            return Ok(0);
        }
        if Instant::now() >= end {
            let on = if goal == "create" { String::new() } else { format!(" on {}", waiting[0]) };
            return Err(End::Error(format!("error: timed out waiting for the condition{on}")));
        }
        rest(link, Some(end));
    }
}

/// Sleep until something changed or is due, or for a moment.
fn rest(link: &Link, end: Option<Instant>) {
    let bell = Bell::on(&link.place.cluster_file(&link.profile, "due"));
    let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
    bell.wait(left.min(link.place.until_due(&link.profile).unwrap_or(Duration::MAX)));
}

fn condition_holds(object: &Value, goal: &str) -> bool {
    let (kind, status) = goal.split_once('=').unwrap_or((goal, "True"));
    // kubectl compares the generations itself (recordings 17, 20).
    let observed = object["status"]["observedGeneration"].as_u64();
    let current = object["metadata"]["generation"].as_u64();
    if observed.is_some() && observed != current {
        return false;
    }
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|c| c["type"] == kind && text(c, "/status").eq_ignore_ascii_case(status))
}

/// `version --client -o json`.
pub fn client_version(io: &mut Io) -> Done {
    let mut client = server_version("v1.34.4");
    if let Some(map) = client.as_object_mut() {
        map.retain(|name, _| !name.starts_with("emulation") && !name.starts_with("minCompat"));
    }
    let body = json!({"clientVersion": client, "kustomizeVersion": "v5.7.1"});
    io.line(&serde_json::to_string_pretty(&body).expect("JSON")).map(|()| 0)
}

/// `auth can-i VERB RESOURCE`.
pub fn can_i(link: &Link, io: &mut Io, args: &Args) -> Done {
    let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let [_, verb, object] = args.objects() else {
        return Err(End::Error("error: you must specify two arguments: verb resource".into()));
    };
    let what = object.split('/').next().unwrap_or("");
    let (plural, group) = match kinds::of_word(&cluster, what) {
        Some(resource) => (resource.plural, resource.group),
        None => {
            let (plural, group) = what.split_once('.').unwrap_or((what, ""));
            (plural.to_owned(), group.to_owned())
        }
    };
    let ns = if args.is("all-namespaces") { "" } else { link.namespace.as_str() };
    let denied = link.place.scenario.forbidden.contains(&format!("{verb} {object}"));
    let may = !denied && operator::can(&cluster, args.flag("as").unwrap_or(""), verb, &group, &plural, ns);
    cluster.save(link.place);
    io.line(if may { "yes" } else { "no" })?;
    Ok(i32::from(!may))
}

/// The part of a configuration that belongs to one context.
fn minified(config: &Value, name: &str) -> Option<Value> {
    let find = |list: &str, name: &str| {
        config[list].as_array().into_iter().flatten().find(|e| e["name"] == *name).cloned()
    };
    let context = find("contexts", name)?;
    let cluster = find("clusters", text(&context, "/context/cluster"));
    let user = find("users", text(&context, "/context/user"));
    Some(json!({"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context],
        "current-context": name, "preferences": {}, "users": [user]}))
}

/// `config current-context|get-contexts -o name|view --minify`.
pub fn config(io: &mut Io, args: &Args, config: &Value) -> Done {
    let current = text(config, "/current-context");
    match args.word(1) {
        "current-context" if current.is_empty() => {
            Err(End::Error("error: current-context is not set".into()))
        }
        "current-context" => io.line(current).map(|()| 0),
        "get-contexts" if args.flag("output") == Some("name") => {
            for entry in config["contexts"].as_array().into_iter().flatten() {
                io.line(text(entry, "/name"))?;
            }
            Ok(0)
        }
        "view" if args.is("minify") => {
            let name = args.flag("context").unwrap_or(current);
            let Some(one) = minified(config, name) else {
                return Err(End::Error(format!("error: cannot locate context {name}")));
            };
            io.line(&serde_json::to_string_pretty(&one).expect("JSON")).map(|()| 0)
        }
        other => Err(End::Error(format!("error: unknown command \"config {other}\""))),
    }
}
