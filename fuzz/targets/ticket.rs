//! What a person pastes: a network's ticket, a wallet address, ids.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lull_network_api::NetworkTicket;
use lull_types::{BlobHash, WalletAddress};

fuzz_target!(|text: &str| {
    if let Ok(ticket) = text.parse::<NetworkTicket>() {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
    if let Ok(address) = text.parse::<WalletAddress>() {
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    if let Ok(hash) = text.parse::<BlobHash>() {
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }
});
