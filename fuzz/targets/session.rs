//! What a stranger sends a network, and a network a worker: frames of the session, of blob and of challenge streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_checks::product::Product;
use lull_network_api::{
    BlobRequest, BlobResponse, ChallengeReply, ChallengeRequest, FRAMES, NetworkMessage, WorkerMessage,
};
use serde::{Serialize, de::DeserializeOwned};

/// Whatever is understood can be said again, and is then understood the same.
fn again<T: Serialize + DeserializeOwned>(mut bytes: &[u8]) {
    if let Ok(message) = FRAMES.read_blocking::<T>(&mut bytes) {
        let frame = FRAMES.encode(&message).expect("what was read can be written");
        FRAMES.read_blocking::<T>(&mut &frame[..]).expect("what was written can be read");
    }
}

fuzz_target!(|bytes: &[u8]| {
    again::<WorkerMessage>(bytes);
    again::<NetworkMessage>(bytes);
    again::<BlobRequest>(bytes);
    again::<BlobResponse>(bytes);
    again::<ChallengeRequest>(bytes);
    again::<ChallengeReply>(bytes);
    // Rows that a worker shows are looked at as they come.
    if let Ok(ChallengeReply::Opened(rows)) = FRAMES.read_blocking(&mut &bytes[..]) {
        let product = Product { seed: [0; 32], side: 128, panels: 1 };
        let asked: Vec<u64> = (0..rows.len() as u64).collect();
        let _ = product.check(lull_types::BlobHash::of(bytes), &asked, &rows, &[0; 32]);
    }
});
