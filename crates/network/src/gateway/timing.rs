//! Times a worker's devices: all at the same moment, so that one device cannot answer for two.
//!
//! `lull_checks::product` says what a right answer proves. The clock runs from the moment a product is sent until the
//! root over its rows is here; opening rows is not timed. A round trip is taken off, measured just before, and never
//! more than [`ROUND_TRIP_MAX`]: a worker that answers pings late on purpose gains at most that.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use lull_checks::product::{Product, SIDE_MAX};
use lull_network_api::{CHALLENGE_REPLY_FRAMES, CHALLENGE_REQUEST_FRAMES, ChallengeReply, ChallengeRequest};
use lull_types::{Coded, Fault};
use tokio::time::timeout;

use crate::engine::{Claim, Evidence, Finding, TimingOutcome};

/// How long a device may take to get ready: a driver that compiles, on a laptop's GPU that had to wake up.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the product should take on a device that is as fast as it claims: long beside a round trip, short beside
/// a person's patience.
const AIM: Duration = Duration::from_millis(1_500);
/// One multiplication must stay well below the 100 ms after which a desktop stutters.
const MULTIPLICATION_AIM_SECONDS: f64 = 0.04;
/// Sides, largest first: the larger, the less there is to hash for each operation.
const SIDES: [u32; 5] = [SIDE_MAX, 2048, 1024, 512, 256];
/// A device that takes this many times [`AIM`] is not the one that was claimed.
const SLOWEST: u32 = 20;
/// Round trips that are measured; the shortest counts.
const PINGS: u32 = 4;
/// The longest round trip that is taken off: halfway around the world and back.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(300);
/// How long anything else may take that is no work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long showing rows may take: their panels are computed again, and five megabytes cross a slow line.
const OPEN_TIMEOUT: Duration = Duration::from_secs(90);
/// Rows that are looked at. Whoever computed nine tenths of them passes once in thirty times, and half, once in four
/// billion times.
const ROWS_OPENED: usize = 32;

/// Times all devices that are claimed. Every claim gets a finding.
pub async fn time(connection: Connection, claims: Vec<Claim>) -> Vec<Finding> {
    let ready = try_join_all(claims.iter().map(|claim| prepare(&connection, *claim))).await;
    let findings = match ready {
        Ok(ready) => join_all(ready.into_iter().map(Ready::measure)).await,
        // One that is not ready now could answer later, with another's GPU: all wait.
        Err(fault) => claims.iter().map(|_| TimingOutcome::NotNow(fault.clone())).collect(),
    };
    claims.into_iter().zip(findings).map(|(claim, outcome)| Finding { claim, outcome }).collect()
}

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

/// A device that waits for its product.
struct Ready {
    stream: Stream,
    claim: Claim,
    round_trip: Duration,
}

/// Why a device was not timed to the end.
enum Broken {
    /// Nothing is held against it.
    NotNow(Fault),
    /// It does not have what it claims.
    Refuted(Fault),
}

struct Stream {
    send: SendStream,
    receive: RecvStream,
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Errors say that the stream is gone already. The worker frees its device when it sees this.
        let _ = self.send.finish();
        let _ = self.receive.stop(VarInt::from_u32(0));
    }
}

fn gone() -> Fault {
    Fault::new("timing_broken_off", "the connection ended while a device was timed; it is tried again")
}

impl Stream {
    async fn ask(&mut self, request: &ChallengeRequest, within: Duration) -> Result<ChallengeReply, Fault> {
        let asked = async {
            CHALLENGE_REQUEST_FRAMES.write(&mut self.send, request).await.map_err(|_| gone())?;
            CHALLENGE_REPLY_FRAMES.read(&mut self.receive).await.map_err(|_| gone())
        };
        match timeout(within, asked).await {
            Ok(Ok(ChallengeReply::Declined(fault))) => Err(fault),
            Ok(answer) => answer,
            Err(_) => {
                let sentence = format!("the worker did not answer within {} s", within.as_secs());
                Err(Fault::new("timing_silent", sentence))
            }
        }
    }
}

fn misplaced() -> Fault {
    Fault::new("timing_out_of_order", "the worker answered something that it was not asked")
}

async fn prepare(connection: &Connection, claim: Claim) -> Result<Ready, Fault> {
    // A worker that allows no streams would let this wait for ever.
    let opened = timeout(ANSWER_TIMEOUT, connection.open_bi()).await.map_err(|_| gone())?;
    let (send, receive) = opened.map_err(|_| gone())?;
    let mut stream = Stream { send, receive };
    let request = ChallengeRequest::Prepare { device: claim.device };
    if stream.ask(&request, PREPARE_TIMEOUT).await? != ChallengeReply::Prepared {
        return Err(misplaced());
    }
    let mut round_trip = ROUND_TRIP_MAX;
    for _ in 0..PINGS {
        let asked = Instant::now();
        if stream.ask(&ChallengeRequest::Ping, ANSWER_TIMEOUT).await? != ChallengeReply::Pong {
            return Err(misplaced());
        }
        round_trip = round_trip.min(asked.elapsed());
    }
    Ok(Ready { stream, claim, round_trip })
}

impl Ready {
    async fn measure(self) -> TimingOutcome {
        match self.try_measure().await {
            Ok(outcome) => outcome,
            Err(Broken::NotNow(fault)) => TimingOutcome::NotNow(fault),
            Err(Broken::Refuted(fault)) => TimingOutcome::Refuted(fault),
        }
    }

    async fn try_measure(mut self) -> Result<TimingOutcome, Broken> {
        let product = product(self.claim.gigaflops, random()?);
        let began = Instant::now();
        let answer = self.stream.ask(&ChallengeRequest::Commit(product), AIM * SLOWEST).await;
        let elapsed = began.elapsed();
        let root = match answer {
            Ok(ChallengeReply::Committed(root)) => root,
            Ok(_) => return Err(Broken::Refuted(misplaced())),
            Err(fault) if fault.code == "timing_silent" => return Err(Broken::Refuted(too_slow(self.claim))),
            Err(fault) => return Err(Broken::NotNow(fault)),
        };
        // Drawn only now: before, nobody could have known where to compute and where not.
        let rows = draw_rows(product)?;
        let vector_seed = random()?;
        let opened = match self.stream.ask(&ChallengeRequest::Open(rows.clone()), OPEN_TIMEOUT).await {
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
        let worked = elapsed.saturating_sub(self.round_trip).max(Duration::from_millis(1));
        let gigaflops = product.operations() / worked.as_secs_f64() / 1e9;
        let evidence = Evidence {
            product,
            root,
            rows,
            vector_seed,
            elapsed_us: micros(elapsed),
            round_trip_us: micros(self.round_trip),
        };
        Ok(TimingOutcome::Timed { gigaflops, evidence })
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
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

fn random() -> Result<[u8; 32], Broken> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Broken::NotNow(Fault::new("internal", error.to_string())))?;
    Ok(bytes)
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
