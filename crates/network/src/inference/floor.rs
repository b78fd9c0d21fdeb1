//! The shifts that go on, and who is asked next. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lull_types::{AssignmentId, BlobHash, JobId};
use tokio::sync::mpsc;

use super::lock;
use super::shift::ShiftCommand;

/// Shifts of one model at once.
const SHIFTS_MAX: usize = 64;
/// Prompts whose beginnings are remembered for a shift: a worker holds no more of them than it has sequences, and those that
/// came last.
const PREFIXES_MAX: usize = 64;
/// A shift that nobody asks anything is ended after this long, so that its device does other work.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(120);

/// All shifts.
#[derive(Debug, Default)]
pub(super) struct Floor {
    shifts: HashMap<AssignmentId, OnFloor>,
    /// Shifts that were called for, and that no worker has taken.
    called: HashMap<JobId, BlobHash>,
    /// Asks that wait for room, by model.
    waiting: HashMap<BlobHash, usize>,
}

/// One shift.
#[derive(Debug)]
struct OnFloor {
    model: BlobHash,
    /// How it is asked, once its model is loaded.
    ready: Option<(Seat, u32)>,
    /// Asks that go on.
    open: u32,
    /// Since when nothing does.
    idle_since: Instant,
    /// Beginnings of the prompts that it had last.
    prefixes: VecDeque<u64>,
}

/// A place in a shift. It is given back with [`Floor::left`].
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub shift: AssignmentId,
    pub commands: mpsc::UnboundedSender<ShiftCommand>,
    /// Kept until all that was served is booked; the shift is over only then.
    pub _kept: mpsc::Sender<()>,
}

impl Floor {
    /// A shift was called for.
    pub fn called(&mut self, job: JobId, model: BlobHash) {
        self.called.insert(job, model);
    }

    /// A worker has taken a shift. False when that is known already.
    pub fn placed(&mut self, job: JobId, shift: AssignmentId, model: BlobHash, now: Instant) -> bool {
        self.called.remove(&job);
        if self.shifts.contains_key(&shift) {
            return false;
        }
        let placed = OnFloor { model, ready: None, open: 0, idle_since: now, prefixes: VecDeque::new() };
        self.shifts.insert(shift, placed);
        true
    }

    /// A shift's model is loaded.
    pub fn ready(&mut self, seat: Seat, sequences: u32, now: Instant) {
        if let Some(shift) = self.shifts.get_mut(&seat.shift) {
            shift.ready = Some((seat, sequences.max(1)));
            shift.idle_since = now;
        }
    }

    /// A shift is over, or takes no more.
    pub fn closed(&mut self, shift: AssignmentId) {
        self.shifts.remove(&shift);
    }

    /// A place in a shift that has room: in the one that had such a prompt last, else in the one with the most room.
    pub fn seat(&mut self, model: BlobHash, prefix: u64) -> Option<Seat> {
        let room = |shift: &OnFloor| match &shift.ready {
            Some((_, sequences)) if shift.model == model => sequences.saturating_sub(shift.open),
            _ => 0,
        };
        let with_room = self.shifts.iter().filter(|(_, shift)| room(shift) > 0);
        let (id, shift) = with_room.max_by_key(|(id, shift)| {
            (shift.prefixes.contains(&prefix), room(shift), std::cmp::Reverse(**id))
        })?;
        let seat = shift.ready.as_ref()?.0.clone();
        let id = *id;
        let shift = self.shifts.get_mut(&id)?;
        shift.open += 1;
        shift.prefixes.retain(|known| *known != prefix);
        shift.prefixes.push_back(prefix);
        if shift.prefixes.len() > PREFIXES_MAX {
            shift.prefixes.pop_front();
        }
        Some(seat)
    }

    /// A place is given back.
    pub fn left(&mut self, shift: AssignmentId, now: Instant) {
        if let Some(shift) = self.shifts.get_mut(&shift) {
            shift.open = shift.open.saturating_sub(1);
            if shift.open == 0 {
                shift.idle_since = now;
            }
        }
    }

    /// When a shift has been idle for too long, if nothing changes; none while it is not idle.
    pub fn idle_until(&self, shift: AssignmentId) -> Option<Instant> {
        let shift = self.shifts.get(&shift)?;
        (shift.open == 0).then(|| shift.idle_since + IDLE_MAX)
    }

    /// Whether one more shift of a model is wanted for those who wait.
    pub fn wants_more(&self, model: BlobHash) -> bool {
        let mine = || self.shifts.values().filter(|shift| shift.model == model);
        let called = self.called.values().filter(|of| **of == model).count();
        let preparing = mine().filter(|shift| shift.ready.is_none()).count();
        // How many each takes is known of those that are ready; one that comes takes at least one.
        let each = mine()
            .filter_map(|shift| shift.ready.as_ref().map(|(_, sequences)| *sequences))
            .max()
            .unwrap_or(1);
        let waiting = self.waiting.get(&model).copied().unwrap_or(0);
        (called + preparing) * (each as usize) < waiting && mine().count() + called < SHIFTS_MAX
    }

    /// Whether a model has a shift, or one that is getting ready.
    pub fn is_served(&self, model: BlobHash) -> bool {
        self.shifts.values().any(|shift| shift.model == model)
    }
}

/// An ask that waits, for as long as this is kept.
pub(super) struct Waiting<'a> {
    floor: &'a Mutex<Floor>,
    model: BlobHash,
}

impl<'a> Waiting<'a> {
    pub fn new(floor: &'a Mutex<Floor>, model: BlobHash) -> Self {
        *lock(floor).waiting.entry(model).or_default() += 1;
        Self { floor, model }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut floor = lock(self.floor);
        if let Some(waiting) = floor.waiting.get_mut(&self.model) {
            *waiting = waiting.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use lull_types::UnixMillis;

    use super::*;

    const MODEL: BlobHash = BlobHash([1; 32]);

    fn job(n: u8) -> JobId {
        JobId::from_parts(UnixMillis(1), &[n; 10])
    }

    fn shift(n: u8) -> AssignmentId {
        AssignmentId::from_parts(UnixMillis(1), &[n; 10])
    }

    /// A floor with ready shifts of so many sequences.
    fn floor(sequences: &[u32]) -> Floor {
        let mut floor = Floor::default();
        for (n, sequences) in (0..).zip(sequences) {
            let now = Instant::now();
            floor.placed(job(n), shift(n), MODEL, now);
            let seat =
                Seat { shift: shift(n), commands: mpsc::unbounded_channel().0, _kept: mpsc::channel(1).0 };
            floor.ready(seat, *sequences, now);
        }
        floor
    }

    #[test]
    fn who_has_the_most_room_is_asked() {
        let mut floor = floor(&[2, 4]);
        let mut seated: Vec<_> =
            (0..6).map(|prefix| floor.seat(MODEL, prefix).expect("there is room").shift).collect();
        assert_eq!(seated[0], shift(1));
        seated.sort();
        assert_eq!(seated, [shift(0), shift(0), shift(1), shift(1), shift(1), shift(1)]);
        assert!(floor.seat(MODEL, 9).is_none());
        floor.left(shift(0), Instant::now());
        assert_eq!(floor.seat(MODEL, 9).map(|seat| seat.shift), Some(shift(0)));
        assert!(floor.seat(BlobHash([2; 32]), 9).is_none(), "another model");
    }

    #[test]
    fn who_had_such_a_prompt_is_asked_again_while_it_has_room() {
        let mut floor = floor(&[2, 2]);
        let first = floor.seat(MODEL, 7).expect("there is room").shift;
        assert_eq!(floor.seat(MODEL, 7).map(|seat| seat.shift), Some(first));
        assert_ne!(floor.seat(MODEL, 7).map(|seat| seat.shift), Some(first));
    }

    #[test]
    fn shifts_are_called_for_as_many_as_wait() {
        let floor = Mutex::new(floor(&[4]));
        assert!(!lock(&floor).wants_more(MODEL));
        let waiting: Vec<_> = (0..5).map(|_| Waiting::new(&floor, MODEL)).collect();
        assert!(lock(&floor).wants_more(MODEL));
        lock(&floor).called(job(1), MODEL);
        assert!(lock(&floor).wants_more(MODEL), "four of five");
        lock(&floor).called(job(2), MODEL);
        assert!(!lock(&floor).wants_more(MODEL));
        drop(waiting);
        lock(&floor).placed(job(1), shift(1), MODEL, Instant::now());
        lock(&floor).closed(shift(1));
        assert!(!lock(&floor).wants_more(MODEL), "nobody waits");
    }

    #[test]
    fn a_shift_is_placed_once_and_its_idleness_is_known() {
        let mut floor = floor(&[1]);
        let now = Instant::now();
        assert!(!floor.placed(job(0), shift(0), MODEL, now));
        assert!(floor.idle_until(shift(0)).is_some());
        floor.seat(MODEL, 1).expect("there is room");
        assert_eq!(floor.idle_until(shift(0)), None);
        floor.left(shift(0), now);
        assert_eq!(floor.idle_until(shift(0)), Some(now + IDLE_MAX));
    }
}
