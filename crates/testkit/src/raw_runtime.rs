//! A runtime process without the host around it: tests can send what no worker would.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use lull_runtime_api::{FRAMES, FrameError, PROTOCOL_VERSION, Request, RuntimeEvent, RuntimeInfo};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a runtime may take for what it should do at once. A software adapter on a busy machine compiles
/// for seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A runtime process and its pipes. Killed when dropped.
#[derive(Debug)]
pub struct RawRuntime {
    child: Child,
    stdin: Option<ChildStdin>,
    events: mpsc::UnboundedReceiver<Result<RuntimeEvent, FrameError>>,
    /// Lives as long as the process.
    _scratch: tempfile::TempDir,
}

impl RawRuntime {
    /// Starts `program` in an empty scratch folder; says nothing to it.
    pub async fn start(program: &Path) -> anyhow::Result<Self> {
        let scratch = tempfile::tempdir()?;
        let mut child = Command::new(program)
            .current_dir(scratch.path())
            .env("MESA_SHADER_CACHE_DIR", scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let stdin = child.stdin.take();
        let mut stdout = child.stdout.take().context("no pipe from the runtime")?;
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let event = FRAMES.read(&mut stdout).await;
                let last = event.is_err();
                if sender.send(event).is_err() || last {
                    return;
                }
            }
        });
        Ok(Self { child, stdin, events, _scratch: scratch })
    }

    /// Starts `program` and shakes hands.
    pub async fn ready(program: &Path) -> anyhow::Result<(Self, RuntimeInfo)> {
        let mut runtime = Self::start(program).await?;
        runtime.send(&Request::Hello { protocol: PROTOCOL_VERSION }).await?;
        match runtime.next().await? {
            RuntimeEvent::Hello(info) => Ok((runtime, info)),
            other => anyhow::bail!("expected Hello, got {other:?}"),
        }
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("the input is closed")?;
        FRAMES.write(stdin, request).await.context("the runtime does not read")
    }

    /// Sends bytes that may be no frame. A runtime that has gone meanwhile is not an error.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("the input is closed")?;
        let _gone = stdin.write_all(bytes).await;
        let _gone = stdin.flush().await;
        Ok(())
    }

    /// Closes the runtime's input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// The next event, within [`PATIENCE`].
    pub async fn next(&mut self) -> anyhow::Result<RuntimeEvent> {
        self.next_within(PATIENCE).await
    }

    /// The next event, within `limit`.
    pub async fn next_within(&mut self, limit: Duration) -> anyhow::Result<RuntimeEvent> {
        let event = timeout(limit, self.events.recv())
            .await
            .with_context(|| format!("the runtime said nothing for {limit:?}"))?;
        Ok(event.context("the runtime has closed its output")??)
    }

    /// The next event that `wanted` picks; others before it are dropped. Within `limit` as a whole.
    pub async fn until<T>(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(RuntimeEvent) -> Option<T>,
    ) -> anyhow::Result<T> {
        let search = async {
            loop {
                if let Some(found) = wanted(self.next_within(limit).await?) {
                    return anyhow::Ok(found);
                }
            }
        };
        timeout(limit, search).await.with_context(|| format!("not within {limit:?}"))?
    }

    /// How the process ended, within [`PATIENCE`].
    pub async fn exited(&mut self) -> anyhow::Result<ExitStatus> {
        timeout(PATIENCE, self.child.wait())
            .await
            .context("the runtime does not end")?
            .context("the runtime's end cannot be seen")
    }
}
