//! What a network tells of payouts: kept as it was said, within bounds, and told to a person once.

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{
    AnchoredEpoch, BaseUnits, EarningsProof, PAYOUTS_TOLD_MAX, Payout, PayoutStage, PayoutStanding,
    UnixMillis,
};

use super::bench::Bench;
use super::fixture::{fault, network_key, paid_wallet, payout, standing};
use crate::machine::{Effect, Input, Order, PAYOUTS_KEPT, ProofAnswer, Record, Restored, ToldPayouts};

fn told(bench: &mut Bench, standing: PayoutStanding) {
    bench.said(NetworkMessage::Payouts(Box::new(standing)));
}

fn notices(bench: &Bench) -> Vec<String> {
    let told = bench.last.iter().filter_map(|effect| match effect {
        Effect::Notify(notice) => Some(format!("{}: {}", notice.code, notice.sentence)),
        _ => None,
    });
    told.collect()
}

fn written(bench: &Bench) -> Vec<Record> {
    let written = bench.last.iter().filter_map(|effect| match effect {
        Effect::Journal(records) => Some(records.clone()),
        _ => None,
    });
    written.flatten().collect()
}

fn kept(bench: &Bench) -> ToldPayouts {
    bench.machine.payout_facts().unwrap().told
}

#[test]
fn a_payout_is_told_once_when_it_arrives() {
    let mut bench = Bench::up(1);
    let stages = [PayoutStage::Planned, PayoutStage::Signed, PayoutStage::Sent, PayoutStage::Expired];
    for stage in stages {
        told(&mut bench, standing(vec![payout(1, stage)]));
        assert_eq!(notices(&bench), Vec::<String>::new(), "{stage:?}");
        assert_eq!(written(&bench).len(), 2, "the payout and how payouts stand");
    }
    told(&mut bench, standing(vec![payout(1, PayoutStage::Confirmed)]));
    let sentence = "payout_confirmed: 0.420000 practice USDC, without value, arrived in your wallet.";
    assert_eq!(notices(&bench), [sentence]);
    let view = bench.machine.view(UnixMillis(bench.now), 0);
    assert_eq!(view.payouts, Some(standing(vec![payout(1, PayoutStage::Confirmed)])));

    // Said again, and on another session, it changes nothing.
    told(&mut bench, standing(vec![payout(1, PayoutStage::Confirmed)]));
    assert_eq!(written(&bench), []);
    // Several that came meanwhile are one notice.
    told(&mut bench, standing((1..=3).rev().map(|id| payout(id, PayoutStage::Confirmed)).collect()));
    let both =
        "payout_confirmed: 0.840000 practice USDC, without value, arrived in your wallet, in 2 payouts.";
    assert_eq!(notices(&bench), [both]);
    // One that is too old to be told of any more is still kept.
    told(&mut bench, standing(vec![payout(3, PayoutStage::Confirmed)]));
    assert_eq!(kept(&bench).payouts.len(), 3);
}

#[test]
fn what_was_told_is_there_without_a_connection() {
    let told_before = ToldPayouts {
        standing: Some(standing(vec![payout(1, PayoutStage::Confirmed)])),
        payouts: [(1, payout(1, PayoutStage::Confirmed))].into(),
    };
    let payouts = [(network_key().network_id(), told_before.clone())].into();
    let mut bench = Bench::start(Restored { payouts, ..Bench::joined(1) });
    assert_eq!(bench.machine.view(UnixMillis(bench.now), 0).payouts, told_before.standing);
    // Of another network it is nothing.
    bench.order(Order::Join(Some(super::fixture::other_ticket())));
    assert_eq!(bench.machine.view(UnixMillis(bench.now), 0).payouts, None);
}

#[test]
fn a_network_does_not_take_back_what_arrived() {
    let mut bench = Bench::up(1);
    told(&mut bench, standing(vec![payout(1, PayoutStage::Confirmed)]));
    let lies: [fn(&mut Payout); 4] = [
        |payout| payout.stage = PayoutStage::Failed,
        |payout| payout.amount = BaseUnits(1),
        |payout| payout.signature = None,
        |payout| payout.at = UnixMillis(u64::MAX),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let mut changed = payout(1, PayoutStage::Confirmed);
        lie(&mut changed);
        told(&mut bench, standing(vec![changed]));
        assert_eq!(kept(&bench).payouts[&1], payout(1, PayoutStage::Confirmed));
        // The same problem is told once an hour.
        let problems = notices(&bench).iter().filter(|notice| notice.starts_with("payout_changed")).count();
        assert_eq!(problems, usize::from(number == 0));
    }
}

#[test]
fn a_hostile_network_fills_neither_memory_nor_disk() {
    let mut bench = Bench::up(1);
    let mut hostile = standing((1..=1000).map(|id| payout(id, PayoutStage::Planned)).collect());
    hostile.wallets =
        vec![
            lull_types::WalletEarnings { wallet: paid_wallet(), lifetime: BaseUnits(1), paid: BaseUnits(0) };
            1000
        ];
    let place = hostile.place.as_mut().unwrap();
    place.cluster = "\u{1b}[2J".repeat(1000);
    place.endpoint = Some(format!("https://{}", "a".repeat(10_000)));
    told(&mut bench, hostile);
    let standing_kept = kept(&bench).standing.unwrap();
    assert_eq!((standing_kept.payouts.len(), standing_kept.wallets.len()), (PAYOUTS_TOLD_MAX, 64));
    let place = standing_kept.place.unwrap();
    assert_eq!(place.endpoint, None);
    assert!(place.cluster.len() <= 64 && !place.cluster.contains('\u{1b}'), "{:?}", place.cluster);

    // Numbers that the journal cannot hold would have it fail for good.
    let mut beyond = standing(vec![payout(u64::MAX, PayoutStage::Planned)]);
    beyond.anchored = Some(AnchoredEpoch { epoch: u64::MAX, at: UnixMillis(0), signature: None });
    told(&mut bench, beyond);
    assert_eq!(kept(&bench).payouts.len(), PAYOUTS_TOLD_MAX);
    assert_eq!(kept(&bench).standing.unwrap().anchored, None);

    let mut next = 1_000;
    while kept(&bench).payouts.len() < PAYOUTS_KEPT {
        next += PAYOUTS_TOLD_MAX as u64;
        let many = (next..next + PAYOUTS_TOLD_MAX as u64).map(|id| payout(id, PayoutStage::Planned));
        told(&mut bench, standing(many.collect()));
    }
    assert_eq!(kept(&bench).payouts.len(), PAYOUTS_KEPT);
    // Those that are known still move on.
    told(
        &mut bench,
        standing(vec![payout(1, PayoutStage::Confirmed), payout(9_999_999, PayoutStage::Planned)]),
    );
    assert_eq!(kept(&bench).payouts[&1].stage, PayoutStage::Confirmed);
    assert_eq!(kept(&bench).payouts.len(), PAYOUTS_KEPT);
}

#[test]
fn a_threshold_is_told_to_the_network_alone() {
    let order = |least| Order::SetPayoutThreshold(least);
    let refused = |bench: &Bench, order: &Order| {
        bench.machine.check(order, UnixMillis(bench.now)).err().map(|fault| fault.code)
    };
    let away = Bench::start(Bench::joined(1));
    for order in [
        order(None),
        Order::WantProof { wallet: paid_wallet() },
        Order::TellClaimed { wallet: paid_wallet() },
    ] {
        assert_eq!(refused(&away, &order).as_deref(), Some("not_connected"));
    }
    let mut bench = Bench::up(1);
    // Before the network has said what it takes, it answers for itself.
    assert_eq!(refused(&bench, &order(Some(BaseUnits(1)))), None);
    told(&mut bench, standing(Vec::new()));
    assert_eq!(refused(&bench, &order(Some(BaseUnits(999)))).as_deref(), Some("threshold_too_low"));
    bench.order(order(Some(BaseUnits(1_000))));
    let sent = WorkerMessage::SetPayoutThreshold(Some(BaseUnits(1_000)));
    assert!(bench.sends(|message| *message == sent));
    bench.order(order(None));
    assert!(bench.sends(|message| *message == WorkerMessage::SetPayoutThreshold(None)));
}

#[test]
fn a_proof_answers_the_question_that_was_asked() {
    let proof = |siblings| EarningsProof {
        epoch: 1,
        wallet: paid_wallet(),
        lifetime: BaseUnits(5),
        root: [1; 32],
        siblings: vec![[2; 32]; siblings],
    };
    let said = |siblings| NetworkMessage::EarningsProof(Box::new(proof(siblings)));
    let mut bench = Bench::up(1);
    bench.said(said(3));
    assert_eq!(bench.machine.proof_answer(paid_wallet()), None, "nobody asked");
    let ask = || Order::WantProof { wallet: paid_wallet() };
    bench.order(ask());
    assert!(bench.sends(|message| *message == WorkerMessage::WantProof { wallet: paid_wallet() }));
    assert_eq!(bench.machine.proof_answer(paid_wallet()), Some(&ProofAnswer::Asked));
    bench.said(said(3)).said(said(4));
    assert_eq!(bench.machine.proof_answer(paid_wallet()), Some(&ProofAnswer::Told(Box::new(proof(3)))));

    bench.order(ask()).said(said(33));
    assert!(matches!(bench.machine.proof_answer(paid_wallet()), Some(ProofAnswer::Refused(_))));

    let refused = |code| NetworkMessage::Refused { assignment: None, fault: fault(code) };
    bench.order(ask()).said(refused("threshold_too_low"));
    assert_eq!(notices(&bench).len(), 1, "a refusal of something else is told");
    bench.said(refused("not_in_epoch"));
    assert_eq!(notices(&bench).len(), 0);
    assert_eq!(bench.machine.proof_answer(paid_wallet()), Some(&ProofAnswer::Refused(fault("not_in_epoch"))));

    bench.order(ask());
    let session = bench.machine.link.session.id().unwrap();
    bench.give(Input::SessionLost { session, fault: fault("network_lost") });
    assert_eq!(bench.machine.proof_answer(paid_wallet()), None);
}
