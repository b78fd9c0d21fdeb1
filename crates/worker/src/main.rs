//! `lull-worker`: the worker's program. See [`lull_worker::cli`].

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use lull_worker::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread: the worker waits nearly all of its life, and what computes or blocks runs on threads that
    // come and go.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(cli::run(cli));
            // A keychain that waits for its owner must not hold up the end.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lull-worker: the system gives no event loop: {error}");
            ExitCode::FAILURE
        }
    }
}
