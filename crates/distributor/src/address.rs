//! Addresses: of the programs that are called, and how those of accounts are derived.

use crate::hash::sha256;

/// An address on Solana: an ed25519 public key, or a hash that is none.
pub type Address = [u8; 32];

/// The system program, which creates accounts: `11111111111111111111111111111111`.
pub const SYSTEM_PROGRAM: Address = [0; 32];

/// The classic token program: `TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA`.
pub const TOKEN_PROGRAM: Address = [
    6, 221, 246, 225, 215, 101, 161, 147, 217, 203, 225, 70, 206, 235, 121, 172, 28, 180, 133, 237, 95, 91,
    55, 145, 58, 140, 245, 133, 126, 255, 0, 169,
];

/// The program that gives each wallet one token account for each mint:
/// `ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL`.
pub const ASSOCIATED_TOKEN_PROGRAM: Address = [
    140, 151, 37, 143, 78, 36, 137, 241, 187, 61, 16, 41, 20, 142, 13, 131, 11, 90, 19, 153, 218, 255, 16,
    132, 4, 142, 123, 216, 219, 233, 248, 89,
];

/// Follows the seeds of every derived address, as the Solana runtime has it.
const DERIVED: &[u8] = b"ProgramDerivedAddress";

/// Seeds of the account of the network with this public key.
pub fn network_seeds(network: &Address) -> [&[u8]; 2] {
    [b"network", network]
}

/// Seeds of what a worker's claims to one wallet have paid; `network_account` is the derived address.
pub fn claim_seeds<'a>(
    network_account: &'a Address,
    worker: &'a Address,
    wallet: &'a Address,
) -> [&'a [u8]; 4] {
    [b"claim", network_account, worker, wallet]
}

/// Seeds, under [`ASSOCIATED_TOKEN_PROGRAM`], of a wallet's token account.
pub fn token_account_seeds<'a>(wallet: &'a Address, mint: &'a Address) -> [&'a [u8]; 3] {
    [wallet, &TOKEN_PROGRAM, mint]
}

/// [`network_seeds`] under a bump.
pub fn network_address(program: &Address, network: &Address, bump: u8) -> Address {
    let [label, network] = network_seeds(network);
    sha256(&[label, network, &[bump], program, DERIVED])
}

/// [`claim_seeds`] under a bump.
pub fn claim_address(
    program: &Address,
    network_account: &Address,
    worker: &Address,
    wallet: &Address,
    bump: u8,
) -> Address {
    let [label, network, worker, wallet] = claim_seeds(network_account, worker, wallet);
    sha256(&[label, network, worker, wallet, &[bump], program, DERIVED])
}

/// [`token_account_seeds`] under a bump.
pub fn token_account_address(wallet: &Address, mint: &Address, bump: u8) -> Address {
    let [wallet, program, mint] = token_account_seeds(wallet, mint);
    sha256(&[wallet, program, mint, &[bump], &ASSOCIATED_TOKEN_PROGRAM, DERIVED])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_published_addresses() {
        let shown = |address: Address| bs58::encode(address).into_string();
        assert_eq!(shown(SYSTEM_PROGRAM), "11111111111111111111111111111111");
        assert_eq!(shown(TOKEN_PROGRAM), "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
        assert_eq!(shown(ASSOCIATED_TOKEN_PROGRAM), "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
    }
}
