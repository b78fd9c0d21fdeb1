//! Whether somebody uses the machine. Who tells it depends on the desktop: an X server does ([`x11`]), and under Wayland the
//! compositor, by its protocol ([`wayland`]) or, as GNOME's, on the message bus ([`mutter`]). Of game controllers none of
//! them tells, but the kernel does ([`controllers`]).
//!
//! While a person is here, it is only looked now and then whether one is so still: who plays or types costs nothing. While
//! nobody is, the first input wakes this thread where the desktop can do that.

mod controllers;
mod mutter;
mod wayland;
mod x11;

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_types::{Guard, UnixMillis};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::controllers::Controllers;
use super::full_screen::DesktopError;
use crate::{Observation, Person, Probe, ProbeError, Watch};

/// How often it is looked, and from when on nobody is here.
#[derive(Clone, Copy, Debug)]
struct Intervals {
    /// Since when nothing was touched for a person not to count as here. It is also how often it is looked while one is.
    /// The shortest time that people can choose is a minute; this is a sixth of it.
    quiet: Duration,
    /// How often the desktop is asked while nobody is here although it tells of input, should it have missed some.
    with_events: Duration,
    /// How often controllers are looked at while nobody is here: the GPU is to be free soon after.
    controllers: Duration,
    /// How often the desktop is asked while nobody is here, where it does not tell of input by itself.
    without_events: Duration,
}

const INTERVALS: Intervals = Intervals {
    quiet: Duration::from_secs(10),
    with_events: Duration::from_secs(10),
    controllers: Duration::from_secs(1),
    without_events: Duration::from_secs(2),
};

/// Who knows when keyboard, mouse or screen were touched.
trait Seat: Send {
    /// Since when nothing was.
    fn quiet_for(&mut self) -> Result<Duration, SeatError>;

    /// Whether it can tell of input by itself.
    fn can_tell(&self) -> bool;

    /// Whether it is to tell of input from now on, if it can; whether that changed.
    fn tell_of_input(&mut self, tell: bool) -> Result<bool, SeatError>;

    /// Waits until something is touched, but not for longer than that; whether something was.
    fn wait_for_input(&mut self, time: Duration) -> Result<bool, SeatError>;
}

/// Nobody tells.
#[derive(Debug, thiserror::Error)]
enum SeatError {
    #[error(transparent)]
    X(#[from] DesktopError),
    #[error("the compositor: {0}")]
    Wayland(#[from] wayland::WaylandError),
    #[error("the session's message bus: {0}")]
    Bus(#[from] zbus::Error),
    #[error("the desktop cannot be waited for: {0}")]
    Wait(#[from] Errno),
    #[error("this desktop does not tell programs of it")]
    Untold,
}

/// Where somebody may sit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At this X display.
    X(String),
    /// At the compositor that listens here.
    Wayland(PathBuf),
}

impl Place {
    /// By the environment of a desktop's programs, if it is one.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let compositor = set("WAYLAND_DISPLAY");
        if compositor.is_some() || set("XDG_SESSION_TYPE").as_deref() == Some("wayland") {
            // An X server on Wayland only knows what is typed into its own windows.
            let socket = compositor.unwrap_or_else(|| "wayland-0".to_owned());
            let folder = PathBuf::from(set("XDG_RUNTIME_DIR").unwrap_or_default());
            return Some(Self::Wayland(folder.join(socket)));
        }
        set("DISPLAY").map(Self::X)
    }

    fn seat(&self, quiet: Duration) -> Result<Box<dyn Seat>, SeatError> {
        match self {
            Self::X(display) => Ok(Box::new(x11::Server::open(display)?)),
            Self::Wayland(socket) => match wayland::Compositor::open(socket, quiet) {
                Ok(compositor) => Ok(Box::new(compositor)),
                // A session without a bus is none of GNOME's.
                Err(wayland::WaylandError::Untold) => match mutter::Mutter::of_session() {
                    Ok(Some(mutter)) => Ok(Box::new(mutter)),
                    Ok(None) | Err(_) => Err(SeatError::Untold),
                },
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// The probe.
pub(super) struct Presence {
    place: Place,
    intervals: Intervals,
    controllers: Controllers,
    seat: Option<Box<dyn Seat>>,
    told: Option<Person>,
    /// When input was seen that the seat's own figure need not count.
    input_at: Option<Instant>,
}

impl Presence {
    pub fn at(place: Place) -> Self {
        Self {
            place,
            intervals: INTERVALS,
            controllers: Controllers::new(),
            seat: None,
            told: None,
            input_at: None,
        }
    }

    fn watch(&mut self, watch: &Watch) -> Result<Person, SeatError> {
        loop {
            let watched = watch.now();
            if !watched.rules.wants(Guard::Presence) {
                self.forget();
                watch.until(|watched| watched.rules.wants(Guard::Presence));
                continue;
            }
            let seat = match &mut self.seat {
                Some(seat) => seat,
                none => none.insert(self.place.seat(self.intervals.quiet)?),
            };
            if self.controllers.moved() {
                self.input_at = Some(Instant::now());
            }
            let quiet = seat.quiet_for()?;
            let quiet = self.input_at.map_or(quiet, |at| at.elapsed().min(quiet));
            if let Some(rest) = self.intervals.quiet.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
                seat.tell_of_input(false)?;
                if self.told != Some(Person::Here) {
                    self.told = Some(Person::Here);
                    return Ok(Person::Here);
                }
                watch.sleep(rest, &watched);
                continue;
            }
            if seat.tell_of_input(true)? {
                // What was touched in between is in the seat's figure.
                continue;
            }
            if !matches!(self.told, Some(Person::QuietSince(_))) {
                let person = Person::QuietSince(before_now(quiet));
                self.told = Some(person);
                return Ok(person);
            }
            let tells = seat.can_tell();
            let time = if tells { self.intervals.with_events } else { self.intervals.without_events };
            let time = if self.controllers.any() { time.min(self.intervals.controllers) } else { time };
            if !tells {
                watch.sleep(time, &watched);
            } else if seat.wait_for_input(time)? {
                self.input_at = Some(Instant::now());
            }
        }
    }

    /// The next look begins anew, and costs nothing until then.
    fn forget(&mut self) {
        self.seat = None;
        self.controllers.close();
        self.told = None;
        self.input_at = None;
    }
}

impl Probe for Presence {
    fn guard(&self) -> Guard {
        Guard::Presence
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        self.watch(watch).map(Observation::Person).map_err(|error| {
            self.forget();
            ProbeError { what: "whether somebody uses this machine", why: error.to_string() }
        })
    }
}

fn before_now(time: Duration) -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(now.saturating_sub(time).as_millis()).unwrap_or(u64::MAX))
}

/// Waits until there is something to read, but not beyond that instant; whether there is.
fn readable(socket: impl AsFd, until: Instant) -> Result<bool, Errno> {
    let rest = until.saturating_duration_since(Instant::now());
    let timeout = Timespec { tv_sec: rest.as_secs().cast_signed(), tv_nsec: rest.subsec_nanos().into() };
    match poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use lull_types::GuardRules;

    use super::*;
    use crate::Watched;

    /// Bound on what takes milliseconds, and a second at most.
    pub const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    pub const SILENCE: Duration = Duration::from_millis(300);

    pub const fn intervals(with_events: Duration, without_events: Duration) -> Intervals {
        Intervals { quiet: Duration::from_secs(1), with_events, controllers: with_events, without_events }
    }

    /// A server that tells of input is asked only when it has told.
    pub const BY_EVENTS: Intervals = intervals(Duration::from_secs(3600), Duration::from_secs(3600));

    pub fn wanted(away_minutes: Option<u16>) -> Watched {
        Watched { rules: GuardRules { away_minutes, ..GuardRules::default() }, ..Watched::default() }
    }

    /// What the probe tells in a thread of its own.
    pub fn watch() -> Watch {
        let watch = Watch::default();
        watch.tell(wanted(Some(1)));
        watch
    }

    #[track_caller]
    pub fn is_here(told: &Receiver<Observation>) {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::Person(Person::Here)));
    }

    /// The person was last seen in between.
    #[track_caller]
    pub fn is_quiet(told: &Receiver<Observation>, between: [UnixMillis; 2]) {
        let seen = told.recv_timeout(PATIENCE);
        let Ok(Observation::Person(Person::QuietSince(since))) = seen else {
            panic!("{seen:?}");
        };
        // The desktop's clock and ours round differently, and a busy machine may be late to look at its own.
        let [from, to] = between.map(|at| at.0);
        assert!((from - 50..=to + 500).contains(&since.0), "{since:?}, {between:?}");
    }

    pub fn now() -> UnixMillis {
        before_now(Duration::ZERO)
    }

    #[test]
    fn the_place_is_that_of_the_desktop() {
        let check = |variables: &[(&str, &str)], expected: Option<Place>| {
            let variable = |name: &str| {
                variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(Place::of(variable), expected, "{variables:?}");
        };
        let wayland = |path: &str| Some(Place::Wayland(PathBuf::from(path)));
        let run = ("XDG_RUNTIME_DIR", "/run/user/7");
        check(&[], None);
        check(&[("DISPLAY", ""), run], None);
        check(&[("DISPLAY", ":1"), ("XDG_SESSION_TYPE", "x11"), run], Some(Place::X(":1".to_owned())));
        check(&[("DISPLAY", ":1"), ("WAYLAND_DISPLAY", "wayland-1"), run], wayland("/run/user/7/wayland-1"));
        check(&[("WAYLAND_DISPLAY", "/tmp/socket"), run], wayland("/tmp/socket"));
        check(&[("DISPLAY", ":1"), ("XDG_SESSION_TYPE", "wayland"), run], wayland("/run/user/7/wayland-0"));
    }
}
