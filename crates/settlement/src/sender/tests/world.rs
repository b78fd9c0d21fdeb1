//! A chain that forks, and endpoints that are behind, fail and lie.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::{OnChainRoot, Payee};
use crate::chain::quorum::Said;
use crate::chain::{BLOCKHASH_BLOCKS, Blockhash, Outcome, Recent};
use crate::epoch::Hash;

/// Blocks after which one is final, as on Solana.
const FINAL_AFTER: u64 = 32;
/// Endpoints are at most so far behind.
const LAG_MAX: u64 = 30;

/// What the program on the chain does with a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Pays the lifetime less what it paid before, under the posted root: as ours does.
    Cumulative,
    /// Pays whatever the transaction says: what is sent twice is paid twice.
    Trusting,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Root(OnChainRoot),
    /// Under this root: payee, lifetime, amount.
    Claims(Hash, Vec<(Payee, u64, u64)>),
    /// Which refund, and how much. Nothing keeps the chain from paying it as often as it is told.
    Refund(u64, u64),
}

/// Every so many refunds go to a wallet that has no account, where no transfer succeeds.
const DOOMED_EVERY: u64 = 4;

/// Whether a refund can be paid at all.
pub(super) fn is_doomed(refund: u64) -> bool {
    refund.is_multiple_of(DOOMED_EVERY)
}

#[derive(Clone, Debug)]
pub(super) struct Tx {
    pub(super) action: Action,
    /// The height of the last block that takes it, in truth.
    pub(super) last_valid: u64,
    /// Whether the sender signed it, or a contributor.
    pub(super) ours: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    pub(super) root: Option<OnChainRoot>,
    pub(super) paid: BTreeMap<Payee, u64>,
    pub(super) refunded: BTreeMap<u64, u64>,
}

struct Block {
    height: u64,
    txs: Vec<(u64, bool)>,
    after: Accounts,
}

pub(super) struct World {
    pub(super) program: Program,
    pub(super) txs: BTreeMap<u64, Tx>,
    pub(super) tip: u64,
    /// Those that are not empty, ascending.
    blocks: Vec<Block>,
    /// Height of each transaction that is in a block, and whether it was done.
    landed: BTreeMap<u64, (u64, bool)>,
    /// On their way to a block; one may be there twice.
    waiting: Vec<u64>,
    /// Kept back by a liar.
    kept: Vec<u64>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) healed: bool,
    genesis: Accounts,
    /// Blocks for which nothing reaches one.
    congested: u64,
    hashes: u64,
    /// Heights of blockhashes.
    born: BTreeMap<[u8; 32], u64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    lag: u64,
    liar: bool,
}

impl World {
    pub(super) fn new(program: Program, endpoints: usize, dice: &mut ChaCha8Rng) -> Self {
        let liar = dice.random_range(0..endpoints);
        let endpoints = (0..endpoints).map(|at| Endpoint { lag: 0, liar: at == liar }).collect();
        Self {
            program,
            txs: BTreeMap::new(),
            tip: 1000,
            blocks: Vec::new(),
            landed: BTreeMap::new(),
            waiting: Vec::new(),
            kept: Vec::new(),
            endpoints,
            healed: false,
            genesis: Accounts::default(),
            congested: 0,
            hashes: 0,
            born: BTreeMap::new(),
        }
    }

    pub(super) fn final_height(&self) -> u64 {
        self.tip - FINAL_AFTER
    }

    pub(super) fn accounts_at(&self, height: u64) -> &Accounts {
        self.blocks
            .iter()
            .rev()
            .find(|block| block.height <= height)
            .map_or(&self.genesis, |block| &block.after)
    }

    /// Whether a transaction is in a final block, and what became of it.
    pub(super) fn settled(&self, tx: u64) -> Option<bool> {
        self.landed.get(&tx).filter(|(height, _)| *height <= self.final_height()).map(|(_, done)| *done)
    }

    /// Whether a transaction may yet reach a block, or be in one that stays.
    pub(super) fn is_alive(&self, tx: u64) -> bool {
        if self.settled(tx).is_some() {
            return false;
        }
        self.landed.contains_key(&tx) || self.final_height() <= self.txs[&tx].last_valid
    }

    /// Done transactions in final blocks.
    pub(super) fn done(&self) -> BTreeSet<u64> {
        self.landed.keys().copied().filter(|tx| self.settled(*tx) == Some(true)).collect()
    }

    /// A contributor claims; nobody stops it.
    pub(super) fn submit(&mut self, id: u64, tx: Tx) {
        self.txs.insert(id, tx);
        self.waiting.push(id);
    }

    /// Time passes.
    pub(super) fn advance(&mut self, dice: &mut ChaCha8Rng) {
        if !self.healed {
            for endpoint in &mut self.endpoints {
                endpoint.lag = if dice.random_bool(0.5) { 0 } else { dice.random_range(0..=LAG_MAX) };
            }
            if dice.random_bool(0.08) {
                self.fork(dice);
            }
            if dice.random_bool(0.01) {
                self.congested = dice.random_range(100..400);
            }
            if dice.random_bool(0.2) {
                self.waiting.append(&mut self.kept);
            }
        }
        for _ in 0..dice.random_range(1..24) {
            self.tip += 1;
            self.congested = self.congested.saturating_sub(1);
            if self.congested > 0 && !self.healed {
                self.waiting.clear();
            }
            let mut block = Vec::new();
            for id in std::mem::take(&mut self.waiting) {
                if dice.random_bool(0.3) { block.push(id) } else { self.waiting.push(id) }
            }
            self.execute(block);
        }
    }

    /// The last blocks go away. What was in them comes again, or is forgotten.
    fn fork(&mut self, dice: &mut ChaCha8Rng) {
        let keep = self.tip - dice.random_range(1..FINAL_AFTER);
        while let Some(block) = self.blocks.pop_if(|block| block.height > keep) {
            for (id, _) in block.txs {
                self.landed.remove(&id);
                if dice.random_bool(0.5) {
                    self.waiting.push(id);
                }
            }
        }
    }

    fn execute(&mut self, ids: Vec<u64>) {
        let mut after = self.accounts_at(self.tip).clone();
        let mut txs = Vec::new();
        for id in ids {
            if self.landed.contains_key(&id) || self.tip > self.txs[&id].last_valid {
                continue;
            }
            let done = carry_out(self.program, &self.txs[&id].action, &mut after);
            self.landed.insert(id, (self.tip, done));
            txs.push((id, done));
        }
        if !txs.is_empty() {
            self.blocks.push(Block { height: self.tip, txs, after });
        }
    }

    fn up(&self, dice: &mut ChaCha8Rng) -> Vec<Endpoint> {
        let up = |_: &&Endpoint| self.healed || dice.random_bool(0.85);
        self.endpoints.iter().filter(up).copied().collect()
    }

    fn lies(&self, endpoint: Endpoint, dice: &mut ChaCha8Rng) -> bool {
        endpoint.liar && !self.healed && dice.random_bool(0.7)
    }

    fn view(&self, endpoint: Endpoint) -> u64 {
        self.tip - if self.healed { 0 } else { endpoint.lag }
    }

    pub(super) fn recent(&mut self, dice: &mut ChaCha8Rng) -> Vec<Recent> {
        let mut up = self.up(dice);
        if !up.is_empty() {
            let first = dice.random_range(0..up.len());
            up.rotate_left(first);
        }
        up.into_iter()
            .map(|endpoint| {
                self.hashes += 1;
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&self.hashes.to_be_bytes());
                let view = self.view(endpoint);
                let mut said = view + BLOCKHASH_BLOCKS;
                if self.lies(endpoint, dice) {
                    said = match dice.random_range(0..4) {
                        0 => 0,
                        1 => u64::MAX,
                        2 => said.saturating_sub(dice.random_range(0..120)),
                        _ => said,
                    };
                }
                // A blockhash that no block has is what a liar gives now and then.
                if !(endpoint.liar && !self.healed && dice.random_bool(0.3)) {
                    self.born.insert(bytes, view);
                }
                Recent { blockhash: Blockhash::new_from_array(bytes), last_valid_height: said }
            })
            .collect()
    }

    pub(super) fn ends(&self, blockhash: &Blockhash) -> u64 {
        self.born.get(&blockhash.to_bytes()).map_or(0, |born| born + BLOCKHASH_BLOCKS)
    }

    /// True when some endpoint took it.
    pub(super) fn send(&mut self, id: u64, dice: &mut ChaCha8Rng) -> bool {
        let mut taken = false;
        for endpoint in self.up(dice) {
            if self.lies(endpoint, dice) {
                taken |= dice.random_bool(0.8);
                if dice.random_bool(0.5) {
                    self.kept.push(id);
                }
                continue;
            }
            let mut accounts = self.accounts_at(self.view(endpoint)).clone();
            let fits = carry_out(self.program, &self.txs[&id].action, &mut accounts);
            if fits || dice.random_bool(0.3) {
                taken = true;
                let copies = if self.healed { 1 } else { dice.random_range(0..3) };
                self.waiting.extend(std::iter::repeat_n(id, copies));
            }
        }
        taken
    }

    /// What the endpoints that are up say of each.
    pub(super) fn statuses(&self, ids: &[u64], dice: &mut ChaCha8Rng) -> Vec<Vec<Said>> {
        let mut said = vec![Vec::new(); ids.len()];
        for endpoint in self.up(dice) {
            for (said, id) in said.iter_mut().zip(ids) {
                said.push(self.status(endpoint, *id, dice));
            }
        }
        said
    }

    fn status(&self, endpoint: Endpoint, id: u64, dice: &mut ChaCha8Rng) -> Said {
        let searched_to = self.view(endpoint).saturating_sub(FINAL_AFTER);
        if self.lies(endpoint, dice) {
            return match dice.random_range(0..4) {
                0 => Said::Unknown { searched_to: u64::MAX },
                1 => Said::Finalized { slot: searched_to, outcome: Outcome::Done },
                2 => Said::Finalized { slot: searched_to, outcome: Outcome::Failed("a lie".to_owned()) },
                _ => Said::Seen { slot: self.tip },
            };
        }
        match self.landed.get(&id) {
            Some((slot, done)) if *slot <= searched_to => {
                let outcome = if *done { Outcome::Done } else { Outcome::Failed("undone".to_owned()) };
                Said::Finalized { slot: *slot, outcome }
            }
            Some((slot, _)) if *slot <= self.view(endpoint) => Said::Seen { slot: *slot },
            Some(_) | None => Said::Unknown { searched_to },
        }
    }

    /// What each endpoint that is up says that a transaction refunded, in its final blocks.
    pub(super) fn arrived(&self, id: u64, dice: &mut ChaCha8Rng) -> Vec<u64> {
        let mut said = Vec::new();
        for endpoint in self.up(dice) {
            let final_height = self.view(endpoint).saturating_sub(FINAL_AFTER);
            let is_there =
                self.landed.get(&id).is_some_and(|(height, done)| *done && *height <= final_height);
            let amount = match self.txs[&id].action {
                Action::Refund(_, amount) if is_there => amount,
                Action::Root(_) | Action::Claims(..) | Action::Refund(..) => 0,
            };
            said.push(if self.lies(endpoint, dice) { u64::MAX - amount } else { amount });
        }
        said
    }

    /// What each endpoint that is up has at its last final block.
    pub(super) fn read(&self, dice: &mut ChaCha8Rng) -> Vec<Accounts> {
        let mut read = Vec::new();
        for endpoint in self.up(dice) {
            let mut accounts = self.accounts_at(self.view(endpoint).saturating_sub(FINAL_AFTER)).clone();
            if self.lies(endpoint, dice) {
                accounts.root = None;
                let paid = if dice.random_bool(0.5) { 0 } else { u64::MAX };
                self.genesis.paid.keys().for_each(|payee| {
                    accounts.paid.insert(*payee, paid);
                });
                accounts.paid.values_mut().for_each(|all| *all = paid);
            }
            read.push(accounts);
        }
        read
    }
}

fn carry_out(program: Program, action: &Action, accounts: &mut Accounts) -> bool {
    let mut after = accounts.clone();
    let done = match action {
        Action::Root(root) => {
            let newer = after.root.is_none_or(|posted| posted.epoch < root.epoch);
            after.root = Some(*root);
            newer
        }
        Action::Refund(refund, amount) => {
            *after.refunded.entry(*refund).or_default() += amount;
            !is_doomed(*refund)
        }
        Action::Claims(root, claims) => claims.iter().all(|(payee, lifetime, amount)| {
            let paid = after.paid.entry(*payee).or_default();
            match program {
                Program::Trusting => {
                    *paid += amount;
                    true
                }
                Program::Cumulative => {
                    let due = *paid < *lifetime;
                    *paid = *lifetime;
                    due && after.root.is_some_and(|posted| posted.root == *root)
                }
            }
        }),
    };
    if done {
        *accounts = after;
    }
    done
}
