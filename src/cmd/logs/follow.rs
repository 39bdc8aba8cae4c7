//! Follows logs: one child process for each run of a container, restarted if it ends too early, and a new one when a
//! container is restarted or replaced.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::line::{self, Line, Merger, Seen};
use super::source::{Key, Source, Stage};
use super::{AWAY, Reading, Screen, line_of};
use crate::failure::Result;
use crate::kube::kubectl::Kubectl;
use crate::kube::logs::LogRequest;
use crate::kube::{Kind, Snapshot, Store, Version, Watcher};

/// How often lines that wait for earlier ones are checked.
const TICK: Duration = Duration::from_millis(50);
/// First delay before a log is requested again after its child process ended; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Maximum delay.
const LAST_PAUSE: Duration = Duration::from_secs(4);
/// How long reading the last lines of a container that no longer exists may take.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines that are queued for output; if the output is slow, the child processes wait.
const ON_THE_WAY: usize = 256;

/// The child process for one run of a container.
struct Tailed {
    task: JoinHandle<()>,
    component: String,
    gone: Option<Instant>,
}

impl Drop for Tailed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follow all logs from the positions in `seen`.
pub(crate) async fn follow(reading: &Reading<'_>, seen: Vec<(Key, Seen)>, screen: &mut Screen) -> Result<()> {
    let places = [Some(reading.target.namespace.as_str()), reading.home.get().map(String::as_str)];
    let watched = places.into_iter().flatten().map(|namespace| {
        let store = Rc::new(Store::new());
        let (kubectl, kinds) = (reading.kubectl.clone(), [Kind::Pod]);
        (Watcher::start(kubectl, kinds, Version::default(), namespace, store.clone()), store)
    });
    let (watchers, stores): (Vec<_>, Vec<_>) = watched.unzip();
    let pods = Pods(stores.into());
    let (send, mut lines) = mpsc::channel(ON_THE_WAY);
    let mut begun: BTreeMap<Key, Seen> = seen.into_iter().collect();
    let mut tailed: BTreeMap<Key, Tailed> = BTreeMap::new();
    let (mut merger, mut looked, mut first) = (Merger::default(), pods.unseen(), true);
    let mut answered = Instant::now();
    let mut away = false;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(line) = lines.recv(), if !merger.is_full() => {
                merger.push(line, Instant::now());
                continue;
            }
            _ = tick.tick() => {}
            // This wait also makes the store watch instead of only listing.
            () = pods.newer_than(&looked) => {}
        }
        for line in merger.due(Instant::now()) {
            screen.line(&line).await;
        }
        if screen.gone() {
            return Ok(());
        }
        match watchers.iter().find_map(|w| w.troubles().first().cloned()) {
            None => (answered, away) = (Instant::now(), false),
            Some((_, error)) if answered.elapsed() > AWAY => return Err(reading.no_cluster(&error)),
            Some((_, error)) => {
                if !away {
                    screen.note(&format!("the API server does not respond, trying again: {error}"));
                }
                away = true;
            }
        }
        tailed.retain(|_, tail| tail.gone.is_none_or(|since| since.elapsed() < LAST_WORDS));
        if pods.versions() == looked || !pods.synced() {
            continue;
        }
        looked = pods.versions();
        let sources = reading.sources(&pods.snapshot());
        screen.names(&sources);
        for (key, tail) in &mut tailed {
            if !sources.iter().any(|source| source.key() == *key) {
                tail.gone.get_or_insert_with(Instant::now);
            }
        }
        for source in sources.into_iter().filter(Source::has_log) {
            let key = source.key();
            if tailed.contains_key(&key) {
                continue;
            }
            if !first && !begun.contains_key(&key) {
                let known = tailed.values().any(|tail| tail.component == source.component);
                let what = if known { "a new container" } else { "it has started" };
                screen.note(&format!("{}: {what}, following its log", source.component));
            }
            let (request, seen) = match begun.remove(&key) {
                // It was read a moment ago: continue there.
                Some(seen) if seen.last.is_some() => (Reading::complete_log(&source), seen),
                Some(seen) => (reading.request(&source), seen),
                // It started while logs are followed, so it is read from its beginning.
                None if first => (reading.request(&source), Seen::default()),
                None => (Reading::complete_log(&source), Seen::default()),
            };
            let component = source.component.clone();
            let tail =
                Tail { kubectl: reading.kubectl.clone(), source, pods: pods.clone(), send: send.clone() };
            let sources = reading_of(reading);
            let task = tokio::task::spawn_local(tail.run(request, seen, sources));
            tailed.insert(key, Tailed { task, component, gone: None });
        }
        first = false;
    }
}

/// The sources of a snapshot, as a function that does not borrow the command line.
fn reading_of(reading: &Reading<'_>) -> impl Fn(&Pods) -> Vec<Source> + use<> {
    let (target, wanted) = (reading.target.clone(), reading.args.component.clone());
    let home = reading.home.get().cloned();
    move |pods| {
        let (namespace, cluster) = (target.namespace.as_str(), target.cluster.as_str());
        super::source::sources(&pods.snapshot(), namespace, home.as_deref(), cluster, &wanted)
    }
}

/// The pods of the Kafka cluster's namespace, and of a remote operator's namespace: a store for each, because each
/// has its own watch.
#[derive(Clone)]
struct Pods(Rc<[Rc<Store>]>);

impl Pods {
    /// The versions before the first snapshot.
    fn unseen(&self) -> Vec<u64> {
        vec![0; self.0.len()]
    }

    fn versions(&self) -> Vec<u64> {
        self.0.iter().map(|store| store.version()).collect()
    }

    fn synced(&self) -> bool {
        self.0.iter().all(|store| store.synced(Kind::Pod))
    }

    /// Wait until one of the stores has a newer version.
    async fn newer_than(&self, seen: &[u64]) {
        let news = self.0.iter().zip(seen).map(|(store, seen)| Box::pin(store.newer_than(*seen)));
        futures_util::future::select_all(news).await;
    }

    fn snapshot(&self) -> Snapshot {
        let mut all = self.0.iter().map(|store| store.snapshot());
        let first = all.next().unwrap_or_default();
        all.fold(first, |first, more| first.with(more.all(Kind::Pod).cloned()))
    }
}

/// Follows one run of a container.
struct Tail {
    kubectl: Rc<Kubectl>,
    source: Source,
    pods: Pods,
    send: mpsc::Sender<Line>,
}

impl Tail {
    async fn run(self, first: LogRequest, mut seen: Seen, sources: impl Fn(&Pods) -> Vec<Source>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let request = match seen.last {
                // kubectl's resolution is one second, so some lines are repeated.
                Some(last) => LogRequest {
                    since_time: Some(last.to_string()),
                    tail: None,
                    follow: true,
                    ..first.clone()
                },
                None => LogRequest { follow: true, ..first.clone() },
            };
            seen.again();
            if self.read(&request, &mut seen).await {
                pause = FIRST_PAUSE;
            }
            // Wait a moment for the event that the container has ended. The log is requested by the pod's name and
            // must be of this run: another run has a child process of its own.
            tokio::time::sleep(pause).await;
            if !self.runs(&sources) || self.send.is_closed() {
                return;
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Whether the container's run continues, as far as is known.
    fn runs(&self, sources: &impl Fn(&Pods) -> Vec<Source>) -> bool {
        let key = self.source.key();
        sources(&self.pods).iter().any(|source| source.key() == key && source.stage == Stage::Running)
    }

    /// Read until the child process ends; returns whether there were any lines.
    async fn read(&self, request: &LogRequest, seen: &mut Seen) -> bool {
        let Ok(mut lines) = self.kubectl.log_lines(request).await else { return false };
        let mut any = false;
        while let Ok(Some(line)) = lines.next().await {
            let Some((time, message)) = line::parse(&line) else { continue };
            if seen.is_new(time) {
                any = true;
                if self.send.send(line_of(&self.source, time, message)).await.is_err() {
                    return any;
                }
            }
        }
        let _ = lines.finish().await;
        any
    }
}
