//! How much data has moved: counted at once, written down in a while, and looked at before more work is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lull_guards::{DataRoom, data_need};
use lull_types::wgsl::limits::OUTPUT_BYTES_TOTAL_MAX;
use lull_types::{DataMoved, UnixMillis};
use lull_worker_api::DataView;

use super::Machine;
use super::out::Out;
use super::record::{Record, Stage};

/// Counts are written down when so much has moved since: what a kill may lose of them.
pub const SAVE_BYTES: u64 = 1_000_000;

/// Less than that is written down after so long, so that a session in which nothing happens seldom wakes the disk.
pub const SAVE_AFTER: Duration = Duration::from_secs(60);

/// What the network is told of work that would move too much.
pub const DATA_CAP_REACHED: &str = "The contributor's cap of data for this month is reached.";

/// Counts that are not written down yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsaved {
    quarters: BTreeSet<u64>,
    bytes: u64,
    since: Option<UnixMillis>,
}

impl Machine {
    pub(super) fn on_data_moved(&mut self, moved: DataMoved, now: UnixMillis) {
        let (quarter, _) = self.policy.count_data(moved, now);
        self.unsaved.quarters.insert(quarter);
        self.unsaved.bytes += moved.sent_bytes + moved.received_bytes;
        // A clock that was set back must not put the writing off.
        self.unsaved.since = Some(self.unsaved.since.map_or(now, |since| since.min(now)));
    }

    /// Takes over what the journal holds. What was counted and not written down is counted still.
    pub(super) fn load_data(&mut self, written: &BTreeMap<u64, DataMoved>) {
        let counted = self.policy.data_by_quarter();
        let differs = |(quarter, moved): &(&u64, &DataMoved)| written.get(*quarter) != Some(*moved);
        let unsaved: BTreeSet<_> = counted.iter().filter(differs).map(|(quarter, _)| *quarter).collect();
        if !unsaved.is_empty() {
            self.unsaved = Unsaved { quarters: unsaved, bytes: SAVE_BYTES, since: None };
        }
        self.policy.restore_data(written);
    }

    /// Writes counts down when it is time.
    pub(super) fn drive_data(&mut self, now: UnixMillis, out: &mut Out) {
        if self.unsaved.quarters.is_empty() {
            return;
        }
        let since = self.unsaved.since.unwrap_or(now);
        let is_much = self.unsaved.bytes >= SAVE_BYTES || self.shutting_down;
        if !is_much && !out.due(since.after(SAVE_AFTER), now) {
            return;
        }
        let counted = self.policy.data_by_quarter();
        for quarter in std::mem::take(&mut self.unsaved).quarters {
            if let Some(moved) = counted.get(&quarter) {
                out.record(Record::DataMoved { quarter, moved: *moved });
            }
        }
    }

    /// What may move for an assignment that is to be fetched, beside what is still to be sent for the others.
    pub(super) fn data_room_for(&self, index: usize) -> DataRoom {
        let others = self.tasks.iter().enumerate().filter(|(other, _)| *other != index);
        let reserved = others.map(|(_, task)| match task.open.stage {
            // One that is being fetched may come to be as large as any.
            Stage::Fetching | Stage::Running | Stage::Uploading { .. } => {
                data_need(0, task.output_bytes.unwrap_or(OUTPUT_BYTES_TOTAL_MAX))
            }
            Stage::Reported { .. } | Stage::HandingBack { .. } | Stage::Abandoned { .. } | Stage::Settled => {
                DataMoved::default()
            }
        });
        self.policy.data_room(reserved.sum())
    }

    pub(super) fn data_view(&self, now: UnixMillis) -> DataView {
        let Some((month, moved)) = self.policy.data_month() else { return DataView::default() };
        DataView {
            moved,
            begins_at: month.begins_at,
            ends_at: month.ends_at,
            reached_at: self.policy.data_reached_at(now),
        }
    }
}
