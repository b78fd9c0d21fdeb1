//! The fuzz targets of `fuzz/`, run on the stable toolchain.
//!
//! libFuzzer needs only the coverage counters, which stable rustc can insert through its LLVM options; the
//! address sanitizer, which needs nightly, would add little to code without `unsafe`.

use anyhow::{Context, Result, bail};

use crate::command::{cargo, program, root, run as execute, target};

const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Builds and runs each target for `seconds`.
pub fn run(seconds: u32) -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("libFuzzer is set up on Linux alone; skipped");
        return Ok(());
    }
    let folder = root().join("fuzz");
    let built = target().join("fuzz");
    // The flags are given for the target alone, so that build scripts and procedural macros stay plain.
    let host = "x86_64-unknown-linux-gnu";
    execute(
        cargo()
            .current_dir(&folder)
            .args(["build", "--release", "--target", host, "--target-dir"])
            .arg(&built)
            .env("RUSTFLAGS", COVERAGE),
    )?;
    let mut targets = 0;
    for entry in std::fs::read_dir(folder.join("targets")).context("fuzz/targets is missing")? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        println!("fuzzing {name} for {seconds} s");
        let corpus = built.join("corpus").join(name);
        std::fs::create_dir_all(&corpus)?;
        execute(program(built.join(host).join("release").join(name)).current_dir(&built).arg(&corpus).args(
            [&format!("-max_total_time={seconds}"), "-max_len=4096", "-verbosity=0", "-print_final_stats=1"],
        ))?;
        targets += 1;
    }
    if targets == 0 {
        bail!("fuzz/targets holds no target");
    }
    Ok(())
}
