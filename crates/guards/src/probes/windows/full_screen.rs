//! Which program fills a screen: the one whose window is in front, by its place and by what the shell says of it.
//!
//! [`SHQueryUserNotificationState`](https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-shqueryusernotificationstate)
//! knows games in exclusive full screen, presentations, and whether anybody is there. Windows that only are as large as the
//! screen, as most games are today, are told by their place.

use std::path::Path;
use std::time::{Duration, Instant};

use lull_types::Guard;
use windows_sys::Win32::Foundation::{CloseHandle, HWND, RECT};
use windows_sys::Win32::Graphics::Gdi::{
    GetMonitorInfoW, MONITOR_DEFAULTTONEAREST, MONITORINFO, MonitorFromWindow,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};
use windows_sys::Win32::UI::Shell::{
    QUERY_USER_NOTIFICATION_STATE, QUNS_NOT_PRESENT, QUNS_PRESENTATION_MODE, QUNS_RUNNING_D3D_FULL_SCREEN,
    SHQueryUserNotificationState,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    GetClassNameW, GetForegroundWindow, GetShellWindow, GetWindowRect, GetWindowThreadProcessId, IsZoomed,
};

use crate::{FullScreen, Observation, Probe, ProbeError, Watch};

/// Of the quarter second until the GPU is free, finding a game may take two fifths. A look at the window in front costs
/// microseconds.
const INTERVAL: Duration = Duration::from_millis(100);

/// The shell is another process, so that it is asked once a second, and when the window in front is another one.
const SHELL_INTERVAL: Duration = Duration::from_secs(1);

/// Windows of the desktop itself, which is as large as the screen, by class.
const DESKTOP_CLASSES: &[&str] = &["Progman", "WorkerW"];

/// Lull itself: to look at its window is no reason to stop.
const OWN_PROGRAM: &str = "lull";

/// Longest path of a program that is asked for; Windows has none that is longer.
const PATH_MAX: usize = 32_768;
/// Longest name of a class, by the interface.
const CLASS_MAX: usize = 256;

/// The probe.
#[derive(Debug, Default)]
pub(super) struct FullScreenWindows {
    told: Option<Option<FullScreen>>,
    /// What the shell said, when, and with which window in front.
    shell: Option<(QUERY_USER_NOTIFICATION_STATE, Instant, Front)>,
}

/// The window in front, and whether it is as large as its screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Front {
    /// The window's handle, as a number: it is compared and asked about, and may be gone any time.
    window: isize,
    covers: bool,
}

impl Probe for FullScreenWindows {
    fn guard(&self) -> Guard {
        Guard::FullScreen
    }

    fn next(&mut self, _watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let found = self.look();
            if self.told.as_ref() != Some(&found) {
                self.told = Some(found.clone());
                return Ok(Observation::FullScreen(found));
            }
            std::thread::sleep(INTERVAL);
        }
    }
}

impl FullScreenWindows {
    fn look(&mut self) -> Option<FullScreen> {
        let front = front();
        let shell = self.shell_says(front);
        // A lock or a screen saver fills the screen, and nobody uses the machine.
        if shell == QUNS_NOT_PRESENT {
            return None;
        }
        let says_so = [QUNS_RUNNING_D3D_FULL_SCREEN, QUNS_PRESENTATION_MODE].contains(&shell);
        if !front.covers && !says_so {
            return None;
        }
        let program = program(front.window);
        let is_own = program.as_ref().is_some_and(|program| program.eq_ignore_ascii_case(OWN_PROGRAM));
        (!is_own).then_some(FullScreen { program })
    }

    fn shell_says(&mut self, front: Front) -> QUERY_USER_NOTIFICATION_STATE {
        if let Some((state, at, of)) = self.shell
            && of == front
            && at.elapsed() < SHELL_INTERVAL
        {
            return state;
        }
        let mut state = QUERY_USER_NOTIFICATION_STATE::default();
        #[allow(unsafe_code, reason = "only the Win32 interface tells it")]
        // SAFETY: the pointer is to a number of the type that is filled in, which lives through the call. Where the shell
        // does not answer it stays 0, which is none of its states.
        let _ = unsafe { SHQueryUserNotificationState(&raw mut state) };
        self.shell = Some((state, Instant::now(), front));
        state
    }
}

#[allow(unsafe_code, reason = "windows are only told by the Win32 interface")]
fn front() -> Front {
    // SAFETY: neither takes or gives a pointer that is followed; a window may be none, or gone when it is asked about,
    // which every call answers with a failure.
    let (window, shell) = unsafe { (GetForegroundWindow(), GetShellWindow()) };
    let covers = !window.is_null() && window != shell && !is_desktop(window) && covers_its_screen(window);
    Front { window: window as isize, covers }
}

#[allow(unsafe_code, reason = "windows are only told by the Win32 interface")]
fn covers_its_screen(window: HWND) -> bool {
    let mut place = RECT::default();
    let mut monitor = MONITORINFO { cbSize: size_of::<MONITORINFO>() as u32, ..MONITORINFO::default() };
    // SAFETY: the pointers are to structures of the types that are filled in, the size of the second is in it, and both
    // live through the calls.
    let told = unsafe {
        // A maximized window leaves room for the taskbar, and fills the screen where that hides.
        IsZoomed(window) == 0
            && GetWindowRect(window, &raw mut place) != 0
            && GetMonitorInfoW(MonitorFromWindow(window, MONITOR_DEFAULTTONEAREST), &raw mut monitor) != 0
    };
    let screen = monitor.rcMonitor;
    told && place.left <= screen.left
        && place.top <= screen.top
        && place.right >= screen.right
        && place.bottom >= screen.bottom
}

#[allow(unsafe_code, reason = "windows are only told by the Win32 interface")]
fn is_desktop(window: HWND) -> bool {
    let mut name = [0u16; CLASS_MAX];
    // SAFETY: the pointer is to as many characters as are said, which live through the call.
    let length = unsafe { GetClassNameW(window, name.as_mut_ptr(), CLASS_MAX as i32) };
    let length = usize::try_from(length).unwrap_or(0).min(CLASS_MAX);
    let name = String::from_utf16_lossy(&name[..length]);
    DESKTOP_CLASSES.contains(&name.as_str())
}

/// The name of a window's program, without its folder and ending.
#[allow(unsafe_code, reason = "processes of other programs are only told by the Win32 interface")]
fn program(window: isize) -> Option<String> {
    let mut path = vec![0u16; PATH_MAX];
    let mut length = PATH_MAX as u32;
    // SAFETY: the pointers are to what is filled in, with its length, and live through the calls; the process is closed
    // once and not used after.
    let told = unsafe {
        let mut id = 0;
        GetWindowThreadProcessId(window as HWND, &raw mut id);
        let process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, id);
        if process.is_null() {
            return None;
        }
        let told = QueryFullProcessImageNameW(process, 0, path.as_mut_ptr(), &raw mut length);
        CloseHandle(process);
        told
    };
    if told == 0 {
        return None;
    }
    let path = String::from_utf16_lossy(path.get(..usize::try_from(length).ok()?)?);
    // The name is that of a file on Windows, wherever this is read.
    let name = path.rsplit('\\').next()?;
    Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::UI::WindowsAndMessaging::{
        CreateWindowExW, DestroyWindow, DispatchMessageW, GetSystemMetrics, MSG, PM_REMOVE, PeekMessageW,
        SM_CXSCREEN, SM_CYSCREEN, SetForegroundWindow, WS_EX_TOPMOST, WS_POPUP, WS_VISIBLE,
    };

    use super::*;

    /// Bound on what takes milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[allow(unsafe_code, reason = "windows are only made by the Win32 interface")]
    fn window(width: i32, height: i32) -> HWND {
        let class: Vec<u16> = "STATIC\0".encode_utf16().collect();
        // SAFETY: the class is a text with a zero at its end, which lives through the call, and nothing else is pointed to.
        unsafe {
            let window = CreateWindowExW(
                WS_EX_TOPMOST,
                class.as_ptr(),
                std::ptr::null(),
                WS_POPUP | WS_VISIBLE,
                0,
                0,
                width,
                height,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null(),
            );
            assert!(!window.is_null());
            SetForegroundWindow(window);
            window
        }
    }

    #[allow(unsafe_code, reason = "windows are only driven by the Win32 interface")]
    fn looks_until(probe: &mut FullScreenWindows, seen: bool) -> Option<FullScreen> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut message = MSG::default();
            // SAFETY: the pointer is to a message that is filled in and handed on, which lives through the calls.
            unsafe {
                while PeekMessageW(&raw mut message, std::ptr::null_mut(), 0, 0, PM_REMOVE) != 0 {
                    DispatchMessageW(&raw const message);
                }
            }
            let found = probe.look();
            if found.is_some() == seen {
                return found;
            }
            assert!(Instant::now() < until, "found {found:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    #[allow(unsafe_code, reason = "windows are only made by the Win32 interface")]
    fn a_window_as_large_as_the_screen_is_seen_while_it_is_there() {
        // SAFETY: nothing is pointed to.
        let (width, height) = unsafe { (GetSystemMetrics(SM_CXSCREEN), GetSystemMetrics(SM_CYSCREEN)) };
        let mut probe = FullScreenWindows::default();
        let small = window(width / 2, height / 2);
        assert_eq!(looks_until(&mut probe, false), None);
        let large = window(width, height);
        let found = looks_until(&mut probe, true).unwrap();
        assert!(found.program.is_some_and(|name| name.starts_with("lull_guards")));
        // SAFETY: both windows were made on this thread and are not used after.
        unsafe {
            DestroyWindow(large);
            DestroyWindow(small);
        }
        assert_eq!(looks_until(&mut probe, false), None);
    }
}
