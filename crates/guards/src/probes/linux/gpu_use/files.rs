//! Which files of which processes are GPUs.
//!
//! To look at all files of all processes takes milliseconds, so that it is done once. From then on only processes that are new
//! are looked at, and again whenever their age has doubled, as programs open a GPU when they start; the others get their turn
//! in a minute, or later where they have as many files as before. Files that were found are read each time, which tells when
//! they are closed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Linux keeps the device files of its graphics drivers.
const GPUS: &str = "/dev/dri/";

/// A process is looked at when it is so old, and not before: those of a build live shorter, and are thousands.
const YOUNG: Duration = Duration::from_millis(900);

/// An old process is looked at again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// One that still has as many files as before most probably has the same; it is looked at again after so long all the same.
const SAME_AGAIN: Duration = Duration::from_secs(600);

/// A process of another user stays one.
const FORBIDDEN_AGAIN: Duration = Duration::from_secs(600);

/// Files that are looked at in one round, of about a microsecond each. It is three times what comes due on a desktop, of 100
/// processes with 50 files each.
const LOOKS_MAX: usize = 256;

/// Files of one process that are looked at. Browsers have some hundred; GPUs are among the first.
const FILES_MAX: usize = 2048;

/// GPUs of one process that are kept.
const GPUS_MAX: usize = 64;

/// The files that are GPUs.
#[derive(Debug)]
pub struct GpuFiles {
    proc: PathBuf,
    /// The number of the last listing; none was there before the first.
    listing: u64,
    known: HashMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    listing: u64,
    /// When it was first listed; `None` if it was there before we were.
    since: Option<Duration>,
    look_at: Duration,
    looked_at: Option<Duration>,
    /// How many files it had then.
    count: usize,
    /// Numbers of files that are GPUs.
    files: Vec<u32>,
}

impl GpuFiles {
    /// Under this `/proc`.
    pub fn new(proc: PathBuf) -> Self {
        Self { proc, listing: 0, known: HashMap::new() }
    }

    /// Looks at what is new, and at some of what is old.
    ///
    /// # Errors
    /// When processes cannot be listed.
    pub fn look(&mut self, now: Duration) -> io::Result<()> {
        let is_first = self.listing == 0;
        self.list(now)?;
        let mut due: Vec<_> = self.known.iter().filter(|(_, known)| known.look_at <= now).collect();
        // Those that were never looked at come first.
        due.sort_unstable_by_key(|(pid, known)| (known.looked_at.is_some(), known.look_at, **pid));
        let due: Vec<u32> = due.into_iter().map(|(pid, _)| *pid).collect();
        let mut looks = 0;
        for pid in due {
            if looks >= LOOKS_MAX && !is_first {
                break;
            }
            let Some(known) = self.known.get_mut(&pid) else { continue };
            known.look_at = match known.since {
                Some(since) => now + (now.saturating_sub(since)).clamp(YOUNG, AGAIN),
                // They do not come due together again.
                None if is_first => now + AGAIN * (1 + pid % 60) / 60,
                None => now + AGAIN,
            };
            let folder = self.proc.join(format!("{pid}/fd"));
            looks += 1;
            if known.looked_at.is_some_and(|at| now.saturating_sub(at) < SAME_AGAIN)
                && has_as_many(&folder, known.count)
            {
                continue;
            }
            known.looked_at = Some(now);
            match look(&folder) {
                Ok((files, count)) => {
                    known.files = files;
                    known.count = count;
                    looks += count;
                }
                Err(error) => {
                    known.files.clear();
                    known.count = 0;
                    if error.kind() == io::ErrorKind::PermissionDenied {
                        known.look_at = now + FORBIDDEN_AGAIN;
                    }
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, now: Duration) -> io::Result<()> {
        let is_first = self.listing == 0;
        let entries = fs::read_dir(&self.proc)?;
        self.listing += 1;
        for entry in entries.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let fresh = || Known {
                listing: 0,
                since: (!is_first).then_some(now),
                look_at: if is_first { now } else { now + YOUNG },
                looked_at: None,
                count: 0,
                files: Vec::new(),
            };
            self.known.entry(pid).or_insert_with(fresh).listing = self.listing;
        }
        self.known.retain(|_, known| known.listing == self.listing);
        Ok(())
    }

    /// All that were found, by process and number; the oldest process first.
    pub fn all(&self) -> Vec<(u32, u32)> {
        let mut all: Vec<_> =
            self.known.iter().flat_map(|(pid, known)| known.files.iter().map(|file| (*pid, *file))).collect();
        all.sort_unstable();
        all
    }

    /// This one is none, or is gone, or another descriptor tells the same.
    pub fn forget(&mut self, pid: u32, file: u32) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.files.retain(|known| *known != file);
        }
    }
}

/// Whether a folder of descriptors has so many. Since Linux 6.2 its length tells; before, it is zero, and so is nothing.
fn has_as_many(folder: &Path, count: usize) -> bool {
    count > 0 && fs::metadata(folder).is_ok_and(|folder| folder.len() == count as u64)
}

/// The numbers of files in a folder of descriptors that are GPUs, and how many were looked at.
fn look(folder: &Path) -> io::Result<(Vec<u32>, usize)> {
    let mut gpus = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder)?.flatten().take(FILES_MAX) {
        count += 1;
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if target.as_os_str().as_encoded_bytes().starts_with(GPUS.as_bytes())
            && gpus.len() < GPUS_MAX
            && let Some(file) = entry.file_name().to_str().and_then(|name| name.parse().ok())
        {
            gpus.push(file);
        }
    }
    Ok((gpus, count))
}

/// Reads a file of the kernel's, which does not tell its length; what is beyond the longest text is left out.
pub fn read_small(path: &Path, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    let file = File::open(path)?;
    file.take(crate::gpu_use::fdinfo::TEXT_BYTES_MAX as u64).read_to_end(text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::FakeProc;
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A process with its files, of which some are a GPU.
    fn with_files(proc: &FakeProc, pid: u32, plain: u32, gpus: &[u32]) {
        proc.process(pid, "p", 1);
        for file in 0..plain {
            proc.link(pid, &format!("fd/{file}"), "socket:[123]");
        }
        for file in gpus {
            proc.link(pid, &format!("fd/{file}"), "/dev/dri/renderD128");
        }
    }

    #[test]
    fn all_that_are_there_are_found_at_once() {
        let proc = FakeProc::new();
        for pid in 1..=100 {
            with_files(&proc, pid, 3, &[]);
        }
        with_files(&proc, 7, 3, &[9, 12]);
        with_files(&proc, 99, 0, &[4]);
        proc.link(8, "fd/1", "/home/x/dev/dri/renderD128");
        proc.link(8, "fd/2", "/dev/dri");
        proc.link(8, "fd/x", "/dev/dri/card0");
        let mut files = GpuFiles::new(proc.path());
        files.look(seconds(0)).unwrap();
        assert_eq!(files.all(), [(7, 9), (7, 12), (99, 4)]);
        files.forget(7, 12);
        files.forget(8, 12);
        assert_eq!(files.all(), [(7, 9), (99, 4)]);
        proc.remove(99);
        files.look(seconds(1)).unwrap();
        assert_eq!(files.all(), [(7, 9)]);
    }

    #[test]
    fn a_new_process_is_looked_at_when_it_is_a_second_old_and_as_it_doubles_its_age() {
        let proc = FakeProc::new();
        let mut files = GpuFiles::new(proc.path());
        files.look(seconds(0)).unwrap();
        with_files(&proc, 7, 0, &[1]);
        let mut found_at = |opens_at: u64| {
            proc.remove(7);
            files.look(seconds(1000)).unwrap();
            with_files(&proc, 7, 0, &[]);
            let mut found_at = None;
            for at in 0..200 {
                if at == opens_at {
                    with_files(&proc, 7, 0, &[1]);
                }
                files.look(seconds(1001 + at)).unwrap();
                if !files.all().is_empty() && found_at.is_none() {
                    found_at = Some(at);
                }
            }
            found_at
        };
        // Its age, when it opens the GPU and when that is found.
        for (opens_at, found) in [(0, 1), (1, 1), (2, 2), (3, 4), (5, 8), (20, 32), (65, 124), (125, 184)] {
            assert_eq!(found_at(opens_at), Some(found), "opened after {opens_at} s");
        }
    }

    #[test]
    fn what_lives_shorter_than_a_second_is_never_looked_at() {
        let proc = FakeProc::new();
        let mut files = GpuFiles::new(proc.path());
        files.look(seconds(0)).unwrap();
        with_files(&proc, 7, 0, &[1]);
        files.look(Duration::from_millis(100)).unwrap();
        files.look(Duration::from_millis(500)).unwrap();
        assert!(files.known.values().all(|known| known.looked_at.is_none()));
    }

    #[test]
    fn old_processes_get_their_turn_a_few_at_a_time() {
        let proc = FakeProc::new();
        for pid in 1..=60 {
            with_files(&proc, pid, 12, &[]);
        }
        let mut files = GpuFiles::new(proc.path());
        files.look(seconds(0)).unwrap();
        let mut looked_at = Vec::new();
        for at in 1..=60 {
            let due = |files: &GpuFiles| files.known.values().map(|known| known.look_at).collect::<Vec<_>>();
            let before = due(&files);
            files.look(seconds(at)).unwrap();
            let after = due(&files);
            looked_at.push(before.iter().zip(&after).filter(|(before, after)| before != after).count());
        }
        assert_eq!(looked_at.iter().sum::<usize>(), 60, "each once a minute");
        assert!(looked_at.iter().all(|looks| *looks <= 1), "{looked_at:?}");
        // After a long time without a look all are due, and still not looked at together; a new one is first.
        with_files(&proc, 1000, 0, &[3]);
        files.look(seconds(10_000)).unwrap();
        files.look(seconds(10_001)).unwrap();
        assert_eq!(files.all(), [(1000, 3)]);
        let due = files.known.values().filter(|known| known.look_at <= seconds(10_001)).count();
        assert!((10..40).contains(&due), "{due} are still due");
    }

    #[test]
    fn the_kernel_tells_how_many_files_there_are_or_nothing() {
        let own = Path::new("/proc/self/fd");
        let (_, count) = look(own).unwrap();
        // Other tests open files meanwhile; that it is never right, and not zero, is what must not be.
        let is_told = fs::metadata(own).unwrap().len() > 0;
        let is_right = (0..10_000).any(|_| {
            // The folder itself is open while it is listed.
            look(own).is_ok_and(|(_, count)| has_as_many(own, count - 1))
        });
        assert!(count > 0 && (is_right || !is_told));
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_as_many(folder.path(), 0));
    }

    #[test]
    fn processes_that_cannot_be_listed_are_an_error() {
        assert!(GpuFiles::new(PathBuf::from("/nonexistent/proc")).look(seconds(0)).is_err());
    }
}
