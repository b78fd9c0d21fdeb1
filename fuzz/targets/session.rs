//! What a stranger sends a network, and a network a worker: frames of the session and of blob streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_network_api::{BlobRequest, BlobResponse, FRAMES, NetworkMessage, WorkerMessage};
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
});
