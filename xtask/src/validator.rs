//! Payouts on Solana's own validator.
//!
//! `xtask/validator.sh` builds the validator from crates.io, once and outside the repository.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{output, program, root, run};
use crate::setup::{cache, tool};

/// What `xtask/validator.sh` writes last, so that one that is there is whole.
const DONE: &str = "version";

/// Where the validator is.
fn folder() -> PathBuf {
    cache().join("validator")
}

/// Sets everything up and runs the tests.
pub fn everything() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: this is done on Linux");
        return Ok(());
    }
    run(program("bash").arg(root().join("xtask/validator.sh")).arg(folder()))?;
    crate::test::build_programs()?;
    if let Some(mut tests) = tests()? {
        run(&mut tests)?;
    }
    Ok(())
}

/// Builds the tests and gives the command that runs them where the validator is; else says that it is not.
pub fn tests() -> Result<Option<Command>> {
    if !folder().join(DONE).exists() {
        println!(
            "SKIPPED: payouts were not tested on Solana's own validator; `cargo xtask validator` builds it, once, in 22 minutes of one core"
        );
        return Ok(None);
    }
    // By the whole workspace: a package alone would be built with other features, and everything below it again.
    let tests =
        ["nextest", "run", "--workspace", "--all-targets", "-E", "package(lull-tests) & binary(validator)"];
    run(program(tool("cargo-nextest")).args(tests).arg("--no-run"))?;
    // What transactions cost and how often was killed is worth seeing.
    let shown = ["--run-ignored", "only", "--success-output", "immediate"];
    let mut alone = alone()?;
    alone.arg(tool("cargo-nextest")).args(tests).args(shown);
    alone.env("LULL_VALIDATOR", folder().join("solana-test-validator"));
    Ok(Some(alone))
}

/// Runs the command after it in a network of its own, in which there is nothing but this machine: the validator listens on
/// all addresses.
fn alone() -> Result<Command> {
    let is_root = output(program("id").arg("-u")).context("`id` does not run")? == "0";
    let mut alone = program("unshare");
    if !is_root {
        alone.args(["--user", "--map-root-user"]);
    }
    alone.args(["--net", "bash", "-c", "ip link set lo up && exec \"$@\"", "bash"]);
    Ok(alone)
}
