//! What every runtime's program is made of: where events are written, what is heard while it works, and its end.

mod controls;
mod exit;
mod outbox;

use std::io::Read;
use std::sync::mpsc::Sender;

pub use controls::Controls;
pub use exit::exit_now;
pub use outbox::{Outbox, tell_panics};

use crate::{FRAMES, FrameError, Request};

/// Reads requests until there are no more, and tells each by `inbound`; a broken one is the last. For a thread of its own.
pub fn read_requests<T>(
    mut input: impl Read,
    inbound: &Sender<T>,
    told: impl Fn(Result<Request, FrameError>) -> T,
) {
    loop {
        let request = FRAMES.read_blocking(&mut input);
        let is_last = request.is_err();
        if inbound.send(told(request)).is_err() || is_last {
            return;
        }
    }
}
