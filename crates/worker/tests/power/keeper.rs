//! The keeper, on boards that are made up.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lull_types::PowerLimit;
use lull_worker::power::{FakeBoard, FakePower, Keeper, MakeControl, Told};

use super::support::PATIENCE;
use super::{BUS, gpu};

/// A machine with a board, and perhaps a keeper.
struct Bench {
    folder: tempfile::TempDir,
    power: FakePower,
    told: Receiver<Told>,
    keeper: Option<Keeper>,
}

impl Bench {
    /// With a keeper that was just started.
    fn new() -> Self {
        let power = FakePower::default();
        power.plug(BUS, FakeBoard::new("one"));
        let (_, told) = mpsc::channel();
        let mut bench = Self { folder: tempfile::tempdir().unwrap(), power, told, keeper: None };
        bench.start();
        bench
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("power-limits.json")
    }

    fn start(&mut self) {
        let (tell, told) = mpsc::channel();
        self.told = told;
        let power = self.power.clone();
        let make: MakeControl = Box::new(move || Box::new(power.clone()));
        self.keeper = Some(Keeper::start(self.file(), make, move |told| drop(tell.send(told))));
    }

    /// As the process of a keeper would leave things that is killed: nobody puts anything back.
    fn kill(&mut self) {
        let left = std::fs::read(self.file()).unwrap_or_default();
        let milliwatts = self.power.milliwatts(BUS);
        self.end();
        std::fs::write(self.file(), left).unwrap();
        self.power.change(BUS, |board| {
            if let (Some(limit), Some(milliwatts)) = (&mut board.limit, milliwatts) {
                limit.milliwatts = milliwatts;
            }
        });
    }

    fn end(&mut self) {
        assert!(self.keeper.take().unwrap().finish(PATIENCE));
    }

    fn want(&self, ceiling_watts: Option<u16>) {
        self.keeper.as_ref().unwrap().want(gpu("NVIDIA"), ceiling_watts);
    }

    fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// What a wish comes to.
    fn hold_to(&self, ceiling_watts: Option<u16>) -> PowerLimit {
        self.want(ceiling_watts);
        match self.told() {
            Told::Stand { device: 0, limit } => limit,
            other => panic!("{other:?}"),
        }
    }

    fn milliwatts(&self) -> u32 {
        self.power.milliwatts(BUS).unwrap()
    }

    fn is_written_down(&self) -> bool {
        is_written_down(&self.file())
    }
}

fn is_written_down(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.contains("former_milliwatts"))
}

const LOWERED: PowerLimit = PowerLimit::Lowered { watts: 180, former_watts: 320 };
const OWN: PowerLimit = PowerLimit::Own { watts: 320 };

#[test]
fn a_limit_is_lowered_changed_and_put_back() {
    let mut bench = Bench::new();
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (180_000, true));
    assert_eq!(bench.hold_to(Some(50)), PowerLimit::Lowered { watts: 100, former_watts: 320 });
    assert_eq!(bench.hold_to(None), OWN);
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (320_000, false));
    assert_eq!(bench.hold_to(Some(400)), OWN);
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    bench.end();
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (320_000, false));
}

#[test]
fn what_a_killed_process_left_lowered_is_put_back_by_the_next() {
    let mut bench = Bench::new();
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    bench.kill();
    assert_eq!(bench.milliwatts(), 180_000);
    bench.start();
    bench.power.wait_for(BUS, 320_000);
    bench.end();
    assert!(!bench.is_written_down());
}

#[test]
fn a_limit_that_somebody_else_has_set_is_left() {
    let mut bench = Bench::new();
    let set = |bench: &Bench, milliwatts| {
        bench.power.change(BUS, |board| board.limit.as_mut().unwrap().milliwatts = milliwatts);
    };
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    set(&bench, 250_000);
    assert_eq!(bench.hold_to(None), PowerLimit::Own { watts: 250 });
    assert!(!bench.is_written_down());

    assert_eq!(bench.hold_to(Some(180)), PowerLimit::Lowered { watts: 180, former_watts: 250 });
    bench.kill();
    set(&bench, 200_000);
    bench.start();
    bench.end();
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (200_000, false));
}

#[test]
fn a_board_that_is_gone_is_remembered_until_it_is_back() {
    let mut bench = Bench::new();
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    let left = std::fs::read(bench.file()).unwrap();
    let board = bench.power.unplug(BUS).unwrap();
    bench.end();
    assert!(bench.is_written_down());
    // Another in its place is none of it.
    bench.power.plug(BUS, FakeBoard::new("another"));
    bench.start();
    bench.end();
    assert_eq!((bench.milliwatts(), std::fs::read(bench.file()).unwrap()), (320_000, left));
    bench.power.plug(BUS, board);
    assert_eq!(bench.milliwatts(), 180_000);
    bench.start();
    bench.end();
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (320_000, false));
}

#[test]
fn a_refusal_changes_nothing_and_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.power.change(BUS, |board| board.locked = true);
    assert_eq!(bench.hold_to(Some(180)), PowerLimit::NotPermitted);
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (320_000, false));
    bench.power.change(BUS, |board| board.limit = None);
    assert_eq!(bench.hold_to(Some(170)), PowerLimit::Unsupported);
}

#[test]
fn a_driver_that_makes_another_limit_of_it_is_not_relied_on() {
    let mut bench = Bench::new();
    bench.power.change(BUS, |board| board.rounds_off = 500);
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    bench.power.change(BUS, |board| board.rounds_off = 0);
    assert_eq!(bench.hold_to(None), OWN);
    bench.power.change(BUS, |board| board.rounds_off = 5_000);
    let limit = bench.hold_to(Some(180));
    assert!(
        matches!(&limit, PowerLimit::Failed { fault } if fault.code == "power_limit_refused"),
        "{limit:?}"
    );
    bench.end();
    assert!(!bench.is_written_down());
}

#[test]
fn a_list_that_cannot_be_written_lowers_nothing() {
    let bench = Bench::new();
    // A folder in the place of the file that is about to be written.
    std::fs::create_dir(bench.file()).unwrap();
    let limit = bench.hold_to(Some(180));
    assert!(
        matches!(&limit, PowerLimit::Failed { fault } if fault.code == "power_limit_not_kept"),
        "{limit:?}"
    );
    assert_eq!(bench.milliwatts(), 320_000);
}

#[test]
fn whoever_wishes_does_not_wait_for_a_driver_that_hangs_and_gets_the_last_wish() {
    let mut bench = Bench::new();
    bench.power.change(BUS, |board| board.hangs = true);
    bench.want(Some(180));
    bench.want(None);
    bench.want(Some(170));
    bench.want(None);
    assert!(!bench.keeper.as_ref().unwrap().finish(Duration::ZERO), "it hangs");
    bench.power.change(BUS, |board| board.hangs = false);
    bench.end();
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (320_000, false));
}

#[test]
fn a_limit_that_cannot_be_put_back_is_told_and_tried_again() {
    let bench = Bench::new();
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    bench.power.change(BUS, |board| board.locked = true);
    bench.want(None);
    let told = [bench.told(), bench.told()];
    let is_stuck =
        |told: &Told| matches!(told, Told::Stuck(fault) if fault.code == "power_limit_not_put_back");
    assert!(told.iter().any(is_stuck), "{told:?}");
    assert!(bench.is_written_down());
    bench.power.change(BUS, |board| board.locked = false);
    bench.power.wait_for(BUS, 320_000);
    assert_eq!(bench.told(), Told::Stand { device: 0, limit: OWN });
}

/// What is done with a panic is the whole process's, so that the tests of it must not be under way side by side.
static PANICS: Mutex<()> = Mutex::new(());

#[test]
fn a_panic_puts_everything_back_before_the_process_can_end_with_it() {
    let _alone = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    let bench = Bench::new();
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    bench.keeper.as_ref().unwrap().put_back_on_panic();
    // What comes after the keeper's hook is where a release build aborts.
    let panicked = std::thread::spawn(|| panic!("a defect"));
    assert!(panicked.join().is_err());
    assert_eq!((bench.milliwatts(), bench.is_written_down()), (320_000, false));
    // Nothing is lowered any more by a process that may be broken.
    bench.want(Some(180));
    assert!(bench.told.recv_timeout(PATIENCE).is_err(), "its thread has ended");
    assert_eq!(bench.milliwatts(), 320_000);
}

#[test]
fn a_panic_of_the_keepers_own_thread_does_so_too() {
    let _alone = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    let bench = Bench::new();
    assert_eq!(bench.hold_to(Some(180)), LOWERED);
    bench.keeper.as_ref().unwrap().put_back_on_panic();
    bench.power.change(BUS, |board| board.panics = true);
    bench.want(None);
    bench.power.wait_for(BUS, 320_000);
    assert!(bench.keeper.as_ref().unwrap().finish(PATIENCE));
    assert!(!bench.is_written_down());
}
