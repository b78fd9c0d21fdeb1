//! Whether the connection costs by what is sent, as Windows'
//! [list of networks](https://learn.microsoft.com/windows/win32/api/netlistmgr/nn-netlistmgr-inetworkcostmanager) tells: by
//! what the contributor has set of the network, or by what a telephone or a provider says.

use std::marker::PhantomData;
use std::time::Duration;

use lull_types::Guard;
use windows::Win32::Foundation::{E_NOINTERFACE, REGDB_E_CLASSNOTREG};
use windows::Win32::Networking::NetworkListManager::{
    INetworkCostManager, NLM_CONNECTION_COST, NLM_CONNECTION_COST_FIXED, NLM_CONNECTION_COST_OVERDATALIMIT,
    NLM_CONNECTION_COST_ROAMING, NLM_CONNECTION_COST_VARIABLE, NetworkListManager,
};
use windows::Win32::System::Com::{
    CLSCTX_ALL, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx, CoUninitialize,
};

use crate::{Observation, Probe, ProbeError, Watch};

/// How often it is looked while nothing works: to be called by the system takes an apartment with a loop of messages, and a
/// question to its service less than a millisecond.
const INTERVAL: Duration = Duration::from_secs(30);

/// How often while a device is at work: who comes to a telephone's network with a job that fetches its inputs pays for so
/// much at most.
const INTERVAL_AT_WORK: Duration = Duration::from_secs(10);

/// What costs by what is sent, or will from now on. What nears its limit, or is jammed, costs nothing more yet.
const METERED: [NLM_CONNECTION_COST; 4] = [
    NLM_CONNECTION_COST_FIXED,
    NLM_CONNECTION_COST_VARIABLE,
    NLM_CONNECTION_COST_ROAMING,
    NLM_CONNECTION_COST_OVERDATALIMIT,
];

/// The probe.
#[derive(Debug)]
pub(super) struct Metered {
    told: Option<bool>,
}

impl Metered {
    /// By the system's list, if it has one.
    pub fn by_system() -> Option<Self> {
        match Networks::open() {
            Err(error) if [REGDB_E_CLASSNOTREG, E_NOINTERFACE].contains(&error.code()) => None,
            // A service that is only just being started is asked again.
            Ok(_) | Err(_) => Some(Self { told: None }),
        }
    }

    fn watch(&mut self, watch: &Watch) -> windows::core::Result<bool> {
        let mut networks = None;
        loop {
            let watched = watch.until(|watched| watched.rules.wants(Guard::Metered));
            let networks = match &mut networks {
                Some(networks) => networks,
                none => none.insert(Networks::open()?),
            };
            let metered = is_metered(networks.cost()?);
            if self.told != Some(metered) {
                self.told = Some(metered);
                return Ok(metered);
            }
            watch.sleep(if watched.at_work { INTERVAL_AT_WORK } else { INTERVAL }, &watched);
        }
    }
}

impl Probe for Metered {
    fn guard(&self) -> Guard {
        Guard::Metered
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        self.watch(watch).map(Observation::Metered).map_err(|error| {
            self.told = None;
            ProbeError::new("whether the connection is metered", error)
        })
    }
}

/// The flags of a cost, of which several can hold.
fn is_metered(cost: u32) -> bool {
    METERED.iter().any(|flag| cost & flag.0.cast_unsigned() != 0)
}

/// The system's list of networks.
struct Networks {
    // It is given back before COM is.
    manager: INetworkCostManager,
    _com: Com,
}

impl Networks {
    fn open() -> windows::core::Result<Self> {
        let com = Com::enter()?;
        #[allow(unsafe_code, reason = "networks are only told by COM")]
        // SAFETY: the pointer is to a constant, and COM is there for this thread until what it gives is given back.
        let manager = unsafe { CoCreateInstance(&NetworkListManager, None, CLSCTX_ALL)? };
        Ok(Self { manager, _com: com })
    }

    /// What the machine's connection to the internet costs.
    fn cost(&self) -> windows::core::Result<u32> {
        let mut cost = 0;
        #[allow(unsafe_code, reason = "networks are only told by COM")]
        // SAFETY: the pointer is to a number of the type that is filled in, which lives through the call; without an address
        // it is the machine's cost.
        unsafe {
            self.manager.GetCost(&raw mut cost, std::ptr::null())?;
        }
        Ok(cost)
    }
}

/// COM, for as long as this lives and for this thread.
struct Com {
    /// Whether it is ours to leave.
    is_entered: bool,
    /// It must not be left by another thread.
    _of_this_thread: PhantomData<*const ()>,
}

impl Com {
    fn enter() -> windows::core::Result<Self> {
        use windows::Win32::Foundation::RPC_E_CHANGED_MODE;

        #[allow(unsafe_code, reason = "COM is only entered by its own interface")]
        // SAFETY: nothing is pointed to; it is left as often as it is entered.
        let entered = unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) };
        // A thread that is in an apartment of another kind has COM all the same.
        let is_entered = entered != RPC_E_CHANGED_MODE;
        if is_entered {
            entered.ok()?;
        }
        Ok(Self { is_entered, _of_this_thread: PhantomData })
    }
}

impl Drop for Com {
    fn drop(&mut self) {
        if self.is_entered {
            #[allow(unsafe_code, reason = "COM is only left by its own interface")]
            // SAFETY: this thread has entered it, and leaves it once.
            unsafe {
                CoUninitialize();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};

    use lull_types::GuardRules;

    use super::*;
    use crate::Watched;

    /// Bound on what takes milliseconds.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// What is not told within this is not told.
    const SILENCE: Duration = Duration::from_millis(300);

    #[test]
    fn what_costs_by_what_is_sent_is_metered() {
        for (cost, metered) in [
            (0, false),
            (1, false),
            (2, true),
            (4, true),
            (1 | 0x2_0000, false),
            (1 | 0x8_0000, false),
            (1 | 0x1_0000, true),
            (1 | 0x4_0000, true),
            (2 | 0x8_0000, true),
        ] {
            assert_eq!(is_metered(cost), metered, "{cost:#x}");
        }
    }

    #[test]
    fn this_machine_tells_once_while_it_is_wanted_or_is_not_asked() {
        let Some(mut probe) = Metered::by_system() else {
            println!("SKIPPED: this Windows has no list of networks");
            return;
        };
        let watch = Watch::default();
        let wanted = |metered| Watched {
            rules: GuardRules { metered, ..GuardRules::default() },
            ..Watched::default()
        };
        watch.tell(wanted(false));
        let (tell, told) = channel();
        std::thread::spawn({
            let watch = watch.clone();
            move || {
                while tell.send(probe.next(&watch)).is_ok() {}
            }
        });
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout), "it is not wanted");
        watch.tell(wanted(true));
        let seen = told.recv_timeout(PATIENCE);
        assert!(matches!(seen, Ok(Ok(Observation::Metered(_)))), "{seen:?}");
        println!("{seen:?}");
        // What is no news is not told, however often it is looked.
        watch.tell(Watched { at_work: true, ..wanted(true) });
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
    }
}
