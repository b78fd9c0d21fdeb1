//! Stages with their times.

use std::fs::File;
use std::io::{Seek, copy, stdout};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{shown, target};

/// The stages that have run.
pub struct Stages {
    start: Instant,
    done: Vec<(String, Duration)>,
}

/// A stage that runs beside others: one that mostly waits. What it says is shown when it has ended.
#[must_use = "it is to be waited for"]
pub struct Beside {
    name: String,
    start: Instant,
    command: String,
    child: Child,
    said: File,
}

impl Stages {
    /// No stage has run yet.
    pub fn new() -> Self {
        Self { start: Instant::now(), done: Vec::new() }
    }

    /// Starts a stage that is one program.
    pub fn beside(&self, name: &str, command: &mut Command) -> Result<Beside> {
        println!("\n━━ {name}: started, shown when it has ended");
        let shown = shown(command);
        let said = target().join(format!("{}.log", name.replace(' ', "-")));
        let said = File::options().read(true).write(true).create(true).truncate(true).open(said)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said.try_clone()?)
            .spawn()
            .with_context(|| format!("cannot start `{shown}`"))?;
        Ok(Beside { name: name.to_owned(), start: Instant::now(), command: shown, child, said })
    }

    /// Waits for a stage that ran beside others.
    pub fn finish(&mut self, mut beside: Beside) -> Result<()> {
        let status = beside.child.wait()?;
        println!("\n━━ {}", beside.name);
        beside.said.rewind()?;
        copy(&mut beside.said, &mut stdout())?;
        self.ended(&beside.name, beside.start, status.success());
        if !status.success() {
            bail!("`{}` failed ({status})", beside.command);
        }
        Ok(())
    }

    /// Runs one stage and notes how long it took.
    pub fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n━━ {name}");
        let start = Instant::now();
        let result = work();
        self.ended(name, start, result.is_ok());
        result
    }

    fn ended(&mut self, name: &str, start: Instant, well: bool) {
        let elapsed = start.elapsed();
        println!("━━ {name}: {} in {}", if well { "done" } else { "FAILED" }, seconds(elapsed));
        self.done.push((name.to_owned(), elapsed));
    }

    /// Prints a table of what has run.
    pub fn print(&self) {
        println!("\n━━ time of each stage");
        for (name, elapsed) in &self.done {
            println!("   {name:<34} {:>10}", seconds(*elapsed));
        }
        println!("   {:<34} {:>10}", "together", seconds(self.start.elapsed()));
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
