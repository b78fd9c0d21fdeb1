//! Writes down which commands the window may call; any other is refused by tauri.

fn main() {
    let commands = tauri_build::AppManifest::new().commands(&[
        "worker_command",
        "latest_snapshot",
        "autostart_get",
        "autostart_set",
        "reveal_file",
        "open_wallet_page",
        "open_explorer",
        "quit",
    ]);
    let attributes = tauri_build::Attributes::new().app_manifest(commands);
    if let Err(error) = tauri_build::try_build(attributes) {
        // The alternate form tells the whole chain, such as that `ui/dist` has not been built.
        println!("cargo::error={error:#}");
    }
}
