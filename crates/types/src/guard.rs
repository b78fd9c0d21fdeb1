//! Guards: what they are called, why each holds the GPU free, and where it stands. What the contributor wants of them is
//! in [`GuardRules`].

mod data;
mod power_limit;
mod rules;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use data::{DATA_CAP_GB_MAX, DataCaps, DataDay, DataDirection, DataMoved, GB};
pub use power_limit::PowerLimit;
pub use rules::{AWAY_MINUTES_MAX, GuardRules, HeatLimits, PROGRAMS_MAX, QuietLimits, RulesError, WeekHours};

use crate::UnixMillis;

/// The guards for which the machine is watched, in the order in which they are shown. A guard is added as a variant
/// here, so that every place that must know of it stops compiling until it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// A program fills a screen: a game, a film, a slide show.
    FullScreen,
    /// Another program works the GPU, or needs its memory. For each device.
    GpuUse,
    /// Somebody uses the machine.
    Presence,
    /// A program runs that the contributor has named.
    Program,
    /// The hour is not one that the contributor lends.
    Hours,
    /// The machine runs on its battery.
    Battery,
    /// The device is as hot as the contributor lets it become. For each device.
    Heat,
    /// The device is louder, or draws more, than the contributor allows, however slowly it works. For each device.
    Quiet,
    /// Work brings less than the contributor wants of it after the power that it takes. For each device.
    Margin,
    /// The connection costs by what is sent.
    Metered,
    /// As much data has moved this month as the contributor allows.
    DataCap,
    /// The disk is nearly full.
    Disk,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::FullScreen,
        Self::GpuUse,
        Self::Presence,
        Self::Program,
        Self::Hours,
        Self::Battery,
        Self::Heat,
        Self::Quiet,
        Self::Margin,
        Self::Metered,
        Self::DataCap,
        Self::Disk,
    ];

    /// Whether work waits for a while after it has cleared. What is told with a delay of its own, or by the clock, needs
    /// no other.
    pub fn has_resume_delay(self) -> bool {
        !matches!(self, Self::Presence | Self::Hours | Self::DataCap)
    }
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
    /// [`Guard::GpuUse`].
    GpuUse {
        /// The device that is used.
        device: u32,
        /// The program that uses it most, where the system tells its name.
        program: Option<String>,
        /// What it needs.
        need: GpuNeed,
    },
    /// [`Guard::Presence`].
    Presence,
    /// [`Guard::Program`].
    Program {
        /// The one that runs, as the contributor named it.
        program: String,
    },
    /// [`Guard::Hours`].
    Hours,
    /// [`Guard::Battery`].
    Battery {
        /// How full it is, in per cent, where that is known.
        percent: Option<u8>,
    },
    /// [`Guard::Heat`].
    Heat {
        /// The device that is hot.
        device: u32,
        /// Where.
        sensor: HeatSensor,
        /// How hot it was when the guard tripped, in degrees Celsius.
        celsius: u16,
    },
    /// [`Guard::Quiet`].
    Quiet {
        /// The device.
        device: u32,
        /// What there is too much of.
        much: Loudness,
        /// How much when the guard tripped: per cent of the fan's speed, or watts.
        value: u16,
    },
    /// [`Guard::Margin`].
    Margin {
        /// The device.
        device: u32,
        /// What an hour of its work would leave after power, in base units.
        #[ts(type = "number")]
        per_hour: i64,
        /// Whether its power was measured; otherwise it is a typical figure for this sort of device.
        power_measured: bool,
    },
    /// [`Guard::Metered`].
    Metered,
    /// [`Guard::DataCap`].
    DataCap {
        /// Which cap.
        direction: DataDirection,
        /// What had moved when the guard tripped, in bytes.
        #[ts(type = "number")]
        used_bytes: u64,
        /// What may, in bytes. The guard trips a little before it.
        #[ts(type = "number")]
        cap_bytes: u64,
    },
    /// [`Guard::Disk`].
    Disk {
        /// What is free, in bytes.
        #[ts(type = "number")]
        free_bytes: u64,
    },
}

impl Trip {
    /// The guard that says so.
    pub fn guard(&self) -> Guard {
        match self {
            Self::FullScreen { .. } => Guard::FullScreen,
            Self::GpuUse { .. } => Guard::GpuUse,
            Self::Presence => Guard::Presence,
            Self::Program { .. } => Guard::Program,
            Self::Hours => Guard::Hours,
            Self::Battery { .. } => Guard::Battery,
            Self::Heat { .. } => Guard::Heat,
            Self::Quiet { .. } => Guard::Quiet,
            Self::Margin { .. } => Guard::Margin,
            Self::Metered => Guard::Metered,
            Self::DataCap { .. } => Guard::DataCap,
            Self::Disk { .. } => Guard::Disk,
        }
    }

    /// The one device that must be free; `None` when all of them must.
    pub fn device(&self) -> Option<u32> {
        match self {
            Self::GpuUse { device, .. }
            | Self::Heat { device, .. }
            | Self::Quiet { device, .. }
            | Self::Margin { device, .. } => Some(*device),
            Self::FullScreen { .. }
            | Self::Presence
            | Self::Program { .. }
            | Self::Hours
            | Self::Battery { .. }
            | Self::Metered
            | Self::DataCap { .. }
            | Self::Disk { .. } => None,
        }
    }
}

/// What another program needs of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GpuNeed {
    /// Its time: the program computes or draws.
    Time,
    /// Its memory: hardly any is left for the program.
    Memory,
}

/// Where a device is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HeatSensor {
    /// The chip, on average.
    Core,
    /// The chip, where it is hottest.
    Hotspot,
    /// The memory.
    Memory,
}

/// What makes a device a nuisance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Loudness {
    /// Its fan.
    Fan,
    /// The power that it draws.
    Power,
}

/// A guard holds the GPU free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ActiveTrip {
    /// Why.
    pub trip: Trip,
    /// Since when.
    pub since: UnixMillis,
    /// When it ends by itself, if that is known.
    pub until: Option<UnixMillis>,
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
        /// Why; for each device, where it is about devices.
        trips: Vec<ActiveTrip>,
    },
}

/// When a pause by hand ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PauseUntil {
    /// At that instant.
    Instant(UnixMillis),
    /// When the worker is started again.
    Restart,
    /// Not at all.
    Resumed,
}

/// One reason why a device is held free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The contributor said so.
    Paused {
        /// Which device; `None` for all.
        device: Option<u32>,
        /// Until when.
        until: PauseUntil,
    },
    /// A guard is tripped.
    Guard(ActiveTrip),
    /// All guards are clear, but not for long enough.
    ResumeDelay {
        /// When they are.
        until: UnixMillis,
    },
}

impl Cause {
    /// Whether a person ends it by resuming: a game goes on all the same.
    pub fn ends_by_hand(&self) -> bool {
        match self {
            Self::Paused { .. } | Self::ResumeDelay { .. } => true,
            Self::Guard(_) => false,
        }
    }

    /// When it ends by itself, if that is known.
    pub fn until(&self) -> Option<UnixMillis> {
        match self {
            Self::Paused { until: PauseUntil::Instant(until), .. } | Self::ResumeDelay { until } => {
                Some(*until)
            }
            Self::Paused { until: PauseUntil::Restart | PauseUntil::Resumed, .. } => None,
            Self::Guard(active) => active.until,
        }
    }
}
