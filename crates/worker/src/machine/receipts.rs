//! Receipts, and the sums over them. The machine verifies each one itself and keeps it before it signs it.

use lull_checks::receipts::{Lane, ReceiptError, countersign};
use lull_network_api::{NetworkMessage, Verdict, WorkerMessage};
use lull_types::{AssignmentId, BaseUnits, Coded, Fault, NetworkId, Signature, SignedReceipt, UnixMillis};

use super::Machine;
use super::backoff::SESSION;
use super::id::SessionId;
use super::link::Session;
use super::out::Out;
use super::record::{Earned, Record, Stage};

/// The lane of a worker that has one sequence of receipts, which is every worker so far.
const LANE: u32 = 0;

/// How many of the last countersignatures are sent again with each session: they are never answered, and
/// those of a broken session may not have arrived.
pub const COUNTERSIGNATURES_KEPT: usize = 64;

/// Kinds of jobs whose prices are kept.
const PRICES_MAX: usize = 16;

/// A quarter of an hour: every local time's offset from UTC is a multiple of it.
pub const QUARTER_MS: u64 = 15 * 60 * 1000;

/// Sums are kept for the seven days that are shown and one more, so that any local day is whole.
pub const QUARTERS_KEPT: u64 = 8 * 24 * 4;

impl Earned {
    /// Of a network that has given no receipt.
    pub fn nothing(network: NetworkId, worker: lull_types::WorkerId) -> Self {
        Self {
            lane: Lane::new(network, worker, LANE),
            receipts: 0,
            by_quarter: std::collections::BTreeMap::new(),
            countersignatures: Vec::new(),
        }
    }

    fn add(&mut self, amount: BaseUnits, nonce: u64, signature: Signature, now: UnixMillis) {
        self.receipts += 1;
        let quarter = now.0 / QUARTER_MS;
        let sum = self.by_quarter.entry(quarter).or_default();
        // A sum over some days is at most the lane's, and that one has been checked.
        *sum = BaseUnits(sum.0.saturating_add(amount.0));
        self.by_quarter = self.by_quarter.split_off(&quarter.saturating_sub(QUARTERS_KEPT));
        self.countersignatures.push((nonce, signature));
        if self.countersignatures.len() > COUNTERSIGNATURES_KEPT {
            self.countersignatures.remove(0);
        }
    }

    /// Earned from `from` until `now`, to the quarter of an hour.
    pub(super) fn since(&self, from: UnixMillis) -> BaseUnits {
        let sums = self.by_quarter.range(from.0 / QUARTER_MS..).map(|(_, sum)| sum.0);
        BaseUnits(sums.fold(0, u64::saturating_add))
    }
}

/// The last local midnight.
pub(super) fn local_midnight(now: UnixMillis, utc_offset_minutes: i32) -> UnixMillis {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let offset_ms = i64::from(utc_offset_minutes) * 60_000;
    let now_ms = i64::try_from(now.0).unwrap_or(i64::MAX / 2);
    let midnight = (now_ms + offset_ms).div_euclid(DAY_MS) * DAY_MS - offset_ms;
    UnixMillis(u64::try_from(midnight).unwrap_or(0))
}

impl Machine {
    pub(super) fn on_receipt(
        &mut self,
        session: SessionId,
        signed: &SignedReceipt,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let Some(network) = self.network_id() else { return };
        let worker = self.identity.key.worker_id();
        let earned = self.earned.entry(network).or_insert_with(|| Earned::nothing(network, worker));
        match earned.lane.accept(signed) {
            Ok(()) => {
                let receipt = countersign(&self.identity.key, signed);
                let nonce = signed.receipt.nonce;
                let signature = receipt.worker_signature;
                earned.add(signed.leaf.amount, nonce, signature, now);
                let first = earned.receipts == 1;
                let lane = Box::new(earned.lane.clone());
                out.record(Record::Receipt { receipt: Box::new(receipt), lane, received_at: now });
                self.gaps = 0;
                self.send(session, WorkerMessage::Countersign { lane: LANE, nonce, signature }, out);
                self.finish(signed.leaf.assignment, Stage::Settled, now, out);
                if first {
                    let sentence = format!("Your first earning: {} USDC.", signed.leaf.amount);
                    self.notify("first_earning", sentence, false, now, out);
                }
            }
            Err(ReceiptError::AlreadyHeld) => {
                let nonce = signed.receipt.nonce;
                let signature = earned.countersignatures.iter().find(|(kept, _)| *kept == nonce);
                if let Some((_, signature)) = signature {
                    let message = WorkerMessage::Countersign { lane: LANE, nonce, signature: *signature };
                    self.send(session, message, out);
                }
            }
            Err(gap @ ReceiptError::Gap { .. }) => {
                // A new greeting tells the network what is held, and it sends all that is missing. A network
                // that leaves the gap is asked less and less often.
                self.gaps += 1;
                let wait = SESSION.wait(self.gaps, &mut self.chance);
                self.drop_session(gap.fault(), now, out);
                self.link.session = Session::Down { retry_at: now.after(wait) };
            }
            Err(wrong) => self.notify_problem(&wrong.fault(), now, out),
        }
    }

    pub(super) fn repeat_countersignatures(&self, session: SessionId, out: &mut Out) {
        let earned = self.network_id().and_then(|id| self.earned.get(&id));
        for (nonce, signature) in earned.iter().flat_map(|earned| &earned.countersignatures) {
            let message = WorkerMessage::Countersign { lane: LANE, nonce: *nonce, signature: *signature };
            self.send(session, message, out);
        }
    }

    pub(super) fn on_verdict(
        &mut self,
        assignment: AssignmentId,
        verdict: Verdict,
        now: UnixMillis,
        out: &mut Out,
    ) {
        if self.task(assignment).is_none() && !self.over.contains(&assignment) {
            return;
        }
        let rejected = match &verdict {
            Verdict::Rejected { difference, .. } => Some(difference.clone()),
            Verdict::Accepted { .. } | Verdict::Inconclusive { .. } => None,
        };
        out.record(Record::Verdict { assignment, verdict });
        if self.task(assignment).is_some() {
            if let Some(difference) = rejected {
                let sentence = format!("A task was found wrong and is not paid: {difference}.");
                self.notify_problem(&Fault::new("task_rejected", sentence), now, out);
            }
            self.finish(assignment, Stage::Settled, now, out);
        }
    }

    /// Everything that the network says.
    pub(super) fn on_network_said(
        &mut self,
        session: SessionId,
        message: NetworkMessage,
        now: UnixMillis,
        out: &mut Out,
    ) {
        // What was said on a session that is over, or before the greeting, counts for nothing.
        if self.link.session.id() != Some(session) || matches!(self.link.session, Session::Opening { .. }) {
            return;
        }
        let Some(id) = self.network_id() else { return };
        match message {
            NetworkMessage::Welcome { network, enrolled: _ } => self.on_welcome(&network, now, out),
            NetworkMessage::Enrolled => self.on_enrolled(session, out),
            NetworkMessage::WalletSet(standing) => self.on_wallet_set(id, standing, now, out),
            NetworkMessage::WalletStatement(statement) => self.on_wallet_statement(id, &statement, now, out),
            NetworkMessage::Payouts(standing) => self.on_payouts(id, *standing, now, out),
            NetworkMessage::EarningsProof(proof) => self.on_earnings_proof(*proof),
            NetworkMessage::Assign(assignment) => self.on_assign(id, *assignment, now, out),
            NetworkMessage::NoWork { device, reason, retry_after_ms, standing } => {
                self.on_no_work(device, reason, retry_after_ms, standing, now);
            }
            NetworkMessage::Timed { device, gigaflops, memory_bytes } => {
                self.on_timed(device, gigaflops, memory_bytes);
            }
            NetworkMessage::ClaimLowered { device, reason } => {
                self.on_claim_lowered(device, &reason, now, out);
            }
            NetworkMessage::Prices(mut prices) => {
                // There are a handful of kinds; a network that names thousands wants to fill memory.
                prices.truncate(PRICES_MAX);
                self.prices = Some((id, prices));
            }
            NetworkMessage::WorkWaiting => self.on_work_waiting(),
            NetworkMessage::ReportReceived { assignment } => self.on_report_received(assignment, out),
            NetworkMessage::HandBackReceived { assignment } => {
                self.on_hand_back_received(assignment, now, out);
            }
            NetworkMessage::Withdrawn { assignment, reason } => {
                self.on_withdrawn(assignment, reason, now, out);
            }
            NetworkMessage::Verdict { assignment, verdict } => self.on_verdict(assignment, verdict, now, out),
            NetworkMessage::Receipt(signed) => self.on_receipt(session, &signed, now, out),
            NetworkMessage::Balance(balance) => self.balance = Some((id, balance)),
            NetworkMessage::Refused { assignment: Some(assignment), fault } => {
                self.on_assignment_refused(assignment, fault, now, out);
            }
            NetworkMessage::Refused { assignment: None, fault } => self.on_refused(fault, now, out),
        }
    }
}
