//! Commands and snapshots, passed on to and from the worker.

use lull_types::Fault;
use lull_worker_api::{Command, Reply, Snapshot};
use tauri::State;

use crate::worker::Link;

/// Sends one command to the worker.
#[tauri::command]
pub async fn worker_command(link: State<'_, Link>, command: Command) -> Result<Reply, Fault> {
    match command {
        // Snapshots come to the window as events without being asked for, and it is known to be there.
        Command::Subscribe | Command::Look { .. } => Ok(Reply::Done),
        // A worker that was ended so would be started again at once; `quit` ends both.
        Command::Shutdown => Err(Fault::new("use_quit", "To end the worker, quit Lull.")),
        command => link.command(command).await,
    }
}

/// The newest snapshot; `None` while the worker was not reached or is lost.
#[tauri::command]
pub fn latest_snapshot(link: State<'_, Link>) -> Option<Snapshot> {
    link.snapshot().map(|snapshot| Snapshot::clone(&snapshot))
}
