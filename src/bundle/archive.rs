//! Which images an image archive contains: read from `manifest.json` as `docker save` and `ctr images export` write
//! it, or from the `index.json` of an OCI layout.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tar::Archive;

use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::names::ImageName;

/// Maximum size of the list of images, in bytes.
const LIST_LIMIT: u64 = 4 << 20;
/// Maximum number of files read in an archive. An image has a few for each layer.
const MOST: usize = 100_000;

/// The images in an archive.
pub(crate) fn images(path: &Path) -> Result<Vec<ImageName>> {
    Ok(list(path)?.0)
}

/// The names of the images in an archive, and the digests of their configurations, hexadecimal; none where the archive
/// does not say.
pub(crate) fn digests(path: &Path) -> Result<Vec<(ImageName, String)>> {
    let entries = list(path)?.1;
    let mut found = Vec::new();
    for entry in entries.as_array().into_iter().flatten() {
        let config = entry.get("Config").and_then(Value::as_str).unwrap_or_default();
        // `blobs/sha256/DIGEST`, before Docker 25 `DIGEST.json`.
        let digest = config.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
        for tag in entry.get("RepoTags").and_then(Value::as_array).into_iter().flatten() {
            let name = tag.as_str().and_then(|tag| tag.parse().ok());
            found.extend(name.map(|name| (name, digest.to_owned())));
        }
    }
    Ok(found)
}

/// The names of the images, and the contents of `manifest.json`.
fn list(path: &Path) -> Result<(Vec<ImageName>, Value)> {
    let bad = |why: String| {
        let message = format!("{} is not an image archive", path.display());
        Box::new(
            Failure::new(errors::BUNDLE_SOURCE, Class::Usage, message)
                .because(why)
                .hint("create one: docker save -o FILE IMAGE"),
        )
    };
    let io = |e: std::io::Error| bad(e.to_string());
    let mut archive = Archive::new(File::open(path).map_err(io)?);
    let (mut docker, mut oci) = (None, None);
    for (count, entry) in archive.entries_with_seek().map_err(io)?.enumerate() {
        let mut entry = entry.map_err(io)?;
        if count > MOST {
            return Err(bad(format!("it contains more than {MOST} files")));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let list = match name.as_str() {
            "manifest.json" => &mut docker,
            "index.json" => &mut oci,
            _ => continue,
        };
        let mut text = Vec::new();
        (&mut entry).take(LIST_LIMIT).read_to_end(&mut text).map_err(io)?;
        *list = Some(serde_json::from_slice::<Value>(&text).map_err(|e| bad(format!("{name}: {e}")))?);
    }
    let names = match (&docker, &oci) {
        (Some(list), _) => docker_names(list),
        (None, Some(list)) => oci_names(list),
        (None, None) => return Err(bad("it has neither a manifest.json nor an index.json".into())),
    };
    let mut images = Vec::new();
    for name in names {
        let name: ImageName = name.parse().map_err(|e: crate::names::NameError| bad(e.to_string()))?;
        if !images.contains(&name) {
            images.push(name);
        }
    }
    if images.is_empty() {
        return Err(bad("it contains no image name: save images by name, not by id".into()));
    }
    Ok((images, docker.unwrap_or_default()))
}

fn docker_names(list: &Value) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    let tags = entries.filter_map(|entry| entry.get("RepoTags")?.as_array()).flatten();
    tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
}

fn oci_names(list: &Value) -> Vec<String> {
    let entries = list.get("manifests").and_then(Value::as_array).into_iter().flatten();
    let name = |entry: &Value| {
        let notes = entry.get("annotations")?;
        let name = notes.get("io.containerd.image.name").or(notes.get("org.opencontainers.image.ref.name"))?;
        name.as_str().map(str::to_owned)
    };
    entries.filter_map(name).collect()
}
