//! A list of prices by the hour, as a file or an address gives it: a stranger's text, in one of two forms.
//!
//! ```text
//! start,price                           [
//! 2026-01-15T13:00:00+01:00,0.2134        {"start": "2026-01-15T13:00:00+01:00", "price": 0.2134},
//! 2026-01-15T14:00:00+01:00,-0.0071       {"start": "2026-01-15T14:00:00+01:00", "price": -0.0071}
//!                                       ]
//! ```
//! `docs/tariffs.md` describes them.

use std::time::Duration;

use csv::{ReaderBuilder, Trim};
use jiff::Timestamp;
use lull_types::{Coded, MICRO_PER_KWH_MIN, Tariff, UnixMillis};
use serde::{Deserialize, Serialize};

use super::billed;

/// The largest list: a year of hours, as JSON with spaces.
pub const LIST_BYTES_MAX: usize = 1 << 20;

/// The most prices of a list: a year of hours, and a leap day.
pub const LIST_PRICES_MAX: usize = 366 * 24;

/// The longest time for which one listed price holds. Markets trade hours and parts of them.
const HOLDS_MAX: Duration = Duration::from_secs(3600);

/// The most that a market lets a kilowatt-hour cost, in dollars: Australia's limit is 17.5 of its own. More is the price of
/// a megawatt-hour.
const BILLED_MICRO_PER_KWH_MAX: i64 = 20_000_000;

/// The largest number that is taken for a price, in whichever money: it can still be multiplied.
const PRICE_MAX: f64 = 1e6;

/// The price of one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPrice {
    /// From then.
    pub from: UnixMillis,
    /// Until then, exclusive.
    pub until: UnixMillis,
    /// Millionths of the list's own money for a kilowatt-hour.
    pub micro_per_kwh: i64,
}

/// Prices in order of time, none at the time of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceList(Vec<ListedPrice>);

/// Why a list is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Over [`LIST_BYTES_MAX`].
    #[error("The price list is larger than {} KiB; keep the hours of some days in it.", LIST_BYTES_MAX / 1024)]
    TooLarge,
    /// Over [`LIST_PRICES_MAX`].
    #[error("The price list has more than {LIST_PRICES_MAX} prices; keep the hours of some days in it.")]
    TooMany,
    /// Not UTF-8.
    #[error("The price list is not text in UTF-8; save it as such.")]
    NotText,
    /// No price in it.
    #[error("The price list has no prices.")]
    Empty,
    /// It begins as JSON and is none.
    #[error("The price list is no JSON list of starts and prices: {what}.")]
    Json {
        /// What the parser says.
        what: String,
    },
    /// A line is none of a start and a price.
    #[error(
        "The price list has the line “{line}”, which is not a start and a price, such as \
         2026-01-15T13:00:00+01:00,0.2134."
    )]
    Line {
        /// As it is written.
        line: String,
    },
    /// A time that cannot be read, or without its distance from UTC.
    #[error(
        "The price list has the start “{start}”, which is no time with its distance from UTC, such as \
         2026-01-15T13:00:00+01:00."
    )]
    Start {
        /// As it is written.
        start: String,
    },
    /// A price that is no number, or too large to be one.
    #[error("The price list has a price at {start} that is none; write it such as 0.2134.")]
    Price {
        /// The start, as it is written.
        start: String,
    },
    /// Two prices at once.
    #[error("The price list has two prices for {start}; keep one of them.")]
    Contradiction {
        /// The second's start, as it is written.
        start: String,
    },
    /// Beyond what markets allow, after factor and addition.
    #[error(
        "The price list comes to {dollars} USD for a kilowatt-hour at one time, which no market allows; prices of \
         megawatt-hours are divided by a thousand with the factor 0.001."
    )]
    Implausible {
        /// The price with which it ends.
        dollars: String,
    },
}

impl Coded for ListError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "prices_too_large",
            Self::TooMany => "prices_too_many",
            Self::NotText => "prices_not_text",
            Self::Empty => "prices_empty",
            Self::Json { .. } => "prices_not_json",
            Self::Line { .. } => "prices_line_malformed",
            Self::Start { .. } => "prices_start_malformed",
            Self::Price { .. } => "prices_price_malformed",
            Self::Contradiction { .. } => "prices_contradict",
            Self::Implausible { .. } => "prices_implausible",
        }
    }
}

/// One price of the text.
#[derive(Deserialize)]
struct Written {
    start: String,
    price: f64,
}

/// Reads a list in either form.
///
/// # Errors
/// [`ListError`]; a list is used whole or not at all.
pub fn parse(bytes: &[u8]) -> Result<PriceList, ListError> {
    if bytes.len() > LIST_BYTES_MAX {
        return Err(ListError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ListError::NotText)?;
    // Some editors put a mark before the first line.
    let text = text.trim_start_matches('\u{feff}').trim();
    let written = if text.starts_with('[') { json(text)? } else { lines(text)? };
    if written.is_empty() {
        return Err(ListError::Empty);
    }
    if written.len() > LIST_PRICES_MAX {
        return Err(ListError::TooMany);
    }
    let mut starts = written
        .iter()
        .map(|row| Ok((start(&row.start)?, price(row)?, row.start.as_str())))
        .collect::<Result<Vec<_>, ListError>>()?;
    starts.sort_by_key(|(start, ..)| *start);
    let contradicts = |pair: &&[(UnixMillis, i64, &str)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
    if let Some(pair) = starts.windows(2).find(contradicts) {
        return Err(ListError::Contradiction { start: shown(pair[1].2) });
    }
    starts.dedup_by_key(|(start, ..)| *start);
    Ok(PriceList::of_starts(&starts.iter().map(|(start, price, _)| (*start, *price)).collect::<Vec<_>>()))
}

fn json(text: &str) -> Result<Vec<Written>, ListError> {
    serde_json::from_str(text).map_err(|error| ListError::Json { what: shown(&error.to_string()) })
}

fn lines(text: &str) -> Result<Vec<Written>, ListError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut written = Vec::new();
    for (number, row) in reader.records().enumerate() {
        let wrong = |line: &str| ListError::Line { line: shown(line) };
        let row = row.map_err(|error| wrong(&error.to_string()))?;
        let (Some(start), Some(price), None) = (row.get(0), row.get(1), row.get(2)) else {
            return Err(wrong(&row.iter().collect::<Vec<_>>().join(",")));
        };
        if number == 0 && start.eq_ignore_ascii_case("start") {
            continue;
        }
        let price = price.parse().map_err(|_| ListError::Price { start: shown(start) })?;
        written.push(Written { start: start.to_owned(), price });
    }
    Ok(written)
}

fn start(written: &str) -> Result<UnixMillis, ListError> {
    let at: Option<Timestamp> = written.trim().parse().ok();
    at.and_then(|at| u64::try_from(at.as_millisecond()).ok())
        .map(UnixMillis)
        .ok_or_else(|| ListError::Start { start: shown(written) })
}

fn price(row: &Written) -> Result<i64, ListError> {
    if row.price.is_finite() && row.price.abs() <= PRICE_MAX {
        // Within bounds, so that nothing is lost but what is beyond a millionth.
        Ok((row.price * 1e6).round() as i64)
    } else {
        Err(ListError::Price { start: shown(&row.start) })
    }
}

/// A stranger's text in a sentence: its beginning, on one line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

impl PriceList {
    /// Prices by their starts, in order. Each holds until the next, but for an hour at most; the last one for as long as
    /// the one before it.
    fn of_starts(starts: &[(UnixMillis, i64)]) -> Self {
        let mut holds = HOLDS_MAX;
        let mut prices = Vec::with_capacity(starts.len());
        for (index, (from, micro_per_kwh)) in starts.iter().enumerate() {
            if let Some((next, _)) = starts.get(index + 1) {
                holds = next.since(*from).min(HOLDS_MAX);
            }
            prices.push(ListedPrice { from: *from, until: from.after(holds), micro_per_kwh: *micro_per_kwh });
        }
        Self(prices)
    }

    /// They, in order of time.
    pub fn prices(&self) -> &[ListedPrice] {
        &self.0
    }

    /// Until when there are prices; `None` where there are none.
    pub fn until(&self) -> Option<UnixMillis> {
        self.0.last().map(|last| last.until)
    }

    /// Whether each price is one that a market allows, after what the tariff makes of it.
    ///
    /// # Errors
    /// [`ListError::Implausible`] for the first that is not.
    pub fn check(&self, tariff: &Tariff) -> Result<(), ListError> {
        let Tariff::Listed { factor_millionths, added_micro_per_kwh, .. } = tariff else { return Ok(()) };
        let mut billed =
            self.0.iter().map(|p| billed(p.micro_per_kwh, *factor_millionths, *added_micro_per_kwh));
        match billed.find(|price| !(MICRO_PER_KWH_MIN..=BILLED_MICRO_PER_KWH_MAX).contains(price)) {
            Some(price) => Err(ListError::Implausible { dollars: format!("{:.2}", price as f64 / 1e6) }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(text: &str) -> Vec<(String, u64, i64)> {
        let list = parse(text.as_bytes()).unwrap();
        let shown = |price: &ListedPrice| {
            let from = crate::clock::instant(price.from).to_string();
            (from, price.until.since(price.from).as_secs() / 60, price.micro_per_kwh)
        };
        list.prices().iter().map(shown).collect()
    }

    fn row(from: &str, minutes: u64, micro: i64) -> (String, u64, i64) {
        (from.to_owned(), minutes, micro)
    }

    #[test]
    fn both_forms_say_the_same() {
        let expected = [row("2026-01-15T12:00:00Z", 60, 213_400), row("2026-01-15T13:00:00Z", 60, -7_100)];
        for text in [
            "start,price\n2026-01-15T13:00:00+01:00,0.2134\n2026-01-15T14:00:00+01:00,-0.0071\n",
            "\u{feff}Start, USD per kWh\r\n# day-ahead\r\n\"2026-01-15T14:00+01:00\", -0.0071\r\n2026-01-15T12:00:00Z, 2134e-4",
            r#"[{"start": "2026-01-15T13:00:00+01:00", "price": 0.2134, "zone": "DE"},
                {"start": "2026-01-15T14:00:00+01:00", "price": -0.0071}]"#,
        ] {
            assert_eq!(prices(text), expected, "{text}");
        }
    }

    #[test]
    fn a_price_holds_until_the_next_one_but_for_an_hour_at_most() {
        let quarters = "2026-01-15T12:00Z,1\n2026-01-15T12:15Z,2\n2026-01-15T12:30Z,3";
        let times: Vec<_> = prices(quarters).into_iter().map(|(_, minutes, _)| minutes).collect();
        assert_eq!(times, [15, 15, 15]);
        // Hours, then a gap, then quarters; and one alone.
        let mixed = "2026-01-15T12:00Z,1\n2026-01-15T15:00Z,2\n2026-01-15T16:00Z,3\n2026-01-15T16:15Z,3";
        let times: Vec<_> = prices(mixed).into_iter().map(|(_, minutes, _)| minutes).collect();
        assert_eq!(times, [60, 60, 15, 15]);
        assert_eq!(prices("2026-01-15T12:00Z,1"), [row("2026-01-15T12:00:00Z", 60, 1_000_000)]);
        // The hour that clocks repeat is two, told apart by their distance from UTC.
        let repeated = "2026-10-25T02:00+02:00,1\n2026-10-25T02:00+01:00,2";
        assert_eq!(prices(repeated).len(), 2);
        assert_eq!(prices("2026-01-15T12:00Z,1\n2026-01-15T13:00+01:00,1").len(), 1, "one price, twice");
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let start = |start: &str| ListError::Start { start: start.to_owned() };
        let line = |line: &str| ListError::Line { line: line.to_owned() };
        let price = || ListError::Price { start: "2026-01-15T12:00Z".to_owned() };
        for (text, expected) in [
            ("", ListError::Empty),
            ("start,price\n", ListError::Empty),
            ("[]", ListError::Empty),
            ("start,price\n\n2026-01-15T12:00Z", line("2026-01-15T12:00Z")),
            ("2026-01-15T12:00Z,0,21", line("2026-01-15T12:00Z,0,21")),
            ("2026-01-15T12:00Z;0.21", line("2026-01-15T12:00Z;0.21")),
            ("2026-01-15T12:00,0.21", start("2026-01-15T12:00")),
            ("1969-01-15T12:00Z,0.21", start("1969-01-15T12:00Z")),
            ("noon,0.21", start("noon")),
            ("2026-01-15T12:00Z,dear", price()),
            ("2026-01-15T12:00Z,NaN", price()),
            ("2026-01-15T12:00Z,-inf", price()),
            ("2026-01-15T12:00Z,1e7", price()),
            (
                "2026-01-15T12:00Z,1\n2026-01-15T12:00Z,2",
                ListError::Contradiction { start: "2026-01-15T12:00Z".to_owned() },
            ),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(expected), "{text}");
        }
        assert!(matches!(parse(b"[{\"start\": 1}]"), Err(ListError::Json { .. })));
        assert_eq!(parse(b"\xff\xfe"), Err(ListError::NotText));
        assert_eq!(parse(&vec![b' '; LIST_BYTES_MAX + 1]), Err(ListError::TooLarge));
        let many: String = (0..=LIST_PRICES_MAX)
            .map(|at| format!("{},1\n", Timestamp::from_second(at as i64 * 3600).unwrap()))
            .collect();
        assert_eq!(parse(many.as_bytes()), Err(ListError::TooMany));
    }

    #[test]
    fn prices_of_megawatt_hours_are_noticed() {
        let list = parse(b"2026-01-15T12:00Z,-3.2\n2026-01-15T13:00Z,85.3").unwrap();
        let listed = |factor_millionths, added_micro_per_kwh| Tariff::Listed {
            source: lull_types::PriceSource::File { path: String::new() },
            factor_millionths,
            added_micro_per_kwh,
            fallback_micro_per_kwh: 0,
        };
        let expected = ListError::Implausible { dollars: "85.30".to_owned() };
        assert_eq!(list.check(&listed(1_000_000, 0)), Err(expected));
        assert_eq!(list.check(&listed(1_000, 0)), Ok(()));
        assert!(list.check(&listed(1_000, 20_000_000)).is_err());
    }
}
