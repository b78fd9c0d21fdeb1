//! The network's timed challenge. It takes a device as a task does, earns nothing, and is seldom: a network that asks
//! too often is told so.

use std::time::Duration;

use lull_types::{Fault, UnixMillis};

use super::Machine;
use super::device::Found;
use super::effect::Effect;
use super::id::{ChallengeId, LeaseId};
use super::input::ChallengeEnd;
use super::lease::Purpose;
use super::notice::NOTICE_REPEAT_AFTER;
use super::out::Out;

/// How long a device is left alone after a challenge that it answered. A challenge takes some seconds, so that a
/// network that wastes the device's time gets at most a hundredth of it. Another network may ask at once.
pub const CHALLENGE_PAUSE: Duration = Duration::from_secs(300);

/// Why a challenge is declined.
pub(super) fn not_now(why: &str) -> Fault {
    Fault::new("challenge_declined", format!("this device cannot be timed now: {why}"))
}

impl Machine {
    pub(super) fn on_challenge_asked(
        &mut self,
        challenge: ChallengeId,
        device: u32,
        now: UnixMillis,
        out: &mut Out,
    ) {
        match self.why_not_timed(device, now, out) {
            Some(why) => out.effect(Effect::DeclineChallenge { challenge, fault: not_now(why) }),
            None => {
                let id = LeaseId(self.next_id());
                let lease = self.leases.grant(id, device, Purpose::Challenge(challenge));
                out.effect(Effect::AnswerChallenge { lease, challenge });
            }
        }
    }

    fn why_not_timed(&mut self, number: u32, now: UnixMillis, out: &mut Out) -> Option<&'static str> {
        if !self.works() || !self.is_lent(number) {
            return Some("its contributor does not lend it");
        }
        if !self.is_clear(number) {
            return Some("its contributor needs it");
        }
        if self.waits_for_benchmark() || self.leases.occupies(number) {
            return Some("it is at work");
        }
        let network = self.network_id();
        let Some(device) = self.device(number) else {
            return Some("it is not there");
        };
        if !device.is_fit(now, out) {
            return Some("it failed a moment ago");
        }
        let of_this_network = device.timed.filter(|(by, _)| Some(*by) == network);
        if of_this_network.is_some_and(|(_, at)| now < at.after(CHALLENGE_PAUSE) && now >= at) {
            return Some("it was timed a moment ago");
        }
        None
    }

    /// What the network found.
    pub(super) fn on_timed(&mut self, number: u32, gigaflops: f64, memory_bytes: Option<u64>) {
        let network = self.network_id();
        if let Some(device) = self.device(number)
            && gigaflops.is_finite()
        {
            device.found = network.map(|network| (network, Found { gigaflops, memory_bytes }));
        }
    }

    /// The network found less than a device's benchmark says.
    pub(super) fn on_claim_lowered(&mut self, number: u32, reason: &Fault, now: UnixMillis, out: &mut Out) {
        let Some(device) = self.device(number) else { return };
        let sentence = format!("{}: {}", device.info.name, reason.sentence);
        // Every device of a machine is told of, but none twice within an hour.
        let recent = self
            .notices
            .iter()
            .any(|notice| notice.sentence == sentence && now < notice.at.after(NOTICE_REPEAT_AFTER));
        if !recent {
            self.notify(&reason.code, sentence, true, now, out);
        }
    }

    pub(super) fn on_challenge_ended(
        &mut self,
        lease: LeaseId,
        end: ChallengeEnd,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let Some(held) = self.leases.get(lease).copied() else { return };
        if !matches!(held.purpose, Purpose::Challenge(_)) || held.ended {
            return;
        }
        self.leases.ended(lease, now);
        let number = held.lease.device;
        match end {
            ChallengeEnd::Answered => {
                let network = self.network_id();
                if let Some(device) = self.device(number) {
                    device.worked();
                    device.timed = network.map(|network| (network, now));
                }
            }
            ChallengeEnd::BrokenOff => {}
            ChallengeEnd::DeviceFault(_) if held.revoked => {}
            ChallengeEnd::DeviceFault(fault) => self.on_device_loss(number, fault, now, out),
        }
    }
}
