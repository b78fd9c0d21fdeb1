//! A transaction that is final, and what it moved.

use lull_types::BaseUnits;
use solana_address::Address;

use super::Outcome;

/// A final transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The slot of its block.
    pub slot: u64,
    /// Whether it did anything.
    pub outcome: Outcome,
    /// What its payer paid for it, in lamports.
    pub fee_lamports: u64,
    /// Every account that it names. The first pays the fee.
    pub accounts: Vec<Address>,
    /// What it had programs do, in order. What those had others do is not among it.
    pub instructions: Vec<Instruction>,
    /// Token accounts whose amount it changed, in ascending order of address.
    pub tokens: Vec<TokenChange>,
}

/// One instruction of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Which program.
    pub program: Address,
    /// The accounts that it is given, in its order.
    pub accounts: Vec<Address>,
    /// What it is told.
    pub data: Vec<u8>,
}

/// What a transaction changed in one token account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenChange {
    /// The token account.
    pub account: Address,
    /// Which token.
    pub mint: Address,
    /// What it held before; nothing if there was no such account.
    pub before: BaseUnits,
    /// What it held afterwards.
    pub after: BaseUnits,
}
