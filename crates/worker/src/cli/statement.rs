//! `lull-worker statement`: earnings of a month or a year as a table.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{Local, NaiveDate, NaiveTime, TimeZone};
use lull_types::{Fault, UnixMillis};
use lull_worker_api::{Command, Reply};

use super::remote::{command, connect, unexpected};
use super::say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    time: Time,
    /// Where to write it; without it, into the worker’s folder of exports.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Time {
    /// A month of local time, such as 2026-11.
    #[arg(long)]
    month: Option<Month>,
    /// A year of local time, such as 2026.
    #[arg(long)]
    year: Option<i32>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Fault> {
    let (first, after) = match (args.time.month, args.time.year) {
        (Some(Month { year, month }), _) => (day(year, month)?, day_after(year, month)?),
        (None, Some(year)) => (day(year, 1)?, day_after(year, 12)?),
        // The command line has one of them.
        (None, None) => return Err(no_such_day()),
    };
    let (from, utc_offset_minutes) = midnight(first)?;
    let (until, _) = midnight(after)?;
    let asked = Command::ExportStatement { from, until, utc_offset_minutes };
    let Reply::Exported { path } = command(&connect().await?, asked).await? else {
        return Err(unexpected());
    };
    let Some(file) = args.file else {
        say(path);
        return Ok(ExitCode::SUCCESS);
    };
    let copied = tokio::fs::copy(&path, &file).await;
    copied.map_err(|error| {
        let sentence =
            format!("the statement is in {path}, and could not be copied to {}: {error}", file.display());
        Fault::new("export_failed", sentence)
    })?;
    say(file.display());
    Ok(ExitCode::SUCCESS)
}

fn no_such_day() -> Fault {
    Fault::new("no_such_time", "there is no such month or year; write 2026-11 or 2026")
}

fn day(year: i32, month: u32) -> Result<NaiveDate, Fault> {
    NaiveDate::from_ymd_opt(year, month, 1).ok_or_else(no_such_day)
}

/// The first day of the next month.
fn day_after(year: i32, month: u32) -> Result<NaiveDate, Fault> {
    if month == 12 { day(year.saturating_add(1), 1) } else { day(year, month + 1) }
}

/// When a local day begins, and how far local time is ahead of UTC then. Where clocks are set at midnight there may be
/// no such instant, or two: then it is the first that there is.
fn midnight(day: NaiveDate) -> Result<(UnixMillis, i32), Fault> {
    let at = day.and_time(NaiveTime::MIN);
    let hour = chrono::TimeDelta::hours(1);
    let found = Local.from_local_datetime(&at).earliest();
    let found =
        found.or_else(|| Local.from_local_datetime(&(at + hour)).earliest()).ok_or_else(no_such_day)?;
    let millis = u64::try_from(found.timestamp_millis()).map_err(|_| no_such_day())?;
    Ok((UnixMillis(millis), found.offset().local_minus_utc() / 60))
}

/// A month as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month {
    year: i32,
    month: u32,
}

impl std::str::FromStr for Month {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2);
        let read = read
            .and_then(|(year, month)| Some(Self { year: year.parse().ok()?, month: month.parse().ok()? }));
        read.filter(|read| (1..=12).contains(&read.month)).ok_or_else(|| "a month such as 2026-11".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_and_end_where_the_next_begins() {
        let read = |text: &str| text.parse::<Month>().ok().map(|read| (read.year, read.month));
        assert_eq!(read("2026-11"), Some((2026, 11)));
        for wrong in ["2026-13", "2026-00", "2026", "26-11", "2026-1", "2026-11-01", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(day_after(2026, 12).unwrap(), NaiveDate::from_ymd_opt(2027, 1, 1).unwrap());
        assert_eq!(day_after(2026, 1).unwrap(), NaiveDate::from_ymd_opt(2026, 2, 1).unwrap());
    }
}
