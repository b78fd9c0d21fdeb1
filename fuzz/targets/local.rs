//! What another program of this user sends the worker's local socket, and customers' bodies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_network_api::customer::NewJob;
use lull_worker_api::{CommandEnvelope, ServerMessage};

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<CommandEnvelope>(bytes);
    let _ = serde_json::from_slice::<ServerMessage>(bytes);
    let _ = serde_json::from_slice::<NewJob>(bytes);
});
