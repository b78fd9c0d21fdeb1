//! Tables of what the engine does, input by input. The simulation in `tests/simulation` does the rest.

mod accounts;
mod enrolment;
mod funds;
mod jobs;
mod money;
mod payouts;
mod prices;
mod refusals;
pub(crate) mod rig;
mod scheduling;
mod shifts;
mod standing;
mod timing;
mod verification;
mod wallets;
