//! The command lines of minikube and kubectl.

use crate::io::End;

#[derive(Debug, Clone, Default)]
pub struct Args {
    /// The words that are neither flags nor after `--`: `start`, `profile list`, `get pods`.
    pub words: Vec<String>,
    /// After `--`.
    pub rest: Vec<String>,
    flags: Vec<(String, String)>,
}

/// A program's flags.
struct Known {
    /// Those whose value is the next word.
    valued: &'static str,
    /// The others; `None`: any.
    switches: Option<&'static str>,
    /// The long name of a short flag of a verb.
    long: for<'a> fn(&'a str, &str) -> &'a str,
}

const MINIKUBE: Known = Known {
    valued: "profile output driver memory cpus nodes kubernetes-version container-runtime cni base-image disk-size \
        format layout wait addons image-repository extra-config feature-gates apiserver-port registry-mirror \
        insecure-registry docker-env network listen-address ports mount-string iso-url wait-timeout subnet static-ip \
        uuid namespace stderrthreshold length node",
    switches: Some(
        "last-start-only alsologtostderr force preload keep-context embed-certs light all purge delete-on-failure \
        install-addons interactive download-only short components mount daemon overwrite pull help cache-images \
        all-namespaces",
    ),
    long: |short, verb| match short {
        "p" => "profile",
        "o" => "output",
        "f" => "format",
        "l" if verb == "profile" => "light",
        "l" => "layout",
        "n" if verb == "ssh" => "node",
        "n" => "nodes",
        "A" => "all-namespaces",
        "c" => "container-runtime",
        other => other,
    },
};

const KUBECTL: Known = Known {
    valued: "kubeconfig context namespace output selector field-selector filename field-manager type patch timeout \
        request-timeout as container tail for cache-dir server raw address since since-time cluster user replicas limit \
        image pod-running-timeout unix-socket reject-methods",
    switches: None,
    long: |short, verb| match short {
        "n" => "namespace",
        "o" => "output",
        "l" => "selector",
        "f" if verb != "logs" => "filename",
        "f" => "follow",
        "c" => "container",
        "s" => "server",
        "p" if verb == "logs" => "previous",
        "p" => "patch",
        "A" => "all-namespaces",
        other => other,
    },
};

impl Args {
    /// minikube's; an unknown flag is a usage error without JSON, whatever `-o` says (recording 25).
    pub fn minikube(args: &[String]) -> Result<Self, End> {
        Self::parse(args, &MINIKUBE).map_err(|(verb, flag)| {
            eprintln!("Error: unknown flag: {flag}\nSee 'minikube {verb} --help' for usage.");
            End::Exit(14)
        })
    }

    pub fn kubectl(args: &[String]) -> Self {
        Self::parse(args, &KUBECTL).unwrap_or_default()
    }

    /// `Err`: the command, and its unknown flag.
    fn parse(args: &[String], known: &Known) -> Result<Self, (String, String)> {
        let among = |list: &str, name: &str| list.split_whitespace().any(|flag| flag == name);
        let mut out = Self::default();
        let mut words = args.iter().cloned();
        while let Some(word) = words.next() {
            let (name, value) = if word == "--" {
                out.rest = words.by_ref().collect();
                continue;
            } else if let Some(long) = word.strip_prefix("--") {
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)))
            } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
                let value = short[1..].trim_start_matches('=');
                ((known.long)(&short[..1], out.verb()), Some(value).filter(|value| !value.is_empty()))
            } else {
                out.words.push(word);
                continue;
            };
            let valued = among(known.valued, name);
            if !valued && known.switches.is_some_and(|switches| !among(switches, name)) {
                return Err((out.verb().to_owned(), word));
            }
            let value = match value {
                Some(value) => value.to_owned(),
                None if valued => words.next().unwrap_or_default(),
                None => "true".to_owned(),
            };
            out.flags.push((name.to_owned(), value));
        }
        Ok(out)
    }

    pub fn verb(&self) -> &str {
        self.word(0)
    }

    /// A word, or "".
    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    pub fn with_words(&self, words: Vec<String>) -> Self {
        Self { words, ..self.clone() }
    }

    pub fn objects(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// A flag's last value.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        self.flag(name).is_some_and(|v| v != "false")
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.flags.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// A flag's duration in ms: `30s`, `5m`, `500ms`.
    pub fn duration(&self, name: &str) -> Option<u64> {
        let value = self.flag(name)?;
        let digits = value.trim_end_matches(|k: char| k.is_alphabetic());
        let unit = match &value[digits.len()..] {
            "ms" => 1.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => 1000.0,
        };
        Some((digits.parse::<f64>().ok()? * unit) as u64)
    }

    /// minikube's `-p`, else `minikube`.
    pub fn profile(&self) -> &str {
        self.flag("profile").unwrap_or("minikube")
    }
}
