//! Lull's worker, with a network that has work for it.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use lull_tests::{Machine, Network, PATIENCE, spin_task};
use lull_types::{Cause, Guard};
use lull_worker_api::{AssignmentStage, Command, PauseFor, Snapshot, StateView};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::frames::FrameWriter;
use super::game::{Game, Shown, ms};

/// Between two looks at whether a process is there.
const LOOK: Duration = Duration::from_micros(500);
/// Half an hour of work for a processor; nobody waits for its end.
const TASKS: u32 = 2_000;
/// A game is played for so long in a window, and its first second is left out, in which it loads.
const PLAYED: Duration = Duration::from_secs(6);
const LOADS: Duration = Duration::from_secs(1);

/// What was measured of one game.
pub struct Trip {
    pub detection_ms: f64,
    pub release_ms: f64,
}

/// Milliseconds of each frame of a game in a window.
pub struct Frames {
    pub alone: Vec<f64>,
    pub beside_work: Vec<f64>,
}

/// A worker that works, for a network that has enough for it.
pub struct Bench<'a> {
    display: &'a str,
    machine: Machine,
    _network: Network,
}

impl<'a> Bench<'a> {
    pub async fn start(display: &'a str) -> Result<Self> {
        let network = Network::start().await?;
        let mut machine = Machine::new()?.with_env("DISPLAY", display);
        machine.join(network.ticket()).await?;
        let customer = network.customer("Ada", 1_000_000_000).await?;
        let tasks: Vec<_> = (0..TASKS).map(|seed| spin_task(seed, 1 << 15, 40_000)).collect();
        customer.submit("spins", &tasks, 1_000).await?;
        Ok(Self { display, machine, _network: network })
    }

    pub async fn trips(&self, count: usize) -> Result<Vec<Trip>> {
        let mut dice = ChaCha8Rng::seed_from_u64(5);
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            self.machine.until("a task that runs", runs).await?;
            tokio::time::sleep(Duration::from_millis(dice.random_range(100..900))).await;
            taken.push(trip(&self.machine, self.display).await?);
            self.machine.order(Command::Resume { device: None }).await?;
        }
        Ok(taken)
    }

    /// Plays a game in a window while the worker is paused and while it works, by turns.
    pub async fn frames(&self, turns: usize) -> Result<Frames> {
        let writer = FrameWriter::build()?;
        let mut frames = Frames { alone: Vec::new(), beside_work: Vec::new() };
        for _ in 0..turns {
            self.machine.order(Command::Pause { duration: PauseFor::UntilResumed, device: None }).await?;
            self.machine.until("a pause", |snapshot| !runs(snapshot)).await?;
            frames.alone.extend(self.play(&writer).await?);
            self.machine.order(Command::Resume { device: None }).await?;
            self.machine.until("a task that runs", runs).await?;
            frames.beside_work.extend(self.play(&writer).await?);
        }
        Ok(frames)
    }

    async fn play(&self, writer: &FrameWriter) -> Result<Vec<f64>> {
        let game = Game::start_in_a_window(self.display, writer)?;
        tokio::time::sleep(PLAYED).await;
        drop(game);
        writer.frames(LOADS)
    }
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
