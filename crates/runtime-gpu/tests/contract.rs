//! The wgpu runtime keeps the contract of runtimes, locked down as it is shipped.

use std::path::Path;
use std::sync::OnceLock;

use lull_runtime_api::host::{RuntimeCommand, RuntimeProcess};
use lull_testkit::runtime_contract::Subject;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lull-runtime-gpu");

/// The runtime, if it finds a device; a software adapter is one.
fn subject() -> Option<Subject> {
    static HAS_DEVICE: OnceLock<bool> = OnceLock::new();
    let has_device = HAS_DEVICE.get_or_init(|| {
        // A thread, as the test that asks runs in an executor already.
        std::thread::spawn(|| {
            let tokio = tokio::runtime::Runtime::new().expect("tokio starts");
            let scratch = tempfile::tempdir().expect("a folder can be made");
            !tokio.block_on(devices(scratch.path())).is_empty()
        })
        .join()
        .expect("devices can be listed")
    });
    has_device.then(|| Subject { program: PROGRAM.into(), computes: true })
}

async fn devices(scratch: &Path) -> Vec<lull_types::DeviceInfo> {
    let runtime = RuntimeProcess::start(RuntimeCommand::new(PROGRAM, scratch)).await.expect("it starts");
    runtime.devices().await.expect("devices can be listed")
}

lull_testkit::runtime_contract!(subject());

/// The lock-down is in the shipped program, and the device still works under it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_is_locked_down_as_shipped() {
    let scratch = tempfile::tempdir().expect("a folder can be made");
    let command = RuntimeCommand::new(PROGRAM, scratch.path());
    let runtime = RuntimeProcess::start(command).await.expect("it starts");
    let sandbox = runtime.info().sandbox.clone();
    eprintln!("{sandbox:#?}");
    assert!(sandbox.iter().any(|part| part.holds && part.words.contains("memory")), "{sandbox:?}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", runtime.process_id()))
        .expect("the process can be looked at");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!(field("NoNewPrivs:"), Some("1"));
    let lacks = |name: &str| sandbox.iter().any(|part| !part.holds && part.words.starts_with(name));
    if lacks("seccomp") {
        eprintln!("SKIPPED in part: this kernel has no seccomp");
    } else {
        assert_eq!(field("Seccomp:"), Some("2"));
    }
}
