//! Windows and macOS from a Linux machine: type checks, and Windows programs under Wine, where it is set up.
//!
//! The set-up is a shell file that puts a toolchain with the targets' standard libraries on the path; its own
//! path is in `LULL_CROSS_ENV`. A toolchain that has the targets by itself (`rustup target add`) needs none.

use anyhow::Result;

use crate::command::{output, program, root, run, target};

const WINDOWS: &str = "x86_64-pc-windows-msvc";
const MACOS: &str = "aarch64-apple-darwin";
/// Where it is looked for without that.
const DEFAULT_ENV: &str = "/opt/wincross/env";

/// What is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The programs that run on contributors' machines without a window, and what they share: these hold almost
    /// all that is written for one system.
    Programs,
    /// The app too, whose window library takes as long again.
    All,
}

/// Type-checks both, or says why not.
pub fn check(scope: Scope) -> Result<()> {
    let env = std::env::var("LULL_CROSS_ENV").unwrap_or_else(|_| DEFAULT_ENV.to_owned());
    let prelude = if std::path::Path::new(&env).exists() {
        format!(". '{env}' && ")
    } else {
        let installed = output(program("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
        if !installed.contains(WINDOWS) || !installed.contains(MACOS) {
            println!(
                "SKIPPED: no toolchain here has the targets {WINDOWS} and {MACOS} (see CONTRIBUTING.md)"
            );
            return Ok(());
        }
        String::new()
    };
    let packages = match scope {
        Scope::Programs => "-p lull-worker -p lull-runtime-gpu -p lull-network",
        Scope::All => "--workspace",
    };
    println!("type-checking {WINDOWS} and {MACOS}");
    let line = format!(
        "{prelude}cargo check --quiet {packages} --target {WINDOWS} --target {MACOS} --target-dir '{}'",
        target().join("cross").display()
    );
    run(program("bash").args(["-c", &line]).current_dir(root()))
}
