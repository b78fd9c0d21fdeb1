//! When to look at the chain again for something that is awaited there.
//!
//! It is looked at again after a twentieth of its age, so that what comes within the first minutes is seen within seconds
//! and what comes after a day within the hour or so. Nothing of this is remembered over a restart: all is looked at again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lull_types::{Fault, UnixMillis};

/// Slots between two looks at the same thing at least, which is four seconds: what is in a block is final 32 later.
const LOOK_SLOTS_MIN: u32 = 10;
/// What part of its age passes between two looks.
const LOOK_AFTER_AGE_PART: u64 = 20;
/// How often it is seen what is due, in slots: every second or so.
const TICK_SLOTS: u32 = 3;
/// Looks at once.
const AT_ONCE: usize = 8;

/// When each was looked at last.
#[derive(Debug)]
pub(super) struct Looks<Id> {
    last: Mutex<HashMap<Id, UnixMillis>>,
    slot: Duration,
}

impl<Id: Copy + Eq + Hash> Looks<Id> {
    /// Nothing was looked at yet; a slot of the chain takes so long.
    pub fn new(slot: Duration) -> Self {
        Self { last: Mutex::default(), slot }
    }

    /// Whether what is awaited since then is due.
    pub fn is_due(&self, id: Id, since: UnixMillis, now: UnixMillis) -> bool {
        let wait_ms = now.0.saturating_sub(since.0) / LOOK_AFTER_AGE_PART;
        self.is_allowed(id, now) && self.last(id).is_none_or(|at| now.0 >= at.0.saturating_add(wait_ms))
    }

    /// Whether it may be looked at out of turn.
    pub fn is_allowed(&self, id: Id, now: UnixMillis) -> bool {
        self.last(id).is_none_or(|at| now >= self.earliest(at))
    }

    /// It is looked at now.
    pub fn note(&self, id: Id, now: UnixMillis) {
        lock(&self.last).insert(id, now);
    }

    /// Forgets what is no longer awaited, but for what was looked at out of turn a moment ago.
    pub fn forget_all_but(&self, is_awaited: impl Fn(&Id) -> bool, now: UnixMillis) {
        lock(&self.last).retain(|id, at| is_awaited(id) || now < self.earliest(*at));
    }

    fn last(&self, id: Id) -> Option<UnixMillis> {
        lock(&self.last).get(&id).copied()
    }

    fn earliest(&self, looked: UnixMillis) -> UnixMillis {
        looked.after(self.slot * LOOK_SLOTS_MIN)
    }
}

/// Has `due` looked at every second or so, for ever, and tells the log what it waits for.
pub(super) async fn watch<Looked>(what: &str, slot: Duration, mut due: impl FnMut() -> Looked)
where
    Looked: Future<Output = Result<(), Fault>>,
{
    let mut timer = tokio::time::interval(slot * TICK_SLOTS);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut complaint = String::new();
    loop {
        timer.tick().await;
        // The same trouble every second is told once.
        let now = due().await.err().map(|fault| fault.to_string()).unwrap_or_default();
        if now != complaint && !now.is_empty() {
            tracing::warn!("{what} wait: {now}");
        }
        complaint = now;
    }
}

/// Takes these looks, a few at once. One that fails does not keep the others from being looked at.
pub(super) async fn look_at_each<Looked>(due: impl Iterator<Item = Looked>) -> Result<(), Fault>
where
    Looked: Future<Output = Result<(), Fault>>,
{
    let mut looks = stream::iter(due).buffer_unordered(AT_ONCE);
    let mut outcome = Ok(());
    while let Some(looked) = looks.next().await {
        outcome = outcome.and(looked);
    }
    outcome
}

/// Locks what is whole between its statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_looked_at_less_often() {
        let looks = Looks::new(Duration::from_millis(400));
        let at = |seconds: u64| UnixMillis(seconds * 1000);
        assert!(looks.is_due(1, at(0), at(0)), "what is new is looked at at once");
        looks.note(1, at(0));
        assert!(!looks.is_due(1, at(0), at(3)) && !looks.is_allowed(1, at(3)));
        assert!(looks.is_due(1, at(0), at(4)) && looks.is_allowed(1, at(4)));
        looks.note(1, at(1000));
        assert!(!looks.is_due(1, at(0), at(1050)), "a twentieth of 1050 s is 52.5 s");
        assert!(looks.is_allowed(1, at(1050)), "whoever asks has it looked at");
        assert!(looks.is_due(1, at(0), at(1053)));
        looks.forget_all_but(|_| false, at(1003));
        assert!(!looks.is_allowed(1, at(1003)), "a moment ago");
        looks.forget_all_but(|_| false, at(1004));
        assert!(looks.is_due(1, at(0), at(1004)));
    }
}
