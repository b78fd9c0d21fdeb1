//! What the machine runs on, as the kernel tells it
//! ([power_supply](https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-power)).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lull_types::Guard;

use crate::{Observation, Power, Probe, ProbeError, Watch};

const FOLDER: &str = "/sys/class/power_supply";

/// A plug that is pulled costs a minute of a battery's work in two seconds at most; the kernel wakes only who speaks
/// its netlink for it.
const INTERVAL: Duration = Duration::from_secs(2);

/// How often it is looked for whether there is a battery now, where there was none.
const INTERVAL_WITHOUT: Duration = Duration::from_secs(60);

/// The probe.
#[derive(Debug)]
pub(super) struct Battery {
    folder: PathBuf,
    told: Option<Power>,
}

impl Battery {
    pub fn new() -> Self {
        Self::of(PathBuf::from(FOLDER))
    }

    fn of(folder: PathBuf) -> Self {
        Self { folder, told: None }
    }
}

impl Probe for Battery {
    fn guard(&self) -> Guard {
        Guard::Battery
    }

    fn next(&mut self, _watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let read = read(&self.folder);
            let power = read.unwrap_or(Power::Mains);
            if self.told != Some(power) {
                self.told = Some(power);
                return Ok(Observation::Power(power));
            }
            std::thread::sleep(if read.is_some() { INTERVAL } else { INTERVAL_WITHOUT });
        }
    }
}

fn supplies(folder: &Path) -> impl Iterator<Item = PathBuf> {
    // Without the folder there is nothing that is supplied.
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn field(supply: &Path, name: &str) -> Option<String> {
    fs::read_to_string(supply.join(name)).ok().map(|text| text.trim().to_owned())
}

/// Whether this supply is a battery of the machine itself, and not of a mouse.
fn is_battery(supply: &Path) -> bool {
    field(supply, "type").as_deref() == Some("Battery") && field(supply, "scope").as_deref() != Some("Device")
}

/// What the machine runs on; `None` where it has no battery. On its battery is who discharges one. A machine with several
/// goes by the fullest.
fn read(folder: &Path) -> Option<Power> {
    let mut has_battery = false;
    let mut discharging = false;
    let mut percent = None;
    for supply in supplies(folder).filter(|supply| is_battery(supply)) {
        has_battery = true;
        discharging |= field(&supply, "status").as_deref() == Some("Discharging");
        let full = field(&supply, "capacity").and_then(|text| text.parse::<u8>().ok());
        percent = percent.max(full.map(|full| full.min(100)));
    }
    // A mains adapter that is online while a battery discharges is too weak for the load, and the battery empties.
    has_battery.then_some(if discharging { Power::Battery { percent } } else { Power::Mains })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(folder: &Path, name: &str, fields: &[(&str, &str)]) {
        let path = folder.join(name);
        fs::create_dir_all(&path).unwrap();
        for (name, value) in fields {
            fs::write(path.join(name), format!("{value}\n")).unwrap();
        }
    }

    #[test]
    fn a_battery_that_discharges_is_what_the_machine_runs_on() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let check = |power| assert_eq!(read(at), Some(power));
        assert_eq!(read(at), None);
        supply(at, "AC", &[("type", "Mains"), ("online", "1")]);
        supply(
            at,
            "hidpp_battery_0",
            &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging"), ("capacity", "12")],
        );
        assert_eq!(read(at), None, "a mouse has one");
        supply(at, "BAT0", &[("type", "Battery"), ("status", "Charging"), ("capacity", "50")]);
        check(Power::Mains);
        supply(at, "BAT0", &[("status", "Discharging")]);
        check(Power::Battery { percent: Some(50) });
        supply(at, "BAT1", &[("type", "Battery"), ("status", "Full"), ("capacity", "100")]);
        check(Power::Battery { percent: Some(100) });
        for text in ["x", "-1", "300", ""] {
            supply(at, "BAT1", &[("capacity", text)]);
            check(Power::Battery { percent: Some(50) });
        }
        fs::remove_file(at.join("BAT0/capacity")).unwrap();
        check(Power::Battery { percent: None });
    }

    #[test]
    fn a_change_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        supply(folder.path(), "BAT0", &[("type", "Battery"), ("status", "Discharging"), ("capacity", "50")]);
        let mut probe = Battery::of(folder.path().to_owned());
        assert_eq!(
            probe.next(&Watch::default()),
            Ok(Observation::Power(Power::Battery { percent: Some(50) }))
        );
        supply(folder.path(), "BAT0", &[("status", "Charging")]);
        assert_eq!(probe.next(&Watch::default()), Ok(Observation::Power(Power::Mains)));
    }
}
