//! A desktop of a test's own: the X server Xvfb, which draws into memory, with the window manager openbox.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Bound on what takes half a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A display with a window manager. It ends when it is dropped.
#[derive(Debug)]
pub struct Desktop {
    display: String,
    // In the order in which they are ended.
    _manager: Running,
    _server: Running,
    _folder: TempDir,
}

#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Result<Child> {
    let started = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    started.with_context(|| format!("{command:?} cannot be started; `cargo xtask test` installs it"))
}

impl Desktop {
    /// With one screen of so many pixels. It is ready when this returns.
    ///
    /// # Errors
    /// When one of its programs cannot be started.
    pub fn start(width: u16, height: u16) -> Result<Self> {
        // The server chooses a number that is free, and says which.
        let screen = format!("{width}x{height}x24");
        let mut server = start(
            Command::new("Xvfb")
                .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &screen])
                .stdout(Stdio::piped()),
        )?;
        let stdout = server.stdout.take().context("standard output is piped")?;
        let server = Running(server);
        let mut number = String::new();
        BufReader::new(stdout).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb ended at once");
        let display = format!(":{}", number.trim());

        // Windows that come while the manager starts may never be managed; it says when it has started.
        let folder = tempfile::tempdir()?;
        let ready = folder.path().join("ready");
        let manager = start(
            Command::new("openbox")
                .args(["--sm-disable", "--startup"])
                .arg(format!("touch {}", ready.display()))
                .env("DISPLAY", &display)
                .stdout(Stdio::null()),
        )?;
        let manager = Running(manager);
        let since = Instant::now();
        while !ready.exists() {
            ensure!(since.elapsed() < PATIENCE, "openbox does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { display, _manager: manager, _server: server, _folder: folder })
    }

    /// Its name, such as `:99`.
    pub fn display(&self) -> &str {
        &self.display
    }
}
