//! A whole network under virtual time: honest and cheating workers, lost, doubled and reordered messages, workers
//! and the network crashing, a trusted runtime that comes and goes. After every commit the books are compared with
//! a reference model, and at the end with every worker's own, verified receipts.
//!
//! One seed decides everything. A failure names its seed; `LULL_SIM_SEED=n cargo test -p lull-network --test
//! simulation one_seed -- --nocapture` runs that one alone and tells what happens. `LULL_SIM_SEEDS=n` sets how many
//! seeds each of the four groups runs (256 by default).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "in a test, what fails is to fail, and what happens to be told"
)]

mod dice;
mod model;
mod network;
mod worker;
mod world;

use lull_network::store::open_in_memory;
use world::World;

/// Seeds in each group: four groups run side by side, together over a thousand.
const SEEDS_PER_GROUP: u64 = 256;

fn run_group(group: u64) {
    let seeds = std::env::var("LULL_SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS_PER_GROUP);
    let mut totals = world::Totals::default();
    let mut disk = open_in_memory().unwrap();
    for seed in (0..seeds).map(|n| n * 4 + group) {
        let run = std::panic::AssertUnwindSafe(|| World::run(seed, disk, false));
        match std::panic::catch_unwind(run) {
            Ok((run, wiped)) => {
                totals.add(&run);
                disk = wiped;
            }
            Err(_) => panic!("seed {seed} failed; run it alone with LULL_SIM_SEED={seed}"),
        }
    }
    println!("{seeds} seeds: {totals:?}");
    if seeds >= SEEDS_PER_GROUP {
        totals.assert_that_everything_happened();
    }
}

#[test]
fn seeds_0_mod_4() {
    run_group(0);
}

#[test]
fn seeds_1_mod_4() {
    run_group(1);
}

#[test]
fn seeds_2_mod_4() {
    run_group(2);
}

#[test]
fn seeds_3_mod_4() {
    run_group(3);
}

#[test]
fn one_seed() {
    let seed = std::env::var("LULL_SIM_SEED").ok().and_then(|n| n.parse().ok());
    let told = seed.is_some();
    println!("{:?}", World::run(seed.unwrap_or(1), open_in_memory().unwrap(), told).0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, disk) = World::run(11, open_in_memory().unwrap(), false);
    assert_eq!(World::run(11, disk, false).0, first);
}
