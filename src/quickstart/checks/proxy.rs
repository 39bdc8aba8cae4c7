//! Proxy variables: traffic to the cluster must not go through the proxy.

use std::net::Ipv4Addr;

use super::{Ground, Host, Verdict};
use crate::failure::{Failure, Id, Kind};

/// The cluster's own addresses would be reached through the proxy, which cannot.
pub const RANGES: Id = Id("KS-PROXY-RANGES");

/// What must not go through a proxy: `(why, an address in it, the range)`. The first is where minikube's
/// docker and podman drivers put the node, the second Kubernetes' services, the third and fourth the
/// nodes of the other drivers (minikube's handbook, "Proxies").
const RANGES_NEEDED: [(&str, Ipv4Addr, &str); 2] = [
    ("the node", Ipv4Addr::new(192, 168, 49, 2), "192.168.49.0/24"),
    ("Kubernetes' services", Ipv4Addr::new(10, 96, 0, 1), "10.96.0.0/12"),
];

/// The proxy variables.
pub async fn proxy(ground: &Ground) -> Verdict {
    judge(&ground.host)
}

fn either<'a>(host: &'a Host, name: &str) -> Option<(&'static str, &'a str)> {
    let names = match name {
        "HTTPS_PROXY" => ["HTTPS_PROXY", "https_proxy"],
        "HTTP_PROXY" => ["HTTP_PROXY", "http_proxy"],
        _ => ["NO_PROXY", "no_proxy"],
    };
    names.into_iter().find_map(|name| Some((name, host.variable(name)?)))
}

fn judge(host: &Host) -> Verdict {
    let Some((variable, _)) = either(host, "HTTPS_PROXY").or_else(|| either(host, "HTTP_PROXY")) else {
        return Verdict::Ok("none is set".into());
    };
    let (name, exceptions) = either(host, "NO_PROXY").unwrap_or(("NO_PROXY", ""));
    let missing: Vec<_> = RANGES_NEEDED.iter().filter(|(_, at, _)| !covers(exceptions, *at)).collect();
    if missing.is_empty() {
        // Never the value itself: it may hold a password.
        return Verdict::Ok(format!("{variable} is set, and {name} leaves the cluster out"));
    }
    let ranges: Vec<&str> = missing.iter().map(|(_, _, range)| *range).collect();
    let failure = missing.iter().fold(
        Failure::new(
            RANGES,
            Kind::Prerequisite,
            format!("{variable} is set, and {name} does not leave out the cluster's own addresses"),
        ),
        |failure, (what, _, range)| failure.because(format!("{what}: {range}")),
    );
    let comma = if exceptions.is_empty() { "" } else { "," };
    Verdict::Warn(Box::new(failure.hint(format!("export {name}=\"${name}{comma}{}\"", ranges.join(",")))))
}

/// Whether a `NO_PROXY` list has this address, as Go's programs read it: `*`, addresses with or without a
/// port, ranges. Names do not count for an address.
fn covers(list: &str, at: Ipv4Addr) -> bool {
    list.split(',').map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((base, bits)) = entry.split_once('/') {
            let (Ok(base), Ok(bits)) = (base.parse::<Ipv4Addr>(), bits.parse::<u32>()) else { return false };
            return bits <= 32 && in_range(at, base, bits);
        }
        entry.split(':').next().is_some_and(|host| host.parse() == Ok(at))
    })
}

/// Whether an address is in a range of so many leading bits.
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
    fn a_proxy_must_leave_the_cluster_out() {
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
        assert_eq!(failure.id, RANGES);
        assert_eq!(failure.causes, ["the node: 192.168.49.0/24"]);
        assert_eq!(failure.hints, ["export no_proxy=\"$no_proxy,192.168.49.0/24\""]);
        assert!(!format!("{failure:?}").contains("secret"));
        let Verdict::Warn(failure) = judge(&host(&[("HTTP_PROXY", "http://p:1")])) else { panic!("both") };
        assert_eq!(failure.causes.len(), 2);
    }

    #[test]
    fn nonsense_covers_nothing() {
        for list in ["", ",", "10.96.0.1/33", "10.96.0.1/x", "example.com", "/8"] {
            assert!(!covers(list, Ipv4Addr::new(10, 96, 0, 1)), "{list}");
        }
        assert!(covers("0.0.0.0/0", Ipv4Addr::new(10, 96, 0, 1)));
    }
}
