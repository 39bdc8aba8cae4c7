//! `minikube image`: an error of a node's runtime is a warning in minikube's log, with exit code 0 (seen with
//! minikube 1.38.1 and containerd). Its log is written to stderr from the requested threshold on; by default only
//! errors.

use serde_json::{Value, json};

use crate::flags::Args;
use crate::io::{Done, Io};
use crate::minikube::{Out, not_found};
use crate::scenario::Host;
use crate::world::Place;
use crate::{deployments, nodes, pods, tar};

pub fn run(place: &Place, io: &mut Io, args: &Args) -> Done {
    let name = args.profile();
    // The real node accepts images from the time its container runs. Here they are stored in the node's object, which
    // exists as soon as the API server does: wait a little. A restarted node counts as stopped until its API server
    // responds.
    let host = || place.lock().profiles.get(name).map(|p| p.host);
    let since = std::time::Instant::now();
    let comes = |host| match host {
        Some(Host::Starting) => true,
        Some(Host::Stopped) => since.elapsed().as_secs() < 2,
        _ => false,
    };
    while comes(host()) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    if host() != Some(Host::Running) {
        return not_found(&mut Out { io, json: false }, args);
    }
    let words: Vec<&str> = args.words.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["ls"] if args.flag("format") == Some("json") => list(place, io, args),
        ["load", archives @ ..] => each(place, archives, |word| load(place, io, args, word)),
        ["pull", images @ ..] => each(place, images, |word| pull(place, io, args, word)),
        ["rm", images @ ..] => each(place, images, |word| remove(place, io, word)),
        ["save", image, file] => each(place, &[image], |word| save(place, io, args, word, file)),
        other => {
            io.err(&format!("Error: unknown command \"{}\" for \"minikube image\"", other.join(" ")));
            Ok(14)
        }
    }
}

fn each(place: &Place, words: &[&str], mut one: impl FnMut(&str)) -> Done {
    for word in words {
        std::thread::sleep(std::time::Duration::from_millis(place.scenario.timings.image));
        one(word);
    }
    Ok(0)
}

fn log(io: &mut Io, args: &Args, text: &str) {
    let threshold = args.flag("stderrthreshold").and_then(|t| t.parse::<u8>().ok()).unwrap_or(2);
    if threshold <= 1 || args.is("alsologtostderr") {
        io.err(&format!("W1125 21:11:00.123456   23625 cache_images.go:{text}"));
    }
}

fn list(place: &Place, io: &mut Io, args: &Args) -> Done {
    let world = place.lock();
    let cluster = world.cluster(args.profile());
    let images = nodes::images(&cluster);
    cluster.save(place);
    let one = |image: &String| {
        let id = digest(image);
        json!({"id": format!("sha256:{id}"), "repoDigests": [], "repoTags": [image], "size": "50000000"})
    };
    let list: Vec<Value> = images.iter().map(one).collect();
    io.line(&json!(list).to_string()).map(|()| 0)
}

/// The digest of an image's configuration.
pub fn digest(image: &str) -> String {
    deployments::hash(&json!(image), 64)
}

fn add(place: &Place, args: &Args, images: &[String]) {
    let world = place.lock();
    let mut cluster = world.cluster(args.profile());
    for image in images {
        nodes::add_image(&mut cluster, image);
    }
    cluster.save(place);
}

fn load(place: &Place, io: &mut Io, args: &Args, word: &str) {
    let profile = args.profile();
    let problem = match std::fs::read(word) {
        Ok(bytes) => match tar::images(&bytes) {
            images if images.is_empty() => format!(
                "containerd load {word}: ctr images import: sudo ctr -n=k8s.io images import {word}: Process exited \
                 with status 1\nstdout:\n\nstderr:\nctr: unexpected EOF"
            ),
            images => return add(place, args, &images),
        },
        Err(_) if word.starts_with(['/', '.']) => {
            format!("stat {word}: no such file or directory")
        }
        Err(_) => {
            // Exit code 0 nevertheless (recording 21).
            io.err(&format!("! The image '{word}' was not found; unable to add it to cache."));
            return;
        }
    };
    let text = format!("254] Failed to load cached images for \"{profile}\": loading images: {problem}");
    log(io, args, &text);
}

fn pull(place: &Place, io: &mut Io, args: &Args, word: &str) {
    let refused = {
        let world = place.lock();
        let cluster = world.cluster(args.profile());
        let refused = pods::pull_error(&cluster, word);
        cluster.save(place);
        refused
    };
    let Some(why) = refused else { return add(place, args, &[word.to_owned()]) };
    let profile = args.profile();
    let quoted = why.replace('"', "\\\"");
    log(
        io,
        args,
        &format!(
            "599] Failed to pull images for profile {profile} error pulling images: crictl: sudo /usr/local/bin/crictl pull \
             {word}: Process exited with status 1\nstdout:\n\nstderr:\nE1125 21:11:00.1    2317 log.go:32] \
             \"PullImage from image service failed\" err=\"rpc error: code = Unknown desc = {quoted}\" image=\"{word}\"\n\
             time=\"2026-11-25T21:11:00Z\" level=fatal msg=\"pulling image: {quoted}\""
        ),
    );
}

fn remove(place: &Place, io: &mut Io, word: &str) {
    let world = place.lock();
    let names: Vec<String> = world.profiles.keys().cloned().collect();
    for name in names {
        let mut cluster = world.cluster(&name);
        if !nodes::remove_image(&mut cluster, word) {
            io.err(&format!(
                "! Failed to remove images for profile {name} error removing images: no such image"
            ));
        }
        cluster.save(place);
    }
}

/// An archive in the format of `ctr images export`, as far as it is used.
fn save(place: &Place, io: &mut Io, args: &Args, word: &str, file: &str) {
    let there = {
        let world = place.lock();
        let cluster = world.cluster(args.profile());
        let there = nodes::images(&cluster).iter().any(|i| i == word);
        cluster.save(place);
        there
    };
    if !there {
        let profile = args.profile();
        log(
            io,
            args,
            &format!(
                "449] Failed to load cached images for profile {profile}. make sure the profile is running. saving images: image not found {word}"
            ),
        );
        return;
    }
    let manifest = json!([{"Config": "config.json", "RepoTags": [word], "Layers": []}]).to_string();
    let _ = std::fs::write(file, tar::write(&[("config.json", "{}"), ("manifest.json", &manifest)]));
}
