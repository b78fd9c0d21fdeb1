//! How long a device takes over each step of the network's challenge.
//!
//! ```text
//! cargo run --release -p lull-runtime-gpu --example challenge -- [DEVICE] [SIDE] [PANELS] [LANES]
//! ```
//! The product's speed is what the network would find of a worker next to it; lanes are 4 MiB each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lull_checks::memory::{Memory, Sweeps};
use lull_checks::product::Product;
use lull_runtime_api::ChallengeStep;
use lull_runtime_gpu::adapters::Adapters;
use lull_runtime_gpu::challenge::Challenged;
use lull_runtime_gpu::work::{HANG_AFTER, Work};

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u32| args.next().map_or(Ok(default), |text| text.parse());
    let (device, side, panels, lanes) = (number(0)?, number(256)?, number(300)?, number(32)?);
    let adapters = Adapters::find();
    let info = &adapters.get(device)?.info;
    println!("{} ({})", info.name, info.driver);
    let region_lanes = Memory::region_lanes(info.storage_buffer_bytes_max);
    let work = Work::new(|_| (), Arc::default(), Arc::default(), HANG_AFTER);
    let mut challenged = Challenged::default();
    let mut timed = |step: ChallengeStep| -> anyhow::Result<Duration> {
        let began = Instant::now();
        challenged.step(step, &adapters, &work)?;
        Ok(began.elapsed())
    };
    println!("prepare: {:.3} s", timed(ChallengeStep::Prepare { device })?.as_secs_f64());
    for run in 0..4 {
        let product = Product { seed: [run; 32], side, panels };
        let took = timed(ChallengeStep::Commit(product))?.as_secs_f64();
        println!(
            "product, side {side}, {panels} panels: {took:.3} s, {:.2} GFLOP/s",
            product.operations() / took / 1e9
        );
    }
    if lanes > 0 {
        let memory = Memory { seed: [1; 32], lanes, region_lanes };
        let gigabytes = memory.bytes() as f64 / 1e9;
        let fill = timed(ChallengeStep::Fill(memory))?.as_secs_f64();
        println!("fill of {gigabytes:.2} GB: {fill:.3} s, {:.2} GB/s", gigabytes / fill);
        let sweeps = Sweeps { seed: [2; 32], sweeps: 4 };
        let sweep = timed(ChallengeStep::Sweep(sweeps))?.as_secs_f64();
        println!("4 sweeps: {sweep:.3} s, {:.2} GB/s", 4.0 * gigabytes / sweep);
        let look_up = timed(ChallengeStep::LookUp([3; 32]))?.as_secs_f64();
        println!("look-ups: {look_up:.3} s");
        println!("show: {:.3} s", timed(ChallengeStep::Show)?.as_secs_f64());
    }
    Ok(())
}
