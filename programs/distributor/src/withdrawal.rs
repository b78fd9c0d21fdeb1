//! Takes tokens back that no claim can ask for, after a delay that everybody can see.

use lull_distributor::Error;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::accounts::{bytes, is_at, network_of, token_account};
use crate::calls::{now_s, pay};
use crate::refused;
use crate::root::covered;

/// See `Network::announce_withdrawal`.
#[inline(always)]
pub fn announce(program: &Address, accounts: &mut [AccountView], amount: u64) -> ProgramResult {
    let [authority, account, vault, destination, ..] = accounts else {
        return Err(refused(Error::MissingAccount));
    };
    let mut network = network_of(authority, account, program)?;
    if amount == 0 {
        return Err(refused(Error::NothingToWithdraw));
    }
    covered(&network, vault, amount)?;
    let suits = token_account(destination).is_some_and(|to| to.mint == network.mint);
    if !suits || is_at(destination, &network.vault) {
        return Err(refused(Error::WrongDestination));
    }
    let available_at_s = now_s()?.checked_add(i64::from(network.withdrawal_delay_s));
    network.withdrawal_amount = amount;
    network.withdrawal_available_at_s = available_at_s.ok_or_else(|| refused(Error::Overflow))?;
    network.withdrawal_destination = *bytes(destination.address());
    Ok(())
}

/// See `Network::cancel_withdrawal`.
#[inline(always)]
pub fn cancel(program: &Address, accounts: &mut [AccountView]) -> ProgramResult {
    let [authority, account, ..] = accounts else { return Err(refused(Error::MissingAccount)) };
    let mut network = network_of(authority, account, program)?;
    if network.withdrawal_amount == 0 {
        return Err(refused(Error::NothingAnnounced));
    }
    network.withdrawal_amount = 0;
    network.withdrawal_available_at_s = 0;
    network.withdrawal_destination = [0; 32];
    Ok(())
}

/// See `Network::withdraw_unclaimed`.
#[inline(always)]
pub fn withdraw(program: &Address, accounts: &mut [AccountView]) -> ProgramResult {
    let [authority, account, vault, destination, ..] = accounts else {
        return Err(refused(Error::MissingAccount));
    };
    let mut network = network_of(authority, account, program)?;
    let amount = network.withdrawal_amount;
    if amount == 0 {
        return Err(refused(Error::NothingAnnounced));
    }
    if now_s()? < network.withdrawal_available_at_s {
        return Err(refused(Error::TooEarly));
    }
    if !is_at(destination, &network.withdrawal_destination) {
        return Err(refused(Error::WrongDestination));
    }
    covered(&network, vault, amount)?;
    network.withdrawn = network.withdrawn.checked_add(amount).ok_or_else(|| refused(Error::Overflow))?;
    network.withdrawal_amount = 0;
    network.withdrawal_available_at_s = 0;
    network.withdrawal_destination = [0; 32];
    let (key, bump) = (network.network, network.bump);
    pay(vault, destination, account, &key, bump, amount)
}
