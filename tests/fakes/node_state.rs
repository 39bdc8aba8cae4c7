//! What a snapshot packs and replaces in a node: commands of `minikube ssh`, and `minikube cp`. etcd's data are the cluster's
//! objects here, and the volumes are the broker's topics.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::flags::Args;
use crate::io::{Done, Io};
use crate::world::Place;

const ETCD: &str = "/var/lib/minikube/etcd";
const KEYS: [&str; 2] = ["/var/lib/minikube/certs/sa.key", "/var/lib/minikube/certs/sa.pub"];
const VOLUMES: [&str; 2] = ["/tmp/hostpath-provisioner", "/opt/local-path-provisioner"];
const ARCHIVE: &str = "/var/lib/kstrim/state.tar.gz";

/// The contents of an archive.
#[derive(Serialize, Deserialize)]
struct State {
    cluster: Cluster,
    /// Path below the directory of the topics, and bytes.
    topics: Vec<(PathBuf, Vec<u8>)>,
}

fn archive(place: &Place, profile: &str) -> PathBuf {
    place.dir.join(format!("node-{profile}.state"))
}

fn files(root: &Path, folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(root, &path, found);
        } else if let (Ok(name), Ok(bytes)) = (path.strip_prefix(root), fs::read(&path)) {
            found.push((name.to_owned(), bytes));
        }
    }
}

/// Run a command in the node; `None`: it is none of these.
pub fn run(place: &Place, io: &mut Io, profile: &str, words: &[&str]) -> Option<Done> {
    Some(match words {
        ["find", paths @ .., "-maxdepth", "0"] => existing(place, io, profile, paths),
        ["find", "/var/lib/kubelet/pods", ..] => Ok(0),
        ["find", ETCD, .., "-delete"] => {
            let _ = fs::remove_dir_all(place.topics());
            Ok(0)
        }
        ["install", "-d", ..] | ["gzip", "--test", ARCHIVE] => Ok(0),
        ["tar", "--create", .., "--file", ARCHIVE, ETCD, _, _] => pack(place, profile),
        ["tar", "--create", .., "--file", ARCHIVE, ETCD, _, _, "/tmp/hostpath-provisioner"] => {
            pack(place, profile)
        }
        ["tar", "--extract", .., "--file", ARCHIVE] => unpack(place, io, profile),
        ["rm", "-rf", "/var/lib/kstrim"] => {
            let _ = fs::remove_file(archive(place, profile));
            Ok(0)
        }
        _ => return None,
    })
}

/// `find PATH... -maxdepth 0` fails if one of them does not exist, and prints the others.
fn existing(place: &Place, io: &mut Io, profile: &str, paths: &[&str]) -> Done {
    let volumes = !place.lock().cluster(profile).list("persistentvolumes", "").is_empty();
    let mut code = 0;
    for path in paths {
        if *path == ETCD || KEYS.contains(path) || *path == VOLUMES[0] && volumes {
            io.line(path)?;
        } else {
            io.err(&format!("find: '{path}': No such file or directory"));
            code = 1;
        }
    }
    if code == 1 {
        io.err("ssh: Process exited with status 1");
    }
    Ok(code)
}

fn pack(place: &Place, profile: &str) -> Done {
    let world = place.lock();
    let mut topics = Vec::new();
    files(&place.topics(), &place.topics(), &mut topics);
    let state = State { cluster: world.cluster(profile), topics };
    fs::write(archive(place, profile), serde_json::to_vec(&state).expect("JSON"))
        .expect("FAKE_WORLD is writable");
    Ok(0)
}

fn unpack(place: &Place, io: &mut Io, profile: &str) -> Done {
    let state = fs::read(archive(place, profile)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(State { cluster, topics }) = state else {
        io.err("gzip: stdin: not in gzip format");
        io.err("tar: Child returned status 1");
        io.err("ssh: Process exited with status 2");
        return Ok(1);
    };
    let world = place.lock();
    let before = world.cluster(profile);
    world.drop_cluster(profile);
    cluster.restored(place, profile, &before);
    for (name, bytes) in topics {
        let path = place.topics().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("FAKE_WORLD is writable");
        fs::write(path, bytes).expect("FAKE_WORLD is writable");
    }
    Ok(0)
}

/// `minikube cp FROM TO`: one of them is `NODE:PATH`.
pub fn copy(place: &Place, io: &mut Io, args: &Args, from: &str, to: &str) -> Done {
    let profile = args.profile();
    let node = format!("{profile}:{ARCHIVE}");
    let there = archive(place, profile);
    let (from, to) = match (from == node, to == node) {
        _ if let Some(paths) = crate::class_data::paths(place, profile, from, to) => paths,
        (true, false) => (there, PathBuf::from(to)),
        (false, true) => (PathBuf::from(from), there),
        _ => {
            io.err(&format!("X Exiting due to MK_USAGE: {from} {to}"));
            return Ok(14);
        }
    };
    match fs::copy(&from, &to) {
        Ok(_) => Ok(0),
        Err(e) => {
            io.err(&format!("X Exiting due to HOST_PATH_MISSING: {}: {e}", from.display()));
            Ok(90)
        }
    }
}
