//! Samples what the devices are doing, while somebody wants to know.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use lull_types::DeviceInfo;
use tokio::sync::{mpsc, watch};

use super::recorder::SharedSource;
use crate::telemetry::Reading;

/// While an assignment runs: its energy is the sum over these.
const INTERVAL_WORKING: Duration = Duration::from_secs(1);

/// While somebody only looks on: graphs that move, at a five-hundredth of a per cent of a core.
const INTERVAL_WATCHED: Duration = Duration::from_secs(5);

/// What to sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub devices: Vec<DeviceInfo>,
    pub working: bool,
    pub watched: bool,
    /// A device is held free until it is cooler or quieter.
    pub cooling: bool,
}

impl Plan {
    fn interval(&self) -> Option<Duration> {
        match self {
            Self { devices, .. } if devices.is_empty() => None,
            Self { working: true, .. } => Some(INTERVAL_WORKING),
            Self { watched: true, .. } | Self { cooling: true, .. } => Some(INTERVAL_WATCHED),
            Self { .. } => None,
        }
    }
}

/// By device index.
pub(super) type Samples = BTreeMap<u32, Reading>;

/// Samples by the latest plan until the shell is gone. Without a reason to, it sleeps and takes no time at all.
pub(super) async fn run(
    source: SharedSource,
    mut plans: watch::Receiver<Plan>,
    samples: mpsc::Sender<Samples>,
) {
    loop {
        let plan = plans.borrow_and_update().clone();
        let Some(interval) = plan.interval() else {
            if plans.changed().await.is_err() {
                return;
            }
            continue;
        };
        let devices = plan.devices;
        let shared = Arc::clone(&source);
        // Drivers block; some for tens of milliseconds when a device wakes up.
        let sampled = tokio::task::spawn_blocking(move || {
            let mut source = shared.lock().unwrap_or_else(PoisonError::into_inner);
            devices.iter().map(|device| (device.index, source.sample(device))).collect::<Samples>()
        });
        let Ok(sampled) = sampled.await else { return };
        if samples.send(sampled).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            changed = plans.changed() => if changed.is_err() { return },
        }
    }
}
