//! Which other program works the GPU, by what its driver publishes of each client: `probes::apple::gpu`. On Apple's chips
//! that is told to everybody and of all users' processes. A Mac with several GPUs does not say which of them a client uses
//! by the names that devices have here, so that what uses one counts for each.
//!
//! Memory is the system's on Apple's chips, and never short by itself.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::time::Duration;

use lull_types::DeviceInfo;
use objc2_core_foundation::{CFDictionary, CFString, Type as _};
use objc2_io_kit::{
    IOIteratorNext, IOObjectRelease, IORegistryEntryCreateCFProperty, IORegistryEntryGetChildIterator,
    IORegistryEntryGetRegistryEntryID, IOServiceGetMatchingServices, IOServiceMatching, io_iterator_t,
    io_object_t, kIOServicePlane,
};

use super::foundation::value;
use super::processes::People;
use crate::gpu_use::{Device, Failure, Reading, Readings, Rounds};
use crate::probes::apple::Value;
use crate::probes::apple::gpu::{Client, Loads};

/// The class of all GPUs' drivers.
const ACCELERATOR: &CStr = c"IOAccelerator";

/// `kIOMainPortDefault`, which systems before macOS 12 know by another name: no port in particular.
const ANY_PORT: u32 = 0;

/// So long is the name of a plane of the registry, `io_name_t`.
const NAME_BYTES: usize = 128;

/// The probe.
pub(super) type GpuUsers = Rounds<Clients>;

/// Who tells of devices: the registry of the kernel's drivers.
#[derive(Debug)]
pub(super) struct Clients {
    people: People,
    loads: Loads,
}

impl Clients {
    pub fn new() -> Self {
        Self { people: People::new(std::process::id()), loads: Loads::default() }
    }
}

impl Readings for Clients {
    /// All of a Mac's devices are looked at together.
    type Address = ();
    type Kept = ();

    fn address(_info: &DeviceInfo) -> Option<()> {
        Some(())
    }

    fn keep(&mut self, _info: &DeviceInfo, (): ()) {}

    fn read(
        &mut self,
        devices: &mut BTreeMap<u32, Device<()>>,
        _at_work: bool,
        now: Duration,
    ) -> Vec<(u32, Result<Reading, Failure>)> {
        self.people.set_time(now);
        let clients = clients();
        // The window server is always one, so that without any nothing is told.
        let reading = if clients.is_empty() {
            let why = "this Mac's GPU does not tell by whom it is used".to_owned();
            Err(Failure { why, is_final: false })
        } else {
            let processes = self.loads.uses(&clients, now, &mut self.people);
            Ok(Reading { at: now, processes, memory: None })
        };
        devices.keys().map(|index| (*index, reading.clone())).collect()
    }

    fn lost(&mut self, (): &mut ()) {
        self.loads.forget();
    }

    fn close(&mut self) {
        self.loads.forget();
    }
}

/// An object of the registry, which is given back when it is not needed any more.
#[derive(Debug)]
struct Object(io_object_t);

impl Drop for Object {
    fn drop(&mut self) {
        IOObjectRelease(self.0);
    }
}

/// A list of objects.
struct Objects(Object);

impl Iterator for Objects {
    type Item = Object;

    fn next(&mut self) -> Option<Object> {
        // Nothing is the end, and of a list that changed meanwhile the rest, which the next look sees.
        Some(IOIteratorNext(self.0.0)).filter(|object| *object != 0).map(Object)
    }
}

/// All connections to GPUs. They are no services that could be found by their class, but children of the drivers.
fn clients() -> Vec<Client> {
    let children = accelerators().filter_map(|accelerator| children(&accelerator)).flatten();
    children.filter_map(|child| client(&child)).collect()
}

fn accelerators() -> impl Iterator<Item = Object> {
    let mut found: io_iterator_t = 0;
    #[allow(unsafe_code, reason = "drivers are only told by IOKit")]
    // SAFETY: the name ends with a zero, and the pointer is to a number of the type that is filled in; both live through the
    // calls. What is looked for is given away with a count of its own.
    let error = unsafe {
        let drivers = IOServiceMatching(ACCELERATOR.as_ptr());
        let drivers = drivers.as_deref().map(|drivers| CFDictionary::retain(drivers));
        IOServiceGetMatchingServices(ANY_PORT, drivers, &raw mut found)
    };
    (error == 0).then(|| Objects(Object(found))).into_iter().flatten()
}

fn children(of: &Object) -> Option<Objects> {
    let mut found: io_iterator_t = 0;
    let mut plane: [c_char; NAME_BYTES] = [0; NAME_BYTES];
    for (to, from) in plane.iter_mut().zip(kIOServicePlane.to_bytes()) {
        *to = from.cast_signed();
    }
    #[allow(unsafe_code, reason = "drivers' clients are only told by IOKit")]
    // SAFETY: the object is held, the name of the plane is as long as all are, with a zero at its end, and the other pointer
    // is to a number of the type that is filled in; all live through the call.
    let error = unsafe { IORegistryEntryGetChildIterator(of.0, &raw mut plane, &raw mut found) };
    (error == 0).then(|| Objects(Object(found)))
}

fn client(object: &Object) -> Option<Client> {
    let mut id = 0;
    #[allow(unsafe_code, reason = "drivers' clients are only told by IOKit")]
    // SAFETY: the object is held, and the pointer is to a number of the type that is filled in, which lives through the call.
    let error = unsafe { IORegistryEntryGetRegistryEntryID(object.0, &raw mut id) };
    if error != 0 {
        return None;
    }
    Client::of(id, |name| property(object, name))
}

fn property(object: &Object, name: &'static str) -> Option<Value> {
    let name = CFString::from_static_str(name);
    #[allow(unsafe_code, reason = "what drivers publish is only told by IOKit")]
    // SAFETY: the object is held, and the name lives through the call.
    let property = unsafe { IORegistryEntryCreateCFProperty(object.0, Some(&name), None, 0) };
    property.map(|property| value(&property))
}
