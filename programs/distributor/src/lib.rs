//! The on-chain distributor. The authority of a network posts one root over all lifetime earnings; whoever shows a
//! proof under it is paid what the proof says, less what was paid before. `docs/settlement.md` has the accounts, the
//! instructions, and what a contributor can rely on.
//!
//! The state is changed before tokens move; a transaction that fails leaves nothing behind.

#![cfg_attr(target_arch = "bpf", no_std)]

mod accounts;
mod calls;
mod claim;
mod initialize;
mod root;
mod withdrawal;

use lull_distributor::{Error, Instruction};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

/// The most accounts that an instruction names; more are ignored.
pub const ACCOUNTS_MAX: usize = 7;

/// Carries one instruction out.
///
/// # Errors
/// [`Error`]s as `Custom` codes; those of the system and token programs end the transaction by themselves.
#[inline(always)]
pub fn process(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let Some(instruction) = Instruction::read(data) else { return Err(refused(Error::MalformedInstruction)) };
    match instruction {
        Instruction::Claim(claim) => claim::claim(program, accounts, &claim),
        Instruction::PostRoot { epoch, committed, root } => {
            root::post(program, accounts, epoch, committed, root)
        }
        Instruction::Initialize { withdrawal_delay_s } => {
            initialize::initialize(program, accounts, withdrawal_delay_s)
        }
        Instruction::RotateAuthority => root::rotate_authority(program, accounts),
        Instruction::AnnounceWithdrawal { amount } => withdrawal::announce(program, accounts, amount),
        Instruction::CancelWithdrawal => withdrawal::cancel(program, accounts),
        Instruction::WithdrawUnclaimed => withdrawal::withdraw(program, accounts),
    }
}

#[cold]
fn refused(error: Error) -> ProgramError {
    ProgramError::Custom(error.code())
}

#[cfg(target_arch = "bpf")]
#[allow(unsafe_code, reason = "the virtual machine starts the program with a pointer to its input")]
mod entrypoint {
    pinocchio::program_entrypoint!(crate::process, { crate::ACCOUNTS_MAX });

    /// Checked arithmetic leaves nothing that panics; the target wants a handler even so.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo) -> ! {
        // SAFETY: it takes nothing and ends the transaction.
        unsafe { pinocchio::syscalls::abort() }
    }
}
