//! The ledger of the practice network: Solana's own virtual machine with its token programs, in this process.
//!
//! It takes real transactions with real signatures and keeps real accounts, which are worth nothing. There is
//! one block in each slot, and its height is the slot's number; slots follow the clock. Nothing forks: a
//! transaction that was taken becomes final after [`Options::final_after_slots`].
//!
//! # Invariants
//! - When [`Chain::send`] has returned, the transaction and all that it changed are on the disk, in one commit.
//!   A process that is killed before that has either all of it or nothing.
//! - Slots do not go back: after a clock was set back they stand still until it has caught up with the last
//!   transaction.

pub mod facade;
mod file;
mod genesis;
mod machine;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lull_types::UnixMillis;

use super::{Account, Address, Chain, ChainError, Recent, Signature, Status, Transaction};
pub use genesis::Genesis;
use machine::Machine;

/// How time passes on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a slot takes, in milliseconds.
    pub slot_ms: u64,
    /// How many slots after its own a transaction is final.
    pub final_after_slots: u64,
}

impl Default for Options {
    /// As on Solana: 400 ms, and 32 slots, which is 13 s.
    fn default() -> Self {
        Self { slot_ms: 400, final_after_slots: 32 }
    }
}

/// The ledger. Clones are the same ledger; one process at a time may have its file open.
#[derive(Clone)]
pub struct Ledger {
    machine: Arc<Mutex<Machine>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

impl Ledger {
    /// Opens a ledger's file, or begins one.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(
        path: &Path,
        options: Options,
        clock: impl Fn() -> UnixMillis + Send + 'static,
    ) -> Result<Self, ChainError> {
        let machine = Machine::open(path, options, Box::new(clock))?;
        Ok(Self { machine: Arc::new(Mutex::new(machine)) })
    }

    /// Puts a program at an address, durably. The same again changes nothing.
    ///
    /// # Errors
    /// When it is no program, or the file cannot be written.
    pub async fn deploy(&self, address: Address, elf: Vec<u8>) -> Result<(), ChainError> {
        self.with(move |machine| machine.deploy(&address, &elf)).await
    }

    /// Sets an account, durably, as the first block of a chain does. This makes money out of nothing: it is how
    /// the treasury of a practice network begins.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn set_account(&self, address: Address, account: Account) -> Result<(), ChainError> {
        self.with(move |machine| machine.set_account(&address, account)).await
    }

    /// Work on the ledger waits for the disk, so it is done where that holds up nothing else.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Machine) -> Result<T, ChainError> + Send + 'static,
    ) -> Result<T, ChainError> {
        let machine = Arc::clone(&self.machine);
        let work = move || work(&mut machine.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.map_err(|error| ChainError::Ledger(error.to_string()))?
    }
}

#[async_trait]
impl Chain for Ledger {
    async fn recent(&self) -> Result<Recent, ChainError> {
        self.with(|machine| Ok(machine.recent())).await
    }

    async fn finalized_height(&self) -> Result<u64, ChainError> {
        self.with(|machine| Ok(machine.final_slot())).await
    }

    async fn send(&self, transaction: &[u8]) -> Result<Signature, ChainError> {
        let transaction = transaction.to_vec();
        self.with(move |machine| machine.send(&transaction)).await
    }

    async fn statuses(&self, signatures: &[Signature]) -> Result<Vec<Status>, ChainError> {
        let signatures = signatures.to_vec();
        self.with(move |machine| signatures.iter().map(|signature| machine.status(signature)).collect()).await
    }

    async fn account(&self, address: &Address) -> Result<Option<Account>, ChainError> {
        let address = *address;
        self.with(move |machine| machine.account(&address)).await
    }

    async fn transaction(&self, signature: &Signature) -> Result<Option<Transaction>, ChainError> {
        let signature = *signature;
        self.with(move |machine| machine.transaction(&signature)).await
    }

    async fn mentions(
        &self,
        address: &Address,
        until: Option<&Signature>,
    ) -> Result<Vec<Signature>, ChainError> {
        let (address, until) = (*address, until.copied());
        self.with(move |machine| machine.mentions(&address, until.as_ref())).await
    }

    async fn rent_exempt(&self, bytes: usize) -> Result<u64, ChainError> {
        self.with(move |machine| Ok(machine.rent_exempt(bytes))).await
    }

    /// Nobody else is here.
    async fn priority_fee(&self, _written: &[Address]) -> Result<u64, ChainError> {
        Ok(0)
    }
}
