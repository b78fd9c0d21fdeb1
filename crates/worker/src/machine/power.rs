//! Which boards are held to how much power by their own limits: where the contributor allows it, and only while they work.

use std::collections::{BTreeMap, BTreeSet};

use lull_types::{Coded, PowerLimit, UnixMillis};

use super::Machine;
use super::effect::Effect;
use super::lease::Purpose;
use super::out::Out;
use crate::power::PowerError;

/// What was asked for, and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct PowerLimits {
    /// The ceilings that are wanted now, by device, in watts.
    wanted: BTreeMap<u32, u16>,
    /// How each device stands, as it was last told.
    stands: BTreeMap<u32, PowerLimit>,
}

impl PowerLimits {
    /// How a device stands, if that is known.
    pub fn of(&self, device: u32) -> Option<&PowerLimit> {
        self.stands.get(&device)
    }

    /// How a device stands now. Where it is of no use to ask, it stays so: that a board has its own limit is what follows
    /// from it.
    pub fn stands(&mut self, device: u32, limit: PowerLimit) {
        if !(self.is_refused(device) && matches!(limit, PowerLimit::Own { .. })) {
            self.stands.insert(device, limit);
        }
    }

    /// What is wanted now, by device.
    pub fn wanted(&self) -> &BTreeMap<u32, u16> {
        &self.wanted
    }

    /// Whether it is of no use to ask again, until the contributor's leave is another.
    fn is_refused(&self, device: u32) -> bool {
        matches!(self.of(device), Some(PowerLimit::NotPermitted | PowerLimit::Unsupported))
    }
}

impl Machine {
    /// What the contributor lets boards be held to, in watts.
    fn allowed_watts(&self) -> Option<u16> {
        self.settings.guards.quiet.and_then(|limits| limits.power_limit_watts())
    }

    /// Compares what each board should be held to with what was asked for. What gives a board its own limit back comes
    /// before everything else: a game needs all of it as soon as it needs the device.
    pub(super) fn drive_power_limits(&mut self, out: &mut Out) {
        let allowed = self.allowed_watts();
        if allowed.is_none() {
            self.power_limits.stands.clear();
        }
        // Benchmarks and challenges measure the device as it is.
        let at_work: BTreeSet<u32> = self
            .leases
            .active()
            .filter(|held| matches!(held.purpose, Purpose::Run(_)))
            .map(|held| held.lease.device)
            .collect();
        for device in &self.devices {
            let index = device.info.index;
            let wish = allowed.filter(|_| at_work.contains(&index) && !self.power_limits.is_refused(index));
            if self.power_limits.wanted.get(&index).copied() == wish {
                continue;
            }
            let effect = Effect::PowerLimit { device: Box::new(device.info.clone()), ceiling_watts: wish };
            match wish {
                Some(watts) => {
                    self.power_limits.wanted.insert(index, watts);
                    out.effect(effect);
                }
                None => {
                    self.power_limits.wanted.remove(&index);
                    out.urgent(effect);
                }
            }
        }
        let limits = &self.power_limits;
        let is_lowered = |device: &u32| matches!(limits.of(*device), Some(PowerLimit::Lowered { .. }));
        self.policy.limited_by_board(limits.wanted.keys().copied().filter(is_lowered).collect());
    }

    /// A board's limit is so now, or cannot be changed.
    pub(super) fn on_power_limit(&mut self, device: u32, limit: PowerLimit, now: UnixMillis, out: &mut Out) {
        let of_use = self.allowed_watts().is_some();
        match &limit {
            PowerLimit::Lowered { .. } | PowerLimit::Own { .. } => {}
            PowerLimit::NotPermitted if of_use => self.tell_of_refusal(&PowerError::NotPermitted, now, out),
            PowerLimit::Unsupported if of_use => self.tell_of_refusal(&PowerError::Unsupported, now, out),
            PowerLimit::NotPermitted | PowerLimit::Unsupported => {}
            PowerLimit::Failed { fault } => self.notify_problem(&fault.clone(), now, out),
        }
        self.power_limits.stands(device, limit);
    }

    /// Tells once what will not change by itself: not again with the next start, as long as the notice is kept.
    fn tell_of_refusal(&mut self, error: &PowerError, now: UnixMillis, out: &mut Out) {
        let code = error.code();
        if !self.notices.iter().any(|notice| notice.code == code) {
            self.notify(code, error.to_string(), true, now, out);
        }
    }
}
