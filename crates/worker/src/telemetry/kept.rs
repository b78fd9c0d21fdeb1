//! Energy of accepted assignments, over restarts: a figure to look at, kept beside the journal.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use lull_types::AssignmentId;
use serde::{Deserialize, Serialize};

use crate::atomic::{self, IfThere};

/// Verdicts come within the audit's time; what waits longer than a few hundred tasks never gets one.
const WAITING_MAX: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Content {
    /// Of accepted assignments; `None` while power was never measured.
    watt_hours: Option<f64>,
    /// Of assignments whose verdict is awaited.
    waiting: BTreeMap<AssignmentId, f64>,
}

/// The sum, and what waits to be added.
#[derive(Debug)]
pub struct KeptEnergy {
    path: PathBuf,
    content: Content,
}

impl KeptEnergy {
    /// Reads the file. One that is missing or damaged begins anew: the figure has no other use than to be seen.
    pub fn open(path: PathBuf) -> Self {
        let content = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path, content: content.unwrap_or_default() }
    }

    /// Energy of accepted assignments in watt-hours, where power was measured.
    pub fn watt_hours(&self) -> Option<f64> {
        self.content.watt_hours
    }

    /// An assignment ran and took so much.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn ran(&mut self, assignment: AssignmentId, watt_hours: f64) -> io::Result<()> {
        self.content.waiting.insert(assignment, watt_hours);
        while self.content.waiting.len() > WAITING_MAX {
            self.content.waiting.pop_first();
        }
        self.write()
    }

    /// An assignment was accepted, or will never be.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn decided(&mut self, assignment: AssignmentId, accepted: bool) -> io::Result<()> {
        let Some(watt_hours) = self.content.waiting.remove(&assignment) else { return Ok(()) };
        if accepted {
            *self.content.watt_hours.get_or_insert(0.0) += watt_hours;
        }
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.content).map_err(io::Error::other)?;
        atomic::write(&self.path, &text, IfThere::Replace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::UnixMillis;

    #[test]
    fn only_accepted_assignments_count_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("energy.json");
        let id = |n| AssignmentId::from_parts(UnixMillis(n), &[0; 10]);
        let mut kept = KeptEnergy::open(path.clone());
        kept.ran(id(1), 2.0).unwrap();
        kept.ran(id(2), 3.0).unwrap();
        assert_eq!(kept.watt_hours(), None);
        kept.decided(id(1), true).unwrap();
        kept.decided(id(1), true).unwrap();
        kept.decided(id(2), false).unwrap();
        kept.decided(id(3), true).unwrap();
        assert_eq!(KeptEnergy::open(path.clone()).watt_hours(), Some(2.0));
        fs::write(&path, b"{").unwrap();
        assert_eq!(KeptEnergy::open(path).watt_hours(), None);
    }
}
