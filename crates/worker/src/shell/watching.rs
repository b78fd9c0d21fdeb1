//! What is seen of the machine for its guards: the threads on which probes watch it, and the
//! figures of its devices, which the sampler tells.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use lull_guards::{Draw, Observation, Probe, Temperatures, Watch};
use lull_types::{Coded, Guard};
use tokio::sync::mpsc;

use super::sampler::Samples;
use crate::machine::Input;
use crate::telemetry::Reading;

/// After so long a probe that could not tell is asked again: a person has logged in, or a service was started.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Which devices have told figures for guards, so that it is told when one does not any more.
#[derive(Debug, Default)]
pub(super) struct Figures {
    told: BTreeSet<(u32, Guard)>,
}

impl Figures {
    /// What samples of the devices say to guards. Told with each sample, as a pace is found step by step.
    pub fn of(&mut self, samples: &Samples) -> Vec<Observation> {
        let whole = |value: Option<f32>| value.map(|value| value.round().clamp(0.0, 9999.0) as u16);
        let mut seen = Vec::new();
        for (&device, Reading { telemetry: sample, .. }) in samples {
            let heat = Temperatures {
                core: whole(sample.temperature_celsius),
                hotspot: whole(sample.hotspot_celsius),
                memory: whole(sample.memory_celsius),
            };
            let draw = Draw { fan_percent: whole(sample.fan_percent), watts: whole(sample.power_watts) };
            // A device that never told anything is not one that is known to be cool and quiet.
            if self.is_worth_telling(device, Guard::Heat, heat != Temperatures::default()) {
                seen.push(Observation::Heat { device, at: heat });
            }
            if self.is_worth_telling(device, Guard::Quiet, draw != Draw::default()) {
                seen.push(Observation::Draw { device, at: draw });
            }
        }
        seen
    }

    fn is_worth_telling(&mut self, device: u32, guard: Guard, known: bool) -> bool {
        let was_known =
            if known { !self.told.insert((device, guard)) } else { self.told.remove(&(device, guard)) };
        known || was_known
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
        let lost = seen.as_ref().is_err_and(|error| error.device.is_none());
        let input = match seen {
            Ok(seen) => Input::Observed(seen),
            Err(error) if error.device.is_some() => Input::DeviceUnseen(error.fault()),
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
    use lull_guards::ProbeError;
    use lull_types::DeviceTelemetry;

    #[test]
    fn figures_are_told_where_they_are_known_and_once_more_when_they_are_not() {
        let mut figures = Figures::default();
        let sample = |core, watts| {
            Reading::from(DeviceTelemetry {
                temperature_celsius: core,
                power_watts: watts,
                ..DeviceTelemetry::default()
            })
        };
        let heat =
            |core| Observation::Heat { device: 0, at: Temperatures { core, ..Temperatures::default() } };
        let draw = |watts| Observation::Draw { device: 0, at: Draw { fan_percent: None, watts } };
        let mut seen = |first| figures.of(&Samples::from([(0, first), (1, sample(None, None))]));
        assert_eq!(seen(sample(Some(60.4), Some(99.6))), [heat(Some(60)), draw(Some(100))]);
        assert_eq!(seen(sample(Some(60.4), None)), [heat(Some(60)), draw(None)]);
        assert_eq!(seen(sample(None, None)), [heat(None)]);
        assert_eq!(seen(sample(None, None)), []);
        assert_eq!(seen(sample(Some(f32::NAN), None)), [heat(Some(0))]);
    }

    /// Tells these, one after the other.
    struct Script(Vec<Result<Observation, ProbeError>>);

    impl Probe for Script {
        fn guard(&self) -> Guard {
            Guard::GpuUse
        }

        fn next(&mut self, _watch: &Watch) -> Result<Observation, ProbeError> {
            self.0.remove(0)
        }
    }

    #[test]
    fn a_probe_goes_on_after_one_device_that_it_cannot_tell_of() {
        let seen = Observation::GpuUse { device: 0, by: None };
        let of_one = ProbeError { device: Some("B".to_owned()), ..ProbeError::new("who uses the GPU", "no") };
        let of_all = ProbeError::new("who uses the GPU", "no");
        let (inputs, mut told) = mpsc::channel(8);
        let script = vec![Err(of_one.clone()), Ok(seen.clone()), Err(of_all.clone())];
        watch(vec![Box::new(Script(script))], &Watch::default(), &inputs);
        let mut next = || told.blocking_recv().unwrap();
        assert_eq!(next(), Input::DeviceUnseen(of_one.fault()));
        assert_eq!(next(), Input::Observed(seen));
        // It is asked again after a while.
        assert_eq!(next(), Input::SightLost { guard: Guard::GpuUse, fault: of_all.fault() });
    }
}
