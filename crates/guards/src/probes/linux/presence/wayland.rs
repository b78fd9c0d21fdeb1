//! What a Wayland compositor tells by the protocol
//! [ext-idle-notify-v1](https://wayland.app/protocols/ext-idle-notify-v1), as those of KDE, COSMIC, sway, Hyprland and others
//! do: when nothing was touched for so long, and when something is again.
//!
//! Of [Wayland's own](https://wayland.freedesktop.org/docs/html/ch04.html) this speaks only what leads there. A message is
//! the object that it is for, its length in bytes and its number within the object's interface, and its arguments: all
//! 32 bits wide and in the machine's byte order, texts with their length before them and a zero at their end.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{Seat, SeatError, readable};

/// Bound on the answers to what is asked first. A compositor that does not answer for so long draws nothing either.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes before a message's arguments.
const HEADER_BYTES: usize = 8;

// The objects. Their numbers are the client's to choose, but each must be the next one.
const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;
const OFFERS_END: u32 = 3;
const SEAT: u32 = 4;
const NOTIFIER: u32 = 5;
const NOTIFICATION: u32 = 6;
const REFUSALS_END: u32 = 7;

const SEAT_INTERFACE: &str = "wl_seat";
const NOTIFIER_INTERFACE: &str = "ext_idle_notifier_v1";

/// From this version on it can be asked for input alone; before, a film that keeps the screen on counts as input.
const NOTIFIER_VERSION: u32 = 2;

/// What is asked: the number within the interface.
mod request {
    pub const DISPLAY_SYNC: u16 = 0;
    pub const DISPLAY_GET_REGISTRY: u16 = 1;
    pub const REGISTRY_BIND: u16 = 0;
    pub const NOTIFIER_GET: u16 = 1;
    pub const NOTIFIER_GET_INPUT: u16 = 2;
}

/// What is told.
mod event {
    pub const DISPLAY_ERROR: u16 = 0;
    pub const REGISTRY_GLOBAL: u16 = 0;
    pub const CALLBACK_DONE: u16 = 0;
    pub const NOTIFICATION_IDLED: u16 = 0;
    pub const NOTIFICATION_RESUMED: u16 = 1;
}

/// A compositor does not tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaylandError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("it does not speak Wayland")]
    Garbled,
    #[error("it refuses: {0}")]
    Refused(String),
    #[error("it does not answer")]
    Silent,
    #[error("it does not tell programs of input")]
    Untold,
}

impl From<Errno> for WaylandError {
    fn from(error: Errno) -> Self {
        Self::Socket(error.into())
    }
}

/// A connection to a compositor.
#[derive(Debug)]
pub(super) struct Compositor {
    socket: UnixStream,
    /// What was received of a message that is not whole yet.
    received: Vec<u8>,
    /// After so long it tells that nothing was touched.
    quiet: Duration,
    /// Since when nothing was, once it has told so.
    quiet_since: Option<Instant>,
}

/// Something that it tells.
struct Told {
    object: u32,
    event: u16,
    arguments: Vec<u8>,
}

/// Something that a compositor offers.
#[derive(Clone, Copy)]
struct Offer {
    name: u32,
    version: u32,
}

impl Compositor {
    /// The one that listens here, which is to tell when nothing was touched for so long.
    pub fn open(socket: &Path, quiet: Duration) -> Result<Self, WaylandError> {
        let socket = UnixStream::connect(socket)?;
        socket.set_nonblocking(true)?;
        let mut compositor = Self { socket, received: Vec::new(), quiet, quiet_since: None };
        compositor.ask(DISPLAY, request::DISPLAY_GET_REGISTRY, &[Argument::Number(REGISTRY)])?;
        let (mut seat, mut notifier) = (None, None);
        compositor.round(OFFERS_END, |told| {
            if (told.object, told.event) == (REGISTRY, event::REGISTRY_GLOBAL) {
                let mut arguments = Arguments(&told.arguments);
                let (name, interface) = (arguments.number()?, arguments.text()?);
                let offer = Offer { name, version: arguments.number()? };
                match interface {
                    SEAT_INTERFACE => _ = seat.get_or_insert(offer),
                    NOTIFIER_INTERFACE => notifier = Some(offer),
                    _ => {}
                }
            }
            Ok(())
        })?;
        let (Some(seat), Some(notifier)) = (seat, notifier) else { return Err(WaylandError::Untold) };
        let version = notifier.version.min(NOTIFIER_VERSION);
        compositor.bind(SEAT, SEAT_INTERFACE, Offer { version: 1, ..seat })?;
        compositor.bind(NOTIFIER, NOTIFIER_INTERFACE, Offer { version, ..notifier })?;
        let get =
            if version < NOTIFIER_VERSION { request::NOTIFIER_GET } else { request::NOTIFIER_GET_INPUT };
        let millis = u32::try_from(quiet.as_millis()).unwrap_or(u32::MAX);
        compositor.ask(NOTIFIER, get, &[NOTIFICATION, millis, SEAT].map(Argument::Number))?;
        // What it refuses, it refuses before it answers.
        compositor.round(REFUSALS_END, |_| Ok(()))?;
        Ok(compositor)
    }

    fn bind(&mut self, object: u32, interface: &str, offer: Offer) -> Result<(), WaylandError> {
        let Offer { name, version } = offer;
        let arguments = [
            Argument::Number(name),
            Argument::Text(interface),
            Argument::Number(version),
            Argument::Number(object),
        ];
        self.ask(REGISTRY, request::REGISTRY_BIND, &arguments)
    }

    fn ask(&mut self, object: u32, request: u16, arguments: &[Argument<'_>]) -> Result<(), WaylandError> {
        // So little is written that the socket always has room for it.
        Ok(self.socket.write_all(&message(object, request, arguments))?)
    }

    /// Reads until all that was asked is answered, of which this object is told last.
    fn round(
        &mut self,
        end: u32,
        mut each: impl FnMut(&Told) -> Result<(), WaylandError>,
    ) -> Result<(), WaylandError> {
        self.ask(DISPLAY, request::DISPLAY_SYNC, &[Argument::Number(end)])?;
        let until = Instant::now() + PATIENCE;
        loop {
            for told in self.receive()? {
                if (told.object, told.event) == (end, event::CALLBACK_DONE) {
                    return Ok(());
                }
                each(&told)?;
            }
            if Instant::now() >= until {
                return Err(WaylandError::Silent);
            }
            readable(&self.socket, until)?;
        }
    }

    /// What it has told meanwhile, without waiting.
    fn receive(&mut self) -> Result<Vec<Told>, WaylandError> {
        let mut bytes = [0; 4096];
        let mut has_gone = false;
        while !has_gone {
            match self.socket.read(&mut bytes) {
                // What it said last says why.
                Ok(0) => has_gone = true,
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut all = Vec::new();
        while let Some(told) = next_message(&mut self.received)? {
            match (told.object, told.event) {
                (DISPLAY, event::DISPLAY_ERROR) => {
                    let mut arguments = Arguments(&told.arguments);
                    let (_object, _code) = (arguments.number()?, arguments.number()?);
                    return Err(WaylandError::Refused(arguments.text()?.to_owned()));
                }
                (NOTIFICATION, event::NOTIFICATION_IDLED) => {
                    self.quiet_since = Instant::now().checked_sub(self.quiet);
                }
                (NOTIFICATION, event::NOTIFICATION_RESUMED) => self.quiet_since = None,
                _ => {}
            }
            all.push(told);
        }
        if has_gone { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(all) }
    }
}

impl Seat for Compositor {
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
        loop {
            let told = self.receive()?;
            if told
                .iter()
                .any(|told| (told.object, told.event) == (NOTIFICATION, event::NOTIFICATION_RESUMED))
            {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            readable(&self.socket, until)?;
        }
    }
}

#[derive(Clone, Copy)]
enum Argument<'a> {
    Number(u32),
    Text(&'a str),
}

fn message(object: u32, request: u16, arguments: &[Argument<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Number(number) => body.extend_from_slice(&number.to_ne_bytes()),
            Argument::Text(text) => {
                let length = u32::try_from(text.len() + 1).unwrap_or(u32::MAX);
                body.extend_from_slice(&length.to_ne_bytes());
                body.extend_from_slice(text.as_bytes());
                body.push(0);
                body.resize(body.len().next_multiple_of(4), 0);
            }
        }
    }
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(u32::MAX);
    let header = [object, length << 16 | u32::from(request)];
    header.iter().flat_map(|number| number.to_ne_bytes()).chain(body).collect()
}

/// Takes the first message from what was received, if it is whole.
fn next_message(received: &mut Vec<u8>) -> Result<Option<Told>, WaylandError> {
    let mut header = Arguments(received);
    let (Ok(object), Ok(second)) = (header.number(), header.number()) else { return Ok(None) };
    let length = usize::try_from(second >> 16).map_err(|_| WaylandError::Garbled)?;
    if length < HEADER_BYTES || length % 4 != 0 {
        return Err(WaylandError::Garbled);
    }
    if received.len() < length {
        return Ok(None);
    }
    let arguments = received.drain(..length).skip(HEADER_BYTES).collect();
    let event = u16::try_from(second & 0xffff).map_err(|_| WaylandError::Garbled)?;
    Ok(Some(Told { object, event, arguments }))
}

/// What is left of a message's arguments.
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    fn number(&mut self) -> Result<u32, WaylandError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(WaylandError::Garbled)?;
        self.0 = rest;
        Ok(u32::from_ne_bytes(*number))
    }

    fn text(&mut self) -> Result<&'a str, WaylandError> {
        let length = usize::try_from(self.number()?).map_err(|_| WaylandError::Garbled)?;
        let padded = length.checked_next_multiple_of(4).ok_or(WaylandError::Garbled)?;
        let (text, rest) = self.0.split_at_checked(padded).ok_or(WaylandError::Garbled)?;
        self.0 = rest;
        let text = text[..length].strip_suffix(&[0]).ok_or(WaylandError::Garbled)?;
        std::str::from_utf8(text).map_err(|_| WaylandError::Garbled)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::super::tests::{BY_EVENTS, PATIENCE, is_here, is_quiet, now, wanted, watch};
    use super::super::{Place, Presence};
    use super::*;
    use crate::Probe as _;
    use crate::probes::told_by;

    /// A compositor of a test's own, which speaks what a client needs to hear.
    struct Fake {
        listener: UnixListener,
        folder: TempDir,
    }

    /// One of its clients.
    struct Client {
        stream: UnixStream,
        received: Vec<u8>,
    }

    impl Fake {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(folder.path().join("wayland-0")).unwrap();
            Self { listener, folder }
        }

        fn probe(&self) -> Presence {
            let place = Place::Wayland(self.folder.path().join("wayland-0"));
            Presence { intervals: BY_EVENTS, ..Presence::at(place) }
        }

        fn accept(&self) -> Client {
            let (stream, _) = self.listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            Client { stream, received: Vec::new() }
        }

        /// Accepts a client and offers it this of the protocol's version.
        fn serve(&self, version: u32) -> Client {
            // In this order they are made below; libwayland refuses any other number.
            let made = [REGISTRY, OFFERS_END, SEAT, NOTIFIER, NOTIFICATION, REFUSALS_END];
            assert!(made.iter().copied().eq(2..8));
            let mut client = self.accept();
            client.offers(&[("wl_compositor", 6), (SEAT_INTERFACE, 9), (NOTIFIER_INTERFACE, version)]);
            let seat = [Argument::Number(11), Argument::Text(SEAT_INTERFACE), Argument::Number(1)];
            client.hears(REGISTRY, request::REGISTRY_BIND, &[&seat[..], &[Argument::Number(SEAT)]].concat());
            let bound = Argument::Number(version.min(2));
            let notifier = [Argument::Number(12), Argument::Text(NOTIFIER_INTERFACE), bound];
            let notifier = [&notifier[..], &[Argument::Number(NOTIFIER)]].concat();
            client.hears(REGISTRY, request::REGISTRY_BIND, &notifier);
            let get = if version == 1 { request::NOTIFIER_GET } else { request::NOTIFIER_GET_INPUT };
            client.hears(NOTIFIER, get, &[NOTIFICATION, 1000, SEAT].map(Argument::Number));
            client.answers(REFUSALS_END);
            client
        }
    }

    impl Client {
        #[track_caller]
        fn hears(&mut self, object: u32, request: u16, arguments: &[Argument<'_>]) {
            let expected = message(object, request, arguments);
            let mut bytes = [0; 4096];
            while self.received.len() < expected.len() {
                let read = self.stream.read(&mut bytes).unwrap();
                assert_ne!(read, 0, "it has gone");
                self.received.extend_from_slice(&bytes[..read]);
            }
            let rest = self.received.split_off(expected.len());
            assert_eq!(std::mem::replace(&mut self.received, rest), expected);
        }

        fn tells(&mut self, object: u32, event: u16, arguments: &[Argument<'_>]) {
            self.stream.write_all(&message(object, event, arguments)).unwrap();
        }

        fn offers(&mut self, offers: &[(&str, u32)]) {
            self.hears(DISPLAY, request::DISPLAY_GET_REGISTRY, &[Argument::Number(REGISTRY)]);
            for ((interface, version), name) in offers.iter().zip(10..) {
                let arguments =
                    [Argument::Number(name), Argument::Text(interface), Argument::Number(*version)];
                self.tells(REGISTRY, event::REGISTRY_GLOBAL, &arguments);
            }
            self.answers(OFFERS_END);
        }

        fn answers(&mut self, callback: u32) {
            self.hears(DISPLAY, request::DISPLAY_SYNC, &[Argument::Number(callback)]);
            // Both at once, as a client may leave with the answer: after it, the number is free again.
            let done = message(callback, event::CALLBACK_DONE, &[Argument::Number(0)]);
            let is_free = message(DISPLAY, 1, &[Argument::Number(callback)]);
            self.stream.write_all(&[done, is_free].concat()).unwrap();
        }

        fn is_quiet(&mut self, quiet: bool) {
            let event = if quiet { event::NOTIFICATION_IDLED } else { event::NOTIFICATION_RESUMED };
            self.tells(NOTIFICATION, event, &[]);
        }
    }

    #[test]
    fn a_compositor_tells_who_goes_and_comes() {
        for version in [1, 2, 7] {
            let fake = Fake::new();
            let told = told_by(fake.probe(), &watch());
            let mut client = fake.serve(version);
            is_here(&told);
            // It is heard with the next look, and was quiet for a second then.
            let times = [lull_types::UnixMillis(now().0 - 1000), now().after(PATIENCE)];
            client.is_quiet(true);
            is_quiet(&told, times);
            client.is_quiet(false);
            is_here(&told);
            client.is_quiet(true);
            is_quiet(&told, times);
        }
    }

    #[test]
    fn nobody_is_looked_for_while_that_is_not_wanted() {
        let fake = Fake::new();
        let watch = watch();
        let told = told_by(fake.probe(), &watch);
        let mut client = fake.serve(2);
        is_here(&told);
        watch.tell(wanted(None));
        assert_eq!(client.stream.read(&mut [0]).unwrap(), 0, "it leaves");
        watch.tell(wanted(Some(1)));
        let _client = fake.serve(2);
        is_here(&told);
    }

    #[test]
    fn a_compositor_that_tells_nothing_is_an_error() {
        let check = |serve: fn(&mut Client), expected: &str| {
            let fake = Fake::new();
            let mut probe = fake.probe();
            let told = std::thread::spawn(move || probe.next(&watch()));
            let mut client = fake.accept();
            serve(&mut client);
            let error = told.join().unwrap().unwrap_err().to_string();
            assert!(
                error.contains("whether somebody uses this machine") && error.contains(expected),
                "{error}"
            );
        };
        check(|client| client.stream.shutdown(std::net::Shutdown::Both).unwrap(), "compositor");
        check(
            |client| {
                client.tells(DISPLAY, event::DISPLAY_ERROR, &[1, 2].map(Argument::Number));
            },
            "does not speak Wayland",
        );
        check(
            |client| {
                let refusal = [Argument::Number(1), Argument::Number(2), Argument::Text("no")];
                client.tells(DISPLAY, event::DISPLAY_ERROR, &refusal);
            },
            "it refuses: no",
        );
        let untold = Compositor::open(Path::new("/nowhere"), PATIENCE);
        assert!(matches!(untold, Err(WaylandError::Socket(_))));
        let fake = Fake::new();
        let socket = fake.folder.path().join("wayland-0");
        let untold = std::thread::spawn(move || Compositor::open(&socket, PATIENCE));
        let mut client = fake.accept();
        client.offers(&[("wl_compositor", 6), (SEAT_INTERFACE, 9)]);
        assert!(matches!(untold.join().unwrap(), Err(WaylandError::Untold)));
    }

    #[test]
    fn messages_are_whole_or_wait_and_garbled_ones_are_refused() {
        let text = message(3, 4, &[Argument::Text("four"), Argument::Number(5)]);
        assert_eq!(text.len(), HEADER_BYTES + 4 + 8 + 4);
        for cut in 0..text.len() {
            assert!(next_message(&mut text[..cut].to_vec()).unwrap().is_none());
        }
        let mut two = [text.clone(), text.clone()].concat();
        let told = next_message(&mut two).unwrap().unwrap();
        assert_eq!((told.object, told.event, two), (3, 4, text));
        let mut arguments = Arguments(&told.arguments);
        assert_eq!((arguments.text().unwrap(), arguments.number().unwrap()), ("four", 5));
        assert!(arguments.number().is_err());
        for length in [0_u32, 4, 9, 11] {
            let mut header = [1_u32.to_ne_bytes(), (length << 16).to_ne_bytes()].concat();
            header.extend([0; 8]);
            assert!(next_message(&mut header).is_err(), "{length}");
        }
        // Texts that are longer than their message, without a zero, or none.
        for text in [
            &[9, 0, 0, 0, 65, 0, 0, 0][..],
            &[4, 0, 0, 0, 65, 65, 65, 65],
            &[0, 0, 0, 0],
            &[2, 0, 0, 0, 255, 0, 0, 0],
        ] {
            assert!(Arguments(text).text().is_err(), "{text:?}");
        }
        assert!(Arguments(&[255; 8]).text().is_err());
    }
}
