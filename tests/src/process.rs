//! Programs as a test starts and ends them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::PATIENCE;

/// A program of this workspace, built with the same profile as the test.
///
/// # Errors
/// When it is not built: `cargo build --workspace --bins` does that.
pub fn built(program: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder =
        test.parent().and_then(Path::parent).context("a test lies two folders deep in the target folder")?;
    let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        bail!("{} is not built; run `cargo build --workspace --bins` first", path.display());
    }
    Ok(path)
}

/// A running program. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    /// Starts a program; its standard error goes to `log`, which a failing test shows.
    pub fn start(program: &str, log: PathBuf, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = Command::new(built(program)?);
        prepare(&mut command);
        let errors = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), log })
    }

    /// The next line of its standard output; `None` at its end.
    pub async fn line(&mut self) -> Result<Option<String>> {
        tokio::time::timeout(PATIENCE, self.lines.next_line())
            .await
            .with_context(|| format!("nothing was printed; its log ends:\n{}", self.log_tail()))?
            .context("standard output cannot be read")
    }

    /// Gives it this as all of its standard input.
    pub async fn tell(&mut self, text: &str) -> Result<()> {
        let mut input = self.child.stdin.take().context("its standard input is closed")?;
        input.write_all(text.as_bytes()).await?;
        Ok(input.shutdown().await?)
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the process has ended")
    }

    /// Ends it at once, as a power cut would, and waits until it is gone.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits for its end; `Ok` holds whether it succeeded and what else it printed.
    pub async fn finished(mut self) -> Result<(bool, String)> {
        let mut printed = String::new();
        while let Some(line) = self.line().await? {
            printed += &line;
            printed.push('\n');
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it does not end")??;
        if !status.success() {
            printed += &format!("({status})\n{}", self.log_tail());
        }
        Ok((status.success(), printed))
    }

    /// The end of what it wrote to standard error.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log)
    }
}

/// The last lines of a log.
pub(crate) fn log_tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Asks until the answer is there, within [`PATIENCE`].
///
/// # Errors
/// When it never comes, with `what` was waited for; or the first error of `ask`.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    // Short beside anything that is waited for, long beside the cost of asking.
    const INTERVAL: Duration = Duration::from_millis(50);
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        tokio::time::sleep(INTERVAL).await;
    }
    bail!("waited in vain for {what}")
}
