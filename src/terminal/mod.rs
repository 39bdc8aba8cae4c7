//! Terminal support: output modes, colour, text by width, tables, and the thread that prints.

pub(crate) mod duration;
pub(crate) mod output;
pub(crate) mod sink;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod text;

pub(crate) use style::Look;

use crate::cli::OutputMode;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawing {
    /// A live list on stderr.
    Tty,
    /// Lines on stderr.
    Plain,
    /// JSON lines on stdout.
    Json,
}

/// The result of [`resolve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    /// The form of a run's output.
    pub drawing: Drawing,
    /// What stdout can display: for the tables of `status`, `plan`, `versions`.
    pub stdout: Look,
    /// What stderr can display: for runs, warnings and failures.
    pub stderr: Look,
}

/// Determine the form and the colours from the flag, the streams and the environment (`env` returns a variable's
/// value).
///
/// `auto` is a live list if stderr is a terminal, unless `CI` is set (and not `false` or `0`) or `TERM` is `dumb`.
/// Colours: `NO_COLOR` (<https://no-color.org>) takes precedence over `CLICOLOR_FORCE` and `FORCE_COLOR`, these over
/// `CLICOLOR=0` and `TERM=dumb`; otherwise terminals get them.
pub(crate) fn resolve(
    mode: OutputMode,
    stdout_is_tty: bool,
    stderr_is_tty: bool,
    env: &dyn Fn(&str) -> Option<String>,
) -> Mode {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let on = |name: &str| set(name).is_some_and(|value| value != "0" && value != "false");
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    let drawing = match mode {
        OutputMode::Tty => Drawing::Tty,
        OutputMode::Plain => Drawing::Plain,
        OutputMode::Json => Drawing::Json,
        OutputMode::Auto if stderr_is_tty && !dumb && !on("CI") => Drawing::Tty,
        OutputMode::Auto => Drawing::Plain,
    };
    let color = |is_tty: bool| {
        if set("NO_COLOR").is_some() {
            false
        } else if on("CLICOLOR_FORCE") || on("FORCE_COLOR") {
            true
        } else {
            is_tty && !dumb && set("CLICOLOR").is_none_or(|value| value != "0")
        }
    };
    let unicode = unicode(&set);
    Mode {
        drawing,
        stdout: Look { color: color(stdout_is_tty), unicode },
        stderr: Look { color: color(stderr_is_tty), unicode },
    }
}

/// Whether non-ASCII symbols are safe: determined by the locale, in the order of POSIX. Linux's own console lacks
/// most of them; macOS and Windows terminals use UTF-8 whatever the locale is.
fn unicode(set: &dyn Fn(&str) -> Option<String>) -> bool {
    if set("TERM").is_some_and(|term| term == "linux" || term == "dumb") {
        return false;
    }
    match ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name)) {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        None => !cfg!(target_os = "linux"),
    }
}

/// Width of stdout's terminal, for tables; `None` if stdout is not a terminal and lines must not be truncated.
pub(crate) fn stdout_columns() -> Option<usize> {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map(|_| usize::from(columns_and_rows(size).0))
}

/// Width and height of stdout's terminal, for output that is redrawn in place; `None` if stdout is not a terminal.
pub(crate) fn stdout_size() -> Option<(usize, usize)> {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map(|_| columns_and_rows(size)).map(|(columns, rows)| (columns.into(), rows.into()))
}

/// 80 by 24 if the size is unknown; some pseudo-terminals report 0 by 0.
pub(crate) fn columns_and_rows(size: Option<(terminal_size::Width, terminal_size::Height)>) -> (u16, u16) {
    let (columns, rows) = size.map_or((0, 0), |(width, height)| (width.0, height.0));
    (if columns == 0 { 80 } else { columns }, if rows == 0 { 24 } else { rows })
}
