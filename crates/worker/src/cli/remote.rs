//! Commands that speak to the running worker.

use std::process::ExitCode;

use lull_types::{Coded, Fault};
use lull_worker_api::transport::Client;
use lull_worker_api::{Command, PauseFor, Reply, Snapshot, StateView};

use super::{ServeModels, paths, say, say_json, text};

/// A connection to the worker of this folder.
pub(super) async fn connect() -> Result<Client, Fault> {
    Client::connect(&paths()?.endpoint()).await.map_err(|error| error.fault())
}

/// One command; a refusal is a fault.
pub(super) async fn command(client: &Client, command: Command) -> Result<Reply, Fault> {
    match client.command(command).await.map_err(|error| error.fault())? {
        Reply::Refused(fault) => Err(fault),
        reply => Ok(reply),
    }
}

pub(super) fn unexpected() -> Fault {
    Fault::new("worker_not_understood", "the worker answered something else; restart Lull")
}

pub(super) async fn snapshot(client: &Client) -> Result<Snapshot, Fault> {
    match command(client, Command::Status).await? {
        Reply::Snapshot(snapshot) => Ok(*snapshot),
        _ => Err(unexpected()),
    }
}

pub(super) async fn status(json: bool) -> Result<ExitCode, Fault> {
    let snapshot = snapshot(&connect().await?).await?;
    if json {
        say_json(&snapshot)?;
    } else {
        text::status(&snapshot).into_iter().for_each(say);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn pause(duration: PauseFor, device: Option<u32>) -> Result<ExitCode, Fault> {
    let word = "Paused; the GPU is free within a quarter of a second.";
    done(Command::Pause { duration, device }, word).await
}

pub(super) async fn resume(device: Option<u32>) -> Result<ExitCode, Fault> {
    let client = connect().await?;
    command(&client, Command::Resume { device }).await?;
    let snapshot = snapshot(&client).await?;
    let of_device = snapshot.devices.iter().find(|view| device == Some(view.info.index));
    if let Some(held) = of_device.map(|view| &view.held).filter(|held| !held.is_empty()) {
        say(format!("There is no pause of it any more, but {}.", text::causes(held, snapshot.taken_at)));
    } else if matches!(snapshot.state, StateView::Yielding { .. }) {
        // A game goes on, whatever is asked for.
        say(format!("There is no pause any more, but {}.", text::state(&snapshot)));
    } else {
        say("Work goes on.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Each guard, and when guards held the GPU free lately.
pub(super) async fn guards(json: bool) -> Result<ExitCode, Fault> {
    let client = connect().await?;
    let snapshot = snapshot(&client).await?;
    let Reply::Trips(trips) = command(&client, Command::Trips { limit: TRIPS_SHOWN }).await? else {
        return Err(unexpected());
    };
    if json {
        say_json(&serde_json::json!({ "guards": snapshot.guards, "trips": trips }))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(text::state(&snapshot));
    text::guards(&snapshot).into_iter().for_each(say);
    if !trips.is_empty() {
        say("");
        say("Lately");
    }
    trips.iter().map(text::trip_row).for_each(say);
    Ok(ExitCode::SUCCESS)
}

/// As many as fit on a screen.
const TRIPS_SHOWN: u32 = 12;

pub(super) async fn shutdown() -> Result<ExitCode, Fault> {
    done(Command::Shutdown, "The worker puts its work away and ends.").await
}

pub(super) async fn enrol(ticket: Option<String>, models: ServeModels) -> Result<ExitCode, Fault> {
    if let Some(change) = models.change() {
        command(&connect().await?, Command::Configure(Box::new(change))).await?;
    }
    done(Command::Enrol { ticket }, "Joining; “lull-worker status” shows how far it is.").await
}

async fn done(order: Command, word: &str) -> Result<ExitCode, Fault> {
    command(&connect().await?, order).await?;
    say(word);
    Ok(ExitCode::SUCCESS)
}
