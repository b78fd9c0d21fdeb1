//! Game controllers, which count as input for no desktop: the kernel's
//! [joystick interface](https://www.kernel.org/doc/html/latest/input/joydev/joystick-api.html) tells of them. Who sits at
//! the machine may read it; where it cannot be read, there is none.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::probes::presence;

const FOLDER: &str = "/dev/input";

/// How often it is looked for controllers that were plugged in meanwhile.
const LIST_INTERVAL: Duration = Duration::from_secs(10);

/// Nobody has more of them; each is read again and again.
const CONTROLLERS_MAX: usize = 16;

/// How far a stick is moved by a hand, of 65536 from end to end. One at rest wavers by a few hundred, and a worn one by a
/// few thousand.
const MOVED: u16 = 8192;

/// Bytes of the kernel's `struct js_event`: the time, the value, the kind and the number of the button or axis.
const EVENT_BYTES: usize = 8;
/// As many as the kernel keeps for a reader.
const EVENTS_MAX: usize = 64;

const BUTTON: u8 = 0x01;
const AXIS: u8 = 0x02;
/// Set when the kernel tells where a button or an axis is, without anybody having moved it.
const INITIAL: u8 = 0x80;

/// The controllers that are plugged in.
#[derive(Debug)]
pub(in crate::probes::here) struct Controllers {
    folder: PathBuf,
    open: BTreeMap<PathBuf, Controller>,
    listed_at: Option<Instant>,
}

#[derive(Debug)]
struct Controller {
    device: File,
    /// Where its buttons and axes were when they were last moved, by kind and number.
    values: BTreeMap<(u8, u8), i16>,
}

impl Controllers {
    pub fn new() -> Self {
        Self::of(PathBuf::from(FOLDER))
    }

    fn of(folder: PathBuf) -> Self {
        Self { folder, open: BTreeMap::new(), listed_at: None }
    }

    fn list(&mut self) {
        let is_new = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("js") && !self.open.contains_key(path)
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let new: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_new).collect();
        for path in new {
            if self.open.len() < CONTROLLERS_MAX
                && let Ok(controller) = Controller::open(&path)
            {
                self.open.insert(path, controller);
            }
        }
    }
}

impl presence::Controllers for Controllers {
    fn any(&self) -> bool {
        !self.open.is_empty()
    }

    fn moved(&mut self) -> bool {
        if self.listed_at.is_none_or(|at| at.elapsed() >= LIST_INTERVAL) {
            self.listed_at = Some(Instant::now());
            self.list();
        }
        let mut moved = false;
        self.open.retain(|_, controller| match controller.moved() {
            Some(this_moved) => {
                moved |= this_moved;
                true
            }
            None => false,
        });
        moved
    }

    fn close(&mut self) {
        self.open.clear();
        self.listed_at = None;
    }
}

impl Controller {
    fn open(path: &Path) -> std::io::Result<Self> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let device = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Self { device, values: BTreeMap::new() })
    }

    /// Whether it was moved since the last time; `None` when it is gone.
    fn moved(&mut self) -> Option<bool> {
        let mut events = [0; EVENT_BYTES * EVENTS_MAX];
        match self.device.read(&mut events) {
            // What did not fit is read the next time; a controller that never rests keeps nobody at it.
            Ok(read) => {
                let (events, _) = events[..read].as_chunks::<EVENT_BYTES>();
                // All of them are taken in: what was moved last is where it is now.
                Some(events.iter().filter(|event| self.is_moved_by(event)).count() > 0)
            }
            Err(error) => (error.kind() == ErrorKind::WouldBlock).then_some(false),
        }
    }

    fn is_moved_by(&mut self, [_, _, _, _, low, high, kind, number]: &[u8; EVENT_BYTES]) -> bool {
        let value = i16::from_le_bytes([*low, *high]);
        let (kind, is_initial) = (kind & !INITIAL, kind & INITIAL != 0);
        let before = self.values.get(&(kind, *number)).copied();
        let moved = match (kind, before) {
            // The kernel tells again where everything is when more happened than it keeps.
            (BUTTON, Some(before)) => value != before || !is_initial,
            (AXIS, Some(before)) => value.abs_diff(before) >= MOVED,
            (BUTTON | AXIS, None) => !is_initial,
            _ => return false,
        };
        if moved || before.is_none() {
            self.values.insert((kind, *number), value);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;
    use crate::probes::presence::Controllers as _;

    /// What is written to it comes out as from a device.
    fn device(folder: &Path, name: &str) -> (PathBuf, impl FnMut(i16, u8, u8)) {
        let path = folder.join(name);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let write = move |value: i16, kind, number| {
            let [low, high] = value.to_le_bytes();
            file.write_all(&[1, 2, 3, 4, low, high, kind, number]).unwrap();
        };
        (path, write)
    }

    #[test]
    fn what_a_hand_moves_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (_, mut write) = device(folder.path(), "js0");
        fs::write(folder.path().join("event0"), [1; 8]).unwrap();
        let mut controllers = Controllers::of(folder.path().to_owned());
        assert!(!controllers.moved() && controllers.any());
        // Where everything is: a trigger rests at its end.
        write(0, INITIAL | BUTTON, 0);
        write(-32767, INITIAL | AXIS, 2);
        assert!(!controllers.moved());
        write(1, BUTTON, 0);
        assert!(controllers.moved() && !controllers.moved());
        write(0, BUTTON, 0);
        assert!(controllers.moved());
        // It wavers, and is pulled.
        for value in [-32000, -30000, -32767, -25000] {
            write(value, AXIS, 2);
            assert!(!controllers.moved(), "{value}");
        }
        write(-20000, AXIS, 2);
        assert!(controllers.moved() && !controllers.moved());
        // More happened than is kept: what is told is where everything is now.
        write(0, INITIAL | BUTTON, 0);
        write(-20000, INITIAL | AXIS, 2);
        assert!(!controllers.moved());
        write(1, INITIAL | BUTTON, 0);
        assert!(controllers.moved());
        write(1, 0x7f, 0);
        assert!(!controllers.moved(), "of no kind that is known");
    }

    #[test]
    fn where_there_is_none_nothing_moves() {
        let folder = tempfile::tempdir().unwrap();
        let mut nowhere = Controllers::of(folder.path().join("gone"));
        assert!(!nowhere.moved() && !nowhere.any());
        let mut controllers = Controllers::of(folder.path().to_owned());
        assert!(!controllers.moved() && !controllers.any());
        let _device = device(folder.path(), "js1");
        controllers.close();
        assert!(!controllers.moved() && controllers.any(), "it is found when it is looked for");
    }
}
