//! Formats durations: `0.3 s`, `41 s`, `1m 23s`, `2h 05m`.

use std::time::Duration;

/// A measured time: tenths below ten seconds, whole seconds below a minute.
pub(crate) fn human(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    // 9.96 is "10 s", not "10.0 s".
    if seconds < 9.95 { format!("{seconds:.1} s") } else { whole_seconds(seconds.round()) }
}

/// Like [`human`], from the seconds of an event; invalid values count as zero.
pub(crate) fn human_seconds(seconds: f64) -> String {
    human(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A running time, in whole seconds so that it does not flicker: `4 s`, `1m 23s`.
pub(crate) fn ticking(time: Duration) -> String {
    whole_seconds(time.as_secs_f64().floor())
}

fn whole_seconds(seconds: f64) -> String {
    let seconds = seconds as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_correctly_at_unit_boundaries() {
        let cases = [
            (0.0, "0.0 s"),
            (0.26, "0.3 s"),
            (4.2, "4.2 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (41.4, "41 s"),
            (59.6, "1m 00s"),
            (83.0, "1m 23s"),
            (3599.7, "1h 00m"),
            (7530.0, "2h 05m"),
        ];
        for (seconds, words) in cases {
            assert_eq!(human_seconds(seconds), words, "{seconds}");
        }
        for none in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(human_seconds(none), "0.0 s");
        }
        assert_eq!(ticking(Duration::from_millis(4_900)), "4 s");
    }
}
