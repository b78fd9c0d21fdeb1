//! Whether somebody uses the machine. Who tells it depends on the desktop: an X server does ([`x11`]), and under Wayland the
//! compositor, by a protocol ([`idle`]) or, as GNOME's, on the message bus ([`mutter`]). Of game controllers none of
//! them tells, but the kernel does ([`controllers`]).

mod controllers;
mod idle;
mod mutter;
mod x11;

use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use self::controllers::Controllers;
use super::full_screen::DesktopError;
use super::wayland::{self, WaylandError};
use crate::probes::presence::{self, Seat};

/// The probe.
pub(super) type Presence = presence::Presence<Place, Controllers>;

/// The probe of this place.
pub(super) fn presence(place: Place) -> Presence {
    Presence::at(place, Controllers::new())
}

/// Nobody tells.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeatError {
    #[error(transparent)]
    X(#[from] DesktopError),
    #[error("the compositor: {0}")]
    Wayland(#[from] WaylandError),
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
        // An X server on Wayland only knows what is typed into its own windows.
        let compositor = wayland::socket(&variable).map(Self::Wayland);
        compositor.or_else(|| variable("DISPLAY").filter(|display| !display.is_empty()).map(Self::X))
    }
}

impl presence::Place for Place {
    type Error = SeatError;

    fn seat(&self, quiet: Duration) -> Result<Box<dyn Seat<Error = SeatError>>, SeatError> {
        match self {
            Self::X(display) => Ok(Box::new(x11::Server::open(display)?)),
            Self::Wayland(socket) => match idle::Compositor::open(socket, quiet) {
                Ok(compositor) => Ok(Box::new(compositor)),
                // A session without a bus is none of GNOME's.
                Err(WaylandError::Untold(_)) => match mutter::Mutter::of_session() {
                    Ok(Some(mutter)) => Ok(Box::new(mutter)),
                    Ok(None) | Err(_) => Err(SeatError::Untold),
                },
                Err(error) => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
