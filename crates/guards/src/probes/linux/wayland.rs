//! A client of Wayland compositors.
//!
//! Of [the protocol](https://wayland.freedesktop.org/docs/html/ch04.html) this speaks only what leads to what a compositor
//! tells. A message is the object that it is for, its length in bytes and its number within the object's interface, and its
//! arguments: all 32 bits wide and in the machine's byte order, texts and lists with their length before them, texts with a
//! zero at their end.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::wait::readable;

/// Bound on the answers to what is asked first. A compositor that does not answer for so long draws nothing either.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes before a message's arguments.
const HEADER_BYTES: usize = 8;

/// The one object that is there from the beginning.
const DISPLAY: u32 = 1;
/// The one that is made first.
pub(super) const REGISTRY: u32 = 2;

/// What is asked: the number within the interface.
mod request {
    pub const DISPLAY_SYNC: u16 = 0;
    pub const DISPLAY_GET_REGISTRY: u16 = 1;
    pub const REGISTRY_BIND: u16 = 0;
}

/// What is told.
pub(super) mod event {
    pub const DISPLAY_ERROR: u16 = 0;
    pub const REGISTRY_GLOBAL: u16 = 0;
    pub const REGISTRY_GLOBAL_REMOVE: u16 = 1;
    pub const CALLBACK_DONE: u16 = 0;
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
    #[error("it does not tell programs of {0}")]
    Untold(&'static str),
}

impl From<Errno> for WaylandError {
    fn from(error: Errno) -> Self {
        Self::Socket(error.into())
    }
}

/// Where the compositor of this desktop listens, by the environment of a desktop's programs, if it is one of Wayland.
pub(super) fn socket(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let name = set("WAYLAND_DISPLAY");
    if name.is_none() && set("XDG_SESSION_TYPE").as_deref() != Some("wayland") {
        return None;
    }
    let folder = PathBuf::from(set("XDG_RUNTIME_DIR").unwrap_or_default());
    Some(folder.join(name.unwrap_or_else(|| "wayland-0".to_owned())))
}

/// A connection to a compositor.
#[derive(Debug)]
pub(super) struct Connection {
    socket: UnixStream,
    /// What was received of a message that is not whole yet.
    received: Vec<u8>,
    /// The object that was made last. Their numbers are the client's to choose, but each must be the next one.
    newest: u32,
}

/// Something that a compositor tells.
#[derive(Debug)]
pub(super) struct Told {
    pub object: u32,
    pub event: u16,
    arguments: Vec<u8>,
}

/// Something that a compositor offers.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub name: u32,
    pub interface: String,
    pub version: u32,
}

impl Told {
    pub fn arguments(&self) -> Arguments<'_> {
        Arguments(&self.arguments)
    }

    /// What it offers, if that is what it tells.
    pub fn offer(&self) -> Result<Option<Offer>, WaylandError> {
        if (self.object, self.event) != (REGISTRY, event::REGISTRY_GLOBAL) {
            return Ok(None);
        }
        let mut arguments = self.arguments();
        let (name, interface) = (arguments.number()?, arguments.text()?.to_owned());
        Ok(Some(Offer { name, interface, version: arguments.number()? }))
    }
}

impl Connection {
    /// To the one that listens here, and what it offers.
    pub fn open(socket: &Path) -> Result<(Self, Vec<Offer>), WaylandError> {
        let socket = UnixStream::connect(socket)?;
        socket.set_nonblocking(true)?;
        let mut connection = Self { socket, received: Vec::new(), newest: DISPLAY };
        let registry = connection.new_object();
        connection.ask(DISPLAY, request::DISPLAY_GET_REGISTRY, &[Argument::Number(registry)])?;
        let told = connection.round()?;
        let offers = told.iter().filter_map(|told| told.offer().transpose()).collect::<Result<_, _>>()?;
        Ok((connection, offers))
    }

    /// The number of an object that the next request makes.
    pub fn new_object(&mut self) -> u32 {
        self.newest += 1;
        self.newest
    }

    /// Takes what is offered, up to that version of it: the object that it is then.
    pub fn bind(&mut self, offer: &Offer, version_max: u32) -> Result<u32, WaylandError> {
        let object = self.new_object();
        let arguments = [
            Argument::Number(offer.name),
            Argument::Text(&offer.interface),
            Argument::Number(offer.version.min(version_max)),
            Argument::Number(object),
        ];
        self.ask(REGISTRY, request::REGISTRY_BIND, &arguments)?;
        Ok(object)
    }

    pub fn ask(&mut self, object: u32, request: u16, arguments: &[Argument<'_>]) -> Result<(), WaylandError> {
        // So little is written that the socket always has room for it.
        Ok(self.socket.write_all(&message(object, request, arguments))?)
    }

    /// Reads until all that was asked is answered. What it refuses, it refuses before.
    pub fn round(&mut self) -> Result<Vec<Told>, WaylandError> {
        let end = self.new_object();
        self.ask(DISPLAY, request::DISPLAY_SYNC, &[Argument::Number(end)])?;
        let until = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        loop {
            let told = self.receive()?;
            let is_end = told.iter().any(|told| (told.object, told.event) == (end, event::CALLBACK_DONE));
            all.extend(told);
            if is_end {
                return Ok(all);
            }
            if Instant::now() >= until {
                return Err(WaylandError::Silent);
            }
            readable(&[self.as_fd()], Some(until))?;
        }
    }

    /// What it has told meanwhile, without waiting.
    pub fn receive(&mut self) -> Result<Vec<Told>, WaylandError> {
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
            if (told.object, told.event) == (DISPLAY, event::DISPLAY_ERROR) {
                let mut arguments = told.arguments();
                let (_object, _code) = (arguments.number()?, arguments.number()?);
                return Err(WaylandError::Refused(arguments.text()?.to_owned()));
            }
            all.push(told);
        }
        if has_gone { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(all) }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
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
pub(super) struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    pub fn number(&mut self) -> Result<u32, WaylandError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(WaylandError::Garbled)?;
        self.0 = rest;
        Ok(u32::from_ne_bytes(*number))
    }

    pub fn text(&mut self) -> Result<&'a str, WaylandError> {
        let text = self.bytes()?.strip_suffix(&[0]).ok_or(WaylandError::Garbled)?;
        std::str::from_utf8(text).map_err(|_| WaylandError::Garbled)
    }

    /// A list of numbers.
    pub fn numbers(&mut self) -> Result<Vec<u32>, WaylandError> {
        let (numbers, rest) = self.bytes()?.as_chunks();
        let numbers = numbers.iter().map(|number| u32::from_ne_bytes(*number)).collect();
        if rest.is_empty() { Ok(numbers) } else { Err(WaylandError::Garbled) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], WaylandError> {
        let length = usize::try_from(self.number()?).map_err(|_| WaylandError::Garbled)?;
        let padded = length.checked_next_multiple_of(4).ok_or(WaylandError::Garbled)?;
        let (bytes, rest) = self.0.split_at_checked(padded).ok_or(WaylandError::Garbled)?;
        self.0 = rest;
        Ok(&bytes[..length])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    /// A compositor of a test's own, which speaks what a client needs to hear.
    pub struct Fake {
        listener: UnixListener,
        folder: TempDir,
    }

    /// One of its clients.
    pub struct Client {
        pub stream: UnixStream,
        received: Vec<u8>,
    }

    impl Fake {
        pub fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(folder.path().join("wayland-0")).unwrap();
            Self { listener, folder }
        }

        pub fn socket(&self) -> PathBuf {
            self.folder.path().join("wayland-0")
        }

        pub fn accept(&self) -> Client {
            let (stream, _) = self.listener.accept().unwrap();
            // Bound on what takes milliseconds.
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            Client { stream, received: Vec::new() }
        }
    }

    impl Client {
        #[track_caller]
        pub fn hears(&mut self, object: u32, request: u16, arguments: &[Argument<'_>]) {
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

        /// Hears that something is taken which was offered.
        #[track_caller]
        pub fn hears_bind(&mut self, name: u32, interface: &str, version: u32, object: u32) {
            let arguments = [Argument::Number(name), Argument::Text(interface), Argument::Number(version)];
            let arguments = [&arguments[..], &[Argument::Number(object)]].concat();
            self.hears(REGISTRY, request::REGISTRY_BIND, &arguments);
        }

        pub fn tells(&mut self, object: u32, event: u16, arguments: &[Argument<'_>]) {
            self.stream.write_all(&message(object, event, arguments)).unwrap();
        }

        /// Tells a list of numbers.
        pub fn tells_list(&mut self, object: u32, event: u16, numbers: &[u32]) {
            let length = u32::try_from(numbers.len() * 4).unwrap();
            let list: Vec<_> = [length].iter().chain(numbers).copied().map(Argument::Number).collect();
            self.tells(object, event, &list);
        }

        pub fn offer(&mut self, name: u32, interface: &str, version: u32) {
            let arguments = [Argument::Number(name), Argument::Text(interface), Argument::Number(version)];
            self.tells(REGISTRY, event::REGISTRY_GLOBAL, &arguments);
        }

        /// Offers each of these in its version; their names are 10, 11 and so on.
        #[track_caller]
        pub fn offers(&mut self, offers: &[(&str, u32)]) {
            self.hears(DISPLAY, request::DISPLAY_GET_REGISTRY, &[Argument::Number(REGISTRY)]);
            for ((interface, version), name) in offers.iter().zip(10..) {
                self.offer(name, interface, *version);
            }
            self.answers(REGISTRY + 1);
        }

        #[track_caller]
        pub fn answers(&mut self, callback: u32) {
            self.hears(DISPLAY, request::DISPLAY_SYNC, &[Argument::Number(callback)]);
            // Both at once, as a client may leave with the answer: after it, the number is free again.
            let done = message(callback, event::CALLBACK_DONE, &[Argument::Number(0)]);
            let is_free = message(DISPLAY, 1, &[Argument::Number(callback)]);
            self.stream.write_all(&[done, is_free].concat()).unwrap();
        }

        pub fn refuses(&mut self, why: &str) {
            let refusal = [Argument::Number(1), Argument::Number(2), Argument::Text(why)];
            self.tells(DISPLAY, event::DISPLAY_ERROR, &refusal);
        }
    }

    #[test]
    fn who_does_not_speak_wayland_or_refuses_is_an_error() {
        let check = |serve: fn(&mut Client), expected: &str| {
            let fake = Fake::new();
            let socket = fake.socket();
            let opened = std::thread::spawn(move || Connection::open(&socket).map(|_| ()));
            let mut client = fake.accept();
            serve(&mut client);
            let error = opened.join().unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(|client| client.stream.shutdown(std::net::Shutdown::Both).unwrap(), "");
        check(
            |client| client.tells(DISPLAY, event::DISPLAY_ERROR, &[1, 2].map(Argument::Number)),
            "does not speak Wayland",
        );
        check(|client| client.refuses("no"), "it refuses: no");
        let nowhere = Connection::open(Path::new("/nowhere"));
        assert!(matches!(nowhere, Err(WaylandError::Socket(_))));
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
        let mut arguments = told.arguments();
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
        assert!(Arguments(&[0; 4]).numbers().unwrap().is_empty());
        assert_eq!(Arguments(&[4, 0, 0, 0, 3, 0, 0, 0]).numbers().unwrap(), [3]);
        assert!(Arguments(&[5, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]).numbers().is_err(), "a part of a number");
    }
}
