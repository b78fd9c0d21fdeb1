//! Functions of the system that not every Windows has. A program that asks for them when it is loaded would not start where
//! one is missing.

use std::ffi::CStr;

use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};

/// The address of a function of the system's own library of that name; `None` where the system has none. The library stays
/// loaded.
#[allow(unsafe_code, reason = "a library of the system is only loaded by the Win32 interface")]
pub(super) fn function(library: &str, name: &CStr) -> Option<unsafe extern "system" fn() -> isize> {
    let library: Vec<u16> = library.encode_utf16().chain([0]).collect();
    // SAFETY: both names end with a zero and live through the calls. Only the system's own folder is looked in, so that no
    // file beside the program is loaded in the library's place.
    unsafe {
        let library = LoadLibraryExW(library.as_ptr(), std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32);
        if library.is_null() { None } else { GetProcAddress(library, name.as_ptr().cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_system_has_is_found() {
        assert!(function("kernel32.dll", c"GetTickCount64").is_some());
        assert!(function("kernel32.dll", c"LullNeverWasHere").is_none());
        assert!(function("lull-never-was-here.dll", c"GetTickCount64").is_none());
    }
}
