//! The requested properties of minikube's machine: memory, CPUs, driver, and arguments that are passed through.

use super::NameError;

/// Memory in MiB, in minikube's notation (`4096`, `4g`, `4096mb`, `2GiB`) or Kubernetes' (`6Gi`); `None` for `max`,
/// `no-limit` and anything that is not a size.
pub fn memory_mb(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim();
    let plain = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).or_else(|| unit.strip_suffix('i'));
    match plain.unwrap_or(unit) {
        // Bytes: minikube accepts a lone `b` for them.
        "" if !unit.is_empty() => None,
        "" | "m" => Some(number),
        "g" => number.checked_mul(1024),
        "k" => Some(number / 1024),
        _ => None,
    }
}

/// Memory in minikube's notation: Kubernetes' `6Gi` becomes `6GiB`.
pub(crate) fn memory(given: &str) -> Result<String, NameError> {
    let text = given.trim();
    if !matches!(text, "max" | "no-limit") && memory_mb(text).is_none_or(|mb| mb == 0) {
        return Err(refused("memory size", given, "a size such as 4096 (MiB), 4g, 6Gi, or max"));
    }
    Ok(if text.ends_with('i') { format!("{text}B") } else { text.to_owned() })
}

/// A number of CPUs.
pub(crate) fn cpus(given: &str) -> Result<String, NameError> {
    if given.parse::<u32>().is_ok_and(|n| n > 0) || matches!(given, "max" | "no-limit") {
        return Ok(given.to_owned());
    }
    Err(refused("number of CPUs", given, "a whole number above 0, or max"))
}

/// A driver's name.
pub(crate) fn driver(given: &str) -> Result<String, NameError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if given.starts_with(|c: char| c.is_ascii_alphanumeric()) && given.chars().all(plain) {
        return Ok(given.to_owned());
    }
    Err(refused("driver", given, "a driver's name such as docker, kvm2, podman"))
}

/// Whether a driver creates a virtual machine or a container on this machine. The others run on the machine itself
/// (`none`) or on another (`ssh`).
pub(crate) fn is_contained_driver(name: &str) -> bool {
    const CONTAINED: [&str; 14] = [
        "docker",
        "podman",
        "kvm",
        "kvm2",
        "qemu",
        "qemu2",
        "vfkit",
        "krunkit",
        "hyperkit",
        "virtualbox",
        "vmware",
        "vmwarefusion",
        "parallels",
        "hyperv",
    ];
    CONTAINED.contains(&name)
}

/// Flags of `minikube start` that only kstrim may set: long name, shorthand, why.
const PINNED: [(&str, char, &str); 8] = [
    ("profile", 'p', "use --profile NAME"),
    ("output", 'o', "kstrim parses the output of minikube"),
    ("bootstrapper", 'b', "kstrim supports only kubeadm"),
    ("help", 'h', "it starts nothing"),
    ("dry-run", '\0', "it starts nothing: use kstrim plan"),
    ("download-only", '\0', "it starts nothing"),
    ("delete-on-failure", '\0', "it deletes a profile with all its data"),
    ("interactive", '\0', "there is no terminal to answer on"),
];
/// Shorthands of `minikube start` that take a value: the rest of the word is that value.
const WITH_VALUE: &str = "cdgmnv";

/// An argument for `minikube start` that sets none of kstrim's flags. A word is refused if it could be parsed as
/// such a flag, in every spelling that minikube's parser (spf13/pflag) accepts: `-p x`, `-px`, `-p=x`, `-hpx`,
/// `--profile x`, `--profile=x`. It accepts no abbreviations.
pub(crate) fn minikube_arg(given: &str) -> Result<String, NameError> {
    let no = |why: &'static str| Err(refused("argument for minikube start", given, why));
    if given.chars().any(|c| c.is_control()) {
        return no("one word without control characters");
    }
    if let Some(long) = given.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default().to_ascii_lowercase().replace('_', "-");
        if name.is_empty() {
            return no("a single flag: `--` would end the flags");
        }
        return match PINNED.iter().find(|(flag, ..)| *flag == name) {
            Some((.., why)) => no(why),
            None => Ok(given.to_owned()),
        };
    }
    let Some(short) = given.strip_prefix('-') else { return Ok(given.to_owned()) };
    let letters: Vec<char> = short.chars().take_while(|c| *c != '=').collect();
    let own_value = letters.first().is_some_and(|first| WITH_VALUE.contains(*first));
    let pinned = letters.iter().find_map(|c| PINNED.iter().find(|(_, letter, _)| letter == c));
    match pinned {
        Some((.., why)) if !own_value => no(why),
        _ => Ok(given.to_owned()),
    }
}

fn refused(what: &'static str, given: &str, rule: &'static str) -> NameError {
    NameError { what, given: given.to_owned(), rule, suggestion: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_in_any_unit() {
        for text in
            ["6144", "6144m", "6144MB", "6144MiB", "6144Mi", "6g", "6G", "6GB", "6Gi", "6GiB", "6291456k"]
        {
            assert_eq!(memory_mb(text), Some(6144), "{text}");
        }
        assert_eq!(memory("6Gi").as_deref(), Ok("6GiB"));
        assert_eq!(memory(" 6g").as_deref(), Ok("6g"));
        for bad in ["", "0", "lots", "-1", "6x", "6ii", "6b", "1.5g", "g"] {
            assert!(memory(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kstrims_own_flags_are_rejected_in_every_spelling() {
        for bad in [
            "-p",
            "-pvictim",
            "-p=victim",
            "-hpvictim",
            "--profile",
            "--profile=victim",
            "--PROFILE=victim",
            "-o",
            "-ojson",
            "--output=text",
            "-h",
            "--help",
            "--",
            "-b",
            "--bootstrapper=x",
            "--dry-run",
            "--dry-run=true",
            "--dry_run",
            "--delete-on-failure",
            "--interactive=true",
            "-xpvictim",
            "--force\n-p",
        ] {
            assert!(minikube_arg(bad).is_err(), "{bad:?}");
        }
        for good in [
            "--force",
            "--cni=bridge",
            "--docker-env=HTTP_PROXY=http://p:1",
            "-v=8",
            "-v8",
            "-m4g",
            "-cpodman",
            "-n2",
            "--ports=80:80",
            "--preload",
            "--profiling",
            "bridge",
            "--insecure-registry=h:5000",
            "-gall",
        ] {
            assert!(minikube_arg(good).is_ok(), "{good:?}");
        }
    }

    /// How pflag parses a single word: the flags it sets. Written from its documentation, independently of the check.
    fn pflag(word: &str) -> Vec<String> {
        if let Some(long) = word.strip_prefix("--") {
            return vec![format!("--{}", long.split('=').next().unwrap_or(""))];
        }
        let mut flags = Vec::new();
        let mut rest = word.strip_prefix('-').unwrap_or("").chars();
        while let Some(letter) = rest.next() {
            flags.push(letter.to_string());
            let takes_value = letter != 'h';
            if takes_value || rest.clone().next() == Some('=') {
                break;
            }
        }
        flags
    }

    proptest! {
        #[test]
        fn no_accepted_word_sets_the_profile(
            word in "(-{0,2}[hpovmcdgnb=]{0,4}[a-z=-]{0,6}|--?(profile|output|pro|p)(=|x|)[a-z]{0,3})",
        ) {
            if minikube_arg(&word).is_ok() {
                for flag in pflag(&word) {
                    prop_assert!(!["p", "--profile", "o", "--output", "b", "--bootstrapper"].contains(&flag.as_str()), "{} sets {}", word, flag);
                }
                prop_assert!(word != "--");
            }
        }

        #[test]
        fn accepted_memory_is_still_valid_after_conversion(text in "[0-9]{0,5}[kmgtKMGTib]{0,3}") {
            if let Ok(size) = memory(&text) {
                prop_assert_eq!(memory(&size), Ok(size.clone()));
                prop_assert_eq!(memory_mb(&size), memory_mb(&text));
            }
        }
    }
}
