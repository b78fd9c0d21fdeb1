//! A terminal, and the person before it: what they see of a program, also by scrolling back, and what they type.

use std::num::NonZeroU16;
use std::process::ExitStatus;

use anyhow::{Context, Result, bail};
use pty_process::{Pty, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::timeout;

use crate::PATIENCE;

/// Lines above the screen that the terminal keeps: far more than a dialogue has.
const SCROLLBACK: usize = 1000;

/// What a terminal sends for Ctrl-C.
const INTERRUPT: u8 = 0x03;

/// A terminal in which one program runs. The program is killed when this is dropped.
pub struct Terminal {
    pty: Pty,
    screen: vt100::Parser,
    program: Child,
}

impl Terminal {
    /// Starts a program in a terminal of this size.
    pub fn start(program: pty_process::Command, rows: u16, columns: u16) -> Result<Self> {
        let size = |cells| NonZeroU16::new(cells).context("a terminal has cells");
        let screen = vt100::Parser::new(size(rows)?, size(columns)?, SCROLLBACK);
        let (pty, inside) = pty_process::open()?;
        pty.resize(Size::new(rows, columns))?;
        let program = program.kill_on_drop(true).spawn(inside)?;
        Ok(Self { pty, screen, program })
    }

    /// Waits until the screen shows this.
    pub async fn until(&mut self, text: &str) -> Result<()> {
        while !self.screen.screen().contents().contains(text) {
            if !self.read().await? {
                bail!("the program ended without “{text}”; the terminal shows:\n{}", self.everything());
            }
        }
        Ok(())
    }

    /// Types a line, and Enter.
    pub async fn type_line(&mut self, line: &str) -> Result<()> {
        self.type_keys(line.as_bytes()).await?;
        self.type_keys(b"\r").await
    }

    /// Presses keys.
    pub async fn type_keys(&mut self, keys: &[u8]) -> Result<()> {
        Ok(self.pty.write_all(keys).await?)
    }

    /// Presses Ctrl-C.
    pub async fn interrupt(&mut self) -> Result<()> {
        self.type_keys(&[INTERRUPT]).await
    }

    /// Waits for the program's end, and for the last that it says.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        while self.read().await? {}
        Ok(timeout(PATIENCE, self.program.wait()).await.context("the program does not end")??)
    }

    /// What is on the screen.
    pub fn seen(&self) -> String {
        self.screen.screen().contents()
    }

    /// What is on the screen, and what scrolling back shows.
    pub fn everything(&mut self) -> String {
        let (rows, _) = self.screen.screen().size();
        let mut pages = Vec::new();
        for above in (1..=self.screen.screen().scrollback_len()).rev().step_by(usize::from(rows.get())) {
            self.screen.screen_mut().set_scrollback(above);
            pages.push(self.seen());
        }
        self.screen.screen_mut().set_scrollback(0);
        pages.push(self.seen());
        pages.join("\n")
    }

    /// Reads what the program says next; false at its end.
    async fn read(&mut self) -> Result<bool> {
        let mut said = [0; 4096];
        let read = timeout(PATIENCE, self.pty.read(&mut said)).await;
        let read = read
            .with_context(|| format!("nothing more is said; the terminal shows:\n{}", self.everything()))?;
        match read {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.screen.process(&said[..count]);
                Ok(true)
            }
            // Linux says so when the other side is closed.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
