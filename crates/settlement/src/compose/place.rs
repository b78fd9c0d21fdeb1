//! Where a network is on the chain, with the token that it pays.

use lull_distributor::Network;
use lull_types::WalletAddress;

use crate::chain::Address;
use crate::epoch::{Anchor, associated_token_account, token_account};

/// A network's program, account, vault and token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network under its program.
    pub anchor: Anchor,
    /// The token that it pays.
    pub mint: Address,
    /// The vault: the token account of the network's account.
    pub vault: Address,
}

impl Place {
    /// The place of a network; none if no vault can be derived, which happens to one in 2²⁵⁶.
    pub fn new(anchor: Anchor, mint: Address) -> Option<Self> {
        let (vault, _) = associated_token_account(anchor.account(), mint.as_array())?;
        Some(Self { anchor, mint, vault: Address::new_from_array(vault) })
    }

    /// The network's account.
    pub fn account(&self) -> Address {
        Address::new_from_array(*self.anchor.account())
    }

    /// Where a wallet holds the token, and the bump of that address.
    pub fn token_account(&self, wallet: WalletAddress) -> Option<(Address, u8)> {
        token_account(wallet, self.mint.as_array())
            .map(|(address, bump)| (Address::new_from_array(address), bump))
    }

    pub(super) fn calls(&self) -> Network {
        Network {
            program: *self.anchor.program(),
            account: *self.anchor.account(),
            vault: self.vault.to_bytes(),
        }
    }
}
