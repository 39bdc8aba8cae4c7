//! The stream that a reporter writes to. A sink that breaks (a closed pipe, a terminal that no longer exists) becomes
//! silent; it never stops the run.

use std::io::{ErrorKind, Write};
use std::time::Duration;

/// How many times, 5 ms apart, a write to a full non-blocking stream is tried: 1 s in total. Some parent processes
/// (such as node) leave a terminal non-blocking, and a truncated JSON line is worse than a short wait.
const FULL_TRIES: u32 = 200;

/// A stream that is written to until it breaks.
pub(crate) struct Sink(Option<Box<dyn Write>>);

impl Sink {
    /// A sink over `stream`.
    pub(crate) fn new(stream: Box<dyn Write>) -> Self {
        Self(Some(stream))
    }

    /// Write all of `text` and flush it; after the first error, nothing.
    pub(crate) fn write(&mut self, text: &str) {
        let Some(stream) = self.0.as_mut() else { return };
        if write_all(stream.as_mut(), text.as_bytes()).is_err() {
            // Dropping a std stream's handle writes nothing; its error has been handled.
            self.0 = None;
        }
    }

    /// Whether it broke.
    pub(crate) fn broken(&self) -> bool {
        self.0.is_none()
    }
}

fn write_all(stream: &mut dyn Write, mut rest: &[u8]) -> std::io::Result<()> {
    let mut tries = 0;
    loop {
        let result = if rest.is_empty() { stream.flush().map(|()| 0) } else { stream.write(rest) };
        match result {
            Ok(_) if rest.is_empty() => return Ok(()),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                rest = &rest[written..];
                tries = 0;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock && tries < FULL_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Accepts three bytes per call, and fails as specified before each.
    struct Moody(Rc<RefCell<Vec<u8>>>, Vec<ErrorKind>);

    impl Write for Moody {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(kind) = self.1.pop() {
                return Err(kind.into());
            }
            let n = bytes.len().min(3);
            self.0.borrow_mut().extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn transient_errors_lose_nothing_and_a_broken_stream_is_not_written_to() {
        let got = Rc::new(RefCell::new(Vec::new()));
        let trouble = vec![ErrorKind::WouldBlock, ErrorKind::Interrupted];
        let mut sink = Sink::new(Box::new(Moody(got.clone(), trouble)));
        sink.write("whole line\n");
        assert_eq!(*got.borrow(), b"whole line\n");
        assert!(!sink.broken());

        let mut sink = Sink::new(Box::new(Moody(got.clone(), vec![ErrorKind::BrokenPipe])));
        sink.write("lost");
        sink.write("never tried");
        assert!(sink.broken());
        assert_eq!(*got.borrow(), b"whole line\n");
    }
}
