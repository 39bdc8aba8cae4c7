//! Peak memory and time to stop of the commands that transfer a lot of data: the table in docs/reliability.md, with
//! its limits.

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::bundle::{CREATE, KAFKA_IMAGE, OPERATOR_IMAGE, archive_of};
use crate::harness::Test;
use crate::support::{self, events};
use crate::trouble::eventually;

/// A verb ends within this time after a signal.
const STOP: Duration = Duration::from_secs(2);
/// Allowance for a machine that runs other tests at the same time.
const BUSY: Duration = Duration::from_millis(1500);
const MIB: u64 = 1 << 20;
/// Peak memory of verbs that stream messages or lines.
const CARRIER: u64 = 96 * MIB;
/// MiB that a batch decompresses to.
const UNPACKED: i64 = 160;
/// Peak memory of verbs that collect their output.
const COLLECTOR: u64 = 96 * MIB;

fn spawn(test: &mut Test, args: &[&str]) -> Child {
    let mut command = test.args(args.iter().copied()).kstrim();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// The peak memory of a process so far, in bytes; 0 when it has ended.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Let it run to its end; returns its exit code and its peak memory.
fn watched(mut child: Child) -> (i32, u64, String) {
    let mut stdout = child.stdout.take().expect("stdout");
    let read = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).expect("bytes"));
    let mut stderr = child.stderr.take().expect("stderr");
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        let _ = stderr.read_to_string(&mut said);
        said
    });
    let began = Instant::now();
    let mut most = 0;
    let status = loop {
        most = most.max(peak(&child));
        match child.try_wait().expect("wait") {
            Some(status) => break status,
            None if began.elapsed() > Duration::from_secs(120) => {
                let _ = child.kill();
                panic!("it does not end");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let bytes = read.join().expect("a reader");
    (status.code().unwrap_or(-1), most, format!("{bytes} bytes; {}", said.join().expect("a reader")))
}

/// Send a signal; returns how long the process took to end, and its exit code.
fn stop(child: &mut Child, signal: Signal) -> (Duration, i32) {
    let asked = Instant::now();
    kill_process(Pid::from_child(child), signal).expect("it runs");
    loop {
        match child.try_wait().expect("wait") {
            Some(status) => return (asked.elapsed(), status.code().unwrap_or(-1)),
            None if asked.elapsed() > Duration::from_secs(20) => {
                let _ = child.kill();
                panic!("it does not end");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[track_caller]
fn holds(what: &str, most: u64, ceiling: u64) {
    println!("{what}: peak {} MiB", most / MIB);
    assert!(most > 0 && most <= ceiling, "{what}: {} MiB, more than {}", most / MIB, ceiling / MIB);
}

fn record(offset: i64, value: Vec<u8>) -> Record {
    let sequence = i32::try_from(offset).expect("small");
    Record { sequence, timestamp: 7, ..stand_ins::broker::log::record(offset, value.into()) }
}

/// A batch whose records decompress to this many MiB, 1 MiB each.
fn bomb(first: i64, mib: i64, compression: Compression) -> Vec<u8> {
    let records: Vec<Record> = (0..mib).map(|n| record(first + n, vec![b'0'; 1 << 20])).collect();
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode(&mut out, &records, &RecordEncodeOptions { version: 2, compression })
        .expect("a batch");
    out.to_vec()
}

fn log_of(test: &Test) -> std::path::PathBuf {
    test.world_dir().join("broker/topics/my-topic/0.log")
}

/// The end offset of the topic's log.
fn end_of(test: &mut Test) -> i64 {
    let lines = test.args(["topic", "describe", "my-topic", "-o", "json"]).run().expect(0).json();
    lines["live"][0]["next"].as_i64().unwrap_or_else(|| panic!("{lines}"))
}

#[test]
fn a_batch_is_not_decompressed_as_a_whole() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut test = support::ready();
        let end = end_of(&mut test);
        let packed = bomb(end, UNPACKED, codec);
        let most = if codec == Compression::Snappy { 16 << 20 } else { 3 << 20 };
        assert!(packed.len() < most, "{codec:?}: {}", packed.len());
        let mut log = std::fs::read(log_of(&test)).unwrap_or_default();
        log.extend(packed);
        std::fs::write(log_of(&test), log).expect("a log");
        let (end, count) = (end.to_string(), UNPACKED.to_string());
        let args =
            ["consume", "my-topic", "--partition", "0", "--offset", &end, "-m", &count, "--timeout", "100s"];
        let (code, most, said) = watched(spawn(&mut test, &args));
        assert_eq!(code, 0, "{codec:?}: {said}");
        assert!(
            said.starts_with(&format!("{} bytes", UNPACKED.unsigned_abs() * (MIB + 1))),
            "{codec:?}: {said}"
        );
        holds(&format!("consume {codec:?}"), most, CARRIER);
    }
}

/// A large output: lines of 10 kB.
fn filled() -> Test {
    let mut test = support::ready();
    let line = "0123456789".repeat(1000);
    test.stdin(format!("{line}\n").repeat(2000));
    test.args(["produce", "my-topic"]).run().expect(0);
    test.stdin("");
    test
}

#[test]
fn a_pipe_without_a_reader_does_not_block() {
    let base = filled();
    for signal in [Signal::INT, Signal::TERM] {
        let mut test = base.fork();
        let mut child = spawn(&mut test, &["consume", "my-topic", "--from-beginning"]);
        let pipe = child.stdout.take().expect("stdout");
        // The pipe holds 64 KiB, the queue a megabyte; there are twenty megabytes to print.
        std::thread::sleep(Duration::from_secs(3));
        let most = peak(&child);
        let (took, code) = stop(&mut child, signal);
        assert!(took < STOP + BUSY, "{signal:?}: {took:?}");
        assert_eq!(code, if signal == Signal::INT { 130 } else { 143 });
        holds("consume into a full pipe", most, CARRIER);
        drop(pipe);
    }
    let mut test = base.fork();
    let began = Instant::now();
    let mut child = spawn(&mut test, &["consume", "my-topic", "--from-beginning", "--timeout", "3s"]);
    let _pipe = child.stdout.take().expect("stdout");
    let status = loop {
        match child.try_wait().expect("wait") {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
        assert!(began.elapsed() < Duration::from_secs(30), "--timeout does not end it");
    };
    let mut said = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut said).expect("text");
    assert_eq!(status.code(), Some(4), "{said}");
    assert!(said.contains("KS-OUTPUT-STALLED"), "{said}");
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let mut test = filled();
    let mut child =
        spawn(&mut test, &["consume", "my-topic", "--from-beginning", "-m", "2000", "--idle", "30s"]);
    let mut stdout = child.stdout.take().expect("stdout");
    std::thread::sleep(Duration::from_secs(2));
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).expect("bytes");
    assert!(child.wait().expect("wait").success());
    let own = bytes.split(|b| *b == b'\n').filter(|line| line.len() == 10_000).count();
    assert!(own >= 1990, "{own} of 2000 lines");
}

#[test]
fn logs_into_a_full_pipe_stop() {
    let mut test = support::ready();
    let mut child = spawn(&mut test, &["logs", "--follow", "-o", "json"]);
    let _pipe = child.stdout.take().expect("stdout");
    std::thread::sleep(Duration::from_secs(3));
    let most = peak(&child);
    let (took, code) = stop(&mut child, Signal::TERM);
    assert!(took < STOP + BUSY, "{took:?}");
    assert_eq!(code, 143);
    holds("logs --follow", most, CARRIER);
}

#[test]
fn a_producer_reads_ahead_only_a_limited_number_of_bytes() {
    let mut test = support::ready();
    test.change_scenario(|s| s.broker = json!({"stall_ms": 600_000, "stall_apis": [0]}));
    test.forget_calls();
    let mut child = spawn(&mut test, &["produce", "my-topic"]);
    let mut stdin = child.stdin.take().expect("stdin");
    static OVER: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(move || {
        use std::io::Write;
        let mut line = vec![b'x'; 1_000_000];
        line.push(b'\n');
        let mut open = true;
        while open && !OVER.load(Ordering::Relaxed) {
            open = stdin.write_all(&line).is_ok();
        }
    });
    eventually("a port-forward is started", || {
        test.calls().iter().any(|c| c.line().contains("port-forward"))
    });
    std::thread::sleep(Duration::from_secs(5));
    let most = peak(&child);
    let (took, code) = stop(&mut child, Signal::TERM);
    OVER.store(true, Ordering::Relaxed);
    assert!(took < STOP + BUSY, "{took:?}");
    assert_eq!(code, 143);
    holds("produce with a broker that does not answer", most, CARRIER);
}

#[test]
fn a_line_without_an_end_is_rejected() {
    let mut test = support::ready();
    let mut child = spawn(&mut test, &["produce", "my-topic"]);
    let mut stdin = child.stdin.take().expect("stdin");
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let piece = vec![b'x'; 1 << 20];
        (0..300).try_for_each(|_| stdin.write_all(&piece)).is_err()
    });
    let (code, most, said) = watched(child);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("KS-PRODUCE-LINE") && said.contains("longer than"), "{said}");
    assert!(writer.join().expect("a writer"), "it read on");
    // One line counts in full.
    holds("produce with a line without an end", most, CARRIER + 110 * MIB);
}

#[test]
fn commands_that_collect_output_use_little_memory() {
    let mut test = support::ready();
    events(&mut test, ["topic", "create", "orders", "--partitions", "3"], 0);
    for args in [&["topic", "list"][..], &["diagnose"], &["status"], &["logs"]] {
        let (code, most, said) = watched(spawn(&mut test, args));
        assert_eq!(code, 0, "{args:?}: {said}");
        holds(&args.join(" "), most, COLLECTOR);
    }
}

/// Archives of images are large: they are copied in chunks.
#[test]
fn bundling_large_images_uses_little_memory() {
    let mut test = support::fresh();
    let large = "0".repeat(160 << 20);
    archive_of(&test, "operator.tar", OPERATOR_IMAGE, "{}");
    archive_of(&test, "kafka.tar", KAFKA_IMAGE, &large);
    let mut child = spawn(&mut test, &CREATE);
    std::thread::sleep(Duration::from_millis(700));
    if child.try_wait().expect("wait").is_none() {
        let (took, code) = stop(&mut child, Signal::TERM);
        assert!(took < STOP + BUSY && (code == 143 || code == 0), "{code} after {took:?}");
        let _ = std::fs::remove_file(test.work().join("kafka.bundle"));
    }
    let again = [&CREATE[..], &["--force"]].concat();
    for args in [&again[..], &["bundle", "verify", "kafka.bundle"]] {
        let (code, most, said) = watched(spawn(&mut test, args));
        assert_eq!(code, 0, "{args:?}: {said}");
        holds(&args[..2].join(" "), most, COLLECTOR);
    }
}
