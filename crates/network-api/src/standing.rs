//! Why there is no work for a device, as data: what keeps it from the tasks that wait, and who is served before it.

use serde::{Deserialize, Serialize};

/// Counts end here, so that counting costs the network little: this much means this much or more.
pub const COUNTED_MAX: u32 = 1_000;
/// Groups that are told. There are some ten exclusions, and a handful of job kinds.
pub const WITHHELD_MAX: usize = 16;

/// Where a device stands that gets no work. Counts may be some seconds old.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Devices that are told of new work of this device's kinds before it is, because they have been asking for longer;
    /// [`COUNTED_MAX`] at most. None while it has no place among them.
    pub ahead: Option<u32>,
    /// The tasks that wait, each in the group of the one thing that keeps it from this device; the largest group first,
    /// [`WITHHELD_MAX`] at most. Empty when no task waits.
    pub withheld: Vec<Withheld>,
}

/// Tasks that wait and that a device does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// How many, [`COUNTED_MAX`] at most.
    pub tasks: u32,
    /// Why not.
    pub by: Exclusion,
}

/// What keeps a device from a task. Of several, the one that is named first here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exclusion {
    /// The worker has not enrolled.
    NotEnrolled,
    /// The task is of this kind, and the worker runs none of it.
    Kind(String),
    /// The worker enrolled without a benchmark of this device.
    NotMeasured,
    /// A second opinion, which only a device of the first one's class can give.
    DeviceClass,
    /// The network is timing the worker's devices.
    BeingTimed,
    /// The network timed a device of this worker and did not find what was claimed.
    Refuted {
        /// When it is timed again, from now.
        again_in_ms: u64,
    },
    /// The worker's result for it was found wrong; it goes to others for good.
    FoundWrong,
    /// The worker has reported it, and waits for another one's opinion.
    OwnReport,
    /// The worker gave it back, blamed it or let it expire; for a while it goes to others.
    TriedLately {
        /// When the worker may have the first of them again, from now.
        again_in_ms: u64,
    },
    /// It failed a moment ago, and nobody gets it before then.
    BackingOff {
        /// When the first of them is placed again, from now.
        again_in_ms: u64,
    },
}
