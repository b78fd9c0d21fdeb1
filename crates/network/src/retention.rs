//! How long blobs are kept, and the removal of those that nobody needs.
//!
//! A blob is needed by the jobs that name it as a payload or an input, and by the reports that name it as an
//! output. It is kept until the last of those jobs has been over for [`Retention::after_job`]; and any blob is
//! kept for [`UNNAMED_AGE_MIN`] after it was last put, so that there is time to name it. The records of jobs and
//! money are kept for good.

use std::sync::Arc;
use std::time::Duration;

use lull_types::{Fault, UnixMillis};
use tokio_util::sync::CancellationToken;

use crate::blobs::{Blobs, Swept};
use crate::reader::{self, Reader};

/// Time to put the blobs of a job and then submit it: the inputs of a large one, over a home line.
pub const UNNAMED_AGE_MIN: Duration = Duration::from_secs(6 * 3600);
/// In the practice network jobs are submitted at once after their blobs.
pub const UNNAMED_AGE_MIN_PRACTICE: Duration = Duration::from_secs(15 * 60);
/// How often it is looked for what can go: the folder grows little in the meantime.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);

/// How long blobs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// After the end of the last job that names them.
    pub after_job: Duration,
    /// After they were put, if no job names them.
    pub unnamed: Duration,
}

impl Retention {
    /// For real customers: a month to fetch the results.
    pub const CUSTOMERS: Self =
        Self { after_job: Duration::from_secs(30 * 24 * 3600), unnamed: UNNAMED_AGE_MIN };
    /// For the practice network: nobody fetches its results, and an hour shows the last pictures. At a task a
    /// second, an hour is about 150 MB.
    pub const PRACTICE: Self =
        Self { after_job: Duration::from_secs(3600), unnamed: UNNAMED_AGE_MIN_PRACTICE };
}

/// Removes what is not needed now.
pub async fn sweep(
    reader: &Arc<Reader>,
    blobs: &Arc<Blobs>,
    retention: Retention,
    now: UnixMillis,
) -> Result<Swept, Fault> {
    let since =
        UnixMillis(now.0.saturating_sub(u64::try_from(retention.after_job.as_millis()).unwrap_or(u64::MAX)));
    let needed = reader.read(move |connection| reader::needed_blobs(connection, since)).await?;
    let blobs = blobs.clone();
    let swept =
        tokio::task::spawn_blocking(move || blobs.sweep(retention.unnamed, |hash| needed.contains(&hash)))
            .await
            .map_err(|_| Fault::new("network_shutting_down", "the network is shutting down"))?;
    swept.map_err(|error| lull_types::Coded::fault(&error))
}

/// Sweeps now and then until it is cancelled.
pub async fn run(reader: Arc<Reader>, blobs: Arc<Blobs>, retention: Retention, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(SWEEP_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => {}
        }
        match sweep(&reader, &blobs, retention, crate::service::now()).await {
            Ok(swept) if swept.removed > 0 => tracing::info!(?swept, "removed blobs that nobody needs"),
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(code = fault.code, sentence = fault.sentence, "blobs were not swept")
            }
        }
    }
}
