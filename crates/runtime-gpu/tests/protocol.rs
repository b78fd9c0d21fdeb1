//! The protocol: greeting, refusals, cancel and the end of the process.

#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use common::{Runtime, small_task};
use lull_runtime_api::{Limits, PROTOCOL_VERSION, Request, RunOutcome, RuntimeEvent};
use lull_types::{DeviceKind, Measure};

/// Work for some seconds on any device, in slices far below the bound.
fn long_task() -> lull_types::wgsl::WgslTask {
    let body = "@compute @workgroup_size(64) fn main(@builtin(workgroup_id) id: vec3<u32>) {
        var x = lull_slice.first_workgroup + id.x;
        for (var i = 0u; i < 20000u; i++) { x = x * 747796405u + 2891336453u; x = x ^ (x >> 13u); }
        out[x & 63u] = x;
    }";
    small_task(body, 64, 1 << 24)
}

fn refusal(runtime: &mut Runtime) -> String {
    match runtime.event() {
        RuntimeEvent::Refused(fault) => fault.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stranger_is_refused() {
    let mut runtime = Runtime::start(&[]);
    runtime.send(&Request::Enumerate);
    assert_eq!(refusal(&mut runtime), "hello_missing");
    runtime.send(&Request::Hello { protocol: PROTOCOL_VERSION + 1 });
    assert_eq!(refusal(&mut runtime), "protocol_mismatch");
    runtime.send(&Request::Enumerate);
    assert_eq!(refusal(&mut runtime), "hello_missing");
}

#[test]
fn a_malformed_or_oversized_frame_ends_the_process() {
    for (bytes, code) in [(&[1, 0, 0, 0, 0xff][..], "frame_malformed"), (&[0xff; 4], "frame_too_large")] {
        let mut runtime = Runtime::greeted(&[]);
        runtime.requests.as_mut().unwrap().write_all(bytes).unwrap();
        assert_eq!(refusal(&mut runtime), code);
        assert!(runtime.event_or_end().is_none());
        assert_eq!(runtime.exit_code(), Some(4));
    }
}

#[test]
fn devices_are_described() {
    let Some((mut runtime, device)) = Runtime::with_device(&[]) else { return };
    eprintln!("{device:#?}");
    let devices = runtime.devices();
    for (position, device) in devices.iter().enumerate() {
        assert_eq!(device.index as usize, position);
        assert!(!device.name.is_empty() && !device.vendor.is_empty() && !device.driver.is_empty());
        assert!(["vulkan", "metal", "dx12"].contains(&device.backend.as_str()), "{}", device.backend);
        assert!(device.storage_buffer_bytes_max >= 128 << 20, "WebGPU's least");
    }
    let first_software = devices.iter().position(|device| device.kind == DeviceKind::Software);
    let gpus_first = first_software
        .is_none_or(|first| devices[first..].iter().all(|device| device.kind == DeviceKind::Software));
    assert!(gpus_first, "software comes last");
}

#[test]
fn one_thing_at_a_time_and_a_cancel_is_followed_soon() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let payload = serde_json::to_vec(&long_task()).unwrap();
    runtime.start_payload(payload.clone(), Vec::new(), Limits::default());
    assert!(matches!(runtime.event(), RuntimeEvent::RunProgress { .. }), "slices complete");
    runtime.start_payload(payload, Vec::new(), Limits::default());
    runtime.send(&Request::Benchmark {
        device: 0,
        measures: Measure::ORDINARY.to_vec(),
        budget_ms: 1000,
        sustained_ms: 0,
    });
    let mut refused = 0;
    while refused < 2 {
        match runtime.event() {
            RuntimeEvent::Refused(fault) => {
                assert_eq!(fault.code, "busy");
                refused += 1;
            }
            RuntimeEvent::RunProgress { .. } => (),
            other => panic!("{other:?}"),
        }
    }
    let asked = Instant::now();
    runtime.send(&Request::Cancel);
    assert_eq!(runtime.outcome(), RunOutcome::Cancelled);
    let took = asked.elapsed();
    eprintln!("cancelled after {took:?}");
    // A slice of 30 ms, and room for a machine that does other things.
    assert!(took < Duration::from_secs(1), "{took:?}");
    runtime.send(&Request::Cancel);
    assert!(!runtime.devices().is_empty(), "a late cancel does not harm what follows");
}

#[test]
fn the_process_ends_with_its_worker_even_while_it_works() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    runtime.start_payload(serde_json::to_vec(&long_task()).unwrap(), Vec::new(), Limits::default());
    assert!(matches!(runtime.event(), RuntimeEvent::RunProgress { .. }));
    runtime.send(&Request::Shutdown);
    assert_eq!(runtime.exit_code(), Some(0));

    let mut runtime = Runtime::greeted(&[]);
    runtime.start_payload(serde_json::to_vec(&long_task()).unwrap(), Vec::new(), Limits::default());
    assert!(matches!(runtime.event(), RuntimeEvent::RunProgress { .. }));
    // Closes the pipe, as a killed worker does.
    drop(runtime.requests.take());
    assert_eq!(runtime.exit_code(), Some(0));
}

#[test]
fn an_unknown_kind_and_an_unknown_device_are_told() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    let mut run = |device, kind: &str| {
        let kind = kind.to_owned();
        let limits = Limits::default();
        runtime.send(&Request::Run { device, kind, payload: Vec::new(), inputs: Vec::new(), limits });
        runtime.outcome()
    };
    assert!(matches!(run(0, "mine/1"), RunOutcome::TaskFault(fault) if fault.code == "kind_unsupported"));
    assert!(matches!(run(99, "wgsl/1"), RunOutcome::DeviceFault(fault) if fault.code == "device_unknown"));
}
