//! What power costs now, and next.

use lull_types::{Fault, UnixMillis};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The price of power by the contributor's tariff, in millionths of a US dollar for a kilowatt-hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PowerPrice {
    /// Now. Below zero where whoever takes power is paid for it.
    #[ts(type = "number")]
    pub micro_per_kwh: i64,
    /// Whether the price stands in for one that the list does not have.
    pub stands_in: bool,
    /// The next other price, where one is known.
    pub next: Option<PriceChange>,
    /// How the list stands, where prices are from one.
    pub list: Option<PriceListView>,
}

/// Another price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PriceChange {
    /// From then.
    pub at: UnixMillis,
    /// It, in millionths of a US dollar for a kilowatt-hour.
    #[ts(type = "number")]
    pub micro_per_kwh: i64,
}

/// How a list of prices stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PriceListView {
    /// When it could last be read.
    pub read_at: Option<UnixMillis>,
    /// Until when there are prices.
    pub until: Option<UnixMillis>,
    /// Why it could not be read since. What was read before still counts.
    pub fault: Option<Fault>,
}
