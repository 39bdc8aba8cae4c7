//! Images that cannot be pulled, according to the container runtime.

use super::finding::Finding;
use super::finding::short;
use super::pods::watched;
use super::pulls;
use super::scene::Scene;
use super::{Family, Rule};
use crate::errors;
use crate::kube::pod::State;

pub(super) const RULES: &[Rule] = &[Rule {
    ids: &[
        errors::IMAGE_PULL,
        errors::IMAGE_NAME,
        errors::NETWORK_REGISTRY,
        errors::REGISTRY_DENIED,
        errors::REGISTRY_LIMIT,
        errors::NETWORK_DNS,
        errors::NETWORK_TLS,
    ],
    family: Family::Pods,
    find: image,
}];

fn image(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for watched in watched(scene) {
        for container in watched.pod.containers() {
            let State::Waiting { reason, message } = container.state() else { continue };
            let evidence = format!(
                "{} container {} waits: {reason}: {}",
                watched.subject(),
                container.name(),
                short(message)
            );
            let finding = match reason {
                "InvalidImageName" => Finding::new(
                    errors::IMAGE_NAME,
                    watched.depth(72),
                    watched.subject(),
                    format!("{}: \"{}\" is not a valid image name", watched.title(), container.image()),
                )
                .certain_after(2),
                // Both mean the same and alternate.
                "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "RegistryUnavailable" => {
                    let cause = pulls::cause(message);
                    Finding::new(
                        cause.id,
                        watched.depth(70),
                        watched.subject(),
                        format!(
                            "{}: image {} cannot be pulled{}",
                            watched.title(),
                            container.image(),
                            cause.words
                        ),
                    )
                    .hint(cause.hint)
                    .hint(format!(
                        "or load it from an archive: {}",
                        scene.expect.kstrim("up --image-archive FILE")
                    ))
                    .certain_after(cause.seconds)
                }
                _ => continue,
            };
            let fix = if watched.operator {
                "or correct the operator's image"
            } else {
                "or correct the image in the Kafka resource"
            };
            let finding = finding.evidence(evidence).hint(fix).since(watched.pod.0.created());
            found.push(finding.new_start(watched.pod.0.name()));
        }
    }
}
