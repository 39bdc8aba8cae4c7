//! The words of other programs that decide anything are in one table, `src/words.rs`; commands for people are built as
//! argv, `src/command_line.rs`.

mod source;

/// What looks for words in a text.
const LOOKING: [&str; 9] = [
    "contains",
    "starts_with",
    "ends_with",
    "split_once",
    "rsplit_once",
    "strip_prefix",
    "strip_suffix",
    "find",
    "matches",
];

/// Whether a literal is words, not a mark such as `": "` or a name such as `"strimzi.io/"`.
fn is_words(literal: &str) -> bool {
    let words = literal.split(' ').filter(|w| w.chars().filter(char::is_ascii_alphabetic).count() >= 2);
    words.count() >= 2
}

/// The literals that a line looks for.
fn looked_for(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for name in LOOKING {
        for rest in line.split(&format!(".{name}(\"")).skip(1) {
            found.extend(rest.split('"').next());
        }
    }
    found
}

#[test]
fn words_of_others_are_looked_for_by_the_table_alone() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in source::files().iter().filter(|f| !f.test && f.path != "words.rs") {
        for (at, line) in file.code.iter().enumerate() {
            let found = looked_for(line);
            seen += found.len();
            let words = found.into_iter().filter(|literal| is_words(literal));
            wrong.extend(words.map(|literal| format!("src/{}:{}: {literal:?}", file.path, at + 1)));
        }
    }
    assert!(wrong.is_empty(), "these belong into src/words.rs: {wrong:#?}");
    assert!(seen > 100, "a rule that finds nothing guards nothing: {seen} literals");
}

#[test]
fn words_are_found_where_they_are() {
    assert_eq!(
        looked_for(r#"if message.contains("no such thing") || l.starts_with("a")"#),
        ["no such thing", "a"]
    );
    assert!(is_words("connection refused") && !is_words("remaining: ") && !is_words("strimzi.io/"));
}

/// Verbs behind which a word is a command.
const COMMANDS: [(&str, &[&str]); 3] = [
    (
        "kstrim",
        &[
            "add",
            "bundle",
            "completions",
            "config",
            "connect",
            "consume",
            "context",
            "diagnose",
            "diff",
            "doctor",
            "down",
            "env",
            "explain",
            "kubectl",
            "logs",
            "pause",
            "plan",
            "produce",
            "remove",
            "render",
            "run",
            "scale",
            "set",
            "smoke-test",
            "start",
            "status",
            "stop",
            "tools",
            "topic",
            "trust",
            "unpause",
            "up",
            "upgrade",
            "user",
            "versions",
        ],
    ),
    (
        "kubectl",
        &[
            "annotate",
            "apply",
            "auth",
            "create",
            "delete",
            "describe",
            "edit",
            "exec",
            "get",
            "label",
            "logs",
            "patch",
            "port-forward",
            "rollout",
            "run",
            "scale",
            "set",
            "wait",
            "--",
        ],
    ),
    (
        "minikube",
        &[
            "addons",
            "cp",
            "delete",
            "image",
            "kubectl",
            "logs",
            "ssh",
            "start",
            "status",
            "stop",
            "update-context",
        ],
    ),
];

/// Literals that look like commands, each with the reason why it is none that was put together by hand.
const NO_COMMANDS: [(&str, &str, &str); 12] = [
    ("errors/mod.rs", "kstrim explain {id}", "the errors are below the command lines"),
    ("explain/minikube.rs", "minikube start did not finish", "prose"),
    ("quickstart/cluster.rs", "minikube start succeeded", "prose"),
    ("quickstart/ready.rs", "minikube start is finishing", "prose"),
    ("quickstart/", "kubectl apply --server-side -f -   #", "what `plan` shows of a task, to read"),
    ("quickstart/existing_cluster.rs", "kubectl auth can-i VERB RESOURCE", "the same"),
    ("quickstart/namespace.rs", "kubectl create namespace {}", "the same"),
    ("quickstart/ready.rs", "kubectl wait kafka/{}", "the same"),
    ("quickstart/smoke.rs", "kubectl port-forward -n {} pod/BROKER", "the same"),
    ("upgrade/document.rs", "kubectl apply --server-side -f -   #", "the same"),
    ("upgrade/path.rs", "kstrim versions", "it knows no cluster"),
    ("cmd/explain.rs", "kstrim up and kstrim down recover", "prose"),
];

/// The literals of a line, with the code before each.
fn literals(line: &str) -> Vec<(&str, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = line[at..].find('"').map(|quote| at + quote) {
        let mut end = begin + 1;
        let bytes = line.as_bytes();
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(line.len());
        found.push((&line[..begin], &line[begin + 1..end]));
        at = (end + 1).min(line.len());
    }
    found
}

/// The command that a literal begins with, or has behind a colon.
fn command(literal: &str) -> Option<&str> {
    let behind = literal.match_indices(": ").map(|(at, _)| at + 2);
    std::iter::once(0).chain(behind).map(|at| &literal[at..]).find(|text| {
        let mut words = text.split([' ', '{']);
        let (program, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        COMMANDS.iter().any(|(name, verbs)| *name == program && verbs.contains(&verb))
    })
}

#[test]
fn commands_for_people_are_argv() {
    const MADE_BY: [&str; 6] = [
        "CommandLine::new(",
        "CommandLine::aimed(",
        "CommandLine::minikube(",
        ".kstrim(",
        ".kubectl(",
        ".minikube(",
    ];
    let (mut wrong, mut used) = (Vec::new(), std::collections::BTreeSet::new());
    // Help texts are written out, and the report's own examples are of its tests.
    let out = |path: &str| path == "command_line.rs" || path.starts_with("cli") || path == "report/runs.rs";
    for file in source::files().iter().filter(|f| !f.test && !out(&f.path)) {
        for (at, line) in file.code.iter().enumerate() {
            for (before, literal) in literals(line) {
                let Some(command) = command(literal) else { continue };
                if MADE_BY.iter().any(|make| before.ends_with(make)) {
                    continue;
                }
                let excused = NO_COMMANDS
                    .iter()
                    .position(|(path, text, _)| file.path.starts_with(path) && command.starts_with(text));
                match excused {
                    Some(excuse) => drop(used.insert(excuse)),
                    None => wrong.push(format!("src/{}:{}: {command}", file.path, at + 1)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "build these by CommandLine or Target: {wrong:#?}");
    for (at, (path, text, why)) in NO_COMMANDS.iter().enumerate() {
        assert!(used.contains(&at), "nobody needs the exception {path}: {text} ({why}): take it out");
    }
}

#[test]
fn commands_are_found_where_they_are() {
    let found =
        |line: &'static str| literals(line).into_iter().filter_map(|(_, literal)| command(literal)).count();
    assert_eq!(found(r#".hint("start it: minikube start -p x")"#), 1);
    assert_eq!(found(r#"format!("kstrim up{flags}"), "a \" quote: kubectl get x""#), 2);
    assert_eq!(found(r#""what kstrim up does", "the program kubectl is missing", "kstrim: no""#), 0);
}
