//! Installs what building and testing need, on the systems that it knows; says what is missing on the others.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, npm, output, program, root, run, target};
use crate::models;

/// Debian packages that the app is built and run with.
const APP_PACKAGES: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "libxdo-dev",
    "libssl-dev",
    // llama.cpp, and the bindings to it.
    "cmake",
    "libclang-dev",
    // Vulkan's loader, and Mesa's drivers with the software device that stands in where there is no GPU.
    "libvulkan1",
    "mesa-vulkan-drivers",
];

/// Debian packages that the tests need beside those.
const TEST_PACKAGES: &[&str] = &[
    "webkit2gtk-driver",
    "xvfb",
    "xauth",
    "dbus",
    "dbus-x11",
    "openbox",
    "wmctrl",
    "xdotool",
    "clang",
    // A language model for the tests comes from PyPI.
    "python3-venv",
    // The pages on which wallets sign are made for browsers like it.
    "chromium",
];

/// Sets up everything.
pub fn everything() -> Result<()> {
    for_app()?;
    for_tests()
}

/// What `cargo xtask run` needs.
pub fn for_app() -> Result<()> {
    system_packages(APP_PACKAGES)?;
    node()?;
    npm_packages(&root().join("ui"))
}

/// What `cargo xtask test` needs beside that.
pub fn for_tests() -> Result<()> {
    system_packages(TEST_PACKAGES)?;
    npm_packages(&root().join("tests/e2e"))?;
    models::set_up()?;
    // 0.9.143 is the version that the nextest profile was written for; 2.1.0 drives Tauri 2; 0.20.2 reads
    // deny.toml's present format.
    cargo_tool("cargo-nextest", "0.9.143")?;
    cargo_tool("cargo-deny", "0.20.2")?;
    cargo_tool("tauri-driver", "2.1.0")
}

fn system_packages(packages: &[&str]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(()); // Windows and macOS bring their web view and their graphics drivers along.
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let family = |name: &str| {
        release
            .lines()
            .any(|line| (line.starts_with("ID=") || line.starts_with("ID_LIKE=")) && line.contains(name))
    };
    if !family("debian") && !family("ubuntu") {
        println!(
            "This system is not Debian or Ubuntu, so nothing is installed. Needed are the equivalents of:"
        );
        println!("  {}", packages.join(" "));
        return Ok(());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing {} Debian packages: {}", missing.len(), missing.join(" "));
    let is_root = output(program("id").arg("-u")).as_deref() == Some("0");
    let privileged = |words: &[&str]| {
        let mut command = if is_root {
            program("env")
        } else {
            let mut sudo = program("sudo");
            sudo.arg("env");
            sudo
        };
        command.arg("DEBIAN_FRONTEND=noninteractive").args(words);
        run(&mut command).context("packages are installed as root; log in as root or install sudo")
    };
    privileged(&["apt-get", "update", "-qq"])?;
    let mut install = vec!["apt-get", "install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&missing);
    privileged(&install)
}

fn is_installed(package: &str) -> bool {
    let status = output(program("dpkg-query").args(["-W", "-f", "${Status}", package]));
    status.is_some_and(|status| status.ends_with("ok installed"))
}

fn node() -> Result<()> {
    // Vite 8 needs Node 20.19.
    let version =
        output(program("node").arg("--version")).context("Node 20 is needed: https://nodejs.org")?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= 20 => Ok(()),
        _ => bail!("Node 20 or newer is needed, and this is {version}"),
    }
}

/// Installs what the lock file says, when it has changed since the last time.
///
/// `npm install --no-save` and not `npm ci`: the lock files pin no optional packages of platforms other than
/// Linux, which `ci` refuses everywhere and `install` resolves on those platforms alone.
pub fn npm_packages(folder: &Path) -> Result<()> {
    let lock = std::fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    let stamp = folder.join("node_modules/.lull-lock");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("Installing npm packages of {}", folder.strip_prefix(root()).unwrap_or(folder).display());
    run(npm().current_dir(folder).args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))?;
    std::fs::write(stamp, lock).context("cannot note which npm packages are installed")
}

/// Where lies what is made once: outside the repository, so that every clone on a machine shares it.
pub fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    cache.map_or_else(target, |cache| cache.join("lull"))
}

/// Tools that are built from crates.io and were not found on the path.
fn tools() -> PathBuf {
    cache().join("tools")
}

/// A tool by its full path: the one on the path, else the one that was built here.
pub fn tool(name: &str) -> PathBuf {
    let own = tools().join("bin").join(name);
    if own.exists() { own } else { PathBuf::from(name) }
}

fn cargo_tool(name: &str, version: &str) -> Result<()> {
    let answers = |path: PathBuf| {
        program(path)
            .arg("--help")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if answers(tool(name)) {
        return Ok(());
    }
    println!("Building {name} {version} (a few minutes, once)");
    run(cargo().args(["install", name, "--version", version, "--locked", "--quiet", "--root"]).arg(tools()))
}
