//! Both sides against each other, and the worker's side against clients that mean ill.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use interprocess::local_socket::GenericFilePath;
use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::tokio::prelude::*;
use lull_types::{Coded, Fault, UnixMillis, WorkerId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::{
    Command, DataView, EarningsView, Intent, PROTOCOL_VERSION, PauseFor, PowerPrice, Reply, Settings,
    Snapshot, StateView, Steps,
};

/// Bound on every wait; on a loaded machine a hundred times what is needed.
const SOON: Duration = Duration::from_secs(20);

fn snapshot(taken_at: u64) -> Snapshot {
    Snapshot {
        protocol: PROTOCOL_VERSION,
        worker_version: "0".to_owned(),
        worker: WorkerId([7; 32]),
        taken_at: UnixMillis(taken_at as _),
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

/// A worker of three commands: status, pause (refused), verify (waits until it is let go).
#[derive(Default)]
struct Worker {
    handled: AtomicUsize,
    let_go: Notify,
    looks: watch::Sender<usize>,
}

struct Look(watch::Sender<usize>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.send_modify(|looks| *looks -= 1);
    }
}

impl Handler for Worker {
    type Look = Look;

    async fn handle(&self, command: Command) -> Reply {
        self.handled.fetch_add(1, Ordering::SeqCst);
        match command {
            Command::Status => Reply::Snapshot(Box::new(snapshot(1))),
            Command::Pause { .. } => Reply::Refused(Fault::new("no", "Not now.")),
            Command::VerifyReceipts => {
                self.let_go.notified().await;
                Reply::Done
            }
            Command::Picture { .. } => Reply::Picture(Some("x".repeat(SERVER_FRAME_BYTES_MAX))),
            _ => Reply::Done,
        }
    }

    fn look(&self) -> Look {
        self.looks.send_modify(|looks| *looks += 1);
        Look(self.looks.clone())
    }
}

struct Running {
    _folder: TempDir,
    endpoint: Endpoint,
    worker: Arc<Worker>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = default_endpoint(folder.path());
    let listener = Listener::bind(&endpoint).await.unwrap();
    let worker = Arc::new(Worker::default());
    let (sender, receiver) = watch::channel(Arc::new(snapshot(0)));
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(listener, Arc::clone(&worker), receiver, async {
        let _ = stopped.await;
    }));
    Running { _folder: folder, endpoint, worker, snapshots: sender, stop: Some(stop), serving }
}

async fn raw(endpoint: &Endpoint) -> Stream {
    Stream::connect(endpoint.path().to_fs_name::<GenericFilePath>().unwrap()).await.unwrap()
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

async fn read_frame(stream: &mut Stream) -> String {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).await.unwrap();
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn commands_are_answered_and_refusals_are_replies() {
    let running = running().await;
    let client = Client::connect(&running.endpoint).await.unwrap();
    assert_eq!(client.command(Command::Status).await.unwrap(), Reply::Snapshot(Box::new(snapshot(1))));
    let refused =
        client.command(Command::Pause { duration: PauseFor::Minutes(60), device: None }).await.unwrap();
    assert_eq!(refused, Reply::Refused(Fault::new("no", "Not now.")));
}

#[tokio::test]
async fn a_long_command_keeps_neither_its_client_nor_another_waiting() {
    let running = running().await;
    let first = Client::connect(&running.endpoint).await.unwrap();
    let second = Client::connect(&running.endpoint).await.unwrap();
    let long = tokio::spawn({
        let first = first.clone();
        async move { first.command(Command::VerifyReceipts).await }
    });
    for client in [&first, &second] {
        let reply = timeout(SOON, client.command(Command::Status)).await.unwrap().unwrap();
        assert!(matches!(reply, Reply::Snapshot(_)));
    }
    assert!(!long.is_finished());
    running.worker.let_go.notify_one();
    assert_eq!(timeout(SOON, long).await.unwrap().unwrap().unwrap(), Reply::Done);
}

#[tokio::test]
async fn subscribers_get_the_present_and_then_the_latest() {
    let running = running().await;
    let mut first = Client::connect(&running.endpoint).await.unwrap().subscribe().await.unwrap();
    assert_eq!(first.next().await.unwrap().taken_at, snapshot(0).taken_at);
    for taken_at in 1..=500 {
        running.snapshots.send_replace(Arc::new(snapshot(taken_at)));
    }
    // Some of those between may come; the last must.
    let mut seen = 0;
    while first.next().await.unwrap().taken_at != snapshot(500).taken_at {
        seen += 1;
        assert!(seen < 500);
    }
    let mut second = Client::connect(&running.endpoint).await.unwrap().subscribe().await.unwrap();
    assert_eq!(second.next().await.unwrap().taken_at, snapshot(500).taken_at);
}

#[tokio::test]
async fn figures_are_looked_at_until_told_otherwise_or_the_end() {
    let running = running().await;
    let mut looks = running.worker.looks.subscribe();
    let client = Client::connect(&running.endpoint).await.unwrap();
    client.subscribe().await.unwrap();
    assert_eq!(*looks.borrow(), 0, "the tray follows, and looks at no figures");
    for (on, expect) in [(true, 1), (true, 1), (false, 0), (false, 0), (true, 1)] {
        assert_eq!(client.command(Command::Look { on }).await.unwrap(), Reply::Done);
        assert_eq!(*looks.borrow_and_update(), expect);
    }
    drop(client);
    timeout(SOON, looks.wait_for(|looks| *looks == 0)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_holds_nobody_up() {
    let running = running().await;
    let mut frozen = raw(&running.endpoint).await;
    let subscribe =
        format!(r#"{{"protocol":{PROTOCOL_VERSION},"id":1,"command":{{"command":"subscribe"}}}}"#);
    frozen.write_all(&frame(subscribe.as_bytes())).await.unwrap();
    let mut large = snapshot(0);
    // Larger than any socket buffer, so that the first one already fills it.
    large.worker_version = "x".repeat(4 * 1024 * 1024);
    let client = Client::connect(&running.endpoint).await.unwrap();
    for taken_at in 0..100 {
        large.taken_at = snapshot(taken_at).taken_at;
        running.snapshots.send_replace(Arc::new(large.clone()));
        let reply = timeout(SOON, client.command(Command::Status)).await.unwrap().unwrap();
        assert!(matches!(reply, Reply::Snapshot(_)));
    }
}

#[tokio::test]
async fn hostile_bytes_end_their_own_connection_only() {
    let running = running().await;
    let client = Client::connect(&running.endpoint).await.unwrap();
    let over_the_cap = u32::MAX.to_be_bytes().to_vec();
    let deep = frame("[".repeat(60_000).as_bytes());
    for bytes in [over_the_cap, frame(b""), frame(b"\xff\xfe"), frame(b"{}"), frame(b"null"), deep] {
        let mut hostile = raw(&running.endpoint).await;
        hostile.write_all(&bytes).await.unwrap();
        let mut rest = Vec::new();
        // An end or a reset; in either case nothing was said.
        let _ = timeout(SOON, hostile.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty());
    }
    // A frame that is begun and never finished.
    let mut half = raw(&running.endpoint).await;
    half.write_all(&[0, 0, 1, 0, b'{']).await.unwrap();
    assert!(client.command(Command::Status).await.is_ok());
    assert_eq!(running.worker.handled.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn another_version_and_an_unknown_command_are_refused_with_a_code() {
    let running = running().await;
    let mut stream = raw(&running.endpoint).await;
    let newer = br#"{"protocol":999,"id":5,"command":{"command":"from_the_future","with":[1]}}"#;
    stream.write_all(&frame(newer)).await.unwrap();
    let reply = read_frame(&mut stream).await;
    assert!(reply.contains(r#""id":5"#) && reply.contains("worker_version_mismatch"), "{reply}");
    let unknown = format!(r#"{{"protocol":{PROTOCOL_VERSION},"id":6,"command":{{"command":"dig"}}}}"#);
    stream.write_all(&frame(unknown.as_bytes())).await.unwrap();
    let reply = read_frame(&mut stream).await;
    assert!(reply.contains(r#""id":6"#) && reply.contains("command_not_understood"), "{reply}");
    assert_eq!(running.worker.handled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_snapshot_of_another_version_is_a_clear_fault() {
    let running = running().await;
    let mut snapshots = Client::connect(&running.endpoint).await.unwrap().subscribe().await.unwrap();
    snapshots.next().await.unwrap();
    running.snapshots.send_replace(Arc::new(Snapshot { protocol: 999, ..snapshot(1) }));
    let error = timeout(SOON, snapshots.next()).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "worker_version_mismatch");
}

#[tokio::test]
async fn an_answer_over_the_cap_is_refused_and_the_connection_lives() {
    let running = running().await;
    let client = Client::connect(&running.endpoint).await.unwrap();
    let job = serde_json::from_value(serde_json::json!({
        "command": "picture", "job": "00000000-0000-0000-0000-000000000000"
    }));
    let reply = client.command(job.unwrap()).await.unwrap();
    assert!(matches!(reply, Reply::Refused(fault) if fault.code == "reply_too_large"));
    assert!(client.command(Command::Status).await.is_ok());
}

#[tokio::test]
async fn the_end_of_the_worker_is_told_to_all_who_wait() {
    let mut running = running().await;
    let client = Client::connect(&running.endpoint).await.unwrap();
    let mut snapshots = client.subscribe().await.unwrap();
    snapshots.next().await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.command(Command::VerifyReceipts).await }
    });
    timeout(SOON, async {
        while running.worker.handled.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    running.stop.take().unwrap().send(()).unwrap();
    timeout(SOON, running.serving).await.unwrap().unwrap();
    assert_eq!(timeout(SOON, snapshots.next()).await.unwrap().unwrap_err().code(), "worker_connection_lost");
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap().unwrap_err().code(), "worker_connection_lost");
    assert_eq!(client.command(Command::Status).await.unwrap_err().code(), "worker_connection_lost");
    let refused = Client::connect(&running.endpoint).await.unwrap_err();
    assert_eq!(refused.code(), "worker_not_running");
}

#[tokio::test]
async fn a_second_worker_is_refused_until_the_first_has_ended() {
    let mut running = running().await;
    let refused = Listener::bind(&running.endpoint).await.unwrap_err();
    assert_eq!(refused.code(), "worker_already_running");
    let client = Client::connect(&running.endpoint).await.unwrap();
    assert!(client.command(Command::Status).await.is_ok(), "the first is unharmed");
    drop(client);
    running.stop.take().unwrap().send(()).unwrap();
    timeout(SOON, running.serving).await.unwrap().unwrap();
    Listener::bind(&running.endpoint).await.unwrap();
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn only_this_user_can_open_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("lull");
        // A folder that was made with loose permissions is tightened.
        std::fs::create_dir(&private).unwrap();
        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o777)).unwrap();
        let endpoint = Endpoint::at(private.join("worker.sock"));
        let _listener = Listener::bind(&endpoint).await.unwrap();
        assert_eq!(mode(&private), 0o700);
        assert_eq!(mode(endpoint.path()), 0o600);
        assert_eq!(mode(&private.join("worker.sock.lock")), 0o600);
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_anything_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = default_endpoint(folder.path());
        // The standard listener leaves its file behind when it is dropped, as a killed worker does.
        drop(std::os::unix::net::UnixListener::bind(endpoint.path()).unwrap());
        assert!(endpoint.path().exists());
        drop(Listener::bind(&endpoint).await.unwrap());
        assert!(!endpoint.path().exists());
        std::fs::write(endpoint.path(), "mine").unwrap();
        assert_eq!(Listener::bind(&endpoint).await.unwrap_err().code(), "worker_endpoint_unusable");
        assert_eq!(std::fs::read(endpoint.path()).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn whoever_answers_on_the_socket_is_not_displaced() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = default_endpoint(folder.path());
        let _other = std::os::unix::net::UnixListener::bind(endpoint.path()).unwrap();
        assert_eq!(Listener::bind(&endpoint).await.unwrap_err().code(), "worker_already_running");
        assert!(endpoint.path().exists());
    }
}
