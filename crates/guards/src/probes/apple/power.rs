//! What a Mac runs on, by the descriptions of its
//! [power sources](https://developer.apple.com/documentation/iokit/iopowersources_h).

use super::Value;
use crate::Power;

const KIND: &str = "Type";
/// The machine's own battery; others are those of what keeps a machine running when the mains fail.
const OWN_BATTERY: &str = "InternalBattery";
const IS_PRESENT: &str = "Is Present";
const STATE: &str = "Power Source State";
/// It gives power now.
const DISCHARGING: &str = "Battery Power";
/// How full it is, and how full it can be, in the same unit.
const CURRENT: &str = "Current Capacity";
const MAX: &str = "Max Capacity";

/// What the machine runs on, by the descriptions of all sources; `None` where it has no battery.
pub(in crate::probes) fn power(sources: &[Value]) -> Option<Power> {
    let mut has_battery = false;
    let mut discharges = false;
    let mut percent = None;
    for source in sources {
        if source.text(KIND) != Some(OWN_BATTERY) || source.truth(IS_PRESENT) == Some(false) {
            continue;
        }
        has_battery = true;
        discharges |= source.text(STATE) == Some(DISCHARGING);
        let full = source.number(CURRENT).zip(source.number(MAX)).filter(|(_, max)| *max > 0.0);
        percent =
            percent.max(full.map(|(current, max)| (current / max * 100.0).round().clamp(0.0, 100.0) as u8));
    }
    has_battery.then_some(if discharges { Power::Battery { percent } } else { Power::Mains })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{table, text};
    use super::*;

    fn battery(state: &str, current: i64, max: i64) -> Value {
        table(&[
            (KIND, text(OWN_BATTERY)),
            (IS_PRESENT, Value::Truth(true)),
            (STATE, text(state)),
            (CURRENT, Value::Whole(current)),
            (MAX, Value::Whole(max)),
        ])
    }

    #[test]
    fn a_battery_that_discharges_is_what_the_machine_runs_on() {
        let on_battery = |percent| Some(Power::Battery { percent });
        assert_eq!(power(&[]), None);
        assert_eq!(power(&[Value::Other, table(&[])]), None);
        assert_eq!(power(&[battery("AC Power", 80, 100)]), Some(Power::Mains));
        assert_eq!(power(&[battery("Battery Power", 80, 100)]), on_battery(Some(80)));
        assert_eq!(power(&[battery("Battery Power", 4000, 5000)]), on_battery(Some(80)));
        assert_eq!(power(&[battery("Battery Power", 7, 0)]), on_battery(None));
        assert_eq!(power(&[battery("Battery Power", 120, 100)]), on_battery(Some(100)));
        let for_outages = table(&[(KIND, text("UPS")), (STATE, text(DISCHARGING))]);
        assert_eq!(power(&[for_outages]), None);
        let taken_out = table(&[(KIND, text(OWN_BATTERY)), (IS_PRESENT, Value::Truth(false))]);
        assert_eq!(power(&[taken_out]), None);
        let unknown = table(&[(KIND, text(OWN_BATTERY)), (STATE, text(DISCHARGING))]);
        assert_eq!(power(&[unknown]), on_battery(None));
    }
}
