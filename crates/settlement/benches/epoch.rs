//! Building, publishing and checking epochs of growing size, with the most memory that each took.
//!
//! Method: criterion's ten samples of each; beside them one run of each whose allocations are counted. Target:
//! a million leaves are built in under 2 s.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use lull_settlement::epoch::{Anchor, Leaf, Leaves, Tree};
use lull_settlement::publication;
use lull_types::{BaseUnits, NetworkId, SecretKey, WalletAddress, WorkerId};

/// Counts what is allocated.
struct Counted;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[allow(
    unsafe_code,
    reason = "an allocator can be replaced in no other way; every call is handed on as it is"
)]
// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// Bytes held at most during `work`, those held before not counted.
fn peak_of<T>(work: impl FnOnce() -> T) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    black_box(work());
    PEAK.load(Ordering::Relaxed) - before
}

fn anchor() -> Anchor {
    Anchor::new(NetworkId([9; 32]), [8; 32]).expect("one in 2^256 has none")
}

/// Leaves in no order. Workers are all different; a few wallets are enough, since a hash takes as long for any.
fn leaves(count: u32) -> Vec<Leaf> {
    let wallet = |n: u8| WalletAddress::from_bytes(SecretKey::from_bytes(&[n; 32]).public());
    let wallets: Vec<_> = (0..64).filter_map(|n| wallet(n).ok()).collect();
    let leaf = |n: u32| {
        // Multiplying by an odd number visits every id once, out of order.
        let mut worker = [0; 32];
        worker[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
        let lifetime = BaseUnits(u64::from(n) + 1);
        Leaf { worker: WorkerId(worker), wallet: wallets[n as usize % wallets.len()], lifetime }
    };
    (0..count).map(leaf).collect()
}

fn build(leaves: Vec<Leaf>) -> (Leaves, Tree) {
    let leaves = Leaves::new(leaves).expect("they are sound");
    let tree = Tree::build(&anchor(), &leaves);
    (leaves, tree)
}

#[allow(clippy::print_stdout, reason = "a bench is read in a terminal")]
fn epochs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epoch");
    group.sample_size(10);
    // Test runners list every bench and run each once, where one size is enough and other lines are in the way.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let counts: &[u32] = if measures { &[1_000, 100_000, 1_000_000] } else { &[1_000] };
    for &count in counts {
        let unsorted = leaves(count);
        let (sorted, tree) = build(unsorted.clone());
        let mut file = Vec::new();
        publication::write(&mut file, anchor(), 1, &sorted, &tree).expect("memory takes it");
        group.bench_function(BenchmarkId::new("build", count), |b| {
            b.iter_batched(|| unsorted.clone(), build, BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("proof", count), |b| b.iter(|| tree.proof(count as usize / 2)));
        group.bench_function(BenchmarkId::new("write", count), |b| {
            b.iter(|| publication::write(std::io::sink(), anchor(), 1, &sorted, &tree));
        });
        group.bench_function(BenchmarkId::new("check", count), |b| b.iter(|| publication::check(&file[..])));
        if !measures {
            continue;
        }
        let given = unsorted.clone();
        let built = peak_of(move || build(given));
        let checked = peak_of(|| publication::check(&file[..]));
        println!("epoch of {count}: {built} bytes at most beside the leaves to build, {checked} to check");
    }
    group.finish();
}

criterion_group!(benches, epochs);
criterion_main!(benches);
