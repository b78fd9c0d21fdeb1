//! What probes are told of what is to be watched.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use lull_types::{DeviceInfo, GuardRules};

/// What is to be watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    /// Which guards are wanted, and from where on.
    pub rules: GuardRules,
    /// The devices that are lent; none while they are not known.
    pub devices: Vec<DeviceInfo>,
    /// Whether a device is at work now. While none is, nothing has to be found in a hurry.
    pub at_work: bool,
}

/// Tells all probes what is to be watched, and wakes them when that changes. Its clones are one.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    shared: Arc<(Mutex<Watched>, Condvar)>,
}

impl Watch {
    /// This is to be watched from now on.
    pub fn tell(&self, watched: Watched) {
        let (current, changed) = &*self.shared;
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != watched {
            *current = watched;
            changed.notify_all();
        }
    }

    /// What is to be watched now.
    pub fn now(&self) -> Watched {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until what is to be watched is so.
    pub fn until(&self, is_so: impl Fn(&Watched) -> bool) -> Watched {
        let (current, changed) = &*self.shared;
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        changed.wait_while(current, |watched| !is_so(watched)).unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sleeps so long, or until `before` is not what is to be watched any more.
    pub fn sleep(&self, time: Duration, before: &Watched) {
        let (current, changed) = &*self.shared;
        let current = current.lock().unwrap_or_else(PoisonError::into_inner);
        // The guard of the lock is what it gives back; nothing is to be read.
        let _ = changed.wait_timeout_while(current, time, |watched| watched == before);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn who_sleeps_or_waits_is_woken_by_a_change() {
        let watch = Watch::default();
        let before = watch.now();
        let busy = Watched { at_work: true, ..before.clone() };
        let began = Instant::now();
        let sleeper = std::thread::spawn({
            let (watch, before) = (watch.clone(), before.clone());
            move || watch.sleep(LONG, &before)
        });
        let waiter = std::thread::spawn({
            let watch = watch.clone();
            move || watch.until(|watched| watched.at_work)
        });
        watch.tell(busy.clone());
        sleeper.join().unwrap();
        assert_eq!(waiter.join().unwrap(), busy);
        // What has changed before is not slept over.
        watch.sleep(LONG, &before);
        assert!(began.elapsed() < LONG);
    }
}
