//! The product that a device is timed on.

use std::time::{Duration, Instant};

use lull_checks::product::{Product, SIDE_MAX};
use lull_network_api::{ChallengeReply, ChallengeRequest};
use lull_types::{Coded, Fault};

use super::{Broken, Ready, micros, misplaced, random};
use crate::engine::{Claim, Evidence};

/// How long the product should take on a device that is as fast as it claims: long beside a round trip, short beside
/// a person's patience.
const AIM: Duration = Duration::from_millis(1_500);
/// One multiplication must stay well below the 100 ms after which a desktop stutters.
const MULTIPLICATION_AIM_SECONDS: f64 = 0.04;
/// Sides, largest first: the larger, the less there is to hash for each operation.
const SIDES: [u32; 5] = [SIDE_MAX, 2048, 1024, 512, 256];
/// A device that takes this many times [`AIM`] is not the one that was claimed.
const SLOWEST: u32 = 20;
/// How long showing rows may take: their panels are computed again, and five megabytes cross a slow line.
const OPEN_TIMEOUT: Duration = Duration::from_secs(45);
/// Rows that are looked at. Whoever computed nine tenths of them passes once in thirty times, and half, once in four
/// billion times.
const ROWS_OPENED: usize = 32;

/// A product that takes about [`AIM`] at the claimed speed.
fn product(gigaflops: f64, seed: [u8; 32]) -> Product {
    let per_second = gigaflops.clamp(1e-3, 1e9) * 1e9;
    let seconds = |side: u32| 2.0 * f64::from(side).powi(3) / per_second;
    let smallest = SIDES[SIDES.len() - 1];
    let side =
        SIDES.into_iter().find(|side| seconds(*side) <= MULTIPLICATION_AIM_SECONDS).unwrap_or(smallest);
    let panels_max = (lull_checks::product::ROWS_MAX / u64::from(side)) as f64;
    let panels = (AIM.as_secs_f64() / seconds(side)).ceil().clamp(1.0, panels_max) as u32;
    Product { seed, side, panels }
}

/// How fast it is, in GFLOP/s, and from what that follows.
pub async fn measure(ready: &mut Ready) -> Result<(f64, Evidence), Broken> {
    let product = product(ready.claim.gigaflops, random()?);
    let began = Instant::now();
    let answer = ready.stream.ask(&ChallengeRequest::Commit(product), AIM * SLOWEST).await;
    let elapsed = began.elapsed();
    let root = match answer {
        Ok(ChallengeReply::Committed(root)) => root,
        Ok(_) => return Err(Broken::Refuted(misplaced())),
        Err(fault) if fault.code == "timing_silent" => return Err(Broken::Refuted(too_slow(ready.claim))),
        Err(fault) => return Err(Broken::NotNow(fault)),
    };
    // Drawn only now: before, nobody could have known where to compute and where not.
    let rows = draw_rows(product)?;
    let vector_seed = random()?;
    let opened = match ready.stream.ask(&ChallengeRequest::Open(rows.clone()), OPEN_TIMEOUT).await {
        Ok(ChallengeReply::Opened(opened)) => opened,
        Ok(_) => return Err(Broken::Refuted(misplaced())),
        Err(fault) => return Err(Broken::NotNow(fault)),
    };
    let asked = rows.clone();
    let checked =
        tokio::task::spawn_blocking(move || product.check(root, &asked, &opened, &vector_seed)).await;
    match checked {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => {
            let sentence = format!("a device did not compute what it was timed on: {fault}");
            return Err(Broken::Refuted(Fault::new(fault.code(), sentence)));
        }
        Err(error) => return Err(Broken::NotNow(Fault::new("internal", error.to_string()))),
    }
    let worked = elapsed.saturating_sub(ready.round_trip).max(Duration::from_millis(1));
    let gigaflops = product.operations() / worked.as_secs_f64() / 1e9;
    let evidence = Evidence {
        product,
        root,
        rows,
        vector_seed,
        elapsed_us: micros(elapsed),
        round_trip_us: micros(ready.round_trip),
    };
    Ok((gigaflops, evidence))
}

fn too_slow(claim: Claim) -> Fault {
    let sentence = format!(
        "device {} claims {:.0} billion operations a second, and did not do in {} s what takes {:.1} s at that speed; run the benchmark again with nothing else running",
        claim.device,
        claim.gigaflops,
        (AIM * SLOWEST).as_secs(),
        AIM.as_secs_f64(),
    );
    Fault::new("timing_too_slow", sentence)
}

/// Rows anywhere in the product, none of them twice.
fn draw_rows(product: Product) -> Result<Vec<u64>, Broken> {
    let mut rows = Vec::with_capacity(ROWS_OPENED);
    while rows.len() < ROWS_OPENED {
        let [a, b, c, d, e, f, g, h, ..] = random()?;
        // The remainder favours low rows by less than one in 2⁴⁰.
        let row = u64::from_le_bytes([a, b, c, d, e, f, g, h]) % product.rows();
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_fits_the_claim() {
        for gigaflops in [0.0, 1e-6, 1.0, 30.0, 5_000.0, 60_000.0, 210_000.0, f64::MAX] {
            let product = product(gigaflops, [0; 32]);
            product.check_shape().unwrap();
            let seconds = product.operations() / (gigaflops * 1e9);
            if (10.0..100_000.0).contains(&gigaflops) {
                assert!((0.5..3.0).contains(&seconds), "{gigaflops}: {product:?} takes {seconds} s");
            }
        }
        assert_eq!(product(60_000.0, [0; 32]).side, 4096);
    }

    #[test]
    fn rows_are_of_the_product_and_differ() {
        let product = Product { seed: [0; 32], side: 256, panels: 1 };
        let Ok(mut rows) = draw_rows(product) else { panic!("no random numbers") };
        assert!(rows.iter().all(|row| *row < 256));
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), ROWS_OPENED);
    }
}
