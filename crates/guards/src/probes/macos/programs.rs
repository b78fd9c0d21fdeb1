//! Which of the programs that the contributor has listed run.

use std::time::Duration;

use super::processes;
use crate::ProbeError;
use crate::probes::programs::{Programs, Running};

/// A game takes seconds to start; the GPU is free before it draws. To list all processes takes some milliseconds.
const INTERVAL: Duration = Duration::from_secs(2);

/// The probe.
pub(super) fn programs() -> Programs<processes::Running> {
    Programs::every(INTERVAL, processes::Running::default())
}

impl Running for processes::Running {
    fn running(&mut self, listed: &[String]) -> Result<Vec<String>, ProbeError> {
        self.of(listed).map_err(|error| ProbeError::new("which programs run", error))
    }
}
