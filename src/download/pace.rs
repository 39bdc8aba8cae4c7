//! Detects downloads that are too slow: a read that receives a byte now and then never times out by itself.

use std::time::{Duration, Instant};

/// The minimum rate, bytes a second: a file of a megabyte would take 17 minutes.
pub(super) const LEAST: u64 = 1 << 10;

/// Measures the bytes of one attempt, window by window.
pub(super) struct Pace {
    /// How long the body may be slow.
    pub(super) window: Duration,
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Starts now.
    pub(super) fn new(window: Duration, now: Instant) -> Self {
        Self { window, since: now, bytes: 0 }
    }

    /// Count received bytes. Returns the bytes of a window that ends with less than [`LEAST`] a second.
    pub(super) fn slow(&mut self, read: u64, now: Instant) -> Option<u64> {
        self.bytes += read;
        let passed = now.duration_since(self.since);
        if passed < self.window {
            return None;
        }
        let bytes = std::mem::take(&mut self.bytes);
        self.since = now;
        (u128::from(bytes) * 1000 < u128::from(LEAST) * passed.as_millis()).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second at which a stream of so many bytes each so many milliseconds is detected as slow, within a minute.
    fn found(bytes: u64, every: u64) -> Option<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_secs(10), start);
        let times = (1..=60_000 / every).map(|n| n * every);
        let mut slow = times.filter(|ms| pace.slow(bytes, start + Duration::from_millis(*ms)).is_some());
        slow.next().map(|ms| ms / 1000)
    }

    #[test]
    fn a_dripping_stream_is_detected_after_one_window_but_a_slow_line_is_not() {
        assert_eq!(found(1, 3000), Some(12));
        assert_eq!(found(1000, 1000), Some(10));
        assert_eq!(found(1024, 1000), None);
        assert_eq!(found(16 << 10, 9000), None);
    }

    #[test]
    fn a_fast_start_does_not_compensate_for_a_slow_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(Duration::from_secs(10), start);
        assert_eq!(pace.slow(1 << 30, at(1)), None);
        assert_eq!(pace.slow(1, at(10)), None);
        assert_eq!(pace.slow(1, at(20)), Some(1));
    }
}
