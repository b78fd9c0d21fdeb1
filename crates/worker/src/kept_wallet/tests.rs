//! A wallet that is kept, with keychains that fail and processes that end between any two steps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lull_types::{Coded, SecretKey, WalletAddress};
use lull_worker_api::{KeptWallet, Snapshot};
use tempfile::TempDir;
use tokio::task::{AbortHandle, JoinHandle};

use super::keys::folder_keychain;
use super::*;
use crate::keychain::Keychain;
use crate::machine::Order;
use crate::paths::Paths;
use crate::prices::Scripted;
use crate::shell::{self, Handle, Options, RuntimeSource};
use crate::telemetry::SystemSource;

/// What is wrong with a keychain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Nothing,
    /// Its owner does not unlock it.
    Locked,
    /// It takes a secret and gives none.
    TakesAndGivesNothing,
    /// It takes a secret, and says that it failed to.
    FailsToAnswer,
    /// It does what it is asked, and the worker's process ends before it hears so.
    ProcessEnds,
    /// It answers never.
    Hangs,
}

#[derive(Clone)]
struct FakeKeychain {
    held: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    trouble: Arc<Mutex<Trouble>>,
    /// The process that uses it.
    process: Arc<Mutex<Option<AbortHandle>>>,
}

impl FakeKeychain {
    fn new() -> Self {
        let trouble = Arc::new(Mutex::new(Trouble::Nothing));
        Self { held: Arc::default(), trouble, process: Arc::default() }
    }

    fn has(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    fn entries(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Whether it answers at all.
    fn asked(&self) -> Result<Trouble, String> {
        let trouble = *self.trouble.lock().unwrap();
        match trouble {
            Trouble::Locked => Err("it is locked".to_owned()),
            Trouble::Hangs => {
                std::thread::park();
                Err("woken".to_owned())
            }
            Trouble::Nothing
            | Trouble::TakesAndGivesNothing
            | Trouble::FailsToAnswer
            | Trouble::ProcessEnds => Ok(trouble),
        }
    }

    fn ends_process(&self, trouble: Trouble) {
        if trouble == Trouble::ProcessEnds {
            self.process.lock().unwrap().take().expect("a process runs").abort();
        }
    }
}

impl Keychain for FakeKeychain {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let gives = self.asked()? != Trouble::TakesAndGivesNothing;
        Ok(self.held.lock().unwrap().get(name).filter(|_| gives).cloned())
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), String> {
        let trouble = self.asked()?;
        self.held.lock().unwrap().insert(name.to_owned(), secret.to_vec());
        self.ends_process(trouble);
        if trouble == Trouble::FailsToAnswer { Err("cut off".to_owned()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        let trouble = self.asked()?;
        self.held.lock().unwrap().remove(name);
        self.ends_process(trouble);
        Ok(())
    }
}

/// A contributor's machine, on which a worker can be started and killed.
struct Machine {
    _folder: TempDir,
    paths: Paths,
    keychain: FakeKeychain,
}

struct Running {
    worker: Handle,
    kept: KeptWallets,
    shell: JoinHandle<()>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path());
        paths.create().unwrap();
        Self { _folder: folder, paths, keychain: FakeKeychain::new() }
    }

    async fn start(&self) -> Running {
        self.start_with(WalletKeys::with(self.keychain.clone())).await
    }

    async fn start_with(&self, wallet_keys: WalletKeys) -> Running {
        let options = Options {
            paths: self.paths.clone(),
            key: SecretKey::from_bytes(&[1; 32]),
            runtime: RuntimeSource::default(),
            models: std::sync::Arc::new(crate::models::ModelLibrary::new(self.paths.models())),
            network_program: None,
            telemetry: Box::<SystemSource>::default(),
            wallet_keys,
            prices: Box::<Scripted>::default(),
            probes: Vec::new(),
            power: Box::new(|| Box::<crate::power::FakePower>::default()),
        };
        let (worker, shell) = shell::start(options).await.unwrap();
        *self.keychain.process.lock().unwrap() = Some(shell.abort_handle());
        Running { kept: KeptWallets::new(worker.clone()), worker, shell }
    }
}

impl Running {
    /// Ends it between any two of its steps.
    async fn kill(self) {
        self.shell.abort();
        assert!(self.shell.await.unwrap_err().is_cancelled());
    }

    async fn snapshot(&self) -> Snapshot {
        self.worker.snapshot().await.unwrap()
    }

    /// What is kept, whether it was confirmed, and whether it is paid to.
    async fn stands(&self) -> Option<(WalletAddress, bool, bool)> {
        let snapshot = self.snapshot().await;
        let KeptWallet { address, confirmed } = snapshot.kept_wallet?;
        Some((address, confirmed, snapshot.wallet == Some(address)))
    }

    async fn signs(&self, wallet: WalletAddress) -> bool {
        let signed = self.worker.wallet_keys().sign(wallet, b"text").await;
        signed.is_ok_and(|signature| wallet.has_signed(b"text", &signature).is_ok())
    }
}

fn typed(words: &WalletWords) -> String {
    words.list().collect::<Vec<_>>().join(" ")
}

/// Other words than any that are drawn in a test.
fn others() -> (String, WalletAddress) {
    let text = "abandon ".repeat(11) + "about";
    let address = WalletWords::parse(&text).unwrap().address().unwrap();
    (text, address)
}

fn contract(keychain: &dyn Keychain) {
    assert_eq!(keychain.get("a"), Ok(None));
    keychain.set("a", &[1, 2]).unwrap();
    keychain.set("b", &[3]).unwrap();
    keychain.set("a", &[4]).unwrap();
    assert_eq!(keychain.get("a"), Ok(Some(vec![4])));
    keychain.remove("a").unwrap();
    keychain.remove("a").unwrap();
    assert_eq!((keychain.get("a"), keychain.get("b")), (Ok(None), Ok(Some(vec![3]))));
}

#[test]
fn the_fake_and_the_folder_keep_the_same_promises() {
    contract(&FakeKeychain::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    contract(&*folder_keychain(path.clone()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("b"))), (0o700, 0o600));
        std::fs::set_permissions(path.join("b"), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(folder_keychain(path).get("b").unwrap_err().contains("others can read"));
    }
}

#[tokio::test]
async fn made_then_confirmed_then_used_through_kills_between_the_steps() {
    let machine = Machine::new();
    let running = machine.start().await;
    let (wallet, words) = running.kept.make().await.unwrap();
    assert_eq!(running.stands().await, Some((wallet, false, false)));
    running.kill().await;

    let running = machine.start().await;
    assert_eq!(running.stands().await, Some((wallet, false, false)));
    let (text, _) = others();
    assert_eq!(running.kept.confirm(&text).await.unwrap_err().code, "wallet_words_differ");
    assert_eq!(running.kept.confirm("a few words").await.unwrap_err().code, "wallet_words_count");
    assert_eq!(running.stands().await, Some((wallet, false, false)));
    running.kept.confirm(&typed(&words)).await.unwrap();
    running.kill().await;

    let running = machine.start().await;
    assert_eq!(running.stands().await, Some((wallet, true, true)));
    assert!(running.signs(wallet).await);
    // Whoever did not hear the answer confirms again.
    running.kept.confirm(&typed(&words)).await.unwrap();
    let (exported, again) = running.kept.export().await.unwrap();
    assert_eq!((exported, typed(&again)), (wallet, typed(&words)));
}

#[tokio::test]
async fn a_process_that_ends_between_keychain_and_journal_keeps_nothing_and_is_paid_nowhere() {
    let machine = Machine::new();
    let running = machine.start().await;
    for trouble in [Trouble::FailsToAnswer, Trouble::TakesAndGivesNothing, Trouble::Locked] {
        machine.keychain.has(trouble);
        assert_eq!(running.kept.make().await.unwrap_err().code, "wallet_key_unavailable");
        assert_eq!(running.kept.restore(&others().0).await.unwrap_err().code, "wallet_key_unavailable");
        assert_eq!(running.snapshot().await.wallet, None);
    }
    // The key is stored, and the process gone before it is written down.
    machine.keychain.held.lock().unwrap().clear();
    machine.keychain.has(Trouble::ProcessEnds);
    assert_eq!(running.kept.restore(&others().0).await.unwrap_err().code, "worker_ending");
    assert_eq!(machine.keychain.entries(), 1);
    machine.keychain.has(Trouble::Nothing);

    let running = machine.start().await;
    assert_eq!((running.stands().await, running.snapshot().await.wallet), (None, None));
    let wallet = running.kept.restore(&others().0).await.unwrap();
    assert_eq!(running.stands().await, Some((wallet, true, true)));
}

#[tokio::test]
async fn a_confirmed_wallet_is_replaced_by_nothing() {
    let machine = Machine::new();
    let running = machine.start().await;
    let (first, _) = running.kept.make().await.unwrap();
    let (second, words) = running.kept.make().await.unwrap();
    assert_ne!(first, second, "one that was not confirmed is");
    assert_eq!(machine.keychain.entries(), 1, "and its key is gone");
    assert!(!running.signs(first).await && running.signs(second).await);
    running.kept.confirm(&typed(&words)).await.unwrap();

    assert_eq!(running.kept.make().await.unwrap_err().code, "wallet_kept_already");
    assert_eq!(running.kept.restore(&others().0).await.unwrap_err().code, "wallet_kept_already");
    assert_eq!(running.stands().await, Some((second, true, true)));
    assert_eq!(machine.keychain.entries(), 1);
    // The same one is taken over again: after it was paid elsewhere, or its keychain was lost.
    running.worker.order(Order::SetWallet(None)).await.unwrap();
    machine.keychain.held.lock().unwrap().clear();
    assert_eq!(running.kept.export().await.unwrap_err().code, "wallet_key_lost");
    assert_eq!(running.kept.restore(&typed(&words)).await.unwrap(), second);
    assert_eq!(running.stands().await, Some((second, true, true)));
    assert!(running.signs(second).await);
}

#[tokio::test]
async fn forgetting_needs_the_words_and_leaves_no_key_behind() {
    let machine = Machine::new();
    let running = machine.start().await;
    assert_eq!(running.kept.forget(None).await.unwrap_err().code, "wallet_none_kept");
    let (wallet, words) = running.kept.make().await.unwrap();
    running.kept.confirm(&typed(&words)).await.unwrap();
    assert_eq!(running.kept.forget(Some(&others().0)).await.unwrap_err().code, "wallet_words_differ");
    machine.keychain.has(Trouble::Locked);
    assert_eq!(running.kept.forget(Some(&typed(&words))).await.unwrap_err().code, "wallet_key_unavailable");
    machine.keychain.has(Trouble::Nothing);
    assert_eq!(running.stands().await, Some((wallet, true, true)));

    running.kept.forget(Some(&typed(&words))).await.unwrap();
    assert_eq!((running.stands().await, machine.keychain.entries()), (None, 0));
    assert_eq!(running.snapshot().await.wallet, Some(wallet), "whoever has the words is paid there still");
    running.kill().await;
    let running = machine.start().await;
    assert_eq!((running.stands().await, running.snapshot().await.wallet), (None, Some(wallet)));
}

#[tokio::test]
async fn a_process_that_ends_while_it_forgets_forgets_the_next_time() {
    let machine = Machine::new();
    let running = machine.start().await;
    let wallet = running.kept.restore(&others().0).await.unwrap();
    machine.keychain.has(Trouble::ProcessEnds);
    assert_eq!(running.kept.forget(None).await.unwrap_err().code, "worker_ending");
    machine.keychain.has(Trouble::Nothing);
    // The key is gone, and the journal does not know.
    let running = machine.start().await;
    assert_eq!(running.stands().await, Some((wallet, true, true)));
    let error = running.worker.wallet_keys().sign(wallet, b"text").await.unwrap_err();
    assert_eq!(error.code(), "wallet_key_lost");
    running.kept.forget(None).await.unwrap();
    assert_eq!(running.stands().await, None);
}

#[tokio::test]
async fn without_a_keychain_no_wallet_is_made() {
    let machine = Machine::new();
    let running = machine.start_with(WalletKeys::nowhere()).await;
    for error in
        [running.kept.make().await.unwrap_err(), running.kept.restore(&others().0).await.unwrap_err()]
    {
        assert_eq!(error.code, "wallet_no_keychain");
        assert!(error.sentence.contains("LULL_KEYCHAIN=file"), "{error}");
    }
    assert_eq!((running.stands().await, running.snapshot().await.wallet), (None, None));
}

#[tokio::test]
async fn a_keychain_that_hangs_is_left_after_a_bounded_time() {
    let keychain = FakeKeychain::new();
    keychain.has(Trouble::Hangs);
    let keys = WalletKeys::with(keychain).within(Duration::from_millis(50));
    let started = Instant::now();
    let error = keys.key(others().1).await.unwrap_err();
    assert_eq!(error.code(), "wallet_key_unavailable");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_secret_that_is_damaged_or_anothers_signs_nothing() {
    let keychain = FakeKeychain::new();
    let keys = WalletKeys::with(keychain.clone());
    let wallet = others().1;
    let name = format!("wallet-{wallet}");
    for secret in [&[][..], &[1], &[1, 2, 3], &[2; 17], &[1; 17], &[1; 33]] {
        keychain.set(&name, secret).unwrap();
        assert_eq!(keys.key(wallet).await.unwrap_err().code(), "wallet_key_damaged", "{secret:?}");
    }
    let mut right = vec![1];
    right.extend_from_slice(&WalletWords::parse(&others().0).unwrap().entropy());
    keychain.set(&name, &right).unwrap();
    let key = keys.key(wallet).await.unwrap().expect("it is kept");
    assert_eq!(key.address().to_bytes(), *wallet.as_bytes());
    assert!(keys.key(WalletWords::draw().unwrap().address().unwrap()).await.unwrap().is_none());
}
