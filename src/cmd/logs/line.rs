//! Lines of logs, and how those of several containers are merged into one stream, sorted by time.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// When the node received it.
    pub time: Timestamp,
    /// `operator`, `dual-role-0`, `topic-operator`.
    pub component: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The text.
    pub message: String,
}

impl Line {
    /// The bytes of memory that it uses.
    fn size(&self) -> usize {
        size_of::<Self>() + self.component.len() + self.pod.len() + self.container.len() + self.message.len()
    }
}

/// Parses a line of `kubectl logs --timestamps`. A line without a time is a message of kubectl.
pub(crate) fn parse(line: &str) -> Option<(Timestamp, &str)> {
    let (time, text) = line.split_once(' ').unwrap_or((line, ""));
    Some((time.parse().ok()?, text))
}

/// How far a log was read. It is requested again from the second of the last line on, so some lines are repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The time of the last line.
    pub last: Option<Timestamp>,
    /// The number of lines with exactly that time.
    lines: usize,
    /// The number of these lines that were repeated since the log was requested again.
    again: usize,
}

impl Seen {
    /// The log is requested again.
    pub(crate) fn again(&mut self) {
        self.again = 0;
    }

    /// Whether a line of this time is a new one.
    pub(crate) fn is_new(&mut self, time: Timestamp) -> bool {
        match self.last {
            Some(last) if time < last => false,
            Some(last) if time == last => {
                self.again += 1;
                if self.again <= self.lines {
                    return false;
                }
                self.lines = self.again;
                true
            }
            _ => {
                self.last = Some(time);
                (self.lines, self.again) = (1, 1);
                true
            }
        }
    }
}

/// How long a line waits for earlier ones of other containers.
pub(crate) const WINDOW: Duration = Duration::from_millis(300);
/// How many lines may wait, and how many bytes.
const ROOM: usize = 20_000;
const ROOM_BYTES: usize = 8 << 20;

/// Sorts lines that arrive at about the same time.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    waiting: Vec<(Instant, Line)>,
    bytes: usize,
}

impl Merger {
    /// Add a line.
    pub(crate) fn push(&mut self, line: Line, now: Instant) {
        self.bytes += line.size();
        self.waiting.push((now, line));
    }

    /// Whether lines have to be removed before others are accepted.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() > ROOM || self.bytes > ROOM_BYTES
    }

    /// The lines that have waited long enough, and all earlier ones.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Line> {
        let full = self.is_full();
        let old = |came: &Instant| full || now.duration_since(*came) >= WINDOW;
        let Some(until) = self.waiting.iter().filter(|(came, _)| old(came)).map(|(_, line)| line.time).max()
        else {
            return Vec::new();
        };
        let waiting = std::mem::take(&mut self.waiting);
        let (due, later) = waiting.into_iter().partition(|(_, line)| line.time <= until);
        self.waiting = later;
        self.bytes = self.waiting.iter().map(|(_, line)| line.size()).sum();
        sorted(due.into_iter().map(|(_, line)| line).collect())
    }
}

/// Lines sorted by time; lines with the same time, and so of the same container, keep their order.
pub(crate) fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by_key(|line| line.time);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).expect("a time")
    }

    fn line(ms: i64, component: &str) -> Line {
        let word = component.to_owned();
        Line {
            time: at(ms),
            component: word.clone(),
            pod: word.clone(),
            container: word,
            message: ms.to_string(),
        }
    }

    #[test]
    fn a_line_has_a_time_or_is_kubectls() {
        let time = "2026-11-22T20:22:15.123456789Z";
        assert_eq!(parse(&format!("{time}   at x")), Some((time.parse().expect("a time"), "  at x")));
        assert_eq!(parse(time), Some((time.parse().expect("a time"), "")));
        assert_eq!(parse("failed to watch file"), None);
    }

    #[test]
    fn repeated_lines_are_printed_once() {
        let mut seen = Seen::default();
        let mut read = |times: &[i64]| {
            seen.again();
            times.iter().filter(|ms| seen.is_new(at(**ms))).count()
        };
        assert_eq!(read(&[1, 2, 3, 3]), 4);
        assert_eq!(read(&[2, 3, 3]), 0, "nothing is new");
        assert_eq!(read(&[2, 3, 3, 3, 4]), 2, "another of the same time, and a later one");
        assert_eq!(read(&[3, 3, 3, 4]), 0);
    }

    #[test]
    fn late_lines_are_sorted() {
        let (mut merger, begin) = (Merger::default(), Instant::now());
        merger.push(line(20, "a"), begin);
        merger.push(line(30, "a"), begin + WINDOW / 2);
        merger.push(line(10, "b"), begin + WINDOW / 2);
        assert_eq!(merger.due(begin + WINDOW / 2), []);
        assert_eq!(merger.due(begin + WINDOW), [line(10, "b"), line(20, "a")]);
        assert_eq!(merger.due(begin + WINDOW * 2), [line(30, "a")]);
        assert_eq!(merger.due(begin + WINDOW * 9), []);
    }
}
