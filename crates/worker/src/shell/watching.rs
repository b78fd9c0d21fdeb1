//! The threads on which probes watch the machine.

use std::thread;
use std::time::Duration;

use lull_guards::Probe;
use lull_types::Coded;
use tokio::sync::mpsc;

use crate::machine::Input;

/// After so long a probe that could not tell is asked again: a person has logged in, or a service was started.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Has each probe watch on a thread of its own, for as long as anyone listens. The threads end with the process; they hold
/// nothing that needs putting away.
pub(super) fn watch(probes: Vec<Box<dyn Probe>>, inputs: &mpsc::Sender<Input>) {
    for probe in probes {
        let (guard, inputs) = (probe.guard(), inputs.clone());
        let started =
            thread::Builder::new().name(format!("guard {guard:?}")).spawn(move || tell(probe, &inputs));
        if let Err(error) = started {
            tracing::error!(%error, ?guard, "no thread can be had, so this guard holds nothing free");
        }
    }
}

fn tell(mut probe: Box<dyn Probe>, inputs: &mpsc::Sender<Input>) {
    loop {
        let seen = probe.next();
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
