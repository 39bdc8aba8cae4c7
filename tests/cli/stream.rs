//! `kstrim produce` and `kstrim consume`: complete transfer, over pipes, signals and broken connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Run, Test};
use crate::support::{events, kstrim, ready};
use crate::terminal::Terminal;

/// Write lines.
fn produce<const N: usize>(test: &mut Test, args: [&str; N], lines: &str) -> Run {
    test.stdin(lines);
    let mut all = vec!["produce", "my-topic"];
    all.extend(args);
    let run = test.args(all).run();
    test.stdin("");
    run
}

/// Read a topic from its beginning, as documents.
fn consumed(test: &mut Test, topic: &str, count: usize) -> Vec<Value> {
    let count = count.to_string();
    let args = ["consume", topic, "--from-beginning", "-m", &count, "--timeout", "20s", "-o", "json"];
    test.args(args).run().expect(0).json_lines()
}

/// Start kstrim with the test's own pipes.
fn start(test: &mut Test, args: &[&str]) -> Child {
    let mut command = test.args(args.iter().copied()).kstrim();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Wait until it ends; returns the exit code and stderr.
fn end(mut child: Child) -> (i32, String) {
    let began = Instant::now();
    let status = loop {
        match child.try_wait().expect("wait") {
            Some(status) => break status,
            None if began.elapsed() > Duration::from_secs(30) => {
                let _ = child.kill();
                panic!("it does not end");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let mut said = String::new();
    let _ = child.stderr.take().expect("stderr").read_to_string(&mut said);
    (status.code().unwrap_or(-1), said)
}

#[test]
fn produced_records_are_consumed() {
    let mut test = ready();
    events(&mut test, ["topic", "create", "orders", "--partitions", "3"], 0);
    test.stdin("a:1\nb:2\na:3\nc:\n");
    let args = ["produce", "orders", "--key-separator", ":", "--header", "from=test", "-o", "json"];
    let run = test.args(args).run().expect(0);
    assert_eq!(run.json()["messages"], 4, "{}", run.stdout);
    assert!(run.stderr.contains("4 messages written to orders"), "{}", run.stderr);
    let messages = consumed(&mut test, "orders", 4);
    let of = |key: &str| -> Vec<Value> {
        messages.iter().filter(|m| m["key"] == key).map(|m| m["value"].clone()).collect()
    };
    assert_eq!(of("a"), ["1", "3"], "in the order of their key");
    assert_eq!((of("b"), of("c")), (vec![json!("2")], vec![json!("")]));
    assert_eq!(messages[0]["headers"], json!([{"name": "from", "value": "test"}]));
    assert!(messages.iter().all(|m| m["offset"].is_i64() && m["timestamp"].is_string()), "{messages:?}");
}

#[test]
fn text_is_lines_and_other_bytes_are_unchanged() {
    let mut test = ready();
    test.stdin(b"plain\n\xff\xfe\nlast without an end".to_vec());
    test.args(["produce", "my-topic"]).run().expect(0);
    test.stdin("");
    let messages = consumed(&mut test, "my-topic", 3);
    assert_eq!(messages[1]["value_base64"], "//4=");
    let run =
        kstrim(&mut test, ["consume", "my-topic", "--from-beginning", "-m", "1", "--key-separator", "="]);
    assert_eq!(run.expect(0).stdout, "=plain\n");
    let run = kstrim(&mut test, ["consume", "my-topic", "--offset", "12", "--idle", "300ms"]).expect(0);
    assert_eq!(run.stdout, "last without an end\n");
    let run = kstrim(&mut test, ["consume", "my-topic", "--offset", "9999"]).expect(2);
    assert!(
        run.stderr.contains("KS-CONSUME-OFFSET") && run.stderr.contains("next will have 13"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_single_partition_can_be_written_and_read() {
    let mut test = ready();
    events(&mut test, ["topic", "create", "orders", "--partitions", "2"], 0);
    test.stdin("one\n");
    test.args(["produce", "orders", "--partition", "1"]).run().expect(0);
    let run = test.args(["produce", "orders", "--partition", "2"]).run().expect(2);
    assert!(run.stderr.contains("KS-PARTITION-UNKNOWN"), "{}", run.stderr);
    let read = ["consume", "orders", "--from-beginning", "--idle", "300ms", "--partition"];
    let of = |test: &mut Test, n: &'static str| test.args([&read[..], &[n]].concat()).run().expect(0).stdout;
    assert_eq!((of(&mut test, "0"), of(&mut test, "1")), (String::new(), "one\n".to_owned()));
    let run = kstrim(&mut test, ["consume", "orders", "--offset", "0"]).expect(2);
    assert!(run.stderr.contains("kstrim consume orders --offset 0 --partition 0"), "{}", run.stderr);
}

#[test]
fn a_partition_that_is_added_is_read_too() {
    let mut test = ready();
    produce(&mut test, [], "early\n").expect(0);
    let args = ["consume", "my-topic", "--from-beginning", "-m", "2", "--timeout", "30s"];
    let mut child = start(&mut test, &args);
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "early");
    let patch = json!({"spec": {"partitions": 2}}).to_string();
    let topic = ["kubectl", "--", "patch", "kafkatopics.kafka.strimzi.io", "my-topic", "-n", "kafka"];
    test.args([&topic[..], &["--type=merge", "-p", &patch]].concat()).run().expect(0);
    produce(&mut test, ["--partition", "1"], "late\n").expect(0);
    assert_eq!(lines.next().expect("a line").expect("text"), "late");
    assert_eq!(end(child).0, 0);
}

#[test]
fn fewer_records_than_requested_is_a_timeout() {
    let mut test = ready();
    produce(&mut test, [], "one\n").expect(0);
    let args = ["consume", "my-topic", "--from-beginning", "-m", "2", "--timeout", "700ms"];
    let run = kstrim(&mut test, args).expect(4);
    assert_eq!(run.stdout, "one\n");
    assert!(run.stderr.contains("KS-CONSUME-SHORT") && run.stderr.contains("1 of 2"), "{}", run.stderr);
}

#[test]
fn an_invalid_line_ends_it_after_the_previous_ones() {
    let mut test = ready();
    let run = produce(&mut test, ["--key-separator", ":"], "a:1\nb:2\nnone\nc:3\n").expect(2);
    assert!(run.stderr.contains("KS-PRODUCE-LINE") && run.stderr.contains("line 3"), "{}", run.stderr);
    assert!(run.stderr.contains("2 messages written"), "{}", run.stderr);
    assert_eq!(consumed(&mut test, "my-topic", 2)[1]["value"], "2");
}

#[test]
fn headers_may_be_repeated() {
    let mut test = ready();
    produce(&mut test, ["--header", "a=1", "--header", "b=2", "--header", "a=3"], "x\n").expect(0);
    let wanted =
        json!([{"name": "a", "value": "1"}, {"name": "b", "value": "2"}, {"name": "a", "value": "3"}]);
    assert_eq!(consumed(&mut test, "my-topic", 1)[0]["headers"], wanted);
}

#[test]
fn a_partition_without_a_leader_does_not_block_the_others() {
    let mut test = ready();
    events(&mut test, ["topic", "create", "orders", "--partitions", "3"], 0);
    for partition in ["0", "1", "2"] {
        test.stdin(format!("early {partition}\n"));
        test.args(["produce", "orders", "--partition", partition]).run().expect(0);
    }
    test.change_scenario(|s| s.broker = json!({"leaderless": [1]}));
    // Without a key: to partitions that have a leader.
    for n in 0..4 {
        test.stdin(format!("late {n}\n"));
        test.args(["produce", "orders", "--timeout", "20s"]).run().expect(0);
    }
    test.stdin("held\n");
    let run = test.args(["produce", "orders", "--partition", "1", "--timeout", "1500ms"]).run().expect(1);
    assert!(
        run.stderr.contains("KS-PARTITION-NO-LEADER") && run.stderr.contains("partition 1"),
        "{}",
        run.stderr
    );
    test.stdin("");
    let args = ["consume", "orders", "--from-beginning", "-m", "6", "--timeout", "20s"];
    let run = test.args(args).run().expect(0);
    assert_eq!(run.stdout.lines().filter(|l| l.starts_with("late")).count(), 4, "{}", run.stdout);
    // Once it has a leader again, it is read from the beginning.
    let mut child =
        start(&mut test, &["consume", "orders", "--from-beginning", "-m", "7", "--timeout", "40s"]);
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let six: Vec<String> = lines.by_ref().take(6).map(|line| line.expect("text")).collect();
    if six.len() < 6 {
        panic!("{six:?} {:?}", end(child));
    }
    std::fs::write(test.world_dir().join("broker/led"), "").expect("a file");
    assert_eq!(lines.next().expect("a line").expect("text"), "early 1");
    assert_eq!(end(child).0, 0);
}

/// A broker that lost messages it had acknowledged continues with other messages at the same offsets.
#[test]
fn after_a_truncation_nothing_is_printed_twice() {
    let mut test = ready();
    produce(&mut test, [], "one\ntwo\nthree\n").expect(0);
    test.change_scenario(|s| s.broker = json!({"cut": 12}));
    let mut child = start(&mut test, &["consume", "my-topic", "--from-beginning", "--idle", "3s"]);
    let (mut out, mut stdout) = (String::new(), child.stdout.take().expect("stdout"));
    let (code, said) = end(child);
    stdout.read_to_string(&mut out).expect("text");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("was truncated from offset 13 to 12"), "{said}");
    // The third offset is read again with its current content, another message.
    assert_eq!(out.lines().filter(|l| *l == "one").count(), 1, "{out}");
    assert_eq!(out.lines().filter(|l| *l == "two").count(), 1, "{out}");
}

#[test]
fn a_truncation_while_consume_waits_is_detected() {
    let mut test = ready();
    produce(&mut test, [], "one\ntwo\nthree\n").expect(0);
    test.change_scenario(|s| s.broker = json!({"cut": 12, "cut_when_idle": true}));
    let child = start(&mut test, &["consume", "my-topic", "--from-beginning", "--idle", "3s"]);
    let (code, said) = end(child);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("was truncated from offset 13 to 12"), "{said}");
}

#[test]
fn a_terminal_receives_no_control_sequences_from_records() {
    let mut test = ready();
    let evil = "\x1b]0;title\x07\x1b[2Jgone\u{9b}31m";
    produce(&mut test, [], &format!("{evil}\n")).expect(0);
    let args = ["consume", "my-topic", "--partition", "0", "--offset", "10", "-m", "1"];
    // To a pipe, every byte is written unchanged.
    assert_eq!(test.args(args).run().expect(0).stdout, format!("{evil}\n"));
    for output in ["text", "json", "yaml"] {
        let mut all = args.to_vec();
        all.extend(["-o", output]);
        let mut terminal = Terminal::start(test.args(all).kstrim());
        assert_eq!(terminal.ends(), 0, "{}", terminal.text());
        let text = terminal.text();
        assert!(text.contains("gone"), "{output}: {text:?}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\r'), "{output}: {text:?}");
    }
}

#[test]
fn a_missing_topic_is_named() {
    let mut test = ready();
    for verb in ["produce", "consume"] {
        let run = kstrim(&mut test, [verb, "nothing"]).expect(2);
        assert!(run.stderr.contains("KS-TOPIC-UNKNOWN"), "{}", run.stderr);
        assert!(run.stderr.contains("kstrim topic create nothing"), "{}", run.stderr);
    }
}

/// Every connection ends in the middle of an answer, so acknowledgements are lost.
#[test]
fn broken_connections_lose_and_duplicate_nothing() {
    let mut test = ready();
    test.change_scenario(|s| s.broker = json!({"close_after_bytes": 1500}));
    let mut child = start(&mut test, &["produce", "my-topic"]);
    let mut stdin = child.stdin.take().expect("stdin");
    for n in 0..60 {
        writeln!(stdin, "value {n}").expect("it reads");
        // Small portions: an answer each.
        stdin.flush().expect("it reads");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(stdin);
    let (code, said) = end(child);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("60 messages written"), "{said}");
    test.change_scenario(|s| s.broker = Value::Null);
    let run = kstrim(&mut test, ["consume", "my-topic", "--from-beginning", "--idle", "500ms"]).expect(0);
    let wanted: String = (0..60).map(|n| format!("value {n}\n")).collect();
    assert_eq!(run.stdout, wanted);
}

#[test]
fn a_closed_pipe_ends_it_silently() {
    let mut test = ready();
    let lines: String = (0..500).map(|n| format!("{n}\n")).collect();
    produce(&mut test, [], &lines).expect(0);
    let mut child = start(&mut test, &["consume", "my-topic", "--from-beginning"]);
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut first).expect("a line");
    assert_eq!(first, "0\n");
    assert_eq!(end(child), (0, String::new()));
}

#[test]
fn ctrl_c_ends_a_consumer() {
    let mut test = ready();
    produce(&mut test, [], "one\n").expect(0);
    let mut child = start(&mut test, &["consume", "my-topic", "--from-beginning"]);
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    stdout.read_line(&mut first).expect("a line");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    assert_eq!((end(child), first.as_str()), ((130, String::new()), "one\n"));
}

#[test]
fn ctrl_c_ends_a_producer_after_what_was_acknowledged() {
    let mut test = ready();
    let mut child = start(&mut test, &["produce", "my-topic", "-o", "json"]);
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(b"one\ntwo\n").expect("it reads");
    // It is stored when a consumer sees it.
    assert_eq!(consumed(&mut test, "my-topic", 2).len(), 2);
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let mut out = String::new();
    let mut stdout = child.stdout.take().expect("stdout");
    let (code, said) = end(child);
    stdout.read_to_string(&mut out).expect("text");
    drop(stdin);
    assert_eq!(code, 130, "{said}");
    assert_eq!(out.parse::<Value>().expect("JSON")["messages"], 2);
}
