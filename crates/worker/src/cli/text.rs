//! What a worker does, in words.

mod data;

use lull_types::{
    BaseUnits, BenchmarkReport, Cause, Fault, GpuNeed, Guard, GuardState, HeatSensor, Loudness, Measure,
    PauseUntil, PowerLimit, Trip, Unit, UnixMillis,
};
use lull_worker_api::{AssignmentStage, GuardView, PowerPrice, ShiftView, Snapshot, StateView, TripRow};

use super::standing;

/// Date and time here.
pub(super) fn local(at: UnixMillis) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    chrono::DateTime::from_timestamp_millis(millis).map_or_else(
        || "an unknown time".to_owned(),
        |at| at.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M").to_string(),
    )
}

/// What the worker is doing, in one line.
pub(super) fn state(snapshot: &Snapshot) -> String {
    let now = snapshot.taken_at;
    match &snapshot.state {
        StateView::Stopped => "stopped; “lull-worker enrol” or the app turns work on".to_owned(),
        StateView::Starting => "looking for devices".to_owned(),
        StateView::Benchmarking(view) => {
            let what = view.measure.map_or("starting", measure_name);
            let value = match (view.measure, view.value_so_far) {
                (Some(measure), Some(value)) => format!(", {}", measured(measure, value)),
                _ => String::new(),
            };
            format!("benchmark of device {}: {what} {:.0} %{value}", view.device, view.fraction * 100.0)
        }
        StateView::Connecting { attempt, retry_at, fault } => {
            let why = fault
                .as_ref()
                .map_or(String::new(), |fault| format!(": {}", plain_sentence(&fault.sentence)));
            match retry_at {
                Some(at) => format!("connecting again in {}{why}", seconds_until(now, *at)),
                None if *attempt > 1 => format!("connecting, attempt {attempt}{why}"),
                None => format!("connecting{why}"),
            }
        }
        StateView::Ready { reason } => match reason {
            Some(reason) => format!("ready: {}", plain_sentence(&reason.sentence)),
            None => "ready, asking for work".to_owned(),
        },
        StateView::Working { assignments } => {
            let tasks: Vec<_> = assignments
                .iter()
                .map(|view| {
                    if let Some(shift) = &view.shift {
                        return serving(shift);
                    }
                    let stage = match view.stage {
                        AssignmentStage::Fetching => "fetching",
                        AssignmentStage::Preparing => "preparing",
                        AssignmentStage::Running => "running",
                        AssignmentStage::Uploading => "sending",
                    };
                    format!(
                        "{stage} “{}” {}/{} for {}, {:.0} %",
                        plain(&view.job_title),
                        view.task_index.saturating_add(1),
                        view.task_count,
                        plain(&view.customer_name),
                        view.fraction * 100.0
                    )
                })
                .collect();
            format!("working: {}", tasks.join("; "))
        }
        StateView::Yielding { causes: held, .. } => {
            format!("the GPU is kept free: {}", causes(held, now))
        }
        StateView::Draining { deadline } => {
            format!("putting work away, for {} at most", seconds_until(now, *deadline))
        }
        StateView::Faulted { fault, retry_at: Some(at) } => {
            format!("{} Trying again in {}.", fault.sentence, seconds_until(now, *at))
        }
        StateView::Faulted { fault, retry_at: None } => fault.sentence.clone(),
    }
}

/// A model that is served, in one line.
fn serving(shift: &ShiftView) -> String {
    let texts = if shift.texts_open == 1 { "text" } else { "texts" };
    format!(
        "serving {}: {} {texts}, {:.0} tokens/s, {} USDC for 1,000 tokens",
        plain(&shift.model),
        shift.texts_open,
        shift.tokens_per_second,
        shift.price_per_1000_generated_tokens
    )
}

/// Why a device is held free, in one line.
pub(super) fn causes(held: &[Cause], now: UnixMillis) -> String {
    let words: Vec<_> = held.iter().map(|held| cause(held, now)).collect();
    words.join("; ")
}

fn cause(cause: &Cause, now: UnixMillis) -> String {
    match cause {
        Cause::Paused { device, until } => {
            let which = device.map_or(String::new(), |device| format!("device {device} is "));
            let long = match until {
                PauseUntil::Instant(until) => format!("for {}", seconds_until(now, *until)),
                PauseUntil::Restart => "until the next start".to_owned(),
                PauseUntil::Resumed => "until “lull-worker resume”".to_owned(),
            };
            format!("{which}paused by hand {long}")
        }
        Cause::Guard(active) => {
            let ends = match active.until {
                Some(until)
                    if matches!(active.trip, Trip::Hours | Trip::DataCap { .. } | Trip::Margin { .. }) =>
                {
                    format!(", until {}", local(until))
                }
                Some(until) => format!(", for {} more", seconds_until(now, until)),
                None => String::new(),
            };
            format!("{}{ends}", trip(&active.trip))
        }
        Cause::ResumeDelay { until } => format!("resuming in {}", seconds_until(now, *until)),
    }
}

/// Why a guard wants a device free.
fn trip(trip: &Trip) -> String {
    let named = |program: &Option<String>| program.as_deref().map_or("a program".to_owned(), plain);
    match trip {
        Trip::FullScreen { program } => format!("{} fills a screen", named(program)),
        Trip::GpuUse { device, program, need: GpuNeed::Time } => {
            format!("{} works device {device}", named(program))
        }
        Trip::GpuUse { device, program, need: GpuNeed::Memory } => {
            format!("{} needs the memory of device {device}", named(program))
        }
        Trip::Presence => "somebody uses this machine".to_owned(),
        Trip::Program { program } => format!("{} runs", plain(program)),
        Trip::Hours => "this is not an hour that you lend".to_owned(),
        Trip::Battery { percent: Some(percent) } => format!("on battery, which is {percent} % full"),
        Trip::Battery { percent: None } => "on battery".to_owned(),
        Trip::Heat { device, sensor, celsius } => {
            let place = match sensor {
                HeatSensor::Core => "",
                HeatSensor::Hotspot => " at its hottest spot",
                HeatSensor::Memory => " in its memory",
            };
            format!("device {device} had {celsius} °C{place}")
        }
        Trip::Quiet { device, much: Loudness::Fan, value } => {
            format!("the fan of device {device} ran at {value} %")
        }
        Trip::Quiet { device, much: Loudness::Power, value } => format!("device {device} drew {value} W"),
        Trip::Margin { device, per_hour, power_measured } => {
            let power = if *power_measured { "" } else { " as is typical for such a device" };
            format!(
                "an hour of work on device {device} would leave {} USDC after power{power}",
                signed_money(*per_hour)
            )
        }
        Trip::Metered => "the connection costs by what is sent".to_owned(),
        Trip::DataCap { direction, used_bytes, cap_bytes } => {
            data::reached(*direction, *used_bytes, *cap_bytes)
        }
        Trip::Disk { free_bytes } => {
            format!("only {:.1} GiB of the disk are free", *free_bytes as f64 / f64::from(1 << 30))
        }
    }
}

fn signed_money(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{}", BaseUnits(amount.unsigned_abs()))
}

/// What power costs now and next, where that changes or is from a list; one price is known to who gave it.
fn power_price(price: &PowerPrice, now: UnixMillis) -> Vec<String> {
    if price.next.is_none() && price.list.is_none() {
        return Vec::new();
    }
    let stands_in = if price.stands_in { ", as the list has no price for this hour" } else { "" };
    let next = price.next.map_or(String::new(), |next| {
        format!("; {} from {} on", signed_money(next.micro_per_kwh), local(next.at))
    });
    let mut lines =
        vec![format!("  power     {} USD per kWh{stands_in}{next}", signed_money(price.micro_per_kwh))];
    if let Some(fault) = price.list.as_ref().and_then(|list| list.fault.as_ref()) {
        lines.push(format!("            {}", plain_sentence(&fault.sentence)));
    }
    if let Some(until) = price.list.as_ref().and_then(|list| list.until).filter(|until| *until > now) {
        lines.push(format!("            the list has prices until {}", local(until)));
    }
    lines
}

/// Each guard and where it stands, in lines.
pub(super) fn guards(snapshot: &Snapshot) -> Vec<String> {
    let line = |view: &GuardView| {
        let name = match view.guard {
            Guard::FullScreen => "full screen",
            Guard::GpuUse => "use of the GPU",
            Guard::Presence => "presence",
            Guard::Program => "programs",
            Guard::Hours => "hours",
            Guard::Battery => "battery",
            Guard::Heat => "heat",
            Guard::Quiet => "quiet",
            Guard::Margin => "margin",
            Guard::Metered => "metered",
            Guard::DataCap => "data cap",
            Guard::Disk => "disk",
        };
        let stand = match &view.stand {
            GuardState::Off => "off".to_owned(),
            GuardState::Unwatched => "wanted, but nothing on this machine tells".to_owned(),
            GuardState::Clear => "clear".to_owned(),
            GuardState::Tripped { trips } => {
                let words: Vec<_> = trips
                    .iter()
                    .map(|active| format!("{}, since {}", trip(&active.trip), local(active.since)))
                    .collect();
                format!("HOLDS: {}", words.join("; "))
            }
        };
        format!("  {name:<14}  {stand}")
    };
    let mut lines = Vec::new();
    for view in &snapshot.guards {
        lines.push(line(view));
        if view.guard == Guard::Quiet {
            lines.extend(power_limits(snapshot));
        }
    }
    lines.extend(data::lines(snapshot));
    lines
}

/// How the boards' own power limits stand, where they may be lowered, in lines.
fn power_limits(snapshot: &Snapshot) -> Vec<String> {
    let line = |device: u32, limit: &PowerLimit| {
        let stand = match limit {
            PowerLimit::Lowered { watts, former_watts } => {
                format!("held to {watts} W of {former_watts} W while it works")
            }
            PowerLimit::Own { watts } => format!("at its own {watts} W"),
            PowerLimit::NotPermitted => {
                "not permitted; it needs an administrator, so the device rests between slices of work"
                    .to_owned()
            }
            PowerLimit::Unsupported => {
                "not to be changed on this device, so it rests between slices of work".to_owned()
            }
            PowerLimit::Failed { fault } => plain_sentence(&fault.sentence),
        };
        format!("  {:<14}  power limit of device {device}: {stand}", "")
    };
    let known =
        snapshot.devices.iter().filter_map(|device| Some((device.info.index, device.power_limit.as_ref()?)));
    known.map(|(index, limit)| line(index, limit)).collect()
}

/// One trip and what it cost, in a line.
pub(super) fn trip_row(row: &TripRow) -> String {
    let long = match row.until {
        Some(until) => format!("{} min", until.since(row.since).as_secs().div_ceil(60)),
        None => "until now, or an end of the worker".to_owned(),
    };
    let interrupted = match row.interrupted {
        0 => String::new(),
        1 if row.lost == BaseUnits(0) => "; a task was broken off as it began".to_owned(),
        1 => format!("; a task was broken off, {} USDC of it done", row.lost),
        tasks => format!("; {tasks} tasks were broken off, {} USDC of them done", row.lost),
    };
    let missed = row.missed.map_or(String::new(), |missed| format!("; about {missed} USDC not earned"));
    format!("  {}  {}: {long}{interrupted}{missed}", local(row.since), trip(&row.trip))
}

/// The whole status, in lines.
pub(super) fn status(snapshot: &Snapshot) -> Vec<String> {
    let now = snapshot.taken_at;
    let mut lines = vec![format!("Lull worker {}  {}", snapshot.worker_version, snapshot.worker.short())];
    lines.push(format!("  state     {}", state(snapshot)));
    if let Some(network) = &snapshot.network {
        let name = network.name.as_deref().map_or("not heard of yet".to_owned(), plain);
        let practice = if network.practice { " (practice: its tokens have no value)" } else { "" };
        let link = match (network.connected, network.enrolled) {
            (true, true) => "connected, enrolled",
            (true, false) => "connected, not enrolled yet",
            (false, true) => "not connected, enrolled",
            (false, false) => "not connected",
        };
        lines.push(format!("  network   {name}{practice}: {link}"));
    }
    for device in &snapshot.devices {
        let lent = if device.lent { "" } else { " (not lent)" };
        let measured = device.benchmark.as_ref().map_or("not measured".to_owned(), benchmark);
        lines.push(format!("  device {}  {}{lent}: {measured}", device.info.index, device.info.name));
        if !device.held.is_empty() && !matches!(snapshot.state, StateView::Yielding { .. }) {
            lines.push(format!("            kept free: {}", causes(&device.held, now)));
        }
        if device.pace_percent < 100 {
            let pace = device.pace_percent;
            lines.push(format!("            slowed to {pace} % of the time, to stay under your limits"));
        }
        for line in device.standing.iter().flat_map(|told| standing::lines(told, now)) {
            lines.push(format!("            {line}"));
        }
    }
    for (at, part) in snapshot.sandbox.iter().enumerate() {
        let title = if at == 0 { "jobs are" } else { "" };
        lines.push(format!("  {title:<8}  {}{}", if part.holds { "" } else { "NOT: " }, plain(&part.words)));
    }
    let earnings = &snapshot.earnings;
    lines.push(format!(
        "  earned    {} today, {} in seven days, {} in all, {} receipts",
        earnings.today, earnings.seven_days, earnings.all_time, earnings.receipts
    ));
    lines.extend(data::lines(snapshot));
    if let Some(estimate) = &snapshot.estimate {
        lines.push(format!(
            "  estimate  {} a day before power, power {} ({:.0} W)",
            estimate.gross_per_day,
            signed_money(estimate.power_cost_per_day),
            estimate.power_watts
        ));
        lines.push(format!("            {}", estimate.basis));
    }
    lines.extend(power_price(&snapshot.power_price, now));
    lines
}

/// A benchmark's values, in one line.
pub(super) fn benchmark(report: &BenchmarkReport) -> String {
    let values: Vec<_> = report
        .measurements
        .iter()
        .map(|m| {
            let doubt = if m.correct { "" } else { " (result WRONG)" };
            format!("{} {}{doubt}", measure_name(m.measure), measured(m.measure, m.value))
        })
        .collect();
    values.join(", ")
}

pub(super) fn measure_name(measure: Measure) -> &'static str {
    match measure {
        Measure::Fp32Peak => "FP32 peak",
        Measure::Fp16Peak => "FP16 peak",
        Measure::Fp64Peak => "FP64 peak",
        Measure::Int32Peak => "int32 peak",
        Measure::Int8DotPeak => "int8 dot product peak",
        Measure::MemoryRead => "memory read",
        Measure::MemoryWrite => "memory write",
        Measure::MemoryCopy => "memory copy",
        Measure::MemoryLatency => "memory latency",
        Measure::Upload => "upload to device",
        Measure::Download => "download from it",
        Measure::GemmFp32 => "matrix product FP32",
        Measure::GemmFp16 => "matrix product FP16",
        Measure::GemmMatrixUnits => "matrix units FP16",
        Measure::LaunchLatency => "launch latency",
        Measure::MemoryAllocatable => "allocatable memory",
        Measure::Sustained => "sustained FP32",
    }
}

pub(super) fn measured(measure: Measure, value: f64) -> String {
    let unit = match measure.unit() {
        Unit::GigaflopsPerSecond => "GFLOP/s",
        Unit::GigaopsPerSecond => "GOP/s",
        Unit::GigabytesPerSecond => "GB/s",
        Unit::Nanoseconds => "ns",
        Unit::Microseconds => "µs",
        Unit::Gigabytes => "GB",
    };
    format!("{value:.1} {unit}")
}

/// Text from a stranger, without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect()
}

/// A sentence that may come from a stranger.
pub(super) fn plain_sentence(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SENTENCE_CHARS_MAX).collect()
}

/// The sentence of a fault, which is written to go into another one, on a line of its own.
pub(super) fn alone(fault: &Fault) -> String {
    let mut sentence = plain_sentence(&fault.sentence);
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// Our own longest sentences have about 200 characters.
const SENTENCE_CHARS_MAX: usize = 400;

/// Longer titles would push the rest of a line off the terminal.
const TITLE_CHARS_MAX: usize = 40;

pub(super) fn seconds_until(now: UnixMillis, at: UnixMillis) -> String {
    let seconds = at.since(now).as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
