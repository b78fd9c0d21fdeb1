//! The checks of the challenge that is about memory.

use anyhow::{bail, ensure};
use lull_checks::memory::{
    FilledReference, LANES_MAX, Memory, MemoryAnswer, REGION_LANES_MAX, REGION_LANES_MIN, REGIONS_MAX, Sweeps,
};
use lull_runtime_api::{ChallengeAnswer, ChallengeStep, Request};
use lull_types::BlobHash;

use super::Subject;
use super::checks::{challenge_answered, still_serves, with_device};

/// What is found in memory is, bit for bit, what a processor finds; in one region and in several, twice in one process.
pub async fn fills_and_reads_memory(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    challenge_answered(&mut runtime, ChallengeStep::Prepare { device: device.index }).await??;
    // The second lies in two buffers, of which the last is not full.
    for (seed, lanes) in [(1, 2), (2, REGION_LANES_MIN + 3)] {
        let memory = Memory { seed: [seed; 32], lanes, region_lanes: REGION_LANES_MIN };
        let sweeps = Sweeps { seed: [3; 32], sweeps: 2 };
        let look_up_seed = [4; 32];
        let filled = challenge_answered(&mut runtime, ChallengeStep::Fill(memory)).await?;
        ensure!(filled == Ok(ChallengeAnswer::Filled), "{filled:?}");
        let swept = challenge_answered(&mut runtime, ChallengeStep::Sweep(sweeps)).await?;
        let looked_up = challenge_answered(&mut runtime, ChallengeStep::LookUp(look_up_seed)).await?;
        let shown = challenge_answered(&mut runtime, ChallengeStep::Show).await?;
        let Ok(ChallengeAnswer::Shown(shown)) = shown else { bail!("not shown: {shown:?}") };
        ensure!(swept == Ok(ChallengeAnswer::Swept(BlobHash::of(&shown.sweeps))), "{swept:?}");
        ensure!(looked_up == Ok(ChallengeAnswer::LookedUp(BlobHash::of(&shown.look_ups))), "{looked_up:?}");
        let reference = FilledReference::compute(memory);
        ensure!(shown.sweeps == reference.sweep(&sweeps)?, "other digests, {lanes} lanes");
        ensure!(shown.look_ups == reference.look_up(&look_up_seed), "other look-ups, {lanes} lanes");
        let answer = MemoryAnswer {
            sweeps,
            swept: BlobHash::of(&shown.sweeps),
            look_up_seed,
            looked_up: BlobHash::of(&shown.look_ups),
        };
        memory.check_lanes(&answer, &shown, &[0, lanes - 1])?;
        let again = challenge_answered(&mut runtime, ChallengeStep::Show).await?;
        ensure!(again.is_err(), "it is given back once it was shown: {again:?}");
    }
    Ok(())
}

/// More memory than there is, and memory that nobody can be asked for, is refused with a reason; less is filled after
/// that by the same process, and a cancel is followed.
pub async fn says_when_memory_is_not_enough(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let little = Memory { seed: [0; 32], lanes: 1, region_lanes: REGION_LANES_MIN };
    let unprepared = challenge_answered(&mut runtime, ChallengeStep::Fill(little)).await?;
    ensure!(unprepared.is_err(), "{unprepared:?}");
    challenge_answered(&mut runtime, ChallengeStep::Prepare { device: device.index }).await??;
    for step in [
        ChallengeStep::Sweep(Sweeps { seed: [0; 32], sweeps: 1 }),
        ChallengeStep::LookUp([0; 32]),
        ChallengeStep::Show,
    ] {
        let unfilled = challenge_answered(&mut runtime, step).await?;
        ensure!(unfilled.is_err(), "{unfilled:?}");
    }
    for (lanes, region_lanes) in [(0, REGION_LANES_MIN), (1, 0), (LANES_MAX + 1, REGION_LANES_MAX)] {
        let unusable = Memory { seed: [0; 32], lanes, region_lanes };
        let refused = challenge_answered(&mut runtime, ChallengeStep::Fill(unusable)).await?;
        ensure!(refused.is_err_and(|fault| fault.code == "challenge_unusable"), "{unusable:?}");
    }
    // 16 GiB at least, which is more than a software device's process may have, and 128 GiB on any GPU.
    let region_lanes = Memory::region_lanes(device.storage_buffer_bytes_max);
    let all = Memory { seed: [0; 32], lanes: LANES_MAX.min(REGIONS_MAX * region_lanes), region_lanes };
    let refused = challenge_answered(&mut runtime, ChallengeStep::Fill(all)).await?;
    ensure!(refused.clone().is_err_and(|fault| fault.code == "out_of_device_memory"), "{refused:?}");
    let filled = challenge_answered(&mut runtime, ChallengeStep::Fill(little)).await?;
    ensure!(filled == Ok(ChallengeAnswer::Filled), "{filled:?}");
    let none = Sweeps { seed: [0; 32], sweeps: 0 };
    let refused = challenge_answered(&mut runtime, ChallengeStep::Sweep(none)).await?;
    ensure!(refused.is_err(), "{refused:?}");
    // Comes too late or stops it; either is an answer, and the process goes on.
    runtime.send(&Request::Challenge(ChallengeStep::Fill(Memory { lanes: 24, ..little }))).await?;
    let _ = challenge_answered_after_cancel(&mut runtime).await?;
    still_serves(&mut runtime, &device).await
}

async fn challenge_answered_after_cancel(
    runtime: &mut crate::raw_runtime::RawRuntime,
) -> anyhow::Result<bool> {
    runtime.send(&Request::Cancel).await?;
    match runtime.next().await? {
        lull_runtime_api::RuntimeEvent::ChallengeAnswered(Ok(ChallengeAnswer::Filled)) => Ok(false),
        lull_runtime_api::RuntimeEvent::ChallengeAnswered(Err(fault)) if fault.code == "cancelled" => {
            Ok(true)
        }
        other => bail!("{other:?}"),
    }
}
