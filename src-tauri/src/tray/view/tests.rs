use lull_types::{AssignmentId, DataDirection, GpuNeed, HeatSensor, JobId, Loudness};
use lull_worker_api::{AssignmentStage, NetworkView};

use super::*;
use crate::sample::snapshot;

fn assignment(title: &str, fraction: f32) -> AssignmentView {
    AssignmentView {
        id: serde_json::from_str::<AssignmentId>(r#""01890a5d-ac96-774b-bcce-b302099a8057""#).unwrap(),
        job: serde_json::from_str::<JobId>(r#""01890a5d-ac96-774b-bcce-b302099a8058""#).unwrap(),
        job_title: title.to_owned(),
        customer_name: "Ada".to_owned(),
        kind: "wgsl/1".to_owned(),
        device: 0,
        stage: AssignmentStage::Running,
        fraction,
        price: BaseUnits(1),
        task_index: 0,
        task_count: 1,
        picture: None,
        shift: None,
    }
}

fn view(known: Known<'_>, language: Language) -> TrayView {
    TrayView::of(known, language, |instant| format!("<{}>", instant.0))
}

#[track_caller]
fn check(state: StateView, icon: TrayIconState, english: &str, chinese: &str) {
    let snapshot = Snapshot { state, ..snapshot() };
    let in_english = view(Known::Snapshot(&snapshot), Language::English);
    let in_chinese = view(Known::Snapshot(&snapshot), Language::Chinese);
    assert_eq!((in_english.icon, in_english.state.as_str()), (icon, english));
    assert_eq!((in_chinese.icon, in_chinese.state.as_str()), (icon, chinese));
    assert_eq!(in_english.tooltip, format!("Lull: {english}\nToday: 0.00 USDC"));
}

fn paused(until: PauseUntil) -> Cause {
    Cause::Paused { device: None, until }
}

fn held(trip: Trip, until: Option<UnixMillis>) -> Cause {
    Cause::Guard(ActiveTrip { trip, since: UnixMillis(0), until })
}

#[test]
fn every_state_has_its_icon_and_line() {
    use TrayIconState::{Earning, Paused, Problem, Ready};
    let fault = || Fault::new("f", "No route.");
    let connecting = |attempt, fault| StateView::Connecting { attempt, retry_at: None, fault };
    let yielding = |causes| StateView::Yielding { causes, since: UnixMillis(0) };
    let benchmark =
        lull_worker_api::BenchmarkView { device: 0, measure: None, fraction: 0.509, value_so_far: None };

    check(StateView::Stopped, Paused, "Stopped", "已停止");
    check(StateView::Starting, Ready, "Starting…", "正在启动…");
    check(StateView::Benchmarking(benchmark), Ready, "Measuring the GPU, 50 %", "正在测量 GPU，50%");
    check(connecting(0, None), Ready, "Connecting to the network…", "正在连接网络…");
    check(connecting(2, Some(fault())), Ready, "Connecting to the network…", "正在连接网络…");
    check(
        connecting(3, Some(fault())),
        Problem,
        "Cannot reach the network: No route.",
        "无法连接网络：No route.",
    );
    check(StateView::Ready { reason: None }, Ready, "Ready, waiting for work", "就绪，等待任务");
    check(StateView::Ready { reason: Some(fault()) }, Ready, "Ready, waiting for work", "就绪，等待任务");
    let one = vec![assignment("Harbour at night", 0.42)];
    check(
        StateView::Working { assignments: one },
        Earning,
        "Earning: Harbour at night, 42 %",
        "赚取中：Harbour at night，42%",
    );
    let two = vec![assignment("a", 0.0), assignment("b", 1.0)];
    check(StateView::Working { assignments: two }, Earning, "Earning: 2 tasks", "赚取中：2 个任务");
    check(
        yielding(vec![paused(PauseUntil::Instant(UnixMillis(9)))]),
        Paused,
        "Paused until <9>",
        "已暂停至 <9>",
    );
    check(
        yielding(vec![paused(PauseUntil::Restart)]),
        Paused,
        "Paused until restart",
        "已暂停，直到重新启动",
    );
    check(
        yielding(vec![paused(PauseUntil::Resumed)]),
        Paused,
        "Paused until you resume",
        "已暂停，直到您恢复",
    );
    let program = |name: Option<&str>| name.map(str::to_owned);
    let game = |name| held(Trip::FullScreen { program: program(name) }, None);
    let others = |name| held(Trip::GpuUse { device: 0, program: program(name), need: GpuNeed::Time }, None);
    check(yielding(vec![game(Some("doom"))]), Paused, "Out of the way of doom", "让位给 doom");
    check(yielding(vec![game(None)]), Paused, "Out of the way of a full-screen program", "让位给全屏程序");
    check(yielding(vec![others(Some("blender"))]), Paused, "Out of the way of blender", "让位给 blender");
    check(yielding(vec![others(None)]), Paused, "Out of the way of another program", "让位给其他程序");
    let hours = |until: Option<u64>| held(Trip::Hours, until.map(UnixMillis));
    let heat = Trip::Heat { device: 0, sensor: HeatSensor::Core, celsius: 90 };
    let loss = Trip::Margin { device: 0, per_hour: -1, power_measured: true };
    let capped = Trip::DataCap { direction: DataDirection::Both, used_bytes: 1, cap_bytes: 1 };
    let loud = Trip::Quiet { device: 0, much: Loudness::Fan, value: 70 };
    for (cause, english, chinese) in [
        (held(Trip::Battery { percent: Some(50) }, None), "Waits for mains power", "等待接通电源"),
        (held(Trip::Presence, None), "Waits until you are away", "等待您离开"),
        (held(Trip::Program { program: "obs".to_owned() }, None), "Out of the way of obs", "让位给 obs"),
        (hours(Some(5)), "Works from <5>", "开始时间 <5>"),
        (hours(None), "Outside your hours", "不在您设定的时段"),
        (held(heat, None), "Lets the GPU cool down", "等待 GPU 降温"),
        (held(loud, None), "Waits until the GPU is quiet", "等待 GPU 安静下来"),
        (held(loss, None), "Waits for work that pays its power", "等待收益高于电费的任务"),
        (held(Trip::Metered, None), "Waits for an unmetered connection", "等待不计流量的网络"),
        (held(capped, None), "Waits for next month’s data", "等待下个月的流量"),
        (held(Trip::Disk { free_bytes: 1 }, None), "Waits for free disk space", "等待磁盘空间"),
    ] {
        check(yielding(vec![cause]), Paused, english, chinese);
    }
    check(
        yielding(vec![Cause::ResumeDelay { until: UnixMillis(7) }]),
        Paused,
        "Resumes at <7>",
        "恢复时间 <7>",
    );
    check(StateView::Draining { deadline: UnixMillis(0) }, Paused, "Handing work back…", "正在交还任务…");
    let faulted = StateView::Faulted { fault: fault(), retry_at: None };
    check(faulted, Problem, "Problem: No route.", "出现问题：No route.");
}

#[test]
fn without_a_worker_nothing_can_be_paused() {
    let fault = Fault::new("worker_ended", "The worker ended.");
    for (known, icon, line) in [
        (Known::Starting, TrayIconState::Ready, "Starting…"),
        (Known::Lost(&fault), TrayIconState::Problem, "Problem: The worker ended."),
    ] {
        let view = view(known, Language::English);
        assert_eq!((view.icon, view.state.as_str(), view.today.as_str()), (icon, line, "Today: –"));
        assert_eq!((view.can_pause, view.resume), (false, None));
    }
}

#[test]
fn pausing_and_resuming_are_offered_where_they_do_something() {
    let yielding = StateView::Yielding { causes: vec![paused(PauseUntil::Restart)], since: UnixMillis(0) };
    let game = held(Trip::FullScreen { program: None }, None);
    let playing = StateView::Yielding { causes: vec![game], since: UnixMillis(0) };
    for (intent, state, can_pause, resume) in [
        (Intent::On, StateView::Ready { reason: None }, true, None),
        // A pause can be made longer or shorter.
        (Intent::On, yielding.clone(), true, Some(Command::Resume { device: None })),
        // A game goes on, whatever is asked for.
        (Intent::On, playing, true, None),
        (Intent::Off, StateView::Stopped, false, Some(Command::Start)),
        (Intent::Off, StateView::Draining { deadline: UnixMillis(0) }, false, Some(Command::Start)),
    ] {
        let snapshot = Snapshot { intent, state, ..snapshot() };
        let view = view(Known::Snapshot(&snapshot), Language::English);
        assert_eq!((view.can_pause, view.resume), (can_pause, resume), "{snapshot:?}");
    }
}

#[test]
fn todays_earnings_are_written_in_full_and_practice_is_called_so() {
    let mut snapshot = snapshot();
    for (units, expect) in [
        (0, "Today: 0.00 USDC"),
        (1_850, "Today: 0.00185 USDC"),
        (1_500_000, "Today: 1.50 USDC"),
        (20_000_000, "Today: 20.00 USDC"),
        (1, "Today: 0.000001 USDC"),
    ] {
        snapshot.earnings.today = BaseUnits(units);
        assert_eq!(view(Known::Snapshot(&snapshot), Language::English).today, expect);
    }
    snapshot.network =
        Some(NetworkView { id: String::new(), name: None, practice: true, connected: true, enrolled: true });
    assert_eq!(view(Known::Snapshot(&snapshot), Language::English).today, "Today: 0.000001 practice USDC");
    assert_eq!(view(Known::Snapshot(&snapshot), Language::Chinese).today, "今日：0.000001 练习 USDC");
}

#[test]
fn a_customers_title_cannot_make_the_menu_wide_or_tall() {
    let title = format!("first\n{}", "x".repeat(10_000));
    let wide = "字".repeat(500);
    for (title, expect) in
        [(title, "Earning: first, 0 %".to_owned()), (wide, format!("Earning: {}…, 0 %", "字".repeat(59)))]
    {
        let state = StateView::Working { assignments: vec![assignment(&title, f32::NAN)] };
        let snapshot = Snapshot { state, ..snapshot() };
        assert_eq!(view(Known::Snapshot(&snapshot), Language::English).state, expect);
    }
}
