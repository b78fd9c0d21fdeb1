//! What an X server tells of windows: of games and films, and under Wayland of those of them that run on Xwayland, as Wine's
//! and Proton's do.
//!
//! Window managers tell it by the
//! [Extended Window Manager Hints](https://specifications.freedesktop.org/wm-spec/latest/). What fills a screen without
//! saying so is told by its place: windows without a border, and those that no window manager manages.

use std::os::fd::{AsFd as _, BorrowedFd};

use x11rb::connection::Connection;
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::Event;
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, GetGeometryReply, MapState, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::{Windows, WindowsError, counted};
use crate::FullScreen;
use crate::gpu_use::shown;

/// Windows on a desktop are dozens; whoever makes thousands does not get to use the processor for it.
const WINDOWS_MAX: usize = 512;

/// Longest list of atoms or windows that is read, in units of 4 bytes.
const LIST_UNITS_MAX: u32 = 1024;

/// Pixels at the edge of a screen that need not be covered: some window managers keep a thin line around windows without
/// a border. Panels are wider.
const RIM: i32 = 8;

/// All desktops, in `_NET_WM_DESKTOP`.
const ALL_DESKTOPS: u32 = u32::MAX;

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        _NET_CLIENT_LIST,
        _NET_CURRENT_DESKTOP,
        _NET_WM_DESKTOP,
        _NET_WM_STATE,
        _NET_WM_STATE_FULLSCREEN,
        _NET_WM_STATE_HIDDEN,
        _NET_WM_STATE_MAXIMIZED_HORZ,
        _NET_WM_STATE_MAXIMIZED_VERT,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
        _MOTIF_WM_HINTS,
    }
}

/// An X server does not tell.
#[derive(Debug, thiserror::Error)]
pub(in crate::probes::here) enum DesktopError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Reply(#[from] ReplyError),
    #[error(transparent)]
    ReplyOrId(#[from] ReplyOrIdError),
    #[error("the display has no screen {0}")]
    NoScreen(usize),
}

/// A connection to a display.
pub(super) struct Desktop {
    connection: RustConnection,
    root: Window,
    atoms: Atoms,
    /// Managed windows of which changes are told.
    watched: Vec<Window>,
}

/// A place on the root window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Area {
    /// Whether it covers another but for its rim.
    fn covers(&self, other: &Self) -> bool {
        self.x <= other.x + RIM
            && self.y <= other.y + RIM
            && self.x + self.width >= other.x + other.width - RIM
            && self.y + self.height >= other.y + other.height - RIM
    }
}

/// What a managed window says of itself.
#[derive(Clone, Debug, Default)]
struct Managed {
    states: Vec<u32>,
    types: Vec<u32>,
    desktop: Option<u32>,
    has_no_border: bool,
    area: Option<Area>,
}

impl Desktop {
    pub fn open(display: &str) -> Result<Self, DesktopError> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let roots = &connection.setup().roots;
        let root = roots.get(screen).ok_or(DesktopError::NoScreen(screen))?.root;
        let atoms = Atoms::new(&connection)?.reply()?;
        let told = EventMask::PROPERTY_CHANGE | EventMask::SUBSTRUCTURE_NOTIFY;
        connection
            .change_window_attributes(root, &ChangeWindowAttributesAux::new().event_mask(told))?
            .check()?;
        Ok(Self { connection, root, atoms, watched: Vec::new() })
    }

    fn matters(&self, event: &Event) -> bool {
        match event {
            Event::PropertyNotify(told) => [
                self.atoms._NET_CLIENT_LIST,
                self.atoms._NET_CURRENT_DESKTOP,
                self.atoms._NET_WM_STATE,
                self.atoms._NET_WM_DESKTOP,
            ]
            .contains(&told.atom),
            Event::MapNotify(_) | Event::UnmapNotify(_) | Event::ConfigureNotify(_) => true,
            // Others say nothing of what can be seen. Errors are those of windows that are gone meanwhile.
            _ => false,
        }
    }

    /// Which program fills a screen now.
    fn find(&mut self) -> Result<Option<FullScreen>, DesktopError> {
        let screens = self.screens()?;
        let current = self.numbers(self.root, self.atoms._NET_CURRENT_DESKTOP, AtomEnum::CARDINAL)?;
        let current = current.first().copied();
        let mut clients = self.numbers(self.root, self.atoms._NET_CLIENT_LIST, AtomEnum::WINDOW)?;
        clients.truncate(WINDOWS_MAX);
        self.watch_for_changes(&clients)?;
        let managed = self.managed(&clients)?;
        for (window, managed) in clients.iter().zip(&managed) {
            if let Some(managed) = managed
                && self.fills(managed, current, &screens)
                && let Some(program) = self.program(*window)?
            {
                return Ok(Some(program));
            }
        }
        self.unmanaged(&screens)
    }

    /// Asks to be told of changes of windows that were not there before.
    fn watch_for_changes(&mut self, clients: &[Window]) -> Result<(), DesktopError> {
        for client in clients.iter().filter(|client| !self.watched.contains(client)) {
            // A window in a frame is shown and moved without its parent's parent being told.
            let told = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
            let told = ChangeWindowAttributesAux::new().event_mask(told);
            // A window that is gone meanwhile comes back as an error among the events.
            self.connection.change_window_attributes(*client, &told)?.ignore_error();
        }
        self.watched = clients.to_vec();
        Ok(())
    }

    fn screens(&self) -> Result<Vec<Area>, DesktopError> {
        let whole = self.connection.get_geometry(self.root)?;
        let monitors = self.connection.randr_get_monitors(self.root, true)?.reply();
        let whole = area(&whole.reply()?);
        // A server without RandR 1.5 has one screen.
        let monitors = monitors.map(|reply| reply.monitors).unwrap_or_default();
        let areas: Vec<Area> = monitors
            .iter()
            .map(|monitor| Area {
                x: monitor.x.into(),
                y: monitor.y.into(),
                width: monitor.width.into(),
                height: monitor.height.into(),
            })
            .collect();
        Ok(if areas.is_empty() { vec![whole] } else { areas })
    }

    /// Reads all windows in one round: every question is sent before the first answer is read.
    fn managed(&self, clients: &[Window]) -> Result<Vec<Option<Managed>>, DesktopError> {
        let ask = |window: Window| {
            let list = |atom, kind: AtomEnum| {
                self.connection.get_property(false, window, atom, kind, 0, LIST_UNITS_MAX)
            };
            Ok::<_, ConnectionError>((
                self.connection.get_window_attributes(window)?,
                self.connection.get_geometry(window)?,
                self.connection.translate_coordinates(window, self.root, 0, 0)?,
                list(self.atoms._NET_WM_STATE, AtomEnum::ATOM)?,
                list(self.atoms._NET_WM_WINDOW_TYPE, AtomEnum::ATOM)?,
                list(self.atoms._NET_WM_DESKTOP, AtomEnum::CARDINAL)?,
                list(self.atoms._MOTIF_WM_HINTS, AtomEnum::ANY)?,
            ))
        };
        let asked = clients.iter().map(|window| ask(*window)).collect::<Result<Vec<_>, _>>()?;
        let mut managed = Vec::with_capacity(asked.len());
        for (attributes, geometry, place, states, types, desktop, hints) in asked {
            let answers = (answer(attributes.reply())?, answer(geometry.reply())?, answer(place.reply())?);
            let (states, types) = (answer(states.reply())?, answer(types.reply())?);
            let (desktop, hints) = (answer(desktop.reply())?, answer(hints.reply())?);
            let (Some(attributes), Some(geometry), Some(place)) = answers else {
                managed.push(None);
                continue;
            };
            if attributes.map_state != MapState::VIEWABLE {
                managed.push(None);
                continue;
            }
            let numbers = |reply: Option<x11rb::protocol::xproto::GetPropertyReply>| -> Vec<u32> {
                reply.and_then(|reply| reply.value32().map(Iterator::collect)).unwrap_or_default()
            };
            let hints = numbers(hints);
            managed.push(Some(Managed {
                states: numbers(states),
                types: numbers(types),
                desktop: numbers(desktop).first().copied(),
                has_no_border: is_without_border(&hints),
                area: Some(Area { x: place.dst_x.into(), y: place.dst_y.into(), ..area(&geometry) }),
            }));
        }
        Ok(managed)
    }

    /// Whether a managed window that can be seen fills a screen.
    fn fills(&self, window: &Managed, current: Option<u32>, screens: &[Area]) -> bool {
        let atoms = &self.atoms;
        let has = |state: u32| window.states.contains(&state);
        let elsewhere = window.desktop.zip(current);
        if elsewhere.is_some_and(|(of, current)| of != current && of != ALL_DESKTOPS)
            || has(atoms._NET_WM_STATE_HIDDEN)
            || window.types.contains(&atoms._NET_WM_WINDOW_TYPE_DESKTOP)
            || window.types.contains(&atoms._NET_WM_WINDOW_TYPE_DOCK)
        {
            return false;
        }
        // A maximized window fills the screen of a desktop without panels, too, and people work in it.
        let is_maximized = has(atoms._NET_WM_STATE_MAXIMIZED_HORZ) && has(atoms._NET_WM_STATE_MAXIMIZED_VERT);
        let covers = window.area.is_some_and(|area| screens.iter().any(|screen| area.covers(screen)));
        has(atoms._NET_WM_STATE_FULLSCREEN) || (window.has_no_border && !is_maximized && covers)
    }

    /// Windows that no window manager manages, as old games and Wine's have them in full screen.
    fn unmanaged(&self, screens: &[Area]) -> Result<Option<FullScreen>, DesktopError> {
        let mut children = self.connection.query_tree(self.root)?.reply()?.children;
        // The topmost are the last.
        let skipped = children.len().saturating_sub(WINDOWS_MAX);
        children.drain(..skipped);
        let asked = children
            .iter()
            .map(|window| {
                let attributes = self.connection.get_window_attributes(*window)?;
                Ok((*window, attributes, self.connection.get_geometry(*window)?))
            })
            .collect::<Result<Vec<_>, ConnectionError>>()?;
        for (window, attributes, geometry) in asked {
            let (attributes, geometry) = (answer(attributes.reply())?, answer(geometry.reply())?);
            let Some((attributes, geometry)) = attributes.zip(geometry) else { continue };
            let is_seen = attributes.override_redirect
                && attributes.map_state == MapState::VIEWABLE
                && attributes.class == WindowClass::INPUT_OUTPUT;
            let covers = screens.iter().any(|screen| area(&geometry).covers(screen));
            // What compositors lay over the screen has no class.
            if is_seen
                && covers
                && let Some(program) = self.program(window)?
                && program.program.is_some()
            {
                return Ok(Some(program));
            }
        }
        Ok(None)
    }

    /// The program of a window, by its class; none for those that do not count.
    fn program(&self, window: Window) -> Result<Option<FullScreen>, DesktopError> {
        let asked = self.connection.get_property(
            false,
            window,
            AtomEnum::WM_CLASS,
            AtomEnum::STRING,
            0,
            LIST_UNITS_MAX,
        )?;
        let program = answer(asked.reply())?.and_then(|reply| class(&reply.value));
        Ok(counted(program))
    }

    fn numbers(&self, window: Window, atom: u32, kind: AtomEnum) -> Result<Vec<u32>, DesktopError> {
        let reply = self.connection.get_property(false, window, atom, kind, 0, LIST_UNITS_MAX)?.reply()?;
        Ok(reply.value32().map(Iterator::collect).unwrap_or_default())
    }
}

impl Windows for Desktop {
    fn socket(&self) -> BorrowedFd<'_> {
        self.connection.stream().as_fd()
    }

    fn receive(&mut self) -> Result<bool, WindowsError> {
        let mut changed = false;
        // What came with an answer is here already, and the socket tells nothing of it.
        while let Some(event) = self.connection.poll_for_event().map_err(DesktopError::from)? {
            changed |= self.matters(&event);
        }
        Ok(changed)
    }

    fn look(&mut self) -> Result<Option<FullScreen>, WindowsError> {
        Ok(self.find()?)
    }
}

/// The answer about a window that may be gone; only a broken connection is an error.
fn answer<T>(reply: Result<T, ReplyError>) -> Result<Option<T>, DesktopError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error @ ReplyError::ConnectionError(_)) => Err(error.into()),
    }
}

fn area(geometry: &GetGeometryReply) -> Area {
    Area {
        x: geometry.x.into(),
        y: geometry.y.into(),
        width: geometry.width.into(),
        height: geometry.height.into(),
    }
}

/// Whether `_MOTIF_WM_HINTS` ask for a window without a border: flags, functions, decorations, …, where bit 1 of the flags
/// says that the decorations are meant.
fn is_without_border(hints: &[u32]) -> bool {
    const DECORATIONS_ARE_MEANT: u32 = 1 << 1;
    matches!(hints, [flags, _, 0, ..] if flags & DECORATIONS_ARE_MEANT != 0)
}

/// The class of `WM_CLASS`: two texts, each with a zero at its end, of which the second names the program.
fn class(value: &[u8]) -> Option<String> {
    let mut texts = value.split(|byte| *byte == 0).filter(|text| !text.is_empty());
    let name = texts.next()?;
    shown(&String::from_utf8_lossy(texts.next().unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_as_they_come() {
        let check = |value: &[u8], expected: Option<&str>| assert_eq!(class(value).as_deref(), expected);
        check(b"Navigator\0firefox\0", Some("firefox"));
        check(b"xterm\0", Some("xterm"));
        check(b"xterm", Some("xterm"));
        check(b"", None);
        check(b"\0\0", None);
        check(b"a\0\x1b[31m\0", Some("[31m"));
        check(&[0xff; 300], Some(&"\u{fffd}".repeat(64)));
    }

    #[test]
    fn borders_are_told_by_hints() {
        assert!(is_without_border(&[2, 0, 0, 0, 0]));
        assert!(is_without_border(&[3, 1, 0]));
        assert!(!is_without_border(&[2, 0, 1, 0, 0]), "with one");
        assert!(!is_without_border(&[1, 0, 0, 0, 0]), "decorations are not meant");
        assert!(!is_without_border(&[]) && !is_without_border(&[2, 0]));
    }

    #[test]
    fn a_screen_is_covered_by_what_is_as_large() {
        let screen = Area { x: 1920, y: 0, width: 1280, height: 1024 };
        assert!(screen.covers(&screen));
        assert!(Area { x: 0, y: 0, width: 3200, height: 1080 }.covers(&screen));
        assert!(Area { x: 1921, y: 1, width: 1278, height: 1022 }.covers(&screen), "with a line around it");
        for (x, y, width, height) in [(1930, 0, 1280, 1024), (1920, 24, 1280, 1000), (1920, 0, 1270, 1024)] {
            assert!(!Area { x, y, width, height }.covers(&screen));
        }
    }
}
