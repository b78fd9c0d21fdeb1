//! The protocol loop: requests in, events out, one piece of work at a time.
//!
//! Three threads: one reads requests, one works, and the loop between them stays free, so that it can refuse,
//! cancel, end the process, and tell of a driver that never returns.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use lull_runtime_api::program::{Controls, Outbox, read_requests};
use lull_runtime_api::{
    ChallengeStep, FrameError, Limits, PROTOCOL_VERSION, Request, RunOutcome, RuntimeEvent, RuntimeInfo,
    TaskInput,
};
use lull_types::{Coded, Fault, JOB_KIND_WGSL, Measure, SandboxPart};
use lull_wgsl::{CheckedTask, TaskError};

use crate::adapters::Adapters;
use crate::benchmark::{self, BenchmarkError};
use crate::challenge::{ChallengeError, Challenged};
use crate::gpu::GpuError;
use crate::wgsl::{self, RunError};
use crate::work::{Pulse, Step, Work};

/// How often the loop looks for an overdue step while work goes on.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Stack of the work thread. Shader parsers recurse over what strangers wrote, up to a depth of their own.
const WORK_STACK_BYTES: usize = 16 * 1024 * 1024;

/// What the process is told before it serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a submission may take: [`crate::work::HANG_AFTER`] outside tests.
    pub hang_after: Duration,
    /// How the process is locked down.
    pub sandbox: Vec<SandboxPart>,
}

/// Why serving ended. The process ends with it, at once.
#[derive(Debug)]
pub enum Ended {
    /// The worker asked for it or went away.
    Asked,
    /// A GPU can no longer be trusted.
    Device,
    /// The worker does not speak this protocol, or cannot be reached.
    Frames(FrameError),
}

enum Inbound {
    Request(Result<Request, FrameError>),
    /// Work ended: how it is told, and whether the process has to end.
    Worked(RuntimeEvent, bool),
}

enum Job {
    Enumerate,
    Benchmark { device: u32, measures: Vec<Measure>, budget_ms: u64, sustained_ms: u64 },
    Run { device: u32, kind: String, payload: Vec<u8>, inputs: Vec<TaskInput>, limits: Limits },
    Challenge(ChallengeStep),
}

impl Job {
    /// How a failure of this job is told by someone else than the job.
    fn failure(&self) -> fn(Fault) -> RuntimeEvent {
        match self {
            Self::Enumerate => RuntimeEvent::Refused,
            Self::Benchmark { .. } => |fault| RuntimeEvent::BenchmarkEnded(Err(fault)),
            Self::Challenge(_) => |fault| RuntimeEvent::ChallengeAnswered(Err(fault)),
            Self::Run { .. } => |fault| RuntimeEvent::RunEnded(RunOutcome::DeviceFault(fault)),
        }
    }
}

/// Serves until the worker is gone, asks to end, or a GPU has to be given up.
pub fn serve(input: impl Read + Send + 'static, outbox: &Outbox, options: &Options) -> Ended {
    let (inbound, messages) = channel();
    let reader = inbound.clone();
    thread::spawn(move || read_requests(input, &reader, Inbound::Request));
    let (jobs, job_queue) = channel();
    let controls = Arc::new(Controls::default());
    let pulse = Arc::new(Pulse::default());
    let events = outbox.clone();
    let emit = move |event: RuntimeEvent| {
        // A worker that is gone is noticed by the reader.
        let _ = events.send(&event);
    };
    let work = Work::new(emit, controls.clone(), pulse.clone(), options.hang_after);
    let spawned =
        thread::Builder::new().name("work".to_owned()).stack_size(WORK_STACK_BYTES).spawn(move || {
            do_jobs(&job_queue, &work, &inbound);
        });
    if let Err(error) = spawned {
        return Ended::Frames(error.into());
    }
    let mut server = Server { outbox, options, jobs, controls, pulse, greeted: false, failure: None };
    server.serve(&messages).unwrap_or_else(Ended::Frames)
}

struct Server<'a> {
    outbox: &'a Outbox,
    options: &'a Options,
    jobs: Sender<Job>,
    controls: Arc<Controls>,
    pulse: Arc<Pulse>,
    greeted: bool,
    /// Set while work goes on.
    failure: Option<fn(Fault) -> RuntimeEvent>,
}

impl Server<'_> {
    fn serve(&mut self, messages: &Receiver<Inbound>) -> Result<Ended, FrameError> {
        loop {
            let message = match messages.recv_timeout(LOOK_EVERY) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(step) = self.pulse.overdue(Instant::now()) {
                        self.tell_overdue(step)?;
                        return Ok(Ended::Device);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Asked),
            };
            match message {
                Inbound::Request(Err(FrameError::Closed) | Ok(Request::Shutdown)) => {
                    return Ok(Ended::Asked);
                }
                Inbound::Request(Err(error)) => {
                    self.refuse(error.fault())?;
                    return Err(error);
                }
                Inbound::Worked(event, ends_process) => {
                    self.failure = None;
                    self.outbox.set_failure(None);
                    self.outbox.send(&event)?;
                    if ends_process {
                        return Ok(Ended::Device);
                    }
                }
                Inbound::Request(Ok(Request::Hello { protocol })) => self.greet(protocol)?,
                Inbound::Request(Ok(_)) if !self.greeted => {
                    self.refuse(Fault::new("hello_missing", "The first message has to be a greeting."))?;
                }
                Inbound::Request(Ok(Request::Serve(_) | Request::Ask { .. } | Request::Drop { .. })) => {
                    self.refuse(Fault::new("kind_unsupported", "This runtime serves no models."))?;
                }
                Inbound::Request(Ok(Request::Cancel)) => self.controls.set_cancelled(true),
                Inbound::Request(Ok(Request::Pace { percent })) => self.controls.set_pace(percent),
                Inbound::Request(Ok(Request::Enumerate)) => self.start(Job::Enumerate)?,
                Inbound::Request(Ok(Request::Challenge(step))) => self.start(Job::Challenge(step))?,
                Inbound::Request(Ok(Request::Benchmark { device, measures, budget_ms, sustained_ms })) => {
                    self.start(Job::Benchmark { device, measures, budget_ms, sustained_ms })?;
                }
                Inbound::Request(Ok(Request::Run { device, kind, payload, inputs, limits })) => {
                    self.start(Job::Run { device, kind, payload, inputs, limits })?;
                }
            }
        }
    }

    fn greet(&mut self, protocol: u16) -> Result<(), FrameError> {
        self.greeted = protocol == PROTOCOL_VERSION;
        if !self.greeted {
            let sentence = format!(
                "The worker speaks version {protocol} and this runtime version {PROTOCOL_VERSION}; \
                 both have to come from the same release."
            );
            return self.refuse(Fault::new("protocol_mismatch", sentence));
        }
        self.outbox.send(&RuntimeEvent::Hello(RuntimeInfo {
            protocol: PROTOCOL_VERSION,
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kinds: vec![JOB_KIND_WGSL.to_owned()],
            sandbox: self.options.sandbox.clone(),
        }))
    }

    fn start(&mut self, job: Job) -> Result<(), FrameError> {
        if self.failure.is_some() {
            return self.refuse(Fault::new("busy", "The runtime does one thing at a time and is at work."));
        }
        // A cancel that came after its work had ended is not meant for this one.
        self.controls.set_cancelled(false);
        self.failure = Some(job.failure());
        self.outbox.set_failure(self.failure);
        self.jobs.send(job).map_err(|_| std::io::Error::other("the work thread has ended").into())
    }

    fn tell_overdue(&self, step: Step) -> Result<(), FrameError> {
        let Some(failure) = self.failure else { return Ok(()) };
        let event = failure(match step {
            Step::Submission => GpuError::Hang.fault(),
            Step::Load => GpuError::LoadTooLong.fault(),
            Step::Compile => GpuError::CompileTooLong.fault(),
        });
        // A task whose shaders do not get compiled would stop every other device just so.
        let event = match event {
            RuntimeEvent::RunEnded(RunOutcome::DeviceFault(fault)) if step == Step::Compile => {
                RuntimeEvent::RunEnded(RunOutcome::TaskFault(fault))
            }
            event => event,
        };
        self.outbox.send(&event)
    }

    fn refuse(&self, fault: Fault) -> Result<(), FrameError> {
        self.outbox.send(&RuntimeEvent::Refused(fault))
    }
}

fn do_jobs(queue: &Receiver<Job>, work: &Work, inbound: &Sender<Inbound>) {
    // Asked once: drivers take long to load, and indices must not change.
    let mut known: Option<Adapters> = None;
    let mut session = None;
    let mut challenged = Challenged::default();
    while let Ok(job) = queue.recv() {
        let adapters = known.get_or_insert_with(|| work.step(Step::Load, Adapters::find));
        let (event, ends_process) = match job {
            Job::Enumerate => (RuntimeEvent::Devices(adapters.infos()), false),
            Job::Challenge(step) => {
                session = None;
                let result = challenged.step(step, adapters, work);
                let ends_process = matches!(&result, Err(ChallengeError::Gpu(error)) if error.ends_process());
                (RuntimeEvent::ChallengeAnswered(result.map_err(|error| error.fault())), ends_process)
            }
            Job::Benchmark { device, measures, budget_ms, sustained_ms } => {
                challenged = Challenged::default();
                // What it holds would be missing from the device that is measured.
                session = None;
                let budget = Duration::from_millis(budget_ms);
                let sustained = Duration::from_millis(sustained_ms);
                let result = adapters
                    .get(device)
                    .inspect(|adapter| work.is_for(adapter.info.kind))
                    .map_err(BenchmarkError::from)
                    .and_then(|adapter| benchmark::run(adapter, &measures, budget, sustained, work));
                let ends_process = matches!(&result, Err(BenchmarkError::Gpu(error)) if error.ends_process());
                (RuntimeEvent::BenchmarkEnded(result.map_err(|error| error.fault())), ends_process)
            }
            Job::Run { device, kind, payload, inputs, limits } => {
                let result = adapters.get(device).map_err(RunError::from).and_then(|adapter| {
                    work.is_for(adapter.info.kind);
                    let task = checked(&kind, &payload, &inputs, &limits)?;
                    wgsl::run(adapter, &mut session, &task, &limits, work)
                });
                let ends_process = matches!(&result, Err(RunError::Gpu(error)) if error.ends_process());
                (RuntimeEvent::RunEnded(result.unwrap_or_else(|error| error.outcome())), ends_process)
            }
        };
        if inbound.send(Inbound::Worked(event, ends_process)).is_err() {
            return;
        }
    }
}

fn checked<'a>(
    kind: &str,
    payload: &[u8],
    inputs: &'a [TaskInput],
    limits: &Limits,
) -> Result<CheckedTask<'a>, RunError> {
    if kind != JOB_KIND_WGSL {
        return Err(TaskError::KindUnsupported(kind.to_owned()).into());
    }
    Ok(lull_wgsl::check(payload, inputs, limits)?)
}
