//! A runtime that computes nothing and can misbehave in every way that a real one could.
//!
//! It speaks the real protocol as a real process. What a `wgsl/1` task yields is the BLAKE3 expansion of its
//! payload's hash, so two honest fakes agree and a lying one is found out. Its devices and its benchmark say
//! that they are fake. Started with a model it serves one that is made up, whatever is in the file.

mod behaviour;
pub mod model;
mod task;

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_checks::memory::{FilledReference, Memory, MemoryTranscript};
use lull_checks::product::Reference;
use lull_runtime_api::{
    Answer, ChallengeAnswer, ChallengeStep, FRAMES, FrameError, PROTOCOL_VERSION, Request, RunOutcome,
    RuntimeEvent, RuntimeInfo, ServingEvent,
};
use lull_types::{
    BenchmarkReport, BlobHash, Fault, JOB_KIND_INFER, JOB_KIND_WGSL, Measure, Measurement, UnixMillis,
};

pub use behaviour::{Behaviour, FakeFault, Greeting, fake_device};

/// The name under which it introduces itself.
pub const NAME: &str = "lull-runtime-fake";
/// Often enough that a run of a tenth of a second shows progress.
const STEP: Duration = Duration::from_millis(20);
/// A hang ends by itself after this, so that a test that fails leaves no process behind for ever.
const HANG_MAX: Duration = Duration::from_secs(600);

/// Serves requests until the input ends.
pub fn serve(
    behaviour: &Behaviour,
    mut input: impl Read + Send + 'static,
    output: impl Write,
) -> anyhow::Result<()> {
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        loop {
            let request: Result<Request, FrameError> = FRAMES.read_blocking(&mut input);
            let last = request.is_err();
            if sender.send(request).is_err() || last {
                return;
            }
        }
    });
    let mut fake = Fake {
        behaviour,
        has_model: std::env::args().any(|argument| argument == "--model"),
        output,
        requests,
        greeted: false,
        pace: 100,
        runs: 0,
        prepared: false,
        computed: None,
        held: None,
    };
    loop {
        match fake.requests.recv() {
            Err(_) | Ok(Err(FrameError::Closed)) => return Ok(()),
            Ok(Err(error)) => return Err(error.into()),
            Ok(Ok(request)) => {
                if fake.answer(request)?.is_break() {
                    return Ok(());
                }
            }
        }
    }
}

struct Fake<'a, W> {
    behaviour: &'a Behaviour,
    output: W,
    requests: Receiver<Result<Request, FrameError>>,
    greeted: bool,
    /// Whether it was started with a model.
    has_model: bool,
    /// How much of the time it works, in per cent.
    pace: u8,
    runs: u32,
    /// Whether a challenge was begun.
    prepared: bool,
    /// The product of the challenge.
    computed: Option<Reference>,
    /// The memory of the challenge.
    held: Option<Held>,
}

/// Memory that is filled, and what was found in it.
struct Held {
    filled: FilledReference,
    found: MemoryTranscript,
}

/// What interrupts work.
enum Interruption {
    Cancelled,
    /// The other side closed, or asked for the end.
    Over,
}

impl<W: Write> Fake<'_, W> {
    fn say(&mut self, event: &RuntimeEvent) -> anyhow::Result<()> {
        Ok(FRAMES.write_blocking(&mut self.output, event)?)
    }

    fn refuse(&mut self, code: &str, sentence: &str) -> anyhow::Result<()> {
        self.say(&RuntimeEvent::Refused(Fault::new(code, sentence)))
    }

    fn answer(&mut self, request: Request) -> anyhow::Result<ControlFlow<()>> {
        match request {
            Request::Hello { protocol } => self.greet(protocol)?,
            Request::Shutdown => return Ok(ControlFlow::Break(())),
            // What it would stop is over.
            Request::Cancel => {}
            Request::Pace { percent } => self.pace = percent,
            _ if !self.greeted => self.refuse("hello_first", "the first message must be Hello")?,
            Request::Enumerate => {
                let devices = self.behaviour.devices.clone();
                self.say(&RuntimeEvent::Devices(devices))?;
            }
            Request::Serve(_) if self.has_model => return self.serve_model(),
            Request::Serve(_) => self.refuse("kind_unknown", "this runtime was started without a model")?,
            // What it is about has ended.
            Request::Ask { .. } | Request::Drop { .. } => {}
            Request::Challenge(step) => {
                let answer = self.challenge(step);
                self.say(&RuntimeEvent::ChallengeAnswered(answer))?;
            }
            Request::Benchmark { device, mut measures, sustained_ms, .. } => {
                if sustained_ms > 0 {
                    measures.push(Measure::Sustained);
                }
                return self.benchmark(device, &measures);
            }
            Request::Run { device, kind, payload, inputs, limits } => {
                self.runs += 1;
                if self.device(device).is_none() {
                    self.refuse("no_such_device", "there is no such device")?;
                } else if kind != JOB_KIND_WGSL {
                    self.refuse("kind_unknown", "this runtime does not run jobs of that kind")?;
                } else {
                    match task::plan(&payload, &inputs, &limits, self.behaviour) {
                        Ok(plan) => return self.run(plan, Duration::from_millis(limits.run_ms_max)),
                        Err(fault) => self.say(&RuntimeEvent::RunEnded(RunOutcome::TaskFault(fault)))?,
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Answers as a device would, at the pace of a processor.
    fn challenge(&mut self, step: ChallengeStep) -> Result<ChallengeAnswer, Fault> {
        let unusable = |fault: String| Fault::new("challenge_unusable", fault);
        let out_of_order = || Fault::new("challenge_out_of_order", "the challenge came out of order");
        match step {
            ChallengeStep::Prepare { device } => {
                self.device(device).ok_or_else(|| Fault::new("no_such_device", "there is no such device"))?;
                self.prepared = true;
                Ok(ChallengeAnswer::Prepared)
            }
            _ if !self.prepared => Err(out_of_order()),
            ChallengeStep::Commit(product) => {
                product.check_shape().map_err(|fault| unusable(fault.to_string()))?;
                let computed = self.computed.insert(Reference::compute(product));
                Ok(ChallengeAnswer::Committed(computed.root()))
            }
            ChallengeStep::Open(rows) => {
                let computed = self.computed.as_ref().ok_or_else(out_of_order)?;
                let opened = computed.open(&rows).map_err(|fault| unusable(fault.to_string()))?;
                Ok(ChallengeAnswer::Opened(opened))
            }
            ChallengeStep::Fill(memory) => {
                self.held = Some(self.fill(memory)?);
                Ok(ChallengeAnswer::Filled)
            }
            ChallengeStep::Sweep(sweeps) => {
                let held = self.held.as_mut().ok_or_else(out_of_order)?;
                held.found.sweeps =
                    held.filled.sweep(&sweeps).map_err(|fault| unusable(fault.to_string()))?;
                Ok(ChallengeAnswer::Swept(BlobHash::of(&held.found.sweeps)))
            }
            ChallengeStep::LookUp(seed) => {
                let held = self.held.as_mut().ok_or_else(out_of_order)?;
                held.found.look_ups = held.filled.look_up(&seed);
                Ok(ChallengeAnswer::LookedUp(BlobHash::of(&held.found.look_ups)))
            }
            ChallengeStep::Show => {
                let held = self.held.take().ok_or_else(out_of_order)?;
                Ok(ChallengeAnswer::Shown(held.found))
            }
        }
    }

    fn fill(&mut self, memory: Memory) -> Result<Held, Fault> {
        self.held = None;
        memory.check_shape().map_err(|fault| Fault::new("challenge_unusable", fault.to_string()))?;
        if memory.bytes() as f64 > self.behaviour.memory_gigabytes * 1e9 {
            return Err(Fault::new("out_of_device_memory", "the device has not enough free memory for this"));
        }
        Ok(Held { filled: FilledReference::compute(memory), found: MemoryTranscript::default() })
    }

    fn greet(&mut self, protocol: u16) -> anyhow::Result<()> {
        let spoken = match self.behaviour.greeting {
            Greeting::Normal => PROTOCOL_VERSION,
            Greeting::OtherProtocol => PROTOCOL_VERSION + 1,
            Greeting::Never => return Ok(()),
        };
        if protocol != PROTOCOL_VERSION {
            return self.refuse("protocol_mismatch", "the worker speaks another version");
        }
        self.greeted = true;
        self.say(&RuntimeEvent::Hello(RuntimeInfo {
            protocol: spoken,
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kinds: vec![if self.has_model { JOB_KIND_INFER } else { JOB_KIND_WGSL }.to_owned()],
            sandbox: Vec::new(),
        }))
    }

    fn device(&self, index: u32) -> Option<&lull_types::DeviceInfo> {
        self.behaviour.devices.iter().find(|device| device.index == index)
    }

    fn benchmark(&mut self, device: u32, measures: &[Measure]) -> anyhow::Result<ControlFlow<()>> {
        let Some(device) = self.device(device).cloned() else {
            self.refuse("no_such_device", "there is no such device")?;
            return Ok(ControlFlow::Continue(()));
        };
        let started = Instant::now();
        let each = Duration::from_millis(self.behaviour.benchmark_ms_per_measure);
        let mut measurements = Vec::new();
        for (nth, &measure) in measures.iter().enumerate() {
            let value = match measure {
                Measure::MemoryAllocatable => self.behaviour.memory_gigabytes,
                _ => self.behaviour.benchmark_value,
            };
            let begun = Instant::now();
            loop {
                let part = if each.is_zero() { 1.0 } else { begun.elapsed().div_duration_f32(each).min(1.0) };
                self.say(&RuntimeEvent::BenchmarkProgress {
                    measure,
                    fraction: (nth as f32 + part) / measures.len() as f32,
                    value_so_far: Some(value),
                })?;
                if part >= 1.0 {
                    break;
                }
                match self.interruption(STEP.min(each))? {
                    None => {}
                    Some(Interruption::Cancelled) => {
                        let fault = Fault::new("cancelled", "the benchmark was cancelled");
                        self.say(&RuntimeEvent::BenchmarkEnded(Err(fault)))?;
                        return Ok(ControlFlow::Continue(()));
                    }
                    Some(Interruption::Over) => return Ok(ControlFlow::Break(())),
                }
            }
            let measurement =
                Measurement::new(measure, vec![value; 3], "fake: a constant, nothing was measured", true);
            self.say(&RuntimeEvent::Measured(measurement.clone()))?;
            measurements.push(measurement);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.say(&RuntimeEvent::BenchmarkEnded(Ok(BenchmarkReport::new(
            device,
            env!("CARGO_PKG_VERSION"),
            UnixMillis::default().after(now),
            started.elapsed(),
            measurements,
        ))))?;
        Ok(ControlFlow::Continue(()))
    }

    fn run(&mut self, plan: task::Plan, time_max: Duration) -> anyhow::Result<ControlFlow<()>> {
        let fault = self.behaviour.fault.filter(|_| self.runs > self.behaviour.good_runs);
        let mut worked = Duration::ZERO;
        let mut looked = Instant::now();
        loop {
            let now = Instant::now();
            worked += (now - looked) * u32::from(self.pace) / 100;
            looked = now;
            let part = if plan.takes.is_zero() { 1.0 } else { worked.div_duration_f32(plan.takes).min(1.0) };
            // Half-way, so that what goes wrong goes wrong in the middle of something.
            if let Some(fault) = fault.filter(|_| part >= 0.5)
                && self.misbehave(fault)?
            {
                return Ok(ControlFlow::Continue(()));
            }
            if part >= 1.0 {
                break;
            }
            if worked > time_max {
                let fault = Fault::new("run_too_long", "the task takes longer than its limit");
                self.say(&RuntimeEvent::RunEnded(RunOutcome::TaskFault(fault)))?;
                return Ok(ControlFlow::Continue(()));
            }
            self.say(&RuntimeEvent::RunProgress { fraction: part })?;
            match self.interruption(STEP.min(plan.takes))? {
                None => {}
                Some(Interruption::Cancelled) => {
                    self.say(&RuntimeEvent::RunEnded(RunOutcome::Cancelled))?;
                    return Ok(ControlFlow::Continue(()));
                }
                Some(Interruption::Over) => return Ok(ControlFlow::Break(())),
            }
        }
        let mut outputs = plan.outputs();
        if fault == Some(FakeFault::WrongOutput) {
            outputs.iter_mut().flatten().for_each(|byte| *byte ^= 0x55);
        }
        let ran_ms = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
        self.say(&RuntimeEvent::RunEnded(RunOutcome::Done {
            outputs,
            ran_ms,
            slices: 1,
            slice_ms_max: u32::try_from(STEP.as_millis()).unwrap_or(u32::MAX),
        }))?;
        Ok(ControlFlow::Continue(()))
    }

    /// Loads and serves a model until a cancel.
    fn serve_model(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let (mut texts, mut told) = (model::Texts::default(), 0);
        let began = Instant::now();
        let load = Duration::from_millis(self.behaviour.load_ms);
        let token = Duration::from_millis(self.behaviour.token_ms);
        loop {
            let is_loaded = began.elapsed() >= load;
            if !texts.is_ready && is_loaded {
                texts.is_ready = true;
                self.say(&RuntimeEvent::Serving(ServingEvent::Ready(Box::new(model::served()))))?;
                // What was asked before waited.
                for (number, ask) in std::mem::take(&mut texts.waiting) {
                    if let Some(answer) = texts.ask(number, ask) {
                        self.answer_ask(number, answer)?;
                    }
                }
            } else if !is_loaded {
                let fraction = began.elapsed().div_duration_f32(load).min(1.0);
                self.say(&RuntimeEvent::Serving(ServingEvent::Loading { fraction }))?;
            } else {
                let is_wrong = told >= self.behaviour.good_tokens && !texts.is_idle();
                if let Some(fault) = self.behaviour.fault.filter(|_| is_wrong)
                    && self.misbehave_serving(fault)?
                {
                    return Ok(ControlFlow::Continue(()));
                }
                for (number, answer) in texts.step() {
                    told += 1;
                    self.answer_ask(number, answer)?;
                }
            }
            let pause = if texts.is_ready { token } else { STEP.min(load) };
            match self.hear_asks(&mut texts, pause)? {
                None => {}
                Some(Interruption::Cancelled) => {
                    for number in texts.drop_all() {
                        self.answer_ask(number, Answer::Dropped)?;
                    }
                    self.say(&RuntimeEvent::ServingEnded(Ok(())))?;
                    return Ok(ControlFlow::Continue(()));
                }
                Some(Interruption::Over) => return Ok(ControlFlow::Break(())),
            }
        }
    }

    fn answer_ask(&mut self, number: u64, answer: Answer) -> anyhow::Result<()> {
        self.say(&RuntimeEvent::Serving(ServingEvent::Answer { number, answer }))
    }

    /// Takes what is asked of the model for `time`, or while there is nothing to write.
    fn hear_asks(
        &mut self,
        texts: &mut model::Texts,
        time: Duration,
    ) -> anyhow::Result<Option<Interruption>> {
        let until = Instant::now() + time;
        loop {
            match self.requests.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) | Ok(Err(FrameError::Closed)) => {
                    return Ok(Some(Interruption::Over));
                }
                Ok(Err(error)) => return Err(error.into()),
                Ok(Ok(Request::Cancel)) => return Ok(Some(Interruption::Cancelled)),
                Ok(Ok(Request::Shutdown)) => return Ok(Some(Interruption::Over)),
                Ok(Ok(Request::Pace { percent })) => self.pace = percent,
                Ok(Ok(Request::Ask { number, ask })) if !texts.is_ready => texts.waiting.push((number, *ask)),
                Ok(Ok(Request::Ask { number, ask })) => {
                    if let Some(answer) = texts.ask(number, *ask) {
                        self.answer_ask(number, answer)?;
                    }
                }
                Ok(Ok(Request::Drop { number })) => {
                    if let Some(answer) = texts.drop_ask(number) {
                        self.answer_ask(number, answer)?;
                    }
                }
                Ok(Ok(_)) => self.refuse("busy", "the runtime serves a model")?,
            }
        }
    }

    /// Does what is wrong between two tokens; tells whether serving ended by it.
    fn misbehave_serving(&mut self, fault: FakeFault) -> anyhow::Result<bool> {
        let ended = match fault {
            FakeFault::DeviceLost => Fault::new("model_failed", "the device was lost"),
            FakeFault::TaskFault => Fault::new("model_not_loaded", "the file is no model"),
            FakeFault::WrongOutput
            | FakeFault::Hang
            | FakeFault::Crash
            | FakeFault::OversizedFrame
            | FakeFault::Garbage => return self.misbehave(fault),
        };
        self.say(&RuntimeEvent::ServingEnded(Err(ended)))?;
        Ok(true)
    }

    /// Does what is wrong; tells whether the run ended by it.
    fn misbehave(&mut self, fault: FakeFault) -> anyhow::Result<bool> {
        match fault {
            // Told apart where the outputs are made.
            FakeFault::WrongOutput => return Ok(false),
            FakeFault::Hang => {
                std::thread::sleep(HANG_MAX);
                std::process::abort();
            }
            FakeFault::Crash => std::process::abort(),
            FakeFault::OversizedFrame => {
                self.output.write_all(&u32::MAX.to_le_bytes())?;
                self.output.write_all(&[0; 64])?;
                self.output.flush()?;
            }
            FakeFault::Garbage => {
                self.output.write_all(&[8, 0, 0, 0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8])?;
                self.output.flush()?;
            }
            FakeFault::DeviceLost => {
                let fault = Fault::new("device_lost", "the device was lost");
                self.say(&RuntimeEvent::RunEnded(RunOutcome::DeviceFault(fault)))?;
            }
            FakeFault::TaskFault => {
                let fault = Fault::new("shader_invalid", "the shader does not compile");
                self.say(&RuntimeEvent::RunEnded(RunOutcome::TaskFault(fault)))?;
            }
        }
        Ok(true)
    }

    /// Waits for `time`, or for what interrupts the work. Whatever else is asked meanwhile is refused.
    fn interruption(&mut self, time: Duration) -> anyhow::Result<Option<Interruption>> {
        let until = Instant::now() + time;
        loop {
            match self.requests.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) | Ok(Err(FrameError::Closed)) => {
                    return Ok(Some(Interruption::Over));
                }
                Ok(Err(error)) => return Err(error.into()),
                Ok(Ok(Request::Cancel)) => return Ok(Some(Interruption::Cancelled)),
                Ok(Ok(Request::Shutdown)) => return Ok(Some(Interruption::Over)),
                Ok(Ok(Request::Pace { percent })) => self.pace = percent,
                Ok(Ok(_)) => self.refuse("busy", "the runtime is doing something else")?,
            }
        }
    }
}
