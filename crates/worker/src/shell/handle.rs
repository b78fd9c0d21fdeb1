//! How the rest of the program speaks to the shell's loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lull_settlement::chain::rpc::Tally;
use lull_types::{Fault, WalletAddress};
use lull_worker_api::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};

use super::store::Store;
use crate::blobs::BlobCache;
use crate::kept_wallet::WalletKeys;
use crate::machine::{Order, PayoutFacts, ProofAnswer};
use crate::power::Keeper;
use crate::session::Meter;

/// What a handle asks of the loop.
pub(super) enum Request {
    Order(Box<Order>, oneshot::Sender<Result<(), Fault>>),
    Snapshot(oneshot::Sender<Snapshot>),
    PayoutFacts(oneshot::Sender<Option<PayoutFacts>>),
    ProofAnswer(WalletAddress, oneshot::Sender<Option<ProofAnswer>>),
    /// Somebody looks at the devices' figures, or does not any more.
    Looks,
}

/// A way to speak to a running worker; clones share it.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
    /// How many look at the devices' figures.
    pub(super) looks: Arc<AtomicUsize>,
    pub(super) store: Store,
    pub(super) blobs: BlobCache,
    pub(super) wallet_keys: WalletKeys,
    pub(super) meter: Meter,
    pub(super) power: Keeper,
}

impl Handle {
    /// Gives an order. `Ok` when it is taken and written down.
    ///
    /// # Errors
    /// The refusal; nothing was changed.
    pub async fn order(&self, order: Order) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Order(Box::new(order), reply)).await.map_err(|_| ending())?;
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

    /// Snapshots as they are published.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// Somebody looks at the devices' figures until what this gives is dropped.
    pub fn look(&self) -> Look {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let look = Look { requests: self.requests.clone(), looks: Arc::clone(&self.looks) };
        look.tell();
        look
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

    /// Where what is said over HTTP is counted.
    pub fn http(&self) -> Arc<Tally> {
        self.meter.http()
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

/// Somebody looks at the devices' figures.
#[derive(Debug)]
pub struct Look {
    requests: mpsc::Sender<Request>,
    looks: Arc<AtomicUsize>,
}

impl Look {
    fn tell(&self) {
        // When it is full, the loop is about to see it anyway.
        let _ = self.requests.try_send(Request::Looks);
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.looks.fetch_sub(1, Ordering::Relaxed);
        self.tell();
    }
}

fn ending() -> Fault {
    Fault::new("worker_ending", "the worker is ending; start Lull again")
}
