//! A shell that crashes between any two effects, and what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lull_types::BaseUnits;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::{
    Attempt, BatchId, BatchState, Effect, Epoch, Found, Input, Memory, OnChainRoot, Payee, PayoutState,
    Policy, RefundId, RefundState, Sender, Store, What, Work,
};
use super::payee;
use super::world::{Accounts, Action, Program, Tx, World, is_doomed};
use crate::chain::{Signature, quorum};

const EPOCHS: u64 = 3;
/// Steps in which everything goes wrong.
const ROUGH_STEPS: usize = 150;
/// Steps after that in which nothing does. A batch that waits for its end needs about 30.
const CALM_STEPS: usize = 500;
/// Refunds in a run. Every fourth can never be paid.
const REFUNDS: usize = 5;

/// Lifetime and fee of each payee, and whether the network sends to it: if not, its contributor claims.
type Earned = BTreeMap<Payee, (u64, u64, bool)>;

pub(super) struct Simulation {
    dice: ChaCha8Rng,
    world: World,
    store: Memory,
    sender: Sender,
    policy: Policy,
    effects: VecDeque<Effect>,
    inbox: Vec<Input>,
    /// Epochs that the ledger has made.
    epochs: Vec<(Epoch, Earned)>,
    /// Amounts of refunds that customers have asked for; their ids count from 1.
    refunds: Vec<u64>,
    signed: u64,
    /// Transactions that were given to an endpoint.
    sent: BTreeSet<u64>,
    pub(super) crashes: u64,
    pub(super) expired: usize,
}

fn signature(id: u64) -> Signature {
    let mut bytes = [0; 64];
    bytes[..8].copy_from_slice(&id.to_be_bytes());
    Signature::from(bytes)
}

fn id_of(signature: &Signature) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|n| signature.as_ref()[n]))
}

impl Simulation {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let program = if dice.random_bool(0.5) { Program::Cumulative } else { Program::Trusting };
        let endpoints = dice.random_range(2..=3);
        let world = World::new(program, endpoints, &mut dice);
        let tight = dice.random_bool(0.2);
        let policy = Policy {
            claims_a_batch_max: dice.random_range(1..4),
            open_batches_max: dice.random_range(1..4),
            transaction_lamports_max: 10,
            claim_lamports_max: 100,
            epoch_lamports_max: if tight { dice.random_range(100..500) } else { u64::MAX },
            epoch_tokens_max: if tight { dice.random_range(1..200) } else { u64::MAX },
            epoch_growth_max: u64::MAX,
            failures_max: 3,
        };
        Self {
            sender: Sender::restore(policy.clone(), []),
            dice,
            world,
            store: Memory::default(),
            policy,
            effects: VecDeque::new(),
            inbox: Vec::new(),
            epochs: Vec::new(),
            refunds: Vec::new(),
            signed: 0,
            sent: BTreeSet::new(),
            crashes: 0,
            expired: 0,
        }
    }

    pub(super) fn run(&mut self) {
        for _ in 0..ROUGH_STEPS {
            self.step(true);
        }
        self.world.healed = true;
        let generous =
            Policy { epoch_lamports_max: u64::MAX, epoch_tokens_max: u64::MAX, ..self.policy.clone() };
        self.policy = generous.clone();
        for _ in 0..CALM_STEPS {
            if self.is_finished() {
                break;
            }
            if self.dice.random_bool(0.05) {
                self.inbox.push(Input::Resume(generous.clone()));
            }
            self.step(false);
        }
        self.check_end();
    }

    fn step(&mut self, rough: bool) {
        self.world.advance(&mut self.dice);
        if self.epochs.len() < EPOCHS as usize && (!rough || self.dice.random_bool(0.04)) {
            self.make_epoch();
        }
        if self.world.program == Program::Cumulative && rough && self.dice.random_bool(0.1) {
            self.contributor_claims();
        }
        if self.refunds.len() < REFUNDS && (!rough || self.dice.random_bool(0.06)) {
            let amount = self.dice.random_range(1..20);
            self.refunds.push(amount);
        }
        self.give_epoch();
        self.give_refunds();
        self.inbox.push(Input::Tick);
        for _ in 0..40 {
            if rough && self.dice.random_bool(0.005) {
                self.crash();
            }
            if let Some(effect) = self.effects.pop_front() {
                self.carry_out(effect, rough);
            } else if !self.inbox.is_empty() {
                let at = if rough { self.dice.random_range(0..self.inbox.len()) } else { 0 };
                let input = self.inbox.remove(at);
                if rough && self.dice.random_bool(0.1) {
                    self.inbox.push(input.clone());
                }
                let effects = self.sender.handle(input).unwrap();
                self.effects.extend(effects);
            } else {
                break;
            }
            if rough && self.dice.random_bool(0.05) {
                // Others are faster than this shell.
                self.world.advance(&mut self.dice);
            }
        }
        self.check_always();
    }

    /// Everything in memory is gone.
    fn crash(&mut self) {
        self.crashes += 1;
        self.effects.clear();
        self.inbox.clear();
        self.sender = Sender::restore(self.policy.clone(), self.store.load().unwrap());
    }

    fn make_epoch(&mut self) {
        let mut payees = self.epochs.last().map(|(_, payees)| payees.clone()).unwrap_or_default();
        for n in 0..self.dice.random_range(2..8) {
            if self.dice.random_bool(0.8) {
                let (lifetime, fee, _) = payees.entry(payee(n)).or_default();
                *lifetime += self.dice.random_range(1..20);
                *fee = self.dice.random_range(0..2);
            }
        }
        let number = self.epochs.len() as u64 + 1;
        for (_, _, sent) in payees.values_mut() {
            // To all in the end.
            *sent = number == EPOCHS || self.dice.random_bool(0.8);
        }
        let total = BaseUnits(payees.values().map(|(lifetime, _, _)| lifetime).sum());
        self.epochs.push((Epoch { number, root: [number as u8; 32], total, anchored: false }, payees));
    }

    /// The ledger gives its newest epoch until the sender has it.
    fn give_epoch(&mut self) {
        let Some((epoch, payees)) = self.epochs.last() else { return };
        if self.sender.epoch().is_none_or(|newest| newest.number < epoch.number) {
            let sent = payees.iter().filter(|(_, (_, _, sent))| *sent);
            let payouts =
                sent.map(|(payee, (lifetime, fee, _))| (*payee, BaseUnits(*lifetime), BaseUnits(*fee)));
            let payouts = payouts.collect();
            let effects = self.sender.handle(Input::Epoch { epoch: epoch.clone(), payouts }).unwrap();
            self.effects.extend(effects);
        }
    }

    /// All that the sender has not taken, in order; now and then all of them again.
    fn give_refunds(&mut self) {
        let known = if self.dice.random_bool(0.1) { 0 } else { self.sender.last_refund().0 };
        for (id, amount) in (1..).zip(&self.refunds).filter(|(id, _)| *id > known) {
            let refund = Input::Refund { id: RefundId(id), to: payee(0).wallet, amount: BaseUnits(*amount) };
            self.effects.extend(self.sender.handle(refund).unwrap());
        }
    }

    fn contributor_claims(&mut self) {
        let posted = self.world.accounts_at(self.world.tip).root;
        let Some((epoch, payees)) =
            self.epochs.iter().find(|(e, _)| posted.is_some_and(|p| p.root == e.root))
        else {
            return;
        };
        if payees.is_empty() {
            return;
        }
        let at = self.dice.random_range(0..payees.len());
        let Some((payee, (lifetime, _, _))) = payees.iter().nth(at) else { return };
        self.signed += 1;
        let action = Action::Claims(epoch.root, vec![(*payee, *lifetime, 0)]);
        self.world.submit(self.signed, Tx { action, last_valid: self.world.tip + 100, ours: false });
    }

    fn answer(&mut self, input: Input, rough: bool) {
        if !rough || self.dice.random_bool(0.9) {
            self.inbox.push(input);
        }
    }

    fn carry_out(&mut self, effect: Effect, rough: bool) {
        match effect {
            Effect::Persist(records) => self.store.commit(&records).unwrap(),
            Effect::Prepare { batch, epoch, work, lamports_max } => {
                assert!(lamports_max >= 10, "a batch must be allowed its fee");
                if let Some(attempt) = self.sign(epoch, &work) {
                    self.answer(Input::Signed { batch, attempt }, rough);
                }
            }
            Effect::Send { batch, bytes } => {
                let id = u64::from_be_bytes(bytes.try_into().unwrap());
                self.check_send(batch, id);
                self.sent.insert(id);
                if self.world.send(id, &mut self.dice) {
                    self.answer(Input::Taken { batch }, rough);
                }
            }
            Effect::AskStatuses(asked) => {
                let ids: Vec<u64> = asked.iter().map(|(_, signature)| id_of(signature)).collect();
                let said = self.world.statuses(&ids, &mut self.dice);
                let endpoints = self.world.endpoints.len();
                let statuses = asked.iter().zip(said);
                let statuses = statuses.map(|((batch, _), said)| (*batch, quorum::status(&said, endpoints)));
                let statuses = Input::Statuses(statuses.collect());
                self.answer(statuses, rough);
            }
            Effect::Read { purpose, what } => {
                if let Some(found) = self.read(&what) {
                    self.answer(Input::Read { purpose, found }, rough);
                }
            }
            Effect::Alarm(_) => {
                if rough && self.dice.random_bool(0.3) {
                    self.inbox.push(Input::Resume(self.policy.clone()));
                }
            }
        }
    }

    fn sign(&mut self, epoch: u64, work: &Work) -> Option<Attempt> {
        let said = self.world.recent(&mut self.dice);
        let recent = quorum::recent(&said, self.world.endpoints.len()).ok()?;
        self.signed += 1;
        let root = |epoch: u64| self.epochs[epoch as usize - 1].0.root;
        let action = match work {
            Work::Root { root, .. } => Action::Root(OnChainRoot { epoch, root: *root }),
            Work::Claims(claims) => {
                let claims = claims.iter().map(|claim| (claim.payee, claim.lifetime.0, claim.amount.0));
                Action::Claims(root(epoch), claims.collect())
            }
            Work::Refund { refund, amount, .. } => Action::Refund(refund.0, amount.0),
        };
        let last_valid = self.world.ends(&recent.blockhash);
        self.world.txs.insert(self.signed, Tx { action, last_valid, ours: true });
        Some(Attempt {
            signature: signature(self.signed),
            bytes: self.signed.to_be_bytes().to_vec(),
            last_valid_height: recent.last_valid_height,
        })
    }

    fn read(&mut self, what: &What) -> Option<Found> {
        let endpoints = self.world.endpoints.len();
        if let What::Arrived { signature, .. } = what {
            let said = self.world.arrived(id_of(signature), &mut self.dice);
            return Some(Found::Arrived(BaseUnits(quorum::agreed(&said, endpoints).ok()?)));
        }
        let read = self.world.read(&mut self.dice);
        Some(match what {
            What::Arrived { .. } => return None,
            What::Root => {
                let roots: Vec<_> = read.iter().map(|accounts| accounts.root).collect();
                Found::Root(quorum::agreed(&roots, endpoints).ok()?)
            }
            What::Paid(payees) => {
                let paid =
                    |accounts: &Accounts, payee: &Payee| accounts.paid.get(payee).copied().unwrap_or(0);
                let mut found = Vec::new();
                for payee in payees {
                    let said: Vec<u64> = read.iter().map(|accounts| paid(accounts, payee)).collect();
                    found.push((*payee, BaseUnits(quorum::agreed(&said, endpoints).ok()?)));
                }
                Found::Paid(found)
            }
        })
    }

    /// What must hold when a transaction is given to the chain.
    fn check_send(&self, batch: BatchId, id: u64) {
        let stored = self.store.batches().find(|stored| stored.id == batch);
        let stored =
            stored.and_then(|stored| stored.attempt.as_ref()).map(|attempt| id_of(&attempt.signature));
        assert_eq!(stored, Some(id), "only what is stored may be sent");
        if self.sent.contains(&id) {
            return;
        }
        let refund = |id: u64| match &self.world.txs[&id].action {
            Action::Root(_) | Action::Claims(..) => None,
            Action::Refund(refund, _) => Some(*refund),
        };
        let alive = || self.sent.iter().copied().filter(|other| self.world.is_alive(*other));
        if let Some(mine) = refund(id) {
            let same = alive().find(|other| refund(*other) == Some(mine));
            assert_eq!(same, None, "{id} refunds what another may yet refund");
            return;
        }
        let of = |id: u64| match &self.world.txs[&id].action {
            Action::Root(_) | Action::Refund(..) => BTreeSet::new(),
            Action::Claims(_, claims) => claims.iter().map(|(payee, _, _)| *payee).collect::<BTreeSet<_>>(),
        };
        let mine = of(id);
        for other in alive().filter(|other| refund(*other).is_none()) {
            let theirs = of(other);
            assert!(mine.is_disjoint(&theirs), "{id} pays whom {other} may yet pay");
            assert!(!mine.is_empty(), "a root must wait for {other}");
            assert!(!theirs.is_empty(), "a claim must wait for the root {other}");
        }
    }

    fn check_always(&self) {
        let paid = &self.world.accounts_at(self.world.tip).paid;
        for (payee, paid) in paid {
            let lifetime =
                self.epochs.last().and_then(|(_, payees)| payees.get(payee)).map_or(0, |(life, _, _)| *life);
            assert!(*paid <= lifetime, "{payee:?} has {paid} of {lifetime}");
        }
        for (refund, refunded) in &self.world.accounts_at(self.world.tip).refunded {
            let asked = self.refunds[*refund as usize - 1];
            assert!(*refunded <= asked, "refund {refund} paid {refunded} of {asked}");
        }
        for epoch in &self.epochs {
            let of_epoch = self.store.batches().filter(|batch| batch.epoch == epoch.0.number);
            let spent: Vec<_> = of_epoch.filter(|batch| batch.state != BatchState::Expired).collect();
            let lamports: u64 = spent.iter().map(|batch| batch.lamports_max).sum();
            let paying = spent.iter().filter(|batch| batch.state != BatchState::Failed);
            let tokens: u64 = paying.map(|batch| batch.tokens()).sum();
            let Policy { epoch_lamports_max, epoch_tokens_max, .. } = self.policy;
            assert!(lamports <= epoch_lamports_max && tokens <= epoch_tokens_max, "limits hold");
        }
    }

    fn is_finished(&self) -> bool {
        let Some((epoch, payees)) = self.epochs.last().filter(|_| self.epochs.len() == EPOCHS as usize)
        else {
            return false;
        };
        let confirmed =
            |payee| self.sender.payout(payee).is_some_and(|payout| payout.state == PayoutState::Confirmed);
        self.sender.epoch().is_some_and(|newest| newest.number == epoch.number && newest.anchored)
            && payees.keys().all(confirmed)
            && self.sender.last_refund().0 == REFUNDS as u64
            && self.store.refunds.values().all(|refund| !refund.state.is_open())
            && self.sender.open_batches().next().is_none()
            && self.effects.is_empty()
    }

    fn check_end(&mut self) {
        assert!(self.is_finished(), "something is stuck: {:?}", self.sender);
        let (_, payees) = self.epochs.last().unwrap();
        let accounts = self.world.accounts_at(self.world.final_height());
        for (payee, (lifetime, _, _)) in payees {
            assert_eq!(accounts.paid.get(payee), Some(lifetime), "everyone has exactly the lifetime");
        }
        for (id, amount) in (1..).zip(&self.refunds) {
            let refunded = accounts.refunded.get(&id).copied().unwrap_or(0);
            let expected = match self.store.refunds[&RefundId(id)].state {
                RefundState::Paid => *amount,
                RefundState::Returned => 0,
                open @ (RefundState::Planned | RefundState::InBatch(_)) => panic!("{id} is {open:?}"),
            };
            assert_eq!(refunded, expected, "books and chain agree on refund {id}");
            assert!(!is_doomed(id) || refunded == 0);
        }
        let done = self.world.done().into_iter().filter(|id| self.world.txs[id].ours);
        let on_chain: BTreeSet<(u64, Payee)> = done
            .flat_map(|id| match &self.world.txs[&id].action {
                Action::Root(_) | Action::Refund(..) => Vec::new(),
                Action::Claims(_, claims) => claims.iter().map(|(payee, _, _)| (id, *payee)).collect(),
            })
            .collect();
        let booked =
            self.store.settled.values().map(|settled| (id_of(&settled.signature), settled.claim.payee));
        let booked: Vec<_> = booked.collect();
        assert_eq!(booked.len(), on_chain.len(), "each fee is deducted once");
        assert_eq!(booked.into_iter().collect::<BTreeSet<_>>(), on_chain, "books and chain agree");
        self.expired = self.store.batches().filter(|batch| batch.state == BatchState::Expired).count();
        let again = Sender::restore(self.policy.clone(), self.store.load().unwrap());
        assert_eq!(
            format!("{:?}", again.state),
            format!("{:?}", self.sender.state),
            "a restart changes nothing"
        );
    }
}
