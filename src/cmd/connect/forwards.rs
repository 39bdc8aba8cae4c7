//! A supervised `kubectl port-forward` for each broker. A port-forward ends with its pod, or continues to listen
//! although the pod was replaced: it is restarted for each run of the broker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::listener;
use crate::cluster::session::Session;
use crate::cmd::living;
use crate::failure::Result;
use crate::kube::Snapshot;
use crate::manifest::user::Authentication;

/// First delay before a port-forward that ended is restarted; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Maximum delay.
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// After a port-forward was open for this long, the delay starts again with the first one.
const SOUND: Duration = Duration::from_secs(10);

/// The state of a broker's port-forward.
#[derive(Default)]
struct State {
    /// Its pod, if it is open.
    open: BTreeMap<i32, String>,
    /// Why it is not open.
    trouble: BTreeMap<i32, String>,
}

/// A task that is aborted when it is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The port-forwards of a cluster. They end when this is dropped.
pub(crate) struct Forwards {
    cx: Rc<Session>,
    inside: u16,
    tasks: RefCell<BTreeMap<i32, Task>>,
    state: Rc<RefCell<State>>,
    changes: Rc<watch::Sender<u64>>,
}

impl Forwards {
    /// Start one for each broker: from its local port to the port `inside` of its pod.
    pub(crate) fn open(cx: Rc<Session>, inside: u16, ports: &BTreeMap<i32, u16>) -> Self {
        let made = Self {
            cx,
            inside,
            tasks: RefCell::default(),
            state: Rc::default(),
            changes: Rc::new(watch::Sender::new(0)),
        };
        ports.iter().for_each(|(id, port)| made.add(*id, *port));
        made
    }

    fn add(&self, id: i32, port: u16) {
        let one = BrokerForward {
            cx: self.cx.clone(),
            id,
            port,
            inside: self.inside,
            state: self.state.clone(),
            changes: self.changes.clone(),
        };
        self.tasks.borrow_mut().insert(id, Task(tokio::task::spawn_local(one.serve())));
    }

    /// Wait until all are open; returns the pod of each broker.
    pub(crate) async fn all_open(&self) -> BTreeMap<i32, String> {
        let mut changes = self.changes.subscribe();
        loop {
            let open = self.state.borrow().open.clone();
            if open.len() == self.tasks.borrow().len() {
                return open;
            }
            let _ = changes.changed().await;
        }
    }

    /// The pods of the brokers whose port-forwards are open, and why the others are not.
    pub(crate) fn all(&self) -> (BTreeMap<i32, String>, BTreeMap<i32, String>) {
        let state = self.state.borrow();
        (state.open.clone(), state.trouble.clone())
    }

    /// Why some are not open.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.state.borrow().trouble.values().cloned().collect()
    }

    /// Keep the port-forwards open indefinitely, also for brokers that are added later, with the address that the
    /// Kafka resource then has for them.
    pub(crate) async fn keep(&self, how: Option<Authentication>) -> Result<()> {
        let cx = &self.cx;
        loop {
            let version = cx.store.version();
            let snapshot = cx.store.snapshot();
            let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
            let ports = kafka.and_then(|k| listener::host_of(&k, how)).map(|l| listener::ports(&l));
            for (id, port) in ports.unwrap_or_default() {
                if !self.tasks.borrow().contains_key(&id) {
                    living::print_to_stderr(&format!("broker {id} added: {}:{port}", listener::HOST));
                    self.add(id, port);
                }
            }
            cx.store.newer_than(version).await;
        }
    }
}

/// The port-forward of one broker.
struct BrokerForward {
    cx: Rc<Session>,
    id: i32,
    port: u16,
    inside: u16,
    state: Rc<RefCell<State>>,
    changes: Rc<watch::Sender<u64>>,
}

/// A run of a broker: its pod, and what differs with each pod and each start of its container.
type BrokerRun = (String, String);

impl BrokerForward {
    async fn serve(self) {
        let mut pause = FIRST_PAUSE;
        let mut served = false;
        loop {
            let life = self.until_ready().await;
            let began = Instant::now();
            let kubectl = &self.cx.kubectl;
            match kubectl.forward_from(self.port, self.cx.namespace(), &life.0, self.inside).await {
                Ok(mut forward) => {
                    if served {
                        living::print_to_stderr(&format!(
                            "broker {} is available again on {}:{}",
                            self.id,
                            listener::HOST,
                            self.port
                        ));
                    }
                    served = true;
                    self.report_state(Ok(life.0.clone()));
                    tokio::select! {
                        () = forward.ended() => {}
                        () = self.replaced(&life) => {}
                    }
                    drop(forward);
                    living::print_to_stderr(&format!("broker {} is unavailable; waiting for it", self.id));
                    self.report_state(Err("its pod was deleted".into()));
                }
                Err(error) => self.report_state(Err(error.message)),
            }
            if began.elapsed() >= SOUND {
                pause = FIRST_PAUSE;
            }
            tokio::time::sleep(pause).await;
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    /// Report its state.
    fn report_state(&self, how: Result<String, String>) {
        let mut state = self.state.borrow_mut();
        match how {
            Ok(pod) => {
                state.trouble.remove(&self.id);
                state.open.insert(self.id, pod);
            }
            Err(why) => {
                state.open.remove(&self.id);
                state.trouble.insert(self.id, format!("broker {}: {why}", self.id));
            }
        }
        drop(state);
        self.changes.send_modify(|n| *n += 1);
    }

    /// Wait until the broker is ready.
    async fn until_ready(&self) -> BrokerRun {
        loop {
            let version = self.cx.store.version();
            match life(&self.cx, &self.cx.store.snapshot(), self.id) {
                Some((life, true)) => return life,
                Some(_) => self.report_state(Err("its pod is not ready".into())),
                None => self.report_state(Err("it has no pod".into())),
            }
            self.cx.store.newer_than(version).await;
        }
    }

    /// Wait until this run of the broker has ended.
    async fn replaced(&self, now: &BrokerRun) {
        loop {
            let version = self.cx.store.version();
            match life(&self.cx, &self.cx.store.snapshot(), self.id) {
                Some((life, _)) if life == *now => {}
                _ => return,
            }
            self.cx.store.newer_than(version).await;
        }
    }
}

/// The current run of a broker, and whether it is ready. A pod that is being deleted does not count.
fn life(cx: &Session, snapshot: &Snapshot, id: i32) -> Option<(BrokerRun, bool)> {
    let ending = format!("-{id}");
    let mine = |p: &crate::kube::pod::Pod<'_>| {
        p.is_kafka_node_of(cx.cluster()) && p.0.name().ends_with(&ending) && !p.0.deleting()
    };
    let pod = snapshot.pods(cx.namespace()).find(mine)?;
    let restarts: i64 = pod.containers().map(|c| c.restarts()).sum();
    Some(((pod.0.name().to_owned(), format!("{} {restarts}", pod.0.uid())), pod.ready()))
}
