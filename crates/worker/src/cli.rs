//! The command line of the worker.

mod benchmark;
mod kept_wallet;
mod payouts;
mod private_screen;
mod receipts;
mod remote;
mod run;
mod standing;
mod statement;
mod text;
mod wallet;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lull_types::{Coded, Fault, SecretKey};
use lull_worker_api::{PauseFor, SettingsChange};

use crate::keychain;
use crate::lock::InstanceLock;
use crate::paths::Paths;

/// Lends this machine's idle GPU, and earns with it.
#[derive(Debug, Parser)]
#[command(name = "lull-worker", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the worker in this terminal until Ctrl-C.
    Run(run::Args),
    /// Show what the running worker does.
    Status {
        /// The whole snapshot in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Free the GPU now.
    Pause {
        /// For so many minutes; without it until the worker is started again.
        #[arg(long)]
        minutes: Option<u32>,
        /// Until “resume”, however often the worker is started meanwhile.
        #[arg(long, conflicts_with = "minutes")]
        until_resumed: bool,
        /// One device, by its number in “status”; without it all of them.
        #[arg(long)]
        device: Option<u32>,
    },
    /// End a pause now.
    Resume {
        /// Of one device; without it of all.
        #[arg(long)]
        device: Option<u32>,
    },
    /// Show what holds the GPU free, and what that cost lately.
    Guards {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End the worker; running tasks are handed back first.
    Shutdown,
    /// Measure a device.
    Benchmark(benchmark::Args),
    /// Join a network, and turn work on.
    #[command(alias = "enroll")]
    Enrol {
        /// The network's ticket; without it the practice network on this machine.
        ticket: Option<String>,
        #[command(flatten)]
        models: ServeModels,
    },
    /// Where earnings are paid.
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// How you are paid, and whether it is true.
    Payouts(payouts::Args),
    /// Write a statement of a month's or a year's earnings, as a table for spreadsheets.
    Statement(statement::Args),
    /// Look after receipts.
    #[command(subcommand)]
    Receipts(ReceiptsCommand),
}

/// Whether language models are served.
#[derive(Clone, Copy, Debug, clap::Args)]
struct ServeModels {
    /// Serve language models from now on, whose files take up to 20 GB of the disk; “--serve-models=false” not any more.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    serve_models: Option<bool>,
}

impl ServeModels {
    /// What changes in the settings, if anything does.
    fn change(self) -> Option<SettingsChange> {
        self.serve_models
            .map(|wanted| SettingsChange { serves_models: Some(wanted), ..SettingsChange::default() })
    }
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Show the wallet, whether it is proven, and what waits to come in its place.
    Show,
    /// Be paid to this address. A change counts after a waiting period.
    Set {
        /// A Solana wallet address.
        address: String,
    },
    /// Open a page on this machine on which your own wallet signs that it is yours, and be paid there; or, with a wallet
    /// on your phone, show a code for it.
    Prove {
        /// Show a code for the phone that has the wallet which is set: with it the wallet sends a thousand lamports to
        /// itself and pays Solana's fee.
        #[arg(long)]
        qr: bool,
    },
    /// Be paid nowhere; earnings wait.
    Clear,
    /// Make a wallet: shows its words, asks for them, and is then where you are paid. Its key stays on this machine.
    Make,
    /// Show that you wrote down the words of a wallet that was made; they are read from standard input.
    Confirm,
    /// Take a wallet over by its twelve or twenty-four words, which are read from standard input, and be paid there.
    Restore,
    /// Show the words of the wallet that is kept here, to move it to another program.
    Export {
        /// Print them even where there is no terminal, such as into a file.
        #[arg(long)]
        not_to_a_terminal: bool,
    },
    /// Remove the key of the wallet that is kept here from this machine; asks for its words. What it holds stays in it.
    Forget {
        /// Do not ask: you have the words. Without them nobody can ever spend what the wallet holds.
        #[arg(long)]
        i_have_the_words: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ReceiptsCommand {
    /// Recompute every receipt: signatures, sums and roots. Needs no network and no running worker.
    Verify {
        /// An exported file; without it, what this worker holds.
        file: Option<PathBuf>,
        /// The published file of an epoch, to check that what it lists for this worker is covered by the receipts.
        #[arg(long)]
        epoch: Option<PathBuf>,
        /// The result in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command line says.
pub async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => run::run(args).await,
        Command::Status { json } => remote::status(json).await,
        Command::Pause { until_resumed: true, device, .. } => {
            remote::pause(PauseFor::UntilResumed, device).await
        }
        Command::Pause { minutes, device, .. } => {
            remote::pause(minutes.map_or(PauseFor::UntilRestart, PauseFor::Minutes), device).await
        }
        Command::Resume { device } => remote::resume(device).await,
        Command::Guards { json } => remote::guards(json).await,
        Command::Shutdown => remote::shutdown().await,
        Command::Benchmark(args) => benchmark::run(args).await,
        Command::Enrol { ticket, models } => remote::enrol(ticket, models).await,
        Command::Wallet(WalletCommand::Show) => wallet::show().await,
        Command::Wallet(WalletCommand::Set { address }) => wallet::set(Some(address)).await,
        Command::Wallet(WalletCommand::Prove { qr: false }) => wallet::prove().await,
        Command::Wallet(WalletCommand::Prove { qr: true }) => wallet::prove_by_phone().await,
        Command::Wallet(WalletCommand::Clear) => wallet::set(None).await,
        Command::Payouts(args) => payouts::run(args).await,
        Command::Statement(args) => statement::run(args).await,
        Command::Receipts(ReceiptsCommand::Verify { file, epoch, json }) => {
            receipts::verify(file, epoch, json).await
        }
        Command::Wallet(WalletCommand::Make) => kept_wallet::make().await,
        Command::Wallet(WalletCommand::Confirm) => kept_wallet::confirm().await,
        Command::Wallet(WalletCommand::Restore) => kept_wallet::restore().await,
        Command::Wallet(WalletCommand::Export { not_to_a_terminal }) => {
            kept_wallet::export(not_to_a_terminal).await
        }
        Command::Wallet(WalletCommand::Forget { i_have_the_words }) => {
            kept_wallet::forget(i_have_the_words).await
        }
    };
    done.unwrap_or_else(|fault| {
        // There is nowhere else to say it.
        let _ = writeln!(io::stderr(), "lull-worker: {} [{}]", fault.sentence, fault.code);
        ExitCode::FAILURE
    })
}

/// This worker's folder.
fn paths() -> Result<Paths, Fault> {
    Paths::from_env().map_err(|error| error.fault())
}

/// Makes the folder and takes it for this process.
fn take(paths: &Paths) -> Result<InstanceLock, Fault> {
    paths.create().map_err(|error| error.fault())?;
    InstanceLock::take(paths).map_err(|error| error.fault())
}

/// The device key, asked of the keychain on a thread that may wait.
async fn device_key(paths: &Paths) -> Result<SecretKey, Fault> {
    let paths = paths.clone();
    let key = tokio::task::spawn_blocking(move || keychain::device_key(&paths, keychain::system())).await;
    key.map_err(|error| Fault::new("internal", error.to_string()))?.map_err(|error| error.fault())
}

/// Prints a line. A reader that has left, as in `lull-worker status | head`, is no fault.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a value as JSON.
fn say_json(value: &impl serde::Serialize) -> Result<(), Fault> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Fault::new("internal", error.to_string()))?;
    say(text);
    Ok(())
}
