//! Leases: who may use which device, and how that right is taken back in time.

use std::time::Duration;

use lull_types::{AssignmentId, UnixMillis};

use super::effect::Effect;
use super::id::{ChallengeId, Lease, LeaseId};
use super::out::Out;

/// From the event that trips a guard until the GPU is free, its memory included. A quarter of a second passes
/// as a hitch; longer is felt as a stutter.
pub const YIELD_DEADLINE: Duration = Duration::from_millis(250);

/// How long a runtime may take to follow a cancel before it is killed. A slice takes up to 100 ms and then the
/// process ends; what remains of [`YIELD_DEADLINE`] is for the operating system to kill and reap it.
pub const CANCEL_GRACE: Duration = Duration::from_millis(150);

/// How long a runtime may take to end by itself after its work is done. Nobody waits for the GPU then, and
/// drivers take up to a second to unload.
pub const END_GRACE: Duration = Duration::from_secs(3);

/// What a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Benchmark,
    Challenge(ChallengeId),
    Run(AssignmentId),
}

/// Whether a lease's holder may still use the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It may.
    Active,
    /// It was told to stop, or has ended by itself; its process is killed at `kill_at`.
    Ending { since: UnixMillis, kill_at: UnixMillis },
    /// Its process was told to die.
    Killed { since: UnixMillis },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub lease: Lease,
    pub purpose: Purpose,
    pub hold: Hold,
    /// Whether the machine took it back, as opposed to its work having ended.
    pub revoked: bool,
    /// Whether its benchmark or run was told to have ended.
    pub ended: bool,
    /// The pace that its process was told, in per cent of the time.
    pub pace: u8,
}

/// All leases whose processes are not known to be gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    held: Vec<Held>,
}

impl Leases {
    pub fn grant(&mut self, id: LeaseId, device: u32, purpose: Purpose) -> Lease {
        let lease = Lease { id, device };
        self.held.push(Held { lease, purpose, hold: Hold::Active, revoked: false, ended: false, pace: 100 });
        lease
    }

    pub fn get(&self, id: LeaseId) -> Option<&Held> {
        self.held.iter().find(|held| held.lease.id == id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a process may still hold this device.
    pub fn occupies(&self, device: u32) -> bool {
        self.held.iter().any(|held| held.lease.device == device)
    }

    /// Leases whose holders may use their devices.
    pub fn active(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| held.hold == Hold::Active)
    }

    /// Takes a lease back: cancel now, kill if that is not enough.
    pub fn revoke(&mut self, id: LeaseId, now: UnixMillis, out: &mut Out) {
        let Some(held) = self.held.iter_mut().find(|held| held.lease.id == id) else { return };
        match held.hold {
            Hold::Active => {
                held.revoked = true;
                held.hold = Hold::Ending { since: now, kill_at: now.after(CANCEL_GRACE) };
                out.urgent(Effect::Cancel { lease: id });
            }
            // It ends by itself, but leisurely: now it is in a hurry.
            Hold::Ending { since, kill_at } if !held.revoked => {
                held.revoked = true;
                held.hold = Hold::Ending { since, kill_at: kill_at.min(now.after(CANCEL_GRACE)) };
            }
            Hold::Ending { .. } | Hold::Killed { .. } => {}
        }
    }

    /// Takes a lease back by killing its process at once.
    pub fn kill(&mut self, id: LeaseId, now: UnixMillis, out: &mut Out) {
        let Some(held) = self.held.iter_mut().find(|held| held.lease.id == id) else { return };
        if !matches!(held.hold, Hold::Killed { .. }) {
            held.revoked = true;
            held.hold = Hold::Killed { since: now };
            out.urgent(Effect::Kill { lease: id });
        }
    }

    /// The holder's work has ended; its process is about to.
    pub fn ended(&mut self, id: LeaseId, now: UnixMillis) {
        if let Some(held) = self.held.iter_mut().find(|held| held.lease.id == id) {
            held.ended = true;
            if held.hold == Hold::Active {
                held.hold = Hold::Ending { since: now, kill_at: now.after(END_GRACE) };
            }
        }
    }

    /// The process is gone.
    pub fn freed(&mut self, id: LeaseId) -> Option<Held> {
        let position = self.held.iter().position(|held| held.lease.id == id)?;
        Some(self.held.remove(position))
    }

    /// Has each run work as fast as its device may.
    pub fn set_paces(&mut self, pace_of: impl Fn(u32) -> u8, out: &mut Out) {
        for held in &mut self.held {
            let pace = pace_of(held.lease.device);
            let runs = held.hold == Hold::Active && matches!(held.purpose, Purpose::Run(_));
            if runs && held.pace != pace {
                held.pace = pace;
                out.effect(Effect::Pace { lease: held.lease.id, percent: pace });
            }
        }
    }

    /// Kills what had time enough to end.
    pub fn enforce(&mut self, now: UnixMillis, out: &mut Out) {
        for held in &mut self.held {
            // A clock that was set back in the meantime must not keep the GPU from a person.
            if let Hold::Ending { since, kill_at } = held.hold
                && (now < since || out.due(kill_at, now))
            {
                held.hold = Hold::Killed { since: now };
                out.urgent(Effect::Kill { lease: held.lease.id });
            }
        }
    }
}
