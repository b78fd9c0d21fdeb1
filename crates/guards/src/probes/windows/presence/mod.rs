//! Whether somebody uses the machine, as
//! [`GetLastInputInfo`](https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-getlastinputinfo) tells of keyboard,
//! mouse and touch of this session; of game controllers it does not, but XInput does ([`controllers`]).
//!
//! Windows would wake a program at each movement of the mouse or at none, so that it is looked: seldom while somebody is here,
//! and often while nobody is.

mod controllers;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lull_types::{Guard, UnixMillis};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO};

use self::controllers::Controllers;
use crate::{Observation, Person, Probe, ProbeError, Watch};

/// How often it is looked, and from when on nobody is here.
#[derive(Clone, Copy, Debug)]
struct Intervals {
    /// Since when nothing was touched for a person not to count as here. It is also how often it is looked while one is.
    /// The shortest time that people can choose is a minute; this is a sixth of it.
    quiet: Duration,
    /// How often it is looked while nobody is here: the GPU is to be free soon after. A look takes a microsecond.
    look: Duration,
}

const INTERVALS: Intervals = Intervals { quiet: Duration::from_secs(10), look: Duration::from_secs(2) };

/// The probe.
pub(super) struct Presence {
    intervals: Intervals,
    seat: Seat,
    controllers: Controllers,
    told: Option<Person>,
}

impl Presence {
    pub fn new() -> Self {
        Self::of(INTERVALS)
    }

    fn of(intervals: Intervals) -> Self {
        Self { intervals, seat: Seat::default(), controllers: Controllers::new(), told: None }
    }

    fn forget(&mut self) {
        self.seat = Seat::default();
        self.controllers.forget();
        self.told = None;
    }
}

impl Probe for Presence {
    fn guard(&self) -> Guard {
        Guard::Presence
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let watched = watch.now();
            if !watched.rules.wants(Guard::Presence) {
                self.forget();
                watch.until(|watched| watched.rules.wants(Guard::Presence));
                continue;
            }
            let input_tick = input_tick().inspect_err(|_| self.forget())?;
            let now_ms = now_ms();
            self.seat.input_at(input_tick, now_ms);
            if self.controllers.moved() {
                self.seat.touched(now_ms);
            }
            let quiet = self.seat.quiet_for(now_ms);
            match self.intervals.quiet.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
                Some(rest) => {
                    if self.told != Some(Person::Here) {
                        self.told = Some(Person::Here);
                        return Ok(Observation::Person(Person::Here));
                    }
                    watch.sleep(rest, &watched);
                }
                None => {
                    if !matches!(self.told, Some(Person::QuietSince(_))) {
                        let person = Person::QuietSince(before_now(quiet));
                        self.told = Some(person);
                        return Ok(Observation::Person(person));
                    }
                    watch.sleep(self.intervals.look, &watched);
                }
            }
        }
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
        self.touched(now_ms.saturating_sub(passed_ms.into()));
    }

    fn touched(&mut self, at_ms: u64) {
        self.touched_ms = self.touched_ms.max(at_ms);
    }

    fn quiet_for(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.touched_ms))
    }
}

fn input_tick() -> Result<u32, ProbeError> {
    let mut info = LASTINPUTINFO { cbSize: size_of::<LASTINPUTINFO>() as u32, dwTime: 0 };
    #[allow(unsafe_code, reason = "what was touched last is only told by the Win32 interface")]
    // SAFETY: the pointer is to a structure of the type that is filled in, with its size in it, which lives through the call.
    let told = unsafe { GetLastInputInfo(&raw mut info) };
    if told == 0 {
        let why = std::io::Error::last_os_error().to_string();
        return Err(ProbeError { what: "whether somebody uses this machine", why });
    }
    Ok(info.dwTime)
}

/// Since the machine started. The time in which it slept counts.
fn now_ms() -> u64 {
    #[allow(unsafe_code, reason = "the clock by which input is dated is only told by the Win32 interface")]
    // SAFETY: nothing is pointed to.
    unsafe {
        GetTickCount64()
    }
}

fn before_now(time: Duration) -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(now.saturating_sub(time).as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::RecvTimeoutError;

    use lull_types::GuardRules;
    use windows_sys::Win32::UI::Input::KeyboardAndMouse::{
        INPUT, INPUT_0, INPUT_MOUSE, MOUSEEVENTF_MOVE, MOUSEINPUT, SendInput,
    };

    use super::*;
    use crate::Watched;
    use crate::probes::told_by;

    /// Bound on what takes milliseconds, and a second at most.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    const SILENCE: Duration = Duration::from_millis(300);

    const TURN_MS: u64 = 1 << 32;

    #[test]
    fn input_is_dated_across_the_turn_of_the_clock() {
        // When, what the system says, and for how long nothing was touched.
        let check = |looks: &[(u64, u32, u64)]| {
            let mut seat = Seat::default();
            for (now_ms, tick, quiet_ms) in looks {
                seat.input_at(*tick, *now_ms);
                assert_eq!(
                    seat.quiet_for(*now_ms),
                    Duration::from_millis(*quiet_ms),
                    "{looks:?} at {now_ms}"
                );
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

    #[test]
    fn a_controller_counts_as_input() {
        let mut seat = Seat::default();
        seat.input_at(1000, 60_000);
        seat.touched(59_000);
        assert_eq!(seat.quiet_for(60_000), Duration::from_secs(1));
        seat.input_at(1000, 61_000);
        assert_eq!(seat.quiet_for(61_000), Duration::from_secs(2));
    }

    #[allow(unsafe_code, reason = "input is only made by the Win32 interface")]
    fn moves_the_mouse() {
        let moved = MOUSEINPUT { dx: 3, dwFlags: MOUSEEVENTF_MOVE, ..MOUSEINPUT::default() };
        let input = INPUT { r#type: INPUT_MOUSE, Anonymous: INPUT_0 { mi: moved } };
        // SAFETY: the pointer is to one input of the size that is said, which lives through the call.
        let sent = unsafe { SendInput(1, &raw const input, size_of::<INPUT>() as i32) };
        assert_eq!(sent, 1, "{}", std::io::Error::last_os_error());
    }

    fn wanted(away_minutes: Option<u16>) -> Watched {
        Watched { rules: GuardRules { away_minutes, ..GuardRules::default() }, ..Watched::default() }
    }

    #[test]
    fn a_mouse_that_moves_is_somebody_who_is_here_until_it_rests() {
        let watch = Watch::default();
        let intervals = Intervals { quiet: Duration::from_secs(1), look: Duration::from_millis(20) };
        let told = told_by(Presence::of(intervals), &watch);
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout), "it is not wanted");
        let from = before_now(Duration::ZERO);
        moves_the_mouse();
        watch.tell(wanted(Some(1)));
        let is_quiet = |seen| matches!(seen, Ok(Observation::Person(Person::QuietSince(_))));
        // A busy machine may take longer to start the thread than for the mouse to rest.
        let first = told.recv_timeout(PATIENCE);
        let quiet =
            if first == Ok(Observation::Person(Person::Here)) { told.recv_timeout(PATIENCE) } else { first };
        let Ok(Observation::Person(Person::QuietSince(since))) = quiet else { panic!("{quiet:?}") };
        let until = before_now(Duration::ZERO);
        // The clock of inputs has steps of 16 ms.
        assert!(since.0 + 50 >= from.0 && since.0 + 900 <= until.0, "{from:?} {since:?} {until:?}");
        moves_the_mouse();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::Person(Person::Here)));
        assert!(is_quiet(told.recv_timeout(PATIENCE)));
    }
}
