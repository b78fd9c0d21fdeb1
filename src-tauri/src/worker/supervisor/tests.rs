//! Against a scripted worker: this test program, started again to run the "test" [`scripted_worker`].

use std::path::Path;
use std::sync::Arc;

use lull_worker_api::transport::{Handler, Listener, default_endpoint, serve};
use lull_worker_api::{Command, PauseFor, Reply, Snapshot};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::worker::Link;

/// Bound on every wait; a hundred times what is needed.
const SOON: Duration = Duration::from_secs(30);

const ENDPOINT_VARIABLE: &str = "LULL_SCRIPTED_WORKER_AT";

fn pace() -> Pace {
    Pace { start_max: SOON, end_max: SOON, look_every: Duration::from_millis(5), ..Pace::default() }
}

fn snapshot(version: String) -> Snapshot {
    Snapshot { worker_version: version, ..crate::sample::snapshot() }
}

/// Ends when told to; a pause makes it crash, so that a test can do that from outside.
#[derive(Default)]
struct Scripted {
    end: Arc<Notify>,
}

impl Handler for Scripted {
    type Look = ();

    async fn handle(&self, command: Command) -> Reply {
        match command {
            Command::Shutdown => self.end.notify_one(),
            Command::Pause { .. } => {
                eprintln!("the GPU is on fire");
                std::process::exit(7);
            }
            _ => {}
        }
        Reply::Done
    }

    fn look(&self) {}
}

async fn serve_scripted(endpoint: &Endpoint, version: String) {
    let listener = Listener::bind(endpoint).await.unwrap();
    let handler = Arc::new(Scripted::default());
    let end = Arc::clone(&handler.end);
    let (_snapshots, receiver) = watch::channel(Arc::new(snapshot(version)));
    serve(listener, handler, receiver, async move { end.notified().await }).await;
}

/// Not a test by itself: the worker's process of the tests below, which name its endpoint in the environment.
#[tokio::test]
async fn scripted_worker() {
    if let Some(at) = std::env::var_os(ENDPOINT_VARIABLE) {
        let version = std::process::id().to_string();
        timeout(SOON * 4, serve_scripted(&Endpoint::at(at), version)).await.unwrap();
    }
}

fn scripted_program(endpoint: &Endpoint) -> WorkerProgram {
    WorkerProgram {
        path: std::env::current_exe().unwrap(),
        args: ["worker::supervisor::tests::scripted_worker", "--exact", "--nocapture"]
            .map(Into::into)
            .to_vec(),
        environment: vec![(ENDPOINT_VARIABLE.into(), endpoint.path().into())],
    }
}

struct Supervised {
    states: watch::Receiver<LinkState>,
    link: Link,
    quit: CancellationToken,
    supervising: JoinHandle<()>,
}

fn supervised(program: WorkerProgram, endpoint: &Endpoint) -> Supervised {
    let (sender, states) = watch::channel(LinkState::Starting);
    let (_, looking) = watch::channel(false);
    let quit = CancellationToken::new();
    let link = Link::new(states.clone());
    let supervising =
        tokio::spawn(supervise(program, endpoint.clone(), sender, looking, quit.clone(), pace()));
    Supervised { states, link, quit, supervising }
}

impl Supervised {
    /// The version of the next live worker that is not `other`.
    async fn live_but(&mut self, other: &str) -> String {
        let is_live = |state: &LinkState| matches!(state, LinkState::Live { snapshot, .. } if snapshot.worker_version != other);
        drop(timeout(SOON, self.states.wait_for(is_live)).await.unwrap().unwrap());
        self.link.snapshot().unwrap().worker_version.clone()
    }

    async fn fault(&mut self) -> Fault {
        let is_lost = |state: &LinkState| matches!(state, LinkState::Lost(_));
        match &*timeout(SOON, self.states.wait_for(is_lost)).await.unwrap().unwrap() {
            LinkState::Lost(fault) => fault.clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn quit(self) {
        self.quit.cancel();
        timeout(SOON, self.supervising).await.unwrap().unwrap();
    }
}

async fn nobody_answers(endpoint: &Endpoint) -> bool {
    matches!(Client::connect(endpoint).await, Err(TransportError::NotRunning(_)))
}

fn process_is_there(id: &str) -> bool {
    Path::new("/proc").join(id).exists()
}

#[tokio::test]
async fn starts_a_worker_and_ends_it_when_the_app_quits() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = default_endpoint(folder.path());
    let mut supervised = supervised(scripted_program(&endpoint), &endpoint);
    // A command that comes before the worker is up waits for it.
    assert_eq!(supervised.link.command(Command::Start).await, Ok(Reply::Done));
    let process = supervised.live_but("").await;
    supervised.quit().await;
    assert!(nobody_answers(&endpoint).await);
    assert!(!cfg!(target_os = "linux") || !process_is_there(&process));
}

#[tokio::test]
async fn starts_a_worker_again_that_has_died_and_says_how_it_died() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = default_endpoint(folder.path());
    let mut supervised = supervised(scripted_program(&endpoint), &endpoint);
    let first = supervised.live_but("").await;
    let crash =
        supervised.link.command(Command::Pause { duration: PauseFor::UntilRestart, device: None }).await;
    assert_eq!(crash.unwrap_err().code, "worker_connection_lost");
    let fault = supervised.fault().await;
    assert_eq!(fault.code, "worker_ended");
    assert!(fault.sentence.contains("the GPU is on fire"), "{fault}");
    assert_ne!(supervised.live_but(&first).await, first);
    supervised.quit().await;
}

#[tokio::test]
async fn uses_a_worker_that_runs_already_and_ends_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = default_endpoint(folder.path());
    let other = tokio::spawn({
        let endpoint = endpoint.clone();
        async move { serve_scripted(&endpoint, "other".to_owned()).await }
    });
    while nobody_answers(&endpoint).await {
        tokio::task::yield_now().await;
    }
    let nothing =
        WorkerProgram { path: "/nonexistent/lull-worker".into(), args: Vec::new(), environment: Vec::new() };
    let mut supervised = supervised(nothing, &endpoint);
    assert_eq!(supervised.live_but("").await, "other");
    supervised.quit().await;
    timeout(SOON, other).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_worker_that_is_not_installed_is_a_clear_fault() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = default_endpoint(folder.path());
    let nothing =
        WorkerProgram { path: "/nonexistent/lull-worker".into(), args: Vec::new(), environment: Vec::new() };
    let mut supervised = supervised(nothing, &endpoint);
    assert_eq!(supervised.fault().await.code, "worker_cannot_start");
    let refused = supervised.link.command(Command::Status).await.unwrap_err();
    assert_eq!(refused.code, "worker_cannot_start");
    supervised.quit().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_worker_that_never_answers_is_ended_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = default_endpoint(folder.path());
    let sleeper =
        WorkerProgram { path: "/bin/sleep".into(), args: vec!["600".into()], environment: Vec::new() };
    let (sender, mut states) = watch::channel(LinkState::Starting);
    let (_, looking) = watch::channel(false);
    let quit = CancellationToken::new();
    let short = Pace { start_max: Duration::from_millis(100), ..pace() };
    let supervising = tokio::spawn(supervise(sleeper, endpoint, sender, looking, quit.clone(), short));
    let lost =
        timeout(SOON, states.wait_for(|state| matches!(state, LinkState::Lost(_)))).await.unwrap().unwrap();
    assert!(matches!(&*lost, LinkState::Lost(fault) if fault.code == "worker_not_answering"));
    drop(lost);
    quit.cancel();
    timeout(SOON, supervising).await.unwrap().unwrap();
}
