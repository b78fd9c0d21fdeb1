//! Snapshots: the machine's view, completed with what the shell alone knows.

use std::collections::{BTreeMap, HashMap};

use lull_guards::Observation;
use lull_network_api::Verdict;
use lull_types::{AssignmentId, BenchmarkReport, NetworkId, Tariff, UnixMillis, WorkerId};
use lull_worker_api::{DeviceView, PROTOCOL_VERSION, Snapshot};
use tokio::time::Instant;

use super::sampler::Samples;
use super::store::Store;
use crate::clock;
use crate::estimate::{Lent, Seen, estimate, margin};
use crate::machine::{DeviceFacts, Lease, LeaseId, Machine, Record};
use crate::power_price::{ListTold, PowerPrices};
use crate::telemetry::{EnergyMeter, KeptEnergy, Used};

/// Recent tasks that an estimate rests on: enough to even out, few enough to follow a change of prices.
const TASKS_SEEN_MAX: usize = 50;

#[derive(Debug)]
struct Run {
    device: u32,
    assignment: AssignmentId,
    /// Its runtime has its task; before that, power is not its doing.
    started: bool,
}

#[derive(Debug, Default)]
struct MeanWatts {
    sum: f64,
    samples: u32,
    of_package: bool,
}

/// What the shell alone knows.
#[derive(Debug)]
pub(super) struct Viewer {
    worker: WorkerId,
    store: Store,
    began: Instant,
    telemetry: Samples,
    runs: HashMap<LeaseId, Run>,
    meter: EnergyMeter,
    watts: BTreeMap<u32, MeanWatts>,
    seen: Seen,
    energy: KeptEnergy,
    prices: PowerPrices,
    priced_at: UnixMillis,
}

impl Viewer {
    pub fn new(worker: WorkerId, store: Store, energy: KeptEnergy, prices: PowerPrices) -> Self {
        Self {
            worker,
            store,
            began: Instant::now(),
            telemetry: Samples::new(),
            runs: HashMap::new(),
            meter: EnergyMeter::default(),
            watts: BTreeMap::new(),
            seen: Seen::default(),
            energy,
            prices,
            priced_at: clock::now(),
        }
    }

    /// The whole truth, as of now.
    pub fn snapshot(&self, machine: &Machine) -> Snapshot {
        let now = clock::now();
        let view = machine.view(now, clock::utc_offset_minutes());
        let mut earnings = view.earnings;
        earnings.energy_watt_hours = self.energy.watt_hours();
        let lent: Vec<_> = self.lent(&view.devices).map(|(_, lent)| lent).collect();
        let power = self.prices.day(now);
        let estimate = estimate(&lent, self.seen, &view.prices, view.settings.effort, power);
        drop(lent);
        let devices = view
            .devices
            .into_iter()
            .map(|device| {
                let reading = self.telemetry.get(&device.info.index).cloned().unwrap_or_default();
                (device, reading)
            })
            .map(|(device, reading)| DeviceView {
                telemetry: reading.telemetry,
                power_of_package: reading.power_of_package,
                info: device.info,
                lent: device.lent,
                held: device.held,
                pace_percent: device.pace_percent,
                power_limit: device.power_limit,
                scores: device.benchmark.as_ref().map(BenchmarkReport::scores).unwrap_or_default(),
                benchmark: device.benchmark,
                timed_gigaflops: device.timed_gigaflops,
                timed_memory_bytes: device.timed_memory_bytes,
                standing: device.standing,
            })
            .collect();
        Snapshot {
            protocol: PROTOCOL_VERSION,
            worker_version: env!("CARGO_PKG_VERSION").to_owned(),
            worker: self.worker,
            taken_at: now,
            intent: view.intent,
            state: view.state,
            steps: view.steps,
            hardware: view.hardware,
            sandbox: view.sandbox,
            guards: view.guards,
            data: view.data,
            devices,
            network: view.network,
            wallet: view.wallet,
            wallet_standing: view.wallet_standing,
            wallet_proof: view.wallet_proof,
            kept_wallet: view.kept_wallet,
            payouts: view.payouts,
            earnings,
            estimate,
            power_price: self.prices.view(now),
            settings: view.settings,
            notices: view.notices,
        }
    }

    /// What an hour of each lent device would leave, for its guard.
    pub fn margins(&self, machine: &Machine) -> Vec<Observation> {
        let now = clock::now();
        let view = machine.view(now, 0);
        let of = |(device, lent): (u32, Lent<'_>)| {
            let at = margin(&lent, self.seen, &view.prices, self.prices.course(), now);
            Observation::Margin { device, at }
        };
        self.lent(&view.devices).map(of).collect()
    }

    fn lent<'a>(&'a self, devices: &'a [DeviceFacts]) -> impl Iterator<Item = (u32, Lent<'a>)> {
        devices.iter().filter(|device| device.lent).filter_map(|device| {
            let watts = self.watts.get(&device.info.index);
            let lent = Lent {
                kind: device.info.kind,
                benchmark: device.benchmark.as_ref()?,
                watts_measured: watts.map(|w| w.sum / f64::from(w.samples)),
                watts_of_package: watts.is_some_and(|w| w.of_package),
            };
            Some((device.info.index, lent))
        })
    }

    /// Takes note of what is about to be written down. Returns whether [`Self::refresh`] is due after it.
    pub fn recorded(&mut self, records: &[Record]) -> bool {
        let mut stale = false;
        for record in records {
            match record {
                Record::Receipt { receipt, .. } => {
                    stale = true;
                    self.decided(receipt.signed.leaf.assignment, true);
                }
                Record::Verdict { assignment, verdict: Verdict::Rejected { .. } } => {
                    self.decided(*assignment, false);
                }
                Record::Network(_) => stale = true,
                Record::Verdict {
                    verdict: Verdict::Accepted { .. } | Verdict::Inconclusive { .. }, ..
                }
                | Record::Intent(_)
                | Record::Settings(_)
                | Record::Pauses(_)
                | Record::TripBegan { .. }
                | Record::TripEnded { .. }
                | Record::DataMoved { .. }
                | Record::Wallet(_)
                | Record::KeptWallet(_)
                | Record::Benchmark(_)
                | Record::Taken { .. }
                | Record::Stage { .. }
                | Record::Payout { .. }
                | Record::PayoutStanding { .. }
                | Record::Energy { .. }
                | Record::Claim { .. }
                | Record::Notice(_) => {}
            }
        }
        stale
    }

    fn decided(&mut self, assignment: AssignmentId, accepted: bool) {
        if let Err(error) = self.energy.decided(assignment, accepted) {
            // It is a figure to look at; work does not stop for it.
            tracing::warn!(%error, "energy could not be written down");
        }
    }

    /// Reads from the journal what estimates rest on. When that fails they stay as they are.
    pub async fn refresh(&mut self, network: Option<NetworkId>) {
        let Some(network) = network else {
            self.seen = Seen::default();
            return;
        };
        if let Ok(track) = self.store.track(network, TASKS_SEEN_MAX).await {
            self.seen = Seen { tasks: track.tasks, earned: track.amount, ran_ms: track.ran_ms };
        }
    }

    pub fn run_prepared(&mut self, lease: Lease, assignment: AssignmentId) {
        self.runs.insert(lease.id, Run { device: lease.device, assignment, started: false });
    }

    pub fn run_started(&mut self, lease: LeaseId) {
        if let Some(run) = self.runs.get_mut(&lease) {
            run.started = true;
        }
    }

    /// Adds the energy that a run took, where that is known, and tells what is to be written down of its power.
    pub fn run_ended(&mut self, lease: LeaseId) -> Option<Record> {
        let run = self.runs.get_mut(&lease)?;
        run.started = false;
        let assignment = run.assignment;
        let Some(Used { watt_hours, micro_per_kwh }) = self.meter.end(assignment) else {
            let micro_per_kwh = self.prices.at(clock::now());
            return Some(Record::Energy { assignment, milliwatt_hours: None, micro_per_kwh });
        };
        if let Err(error) = self.energy.ran(assignment, watt_hours) {
            tracing::warn!(%error, "energy could not be written down");
        }
        // A run takes watt-hours, and its power is measured to the watt at best.
        let milliwatt_hours = Some((watt_hours * 1000.0).round() as u64);
        Some(Record::Energy { assignment, milliwatt_hours, micro_per_kwh })
    }

    /// Has power priced by the tariff that counts, as of now.
    pub fn price(&mut self, tariff: &Tariff) {
        self.priced_at = clock::now();
        self.prices.follow(tariff, self.priced_at);
    }

    /// A list of prices was read, or could not be.
    pub fn prices_told(&mut self, told: ListTold) {
        self.prices.told(told, clock::now());
    }

    /// When the price of power is another than it was when it was last looked at.
    pub fn reprice_at(&self) -> Option<UnixMillis> {
        self.prices.changes_at(self.priced_at)
    }

    pub fn freed(&mut self, lease: LeaseId) {
        self.runs.remove(&lease);
    }

    /// Whether anything runs, so that power is to be sampled.
    pub fn is_running(&self) -> bool {
        self.runs.values().any(|run| run.started)
    }

    /// Takes in what the devices are doing.
    pub fn sampled(&mut self, samples: Samples) {
        let at = self.began.elapsed();
        let price = self.prices.at(clock::now());
        for run in self.runs.values().filter(|run| run.started) {
            let reading = samples.get(&run.device);
            let watts = reading.and_then(|reading| reading.telemetry.power_watts);
            self.meter.sample(run.assignment, at, watts, price);
            if let Some(watts) = watts.filter(|watts| watts.is_finite() && *watts >= 0.0) {
                let mean = self.watts.entry(run.device).or_default();
                mean.sum += f64::from(watts);
                mean.samples += 1;
                mean.of_package = reading.is_some_and(|reading| reading.power_of_package);
            }
        }
        self.telemetry = samples;
    }
}
