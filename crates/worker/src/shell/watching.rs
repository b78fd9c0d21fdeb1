//! What is seen of the machine for its guards: the threads on which probes watch it, and the heat of its devices, which the
//! sampler tells.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use lull_guards::{Observation, Probe, Temperatures, Watch};
use lull_types::Coded;
use tokio::sync::mpsc;

use super::sampler::Samples;
use crate::machine::Input;

/// After so long a probe that could not tell is asked again: a person has logged in, or a service was started.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// The heat of devices, as it was last told to the machine.
#[derive(Debug, Default)]
pub(super) struct Heat {
    told: BTreeMap<u32, Temperatures>,
}

impl Heat {
    /// What is new in samples of the devices.
    pub fn news(&mut self, samples: &Samples) -> Vec<Observation> {
        let degrees = |celsius: Option<f32>| celsius.map(|celsius| celsius.round().clamp(0.0, 999.0) as u16);
        let mut news = Vec::new();
        for (device, sample) in samples {
            let at = Temperatures {
                core: degrees(sample.temperature_celsius),
                hotspot: degrees(sample.hotspot_celsius),
                memory: degrees(sample.memory_celsius),
            };
            // A device that tells nothing is not one that is known to be cool.
            if at != self.told.get(device).copied().unwrap_or_default() {
                self.told.insert(*device, at);
                news.push(Observation::Heat { device: *device, at });
            }
        }
        news
    }
}

/// Has each probe watch on a thread of its own, for as long as anyone listens. The threads end with the process; they hold
/// nothing that needs putting away.
pub(super) fn watch(probes: Vec<Box<dyn Probe>>, watch: &Watch, inputs: &mpsc::Sender<Input>) {
    for probe in probes {
        let (guard, watch, inputs) = (probe.guard(), watch.clone(), inputs.clone());
        let started = thread::Builder::new()
            .name(format!("guard {guard:?}"))
            .spawn(move || tell(probe, &watch, &inputs));
        if let Err(error) = started {
            tracing::error!(%error, ?guard, "no thread can be had, so this guard holds nothing free");
        }
    }
}

fn tell(mut probe: Box<dyn Probe>, watch: &Watch, inputs: &mpsc::Sender<Input>) {
    loop {
        let seen = probe.next(watch);
        let lost = seen.is_err();
        let input = match seen {
            Ok(seen) => Input::Observed(seen),
            Err(error) => Input::SightLost { guard: probe.guard(), fault: error.fault() },
        };
        if inputs.blocking_send(input).is_err() {
            return;
        }
        if lost {
            thread::sleep(AGAIN_AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::DeviceTelemetry;

    #[test]
    fn heat_is_told_when_it_is_another_and_only_where_it_is_known() {
        let mut heat = Heat::default();
        let sample = |core, memory| DeviceTelemetry {
            temperature_celsius: core,
            memory_celsius: memory,
            ..DeviceTelemetry::default()
        };
        let seen = |device, core, memory| Observation::Heat {
            device,
            at: Temperatures { core, hotspot: None, memory },
        };
        let samples = |first| Samples::from([(0, first), (1, sample(None, None))]);
        assert_eq!(heat.news(&samples(sample(Some(60.4), Some(70.0)))), [seen(0, Some(60), Some(70))]);
        assert_eq!(heat.news(&samples(sample(Some(59.6), Some(70.0)))), []);
        assert_eq!(heat.news(&samples(sample(None, None))), [seen(0, None, None)]);
        assert_eq!(heat.news(&samples(sample(Some(f32::NAN), None))), [seen(0, Some(0), None)]);
    }
}
