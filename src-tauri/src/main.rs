//! Lull's app: a tray icon, a window on demand, and the worker kept running behind them. It knows nothing of
//! GPUs, networks or money; all that it shows comes from the worker's snapshots.

// A release for Windows is no console program.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod app;
mod commands;
mod display;
mod language;
mod notify;
mod quit;
#[cfg(test)]
mod sample;
mod tray;
mod window;
mod worker;

use std::io::IsTerminal;
use std::process::ExitCode;

use lull_types::Coded;

/// Exit status when there is nothing to show a window on, or the app cannot start for another reason that the
/// person has to deal with. The same as a shell's for wrong usage.
const EXIT_CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    // First, while this is the only thread: it may change the environment.
    if let Err(error) = display::prepare() {
        eprintln!("lull: {error}");
        return ExitCode::from(EXIT_CANNOT_START);
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "lull=info,warn".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match app::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lull: {error} [{}]", error.code());
            ExitCode::from(EXIT_CANNOT_START)
        }
    }
}
