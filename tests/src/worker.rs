//! A contributor's machine of a test's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail, ensure};
use lull_worker_api::transport::{Client, default_endpoint};
use lull_worker_api::{Command, Reply, SettingsChange, Snapshot};
use tempfile::TempDir;

use crate::process::{built, log_tail};
use crate::{PATIENCE, Process, eventually};

/// A contributor's machine: a data folder, and perhaps a worker that runs on it.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    data: PathBuf,
    process: Option<Process>,
    client: Option<Client>,
    environment: Vec<(String, String)>,
    serves_models: bool,
}

impl Machine {
    /// A machine on which nothing was ever run.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        Ok(Self { folder, data, process: None, client: None, environment: Vec::new(), serves_models: false })
    }

    /// Puts the worker's data elsewhere, such as on a small disk.
    pub fn with_data(mut self, data: PathBuf) -> Self {
        self.data = data;
        self
    }

    /// Sets a variable for everything that is run here.
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the worker serve language models once it joins a network.
    pub fn serve_models(&mut self) {
        self.serves_models = true;
    }

    /// Where the worker keeps its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("worker.log")
    }

    /// Runs the command line to its end: whether it succeeded, and what it printed.
    pub async fn command_line(&self, arguments: &[&str]) -> Result<(bool, String)> {
        self.spawn(arguments)?.finished().await
    }

    /// The same, with this as its standard input.
    pub async fn command_line_told(&self, arguments: &[&str], input: &str) -> Result<(bool, String)> {
        let mut process = self.spawn(arguments)?;
        process.tell(input).await?;
        process.finished().await
    }

    /// Runs the command line in a terminal of this size, before which a person sits.
    #[cfg(unix)]
    pub fn terminal(&self, arguments: &[&str], rows: u16, columns: u16) -> Result<crate::Terminal> {
        let command = pty_process::Command::new(built("lull-worker")?).args(arguments);
        let command = command.env("LULL_DATA_DIR", &self.data).env("LULL_KEYCHAIN", "file");
        crate::Terminal::start(command.envs(self.environment.iter().cloned()), rows, columns)
    }

    fn spawn(&self, arguments: &[&str]) -> Result<Process> {
        Process::start("lull-worker", self.log(), |command| {
            command.args(arguments).env("LULL_DATA_DIR", &self.data).env("LULL_KEYCHAIN", "file");
            command.envs(self.environment.iter().cloned());
        })
    }

    /// Starts the worker and connects to it.
    pub async fn start(&mut self) -> Result<()> {
        self.process = Some(self.spawn(&["run"])?);
        let endpoint = default_endpoint(&self.data);
        let connected =
            eventually("the worker's socket", async || Ok(Client::connect(&endpoint).await.ok())).await;
        self.client = Some(connected.with_context(|| log_tail(&self.log()))?);
        Ok(())
    }

    /// Starts a worker that has measured this computer before, and has it join a network.
    pub async fn join(&mut self, ticket: &str) -> Result<()> {
        copy_files(&measured().await?, &self.data)?;
        // Another machine is another worker.
        std::fs::remove_file(self.data.join("device-key"))?;
        self.start().await?;
        if self.serves_models {
            let change = SettingsChange { serves_models: Some(true), ..SettingsChange::default() };
            self.order(Command::Configure(Box::new(change))).await?;
        }
        self.order(Command::Enrol { ticket: Some(ticket.to_owned()) }).await?;
        self.until("enrolment", |snapshot| snapshot.steps.enrolled).await?;
        Ok(())
    }

    /// Ends the worker at once, as a power cut would.
    pub async fn crash(&mut self) -> Result<()> {
        self.client = None;
        if let Some(process) = self.process.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Process id of the worker.
    pub fn worker_process(&self) -> Result<u32> {
        self.process.as_ref().context("no worker runs here")?.id()
    }

    /// Process ids of the runtimes that the worker has started.
    pub fn runtime_processes(&self) -> Result<Vec<u32>> {
        let parent = self.worker_process()?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
            // `pid (name) state parent …`; the name may hold anything, so the rest is read after its end.
            let Some((head, tail)) = stat.rsplit_once(')') else { continue };
            let is_child = tail.split_whitespace().nth(1) == Some(&parent.to_string());
            if is_child && head.contains("lull-runtime") {
                found.push(
                    head.split_whitespace().next().context("a stat line starts with a number")?.parse()?,
                );
            }
        }
        Ok(found)
    }

    /// Gives an order that must not be refused.
    pub async fn order(&self, command: Command) -> Result<Reply> {
        let client = self.client.as_ref().context("no worker runs here")?;
        match client.command(command.clone()).await.with_context(|| log_tail(&self.log()))? {
            Reply::Refused(fault) => bail!("{command:?} was refused: {fault}"),
            reply => Ok(reply),
        }
    }

    /// Waits for a snapshot that fulfils a condition.
    pub async fn until(&self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>> {
        let client = self.client.as_ref().context("no worker runs here")?;
        let mut snapshots = client.subscribe().await?;
        let mut last = None;
        let wait = async {
            loop {
                let snapshot = snapshots.next().await?;
                if holds(&snapshot) {
                    return anyhow::Ok(snapshot);
                }
                last = Some(snapshot);
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, wait).await;
        let context = || format!("waiting for {what}; the log ends:\n{}", log_tail(&self.log()));
        match outcome {
            Ok(outcome) => outcome.with_context(context),
            Err(_) => {
                Err(anyhow::anyhow!("last state: {:?}", last.map(|s| s.state.clone()))).with_context(context)
            }
        }
    }

    /// Has the worker end by itself.
    async fn shut_down(&mut self) -> Result<()> {
        self.order(Command::Shutdown).await?;
        self.client = None;
        if let Some(process) = self.process.take() {
            let (succeeded, _) = process.finished().await?;
            ensure!(succeeded, "the worker did not end well; its log ends:\n{}", log_tail(&self.log()));
        }
        Ok(())
    }

    /// Recomputes every receipt, and gives their number and sum in base units.
    pub async fn verified_receipts(&self) -> Result<(u32, u64)> {
        let Reply::ReceiptsChecked(check) = self.order(Command::VerifyReceipts).await? else {
            bail!("unexpected reply")
        };
        match check.fault {
            Some(fault) => bail!("the receipts do not hold: {fault}"),
            None => Ok((check.receipts, check.total.0)),
        }
    }
}

/// The data folder of a worker that has measured this computer. The first test after a build makes it; measuring takes
/// longer than most of what is tested.
async fn measured() -> Result<PathBuf> {
    let program = built("lull-worker")?;
    let built_at = program.metadata()?.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let folder = program.parent().context("a program lies in a folder")?.join("measured-workers");
    std::fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    // One test measures, the others wait for it.
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let made = folder.join(built_at.to_string());
    if !made.exists() {
        let mut machine = Machine::new()?;
        machine.start().await?;
        machine.until("devices", |snapshot| !snapshot.devices.is_empty()).await?;
        machine.order(Command::Benchmark { device: 0, sustained_seconds: 0 }).await?;
        machine.until("a benchmark", |snapshot| snapshot.steps.benchmarked).await?;
        machine.shut_down().await?;
        // Under its name only once it is whole.
        let partial = folder.join("partial");
        if partial.exists() {
            std::fs::remove_dir_all(&partial)?;
        }
        std::fs::create_dir(&partial)?;
        copy_files(&machine.data, &partial)?;
        std::fs::rename(&partial, &made)?;
    }
    lock.unlock()?;
    Ok(made)
}

/// Copies the files of a folder that is not in use: the worker's journal and its key. Other folders are made anew.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
