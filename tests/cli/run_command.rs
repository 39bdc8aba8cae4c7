//! `kstrim run`: a Kafka cluster for a command.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Run, Running, Test};
use crate::support::{KAFKA, PROFILE, events, fresh, kstrim, quick, ready};
use crate::terminal::Terminal;
use crate::trouble::eventually;

const SH: &str = "/bin/sh";

/// PATH contains only the stand-ins.
const PATH: &str = "PATH=$PATH:/usr/bin:/bin; ";

/// Run a shell script with `kstrim run` and these flags.
fn script(test: &mut Test, flags: &[&str], script: &str) -> Run {
    start(test, flags, script).wait()
}

fn start(test: &mut Test, flags: &[&str], script: &str) -> Running {
    let mut args = vec!["run", "--yes"];
    args.extend(flags);
    let script = format!("{PATH}{script}");
    args.extend(["--", SH, "-c", &script]);
    test.args(args).spawn()
}

/// A world in which the Kafka cluster has a listener for programs on this machine, with free ports.
fn with_listener() -> Test {
    let mut test = ready();
    let port = free_port();
    kstrim(&mut test, ["connect", "--check", "--yes", "--port", &port]).expect(0);
    test.forget_calls();
    test
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port().to_string()
}

/// The variables that a command printed with `env`.
fn environment(run: &Run) -> BTreeMap<String, String> {
    run.stdout
        .lines()
        .filter_map(|l| Some((l.split_once('=')?.0.into(), l.split_once('=')?.1.into())))
        .collect()
}

fn runs(test: &Test) -> PathBuf {
    test.home().join(".local/state/kstrim/profiles/kstrim/runs")
}

/// The directories of runs that are not over, or left something.
fn records(test: &Test) -> usize {
    std::fs::read_dir(runs(test)).into_iter().flatten().flatten().filter(|e| e.path().is_dir()).count()
}

fn topics(test: &Test) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let names = objects.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("kafkatopics."));
    names
        .map(|(_, o)| {
            o["spec"]["topicName"].as_str().or(o["metadata"]["name"].as_str()).unwrap_or("").to_owned()
        })
        .collect()
}

fn topics_in_kafka(test: &Test) -> Vec<String> {
    let folder = test.world_dir().join("broker/topics");
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect()
}

fn groups(test: &Test) -> Value {
    let text = std::fs::read_to_string(test.world_dir().join("broker/groups.json")).unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// The events that `--events run.jsonl` wrote.
fn written_events(test: &Test) -> Vec<Value> {
    let text = std::fs::read_to_string(test.work().join("run.jsonl")).expect("events");
    text.lines().map(|line| line.parse().expect("JSON")).collect()
}

fn finished(test: &Test) -> Value {
    let last = written_events(test).pop().expect("an event");
    assert_eq!(last["type"], "run_finished");
    last
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let mut test = with_listener();
    for (text, code) in
        [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -INT $$", 130)]
    {
        let run = script(&mut test, &["--events", "run.jsonl"], text).expect(code);
        assert_eq!(run.stdout, "", "{}", run.stdout);
        let events = written_events(&test);
        let exited = events.iter().find(|e| e["type"] == "command_exited").expect("the event");
        match code {
            128..=200 => assert_eq!(exited["signal"], code - 128),
            _ => assert_eq!(exited["code"], code),
        }
        let last = finished(&test);
        assert_eq!((&last["exit_code"], &last["failure"]), (&json!(code), &Value::Null));
        assert_eq!(last["outcome"], if code == 0 { "done" } else { "failed" });
    }
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn a_failure_of_kstrim_is_distinguished_from_one_of_the_command() {
    let mut test = ready();
    let run = test.args(["run", "--events", "run.jsonl", "--", SH, "-c", "exit 2"]).run().expect(2);
    assert!(
        run.stderr.contains("KS-CONSENT") && run.stderr.contains("run --events run.jsonl --yes -- "),
        "{}",
        run.stderr
    );
    assert_eq!(finished(&test)["failure"]["id"], "KS-CONSENT");
    assert!(!written_events(&test).iter().any(|e| e["type"] == "command_started"));
    let run = script(&mut test, &["--user", "nobody"], "exit 0").expect(2);
    assert!(run.stderr.contains("KS-USER-UNKNOWN"), "{}", run.stderr);
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn an_invalid_command_line_is_rejected_before_anything_is_done() {
    let mut test = fresh();
    for args in [&["run"][..], &["run", "--"], &["run", "true"], &["run", "--topic", "a:0", "--", SH]] {
        test.args(args.iter().copied()).run().expect(2);
    }
    let run = test.args(["run", "--topic", "a.b", "--topic", "a-b", "--", SH]).run().expect(2);
    assert!(run.stderr.contains("KSTRIM_TOPIC_A_B"), "{}", run.stderr);
    let run = test.args(["run", "--events", "no/such/dir/x", "--", SH]).run().expect(2);
    assert!(run.stderr.contains("KS-RUN-EVENTS"), "{}", run.stderr);
    test.write("not-executable", "");
    for missing in ["no-such-program", "./no-such-program", "./not-executable"] {
        let run = test.args(["run", "--", missing]).run().expect(127);
        assert!(run.stderr.contains("KS-RUN-COMMAND") && run.stderr.contains(missing), "{}", run.stderr);
    }
    assert_eq!(test.calls(), []);
}

#[test]
fn streams_and_arguments_reach_the_command_unchanged() {
    let mut test = with_listener();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut command = test
        .args([
            "run",
            "--quiet",
            "--",
            SH,
            "-c",
            "/bin/cat; printf '%s|' \"$@\" >&2",
            "sh",
            "a b",
            "--yes",
            "",
            "$HOME",
        ])
        .kstrim();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let (mut stdin, sent) = (child.stdin.take().expect("stdin"), bytes.clone());
    std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == bytes, "{} bytes", output.stdout.len());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "a b|--yes||$HOME|");
}

#[test]
fn the_cluster_is_created_if_it_does_not_exist_and_kept() {
    let mut test = fresh().scenario(quick);
    let run = test.args(["run", "--topic", "orders:2", "--", "/usr/bin/env"]).run().expect(0);
    let env = environment(&run);
    assert_eq!(env["KSTRIM_TOPIC_ORDERS"], "orders");
    assert_eq!(
        (&*env["KSTRIM_PROFILE"], &*env["KSTRIM_NAMESPACE"], &*env["KSTRIM_CLUSTER"]),
        ("kstrim", "kafka", "my-cluster")
    );
    assert!(topics(&test).contains(&"orders".to_owned()));
    // Again: nothing is created, and no consent is needed.
    test.forget_calls();
    test.args(["run", "--topic", "orders:2", "--", "/bin/true"]).run().expect(0);
    assert!(!test.calls().iter().any(|c| c.line().contains("minikube start")));
    let run = test.args(["run", "--topic", "orders:3", "--", "/bin/true"]).run().expect(2);
    assert!(run.stderr.contains("KS-TOPIC-EXISTS"), "{}", run.stderr);
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn down_deletes_only_what_the_run_created() {
    let mut test = fresh().scenario(quick);
    let run = script(&mut test, &["--down", "--isolate", "--topic", "t"], "exit 4").expect(4);
    assert!(test.profile("kstrim").is_null(), "{}", run.stderr);
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
    let mut test = with_listener();
    let run = script(&mut test, &["--down"], "exit 0").expect(0);
    assert!(run.stderr.contains("so the cluster is kept"), "{}", run.stderr);
    assert!(test.object(PROFILE, KAFKA).is_object());
}

#[test]
fn a_program_connects_with_only_the_environment() {
    let mut test = with_listener();
    let run = test.args(["run", "--", "/usr/bin/env"]).run().expect(0);
    let env = environment(&run);
    assert_eq!(env["KAFKA_SECURITY_PROTOCOL"], "PLAINTEXT");
    assert!(env["KAFKA_BOOTSTRAP_SERVERS"].starts_with("127.0.0.1:"), "{env:?}");
    assert!(!env.contains_key("GOGC"), "what kstrim sets for its own children is not for the command");
    // The files are deleted with the run; during the run, they have the same content.
    let script_text = "cat \"$KSTRIM_CLIENT_PROPERTIES\"; stat -c %a \"$KSTRIM_CLIENT_PROPERTIES\"";
    let run = script(&mut test, &[], script_text).expect(0);
    let servers = &env["KAFKA_BOOTSTRAP_SERVERS"];
    assert_eq!(run.stdout, format!("bootstrap.servers={servers}\nsecurity.protocol=PLAINTEXT\n600\n"));
    assert!(!PathBuf::from(&env["KSTRIM_CLIENT_PROPERTIES"]).exists());
}

#[test]
fn users_connect_by_certificate_and_by_password_which_is_never_printed() {
    let mut test = ready();
    events(&mut test, ["user", "create", "app"], 0);
    events(&mut test, ["user", "create", "pass", "--authentication", "scram"], 0);
    test = test.env("KAFKA_SASL_USERNAME", "somebody-else");
    let run = script(
        &mut test,
        &["--user", "app"],
        "env; cat $KAFKA_SSL_KEY_FILE >key; cp $KSTRIM_CLIENT_PROPERTIES p",
    )
    .expect(0);
    let env = environment(&run);
    assert_eq!(env["KAFKA_SECURITY_PROTOCOL"], "SSL");
    assert!(!env.contains_key("KAFKA_SASL_USERNAME"), "it is of another cluster");
    let text = |name: &str| std::fs::read_to_string(test.work().join(name)).expect("the file");
    assert!(text("key").contains("PRIVATE KEY") && text("p").contains("ssl.keystore.location="));
    assert!(!run.stdout.contains("PRIVATE KEY") && !run.stderr.contains("PRIVATE KEY"));
    let run = script(&mut test, &["--user", "pass", "-v"], "env; cat $KAFKA_SASL_PASSWORD_FILE >w; cp $KSTRIM_LIBRDKAFKA_PROPERTIES l; stat -c %a $KAFKA_SASL_PASSWORD_FILE >&2").expect(0);
    let env = environment(&run);
    assert_eq!((&*env["KAFKA_SECURITY_PROTOCOL"], &*env["KAFKA_SASL_USERNAME"]), ("SASL_SSL", "pass"));
    let text = |name: &str| std::fs::read_to_string(test.work().join(name)).expect("the file");
    let password = text("w");
    assert!(!password.is_empty() && text("l").contains(&format!("sasl.password={password}\n")));
    assert!(!run.stdout.contains(&password) && !run.stderr.contains(&password));
    assert!(run.stderr.contains("600"), "{}", run.stderr);
    assert!(!test.calls().iter().any(|call| call.line().contains(&password)));
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn only_objects_with_the_prefix_of_a_run_are_removed() {
    let mut test = with_listener();
    let others = test.world_dir().join("broker/groups.json");
    std::fs::write(&others, json!({"billing": {"my-topic": {"0": 1}}}).to_string()).expect("a file");
    let broker = test.world_dir().join("broker");
    // The command's topics without a resource, and a consumer that was killed.
    let text = format!(
        "cd {}; echo $KSTRIM_PREFIX $KSTRIM_TOPIC_ORDERS
        echo \"{{\\\"billing\\\": {{\\\"my-topic\\\": {{\\\"0\\\": 1}}}}, \\\"${{KSTRIM_PREFIX}}g\\\": {{}}}}\" >groups.json
        echo \"{{\\\"${{KSTRIM_PREFIX}}g\\\": [\\\"m-1\\\"]}}\" >members.json
        cp -r topics/my-topic topics/${{KSTRIM_PREFIX}}own",
        broker.display()
    );
    let run = script(&mut test, &["--isolate", "--topic", "orders:3"], &text).expect(0);
    let (prefix, topic) = run.stdout.trim().split_once(' ').expect("two words");
    assert!(prefix.starts_with("run-") && prefix.ends_with('-') && prefix.len() == 15, "{prefix}");
    assert_eq!(topic, format!("{prefix}orders"));
    let left = |names: Vec<String>| names.into_iter().filter(|n| n.starts_with(prefix)).collect::<Vec<_>>();
    assert!(left(topics(&test)).is_empty() && left(topics_in_kafka(&test)).is_empty(), "{}", run.stderr);
    assert!(topics_in_kafka(&test).contains(&"my-topic".to_owned()));
    assert_eq!(groups(&test), json!({"billing": {"my-topic": {"0": 1}}}), "{}", run.stderr);
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn two_concurrent_runs_do_not_interfere() {
    let mut test = ready();
    let one = start(
        &mut test,
        &["--isolate", "--topic", "orders"],
        "echo $KAFKA_BOOTSTRAP_SERVERS; while [ ! -e go-1 ]; do sleep 0.05; done; exit 11",
    );
    let two = start(
        &mut test,
        &["--isolate", "--topic", "orders"],
        "echo $KAFKA_BOOTSTRAP_SERVERS; while [ ! -e go-2 ]; do sleep 0.05; done; exit 22",
    );
    let running = |test: &Test| topics(test).iter().filter(|name| name.ends_with("-orders")).count();
    eventually("both commands run", || running(&test) == 2 && records(&test) == 2);
    // Other commands are not blocked, either.
    test.args(["topic", "create", "other"]).run().expect(0);
    test.write("go-1", "");
    let one = one.wait().expect(11);
    assert_eq!(running(&test), 1, "{}", one.stderr);
    // The port-forwards of the first one are still open for the second one.
    let servers = one.stdout.trim().to_owned();
    let open = || std::net::TcpStream::connect(&servers).is_ok();
    assert!(open(), "{servers}");
    test.write("go-2", "");
    let two = two.wait().expect(22);
    assert_eq!(two.stdout.trim(), servers);
    assert_eq!((test.leftovers(), records(&test), running(&test), open()), (vec![], 0, 0, false));
}

#[test]
fn signals_are_forwarded_to_the_command() {
    let mut test = with_listener();
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let text =
            format!("trap 'echo got {name}; exit 42' {name}; touch here; while :; do sleep 0.05; done");
        let _ = std::fs::remove_file(test.work().join("here"));
        let running = start(&mut test, &["--isolate"], &text);
        eventually("the command runs", || test.work().join("here").exists());
        running.signal(signal);
        let run = running.wait().expect(42);
        assert_eq!(run.stdout, format!("got {name}\n"));
    }
    let _ = std::fs::remove_file(test.work().join("here"));
    let running = start(&mut test, &[], "touch here; exec sleep 60");
    eventually("the command runs", || test.work().join("here").exists());
    running.signal(Signal::TERM);
    running.wait().expect(143);
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn the_command_of_a_killed_run_is_killed_and_the_next_run_cleans_up() {
    let mut test = with_listener();
    let text = "echo $$ >pid; echo $KSTRIM_PREFIX >prefix; exec sleep 60";
    let running = start(&mut test, &["--isolate", "--topic", "orders"], text);
    eventually("the command runs", || test.work().join("prefix").exists());
    let pid = std::fs::read_to_string(test.work().join("pid")).expect("a pid");
    let prefix = std::fs::read_to_string(test.work().join("prefix")).expect("a prefix").trim().to_owned();
    let has = |test: &Test| topics(test).iter().any(|name| name.starts_with(&prefix));
    // An active run is not changed.
    script(&mut test, &[], "exit 0").expect(0);
    assert!(has(&test) && records(&test) == 1);
    running.signal(Signal::KILL);
    running.wait().expect(137);
    let alive =
        || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|s| !s.contains(") Z "));
    eventually("the command is gone", || !alive());
    eventually("the port-forwards are gone", || test.leftovers().is_empty());
    assert!(has(&test) && records(&test) == 1);
    let run = script(&mut test, &[], "exit 5").expect(5);
    assert!(run.stderr.contains("an earlier run was killed"), "{}", run.stderr);
    assert!(!has(&test) && records(&test) == 0, "{}", run.stderr);
}

#[test]
fn a_port_forward_that_ends_is_opened_again_on_the_same_port() {
    let mut test = with_listener();
    let text = "touch here; while [ ! -e go ]; do sleep 0.05; done; echo $KAFKA_BOOTSTRAP_SERVERS";
    let running = start(&mut test, &[], text);
    eventually("the command runs", || test.work().join("here").exists());
    let forwards = |test: &Test| {
        let calls = test.calls().into_iter();
        calls
            .filter(|c| c.line().contains("port-forward") && c.exit.is_none())
            .map(|c| c.pid)
            .collect::<Vec<_>>()
    };
    let first = forwards(&test);
    let pid = rustix::process::Pid::from_raw(i32::try_from(*first.last().expect("one")).expect("an id"));
    rustix::process::kill_process(pid.expect("an id"), Signal::KILL).expect("it runs");
    eventually("another one is open", || forwards(&test).iter().any(|pid| !first.contains(pid)));
    // Also if the process that keeps them open is killed.
    let keeper = keeper(&test);
    rustix::process::kill_process(keeper, Signal::KILL).expect("it runs");
    let kafka = test.object(PROFILE, KAFKA);
    let listeners = kafka["spec"]["kafka"]["listeners"].as_array().expect("listeners").clone();
    let port = listeners.last().expect("one")["configuration"]["brokers"][0]["advertisedPort"]
        .as_u64()
        .expect("a port");
    eventually("it is open again", || std::net::TcpStream::connect(("127.0.0.1", port as u16)).is_ok());
    test.write("go", "");
    let run = running.wait().expect(0);
    assert_eq!(run.stdout, format!("127.0.0.1:{port}\n"));
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

/// The process that keeps the port-forwards open.
fn keeper(test: &Test) -> rustix::process::Pid {
    let state = test.home().display().to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = pids.into_iter().find(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("__forwards") && line.contains(&state)
    });
    rustix::process::Pid::from_raw(found.expect("it runs")).expect("an id")
}

#[test]
fn a_command_reads_from_the_terminal_and_receives_ctrl_c() {
    let mut test = with_listener();
    let text = "PATH=/usr/bin:/bin; read line; echo \"got $line\"; trap 'echo stopped; exit 9' INT; touch here; while :; do sleep 0.05; done";
    let kstrim = test.args(["run", "--", SH, "-c", text]).kstrim();
    // A session with this controlling terminal: only there do foreground groups exist.
    let mut command = std::process::Command::new("/usr/bin/setsid");
    command.args(["--ctty", "--wait"]).arg(kstrim.get_program()).args(kstrim.get_args());
    command.env_clear().current_dir(test.work());
    command.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = Terminal::start(command);
    terminal.shows("running /bin/sh");
    terminal.types("hello\n");
    terminal.shows("got hello");
    eventually("the command waits", || test.work().join("here").exists());
    terminal.types("\u{3}");
    terminal.shows("stopped");
    assert_eq!(terminal.ends(), 9, "{}", terminal.text());
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn the_terminal_is_given_back() {
    let mut test = with_listener();
    let text = "touch here; while [ ! -e go ]; do /bin/sleep 0.05; done; echo finished";
    let kstrim = test.args(["run", "--", SH, "-c", text]).kstrim();
    let script = "\"$0\" \"$@\"; read line; echo \"after $line\"";
    let mut command = std::process::Command::new("/usr/bin/setsid");
    // A shell with job control, like an interactive one.
    command
        .args(["--ctty", "--wait", SH, "-m", "-c", script])
        .arg(kstrim.get_program())
        .args(kstrim.get_args());
    command.env_clear().current_dir(test.work());
    command.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = Terminal::start(command);
    terminal.shows("running /bin/sh");
    test.write("go", "");
    terminal.shows("finished");
    terminal.types("words\n");
    terminal.shows("after words");
    assert_eq!(terminal.ends(), 0, "{}", terminal.text());
    // Without job control, shell and kstrim are in one group: it has to be the foreground group again.
    let kstrim = test.args(["run", "--", SH, "-c", "echo done"]).kstrim();
    let mut command = std::process::Command::new("/usr/bin/setsid");
    command.args(["--ctty", "--wait", SH, "-c", script]).arg(kstrim.get_program()).args(kstrim.get_args());
    command.env_clear().current_dir(test.work());
    command.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = Terminal::start(command);
    terminal.shows("kstrim run:");
    terminal.types("words\n");
    terminal.shows("after words");
    assert_eq!(terminal.ends(), 0, "{}", terminal.text());
}

#[test]
fn two_concurrent_runs_share_a_cluster() {
    let mut test = fresh().scenario(quick);
    let running: Vec<Running> =
        (0..2).map(|_| start(&mut test, &["--isolate", "--topic", "t"], "exit 0")).collect();
    for run in running {
        run.wait().expect(0);
    }
    assert_eq!(test.calls().iter().filter(|c| c.line().contains("start -o json")).count(), 1);
    assert_eq!((test.leftovers(), records(&test)), (vec![], 0));
}

#[test]
fn evidence_is_collected_if_it_was_requested_and_the_command_fails() {
    let mut test = with_listener();
    let archives = |test: &Test| {
        std::fs::read_dir(test.work().join("evidence"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect::<Vec<_>>()
    };
    script(&mut test, &["--evidence", "evidence"], "exit 0").expect(0);
    assert!(archives(&test).is_empty());
    script(&mut test, &["--evidence", "evidence", "--events", "run.jsonl"], "exit 1").expect(1);
    let found = archives(&test);
    assert_eq!(found.len(), 1);
    let mode = std::fs::metadata(&found[0]).expect("a file").permissions().mode() & 0o777;
    assert_eq!(
        (finished(&test)["evidence"].as_str().map(PathBuf::from).map(|p| test.work().join(p)), mode & 0o077),
        (Some(found[0].clone()), 0)
    );
    let mut head = [0; 2];
    std::fs::File::open(&found[0]).expect("a file").read_exact(&mut head).expect("bytes");
    assert_eq!(head, [0x1f, 0x8b], "gzip");
}
