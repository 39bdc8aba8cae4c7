//! Runs every parser of foreign input with inputs that once caused problems (`corpus/`) and with random input.
//! `docs/testing.md` describes how to run it for longer.
//!
//! A file of the corpus is named after its expected result: `ok--NAME`, or `ERROR-ID--NAME`.

mod bundles;
mod corpus;
mod properties;
mod secrets;
mod settings;

use std::path::Path;

use kstrim::internals::config::files;
use kstrim::internals::failure::Result;
use kstrim::internals::kafka::records::{Entry, MAX_RECORD, Records, Step};
use kstrim::internals::kube::proxy as kubectl_proxy;
use kstrim::internals::manifest::{load, retarget, split, tune};
use kstrim::internals::names::{
    ClusterName, DnsLabel, KubernetesVersion, Minor, ProfileName, StorageSize, ToolSpec, TopicName, Version,
};
use kstrim::internals::tool::minikube_output;
use kstrim::internals::toolbox::checksum;

/// Takes bytes, and gives the error's id, `none` or `ok`.
type Parser = fn(&[u8]) -> String;

/// The parsers by their name, which is that of their directory in the corpus.
pub const PARSERS: [(&str, Parser); 9] = [
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
    ("records", |bytes| records(bytes)),
    ("http-head", |bytes| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut left = bytes;
        let status = runtime.block_on(kubectl_proxy::head(&mut left));
        assert!(bytes.len() - left.len() <= 64 << 10, "a head of {} bytes", bytes.len() - left.len());
        some(status.is_some())
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

/// One partition's part of a fetch response. Checksums are recomputed first, or changed input would not get past that
/// check; then it is read in each mode, from its beginning and from its middle.
fn records(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    checksums(&mut bytes);
    let bytes = bytes::Bytes::from(bytes);
    let mut ok = true;
    for (from, decompress) in [(0, true), (0, false), (3, true)] {
        for committed in [false, true] {
            let mut records = Records::new(bytes.clone(), from, decompress);
            if committed {
                records = records.without([(0, 0), (2, 1), (i64::MIN, i64::MAX)]);
            }
            let mut steps = 0_u64;
            let mut next = records.next_offset();
            while let Some(step) = records.step() {
                steps += 1;
                assert!(steps < 200_000_000, "no end");
                assert!(records.next_offset() >= next, "it goes back");
                next = records.next_offset();
                match step {
                    Ok(Step::Entry(Entry::Record(record))) => {
                        assert!(record.offset >= from && record.value.is_none_or(|v| v.len() <= MAX_RECORD));
                    }
                    Ok(_) => {}
                    Err(_) => {
                        ok = false;
                        assert!(records.step().is_none(), "something after an error");
                    }
                }
            }
        }
    }
    // Only Linux reports a process's peak memory. Other tests run in the same process, too.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0);
    assert!(most < 1 << 20, "{most} kB of memory");
    if ok { "ok" } else { "none" }.to_owned()
}

/// Recompute the checksum of every complete batch.
fn checksums(bytes: &mut [u8]) {
    let mut at = 0;
    while at + 61 <= bytes.len() {
        let length = i32::from_be_bytes([bytes[at + 8], bytes[at + 9], bytes[at + 10], bytes[at + 11]]);
        let Ok(length) = usize::try_from(length) else { return };
        let Some(end) = at.checked_add(12 + length).filter(|end| *end <= bytes.len() && length > 49) else {
            return;
        };
        if bytes[at + 16] == 2 {
            let sum = crc32c::crc32c(&bytes[at + 21..end]);
            bytes[at + 17..at + 21].copy_from_slice(&sum.to_be_bytes());
        }
        at = end;
    }
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
    let _ = kstrim::internals::names::memory_mb(text);
    some(all.contains(&true))
}
