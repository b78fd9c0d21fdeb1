use lull_network_api::{Enrolment, NetworkMessage, WorkerMessage};
use lull_types::{DeviceKind, Measure, UnixMillis};

use super::rig::*;

fn one_device() -> Enrolment {
    enrolment(vec![device(0, "amd")], &[KIND])
}

#[test]
fn what_no_device_can_do_is_refused() {
    type Change = fn(&mut Enrolment);
    let table: [(Change, &str); 15] = [
        (|e| e.benchmarks.clear(), "enrolment_malformed"),
        (|e| e.hardware.devices.clear(), "enrolment_malformed"),
        (|e| e.kinds.clear(), "enrolment_malformed"),
        (|e| e.kinds = vec!["k".repeat(513)], "enrolment_malformed"),
        (|e| e.benchmarks[0].device.index = 1, "enrolment_malformed"),
        (|e| e.benchmarks[0].device.name.push('!'), "enrolment_malformed"),
        (|e| e.benchmarks[0].measured_at = UnixMillis(u64::MAX), "enrolment_malformed"),
        (|e| e.benchmarks[0].measurements.clear(), "benchmark_empty"),
        (|e| e.benchmarks[0].measurements[0].value = f64::NAN, "benchmark_unsound"),
        (|e| e.benchmarks[0].measurements[0].value = 30_000.0, "benchmark_unsound"),
        (|e| e.benchmarks[0].measurements[0] = measurement(Measure::Fp32Peak, -1.0), "benchmark_unsound"),
        (|e| e.benchmarks[0].measurements[0].correct = false, "benchmark_incorrect"),
        (|e| e.benchmarks[0].measurements[0] = measurement(Measure::Fp32Peak, 1e6), "benchmark_impossible"),
        (
            |e| e.benchmarks[0].measurements.push(measurement(Measure::GemmFp32, 27_000.0)),
            "benchmark_impossible",
        ),
        (
            |e| {
                e.hardware.devices[0].kind = DeviceKind::Integrated;
                e.benchmarks[0].device.kind = DeviceKind::Integrated;
                e.benchmarks[0].measurements.push(measurement(Measure::MemoryRead, 3_000.0));
            },
            "benchmark_impossible",
        ),
    ];
    let mut rig = Rig::new(strict());
    let worker = key(1).worker_id();
    rig.connect(worker);
    for (number, (change, code)) in table.into_iter().enumerate() {
        let mut enrolment = one_device();
        change(&mut enrolment);
        let told = rig.say(worker, WorkerMessage::Enrol(Box::new(enrolment)));
        assert_eq!(refused(&told), code, "row {number}");
        assert_eq!(rig.idle(worker), "not_enrolled");
    }
    let told = rig.say(worker, WorkerMessage::Enrol(Box::new(one_device())));
    assert_eq!(told, [NetworkMessage::Enrolled]);
}

#[test]
fn enrolling_again_renews_the_devices_and_keeps_the_rest() {
    let mut rig = Rig::with_runtime(strict());
    let worker = rig.worker(1);
    let two = enrolment(vec![device(0, "nvidia"), device(1, "amd")], &["infer/1"]);
    for _ in 0..2 {
        assert_eq!(rig.say(worker, WorkerMessage::Enrol(Box::new(two.clone()))), [NetworkMessage::Enrolled]);
    }
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    assert_eq!(rig.idle(worker), "no_matching_kind");
}
