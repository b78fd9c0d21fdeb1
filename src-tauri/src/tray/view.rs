//! What the tray shows, decided from what is known of the worker. Pure.

use lull_types::{ActiveTrip, BaseUnits, Cause, Fault, PauseUntil, Trip, UnixMillis};
use lull_worker_api::{AssignmentView, Command, Intent, Snapshot, StateView};

use crate::language::Language;

/// The tray's icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrayIconState {
    /// Work is being done.
    Earning,
    /// Nothing stands against work.
    Ready,
    /// The contributor or a guard holds the GPU free.
    Paused,
    /// Something needs attention.
    Problem,
}

/// What is known of the worker.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// It has not answered yet.
    Starting,
    /// It is gone.
    Lost(&'a Fault),
    /// This.
    Snapshot(&'a Snapshot),
}

/// Everything that the tray shows.
#[derive(Clone, Debug, PartialEq)]
pub struct TrayView {
    /// Its icon.
    pub icon: TrayIconState,
    /// What is shown when the pointer rests on it.
    pub tooltip: String,
    /// The menu's first line.
    pub today: String,
    /// The menu's second line.
    pub state: String,
    /// Whether there is something to pause.
    pub can_pause: bool,
    /// What "resume" sends, when there is something to resume.
    pub resume: Option<Command>,
}

/// Failed attempts to connect after which it is worth a person's attention: with the worker's back-off that is
/// some seconds, so that a router's hiccup turns no icon red.
const ATTEMPTS_WORTH_A_WORD: u32 = 3;

impl TrayView {
    /// The tray of what is `known`. `clock` writes an instant as the contributor's time of day.
    pub fn of(known: Known<'_>, language: Language, clock: impl Fn(UnixMillis) -> String) -> Self {
        let snapshot = match known {
            Known::Starting => {
                let state = language.pick("Starting…", "正在启动…").to_owned();
                return Self::without_worker(TrayIconState::Ready, state, language);
            }
            Known::Lost(fault) => {
                let state =
                    format!("{}{}", language.pick("Problem: ", "出现问题："), shortened(&fault.sentence));
                return Self::without_worker(TrayIconState::Problem, state, language);
            }
            Known::Snapshot(snapshot) => snapshot,
        };
        let (icon, state) = icon_and_line(&snapshot.state, language, clock);
        let today = today(snapshot, language);
        Self {
            icon,
            tooltip: format!("Lull: {state}\n{today}"),
            today,
            state,
            can_pause: snapshot.intent == Intent::On,
            resume: resume(snapshot),
        }
    }

    fn without_worker(icon: TrayIconState, state: String, language: Language) -> Self {
        Self {
            icon,
            tooltip: format!("Lull: {state}"),
            today: language.pick("Today: –", "今日：–").to_owned(),
            state,
            can_pause: false,
            resume: None,
        }
    }
}

fn resume(snapshot: &Snapshot) -> Option<Command> {
    match (&snapshot.state, snapshot.intent) {
        (_, Intent::Off) => Some(Command::Start),
        (StateView::Yielding { causes, .. }, Intent::On) => {
            causes.iter().any(Cause::ends_by_hand).then_some(Command::Resume { device: None })
        }
        (
            StateView::Stopped
            | StateView::Starting
            | StateView::Benchmarking(_)
            | StateView::Connecting { .. }
            | StateView::Ready { .. }
            | StateView::Working { .. }
            | StateView::Draining { .. }
            | StateView::Faulted { .. },
            Intent::On,
        ) => None,
    }
}

fn today(snapshot: &Snapshot, language: Language) -> String {
    let amount = money(snapshot.earnings.today);
    let practice = snapshot.network.as_ref().is_some_and(|network| network.practice);
    match (language, practice) {
        (Language::English, true) => format!("Today: {amount} practice USDC"),
        (Language::English, false) => format!("Today: {amount} USDC"),
        (Language::Chinese, true) => format!("今日：{amount} 练习 USDC"),
        (Language::Chinese, false) => format!("今日：{amount} USDC"),
    }
}

/// At least two decimals, and no zeros after those.
fn money(amount: BaseUnits) -> String {
    let all = amount.to_string();
    let decimals = all.len() - all.rfind('.').map_or(0, |mark| mark + 1);
    let zeros = all.len() - all.trim_end_matches('0').len();
    all[..all.len() - zeros.min(decimals.saturating_sub(2))].to_owned()
}

fn icon_and_line(
    state: &StateView,
    language: Language,
    clock: impl Fn(UnixMillis) -> String,
) -> (TrayIconState, String) {
    let pick = |english: &str, chinese: &str| language.pick(english, chinese).to_owned();
    match state {
        StateView::Stopped => (TrayIconState::Paused, pick("Stopped", "已停止")),
        StateView::Starting => (TrayIconState::Ready, pick("Starting…", "正在启动…")),
        StateView::Benchmarking(benchmark) => {
            let done = percent(benchmark.fraction);
            let line = match language {
                Language::English => format!("Measuring the GPU, {done} %"),
                Language::Chinese => format!("正在测量 GPU，{done}%"),
            };
            (TrayIconState::Ready, line)
        }
        StateView::Connecting { attempt, fault: Some(fault), .. } if *attempt >= ATTEMPTS_WORTH_A_WORD => {
            let line = format!(
                "{}{}",
                language.pick("Cannot reach the network: ", "无法连接网络："),
                shortened(&fault.sentence)
            );
            (TrayIconState::Problem, line)
        }
        StateView::Connecting { .. } => {
            (TrayIconState::Ready, pick("Connecting to the network…", "正在连接网络…"))
        }
        StateView::Ready { .. } => (TrayIconState::Ready, pick("Ready, waiting for work", "就绪，等待任务")),
        StateView::Working { assignments } => (TrayIconState::Earning, working(assignments, language)),
        StateView::Yielding { causes, .. } => (TrayIconState::Paused, yielding(causes, language, clock)),
        StateView::Draining { .. } => (TrayIconState::Paused, pick("Handing work back…", "正在交还任务…")),
        StateView::Faulted { fault, .. } => {
            let line = format!("{}{}", language.pick("Problem: ", "出现问题："), shortened(&fault.sentence));
            (TrayIconState::Problem, line)
        }
    }
}

fn working(assignments: &[AssignmentView], language: Language) -> String {
    match (assignments, language) {
        ([one], Language::English) => {
            format!("Earning: {}, {} %", shortened(&one.job_title), percent(one.fraction))
        }
        ([one], Language::Chinese) => {
            format!("赚取中：{}，{}%", shortened(&one.job_title), percent(one.fraction))
        }
        (several, Language::English) => format!("Earning: {} tasks", several.len()),
        (several, Language::Chinese) => format!("赚取中：{} 个任务", several.len()),
    }
}

fn yielding(causes: &[Cause], language: Language, clock: impl Fn(UnixMillis) -> String) -> String {
    // The causes come most weighty first; a menu's line has room for one.
    let pick = |english: &str, chinese: &str| language.pick(english, chinese).to_owned();
    match causes.first() {
        Some(Cause::Paused { until: PauseUntil::Instant(until), .. }) => {
            format!("{}{}", language.pick("Paused until ", "已暂停至 "), clock(*until))
        }
        Some(Cause::Paused { until: PauseUntil::Restart, .. }) => {
            pick("Paused until restart", "已暂停，直到重新启动")
        }
        Some(Cause::Paused { until: PauseUntil::Resumed, .. }) => {
            pick("Paused until you resume", "已暂停，直到您恢复")
        }
        Some(Cause::Guard(active)) => tripped(active, language, clock),
        Some(Cause::ResumeDelay { until }) => {
            format!("{}{}", language.pick("Resumes at ", "恢复时间 "), clock(*until))
        }
        None => pick("Paused", "已暂停"),
    }
}

fn tripped(active: &ActiveTrip, language: Language, clock: impl Fn(UnixMillis) -> String) -> String {
    let pick = |english: &str, chinese: &str| language.pick(english, chinese).to_owned();
    match &active.trip {
        Trip::FullScreen { program: Some(program) }
        | Trip::GpuUse { program: Some(program), .. }
        | Trip::Program { program } => {
            format!("{}{}", language.pick("Out of the way of ", "让位给 "), shortened(program))
        }
        Trip::FullScreen { program: None } => {
            pick("Out of the way of a full-screen program", "让位给全屏程序")
        }
        Trip::GpuUse { program: None, .. } => pick("Out of the way of another program", "让位给其他程序"),
        Trip::Presence => pick("Waits until you are away", "等待您离开"),
        Trip::Hours => match active.until {
            Some(until) => format!("{}{}", language.pick("Works from ", "开始时间 "), clock(until)),
            None => pick("Outside your hours", "不在您设定的时段"),
        },
        Trip::Battery { .. } => pick("Waits for mains power", "等待接通电源"),
        Trip::Heat { .. } => pick("Lets the GPU cool down", "等待 GPU 降温"),
        Trip::Quiet { .. } => pick("Waits until the GPU is quiet", "等待 GPU 安静下来"),
        Trip::Margin { .. } => pick("Waits for work that pays its power", "等待收益高于电费的任务"),
        Trip::Metered => pick("Waits for an unmetered connection", "等待不计流量的网络"),
        Trip::DataCap { .. } => pick("Waits for next month’s data", "等待下个月的流量"),
        Trip::Disk { .. } => pick("Waits for free disk space", "等待磁盘空间"),
    }
}

fn percent(fraction: f32) -> u32 {
    // Rounded down, so that 100 means done. A float to integer cast saturates, and makes 0 of NaN.
    (fraction.clamp(0.0, 1.0) * 100.0) as u32
}

/// Longest text of one line in characters: Windows cuts a tooltip at 127, and a menu as wide as the screen is
/// none.
const LINE_CHARS_MAX: usize = 60;

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= LINE_CHARS_MAX {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(LINE_CHARS_MAX - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
