//! The journal gives back what was written, whatever happened in between.

use std::path::PathBuf;

use lull_checks::receipts::{Lane, countersign, verify_all};
use lull_network_api::{Assignment, Verdict};
use lull_types::{
    AnchoredEpoch, AssignmentId, BaseUnits, BlobHash, Coded, DataMoved, Fault, HeatSensor, JobId, NetworkId,
    PauseUntil, PayoutStage, PayoutStanding, PictureTile, ReceiptLeaf, SecretKey, TaskId,
    TransactionSignature, Trip, UnixMillis,
};
use lull_worker_api::{EarningsBucket, Effort, Intent, KeptWallet, Notice, Settings, TaskState, TripRow};
use uuid::Uuid;

use super::{Journal, JournalError, PictureOutput, Track};
use crate::machine::tests::fixture;
use crate::machine::{
    COUNTERSIGNATURES_KEPT, JoinedNetwork, NetworkChoice, OVER_KEPT, Pause, QUARTER_MS, Record, Restored,
    SignedClaim, Stage, TripCost,
};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const HOUR: u64 = 60 * 60 * 1000;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.sqlite")
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path(), NOW).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn network() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

fn worker() -> SecretKey {
    SecretKey::from_bytes(&[2; 32])
}

fn assignment(number: u128) -> Assignment {
    Assignment {
        id: AssignmentId(Uuid::from_u128(number)),
        task: TaskId(Uuid::from_u128(1000 + number)),
        job: JobId(Uuid::from_u128(7)),
        job_title: "A picture".into(),
        customer_name: "A studio".into(),
        kind: "wgsl/1".into(),
        device: 0,
        payload: BlobHash([9; 32]),
        price: BaseUnits(250),
        deadline: UnixMillis(NOW.0 + 60_000),
        picture: Some(PictureTile { picture_width: 8, picture_height: 8, x: 0, y: 0, width: 4, height: 4 }),
        task_index: 0,
        task_count: 4,
    }
}

fn taken(number: u128) -> Record {
    let network = network().network_id();
    Record::Taken { network, assignment: Box::new(assignment(number)), at: NOW }
}

fn stage(number: u128, stage: Stage) -> Record {
    Record::Stage { assignment: assignment(number).id, stage }
}

/// Receipts for assignments 1, 2, …, each `step` after the one before.
fn receipts(count: u64, step: u64) -> Vec<Record> {
    let mut lane = Lane::new(network().network_id(), worker().worker_id(), 0);
    let issue = |number: u64| {
        let leaf = ReceiptLeaf {
            assignment: assignment(number.into()).id,
            task: assignment(number.into()).task,
            outputs: BlobHash([3; 32]),
            amount: BaseUnits(250),
        };
        let signed = lane.issue(&network(), leaf, 1, UnixMillis(u64::MAX)).unwrap();
        Record::Receipt {
            receipt: Box::new(countersign(&worker(), &signed)),
            lane: Box::new(lane.clone()),
            received_at: UnixMillis(NOW.0 + number * step),
        }
    };
    (1..=count).map(issue).collect()
}

#[test]
fn a_new_journal_is_empty() {
    assert_eq!(Place::new().open().restore().unwrap(), Restored::default());
}

#[test]
fn choices_come_back() {
    let place = Place::new();
    let settings = Settings { effort: Effort::Quiet, devices_not_lent: vec![1], ..Settings::default() };
    let joined = JoinedNetwork { choice: NetworkChoice::Practice, info: None, enrolled: true };
    let wallet = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU".parse().unwrap();
    let kept = KeptWallet { address: wallet, confirmed: true };
    let notice = Notice { id: 4, at: NOW, code: "a".into(), sentence: "A.".into(), problem: true };
    let pauses = vec![
        Pause { device: None, until: PauseUntil::Instant(NOW) },
        Pause { device: Some(1), until: PauseUntil::Resumed },
    ];
    let records = [
        Record::Intent(Intent::Off),
        Record::Intent(Intent::On),
        Record::Settings(settings.clone()),
        Record::Pauses(pauses.clone()),
        Record::Network(joined.clone()),
        Record::Wallet(Some(wallet)),
        Record::KeptWallet(Some(kept.clone())),
        Record::Notice(notice.clone()),
    ];
    place.open().apply(&records).unwrap();
    let restored = place.open().restore().unwrap();
    assert_eq!(
        restored,
        Restored {
            intent: Some(Intent::On),
            settings,
            pauses,
            network: Some(joined),
            wallet: Some(wallet),
            kept_wallet: Some(kept),
            notices: vec![notice],
            ..Restored::default()
        }
    );
    place
        .open()
        .apply(&[Record::Pauses(Vec::new()), Record::Wallet(None), Record::KeptWallet(None)])
        .unwrap();
    let restored = place.open().restore().unwrap();
    assert_eq!((restored.pauses, restored.wallet, restored.kept_wallet), (Vec::new(), None, None));
}

#[test]
fn a_pause_of_an_older_version_goes_on() {
    let place = Place::new();
    let journal = place.open();
    let old = "INSERT INTO state (key, value) VALUES ('paused_until', '1800000000000')";
    journal.connection.execute(old, []).unwrap();
    let until = PauseUntil::Instant(UnixMillis(1_800_000_000_000));
    assert_eq!(journal.restore().unwrap().pauses, [Pause { device: None, until }]);
}

#[test]
fn trips_are_told_newest_first_with_what_they_cost() {
    let place = Place::new();
    let mut journal = place.open();
    let game = Trip::FullScreen { program: Some("doom".into()) };
    let heat = Trip::Heat { device: 1, sensor: HeatSensor::Core, celsius: 84 };
    let began = |trip: &Trip, since| Record::TripBegan { trip: trip.clone(), since: UnixMillis(since) };
    let cost = TripCost { interrupted: 2, lost: BaseUnits(7) };
    let ended = |trip: &Trip, since, until| Record::TripEnded {
        trip: trip.clone(),
        since: UnixMillis(since),
        until: UnixMillis(until),
        cost,
    };
    journal.apply(&[began(&game, 10), began(&heat, 20)]).unwrap();
    // The end of one is not the end of another, nor of the same on another day.
    journal
        .apply(&[ended(&heat, 20, 30), ended(&heat, 11, 40), began(&game, 50), ended(&game, 50, 60)])
        .unwrap();
    let row = |trip: &Trip, since, until: Option<u64>| TripRow {
        trip: trip.clone(),
        since: UnixMillis(since),
        until: until.map(UnixMillis),
        interrupted: if until.is_some() { 2 } else { 0 },
        lost: BaseUnits(if until.is_some() { 7 } else { 0 }),
        missed: None,
    };
    let rows = [row(&game, 50, Some(60)), row(&heat, 20, Some(30)), row(&game, 10, None)];
    assert_eq!(journal.trips(10).unwrap(), rows);
    assert_eq!(journal.trips(1).unwrap(), rows[..1]);
    let many: Vec<_> = (100..1200).map(|since| began(&game, since)).collect();
    journal.apply(&many).unwrap();
    assert_eq!(journal.trips(5000).unwrap().len(), 1000, "the oldest go");
}

#[test]
fn open_assignments_come_back_with_their_stage_and_ended_ones_by_id() {
    let place = Place::new();
    let outputs = vec![BlobHash([5; 32])];
    let reported = Stage::Reported { outputs: outputs.clone(), ran_ms: 70, acknowledged: true };
    let mut journal = place.open();
    journal.apply(&[taken(1), taken(2), taken(3)]).unwrap();
    journal.apply(&[stage(2, Stage::Uploading { outputs, ran_ms: 70 })]).unwrap();
    journal.apply(&[stage(2, reported.clone()), stage(3, Stage::Settled)]).unwrap();
    // Taking it a second time changes nothing.
    journal.apply(&[taken(2)]).unwrap();
    let restored = place.open().restore().unwrap();
    let open: Vec<_> = restored.open.iter().map(|open| (open.assignment.id, open.stage.clone())).collect();
    assert_eq!(open, [(assignment(1).id, Stage::Fetching), (assignment(2).id, reported)]);
    assert_eq!(restored.open[0].assignment, assignment(1));
    assert_eq!(restored.over, [assignment(3).id]);
}

#[test]
fn only_the_last_ended_assignments_are_remembered() {
    let mut journal = Place::new().open();
    let count = OVER_KEPT as u128 + 10;
    let records: Vec<_> = (1..=count).flat_map(|n| [taken(n), stage(n, Stage::Settled)]).collect();
    journal.apply(&records).unwrap();
    // The order is that of their ends, and a stage written twice does not move one.
    journal.apply(&[stage(1, Stage::Settled)]).unwrap();
    let over = journal.restore().unwrap().over;
    assert_eq!(over.len(), OVER_KEPT);
    assert_eq!((over[0], *over.last().unwrap()), (assignment(11).id, assignment(count).id));
}

#[test]
fn earnings_come_back_and_can_be_recomputed() {
    let place = Place::new();
    let count = COUNTERSIGNATURES_KEPT as u64 + 6;
    place.open().apply(&receipts(count, HOUR)).unwrap();
    let journal = place.open();
    let id = network().network_id();
    let restored = journal.restore().unwrap();
    let earned = &restored.earned[&id];
    assert_eq!((earned.receipts, earned.lane.nonce()), (count as u32, count));
    assert_eq!(earned.lane.cumulative(), BaseUnits(250 * count));
    assert_eq!(earned.by_quarter.values().map(|sum| sum.0).sum::<u64>(), 250 * count);
    assert_eq!(earned.by_quarter[&((NOW.0 + HOUR) / QUARTER_MS)], BaseUnits(250));
    let nonces: Vec<_> = earned.countersignatures.iter().map(|(nonce, _)| *nonce).collect();
    assert_eq!(nonces, (7..=count).collect::<Vec<_>>());
    let checked = verify_all(id, worker().worker_id(), journal.all_receipts(id).unwrap());
    assert_eq!(
        (checked.receipts, checked.total, checked.fault),
        (count as u32, BaseUnits(250 * count), None)
    );
    assert_eq!(journal.paying_networks().unwrap(), [id]);
    assert_eq!(
        journal.receipts(id, 3).unwrap().iter().map(|row| row.nonce).collect::<Vec<_>>(),
        [70, 69, 68]
    );
    assert_eq!(journal.receipts(NetworkId([0; 32]), 3).unwrap(), []);
}

#[test]
fn earnings_are_summed_by_local_day_and_kind() {
    let mut journal = Place::new().open();
    journal.apply(&[taken(1), taken(2)]).unwrap();
    // Three receipts at 23:13, 00:13 and 01:13 UTC; of the third the assignment is not known.
    journal.apply(&receipts(3, HOUR)).unwrap();
    let id = network().network_id();
    let ask = |bucket, offset| {
        let points = journal.earnings(id, UnixMillis(0), UnixMillis(u64::MAX), bucket, offset).unwrap();
        points.into_iter().map(|p| (p.at.0, p.kind, p.amount.0, p.tasks)).collect::<Vec<_>>()
    };
    let midnight = 1_700_006_400_000;
    let (wgsl, unknown) = ("wgsl/1".to_owned(), "unknown".to_owned());
    assert_eq!(
        ask(EarningsBucket::Day, 0),
        [
            (midnight - 24 * HOUR, wgsl.clone(), 250, 1),
            (midnight, unknown.clone(), 250, 1),
            (midnight, wgsl.clone(), 250, 1)
        ]
    );
    assert_eq!(
        ask(EarningsBucket::Day, 60),
        [(midnight - HOUR, unknown, 250, 1), (midnight - HOUR, wgsl, 500, 2)]
    );
    assert_eq!(ask(EarningsBucket::Hour, 0).len(), 3);
    let none = journal.earnings(id, NOW, UnixMillis(NOW.0 + HOUR), EarningsBucket::Hour, 0).unwrap();
    assert_eq!(none, [], "the end is exclusive");
}

#[test]
fn tasks_tell_what_became_of_them() {
    let mut journal = Place::new().open();
    let outputs = vec![BlobHash([5; 32])];
    let uploading = Stage::Uploading { outputs, ran_ms: 70 };
    let fault = Fault::new("device_fault", "It broke.");
    let verdict = |number, verdict| Record::Verdict { assignment: assignment(number).id, verdict };
    let rejected = |difference: &str| Verdict::Rejected {
        expected: vec![],
        actual: vec![],
        difference: difference.to_owned(),
    };
    journal.apply(&(1..=6).map(taken).collect::<Vec<_>>()).unwrap();
    journal.apply(&[stage(1, uploading), stage(1, Stage::Settled)]).unwrap();
    journal.apply(&receipts(1, HOUR)).unwrap();
    journal.apply(&[verdict(2, Verdict::Accepted { amount: BaseUnits(250), checked: true })]).unwrap();
    journal.apply(&[verdict(3, rejected("it is wrong"))]).unwrap();
    journal.apply(&[stage(4, Stage::Abandoned { reason: fault.clone() })]).unwrap();
    journal.apply(&[verdict(5, Verdict::Inconclusive { reason: "nobody knows".into() })]).unwrap();
    let id = network().network_id();
    let states: Vec<_> = journal.tasks(id, 10).unwrap().into_iter().rev().map(|row| row.state).collect();
    assert_eq!(
        states,
        [
            TaskState::Accepted { checked: false },
            TaskState::Accepted { checked: true },
            TaskState::Rejected { difference: "it is wrong".into() },
            TaskState::Abandoned { fault },
            TaskState::Inconclusive { reason: "nobody knows".into() },
            TaskState::Open,
        ]
    );
    assert_eq!(journal.tasks(id, 2).unwrap().len(), 2);
    let tile = assignment(1).picture.unwrap();
    let output = PictureOutput { assignment: assignment(1).id, tile, pixels: BlobHash([5; 32]) };
    assert_eq!(journal.picture(assignment(1).job).unwrap(), [output]);
    assert_eq!(journal.track(id, 10).unwrap(), Track { tasks: 1, ran_ms: 70, amount: BaseUnits(250) });
    assert_eq!(journal.receipts(id, 1).unwrap()[0].job_title.as_deref(), Some("A picture"));
}

#[test]
fn a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room() {
    let place = Place::new();
    let mut journal = place.open();
    journal.apply(&[Record::Intent(Intent::On), taken(1)]).unwrap();
    let before = journal.restore().unwrap();
    journal.limit_pages(1);
    let many: Vec<_> = std::iter::once(Record::Intent(Intent::Off)).chain((2..500).map(taken)).collect();
    let error = journal.apply(&many).unwrap_err();
    assert_eq!((error.code(), &error), ("disk_full", &JournalError::DiskFull));
    assert_eq!(journal.restore().unwrap(), before, "not even the first record was written");
    assert_eq!(place.open().restore().unwrap(), before);
    journal.limit_pages(1_000_000);
    journal.check().unwrap();
    journal.apply(&many).unwrap();
    assert_eq!(place.open().restore().unwrap().open.len(), 499);
}

#[test]
fn a_damaged_file_is_set_aside_and_kept() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[..100].fill(0xaa),
        |bytes| bytes.truncate(bytes.len() / 2 + 100),
        |bytes| {
            let end = bytes.len();
            bytes[4096..end].fill(0x55);
        },
    ];
    for damage in damages {
        let place = Place::new();
        let mut journal = place.open();
        journal.apply(&(1..200).map(taken).collect::<Vec<_>>()).unwrap();
        drop(journal);
        let mut bytes = std::fs::read(place.path()).unwrap();
        damage(&mut bytes);
        std::fs::write(place.path(), &bytes).unwrap();
        let journal = place.open();
        let restored = journal.restore().unwrap();
        assert_eq!(restored.open, []);
        assert_eq!(restored.notices[0].code, "journal_damaged");
        let aside = format!("journal.sqlite.damaged-{}", NOW.0);
        assert!(place.files().contains(&aside), "{:?}", place.files());
        assert_eq!(std::fs::read(place.folder.path().join(aside)).unwrap(), bytes, "it is kept as it was");
    }
}

#[test]
fn a_newer_format_is_left_alone() {
    let place = Place::new();
    place.open().apply(&[taken(1)]).unwrap();
    let raw = rusqlite::Connection::open(place.path()).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let error = Journal::open(&place.path(), NOW).unwrap_err();
    assert_eq!(error, JournalError::Newer { found: 99 });
    assert_eq!(place.files().iter().filter(|name| name.contains("damaged")).count(), 0);
}

#[test]
fn a_reader_sees_what_the_writer_has_committed() {
    let place = Place::new();
    let mut writer = place.open();
    writer.apply(&receipts(2, HOUR)).unwrap();
    let reader = Journal::open_to_read(&place.path()).unwrap();
    assert_eq!(reader.all_receipts(network().network_id()).unwrap().len(), 2);
    assert!(Journal::open_to_read(&place.folder.path().join("none")).is_err());
}

#[test]
fn what_was_applied_survives_a_process_that_never_closed_its_file() {
    let place = Place::new();
    let mut journal = place.open();
    journal.apply(&[Record::Intent(Intent::On)]).unwrap();
    // The crash: the file is never closed, so that only what `apply` made durable is there.
    std::mem::forget(journal);
    assert_eq!(place.open().restore().unwrap().intent, Some(Intent::On));
}

#[test]
fn what_was_told_of_payouts_comes_back() {
    let place = Place::new();
    let network = network().network_id();
    let told = |id, stage| Record::Payout { network, payout: Box::new(fixture::payout(id, stage)) };
    let anchored = |epoch| AnchoredEpoch { epoch, at: NOW, signature: Some(TransactionSignature([4; 64])) };
    let standing = |epoch| {
        let payouts = vec![fixture::payout(1, PayoutStage::Confirmed)];
        PayoutStanding { anchored: Some(anchored(epoch)), ..fixture::standing(payouts) }
    };
    let stands = |epoch| Record::PayoutStanding { network, standing: Box::new(standing(epoch)) };
    let records = [
        told(1, PayoutStage::Planned),
        told(2, PayoutStage::Planned),
        stands(1),
        told(1, PayoutStage::Confirmed),
        stands(2),
    ];
    place.open().apply(&records).unwrap();
    let journal = place.open();
    let restored = &journal.restore().unwrap().payouts[&network];
    assert_eq!(restored.standing, Some(standing(2)));
    let confirmed = fixture::payout(1, PayoutStage::Confirmed);
    let planned = fixture::payout(2, PayoutStage::Planned);
    assert_eq!(restored.payouts, [(1, confirmed.clone()), (2, planned.clone())].into());
    assert_eq!(journal.payouts(network, 200).unwrap(), [planned, confirmed]);
    assert_eq!(journal.payouts(network, 1).unwrap().len(), 1);
    assert_eq!(journal.payouts(NetworkId([9; 32]), 200).unwrap(), []);
    assert_eq!(journal.anchored_epoch(network, 1).unwrap(), Some(anchored(1)));
    assert_eq!(journal.anchored_epoch(network, u64::MAX).unwrap(), None);
}

#[test]
fn only_the_newest_anchored_epochs_are_kept() {
    let network = network().network_id();
    let stands = |epoch| {
        let anchored = Some(AnchoredEpoch { epoch, at: NOW, signature: None });
        let standing = PayoutStanding { anchored, ..fixture::standing(Vec::new()) };
        Record::PayoutStanding { network, standing: Box::new(standing) }
    };
    let mut journal = Place::new().open();
    journal.apply(&(1..=1003).map(stands).collect::<Vec<_>>()).unwrap();
    let known = |epoch| journal.anchored_epoch(network, epoch).unwrap().is_some();
    assert_eq!([known(3), known(4), known(1003)], [false, true, true]);
}

#[test]
fn a_claim_is_kept_until_it_is_over() {
    let place = Place::new();
    let (network, wallet) = (network().network_id(), fixture::paid_wallet());
    let signed = |n: u8| SignedClaim {
        signature: TransactionSignature([n; 64]),
        bytes: vec![n; 300],
        last_valid_height: 700,
    };
    let kept = |claim| Record::Claim { network, wallet, claim };
    place.open().apply(&[kept(Some(signed(1))), kept(Some(signed(2)))]).unwrap();
    assert_eq!(place.open().claims(network).unwrap(), [(wallet, signed(2))].into());
    assert!(place.open().claims(NetworkId([9; 32])).unwrap().is_empty());
    place.open().apply(&[kept(None)]).unwrap();
    assert!(place.open().claims(network).unwrap().is_empty());
}

#[test]
fn statements_have_each_accepted_task_of_their_time() {
    let mut journal = Place::new().open();
    journal.apply(&[taken(1), taken(2)]).unwrap();
    let energy = |milliwatt_hours, micro_per_kwh| Record::Energy {
        assignment: assignment(2).id,
        milliwatt_hours,
        micro_per_kwh,
    };
    let ran = stage(2, Stage::Uploading { outputs: Vec::new(), ran_ms: 70 });
    // It was run twice; the last run counts.
    journal.apply(&[energy(None, 210_000), energy(Some(1_500), -7), ran]).unwrap();
    journal.apply(&receipts(3, HOUR)).unwrap();
    let network = network().network_id();
    let stated = |from, until| journal.stated_tasks(network, UnixMillis(from), UnixMillis(until)).unwrap();
    let all = stated(0, u64::MAX);
    assert_eq!(all.iter().map(|task| task.nonce).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((all[1].milliwatt_hours, all[1].ran_ms, all[1].taken_at), (Some(1_500), Some(70), Some(NOW)));
    assert_eq!((all[0].micro_per_kwh, all[1].micro_per_kwh, all[2].micro_per_kwh), (None, Some(-7), None));
    assert_eq!((all[0].milliwatt_hours, all[2].job.clone(), all[2].taken_at), (None, None, None));
    assert_eq!(all[2].cumulative, BaseUnits(750));
    // The end is not part of it.
    let second = stated(NOW.0 + 2 * HOUR, NOW.0 + 3 * HOUR);
    assert_eq!(second.iter().map(|task| task.nonce).collect::<Vec<_>>(), [2]);
}

fn moved(quarter: u64, sent_bytes: u64, received_bytes: u64) -> Record {
    Record::DataMoved { quarter, moved: DataMoved { sent_bytes, received_bytes } }
}

#[test]
fn counts_of_data_come_back_after_a_crash_and_never_go_down() {
    let place = Place::new();
    let mut journal = place.open();
    journal.apply(&[moved(7, 100, 20), moved(8, 1, 2)]).unwrap();
    journal.apply(&[moved(7, 150, 30)]).unwrap();
    // Written again, and older than what is there.
    journal.apply(&[moved(7, 150, 30), moved(7, 90, 40)]).unwrap();
    // The crash: the file is never closed.
    std::mem::forget(journal);
    let expected = |sent_bytes, received_bytes| DataMoved { sent_bytes, received_bytes };
    let restored = place.open().restore().unwrap().data;
    assert_eq!(restored, [(7, expected(150, 40)), (8, expected(1, 2))].into());
}

#[test]
fn counts_of_data_are_kept_for_thirteen_months_whatever_the_clock_says() {
    let mut journal = Place::new().open();
    // Every quarter of an hour of four hundred days, and one of a clock that was a century ahead.
    let days = 400 * 96;
    let many: Vec<_> = (0..days).map(|quarter| moved(1000 + quarter, 1, 0)).collect();
    journal.apply(&many).unwrap();
    assert_eq!(journal.data_moved().unwrap().len(), 38_400);
    journal.apply(&[moved(4_000_000, 1, 0)]).unwrap();
    let kept: Vec<u64> = journal.data_moved().unwrap().into_keys().collect();
    assert_eq!((kept.len(), kept[0], kept[kept.len() - 1]), (38_400, 1001, 4_000_000));
}
