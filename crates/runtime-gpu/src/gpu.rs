//! One opened device: what it was asked, what went wrong with it, and waiting for it with a bound.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lull_types::Coded;

use crate::adapters::FoundAdapter;
use crate::work::{Step, Work};

/// The device or its driver is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// There is no device of this index.
    #[error(
        "There is no GPU number {0} on this machine. It may have been removed; look at the list of devices."
    )]
    Unknown(u32),
    /// The driver did not open the device.
    #[error("The GPU could not be opened, so nothing was run on it. Updating its driver may help. ({0})")]
    NotOpened(String),
    /// The device is too small for what was asked, though the request keeps to all limits.
    #[error("The GPU cannot hold this task: {0}. Another GPU may be able to.")]
    TooSmall(String),
    /// A submission did not end.
    #[error(
        "The GPU did not finish a short piece of work in time and is taken to hang. Work on it was stopped."
    )]
    Hang,
    /// The drivers do not get done with loading.
    #[error(
        "A GPU's driver took too long to load. Restarting the computer, or updating the driver, may help."
    )]
    LoadTooLong,
    /// The driver does not get done with compiling.
    #[error("The GPU's driver took too long to compile shaders. Work on it was stopped.")]
    CompileTooLong,
    /// The driver gave the device up.
    #[error("The driver lost the GPU, as after a crash or a reset. Work on it was stopped. ({0})")]
    Lost(String),
    /// An allocation failed.
    #[error("The GPU has not enough free memory for this. Closing other programs may help.")]
    OutOfMemory,
    /// wgpu refused a call that our own checks had passed.
    #[error("The graphics library refused what was asked of it. ({0})")]
    Refused(String),
    /// An error inside the driver.
    #[error("The GPU's driver reported an error. Updating it may help. ({0})")]
    Internal(String),
}

impl Coded for GpuError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "device_unknown",
            Self::NotOpened(_) => "device_not_opened",
            Self::TooSmall(_) => "device_limit_exceeded",
            Self::Hang => "gpu_hang",
            Self::LoadTooLong => "driver_load_too_long",
            Self::CompileTooLong => "compile_too_long",
            Self::Lost(_) => "device_lost",
            Self::OutOfMemory => "out_of_device_memory",
            Self::Refused(_) => "device_refused",
            Self::Internal(_) => "device_internal_error",
        }
    }
}

impl GpuError {
    /// Whether the process can no longer be trusted with a GPU, and has to end.
    pub fn ends_process(&self) -> bool {
        matches!(self, Self::Hang | Self::LoadTooLong | Self::CompileTooLong | Self::Lost(_))
    }
}

impl From<wgpu::Error> for GpuError {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            wgpu::Error::Validation { description, .. } => Self::Refused(description),
            wgpu::Error::Internal { description, .. } => Self::Internal(description),
        }
    }
}

/// Leave to use what wgpu does not yet vouch for, where it is asked for: by the benchmark, never for jobs.
#[allow(unsafe_code, reason = "wgpu wants a word that its experiments may misbehave")]
fn experimental(features: wgpu::Features) -> wgpu::ExperimentalFeatures {
    if features.intersects(wgpu::Features::all_experimental_mask()) {
        // SAFETY: only kernels of our own use them, and in a process that holds nothing of anybody else.
        unsafe { wgpu::ExperimentalFeatures::enabled() }
    } else {
        wgpu::ExperimentalFeatures::disabled()
    }
}

/// What takes longer is waited for asleep.
const SPIN_MAX: Duration = Duration::from_millis(5);

/// An opened device.
pub struct Gpu {
    /// The device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    trouble: Arc<Mutex<Option<GpuError>>>,
}

impl Gpu {
    /// Opens a device.
    pub fn open(
        adapter: &FoundAdapter,
        features: wgpu::Features,
        limits: wgpu::Limits,
    ) -> Result<Self, GpuError> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("lull"),
            required_features: features,
            required_limits: limits,
            experimental_features: experimental(features),
            // Memory that is not asked for stays with the contributor's other programs.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            trace: wgpu::Trace::Off,
        };
        let (device, queue) = pollster::block_on(adapter.adapter.request_device(&descriptor))
            .map_err(|error| GpuError::NotOpened(error.to_string()))?;
        let trouble = Arc::new(Mutex::new(None));
        let slot = trouble.clone();
        // The first trouble is the cause of those after it. Without a handler wgpu would panic.
        let note = move |error: GpuError| {
            tracing::warn!(%error, "trouble with the device");
            slot.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        };
        let note_lost = note.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(error.into())));
        device.set_device_lost_callback(move |reason, message| match reason {
            wgpu::DeviceLostReason::Destroyed => (),
            wgpu::DeviceLostReason::Unknown => note_lost(GpuError::Lost(message)),
        });
        Ok(Self { device, queue, trouble })
    }

    /// What has gone wrong since the last look.
    pub fn check(&self) -> Result<(), GpuError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Waits until everything submitted so far has run.
    pub fn finish(&self, work: &Work) -> Result<(), GpuError> {
        self.wait(work, None)
    }

    fn wait(&self, work: &Work, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait { submission_index, timeout: Some(work.hang_after()) };
        let polled = work.step(Step::Submission, || self.device.poll(wait));
        self.check()?;
        match polled {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => Err(GpuError::Hang),
            Err(error) => Err(GpuError::Internal(error.to_string())),
        }
    }

    /// Submits without waiting.
    pub fn submit(&self, work: &Work, commands: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        work.step(Step::Submission, || self.queue.submit([commands.finish()]))
    }

    /// Submits and waits.
    pub fn run(&self, work: &Work, commands: wgpu::CommandEncoder) -> Result<(), GpuError> {
        self.submit(work, commands);
        self.finish(work)
    }

    /// The same, and never sleeps: how long the system takes to wake a thread is not the device's time.
    pub fn run_awake(&self, work: &Work, commands: wgpu::CommandEncoder) -> Result<(), GpuError> {
        self.submit(work, commands);
        let until = Instant::now() + SPIN_MAX;
        let is_done = work.step(Step::Submission, || {
            while Instant::now() < until {
                if matches!(self.device.poll(wgpu::PollType::Poll), Ok(status) if status.is_queue_empty()) {
                    return true;
                }
            }
            false
        });
        if is_done { self.check() } else { self.finish(work) }
    }

    /// A buffer of zeroes.
    pub fn buffer(&self, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, GpuError> {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        });
        // wgpu-core runs on the calling thread, so an error of this call is already known.
        self.check()?;
        Ok(buffer)
    }

    /// Reads buffers back, each whole.
    pub fn read(&self, work: &Work, buffers: &[&wgpu::Buffer]) -> Result<Vec<Vec<u8>>, GpuError> {
        let mut commands = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut copies = Vec::with_capacity(buffers.len());
        for buffer in buffers {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let copy = self.buffer(buffer.size(), usage)?;
            commands.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
            copies.push(copy);
        }
        self.run(work, commands)?;
        copies.iter().map(|copy| self.read_mappable(work, copy)).collect()
    }

    /// Reads a buffer that was created with `MAP_READ`, and leaves it unmapped.
    pub fn read_mappable(&self, work: &Work, buffer: &wgpu::Buffer) -> Result<Vec<u8>, GpuError> {
        self.read_after(work, buffer, None)
    }

    /// The same, and waits for one submission alone; later ones may go on.
    pub fn read_after(
        &self,
        work: &Work,
        buffer: &wgpu::Buffer,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<Vec<u8>, GpuError> {
        buffer.map_async(wgpu::MapMode::Read, .., |result| {
            if let Err(error) = result {
                tracing::warn!(%error, "a buffer was not mapped");
            }
        });
        self.wait(work, submission)?;
        let view =
            buffer.slice(..).get_mapped_range().map_err(|error| GpuError::Internal(error.to_string()))?;
        let bytes = view.to_vec();
        drop(view);
        buffer.unmap();
        Ok(bytes)
    }

    /// Gives a hung device up without waiting for it, as dropping it would.
    pub fn abandon(self) {
        std::mem::forget(self);
    }
}
