//! A bundle determines what is installed; contradicting settings are an error.

use clap::ValueEnum;

use super::{PresetName, Settings, invalid};
use crate::bundle::{Bundle, platform};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::KubernetesVersion;

/// Use the bundle's versions for what was not requested.
///
/// # Errors
///
/// `KS-BUNDLE-SET` if the request and the bundle contradict each other; `KS-SETTING-INVALID` if other sources are
/// specified, too.
pub(super) fn apply(settings: &mut Settings, bundle: Bundle) -> Result<()> {
    let set = &bundle.index.set;
    let path = bundle.path.display().to_string();
    let differs = |what: &str, has: &dyn std::fmt::Display, asked: &dyn std::fmt::Display| {
        let message = format!("the bundle {path} is for {what} {has}, but {what} {asked} was requested");
        Box::new(
            Failure::new(errors::BUNDLE_SET, Kind::Usage, message)
                .hint(format!(
                    "omit the setting, or create another bundle: {}",
                    CommandLine::new("kstrim bundle create -o FILE")
                ))
                .hint(format!(
                    "show what it is for: {}",
                    CommandLine::new("kstrim bundle inspect").arg(&path)
                )),
        )
    };
    let arch = |platform: &str| platform.split_once('-').map_or("", |(_, arch)| arch).to_owned();
    if arch(&set.platform) != arch(&platform()) {
        return Err(differs("machines of", &arch(&set.platform), &arch(&platform())));
    }
    if let Some(asked) = settings.release.as_ref().filter(|asked| **asked != set.release) {
        return Err(differs("Strimzi", &set.release, asked));
    }
    if let Some(asked) = settings.kafka.as_ref().filter(|asked| **asked != set.kafka) {
        return Err(differs("Kafka", &set.kafka, asked));
    }
    if let (Some(has), Some(asked)) = (&set.kubernetes, &settings.kubernetes) {
        let fits = match asked {
            KubernetesVersion::Minor(minor) => has.minor() == *minor,
            KubernetesVersion::Exact(version) => has == version,
        };
        if !fits {
            return Err(differs("Kubernetes", has, asked));
        }
    }
    if settings.image_registry.is_some() && settings.image_registry != set.image_registry {
        let has = set.image_registry.as_ref().map_or("quay.io", |r| r.as_str());
        let asked = settings.image_registry.as_ref().map_or("quay.io", |r| r.as_str());
        return Err(differs("images of", &has, &asked));
    }
    if let Some(manifests) = &settings.manifests {
        return Err(invalid(
            "--manifests",
            manifests,
            "no value together with --bundle, which contains the manifest",
        ));
    }
    if let Some(archive) = settings.image_archives.first() {
        let archive = archive.display().to_string();
        return Err(invalid(
            "--image-archive",
            &archive,
            "no value together with --bundle, which contains the images",
        ));
    }
    settings.release = Some(set.release.clone());
    settings.kafka = Some(set.kafka.clone());
    if settings.kubernetes.is_none() {
        settings.kubernetes = set.kubernetes.clone().map(KubernetesVersion::Exact);
    }
    if settings.preset.is_none() {
        settings.preset = PresetName::from_str(&set.preset, true).ok();
    }
    settings.image_registry = set.image_registry.clone();
    settings.offline = true;
    settings.bundle = Some(bundle);
    Ok(())
}
