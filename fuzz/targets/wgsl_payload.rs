//! A job from anyone: its description, and WGSL of any shape. It is checked, never run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_runtime_api::Limits;
use lull_types::wgsl::{
    Tolerance, WgslBinding, WgslBuffer, WgslBufferRole, WgslDispatch, WgslInit, WgslTask,
};
use lull_wgsl::check;

/// A sound task around a shader that is not.
fn around(shader: &str) -> WgslTask {
    WgslTask {
        shaders: vec![shader.to_owned()],
        buffers: vec![WgslBuffer { bytes: 256, init: WgslInit::Zero, role: WgslBufferRole::ReadWrite }],
        dispatches: vec![WgslDispatch {
            shader: 0,
            entry: "main".to_owned(),
            bindings: vec![WgslBinding { group: 0, binding: 0, buffer: 0 }],
            workgroups: 1,
        }],
        outputs: vec![0],
        tolerance: Tolerance::Exact,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = check(bytes, &[], &Limits::default());
    if let Ok(shader) = std::str::from_utf8(bytes) {
        let payload = serde_json::to_vec(&around(shader)).expect("a task can be written");
        let _ = check(&payload, &[], &Limits::default());
    }
});
