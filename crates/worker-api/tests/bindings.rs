//! The user interface's TypeScript types are generated from this crate's Rust types and kept in the repository.
#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

use std::path::{Path, PathBuf};

use lull_worker_api::{Command, Reply, Snapshot};
use ts_rs::{Config, TS};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/bindings")
}

fn export_to(directory: &Path) {
    let config = Config::new().with_out_dir(directory).with_large_int("number");
    Snapshot::export_all(&config).unwrap();
    Command::export_all(&config).unwrap();
    Reply::export_all(&config).unwrap();
}

fn files(directory: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|e| (e.file_name().into_string().unwrap(), std::fs::read_to_string(e.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// `cargo xtask bindings` runs this with `LULL_BINDINGS=write`.
#[test]
fn the_committed_bindings_are_current() {
    if std::env::var("LULL_BINDINGS").as_deref() == Ok("write") {
        export_to(&committed());
        return;
    }
    let fresh = tempfile::tempdir().unwrap();
    export_to(fresh.path());
    assert!(
        files(fresh.path()) == files(&committed()),
        "ui/src/bindings is out of date: run `cargo xtask bindings` and commit what it writes"
    );
}
