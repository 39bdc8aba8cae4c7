//! kubectl's command line, and the way to its cluster: flags, kubeconfig, context, profile.

use std::sync::Mutex;

use serde_json::Value;

use crate::cluster::{Cluster, text};
use crate::io::{Done, End, Io};
use crate::scenario::{Engine, Host};
use crate::world::{Place, World};
use crate::{apply, get, kubeconfig, logs, pod_verbs, raw, verbs};

/// A command line taken apart.
#[derive(Debug, Default)]
pub struct Args {
    /// `get`, `apply` ...
    pub verb: String,
    /// What is neither verb nor flag.
    pub words: Vec<String>,
    /// After `--`.
    pub rest: Vec<String>,
    flags: Vec<(String, String)>,
}

/// Flags that take a value in the next word.
const VALUED: &[&str] = &[
    "kubeconfig",
    "context",
    "namespace",
    "output",
    "selector",
    "field-selector",
    "filename",
    "field-manager",
    "type",
    "patch",
    "timeout",
    "request-timeout",
    "as",
    "container",
    "tail",
    "for",
    "cache-dir",
    "server",
    "raw",
    "address",
    "since",
    "since-time",
    "cluster",
    "user",
    "replicas",
    "limit",
    "image",
    "pod-running-timeout",
    "unix-socket",
    "reject-methods",
];

impl Args {
    /// Parse.
    pub fn parse(args: &[String]) -> Self {
        let mut out = Self::default();
        let mut words = args.iter().cloned();
        while let Some(word) = words.next() {
            if word == "--" {
                out.rest = words.by_ref().collect();
            } else if let Some(long) = word.strip_prefix("--") {
                match long.split_once('=') {
                    Some((name, value)) => out.flags.push((name.into(), value.into())),
                    None if VALUED.contains(&long) => {
                        let value = words.next().unwrap_or_default();
                        out.flags.push((long.into(), value));
                    }
                    None => out.flags.push((long.into(), "true".into())),
                }
            } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
                let long = match &short[..1] {
                    "n" => "namespace",
                    "o" => "output",
                    "l" => "selector",
                    "f" if out.verb != "logs" => "filename",
                    "f" => "follow",
                    "c" => "container",
                    "s" => "server",
                    "p" if out.verb == "logs" => "previous",
                    "p" => "patch",
                    "A" => "all-namespaces",
                    other => other,
                };
                let attached = short[1..].trim_start_matches('=').to_owned();
                let value = match (VALUED.contains(&long), attached.is_empty()) {
                    (true, true) => words.next().unwrap_or_default(),
                    (true, false) => attached,
                    (false, _) => "true".into(),
                };
                out.flags.push((long.into(), value));
            } else if out.verb.is_empty() {
                out.verb = word;
            } else {
                out.words.push(word);
            }
        }
        out
    }

    /// The same flags with other words.
    pub fn with_words(&self, words: Vec<String>) -> Self {
        Self { verb: self.verb.clone(), words, rest: Vec::new(), flags: self.flags.clone() }
    }

    /// A flag's last value.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        self.flag(name).is_some_and(|v| v != "false")
    }

    /// All values of a flag.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.flags.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// A flag's duration in ms: `30s`, `5m`, `500ms`.
    pub fn duration(&self, name: &str) -> Option<u64> {
        let value = self.flag(name)?;
        let digits = value.trim_end_matches(|k: char| k.is_alphabetic());
        let unit = match &value[digits.len()..] {
            "ms" => 1.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => 1000.0,
        };
        Some((digits.parse::<f64>().ok()? * unit) as u64)
    }
}

/// The way to a cluster.
pub struct Link<'a> {
    /// The world's folder.
    pub place: &'a Place,
    /// The profile the context means.
    pub profile: String,
    /// Of `-n`, else of the context.
    pub namespace: String,
}

/// Why there is no way: the API server is away.
pub enum Away {
    /// Refused at this address.
    Refused(String),
    /// Nobody at this address.
    NoRoute(String),
    /// It accepts and says nothing.
    Silent,
}

impl Link<'_> {
    /// Lock and advance; the caller saves.
    pub fn open(&self) -> Result<(World, Cluster), Away> {
        self.opened(self.place.lock())
    }

    /// Let pass what time is due. `false`: somebody else is at it, and the bell will ring.
    pub fn advance(&self) -> Result<bool, Away> {
        // Of one process' many watches one is enough; the others need not even ask for the world's lock.
        static AT_IT: Mutex<()> = Mutex::new(());
        let Ok(_one) = AT_IT.try_lock() else { return Ok(false) };
        let Some(lock) = self.place.try_lock() else { return Ok(false) };
        if self.place.due(&self.profile) <= crate::world::now() {
            let (_world, cluster) = self.opened(self.place.locked(lock))?;
            cluster.save(self.place);
        }
        Ok(true)
    }

    fn opened(&self, world: World) -> Result<(World, Cluster), Away> {
        let state = world.profiles.get(&self.profile).map(|p| (p.host, p.ip.clone()));
        match state {
            Some((Host::Running, _)) if self.place.scenario.engine == Engine::Up => {
                let cluster = world.cluster(&self.profile);
                Ok((world, cluster))
            }
            Some((Host::Paused, _)) => Err(Away::Silent),
            Some((Host::Dead | Host::Headless | Host::Starting, ip)) => {
                Err(Away::Refused(format!("{ip}:8443")))
            }
            Some((_, ip)) => Err(Away::NoRoute(format!("{ip}:8443"))),
            None => Err(Away::NoRoute("192.168.49.2:8443".into())),
        }
    }
}

/// What kubectl says when the API server is away. Verbs other than `get --raw` try discovery
/// five times first, each with a line of noise.
pub fn unreachable(io: &Io, away: Away, discovers: bool) -> End {
    let (noise, last) = match away {
        Away::Silent => crate::faults::hang(false),
        Away::Refused(at) => (
            format!("dial tcp {at}: connect: connection refused"),
            format!(
                "The connection to the server {at} was refused - did you specify the right host or port?"
            ),
        ),
        Away::NoRoute(at) => {
            let text = format!("dial tcp {at}: connect: no route to host");
            (text.clone(), format!("Unable to connect to the server: {text}"))
        }
    };
    if discovers {
        let at = noise.split(' ').nth(2).unwrap_or("").trim_end_matches(':').to_owned();
        for _ in 0..5 {
            io.err(&format!(
                "E1122 20:32:18.639158   16749 memcache.go:265] \"Unhandled Error\" err=\"couldn't get current server \
                 API group list: Get \\\"https://{at}/api?timeout=32s\\\": {noise}\""
            ));
        }
    }
    End::Error(last)
}

/// Run one command.
pub fn run(place: &Place, io: &mut Io, args: &[String], expire: bool) -> Done {
    let args = Args::parse(args);
    let path = match args.flag("kubeconfig") {
        Some(path) => {
            let path = std::path::PathBuf::from(path);
            if !path.exists() {
                return Err(End::Error(format!("error: stat {}: no such file or directory", path.display())));
            }
            path
        }
        None => kubeconfig::path(),
    };
    if args.verb == "version" && args.is("client") {
        return verbs::client_version(io, &args);
    }
    let config = kubeconfig::read(&path)?;
    if args.verb == "config" {
        return verbs::config(io, &args, config);
    }
    let context = args.flag("context").or(config["current-context"].as_str()).unwrap_or("").to_owned();
    let entry = config["contexts"].as_array().into_iter().flatten().find(|c| c["name"] == *context).cloned();
    let is_raw = args.flag("raw").is_some();
    let Some(entry) = entry else {
        if context.is_empty() {
            return Err(unreachable(io, Away::Refused("localhost:8080".into()), !is_raw));
        }
        // `get --raw` and `apply` ask for the client first, the others for the namespace.
        return Err(End::Error(if is_raw || args.verb == "apply" {
            format!("error: context \"{context}\" does not exist")
        } else {
            format!("Error in configuration: context was not found for specified context: {context}")
        }));
    };
    let default = match text(&entry, "/context/namespace") {
        "" => "default",
        ns => ns,
    };
    if args.verb == "proxy" {
        return crate::proxy::run(place, io, &args);
    }
    let link = Link {
        place,
        profile: text(&entry, "/context/cluster").to_owned(),
        namespace: args.flag("namespace").unwrap_or(default).to_owned(),
    };
    if let Some(server) = args.flag("server") {
        let at = server.trim_start_matches("https://").to_owned();
        return Err(unreachable(io, Away::Refused(at), !is_raw));
    }
    if place.scenario.api_expired && !place.dir.join(format!("renewed-{}", link.profile)).exists() {
        let words = "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time \
            2029-11-25T21:00:00Z is after 2029-11-22T20:23:39Z";
        return Err(End::Error(format!("Unable to connect to the server: {words}")));
    }
    if args.flag("as") == Some("nobody") && args.verb == "get" {
        return forbidden(&link, io, &args);
    }
    match args.verb.as_str() {
        "get" => get::run(&link, io, &args, expire),
        "create" | "delete" | "replace" if is_raw => raw::run(&link, io, &args),
        "apply" => apply::run(&link, io, &args),
        "create" => verbs::create(&link, io, &args),
        "delete" => verbs::delete(&link, io, &args),
        "patch" => verbs::patch(&link, io, &args),
        "label" | "annotate" => verbs::label(&link, io, &args),
        "wait" => verbs::wait(&link, io, &args),
        "version" => verbs::version(&link, io, &args),
        "auth" => verbs::can_i(&link, io, &args),
        "logs" => logs::run(&link, io, &args),
        "port-forward" => pod_verbs::port_forward(&link, io, &args),
        "exec" => pod_verbs::exec(&link, io, &args),
        "cluster-info" => verbs::cluster_info(&link, io),
        other => Err(End::Error(format!("error: unknown command \"{other}\" for \"kubectl\""))),
    }
}

fn forbidden(link: &Link, io: &Io, args: &Args) -> Done {
    let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let word = args.words.first().map_or("", String::as_str);
    let resource = crate::kinds::of_word(&cluster, word).ok_or_else(|| unknown_type(word))?;
    Err(End::Error(format!(
        "Error from server (Forbidden): {} is forbidden: User \"nobody\" cannot list resource \"{}\" in API group \
         \"{}\" in the namespace \"{}\"",
        resource.id(),
        resource.plural,
        resource.group,
        link.namespace
    )))
}

/// `the server doesn't have a resource type`.
pub fn unknown_type(word: &str) -> End {
    End::Error(format!("error: the server doesn't have a resource type \"{word}\""))
}

/// `NotFound` of an object.
pub fn not_found(resource: &crate::kinds::Resource, name: &str) -> String {
    format!("Error from server (NotFound): {} \"{name}\" not found", resource.id())
}

/// Documents of `-f`: JSON or YAML, a List taken apart. The text is how kubectl names the source.
pub fn documents(args: &Args) -> Result<(Vec<Value>, String), End> {
    let mut all = Vec::new();
    let mut source = String::new();
    for file in args.all("filename") {
        let bytes = if file == "-" {
            source = "STDIN".into();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)
                .map_err(|e| End::Error(format!("error: {e}")))?;
            bytes
        } else {
            source = file.to_owned();
            std::fs::read(file)
                .map_err(|_| End::Error(format!("error: the path \"{file}\" does not exist")))?
        };
        let text = String::from_utf8_lossy(&bytes);
        all.extend(parse(&text).map_err(|e| {
            End::Error(format!("error: error parsing {source}: error converting YAML to JSON: yaml: {e}"))
        })?);
    }
    Ok((all, source))
}

fn parse(text: &str) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    let mut add = |value: Value| match value["items"].as_array() {
        Some(items) if value["kind"].as_str().is_some_and(|k| k.ends_with("List")) => {
            all.extend(items.clone())
        }
        _ if value.is_null() => {}
        _ => all.push(value),
    };
    if text.trim_start().starts_with(['{', '[']) {
        if let Ok(value) = text.parse::<Value>() {
            add(value);
            return Ok(all);
        }
        // kubectl reads JSON documents one after the other too.
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            add(value.map_err(|e| e.to_string())?);
        }
        return Ok(all);
    }
    for document in serde_yaml::Deserializer::from_str(text) {
        let value: Value =
            serde::Deserialize::deserialize(document).map_err(|e: serde_yaml::Error| e.to_string())?;
        add(value);
    }
    Ok(all)
}
