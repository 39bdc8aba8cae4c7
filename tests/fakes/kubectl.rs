//! kubectl, and its connection to a cluster: kubeconfig, context, profile.

use std::sync::Mutex;

use serde_json::Value;

use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::scenario::{Engine, Host};
use crate::world::{Place, World};
use crate::{apply, get, kubeconfig, logs, pod_verbs, raw, verbs};

/// The connection to a cluster.
pub struct Link<'a> {
    pub place: &'a Place,
    /// The profile of the context.
    pub profile: String,
    /// From `-n`, otherwise from the context.
    pub namespace: String,
}

/// Why there is no connection: the API server is unavailable.
pub enum Away {
    Refused(String),
    NoRoute(String),
    /// It accepts connections and does not respond.
    Silent,
}

impl Link<'_> {
    /// Lock and advance; the caller saves.
    pub fn open(&self) -> Result<(World, Cluster), Away> {
        self.opened(self.place.lock())
    }

    /// Advance the time if something is due. `false`: another process does so, and the bell will ring.
    pub fn advance(&self) -> Result<bool, Away> {
        // One watch of a process is sufficient; the others do not even request the world's lock.
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

/// kubectl's message if the API server is unavailable. Commands other than `get --raw` try discovery five times
/// first, each with a line of output.
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

pub fn run(place: &Place, io: &mut Io, args: &[String], expire: bool) -> Done {
    let args = Args::kubectl(args);
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
    if args.verb() == "version" && args.is("client") {
        return verbs::client_version(io);
    }
    let config = kubeconfig::read(&path)?;
    if args.verb() == "config" {
        return verbs::config(io, &args, &config);
    }
    let context = args.flag("context").or(config["current-context"].as_str()).unwrap_or("").to_owned();
    let entry = config["contexts"].as_array().into_iter().flatten().find(|c| c["name"] == *context).cloned();
    let is_raw = args.flag("raw").is_some();
    let Some(entry) = entry else {
        if context.is_empty() {
            return Err(unreachable(io, Away::Refused("localhost:8080".into()), !is_raw));
        }
        // `get --raw` and `apply` ask for the client first, the others for the namespace.
        return Err(End::Error(if is_raw || args.verb() == "apply" {
            format!("error: context \"{context}\" does not exist")
        } else {
            format!("Error in configuration: context was not found for specified context: {context}")
        }));
    };
    let default = match text(&entry, "/context/namespace") {
        "" => "default",
        ns => ns,
    };
    if args.verb() == "proxy" {
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
    if args.flag("as") == Some("nobody") && args.verb() == "get" {
        return forbidden(&link, io, &args);
    }
    match args.verb() {
        "get" => get::run(&link, io, &args, expire),
        "create" | "delete" | "replace" if is_raw => raw::run(&link, io, &args),
        "apply" => apply::run(&link, io, &args),
        "create" => verbs::create(&link, io, &args),
        "delete" => verbs::delete(&link, io, &args),
        "patch" => verbs::patch(&link, io, &args),
        "label" | "annotate" => verbs::label(&link, io, &args),
        "wait" => verbs::wait(&link, io, &args),
        "auth" => verbs::can_i(&link, io, &args),
        "logs" => logs::run(&link, io, &args),
        "port-forward" => pod_verbs::port_forward(&link, io, &args),
        "exec" => pod_verbs::exec(&link, io, &args),
        other => Err(End::Error(format!("error: unknown command \"{other}\" for \"kubectl\""))),
    }
}

fn forbidden(link: &Link, io: &Io, args: &Args) -> Done {
    let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let word = args.word(1);
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

pub fn unknown_type(word: &str) -> End {
    End::Error(format!("error: the server doesn't have a resource type \"{word}\""))
}

pub fn not_found(resource: &crate::kinds::Resource, name: &str) -> String {
    format!("Error from server (NotFound): {} \"{name}\" not found", resource.id())
}

/// Documents of `-f`: JSON or YAML. The text is kubectl's name of the source.
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
    // Much faster than parsing it as YAML, of which JSON is a subset.
    if let Ok(value) = text.parse::<Value>() {
        return Ok(vec![value]);
    }
    for document in serde_yaml::Deserializer::from_str(text) {
        let value: Value =
            serde::Deserialize::deserialize(document).map_err(|e: serde_yaml::Error| e.to_string())?;
        if !value.is_null() {
            all.push(value);
        }
    }
    Ok(all)
}
