//! What Linux' drivers tell of their clients in `/proc/<pid>/fdinfo/<fd>`, after the kernel's
//! [DRM client usage stats](https://docs.kernel.org/gpu/drm-usage-stats.html).
//!
//! It is lines of `key: value`. Engine times are told in nanoseconds (amdgpu, i915) or in cycles of the GPU's own clock (xe),
//! and always since the client was opened, so that a load is a difference between two texts.
//!
//! Not read is what amdgpu told before Linux 5.19, which were averages since the client was opened.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The longest text that is read: those of today's drivers are below 3 KiB.
pub const TEXT_BYTES_MAX: usize = 16 << 10;

/// Engine classes and regions of memory that are read of one client. Drivers have up to ten.
const KEYS_MAX: usize = 32;

/// The longest name of either.
const NAME_BYTES_MAX: usize = 64;

/// Which client of which device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId {
    /// The device's PCI address, in lower case. Clients of others, such as those of phones, do not matter here.
    pub pci_bus_id: String,
    /// The client's number, the same for all descriptors of one client.
    pub client: u64,
}

/// One client of a driver: an open device file, which several descriptors and processes can share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Which.
    pub id: ClientId,
    /// Its engine classes by name.
    pub engines: BTreeMap<String, Engine>,
    /// What it needs of the device's own memory; `None` where the driver tells of none.
    pub memory_bytes: Option<u64>,
}

/// What a class of engines did for a client since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// For how long it worked, over all engines of the class.
    pub busy: Busy,
    /// How many engines of the class there are; one at least.
    pub capacity: u64,
}

/// For how long a class of engines worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// In nanoseconds.
    Nanoseconds(u64),
    /// In cycles of a clock of the device.
    Cycles {
        /// In which it worked.
        busy: u64,
        /// That went by.
        total: u64,
    },
}

impl Engine {
    /// The share of the time since `before` in which it worked, 0 to 1, and what to compare with next.
    fn since(&self, before: &Self, elapsed: Duration) -> (f64, Self) {
        // A counter may go back for a moment; the kernel asks to stay with what was larger until it has caught up.
        let (worked, time, busy) = match (self.busy, before.busy) {
            (Busy::Nanoseconds(now), Busy::Nanoseconds(then)) => {
                (now.saturating_sub(then) as f64, elapsed.as_nanos() as f64, Busy::Nanoseconds(now.max(then)))
            }
            (Busy::Cycles { busy: now, total }, Busy::Cycles { busy: then, total: total_then }) => (
                now.saturating_sub(then) as f64,
                total.saturating_sub(total_then) as f64,
                Busy::Cycles { busy: now.max(then), total },
            ),
            (now, _) => (0.0, 0.0, now),
        };
        let share = if time > 0.0 { worked / time / self.capacity as f64 } else { 0.0 };
        (share.clamp(0.0, 1.0), Self { busy, ..*self })
    }
}

/// Reads a text. `None` where it is none of a client of a driver for a PCI device. Whatever else it says is left out, and so is
/// what makes no sense; a text of any bytes can be read.
pub fn parse(text: &[u8]) -> Option<Client> {
    let text = &text[..text.len().min(TEXT_BYTES_MAX)];
    let mut raw = Raw::default();
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        if let Some((key, value)) = line.split_once(':') {
            raw.take(key.trim(), value.trim());
        }
    }
    let id = ClientId { pci_bus_id: raw.pci_bus_id?, client: raw.client? };
    let mut engines = BTreeMap::new();
    for (name, engine) in raw.engines {
        let busy = match engine {
            RawEngine { cycles: Some(busy), total_cycles: Some(total), .. } => Busy::Cycles { busy, total },
            RawEngine { nanoseconds: Some(nanoseconds), .. } => Busy::Nanoseconds(nanoseconds),
            _ => continue,
        };
        engines.insert(name, Engine { busy, capacity: engine.capacity.unwrap_or(1).max(1) });
    }
    let of_device = raw.regions.into_iter().filter(|(name, _)| is_of_the_device(name));
    let resident = of_device
        .filter_map(|(_, region)| region.resident.or(region.total))
        .fold(None, |sum: Option<u64>, bytes| Some(sum.unwrap_or(0).saturating_add(bytes)));
    // What a client has asked for and has lost to others is what it waits for.
    let memory_bytes = resident.max(raw.requested_bytes);
    Some(Client { id, engines, memory_bytes })
}

/// Whether a region of memory is the device's own: `vram` of amdgpu, `vram0`, … of xe, `local0`, … of i915. What begins
/// with `stolen` is a part of another, or of the system's memory.
fn is_of_the_device(region: &str) -> bool {
    region.starts_with("vram") || region.starts_with("local")
}

#[derive(Default)]
struct Raw {
    pci_bus_id: Option<String>,
    client: Option<u64>,
    engines: BTreeMap<String, RawEngine>,
    regions: BTreeMap<String, RawRegion>,
    requested_bytes: Option<u64>,
}

#[derive(Default)]
struct RawEngine {
    nanoseconds: Option<u64>,
    cycles: Option<u64>,
    total_cycles: Option<u64>,
    capacity: Option<u64>,
}

#[derive(Default)]
struct RawRegion {
    resident: Option<u64>,
    total: Option<u64>,
}

impl Raw {
    fn take(&mut self, key: &str, value: &str) {
        if key == "amd-requested-vram" {
            self.requested_bytes = bytes(value);
            return;
        }
        let Some(key) = key.strip_prefix("drm-") else { return };
        if key == "pdev" {
            self.pci_bus_id = super::pci_bus_id(value);
        } else if key == "client-id" {
            self.client = value.parse().ok();
        } else if let Some(name) = key.strip_prefix("engine-capacity-") {
            if let Some(engine) = entry(&mut self.engines, name) {
                engine.capacity = value.parse().ok();
            }
        } else if let Some(name) = key.strip_prefix("engine-") {
            let nanoseconds = value.strip_suffix("ns").and_then(|number| number.trim_end().parse().ok());
            if let Some(engine) = entry(&mut self.engines, name) {
                engine.nanoseconds = nanoseconds;
            }
        } else if let Some(name) = key.strip_prefix("cycles-") {
            if let Some(engine) = entry(&mut self.engines, name) {
                engine.cycles = value.parse().ok();
            }
        } else if let Some(name) = key.strip_prefix("total-cycles-") {
            if let Some(engine) = entry(&mut self.engines, name) {
                engine.total_cycles = value.parse().ok();
            }
        } else if let Some(name) = key.strip_prefix("resident-").or_else(|| key.strip_prefix("memory-")) {
            // Two names of one figure; where both are told they are the same.
            if let Some(region) = entry(&mut self.regions, name) {
                region.resident = region.resident.max(bytes(value));
            }
        } else if let Some(name) = key.strip_prefix("total-")
            && let Some(region) = entry(&mut self.regions, name)
        {
            region.total = bytes(value);
        }
    }
}

fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> Option<&'a mut T> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || (map.len() >= KEYS_MAX && !map.contains_key(name)) {
        return None;
    }
    Some(map.entry(name.to_owned()).or_default())
}

/// An amount of memory; without a unit it is in bytes.
fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let unit_bytes = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()?.saturating_mul(unit_bytes))
}

/// Clients as they were last read, to compare with.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    before: HashMap<ClientId, Before>,
}

#[derive(Clone, Debug)]
struct Before {
    at: Duration,
    engines: BTreeMap<String, Engine>,
}

impl Clients {
    /// The share of the time since this client was last read in which each class of engines worked for it, 0 to 1, with the
    /// class's name; `None` where it was not read before.
    pub fn shares(&mut self, client: &Client, at: Duration) -> Option<Vec<(String, f64)>> {
        let Some(before) = self.before.get_mut(&client.id) else {
            let engines = client.engines.clone();
            self.before.insert(client.id.clone(), Before { at, engines });
            return None;
        };
        let elapsed = at.saturating_sub(before.at);
        let mut shares = Vec::with_capacity(client.engines.len());
        for (name, engine) in &client.engines {
            // A class is first told of when it first works.
            let unused = Engine {
                busy: match engine.busy {
                    Busy::Nanoseconds(_) => Busy::Nanoseconds(0),
                    now @ Busy::Cycles { .. } => now,
                },
                ..*engine
            };
            let (share, next) = engine.since(before.engines.get(name).unwrap_or(&unused), elapsed);
            shares.push((name.clone(), share));
            before.engines.insert(name.clone(), next);
        }
        before.at = at;
        Some(shares)
    }

    /// Forgets clients that are gone, and those whose last reading is too old to compare with.
    pub fn keep_read_since(&mut self, instant: Duration) {
        self.before.retain(|_, before| before.at >= instant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No text here was recorded by us. This one has the keys and the layout of `amdgpu_show_fdinfo` in Linux 6.8, with figures
    /// after those that a user of amdgpu_top reports (<https://github.com/Umio-Yasuno/amdgpu_top/issues/87>).
    const AMDGPU: &str = "pos:\t0\nflags:\t02104002\nmnt_id:\t24\nino:\t614\npasid:\t32784\n\
        drm-driver:\tamdgpu\ndrm-pdev:\t0000:08:00.0\ndrm-client-id:\t217\n\
        drm-memory-vram:\t2068 KiB\ndrm-memory-gtt: \t8192 KiB\ndrm-memory-cpu: \t0 KiB\n\
        amd-memory-visible-vram:\t2068 KiB\namd-evicted-vram:\t1024 KiB\namd-evicted-visible-vram:\t0 KiB\n\
        amd-requested-vram:\t3092 KiB\namd-requested-visible-vram:\t0 KiB\namd-requested-gtt:\t8192 KiB\n\
        drm-engine-gfx:\t107322799 ns\ndrm-engine-compute:\t5000 ns\n";

    /// After `drm_show_memory_stats` and `show_client_class` of i915, and its documentation's classes; of a card with memory of
    /// its own.
    const I915: &str = "pos:\t0\nflags:\t02100002\nmnt_id:\t27\nino:\t911\n\
        drm-driver:\ti915\ndrm-client-id:\t2704\ndrm-pdev:\t0000:03:00.0\n\
        drm-total-system0:\t8012 KiB\ndrm-shared-system0:\t0\ndrm-active-system0:\t0\ndrm-resident-system0:\t520 KiB\n\
        drm-purgeable-system0:\t0\ndrm-total-local0:\t40 MiB\ndrm-shared-local0:\t32 MiB\ndrm-active-local0:\t0\n\
        drm-resident-local0:\t36864 KiB\ndrm-purgeable-local0:\t0\ndrm-total-stolen-local0:\t64 KiB\n\
        drm-resident-stolen-local0:\t64 KiB\n\
        drm-engine-render:\t51781489656 ns\ndrm-engine-copy:\t82420 ns\ndrm-engine-video:\t0 ns\n\
        drm-engine-capacity-video:\t2\ndrm-engine-video-enhance:\t0 ns\ndrm-engine-capacity-video-enhance:\t2\n";

    /// After the example in xe's documentation (`DOC: DRM Client usage stats` in `xe_drm_client.c`).
    const XE: &str = "pos:\t0\nflags:\t0100002\nmnt_id:\t26\nino:\t685\n\
        drm-driver:\txe\ndrm-client-id:\t3\ndrm-pdev:\t0000:03:00.0\n\
        drm-total-system:\t0\ndrm-resident-system:\t0\ndrm-total-gtt:\t192 KiB\ndrm-resident-gtt:\t192 KiB\n\
        drm-total-vram0:\t24 MiB\ndrm-shared-vram0:\t16 MiB\ndrm-active-vram0:\t0\ndrm-resident-vram0:\t23992 KiB\n\
        drm-total-stolen:\t0\ndrm-resident-stolen:\t0\n\
        drm-cycles-rcs:\t28257900\ndrm-total-cycles-rcs:\t7655183225\n\
        drm-cycles-bcs:\t0\ndrm-total-cycles-bcs:\t7655183225\n\
        drm-cycles-ccs:\t1000\ndrm-total-cycles-ccs:\t7655183225\ndrm-engine-capacity-ccs:\t4\n";

    fn nanoseconds(nanoseconds: u64, capacity: u64) -> Engine {
        Engine { busy: Busy::Nanoseconds(nanoseconds), capacity }
    }

    fn cycles(busy: u64, total: u64, capacity: u64) -> Engine {
        Engine { busy: Busy::Cycles { busy, total }, capacity }
    }

    fn client(bus: &str, client: u64, engines: &[(&str, Engine)], memory_bytes: Option<u64>) -> Client {
        let engines = engines.iter().map(|(name, engine)| ((*name).to_owned(), *engine)).collect();
        Client { id: ClientId { pci_bus_id: bus.to_owned(), client }, engines, memory_bytes }
    }

    #[test]
    fn texts_of_each_driver_are_read() {
        let check = |text: &str, expected: Client| assert_eq!(parse(text.as_bytes()), Some(expected));
        // 1 MiB of what it asked for was taken from it.
        let engines = [("compute", nanoseconds(5000, 1)), ("gfx", nanoseconds(107_322_799, 1))];
        check(AMDGPU, client("0000:08:00.0", 217, &engines, Some(3092 << 10)));
        let engines = [
            ("render", nanoseconds(51_781_489_656, 1)),
            ("copy", nanoseconds(82_420, 1)),
            ("video", nanoseconds(0, 2)),
            ("video-enhance", nanoseconds(0, 2)),
        ];
        check(I915, client("0000:03:00.0", 2704, &engines, Some(36 << 20)));
        let total = 7_655_183_225;
        let engines = [
            ("rcs", cycles(28_257_900, total, 1)),
            ("bcs", cycles(0, total, 1)),
            ("ccs", cycles(1000, total, 4)),
        ];
        check(XE, client("0000:03:00.0", 3, &engines, Some(23_992 << 10)));
    }

    #[test]
    fn what_is_no_client_of_a_pci_device_is_none() {
        for text in [
            "",
            "pos:\t0\nflags:\t02\nmnt_id:\t16\nino:\t1234\n",
            "drm-driver:\tpanfrost\ndrm-client-id:\t3\ndrm-engine-fragment:\t5 ns\n",
            "drm-driver:\ti915\ndrm-pdev:\t0000:03:00.0\n",
            "drm-pdev:\t../../x\ndrm-client-id:\t3\n",
            "drm-pdev:\t0000:03:00.0\ndrm-client-id:\t-3\n",
            "drm-pdev:\t0000:03:00.0\ndrm-client-id:\t99999999999999999999\n",
            "\0\0\0",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(&[0xff; 100_000]), None);
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_nothing_else_is() {
        let check = |lines: &str, engines: &[(&str, Engine)], memory: Option<u64>| {
            let text = format!("drm-pdev: 0000:0A:00.0 \n{lines}\ndrm-client-id: 1");
            assert_eq!(parse(text.as_bytes()), Some(client("0000:0a:00.0", 1, engines, memory)), "{lines}");
        };
        check("drm-engine-gfx: 1", &[], None);
        check("drm-engine-gfx: x ns", &[], None);
        check("drm-engine-: 1 ns\ndrm-engine-gfx: 2ns", &[("gfx", nanoseconds(2, 1))], None);
        check("drm-engine-gfx: 1 ns\ndrm-engine-capacity-gfx: 0", &[("gfx", nanoseconds(1, 1))], None);
        check("drm-engine-capacity-gfx: 4", &[], None);
        check("drm-cycles-rcs: 5", &[], None);
        check("drm-total-cycles-rcs: 5\ndrm-total-vram0: 5 MiB", &[], Some(5 << 20));
        check("drm-memory-vram: 7\ndrm-resident-vram: 7\ndrm-total-vram: 900 KiB", &[], Some(7));
        check("drm-resident-vram0: 1 KiB\ndrm-resident-vram1: 2 KiB", &[], Some(3 << 10));
        check("drm-resident-system0: 1 KiB\ndrm-resident-gtt: 3\ndrm-memory-cpu: 3", &[], None);
        check("drm-resident-vram0: 18446744073709551615 GiB\ndrm-resident-vram1: 1", &[], Some(u64::MAX));
        check("drm-resident-vram0: 5 furlongs\ndrm-memory-vram0: -1 KiB", &[], None);
        check(
            "drm-client-name: a:b:c\n::\n:\ndrm-\ndrm-engine-\u{fc}: 3 ns",
            &[("\u{fc}", nanoseconds(3, 1))],
            None,
        );
        check(&format!("drm-engine-{}: 3 ns", "x".repeat(65)), &[], None);
    }

    #[test]
    fn no_text_makes_it_hold_much() {
        let mut text = "drm-pdev: 0000:03:00.0\ndrm-client-id: 1\n".to_owned();
        for n in 0..1000 {
            text.push_str(&format!("drm-engine-{n}: 3 ns\n"));
        }
        assert_eq!(parse(text.as_bytes()).unwrap().engines.len(), KEYS_MAX);
        let far = format!("{}\ndrm-pdev: 0000:03:00.0\ndrm-client-id: 1\n", " ".repeat(TEXT_BYTES_MAX));
        assert_eq!(parse(far.as_bytes()), None);
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Two readings of one client, so far apart.
    fn shares(first: &[(&str, Engine)], then: &[(&str, Engine)], apart: Duration) -> Vec<(String, f64)> {
        let mut clients = Clients::default();
        assert_eq!(
            clients.shares(&client("0000:03:00.0", 1, first, None), SECOND),
            None,
            "seen for the first time"
        );
        clients.shares(&client("0000:03:00.0", 1, then, None), SECOND + apart).unwrap()
    }

    #[test]
    fn a_load_is_what_an_engine_worked_of_the_time_that_went_by() {
        let check = |first: Engine, then: Engine, apart: Duration, expected: f64| {
            assert_eq!(shares(&[("gfx", first)], &[("gfx", then)], apart), [("gfx".to_owned(), expected)]);
        };
        let ns = nanoseconds;
        check(ns(5_000_000_000, 1), ns(5_250_000_000, 1), SECOND, 0.25);
        check(ns(5_000_000_000, 1), ns(5_750_000_000, 1), 3 * SECOND, 0.25);
        check(ns(0, 4), ns(2_000_000_000, 4), SECOND, 0.5);
        check(cycles(100, 5_000, 1), cycles(350, 6_000, 1), SECOND, 0.25);
        check(cycles(100, 5_000, 2), cycles(600, 6_000, 2), 7 * SECOND, 0.25);
        // More than all, a clock that stands or goes back, and a driver that counts in something else now.
        check(ns(0, 1), ns(u64::MAX, 1), SECOND, 1.0);
        check(ns(0, 1), ns(5, 1), Duration::ZERO, 0.0);
        check(ns(9, 1), ns(5, 1), SECOND, 0.0);
        check(cycles(0, 100, 1), cycles(5, 100, 1), SECOND, 0.0);
        check(cycles(0, 100, 1), cycles(5, 50, 1), SECOND, 0.0);
        check(ns(0, 1), cycles(5, 50, 1), SECOND, 0.0);
    }

    #[test]
    fn an_engine_that_is_new_has_worked_since_the_reading_before() {
        let fresh =
            shares(&[], &[("gfx", nanoseconds(250_000_000, 1)), ("rcs", cycles(900, 1000, 1))], SECOND);
        assert_eq!(fresh, [("gfx".to_owned(), 0.25), ("rcs".to_owned(), 0.0)]);
    }

    #[test]
    fn a_counter_that_goes_back_counts_again_when_it_has_caught_up() {
        let mut clients = Clients::default();
        let mut share = |seconds: u32, busy: u64| {
            let client = client("0000:03:00.0", 1, &[("gfx", nanoseconds(busy, 1))], None);
            clients.shares(&client, SECOND * seconds).map(|shares| shares[0].1)
        };
        assert_eq!(share(0, 8_000_000_000), None);
        assert_eq!(share(1, 7_900_000_000), Some(0.0));
        assert_eq!(share(2, 8_250_000_000), Some(0.25));
    }

    #[test]
    fn clients_are_told_apart_by_device_and_forgotten_when_they_are_gone() {
        let mut clients = Clients::default();
        let busy = |bus: &str, id: u64| client(bus, id, &[("gfx", nanoseconds(5, 1))], None);
        assert_eq!(clients.shares(&busy("0000:03:00.0", 1), SECOND), None);
        assert_eq!(clients.shares(&busy("0000:04:00.0", 1), SECOND), None);
        assert!(clients.shares(&busy("0000:03:00.0", 1), 2 * SECOND).is_some());
        clients.keep_read_since(2 * SECOND);
        assert_eq!(clients.shares(&busy("0000:04:00.0", 1), 3 * SECOND), None);
        assert!(clients.shares(&busy("0000:03:00.0", 1), 3 * SECOND).is_some());
    }
}
