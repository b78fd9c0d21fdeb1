//! The line of devices that wait for work. Kept in memory: a restart ends every session.
//!
//! New work is called out to as many devices as there are tasks, so that a thousand idle workers do not all ask for
//! one, and those that have been asking for longest are called first. A call is no promise: whoever asks gets what
//! there is. A device keeps its place from its first answer without work until it has some, as long as it goes on
//! asking.

use std::collections::{BTreeMap, BTreeSet};

use lull_network_api::COUNTED_MAX;
use lull_types::{UnixMillis, WorkerId};

use super::turn::Fresh;

/// A device of a worker.
type Place = (WorkerId, u32);

/// A device that was told that there is no work.
#[derive(Debug)]
struct Waiting {
    class: String,
    kinds: BTreeSet<String>,
    /// Since when it has been asking; none once it has stopped, as when its contributor plays.
    since: Option<UnixMillis>,
    /// When it counts as having stopped, unless it asks before.
    asks_by: UnixMillis,
    /// It was called and has not asked since.
    is_called: bool,
}

#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<Place, Waiting>,
    /// Those that ask, by since when.
    asking: BTreeSet<(UnixMillis, Place)>,
}

impl Line {
    /// A device was told that there is no work. It is expected to ask again before `asks_by`.
    pub fn wait(
        &mut self,
        place: Place,
        class: String,
        kinds: BTreeSet<String>,
        now: UnixMillis,
        asks_by: UnixMillis,
    ) {
        let before = self.waiting.get(&place).filter(|known| now <= known.asks_by);
        let since = before.and_then(|known| known.since).unwrap_or(now);
        self.leave(place);
        self.asking.insert((since, place));
        self.waiting.insert(place, Waiting { class, kinds, since: Some(since), asks_by, is_called: false });
    }

    /// A device has work.
    pub fn leave(&mut self, place: Place) {
        if let Some(Waiting { since: Some(since), .. }) = self.waiting.remove(&place) {
            self.asking.remove(&(since, place));
        }
    }

    /// A worker's session ended.
    pub fn forget(&mut self, worker: WorkerId) {
        self.waiting.retain(|(who, _), _| *who != worker);
        self.asking.retain(|(_, (who, _))| *who != worker);
    }

    /// Whether anyone would hear a call.
    pub fn anyone_waits(&self) -> bool {
        self.waiting.values().any(|device| !device.is_called)
    }

    /// Whoever has not asked again in time loses its place. It is still called, after all who ask.
    pub fn lapse(&mut self, now: UnixMillis) {
        for (place, device) in &mut self.waiting {
            if device.asks_by < now
                && let Some(since) = device.since.take()
            {
                self.asking.remove(&(since, *place));
            }
        }
    }

    /// Whom to tell about fresh work, each once.
    pub fn call(&mut self, fresh: Vec<Fresh>) -> Vec<WorkerId> {
        let mut told = Vec::new();
        for fresh in fresh {
            let fits = |place: &Place| {
                self.waiting.get(place).is_some_and(|device| {
                    !device.is_called
                        && device.kinds.contains(&fresh.kind)
                        && fresh.class.as_ref().is_none_or(|class| *class == device.class)
                })
            };
            let asking = self.asking.iter().map(|(_, place)| *place);
            let silent = self.waiting.iter().filter(|(_, device)| device.since.is_none());
            let tasks = usize::try_from(fresh.tasks).unwrap_or(usize::MAX);
            let called: Vec<_> =
                asking.chain(silent.map(|(place, _)| *place)).filter(fits).take(tasks).collect();
            for place in called {
                if let Some(device) = self.waiting.get_mut(&place) {
                    device.is_called = true;
                }
                told.push(place.0);
            }
        }
        let mut seen = BTreeSet::new();
        told.retain(|worker| seen.insert(*worker));
        told
    }

    /// How many devices that run any of its kinds are called before this one, [`COUNTED_MAX`] at most; none for one
    /// that has no place. No more than that many are looked at.
    pub fn ahead(&self, place: Place) -> Option<u32> {
        let device = self.waiting.get(&place)?;
        let before = self.asking.range(..(device.since?, place)).take(COUNTED_MAX as usize);
        let rivals = before.filter(|(_, other)| {
            self.waiting.get(other).is_some_and(|other| !other.kinds.is_disjoint(&device.kinds))
        });
        u32::try_from(rivals.count()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "wgsl/1";

    fn place(n: u8) -> Place {
        (lull_types::SecretKey::from_bytes(&[n; 32]).worker_id(), 0)
    }

    fn wait(line: &mut Line, n: u8, kind: &str, now: u64) {
        let kinds = BTreeSet::from([kind.to_owned()]);
        line.wait(place(n), "class".to_owned(), kinds, UnixMillis(now), UnixMillis(now + 60));
    }

    fn call(line: &mut Line, tasks: u64) -> Vec<u8> {
        let fresh = Fresh { kind: KIND.to_owned(), class: None, tasks };
        let told = line.call(vec![fresh]);
        told.iter().map(|worker| (1..9).find(|n| place(*n).0 == *worker).unwrap()).collect()
    }

    #[test]
    fn who_waits_longest_is_called_first_whoever_it_is() {
        for order in [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3]] {
            let mut line = Line::default();
            for (at, n) in (0..).zip(order) {
                wait(&mut line, n, KIND, at);
            }
            assert_eq!(order.map(|n| line.ahead(place(n)).unwrap()), [0, 1, 2, 3]);
            assert_eq!(call(&mut line, 3), order[..3]);
            assert_eq!(call(&mut line, 3), order[3..], "nobody is called twice");
            assert!(!line.anyone_waits());
        }
    }

    #[test]
    fn a_place_is_kept_by_asking_and_ends_with_work_silence_or_the_session() {
        let mut line = Line::default();
        for n in [1, 2, 3, 4] {
            wait(&mut line, n, KIND, n.into());
        }
        assert_eq!(call(&mut line, 1), [1]);
        wait(&mut line, 1, KIND, 30);
        assert_eq!(line.ahead(place(1)), Some(0), "called in vain, and still the first");
        line.leave(place(1));
        assert_eq!((line.ahead(place(1)), line.ahead(place(4))), (None, Some(2)));
        line.forget(place(2).0);
        assert_eq!(line.ahead(place(4)), Some(1));
        wait(&mut line, 4, KIND, 60);
        line.lapse(UnixMillis(64));
        assert_eq!((line.ahead(place(3)), line.ahead(place(4))), (None, Some(0)));
        wait(&mut line, 3, KIND, 65);
        assert_eq!(line.ahead(place(3)), Some(1), "whoever comes back comes last");
        line.lapse(UnixMillis(124));
        assert_eq!(call(&mut line, 9), [3, 4], "who is silent is called after all who ask");
    }

    #[test]
    fn only_those_of_the_same_kinds_count() {
        let mut line = Line::default();
        wait(&mut line, 1, "infer/1", 0);
        wait(&mut line, 2, KIND, 1);
        let both = BTreeSet::from([KIND.to_owned(), "infer/1".to_owned()]);
        line.wait(place(3), "class".to_owned(), both, UnixMillis(2), UnixMillis(60));
        assert_eq!([1, 2, 3].map(|n| line.ahead(place(n)).unwrap()), [0, 0, 2]);
    }

    #[test]
    fn counting_ends() {
        let mut line = Line::default();
        let kinds = BTreeSet::from([KIND.to_owned()]);
        for device in 0..COUNTED_MAX + 10 {
            let at = UnixMillis(device.into());
            line.wait((place(1).0, device), "class".to_owned(), kinds.clone(), at, at);
        }
        assert_eq!(line.ahead((place(1).0, COUNTED_MAX - 1)), Some(COUNTED_MAX - 1));
        assert_eq!(line.ahead((place(1).0, COUNTED_MAX + 9)), Some(COUNTED_MAX));
    }
}
