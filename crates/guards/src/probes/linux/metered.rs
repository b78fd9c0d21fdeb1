//! Whether the connection costs by what is sent, as
//! [NetworkManager](https://networkmanager.dev/docs/api/latest/gdbus-org.freedesktop.NetworkManager.html) tells on the
//! system's message bus. It tells by itself when that changes, so that nothing is done meanwhile.
//!
//! Many machines have no NetworkManager. Then nothing is told, the guard counts as not watched, and no person is bothered;
//! should it be started later, it is heard.

use std::collections::HashMap;
use std::path::Path;

use lull_types::Guard;
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, MessageIterator, Proxy, connection};
use zbus::names::BusName;
use zbus::proxy::{CacheProperties, MethodFlags};
use zbus::zvariant::{OwnedValue, Value};
use zbus::{MatchRule, Message, message};

use crate::{Observation, Probe, ProbeError, Watch};

/// Where the system's bus is, if nobody says otherwise.
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
const SYSTEM_BUS_VARIABLE: &str = "DBUS_SYSTEM_BUS_ADDRESS";

const MANAGER: &str = "org.freedesktop.NetworkManager";
const MANAGER_PATH: &str = "/org/freedesktop/NetworkManager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const PROPERTY: &str = "Metered";

/// `NMMetered`: somebody has said so.
const YES: u32 = 1;
/// `NMMetered`: the network says so, as a telephone's does.
const GUESS_YES: u32 = 3;

/// The probe.
pub(super) struct Metered {
    address: String,
    bus: Option<Bus>,
    told: Option<bool>,
}

/// A connection to a bus.
struct Bus {
    connection: Connection,
    /// What comes from it. It is read again and again: the connection stands still when too much of it is not.
    messages: MessageIterator,
}

impl Metered {
    /// By the system's bus, if it has one.
    pub fn by_system() -> Option<Self> {
        let address = std::env::var(SYSTEM_BUS_VARIABLE).ok().filter(|address| !address.is_empty());
        let usual = || Path::new(SYSTEM_BUS).exists().then(|| format!("unix:path={SYSTEM_BUS}"));
        address.or_else(usual).map(Self::by)
    }

    fn by(address: String) -> Self {
        Self { address, bus: None, told: None }
    }

    fn watch(&mut self) -> zbus::Result<bool> {
        let mut changed = self.bus.is_none();
        let bus = match &mut self.bus {
            Some(bus) => bus,
            none => none.insert(Bus::open(&self.address)?),
        };
        loop {
            if changed {
                let found = bus.read()?;
                // One that has gone keeps nothing waiting; one that never was tells nothing.
                let metered = found.or(self.told.map(|_| false));
                if let Some(metered) = metered
                    && self.told != Some(metered)
                {
                    self.told = Some(metered);
                    return Ok(metered);
                }
            }
            changed = bus.wait()?;
        }
    }
}

impl Probe for Metered {
    fn guard(&self) -> Guard {
        Guard::Metered
    }

    fn next(&mut self, _watch: &Watch) -> Result<Observation, ProbeError> {
        self.watch().map(Observation::Metered).map_err(|error| {
            // The next question begins with a new connection, and tells what it finds whatever was told before.
            self.bus = None;
            self.told = None;
            ProbeError::new("whether the connection is metered", error)
        })
    }
}

impl Bus {
    fn open(address: &str) -> zbus::Result<Self> {
        let connection = connection::Builder::address(address)?.build()?;
        let messages = MessageIterator::from(&connection);
        let bus = DBusProxy::new(&connection)?;
        let signal = || MatchRule::builder().msg_type(message::Type::Signal);
        let changes = signal().sender(MANAGER)?.path(MANAGER_PATH)?.interface(PROPERTIES)?.arg(0, MANAGER)?;
        bus.add_match_rule(changes.build())?;
        let owners =
            signal().interface("org.freedesktop.DBus")?.member("NameOwnerChanged")?.arg(0, MANAGER)?;
        bus.add_match_rule(owners.build())?;
        drop(bus);
        Ok(Self { connection, messages })
    }

    /// What NetworkManager tells now; `None` where there is none.
    fn read(&self) -> zbus::Result<Option<bool>> {
        let bus = DBusProxy::new(&self.connection)?;
        if !bus.name_has_owner(BusName::try_from(MANAGER)?)? {
            return Ok(None);
        }
        let manager = zbus::blocking::proxy::Builder::<Proxy<'_>>::new(&self.connection)
            .destination(MANAGER)?
            .path(MANAGER_PATH)?
            .interface(PROPERTIES)?
            .cache_properties(CacheProperties::No)
            .build()?;
        // Who only asks does not start it.
        let told = manager.call_with_flags("Get", MethodFlags::NoAutoStart.into(), &(MANAGER, PROPERTY));
        let told: Option<OwnedValue> = match told {
            // It has gone in between, or is one that is older than metered connections.
            Err(zbus::Error::MethodError(..)) => return Ok(None),
            told => told?,
        };
        let level = told.and_then(|value| u32::try_from(value).ok());
        Ok(level.map(|level| level == YES || level == GUESS_YES))
    }

    /// Waits for a message; whether it tells of a change.
    fn wait(&mut self) -> zbus::Result<bool> {
        match self.messages.next() {
            Some(message) => Ok(is_change(&message?)),
            None => {
                Err(zbus::Error::InputOutput(std::sync::Arc::new(std::io::ErrorKind::UnexpectedEof.into())))
            }
        }
    }
}

/// Whether NetworkManager says that what is metered has changed, or has come or gone itself.
fn is_change(message: &Message) -> bool {
    if message.message_type() != message::Type::Signal {
        return false;
    }
    let header = message.header();
    match header.member().map(|member| member.as_str()) {
        Some("NameOwnerChanged") => true,
        Some("PropertiesChanged") => {
            let body = message.body();
            let told = body.deserialize::<(&str, HashMap<&str, Value<'_>>, Vec<&str>)>();
            told.is_ok_and(|(of, values, names)| {
                of == MANAGER && (values.contains_key(PROPERTY) || names.contains(&PROPERTY))
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::time::Duration;

    use lull_testkit::bus;

    use super::*;

    /// Bound on what takes milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    const SILENCE: Duration = Duration::from_millis(300);

    const NO: u32 = 2;
    const GUESS_NO: u32 = 4;

    /// What NetworkManager tells, told by a test.
    struct Manager {
        connection: Connection,
        metered: Arc<AtomicU32>,
    }

    struct Interface(Arc<AtomicU32>);

    #[zbus::interface(name = "org.freedesktop.NetworkManager")]
    impl Interface {
        #[zbus(property)]
        fn metered(&self) -> u32 {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Manager {
        fn start(bus: &bus::Bus, metered: u32) -> Self {
            let metered = Arc::new(AtomicU32::new(metered));
            let connection = connection::Builder::address(bus.address())
                .unwrap()
                .serve_at(MANAGER_PATH, Interface(metered.clone()))
                .unwrap()
                .name(MANAGER)
                .unwrap()
                .build()
                .unwrap();
            Self { connection, metered }
        }

        fn changes(&self, property: &str, value: u32) {
            let changed = HashMap::from([(property, Value::from(value))]);
            let body = (MANAGER, changed, Vec::<&str>::new());
            self.connection
                .emit_signal(None::<BusName<'_>>, MANAGER_PATH, PROPERTIES, "PropertiesChanged", &body)
                .unwrap();
        }

        fn metered(&self, metered: u32) {
            self.metered.store(metered, Ordering::SeqCst);
            self.changes(PROPERTY, metered);
        }
    }

    fn told_by(bus: &bus::Bus) -> Receiver<Result<Observation, ProbeError>> {
        let (tell, told) = channel();
        let mut probe = Metered::by(bus.address().to_owned());
        std::thread::spawn(move || {
            loop {
                let seen = probe.next(&Watch::default());
                let failed = seen.is_err();
                if tell.send(seen).is_err() || failed {
                    break;
                }
            }
        });
        told
    }

    #[track_caller]
    fn tells(told: &Receiver<Result<Observation, ProbeError>>, metered: bool) {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok(Observation::Metered(metered))));
    }

    #[track_caller]
    fn tells_nothing(told: &Receiver<Result<Observation, ProbeError>>) {
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn a_connection_that_becomes_metered_is_told_once() {
        let bus = bus::Bus::start().unwrap();
        let manager = Manager::start(&bus, NO);
        let told = told_by(&bus);
        tells(&told, false);
        manager.metered(YES);
        tells(&told, true);
        manager.metered(GUESS_YES);
        tells_nothing(&told);
        for (metered, expected) in [(GUESS_NO, false), (GUESS_YES, true), (0, false)] {
            manager.metered(metered);
            tells(&told, expected);
        }
        // What else it tells of is no reason to ask.
        manager.metered.store(YES, Ordering::SeqCst);
        for _ in 0..200 {
            manager.changes("State", 70);
        }
        tells_nothing(&told);
        manager.metered(YES);
        tells(&told, true);
    }

    #[test]
    fn a_machine_without_it_tells_nothing_until_it_is_there() {
        let bus = bus::Bus::start().unwrap();
        let told = told_by(&bus);
        tells_nothing(&told);
        let manager = Manager::start(&bus, YES);
        tells(&told, true);
        // One that goes keeps nobody waiting; an update starts it again.
        drop(manager);
        tells(&told, false);
        let _manager = Manager::start(&bus, GUESS_YES);
        tells(&told, true);
    }

    #[test]
    fn a_bus_that_goes_is_an_error_and_not_metered() {
        let bus = bus::Bus::start().unwrap();
        let _manager = Manager::start(&bus, YES);
        let told = told_by(&bus);
        tells(&told, true);
        drop(bus);
        let error = told.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(error.to_string().contains("whether the connection is metered"), "{error}");
        let nowhere = Metered::by("unix:path=/nowhere".to_owned()).next(&Watch::default());
        assert!(nowhere.is_err());
    }
}
