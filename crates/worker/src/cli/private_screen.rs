//! A screen of its own in the terminal, for the words of wallets.
//!
//! Terminals keep nothing of it once it is left, so that nobody finds the words by scrolling back: neither those that
//! were shown nor those that were typed.

use std::io::{self, Write};

use lull_types::Fault;

/// The second screen of xterm, which nearly all terminals have.
const OPEN: &str = "\x1b[?1049h";
const CLOSE: &str = "\x1b[?1049l";
/// From the upper left corner on, in place: terminals keep what is cleared in one go as if it had been scrolled away.
const WIPE: &str = "\x1b[H\x1b[J";

/// The screen, while it is open.
pub(super) struct PrivateScreen(());

impl PrivateScreen {
    fn open() -> Self {
        write(&[OPEN, WIPE]);
        Self(())
    }

    /// Takes everything off it.
    pub(super) fn wipe(&self) {
        write(&[WIPE]);
    }
}

impl Drop for PrivateScreen {
    fn drop(&mut self) {
        // Wiped first, for terminals that have no second screen.
        write(&[WIPE, CLOSE]);
    }
}

/// A terminal that has gone away shows nothing any more.
fn write(sequences: &[&str]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(sequences.concat().as_bytes()).and_then(|()| out.flush());
}

/// Goes through a dialogue on a private screen, and leaves it however the dialogue ends; also with Ctrl-C, which would
/// otherwise end this process with the words still there.
///
/// # Errors
/// The dialogue's, or that it was interrupted.
pub(super) async fn privately<T>(
    dialogue: impl AsyncFnOnce(&PrivateScreen) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let screen = PrivateScreen::open();
    tokio::select! {
        // Asked first, so that it is listened for before anything is shown.
        biased;
        _ = tokio::signal::ctrl_c() => Err(Fault::new("interrupted", "this was interrupted before it was done")),
        done = dialogue(&screen) => done,
    }
}
