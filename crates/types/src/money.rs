//! Money in integers.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An amount in base units: 1 USDC is 1,000,000. Never negative, never a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct BaseUnits(#[ts(type = "number")] pub u64);

/// A sum or a difference left the range of [`BaseUnits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount of money left the range that can be written down, so nothing was booked")]
pub struct MoneyError;

impl BaseUnits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One USDC.
    pub const ONE_USDC: Self = Self(1_000_000);

    /// `self + other`.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError)
    }

    /// `self - other`.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError)
    }

    /// `self × count`.
    pub fn times(self, count: u64) -> Result<Self, MoneyError> {
        self.0.checked_mul(count).map(Self).ok_or(MoneyError)
    }
}

impl fmt::Display for BaseUnits {
    /// USDC with six decimals, as in `1.250000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_checked() {
        assert_eq!(BaseUnits(1).plus(BaseUnits(2)), Ok(BaseUnits(3)));
        assert_eq!(BaseUnits(u64::MAX).plus(BaseUnits(1)), Err(MoneyError));
        assert_eq!(BaseUnits(1).minus(BaseUnits(2)), Err(MoneyError));
        assert_eq!(BaseUnits(u64::MAX).times(2), Err(MoneyError));
    }

    #[test]
    fn is_written_with_six_decimals() {
        assert_eq!(BaseUnits(1_250_000).to_string(), "1.250000");
        assert_eq!(BaseUnits(7).to_string(), "0.000007");
    }
}
