//! What probes see, and what it means under the contributor's rules.

use lull_types::{Guard, GuardRules, Trip};

/// What a probe saw. It is a fact about the machine; whether the GPU must be free for it is [`judge`]'s to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Which program fills a screen that can be seen, if one does.
    FullScreen(Option<FullScreen>),
    /// What the machine runs on.
    Power(Power),
}

/// A program that fills a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullScreen {
    /// Its name, where the desktop tells it.
    pub program: Option<String>,
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

impl Observation {
    /// The guard that judges it.
    pub fn guard(&self) -> Guard {
        match self {
            Self::FullScreen(_) => Guard::FullScreen,
            Self::Power(_) => Guard::Battery,
        }
    }
}

/// Why the GPU must be free under what was seen, if it must by these rules.
pub fn judge(rules: &GuardRules, seen: &Observation) -> Option<Trip> {
    if !rules.wants(seen.guard()) {
        return None;
    }
    match seen {
        Observation::FullScreen(program) => {
            program.as_ref().map(|FullScreen { program }| Trip::FullScreen { program: program.clone() })
        }
        Observation::Power(Power::Battery { percent }) => Some(Trip::Battery { percent: *percent }),
        Observation::Power(Power::Mains) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_trips_the_guards_that_are_wanted() {
        let game = Observation::FullScreen(Some(FullScreen { program: Some("game".to_owned()) }));
        let battery = Observation::Power(Power::Battery { percent: Some(80) });
        let all = GuardRules::default();
        let check =
            |rules: &GuardRules, seen: &Observation, trip| assert_eq!(judge(rules, seen), trip, "{seen:?}");
        check(&all, &game, Some(Trip::FullScreen { program: Some("game".to_owned()) }));
        check(&all, &battery, Some(Trip::Battery { percent: Some(80) }));
        check(&all, &Observation::FullScreen(None), None);
        check(&all, &Observation::Power(Power::Mains), None);
        let none = GuardRules { full_screen: false, battery: false };
        check(&none, &game, None);
        check(&none, &battery, None);
        for guard in Guard::ALL {
            assert!(all.wants(guard) && !none.wants(guard));
        }
    }

    #[test]
    fn a_trip_names_the_guard_whose_observation_it_was() {
        let seen = [
            Observation::FullScreen(Some(FullScreen { program: None })),
            Observation::Power(Power::Battery { percent: None }),
        ];
        for seen in seen {
            assert_eq!(judge(&GuardRules::default(), &seen).map(|trip| trip.guard()), Some(seen.guard()));
        }
    }

    #[test]
    fn rules_of_an_older_file_want_what_they_do_not_name() {
        assert_eq!(serde_json::from_str::<GuardRules>("{}").unwrap(), GuardRules::default());
        let quiet: GuardRules = serde_json::from_str(r#"{"battery":false}"#).unwrap();
        assert_eq!(quiet, GuardRules { battery: false, ..GuardRules::default() });
    }
}
