//! Data is counted, written down, and held back at a cap.

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::wgsl::limits::OUTPUT_BYTES_TOTAL_MAX;
use lull_types::{Cause, DataCaps, DataDirection, DataMoved, Fault, GB, GuardRules, Trip, UnixMillis};
use lull_worker_api::{Settings, StateView};

use super::bench::{Bench, T0, done};
use super::fixture::{assignment, fault};
use crate::machine::{Effect, Input, Record, Restored, SAVE_AFTER, SAVE_BYTES, TransferFailure};

fn sent(sent_bytes: u64) -> DataMoved {
    DataMoved { sent_bytes, received_bytes: 0 }
}

/// Joined, with a cap of a gigabyte sent a month.
fn capped() -> Restored {
    let data_cap = Some(DataCaps { sent_gb: Some(1), received_gb: None, both_gb: None, month_day: 1 });
    let guards = GuardRules { data_cap, ..GuardRules::default() };
    Restored { settings: Settings { guards, ..Settings::default() }, ..Bench::joined(1) }
}

impl Bench {
    fn moves(&mut self, sent_bytes: u64) -> &mut Self {
        self.give(Input::DataMoved(sent(sent_bytes)))
    }

    /// What is written down of data.
    fn writes(&self) -> Vec<u64> {
        let records = self.last.iter().filter_map(|effect| match effect {
            Effect::Journal(records) => Some(records),
            _ => None,
        });
        let moved = |record: &Record| match record {
            Record::DataMoved { moved, .. } => Some(moved.sent_bytes),
            _ => None,
        };
        records.flatten().filter_map(moved).collect()
    }

    /// Whether a task whose outputs have so many bytes may be fetched next.
    fn has_room_for(&self, sent_bytes: u64) -> bool {
        let room = self.last.iter().find_map(|effect| match effect {
            Effect::Fetch { room, .. } => Some(room),
            _ => None,
        });
        room.expect("something is fetched").holds(sent(sent_bytes))
    }
}

#[test]
fn counts_are_written_down_by_the_megabyte_or_after_a_minute() {
    let mut bench = Bench::up(1);
    bench.moves(SAVE_BYTES - 1);
    assert!(bench.writes().is_empty());
    bench.moves(1);
    assert_eq!(bench.writes(), [SAVE_BYTES]);
    bench.moves(10);
    assert!(bench.writes().is_empty());
    let due = UnixMillis(bench.now).after(SAVE_AFTER);
    assert!(bench.machine.next_deadline().is_some_and(|at| at <= due));
    bench.after(SAVE_AFTER.as_millis() as u64);
    assert_eq!(bench.writes(), [SAVE_BYTES + 10], "all of the quarter, so that it can be written again");
    bench.after(1000);
    assert!(bench.writes().is_empty());
    // Nothing waits for the minute when the worker ends.
    bench.moves(5).order(crate::machine::Order::Shutdown);
    assert_eq!(bench.writes(), [SAVE_BYTES + 15]);
}

#[test]
fn what_was_counted_while_the_journal_failed_is_written_down_after_it() {
    let mut bench = Bench::up(1);
    bench.moves(SAVE_BYTES);
    // It was not written; meanwhile more moves.
    bench.give(Input::JournalFailed(fault("disk_full"))).moves(7);
    assert!(bench.writes().is_empty());
    bench.after(120_000);
    assert!(bench.has(|effect| *effect == Effect::Restore));
    // The journal knows of less in this quarter and of another.
    let quarter = T0 / lull_guards::DATA_QUARTER_MS;
    let data = [(quarter, sent(3)), (quarter - 1, sent(100))].into();
    bench.give(Input::JournalRestored(Box::new(Restored { data, ..Bench::joined(1) })));
    assert_eq!(bench.writes(), [SAVE_BYTES + 7]);
    let view = bench.machine.view(UnixMillis(bench.now), 0).data;
    assert_eq!(view.moved, sent(SAVE_BYTES + 107));
}

#[test]
fn at_a_cap_no_work_is_taken_and_what_runs_is_done_and_reported() {
    let mut bench = Bench::up_from(capped(), 1);
    let lease = bench.run(7, 0);
    bench.moves(900_000_000);
    assert!(!bench.has(|effect| matches!(effect, Effect::Cancel { .. })), "what runs goes on");
    assert_eq!(bench.state_name(), "working");
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id });
    let StateView::Yielding { causes, .. } = bench.state() else { panic!("{:?}", bench.state()) };
    let trip = Trip::DataCap { direction: DataDirection::Sent, used_bytes: 900_000_000, cap_bytes: GB };
    let month_ends = UnixMillis(31 * 24 * 3600 * 1000);
    assert!(
        matches!(&causes[..], [Cause::Guard(held)] if held.trip == trip && held.until == Some(month_ends)),
        "{causes:?}"
    );
    bench.give(Input::Uploaded { transfer });
    assert!(bench.sends(|message| matches!(message, WorkerMessage::Report { .. })));
    bench.said(NetworkMessage::ReportReceived { assignment: assignment(7, 0, 0).id });
    assert!(!bench.sends(|message| matches!(message, WorkerMessage::WantWork { .. })));
    // The clock goes on to the next month: work is asked for without a word.
    while bench.now < month_ends.0 {
        let at = bench.machine.next_deadline().expect("it looks at the clock");
        bench.now = bench.now.max(at.0).min(month_ends.0);
        bench.give(Input::Tick);
    }
    assert!(bench.sends(|message| matches!(message, WorkerMessage::WantWork { .. })));
}

#[test]
fn what_is_fetched_when_a_cap_is_reached_is_handed_back() {
    let mut bench = Bench::up_from(capped(), 1);
    bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, T0 + 600_000))));
    let transfer = bench.transfer();
    bench.moves(900_000_000);
    assert!(bench.has(|effect| *effect == Effect::StopTransfer { transfer }));
    assert!(bench.hands_back("worker_paused"));
}

#[test]
fn work_that_does_not_fit_is_handed_back_and_asked_for_again_later() {
    let mut bench = Bench::up_from(capped(), 1);
    bench.moves(700_000_000);
    bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, T0 + 600_000))));
    assert!(bench.has_room_for(200_000_000) && !bench.has_room_for(200_000_001));
    let transfer = bench.transfer();
    let failure = TransferFailure::OverDataCap(Fault::new("data_cap_reached", "It is too much."));
    bench.give(Input::FetchFailed { transfer, failure });
    assert!(bench.hands_back("worker_paused"));
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    assert!(!bench.sends(|message| matches!(message, WorkerMessage::WantWork { .. })), "not in a loop");
    bench.after(300_000);
    assert!(bench.sends(|message| matches!(message, WorkerMessage::WantWork { .. })));
}

#[test]
fn what_others_will_send_is_kept_room_for() {
    let mut restored = capped();
    restored.benchmarks = Bench::joined(2).benchmarks;
    let mut bench = Bench::up_from(restored, 2);
    bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, T0 + 600_000))));
    assert!(bench.has_room_for(900_000_000), "nothing is kept for itself");
    let first = bench.transfer();
    bench.said(NetworkMessage::Assign(Box::new(assignment(8, 1, T0 + 600_000))));
    // Nobody knows yet what the first one sends.
    assert!(!bench.has_room_for(900_000_000 - OUTPUT_BYTES_TOTAL_MAX));
    let second = bench.transfer();
    bench.give(Input::Fetched { transfer: first, output_bytes: 12_000_000 });
    let failure = TransferFailure::Connection(fault("connection_broken"));
    bench.give(Input::FetchFailed { transfer: second, failure }).after(1000);
    assert!(bench.has_room_for(887_000_000) && !bench.has_room_for(887_000_001));
}
