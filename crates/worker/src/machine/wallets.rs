//! Where the contributor is paid: what they want, what the network says of it, and a proof that is under way.

use chrono::DateTime;
use lull_checks::wallet::{self, KEPT_BY_WORKER, ON_CHAIN};
use lull_network_api::WorkerMessage;
use lull_types::{
    Coded, Fault, NetworkId, Signature, UnixMillis, WalletAddress, WalletStanding, WalletStatement,
};
use lull_worker_api::{KeptWallet, WalletProof};

use super::Machine;
use super::kept::{OWN_PROOF_TIMEOUT, OwnProof};
use super::out::Out;
use super::record::Record;

/// What the machine knows of wallets.
#[derive(Clone, Debug, Default)]
pub(super) struct Wallets {
    /// Where the contributor wants to be paid.
    pub wanted: Option<WalletAddress>,
    /// The wallet whose key is kept on this machine.
    pub kept: Option<KeptWallet>,
    /// Where its proof stands.
    pub own: OwnProof,
    /// What a network said of it last.
    standing: Option<(NetworkId, WalletStanding)>,
    /// Whether it said so in this session.
    pub heard: bool,
    /// The proof under way, of the session that it was begun in.
    pub proof: Option<WalletProof>,
}

impl Wallets {
    /// The proof under way.
    pub fn proof(&self) -> Option<&WalletProof> {
        self.proof.as_ref()
    }

    /// What this network said.
    pub fn standing(&self, network: Option<NetworkId>) -> Option<&WalletStanding> {
        self.standing.as_ref().filter(|(by, _)| Some(*by) == network).map(|(_, standing)| standing)
    }

    /// Whether this network has a proof of the wallet, which counts now or after the wait of a change.
    pub fn is_proven(&self, network: Option<NetworkId>, wallet: WalletAddress) -> bool {
        self.standing(network).is_some_and(|standing| standing.paid_from(wallet).is_some())
    }
}

impl Machine {
    pub(super) fn set_wallet(&mut self, wallet: Option<WalletAddress>, out: &mut Out) {
        self.want_wallet(wallet, out);
        // A proof of our own that goes on would set its wallet again.
        self.wallets.proof.take_if(|proof| proof.domain == KEPT_BY_WORKER && wallet != Some(proof.wallet));
        if let Some(session) = self.link.up() {
            self.send(session, WorkerMessage::SetWallet(wallet), out);
        }
    }

    fn want_wallet(&mut self, wallet: Option<WalletAddress>, out: &mut Out) {
        if self.wallets.wanted != wallet {
            self.wallets.wanted = wallet;
            out.record(Record::Wallet(wallet));
        }
    }

    /// Asks the network what the holder of a wallet is to sign, on a page. A network draws one text at a time, so that a
    /// proof of our own waits until the page has had its time.
    pub(super) fn state_wallet(
        &mut self,
        wallet: WalletAddress,
        domain: String,
        now: UnixMillis,
        out: &mut Out,
    ) {
        if let Some(session) = self.link.up() {
            self.wallets.own = OwnProof::Idle { from: now.after(OWN_PROOF_TIMEOUT) };
            self.wallets.proof = Some(WalletProof::new(wallet, domain.clone()));
            self.send(session, WorkerMessage::StateWallet { wallet, domain }, out);
        }
    }

    /// Sends the network what the holder signed.
    pub(super) fn prove_wallet(&mut self, nonce: String, signature: Signature, out: &mut Out) {
        if let (Some(session), Some(proof)) = (self.link.up(), &mut self.wallets.proof) {
            proof.fault = None;
            self.send(session, WorkerMessage::ProveWallet { nonce, signature }, out);
        }
    }

    pub(super) fn on_wallet_statement(
        &mut self,
        network: NetworkId,
        statement: &WalletStatement,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let worker = self.worker_id();
        let Some(proof) = &mut self.wallets.proof else { return };
        // A page took the place of a proof of our own, whose answer this is.
        if statement.domain == KEPT_BY_WORKER && proof.domain != KEPT_BY_WORKER {
            return;
        }
        // A network that has something else signed than what was asked for does not get it.
        let is_asked = statement.network == network
            && statement.worker == worker
            && statement.wallet == proof.wallet
            && statement.domain == proof.domain;
        let text = if is_asked { wallet::text(statement) } else { Err(wallet::WalletProofError::Malformed) };
        match text {
            Ok(text) => {
                proof.nonce = Some(statement.nonce.clone());
                proof.text = Some(text);
                // There is none for a statement whose text is signed.
                proof.reference = wallet::reference(statement).ok();
                proof.expires_at = Some(statement.expires_at);
                proof.fault = None;
                self.sign_own_proof(out);
            }
            Err(error) => {
                proof.fault = Some(error.fault());
                self.on_own_proof_failed(&error.fault(), now, out);
            }
        }
    }

    pub(super) fn on_wallet_set(
        &mut self,
        network: NetworkId,
        standing: WalletStanding,
        now: UnixMillis,
        out: &mut Out,
    ) {
        if let Some(proof) = self.wallets.proof.take_if(|proof| standing.paid_from(proof.wallet).is_some()) {
            // A transaction proves the wallet that was set; another may have been set while it was under way.
            if proof.domain != ON_CHAIN {
                self.want_wallet(Some(proof.wallet), out);
            }
            self.wallets.own = OwnProof::default();
        }
        if let Some(next) = &standing.next {
            let to = next.wallet.map_or_else(|| "no wallet".to_owned(), |wallet| wallet.to_string());
            let sentence = format!(
                "From {} on your earnings go to {to}. If that was not you, set your own wallet again before then.",
                day(next.from)
            );
            let is_told = self.notices.iter().any(|notice| notice.sentence == sentence);
            if !is_told {
                self.notify("wallet_changes", sentence, false, now, out);
            }
        }
        self.wallets.standing = Some((network, standing));
        self.wallets.heard = true;
    }

    /// Whether a refusal is about the proof under way, which then says so.
    pub(super) fn is_about_wallet(&mut self, fault: &Fault, now: UnixMillis, out: &mut Out) -> bool {
        // A text was asked for and none has come: whoever is not enrolled gets none.
        let is_about = |proof: &&mut WalletProof| {
            fault.code.starts_with("wallet_") || (fault.code == "not_enrolled" && proof.nonce.is_none())
        };
        let Some(proof) = self.wallets.proof.as_mut().filter(is_about) else { return false };
        proof.fault = Some(fault.clone());
        self.on_own_proof_failed(fault, now, out);
        true
    }

    /// A session has ended, and with it what was asked in it.
    pub(super) fn forget_wallet_proof(&mut self) {
        self.wallets.proof = None;
        self.wallets.own = OwnProof::default();
        self.wallets.heard = false;
    }
}

/// A day and time for people everywhere.
fn day(at: UnixMillis) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis)
        .map_or_else(|| "a day far away".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}
