//! The thread that keeps boards at the limits that they should have.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use lull_types::{Coded, DeviceInfo, Fault, PowerLimit};

use super::boards::{Boards, stand_of};
use super::{Board, MakeControl, PowerError};

/// A limit that could not be put back is tried again after this, and then after twice as long each time: a driver that
/// is busy is free again within seconds.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// And so often for as long as the worker runs: a board that is lost comes back when the system says so, and looking for
/// it takes less than a millisecond.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// What a panic waits for: it must not keep a process that is broken alive for ever, and setting a limit takes
/// milliseconds where the driver is well.
const PANIC_WAIT: Duration = Duration::from_secs(2);

/// What became of boards' limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Where a device stands now.
    Stand {
        /// Its index.
        device: u32,
        /// How it stands.
        limit: PowerLimit,
    },
    /// A limit that was lowered could not be put back.
    Stuck(Fault),
}

/// What is wanted of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    device: DeviceInfo,
    ceiling_watts: Option<u16>,
}

#[derive(Debug, Default)]
struct State {
    wishes: BTreeMap<u32, Wish>,
    /// Rises with each wish.
    revision: u64,
    /// Everything is to be put back, and nothing lowered any more.
    over: bool,
    /// That was done.
    done: bool,
    /// The thread itself panicked, and whoever saw that puts back.
    panicked: bool,
    thread: Option<ThreadId>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and a panic is when it is needed most.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everything put back, and waits for it.
    fn finish(&self, wait: Duration) -> bool {
        let mut state = self.state();
        state.over = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, wait, |state| !state.done);
        waited.unwrap_or_else(PoisonError::into_inner).0.done
    }
}

/// Keeps boards at their limits. Clones are the same keeper; when the last is dropped, everything is put back.
#[derive(Clone, Debug)]
pub struct Keeper(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    file: PathBuf,
    make: Arc<MakeControl>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
    }
}

impl Keeper {
    /// Starts the thread, which first puts back what an earlier process has left lowered, as `file` says. `told` is called
    /// on that thread and must not wait.
    pub fn start(file: PathBuf, make: MakeControl, told: impl Fn(Told) + Send + 'static) -> Self {
        let make = Arc::new(make);
        let shared = Arc::<Shared>::default();
        let (own_file, own_make, own_shared) = (file.clone(), Arc::clone(&make), Arc::clone(&shared));
        let started = thread::Builder::new().name("power limits".to_owned()).spawn(move || {
            own_shared.state().thread = Some(thread::current().id());
            Worker::new(Boards::open(own_file, own_make()), told).run(&own_shared);
        });
        if let Err(error) = started {
            tracing::error!(%error, "no thread can be had, so no power limit is lowered");
            shared.state().done = true;
        }
        Self(Arc::new(Handle { shared, file, make }))
    }

    /// Has a device's board held to so many watts from now on; `None` for its own limit. Returns at once; what comes of
    /// it is told.
    pub fn want(&self, device: DeviceInfo, ceiling_watts: Option<u16>) {
        let mut state = self.0.shared.state();
        state.wishes.insert(device.index, Wish { device, ceiling_watts });
        state.revision += 1;
        self.0.shared.changed.notify_all();
    }

    /// Puts everything back, and waits for it no longer than `wait`. Nothing is lowered after it. Returns whether it was
    /// done in time; what was not is put back when the driver answers, or by the next start.
    pub fn finish(&self, wait: Duration) -> bool {
        self.0.shared.finish(wait)
    }

    /// Has every panic of this process put everything back before anything else, as the process may end with it.
    pub fn put_back_on_panic(&self) {
        let handle = Arc::downgrade(&self.0);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let Some(handle) = Weak::upgrade(&handle) {
                handle.panicked();
            }
            before(info);
        }));
    }
}

impl Handle {
    fn panicked(&self) {
        let own = self.shared.state().thread == Some(thread::current().id());
        if !own {
            self.shared.finish(PANIC_WAIT);
            return;
        }
        // It is the keeper's own thread that panics: nobody waits for it any more, and its control may be what broke.
        {
            let mut state = self.shared.state();
            // What comes here again panicked while it put back, and must not try for ever.
            if std::mem::replace(&mut state.panicked, true) {
                return;
            }
            state.over = true;
        }
        Boards::open(self.file.clone(), (self.make)()).put_all_back();
        self.shared.state().done = true;
        self.shared.changed.notify_all();
    }
}

/// What the thread knows.
struct Worker<T> {
    boards: Boards,
    told: T,
    /// Which board each device is, and what was last done for it.
    settled: BTreeMap<u32, (Wish, Option<Board>)>,
    retry: Option<(Instant, Duration)>,
}

impl<T: Fn(Told)> Worker<T> {
    fn new(boards: Boards, told: T) -> Self {
        Self { boards, told, settled: BTreeMap::new(), retry: None }
    }

    fn run(mut self, shared: &Shared) {
        self.round(&BTreeMap::new());
        let mut seen = 0;
        loop {
            let mut state = shared.state();
            while !state.over && state.revision == seen {
                state = match self.retry {
                    None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                    Some((at, _)) if at <= Instant::now() => break,
                    Some((at, _)) => {
                        let wait = at.saturating_duration_since(Instant::now());
                        shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                    }
                };
            }
            let over = state.over;
            seen = state.revision;
            let wishes = if over { BTreeMap::new() } else { state.wishes.clone() };
            drop(state);
            self.round(&wishes);
            if over {
                shared.state().done = true;
                shared.changed.notify_all();
                return;
            }
        }
    }

    /// Brings every board to where it should be: what frees a board first, and the disk after that.
    fn round(&mut self, wishes: &BTreeMap<u32, Wish>) {
        let wanted: BTreeMap<u32, (Wish, Result<Board, PowerError>)> =
            wishes.iter().map(|(index, wish)| (*index, (wish.clone(), self.board_of(wish)))).collect();
        let held: Vec<_> = wanted
            .values()
            .filter(|(wish, _)| wish.ceiling_watts.is_some())
            .filter_map(|(_, board)| board.clone().ok())
            .collect();
        let free: Vec<_> = self.boards.lowered().into_iter().filter(|board| !held.contains(board)).collect();
        let troubles = self.boards.put_back(&free);
        self.boards.write();
        self.plan_retry(&troubles);
        // Whoever was told that a board could not be put back is told that it was.
        let is_back = |board: &Board| free.contains(board) && !troubles.iter().any(|(of, _)| of == board);
        self.settled.retain(|_, (_, board)| !board.as_ref().is_some_and(is_back));
        for (index, (wish, board)) in wanted {
            let before = self.settled.get(&index);
            if before.is_some_and(|(before, _)| *before == wish) {
                continue;
            }
            // A board whose limit could not be put back is told as such, and not asked again at once.
            let trouble = board.as_ref().ok().and_then(|board| troubles.iter().find(|(of, _)| of == board));
            let stand = match (&board, trouble) {
                (_, Some((_, error))) | (Err(error), _) => Err(error.clone()),
                (Ok(board), None) => self.boards.settle(board, wish.ceiling_watts),
            };
            let limit = stand.unwrap_or_else(|error| {
                tracing::info!(device = index, %error, "a power limit is not what it should be");
                stand_of(&error)
            });
            (self.told)(Told::Stand { device: index, limit });
            self.settled.insert(index, (wish, board.ok()));
        }
        self.boards.write();
    }

    /// Which board a device is. It is asked once, as long as it can be told.
    fn board_of(&mut self, wish: &Wish) -> Result<Board, PowerError> {
        match self.settled.get(&wish.device.index) {
            Some((known, Some(board))) if known.device == wish.device => Ok(board.clone()),
            _ => self.boards.board(&wish.device),
        }
    }

    fn plan_retry(&mut self, troubles: &[(Board, PowerError)]) {
        for (board, error) in troubles {
            tracing::warn!(?board, %error, "a power limit could not be put back");
        }
        let Some((_, error)) = troubles.iter().find(|(_, error)| *error != PowerError::Gone) else {
            // One that is gone is looked for again with whatever else is to be done, and by the next start.
            self.retry = None;
            return;
        };
        let wait = self.retry.map_or(RETRY_FIRST, |(_, wait)| (wait * 2).min(RETRY_MAX));
        if self.retry.is_none() {
            let sentence = format!(
                "A graphics card's power limit, which Lull had lowered, could not be set back to what it was ({}). Lull \
                 keeps trying; starting the computer again sets it back as well.",
                error.code()
            );
            (self.told)(Told::Stuck(Fault::new("power_limit_not_put_back", sentence)));
        }
        self.retry = Some((Instant::now() + wait, wait));
    }
}
