//! Deposits of customers: where they are paid, and the watch over them.
//!
//! A deposit is looked at again after a twentieth of its age, so that a payment within the first minutes is seen within
//! seconds and one after a day within the hour or so. After [`WATCHED`] only whoever fetches the deposit has it looked at;
//! what arrives then is credited all the same. Nothing of this is remembered over a restart but the payments: all is looked
//! at again, and the ledger books each once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lull_settlement::chain::{Address, Chain, Signature};
use lull_settlement::compose::Place;
use lull_settlement::deposit::{self, Expected, Payment, Request};
use lull_types::{
    BaseUnits, ChainAddress, Coded, DepositId, Fault, TransactionSignature, UnixMillis, WalletAddress,
};
use tokio_util::sync::CancellationToken;

use super::Treasury;
use crate::engine::Input;
use crate::reader::Reader;
use crate::store::funds::{self, DepositRow};
use crate::writer::Inbox;

/// How long deposits are watched. Whoever pays later than a month fetches the deposit to see that it arrived.
pub const WATCHED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Slots between two looks at the same deposit at least, which is four seconds: what is in a block is final 32 later.
const LOOK_SLOTS_MIN: u32 = 10;
/// What part of a deposit's age passes between two looks.
const LOOK_AFTER_AGE_PART: u64 = 20;
/// How often it is seen which deposits are due, in slots: every second or so.
const TICK_SLOTS: u32 = 3;
/// Questions to the chain at once.
const AT_ONCE: usize = 8;

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
    /// When each was looked at last.
    looked: Mutex<HashMap<DepositId, UnixMillis>>,
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
            looked: Mutex::default(),
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
        let work = async {
            let mut timer = tokio::time::interval(self.slot * TICK_SLOTS);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut complaint = String::new();
            loop {
                timer.tick().await;
                // The same trouble every second is told once.
                let now = self.look_at_due().await.err().map(|fault| fault.to_string()).unwrap_or_default();
                if now != complaint && !now.is_empty() {
                    tracing::warn!("deposits wait: {now}");
                }
                complaint = now;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = work => {}
        }
    }

    async fn look_at_due(&self) -> Result<(), Fault> {
        let now = (self.clock)();
        let since = UnixMillis(now.0.saturating_sub(WATCHED.as_millis() as u64));
        let deposits = self.reader.read(move |db| funds::deposits_since(db, since)).await?;
        self.forget_all_but(&deposits);
        let due = deposits.into_iter().filter(|deposit| self.is_due(deposit, now));
        let looks = stream::iter(due).map(|deposit| async move { self.look(&deposit).await });
        let mut looks = looks.buffer_unordered(AT_ONCE);
        let mut outcome = Ok(());
        while let Some(looked) = looks.next().await {
            outcome = outcome.and(looked);
        }
        outcome
    }

    /// What is no longer watched may be looked at by request; it is bounded by those who ask.
    fn forget_all_but(&self, watched: &[DepositRow]) {
        let watched: HashSet<DepositId> = watched.iter().map(|deposit| deposit.id).collect();
        let now = (self.clock)();
        lock(&self.looked).retain(|id, at| watched.contains(id) || now < self.earliest(*at));
        lock(&self.elsewhere).retain(|(id, _)| watched.contains(id));
    }

    fn is_due(&self, deposit: &DepositRow, now: UnixMillis) -> bool {
        let age_ms = now.0.saturating_sub(deposit.created_at.0);
        let wait_ms = age_ms / LOOK_AFTER_AGE_PART;
        let looked = lock(&self.looked).get(&deposit.id).copied();
        looked.is_none_or(|at| now >= self.earliest(at) && now.0 >= at.0.saturating_add(wait_ms))
    }

    /// When a deposit may be looked at again.
    fn earliest(&self, looked: UnixMillis) -> UnixMillis {
        looked.after(self.slot * LOOK_SLOTS_MIN)
    }

    /// Looks at a deposit for whoever fetches it, unless that was done a moment ago.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn look_now(&self, deposit: &DepositRow) -> Result<(), Fault> {
        let now = (self.clock)();
        let looked = lock(&self.looked).get(&deposit.id).copied();
        if looked.is_some_and(|at| now < self.earliest(at)) {
            return Ok(());
        }
        self.look(deposit).await
    }

    async fn look(&self, deposit: &DepositRow) -> Result<(), Fault> {
        let id = deposit.id;
        lock(&self.looked).insert(id, (self.clock)());
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Each is whole between its statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
