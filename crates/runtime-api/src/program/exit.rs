//! The end of the process.

/// Ends the process at once, without running exit handlers.
///
/// Drivers register exit handlers that wait for their threads, and a thread that waits for a hung GPU never ends.
/// Nothing is lost: events are flushed as they are written, and the kernel frees the GPU's memory.
#[cfg(unix)]
#[allow(unsafe_code, reason = "the standard library's exit runs exit handlers, which may wait for ever here")]
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any value and does not return; no memory is touched after it.
    unsafe { libc::_exit(code) }
}

/// Ends the process at once, without running exit handlers.
///
/// Drivers' DLLs are notified at a usual exit, and one that waits for a hung GPU never returns.
#[cfg(windows)]
#[allow(unsafe_code, reason = "the standard library's exit notifies DLLs, which may wait for ever here")]
pub fn exit_now(code: i32) -> ! {
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
    // SAFETY: the pseudo-handle of the own process is always valid and has the right to terminate it.
    unsafe { TerminateProcess(GetCurrentProcess(), code.cast_unsigned()) };
    // Only reached if the system refused to end us.
    std::process::abort()
}
