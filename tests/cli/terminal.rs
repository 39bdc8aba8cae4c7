//! A pseudo-terminal to run kstrim in: 80 columns, 24 rows.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A program in a terminal.
pub struct Terminal {
    child: Child,
    input: File,
    output: Receiver<Vec<u8>>,
    /// Everything that it wrote.
    pub raw: Vec<u8>,
}

impl Terminal {
    /// Start `command` with all three streams on a new terminal.
    pub fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other side");
        let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("text");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("its size");
        let slave = OpenOptions::new().read(true).write(true).open(name).expect("its other side");
        let side = || slave.try_clone().expect("a handle");
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("it starts");
        // The command holds its own handles: the end is visible only after they are closed.
        drop((command, slave));
        let master = File::from(master);
        let mut from = master.try_clone().expect("a handle");
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // A terminal whose other side is closed ends with an error.
            while let Ok(n @ 1..) = from.read(&mut chunk) {
                let _ = send.send(chunk[..n].to_vec());
            }
        });
        Self { child, input: master, output, raw: Vec::new() }
    }

    /// Its process id.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Read until `text` was written; panics after 20 s.
    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        let began = Instant::now();
        while !String::from_utf8_lossy(&self.raw).contains(text) {
            assert!(began.elapsed() < Duration::from_secs(20), "no {text:?} in {}", self.text());
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.raw.extend(bytes);
            }
        }
    }

    /// Type.
    pub fn types(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).expect("it takes it");
    }

    /// Wait for its end: the exit code. Panics after 60 s.
    #[track_caller]
    pub fn ends(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(20)) {
                self.raw.extend(bytes);
            }
            if let Some(status) = self.child.try_wait().expect("wait") {
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                    self.raw.extend(bytes);
                }
                return status.code().unwrap_or(-1);
            }
            if began.elapsed() > Duration::from_secs(60) {
                let _ = self.child.kill();
                panic!("it did not end: {}", self.text());
            }
        }
    }

    /// Everything that it wrote.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// What is visible in the end, including the scrollback.
    pub fn screen(&self) -> String {
        let mut parser = vt100::Parser::new(200, 80, 0);
        parser.process(&self.raw);
        parser.screen().contents()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
