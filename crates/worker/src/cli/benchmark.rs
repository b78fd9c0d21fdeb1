//! `lull-worker benchmark`: with the running worker, or without one.

mod compare;
mod table;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use lull_runtime_api::RuntimeEvent;
use lull_types::{BenchmarkReport, Coded, Fault, Measure};
use lull_worker_api::transport::{Client, TransportError};
use lull_worker_api::{Command, StateView};

use super::{device_key, paths, remote, say, say_json, take, text};
use crate::atomic::{self, IfThere};
use crate::shell::RuntimeSource;
use crate::shell::measuring::{Plan, devices_once, measure_once, measure_together};
use crate::signed_benchmark::SignedBenchmark;

/// A report takes some 30 KB; this is room for ten minutes of a curve and as much again.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which device; the first is 0.
    #[arg(long, default_value_t = 0, conflicts_with = "all")]
    device: u32,
    /// Every device alone, then all of them together.
    #[arg(long)]
    all: bool,
    /// For how many seconds to measure what the device keeps up once it is hot; 0 leaves that out.
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    sustained: u32,
    /// The report in JSON.
    #[arg(long)]
    json: bool,
    /// Show how it differs from an earlier report: a file that --json or --export wrote.
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    compare: Option<PathBuf>,
    /// Write the report to a file, signed with this worker's key.
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    export: Option<PathBuf>,
    /// Check a signed report and show it; nothing is measured.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "compare", "export"])]
    check: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Fault> {
    if let Some(file) = &args.check {
        let signed = signed(&read(file)?)?;
        let report = signed.open().map_err(|error| error.fault())?;
        show_report(&report, args.json)?;
        if !args.json {
            say(format!("  signed by worker {}, and unchanged since", signed.worker));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Read first: minutes of measuring for a file that is not there would be a pity.
    let before = args.compare.as_deref().map(earlier).transpose()?;
    let sustained = Duration::from_secs(args.sustained.into());
    if args.all {
        return all(sustained, args.json).await;
    }
    let report = match Client::connect(&paths()?.endpoint()).await {
        Ok(client) => with_worker(&client, args.device, args.sustained).await?,
        Err(TransportError::NotRunning(_)) => alone(args.device, sustained).await?,
        Err(error) => return Err(error.fault()),
    };
    show_report(&report, args.json)?;
    if let Some(before) = before {
        // Into the other stream where the first one carries JSON.
        let lines = compare::lines(&before, &report);
        if args.json {
            lines.into_iter().for_each(|line| drop(writeln!(io::stderr(), "{line}")));
        } else {
            lines.into_iter().for_each(say);
        }
    }
    if let Some(file) = &args.export {
        export(file, &report).await?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show_report(report: &BenchmarkReport, json: bool) -> Result<(), Fault> {
    if json {
        return say_json(report);
    }
    table::lines(report).into_iter().for_each(say);
    Ok(())
}

/// Every device alone, then all together, with processes of its own.
async fn all(sustained: Duration, json: bool) -> Result<ExitCode, Fault> {
    if Client::connect(&paths()?.endpoint()).await.is_ok() {
        let sentence = "the worker runs and uses the devices; end it with `lull-worker shutdown` first";
        return Err(Fault::new("worker_running", sentence));
    }
    let (source, scratch) = (RuntimeSource::default(), paths()?.scratch());
    let devices = devices_once(&source, &scratch).await?;
    let mut reports = Vec::with_capacity(devices.len());
    for device in &devices {
        reports.push(alone(device.index, sustained).await?);
    }
    // What one device does alone together is what it did alone.
    let together = if devices.len() > 1 {
        show("all devices together");
        let together = measure_together(&source, &scratch, &devices, source.benchmark_budget).await;
        clear();
        together?
    } else {
        Vec::new()
    };
    if json {
        say_json(&serde_json::json!({ "alone": reports, "together": together }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for report in &reports {
        show_report(report, false)?;
    }
    compare::together(&reports, &together).into_iter().for_each(say);
    Ok(ExitCode::SUCCESS)
}

/// Asks the worker, which keeps its work out of the way, and watches until a new report is there.
async fn with_worker(client: &Client, device: u32, sustained_seconds: u32) -> Result<BenchmarkReport, Fault> {
    let report_of = |snapshot: &lull_worker_api::Snapshot| {
        snapshot.devices.iter().find(|d| d.info.index == device).and_then(|d| d.benchmark.clone())
    };
    let before = report_of(&remote::snapshot(client).await?).map(|report| report.measured_at);
    let mut snapshots = client.subscribe().await.map_err(|error| error.fault())?;
    remote::command(client, Command::Benchmark { device, sustained_seconds }).await?;
    let mut begun = false;
    loop {
        let snapshot = snapshots.next().await.map_err(|error| error.fault())?;
        if let Some(report) = report_of(&snapshot)
            && Some(report.measured_at) != before
        {
            clear();
            return Ok(report);
        }
        let running = matches!(&snapshot.state, StateView::Benchmarking(view) if view.device == device);
        if running {
            begun = true;
            show(&text::state(&snapshot));
        } else if begun {
            clear();
            let notice = snapshot.notices.iter().rev().find(|notice| notice.problem);
            return Err(notice.map_or_else(
                || Fault::new("benchmark_stopped", "the benchmark was stopped before it ended"),
                |notice| Fault::new(notice.code.clone(), notice.sentence.clone()),
            ));
        }
    }
}

/// Measures with a process of its own; nothing is written down.
async fn alone(device: u32, sustained: Duration) -> Result<BenchmarkReport, Fault> {
    let scratch = paths()?.scratch();
    let source = RuntimeSource::default();
    let plan = Plan { measures: Measure::ORDINARY.to_vec(), budget: source.benchmark_budget, sustained };
    let measured = measure_once(&source, &scratch, device, &plan, |event| {
        if let RuntimeEvent::BenchmarkProgress { measure, fraction, value_so_far } = event {
            let value = value_so_far.map_or(String::new(), |v| format!(", {}", text::measured(*measure, v)));
            show(&format!("{} {:.0} %{value}", text::measure_name(*measure), fraction * 100.0));
        }
    });
    let report = measured.await;
    clear();
    report
}

async fn export(file: &Path, report: &BenchmarkReport) -> Result<(), Fault> {
    let paths = paths()?;
    // The key of a running worker is there already; a first one is made under the lock.
    let _lock = if Client::connect(&paths.endpoint()).await.is_ok() { None } else { Some(take(&paths)?) };
    let key = device_key(&paths).await?;
    let signed = SignedBenchmark::sign(report, &key).map_err(|error| error.fault())?;
    let text =
        serde_json::to_vec_pretty(&signed).map_err(|error| Fault::new("internal", error.to_string()))?;
    atomic::write(file, &text, IfThere::Replace).map_err(|error| file_fault(file, &error))?;
    // Not into a report in JSON.
    let _ = writeln!(io::stderr(), "a signed report was written to {}", file.display());
    Ok(())
}

/// An earlier report, signed or not.
fn earlier(file: &Path) -> Result<BenchmarkReport, Fault> {
    let text = read(file)?;
    if let Ok(report) = serde_json::from_str::<BenchmarkReport>(&text) {
        return Ok(report);
    }
    signed(&text)?.open().map_err(|error| error.fault())
}

fn signed(text: &str) -> Result<SignedBenchmark, Fault> {
    serde_json::from_str(text)
        .map_err(|error| crate::signed_benchmark::SignedBenchmarkError::from(error).fault())
}

fn read(file: &Path) -> Result<String, Fault> {
    let size = std::fs::metadata(file).map_err(|error| file_fault(file, &error))?.len();
    if size > FILE_BYTES_MAX {
        let sentence = format!("{} is far larger than any report, so it was not read", file.display());
        return Err(Fault::new("benchmark_garbled", sentence));
    }
    std::fs::read_to_string(file).map_err(|error| file_fault(file, &error))
}

fn file_fault(file: &Path, error: &io::Error) -> Fault {
    Fault::new("file_unusable", format!("{} cannot be used: {error}", file.display()))
}

fn show(line: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[2K{line}");
    }
}

fn clear() {
    show("");
}
