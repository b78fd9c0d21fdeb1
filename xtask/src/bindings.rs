//! The user interface's types, written from the worker's.

use anyhow::Result;

use crate::command::{cargo, run};

/// Writes `ui/src/bindings`.
pub fn write() -> Result<()> {
    run(cargo()
        .args(["test", "--quiet", "-p", "lull-worker-api", "--test", "bindings"])
        .env("LULL_BINDINGS", "write"))
}
