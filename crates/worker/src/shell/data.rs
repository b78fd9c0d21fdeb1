//! When the machine is told how much data has moved.

use std::time::Duration;

use lull_types::DataMoved;
use tokio::time::Instant;

use crate::session::Meter;

/// While a session is held. What moves between two looks may be lost to a kill, and overruns a cap before it is seen: a
/// quarter of a gigabyte on a line of a gigabit a second.
const INTERVAL: Duration = Duration::from_secs(2);

/// While none is. Attempts to reach a network that is away send a few datagrams.
const INTERVAL_IDLE: Duration = Duration::from_secs(30);

/// So much is told at once. A session in which nothing happens says some 30 bytes a second, of which not every snapshot
/// need tell.
const TELL_BYTES: u64 = 100_000;

/// Less than that is told after so long.
const TELL_AFTER: Duration = Duration::from_secs(30);

/// Reads the meter, and knows what of it was told.
#[derive(Debug)]
pub(super) struct DataTap {
    meter: Meter,
    told: DataMoved,
    told_at: Instant,
    read_at: Instant,
}

impl DataTap {
    pub fn new(meter: Meter) -> Self {
        let now = Instant::now();
        Self { meter, told: DataMoved::default(), told_at: now, read_at: now }
    }

    /// When to read again.
    pub fn due_at(&self, has_session: bool) -> Instant {
        self.read_at + if has_session { INTERVAL } else { INTERVAL_IDLE }
    }

    /// What has moved since it was last told, where that is worth telling.
    pub fn read(&mut self) -> Option<DataMoved> {
        self.read_at = Instant::now();
        let waited = self.told_at.elapsed() >= TELL_AFTER;
        let news = self.rest();
        let bytes = news.sent_bytes.saturating_add(news.received_bytes);
        if bytes < TELL_BYTES && !waited {
            return None;
        }
        self.told_at = self.read_at;
        self.told += news;
        (bytes > 0).then_some(news)
    }

    /// What has moved and was not told.
    fn rest(&self) -> DataMoved {
        self.meter.moved().less(self.told)
    }
}
