//! How fast a device works so that it stays under the contributor's limits: slower first, not at all if that is not enough.

use std::time::Duration;

use lull_types::{GuardRules, UnixMillis};

use crate::{Draw, Temperatures};

/// The slowest pace, in per cent of the time. Slower, a task outlasts its deadline and nothing is earned.
pub const SLOWEST: u8 = 25;

/// How much slower a device becomes with each look at it that finds it over an aim.
const SLOWER: u8 = 15;

/// How much faster again with each look that finds it well under all; slowly, so that it does not swing.
const FASTER: u8 = 5;

/// A device is slowed so many degrees under its limit, at which it stops.
const HEAT_AIM: u16 = 3;

/// It is faster again so many degrees under where it is slowed.
const HEAT_EASE: u16 = 3;

/// The same for fans, in points of per cent.
const FAN_EASE: u16 = 5;

/// The same for power: in parts of the limit.
const POWER_EASE: f64 = 0.9;

/// A board that holds itself to a limit regulates around it: so much more, in parts of it, is no reason to slow it too.
const BOARD_SWING: f64 = 0.05;

/// At the slowest pace fans and power have so long to come under their limits. A fan takes some seconds to slow down.
pub const STRAIN_MAX: Duration = Duration::from_secs(20);

/// Where a reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Under,
    Near,
    Over,
}

/// The pace of one device for one guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// In per cent of the time.
    pub percent: u8,
    /// Since when it is over its aim at the slowest pace.
    strained_since: Option<UnixMillis>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { percent: 100, strained_since: None }
    }
}

impl Pace {
    /// The pace after a look at how hot the device is.
    pub fn for_heat(self, rules: &GuardRules, at: Temperatures, now: UnixMillis) -> Self {
        let Some(limits) = rules.heat else { return Self::default() };
        let place = |celsius: Option<u16>, limit: u16| {
            let aim = limit.saturating_sub(HEAT_AIM);
            place(celsius?, aim, aim.saturating_sub(HEAT_EASE))
        };
        let places =
            [place(at.core, limits.core), place(at.hotspot, limits.hotspot), place(at.memory, limits.memory)];
        self.after(places.into_iter().flatten().max(), now)
    }

    /// The pace after a look at what the device draws and how loud it is. `by_board`: its board holds itself to the limit
    /// of power.
    pub fn for_draw(self, rules: &GuardRules, at: Draw, by_board: bool, now: UnixMillis) -> Self {
        let Some(limits) = rules.quiet else { return Self::default() };
        let fan = at
            .fan_percent
            .zip(limits.fan_percent)
            .and_then(|(fan, limit)| place(fan, limit + 1, limit.saturating_sub(FAN_EASE)));
        let power = at.watts.zip(limits.power_watts).and_then(|(watts, limit)| {
            let part = |share: f64| (f64::from(limit) * share) as u16;
            if by_board {
                // It cannot draw much more, so that up to there nothing speaks for a rest.
                place(watts, part(1.0 + BOARD_SWING) + 1, part(1.0 + BOARD_SWING))
            } else {
                place(watts, limit + 1, part(POWER_EASE))
            }
        });
        self.after([fan, power].into_iter().flatten().max(), now)
    }

    fn after(self, place: Option<Place>, now: UnixMillis) -> Self {
        match place {
            Some(Place::Over) if self.percent == SLOWEST => {
                Self { strained_since: self.strained_since.or(Some(now)), ..self }
            }
            Some(Place::Over) => {
                Self { percent: self.percent.saturating_sub(SLOWER).max(SLOWEST), strained_since: None }
            }
            Some(Place::Near) => Self { strained_since: None, ..self },
            Some(Place::Under) => Self { percent: (self.percent + FASTER).min(100), strained_since: None },
            // What is not known slows nothing.
            None => Self::default(),
        }
    }

    /// Whether the slowest pace was not slow enough for too long.
    pub fn is_strained(self, now: UnixMillis) -> bool {
        self.strained_since.is_some_and(|since| now.since(since) >= STRAIN_MAX)
    }
}

fn place(value: u16, over_from: u16, under_to: u16) -> Option<Place> {
    Some(match value {
        value if value >= over_from => Place::Over,
        value if value <= under_to => Place::Under,
        _ => Place::Near,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::{HeatLimits, QuietLimits};

    fn rules() -> GuardRules {
        GuardRules {
            heat: Some(HeatLimits { core: 80, hotspot: 100, memory: 100 }),
            quiet: Some(QuietLimits {
                fan_percent: Some(50),
                power_watts: Some(100),
                ..QuietLimits::default()
            }),
            ..GuardRules::default()
        }
    }

    fn core(celsius: u16) -> Temperatures {
        Temperatures { core: Some(celsius), ..Temperatures::default() }
    }

    fn paces(looks: impl IntoIterator<Item = Temperatures>) -> Vec<u8> {
        let mut pace = Pace::default();
        let step = |at| {
            pace = pace.for_heat(&rules(), at, UnixMillis(0));
            pace.percent
        };
        looks.into_iter().map(step).collect()
    }

    #[test]
    fn a_device_that_comes_near_its_limit_is_slowed_step_by_step_and_eased_again() {
        assert_eq!(paces([60, 76, 77, 78, 76, 75, 74, 74].map(core)), [100, 100, 85, 70, 70, 70, 75, 80]);
        assert_eq!(paces([79; 7].map(core)).last(), Some(&SLOWEST));
        assert_eq!(paces([79, 79, 60, 60, 60, 60, 60, 60, 60].map(core)).last(), Some(&100));
    }

    #[test]
    fn the_hottest_place_decides_and_what_is_not_known_does_not() {
        let at = |core, hotspot, memory| Temperatures { core, hotspot, memory };
        assert_eq!(paces([at(Some(40), Some(97), None)]), [85]);
        assert_eq!(paces([at(Some(40), None, Some(98))]), [85]);
        assert_eq!(paces([core(79), at(None, None, None)]), [85, 100]);
        let none = GuardRules { heat: None, ..rules() };
        assert_eq!(Pace::default().for_heat(&none, core(99), UnixMillis(0)), Pace::default());
    }

    #[test]
    fn fans_and_power_are_held_at_their_limits() {
        let draw = |fan_percent, watts| Draw { fan_percent, watts };
        let step = |at| Pace::default().for_draw(&rules(), at, false, UnixMillis(0)).percent;
        assert_eq!(step(draw(Some(50), Some(100))), 100);
        assert_eq!(step(draw(Some(51), Some(10))), 85);
        assert_eq!(step(draw(Some(10), Some(101))), 85);
        let only_fan = GuardRules {
            quiet: Some(QuietLimits { fan_percent: Some(50), ..QuietLimits::default() }),
            ..rules()
        };
        assert_eq!(
            Pace::default().for_draw(&only_fan, draw(None, Some(900)), false, UnixMillis(0)).percent,
            100
        );
    }

    #[test]
    fn a_card_that_regulates_settles_under_its_limit_and_does_not_swing() {
        // 250 W at full pace, less in proportion, of which 30 W are always drawn.
        let mut pace = Pace::default();
        let mut settled = Vec::new();
        for second in 0..120 {
            let watts = 30 + 220 * u16::from(pace.percent) / 100;
            pace =
                pace.for_draw(&rules(), Draw { fan_percent: None, watts: Some(watts) }, false, UnixMillis(0));
            if second > 20 {
                settled.push((watts, pace.percent));
            }
        }
        assert!(settled.iter().all(|(watts, _)| *watts <= 100), "{settled:?}");
        assert!(settled.windows(2).all(|pair| pair[0] == pair[1]), "{settled:?}");
        assert!(!pace.is_strained(UnixMillis(1_000_000)));
    }

    #[test]
    fn a_board_that_holds_itself_to_the_limit_is_slowed_only_where_that_does_not_hold() {
        let step = |pace: Pace, watts, by_board| {
            let at = Draw { fan_percent: None, watts: Some(watts) };
            pace.for_draw(&rules(), at, by_board, UnixMillis(0)).percent
        };
        let slowed = Pace { percent: 70, strained_since: None };
        for (watts, by_itself, by_board) in [(90, 75, 75), (100, 70, 75), (105, 55, 75), (106, 55, 55)] {
            assert_eq!(step(slowed, watts, false), by_itself, "{watts} W");
            assert_eq!(step(slowed, watts, true), by_board, "{watts} W");
        }
        let loud = Draw { fan_percent: Some(51), watts: Some(90) };
        assert_eq!(Pace::default().for_draw(&rules(), loud, true, UnixMillis(0)).percent, 85);
    }

    #[test]
    fn what_is_over_at_the_slowest_pace_for_long_is_too_much() {
        let loud = Draw { fan_percent: Some(90), watts: None };
        let mut pace = Pace::default();
        for second in 0..10 {
            pace = pace.for_draw(&rules(), loud, false, UnixMillis(second * 1000));
        }
        assert_eq!(pace.percent, SLOWEST);
        // It became slowest in the fifth second, and was found over its limit so in the sixth.
        assert!(!pace.is_strained(UnixMillis(24_999)) && pace.is_strained(UnixMillis(25_000)));
        let quiet =
            pace.for_draw(&rules(), Draw { fan_percent: Some(48), watts: None }, false, UnixMillis(26_000));
        assert!(!quiet.is_strained(UnixMillis(100_000)));
    }
}
