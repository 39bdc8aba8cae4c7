//! minikube's command line.

use std::collections::BTreeMap;

use crate::io::End;

/// A command line taken apart.
pub struct Args {
    /// `start`, `profile` ...
    pub words: Vec<String>,
    /// `--name=value`; a switch is `true`.
    pub flags: BTreeMap<String, String>,
}

/// Every flag that is known; the second tells whether it takes a value in the next word.
const FLAGS: &[(&str, bool)] = &[
    ("profile", true),
    ("output", true),
    ("driver", true),
    ("memory", true),
    ("cpus", true),
    ("nodes", true),
    ("kubernetes-version", true),
    ("container-runtime", true),
    ("cni", true),
    ("base-image", true),
    ("disk-size", true),
    ("format", true),
    ("layout", true),
    ("wait", true),
    ("addons", true),
    ("image-repository", true),
    ("extra-config", true),
    ("feature-gates", true),
    ("apiserver-port", true),
    ("registry-mirror", true),
    ("insecure-registry", true),
    ("docker-env", true),
    ("network", true),
    ("listen-address", true),
    ("ports", true),
    ("mount-string", true),
    ("iso-url", true),
    ("wait-timeout", true),
    ("subnet", true),
    ("static-ip", true),
    ("uuid", true),
    ("namespace", true),
    ("stderrthreshold", true),
    ("length", true),
    ("last-start-only", false),
    ("alsologtostderr", false),
    ("force", false),
    ("preload", false),
    ("keep-context", false),
    ("embed-certs", false),
    ("light", false),
    ("all", false),
    ("purge", false),
    ("delete-on-failure", false),
    ("install-addons", false),
    ("interactive", false),
    ("download-only", false),
    ("short", false),
    ("components", false),
    ("mount", false),
    ("daemon", false),
    ("overwrite", false),
    ("pull", false),
    ("help", false),
    ("cache-images", false),
];

impl Args {
    /// Parse; an unknown flag is a usage error without JSON, whatever `-o` says (recording 25).
    pub fn parse(args: &[String]) -> Result<Self, End> {
        let mut out = Self { words: Vec::new(), flags: BTreeMap::new() };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.strip_prefix("--").or(word.strip_prefix('-')) {
                None => {
                    out.words.push(word.clone());
                    continue;
                }
                Some(flag) => flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned()))),
            };
            let name = match (word.starts_with("--"), name) {
                (false, "p") => "profile",
                (false, "o") => "output",
                (false, "f") => "format",
                (false, "l") if out.words.first().is_some_and(|w| w == "profile") => "light",
                (false, "l") => "layout",
                (false, "n") => "nodes",
                (false, "c") => "container-runtime",
                (_, other) => other,
            };
            let Some((name, valued)) = FLAGS.iter().find(|(known, _)| *known == name) else {
                let verb = out.words.first().map_or("", String::as_str);
                let text = format!("Error: unknown flag: {word}\nSee 'minikube {verb} --help' for usage.");
                eprintln!("{text}");
                return Err(End::Exit(14));
            };
            let value = match value {
                Some(value) => value,
                None if *valued => words.next().cloned().unwrap_or_default(),
                None => "true".into(),
            };
            out.flags.insert((*name).to_owned(), value);
        }
        Ok(out)
    }

    /// A flag.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }

    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        self.flag(name).is_some_and(|v| v != "false")
    }

    /// `-p`, else `minikube`.
    pub fn profile(&self) -> &str {
        self.flag("profile").unwrap_or("minikube")
    }
}
