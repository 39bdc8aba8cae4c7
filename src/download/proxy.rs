//! Which proxy a URL goes through: `HTTPS_PROXY` or `HTTP_PROXY` by its scheme, otherwise `ALL_PROXY`, unless
//! `NO_PROXY` names its host; each in upper or lower case. (The HTTP client's own implementation uses the first of
//! them for every scheme.)

use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// The proxy for a URL, if there is one.
///
/// # Errors
///
/// `KS-DOWNLOAD-PROXY` naming the variable, never its value, which may contain a password.
pub(super) fn of(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Proxy>> {
    let Ok(uri) = url.parse::<Uri>() else { return Ok(None) };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    let lookup = |name: &str| {
        let found = env(name).map(|v| (name.to_owned(), v));
        let lower = || env(&name.to_ascii_lowercase()).map(|v| (name.to_ascii_lowercase(), v));
        found.or_else(lower).filter(|(_, value)| !value.trim().is_empty())
    };
    if is_local(&host) || lookup("NO_PROXY").is_some_and(|(_, list)| excepted(&list, &host, port)) {
        return Ok(None);
    }
    let own = lookup(if https { "HTTPS_PROXY" } else { "HTTP_PROXY" });
    let Some((name, value)) = own.or_else(|| lookup("ALL_PROXY")) else { return Ok(None) };
    let refuse = |why: &str| {
        let message = format!("the proxy in {name} cannot be used");
        let failure = Failure::new(errors::DOWNLOAD_PROXY, Kind::Prerequisite, message).because(why);
        Box::new(
            failure
                .hint(format!("set {name}=http://HOST:PORT, or NO_PROXY={host} to connect without a proxy")),
        )
    };
    if value.trim().to_ascii_lowercase().starts_with("socks") {
        return Err(refuse("it is a SOCKS proxy; kstrim supports only HTTP proxies"));
    }
    Proxy::new(value.trim()).map(Some).map_err(|_| refuse("it is not the URL of a proxy"))
}

/// No proxy is used for this machine itself, as in Go programs such as minikube.
fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a NO_PROXY list contains the host: `*`, a name (including its subdomains), `.name` (its subdomains), an
/// address, a network `10.0.0.0/8`; all but the network with an optional `:port`.
fn excepted(list: &str, host: &str, port: u16) -> bool {
    let address = host.parse::<IpAddr>().ok();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|e| !e.is_empty()).any(|entry| {
        if let Some((network, bits)) = entry.split_once('/') {
            let network = network.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
            return address.zip(network).is_some_and(|(ip, (net, bits))| within(ip, net, bits));
        }
        if let Ok(ip) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
            return address == Some(ip);
        }
        let (name, only) = match entry.rsplit_once(':').map(|(name, p)| (name, p.parse::<u16>())) {
            Some((name, Ok(only))) => (name.trim_matches(['[', ']']), Some(only)),
            _ => (entry.as_str(), None),
        };
        if only.is_some_and(|only| only != port) {
            return false;
        }
        match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            Some(below) => host.strip_suffix(below).is_some_and(|rest| rest.ends_with('.')),
            None => name == "*" || host == name || host.strip_suffix(name).is_some_and(|r| r.ends_with('.')),
        }
    })
}

fn within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(net)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            ip.to_bits() & mask == net.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            ip.to_bits() & mask == net.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `host:port` of the proxy, `none`, or the failure's message.
    fn through(url: &str, variables: &[(&str, &str)]) -> String {
        let env = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        match of(url, &env) {
            Ok(Some(proxy)) => format!("{}:{}", proxy.host(), proxy.port()),
            Ok(None) => "none".into(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn the_scheme_decides() {
        let both = [("HTTP_PROXY", "http://h:1"), ("https_proxy", "s:2")];
        assert_eq!(through("http://example.org/", &both), "h:1");
        assert_eq!(through("https://example.org/", &both), "s:2");
        assert_eq!(through("https://example.org/", &both[..1]), "none");
        let all = [("ALL_PROXY", "http://a:3"), ("HTTP_PROXY", "")];
        assert_eq!(through("http://example.org/", &all), "a:3");
        assert_eq!(through("https://example.org/", &[]), "none");
        assert_eq!(through("http://127.0.0.1:8000/", &both), "none");
        assert_eq!(through("http://localhost/", &both), "none");
    }

    #[test]
    fn no_proxy_names_hosts() {
        let with = |list: &str, url: &str| {
            through(url, &[("ALL_PROXY", "http://a:3"), ("NO_PROXY", list)]) == "none"
        };
        for (list, url) in [
            ("*", "https://x.org/"),
            ("x.org", "https://x.org/"),
            ("x.org", "https://a.b.x.org/"),
            ("y, .x.org", "https://a.x.org/"),
            ("*.x.org", "https://a.x.org/"),
            ("X.ORG:443", "https://x.org/"),
            ("10.0.0.0/8", "http://10.1.2.3/"),
            ("10.1.2.3", "http://10.1.2.3:99/"),
            ("fd00::/8", "http://[fd12::1]/"),
            ("0.0.0.0/0", "http://10.1.2.3/"),
        ] {
            assert!(with(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("", "https://x.org/"),
            ("x.org", "https://ax.org/"),
            (".x.org", "https://x.org/"),
            ("x.org:80", "https://x.org/"),
            ("10.0.0.0/8", "http://11.1.2.3/"),
            ("10.0.0.0/99", "http://10.1.2.3/"),
            ("org.x", "https://x.org/"),
        ] {
            assert!(!with(list, url), "{list} {url}");
        }
    }

    #[test]
    fn unusable_proxies_are_reported_without_their_password() {
        for value in ["socks5://u:secret@h:1", "ftp://u:secret@h", "http://"] {
            let env = |name: &str| (name == "HTTPS_PROXY").then(|| value.to_owned());
            let failure = of("https://x.org/", &env).expect_err(value);
            let told = format!("{failure} {:?} {:?}", failure.causes, failure.hints);
            assert_eq!(failure.id, errors::DOWNLOAD_PROXY);
            assert!(told.contains("HTTPS_PROXY") && !told.contains("secret"), "{told}");
        }
    }
}
