//! Puts the parts together.

use std::path::PathBuf;

use lull_types::Coded;
use lull_worker_api::transport::{TransportError, data_dir, default_endpoint};
use tauri::async_runtime;
use tauri::{AppHandle, Emitter, Manager, RunEvent, generate_context, generate_handler};
use tauri_plugin_window_state::StateFlags;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::commands::autostart::MINIMIZED;
use crate::commands::{autostart, file, page, quit as quit_command, worker};
use crate::language::Language;
use crate::notify::Notifier;
use crate::quit::Quitting;
use crate::tray::Tray;
use crate::window::Looking;
use crate::worker::{Link, LinkState, Pace, WorkerProgram, supervise};
use crate::{quit, tray, window};

/// Why the app cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no place for its data.
    #[error(transparent)]
    Data(#[from] TransportError),
    /// Tauri could not be set up.
    #[error(
        "Lull's window system could not be started: {0}. Try again; if it goes on, restart the computer."
    )]
    Tauri(#[from] tauri::Error),
}

impl Coded for AppError {
    fn code(&self) -> &'static str {
        match self {
            Self::Data(error) => error.code(),
            Self::Tauri(_) => "app_cannot_start",
        }
    }
}

/// The argument with which an installer ends a running app.
const QUIT: &str = "--quit";

/// How often the app is set up again when that fails. A first instance that ends just while a second one hands
/// it its arguments makes the second one fail, once.
const ATTEMPTS_MAX: u32 = 3;

/// Runs the app until it is quit.
pub fn run() -> Result<(), AppError> {
    let data_dir = data_dir()?;
    let mut attempt = 1;
    let app = loop {
        match build(data_dir.clone()) {
            Ok(app) => break app,
            Err(tauri::Error::PluginInitialization(plugin, why)) if attempt < ATTEMPTS_MAX => {
                tracing::warn!("{plugin} could not be set up, trying again: {why}");
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    };
    app.run(|app, event| match event {
        // The last window was closed: the tray goes on. Quitting has a code.
        RunEvent::ExitRequested { code: None, api, .. } => api.prevent_exit(),
        RunEvent::Exit => quit::finish(app),
        // A click on the dock's icon.
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::open(app),
        _ => {}
    });
    Ok(())
}

fn build(data_dir: PathBuf) -> tauri::Result<tauri::App> {
    tauri::Builder::default()
        // First, so that a second instance does nothing else before it ends.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| {
            let says = |what: &str| arguments.iter().any(|argument| argument == what);
            if says(QUIT) {
                quit::begin(app);
            } else if !says(MINIMIZED) {
                window::open(app);
            }
        }))
        .plugin(tauri_plugin_autostart::Builder::new().app_name("Lull").arg(MINIMIZED).build())
        .plugin(tauri_plugin_notification::init())
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
                .build(),
        )
        .invoke_handler(generate_handler![
            worker::worker_command,
            worker::latest_snapshot,
            autostart::autostart_get,
            autostart::autostart_set,
            file::reveal_file,
            page::open_wallet_page,
            page::open_explorer,
            quit_command::quit,
        ])
        .setup(move |app| {
            if std::env::args().any(|argument| argument == QUIT) {
                // There was no running app to pass this on to.
                app.handle().exit(0);
                return Ok(());
            }
            set_up(app.handle(), data_dir)?;
            Ok(())
        })
        .build(generate_context!())
}

fn set_up(app: &AppHandle, data_dir: PathBuf) -> tauri::Result<()> {
    let language = Language::of_system();
    let (state, states) = watch::channel(LinkState::Starting);
    let asked = CancellationToken::new();
    let (ended, worker_ended) = watch::channel(false);
    let (looking, looked_at) = watch::channel(false);
    app.manage(Looking::new(looking));
    app.manage(Link::new(states.clone()));
    app.manage(Quitting::new(asked.clone(), worker_ended));

    let endpoint = default_endpoint(&data_dir);
    async_runtime::spawn(async move {
        supervise(WorkerProgram::installed(), endpoint, state, looked_at, asked, Pace::default()).await;
        ended.send_replace(true);
    });
    quit::on_signals(app);

    if tray::is_supported() {
        app.manage(Tray::build(app, language)?);
    } else {
        tracing::warn!("no library for a tray icon was found; start Lull again to open its window");
    }
    let notifier = Notifier::new(&data_dir.join("app"), language);
    async_runtime::spawn(follow(app.clone(), states, notifier));

    if !std::env::args().any(|argument| argument == MINIMIZED) {
        window::open(app);
    }
    Ok(())
}

/// Tells the window, the tray and the person what becomes of the worker.
async fn follow(app: AppHandle, mut states: watch::Receiver<LinkState>, mut notifier: Notifier) {
    while states.changed().await.is_ok() {
        let state = LinkState::clone(&states.borrow_and_update());
        let told = match &state {
            LinkState::Starting => Ok(()),
            LinkState::Lost(fault) => app.emit("worker-lost", fault),
            LinkState::Live { snapshot, .. } => {
                notifier.show(&app, &snapshot.notices);
                app.emit("snapshot", &**snapshot)
            }
        };
        let shown = app.try_state::<Tray>().map_or(Ok(()), |tray| tray.show(&state));
        if let Err(error) = told.and(shown) {
            tracing::warn!("what the worker does cannot be shown: {error}");
        }
    }
}
