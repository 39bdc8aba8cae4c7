//! docker, as far as preflight and teardown need it: version, info, ps, volumes; and what a test does to a machine.

use std::path::Path;

use serde_json::json;

use crate::io::{Done, Io};
use crate::minikube::{engine, engine_error, other_engine};
use crate::scenario::{Engine, Host};
use crate::world::{Place, Volume};

/// The image of minikube's nodes.
const BASE_IMAGE: &str = "sha256:ba5eba5eba5e";

/// The file by which a node's kubelet starts the API server.
const SERVER: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

fn flag<'a>(args: &'a [String], wanted: &str) -> Option<&'a str> {
    args.iter().enumerate().find_map(|(index, arg)| {
        let (name, value) = arg.split_once('=').map_or((arg.as_str(), None), |(n, v)| (n, Some(v)));
        let value = value.or_else(|| args.get(index + 1).map(String::as_str));
        value.filter(|_| name == wanted)
    })
}

pub fn run(place: &Place, io: &mut Io, args: &[String]) -> Done {
    let verb = args.first().map_or("", String::as_str);
    let format = flag(args, "--format").unwrap_or_default();
    let engine = engine(place).unwrap_or(Engine::Down);
    if engine != Engine::Up {
        io.line("")?;
        io.err(engine_error(engine));
        return Ok(1);
    }
    match verb {
        "version" => io.line("Client:\n Version: 28.2.2\n\nServer:\n Engine:\n  Version: 28.2.2")?,
        "info" => io.line(&format.replace("{{json .}}", &info()))?,
        // No copy outlives its client here.
        "ps" if args.iter().any(|arg| arg.starts_with("label=")) => {}
        "ps" => {
            let name = flag(args, "--filter").and_then(|f| f.strip_prefix("name=")).unwrap_or("");
            let name = name.trim_matches(['^', '$', '/', '?']).replace("[.]", ".");
            for (container, state) in containers(place).into_iter().filter(|(c, _)| c.contains(&name)) {
                io.line(&format.replace("{{.Names}}", &container).replace("{{.Status}}", state))?;
            }
        }
        "rm" => {
            for name in args[1..].iter().filter(|a| !a.starts_with('-')) {
                let mut world = place.lock();
                let known = world.leftovers.remove(name);
                let profile = world.profiles.get_mut(name).filter(|p| p.host != Host::Gone);
                if profile.is_none() && !known {
                    io.err(&format!("Error response from daemon: No such container: {name}"));
                    return Ok(1);
                }
                if let Some(profile) = profile {
                    profile.host = Host::Gone;
                    let _ = std::fs::remove_file(place.cluster_file(name, "due"));
                }
                world.save();
                io.line(name)?;
            }
        }
        "exec" if args[2..] == ["mv", SERVER, "/tmp/"] => {
            crate::minikube::freeze(place, &mut place.lock(), &args[1], Host::Headless);
        }
        "container" if args.get(1).is_some_and(|a| a == "inspect") => {
            let name = args.last().map_or("", String::as_str);
            if !containers(place).iter().any(|(container, _)| container == name) {
                io.err(&format!("Error response from daemon: No such container: {name}"));
                return Ok(1);
            }
            io.line(&format.replace("{{.Image}}", BASE_IMAGE))?;
        }
        "volume" if args.get(1).is_some_and(|a| a != "ls") => return volume(place, io, args),
        "run" => return copy(place, io, args),
        "volume" if args.get(1).is_some_and(|a| a == "ls") => {
            let name = flag(args, "--filter").and_then(|f| f.strip_prefix("name=")).unwrap_or("");
            let world = place.lock();
            // The volume of a machine outlives its container (recording 27).
            let made = world.profiles.iter().filter(|(_, p)| !matches!(p.host, Host::Invalid | Host::Made));
            let made: std::collections::BTreeSet<_> = made.map(|(name, _)| name).collect();
            let names = made.into_iter().chain(&world.leftovers);
            let own = world.volumes.keys().filter(|name| !world.profiles.contains_key(*name));
            let names = names.chain(own);
            for volume in names.filter(|n| n.contains(name) && !other_engine()) {
                io.line(volume)?;
            }
        }
        "context" if args.get(1).is_some_and(|a| a == "inspect") => {
            let host = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
            let host = host.unwrap_or_else(|| "unix:///var/run/docker.sock".into());
            io.line(&format.replace("{{.Name}}", "default").replace("{{.Endpoints.docker.Host}}", &host))?;
        }
        other => {
            io.err(&format!("docker: unknown command: docker {other}"));
            return Ok(1);
        }
    }
    Ok(0)
}

/// The volumes that minikube did not create.
fn volume(place: &Place, io: &mut Io, args: &[String]) -> Done {
    let mut world = place.lock();
    let name = args.last().map_or("", String::as_str);
    let here = !other_engine() && (world.volumes.contains_key(name) || world.profiles.contains_key(name));
    let missing = |io: &mut Io| {
        io.err(&format!("Error response from daemon: get {name}: no such volume"));
        Ok(1)
    };
    match args[1].as_str() {
        "inspect" if !here => return missing(io),
        "inspect" if args.iter().any(|arg| arg == "{{.Mountpoint}}") => {
            for name in &args[4..] {
                io.line(&format!("/var/lib/docker/volumes/{name}/_data"))?;
            }
        }
        "inspect" => {
            let labels = world.volumes.get(name).map(|volume| volume.labels.clone()).unwrap_or_default();
            io.line(&json!(labels).to_string())?;
        }
        "create" => {
            let labels = args.windows(2).filter(|pair| pair[0] == "--label");
            let labels = labels.filter_map(|pair| pair[1].split_once('='));
            let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            world.volumes.entry(name.to_owned()).or_insert(Volume { labels, ..Volume::default() });
            io.line(name)?;
        }
        "rm" if !here => return missing(io),
        "rm" if world.profiles.contains_key(name) => {
            io.err(&format!("Error response from daemon: remove {name}: volume is in use"));
            return Ok(1);
        }
        "rm" => {
            world.volumes.remove(name);
            let _ = std::fs::remove_dir_all(crate::class_data::folder(&place.dir, name));
            io.line(name)?;
        }
        other => {
            io.err(&format!("docker: unknown command: docker volume {other}"));
            return Ok(1);
        }
    }
    world.save();
    Ok(0)
}

/// `docker run` of cp from one volume into another: copies of two mounted volumes, or links below one mount.
fn copy(place: &Place, io: &mut Io, args: &[String]) -> Done {
    let value = |flag: &'static str| args.iter().filter_map(move |arg| arg.strip_prefix(flag));
    let below = |path: &str| path.strip_prefix("/volumes/")?.strip_suffix("/_data").map(str::to_owned);
    let mounted: Vec<&str> = value("--volume=").filter_map(|mount| mount.split(':').next()).collect();
    let (from, to) = match (mounted.as_slice(), value("--mount=").next()) {
        ([from, to], None) => ((*from).to_owned(), (*to).to_owned()),
        ([_, _], Some("type=bind,source=/var/lib/docker/volumes,target=/volumes")) => {
            let ends = value("--chdir=").next().and_then(below).zip(args.last().and_then(|to| below(to)));
            let Some(ends) = ends else { return Ok(1) };
            ends
        }
        _ => return Ok(125),
    };
    if !args.iter().any(|arg| arg == BASE_IMAGE) {
        io.err("docker: Error response from daemon: No such image");
        return Ok(125);
    }
    let has = |path: &str| args.iter().any(|arg| arg.contains(path));
    let mut world = place.lock();
    let images = match world.volumes.get(&from) {
        Some(volume) if !world.profiles.contains_key(&from) => volume.images.clone(),
        _ => crate::nodes::images(&world.cluster(&from)),
    };
    let volume = world.volumes.entry(to.clone()).or_default();
    // Without its database, containerd does not know the images, and without their layers it has none.
    volume.database |= has("/io.containerd.metadata.v1.bolt");
    if volume.database && has("/blobs") && has("/snapshots") {
        volume.images = images;
    }
    world.save();
    let folder = |name: &str| crate::class_data::folder(&place.dir, name);
    if has("class-data")
        && let Err(error) = copy_folder(&folder(&from), &folder(&to))
    {
        io.err(&format!("cp: {error}"));
        return Ok(1);
    }
    Ok(0)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// The fields of `info` that are used.
fn info() -> String {
    let id = if other_engine() { "ELSE:WHERE" } else { "7TRN:IPZB" };
    json!({"ID": id, "NCPU": 2, "MemTotal": 25_276_063_744_u64, "ServerVersion": "28.2.2", "OSType": "linux",
        "CgroupVersion": "1", "DockerRootDir": "/var/lib/docker"})
    .to_string()
}

/// Containers of profiles and of half-done deletions.
fn containers(place: &Place) -> Vec<(String, &'static str)> {
    if other_engine() {
        return Vec::new();
    }
    let world = place.lock();
    let of_profiles = world.profiles.iter().filter_map(|(name, profile)| {
        let state = match profile.host {
            Host::Invalid | Host::Made | Host::Gone => return None,
            Host::Stopped => "Exited (130) 4 seconds ago",
            _ => "Up 14 seconds",
        };
        Some((name.clone(), state))
    });
    let left = world.leftovers.iter().map(|name| (name.clone(), "Up 52 seconds"));
    of_profiles.chain(left).collect()
}
