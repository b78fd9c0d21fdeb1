//! Packages for people: deb and rpm with the app, worker, runtime and network.

use anyhow::Result;

use crate::command::{cargo, program, root, run, target};
use crate::run::build_ui;
use crate::setup;

/// Builds the release profile and both packages; installers/README.md says what they hold.
pub fn bundle() -> Result<()> {
    setup::for_app()?;
    setup::npm_packages(&root().join("installers"))?;
    build_ui()?;
    let programs = ["lull", "lull-worker", "lull-runtime-gpu", "lull-network"];
    run(cargo().args(["build", "--release"]).args(programs.iter().flat_map(|name| ["--package", name])))?;
    let bundle = ["bundle", "--bundles", "deb,rpm", "--config", "../installers/linux/bundle.conf.json"];
    run(program(root().join("installers/node_modules/.bin/tauri"))
        .current_dir(root().join("src-tauri"))
        .args(bundle))?;
    println!("The packages are in {}", target().join("release/bundle").display());
    Ok(())
}
