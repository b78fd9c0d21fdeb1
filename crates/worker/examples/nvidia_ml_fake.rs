//! A fake of NVIDIA's management library ([NVML](https://docs.nvidia.com/deploy/nvml-api/)): the part of it that is about
//! power limits. Its boards are in a file beside it, [`lull_testkit::fake_nvml`], so that a copy of the library has boards
//! of its own, and they outlive a process that is killed. What it lacks is to its user like a driver from before it was.

#[cfg(unix)]
mod library {
    #![allow(unsafe_code, reason = "functions of a C library take and fill pointers of their caller")]

    use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_void};
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;
    use std::time::Duration;

    use lull_testkit::fake_nvml::{FakeNvml, FakeNvmlBoard};

    /// Codes of `nvml.h`.
    const SUCCESS: c_uint = 0;
    const INVALID_ARGUMENT: c_uint = 2;
    const NOT_SUPPORTED: c_uint = 3;
    const NO_PERMISSION: c_uint = 4;
    const NOT_FOUND: c_uint = 6;
    const INSUFFICIENT_SIZE: c_uint = 7;
    const DRIVER_NOT_LOADED: c_uint = 9;
    const UNKNOWN: c_uint = 999;

    /// How often a board that hangs is looked at.
    const LOOK_EVERY: Duration = Duration::from_millis(10);

    /// The place of a board in the file, from 1.
    type Device = *mut c_void;

    /// Where this library was loaded from.
    fn own_path() -> Option<PathBuf> {
        let mut info = libc::Dl_info {
            dli_fname: std::ptr::null(),
            dli_fbase: std::ptr::null_mut(),
            dli_sname: std::ptr::null(),
            dli_saddr: std::ptr::null_mut(),
        };
        let here = nvmlShutdown as *const c_void;
        // SAFETY: `here` lies in this library, and `info` is ours to be filled.
        let found: c_int = unsafe { libc::dladdr(here, &raw mut info) };
        if found == 0 || info.dli_fname.is_null() {
            return None;
        }
        // SAFETY: the loader's own text, which lives as long as the library is loaded.
        let name = unsafe { CStr::from_ptr(info.dli_fname) };
        Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
    }

    fn boards() -> Result<FakeNvml, c_uint> {
        own_path().and_then(|library| FakeNvml::read(&library).ok()).ok_or(DRIVER_NOT_LOADED)
    }

    fn board(device: Device) -> Result<FakeNvmlBoard, c_uint> {
        let place = (device as usize).checked_sub(1).ok_or(INVALID_ARGUMENT)?;
        boards()?.boards.get(place).cloned().ok_or(NOT_FOUND)
    }

    fn code(done: Result<(), c_uint>) -> c_uint {
        done.err().unwrap_or(SUCCESS)
    }

    /// Finds the board for which `is` holds, given a text of the caller's.
    unsafe fn find(
        text: *const c_char,
        device: *mut Device,
        is: impl Fn(&FakeNvmlBoard, &str) -> bool,
    ) -> Result<(), c_uint> {
        // SAFETY: the caller gives a text that ends with a zero, as the interface asks.
        let text = unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| INVALID_ARGUMENT)?;
        let place = boards()?.boards.iter().position(|board| is(board, text)).ok_or(NOT_FOUND)?;
        // SAFETY: the caller gives room for a handle.
        unsafe { device.write((place + 1) as Device) };
        Ok(())
    }

    #[unsafe(no_mangle)]
    extern "C" fn nvmlInit_v2() -> c_uint {
        code(boards().map(drop))
    }

    #[unsafe(no_mangle)]
    extern "C" fn nvmlShutdown() -> c_uint {
        SUCCESS
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(bus: *const c_char, device: *mut Device) -> c_uint {
        // SAFETY: as the interface asks of the caller.
        code(unsafe { find(bus, device, |board, bus| board.bus.eq_ignore_ascii_case(bus)) })
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, device: *mut Device) -> c_uint {
        // SAFETY: as the interface asks of the caller.
        code(unsafe { find(uuid, device, |board, uuid| board.uuid == uuid) })
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn nvmlDeviceGetUUID(device: Device, uuid: *mut c_char, room: c_uint) -> c_uint {
        code(board(device).and_then(|board| {
            let text = board.uuid.as_bytes();
            if text.len() >= room as usize {
                return Err(INSUFFICIENT_SIZE);
            }
            // SAFETY: the caller gives `room` bytes, and the text with its zero is no longer.
            unsafe {
                uuid.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
                uuid.add(text.len()).write(0);
            }
            Ok(())
        }))
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn nvmlDeviceGetPowerManagementLimit(device: Device, limit: *mut c_uint) -> c_uint {
        code(board(device).and_then(|board| {
            let milliwatts = board.milliwatts.ok_or(NOT_SUPPORTED)?;
            // SAFETY: the caller gives room for a number.
            unsafe { limit.write(milliwatts) };
            Ok(())
        }))
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn nvmlDeviceGetPowerManagementLimitConstraints(
        device: Device,
        least: *mut c_uint,
        most: *mut c_uint,
    ) -> c_uint {
        code(board(device).and_then(|board| {
            board.milliwatts.ok_or(NOT_SUPPORTED)?;
            // SAFETY: the caller gives room for two numbers.
            unsafe {
                least.write(board.milliwatts_min);
                most.write(board.milliwatts_max);
            }
            Ok(())
        }))
    }

    #[unsafe(no_mangle)]
    extern "C" fn nvmlDeviceSetPowerManagementLimit(device: Device, milliwatts: c_uint) -> c_uint {
        let set = || {
            while board(device)?.hangs {
                std::thread::sleep(LOOK_EVERY);
            }
            let library = own_path().ok_or(UNKNOWN)?;
            let mut all = boards()?;
            let board = all.boards.get_mut((device as usize) - 1).ok_or(NOT_FOUND)?;
            board.milliwatts.ok_or(NOT_SUPPORTED)?;
            if board.locked {
                return Err(NO_PERMISSION);
            }
            if !(board.milliwatts_min..=board.milliwatts_max).contains(&milliwatts) {
                return Err(INVALID_ARGUMENT);
            }
            board.milliwatts = Some(milliwatts);
            board.set.push(milliwatts);
            all.write(&library).map_err(|_| UNKNOWN)
        };
        code(set())
    }
}
