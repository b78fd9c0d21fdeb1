//! The power limits of boards, on a thread of their own beside the loop.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::machine::Input;
use crate::power::{Keeper, MakeControl, Told};

/// An orderly end waits so long for drivers. A limit that is not put back by then is put back by the next start.
const PUT_BACK_WAIT: Duration = Duration::from_secs(5);

/// Starts the keeper; what it tells becomes inputs.
pub(super) fn keep(file: PathBuf, make: MakeControl, inputs: mpsc::Sender<Input>) -> Keeper {
    // Without a bound, because the keeper must never wait for the loop; it tells little, one thing for each wish.
    let (tell, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(told) = told.recv().await {
            let input = match told {
                Told::Stand { device, limit } => Input::PowerLimit { device, limit },
                Told::Stuck(fault) => Input::PowerLimitStuck(fault),
            };
            if inputs.send(input).await.is_err() {
                return;
            }
        }
    });
    Keeper::start(file, make, move |news| {
        // Nobody listens any more when the worker ends.
        let _ = tell.send(news);
    })
}

/// Has everything put back, in the time that there is.
pub(super) async fn put_back(keeper: &Keeper) {
    let keeper = keeper.clone();
    let done = tokio::task::spawn_blocking(move || keeper.finish(PUT_BACK_WAIT)).await;
    if !done.unwrap_or(false) {
        tracing::warn!("a power limit is not put back yet; the next start does it");
    }
}
