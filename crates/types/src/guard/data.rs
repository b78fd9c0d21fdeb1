//! How much data may move in a month.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::UnixMillis;

/// Bytes in a gigabyte, as providers count.
pub const GB: u64 = 1_000_000_000;

/// The largest cap, in gigabytes: what a line of 300 megabits a second moves in a month when it never rests.
pub const DATA_CAP_GB_MAX: u32 = 99_999;

/// How much may be sent and received in a month, in gigabytes of 10⁹ bytes. One of them at least is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DataCaps {
    /// What is sent.
    pub sent_gb: Option<u32>,
    /// What is received.
    pub received_gb: Option<u32>,
    /// Both together.
    pub both_gb: Option<u32>,
    /// The day on which a month begins, from 1 to 31, by the contributor's clock. A month that is too short for it begins
    /// on its last day.
    pub month_day: u8,
}

impl DataCaps {
    /// The caps that are given, in bytes.
    pub fn given(&self) -> impl Iterator<Item = (DataDirection, u64)> {
        let bytes = |direction, gb: Option<u32>| gb.map(|gb| (direction, u64::from(gb) * GB));
        [
            bytes(DataDirection::Sent, self.sent_gb),
            bytes(DataDirection::Received, self.received_gb),
            bytes(DataDirection::Both, self.both_gb),
        ]
        .into_iter()
        .flatten()
    }
}

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DataDirection {
    /// From this machine.
    Sent,
    /// To this machine.
    Received,
    /// Either way, together.
    Both,
}

/// How much data moved, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DataMoved {
    /// From this machine.
    #[ts(type = "number")]
    pub sent_bytes: u64,
    /// To this machine.
    #[ts(type = "number")]
    pub received_bytes: u64,
}

impl DataMoved {
    /// What of it counts for a cap.
    pub fn bytes(&self, direction: DataDirection) -> u64 {
        match direction {
            DataDirection::Sent => self.sent_bytes,
            DataDirection::Received => self.received_bytes,
            DataDirection::Both => self.sent_bytes.saturating_add(self.received_bytes),
        }
    }

    /// Of each direction the greater.
    pub fn max(self, other: Self) -> Self {
        Self {
            sent_bytes: self.sent_bytes.max(other.sent_bytes),
            received_bytes: self.received_bytes.max(other.received_bytes),
        }
    }

    /// What is left of it after `other`, of each direction; never below none.
    pub fn less(self, other: Self) -> Self {
        Self {
            sent_bytes: self.sent_bytes.saturating_sub(other.sent_bytes),
            received_bytes: self.received_bytes.saturating_sub(other.received_bytes),
        }
    }
}

impl Add for DataMoved {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent_bytes: self.sent_bytes.saturating_add(other.sent_bytes),
            received_bytes: self.received_bytes.saturating_add(other.received_bytes),
        }
    }
}

impl AddAssign for DataMoved {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for DataMoved {
    fn sum<I: Iterator<Item = Self>>(moved: I) -> Self {
        moved.fold(Self::default(), Add::add)
    }
}

/// How much data moved on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DataDay {
    /// When the day began, by the contributor's clock.
    pub at: UnixMillis,
    /// What moved on it.
    pub moved: DataMoved,
}
