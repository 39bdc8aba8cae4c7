//! Commands for users to run: hints, and next steps.
//!
//! A [`CommandLine`] is an argv until it is displayed. The flags that name the cluster come from the run that prints
//! it (`Target::kstrim` and similar create it); a flag among its own words replaces one of those, because clap
//! rejects duplicate flags.

use std::fmt;

use crate::redact;

/// One word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A flag that names a cluster, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// `--namespace`.
    pub long: &'static str,
    /// The value.
    pub value: String,
}

/// Flags that name the cluster, each with a value, and their short forms.
pub(crate) const TARGET: [(&str, &str); 4] =
    [("--profile", "-p"), ("--context", "--context"), ("--namespace", "-n"), ("--cluster", "-c")];

/// A command: what to run, and on which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
    aims: Vec<Aim>,
}

impl CommandLine {
    /// A command without a cluster: a program and fixed arguments, separated by blanks.
    pub fn new(words: &'static str) -> Self {
        Self { words: words.split_whitespace().map(str::to_owned).collect(), aims: Vec::new() }
    }

    /// A command on the cluster that these flags name.
    pub fn aimed(words: &'static str, aims: Vec<Aim>) -> Self {
        Self { aims, ..Self::new(words) }
    }

    /// A command of minikube on a profile.
    pub fn minikube(words: &'static str, profile: &str) -> Self {
        let aim = Aim { long: "-p", value: profile.to_owned() };
        Self::aimed("minikube", vec![aim]).args(words.split_whitespace())
    }

    /// The command of this process, as it was typed, without secrets, on the cluster that these flags name.
    pub fn typed(aims: Vec<Aim>) -> Self {
        let words: Vec<String> =
            std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        Self::aimed("kstrim", aims).args(redact::arguments(&words))
    }

    /// The command, after flags that name the cluster.
    pub fn verb(&self) -> Option<&str> {
        let mut words = self.words.iter().skip(1).map(String::as_str);
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                return Some(word);
            }
            if TARGET.iter().any(|(long, short)| word == *long || word == *short) {
                words.next();
            }
        }
        None
    }

    /// Add one word; it is quoted if necessary.
    #[must_use]
    pub fn arg(mut self, word: impl fmt::Display) -> Self {
        self.words.push(word.to_string());
        self
    }

    /// Add a flag without a value, before the words that belong to another program.
    #[must_use]
    pub fn flag(mut self, flag: &'static str) -> Self {
        let end = self.words.iter().position(|word| word == "--").unwrap_or(self.words.len());
        self.words.insert(end, flag.to_owned());
        self
    }

    /// Add words.
    #[must_use]
    pub fn args<T: fmt::Display>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.to_string()));
        self
    }

    /// Add a word if `wanted`.
    #[must_use]
    pub fn arg_if(self, wanted: bool, word: &'static str) -> Self {
        if wanted { self.arg(word) } else { self }
    }

    /// Set the value of a flag, replacing an existing one.
    #[must_use]
    pub fn with(mut self, long: &'static str, value: impl fmt::Display) -> Self {
        let replaced = |word: &str| same(long).any(|(long, short)| is_flag(word, long, Some(short)));
        let alone = |word: &str| same(long).any(|(long, short)| word == long || word == short);
        let (mut kept, mut words) = (Vec::new(), std::mem::take(&mut self.words).into_iter());
        while let Some(word) = words.next() {
            if alone(&word) {
                words.next();
            } else if !replaced(&word) {
                kept.push(word);
            }
        }
        self.words = kept;
        let end = self.words.iter().position(|word| word == "--").unwrap_or(self.words.len());
        self.words.splice(end..end, [long.to_owned(), value.to_string()]);
        self
    }

    /// Remove a flag without a value.
    #[must_use]
    pub fn without(mut self, flag: &'static str) -> Self {
        self.words.retain(|word| word != flag);
        self
    }

    /// The whole command as words.
    pub fn argv(&self) -> Vec<String> {
        let end = self.words.iter().position(|word| word == "--").unwrap_or(self.words.len());
        let (own, rest) = self.words.split_at(end);
        let given = |aim: &&Aim| {
            same(aim.long).any(|(long, short)| own.iter().any(|word| is_flag(word, long, Some(short))))
        };
        let aims = self.aims.iter().filter(|aim| !given(aim));
        let aims = aims.flat_map(|aim| [aim.long.to_owned(), aim.value.clone()]);
        own.iter().cloned().chain(aims).chain(rest.iter().cloned()).collect()
    }
}

/// The flags that a flag replaces, with their short forms: itself, and a profile replaces a context and vice versa.
fn same(long: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    const PLACE: [&str; 2] = ["--profile", "--context"];
    let known = TARGET
        .into_iter()
        .filter(move |(other, _)| *other == long || PLACE.contains(other) && PLACE.contains(&long));
    let own = (!TARGET.iter().any(|(other, _)| *other == long)).then_some((long, long));
    known.chain(own)
}

/// Whether a word is a flag, alone or with its value.
fn is_flag(word: &str, long: &str, short: Option<&str>) -> bool {
    let joined =
        |flag: &str| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    // The value of a short flag may follow it without a blank: `-pother`.
    joined(long) || short.is_some_and(|short| short.len() == 2 && word.starts_with(short) || joined(short))
}

/// As a line for a POSIX shell.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.argv().iter().map(|word| quote(word)).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aims() -> Vec<Aim> {
        [("--profile", "p2"), ("--namespace", "team"), ("--cluster", "events")]
            .map(|(long, value)| Aim { long, value: value.into() })
            .into()
    }

    #[test]
    fn a_command_names_its_cluster_once() {
        let line = |words: &'static str| CommandLine::aimed(words, aims()).to_string();
        assert_eq!(line("kstrim up"), "kstrim up --profile p2 --namespace team --cluster events");
        for (words, shown) in [
            ("kstrim up --namespace other", "kstrim up --namespace other --profile p2 --cluster events"),
            ("kstrim up -n other", "kstrim up -n other --profile p2 --cluster events"),
            ("kstrim up --namespace=other", "kstrim up --namespace=other --profile p2 --cluster events"),
            ("kstrim up --context lab", "kstrim up --context lab --namespace team --cluster events"),
            (
                "kstrim kubectl -- get pods -n other",
                "kstrim kubectl --profile p2 --namespace team --cluster events -- get pods -n other",
            ),
        ] {
            assert_eq!(line(words), shown);
        }
    }

    #[test]
    fn data_is_one_word_each() {
        let line = CommandLine::new("kstrim set").args(["a=b c", "x=*"]).arg(7);
        assert_eq!(line.to_string(), "kstrim set 'a=b c' 'x=*' 7");
        let line = CommandLine::new("kstrim run -- make test").flag("--yes");
        assert_eq!(line.to_string(), "kstrim run --yes -- make test");
    }

    #[test]
    fn a_flag_is_replaced_wherever_it_is() {
        for given in ["-n team -p p2 up", "up --namespace team --profile=p2", "up -nteam -pp2"] {
            let mut line = CommandLine::new("kstrim");
            line.words.extend(given.split(' ').map(str::to_owned));
            assert_eq!(line.verb(), Some("up"), "{given}");
            let new = line.with("--namespace", "other").with("--profile", "p3");
            assert_eq!(new.to_string(), "kstrim up --namespace other --profile p3", "{given}");
        }
    }
}
