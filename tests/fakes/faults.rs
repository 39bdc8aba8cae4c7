//! Injected faults: which one applies to this call, and its effect.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::io::{Done, End, Io};
use crate::scenario::{Action, Fault};
use crate::world::{Place, write};

/// The fault that applies to this call, if any. Counts every rule's matching calls.
pub fn find(place: &Place, program: &str, args: &[String]) -> Option<Action> {
    if place.scenario.faults.is_empty() {
        return None;
    }
    let _world = place.lock();
    let file = place.dir.join("faults.json");
    let mut counts: Value =
        fs::read_to_string(&file).ok().and_then(|t| t.parse().ok()).unwrap_or_else(|| json!({}));
    let line = args.join(" ");
    let mut met = None;
    for (index, Fault { program: wanted, args, nth, action }) in place.scenario.faults.iter().enumerate() {
        if !(wanted.is_empty() || wanted == program) || !line.contains(args.as_str()) {
            continue;
        }
        // A fault of any kubectl is one of those that the proxy stands for, and then there is no proxy.
        if crate::proxy::is(&line) && !crate::proxy::is(args) {
            continue;
        }
        let index = index.to_string();
        let count = counts[&index].as_u64().unwrap_or(0) + 1;
        counts[&index] = json!(count);
        if met.is_none() && nth.is_none_or(|nth| u64::from(nth) == count) {
            // A stream has no end to wait for.
            let stream = line.contains("watch=1") || line.contains("port-forward");
            met = Some(match action {
                Action::KillParentAfter if stream => Action::KillBoth { ms: 50 },
                other => other.clone(),
            });
        }
    }
    write(&file, &counts);
    met
}

pub fn apply(action: Option<Action>, io: &mut Io, work: impl FnOnce(&mut Io, bool) -> Done) -> Done {
    let mut expire = false;
    match action {
        None => {}
        Some(Action::Expire) => expire = true,
        Some(Action::Exit { code, stdout, stderr }) => {
            io.out(&stdout)?;
            if !stderr.is_empty() {
                io.err(&stderr);
            }
            return Ok(i32::from(code));
        }
        Some(Action::Hang { stdout, stubborn }) => {
            io.out(&stdout)?;
            hang(stubborn);
        }
        Some(Action::Cut { bytes, exit }) => {
            io.left = Some(bytes);
            io.then = exit;
        }
        Some(Action::FloodStderr { bytes }) => {
            let line = "E0101 00:00:00.000000 1 flood.go:1] one of very many lines that say nothing at all";
            for _ in 0..bytes / (line.len() + 1) {
                io.err(line);
            }
        }
        Some(Action::Delay { ms }) => std::thread::sleep(Duration::from_millis(ms)),
        Some(Action::KillParentBefore) => {
            kill_parent()?;
            return Ok(137);
        }
        Some(Action::KillParentAfter) => {
            io.hold = true;
            let done = work(io, false);
            kill_parent()?;
            io.release();
            return done;
        }
        Some(Action::KillBoth { ms }) => {
            after(ms, || {
                let _ = kill_parent();
                kill_self();
            });
        }
        Some(Action::KillSelf { ms }) => after(ms, kill_self),
        Some(Action::FailAfter { code, stderr }) => {
            work(io, false)?;
            io.err(&stderr);
            return Ok(i32::from(code));
        }
    }
    work(io, expire)
}

fn after(ms: u64, act: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(ms));
        act();
    });
}

/// The name of the process that started this one, where the system tells.
fn parent_name() -> Option<String> {
    let pid = rustix::process::getppid()?.as_raw_nonzero();
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())
}

/// SIGKILL to kstrim, and to no other process: a test that calls a stand-in itself must survive.
fn kill_parent() -> Result<(), End> {
    let Some(parent) = rustix::process::getppid() else { return Ok(()) };
    if let Some(name) = parent_name().filter(|name| !name.starts_with("kstrim")) {
        return Err(End::Error(format!("fake: the parent to kill is {name}, not kstrim")));
    }
    let _ = rustix::process::kill_process(parent, rustix::process::Signal::KILL);
    // Let it end before it can receive this one's exit status.
    for _ in 0..200 {
        if rustix::process::getppid() != Some(parent) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn kill_self() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Never end, except as an orphan after ten seconds: no test may leave processes behind.
pub fn hang(stubborn: bool) -> ! {
    if stubborn {
        std::thread::spawn(ignore_signals);
    }
    let parent = rustix::process::getppid();
    loop {
        std::thread::sleep(Duration::from_millis(50));
        if rustix::process::getppid() != parent {
            std::thread::sleep(Duration::from_secs(10));
            std::process::exit(99);
        }
    }
}

fn ignore_signals() {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).expect("SIGTERM");
        let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT");
        loop {
            tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        }
    });
}
