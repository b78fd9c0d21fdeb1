//! Solana behind a trait: what payouts and deposits need of it, and nothing else.
//!
//! Amounts of the chain's own money are in lamports, a billionth of a SOL. Everything that is read is read at
//! `finalized`, but where it is said otherwise: what was finalized does not go away again.
//!
//! # Invariants
//! - [`Chain::send`] may be repeated with the same bytes: the chain takes them once.
//! - [`Status::Unknown`] is a statement, not a missing answer: it is given only when enough histories were
//!   searched. Otherwise the answer is [`Status::Unsure`] or an error.

mod error;
pub mod quorum;
#[cfg(feature = "rpc")]
pub mod rpc;
#[cfg(feature = "svm")]
pub mod svm;
mod token;
mod transaction;

use async_trait::async_trait;
pub use solana_address::Address;
pub use solana_hash::Hash as Blockhash;
pub use solana_signature::Signature;

pub use error::ChainError;
pub use token::{TOKEN_PROGRAM, TokenAccount};
pub use transaction::{Instruction, TokenChange, Transaction};

/// Blocks after its own in which a blockhash can be used, by the protocol.
pub const BLOCKHASH_BLOCKS: u64 = 150;

/// A blockhash, without which nothing can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The blockhash.
    pub blockhash: Blockhash,
    /// The height of the last block that takes transactions which name it.
    pub last_valid_height: u64,
}

/// How far a transaction has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// In a block that is not final: it may still go away.
    Seen {
        /// The slot of the block.
        slot: u64,
    },
    /// In a block that stays.
    Finalized {
        /// The slot of the block.
        slot: u64,
        /// Whether it did what it says. If not, it only paid its fee.
        outcome: Outcome,
    },
    /// No history knows it, of as many as are needed to say so.
    Unknown {
        /// All blocks up to this height were searched. Later ones may hold it.
        searched_to: u64,
    },
    /// Too few histories answered, or they disagree.
    Unsure,
}

/// What became of a transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was undone, in the chain's words.
    Failed(String),
}

/// An account at `finalized`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it holds.
    pub lamports: u64,
    /// The program that may change it.
    pub owner: Address,
    /// Its data.
    pub data: Vec<u8>,
}

/// A ledger of the Solana protocol.
#[async_trait]
pub trait Chain: Send + Sync {
    /// A blockhash to sign with.
    async fn recent(&self) -> Result<Recent, ChainError>;

    /// The height of the last final block.
    async fn finalized_height(&self) -> Result<u64, ChainError>;

    /// Hands over a signed transaction and tells its first signature. That it was taken says nothing of whether
    /// it will be in a block.
    async fn send(&self, transaction: &[u8]) -> Result<Signature, ChainError>;

    /// How far transactions have come, in the order asked. Histories are searched, not only what is recent.
    async fn statuses(&self, signatures: &[Signature]) -> Result<Vec<Status>, ChainError>;

    /// An account, if there is one.
    async fn account(&self, address: &Address) -> Result<Option<Account>, ChainError>;

    /// A final transaction and what it moved.
    async fn transaction(&self, signature: &Signature) -> Result<Option<Transaction>, ChainError>;

    /// Final transactions that name an address, the newest first, down to `until`, which is left out.
    async fn mentions(
        &self,
        address: &Address,
        until: Option<&Signature>,
    ) -> Result<Vec<Signature>, ChainError>;

    /// The newest final transactions that name an address, at most `count` of them, the newest first; for whoever looks
    /// for one that is not long ago.
    async fn newest_mentions(&self, address: &Address, count: usize) -> Result<Vec<Signature>, ChainError> {
        let mut mentions = self.mentions(address, None).await?;
        mentions.truncate(count);
        Ok(mentions)
    }

    /// Lamports that an account with this much data must hold.
    async fn rent_exempt(&self, bytes: usize) -> Result<u64, ChainError>;

    /// What others lately paid beside the base fee to write to these accounts, in millionths of a lamport for
    /// each compute unit.
    async fn priority_fee(&self, written: &[Address]) -> Result<u64, ChainError>;

    /// Asks for lamports that are worth nothing, as ledgers for practice and tests give them away.
    async fn airdrop(&self, _to: &Address, _lamports: u64) -> Result<Signature, ChainError> {
        Err(ChainError::Refused("this ledger gives nothing away".to_owned()))
    }

    /// A token account, if there is one at this address.
    async fn token_account(&self, address: &Address) -> Result<Option<TokenAccount>, ChainError> {
        Ok(self.account(address).await?.as_ref().and_then(TokenAccount::parse))
    }
}
