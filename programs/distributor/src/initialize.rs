//! Makes a network's account.

use lull_distributor::address::{SYSTEM_PROGRAM, TOKEN_PROGRAM, network_seeds};
use lull_distributor::{Error, NetworkAccount, WITHDRAWAL_DELAY_S_MIN};
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::accounts::{Own, bytes, is_at, signed, token_account, token_account_bytes};
use crate::calls::{create, find_address};
use crate::refused;

/// Bytes of a mint.
const MINT_LEN: usize = 82;

/// See `Network::initialize`.
#[inline(always)]
pub fn initialize(program: &Address, accounts: &mut [AccountView], withdrawal_delay_s: u32) -> ProgramResult {
    let [payer, key, authority, account, mint, vault, ..] = accounts else {
        return Err(refused(Error::MissingAccount));
    };
    // The network's own key signs, so that nobody else can take a network's address.
    signed(key)?;
    signed(authority)?;
    if withdrawal_delay_s < WITHDRAWAL_DELAY_S_MIN {
        return Err(refused(Error::DelayTooShort));
    }
    let [label, network] = network_seeds(bytes(key.address()));
    let bump = match find_address(&[label, network], program) {
        Some((address, bump)) if is_at(account, bytes(&address)) => bump,
        _ => return Err(refused(Error::WrongNetwork)),
    };
    if !account.is_data_empty() || account.owner().as_array() != &SYSTEM_PROGRAM {
        return Err(refused(Error::AlreadyInitialized));
    }
    if mint.owner().as_array() != &TOKEN_PROGRAM || mint.data_len() != MINT_LEN {
        return Err(refused(Error::WrongMint));
    }
    if !is_suitable_vault(vault, mint.address(), account.address()) {
        return Err(refused(Error::UnsuitableVault));
    }
    create(
        payer,
        account,
        NetworkAccount::LEN,
        program,
        &[Seed::from(label), Seed::from(network), Seed::from(&[bump])],
    )?;
    let content = NetworkAccount {
        kind: NetworkAccount::KIND,
        version: NetworkAccount::VERSION,
        bump,
        reserved: 0,
        withdrawal_delay_s,
        network: *bytes(key.address()),
        authority: *bytes(authority.address()),
        mint: *bytes(mint.address()),
        vault: *bytes(vault.address()),
        root: [0; 32],
        epoch: 0,
        committed: 0,
        claimed: 0,
        withdrawn: 0,
        withdrawal_amount: 0,
        withdrawal_available_at_s: 0,
        withdrawal_destination: [0; 32],
    };
    Own::created(account, program, content).map(drop).ok_or_else(|| refused(Error::WrongNetwork))
}

/// Whether the network's account alone will ever move the vault's tokens: it owns the vault, nobody was allowed to
/// spend from it, and nobody else can close it. The program never gives such a right.
#[inline(always)]
fn is_suitable_vault(vault: &AccountView, mint: &Address, network: &Address) -> bool {
    let (Some(front), Some(all)) = (token_account(vault), token_account_bytes(vault)) else { return false };
    // After the amount (64..72) come an optional delegate, the state, whether it holds native SOL, the delegated
    // amount, and an optional right to close.
    let [has_delegate, initialized, may_be_closed] = [all[72], all[108], all[129]];
    front.mint == *bytes(mint)
        && front.owner == *bytes(network)
        && has_delegate == 0
        && initialized == 1
        && may_be_closed == 0
}
