//! Everything that a cluster consists of, in one file: `kstrim bundle create` writes it, `kstrim up --bundle` needs
//! no network.
//!
//! A bundle is an uncompressed tar file: images from a registry are already compressed, and an uncompressed tar
//! allows seeking, so that a second `up` reads only some kilobytes of it. Its first entry `index.json` names the
//! versions that the bundle is for and lists every other entry with its kind, size and SHA-256, in order; the second,
//! `index.json.sha256`, contains the digest of the index. No other entries are allowed: each header is compared with
//! the index, so links, devices, other paths and duplicates are rejected.
//!
//! A snapshot (`kstrim snapshot save`) is a bundle with the state of a cluster instead of an install manifest.
//!
//! Entries are unpacked one by one into a cache by content, through a buffer of some kilobytes.

pub(crate) mod archive;
pub(crate) mod index;
pub(crate) mod read;
pub(crate) mod unpack;
pub(crate) mod write;

pub(crate) use index::{Entry, Index, Kind, Set, Snapshot};
pub use read::Bundle;

/// Name of the first entry.
pub(crate) const INDEX: &str = "index.json";
/// Name of the second.
pub(crate) const INDEX_DIGEST: &str = "index.json.sha256";

/// Bytes that are kept in memory at once.
const CHUNK: usize = 256 << 10;

/// This machine's platform as used in the names of published programs: `linux-amd64`, `darwin-arm64`.
pub fn platform() -> String {
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}

/// A size in bytes for messages: `363 MB`.
pub(crate) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests;
