//! The probe of full-screen programs on a real X server with a real window manager: openbox under Xvfb.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may end where its world is not as it must be")]

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use lull_guards::probes::full_screen_of;
use lull_guards::{FullScreen, Observation, Watch};
use lull_testkit::desktop::Desktop;
use x11rb::connection::Connection;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, CreateWindowAux, EventMask,
    PropMode, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// Bound on what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is not told within this is not told: forty times what a telling takes.
const SILENCE: Duration = Duration::from_millis(400);
const SCREEN: (u16, u16) = (800, 600);

/// A desktop, and the probe on it.
struct Display {
    connection: RustConnection,
    root: Window,
    told: Receiver<Observation>,
    desktop: Desktop,
}

impl Display {
    fn start() -> Self {
        let desktop = Desktop::start(SCREEN.0, SCREEN.1).unwrap();
        let display = desktop.display();
        let (connection, screen) = x11rb::connect(Some(display)).unwrap();
        let root = connection.setup().roots[screen].root;
        let (tell, told) = channel();
        let mut probe = full_screen_of(Some(display.to_owned()), None).unwrap();
        std::thread::spawn(
            move || while probe.next(&Watch::default()).is_ok_and(|seen| tell.send(seen).is_ok()) {},
        );
        let display = Self { connection, root, told, desktop };
        display.tells(None);
        display
    }

    fn destroy(&self, window: Window) {
        self.connection.destroy_window(window).unwrap();
        self.connection.flush().unwrap();
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    /// A window that is not shown yet.
    fn window(&self, class: &str, (width, height): (u16, u16), unmanaged: bool) -> Window {
        let window = self.connection.generate_id().unwrap();
        let aux = CreateWindowAux::new().override_redirect(u32::from(unmanaged));
        let connection = &self.connection;
        connection
            .create_window(0, window, self.root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &aux)
            .unwrap();
        if !class.is_empty() {
            let value = format!("{class}\0{class}\0");
            connection
                .change_property8(
                    PropMode::REPLACE,
                    window,
                    AtomEnum::WM_CLASS,
                    AtomEnum::STRING,
                    value.as_bytes(),
                )
                .unwrap();
        }
        window
    }

    fn show(&self, window: Window) {
        self.connection.map_window(window).unwrap();
        self.connection.flush().unwrap();
    }

    fn hide(&self, window: Window) {
        self.connection.unmap_window(window).unwrap();
        self.connection.flush().unwrap();
    }

    fn borderless(&self, window: Window) {
        let hints = self.atom("_MOTIF_WM_HINTS");
        let value = [2, 0, 0, 0, 0];
        self.connection.change_property32(PropMode::REPLACE, window, hints, hints, &value).unwrap();
    }

    /// Asks the window manager for something, as programs do.
    fn ask(&self, window: Window, what: &str, data: [u32; 5]) {
        let message = ClientMessageEvent::new(32, window, self.atom(what), data);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        self.connection.send_event(false, self.root, mask, message).unwrap();
        self.connection.flush().unwrap();
    }

    fn state(&self, window: Window, on: bool, states: [&str; 2]) {
        let [first, second] = states.map(|name| if name.is_empty() { 0 } else { self.atom(name) });
        self.ask(window, "_NET_WM_STATE", [u32::from(on), first, second, 1, 0]);
    }

    fn full_screen(&self, window: Window, on: bool) {
        self.state(window, on, ["_NET_WM_STATE_FULLSCREEN", ""]);
    }

    fn desktop(&self, number: u32) {
        self.ask(self.root, "_NET_CURRENT_DESKTOP", [number, 0, 0, 0, 0]);
    }

    fn tells(&self, program: Option<&str>) {
        let expected = program.map(|program| FullScreen { program: Some(program.to_owned()) });
        let told = self.told.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{expected:?}: {error}"));
        assert_eq!(told, Observation::FullScreen(expected));
    }

    fn tells_nothing(&self) {
        assert_eq!(self.told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
    }
}

#[test]
fn a_full_screen_window_is_seen_while_it_can_be_seen() {
    let display = Display::start();
    let game = display.window("game", (300, 200), false);
    display.show(game);
    display.tells_nothing();
    display.full_screen(game, true);
    display.tells(Some("game"));
    // Away from it, and back.
    display.desktop(1);
    display.tells(None);
    display.desktop(0);
    display.tells(Some("game"));
    // Made small by hand.
    display.ask(game, "WM_CHANGE_STATE", [3, 0, 0, 0, 0]);
    display.tells(None);
    display.show(game);
    display.tells(Some("game"));
    display.full_screen(game, false);
    display.tells(None);
    display.full_screen(game, true);
    display.tells(Some("game"));
    display.destroy(game);
    display.tells(None);
}

#[test]
fn what_fills_a_screen_without_saying_so_is_seen() {
    let display = Display::start();
    let borderless = display.window("borderless", SCREEN, false);
    display.borderless(borderless);
    display.show(borderless);
    display.tells(Some("borderless"));
    display.destroy(borderless);
    display.tells(None);
    let old = display.window("old_game", SCREEN, true);
    display.show(old);
    display.tells(Some("old_game"));
    // It makes room for a panel.
    display.connection.configure_window(old, &ConfigureWindowAux::new().height(576)).unwrap();
    display.connection.flush().unwrap();
    display.tells(None);
}

#[test]
fn what_people_work_in_is_no_game() {
    let display = Display::start();
    let editor = display.window("editor", (300, 200), false);
    display.show(editor);
    let maximized = ["_NET_WM_STATE_MAXIMIZED_HORZ", "_NET_WM_STATE_MAXIMIZED_VERT"];
    display.state(editor, true, maximized);
    let borderless = display.window("browser", SCREEN, false);
    display.borderless(borderless);
    display.show(borderless);
    display.tells(Some("browser"));
    display.state(borderless, true, maximized);
    display.tells(None);
    // A lock, what a compositor lays over all, and Lull's own window.
    for (class, unmanaged) in [("i3lock", true), ("XScreenSaver", true), ("", true), ("Lull", false)] {
        let window = display.window(class, SCREEN, unmanaged);
        display.borderless(window);
        display.show(window);
        display.tells_nothing();
        display.hide(window);
    }
}

#[test]
fn one_of_two_screens_is_enough() {
    let display = Display::start();
    for (name, x) in [("left", 0), ("right", 400)] {
        let monitor = MonitorInfo {
            name: display.atom(name),
            width: 400,
            height: 600,
            width_in_millimeters: 100,
            height_in_millimeters: 150,
            x,
            ..MonitorInfo::default()
        };
        display.connection.randr_set_monitor(display.root, monitor).unwrap().check().unwrap();
    }
    let window = display.window("game", (400, 600), true);
    display.connection.configure_window(window, &ConfigureWindowAux::new().x(200)).unwrap();
    display.show(window);
    display.tells_nothing();
    display.connection.configure_window(window, &ConfigureWindowAux::new().x(400)).unwrap();
    display.connection.flush().unwrap();
    display.tells(Some("game"));
}

#[test]
fn a_display_that_goes_is_an_error_and_not_a_game() {
    let mut nowhere = full_screen_of(Some(":4711".to_owned()), None).unwrap();
    assert!(nowhere.next(&Watch::default()).unwrap_err().to_string().contains("does not hold the GPU free"));
    let Display { told, desktop, connection, .. } = Display::start();
    drop((connection, desktop));
    assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}
