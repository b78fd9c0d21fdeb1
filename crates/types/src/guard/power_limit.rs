//! How a device's own limit of power stands.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Fault;

/// Where the power limit of a device's board stands, for people. It is spoken of only where the contributor lets Lull
/// lower it ([`super::QuietLimits::may_lower_power_limit`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PowerLimit {
    /// Lull has lowered it, while the device works.
    Lowered {
        /// What it is, in watts.
        watts: u16,
        /// What it was, and will be again.
        former_watts: u16,
    },
    /// It is as it was found: the device does not work, or draws no more than it may as it is.
    Own {
        /// What it is, in watts.
        watts: u16,
    },
    /// The system lets only an administrator change it.
    NotPermitted,
    /// The device, or its driver, has none that can be changed.
    Unsupported,
    /// It could not be changed.
    Failed {
        /// Why.
        fault: Fault,
    },
}
