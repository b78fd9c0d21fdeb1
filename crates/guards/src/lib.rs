//! When the GPU must be free: the pure policy, and the probes per operating system.
//!
//! ```text
//! probes ─Observation→ Policy (rules, the pause by hand) ─Stand→ the worker's machine
//! ```
//! A *guard* is a reason for which the GPU must be free now. The contributor's own pause is one that is always there; for
//! every other a [`Probe`] watches the machine. [`judge`] says what an [`Observation`] means by the contributor's rules, and [`Policy`] turns all of
//! it into one answer for each device: what holds the GPU free, and when that can change by itself.

mod clock;
mod data_use;
pub mod gpu_use;
mod hours;
mod margin;
mod observation;
mod pace;
mod policy;
#[cfg(feature = "probes")]
pub mod probes;
pub mod tariff;
mod watch;

pub use data_use::{DATA_QUARTER_MS, DataMonth, DataRoom, data_need, days as data_days};
pub use jiff::tz::TimeZone;
pub use margin::{LaterPower, Margin};
pub use observation::{
    Before, Draw, FullScreen, GpuUse, HEAT_CLEARS_BELOW, Judgement, Observation, Person, Power, Temperatures,
    is_same_program, judge,
};
pub use pace::{Pace, SLOWEST, STRAIN_MAX};
pub use policy::{Policy, RESUME_DELAY, Stand};
#[cfg(feature = "probes")]
pub use probes::{Probe, ProbeError};
pub use watch::{Watch, Watched};
