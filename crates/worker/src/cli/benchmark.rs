//! `lull-worker benchmark`: with the running worker, or without one.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use lull_runtime_api::RuntimeEvent;
use lull_types::{BenchmarkReport, Coded, Fault};
use lull_worker_api::transport::{Client, TransportError};
use lull_worker_api::{Command, StateView};

use super::{paths, remote, say, say_json, text};
use crate::shell::{RuntimeSource, measure_once};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which device; the first is 0.
    #[arg(long, default_value_t = 0)]
    device: u32,
    /// The report in JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Fault> {
    let report = match Client::connect(&paths()?.endpoint()).await {
        Ok(client) => with_worker(&client, args.device).await?,
        Err(TransportError::NotRunning(_)) => alone(args.device).await?,
        Err(error) => return Err(error.fault()),
    };
    if args.json {
        say_json(&report)?;
    } else {
        say(format!("{} ({})", report.device.name, report.device.driver));
        for m in &report.measurements {
            say(format!(
                "  {:<15} {:>16}  spread {:>4.1} %  {}",
                text::measure_name(m.measure),
                text::measured(m.measure, m.value),
                m.spread * 100.0,
                if m.correct { "result right" } else { "result WRONG" }
            ));
            say(format!("  {:<15} {}", "", m.method));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the worker, which keeps its work out of the way, and watches until a new report is there.
async fn with_worker(client: &Client, device: u32) -> Result<BenchmarkReport, Fault> {
    let report_of = |snapshot: &lull_worker_api::Snapshot| {
        snapshot.devices.iter().find(|d| d.info.index == device).and_then(|d| d.benchmark.clone())
    };
    let before = report_of(&remote::snapshot(client).await?).map(|report| report.measured_at);
    let mut snapshots = client.subscribe().await.map_err(|error| error.fault())?;
    remote::command(client, Command::Benchmark { device, sustained_seconds: 0 }).await?;
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
async fn alone(device: u32) -> Result<BenchmarkReport, Fault> {
    let scratch = paths()?.scratch();
    let source = RuntimeSource::default();
    let measured = measure_once(&source, &scratch, device, std::time::Duration::ZERO, |event| {
        if let RuntimeEvent::BenchmarkProgress { measure, fraction, value_so_far } = event {
            let value = value_so_far.map_or(String::new(), |v| format!(", {}", text::measured(*measure, v)));
            show(&format!("{} {:.0} %{value}", text::measure_name(*measure), fraction * 100.0));
        }
    });
    let report = measured.await;
    clear();
    report
}

fn show(line: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[2K{line}");
    }
}

fn clear() {
    show("");
}
