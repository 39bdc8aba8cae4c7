//! `kubectl proxy` on a socket: each GET is the `kubectl get --raw` of its path, and is recorded as such.
//!
//! If a test has faults for kubectl there is no proxy, so that each read is a program that can fail. Faults of a read
//! through the proxy are those of `proxy --raw PATH`.

use std::io::{BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::faults;
use crate::flags::Args;
use crate::http::Head;
use crate::io::{Done, End, Io};
use crate::kubectl;
use crate::world::{Place, append, now};

/// Whether it is the proxy's command line, or a fault's part of it.
pub fn is(line: &str) -> bool {
    line.contains("proxy --") || line == "proxy"
}

pub fn run(place: &Place, io: &mut Io, args: &Args) -> Done {
    if faulty(place) {
        return Err(End::Error("fake: no proxy where kubectl has faults".into()));
    }
    let path = args.flag("unix-socket").unwrap_or_default();
    let cannot = |e: std::io::Error| End::Error(format!("error: listen unix {path}: {e}"));
    let listener = UnixListener::bind(path).map_err(cannot)?;
    io.line(&format!("Starting to serve on {path}"))?;
    crate::store::keep();
    let mut own = Vec::new();
    for flag in ["kubeconfig", "context"] {
        own.extend([format!("--{flag}"), args.flag(flag).unwrap_or_default().to_owned()]);
    }
    while let Ok((stream, _)) = listener.accept() {
        let own = own.clone();
        // A client that disconnects is not an error.
        std::thread::spawn(move || answer(&stream, own));
    }
    Ok(0)
}

/// Whether kubectl has faults that a read through a proxy would not trigger.
fn faulty(place: &Place) -> bool {
    let kubectls = |program: &str| program.is_empty() || program == "kubectl";
    place.scenario.faults.iter().any(|f| kubectls(&f.program) && !is(&f.args))
}

fn answer(stream: &UnixStream, mut args: Vec<String>) -> Option<()> {
    let head = Head::read(&mut BufReader::new(stream)).ok()?;
    let path = Some(head.path).filter(|_| head.method == "GET")?;
    let mut stream = stream.try_clone().ok()?;
    // The test may have changed the world since.
    let place = Place::open().ok()?;
    if faulty(&place) {
        return status(&mut stream, 502, "the test has faults now");
    }
    args.extend(["get".to_owned(), "--raw".to_owned(), path.clone()]);
    let (calls, pid, at) = (place.dir.join("calls.jsonl"), std::process::id(), now());
    append(&calls, &json!({"pid": pid, "at": at, "program": "kubectl", "args": args}).to_string());
    let begun = Arc::new(AtomicBool::new(false));
    let mut io = Io::to(Box::new(Body { stream: stream.try_clone().ok()?, begun: begun.clone() }));
    let met = faults::find(&place, "kubectl", &["proxy".into(), "--raw".into(), path]);
    let done = faults::apply(met, &mut io, |io, expire| kubectl::run(&place, io, &args, expire));
    let code = match &done {
        Ok(code) | Err(End::Exit(code)) => *code,
        Err(End::Error(_) | End::Hang) => 1,
    };
    append(&calls, &json!({"pid": pid, "at": at, "exit": code, "ms": now() - at}).to_string());
    match done {
        // A watch that breaks off.
        Err(End::Error(_)) if begun.load(Ordering::Relaxed) => None,
        Err(End::Error(text)) => match text.strip_prefix("Error from server (NotFound): ") {
            Some(message) if message.starts_with("the server could not find") => {
                status(&mut stream, 404, "404 page not found\n")
            }
            Some(message) => {
                let name = message.split('"').nth(1);
                let body = json!({"kind": "Status", "status": "Failure", "message": message, "reason": "NotFound",
                    "code": 404, "details": {"name": name}});
                status(&mut stream, 404, &body.to_string())
            }
            None if text.starts_with("Error from server (ServiceUnavailable)") => {
                status(&mut stream, 503, "service unavailable\n")
            }
            None => status(&mut stream, 502, &text),
        },
        _ => Some(()),
    }
}

fn status(stream: &mut UnixStream, code: u16, body: &str) -> Option<()> {
    stream.write_all(format!("HTTP/1.0 {code} x\r\n\r\n{body}").as_bytes()).ok()
}

/// A body, with the head before its first byte.
struct Body {
    stream: UnixStream,
    begun: Arc<AtomicBool>,
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.flush()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.begun.swap(true, Ordering::Relaxed) {
            self.stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")?;
        }
        Ok(())
    }
}
