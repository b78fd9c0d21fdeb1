//! What the contributor pays for power.
//!
//! Prices are millionths of a US dollar for a kilowatt-hour, as earnings are in millionths of a USDC. They are signed: on
//! spot markets, whoever takes power is paid for it at times.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Coded;

/// A hundred dollars for a kilowatt-hour: a typing error, not a price.
pub const MICRO_PER_KWH_MAX: i64 = 100_000_000;

/// Markets let prices fall to about a dollar under zero; ten times that leaves room for others.
pub const MICRO_PER_KWH_MIN: i64 = -10_000_000;

/// More bands than a contract has; a price for every hour comes from a list.
pub const BANDS_MAX: usize = 48;

/// The factor that leaves prices as they are listed.
pub const FACTOR_ONE: u32 = 1_000_000;

/// Listed prices are multiplied by this at most, in millionths: from the smallest units of money, such as öre, to dollars
/// and back.
const FACTOR_MAX: u32 = 1000 * FACTOR_ONE;

/// The longest path or address of a price list: what systems allow of a path.
const SOURCE_BYTES_MAX: usize = 4096;

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// How the price of power is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Tariff {
    /// One price at all times.
    Flat {
        /// It.
        #[ts(type = "number")]
        micro_per_kwh: i64,
    },
    /// Other prices at some times of the week.
    TimeOfUse {
        /// The price outside all bands.
        #[ts(type = "number")]
        base_micro_per_kwh: i64,
        /// Times at which another price holds; no two at once.
        bands: Vec<TariffBand>,
    },
    /// A list of prices by the hour, which somebody else writes.
    Listed {
        /// Where it is.
        source: PriceSource,
        /// What listed prices are multiplied by, in millionths: another currency, or taxes on top.
        factor_millionths: u32,
        /// What is added to each price after that, such as the price of the grid.
        #[ts(type = "number")]
        added_micro_per_kwh: i64,
        /// The price of hours that are not listed, with all that is to be paid.
        #[ts(type = "number")]
        fallback_micro_per_kwh: i64,
    },
}

/// A time of the week that has a price of its own, by the contributor's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TariffBand {
    /// The days on which it begins: a bit for each, bit 0 is Monday.
    pub days: u8,
    /// The minute of the day at which it begins, from 0 to 1439.
    pub from_minute: u16,
    /// The minute at which it ends, from 1 to 1440. One that is not after the beginning is on the next day.
    pub to_minute: u16,
    /// Its price.
    #[ts(type = "number")]
    pub micro_per_kwh: i64,
}

/// Where a list of prices is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum PriceSource {
    /// A file on this machine.
    File {
        /// Its whole path.
        path: String,
    },
    /// An address that is asked now and then.
    Url {
        /// It; `https`, or `http` on this machine.
        url: String,
    },
}

impl Default for Tariff {
    /// 0.15 USD is near the median household price of the OECD; the wizard asks for the real one.
    fn default() -> Self {
        Self::flat(150_000)
    }
}

/// A tariff by which no price can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// Over [`MICRO_PER_KWH_MAX`].
    #[error("The price of power is more than any household pays; give it for one kilowatt-hour.")]
    TooHigh,
    /// Under [`MICRO_PER_KWH_MIN`].
    #[error("The price of power is further below zero than any market lets it fall; look at it again.")]
    TooLow,
    /// More than [`BANDS_MAX`].
    #[error(
        "A tariff has at most {BANDS_MAX} times of day with a price of their own; give a price list instead."
    )]
    TooManyBands,
    /// No day, or no such minute, or it ends as it begins.
    #[error("A time of day with its own price needs a day, and an end that is not its beginning.")]
    Band,
    /// Two bands hold at once.
    #[error(
        "The times {first} and {second} overlap, so that two prices would hold at once; change one of them."
    )]
    Overlap {
        /// Number of the first, from 1.
        first: usize,
        /// Number of the second.
        second: usize,
    },
    /// No factor.
    #[error("Listed prices are multiplied by more than 0 and by 1000 at most.")]
    Factor,
    /// Empty, or far too long.
    #[error("Say where the price list is: a file's whole path, or an address that begins with https://.")]
    NoSource,
}

impl Coded for TariffError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooHigh => "tariff_too_high",
            Self::TooLow => "tariff_too_low",
            Self::TooManyBands => "tariff_bands_too_many",
            Self::Band => "tariff_band_malformed",
            Self::Overlap { .. } => "tariff_bands_overlap",
            Self::Factor => "tariff_factor",
            Self::NoSource => "tariff_no_source",
        }
    }
}

impl Tariff {
    /// One price at all times.
    pub fn flat(micro_per_kwh: i64) -> Self {
        Self::Flat { micro_per_kwh }
    }

    /// The one price that stands for the tariff where no time is known: the flat one, that outside all bands, or that of
    /// hours that are not listed.
    pub fn flat_micro_per_kwh(&self) -> i64 {
        match self {
            Self::Flat { micro_per_kwh } => *micro_per_kwh,
            Self::TimeOfUse { base_micro_per_kwh, .. } => *base_micro_per_kwh,
            Self::Listed { fallback_micro_per_kwh, .. } => *fallback_micro_per_kwh,
        }
    }

    /// Where its list of prices is, if it has one.
    pub fn source(&self) -> Option<&PriceSource> {
        match self {
            Self::Listed { source, .. } => Some(source),
            Self::Flat { .. } | Self::TimeOfUse { .. } => None,
        }
    }

    /// Whether prices can be told by it. Whether its source can be read is not looked at.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), TariffError> {
        match self {
            Self::Flat { micro_per_kwh } => check_price(*micro_per_kwh),
            Self::TimeOfUse { base_micro_per_kwh, bands } => {
                check_price(*base_micro_per_kwh)?;
                check_bands(bands)
            }
            Self::Listed { source, factor_millionths, added_micro_per_kwh, fallback_micro_per_kwh } => {
                check_price(*added_micro_per_kwh)?;
                check_price(*fallback_micro_per_kwh)?;
                if !(1..=FACTOR_MAX).contains(factor_millionths) {
                    return Err(TariffError::Factor);
                }
                let (PriceSource::File { path: place } | PriceSource::Url { url: place }) = source;
                if place.trim().is_empty() || place.len() > SOURCE_BYTES_MAX {
                    return Err(TariffError::NoSource);
                }
                Ok(())
            }
        }
    }
}

impl TariffBand {
    /// Whether it begins on a day: from 0, Monday, to 6.
    fn begins_on(&self, day: usize) -> bool {
        self.days >> day & 1 == 1
    }

    /// Whether it ends on the day after the one on which it began.
    fn passes_midnight(&self) -> bool {
        self.to_minute <= self.from_minute
    }

    /// Whether it holds at a minute of a day: `day` from 0, Monday, to 6; `minute` from 0 to 1439.
    pub fn contains(&self, day: usize, minute: u16) -> bool {
        let day = day % 7;
        let yesterday = (day + 6) % 7;
        if self.passes_midnight() {
            self.begins_on(day) && minute >= self.from_minute
                || self.begins_on(yesterday) && minute < self.to_minute
        } else {
            self.begins_on(day) && (self.from_minute..self.to_minute).contains(&minute)
        }
    }

    fn is_sound(&self) -> bool {
        (1..1 << 7).contains(&self.days)
            && self.from_minute < DAY_MINUTES
            && (1..=DAY_MINUTES).contains(&self.to_minute)
            && self.from_minute != self.to_minute
    }
}

fn check_price(micro_per_kwh: i64) -> Result<(), TariffError> {
    match micro_per_kwh {
        ..MICRO_PER_KWH_MIN => Err(TariffError::TooLow),
        MICRO_PER_KWH_MIN..=MICRO_PER_KWH_MAX => Ok(()),
        _ => Err(TariffError::TooHigh),
    }
}

fn check_bands(bands: &[TariffBand]) -> Result<(), TariffError> {
    if bands.len() > BANDS_MAX {
        return Err(TariffError::TooManyBands);
    }
    for band in bands {
        check_price(band.micro_per_kwh)?;
        if !band.is_sound() {
            return Err(TariffError::Band);
        }
    }
    for (later, second) in bands.iter().enumerate() {
        for (earlier, first) in bands[..later].iter().enumerate() {
            if overlap(first, second) {
                return Err(TariffError::Overlap { first: earlier + 1, second: later + 1 });
            }
        }
    }
    Ok(())
}

/// Whether two bands hold at once. One of them begins while the other holds, if they do.
fn overlap(one: &TariffBand, other: &TariffBand) -> bool {
    let begins_in = |one: &TariffBand, other: &TariffBand| {
        (0..7).any(|day| one.begins_on(day) && other.contains(day, one.from_minute))
    };
    begins_in(one, other) || begins_in(other, one)
}

/// A tariff as it was kept when there was one price and no more: a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Price(i64),
    Tariff(Tariff),
}

/// Reads a tariff, or the one price that older files have in its place.
///
/// # Errors
/// When it is neither.
pub fn tariff_or_price<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Tariff, D::Error> {
    Ok(match Kept::deserialize(from)? {
        Kept::Price(micro_per_kwh) => Tariff::flat(micro_per_kwh),
        Kept::Tariff(tariff) => tariff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: u8 = 1;
    const TUESDAY: u8 = 1 << 1;
    const SUNDAY: u8 = 1 << 6;
    const ALL: u8 = (1 << 7) - 1;

    fn band(days: u8, from: u16, to: u16) -> TariffBand {
        TariffBand { days, from_minute: from, to_minute: to, micro_per_kwh: 1 }
    }

    fn check(bands: Vec<TariffBand>) -> Result<(), TariffError> {
        Tariff::TimeOfUse { base_micro_per_kwh: 0, bands }.check()
    }

    #[test]
    fn a_band_may_pass_midnight_and_the_end_of_the_week() {
        let night = band(MONDAY | SUNDAY, 22 * 60, 6 * 60);
        for (day, minute, holds) in [
            (0, 0, true),
            (0, 6 * 60 - 1, true),
            (0, 6 * 60, false),
            (0, 22 * 60 - 1, false),
            (0, 22 * 60, true),
            (1, 5 * 60, true),
            (1, 22 * 60, false),
            (6, 5 * 60, false),
            (6, 23 * 60, true),
        ] {
            assert_eq!(night.contains(day, minute), holds, "day {day}, minute {minute}");
        }
        let evening = band(TUESDAY, 20 * 60, DAY_MINUTES);
        assert!(evening.contains(1, DAY_MINUTES - 1) && !evening.contains(2, 0));
    }

    #[test]
    fn two_prices_at_once_are_refused() {
        let night = band(ALL, 22 * 60, 6 * 60);
        let overlap = |first, second| Err(TariffError::Overlap { first, second });
        assert_eq!(check(vec![night, band(ALL, 6 * 60, 22 * 60)]), Ok(()));
        assert_eq!(check(vec![night, band(ALL, 5 * 60, 7 * 60)]), overlap(1, 2));
        assert_eq!(check(vec![band(ALL, 5 * 60, 7 * 60), night]), overlap(1, 2));
        // One lies in the other, or is the same.
        assert_eq!(check(vec![band(MONDAY, 0, DAY_MINUTES), band(ALL, 60, 120)]), overlap(1, 2));
        assert_eq!(check(vec![night, night]), overlap(1, 2));
        // Monday begins in Sunday's night.
        let last_night = band(SUNDAY, 22 * 60, 6 * 60);
        assert_eq!(check(vec![band(TUESDAY, 0, 60), last_night, band(MONDAY, 60, 120)]), overlap(2, 3));
        assert_eq!(check(vec![last_night, band(TUESDAY, 60, 120)]), Ok(()));
    }

    #[test]
    fn what_tells_no_price_is_refused() {
        for wrong in [band(0, 0, 60), band(128, 0, 60), band(ALL, 60, 60), band(ALL, DAY_MINUTES, 60)] {
            assert_eq!(check(vec![wrong]), Err(TariffError::Band), "{wrong:?}");
        }
        for wrong in [band(ALL, 0, 0), band(ALL, 0, DAY_MINUTES + 1), band(ALL, 60, 0)] {
            assert_eq!(check(vec![wrong]), Err(TariffError::Band), "{wrong:?}");
        }
        assert_eq!(check(vec![band(ALL, 0, 1); BANDS_MAX + 1]), Err(TariffError::TooManyBands));
        assert_eq!(Tariff::flat(MICRO_PER_KWH_MAX + 1).check(), Err(TariffError::TooHigh));
        assert_eq!(Tariff::flat(MICRO_PER_KWH_MIN - 1).check(), Err(TariffError::TooLow));
        assert_eq!(Tariff::flat(-500_000).check(), Ok(()));
        let listed = |path: &str, factor_millionths| Tariff::Listed {
            source: PriceSource::File { path: path.to_owned() },
            factor_millionths,
            added_micro_per_kwh: 0,
            fallback_micro_per_kwh: 0,
        };
        assert_eq!(listed("/prices.csv", FACTOR_ONE).check(), Ok(()));
        assert_eq!(listed("/prices.csv", 0).check(), Err(TariffError::Factor));
        assert_eq!(listed(" ", FACTOR_ONE).check(), Err(TariffError::NoSource));
    }

    #[test]
    fn one_price_of_an_older_file_is_a_tariff() {
        #[derive(Deserialize)]
        struct File {
            #[serde(alias = "tariff_micro_per_kwh", deserialize_with = "tariff_or_price")]
            tariff: Tariff,
        }
        let older: File = serde_json::from_str(r#"{"tariff_micro_per_kwh": 210000}"#).unwrap();
        assert_eq!(older.tariff, Tariff::flat(210_000));
        let newer: File =
            serde_json::from_str(r#"{"tariff": {"kind": "flat", "micro_per_kwh": -5}}"#).unwrap();
        assert_eq!(newer.tariff, Tariff::flat(-5));
        assert!(serde_json::from_str::<File>(r#"{"tariff": "dear"}"#).is_err());
    }
}
