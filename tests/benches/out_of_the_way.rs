//! From a game's start until the GPU is free, on a real desktop with the real worker:
//!
//! ```sh
//! cargo build --release --workspace --bins
//! cargo bench -p lull-tests --bench out_of_the_way -- --trips 200
//! ```
//!
//! The worker runs tasks that never end by themselves, in slices as long as a runtime makes them. `glxgears -fullscreen`
//! (Debian: mesa-utils) starts at a random moment. Measured is, from the instant at which the X server tells that a window
//! as large as the screen is shown:
//! - *detection*, until the worker's machine knows it (its own clock, in milliseconds);
//! - *release*, until the runtime's process is gone. A software device's memory is the process's own, and gone with it.
//!
//! The game then ends, and a person resumes by hand, so that the next trip need not wait for a minute.
#![allow(clippy::print_stdout, reason = "what it measured is for whoever runs it")]

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: this needs an X server");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::PathBuf;
    use std::process::{Child, Command as Program, Stdio};
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use anyhow::{Context, Result, bail, ensure};
    use lull_testkit::desktop::Desktop;
    use lull_tests::{Machine, Network, PATIENCE, spin_task};
    use lull_worker_api::{AssignmentStage, Cause, Command, Snapshot, StateView};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use x11rb::connection::Connection;
    use x11rb::protocol::Event;
    use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask};
    use x11rb::rust_connection::RustConnection;

    const SCREEN: (u16, u16) = (1280, 720);
    /// Between two looks at whether a process is there.
    const LOOK: Duration = Duration::from_micros(500);
    /// Half an hour of work for this device; nobody waits for its end.
    const TASKS: u32 = 2_000;

    /// Ends with what started it.
    struct Game(Child);

    impl Drop for Game {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    struct Trip {
        detection_ms: f64,
        release_ms: f64,
    }

    pub fn main() -> Result<()> {
        let arguments: Vec<String> = std::env::args().collect();
        let trips = match arguments.iter().position(|argument| argument == "--trips") {
            Some(at) => arguments.get(at + 1).context("--trips wants a number")?.parse()?,
            None => 20,
        };
        tokio::runtime::Runtime::new()?.block_on(bench(trips))
    }

    async fn bench(trips: usize) -> Result<()> {
        let desktop = Desktop::start(SCREEN.0, SCREEN.1)?;
        let network = Network::start().await?;
        let mut machine = Machine::new()?.with_env("DISPLAY", desktop.display());
        machine.join(network.ticket()).await?;
        let customer = network.customer("Ada", 1_000_000_000).await?;
        let tasks: Vec<_> = (0..TASKS).map(|seed| spin_task(seed, 1 << 15, 40_000)).collect();
        customer.submit("spins", &tasks, 1_000).await?;
        let mut dice = ChaCha8Rng::seed_from_u64(5);
        let mut taken = Vec::new();
        for _ in 0..trips {
            machine.until("a task that runs", runs).await?;
            tokio::time::sleep(Duration::from_millis(dice.random_range(100..900))).await;
            taken.push(trip(&machine, desktop.display()).await?);
            machine.order(Command::Resume).await?;
        }
        println!("{trips} trips, device 0 a software one; milliseconds from the game's window on the screen");
        show("detection", taken.iter().map(|trip| trip.detection_ms).collect());
        show("release", taken.iter().map(|trip| trip.release_ms).collect());
        Ok(())
    }

    fn runs(snapshot: &Snapshot) -> bool {
        let StateView::Working { assignments } = &snapshot.state else { return false };
        assignments.iter().any(|assignment| assignment.stage == AssignmentStage::Running)
    }

    fn plays(snapshot: &Snapshot) -> Option<u64> {
        let StateView::Yielding { causes, .. } = &snapshot.state else { return None };
        causes.iter().find_map(|cause| match cause {
            Cause::FullScreen { since, .. } => Some(since.0),
            _ => None,
        })
    }

    async fn trip(machine: &Machine, display: &str) -> Result<Trip> {
        let [runtime] = machine.runtime_processes()?[..] else { bail!("one runtime works at a time") };
        let watched = display.to_owned();
        let watcher = watch(&watched)?;
        let game = Program::new("glxgears")
            .arg("-fullscreen")
            .env("DISPLAY", display)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("glxgears cannot be started; on Debian it is in mesa-utils")?;
        let game = Game(game);
        let released = tokio::task::spawn_blocking(move || released(&watcher, runtime));
        let (shown_ms, release_ms) = released.await??;
        let snapshot = machine.until("the trip", |snapshot| plays(snapshot).is_some()).await?;
        let since = plays(&snapshot).context("it yields")?;
        drop(game);
        machine.until("the game's end", |snapshot| plays(snapshot).is_none()).await?;
        Ok(Trip { detection_ms: since as f64 - shown_ms, release_ms })
    }

    fn watch(display: &str) -> Result<RustConnection> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let root = connection.setup().roots[screen].root;
        let told = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
        connection.change_window_attributes(root, &told)?.check()?;
        Ok(connection)
    }

    /// When a window as large as the screen was shown, in milliseconds since 1970; and how long after it the process was
    /// gone.
    fn released(connection: &RustConnection, process: u32) -> Result<(f64, f64)> {
        let since = Instant::now();
        loop {
            if let Event::MapNotify(shown) = connection.wait_for_event()? {
                let at = (Instant::now(), SystemTime::now());
                let geometry = connection.get_geometry(shown.window)?.reply();
                if geometry.is_ok_and(|place| place.width >= SCREEN.0 && place.height >= SCREEN.1) {
                    let wall = at.1.duration_since(UNIX_EPOCH)?.as_secs_f64() * 1000.0;
                    while is_there(process) {
                        ensure!(at.0.elapsed() < PATIENCE, "the runtime stays");
                        std::thread::sleep(LOOK);
                    }
                    return Ok((wall, at.0.elapsed().as_secs_f64() * 1000.0));
                }
            }
            ensure!(since.elapsed() < PATIENCE, "no game is shown");
        }
    }

    /// Whether a process is there with what it holds: one that nobody has asked about since its end holds nothing.
    fn is_there(process: u32) -> bool {
        let stat = PathBuf::from(format!("/proc/{process}/stat"));
        std::fs::read_to_string(stat).is_ok_and(|stat| {
            let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
            !matches!(state, Some("Z" | "X") | None)
        })
    }

    fn show(what: &str, mut values: Vec<f64>) {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let index = (values.len() as f64 * part).ceil() as usize;
            values[index.clamp(1, values.len()) - 1]
        };
        println!(
            "{what:<10} p50 {:>7.1}  p95 {:>7.1}  p99 {:>7.1}  max {:>7.1}",
            at(0.5),
            at(0.95),
            at(0.99),
            at(1.0)
        );
    }
}
