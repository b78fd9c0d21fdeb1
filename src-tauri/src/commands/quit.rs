//! Quitting from the window.

use tauri::AppHandle;

/// Ends the worker and the app.
#[tauri::command]
pub fn quit(app: AppHandle) {
    crate::quit::begin(&app);
}
