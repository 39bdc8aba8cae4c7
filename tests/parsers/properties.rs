//! Random input: the corpus with bytes changed, removed, duplicated and mixed, and random bytes. No parser may panic,
//! or take long.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;

use crate::{PARSERS, corpus};

/// No input of this size may keep a parser busy for longer, also in an unoptimised build.
const LIMIT: Duration = Duration::from_secs(10);
/// Inputs that are larger are for the corpus' own test: changing them takes too long here.
const LARGEST: usize = 8 << 10;

static INPUTS: LazyLock<Vec<Vec<Vec<u8>>>> = LazyLock::new(|| {
    let small = |parser: &str| {
        let all = corpus::files(parser).into_iter().map(|(_, bytes)| bytes);
        all.filter(|bytes| !bytes.is_empty() && bytes.len() <= LARGEST).collect()
    };
    PARSERS.iter().map(|(parser, _)| small(parser)).collect()
});

/// A change of an input.
#[derive(Debug, Clone)]
enum Change {
    Cut(Index, usize),
    Insert(Index, Vec<u8>),
    Flip(Index, u8),
    Double(Index, usize),
    /// Go on with another input.
    Graft(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    // What means something to some parser, so that more comes of it than noise.
    let telling = prop::sample::select(vec![
        "\n",
        "---\n",
        ": ",
        "- ",
        "&a ",
        "*a",
        "<<: *a",
        "!x ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "null",
        "~",
        "{}",
        "0",
        "-1",
        "1e999",
        "99999999999999999999",
        ".",
        "..",
        "@",
        "/",
        "=",
        "\u{0}",
        "\u{1b}[31m",
        "\u{feff}",
        "é",
        "ß",
    ]);
    prop_oneof![
        (any::<Index>(), 1_usize..40).prop_map(|(at, n)| Change::Cut(at, n)),
        (any::<Index>(), telling).prop_map(|(at, text)| Change::Insert(at, text.as_bytes().to_vec())),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, b)| Change::Insert(at, b)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (any::<Index>(), 1_usize..200).prop_map(|(at, n)| Change::Double(at, n)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, of)| Change::Graft(at, of)),
    ]
}

fn changed(inputs: &[Vec<u8>], first: &Index, changes: &[Change]) -> Vec<u8> {
    let mut bytes = first.get(inputs).clone();
    for change in changes {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match change {
            Change::Cut(at, n) => {
                let from = place(at, &bytes);
                let to = (from + n).min(bytes.len());
                bytes.drain(from..to);
            }
            Change::Insert(at, more) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Flip(at, bits) => {
                let at = place(at, &bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Change::Double(at, n) => {
                let from = place(at, &bytes);
                let to = (from + n).min(bytes.len());
                let part = bytes[from..to].to_vec();
                bytes.splice(to..to, part);
            }
            Change::Graft(at, of) => {
                let at = place(at, &bytes);
                bytes.truncate(at);
                bytes.extend(of.get(inputs));
            }
        }
    }
    bytes
}

fn quickly(parser: usize, bytes: &[u8]) {
    let began = Instant::now();
    let (name, parse) = PARSERS[parser];
    parse(bytes);
    assert!(began.elapsed() < LIMIT, "{name} took {:?}", began.elapsed());
}

proptest! {
    #[test]
    fn changed_inputs_do_not_panic(
        parser in 0..PARSERS.len(), first in any::<Index>(), changes in prop::collection::vec(change(), 1..8),
    ) {
        quickly(parser, &changed(&INPUTS[parser], &first, &changes));
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        (0..PARSERS.len()).for_each(|parser| quickly(parser, &bytes));
    }

    #[test]
    fn random_text_does_not_panic(text in "\\PC{0,120}") {
        (0..PARSERS.len()).for_each(|parser| quickly(parser, text.as_bytes()));
    }

    /// A valid version is what it says, whatever stands around it.
    #[test]
    fn versions_are_read_and_written(major in 0_u32..99, minor in 0_u32..99, patch in 0_u32..999, pre in "(-[a-z]{1,5}(\\.[0-9]{1,3})?)?") {
        let text = format!("{major}.{minor}.{patch}{pre}");
        let version: kstrim::internals::names::Version = text.parse().unwrap();
        prop_assert_eq!(version.to_string(), text.clone());
        prop_assert_eq!(format!("v{text}").parse::<kstrim::internals::names::Version>().unwrap(), version.clone());
        for bad in [format!("{text}/"), format!(" {text}"), format!("{text}\n"), format!("-{text}"), format!("0{text}")] {
            prop_assert!(bad.parse::<kstrim::internals::names::Version>().is_err(), "{bad:?}");
        }
        // A later patch is newer, and a release is newer than its own candidates.
        let later = kstrim::internals::names::Version { patch: patch + 1, ..version.clone() };
        prop_assert!(later > version);
        let released = kstrim::internals::names::Version { pre: None, ..version.clone() };
        prop_assert!(released >= version);
    }

    /// Sizes as minikube writes them.
    #[test]
    fn memory_is_read_in_any_unit(mb in 1_u64..10_000_000) {
        use kstrim::internals::names::memory_mb;
        for text in [format!("{mb}"), format!("{mb}m"), format!("{mb}MB"), format!("{mb}MiB"), format!("{}k", mb * 1024)] {
            prop_assert_eq!(memory_mb(&text), Some(mb), "{}", text);
        }
        prop_assert_eq!(memory_mb(&format!("{mb}g")), Some(mb * 1024));
    }
}
