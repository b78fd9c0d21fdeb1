//! Whether there is a screen to show a window on, and what WebKit needs to be told before it starts.

/// Why no window can be shown.
#[derive(Debug, thiserror::Error)]
// On Windows and macOS there is always a display.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux runs without a display"))]
pub enum DisplayError {
    /// Neither X11 nor Wayland is announced to this process.
    #[error(
        "there is no graphical display (neither DISPLAY nor WAYLAND_DISPLAY is set). To work without one, use \
         `lull-worker run`."
    )]
    None,
    /// A display is announced but does not answer.
    #[error(
        "the graphical display {0} cannot be opened. Check that it is running and that you may use it, or use \
         `lull-worker run`, which needs none."
    )]
    Closed(String),
}

/// Makes sure that a window can be opened. Must be called first in `main`.
#[cfg(not(target_os = "linux"))]
pub fn prepare() -> Result<(), DisplayError> {
    Ok(())
}

/// Makes sure that a window can be opened, since GTK would end the process with a panic. Must be called first in
/// `main`.
#[cfg(target_os = "linux")]
pub fn prepare() -> Result<(), DisplayError> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let wayland = set("WAYLAND_DISPLAY");
    let Some(display) = wayland.clone().or_else(|| set("DISPLAY")) else { return Err(DisplayError::None) };
    let nvidia_loaded = || std::path::Path::new("/sys/module/nvidia").exists();
    let already_chosen = std::env::var_os(DMABUF_VARIABLE).is_some();
    if needs_dmabuf_off(already_chosen, wayland.is_some(), nvidia_loaded) {
        turn_dmabuf_off();
    }
    gtk::init().map_err(|_| DisplayError::Closed(display))
}

#[cfg(target_os = "linux")]
const DMABUF_VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// With NVIDIA's driver under Wayland, WebKit's DMA-BUF renderer shows a blank window. Elsewhere it is the
/// faster one and stays on; a choice that was made already is respected.
#[cfg(target_os = "linux")]
fn needs_dmabuf_off(already_chosen: bool, wayland: bool, nvidia_loaded: impl FnOnce() -> bool) -> bool {
    !already_chosen && wayland && nvidia_loaded()
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "WebKit takes this choice from the environment only")]
fn turn_dmabuf_off() {
    // SAFETY: `prepare` is called first in `main`, while there is no other thread that could read the environment.
    unsafe { std::env::set_var(DMABUF_VARIABLE, "1") };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::needs_dmabuf_off;

    #[test]
    fn the_renderer_is_turned_off_only_where_it_fails() {
        for (already_chosen, wayland, nvidia, expect) in [
            (false, true, true, true),
            (false, true, false, false),
            (false, false, true, false),
            (true, true, true, false),
        ] {
            assert_eq!(needs_dmabuf_off(already_chosen, wayland, || nvidia), expect);
        }
    }
}
