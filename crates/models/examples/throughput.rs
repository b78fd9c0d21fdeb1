//! How fast a model moves from one library to another over TCP on this machine.
//!
//! `cargo run --release -p lull-models --example throughput -- [MEBIBYTES] [FOLDER]`
//!
//! Method: a file of random bytes (1 GiB unless told otherwise) in FOLDER is added to one library, and is fetched
//! three times by another, which is new each time. Both ends run in this process. A run is timed from the request
//! until the model is whole and on the disk, so writing and synchronising are in it, and so are checking each group
//! on both sides. The file was read just before, so the sender reads from memory. Beside it, what the disk alone
//! writes and synchronises, and what hashing alone makes of the file.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lull_models::{FetchOptions, Library, SendOptions, fetch, send};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::net::{TcpListener, TcpStream};

const RUNS: usize = 3;
const MIB: u64 = 1024 * 1024;

fn rate(bytes: u64, since: Instant) -> f64 {
    bytes as f64 / MIB as f64 / since.elapsed().as_secs_f64()
}

/// Writes random bytes, and says how fast the disk took them and made them last.
fn write_random(path: &Path, bytes: u64) -> Result<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut chunk = vec![0; MIB as usize];
    let mut file = File::create(path)?;
    let mut seconds = 0.0;
    for _ in 0..bytes / MIB {
        random.fill_bytes(&mut chunk);
        let start = Instant::now();
        file.write_all(&chunk)?;
        seconds += start.elapsed().as_secs_f64();
    }
    let start = Instant::now();
    file.sync_all()?;
    seconds += start.elapsed().as_secs_f64();
    Ok(bytes as f64 / MIB as f64 / seconds)
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mebibytes: u64 = arguments.next().map_or(Ok(1024), |text| text.parse()).context("MEBIBYTES")?;
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let bytes = mebibytes * MIB;

    let file = folder.path().join("model.gguf");
    println!("disk alone: {:.0} MiB/s", write_random(&file, bytes)?);
    let one = Library::open_with(folder.path().join("one"), 2 * bytes, 0).await?;
    let start = Instant::now();
    let hash = one.add_file(&file, |_| ()).await?;
    println!("add_file: {:.0} MiB/s", rate(bytes, start));
    let start = Instant::now();
    one.verify(hash, |_| ()).await?;
    println!("verify: {:.0} MiB/s", rate(bytes, start));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut rates = Vec::new();
    for run in 1..=RUNS {
        let root = folder.path().join(format!("two-{run}"));
        let two = Library::open_with(&root, 2 * bytes, 0).await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        let from = one.clone();
        let sending = tokio::spawn(async move { send(&from, accepted, &SendOptions::default()).await });
        let start = Instant::now();
        let fetched = fetch(&two, hash, bytes, stream, &FetchOptions::default()).await?;
        rates.push(rate(bytes, start));
        ensure!(fetched.missing_bytes == 0 && sending.await??.bytes == bytes, "not all of it moved");
        println!("fetch, run {run}: {:.0} MiB/s", rates[run - 1]);
        drop(two);
        std::fs::remove_dir_all(root)?;
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "fetch of {mebibytes} MiB, {RUNS} runs: median {:.0} MiB/s, from {:.0} to {:.0}",
        rates[RUNS / 2],
        rates[0],
        rates[RUNS - 1]
    );
    if let Some(peak) = peak_memory_mib() {
        println!("memory at its peak, both ends: {peak} MiB");
    }
    Ok(())
}
