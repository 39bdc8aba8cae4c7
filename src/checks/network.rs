//! What `up` would download, and whether it could. Nothing that already exists is requested, and no server is queried
//! for longer than [`LIMIT`].

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::proxy::in_range;
use super::{Ground, Verdict};
use crate::download::background;
use crate::download::{self, Settings, Source, Store};
use crate::errors;
use crate::failure::{Failure, Id, Kind};
use crate::manifest::source;

/// How long a server may take. A server that responds needs a tenth of it, and `doctor` has two seconds.
const LIMIT: Duration = Duration::from_millis(1200);

/// Where minikube gets Kubernetes and its preloaded images (`pkg/minikube/download` of minikube).
const MINIKUBE: &str = "https://storage.googleapis.com/";

/// minikube's docker network uses the first free subnet of `192.168.49.0/24`, `192.168.58.0/24`, ... (steps of 9, 20
/// tries: `pkg/drivers/kic/oci/network_create.go`).
pub(crate) async fn subnet(ground: &Ground) -> Verdict {
    if ground.profile().await.is_some() {
        return Verdict::Skip("the profile has one".into());
    }
    if !ground.engine().await.is_container() {
        return Verdict::Skip("the driver uses no container network".into());
    }
    match &ground.host.routes {
        None => Verdict::Skip("this system does not list its routes".into()),
        Some(routes) => judge_subnets(routes),
    }
}

fn judge_subnets(routes: &str) -> Verdict {
    let routes: Vec<(Ipv4Addr, u32)> = routes.lines().filter_map(route).collect();
    let free = (0..20u8).find_map(|n| {
        let at = Ipv4Addr::new(192, 168, 49 + 9 * n, 0);
        let taken = |(base, bits): &(Ipv4Addr, u32)| {
            in_range(at, *base, *bits) || *bits > 24 && in_range(*base, at, 24)
        };
        (!routes.iter().any(taken)).then_some(at)
    });
    match free {
        Some(at) => Verdict::Ok(format!("{at}/24 is free")),
        None => Verdict::Fail(Box::new(
            Failure::new(
                errors::NETWORK_SUBNET,
                Kind::Prerequisite,
                "no subnet is free for minikube's network",
            )
            .because("192.168.49.0/24 and the 19 others that minikube tries are already routed")
            .hint("remove unused networks: docker network prune")
            .hint("or disconnect a VPN that uses the private address ranges"),
        )),
    }
}

/// A line of `/proc/net/route`: destination and mask, in hexadecimal, lowest byte first. `None` for the default
/// route.
fn route(line: &str) -> Option<(Ipv4Addr, u32)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| Some(u32::from_str_radix(fields.get(at)?, 16).ok()?.swap_bytes());
    let (base, mask) = (number(1)?, number(7)?);
    (mask != 0).then(|| (Ipv4Addr::from(base), mask.leading_ones()))
}

/// Where downloads come from.
pub(crate) async fn mirror(ground: &Ground) -> Verdict {
    match ground.settings.mirror.as_deref().filter(|mirror| !mirror.is_empty()) {
        None => Verdict::Skip("none is set".into()),
        Some(mirror) => Verdict::of(background::store(&ground.settings).map(|_| mirror.to_owned())),
    }
}

/// Strimzi's install manifest: specified, cached, or available for download.
pub(crate) async fn manifest(ground: &Ground) -> Verdict {
    let settings = &ground.settings;
    let url = match settings.manifests.as_deref() {
        Some(given) if given.contains("://") => given.to_owned(),
        Some(given) if Path::new(given).exists() => return Verdict::Ok(format!("from {given}")),
        Some(given) => {
            return Verdict::Fail(Box::new(
                Failure::new(
                    errors::MANIFEST_UNREADABLE,
                    Kind::Prerequisite,
                    format!("the install manifest {given} does not exist"),
                )
                .hint("specify a YAML file, a directory of *.yaml files, or an http(s) URL: --manifests"),
            ));
        }
        None => {
            let Ok(choice) = ground.choice().await else {
                return Verdict::Skip("the versions are not determined".into());
            };
            let store = Store {
                folder: ground.cache_dir.clone(),
                source: Source::Origin,
                settings: Settings::default(),
            };
            if store.path(source::CLASS, &choice.digest).is_file() {
                return Verdict::Ok("in the cache".into());
            }
            match settings.mirror.as_deref() {
                Some(mirror) if mirror.contains("://") => mirror.to_owned(),
                Some(mirror) if Path::new(mirror).is_dir() => {
                    return Verdict::Ok(format!("from the mirror {mirror}"));
                }
                _ => choice.url,
            }
        }
    };
    if !ground.online {
        return Verdict::Skip("the network is not used".into());
    }
    match reach(&url).await {
        Ok(()) => Verdict::Ok(format!("{} answers", host_of(&url))),
        Err(failure) => Verdict::Fail(Box::new(
            failure.hint("or use another source for the manifest: --manifests FILE, --mirror URL or DIR"),
        )),
    }
}

/// The registry of Strimzi's images. The node pulls them, possibly over another network path than this machine: only
/// a warning.
pub(crate) async fn registry(ground: &Ground) -> Verdict {
    if ground.profile().await.is_some() {
        return Verdict::Skip("the profile may have the images; its pods will show".into());
    }
    if !ground.settings.image_archives.is_empty() {
        return Verdict::Ok("the images come from archives".into());
    }
    let Ok(choice) = ground.choice().await else {
        return Verdict::Skip("the versions are not determined".into());
    };
    let host = choice.operator_image.split('/').next().unwrap_or_default();
    warn(
        ground,
        &format!("https://{host}/v2/"),
        errors::NETWORK_REGISTRY,
        "or load the images: --image-archive FILE",
    )
    .await
}

/// Where minikube downloads Kubernetes from, unless it has it already.
pub(crate) async fn minikube(ground: &Ground) -> Verdict {
    if ground.profile().await.is_some() {
        return Verdict::Skip("the profile exists".into());
    }
    let cache = ground.host.minikube_home().join("cache");
    let filled = ["preloaded-tarball", "linux", "images"]
        .iter()
        .any(|part| std::fs::read_dir(cache.join(part)).is_ok_and(|mut entries| entries.next().is_some()));
    if filled {
        return Verdict::Ok("in minikube's cache".into());
    }
    let fill = ground.settings.target.minikube("start --download-only");
    warn(ground, MINIKUBE, errors::NETWORK, &format!("or fill minikube's cache elsewhere: {fill}")).await
}

async fn warn(ground: &Ground, url: &str, id: Id, hint: &str) -> Verdict {
    if !ground.online {
        return Verdict::Skip("the network is not used".into());
    }
    match reach(url).await {
        Ok(()) => Verdict::Ok(format!("{} answers", host_of(url))),
        Err(mut failure) => {
            if failure.id == errors::NETWORK {
                failure.id = id;
            }
            Verdict::Warn(Box::new(failure.hint(hint)))
        }
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Whether a server responds at all, whatever the response.
async fn reach(url: &str) -> Result<(), Failure> {
    let (owned, settings) =
        (url.to_owned(), Settings { connect_timeout: LIMIT, read_timeout: LIMIT, ..Settings::default() });
    let asked = tokio::task::spawn_blocking(move || download::answers(&owned, &settings));
    // Name resolution has its own time limit: this thread is not waited for.
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(failure))) => Err(worded(&failure, host_of(url))),
        Ok(Err(_)) => Ok(()),
        Err(_) => Err(Failure::new(
            errors::NETWORK,
            Kind::Prerequisite,
            format!("{} does not respond within {} ms", host_of(url), LIMIT.as_millis()),
        )
        .hint("check the network; if you use a proxy, set HTTPS_PROXY and NO_PROXY")),
    }
}

/// The same in the words of a check.
fn worded(failure: &Failure, host: &str) -> Failure {
    let (id, message, hint) = match failure.id {
        errors::DOWNLOAD_DNS => (
            errors::NETWORK_DNS,
            format!("the name {host} cannot be resolved"),
            "check the network and DNS; if you use a proxy, set HTTPS_PROXY and NO_PROXY",
        ),
        errors::DOWNLOAD_TLS => (
            errors::NETWORK_TLS,
            format!("the certificate of {host} is not trusted here"),
            "if your network inspects TLS traffic, add its certificate to the system's trust store and to \
             minikube's: ~/.minikube/certs, then --minikube-arg=--embed-certs",
        ),
        errors::DOWNLOAD_REFUSED => (
            errors::NETWORK_PROXY,
            format!("access to {host} is denied"),
            "a proxy may require a login: check HTTPS_PROXY",
        ),
        _ => (
            errors::NETWORK,
            format!("{host} cannot be reached"),
            "check the network; if you use a proxy, set HTTPS_PROXY and NO_PROXY",
        ),
    };
    let first = Failure::new(id, Kind::Prerequisite, message);
    failure.causes.iter().fold(first, Failure::because).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";

    /// A line for `192.168.X.0/24` or another network.
    fn line(net: Ipv4Addr, bits: u32) -> String {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        format!(
            "eth0 {:08X} 00000000 0001 0 0 0 {:08X} 0 0 0\n",
            net.to_bits().swap_bytes(),
            mask.swap_bytes()
        )
    }

    #[test]
    fn the_first_free_subnet_is_found() {
        let lines = |nets: &[(Ipv4Addr, u32)]| {
            HEAD.to_owned() + &nets.iter().map(|(n, b)| line(*n, *b)).collect::<String>()
        };
        let found = |text: &str| match judge_subnets(text) {
            Verdict::Ok(found) => found,
            Verdict::Fail(failure) => failure.id.to_string(),
            other => format!("{other:?}"),
        };
        let default = (Ipv4Addr::UNSPECIFIED, 0);
        assert_eq!(found(&lines(&[default])), "192.168.49.0/24 is free");
        let one = (Ipv4Addr::new(192, 168, 49, 0), 24);
        assert_eq!(found(&lines(&[default, one])), "192.168.58.0/24 is free");
        let host = (Ipv4Addr::new(192, 168, 49, 7), 32);
        assert_eq!(found(&lines(&[host])), "192.168.58.0/24 is free");
        assert_eq!(found(&lines(&[(Ipv4Addr::new(192, 168, 0, 0), 16)])), "KS-NETWORK-SUBNET");
        assert_eq!(found("no such table"), "192.168.49.0/24 is free");
    }

    #[test]
    fn a_download_error_is_reported_in_the_words_of_a_check() {
        for (from, to) in [
            (errors::DOWNLOAD_DNS, errors::NETWORK_DNS),
            (errors::DOWNLOAD_TLS, errors::NETWORK_TLS),
            (errors::DOWNLOAD_REFUSED, errors::NETWORK_PROXY),
            (errors::DOWNLOAD_CONNECTION, errors::NETWORK),
        ] {
            let failure = worded(&Failure::new(from, Kind::Task, "x").because("y"), "h");
            assert_eq!((failure.id, failure.kind), (to, Kind::Prerequisite));
            assert!(failure.causes == ["y"] && failure.hints.len() == 1);
        }
    }
}
