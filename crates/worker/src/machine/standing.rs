//! Where a device stands without work, as the network tells it. It is for people alone: nothing is decided by it, and
//! none of it is believed to be sensible.

use std::time::Duration;

use lull_network_api as wire;
use lull_types::UnixMillis;
use lull_worker_api::{Counted, DeviceStanding, Exclusion, Withheld};

use super::Machine;
use super::device::Device;

/// Our own kinds have some ten characters; longer ones would push the rest of a line away.
const KIND_CHARS_MAX: usize = 40;
/// What is further away than a day is nothing to wait for. The network's own longest is an hour.
const AGAIN_MAX: Duration = Duration::from_secs(24 * 3600);

impl Machine {
    /// What the network last said of a device, while it would take work and has none.
    pub(super) fn standing(&self, device: &Device, now: UnixMillis) -> Option<DeviceStanding> {
        let index = device.info.index;
        let is_taken = self.tasks.iter().any(|task| task.device() == index && task.is_work());
        let would_work = self.is_lent(index)
            && device.fault().is_none()
            && !self.leases.occupies(index)
            && self.causes_of(index, now).is_empty();
        device.standing.clone().filter(|_| would_work && !is_taken)
    }

    /// The session ended, or is another one: nobody knows where devices stand.
    pub(super) fn forget_standings(&mut self) {
        for device in &mut self.devices {
            device.standing = None;
        }
    }

    /// No device stands anywhere without a session, or says more than is kept.
    pub(super) fn assert_standings(&self) {
        for device in &self.devices {
            let Some(standing) = &device.standing else { continue };
            assert!(self.link.up().is_some(), "nobody is in line without a session");
            assert!(standing.withheld.len() <= wire::WITHHELD_MAX, "a network cannot fill memory");
        }
    }
}

/// What a network said, as far as it makes sense: counts as far as they are counted, no group of nothing, kinds that
/// can be printed, waits of a day at most.
pub(super) fn heard(told: wire::Standing, now: UnixMillis) -> DeviceStanding {
    let wire::Standing { ahead, withheld } = told;
    let groups = withheld.into_iter().filter(|group| group.tasks > 0);
    let groups = groups.filter_map(|wire::Withheld { tasks, by }| {
        Some(Withheld { tasks: counted(tasks), by: exclusion(by, now)? })
    });
    DeviceStanding {
        told_at: now,
        ahead: ahead.map(counted),
        withheld: groups.take(wire::WITHHELD_MAX).collect(),
    }
}

fn counted(count: u32) -> Counted {
    Counted { count: count.min(wire::COUNTED_MAX), or_more: count >= wire::COUNTED_MAX }
}

/// None for a kind without a name, which would tell nobody anything.
fn exclusion(by: wire::Exclusion, now: UnixMillis) -> Option<Exclusion> {
    let again = |in_ms: u64| now.after(Duration::from_millis(in_ms).min(AGAIN_MAX));
    Some(match by {
        wire::Exclusion::NotEnrolled => Exclusion::NotEnrolled,
        wire::Exclusion::Kind(kind) => {
            let kind: String = kind.chars().filter(char::is_ascii_graphic).take(KIND_CHARS_MAX).collect();
            if kind.is_empty() {
                return None;
            }
            Exclusion::Kind { kind }
        }
        wire::Exclusion::NotMeasured => Exclusion::NotMeasured,
        wire::Exclusion::DeviceClass => Exclusion::DeviceClass,
        wire::Exclusion::BeingTimed => Exclusion::BeingTimed,
        wire::Exclusion::Refuted { again_in_ms } => Exclusion::Refuted { again_at: again(again_in_ms) },
        wire::Exclusion::FoundWrong => Exclusion::FoundWrong,
        wire::Exclusion::OwnReport => Exclusion::OwnReport,
        wire::Exclusion::TriedLately { again_in_ms } => {
            Exclusion::TriedLately { again_at: again(again_in_ms) }
        }
        wire::Exclusion::BackingOff { again_in_ms } => Exclusion::BackingOff { again_at: again(again_in_ms) },
    })
}
