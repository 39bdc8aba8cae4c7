//! How the command reaches the brokers: the listener for programs on this machine, and the port-forwards behind it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::keeper::{self, Request};
use super::record;
use crate::cli::{Global, Run};
use crate::cluster::listener::{self, HOST};
use crate::cmd::connect;
use crate::cmd::invocation::Invocation;
use crate::cmd::living::Living;
use crate::cmd::{change, consent, listeners};
use crate::errors;
use crate::event::Emit;
use crate::exec::foreground::Detached;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka;
use crate::manifest::user::Authentication;

/// How often the state of the port-forwards is read.
const LOOK: Duration = Duration::from_millis(100);
/// The same while the command runs.
const WATCH: Duration = Duration::from_millis(500);
/// How long the process of the port-forwards may take to exit after its last user.
const END: Duration = Duration::from_secs(3);
/// How many blocks of ports are tried.
const TRIES: u16 = 400;

/// Ports of this machine that are forwarded to the brokers. They stay open as long as this exists.
pub(crate) struct Access {
    /// The port of each broker.
    pub ports: BTreeMap<i32, u16>,
    request: Request,
    /// Held together with the other runs that use these ports.
    used: File,
    /// The process of the port-forwards, if this run started it: it has to be reaped.
    started: RefCell<Vec<Detached>>,
}

impl Access {
    /// Ensure that the brokers advertise ports of this machine, and that these are open. `fresh`: this run created
    /// the Kafka cluster, so its brokers may be restarted without consent.
    pub(crate) async fn open(
        invocation: &Invocation,
        global: &Global,
        living: &Living,
        how: Option<Authentication>,
        args: &Run,
        (runs, fresh, end): (&Path, bool, Instant),
    ) -> Result<Self> {
        let request = Request::new(global, how, runs);
        // From now on the ports of other runs stay as they are.
        let used = record::share(&request.users()).await?;
        let ports = prepare(invocation, living, how, args, &request, (fresh, end)).await?;
        let access = Self { ports, request, used, started: RefCell::default() };
        access.opened(living, end).await?;
        Ok(access)
    }

    /// The bootstrap servers: all brokers.
    pub(crate) fn servers(&self) -> String {
        let server = |port: &u16| format!("{HOST}:{port}");
        self.ports.values().map(server).collect::<Vec<_>>().join(",")
    }

    /// Wait until all port-forwards are open.
    async fn opened(&self, living: &Living, end: Instant) -> Result<()> {
        loop {
            self.start_if_needed();
            let state = self.request.state().unwrap_or_default();
            if self.ports.keys().all(|id| state.open.contains_key(id)) {
                return Ok(());
            }
            if Instant::now() >= end {
                let causes = state.failure.into_iter().chain(state.trouble.into_values());
                return Err(connect::late(&living.cx.target, causes));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Start the process of the port-forwards, unless it is running.
    fn start_if_needed(&self) {
        self.started.borrow_mut().retain_mut(Detached::runs);
        if !self.started.borrow().is_empty() || runs(&self.request) {
            return;
        }
        self.request.forget_state();
        let Ok(request) = serde_json::to_string(&self.request) else { return };
        if let Ok(process) = Detached::start(&[OsStr::new(keeper::VERB), OsStr::new(&request)]) {
            self.started.borrow_mut().push(process);
        }
    }

    /// Keep the port-forwards open indefinitely, and report when one is interrupted.
    pub(crate) async fn watch(&self, emit: &Emit) {
        let mut down: BTreeSet<i32> = BTreeSet::new();
        loop {
            tokio::time::sleep(WATCH).await;
            self.start_if_needed();
            let Some(state) = self.request.state() else { continue };
            for (id, port) in &self.ports {
                let open = state.open.contains_key(id);
                if open && down.remove(id) {
                    emit.progress(format!("broker {id} is available again on {HOST}:{port}"), None);
                } else if !open && down.insert(*id) {
                    emit.progress(
                        format!("broker {id} is unavailable; its port-forward is being reopened"),
                        None,
                    );
                }
            }
        }
    }

    /// Stop using the ports. If no other run uses them, they are closed when this returns.
    pub(crate) async fn close(self) {
        let Self { request, used, started, .. } = self;
        let _ = used.unlock();
        drop(used);
        let end = Instant::now() + END;
        // Another run that uses them keeps the process alive.
        while runs(&request) && !is_shared(&request) && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        started.into_inner().retain_mut(Detached::runs);
    }
}

/// Whether the process of the port-forwards is running.
fn runs(request: &Request) -> bool {
    record::open(&request.process()).is_ok_and(|file| file.try_lock_shared().is_err())
}

/// Whether another run uses the ports: then the lock is available as a shared lock, but not as an exclusive one.
fn is_shared(request: &Request) -> bool {
    record::open(&request.users()).is_ok_and(|file| {
        let alone = file.try_lock().is_ok();
        !alone && file.try_lock_shared().is_ok()
    })
}

/// Whether a port is free.
fn is_free(port: u16) -> bool {
    TcpListener::bind((HOST, port)).is_ok()
}

/// The ports of the brokers: those that they advertise, if they are free, or open for other runs (`open`); otherwise
/// the first free ones.
fn choose(
    has: &BTreeMap<i32, u16>,
    ids: &BTreeSet<i32>,
    first: u16,
    open: bool,
    is_free: impl Fn(u16) -> bool,
) -> Option<BTreeMap<i32, u16>> {
    let known = |id: &i32| has.get(id).copied();
    let usable = |ports: &BTreeMap<i32, u16>| {
        ports.iter().all(|(id, port)| open && known(id) == Some(*port) || is_free(*port))
    };
    let begin = has.values().min().copied().unwrap_or(first);
    if let Some(ports) = listener::assign(has, ids, begin).filter(usable) {
        return Some(ports);
    }
    let none = BTreeMap::new();
    let blocks = (0..TRIES).map_while(|n| first.checked_add(n));
    blocks
        .filter_map(|from| listener::assign(&none, ids, from))
        .find(|ports| ports.values().all(|p| is_free(*p)))
}

/// Ensure that every broker has the listener, and return its ports.
async fn prepare(
    invocation: &Invocation,
    living: &Living,
    how: Option<Authentication>,
    args: &Run,
    request: &Request,
    (fresh, end): (bool, Instant),
) -> Result<BTreeMap<i32, u16>> {
    let ids = listeners::broker_ids(living).await?;
    let open = || request.state().is_some() && runs(request);
    let wanted = |kafka: &Kafka<'_>| -> Result<BTreeMap<i32, u16>> {
        let has = listener::host_of(kafka, how).map(|l| listener::ports(&l)).unwrap_or_default();
        choose(&has, &ids, listener::host_defaults(how).2, open(), is_free).ok_or_else(|| {
            let message =
                format!("there are not enough free ports on this machine for {} brokers", ids.len());
            Box::new(Failure::new(errors::CONNECT_PORT, Kind::Prerequisite, message))
        })
    };
    let changes = |kafka: &Kafka<'_>, ports: &BTreeMap<i32, u16>| {
        listener::with_host(kafka, how, ports)
            .map_err(|name| connect::foreign_listener(living.cx.cluster(), name))
    };
    let limit = || end.saturating_duration_since(Instant::now());
    let waiter = change::begin();
    let now = listeners::kafka(living).await?;
    let ports = wanted(&Kafka(&now))?;
    if changes(&Kafka(&now), &ports)?.is_none() {
        change::follow(living, &waiter, limit()).await?;
        return Ok(ports);
    }
    change::ours(living, args.adopt)?;
    if !fresh {
        let what = format!("gets a listener {} for programs on this machine", listener::host_defaults(how).0);
        consent::to_restart(living, "connect", &what, args.yes).await?;
    }
    super::exclusively(invocation, &living.cx, end, async || {
        // Another run may have added the listener in the meantime.
        let now = listeners::kafka(living).await?;
        let ports = wanted(&Kafka(&now))?;
        waiter.changed_now();
        listeners::write(living, args.adopt, |now| listener::with_host(now, how, &ports).ok().flatten())
            .await?;
        change::follow(living, &waiter, limit()).await?;
        Ok(ports)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(has: &[(i32, u16)], ids: &[i32], open: bool, taken: &[u16]) -> Vec<(i32, u16)> {
        let (has, ids) = (has.iter().copied().collect(), ids.iter().copied().collect());
        let ports = choose(&has, &ids, 9094, open, |port| !taken.contains(&port)).expect("enough");
        ports.into_iter().collect()
    }

    #[test]
    fn ports_stay_while_they_are_free_or_open_for_other_runs() {
        assert_eq!(chosen(&[], &[0, 1], false, &[]), [(0, 9094), (1, 9095)]);
        assert_eq!(chosen(&[], &[0, 1], false, &[9095]), [(0, 9096), (1, 9097)]);
        let has = [(0, 9100), (1, 9101)];
        assert_eq!(chosen(&has, &[0, 1], false, &[]), has);
        assert_eq!(chosen(&has, &[0, 1], true, &[9100, 9101]), has);
        assert_eq!(chosen(&has, &[0, 1], false, &[9100]), [(0, 9094), (1, 9095)]);
        assert_eq!(chosen(&has, &[0, 1, 2], true, &[9100, 9101]), [(0, 9100), (1, 9101), (2, 9102)]);
    }
}
