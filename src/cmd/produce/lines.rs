//! The lines of stdin, read ahead by a separate thread, because reading may wait for a user, or forever.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The maximum number of bytes that are read ahead, unless a single line is larger.
pub(crate) const AHEAD: usize = 8 << 20;
/// The maximum length of a line, in bytes: what a broker accepts in one request by default
/// (`socket.request.max.bytes`), minus what is sent around it.
pub(crate) const LONGEST: usize = (100 << 20) - (64 << 10);
/// Bytes that a line takes in addition to its content.
const AROUND: usize = 64;

type Line = io::Result<Vec<u8>>;

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Everything was read.
    ended: bool,
    /// The receiver was dropped.
    left: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    room: Condvar,
    news: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether it was accepted.
    fn push(&self, line: Line) -> bool {
        let size = size(&line);
        let mut state = self.lock();
        while !state.left && state.bytes > 0 && state.bytes + size > AHEAD {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.left {
            return false;
        }
        state.bytes += size;
        state.lines.push_back(line);
        drop(state);
        self.news.notify_one();
        true
    }
}

fn size(line: &Line) -> usize {
    AROUND + line.as_ref().map_or(0, Vec::capacity)
}

/// Lines being read.
pub(crate) struct Lines(Arc<Shared>);

impl Lines {
    /// Read `stream` on a separate thread.
    pub(crate) fn read_ahead<R: BufRead>(stream: impl FnOnce() -> R + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let reader = shared.clone();
        std::thread::spawn(move || {
            read(&mut stream(), LONGEST, |line| reader.push(line));
            reader.lock().ended = true;
            reader.news.notify_one();
        });
        Self(shared)
    }

    /// The next line; `None` at the end.
    pub(crate) async fn recv(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.try_recv() {
                return Some(line);
            }
            // Under the same lock, so the end cannot be seen before the last line.
            let over = {
                let state = self.0.lock();
                state.ended && state.lines.is_empty()
            };
            if over {
                return None;
            }
            self.0.news.notified().await;
        }
    }

    /// The next line if it has already been read.
    pub(crate) fn try_recv(&mut self) -> Option<Line> {
        let mut state = self.0.lock();
        let line = state.lines.pop_front()?;
        state.bytes = state.bytes.saturating_sub(size(&line));
        drop(state);
        self.0.room.notify_one();
        Some(line)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.lock().left = true;
        self.0.room.notify_one();
    }
}

/// Pass each line to `take` until it returns false. A line longer than `longest` is an error and ends the input.
fn read(stream: &mut impl BufRead, longest: usize, mut take: impl FnMut(Line) -> bool) {
    loop {
        let mut line = Vec::new();
        match stream.take(longest as u64 + 1).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {
                if line.last() == Some(&b'\n') {
                    line.pop();
                    // Kafka's console producer also removes the carriage return of Windows' line breaks.
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                } else if line.len() > longest {
                    let why = format!(
                        "it is longer than {longest} bytes, the most that a broker accepts in one request"
                    );
                    take(Err(io::Error::other(why)));
                    return;
                }
                if !take(Ok(line)) {
                    return;
                }
            }
            Err(error) => {
                take(Err(error));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], longest: usize) -> Vec<Result<Vec<u8>, String>> {
        let mut all = Vec::new();
        read(&mut &text[..], longest, |line| {
            all.push(line.map_err(|e| e.to_string()));
            true
        });
        all
    }

    #[test]
    fn a_line_has_a_longest_length() {
        assert_eq!(lines(b"abc\n\nde", 3), [Ok(b"abc".to_vec()), Ok(vec![]), Ok(b"de".to_vec())]);
        assert_eq!(lines(b"a\r\nb\rc\n\r", 3), [Ok(b"a".to_vec()), Ok(b"b\rc".to_vec()), Ok(b"\r".to_vec())]);
        let cut = lines(b"ab\nabcd\nnever", 3);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].as_ref().unwrap_err().contains("longer than 3 bytes"), "{cut:?}");
    }

    /// An endless stream: without the limit, reading ahead would never stop here.
    #[tokio::test]
    async fn reading_ahead_is_limited_in_bytes() {
        let mut lines = Lines::read_ahead(|| io::BufReader::new(Endless(0)));
        let first = lines.recv().await.unwrap().unwrap();
        assert_eq!(first.len(), LINE);
        // It reads ahead as far as it may; how fast depends on the machine.
        let moment = std::time::Duration::from_millis(300);
        for _ in 0..60 {
            std::thread::sleep(moment);
            if lines.0.lock().lines.len() >= 2 {
                break;
            }
        }
        std::thread::sleep(moment);
        let state = lines.0.lock();
        assert!(state.bytes <= AHEAD && state.lines.len() >= 2, "{} bytes", state.bytes);
    }

    const LINE: usize = 1_000_000;

    /// Lines of a megabyte.
    struct Endless(usize);

    impl Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            for byte in out.iter_mut() {
                *byte = if self.0 % (LINE + 1) == LINE { b'\n' } else { b'x' };
                self.0 += 1;
            }
            Ok(out.len())
        }
    }
}
