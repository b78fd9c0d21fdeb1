//! Which program fills a screen. A desktop's X server tells of the windows that are its own ([`x11`]), and a Wayland
//! compositor of all, where it speaks a protocol for that ([`toplevels`]). Where there are both, what either tells counts:
//! on a compositor that tells of no windows, those of Xwayland are seen all the same, and no compositor tells of windows
//! that no window manager manages.
//!
//! Both wake this thread when a window changes, so that a game is seen within milliseconds and nothing is done meanwhile.

mod toplevels;
mod x11;

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lull_types::Guard;
use rustix::io::Errno;

use self::toplevels::Toplevels;
use self::x11::Desktop;
pub(super) use self::x11::DesktopError;
use super::wait::readable;
use super::wayland::WaylandError;
use crate::{FullScreen, Observation, Probe, ProbeError, Watch};

/// Windows that are moved change with every frame, and one that is opened does several times; so often is it looked where
/// they are now. A look takes a third of a millisecond, and every look that is put off is one later for a game.
const LOOK_INTERVAL: Duration = Duration::from_millis(16);

/// Who could not be connected to while another was is tried again after so long, as a probe that could tell nothing is.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Programs that fill the screen to lock it or to save it, by class: nobody uses the machine then.
const LOCKERS: &[&str] = &[
    "i3lock",
    "light-locker",
    "lightdm-gtk-greeter",
    "physlock",
    "slock",
    "xfce4-screensaver",
    "cinnamon-screensaver",
    "mate-screensaver",
    "gnome-screensaver",
    "xscreensaver",
    "xsecurelock",
    "xlock",
    "xtrlock",
];

/// Lull itself, by its class, and by its identifier, should its toolkit use that: to look at its window is no reason to stop.
const OWN: &[&str] = &["lull", "com.lull.desktop"];

/// Nobody tells.
#[derive(Debug, thiserror::Error)]
enum WindowsError {
    #[error(transparent)]
    X(#[from] DesktopError),
    #[error("the compositor: {0}")]
    Wayland(#[from] WaylandError),
    #[error("the desktop cannot be waited for: {0}")]
    Wait(#[from] Errno),
    #[error("there is no desktop")]
    None,
}

/// Who tells of windows.
trait Windows: Send {
    /// What is read when it tells something.
    fn socket(&self) -> BorrowedFd<'_>;

    /// Reads what it has told, without waiting; whether that may have changed what fills a screen.
    fn receive(&mut self) -> Result<bool, WindowsError>;

    /// Which program fills a screen now.
    fn look(&mut self) -> Result<Option<FullScreen>, WindowsError>;
}

/// Where windows are.
#[derive(Clone, Debug)]
enum Place {
    /// On this X display.
    X(String),
    /// At the compositor that listens here.
    Wayland(PathBuf),
}

impl Place {
    fn open(&self) -> Result<Box<dyn Windows>, WindowsError> {
        Ok(match self {
            Self::X(display) => Box::new(Desktop::open(display)?),
            Self::Wayland(socket) => Box::new(Toplevels::open(socket)?),
        })
    }
}

/// A place that is watched.
struct Site {
    place: Place,
    state: State,
    /// What was found there.
    found: Option<FullScreen>,
}

enum State {
    /// Nobody has been asked yet, or not since then.
    Away(Option<Instant>),
    /// It is watched.
    Open(Box<dyn Windows>),
    /// It does not tell of windows, however often it is asked.
    Untold,
}

impl Site {
    /// Connects to it, if it is time for that.
    fn open(&mut self) -> Result<(), WindowsError> {
        let is_due = match &self.state {
            State::Away(at) => at.is_none_or(|at| at.elapsed() >= AGAIN_AFTER),
            State::Open(_) | State::Untold => false,
        };
        if is_due {
            let windows = self.place.open().inspect_err(|error| self.close(error))?;
            self.state = State::Open(windows);
            self.look()?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), WindowsError> {
        if let State::Open(windows) = &mut self.state {
            self.found = windows.look().inspect_err(|error| self.close(error))?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<bool, WindowsError> {
        match &mut self.state {
            State::Open(windows) => windows.receive().inspect_err(|error| self.close(error)),
            State::Away(_) | State::Untold => Ok(false),
        }
    }

    fn close(&mut self, error: &WindowsError) {
        self.found = None;
        self.state = match error {
            WindowsError::Wayland(WaylandError::Untold(_)) => State::Untold,
            WindowsError::X(_) | WindowsError::Wayland(_) | WindowsError::Wait(_) | WindowsError::None => {
                State::Away(Some(Instant::now()))
            }
        };
    }
}

/// The probe.
pub(super) struct FullScreenWindows {
    /// The first tells best.
    sites: Vec<Site>,
    looked_at: Option<Instant>,
    told: Option<Option<FullScreen>>,
}

impl FullScreenWindows {
    /// Of this X display, and of the compositor that listens there; `None` where there is neither.
    pub fn of(display: Option<String>, compositor: Option<PathBuf>) -> Option<Self> {
        let places = compositor.map(Place::Wayland).into_iter().chain(display.map(Place::X));
        let sites: Vec<_> =
            places.map(|place| Site { place, state: State::Away(None), found: None }).collect();
        (!sites.is_empty()).then_some(Self { sites, looked_at: None, told: None })
    }

    fn watch(&mut self) -> Result<Option<FullScreen>, WindowsError> {
        loop {
            let mut failed = None;
            for site in &mut self.sites {
                failed = site.open().err().or(failed);
            }
            let changed = self.receive(&mut failed);
            if !self.sites.iter().any(|site| matches!(site.state, State::Open(_))) {
                return Err(failed.unwrap_or(WindowsError::None));
            }
            let found = self.sites.iter().find_map(|site| site.found.clone());
            if self.told.as_ref() != Some(&found) {
                self.told = Some(found.clone());
                return Ok(found);
            }
            // What came while it was looked is here already, and no socket tells of it.
            if !changed {
                self.wait()?;
            }
        }
    }

    /// Takes in what has changed, and looks where it has. Who cannot be asked any more tells nothing.
    fn receive(&mut self, failed: &mut Option<WindowsError>) -> bool {
        let mut changed = vec![false; self.sites.len()];
        let mut receive = |sites: &mut [Site], failed: &mut Option<WindowsError>| {
            for (site, changed) in sites.iter_mut().zip(&mut changed) {
                *changed |= site.receive().unwrap_or_else(|error| {
                    *failed = Some(error);
                    true
                });
            }
            changed.contains(&true)
        };
        if !receive(&mut self.sites, failed) {
            return false;
        }
        // The first change is looked at at once; those that follow it are looked at together.
        let since = self.looked_at.map_or(LOOK_INTERVAL, |at| at.elapsed());
        if let Some(rest) = LOOK_INTERVAL.checked_sub(since).filter(|rest| !rest.is_zero()) {
            std::thread::sleep(rest);
            receive(&mut self.sites, failed);
        }
        self.looked_at = Some(Instant::now());
        for (site, _) in self.sites.iter_mut().zip(changed).filter(|(_, changed)| *changed) {
            *failed = site.look().err().or(failed.take());
        }
        true
    }

    /// Waits until something is told, or until it is time to try again who could not be asked.
    fn wait(&self) -> Result<(), WindowsError> {
        let mut sockets = Vec::new();
        let mut until: Option<Instant> = None;
        for site in &self.sites {
            match &site.state {
                State::Open(windows) => sockets.push(windows.socket()),
                State::Away(Some(at)) => {
                    let again_at = *at + AGAIN_AFTER;
                    until = Some(until.map_or(again_at, |until| until.min(again_at)));
                }
                State::Away(None) | State::Untold => {}
            }
        }
        readable(&sockets, until)?;
        Ok(())
    }
}

impl Probe for FullScreenWindows {
    fn guard(&self) -> Guard {
        Guard::FullScreen
    }

    fn next(&mut self, _watch: &Watch) -> Result<Observation, ProbeError> {
        self.watch().map(Observation::FullScreen).map_err(|error| {
            // The next question begins with new connections, and tells what it finds whatever was told before.
            for site in &mut self.sites {
                (site.state, site.found) = (State::Away(None), None);
            }
            self.told = None;
            ProbeError::new("which program fills a screen", error)
        })
    }
}

/// The program of a window that fills a screen, by its class; none for those that do not count.
fn counted(program: Option<String>) -> Option<FullScreen> {
    let does_not_count = program.as_ref().is_some_and(|program| {
        let program = program.to_lowercase();
        OWN.contains(&program.as_str()) || LOCKERS.contains(&program.as_str())
    });
    (!does_not_count).then_some(FullScreen { program })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError};

    use lull_testkit::desktop;
    use x11rb::connection::Connection as _;
    use x11rb::protocol::xproto::{
        AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, Window, WindowClass,
    };
    use x11rb::rust_connection::RustConnection;
    use x11rb::wrapper::ConnectionExt as _;

    use super::*;
    use crate::probes::here::wayland::tests::Fake;
    use crate::probes::told_by;

    /// Bound on what takes milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A window of an old game, which no window manager manages.
    fn game(x: &RustConnection) -> Window {
        let (window, root) = (x.generate_id().unwrap(), x.setup().roots[0].root);
        let unmanaged = CreateWindowAux::new().override_redirect(1);
        let class = WindowClass::INPUT_OUTPUT;
        x.create_window(0, window, root, 0, 0, 400, 300, 0, class, 0, &unmanaged).unwrap();
        let name = b"game\0game\0";
        x.change_property8(PropMode::REPLACE, window, AtomEnum::WM_CLASS, AtomEnum::STRING, name).unwrap();
        x.map_window(window).unwrap();
        x.flush().unwrap();
        window
    }

    #[track_caller]
    fn tells(told: &Receiver<Observation>, program: Option<&str>) {
        let expected = program.map(|program| FullScreen { program: Some(program.to_owned()) });
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::FullScreen(expected)));
    }

    #[test]
    fn an_x_server_beside_a_compositor_is_watched_whether_or_not_that_tells() {
        let desktop = desktop::Desktop::start(400, 300).unwrap();
        let (x, _) = x11rb::connect(Some(desktop.display())).unwrap();
        let both = |fake: &Fake| {
            let probe = FullScreenWindows::of(Some(desktop.display().to_owned()), Some(fake.socket()));
            told_by(probe.unwrap(), &Watch::default())
        };
        // As GNOME's, it tells of no windows.
        let fake = Fake::new();
        let told = both(&fake);
        let mut client = fake.accept();
        client.offers(&[("wl_output", 4)]);
        tells(&told, None);
        let window = game(&x);
        tells(&told, Some("game"));
        x.destroy_window(window).unwrap();
        x.flush().unwrap();
        tells(&told, None);

        let fake = Fake::new();
        let told = both(&fake);
        let mut client = toplevels::tests::serve(&fake);
        tells(&told, None);
        toplevels::tests::full_screen(&mut client, 0xff00_0000, "film");
        tells(&told, Some("film"));
        // The compositor tells better.
        let window = game(&x);
        drop(client);
        tells(&told, Some("game"));
        x.destroy_window(window).unwrap();
        x.flush().unwrap();
        tells(&told, None);
        drop((x, desktop));
        assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn where_there_is_no_desktop_nothing_is_watched() {
        assert!(FullScreenWindows::of(None, None).is_none());
        let mut nowhere = FullScreenWindows::of(None, Some(PathBuf::from("/nowhere"))).unwrap();
        let error = nowhere.next(&Watch::default()).unwrap_err().to_string();
        assert!(error.contains("which program fills a screen") && error.contains("compositor"), "{error}");
    }
}
