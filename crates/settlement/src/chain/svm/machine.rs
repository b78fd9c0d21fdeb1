//! The virtual machine over its file.

use std::path::Path;

use litesvm::LiteSVM;
use litesvm::types::FailedTransactionMetadata;
use lull_types::{BaseUnits, UnixMillis};
use sha2::{Digest, Sha256};
use solana_account::Account as FullAccount;
use solana_clock::Clock;
use solana_transaction::versioned::VersionedTransaction;

use super::super::{
    Account, Address, BLOCKHASH_BLOCKS, Blockhash, ChainError, Instruction, Outcome, Recent, Signature,
    Status, TokenAccount, TokenChange, Transaction,
};
use super::Options;
use super::file::{File, Genesis};

/// The protocol's limit of a transaction: what fits into one packet.
pub(super) const TRANSACTION_BYTES_MAX: usize = 1232;

/// How much of the ledger is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// All that was taken.
    Newest,
    /// What is final.
    Final,
}

/// A transaction that was taken, and what came of it.
pub(super) struct Taken {
    pub(super) done: Transaction,
    /// As it was sent.
    pub(super) bytes: Vec<u8>,
    pub(super) signed: VersionedTransaction,
}

pub(super) struct Machine {
    svm: LiteSVM,
    file: File,
    genesis: Genesis,
    options: Options,
    clock: Box<dyn Fn() -> UnixMillis + Send>,
    /// The highest slot seen.
    slot: u64,
}

impl Machine {
    pub(super) fn open(
        path: &Path,
        options: Options,
        clock: Box<dyn Fn() -> UnixMillis + Send>,
    ) -> Result<Self, ChainError> {
        let file = File::open(path, clock())?;
        let genesis = file.genesis()?;
        // Blockhashes and repetitions are looked up in the file, which remembers more than the machine does.
        let mut svm = LiteSVM::new().with_blockhash_check(false).with_transaction_history(0);
        for (address, elf) in file.programs()? {
            svm.add_program(address, &elf).map_err(unusable)?;
        }
        for (address, account) in file.accounts()? {
            svm.set_account(address, account).map_err(unusable)?;
        }
        Ok(Self { svm, file, genesis, options, clock, slot: genesis.slot })
    }

    pub(super) fn deploy(&mut self, address: &Address, elf: &[u8]) -> Result<(), ChainError> {
        // Loaded first: what is no program must not be written down.
        self.svm.add_program(*address, elf).map_err(|error| ChainError::Refused(error.to_string()))?;
        self.file.add_program(address, elf)
    }

    pub(super) fn set_account(&mut self, address: &Address, account: Account) -> Result<(), ChainError> {
        let Account { lamports, owner, data } = account;
        let account = FullAccount { lamports, owner, data, executable: false, rent_epoch: u64::MAX };
        let (slot, final_slot) = (self.slot(), self.final_slot());
        self.file.commit(slot, final_slot, &[(*address, account.clone())], None)?;
        self.svm.set_account(*address, account).map_err(unusable)
    }

    fn slot(&mut self) -> u64 {
        let ms = (self.clock)().0.saturating_sub(self.genesis.at.0);
        // The first slot is after one that is final: nothing is final at once, not even at the beginning.
        let first = self.options.final_after_slots.saturating_add(1);
        self.slot = self.slot.max(first.saturating_add(ms / self.options.slot_ms.max(1)));
        self.slot
    }

    pub(super) fn final_slot(&mut self) -> u64 {
        self.slot().saturating_sub(self.options.final_after_slots)
    }

    pub(super) fn blockhash(&self, slot: u64) -> Blockhash {
        let hash = Sha256::new()
            .chain_update(b"lull/practice-blockhash/1\0")
            .chain_update(self.genesis.seed)
            .chain_update(slot.to_be_bytes());
        Blockhash::new_from_array(hash.finalize().into())
    }

    /// Something that only this ledger knows.
    pub(super) fn secret(&self, purpose: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(purpose).chain_update(self.genesis.seed).finalize().into()
    }

    pub(super) fn slot_of(&mut self, view: View) -> u64 {
        match view {
            View::Newest => self.slot(),
            View::Final => self.final_slot(),
        }
    }

    pub(super) fn recent(&mut self) -> Recent {
        let slot = self.slot();
        Recent { blockhash: self.blockhash(slot), last_valid_height: slot.saturating_add(BLOCKHASH_BLOCKS) }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<Signature, ChainError> {
        let transaction = parse(bytes).ok_or(ChainError::NotATransaction)?;
        let signature = *transaction.signatures.first().ok_or(ChainError::NotATransaction)?;
        if self.file.transaction(&signature)?.is_some() {
            return Ok(signature);
        }
        let slot = self.slot();
        let blockhash = *transaction.message.recent_blockhash();
        if !(slot.saturating_sub(BLOCKHASH_BLOCKS)..=slot).any(|slot| self.blockhash(slot) == blockhash) {
            return Err(ChainError::Refused("its blockhash is not a recent one".to_owned()));
        }
        let mut clock: Clock = self.svm.get_sysvar();
        clock.slot = slot;
        clock.unix_timestamp = i64::try_from((self.clock)().0 / 1000).unwrap_or(i64::MAX);
        self.svm.set_sysvar(&clock);
        // Tried first, as an endpoint does before it takes a transaction; then written down; then carried out.
        let tried = self.svm.simulate_transaction(transaction.clone()).map_err(refusal)?;
        let after: Vec<(Address, FullAccount)> = tried
            .post_accounts
            .into_iter()
            .map(|(address, account)| (address, FullAccount::from(account)))
            .filter(|(address, account)| self.svm.get_account(address).unwrap_or_default() != *account)
            .collect();
        let tokens = self.token_changes(&after);
        let done = carried_out(slot, tried.meta.fee, &transaction, tokens);
        let final_slot = self.final_slot();
        self.file.commit(slot, final_slot, &after, Some((&signature, bytes, &done)))?;
        for (address, account) in after {
            self.svm.set_account(address, account).map_err(unusable)?;
        }
        Ok(signature)
    }

    fn token_changes(&self, after: &[(Address, FullAccount)]) -> Vec<TokenChange> {
        let mut changes: Vec<_> = after
            .iter()
            .filter_map(|(address, account)| {
                let before =
                    self.svm.get_account(address).and_then(|account| TokenAccount::parse(&plain(account)));
                let after = TokenAccount::parse(&plain(account.clone()));
                let mint = before.or(after)?.mint;
                let amount =
                    |account: Option<TokenAccount>| account.map_or(BaseUnits::ZERO, |account| account.amount);
                let change =
                    TokenChange { account: *address, mint, before: amount(before), after: amount(after) };
                (change.before != change.after).then_some(change)
            })
            .collect();
        changes.sort_by_key(|change| change.account);
        changes
    }

    pub(super) fn status(&mut self, signature: &Signature) -> Result<Status, ChainError> {
        let final_slot = self.final_slot();
        Ok(match self.file.transaction(signature)? {
            None => Status::Unknown { searched_to: final_slot },
            Some(Transaction { slot, outcome, .. }) if slot <= final_slot => {
                Status::Finalized { slot, outcome }
            }
            Some(Transaction { slot, .. }) => Status::Seen { slot },
        })
    }

    pub(super) fn account(&mut self, address: &Address) -> Result<Option<Account>, ChainError> {
        self.account_in(address, View::Final)
    }

    pub(super) fn account_in(
        &mut self,
        address: &Address,
        view: View,
    ) -> Result<Option<Account>, ChainError> {
        let slot = self.slot_of(view);
        Ok(self.file.account_at(address, slot)?.map(plain))
    }

    pub(super) fn transaction(&mut self, signature: &Signature) -> Result<Option<Transaction>, ChainError> {
        let final_slot = self.final_slot();
        Ok(self.file.transaction(signature)?.filter(|transaction| transaction.slot <= final_slot))
    }

    pub(super) fn transaction_in(
        &mut self,
        signature: &Signature,
        view: View,
    ) -> Result<Option<Taken>, ChainError> {
        let slot = self.slot_of(view);
        Ok(self.file.taken(signature)?.filter(|taken| taken.done.slot <= slot))
    }

    /// A page of what mentions an address, with slots: the newest first, after `before`, down to `until`.
    pub(super) fn mentions_in(
        &mut self,
        address: &Address,
        view: View,
        before: Option<&Signature>,
        until: Option<&Signature>,
        limit: u64,
    ) -> Result<Vec<(Signature, u64)>, ChainError> {
        let slot = self.slot_of(view);
        self.file.mentions_page(address, slot, before, until, limit)
    }

    pub(super) fn mentions(
        &mut self,
        address: &Address,
        until: Option<&Signature>,
    ) -> Result<Vec<Signature>, ChainError> {
        let final_slot = self.final_slot();
        self.file.mentions(address, final_slot, until)
    }

    pub(super) fn rent_exempt(&self, bytes: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(bytes)
    }
}

/// What is told of a transaction that was carried out. Without look-up tables all its accounts are its own.
pub(super) fn carried_out(
    slot: u64,
    fee_lamports: u64,
    transaction: &VersionedTransaction,
    tokens: Vec<TokenChange>,
) -> Transaction {
    let accounts = transaction.message.static_account_keys().to_vec();
    let account = |index: &u8| accounts.get(usize::from(*index)).copied().unwrap_or_default();
    let instructions = transaction.message.instructions().iter().map(|stated| Instruction {
        program: account(&stated.program_id_index),
        accounts: stated.accounts.iter().map(account).collect(),
        data: stated.data.clone(),
    });
    let instructions = instructions.collect();
    Transaction { slot, outcome: Outcome::Done, fee_lamports, accounts, instructions, tokens }
}

/// A signed transaction, if the bytes are one and nothing follows.
pub(super) fn parse(bytes: &[u8]) -> Option<VersionedTransaction> {
    if bytes.len() > TRANSACTION_BYTES_MAX {
        return None;
    }
    let transaction: VersionedTransaction = bincode::deserialize(bytes).ok()?;
    (bincode::serialized_size(&transaction).ok()? == bytes.len() as u64).then_some(transaction)
}

fn plain(account: FullAccount) -> Account {
    Account { lamports: account.lamports, owner: account.owner, data: account.data }
}

fn unusable(error: impl std::fmt::Display) -> ChainError {
    ChainError::Ledger(error.to_string())
}

fn refusal(failed: FailedTransactionMetadata) -> ChainError {
    let last = failed.meta.logs.last().map(|log| format!(" ({log})")).unwrap_or_default();
    ChainError::Refused(format!("{}{last}", failed.err))
}
