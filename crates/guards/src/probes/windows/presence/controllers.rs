//! Game controllers, by [XInput](https://learn.microsoft.com/windows/win32/xinput/getting-started-with-xinput). Those that
//! only speak DirectInput are not seen.

use std::time::{Duration, Instant};

use windows_sys::Win32::UI::Input::XboxController::{XINPUT_GAMEPAD, XINPUT_STATE, XUSER_MAX_COUNT};

use super::super::library;
use crate::probes::presence;

/// How often places without a controller are asked for one: that takes the system about a millisecond each.
const PLUGGED_IN_INTERVAL: Duration = Duration::from_secs(10);

/// How far a stick is moved by a hand, of 32767 from its middle; XInput's own dead zones are 7849 and 8689. One at rest wavers,
/// and a worn one by a few thousand.
const STICK_MOVED: u16 = 8689;

/// How far a trigger is pulled by a hand, of 255: XInput's own threshold.
const TRIGGER_PULLED: u8 = 30;

/// `XInputGetState`: 0 where there is a controller.
type GetState = unsafe extern "system" fn(u32, *mut XINPUT_STATE) -> u32;

/// The controllers that are plugged in.
#[derive(Debug)]
pub(in crate::probes::here) struct Controllers {
    /// `None` where the system has no XInput.
    get_state: Option<GetState>,
    places: [Place; XUSER_MAX_COUNT as usize],
}

/// Where a controller can be.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Unknown,
    /// There was none then.
    Empty(Instant),
    /// One is there, and was last seen so.
    Held(Seen),
}

/// How a controller was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// Another whenever anything has moved.
    packet: u32,
    is_pushed: bool,
}

impl Controllers {
    pub fn new() -> Self {
        let found = library::function("xinput1_4.dll", c"XInputGetState");
        #[allow(unsafe_code, reason = "a function that is found by its name has no type")]
        // SAFETY: XInput's documentation gives the function of that name this type.
        let get_state = found.map(|function| unsafe {
            std::mem::transmute::<unsafe extern "system" fn() -> isize, GetState>(function)
        });
        Self { get_state, places: Default::default() }
    }
}

impl presence::Controllers for Controllers {
    fn any(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Place::Held(_)))
    }

    fn moved(&mut self) -> bool {
        let Some(get_state) = self.get_state else { return false };
        let mut moved = false;
        for (number, place) in (0..).zip(&mut self.places) {
            if matches!(place, Place::Empty(at) if at.elapsed() < PLUGGED_IN_INTERVAL) {
                continue;
            }
            let seen = read(get_state, number);
            if let (Place::Held(before), Some(now)) = (&place, seen) {
                moved |= now.moved_since(*before);
            }
            *place = seen.map_or_else(|| Place::Empty(Instant::now()), Place::Held);
        }
        moved
    }

    fn close(&mut self) {
        self.places = Default::default();
    }
}

impl Seen {
    fn of(state: &XINPUT_STATE) -> Self {
        let XINPUT_GAMEPAD { wButtons, bLeftTrigger, bRightTrigger, sThumbLX, sThumbLY, sThumbRX, sThumbRY } =
            state.Gamepad;
        let sticks = [sThumbLX, sThumbLY, sThumbRX, sThumbRY];
        let is_pushed = wButtons != 0
            || bLeftTrigger.max(bRightTrigger) > TRIGGER_PULLED
            || sticks.iter().any(|stick| stick.unsigned_abs() > STICK_MOVED);
        Self { packet: state.dwPacketNumber, is_pushed }
    }

    /// A controller that lies there wavers and is not pushed; something that lies on it pushes it and does not waver.
    fn moved_since(self, before: Self) -> bool {
        self.packet != before.packet && (self.is_pushed || before.is_pushed)
    }
}

fn read(get_state: GetState, number: u32) -> Option<Seen> {
    let mut state = XINPUT_STATE::default();
    #[allow(unsafe_code, reason = "controllers are only told by the XInput interface")]
    // SAFETY: the pointer is to a structure of the type that is filled in, which lives through the call.
    let error = unsafe { get_state(number, &raw mut state) };
    (error == 0).then(|| Seen::of(&state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::presence::Controllers as _;

    #[test]
    fn only_a_hand_moves_a_controller() {
        let seen = |packet, gamepad| Seen::of(&XINPUT_STATE { dwPacketNumber: packet, Gamepad: gamepad });
        let rest = XINPUT_GAMEPAD { sThumbLX: -4000, bLeftTrigger: 20, ..XINPUT_GAMEPAD::default() };
        let before = seen(7, rest);
        assert!(!seen(7, rest).moved_since(before));
        assert!(!seen(8, XINPUT_GAMEPAD { sThumbLX: 300, ..rest }).moved_since(before), "it wavers");
        for pushed in [
            XINPUT_GAMEPAD { wButtons: 1, ..rest },
            XINPUT_GAMEPAD { bRightTrigger: 31, ..rest },
            XINPUT_GAMEPAD { sThumbRY: i16::MIN, ..rest },
        ] {
            assert!(seen(8, pushed).moved_since(before));
            assert!(seen(9, rest).moved_since(seen(8, pushed)), "it was let go");
            assert!(!seen(8, pushed).moved_since(seen(8, pushed)), "something lies on it");
        }
    }

    #[test]
    fn a_machine_without_controllers_is_not_moved() {
        let mut controllers = Controllers::new();
        assert!(!controllers.moved());
        controllers.close();
        controllers.get_state = None;
        assert!(!controllers.moved());
    }

    #[allow(unsafe_code, reason = "it stands for a function of XInput")]
    unsafe extern "system" fn one_that_turns(number: u32, state: *mut XINPUT_STATE) -> u32 {
        use std::sync::atomic::{AtomicU32, Ordering};
        static PACKET: AtomicU32 = AtomicU32::new(0);
        // `ERROR_DEVICE_NOT_CONNECTED`
        const NOT_CONNECTED: u32 = 1167;
        if number != 2 {
            return NOT_CONNECTED;
        }
        let packet = PACKET.fetch_add(1, Ordering::Relaxed);
        let gamepad = XINPUT_GAMEPAD { sThumbLX: 20_000, ..XINPUT_GAMEPAD::default() };
        // SAFETY: it is called with a pointer to a structure of this type.
        unsafe { state.write(XINPUT_STATE { dwPacketNumber: packet, Gamepad: gamepad }) };
        0
    }

    #[test]
    fn a_controller_that_moves_is_seen_from_the_second_look_on() {
        let mut controllers = Controllers { get_state: Some(one_that_turns), places: Default::default() };
        assert!(!controllers.moved(), "there is nothing to compare with");
        assert!(controllers.moved());
        controllers.close();
        assert!(!controllers.moved());
        assert!(matches!(
            controllers.places,
            [Place::Empty(_), Place::Empty(_), Place::Held(_), Place::Empty(_)]
        ));
    }
}
