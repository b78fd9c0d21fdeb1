//! Waiting for what a desktop tells.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Waits until there is something to read from one of them, but not beyond that instant, if there is one; whether there is.
pub(super) fn readable(sockets: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<bool, Errno> {
    let timeout = until.map(|until| {
        let rest = until.saturating_duration_since(Instant::now());
        Timespec { tv_sec: rest.as_secs().cast_signed(), tv_nsec: rest.subsec_nanos().into() }
    });
    let mut sockets: Vec<PollFd<'_>> =
        sockets.iter().map(|socket| PollFd::from_borrowed_fd(*socket, PollFlags::IN)).collect();
    match poll(&mut sockets, timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}
