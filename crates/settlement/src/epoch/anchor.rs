//! Where a network's epochs are anchored, and the accounts that belong to it there.

use lull_distributor::address::{claim_address, network_address, token_account_address};
use lull_types::{NetworkId, WalletAddress, WorkerId};

/// The 32 bytes of an address on Solana.
pub type AddressBytes = [u8; 32];

/// A network on the chain: the program and the account that it has for this network. Leaves are bound to it, so
/// that what one network owes is worth nothing on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    network: NetworkId,
    program: AddressBytes,
    account: AddressBytes,
}

impl Anchor {
    /// The anchor of a network under a program. None if no address can be derived, which happens to one in 2²⁵⁶.
    pub fn new(network: NetworkId, program: AddressBytes) -> Option<Self> {
        let (account, _) = derive(|bump| network_address(&program, &network.0, bump))?;
        Some(Self { network, program, account })
    }

    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The program's address.
    pub fn program(&self) -> &AddressBytes {
        &self.program
    }

    /// The address of the network's account.
    pub fn account(&self) -> &AddressBytes {
        &self.account
    }

    /// The address of the account that says what was paid to a worker's wallet.
    pub fn claim_account(&self, worker: WorkerId, wallet: WalletAddress) -> Option<AddressBytes> {
        let address = |bump| claim_address(&self.program, &self.account, &worker.0, wallet.as_bytes(), bump);
        derive(address).map(|(address, _)| address)
    }
}

/// The address of a wallet's account for a token, and its bump.
pub fn token_account(wallet: WalletAddress, mint: &AddressBytes) -> Option<(AddressBytes, u8)> {
    associated_token_account(wallet.as_bytes(), mint)
}

/// The same of any owner, such as a network's account, for which no key can sign.
pub fn associated_token_account(owner: &AddressBytes, mint: &AddressBytes) -> Option<(AddressBytes, u8)> {
    derive(|bump| token_account_address(owner, mint, bump))
}

/// The first address, from the highest bump down, that is not on the curve, so that no key can sign for it: which
/// is how Solana derives addresses.
fn derive(address: impl Fn(u8) -> AddressBytes) -> Option<(AddressBytes, u8)> {
    (0..=u8::MAX)
        .rev()
        .map(|bump| (address(bump), bump))
        .find(|(address, _)| WalletAddress::from_bytes(*address).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_token_account_is_derived() {
        // The mint of USDC; the reference is Solana's own derivation.
        let address = |text: &str| <[u8; 32]>::try_from(bs58::decode(text).into_vec().unwrap()).unwrap();
        let wallet = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU".parse().unwrap();
        let mint = address("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkwyTDt1v");
        let (found, bump) = token_account(wallet, &mint).unwrap();
        let seeds: [&[u8]; 3] = [wallet.as_bytes(), &lull_distributor::address::TOKEN_PROGRAM, &mint];
        let program =
            solana_address::Address::new_from_array(lull_distributor::address::ASSOCIATED_TOKEN_PROGRAM);
        let (expected, expected_bump) = solana_address::Address::find_program_address(&seeds, &program);
        assert_eq!((found, bump), (expected.to_bytes(), expected_bump));
    }

    #[test]
    fn anchors_differ_by_network_and_program() {
        let anchor = |network, program| Anchor::new(NetworkId([network; 32]), [program; 32]).unwrap();
        assert_ne!(anchor(1, 1).account(), anchor(2, 1).account());
        assert_ne!(anchor(1, 1).account(), anchor(1, 2).account());
    }
}
