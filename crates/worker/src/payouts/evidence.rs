//! A check with all that it rests on, for whoever is to be convinced.

use lull_settlement::chain::{Account, Outcome, Transaction};
use lull_settlement::verify::{Party, PostedRoot};
use lull_types::{
    BaseUnits, ChainAddress, CountersignedReceipt, EarningsProof, Fault, NetworkId, Payout, PayoutStanding,
    WorkerId,
};
use lull_worker_api::PayoutCheck;
use serde::{Deserialize, Serialize};

use crate::machine::PayoutFacts;
use crate::shell::Handle;

/// Version of [`Evidence`].
pub const EVIDENCE_VERSION: u32 = 1;

/// Evidence as it is exported; `docs/settlement.md` describes it. Addresses are in base 58, bytes and hashes in
/// hexadecimal, amounts in base units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`EVIDENCE_VERSION`].
    pub lull_evidence: u32,
    /// Whose payouts.
    pub worker: WorkerId,
    /// Whose word is checked; its key signs the receipts and derives its account on the chain.
    pub network: NetworkId,
    /// The outcome.
    pub check: PayoutCheck,
    /// The payout, as the network told of it.
    pub payout: Option<Payout>,
    /// How payouts stand, as the network last said. It is not signed.
    pub standing: Option<PayoutStanding>,
    /// The proof that the network gave.
    pub proof: Option<ProofRead>,
    /// What the chain answered.
    pub chain: AsRead,
    /// The last receipt, signed by both sides: it states all that was earned.
    pub last_receipt: Option<CountersignedReceipt>,
}

/// A proof of earnings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRead {
    /// Of which epoch.
    pub epoch: u64,
    /// Which wallet.
    pub wallet: String,
    /// Lifetime earnings.
    pub lifetime: BaseUnits,
    /// The root.
    pub root: String,
    /// The siblings from below.
    pub siblings: Vec<String>,
}

/// What the chain answered, and what was derived to ask it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsRead {
    /// The network's account, as it follows from its key.
    pub network_account: String,
    /// Its data.
    pub network_account_data: Option<String>,
    /// Where the chain keeps what was paid.
    pub claim_account: Option<String>,
    /// What was paid in all.
    pub claimed: Option<BaseUnits>,
    /// The wallet's account for the token.
    pub token_account: Option<String>,
    /// The payout's transaction.
    pub transaction: Option<TransactionRead>,
    /// Roots that were found to be posted.
    pub roots: Vec<RootRead>,
}

/// A transaction. What it was asked by is the payout's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionRead {
    /// The slot of its block.
    pub slot: u64,
    /// Why it failed; none if it was carried out.
    pub failed: Option<String>,
    /// What its payer paid.
    pub fee_lamports: u64,
    /// What it had programs do.
    pub instructions: Vec<InstructionRead>,
    /// What it changed in token accounts.
    pub tokens: Vec<TokenRead>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstructionRead {
    /// Which program.
    pub program: String,
    /// Its accounts.
    pub accounts: Vec<String>,
    /// What it was told.
    pub data: String,
}

/// A change in a token account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRead {
    /// The token account.
    pub account: String,
    /// The token.
    pub mint: String,
    /// What it held before.
    pub before: BaseUnits,
    /// What it held afterwards.
    pub after: BaseUnits,
}

/// A root that was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRead {
    /// Of which epoch.
    pub epoch: u64,
    /// The root.
    pub root: String,
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

impl Evidence {
    pub(super) async fn new(
        worker: &Handle,
        facts: &PayoutFacts,
        check: &PayoutCheck,
        payout: Option<&Payout>,
        proof: Option<&EarningsProof>,
        chain: AsRead,
    ) -> Result<Self, Fault> {
        Ok(Self {
            lull_evidence: EVIDENCE_VERSION,
            worker: facts.worker,
            network: facts.network,
            check: check.clone(),
            payout: payout.cloned(),
            standing: facts.told.standing.clone(),
            proof: proof.map(|proof| ProofRead {
                epoch: proof.epoch,
                wallet: proof.wallet.to_string(),
                lifetime: proof.lifetime,
                root: hex(&proof.root),
                siblings: proof.siblings.iter().map(|sibling| hex(sibling)).collect(),
            }),
            chain,
            last_receipt: worker.store().last_receipt(facts.network).await?,
        })
    }
}

impl AsRead {
    pub(super) fn new(
        party: &Party,
        transaction: Option<&Transaction>,
        account: Option<&Account>,
        claimed: Option<&BaseUnits>,
        roots: &[PostedRoot],
    ) -> Self {
        Self {
            network_account: ChainAddress(*party.anchor.account()).to_string(),
            network_account_data: account.map(|account| hex(&account.data)),
            claim_account: party.claim_account().map(|address| address.to_string()),
            claimed: claimed.copied(),
            token_account: party.destination().map(|address| address.to_string()),
            transaction: transaction.map(transaction_read),
            roots: roots
                .iter()
                .map(|posted| RootRead { epoch: posted.epoch, root: hex(&posted.root) })
                .collect(),
        }
    }
}

fn transaction_read(transaction: &Transaction) -> TransactionRead {
    TransactionRead {
        slot: transaction.slot,
        failed: match &transaction.outcome {
            Outcome::Done => None,
            Outcome::Failed(why) => Some(why.clone()),
        },
        fee_lamports: transaction.fee_lamports,
        instructions: transaction
            .instructions
            .iter()
            .map(|told| InstructionRead {
                program: told.program.to_string(),
                accounts: told.accounts.iter().map(ToString::to_string).collect(),
                data: hex(&told.data),
            })
            .collect(),
        tokens: transaction
            .tokens
            .iter()
            .map(|change| TokenRead {
                account: change.account.to_string(),
                mint: change.mint.to_string(),
                before: change.before,
                after: change.after,
            })
            .collect(),
    }
}
