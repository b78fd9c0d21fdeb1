//! Whether somebody uses the machine, as
//! [`GetLastInputInfo`](https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-getlastinputinfo) tells of keyboard,
//! mouse and touch of this session; of game controllers it does not, but XInput does ([`controllers`]).
//!
//! Windows would wake a program at each movement of the mouse or at none, so that it is looked: a look takes a microsecond.

mod controllers;

use std::io;
use std::time::Duration;

use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO};

use self::controllers::Controllers;
use crate::probes::presence::{self, Place};

/// The probe.
pub(super) fn presence() -> presence::Presence<Session, Controllers> {
    presence::Presence::at(Session, Controllers::new())
}

/// This session, at which somebody may sit.
#[derive(Debug)]
pub(super) struct Session;

impl Place for Session {
    type Error = io::Error;

    fn seat(&self, _quiet: Duration) -> io::Result<Box<dyn presence::Seat<Error = io::Error>>> {
        Ok(Box::<Seat>::default())
    }
}

impl presence::Seat for Seat {
    type Error = io::Error;

    fn quiet_for(&mut self) -> io::Result<Duration> {
        let (input_tick, now_ms) = (input_tick()?, now_ms());
        self.input_at(input_tick, now_ms);
        Ok(self.quiet_at(now_ms))
    }
}

/// When something was touched last, in milliseconds since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seat {
    /// What the system said last. It begins from zero again after 49.7 days.
    input_tick: Option<u32>,
    touched_ms: u64,
}

/// An input may be dated by a clock that is read a little later than ours; one that seems to lie so far ahead has just been.
const AHEAD_MS_MAX: u32 = 60_000;

impl Seat {
    /// The system dates the last input so, by the lower half of the same clock.
    fn input_at(&mut self, tick: u32, now_ms: u64) {
        // The same as before: nothing was touched, for however many turns of its clock.
        if self.input_tick == Some(tick) {
            return;
        }
        self.input_tick = Some(tick);
        let passed_ms = (now_ms as u32).wrapping_sub(tick);
        let passed_ms = if passed_ms > u32::MAX - AHEAD_MS_MAX { 0 } else { passed_ms };
        self.touched_ms = self.touched_ms.max(now_ms.saturating_sub(passed_ms.into()));
    }

    fn quiet_at(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.touched_ms))
    }
}

fn input_tick() -> io::Result<u32> {
    let mut info = LASTINPUTINFO { cbSize: size_of::<LASTINPUTINFO>() as u32, dwTime: 0 };
    #[allow(unsafe_code, reason = "what was touched last is only told by the Win32 interface")]
    // SAFETY: the pointer is to a structure of the type that is filled in, with its size in it, which lives through the call.
    let told = unsafe { GetLastInputInfo(&raw mut info) };
    if told == 0 { Err(io::Error::last_os_error()) } else { Ok(info.dwTime) }
}

/// Since the machine started. The time in which it slept counts.
fn now_ms() -> u64 {
    #[allow(unsafe_code, reason = "the clock by which input is dated is only told by the Win32 interface")]
    // SAFETY: nothing is pointed to.
    unsafe {
        GetTickCount64()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::RecvTimeoutError;

    use windows_sys::Win32::UI::Input::KeyboardAndMouse::{
        INPUT, INPUT_0, INPUT_MOUSE, MOUSEEVENTF_MOVE, MOUSEINPUT, SendInput,
    };

    use super::*;
    use crate::probes::presence::tests::{PATIENCE, SHORT, SILENCE, now, wanted};
    use crate::probes::told_by;
    use crate::{Observation, Person, Watch};

    const TURN_MS: u64 = 1 << 32;

    #[test]
    fn input_is_dated_across_the_turn_of_the_clock() {
        // When, what the system says, and for how long nothing was touched.
        let check = |looks: &[(u64, u32, u64)]| {
            let mut seat = Seat::default();
            for (now_ms, tick, quiet_ms) in looks {
                seat.input_at(*tick, *now_ms);
                assert_eq!(seat.quiet_at(*now_ms), Duration::from_millis(*quiet_ms), "{looks:?} at {now_ms}");
            }
        };
        check(&[(5000, 2000, 3000), (7000, 2000, 5000), (8000, 7999, 1)]);
        check(&[(TURN_MS + 500, u32::MAX - 499, 1000)]);
        check(&[(TURN_MS - 10, u32::MAX - 19, 10), (TURN_MS + 90, 80, 10)]);
        // Longer than a turn.
        check(&[(5000, 2000, 3000), (TURN_MS + 2000, 2000, TURN_MS), (TURN_MS + 3000, 2500, 500)]);
        // The input came between the two questions, or is dated ahead.
        check(&[(5000, 5010, 0), (6000, 5010, 1000)]);
        // Nothing was ever touched since the machine started.
        check(&[(90_000, 0, 90_000)]);
        // Long away, but no turn.
        check(&[(TURN_MS - 70_000, 0, TURN_MS - 70_000)]);
    }

    #[allow(unsafe_code, reason = "input is only made by the Win32 interface")]
    fn moves_the_mouse() {
        let moved = MOUSEINPUT { dx: 3, dwFlags: MOUSEEVENTF_MOVE, ..MOUSEINPUT::default() };
        let input = INPUT { r#type: INPUT_MOUSE, Anonymous: INPUT_0 { mi: moved } };
        // SAFETY: the pointer is to one input of the size that is said, which lives through the call.
        let sent = unsafe { SendInput(1, &raw const input, size_of::<INPUT>() as i32) };
        assert_eq!(sent, 1, "{}", std::io::Error::last_os_error());
    }

    #[test]
    fn a_mouse_that_moves_is_somebody_who_is_here_until_it_rests() {
        let watch = Watch::default();
        let mut probe = presence();
        probe.intervals = SHORT;
        let told = told_by(probe, &watch);
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout), "it is not wanted");
        let from = now();
        moves_the_mouse();
        watch.tell(wanted(Some(1)));
        let is_quiet = |seen| matches!(seen, Ok(Observation::Person(Person::QuietSince(_))));
        // A busy machine may take longer to start the thread than for the mouse to rest.
        let first = told.recv_timeout(PATIENCE);
        let quiet =
            if first == Ok(Observation::Person(Person::Here)) { told.recv_timeout(PATIENCE) } else { first };
        let Ok(Observation::Person(Person::QuietSince(since))) = quiet else { panic!("{quiet:?}") };
        let until = now();
        // The clock of inputs has steps of 16 ms.
        assert!(since.0 + 50 >= from.0 && since.0 + 900 <= until.0, "{from:?} {since:?} {until:?}");
        moves_the_mouse();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::Person(Person::Here)));
        assert!(is_quiet(told.recv_timeout(PATIENCE)));
    }
}
