//! What workers do: from enrolment to a receipt, checked by a second worker of like class.

use lull_network_api::customer::{Job, JobState, ProofBundle, TaskResult};
use lull_network_api::{NetworkMessage, Verdict, WorkerMessage};
use lull_types::wgsl::WgslTask;
use lull_types::{AssignmentId, BaseUnits, BlobHash, Domain, PictureTile, SignedReceipt};

use crate::customers::{sample_job, submit};
use crate::process::Network;
use crate::worker::{Device, Dialer, Session};

/// What a tile holds in these tests: no rendering, but nearly the same bytes from every honest worker.
fn pixels(tile: &PictureTile, shade: u8) -> Vec<u8> {
    [tile.x as u8, tile.y as u8, shade, 255].repeat(tile.bytes() / 4)
}

pub async fn do_one(session: &mut Session, shade: u8) -> (AssignmentId, PictureTile) {
    let assignment = session.work().await;
    let payload = session.get(assignment.payload).await.unwrap();
    assert_eq!(BlobHash::of(&payload), assignment.payload);
    let task: WgslTask = serde_json::from_slice(&payload).unwrap();
    for input in task.input_blobs() {
        assert_eq!(BlobHash::of(&session.get(input).await.unwrap()), input);
    }
    let tile = assignment.picture.unwrap();
    let output = pixels(&tile, shade);
    session.put(BlobHash::of(&output), &output).await.unwrap();
    let outputs = vec![BlobHash::of(&output)];
    session.say(WorkerMessage::Report { assignment: assignment.id, outputs, ran_ms: 5 }).await;
    let id = assignment.id;
    session
        .until(|message| match message {
            NetworkMessage::ReportReceived { assignment } if *assignment == id => Some(()),
            NetworkMessage::Refused { fault, .. } => panic!("{fault}"),
            _ => None,
        })
        .await;
    (id, tile)
}

async fn receipt(session: &mut Session) -> SignedReceipt {
    session
        .until(|message| match message {
            NetworkMessage::Receipt(receipt) => Some((**receipt).clone()),
            NetworkMessage::Verdict { verdict: Verdict::Rejected { difference, .. }, .. } => {
                panic!("{difference}")
            }
            _ => None,
        })
        .await
}

#[tokio::test]
async fn two_workers_that_agree_are_paid_and_the_customer_gets_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let ticket = network.ticket();
    let customer = network.add_customer("Ada", 1_000);
    let mut new = sample_job(&customer).await;
    new.tasks.truncate(1);
    let (_, job) = submit(&customer, &new).await;

    let (first, second) = (Dialer::new().await, Dialer::new().await);
    let (mut one, mut two) = (first.open(&ticket).await, second.open(&ticket).await);
    one.enrol().await;
    two.enrol().await;
    let (mine, tile) = do_one(&mut one, 200).await;
    // Without a trusted runtime the report waits for another worker of like class, whose outputs are compared
    // within the task's tolerance.
    let (others, _) = do_one(&mut two, 201).await;
    assert_ne!(mine, others);
    for (dialer, session, assignment) in [(&first, &mut one, mine), (&second, &mut two, others)] {
        let signed = receipt(session).await;
        assert_eq!(signed.leaf.assignment, assignment);
        assert_eq!((signed.receipt.nonce, signed.receipt.cumulative), (1, BaseUnits(100)));
        let countersigned = lull_checks::receipts::countersign(&dialer.key, &signed);
        lull_checks::receipts::verify_countersigned(&countersigned).unwrap();
        let signature = dialer.key.sign(Domain::ReceiptCountersign, &signed.receipt.canonical());
        session.say(WorkerMessage::Countersign { lane: 0, nonce: 1, signature }).await;
    }

    let done: Job = customer.json(&format!("/v1/jobs/{}", job.id)).await;
    assert_eq!((done.state, done.tasks_done, done.spent), (JobState::Done, 1, BaseUnits(100)));
    let results: Vec<TaskResult> = customer.json(&format!("/v1/jobs/{}/results", job.id)).await;
    assert!(results[0].checked);
    let output = customer.get(&format!("/v1/blobs/{}", results[0].outputs[0])).await.bytes().await.unwrap();
    assert_eq!(output, pixels(&tile, 200), "the first report is the result");
    let picture = customer.get(&format!("/v1/jobs/{}/picture.png", job.id)).await.bytes().await.unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&picture)).read_info().unwrap();
    let mut shown = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut shown).unwrap();
    let at = (tile.y as usize * 512 + tile.x as usize) * 4;
    assert_eq!(shown[at..at + 4], pixels(&tile, 200)[..4]);
    // The countersignatures are on their way; the proof holds them once they are stored.
    crate::worker::within(async {
        loop {
            let proof: ProofBundle = customer.json(&format!("/v1/jobs/{}/proof", job.id)).await;
            if proof.receipts.len() == 2 {
                for receipt in &proof.receipts {
                    lull_checks::receipts::verify_countersigned(receipt).unwrap();
                }
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(network.metrics().await.contains("lull_checks_total{outcome=\"match\"} 1"));

    // What was withdrawn by time and death: a receipt that is not held is sent again.
    drop(one);
    let mut again = first.open(&ticket).await;
    assert_eq!(receipt(&mut again).await.receipt.nonce, 1);
}

#[tokio::test]
async fn devices_are_timed_before_they_get_work() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let ticket = network.ticket();
    let customer = network.add_customer("Ada", 1_000);
    submit(&customer, &sample_job(&customer).await).await;

    let honest = Dialer::new().await;
    let mut session = honest.open(&ticket).await;
    session.enrol().await;
    session.say(WorkerMessage::WantWork { device: 0 }).await;
    let timed = |message: &NetworkMessage| match message {
        NetworkMessage::Timed { device: 0, gigaflops, .. } => Some(*gigaflops),
        _ => None,
    };
    let gigaflops = session.until(timed).await;
    assert!(gigaflops > 0.0 && gigaflops <= 0.02, "no more than was claimed: {gigaflops}");
    session.work().await;
    // It is remembered.
    let mut again = honest.open_with(&ticket, Device::Nothing).await;
    again.enrol().await;
    assert_eq!(again.until(timed).await, gigaflops);

    for (device, code) in [(Device::Nothing, "product_not_committed"), (Device::Replays, "product_wrong")] {
        let dialer = Dialer::new().await;
        let mut cheat = dialer.open_with(&ticket, device).await;
        cheat.enrol().await;
        let reason = cheat.idle_for_another_reason("being_timed").await;
        assert_eq!(reason.code, code, "{reason}");
    }
    let dialer = Dialer::new().await;
    let mut busy = dialer.open_with(&ticket, Device::Busy).await;
    busy.enrol().await;
    let reason = busy.idle_for_another_reason("").await;
    assert_eq!(reason.code, "being_timed", "nothing is held against it");
}

#[tokio::test]
async fn blobs_are_given_for_open_assignments_alone() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let ticket = network.ticket();
    let customer = network.add_customer("Ada", 1_000);
    let new = sample_job(&customer).await;
    submit(&customer, &new).await;
    let (worker, stranger) = (Dialer::new().await, Dialer::new().await);
    let (mut session, other) = (worker.open(&ticket).await, stranger.open(&ticket).await);
    session.enrol().await;
    let code = |result: Result<Vec<u8>, lull_types::Fault>| result.unwrap_err().code;
    assert_eq!(code(session.get(new.tasks[0].payload).await), "blob_not_assigned", "nothing is assigned yet");
    let hash = BlobHash::of(b"x");
    assert_eq!(session.put(hash, b"x").await.unwrap_err().code, "no_open_assignment");

    let assignment = session.work().await;
    assert!(session.get(assignment.payload).await.is_ok());
    assert_eq!(code(other.get(assignment.payload).await), "blob_not_assigned", "it is another worker's");
    assert_eq!(other.put(hash, b"x").await.unwrap_err().code, "no_open_assignment");
    assert_eq!(session.put(hash, b"y").await.unwrap_err().code, "blob_wrong_hash");
    assert!(session.put(hash, b"x").await.is_ok());

    // Somebody else's assignment, one that is not there, and outputs that were not put.
    let mut other = other;
    other.enrol().await;
    let report = |outputs| WorkerMessage::Report { assignment: assignment.id, outputs, ran_ms: 1 };
    other.say(report(vec![hash])).await;
    assert_eq!(other.refused().await.code, "assignment_not_yours");
    session.say(report(vec![BlobHash::of(b"never put")])).await;
    assert_eq!(session.refused().await.code, "output_missing");
}
