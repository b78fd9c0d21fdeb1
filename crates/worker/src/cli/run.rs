//! `lull-worker run`: the worker itself, for the app or in a terminal.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lull_types::{BaseUnits, Coded, Fault};
use lull_worker_api::transport::{self, Handler, Listener};
use lull_worker_api::{Command, ReceiptsCheck, Reply, Snapshot, StateView, TaskRow, TaskState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{ServeModels, device_key, paths, receipts, say, take, text};
use crate::kept_wallet::WalletKeys;
use crate::local_api::LocalApi;
use crate::logs;
use crate::machine::Order;
use crate::models::ModelLibrary;
use crate::payouts;
use crate::power::SystemPower;
use crate::prices::SystemReader;
use crate::shell::{self, Handle, Options, RuntimeSource, network_of};
use crate::telemetry::SystemSource;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Join the practice network on this machine and work, showing how it goes.
    #[arg(long)]
    practice: bool,
    /// End after so many accepted tasks whose receipts are held.
    #[arg(long)]
    tasks: Option<u32>,
    #[command(flatten)]
    models: ServeModels,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Fault> {
    let paths = paths()?;
    let lock = take(&paths)?;
    let shown = args.practice || args.tasks.is_some();
    // With a status line on the terminal, or under the app, logs go to their file alone.
    let to_terminal = std::env::var_os(logs::LOG_ENV).is_some();
    let logging = logs::init(&paths, to_terminal)
        .map_err(|error| Fault::new("logs_unusable", format!("logs cannot be written: {error}")))?;
    let key = device_key(&paths).await?;
    let id = key.worker_id();
    // The socket comes first: whoever finds it gets answers, and a second worker is told.
    let listener = Listener::bind(&paths.endpoint()).await.map_err(|error| error.fault())?;
    let (worker, running) = shell::start(Options {
        paths: paths.clone(),
        key: key.clone(),
        runtime: RuntimeSource::default(),
        models: Arc::new(ModelLibrary::new(paths.models())),
        network_program: None,
        telemetry: Box::<SystemSource>::default(),
        wallet_keys: WalletKeys::of_system(&paths),
        prices: Box::<SystemReader>::default(),
        probes: lull_guards::probes::for_this_machine(paths.root()),
        power: Box::new(|| Box::<SystemPower>::default()),
    })
    .await?;
    worker.power().put_back_on_panic();
    if let Some(change) = args.models.change() {
        worker.order(Order::Configure(change)).await?;
    }
    tracing::info!(worker = %id.short(), version = env!("CARGO_PKG_VERSION"), "the worker runs");

    tokio::spawn(payouts::resume_claims(worker.clone()));
    let api = Arc::new(LocalApi::new(worker.clone(), paths, key));
    let over = CancellationToken::new();
    let served = tokio::spawn(transport::serve(
        listener,
        Arc::clone(&api),
        worker.snapshots(),
        over.clone().cancelled_owned(),
    ));
    let ending = tokio::spawn(end_on_signal(worker.clone()));

    let outcome = if shown { show(&worker, &api, &args).await } else { Ok(ExitCode::SUCCESS) };
    if shown {
        // It may be ending already, by a signal.
        let _ = worker.order(Order::Shutdown).await;
    }
    // It ends by an order; a panic in it is a defect that must not look like an orderly end.
    let ended = running.await.map_err(|error| Fault::new("internal", format!("the worker failed: {error}")));
    ending.abort();
    over.cancel();
    let _ = served.await;
    drop(logging);
    drop(lock);
    ended.and(outcome)
}

/// Ctrl-C, or the system's word to end: work is handed back first. The second time it ends at once.
async fn end_on_signal(worker: Handle) {
    signalled().await;
    let _ = worker.order(Order::Shutdown).await;
    // Whoever asks twice does not want to wait. What was written down is whole, and children end with this
    // process.
    signalled().await;
    worker.power().finish(IMPATIENT_WAIT);
    std::process::exit(EXIT_INTERRUPTED);
}

/// What boards get to have their power limits put back, which takes milliseconds, by whoever does not want to wait.
const IMPATIENT_WAIT: Duration = Duration::from_millis(500);

/// What shells report for a program that was ended by Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(windows)]
async fn signalled() {
    use tokio::signal::windows;
    let (Ok(mut shutdown), Ok(mut close)) = (windows::ctrl_shutdown(), windows::ctrl_close()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = shutdown.recv() => {}
        _ = close.recv() => {}
    }
}

/// Does the whole job in the terminal, and shows it.
async fn show(worker: &Handle, api: &LocalApi, args: &Args) -> Result<ExitCode, Fault> {
    let mut snapshots = worker.snapshots();
    let _look = worker.look();
    let first = worker.snapshot().await?;
    if args.practice {
        worker.order(Order::Join(None)).await?;
    }
    worker.order(Order::Start).await?;
    let watched = watch_until(worker, &mut snapshots, &first, args.tasks).await;
    final_table(worker, api, &first).await;
    watched
}

async fn watch_until(
    worker: &Handle,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    first: &Snapshot,
    tasks: Option<u32>,
) -> Result<ExitCode, Fault> {
    let mut line = StatusLine::default();
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        line.show(&snapshot);
        let earned = snapshot.earnings.receipts.saturating_sub(first.earnings.receipts);
        if tasks.is_some_and(|wanted| earned >= wanted) {
            line.end();
            return Ok(ExitCode::SUCCESS);
        }
        match &snapshot.state {
            // Only the contributor can help, and a script has none.
            StateView::Faulted { fault, retry_at: None } if tasks.is_some() => {
                line.end();
                return Err(fault.clone());
            }
            StateView::Draining { .. } => {
                line.end();
                // By a signal. A script that waited for tasks did not get them.
                return Ok(if tasks.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            _ => {}
        }
        let over = tokio::select! {
            changed = snapshots.changed() => changed.is_err(),
            () = worker.ended() => true,
        };
        if over {
            line.end();
            return Ok(if tasks.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    }
}

/// One line that is rewritten on a terminal; elsewhere a line for each change that matters.
#[derive(Debug, Default)]
struct StatusLine {
    shown: String,
    last_notice: u64,
}

impl StatusLine {
    fn show(&mut self, snapshot: &Snapshot) {
        for notice in &snapshot.notices {
            if notice.id > self.last_notice {
                self.end();
                say(&notice.sentence);
                self.last_notice = notice.id;
            }
        }
        let state = text::state(snapshot);
        let earned =
            format!("{} earned, {} receipts", snapshot.earnings.all_time, snapshot.earnings.receipts);
        if io::stdout().is_terminal() {
            let line = format!("{state} · {earned}");
            // One that wraps could not be rewritten.
            let line: String = line.chars().take(TERMINAL_COLUMNS).collect();
            let _ = write!(io::stdout(), "\r\x1b[2K{line}");
            let _ = io::stdout().flush();
            self.shown = line;
            return;
        }
        // Percentages change all the time; in a file only what is between them matters.
        let line = format!("{} · {earned}", state.split(|c: char| c.is_ascii_digit()).collect::<String>());
        if line != self.shown {
            say(format!("{state} · {earned}"));
            self.shown = line;
        }
    }

    fn end(&mut self) {
        if io::stdout().is_terminal() && !self.shown.is_empty() {
            say("");
            self.shown.clear();
        }
    }
}

/// The narrowest terminal in common use.
const TERMINAL_COLUMNS: usize = 79;

/// Rows in the final table; older ones are in the journal.
const ROWS_MAX: u32 = 200;

/// Tasks, earnings, and whether the receipts hold.
async fn final_table(worker: &Handle, api: &LocalApi, first: &Snapshot) {
    // The worker may have ended; what it wrote down is there all the same.
    let latest = Arc::clone(&worker.snapshots().borrow());
    let Some(network) = network_of(&latest) else { return };
    let Ok(tasks) = worker.store().tasks(network, ROWS_MAX).await else { return };
    let since = first.taken_at;
    let tasks: Vec<_> = tasks.into_iter().filter(|task| task.started_at >= since).collect();
    say("");
    say(format!("{:<28} {:>7} {:<12} {:>9} {:>10}", "task", "device", "outcome", "ran", "earned"));
    for task in tasks.iter().rev() {
        say(row(task));
    }
    let accepted: Vec<_> =
        tasks.iter().filter(|task| matches!(task.state, TaskState::Accepted { .. })).collect();
    let earned = accepted
        .iter()
        .try_fold(BaseUnits::ZERO, |sum, task| sum.plus(task.price))
        .map_or("more than can be written".to_owned(), |sum| sum.to_string());
    say(format!("{} tasks, {} accepted, {earned} earned", tasks.len(), accepted.len()));
    if let Reply::ReceiptsChecked(check) = api.handle(Command::VerifyReceipts).await {
        say("receipts of this worker:");
        let check: ReceiptsCheck = check;
        receipts::lines(&check).into_iter().for_each(say);
    }
}

fn row(task: &TaskRow) -> String {
    let outcome = match &task.state {
        TaskState::Open => "open",
        TaskState::Reported => "reported",
        TaskState::Accepted { checked: true } => "checked, ok",
        TaskState::Accepted { checked: false } => "accepted",
        TaskState::Rejected { .. } => "rejected",
        TaskState::Inconclusive { .. } => "undecided",
        TaskState::Abandoned { .. } => "handed back",
    };
    let title: String = text::plain(&task.job_title).chars().take(20).collect();
    let name = format!("{title} {}/{}", task.task_index.saturating_add(1), task.task_count);
    let ran = task.ran_ms.map_or("-".to_owned(), |ms| format!("{ms} ms"));
    let earned = match task.state {
        TaskState::Accepted { .. } => task.price.to_string(),
        _ => "-".to_owned(),
    };
    format!("{name:<28} {:>7} {outcome:<12} {ran:>9} {earned:>10}", task.device)
}
