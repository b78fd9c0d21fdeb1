//! Whether the app starts, without its window, when the contributor logs in.

use lull_types::Fault;
use tauri::AppHandle;
use tauri_plugin_autostart::ManagerExt;

/// The argument with which the system starts the app: tray only.
pub const MINIMIZED: &str = "--minimized";

/// Whether it does.
#[tauri::command]
pub fn autostart_get(app: AppHandle) -> Result<bool, Fault> {
    app.autolaunch().is_enabled().map_err(|error| {
        Fault::new("autostart_unknown", format!("Whether Lull starts at log-in cannot be read: {error}."))
    })
}

/// Makes it so, or not.
#[tauri::command]
pub fn autostart_set(app: AppHandle, enabled: bool) -> Result<(), Fault> {
    let autostart = app.autolaunch();
    // Taking away what is not there is an error to some systems.
    if autostart.is_enabled().is_ok_and(|is_enabled| is_enabled == enabled) {
        return Ok(());
    }
    let outcome = if enabled { autostart.enable() } else { autostart.disable() };
    outcome.map_err(|error| {
        Fault::new(
            "autostart_failed",
            format!("The system did not take the change to starting at log-in: {error}."),
        )
    })
}
