//! How the rest of the program speaks to the shell's loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lull_types::{Fault, WalletAddress};
use lull_worker_api::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};

use super::store::Store;
use crate::blobs::BlobCache;
use crate::kept_wallet::WalletKeys;
use crate::machine::{Order, PayoutFacts, ProofAnswer};
use crate::power::Keeper;

/// What a handle asks of the loop.
pub(super) enum Request {
    Order(Order, oneshot::Sender<Result<(), Fault>>),
    Snapshot(oneshot::Sender<Snapshot>),
    PayoutFacts(oneshot::Sender<Option<PayoutFacts>>),
    ProofAnswer(WalletAddress, oneshot::Sender<Option<ProofAnswer>>),
    /// Somebody watches the snapshots now.
    Watched,
}

/// A way to speak to a running worker; clones share it.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
    /// Receivers that watch nothing themselves: the local API's, from which its clients' are cloned.
    pub(super) unwatched: Arc<AtomicUsize>,
    pub(super) store: Store,
    pub(super) blobs: BlobCache,
    pub(super) wallet_keys: WalletKeys,
    pub(super) power: Keeper,
}

impl Handle {
    /// Gives an order. `Ok` when it is taken and written down.
    ///
    /// # Errors
    /// The refusal; nothing was changed.
    pub async fn order(&self, order: Order) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Order(order, reply)).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())?
    }

    /// A snapshot as of now.
    ///
    /// # Errors
    /// When the worker is ending.
    pub async fn snapshot(&self) -> Result<Snapshot, Fault> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Snapshot(reply)).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())
    }

    /// What is needed to check payouts, as of now.
    ///
    /// # Errors
    /// When no network is joined, or the worker is ending.
    pub async fn payout_facts(&self) -> Result<PayoutFacts, Fault> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::PayoutFacts(reply)).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())?.ok_or_else(|| {
            Fault::new("no_network", "No network is joined yet; join one, or the practice network, to begin.")
        })
    }

    /// The answer to the last [`Order::WantProof`] for this wallet; none if the session has ended since.
    ///
    /// # Errors
    /// When the worker is ending.
    pub async fn proof_answer(&self, wallet: WalletAddress) -> Result<Option<ProofAnswer>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::ProofAnswer(wallet, reply)).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())
    }

    /// Snapshots as they are published. Whoever keeps one is taken to be looking at the devices' figures.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// The same for whoever only hands clones on.
    pub fn snapshots_to_clone(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.unwatched.fetch_add(1, Ordering::Relaxed);
        self.snapshots.subscribe()
    }

    /// Says that somebody watches the snapshots from now on.
    pub fn watched(&self) {
        // When it is full, the loop is about to look anyway.
        let _ = self.requests.try_send(Request::Watched);
    }

    /// Waits until the worker has ended.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// What is kept.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Blobs on this machine.
    pub fn blobs(&self) -> &BlobCache {
        &self.blobs
    }

    /// What keeps boards at their power limits.
    pub fn power(&self) -> &Keeper {
        &self.power
    }

    /// Keys of wallets on this machine.
    pub fn wallet_keys(&self) -> &WalletKeys {
        &self.wallet_keys
    }
}

fn ending() -> Fault {
    Fault::new("worker_ending", "the worker is ending; start Lull again")
}
