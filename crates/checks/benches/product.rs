//! What the network pays to check a product: target 100 ms for a side of 4,096, on one core.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lull_checks::product::{Product, Verifier, row_digest};

/// Rows that a network asks for.
const ROWS: u64 = 32;

fn check(c: &mut Criterion) {
    let mut group = c.benchmark_group("check a product");
    group.sample_size(20);
    for side in [1024, 2048, 4096] {
        let product = Product { seed: [1; 32], side, panels: 8 };
        let rows: Vec<_> = (0..ROWS).map(|n| n * (product.rows() / ROWS)).collect();
        let values: Vec<_> = rows.iter().map(|row| product.row(*row)).collect();
        group.bench_function(format!("side {side}, {ROWS} rows"), |b| {
            b.iter(|| {
                let verifier = Verifier::new(black_box(product), &[2; 32]);
                for (row, values) in rows.iter().zip(&values) {
                    black_box(row_digest(values));
                    assert!(verifier.is_row(*row, values));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
