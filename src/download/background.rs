//! Downloads in a separate thread, with progress; they end with their task.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Settings;
use crate::download::{self, OnProgress, Progress, Source, Store};
use crate::failure::Result;
use crate::paths::cache_dir;

/// How often progress is reported.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// Where downloads come from and go to.
pub(crate) fn store(settings: &Settings) -> Result<Store> {
    let source = settings.mirror.as_deref().map_or(Ok(Source::Origin), Source::parse)?;
    let how = download::Settings {
        offline: settings.offline,
        read_timeout: settings.download_timeout,
        ..download::Settings::default()
    };
    Ok(Store { folder: cache_dir(), source, settings: how })
}

/// A running download. Dropping it stops it.
pub(crate) struct Fetching<T> {
    handle: tokio::task::JoinHandle<Result<T>>,
    progress: watch::Receiver<Option<Progress>>,
    stop: Arc<AtomicBool>,
}

impl<T> Drop for Fetching<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl<T: Send + 'static> Fetching<T> {
    /// Start `work` on its own thread.
    pub(crate) fn begin(work: impl FnOnce(OnProgress<'_>) -> Result<T> + Send + 'static) -> Self {
        let (sender, progress) = watch::channel(None);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let handle = tokio::task::spawn_blocking(move || {
            work(&mut |progress| {
                sender.send_replace(Some(progress));
                if stopped.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        Self { handle, progress, stop }
    }

    /// Wait until it ends; `tell` is called at intervals if there is progress.
    pub(crate) async fn finish(mut self, mut tell: impl FnMut(Progress)) -> Result<T> {
        let mut tick = tokio::time::interval(REPORT_INTERVAL);
        loop {
            tokio::select! {
                biased;
                done = &mut self.handle => {
                    return done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
                }
                _ = tick.tick() => {
                    if self.progress.has_changed().unwrap_or(false)
                        && let Some(progress) = *self.progress.borrow_and_update()
                    {
                        tell(progress);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::failure::{Failure, Kind};

    #[tokio::test]
    async fn progress_and_the_result_are_reported() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let fetching = Fetching::begin(move |progress| {
            let _ = progress(Progress { done: 1, total: Some(2) });
            let _ = wait.recv();
            Ok("all")
        });
        let told = RefCell::new(Vec::new());
        let done = fetching
            .finish(|progress| {
                told.borrow_mut().push(progress.done);
                let _ = go.send(());
            })
            .await;
        assert_eq!((done.ok(), told.into_inner()), (Some("all"), vec![1]));
    }

    #[tokio::test]
    async fn a_dropped_download_is_stopped() {
        let (ended, end) = tokio::sync::oneshot::channel();
        let fetching = Fetching::<()>::begin(move |progress| {
            while progress(Progress { done: 1, total: None }).is_continue() {
                std::thread::yield_now();
            }
            let _ = ended.send(());
            Err(Box::new(Failure::new(crate::errors::INTERRUPTED, Kind::Interrupted, "stopped")))
        });
        drop(fetching);
        end.await.expect("the thread ends");
    }
}
