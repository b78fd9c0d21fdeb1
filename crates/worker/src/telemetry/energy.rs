//! Energy of assignments, from samples of power.

use std::collections::HashMap;
use std::time::Duration;

use lull_types::AssignmentId;

/// Between two samples further apart than this nothing is known of the power; ten of the shell's intervals.
const GAP_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Measured {
    last: Option<(Duration, f64)>,
    joules: f64,
    /// Of each joule its price, added up.
    priced: f64,
    /// Whether a stretch of time was without samples.
    gap: bool,
}

/// What a run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// Watt-hours.
    pub watt_hours: f64,
    /// What a kilowatt-hour of them cost on average, in millionths of a US dollar.
    pub micro_per_kwh: i64,
}

/// Integrates board power over running assignments, by the trapezoidal rule. Times are since any one instant.
#[derive(Debug, Default)]
pub struct EnergyMeter {
    running: HashMap<AssignmentId, Measured>,
}

impl EnergyMeter {
    /// A sample of the board power of the device that runs `assignment`, in watts, and the price of a kilowatt-hour then.
    pub fn sample(&mut self, assignment: AssignmentId, at: Duration, watts: Option<f32>, micro_per_kwh: i64) {
        let measured = self.running.entry(assignment).or_default();
        let Some(watts) = watts.filter(|watts| watts.is_finite() && *watts >= 0.0).map(f64::from) else {
            measured.gap = true;
            measured.last = None;
            return;
        };
        if let Some((before, watts_before)) = measured.last {
            let between = at.saturating_sub(before);
            if between > GAP_MAX {
                measured.gap = true;
            } else {
                let joules = (watts + watts_before) / 2.0 * between.as_secs_f64();
                measured.joules += joules;
                measured.priced += joules * micro_per_kwh as f64;
            }
        }
        measured.last = Some((at, watts));
    }

    /// Ends the measurement. `None` where power is not known for the whole run.
    pub fn end(&mut self, assignment: AssignmentId) -> Option<Used> {
        let Measured { joules, priced, gap, .. } = self.running.remove(&assignment)?;
        let used = Used { watt_hours: joules / 3600.0, micro_per_kwh: (priced / joules).round() as i64 };
        (!gap && joules > 0.0).then_some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::UnixMillis;

    #[test]
    fn energy_is_the_area_under_power() {
        let id = AssignmentId::from_parts(UnixMillis(1), &[0; 10]);
        let seconds = Duration::from_secs;
        let mut meter = EnergyMeter::default();
        for (at, watts, price) in [(0, 100.0, 900), (2, 300.0, 210), (3, 300.0, -70)] {
            meter.sample(id, seconds(at), Some(watts), price);
        }
        // 400 joules at 210 and 300 at -70.
        let used = meter.end(id).unwrap();
        assert!((used.watt_hours - 700.0 / 3600.0).abs() < 1e-9);
        assert_eq!(used.micro_per_kwh, 90);
        assert_eq!(meter.end(id), None);

        for unknown in [None, Some(f32::NAN), Some(-1.0)] {
            meter.sample(id, seconds(0), Some(1.0), 1);
            meter.sample(id, seconds(1), unknown, 1);
            meter.sample(id, seconds(2), Some(1.0), 1);
            assert_eq!(meter.end(id), None);
        }
        meter.sample(id, seconds(0), Some(1.0), 1);
        meter.sample(id, seconds(60), Some(1.0), 1);
        assert_eq!(meter.end(id), None, "a minute without samples is not guessed");
    }
}
