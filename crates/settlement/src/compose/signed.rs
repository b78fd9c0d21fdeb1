//! What was signed elsewhere, such as in a wallet.

use lull_types::WalletAddress;

use super::TRANSACTION_BYTES_MAX;
use crate::chain::Signature;

/// Accounts of a transaction: each takes 32 bytes of its 1,232, so that their number has one byte.
const ACCOUNTS_MAX: u8 = 38;

/// Who pays for a transaction, once their signature was verified, and that signature, by which it is found; none for
/// bytes that are no transaction or that its payer has not signed.
pub fn payer_of(transaction: &[u8]) -> Option<(WalletAddress, Signature)> {
    if transaction.len() > TRANSACTION_BYTES_MAX {
        return None;
    }
    let (&count, rest) = transaction.split_first()?;
    let signature = *rest.first_chunk::<64>()?;
    let message = rest.get(usize::from(count) * 64..)?;
    // The first bit tells messages with a version from those before there were any.
    let unversioned = message.strip_prefix(&[0x80]).unwrap_or(message);
    let (&[signers, _, _, accounts], keys) = unversioned.split_first_chunk::<4>()?;
    if count == 0 || count != signers || !(count..=ACCOUNTS_MAX).contains(&accounts) {
        return None;
    }
    let payer = WalletAddress::from_bytes(*keys.first_chunk::<32>()?).ok()?;
    payer.has_signed(message, &lull_types::Signature(signature)).ok()?;
    Some((payer, Signature::from(signature)))
}
