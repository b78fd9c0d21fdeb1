//! Stages with their times.

use std::time::{Duration, Instant};

use anyhow::Result;

/// The stages that have run.
#[derive(Default)]
pub struct Stages(Vec<(String, Duration)>);

impl Stages {
    /// Runs one stage and notes how long it took.
    pub fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n━━ {name}");
        let start = Instant::now();
        let result = work();
        let elapsed = start.elapsed();
        println!("━━ {name}: {} in {}", if result.is_ok() { "done" } else { "FAILED" }, seconds(elapsed));
        self.0.push((name.to_owned(), elapsed));
        result
    }

    /// Prints a table of what has run.
    pub fn print(&self) {
        println!("\n━━ time of each stage");
        for (name, elapsed) in &self.0 {
            println!("   {name:<34} {:>10}", seconds(*elapsed));
        }
        println!("   {:<34} {:>10}", "together", seconds(self.0.iter().map(|(_, elapsed)| *elapsed).sum()));
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
