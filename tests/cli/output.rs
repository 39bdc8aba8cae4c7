//! kstrim's output for users, logs and scripts.

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::harness::{Action, Run, Test};
use crate::support::{fresh, kstrim, quick};
use crate::terminal::Terminal;
use crate::trouble::{clean, eventually, finished, ready, surroundings, up_succeeds};

/// Panics unless every line of stdout is a valid event.
#[track_caller]
fn valid(run: &Run) {
    let schema: Value = include_str!("../../docs/schema/events.schema.json").parse().expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let lines = run.json_lines();
    assert!(!lines.is_empty(), "{}", run.stderr);
    for line in &lines {
        let errors: Vec<String> = schema.iter_errors(line).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {line}");
    }
    assert_eq!(lines[0]["type"], "run_started");
    assert_eq!(lines.last().expect("a line")["type"], "run_finished");
}

#[test]
fn json_lines_are_as_published_and_stderr_is_empty() {
    let mut test = surroundings();
    for args in [
        &["up", "-o", "json"][..],
        &["up", "-o", "json", "-v"],
        &["smoke-test", "-o", "json"],
        &["down", "--yes", "-o", "json"],
    ] {
        let run = test.args(args.iter().copied()).run().expect(0);
        valid(&run);
        assert_eq!(run.stderr, "", "{args:?}");
        let next = &finished(&run)["next"];
        assert!(args[0] != "up" || next["bootstrap"].is_string(), "{next}");
    }
    for (mut test, args, code) in [
        (surroundings().without("minikube").env("KSTRIM_SYSTEM_TOOLS", "true"), &["up", "-o", "json"][..], 3),
        (
            surroundings().scenario(|s| s.missing_images.push("strimzi/kafka".into())),
            &["up", "-o", "json"],
            1,
        ),
        (ready(), &["down", "-o", "json"], 2),
        (surroundings(), &["smoke-test", "-o", "json"], 3),
    ] {
        let run = test.args(args.iter().copied()).run().expect(code);
        let schema: Value = include_str!("../../docs/schema/events.schema.json").parse().expect("JSON");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        for line in run.json_lines() {
            assert!(schema.is_valid(&line), "{line}");
        }
        assert_eq!(finished(&run)["exit_code"], code);
        assert_eq!(run.stderr, "", "{args:?}");
    }
}

#[test]
fn plain_lines_carry_no_escape_codes() {
    for (name, value) in [("LANG", "C.UTF-8"), ("CI", "true"), ("NO_COLOR", "1"), ("TERM", "xterm-256color")]
    {
        let mut test = surroundings().env(name, value);
        let run = test.args(["up", "--output", "plain"]).run().expect(0);
        assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.lines().next().is_some_and(|l| l.starts_with("20") && l.contains("Z  kstrim")));
    }
    // Requested colours, and NO_COLOR, which takes precedence.
    let mut test = surroundings().env("CLICOLOR_FORCE", "1");
    assert!(test.args(["up"]).run().expect(0).stderr.contains('\u{1b}'));
    let mut test = surroundings().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!test.args(["up"]).run().expect(0).stderr.contains('\u{1b}'));
}

#[test]
fn a_long_silence_has_a_heartbeat() {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let mut test = surroundings().fault("minikube", "start -o json", None, hang);
    let run = test.args(["up", "--output", "plain", "--timeout", "18s"]).run().expect(4);
    clean(&test, &run);
    assert!(run.stderr.contains("still waiting: ") && run.stderr.contains("cluster: "), "{}", run.stderr);
}

#[test]
fn quiet_prints_only_problems() {
    let mut test = ready();
    let run = test.args(["smoke-test", "--quiet"]).run().expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = test.args(["down", "--yes", "--quiet"]).run().expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = surroundings()
        .without("kubectl")
        .env("KSTRIM_SYSTEM_TOOLS", "true")
        .args(["up", "-q"])
        .run()
        .expect(3);
    assert!(run.stderr.starts_with("error: ") && run.stderr.contains("KS-TOOL-MISSING"), "{}", run.stderr);
    assert!(!run.stderr.contains("preflight"), "{}", run.stderr);
}

#[test]
fn verbose_shows_commands_that_can_be_pasted() {
    // If kubectl has faults, each read is a separate command.
    let fault = Action::Delay { ms: 0 };
    let mut test = surroundings().fault("kubectl", "no such call", None, fault);
    let run = test.args(["up", "-v"]).run().expect(0);
    let commands: Vec<&str> =
        run.stderr.lines().filter_map(|l| l.split_once("  + ").map(|(_, c)| c)).collect();
    assert!(commands.iter().any(|c| c.contains("minikube start -o json -p kstrim")), "{}", run.stderr);
    let kubectl: Vec<_> =
        commands.iter().filter(|c| c.contains("/kubectl ") && !c.contains("version --client")).collect();
    assert!(kubectl.len() > 10);
    for command in kubectl {
        assert!(command.contains(" --kubeconfig ") && command.contains(" --context kstrim "), "{command}");
    }
    let minikube: Vec<_> = commands.iter().filter(|c| c.contains("/minikube ")).collect();
    assert!(!minikube.is_empty(), "{}", run.stderr);
    for command in minikube {
        assert!(command.starts_with("KUBECONFIG="), "{command}");
    }
    assert!(!surroundings().args(["up"]).run().expect(0).stderr.contains("  + "));
}

#[test]
fn the_help_is_grouped_and_ends_with_examples() {
    let mut test = Test::new().env("COLUMNS", "100");
    let run = test.args(["--help"]).run().expect(0);
    assert_eq!(run.stderr, "");
    let at = |word: &str| run.stdout.find(word).unwrap_or_else(|| panic!("{word} in {}", run.stdout));
    assert!(at("Quickstart:") < at("Inspect:") && at("Inspect:") < at("Configure:"));
    assert!(at("Configure:") < at("Options:") && at("Options:") < at("Examples:"));
    let up = test.args(["up", "--help"]).run().expect(0).stdout;
    insta::assert_snapshot!("help", run.stdout);
    insta::assert_snapshot!("help_of_up", up);
    let headings = ["What to install:", "Where it comes from:", "minikube:", "Examples:", "Exit codes:"];
    let places: Vec<_> =
        headings.iter().map(|h| up.find(h).unwrap_or_else(|| panic!("{h} in {up}"))).collect();
    assert!(places.is_sorted(), "{places:?} {up}");
    for verb in
        ["up", "smoke-test", "status", "down", "plan", "render", "kubectl", "env", "versions", "completions"]
    {
        assert!(run.stdout.contains(&format!("\n  {verb} ")), "{verb}");
        let help = test.args([verb, "--help"]).run().expect(0).stdout;
        let examples = help.split("\nExamples:\n").nth(1).unwrap_or_else(|| panic!("{verb}: {help}"));
        assert!(examples.contains(&format!("kstrim {verb}")), "{verb}: {examples}");
        assert!(!examples.contains("\nOptions:"), "{verb}: the examples are not last");
    }
    assert_eq!(test.calls(), []);
}

#[test]
fn completions_are_generated_for_every_shell() {
    let mut test = Test::new();
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef kstrim"), ("fish", "complete -c kstrim")]
    {
        let run = test.args(["completions", shell]).run().expect(0);
        assert!(run.stdout.contains(word) && run.stdout.contains("smoke-test"), "{shell}");
        assert!(!run.stdout.contains("__exec"), "{shell}: a hidden verb is offered");
        assert_eq!(run.stderr, "");
    }
    test.args(["completions", "cmd"]).run().expect(2);
}

#[test]
fn env_prints_exports_that_a_shell_understands() {
    let mut test = Test::new();
    let run = test.args(["env"]).run().expect(3);
    assert!(run.stdout.is_empty() && run.stderr.contains("KS-NO-CLUSTER"), "{}", run.stderr);
    let mut test = ready();
    let kubeconfig = test.home().join(".local/state/kstrim/profiles/kstrim/kubeconfig").display().to_string();
    let run = test.args(["env"]).run().expect(0);
    assert_eq!(run.stdout, format!("export KUBECONFIG={kubeconfig}\nexport MINIKUBE_PROFILE=kstrim\n"));
    let run = test.args(["env", "--shell", "fish"]).run().expect(0);
    assert!(run.stdout.starts_with(&format!("set -gx KUBECONFIG {kubeconfig}\n")), "{}", run.stdout);
    let run = test.args(["env", "--shell", "powershell"]).run().expect(0);
    assert!(run.stdout.starts_with(&format!("$Env:KUBECONFIG = '{kubeconfig}'")), "{}", run.stdout);
}

#[test]
fn kubectl_gets_the_arguments_and_returns_its_exit_code() {
    let mut test = ready();
    let run = test.args(["kubectl", "--", "get", "pods", "-n", "kafka"]).run().expect(0);
    assert!(run.stdout.contains("my-cluster-dual-role-0"), "{}", run.stdout);
    let call = test.calls().pop().expect("a call").line();
    assert!(
        call.starts_with("kubectl --kubeconfig ") && call.ends_with("--context kstrim get pods -n kafka"),
        "{call}"
    );
    let run = test.args(["kubectl", "--", "get", "pod", "nobody", "-n", "kafka"]).run().expect(1);
    assert!(run.stderr.contains("NotFound"), "{}", run.stderr);
    let action = Action::Exit { code: 42, stdout: "as it is".into(), stderr: String::new() };
    let mut test = test.fault("kubectl", "a b --flag", None, action);
    assert_eq!(
        test.args(["kubectl", "--", "odd", "a b", "--flag"]).run().expect(42).stdout.trim(),
        "as it is"
    );
}

#[test]
fn no_secret_is_printed() {
    let mut test = surroundings().env("AWS_SECRET_ACCESS_KEY", "hunter2hunter2");
    let run = up_succeeds(&mut test, &["-v"]);
    let log = test.home().join(".local/state/kstrim/profiles/kstrim/up.events.jsonl");
    let log = std::fs::read_to_string(log).expect("a log");
    for text in [&run.stdout, &run.stderr, &log] {
        for secret in ["hunter2", "client-key-data", "PRIVATE KEY", "password", "token:"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}

/// kstrim in a terminal of 80 columns.
fn terminal(test: &mut Test, args: &[&str]) -> Terminal {
    let mut kstrim = test.args(args.iter().copied()).kstrim();
    kstrim.env("TERM", "xterm-256color");
    Terminal::start(kstrim)
}

#[test]
fn a_terminal_gets_a_live_list() {
    let mut test = surroundings();
    let mut live = terminal(&mut test, &["up"]);
    assert_eq!(live.ends(), 0, "{}", live.text());
    assert!(live.text().contains('\u{1b}'), "nothing was drawn over: {}", live.text());
    let screen = live.screen();
    for title in
        ["Preflight", "minikube cluster", "Kafka brokers", "Smoke test", "Everything ready", "kstrim down"]
    {
        assert!(screen.contains(title), "{title} is not in\n{screen}");
    }
    assert_eq!(screen.matches("Everything ready").count(), 1, "drawn twice:\n{screen}");
    // CI and dumb terminals get lines.
    for (name, value) in [("CI", "true"), ("TERM", "dumb")] {
        let mut kstrim = test.args(["up"]).kstrim();
        kstrim.env("TERM", "xterm").env(name, value);
        let mut plain = Terminal::start(kstrim);
        assert_eq!(plain.ends(), 0);
        assert!(plain.text().contains("  kstrim     up: profile kstrim"), "{name}: {}", plain.text());
    }
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let mut test = surroundings().fault("minikube", "start -o json", None, hang);
    let mut live = terminal(&mut test, &["up"]);
    eventually("minikube start runs", || test.calls().iter().any(|c| c.line().contains("start -o json")));
    kill_process(live.pid(), Signal::INT).expect("it runs");
    assert_eq!(live.ends(), 130, "{}", live.text());
    let text = live.text();
    assert!(text.rfind("\u{1b}[?25l") <= text.rfind("\u{1b}[?25h"), "the cursor stays hidden: {text:?}");
    assert!(live.screen().contains("kstrim up"), "{}", live.screen());
    assert!(test.leftovers().is_empty());
}

#[test]
fn down_asks_and_respects_the_answer() {
    let mut test = ready();
    for answer in ["n\n", "\n", "what\n", "\u{4}"] {
        let mut asked = terminal(&mut test, &["down"]);
        asked.shows("[y/N]");
        asked.types(answer);
        assert_eq!(asked.ends(), 2, "{answer:?}: {}", asked.text());
        assert!(asked.text().contains("nothing was deleted"), "{}", asked.text());
        assert!(test.profile("kstrim").is_object());
    }
    let mut asked = terminal(&mut test, &["down"]);
    asked.shows("[y/N]");
    kill_process(asked.pid(), Signal::INT).expect("it runs");
    assert_eq!(asked.ends(), 130, "{}", asked.text());
    assert!(test.profile("kstrim").is_object());
    let mut asked = terminal(&mut test, &["down"]);
    asked.shows("minikube profile kstrim");
    asked.shows("[y/N]");
    asked.types("y\n");
    assert_eq!(asked.ends(), 0, "{}", asked.text());
    assert!(test.profile("kstrim").is_null());
    // It does not exist: no prompt.
    assert_eq!(terminal(&mut test, &["down"]).ends(), 0);
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let mut test = Test::new();
    for args in
        [&["versions"][..], &["config", "show"], &["completions", "bash"], &["--help"], &["up", "--help"]]
    {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let run = test.args(args.iter().copied()).kstrim().stdout(full()).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(
            stderr.contains("KS-OUTPUT-INCOMPLETE") && stderr.contains("No space left"),
            "{args:?}: {stderr}"
        );
        // Its own failure takes precedence.
        let wrong =
            test.args(["topic", "list", "-o", "yaml", "--profile", "a"]).kstrim().stdout(full()).output();
        assert_eq!(wrong.expect("it runs").status.code(), Some(2));
    }
}

#[test]
fn a_trace_shows_tasks_commands_and_pods_on_one_time_axis() {
    let mut test = fresh().scenario(quick);
    let trace = test.work().join("trace.json");
    kstrim(&mut test, ["up", "--trace", "trace.json", "-q"]).expect(0);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&trace).expect("a file")).expect("JSON");
    let events = json["traceEvents"].as_array().expect("events");
    let spans = |group: u64| -> Vec<&str> {
        let of = events.iter().filter(|event| event["ph"] == "X" && event["pid"] == group);
        of.filter_map(|event| event["name"].as_str()).collect()
    };
    for task in ["preflight", "cluster", "operator", "kafka", "smoke", "ready"] {
        assert!(spans(1).contains(&task), "{task}: {:?}", spans(1));
    }
    assert!(spans(2).contains(&"minikube start") && spans(2).contains(&"kubectl apply"), "{:?}", spans(2));
    assert!(spans(3).contains(&"runs"), "{:?}", spans(3));
    let broker = events.iter().any(|event| event["args"]["name"] == "Pod my-cluster-dual-role-0");
    assert!(broker, "{events:#?}");
    let whole = events.iter().filter(|event| event["ph"] == "X");
    assert!(whole.clone().all(|event| event["ts"].is_u64() && event["dur"].is_u64()));

    // Where it cannot be written nothing is begun.
    test.forget_calls();
    let run = kstrim(&mut test, ["up", "--trace", "no/such/directory/trace.json"]).expect(2);
    assert!(run.stderr.contains("KS-TRACE-UNWRITABLE"), "{run:?}");
    assert!(test.calls().is_empty(), "{:?}", test.calls());
}
