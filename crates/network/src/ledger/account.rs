//! Whose money it is, and in which state.

use lull_types::{CustomerId, JobId, WorkerId};

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The world outside: minus everything that was paid in. May be negative.
    External,
    /// The network's own money, which pays for second opinions. May be negative: then the network owes it.
    Treasury,
    /// Free to spend.
    Customer(CustomerId),
    /// On its way back to the customer's wallet.
    Refunding(CustomerId),
    /// Reserved for a job's tasks.
    Reserved(JobId),
    /// Earned, within the audit window.
    Held(WorkerId),
    /// Earned, free to be paid.
    Payable(WorkerId),
    /// Arrived at the worker's wallet.
    Paid(WorkerId),
}

impl Account {
    /// The word that is stored.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Treasury => "treasury",
            Self::Customer(_) => "customer",
            Self::Refunding(_) => "refunding",
            Self::Reserved(_) => "reserved",
            Self::Held(_) => "held",
            Self::Payable(_) => "payable",
            Self::Paid(_) => "paid",
        }
    }

    /// The id that is stored; empty for the accounts of which there is one.
    pub(super) fn owner(&self) -> &[u8] {
        match self {
            Self::External | Self::Treasury => &[],
            Self::Customer(customer) | Self::Refunding(customer) => customer.as_bytes(),
            Self::Reserved(job) => job.as_bytes(),
            Self::Held(worker) | Self::Payable(worker) | Self::Paid(worker) => &worker.0,
        }
    }
}
