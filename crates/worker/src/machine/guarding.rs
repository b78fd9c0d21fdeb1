//! What the guards come to for each device, and what each of their trips cost.

use std::collections::{BTreeMap, BTreeSet};

use lull_guards::Stand;
use lull_types::{BaseUnits, Cause, Guard, GuardState, PauseUntil, Trip, UnixMillis};
use lull_worker_api::{GuardView, PauseFor};

use super::Machine;
use super::lease::Purpose;
use super::out::Out;
use super::record::{Pause, Record, TripCost};

/// Whether a device can be used as far as guards go, as of the last drive.
#[derive(Clone, Copy, Debug)]
struct Access {
    clear: bool,
    /// Whether what was begun may go on.
    lets_finish: bool,
    /// When it is clear, if that is known.
    clear_at: Option<UnixMillis>,
}

impl From<&Stand> for Access {
    fn from(stand: &Stand) -> Self {
        Self { clear: stand.is_clear(), lets_finish: stand.lets_finish(), clear_at: stand.clear_at }
    }
}

/// A trip that costs something now.
#[derive(Clone, Debug, PartialEq)]
struct OpenTrip {
    trip: Trip,
    since: UnixMillis,
    cost: TripCost,
}

/// What the guards came to in the last drive.
#[derive(Clone, Debug)]
pub(super) struct Guarding {
    /// What holds whichever device.
    everywhere: Access,
    devices: BTreeMap<u32, Access>,
    /// Since when every device is held that could work.
    pub yielding_since: Option<UnixMillis>,
    open: BTreeMap<(Guard, Option<u32>), OpenTrip>,
}

impl Default for Guarding {
    fn default() -> Self {
        let everywhere = Access { clear: true, lets_finish: true, clear_at: None };
        Self { everywhere, devices: BTreeMap::new(), yielding_since: None, open: BTreeMap::new() }
    }
}

impl Machine {
    pub(super) fn drive_guards(&mut self, now: UnixMillis, out: &mut Out) {
        self.policy.pass(now);
        let everywhere = self.policy.stand(None, now);
        let numbers: Vec<u32> = self.devices.iter().map(|device| device.info.index).collect();
        let stands: Vec<_> =
            numbers.into_iter().map(|number| (number, self.policy.stand(Some(number), now))).collect();
        for stand in stands.iter().map(|(_, stand)| stand).chain([&everywhere]) {
            if let Some(changes_at) = stand.changes_at {
                out.due(changes_at, now);
            }
        }
        if let Some(look_at) = self.policy.look_again_at() {
            out.due(look_at, now);
        }
        self.guarding.everywhere = Access::from(&everywhere);
        self.guarding.devices = stands.iter().map(|(number, stand)| (*number, Access::from(stand))).collect();
        if !self.yields() {
            self.guarding.yielding_since = None;
        } else if self.guarding.yielding_since.is_none() {
            self.guarding.yielding_since = Some(now);
        }
        self.drive_trips(now, out);
        let policy = &self.policy;
        self.leases.set_paces(|device| policy.pace(device), out);
    }

    /// Whether guards hold every device that could work.
    fn yields(&self) -> bool {
        let mut could_work = self
            .devices
            .iter()
            .filter(|device| device.set_aside.is_none() && self.is_lent(device.info.index))
            .peekable();
        let none_left =
            could_work.peek().is_some() && could_work.all(|device| !self.is_clear(device.info.index));
        !self.guarding.everywhere.clear || none_left
    }

    fn access(&self, device: u32) -> Access {
        self.guarding.devices.get(&device).copied().unwrap_or(self.guarding.everywhere)
    }

    /// Whether no guard holds a device free.
    pub(super) fn is_clear(&self, device: u32) -> bool {
        self.access(device).clear
    }

    /// Whether what was begun on a device may go on: no guard holds it free, or only one that holds back new work.
    pub(super) fn may_go_on(&self, device: u32) -> bool {
        self.access(device).lets_finish
    }

    /// Whether a guard holds a device free until `instant` at least, as far as is known.
    pub(super) fn is_held_until(&self, device: u32, instant: UnixMillis) -> bool {
        let access = self.access(device);
        !access.clear && access.clear_at.is_none_or(|clear_at| clear_at >= instant)
    }

    /// Whether work on a device is not worth its power to the contributor.
    pub(super) fn costs_more_than_it_brings(&self, device: u32, now: UnixMillis) -> bool {
        let is_margin =
            |cause: &Cause| matches!(cause, Cause::Guard(held) if held.trip.guard() == Guard::Margin);
        self.causes_of(device, now).iter().any(is_margin)
    }

    /// Why one device is held free.
    pub(super) fn causes_of(&self, device: u32, now: UnixMillis) -> Vec<Cause> {
        self.policy.stand(Some(device), now).causes
    }

    /// Why no device can be used: what holds all of them, then what holds each. Of several delays the one that ends
    /// first, with which work goes on.
    pub(super) fn causes(&self, now: UnixMillis) -> Vec<Cause> {
        let lent = self.devices.iter().map(|device| device.info.index).filter(|index| self.is_lent(*index));
        let scopes = [None].into_iter().chain(lent.map(Some));
        let mut causes: Vec<Cause> = Vec::new();
        let mut delay: Option<UnixMillis> = None;
        for cause in scopes.flat_map(|scope| self.policy.stand(scope, now).causes) {
            match cause {
                Cause::ResumeDelay { until } => {
                    delay = Some(delay.map_or(until, |before| before.min(until)));
                }
                Cause::Paused { .. } | Cause::Guard(_) if causes.contains(&cause) => {}
                Cause::Paused { .. } | Cause::Guard(_) => causes.push(cause),
            }
        }
        causes.extend(delay.map(|until| Cause::ResumeDelay { until }));
        causes
    }

    pub(super) fn guard_views(&self, now: UnixMillis) -> Vec<GuardView> {
        self.policy.guards(now).map(|(guard, stand)| GuardView { guard, stand }).collect()
    }

    pub(super) fn pause(&mut self, duration: PauseFor, device: Option<u32>, now: UnixMillis, out: &mut Out) {
        let until = match duration {
            PauseFor::Minutes(minutes) => {
                PauseUntil::Instant(now.after(std::time::Duration::from_secs(u64::from(minutes) * 60)))
            }
            PauseFor::UntilRestart => PauseUntil::Restart,
            PauseFor::UntilResumed => PauseUntil::Resumed,
        };
        self.policy.pause(device, until);
        let waits = self.benchmark.wanted.is_some_and(|wanted| device.is_none_or(|of| of == wanted.device));
        if waits {
            self.benchmark.wanted = None;
        }
        out.record(Record::Pauses(self.kept_pauses(now)));
    }

    pub(super) fn resume(&mut self, device: Option<u32>, now: UnixMillis, out: &mut Out) {
        self.policy.resume(device, now);
        out.record(Record::Pauses(self.kept_pauses(now)));
        // A person who resumes wants to see work, not the rest of a back-off.
        self.hurry(now);
    }

    /// The pauses that outlast a restart.
    pub(super) fn kept_pauses(&self, now: UnixMillis) -> Vec<Pause> {
        let kept = |(_, until): &(_, PauseUntil)| match until {
            PauseUntil::Instant(_) | PauseUntil::Resumed => true,
            PauseUntil::Restart => false,
        };
        self.policy.pauses(now).filter(kept).map(|(device, until)| Pause { device, until }).collect()
    }

    /// Runs that guards break off now: what they cost is told with the trip that breaks them off. Called before their
    /// leases are taken back.
    pub(super) fn count_interrupted(&mut self) {
        let interrupted: Vec<_> = self
            .leases
            .active()
            .filter(|held| !self.may_go_on(held.lease.device))
            .filter_map(|held| match held.purpose {
                Purpose::Run(assignment) => Some((held.lease.device, assignment)),
                Purpose::Benchmark | Purpose::Challenge(_) => None,
            })
            .collect();
        for (device, assignment) in interrupted {
            let done = self.task(assignment).map(|task| {
                let share = f64::from(task.fraction.clamp(0.0, 1.0));
                BaseUnits((task.open.assignment.price.0 as f64 * share) as u64)
            });
            let concerned = |(_, of): &(Guard, Option<u32>)| of.is_none_or(|of| of == device);
            // Where several trips hold a device, the run is told with one.
            if let Some((_, open)) = self.guarding.open.iter_mut().find(|(key, _)| concerned(key)) {
                open.cost.interrupted += 1;
                open.cost.lost = BaseUnits(open.cost.lost.0.saturating_add(done.unwrap_or_default().0));
            }
        }
    }

    /// What was believed to be written down was not.
    pub(super) fn forget_trips(&mut self) {
        self.guarding.open.clear();
    }

    /// Keeps when guards held devices free while work was wanted.
    fn drive_trips(&mut self, now: UnixMillis, out: &mut Out) {
        if self.journal_fault.is_some() {
            return;
        }
        let wanted = self.works() && self.network.is_some();
        let active: BTreeMap<_, _> = self
            .policy
            .guards(now)
            .filter(|_| wanted)
            .flat_map(|(_, state)| match state {
                GuardState::Tripped { trips } => trips,
                GuardState::Off | GuardState::Unwatched | GuardState::Clear => Vec::new(),
            })
            .map(|held| ((held.trip.guard(), held.trip.device()), held.trip))
            .collect();
        let over: BTreeSet<_> =
            self.guarding.open.keys().filter(|key| !active.contains_key(key)).copied().collect();
        for key in over {
            if let Some(OpenTrip { trip, since, cost }) = self.guarding.open.remove(&key) {
                out.record(Record::TripEnded { trip, since, until: now.max(since), cost });
            }
        }
        for (key, trip) in active {
            self.guarding.open.entry(key).or_insert_with(|| {
                out.record(Record::TripBegan { trip: trip.clone(), since: now });
                OpenTrip { trip, since: now, cost: TripCost::default() }
            });
        }
    }
}
