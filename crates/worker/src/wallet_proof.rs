//! Proving a wallet: what the network says to it, and the code by which a wallet on a phone does it.

use std::time::Duration;

use lull_checks::wallet::ON_CHAIN;
use lull_settlement::chain::Address;
use lull_settlement::qr;
use lull_settlement::wallet_proof::ProofRequest;
use lull_types::{Coded, Fault, WalletAddress};
use lull_worker_api::{Reply, Snapshot, WalletProof};
use tokio::time::timeout;

use crate::machine::Order;
use crate::shell::Handle;

/// How long the network may take with an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Looks at the snapshots until one decides.
pub(crate) async fn until_decided<T>(
    worker: &Handle,
    decide: impl Fn(&Snapshot) -> Option<Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut snapshots = worker.snapshots();
    let decided = async {
        loop {
            // The watched ones come after a moment; this is of now.
            if let Some(decision) = decide(&worker.snapshot().await?) {
                return decision;
            }
            snapshots.changed().await.map_err(|_| cut_off())?;
        }
    };
    timeout(ANSWER_TIMEOUT, decided).await.unwrap_or_else(|_| {
        Err(Fault::new("wallet_network_silent", "The network did not answer; try again in a moment."))
    })
}

pub(crate) fn cut_off() -> Fault {
    Fault::new("wallet_proof_cut_off", "The connection to the network was cut meanwhile; begin again.")
}

/// Has the network draw what a wallet's holder is to say on this domain; `replaced` is what is told when another proof took
/// its place.
pub(crate) async fn drawn(
    worker: &Handle,
    wallet: WalletAddress,
    domain: &str,
    replaced: &str,
) -> Result<WalletProof, Fault> {
    worker.order(Order::StateWallet { wallet, domain: domain.to_owned() }).await?;
    until_decided(worker, |snapshot| {
        let Some(proof) = &snapshot.wallet_proof else { return Some(Err(cut_off())) };
        if proof.wallet != wallet || proof.domain != domain {
            return Some(Err(Fault::new("wallet_page_replaced", replaced)));
        }
        match &proof.fault {
            Some(fault) => Some(Err(fault.clone())),
            // Nonce and text come together.
            None => proof.nonce.is_some().then(|| Ok(proof.clone())),
        }
    })
    .await
}

/// Asks for a transaction of the wallet that is set: as a URL, and as a code that a phone reads.
///
/// # Errors
/// When no wallet is set, or the network does not ask for one.
pub(crate) async fn request_by_phone(worker: &Handle) -> Result<Reply, Fault> {
    let snapshot = worker.snapshot().await?;
    let wallet = snapshot.wallet.ok_or_else(|| {
        let sentence = "Set the address of the wallet on your phone first; it is that one which is proven.";
        Fault::new("wallet_not_set", sentence)
    })?;
    let replaced = "A proof on another way was begun meanwhile; go on there.";
    let proof = drawn(worker, wallet, ON_CHAIN, replaced).await?;
    let (reference, expires_at) = proof.reference.zip(proof.expires_at).ok_or_else(cut_off)?;
    let request = ProofRequest {
        wallet,
        reference: Address::new_from_array(reference.0),
        label: "Lull".to_owned(),
        message: format!(
            "Be paid to this wallet for what machine {} earns. It sends this to itself.",
            snapshot.worker.short()
        ),
    };
    let url = request.to_string();
    let picture = qr::picture(&url).map_err(|error| error.fault())?;
    Ok(Reply::WalletRequest { wallet, picture, url, expires_at })
}
