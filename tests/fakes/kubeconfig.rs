//! The kubeconfig file that minikube writes and kubectl reads.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

/// `$KUBECONFIG`'s first file, or `~/.kube/config`.
pub fn path() -> PathBuf {
    if let Some(list) = std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty())
        && let Some(first) = std::env::split_paths(&list).next()
    {
        return first;
    }
    of_user()
}

/// Read a kubeconfig; an empty one if there is no file.
pub fn read(path: &PathBuf) -> Result<Value, String> {
    let empty = json!({"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [],
        "current-context": "", "preferences": {}, "users": []});
    match fs::read_to_string(path) {
        Err(_) => Ok(empty),
        Ok(text) if text.trim().is_empty() => Ok(empty),
        Ok(text) => serde_yaml::from_str(&text)
            .map_err(|e| format!("error loading config file \"{}\": {e}", path.display())),
    }
}

fn save(path: &PathBuf, config: &Value) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("the kubeconfig's folder");
    }
    let text = serde_yaml::to_string(config).expect("YAML");
    fs::write(path, text).expect("the kubeconfig is writable");
}

const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

fn without(config: &mut Value, name: &str) {
    for list in LISTS {
        if let Some(list) = config[list].as_array_mut() {
            list.retain(|entry| entry["name"] != name);
        }
    }
}

/// The user's own file, whatever `$KUBECONFIG` says.
pub fn of_user() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".kube/config")
}

pub fn add(profile: &str, ip: &str) {
    add_to(&path(), profile, ip);
}

pub fn add_to(path: &PathBuf, profile: &str, ip: &str) {
    let Ok(mut config) = read(path) else { return };
    let home = std::env::var("MINIKUBE_HOME")
        .unwrap_or_else(|_| format!("{}/.minikube", std::env::var("HOME").unwrap_or_default()));
    without(&mut config, profile);
    let extension = |name: &str| json!([{"extension": {"provider": "minikube.sigs.k8s.io", "version": "v1.38.1"}, "name": name}]);
    let entries = [
        json!({"cluster": {"certificate-authority": format!("{home}/ca.crt"),
            "extensions": extension("cluster_info"), "server": format!("https://{ip}:8443")}, "name": profile}),
        json!({"context": {"cluster": profile, "extensions": extension("context_info"),
            "namespace": "default", "user": profile}, "name": profile}),
        json!({"name": profile, "user": {"client-certificate": format!("{home}/profiles/{profile}/client.crt"),
            "client-key": format!("{home}/profiles/{profile}/client.key")}}),
    ];
    for (list, entry) in LISTS.iter().zip(entries) {
        if !config[list].is_array() {
            config[list] = json!([]);
        }
        if let Some(list) = config[list].as_array_mut() {
            list.push(entry);
        }
    }
    save(path, &config);
}

/// Make a context the current one, unless told to keep it.
pub fn select(profile: &str) {
    if let Ok(mut config) = read(&path()) {
        config["current-context"] = json!(profile);
        save(&path(), &config);
    }
}

pub fn remove(profile: &str) {
    let path = path();
    if !path.exists() {
        return;
    }
    if let Ok(mut config) = read(&path) {
        without(&mut config, profile);
        if config["current-context"] == profile {
            config["current-context"] = json!("");
        }
        save(&path, &config);
    }
}

/// Whether a profile has its cluster there: minikube does not look at the context (recording 23).
pub fn has(profile: &str) -> bool {
    let config = read(&path()).unwrap_or_default();
    config["clusters"].as_array().into_iter().flatten().any(|c| c["name"] == profile)
}
