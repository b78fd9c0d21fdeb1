//! What must hold when a job is over, whatever happened on the way.

use anyhow::{Result, ensure};
use lull_network_api::customer::{Job, JobState};

use crate::{Machine, Network};

/// Checks that a job of `count` tasks, all run by one machine, was done, and that each task was paid once, at
/// `price` base units: as the customer, the contributor and the network's ledger say it.
///
/// # Errors
/// When anyone says otherwise, or the receipts do not come.
pub async fn settled(network: &Network, machine: &Machine, job: &Job, count: u32, price: u64) -> Result<()> {
    ensure!((job.state, job.tasks_done) == (JobState::Done, count), "{job:?}");
    let earned = u64::from(count) * price;
    ensure!((job.spent.0, job.reserved.0) == (earned, 0), "{job:?}");
    machine.until("every receipt", |snapshot| snapshot.earnings.receipts >= count).await?;
    let verified = machine.verified_receipts().await?;
    ensure!(verified == (count, earned), "each task is paid once: {verified:?}");
    let metrics = network.metrics().await?;
    let accounts = metrics.iter().filter(|(name, _)| name.starts_with("lull_ledger_base_units{"));
    let balances: Vec<f64> = accounts.map(|(_, balance)| *balance).collect();
    ensure!(balances.len() > 4, "{metrics:?}");
    ensure!(balances.iter().sum::<f64>() == 0.0, "the ledger does not sum to zero: {balances:?}");
    Ok(())
}
