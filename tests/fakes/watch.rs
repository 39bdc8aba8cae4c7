//! Watches: the changes of a resource, one JSON line each, as they happen. The file of changes is read without the
//! lock; a watch that finds that something is due takes the lock and advances the time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bell::Bell;
use crate::cluster::Cluster;
use crate::io::{Done, End, Io};
use crate::kinds::{fields_match, labels_match};
use crate::kubectl::Link;
use crate::world::World;

/// When to check again, in case the process that advances the time is killed.
const BUSY: Duration = Duration::from_millis(20);

pub struct Watch {
    /// Prefix of the resource's keys.
    pub prefix: String,
    pub name: Option<String>,
    /// Changes after this resource version.
    pub from: u64,
    /// It ends by itself after this time.
    pub seconds: u64,
    pub labels: String,
    pub fields: String,
    /// The client accepts BOOKMARK events.
    pub bookmarks: bool,
    /// apiVersion of the objects that are sent.
    pub version: String,
    /// Ends immediately with 410.
    pub expired: bool,
    /// Of all namespaces.
    pub cluster_wide: bool,
}

impl Watch {
    /// Stream until the time has passed, the profile stops or the reader exits.
    pub fn run(mut self, link: &Link, io: &mut Io, world: World, cluster: Cluster) -> Done {
        let rv = cluster.rv;
        if self.cluster_wide
            && let Some(end) = self.prefix.find('/')
        {
            self.prefix.truncate(end + 1);
        }
        if self.expired {
            cluster.save(link.place);
            return self.expire(io, rv);
        }
        cluster.save(link.place);
        drop(world);
        io.begin();
        let of = |kind| link.place.cluster_file(&link.profile, kind);
        let bell = Bell::on(&of("due"));
        let Ok(mut file) = File::open(of("changes")) else { return ended() };
        let (mut at, mut rest) = (0, Vec::new());
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let parent = rustix::process::getppid();
        let mut orphaned: Option<Instant> = None;
        loop {
            let Some(length) = file.metadata().ok().filter(|m| m.nlink() > 0).map(|m| m.len()) else {
                return ended();
            };
            if length > at {
                file.seek(SeekFrom::Start(at)).map_err(|e| End::Error(e.to_string()))?;
                let new = file.by_ref().take(length - at).read_to_end(&mut rest);
                at += new.map_err(|e| End::Error(e.to_string()))? as u64;
                while let Some(newline) = rest.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=newline).collect();
                    self.send(io, &String::from_utf8_lossy(&line))?;
                }
                continue;
            }
            if Instant::now() >= end {
                if self.bookmarks {
                    let object = json!({"apiVersion": self.version, "metadata": {"resourceVersion": self.from.to_string()}});
                    io.line(&json!({"type": "BOOKMARK", "object": object}).to_string())?;
                }
                return Ok(0);
            }
            // Its file is deleted when the profile stops.
            let Some(mut left) = link.place.until_due(&link.profile) else { return ended() };
            if left.is_zero() {
                match link.advance() {
                    Ok(true) => continue,
                    Ok(false) => left = BUSY,
                    Err(_) => return ended(),
                }
            }
            if rustix::process::getppid() != parent {
                // Do not stay for long, but long enough for a test to notice it.
                let since = *orphaned.get_or_insert_with(Instant::now);
                if since.elapsed() > Duration::from_secs(10) {
                    return Ok(99);
                }
            }
            bell.wait(left.min(end.saturating_duration_since(Instant::now())));
        }
    }

    fn wants(&self, key: &str, object: &Value) -> bool {
        key.starts_with(&self.prefix)
            && self.name.as_ref().is_none_or(|name| key.ends_with(&format!("/{name}")))
            && labels_match(object, &self.labels)
            && fields_match(object, &self.fields)
    }

    fn dressed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        object["apiVersion"] = json!(self.version);
        object
    }

    fn send(&mut self, io: &mut Io, line: &str) -> Result<(), End> {
        // Cheap checks first: most changes are of other kinds.
        if !line.contains(&format!("\"key\":\"{}", self.prefix)) {
            return Ok(());
        }
        let change: Value = line.parse().map_err(|e| End::Error(format!("changes: {e}")))?;
        let rv = change["rv"].as_u64().unwrap_or(0);
        if rv <= self.from || !self.wants(change["key"].as_str().unwrap_or(""), &change["object"]) {
            return Ok(());
        }
        self.from = rv;
        let event = json!({"type": change["type"], "object": self.dressed(&change["object"])});
        io.line(&event.to_string())
    }

    fn expire(&self, io: &mut Io, rv: u64) -> Done {
        let message = format!("too old resource version: {} ({rv})", self.from);
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": "Expired", "code": 410});
        io.line(&json!({"type": "ERROR", "object": status}).to_string())?;
        Ok(0)
    }
}

/// The connection broke.
fn ended() -> Done {
    Err(End::Error("error: unexpected EOF".into()))
}
