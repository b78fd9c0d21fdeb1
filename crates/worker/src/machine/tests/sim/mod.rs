//! The machine's whole life under virtual time, against reference models of the journal and of the network.
//!
//! Each seed is one story: two minutes in which messages are lost, doubled and reordered, sessions cut, runtimes
//! and devices fail, the disk fills up, the person pauses, stops and changes settings, and the worker's
//! process is killed between any two effects; then peace, in which everything must come to its end. A failure
//! names its seed; `LULL_SIM_SEED=<seed>` plays that one alone, `LULL_SIM_SEEDS=<count>` plays more.

mod book;
mod hands;
mod network;
mod person;
mod world;

use lull_worker_api::StateView;
use world::{Event, World};

use crate::journal::Journal;
use crate::machine::{Input, Order, Restored};

/// The stories of one normal run, over all four tests.
const SEEDS: u64 = 1000;
/// The tests that share them, so that they run side by side.
const SHARDS: u64 = 4;
/// For how long things go wrong.
const TROUBLE_MS: u64 = 120_000;
/// How long peace may take: the longest back-off is ten minutes, a deadline is at most 80 seconds.
const PEACE_MS: u64 = 3_600_000;

fn play(seed: u64) -> Tally {
    eprintln!("LULL_SIM_SEED={seed}");
    play_in(World::new(seed))
}

fn play_in(mut world: World) -> Tally {
    world.start_worker();
    world.give(Input::Order(Order::Join(None)));
    world.later(1000, Event::Person);
    world.later(500, Event::Mishap);
    let end = world.now + TROUBLE_MS;
    while world.step(end) {}

    make_peace(&mut world);
    let end = world.now + PEACE_MS;
    while !is_at_rest(&world) && world.step(end) {}
    assert!(is_at_rest(&world), "not everything came to its end: {:?}", world.network);
    assert_counted_once(&world);

    // Whatever is put away is put away for good: the process ends, and a new one holds the same receipts.
    world.give(Input::Order(Order::Shutdown));
    let end = world.now + 60_000;
    while world.machine.is_some() && world.step(end) {}
    assert!(world.machine.is_none(), "the worker ends when it is told to");
    world.start_worker();
    assert_counted_once(&world);
    let proofs = world.network.proven.len() as u64;
    Tally { receipts: world.network.nonce(), proofs, ..world.tally }
}

/// What happened in a story.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kills: u64,
    yields: u64,
    runs: u64,
    journal_failures: u64,
    /// How often a board was held to a ceiling.
    lowered: u64,
    receipts: u64,
    /// Wallets that were proven.
    proofs: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            yields: self.yields + other.yields,
            runs: self.runs + other.runs,
            journal_failures: self.journal_failures + other.journal_failures,
            lowered: self.lowered + other.lowered,
            receipts: self.receipts + other.receipts,
            proofs: self.proofs + other.proofs,
        }
    }
}

/// Nothing goes wrong any more, and the person wants work. In half of the stories the worker is started anew, and
/// in all where a device was set aside until then.
fn make_peace(world: &mut World) {
    let anew = world.happens(0.5);
    world.faulty = false;
    if anew && world.machine.is_some() {
        world.kill_worker();
    } else {
        // Only a session that breaks loses messages for good; the streams of one that lives are reliable.
        world.cut();
    }
    // What runs still may take some seconds to fail.
    let end = world.now + 10_000;
    while world.step(end) {}
    let set_aside = world.machine.as_ref().is_some_and(|machine| {
        let view = machine.view(lull_types::UnixMillis(world.now), 0);
        view.devices.iter().any(|device| device.fault.as_ref().is_some_and(|f| f.code == "device_set_aside"))
    });
    if set_aside {
        world.kill_worker();
        let end = world.now + 6000;
        while world.step(end) {}
    }
    if world.machine.is_none() {
        world.start_worker();
    }
    world.guards_clear();
    // Orders are refused while the disk is full.
    let end = world.now + 120_000;
    let is_refused = |world: &World| {
        let now = lull_types::UnixMillis(world.now);
        world.machine.as_ref().is_none_or(|machine| machine.check(&Order::Start, now).is_err())
    };
    while is_refused(world) && world.step(end) {}
    world.give(Input::Order(Order::Configure(lull_worker_api::SettingsChange {
        devices_not_lent: Some(Vec::new()),
        guards: Some(lull_types::GuardRules::default()),
        ..Default::default()
    })));
    world.give(Input::Order(Order::Resume { device: None }));
    // The first word may have been lost with a full disk; the person saw that it was refused.
    let joined = world.book.restore().network.is_some();
    world.give(Input::Order(if joined { Order::Start } else { Order::Join(None) }));
}

/// Whether both sides agree that everything is over.
fn is_at_rest(world: &World) -> bool {
    let Some(machine) = &world.machine else { return false };
    let idle = matches!(machine.state(lull_types::UnixMillis(world.now)), StateView::Ready { .. });
    let held = world.book.nonce() == world.network.nonce();
    let signed = world.network.countersigned.last().copied().unwrap_or(0) == world.network.nonce();
    let book = world.book.restore();
    let told = book.payouts.values().next();
    let knows = told.is_some_and(|told| told.standing.as_ref() == Some(&world.network.standing()));
    world.network.is_done()
        && idle
        && held
        && signed
        && knows
        && book.open.is_empty()
        && is_paid_as_wanted(world, &book)
}

/// Whether the network pays where the person wants it, and has the proof of a wallet whose key is here.
fn is_paid_as_wanted(world: &World, book: &Restored) -> bool {
    let kept = book.kept_wallet.as_ref().filter(|kept| kept.confirmed).map(|kept| kept.address);
    let must_be_proven = kept.filter(|kept| book.wallet == Some(*kept));
    world.network.wallet == book.wallet
        && must_be_proven.is_none_or(|wallet| world.network.proven.contains(&wallet))
}

/// Every accepted report is paid exactly once, on both sides.
fn assert_counted_once(world: &World) {
    assert!(world.network.paid.values().all(|count| *count == 1), "{:?}", world.network.paid);
    assert_eq!(world.book.paid, world.network.paid);
    let restored = world.book.restore();
    let told: Vec<_> = restored.payouts.values().flat_map(|told| told.payouts.values()).collect();
    assert_eq!(told.len(), world.network.payouts.len(), "no payout is lost and none made up");
    let held = restored.earned.values().next().map(|earned| earned.lane.cumulative()).unwrap_or_default();
    assert_eq!(held, world.network.cumulative());
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn shard(number: u64) {
    if let Some(seed) = from_env("LULL_SIM_SEED") {
        if number == 0 {
            println!("{:?}", play(seed));
        }
        return;
    }
    let count = from_env("LULL_SIM_SEEDS").unwrap_or(SEEDS);
    let stories = (0..count).filter(|seed| seed % SHARDS == number);
    let tally = stories.map(play).fold(Tally::default(), Tally::plus);
    println!("{tally:?}");
    // Stories in which nothing happens prove nothing.
    let each = count / SHARDS;
    assert!(tally.kills > each && tally.receipts > 2 * each && tally.runs > 3 * each, "{tally:?}");
    assert!(tally.proofs > each / 4 && tally.lowered > each / 4, "{tally:?}");
    assert!(tally.yields > each / 4 && tally.journal_failures > each / 8, "{tally:?}");
}

#[test]
fn the_real_journal_gives_back_what_its_model_does() {
    for seed in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let mut world = World::new(seed);
        world.journal = Some(Journal::open(&path, lull_types::UnixMillis(world.now)).unwrap());
        play_in(world);
    }
}

#[test]
fn every_story_ends_well_0() {
    shard(0);
}

#[test]
fn every_story_ends_well_1() {
    shard(1);
}

#[test]
fn every_story_ends_well_2() {
    shard(2);
}

#[test]
fn every_story_ends_well_3() {
    shard(3);
}
