//! A benchmark under a lease.

use std::sync::Arc;
use std::time::Duration;

use lull_runtime_api::RuntimeEvent;
use lull_runtime_api::host::{Benchmarking, RuntimeProcess};
use lull_types::{BenchmarkReport, Coded, Fault, Measure};

use super::reins::Activity;
use super::{Holding, Revoked};
use crate::machine::Input;
use crate::shell::recorder::Recorder;

impl Holding {
    pub(super) async fn benchmark(self, sustained: Duration) {
        let lease = self.lease.id;
        let started = self.start().await;
        let (process, outcome) = match started {
            Ok(process) => {
                let outcome = self.measure(&process, sustained).await;
                (Some(process), outcome)
            }
            Err(outcome) => (None, Err(outcome.unwrap_or_else(cancelled))),
        };
        self.context.tell(Input::BenchmarkEnded { lease, outcome: outcome.map(Box::new) }).await;
        self.free(process).await;
    }

    async fn measure(&self, process: &RuntimeProcess, sustained: Duration) -> Result<BenchmarkReport, Fault> {
        let budget = self.context.source.benchmark_budget;
        let device = self.lease.device;
        let devices = self.unless_killed(process, process.devices()).await.map_err(|Revoked| cancelled())?;
        let devices = devices.map_err(|error| error.fault())?;
        let info = devices.into_iter().find(|info| info.index == device);
        let mut benchmarking = process
            .benchmark(device, Measure::ORDINARY.to_vec(), budget, sustained)
            .await
            .map_err(|error| error.fault())?;
        let recorder = info.map(|info| {
            let version = process.info().version.clone();
            Recorder::new(Arc::clone(&self.context.telemetry), info, version, Measure::ORDINARY.to_vec())
        });
        let mut recorded = Recorded { benchmarking: &mut benchmarking, recorder };
        self.watch(process, &mut recorded).await.map_err(|Revoked| cancelled())?;
        let recorder = recorded.recorder;
        let outcome =
            self.unless_killed(process, benchmarking.outcome()).await.map_err(|Revoked| cancelled())?;
        let outcome = match recorder {
            Some(recorder) => recorder.report(outcome),
            None => outcome,
        };
        outcome.map_err(|error| error.fault())
    }
}

/// A benchmark whose telemetry is written down.
struct Recorded<'a> {
    benchmarking: &'a mut Benchmarking,
    recorder: Option<Recorder>,
}

impl Activity for Recorded<'_> {
    async fn progress(&mut self) -> Option<RuntimeEvent> {
        let event = self.benchmarking.progress().await?;
        if let Some(recorder) = &mut self.recorder {
            recorder.saw(&event).await;
        }
        Some(event)
    }
}

fn cancelled() -> Fault {
    Fault::new("cancelled", "the benchmark was stopped before it ended")
}
