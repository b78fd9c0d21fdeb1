//! What an X server tells: its
//! [screen saver extension](https://www.x.org/releases/current/doc/scrnsaverproto/saver.html) knows since when nothing was
//! touched, and [XInput 2](https://www.x.org/releases/current/doc/inputproto/XI2proto.txt) tells when something is. It is
//! asked to tell only while nobody is here, and to stop with the first input.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::Event;
use x11rb::protocol::screensaver::ConnectionExt as _;
use x11rb::protocol::xinput::{self, ConnectionExt as _, EventMask, XIEventMask};
use x11rb::protocol::xproto::Window;
use x11rb::rust_connection::RustConnection;

use super::{Seat, SeatError};
use crate::probes::here::full_screen::DesktopError;
use crate::probes::here::wait::readable;

/// `XIAllMasterDevices`: the pointers and keyboards that people see, each of which stands for all that are plugged in.
const ALL_MASTERS: u16 = 1;

/// Touch screens are told of from this version of XInput on, and nothing is before 2.1 while a program grabs the input, as
/// games do.
const XINPUT: (u16, u16) = (2, 2);

/// A connection to an X server.
pub(super) struct Server {
    connection: RustConnection,
    root: Window,
    /// Whether it tells of input by itself.
    pub(super) has_xinput: bool,
    /// Whether it does now.
    tells_of_input: bool,
}

impl Server {
    pub fn open(display: &str) -> Result<Self, DesktopError> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let roots = &connection.setup().roots;
        let root = roots.get(screen).ok_or(DesktopError::NoScreen(screen))?.root;
        let has_xinput = connection.extension_information(xinput::X11_EXTENSION_NAME)?.is_some() && {
            let version = connection.xinput_xi_query_version(XINPUT.0, XINPUT.1)?.reply();
            version.is_ok_and(|version| (version.major_version, version.minor_version) >= XINPUT)
        };
        Ok(Self { connection, root, has_xinput, tells_of_input: false })
    }

    fn ask_quiet_for(&self) -> Result<Duration, DesktopError> {
        let told = self.connection.screensaver_query_info(self.root)?.reply()?;
        Ok(Duration::from_millis(told.ms_since_user_input.into()))
    }

    fn select_input(&self, tell: bool) -> Result<(), DesktopError> {
        let raw = XIEventMask::RAW_KEY_PRESS
            | XIEventMask::RAW_BUTTON_PRESS
            | XIEventMask::RAW_MOTION
            | XIEventMask::RAW_TOUCH_BEGIN;
        let mask = vec![if tell { raw } else { XIEventMask::from(0_u32) }];
        let mask = EventMask { deviceid: ALL_MASTERS, mask };
        self.connection.xinput_xi_select_events(self.root, &[mask])?.check()?;
        // What came before is of no use.
        while self.connection.poll_for_event()?.is_some() {}
        Ok(())
    }

    /// Whether input is among what has been received.
    fn has_input(&self) -> Result<bool, DesktopError> {
        while let Some(event) = self.connection.poll_for_event()? {
            if matches!(
                event,
                Event::XinputRawKeyPress(_)
                    | Event::XinputRawButtonPress(_)
                    | Event::XinputRawMotion(_)
                    | Event::XinputRawTouchBegin(_)
            ) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Seat for Server {
    type Error = SeatError;

    fn quiet_for(&mut self) -> Result<Duration, SeatError> {
        Ok(self.ask_quiet_for()?)
    }

    fn can_tell(&self) -> bool {
        self.has_xinput
    }

    fn tell_of_input(&mut self, tell: bool) -> Result<bool, SeatError> {
        if !self.has_xinput || self.tells_of_input == tell {
            return Ok(false);
        }
        self.select_input(tell)?;
        self.tells_of_input = tell;
        Ok(true)
    }

    fn wait_for_input(&mut self, time: Duration) -> Result<bool, SeatError> {
        let until = Instant::now() + time;
        // What came with an answer is here already, and the socket tells nothing of it.
        while !self.has_input()? {
            if Instant::now() >= until {
                return Ok(false);
            }
            readable(&[self.connection.stream().as_fd()], Some(until))?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::RecvTimeoutError;

    use lull_testkit::desktop::Desktop;
    use lull_types::UnixMillis;
    use x11rb::protocol::xproto::{ConnectionExt as _, EventMask as CoreMask, GrabMode, GrabStatus};
    use x11rb::protocol::xtest::ConnectionExt as _;

    use super::super::{Place, Presence, presence};
    use super::*;
    use crate::probes::presence::tests::{PATIENCE, SHORT, SILENCE, is_here, is_quiet, now, wanted, watch};
    use crate::probes::told_by;
    use crate::{Observation, Person, Probe as _};

    const KEY: u8 = 2;
    const BUTTON: u8 = 4;
    const MOTION: u8 = 6;

    /// A person at a desktop.
    struct Chair {
        connection: RustConnection,
        root: Window,
        desktop: Desktop,
    }

    impl Chair {
        fn new() -> Self {
            let desktop = Desktop::start(400, 300).unwrap();
            let (connection, screen) = x11rb::connect(Some(desktop.display())).unwrap();
            let root = connection.setup().roots[screen].root;
            Self { connection, root, desktop }
        }

        fn does(&self, what: u8, detail: u8, x: i16) {
            let fake = |what| {
                self.connection
                    .xtest_fake_input(what, detail, 0, self.root, x, 7, 0)
                    .unwrap()
                    .check()
                    .unwrap();
            };
            fake(what);
            // A key that is held is pressed again and again.
            if what != MOTION {
                fake(what + 1);
            }
        }

        /// The probe here, with XInput or without it.
        fn probe(&self, with_xinput: bool) -> Presence {
            let mut server = Server::open(self.desktop.display()).unwrap();
            assert!(server.has_xinput);
            server.has_xinput = with_xinput;
            let place = Place::X(self.desktop.display().to_owned());
            let mut probe = presence(place);
            probe.intervals = SHORT;
            probe.seat = Some(Box::new(server));
            probe
        }
    }

    #[test]
    fn a_person_who_goes_is_told_once_and_one_who_comes_at_once() {
        let seat = Chair::new();
        seat.does(MOTION, 0, 1);
        let told = told_by(seat.probe(true), &watch());
        is_here(&told);
        for (what, detail) in [(MOTION, 0), (KEY, 38), (BUTTON, 1)] {
            let from = now();
            seat.does(MOTION, 0, 2);
            is_quiet(&told, [from, now()]);
            assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
            seat.does(what, detail, 3);
            is_here(&told);
        }
    }

    #[test]
    fn a_game_that_grabs_all_input_hides_nobody() {
        let seat = Chair::new();
        let told = told_by(seat.probe(true), &watch());
        while told.recv_timeout(PATIENCE).unwrap() == Observation::Person(Person::Here) {}
        let (connection, root) = (&seat.connection, seat.root);
        let mode = GrabMode::ASYNC;
        let keyboard = connection.grab_keyboard(false, root, 0_u32, mode, mode).unwrap().reply().unwrap();
        let pointer = connection
            .grab_pointer(false, root, CoreMask::POINTER_MOTION, mode, mode, root, 0_u32, 0_u32)
            .unwrap()
            .reply()
            .unwrap();
        assert_eq!([keyboard.status, pointer.status], [GrabStatus::SUCCESS; 2]);
        seat.does(KEY, 38, 0);
        is_here(&told);
        is_quiet(&told, [UnixMillis(0).after(Duration::from_millis(now().0 - 10_000)), now()]);
        seat.does(MOTION, 0, 9);
        is_here(&told);
    }

    #[test]
    fn who_is_here_costs_no_events() {
        let seat = Chair::new();
        let mut server = Server::open(seat.desktop.display()).unwrap();
        let mut moves = (1..).map(|x| seat.does(MOTION, 0, x % 300));
        let mut moved = || moves.next().unwrap();
        let (now, soon) = (Duration::ZERO, PATIENCE);
        moved();
        server.quiet_for().unwrap();
        assert!(!server.wait_for_input(now).unwrap(), "it was not asked");
        assert!(server.tell_of_input(true).unwrap() && !server.tell_of_input(true).unwrap());
        moved();
        assert!(server.wait_for_input(soon).unwrap());
        moved();
        moved();
        assert!(server.tell_of_input(false).unwrap());
        moved();
        server.quiet_for().unwrap();
        assert!(!server.wait_for_input(now).unwrap(), "it was asked to stop");
    }

    #[test]
    fn a_server_that_tells_nothing_by_itself_is_asked() {
        let seat = Chair::new();
        seat.does(MOTION, 0, 1);
        let told = told_by(seat.probe(false), &watch());
        is_here(&told);
        let from = now();
        seat.does(MOTION, 0, 2);
        is_quiet(&told, [from, now()]);
        seat.does(MOTION, 0, 3);
        is_here(&told);
    }

    #[test]
    fn nobody_is_looked_for_while_that_is_not_wanted() {
        let seat = Chair::new();
        seat.does(MOTION, 0, 1);
        let watch = watch();
        let told = told_by(seat.probe(true), &watch);
        is_here(&told);
        watch.tell(wanted(None));
        assert_eq!(
            told.recv_timeout(Duration::from_secs(2)),
            Err(RecvTimeoutError::Timeout),
            "not even who goes"
        );
        watch.tell(wanted(Some(1)));
        is_quiet(&told, [UnixMillis(now().0 - 60_000), now()]);
        seat.does(MOTION, 0, 2);
        is_here(&told);
    }

    #[test]
    fn a_display_that_goes_is_an_error_and_nobody_there() {
        let watch = watch();
        let error = presence(Place::X(":4711".to_owned())).next(&watch).unwrap_err();
        assert!(error.to_string().contains("whether somebody uses this machine"), "{error}");
        let seat = Chair::new();
        let told = told_by(seat.probe(true), &watch);
        while told.recv_timeout(PATIENCE).unwrap() == Observation::Person(Person::Here) {}
        drop(seat);
        assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }
}
