//! kstrim is killed at every child command; the next run succeeds as if that had not happened.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Action, Fault, Test};
use crate::support::{PROFILE, fresh, journal, kstrim, quick, ready, state, writes};

/// How long after its end kstrim's children may still be ending on a busy machine.
const DYING: Duration = Duration::from_secs(10);

/// A run to be killed at the `k`-th child command.
#[derive(Clone, Copy)]
struct Case {
    k: u32,
    after: bool,
}

/// What must be equal at the end of every case.
type End = BTreeMap<String, Value>;

/// The world's lasting objects, whether there is a profile, and what the journal left open.
fn end(test: &Test) -> End {
    let mut end = state(test);
    let journal = journal(test);
    let tasks = journal["tasks"].as_object().into_iter().flatten();
    let open: Vec<&String> = tasks.filter(|(_, t)| t["finished"].is_null()).map(|(id, _)| id).collect();
    end.insert("open tasks".into(), serde_json::json!(open));
    end.insert("profile".into(), test.profile(PROFILE).is_object().into());
    end.insert("ours".into(), journal["profile_is_ours"].clone());
    end
}

/// Kill at one command, run again; returns what is wrong with the result.
fn one(mut test: Test, args: &[&str], case: Case, expected: &End) -> Result<(), String> {
    let action = if case.after { Action::KillParentAfter } else { Action::KillParentBefore };
    let fault = Fault { program: String::new(), args: String::new(), nth: Some(case.k), action };
    test.change_scenario(|s| s.faults = vec![fault]);
    let killed = test.args(args).run();
    if killed.killed_by_harness {
        return Err(format!("the first run hung: {}", killed.stderr));
    }
    // The number of commands varies between runs; one that succeeded before the kill is equally good.
    if ![0, 137].contains(&killed.code()) {
        return Err(format!("the first run ended with {}: {}", killed.code(), killed.stderr));
    }
    let since = std::time::Instant::now();
    while !test.leftovers().is_empty() {
        if since.elapsed() > DYING {
            return Err(format!("left over: {:?}", test.leftovers()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // A child process between fork and exec has the lock file open as well.
    while locked(&test) {
        if since.elapsed() > DYING {
            return Err("no running process holds the profile's lock".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    test.change_scenario(|s| s.faults.clear());
    let at = test.calls().get(case.k as usize - 1).map(|c| c.line()).unwrap_or_default();
    let again = test.args(args).run();
    if again.code() != 0 {
        return Err(format!("the next run ended with {} (killed at {at}): {}", again.code(), again.stderr));
    }
    let end = end(&test);
    let differs = |key: &&String| expected.get(*key) != end.get(*key);
    let keys: Vec<&String> = expected.keys().chain(end.keys()).filter(differs).collect();
    if let Some(key) = keys.first() {
        let (was, is) = (expected.get(*key), end.get(*key));
        return Err(format!("another end (killed at {at}): {keys:?}\n{key} is {is:?}\nand not {was:?}"));
    }
    Ok(())
}

/// Whether any process holds the profile's lock.
fn locked(test: &Test) -> bool {
    let path = test.home().join(".local/state/kstrim/profiles/kstrim/lock");
    let file = std::fs::File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

/// All cases, on two threads; `world` creates a fresh one for each. The first `dense` commands are all tried, and of
/// the reads among the others every fourth.
fn matrix(args: &[&str], dense: usize, world: impl Fn() -> Test + Sync) {
    let mut whole = world();
    whole.args(args).run().expect(0);
    let expected = end(&whole);
    let calls = whole.calls();
    let count = calls.len();
    assert!(count > 3, "{count} commands");
    let mut cases = Vec::new();
    for (k, call) in (1..).zip(&calls) {
        // A kill between two reads leaves the same world as one before the second.
        if writes(call) || (k as usize) <= dense || k % 4 == 0 {
            cases.push(Case { k, after: true });
        }
        if writes(call) {
            cases.push(Case { k, after: false });
        }
    }
    let total = cases.len();
    let (cases, failures) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().expect("cases").pop() else { break };
                    if let Err(why) = one(world(), args, case, &expected) {
                        let when = if case.after { "after" } else { "before" };
                        let said = format!("killed {when} command {} of {count}: {why}", case.k);
                        failures.lock().expect("failures").push(said);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("failures");
    assert!(
        failures.is_empty(),
        "`kstrim {}`, {} of {total}:\n{}",
        args.join(" "),
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn up_killed_at_every_command() {
    matrix(&["up"], usize::MAX, || {
        let mut test = fresh().scenario(quick);
        test.limit(Duration::from_secs(50));
        test
    });
}

#[test]
fn down_of_what_is_in_the_cluster_killed_at_every_command() {
    let base = ready();
    matrix(&["down", "--keep-cluster", "--yes"], 8, || base.fork());
}

#[test]
fn down_of_the_profile_killed_at_every_command() {
    let base = ready();
    matrix(&["down", "--yes"], 8, || base.fork());
    let mut test = base.fork();
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(test.profile(PROFILE).is_null());
}
