//! What Windows' performance counters tell of GPUs: their instances' names, what their figures mean together, and which device
//! an adapter is. It knows no system, so that it is tested on any.
//!
//! The counter sets have been there since Windows 10 1709, for every driver of WDDM 2 whatever its maker. The kernel fills
//! them, so that all processes are told of, those of other users too. Microsoft documents the sets
//! ([GPUs in the task manager](https://devblogs.microsoft.com/directx/gpus-in-the-task-manager/)) but not the names of their
//! instances, which are:
//!
//! | set | instance |
//! |---|---|
//! | `GPU Engine` | `pid_1234_luid_0x00000000_0x0000D1F3_phys_0_eng_0_engtype_3D` |
//! | `GPU Process Memory` | `pid_1234_luid_0x00000000_0x0000D1F3_phys_0` |
//! | `GPU Adapter Memory` | `luid_0x00000000_0x0000D1F3_phys_0` |

use std::collections::{BTreeMap, BTreeSet};

use lull_types::DeviceInfo;

/// How Windows numbers an adapter from when its driver starts until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Luid {
    /// Its upper half.
    pub high: u32,
    /// Its lower half.
    pub low: u32,
}

/// Where a device sits on the PCI bus. Windows tells no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PciAddress {
    /// The bus.
    pub bus: u32,
    /// The device on it.
    pub device: u32,
    /// The function of the device.
    pub function: u32,
}

/// An adapter, as Windows lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its number.
    pub luid: Luid,
    /// The driver's name of it.
    pub name: String,
    /// Memory of its own, in bytes.
    pub memory_bytes: u64,
    /// Where it sits, where that is known.
    pub address: Option<PciAddress>,
}

/// An amount for each process of each adapter.
pub type ByProcess<T> = BTreeMap<Luid, BTreeMap<u32, T>>;

/// The process and the adapter of an instance of `GPU Engine` or of `GPU Process Memory`. `None` for what is none, such as
/// `_Total`.
pub fn process_of(instance: &str) -> Option<(u32, Luid)> {
    let (pid, rest) = after(instance, "pid_")?.split_once('_')?;
    let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(())?;
    Some((pid.parse().ok()?, adapter_of(rest)?))
}

/// The adapter of an instance of `GPU Adapter Memory`.
pub fn adapter_of(instance: &str) -> Option<Luid> {
    let mut halves = after(instance, "luid_")?.splitn(3, '_');
    let luid = Luid { high: hexadecimal(halves.next()?)?, low: hexadecimal(halves.next()?)? };
    // What follows is one of the chips that are linked to one adapter, and their engines.
    after(halves.next()?, "phys_").map(|_| luid)
}

/// What follows a prefix; for counters, upper and lower case are the same.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (begin, rest) = text.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn hexadecimal(text: &str) -> Option<u32> {
    let digits = after(text, "0x")?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// The load of each process, 0 to 1, from `\GPU Engine(*)\Utilization Percentage`: that of the engine that worked most for it.
/// Of those that did nothing nothing is told; they are nearly all.
pub fn loads<'a>(instances: impl Iterator<Item = (&'a str, f64)>) -> ByProcess<f64> {
    let mut loads = ByProcess::<f64>::new();
    for (name, percent) in instances.filter(|(_, percent)| *percent > 0.0) {
        if let Some((pid, luid)) = process_of(name) {
            let load = loads.entry(luid).or_default().entry(pid).or_default();
            *load = load.max(percent / 100.0).min(1.0);
        }
    }
    loads
}

/// What each process holds of an adapter's own memory, in bytes, from `\GPU Process Memory(*)\Dedicated Usage`.
pub fn holders<'a>(instances: impl Iterator<Item = (&'a str, i64)>) -> ByProcess<u64> {
    let mut holders = ByProcess::<u64>::new();
    for (name, bytes) in instances {
        if let (Some((pid, luid)), Ok(bytes @ 1..)) = (process_of(name), u64::try_from(bytes)) {
            let held = holders.entry(luid).or_default().entry(pid).or_default();
            *held = held.saturating_add(bytes);
        }
    }
    holders
}

/// What is taken of each adapter's own memory, in bytes, from `\GPU Adapter Memory(*)\Dedicated Usage`. An adapter that is not
/// there is none any more.
pub fn taken<'a>(instances: impl Iterator<Item = (&'a str, i64)>) -> BTreeMap<Luid, u64> {
    let mut taken = BTreeMap::<Luid, u64>::new();
    for (name, bytes) in instances {
        if let Some(luid) = adapter_of(name) {
            let sum = taken.entry(luid).or_default();
            *sum = sum.saturating_add(u64::try_from(bytes).unwrap_or(0));
        }
    }
    taken
}

/// Which adapter each device is, by the device's index: the one at the same address, and for those that are left, the one of
/// the same name. Equal ones are taken in the order of their addresses, in which devices have their indices.
///
/// Not every graphics interface knows the address, and DX12's is found by the model, so that two equal cards tell the same.
pub fn matched(devices: &[DeviceInfo], adapters: &[Adapter]) -> BTreeMap<u32, Adapter> {
    let mut devices: Vec<&DeviceInfo> = devices.iter().collect();
    devices.sort_by_key(|device| device.index);
    // Windows can list one adapter twice, once for each way to its screen.
    let mut seen = BTreeSet::new();
    let mut left: Vec<&Adapter> = adapters.iter().filter(|adapter| seen.insert(adapter.luid)).collect();
    left.sort_by_key(|adapter| (adapter.address.is_none(), adapter.address));
    let mut matched = BTreeMap::new();
    let mut take = |device: &DeviceInfo, is: &dyn Fn(&Adapter) -> bool| {
        if matched.contains_key(&device.index) {
            return;
        }
        if let Some(place) = left.iter().position(|adapter| is(adapter)) {
            matched.insert(device.index, left.remove(place).clone());
        }
    };
    for device in &devices {
        if let Some(address) = device.pci_bus_id.as_deref().and_then(pci_address) {
            take(device, &|adapter| adapter.address == Some(address));
        }
    }
    for device in &devices {
        take(device, &|adapter| adapter.name.trim().eq_ignore_ascii_case(device.name.trim()));
    }
    matched
}

/// An address such as `0000:01:00.0`.
fn pci_address(text: &str) -> Option<PciAddress> {
    let (rest, function) = text.rsplit_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let bus = rest.rsplit(':').next()?;
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    Some(PciAddress { bus: number(bus)?, device: number(device)?, function: number(function)? })
}

#[cfg(test)]
mod tests {
    use lull_types::DeviceKind;

    use super::*;

    const CARD: Luid = Luid { high: 0, low: 0xd1f3 };
    const OTHER: Luid = Luid { high: 1, low: 0x1_2345 };

    #[test]
    fn instances_are_read_by_their_names() {
        let card = Some((1234, CARD));
        for (name, expected) in [
            ("pid_1234_luid_0x00000000_0x0000D1F3_phys_0_eng_0_engtype_3D", card),
            ("pid_1234_luid_0x00000000_0x0000D1F3_phys_0_eng_11_engtype_High Priority Compute", card),
            ("pid_1234_luid_0x00000000_0x0000D1F3_phys_0_eng_3_engtype_", card),
            ("pid_1234_luid_0x00000000_0x0000D1F3_phys_1", card),
            ("PID_1234_LUID_0X00000000_0x0000d1f3_PHYS_0#1", card),
            ("pid_0_luid_0x00000001_0x00012345_phys_0", Some((0, OTHER))),
            ("pid_4294967295_luid_0xFFFFFFFF_0x1_phys_0", Some((u32::MAX, Luid { high: u32::MAX, low: 1 }))),
            ("", None),
            ("_Total", None),
            ("pid_", None),
            ("pid_é_luid_0x00000000_0x0000D1F3_phys_0", None),
            ("pi\u{e9}_1234_luid_0x00000000_0x0000D1F3_phys_0", None),
            ("pid_-1_luid_0x00000000_0x0000D1F3_phys_0", None),
            ("pid_+1_luid_0x00000000_0x0000D1F3_phys_0", None),
            ("pid_4294967296_luid_0x00000000_0x0000D1F3_phys_0", None),
            ("pid_1234", None),
            ("pid_1234_luid_0x00000000", None),
            ("pid_1234_luid_0x00000000_0x0000D1F3", None),
            ("pid_1234_luid_0x00000000_0x0000D1F3_", None),
            ("pid_1234_luid_00000000_0x0000D1F3_phys_0", None),
            ("pid_1234_luid_0x_0x0000D1F3_phys_0", None),
            ("pid_1234_luid_0x000000000_0x0000D1F3_phys_0", None),
            ("pid_1234_luid_0x00000000_0x+000D1F3_phys_0", None),
            ("luid_0x00000000_0x0000D1F3_phys_0", None),
        ] {
            assert_eq!(process_of(name), expected, "{name:?}");
        }
        assert_eq!(adapter_of("luid_0x00000000_0x0000D1F3_phys_0"), Some(CARD));
        assert_eq!(adapter_of("luid_0x00000000_0x0000D1F3_phys_0_part_1"), Some(CARD));
        assert_eq!(adapter_of("pid_1234_luid_0x00000000_0x0000D1F3_phys_0"), None);
    }

    #[test]
    fn the_busiest_engine_counts_and_memory_is_added_up() {
        let engine = |pid: u32, engine: u32, luid: &str| {
            format!("pid_{pid}_luid_0x00000000_{luid}_phys_0_eng_{engine}_engtype_3D")
        };
        let told = [
            (engine(7, 0, "0x0000D1F3"), 30.0),
            (engine(7, 1, "0x0000D1F3"), 60.0),
            (engine(7, 2, "0x0000D1F3"), 5.0),
            (engine(7, 0, "0x0000AAAA"), 1.0),
            (engine(8, 0, "0x0000D1F3"), 0.0),
            (engine(9, 0, "0x0000D1F3"), 180.0),
            (engine(10, 0, "0x0000D1F3"), f64::NAN),
            (engine(11, 0, "0x0000D1F3"), -4.0),
            ("_Total".to_owned(), 99.0),
        ];
        let loads = loads(told.iter().map(|(name, percent)| (name.as_str(), *percent)));
        let expected = [
            (CARD, BTreeMap::from([(7, 0.6), (9, 1.0)])),
            (Luid { high: 0, low: 0xaaaa }, BTreeMap::from([(7, 0.01)])),
        ];
        assert_eq!(loads, expected.into_iter().collect());

        let held = [
            ("pid_7_luid_0x00000000_0x0000D1F3_phys_0", 100),
            ("pid_7_luid_0x00000000_0x0000D1F3_phys_1", 20),
            ("pid_8_luid_0x00000000_0x0000D1F3_phys_0", 0),
            ("pid_9_luid_0x00000000_0x0000D1F3_phys_0", -1),
        ];
        assert_eq!(holders(held.into_iter()), BTreeMap::from([(CARD, BTreeMap::from([(7, 120)]))]));
        let all = [
            ("luid_0x00000000_0x0000D1F3_phys_0", 100),
            ("luid_0x00000000_0x0000D1F3_phys_1", i64::MAX),
            ("luid_0x00000001_0x00012345_phys_0", -1),
            ("_Total", 5),
        ];
        assert_eq!(taken(all.into_iter()), BTreeMap::from([(CARD, 100 + i64::MAX as u64), (OTHER, 0)]));
    }

    fn device(index: u32, name: &str, pci_bus_id: Option<&str>) -> DeviceInfo {
        DeviceInfo {
            index,
            name: name.to_owned(),
            vendor: "NVIDIA".to_owned(),
            kind: DeviceKind::Discrete,
            backend: "vulkan".to_owned(),
            driver: String::new(),
            pci_bus_id: pci_bus_id.map(str::to_owned),
            vram_bytes: None,
            storage_buffer_bytes_max: 0,
            features: Vec::new(),
        }
    }

    fn adapter(low: u32, name: &str, bus: Option<u32>) -> Adapter {
        let address = bus.map(|bus| PciAddress { bus, device: 0, function: 0 });
        Adapter { luid: Luid { high: 0, low }, name: name.to_owned(), memory_bytes: 0, address }
    }

    #[test]
    fn devices_are_found_by_their_address_and_else_by_their_name() {
        let check = |devices: &[DeviceInfo], adapters: &[Adapter], expected: &[(u32, u32)]| {
            let found = matched(devices, adapters).into_iter().map(|(index, found)| (index, found.luid.low));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{devices:?}");
        };
        let (a, b) = (Some("0000:01:00.0"), Some("0000:0a:00.0"));
        check(&[], &[adapter(1, "A", Some(1))], &[]);
        check(&[device(0, "A", a)], &[], &[]);
        // Two equal cards, listed the other way round.
        let equal = [adapter(1, "A", Some(10)), adapter(2, "A", Some(1))];
        check(&[device(0, "A", a), device(1, "A", b)], &equal, &[(0, 2), (1, 1)]);
        check(&[device(1, "A", None), device(0, "A", None)], &equal, &[(0, 2), (1, 1)]);
        // Both tell the address of the first.
        check(&[device(0, "A", a), device(1, "A", a)], &equal, &[(0, 2), (1, 1)]);
        check(&[device(1, "A", b)], &equal, &[(1, 1)]);
        // An interface that words the name in another way, and a system that does not tell addresses.
        check(&[device(0, "A (x)", b)], &equal, &[(0, 1)]);
        let unplaced = [adapter(1, "B", None), adapter(2, "a ", None), adapter(2, "a ", None)];
        check(&[device(0, "A", a), device(1, "B", b), device(2, "A", b)], &unplaced, &[(0, 2), (1, 1)]);
        check(&[device(0, "C", None)], &equal, &[]);
    }

    #[test]
    fn addresses_are_read() {
        let address = |bus, device, function| Some(PciAddress { bus, device, function });
        assert_eq!(pci_address("0000:01:00.0"), address(1, 0, 0));
        assert_eq!(pci_address("00000000:1F:02.7"), address(0x1f, 2, 7));
        assert_eq!(pci_address("0a:1f.3"), address(10, 0x1f, 3));
        for text in ["", "0000:01:00", ".", ":.", "0000:zz:00.0", "01.0"] {
            assert_eq!(pci_address(text), None, "{text:?}");
        }
    }
}
