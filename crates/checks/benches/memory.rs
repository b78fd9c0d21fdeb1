//! What the network pays to check memory: target 10 ms for a lane, on one core.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lull_checks::memory::{Lane, Memory};

const MEMORY: Memory = Memory { seed: [1; 32], lanes: 1024, region_lanes: 256 };

fn check(c: &mut Criterion) {
    let mut group = c.benchmark_group("check memory");
    group.sample_size(20);
    group.bench_function("a lane", |b| b.iter(|| Lane::compute(black_box(&MEMORY), 77)));
    let lane = Lane::compute(&MEMORY, 77);
    group.bench_function("a lane's digest in one sweep", |b| b.iter(|| lane.digest(black_box([1, 2, 3, 4]))));
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
