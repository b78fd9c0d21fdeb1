//! The runtime of language models, in a sandboxed process of its own.
//!
//! It is started by a worker, or by a network for a model's vocabulary, and speaks `lull_runtime_api` over its standard
//! input and output. It logs to its standard error, at the level of the variable `LULL_LOG`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use lull_runtime_api::program::{Outbox, exit_now, tell_panics};
use lull_runtime_llm::serve::{Ended, Options, serve};
use lull_sandbox::{Policy, lock_down};
use lull_types::{Fault, SandboxPart};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // First of all: threads that run already would keep their rights.
    let options = match locked_down(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("lull-runtime-llm: {error:#}");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // It ends in the worker's log, which is a file.
        .with_ansi(false)
        .with_env_filter(EnvFilter::try_from_env("LULL_LOG").unwrap_or_else(|_| EnvFilter::new("error")))
        .init();

    let outbox = Outbox::new(std::io::stdout());
    tell_panics(outbox.clone(), |text| {
        Fault::new("runtime_crashed", format!("The runtime failed, and its process ended. ({text})"))
    });
    match serve(std::io::stdin(), &outbox, &options) {
        Ended::Asked => exit_now(0),
        Ended::Device => exit_now(3),
        Ended::Frames(error) => {
            tracing::error!(%error, "the worker cannot be understood or reached");
            exit_now(4)
        }
    }
}

/// `--model FILE --memory-bytes-max N`: the one file that may be read, and how much memory it may take to serve it.
fn locked_down(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> anyhow::Result<Options> {
    let mut model = None;
    let mut memory_bytes_max = None;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument:?} needs a value"));
        match argument.to_str() {
            Some("--model") => model = Some(PathBuf::from(value()?)),
            Some("--memory-bytes-max") => {
                let text = value()?;
                let text = text.to_str().context("--memory-bytes-max needs a number")?;
                memory_bytes_max = Some(text.parse().with_context(|| format!("{text:?} is no number"))?);
            }
            _ => bail!("{argument:?} is not understood; this program is started by lull-worker"),
        }
    }
    let (Some(model), Some(memory_bytes_max)) = (model, memory_bytes_max) else {
        bail!("--model and --memory-bytes-max are missing; this program is started by lull-worker");
    };
    ensure!(model.is_absolute(), "the model's path has to be absolute");
    let sandbox = lock(&model, memory_bytes_max)?;
    Ok(Options { model, sandbox })
}

fn lock(model: &std::path::Path, memory_bytes_max: u64) -> anyhow::Result<Vec<SandboxPart>> {
    let mut policy = Policy::of_this_process(memory_bytes_max)?;
    policy.readable.push(model.to_owned());
    Ok(lock_down(&policy)?)
}
