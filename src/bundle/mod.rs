//! Everything that a cluster is made of, in one file: `kstrim bundle create` writes it, `kstrim up
//! --bundle` needs no network.
//!
//! A bundle is a plain tar: images from a registry are compressed inside already, and what is plain can
//! be sought in, so that a second `up` reads some kilobytes of it. Its first entry `index.json` says
//! which set it is for and names every other entry with kind, size and SHA-256, in their order; the
//! second, `index.json.sha256`, holds the index's own. Nothing else may be in it: each header is held
//! against the index, so that there is no place for links, devices, other paths or twice the same.
//!
//! Entries go one by one into a cache by their content, through a buffer of some kilobytes.

pub(crate) mod archive;
pub(crate) mod index;
pub(crate) mod read;
pub(crate) mod unpack;
pub(crate) mod write;

pub(crate) use index::{Entry, Index, Kind, Set};
pub use read::Bundle;

/// Name of the first entry.
pub(crate) const INDEX: &str = "index.json";
/// Name of the second.
pub(crate) const INDEX_DIGEST: &str = "index.json.sha256";

/// Bytes that are held at once.
const CHUNK: usize = 256 << 10;

/// This machine as the publishers of programs call it: `linux-amd64`, `darwin-arm64`.
pub fn platform() -> String {
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}

/// Bytes for people: `363 MB`.
pub(crate) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests;
