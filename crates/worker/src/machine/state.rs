//! Which state the machine is in: one answer, from what is wanted and what is the case.

use lull_network_api::{Balance, RecentPrice};
use lull_types::{Fault, UnixMillis};
use lull_worker_api::{
    AssignmentStage, AssignmentView, BenchmarkView, EarningsView, Intent, NetworkView, StateView, Steps,
};

use super::Machine;
use super::device::{Ask, Hardware};
use super::lease::Purpose;
use super::link::{Practice, Session};
use super::receipts::local_midnight;
use super::record::{NetworkChoice, Stage};
use super::task::{Activity, Task};
use super::view::{DeviceFacts, View};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Machine {
    /// Everything that the machine knows, for people. `utc_offset_minutes` is how far local time is ahead of
    /// UTC, so that a day is the contributor's.
    pub fn view(&self, now: UnixMillis, utc_offset_minutes: i32) -> View {
        let (hardware, sandbox) = match &self.hardware {
            Hardware::Known { report, sandbox, .. } => (Some(report.clone()), sandbox.clone()),
            Hardware::Unknown | Hardware::Looking | Hardware::Failed { .. } => (None, Vec::new()),
        };
        let devices = self.devices.iter().map(|device| {
            let found = device.found.filter(|(by, _)| Some(*by) == self.network_id()).map(|(_, found)| found);
            DeviceFacts {
                info: device.info.clone(),
                lent: self.is_lent(device.info.index),
                held: self.causes_of(device.info.index, now),
                pace_percent: self.policy.pace(device.info.index),
                power_limit: self.power_limits.of(device.info.index).cloned(),
                benchmark: self.benchmark_of(&device.info).cloned(),
                timed_gigaflops: found.map(|found| found.gigaflops),
                timed_memory_bytes: found.and_then(|found| found.memory_bytes),
                standing: self.standing(device, now),
                fault: device.fault().cloned(),
            }
        });
        View {
            intent: self.intent,
            state: self.state(now),
            steps: self.steps(),
            hardware,
            sandbox,
            guards: self.guard_views(now),
            data: self.data_view(now),
            devices: devices.collect(),
            network: self.network_view(),
            wallet: self.wallets.wanted,
            wallet_standing: self.wallets.standing(self.network_id()).cloned(),
            wallet_proof: self.wallets.proof().cloned(),
            payouts: self.payout_standing().cloned(),
            kept_wallet: self.wallets.kept.clone(),
            earnings: self.earnings(now, utc_offset_minutes),
            prices: self.prices(),
            settings: self.settings.clone(),
            notices: self.notices.iter().cloned().collect(),
        }
    }

    /// What work in the network joined has lately paid.
    fn prices(&self) -> Vec<RecentPrice> {
        let joined = self.network_id();
        let told = self.prices.as_ref().filter(|(network, _)| Some(*network) == joined);
        told.map(|(_, prices)| prices.clone()).unwrap_or_default()
    }

    /// What is the case.
    pub fn state(&self, now: UnixMillis) -> StateView {
        if let Some(failure) = &self.journal_fault {
            return StateView::Faulted { fault: failure.fault.clone(), retry_at: Some(failure.retry_at) };
        }
        if let Some(drain) = self.drain {
            return StateView::Draining { deadline: drain.deadline };
        }
        match &self.hardware {
            Hardware::Unknown | Hardware::Looking => return StateView::Starting,
            Hardware::Failed { fault, retry_at } => {
                return StateView::Faulted { fault: fault.clone(), retry_at: Some(*retry_at) };
            }
            Hardware::Known { .. } => {}
        }
        let is_active = |purpose: fn(&Purpose) -> bool| self.leases.active().any(|h| purpose(&h.purpose));
        if let Some(running) = &self.benchmark.running
            && is_active(|purpose| *purpose == Purpose::Benchmark)
        {
            return StateView::Benchmarking(running.view.clone());
        }
        if self.intent == Intent::Off || self.shutting_down {
            return StateView::Stopped;
        }
        // Under a cap of data what runs may end.
        if let Some(since) = self.guarding.yielding_since
            && self.leases.active().next().is_none()
        {
            return StateView::Yielding { causes: self.causes(now), since };
        }
        let runs = is_active(|purpose| matches!(purpose, Purpose::Run(_)));
        let network = self.network_id();
        let mine = |task: &&Task| task.is_work() && Some(task.open.network) == network;
        if runs || (self.link.up().is_some() && self.tasks.iter().any(|task| mine(&task))) {
            let assignments = self.tasks.iter().filter(mine).map(assignment_view).collect();
            return StateView::Working { assignments };
        }
        if let Some(timed) = self.leases.active().find(|held| matches!(held.purpose, Purpose::Challenge(_))) {
            let device = timed.lease.device;
            return StateView::Benchmarking(BenchmarkView {
                device,
                measure: None,
                fraction: 0.0,
                value_so_far: None,
            });
        }
        self.state_without_work()
    }

    fn state_without_work(&self) -> StateView {
        if let Some(fault) = self.all_devices_fault() {
            return fault;
        }
        if self.network.is_none() {
            let sentence = "No network is joined yet; join one, or the practice network, to begin.";
            return StateView::Ready { reason: Some(Fault::new("no_network", sentence)) };
        }
        if let (Some(fault), Session::Down { retry_at }) = (&self.link.refused, &self.link.session) {
            return StateView::Faulted { fault: fault.clone(), retry_at: Some(*retry_at) };
        }
        if self.link.up().is_none() {
            let retry_at = match self.link.session {
                Session::Down { retry_at } if retry_at.0 > 0 => Some(retry_at),
                _ => None,
            };
            let starting = matches!(self.link.practice, Practice::Starting { .. });
            return StateView::Connecting {
                attempt: self.link.attempts,
                retry_at: retry_at.filter(|_| !starting),
                fault: self.link.fault.clone(),
            };
        }
        let reason = self.devices.iter().find_map(|device| match &device.ask {
            Ask::NoWork { reason, .. } => Some(reason.clone()),
            Ask::Idle | Ask::Asked { .. } => None,
        });
        StateView::Ready { reason }
    }

    /// The fault of the devices when none of them can be used.
    fn all_devices_fault(&self) -> Option<StateView> {
        let lent = || self.devices.iter().filter(|device| self.is_lent(device.info.index));
        if lent().next().is_none() {
            let sentence = "No device is lent; allow one in the settings to begin.";
            return Some(StateView::Ready { reason: Some(Fault::new("no_device_lent", sentence)) });
        }
        if !lent().all(|device| device.fault().is_some()) {
            return None;
        }
        let waiting = lent().filter(|device| device.set_aside.is_none());
        let soonest = waiting.filter_map(|device| device.wait.clone()).min_by_key(|(until, _)| *until);
        Some(match soonest {
            Some((until, fault)) => StateView::Faulted { fault, retry_at: Some(until) },
            None => StateView::Faulted { fault: lent().find_map(|d| d.fault().cloned())?, retry_at: None },
        })
    }

    fn steps(&self) -> Steps {
        let earned = self.network_id().and_then(|id| self.earned.get(&id));
        Steps {
            devices_found: !self.devices.is_empty(),
            benchmarked: self.devices.iter().any(|device| self.benchmark_of(&device.info).is_some()),
            enrolled: self.network.as_ref().is_some_and(|joined| joined.enrolled),
            first_receipt: earned.is_some_and(|earned| earned.receipts > 0),
        }
    }

    fn network_view(&self) -> Option<NetworkView> {
        let joined = self.network.as_ref()?;
        let info = joined.info.as_ref();
        Some(NetworkView {
            id: self.network_id().map(|id| id.to_string()).unwrap_or_default(),
            name: info.map(|info| info.name.clone()),
            practice: info.map_or(joined.choice == NetworkChoice::Practice, |info| info.practice),
            connected: matches!(
                self.link.session,
                Session::Greeting { .. } | Session::Enrolling { .. } | Session::Up { .. }
            ),
            enrolled: joined.enrolled,
        })
    }

    fn earnings(&self, now: UnixMillis, utc_offset_minutes: i32) -> EarningsView {
        let Some(network) = self.network_id() else { return EarningsView::default() };
        let balance = self.balance.filter(|(of, _)| *of == network).map(|(_, balance)| balance);
        let Balance { held, payable, paid } = balance.unwrap_or_default();
        let Some(earned) = self.earned.get(&network) else {
            return EarningsView { held, payable, paid, ..EarningsView::default() };
        };
        let today = local_midnight(now, utc_offset_minutes);
        EarningsView {
            today: earned.since(today),
            seven_days: earned.since(UnixMillis(today.0.saturating_sub(6 * DAY_MS))),
            all_time: earned.lane.cumulative(),
            receipts: earned.receipts,
            held,
            payable,
            paid,
            energy_watt_hours: None,
        }
    }
}

fn assignment_view(task: &Task) -> AssignmentView {
    let assignment = &task.open.assignment;
    let stage = match (&task.open.stage, &task.activity) {
        (Stage::Running, Activity::Running(_)) => AssignmentStage::Running,
        (Stage::Running, _) => AssignmentStage::Preparing,
        (Stage::Fetching, _) => AssignmentStage::Fetching,
        (
            Stage::Uploading { .. }
            | Stage::Reported { .. }
            | Stage::HandingBack { .. }
            | Stage::Abandoned { .. }
            | Stage::Settled,
            _,
        ) => AssignmentStage::Uploading,
    };
    let fraction = match stage {
        AssignmentStage::Fetching | AssignmentStage::Preparing => 0.0,
        AssignmentStage::Running => task.fraction,
        AssignmentStage::Uploading => 1.0,
    };
    AssignmentView {
        id: assignment.id,
        job: assignment.job,
        job_title: assignment.job_title.clone(),
        customer_name: assignment.customer_name.clone(),
        kind: assignment.kind.clone(),
        device: assignment.device,
        stage,
        fraction,
        price: assignment.price,
        task_index: assignment.task_index,
        task_count: assignment.task_count,
        picture: assignment.picture,
        shift: task.shift.clone(),
    }
}
