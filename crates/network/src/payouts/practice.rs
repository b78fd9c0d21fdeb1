//! Paying out on the practice ledger: real transactions with real signatures, of tokens that are worth nothing.

use std::path::Path;
use std::time::Duration;

use lull_settlement::chain::svm::{Ledger, Options};
use lull_settlement::compose::{Key, Place};
use lull_settlement::epoch::Anchor;
use lull_types::{BaseUnits, ChainAddress, ChainPlace, Coded, Fault, SecretKey, UnixMillis};

use super::Treasury;
use super::settings::Charges;
use crate::engine::PayoutPolicy;

/// Sending a payout costs 5,000 lamports; at 150 USDC for a SOL, that is so much. A practice network pays rents itself:
/// a newcomer would work for days for the first.
const FEE: BaseUnits = BaseUnits(750);
/// A payout is worth its fee several times, and a newcomer sees the first within a quarter of an hour, even where a
/// processor stands in for the GPU.
pub const CHARGES: Charges =
    Charges { first: FEE, later: FEE, threshold: BaseUnits(5_000), threshold_min: BaseUnits(1_000) };
/// A practice network pays within minutes, so that a newcomer sees a payout: a receipt's audit there guards nothing.
/// Every epoch in which somebody earned is a transaction and a file, of which there is a year's worth in 100 MB.
pub const EPOCH_MS: u64 = 5 * 60 * 1000;
/// Long enough to be seen, so that a newcomer learns what held means.
pub const AUDIT_WINDOW_MS: u64 = 60 * 1000;

/// Begins the practice ledger, or goes on with it. The treasury's key follows from the network's.
///
/// # Errors
/// When the ledger's file cannot be used.
pub async fn begin(
    path: &Path,
    key: &SecretKey,
    slot: Duration,
    clock: fn() -> UnixMillis,
) -> Result<(Ledger, Place, Treasury), Fault> {
    let slot_ms = u64::try_from(slot.as_millis()).unwrap_or(u64::MAX);
    let options = Options { slot_ms, ..Options::default() };
    let ledger = Ledger::open(path, options, clock).map_err(|error| error.fault())?;
    let treasury = Key::from_bytes(&blake3::derive_key("lull practice treasury 1", &key.to_bytes()));
    let genesis = ledger.begin(treasury.address()).await.map_err(|error| error.fault())?;
    let none =
        || Fault::new("chain_no_address", "this network's key has no account on the chain; make another key");
    let anchor = Anchor::new(key.network_id(), genesis.program.to_bytes()).ok_or_else(none)?;
    let place = Place::new(anchor, genesis.mint).ok_or_else(none)?;
    let treasury = Treasury::of(treasury, &place).map_err(|error| error.fault())?;
    Ok((ledger, place, treasury))
}

/// How a practice network pays.
pub fn policy(place: &Place, charges: Charges, endpoint: Option<String>) -> PayoutPolicy {
    PayoutPolicy {
        place: told(place, "practice", endpoint),
        fee_first: charges.first,
        fee_later: charges.later,
        threshold: charges.threshold,
        threshold_min: charges.threshold_min,
        pays_unproven: true,
    }
}

/// A place as workers are told it.
pub fn told(place: &Place, cluster: &str, endpoint: Option<String>) -> ChainPlace {
    ChainPlace {
        cluster: cluster.to_owned(),
        endpoint,
        program: ChainAddress(*place.anchor.program()),
        mint: ChainAddress(place.mint.to_bytes()),
        account: ChainAddress(*place.anchor.account()),
    }
}
