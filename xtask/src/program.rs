//! The on-chain program: its toolchain, its artefact, and whether that is what the sources build.
//!
//! `xtask/program-toolchain.sh` makes the toolchain, from Debian's packages and crates.io. The artefact is committed, so
//! that whoever lacks the toolchain can build and test the network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, output, program, root, run, target};
use crate::setup::cache;

const PACKAGE: &str = "lull-distributor-program";
/// rustc's own target; sbpf-ld makes Solana's of it.
const TARGET: &str = "bpfel-unknown-none";

fn artefact() -> PathBuf {
    root().join("programs/distributor/distributor.so")
}

/// Says which compiler made the artefact: another may lay it out otherwise.
fn compiler_note() -> PathBuf {
    root().join("programs/distributor/distributor.rustc")
}

fn toolchain() -> PathBuf {
    cache().join("program")
}

/// Sets the toolchain up, builds the program twice, and writes the artefact.
pub fn write() -> Result<()> {
    if !can_be_set_up() {
        bail!("the program's toolchain is set up on Debian, on x86-64");
    }
    let built = build_twice()?;
    std::fs::write(artefact(), &built).context("cannot write the artefact")?;
    std::fs::write(compiler_note(), compiler()?).context("cannot note the compiler")?;
    println!("wrote {}, {} bytes", artefact().strip_prefix(root())?.display(), built.len());
    Ok(())
}

/// Prints what each instruction costs.
pub fn measure() -> Result<()> {
    run(cargo().args([
        "test",
        "--quiet",
        "-p",
        PACKAGE,
        "--test",
        "distributor",
        "--",
        "cost",
        "--nocapture",
    ]))
}

/// Rebuilds the program and compares it with the artefact, where that can be done; says so where it cannot.
pub fn check() -> Result<()> {
    if !can_be_set_up() {
        println!(
            "SKIPPED: the program's toolchain is set up on Debian, on x86-64; the committed artefact is tested"
        );
        return Ok(());
    }
    let built = build_twice()?;
    let made_by = std::fs::read_to_string(compiler_note()).unwrap_or_default();
    let compiler = compiler()?;
    if made_by != compiler {
        println!(
            "SKIPPED: comparing, as the committed artefact was made by {}, and here is {}",
            made_by.trim(),
            compiler.trim()
        );
        return Ok(());
    }
    let committed = std::fs::read(artefact()).context("the artefact is missing: cargo xtask program")?;
    if committed != built {
        bail!("programs/distributor/distributor.so is not what its sources build: cargo xtask program");
    }
    println!("the committed artefact is what the sources build, {} bytes", built.len());
    Ok(())
}

/// Debian has the compiler; without `apt-get` there is no telling.
fn can_be_set_up() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let debian = release.lines().any(|line| line == "ID=debian");
    // Older Debians have no rustc-web.
    let known = output(program("apt-cache").args(["show", "--no-all-versions", "rustc-web"]));
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
        && debian
        && known.is_some_and(|text| !text.is_empty())
}

fn compiler() -> Result<String> {
    let said =
        output(program(toolchain().join("rustc")).arg("-vV")).context("the program's rustc does not run")?;
    let facts = said.lines().filter(|line| line.starts_with("rustc ") || line.starts_with("LLVM "));
    Ok(facts.map(|line| format!("{line}\n")).collect())
}

/// Builds in two places, which must not show in the bytes.
fn build_twice() -> Result<Vec<u8>> {
    run(program("bash").arg(root().join("xtask/program-toolchain.sh")).arg(toolchain()))?;
    let first = build(&target().join("program"))?;
    let elsewhere = std::env::temp_dir().join(format!("lull-program-{}", std::process::id()));
    let second = build(&elsewhere);
    std::fs::remove_dir_all(&elsewhere).context("cannot remove the second build")?;
    if first != second? {
        bail!("two builds of the program differ: something of this machine is in it");
    }
    Ok(first)
}

fn build(folder: &Path) -> Result<Vec<u8>> {
    let toolchain = toolchain();
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    // A separator that no path holds, as a path may hold spaces.
    let mut flags = vec![
        format!("-Clinker={}", toolchain.join("sbpf-ld").display()),
        "-Cpanic=abort".to_owned(),
        // Paths get into the names of panics' places.
        format!("--remap-path-prefix={}=lull", root().display()),
        format!("--remap-path-prefix={}=toolchain", toolchain.display()),
    ];
    flags.extend(cargo_home.map(|home| format!("--remap-path-prefix={}=cargo", home.display())));
    let build = ["rustc", "--quiet", "--locked", "--profile", "program", "--package", PACKAGE, "--lib"];
    run(cargo()
        .args(build)
        .args(["--crate-type", "cdylib", "--target", TARGET, "-Zbuild-std=core", "--target-dir"])
        .arg(folder)
        .env("RUSTC", toolchain.join("rustc"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")))?;
    let made = folder.join(TARGET).join("program");
    let name = ["liblull_distributor_program.so", "lull_distributor_program.so"];
    let made =
        name.iter().map(|name| made.join(name)).find(|path| path.exists()).context("no program was made")?;
    Ok(std::fs::read(made)?)
}
