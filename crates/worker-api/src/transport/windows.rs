//! Who may open the worker's pipe.

use std::io;
use std::ptr;

use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::{U16CStr, U16CString};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// A protected access list with one entry: all access for the user as whom this process runs. Without it a
/// named pipe can be read by everyone.
pub(super) fn only_this_user() -> io::Result<SecurityDescriptor> {
    let sid = user_sid()?;
    let text = U16CString::from_str(format!("D:P(A;;GA;;;{sid})"))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    SecurityDescriptor::deserialize(&text)
}

/// The security identifier of this process's user, as text.
#[allow(unsafe_code, reason = "the process token can only be asked through the Windows API")]
fn user_sid() -> io::Result<String> {
    struct Token(HANDLE);
    impl Drop for Token {
        fn drop(&mut self) {
            // SAFETY: the handle was opened by `OpenProcessToken` and is closed once.
            unsafe { CloseHandle(self.0) };
        }
    }

    let mut handle: HANDLE = ptr::null_mut();
    // SAFETY: the pseudo-handle of this process is always valid, and `handle` is writable.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut handle) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let token = Token(handle);
    let mut length = 0;
    // SAFETY: a null buffer of length 0 asks for the length that is needed.
    unsafe { GetTokenInformation(token.0, TokenUser, ptr::null_mut(), 0, &mut length) };
    // `u64` units give the alignment that the pointers in `TOKEN_USER` need.
    let mut buffer = vec![0_u64; (length as usize).div_ceil(size_of::<u64>())];
    // SAFETY: the buffer has at least `length` bytes.
    if unsafe { GetTokenInformation(token.0, TokenUser, buffer.as_mut_ptr().cast(), length, &mut length) }
        == 0
    {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled the buffer with a `TOKEN_USER`, whose SID lies in the same buffer.
    let sid = unsafe { (*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    let mut text = ptr::null_mut();
    // SAFETY: `sid` is valid while `buffer` lives, and `text` is writable.
    if unsafe { ConvertSidToStringSidW(sid, &mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has stored a string that ends with zero, and which is freed once, after it was copied.
    let copied = unsafe {
        let copied = U16CStr::from_ptr_str(text).to_string_lossy();
        LocalFree(text.cast());
        copied
    };
    Ok(copied)
}
