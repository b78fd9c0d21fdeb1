//! What the authority does between payments: it posts roots, and hands over.

use lull_distributor::hash::Hash;
use lull_distributor::{Error, NetworkAccount};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::accounts::{bytes, is_at, network_of, signed, token_account};
use crate::refused;

/// See `Network::post_root`.
#[inline(always)]
pub fn post(
    program: &Address,
    accounts: &mut [AccountView],
    epoch: u64,
    committed: u64,
    root: &Hash,
) -> ProgramResult {
    let [authority, account, vault, ..] = accounts else { return Err(refused(Error::MissingAccount)) };
    let mut network = network_of(authority, account, program)?;
    if epoch <= network.epoch {
        return Err(refused(Error::StaleEpoch));
    }
    if committed < network.committed {
        return Err(refused(Error::CommittedFell));
    }
    network.epoch = epoch;
    network.committed = committed;
    network.root = *root;
    covered(&network, vault, network.withdrawal_amount)
}

/// Demands that the vault holds what claims can ask for, and a withdrawal besides.
#[inline(always)]
pub fn covered(network: &NetworkAccount, vault: &AccountView, withdrawal: u64) -> Result<(), ProgramError> {
    if !is_at(vault, &network.vault) {
        return Err(refused(Error::WrongVault));
    }
    let vault = token_account(vault).ok_or_else(|| refused(Error::WrongVault))?;
    let needed = network.owed().checked_add(withdrawal).ok_or_else(|| refused(Error::Overflow))?;
    if needed > vault.amount { Err(refused(Error::Uncovered)) } else { Ok(()) }
}

/// See `Network::rotate_authority`.
#[inline(always)]
pub fn rotate_authority(program: &Address, accounts: &mut [AccountView]) -> ProgramResult {
    let [authority, successor, account, ..] = accounts else { return Err(refused(Error::MissingAccount)) };
    let mut network = network_of(authority, account, program)?;
    // The successor's signature shows that somebody holds that key.
    signed(successor)?;
    network.authority = *bytes(successor.address());
    Ok(())
}
