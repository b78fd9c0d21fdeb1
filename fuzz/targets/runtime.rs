//! What a runtime that has been taken over sends its worker, and the other way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_runtime_api::{FRAMES, Request, RuntimeEvent};

fuzz_target!(|bytes: &[u8]| {
    let _ = FRAMES.read_blocking::<RuntimeEvent>(&mut &bytes[..]);
    let _ = FRAMES.read_blocking::<Request>(&mut &bytes[..]);
});
