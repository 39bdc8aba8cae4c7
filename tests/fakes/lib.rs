//! Stand-ins for `minikube`, `kubectl` and `docker` in tests: one program, whose behaviour depends on the name it was
//! called by. The world is in `$FAKE_WORLD` and follows the recordings of the real programs; `scenario.rs` defines
//! what a test can configure.

use serde_json::json;

mod apply;
mod bell;
pub mod broker;
mod certificates;
mod class_data;
mod cluster;
mod components;
mod deployments;
mod desired;
mod discovery;
mod docker;
mod faults;
mod flags;
mod furniture;
mod get;
mod http;
mod images;
mod io;
mod kinds;
mod kubeconfig;
mod kubectl;
mod lifecycle;
mod logs;
mod managed;
mod migration;
mod minikube;
mod node_state;
mod nodes;
mod operator;
mod pod_verbs;
mod pods;
mod preconditions;
mod proxy;
mod raw;
pub mod scenario;
mod ssh;
mod start;
mod store;
mod tar;
mod topics;
mod verbs;
mod watch;
mod world;

use io::{End, Io};
use world::{Place, append, now};

/// Behave as the program whose name this one was called by; does not return.
pub fn main() {
    let mut args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let first = if args.is_empty() { String::new() } else { args.remove(0) };
    let program = first.rsplit('/').next().unwrap_or("").to_owned();
    let place = match Place::open() {
        Ok(place) => place,
        Err(e) => {
            eprintln!("fake {program}: {e}");
            std::process::exit(70);
        }
    };
    let calls = place.dir.join("calls.jsonl");
    let (pid, started) = (std::process::id(), now());
    // A test that has seen the call may rely on its fault having been counted.
    let action = faults::find(&place, &program, &args);
    append(&calls, &json!({"pid": pid, "at": started, "program": program, "args": args}).to_string());
    let mut io = Io::new();
    let done = faults::apply(action, &mut io, |io, expire| match program.as_str() {
        "minikube" => minikube::run(&place, io, &args),
        "kubectl" => kubectl::run(&place, io, &args, expire),
        "docker" => docker::run(&place, io, &args),
        other => Err(End::Error(format!("fake: no program is called {other}"))),
    });
    let code = match done {
        Ok(code) | Err(End::Exit(code)) => code,
        Err(End::Error(text)) => {
            io.err(&text);
            1
        }
        Err(End::Hang) => faults::hang(false),
    };
    append(&calls, &json!({"pid": pid, "at": started, "exit": code, "ms": now() - started}).to_string());
    std::process::exit(code);
}
