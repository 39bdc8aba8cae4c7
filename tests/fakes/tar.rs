//! Image archives, in the format of `docker save` and `ctr images export`.

use std::io::Read;

use serde_json::Value;

/// Which images an archive holds: `RepoTags` of its `manifest.json`. A plain text file names one image a line.
pub fn images(bytes: &[u8]) -> Vec<String> {
    if let Some(manifest) = manifest(bytes) {
        let entries = manifest.as_array().into_iter().flatten();
        let tags = entries.filter_map(|e| e["RepoTags"].as_array()).flatten();
        return tags.filter_map(|t| t.as_str().map(str::to_owned)).collect();
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let name = |line: &&str| line.contains([':', '/']) && !line.contains(char::is_whitespace);
    text.lines().map(str::trim).filter(name).map(str::to_owned).collect()
}

fn manifest(bytes: &[u8]) -> Option<Value> {
    let mut archive = ::tar::Archive::new(bytes);
    let mut entries = archive.entries().ok()?.flatten();
    let mut entry = entries.find(|e| e.path_bytes().as_ref() == b"manifest.json")?;
    let mut text = String::new();
    entry.read_to_string(&mut text).ok()?;
    Some(text.parse().unwrap_or_default())
}

pub fn write(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).expect("a file of an archive in memory");
    }
    tar.into_inner().expect("an archive in memory")
}
