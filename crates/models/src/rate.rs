//! A cap on the rate of transfers, shared by all that hold it and changeable while they run.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a line that was idle may catch up: short enough that nobody on it notices, long enough that a late timer
/// costs no rate.
const BURST: Duration = Duration::from_millis(100);

/// The most that moves at once under any cap, so that others on the line get their turn.
const CHUNK_BYTES_MAX: u64 = 64 * 1024;

/// The least that moves at once: one packet's worth.
const CHUNK_BYTES_MIN: u64 = 1024;

/// The parts of a second that a low rate is spread over.
const CHUNKS_PER_SECOND: u64 = 16;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A cap in bytes a second. Clones share it: all their transfers together keep to it.
///
/// A bucket of tokens, kept as the instant at which it is even: whoever moves bytes moves that instant on by the
/// time they take at the rate, and nobody moves any before it.
#[derive(Clone, Debug)]
pub struct RateLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bucket: Mutex<Bucket>,
    changed: Notify,
    /// Who waits, waits in line: this lock is fair, so that no transfer starves another.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    bytes_per_second: Option<NonZeroU64>,
    even_at: Option<Instant>,
}

impl Bucket {
    fn charge(&mut self, bytes: u64, now: Instant) {
        let Some(rate) = self.bytes_per_second else { return };
        let idle_since = now.checked_sub(BURST).unwrap_or(now);
        let from = self.even_at.map_or(idle_since, |even_at| even_at.max(idle_since));
        self.even_at = Some(from + duration_of(bytes, rate));
    }

    fn set(&mut self, bytes_per_second: Option<NonZeroU64>, now: Instant) {
        // What was moved ahead of time is owed still, and paid at the new rate.
        let owed = match (self.bytes_per_second, self.even_at) {
            (Some(rate), Some(even_at)) => bytes_in(even_at.saturating_duration_since(now), rate),
            _ => 0,
        };
        self.bytes_per_second = bytes_per_second;
        self.even_at = bytes_per_second.map(|rate| now + duration_of(owed, rate));
    }
}

fn duration_of(bytes: u64, rate: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * NANOS_PER_SECOND / u128::from(rate.get());
    // Instants reach no further than some centuries; a day is longer than anybody waits for one chunk.
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(Duration::from_secs(86_400))
}

fn bytes_in(duration: Duration, rate: NonZeroU64) -> u64 {
    u64::try_from(duration.as_nanos() * u128::from(rate.get()) / NANOS_PER_SECOND).unwrap_or(u64::MAX)
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl RateLimit {
    /// A cap; `None` is none.
    pub fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self(Arc::new(Shared {
            bucket: Mutex::new(Bucket { bytes_per_second, even_at: None }),
            changed: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
        }))
    }

    /// No cap, until one is set.
    pub fn unlimited() -> Self {
        Self::new(None)
    }

    /// Another cap, from now on, also for transfers that are under way.
    pub fn set(&self, bytes_per_second: Option<NonZeroU64>) {
        self.bucket().set(bytes_per_second, Instant::now());
        self.0.changed.notify_waiters();
    }

    /// The cap.
    pub fn bytes_per_second(&self) -> Option<NonZeroU64> {
        self.bucket().bytes_per_second
    }

    /// How much to move at a time: less on slow lines, so that they flow and do not lurch.
    pub(crate) fn chunk_bytes(&self) -> usize {
        let chunk = self.bytes_per_second().map_or(CHUNK_BYTES_MAX, |rate| {
            (rate.get() / CHUNKS_PER_SECOND).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX)
        });
        chunk as usize
    }

    /// Waits until bytes may move. Dropping the future gives up the place in line.
    pub(crate) async fn ready(&self) {
        if self.bytes_per_second().is_none() {
            return;
        }
        let _turn = self.0.turn.lock().await;
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let Some(even_at) = self.bucket().even_at else { return };
            if even_at <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(even_at) => {}
                () = changed => {}
            }
        }
    }

    /// Says that bytes have moved.
    pub(crate) fn charge(&self, bytes: usize) {
        self.bucket().charge(bytes as u64, Instant::now());
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // A bucket is consistent between any two statements that hold it.
        self.0.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes_per_second: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(bytes_per_second)
    }

    async fn moved(limit: RateLimit, bytes: u64) {
        let mut left = bytes;
        while left > 0 {
            limit.ready().await;
            let chunk = left.min(limit.chunk_bytes() as u64);
            limit.charge(chunk as usize);
            left -= chunk;
        }
        limit.ready().await;
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_share_a_cap_keep_to_it_together() {
        let limit = RateLimit::new(rate(1_000_000));
        let start = Instant::now();
        tokio::join!(
            moved(limit.clone(), 6_000_000),
            moved(limit.clone(), 3_000_000),
            moved(limit, 1_000_000)
        );
        let seconds = start.elapsed().as_secs_f64();
        assert!((9.8..=10.3).contains(&seconds), "{seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cap_changes_under_way() {
        let limit = RateLimit::new(rate(1));
        let start = Instant::now();
        let transfer = tokio::spawn(moved(limit.clone(), 2_000_000));
        tokio::time::sleep(Duration::from_secs(10)).await;
        limit.set(rate(1_000_000));
        transfer.await.unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert!((11.5..=12.5).contains(&seconds), "{seconds} s");

        limit.set(rate(1));
        limit.charge(1_000_000);
        let transfer = tokio::spawn(moved(limit.clone(), 1_000_000_000));
        tokio::time::sleep(Duration::from_secs(1)).await;
        limit.set(None);
        transfer.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(14));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_caught_up_for_a_tenth_of_a_second_only() {
        let limit = RateLimit::new(rate(1_000_000));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        moved(limit, 1_000_000).await;
        assert!(start.elapsed() >= Duration::from_millis(880), "{:?}", start.elapsed());
    }
}
