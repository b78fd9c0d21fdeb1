//! Checks of what a network says of its payouts, by whoever is paid: against the chain and against the worker's own
//! receipts. Pure; whoever asks the chain gives what it answered.
//!
//! Nothing is taken from the network but what is being checked, and the program that it names. Its account on the
//! chain is derived from its public key, which signs the receipts; tokens are counted in the account that is derived
//! from the contributor's wallet.
//!
//! # Invariants
//! - [`Finding::Wrong`] is a statement that somebody is wrong. What an endpoint does not say, has not seen yet or has
//!   forgotten is [`Finding::Unknown`].

mod books;
mod claim;
mod listed;
mod payout;
#[cfg(test)]
mod tests;
mod wrong;

use lull_distributor::NetworkAccount;
use lull_types::{NetworkId, WalletAddress, WorkerId};

use crate::chain::{Account, Address};
use crate::epoch::{Anchor, Hash, token_account};

pub use books::Books;
pub use claim::{ClaimFound, PostedRoot, claim_in, root_posted_in};
pub use listed::{ListedAnswers, listed};
pub use payout::{PayoutAnswers, ToldPayout, payout};
pub use wrong::Wrong;

/// What can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The transaction is final and did what it says.
    Transaction,
    /// It claims from the network's program, with the network's account.
    Program,
    /// The token is the one that the network said it pays.
    Mint,
    /// The amount is what the network said it paid.
    Amount,
    /// The tokens went to the token account of the wallet.
    Destination,
    /// The Merkle path from the worker's leaf leads to the root.
    Path,
    /// That root is on the chain.
    Root,
    /// It agrees with the worker's receipts.
    Receipts,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Holds,
    /// It is not.
    Wrong(Wrong),
    /// It could not be found out.
    Unknown,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub subject: Subject,
    /// What came of it.
    pub finding: Finding,
    /// What it should be, as text.
    pub expected: String,
    /// What was found, as text.
    pub found: String,
}

impl Fact {
    fn new(
        subject: Subject,
        finding: Finding,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { subject, finding, expected: expected.into(), found: found.into() }
    }
}

/// An answer of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// This.
    Is(T),
    /// There is none.
    Nothing,
    /// The endpoint did not say; with its reason.
    Silent(String),
}

impl<T> Answer<T> {
    /// What is there, if it is known.
    pub fn is(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Nothing | Self::Silent(_) => None,
        }
    }
}

/// Whose payouts are checked, and where they should come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The network under the program that it names: its account follows from its own key.
    pub anchor: Anchor,
    /// The account that the network names.
    pub account_named: Address,
    /// The token that the network names.
    pub mint: Address,
    /// Whose earnings.
    pub worker: WorkerId,
    /// Where they should go.
    pub wallet: WalletAddress,
}

impl Party {
    /// The wallet's own account for the token. None happens to one wallet in 2²⁵⁶.
    pub fn destination(&self) -> Option<Address> {
        token_account(self.wallet, self.mint.as_array()).map(|(address, _)| Address::new_from_array(address))
    }

    /// The network's account.
    pub fn account(&self) -> Address {
        Address::new_from_array(*self.anchor.account())
    }

    fn program(&self) -> Address {
        Address::new_from_array(*self.anchor.program())
    }

    /// Where the chain keeps what was paid to this worker's wallet.
    pub fn claim_account(&self) -> Option<Address> {
        self.anchor.claim_account(self.worker, self.wallet).map(Address::new_from_array)
    }

    fn place(&self) -> String {
        format!("program {}, account {}", self.program(), self.account())
    }

    /// Reads the network's account, unless it is somebody else's.
    fn read(&self, account: &Account) -> Option<NetworkAccount> {
        let read = NetworkAccount::read(&account.data).filter(|_| account.owner == self.program())?;
        (NetworkId(read.network) == self.anchor.network()).then_some(read)
    }
}

/// A hash as people compare it.
fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
