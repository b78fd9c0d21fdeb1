//! What of this machine a model may take now, and how many texts at once fit it.

use lull_gguf::{Model, Room};
use lull_types::infer::Shift;
use lull_types::{DeviceInfo, DeviceKind, Fault};
use sysinfo::System;

const MIB: u64 = 1024 * 1024;

/// What the screens and windows of a desktop hold of a device's memory.
const DESKTOP_BYTES: u64 = 768 * MIB;

/// The same where a device has much: larger screens come with larger cards.
const DESKTOP_PART: u64 = 8;

/// What is left of the machine's free memory for whatever its owner does next.
const OWNER_BYTES: u64 = 1024 * MIB;

/// A device computes by itself; one thread feeds it, and one samples.
const THREADS_BESIDE_DEVICE: u32 = 2;

/// What of this machine is free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spare {
    /// Memory in all.
    pub memory_bytes: u64,
    /// Memory that nobody uses.
    pub memory_bytes_free: u64,
    /// Processors.
    pub cores: usize,
    /// How busy they are, 0 to 1.
    pub busy: f32,
}

impl Spare {
    /// Looks. Takes a fifth of a second: how busy processors are is seen over a time.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn look() -> Result<Self, Fault> {
        let unknown = |error: sysinfo::Error| Fault::new("machine_unknown", error.to_string());
        let mut system = System::new().map_err(unknown)?;
        system.refresh_memory();
        system.refresh_cpu_usage();
        std::thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
        system.refresh_cpu_usage();
        Ok(Self {
            memory_bytes: system.total_memory(),
            memory_bytes_free: system.available_memory(),
            cores: system.cpus().len(),
            busy: system.global_cpu_usage() / 100.0,
        })
    }

    /// Memory that a model may take: never more than half of the machine's, so that its owner can go on.
    pub fn room(&self, device: &DeviceInfo) -> Room {
        let machine = self.memory_bytes_free.saturating_sub(OWNER_BYTES).min(self.memory_bytes / 2);
        Room { device_bytes: device_room(device), machine_bytes: machine }
    }

    /// Threads beside a device: no more than there are idle processors, as one that waits for its turn holds all up.
    pub fn threads(&self, device: &DeviceInfo) -> u32 {
        let idle = (self.cores as f32 * (1.0 - self.busy.clamp(0.0, 1.0))) as u32;
        let wanted = if device.kind == DeviceKind::Software { idle } else { idle.min(THREADS_BESIDE_DEVICE) };
        wanted.max(1)
    }
}

fn device_room(device: &DeviceInfo) -> u64 {
    // A device of software has the machine's memory, which is counted there.
    let bytes = device.vram_bytes.filter(|_| device.kind != DeviceKind::Software).unwrap_or(0);
    bytes.saturating_sub(DESKTOP_BYTES.max(bytes / DESKTOP_PART))
}

/// How many texts at once a model can take here, of those that a shift wants; none when not even one.
///
/// With all of the model on the device, if any number fits it so: a layer beside it makes every text several times slower.
pub(super) fn sequences(model: &Model, shift: &Shift, room: Room) -> Option<u32> {
    let placed = |sequences: &u32| model.place(shift.context_tokens.into(), (*sequences).into(), room);
    let whole = model.layer_bytes.len() as u32 + 1;
    let on_device = |sequences: &u32| placed(sequences).is_some_and(|placed| placed.device_layers == whole);
    let most_first = || (1..=shift.sequences).rev();
    most_first().find(on_device).or_else(|| most_first().find(|sequences| placed(sequences).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_testkit::models::made_up;
    use lull_types::{BaseUnits, BlobHash};

    const GIB: u64 = 1024 * MIB;

    fn device(kind: DeviceKind, vram_bytes: Option<u64>) -> DeviceInfo {
        DeviceInfo { kind, vram_bytes, ..lull_testkit::fake_runtime::fake_device(0) }
    }

    fn spare(memory_bytes_free: u64, busy: f32) -> Spare {
        Spare { memory_bytes: 16 * GIB, memory_bytes_free, cores: 8, busy }
    }

    #[test]
    fn its_owner_keeps_a_part_of_everything() {
        let room = |vram, free| spare(free, 0.0).room(&device(DeviceKind::Discrete, vram));
        let of = |device_bytes, machine_bytes| Room { device_bytes, machine_bytes };
        assert_eq!(room(Some(24 * GIB), 12 * GIB), of(21 * GIB, 8 * GIB));
        assert_eq!(room(Some(4 * GIB), 5 * GIB), of(4 * GIB - DESKTOP_BYTES, 4 * GIB));
        assert_eq!(room(None, GIB / 2), of(0, 0));
        assert_eq!(room(Some(100 * MIB), 0), of(0, 0));
        let software = spare(4 * GIB, 0.0).room(&device(DeviceKind::Software, Some(8 * GIB)));
        assert_eq!(software, of(0, 3 * GIB));
    }

    #[test]
    fn threads_are_as_many_as_idle_processors() {
        let threads = |kind, busy| spare(0, busy).threads(&device(kind, None));
        assert_eq!(threads(DeviceKind::Software, 0.0), 8);
        assert_eq!(threads(DeviceKind::Software, 0.55), 3);
        assert_eq!(threads(DeviceKind::Software, 1.0), 1);
        assert_eq!(threads(DeviceKind::Software, f32::NAN), 1);
        assert_eq!(threads(DeviceKind::Discrete, 0.0), 2);
        assert_eq!(threads(DeviceKind::Discrete, 0.99), 1);
    }

    #[test]
    fn a_model_takes_as_many_texts_as_fit_and_rather_all_on_the_device() {
        let model = lull_gguf::read(&made_up()[..]).unwrap();
        let shift = Shift {
            model: BlobHash([0; 32]),
            name: "Small".to_owned(),
            bytes: 1,
            context_tokens: 100_000,
            sequences: 8,
            serve_ms: 1,
            price_per_1000_prompt_tokens: BaseUnits(0),
            price_per_1000_generated_tokens: BaseUnits(0),
        };
        let fits =
            |device_bytes, machine_bytes| sequences(&model, &shift, Room { device_bytes, machine_bytes });
        let memory = |sequences| model.memory(100_000, sequences).total_bytes();
        assert_eq!(fits(0, memory(8)), Some(8));
        assert_eq!(fits(0, memory(3)), Some(3));
        assert_eq!(fits(0, memory(1) / 2), None);
        assert_eq!(fits(memory(2), memory(8)), Some(2), "none beside the device");
        assert_eq!(fits(memory(1) / 2, memory(5)), Some(5), "as it does not fit the device");
    }
}
