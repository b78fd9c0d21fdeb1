//! The network's reference model: the smallest thing that keeps the promises of the protocol.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lull_checks::receipts::{Lane, outputs_hash, verify_countersigned};
use lull_network_api::{
    Assignment, Balance, Exclusion, NetworkMessage, Standing, Verdict, Withheld, WorkerMessage,
};
use lull_types::{
    AssignmentId, BaseUnits, BlobHash, Coded, CountersignedReceipt, Payout, PayoutStage, PayoutStanding,
    ReceiptLeaf, Signature, SignedReceipt, TaskId, UnixMillis, WalletAddress, WalletStanding,
    WalletStatement,
};
use uuid::Uuid;

use super::super::fixture::{
    assignment, fault, identity, network_info, network_key, outputs, payout, standing,
};
use crate::machine::backoff::Chance;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AssignmentState {
    Open,
    Reported,
    Judged(Judgement),
    HandedBack,
    Withdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Accepted,
    Rejected,
    Inconclusive,
}

#[derive(Debug)]
struct Given {
    assignment: Assignment,
    state: AssignmentState,
}

/// The network. All of it is durable.
#[derive(Debug)]
pub struct Network {
    /// Tasks that wait to be placed.
    pending: VecDeque<u128>,
    /// Tasks that fail on every device.
    pub poisoned: BTreeSet<u128>,
    given: BTreeMap<AssignmentId, Given>,
    next_assignment: u128,
    stored: BTreeSet<BlobHash>,
    /// Outputs that were stored once and are not any more.
    lost: BTreeSet<BlobHash>,
    lane: Lane,
    pub receipts: Vec<SignedReceipt>,
    pub countersigned: BTreeSet<u64>,
    pub paid: BTreeMap<AssignmentId, u32>,
    /// One for each receipt, oldest first.
    pub payouts: Vec<Payout>,
    /// Where it pays.
    pub wallet: Option<WalletAddress>,
    /// Wallets whose holders have signed.
    pub proven: BTreeSet<WalletAddress>,
    /// What it drew last to be signed.
    statement: Option<WalletStatement>,
}

/// What a network does after a message.
#[derive(Debug)]
pub enum Reaction {
    Say(NetworkMessage),
    /// Judge this assignment a little later.
    JudgeLater(AssignmentId),
    /// Look at this assignment's deadline then.
    Expire(AssignmentId, u64),
}

impl Network {
    pub fn new(tasks: u128, chance: &mut Chance) -> Self {
        let poisoned = (1..=tasks).filter(|_| chance.fraction() < 0.1).collect();
        Self {
            pending: (1..=tasks).collect(),
            poisoned,
            given: BTreeMap::new(),
            next_assignment: 1000,
            stored: BTreeSet::new(),
            lost: BTreeSet::new(),
            lane: Lane::new(network_key().network_id(), identity(0).key.worker_id(), 0),
            receipts: Vec::new(),
            countersigned: BTreeSet::new(),
            paid: BTreeMap::new(),
            payouts: Vec::new(),
            wallet: None,
            proven: BTreeSet::new(),
            statement: None,
        }
    }

    /// Whether every task has come to its end.
    pub fn is_done(&self) -> bool {
        let waits = |given: &Given| matches!(given.state, AssignmentState::Open | AssignmentState::Reported);
        self.pending.is_empty() && !self.given.values().any(waits)
    }

    pub fn nonce(&self) -> u64 {
        self.lane.nonce()
    }

    pub fn cumulative(&self) -> BaseUnits {
        self.lane.cumulative()
    }

    /// Whether the worker may fetch this assignment's blobs.
    pub fn gives_blobs(&self, id: AssignmentId) -> bool {
        self.given.get(&id).is_some_and(|given| given.state == AssignmentState::Open)
    }

    /// Stores outputs, as long as an assignment is open.
    pub fn store(&mut self, id: AssignmentId, hashes: &[BlobHash]) -> bool {
        let open = self.gives_blobs(id);
        if open {
            self.stored.extend(hashes);
        }
        open
    }

    /// Outputs are gone from its disk.
    pub fn lose(&mut self, hashes: &[BlobHash]) {
        for hash in hashes {
            if self.stored.remove(hash) {
                self.lost.insert(*hash);
            }
        }
    }

    fn prove(&mut self, nonce: &str, signature: &Signature, now: u64) -> NetworkMessage {
        let drawn = self.statement.take_if(|statement| statement.nonce == nonce);
        let Some(statement) = drawn else {
            let fault = fault("wallet_statement_unknown");
            return NetworkMessage::Refused { assignment: None, fault };
        };
        match lull_checks::wallet::verify(&statement, signature, UnixMillis(now)) {
            Ok(()) => {
                self.proven.insert(statement.wallet);
                self.wallet = Some(statement.wallet);
                self.wallet_standing()
            }
            Err(error) => NetworkMessage::Refused { assignment: None, fault: error.fault() },
        }
    }

    /// A change counts at once here.
    fn wallet_standing(&self) -> NetworkMessage {
        let proven = self.wallet.is_some_and(|wallet| self.proven.contains(&wallet));
        NetworkMessage::WalletSet(WalletStanding { wallet: self.wallet, proven, next: None })
    }

    pub fn hear(&mut self, message: WorkerMessage, now: u64, chance: &mut Chance) -> Vec<Reaction> {
        use Reaction::Say;
        match message {
            WorkerMessage::Hello { nonce_held, .. } => {
                assert!(nonce_held <= self.lane.nonce(), "the worker holds what was never given");
                let welcome = NetworkMessage::Welcome { network: network_info(), enrolled: true };
                let missing = self.receipts.iter().filter(|signed| signed.receipt.nonce > nonce_held);
                let missing = missing.map(|signed| NetworkMessage::Receipt(Box::new(signed.clone())));
                let balance = NetworkMessage::Balance(Balance::default());
                let payouts = self.payouts_told();
                std::iter::once(welcome).chain(missing).chain([balance, payouts]).map(Say).collect()
            }
            WorkerMessage::Enrol(enrolment) => {
                assert!(!enrolment.benchmarks.is_empty());
                vec![Say(NetworkMessage::Enrolled)]
            }
            WorkerMessage::SetWallet(wallet) => {
                self.wallet = wallet;
                vec![Say(self.wallet_standing())]
            }
            WorkerMessage::StateWallet { wallet, domain } => {
                let nonce = format!("{:032x}", (chance.fraction() * 1e15) as u64);
                let statement = WalletStatement {
                    network: network_key().network_id(),
                    worker: identity(0).key.worker_id(),
                    wallet,
                    domain,
                    nonce,
                    issued_at: UnixMillis(now),
                    expires_at: UnixMillis(now + 300_000),
                };
                self.statement = Some(statement.clone());
                vec![Say(NetworkMessage::WalletStatement(Box::new(statement)))]
            }
            WorkerMessage::ProveWallet { nonce, signature } => vec![Say(self.prove(&nonce, &signature, now))],
            WorkerMessage::SetPayoutThreshold(_)
            | WorkerMessage::WantProof { .. }
            | WorkerMessage::Claimed { .. } => Vec::new(),
            WorkerMessage::WantWork { device } => self.give(device, now, chance),
            WorkerMessage::Progress { .. } => Vec::new(),
            WorkerMessage::Report { assignment, outputs, .. } => self.report(assignment, &outputs, now),
            WorkerMessage::HandBack { assignment, reason } => self.take_back(assignment, &reason.code),
            WorkerMessage::Countersign { nonce, signature, .. } => {
                let signed = self.receipts[usize::try_from(nonce).unwrap() - 1].clone();
                let receipt = CountersignedReceipt { signed, worker_signature: signature };
                verify_countersigned(&receipt).expect("the worker signs what it was given");
                self.countersigned.insert(nonce);
                Vec::new()
            }
        }
    }

    fn give(&mut self, device: u32, now: u64, chance: &mut Chance) -> Vec<Reaction> {
        let mut given = self.given.values();
        let open = given.find(|g| g.state == AssignmentState::Open && g.assignment.device == device);
        if let Some(open) = open {
            return vec![Reaction::Say(NetworkMessage::Assign(Box::new(open.assignment.clone())))];
        }
        let Some(task) = self.pending.pop_front() else {
            let reason = fault("no_work");
            let standing = told_at_random(chance);
            return vec![Reaction::Say(NetworkMessage::NoWork {
                device,
                reason,
                retry_after_ms: 5000,
                standing,
            })];
        };
        self.next_assignment += 1;
        let deadline = now + 20_000 + (chance.fraction() * 60_000.0) as u64;
        let mut assignment = assignment(self.next_assignment, device, deadline);
        assignment.task = TaskId(Uuid::from_u128(task));
        let id = assignment.id;
        let given = Given { assignment: assignment.clone(), state: AssignmentState::Open };
        self.given.insert(id, given);
        let assign = NetworkMessage::Assign(Box::new(assignment));
        vec![Reaction::Say(assign), Reaction::Expire(id, deadline + 1)]
    }

    fn report(&mut self, id: AssignmentId, hashes: &[BlobHash], now: u64) -> Vec<Reaction> {
        let given = self.given.get_mut(&id).expect("only what was given is reported");
        assert_eq!(hashes, outputs(given.assignment.task), "the outputs are those of the task");
        if !hashes.iter().all(|hash| self.stored.contains(hash)) && given.state == AssignmentState::Open {
            assert!(
                hashes.iter().any(|hash| self.lost.contains(hash)),
                "outputs are stored before the report"
            );
            let fault = fault("output_missing");
            return vec![Reaction::Say(NetworkMessage::Refused { assignment: Some(id), fault })];
        }
        let received = || Reaction::Say(NetworkMessage::ReportReceived { assignment: id });
        match given.state {
            AssignmentState::Open if now <= given.assignment.deadline.0 => {
                given.state = AssignmentState::Reported;
                vec![received(), Reaction::JudgeLater(id)]
            }
            AssignmentState::Reported => vec![received()],
            AssignmentState::Judged(judgement) => {
                let verdict = verdict(judgement, &given.assignment);
                vec![received(), Reaction::Say(NetworkMessage::Verdict { assignment: id, verdict })]
            }
            AssignmentState::Open | AssignmentState::HandedBack | AssignmentState::Withdrawn => {
                let fault = fault("assignment_over");
                vec![Reaction::Say(NetworkMessage::Refused { assignment: Some(id), fault })]
            }
        }
    }

    fn take_back(&mut self, id: AssignmentId, code: &str) -> Vec<Reaction> {
        let given = self.given.get_mut(&id).expect("only what was given is handed back");
        if given.state == AssignmentState::Open {
            given.state = AssignmentState::HandedBack;
            let task = given.assignment.task.0.as_u128();
            if code == "task_fault" {
                assert!(self.poisoned.contains(&task), "only a bad task is blamed");
            } else {
                self.pending.push_back(task);
            }
        }
        match given.state {
            AssignmentState::Open | AssignmentState::HandedBack | AssignmentState::Withdrawn => {
                vec![Reaction::Say(NetworkMessage::HandBackReceived { assignment: id })]
            }
            AssignmentState::Reported | AssignmentState::Judged(_) => {
                let fault = fault("assignment_reported");
                vec![Reaction::Say(NetworkMessage::Refused { assignment: Some(id), fault })]
            }
        }
    }

    /// The deadline of an assignment has passed, or its job is withdrawn.
    pub fn withdraw(&mut self, id: AssignmentId) -> Option<NetworkMessage> {
        let given = self.given.get_mut(&id)?;
        if given.state != AssignmentState::Open {
            return None;
        }
        given.state = AssignmentState::Withdrawn;
        self.pending.push_back(given.assignment.task.0.as_u128());
        Some(NetworkMessage::Withdrawn { assignment: id, reason: fault("deadline_passed") })
    }

    /// An assignment that could be withdrawn.
    pub fn any_open(&self) -> Option<AssignmentId> {
        let open = |given: &&Given| given.state == AssignmentState::Open;
        self.given.values().find(open).map(|given| given.assignment.id)
    }

    /// Plans a payout, and moves those before it on.
    fn pay(&mut self) -> NetworkMessage {
        for payout in &mut self.payouts {
            payout.stage = match payout.stage {
                PayoutStage::Planned => PayoutStage::Signed,
                PayoutStage::Signed => PayoutStage::Sent,
                PayoutStage::Sent if payout.id.is_multiple_of(3) => PayoutStage::Failed,
                PayoutStage::Sent | PayoutStage::Confirmed => PayoutStage::Confirmed,
                PayoutStage::Failed | PayoutStage::Expired => PayoutStage::Planned,
            };
        }
        let id = self.payouts.len() as u64 + 1;
        self.payouts.push(payout(id, PayoutStage::Planned));
        self.payouts_told()
    }

    /// How payouts stand.
    pub fn standing(&self) -> PayoutStanding {
        standing(self.payouts.iter().rev().cloned().collect())
    }

    fn payouts_told(&self) -> NetworkMessage {
        NetworkMessage::Payouts(Box::new(self.standing()))
    }

    /// Decides on a report, once.
    pub fn judge(&mut self, id: AssignmentId, chance: &mut Chance) -> Vec<NetworkMessage> {
        let given = self.given.get_mut(&id).expect("only what was given is judged");
        if given.state != AssignmentState::Reported {
            return Vec::new();
        }
        let judgement = match chance.fraction() {
            f if f < 0.8 => Judgement::Accepted,
            f if f < 0.9 => Judgement::Rejected,
            _ => Judgement::Inconclusive,
        };
        given.state = AssignmentState::Judged(judgement);
        let verdict = verdict(judgement, &given.assignment);
        let mut messages = vec![NetworkMessage::Verdict { assignment: id, verdict }];
        if judgement == Judgement::Accepted {
            let leaf = ReceiptLeaf {
                assignment: id,
                task: given.assignment.task,
                outputs: outputs_hash(&outputs(given.assignment.task)),
                amount: given.assignment.price,
            };
            let epoch = self.lane.nonce() / 3;
            let signed = self.lane.issue(&network_key(), leaf, epoch, UnixMillis(u64::MAX)).unwrap();
            self.receipts.push(signed.clone());
            *self.paid.entry(id).or_default() += 1;
            messages.push(NetworkMessage::Receipt(Box::new(signed)));
            messages.push(NetworkMessage::Balance(Balance::default()));
            messages.push(self.pay());
        }
        messages
    }
}

fn verdict(judgement: Judgement, assignment: &Assignment) -> Verdict {
    match judgement {
        Judgement::Accepted => Verdict::Accepted { amount: assignment.price, checked: true },
        Judgement::Rejected => {
            Verdict::Rejected { expected: vec![], actual: vec![], difference: "it differs".into() }
        }
        Judgement::Inconclusive => Verdict::Inconclusive { reason: "nobody knows".into() },
    }
}

/// Where a device stands, whatever that is: the worker must not care.
fn told_at_random(chance: &mut Chance) -> Standing {
    let mut below = |bound: u32| (chance.fraction() * f64::from(bound)) as u32;
    let withheld = (0..below(40)).map(|_| {
        let again_in_ms = u64::MAX / u64::from(below(4) + 1);
        let by = match below(5) {
            0 => Exclusion::Kind("\u{202e}/".repeat(below(100) as usize)),
            1 => Exclusion::Refuted { again_in_ms },
            2 => Exclusion::TriedLately { again_in_ms },
            3 => Exclusion::BackingOff { again_in_ms: 0 },
            _ => Exclusion::OwnReport,
        };
        Withheld { tasks: below(u32::MAX), by }
    });
    let withheld = withheld.collect();
    Standing { ahead: (below(2) == 0).then(|| below(u32::MAX)), withheld }
}
