//! What power costs here: the contributor's tariff, and the prices that were last read for it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lull_guards::TimeZone;
use lull_guards::tariff::{Course, PriceList};
use lull_types::{Fault, PriceSource, Tariff, UnixMillis};
use lull_worker_api::{PowerPrice, PriceChange, PriceListView};
use serde::{Deserialize, Serialize};

use crate::atomic::{self, IfThere};

/// Over how much of what is to come an estimate of a day takes the mean.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is read of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct ListTold {
    /// The tariff for which it was read.
    pub tariff: Tariff,
    /// The list; `None` where it is as it was before.
    pub list: Result<Option<PriceList>, Fault>,
}

/// The last list that could be read; kept over restarts, so that a source that is away then costs no hour its price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KeptList {
    source: PriceSource,
    list: PriceList,
    read_at: UnixMillis,
}

/// The price of power, now and as far ahead as is known.
#[derive(Debug)]
pub struct PowerPrices {
    path: PathBuf,
    zone: TimeZone,
    tariff: Tariff,
    kept: Option<KeptList>,
    fault: Option<Fault>,
    course: Course,
}

/// A price for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayPrice {
    /// Millionths of a US dollar for a kilowatt-hour.
    pub micro_per_kwh: i64,
    /// Whether it is the mean of several.
    pub varies: bool,
}

impl PowerPrices {
    /// Goes on from the list in a file. One that is missing or damaged is read anew from its source.
    pub fn open(path: PathBuf, zone: TimeZone, tariff: Tariff, now: UnixMillis) -> Self {
        let kept: Option<KeptList> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let course = Course::new(&Tariff::default(), None, &zone, now);
        let mut prices = Self { path, zone, tariff, kept, fault: None, course };
        prices.drop_foreign_list();
        prices.compute(now);
        prices
    }

    /// Which tariff counts from now on.
    pub fn follow(&mut self, tariff: &Tariff, now: UnixMillis) {
        if self.tariff != *tariff {
            self.tariff = tariff.clone();
            self.fault = None;
            self.drop_foreign_list();
            self.compute(now);
        } else if !self.course.covers(now) {
            self.compute(now);
        }
    }

    /// What was read of the source. A list that cannot be read leaves the one before it in force.
    pub fn told(&mut self, told: ListTold, now: UnixMillis) {
        let Some(source) = told.tariff.source().filter(|_| told.tariff == self.tariff) else { return };
        match told.list {
            Ok(Some(list)) => {
                self.kept = Some(KeptList { source: source.clone(), list, read_at: now });
                self.fault = None;
                self.compute(now);
                self.write();
            }
            Ok(None) => {
                self.fault = None;
                if let Some(kept) = &mut self.kept {
                    kept.read_at = now;
                }
            }
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Prices of another source are not this one's; nor are they used where what the tariff makes of them is no price.
    fn drop_foreign_list(&mut self) {
        let is_own = |kept: &KeptList| {
            Some(&kept.source) == self.tariff.source() && kept.list.check(&self.tariff).is_ok()
        };
        self.kept = self.kept.take().filter(is_own);
    }

    fn compute(&mut self, now: UnixMillis) {
        let list = self.kept.as_ref().map(|kept| &kept.list);
        self.course = Course::new(&self.tariff, list, &self.zone, now);
    }

    fn write(&self) {
        let written = serde_json::to_vec(&self.kept)
            .map_err(std::io::Error::other)
            .and_then(|text| atomic::write(&self.path, &text, IfThere::Replace));
        if let Err(error) = written {
            // They are read again after a restart.
            tracing::warn!(%error, "prices of power could not be written down");
        }
    }

    /// Prices from now on.
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// The price at an instant, in millionths of a US dollar for a kilowatt-hour.
    pub fn at(&self, now: UnixMillis) -> i64 {
        self.course.at(now).micro_per_kwh
    }

    /// The price for the day that begins.
    pub fn day(&self, now: UnixMillis) -> DayPrice {
        let varies = self.course.next_change(now).is_some_and(|step| step.from < now.after(DAY));
        DayPrice { micro_per_kwh: self.course.mean(now, DAY), varies }
    }

    /// When the price changes next.
    pub fn changes_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.course.after(now).next().map(|step| step.from)
    }

    /// For whoever looks at it.
    pub fn view(&self, now: UnixMillis) -> PowerPrice {
        let at = self.course.at(now);
        let change = |step: lull_guards::tariff::Step| PriceChange {
            at: step.from,
            micro_per_kwh: step.micro_per_kwh,
        };
        PowerPrice {
            micro_per_kwh: at.micro_per_kwh,
            stands_in: at.stands_in,
            next: self.course.next_change(now).map(change),
            list: self.tariff.source().map(|_| PriceListView {
                read_at: self.kept.as_ref().map(|kept| kept.read_at),
                until: self.kept.as_ref().and_then(|kept| kept.list.until()),
                fault: self.fault.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_guards::tariff::parse;
    use lull_types::{FACTOR_ONE, TariffBand};

    /// 1 January 2026, a Thursday, at noon.
    const NOON: UnixMillis = UnixMillis(1_767_268_800_000);

    fn listed(path: &str, factor_millionths: u32) -> Tariff {
        Tariff::Listed {
            source: PriceSource::File { path: path.to_owned() },
            factor_millionths,
            added_micro_per_kwh: 0,
            fallback_micro_per_kwh: 300_000,
        }
    }

    fn list() -> PriceList {
        parse(b"2026-01-01T12:00Z,0.2\n2026-01-01T13:00Z,0.1").unwrap()
    }

    fn hours(count: u64) -> UnixMillis {
        UnixMillis(NOON.0 + count * 3_600_000)
    }

    #[test]
    fn the_last_list_counts_while_its_source_is_away_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        let tariff = listed("/a", FACTOR_ONE);
        let open = |tariff: &Tariff| PowerPrices::open(path.clone(), TimeZone::UTC, tariff.clone(), NOON);
        let mut prices = open(&tariff);
        assert_eq!((prices.at(NOON), prices.view(NOON).stands_in), (300_000, true));
        let told = |list| ListTold { tariff: tariff.clone(), list };
        prices.told(told(Ok(Some(list()))), NOON);
        assert_eq!((prices.at(NOON), prices.at(hours(1)), prices.at(hours(2))), (200_000, 100_000, 300_000));
        assert_eq!(prices.changes_at(NOON), Some(hours(1)));

        let away = Fault::new("prices_unreachable", "away");
        prices.told(told(Err(away.clone())), hours(1));
        let view = prices.view(hours(1));
        assert_eq!((view.micro_per_kwh, view.stands_in), (100_000, false));
        assert_eq!(view.next, Some(PriceChange { at: hours(2), micro_per_kwh: 300_000 }));
        let expected = PriceListView { read_at: Some(NOON), until: Some(hours(2)), fault: Some(away) };
        assert_eq!(view.list, Some(expected));
        prices.told(told(Ok(None)), hours(2));
        let view = prices.view(hours(2)).list.unwrap();
        assert_eq!((view.read_at, view.fault), (Some(hours(2)), None));

        assert_eq!(open(&tariff).at(NOON), 200_000);
        assert_eq!(open(&listed("/b", FACTOR_ONE)).at(NOON), 300_000, "another source's are not its");
        fs::write(&path, b"{").unwrap();
        assert_eq!(open(&tariff).at(NOON), 300_000);
    }

    #[test]
    fn a_tariff_that_changes_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        let mut prices = PowerPrices::open(path, TimeZone::UTC, listed("/a", FACTOR_ONE), NOON);
        let told = |factor| ListTold { tariff: listed("/a", factor), list: Ok(Some(list())) };
        prices.told(told(FACTOR_ONE), NOON);
        prices.follow(&listed("/a", 2 * FACTOR_ONE), NOON);
        assert_eq!(prices.at(NOON), 400_000, "the list is the same");
        // What was read for the tariff before it says nothing of this one.
        prices.told(ListTold { list: Err(Fault::new("late", "late")), ..told(FACTOR_ONE) }, NOON);
        assert_eq!(prices.view(NOON).list.unwrap().fault, None);
        // With a factor that makes nonsense of it, the list is not used.
        prices.follow(&listed("/a", 900 * FACTOR_ONE), NOON);
        assert_eq!((prices.at(NOON), prices.view(NOON).stands_in), (300_000, true));
        prices.follow(&Tariff::flat(7), NOON);
        assert_eq!((prices.at(NOON), prices.view(NOON).list), (7, None));
    }

    #[test]
    fn a_day_of_several_prices_has_a_mean() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        let band =
            TariffBand { days: 0b111_1111, from_minute: 22 * 60, to_minute: 6 * 60, micro_per_kwh: 120_000 };
        let tariff = Tariff::TimeOfUse { base_micro_per_kwh: 210_000, bands: vec![band] };
        let mut prices = PowerPrices::open(path, TimeZone::UTC, tariff, NOON);
        assert_eq!(prices.day(NOON), DayPrice { micro_per_kwh: 180_000, varies: true });
        // Days later it is computed anew, as far ahead as before.
        let tariff = prices.tariff.clone();
        prices.follow(&tariff, hours(24 * 30));
        assert_eq!(prices.day(hours(24 * 30)), DayPrice { micro_per_kwh: 180_000, varies: true });
        prices.follow(&Tariff::flat(-5), NOON);
        assert_eq!(prices.day(NOON), DayPrice { micro_per_kwh: -5, varies: false });
    }
}
