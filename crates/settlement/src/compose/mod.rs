//! Transactions of networks and contributors: composed, bounded in what they cost, and signed.
//!
//! Nothing here sends anything. What was signed is stored before it is sent; see [`crate::sender`].

mod instructions;
mod key;
mod place;
mod signed;

pub use solana_instruction::Instruction;
use solana_message::Message;

use crate::chain::{Address, Blockhash, Signature};
use lull_types::Coded;

pub use instructions::{
    Budget, LAMPORTS_A_SIGNATURE, RentedAccount, claims, initialize, open_token_account, post_root, refund,
    transfer,
};
pub use key::{Key, KeyFileError};
pub use place::Place;
pub use signed::payer_of;

/// The largest transaction: what fits into one packet of the network.
pub const TRANSACTION_BYTES_MAX: usize = 1232;

/// Why there is no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Somebody must sign whose key is not here.
    #[error("the transaction needs a signature of {0}, whose key is not here")]
    NoKey(Address),
    /// It does not fit into a packet.
    #[error("the transaction has {0} bytes, and no more than 1,232 can be sent")]
    TooLong(usize),
    /// It would cost more than it may.
    #[error(
        "the transaction would cost {cost} lamports and may cost {limit}; wait until the chain is cheaper"
    )]
    TooDear {
        /// What it would cost, at most.
        cost: u64,
        /// What it may cost.
        limit: u64,
    },
}

impl Coded for ComposeError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoKey(_) => "transaction_key_missing",
            Self::TooLong(_) => "transaction_too_long",
            Self::TooDear { .. } => "transaction_too_dear",
        }
    }
}

/// A signed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Its first signature, by which it is found.
    pub signature: Signature,
    /// All of it, as it is sent.
    pub bytes: Vec<u8>,
}

/// Signs instructions with the payer's key and, where they name them, those of others. The payer signs first and pays
/// the fee.
///
/// # Errors
/// [`ComposeError`].
pub fn sign(
    instructions: &[Instruction],
    blockhash: Blockhash,
    payer: &Key,
    others: &[&Key],
) -> Result<Signed, ComposeError> {
    let keys = || std::iter::once(payer).chain(others.iter().copied());
    sign_with(instructions, blockhash, payer.address(), |address, message| {
        keys().find(|key| key.address() == *address).map(|key| key.sign(message))
    })
}

/// As [`sign`], with signatures from elsewhere, such as a keychain. `signer` is given an address and the message.
///
/// # Errors
/// [`ComposeError`].
pub fn sign_with(
    instructions: &[Instruction],
    blockhash: Blockhash,
    payer: Address,
    signer: impl Fn(&Address, &[u8]) -> Option<Signature>,
) -> Result<Signed, ComposeError> {
    let message = Message::new_with_blockhash(instructions, Some(&payer), &blockhash);
    let stated = message.serialize();
    let signing = &message.account_keys[..usize::from(message.header.num_required_signatures)];
    let signatures = signing
        .iter()
        .map(|address| signer(address, &stated).ok_or(ComposeError::NoKey(*address)))
        .collect::<Result<Vec<_>, _>>()?;
    // The count of signatures has one byte below 128; a packet has no room for so many.
    let count = signatures.len() as u8;
    let mut bytes = vec![count];
    signatures.iter().for_each(|signature| bytes.extend_from_slice(signature.as_ref()));
    bytes.extend_from_slice(&stated);
    if bytes.len() > TRANSACTION_BYTES_MAX {
        return Err(ComposeError::TooLong(bytes.len()));
    }
    let signature = signatures.first().copied().ok_or(ComposeError::NoKey(payer))?;
    Ok(Signed { signature, bytes })
}

#[cfg(test)]
mod tests;
