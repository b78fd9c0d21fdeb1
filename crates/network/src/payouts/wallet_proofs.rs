//! The watch over wallets that are to be proven by a transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use lull_checks::wallet;
use lull_settlement::chain::{Address, Chain};
use lull_settlement::wallet_proof;
use lull_types::{Coded, Fault, TransactionSignature, UnixMillis, WalletStatement, WorkerId};
use tokio_util::sync::CancellationToken;

use super::looks::{self, Looks};
use crate::engine::Input;
use crate::reader::Reader;
use crate::store::wallets;
use crate::writer::Inbox;

/// Looks for the transactions that stand for statements.
pub struct WalletProofs {
    chain: Arc<dyn Chain>,
    inbox: Inbox,
    reader: Arc<Reader>,
    clock: fn() -> UnixMillis,
    slot: Duration,
    looks: Looks<WorkerId>,
}

impl std::fmt::Debug for WalletProofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WalletProofs").finish_non_exhaustive()
    }
}

impl WalletProofs {
    /// Nothing was looked at yet; a slot of the chain takes so long.
    pub fn new(
        chain: Arc<dyn Chain>,
        inbox: Inbox,
        reader: Arc<Reader>,
        (clock, slot): (fn() -> UnixMillis, Duration),
    ) -> Self {
        Self { chain, inbox, reader, clock, slot, looks: Looks::new(slot) }
    }

    /// Watches until it is cancelled.
    pub async fn watch(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = looks::watch("proofs of wallets", self.slot, || self.look_at_due()) => {}
        }
    }

    async fn look_at_due(&self) -> Result<(), Fault> {
        let now = (self.clock)();
        let asked = self.reader.read(move |db| wallets::requests(db, now)).await?;
        let workers: HashSet<WorkerId> = asked.iter().map(|statement| statement.worker).collect();
        self.looks.forget_all_but(|worker| workers.contains(worker), now);
        let due = asked.into_iter().filter(|asked| self.looks.is_due(asked.worker, asked.issued_at, now));
        looks::look_at_each(due.map(|statement| self.look(statement))).await
    }

    async fn look(&self, statement: WalletStatement) -> Result<(), Fault> {
        self.looks.note(statement.worker, (self.clock)());
        let reference = wallet::reference(&statement).map_err(|error| error.fault())?;
        let WalletStatement { worker, wallet, nonce, .. } = statement;
        let found = wallet_proof::find(&*self.chain, wallet, &Address::new_from_array(reference.0)).await;
        if let Some(signature) = found.map_err(|error| error.fault())? {
            tracing::info!(%worker, %wallet, %signature, "a wallet is proven by a transaction");
            let signature = TransactionSignature(<[u8; 64]>::from(signature));
            self.inbox.ask(Input::WalletConfirmed { worker, nonce, signature }).await?;
        }
        Ok(())
    }
}
