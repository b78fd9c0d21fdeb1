//! What an hour of a device's work would leave, and whether that is worth it.

use lull_types::{ActiveTrip, GuardRules, Trip, UnixMillis};

/// A device that was not worth its power is used again when work brings more than is wanted by this part of its power, as
/// prices go up and down with every task.
const CLEARS_ABOVE: i64 = 10;

/// What an hour of a device's work brings, and the power that it takes, in base units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Margin {
    /// What it brings.
    pub gross: i64,
    /// What its power costs; below zero where whoever takes power is paid for it.
    pub power: i64,
    /// Whether the power was measured.
    pub power_measured: bool,
    /// What its power costs later, where that is known to change; in order of time.
    pub later: Vec<LaterPower>,
}

/// What an hour's power costs from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterPower {
    /// From then.
    pub from: UnixMillis,
    /// What it costs, in base units.
    pub power: i64,
}

/// Why a device must be free for what its work would leave, if it must, and when work is known to pay again.
pub(crate) fn unpaid(
    rules: &GuardRules,
    device: u32,
    margin: &Margin,
    held: Option<&ActiveTrip>,
) -> Option<(Trip, Option<UnixMillis>)> {
    let floor = i64::try_from(rules.margin_floor?.0).unwrap_or(i64::MAX);
    let left = |power: i64| margin.gross.saturating_sub(power);
    let pays = |power: i64, is_held: bool| {
        let ease = if is_held { power.max(0) / CLEARS_ABOVE } else { 0 };
        left(power) >= floor.saturating_add(ease)
    };
    if pays(margin.power, held.is_some()) {
        return None;
    }
    // As strict as for a device that is held, so that it is not held again as soon as it is free.
    let again = margin.later.iter().find(|later| pays(later.power, true)).map(|later| later.from);
    let trip = Trip::Margin { device, per_hour: left(margin.power), power_measured: margin.power_measured };
    Some((trip, again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::BaseUnits;

    fn check(margin: &Margin, held: bool) -> Option<(i64, Option<u64>)> {
        let rules = GuardRules { margin_floor: Some(BaseUnits(10)), ..GuardRules::default() };
        let trip = Trip::Margin { device: 1, per_hour: 0, power_measured: true };
        let active = ActiveTrip { trip, since: UnixMillis(0), until: None };
        let (trip, again) = unpaid(&rules, 1, margin, held.then_some(&active))?;
        let Trip::Margin { per_hour, .. } = trip else { panic!("{trip:?}") };
        Some((per_hour, again.map(|at| at.0)))
    }

    #[test]
    fn what_later_power_costs_tells_when_work_pays_again() {
        let later = |steps: &[(u64, i64)]| {
            steps.iter().map(|(from, power)| LaterPower { from: UnixMillis(*from), power: *power }).collect()
        };
        let margin = |power, steps: &[(u64, i64)]| Margin {
            gross: 100,
            power,
            power_measured: true,
            later: later(steps),
        };
        assert_eq!(check(&margin(90, &[(5, 200)]), false), None);
        assert_eq!(check(&margin(91, &[]), false), Some((9, None)));
        assert_eq!(check(&margin(95, &[(5, 99), (6, 92)]), false), Some((5, None)));
        // 85 would do for a device that works; one that is held is held up to 81, which leaves 10 and a tenth of 81.
        assert_eq!(check(&margin(95, &[(5, 99), (6, 85), (7, 81), (8, 1)]), false), Some((5, Some(7))));
        assert_eq!(check(&margin(85, &[(7, 81)]), true), Some((15, Some(7))));
        assert_eq!(check(&margin(81, &[]), true), None);
        // Who is paid for taking power needs no more than is wanted.
        assert_eq!(check(&margin(120, &[(7, -50)]), true), Some((-20, Some(7))));
    }
}
