//! Time that passes only when a test says so.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lull_types::UnixMillis;

/// A clock that stands still until it is advanced. Clones show the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    /// A clock that shows `start`.
    pub fn starting_at(start: UnixMillis) -> Self {
        Self(Arc::new(AtomicU64::new(start.0)))
    }

    /// What it shows.
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    /// Lets `time` pass; returns what it shows then.
    pub fn advance(&self, time: Duration) -> UnixMillis {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        UnixMillis(self.0.fetch_add(millis, Ordering::SeqCst).saturating_add(millis))
    }

    /// Lets time pass until `moment`. Never goes back.
    pub fn advance_to(&self, moment: UnixMillis) {
        self.0.fetch_max(moment.0, Ordering::SeqCst);
    }
}

impl Default for VirtualClock {
    /// Starts at the first of January 2026, so that logs of simulations are easy to read.
    fn default() -> Self {
        Self::starting_at(UnixMillis(1_767_225_600_000))
    }
}

/// Events of a simulation in the order of their time; those of one moment in the order in which they were
/// added, so that a seed always gives the same run.
#[derive(Debug)]
pub struct Timeline<E> {
    clock: VirtualClock,
    added: u64,
    events: BinaryHeap<Reverse<Entry<E>>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: u64,
    nth: u64,
    event: E,
}

impl<E> Timeline<E> {
    /// No events yet; taking one advances `clock` to it.
    pub fn new(clock: VirtualClock) -> Self {
        Self { clock, added: 0, events: BinaryHeap::new() }
    }

    /// The clock that events advance.
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// Adds an event `after` from now.
    pub fn push(&mut self, after: Duration, event: E) {
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.push_at(UnixMillis(self.clock.now().0.saturating_add(millis)), event);
    }

    /// Adds an event at a moment; one in the past happens now.
    pub fn push_at(&mut self, moment: UnixMillis, event: E) {
        self.added += 1;
        self.events.push(Reverse(Entry { at: moment.0, nth: self.added, event }));
    }

    /// Takes the next event and lets the time pass until it.
    pub fn pop(&mut self) -> Option<E> {
        let Reverse(Entry { at, event, .. }) = self.events.pop()?;
        self.clock.advance_to(UnixMillis(at));
        Some(event)
    }

    /// When the next event is.
    pub fn next_at(&self) -> Option<UnixMillis> {
        self.events.peek().map(|Reverse(entry)| UnixMillis(entry.at))
    }

    /// How many events are to come.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether none is to come.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.nth) == (other.at, other.nth)
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.nth).cmp(&(other.at, other.nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_time_and_it_never_goes_back() {
        let clock = VirtualClock::default();
        let other = clock.clone();
        let later = clock.advance(Duration::from_secs(3));
        assert_eq!(other.now(), later);
        other.advance_to(UnixMillis(0));
        assert_eq!(clock.now(), later);
    }

    #[test]
    fn events_come_in_order_and_ties_as_added() {
        let clock = VirtualClock::starting_at(UnixMillis(100));
        let mut timeline = Timeline::new(clock.clone());
        timeline.push(Duration::from_millis(20), 'c');
        timeline.push(Duration::from_millis(10), 'a');
        timeline.push(Duration::from_millis(10), 'b');
        timeline.push_at(UnixMillis(1), 'p');
        let taken: Vec<_> = std::iter::from_fn(|| timeline.pop().map(|e| (e, clock.now().0))).collect();
        assert_eq!(taken, [('p', 100), ('a', 110), ('b', 110), ('c', 120)]);
    }
}
