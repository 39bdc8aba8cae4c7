//! Proxy variables: traffic to the cluster must not go through the proxy.

use std::net::Ipv4Addr;

use super::{Ground, Host, Verdict};
use crate::errors;
use crate::failure::{Failure, Kind};

/// The addresses of Kubernetes' services unless `--service-cluster-ip-range` sets others.
const SERVICES: &str = "10.96.0.0/12";

/// What must not go through a proxy: `(why, the range)`. The ranges are those of minikube's handbook, "Proxies and
/// VPNs"; the driver determines which one the node's address is in. Addresses of pods (10.244.0.0/16) are not used
/// outside the cluster, and Go's and Rust's HTTP clients never use a proxy for this machine (`localhost`,
/// `127.0.0.1`: the ports that kstrim forwards).
fn needed(driver: &str, arguments: &[String]) -> Vec<(&'static str, String)> {
    let node = match driver {
        "virtualbox" => Some("192.168.59.0/24"),
        "kvm2" | "kvm" => Some("192.168.39.0/24"),
        "docker" | "podman" => Some("192.168.49.0/24"),
        // hyperkit, qemu, vfkit, ssh ...: an address that this machine assigns.
        _ => None,
    };
    let flag = "--service-cluster-ip-range";
    let given = arguments.iter().enumerate().find_map(|(at, argument)| {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        match value {
            _ if name != flag => None,
            "" => arguments.get(at + 1).map(String::as_str),
            value => Some(value),
        }
    });
    let services = ("Kubernetes' services", given.unwrap_or(SERVICES).to_owned());
    node.map(|range| ("the node", range.to_owned())).into_iter().chain([services]).collect()
}

/// The proxy variables.
pub(crate) async fn proxy(ground: &Ground) -> Verdict {
    if variable(&ground.host).is_none() {
        // The driver does not matter if no proxy is set.
        return judge(&ground.host, "docker", &[]);
    }
    let driver = ground.engine().await.driver.as_deref().unwrap_or("docker");
    judge(&ground.host, driver, &ground.settings.minikube_args)
}

fn either<'a>(host: &'a Host, name: &str) -> Option<(&'static str, &'a str)> {
    let names = match name {
        "HTTPS_PROXY" => ["HTTPS_PROXY", "https_proxy"],
        "HTTP_PROXY" => ["HTTP_PROXY", "http_proxy"],
        _ => ["NO_PROXY", "no_proxy"],
    };
    names.into_iter().find_map(|name| Some((name, host.variable(name)?)))
}

fn variable(host: &Host) -> Option<&'static str> {
    either(host, "HTTPS_PROXY").or_else(|| either(host, "HTTP_PROXY")).map(|(name, _)| name)
}

fn judge(host: &Host, driver: &str, arguments: &[String]) -> Verdict {
    let Some(variable) = variable(host) else {
        return Verdict::Ok("none is set".into());
    };
    let (name, exceptions) = either(host, "NO_PROXY").unwrap_or(("NO_PROXY", ""));
    let missing: Vec<_> =
        needed(driver, arguments).into_iter().filter(|(_, range)| !covers(exceptions, range)).collect();
    if missing.is_empty() {
        // Never print the value: it may contain a password.
        return Verdict::Ok(format!("{variable} is set, and {name} excludes the cluster"));
    }
    let ranges: Vec<&str> = missing.iter().map(|(_, range)| range.as_str()).collect();
    let failure = missing.iter().fold(
        Failure::new(
            errors::PROXY_RANGES,
            Kind::Prerequisite,
            format!("{variable} is set, but {name} does not exclude the cluster's own addresses"),
        ),
        |failure, (what, range)| failure.because(format!("{what}: {range}")),
    );
    let comma = if exceptions.is_empty() { "" } else { "," };
    Verdict::Warn(Box::new(failure.hint(format!("export {name}=\"${name}{comma}{}\"", ranges.join(",")))))
}

/// Whether a `NO_PROXY` list covers a range, as Go programs read it: `*`, or ranges. A single address (with or
/// without a port) is assumed to be the relevant one: a node has one address, and the API server's is the first one
/// of the services. Names do not apply to addresses.
fn covers(list: &str, range: &str) -> bool {
    let Some((base, bits)) = parse(range) else { return true };
    list.split(',').map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        match parse(entry) {
            Some((wider, fewer)) => fewer <= bits && in_range(base, wider, fewer),
            None => entry
                .split(':')
                .next()
                .and_then(|host| host.parse().ok())
                .is_some_and(|host| in_range(host, base, bits)),
        }
    })
}

fn parse(range: &str) -> Option<(Ipv4Addr, u32)> {
    let (base, bits) = range.split_once('/')?;
    Some((base.parse().ok()?, bits.parse().ok().filter(|bits| *bits <= 32)?))
}

/// Whether an address is in a range with this prefix length.
pub(super) fn in_range(at: Ipv4Addr, base: Ipv4Addr, bits: u32) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    at.to_bits() & mask == base.to_bits() & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(pairs: &[(&str, &str)]) -> Host {
        let variables = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Host { variables, ..Host::default() }
    }

    #[test]
    fn a_proxy_must_exclude_the_cluster() {
        let judge = |host: &Host| judge(host, "docker", &[]);
        assert!(matches!(judge(&host(&[])), Verdict::Ok(_)));
        assert!(matches!(judge(&host(&[("NO_PROXY", "x")])), Verdict::Ok(_)));
        let proxy = ("https_proxy", "http://user:secret@proxy:3128");
        for list in [
            "*",
            "192.168.49.0/24,10.96.0.0/12",
            " 192.168.0.0/16 , 10.0.0.0/8",
            "192.168.49.2:8443,10.96.0.1",
        ] {
            assert!(matches!(judge(&host(&[proxy, ("NO_PROXY", list)])), Verdict::Ok(_)), "{list}");
        }
        let Verdict::Warn(failure) = judge(&host(&[proxy, ("no_proxy", "localhost,10.0.0.0/8")])) else {
            panic!("the node's range is missing")
        };
        assert_eq!(failure.id, errors::PROXY_RANGES);
        assert_eq!(failure.causes, ["the node: 192.168.49.0/24"]);
        assert_eq!(failure.hints, ["export no_proxy=\"$no_proxy,192.168.49.0/24\""]);
        assert!(!format!("{failure:?}").contains("secret"));
        let Verdict::Warn(failure) = judge(&host(&[("HTTP_PROXY", "http://p:1")])) else { panic!("both") };
        assert_eq!(failure.causes.len(), 2);
    }

    #[test]
    fn ranges_depend_on_the_driver_and_the_services() {
        let ranges = |driver: &str, arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
            needed(driver, &arguments).into_iter().map(|(_, range)| range).collect::<Vec<_>>()
        };
        assert_eq!(ranges("docker", &[]), ["192.168.49.0/24", "10.96.0.0/12"]);
        assert_eq!(ranges("kvm2", &[]), ["192.168.39.0/24", "10.96.0.0/12"]);
        assert_eq!(ranges("virtualbox", &["--force"]), ["192.168.59.0/24", "10.96.0.0/12"]);
        assert_eq!(ranges("ssh", &["--service-cluster-ip-range=172.20.0.0/16"]), ["172.20.0.0/16"]);
        assert_eq!(ranges("ssh", &["--service-cluster-ip-range", "172.20.0.0/16"]), ["172.20.0.0/16"]);
    }

    #[test]
    fn an_invalid_list_covers_nothing() {
        for list in ["", ",", "10.96.0.1/33", "10.96.0.1/x", "example.com", "/8", "10.96.0.0/16", "10.0.0.1"]
        {
            assert!(!covers(list, SERVICES), "{list}");
        }
        assert!(covers("0.0.0.0/0", SERVICES) && covers("10.96.0.0/12", SERVICES));
    }
}
