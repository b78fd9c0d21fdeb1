//! Quitting: work stops, then the app ends.

use std::sync::Mutex;
use std::time::Duration;

use tauri::{AppHandle, Manager};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::window;

/// Longest time that quitting takes: the supervisor ends the worker by force before that, and this is for the
/// case that even that hangs.
const QUIT_MAX: Duration = Duration::from_secs(15);

/// Tells the supervisor to end the worker, and hears when it has.
pub struct Quitting {
    asked: CancellationToken,
    worker_ended: watch::Receiver<bool>,
    begun: Mutex<bool>,
}

impl Quitting {
    /// `asked` ends the supervisor; `worker_ended` becomes true when that is done.
    pub fn new(asked: CancellationToken, worker_ended: watch::Receiver<bool>) -> Self {
        Self { asked, worker_ended, begun: Mutex::new(false) }
    }

    async fn end_worker(&self) {
        self.asked.cancel();
        let mut worker_ended = self.worker_ended.clone();
        let ended = async { worker_ended.wait_for(|ended| *ended).await.map(drop) };
        if tokio::time::timeout(QUIT_MAX, ended).await.is_err() {
            tracing::error!("the worker has not ended in time");
        }
    }
}

/// Begins to quit. The window goes at once; the app ends when the worker has.
pub fn begin(app: &AppHandle) {
    // Another instance may ask for it before this one is set up; there is no worker to end then.
    let Some(quitting) = app.try_state::<Quitting>() else { return app.exit(0) };
    let mut begun = quitting.begun.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if std::mem::replace(&mut *begun, true) {
        return;
    }
    window::close(app);
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        app.state::<Quitting>().end_worker().await;
        app.exit(0);
    });
}

/// For the ways in which an app ends without [`begin`], such as the end of the session: work stops all the same.
pub fn finish(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::block_on(async move {
        if let Some(quitting) = app.try_state::<Quitting>() {
            quitting.end_worker().await;
        }
    });
}

/// Makes the signals that ask a process to end quit the app. Other systems tell through their event loop.
#[cfg(unix)]
pub fn on_signals(app: &AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};

    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            match signal(kind) {
                Ok(mut signals) => {
                    if signals.recv().await.is_some() {
                        begin(&app);
                    }
                }
                Err(error) => tracing::warn!("a signal cannot be listened for: {error}"),
            }
        });
    }
}

/// Makes the signals that ask a process to end quit the app. Other systems tell through their event loop.
#[cfg(not(unix))]
pub fn on_signals(_app: &AppHandle) {}
