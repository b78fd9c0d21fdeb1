//! Everything that must pass.

use anyhow::{Context, Result};

use crate::command::{built, cargo, npm, program, root, run};
use crate::run::build_ui;
use crate::setup::tool;
use crate::stages::Stages;
use crate::{cross, fuzz, models, program as onchain, setup, validator};

/// How long each fuzz target runs here: enough to reach the depths of a small parser.
const FUZZ_SECONDS: u32 = 10;

/// Runs every stage; the Rust tests come last, so that the output ends with their closing lines.
pub fn test() -> Result<()> {
    let mut stages = Stages::new();
    let outcome = all(&mut stages);
    stages.print();
    outcome?;
    println!("\n━━ Rust tests");
    run(nextest().args(["run", "--workspace", "--all-targets"]))
}

fn all(stages: &mut Stages) -> Result<()> {
    stages.stage("set-up", setup::everything)?;
    let ui = |script: &str| run(npm().current_dir(root().join("ui")).args(["run", script, "--silent"]));
    stages.stage("ui: lint, types, tests, build", || {
        ui("lint")?;
        ui("typecheck")?;
        ui("test")?;
        build_ui()
    })?;
    stages.stage("rustfmt", || run(cargo().args(["fmt", "--all", "--check"])))?;
    stages.stage("licences, bans, sources", || {
        // Advisories need a database from the internet; `cargo deny check` by hand looks there too.
        run(program(tool("cargo-deny")).args(["--offline", "check", "bans", "licenses", "sources"]))
    })?;
    stages.stage("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets"];
        run(cargo().args(clippy).args(["--", "-D", "warnings"]))
    })?;
    stages.stage("build programs and tests", || {
        build_programs()?;
        run(nextest().args(["run", "--workspace", "--all-targets", "--no-run"]))
    })?;
    stages.stage("on-chain program", onchain::check)?;
    // The validator's tests wait for its slots most of the time.
    let validator = match validator::tests()? {
        Some(mut tests) => Some(stages.beside("genuine validator", &mut tests)?),
        None => None,
    };
    let meanwhile = stages
        .stage("fuzz every wire parser", || fuzz::run(FUZZ_SECONDS))
        .and_then(|()| stages.stage("Windows and macOS", cross::check));
    if let Some(validator) = validator {
        stages.finish(validator)?;
    }
    meanwhile?;
    stages.stage("tray", tray)?;
    stages.stage("real window", || window_runs(1))
}

fn nextest() -> std::process::Command {
    let mut nextest = program(tool("cargo-nextest"));
    nextest.arg("nextest");
    nextest.env("LULL_OPENAI_PYTHON", models::python());
    nextest.env("LULL_OPENAI_NODE_MODULES", root().join("tests/inference"));
    nextest
}

/// Builds every program with the dev profile, and what stands in for some of them in tests.
pub fn build_programs() -> Result<()> {
    run(cargo().args(["build", "--workspace", "--bins", "--examples"]))
}

/// Builds what is needed and walks the real window `runs` times.
pub fn window(runs: u32) -> Result<()> {
    setup::everything()?;
    build_ui()?;
    build_programs()?;
    window_runs(runs)
}

fn window_runs(runs: u32) -> Result<()> {
    let walk = ["tests/e2e/window.mjs", "--runs", &runs.to_string(), "--app"];
    run(program("node").args(walk).arg(built("lull")).env("TAURI_DRIVER", tool("tauri-driver")))
        .context("the walk through the window failed; its screenshots are in tests/e2e/artefacts")
}

/// The tray, its menu and the app's life, with a scripted worker in place of the real one.
fn tray() -> Result<()> {
    let scripted = built("examples/scripted-worker");
    let play = ["tests/e2e/tray.mjs", "--app"];
    run(program("node").args(play).arg(built("lull")).arg("--worker").arg(scripted))
}
