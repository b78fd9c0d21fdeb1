//! A session with a network that behaves, and with networks that do not.

use iroh::endpoint::{Connection, RecvStream, SendStream};
use lull_network_api::{
    BlobRequest, BlobResponse, CHALLENGE_REPLY_FRAMES, ChallengeReply, FRAMES, NetworkInfo, NetworkMessage,
    OPENING_FRAMES, Opening, SHIFT_FRAMES, ShiftReply, ShiftRequest, WorkerMessage,
};
use lull_types::{BlobHash, NetworkId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;

/// A network on loopback. What it does with a connection is the test's.
async fn network<F>(serve: impl Fn(Connection) -> F + Send + Sync + 'static) -> (Endpoint, NetworkTicket)
where
    F: Future<Output = ()> + Send + 'static,
{
    let endpoint = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .alpns(vec![ALPN.to_vec()])
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .bind()
        .await
        .unwrap();
    let ticket = NetworkTicket {
        id: NetworkId(*endpoint.id().as_bytes()),
        addresses: endpoint.bound_sockets(),
        relay: None,
    };
    let accepting = endpoint.clone();
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            let serve = Arc::clone(&serve);
            tokio::spawn(async move {
                if let Ok(connection) = incoming.await {
                    serve(connection.clone()).await;
                    connection.closed().await;
                }
            });
        }
    });
    (endpoint, ticket)
}

fn welcome() -> NetworkMessage {
    NetworkMessage::Welcome {
        network: NetworkInfo {
            id: NetworkId([1; 32]),
            name: "test".to_owned(),
            practice: true,
            audit_window_ms: 0,
        },
        enrolled: false,
    }
}

fn hello() -> WorkerMessage {
    WorkerMessage::Hello { worker_version: "0".to_owned(), nonce_held: 0 }
}

fn dialer() -> Dialer {
    Dialer::new(SecretKey::generate().unwrap())
}

async fn open(ticket: NetworkTicket) -> (Link, mpsc::UnboundedReceiver<LinkEvent>) {
    let (events, inbox) = mpsc::unbounded_channel();
    let link = Link::open(dialer(), ticket, move |event| {
        let events = events.clone();
        async move {
            let _ = events.send(event);
        }
    });
    (link, inbox)
}

async fn next(inbox: &mut mpsc::UnboundedReceiver<LinkEvent>) -> LinkEvent {
    tokio::time::timeout(Duration::from_secs(30), inbox.recv()).await.unwrap().unwrap()
}

async fn lost(inbox: &mut mpsc::UnboundedReceiver<LinkEvent>) -> String {
    match next(inbox).await {
        LinkEvent::Lost(fault) => fault.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_what_was_sent_arrives_before_closing() {
    let (heard, mut hearing) = mpsc::unbounded_channel();
    let (_network, ticket) = network(move |connection| {
        let heard = heard.clone();
        async move {
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            while let Ok(message) = FRAMES.read::<WorkerMessage>(&mut receive).await {
                heard.send(Some(message)).unwrap();
                FRAMES.write(&mut send, &welcome()).await.unwrap();
            }
            heard.send(None).unwrap();
        }
    })
    .await;
    let (link, mut inbox) = open(ticket).await;
    assert!(matches!(next(&mut inbox).await, LinkEvent::Opened));
    assert!(link.connection().is_some());
    link.send(hello());
    assert!(matches!(next(&mut inbox).await, LinkEvent::Said(message) if *message == welcome()));
    assert_eq!(hearing.recv().await.unwrap(), Some(hello()));
    link.send(WorkerMessage::WantWork { device: 3 });
    link.close();
    assert_eq!(hearing.recv().await.unwrap(), Some(WorkerMessage::WantWork { device: 3 }));
    loop {
        match next(&mut inbox).await {
            LinkEvent::Challenged(stream) => panic!("{stream:?}"),
            LinkEvent::ShiftOpened(stream) => panic!("{stream:?}"),
            LinkEvent::Lost(_) => break,
            LinkEvent::Said(_) => {}
            LinkEvent::Opened => panic!("opened twice"),
        }
    }
    assert!(link.connection().is_none());
    assert_eq!(hearing.recv().await.unwrap(), None, "the network saw the end");
}

#[tokio::test]
async fn garbage_and_oversized_frames_end_the_session_with_a_clear_fault() {
    for bytes in [&[0xff_u8; 64][..], &[3, 0, 0, 0, 0xee, 0xee, 0xee]] {
        let (_network, ticket) = network(move |connection| async move {
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            let _ = FRAMES.read::<WorkerMessage>(&mut receive).await;
            send.write_all(bytes).await.unwrap();
            connection.closed().await;
        })
        .await;
        let (link, mut inbox) = open(ticket).await;
        assert!(matches!(next(&mut inbox).await, LinkEvent::Opened));
        link.send(hello());
        assert_eq!(lost(&mut inbox).await, "network_garbled");
    }
}

#[tokio::test]
async fn another_key_at_the_address_is_not_the_network() {
    let (_network, mut ticket) = network(|_| async {}).await;
    ticket.id = SecretKey::generate().unwrap().network_id();
    let (_link, mut inbox) = open(ticket).await;
    assert_eq!(lost(&mut inbox).await, "network_unreachable");
}

#[tokio::test]
async fn a_ticket_without_addresses_is_refused() {
    let ticket =
        NetworkTicket { id: SecretKey::generate().unwrap().network_id(), addresses: vec![], relay: None };
    let (_link, mut inbox) = open(ticket).await;
    assert_eq!(lost(&mut inbox).await, "ticket_unusable");
}

#[tokio::test]
async fn streams_of_the_network_say_what_they_are_for() {
    let assignment = lull_types::AssignmentId::from_parts(lull_types::UnixMillis(1), &[3; 10]);
    let (heard, mut hearing) = mpsc::unbounded_channel();
    let (_network, ticket) = network(move |connection| {
        let heard = heard.clone();
        async move {
            // One that makes no sense is passed over.
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            send.write_all(&[0xff; 80]).await.unwrap();
            heard.send(format!("{:?}", receive.read_to_end(10).await.is_err())).unwrap();

            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            OPENING_FRAMES.write(&mut send, &Opening::Challenge { device: 3 }).await.unwrap();
            let reply: ChallengeReply = CHALLENGE_REPLY_FRAMES.read(&mut receive).await.unwrap();
            heard.send(format!("{reply:?}")).unwrap();

            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            OPENING_FRAMES.write(&mut send, &Opening::Shift { assignment }).await.unwrap();
            SHIFT_FRAMES.write(&mut send, &ShiftRequest::Drop { number: 7 }).await.unwrap();
            send.finish().unwrap();
            let reply: ShiftReply = SHIFT_FRAMES.read(&mut receive).await.unwrap();
            heard.send(format!("{reply:?}")).unwrap();
            let end = SHIFT_FRAMES.read::<ShiftReply>(&mut receive).await;
            heard.send(format!("{:?}", matches!(end, Err(FrameError::Closed)))).unwrap();
        }
    })
    .await;
    let (_link, mut inbox) = open(ticket).await;
    assert!(matches!(next(&mut inbox).await, LinkEvent::Opened));
    assert_eq!(hearing.recv().await.unwrap(), "true", "it was reset");
    let LinkEvent::Challenged(mut stream) = next(&mut inbox).await else { panic!() };
    assert_eq!(stream.device, 3);
    stream.reply(&ChallengeReply::Prepared).await.unwrap();
    assert_eq!(hearing.recv().await.unwrap(), "Prepared");
    let LinkEvent::ShiftOpened(mut stream) = next(&mut inbox).await else { panic!() };
    assert_eq!(stream.assignment, assignment);
    assert_eq!(stream.requests.next().await.unwrap(), ShiftRequest::Drop { number: 7 });
    assert!(matches!(stream.requests.next().await, Err(RequestsEnd::Finished)));
    stream.replies.say(&ShiftReply::Ready { sequences: 2 }).await.unwrap();
    stream.replies.end().await;
    assert_eq!(hearing.recv().await.unwrap(), "Ready { sequences: 2 }");
    assert_eq!(hearing.recv().await.unwrap(), "true");
}

/// Serves one blob stream with `answer` and returns what fetching `hash` gives.
async fn fetch<F>(
    hash: BlobHash,
    bytes_max: u64,
    answer: impl Fn(SendStream, RecvStream) -> F + Send + Sync + Copy + 'static,
) -> Result<Vec<u8>, &'static str>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (_network, ticket) = network(move |connection| async move {
        let (send, mut receive) = connection.accept_bi().await.unwrap();
        let _ = FRAMES.read::<BlobRequest>(&mut receive).await;
        answer(send, receive).await;
    })
    .await;
    let dialer = dialer();
    let connection = dialer.dial(&ticket).await.unwrap();
    let fetched = tokio::time::timeout(Duration::from_secs(30), get_blob(&connection, hash, bytes_max));
    fetched.await.expect("bounded in time").map_err(|failure| failure.code())
}

#[tokio::test]
async fn a_blob_is_fetched_and_checked() {
    let blob = vec![7; 3_000_000];
    let fetched = fetch(BlobHash::of(&blob), 4_000_000, |mut send, _receive| async move {
        FRAMES.write(&mut send, &BlobResponse::Sending { bytes: 3_000_000 }).await.unwrap();
        send.write_all(&vec![7; 3_000_000]).await.unwrap();
        send.finish().unwrap();
        let _ = send.stopped().await;
    })
    .await;
    // Not `assert_eq!`: it would print three megabytes.
    assert!(fetched == Ok(blob));
}

#[tokio::test]
async fn hostile_blob_streams_are_told_apart() {
    let hash = BlobHash::of(b"right");
    let wrong = fetch(hash, 100, |mut send, _receive| async move {
        FRAMES.write(&mut send, &BlobResponse::Sending { bytes: 5 }).await.unwrap();
        send.write_all(b"wrong").await.unwrap();
        let _ = send.stopped().await;
    });
    assert_eq!(wrong.await, Err("blob_wrong_hash"));
    let large = fetch(hash, 100, |mut send, _receive| async move {
        FRAMES.write(&mut send, &BlobResponse::Sending { bytes: u64::MAX }).await.unwrap();
        let _ = send.stopped().await;
    });
    assert_eq!(large.await, Err("blob_too_large"));
    let endless = fetch(hash, 100, |mut send, _receive| async move {
        FRAMES.write(&mut send, &BlobResponse::Sending { bytes: 5 }).await.unwrap();
        while send.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    assert_eq!(endless.await, Err("blob_wrong_hash"));
    let short = fetch(hash, 100, |mut send, _receive| async move {
        FRAMES.write(&mut send, &BlobResponse::Sending { bytes: 5 }).await.unwrap();
        send.write_all(b"ri").await.unwrap();
        send.finish().unwrap();
        let _ = send.stopped().await;
    });
    assert_eq!(short.await, Err("blob_connection"));
    let garbage = fetch(hash, 100, |mut send, _receive| async move {
        send.write_all(&[0xff; 64]).await.unwrap();
        let _ = send.stopped().await;
    });
    assert_eq!(garbage.await, Err("network_garbled"));
    let refused = fetch(hash, 100, |mut send, _receive| async move {
        let fault = lull_types::Fault::new("blob_unknown", "no such blob");
        FRAMES.write(&mut send, &BlobResponse::Refused(fault)).await.unwrap();
        send.finish().unwrap();
        let _ = send.stopped().await;
    });
    assert_eq!(refused.await, Err("blob_refused"));
}

#[tokio::test]
async fn a_blob_is_put_and_a_refusal_in_the_middle_is_heard() {
    let (stored, mut storing) = mpsc::unbounded_channel();
    let (_network, ticket) = network(move |connection| {
        let stored = stored.clone();
        async move {
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                let Ok(BlobRequest::Put { bytes, .. }) = FRAMES.read(&mut receive).await else { return };
                if bytes > 2_000_000 {
                    let fault = lull_types::Fault::new("blob_unwanted", "not now");
                    FRAMES.write(&mut send, &BlobResponse::Refused(fault)).await.unwrap();
                    receive.stop(1u32.into()).unwrap();
                } else {
                    let mut blob = Vec::new();
                    receive.take(bytes).read_to_end(&mut blob).await.unwrap();
                    stored.send(blob).unwrap();
                    FRAMES.write(&mut send, &BlobResponse::Stored).await.unwrap();
                }
                send.shutdown().await.unwrap();
            }
        }
    })
    .await;
    let dialer = dialer();
    let connection = dialer.dial(&ticket).await.unwrap();
    let blob = vec![9; 1_500_000];
    put_blob(&connection, BlobHash::of(&blob), &blob).await.unwrap();
    assert!(storing.recv().await.unwrap() == blob);
    let large = vec![9; 20_000_000];
    let refused = put_blob(&connection, BlobHash::of(&large), &large).await.unwrap_err();
    assert_eq!(refused.code(), "blob_refused");
}

/// What both ends count while a blob is fetched and another is put, over real sockets.
#[tokio::test]
async fn what_is_moved_is_counted_each_way_and_as_the_other_end_counts_it() {
    const FETCHED: u64 = 20_000_000;
    const PUT: u64 = 8_000_000;
    let (network, ticket) = network(move |connection| async move {
        while let Ok((mut send, mut receive)) = connection.accept_bi().await {
            match FRAMES.read(&mut receive).await.unwrap() {
                BlobRequest::Get(_) => {
                    FRAMES.write(&mut send, &BlobResponse::Sending { bytes: FETCHED }).await.unwrap();
                    send.write_all(&vec![7; FETCHED as usize]).await.unwrap();
                }
                BlobRequest::Put { bytes, .. } => {
                    let mut blob = Vec::new();
                    receive.take(bytes).read_to_end(&mut blob).await.unwrap();
                    FRAMES.write(&mut send, &BlobResponse::Stored).await.unwrap();
                }
                BlobRequest::Model(_) => panic!("nobody asks for a model"),
            }
            send.finish().unwrap();
            let _ = send.stopped().await;
        }
    })
    .await;
    let theirs = Meter::default();
    theirs.attach(&network);
    let dialer = dialer();
    // As if it were elsewhere: what stays on this machine is not counted.
    let connection = dialer.dial_in(Place::Elsewhere, &ticket).await.unwrap();
    dialer.meter().follow(&connection);
    let share = |counted: u64, carried: u64| counted as f64 / carried as f64;

    let begin = dialer.meter().moved();
    assert!((1_000..100_000).contains(&begin.received_bytes), "a handshake: {begin:?}");
    let hash = BlobHash::of(&vec![7; FETCHED as usize]);
    get_blob(&connection, hash, FETCHED).await.unwrap();
    let fetched = dialer.meter().moved().less(begin);
    let over = share(fetched.received_bytes, FETCHED);
    assert!((1.0..1.12).contains(&over), "{over} of what was carried was received");
    let answers = share(fetched.sent_bytes, FETCHED);
    assert!((0.0..0.06).contains(&answers), "{answers} of it was sent in answer");

    let before = dialer.meter().moved();
    let blob = vec![9; PUT as usize];
    put_blob(&connection, BlobHash::of(&blob), &blob).await.unwrap();
    let put = dialer.meter().moved().less(before);
    // What is lost in the sockets' buffers is sent again, and counted again.
    let over = share(put.sent_bytes, PUT);
    assert!((1.0..1.3).contains(&over), "{over} of what was carried was sent");
    assert!(share(put.received_bytes, PUT) < 0.06, "{put:?}");

    let (ours, theirs) = (dialer.meter().moved(), theirs.moved());
    assert!(theirs.sent_bytes as f64 >= 0.98 * ours.received_bytes as f64, "{ours:?} {theirs:?}");
    assert!(ours.sent_bytes as f64 >= 0.98 * theirs.received_bytes as f64, "{ours:?} {theirs:?}");

    // A connection that is over is counted still.
    connection.close(0u32.into(), b"");
    drop(connection);
    dialer.clone().close().await;
    let after = dialer.meter().moved();
    assert!(after.sent_bytes as f64 >= 0.999 * ours.sent_bytes as f64, "{ours:?} {after:?}");
}

#[tokio::test]
async fn what_stays_on_this_machine_is_not_counted() {
    let blob = vec![7; 1_000_000];
    let (_network, ticket) = network(|connection| async move {
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        let _ = FRAMES.read::<BlobRequest>(&mut receive).await;
        FRAMES.write(&mut send, &BlobResponse::Sending { bytes: 1_000_000 }).await.unwrap();
        send.write_all(&vec![7; 1_000_000]).await.unwrap();
        send.finish().unwrap();
        let _ = send.stopped().await;
    })
    .await;
    let dialer = dialer();
    let connection = dialer.dial(&ticket).await.unwrap();
    get_blob(&connection, BlobHash::of(&blob), 1_000_000).await.unwrap();
    assert_eq!(dialer.meter().moved(), lull_types::DataMoved::default());
}

#[test]
fn a_network_is_here_only_where_it_is_nowhere_else() {
    let place = |addresses: &[&str], relay: Option<&str>| {
        Place::of(&NetworkTicket {
            id: NetworkId([1; 32]),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            relay: relay.map(str::to_owned),
        })
    };
    assert_eq!(place(&["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"], None), Place::Here);
    assert_eq!(place(&["127.0.0.1:1", "192.0.2.1:1"], None), Place::Elsewhere);
    assert_eq!(place(&["192.168.1.2:1"], None), Place::Elsewhere);
    assert_eq!(place(&["127.0.0.1:1"], Some("https://relay.example")), Place::Elsewhere);
}
