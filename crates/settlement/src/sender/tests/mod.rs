//! The sender's rules one by one, and all of them in a hostile world.

mod rules;
mod shell;
mod world;

use lull_types::{SecretKey, WalletAddress, WorkerId};

use super::*;
use shell::Simulation;

pub(super) fn payee(n: u8) -> Payee {
    let wallet = WalletAddress::from_bytes(SecretKey::from_bytes(&[n / 2 + 1; 32]).public()).unwrap();
    Payee { worker: WorkerId([n; 32]), wallet }
}

/// As many as take a few seconds; `SETTLEMENT_SEEDS` asks for more.
const SEEDS: u64 = 2000;

#[test]
fn nothing_is_lost_doubled_or_stuck_in_a_hostile_world() {
    let seeds = std::env::var("SETTLEMENT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let started = std::time::Instant::now();
    let (mut crashes, mut expired) = (0, 0);
    for seed in 0..seeds {
        let run = std::panic::catch_unwind(|| {
            let mut simulation = Simulation::new(seed);
            simulation.run();
            (simulation.crashes, simulation.expired)
        });
        match run {
            Ok(counts) => {
                crashes += counts.0;
                expired += counts.1;
            }
            Err(panic) => {
                println!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    let seeds_s = seeds as f64 / started.elapsed().as_secs_f64();
    println!("{seeds} seeds, {seeds_s:.0} a second, {crashes} crashes, {expired} expired batches");
    assert!(seeds < 1000 || (crashes > seeds && expired as u64 > seeds), "the world must be hostile enough");
}
