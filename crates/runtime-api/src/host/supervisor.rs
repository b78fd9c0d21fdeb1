//! The task that owns a runtime process: one loop over one closed set of events.

use std::collections::HashSet;
use std::time::Duration;

use lull_frame::FrameError;
use lull_types::{BenchmarkReport, DeviceInfo};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::End;
use super::spawn::Spawned;
use super::{EVENT_FRAMES, Exit, RuntimeCommand, RuntimeError};
use crate::{
    Ask, ChallengeAnswer, ChallengeStep, FRAMES, PROTOCOL_VERSION, Request, RunOutcome, RuntimeEvent,
    RuntimeInfo, Serve, ServingEvent,
};

/// What the handles ask of the supervisor.
pub(super) enum Command {
    /// List the devices.
    Devices { reply: End<Vec<DeviceInfo>> },
    /// Start a benchmark.
    Benchmark {
        request: Request,
        bound: Duration,
        progress: mpsc::Sender<RuntimeEvent>,
        end: End<BenchmarkReport>,
    },
    /// Start a run.
    Run { request: Request, bound: Duration, progress: mpsc::Sender<RuntimeEvent>, end: End<RunOutcome> },
    /// Take a step of the challenge.
    Challenge { step: ChallengeStep, reply: End<ChallengeAnswer> },
    /// Serve a model.
    Serve { serve: Box<Serve>, events: mpsc::Sender<ServingEvent>, end: End<()> },
    /// Ask it something.
    Ask { number: u64, ask: Box<Ask> },
    /// No longer want an answer of it.
    Drop { number: u64 },
    /// Rest between slices.
    Pace { percent: u8 },
    /// Stop what is being done.
    Cancel,
    /// End the process in an orderly way.
    Shutdown,
}

/// What the runtime is doing.
enum Doing {
    Nothing,
    Listing { reply: End<Vec<DeviceInfo>> },
    Challenged { reply: End<ChallengeAnswer> },
    Benchmarking { progress: mpsc::Sender<RuntimeEvent>, end: End<BenchmarkReport> },
    Running { progress: mpsc::Sender<RuntimeEvent>, end: End<RunOutcome> },
    Serving(ServedModel),
}

/// A model that is served.
struct ServedModel {
    events: mpsc::Sender<ServingEvent>,
    end: End<()>,
    /// Whether it is loaded.
    ready: bool,
    /// Asks that go on.
    open: HashSet<u64>,
}

impl Doing {
    /// Completes when nobody waits for the end any more. Never completes when nothing is being done.
    async fn abandoned(&mut self) {
        match self {
            Self::Nothing => std::future::pending().await,
            Self::Listing { reply } => reply.closed().await,
            Self::Challenged { reply } => reply.closed().await,
            Self::Benchmarking { end, .. } => end.closed().await,
            Self::Running { end, .. } => end.closed().await,
            Self::Serving(model) => model.end.closed().await,
        }
    }

    /// Tells whoever waits that it ended badly.
    fn fail(self, error: RuntimeError) {
        // A receiver that is gone has no need to know.
        match self {
            Self::Nothing => {}
            Self::Listing { reply } => drop(reply.send(Err(error))),
            Self::Challenged { reply } => drop(reply.send(Err(error))),
            Self::Benchmarking { end, .. } => drop(end.send(Err(error))),
            Self::Running { end, .. } => drop(end.send(Err(error))),
            Self::Serving(model) => drop(model.end.send(Err(error))),
        }
    }
}

impl ServedModel {
    /// Hands on what was told of it, if it makes sense.
    fn take(&mut self, event: ServingEvent) -> Result<(), RuntimeError> {
        let makes_sense = match &event {
            ServingEvent::Loading { .. } => !self.ready,
            ServingEvent::Ready(_) => !std::mem::replace(&mut self.ready, true),
            ServingEvent::Answer { number, answer } if answer.is_last() => self.open.remove(number),
            ServingEvent::Answer { number, .. } => self.open.contains(number),
        };
        if !makes_sense {
            return Err(misplaced(&RuntimeEvent::Serving(event)));
        }
        match self.events.try_send(event) {
            // Whoever has gone is noticed by the end, which is gone, too.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(RuntimeError::Garbled { reason: "more events than anybody could read".to_owned() })
            }
        }
    }
}

/// The ends that the handles hold.
pub(super) struct Started {
    pub info: RuntimeInfo,
    pub commands: mpsc::UnboundedSender<Command>,
    pub kill: CancellationToken,
    pub exit: watch::Receiver<Option<Exit>>,
}

/// Shakes hands and leaves a task behind that supervises the process.
pub(super) async fn start(spawned: Spawned, command: &RuntimeCommand) -> Result<Started, RuntimeError> {
    let process_id = spawned.process_id;
    tokio::spawn(super::stderr::log_lines(spawned.stderr, process_id));
    let mut process = Process {
        child: spawned.child,
        requests: write_requests(spawned.stdin),
        events: read_events(spawned.stdout),
        #[cfg(windows)]
        _job: spawned.job,
    };
    match process.shake_hands(command.hello_timeout).await {
        Ok(info) => {
            tracing::debug!(process_id, runtime = info.name, version = info.version, "a runtime is ready");
            let (commands, inbox) = mpsc::unbounded_channel();
            let (exited, exit) = watch::channel(None);
            let kill = CancellationToken::new();
            let supervisor = Supervisor {
                process,
                inbox,
                kill: kill.clone(),
                devices_timeout: command.devices_timeout,
                silence_max: command.silence_max,
                doing: Doing::Nothing,
                heard_at: Instant::now(),
                overdue_at: None,
                rest_allowed: 1,
                patience: Duration::MAX,
                cancel_sent: false,
                shutting_down: false,
            };
            tokio::spawn(supervisor.supervise(exited));
            Ok(Started { info, commands, kill, exit })
        }
        Err(error) => {
            process.end().await;
            Err(error)
        }
    }
}

/// The child and its pipes.
struct Process {
    child: Child,
    requests: mpsc::UnboundedSender<Request>,
    events: mpsc::Receiver<Result<RuntimeEvent, FrameError>>,
    #[cfg(windows)]
    _job: super::job_object::JobObject,
}

impl Process {
    async fn shake_hands(&mut self, limit: Duration) -> Result<RuntimeInfo, RuntimeError> {
        self.tell(Request::Hello { protocol: PROTOCOL_VERSION });
        let other = |theirs: String| RuntimeError::OtherProtocol { ours: PROTOCOL_VERSION, theirs };
        match timeout(limit, self.events.recv()).await {
            Err(_) => Err(RuntimeError::NoHello { after: limit }),
            Ok(Some(Ok(RuntimeEvent::Hello(info)))) if info.protocol == PROTOCOL_VERSION => Ok(info),
            Ok(Some(Ok(RuntimeEvent::Hello(info)))) => Err(other(info.protocol.to_string())),
            Ok(Some(Ok(RuntimeEvent::Refused(fault)))) => Err(other(fault.sentence)),
            Ok(Some(Ok(event))) => Err(misplaced(&event)),
            Ok(Some(Err(FrameError::Closed)) | None) => Err(self.died().await),
            Ok(Some(Err(error))) => Err(RuntimeError::Garbled { reason: error.to_string() }),
        }
    }

    /// Queues a request. A pipe that is broken shows on the reading side.
    fn tell(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    /// The error for a process that closed its output: how it ended, if it ends by itself right away.
    async fn died(&mut self) -> RuntimeError {
        /// The output closes while the operating system tears the process down; a process that only closed
        /// its output does not end, and is not waited for.
        const TEARDOWN_MAX: Duration = Duration::from_secs(2);
        let status = timeout(TEARDOWN_MAX, self.child.wait()).await.ok().and_then(Result::ok);
        RuntimeError::Died { status }
    }

    /// Makes sure that the process is gone, and reaps it.
    async fn end(&mut self) -> Option<std::process::ExitStatus> {
        if let Err(error) = self.child.start_kill() {
            tracing::error!(%error, "a runtime cannot be killed");
        }
        self.child.wait().await.ok()
    }
}

/// Writes in a task of its own, so that a runtime that does not read stalls nobody else.
fn write_requests(mut stdin: ChildStdin) -> mpsc::UnboundedSender<Request> {
    let (sender, mut requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            if FRAMES.write(&mut stdin, &request).await.is_err() {
                return;
            }
        }
    });
    sender
}

/// Reads in a task of its own, as reading a frame must not be cancelled half-way.
fn read_events(mut stdout: ChildStdout) -> mpsc::Receiver<Result<RuntimeEvent, FrameError>> {
    // Few, so that a runtime that floods is held back by its own pipe.
    let (sender, events) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let event = EVENT_FRAMES.read(&mut stdout).await;
            let last = event.is_err();
            if sender.send(event).await.is_err() || last {
                return;
            }
        }
    });
    events
}

struct Supervisor {
    process: Process,
    inbox: mpsc::UnboundedReceiver<Command>,
    kill: CancellationToken,
    devices_timeout: Duration,
    silence_max: Duration,
    doing: Doing,
    /// When the runtime last said something, or was last asked something.
    heard_at: Instant,
    /// When what it does must have ended.
    overdue_at: Option<(Instant, Duration)>,
    /// How many times its bound it may take, as it was told to rest.
    rest_allowed: u32,
    /// The longest silence while it does what it does.
    patience: Duration,
    cancel_sent: bool,
    shutting_down: bool,
}

impl Supervisor {
    /// Runs until the process is gone, then tells everyone.
    async fn supervise(mut self, exited: watch::Sender<Option<Exit>>) {
        let reason = self.watch().await;
        // Reaped first: whoever is told that the process is gone may rely on it.
        let status = self.process.end().await;
        tracing::debug!(?status, %reason, "a runtime is gone");
        exited.send_replace(Some(Exit { status, reason: reason.clone() }));
        std::mem::replace(&mut self.doing, Doing::Nothing).fail(reason);
    }

    /// Serves the handles; returns why the process must go or has gone.
    async fn watch(&mut self) -> RuntimeError {
        loop {
            let alarm = self.alarm();
            tokio::select! {
                biased;
                () = self.kill.cancelled() => return RuntimeError::Killed,
                command = self.inbox.recv() => match command {
                    // The last handle is gone; but what was started is still waited for by its own handle.
                    None if matches!(self.doing, Doing::Nothing) => return RuntimeError::Killed,
                    None => match self.finish_alone().await {
                        Some(error) => return error,
                        None => return RuntimeError::Killed,
                    },
                    Some(command) => self.obey(command),
                },
                event = self.process.events.recv() => {
                    if let Err(error) = self.hear(event).await {
                        return error;
                    }
                }
                () = self.doing.abandoned(), if !self.cancel_sent => self.cancel(),
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                    return self.out_of_patience();
                }
            }
        }
    }

    /// As [`Self::watch`], for a process without handles: ends with what it does.
    async fn finish_alone(&mut self) -> Option<RuntimeError> {
        while !matches!(self.doing, Doing::Nothing) {
            let alarm = self.alarm();
            tokio::select! {
                biased;
                () = self.kill.cancelled() => return Some(RuntimeError::Killed),
                event = self.process.events.recv() => {
                    if let Err(error) = self.hear(event).await {
                        return Some(error);
                    }
                }
                () = self.doing.abandoned() => return Some(RuntimeError::Killed),
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                    return Some(self.out_of_patience());
                }
            }
        }
        None
    }

    /// When patience ends, if something is being done.
    fn alarm(&self) -> Option<Instant> {
        let may_be_silent = match &self.doing {
            Doing::Nothing => true,
            // There is nothing to tell while nothing is asked.
            Doing::Serving(model) => model.ready && model.open.is_empty() && !self.cancel_sent,
            _ => false,
        };
        if may_be_silent {
            return None;
        }
        let silent_at = self.heard_at + self.patience;
        Some(self.overdue_at.map_or(silent_at, |(overdue_at, _)| silent_at.min(overdue_at)))
    }

    fn out_of_patience(&self) -> RuntimeError {
        match self.overdue_at {
            Some((at, bound)) if Instant::now() >= at => RuntimeError::Overdue { bound },
            _ => RuntimeError::Silent { after: self.patience },
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Cancel => self.cancel(),
            Command::Pace { percent } => {
                self.allow_rest(percent);
                self.process.tell(Request::Pace { percent });
            }
            Command::Shutdown => {
                self.shutting_down = true;
                self.process.tell(Request::Shutdown);
            }
            Command::Serve { serve, events, end } => {
                let patience = self.silence_max;
                let model = ServedModel { events, end, ready: false, open: HashSet::new() };
                self.begin(Request::Serve(serve), patience, None, Doing::Serving(model));
            }
            Command::Ask { number, ask } => {
                if let Doing::Serving(model) = &mut self.doing {
                    if model.open.is_empty() {
                        self.heard_at = Instant::now();
                    }
                    model.open.insert(number);
                    self.process.tell(Request::Ask { number, ask });
                }
            }
            Command::Drop { number } => {
                if matches!(&self.doing, Doing::Serving(model) if model.open.contains(&number)) {
                    self.process.tell(Request::Drop { number });
                }
            }
            Command::Devices { reply } => {
                let patience = self.devices_timeout;
                self.begin(Request::Enumerate, patience, None, Doing::Listing { reply });
            }
            Command::Challenge { step, reply } => {
                let patience = self.silence_max;
                self.begin(Request::Challenge(step), patience, None, Doing::Challenged { reply });
            }
            Command::Benchmark { request, bound, progress, end } => {
                let patience = self.silence_max;
                self.begin(request, patience, Some(bound), Doing::Benchmarking { progress, end });
            }
            Command::Run { request, bound, progress, end } => {
                let patience = self.silence_max;
                self.begin(request, patience, Some(bound), Doing::Running { progress, end });
            }
        }
    }

    fn begin(&mut self, request: Request, patience: Duration, bound: Option<Duration>, doing: Doing) {
        if self.shutting_down || !matches!(self.doing, Doing::Nothing) {
            doing.fail(RuntimeError::Busy);
            return;
        }
        let now = Instant::now();
        self.heard_at = now;
        // A bound that no clock can hold is none.
        self.overdue_at = bound.and_then(|bound| Some((now.checked_add(bound)?, bound)));
        self.rest_allowed = 1;
        self.patience = patience;
        self.cancel_sent = false;
        self.doing = doing;
        self.process.tell(request);
    }

    /// What rests may take longer: as long as at the slowest pace that it was ever told. The runtime itself keeps the
    /// limit of its work.
    fn allow_rest(&mut self, percent: u8) {
        let times = 100 / u32::from(percent.clamp(1, 100));
        if let Some((at, bound)) = self.overdue_at
            && times > self.rest_allowed
        {
            let more = bound.saturating_mul(times - self.rest_allowed);
            self.overdue_at = at.checked_add(more).map(|at| (at, bound));
            self.rest_allowed = times;
        }
    }

    fn cancel(&mut self) {
        if !matches!(self.doing, Doing::Nothing) && !self.cancel_sent {
            self.cancel_sent = true;
            self.process.tell(Request::Cancel);
        }
    }

    /// Takes in what the runtime said. An error ends the process.
    async fn hear(&mut self, event: Option<Result<RuntimeEvent, FrameError>>) -> Result<(), RuntimeError> {
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(FrameError::Closed)) | None if self.shutting_down => return Err(RuntimeError::Killed),
            Some(Err(FrameError::Closed)) | None => return Err(self.process.died().await),
            Some(Err(error)) => return Err(RuntimeError::Garbled { reason: error.to_string() }),
        };
        self.heard_at = Instant::now();
        // Each end is sent to whoever waits; one who no longer waits has no need to know. Progress that does
        // not fit is dropped.
        match (std::mem::replace(&mut self.doing, Doing::Nothing), event) {
            (Doing::Listing { reply }, RuntimeEvent::Devices(devices)) => drop(reply.send(Ok(devices))),
            (Doing::Challenged { reply }, RuntimeEvent::ChallengeAnswered(result)) => {
                drop(reply.send(result.map_err(RuntimeError::ChallengeFailed)));
            }
            (
                Doing::Benchmarking { progress, end },
                event @ (RuntimeEvent::BenchmarkProgress { .. } | RuntimeEvent::Measured(_)),
            ) => {
                let _ = progress.try_send(event);
                self.doing = Doing::Benchmarking { progress, end };
            }
            (Doing::Benchmarking { end, .. }, RuntimeEvent::BenchmarkEnded(result)) => {
                drop(end.send(result.map_err(RuntimeError::BenchmarkFailed)));
            }
            (Doing::Running { progress, end }, event @ RuntimeEvent::RunProgress { .. }) => {
                let _ = progress.try_send(event);
                self.doing = Doing::Running { progress, end };
            }
            (Doing::Running { end, .. }, RuntimeEvent::RunEnded(outcome)) => drop(end.send(Ok(outcome))),
            (Doing::Serving(mut model), RuntimeEvent::Serving(event)) => {
                let taken = model.take(event);
                self.doing = Doing::Serving(model);
                taken?;
            }
            (Doing::Serving(model), RuntimeEvent::ServingEnded(result)) => {
                drop(model.end.send(result.map_err(RuntimeError::ServingFailed)));
            }
            // A cancel that crossed the end of what it was to stop may be refused; nothing depends on it.
            (Doing::Nothing, RuntimeEvent::Refused(fault)) => {
                tracing::debug!(%fault, "a runtime refused what was over already");
            }
            (doing, RuntimeEvent::Refused(fault)) => doing.fail(RuntimeError::Refused(fault)),
            (doing, event) => {
                self.doing = doing;
                return Err(misplaced(&event));
            }
        }
        Ok(())
    }
}

fn misplaced(event: &RuntimeEvent) -> RuntimeError {
    let name = match event {
        RuntimeEvent::Hello(_) => "Hello",
        RuntimeEvent::Devices(_) => "Devices",
        RuntimeEvent::BenchmarkProgress { .. } => "BenchmarkProgress",
        RuntimeEvent::Measured(_) => "Measured",
        RuntimeEvent::BenchmarkEnded(_) => "BenchmarkEnded",
        RuntimeEvent::RunProgress { .. } => "RunProgress",
        RuntimeEvent::RunEnded(_) => "RunEnded",
        RuntimeEvent::ChallengeAnswered(_) => "ChallengeAnswered",
        RuntimeEvent::Serving(_) => "Serving",
        RuntimeEvent::ServingEnded(_) => "ServingEnded",
        RuntimeEvent::Refused(_) => "Refused",
    };
    RuntimeError::Garbled { reason: format!("a {name} that nobody asked for") }
}
