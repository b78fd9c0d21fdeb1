//! A report as a table.

use lull_types::{Axis, BenchmarkReport, CurvePoint, Measure, Measurement, WorkClass};

use crate::cli::text;

/// Points of a curve that fit on a few lines.
const POINTS_MAX: usize = 12;

/// The report, for a terminal.
pub fn lines(report: &BenchmarkReport) -> Vec<String> {
    let device = &report.device;
    let seconds = report.duration_ms as f64 / 1000.0;
    let mut lines = vec![format!(
        "{} ({}, {}), measured in {seconds:.0} s",
        text::plain(&device.name),
        text::plain(&device.driver),
        device.backend
    )];
    for m in &report.measurements {
        lines.push(format!(
            "  {:<21} {:>18}  spread {:>5.1} %  {:>3} samples  {}",
            text::measure_name(m.measure),
            text::measured(m.measure, m.value),
            m.spread * 100.0,
            m.samples.len(),
            if m.correct { "result right" } else { "result WRONG" }
        ));
        lines.push(format!("  {:<21} {}", "", m.method));
        lines.extend(curve(m).into_iter().map(|line| format!("  {:<21} {line}", "")));
    }
    if let Some(line) = throttling(report) {
        lines.push(format!("  {line}"));
    }
    for skipped in &report.skipped {
        lines.push(format!(
            "  {:<21} {:>18}  {}",
            text::measure_name(skipped.measure),
            "not measured",
            text::plain_sentence(&skipped.fault.sentence)
        ));
    }
    lines.extend(scores(report));
    lines
}

fn curve(m: &Measurement) -> Option<String> {
    let axis = m.measure.axis()?;
    let at = |point: &CurvePoint| match axis {
        Axis::WorkingSetBytes if point.at < 1024.0 * 1024.0 => format!("{:.0} KiB", point.at / 1024.0),
        Axis::WorkingSetBytes => format!("{:.0} MiB", point.at / 1024.0 / 1024.0),
        Axis::Seconds => format!("{:.0} s", point.at),
    };
    // The first, the last, and some between them.
    let step = m.curve.len().div_ceil(POINTS_MAX).max(1);
    let last = m.curve.len().saturating_sub(1);
    let shown = m.curve.iter().enumerate().filter(|(place, _)| place % step == 0 || *place == last);
    let points: Vec<_> = shown.map(|(_, point)| format!("{} {:.1}", at(point), point.value)).collect();
    (!points.is_empty()).then(|| points.join(", "))
}

/// What heat takes, in a sentence.
fn throttling(report: &BenchmarkReport) -> Option<String> {
    let sustained = report.measurement(Measure::Sustained)?;
    let burst = report.value(Measure::GemmFp32).filter(|burst| *burst > 0.0)?;
    let mut line = format!("kept up for minutes: {:.0} % of the short run", sustained.value / burst * 100.0);
    let told = |figure: fn(&lull_types::DeviceTelemetry) -> Option<f32>| {
        let figures = report.sustained_telemetry.iter().filter_map(|point| figure(&point.telemetry));
        figures.fold(None, |most: Option<f32>, figure| Some(most.map_or(figure, |most| most.max(figure))))
    };
    if let Some(celsius) = told(|t| t.temperature_celsius) {
        line.push_str(&format!(", at most {celsius:.0} °C"));
    }
    if let Some(watts) = told(|t| t.power_watts) {
        line.push_str(&format!(", {watts:.0} W"));
    }
    let clocks: Vec<f32> =
        report.sustained_telemetry.iter().filter_map(|point| point.telemetry.clock_mhz).collect();
    if let (Some(first), Some(last)) = (clocks.first(), clocks.last()) {
        line.push_str(&format!(", {first:.0} MHz at first and {last:.0} MHz at the end"));
    }
    Some(line)
}

/// What it means for each kind of work, in lines.
fn scores(report: &BenchmarkReport) -> Vec<String> {
    let line = |work, value: f64| match work {
        WorkClass::Decode => {
            format!("  language model writes  up to {value:.1} tokens/s (8 billion parameters in 4 bits)")
        }
        WorkClass::Prefill => {
            format!("  language model reads   up to {value:.1} tokens/s of prompt, the same model")
        }
        WorkClass::Render => format!("  rendering              up to {value:.3} TFLOP/s"),
    };
    report.scores().into_iter().map(|score| line(score.work, score.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::fixture;

    #[test]
    fn everything_measured_is_shown() {
        let mut report = fixture::report(0);
        report.measurements =
            vec![Measurement::new(Measure::MemoryRead, vec![9.0; 5], "a way of reading", true)];
        report.measurements[0].curve =
            vec![CurvePoint { at: 16384.0, value: 50.0 }, CurvePoint { at: 134_217_728.0, value: 9.0 }];
        let text = lines(&report).join("\n");
        for part in
            ["memory read", "9.0 GB/s", "a way of reading", "16 KiB 50.0, 128 MiB 9.0", "2.0 tokens/s"]
        {
            assert!(text.contains(part), "{part} is missing from\n{text}");
        }
    }
}
