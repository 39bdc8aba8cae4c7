//! Names of images and registries.

use super::lower;

/// Maximum length of a registry prefix. An image's full name has at most 255 characters without its tag
/// (`github.com/distribution/reference`, `NameTotalLengthMax`).
const LONGEST_REGISTRY: usize = 200;

/// Maximum length of an image reference: a name, a tag and a digest.
const LONGEST_IMAGE: usize = 512;

/// `registry.example:5000/mirror`: a host, optionally a port, optionally a path.
pub(super) fn registry_ok(given: &str) -> bool {
    let (host, path) = given.split_once('/').map_or((given, None), |(host, path)| (host, Some(path)));
    given.len() <= LONGEST_REGISTRY
        && host_ok(host)
        && path.is_none_or(|path| path.split('/').all(component_ok))
}

fn host_ok(host: &str) -> bool {
    let (name, port) = host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let label = |l: &str| {
        l.starts_with(|c: char| c.is_ascii_alphanumeric())
            && l.ends_with(|c: char| c.is_ascii_alphanumeric())
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let port_ok = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    // Without a dot or a port the container runtime treats a word as part of Docker Hub.
    let a_host = name.contains('.') || port.is_some() || name == "localhost";
    a_host && name.split('.').all(label) && port.is_none_or(port_ok)
}

/// A component of an image's path, by the grammar of `github.com/distribution/reference`.
fn component_ok(part: &str) -> bool {
    part.starts_with(lower)
        && part.ends_with(lower)
        && part.chars().all(|c| lower(c) || "._-".contains(c))
        && !part.contains("..")
        && !part.contains("___")
}

pub(super) fn suggest_registry(given: &str) -> String {
    let rest = given.trim().split_once("://").map_or(given.trim(), |(_, rest)| rest);
    rest.trim_matches('/').to_owned()
}

/// Whether it is safe in a command line and resembles an image; the container runtime validates the rest.
pub(super) fn image_ok(given: &str) -> bool {
    (1..=LONGEST_IMAGE).contains(&given.len())
        && given.starts_with(|c: char| c.is_ascii_alphanumeric())
        && given.ends_with(|c: char| c.is_ascii_alphanumeric())
        && given.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c))
        && !given.contains("//")
        && !given.contains("..")
}

pub(super) fn suggest_image(given: &str) -> String {
    suggest_registry(given)
}

/// A Secret's name: a DNS-1123 subdomain.
pub(super) fn secret_ok(given: &str) -> bool {
    (1..=253).contains(&given.len())
        && given.split('.').all(|part| {
            part.starts_with(lower) && part.ends_with(lower) && part.chars().all(|c| lower(c) || c == '-')
        })
}

pub(super) fn suggest_secret(given: &str) -> String {
    super::suggest(&given.to_ascii_lowercase(), |c| lower(c) || c == '.', 253)
}

impl super::ImageRegistry {
    /// The host, with its port.
    pub fn host(&self) -> &str {
        self.as_str().split('/').next().unwrap_or_default()
    }

    /// The same image in this registry: the prefix replaces the registry's host, the path stays
    /// (`quay.io/strimzi/kafka:1` becomes `HOST/PREFIX/strimzi/kafka:1`), which is the layout of registries that
    /// mirror another one.
    pub fn image(&self, image: &str) -> String {
        format!("{self}/{}", split(image).1)
    }
}

/// An image's registry and the rest. `docker.io` if it names none.
pub(crate) fn split(image: &str) -> (&str, &str) {
    match image.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", image),
    }
}

/// Whether both name the same image, possibly one of them without Docker Hub's own `docker.io/library/`.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let full = |image: &str| {
        let (host, rest) = split(image);
        let official = host == "docker.io" && !rest.contains('/');
        format!("{host}/{}{rest}", if official { "library/" } else { "" })
    };
    one == other || full(one) == full(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ImageName, ImageRegistry, SecretName};

    #[test]
    fn registries() {
        for good in
            ["registry.example", "r.example:5000/mirror", "localhost", "localhost:5000/a/b-c/d_e", "10.0.0.1"]
        {
            assert!(good.parse::<ImageRegistry>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "registry",
            "https://r.example",
            "r.example/",
            "r.example/Mirror",
            "r.example:0",
            "r.example:x",
            "r.example/../x",
            "r.example//x",
            "-r.example",
            "r.example/x y",
            "user@r.example",
            "r.example/a\u{1b}",
        ] {
            assert!(bad.parse::<ImageRegistry>().is_err(), "{bad}");
        }
        let refused = "https://r.example/mirror/".parse::<ImageRegistry>().expect_err("a URL");
        assert_eq!(refused.suggestion(), Some("r.example/mirror"));
    }

    #[test]
    fn an_image_keeps_its_path_in_another_registry() {
        let registry: ImageRegistry = "r.example:5000/quay".parse().expect("a registry");
        assert_eq!(registry.host(), "r.example:5000");
        for (image, moved) in [
            ("quay.io/strimzi/operator:1.2.0", "r.example:5000/quay/strimzi/operator:1.2.0"),
            ("strimzi/operator", "r.example:5000/quay/strimzi/operator"),
            ("localhost/x@sha256:ab", "r.example:5000/quay/x@sha256:ab"),
        ] {
            assert_eq!(registry.image(image), moved);
        }
    }

    #[test]
    fn docker_hub_has_short_names() {
        assert!(
            super::same("busybox:1", "docker.io/library/busybox:1")
                && super::same("a/b:1", "docker.io/a/b:1")
        );
        assert!(!super::same("quay.io/a/b:1", "docker.io/a/b:1") && !super::same("a:1", "a:2"));
    }

    #[test]
    fn names_of_images_and_secrets() {
        assert!("quay.io/strimzi/kafka:1.2.0-kafka-4.3.1".parse::<ImageName>().is_ok());
        for bad in ["", "--all", "a b", "a;b", "a\nb", "a//b", "a/../b", "a:"] {
            assert!(bad.parse::<ImageName>().is_err(), "{bad}");
        }
        assert!("regcred".parse::<SecretName>().is_ok() && "my.secret-1".parse::<SecretName>().is_ok());
        for bad in ["", "A", "a/b", "-a", "a,b"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn suggestions_are_valid(text in "\\PC{0,300}") {
            if let Err(e) = text.parse::<ImageRegistry>() && let Some(s) = e.suggestion() {
                prop_assert!(s.parse::<ImageRegistry>().is_ok());
            }
            let _ = (text.parse::<ImageName>(), text.parse::<SecretName>());
        }
    }
}
