//! What a newcomer sees, and what a customer gets.

use anyhow::{Result, ensure};
use lull_network_api::customer::JobState;
use lull_tests::{Machine, Network, spin_task, spin_value};

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_earns_in_the_terminal() -> Result<()> {
    let machine = Machine::new()?;
    let (succeeded, printed) = machine.command_line(&["run", "--practice", "--tasks", "3"]).await?;
    ensure!(succeeded, "{printed}");
    let (succeeded, verdict) = machine.command_line(&["receipts", "verify"]).await?;
    ensure!(succeeded, "{printed}\n{verdict}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_gets_right_results_and_a_worker_its_pay() -> Result<()> {
    let network = Network::start().await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;

    let tasks: Vec<_> = (0..6).map(|seed| spin_task(seed, 16, 100)).collect();
    let id = customer.submit("six spins", &tasks, 1_500).await?;
    let job = customer.finished(id).await?;
    assert_eq!((job.state, job.tasks_done, job.spent.0, job.reserved.0), (JobState::Done, 6, 9_000, 0));

    let results = customer.results(id).await?;
    assert_eq!(results.len(), 6);
    for result in results {
        let words = customer.blob(result.outputs[0]).await?;
        let expected: Vec<u8> =
            (0..16 * 64).flat_map(|index| spin_value(result.index, index, 100).to_le_bytes()).collect();
        assert!(words == expected, "task {} has a wrong result", result.index);
    }

    machine.until("six receipts", |snapshot| snapshot.earnings.receipts == 6).await?;
    assert_eq!(machine.verified_receipts().await?, (6, 9_000));
    assert_eq!(customer.account().await?.deposit.0, 1_000_000 - 9_000);

    // The customer holds, without asking anyone to be believed, what the worker was paid for.
    let proof = lull_tests::eventually("every countersignature", async || {
        Ok(Some(customer.proof(id).await?).filter(|proof| proof.receipts.len() == 6))
    })
    .await?;
    for receipt in &proof.receipts {
        lull_checks::receipts::verify_countersigned(receipt)?;
    }
    let paid: u64 = proof.receipts.iter().map(|receipt| receipt.signed.leaf.amount.0).sum();
    assert_eq!(paid, 9_000);
    Ok(())
}
