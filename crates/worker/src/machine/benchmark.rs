//! Measuring a device: by hand, or because a network wants to know. All other work waits for it, since a GPU
//! that does two things measures neither.

use std::time::Duration;

use lull_types::{BenchmarkReport, DeviceInfo, Fault, Measure, UnixMillis};
use lull_worker_api::BenchmarkView;

use super::Machine;
use super::effect::Effect;
use super::id::LeaseId;
use super::lease::Purpose;
use super::out::Out;
use super::record::Record;

/// The longest sustained measure: a card's heat settles within a few minutes.
pub const SUSTAINED_MAX: Duration = Duration::from_secs(600);

/// What is measured, and what is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Benchmark {
    /// Asked for by hand and not begun.
    pub wanted: Option<Wanted>,
    pub running: Option<RunningBenchmark>,
    /// A device that a network wants measured; looked up anew with every drive.
    pub needed: Option<u32>,
}

/// A measurement asked for by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub device: u32,
    pub sustained: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct RunningBenchmark {
    pub lease: LeaseId,
    pub by_hand: bool,
    pub view: BenchmarkView,
}

impl Benchmark {
    /// The process is gone.
    pub fn on_freed(&mut self, lease: LeaseId) {
        if self.running.as_ref().is_some_and(|running| running.lease == lease) {
            self.running = None;
        }
    }
}

impl Machine {
    /// The last report of this very device, and not of one that had its place before.
    pub(super) fn benchmark_of(&self, info: &DeviceInfo) -> Option<&BenchmarkReport> {
        self.benchmarks.iter().find(|report| {
            let old = &report.device;
            (old.index, &old.name, &old.vendor, &old.backend)
                == (info.index, &info.name, &info.vendor, &info.backend)
        })
    }

    /// The device that waits to be measured and may be. While one does, all other work waits.
    pub(super) fn waiting_benchmark(&self) -> Option<u32> {
        let by_hand = self.benchmark.wanted.map(|wanted| wanted.device);
        [by_hand, self.benchmark.needed].into_iter().flatten().find(|device| self.is_clear(*device))
    }

    /// Whether other work must wait for a benchmark.
    pub(super) fn waits_for_benchmark(&self) -> bool {
        self.benchmark.running.is_some() || self.waiting_benchmark().is_some()
    }

    pub(super) fn drive_benchmark(&mut self, now: UnixMillis, out: &mut Out) {
        self.benchmark.needed = self.device_to_measure(now, out);
        // What a network wants to know needs no minutes.
        let needed = self.benchmark.needed.map(|device| Wanted { device, sustained: Duration::ZERO });
        let by_hand = self.benchmark.wanted.filter(|wanted| self.is_clear(wanted.device));
        let Some(Wanted { device, sustained }) = by_hand.or(needed) else { return };
        if self.benchmark.running.is_some() || !self.leases.is_empty() {
            return;
        }
        let by_hand = by_hand.is_some();
        if by_hand {
            self.benchmark.wanted = None;
        }
        let id = LeaseId(self.next_id());
        let lease = self.leases.grant(id, device, Purpose::Benchmark);
        let view = BenchmarkView { device, measure: None, fraction: 0.0, value_so_far: None };
        self.benchmark.running = Some(RunningBenchmark { lease: id, by_hand, view });
        out.effect(Effect::StartBenchmark { lease, sustained });
    }

    /// The first device that is offered to a network without a report.
    fn device_to_measure(&mut self, now: UnixMillis, out: &mut Out) -> Option<u32> {
        if !self.works() || self.network.is_none() || self.benchmark.running.is_some() {
            return None;
        }
        for index in 0..self.devices.len() {
            let info = &self.devices[index].info;
            let number = info.index;
            let measured = self.benchmark_of(info).is_some();
            if !measured
                && self.is_lent(number)
                && self.is_clear(number)
                && self.devices[index].is_fit(now, out)
            {
                return Some(number);
            }
        }
        None
    }

    /// Stops a benchmark, or one that was asked for.
    pub(super) fn cancel_benchmark(&mut self, now: UnixMillis, out: &mut Out) {
        self.benchmark.wanted = None;
        if let Some(lease) = self.benchmark.running.as_ref().map(|running| running.lease) {
            // Nothing of it is kept, so nothing is lost by not waiting until its process has noticed.
            self.leases.kill(lease, now, out);
        }
    }

    pub(super) fn on_benchmark_progress(
        &mut self,
        lease: LeaseId,
        measure: Measure,
        fraction: f32,
        value_so_far: Option<f64>,
    ) {
        if let Some(running) = &mut self.benchmark.running
            && running.lease == lease
        {
            let view = &mut running.view;
            view.measure = Some(measure);
            if fraction.is_finite() {
                view.fraction = fraction.clamp(view.fraction, 1.0);
            }
            view.value_so_far = value_so_far;
        }
    }

    pub(super) fn on_benchmark_ended(
        &mut self,
        lease: LeaseId,
        outcome: Result<Box<BenchmarkReport>, Fault>,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let Some(held) = self.leases.get(lease).copied() else { return };
        if held.purpose != Purpose::Benchmark || held.ended {
            return;
        }
        self.leases.ended(lease, now);
        let number = held.lease.device;
        match outcome {
            Ok(report) => {
                self.benchmarks.retain(|old| old.device.index != number);
                self.benchmarks.push((*report).clone());
                self.offer_revision += 1;
                if let Some(device) = self.device(number) {
                    device.worked();
                }
                out.record(Record::Benchmark(report));
            }
            Err(_) if held.revoked => {}
            Err(fault) => {
                if self.benchmark.running.as_ref().is_some_and(|running| running.by_hand) {
                    self.notify_problem(&fault, now, out);
                }
                self.on_device_loss(number, fault, now, out);
            }
        }
    }
}
