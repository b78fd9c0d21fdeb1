//! What the contributor wants of the guards.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{DATA_CAP_GB_MAX, DataCaps, Guard};
use crate::{BaseUnits, Coded};

/// The longest wait for a person to be away: who wants more than a day of quiet does not lend the machine.
pub const AWAY_MINUTES_MAX: u16 = 24 * 60;

/// How many programs can be listed. Each is looked for among all that run.
pub const PROGRAMS_MAX: usize = 100;

/// The most that can be wanted of an hour.
const MARGIN_FLOOR_MAX: BaseUnits = BaseUnits(100_000_000);

/// The longest name of a program, in characters: what file systems allow of a name.
const PROGRAM_CHARS_MAX: usize = 255;

/// Which guards the contributor wants, and from where on. What an older file does not name is as in a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct GuardRules {
    /// The GPU is free while a program fills a screen.
    pub full_screen: bool,
    /// A device is free while another program works it or needs its memory.
    pub gpu_use: bool,
    /// The GPU is free until nobody has touched keyboard, mouse or controller for so many minutes; `None` for at any time.
    pub away_minutes: Option<u16>,
    /// The GPU is free while one of these runs: names of programs as the system lists them, without `.exe`; upper and lower
    /// case are the same.
    pub programs: Vec<String>,
    /// The hours in which the GPU is lent; `None` for all.
    pub hours: Option<WeekHours>,
    /// The GPU is free while the machine runs on its battery.
    pub battery: bool,
    /// How hot a device may become; `None` for as hot as its maker allows.
    pub heat: Option<HeatLimits>,
    /// How loud a device may be, and how much it may draw: it works more slowly then, and not at all where that does not
    /// help; `None` for as its maker made it.
    pub quiet: Option<QuietLimits>,
    /// A device is free while an hour of its work would leave less than this after the power that it takes, at the
    /// contributor's price of power; `None` for whatever it leaves.
    pub margin_floor: Option<BaseUnits>,
    /// The GPU is free while the connection costs by what is sent.
    pub metered: bool,
    /// How much data may move in a month; `None` for as much as there is.
    pub data_cap: Option<DataCaps>,
    /// The GPU is free while less than so many gibibytes of the disk are; `None` for down to the last.
    pub disk_free_gib: Option<u16>,
}

impl Default for GuardRules {
    /// Nobody lends a GPU to have a game stutter, a battery emptied or a disk filled. What only some want is off.
    fn default() -> Self {
        Self {
            full_screen: true,
            gpu_use: true,
            away_minutes: None,
            programs: Vec::new(),
            hours: None,
            battery: true,
            heat: Some(HeatLimits::default()),
            quiet: None,
            margin_floor: None,
            metered: true,
            data_cap: None,
            disk_free_gib: Some(2),
        }
    }
}

/// Degrees Celsius from which a device is held free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeatLimits {
    /// The chip, on average.
    pub core: u16,
    /// The chip, where it is hottest.
    pub hotspot: u16,
    /// The memory.
    pub memory: u16,
}

impl Default for HeatLimits {
    /// A few degrees under what makes cards of the last years slow themselves: 83 to 90 of the core, 105 to 110 of the
    /// hottest spot and of GDDR6X.
    fn default() -> Self {
        Self { core: 83, hotspot: 100, memory: 100 }
    }
}

/// How loud a device may be, and how much it may draw. One of them at least is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct QuietLimits {
    /// Speed of its fan, in per cent.
    pub fan_percent: Option<u16>,
    /// Power of the board, in watts.
    pub power_watts: Option<u16>,
    /// Lull may lower the board's own power limit to `power_watts` while it works. Without that, or where the system does
    /// not let it, the device rests between slices of work to stay under it.
    #[serde(default)]
    pub may_lower_power_limit: bool,
}

impl QuietLimits {
    /// What the board's own power limit may be lowered to, in watts, if it may.
    pub fn power_limit_watts(&self) -> Option<u16> {
        self.power_watts.filter(|_| self.may_lower_power_limit)
    }
}

/// Hours of a week, by the contributor's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct WeekHours(
    /// For each day, Monday first, a bit for each hour; bit 0 is the hour after midnight.
    pub [u32; 7],
);

impl WeekHours {
    /// All hours of a day.
    pub const WHOLE_DAY: u32 = (1 << 24) - 1;

    /// Whether it holds an hour: `day` from 0, Monday, to 6; `hour` from 0 to 23.
    pub fn contains(&self, day: usize, hour: u32) -> bool {
        self.0.get(day).is_some_and(|hours| hours >> hour.min(31) & 1 == 1)
    }
}

/// Rules that mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// [`GuardRules::away_minutes`].
    #[error("Being away takes from one minute to a day.")]
    AwayMinutes,
    /// [`GuardRules::programs`].
    #[error("A program's name is its file's name, such as “blender”, and {PROGRAMS_MAX} can be listed.")]
    Programs,
    /// [`GuardRules::hours`].
    #[error("No hour is chosen in which the GPU is lent; choose one at least, or turn work off.")]
    NoHour,
    /// [`GuardRules::heat`].
    #[error("A device's limit is from 50 to 110 degrees Celsius.")]
    Heat,
    /// [`GuardRules::quiet`].
    #[error(
        "A fan's limit is from 10 to 100 per cent, a power limit from 20 to 1000 watts; give one of them."
    )]
    Quiet,
    /// [`GuardRules::margin_floor`].
    #[error("No device earns a hundred dollars an hour; choose less.")]
    MarginFloor,
    /// [`GuardRules::data_cap`].
    #[error(
        "A month's cap of data is from 1 to {DATA_CAP_GB_MAX} GB, sent, received or both; give one of them."
    )]
    DataCap,
    /// [`DataCaps::month_day`].
    #[error("A month of data begins on a day from 1 to 31.")]
    DataMonthDay,
    /// [`GuardRules::disk_free_gib`].
    #[error("At least one gibibyte of the disk is to be kept free.")]
    Disk,
}

impl Coded for RulesError {
    fn code(&self) -> &'static str {
        match self {
            Self::AwayMinutes => "away_minutes",
            Self::Programs => "guard_programs",
            Self::NoHour => "no_hour_lent",
            Self::Heat => "heat_limit",
            Self::Quiet => "quiet_limit",
            Self::MarginFloor => "margin_floor",
            Self::DataCap => "data_cap",
            Self::DataMonthDay => "data_month_day",
            Self::Disk => "disk_kept_free",
        }
    }
}

impl GuardRules {
    /// Whether a guard is wanted.
    pub fn wants(&self, guard: Guard) -> bool {
        match guard {
            Guard::FullScreen => self.full_screen,
            Guard::GpuUse => self.gpu_use,
            Guard::Presence => self.away_minutes.is_some(),
            Guard::Program => !self.programs.is_empty(),
            Guard::Hours => self.hours.is_some(),
            Guard::Battery => self.battery,
            Guard::Heat => self.heat.is_some(),
            Guard::Quiet => self.quiet.is_some(),
            Guard::Margin => self.margin_floor.is_some(),
            Guard::Metered => self.metered,
            Guard::DataCap => self.data_cap.is_some(),
            Guard::Disk => self.disk_free_gib.is_some(),
        }
    }

    /// Whether they can be followed.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), RulesError> {
        if self.away_minutes.is_some_and(|minutes| !(1..=AWAY_MINUTES_MAX).contains(&minutes)) {
            return Err(RulesError::AwayMinutes);
        }
        let is_name = |name: &String| {
            let name = name.trim();
            !name.is_empty()
                && name.chars().count() <= PROGRAM_CHARS_MAX
                && !name.contains(|c: char| c.is_control() || c == '/' || c == '\\')
        };
        if self.programs.len() > PROGRAMS_MAX || !self.programs.iter().all(is_name) {
            return Err(RulesError::Programs);
        }
        if self.hours.is_some_and(|hours| hours.0.iter().all(|day| day & WeekHours::WHOLE_DAY == 0)) {
            return Err(RulesError::NoHour);
        }
        if let Some(HeatLimits { core, hotspot, memory }) = self.heat
            && [core, hotspot, memory].iter().any(|limit| !(50..=110).contains(limit))
        {
            return Err(RulesError::Heat);
        }
        if let Some(QuietLimits { fan_percent, power_watts, may_lower_power_limit: _ }) = self.quiet {
            let is_none = fan_percent.is_none() && power_watts.is_none();
            let fan_is_off = fan_percent.is_some_and(|limit| !(10..=100).contains(&limit));
            let power_is_off = power_watts.is_some_and(|limit| !(20..=1000).contains(&limit));
            if is_none || fan_is_off || power_is_off {
                return Err(RulesError::Quiet);
            }
        }
        if self.margin_floor.is_some_and(|floor| floor > MARGIN_FLOOR_MAX) {
            return Err(RulesError::MarginFloor);
        }
        if let Some(DataCaps { sent_gb, received_gb, both_gb, month_day }) = self.data_cap {
            let mut caps = [sent_gb, received_gb, both_gb].into_iter().flatten().peekable();
            if caps.peek().is_none() || !caps.all(|gb| (1..=DATA_CAP_GB_MAX).contains(&gb)) {
                return Err(RulesError::DataCap);
            }
            if !(1..=31).contains(&month_day) {
                return Err(RulesError::DataMonthDay);
            }
        }
        if self.disk_free_gib == Some(0) {
            return Err(RulesError::Disk);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        let check = |change: fn(&mut GuardRules), expected: Result<(), RulesError>| {
            let mut rules = GuardRules::default();
            change(&mut rules);
            assert_eq!(rules.check(), expected, "{rules:?}");
        };
        check(|_| (), Ok(()));
        check(|rules| rules.away_minutes = Some(1), Ok(()));
        check(|rules| rules.away_minutes = Some(0), Err(RulesError::AwayMinutes));
        check(|rules| rules.away_minutes = Some(1441), Err(RulesError::AwayMinutes));
        check(|rules| rules.programs = vec!["blender".to_owned()], Ok(()));
        for name in ["", "  ", "/usr/bin/blender", "C:\\blender", "a\nb", &"x".repeat(256)] {
            let rules = GuardRules { programs: vec![name.to_owned()], ..GuardRules::default() };
            assert_eq!(rules.check(), Err(RulesError::Programs), "{name:?}");
        }
        check(|rules| rules.programs = vec!["a".to_owned(); 101], Err(RulesError::Programs));
        check(|rules| rules.hours = Some(WeekHours([1, 0, 0, 0, 0, 0, 0])), Ok(()));
        check(|rules| rules.hours = Some(WeekHours([1 << 24; 7])), Err(RulesError::NoHour));
        check(|rules| rules.heat = None, Ok(()));
        check(
            |rules| rules.heat = Some(HeatLimits { core: 49, ..HeatLimits::default() }),
            Err(RulesError::Heat),
        );
        check(|rules| rules.margin_floor = Some(BaseUnits(0)), Ok(()));
        check(|rules| rules.margin_floor = Some(BaseUnits(100_000_001)), Err(RulesError::MarginFloor));
        check(|rules| rules.disk_free_gib = Some(0), Err(RulesError::Disk));
        let quiet = |fan_percent, power_watts| GuardRules {
            quiet: Some(QuietLimits { fan_percent, power_watts, ..QuietLimits::default() }),
            ..GuardRules::default()
        };
        assert_eq!(quiet(Some(40), None).check(), Ok(()));
        assert_eq!(quiet(None, Some(150)).check(), Ok(()));
        for (fan, power) in [(None, None), (Some(9), None), (Some(40), Some(19)), (Some(101), Some(100))] {
            assert_eq!(quiet(fan, power).check(), Err(RulesError::Quiet));
        }
    }

    #[test]
    fn caps_of_data_are_given_within_bounds() {
        let check = |sent_gb, received_gb, both_gb, month_day| {
            let data_cap = Some(DataCaps { sent_gb, received_gb, both_gb, month_day });
            GuardRules { data_cap, ..GuardRules::default() }.check()
        };
        assert_eq!(check(Some(1), None, None, 1), Ok(()));
        assert_eq!(check(None, Some(30), Some(99_999), 31), Ok(()));
        for (sent, received, both) in [
            (None, None, None),
            (Some(0), None, None),
            (None, Some(100_000), None),
            (Some(1), Some(1), Some(0)),
        ] {
            assert_eq!(check(sent, received, both, 1), Err(RulesError::DataCap));
        }
        for day in [0, 32] {
            assert_eq!(check(None, None, Some(30), day), Err(RulesError::DataMonthDay));
        }
        assert_eq!(RulesError::DataMonthDay.code(), "data_month_day");
    }

    #[test]
    fn a_power_limit_is_lowered_only_with_leave_and_to_a_limit_that_was_given() {
        let older: QuietLimits = serde_json::from_str(r#"{"fan_percent":null,"power_watts":180}"#).unwrap();
        assert_eq!(older.power_limit_watts(), None, "who never gave leave has not given it");
        let allowed = QuietLimits { may_lower_power_limit: true, ..older };
        assert_eq!(allowed.power_limit_watts(), Some(180));
        let no_figure = QuietLimits { power_watts: None, fan_percent: Some(40), ..allowed };
        assert_eq!(no_figure.power_limit_watts(), None);
    }

    #[test]
    fn hours_are_those_of_their_day() {
        let hours = WeekHours([0, 1 << 23, 0, 0, 0, 0, WeekHours::WHOLE_DAY]);
        assert!(hours.contains(1, 23) && hours.contains(6, 0) && hours.contains(6, 23));
        assert!(!hours.contains(1, 22) && !hours.contains(0, 23) && !hours.contains(6, 24));
        assert!(!hours.contains(7, 0) && !hours.contains(6, 99));
    }

    #[test]
    fn rules_of_an_older_file_want_what_they_do_not_name() {
        assert_eq!(serde_json::from_str::<GuardRules>("{}").unwrap(), GuardRules::default());
        let quiet: GuardRules = serde_json::from_str(r#"{"battery":false}"#).unwrap();
        assert_eq!(quiet, GuardRules { battery: false, ..GuardRules::default() });
    }
}
