//! The icon in the system's tray, and its menu.

mod view;

use std::sync::{Mutex, PoisonError};

use chrono::{Local, TimeZone};
use lull_types::UnixMillis;
use lull_worker_api::{Command, PauseFor};
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};

use crate::language::Language;
use crate::worker::{Link, LinkState};
use crate::{quit, window};
pub use view::{Known, TrayIconState, TrayView};

/// The menu's "Pause for 1 hour".
const PAUSE_MINUTES: u32 = 60;

const OPEN: &str = "open";
/// The pauses that the menu offers, in order.
const PAUSES: [(&str, PauseFor); 3] = [
    ("pause-hour", PauseFor::Minutes(PAUSE_MINUTES)),
    ("pause-until-restart", PauseFor::UntilRestart),
    ("pause-until-resumed", PauseFor::UntilResumed),
];
const RESUME: &str = "resume";
const QUIT: &str = "quit";

/// The tray with the parts of it that change.
pub struct Tray {
    icon: TrayIcon<Wry>,
    today: MenuItem<Wry>,
    state: MenuItem<Wry>,
    /// One for each of [`PAUSES`].
    pauses: Vec<MenuItem<Wry>>,
    resume: MenuItem<Wry>,
    language: Language,
    shown: Mutex<TrayView>,
}

impl Tray {
    /// Puts the icon into the tray. A desktop without a tray shows none; the app is reached by starting it again.
    pub fn build(app: &AppHandle, language: Language) -> tauri::Result<Self> {
        let view = TrayView::of(Known::Starting, language, local_time);
        let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
        let line = || PredefinedMenuItem::separator(app);
        let today = item("today", &view.today, false)?;
        let state = item("state", &view.state, false)?;
        let open = item(OPEN, language.pick("Open Lull", "打开 Lull"), true)?;
        let pauses = PAUSES
            .iter()
            .map(|(id, duration)| item(id, pause_text(*duration, language), false))
            .collect::<tauri::Result<Vec<_>>>()?;
        let resume = item(RESUME, language.pick("Resume", "恢复"), false)?;
        let quit = item(QUIT, language.pick("Quit (work stops)", "退出（停止工作）"), true)?;
        let menu = Menu::with_items(app, &[&today, &state, &line()?, &open, &line()?])?;
        for pause in &pauses {
            menu.append(pause)?;
        }
        menu.append_items(&[&resume, &line()?, &quit])?;
        let icon = TrayIconBuilder::with_id("lull")
            .icon(picture(view.icon)?)
            .tooltip(&view.tooltip)
            .menu(&menu)
            // Where the system tells a left click, it opens the window; the menu is on the right button.
            .show_menu_on_left_click(false)
            .on_menu_event(on_menu)
            .on_tray_icon_event(|tray, event| {
                let left = MouseButton::Left;
                if matches!(event, TrayIconEvent::Click { button, button_state: MouseButtonState::Up, .. } if button == left)
                {
                    window::open(tray.app_handle());
                }
            })
            .build(app)?;
        let shown = Mutex::new(view);
        Ok(Self { icon, today, state, pauses, resume, language, shown })
    }

    /// Shows what is known of the worker. Only what differs is touched: some panels flicker otherwise.
    pub fn show(&self, link: &LinkState) -> tauri::Result<()> {
        let known = match link {
            LinkState::Starting => Known::Starting,
            LinkState::Lost(fault) => Known::Lost(fault),
            LinkState::Live { snapshot, .. } => Known::Snapshot(snapshot),
        };
        let view = TrayView::of(known, self.language, local_time);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if view.icon != shown.icon {
            self.icon.set_icon(Some(picture(view.icon)?))?;
        }
        if view.tooltip != shown.tooltip {
            self.icon.set_tooltip(Some(&view.tooltip))?;
        }
        if view.today != shown.today {
            self.today.set_text(&view.today)?;
        }
        if view.state != shown.state {
            self.state.set_text(&view.state)?;
        }
        if view.can_pause != shown.can_pause {
            for pause in &self.pauses {
                pause.set_enabled(view.can_pause)?;
            }
        }
        if view.resume.is_some() != shown.resume.is_some() {
            self.resume.set_enabled(view.resume.is_some())?;
        }
        *shown = view;
        Ok(())
    }

    fn resume_command(&self) -> Option<Command> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).resume.clone()
    }
}

fn on_menu(app: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        OPEN => window::open(app),
        RESUME => {
            if let Some(command) = app.try_state::<Tray>().and_then(|tray| tray.resume_command()) {
                send(app, command);
            }
        }
        QUIT => quit::begin(app),
        // The two lines at the top cannot be clicked.
        id => {
            if let Some((_, duration)) = PAUSES.iter().find(|(pause, _)| *pause == id) {
                send(app, Command::Pause { duration: *duration, device: None });
            }
        }
    }
}

fn pause_text(duration: PauseFor, language: Language) -> &'static str {
    match duration {
        PauseFor::Minutes(_) => language.pick("Pause for 1 hour", "暂停 1 小时"),
        PauseFor::UntilRestart => language.pick("Pause until restart", "暂停到重新启动"),
        PauseFor::UntilResumed => language.pick("Pause until I resume", "暂停，直到我恢复"),
    }
}

fn send(app: &AppHandle, command: Command) {
    let link = app.state::<Link>().inner().clone();
    tauri::async_runtime::spawn(async move {
        // The tray has no place for a fault of its own; a worker that is lost shows there anyway.
        if let Err(fault) = link.command(command).await {
            tracing::warn!(code = fault.code, "{}", fault.sentence);
        }
    });
}

fn picture(icon: TrayIconState) -> tauri::Result<Image<'static>> {
    Image::from_bytes(match icon {
        TrayIconState::Earning => include_bytes!("../../../icons/generated/tray-earning.png"),
        TrayIconState::Ready => include_bytes!("../../../icons/generated/tray-ready.png"),
        TrayIconState::Paused => include_bytes!("../../../icons/generated/tray-paused.png"),
        TrayIconState::Problem => include_bytes!("../../../icons/generated/tray-problem.png"),
    })
}

/// Hours and minutes of the contributor's clock.
fn local_time(instant: UnixMillis) -> String {
    let millis = i64::try_from(instant.0).unwrap_or(i64::MAX);
    match Local.timestamp_millis_opt(millis).single() {
        Some(time) => time.format("%H:%M").to_string(),
        // Past the end of the calendar.
        None => "∞".to_owned(),
    }
}

/// Whether the library is there through which Linux desktops show a tray. It is loaded at run time, and the
/// tray's crate ends the process when it is missing; without it the app goes on with its window alone.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "whether a shared library can be loaded is only known by loading it")]
pub fn is_supported() -> bool {
    ["libayatana-appindicator3.so.1", "libappindicator3.so.1"].into_iter().any(|name| {
        // SAFETY: both are the system's own GTK libraries, whose initialisers are made to run in any GTK program,
        // and which the tray's crate is going to load in the same way. It stays loaded for that.
        unsafe { libloading::Library::new(name) }.map(std::mem::forget).is_ok()
    })
}

/// Whether the system has a tray.
#[cfg(not(target_os = "linux"))]
pub fn is_supported() -> bool {
    true
}
