//! `kubectl apply`: server-side (maps merge deeply, lists are replaced, fields that a manager no
//! longer sends go), and client-side as far as people use it.

use std::cell::RefCell;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::kinds::{self, Resource};
use crate::kubectl::{Link, documents, unreachable};
use crate::managed::{self, Entry};
use crate::nodes;
use crate::preconditions::{Violation, violation};

pub struct Options {
    manager: String,
    server_side: bool,
    force: bool,
    dry_run: bool,
    namespace: String,
    source: String,
    seed: bool,
    /// The objects as they would be, for `-o json`.
    results: RefCell<Vec<Value>>,
}

impl Options {
    pub fn raw(namespace: &str) -> Self {
        Self { namespace: namespace.into(), seed: false, ..Self::seed() }
    }

    /// For a test's initial objects: status is taken too.
    pub fn seed() -> Self {
        Self {
            manager: "seed".into(),
            server_side: true,
            force: true,
            dry_run: false,
            namespace: "default".into(),
            source: "seed".into(),
            seed: true,
            results: RefCell::default(),
        }
    }
}

/// Why one object is rejected, in kubectl's words.
pub enum Refusal {
    /// No such kind.
    NoMatch(String),
    /// Anything else, the whole text.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Refusal::NoMatch(text) | Refusal::Other(text)) = self;
        f.write_str(text)
    }
}

/// `apply`.
pub fn run(link: &Link, io: &mut Io, args: &Args) -> Done {
    let (documents, source) = documents(args)?;
    if documents.is_empty() {
        return Err(End::Error("error: no objects passed to apply".into()));
    }
    let options = Options {
        manager: args.flag("field-manager").unwrap_or("kubectl").to_owned(),
        server_side: args.is("server-side"),
        force: args.is("force-conflicts"),
        dry_run: args.flag("dry-run").is_some_and(|mode| mode != "none"),
        namespace: link.namespace.clone(),
        source,
        seed: false,
        results: RefCell::default(),
    };
    let (world, mut cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let mut printed = Vec::new();
    let mut refusals = Vec::new();
    let mut unmatched = Vec::new();
    // kubectl looks up every kind before it applies anything.
    for document in documents {
        let (api, kind) = (text(&document, "/apiVersion"), text(&document, "/kind"));
        match kinds::of_kind(&cluster, api, kind) {
            Err(false) => unmatched.push(no_match(&document, &options.source)),
            _ => printed.push(document),
        }
    }
    let total = printed.len() + unmatched.len();
    let mut lines = Vec::new();
    for document in printed {
        match one(&mut cluster, document, &options) {
            Ok((line, warning)) => {
                lines.push(line);
                if let Some(warning) = warning {
                    io.err(&warning);
                }
            }
            Err(refusal) => refusals.push(refusal.to_string()),
        }
    }
    if !options.dry_run {
        let now = cluster.clock;
        cluster.advance(now);
        cluster.save(link.place);
    }
    drop(world);
    if args.flag("output") == Some("json") {
        let results = options.results.borrow();
        let all = match results.as_slice() {
            [one] => one.clone(),
            many => json!({"apiVersion": "v1", "kind": "List", "items": many}),
        };
        io.line(&all.to_string())?;
    } else {
        for line in lines {
            io.line(&line)?;
        }
    }
    let failed = !refusals.is_empty() || !unmatched.is_empty();
    for (index, refusal) in unmatched.iter().chain(&refusals).enumerate() {
        // With one error kubectl prints "error: " before it, with several it does not.
        let bare = refusal.starts_with("resource mapping");
        let prefix = if bare && index == 0 && (total == 1 || unmatched.len() == 1) { "error: " } else { "" };
        io.err(&format!("{prefix}{refusal}"));
    }
    Ok(i32::from(failed))
}

fn no_match(document: &Value, source: &str) -> String {
    format!(
        "resource mapping not found for name: \"{}\" namespace: \"{}\" from \"{source}\": no matches for kind \"{}\" \
         in version \"{}\"\nensure CRDs are installed first",
        text(document, "/metadata/name"),
        text(document, "/metadata/namespace"),
        text(document, "/kind"),
        text(document, "/apiVersion")
    )
}

/// Apply one object; returns kubectl's output, and a warning.
pub fn one(c: &mut Cluster, mut new: Value, options: &Options) -> Result<(String, Option<String>), Refusal> {
    let (api, kind) = (text(&new, "/apiVersion").to_owned(), text(&new, "/kind").to_owned());
    let name = text(&new, "/metadata/name").to_owned();
    let resource = kinds::of_kind(c, &api, &kind).map_err(|unfinished| {
        if unfinished {
            let plural = format!("{}s.{}", kind.to_lowercase(), api.split('/').next().unwrap_or(""));
            Refusal::Other(format!(
                "Error from server (NotFound): the server could not find the requested resource (patch {plural} {name})"
            ))
        } else {
            Refusal::NoMatch(no_match(&new, &options.source))
        }
    })?;
    if name.is_empty() {
        let full = if api.contains('/') { api } else { format!("/{api}") };
        return Err(Refusal::Other(format!(
            "error: error when retrieving current configuration of:\nResource: \
            \"{full}, Resource={}\", GroupVersionKind: \"{full}, Kind={kind}\"\nName: \"\", Namespace: \"{}\"\nfrom \
            server for: \"{}\": resource name may not be empty",
            resource.plural, options.namespace, options.source
        )));
    }
    if resource.namespaced && text(&new, "/metadata/namespace").is_empty() {
        new["metadata"]["namespace"] = json!(options.namespace);
    }
    let namespace = text(&new, "/metadata/namespace").to_owned();
    let key = resource.key(&namespace, &name);
    let existing = c.get(&key).cloned();
    admit(c, &resource, &new, &namespace, existing.as_ref(), options)?;
    precondition(&resource, &name, &new, existing.as_ref(), options)?;
    if options.server_side
        && let Some(old) = &existing
        && let Some(version) = managed::stale(c, &key, old)
    {
        let message = format!("request to convert CR to an invalid group/version: {version}");
        return Err(Refusal::Other(format!("Error from server: {message}")));
    }
    slim(&mut new, options.seed);
    let suffix = if options.dry_run { " (server dry run)" } else { "" };
    let printed = format!("{}/{name}", resource.printed());
    let previous = c.memory.applied.get(&key).and_then(|by| by.get(&options.manager)).cloned();
    let Some(old) = existing else {
        options.results.borrow_mut().push(new.clone());
        if !options.dry_run {
            // What the API server adds belongs to nobody.
            let applied = new.clone();
            complete(&mut new, &resource);
            note(&mut new, &api, options);
            stored(c, &resource, &mut new);
            if resource.kind == "Job" {
                crate::class_data::written_by(c, &new);
            }
            let key = c.create(&resource, new);
            remember(c, &key, options, applied);
        }
        let verb = if options.server_side { "serverside-applied" } else { "created" };
        return Ok((format!("{printed} {verb}{suffix}"), None));
    };
    if options.server_side && !options.force {
        conflicts(c, &key, &old, &new, options)?;
    }
    let mut merged = old.clone();
    if let Some(previous) = &previous {
        prune(&mut merged, previous, &new);
    }
    merge(&mut merged, &new);
    stored(c, &resource, &mut merged);
    let changed = merged != old;
    note(&mut merged, &api, options);
    options.results.borrow_mut().push(merged.clone());
    let warning = old["metadata"]["deletionTimestamp"]
        .is_string()
        .then(|| format!("Warning: Detected changes to resource {name} which is currently being deleted."));
    if !options.dry_run {
        c.update(&key, |o| *o = merged);
        remember(c, &key, options, new);
    }
    let verb = match (options.server_side, changed) {
        (true, _) => "serverside-applied",
        (false, true) => "configured",
        (false, false) => "unchanged",
    };
    Ok((format!("{printed} {verb}{suffix}"), warning))
}

/// A uid or a resource version in an applied object is a precondition. The messages are kubectl's, which treats every
/// 409 of a server-side apply as a conflict of field managers.
fn precondition(
    resource: &Resource,
    name: &str,
    new: &Value,
    old: Option<&Value>,
    options: &Options,
) -> Result<(), Refusal> {
    if options.seed {
        return Ok(());
    }
    let refused = violation(resource, name, new, old);
    refused.map_or(Ok(()), |violation| {
        Err(Refusal::Other(match violation {
            Violation::Conflict(message) if options.server_side => format!("error: {message}\n{REVIEW}"),
            Violation::Conflict(message) => format!("Error from server (Conflict): {message}"),
            Violation::Invalid(message) => message,
        }))
    })
}

/// What kubectl adds to every 409 of a server-side apply.
const REVIEW: &str = "Please review the fields above--they currently have other managers. Here\n\
    are the ways you can resolve this warning:\n* If you intend to manage all of these fields, please re-run the \
    apply\n  command with the `--force-conflicts` flag.\n* If you do not intend to manage all of the fields, please \
    edit your\n  manifest to remove references to the fields that should keep their\n  current managers.\n* You may \
    co-own fields by updating your manifest to match the existing\n  value; in this case, you'll become the manager \
    if the other manager(s)\n  stop managing the field (remove it from their configuration).\nSee \
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/// A new object as the API server stores it; the caller has checked whether one exists.
pub fn create(
    c: &mut Cluster,
    resource: &Resource,
    mut new: Value,
    options: &Options,
) -> Result<String, Refusal> {
    let namespace = text(&new, "/metadata/namespace").to_owned();
    admit(c, resource, &new, &namespace, None, options)?;
    slim(&mut new, options.seed);
    complete(&mut new, resource);
    let api_version = text(&new, "/apiVersion").to_owned();
    note(&mut new, &api_version, options);
    stored(c, resource, &mut new);
    Ok(c.create(resource, new))
}

/// An object is stored in the storage version of its definition; a definition remembers every version that it ever
/// stored.
pub fn stored(c: &Cluster, resource: &Resource, object: &mut Value) {
    let storage = |crd: &Value| {
        let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
        versions.into_iter().find(|v| v["storage"] == true).map(|v| text(v, "/name").to_owned())
    };
    if resource.kind == "CustomResourceDefinition" {
        if let Some(now) = storage(object)
            && let Some(all) = object["status"]["storedVersions"].as_array_mut()
            && !all.iter().any(|v| *v == now)
        {
            all.push(json!(now));
        }
        return;
    }
    let key = format!("customresourcedefinitions.apiextensions.k8s.io//{}", resource.id());
    if let Some(version) = c.get(&key).and_then(storage) {
        object["apiVersion"] = json!(format!("{}/{version}", resource.group));
    }
}

/// The applier is a field manager of the object from now on.
fn note(object: &mut Value, api_version: &str, options: &Options) {
    let operation = if options.server_side { "Apply" } else { "Update" };
    managed::note(object, &Entry { manager: &options.manager, operation, api_version, status: false });
}

fn remember(c: &mut Cluster, key: &str, options: &Options, applied: Value) {
    c.memory.applied.entry(key.to_owned()).or_default().insert(options.manager.clone(), applied);
    c.touch();
}

/// What the API server refuses.
fn admit(
    c: &Cluster,
    resource: &Resource,
    new: &Value,
    namespace: &str,
    old: Option<&Value>,
    options: &Options,
) -> Result<(), Refusal> {
    let name = text(new, "/metadata/name");
    let refused = c.scenario.refused_writes.iter().find(|(plural, ..)| *plural == resource.plural);
    if let Some((_, reason, words)) = refused.filter(|_| !options.seed) {
        let words = words.replace("{name}", name);
        // kubectl gives the causes of a 422 one by one; such a cause names no field.
        return Err(Refusal::Other(match reason.as_str() {
            "Invalid" => format!("The {} \"{name}\" is invalid: : {words}", resource.plural),
            reason => format!("Error from server ({reason}): {words}"),
        }));
    }
    if resource.namespaced && old.is_none() {
        let Some(home) = c.get(&format!("namespaces//{namespace}")) else {
            let creating = if options.server_side {
                String::new()
            } else {
                format!("error when creating \"{}\": ", options.source)
            };
            return Err(Refusal::Other(format!(
                "Error from server (NotFound): {creating}namespaces \"{namespace}\" not found"
            )));
        };
        if home["metadata"]["deletionTimestamp"].is_string() {
            return Err(Refusal::Other(format!(
                "Error from server (Forbidden): {} \"{name}\" is forbidden: unable to create new content in namespace \
                 {namespace} because it is being terminated",
                resource.id()
            )));
        }
    }
    if resource.kind == "CustomResourceDefinition"
        && let Some(old) = old
    {
        let stored = old["status"]["storedVersions"].as_array().into_iter().flatten();
        let kept = new["spec"]["versions"].as_array().cloned().unwrap_or_default();
        for version in stored.filter_map(Value::as_str) {
            if !kept.iter().any(|v| v["name"] == version) {
                return Err(Refusal::Other(format!(
                    "Error from server (Invalid): CustomResourceDefinition.apiextensions.k8s.io \"{name}\" is invalid: \
                     status.storedVersions[0]: Invalid value: \"{version}\": missing from spec.versions; {version} was \
                     previously a storage version, and must remain in spec.versions until a storage migration ensures \
                     no data remains persisted in {version} and removes {version} from status.storedVersions"
                )));
            }
        }
    }
    // Schemas are not kept; these are the fields that people still carry from ZooKeeper's times.
    if resource.kind == "Kafka" && text(new, "/apiVersion").ends_with("/v1") {
        let gone = ["/spec/kafka/replicas", "/spec/kafka/storage", "/spec/zookeeper"];
        let gone: Vec<String> = gone
            .iter()
            .filter(|p| new.pointer(p).is_some())
            .map(|p| format!("{}: field not declared in schema", p.replace('/', ".")))
            .collect();
        if let [first, rest @ ..] = gone.as_slice() {
            let list = match rest {
                [] => first.clone(),
                _ => format!("errors:\n  {}", gone.join("\n  ")),
            };
            return Err(Refusal::Other(format!(
                "Error from server: failed to create typed patch object ({namespace}/{name}; {}, Kind=Kafka): {list}",
                text(new, "/apiVersion")
            )));
        }
    }
    Ok(())
}

/// Drop what the store does not keep: CRD schemas (a megabyte), and a sent status.
fn slim(new: &mut Value, keep_status: bool) {
    if new["kind"] == "CustomResourceDefinition" {
        for version in new["spec"]["versions"].as_array_mut().into_iter().flatten() {
            let storage = version["storage"] != false;
            *version = json!({"name": version["name"], "served": version["served"] != false, "storage": storage,
                "subresources": {"status": {}}});
        }
    }
    if !keep_status && let Some(map) = new.as_object_mut() {
        map.shift_remove("status");
    }
    if let Some(meta) = new["metadata"].as_object_mut() {
        for name in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            meta.shift_remove(name);
        }
    }
}

/// What the API server adds to a new object.
fn complete(new: &mut Value, resource: &Resource) {
    match resource.kind.as_str() {
        "Namespace" => {
            let full = nodes::namespace(text(new, "/metadata/name"));
            for part in ["spec", "status"] {
                new[part] = full[part].clone();
            }
            new["metadata"]["labels"]["kubernetes.io/metadata.name"] = new["metadata"]["name"].clone();
        }
        "CustomResourceDefinition" => {
            if new["spec"]["conversion"].is_null() {
                new["spec"]["conversion"] = json!({"strategy": "None"});
            }
            let versions = new["spec"]["versions"].as_array().into_iter().flatten();
            let stored: Vec<Value> =
                versions.filter(|v| v["storage"] == true).map(|v| v["name"].clone()).collect();
            new["status"] = json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": stored});
        }
        "Deployment" if new["status"].is_null() => {
            for (name, default) in
                [("progressDeadlineSeconds", 600), ("replicas", 1), ("revisionHistoryLimit", 10)]
            {
                if new["spec"][name].is_null() {
                    new["spec"][name] = json!(default);
                }
            }
            new["status"] = json!({});
        }
        "PersistentVolumeClaim" if new["status"].is_null() => new["status"] = json!({"phase": "Pending"}),
        "PersistentVolume" if new["status"].is_null() => new["status"] = json!({"phase": "Available"}),
        "Pod" if new["status"].is_null() => {
            new["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
        }
        _ => {}
    }
}

/// Merge: maps deeply, everything else replaced; `null` removes (as in a merge patch).
pub fn merge(into: &mut Value, from: &Value) {
    let Value::Object(from) = from else {
        *into = from.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Some(into) = into.as_object_mut() else { return };
    for (name, value) in from {
        if value.is_null() {
            into.shift_remove(name);
        } else {
            merge(into.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Remove what was applied before and is not sent any more.
fn prune(live: &mut Value, before: &Value, now: &Value) {
    let (Some(live), Some(before)) = (live.as_object_mut(), before.as_object()) else { return };
    for (name, old) in before {
        match now.get(name) {
            None => {
                live.shift_remove(name);
            }
            Some(new) => {
                if let Some(live) = live.get_mut(name) {
                    prune(live, old, new);
                }
            }
        }
    }
}

/// Fields that another manager has applied with another value.
fn conflicts(c: &Cluster, key: &str, old: &Value, new: &Value, options: &Options) -> Result<(), Refusal> {
    let Some(managers) = c.memory.applied.get(key) else { return Ok(()) };
    let mut found = Vec::new();
    for (manager, applied) in managers.iter().filter(|(m, _)| **m != options.manager) {
        differ(applied, old, new, "", &mut |path| found.push(format!("conflict with \"{manager}\": {path}")));
    }
    if found.is_empty() {
        return Ok(());
    }
    let count = match found.len() {
        1 => "1 conflict: ".to_owned(),
        n => format!("{n} conflicts: "),
    };
    Err(Refusal::Other(format!("error: Apply failed with {count}{}\n{REVIEW}", found.join("\n"))))
}

fn differ(theirs: &Value, live: &Value, ours: &Value, path: &str, tell: &mut dyn FnMut(String)) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (name, their) in theirs {
                if let Some(our) = ours.get(name) {
                    differ(their, &live[name.as_str()], our, &format!("{path}.{name}"), tell);
                }
            }
        }
        _ if theirs == live && ours != live => tell(path.to_owned()),
        _ => {}
    }
}
