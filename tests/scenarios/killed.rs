//! Processes killed at bad moments: nothing is lost, nothing is paid twice, and work resumes.

use anyhow::Result;
use lull_tests::{Machine, Network, eventually, settled, spin_task};
use lull_types::wgsl::WgslTask;
use lull_worker_api::{AssignmentStage, Snapshot, StateView};

const PRICE: u64 = 700;

/// Tasks of about a second each on two cores of a processor.
fn long_tasks(count: u32) -> Vec<WgslTask> {
    (0..count).map(|seed| spin_task(seed, 2_048, 20_000)).collect()
}

fn runs(snapshot: &Snapshot) -> bool {
    matches!(&snapshot.state, StateView::Working { assignments }
        if assignments.iter().any(|assignment| assignment.stage == AssignmentStage::Running))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_task_goes_on() -> Result<()> {
    let network = Network::start().await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let id = customer.submit("killed worker", &long_tasks(3), PRICE).await?;
    for _ in 0..2 {
        machine.until("a running task", runs).await?;
        let runtimes = machine.runtime_processes()?;
        machine.crash().await?;
        // No runtime may outlive its worker.
        eventually("the runtime's end", async || {
            let alive = |id: &u32| std::path::Path::new(&format!("/proc/{id}/fd")).read_dir().is_ok();
            Ok((!runtimes.iter().any(alive)).then_some(()))
        })
        .await?;
        machine.start().await?;
    }
    let job = customer.finished(id).await?;
    settled(&network, &machine, &job, 3, PRICE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_killed_in_the_middle_of_a_task_costs_only_time() -> Result<()> {
    let network = Network::start().await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let id = customer.submit("killed runtime", &long_tasks(2), PRICE).await?;
    machine.until("a running task", runs).await?;
    for runtime in machine.runtime_processes()? {
        let killed = tokio::process::Command::new("kill").args(["-9", &runtime.to_string()]).status().await?;
        assert!(killed.success());
    }
    let job = customer.finished(id).await?;
    settled(&network, &machine, &job, 2, PRICE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_killed_twice_pays_each_task_once() -> Result<()> {
    let mut network = Network::start().await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    // Short tasks, so that a kill meets a commit often.
    let tasks: Vec<_> = (0..24).map(|seed| spin_task(seed, 64, 1_000)).collect();
    let id = customer.submit("killed network", &tasks, PRICE).await?;
    for done in [3, 12] {
        eventually("some accepted tasks", async || {
            Ok(customer.job(id).await.ok().filter(|job| job.tasks_done >= done))
        })
        .await?;
        network.crash_and_restart().await?;
    }
    let job = customer.finished(id).await?;
    settled(&network, &machine, &job, 24, PRICE).await
}
