//! The game: `glxgears`, and the instant at which it is on the screen.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use lull_tests::PATIENCE;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask};
use x11rb::rust_connection::RustConnection;

use super::frames::FrameWriter;

/// The screen that it fills.
pub const SCREEN: (u16, u16) = (1280, 720);

/// A game that is played; it ends when this is dropped.
pub struct Game(Child);

impl Drop for Game {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An instant, by both clocks.
#[derive(Clone, Copy)]
pub struct Shown {
    pub at: Instant,
    pub wall: SystemTime,
}

impl Shown {
    pub fn elapsed_ms(self) -> f64 {
        ms(self.at.elapsed())
    }
}

pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Game {
    /// Starts one that fills the screen, and tells when the X server shows a window as large as that.
    pub fn start(display: &str) -> Result<(Self, Shown)> {
        let watched = watch(display)?;
        let game = Self::spawn(command(display).arg("-fullscreen"))?;
        let since = Instant::now();
        loop {
            ensure!(since.elapsed() < PATIENCE, "no game is shown");
            let Event::MapNotify(shown) = watched.wait_for_event()? else { continue };
            let now = Shown { at: Instant::now(), wall: SystemTime::now() };
            let place = watched.get_geometry(shown.window)?.reply();
            if place.is_ok_and(|place| place.width >= SCREEN.0 && place.height >= SCREEN.1) {
                return Ok((game, now));
            }
        }
    }

    /// Starts one in a window, whose frames are written down.
    pub fn start_in_a_window(display: &str, frames: &FrameWriter) -> Result<Self> {
        let mut game = command(display);
        frames.follow(&mut game);
        Self::spawn(game.args(["-geometry", "640x360"]))
    }

    fn spawn(game: &mut Command) -> Result<Self> {
        Ok(Self(game.spawn().context("glxgears cannot be started; on Debian it is in mesa-utils")?))
    }
}

fn command(display: &str) -> Command {
    let mut game = Command::new("glxgears");
    game.env("DISPLAY", display).stdout(Stdio::null()).stderr(Stdio::null());
    game
}

fn watch(display: &str) -> Result<RustConnection> {
    let (connection, screen) = x11rb::connect(Some(display))?;
    let root = connection.setup().roots[screen].root;
    let told = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
    connection.change_window_attributes(root, &told)?.check()?;
    Ok(connection)
}
