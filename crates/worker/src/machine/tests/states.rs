//! Tables: from a state, an input, to a state and effects.

use std::time::Duration;

use lull_guards::{FullScreen, GpuUse, Margin, Observation, Temperatures};
use lull_network_api::{NetworkMessage, Verdict, WorkerMessage};
use lull_types::{
    ActiveTrip, BaseUnits, Cause, FACTOR_ONE, GpuNeed, Guard, GuardRules, GuardState, HeatSensor, PauseUntil,
    PriceSource, Tariff, TariffBand, Trip, UnixMillis, WeekHours,
};
use lull_worker_api::{AssignmentStage, Effort, GuardView, PauseFor, Settings, SettingsChange, StateView};

use super::bench::{Bench, done};
use super::fixture::{assignment, fault, found, network_info, report, ticket};
use crate::machine::task::rest_after;
use crate::machine::{Effect, Input, LeaseId, Order, Pause, Record, Restored, TripCost};

#[test]
fn a_newcomer_starts_and_then_stands_still() {
    let mut bench = Bench::start(Restored::default());
    assert_eq!(bench.state_name(), "starting");
    assert!(bench.has(|effect| *effect == Effect::FindDevices));
    bench.give(Input::DevicesFound(Ok(found(1))));
    assert_eq!(bench.state_name(), "stopped");
    bench.order(Order::Start);
    assert!(
        matches!(bench.state(), StateView::Ready { reason: Some(reason) } if reason.code == "no_network")
    );
}

#[test]
fn joining_measures_first_then_starts_the_practice_network_then_enrols() {
    let mut bench = Bench::start(Restored::default());
    bench.give(Input::DevicesFound(Ok(found(1)))).order(Order::Join(None));
    assert_eq!(bench.state_name(), "benchmarking");
    let lease = bench.lease().id;
    bench.give(Input::BenchmarkEnded { lease, outcome: Ok(Box::new(report(0))) });
    bench.give(Input::Freed { lease });
    assert!(
        bench.has(|effect| *effect == Effect::StartPracticeNetwork) || bench.state_name() == "connecting"
    );
    bench.give(Input::PracticeStarted(Ok(ticket())));
    let session = bench.session();
    bench.give(Input::SessionOpened { session });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Hello { nonce_held: 0, .. })));
    bench.said(NetworkMessage::Welcome { network: network_info(), enrolled: false });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Enrol(e) if e.benchmarks.len() == 1)));
    bench.said(NetworkMessage::Enrolled);
    assert!(bench.sends(|m| *m == WorkerMessage::WantWork { device: 0 }));
    assert_eq!(bench.state_name(), "ready");
    assert!(bench.machine.view(UnixMillis(bench.now), 0).steps.enrolled);
}

#[test]
fn an_assignment_goes_its_way_and_every_step_is_written_down_first() {
    let (mut bench, lease) = Bench::running();
    let StateView::Working { assignments } = bench.state() else { panic!("it works") };
    assert_eq!((assignments.len(), assignments[0].stage), (1, AssignmentStage::Running));
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    assert!(matches!(&bench.last[0], Effect::Journal(_)), "{:?}", bench.last);
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id }).give(Input::Uploaded { transfer });
    assert!(matches!(&bench.last[0], Effect::Journal(_)));
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Report { ran_ms: 3000, .. })));
    assert!(!bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })), "the report is not acknowledged");
    let id = assignment(7, 0, 0).id;
    bench.said(NetworkMessage::ReportReceived { assignment: id });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })));
    bench.said(NetworkMessage::Verdict {
        assignment: id,
        verdict: Verdict::Accepted { amount: BaseUnits(1), checked: true },
    });
    assert!(bench.machine.tasks.is_empty());
}

#[test]
fn a_pause_frees_the_gpu_in_time_and_the_run_begins_again_after_it() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause { duration: PauseFor::Minutes(1), device: None });
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id }, "freeing waits for nothing");
    let until = UnixMillis(bench.now + 60_000);
    let StateView::Yielding { causes, .. } = bench.state() else { panic!("it yields") };
    assert_eq!(causes, [Cause::Paused { device: None, until: PauseUntil::Instant(until) }]);
    assert_eq!(bench.machine.next_deadline(), Some(UnixMillis(bench.now + 150)));
    bench.after(150);
    assert_eq!(bench.last[0], Effect::Kill { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id }).after(59_850);
    assert_eq!(bench.lease().device, 0, "it runs again, without the resume delay");
    assert_eq!(bench.state_name(), "working");
}

#[test]
fn a_pause_that_outlasts_the_deadline_hands_work_back() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause { duration: PauseFor::UntilRestart, device: None });
    assert!(bench.hands_back("worker_paused"));
    assert!(bench.sends(|m| matches!(m, WorkerMessage::HandBack { .. })));
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id }).order(Order::Resume { device: None });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })));
}

#[test]
fn work_that_ended_in_the_moment_of_a_pause_is_not_lost() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause { duration: PauseFor::Minutes(1), device: None });
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id }).give(Input::Uploaded { transfer });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Report { .. })));
}

#[test]
fn turning_off_hands_back_then_hangs_up() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Stop);
    assert_eq!(bench.state_name(), "draining");
    assert!(bench.hands_back("worker_stopped"));
    bench.give(Input::Freed { lease: lease.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    assert!(bench.has(|effect| matches!(effect, Effect::CloseSession { .. })));
    assert_eq!(bench.state_name(), "stopped");
    bench.order(Order::Shutdown);
    assert_eq!(bench.last.last(), Some(&Effect::Publish));
    assert!(bench.has(|effect| *effect == Effect::Exit));
}

#[test]
fn effort_is_a_rest_between_assignments() {
    let ran = Duration::from_secs(30);
    let rests =
        [Effort::Full, Effort::Balanced, Effort::Quiet].map(|effort| rest_after(effort, ran).as_secs());
    assert_eq!(rests, [0, 15, 60]);
    assert_eq!(rest_after(Effort::Quiet, Duration::from_secs(3600)), Duration::from_secs(600));
}

#[test]
fn orders_that_cannot_be_followed_are_refused_and_change_nothing() {
    let (bench, _) = Bench::running();
    let unlend = |index| {
        let devices_not_lent = Some(vec![index]);
        Order::Configure(SettingsChange { devices_not_lent, ..SettingsChange::default() })
    };
    let cases = [
        (Order::Benchmark { device: 9, sustained: Duration::ZERO }, Some("no_such_device")),
        (Order::Benchmark { device: 0, sustained: Duration::ZERO }, None),
        (Order::Pause { duration: PauseFor::Minutes(0), device: None }, Some("pause_length")),
        (Order::Pause { duration: PauseFor::Minutes(60), device: None }, None),
        (unlend(9), Some("no_such_device")),
        (unlend(0), None),
    ];
    for (order, code) in cases {
        let refused = bench.machine.check(&order, UnixMillis(bench.now)).err().map(|fault| fault.code);
        assert_eq!(refused.as_deref(), code, "{order:?}");
    }
}

#[test]
fn a_benchmark_by_hand_has_the_machine_to_itself() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Benchmark { device: 0, sustained: Duration::ZERO });
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id });
    assert_eq!(bench.state_name(), "benchmarking");
    let benchmark = bench.lease().id;
    assert_ne!(benchmark, LeaseId(0));
    bench.order(Order::CancelBenchmark);
    assert_eq!(bench.last[0], Effect::Kill { lease: benchmark }, "nothing of it is kept");
    bench.give(Input::BenchmarkEnded { lease: benchmark, outcome: Err(fault("cancelled")) });
    bench.give(Input::Freed { lease: benchmark });
    assert_eq!(bench.state_name(), "working", "the task goes on");
}

#[test]
fn a_device_that_is_no_longer_lent_gives_its_work_back() {
    let (mut bench, lease) = Bench::running();
    let devices_not_lent = Some(vec![0]);
    bench.order(Order::Configure(SettingsChange { devices_not_lent, ..SettingsChange::default() }));
    assert!(bench.hands_back("device_not_lent"));
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
}

fn game(program: &str) -> Input {
    Input::Observed(Observation::FullScreen(Some(FullScreen { program: Some(program.to_owned()) })))
}

#[test]
fn a_game_frees_the_gpu_and_work_goes_on_a_minute_after_it() {
    let (mut bench, lease) = Bench::running();
    let since = UnixMillis(bench.now);
    bench.give(game("doom"));
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id }, "freeing waits for nothing");
    let StateView::Yielding { causes, .. } = bench.state() else { panic!("it yields") };
    let trip = Trip::FullScreen { program: Some("doom".to_owned()) };
    assert_eq!(causes, [Cause::Guard(ActiveTrip { trip, since, until: None })]);
    // Nobody knows how long a game takes, so that another worker does the task.
    assert!(bench.hands_back("worker_paused"));
    bench.after(150);
    assert_eq!(bench.last[0], Effect::Kill { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    let over = Observation::FullScreen(None);
    bench.give(Input::Observed(over.clone())).after(59_999);
    assert_eq!(bench.state_name(), "yielding");
    // Back in the game, which is over for good a moment later.
    bench.give(game("doom")).give(Input::Observed(over)).after(59_999);
    assert_eq!(bench.state_name(), "yielding");
    bench.after(1);
    assert_eq!(bench.state_name(), "ready");
    assert!(bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })));
}

#[test]
fn a_guard_that_is_not_wanted_holds_nothing() {
    let (mut bench, lease) = Bench::running();
    let choose = |full_screen| {
        let guards = Some(GuardRules { full_screen, ..GuardRules::default() });
        Order::Configure(SettingsChange { guards, ..SettingsChange::default() })
    };
    bench.order(choose(false)).give(game("doom"));
    assert_eq!(bench.state_name(), "working");
    // Wanted again while the game goes on, it counts at once.
    bench.order(choose(true));
    assert!(bench.has(|effect| *effect == Effect::Cancel { lease: lease.id }));
    bench.give(Input::Freed { lease: lease.id });
    assert_eq!(bench.state_name(), "yielding");
    bench.order(choose(false));
    assert_eq!(bench.state_name(), "ready");
}

#[test]
fn what_a_journal_says_of_guards_counts_from_the_start() {
    let guards = GuardRules { full_screen: false, ..GuardRules::default() };
    let settings = Settings { guards, ..Settings::default() };
    let mut bench = Bench::up_from(Restored { settings, ..Bench::joined(1) }, 1);
    bench.give(game("doom"));
    assert_eq!(bench.state_name(), "ready");
    let view = bench.machine.view(UnixMillis(bench.now), 0);
    assert_eq!(view.guards[0], GuardView { guard: Guard::FullScreen, stand: GuardState::Off });
}

#[test]
fn a_probe_that_tells_no_more_is_told_once_and_holds_nothing() {
    let mut bench = Bench::up(1);
    bench.give(game("doom"));
    let lost = || Input::SightLost { guard: Guard::FullScreen, fault: fault("guard_unreadable") };
    bench.give(lost());
    assert!(bench.has(|e| matches!(e, Effect::Notify(notice) if notice.code == "guard_unreadable")));
    assert_eq!(bench.state_name(), "yielding");
    bench.after(60_000);
    assert_eq!(bench.state_name(), "ready");
    bench.give(lost());
    assert!(!bench.has(|effect| matches!(effect, Effect::Notify(_))));
}

#[test]
fn a_device_that_cannot_be_watched_is_told_once_and_changes_nothing() {
    let mut bench = Bench::up(1);
    bench.give(game("doom"));
    let unseen = || Input::DeviceUnseen(fault("guard_unreadable_of_device"));
    bench.give(unseen());
    assert!(
        bench.has(|e| matches!(e, Effect::Notify(notice) if notice.code == "guard_unreadable_of_device"))
    );
    bench.after(60_000);
    assert_eq!(bench.state_name(), "yielding", "what is seen holds");
    bench.give(unseen());
    assert!(!bench.has(|effect| matches!(effect, Effect::Notify(_))));
}

#[test]
fn a_game_frees_the_gpu_though_nothing_can_be_written_down() {
    let (mut bench, lease) = Bench::running();
    bench.give(Input::JournalFailed(fault("disk_full")));
    bench.give(game("doom"));
    bench.after(150);
    bench.give(Input::Freed { lease: lease.id });
    assert!(!bench.machine.policy.stand(None, UnixMillis(bench.now)).is_clear());
}

/// A program that works one device, or none that does.
fn other_use(device: u32, used: bool) -> Input {
    let by = used.then(|| GpuUse { program: Some("blender".to_owned()), need: GpuNeed::Time });
    Input::Observed(Observation::GpuUse { device, by })
}

fn asks_for(bench: &Bench, device: u32) -> bool {
    bench.sends(|m| *m == WorkerMessage::WantWork { device })
}

#[test]
fn a_device_that_another_program_works_is_freed_and_the_other_goes_on() {
    let (mut bench, first, second) = Bench::running_two();
    bench.give(other_use(1, true));
    assert!(bench.has(|effect| *effect == Effect::Cancel { lease: second.id }));
    assert!(!bench.has(|effect| *effect == Effect::Cancel { lease: first.id }));
    assert!(bench.hands_back("worker_paused"));
    assert_eq!(bench.state_name(), "working");
    let view = bench.machine.view(UnixMillis(bench.now), 0);
    assert!(view.devices[0].held.is_empty());
    assert!(matches!(&view.devices[1].held[..], [Cause::Guard(held)] if held.trip.device() == Some(1)));
    bench.give(Input::Freed { lease: second.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(8, 1, 0).id });
    assert!(!asks_for(&bench, 1), "nothing is asked for it");
    // The other one is needed too: now the worker yields, and says why for both.
    bench.give(other_use(0, true));
    let StateView::Yielding { causes, .. } = bench.state() else { panic!("it yields") };
    assert_eq!(causes.len(), 2);
    bench.give(Input::Freed { lease: first.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    bench.give(other_use(1, false)).after(60_000);
    assert!(asks_for(&bench, 1) && !asks_for(&bench, 0));
    assert_eq!(bench.state_name(), "ready");
}

#[test]
fn one_device_is_paused_and_the_other_goes_on() {
    let (mut bench, first, second) = Bench::running_two();
    let until_resumed = |device| Order::Pause { duration: PauseFor::UntilResumed, device };
    bench.order(until_resumed(Some(1)));
    assert!(bench.has(|effect| *effect == Effect::Cancel { lease: second.id }));
    assert!(!bench.has(|effect| *effect == Effect::Cancel { lease: first.id }));
    let kept = Record::Pauses(vec![Pause { device: Some(1), until: PauseUntil::Resumed }]);
    let records = |effect: &Effect| matches!(effect, Effect::Journal(records) if records.contains(&kept));
    assert!(bench.has(records));
    bench.give(Input::Freed { lease: second.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(8, 1, 0).id });
    bench.order(Order::Resume { device: Some(1) });
    assert!(asks_for(&bench, 1));
    let unknown = bench.machine.check(&until_resumed(Some(9)), UnixMillis(bench.now));
    assert_eq!(unknown.unwrap_err().code, "no_such_device");
}

#[test]
fn a_pause_until_it_is_resumed_outlasts_a_restart() {
    let pauses = vec![Pause { device: None, until: PauseUntil::Resumed }];
    let mut bench = Bench::up_from(Restored { pauses, ..Bench::joined(1) }, 1);
    assert_eq!(bench.state_name(), "yielding");
    bench.order(Order::Resume { device: None });
    assert_eq!(bench.state_name(), "ready");
}

#[test]
fn a_measurement_of_a_device_that_is_needed_keeps_no_other_from_work() {
    let mut bench = Bench::up(2);
    bench.order(Order::Benchmark { device: 1, sustained: Duration::ZERO });
    let lease = bench.lease();
    assert_eq!(lease.device, 1);
    bench.give(other_use(1, true));
    bench.give(Input::BenchmarkEnded { lease: lease.id, outcome: Err(fault("cancelled")) });
    bench.give(Input::Freed { lease: lease.id });
    let refused = Order::Benchmark { device: 1, sustained: Duration::ZERO };
    assert_eq!(bench.machine.check(&refused, UnixMillis(bench.now)).unwrap_err().code, "gpu_kept_free");
    assert_eq!(bench.run(7, 0).device, 0);
}

#[test]
fn a_trip_is_kept_with_what_it_cost() {
    let (mut bench, lease) = Bench::running();
    bench.give(Input::RunProgress { lease: lease.id, fraction: 0.5 });
    let began = UnixMillis(bench.now);
    bench.give(game("doom"));
    let trip = Trip::FullScreen { program: Some("doom".to_owned()) };
    let wrote = |bench: &Bench, wanted: Record| {
        bench.has(|effect| matches!(effect, Effect::Journal(records) if records.contains(&wanted)))
    };
    assert!(wrote(&bench, Record::TripBegan { trip: trip.clone(), since: began }));
    bench.give(Input::Freed { lease: lease.id }).after(5000);
    bench.give(Input::Observed(Observation::FullScreen(None)));
    let cost = TripCost { interrupted: 1, lost: BaseUnits(assignment(7, 0, 0).price.0 / 2) };
    let until = UnixMillis(bench.now);
    assert!(wrote(&bench, Record::TripEnded { trip: trip.clone(), since: began, until, cost }));
    // What holds while no work is wanted costs nothing.
    bench.order(Order::Stop);
    bench.give(game("doom"));
    let begins = |effect: &Effect| {
        let is_trip = |record: &Record| matches!(record, Record::TripBegan { .. });
        matches!(effect, Effect::Journal(records) if records.iter().any(is_trip))
    };
    assert!(!bench.has(begins));
    // Wanted again, it does from then on.
    bench.order(Order::Start);
    let since = UnixMillis(bench.now);
    assert!(wrote(&bench, Record::TripBegan { trip, since }));
}

#[test]
fn a_hot_device_rests_until_it_is_cool() {
    let (mut bench, lease) = Bench::running();
    let heat = |core| {
        let at = Temperatures { core: Some(core), ..Temperatures::default() };
        Input::Observed(Observation::Heat { device: 0, at })
    };
    bench.give(heat(82));
    assert_eq!(bench.state_name(), "working");
    bench.give(heat(83));
    let StateView::Yielding { causes, .. } = bench.state() else { panic!("it yields") };
    let trip = Trip::Heat { device: 0, sensor: HeatSensor::Core, celsius: 83 };
    assert!(matches!(&causes[..], [Cause::Guard(held)] if held.trip == trip));
    bench.give(Input::Freed { lease: lease.id }).give(heat(76)).after(100_000);
    assert_eq!(bench.state_name(), "yielding");
    bench.give(heat(75)).after(60_000);
    assert_eq!(bench.state_name(), "ready");
}

#[test]
fn hours_that_are_not_lent_are_kept_without_a_hand() {
    // The bench's clock begins at one second after the epoch, a Thursday at midnight.
    let hours = Some(WeekHours([1 << 1; 7]));
    let settings = Settings { guards: GuardRules { hours, ..GuardRules::default() }, ..Settings::default() };
    let mut bench = Bench::up_from(Restored { settings, ..Bench::joined(1) }, 1);
    assert_eq!(bench.state_name(), "yielding");
    let opens = bench.machine.next_deadline().unwrap();
    assert_eq!(opens.0 % 3_600_000, 0, "it wakes at the hour");
    let wait = opens.0 - bench.now;
    bench.after(wait);
    assert_eq!(bench.state_name(), "ready");
    let no_hour = GuardRules { hours: Some(WeekHours([0; 7])), ..GuardRules::default() };
    let change = SettingsChange { guards: Some(no_hour), ..SettingsChange::default() };
    let refused = bench.machine.check(&Order::Configure(change), UnixMillis(bench.now));
    assert_eq!(refused.unwrap_err().code, "no_hour_lent");
}

#[test]
fn a_tariff_by_which_no_price_can_be_told_is_refused() {
    let mut bench = Bench::up_from(Bench::joined(1), 1);
    let configure =
        |tariff| Order::Configure(SettingsChange { tariff: Some(tariff), ..SettingsChange::default() });
    let listed = |source| Tariff::Listed {
        source,
        factor_millionths: FACTOR_ONE,
        added_micro_per_kwh: 0,
        fallback_micro_per_kwh: 210_000,
    };
    let band = TariffBand { days: 1, from_minute: 60, to_minute: 120, micro_per_kwh: 90_000 };
    let by_time = |bands| Tariff::TimeOfUse { base_micro_per_kwh: 210_000, bands };
    let url = |url: &str| listed(PriceSource::Url { url: url.to_owned() });
    for (tariff, code) in [
        (Tariff::flat(100_000_001), "tariff_too_high"),
        (Tariff::flat(-10_000_001), "tariff_too_low"),
        (by_time(vec![band, band]), "tariff_bands_overlap"),
        (url("http://prices.example/"), "prices_not_secure"),
        (listed(PriceSource::File { path: "prices.csv".to_owned() }), "prices_path_not_whole"),
    ] {
        let refused = bench.machine.check(&configure(tariff), UnixMillis(bench.now));
        assert_eq!(refused.unwrap_err().code, code);
    }
    for tariff in [by_time(vec![band]), url("https://prices.example/"), Tariff::flat(-1)] {
        bench.order(configure(tariff.clone()));
        assert_eq!(*bench.machine.tariff(), tariff);
        let written = |record: &Record| matches!(record, Record::Settings(of) if of.tariff == tariff);
        assert!(
            bench.has(|effect| matches!(effect, Effect::Journal(records) if records.iter().any(written)))
        );
    }
}

#[test]
fn a_device_near_its_limit_is_slowed_before_it_is_stopped() {
    let (mut bench, lease) = Bench::running();
    let heat = |core| {
        let at = Temperatures { core: Some(core), ..Temperatures::default() };
        Input::Observed(Observation::Heat { device: 0, at })
    };
    let paced = |bench: &Bench, percent| bench.has(|e| *e == Effect::Pace { lease: lease.id, percent });
    bench.give(heat(79));
    assert!(!bench.has(|effect| matches!(effect, Effect::Pace { .. })));
    bench.give(heat(80));
    assert!(paced(&bench, 85));
    assert_eq!(bench.state_name(), "working");
    assert_eq!(bench.machine.view(UnixMillis(bench.now), 0).devices[0].pace_percent, 85);
    bench.give(heat(80));
    assert!(paced(&bench, 70));
    // What is run next on it is as slow.
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id }).give(Input::Uploaded { transfer });
    bench.said(NetworkMessage::ReportReceived { assignment: assignment(7, 0, 0).id });
    bench.said(NetworkMessage::Assign(Box::new(assignment(9, 0, bench.now + 600_000))));
    let transfer = bench.transfer();
    bench.give(Input::Fetched { transfer, output_bytes: 1000 });
    let next = bench.lease().id;
    let slowed = Effect::Pace { lease: next, percent: 70 };
    let begun = bench.last.iter().position(|effect| matches!(effect, Effect::Run { .. }));
    assert!(begun < bench.last.iter().position(|effect| *effect == slowed), "{:?}", bench.last);
    bench.give(heat(60));
    assert!(bench.has(|effect| *effect == Effect::Pace { lease: next, percent: 75 }));
}

#[test]
fn work_that_would_lose_money_is_not_asked_for_and_given_back_with_the_reason() {
    let guards = GuardRules { margin_floor: Some(BaseUnits(0)), ..GuardRules::default() };
    let settings = Settings { guards, ..Settings::default() };
    let mut bench = Bench::up_from(Restored { settings, ..Bench::joined(1) }, 1);
    let margin = |gross| {
        let at = Some(Margin { gross, power: 1000, power_measured: true, later: Vec::new() });
        Input::Observed(Observation::Margin { device: 0, at })
    };
    bench.give(margin(999));
    assert_eq!(bench.state_name(), "yielding");
    bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, bench.now + 600_000))));
    let reasons = |effect: &Effect| match effect {
        Effect::Send { message, .. } => match &**message {
            WorkerMessage::HandBack { reason, .. } => Some(reason.sentence.clone()),
            _ => None,
        },
        _ => None,
    };
    let told: Vec<_> = bench.last.iter().filter_map(reasons).collect();
    assert!(told.len() == 1 && told[0].contains("power"), "{told:?}");
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    bench.give(margin(2000)).after(60_000);
    assert!(asks_for(&bench, 0));
}
