//! Token accounts, as the token program lays them out.

use lull_types::BaseUnits;
use solana_address::{Address, address};

use super::Account;

/// The token program: the one that USDC is of.
pub const TOKEN_PROGRAM: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");

/// Tokens of one kind that one owner holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAccount {
    /// Which token.
    pub mint: Address,
    /// Whose.
    pub owner: Address,
    /// How many.
    pub amount: BaseUnits,
}

impl TokenAccount {
    /// Its bytes: mint 32, owner 32, amount 8 little-endian, then what is not needed here.
    pub const LEN: usize = 165;

    /// None unless the account is the token program's and has the size of a token account.
    pub fn parse(account: &Account) -> Option<Self> {
        if account.owner != TOKEN_PROGRAM || account.data.len() != Self::LEN {
            return None;
        }
        let (mint, rest) = account.data.split_first_chunk::<32>()?;
        let (owner, rest) = rest.split_first_chunk::<32>()?;
        let amount = rest.first_chunk::<8>()?;
        Some(Self {
            mint: Address::new_from_array(*mint),
            owner: Address::new_from_array(*owner),
            amount: BaseUnits(u64::from_le_bytes(*amount)),
        })
    }
}
