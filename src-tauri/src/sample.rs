//! A snapshot for tests to change.

use lull_types::{UnixMillis, WorkerId};
use lull_worker_api::{
    DataView, EarningsView, Intent, PROTOCOL_VERSION, PowerPrice, Settings, Snapshot, StateView, Steps,
};

/// A worker that is ready and has not earned yet.
pub fn snapshot() -> Snapshot {
    Snapshot {
        protocol: PROTOCOL_VERSION,
        worker_version: "0.1.0".to_owned(),
        worker: WorkerId([1; 32]),
        taken_at: UnixMillis(0),
        intent: Intent::On,
        state: StateView::Ready { reason: None },
        steps: Steps { devices_found: true, benchmarked: true, enrolled: true, first_receipt: false },
        hardware: None,
        sandbox: Vec::new(),
        guards: Vec::new(),
        data: DataView::default(),
        devices: Vec::new(),
        network: None,
        wallet: None,
        wallet_standing: None,
        wallet_proof: None,
        kept_wallet: None,
        payouts: None,
        earnings: EarningsView::default(),
        estimate: None,
        power_price: PowerPrice::default(),
        settings: Settings::default(),
        notices: Vec::new(),
    }
}
