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
    /// Whether a stretch of time was without samples.
    gap: bool,
}

/// Integrates board power over running assignments, by the trapezoidal rule. Times are since any one instant.
#[derive(Debug, Default)]
pub struct EnergyMeter {
    running: HashMap<AssignmentId, Measured>,
}

impl EnergyMeter {
    /// A sample of the board power of the device that runs `assignment`, in watts.
    pub fn sample(&mut self, assignment: AssignmentId, at: Duration, watts: Option<f32>) {
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
                measured.joules += (watts + watts_before) / 2.0 * between.as_secs_f64();
            }
        }
        measured.last = Some((at, watts));
    }

    /// Ends the measurement. Watt-hours, or `None` where power is not known for the whole run.
    pub fn end(&mut self, assignment: AssignmentId) -> Option<f64> {
        let measured = self.running.remove(&assignment)?;
        (!measured.gap && measured.joules > 0.0).then_some(measured.joules / 3600.0)
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
        for (at, watts) in [(0, 100.0), (2, 300.0), (3, 300.0)] {
            meter.sample(id, seconds(at), Some(watts));
        }
        assert!((meter.end(id).unwrap() - 700.0 / 3600.0).abs() < 1e-9);
        assert_eq!(meter.end(id), None);

        for unknown in [None, Some(f32::NAN), Some(-1.0)] {
            meter.sample(id, seconds(0), Some(1.0));
            meter.sample(id, seconds(1), unknown);
            meter.sample(id, seconds(2), Some(1.0));
            assert_eq!(meter.end(id), None);
        }
        meter.sample(id, seconds(0), Some(1.0));
        meter.sample(id, seconds(60), Some(1.0));
        assert_eq!(meter.end(id), None, "a minute without samples is not guessed");
    }
}
