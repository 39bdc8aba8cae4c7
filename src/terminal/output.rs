//! stdout and stderr: everything that kstrim prints goes through here.
//!
//! A write to a pipe without a reader, or to a stopped terminal, blocks forever; kstrim has a single thread, which
//! also has to handle signals and deadlines. So a separate thread writes, from a queue of at most [`QUEUE`] bytes
//! (plus one text). Callers that find it full wait for room: asynchronously ([`Output::send`]), or, for the small
//! texts of most verbs, by blocking ([`Output::print`]) until a signal arrives.
//!
//! A terminal gets no control characters except those of kstrim's own colours and of its live list: see
//! [`text::screen`]. Pipes and files get every byte unchanged.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressDrawTarget, TermLike};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::text;
use crate::failure::Kind;

/// The maximum number of queued bytes, unless a single text is larger.
pub(crate) const QUEUE: usize = 1 << 20;
/// After a signal: how long a stream may stall, and how long the remaining output may take at the program's end.
const STALL_LIMIT: Duration = Duration::from_millis(1000);

/// The stream has no reader any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(Stream, Vec<u8>)>,
    /// In the queue and being written.
    bytes: usize,
    /// When a write last ended, or the queue was last empty.
    moved: Option<Instant>,
    /// Streams that accept no more, by [`Stream`].
    closed: [bool; 2],
    /// Why stdout accepts no more, if the reason is not that its reader has closed it.
    broken: Option<Errno>,
    /// Texts were discarded.
    lost: bool,
    running: bool,
}

/// A queue and the thread that writes it. stdout and stderr share one if they are the same file, so that their texts
/// keep their order.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    room: Notify,
}

/// The exit code of the signal that requested kstrim to stop; 0 without one.
static SIGNALLED: AtomicU8 = AtomicU8::new(0);

static OUT: LazyLock<Output> = LazyLock::new(|| Output::new(Stream::Out, Arc::default()));
static ERR: LazyLock<Output> = LazyLock::new(|| {
    let same = match (rustix::fs::fstat(io::stdout()), rustix::fs::fstat(io::stderr())) {
        (Ok(out), Ok(err)) => (out.st_dev, out.st_ino, out.st_rdev) == (err.st_dev, err.st_ino, err.st_rdev),
        _ => false,
    };
    Output::new(Stream::Err, if same { OUT.queue.clone() } else { Arc::default() })
});

/// The stream for data.
pub(crate) fn stdout() -> &'static Output {
    &OUT
}

/// The stream for messages.
pub(crate) fn stderr() -> &'static Output {
    &ERR
}

/// One of the program's two streams.
#[derive(Debug)]
pub(crate) struct Output {
    stream: Stream,
    queue: Arc<Queue>,
    terminal: bool,
}

impl Output {
    fn new(stream: Stream, queue: Arc<Queue>) -> Self {
        let terminal = match stream {
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        };
        Self { stream, queue, terminal }
    }

    /// Whether it is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prepare bytes from elsewhere for output: for a terminal, without any control sequences.
    pub(crate) fn foreign(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.terminal { text::screen(&String::from_utf8_lossy(&bytes), false).into_bytes() } else { bytes }
    }

    /// Prepare kstrim's own bytes, with its colours.
    pub(crate) fn styled(&self, bytes: &[u8]) -> Vec<u8> {
        if self.terminal {
            text::screen(&String::from_utf8_lossy(bytes), true).into_bytes()
        } else {
            bytes.to_vec()
        }
    }

    /// Queue the result of [`Output::foreign`], or kstrim's own text, as soon as there is room.
    pub(crate) async fn send(&self, bytes: Vec<u8>) -> Result<(), Closed> {
        let mut bytes = Some(bytes);
        loop {
            // Created before the check, so that anything that happens in between wakes it.
            let room = self.queue.room.notified();
            {
                let mut state = self.queue.lock();
                if state.closed[self.stream as usize] {
                    return Err(Closed);
                }
                if state.has_room(bytes.as_ref().map_or(0, Vec::len)) {
                    self.queue.push(&mut state, self.stream, bytes.take().unwrap_or_default());
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// Wait until everything is written, or the stream is closed.
    pub(crate) async fn flushed(&self) {
        loop {
            let room = self.queue.room.notified();
            if self.queue.lock().bytes == 0 {
                return;
            }
            room.await;
        }
    }

    /// Print a text that contains kstrim's colours. Blocks while the queue is full.
    pub(crate) fn print(&self, text: &str) -> Result<(), Closed> {
        self.push_blocking(self.styled(text.as_bytes()))
    }

    /// The same, and wait until it is written: for example before a prompt.
    pub(crate) fn print_now(&self, text: &str) -> Result<(), Closed> {
        self.print(text)?;
        let mut state = self.queue.lock();
        while state.bytes > 0 {
            state = self.queue.wait(state);
        }
        Ok(())
    }

    fn push_blocking(&self, bytes: Vec<u8>) -> Result<(), Closed> {
        let mut state = self.queue.lock();
        loop {
            if state.closed[self.stream as usize] {
                return Err(Closed);
            }
            if state.has_room(bytes.len()) {
                self.queue.push(&mut state, self.stream, bytes);
                return Ok(());
            }
            state = self.queue.wait(state);
        }
    }

    /// Discard what is not written yet, and everything that follows.
    pub(crate) fn abandon(&self) {
        self.queue.close(None);
    }

    /// For code that writes to a [`Write`]: each call is a separate text.
    pub(crate) fn writer(&'static self) -> impl Write + 'static {
        Writer(self)
    }

    /// For indicatif: the terminal, or nowhere if it is not a terminal or cannot move its cursor.
    pub(crate) fn draw_target(&'static self) -> ProgressDrawTarget {
        const HZ: u8 = 20;
        let moves = std::env::var("TERM").is_ok_and(|term| term != "dumb");
        if !self.terminal || !moves {
            return ProgressDrawTarget::hidden();
        }
        ProgressDrawTarget::term_like_with_hz(Box::new(Live { output: self, frame: Mutex::default() }), HZ)
    }
}

impl State {
    fn has_room(&self, more: usize) -> bool {
        self.bytes == 0 || self.bytes + more <= QUEUE
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, state: &mut State, stream: Stream, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        if state.bytes == 0 {
            state.moved = Some(Instant::now());
        }
        state.bytes += bytes.len();
        state.queue.push_back((stream, bytes));
        if !state.running {
            state.running = true;
            let queue = self.clone();
            let started = std::thread::Builder::new().name("output".into()).spawn(move || queue.serve());
            if started.is_err() {
                state.closed = [true; 2];
                (state.bytes, state.running) = (0, false);
                state.queue.clear();
            }
        }
        self.changed.notify_all();
    }

    fn serve(&self) {
        loop {
            let (stream, bytes) = {
                let mut state = self.lock();
                loop {
                    match state.queue.pop_front() {
                        Some(next) => break next,
                        None => state = self.wait(state),
                    }
                }
            };
            let result = match stream {
                Stream::Out => self.write_all(io::stdout().as_fd(), &bytes),
                Stream::Err => self.write_all(io::stderr().as_fd(), &bytes),
            };
            let mut state = self.lock();
            state.bytes = state.bytes.saturating_sub(bytes.len());
            drop(state);
            match result {
                Ok(()) => self.wake(),
                Err(error) => {
                    if stream == Stream::Out && error != Errno::PIPE {
                        self.lock().broken = Some(error);
                    }
                    self.close(Some(stream));
                }
            }
        }
    }

    fn write_all(&self, fd: BorrowedFd<'_>, mut rest: &[u8]) -> Result<(), Errno> {
        while !rest.is_empty() {
            match rustix::io::write(fd, rest) {
                Ok(0) => return Err(Errno::PIPE),
                Ok(written) => {
                    rest = &rest[written..];
                    self.lock().moved = Some(Instant::now());
                }
                Err(Errno::INTR) => {}
                // Some parent processes (such as node) leave a terminal non-blocking.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// A stream accepts no more, or none does.
    fn close(&self, stream: Option<Stream>) {
        let mut state = self.lock();
        match stream {
            Some(stream) => state.closed[stream as usize] = true,
            None => {
                state.closed = [true; 2];
                state.lost |= state.bytes > 0;
            }
        }
        let mut gone = 0;
        let closed = state.closed;
        state.queue.retain(|(stream, bytes)| {
            let stays = !closed[*stream as usize];
            gone += if stays { 0 } else { bytes.len() };
            stays
        });
        // The text that is being written at this moment may never be completed.
        state.bytes = if stream.is_none() { 0 } else { state.bytes.saturating_sub(gone) };
        drop(state);
        self.wake();
    }

    fn wake(&self) {
        self.changed.notify_all();
        self.room.notify_waiters();
    }

    fn stands_still(&self) -> bool {
        let state = self.lock();
        state.bytes > 0 && state.moved.is_none_or(|moved| moved.elapsed() >= STALL_LIMIT)
    }

    /// Wait until everything is written, after a signal only briefly; returns whether it was.
    fn finish(&self) -> bool {
        let mut late: Option<Instant> = None;
        let mut state = self.lock();
        while state.bytes > 0 {
            let now = Instant::now();
            if SIGNALLED.load(Ordering::Relaxed) != 0 && now >= *late.get_or_insert(now + STALL_LIMIT) {
                return false;
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(50));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.lost
    }
}

/// Before the program ends: wait until everything is written. A signal ends the wait; then returns its exit code.
pub(crate) fn finish() -> Option<u8> {
    let all = [OUT.queue.finish(), ERR.queue.finish()] == [true; 2];
    Some(SIGNALLED.load(Ordering::Relaxed)).filter(|code| !all && *code != 0)
}

/// Why stdout did not accept everything, if its reader is not the cause: for example a full disk. Call it after
/// [`finish`].
pub(crate) fn broken() -> Option<io::Error> {
    OUT.queue.lock().broken.map(io::Error::from)
}

/// Must be called by code that handles signals itself, since then no signal ends the program: a separate thread also
/// receives them, and abandons a stalled stream that the program's only thread may be waiting for.
pub(crate) fn heed_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = std::thread::Builder::new().name("signals".into()).spawn(watch);
    });
}

fn watch() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else { return };
        let kind = tokio::select! {
            _ = interrupt.recv() => Kind::Interrupted,
            _ = terminate.recv() => Kind::Terminated,
            _ = hangup.recv() => Kind::Terminated,
        };
        SIGNALLED.store(kind.exit_code(), Ordering::Relaxed);
        loop {
            tokio::time::sleep(STALL_LIMIT / 10).await;
            for queue in [&OUT.queue, &ERR.queue] {
                if queue.stands_still() {
                    queue.close(None);
                }
            }
        }
    });
}

struct Writer(&'static Output);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.push_blocking(self.0.styled(bytes));
        sent.map(|()| bytes.len()).map_err(|Closed| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal for indicatif, which draws one frame at a time.
struct Live {
    output: &'static Output,
    frame: Mutex<Vec<u8>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl Live {
    fn add(&self, bytes: &[u8]) {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    #[allow(clippy::unnecessary_wraps, reason = "the result of the methods that call it")]
    fn move_by(&self, count: usize, direction: char) -> io::Result<()> {
        if count > 0 {
            self.add(format!("\x1b[{count}{direction}").as_bytes());
        }
        Ok(())
    }

    fn size(&self) -> (u16, u16) {
        super::columns_and_rows(match self.output.stream {
            Stream::Out => terminal_size::terminal_size_of(io::stdout()),
            Stream::Err => terminal_size::terminal_size_of(io::stderr()),
        })
    }
}

impl TermLike for Live {
    fn width(&self) -> u16 {
        self.size().0
    }

    fn height(&self) -> u16 {
        self.size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s)?;
        self.write_str("\n")
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.add(&self.output.styled(s.as_bytes()));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add(b"\r\x1b[2K");
        Ok(())
    }

    /// A frame is dropped if there is no room for it: the next one has the state at that time.
    fn flush(&self) -> io::Result<()> {
        let frame = std::mem::take(&mut *self.frame.lock().unwrap_or_else(PoisonError::into_inner));
        let queue = &self.output.queue;
        let mut state = queue.lock();
        if state.closed[self.output.stream as usize] {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.has_room(frame.len()) {
            queue.push(&mut state, self.output.stream, frame);
        }
        Ok(())
    }
}
