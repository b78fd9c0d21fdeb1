//! What probes see, and what it means under the contributor's rules.

use std::time::Duration;

use lull_types::{ActiveTrip, GpuNeed, Guard, GuardRules, HeatSensor, Loudness, Trip, UnixMillis};

use crate::margin::{Margin, unpaid};

/// A device that was held free for its heat is used again when it is so many degrees cooler; nearer to the limit it would
/// be back within seconds.
pub const HEAT_CLEARS_BELOW: u16 = 8;

/// A disk that was nearly full is used again when an eighth more is free than must be.
const DISK_CLEARS_ABOVE: f64 = 1.125;

const GIB: u64 = 1 << 30;

/// What a probe saw. It is a fact about the machine; whether a device must be free for it is [`judge`]'s to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Which program fills a screen that can be seen, if one does.
    FullScreen(Option<FullScreen>),
    /// What another program needs of a device, if one does. A blip is no need: [`crate::gpu_use`].
    GpuUse {
        /// The device.
        device: u32,
        /// The need.
        by: Option<GpuUse>,
    },
    /// Whether somebody uses the machine.
    Person(Person),
    /// Which of the listed programs run, as they are listed.
    Programs(Vec<String>),
    /// What the machine runs on.
    Power(Power),
    /// How hot a device is.
    Heat {
        /// The device.
        device: u32,
        /// Where the system tells.
        at: Temperatures,
    },
    /// How loud a device is, and how much it draws.
    Draw {
        /// The device.
        device: u32,
        /// Where the system tells.
        at: Draw,
    },
    /// What an hour of a device's work would leave.
    Margin {
        /// The device.
        device: u32,
        /// That, where it is known what work pays.
        at: Option<Margin>,
    },
    /// Whether the connection costs by what is sent.
    Metered(bool),
    /// What is free of the disk, in bytes.
    Disk {
        /// Bytes.
        free_bytes: u64,
    },
}

/// A program that fills a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullScreen {
    /// Its name, where the desktop tells it.
    pub program: Option<String>,
}

/// A program that needs a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuUse {
    /// Its name, where the system tells it.
    pub program: Option<String>,
    /// What it needs.
    pub need: GpuNeed,
}

/// Whether somebody uses the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Keyboard, mouse or controller were touched a moment ago.
    Here,
    /// They were last touched then.
    QuietSince(UnixMillis),
}

/// What a machine runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// The mains, or it has no battery.
    Mains,
    /// Its battery.
    Battery {
        /// How full it is, in per cent, where that is known.
        percent: Option<u8>,
    },
}

/// How hot a device is, in whole degrees Celsius, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Temperatures {
    /// The chip, on average.
    pub core: Option<u16>,
    /// The chip, where it is hottest.
    pub hotspot: Option<u16>,
    /// The memory.
    pub memory: Option<u16>,
}

/// How loud a device is and how much it draws, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draw {
    /// Speed of its fan, in per cent.
    pub fan_percent: Option<u16>,
    /// Power of the board, in watts.
    pub watts: Option<u16>,
}

impl Observation {
    /// The guard that judges it.
    pub fn guard(&self) -> Guard {
        match self {
            Self::FullScreen(_) => Guard::FullScreen,
            Self::GpuUse { .. } => Guard::GpuUse,
            Self::Person(_) => Guard::Presence,
            Self::Programs(_) => Guard::Program,
            Self::Power(_) => Guard::Battery,
            Self::Heat { .. } => Guard::Heat,
            Self::Draw { .. } => Guard::Quiet,
            Self::Margin { .. } => Guard::Margin,
            Self::Metered(_) => Guard::Metered,
            Self::Disk { .. } => Guard::Disk,
        }
    }

    /// The one device that it is about; `None` for the whole machine.
    pub fn device(&self) -> Option<u32> {
        match self {
            Self::GpuUse { device, .. }
            | Self::Heat { device, .. }
            | Self::Draw { device, .. }
            | Self::Margin { device, .. } => Some(*device),
            Self::FullScreen(_)
            | Self::Person(_)
            | Self::Programs(_)
            | Self::Power(_)
            | Self::Metered(_)
            | Self::Disk { .. } => None,
        }
    }
}

/// What was seen means that a device must be free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why.
    pub trip: Trip,
    /// Until when, if nothing else is seen; `None` while it is seen.
    pub until: Option<UnixMillis>,
}

/// What came before what was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// What holds the device already. It holds it a little longer where a figure would else waver around its limit.
    pub held: Option<&'a ActiveTrip>,
    /// The device works as slowly as it can, and that has not helped for too long.
    pub strained: bool,
}

/// Why a device must be free under what was seen, if it must by these rules.
pub fn judge(rules: &GuardRules, seen: &Observation, before: Before<'_>) -> Option<Judgement> {
    let held = before.held;
    if !rules.wants(seen.guard()) {
        return None;
    }
    let mut until = None;
    let trip = match seen {
        Observation::FullScreen(by) => Trip::FullScreen { program: by.clone()?.program },
        Observation::GpuUse { device, by } => {
            let GpuUse { program, need } = by.clone()?;
            Trip::GpuUse { device: *device, program, need }
        }
        Observation::Person(person) => {
            if let Person::QuietSince(since) = person {
                let minutes = u64::from(rules.away_minutes?);
                until = Some(since.after(Duration::from_secs(60 * minutes)));
            }
            Trip::Presence
        }
        Observation::Programs(running) => {
            let runs = |listed: &&String| running.iter().any(|name| is_same_program(name, listed));
            Trip::Program { program: rules.programs.iter().find(runs)?.clone() }
        }
        Observation::Power(Power::Mains) => return None,
        Observation::Power(Power::Battery { percent }) => Trip::Battery { percent: *percent },
        Observation::Heat { device, at } => hot(rules, *device, *at, held)?,
        Observation::Draw { device, at } => loud(rules, *device, *at, before)?,
        Observation::Margin { device, at } => {
            let (trip, pays_again_at) = unpaid(rules, *device, at.as_ref()?, held)?;
            until = pays_again_at;
            trip
        }
        Observation::Metered(metered) => {
            if !metered {
                return None;
            }
            Trip::Metered
        }
        Observation::Disk { free_bytes } => {
            let needed = (u64::from(rules.disk_free_gib?) * GIB) as f64;
            let least = if held.is_some() { needed * DISK_CLEARS_ABOVE } else { needed };
            if *free_bytes as f64 >= least {
                return None;
            }
            Trip::Disk { free_bytes: *free_bytes }
        }
    };
    Some(Judgement { trip, until })
}

/// Whether two names are of the same program: as the system lists it, and as a person wrote it.
pub fn is_same_program(running: &str, listed: &str) -> bool {
    let bare = |name: &str| {
        let name = name.trim().to_lowercase();
        name.strip_suffix(".exe").map_or(name.clone(), str::to_owned)
    };
    bare(running) == bare(listed)
}

fn hot(rules: &GuardRules, device: u32, at: Temperatures, held: Option<&ActiveTrip>) -> Option<Trip> {
    let limits = rules.heat?;
    let sensors = [
        (HeatSensor::Core, at.core, limits.core),
        (HeatSensor::Hotspot, at.hotspot, limits.hotspot),
        (HeatSensor::Memory, at.memory, limits.memory),
    ];
    for (sensor, celsius, limit) in sensors {
        let Some(celsius) = celsius else { continue };
        match held.map(|held| &held.trip) {
            // As it was told first, so that a card that cools down is no news with every degree.
            Some(trip @ Trip::Heat { sensor: of, .. })
                if *of == sensor && celsius > limit.saturating_sub(HEAT_CLEARS_BELOW) =>
            {
                return Some(trip.clone());
            }
            _ if celsius >= limit => return Some(Trip::Heat { device, sensor, celsius }),
            _ => {}
        }
    }
    None
}

/// A device that was too loud is used again when it is so much quieter, in parts of the limit.
const QUIET_CLEARS_AT: f64 = 0.85;

fn loud(rules: &GuardRules, device: u32, at: Draw, before: Before<'_>) -> Option<Trip> {
    let limits = rules.quiet?;
    let places = [
        (Loudness::Fan, at.fan_percent, limits.fan_percent),
        (Loudness::Power, at.watts, limits.power_watts),
    ];
    for (much, value, limit) in places {
        let (Some(value), Some(limit)) = (value, limit) else { continue };
        match before.held.map(|held| &held.trip) {
            Some(trip @ Trip::Quiet { much: of, .. })
                if *of == much && f64::from(value) > f64::from(limit) * QUIET_CLEARS_AT =>
            {
                return Some(trip.clone());
            }
            _ if before.strained && value > limit => return Some(Trip::Quiet { device, much, value }),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn game() -> Observation {
        Observation::FullScreen(Some(FullScreen { program: Some("game".to_owned()) }))
    }

    /// Rules that want all guards.
    fn all() -> GuardRules {
        GuardRules {
            away_minutes: Some(5),
            programs: vec!["Blender".to_owned(), "obs".to_owned()],
            hours: Some(lull_types::WeekHours([1; 7])),
            margin_floor: Some(lull_types::BaseUnits(0)),
            quiet: Some(lull_types::QuietLimits {
                fan_percent: Some(40),
                power_watts: Some(100),
                ..lull_types::QuietLimits::default()
            }),
            data_cap: Some(lull_types::DataCaps {
                sent_gb: None,
                received_gb: None,
                both_gb: Some(30),
                month_day: 1,
            }),
            ..GuardRules::default()
        }
    }

    fn holding(held: &ActiveTrip) -> Before<'_> {
        Before { held: Some(held), strained: false }
    }

    /// Power for 1001, and what work brings.
    fn margin(gross: i64) -> Option<Margin> {
        Some(Margin { gross, power: 1001, power_measured: true, later: Vec::new() })
    }

    fn none() -> GuardRules {
        GuardRules {
            full_screen: false,
            gpu_use: false,
            away_minutes: None,
            programs: Vec::new(),
            hours: None,
            battery: false,
            heat: None,
            quiet: None,
            margin_floor: None,
            metered: false,
            data_cap: None,
            disk_free_gib: None,
        }
    }

    fn tripping() -> Vec<(Observation, Trip)> {
        let name = || Some("game".to_owned());
        vec![
            (game(), Trip::FullScreen { program: name() }),
            (
                Observation::GpuUse {
                    device: 1,
                    by: Some(GpuUse { program: name(), need: GpuNeed::Memory }),
                },
                Trip::GpuUse { device: 1, program: name(), need: GpuNeed::Memory },
            ),
            (Observation::Person(Person::Here), Trip::Presence),
            (
                Observation::Programs(vec!["x".to_owned(), "blender.exe".to_owned()]),
                Trip::Program { program: "Blender".to_owned() },
            ),
            (Observation::Power(Power::Battery { percent: Some(80) }), Trip::Battery { percent: Some(80) }),
            (
                Observation::Heat {
                    device: 1,
                    at: Temperatures { core: Some(83), ..Temperatures::default() },
                },
                Trip::Heat { device: 1, sensor: HeatSensor::Core, celsius: 83 },
            ),
            (
                Observation::Margin { device: 1, at: margin(1000) },
                Trip::Margin { device: 1, per_hour: -1, power_measured: true },
            ),
            (Observation::Metered(true), Trip::Metered),
            (Observation::Disk { free_bytes: 2 * GIB - 1 }, Trip::Disk { free_bytes: 2 * GIB - 1 }),
        ]
    }

    #[test]
    fn what_is_seen_trips_the_guards_that_are_wanted() {
        for (seen, trip) in tripping() {
            assert_eq!(
                judge(&all(), &seen, Before::default()),
                Some(Judgement { trip: trip.clone(), until: None })
            );
            assert_eq!(judge(&none(), &seen, Before::default()), None, "{seen:?}");
            assert_eq!((trip.guard(), trip.device()), (seen.guard(), seen.device()));
        }
        for guard in Guard::ALL {
            assert!(all().wants(guard) && !none().wants(guard));
        }
    }

    #[test]
    fn what_is_not_the_case_trips_nothing() {
        for seen in [
            Observation::FullScreen(None),
            Observation::GpuUse { device: 0, by: None },
            Observation::Programs(vec!["blenders".to_owned(), "exe".to_owned()]),
            Observation::Power(Power::Mains),
            Observation::Heat { device: 0, at: Temperatures::default() },
            Observation::Heat {
                device: 0,
                at: Temperatures { core: Some(82), hotspot: Some(99), memory: Some(99) },
            },
            Observation::Margin { device: 0, at: None },
            Observation::Margin { device: 0, at: margin(1001) },
            Observation::Metered(false),
            Observation::Disk { free_bytes: 2 * GIB },
        ] {
            assert_eq!(judge(&all(), &seen, Before::default()), None, "{seen:?}");
        }
    }

    #[test]
    fn a_person_who_was_here_counts_as_here_for_the_minutes_that_were_chosen() {
        let quiet = judge(&all(), &Observation::Person(Person::QuietSince(NOW)), Before::default()).unwrap();
        assert_eq!(quiet, Judgement { trip: Trip::Presence, until: Some(UnixMillis(NOW.0 + 300_000)) });
    }

    #[test]
    fn what_wavers_around_its_limit_is_held() {
        let heat = |core| Observation::Heat {
            device: 0,
            at: Temperatures { core: Some(core), hotspot: Some(90), memory: None },
        };
        let held = |seen| {
            let trip = judge(&all(), &seen, Before::default()).unwrap().trip;
            ActiveTrip { trip, since: NOW, until: None }
        };
        let hot = held(heat(85));
        // As hot as it was told first.
        assert_eq!(judge(&all(), &heat(76), holding(&hot)).unwrap().trip, hot.trip);
        assert_eq!(judge(&all(), &heat(75), holding(&hot)), None);
        // Another sensor is at its limit before the first has cooled down.
        let memory = Temperatures { core: Some(70), hotspot: None, memory: Some(104) };
        let trip = judge(&all(), &Observation::Heat { device: 0, at: memory }, holding(&hot)).unwrap().trip;
        assert_eq!(trip, Trip::Heat { device: 0, sensor: HeatSensor::Memory, celsius: 104 });

        let worth = |gross| Observation::Margin { device: 0, at: margin(gross) };
        let loss = held(worth(900));
        assert!(judge(&all(), &worth(1100), holding(&loss)).is_some());
        assert_eq!(judge(&all(), &worth(1101), holding(&loss)), None);

        let disk = |free_bytes| Observation::Disk { free_bytes };
        let full = held(disk(GIB));
        assert!(judge(&all(), &disk(2 * GIB + GIB / 8), holding(&full)).is_some());
        assert_eq!(judge(&all(), &disk(2 * GIB + GIB / 4), holding(&full)), None);
    }

    #[test]
    fn a_device_is_too_loud_only_where_working_slowly_does_not_help() {
        let at = |fan, watts| Observation::Draw {
            device: 1,
            at: Draw { fan_percent: Some(fan), watts: Some(watts) },
        };
        assert_eq!(judge(&all(), &at(90, 300), Before::default()), None);
        let strained = Before { held: None, strained: true };
        assert_eq!(judge(&all(), &at(40, 100), strained), None);
        let trip = judge(&all(), &at(40, 101), strained).unwrap().trip;
        assert_eq!(trip, Trip::Quiet { device: 1, much: Loudness::Power, value: 101 });
        let held = ActiveTrip { trip, since: NOW, until: None };
        assert!(judge(&all(), &at(0, 86), holding(&held)).is_some());
        assert_eq!(judge(&all(), &at(0, 85), holding(&held)), None);
    }
}
