//! A mirror on this machine: a directory for `--mirror DIR`, and the same over HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::harness::Test;

/// A directory with the layout of a mirror: `https://HOST/PATH` is `DIR/HOST/PATH`.
pub struct Mirror {
    folder: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
}

/// SHA-256 as digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The published URL of a tool for this platform.
pub fn url(tool: &str, version: &str) -> String {
    kstrim::internals::toolbox::Toolbox::at(PathBuf::new()).url(
        tool.parse::<kstrim::internals::names::ToolSpec>().expect("a tool").tool,
        &version.parse().expect("a version"),
    )
}

impl Mirror {
    /// An empty mirror next to the test's home directory.
    pub fn new(test: &Test) -> Self {
        let folder = test.work().join("mirror");
        fs::create_dir_all(&folder).expect("a folder");
        Self { folder, seen: Arc::default() }
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file for `--tool-digests`, with the digests of the stand-ins.
    pub fn digests(&self) -> PathBuf {
        self.folder.with_file_name("digests")
    }

    /// Publish a file.
    pub fn put(&self, url: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let place = self.folder.join(url.trim_start_matches("https://"));
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        fs::write(&place, bytes).expect("written");
        place
    }

    /// Publish a stand-in as a tool, with its checksum file.
    pub fn tool(&self, test: &Test, tool: &str, version: &str) -> String {
        // The stand-in depends on the name it is called by. It is not on PATH.
        let place = test.work().join("stand-ins").join(tool);
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        let _ = std::os::unix::fs::symlink(crate::stand_ins::program(), &place);
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", place.display());
        let sum = sha256(script.as_bytes());
        self.put(&url(tool, version), &script);
        self.put(&format!("{}.sha256", url(tool, version)), format!("{sum}\n"));
        // A stand-in is not the published file: the test provides its digest.
        let platform = kstrim::internals::bundle::platform();
        let mut digests = fs::read_to_string(self.digests()).unwrap_or_default();
        digests.push_str(&format!("{sum}  {tool}-{version}-{platform}\n"));
        fs::write(self.digests(), digests).expect("written");
        sum
    }

    /// Serve it over HTTP until the test ends; its URL.
    pub fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (folder, seen) = (self.folder.clone(), self.seen.clone());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                let (mut first, mut line) = (String::new(), String::new());
                let _ = reader.read_line(&mut first);
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
                let file = folder.join(path.trim_start_matches('/'));
                let (status, body) = match fs::read(file) {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", Vec::new()),
                };
                seen.lock().expect("the list").push(path);
                let head = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        format!("http://{address}")
    }

    /// Serve it over HTTP like [`Mirror::serve`], but one byte at a time and never completely.
    pub fn drip(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n";
                    let mut sent = stream.write_all(head);
                    while sent.is_ok() {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        sent = stream.write_all(b"x");
                    }
                });
            }
        });
        format!("http://{address}")
    }

    /// The requested paths.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("the list").clone()
    }
}
