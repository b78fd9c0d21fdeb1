//! A simulated worker: what it keeps over a crash, what it forgets, and what it says next.

use std::time::Duration;

use std::collections::BTreeMap;

use lull_checks::receipts::{self, Lane, ReceiptError};
use lull_network::engine::SessionId;
use lull_network_api::{Assignment, Enrolment, NetworkMessage, Verdict, WorkerMessage};
use lull_types::{
    AssignmentId, BenchmarkReport, BlobHash, CountersignedReceipt, DeviceInfo, DeviceKind, Fault,
    HardwareReport, Measure, Measurement, SecretKey, UnixMillis, WalletAddress, WorkerId,
};

use crate::network::network_key;

pub const KIND: &str = "wgsl/1";

/// How it earns its money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    Honest,
    /// Reports something else in this percentage of its tasks.
    Cheat(u64),
}

/// What it does about one assignment.
#[derive(Clone, Debug)]
pub enum Stage {
    Running {
        until: UnixMillis,
    },
    /// To be reported until that is acknowledged.
    Reporting {
        outputs: Vec<BlobHash>,
    },
    /// To be handed back until that is acknowledged.
    HandingBack {
        code: &'static str,
    },
}

#[derive(Clone, Debug)]
pub struct Work {
    pub assignment: Assignment,
    pub stage: Stage,
}

pub struct Worker {
    pub key: SecretKey,
    pub id: WorkerId,
    pub character: Character,
    pub devices: u32,
    vendor: &'static str,
    // In memory.
    pub session: Option<SessionId>,
    pub enrolled: bool,
    missing_receipts: bool,
    // Journalled.
    pub work: BTreeMap<u32, Work>,
    pub lane: Lane,
    pub receipts: Vec<CountersignedReceipt>,
    /// Verdicts that it was told, by assignment.
    pub verdicts: BTreeMap<AssignmentId, Verdict>,
}

impl Worker {
    pub fn new(n: u8, character: Character, devices: u32, vendor: &'static str) -> Self {
        let key = SecretKey::from_bytes(&[n + 1; 32]);
        let id = key.worker_id();
        Self {
            lane: Lane::new(network_key().network_id(), id, 0),
            key,
            id,
            character,
            devices,
            vendor,
            session: None,
            enrolled: false,
            missing_receipts: false,
            work: BTreeMap::new(),
            receipts: Vec::new(),
            verdicts: BTreeMap::new(),
        }
    }

    /// Loses what it had not written down. What ran is run again.
    pub fn crash(&mut self, now: UnixMillis) {
        self.disconnect();
        for work in self.work.values_mut() {
            if let Stage::Running { until } = &mut work.stage {
                *until = UnixMillis(now.0 + 500);
            }
        }
    }

    pub fn disconnect(&mut self) {
        self.session = None;
        self.enrolled = false;
    }

    /// What it says first on a new session. Countersignatures are not acknowledged, so it repeats them.
    pub fn greets(&mut self) -> Vec<WorkerMessage> {
        self.missing_receipts = false;
        let hello = WorkerMessage::Hello { worker_version: "1".to_owned(), nonce_held: self.lane.nonce() };
        let again = self.receipts.iter().map(|held| WorkerMessage::Countersign {
            lane: 0,
            nonce: held.signed.receipt.nonce,
            signature: held.worker_signature,
        });
        std::iter::once(hello).chain(again).collect()
    }

    /// Whether it should open a new session to get the receipts that it lacks.
    pub fn wants_new_session(&self) -> bool {
        self.missing_receipts
    }

    /// What it says on its own account: asks until it is answered.
    pub fn says(&self) -> Vec<WorkerMessage> {
        if !self.enrolled {
            return vec![WorkerMessage::Enrol(Box::new(self.enrolment()))];
        }
        let of_device = |device| match self.work.get(&device) {
            None => Some(WorkerMessage::WantWork { device }),
            Some(Work { assignment, stage }) => match stage {
                Stage::Running { .. } => {
                    Some(WorkerMessage::Progress { assignment: assignment.id, fraction: 0.5 })
                }
                Stage::Reporting { outputs } => Some(WorkerMessage::Report {
                    assignment: assignment.id,
                    outputs: outputs.clone(),
                    ran_ms: 100,
                }),
                Stage::HandingBack { code } => Some(WorkerMessage::HandBack {
                    assignment: assignment.id,
                    reason: Fault::new(*code, "a reason"),
                }),
            },
        };
        (0..self.devices).filter_map(of_device).collect()
    }

    /// Takes in what the network says; answers at once where it must.
    pub fn hears(&mut self, message: NetworkMessage) -> Option<WorkerMessage> {
        match message {
            NetworkMessage::Welcome { enrolled, .. } => self.enrolled = enrolled,
            NetworkMessage::Enrolled => {
                self.enrolled = true;
                let wallet = WalletAddress::from_bytes(self.key.public()).expect("a key is on the curve");
                return Some(WorkerMessage::SetWallet(Some(wallet)));
            }
            NetworkMessage::Assign(assignment) => self.take(*assignment),
            NetworkMessage::ReportReceived { assignment }
            | NetworkMessage::HandBackReceived { assignment } => {
                self.let_go(assignment);
            }
            NetworkMessage::Withdrawn { assignment, .. } => self.let_go(assignment),
            NetworkMessage::Refused { assignment: Some(assignment), fault } => {
                assert_ne!(fault.code, "outputs_count_wrong");
                assert_ne!(fault.code, "assignment_not_yours");
                // An upload that was lost is made again with the next report.
                if fault.code != "output_missing" {
                    self.let_go(assignment);
                }
            }
            NetworkMessage::Refused { assignment: None, fault } => {
                // It may have been said before a crash of the network undid the enrolment.
                assert!(["not_enrolled"].contains(&fault.code.as_str()), "{fault}");
            }
            NetworkMessage::Verdict { assignment, verdict } => {
                self.let_go(assignment);
                let before = self.verdicts.insert(assignment, verdict.clone());
                assert!(before.is_none_or(|before| before == verdict), "two verdicts on {assignment}");
            }
            NetworkMessage::Receipt(signed) => return self.receive(&signed),
            NetworkMessage::NoWork { reason, .. } if reason.code == "not_enrolled" => self.enrolled = false,
            NetworkMessage::WorkWaiting => {
                let idle = (0..self.devices).find(|device| !self.work.contains_key(device));
                return idle.map(|device| WorkerMessage::WantWork { device });
            }
            NetworkMessage::NoWork { .. }
            | NetworkMessage::Timed { .. }
            | NetworkMessage::ClaimLowered { .. }
            | NetworkMessage::Prices(_)
            | NetworkMessage::WalletSet(_)
            | NetworkMessage::WalletStatement(_)
            | NetworkMessage::Payouts(_)
            | NetworkMessage::EarningsProof(_)
            | NetworkMessage::Balance(_) => {}
        }
        None
    }

    fn take(&mut self, assignment: Assignment) {
        // A stale repetition must not start what was finished; the device asks again if it is really open.
        let done = self.verdicts.contains_key(&assignment.id);
        if !done && !self.work.contains_key(&assignment.device) {
            let stage = Stage::Running { until: UnixMillis(0) };
            self.work.insert(assignment.device, Work { assignment, stage });
        }
    }

    fn let_go(&mut self, assignment: AssignmentId) {
        self.work.retain(|_, work| work.assignment.id != assignment);
    }

    fn receive(&mut self, signed: &lull_types::SignedReceipt) -> Option<WorkerMessage> {
        let nonce = signed.receipt.nonce;
        match self.lane.accept(signed) {
            Ok(()) => {
                self.receipts.push(receipts::countersign(&self.key, signed));
            }
            Err(ReceiptError::AlreadyHeld) => {}
            Err(ReceiptError::Gap { .. }) => {
                self.missing_receipts = true;
                return None;
            }
            Err(error) => panic!("the network sent a receipt that does not hold: {error}"),
        }
        let held = self.receipts.get(usize::try_from(nonce).unwrap() - 1)?;
        Some(WorkerMessage::Countersign { lane: 0, nonce, signature: held.worker_signature })
    }

    fn enrolment(&self) -> Enrolment {
        let device = |index| DeviceInfo {
            index,
            name: format!("{} {index}", self.vendor),
            vendor: self.vendor.to_owned(),
            kind: DeviceKind::Discrete,
            backend: "vulkan".to_owned(),
            driver: "1".to_owned(),
            pci_bus_id: None,
            vram_bytes: None,
            storage_buffer_bytes_max: 1 << 27,
            features: Vec::new(),
        };
        let benchmark = |device: &DeviceInfo| {
            let measurement = Measurement::new(Measure::Fp32Peak, vec![1_000.0], "simulated", true);
            let took = Duration::from_millis(1);
            BenchmarkReport::new(device.clone(), "1", UnixMillis(0), took, vec![measurement])
        };
        let devices: Vec<DeviceInfo> = (0..self.devices).map(device).collect();
        Enrolment {
            benchmarks: devices.iter().map(benchmark).collect(),
            hardware: HardwareReport {
                os: "Debian 12".to_owned(),
                cpu: "cpu".to_owned(),
                cpu_threads: 8,
                memory_bytes: 1 << 34,
                devices,
            },
            kinds: vec![KIND.to_owned()],
        }
    }
}
