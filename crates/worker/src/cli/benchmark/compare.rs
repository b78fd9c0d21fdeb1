//! Two reports side by side.

use lull_types::{BenchmarkReport, Measurement};

use crate::cli::text;

/// How far two medians are apart before it is more than noise: both spreads together, and never below this, as two
/// runs of one device differ by a few per cent anyway.
const NOISE_MIN: f64 = 0.03;

/// What has changed since an earlier report.
pub fn lines(before: &BenchmarkReport, now: &BenchmarkReport) -> Vec<String> {
    let mut lines =
        vec![String::new(), format!("Compared with the report of {}:", text::local(before.measured_at))];
    if before.device.name != now.device.name {
        lines.push(format!(
            "  NOT THE SAME DEVICE: {} before, {} now",
            text::plain(&before.device.name),
            text::plain(&now.device.name)
        ));
    } else if before.device.driver != now.device.driver {
        lines.push(format!(
            "  driver: {} before, {} now",
            text::plain(&before.device.driver),
            text::plain(&now.device.driver)
        ));
    }
    for m in &now.measurements {
        let name = text::measure_name(m.measure);
        match before.measurement(m.measure) {
            Some(old) => lines.push(format!("  {name:<21} {}", change(old, m))),
            None => lines.push(format!("  {name:<21} not measured before")),
        }
    }
    for old in before.measurements.iter().filter(|old| now.measurement(old.measure).is_none()) {
        lines.push(format!("  {:<21} not measured now", text::measure_name(old.measure)));
    }
    lines
}

fn change(old: &Measurement, new: &Measurement) -> String {
    let values = format!(
        "{:>18} → {:<18}",
        text::measured(old.measure, old.value),
        text::measured(new.measure, new.value)
    );
    if old.value <= 0.0 {
        return values;
    }
    let change = new.value / old.value - 1.0;
    let is_better = (change > 0.0) != new.measure.is_better_lower();
    let verdict = if change.abs() <= (old.spread + new.spread).max(NOISE_MIN) {
        "within noise"
    } else if is_better {
        "BETTER"
    } else {
        "WORSE"
    };
    format!("{values} {:>+7.1} %  {verdict}", change * 100.0)
}

/// What devices keep when all of them work at once.
pub fn together(alone: &[BenchmarkReport], together: &[BenchmarkReport]) -> Vec<String> {
    let mut lines = Vec::new();
    for report in together {
        let index = report.device.index;
        let Some(single) = alone.iter().find(|single| single.device.index == index) else { continue };
        lines
            .push(format!("{} (device {index}) with all devices at work:", text::plain(&report.device.name)));
        for m in &report.measurements {
            let Some(old) = single.value(m.measure).filter(|old| *old > 0.0) else { continue };
            lines.push(format!(
                "  {:<21} {:>18}  {:.0} % of what it does alone",
                text::measure_name(m.measure),
                text::measured(m.measure, m.value),
                m.value / old * 100.0
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::fixture;
    use lull_types::Measure;

    fn report(measurements: Vec<Measurement>) -> BenchmarkReport {
        BenchmarkReport { measurements, ..fixture::report(0) }
    }

    fn of(measure: Measure, value: f64) -> Measurement {
        Measurement::new(measure, vec![value; 5], "", true)
    }

    #[test]
    fn a_change_is_judged_by_its_direction_and_size() {
        let before = report(vec![
            of(Measure::Fp32Peak, 100.0),
            of(Measure::MemoryRead, 100.0),
            of(Measure::MemoryLatency, 100.0),
            of(Measure::Upload, 1.0),
        ]);
        let now = report(vec![
            of(Measure::Fp32Peak, 102.0),
            of(Measure::MemoryRead, 80.0),
            of(Measure::MemoryLatency, 80.0),
            of(Measure::GemmFp32, 1.0),
        ]);
        let lines = lines(&before, &now);
        let line = |name: &str| lines.iter().find(|line| line.contains(name)).unwrap();
        assert!(line("FP32 peak").ends_with("within noise"));
        assert!(line("memory read").ends_with("WORSE"));
        assert!(line("memory latency").ends_with("BETTER"));
        assert!(line("matrix product FP32").ends_with("not measured before"));
        assert!(line("upload").ends_with("not measured now"));
    }

    #[test]
    fn devices_that_share_are_told() {
        let alone = [report(vec![of(Measure::Upload, 10.0)])];
        let all = [report(vec![of(Measure::Upload, 5.0)])];
        assert!(together(&alone, &all)[1].ends_with("50 % of what it does alone"));
        assert!(together(&alone, &[]).is_empty());
    }
}
