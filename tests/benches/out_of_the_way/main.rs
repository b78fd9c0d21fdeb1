//! From a game's start until the GPU is free, on a real desktop with the real worker, and with BOINC's client beside it:
//!
//! ```sh
//! cargo build --release --workspace --bins
//! cargo bench -p lull-tests --bench out_of_the_way -- --trips 200 --boinc-trips 20 --games 5
//! ```
//!
//! The worker runs tasks that take longer than the bench, in slices as long as a runtime makes them. `glxgears -fullscreen`
//! (Debian: mesa-utils) starts at a random moment. Measured is, from the instant at which the X server tells that a window
//! as large as the screen is shown:
//! - *detection*, until the worker's machine knows it (its own clock, in milliseconds);
//! - *release*, until the runtime's process is gone. A software device's memory is the process's own, and gone with it.
//!
//! The game then ends, and a person resumes by hand, so that the next trip need not wait for a minute. BOINC has the game in
//! its list of exclusive applications, which Lull has no need of; measured is until its task uses no processor any more.
//!
//! Before that the game is played in a window, which nothing yields to here, while the worker is paused and while it works:
//! how long its frames take then. On a software device both want the same processors.
#![allow(clippy::print_stdout, reason = "what it measured is for whoever runs it")]

#[cfg(target_os = "linux")]
mod boinc;
#[cfg(target_os = "linux")]
mod frames;
#[cfg(target_os = "linux")]
mod game;
#[cfg(target_os = "linux")]
mod lull;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    use lull_testkit::desktop::Desktop;

    // Test runners list every bench, and there is nothing here that they should run.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let desktop = Desktop::start(game::SCREEN.0, game::SCREEN.1)?;
    let display = desktop.display();
    let trips = argument("--trips", 20)?;
    let games = argument("--games", 2)?;
    let (frames, taken) = tokio::runtime::Runtime::new()?.block_on(async {
        let bench = lull::Bench::start(display).await?;
        anyhow::Ok((bench.frames(games).await?, bench.trips(trips).await?))
    })?;
    println!("Lull {}, a software device; in milliseconds", env!("CARGO_PKG_VERSION"));
    println!("frames of a game in a window, {games} times:");
    show("alone", frames.alone);
    show("beside work", frames.beside_work);
    println!("{trips} trips:");
    show("detection", taken.iter().map(|trip| trip.detection_ms).collect());
    show("release", taken.iter().map(|trip| trip.release_ms).collect());
    match boinc::Boinc::start() {
        Ok(boinc) => {
            let trips = argument("--boinc-trips", 5)?;
            let taken = (0..trips).map(|_| boinc.trip(display)).collect::<anyhow::Result<_>>()?;
            println!(
                "BOINC's client, with an exclusive application: {trips} trips, a task for the processor"
            );
            show("release", taken);
        }
        Err(error) => println!("SKIPPED BOINC: {error:#}"),
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn argument(name: &str, otherwise: usize) -> anyhow::Result<usize> {
    use anyhow::Context;

    let arguments: Vec<String> = std::env::args().collect();
    let Some(at) = arguments.iter().position(|argument| argument == name) else { return Ok(otherwise) };
    let value = arguments.get(at + 1).and_then(|value| value.parse().ok()).filter(|trips| *trips > 0);
    value.with_context(|| format!("{name} wants a number"))
}

#[cfg(target_os = "linux")]
fn show(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let index = (values.len() as f64 * part).ceil() as usize;
        values[index.clamp(1, values.len()) - 1]
    };
    println!(
        "  {what:<12} p50 {:>8.1}  p95 {:>8.1}  p99 {:>8.1}  max {:>8.1}",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: this needs an X server");
}
