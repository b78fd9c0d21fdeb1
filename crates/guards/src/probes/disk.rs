//! What is free of the disk that holds a folder.

use std::io;
use std::path::Path;
use std::time::Duration;

use lull_types::Guard;

use crate::{Observation, Probe, ProbeError, Watch};

/// How often it is looked while nothing works: a file system wakes nobody when it fills.
const INTERVAL: Duration = Duration::from_secs(30);

/// How often while a device is at work. A job that fetches its inputs over a gigabit line writes 1.2 GB meanwhile, which is
/// less than what is kept free by default.
const INTERVAL_AT_WORK: Duration = Duration::from_secs(10);

/// What is told is rounded down to so many bytes, so that every log line is not news: a 32nd of the default limit.
const STEP_BYTES: u64 = 64 << 20;

/// The probe.
pub(super) struct Disk {
    /// What is free now, in bytes.
    read: Box<dyn FnMut() -> io::Result<u64> + Send>,
    told: Option<u64>,
}

impl Disk {
    /// Of the disk that holds this folder.
    pub fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { read: Box::new(move || free_bytes(&folder)), told: None }
    }
}

impl Probe for Disk {
    fn guard(&self) -> Guard {
        Guard::Disk
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let watched = watch.until(|watched| watched.rules.wants(Guard::Disk));
            let free_bytes = (self.read)().map_err(|error| {
                self.told = None;
                ProbeError::new("what is free of the disk", error)
            })?;
            let free_bytes = rounded(free_bytes);
            if self.told != Some(free_bytes) {
                self.told = Some(free_bytes);
                return Ok(Observation::Disk { free_bytes });
            }
            watch.sleep(if watched.at_work { INTERVAL_AT_WORK } else { INTERVAL }, &watched);
        }
    }
}

fn rounded(bytes: u64) -> u64 {
    bytes - bytes % STEP_BYTES
}

/// What this user may still write; what a file system keeps for its administrator does not count.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What this user may still write, quotas included.
#[cfg(windows)]
fn free_bytes(folder: &Path) -> io::Result<u64> {
    use std::os::windows::ffi::OsStrExt as _;

    use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;

    let path: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let mut free_bytes = 0;
    #[allow(unsafe_code, reason = "what is free of a disk is only told by the Win32 interface")]
    // SAFETY: the path ends with a zero, and the one pointer that is written through is to a number of the type that is
    // filled in; both live through the call.
    let told = unsafe {
        GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free_bytes, std::ptr::null_mut(), std::ptr::null_mut())
    };
    if told == 0 { Err(io::Error::last_os_error()) } else { Ok(free_bytes) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::mpsc::{RecvTimeoutError, channel};

    use lull_types::GuardRules;

    use super::*;
    use crate::Watched;

    /// Bound on what takes milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    const SILENCE: Duration = Duration::from_millis(100);

    #[test]
    fn what_is_free_is_told_in_steps() {
        assert_eq!(rounded(0), 0);
        assert_eq!(rounded(STEP_BYTES - 1), 0);
        assert_eq!(rounded(3 * STEP_BYTES + 5), 3 * STEP_BYTES);
    }

    #[test]
    fn the_disk_of_a_folder_is_told_at_once_while_it_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::default();
        let rules = |disk_free_gib| Watched {
            rules: GuardRules { disk_free_gib, ..GuardRules::default() },
            ..Watched::default()
        };
        watch.tell(rules(None));
        let (tell, told) = channel();
        std::thread::spawn({
            let (watch, mut probe) = (watch.clone(), Disk::of(folder.path()));
            move || tell.send(probe.next(&watch))
        });
        assert_eq!(
            told.recv_timeout(SILENCE),
            Err(RecvTimeoutError::Timeout),
            "nothing is told that is not wanted"
        );
        watch.tell(rules(Some(1)));
        let Observation::Disk { free_bytes } = told.recv_timeout(PATIENCE).unwrap().unwrap() else {
            panic!("it tells of another thing");
        };
        assert_eq!(free_bytes % STEP_BYTES, 0);
        // Others write meanwhile.
        #[cfg(target_os = "linux")]
        {
            let df =
                std::process::Command::new("df").args(["-B1", "--output=avail"]).arg(folder.path()).output();
            let df = String::from_utf8(df.unwrap().stdout).unwrap();
            let df: u64 = df.lines().nth(1).unwrap().trim().parse().unwrap();
            assert!(free_bytes.abs_diff(df) < 8 * STEP_BYTES, "{free_bytes}, {df}");
        }
    }

    #[test]
    fn only_what_changes_by_a_step_is_told() {
        let reads = Arc::new(AtomicU64::new(0));
        let mut disk = Disk {
            told: None,
            read: Box::new({
                let reads = reads.clone();
                // A step and a half less with every fourth look.
                move || {
                    Ok(8 * STEP_BYTES
                        - reads.fetch_add(1, Ordering::Relaxed) / 4 * (STEP_BYTES + STEP_BYTES / 2))
                }
            }),
        };
        let watch = Watch::default();
        let mut free_bytes = || disk.next(&watch);
        assert_eq!(free_bytes(), Ok(Observation::Disk { free_bytes: 8 * STEP_BYTES }));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        // A change of what is watched is a reason to look, so that no test has to wait.
        let stop = Arc::new(AtomicBool::new(false));
        let changes = std::thread::spawn({
            let (watch, stop) = (watch.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let watched = watch.now();
                    watch.tell(Watched { at_work: !watched.at_work, ..watched });
                    std::thread::yield_now();
                }
            }
        });
        assert_eq!(free_bytes(), Ok(Observation::Disk { free_bytes: 6 * STEP_BYTES }));
        assert_eq!(reads.load(Ordering::Relaxed), 5);
        assert_eq!(free_bytes(), Ok(Observation::Disk { free_bytes: 5 * STEP_BYTES }));
        assert_eq!(reads.load(Ordering::Relaxed), 9);
        stop.store(true, Ordering::Relaxed);
        changes.join().unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::of(&folder.path().join("gone"));
        let error = disk.next(&Watch::default()).unwrap_err();
        assert!(error.to_string().contains("what is free of the disk cannot be read"), "{error}");
    }
}
