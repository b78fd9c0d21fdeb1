//! The wgpu runtime: benchmark and `wgsl/1` tasks, in a sandboxed process of its own.
//!
//! It is started by a worker and speaks `lull_runtime_api` over its standard input and output. It logs to its
//! standard error, at the level of the variable `LULL_LOG`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use lull_runtime_api::program::{Outbox, exit_now, tell_panics};
use lull_runtime_gpu::serve::{Ended, Options, serve};
use lull_runtime_gpu::work::HANG_AFTER;
use lull_sandbox::{Policy, lock_down};
use lull_types::Fault;
use lull_types::wgsl::limits::BUFFER_BYTES_TOTAL_MAX;
use tracing_subscriber::EnvFilter;

/// Four times what the buffers of the largest task take: on a software adapter they are main memory, and there are staging
/// copies, the compiler and the threads' stacks.
const MEMORY_BYTES_MAX: u64 = 4 * BUFFER_BYTES_TOTAL_MAX;

fn main() -> ExitCode {
    // First of all: threads that run already would keep their rights.
    let policy = Policy::of_this_process(MEMORY_BYTES_MAX);
    let sandbox = match policy.and_then(|policy| lock_down(&policy)) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("lull-runtime-gpu: {error}");
            return ExitCode::from(2);
        }
    };
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => Options { sandbox, ..options },
        Err(error) => {
            eprintln!("lull-runtime-gpu: {error:#}");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // It ends in the worker's log, which is a file.
        .with_ansi(false)
        .with_env_filter(
            EnvFilter::try_from_env("LULL_LOG").unwrap_or_else(|_| EnvFilter::new("warn,wgpu_hal=error")),
        )
        .init();

    let outbox = Outbox::new(std::io::stdout());
    tell_panics(outbox.clone(), panicked);
    let ended = serve(std::io::stdin(), &outbox, &options);
    match &ended {
        Ended::Asked => exit_now(0),
        Ended::Device => exit_now(3),
        Ended::Frames(error) => {
            tracing::error!(%error, "the worker cannot be understood or reached");
            exit_now(4)
        }
    }
}

/// `--hang-after-ms N` shortens the wait for a hung GPU; tests use it.
fn options(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options { hang_after: HANG_AFTER, sandbox: Vec::new() };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--hang-after-ms" => {
                let value = arguments.next().context("--hang-after-ms needs a number")?;
                let ms = value.parse().with_context(|| format!("{value:?} is no number"))?;
                options.hang_after = Duration::from_millis(ms);
            }
            _ => bail!("{argument:?} is not understood; this program is started by lull-worker"),
        }
    }
    Ok(options)
}

/// wgpu panics when a device is lost while it is waited for.
fn panicked(text: &str) -> Fault {
    if text.to_lowercase().contains("lost") {
        Fault::new("device_lost", format!("The driver lost the GPU. Work on it was stopped. ({text})"))
    } else {
        Fault::new("runtime_crashed", format!("The runtime failed, and its process ended. ({text})"))
    }
}
