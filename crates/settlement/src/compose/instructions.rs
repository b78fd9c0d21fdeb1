//! What networks and claimers have the chain do.

use lull_distributor::{Call, Claim as ClaimFields};
use solana_address::address;
use solana_instruction::{AccountMeta, Instruction};

use super::{ComposeError, Place};
use crate::chain::{Address, Chain, ChainError, TOKEN_PROGRAM};
use crate::epoch::{Hash, Leaf, Proof};

const SYSTEM_PROGRAM: Address = address!("11111111111111111111111111111111");
const ASSOCIATED_TOKEN_PROGRAM: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
const COMPUTE_BUDGET_PROGRAM: Address = address!("ComputeBudget111111111111111111111111111111");

/// What each signature of a transaction costs, by the protocol.
pub const LAMPORTS_A_SIGNATURE: u64 = 5_000;

/// Compute units of one claim at most: 9,597 with 2²⁰ leaves, and 1,500 for each bump that the search for the claims'
/// address passes over; one in four thousand passes over more than twelve.
const CLAIM_UNITS: u32 = 30_000;
/// Of opening a wallet's token account if it is not open: some 25,000 with the search for its address.
const OPEN_UNITS: u32 = 40_000;
/// Of posting a root: 551, and a transfer of tokens to the vault.
const ROOT_UNITS: u32 = 20_000;
/// Of making the network's account and opening its vault.
const INITIALIZE_UNITS: u32 = 80_000;
/// Of a transfer of tokens: some 5,000 at most.
const REFUND_UNITS: u32 = 10_000;
/// A root's and a claim's data beside their program's: the two instructions of the budget themselves.
const BUDGET_UNITS: u32 = 300;

/// What a transaction may use and pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What others pay lately, in millionths of a lamport for each compute unit.
    pub price: u64,
    /// What it may cost in all, in lamports: signatures, priority and rent.
    pub lamports_max: u64,
}

/// Accounts that a claim makes, and whose rent its payer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RentedAccount {
    /// Whether it is missing.
    pub missing: bool,
    /// Its rent in lamports.
    pub lamports: u64,
}

impl RentedAccount {
    /// Whether an account of so many bytes is missing on the chain, and what it rents for.
    ///
    /// # Errors
    /// When the chain does not say.
    pub async fn read(chain: &dyn Chain, address: &Address, bytes: usize) -> Result<Self, ChainError> {
        let found = chain.account(address).await?;
        // One that only holds lamports, which anyone can send there, is still to be made.
        let missing = found.is_none_or(|account| account.data.is_empty());
        Ok(Self { missing, lamports: chain.rent_exempt(bytes).await? })
    }

    /// What its payer pays for it.
    pub fn cost(self) -> u64 {
        if self.missing { self.lamports } else { 0 }
    }
}

impl Budget {
    /// The two instructions that begin a transaction. The price is lowered to what is left of the most that it may
    /// cost; without that, it is refused.
    fn begin(self, units: u32, signatures: u64, rent: u64) -> Result<[Instruction; 2], ComposeError> {
        let units = units + BUDGET_UNITS;
        let fixed = LAMPORTS_A_SIGNATURE * signatures + rent;
        let left = self
            .lamports_max
            .checked_sub(fixed)
            .ok_or(ComposeError::TooDear { cost: fixed, limit: self.lamports_max })?;
        let affordable = left.saturating_mul(1_000_000) / u64::from(units);
        let price = self.price.min(affordable);
        // By the compute-budget program: 2 sets the limit of units, 3 the price of one.
        let instruction =
            |data: Vec<u8>| Instruction { program_id: COMPUTE_BUDGET_PROGRAM, accounts: vec![], data };
        Ok([
            instruction([&[2], &units.to_le_bytes()[..]].concat()),
            instruction([&[3], &price.to_le_bytes()[..]].concat()),
        ])
    }
}

/// Opens the network's vault if need be, and makes its account. Payer, network's key and authority sign.
///
/// # Errors
/// [`ComposeError::TooDear`].
pub fn initialize(
    place: &Place,
    payer: Address,
    authority: Address,
    withdrawal_delay_s: u32,
    budget: Budget,
    rent: u64,
) -> Result<Vec<Instruction>, ComposeError> {
    let key = place.anchor.network().0;
    let call = place.calls().initialize(
        payer.to_bytes(),
        key,
        authority.to_bytes(),
        place.mint.to_bytes(),
        withdrawal_delay_s,
    );
    let mut instructions = budget.begin(INITIALIZE_UNITS, 3, rent)?.to_vec();
    instructions.push(open_token_account(payer, place.account(), place.vault, place.mint));
    instructions.push(called(&call));
    Ok(instructions)
}

/// Posts a root; before, moves what the vault lacks from the treasury's token account.
///
/// # Errors
/// [`ComposeError::TooDear`].
pub fn post_root(
    place: &Place,
    authority: Address,
    epoch: u64,
    total: u64,
    root: &Hash,
    top_up: Option<(Address, u64)>,
    budget: Budget,
) -> Result<Vec<Instruction>, ComposeError> {
    let mut instructions = budget.begin(ROOT_UNITS, 1, 0)?.to_vec();
    if let Some((from, amount)) = top_up {
        instructions.push(transfer(authority, from, place.vault, amount));
    }
    instructions.push(called(&place.calls().post_root(authority.to_bytes(), epoch, total, root)));
    Ok(instructions)
}

/// Claims for each leaf, to its wallet's own token account, which is opened where it is missing. The payer signs.
///
/// # Errors
/// [`ComposeError::TooDear`].
pub fn claims(
    place: &Place,
    payer: Address,
    leaves: &[(Leaf, Proof, [RentedAccount; 2])],
    budget: Budget,
) -> Result<Vec<Instruction>, ComposeError> {
    let rent = leaves.iter().flat_map(|(_, _, rented)| rented).map(|rented| rented.cost()).sum();
    let opened = leaves.iter().filter(|(_, _, [_, token_account])| token_account.missing).count() as u32;
    let units = CLAIM_UNITS * leaves.len() as u32 + OPEN_UNITS * opened;
    let mut instructions = budget.begin(units, 1, rent)?.to_vec();
    for (leaf, proof, [_, token_account]) in leaves {
        // That no address can be derived happens to one in 2²⁵⁶; the claim is then left out.
        let Some((destination, destination_bump)) = place.token_account(leaf.wallet) else { continue };
        let Some(claim_account) = place.anchor.claim_account(leaf.worker, leaf.wallet) else { continue };
        if token_account.missing {
            let wallet = Address::new_from_array(*leaf.wallet.as_bytes());
            instructions.push(open_token_account(payer, wallet, destination, place.mint));
        }
        let fields = ClaimFields {
            destination_bump,
            lifetime: leaf.lifetime.0,
            worker: &leaf.worker.0,
            proof: &proof.0,
        };
        let call = place.calls().claim(payer.to_bytes(), claim_account, destination.to_bytes(), fields);
        instructions.push(called(&call));
    }
    Ok(instructions)
}

/// Pays a refund from the treasury's token account to one that is open. `name` is an address of nothing that is only
/// named: it makes the transaction another than any other of the same amount to the same wallet, which the chain would
/// take once for both, and finds it.
///
/// # Errors
/// [`ComposeError::TooDear`].
pub fn refund(
    treasury: Address,
    from: Address,
    to: Address,
    amount: u64,
    name: Address,
    budget: Budget,
) -> Result<Vec<Instruction>, ComposeError> {
    let mut instructions = budget.begin(REFUND_UNITS, 1, 0)?.to_vec();
    let mut paid = transfer(treasury, from, to, amount);
    paid.accounts.push(AccountMeta::new_readonly(name, false));
    instructions.push(paid);
    Ok(instructions)
}

/// Moves tokens between two accounts of the same token.
pub fn transfer(owner: Address, from: Address, to: Address, amount: u64) -> Instruction {
    // By the token program: 3 is a transfer.
    let data = [&[3], &amount.to_le_bytes()[..]].concat();
    let accounts = vec![
        AccountMeta::new(from, false),
        AccountMeta::new(to, false),
        AccountMeta::new_readonly(owner, true),
    ];
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}

/// Opens an owner's token account unless it is open; the payer pays its rent.
pub fn open_token_account(payer: Address, owner: Address, account: Address, mint: Address) -> Instruction {
    let accounts = vec![
        AccountMeta::new(payer, true),
        AccountMeta::new(account, false),
        AccountMeta::new_readonly(owner, false),
        AccountMeta::new_readonly(mint, false),
        AccountMeta::new_readonly(SYSTEM_PROGRAM, false),
        AccountMeta::new_readonly(TOKEN_PROGRAM, false),
    ];
    // By the associated-token program: 1 makes the account if there is none.
    Instruction { program_id: ASSOCIATED_TOKEN_PROGRAM, accounts, data: vec![1] }
}

fn called(call: &Call) -> Instruction {
    let meta = |account: &lull_distributor::Account| AccountMeta {
        pubkey: Address::new_from_array(account.address),
        is_signer: account.signs,
        is_writable: account.writable,
    };
    let accounts = call.accounts.iter().map(meta).collect();
    Instruction { program_id: Address::new_from_array(call.program), accounts, data: call.data.clone() }
}
