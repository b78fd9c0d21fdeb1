//! What Linux tells of the power of the processor's package, by RAPL's counters of energy: the kernel's
//! `Documentation/power/powercap/powercap.rst`. They can be read by root alone on most systems, as energy tells what is
//! computed; nothing is known then.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

/// For how long is waited for a second look where there was none lately. The counters rise each millisecond.
const LOOK: Duration = Duration::from_millis(50);

/// A look that is older says nothing of the power now. A counter takes ten minutes to go once around at 400 W, so that
/// none has done so twice.
const LOOK_AGE_MAX: Duration = Duration::from_secs(30);

/// Where a counter stands, and after how much it begins anew; in microjoules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counter {
    energy: u64,
    range: u64,
}

/// The counters of all packages, by name.
type Counters = BTreeMap<String, Counter>;

/// The power of all packages of the processor together.
#[derive(Debug)]
pub(super) struct Packages {
    root: PathBuf,
    last: Option<(Instant, Counters)>,
    /// What the last two looks said, for whoever asks in quick succession.
    watts: Option<f32>,
}

impl Default for Packages {
    fn default() -> Self {
        Self::at(Path::new("/sys/class/powercap"))
    }
}

impl Packages {
    fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), last: None, watts: None }
    }

    /// Watts since the last time this was asked; where that is long ago, over a short time for which it waits.
    pub fn watts(&mut self) -> Option<f32> {
        let is_old = |(at, _): &(Instant, Counters)| at.elapsed() > LOOK_AGE_MAX;
        let before = match self.last.take().filter(|last| !is_old(last)) {
            // Several devices may be in the same processor.
            Some(last) if last.0.elapsed() < LOOK && self.watts.is_some() => {
                self.last = Some(last);
                return self.watts;
            }
            Some(last) => last,
            None => {
                let first = self.look()?;
                thread::sleep(LOOK);
                first
            }
        };
        let now = self.look()?;
        self.watts = power(&before.1, &now.1, now.0 - before.0);
        self.last = Some(now);
        self.watts
    }

    fn look(&self) -> Option<(Instant, Counters)> {
        let counters = read(&self.root)?;
        Some((Instant::now(), counters))
    }
}

/// The counters of the packages; `None` where one cannot be read, or there is none.
fn read(root: &Path) -> Option<Counters> {
    let mut counters = Counters::new();
    for entry in fs::read_dir(root).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `intel-rapl:0`, on AMD's processors too. `intel-rapl:0:1` is a part of it, and `intel-rapl-mmio:0` the same
        // once more.
        let Some(number) = name.strip_prefix("intel-rapl:") else { continue };
        if number.contains(':') {
            continue;
        }
        let folder = entry.path();
        // Others are of the whole board, in which the package is.
        if !fs::read_to_string(folder.join("name")).ok()?.starts_with("package") {
            continue;
        }
        let counter =
            Counter { energy: file(&folder, "energy_uj")?, range: file(&folder, "max_energy_range_uj")? };
        counters.insert(name, counter);
    }
    (!counters.is_empty()).then_some(counters)
}

fn file<T: FromStr>(folder: &Path, name: &str) -> Option<T> {
    fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
}

/// Watts between two looks. `None` where the packages are not the same, and where nothing rose: a processor that reads
/// this draws something.
fn power(before: &Counters, now: &Counters, between: Duration) -> Option<f32> {
    if !before.keys().eq(now.keys()) {
        return None;
    }
    let microjoules: u64 = before.values().zip(now.values()).map(|(before, now)| risen(*before, *now)).sum();
    let watts = microjoules as f64 / 1e6 / between.as_secs_f64();
    (microjoules > 0 && watts.is_finite()).then_some(watts as f32)
}

/// By how much a counter has risen, which may have begun anew once.
fn risen(before: Counter, now: Counter) -> u64 {
    now.energy.checked_sub(before.energy).unwrap_or_else(|| {
        let to_the_end = now.range.saturating_sub(before.energy);
        to_the_end.saturating_add(now.energy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder as the kernel shows it: a package, a part of it, the board, the same package once more.
    fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (folder, name, energy) in [
            ("intel-rapl:0", "package-0\n", "1000000\n"),
            ("intel-rapl:0:0", "core\n", "900000\n"),
            ("intel-rapl:1", "psys\n", "5000000\n"),
            ("intel-rapl-mmio:0", "package-0\n", "1000000\n"),
        ] {
            let folder = root.path().join(folder);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("name"), name).unwrap();
            fs::write(folder.join("energy_uj"), energy).unwrap();
            fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
        }
        fs::create_dir(root.path().join("intel-rapl")).unwrap();
        root
    }

    #[test]
    fn only_packages_are_read_and_all_or_none() {
        let root = machine();
        let package = Counter { energy: 1_000_000, range: 262_143_328_850 };
        let one = Counters::from([("intel-rapl:0".to_owned(), package)]);
        assert_eq!(read(root.path()), Some(one.clone()));
        let second = root.path().join("intel-rapl:2");
        fs::create_dir(&second).unwrap();
        fs::write(second.join("name"), "package-1").unwrap();
        fs::write(second.join("max_energy_range_uj"), "262143328850").unwrap();
        assert_eq!(read(root.path()), None, "what one may not read is not known of all");
        fs::write(second.join("energy_uj"), "7").unwrap();
        assert_eq!(read(root.path()).unwrap().len(), 2);
        assert_eq!(read(&root.path().join("nowhere")), None);
        assert_eq!(read(&second), None);
    }

    #[test]
    fn power_is_what_rose_over_the_time_around_the_end_of_a_counter_too() {
        let counters = |energies: &[u64]| -> Counters {
            let counter =
                |(n, energy): (usize, &u64)| (n.to_string(), Counter { energy: *energy, range: 1_000_000 });
            energies.iter().enumerate().map(counter).collect()
        };
        let second = Duration::from_secs(1);
        for (before, now, watts) in [
            (&[100_000][..], &[300_000][..], Some(0.2)),
            (&[900_000], &[100_000], Some(0.2)),
            (&[900_000, 0], &[100_000, 300_000], Some(0.5)),
            (&[5], &[5], None),
            (&[5], &[6, 7], None),
        ] {
            assert_eq!(power(&counters(before), &counters(now), second), watts, "{before:?} to {now:?}");
        }
        assert_eq!(power(&counters(&[0]), &counters(&[500_000]), second / 2), Some(1.0));
        assert_eq!(power(&counters(&[0]), &counters(&[5]), Duration::ZERO), None);
    }

    #[test]
    fn a_machine_is_watched_from_one_question_to_the_next() {
        let root = machine();
        let mut packages = Packages::at(root.path());
        let energy = root.path().join("intel-rapl:0/energy_uj");
        assert_eq!(packages.watts(), None, "nothing rises here by itself");
        fs::write(&energy, "2000000").unwrap();
        let watts = packages.watts().unwrap();
        // A joule, in the time that it took to write a file.
        assert!(watts > 0.01, "{watts}");
        fs::remove_file(&energy).unwrap();
        packages.last = None;
        assert_eq!(packages.watts(), None);
    }
}
