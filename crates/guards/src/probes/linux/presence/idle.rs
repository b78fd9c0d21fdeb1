//! What a Wayland compositor tells by the protocol
//! [ext-idle-notify-v1](https://wayland.app/protocols/ext-idle-notify-v1), as those of KDE, COSMIC, sway, Hyprland and others
//! do: when nothing was touched for so long, and when something is again.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Seat, SeatError};
use crate::probes::here::wait::readable;
use crate::probes::here::wayland::{Argument, Connection, Told, WaylandError};

const SEAT_INTERFACE: &str = "wl_seat";
/// All that is needed of a seat is that it is one.
const SEAT_VERSION: u32 = 1;

const NOTIFIER_INTERFACE: &str = "ext_idle_notifier_v1";
/// From this version on it can be asked for input alone; before, a film that keeps the screen on counts as input.
const NOTIFIER_VERSION: u32 = 2;

/// What is asked: the number within the interface.
mod request {
    pub const NOTIFIER_GET: u16 = 1;
    pub const NOTIFIER_GET_INPUT: u16 = 2;
}

/// What is told.
mod event {
    pub const NOTIFICATION_IDLED: u16 = 0;
    pub const NOTIFICATION_RESUMED: u16 = 1;
}

/// A connection to a compositor.
#[derive(Debug)]
pub(super) struct Compositor {
    connection: Connection,
    notification: u32,
    /// After so long it tells that nothing was touched.
    quiet: Duration,
    /// Since when nothing was, once it has told so.
    quiet_since: Option<Instant>,
}

impl Compositor {
    /// The one that listens here, which is to tell when nothing was touched for so long.
    pub fn open(socket: &Path, quiet: Duration) -> Result<Self, WaylandError> {
        let (mut connection, offers) = Connection::open(socket)?;
        let offer = |interface| offers.iter().find(|offer| offer.interface == interface);
        let Some((seat, notifier)) = offer(SEAT_INTERFACE).zip(offer(NOTIFIER_INTERFACE)) else {
            return Err(WaylandError::Untold("input"));
        };
        let get = match notifier.version < NOTIFIER_VERSION {
            true => request::NOTIFIER_GET,
            false => request::NOTIFIER_GET_INPUT,
        };
        let seat = connection.bind(seat, SEAT_VERSION)?;
        let notifier = connection.bind(notifier, NOTIFIER_VERSION)?;
        let notification = connection.new_object();
        let millis = u32::try_from(quiet.as_millis()).unwrap_or(u32::MAX);
        connection.ask(notifier, get, &[notification, millis, seat].map(Argument::Number))?;
        let told = connection.round()?;
        let mut compositor = Self { connection, notification, quiet, quiet_since: None };
        compositor.take_in(&told);
        Ok(compositor)
    }

    /// Whether something was touched, by what it has told.
    fn take_in(&mut self, told: &[Told]) -> bool {
        let mut resumed = false;
        for told in told.iter().filter(|told| told.object == self.notification) {
            match told.event {
                event::NOTIFICATION_IDLED => self.quiet_since = Instant::now().checked_sub(self.quiet),
                event::NOTIFICATION_RESUMED => (self.quiet_since, resumed) = (None, true),
                _ => {}
            }
        }
        resumed
    }

    fn receive(&mut self) -> Result<bool, WaylandError> {
        let told = self.connection.receive()?;
        Ok(self.take_in(&told))
    }
}

impl Seat for Compositor {
    type Error = SeatError;

    fn quiet_for(&mut self) -> Result<Duration, SeatError> {
        self.receive()?;
        Ok(self.quiet_since.map(|since| since.elapsed()).unwrap_or_default())
    }

    fn can_tell(&self) -> bool {
        true
    }

    /// It does in any case, once when input ends and once when it begins.
    fn tell_of_input(&mut self, _tell: bool) -> Result<bool, SeatError> {
        Ok(false)
    }

    fn wait_for_input(&mut self, time: Duration) -> Result<bool, SeatError> {
        let until = Instant::now() + time;
        while !self.receive()? {
            if Instant::now() >= until {
                return Ok(false);
            }
            readable(&[self.connection.as_fd()], Some(until))?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use lull_types::UnixMillis;

    use super::super::{Place, Presence, presence};
    use super::*;
    use crate::Probe as _;
    use crate::probes::here::wayland::tests::{Client, Fake};
    use crate::probes::presence::tests::{PATIENCE, SHORT, is_here, is_quiet, now, wanted, watch};
    use crate::probes::told_by;

    // In this order they are made; libwayland refuses any other number.
    const SEAT: u32 = 4;
    const NOTIFIER: u32 = 5;
    const NOTIFICATION: u32 = 6;
    const REFUSALS_END: u32 = 7;

    fn probe(fake: &Fake) -> Presence {
        let mut probe = presence(Place::Wayland(fake.socket()));
        probe.intervals = SHORT;
        probe
    }

    /// Accepts a client and offers it this of the protocol's version.
    fn serve(fake: &Fake, version: u32) -> Client {
        let mut client = fake.accept();
        client.offers(&[("wl_compositor", 6), (SEAT_INTERFACE, 9), (NOTIFIER_INTERFACE, version)]);
        client.hears_bind(11, SEAT_INTERFACE, 1, SEAT);
        client.hears_bind(12, NOTIFIER_INTERFACE, version.min(2), NOTIFIER);
        let get = if version == 1 { request::NOTIFIER_GET } else { request::NOTIFIER_GET_INPUT };
        client.hears(NOTIFIER, get, &[NOTIFICATION, 1000, SEAT].map(Argument::Number));
        client.answers(REFUSALS_END);
        client
    }

    fn tells_quiet(client: &mut Client, quiet: bool) {
        let event = if quiet { event::NOTIFICATION_IDLED } else { event::NOTIFICATION_RESUMED };
        client.tells(NOTIFICATION, event, &[]);
    }

    #[test]
    fn a_compositor_tells_who_goes_and_comes() {
        for version in [1, 2, 7] {
            let fake = Fake::new();
            let told = told_by(probe(&fake), &watch());
            let mut client = serve(&fake, version);
            is_here(&told);
            // It is heard with the next look, and was quiet for a second then.
            let times = [UnixMillis(now().0 - 1000), now().after(PATIENCE)];
            tells_quiet(&mut client, true);
            is_quiet(&told, times);
            tells_quiet(&mut client, false);
            is_here(&told);
            tells_quiet(&mut client, true);
            is_quiet(&told, times);
        }
    }

    #[test]
    fn nobody_is_looked_for_while_that_is_not_wanted() {
        let fake = Fake::new();
        let watch = watch();
        let told = told_by(probe(&fake), &watch);
        let mut client = serve(&fake, 2);
        is_here(&told);
        watch.tell(wanted(None));
        assert_eq!(client.stream.read(&mut [0]).unwrap(), 0, "it leaves");
        watch.tell(wanted(Some(1)));
        let _client = serve(&fake, 2);
        is_here(&told);
    }

    #[test]
    fn a_compositor_that_tells_nothing_is_an_error() {
        let fake = Fake::new();
        let mut probe = probe(&fake);
        let told = std::thread::spawn(move || probe.next(&watch()));
        let mut client = fake.accept();
        client.refuses("no");
        let error = told.join().unwrap().unwrap_err().to_string();
        for expected in ["whether somebody uses this machine", "the compositor: it refuses: no"] {
            assert!(error.contains(expected), "{error}");
        }
        let fake = Fake::new();
        let socket = fake.socket();
        let untold = std::thread::spawn(move || Compositor::open(&socket, PATIENCE));
        let mut client = fake.accept();
        client.offers(&[("wl_compositor", 6), (SEAT_INTERFACE, 9)]);
        assert!(matches!(untold.join().unwrap(), Err(WaylandError::Untold("input"))));
    }
}
