//! `kubectl get`: raw paths, watches, and the common forms of users.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::kinds::{self, Resource, fields_match, labels_match};
use crate::kubectl::{Link, not_found, unknown_type, unreachable};
use crate::watch;

pub fn run(link: &Link, io: &mut Io, args: &Args, expire: bool) -> Done {
    match args.flag("raw") {
        Some(path) => raw(link, io, path, expire),
        None => typed(link, io, args),
    }
}

/// Query parameters of a path, decoded.
pub fn query(path: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pairs = query.split('&').filter(|p| !p.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), decode(value))
    });
    (path.to_owned(), pairs.collect())
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn raw(link: &Link, io: &mut Io, path: &str, expire: bool) -> Done {
    let (path, pairs) = query(path);
    let parameter = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let (world, cluster) = link.open().map_err(|away| unreachable(io, away, false))?;
    let missing = || {
        End::Error("Error from server (NotFound): the server could not find the requested resource".into())
    };
    if let Some(refusal) = crate::discovery::away(&cluster, &path) {
        cluster.save(link.place);
        return Err(refusal);
    }
    if let Some(body) = well_known(&cluster, &path) {
        cluster.save(link.place);
        drop(world);
        io.out(&body)?;
        return Ok(0);
    }
    let Some(found) = kinds::of_path(&cluster, &path) else {
        cluster.save(link.place);
        return Err(missing());
    };
    if parameter("watch").is_some_and(|w| w != "false" && w != "0") {
        let watch = watch::Watch {
            prefix: found.resource.key(&found.namespace, "").trim_end_matches('/').to_owned() + "/",
            name: found.name.clone(),
            from: parameter("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0),
            seconds: parameter("timeoutSeconds").and_then(|v| v.parse().ok()).unwrap_or(3600),
            labels: parameter("labelSelector").unwrap_or("").to_owned(),
            fields: parameter("fieldSelector").unwrap_or("").to_owned(),
            bookmarks: parameter("allowWatchBookmarks").is_some(),
            version: api_version(&found.resource, &found.version),
            expired: expire
                || crate::lifecycle::watch_cache_fills(
                    &cluster,
                    &found.resource.group,
                    &found.resource.plural,
                ),
            cluster_wide: found.namespace.is_empty(),
        };
        return watch.run(link, io, world, cluster);
    }
    let body = if let Some(refusal) = unreadable(&cluster, &found) {
        Err(refusal)
    } else if let Some(name) = &found.name {
        let object = cluster.get(&found.resource.key(&found.namespace, name));
        object
            .map(|o| versioned(o, &found.resource, &found.version))
            .ok_or_else(|| End::Error(not_found(&found.resource, name)))
    } else {
        let items: Vec<Value> = cluster
            .list(&found.resource.stored(), &found.namespace)
            .iter()
            .filter(|o| labels_match(o, parameter("labelSelector").unwrap_or("")))
            .filter(|o| fields_match(o, parameter("fieldSelector").unwrap_or("")))
            .map(|o| versioned(o, &found.resource, &found.version))
            .collect();
        Ok(json!({"kind": format!("{}List", found.resource.kind),
            "apiVersion": api_version(&found.resource, &found.version),
            "metadata": {"resourceVersion": cluster.rv.to_string()}, "items": items}))
    };
    cluster.save(link.place);
    drop(world);
    io.line(&body?.to_string())?;
    Ok(0)
}

pub fn api_version(resource: &Resource, version: &str) -> String {
    if resource.group.is_empty() { version.to_owned() } else { format!("{}/{version}", resource.group) }
}

/// Objects stored in a version that the definition no longer lists cannot be read.
fn unreadable(cluster: &Cluster, found: &kinds::Path) -> Option<End> {
    let (resource, namespace) = (found.resource.stored(), &found.namespace);
    let versions = crate::managed::versions(cluster, &found.resource.key(namespace, ""))?;
    let asked = |o: &&Value| found.name.as_deref().is_none_or(|name| text(o, "/metadata/name") == name);
    let mut stored = cluster.each(&resource, namespace).filter(asked).map(|o| text(o, "/apiVersion"));
    let unknown =
        stored.find(|at| at.split_once('/').is_some_and(|(_, v)| !versions.iter().any(|k| k == v)))?;
    let message = format!("request to convert CR from an invalid group/version: {unknown}");
    Some(End::Error(format!("Error from server: {message}")))
}

/// An object as it is served in a version (all versions have one shape here).
fn versioned(object: &Value, resource: &Resource, version: &str) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(api_version(resource, version));
    if resource.group == "events.k8s.io" {
        for (old, new) in
            [("involvedObject", "regarding"), ("message", "note"), ("source", "deprecatedSource")]
        {
            if let Some(value) = object.as_object_mut().and_then(|event| event.shift_remove(old)) {
                object[new] = value;
            }
        }
    }
    object
}

fn well_known(cluster: &Cluster, path: &str) -> Option<String> {
    match path.trim_end_matches('/') {
        "/readyz" | "/livez" | "/healthz" => Some("ok".into()),
        "/version" => Some(format!("{}\n", server_version(cluster.kubelet_version()))),
        path if path == format!("/api/v1/nodes/{}/proxy/stats/summary", cluster.profile) => {
            // The kubelet's own; it does not measure volumes of minikube's provisioner.
            let free = cluster.scenario.node_free_mb.unwrap_or(20_480) << 20;
            let fs = json!({"availableBytes": free, "capacityBytes": 40_u64 << 30});
            Some(json!({"node": {"nodeName": cluster.profile, "fs": fs}, "pods": []}).to_string())
        }
        _ => crate::discovery::at(cluster, path).or_else(|| crate::discovery::metrics(cluster, path)),
    }
}

/// What `/version` says for `v1.34.4`.
pub fn server_version(version: &str) -> Value {
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("34"));
    json!({"major": major, "minor": minor, "emulationMajor": major, "emulationMinor": minor,
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "33", "gitVersion": version,
        "gitCommit": "$Format:%H$", "gitTreeState": "clean", "buildDate": "2026-02-10T00:00:00Z",
        "goVersion": "go1.26.8", "compiler": "gc", "platform": "linux/amd64"})
}

/// The objects in the arguments of `get`, `delete` and others: `kafka/x`, `kafka x y`, `pods,kafka`.
pub fn targets(cluster: &Cluster, words: &[String]) -> Result<Vec<(Resource, Option<String>)>, End> {
    let resource = |word: &str| kinds::of_word(cluster, word).ok_or_else(|| unknown_type(word));
    let mut all = Vec::new();
    if words.iter().any(|w| w.contains('/')) {
        for word in words {
            let (kind, name) = word.split_once('/').unwrap_or((word, ""));
            all.push((resource(kind)?, Some(name.to_owned())));
        }
        return Ok(all);
    }
    let Some((kinds, names)) = words.split_first() else { return Ok(all) };
    for kind in kinds.split(',') {
        let found = resource(kind)?;
        if names.is_empty() {
            all.push((found, None));
        } else {
            all.extend(names.iter().map(|name| (found.clone(), Some(name.clone()))));
        }
    }
    Ok(all)
}

fn typed(link: &Link, io: &mut Io, args: &Args) -> Done {
    let (world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let everywhere = args.is("all-namespaces");
    let mut found = Vec::new();
    let mut errors = Vec::new();
    let mut single = false;
    let targets = targets(&cluster, args.objects())?;
    for (resource, name) in &targets {
        let Some(name) = name else {
            let ns = if everywhere || !resource.namespaced { "" } else { &link.namespace };
            let selected = cluster.list(&resource.stored(), ns).into_iter();
            let selected = selected
                .filter(|o| labels_match(o, args.flag("selector").unwrap_or("")))
                .filter(|o| fields_match(o, args.flag("field-selector").unwrap_or("")));
            found.extend(selected.map(|o| (resource.clone(), o)));
            continue;
        };
        single = targets.len() == 1;
        match cluster.get(&resource.key(&link.namespace, name)) {
            Some(object) => found.push((resource.clone(), object.clone())),
            None if args.is("ignore-not-found") => {}
            None => errors.push(not_found(resource, name)),
        }
    }
    cluster.save(link.place);
    drop(world);
    let format = args.flag("output").unwrap_or("");
    let list = || {
        json!({"apiVersion": "v1", "items": found.iter().map(|(_, o)| o).collect::<Vec<_>>(),
        "kind": "List", "metadata": {"resourceVersion": ""}})
    };
    match format {
        "json" | "yaml" if single && found.is_empty() => {}
        "json" | "yaml" => {
            let body = if single { found[0].1.clone() } else { list() };
            if format == "json" {
                let text = serde_json::to_string_pretty(&body).expect("JSON").replace("  ", "    ");
                io.line(&text)?;
            } else {
                io.out(&serde_yaml::to_string(&body).expect("YAML"))?;
            }
        }
        format if format.starts_with("go-template=") => {
            for (_, object) in &found {
                let text = crate::certificates::template(object, &format["go-template=".len()..]);
                io.out(&text.ok_or_else(|| End::Error(format!("error: template {format}")))?)?;
            }
        }
        "name" => {
            for (resource, object) in &found {
                io.line(&format!("{}/{}", resource.printed(), text(object, "/metadata/name")))?;
            }
        }
        _ if found.is_empty() && errors.is_empty() && !single => {
            let namespaced = targets.first().is_some_and(|(r, _)| r.namespaced) && !everywhere;
            let place = if namespaced { format!(" in {} namespace.", link.namespace) } else { String::new() };
            io.err(&format!("No resources found{place}"));
        }
        _ if !found.is_empty() => {
            io.line("NAME")?;
            for (_, object) in &found {
                io.line(text(object, "/metadata/name"))?;
            }
        }
        _ => {}
    }
    for error in &errors {
        io.err(error);
    }
    Ok(i32::from(!errors.is_empty()))
}
