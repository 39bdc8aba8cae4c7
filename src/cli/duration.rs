//! Durations on the command line.

use std::time::Duration;

/// `90s`, `10m`, `1h30m`, or plain seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|d| Duration::try_from(d).ok())
            .ok_or_else(|| format!("`{text}` is not a duration: use 90s, 10m or 1h30m"))?,
    };
    if parsed.is_zero() { Err("the duration must not be zero: use 90s or 10m".into()) } else { Ok(parsed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("soon").is_err() && duration("0s").is_err() && duration("-5s").is_err());
    }
}
