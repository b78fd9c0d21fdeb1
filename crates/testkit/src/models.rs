//! Real models for tests, where the set-up has put them.

use std::path::PathBuf;

/// The folder of models that tests use: the variable `LULL_MODELS`, else the cache that `cargo xtask` fills.
fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LULL_MODELS") {
        return Some(folder.into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(cache.join("lull/models"))
}

/// Gemma 3 with 270 million parameters, of four bits each; says so loudly where it is missing.
pub fn gemma() -> Option<PathBuf> {
    let path = folder()?.join("gemma-3-270m-q4_k_m.gguf");
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no {}; `cargo xtask models` puts it there", path.display());
    None
}
