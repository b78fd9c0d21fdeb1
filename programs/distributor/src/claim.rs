//! Pays earnings.

use lull_distributor::address::{claim_address, claim_seeds, token_account_address};
use lull_distributor::{Claim, ClaimAccount, Error, hash};
use pinocchio::cpi::Seed;
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::accounts::{Own, bytes, is_at, network, token_account};
use crate::calls::{create, find_address, pay};
use crate::refused;

/// See `Network::claim`.
#[inline(always)]
pub fn claim(program: &Address, accounts: &mut [AccountView], claim: &Claim) -> ProgramResult {
    let [payer, account, vault, claims, destination, ..] = accounts else {
        return Err(refused(Error::MissingAccount));
    };
    let mut network = network(account, program)?;
    if !is_at(vault, &network.vault) {
        return Err(refused(Error::WrongVault));
    }
    // Only the wallet's associated account will do: a stranger may send the claim, and could otherwise choose an
    // account that the wallet owns and never looks at.
    let wallet = match token_account(destination) {
        Some(to)
            if to.mint == network.mint
                && is_at(
                    destination,
                    &token_account_address(&to.owner, &to.mint, claim.destination_bump),
                ) =>
        {
            to.owner
        }
        _ => return Err(refused(Error::WrongDestination)),
    };
    let leaf = hash::leaf(network.address(), claim.worker, &wallet, claim.lifetime);
    if hash::root(leaf, claim.proof) != network.root {
        return Err(refused(Error::WrongProof));
    }
    let mut claims = open(program, payer, claims, network.address(), claim.worker, &wallet)?;
    let payment = claim.lifetime.saturating_sub(claims.claimed);
    if payment == 0 {
        return Err(refused(Error::NothingToClaim));
    }
    let claimed = network.claimed.checked_add(payment).ok_or_else(|| refused(Error::Overflow))?;
    if claimed > network.committed {
        return Err(refused(Error::OverCommitted));
    }
    claims.claimed = claim.lifetime;
    network.claimed = claimed;
    let (key, bump) = (network.network, network.bump);
    pay(vault, destination, account, &key, bump, payment)
}

/// The account of claims of this worker to this wallet; creates it the first time.
///
/// Its bump is searched once, so that there is one such account and not one for each bump, and then kept.
#[inline(always)]
fn open<'a>(
    program: &Address,
    payer: &AccountView,
    view: &'a mut AccountView,
    network: &[u8; 32],
    worker: &[u8; 32],
    wallet: &[u8; 32],
) -> Result<Own<'a, ClaimAccount>, ProgramError> {
    let wrong = || refused(Error::WrongClaimAccount);
    if view.is_data_empty() {
        let [label, network, worker, wallet] = claim_seeds(network, worker, wallet);
        let bump = match find_address(&[label, network, worker, wallet], program) {
            Some((address, bump)) if is_at(view, bytes(&address)) => bump,
            _ => return Err(wrong()),
        };
        let bump_seed = [bump];
        let seeds = [label, network, worker, wallet, &bump_seed].map(Seed::from);
        create(payer, view, ClaimAccount::LEN, program, &seeds)?;
        let content = ClaimAccount {
            kind: ClaimAccount::KIND,
            version: ClaimAccount::VERSION,
            bump,
            reserved: [0; 5],
            claimed: 0,
        };
        return Own::created(view, program, content).ok_or_else(wrong);
    }
    let own = Own::<ClaimAccount>::check(view, program).ok_or_else(wrong)?;
    let expected = claim_address(program.as_array(), network, worker, wallet, own.bump);
    if *own.address() != expected { Err(wrong()) } else { Ok(own) }
}
