//! What NVIDIA's management library tells of the processes on a device
//! ([NVML](https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html)).

use std::collections::BTreeMap;
use std::time::Duration;

use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::{ProcessInfo, ProcessUtilizationSample};
use nvml_wrapper::{Device, Nvml};

use super::{DeviceMemory, ProcessUse, Processes, Reading};

/// The library dates samples by the system's clock. One that is set back leaves what comes then older than what was seen;
/// after so long without a sample, which is otherwise an idle device, it is asked from the beginning.
const SAMPLES_MISSED_AFTER: Duration = Duration::from_secs(60);

/// The library does not tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NvidiaError {
    /// It is not installed, or does not fit the driver.
    #[error("NVIDIA's management library cannot be used: {0}")]
    Library(String),
    /// It does not know the device, or has lost it.
    #[error("NVIDIA's management library does not tell of {bus}: {why}")]
    Device {
        /// Its PCI address.
        bus: String,
        /// What it said.
        why: String,
    },
}

/// What a process did to a device in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The process.
    pub pid: u32,
    /// The end of the stretch, in microseconds of the system's clock. Zero in samples that hold nothing.
    pub at_us: u64,
    /// Of the cores, in per cent.
    pub cores_percent: u32,
    /// Of the video encoder.
    pub encoder_percent: u32,
    /// Of the video decoder.
    pub decoder_percent: u32,
}

/// A process that has a context on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// What it holds of the device's memory; `None` where the system manages it, as on Windows.
    pub memory_bytes: Option<u64>,
}

/// What is asked of the library. Devices are named by their PCI address. What a device or a driver does not support is nothing,
/// and not an error.
pub trait Nvidia: Send {
    /// A device's memory.
    ///
    /// # Errors
    /// When the device cannot be asked.
    fn memory(&mut self, bus: &str) -> Result<Option<DeviceMemory>, NvidiaError>;

    /// The processes that have a context on a device. One that computes and draws may be told twice.
    ///
    /// # Errors
    /// When the device cannot be asked.
    fn holders(&mut self, bus: &str) -> Result<Vec<Holder>, NvidiaError>;

    /// What processes did after an instant, in microseconds of the system's clock; 0 for all that is still known.
    ///
    /// # Errors
    /// When the device cannot be asked.
    fn samples(&mut self, bus: &str, after_us: u64) -> Result<Vec<Sample>, NvidiaError>;
}

/// The library itself.
#[derive(Debug)]
pub struct Library(Nvml);

impl Library {
    /// Loads it. Takes some milliseconds.
    ///
    /// # Errors
    /// When it is not there, or there is no driver to it.
    pub fn load() -> Result<Self, NvidiaError> {
        Nvml::init().map(Self).map_err(|error| NvidiaError::Library(error.to_string()))
    }

    fn ask<T: Default>(
        &self,
        bus: &str,
        question: impl FnOnce(&Device<'_>) -> Result<T, NvmlError>,
    ) -> Result<T, NvidiaError> {
        let failed = |error: NvmlError| NvidiaError::Device { bus: bus.to_owned(), why: error.to_string() };
        let device = self.0.device_by_pci_bus_id(bus).map_err(failed)?;
        match question(&device) {
            // No process did anything; or an old driver, or a device that does not tell this.
            Err(NvmlError::NotFound | NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_)) => {
                Ok(T::default())
            }
            // The list grew between two questions; the next one is soon.
            Err(NvmlError::InsufficientSize(_)) => Ok(T::default()),
            other => other.map_err(failed),
        }
    }
}

impl Nvidia for Library {
    fn memory(&mut self, bus: &str) -> Result<Option<DeviceMemory>, NvidiaError> {
        self.ask(bus, |device| {
            let memory = device.memory_info()?;
            Ok(Some(DeviceMemory { free_bytes: memory.free, total_bytes: memory.total }))
        })
    }

    fn holders(&mut self, bus: &str) -> Result<Vec<Holder>, NvidiaError> {
        let mut holders = self.ask(bus, |device| device.running_graphics_processes())?;
        holders.extend(self.ask(bus, |device| device.running_compute_processes())?);
        Ok(holders.into_iter().map(Holder::from).collect())
    }

    fn samples(&mut self, bus: &str, after_us: u64) -> Result<Vec<Sample>, NvidiaError> {
        let samples = self.ask(bus, |device| device.process_utilization_stats(after_us))?;
        Ok(samples.into_iter().map(Sample::from).collect())
    }
}

impl From<ProcessInfo> for Holder {
    fn from(process: ProcessInfo) -> Self {
        let memory_bytes = match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        };
        Self { pid: process.pid, memory_bytes }
    }
}

impl From<ProcessUtilizationSample> for Sample {
    fn from(sample: ProcessUtilizationSample) -> Self {
        Self {
            pid: sample.pid,
            at_us: sample.timestamp,
            cores_percent: sample.sm_util,
            encoder_percent: sample.enc_util,
            decoder_percent: sample.dec_util,
        }
    }
}

impl Sample {
    /// The busiest engine, 0 to 1; `None` for figures that cannot be, which drivers tell of processes that have ended.
    fn load(&self) -> Option<f64> {
        let percent = self.cores_percent.max(self.encoder_percent).max(self.decoder_percent);
        (percent <= 100).then(|| f64::from(percent) / 100.0)
    }
}

/// Reads one device.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    seen_until_us: u64,
    /// Whether samples from before the first question have been passed over.
    is_current: bool,
    /// The last reading that had a sample, or the first.
    sampled_at: Duration,
}

impl Sampler {
    /// A reading of the device at a PCI address.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn reading(
        &mut self,
        library: &mut dyn Nvidia,
        bus: &str,
        at: Duration,
        processes: &mut dyn Processes,
    ) -> Result<Reading, NvidiaError> {
        let memory = library.memory(bus)?;
        let loads = self.loads(&library.samples(bus, self.seen_until_us)?, at);
        // Who holds memory matters only where there is little.
        let holders = match memory {
            Some(memory) if !memory.is_roomy(0) => library.holders(bus)?,
            Some(_) | None => Vec::new(),
        };
        let mut uses = BTreeMap::<u32, (Option<f64>, Option<u64>)>::new();
        let quiet = loads.is_some().then_some(0.0);
        for (pid, load) in loads.into_iter().flatten() {
            uses.insert(pid, (Some(load), None));
        }
        for Holder { pid, memory_bytes } in holders {
            // Who computes and draws holds the same memory in both lists.
            let (_, held) = uses.entry(pid).or_insert((quiet, None));
            *held = (*held).max(memory_bytes);
        }
        let uses = uses.into_iter().filter_map(|(pid, (load, memory_bytes))| {
            let who = processes.who(pid)?;
            Some(ProcessUse { pid, program: who.program, is_ours: who.is_ours, load, memory_bytes })
        });
        Ok(Reading { at, processes: uses.collect(), memory })
    }

    /// What is known of loads is not to be compared with any more, as after a while in which the device slept.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The load of each process since the reading before, 0 to 1; `None` where there is none before.
    fn loads(&mut self, samples: &[Sample], at: Duration) -> Option<BTreeMap<u32, f64>> {
        let seen_until_us = self.seen_until_us;
        let mut sums = BTreeMap::<u32, (f64, f64)>::new();
        for sample in samples.iter().filter(|sample| sample.pid != 0 && sample.at_us > seen_until_us) {
            self.seen_until_us = self.seen_until_us.max(sample.at_us);
            self.sampled_at = at;
            if let Some(load) = sample.load() {
                let (sum, count) = sums.entry(sample.pid).or_default();
                *sum += load;
                *count += 1.0;
            }
        }
        if !self.is_current {
            // They are of any time before, on average.
            self.is_current = true;
            self.sampled_at = at;
            return None;
        }
        if at.saturating_sub(self.sampled_at) > SAMPLES_MISSED_AFTER {
            self.forget();
        }
        Some(sums.into_iter().map(|(pid, (sum, count))| (pid, sum / count)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GIB, MIB, Who};
    use super::*;

    const BUS: &str = "0000:01:00.0";

    /// A library that says what it is told to.
    #[derive(Default)]
    struct Fake {
        memory: Option<DeviceMemory>,
        holders: Vec<Holder>,
        samples: Vec<Sample>,
        is_lost: bool,
        /// What was asked.
        asked: Vec<String>,
    }

    impl Fake {
        fn answer<T>(&mut self, question: String, answer: T) -> Result<T, NvidiaError> {
            self.asked.push(question);
            if self.is_lost {
                return Err(NvidiaError::Device { bus: BUS.to_owned(), why: "lost".to_owned() });
            }
            Ok(answer)
        }
    }

    impl Nvidia for Fake {
        fn memory(&mut self, bus: &str) -> Result<Option<DeviceMemory>, NvidiaError> {
            let memory = self.memory;
            self.answer(format!("memory {bus}"), memory)
        }

        fn holders(&mut self, bus: &str) -> Result<Vec<Holder>, NvidiaError> {
            let holders = self.holders.clone();
            self.answer(format!("holders {bus}"), holders)
        }

        fn samples(&mut self, bus: &str, after_us: u64) -> Result<Vec<Sample>, NvidiaError> {
            let samples = self.samples.clone();
            self.answer(format!("samples {bus} {after_us}"), samples)
        }
    }

    /// Process 1 is ours, 9 cannot be told.
    struct People;

    impl Processes for People {
        fn who(&mut self, pid: u32) -> Option<Who> {
            (pid != 9).then(|| Who { program: Some(format!("p{pid}")), is_ours: pid == 1 })
        }
    }

    fn sample(pid: u32, at_us: u64, cores_percent: u32) -> Sample {
        Sample { pid, at_us, cores_percent, ..Sample::default() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn samples_from_before_the_first_question_are_passed_over() {
        let mut sampler = Sampler::default();
        assert_eq!(sampler.loads(&[sample(5, 100, 90), sample(6, 700, 10)], seconds(0)), None);
        assert_eq!(sampler.seen_until_us, 700);
        // The same again: nothing has happened since.
        let none = BTreeMap::new();
        assert_eq!(sampler.loads(&[sample(5, 100, 90), sample(6, 700, 10)], seconds(1)), Some(none.clone()));
        assert_eq!(sampler.loads(&[sample(5, 900, 40)], seconds(2)), Some(BTreeMap::from([(5, 0.4)])));
        // Where none was known before, all that comes is new.
        let mut sampler = Sampler::default();
        assert_eq!(sampler.loads(&[], seconds(0)), None);
        assert_eq!(sampler.loads(&[sample(5, 900, 40)], seconds(1)), Some(BTreeMap::from([(5, 0.4)])));
    }

    #[test]
    fn a_process_is_as_busy_as_its_busiest_engine_on_average() {
        let check = |samples: &[Sample], expected: &[(u32, f64)]| {
            let mut sampler = Sampler::default();
            sampler.loads(&[sample(9, 10, 1)], seconds(0));
            assert_eq!(
                sampler.loads(samples, seconds(1)),
                Some(expected.iter().copied().collect()),
                "{samples:?}"
            );
        };
        check(&[], &[]);
        let film = Sample { decoder_percent: 60, ..sample(5, 20, 10) };
        let stream = Sample { encoder_percent: 80, ..sample(6, 20, 30) };
        check(&[film, stream], &[(5, 0.6), (6, 0.8)]);
        check(&[sample(5, 20, 10), sample(5, 30, 50), sample(6, 25, 100)], &[(5, 0.3), (6, 1.0)]);
        // Samples that hold nothing, are of nobody, are seen already, or cannot be.
        let nothing = [
            sample(0, 20, 50),
            sample(5, 0, 50),
            sample(5, 10, 50),
            sample(5, 20, 101),
            sample(6, 20, u32::MAX),
        ];
        check(&nothing, &[]);
    }

    #[test]
    fn a_clock_that_was_set_back_blinds_it_for_a_minute() {
        let mut sampler = Sampler::default();
        sampler.loads(&[sample(5, 1_000_000, 50)], seconds(0));
        for at in 1..=60 {
            assert_eq!(
                sampler.loads(&[sample(5, 500_000 + at, 50)], seconds(at)),
                Some(BTreeMap::new()),
                "{at}"
            );
        }
        sampler.loads(&[], seconds(61));
        assert_eq!(sampler.loads(&[sample(5, 500_100, 50)], seconds(62)), None);
        assert_eq!(sampler.loads(&[sample(5, 500_200, 50)], seconds(63)), Some(BTreeMap::from([(5, 0.5)])));
    }

    #[test]
    fn a_reading_has_each_process_once_and_none_of_which_nothing_can_be_told() {
        let mut fake = Fake {
            memory: Some(DeviceMemory { free_bytes: 300 * MIB, total_bytes: 8 * GIB }),
            ..Fake::default()
        };
        let mut sampler = Sampler::default();
        let mut read = |fake: &mut Fake, at| sampler.reading(fake, BUS, seconds(at), &mut People).unwrap();
        fake.holders = vec![Holder { pid: 2, memory_bytes: Some(GIB) }];
        let first = read(&mut fake, 0);
        assert_eq!(first.processes[0].load, None, "nothing is known yet");
        let holder = |pid, memory_bytes| Holder { pid, memory_bytes };
        fake.holders = vec![
            holder(2, Some(GIB)),
            holder(1, Some(5 * GIB)),
            holder(2, Some(GIB)),
            holder(3, None),
            holder(9, None),
        ];
        fake.samples = vec![sample(2, 50, 70), sample(4, 50, 5), sample(9, 50, 99)];
        let process = |pid, load: f64, memory_bytes| ProcessUse {
            pid,
            program: Some(format!("p{pid}")),
            is_ours: pid == 1,
            load: Some(load),
            memory_bytes,
        };
        assert_eq!(
            read(&mut fake, 1),
            Reading {
                at: seconds(1),
                processes: vec![
                    process(1, 0.0, Some(5 * GIB)),
                    process(2, 0.7, Some(GIB)),
                    process(3, 0.0, None),
                    process(4, 0.05, None),
                ],
                memory: fake.memory,
            }
        );
        fake.asked.clear();
        read(&mut fake, 2);
        assert_eq!(fake.asked, ["memory 0000:01:00.0", "samples 0000:01:00.0 50", "holders 0000:01:00.0"]);
        // Where there is room, nobody is asked who holds the rest.
        fake.memory = Some(DeviceMemory { free_bytes: 7 * GIB, total_bytes: 8 * GIB });
        fake.asked.clear();
        read(&mut fake, 3);
        assert_eq!(fake.asked, ["memory 0000:01:00.0", "samples 0000:01:00.0 50"]);
    }

    #[test]
    fn a_device_that_is_lost_is_an_error_and_one_that_tells_little_is_not() {
        let mut sampler = Sampler::default();
        let mut fake = Fake { is_lost: true, ..Fake::default() };
        assert!(sampler.reading(&mut fake, BUS, seconds(0), &mut People).is_err());
        let mut fake = Fake::default();
        for at in 1..4 {
            let reading = sampler.reading(&mut fake, BUS, seconds(at), &mut People).unwrap();
            assert_eq!(reading, Reading { at: seconds(at), ..Reading::default() });
        }
    }

    #[test]
    fn the_library_is_there_or_says_why_not() {
        match Library::load() {
            // Of a machine without such a device, as those that test this mostly are.
            Err(error) => assert!(matches!(error, NvidiaError::Library(_)), "{error}"),
            Ok(mut library) => {
                let asked = library.samples("ffff:ff:1f.7", 0);
                assert!(matches!(asked, Err(NvidiaError::Device { .. })), "{asked:?}");
            }
        }
    }
}
