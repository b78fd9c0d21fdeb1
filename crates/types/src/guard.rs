//! Guards: what they are called, which are wanted, and where each stands.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::UnixMillis;

/// The guards for which the machine is watched, in the order in which they are shown. A guard is added as a variant
/// here, so that every place that must know of it stops compiling until it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// A program fills a screen: a game, a film, a slide show.
    FullScreen,
    /// The machine runs on its battery.
    Battery,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::FullScreen, Self::Battery];
}

/// Why a guard wants the GPU free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "guard", rename_all = "snake_case")]
pub enum Trip {
    /// [`Guard::FullScreen`].
    FullScreen {
        /// The program, where the desktop tells its name.
        program: Option<String>,
    },
    /// [`Guard::Battery`].
    Battery {
        /// How full it is, in per cent, where that is known.
        percent: Option<u8>,
    },
}

impl Trip {
    /// The guard that says so.
    pub fn guard(&self) -> Guard {
        match self {
            Self::FullScreen { .. } => Guard::FullScreen,
            Self::Battery { .. } => Guard::Battery,
        }
    }
}

/// Which guards the contributor wants. A guard that an older file does not name is as in a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct GuardRules {
    /// The GPU is free while a program fills a screen.
    pub full_screen: bool,
    /// The GPU is free while the machine runs on its battery.
    pub battery: bool,
}

impl Default for GuardRules {
    /// Nobody lends a GPU to have a game stutter or a battery emptied.
    fn default() -> Self {
        Self { full_screen: true, battery: true }
    }
}

impl GuardRules {
    /// Whether a guard is wanted.
    pub fn wants(&self, guard: Guard) -> bool {
        match guard {
            Guard::FullScreen => self.full_screen,
            Guard::Battery => self.battery,
        }
    }
}

/// Where one guard stands, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum GuardState {
    /// The contributor does not want it.
    Off,
    /// Nothing on this machine tells, or nothing has told yet.
    Unwatched,
    /// It does not hold the GPU free.
    Clear,
    /// It does.
    Tripped {
        /// Why.
        trip: Trip,
        /// Since when.
        since: UnixMillis,
    },
}
