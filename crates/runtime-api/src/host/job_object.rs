//! The Windows job object around a runtime: it ends with its worker, keeps to its memory, and starts nothing.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use tokio::process::Child;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
    JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOB_OBJECT_UILIMIT_DESKTOP, JOB_OBJECT_UILIMIT_DISPLAYSETTINGS,
    JOB_OBJECT_UILIMIT_EXITWINDOWS, JOB_OBJECT_UILIMIT_GLOBALATOMS, JOB_OBJECT_UILIMIT_HANDLES,
    JOB_OBJECT_UILIMIT_READCLIPBOARD, JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS, JOB_OBJECT_UILIMIT_WRITECLIPBOARD,
    JOBOBJECT_BASIC_UI_RESTRICTIONS, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECTINFOCLASS,
    JobObjectBasicUIRestrictions, JobObjectExtendedLimitInformation, SetInformationJobObject,
};

/// A job object that kills its process when the last handle to it is closed: when this is dropped, and also
/// when the process that holds it ends in any way.
#[derive(Debug)]
pub(super) struct JobObject {
    /// Never read: it is the open handle that counts.
    _handle: OwnedHandle,
}

impl JobObject {
    /// Puts `child` into a new job of its own.
    #[allow(unsafe_code, reason = "job objects are only reachable through the Win32 interface")]
    pub(super) fn around(child: &Child, memory_bytes_max: u64) -> io::Result<Self> {
        let process = child.raw_handle().ok_or_else(|| io::Error::other("the process has ended"))?;
        // SAFETY: both arguments may be null: default security, no name.
        let raw = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if raw.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle was just made and is owned by nobody else.
        let handle = unsafe { OwnedHandle::from_raw_handle(raw) };
        let job = handle.as_raw_handle();

        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
            | JOB_OBJECT_LIMIT_PROCESS_MEMORY
            | JOB_OBJECT_LIMIT_ACTIVE_PROCESS
            | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
        limits.BasicLimitInformation.ActiveProcessLimit = 1;
        limits.ProcessMemoryLimit = usize::try_from(memory_bytes_max).unwrap_or(usize::MAX);
        set(job, JobObjectExtendedLimitInformation, &limits)?;

        let windows = JOBOBJECT_BASIC_UI_RESTRICTIONS {
            UIRestrictionsClass: JOB_OBJECT_UILIMIT_DESKTOP
                | JOB_OBJECT_UILIMIT_DISPLAYSETTINGS
                | JOB_OBJECT_UILIMIT_EXITWINDOWS
                | JOB_OBJECT_UILIMIT_GLOBALATOMS
                | JOB_OBJECT_UILIMIT_HANDLES
                | JOB_OBJECT_UILIMIT_READCLIPBOARD
                | JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS
                | JOB_OBJECT_UILIMIT_WRITECLIPBOARD,
        };
        set(job, JobObjectBasicUIRestrictions, &windows)?;

        // SAFETY: both handles are open for the length of the call.
        if unsafe { AssignProcessToJobObject(job, process) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { _handle: handle })
    }
}

#[allow(unsafe_code, reason = "job objects are only reachable through the Win32 interface")]
fn set<T>(job: HANDLE, class: JOBOBJECTINFOCLASS, information: &T) -> io::Result<()> {
    let bytes = u32::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: `information` is a whole `T` that outlives the call, and `class` names that type.
    let done = unsafe {
        SetInformationJobObject(job, class, std::ptr::from_ref(information).cast::<c_void>(), bytes)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
