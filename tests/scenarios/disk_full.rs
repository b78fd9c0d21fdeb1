//! A full disk, on either side: work stops with a reason, and goes on by itself once there is room.

use anyhow::Result;
use lull_network_api::customer::JobState;
use lull_tests::{Customer, Machine, Network, SmallDisk, eventually, settled, spin_task};
use lull_types::{Cause, Guard, GuardRules, JobId};
use lull_worker_api::{Command, SettingsChange, StateView};

const PRICE: u64 = 700;
const TASKS: u32 = 24;

/// Room for a worker's journal and the blobs of [`TASKS`], many times over.
const WORKER_DISK_MEBIBYTES: u32 = 64;
/// The same for a network, which leaves 512 MiB of a disk to its ledger.
const NETWORK_DISK_MEBIBYTES: u32 = 640;

async fn some_tasks(customer: &Customer) -> Result<JobId> {
    let tasks: Vec<_> = (0..TASKS).map(|seed| spin_task(seed, 64, 1_000)).collect();
    let id = customer.submit("full disk", &tasks, PRICE).await?;
    eventually("some accepted tasks", async || Ok((customer.job(id).await?.tasks_done >= 3).then_some(())))
        .await?;
    Ok(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_disk_is_full_says_so_and_loses_nothing() -> Result<()> {
    let Some(disk) = SmallDisk::mount(WORKER_DISK_MEBIBYTES)? else {
        eprintln!("SKIPPED: a small disk cannot be mounted here");
        return Ok(());
    };
    let network = Network::start().await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?.with_data(disk.path().join("data"));
    machine.join(network.ticket()).await?;
    // A guard stops work long before the disk is full. Without it, and where something else fills the disk at once, it is.
    machine
        .until("word of the small disk", |snapshot| {
            let is_disk =
                |cause: &Cause| matches!(cause, Cause::Guard(held) if held.trip.guard() == Guard::Disk);
            matches!(&snapshot.state, StateView::Yielding { causes, .. } if causes.iter().any(is_disk))
        })
        .await?;
    let guards = GuardRules { disk_free_gib: None, ..GuardRules::default() };
    machine
        .order(Command::Configure(Box::new(SettingsChange {
            guards: Some(guards),
            ..SettingsChange::default()
        })))
        .await?;
    let id = some_tasks(&customer).await?;

    disk.fill()?;
    machine
        .until("word of the full disk", |snapshot| {
            matches!(&snapshot.state, StateView::Faulted { fault, .. } if fault.code == "disk_full")
        })
        .await?;
    let done = customer.job(id).await?.tasks_done;
    assert!(done < TASKS, "the disk was filled in the middle of the work");

    // Killed with a full disk, it comes back and says the same.
    machine.crash().await?;
    machine.start().await?;
    machine
        .until("word of the full disk after a start", |snapshot| {
            matches!(&snapshot.state, StateView::Faulted { .. })
        })
        .await?;

    disk.free()?;
    let job = customer.finished(id).await?;
    settled(&network, &machine, &job, TASKS, PRICE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_whose_disk_is_full_says_so_and_loses_nothing() -> Result<()> {
    let Some(disk) = SmallDisk::mount(NETWORK_DISK_MEBIBYTES)? else {
        eprintln!("SKIPPED: a small disk cannot be mounted here");
        return Ok(());
    };
    let mut network = Network::start_at(disk.path().join("network")).await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let id = some_tasks(&customer).await?;

    disk.fill()?;
    let refused = customer.submit("while it is full", &[spin_task(99, 64, 1_000)], PRICE).await;
    let refused = refused.expect_err("there is no room for another job").to_string();
    assert!(refused.contains("disk_full"), "{refused}");
    let job = customer.job(id).await?;
    assert!(job.state == JobState::Running && job.tasks_done < TASKS, "{job:?}");

    network.crash().await?;
    disk.free()?;
    network.restart().await?;
    let job = customer.finished(id).await?;
    settled(&network, &machine, &job, TASKS, PRICE).await
}
