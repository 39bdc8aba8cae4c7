//! The output and exit status of a stand-in. A fault may truncate stdout.

use std::io::Write;

/// stdout and stderr of one call.
pub struct Io {
    /// Bytes of stdout that are still written; `None`: all.
    pub left: Option<usize>,
    /// When `left` is used up: the exit code, or hang.
    pub then: Option<u8>,
    /// Held back until [`Io::release`], so that a killed parent has not read it.
    pub hold: bool,
    held: Vec<u8>,
    sink: Box<dyn Write + Send>,
}

/// Why a call ended before its work was done.
pub enum End {
    Exit(i32),
    Hang,
    /// With a line on stderr, and code 1.
    Error(String),
}

/// The result of a call's work: the exit code.
pub type Done = Result<i32, End>;

impl Io {
    pub fn new() -> Self {
        Self::to(Box::new(std::io::stdout()))
    }

    /// Prints to something other than stdout.
    pub fn to(sink: Box<dyn Write + Send>) -> Self {
        Self { left: None, then: None, hold: false, held: Vec::new(), sink }
    }

    /// From now on the output is streamed: the reader is notified that it begins.
    pub fn begin(&mut self) {
        let _ = self.sink.flush();
    }

    pub fn out(&mut self, text: &str) -> Result<(), End> {
        let mut bytes = text.as_bytes();
        let mut cut = false;
        if let Some(left) = &mut self.left {
            cut = bytes.len() >= *left;
            bytes = &bytes[..bytes.len().min(*left)];
            *left -= bytes.len();
        }
        if self.hold {
            self.held.extend_from_slice(bytes);
        } else {
            // The reader has exited: a real program would die of SIGPIPE.
            self.sink.write_all(bytes).and_then(|()| self.sink.flush()).map_err(|_| End::Exit(141))?;
        }
        match (cut, self.then) {
            (false, _) => Ok(()),
            (true, Some(code)) => Err(End::Exit(i32::from(code))),
            (true, None) => Err(End::Hang),
        }
    }

    pub fn line(&mut self, text: &str) -> Result<(), End> {
        self.out(&format!("{text}\n"))
    }

    pub fn err(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    pub fn release(&mut self) {
        let _ = self.sink.write_all(&self.held);
        self.held.clear();
    }
}

impl From<String> for End {
    fn from(text: String) -> Self {
        End::Error(text)
    }
}
