//! Memory that a device is asked to fill and to read.

use std::time::{Duration, Instant};

use lull_checks::memory::{
    DIGESTS_MAX, LANE_BYTES, LANES_MAX, Memory, MemoryAnswer, MemoryTranscript, REGIONS_MAX, Sweeps, TRAFFIC,
};
use lull_network_api::{ChallengeReply, ChallengeRequest};
use lull_types::{BlobHash, Coded, Fault};

use super::{Broken, MemoryFinding, Ready, micros, misplaced, random};
use crate::engine::{Claim, MemoryEvidence};

/// No more is filled than what takes about this long at the claimed speeds.
const FILL_AIM_SECONDS: f64 = 2.0;
/// Floating-point operations of a matrix product that a device does in the time in which it fills a byte: some twenty
/// integer operations for the quarter rounds, at a half to a quarter of that speed on a GPU, and much more on a processor
/// that poses as one, where every barrier costs (170 to 370 were measured on Mesa's). It bounds nothing on a GPU with
/// memory of its own.
const FILL_OPERATIONS: f64 = 300.0;
/// The same for reading a byte in a sweep; five were measured on Mesa's software adapter.
const SWEEP_OPERATIONS: f64 = 8.0;
/// Lanes that are always asked for if they are claimed: a tenth of a second for any processor.
const LANES_MIN: u64 = 8;
/// All sweeps together should take this long at the claimed speeds: long beside the constant below.
const SWEEP_AIM_SECONDS: f64 = 0.3;
/// More sweeps cost the network more than they say.
const SWEEPS_MOST: u32 = 16;
/// How many times longer than claimed it may take: a desktop draws meanwhile, and a benchmark is the best case.
const PATIENCE: f64 = 3.0;
/// What filling may take besides: allocating gigabytes, and the first run of a kernel.
const FILL_EXTRA: Duration = Duration::from_secs(2);
/// What sweeps may take besides, for submitting them and reading their digests back.
const SWEEP_EXTRA: Duration = Duration::from_millis(300);
/// How long the look-ups may take, a hundred times as long as they do in a GPU's own memory at a microsecond each or
/// less. Whoever has to compute a lane in some milliseconds for one in a hundred of them takes seconds.
const LOOK_UPS_WITHIN: Duration = Duration::from_secs(1);
/// A late answer is still waited for this much longer, so that it can be told by how much it was late.
const LATE: u32 = 3;
/// How long showing what was found may take: five megabytes cross a slow line.
const SHOW_TIMEOUT: Duration = Duration::from_secs(60);
/// Lanes that are computed anew, half a second for a core. Whoever made a tenth of the memory up passes once in thirty
/// times, and a half, once in four billion times.
const LANES_CHECKED: usize = 32;
/// Where there is less memory than was measured, half as much is asked for, this often.
const HALVINGS: u32 = 3;

/// How a device's memory is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    lanes: u32,
    region_lanes: u32,
    sweeps: u32,
    fill_within: Duration,
    sweep_within: Duration,
}

impl Plan {
    /// `None` where no memory is claimed.
    fn of(claim: &Claim) -> Option<Self> {
        let lanes = claim.memory_bytes / LANE_BYTES;
        Self::of_lanes(claim, lanes.min(LANES_MIN).max(lanes.min(fill_lanes(claim))))
    }

    fn of_lanes(claim: &Claim, lanes: u64) -> Option<Self> {
        let region_lanes = Memory::region_lanes(claim.buffer_bytes_max);
        let lanes = lanes.min(LANES_MAX.into()).min(u64::from(region_lanes * REGIONS_MAX)) as u32;
        if lanes == 0 {
            return None;
        }
        let bytes = f64::from(lanes) * LANE_BYTES as f64;
        let sweep_seconds = bytes * seconds_a_byte(claim, 1.0, SWEEP_OPERATIONS);
        let digests_most = (DIGESTS_MAX / u64::from(lanes)).max(1) as f64;
        let sweeps = (SWEEP_AIM_SECONDS / sweep_seconds).ceil().clamp(1.0, f64::from(SWEEPS_MOST));
        let sweeps = sweeps.min(digests_most);
        let patience = |seconds: f64| Duration::from_secs_f64((PATIENCE * seconds).min(60.0));
        Some(Self {
            lanes,
            region_lanes,
            sweeps: sweeps as u32,
            fill_within: patience(bytes * fill_seconds_a_byte(claim)) + FILL_EXTRA,
            sweep_within: patience(sweeps * sweep_seconds) + SWEEP_EXTRA,
        })
    }
}

/// Either the memory or the arithmetic is what takes the longer.
fn seconds_a_byte(claim: &Claim, traffic: f64, operations: f64) -> f64 {
    let per_second = |giga: f64| giga.max(1e-3) * 1e9;
    (traffic / per_second(claim.memory_gigabytes_per_second)).max(operations / per_second(claim.gigaflops))
}

fn fill_seconds_a_byte(claim: &Claim) -> f64 {
    seconds_a_byte(claim, f64::from(TRAFFIC), FILL_OPERATIONS)
}

fn fill_lanes(claim: &Claim) -> u64 {
    (FILL_AIM_SECONDS / fill_seconds_a_byte(claim) / LANE_BYTES as f64) as u64
}

/// How far the proof of a device's memory has come.
pub enum Proof {
    /// There is none to be given, or it has failed.
    Ended(MemoryFinding),
    /// It is to be filled.
    Planned(Box<Planned>),
}

/// What was asked and answered so far.
pub struct Planned {
    plan: Plan,
    lowered: Option<Fault>,
    memory: Option<Memory>,
    fill: Duration,
    swept: Option<(Sweeps, BlobHash, Duration)>,
    looked_up: Option<([u8; 32], BlobHash, Duration)>,
}

impl Proof {
    /// What is to be proven of a claim.
    pub fn of(claim: &Claim) -> Self {
        Plan::of(claim).map_or(Self::Ended(MemoryFinding::NotClaimed), |plan| {
            Self::Planned(Box::new(Planned {
                plan,
                lowered: None,
                memory: None,
                fill: Duration::ZERO,
                swept: None,
                looked_up: None,
            }))
        })
    }

    /// What was found.
    pub fn finding(self) -> MemoryFinding {
        match self {
            Self::Ended(finding) => finding,
            // A part is missing only where the proof has ended.
            Self::Planned(_) => MemoryFinding::NotFound(misplaced()),
        }
    }

    /// Has it filled.
    pub async fn fill(self, ready: &mut Ready) -> Result<Self, Broken> {
        let Self::Planned(mut proof) = self else { return Ok(self) };
        for halved in 0..=HALVINGS {
            let Plan { lanes, region_lanes, fill_within, .. } = proof.plan;
            let memory = Memory { seed: random()?, lanes, region_lanes };
            let timed = ask(ready, ChallengeRequest::Fill(memory), fill_within).await;
            match timed {
                Ok((ChallengeReply::Filled, took)) => {
                    if took > fill_within {
                        return Ok(too_slow("filling", &memory, took, fill_within));
                    }
                    (proof.memory, proof.fill) = (Some(memory), took);
                    return Ok(Self::Planned(proof));
                }
                Ok(_) => return Err(Broken::Refuted(misplaced())),
                Err(fault) if is_too_much(&fault) => {
                    let bytes = memory.bytes();
                    let less = Plan::of_lanes(&ready.claim, u64::from(lanes) / 2);
                    let sentence = format!(
                        "it could not hold {:.1} GB that its benchmark found free; close other programs that use it and run the benchmark again",
                        bytes as f64 / 1e9
                    );
                    let lowered = Fault::new("memory_not_free", sentence);
                    match less {
                        Some(plan) if halved < HALVINGS => {
                            proof.plan = plan;
                            proof.lowered.get_or_insert(lowered);
                        }
                        _ => return Ok(Self::Ended(MemoryFinding::NotFound(lowered))),
                    }
                }
                Err(fault) if fault.code == "timing_silent" => {
                    return Ok(too_slow("filling", &memory, fill_within * LATE, fill_within));
                }
                Err(fault) => return Err(Broken::NotNow(fault)),
            }
        }
        Ok(Self::Planned(proof))
    }

    /// Has all of it read.
    pub async fn sweep(self, ready: &mut Ready) -> Result<Self, Broken> {
        let Self::Planned(mut proof) = self else { return Ok(self) };
        let Some(memory) = proof.memory else { return Ok(Self::Planned(proof)) };
        let sweeps = Sweeps { seed: random()?, sweeps: proof.plan.sweeps };
        let within = proof.plan.sweep_within;
        match ask(ready, ChallengeRequest::Sweep(sweeps), within).await {
            Ok((ChallengeReply::Swept(_), took)) if took > within => {
                Ok(too_slow("reading", &memory, took, within))
            }
            Ok((ChallengeReply::Swept(hash), took)) => {
                proof.swept = Some((sweeps, hash, took));
                Ok(Self::Planned(proof))
            }
            Ok(_) => Err(Broken::Refuted(misplaced())),
            Err(fault) if fault.code == "timing_silent" => {
                Ok(too_slow("reading", &memory, within * LATE, within))
            }
            Err(fault) => Err(Broken::NotNow(fault)),
        }
    }

    /// Has it looked up.
    pub async fn look_up(self, ready: &mut Ready) -> Result<Self, Broken> {
        let Self::Planned(mut proof) = self else { return Ok(self) };
        let Some(memory) = proof.memory else { return Ok(Self::Planned(proof)) };
        let seed = random()?;
        match ask(ready, ChallengeRequest::LookUp(seed), LOOK_UPS_WITHIN).await {
            Ok((ChallengeReply::LookedUp(_), took)) if took > LOOK_UPS_WITHIN => {
                Ok(too_slow("looking up", &memory, took, LOOK_UPS_WITHIN))
            }
            Ok((ChallengeReply::LookedUp(hash), took)) => {
                proof.looked_up = Some((seed, hash, took));
                Ok(Self::Planned(proof))
            }
            Ok(_) => Err(Broken::Refuted(misplaced())),
            Err(fault) if fault.code == "timing_silent" => {
                Ok(too_slow("looking up", &memory, LOOK_UPS_WITHIN * LATE, LOOK_UPS_WITHIN))
            }
            Err(fault) => Err(Broken::NotNow(fault)),
        }
    }

    /// Has shown what was found, and checks it.
    pub async fn show(self, ready: &mut Ready) -> Result<Self, Broken> {
        let Self::Planned(proof) = self else { return Ok(self) };
        let (Some(memory), Some((sweeps, swept, sweep)), Some((look_up_seed, looked_up, look_up))) =
            (proof.memory, proof.swept, proof.looked_up)
        else {
            return Ok(Self::Planned(proof));
        };
        let transcript = match ready.stream.ask(&ChallengeRequest::Show, SHOW_TIMEOUT).await {
            Ok(ChallengeReply::Shown(transcript)) => transcript,
            Ok(_) => return Err(Broken::Refuted(misplaced())),
            Err(fault) => return Err(Broken::NotNow(fault)),
        };
        let answer = MemoryAnswer { sweeps, swept, look_up_seed, looked_up };
        // Drawn only now, when all is committed to.
        let dice = random()?;
        let checked = tokio::task::spawn_blocking(move || check(&memory, &answer, &transcript, &dice)).await;
        match checked {
            Ok(Ok(lanes)) => {
                let evidence = Box::new(MemoryEvidence {
                    memory,
                    answer,
                    lanes,
                    fill_us: micros(proof.fill),
                    sweep_us: micros(sweep),
                    look_up_us: micros(look_up),
                });
                Ok(Self::Ended(MemoryFinding::Found { lowered: proof.lowered, evidence }))
            }
            Ok(Err(fault)) => Err(Broken::Refuted(fault)),
            Err(error) => Err(Broken::NotNow(Fault::new("internal", error.to_string()))),
        }
    }
}

/// Asks for something that is timed; gives how long it took without the round trip.
async fn ask(
    ready: &mut Ready,
    request: ChallengeRequest,
    within: Duration,
) -> Result<(ChallengeReply, Duration), Fault> {
    let began = Instant::now();
    let reply = ready.stream.ask(&request, within * LATE + ready.round_trip).await?;
    Ok((reply, began.elapsed().saturating_sub(ready.round_trip)))
}

/// Whether a device said that it has not so much memory, and is well.
fn is_too_much(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "out_of_device_memory" | "device_limit_exceeded")
}

fn too_slow(doing: &str, memory: &Memory, took: Duration, within: Duration) -> Proof {
    let sentence = format!(
        "{doing} {:.1} GB of its memory took {:.1} s where the speed that its benchmark says allows {:.1} s, so none of it counts; if something else was using it, run the benchmark again later",
        memory.bytes() as f64 / 1e9,
        took.as_secs_f64(),
        within.as_secs_f64(),
    );
    Proof::Ended(MemoryFinding::NotFound(Fault::new("memory_too_slow", sentence)))
}

/// Checks some of the lanes that were looked at, and gives which.
fn check(
    memory: &Memory,
    answer: &MemoryAnswer,
    transcript: &MemoryTranscript,
    dice: &[u8; 32],
) -> Result<Vec<u32>, Fault> {
    let told = |fault: lull_checks::memory::MemoryFault| {
        Fault::new(fault.code(), format!("a device does not hold what it was timed on: {fault}"))
    };
    memory.check_committed(answer, transcript).map_err(told)?;
    let lanes = draw(memory.visited(&answer.look_up_seed, &transcript.look_ups), dice);
    memory.check_lanes(answer, transcript, &lanes).map_err(told)?;
    Ok(lanes)
}

/// Some of these, none of them twice.
fn draw(mut lanes: Vec<u32>, dice: &[u8; 32]) -> Vec<u32> {
    let mut stream = blake3::Hasher::new_keyed(dice).finalize_xof();
    let mut bytes = [0; 8];
    let mut drawn = Vec::with_capacity(LANES_CHECKED);
    while drawn.len() < LANES_CHECKED && !lanes.is_empty() {
        stream.fill(&mut bytes);
        // The remainder favours low lanes by less than one in 2⁴⁰.
        drawn.push(lanes.swap_remove((u64::from_le_bytes(bytes) % lanes.len() as u64) as usize));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(gigaflops: f64, gigabytes: f64, gigabytes_per_second: f64) -> Claim {
        Claim {
            device: 0,
            gigaflops,
            memory_bytes: (gigabytes * 1e9) as u64,
            memory_gigabytes_per_second: gigabytes_per_second,
            buffer_bytes_max: 2 << 30,
        }
    }

    #[test]
    fn a_plan_fits_the_claim() {
        // A GeForce RTX 4090, an H100, a chip with shared memory, and a processor.
        let of = |claim: Claim| {
            let plan = Plan::of(&claim).unwrap();
            let memory = Memory { seed: [0; 32], lanes: plan.lanes, region_lanes: plan.region_lanes };
            memory.check_shape().unwrap();
            memory.check_sweeps(&Sweeps { seed: [0; 32], sweeps: plan.sweeps }).unwrap();
            (memory.bytes() as f64 / 1e9, plan)
        };
        let (gigabytes, plan) = of(claim(50_000.0, 23.0, 950.0));
        assert!((22.9..=23.0).contains(&gigabytes), "all of it: {gigabytes}");
        assert!(
            plan.fill_within < Duration::from_secs(4) && plan.sweep_within < Duration::from_millis(1_600)
        );
        let (gigabytes, plan) = of(claim(45_000.0, 78.0, 3_000.0));
        assert!((77.9..=78.0).contains(&gigabytes), "all of it: {gigabytes}");
        assert!(plan.sweeps > 8, "{plan:?}");
        let (gigabytes, _) = of(claim(1_500.0, 30.0, 80.0));
        assert!((9.0..=15.0).contains(&gigabytes), "what takes two seconds: {gigabytes}");
        let (gigabytes, plan) = of(claim(8.0, 12.0, 10.0));
        assert!(gigabytes < 0.2, "{gigabytes}");
        assert!(plan.fill_within <= Duration::from_secs(8), "{plan:?}");
        let (gigabytes, _) = of(claim(0.02, 1.0, 300.0));
        assert!(gigabytes > 0.0 && gigabytes < 0.04, "{gigabytes}");
        assert_eq!(Plan::of(&claim(8.0, 0.0, 10.0)), None);
        assert_eq!(Plan::of(&claim(8.0, 0.001, 10.0)), None);
        for odd in [claim(0.0, 5.0, 0.0), claim(f64::MAX, 600.0, f64::MAX), claim(1.0, 600.0, f64::MAX)] {
            of(odd);
        }
    }

    /// Memory behind a bus of 25 GB/s: all of it can be filled in time, as lanes can be made elsewhere, but not be read.
    #[test]
    fn memory_behind_the_bus_cannot_be_read_in_time() {
        for (gigaflops, gigabytes, speed, share) in
            [(50_000.0, 23.0, 950.0, 0.13), (12_000.0, 11.0, 350.0, 0.33)]
        {
            let plan = Plan::of(&claim(gigaflops, gigabytes, speed)).unwrap();
            let seconds = f64::from(plan.sweeps) * share * gigabytes / 25.0;
            assert!(
                seconds > plan.sweep_within.as_secs_f64(),
                "{plan:?}: {seconds} s with {share} behind it"
            );
        }
    }

    #[test]
    fn lanes_are_drawn_from_those_that_were_visited() {
        let mut drawn = draw((100..1_000).collect(), &[1; 32]);
        assert_ne!(drawn, draw((100..1_000).collect(), &[2; 32]));
        drawn.sort_unstable();
        drawn.dedup();
        assert!(drawn.len() == LANES_CHECKED && drawn.iter().all(|lane| (100..1_000).contains(lane)));
        assert_eq!(draw(vec![3, 4], &[1; 32]).len(), 2);
    }
}
