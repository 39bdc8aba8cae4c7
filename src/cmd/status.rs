//! `kstrim status`

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{self, Format, Global};
use crate::config::Target;
use crate::exec::cancel::Cancel;
use crate::exec::system::System;
use crate::failure::{Kind, Result};
use crate::kube::{Kind as ObservedKind, Store, Watcher};
use crate::names::is_internal_topic;
use crate::paths::{ProfilePaths, state_dir};
use crate::status::look::{self, CORE, CUSTOM, Looker, Seen};
use crate::status::model::{self, Memory};
use crate::status::{Status, draw};
use crate::terminal;
use crate::terminal::output;
use crate::terminal::sink::Sink;
use crate::terminal::style::{Look, Spans, Tone};

/// Changes come in bursts; the output is redrawn when a burst is over.
const BURST: Duration = Duration::from_millis(200);
/// How often findings are judged again, since some become certain only after some time.
const JUDGE: Duration = Duration::from_secs(1);
/// How long until everything is read again while nothing can be watched.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// How long the first lists of a watch may take.
const SYNC: Duration = Duration::from_secs(15);
/// How often logs and permissions are requested while a cause is not certain.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How often to check whether stdout is still being read.
const READER: Duration = Duration::from_millis(300);

/// Show the current state. Reads only and writes nothing: no journal, no kubeconfig, no event log.
///
/// # Errors
/// `KS-TOOL-MISSING`, `KS-JOURNAL-*`, and minikube's failures if the API server does not respond.
pub(crate) async fn run(global: &Global, args: &cli::Status) -> Result<ExitCode> {
    let target = Target::from(global);
    let paths = ProfilePaths::new(state_dir(), target.profile.as_str());
    let runner = runner(Cancel::default(), global.verbose);
    let looker = Looker::new(&target, &paths, Rc::new(runner))?;
    let mut screen = Screen::new(args, global.verbose);
    tokio::select! {
        shown = show(&looker, &mut screen, args.watch) => shown.map(|()| ExitCode::SUCCESS),
        () = reader_gone(), if args.watch => Ok(ExitCode::SUCCESS),
        kind = stopped() => Ok(ExitCode::from(kind.exit_code())),
    }
}

/// With `-v`, every command is printed to stderr.
pub(super) fn runner(cancel: Cancel, verbose: bool) -> System {
    let runner = System::new(cancel, true);
    if !verbose {
        return runner;
    }
    runner.observed(Rc::new(|cmd| {
        super::complain(&format!("+ {cmd}\n"));
        Box::new(())
    }))
}

/// Resolves on a signal to stop; child processes are killed when their futures are dropped. It listens from the call
/// on, not from the first poll: a shell that starts kstrim with `&` makes it ignore SIGINT, and a signal that arrives
/// during the first steps of the work would be lost.
pub(super) fn stopped() -> impl Future<Output = Kind> {
    let signals =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    output::heed_signals();
    async move {
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => Kind::Interrupted,
            _ = terminate.recv() => Kind::Terminated,
            _ = hangup.recv() => Kind::Terminated,
        }
    }
}

/// Resolves when the reader of stdout has closed it: a failed write would show that, but there may be nothing to
/// write for a long time.
pub(super) async fn reader_gone() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    loop {
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        let asked = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        if asked.is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL) {
            return;
        }
        tokio::time::sleep(READER).await;
    }
}

async fn show(looker: &Looker, screen: &mut Screen, watch: bool) -> Result<()> {
    let mut memory = Memory::default();
    loop {
        let seen = looker.look().await?;
        screen.show(look::status(&seen, &seen.snapshot, &mut memory).await);
        if !watch || screen.gone() {
            return Ok(());
        }
        follow(&seen, screen, &mut memory).await;
        if screen.gone() {
            return Ok(());
        }
    }
}

/// Draw each change until everything has to be read again.
async fn follow(seen: &Seen, screen: &mut Screen, memory: &mut Memory) {
    let served = seen.reached.as_ref().and_then(|r| r.version.map(|v| (r.kubectl.clone(), v)));
    let Some((kubectl, version)) = served else {
        return tokio::time::sleep(LOOK_AGAIN).await;
    };
    let store = Rc::new(Store::new());
    let kinds = CORE.into_iter().chain(CUSTOM);
    let namespace = &seen.facts.place.namespace;
    let watcher = Watcher::start(kubectl, kinds.clone(), version, namespace, store.clone());
    let began = Instant::now();
    let mut asked = Instant::now();
    let mut drawn = 0;
    loop {
        tokio::select! {
            _ = store.newer_than(drawn) => tokio::time::sleep(BURST).await,
            () = tokio::time::sleep(JUDGE) => {}
        }
        if !watcher.troubles().is_empty() {
            return;
        }
        if !kinds.clone().all(|k| store.synced(k)) {
            if began.elapsed() > SYNC {
                return;
            }
            drawn = store.version();
            continue;
        }
        drawn = store.version();
        // An operator in another namespace is not watched: it is shown as it was last read.
        let abroad = [ObservedKind::Deployment, ObservedKind::Pod, ObservedKind::Event];
        let abroad = abroad.into_iter().flat_map(|kind| seen.snapshot.all(kind));
        let snapshot = store.snapshot().with(abroad.filter(|o| o.namespace() != namespace).cloned());
        let status = if asked.elapsed() > ASK_AGAIN {
            asked = Instant::now();
            look::status(seen, &snapshot, memory).await
        } else {
            model::status(&seen.facts, &snapshot, memory, jiff::Timestamp::now())
        };
        screen.show(status);
        if screen.gone() {
            return;
        }
    }
}

/// Where the output goes.
struct Screen {
    format: Format,
    watch: bool,
    internal_topics: bool,
    /// On a terminal, the block of lines that is redrawn in place.
    live: Option<ProgressBar>,
    look: Look,
    sink: Sink,
    last: Option<Status>,
}

/// A block of lines that indicatif redraws in place.
fn in_place_block() -> ProgressBar {
    let block = ProgressBar::with_draw_target(None, output::stdout().draw_target());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        block.set_style(style);
    }
    block
}

impl Screen {
    fn new(args: &cli::Status, verbose: bool) -> Self {
        // Commands printed in between would be overwritten.
        let in_place = args.watch && args.output == Format::Text && !verbose;
        Self {
            format: args.output,
            watch: args.watch,
            internal_topics: args.internal_topics,
            live: in_place.then(in_place_block).filter(|block| !block.is_hidden()),
            look: super::stdout_look(),
            sink: Sink::new(Box::new(output::stdout().writer())),
            last: None,
        }
    }

    /// Whether stdout is no longer read.
    fn gone(&self) -> bool {
        self.sink.broken()
    }

    /// Print the status if it has changed.
    fn show(&mut self, mut status: Status) {
        status.topics.retain(|t| self.internal_topics || !is_internal_topic(&t.topic));
        let first = self.last.is_none();
        let news = self.last.as_ref().is_none_or(|last| changed(last, &status));
        if let Some(live) = &mut self.live {
            // The size is read each time: the terminal may have been resized.
            let (columns, rows) = terminal::stdout_size().unwrap_or((80, 24));
            let lines = fit(draw::lines(&status, self.look, Some(columns)), rows, self.look);
            let text: Vec<String> = lines.iter().map(|l| l.render(self.look)).collect();
            live.set_message(text.join("\n"));
        } else if news {
            let text = match (self.format, self.watch) {
                (Format::Json, false) => super::json(&status),
                (Format::Json, true) => serde_json::to_string(&status).unwrap_or_default() + "\n",
                (Format::Yaml, false) => super::yaml(&status),
                (Format::Yaml, true) => format!("---\n{}", super::yaml(&status)),
                (Format::Text, watch) => {
                    let text = draw::text(&status, self.look, terminal::stdout_columns());
                    match (watch, first) {
                        (false, _) => text,
                        (true, true) => format!("{}\n{text}", at(&status)),
                        (true, false) => format!("\n{}\n{text}", at(&status)),
                    }
                }
            };
            self.sink.write(&text);
        }
        self.last = Some(status);
    }
}

/// The heading of a block in a log.
fn at(status: &Status) -> String {
    format!("--- {}", status.time.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

/// Whether anything but the time has changed.
fn changed(last: &Status, now: &Status) -> bool {
    Status { time: now.time, ..last.clone() } != *now
}

/// As many lines as fit on the terminal above the cursor: lines that have scrolled away cannot be overwritten.
fn fit(mut lines: Vec<Spans>, rows: usize, look: Look) -> Vec<Spans> {
    let room = rows.saturating_sub(1).max(1);
    if lines.len() > room {
        let more = lines.len() + 1 - room;
        lines.truncate(room - 1);
        let mut note = Spans::default();
        note.push(Tone::Dim, format!("{} {more} more lines: make the terminal taller", look.ellipsis()));
        lines.push(note);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_never_needs_more_rows_than_there_are() {
        let lines = |n: usize| vec![Spans::default(); n];
        for (have, rows, want) in [(30, 24, 23), (23, 24, 23), (5, 24, 5), (5, 0, 1)] {
            assert_eq!(fit(lines(have), rows, Look::ASCII).len(), want, "{have} in {rows}");
        }
        let cut = fit(lines(30), 24, Look::ASCII);
        let note = cut.last().map(|l| l.render(Look::ASCII)).unwrap_or_default();
        assert!(note.starts_with(".. 8 more lines"), "22 of 30 are shown: {note}");
    }
}
