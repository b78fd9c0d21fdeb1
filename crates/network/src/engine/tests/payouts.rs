use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_settlement::chain::{Outcome, Signature, Status};
use lull_settlement::epoch::EMPTY_ROOT;
use lull_settlement::sender::{
    Attempt, Effect as Sending, Epoch, Found, Input as Told, OnChainRoot, Payee, Purpose, Sender, What,
};
use lull_types::{
    BaseUnits, ChainAddress, ChainPlace, NextPayout, PayoutStage, PayoutStanding, WalletAddress, WorkerId,
};

use super::rig::*;
use crate::engine::*;
use crate::ledger::{self, Account};
use crate::store::{funds, payouts};

const DAY_MS: u64 = 24 * 3_600_000;
const FEE_FIRST: u64 = 30;
const FEE_LATER: u64 = 10;
const THRESHOLD: u64 = 150;

pub(super) fn paying(pays_unproven: bool) -> Rig {
    let place = ChainPlace {
        cluster: "test".to_owned(),
        endpoint: None,
        program: ChainAddress([1; 32]),
        mint: ChainAddress([2; 32]),
        account: ChainAddress([3; 32]),
    };
    let payouts = PayoutPolicy {
        place,
        fee_first: BaseUnits(FEE_FIRST),
        fee_later: BaseUnits(FEE_LATER),
        threshold: BaseUnits(THRESHOLD),
        threshold_min: BaseUnits(20),
        pays_unproven,
    };
    let policy = Policy { timing_valid_ms: None, ..strict() };
    let mut rig = Rig::with(Config { policy, payouts: Some(payouts), ..Config::default() });
    rig.trust(&[KIND]);
    rig
}

pub(super) fn wallet(n: u8) -> WalletAddress {
    WalletAddress::from_bytes(key(n).public()).unwrap()
}

/// A worker whose earnings of so many tasks are payable.
fn earner(rig: &mut Rig, n: u8, tasks: u32) -> WorkerId {
    let worker = rig.worker(n);
    rig.say(worker, WorkerMessage::SetWallet(Some(wallet(n))));
    earn(rig, worker, tasks);
    worker
}

fn earn(rig: &mut Rig, worker: WorkerId, tasks: u32) {
    let customer = rig.customer(worker.0[0]);
    rig.job(customer, &format!("job {}", rig.now.0), tasks);
    for _ in 0..tasks {
        let assignment = rig.take(worker);
        rig.report(worker, &assignment, b"right");
        rig.conclude(CheckOutcome::Match);
    }
    rig.pass(DAY_MS);
    rig.told(worker);
}

fn close(rig: &mut Rig, number: u64) {
    let answer = rig.tell(Input::CloseEpoch { number, after: None }).unwrap();
    assert_eq!(answer, Answer::EpochPart { next: None });
}

fn leaves(rig: &Rig) -> Vec<(WorkerId, u64)> {
    let leaves = payouts::leaves(&rig.connection).unwrap();
    leaves.iter().map(|leaf| (leaf.worker, leaf.lifetime.0)).collect()
}

fn standing(messages: &[NetworkMessage]) -> PayoutStanding {
    let told = messages.iter().rev().find_map(|message| match message {
        NetworkMessage::Payouts(standing) => Some(PayoutStanding::clone(standing)),
        _ => None,
    });
    told.unwrap_or_else(|| panic!("nothing of payouts in {messages:?}"))
}

fn stands(rig: &mut Rig, worker: WorkerId) -> PayoutStanding {
    let hello = WorkerMessage::Hello { worker_version: "1".to_owned(), nonce_held: 0 };
    standing(&rig.say(worker, hello))
}

#[test]
fn an_epoch_lists_what_is_payable_and_keeps_the_fee_back() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    assert_eq!(stands(&mut rig, worker).threshold, Some(BaseUnits(THRESHOLD)));
    close(&mut rig, 5);
    assert_eq!(leaves(&rig), [(worker, 200 - FEE_FIRST)]);
    let sent = payouts::sent(&rig.connection).unwrap();
    let payee = Payee { worker, wallet: wallet(1) };
    assert_eq!(sent, [(payee, BaseUnits(200 - FEE_FIRST), BaseUnits(FEE_FIRST))]);
    // Closed again, as after a crash, it lists the same.
    close(&mut rig, 5);
    assert_eq!(leaves(&rig), [(worker, 200 - FEE_FIRST)]);
    assert_eq!(rig.earned(worker), [0, 200, 0], "listing moves no money");
}

#[test]
fn what_is_said_of_the_next_payout_is_what_happens() {
    let mut rig = paying(false);
    let worker = rig.worker(1);
    assert_eq!(stands(&mut rig, worker).next, NextPayout::NoWallet);
    rig.say(worker, WorkerMessage::SetWallet(Some(wallet(1))));
    assert_eq!(stands(&mut rig, worker).next, NextPayout::Nothing);
    earn(&mut rig, worker, 1);
    assert_eq!(stands(&mut rig, worker).next, NextPayout::WalletUnproven);
    close(&mut rig, 1);
    assert_eq!(leaves(&rig), [], "nobody has signed for the wallet");

    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 1);
    let missing = BaseUnits(THRESHOLD + FEE_FIRST - 100);
    assert_eq!(stands(&mut rig, worker).next, NextPayout::BelowThreshold { missing });
    let low = rig.say(worker, WorkerMessage::SetPayoutThreshold(Some(BaseUnits(19))));
    assert_eq!(refused(&low), "threshold_too_low");
    let told = standing(&rig.say(worker, WorkerMessage::SetPayoutThreshold(Some(BaseUnits(70)))));
    let amount = BaseUnits(100 - FEE_FIRST);
    assert_eq!(told.next, NextPayout::AtEpoch { at: told.epoch_ends_at, amount });
    let told = standing(&rig.say(worker, WorkerMessage::SetPayoutThreshold(None)));
    assert_eq!((told.next, told.threshold), (NextPayout::ByContributor, None));
    close(&mut rig, 2);
    assert_eq!(leaves(&rig), [(worker, 100)], "whoever claims pays no fee to the network");
    assert_eq!(payouts::sent(&rig.connection).unwrap(), []);
}

#[test]
fn who_has_no_chain_says_so() {
    let mut rig = Rig::with_runtime(strict());
    let worker = rig.worker(1);
    for message in [
        WorkerMessage::SetPayoutThreshold(None),
        WorkerMessage::WantProof { wallet: wallet(1) },
        WorkerMessage::Claimed { wallet: wallet(1) },
    ] {
        assert_eq!(refused(&rig.say(worker, message)), "no_payouts");
    }
}

/// The sender on the rig's records, with a chain that does as it is told.
pub(super) struct Sent {
    sender: Sender,
    root: Option<OnChainRoot>,
    paid: std::collections::BTreeMap<Payee, BaseUnits>,
    /// What transactions have refunded.
    arrived: std::collections::BTreeMap<Signature, BaseUnits>,
    /// Whether what is signed comes into a block.
    pub(super) lands: bool,
    /// Whether somebody looks what was paid before the sender is told how far its batches are.
    is_read_early: bool,
}

impl Sent {
    fn restore(rig: &Rig) -> Sender {
        let policy = lull_settlement::sender::Policy::default();
        Sender::restore(policy, payouts::records(&rig.connection).unwrap())
    }

    pub(super) fn new(rig: &Rig) -> Self {
        Self {
            sender: Self::restore(rig),
            root: None,
            paid: Default::default(),
            arrived: Default::default(),
            lands: true,
            is_read_early: false,
        }
    }

    fn publish(&mut self, rig: &mut Rig, number: u64) {
        let total = leaves(rig).iter().map(|(_, lifetime)| lifetime).sum();
        let root = if total == 0 { EMPTY_ROOT } else { [number as u8; 32] };
        let epoch = Epoch { number, root, total: BaseUnits(total), anchored: false };
        let payouts = payouts::sent(&rig.connection).unwrap();
        self.give(rig, Told::Epoch { epoch, payouts });
    }

    /// Gives the refunds that customers have asked for.
    pub(super) fn take_refunds(&mut self, rig: &mut Rig) {
        for refund in funds::refunds_after(&rig.connection, self.sender.last_refund()).unwrap() {
            self.give(rig, Told::Refund { id: refund.id, to: refund.to, amount: refund.amount });
        }
    }

    /// Ticks until nothing is left to do.
    pub(super) fn settle(&mut self, rig: &mut Rig) {
        for _ in 0..6 {
            self.give(rig, Told::Tick);
        }
    }

    pub(super) fn give(&mut self, rig: &mut Rig, input: Told) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.sender.handle(input).unwrap() {
                inputs.extend(self.carry_out(rig, effect));
            }
            // At any point a restart goes on from the same, but for what earlier epochs have cost.
            let known = |sender: &Sender| {
                let all = format!("{sender:?}");
                all.split_once(", spent").map(|(known, _)| known.to_owned()).unwrap()
            };
            assert_eq!(known(&Self::restore(rig)), known(&self.sender));
        }
    }

    fn carry_out(&mut self, rig: &mut Rig, effect: Sending) -> Option<Told> {
        match effect {
            Sending::Persist(records) => {
                // A commit may be repeated.
                for _ in 0..2 {
                    assert_eq!(rig.tell(Input::KeepPayouts(records.clone())), Ok(Answer::Done));
                }
                None
            }
            Sending::Prepare { batch, work, .. } => {
                let signature = Signature::from([batch.0 as u8; 64]);
                if self.lands {
                    match work {
                        lull_settlement::sender::Work::Root { root, .. } => {
                            self.root = self.sender.epoch().map(|e| OnChainRoot { epoch: e.number, root });
                        }
                        lull_settlement::sender::Work::Claims(claims) => {
                            self.paid.extend(claims.iter().map(|claim| (claim.payee, claim.lifetime)));
                        }
                        lull_settlement::sender::Work::Refund { amount, .. } => {
                            self.arrived.insert(signature, amount);
                        }
                    }
                }
                let attempt = Attempt { signature, bytes: vec![1], last_valid_height: 100 };
                Some(Told::Signed { batch, attempt })
            }
            Sending::Send { batch, .. } => Some(Told::Taken { batch }),
            Sending::AskStatuses(asked) => {
                for (Payee { worker, wallet }, total) in
                    self.paid.clone().into_iter().filter(|_| self.is_read_early)
                {
                    rig.tell(Input::ChainPaid { worker, wallet, total }).unwrap();
                }
                let status = if self.lands {
                    Status::Finalized { slot: 1, outcome: Outcome::Done }
                } else {
                    Status::Unknown { searched_to: 101 }
                };
                Some(Told::Statuses(asked.into_iter().map(|(batch, _)| (batch, status.clone())).collect()))
            }
            Sending::Read { purpose, what } => {
                let found = match what {
                    What::Root => Found::Root(self.root),
                    What::Paid(payees) => {
                        let paid = |payee| self.paid.get(&payee).copied().unwrap_or(BaseUnits::ZERO);
                        Found::Paid(payees.into_iter().map(|payee| (payee, paid(payee))).collect())
                    }
                    What::Arrived { signature, .. } => {
                        Found::Arrived(self.arrived.get(&signature).copied().unwrap_or(BaseUnits::ZERO))
                    }
                };
                assert!(matches!(purpose, Purpose::Plan | Purpose::Close { .. }));
                Some(Told::Read { purpose, found })
            }
            Sending::Alarm(alarm) => panic!("{alarm}"),
        }
    }
}

#[test]
fn a_payout_is_booked_once_with_its_fee_and_told_at_every_step() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    let mut sent = Sent::new(&rig);
    close(&mut rig, 1);
    sent.publish(&mut rig, 1);
    sent.settle(&mut rig);
    let arrived = 200 - FEE_FIRST;
    assert_eq!(rig.earned(worker), [0, 0, arrived as i64]);
    assert_eq!(ledger::balance(&rig.connection, &Account::Treasury).unwrap(), FEE_FIRST as i64);
    let stages: Vec<PayoutStage> = rig
        .told(worker)
        .iter()
        .filter_map(|message| match message {
            NetworkMessage::Payouts(standing) => standing.payouts.first().map(|payout| payout.stage),
            _ => None,
        })
        .collect();
    for stage in [PayoutStage::Planned, PayoutStage::Signed, PayoutStage::Sent, PayoutStage::Confirmed] {
        assert!(stages.contains(&stage), "{stage:?} was not told: {stages:?}");
    }
    let standing = stands(&mut rig, worker);
    let [payout] = &standing.payouts[..] else { panic!("{standing:?}") };
    assert_eq!((payout.amount, payout.fee), (BaseUnits(arrived), BaseUnits(FEE_FIRST)));
    assert!(payout.signature.is_some());
    assert_eq!(standing.anchored.map(|anchored| anchored.epoch), Some(1));
    assert_eq!((standing.next, standing.fee_next), (NextPayout::Nothing, BaseUnits(FEE_LATER)));

    // The next one costs less.
    earn(&mut rig, worker, 2);
    close(&mut rig, 2);
    sent.publish(&mut rig, 2);
    sent.settle(&mut rig);
    assert_eq!(rig.earned(worker), [0, 0, (arrived + 200 - FEE_LATER) as i64]);
}

#[test]
fn a_payout_that_is_seen_before_its_batch_has_ended_is_listed_once() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    let mut sent = Sent::new(&rig);
    sent.is_read_early = true;
    close(&mut rig, 1);
    sent.publish(&mut rig, 1);
    sent.settle(&mut rig);
    let arrived = 200 - FEE_FIRST;
    assert_eq!(rig.earned(worker), [0, 0, arrived as i64]);
    let standing = stands(&mut rig, worker);
    let listed: Vec<_> =
        standing.payouts.iter().map(|p| (p.amount.0, p.fee.0, p.signature.is_some())).collect();
    assert_eq!(listed, [(arrived, FEE_FIRST, true)]);
}

#[test]
fn what_never_lands_is_told_and_sent_again() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    let mut sent = Sent::new(&rig);
    close(&mut rig, 1);
    sent.publish(&mut rig, 1);
    // The root lands, and then nothing does.
    for _ in 0..2 {
        sent.give(&mut rig, Told::Tick);
    }
    sent.lands = false;
    sent.settle(&mut rig);
    assert_eq!(rig.earned(worker), [0, 200, 0]);
    let standing = stands(&mut rig, worker);
    assert!(standing.payouts.iter().any(|payout| payout.stage == PayoutStage::Expired), "{standing:?}");
    assert_eq!(standing.next, NextPayout::UnderWay);
    sent.lands = true;
    sent.settle(&mut rig);
    assert_eq!(rig.earned(worker), [0, 0, (200 - FEE_FIRST) as i64]);
}

#[test]
fn a_contributors_own_claim_is_booked_whether_it_comes_alone_or_before_ours() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    rig.say(worker, WorkerMessage::SetPayoutThreshold(None));
    close(&mut rig, 1);
    assert_eq!(leaves(&rig), [(worker, 200)]);
    rig.say(worker, WorkerMessage::Claimed { wallet: wallet(1) });
    rig.say(worker, WorkerMessage::Claimed { wallet: wallet(2) });
    assert_eq!(rig.looks, [(worker, wallet(1))], "of strangers' wallets nothing is asked");
    for _ in 0..2 {
        let total = BaseUnits(120);
        rig.tell(Input::ChainPaid { worker, wallet: wallet(1), total }).unwrap();
        assert_eq!(rig.earned(worker), [0, 80, 120]);
    }
    // A chain that says more than was ever listed is not believed beyond that.
    rig.tell(Input::ChainPaid { worker, wallet: wallet(1), total: BaseUnits(999) }).unwrap();
    assert_eq!(rig.earned(worker), [0, 0, 200]);
    let standing = stands(&mut rig, worker);
    let own: Vec<_> = standing.payouts.iter().map(|p| (p.amount.0, p.fee.0, p.signature)).collect();
    assert_eq!(own, [(80, 0, None), (120, 0, None)]);
}

#[test]
fn a_wallet_that_changes_keeps_what_was_listed_for_it() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    rig.say(worker, WorkerMessage::SetPayoutThreshold(None));
    close(&mut rig, 1);
    rig.say(worker, WorkerMessage::SetWallet(Some(wallet(2))));
    rig.pass(3 * DAY_MS);
    earn(&mut rig, worker, 1);
    close(&mut rig, 2);
    let mut lifetimes: Vec<u64> = leaves(&rig).into_iter().map(|(_, lifetime)| lifetime).collect();
    lifetimes.sort_unstable();
    assert_eq!(lifetimes, [100, 200]);
}

#[test]
fn a_fee_that_is_owed_is_kept_when_the_contributor_changes_their_mind() {
    let mut rig = paying(true);
    let worker = earner(&mut rig, 1, 2);
    let mut sent = Sent::new(&rig);
    close(&mut rig, 1);
    sent.publish(&mut rig, 1);
    for _ in 0..3 {
        sent.give(&mut rig, Told::Tick);
    }
    assert!(sent.sender.open_batches().next().is_some());
    // Signed, and not yet in a block, while the next epoch lists everything for one who claims.
    rig.say(worker, WorkerMessage::SetPayoutThreshold(None));
    close(&mut rig, 2);
    assert_eq!(leaves(&rig), [(worker, 200 - FEE_FIRST)]);
    sent.settle(&mut rig);
    assert_eq!(rig.earned(worker), [0, 0, (200 - FEE_FIRST) as i64]);
}
