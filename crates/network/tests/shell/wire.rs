//! Whatever bytes a stranger sends, decoding them ends in a message or an error.

use lull_network_api::{BlobRequest, BlobResponse, FRAMES, NetworkMessage, NetworkTicket, WorkerMessage};
use proptest::prelude::*;

/// Bytes that begin like a message: a small tag, then anything.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    (0u8..12, proptest::collection::vec(any::<u8>(), 0..512))
        .prop_map(|(tag, rest)| [vec![tag], rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop_oneof![likely(), proptest::collection::vec(any::<u8>(), 0..2048)]) {
        let _ = FRAMES.decode::<NetworkMessage>(&bytes);
        let _ = FRAMES.decode::<BlobRequest>(&bytes);
        let _ = FRAMES.decode::<BlobResponse>(&bytes);
        let _ = FRAMES.read_blocking::<WorkerMessage>(&mut &bytes[..]);
        // What is understood is written back as something that is understood as the same.
        if let Ok(message) = FRAMES.decode::<WorkerMessage>(&bytes) {
            let frame = FRAMES.encode(&message).unwrap();
            let again: WorkerMessage = FRAMES.decode(&frame[4..]).unwrap();
            // By their bytes: a float that is no number is not equal to itself.
            prop_assert_eq!(FRAMES.encode(&again).unwrap(), frame);
        }
    }

    #[test]
    fn no_text_makes_a_ticket_panic(text in ".{0,200}", body in "[a-z2-7]{0,400}") {
        let _ = text.parse::<NetworkTicket>();
        let _ = format!("lull1{body}").parse::<NetworkTicket>();
    }
}
