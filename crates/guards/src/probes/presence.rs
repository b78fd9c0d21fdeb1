//! Whether somebody uses the machine: when it is looked, and what is new. Who tells of input is each system's own, behind
//! [`Place`], [`Seat`] and [`Controllers`].
//!
//! While a person is here, it is only looked now and then whether one is so still: who plays or types costs nothing. While
//! nobody is, the first input wakes this thread where the system can do that.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_types::{Guard, UnixMillis};

use crate::{Observation, Person, Probe, ProbeError, Watch};

/// How often it is looked, and from when on nobody is here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intervals {
    /// Since when nothing was touched for a person not to count as here. It is also how often it is looked while one is.
    /// The shortest time that people can choose is a minute; this is a sixth of it.
    pub quiet: Duration,
    /// How often the seat is asked while nobody is here although it tells of input, should it have missed some.
    pub with_events: Duration,
    /// How often controllers are looked at while nobody is here: the GPU is to be free soon after.
    pub controllers: Duration,
    /// How often the seat is asked while nobody is here, where it does not tell of input by itself.
    pub without_events: Duration,
}

const INTERVALS: Intervals = Intervals {
    quiet: Duration::from_secs(10),
    with_events: Duration::from_secs(10),
    controllers: Duration::from_secs(1),
    without_events: Duration::from_secs(2),
};

/// Where somebody may sit.
pub(super) trait Place: Send {
    /// Nobody tells.
    type Error: fmt::Display;

    /// Who knows of input there. Nothing was touched for `quiet` when nobody is there.
    fn seat(&self, quiet: Duration) -> Result<Box<dyn Seat<Error = Self::Error>>, Self::Error>;
}

/// Who knows when keyboard, mouse or screen were touched.
pub(super) trait Seat: Send {
    /// It does not tell.
    type Error;

    /// Since when nothing was.
    fn quiet_for(&mut self) -> Result<Duration, Self::Error>;

    /// Whether it can tell of input by itself.
    fn can_tell(&self) -> bool {
        false
    }

    /// Whether it is to tell of input from now on, if it can; whether that changed.
    fn tell_of_input(&mut self, _tell: bool) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Waits until something is touched, but not for longer than that; whether something was.
    fn wait_for_input(&mut self, _time: Duration) -> Result<bool, Self::Error> {
        Ok(false)
    }
}

/// Game controllers, which count as input for no system.
pub(super) trait Controllers: Send {
    /// Whether one is plugged in, so that there is something to look at.
    fn any(&self) -> bool;

    /// Whether one was moved since this was last asked; the first time, none is.
    fn moved(&mut self) -> bool;

    /// What was seen is not to be compared with any more, and none is to be kept open.
    fn close(&mut self);
}

/// The probe.
pub(super) struct Presence<P: Place, C> {
    place: P,
    controllers: C,
    pub intervals: Intervals,
    pub seat: Option<Box<dyn Seat<Error = P::Error>>>,
    told: Option<Person>,
    /// When input was seen that the seat's own figure need not count.
    input_at: Option<Instant>,
}

impl<P: Place, C: Controllers> Presence<P, C> {
    pub fn at(place: P, controllers: C) -> Self {
        Self { place, controllers, intervals: INTERVALS, seat: None, told: None, input_at: None }
    }

    fn watch(&mut self, watch: &Watch) -> Result<Person, P::Error> {
        loop {
            let watched = watch.now();
            if !watched.rules.wants(Guard::Presence) {
                self.forget();
                watch.until(|watched| watched.rules.wants(Guard::Presence));
                continue;
            }
            let seat = match &mut self.seat {
                Some(seat) => seat,
                none => none.insert(self.place.seat(self.intervals.quiet)?),
            };
            if self.controllers.moved() {
                self.input_at = Some(Instant::now());
            }
            let quiet = seat.quiet_for()?;
            let quiet = self.input_at.map_or(quiet, |at| at.elapsed().min(quiet));
            if let Some(rest) = self.intervals.quiet.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
                seat.tell_of_input(false)?;
                if self.told != Some(Person::Here) {
                    self.told = Some(Person::Here);
                    return Ok(Person::Here);
                }
                watch.sleep(rest, &watched);
                continue;
            }
            if seat.tell_of_input(true)? {
                // What was touched in between is in the seat's figure.
                continue;
            }
            if !matches!(self.told, Some(Person::QuietSince(_))) {
                let person = Person::QuietSince(before_now(quiet));
                self.told = Some(person);
                return Ok(person);
            }
            let tells = seat.can_tell();
            let time = if tells { self.intervals.with_events } else { self.intervals.without_events };
            let time = if self.controllers.any() { time.min(self.intervals.controllers) } else { time };
            if !tells {
                watch.sleep(time, &watched);
            } else if seat.wait_for_input(time)? {
                self.input_at = Some(Instant::now());
            }
        }
    }

    /// The next look begins anew, and costs nothing until then.
    fn forget(&mut self) {
        self.seat = None;
        self.controllers.close();
        self.told = None;
        self.input_at = None;
    }
}

impl<P: Place, C: Controllers> Probe for Presence<P, C> {
    fn guard(&self) -> Guard {
        Guard::Presence
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        self.watch(watch).map(Observation::Person).map_err(|error| {
            self.forget();
            ProbeError::new("whether somebody uses this machine", error)
        })
    }
}

fn before_now(time: Duration) -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(now.saturating_sub(time).as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[cfg_attr(
    target_os = "macos",
    allow(dead_code, reason = "nobody has run tests of real programs and people on a Mac yet")
)]
pub(super) mod tests {
    use std::sync::mpsc::Receiver;
    use std::sync::{Arc, Mutex};

    use lull_types::GuardRules;

    use super::*;
    use crate::Watched;
    use crate::probes::told_by;

    /// Bound on what takes milliseconds, and a second at most.
    pub const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    pub const SILENCE: Duration = Duration::from_millis(300);

    /// A seat that does not tell of input is asked often; one that does, only when it has told.
    pub const SHORT: Intervals = Intervals {
        quiet: Duration::from_secs(1),
        with_events: Duration::from_secs(3600),
        controllers: Duration::from_secs(3600),
        without_events: Duration::from_millis(20),
    };

    pub fn wanted(away_minutes: Option<u16>) -> Watched {
        Watched { rules: GuardRules { away_minutes, ..GuardRules::default() }, ..Watched::default() }
    }

    /// Presence is to be watched.
    pub fn watch() -> Watch {
        let watch = Watch::default();
        watch.tell(wanted(Some(1)));
        watch
    }

    #[track_caller]
    pub fn is_here(told: &Receiver<Observation>) {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::Person(Person::Here)));
    }

    /// The person was last seen in between.
    #[track_caller]
    pub fn is_quiet(told: &Receiver<Observation>, between: [UnixMillis; 2]) {
        let seen = told.recv_timeout(PATIENCE);
        let Ok(Observation::Person(Person::QuietSince(since))) = seen else {
            panic!("{seen:?}");
        };
        // The desktop's clock and ours round differently, and a busy machine may be late to look at its own.
        let [from, to] = between.map(|at| at.0);
        assert!((from - 50..=to + 500).contains(&since.0), "{since:?}, {between:?}");
    }

    pub fn now() -> UnixMillis {
        before_now(Duration::ZERO)
    }

    /// A machine at which somebody may sit: when the keyboard was touched, and whether a controller was moved.
    #[derive(Clone)]
    struct Fake(Arc<Mutex<State>>);

    struct State {
        touched: Option<Instant>,
        is_moved: bool,
    }

    impl Place for Fake {
        type Error = &'static str;

        fn seat(&self, _quiet: Duration) -> Result<Box<dyn Seat<Error = Self::Error>>, Self::Error> {
            Ok(Box::new(self.clone()))
        }
    }

    impl Seat for Fake {
        type Error = &'static str;

        fn quiet_for(&mut self) -> Result<Duration, Self::Error> {
            Ok(self.0.lock().unwrap().touched.ok_or("nobody knows")?.elapsed())
        }
    }

    impl Controllers for Fake {
        fn any(&self) -> bool {
            true
        }

        fn moved(&mut self) -> bool {
            std::mem::take(&mut self.0.lock().unwrap().is_moved)
        }

        fn close(&mut self) {}
    }

    #[test]
    fn keyboards_and_controllers_count_alike() {
        let began = Instant::now();
        let fake = Fake(Arc::new(Mutex::new(State { touched: Some(began), is_moved: false })));
        let probe = Presence { intervals: SHORT, ..Presence::at(fake.clone(), fake.clone()) };
        let from = now();
        let told = told_by(probe, &watch());
        // A busy machine may take longer to start the thread than for the keyboard to rest.
        let first = told.recv_timeout(PATIENCE).unwrap();
        if first == Observation::Person(Person::Here) {
            is_quiet(&told, [from, now()]);
        }
        fake.0.lock().unwrap().is_moved = true;
        is_here(&told);
        let moved = now();
        is_quiet(&told, [from, moved]);
        fake.0.lock().unwrap().touched = Some(Instant::now());
        is_here(&told);
        fake.0.lock().unwrap().touched = None;
        assert!(told.iter().all(|seen| matches!(seen, Observation::Person(_))), "an error ends it");
    }
}
