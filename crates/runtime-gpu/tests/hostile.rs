//! Tasks that are wrong, on purpose or not, and tasks that are right.

#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod common;

use std::time::{Duration, Instant};

use common::{Runtime, SLICE, buffer, dispatch, input, small_task, words};
use lull_runtime_api::{Limits, RunOutcome, RuntimeEvent, TaskInput};
use lull_types::wgsl::{WgslBinding, WgslBufferRole, WgslInit, WgslTask, limits};
use lull_types::{BlobHash, Coded};

/// A task that is right: each workgroup writes its index.
fn right() -> WgslTask {
    let body = "@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3<u32>) {
        let index = lull_slice.first_workgroup + id.x;
        out[index] = index * 3u + lull_slice.workgroup_count;
    }";
    small_task(body, 1000, 1000)
}

/// The code with which a task is refused before it reaches a device.
fn refused(task: &WgslTask, inputs: &[TaskInput]) -> &'static str {
    let payload = serde_json::to_vec(task).unwrap();
    match lull_wgsl::check(&payload, inputs, &Limits::default()) {
        Ok(_) => "accepted",
        Err(error) => {
            eprintln!("{error}");
            error.code()
        }
    }
}

fn changed(change: impl FnOnce(&mut WgslTask)) -> WgslTask {
    let mut task = right();
    change(&mut task);
    task
}

#[test]
fn payloads_that_are_no_tasks() {
    let check = |payload: &[u8]| lull_wgsl::check(payload, &[], &Limits::default()).err().unwrap().code();
    assert_eq!(check(b""), "wgsl_payload_malformed");
    assert_eq!(check(b"{\"shaders\": []}"), "wgsl_payload_malformed");
    assert_eq!(check(&[b'['; 100_000]), "wgsl_payload_malformed");
    assert_eq!(check(&vec![b' '; limits::PAYLOAD_BYTES_MAX + 1]), "wgsl_limit_exceeded");
    assert_eq!(refused(&right(), &[]), "accepted");
}

#[test]
fn limits_are_checked_before_anything_is_compiled() {
    // Were a shader looked at first, these would be invalid.
    let over = |change: &dyn Fn(&mut WgslTask)| {
        refused(
            &changed(|task| {
                task.shaders[0] = "not a shader".to_owned();
                change(task)
            }),
            &[],
        )
    };
    let exceeded = "wgsl_limit_exceeded";
    assert_eq!(over(&|t| t.shaders = vec!["x".to_owned(); limits::SHADERS_MAX + 1]), exceeded);
    assert_eq!(over(&|t| t.shaders[0] = "/".repeat(limits::SHADER_BYTES_MAX + 1)), exceeded);
    assert_eq!(over(&|t| t.buffers = vec![t.buffers[0].clone(); limits::BUFFERS_MAX + 1]), exceeded);
    assert_eq!(over(&|t| t.buffers[0].bytes = limits::BUFFER_BYTES_TOTAL_MAX + 4), exceeded);
    assert_eq!(
        over(&|t| t.buffers = vec![buffer(u64::MAX - 3, WgslBufferRole::ReadWrite, WgslInit::Zero); 2]),
        exceeded
    );
    assert_eq!(over(&|t| t.dispatches = vec![t.dispatches[0].clone(); limits::DISPATCHES_MAX + 1]), exceeded);
    assert_eq!(over(&|t| t.dispatches[0].workgroups = limits::WORKGROUPS_MAX + 1), exceeded);
    assert_eq!(over(&|t| t.outputs = vec![0; limits::OUTPUTS_MAX + 1]), exceeded);
    assert_eq!(over(&|t| t.buffers[0].bytes = limits::OUTPUT_BYTES_TOTAL_MAX + 4), exceeded);
    assert_eq!(over(&|t| t.buffers.push(buffer(1 << 20, WgslBufferRole::Uniform, WgslInit::Zero))), exceeded);

    let payload = serde_json::to_vec(&right()).unwrap();
    let tight = Limits { buffer_bytes_max: 3999, ..Limits::default() };
    assert_eq!(lull_wgsl::check(&payload, &[], &tight).err().unwrap().code(), exceeded);
}

#[test]
fn references_that_lead_nowhere() {
    let malformed = "wgsl_payload_malformed";
    assert_eq!(refused(&changed(|t| t.dispatches[0].shader = 1), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.outputs = vec![1]), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.outputs.clear()), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.dispatches.clear()), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.dispatches[0].workgroups = 0), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.buffers[0].bytes = 4002), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.buffers[0].bytes = 0), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.buffers[0].role = WgslBufferRole::ReadOnly), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.buffers[0].init = WgslInit::Words(vec![0; 1001])), &[]), malformed);
    assert_eq!(refused(&changed(|t| t.dispatches[0].entry = "other".to_owned()), &[]), "wgsl_entry_missing");
}

#[test]
fn bindings_that_do_not_fit() {
    let mismatch = "wgsl_binding_mismatch";
    let bound = |group, binding, buffer| WgslBinding { group, binding, buffer };
    let with = |bindings: Vec<WgslBinding>| changed(|t| t.dispatches[0].bindings = bindings);
    assert_eq!(refused(&with(vec![]), &[]), mismatch);
    assert_eq!(refused(&with(vec![bound(0, 0, 1)]), &[]), mismatch, "no such buffer");
    assert_eq!(refused(&with(vec![bound(0, 0, u32::MAX)]), &[]), mismatch);
    assert_eq!(refused(&with(vec![bound(0, 0, 0), bound(0, 1, 0)]), &[]), mismatch, "not declared");
    assert_eq!(refused(&with(vec![bound(0, 0, 0), bound(0, 0, 0)]), &[]), mismatch, "twice");
    assert_eq!(refused(&with(vec![bound(3, 0, 0)]), &[]), mismatch, "the slice's group");
    assert_eq!(refused(&with(vec![bound(u32::MAX, u32::MAX, 0)]), &[]), mismatch);
    assert_eq!(
        refused(&changed(|t| t.buffers[0].role = WgslBufferRole::Uniform), &[]),
        "wgsl_payload_malformed"
    );
    // A buffer that is too small for its type.
    let sized = changed(|t| t.shaders[0] = t.shaders[0].replace("array<u32>", "array<u32, 1001>"));
    assert_eq!(refused(&sized, &[]), mismatch);
    // The same buffer, written under two names.
    let aliased = changed(|t| {
        t.shaders[0] = format!(
            "{SLICE} @group(0) @binding(0) var<storage, read_write> a: array<u32>;
            @group(0) @binding(1) var<storage, read> b: array<u32>;
            @compute @workgroup_size(1) fn main() {{ a[lull_slice.first_workgroup] = b[0]; }}"
        );
        t.dispatches = vec![dispatch("main", 1, &[(0, 0), (1, 0)])];
    });
    assert_eq!(refused(&aliased, &[]), mismatch);
    // Textures.
    let texture = changed(|t| {
        t.shaders[0] = format!(
            "{SLICE} @group(0) @binding(0) var t: texture_2d<f32>;
            @compute @workgroup_size(1) fn main() {{ _ = textureLoad(t, vec2(lull_slice.first_workgroup), 0); }}"
        );
    });
    assert_eq!(refused(&texture, &[]), mismatch);
}

#[test]
fn shaders_that_are_not_valid() {
    let with = |shader: String| refused(&changed(|t| t.shaders[0] = shader), &[]);
    assert_eq!(with("fn main( {".to_owned()), "wgsl_invalid");
    assert_eq!(with("\u{0}\u{ffff}".to_owned()), "wgsl_invalid");
    assert_eq!(with(format!("const x = {}1{};", "(".repeat(50_000), ")".repeat(50_000))), "wgsl_invalid");
    assert_eq!(
        with("enable f16; @compute @workgroup_size(1) fn main() { var x: f16 = 1.0h; x += x; }".to_owned()),
        "wgsl_invalid"
    );
    let main = "@compute @workgroup_size(1) fn main() { out[lull_slice.first_workgroup] = 1u; }";
    let out = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;";
    assert_eq!(with(format!("{SLICE} {out} override n: u32 = 4u; {main}")), "wgsl_invalid");
    assert_eq!(with(format!("{SLICE} {out} {main}")), "accepted");
    // Memory that no buffer limit counts.
    let big = format!("{SLICE} {out} var<workgroup> w: array<u32, 5000>; {main}");
    assert_eq!(with(big), "wgsl_limit_exceeded");
    let big = format!("{SLICE} {out} var<private> p: array<u32, 100000000>; {main}");
    assert_eq!(with(big), "wgsl_limit_exceeded");
    let wide = main.replace("workgroup_size(1)", "workgroup_size(256, 2)");
    assert_eq!(with(format!("{SLICE} {out} {wide}")), "wgsl_limit_exceeded");
}

#[test]
fn shaders_that_cannot_be_sliced() {
    let out = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;";
    let with = |shader: String| refused(&changed(|t| t.shaders[0] = shader), &[]);
    let missing = "wgsl_slice_missing";
    assert_eq!(with(format!("{out} @compute @workgroup_size(1) fn main() {{ out[0] = 1u; }}")), missing);
    let unread = format!("{SLICE} {out} @compute @workgroup_size(1) fn main() {{ out[0] = 1u; }}");
    assert_eq!(with(unread), missing);
    for (declaration, value) in [
        ("@group(3) @binding(0) var<uniform> s: vec2<u32>;", "s.x"),
        ("@group(3) @binding(0) var<storage, read> s: vec4<u32>;", "s.x"),
    ] {
        let shader =
            format!("{declaration} {out} @compute @workgroup_size(1) fn main() {{ out[0] = {value}; }}");
        assert_eq!(with(shader), missing, "{declaration}");
    }
}

#[test]
fn inputs_that_are_missing_or_altered() {
    let blob = input(vec![1; 100]);
    let wants = changed(|t| t.buffers[0].init = WgslInit::Blob(blob.hash));
    assert_eq!(refused(&wants, std::slice::from_ref(&blob)), "accepted");
    assert_eq!(refused(&wants, &[]), "input_missing");
    let altered = TaskInput { hash: blob.hash, bytes: vec![2; 100] };
    assert_eq!(refused(&wants, &[altered]), "input_hash_mismatch");
    let long = input(vec![1; 4001]);
    let wants = changed(|t| t.buffers[0].init = WgslInit::Blob(long.hash));
    assert_eq!(refused(&wants, &[long]), "wgsl_payload_malformed");
    assert_ne!(BlobHash::of(b""), blob.hash);
}

#[test]
fn a_sliced_dispatch_equals_the_cpus() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let expected: Vec<u32> = (0..1000).map(|i| i * 3 + 1000).collect();
    assert_eq!(words(&runtime.outputs(&right(), Vec::new())[0]), expected);

    // Slower workgroups, so that there are many slices.
    let body = "@compute @workgroup_size(64) fn main(
            @builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
        let at = (lull_slice.first_workgroup + id.x) * 64u + lane;
        var x = at;
        for (var i = 0u; i < 2000u; i++) { x = x * 747796405u + 2891336453u; }
        out[at] = x;
    }";
    let task = small_task(body, 64 * 3000, 3000);
    let expected = (0..64 * 3000u32)
        .map(|at| (0..2000).fold(at, |x, _| x.wrapping_mul(747_796_405).wrapping_add(2_891_336_453)));
    let limits = Limits { slice_ms_target: 1, ..Limits::default() };
    let RunOutcome::Done { outputs, slices, .. } = runtime.run(&task, Vec::new(), limits) else {
        panic!("it did not run");
    };
    assert!(words(&outputs[0]).into_iter().eq(expected));
    assert!(slices > 5, "{slices}");
}

#[test]
fn inputs_reach_the_shader_and_dispatches_run_in_order() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let blob = input((0..10u8).collect());
    let mut task = small_task(
        "@group(0) @binding(1) var<storage, read> data: array<u32>;
        @group(1) @binding(7) var<uniform> factor: vec4<u32>;
        @compute @workgroup_size(1) fn first(@builtin(workgroup_id) id: vec3<u32>) {
            let i = lull_slice.first_workgroup + id.x;
            out[i] = data[i] * factor.y;
        }
        @compute @workgroup_size(1) fn second(@builtin(workgroup_id) id: vec3<u32>) {
            let i = lull_slice.first_workgroup + id.x;
            out[i] = out[i] + 1u;
        }",
        4,
        4,
    );
    task.buffers.push(buffer(16, WgslBufferRole::ReadOnly, WgslInit::Blob(blob.hash)));
    task.buffers.push(buffer(16, WgslBufferRole::Uniform, WgslInit::Words(vec![0, 2])));
    let mut first = dispatch("first", 4, &[(0, 0), (1, 1)]);
    first.bindings.push(WgslBinding { group: 1, binding: 7, buffer: 2 });
    task.dispatches = vec![first, dispatch("second", 4, &[(0, 0)]), dispatch("second", 4, &[(0, 0)])];
    let outputs = runtime.outputs(&task, vec![blob]);
    let expected = [0x0302_0100u32, 0x0706_0504, 0x0000_0908, 0].map(|word| word.wrapping_mul(2) + 2);
    assert_eq!(words(&outputs[0]), expected);
}

#[test]
fn a_shader_cannot_reach_beyond_its_buffers() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let body = "var<workgroup> left_over: array<u32, 64>;
    @compute @workgroup_size(1) fn main() {
        let far = lull_slice.workgroup_count * 100000000u;
        out[far] = 1u;
        out[0] = left_over[7];
        out[1] = arrayLength(&out);
    }";
    let outputs = runtime.outputs(&small_task(body, 4, 1), Vec::new());
    // A write out of bounds is dropped or lands inside; workgroup memory starts as zero.
    let out = words(&outputs[0]);
    assert_eq!((out[0], out[1]), (0, 4));
}

/// A task of one entry point that takes long in every workgroup. The steps are written out, as Mesa's llvmpipe ends
/// an invocation's loops after 65,535 turns in all, whatever the shader says.
fn long_task(turns: &str, workgroups: u32) -> WgslTask {
    let steps = "x = x * 747796405u + 2891336453u; x = x ^ (x >> 13u);\n".repeat(64);
    let body = format!(
        "@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            var x = lull_slice.first_workgroup + id.x;
            for (var i = 0u; {turns}; i++) {{
                {steps}
                if x == 77u {{ out[1] = i; }}
            }}
            out[0] = x;
        }}"
    );
    small_task(&body, 4, workgroups)
}

#[test]
fn an_endless_loop_is_told_as_a_hang_and_ends_the_process() {
    // Short, because some software devices end every loop after 65,535 turns; they are given six times as long.
    let Some((mut runtime, _)) = Runtime::with_device(&["--hang-after-ms", "30"]) else { return };
    let started = Instant::now();
    match runtime.run(&long_task("out[2] == 0u", 1000), Vec::new(), Limits::default()) {
        RunOutcome::DeviceFault(fault) => assert_eq!(fault.code, "gpu_hang"),
        other => panic!("{other:?}"),
    }
    assert!(runtime.event_or_end().is_none());
    assert_eq!(runtime.exit_code(), Some(3));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_workgroup_that_takes_too_long_by_itself_is_the_tasks_fault() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    // Some tenths of a second a workgroup on any device.
    match runtime.run(&long_task("i < 400000u", 100), Vec::new(), Limits::default()) {
        RunOutcome::TaskFault(fault) => assert_eq!(fault.code, "slice_too_long"),
        other => panic!("{other:?}"),
    }
    assert_eq!(words(&runtime.outputs(&right(), Vec::new())[0]).len(), 1000, "fit for more work");
}

#[test]
fn a_run_over_its_time_is_stopped() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let body = "@compute @workgroup_size(64) fn main(@builtin(workgroup_id) id: vec3<u32>) {
        var x = lull_slice.first_workgroup + id.x;
        for (var i = 0u; i < 20000u; i++) { x = x * 747796405u + 2891336453u; x = x ^ (x >> 13u); }
        out[x & 3u] = x;
    }";
    let payload = serde_json::to_vec(&small_task(body, 4, 1 << 24)).unwrap();
    runtime.start_payload(payload, Vec::new(), Limits { run_ms_max: 700, ..Limits::default() });
    let mut progress = 0;
    loop {
        match runtime.event() {
            RuntimeEvent::RunProgress { .. } => progress += 1,
            RuntimeEvent::RunEnded(RunOutcome::TaskFault(fault)) => {
                assert_eq!(fault.code, "run_too_long");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    eprintln!("{progress} progress events");
}
