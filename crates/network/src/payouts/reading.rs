//! What is read from the chain.

use lull_distributor::{ClaimAccount, NetworkAccount};
use lull_settlement::chain::{Address, ChainError, Outcome, Signature};
use lull_settlement::sender::{BatchId, Found, Input, OnChainRoot, Payee, What};
use lull_types::{BaseUnits, Coded, Fault, WalletAddress};

use super::Task;

impl Task {
    pub(super) async fn statuses(&self, asked: Vec<(BatchId, Signature)>) -> Result<Input, Fault> {
        let signatures: Vec<Signature> = asked.iter().map(|(_, signature)| *signature).collect();
        let statuses = self.setup.chain.statuses(&signatures).await.map_err(|error| error.fault())?;
        Ok(Input::Statuses(asked.into_iter().map(|(batch, _)| batch).zip(statuses).collect()))
    }

    pub(super) async fn read(&self, what: &What) -> Result<Found, Fault> {
        match what {
            What::Root => {
                let account = self.network_account().await?;
                let root = account.filter(|account| account.epoch > 0);
                Ok(Found::Root(root.map(|account| OnChainRoot { epoch: account.epoch, root: account.root })))
            }
            What::Paid(payees) => {
                let mut paid = Vec::with_capacity(payees.len());
                for payee in payees {
                    paid.push((*payee, self.paid(*payee).await?));
                }
                Ok(Found::Paid(paid))
            }
            What::Arrived { signature, to } => Ok(Found::Arrived(self.arrived(signature, *to).await?)),
        }
    }

    /// What a final transaction brought to a wallet.
    async fn arrived(&self, signature: &Signature, to: WalletAddress) -> Result<BaseUnits, Fault> {
        let Some((account, _)) = self.setup.place.token_account(to) else { return Ok(BaseUnits::ZERO) };
        let found = self.setup.chain.transaction(signature).await.map_err(|error| error.fault())?;
        let Some(done) = found.filter(|found| found.outcome == Outcome::Done) else {
            return Ok(BaseUnits::ZERO);
        };
        let mut changes = done.tokens.iter();
        let change = changes.find(|change| change.account == account && change.mint == self.setup.place.mint);
        Ok(change.and_then(|change| change.after.minus(change.before).ok()).unwrap_or(BaseUnits::ZERO))
    }

    /// What the chain has paid to a payee in all.
    pub(super) async fn paid(&self, payee: Payee) -> Result<BaseUnits, Fault> {
        let Some(address) = self.setup.place.anchor.claim_account(payee.worker, payee.wallet) else {
            return Ok(BaseUnits::ZERO);
        };
        let Some(data) = self.program_account(Address::new_from_array(address)).await? else {
            return Ok(BaseUnits::ZERO);
        };
        let account = ClaimAccount::read(&data).ok_or_else(|| unreadable("an account of claims"))?;
        Ok(BaseUnits(account.claimed))
    }

    /// The network's account, if it was made.
    pub(super) async fn network_account(&self) -> Result<Option<NetworkAccount>, Fault> {
        let Some(data) = self.program_account(self.setup.place.account()).await? else { return Ok(None) };
        NetworkAccount::read(&data).map(Some).ok_or_else(|| unreadable("the network's account"))
    }

    /// Data of an account of the program; none if there is no account, or one that only holds lamports.
    async fn program_account(&self, address: Address) -> Result<Option<Vec<u8>>, Fault> {
        let account = self.setup.chain.account(&address).await.map_err(|error| error.fault())?;
        let program = Address::new_from_array(*self.setup.place.anchor.program());
        Ok(account.filter(|account| account.owner == program).map(|account| account.data))
    }
}

fn unreadable(what: &str) -> Fault {
    ChainError::Unreadable(format!("{what} has another layout")).fault()
}
