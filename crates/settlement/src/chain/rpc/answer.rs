//! What endpoints answer, as this program's own types.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use lull_types::BaseUnits;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::quorum::Said;
use super::super::{
    Account, Address, ChainError, Instruction, Outcome, Recent, Signature, TokenChange, Transaction,
};

/// An answer as a type of this program; what it does not need is passed over.
pub(super) fn parse<T: DeserializeOwned>(answer: Value) -> Result<T, ChainError> {
    serde_json::from_value(answer).map_err(|error| ChainError::Unreadable(error.to_string()))
}

fn unreadable(what: &str) -> ChainError {
    ChainError::Unreadable(format!("a transaction without {what}"))
}

/// What comes with the slot that it was read at.
#[derive(Deserialize)]
struct InContext<T> {
    value: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestBlockhash {
    blockhash: String,
    last_valid_block_height: u64,
}

pub(super) fn recent(answer: Value) -> Result<Recent, ChainError> {
    let InContext::<LatestBlockhash> { value } = parse(answer)?;
    let blockhash = value.blockhash.parse();
    let blockhash = blockhash.map_err(|_| ChainError::Unreadable("a blockhash that is none".to_owned()))?;
    Ok(Recent { blockhash, last_valid_height: value.last_valid_block_height })
}

/// The signature by which a transaction goes: the first of those that it begins with.
pub(super) fn first_signature(transaction: &[u8]) -> Option<Signature> {
    let (count, rest) = transaction.split_first()?;
    // A count of 128 and more would take a second byte; a packet has no room for so many.
    (1..128).contains(count).then(|| rest.first_chunk::<64>().map(|bytes| Signature::from(*bytes)))?
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureStatus {
    slot: u64,
    #[serde(default)]
    err: Option<Value>,
    #[serde(default)]
    confirmation_status: Option<String>,
}

/// What is said of signatures, in order.
pub(super) fn said(answer: Value, searched_to: u64) -> Result<Vec<Said>, ChainError> {
    let InContext::<Vec<Option<SignatureStatus>>> { value } = parse(answer)?;
    let one = |status: Option<SignatureStatus>| match status {
        None => Said::Unknown { searched_to },
        Some(SignatureStatus { slot, err, confirmation_status }) => {
            if confirmation_status.as_deref() == Some("finalized") {
                Said::Finalized { slot, outcome: outcome(err) }
            } else {
                Said::Seen { slot }
            }
        }
    };
    Ok(value.into_iter().map(one).collect())
}

fn outcome(err: Option<Value>) -> Outcome {
    // As short as the chain's own words are; a liar's may be long.
    err.map_or(Outcome::Done, |err| Outcome::Failed(err.to_string().chars().take(300).collect()))
}

#[derive(Deserialize)]
struct StatedAccount {
    lamports: u64,
    owner: String,
    /// The bytes, and how they are written.
    data: (String, String),
}

pub(super) fn account(answer: Value) -> Result<Option<Account>, ChainError> {
    let InContext::<Option<StatedAccount>> { value } = parse(answer)?;
    let read = |stated: StatedAccount| {
        let owner = stated.owner.parse().ok()?;
        let data = BASE64.decode(stated.data.0.as_bytes()).ok().filter(|_| stated.data.1 == "base64")?;
        Some(Account { lamports: stated.lamports, owner, data })
    };
    value
        .map(|stated| {
            read(stated).ok_or_else(|| ChainError::Unreadable("an account that is none".to_owned()))
        })
        .transpose()
}

#[derive(Deserialize)]
struct Mention {
    signature: String,
}

pub(super) fn mentions(answer: Value) -> Result<Vec<Signature>, ChainError> {
    let parse_one = |mention: Mention| {
        mention.signature.parse().map_err(|_| ChainError::Unreadable("a signature that is none".to_owned()))
    };
    parse::<Vec<Mention>>(answer)?.into_iter().map(parse_one).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fee {
    prioritization_fee: u64,
}

/// The upper quartile.
pub(super) fn priority_fee(answer: Value) -> Result<u64, ChainError> {
    let mut fees: Vec<u64> = parse::<Vec<Fee>>(answer)?.iter().map(|fee| fee.prioritization_fee).collect();
    fees.sort_unstable();
    Ok(fees.get(fees.len() * 3 / 4).copied().unwrap_or(0))
}

#[derive(Deserialize)]
struct Confirmed {
    slot: u64,
    transaction: Stated,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Stated {
    message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    account_keys: Vec<String>,
    instructions: Vec<StatedInstruction>,
}

/// Accounts by their place among those of the transaction; data in base 58.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatedInstruction {
    program_id_index: usize,
    accounts: Vec<usize>,
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    err: Option<Value>,
    fee: u64,
    #[serde(default)]
    pre_token_balances: Option<Vec<Balance>>,
    #[serde(default)]
    post_token_balances: Option<Vec<Balance>>,
    #[serde(default)]
    loaded_addresses: Option<Loaded>,
}

#[derive(Deserialize)]
struct Loaded {
    writable: Vec<String>,
    readonly: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Balance {
    account_index: usize,
    mint: String,
    ui_token_amount: Amount,
}

#[derive(Deserialize)]
struct Amount {
    amount: String,
}

pub(super) fn transaction(answer: Value) -> Result<Option<Transaction>, ChainError> {
    let Some(found) = parse::<Option<Confirmed>>(answer)? else { return Ok(None) };
    let meta = found.meta.ok_or_else(|| unreadable("what it did"))?;
    let loaded =
        meta.loaded_addresses.map_or(Vec::new(), |loaded| [loaded.writable, loaded.readonly].concat());
    let accounts =
        found.transaction.message.account_keys.iter().chain(&loaded).map(|address| address.parse());
    let accounts: Vec<Address> =
        accounts.collect::<Result<_, _>>().map_err(|_| unreadable("readable addresses"))?;
    let instructions = found.transaction.message.instructions.iter();
    let instructions = instructions.map(|stated| instruction(stated, &accounts)).collect::<Option<_>>();
    let instructions = instructions.ok_or_else(|| unreadable("readable instructions"))?;
    let mut changes = BTreeMap::new();
    let before = balances(meta.pre_token_balances, &accounts).ok_or_else(|| unreadable("balances"))?;
    let after = balances(meta.post_token_balances, &accounts).ok_or_else(|| unreadable("balances"))?;
    let none = BaseUnits::ZERO;
    for (account, mint, amount) in before {
        changes.insert(account, TokenChange { account, mint, before: amount, after: none });
    }
    for (account, mint, amount) in after {
        changes.entry(account).or_insert(TokenChange { account, mint, before: none, after: none }).after =
            amount;
    }
    Ok(Some(Transaction {
        slot: found.slot,
        outcome: outcome(meta.err),
        fee_lamports: meta.fee,
        accounts,
        instructions,
        tokens: changes.into_values().filter(|change| change.before != change.after).collect(),
    }))
}

fn instruction(stated: &StatedInstruction, accounts: &[Address]) -> Option<Instruction> {
    let account = |index: &usize| accounts.get(*index).copied();
    Some(Instruction {
        program: account(&stated.program_id_index)?,
        accounts: stated.accounts.iter().map(account).collect::<Option<_>>()?,
        data: bs58::decode(&stated.data).into_vec().ok()?,
    })
}

/// Token account, mint and amount of each balance; none if one cannot be read.
fn balances(
    stated: Option<Vec<Balance>>,
    accounts: &[Address],
) -> Option<Vec<(Address, Address, BaseUnits)>> {
    let read = |balance: &Balance| {
        let account = *accounts.get(balance.account_index)?;
        let amount = balance.ui_token_amount.amount.parse().ok()?;
        Some((account, balance.mint.parse().ok()?, BaseUnits(amount)))
    };
    stated.unwrap_or_default().iter().map(read).collect()
}
