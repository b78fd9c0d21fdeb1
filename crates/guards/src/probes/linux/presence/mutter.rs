//! What GNOME's compositor tells on the session's message bus: since when nothing was touched, whenever it is asked.

use std::time::Duration;

use zbus::blocking::{Connection, Proxy, connection};
use zbus::proxy::{CacheProperties, MethodFlags};

use super::{Seat, SeatError};

const MONITOR: &str = "org.gnome.Mutter.IdleMonitor";
const MONITOR_PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";

/// A connection to it.
pub(super) struct Mutter {
    monitor: Proxy<'static>,
}

impl Mutter {
    /// On the bus of this session, if it is there.
    pub fn of_session() -> zbus::Result<Option<Self>> {
        Self::on(&connection::Builder::session()?.build()?)
    }

    fn on(bus: &Connection) -> zbus::Result<Option<Self>> {
        let monitor = zbus::blocking::proxy::Builder::<Proxy<'_>>::new(bus)
            .destination(MONITOR)?
            .path(MONITOR_PATH)?
            .interface(MONITOR)?
            .cache_properties(CacheProperties::No)
            .build()?;
        let mutter = Self { monitor };
        match mutter.ask_quiet_for() {
            Ok(_) => Ok(Some(mutter)),
            Err(zbus::Error::MethodError(..)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn ask_quiet_for(&self) -> zbus::Result<Duration> {
        let told = self.monitor.call_with_flags("GetIdletime", MethodFlags::NoAutoStart.into(), &())?;
        Ok(Duration::from_millis(told.unwrap_or_default()))
    }
}

impl Seat for Mutter {
    type Error = SeatError;

    fn quiet_for(&mut self) -> Result<Duration, SeatError> {
        Ok(self.ask_quiet_for()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use lull_testkit::bus::Bus;

    use super::super::{Place, presence};
    use super::*;
    use crate::probes::presence::tests::{SHORT, is_here, is_quiet, now, watch};
    use crate::probes::told_by;

    /// What Mutter tells, told by a test: when something was touched last.
    struct Monitor(Arc<Mutex<Instant>>);

    #[zbus::interface(name = "org.gnome.Mutter.IdleMonitor")]
    impl Monitor {
        fn get_idletime(&self) -> u64 {
            self.0.lock().unwrap().elapsed().as_millis().try_into().unwrap()
        }
    }

    #[test]
    fn gnome_is_asked() {
        let bus = Bus::start().unwrap();
        let client = connection::Builder::address(bus.address()).unwrap().build().unwrap();
        assert!(Mutter::on(&client).unwrap().is_none(), "another desktop's bus");
        let touched = Arc::new(Mutex::new(Instant::now()));
        let server = connection::Builder::address(bus.address()).unwrap();
        let server = server.serve_at(MONITOR_PATH, Monitor(touched.clone())).unwrap().name(MONITOR).unwrap();
        let _server = server.build().unwrap();
        let touch = || *touched.lock().unwrap() = Instant::now();
        let mutter = Mutter::on(&client).unwrap().unwrap();
        let mut probe = presence(Place::X(String::new()));
        probe.intervals = SHORT;
        probe.seat = Some(Box::new(mutter));
        touch();
        let told = told_by(probe, &watch());
        is_here(&told);
        let from = now();
        touch();
        is_quiet(&told, [from, now()]);
        touch();
        is_here(&told);
    }
}
