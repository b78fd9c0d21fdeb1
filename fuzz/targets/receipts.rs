//! A file of receipts from anyone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_types::{CountersignedReceipt, NetworkId, WorkerId};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(history) = serde_json::from_slice::<Vec<CountersignedReceipt>>(bytes) {
        let (network, worker) = history
            .first()
            .map_or((NetworkId([0; 32]), WorkerId([0; 32])), |r| (r.signed.receipt.network, r.signed.receipt.worker));
        let checked = lull_checks::receipts::verify_all(network, worker, history);
        assert_eq!(checked.total.0, 0, "nobody can forge a receipt");
    }
});
