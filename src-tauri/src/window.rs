//! The window: built when it is asked for, destroyed when it is closed. An app in the tray then holds no web view.

use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tokio::sync::watch;

/// The label that the capability and the window's kept size go by.
const LABEL: &str = "main";

/// Shows the dashboard with its chart and a list without scrolling.
const SIZE: (f64, f64) = (1120.0, 760.0);

/// Below this the dashboard's columns no longer fit.
const SIZE_MIN: (f64, f64) = (720.0, 560.0);

/// Under the locale `C.UTF-8` WebKitGTK calls the page's language "C", which is no language tag: `Intl` throws at
/// it, and libraries that format numbers fail to load. Runs before the page's own scripts.
const LANGUAGE_TAG_SCRIPT: &str = "
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US' });
  Object.defineProperty(Navigator.prototype, 'languages', { get: () => ['en-US'] });
}
";

/// Whether the window is there, for whoever works only while somebody looks.
#[derive(Clone)]
pub struct Looking(watch::Sender<bool>);

impl Looking {
    /// Tells by `sender`.
    pub fn new(sender: watch::Sender<bool>) -> Self {
        Self(sender)
    }
}

/// Opens the window, or brings it to the front.
pub fn open(app: &AppHandle) {
    let opened = match app.get_webview_window(LABEL) {
        Some(window) => window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus()),
        None => build(app),
    };
    if let Err(error) = opened {
        tracing::error!("the window cannot be opened: {error}");
    }
}

/// Destroys the window, if there is one.
pub fn close(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL)
        && let Err(error) = window.destroy()
    {
        tracing::warn!("the window cannot be closed: {error}");
    }
}

fn build(app: &AppHandle) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Lull")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SIZE_MIN.0, SIZE_MIN.1)
        .center()
        .initialization_script(LANGUAGE_TAG_SCRIPT)
        .on_navigation(is_own_page)
        .build()?;
    let looking = app.state::<Looking>().inner().clone();
    looking.0.send_replace(true);
    window.on_window_event(move |event| {
        if matches!(event, WindowEvent::Destroyed) {
            looking.0.send_replace(false);
        }
    });
    Ok(())
}

/// The window shows the app's own pages and nothing else.
fn is_own_page(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => true,
        // Windows serves the same pages from here.
        "http" | "https" if url.host_str() == Some("tauri.localhost") => true,
        // The development server.
        "http" if cfg!(not(feature = "custom-protocol")) => url.host_str() == Some("localhost"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_pages_are_refused() {
        for (url, expect) in [
            ("tauri://localhost/index.html", true),
            ("http://tauri.localhost/", true),
            ("https://tauri.localhost/", true),
            ("https://example.com/", false),
            ("http://tauri.localhost.example.com/", false),
            ("file:///etc/passwd", false),
            ("data:text/html,hello", false),
        ] {
            assert_eq!(is_own_page(&Url::parse(url).unwrap()), expect, "{url}");
        }
    }
}
