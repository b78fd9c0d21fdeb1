//! Lull's worker, with a network that has work for it.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use lull_tests::{Machine, Network, PATIENCE, spin_task};
use lull_types::{Cause, Guard};
use lull_worker_api::{AssignmentStage, Command, Snapshot, StateView};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::game::{Game, Shown, ms};

/// Between two looks at whether a process is there.
const LOOK: Duration = Duration::from_micros(500);
/// Half an hour of work for a processor; nobody waits for its end.
const TASKS: u32 = 2_000;

/// What was measured of one game.
pub struct Trip {
    pub detection_ms: f64,
    pub release_ms: f64,
}

pub async fn trips(display: &str, count: usize) -> Result<Vec<Trip>> {
    let network = Network::start().await?;
    let mut machine = Machine::new()?.with_env("DISPLAY", display);
    machine.join(network.ticket()).await?;
    let customer = network.customer("Ada", 1_000_000_000).await?;
    let tasks: Vec<_> = (0..TASKS).map(|seed| spin_task(seed, 1 << 15, 40_000)).collect();
    customer.submit("spins", &tasks, 1_000).await?;
    let mut dice = ChaCha8Rng::seed_from_u64(5);
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        machine.until("a task that runs", runs).await?;
        tokio::time::sleep(Duration::from_millis(dice.random_range(100..900))).await;
        taken.push(trip(&machine, display).await?);
        machine.order(Command::Resume { device: None }).await?;
    }
    Ok(taken)
}

fn runs(snapshot: &Snapshot) -> bool {
    let StateView::Working { assignments } = &snapshot.state else { return false };
    assignments.iter().any(|assignment| assignment.stage == AssignmentStage::Running)
}

/// Since when a game holds the GPU free, in milliseconds since 1970.
fn plays(snapshot: &Snapshot) -> Option<u64> {
    let StateView::Yielding { causes, .. } = &snapshot.state else { return None };
    causes.iter().find_map(|cause| match cause {
        Cause::Guard(active) if active.trip.guard() == Guard::FullScreen => Some(active.since.0),
        Cause::Guard(_) | Cause::Paused { .. } | Cause::ResumeDelay { .. } => None,
    })
}

async fn trip(machine: &Machine, display: &str) -> Result<Trip> {
    let [runtime] = machine.runtime_processes()?[..] else { bail!("one runtime works at a time") };
    let display = display.to_owned();
    let played = tokio::task::spawn_blocking(move || {
        let (game, shown) = Game::start(&display)?;
        anyhow::Ok((game, shown, released(runtime, shown)?))
    });
    let (game, shown, release_ms) = played.await??;
    let snapshot = machine.until("the trip", |snapshot| plays(snapshot).is_some()).await?;
    let since = plays(&snapshot).context("it yields")? as f64;
    drop(game);
    machine.until("the game's end", |snapshot| plays(snapshot).is_none()).await?;
    Ok(Trip { detection_ms: since - ms(shown.wall.duration_since(UNIX_EPOCH)?), release_ms })
}

/// How long after a game is on the screen a process is gone.
fn released(process: u32, shown: Shown) -> Result<f64> {
    while is_there(process) {
        ensure!(shown.at.elapsed() < PATIENCE, "the runtime stays");
        std::thread::sleep(LOOK);
    }
    Ok(shown.elapsed_ms())
}

/// Whether a process is there with what it holds: one that nobody has asked about since its end holds nothing.
fn is_there(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
        !matches!(state, Some("Z" | "X") | None)
    })
}
