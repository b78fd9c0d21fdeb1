//! Our benchmark beside clpeak and vkpeak on the same device, in alternation, with the ratios.
//!
//! `cargo bench -p lull-runtime-gpu --bench peers [-- [--rounds N] [--device N] [--seconds N]]`. What is not installed
//! is left out: clpeak is a Debian package and speaks OpenCL, so it needs a driver of that for the same device
//! (`OCL_ICD_VENDORS` chooses one); vkpeak is built from its source, and `VKPEAK_DEVICE` is its number of the device.
//! clpeak tells the mean of its runs and vkpeak the best, so the first is compared with our median and the second
//! with our best sample. What has the same name is not always the same: docs/benchmark.md, "Beside others".

#![allow(clippy::print_stdout, reason = "a bench tells its figures to whoever started it")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lull_runtime_gpu::adapters::Adapters;
use lull_runtime_gpu::benchmark;
use lull_runtime_gpu::work::{HANG_AFTER, Work};
use lull_types::Measure;

/// What peers measure as well.
const SHARED: [Measure; 11] = [
    Measure::Fp32Peak,
    Measure::Fp16Peak,
    Measure::Fp64Peak,
    Measure::Int32Peak,
    Measure::Int8DotPeak,
    Measure::MemoryRead,
    Measure::MemoryCopy,
    Measure::Upload,
    Measure::Download,
    Measure::LaunchLatency,
    Measure::GemmMatrixUnits,
];
/// No device has such a memory, in GB/s: a driver that says so does not wait for its work.
const GIGABYTES_ABSURD: f64 = 12_000.0;

type Values = BTreeMap<Measure, Vec<f64>>;

struct Options {
    rounds: u32,
    device: u32,
    seconds: u64,
}

fn main() {
    // Test runners start every target to ask what it holds; only `cargo bench` says this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let options = options();
    let adapters = Adapters::find();
    let adapter = match adapters.get(options.device) {
        Ok(adapter) => adapter,
        Err(error) => {
            println!("peers: {error}");
            return;
        }
    };
    println!("{} ({})", adapter.info.name, adapter.info.driver);
    let work = Work::new(|_| (), Arc::default(), Arc::default(), HANG_AFTER);
    work.is_for(adapter.info.kind);
    let (mut medians, mut bests) = (Values::new(), Values::new());
    let (mut clpeak, mut vkpeak) = (Values::new(), Values::new());
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let budget = Duration::from_secs(options.seconds);
        match benchmark::run(adapter, &SHARED, budget, Duration::ZERO, &work) {
            Ok(report) => {
                for m in report.measurements {
                    let lowest = m.measure.is_better_lower();
                    let best = m.samples.iter().copied().reduce(|a, b| if (a < b) == lowest { a } else { b });
                    if round == 1 {
                        println!("  {:?}: {:.1}, {}", m.measure, m.value, m.method);
                    }
                    medians.entry(m.measure).or_default().push(m.value);
                    bests.entry(m.measure).or_default().extend(best);
                    if !m.correct {
                        println!("  our {:?} was WRONG", m.measure);
                    }
                }
            }
            Err(error) => println!("  ours failed: {error}"),
        }
        add(&mut clpeak, run_clpeak());
        add(&mut vkpeak, run_vkpeak());
    }
    table("clpeak (mean)", "our median", &medians, &clpeak);
    table("vkpeak (best)", "our best", &bests, &vkpeak);
}

fn options() -> Options {
    let mut options = Options { rounds: 5, device: 0, seconds: 25 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        // `cargo bench` adds words of its own.
        let mut number = || arguments.next().and_then(|value| value.parse().ok());
        match argument.as_str() {
            "--rounds" => options.rounds = number().unwrap_or(options.rounds),
            "--device" => options.device = number().unwrap_or(options.device),
            "--seconds" => options.seconds = number().map_or(options.seconds, u64::from),
            _ => {}
        }
    }
    options
}

fn add(into: &mut Values, values: Vec<(Measure, f64)>) {
    // Several kernels of one kind: the best counts, as among ours.
    let mut best: BTreeMap<Measure, f64> = BTreeMap::new();
    for (measure, value) in values {
        let kept = best.entry(measure).or_insert(value);
        *kept = if measure.is_better_lower() { kept.min(value) } else { kept.max(value) };
    }
    for (measure, value) in best {
        into.entry(measure).or_default().push(value);
    }
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Values under headings that name the measure; a line is a kind of vector, or a way of copying.
fn run_clpeak() -> Vec<(Measure, f64)> {
    let Some(text) = output_of("clpeak", &[]) else {
        println!("  clpeak is not installed (Debian: apt install clpeak)");
        return Vec::new();
    };
    let mut values = Vec::new();
    let mut heading = None;
    let mut platform: Vec<(Measure, f64)> = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else {
            heading = match line.trim() {
                text if text.starts_with("Global memory bandwidth") => Some(Measure::MemoryRead),
                text if text.starts_with("Single-precision compute") => Some(Measure::Fp32Peak),
                text if text.starts_with("Half-precision compute") => Some(Measure::Fp16Peak),
                text if text.starts_with("Double-precision compute") => Some(Measure::Fp64Peak),
                text if text.starts_with("Integer compute (") => Some(Measure::Int32Peak),
                text if text.starts_with("Transfer bandwidth") => Some(Measure::Upload),
                "" => heading,
                _ => None,
            };
            continue;
        };
        let (name, value) = (name.trim(), value.trim());
        if name == "Platform" || name == "Device" {
            keep_plausible(&mut values, &mut platform);
            println!("  clpeak: {name} {value}");
        }
        let number = value.trim_end_matches(" us").parse::<f64>().ok();
        let measure = match (name, heading) {
            ("Kernel launch latency", _) => Some(Measure::LaunchLatency),
            ("enqueueWriteBuffer" | "enqueueWriteBuffer non-blocking", Some(Measure::Upload)) => {
                Some(Measure::Upload)
            }
            ("enqueueReadBuffer" | "enqueueReadBuffer non-blocking", Some(Measure::Upload)) => {
                Some(Measure::Download)
            }
            (_, Some(Measure::Upload)) => None,
            (_, heading) => heading,
        };
        platform.extend(measure.zip(number));
    }
    keep_plausible(&mut values, &mut platform);
    values
}

fn keep_plausible(values: &mut Vec<(Measure, f64)>, platform: &mut Vec<(Measure, f64)>) {
    let is_absurd =
        |(measure, value): &(Measure, f64)| *measure == Measure::MemoryRead && *value > GIGABYTES_ABSURD;
    if platform.iter().any(is_absurd) {
        println!("  clpeak: this driver's clock stands still; its figures are left out");
        platform.clear();
    }
    values.append(platform);
}

/// Lines of `name = value unit`.
fn run_vkpeak() -> Vec<(Measure, f64)> {
    const WANTED: &str = "fp32-scalar,fp32-vec4,fp16-scalar,fp16-vec4,fp16-matrix,fp64-scalar,fp64-vec4,\
                          int32-scalar,int32-vec4,int8-dotprod,copy-h2d,copy-d2h,copy-d2d";
    let device = std::env::var("VKPEAK_DEVICE").unwrap_or_else(|_| "0".to_owned());
    let Some(text) = output_of("vkpeak", &[&device, WANTED]) else {
        println!("  vkpeak is not installed (github.com/nihui/vkpeak)");
        return Vec::new();
    };
    let value = |line: &str| {
        let (name, rest) = line.split_once('=')?;
        let number: f64 = rest.split_whitespace().next()?.parse().ok()?;
        let measure = match name.trim() {
            "fp32-scalar" | "fp32-vec4" => Measure::Fp32Peak,
            "fp16-scalar" | "fp16-vec4" => Measure::Fp16Peak,
            "fp16-matrix" => Measure::GemmMatrixUnits,
            "fp64-scalar" | "fp64-vec4" => Measure::Fp64Peak,
            "int32-scalar" | "int32-vec4" => Measure::Int32Peak,
            "int8-dotprod" => Measure::Int8DotPeak,
            "copy-h2d" => Measure::Upload,
            "copy-d2h" => Measure::Download,
            "copy-d2d" => Measure::MemoryCopy,
            _ => return None,
        };
        // It counts the bytes of a copy once.
        let number = if measure == Measure::MemoryCopy { 2.0 * number } else { number };
        (number > 0.0).then_some((measure, number))
    };
    text.lines().filter_map(value).collect()
}

fn table(peer: &str, statistic: &str, ours: &Values, theirs: &Values) {
    if theirs.is_empty() {
        return;
    }
    println!("\n{:<18} {statistic:>22} {peer:>22}   ratio, above 1 is ours", "measure");
    for (measure, theirs) in theirs {
        let Some(ours) = ours.get(measure) else { continue };
        let ((our, our_range), (their, their_range)) = (middle(ours), middle(theirs));
        let ratio = if measure.is_better_lower() { their / our } else { our / their };
        let name = format!("{measure:?}");
        println!("{name:<18} {our:>9.1} {our_range:>12} {their:>9.1} {their_range:>12}   {ratio:.2}");
    }
}

/// The median, and the smallest and largest in words.
fn middle(values: &[f64]) -> (f64, String) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    (median, format!("{:.1}–{:.1}", sorted[0], sorted[sorted.len() - 1]))
}
