//! A message bus of a test's own: D-Bus's own daemon, on a socket in a folder of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A bus on which everybody may own every name. It ends when it is dropped.
#[derive(Debug)]
pub struct Bus {
    daemon: Child,
    address: String,
    _folder: TempDir,
}

impl Bus {
    /// It is ready when this returns.
    ///
    /// # Errors
    /// When the daemon cannot be started.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("bus");
        let file = folder.path().join("bus.conf");
        let policy = r#"<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>"#;
        let listen = format!("<listen>unix:path={}</listen><auth>EXTERNAL</auth>", socket.display());
        let config = format!("<busconfig>{listen}<policy context=\"default\">{policy}</policy></busconfig>");
        std::fs::write(&file, config)?;
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", file.display())).args(["--nofork", "--print-address"]);
        let daemon = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut daemon = daemon
            .with_context(|| format!("{command:?} cannot be started; `cargo xtask test` installs it"))?;
        let stdout = daemon.stdout.take().context("standard output is piped")?;
        let mut bus = Self { daemon, address: String::new(), _folder: folder };
        // It tells its address when it listens.
        BufReader::new(stdout).read_line(&mut bus.address)?;
        bus.address.truncate(bus.address.trim_end().len());
        ensure!(!bus.address.is_empty(), "dbus-daemon ended at once");
        Ok(bus)
    }

    /// Where it listens, as its clients are told.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
