//! Flags among the user's arguments for `minikube start`.

/// Whether these arguments have the flag.
pub(crate) fn has_flag(arguments: &[String], key: &str) -> bool {
    let flag = format!("--{key}");
    arguments.iter().any(|a| *a == flag || a.starts_with(&format!("{flag}=")))
}

/// Whether an argument is the flag with this letter, with or without its value: `-c`, `-c=docker`, `-cdocker`.
pub(crate) fn has_short_flag(argument: &str, letter: char) -> bool {
    argument.strip_prefix('-').is_some_and(|rest| rest.starts_with(letter))
}

/// The value of a flag among these arguments.
pub(crate) fn flag_value(arguments: &[String], key: &str) -> Option<String> {
    let flag = format!("--{key}");
    arguments.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix(&flag)? {
        "" => arguments.get(at + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
}
