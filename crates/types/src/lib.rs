//! Ids, units, nouns and signatures that every room of Lull shares. Pure: no IO, no clock, no global randomness.

mod benchmark;
mod chain;
mod device;
mod fault;
mod guard;
mod hash;
mod id;
pub mod infer;
mod key;
mod money;
mod payout;
mod picture;
mod receipt;
mod sandbox;
mod score;
mod statistics;
mod tariff;
mod time;
mod wallet;
pub mod wgsl;

pub use benchmark::{Axis, BenchmarkReport, CurvePoint, Measure, Measurement, Skipped, TelemetryPoint, Unit};
pub use chain::{Base58Error, ChainAddress, TransactionSignature};
pub use device::{DeviceClass, DeviceInfo, DeviceKind, DeviceTelemetry, HardwareReport};
pub use fault::{Coded, Fault};
pub use guard::{
    AWAY_MINUTES_MAX, ActiveTrip, Cause, DATA_CAP_GB_MAX, DataCaps, DataDay, DataDirection, DataMoved, GB,
    GpuNeed, Guard, GuardRules, GuardState, HeatLimits, HeatSensor, Loudness, PROGRAMS_MAX, PauseUntil,
    PowerLimit, QuietLimits, RulesError, Trip, WeekHours,
};
pub use hash::BlobHash;
pub use id::{AssignmentId, CustomerId, DepositId, IdError, JobId, NetworkId, TaskId, WorkerId};
pub use infer::JOB_KIND_INFER;
pub use key::{Domain, KeyError, SecretKey, Signature};
pub use money::{BaseUnits, MoneyError};
pub use payout::{
    AnchoredEpoch, ChainPlace, EarningsProof, NextPayout, PAYOUTS_TOLD_MAX, Payout, PayoutStage,
    PayoutStanding, WalletEarnings,
};
pub use picture::PictureTile;
pub use receipt::{CountersignedReceipt, Receipt, ReceiptLeaf, SignedReceipt};
pub use sandbox::SandboxPart;
pub use score::{Score, WorkClass};
pub use tariff::{
    BANDS_MAX, DAY_MINUTES, FACTOR_ONE, MICRO_PER_KWH_MAX, MICRO_PER_KWH_MIN, PriceSource, Tariff,
    TariffBand, TariffError, tariff_or_price,
};
pub use time::UnixMillis;
pub use wallet::{NextWallet, PaidFrom, WalletAddress, WalletAddressError, WalletStanding, WalletStatement};

/// The name of a job kind with its version, such as `wgsl/1`.
pub const JOB_KIND_WGSL: &str = "wgsl/1";
