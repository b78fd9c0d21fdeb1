//! Windows: what a process can give up by itself. The job object around it is the worker's.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, CreateWellKnownSid, PSID, SECURITY_MAX_SID_SIZE, SID_AND_ATTRIBUTES,
    SetTokenInformation, TOKEN_ADJUST_DEFAULT, TOKEN_ADJUST_PRIVILEGES, TOKEN_MANDATORY_LABEL, TOKEN_QUERY,
    TokenIntegrityLevel, WinLowLabelSid,
};
use windows_sys::Win32::System::SystemServices::SE_GROUP_INTEGRITY;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcessToken, PROCESS_MITIGATION_POLICY, ProcessChildProcessPolicy,
    ProcessExtensionPointDisablePolicy, ProcessImageLoadPolicy, ProcessStrictHandleCheckPolicy,
    SetProcessMitigationPolicy,
};

use lull_types::SandboxPart;

use super::{Policy, SandboxError};

/// Mitigations: which, their flags as winnt.h lays them out in one word, and what they are for.
const MITIGATIONS: &[(PROCESS_MITIGATION_POLICY, u32, &str)] = &[
    // NoChildProcessCreation.
    (ProcessChildProcessPolicy, 1, "no other processes"),
    // DisableExtensionPoints: input methods and hooks are DLLs of other programs.
    (ProcessExtensionPointDisablePolicy, 1, "no hooks of other programs"),
    // NoRemoteImages, NoLowMandatoryLabelImages, PreferSystem32Images.
    (ProcessImageLoadPolicy, 0b111, "no libraries from the network or from what it has written itself"),
    // RaiseExceptionOnInvalidHandleReference, HandleExceptionsPermanentlyEnabled.
    (ProcessStrictHandleCheckPolicy, 0b11, "strict handles"),
];

/// Gives up all that `policy` does not keep.
pub(super) fn lock_down(policy: &Policy) -> Result<Vec<SandboxPart>, SandboxError> {
    let mut held = Vec::new();
    for &(mitigation, flags, words) in MITIGATIONS {
        held.push(match mitigate(mitigation, flags) {
            Ok(()) => SandboxPart::held(words),
            Err(error) => SandboxPart::missing(format!("{words} ({error})")),
        });
    }
    held.push(match lower_token() {
        Ok(()) => SandboxPart::held("low integrity: writes to no file and no key of the user; no privileges"),
        Err(error) => {
            SandboxPart::missing(format!("low integrity ({error}); a job could change the user's files"))
        }
    });
    held.push(SandboxPart::held(format!(
        "memory: at most {} MiB, if the worker made a job object",
        policy.memory_bytes_max / (1024 * 1024)
    )));
    // Only an AppContainer would refuse both, and GPU drivers of older releases do not load in one.
    held.push(SandboxPart::missing("a ban of reading the user's files and of the network"));
    Ok(held)
}

#[allow(unsafe_code, reason = "mitigations are only reachable through the Win32 interface")]
fn mitigate(policy: PROCESS_MITIGATION_POLICY, flags: u32) -> io::Result<()> {
    // SAFETY: each of these policies is one 32-bit word, which outlives the call.
    let done =
        unsafe { SetProcessMitigationPolicy(policy, std::ptr::from_ref(&flags).cast(), size_of::<u32>()) };
    checked(done)
}

/// Takes the privileges out of the own token and lowers it to the level of a browser's tab.
#[allow(unsafe_code, reason = "tokens are only reachable through the Win32 interface")]
fn lower_token() -> io::Result<()> {
    let mut raw: HANDLE = std::ptr::null_mut();
    let rights = TOKEN_ADJUST_DEFAULT | TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY;
    // SAFETY: the pseudo-handle of the own process is always valid; the callee writes the handle.
    checked(unsafe { OpenProcessToken(GetCurrentProcess(), rights, &raw mut raw) })?;
    // SAFETY: the handle was just opened and is owned by nobody else.
    let token = unsafe { OwnedHandle::from_raw_handle(raw) };

    // SAFETY: with the second argument true the state is not read, and no former state is asked for.
    checked(unsafe {
        AdjustTokenPrivileges(
            token.as_raw_handle(),
            1,
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    })?;

    // A SID is made of 32-bit words, and must lie like them.
    let mut sid = [0_u32; (SECURITY_MAX_SID_SIZE as usize).div_ceil(size_of::<u32>())];
    let mut sid_bytes = SECURITY_MAX_SID_SIZE;
    let sid_pointer: PSID = sid.as_mut_ptr().cast();
    // SAFETY: the buffer has the size of the largest SID, and that size is given.
    checked(unsafe {
        CreateWellKnownSid(WinLowLabelSid, std::ptr::null_mut(), sid_pointer, &raw mut sid_bytes)
    })?;
    let label = TOKEN_MANDATORY_LABEL {
        Label: SID_AND_ATTRIBUTES { Sid: sid_pointer, Attributes: SE_GROUP_INTEGRITY.cast_unsigned() },
    };
    let label_bytes = u32::try_from(size_of_val(&label)).map_err(io::Error::other)?;
    // SAFETY: the label and the SID that it points to outlive the call.
    checked(unsafe {
        SetTokenInformation(
            token.as_raw_handle(),
            TokenIntegrityLevel,
            std::ptr::from_ref(&label).cast(),
            label_bytes,
        )
    })
}

fn checked(done: i32) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
