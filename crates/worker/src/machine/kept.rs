//! The wallet whose key is kept here: it is used when its words were confirmed, and proven to each network without
//! anybody's doing.
//!
//! The machine never sees the key. It asks the network for the text, has the shell sign it, and sends the signature.
//! What is to be done follows from what is known (kept, confirmed, wanted, not proven yet), so that a proof that was cut
//! off, or a restart in the middle of one, needs no memory of its own.

use std::time::Duration;

use lull_checks::wallet::KEPT_BY_WORKER;
use lull_network_api::WorkerMessage;
use lull_types::{Fault, Signature, UnixMillis, WalletAddress};
use lull_worker_api::{KeptWallet, WalletProof};

use super::Machine;
use super::effect::Effect;
use super::out::Out;
use super::record::Record;

/// How long a proof may take: the network's answer, a keychain that asks its owner, and the network's answer again. As
/// long as the network takes what it has drawn.
pub const OWN_PROOF_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// When to try again on the same session: a locked keychain is unlocked by its owner some time, and the wallet earns as
/// it is meanwhile.
pub const OWN_PROOF_RETRY: Duration = Duration::from_secs(10 * 60);

/// Where the proof of the wallet that is kept stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnProof {
    /// Nothing is under way; if one is due, it begins then.
    Idle { from: UnixMillis },
    /// The network was asked for the text.
    UnderWay { since: UnixMillis },
}

impl Default for OwnProof {
    fn default() -> Self {
        Self::Idle { from: UnixMillis(0) }
    }
}

impl Machine {
    /// The wallet that is kept, if its words were confirmed and it is where the contributor wants to be paid.
    fn own_wallet(&self) -> Option<WalletAddress> {
        let kept = self.wallets.kept.as_ref().filter(|kept| kept.confirmed)?;
        (self.wallets.wanted == Some(kept.address)).then_some(kept.address)
    }

    /// Whether the wallet that is kept is this one, and nobody has shown that its words are written down.
    pub(super) fn is_unconfirmed(&self, wallet: WalletAddress) -> bool {
        self.wallets.kept.as_ref().is_some_and(|kept| !kept.confirmed && kept.address == wallet)
    }

    /// The confirmed wallet that is kept, if it is another one than this.
    pub(super) fn keeps_another(&self, wallet: WalletAddress) -> Option<WalletAddress> {
        let kept = self.wallets.kept.as_ref().filter(|kept| kept.confirmed)?;
        (kept.address != wallet).then_some(kept.address)
    }

    pub(super) fn keep_wallet(&mut self, wallet: WalletAddress, out: &mut Out) {
        self.set_kept(Some(KeptWallet { address: wallet, confirmed: false }), out);
    }

    pub(super) fn use_kept_wallet(
        &mut self,
        wallet: WalletAddress,
        in_file: bool,
        now: UnixMillis,
        out: &mut Out,
    ) {
        self.set_kept(Some(KeptWallet { address: wallet, confirmed: true }), out);
        self.set_wallet(Some(wallet), out);
        self.wallets.own = OwnProof::default();
        if in_file {
            let sentence = format!(
                "The key of the wallet {wallet} is in a file on this machine, as you told the worker. Whoever can read \
                 your files can take what the wallet holds."
            );
            self.notify("wallet_key_in_file", sentence, false, now, out);
        }
    }

    pub(super) fn forget_kept_wallet(&mut self, out: &mut Out) {
        self.wallets.proof.take_if(|proof| proof.domain == KEPT_BY_WORKER);
        self.wallets.own = OwnProof::default();
        self.set_kept(None, out);
    }

    fn set_kept(&mut self, kept: Option<KeptWallet>, out: &mut Out) {
        if self.wallets.kept != kept {
            self.wallets.kept = kept.clone();
            out.record(Record::KeptWallet(kept));
        }
    }

    /// Begins a proof when one is due, and gives one up that does not end.
    pub(super) fn drive_own_proof(&mut self, now: UnixMillis, out: &mut Out) {
        let (Some(wallet), Some(session)) = (self.own_wallet(), self.link.up()) else { return };
        // What the network says of the wallet in this session comes first.
        if !self.wallets.heard || self.wallets.is_proven(self.network_id(), wallet) {
            return;
        }
        match self.wallets.own {
            OwnProof::Idle { from } => {
                if out.due(from, now) {
                    self.wallets.own = OwnProof::UnderWay { since: now };
                    let domain = KEPT_BY_WORKER.to_owned();
                    self.wallets.proof = Some(WalletProof::new(wallet, domain.clone()));
                    self.send(session, WorkerMessage::StateWallet { wallet, domain }, out);
                }
            }
            OwnProof::UnderWay { since } => {
                if out.due(since.after(OWN_PROOF_TIMEOUT), now) {
                    self.end_own_proof(now);
                }
            }
        }
    }

    /// The text of a proof of our own is there: its key is to sign it.
    pub(super) fn sign_own_proof(&self, out: &mut Out) {
        let Some(WalletProof { wallet, domain, nonce: Some(nonce), text: Some(text), .. }) =
            &self.wallets.proof
        else {
            return;
        };
        // It may have been forgotten meanwhile.
        if domain == KEPT_BY_WORKER && self.own_wallet() == Some(*wallet) {
            let (nonce, text) = (nonce.clone(), text.clone());
            out.effect(Effect::SignAsWallet { wallet: *wallet, nonce, text });
        }
    }

    pub(super) fn on_signed_as_wallet(
        &mut self,
        nonce: String,
        signed: Result<Signature, Fault>,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let is_asked = self
            .wallets
            .proof
            .as_ref()
            .is_some_and(|proof| proof.domain == KEPT_BY_WORKER && proof.nonce.as_ref() == Some(&nonce));
        if !is_asked {
            return;
        }
        match signed {
            Ok(signature) => self.prove_wallet(nonce, signature, out),
            Err(fault) => self.on_own_proof_failed(&fault, now, out),
        }
    }

    /// If a proof of our own is under way, it has failed, and is begun again after a while.
    pub(super) fn on_own_proof_failed(&mut self, fault: &Fault, now: UnixMillis, out: &mut Out) {
        let is_own = self.wallets.proof.as_ref().is_some_and(|proof| proof.domain == KEPT_BY_WORKER);
        if is_own {
            self.end_own_proof(now);
            self.notify_problem(fault, now, out);
        }
    }

    fn end_own_proof(&mut self, now: UnixMillis) {
        self.wallets.proof.take_if(|proof| proof.domain == KEPT_BY_WORKER);
        self.wallets.own = OwnProof::Idle { from: now.after(OWN_PROOF_RETRY) };
    }
}
