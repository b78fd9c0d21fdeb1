//! Where a device stands that the network has no work for, as the network says.

use lull_types::UnixMillis;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What keeps a device from the tasks that wait, and how many devices are served before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeviceStanding {
    /// When the network said so.
    pub told_at: UnixMillis,
    /// Devices that have been asking for longer and are told of new work first; `None` while it is not in line.
    pub ahead: Option<Counted>,
    /// All tasks that wait, by what keeps them from this device. Empty when none waits.
    pub withheld: Vec<Withheld>,
}

/// A count that ends somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Counted {
    /// How many.
    pub count: u32,
    /// There may be more; nobody counted on.
    pub or_more: bool,
}

/// Tasks that wait and that a device does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Withheld {
    /// How many.
    pub tasks: Counted,
    /// Why not.
    pub by: Exclusion,
}

/// What keeps a device from tasks that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "exclusion", rename_all = "snake_case")]
pub enum Exclusion {
    /// The network does not know this worker yet.
    NotEnrolled,
    /// They are of this job kind, and nothing on this machine runs it.
    Kind {
        /// Such as `wgsl/1`.
        kind: String,
    },
    /// The network has no benchmark of this device.
    NotMeasured,
    /// They are second opinions, and the first was given by another make of device.
    DeviceClass,
    /// The network times this machine's devices first.
    BeingTimed,
    /// The network timed this machine and did not find what was claimed.
    Refuted {
        /// When it is timed again.
        again_at: UnixMillis,
    },
    /// This machine's result was found wrong; they go to others for good.
    FoundWrong,
    /// They are results of this machine that another one has to confirm.
    OwnReport,
    /// This machine gave them back, blamed them or was too slow; others come first for a while.
    TriedLately {
        /// When it may have the first of them again.
        again_at: UnixMillis,
    },
    /// They failed a moment ago, and nobody gets them yet.
    BackingOff {
        /// When the first of them is given out again.
        again_at: UnixMillis,
    },
}
