//! The main job: open the app, or, with no display, run the worker in the terminal.

use anyhow::Result;

use crate::command::{built, cargo, npm, program, root, run as execute};
use crate::{models, setup};

/// Sets up, builds and runs.
pub fn run(arguments: &[String]) -> Result<()> {
    setup::for_app()?;
    let window = !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    if window {
        build_ui()?;
    }
    build(window)?;
    let mut run = if window {
        program(built("lull"))
    } else {
        println!("No display, so the worker runs here, in the terminal. Ctrl-C ends it.");
        let mut worker = program(built("lull-worker"));
        worker.args(["run", "--practice"]).args(arguments);
        worker
    };
    if models::model().exists() {
        run.env("LULL_PRACTICE_MODEL", models::model());
    }
    execute(&mut run)
}

/// Builds the pages that the app embeds.
pub fn build_ui() -> Result<()> {
    println!("Building the user interface");
    execute(npm().current_dir(root().join("ui")).args(["run", "build", "--silent"]))
}

/// Builds the programs, with the app or without.
pub fn build(app: bool) -> Result<()> {
    println!("Building Lull (a first build takes several minutes)");
    let mut build = cargo();
    build.args(["build", "-p", "lull-worker", "-p", "lull-network", "-p", "lull-runtime-gpu"]);
    // Where there is a model, practice has questions for whoever allows them.
    if models::model().exists() {
        build.args(["-p", "lull-runtime-llm"]);
    }
    if app {
        build.args(["-p", "lull"]);
    }
    execute(&mut build)
}
