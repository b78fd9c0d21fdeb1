//! Whether somebody uses the machine, as
//! [`CGEventSourceSecondsSinceLastEventType`](https://developer.apple.com/documentation/coregraphics/cgeventsource/secondssincelasteventtype(_:eventtype:))
//! tells of keyboard, mouse and trackpad, whatever program the input is for. It is looked, as only programs that a person
//! has allowed that are told of input itself.

use std::convert::Infallible;
use std::time::Duration;

use objc2_core_graphics::{CGEventSource, CGEventSourceStateID, CGEventType};

use crate::probes::presence::{Controllers, Place, Presence, Seat};

/// `kCGAnyInputEventType`: input of any kind.
const ANY_INPUT: CGEventType = CGEventType(u32::MAX);

/// The probe.
pub(super) fn presence() -> Presence<Session, NoControllers> {
    Presence::at(Session, NoControllers)
}

/// This session, at which somebody may sit.
#[derive(Debug)]
pub(super) struct Session;

impl Place for Session {
    type Error = Infallible;

    fn seat(&self, _quiet: Duration) -> Result<Box<dyn Seat<Error = Infallible>>, Infallible> {
        Ok(Box::new(Self))
    }
}

impl Seat for Session {
    type Error = Infallible;

    fn quiet_for(&mut self) -> Result<Duration, Infallible> {
        // By what the devices did, and not by what programs pretend.
        let seconds =
            CGEventSource::seconds_since_last_event_type(CGEventSourceStateID::HIDSystemState, ANY_INPUT);
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }
}

/// No controllers are told of.
#[derive(Debug)]
pub(super) struct NoControllers;

impl Controllers for NoControllers {
    fn any(&self) -> bool {
        false
    }

    fn moved(&mut self) -> bool {
        false
    }

    fn close(&mut self) {}
}
