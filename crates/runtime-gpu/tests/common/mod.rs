//! The runtime as a process of its own, and helpers to ask it.

#![allow(dead_code, reason = "every test program uses a part of this")]

pub mod scene;

use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use lull_runtime_api::{
    FRAMES, FrameError, Limits, PROTOCOL_VERSION, Request, RunOutcome, RuntimeEvent, TaskInput,
};
use lull_types::wgsl::{
    Tolerance, WgslBinding, WgslBuffer, WgslBufferRole, WgslDispatch, WgslInit, WgslTask,
};
use lull_types::{BlobHash, DeviceInfo, JOB_KIND_WGSL};

/// Bound on a single wait for an event. Two loaded cores compile shaders slowly.
const EVENT_WITHIN: Duration = Duration::from_secs(60);

/// A running runtime.
pub struct Runtime {
    pub child: Child,
    /// `None` once closed.
    pub requests: Option<ChildStdin>,
    pub events: Receiver<Result<RuntimeEvent, FrameError>>,
}

impl Runtime {
    /// Starts it, without greeting.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lull-runtime-gpu"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take();
        let mut output = child.stdout.take().unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            loop {
                let event = FRAMES.read_blocking(&mut output);
                let is_last = event.is_err();
                if sender.send(event).is_err() || is_last {
                    return;
                }
            }
        });
        Self { child, requests, events }
    }

    /// Starts it and greets.
    pub fn greeted(arguments: &[&str]) -> Self {
        let mut runtime = Self::start(arguments);
        runtime.send(&Request::Hello { protocol: PROTOCOL_VERSION });
        match runtime.event() {
            RuntimeEvent::Hello(info) => assert_eq!(info.kinds, [JOB_KIND_WGSL]),
            other => panic!("{other:?}"),
        }
        runtime
    }

    /// Starts it if there is a device; says so loudly if there is none.
    pub fn with_device(arguments: &[&str]) -> Option<(Self, DeviceInfo)> {
        let mut runtime = Self::greeted(arguments);
        let device = runtime.devices().into_iter().next();
        if device.is_none() {
            eprintln!(
                "SKIPPED: this machine has no GPU and no software adapter; install mesa-vulkan-drivers"
            );
        }
        device.map(|device| (runtime, device))
    }

    pub fn send(&mut self, request: &Request) {
        FRAMES.write_blocking(self.requests.as_mut().unwrap(), request).unwrap();
    }

    /// The next event, or `None` once the runtime is gone.
    pub fn event_or_end(&mut self) -> Option<RuntimeEvent> {
        match self.events.recv_timeout(EVENT_WITHIN) {
            Ok(Ok(event)) => Some(event),
            Ok(Err(FrameError::Closed)) | Err(RecvTimeoutError::Disconnected) => None,
            Ok(Err(error)) => panic!("{error}"),
            Err(RecvTimeoutError::Timeout) => panic!("no event within {EVENT_WITHIN:?}"),
        }
    }

    pub fn event(&mut self) -> RuntimeEvent {
        self.event_or_end().expect("the runtime has ended")
    }

    pub fn devices(&mut self) -> Vec<DeviceInfo> {
        self.send(&Request::Enumerate);
        match self.event() {
            RuntimeEvent::Devices(devices) => devices,
            other => panic!("{other:?}"),
        }
    }

    /// Starts a task on the first device.
    pub fn start_payload(&mut self, payload: Vec<u8>, inputs: Vec<TaskInput>, limits: Limits) {
        self.send(&Request::Run { device: 0, kind: JOB_KIND_WGSL.to_owned(), payload, inputs, limits });
    }

    /// Waits for the end of a run.
    pub fn outcome(&mut self) -> RunOutcome {
        loop {
            match self.event() {
                RuntimeEvent::RunProgress { fraction } => assert!((0.0..=1.0).contains(&fraction)),
                RuntimeEvent::RunEnded(outcome) => return outcome,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Runs a task to its end.
    pub fn run(&mut self, task: &WgslTask, inputs: Vec<TaskInput>, limits: Limits) -> RunOutcome {
        self.start_payload(serde_json::to_vec(task).unwrap(), inputs, limits);
        self.outcome()
    }

    /// Runs a task that is to succeed, and returns its outputs.
    pub fn outputs(&mut self, task: &WgslTask, inputs: Vec<TaskInput>) -> Vec<Vec<u8>> {
        match self.run(task, inputs, Limits::default()) {
            RunOutcome::Done { outputs, ran_ms, slices, slice_ms_max } => {
                eprintln!("ran {ran_ms} ms in {slices} slices of at most {slice_ms_max} ms");
                outputs
            }
            other => panic!("{other:?}"),
        }
    }

    /// The exit status, waited for within a bound.
    pub fn exit_code(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the runtime did not end");
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

pub fn input(bytes: Vec<u8>) -> TaskInput {
    TaskInput { hash: BlobHash::of(&bytes), bytes }
}

pub fn buffer(bytes: u64, role: WgslBufferRole, init: WgslInit) -> WgslBuffer {
    WgslBuffer { bytes, init, role }
}

/// A dispatch with the buffers at `bindings` of group 0: pairs of binding and buffer.
pub fn dispatch(entry: &str, workgroups: u32, bindings: &[(u32, u32)]) -> WgslDispatch {
    let bindings =
        bindings.iter().map(|&(binding, buffer)| WgslBinding { group: 0, binding, buffer }).collect();
    WgslDispatch { shader: 0, entry: entry.to_owned(), bindings, workgroups }
}

pub const SLICE: &str = "
struct LullSlice { first_workgroup: u32, workgroup_count: u32, reserved_0: u32, reserved_1: u32 }
@group(3) @binding(0) var<uniform> lull_slice: LullSlice;
";

/// A task of one shader with one output at binding 0, filled with zeroes.
pub fn small_task(body: &str, output_words: u64, workgroups: u32) -> WgslTask {
    WgslTask {
        shaders: vec![format!(
            "{SLICE}\n@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n{body}"
        )],
        buffers: vec![buffer(output_words * 4, WgslBufferRole::ReadWrite, WgslInit::Zero)],
        dispatches: vec![dispatch("main", workgroups, &[(0, 0)])],
        outputs: vec![0],
        tolerance: Tolerance::Exact,
    }
}
