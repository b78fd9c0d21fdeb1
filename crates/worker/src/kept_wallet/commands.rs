//! What a contributor does with a wallet that is kept: make it, confirm it, take one over, export it, remove it.

use std::sync::Arc;

use lull_types::{Coded, Fault, WalletAddress};
use lull_worker_api::KeptWallet;
use tokio::sync::Mutex;

use super::keys::{KeptWalletError, Place};
use super::words::WalletWords;
use crate::machine::Order;
use crate::shell::Handle;

/// The wallet that a running worker keeps; clones share it.
#[derive(Clone, Debug)]
pub struct KeptWallets {
    worker: Handle,
    /// Keychain and journal are changed one after the other, by one command at a time.
    turn: Arc<Mutex<()>>,
}

impl KeptWallets {
    /// The one of this worker.
    pub fn new(worker: Handle) -> Self {
        Self { worker, turn: Arc::default() }
    }

    /// Makes a wallet. One that was made before and never confirmed is replaced by it.
    ///
    /// # Errors
    /// When a confirmed one is kept, or there is no place for its key. Nothing has changed then.
    pub async fn make(&self) -> Result<(WalletAddress, WalletWords), Fault> {
        let _turn = self.turn.lock().await;
        let before = self.kept().await?;
        if let Some(KeptWallet { address, confirmed: true }) = before {
            return Err(KeptWalletError::Another(address).fault());
        }
        let words = WalletWords::draw().map_err(|error| error.fault())?;
        let wallet = self.keep(&words, Order::KeepWallet).await?;
        self.drop_unconfirmed(before, wallet).await;
        Ok((wallet, words))
    }

    /// Takes the words as proof that they were written down, and has the worker paid to their wallet.
    ///
    /// # Errors
    /// When they are not those of the wallet that was made. Nothing has changed then.
    pub async fn confirm(&self, typed: &str) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        let kept = self.kept().await?.ok_or_else(|| KeptWalletError::Nothing.fault())?;
        let words = of_wallet(typed, kept.address)?;
        if kept.confirmed {
            return Ok(());
        }
        // The key is stored again, because a keychain may have lost it since; money must not go where it is not.
        self.keep(&words, |wallet| self.in_use(wallet)).await?;
        Ok(())
    }

    /// Takes a wallet over by its words, and has the worker paid to it. Gives its address.
    ///
    /// # Errors
    /// When another confirmed one is kept, or there is no place for its key. Nothing has changed then.
    pub async fn restore(&self, typed: &str) -> Result<WalletAddress, Fault> {
        let _turn = self.turn.lock().await;
        let words = WalletWords::parse(typed).map_err(|error| error.fault())?;
        let address = words.address().map_err(|error| error.fault())?;
        let before = self.kept().await?;
        match &before {
            Some(kept) if kept.confirmed && kept.address != address => {
                return Err(KeptWalletError::Another(kept.address).fault());
            }
            Some(_) | None => {}
        }
        let wallet = self.keep(&words, |wallet| self.in_use(wallet)).await?;
        self.drop_unconfirmed(before, wallet).await;
        Ok(wallet)
    }

    /// The words of the wallet that is kept.
    ///
    /// # Errors
    /// When none is, or its key cannot be had.
    pub async fn export(&self) -> Result<(WalletAddress, WalletWords), Fault> {
        let _turn = self.turn.lock().await;
        let wallet = self.kept().await?.ok_or_else(|| KeptWalletError::Nothing.fault())?.address;
        let found = self.worker.wallet_keys().words(wallet).await.map_err(|error| error.fault())?;
        Ok((wallet, found.ok_or_else(|| KeptWalletError::Lost(wallet).fault())?))
    }

    /// Removes the key of the wallet that is kept from this machine. Without the words, the contributor has said that
    /// they have them. Where earnings are paid stays as it is.
    ///
    /// # Errors
    /// When none is kept, the words are another one's, or the keychain does not answer.
    pub async fn forget(&self, typed: Option<&str>) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        let wallet = self.kept().await?.ok_or_else(|| KeptWalletError::Nothing.fault())?.address;
        if let Some(typed) = typed {
            of_wallet(typed, wallet)?;
        }
        // The key first: one that nothing names any more would stay for good.
        self.worker.wallet_keys().remove(wallet).await.map_err(|error| error.fault())?;
        self.worker.order(Order::ForgetKeptWallet).await
    }

    async fn kept(&self) -> Result<Option<KeptWallet>, Fault> {
        Ok(self.worker.snapshot().await?.kept_wallet)
    }

    /// Stores the key, then has the worker write down that it is there.
    async fn keep(
        &self,
        words: &WalletWords,
        order: impl FnOnce(WalletAddress) -> Order,
    ) -> Result<WalletAddress, Fault> {
        let wallet = self.worker.wallet_keys().keep(words).await.map_err(|error| error.fault())?;
        self.worker.order(order(wallet)).await?;
        Ok(wallet)
    }

    fn in_use(&self, wallet: WalletAddress) -> Order {
        let in_file = match self.worker.wallet_keys().place() {
            Place::Folder(_) => true,
            Place::Keychain | Place::Nowhere => false,
        };
        Order::UseKeptWallet { wallet, in_file }
    }

    /// Removes the key of a wallet that another one has replaced, and that nobody was ever paid to.
    async fn drop_unconfirmed(&self, before: Option<KeptWallet>, now: WalletAddress) {
        let Some(before) = before.filter(|before| !before.confirmed && before.address != now) else { return };
        if let Err(error) = self.worker.wallet_keys().remove(before.address).await {
            tracing::warn!(code = error.code(), "the key of a wallet that was not confirmed stays behind");
        }
    }
}

/// Words that are those of this wallet.
fn of_wallet(typed: &str, wallet: WalletAddress) -> Result<WalletWords, Fault> {
    let words = WalletWords::parse(typed).map_err(|error| error.fault())?;
    match words.address() {
        Ok(address) if address == wallet => Ok(words),
        Ok(_) | Err(_) => Err(KeptWalletError::Differ.fault()),
    }
}
