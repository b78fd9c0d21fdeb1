//! Deposits of customers: where they are paid, and the watch over them.
//!
//! After [`WATCHED`] only whoever fetches the deposit has it looked at; what arrives then is credited all the same. The
//! payments alone are remembered over a restart: all is looked at again, and the ledger books each once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lull_settlement::chain::{Address, Chain, Signature};
use lull_settlement::compose::Place;
use lull_settlement::deposit::{self, Expected, Payment, Request};
use lull_types::{
    BaseUnits, ChainAddress, Coded, DepositId, Fault, TransactionSignature, UnixMillis, WalletAddress,
};
use tokio_util::sync::CancellationToken;

use super::Treasury;
use super::looks::{self, Looks, lock};
use crate::engine::Input;
use crate::reader::Reader;
use crate::store::funds::{self, DepositRow};
use crate::writer::Inbox;

/// How long deposits are watched. Whoever pays later than a month fetches the deposit to see that it arrived.
pub const WATCHED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where deposits are paid, and what was paid.
pub struct Deposits {
    chain: Arc<dyn Chain>,
    place: Place,
    purse: Address,
    recipient: WalletAddress,
    label: String,
    inbox: Inbox,
    reader: Arc<Reader>,
    clock: fn() -> UnixMillis,
    slot: Duration,
    looks: Looks<DepositId>,
    /// Payments that were credited to other deposits, which they name, too.
    elsewhere: Mutex<HashSet<(DepositId, Signature)>>,
}

impl std::fmt::Debug for Deposits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Deposits(to {})", self.purse)
    }
}

impl Deposits {
    /// Deposits into the treasury's account of the token.
    ///
    /// # Errors
    /// When the treasury's key is no wallet's, which cannot be.
    pub fn new(
        chain: Arc<dyn Chain>,
        place: Place,
        treasury: &Treasury,
        label: &str,
        inbox: Inbox,
        reader: Arc<Reader>,
        (clock, slot): (fn() -> UnixMillis, Duration),
    ) -> Result<Self, Fault> {
        let recipient = WalletAddress::from_bytes(treasury.key.address().to_bytes());
        Ok(Self {
            chain,
            place,
            purse: treasury.purse,
            recipient: recipient.map_err(|error| error.fault())?,
            label: label.to_owned(),
            inbox,
            reader,
            clock,
            slot,
            looks: Looks::new(slot),
            elsewhere: Mutex::default(),
        })
    }

    /// What a wallet is asked to pay.
    pub fn request(&self, reference: ChainAddress, amount: Option<BaseUnits>) -> Request {
        Request {
            recipient: self.recipient,
            mint: self.place.mint,
            amount,
            reference: Address::new_from_array(reference.0),
            label: Some(self.label.clone()),
            message: None,
        }
    }

    /// Whether a refund can go to this wallet.
    ///
    /// # Errors
    /// Why it cannot, or that the chain does not answer.
    pub async fn check_refunded(&self, to: WalletAddress) -> Result<(), Fault> {
        if to == self.recipient {
            return Err(Fault::new(
                "refund_wallet_unusable",
                "this is the network's own wallet; give yours, from which you paid",
            ));
        }
        let account = match self.place.token_account(to) {
            Some((address, _)) => self.chain.token_account(&address).await.map_err(|error| error.fault())?,
            None => None,
        };
        // Opening one costs more than most refunds are worth, and whoever opened it could close it and keep that.
        if account.is_some_and(|account| account.mint == self.place.mint) {
            return Ok(());
        }
        let mint = self.place.mint;
        Err(Fault::new(
            "refund_wallet_without_account",
            format!(
                "this wallet has no account of the token {mint}; give one that has held it, such as the one you paid from"
            ),
        ))
    }

    /// Watches until it is cancelled.
    pub async fn watch(self: Arc<Self>, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = looks::watch("deposits", self.slot, || self.look_at_due()) => {}
        }
    }

    async fn look_at_due(&self) -> Result<(), Fault> {
        let now = (self.clock)();
        let since = UnixMillis(now.0.saturating_sub(WATCHED.as_millis() as u64));
        let deposits = self.reader.read(move |db| funds::deposits_since(db, since)).await?;
        let watched: HashSet<DepositId> = deposits.iter().map(|deposit| deposit.id).collect();
        // What is no longer watched may be looked at by request; it is bounded by those who ask.
        self.looks.forget_all_but(|id| watched.contains(id), now);
        lock(&self.elsewhere).retain(|(id, _)| watched.contains(id));
        let due =
            deposits.into_iter().filter(|deposit| self.looks.is_due(deposit.id, deposit.created_at, now));
        looks::look_at_each(due.map(|deposit| async move { self.look(&deposit).await })).await
    }

    /// Looks at a deposit for whoever fetches it, unless that was done a moment ago.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn look_now(&self, deposit: &DepositRow) -> Result<(), Fault> {
        if self.looks.is_allowed(deposit.id, (self.clock)()) { self.look(deposit).await } else { Ok(()) }
    }

    async fn look(&self, deposit: &DepositRow) -> Result<(), Fault> {
        let id = deposit.id;
        self.looks.note(id, (self.clock)());
        let credited = self.reader.read(move |db| funds::payments(db, id)).await?;
        let credited: HashSet<Signature> =
            credited.iter().map(|payment| Signature::from(payment.signature.0)).collect();
        let elsewhere: HashSet<Signature> = lock(&self.elsewhere)
            .iter()
            .filter(|(of, _)| *of == id)
            .map(|(_, signature)| *signature)
            .collect();
        let expected = Expected {
            reference: Address::new_from_array(deposit.reference.0),
            token_account: self.purse,
            mint: self.place.mint,
        };
        let is_known = |signature: &Signature| credited.contains(signature) || elsewhere.contains(signature);
        let found = deposit::find(&*self.chain, &expected, &is_known).await.map_err(|error| error.fault())?;
        for Payment { signature, amount } in found {
            let told = TransactionSignature(<[u8; 64]>::from(signature));
            let booked = self.inbox.ask(Input::DepositPaid { deposit: id, signature: told, amount }).await;
            match booked {
                Ok(_) => tracing::info!(deposit = %id, %signature, %amount, "a deposit has arrived"),
                Err(fault) if matches!(fault.code.as_str(), "payment_counted" | "reference_reused") => {
                    tracing::warn!(deposit = %id, %signature, "a payment of this deposit was credited before: {fault}");
                    lock(&self.elsewhere).insert((id, signature));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}
