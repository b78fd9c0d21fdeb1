//! A worker as a process, and a network in this one.

pub mod network;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use lull_testkit::fake_runtime::Behaviour;
use lull_types::BlobHash;
use lull_worker_api::transport::{Client, Endpoint, default_endpoint};
use lull_worker_api::{Command, Reply, Snapshot};
use tokio::process::{Child, Command as Program};

/// Longer than anything here takes on a machine that is busy with other builds.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A data folder, a folder of programs, and perhaps a running worker.
pub struct Worker {
    pub folder: tempfile::TempDir,
    pub process: Option<Child>,
    /// Set for everything that is run here.
    pub environment: Vec<(String, PathBuf)>,
}

impl Worker {
    /// A fresh folder, with a fake runtime that behaves so.
    pub fn new(behaviour: &Behaviour) -> Self {
        let worker = Self { folder: tempfile::tempdir().unwrap(), process: None, environment: Vec::new() };
        let programs = worker.programs();
        std::fs::create_dir(&programs).unwrap();
        let runtime = programs.join(format!("lull-runtime-gpu{}", std::env::consts::EXE_SUFFIX));
        // A copy, because the behaviour lies beside the program under its name.
        std::fs::copy(fake_runtime(), &runtime).unwrap();
        worker.behave(behaviour);
        worker
    }

    /// Changes what runtimes do from their next start on.
    pub fn behave(&self, behaviour: &Behaviour) {
        let runtime = self.programs().join(format!("lull-runtime-gpu{}", std::env::consts::EXE_SUFFIX));
        std::fs::write(Behaviour::file_beside(&runtime), behaviour.to_json()).unwrap();
    }

    /// Has a runtime of models that behaves so, from its next start on.
    pub fn install_llm(&self, behaviour: &Behaviour) {
        let runtime = self.programs().join(format!("lull-runtime-llm{}", std::env::consts::EXE_SUFFIX));
        if !runtime.exists() {
            std::fs::copy(fake_runtime(), &runtime).unwrap();
        }
        std::fs::write(Behaviour::file_beside(&runtime), behaviour.to_json()).unwrap();
    }

    /// Has the real runtime of models, if it is built; says so loudly where it is not.
    pub fn install_real_llm(&self) -> bool {
        let file = format!("lull-runtime-llm{}", std::env::consts::EXE_SUFFIX);
        let here = std::env::current_exe().unwrap();
        let built = here.parent().and_then(Path::parent).unwrap().join(&file);
        if !built.is_file() {
            eprintln!("SKIPPED: there is no {}; `cargo build -p lull-runtime-llm` makes it", built.display());
            return false;
        }
        std::fs::copy(built, self.programs().join(file)).unwrap();
        true
    }

    /// Has a model; gives its hash.
    pub fn put_model(&self, file: &[u8]) -> BlobHash {
        let hash = BlobHash::of(file);
        let folder = self.data().join("models");
        let source = self.folder.path().join("source.gguf");
        std::fs::write(&source, file).unwrap();
        // The library's own way, on a thread of its own, as a test may be within a runtime.
        let added = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let library = lull_models::Library::open(folder, u64::MAX / 2).await.unwrap();
                library.add_file(source, |_| ()).await.unwrap()
            })
        });
        assert_eq!(added.join().unwrap(), hash);
        hash
    }

    pub fn programs(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn endpoint(&self) -> Endpoint {
        default_endpoint(&self.data())
    }

    /// The program with this folder's surroundings.
    pub fn program(&self, args: &[&str]) -> Program {
        let mut program = Program::new(env!("CARGO_BIN_EXE_lull-worker"));
        program
            .args(args)
            .env("LULL_DATA_DIR", self.data())
            .env("LULL_RUNTIME_DIR", self.programs())
            .env("LULL_KEYCHAIN", "file")
            .env_remove("LULL_LOG")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        program
    }

    /// Runs the program to its end: exit code and output.
    pub async fn call(&self, args: &[&str]) -> (i32, String) {
        let output = self.program(args).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("the program ends").unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    /// Starts the worker and connects to it.
    pub async fn start(&mut self) -> Client {
        let process = self.program(&["run"]).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        self.process = Some(process);
        let connecting = async {
            loop {
                match Client::connect(&self.endpoint()).await {
                    Ok(client) => return client,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, connecting).await.expect("the worker answers")
    }

    /// Ends the worker as a power cut would.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().await.unwrap();
    }

    /// Ends the worker in order.
    pub async fn shut_down(&mut self, client: &Client) {
        assert_eq!(client.command(Command::Shutdown).await.unwrap(), Reply::Done);
        let mut process = self.process.take().unwrap();
        let status = tokio::time::timeout(PATIENCE, process.wait()).await.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
    }
}

/// The example of this crate that is the fake runtime. It is built with the tests, unless only some of them are
/// asked for: then `--examples` must be asked for too.
fn fake_runtime() -> PathBuf {
    example(&format!("runtime_fake{}", std::env::consts::EXE_SUFFIX))
}

/// The file of an example of this crate.
pub fn example(file: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let target = here.parent().and_then(Path::parent).unwrap();
    let fake = target.join("examples").join(file);
    assert!(fake.is_file(), "{} is not built; add --examples", fake.display());
    fake
}

/// Waits for a snapshot that is so, and returns it.
pub async fn until(client: &Client, what: &str, mut so: impl FnMut(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = client.subscribe().await.unwrap();
    let mut last = String::new();
    let waiting = async {
        loop {
            let snapshot = snapshots.next().await.unwrap();
            if so(&snapshot) {
                return snapshot;
            }
            last = format!("{:?} {:?}", snapshot.state, snapshot.notices);
        }
    };
    let found = tokio::time::timeout(PATIENCE, waiting).await;
    found.unwrap_or_else(|_| panic!("waited for: {what}; last seen: {last}"))
}

/// A command that is done.
pub async fn done(client: &Client, command: Command) {
    assert_eq!(client.command(command).await.unwrap(), Reply::Done);
}
