//! Where the worker keeps its data and listens. The app, the worker and the command line all ask here, so that
//! they find each other.

use std::fmt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use lull_types::BlobHash;

use super::TransportError;

/// The environment variable that names another data folder than the platform's.
pub const DATA_DIR_VARIABLE: &str = "LULL_DATA_DIR";

/// The worker's data folder: `LULL_DATA_DIR`, or the platform's folder for this account's data that does not
/// roam between machines (a device key belongs to one machine). It is not created.
pub fn data_dir() -> Result<PathBuf, TransportError> {
    match std::env::var_os(DATA_DIR_VARIABLE) {
        Some(folder) if !folder.is_empty() => Ok(PathBuf::from(folder)),
        _ => platform_data_dir().ok_or(TransportError::NoHome),
    }
}

fn platform_data_dir() -> Option<PathBuf> {
    ProjectDirs::from("com", "lull", "Lull").map(|folders| folders.data_local_dir().to_path_buf())
}

/// Where the worker with `data_dir` listens.
///
/// Each data folder has an endpoint of its own, so that a worker for a test and the contributor's run side by
/// side. On Unix the platform's data folder has `$XDG_RUNTIME_DIR/lull/worker.sock`, which the system clears at
/// log-out; without that variable, and for any other data folder, it is `worker.sock` in the data folder.
pub fn default_endpoint(data_dir: &Path) -> Endpoint {
    #[cfg(unix)]
    {
        let runtime_dir =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
        let is_platform_dir = platform_data_dir().is_some_and(|platform| platform == data_dir);
        unix_endpoint(data_dir, is_platform_dir, runtime_dir.as_deref())
    }
    #[cfg(windows)]
    {
        // A pipe's name is shared by all accounts of the machine: the hash of the data folder, which lies in the
        // account's profile, keeps accounts apart. Windows paths are case-insensitive.
        let folder = data_dir.to_string_lossy().to_lowercase();
        let hash = BlobHash::of(folder.as_bytes()).to_string();
        Endpoint { path: PathBuf::from(format!(r"\\.\pipe\lull-worker-{}", &hash[..32])) }
    }
}

/// Longest path of a Unix socket that every platform takes: macOS has 104 bytes with the closing zero.
#[cfg(unix)]
const SOCKET_PATH_BYTES_MAX: usize = 103;

#[cfg(unix)]
fn unix_endpoint(data_dir: &Path, is_platform_dir: bool, runtime_dir: Option<&Path>) -> Endpoint {
    let in_data_dir = data_dir.join("worker.sock");
    let path = match runtime_dir {
        Some(runtime_dir) if is_platform_dir => runtime_dir.join("lull/worker.sock"),
        // A path that is too long for a socket gets a short stand-in.
        Some(runtime_dir) if in_data_dir.as_os_str().len() > SOCKET_PATH_BYTES_MAX => {
            let hash = BlobHash::of(in_data_dir.as_os_str().as_encoded_bytes()).to_string();
            runtime_dir.join(format!("lull/worker-{}.sock", &hash[..16]))
        }
        _ => in_data_dir,
    };
    Endpoint { path }
}

/// Where a worker listens: the path of a Unix socket, or the name of a Windows pipe (`\\.\pipe\…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
}

impl Endpoint {
    /// The endpoint at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn unusable(&self, source: std::io::Error) -> TransportError {
        TransportError::Endpoint { at: self.to_string(), source }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data_dir: &str, is_platform_dir: bool, runtime_dir: Option<&str>, expect: &str) {
        let endpoint = unix_endpoint(Path::new(data_dir), is_platform_dir, runtime_dir.map(Path::new));
        assert_eq!(endpoint.path(), Path::new(expect));
    }

    #[test]
    fn each_data_folder_has_its_own_endpoint() {
        check("/home/a/.local/share/lull", true, Some("/run/user/1"), "/run/user/1/lull/worker.sock");
        check("/home/a/.local/share/lull", true, None, "/home/a/.local/share/lull/worker.sock");
        check("/tmp/x", false, Some("/run/user/1"), "/tmp/x/worker.sock");
        check("/tmp/x", false, None, "/tmp/x/worker.sock");
    }

    #[test]
    fn a_long_data_folder_still_has_an_endpoint_that_fits() {
        let long = format!("/tmp/{}", "x".repeat(120));
        let endpoint = unix_endpoint(Path::new(&long), false, Some(Path::new("/run/user/1000")));
        assert!(endpoint.path().starts_with("/run/user/1000/lull"));
        assert!(endpoint.path().as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
    }
}
