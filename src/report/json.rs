//! The reporter for programs: one JSON line per event.

use std::time::Duration;

use super::Reporter;
use crate::event::{Event, Line};
use crate::terminal::sink::Sink;

/// Writes JSON lines.
pub(crate) struct Json {
    sink: Sink,
    verbose: bool,
}

impl Json {
    /// Lines on `sink`; commands only if `verbose`.
    pub(crate) fn new(sink: Sink, verbose: bool) -> Self {
        Self { sink, verbose }
    }
}

impl Reporter for Json {
    fn event(&mut self, line: &Line) {
        if matches!(line.event, Event::Command { .. }) && !self.verbose {
            return;
        }
        // Serializing a line cannot fail: its keys are strings. A reader notices a missing line; the run is not
        // stopped for it.
        if let Ok(mut json) = serde_json::to_string(line) {
            json.push('\n');
            self.sink.write(&json);
        }
    }

    fn tick(&mut self, _elapsed: Duration) {}

    fn finish(&mut self) {}
}
