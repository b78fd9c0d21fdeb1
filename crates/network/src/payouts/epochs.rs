//! Epochs: closing them, publishing them, and proofs from what was published.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lull_settlement::epoch::{Anchor, Leaf, Leaves, Proof, Tree};
use lull_settlement::publication::{self, Header};
use lull_settlement::sender::{Epoch, Input, Payee, PayoutState, Sender};
use lull_types::{BaseUnits, Coded, Fault, UnixMillis, WalletAddress, WorkerId};

use super::Task;
use crate::engine::{self, Answer};
use crate::store::payouts;

/// Trees in memory: the one on the chain, and the one that is to follow.
const KEPT: usize = 2;

/// A published epoch in memory, 136 bytes for each leaf.
struct Published {
    number: u64,
    leaves: Leaves,
    tree: Tree,
}

/// The folder of publications.
pub(super) struct Epochs {
    folder: PathBuf,
    anchor: Anchor,
    /// The latest used last.
    kept: Vec<Arc<Published>>,
}

/// The file of an epoch in its folder.
pub fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.epoch"))
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::new("publication_unusable", format!("cannot use {}: {error}", path.display()))
}

impl Epochs {
    pub(super) fn open(folder: PathBuf, anchor: Anchor) -> Result<Self, Fault> {
        std::fs::create_dir_all(&folder).map_err(|error| unusable(&folder, error))?;
        Ok(Self { folder, anchor, kept: Vec::new() })
    }

    /// Has an epoch's tree in memory.
    pub(super) async fn load(&mut self, number: u64) -> Result<(), Fault> {
        if self.kept.iter().any(|kept| kept.number == number) {
            return Ok(());
        }
        let path = file(&self.folder, number);
        let anchor = self.anchor;
        let read = blocking(move || {
            let open = File::open(&path).map_err(|error| unusable(&path, error))?;
            let (header, leaves) = publication::read(BufReader::new(open)).map_err(|error| error.fault())?;
            if header.anchor != anchor || header.epoch != number {
                return Err(unusable(&path, "it is of another network or epoch"));
            }
            let tree = Tree::build(&anchor, &leaves);
            Ok(Published { number, leaves, tree })
        });
        self.keep(read.await?);
        Ok(())
    }

    fn keep(&mut self, published: Published) {
        self.kept.retain(|kept| kept.number != published.number);
        self.kept.push(Arc::new(published));
        let surplus = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..surplus);
    }

    /// A leaf of an epoch that was loaded, with its proof.
    pub(super) fn prove(
        &self,
        number: u64,
        worker: WorkerId,
        wallet: WalletAddress,
    ) -> Result<(Leaf, Proof), Fault> {
        let published = self.kept.iter().find(|kept| kept.number == number);
        let found = published.and_then(|published| {
            let position = published.leaves.position(worker, wallet)?;
            Some((*published.leaves.as_slice().get(position)?, published.tree.proof(position)?))
        });
        found.ok_or_else(|| {
            Fault::new(
                "not_in_epoch",
                format!("epoch {number} lists nothing of this worker for this wallet; what was earned since is listed in the next"),
            )
        })
    }

    /// Writes the file of an epoch, whole or not at all, and keeps its tree.
    async fn publish(&mut self, number: u64, leaves: Vec<Leaf>) -> Result<Header, Fault> {
        let path = file(&self.folder, number);
        let anchor = self.anchor;
        let published = blocking(move || {
            let leaves = Leaves::new(leaves).map_err(|error| error.fault())?;
            let tree = Tree::build(&anchor, &leaves);
            let temporary = path.with_extension("new");
            let write = || {
                let mut out = BufWriter::new(File::create(&temporary)?);
                let header = publication::write(&mut out, anchor, number, &leaves, &tree)?;
                out.into_inner()?.sync_all()?;
                std::fs::rename(&temporary, &path)?;
                Ok::<_, std::io::Error>(header)
            };
            let header = write().map_err(|error| unusable(&path, error))?;
            Ok((header, Published { number, leaves, tree }))
        });
        let (header, published) = published.await?;
        self.keep(published);
        Ok(header)
    }
}

/// Epochs are counted from 1970 in steps of their length, so a longer one would count backwards.
///
/// # Errors
/// When it would.
pub fn check_length(connection: &rusqlite::Connection, epoch_ms: u64, now: UnixMillis) -> Result<(), Fault> {
    let closed = payouts::closed(connection)
        .map_err(|error| Fault::new("store_unusable", format!("the records cannot be read: {error}")))?;
    match closed {
        Some(closed) if closed > now.0 / epoch_ms.max(1) => Err(Fault::new(
            "epoch_length_grew",
            format!(
                "this network has closed epoch {closed}, and with so long an epoch it would begin again below that; make epochs no longer than they were"
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether a root over leaves of this total, after which these payouts are to be sent, would tell nothing new.
fn is_known(sender: &Sender, total: BaseUnits, sent: &[(Payee, BaseUnits, BaseUnits)]) -> bool {
    // The same total has the same leaves, as none ever falls: its root is on the chain already.
    let is_posted = sender.epoch().is_some_and(|epoch| epoch.total == total);
    // A root again for payouts that are under way would only hold them up: they wait until it is on the chain.
    let is_under_way = |payee, lifetime| {
        sender.payout(payee).is_some_and(|payout| match payout.state {
            PayoutState::Planned | PayoutState::InBatch(_) => payout.lifetime == lifetime,
            PayoutState::Confirmed | PayoutState::Held | PayoutState::Left => false,
        })
    };
    is_posted && sent.iter().all(|(payee, lifetime, _)| is_under_way(payee, *lifetime))
}

impl Task {
    /// Closes the epoch that has ended, if one has, and gives it to the sender. After a crash it goes on where it was: an
    /// epoch that was closed and not published is published as it was closed.
    pub(super) async fn close_epoch_if_due(&mut self) -> Result<(), Fault> {
        let ended = ((self.setup.clock)().0 / self.setup.epoch_ms.max(1)).saturating_sub(1);
        let newest = self.sender().await?.epoch().cloned();
        let closed = self.setup.reader.read(payouts::closed).await?;
        let published = newest.as_ref().map(|epoch| epoch.number);
        let unpublished = closed.filter(|closed| published.is_none_or(|published| *closed > published));
        let due = match unpublished.filter(|closed| self.nothing_new != Some(*closed)) {
            Some(closed) => closed,
            None if closed.is_some_and(|closed| closed >= ended) => return Ok(()),
            // A root is replaced only when it is on the chain: otherwise a network that is slow to post would replace
            // every root before it is there.
            None if newest.as_ref().is_some_and(|epoch| !epoch.anchored) => return Ok(()),
            None => {
                self.list(ended).await?;
                ended
            }
        };
        let leaves = self.setup.reader.read(payouts::leaves).await?;
        let sent = self.setup.reader.read(payouts::sent).await?;
        let total = leaves.iter().fold(0u64, |sum, leaf| sum.saturating_add(leaf.lifetime.0));
        if leaves.is_empty() || is_known(self.sender().await?, BaseUnits(total), &sent) {
            self.nothing_new = Some(due);
            return Ok(());
        }
        let header = self.epochs.publish(due, leaves).await?;
        tracing::info!(epoch = due, leaves = header.leaves, total = %header.total, sent = sent.len(), "an epoch is published");
        let epoch = Epoch { number: due, root: header.root, total: header.total, anchored: false };
        self.give(Input::Epoch { epoch, payouts: sent }).await?;
        self.refused = None;
        Ok(())
    }

    /// Has the engine list all that is payable, part by part.
    async fn list(&self, number: u64) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let answer = self.setup.inbox.ask(engine::Input::CloseEpoch { number, after }).await?;
            match answer {
                Answer::EpochPart { next: Some(next) } => after = Some(next),
                _ => return Ok(()),
            }
        }
    }
}

/// On a thread that may take its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let stopped = |_| Fault::new("network_shutting_down", "the network is shutting down");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

#[cfg(test)]
mod tests {
    use lull_settlement::compose::Key;
    use lull_settlement::sender::{BatchId, Payout, Policy, Record};

    use super::*;

    const LISTED: BaseUnits = BaseUnits(60);

    fn payee(n: u8) -> Payee {
        let wallet = WalletAddress::from_bytes(Key::from_bytes(&[n; 32]).address().to_bytes()).unwrap();
        Payee { worker: WorkerId([n; 32]), wallet }
    }

    /// A sender that has posted a root over 100 base units, with payouts of [`LISTED`] this far.
    fn sender(payouts: &[PayoutState]) -> Sender {
        let epoch = Epoch { number: 7, root: [1; 32], total: BaseUnits(100), anchored: true };
        let payouts = (0..).zip(payouts).map(|(n, &state)| {
            let (paid, fee) = (BaseUnits::ZERO, BaseUnits(1));
            Record::Payout(Payout { payee: payee(n), lifetime: LISTED, fee, paid, state, failures: 0 })
        });
        Sender::restore(Policy::default(), [Record::Epoch(epoch)].into_iter().chain(payouts))
    }

    /// Whether a root is known by which all these payouts are to be sent again.
    fn known(payouts: &[PayoutState], total: u64, lifetime: BaseUnits) -> bool {
        let sent: Vec<_> = (0..).zip(payouts).map(|(n, _)| (payee(n), lifetime, BaseUnits(1))).collect();
        is_known(&sender(payouts), BaseUnits(total), &sent)
    }

    #[test]
    fn payouts_that_are_under_way_are_no_reason_for_a_root_again() {
        // Each root holds up the payouts of the one before, so that epochs shorter than a payout would never pay.
        let under_way = [PayoutState::Planned, PayoutState::InBatch(BatchId(3))];
        for payouts in [&under_way[..], &under_way[..1], &[]] {
            assert!(known(payouts, 100, LISTED), "{payouts:?}");
        }
    }

    #[test]
    fn what_is_new_is_posted() {
        let planned = PayoutState::Planned;
        assert!(!known(&[planned], 101, LISTED), "more was earned");
        assert!(!known(&[planned], 100, BaseUnits(61)), "more is to be sent");
        // What was held is tried again, and whoever claimed alone may have it sent now.
        for state in [PayoutState::Held, PayoutState::Left, PayoutState::Confirmed] {
            assert!(!known(&[planned, state], 100, LISTED), "{state:?}");
        }
        let nobody = Sender::restore(Policy::default(), []);
        assert!(!is_known(&nobody, BaseUnits(100), &[]), "nothing was ever posted");
        assert!(
            !is_known(&sender(&[]), BaseUnits(100), &[(payee(0), LISTED, BaseUnits(1))]),
            "a first payout"
        );
    }
}
