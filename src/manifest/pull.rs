//! The Secret of a docker login, by reference only. The login is read from its file when the Secret is applied,
//! passed to kubectl on stdin, and stored nowhere else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Object;
use crate::command_line::CommandLine;
use crate::config::{PULL_SECRET, Target};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::image::split;

/// Its type, and the key that Kubernetes requires.
const TYPE: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";

/// A docker configuration has a few hundred bytes for each registry.
const LIMIT: u64 = 1 << 20;

/// What docker writes; unknown keys are ignored.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Map<String, Value>>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

/// The Secret with the logins in `file` for the registries of `images`, and no others.
pub(crate) fn secret<'a>(
    file: &Path,
    images: impl Iterator<Item = &'a str>,
    target: &Target,
) -> Result<Object> {
    let shown = file.display();
    let failed = |why: String| {
        let message = format!("the docker configuration {shown} cannot be used to pull images");
        Box::new(Failure::new(errors::PULL_CONFIG, Kind::Usage, message).because(why))
    };
    let mut text = Vec::new();
    let read = File::open(file).and_then(|f| f.take(LIMIT + 1).read_to_end(&mut text));
    read.map_err(|e| failed(e.to_string()))?;
    if text.len() as u64 > LIMIT {
        return Err(failed(format!("it is larger than {} KiB", LIMIT >> 10)));
    }
    // The parser's message could quote the file's content.
    let config: Config = serde_json::from_slice(&text)
        .map_err(|e| failed(format!("line {} is not in Docker's format", e.line())))?;
    let mut hosts: Vec<&str> = images.map(|image| split(image).0).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut auths = Map::new();
    for (key, login) in &config.auths {
        if hosts.iter().any(|host| belongs_to(key, host)) && has_login(login) {
            auths.insert(key.clone(), Value::Object(login.clone()));
        }
    }
    if auths.is_empty() {
        let (host, hosts) = (hosts.first().copied().unwrap_or_default(), hosts.join(", "));
        let helper = config.store.or_else(|| config.helpers.into_values().next());
        return Err(Box::new(match helper {
            Some(helper) => failed(format!(
                "the login for {hosts} is stored by the credential helper {helper}, not in the file"
            ))
            .hint(format!(
                "log in with a separate configuration: {}",
                CommandLine::new("docker --config ./pull login").arg(host)
            ))
            .hint(
                "check that ./pull/config.json then contains an \"auth\"; Docker writes one if no \
                 credential helper is configured",
            )
            .hint(format!(
                "then use it: {}",
                target.again().with("--image-pull-config", "./pull/config.json")
            )),
            None => failed(format!("it contains no login for {hosts}"))
                .hint(format!("log in first: {}", CommandLine::new("docker login").arg(host))),
        }));
    }
    let content = STANDARD.encode(json!({"auths": auths}).to_string());
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": TYPE,
        "metadata": {"name": PULL_SECRET, "namespace": target.namespace.as_str()},
        "data": {KEY: content},
    });
    Object::new(object).map_err(|why| failed(why.to_string()))
}

/// Whether a key of `auths` belongs to a registry: a host, or its URL, possibly with a path.
fn belongs_to(key: &str, host: &str) -> bool {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    let named = rest.split('/').next().unwrap_or_default();
    named == host || host == "docker.io" && named == "index.docker.io"
}

fn has_login(login: &Map<String, Value>) -> bool {
    let text = |key: &str| login.get(key).and_then(Value::as_str).is_some_and(|v| !v.is_empty());
    text("auth") || text("username") && text("password")
}

/// Whether a Secret in the cluster has the requested content.
pub(crate) fn same(live: &Value, wanted: &Object) -> bool {
    live.get("type") == wanted.get("/type") && live.get("data") == wanted.get("/data")
}

/// Whether images can be pulled with a Secret in the cluster.
pub(crate) fn pulls(live: &Value) -> bool {
    matches!(live.get("type").and_then(Value::as_str), Some(TYPE | "kubernetes.io/dockercfg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "r.example:5000/strimzi/operator:1";

    fn made(config: &str) -> Result<Object> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, config).unwrap();
        secret(&file, [IMAGE].into_iter(), &Target::default())
    }

    #[test]
    fn only_the_needed_login_is_copied() {
        let config =
            r#"{"auths": {"r.example:5000": {"auth": "bWU6b25l"}, "quay.io": {"auth": "bWU6dHdv"}}}"#;
        let secret = made(config).unwrap();
        let data = secret.get("/data/.dockerconfigjson").unwrap().as_str().unwrap();
        let text = String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
        assert_eq!(text, r#"{"auths":{"r.example:5000":{"auth":"bWU6b25l"}}}"#);
        assert!(same(secret.value(), &secret) && pulls(secret.value()));
        assert!(!pulls(&json!({"type": "Opaque"})));
    }

    #[test]
    fn invalid_logins_are_refused_without_showing_them() {
        for (config, words) in [
            ("{\"auths\": {\"r.example:5000\": s3cret", "line 1 is not in Docker's format"),
            (r#"{"auths": {"quay.io": {"auth": "s3cret"}}}"#, "no login for r.example:5000"),
            (
                r#"{"auths": {"r.example:5000": {}}, "credsStore": "desktop"}"#,
                "stored by the credential helper desktop",
            ),
            (r#"{"auths": {"r.example:5000": "s3cret"}}"#, "line 1 is not"),
        ] {
            let failure = made(config).unwrap_err();
            assert_eq!((failure.id, failure.kind), (errors::PULL_CONFIG, Kind::Usage));
            let told = format!("{failure} {:?} {:?}", failure.causes, failure.hints);
            assert!(told.contains(words) && !told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn keys_of_registries() {
        for (key, host, is) in [
            ("https://index.docker.io/v1/", "docker.io", true),
            ("https://r.example", "r.example", true),
            ("r.example/prefix", "r.example", true),
            ("r.example", "r.example:5000", false),
        ] {
            assert_eq!(belongs_to(key, host), is, "{key}");
        }
    }
}
