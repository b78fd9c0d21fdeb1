//! What the machine runs on, as
//! [`IOPSCopyPowerSourcesInfo`](https://developer.apple.com/documentation/iokit/1523839-iopscopypowersourcesinfo) tells it.

use std::time::Duration;

use lull_types::Guard;
use objc2_core_foundation::{CFRetained, CFType};
use objc2_io_kit::{IOPSCopyPowerSourcesInfo, IOPSCopyPowerSourcesList, IOPSGetPowerSourceDescription};

use super::foundation::value;
use crate::probes::apple::{Value, power::power};
use crate::{Observation, Power, Probe, ProbeError, Watch};

/// A plug that is pulled costs a minute of a battery's work in two seconds at most; the system wakes only who runs a loop of
/// its events.
const INTERVAL: Duration = Duration::from_secs(2);

/// How often it is looked for whether there is a battery now, where there was none.
const INTERVAL_WITHOUT: Duration = Duration::from_secs(60);

/// The probe.
#[derive(Debug, Default)]
pub(super) struct Battery {
    told: Option<Power>,
}

impl Probe for Battery {
    fn guard(&self) -> Guard {
        Guard::Battery
    }

    fn next(&mut self, _watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let found = power(&sources());
            let runs_on = found.unwrap_or(Power::Mains);
            if self.told != Some(runs_on) {
                self.told = Some(runs_on);
                return Ok(Observation::Power(runs_on));
            }
            std::thread::sleep(if found.is_some() { INTERVAL } else { INTERVAL_WITHOUT });
        }
    }
}

/// Descriptions of all power sources; none where there are none but the mains.
fn sources() -> Vec<Value> {
    let Some(info) = IOPSCopyPowerSourcesInfo() else { return Vec::new() };
    #[allow(unsafe_code, reason = "power sources are only told by IOKit")]
    // SAFETY: the information is what the call above gave, and lives through both calls; the list is one of objects that are
    // handed back as they are, and what is told of each is kept before any of that is given back.
    let descriptions: Vec<CFRetained<_>> = unsafe {
        let Some(list) = IOPSCopyPowerSourcesList(Some(&info)) else { return Vec::new() };
        let list = list.cast_unchecked::<CFType>();
        list.iter().filter_map(|source| IOPSGetPowerSourceDescription(Some(&info), Some(&source))).collect()
    };
    descriptions.iter().map(|description| value(description)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells() {
        assert!(matches!(Battery::default().next(&Watch::default()), Ok(Observation::Power(_))));
    }
}
