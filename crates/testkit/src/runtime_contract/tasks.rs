//! Tasks for the suite.

use lull_types::BlobHash;
use lull_types::wgsl::{
    Tolerance, WgslBinding, WgslBuffer, WgslBufferRole, WgslDispatch, WgslInit, WgslTask, limits,
};

/// Words that [`squares`] works on.
pub(super) const SQUARES: u32 = 1000;

const SLICE: &str = "
struct LullSlice { first_workgroup: u32, workgroup_count: u32, reserved_0: u32, reserved_1: u32 }
@group(3) @binding(0) var<uniform> lull_slice: LullSlice;
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
";

/// Squares the words 0, 1, 2 … of an input blob.
pub(super) fn squares() -> (WgslTask, Vec<u8>) {
    let input: Vec<u8> = (0..SQUARES).flat_map(u32::to_le_bytes).collect();
    let shader = format!(
        "{SLICE}
@compute @workgroup_size(64)
fn square(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let i = (lull_slice.first_workgroup + group.x) * 64u + lane;
    if i < arrayLength(&data) {{
        data[i] = data[i] * data[i];
    }}
}}"
    );
    let init = WgslInit::Blob(BlobHash::of(&input));
    (task(shader, "square", u64::from(SQUARES) * 4, init, SQUARES.div_ceil(64), 1), input)
}

/// As much work as the limits allow: minutes on any device.
pub(super) fn endless() -> WgslTask {
    let shader = format!(
        "{SLICE}
@compute @workgroup_size(64)
fn churn(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let start = lull_slice.first_workgroup + group.x;
    var x = start * 64u + lane;
    for (var i = 0u; i < 4096u; i++) {{
        x = x * 1664525u + 1013904223u;
    }}
    data[lane] = x;
}}"
    );
    task(shader, "churn", 256, WgslInit::Zero, limits::WORKGROUPS_MAX, limits::DISPATCHES_MAX)
}

fn task(
    shader: String,
    entry: &str,
    bytes: u64,
    init: WgslInit,
    workgroups: u32,
    dispatches: usize,
) -> WgslTask {
    let dispatch = WgslDispatch {
        shader: 0,
        entry: entry.to_owned(),
        bindings: vec![WgslBinding { group: 0, binding: 0, buffer: 0 }],
        workgroups,
    };
    WgslTask {
        shaders: vec![shader],
        buffers: vec![WgslBuffer { bytes, init, role: WgslBufferRole::ReadWrite }],
        dispatches: vec![dispatch; dispatches],
        outputs: vec![0],
        tolerance: Tolerance::Exact,
    }
}

/// Tasks that are wrong, each in one way, with what is wrong.
pub(super) fn bad() -> Vec<(&'static str, Vec<u8>)> {
    let (good, _) = squares();
    let changed = |change: &dyn Fn(&mut WgslTask)| {
        let mut task = good.clone();
        task.buffers[0].init = WgslInit::Zero;
        change(&mut task);
        serde_json::to_vec(&task).unwrap_or_default()
    };
    vec![
        ("no JSON", b"\xff\xfe{".to_vec()),
        ("another schema", br#"{"program":"/bin/sh"}"#.to_vec()),
        ("a binding to no buffer", changed(&|t| t.dispatches[0].bindings[0].buffer = 7)),
        ("a dispatch of no shader", changed(&|t| t.dispatches[0].shader = 9)),
        ("an output that is no buffer", changed(&|t| t.outputs = vec![3])),
        ("a buffer over the limit", changed(&|t| t.buffers[0].bytes = u64::MAX - 3)),
        ("a missing input", serde_json::to_vec(&good).unwrap_or_default()),
    ]
}

/// Tasks that only a compiler finds wrong.
pub(super) fn bad_to_compile() -> Vec<(&'static str, Vec<u8>)> {
    let (good, _) = squares();
    let changed = |change: &dyn Fn(&mut WgslTask)| {
        let mut task = good.clone();
        task.buffers[0].init = WgslInit::Zero;
        change(&mut task);
        serde_json::to_vec(&task).unwrap_or_default()
    };
    vec![
        ("a shader that is no WGSL", changed(&|t| t.shaders[0] = "int main() { return 0; }".to_owned())),
        ("an entry point that is not there", changed(&|t| t.dispatches[0].entry = "nothing".to_owned())),
        (
            "a binding that the shader lacks",
            changed(&|t| {
                t.dispatches[0].bindings.push(WgslBinding { group: 1, binding: 4, buffer: 0 });
            }),
        ),
        ("a binding that is not given", changed(&|t| t.dispatches[0].bindings.clear())),
    ]
}
