//! The directory of class-data archives in a node: commands of `minikube ssh`, `minikube cp`, and what the Job writes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cluster::{Cluster, text};
use crate::io::{Done, Io};
use crate::world::Place;

const ROOT: &str = "/var/lib/minikube/kstrim-class-data/";

/// The directories of a profile's node.
pub fn folder(place: &Path, profile: &str) -> PathBuf {
    place.join(format!("node-{profile}.class-data"))
}

/// A path of the node as one of the world.
fn here(place: &Path, profile: &str, path: &str) -> Option<PathBuf> {
    Some(folder(place, profile).join(path.strip_prefix(ROOT)?))
}

/// Run a command in the node; `None`: it is none of these.
pub fn run(place: &Place, io: &mut Io, profile: &str, words: &[&str]) -> Option<Done> {
    match words {
        [
            "install",
            "-d",
            "-m",
            "0777",
            archives,
            lists,
            "&&",
            "{",
            "echo",
            line,
            ">",
            settings,
            ";",
            "grep",
            ..,
        ] => {
            let there = here(&place.dir, profile, archives)?;
            for folder in [Some(there.clone()), here(&place.dir, profile, lists)].into_iter().flatten() {
                fs::create_dir_all(folder).expect("FAKE_WORLD is writable");
            }
            fs::write(here(&place.dir, profile, settings)?, line).expect("FAKE_WORLD is writable");
            for file in fs::read_dir(&there).into_iter().flatten().flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                if name.ends_with(".image") {
                    let content = fs::read_to_string(file.path()).unwrap_or_default();
                    if io.line(&format!("{archives}/{name}:{}", content.trim())).is_err() {
                        break;
                    }
                }
            }
            Some(Ok(0))
        }
        ["sh", "-c", script] => {
            let mut steps = script.trim_matches('\'').split(" && ");
            let folder = here(&place.dir, profile, steps.next()?.strip_prefix("cd ")?)?;
            for step in steps {
                match step.split(' ').collect::<Vec<_>>().as_slice() {
                    ["mv", "-f", from, to] => {
                        if fs::rename(folder.join(from), folder.join(to)).is_err() {
                            return Some(Ok(1));
                        }
                    }
                    ["echo", image @ .., ">", to] => {
                        let image = image.join(" ");
                        fs::write(folder.join(to), image.trim_matches('"')).expect("FAKE_WORLD is writable");
                    }
                    ["rm", "-f", name] => drop(fs::remove_file(folder.join(name))),
                    _ => return None,
                }
            }
            Some(Ok(0))
        }
        _ => None,
    }
}

/// `minikube cp`: the two paths on this machine, if one of them is in the directory.
pub fn paths(place: &Place, profile: &str, from: &str, to: &str) -> Option<(PathBuf, PathBuf)> {
    let out = from.strip_prefix(&format!("{profile}:")).and_then(|path| here(&place.dir, profile, path));
    if let Some(out) = out {
        return Some((out, to.into()));
    }
    Some((from.into(), here(&place.dir, profile, to)?))
}

/// A Job was created: what its containers write.
pub fn written_by(c: &Cluster, job: &Value) {
    if !text(job, "/metadata/name").starts_with("kstrim-class-data-") {
        return;
    }
    let Some(folder) = c.topics.parent().and_then(Path::parent) else { return };
    let pod = &job["spec"]["template"]["spec"];
    for list in ["initContainers", "containers"] {
        for container in pod[list].as_array().into_iter().flatten() {
            let variable = |name: &str| {
                let all = container["env"].as_array().into_iter().flatten();
                all.clone().find(|e| e["name"] == name).map_or("", |e| text(e, "/value")).to_owned()
            };
            let path = format!("{ROOT}{}/archives", text(job, "/metadata/namespace"));
            let Some(there) = here(folder, &c.profile, &path) else { continue };
            let jvm = variable("JVM");
            let written = fs::create_dir_all(&there)
                .and_then(|()| fs::write(there.join(format!("{jvm}.jsa")), format!("classes of {jvm}")))
                .and_then(|()| fs::write(there.join(format!("{jvm}.image")), variable("IMAGE")));
            written.expect("FAKE_WORLD is writable");
        }
    }
}
