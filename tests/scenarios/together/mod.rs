//! The worker's real machine and journal against the network's real engine and ledger, in virtual time: messages
//! lost, doubled and reordered, sessions cut, workers and the network crashed before and after their commits.
//!
//! After the faults stop, every job must end, every worker must hold receipts for exactly what the ledger owes
//! it, and no accepted task may be paid twice. One seed is one world; `LULL_SEED=n` runs that one alone.

mod network;
mod worker;
mod world;

use world::{Settled, World};

/// Enough to meet each crash point many times in a normal run. `crates/worker` and `crates/network` each run
/// over a thousand seeds of their own against a model of the other.
const SEEDS: u64 = 120;

fn check(seed: u64) -> Settled {
    let outcome = std::panic::catch_unwind(|| World::new(seed).run());
    outcome.unwrap_or_else(|_| panic!("seed {seed} failed; run it alone with LULL_SEED={seed}"))
}

#[test]
fn machine_and_engine_agree_on_every_payment() {
    if let Ok(seed) = std::env::var("LULL_SEED") {
        println!("{:?}", check(seed.parse().expect("LULL_SEED is a number")));
        return;
    }
    let mut all = Settled::default();
    for seed in 0..SEEDS {
        let settled = check(seed);
        all.accepted += settled.accepted;
        all.crashes += settled.crashes;
        all.rejected += settled.rejected;
    }
    println!("{SEEDS} seeds: {all:?}");
    // Worlds in which nothing happens would prove nothing.
    assert!(all.accepted > SEEDS * 5, "{all:?}");
    assert!(all.crashes > SEEDS, "{all:?}");
    assert!(all.rejected > 0, "{all:?}");
}
