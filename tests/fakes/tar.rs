//! Which images an archive holds: `RepoTags` of the `manifest.json` in a tar, as in the output
//! of `docker save`. A plain text file names one image a line.

use serde_json::Value;

/// Images of an archive.
pub fn images(bytes: &[u8]) -> Vec<String> {
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 512).filter(|h| &h[257..262] == b"ustar") {
        let field = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_end_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(field(124..136).trim(), 8).unwrap_or(0);
        let body = bytes.get(at + 512..at + 512 + size).unwrap_or_default();
        if field(0..100) == "manifest.json" {
            let manifest: Value = String::from_utf8_lossy(body).parse().unwrap_or_default();
            let entries = manifest.as_array().into_iter().flatten();
            let tags = entries.filter_map(|e| e["RepoTags"].as_array()).flatten();
            return tags.filter_map(|t| t.as_str().map(str::to_owned)).collect();
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let name = |line: &&str| line.contains([':', '/']) && !line.contains(char::is_whitespace);
    text.lines().map(str::trim).filter(name).map(str::to_owned).collect()
}

/// A tar of these files.
pub fn write(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, text) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(header);
        tar.extend(text.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    tar
}
