//! macOS: the seatbelt, applied by the process to itself.

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;

use lull_types::SandboxPart;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{Policy, SandboxError};

/// Metal talks to a dozen services whose names change with every release, so services stay reachable; what is
/// refused is what would lead out: the network, other programs and processes, and the user's files.
const PROFILE: &str = r#"(version 1)
(allow default)
(deny network*)
(deny process-fork)
(deny process-exec*)
(deny signal)
(allow signal (target self))
(deny process-info*)
(allow process-info* (target self))
(deny appleevent-send)
(deny job-creation)
(deny file-read-data (subpath "/Users") (subpath "/Volumes") (subpath "/private/var/root"))
(deny file-write*)
(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/dtracehelper"))
"#;

// `sandbox_init` is in libSystem, which every program is linked with. With flags of zero, the profile is the text
// itself. It is marked deprecated without a successor for programs outside the App Store; browsers use it.
#[allow(unsafe_code, reason = "the seatbelt has no other interface for the process itself")]
unsafe extern "C" {
    fn sandbox_init(profile: *const c_char, flags: u64, error: *mut *mut c_char) -> c_int;
    fn sandbox_free_error(error: *mut c_char);
}

/// Gives up all that `policy` does not keep.
pub(super) fn lock_down(policy: &Policy) -> Result<Vec<SandboxPart>, SandboxError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|error| SandboxError::Refused { step: "RLIMIT_CORE", reason: error.to_string() })?;
    let mut held = vec![SandboxPart::held("no core dumps")];
    held.push(match apply(&profile(policy)) {
        Ok(()) => SandboxPart::held(format!(
            "seatbelt: no network, no other processes, no files of the user but {}",
            policy.scratch.display()
        )),
        Err(reason) => SandboxPart::missing(format!(
            "the seatbelt ({reason}); a job could reach the network and the user's files"
        )),
    });
    // The system ignores resource limits on memory.
    held.push(SandboxPart::missing("a limit of memory, which macOS does not enforce"));
    Ok(held)
}

fn profile(policy: &Policy) -> String {
    let mut profile =
        format!("{PROFILE}(allow file-read* file-write* (subpath \"{}\"))\n", quoted(&policy.scratch));
    for file in &policy.readable {
        profile.push_str(&format!("(allow file-read* (literal \"{}\"))\n", quoted(file)));
    }
    profile
}

fn quoted(path: &Path) -> String {
    // The seatbelt compares real paths: `/tmp` is a link there.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"")
}

#[allow(unsafe_code, reason = "the seatbelt has no other interface for the process itself")]
fn apply(profile: &str) -> Result<(), String> {
    let profile = CString::new(profile).map_err(|error| error.to_string())?;
    let mut error: *mut c_char = std::ptr::null_mut();
    // SAFETY: the profile is a C string that outlives the call; the error is written by the callee.
    if unsafe { sandbox_init(profile.as_ptr(), 0, &raw mut error) } == 0 {
        return Ok(());
    }
    if error.is_null() {
        return Err("no reason given".to_owned());
    }
    // SAFETY: the callee made a C string, which is copied and then freed once, by its own function.
    let reason = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
    // SAFETY: as above.
    unsafe { sandbox_free_error(error) };
    Err(reason)
}
