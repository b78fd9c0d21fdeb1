//! The network's rules in numbers, and the probability that a cheat is caught.
//!
//! # Who is checked
//! A worker with `n` accepted tasks has its next report checked with probability
//! ```text
//! p(n) = 1                              for n < newcomer_tasks, and for ever after a rejected report
//! p(n) = max(share_min, newcomer_tasks / n)   otherwise, never below 5 %
//! ```
//! The draw is made after the report is stored, from the network's own randomness, so that a worker cannot know
//! which reports are checked. A worker that cheats in `c` of its reports is caught with probability
//! ```text
//! P(c) = 1 − ∏ (1 − p(nᵢ))  ≥  1 − (1 − share_min)^c
//! ```
//! which at 5 % is 95 % for c = 59 and 99 % for c = 90. A cheat pays only if what it gains before it is caught
//! exceeds what the worker has held back; the expected number of cheats before the first check is 1 / p = 20.
//!
//! # How
//! By the network's own trusted runtime where it runs the kind; otherwise by a second worker of the same device
//! class, which is another worker always. Two that agree are both paid. If they differ, a third decides:
//! whoever agrees with it is paid and the other is rejected; if all three differ, nothing is held against
//! anyone and the task is placed again. The customer pays once for each task; the network's treasury pays for
//! the second opinions.

use lull_types::UnixMillis;
use std::time::Duration;

/// What a network decides by. The defaults are the ones that are meant for real networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// A worker's first accepted tasks, all of which are checked.
    pub newcomer_tasks: u32,
    /// Share of the reports of a proven worker that are checked, in millionths; never below
    /// [`CHECK_SHARE_FLOOR_PPM`].
    pub check_share_min_ppm: u32,
    /// How often a task may expire, be blamed or stay undecided before its job fails.
    pub attempts_max: u32,
    /// Wait before a task is placed again after the first failed attempt; doubles with each.
    pub backoff_ms_first: u64,
    /// The longest such wait.
    pub backoff_ms_max: u64,
    /// After a worker gave a task back or let it expire, how long it goes to others.
    pub handback_pause_ms: u64,
    /// The same while no other worker is connected: there is nobody to prefer, but a task that breaks a worker
    /// must not come back at once either.
    pub handback_pause_alone_ms: u64,
    /// After a worker blamed a task, how long it goes to others. Then the same worker may try again, so that a
    /// task also comes to an end where there is only one worker.
    pub blame_pause_ms: u64,
    /// How often a check that could not be done is tried.
    pub check_tries_max: u32,
    /// How long a reported task waits for a second worker before it counts as undecided.
    pub second_wait_ms_max: u64,
    /// How old a job may become before it is ended and what is not done is returned: nobody has fitting
    /// machines then.
    pub job_age_ms_max: u64,
    /// How long the network believes what it has timed of a device; `None` times none and believes all.
    pub timing_valid_ms: Option<u64>,
    /// How long a change of wallet waits.
    pub wallet_change_ms: u64,
    /// How long accepted earnings are held before they are payable.
    pub audit_window_ms: u64,
    /// When a worker that found no work asks again, unless it is told earlier.
    pub no_work_retry_ms: u64,
    /// Length of a period of receipts.
    pub epoch_ms: u64,
    /// How long a receipt is accepted as new.
    pub receipt_validity_ms: u64,
}

/// No policy checks less than this: below it, a cheat's expected gain outgrows what is held back.
pub const CHECK_SHARE_FLOOR_PPM: u32 = 50_000;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Default for Policy {
    fn default() -> Self {
        Self {
            // A contributor does twenty tasks in the first minutes; whoever means to cheat shows it there, or
            // has to work honestly first.
            newcomer_tasks: 20,
            check_share_min_ppm: CHECK_SHARE_FLOOR_PPM,
            // One worker in three that vanishes is a bad day; five in a row is a bad task.
            attempts_max: 5,
            // Long enough that a passing fault passes, short enough that a picture does not hang.
            backoff_ms_first: 1_000,
            backoff_ms_max: MINUTE_MS,
            handback_pause_ms: MINUTE_MS,
            // A device that was lost is usually back by then.
            handback_pause_alone_ms: 5_000,
            // Others come first by far, and a lone worker brings a bad task to its end within an hour.
            blame_pause_ms: 10 * MINUTE_MS,
            // A trusted runtime that lost its device has a fresh process by the second try.
            check_tries_max: 3,
            // A day in which no other machine of that class was on.
            second_wait_ms_max: DAY_MS,
            job_age_ms_max: 30 * DAY_MS,
            // A device that is sold, or loses its fan, is noticed within a month.
            timing_valid_ms: Some(30 * DAY_MS),
            // Over a week-end away from the machine, a phone shows the notice.
            wallet_change_ms: 2 * DAY_MS,
            audit_window_ms: DAY_MS,
            // A lost push costs at most this.
            no_work_retry_ms: 30_000,
            epoch_ms: 7 * DAY_MS,
            // Longer than any holiday away from the machine.
            receipt_validity_ms: 90 * DAY_MS,
        }
    }
}

impl Policy {
    /// Probability, in millionths, that the next report of a worker with this history is checked.
    pub fn check_share_ppm(&self, accepted: u64, rejected: u64) -> u32 {
        const ALL: u32 = 1_000_000;
        if rejected > 0 || accepted < u64::from(self.newcomer_tasks) {
            return ALL;
        }
        let decayed = u64::from(self.newcomer_tasks) * u64::from(ALL) / accepted.max(1);
        let share = u32::try_from(decayed).unwrap_or(ALL).min(ALL);
        share.max(self.check_share_min_ppm).clamp(CHECK_SHARE_FLOOR_PPM, ALL)
    }

    /// When a task that failed `attempts` times may be placed again.
    pub fn backoff(&self, attempts: u32, now: UnixMillis) -> UnixMillis {
        let doublings = attempts.saturating_sub(1).min(32);
        let wait = self.backoff_ms_first.saturating_mul(1 << doublings).min(self.backoff_ms_max);
        now.after(Duration::from_millis(wait))
    }

    /// The period that an instant lies in.
    pub fn epoch(&self, now: UnixMillis) -> u64 {
        now.0 / self.epoch_ms.max(1)
    }
}

/// Probability that a worker which cheats in some reports is caught, given the share at which each of them is
/// checked, in millionths.
pub fn detection_probability(shares_ppm: impl IntoIterator<Item = u32>) -> f64 {
    1.0 - shares_ppm.into_iter().map(|share| 1.0 - f64::from(share) / 1e6).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_decays_to_its_floor_and_never_for_cheats() {
        let policy = Policy::default();
        for (accepted, rejected, share) in [
            (0, 0, 1_000_000),
            (19, 0, 1_000_000),
            (20, 0, 1_000_000),
            (40, 0, 500_000),
            (400, 0, 50_000),
            (1_000_000, 0, 50_000),
            (1_000_000, 1, 1_000_000),
        ] {
            assert_eq!(policy.check_share_ppm(accepted, rejected), share, "{accepted}/{rejected}");
        }
        let careless = Policy { check_share_min_ppm: 0, newcomer_tasks: 0, ..Policy::default() };
        assert_eq!(careless.check_share_ppm(0, 0), CHECK_SHARE_FLOOR_PPM);
    }

    #[test]
    fn fifty_nine_cheats_are_caught_with_95_percent() {
        let p = |n| detection_probability(std::iter::repeat_n(CHECK_SHARE_FLOOR_PPM, n));
        assert!(p(58) < 0.95 && p(59) > 0.95 && p(90) > 0.99);
    }

    #[test]
    fn the_back_off_doubles_to_its_bound() {
        let policy = Policy::default();
        let wait = |attempts| policy.backoff(attempts, UnixMillis(0)).0;
        assert_eq!([1, 2, 3, 7, 100].map(wait), [1_000, 2_000, 4_000, 60_000, 60_000]);
    }
}
