//! Notifies when a cluster changes: a watch sleeps until then. On Linux the kernel notifies (inotify on the profile's
//! `due` file, which every save writes last); elsewhere it is polled every 8 ms.

use std::path::Path;
use std::time::Duration;

/// Maximum time that a watch sleeps: it must also check whether its client still exists.
const LONGEST: Duration = Duration::from_millis(200);

/// Bound to one profile's `due` file.
pub struct Bell {
    #[cfg(target_os = "linux")]
    events: Option<rustix::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Bell {
    /// A bell for this file. It rings for changes from now on.
    pub fn on(due: &Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let events = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .and_then(|fd| {
                add_watch(&fd, due, WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF)?;
                Ok(fd)
            })
            .ok();
        Self { events }
    }

    /// Sleep until it rings, `most` has passed, or a fifth of a second.
    pub fn wait(&self, most: Duration) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let most = most.min(LONGEST);
        // A machine may be out of inotify instances.
        let Some(events) = &self.events else {
            return std::thread::sleep(most.min(Duration::from_millis(8)));
        };
        let most = Timespec { tv_sec: 0, tv_nsec: most.as_nanos() as i64 };
        if poll(&mut [PollFd::new(events, PollFlags::IN)], Some(&most)).is_ok_and(|ready| ready > 0) {
            // All notifications until now are one change.
            let _ = rustix::io::read(events, &mut [0; 4096]);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Bell {
    /// A bell for this file. Changes from now on ring it.
    pub fn on(_due: &Path) -> Self {
        Self {}
    }

    /// Sleep for a moment, at most `most`.
    pub fn wait(&self, most: Duration) {
        std::thread::sleep(most.min(LONGEST).min(Duration::from_millis(8)));
    }
}
