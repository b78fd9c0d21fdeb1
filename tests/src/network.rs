//! A network of a test's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{Customer, Process, built};

/// What `lull-network` prints first.
#[derive(Debug, Deserialize)]
struct Ready {
    ticket: String,
    http: String,
}

/// What `lull-network customer add` prints.
#[derive(Debug, Deserialize)]
struct NewCustomer {
    key: String,
}

/// A network without practice jobs. Its folder outlives its process.
#[derive(Debug)]
pub struct Network {
    folder: TempDir,
    data: PathBuf,
    /// What it is started with, every time.
    options: Vec<String>,
    process: Option<Process>,
    ready: Ready,
}

impl Network {
    /// A new network, on ports of its own.
    pub async fn start() -> Result<Self> {
        Self::begin(None, &[]).await
    }

    /// A new network that keeps its data elsewhere, such as on a small disk.
    pub async fn start_at(data: PathBuf) -> Result<Self> {
        Self::begin(Some(data), &[]).await
    }

    /// A network with options of its own.
    pub async fn start_with(data: PathBuf, options: &[&str]) -> Result<Self> {
        Self::begin(Some(data), options).await
    }

    async fn begin(data: Option<PathBuf>, options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = data.unwrap_or_else(|| folder.path().join("data"));
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        // A practice network takes ports that are free by itself.
        let is_practice = options.iter().any(|option| option == "--practice");
        let place = if is_practice { &[][..] } else { &["--http", "127.0.0.1:0", "--listen", "0.0.0.0:0"] };
        let first: Vec<String> =
            options.iter().cloned().chain(place.iter().map(|&option| option.to_owned())).collect();
        let (process, ready) = run(folder.path(), &data, &first).await?;
        Ok(Self { folder, data, options, process: Some(process), ready })
    }

    /// Its ticket.
    pub fn ticket(&self) -> &str {
        &self.ready.ticket
    }

    /// Where it keeps its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Ends it at once, as a power cut would, and starts it again at the same place.
    pub async fn crash_and_restart(&mut self) -> Result<()> {
        self.crash().await?;
        self.restart().await
    }

    /// Ends it at once, as a power cut would.
    pub async fn crash(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Starts it again after a crash, at the same place.
    pub async fn restart(&mut self) -> Result<()> {
        let http = self.ready.http.trim_start_matches("http://").to_owned();
        let address = listen_address(&self.ready.ticket)?;
        let place = ["--http".to_owned(), http, "--listen".to_owned(), address];
        let options = [&self.options[..], &place].concat();
        let (process, ready) = run(self.folder.path(), &self.data, &options).await?;
        self.process = Some(process);
        self.ready = ready;
        Ok(())
    }

    /// The end of what it wrote to standard error.
    pub fn log_tail(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Process::log_tail)
    }

    /// A new customer with a deposit in base units.
    pub async fn customer(&self, name: &str, deposit: u64) -> Result<Customer> {
        let mut command = tokio::process::Command::new(built("lull-network")?);
        command
            .args(["customer", "add", name, "--deposit", &deposit.to_string(), "--data-dir"])
            .arg(&self.data);
        let output = command.kill_on_drop(true).output().await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let made: NewCustomer = serde_json::from_str(&text).with_context(|| format!("unexpected: {text}"))?;
        Ok(Customer::new(self.ready.http.clone(), made.key))
    }

    /// Its metrics by name, labels included.
    pub async fn metrics(&self) -> Result<BTreeMap<String, f64>> {
        let text = reqwest::get(format!("{}/metrics", self.ready.http)).await?.text().await?;
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        Ok(rows
            .filter_map(|row| row.rsplit_once(' '))
            .filter_map(|(n, v)| Some((n.into(), v.parse().ok()?)))
            .collect())
    }
}

fn listen_address(ticket: &str) -> Result<String> {
    let ticket: lull_network_api::NetworkTicket = ticket.parse()?;
    let loopback = ticket.addresses.iter().find(|address| address.is_ipv4() && address.ip().is_loopback());
    Ok(loopback.context("the ticket has no loopback address")?.to_string())
}

async fn run(logs: &Path, data: &Path, more: &[String]) -> Result<(Process, Ready)> {
    let log = logs.join("network.log");
    let mut process = Process::start("lull-network", log, |command| {
        command.arg("--data-dir").arg(data).args(more);
    })?;
    let line = process.line().await?.with_context(|| process.log_tail())?;
    let ready = serde_json::from_str(&line).with_context(|| format!("unexpected first line: {line}"))?;
    Ok((process, ready))
}
