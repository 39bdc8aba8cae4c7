//! The programs that kstrim runs.

use super::{Ground, Verdict};
use crate::catalogue;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::Version;
use crate::toolbox::pins::OLDEST_KUBECTL;

/// Whether minikube is installed and new enough.
pub(crate) async fn minikube(ground: &Ground) -> Verdict {
    Verdict::of(ground.minikube_version().await.and_then(|found| {
        if let Some(oldest) = catalogue::catalogue().minikube.first() {
            old_enough("minikube", &found, &oldest.version, "https://minikube.sigs.k8s.io/docs/start/")?;
        }
        Ok(found)
    }))
}

/// Whether kubectl is installed and new enough.
pub(crate) async fn kubectl(ground: &Ground) -> Verdict {
    Verdict::of(ground.kubectl_version().await.and_then(|found| {
        old_enough("kubectl", &found, &OLDEST_KUBECTL, "https://kubernetes.io/docs/tasks/tools/")?;
        Ok(found)
    }))
}

/// Whether a program is not too old.
pub(crate) fn old_enough(program: &str, found: &str, oldest: &Version, page: &str) -> Result<()> {
    match found.parse::<Version>() {
        Ok(version) if version < *oldest => Err(Box::new(
            Failure::new(errors::TOOL_TOO_OLD, Kind::Prerequisite, format!("{program} {found} is too old"))
                .because(format!("kstrim needs {program} {oldest} or newer"))
                .hint(format!("install a newer one: {page}")),
        )),
        // A build with a custom version is accepted.
        _ => Ok(()),
    }
}

/// kubectl supports API servers within one minor version (Kubernetes' version skew policy).
pub(crate) async fn skew(ground: &Ground) -> Verdict {
    let Ok(kubectl) = ground.kubectl_version().await else {
        return Verdict::Skip("kubectl is not installed".into());
    };
    let kubernetes = match ground.profile().await {
        Some(profile) => profile.kubernetes,
        None => match ground.resolved().await.ok().and_then(|c| c.kubernetes) {
            Some(version) => version.to_string(),
            None => {
                return Verdict::Skip("there is no Kubernetes yet; minikube's default will be used".into());
            }
        },
    };
    skewed(&kubectl, &kubernetes)
}

fn skewed(kubectl: &str, kubernetes: &str) -> Verdict {
    let (Ok(client), Ok(server)) = (kubectl.parse::<Version>(), kubernetes.parse::<Version>()) else {
        return Verdict::Skip(format!("kubectl {kubectl} and Kubernetes {kubernetes} cannot be compared"));
    };
    let (client, server) = (client.minor(), server.minor());
    if client.major == server.major && client.minor.abs_diff(server.minor) <= 1 {
        return Verdict::Ok(format!("kubectl {kubectl} is compatible with Kubernetes {kubernetes}"));
    }
    Verdict::Warn(Box::new(
        Failure::new(
            errors::KUBECTL_SKEW,
            Kind::Prerequisite,
            format!("kubectl {kubectl} and Kubernetes {kubernetes} are not compatible"),
        )
        .because("kubectl supports one minor version below and above its own")
        .hint(format!("install kubectl {server}: https://kubernetes.io/docs/tasks/tools/"))
        .hint("or use another one: KSTRIM_KUBECTL=/path/to/kubectl"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_minor_version_of_skew_is_accepted_and_two_are_not() {
        for (kubectl, kubernetes) in [("1.34.4", "1.34.0"), ("1.33.0", "1.34.0"), ("1.35.1", "1.34.9")] {
            assert!(matches!(skewed(kubectl, kubernetes), Verdict::Ok(_)), "{kubectl} {kubernetes}");
        }
        for (kubectl, kubernetes) in [("1.32.0", "1.34.0"), ("1.36.0", "1.34.0")] {
            let Verdict::Warn(failure) = skewed(kubectl, kubernetes) else {
                panic!("{kubectl} {kubernetes}")
            };
            assert_eq!(failure.id, errors::KUBECTL_SKEW);
        }
        assert!(matches!(skewed("local", "1.34.0"), Verdict::Skip(_)));
    }

    #[test]
    fn old_programs_are_refused() {
        assert_eq!(
            old_enough("kubectl", "1.21.9", &OLDEST_KUBECTL, "").expect_err("old").id,
            errors::TOOL_TOO_OLD
        );
        assert!(old_enough("kubectl", "1.22.0", &OLDEST_KUBECTL, "").is_ok());
        assert!(old_enough("kubectl", "local", &OLDEST_KUBECTL, "").is_ok());
    }
}
