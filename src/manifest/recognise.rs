//! Determines the Strimzi release of an install manifest.

use std::path::{Path, PathBuf};

use super::tune::OPERATOR;
use super::{Object, digest, load};
use crate::catalogue::{self, Release};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::Version;

/// The release whose published install manifest has exactly this content.
pub(crate) fn published(digest: &str) -> Option<&'static Release> {
    catalogue::releases().iter().find(|release| release.digest == digest)
}

/// The release of the catalogue that these objects install: by their content, or else by the tag of the operator's
/// image. `None` if it is none of them, or there is no operator.
pub(crate) fn release(objects: &[Object]) -> Option<&'static Release> {
    published(&digest(objects)).or_else(|| catalogue::find(&tag(objects)?))
}

/// The same for the user's `--manifests`, if it is a readable local path; for a directory with the manifests of
/// several releases, the newest. Errors are reported when it is used.
pub(crate) fn given(manifests: Option<&str>) -> Option<&'static Release> {
    let path = Path::new(manifests.filter(|given| !given.contains("://"))?);
    match &named(path)[..] {
        [_, .., (newest, _)] => catalogue::find(newest),
        _ => release(&load::from_path(path).ok()?),
    }
}

/// The file or directory to read for a release: in a directory with the manifests of several releases, the one of
/// this release.
pub(crate) fn of_release(path: &Path, release: &Version) -> Result<PathBuf> {
    let mut files = named(path);
    if files.len() < 2 {
        return Ok(path.to_owned());
    }
    if let Some(at) = files.iter().position(|(version, _)| version == release) {
        return Ok(files.swap_remove(at).1);
    }
    let others: Vec<String> = files.iter().map(|(version, _)| format!("--release {version}")).collect();
    let message = format!("{} contains no install manifest of Strimzi {release}", path.display());
    Err(Box::new(
        Failure::new(errors::MANIFEST_UNREADABLE, Kind::Usage, message)
            .because(format!("it does not contain {PREFIX}{release}.yaml"))
            .hint(format!("it contains those of {}", others.join(", "))),
    ))
}

/// The names of Strimzi's published manifests.
const PREFIX: &str = "strimzi-cluster-operator-";

/// The published manifests in a directory with the releases in their names, oldest first.
fn named(folder: &Path) -> Vec<(Version, PathBuf)> {
    let version = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(PREFIX)?.strip_suffix(".yaml")?.parse().ok()
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<(Version, PathBuf)> =
        entries.filter_map(|path| Some((version(&path)?, path))).collect();
    files.sort();
    files
}

/// The tag of the operator's image, if it is a version: `quay.io/strimzi/operator:1.2.0`, with or without a digest.
fn tag(objects: &[Object]) -> Option<Version> {
    let operator = objects.iter().find(|o| o.kind() == "Deployment" && o.name() == OPERATOR)?;
    let containers = operator.get("/spec/template/spec/containers")?.as_array()?;
    let image = containers.iter().find(|c| c["name"] == OPERATOR)?["image"].as_str()?;
    let name = image.split('@').next().unwrap_or(image);
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    tag.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(image: &str) -> Option<String> {
        let text = include_str!("../../tests/fixtures/install.yaml");
        let ours = text.replace("quay.io/strimzi/operator:1.2.0", image);
        assert!(image == "quay.io/strimzi/operator:1.2.0" || ours != text, "the fixture has this image");
        let objects = load::from_bytes("x", ours.as_bytes()).expect("a manifest");
        release(&objects).map(|release| release.version.to_string())
    }

    #[test]
    fn the_operators_image_names_the_release() {
        assert_eq!(found("quay.io/strimzi/operator:1.2.0").as_deref(), Some("1.2.0"));
        assert_eq!(found("mirror.example:5000/x/operator:0.45.2@sha256:00").as_deref(), Some("0.45.2"));
        for unknown in ["quay.io/strimzi/operator:latest", "mirror.example:5000/operator", "x/operator:9.9.9"]
        {
            assert_eq!(found(unknown), None, "{unknown}");
        }
        assert!(release(&[]).is_none());
        assert!(given(None).is_none() && given(Some("/no/such/folder")).is_none());
        assert!(given(Some("https://example.com/1.2.0.yaml")).is_none());
    }

    #[test]
    fn a_folder_may_have_several_releases() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |release: &str| {
            let text = include_str!("../../tests/fixtures/install.yaml").replace("1.2.0", release);
            std::fs::write(folder.path().join(format!("strimzi-cluster-operator-{release}.yaml")), text)
                .expect("it");
        };
        let path = folder.path().to_str();
        let version = |text: &str| text.parse::<Version>().expect("a version");
        put("0.45.2");
        assert_eq!(given(path).map(|release| release.version.clone()), Some(version("0.45.2")));
        // A single manifest may be accompanied by other files.
        assert_eq!(of_release(folder.path(), &version("1.2.0")).expect("a path"), folder.path());
        put("1.1.0");
        assert_eq!(given(path).map(|release| release.version.clone()), Some(version("1.1.0")));
        let file = of_release(folder.path(), &version("0.45.2")).expect("a path");
        assert!(file.ends_with("strimzi-cluster-operator-0.45.2.yaml"), "{}", file.display());
        let failure = of_release(folder.path(), &version("1.2.0")).expect_err("no container engine is used");
        assert!(failure.hints[0].contains("--release 0.45.2, --release 1.1.0"), "{:?}", failure.hints);
    }

    #[test]
    fn the_published_content_identifies_the_release() {
        for one in catalogue::releases() {
            assert_eq!(published(&one.digest).map(|found| &found.version), Some(&one.version));
        }
        assert!(published("00").is_none());
    }
}
