//! What a Wayland compositor tells of all windows by the protocol
//! [wlr-foreign-toplevel-management](https://wayland.app/protocols/wlr-foreign-toplevel-management-unstable-v1), as sway,
//! Hyprland, labwc, river, Wayfire and niri do. GNOME's tells programs of no windows but their own, and KDE's only those
//! that it was told to trust.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use super::{Windows, WindowsError, counted};
use crate::FullScreen;
use crate::gpu_use::shown;
use crate::probes::here::wayland::{self, Connection, Offer, REGISTRY, Told, WaylandError};

const MANAGER_INTERFACE: &str = "zwlr_foreign_toplevel_manager_v1";
/// From this version on it tells of full screen.
const MANAGER_VERSION: u32 = 2;

/// A client is told on which outputs windows are of those that it has taken.
const OUTPUT_INTERFACE: &str = "wl_output";
/// All that is needed of an output is that it is one.
const OUTPUT_VERSION: u32 = 1;

/// What is asked: the number within the interface.
mod request {
    pub const TOPLEVEL_DESTROY: u16 = 7;
}

/// What is told.
mod event {
    pub const MANAGER_TOPLEVEL: u16 = 0;
    pub const MANAGER_FINISHED: u16 = 1;
    pub const TOPLEVEL_APP_ID: u16 = 1;
    pub const TOPLEVEL_OUTPUT_ENTER: u16 = 2;
    pub const TOPLEVEL_OUTPUT_LEAVE: u16 = 3;
    pub const TOPLEVEL_STATE: u16 = 4;
    pub const TOPLEVEL_DONE: u16 = 5;
    pub const TOPLEVEL_CLOSED: u16 = 6;
}

/// What a window can be.
mod state {
    pub const MINIMIZED: u32 = 1;
    pub const ACTIVATED: u32 = 2;
    pub const FULL_SCREEN: u32 = 3;
}

/// A connection to a compositor, and the windows of which it has told.
pub(super) struct Toplevels {
    connection: Connection,
    manager: u32,
    /// The objects of outputs, by the names by which the compositor offers them.
    outputs: BTreeMap<u32, u32>,
    /// Windows, by their objects.
    windows: BTreeMap<u32, Window>,
}

/// A window.
#[derive(Debug, Default)]
struct Window {
    app_id: Option<String>,
    states: Vec<u32>,
    /// The outputs on which it can be seen; `None` where the compositor has told of none yet.
    outputs: Option<BTreeSet<u32>>,
}

impl Window {
    /// Whether it fills a screen that can be seen.
    fn fills(&self) -> bool {
        let is = |state| self.states.contains(&state);
        // One on another workspace is on no output, where the compositor says what can be seen, as the protocol has it. Some
        // say where it would be (sway 1.7 does): there a game counts on another workspace, too, which is the safer mistake.
        let is_seen = is(state::ACTIVATED) || self.outputs.as_ref().is_none_or(|outputs| !outputs.is_empty());
        is(state::FULL_SCREEN) && !is(state::MINIMIZED) && is_seen
    }
}

impl Toplevels {
    /// Of the compositor that listens here.
    pub fn open(socket: &Path) -> Result<Self, WaylandError> {
        let (mut connection, offers) = Connection::open(socket)?;
        let is_manager =
            |offer: &&Offer| offer.interface == MANAGER_INTERFACE && offer.version >= MANAGER_VERSION;
        let manager = offers.iter().find(is_manager).ok_or(WaylandError::Untold("windows"))?;
        let manager = connection.bind(manager, MANAGER_VERSION)?;
        let mut toplevels = Self { connection, manager, outputs: BTreeMap::new(), windows: BTreeMap::new() };
        for offer in &offers {
            toplevels.take_output(offer)?;
        }
        let told = toplevels.connection.round()?;
        toplevels.take_in(&told)?;
        Ok(toplevels)
    }

    fn take_output(&mut self, offer: &Offer) -> Result<(), WaylandError> {
        if offer.interface == OUTPUT_INTERFACE {
            let output = self.connection.bind(offer, OUTPUT_VERSION)?;
            self.outputs.insert(offer.name, output);
        }
        Ok(())
    }

    /// Whether something was told that may have changed what fills a screen.
    fn take_in(&mut self, all: &[Told]) -> Result<bool, WaylandError> {
        let mut changed = false;
        for told in all {
            let mut arguments = told.arguments();
            match (told.object, told.event) {
                (REGISTRY, wayland::event::REGISTRY_GLOBAL_REMOVE) => {
                    if let Some(output) = self.outputs.remove(&arguments.number()?) {
                        let of_windows =
                            self.windows.values_mut().filter_map(|window| window.outputs.as_mut());
                        of_windows.for_each(|outputs| changed |= outputs.remove(&output));
                    }
                }
                (REGISTRY, _) => {
                    if let Some(offer) = told.offer()? {
                        self.take_output(&offer)?;
                    }
                }
                (object, event::MANAGER_TOPLEVEL) if object == self.manager => {
                    self.windows.insert(arguments.number()?, Window::default());
                }
                (object, event::MANAGER_FINISHED) if object == self.manager => {
                    return Err(WaylandError::Untold("windows any more"));
                }
                (object, event) => {
                    let Some(window) = self.windows.get_mut(&object) else { continue };
                    match event {
                        event::TOPLEVEL_APP_ID => window.app_id = shown(arguments.text()?),
                        event::TOPLEVEL_STATE => window.states = arguments.numbers()?,
                        event::TOPLEVEL_OUTPUT_ENTER => {
                            window.outputs.get_or_insert_default().insert(arguments.number()?);
                        }
                        event::TOPLEVEL_OUTPUT_LEAVE => {
                            window.outputs.get_or_insert_default().remove(&arguments.number()?);
                        }
                        event::TOPLEVEL_DONE => changed = true,
                        event::TOPLEVEL_CLOSED => {
                            self.windows.remove(&object);
                            changed = true;
                            self.connection.ask(object, request::TOPLEVEL_DESTROY, &[])?;
                        }
                        // Titles, and parents in versions that are not asked for.
                        _ => {}
                    }
                }
            }
        }
        Ok(changed)
    }
}

impl Windows for Toplevels {
    fn socket(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    fn receive(&mut self) -> Result<bool, WindowsError> {
        let told = self.connection.receive()?;
        Ok(self.take_in(&told)?)
    }

    fn look(&mut self) -> Result<Option<FullScreen>, WindowsError> {
        let filling = self.windows.values().filter(|window| window.fills());
        Ok(filling.filter_map(|window| counted(window.app_id.clone())).next())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError};
    use std::time::Duration;

    use super::super::FullScreenWindows;
    use super::*;
    use crate::probes::here::wayland::Argument;
    use crate::probes::here::wayland::tests::{Client, Fake};
    use crate::probes::told_by;
    use crate::{Observation, Probe as _, Watch};

    /// Bound on what takes milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    const SILENCE: Duration = Duration::from_millis(300);

    // In this order they are made; libwayland refuses any other number.
    const MANAGER: u32 = 4;
    const LEFT: u32 = 5;
    const RIGHT: u32 = 6;
    const END: u32 = 7;

    /// Windows are made by the compositor, which numbers them from here on.
    const GAME: u32 = 0xff00_0000;
    const OTHER: u32 = 0xff00_0001;

    /// Accepts a client of a compositor with two outputs.
    pub fn serve(fake: &Fake) -> Client {
        let mut client = fake.accept();
        client.offers(&[("wl_output", 4), (MANAGER_INTERFACE, 3), ("wl_output", 4)]);
        client.hears_bind(11, MANAGER_INTERFACE, 2, MANAGER);
        client.hears_bind(10, OUTPUT_INTERFACE, 1, LEFT);
        client.hears_bind(12, OUTPUT_INTERFACE, 1, RIGHT);
        client.answers(END);
        client
    }

    fn opens(client: &mut Client, window: u32, app_id: &str) {
        client.tells(MANAGER, event::MANAGER_TOPLEVEL, &[Argument::Number(window)]);
        client.tells(window, 0, &[Argument::Text("a title")]);
        client.tells(window, event::TOPLEVEL_APP_ID, &[Argument::Text(app_id)]);
    }

    fn is(client: &mut Client, window: u32, states: &[u32]) {
        client.tells_list(window, event::TOPLEVEL_STATE, states);
        client.tells(window, event::TOPLEVEL_DONE, &[]);
    }

    /// A window opens and fills a screen.
    pub fn full_screen(client: &mut Client, window: u32, app_id: &str) {
        opens(client, window, app_id);
        is(client, window, &[ACTIVATED, FULL_SCREEN]);
    }

    /// A compositor with two outputs, and what the probe tells of it.
    struct Bench {
        client: Client,
        told: Receiver<Observation>,
        _fake: Fake,
    }

    impl Bench {
        fn new() -> Self {
            let fake = Fake::new();
            let probe = FullScreenWindows::of(None, Some(fake.socket())).unwrap();
            let told = told_by(probe, &Watch::default());
            let client = serve(&fake);
            let bench = Self { client, told, _fake: fake };
            bench.tells(None);
            bench
        }

        fn opens(&mut self, window: u32, app_id: &str) {
            opens(&mut self.client, window, app_id);
        }

        fn outputs(&mut self, window: u32, event: u16, output: u32) {
            self.client.tells(window, event, &[Argument::Number(output)]);
        }

        fn is(&mut self, window: u32, states: &[u32]) {
            is(&mut self.client, window, states);
        }

        fn done(&mut self, window: u32) {
            self.client.tells(window, event::TOPLEVEL_DONE, &[]);
        }

        #[track_caller]
        fn tells(&self, program: Option<&str>) {
            let expected = program.map(|program| FullScreen { program: Some(program.to_owned()) });
            assert_eq!(self.told.recv_timeout(PATIENCE), Ok(Observation::FullScreen(expected)));
        }

        #[track_caller]
        fn tells_nothing(&self) {
            assert_eq!(self.told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
        }
    }

    const MAXIMIZED: u32 = 0;
    use state::{ACTIVATED, FULL_SCREEN, MINIMIZED};

    #[test]
    fn a_full_screen_window_is_seen_while_it_can_be_seen() {
        let mut bench = Bench::new();
        bench.opens(GAME, "game");
        bench.outputs(GAME, event::TOPLEVEL_OUTPUT_ENTER, LEFT);
        bench.is(GAME, &[MAXIMIZED, ACTIVATED]);
        bench.tells_nothing();
        bench.is(GAME, &[ACTIVATED, FULL_SCREEN]);
        bench.tells(Some("game"));
        // Somebody works on the other screen.
        bench.is(GAME, &[FULL_SCREEN]);
        bench.tells_nothing();
        // Away from it, and back.
        bench.outputs(GAME, event::TOPLEVEL_OUTPUT_LEAVE, LEFT);
        bench.done(GAME);
        bench.tells(None);
        bench.outputs(GAME, event::TOPLEVEL_OUTPUT_ENTER, RIGHT);
        bench.done(GAME);
        bench.tells(Some("game"));
        // Made small by hand.
        bench.is(GAME, &[FULL_SCREEN, MINIMIZED]);
        bench.tells(None);
        bench.is(GAME, &[FULL_SCREEN]);
        bench.tells(Some("game"));
        // A second one, and the first ends.
        bench.opens(OTHER, "film");
        bench.is(OTHER, &[FULL_SCREEN]);
        bench.client.tells(GAME, event::TOPLEVEL_CLOSED, &[]);
        bench.client.hears(GAME, request::TOPLEVEL_DESTROY, &[]);
        bench.tells(Some("film"));
        bench.is(OTHER, &[]);
        bench.tells(None);
    }

    #[test]
    fn outputs_come_and_go() {
        let mut bench = Bench::new();
        bench.opens(GAME, "game");
        bench.client.offer(40, OUTPUT_INTERFACE, 4);
        bench.client.hears_bind(40, OUTPUT_INTERFACE, 1, END + 1);
        bench.outputs(GAME, event::TOPLEVEL_OUTPUT_ENTER, END + 1);
        bench.is(GAME, &[FULL_SCREEN]);
        bench.tells(Some("game"));
        bench.client.tells(REGISTRY, wayland::event::REGISTRY_GLOBAL_REMOVE, &[Argument::Number(40)]);
        bench.tells(None);
    }

    #[test]
    fn lull_and_locks_do_not_count() {
        let mut bench = Bench::new();
        for (window, app_id) in (GAME..).zip(["Lull", "com.lull.desktop", "i3lock"]) {
            bench.opens(window, app_id);
            bench.is(window, &[ACTIVATED, FULL_SCREEN]);
        }
        bench.tells_nothing();
    }

    #[test]
    fn windows_fill_a_screen_by_what_is_told_of_them() {
        let check = |states: &[u32], outputs: Option<&[u32]>, expected: bool| {
            let outputs = outputs.map(|outputs| outputs.iter().copied().collect());
            let window = Window { app_id: None, states: states.to_vec(), outputs };
            assert_eq!(window.fills(), expected, "{window:?}");
        };
        check(&[], Some(&[1]), false);
        check(&[MAXIMIZED, ACTIVATED], Some(&[1]), false);
        check(&[FULL_SCREEN], Some(&[1]), true);
        check(&[FULL_SCREEN, MINIMIZED], Some(&[1]), false);
        check(&[FULL_SCREEN], Some(&[]), false);
        check(&[FULL_SCREEN, ACTIVATED], Some(&[]), true);
        check(&[FULL_SCREEN], None, true);
    }

    #[test]
    fn a_compositor_that_tells_of_no_windows_is_an_error() {
        // Of what it offers, one only knows an old version of the protocol.
        for offers in [&[("wl_output", 4)][..], &[(MANAGER_INTERFACE, 1)]] {
            let fake = Fake::new();
            let mut probe = FullScreenWindows::of(None, Some(fake.socket())).unwrap();
            let told = std::thread::spawn(move || probe.next(&Watch::default()));
            let mut client = fake.accept();
            client.offers(offers);
            let error = told.join().unwrap().unwrap_err().to_string();
            assert!(error.contains("does not tell programs of windows"), "{error}");
        }
        let mut bench = Bench::new();
        bench.client.tells(MANAGER, event::MANAGER_FINISHED, &[]);
        assert_eq!(bench.told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }
}
