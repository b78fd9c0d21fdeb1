//! Packages for people: deb and rpm with the app, worker, runtime and network.

use anyhow::{Context, Result};

use crate::command::{cargo, npm, output, program, root, run, target};
use crate::run::{APP, build_ui};
use crate::setup;

/// The programs that are installed beside the app.
const BESIDE: &[&str] = &["lull-worker", "lull-runtime-gpu", "lull-network"];

/// Builds the release profile and both packages.
pub fn bundle() -> Result<()> {
    setup::for_app()?;
    build_ui()?;
    let mut build = cargo();
    build.args(["build", "--release"]).args(APP);
    for program in BESIDE {
        build.args(["-p", program]);
    }
    run(&mut build)?;

    // The bundler takes programs beside the app by their name with the host's triple.
    let host =
        output(program("rustc").args(["--print", "host-tuple"])).context("rustc does not tell its host")?;
    let release = target().join("release");
    let staged = root().join("src-tauri/binaries");
    std::fs::create_dir_all(&staged)?;
    for name in BESIDE {
        let suffix = std::env::consts::EXE_SUFFIX;
        let from = release.join(format!("{name}{suffix}"));
        std::fs::copy(&from, staged.join(format!("{name}-{host}{suffix}")))
            .with_context(|| format!("{} is missing", from.display()))?;
    }
    run(npm().current_dir(root().join("ui")).args(["exec", "--", "tauri", "bundle", "--bundles", "deb,rpm"]))
}
