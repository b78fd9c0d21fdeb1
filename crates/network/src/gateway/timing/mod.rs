//! Times devices: all of a round at the same moment, so that one device cannot answer for two.
//!
//! `lull_checks::product` and `lull_checks::memory` say what right answers prove. The clock runs from the moment a
//! question is sent until its short answer is here; showing what was found is not timed. A round trip is taken off,
//! measured just before, and never more than [`ROUND_TRIP_MAX`]: a worker that answers pings late on purpose gains at
//! most that. Each part of the challenge begins for all devices at once, when all have ended the part before.

mod memory;
mod product;

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use lull_network_api::{
    CHALLENGE_REPLY_FRAMES, CHALLENGE_REQUEST_FRAMES, ChallengeReply, ChallengeRequest, OPENING_FRAMES,
    Opening,
};
use lull_types::Fault;
use tokio::time::timeout;

use crate::engine::{CLAIM_GROWTH_MAX, Claim, Evidence, Finding, MemoryFinding, TimingOutcome};

/// How long a device may take to get ready: a driver that compiles, on a laptop's GPU that had to wake up.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);
/// Round trips that are measured; the shortest counts.
const PINGS: u32 = 4;
/// The longest round trip that is taken off: halfway around the world and back.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(300);
/// How often several devices multiply at most. One device that serves k workers one after the other is found at 1, 1/2,
/// … 1/k of its speed the first time; after this often its second worker is down to a fifth.
const REPEATS: u32 = 4;
/// How long anything else may take that is no work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Times all devices that are claimed, of each worker over its connection. Every claim gets a finding. A worker takes
/// part when all of its devices are ready; while one does not, the others do only if the round goes without.
pub async fn time(workers: Vec<(Option<Connection>, Vec<Claim>)>, goes_without: bool) -> Vec<Vec<Finding>> {
    let ready = join_all(workers.iter().map(async |(connection, claims)| {
        let connection = connection.as_ref().ok_or_else(gone)?;
        try_join_all(claims.iter().map(|claim| prepare(connection, *claim))).await
    }));
    let ready = ready.await;
    let unready = ready.iter().find_map(|worker| worker.as_ref().err().cloned());
    let ready = ready.into_iter().map(|worker| match &unready {
        // One that is not ready now could answer later, with another's device: all wait.
        Some(fault) if !goes_without => Err(fault.clone()),
        _ => worker,
    });
    let mut outcomes: Vec<Result<Vec<Timing>, Fault>> =
        ready.map(|worker| worker.map(|ready| ready.into_iter().map(Timing::Ready).collect())).collect();
    take_part(&mut outcomes).await;
    let outcomes = workers.into_iter().zip(outcomes).map(|((_, claims), outcomes)| {
        let outcomes: Vec<_> = match outcomes {
            Ok(timings) => timings.into_iter().map(Timing::outcome).collect(),
            Err(fault) => claims.iter().map(|_| TimingOutcome::NotNow(fault.clone())).collect(),
        };
        claims.into_iter().zip(outcomes).map(|(claim, outcome)| Finding { claim, outcome }).collect()
    });
    outcomes.collect()
}

/// All parts, one after the other.
async fn take_part(workers: &mut [Result<Vec<Timing>, Fault>]) {
    let mut devices: Vec<&mut Timing> = workers.iter_mut().flatten().flatten().collect();
    for _ in 0..REPEATS {
        join_all(devices.iter_mut().map(|device| device.take_part(Part::Product))).await;
        // Whoever was slow may have waited for another's turn on one device. With what was found as the claims, truly
        // separate devices all keep up, and that one does not.
        if devices.len() < 2 || !devices.iter_mut().fold(false, |slow, device| device.begin_again() | slow) {
            break;
        }
    }
    for part in [Part::Fill, Part::Sweep, Part::LookUp, Part::Show] {
        join_all(devices.iter_mut().map(|device| device.take_part(part))).await;
    }
}

/// A part of the challenge.
#[derive(Clone, Copy)]
enum Part {
    Product,
    Fill,
    Sweep,
    LookUp,
    Show,
}

/// How far a device has come.
enum Timing {
    /// It waits for its product.
    Ready(Ready),
    /// Its memory is next.
    Computed { ready: Ready, speed: (f64, Evidence), proof: memory::Proof },
    /// It is done.
    Ended(TimingOutcome),
}

impl Timing {
    async fn take_part(&mut self, part: Part) {
        // Whatever is cut short is tried again.
        let before = std::mem::replace(self, Self::Ended(TimingOutcome::NotNow(gone())));
        *self = match (before, part) {
            (Self::Ready(ready), Part::Product) => Self::multiply(ready, None).await,
            (Self::Computed { ready, speed, .. }, Part::Product) => Self::multiply(ready, Some(speed)).await,
            (Self::Computed { mut ready, speed, proof }, part) => {
                let next = match part {
                    Part::Product => Ok(proof),
                    Part::Fill => proof.fill(&mut ready).await,
                    Part::Sweep => proof.sweep(&mut ready).await,
                    Part::LookUp => proof.look_up(&mut ready).await,
                    Part::Show => proof.show(&mut ready).await,
                };
                match next {
                    Ok(proof) => Self::Computed { ready, speed, proof },
                    Err(broken) => Self::Ended(broken.into()),
                }
            }
            (other @ (Self::Ready(_) | Self::Ended(_)), _) => other,
        };
    }

    /// Times the product. The slowest of all runs counts: where one device serves several workers in turn, it is fast
    /// for whoever comes first.
    async fn multiply(mut ready: Ready, before: Option<(f64, Evidence)>) -> Self {
        match product::measure(&mut ready).await {
            Ok(speed) => {
                let proof = memory::Proof::of(&ready.claim);
                let speed = before.filter(|before| before.0 < speed.0).unwrap_or(speed);
                Self::Computed { ready, speed, proof }
            }
            Err(broken) => Self::Ended(broken.into()),
        }
    }

    /// Whether it did not keep up with what was taken to be its speed. What was found is taken to be that now.
    fn begin_again(&mut self) -> bool {
        let Self::Computed { ready, speed: (found, _), .. } = self else { return false };
        let is_slow = *found * CLAIM_GROWTH_MAX < ready.claim.gigaflops;
        ready.claim.gigaflops = ready.claim.gigaflops.min(*found);
        is_slow
    }

    fn outcome(self) -> TimingOutcome {
        match self {
            Self::Ready(_) => TimingOutcome::NotNow(gone()),
            Self::Computed { speed: (gigaflops, evidence), proof, .. } => {
                TimingOutcome::Timed { gigaflops, evidence, memory: proof.finding() }
            }
            Self::Ended(outcome) => outcome,
        }
    }
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
        Self::answered(asked, within).await
    }

    /// Waits for what a worker answers.
    async fn answered(
        asked: impl Future<Output = Result<ChallengeReply, Fault>>,
        within: Duration,
    ) -> Result<ChallengeReply, Fault> {
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
    let opened = async {
        let opening = Opening::Challenge { device: claim.device };
        OPENING_FRAMES.write(&mut stream.send, &opening).await.map_err(|_| gone())?;
        CHALLENGE_REPLY_FRAMES.read(&mut stream.receive).await.map_err(|_| gone())
    };
    if Stream::answered(opened, PREPARE_TIMEOUT).await? != ChallengeReply::Prepared {
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

impl From<Broken> for TimingOutcome {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::NotNow(fault) => Self::NotNow(fault),
            Broken::Refuted(fault) => Self::Refuted(fault),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}

fn random() -> Result<[u8; 32], Broken> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Broken::NotNow(Fault::new("internal", error.to_string())))?;
    Ok(bytes)
}
