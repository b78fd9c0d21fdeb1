//! How payouts stand, for operators and metrics.

use lull_settlement::sender::{Policy, Sender, Spent};
use lull_types::{BaseUnits, Coded, Fault, UnixMillis};
use serde::{Deserialize, Serialize};

use super::Task;

/// What an epoch may cost, as far as an operator sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// In lamports.
    pub lamports_max: u64,
    /// Paid out, in base units.
    pub tokens_max: u64,
    /// More earnings than before, in base units.
    pub growth_max: u64,
}

/// Limits that an operator changes when payouts go on; none leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLimits {
    /// In lamports.
    pub lamports_max: Option<u64>,
    /// Paid out, in base units.
    pub tokens_max: Option<u64>,
    /// More earnings than before, in base units.
    pub growth_max: Option<u64>,
}

impl NewLimits {
    /// A policy with these limits.
    pub fn applied_to(self, policy: &Policy) -> Policy {
        Policy {
            epoch_lamports_max: self.lamports_max.unwrap_or(policy.epoch_lamports_max),
            epoch_tokens_max: self.tokens_max.unwrap_or(policy.epoch_tokens_max),
            epoch_growth_max: self.growth_max.unwrap_or(policy.epoch_growth_max),
            ..policy.clone()
        }
    }
}

/// The treasury's balances, and when they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    /// For fees and rent.
    pub lamports: u64,
    /// Of the token.
    pub tokens: BaseUnits,
    /// What the vault holds.
    pub vault: BaseUnits,
    /// When, in milliseconds since 1970.
    pub at: UnixMillis,
}

/// How payouts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The treasury's address, which needs lamports.
    pub treasury: String,
    /// Its account of the token.
    pub purse: String,
    /// The network's account under the program.
    pub account: String,
    /// None until the chain has answered.
    pub balances: Option<Balances>,
    /// The newest published epoch.
    pub epoch: Option<u64>,
    /// Whether its root is on the chain.
    pub anchored: bool,
    /// Transactions that have not ended.
    pub open_batches: u64,
    /// What the newest epoch has cost at most, in lamports.
    pub spent_lamports: u64,
    /// What it has paid out at most, in base units.
    pub spent_tokens: u64,
    /// What it may.
    pub limits: Limits,
    /// Why nothing more is sent; `payouts resume` goes on.
    pub alarm: Option<Fault>,
    /// What is waited for, if anything.
    pub waits: Option<String>,
}

impl Task {
    /// Tells operators and metrics.
    pub(super) fn tell_standing(&self) {
        let waits = self.waits.clone();
        let Some(sender) = &self.sender else {
            self.standing.send_modify(|standing| standing.waits = waits);
            return;
        };
        let alarm = sender.stopped().or(self.refused.as_ref()).map(|alarm| alarm.fault());
        let told = stands(sender);
        self.standing.send_modify(|standing| {
            let Standing { treasury, purse, account, balances, .. } = std::mem::take(standing);
            *standing = Standing { treasury, purse, account, balances, alarm, waits, ..told };
        });
    }

    /// Reads the treasury's balances.
    pub(super) async fn read_balances(&self) -> Result<(), Fault> {
        let chain = &self.setup.chain;
        let treasury = &self.setup.treasury;
        let fault = |error: lull_settlement::chain::ChainError| error.fault();
        let lamports = chain.account(&treasury.key.address()).await.map_err(fault)?;
        let purse = chain.token_account(&treasury.purse).await.map_err(fault)?;
        let vault = chain.token_account(&self.setup.place.vault).await.map_err(fault)?;
        let held = |account: Option<lull_settlement::chain::TokenAccount>| {
            account.map_or(BaseUnits::ZERO, |account| account.amount)
        };
        let balances = Balances {
            lamports: lamports.map_or(0, |account| account.lamports),
            tokens: held(purse),
            vault: held(vault),
            at: (self.setup.clock)(),
        };
        self.standing.send_modify(|standing| standing.balances = Some(balances));
        Ok(())
    }
}

fn stands(sender: &Sender) -> Standing {
    let epoch = sender.epoch();
    let Spent { lamports, tokens } = sender.spent(epoch.map_or(0, |epoch| epoch.number));
    let policy = sender.policy();
    Standing {
        epoch: epoch.map(|epoch| epoch.number),
        anchored: epoch.is_some_and(|epoch| epoch.anchored),
        open_batches: sender.open_batches().count() as u64,
        spent_lamports: lamports,
        spent_tokens: tokens,
        limits: Limits {
            lamports_max: policy.epoch_lamports_max,
            tokens_max: policy.epoch_tokens_max,
            growth_max: policy.epoch_growth_max,
        },
        ..Standing::default()
    }
}
