//! Whoever claims what it does not have, against the real network.

use std::time::{Duration, Instant};

use lull_checks::product::{Product, Reference};
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{Fault, WalletAddress};

use crate::customers::{sample_job, submit};
use crate::process::Network;
use crate::worker::{Device, Dialer, Hardware, Session};

/// Eight lanes, the least that is asked for.
const GIGABYTES: f64 = 0.05;

/// What was found of the device, and which claims were lowered before the timing ended.
async fn found(session: &mut Session) -> (f64, Option<u64>, Vec<Fault>) {
    session.say(WorkerMessage::WantWork { device: 0 }).await;
    let (gigaflops, memory) = session
        .until(|message| match message {
            NetworkMessage::Timed { device: 0, gigaflops, memory_bytes } => Some((*gigaflops, *memory_bytes)),
            _ => None,
        })
        .await;
    let mut lowered = Vec::new();
    loop {
        let next = session
            .until(|message| match message {
                NetworkMessage::ClaimLowered { device: 0, reason } => Some(Some(reason.clone())),
                NetworkMessage::WorkWaiting => Some(None),
                _ => None,
            })
            .await;
        match next {
            Some(reason) => lowered.push(reason),
            None => return (gigaflops, memory, lowered),
        }
    }
}

async fn network(folder: &tempfile::TempDir) -> Network {
    let network = Network::start(folder.path(), &[]);
    let customer = network.add_customer("Ada", 1_000);
    submit(&customer, &sample_job(&customer).await).await;
    network
}

#[tokio::test]
async fn memory_that_is_there_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&folder).await;
    let dialer = Dialer::new().await;
    let mut honest = dialer.open(&network.ticket()).await;
    honest.enrol_with(0.02, GIGABYTES).await;
    let (_, memory, lowered) = found(&mut honest).await;
    assert_eq!((memory, lowered), (Some(8 << 22), Vec::new()));
    honest.work().await;

    // Half of what was measured is in use by something else now.
    let dialer = Dialer::new().await;
    let mut small = dialer.open_with(&network.ticket(), Device::HasLanes(5)).await;
    small.enrol_with(0.02, GIGABYTES).await;
    let (_, memory, lowered) = found(&mut small).await;
    assert_eq!(memory, Some(4 << 22));
    assert_eq!(lowered[0].code, "memory_not_free", "{lowered:?}");
}

#[tokio::test]
async fn late_and_made_up_look_ups_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&folder).await;
    let dialer = Dialer::new().await;
    let late = Device::LooksUpLate(Duration::from_millis(1_400));
    let mut late = dialer.open_with(&network.ticket(), late).await;
    late.enrol_with(0.02, GIGABYTES).await;
    let (_, memory, lowered) = found(&mut late).await;
    assert_eq!(memory, Some(0));
    assert_eq!(lowered[0].code, "memory_too_slow", "{lowered:?}");
    late.work().await;

    let dialer = Dialer::new().await;
    let mut half = dialer.open_with(&network.ticket(), Device::KeepsHalf).await;
    half.enrol_with(0.02, GIGABYTES).await;
    let reason = half.idle_for_another_reason("being_timed").await;
    assert_eq!(reason.code, "memory_wrong", "{reason}");
}

#[tokio::test]
async fn a_processor_in_place_of_a_gpu_is_told_what_it_was_found_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&folder).await;
    let speed = processor_gigaflops();
    let claim = 5.0 * speed;
    let dialer = Dialer::new().await;
    let mut cheat = dialer.open(&network.ticket()).await;
    cheat.enrol_with(claim, 0.0).await;
    let (gigaflops, _, lowered) = found(&mut cheat).await;
    assert!(gigaflops < claim / 2.0, "{gigaflops} of {claim}");
    assert_eq!(lowered[0].code, "claim_lowered");
    for figure in [claim, gigaflops] {
        assert!(lowered[0].sentence.contains(&format!("{figure:.1}")), "{}", lowered[0].sentence);
    }
    cheat.work().await;
}

#[tokio::test]
async fn one_device_does_not_count_twice_for_one_wallet() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&folder).await;
    // As fast as the device is, and so slow that any processor can pretend to be it.
    let claim = 0.05;
    let device = Device::Paced(1.0 / claim);
    let wallet: WalletAddress = "7EqQdEULxWcraVx3mXKFjc84LhCkMGZCkRuDpvcMwJeK".parse().unwrap();
    let hardware = Hardware::default();
    let (first, second) = (Dialer::new().await, Dialer::new().await);
    let mut one = first.open_on(&network.ticket(), device, hardware.clone()).await;
    let mut two = second.open_on(&network.ticket(), device, hardware).await;
    for session in [&mut one, &mut two] {
        session.enrol_with(claim, 0.0).await;
        session.say(WorkerMessage::SetWallet(Some(wallet))).await;
        session.until(|message| matches!(message, NetworkMessage::WalletSet(_)).then_some(())).await;
    }
    let ((of_one, ..), (of_two, ..)) = tokio::join!(found(&mut one), found(&mut two));
    // Were they separate, each would be found at its claim.
    assert!(of_one + of_two < 1.5 * claim, "{of_one} and {of_two}, and the device does {claim}");
    assert!(of_one.min(of_two) < 0.6 * claim, "{of_one} and {of_two}, and the device does {claim}");
}

/// What a thread of this machine's processor does of the product that such claims lead to.
fn processor_gigaflops() -> f64 {
    let product = Product { seed: [1; 32], side: 256, panels: 4 };
    let began = Instant::now();
    drop(std::hint::black_box(Reference::compute(product)));
    product.operations() / began.elapsed().as_secs_f64() / 1e9
}
