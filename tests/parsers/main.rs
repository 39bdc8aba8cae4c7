//! Everything that reads what others wrote, against inputs that were once trouble (`corpus/`) and against
//! what chance makes of them. `docs/testing.md` says how to let it run for longer.
//!
//! A file of the corpus is called after what must become of it: `ok--NAME`, or `ERROR-ID--NAME`.

mod bundles;
mod corpus;
mod properties;
mod secrets;
mod settings;

use std::path::Path;

use kstrim::config::files;
use kstrim::failure::Result;
use kstrim::manifest::{load, retarget, split, tune};
use kstrim::names::{
    ClusterName, DnsLabel, KubernetesVersion, Minor, ProfileName, StorageSize, ToolSpec, TopicName, Version,
};
use kstrim::tool::minikube_output;
use kstrim::toolbox::checksum;

/// Takes bytes, and gives the error's id, `none` or `ok`.
type Parser = fn(&[u8]) -> String;

/// The parsers by their name, which is that of their folder in the corpus.
pub const PARSERS: [(&str, Parser); 7] = [
    ("manifest", |bytes| told(manifest(bytes))),
    ("checksum", |bytes| told(checksum::parse("corpus", bytes, "kubectl").map(drop))),
    ("settings", |bytes| told(settings(bytes))),
    ("minikube-profiles", |bytes| {
        some(minikube_output::profile(&String::from_utf8_lossy(bytes), "kstrim").is_some())
    }),
    ("minikube-status", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        [0, 7, 85].iter().for_each(|code| drop(minikube_output::status(*code, &text, &text)));
        some(minikube_output::status(0, &text, "").is_some())
    }),
    ("minikube-events", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        drop(minikube_output::config_view(&text));
        some(text.lines().any(|line| minikube_output::start_event(line).is_some()))
    }),
    ("names", |bytes| names(&String::from_utf8_lossy(bytes))),
];

fn told(result: Result<()>) -> String {
    result.map_or_else(|failure| failure.id.to_string(), |()| "ok".to_owned())
}

fn some(found: bool) -> String {
    if found { "ok" } else { "none" }.to_owned()
}

/// All that `up` does to a manifest before anything of it is applied.
fn manifest(bytes: &[u8]) -> Result<()> {
    let mut objects = load::from_bytes("corpus", bytes)?;
    retarget(&mut objects, "kafka")?;
    let operator = tune::operator(&mut objects)?;
    tune::tune_operator(operator)?;
    let count = objects.len();
    assert_eq!(split(objects).in_order().len(), count, "objects were lost");
    Ok(())
}

/// The parser takes text; what is none is refused by the reader before it.
fn settings(bytes: &[u8]) -> Result<()> {
    files::parse(Path::new("/corpus/kstrim.yaml"), &String::from_utf8_lossy(bytes)).map(drop)
}

/// What every name promises: safe in an argv, on a screen and as a file's name.
fn names(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    fn one<T: std::str::FromStr<Err: std::fmt::Display> + ToString>(text: &str) -> bool {
        match text.parse::<T>() {
            Ok(name) => {
                let shown = name.to_string();
                let safe = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
                assert!(!shown.starts_with('-') && shown.chars().all(safe), "{shown:?}");
                assert!(shown.parse::<T>().is_ok(), "{shown:?} is not read again");
                true
            }
            Err(error) => {
                assert!(!error.to_string().chars().any(char::is_control), "{error}");
                false
            }
        }
    }
    let all = [
        one::<Version>(text),
        one::<Minor>(text),
        one::<KubernetesVersion>(text),
        one::<ProfileName>(text),
        one::<DnsLabel>(text),
        one::<ClusterName>(text),
        one::<TopicName>(text),
        one::<StorageSize>(text),
        one::<ToolSpec>(text),
    ];
    let _ = minikube_output::memory_mb(text);
    some(all.contains(&true))
}
