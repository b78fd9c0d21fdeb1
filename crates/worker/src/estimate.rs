//! What a day of work could bring. An estimate, computed in one place and labelled with how.
//!
//! Gross, with accepted tasks: `Σ earned ÷ Σ time on the device × hours × share`, over the recent accepted
//! tasks. Without, for each lent device: `score × what the network has lately paid for an hour of that score`, of the
//! kind of work that brings most, `× hours × share`; and where the network has not told, a reference price for the
//! score for rendering.
//! Power: `watts ÷ 1000 × hours × share × price`. `share` is the part of the time that the effort allows; the price is the
//! mean over the coming 24 hours where it changes.

use lull_guards::tariff::Course;
use lull_guards::{LaterPower, Margin};
use lull_network_api::RecentPrice;
use lull_types::{BaseUnits, BenchmarkReport, DeviceKind, UnixMillis, WorkClass};
use lull_worker_api::{Effort, Estimate, Snapshot, TripRow};

use crate::power_price::DayPrice;

/// Hours a day: an evening and a night, or a working day away from home.
const HOURS_PER_DAY: f64 = 8.0;

/// Base units for an hour of a score for rendering of 1, which is a measured FP32 TFLOP/s, where a network's prices are not known yet. 0.003 USD:
/// a card that measures 20 TFLOP/s then brings 0.06 USD an hour, near the low end of what marketplaces pay
/// contributors for such cards.
const REFERENCE_BASE_UNITS_PER_RENDER_HOUR: f64 = 3_000.0;

/// Fewer accepted tasks than this say little about a day.
const TASKS_SEEN_MIN: u32 = 3;

/// Recent accepted tasks, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many.
    pub tasks: u32,
    /// What they earned.
    pub earned: BaseUnits,
    /// Time on the device.
    pub ran_ms: u64,
}

/// One lent device.
#[derive(Clone, Debug)]
pub struct Lent<'a> {
    /// What sort it is.
    pub kind: DeviceKind,
    /// Its benchmark.
    pub benchmark: &'a BenchmarkReport,
    /// Power under load, where it was measured.
    pub watts_measured: Option<f64>,
    /// Whether that is of the processor's whole package.
    pub watts_of_package: bool,
}

/// An estimate for the devices that are lent; `None` before any was measured.
pub fn estimate(
    lent: &[Lent<'_>],
    seen: Seen,
    prices: &[RecentPrice],
    effort: Effort,
    power: DayPrice,
) -> Option<Estimate> {
    if lent.is_empty() {
        return None;
    }
    let share = share(effort);
    let hours = HOURS_PER_DAY * share;
    let from_tasks = seen.tasks >= TASKS_SEEN_MIN && seen.ran_ms > 0;
    let gross_per_hour = if from_tasks {
        // Each device works at the pace seen.
        seen.earned.0 as f64 / (seen.ran_ms as f64 / 3_600_000.0) * lent.len() as f64
    } else {
        lent.iter().map(|device| per_hour(device.benchmark, prices)).sum()
    };
    let gross = gross_per_hour * hours;
    let power_measured = lent.iter().all(|device| device.watts_measured.is_some());
    let power_watts: f64 =
        lent.iter().map(|device| device.watts_measured.unwrap_or(typical_watts(device.kind))).sum();
    // A price in millionths of a US dollar is one in base units.
    let cost = power_watts / 1000.0 * hours * power.micro_per_kwh as f64;
    let gross_basis = if from_tasks {
        format!("what the last {} accepted tasks earned for their time on the device", seen.tasks)
    } else if prices.is_empty() {
        "the benchmark at 0.003 USDC for each TFLOP/s and hour, until three tasks were accepted".to_owned()
    } else {
        let tasks: u32 = prices.iter().map(|price| price.tasks).fold(0, u32::saturating_add);
        format!(
            "the benchmark's scores at what {tasks} recent tasks of all workers in this network were paid"
        )
    };
    let power_of_package = power_measured && lent.iter().any(|device| device.watts_of_package);
    let power_basis = match (power_measured, power_of_package) {
        (true, false) => "power as measured",
        (true, true) => "power as measured of the whole processor",
        (false, _) => "power typical for such a device",
    };
    let price_basis =
        if power.varies { "the mean of your prices over the coming 24 hours" } else { "your tariff" };
    Some(Estimate {
        hours_per_day: HOURS_PER_DAY,
        gross_per_day: base_units(gross),
        power_watts,
        power_measured,
        power_of_package,
        tariff_micro_per_kwh: power.micro_per_kwh,
        power_cost_per_day: cost.round() as i64,
        basis: format!(
            "An estimate, not a promise: {gross_basis}; {HOURS_PER_DAY} hours a day, working {:.0} % of them; \
             {power_basis}, at {price_basis}.",
            share * 100.0
        ),
        tasks_seen: if from_tasks { seen.tasks } else { 0 },
    })
}

/// What an hour of one device's work would leave after power; `None` while neither the network nor accepted tasks have
/// told what work pays. How hard the device works changes both sides alike.
pub fn margin(
    device: &Lent<'_>,
    seen: Seen,
    prices: &[RecentPrice],
    power: &Course,
    now: UnixMillis,
) -> Option<Margin> {
    let gross = if !prices.is_empty() {
        per_hour(device.benchmark, prices)
    } else if seen.tasks >= TASKS_SEEN_MIN && seen.ran_ms > 0 {
        seen.earned.0 as f64 / (seen.ran_ms as f64 / 3_600_000.0)
    } else {
        return None;
    };
    let watts = device.watts_measured.unwrap_or(typical_watts(device.kind));
    // A price in millionths of a US dollar is one in base units.
    let per_hour = |micro_per_kwh: i64| (watts / 1000.0 * micro_per_kwh as f64).round() as i64;
    let later =
        power.after(now).map(|step| LaterPower { from: step.from, power: per_hour(step.micro_per_kwh) });
    Some(Margin {
        gross: gross.round() as i64,
        power: per_hour(power.at(now).micro_per_kwh),
        power_measured: device.watts_measured.is_some(),
        later: later.collect(),
    })
}

/// What a trip's time would have brought, at what the lent devices earn an hour at present; a device's trip costs that
/// device's share. `None` while the trip holds, and where nothing can be estimated.
pub fn missed(snapshot: &Snapshot, trip: &TripRow) -> Option<BaseUnits> {
    let estimate = snapshot.estimate.as_ref()?;
    let hours = trip.until?.since(trip.since).as_secs_f64() / 3600.0;
    let lent = snapshot.devices.iter().filter(|device| device.lent).count().max(1);
    let share = if trip.trip.device().is_some() { 1.0 / lent as f64 } else { 1.0 };
    Some(base_units(estimate.gross_per_day.0 as f64 / estimate.hours_per_day * hours * share))
}

/// What an hour of a device's work brings, of the kind that brings most.
fn per_hour(benchmark: &BenchmarkReport, prices: &[RecentPrice]) -> f64 {
    let score = |work| benchmark.score(work).unwrap_or_default();
    if prices.is_empty() {
        return score(WorkClass::Render) * REFERENCE_BASE_UNITS_PER_RENDER_HOUR;
    }
    prices.iter().map(|price| score(price.work) * price.per_score_hour.0 as f64).fold(0.0, f64::max)
}

/// The part of the time that an effort allows, as [`Effort`] describes it.
fn share(effort: Effort) -> f64 {
    match effort {
        Effort::Quiet => 1.0 / 3.0,
        Effort::Balanced => 2.0 / 3.0,
        Effort::Full => 1.0,
    }
}

/// Watts under load where nothing measures them: round figures from vendors' data sheets, the middle of their
/// current ranges.
fn typical_watts(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::Discrete | DeviceKind::Virtual => 200.0,
        DeviceKind::Integrated | DeviceKind::Other => 30.0,
        // A desktop processor under full load.
        DeviceKind::Software => 65.0,
    }
}

fn base_units(value: f64) -> BaseUnits {
    // Casting saturates, and takes what is no number as zero.
    BaseUnits(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use lull_guards::TimeZone;
    use lull_types::{DeviceInfo, JOB_KIND_WGSL, Measure, Measurement, Tariff, TariffBand};

    const POWER: DayPrice = DayPrice { micro_per_kwh: 150_000, varies: false };

    fn report(gigaflops: f64) -> BenchmarkReport {
        let device = DeviceInfo {
            index: 0,
            name: String::new(),
            vendor: String::new(),
            kind: DeviceKind::Discrete,
            backend: String::new(),
            driver: String::new(),
            pci_bus_id: None,
            vram_bytes: None,
            storage_buffer_bytes_max: 0,
            features: Vec::new(),
        };
        let measured = Measurement::new(Measure::Fp32Peak, vec![gigaflops], "", true);
        BenchmarkReport::new(device, "", UnixMillis(0), Duration::ZERO, vec![measured])
    }

    #[test]
    fn rests_on_the_benchmark_first_and_on_tasks_later() {
        let benchmark = report(20_000.0);
        let lent = [Lent {
            kind: DeviceKind::Discrete,
            benchmark: &benchmark,
            watts_measured: None,
            watts_of_package: false,
        }];
        let first = estimate(&lent, Seen::default(), &[], Effort::Full, POWER).unwrap();
        // 20 TFLOP/s × 0.003 × 8 h = 0.48; 0.2 kW × 8 h × 0.15 = 0.24.
        assert_eq!(first.gross_per_day, BaseUnits(480_000));
        assert_eq!(first.power_cost_per_day, 240_000);
        assert!(first.basis.ends_with("at your tariff."), "{}", first.basis);
        assert_eq!((first.tasks_seen, first.power_measured), (0, false));

        let seen = Seen { tasks: 4, earned: BaseUnits(1000), ran_ms: 3_600_000 };
        let later = estimate(&lent, seen, &[], Effort::Quiet, POWER).unwrap();
        assert_eq!(later.gross_per_day, BaseUnits(2667));
        assert_eq!(later.tasks_seen, 4);
        assert!(estimate(&[], seen, &[], Effort::Quiet, POWER).is_none());

        let paid = DayPrice { micro_per_kwh: -50_000, varies: true };
        let paid = estimate(&lent, seen, &[], Effort::Full, paid).unwrap();
        assert_eq!((paid.power_cost_per_day, paid.tariff_micro_per_kwh), (-80_000, -50_000));
        assert!(paid.basis.contains("coming 24 hours"), "{}", paid.basis);
    }

    #[test]
    fn a_margin_is_what_work_brings_less_its_power() {
        let benchmark = report(20_000.0);
        let device = |watts_measured| Lent {
            kind: DeviceKind::Discrete,
            benchmark: &benchmark,
            watts_measured,
            watts_of_package: false,
        };
        let now = UnixMillis(0);
        let flat = Course::new(&Tariff::flat(150_000), None, &TimeZone::UTC, now);
        assert_eq!(margin(&device(None), Seen::default(), &[], &flat, now), None);
        // 0.2 kW at 0.15 are 0.03 an hour.
        let seen = Seen { tasks: 3, earned: BaseUnits(10_000), ran_ms: 1_800_000 };
        let expected = Margin { gross: 20_000, power: 30_000, power_measured: false, later: Vec::new() };
        assert_eq!(margin(&device(None), seen, &[], &flat, now), Some(expected));
        let price = RecentPrice {
            kind: JOB_KIND_WGSL.to_owned(),
            work: WorkClass::Render,
            per_score_hour: BaseUnits(2_000),
            tasks: 9,
        };
        let expected = Margin { gross: 40_000, power: 15_000, power_measured: true, later: Vec::new() };
        let prices = [price];
        assert_eq!(margin(&device(Some(100.0)), seen, &prices, &flat, now), Some(expected));
        // The epoch was a Thursday: from Friday on power is cheap.
        let friday = TariffBand { days: 1 << 4, from_minute: 0, to_minute: 24 * 60, micro_per_kwh: 50_000 };
        let tariff = Tariff::TimeOfUse { base_micro_per_kwh: 150_000, bands: vec![friday] };
        let course = Course::new(&tariff, None, &TimeZone::UTC, now);
        let margin = margin(&device(Some(100.0)), seen, &prices, &course, now).unwrap();
        let step = |day: u64, power| LaterPower { from: UnixMillis(day * 86_400_000), power };
        assert_eq!((margin.power, margin.later), (15_000, vec![step(1, 5_000), step(2, 15_000)]));
    }

    #[test]
    fn what_the_network_has_paid_counts_before_a_reference() {
        let benchmark = report(20_000.0);
        let lent = [Lent {
            kind: DeviceKind::Discrete,
            benchmark: &benchmark,
            watts_measured: None,
            watts_of_package: false,
        }];
        let price = |work, paid| RecentPrice {
            kind: JOB_KIND_WGSL.to_owned(),
            work,
            per_score_hour: BaseUnits(paid),
            tasks: 40,
        };
        // The device has no score for the second.
        let prices = [price(WorkClass::Render, 1_000), price(WorkClass::Decode, 1_000_000)];
        let estimate = estimate(&lent, Seen::default(), &prices, Effort::Full, POWER).unwrap();
        // 20 × 0.001 × 8 h.
        assert_eq!(estimate.gross_per_day, BaseUnits(160_000));
        assert!(estimate.basis.contains("80 recent tasks"), "{}", estimate.basis);
    }

    #[test]
    fn nonsense_from_a_benchmark_is_no_fortune() {
        let benchmark = report(f64::NAN);
        let lent = [Lent {
            kind: DeviceKind::Software,
            benchmark: &benchmark,
            watts_measured: Some(0.0),
            watts_of_package: true,
        }];
        let estimate = estimate(&lent, Seen::default(), &[], Effort::Full, POWER).unwrap();
        assert_eq!(estimate.gross_per_day, BaseUnits::ZERO);
        assert!(
            estimate.power_of_package && estimate.basis.contains("whole processor"),
            "{}",
            estimate.basis
        );
    }
}
