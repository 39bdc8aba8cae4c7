//! Faults injected on purpose, as a table: each is injected into a world of stand-ins, and one command must report
//! its id, or recover with a message; after it is removed, the next `up` must have the same result as without it.
//! `docs/reliability.md` is this table with the times of one run.
//!
//! ```text
//! FAULT=docker-down cargo test --test cli -- reliability --nocapture      one fault, with full output
//! RELIABILITY_WRITE=1 cargo test --test cli -- reliability                 measure, write the document
//! ```

mod access;
mod kafka;
mod machine;
mod network;
mod operator;
mod profile;
mod smoke;
mod teardown;
mod topic;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Action, Fault as Call, Run, Test};
use crate::support::{KAFKA, OPERATOR, PROFILE, TOPIC, empty_cluster, fresh, quick, ready, same, state};
use crate::trouble::clean;

/// Runs at once: most of a run waits for a finding to become certain.
const AT_ONCE: usize = 20;

/// Rows that take half a minute or more.
const SLOW: [&str; 16] = [
    "namespace-going",
    "topic-unserved",
    "operator-gives-up",
    "broker-never-ready",
    "down-with-a-stuck-definition",
    "down-with-a-foreign-finalizer",
    "start-says-done-too-early",
    "node-pressure",
    "no-node-fits",
    "container-config",
    "entity-operator",
    "operator-does-not-take-up-a-change",
    "kafka-not-ready",
    "volume-unbound",
    "node-not-ready",
    "broker-stalls",
];

/// The world a fault is put into.
#[derive(Debug, Clone, Copy, PartialEq)]
enum World {
    /// Nothing was ever started.
    Fresh,
    /// The profile is running and belongs to kstrim; it is empty.
    Empty,
    /// `up` succeeded.
    Ready,
}

/// How the command must end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// With this id and exit code.
    Named(&'static str, i32),
    /// Success, with these words in its output.
    Healed(&'static str),
    /// By the fault's own SIGKILL.
    Killed,
}

/// What exists after the command, of what `up` creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Profile,
    Namespace,
    Strimzi,
    Kafka,
    All,
}

impl Left {
    fn of(test: &Test) -> Self {
        let there = |key: &str| test.object(PROFILE, key).is_object();
        match test.profile(PROFILE) {
            Value::Null => Left::Nothing,
            profile if profile["host"] == "invalid" => Left::Nothing,
            _ if there(TOPIC) && there(KAFKA) && there(OPERATOR) => Left::All,
            _ if there(KAFKA) => Left::Kafka,
            _ if there(OPERATOR) => Left::Strimzi,
            _ if there("namespaces//kafka") => Left::Namespace,
            _ => Left::Profile,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Left::Nothing => "nothing",
            Left::Profile => "the profile",
            Left::Namespace => "profile, namespace",
            Left::Strimzi => "profile, Strimzi",
            Left::Kafka => "profile, Strimzi, Kafka",
            Left::All => "everything",
        }
    }
}

/// A row of the table.
struct Fault {
    name: &'static str,
    /// What is done to the world, for the document.
    what: &'static str,
    world: World,
    put: fn(&mut Test),
    run: &'static [&'static str],
    end: End,
    left: Left,
    /// What a user does besides removing the fault.
    cure: fn(&mut Test),
    then: &'static [&'static str],
    /// Whether the next `up` must leave the same as an undisturbed `up`.
    compare: bool,
}

/// A fault during `kstrim up`.
fn fault(
    name: &'static str,
    what: &'static str,
    world: World,
    put: fn(&mut Test),
    end: End,
    left: Left,
) -> Fault {
    let (run, then) = (&["up"] as &[&str], &["up"] as &[&str]);
    Fault { name, what, world, put, run, end, left, cure: |_| {}, then, compare: true }
}

impl Fault {
    /// During another command.
    fn by(mut self, run: &'static [&'static str]) -> Self {
        self.run = run;
        self
    }

    /// What a user does about it.
    fn cured_by(mut self, cure: fn(&mut Test)) -> Self {
        self.cure = cure;
        self
    }

    /// The next command is another one, and its result may differ from that of a plain `up`.
    fn then(mut self, then: &'static [&'static str]) -> Self {
        self.then = then;
        self.compare = false;
        self
    }
}

/// The observations of a fault.
struct Seen {
    named: String,
    seconds: f64,
    converged: f64,
}

/// The worlds that rows start in.
struct Worlds {
    ready: Test,
    empty: Test,
    complete: BTreeMap<String, Value>,
}

impl Worlds {
    fn new() -> Self {
        let ready = ready();
        let complete = state(&ready);
        Self { empty: empty_cluster(), ready, complete }
    }

    fn of(&self, world: World) -> Test {
        let mut test = match world {
            World::Fresh => fresh().scenario(quick),
            World::Empty => self.empty.fork(),
            World::Ready => self.ready.fork(),
        };
        // Twenty at once on a busy machine.
        test.limit(Duration::from_secs(180));
        test
    }
}

fn table() -> Vec<Fault> {
    let mut all = Vec::new();
    for family in [
        machine::faults(),
        network::faults(),
        profile::faults(),
        access::faults(),
        operator::faults(),
        kafka::faults(),
        topic::faults(),
        smoke::faults(),
        teardown::faults(),
    ] {
        all.extend(family);
    }
    all
}

/// Inject a fault into every call of a stand-in whose arguments contain `args`.
fn break_call(test: &mut Test, program: &str, args: &str, nth: Option<u32>, action: Action) {
    let fault = Call { program: program.into(), args: args.into(), nth, action };
    test.change_scenario(|s| s.faults.push(fault));
}

/// `minikube start` ends with this error, in minikube's format.
fn minikube_fails(test: &mut Test, name: &str, code: u8, message: &str) {
    let error = json!({"specversion": "1.0", "id": "1", "source": "https://minikube.sigs.k8s.io/",
        "type": "io.k8s.sigs.minikube.error", "datacontenttype": "application/json",
        "data": {"advice": "", "exitcode": code.to_string(), "issues": "", "message": message, "name": name, "url": ""}});
    let stdout = format!("{error}\n");
    break_call(test, "minikube", "start -o json", None, Action::Exit { code, stdout, stderr: String::new() });
}

/// Every call of kubectl with these arguments fails with this message.
fn kubectl_says(test: &mut Test, args: &str, nth: Option<u32>, words: &str) {
    let action = Action::Exit { code: 1, stdout: String::new(), stderr: words.to_owned() };
    break_call(test, "kubectl", args, nth, action);
}

/// Remove one of the programs.
fn hide(test: &mut Test, program: &str) {
    *test = std::mem::take(test).without(program);
}

fn kstrim(test: &mut Test, args: &[&str]) -> Run {
    let run = test.args(args.iter().copied().chain(["-o", "json"])).run();
    clean(test, &run);
    run
}

fn failure(run: &Run) -> (Value, String) {
    let last = run.stdout.lines().last().and_then(|l| l.parse::<Value>().ok()).unwrap_or_default();
    let id = last["failure"]["id"].as_str().unwrap_or("none").to_owned();
    (last["failure"].clone(), id)
}

/// The result of a run, and its warnings.
fn short(run: &Run) -> String {
    let lines: Vec<Value> = run.stdout.lines().filter_map(|l| l.parse().ok()).collect();
    let warned =
        lines.iter().filter(|l| l["type"] == "warning").map(|l| format!("warned: {}\n", l["message"]));
    let failed = lines.last().map(|l| l["failure"].to_string()).unwrap_or_default();
    format!("{}{failed}\nafter {:?}; {}", warned.collect::<String>(), run.took, run.stderr)
}

/// Inject it, run the command, remove it, continue.
fn run_fault(fault: &Fault, worlds: &Worlds, tell: bool) -> Seen {
    let mut test = worlds.of(fault.world);
    (fault.put)(&mut test);
    let run = kstrim(&mut test, fault.run);
    let (told, id) = failure(&run);
    if tell {
        println!("--- {}: {}\n{}\n{}", fault.name, fault.what, run.stdout, run.stderr);
    }
    let named = match fault.end {
        End::Named(wanted, code) => {
            assert_eq!((id.as_str(), run.code()), (wanted, code), "{}", short(&run));
            // "It timed out" is a symptom, not a cause.
            let bare = matches!(wanted, "KS-TIMEOUT" | "KS-UNKNOWN");
            assert!(!bare, "{told}");
            assert!(told["hints"].as_array().is_some_and(|h| !h.is_empty()), "no next step: {told}");
            wanted.to_owned()
        }
        End::Healed(words) => {
            assert_eq!((id.as_str(), run.code()), ("none", 0), "{}", short(&run));
            assert!(run.stdout.contains(words), "not told: {words}\n{}", run.stdout);
            "healed".to_owned()
        }
        End::Killed => {
            assert_eq!(run.code(), 137, "{}", short(&run));
            "(killed)".to_owned()
        }
    };
    assert_eq!(Left::of(&test), fault.left, "left behind\n{}", short(&run));
    let seconds = run.took.as_secs_f64();
    test.change_scenario(|s| {
        *s = crate::harness::Scenario::default();
        quick(s);
    });
    test.restore_environment();
    (fault.cure)(&mut test);
    // Kubernetes' times are whole seconds: a pod of this one would count as the next run's own.
    let into_second = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_millis();
    std::thread::sleep(Duration::from_millis((1000 - into_second).into()));
    let run = kstrim(&mut test, fault.then);
    assert_eq!(run.code(), 0, "the way on\n{}", short(&run));
    if fault.compare {
        same(&worlds.complete, &state(&test), "not as after one `up`");
    }
    Seen { named, seconds, converged: run.took.as_secs_f64() }
}

#[test]
fn every_fault_is_named_and_the_next_up_converges() {
    let chosen = std::env::var("FAULT").ok();
    let faults: Vec<Fault> = table()
        .into_iter()
        .filter(|f| chosen.as_deref().is_none_or(|c| c.split(',').any(|c| c == f.name)))
        .collect();
    assert!(!faults.is_empty(), "no fault of this name: {chosen:?}");
    // The long ones first, so that none runs alone at the end.
    let mut queue: Vec<&Fault> = faults.iter().collect();
    queue.sort_by_key(|fault| !SLOW.contains(&fault.name));
    let worlds = Worlds::new();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let seen: Mutex<BTreeMap<&str, Seen>> = Mutex::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(fault) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let met = catch_unwind(AssertUnwindSafe(|| run_fault(fault, &worlds, chosen.is_some())));
                    match met {
                        Ok(met) => drop(seen.lock().expect("the list").insert(fault.name, met)),
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().map_or("", String::as_str);
                            failed.lock().expect("the list").push(format!("{}: {text}", fault.name));
                        }
                    }
                }
            });
        }
    });
    let (seen, failed) = (seen.into_inner().expect("the list"), failed.into_inner().expect("the list"));
    println!("{} faults in {:.0} s", faults.len(), began.elapsed().as_secs_f64());
    for (name, met) in &seen {
        println!("{name}: {} in {:.1} s, then {:.1} s", met.named, met.seconds, met.converged);
    }
    assert!(failed.is_empty(), "{} of {} faults\n{}", failed.len(), faults.len(), failed.join("\n\n"));
    if chosen.is_none() {
        document(&faults, &seen);
    }
}

const BEGIN: &str = "<!-- faults: generated by `cargo xtask docs --reliability` -->\n";
const FINISH: &str = "<!-- /faults -->\n";

/// The table in the document, without its times, matches this one; with the variable it is rewritten.
fn document(faults: &[Fault], seen: &BTreeMap<&str, Seen>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    let text = std::fs::read_to_string(path).expect("docs/reliability.md");
    let (head, rest) = text.split_once(BEGIN).expect("the beginning of the table");
    let (old, tail) = rest.split_once(FINISH).expect("the end of the table");
    let mut new = String::from(
        "| fault | what is done | command | result | seconds | left behind | then | seconds |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for fault in faults {
        let met = &seen[fault.name];
        let named = match fault.end {
            End::Named(id, code) => format!("[{id}](errors.md#{}), exit {code}", id.to_lowercase()),
            End::Healed(_) => "recovered, with a warning".to_owned(),
            End::Killed => "killed".to_owned(),
        };
        new += &format!(
            "| `{}` | {} | `kstrim {}` | {named} | {:.1} | {} | `kstrim {}` | {:.1} |\n",
            fault.name,
            fault.what,
            fault.run.join(" "),
            met.seconds,
            fault.left.words(),
            fault.then.join(" "),
            met.converged
        );
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{new}{FINISH}{tail}")).expect("docs/reliability.md");
        return;
    }
    let timeless = |table: &str| -> Vec<Vec<String>> {
        let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
        let but_times = |cells: Vec<String>| {
            cells.into_iter().enumerate().filter(|(at, _)| ![4, 7].contains(at)).map(|(_, c)| c).collect()
        };
        table.lines().map(|l| but_times(cells(l))).collect()
    };
    assert_eq!(timeless(old), timeless(&new), "`cargo xtask docs --reliability` writes docs/reliability.md");
}
