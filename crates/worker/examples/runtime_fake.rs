//! The fake runtime, built with this crate's tests so that they can start it. See
//! `lull_testkit::fake_runtime`.

use anyhow::Context;
use lull_testkit::fake_runtime::{Behaviour, serve};

fn main() -> anyhow::Result<()> {
    let behaviour = Behaviour::of_this_process().context("the behaviour cannot be read")?;
    serve(&behaviour, std::io::stdin(), std::io::stdout())
}
