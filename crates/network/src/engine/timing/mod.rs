//! What the network has timed itself. A worker gets work once every device that it lends was timed by the network;
//! what it says of them counts only up to that.
//!
//! One device must not answer for two, so all devices of an *account*, which are those of all connected workers with
//! one wallet, are timed in one *round*, at the same moment, and only what was found in the account's last round
//! counts. Whoever was not there asks for a new round when it comes back. A round waits until its workers have finished
//! what they are doing, in which time they get nothing new; after [`GATHER_MS`] it goes on without those that are not
//! ready.

mod finding;
mod known;

use std::time::Duration;

use lull_network_api::NetworkMessage;
use lull_types::{Fault, UnixMillis, WorkerId};
use rand_chacha::rand_core::RngCore;

pub use finding::{
    Asked, CLAIM_GROWTH_MAX, Claim, Evidence, Finding, FoundOf, MemoryEvidence, MemoryFinding, Round,
    TimingOutcome,
};
pub(super) use known::move_account;

use super::sessions::Timing;
use super::turn::Turn;
use super::{Effect, Engine, EngineError};

/// A device that was refuted is timed again after this.
const REFUTED_PAUSE_MS: u64 = 3_600_000;
/// A device that could not be timed is tried again after this.
const NOT_NOW_PAUSE_MS: u64 = 5_000;
/// A worker asks again after this while its devices are timed; it is also told.
const ASK_AGAIN_MS: u64 = 10_000;
/// How long a round waits for workers that are at work or not ready: most tasks take less.
const GATHER_MS: u64 = 120_000;
/// Workers that were timed are timed again together with a newcomer of their account at most this often. Anyone can
/// give anyone's wallet, and shall not thereby keep its workers from their work for more than a fifth of the time.
/// Longer than the five minutes for which a worker leaves a device alone that it has just let be timed.
const ROUND_PAUSE_MS: u64 = 600_000;
/// A timing counts for at least this share of the time for which it may, in thousandths; the end is drawn, so that
/// nobody knows when there has to be a device.
const VALID_LEAST_PER_MILLE: u64 = 200;

/// Why a worker gets no work before its devices are timed, and when to ask again.
pub(super) struct Untimed {
    pub reason: Fault,
    pub retry_ms: u64,
    /// A device was timed, and not found to be what was claimed.
    pub is_refuted: bool,
}

impl Untimed {
    fn wait(reason: Fault, retry_ms: u64) -> Self {
        Self { reason, retry_ms, is_refuted: false }
    }
}

fn being_timed() -> Fault {
    let sentence =
        "the network times this machine's devices before it gives them work, which takes some seconds";
    Fault::new("being_timed", sentence)
}

impl Engine {
    /// Why a worker gets no work before its devices are timed, and when to ask again. Asks for the timing if that is
    /// not under way.
    pub(super) fn untimed(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
    ) -> Result<Option<Untimed>, EngineError> {
        if self.config.policy.timing_valid_ms.is_none() || self.sessions.knows_timing(worker, turn.now) {
            return Ok(None);
        }
        let account = known::account(turn.tx, worker)?;
        let known = known::known(turn, worker, &account)?;
        let refuted = known.iter().find_map(|device| match &device.timed {
            Some((Err(fault), at, _)) => Some((fault.clone(), at.0.saturating_add(REFUTED_PAUSE_MS))),
            _ => None,
        });
        if let Some((fault, until)) = refuted
            && turn.now.0 < until
        {
            return Ok(Some(Untimed { reason: fault, retry_ms: until - turn.now.0, is_refuted: true }));
        }
        let is_wanted = self.sessions.round_wanted_since(&account).is_some();
        if !is_wanted && let Some(until) = counts_until(&known) {
            self.sessions.end_timing(worker, Some(Timing::Known(until)));
            return Ok(None);
        }
        if self.sessions.is_timing_due(worker, turn.now) {
            self.begin_round(turn, worker, &account, is_wanted)
        } else {
            Ok(Some(Untimed::wait(being_timed(), ASK_AGAIN_MS)))
        }
    }

    /// Asks for a round, unless it has to wait.
    fn begin_round(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        account: &str,
        is_wanted: bool,
    ) -> Result<Option<Untimed>, EngineError> {
        let mut asked = Vec::new();
        let (mut is_anyone_at_work, mut is_anyone_timed) = (false, false);
        for member in known::workers(turn.tx, account, worker)? {
            let Some(session) = self.sessions.session(member) else { continue };
            let known = known::known(turn, member, account)?;
            is_anyone_timed |= member != worker && counts_until(&known).is_some();
            is_anyone_at_work |= known::is_at_work(turn.tx, member)?;
            let claims: Vec<_> = known.into_iter().map(|device| device.claim).collect();
            if !claims.is_empty() {
                asked.push(Asked { worker: member, session, claims });
            }
        }
        let next = known::last_round(turn.tx, account)?.map_or(0, |at| at.0.saturating_add(ROUND_PAUSE_MS));
        if !is_wanted && is_anyone_timed && turn.now.0 < next {
            let sentence = "the other machines with this wallet were timed a moment ago, and are timed again together with this one in some minutes";
            let reason = Fault::new("being_timed", sentence);
            return Ok(Some(Untimed::wait(reason, next - turn.now.0)));
        }
        let since = self.sessions.want_round(account, turn.now);
        let goes_without = turn.now.0 >= since.0.saturating_add(GATHER_MS);
        let waits = is_anyone_at_work && !goes_without;
        let then = if waits {
            Timing::NotBefore(turn.now.after(Duration::from_millis(NOT_NOW_PAUSE_MS)))
        } else {
            Timing::UnderWay
        };
        for member in &asked {
            self.sessions.end_timing(member.worker, Some(then));
        }
        if !waits {
            turn.effects.push(Effect::Time(Round { account: account.to_owned(), asked, goes_without }));
        }
        Ok(Some(Untimed::wait(being_timed(), ASK_AGAIN_MS)))
    }

    /// Takes in what a round found.
    pub(super) fn timed(
        &mut self,
        turn: &mut Turn<'_>,
        account: &str,
        found: Vec<FoundOf>,
    ) -> Result<(), EngineError> {
        let valid_ms = self.config.policy.timing_valid_ms.unwrap_or_default();
        let per_mille = VALID_LEAST_PER_MILLE + self.dice.next_u64() % (1_000 - VALID_LEAST_PER_MILLE);
        let valid_until = turn.now.after(Duration::from_millis(valid_ms / 1_000 * per_mille));
        let mut is_over = self
            .sessions
            .round_wanted_since(account)
            .is_none_or(|since| turn.now.0 >= since.0.saturating_add(GATHER_MS));
        for FoundOf { worker, session, findings } in found {
            if !self.sessions.is_current(worker, session) {
                continue;
            }
            let mut is_complete = true;
            for finding in findings {
                let device = finding.claim.device;
                match known::store(turn, worker, account, &finding, valid_until)? {
                    Some(Ok((gigaflops, memory_bytes))) => {
                        is_over = true;
                        self.send(turn, worker, NetworkMessage::Timed { device, gigaflops, memory_bytes });
                        for reason in finding.lowered() {
                            self.send(turn, worker, NetworkMessage::ClaimLowered { device, reason });
                        }
                    }
                    Some(Err(_)) => is_over = true,
                    None => {
                        is_complete = false;
                        if let TimingOutcome::NotNow(fault) = &finding.outcome {
                            tracing::info!(worker = %worker.short(), device, code = fault.code, "not timed");
                        }
                    }
                }
            }
            // Its wallet was set meanwhile: a worker does not answer again for some minutes, and need not.
            if known::account(turn.tx, worker)? != account {
                known::move_account(turn.tx, worker)?;
            }
            let next = Timing::NotBefore(turn.now.after(Duration::from_millis(NOT_NOW_PAUSE_MS)));
            self.sessions.end_timing(worker, (!is_complete).then_some(next));
            if is_complete {
                self.send(turn, worker, NetworkMessage::WorkWaiting);
            }
        }
        if is_over {
            self.sessions.round_ended(account);
        }
        Ok(())
    }

    /// Tells a worker what was found of its devices in earlier sessions.
    pub(super) fn tell_timings(&self, turn: &mut Turn<'_>, worker: WorkerId) -> Result<(), EngineError> {
        if self.config.policy.timing_valid_ms.is_none() {
            return Ok(());
        }
        let account = known::account(turn.tx, worker)?;
        for device in known::known(turn, worker, &account)? {
            if let Some((Ok((gigaflops, memory_bytes)), ..)) = device.timed {
                let device = device.claim.device;
                self.send(turn, worker, NetworkMessage::Timed { device, gigaflops, memory_bytes });
            }
        }
        Ok(())
    }
}

/// Until when a worker's devices count as timed; `None` when one of them is not.
fn counts_until(known: &[known::Known]) -> Option<UnixMillis> {
    let until = known.iter().map(|device| match device.timed {
        Some((Ok(_), _, until)) => Some(until),
        _ => None,
    });
    until.collect::<Option<Vec<_>>>()?.into_iter().min()
}
