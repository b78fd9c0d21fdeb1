//! What the machine runs on, as
//! [`GetSystemPowerStatus`](https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-getsystempowerstatus) tells it.

use std::time::Duration;

use lull_types::Guard;
use windows_sys::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};

use crate::{Observation, Power, Probe, ProbeError, Watch};

/// A plug that is pulled costs a minute of a battery's work in two seconds at most; the system wakes only windows for it.
const INTERVAL: Duration = Duration::from_secs(2);

/// `ACLineStatus`: the machine runs on its battery.
const OFFLINE: u8 = 0;
/// `BatteryFlag`: there is none.
const NO_BATTERY: u8 = 128;

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
            let power = read()?;
            if self.told != Some(power) {
                self.told = Some(power);
                return Ok(Observation::Power(power));
            }
            std::thread::sleep(INTERVAL);
        }
    }
}

fn read() -> Result<Power, ProbeError> {
    let mut status = SYSTEM_POWER_STATUS::default();
    #[allow(unsafe_code, reason = "what a machine runs on is only told by the Win32 interface")]
    // SAFETY: the pointer is to a structure of the type that is filled in, which lives through the call.
    let told = unsafe { GetSystemPowerStatus(&raw mut status) };
    if told == 0 {
        return Err(ProbeError::new("what this machine runs on", std::io::Error::last_os_error()));
    }
    Ok(judge(&status))
}

fn judge(status: &SYSTEM_POWER_STATUS) -> Power {
    // 255 stands for what is not known, in each of the fields.
    if status.ACLineStatus != OFFLINE || status.BatteryFlag & NO_BATTERY != 0 && status.BatteryFlag != u8::MAX
    {
        return Power::Mains;
    }
    Power::Battery { percent: Some(status.BatteryLifePercent).filter(|percent| *percent <= 100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_battery() {
        let check = |line, flag, percent, power| {
            let status = SYSTEM_POWER_STATUS {
                ACLineStatus: line,
                BatteryFlag: flag,
                BatteryLifePercent: percent,
                ..SYSTEM_POWER_STATUS::default()
            };
            assert_eq!(judge(&status), power, "{line} {flag} {percent}");
        };
        check(1, 8, 80, Power::Mains);
        check(0, 1, 80, Power::Battery { percent: Some(80) });
        check(0, 255, 255, Power::Battery { percent: None });
        check(0, 128, 255, Power::Mains);
        check(255, 1, 80, Power::Mains);
    }

    #[test]
    fn this_machine_tells() {
        assert!(matches!(Battery::default().next(&Watch::default()), Ok(Observation::Power(_))));
    }
}
