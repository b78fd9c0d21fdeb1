//! Hostile workers: they are refused, they cost little, and nobody else notices.

use iroh::endpoint::VarInt;
use lull_network::gateway::close_code as code;
use lull_network_api::{BlobRequest, BlobResponse, FRAMES, NetworkMessage, WorkerMessage};
use lull_types::BlobHash;

use crate::process::Network;
use crate::worker::{Dialer, close_code, within};

async fn after_first_bytes(network: &Network, bytes: &[u8]) -> u64 {
    let dialer = Dialer::new().await;
    let connection = dialer.dial(&network.ticket()).await;
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    close_code(&connection).await
}

#[tokio::test]
async fn nonsense_closes_the_connection_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let ticket = network.ticket();
    let malformed = u64::from(code::MALFORMED);
    // A length beyond all limits, garbage of a good length, and a first message that is no hello.
    assert_eq!(after_first_bytes(&network, &[0xff; 8]).await, malformed);
    assert_eq!(after_first_bytes(&network, &[3, 0, 0, 0, 0xde, 0xad, 0xbe]).await, malformed);
    let early = FRAMES.encode(&WorkerMessage::WantWork { device: 0 }).unwrap();
    assert_eq!(after_first_bytes(&network, &early).await, malformed);

    // The same after the hello.
    let dialer = Dialer::new().await;
    let mut session = dialer.open(&ticket).await;
    session.send.write_all(&(64 * 1024 * 1024u32).to_le_bytes()).await.unwrap();
    assert_eq!(session.close_code().await, malformed);

    // A stream that asks for nothing sensible is cut; the session goes on.
    let mut session = dialer.open(&ticket).await;
    let (mut send, mut recv) = session.connection.open_bi().await.unwrap();
    send.write_all(&[0xff; 64]).await.unwrap();
    assert!(within(FRAMES.read::<BlobResponse>(&mut recv)).await.is_err());
    let put = BlobRequest::Put { hash: BlobHash::of(b""), bytes: u64::MAX };
    let (mut send, mut recv) = session.connection.open_bi().await.unwrap();
    FRAMES.write(&mut send, &put).await.unwrap();
    let answer: BlobResponse = within(FRAMES.read(&mut recv)).await.unwrap();
    assert!(matches!(answer, BlobResponse::Refused(fault) if fault.code == "blob_too_large"));
    session.say(WorkerMessage::WantWork { device: 7 }).await;
    session
        .until(|message| {
            matches!(message, NetworkMessage::Refused { .. } | NetworkMessage::NoWork { .. }).then_some(())
        })
        .await;
    // Uni-directional streams and a ninth blob stream are not to be had.
    let uni =
        tokio::time::timeout(std::time::Duration::from_millis(200), session.connection.open_uni()).await;
    assert!(uni.is_err(), "it waits for a right that never comes");
    assert!(network.stop().success(), "with a session open");
}

#[tokio::test]
async fn the_newest_session_of_a_worker_wins() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let ticket = network.ticket();
    let dialer = Dialer::new().await;
    let old = dialer.open(&ticket).await;
    let mut new = dialer.open(&ticket).await;
    assert_eq!(old.close_code().await, u64::from(code::REPLACED));
    new.enrol().await;
    assert!(network.metrics().await.contains("lull_workers_connected 1"));
    new.connection.close(VarInt::from_u32(0), b"");
}

#[tokio::test]
async fn a_flood_is_read_slowly_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let ticket = network.ticket();
    let flood = Dialer::new().await;
    let mut flooding = flood.open(&ticket).await;
    let ask = FRAMES.encode(&WorkerMessage::WantWork { device: 0 }).unwrap().repeat(100_000);
    // It cannot even get rid of it: the network stops reading, and QUIC holds the sender back.
    let sent = tokio::time::timeout(std::time::Duration::from_secs(2), flooding.send.write_all(&ask)).await;
    let honest = Dialer::new().await;
    let mut session = honest.open(&ticket).await;
    session.enrol().await;
    let metrics = network.metrics().await;
    let answered: u64 = metrics
        .lines()
        .find_map(|line| line.strip_prefix("lull_messages_sent_total "))
        .and_then(|count| count.parse().ok())
        .unwrap();
    assert!(answered < 2_000, "{answered} messages were answered; sent: {}", sent.is_ok());
}
