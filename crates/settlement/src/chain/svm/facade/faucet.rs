//! Lamports for whoever asks, as on the test clusters of Solana: they are worth nothing, and without some nobody can
//! send anything.

use solana_instruction::{AccountMeta, Instruction};

use super::Refusal;
use crate::chain::svm::machine::Machine;
use crate::chain::{Account, Address, Signature};
use crate::compose::{Key, sign};

/// In one request: ten SOL, some thousand transactions and all the accounts that they may open.
pub(super) const LAMPORTS_MAX: u64 = 10_000_000_000;
/// What the faucet has before it gives: more than the fee beside it.
const FULL: u64 = 2 * LAMPORTS_MAX;

/// Gives lamports, by a real transaction.
pub(super) fn give(machine: &mut Machine, to: Address, lamports: u64) -> Result<Signature, Refusal> {
    let key = Key::from_bytes(&machine.secret(b"lull/practice-faucet/1\0"));
    let faucet = key.address();
    machine.set_account(&faucet, Account { lamports: FULL, owner: Address::default(), data: Vec::new() })?;
    // By the system program: 2 is a transfer.
    let data = [&2u32.to_le_bytes()[..], &lamports.to_le_bytes()].concat();
    let accounts = vec![AccountMeta::new(faucet, true), AccountMeta::new(to, false)];
    let transfer = Instruction { program_id: Address::default(), accounts, data };
    let signed = sign(&[transfer], machine.recent().blockhash, &key, &[]);
    let signed = signed.map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(machine.send(&signed.bytes)?)
}
