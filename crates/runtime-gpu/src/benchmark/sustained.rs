//! What a device keeps up for minutes, once it is hot.

use std::time::{Duration, Instant};

use lull_types::{CurvePoint, DeviceKind, Measurement};

use super::gemm::Gemm;
use super::{Bench, BenchmarkError};

/// One point of the curve: heat does not move faster.
const POINT_EVERY: Duration = Duration::from_secs(1);
/// Share of the time, at its end, whose points are the measure's samples.
const SETTLED_SHARE: f64 = 0.5;

/// Measures, for as long as the bench has left.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    let gemm = Gemm::new(bench)?;
    let whole = bench.left();
    let began = Instant::now();
    let mut curve = Vec::new();
    while curve.is_empty() || began.elapsed() < whole {
        let point = Instant::now();
        let (mut products, mut on_gpu) = (0u32, Duration::ZERO);
        while products == 0 || (point.elapsed() < POINT_EVERY && began.elapsed() < whole) {
            on_gpu += gemm.multiply(bench)?;
            products += 1;
        }
        let value = gemm.rate(on_gpu) * f64::from(products);
        bench.note(value);
        curve.push(CurvePoint { at: began.elapsed().as_secs_f64(), value });
    }
    let is_correct = gemm.is_correct(bench)?;
    let settled = began.elapsed().as_secs_f64() * (1.0 - SETTLED_SHARE);
    let samples: Vec<f64> =
        curve.iter().filter(|point| point.at >= settled).map(|point| point.value).collect();
    let what = if bench.kind == DeviceKind::Software { "software" } else { "device" };
    let method = format!(
        "{} for {:.0} s on this {what}; the value is the median of the last half; {}",
        gemm.method(),
        began.elapsed().as_secs_f64(),
        bench.clock()
    );
    let mut measurement = bench.measurement(samples, method, is_correct);
    measurement.curve = curve;
    Ok(measurement)
}
