//! Terminal, plain and JSON reporters for the same events.
//!
//! Data goes to stdout (JSON lines), messages to stderr (the live list, plain lines, failures). A reporter only
//! listens: a broken stream silences it, but never makes a run fail.

use crate::terminal::output;
use std::io::Write;
use std::time::Duration;

use indicatif::ProgressDrawTarget;

use crate::event::Line;
use crate::terminal::sink::Sink;
use crate::terminal::{Drawing, Mode, columns_and_rows};

mod bars;
pub(crate) mod failure_block;
mod json;
mod plain;
mod rows;
mod state;
mod summary;
pub(crate) mod trace;
mod tty;

#[cfg(test)]
mod runs;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

/// How often [`Reporter::tick`] should be called: the interval between a spinner's pictures.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// `(columns, rows)` of the terminal, read before every frame.
pub(crate) type Size = Box<dyn Fn() -> (u16, u16)>;

/// Where reporters write to.
pub(crate) struct Sinks {
    /// Data.
    pub stdout: Box<dyn Write>,
    /// Messages.
    pub stderr: Box<dyn Write>,
    /// Where the live list is drawn: stderr's terminal.
    pub list: ProgressDrawTarget,
    /// The size of stderr's terminal.
    pub size: Size,
}

impl Sinks {
    /// The process's own streams.
    pub(crate) fn process() -> Self {
        Self {
            stdout: Box::new(output::stdout().writer()),
            stderr: Box::new(output::stderr().writer()),
            // Hidden if stderr is not a terminal, see `reporter`.
            list: output::stderr().draw_target(),
            size: Box::new(|| columns_and_rows(terminal_size::terminal_size_of(std::io::stderr()))),
        }
    }
}

/// Draws the events of one run.
pub(crate) trait Reporter {
    /// An event happened.
    fn event(&mut self, line: &Line);
    /// Time passed: the time since the run started, on the clock of [`Line::elapsed_ms`]. Must be called about every
    /// [`TICK`].
    fn tick(&mut self, elapsed: Duration);
    /// No event follows. After a `run_finished` there is nothing left to do; without one (the program gives up) the
    /// screen is left as it is.
    fn finish(&mut self);
}

/// How much is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verbosity {
    /// Only warnings and failures. JSON lines are data and stay.
    pub quiet: bool,
    /// Also every child command.
    pub verbose: bool,
}

/// Lines instead of a live list, for the rest of a run that began with `started`: another program writes to the
/// terminal from now on.
pub(crate) fn lines_only(
    mode: Mode,
    verbosity: Verbosity,
    sinks: Sinks,
    started: Option<&Line>,
) -> Box<dyn Reporter> {
    let plain = plain::Plain::new(Sink::new(sinks.stderr), mode.stderr, verbosity.quiet, verbosity.verbose);
    Box::new(plain.continuing(started))
}

/// The reporter for a mode. Failures of the run are part of its output, except that JSON includes them in
/// `run_finished` on stdout and writes nothing on stderr. If a list cannot be drawn (`--output tty` into a pipe, no
/// `TERM`) plain lines are used.
pub(crate) fn reporter(mode: Mode, verbosity: Verbosity, sinks: Sinks) -> Box<dyn Reporter> {
    let Verbosity { quiet, verbose } = verbosity;
    match mode.drawing {
        Drawing::Json => Box::new(json::Json::new(Sink::new(sinks.stdout), verbose)),
        Drawing::Tty if !quiet && !sinks.list.is_hidden() => {
            Box::new(tty::Tty::new(sinks, mode.stderr, verbose))
        }
        Drawing::Tty | Drawing::Plain => {
            Box::new(plain::Plain::new(Sink::new(sinks.stderr), mode.stderr, quiet, verbose))
        }
    }
}
