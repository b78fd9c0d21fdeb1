//! The worker as a process, with a fake of NVIDIA's library that outlives it.

use lull_testkit::fake_nvml::FakeNvmlBoard;
use lull_testkit::fake_runtime::Behaviour;
use lull_types::{GuardRules, PowerLimit, QuietLimits};
use lull_worker_api::transport::Client;
use lull_worker_api::{Command, PauseFor, SettingsChange, Snapshot, StateView};

use super::support::network::Network;
use super::support::{PATIENCE, Worker, done, until};
use super::{BUS, Library, gpu};

/// A worker that works on a board of 320 W, and may hold it to 180 W.
struct Bench {
    worker: Worker,
    library: Library,
    _network: Network,
}

impl Bench {
    /// Also a client of the worker, which works.
    async fn working(prepare: impl FnOnce(&mut FakeNvmlBoard)) -> (Self, Client) {
        // Longer than any of these tests, so that the board is at work until something takes it.
        let run_ms = 10 * 60 * 1000;
        let devices = vec![gpu("NVIDIA")];
        let behaviour = Behaviour { devices, run_ms, benchmark_ms_per_measure: 20, ..Behaviour::default() };
        let mut worker = Worker::new(&behaviour);
        let library = Library::new(worker.folder.path());
        library.change(prepare);
        worker.environment.push(("LD_LIBRARY_PATH".to_owned(), worker.folder.path().to_owned()));
        let network = Network::start(1).await;
        let client = worker.start().await;
        let rules = GuardRules {
            quiet: Some(QuietLimits {
                power_watts: Some(180),
                may_lower_power_limit: true,
                ..QuietLimits::default()
            }),
            ..GuardRules::default()
        };
        // A worker that is started again waits for a word, so that nothing is lowered anew.
        let change =
            SettingsChange { guards: Some(rules), start_working: Some(false), ..SettingsChange::default() };
        done(&client, Command::Configure(Box::new(change))).await;
        done(&client, Command::Enrol { ticket: Some(network.ticket.to_string()) }).await;
        done(&client, Command::Start).await;
        (Self { worker, library, _network: network }, client)
    }

    /// With the limit lowered.
    async fn lowered() -> (Self, Client) {
        let (bench, client) = Self::working(|_| ()).await;
        let lowered = PowerLimit::Lowered { watts: 180, former_watts: 320 };
        until(&client, "a lowered limit", |s| limit(s) == Some(&lowered)).await;
        assert_eq!(bench.library.board().milliwatts, Some(180_000));
        assert!(bench.is_written_down());
        (bench, client)
    }

    fn is_written_down(&self) -> bool {
        let text = std::fs::read_to_string(self.worker.data().join("power-limits.json"));
        text.is_ok_and(|text| text.contains("GPU-1"))
    }

    /// Waits until a board has this limit, and nothing is written down of it any more.
    async fn is_over(&self, milliwatts: u32) {
        let waiting = async {
            while self.library.board().milliwatts != Some(milliwatts) || self.is_written_down() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{:?}, written down: {}", self.library.board(), self.is_written_down());
    }
}

fn limit(snapshot: &Snapshot) -> Option<&PowerLimit> {
    snapshot.devices.first().and_then(|device| device.power_limit.as_ref())
}

#[tokio::test]
async fn a_worker_that_was_killed_puts_the_limit_back_with_its_next_start() {
    let (mut bench, client) = Bench::lowered().await;
    bench.worker.kill().await;
    drop(client);
    assert_eq!(bench.library.board().milliwatts, Some(180_000), "nobody was there to put it back");
    let client = bench.worker.start().await;
    bench.is_over(320_000).await;
    assert_eq!(bench.library.board().set, [180_000, 320_000]);
    bench.worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_limit_that_was_changed_while_no_worker_ran_is_left() {
    let (mut bench, client) = Bench::lowered().await;
    bench.worker.kill().await;
    drop(client);
    bench.library.change(|board| board.milliwatts = Some(250_000));
    let client = bench.worker.start().await;
    bench.is_over(250_000).await;
    bench.worker.shut_down(&client).await;
    assert_eq!(bench.library.board().set, [180_000]);
}

#[tokio::test]
async fn a_board_that_was_taken_out_is_put_right_when_it_is_back() {
    let (mut bench, client) = Bench::lowered().await;
    bench.worker.kill().await;
    drop(client);
    let board = bench.library.board();
    bench.library.plug(Some(FakeNvmlBoard::new(BUS, "GPU-2")));
    let client = bench.worker.start().await;
    bench.worker.shut_down(&client).await;
    assert!(bench.is_written_down());
    assert_eq!(bench.library.board().set, [0; 0]);
    bench.library.plug(Some(board));
    let client = bench.worker.start().await;
    bench.is_over(320_000).await;
    bench.worker.shut_down(&client).await;
}

#[tokio::test]
async fn an_orderly_end_puts_the_limit_back_before_the_process_is_gone() {
    let (mut bench, client) = Bench::lowered().await;
    let (code, text) = bench.worker.call(&["guards"]).await;
    assert!(code == 0 && text.contains("held to 180 W of 320 W"), "{text}");
    bench.worker.shut_down(&client).await;
    assert_eq!(bench.library.board().milliwatts, Some(320_000));
    assert!(!bench.is_written_down());
}

#[tokio::test]
async fn who_pauses_has_the_whole_board_and_a_driver_that_hangs_keeps_nobody_waiting() {
    let (mut bench, client) = Bench::lowered().await;
    bench.library.change(|board| board.hangs = true);
    done(&client, Command::Pause { duration: PauseFor::UntilResumed, device: None }).await;
    // The device is given up although its limit cannot be put back yet.
    until(&client, "the GPU free", |s| matches!(s.state, StateView::Yielding { .. })).await;
    assert_eq!(bench.library.board().milliwatts, Some(180_000));
    bench.library.change(|board| board.hangs = false);
    bench.is_over(320_000).await;
    until(&client, "its own limit", |s| limit(s) == Some(&PowerLimit::Own { watts: 320 })).await;
    bench.worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_system_that_does_not_let_it_is_told_of_and_work_goes_on() {
    let (mut bench, client) = Bench::working(|board| board.locked = true).await;
    let told = until(&client, "a refusal", |s| limit(s) == Some(&PowerLimit::NotPermitted)).await;
    let refusals = told.notices.iter().filter(|notice| notice.code == "power_limit_not_permitted");
    assert_eq!(refusals.count(), 1);
    assert!(matches!(told.state, StateView::Working { .. }), "{:?}", told.state);
    assert_eq!(bench.library.board().milliwatts, Some(320_000));
    bench.is_over(320_000).await;
    bench.worker.shut_down(&client).await;
}
