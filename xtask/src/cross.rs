//! Windows and macOS from a Linux machine: type checks, and Windows tests under Wine.
//!
//! `xtask/cross-toolchain.sh` makes what this needs, from Debian's packages.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::{program, root, run};
use crate::setup::cache;

/// The targets that are type-checked: those that people are given, where no linker is needed.
const CHECKED: &[&str] = &["x86_64-pc-windows-msvc", "aarch64-apple-darwin"];
/// The one whose tests run under Wine: it can be linked with Debian's packages.
const RUN: &str = "x86_64-pc-windows-gnu";

/// The programs that run on contributors' machines without a window, and what they share: these hold almost all
/// that is written for one system. The app's window library takes as long again to check.
const PROGRAMS: &str = "-p lull-worker -p lull-runtime-gpu -p lull-network";

/// llama.cpp's C++ needs a compiler for each system; all of its runtime but that is checked.
const WITHOUT_LLAMA: &str = "-p lull-runtime-llm --no-default-features";

/// Libraries whose tests say something about Windows: pipes, processes, clocks, files. The worker is not among them:
/// with MinGW's linker iroh's debug build has more symbols than a DLL can export.
const TESTED: &str = "-p lull-types -p lull-checks -p lull-frame -p lull-guards -p lull-models -p lull-wgsl \
    -p lull-runtime-api -p lull-worker-api -p lull-network-api --lib --features lull-runtime-api/host";

/// Where the toolchain is.
fn folder() -> PathBuf {
    cache().join("cross")
}

/// Sets everything up, checks the whole workspace, and runs the Windows tests.
pub fn everything() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: this is done on Linux");
        return Ok(());
    }
    run(program("bash").arg(root().join("xtask/cross-toolchain.sh")).arg(folder()))?;
    check_packages("--workspace --exclude lull-runtime-llm")?;
    check_packages(WITHOUT_LLAMA)?;
    println!("running Windows tests under Wine");
    cargo(&format!("test --quiet {TESTED} --target {RUN}"))
}

/// Type-checks the programs where the toolchain is set up, or says that it is not.
pub fn check() -> Result<()> {
    if !Path::new(&folder().join("env")).exists() {
        println!("SKIPPED: `cargo xtask cross` sets up a toolchain for it, once");
        return Ok(());
    }
    check_packages(PROGRAMS)?;
    check_packages(WITHOUT_LLAMA)
}

fn check_packages(packages: &str) -> Result<()> {
    println!("type-checking {}", CHECKED.join(" and "));
    let targets: Vec<_> = CHECKED.iter().map(|target| format!("--target {target}")).collect();
    cargo(&format!("check --quiet {packages} {}", targets.join(" ")))
}

/// Builds beside the toolchain, so that a fresh checkout does not check every dependency again.
fn cargo(arguments: &str) -> Result<()> {
    let env = folder().join("env");
    let line = format!(
        ". '{}' && cargo {arguments} --target-dir '{}'",
        env.display(),
        folder().join("target").display()
    );
    run(program("bash").args(["-c", &line]).current_dir(root()))
}
