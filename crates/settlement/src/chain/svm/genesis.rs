//! What the practice ledger begins with: the distributor, a token without value, and a treasury that has enough of it.

use sha2::{Digest, Sha256};

use super::Ledger;
use crate::chain::{Account, Address, Chain, ChainError, TOKEN_PROGRAM};
use crate::epoch::associated_token_account;

/// The committed build of the program; see `docs/settlement.md`.
const DISTRIBUTOR: &[u8] = include_bytes!("../../../../../programs/distributor/distributor.so");

/// Decimals of the token: those of USDC, so that base units mean the same.
const DECIMALS: u8 = 6;

/// What the treasury has: more than any practice network will pay, and a sum that still reads as one.
const TREASURY_TOKENS: u64 = 1_000_000_000 * 1_000_000;
/// In lamports: a thousand SOL.
const TREASURY_LAMPORTS: u64 = 1_000 * 1_000_000_000;

/// Where things are on every practice ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The distributor.
    pub program: Address,
    /// The token.
    pub mint: Address,
}

impl Genesis {
    /// Addresses that no key holds and nobody else uses.
    pub fn addresses() -> Self {
        let named =
            |name: &str| Address::new_from_array(Sha256::digest(format!("lull practice {name} 1")).into());
        Self { program: named("distributor"), mint: named("token") }
    }
}

impl Ledger {
    /// Begins a practice ledger for a treasury. One that has begun is left as it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn begin(&self, treasury: Address) -> Result<Genesis, ChainError> {
        let genesis = Genesis::addresses();
        self.deploy(genesis.program, DISTRIBUTOR.to_vec()).await?;
        // The token is made last, and says that all was done. What is not final yet is not seen, so a start that follows
        // within seconds makes the same once more: nothing can have been spent by then.
        if self.account(&genesis.mint).await?.is_some() {
            return Ok(genesis);
        }
        let rich = Account { lamports: TREASURY_LAMPORTS, owner: Address::default(), data: Vec::new() };
        self.set_account(treasury, rich).await?;
        let (purse, _) = associated_token_account(treasury.as_array(), genesis.mint.as_array())
            .ok_or_else(|| ChainError::Ledger("the treasury has no token account".to_owned()))?;
        let purse_data = token_account(&genesis.mint, &treasury, TREASURY_TOKENS);
        self.put(Address::new_from_array(purse), purse_data).await?;
        self.put(genesis.mint, mint(&treasury)).await?;
        Ok(genesis)
    }

    /// Sets an account of the token program.
    async fn put(&self, address: Address, data: Vec<u8>) -> Result<(), ChainError> {
        let lamports = self.rent_exempt(data.len()).await?;
        self.set_account(address, Account { lamports, owner: TOKEN_PROGRAM, data }).await
    }
}

/// A token account, as the token program lays it out: mint, owner, amount, no delegate, initialised, not native, nothing
/// delegated, nobody else closes it.
fn token_account(mint: &Address, owner: &Address, amount: u64) -> Vec<u8> {
    let mut data = [mint.as_ref(), owner.as_ref(), &amount.to_le_bytes()].concat();
    data.extend([0; 36]);
    data.push(1);
    data.extend([0; 12 + 8 + 36]);
    data
}

/// A token: who mints, the supply, decimals, initialised, nobody freezes.
fn mint(authority: &Address) -> Vec<u8> {
    let mut data = [&1u32.to_le_bytes()[..], authority.as_ref(), &TREASURY_TOKENS.to_le_bytes()].concat();
    data.extend([DECIMALS, 1]);
    data.extend([0; 36]);
    data
}
