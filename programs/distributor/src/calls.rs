//! What the program asks of the runtime and of other programs.

use lull_distributor::address::{SYSTEM_PROGRAM, TOKEN_PROGRAM};
use lull_distributor::{Error, address};
use pinocchio::cpi::{Seed, Signer, invoke, invoke_signed};
use pinocchio::error::ProgramError;
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::sysvars::clock::CLOCK_ID;
use pinocchio::sysvars::get_sysvar;
use pinocchio::sysvars::rent::{ACCOUNT_STORAGE_OVERHEAD, RENT_ID};
use pinocchio::{AccountView, Address, ProgramResult};

use crate::refused;

const SYSTEM: Address = Address::new_from_array(SYSTEM_PROGRAM);
const TOKEN: Address = Address::new_from_array(TOKEN_PROGRAM);

/// The cluster's time, seconds since 1970.
///
/// pinocchio's `Clock::get` is not used: off the vendor's own target it returns zeros without a word.
#[inline(always)]
pub fn now_s() -> Result<i64, ProgramError> {
    let mut unix_timestamp = [0; 8];
    // Slot, start of the epoch, epoch and leaders' epoch come before it.
    get_sysvar(&mut unix_timestamp, &CLOCK_ID, 32)?;
    Ok(i64::from_le_bytes(unix_timestamp))
}

/// What an account of this length must hold to be kept for ever, lamports.
///
/// Clusters without SIMD-0194 state a price for a year, and next to it that two years must be held.
#[inline(always)]
fn rent(len: u64) -> Result<u64, ProgramError> {
    const TWO: u64 = 2f64.to_bits();
    let (mut per_byte, mut threshold) = ([0; 8], [0; 8]);
    get_sysvar(&mut per_byte, &RENT_ID, 0)?;
    get_sysvar(&mut threshold, &RENT_ID, 8)?;
    let (per_byte, threshold) = (u64::from_le_bytes(per_byte), u64::from_le_bytes(threshold));
    let factor = if threshold == TWO { 2 } else { 1 };
    // 64-bit products cannot be checked on this target. A price below 2³² (it is 6,960) and an account of under 1 KB
    // are far from the end.
    let per_byte = u32::try_from(per_byte).map_err(|_| refused(Error::Overflow))?;
    Ok((len + ACCOUNT_STORAGE_OVERHEAD) * u64::from(per_byte) * factor)
}

/// The address that these seeds derive, with the first bump that makes one.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn find_address(seeds: &[&[u8]], program: &Address) -> Option<(Address, u8)> {
    Address::try_find_program_address(seeds, program)
}

/// Off-chain there is no virtual machine to ask.
#[cfg(not(target_arch = "bpf"))]
pub fn find_address(_: &[&[u8]], _: &Address) -> Option<(Address, u8)> {
    None
}

/// Creates an account of zeros that the program owns, at an address that `seeds` derive. Whoever sent lamports to the
/// address before cannot hinder it.
#[inline(always)]
pub fn create(
    payer: &AccountView,
    account: &AccountView,
    len: usize,
    program: &Address,
    seeds: &[Seed],
) -> ProgramResult {
    let len = len as u64;
    let rent = rent(len)?;
    let signer = [Signer::from(seeds)];
    let from_to = [
        InstructionAccount::writable_signer(payer.address()),
        InstructionAccount::writable_signer(account.address()),
    ];
    if account.lamports() == 0 {
        let mut data = [0; 52]; // CreateAccount is 0
        data[4..12].copy_from_slice(&rent.to_le_bytes());
        data[12..20].copy_from_slice(&len.to_le_bytes());
        data[20..].copy_from_slice(program.as_array());
        let create = InstructionView { program_id: &SYSTEM, accounts: &from_to, data: &data };
        return invoke_signed(&create, &[payer, account], &signer);
    }
    let missing = rent.saturating_sub(account.lamports());
    if missing > 0 {
        let mut data = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]; // Transfer
        data[4..].copy_from_slice(&missing.to_le_bytes());
        let accounts = [
            InstructionAccount::writable_signer(payer.address()),
            InstructionAccount::writable(account.address()),
        ];
        invoke(
            &InstructionView { program_id: &SYSTEM, accounts: &accounts, data: &data },
            &[payer, account],
        )?;
    }
    let accounts = [InstructionAccount::writable_signer(account.address())];
    let mut data = [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]; // Allocate
    data[4..].copy_from_slice(&len.to_le_bytes());
    let allocate = InstructionView { program_id: &SYSTEM, accounts: &accounts, data: &data };
    invoke_signed(&allocate, &[account], &signer)?;
    let mut data = [0; 36];
    data[0] = 1; // Assign
    data[4..].copy_from_slice(program.as_array());
    let assign = InstructionView { program_id: &SYSTEM, accounts: &accounts, data: &data };
    invoke_signed(&assign, &[account], &signer)
}

/// Moves tokens out of the vault, for which the network's account signs.
#[inline(always)]
pub fn pay(
    vault: &AccountView,
    destination: &AccountView,
    network: &AccountView,
    key: &[u8; 32],
    bump: u8,
    amount: u64,
) -> ProgramResult {
    let mut data = [3, 0, 0, 0, 0, 0, 0, 0, 0]; // Transfer
    data[1..].copy_from_slice(&amount.to_le_bytes());
    let accounts = [
        InstructionAccount::writable(vault.address()),
        InstructionAccount::writable(destination.address()),
        InstructionAccount::readonly_signer(network.address()),
    ];
    let [label, key] = address::network_seeds(key);
    let bump = [bump];
    let seeds = [Seed::from(label), Seed::from(key), Seed::from(&bump)];
    let transfer = InstructionView { program_id: &TOKEN, accounts: &accounts, data: &data };
    invoke_signed(&transfer, &[vault, destination, network], &[Signer::from(&seeds)])
}
