//! Accounts and transactions, as Solana's JSON-RPC states them.

use data_encoding::BASE64;
use lull_types::BaseUnits;
use serde_json::{Value, json};
use solana_transaction::versioned::{TransactionVersion, VersionedTransaction};

use super::Refusal;
use crate::chain::svm::machine::{Machine, Taken, View};
use crate::chain::{Account, Address, ChainError, TOKEN_PROGRAM, TokenChange};

/// Bytes of a mint, and where its decimals are, as the token program lays it out.
const MINT_BYTES: usize = 82;
const MINT_DECIMALS_AT: usize = 44;
/// Longer ones are not told in base 58, as on Solana: it takes a time that grows with the square.
const BASE58_BYTES_MAX: usize = 128;

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Base58,
    Base64,
}

pub(super) fn account(account: &Account, encoding: Encoding) -> Result<Value, Refusal> {
    let Account { lamports, owner, data } = account;
    let stated = match encoding {
        Encoding::Base58 if data.len() > BASE58_BYTES_MAX => {
            return Err(Refusal::invalid(
                "an account of more than 128 bytes is told with the encoding base64",
            ));
        }
        Encoding::Base58 => json!([bs58::encode(data).into_string(), "base58"]),
        Encoding::Json | Encoding::Base64 => json!([BASE64.encode(data), "base64"]),
    };
    Ok(json!({
        "lamports": lamports,
        "owner": owner.to_string(),
        "data": stated,
        "executable": false,
        "rentEpoch": u64::MAX,
        "space": data.len(),
    }))
}

pub(super) fn confirmation(slot: u64, final_slot: u64) -> &'static str {
    if slot <= final_slot { "finalized" } else { "confirmed" }
}

/// Decimals of a token; 0 of what is none.
pub(super) fn decimals(machine: &mut Machine, mint: &Address) -> Result<u8, ChainError> {
    let account = machine.account_in(mint, View::Newest)?;
    let mint = account.filter(|account| account.owner == TOKEN_PROGRAM && account.data.len() == MINT_BYTES);
    Ok(mint.and_then(|mint| mint.data.get(MINT_DECIMALS_AT).copied()).unwrap_or(0))
}

pub(super) fn token_amount(amount: BaseUnits, decimals: u8) -> Value {
    let places = usize::from(decimals);
    let digits = format!("{:0>width$}", amount.0, width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    let text = if places == 0 { whole.to_owned() } else { format!("{whole}.{part}") };
    let text = if places == 0 { text.as_str() } else { text.trim_end_matches('0').trim_end_matches('.') };
    json!({
        "amount": amount.0.to_string(),
        "decimals": decimals,
        "uiAmount": text.parse::<f64>().ok(),
        "uiAmountString": text,
    })
}

pub(super) fn transaction(
    machine: &mut Machine,
    taken: &Taken,
    encoding: Encoding,
) -> Result<Value, Refusal> {
    let Taken { done, bytes, signed } = taken;
    let mut balances = [Vec::new(), Vec::new()];
    for change in &done.tokens {
        let Some(index) = done.accounts.iter().position(|address| *address == change.account) else {
            continue;
        };
        let decimals = decimals(machine, &change.mint)?;
        let TokenChange { mint, before, after, .. } = change;
        for (of, amount) in balances.iter_mut().zip([before, after]) {
            of.push(json!({
                "accountIndex": index,
                "mint": mint.to_string(),
                "programId": TOKEN_PROGRAM.to_string(),
                "uiTokenAmount": token_amount(*amount, decimals),
            }));
        }
    }
    let [before, after] = balances;
    let stated = match encoding {
        Encoding::Json => message(signed),
        Encoding::Base58 => json!([bs58::encode(bytes).into_string(), "base58"]),
        Encoding::Base64 => json!([BASE64.encode(bytes), "base64"]),
    };
    let version = match signed.version() {
        TransactionVersion::Legacy(_) => json!("legacy"),
        TransactionVersion::Number(number) => json!(number),
    };
    Ok(json!({
        "slot": done.slot,
        "blockTime": null,
        "version": version,
        "transaction": stated,
        "meta": {
            "err": null,
            "status": { "Ok": null },
            "fee": done.fee_lamports,
            "preBalances": [],
            "postBalances": [],
            "preTokenBalances": before,
            "postTokenBalances": after,
            "innerInstructions": null,
            "logMessages": null,
            "rewards": null,
            "loadedAddresses": { "writable": [], "readonly": [] },
        },
    }))
}

fn message(signed: &VersionedTransaction) -> Value {
    let message = &signed.message;
    let header = message.header();
    let instructions = message.instructions().iter().map(|stated| {
        json!({
            "programIdIndex": stated.program_id_index,
            "accounts": stated.accounts,
            "data": bs58::encode(&stated.data).into_string(),
            "stackHeight": null,
        })
    });
    json!({
        "signatures": signed.signatures.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "message": {
            "header": {
                "numRequiredSignatures": header.num_required_signatures,
                "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
                "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            },
            "accountKeys": message.static_account_keys().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "recentBlockhash": message.recent_blockhash().to_string(),
            "instructions": instructions.collect::<Vec<_>>(),
        },
    })
}
