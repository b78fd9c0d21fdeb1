//! Commands that speak to the running worker.

use std::process::ExitCode;

use lull_types::{Coded, Fault};
use lull_worker_api::transport::Client;
use lull_worker_api::{Command, PauseFor, Reply, Snapshot, StateView};

use super::{paths, say, say_json, text};

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

pub(super) async fn pause(minutes: Option<u32>) -> Result<ExitCode, Fault> {
    let duration = minutes.map_or(PauseFor::UntilRestart, PauseFor::Minutes);
    done(Command::Pause { duration }, "Paused; the GPU is free within a quarter of a second.").await
}

pub(super) async fn resume() -> Result<ExitCode, Fault> {
    let client = connect().await?;
    command(&client, Command::Resume).await?;
    let snapshot = snapshot(&client).await?;
    if matches!(snapshot.state, StateView::Yielding { .. }) {
        // A game goes on, whatever is asked for.
        say(format!("There is no pause any more, but {}.", text::state(&snapshot)));
    } else {
        say("Work goes on.");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn shutdown() -> Result<ExitCode, Fault> {
    done(Command::Shutdown, "The worker puts its work away and ends.").await
}

pub(super) async fn enrol(ticket: Option<String>) -> Result<ExitCode, Fault> {
    done(Command::Enrol { ticket }, "Joining; “lull-worker status” shows how far it is.").await
}

async fn done(order: Command, word: &str) -> Result<ExitCode, Fault> {
    command(&connect().await?, order).await?;
    say(word);
    Ok(ExitCode::SUCCESS)
}
