//! A run of an assignment under a lease: its runtime is told all of it, and gives all of its outputs at the end.

use lull_network_api::Assignment;
use lull_runtime_api::host::{RunRequest, RuntimeError, RuntimeProcess};
use lull_runtime_api::{RunOutcome, TaskInput};
use lull_types::Coded;

use super::{Holding, Revoked};
use crate::machine::{Input, RunEnd};
use crate::shell::tasks::{self, TaskBlobs};

impl Holding {
    pub(super) async fn run(self, assignment: Box<Assignment>) {
        let lease = self.lease.id;
        let (process, end) = match self.prepare(&assignment).await {
            Err(end) => (None, end),
            Ok(request) => match self.start().await {
                Ok(process) => {
                    let end = self.drive(&process, request).await;
                    (Some(process), end)
                }
                Err(Some(fault)) => (None, RunEnd::LocalFault(fault)),
                Err(None) => (None, RunEnd::Cancelled),
            },
        };
        self.context.tell(Input::RunEnded { lease, end }).await;
        self.free(process).await;
    }

    /// What the runtime is to be told, from the blobs on this machine.
    async fn prepare(&self, assignment: &Assignment) -> Result<RunRequest, RunEnd> {
        let loading = tasks::load(self.context.blobs.clone(), assignment.kind.clone(), assignment.payload);
        let TaskBlobs { payload, inputs } = loading.await?;
        let mut request = RunRequest::new(self.lease.device, assignment.kind.clone(), payload);
        request.inputs = inputs.into_iter().map(|(hash, bytes)| TaskInput { hash, bytes }).collect();
        Ok(request)
    }

    async fn drive(&self, process: &RuntimeProcess, request: RunRequest) -> RunEnd {
        let mut running = match process.run(request).await {
            Ok(running) => running,
            Err(error) => return failed(error),
        };
        self.context.tell(Input::RunStarted { lease: self.lease.id }).await;
        if self.watch(process, &mut running).await.is_err() {
            return RunEnd::Cancelled;
        }
        match self.unless_killed(process, running.outcome()).await {
            Err(Revoked) => RunEnd::Cancelled,
            Ok(Err(error)) => failed(error),
            Ok(Ok(RunOutcome::Cancelled)) => RunEnd::Cancelled,
            Ok(Ok(RunOutcome::TaskFault(fault))) => RunEnd::TaskFault(fault),
            Ok(Ok(RunOutcome::DeviceFault(fault))) => RunEnd::DeviceFault(fault),
            Ok(Ok(RunOutcome::Done { outputs, ran_ms, .. })) => {
                match tasks::store(self.context.blobs.clone(), outputs).await {
                    Ok(outputs) => RunEnd::Done { outputs, ran_ms },
                    Err(fault) => RunEnd::LocalFault(fault),
                }
            }
        }
    }
}

/// Whose fault it is that a run did not end by itself.
pub(super) fn failed(error: RuntimeError) -> RunEnd {
    match error {
        RuntimeError::Died { .. }
        | RuntimeError::Silent { .. }
        | RuntimeError::Overdue { .. }
        | RuntimeError::Garbled { .. } => RunEnd::DeviceFault(error.fault()),
        RuntimeError::Killed => RunEnd::Cancelled,
        RuntimeError::Missing { .. }
        | RuntimeError::NotStarted { .. }
        | RuntimeError::NoHello { .. }
        | RuntimeError::OtherProtocol { .. }
        | RuntimeError::Refused(_)
        | RuntimeError::BenchmarkFailed(_)
        | RuntimeError::ChallengeFailed(_)
        | RuntimeError::ServingFailed(_)
        | RuntimeError::Busy => RunEnd::LocalFault(error.fault()),
    }
}
