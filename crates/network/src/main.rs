//! `lull-network`: the network in one process.

mod paying_options;

use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use lull_network::http::Tls;
use lull_network::inference::NewModel;
use lull_network::payouts::NewLimits;
use lull_network::service::{Service, ServiceConfig};
use lull_network::{customers, operators};
use lull_types::BaseUnits;
use paying_options::{Limits, PayingOptions};
use tokio::io::{AsyncBufReadExt, BufReader};
use tracing_subscriber::EnvFilter;

/// A network that enrols workers, places customers' work, verifies it and pays for it.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Command {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    operator: Option<Operator>,
}

/// How the service is run. When it is ready it prints one line of JSON: {"ticket", "http", "metrics"}.
#[derive(Debug, Args)]
struct Run {
    /// Folder of the network's key, records and blobs.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Seed a practice network: tokens without value, and sample jobs that never run out.
    #[arg(long)]
    practice: bool,
    /// Name that contributors see.
    #[arg(long, default_value = "Lull")]
    name: String,
    /// Where workers dial (UDP). [default: 0.0.0.0:4433; with --practice a free port of this machine alone]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Another address at which workers reach this network, such as a router's; may be repeated.
    #[arg(long, value_name = "ADDR")]
    advertise: Vec<SocketAddr>,
    /// Where customers are served (TCP). [default: 127.0.0.1:8443; with --practice a free port of this machine]
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Certificate chain in PEM; needed unless --http is an address of this machine alone.
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM.
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// End when standard input closes, so as never to outlive the program that started this. A line `pause`
    /// or `resume` stops or allows checks on this machine's GPU.
    #[arg(long)]
    parent_stdin: bool,
    #[command(flatten)]
    paying: PayingOptions,
}

#[derive(Debug, Subcommand)]
enum Operator {
    /// Customers; also while the service runs.
    Customer {
        #[command(subcommand)]
        command: CustomerCommand,
    },
    /// Language models of the service that runs.
    Model {
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Payouts of the service that runs.
    Payouts {
        #[command(subcommand)]
        command: PayoutsCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Serve a model from now on, or change what is said of one that is served.
    Add(AddModel),
    /// Print the models that are served, in JSON.
    List,
    /// Serve a model no more.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct AddModel {
    /// A GGUF file. It is kept in the data folder, as the same file where that is possible.
    file: PathBuf,
    /// What customers call it. [default: the file's name without its ending]
    #[arg(long)]
    name: Option<String>,
    /// Under which its makers give it away, for whoever uses it.
    #[arg(long)]
    licence: String,
    /// Price of 1,000 tokens of prompts, in base units: 1 USDC is 1,000,000.
    #[arg(long, value_name = "UNITS")]
    prompt_price: u64,
    /// Price of 1,000 tokens that are generated, in base units.
    #[arg(long, value_name = "UNITS")]
    generated_price: u64,
    /// Tokens of a text, prompt and answer together. [default: 4096, or what the model was trained to take]
    #[arg(long, value_name = "TOKENS")]
    context: Option<u32>,
    /// Texts at once on one device. [default: 8]
    #[arg(long, value_name = "N")]
    sequences: Option<u32>,
    /// A Jinja template for chats, in the place of the model's own.
    #[arg(long, value_name = "FILE")]
    chat_template: Option<PathBuf>,
}

impl AddModel {
    fn model(self) -> anyhow::Result<NewModel> {
        let template = |path: PathBuf| {
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
        };
        Ok(NewModel {
            // The service may run in another folder.
            file: std::path::absolute(&self.file).context("this folder cannot be found")?,
            name: self.name,
            licence: self.licence,
            context_tokens: self.context,
            sequences: self.sequences,
            price_per_1000_prompt_tokens: BaseUnits(self.prompt_price),
            price_per_1000_generated_tokens: BaseUnits(self.generated_price),
            chat_template: self.chat_template.map(template).transpose()?,
        })
    }
}

#[derive(Debug, Subcommand)]
enum PayoutsCommand {
    /// Print how payouts stand, in JSON: treasury, epoch, what was spent and may be, and why they are stopped.
    Status,
    /// Go on after an alarm, once you have seen why. What is said here holds until the service ends; its options
    /// say the limits of the next start.
    Resume {
        #[command(flatten)]
        limits: Limits,
    },
}

#[derive(Debug, Subcommand)]
enum CustomerCommand {
    /// Make a customer and print its API key, which is shown this once.
    Add {
        /// Name that contributors see.
        name: String,
        /// First deposit in base units: 1 USDC is 1,000,000.
        #[arg(long, default_value_t = 0)]
        deposit: u64,
    },
}

fn main() -> ExitCode {
    let filter =
        EnvFilter::try_from_env("LULL_LOG").unwrap_or_else(|_| EnvFilter::new("info,iroh=warn,noq=warn"));
    // Standard output is for the announcement.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let command = Command::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the system starts no threads");
            return ExitCode::FAILURE;
        }
    };
    let acted = runtime.block_on(act(command));
    // Standard input may be open still, and the thread that reads it cannot be woken.
    runtime.shutdown_background();
    match acted {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act(command: Command) -> anyhow::Result<()> {
    let data_dir = match command.run.data_dir.clone() {
        Some(folder) => folder,
        None => directories::ProjectDirs::from("", "", "lull")
            .context("this user has no home folder; name a folder with --data-dir")?
            .data_dir()
            .join("network"),
    };
    match command.operator {
        Some(Operator::Customer { command: CustomerCommand::Add { name, deposit } }) => {
            let added = customers::add(&data_dir, &name, BaseUnits(deposit)).await?;
            print_line(&serde_json::to_string(&added)?)
        }
        Some(Operator::Model { command }) => {
            let models = match command {
                ModelCommand::Add(model) => operators::add_model(&data_dir, model.model()?).await?,
                ModelCommand::List => operators::models(&data_dir).await?,
                ModelCommand::Remove { name } => operators::remove_model(&data_dir, name).await?,
            };
            print_line(&serde_json::to_string_pretty(&models)?)
        }
        Some(Operator::Payouts { command: PayoutsCommand::Status }) => {
            print_line(&serde_json::to_string_pretty(&operators::payouts(&data_dir).await?)?)
        }
        Some(Operator::Payouts { command: PayoutsCommand::Resume { limits } }) => {
            let Limits { lamports_max, tokens_max, growth_max } = limits;
            let limits = NewLimits { lamports_max, tokens_max, growth_max };
            print_line(&serde_json::to_string_pretty(&operators::resume_payouts(&data_dir, limits).await?)?)
        }
        None => run(command.run, data_dir).await,
    }
}

async fn run(run: Run, data_dir: PathBuf) -> anyhow::Result<()> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // Practice networks of several users and tests run side by side.
    let (listen, http) = if run.practice {
        (local(0), local(0))
    } else {
        (SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4433)), local(8443))
    };
    let name = if run.practice && run.name == "Lull" { "Practice network".to_owned() } else { run.name };
    let service = Service::start(ServiceConfig {
        data_dir,
        name,
        practice: run.practice,
        policy: run.paying.policy(run.practice)?,
        listen: run.listen.unwrap_or(listen),
        advertise: run.advertise,
        http: run.http.unwrap_or(http),
        tls: run.tls_cert.zip(run.tls_key).map(|(certificate, key)| Tls { certificate, key }),
        payouts: run.paying.settings(run.practice)?,
    })
    .await?;
    print_line(&serde_json::to_string(service.announcement())?)?;
    let reason = tokio::select! {
        reason = signal() => reason?,
        () = parent(&service), if run.parent_stdin => "the parent is gone",
    };
    tracing::info!(reason, "stopping");
    service.stop().await;
    Ok(())
}

fn print_line(line: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Reads the parent's words until there are no more.
async fn parent(service: &Service) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.trim() {
            "pause" => service.pause_checks(true),
            "resume" => service.pause_checks(false),
            other => tracing::warn!(line = other, "the parent says something that is not understood"),
        }
    }
}

#[cfg(unix)]
async fn signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted.map(|()| "interrupted")?),
        _ = terminate.recv() => Ok("terminated"),
    }
}

#[cfg(not(unix))]
async fn signal() -> anyhow::Result<&'static str> {
    tokio::signal::ctrl_c().await?;
    Ok("interrupted")
}
