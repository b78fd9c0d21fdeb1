//! Keeps a worker running, and the app connected to it.
//!
//! A worker that answers already, such as one that the system started, is used as it is. Otherwise the installed
//! one is started, and started again with growing pauses when it dies. When the app quits, whichever worker it
//! is is told to end: quitting means that work stops.

use std::time::{Duration, Instant};

use lull_types::{Coded, Fault};
use lull_worker_api::Command;
use lull_worker_api::transport::{Client, Endpoint, TransportError};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::child::Running;
use super::{LinkState, WorkerProgram};

/// How long things may take; tests take less.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From a worker's start until it must answer. Finding devices may take seconds on a cold machine.
    pub start_max: Duration,
    /// From being told to end until the worker is ended by force: it hands its work back first.
    pub end_max: Duration,
    /// How often a worker that is starting is looked for. An attempt to connect costs some microseconds.
    pub look_every: Duration,
    /// For how long a worker must have been well for its next end to count as the first failure.
    pub well_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            start_max: Duration::from_secs(15),
            end_max: Duration::from_secs(10),
            look_every: Duration::from_millis(50),
            well_after: Duration::from_secs(60),
        }
    }
}

/// Keeps a worker running at `endpoint` until `quit`, then ends it; returns when it has ended. What becomes of
/// the connection is written to `state`. The worker is told whether somebody looks at its devices' figures.
pub async fn supervise(
    program: WorkerProgram,
    endpoint: Endpoint,
    state: watch::Sender<LinkState>,
    looking: watch::Receiver<bool>,
    quit: CancellationToken,
    pace: Pace,
) {
    let mut supervisor = Supervisor { program, endpoint, state, looking, pace, child: None };
    let mut backoff = Backoff::new();
    loop {
        let fault = tokio::select! {
            () = quit.cancelled() => break,
            outcome = supervisor.reach() => match outcome {
                Ok(client) => {
                    let since = Instant::now();
                    let fault = tokio::select! {
                        () = quit.cancelled() => break,
                        fault = supervisor.follow(client) => fault,
                    };
                    if since.elapsed() >= pace.well_after {
                        backoff.forget();
                    }
                    fault
                }
                Err(fault) => fault,
            },
        };
        tracing::warn!(code = fault.code, "{}", fault.sentence);
        supervisor.state.send_replace(LinkState::Lost(fault));
        tokio::select! {
            () = quit.cancelled() => break,
            () = sleep(backoff.after_failure()) => {}
        }
    }
    supervisor.end().await;
}

struct Supervisor {
    program: WorkerProgram,
    endpoint: Endpoint,
    state: watch::Sender<LinkState>,
    looking: watch::Receiver<bool>,
    pace: Pace,
    child: Option<Running>,
}

impl Supervisor {
    /// Connects, starting a worker if nobody answers.
    async fn reach(&mut self) -> Result<Client, Fault> {
        match Client::connect(&self.endpoint).await {
            Ok(client) => return Ok(client),
            Err(TransportError::NotRunning(_)) => {}
            Err(error) => return Err(error.fault()),
        }
        // Kept in `self` all the while: dropping it would end the worker without a word.
        if self.child.as_mut().is_some_and(Running::has_ended) {
            self.child = None;
        }
        let child = match &mut self.child {
            // It is there but no longer answers, or not yet: it has `start_max` from now.
            Some(child) => child,
            none => none.insert(self.program.start()?),
        };
        let looking = async {
            loop {
                match Client::connect(&self.endpoint).await {
                    Err(TransportError::NotRunning(_)) => sleep(self.pace.look_every).await,
                    outcome => return outcome,
                }
            }
        };
        let outcome = tokio::select! {
            outcome = timeout(self.pace.start_max, looking) => outcome,
            // When two are started at once, one of them ends because the other has the endpoint: the next round
            // finds that one.
            fault = child.ended() => return Err(fault),
        };
        match outcome {
            Ok(outcome) => outcome.map_err(|error| error.fault()),
            Err(_) => {
                if let Some(child) = self.child.take() {
                    child.end_within(Duration::ZERO).await;
                }
                let seconds = self.pace.start_max.as_secs();
                Err(TransportError::NotAnswering { seconds }.fault())
            }
        }
    }

    /// Passes snapshots on until the connection ends, and says why it did.
    async fn follow(&mut self, client: Client) -> Fault {
        let mut looking = self.looking.clone();
        looking.mark_changed();
        let ended = async {
            let mut snapshots = client.subscribe().await?;
            loop {
                tokio::select! {
                    snapshot = snapshots.next() => {
                        let snapshot = snapshot?;
                        self.state.send_replace(LinkState::Live { client: client.clone(), snapshot });
                    }
                    // Whoever tells it is gone only when the app ends.
                    Ok(()) = looking.changed() => {
                        let on = *looking.borrow_and_update();
                        client.command(Command::Look { on }).await?;
                    }
                }
            }
        };
        let error: Result<std::convert::Infallible, TransportError> = ended.await;
        let fault = match error {
            Ok(never) => match never {},
            Err(error) => error.fault(),
        };
        // A worker that has died says more by how it died.
        match &mut self.child {
            Some(child) => timeout(DEATH_PATIENCE, child.ended()).await.unwrap_or(fault),
            None => fault,
        }
    }

    async fn end(mut self) {
        let client = match &*self.state.borrow() {
            LinkState::Live { client, .. } => Some(client.clone()),
            LinkState::Starting | LinkState::Lost(_) => None,
        };
        // A worker that was just started may answer by now.
        let client = match client {
            Some(client) => Some(client),
            None => Client::connect(&self.endpoint).await.ok(),
        };
        let mut told = false;
        if let Some(client) = &client {
            told = matches!(timeout(TOLD_MAX, client.command(Command::Shutdown)).await, Ok(Ok(_)));
        }
        match (self.child.take(), client) {
            (Some(child), _) => child.end_within(if told { self.pace.end_max } else { Duration::ZERO }).await,
            (None, Some(client)) if told => {
                // Not this app's child: the connection's end is how its end shows.
                let gone = async {
                    if let Ok(mut snapshots) = client.subscribe().await {
                        while snapshots.next().await.is_ok() {}
                    }
                };
                if timeout(self.pace.end_max, gone).await.is_err() {
                    tracing::warn!("the worker was told to end and has not ended yet");
                }
            }
            (None, _) => {}
        }
    }
}

/// How long after its connection's end a worker's process is given to end too.
const DEATH_PATIENCE: Duration = Duration::from_millis(500);

/// How long a worker may take to confirm that it will end.
const TOLD_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
