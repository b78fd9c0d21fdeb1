//! Where keys go, and that none is ever replaced.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::*;

#[derive(Clone, Default)]
struct FakeKeychain {
    held: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    broken: Arc<Mutex<bool>>,
}

impl Keychain for FakeKeychain {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        if *self.broken.lock().unwrap() {
            return Err("locked".to_owned());
        }
        Ok(self.held.lock().unwrap().get(name).cloned())
    }
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), String> {
        if *self.broken.lock().unwrap() {
            return Err("locked".to_owned());
        }
        self.held.lock().unwrap().insert(name.to_owned(), secret.to_vec());
        Ok(())
    }
    fn remove(&self, name: &str) -> Result<(), String> {
        if *self.broken.lock().unwrap() {
            return Err("locked".to_owned());
        }
        self.held.lock().unwrap().remove(name);
        Ok(())
    }
}

/// Waits for its owner for ever.
#[derive(Clone)]
struct Hanging;

impl Keychain for Hanging {
    fn get(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
        std::thread::park();
        Err("woken".to_owned())
    }
    fn set(&self, _: &str, _: &[u8]) -> Result<(), String> {
        std::thread::park();
        Err("woken".to_owned())
    }
    fn remove(&self, _: &str) -> Result<(), String> {
        std::thread::park();
        Err("woken".to_owned())
    }
}

const NONE: Option<FakeKeychain> = None;

fn folder() -> (tempfile::TempDir, Paths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::at(folder.path());
    paths.create().unwrap();
    (folder, paths)
}

#[test]
fn without_a_keychain_the_key_is_in_a_private_file_and_stays() {
    let (_folder, paths) = folder();
    let first = device_key(&paths, NONE).unwrap();
    assert_eq!(device_key(&paths, NONE).unwrap().worker_id(), first.worker_id());
    // A keychain that appears later does not change who this worker is.
    assert_eq!(device_key(&paths, Some(FakeKeychain::default())).unwrap().worker_id(), first.worker_id());
}

#[test]
fn with_a_keychain_no_file_holds_the_key() {
    let (_folder, paths) = folder();
    let keychain = FakeKeychain::default();
    let first = device_key(&paths, Some(keychain.clone())).unwrap();
    assert!(!paths.key_file().exists());
    assert_eq!(device_key(&paths, Some(keychain)).unwrap().worker_id(), first.worker_id());
}

#[test]
fn a_keychain_that_is_locked_later_is_a_fault_and_makes_no_new_key() {
    let (_folder, paths) = folder();
    let keychain = FakeKeychain::default();
    device_key(&paths, Some(keychain.clone())).unwrap();
    *keychain.broken.lock().unwrap() = true;
    let error = device_key(&paths, Some(keychain.clone())).unwrap_err();
    assert_eq!(error.code(), "keychain_unavailable");
    assert_eq!(device_key(&paths, NONE).unwrap_err().code(), "keychain_unavailable");
    *keychain.broken.lock().unwrap() = false;
    keychain.held.lock().unwrap().clear();
    assert_eq!(device_key(&paths, Some(keychain)).unwrap_err().code(), "keychain_lost");
    assert!(!paths.key_file().exists());
}

#[test]
fn a_keychain_that_hangs_is_left_after_a_bounded_time() {
    let (_folder, paths) = folder();
    let started = Instant::now();
    let key = device_key_within(&paths, Some(Hanging), Duration::from_millis(50)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(device_key(&paths, NONE).unwrap().worker_id(), key.worker_id());
}

#[test]
fn a_damaged_key_file_is_a_fault_and_is_left_as_it_is() {
    for content in [&b""[..], b"lull-device-key-1 00\n", b"\xff\xfe", b"lull-device-key-2 xyz\n"] {
        let (_folder, paths) = folder();
        atomic::write(&paths.key_file(), content, IfThere::Refuse).unwrap();
        assert_eq!(device_key(&paths, NONE).unwrap_err().code(), "device_key_corrupt");
        assert_eq!(fs::read(paths.key_file()).unwrap(), content);
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_a_fault() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, paths) = folder();
    device_key(&paths, NONE).unwrap();
    fs::set_permissions(paths.key_file(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(device_key(&paths, NONE).unwrap_err().code(), "device_key_exposed");
}
