//! Payouts of the real distributor on the real practice ledger, looked at as a worker does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lull_checks::receipts::{Lane, countersign};
use lull_distributor::WITHDRAWAL_DELAY_S_MIN;
use lull_settlement::chain::svm::{Ledger, Options};
use lull_settlement::chain::{Account, Address, Chain, Signature};
use lull_settlement::compose::{self, Budget, Key, Place, RentedAccount};
use lull_settlement::epoch::{Anchor, Leaf, Leaves, Proof, Tree, associated_token_account};
use lull_settlement::verify::{self, Finding, ToldPayout};
use lull_types::{
    AnchoredEpoch, AssignmentId, BaseUnits, BlobHash, Coded, Payout, PayoutStage, PayoutStanding,
    ReceiptLeaf, SecretKey, TaskId, TransactionSignature, UnixMillis, WalletAddress, WalletEarnings,
};

use super::ask::Endpoint;
use super::books::books;
use super::{claim, told};
use crate::machine::tests::fixture;
use crate::machine::{PayoutFacts, Record, ToldPayouts};
use crate::shell::Store;

const AMPLE: Budget = Budget { price: 0, lamports_max: 1_000_000_000 };
/// What this worker's receipts add up to.
const EARNED: u64 = 1_250;
const FEE: u64 = 50;

/// A network on its ledger, and a worker with its journal.
struct Stage {
    ledger: Ledger,
    now_ms: Arc<AtomicU64>,
    place: Place,
    treasury: Key,
    worker: SecretKey,
    wallet_key: Key,
    store: Store,
    facts: PayoutFacts,
    // The last, so that its files outlive those who have them open.
    _folder: tempfile::TempDir,
}

fn network() -> SecretKey {
    SecretKey::from_bytes(&[11; 32])
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
        let clock = Arc::clone(&now_ms);
        let clock = move || UnixMillis(clock.load(Ordering::Relaxed));
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite"), Options::default(), clock).unwrap();
        let treasury = Key::from_bytes(&[5; 32]);
        let genesis = ledger.begin(treasury.address()).await.unwrap();
        let anchor = Anchor::new(network().network_id(), genesis.program.to_bytes()).unwrap();
        let place = Place::new(anchor, genesis.mint).unwrap();
        let (store, _) = Store::open(folder.path().join("journal.sqlite")).await.unwrap();
        let worker = SecretKey::from_bytes(&[22; 32]);
        let wallet_key = Key::from_bytes(&[33; 32]);
        let facts = facts(&place, &worker, &wallet_key);
        let stage =
            Self { ledger, now_ms, place, treasury, worker, wallet_key, store, facts, _folder: folder };
        stage.earn().await;
        stage.pass();
        let payer = stage.treasury.address();
        let made =
            compose::initialize(&stage.place, payer, payer, WITHDRAWAL_DELAY_S_MIN, AMPLE, 100_000_000);
        let recent = stage.ledger.recent().await.unwrap();
        let key = Key::from(&network());
        let signed = compose::sign(&made.unwrap(), recent.blockhash, &stage.treasury, &[&key]).unwrap();
        stage.ledger.send(&signed.bytes).await.unwrap();
        stage.pass();
        stage
    }

    /// Everything that was sent is final.
    fn pass(&self) {
        self.now_ms.fetch_add(40 * Options::default().slot_ms, Ordering::Relaxed);
    }

    /// Five receipts.
    async fn earn(&self) {
        let mut lane = Lane::new(network().network_id(), self.worker.worker_id(), 0);
        let mut records = Vec::new();
        for n in 1..=5u8 {
            let leaf = ReceiptLeaf {
                assignment: AssignmentId::from_parts(UnixMillis(n.into()), &[n; 10]),
                task: TaskId::from_parts(UnixMillis(n.into()), &[n; 10]),
                outputs: BlobHash::of(&[n]),
                amount: BaseUnits(EARNED / 5),
            };
            let signed = lane.issue(&network(), leaf, 1, UnixMillis(u64::MAX)).unwrap();
            let receipt = Box::new(countersign(&self.worker, &signed));
            records.push(Record::Receipt {
                receipt,
                lane: Box::new(lane.clone()),
                received_at: UnixMillis(1),
            });
        }
        self.store.write(records).await.unwrap();
    }

    fn wallet(&self) -> WalletAddress {
        WalletAddress::from_bytes(self.wallet_key.address().to_bytes()).unwrap()
    }

    fn leaf(&self, lifetime: u64) -> Leaf {
        Leaf { worker: self.worker.worker_id(), wallet: self.wallet(), lifetime: BaseUnits(lifetime) }
    }

    async fn send(&self, made: Vec<compose::Instruction>) -> TransactionSignature {
        let recent = self.ledger.recent().await.unwrap();
        let signed = compose::sign(&made, recent.blockhash, &self.treasury, &[]).unwrap();
        self.ledger.send(&signed.bytes).await.unwrap();
        self.pass();
        TransactionSignature(*signed.signature.as_array())
    }

    /// Posts an epoch of three workers; the proof of this one's.
    async fn post(&self, epoch: u64, lifetime: u64) -> (Proof, [u8; 32], TransactionSignature) {
        let other = |n: u8| Leaf {
            worker: SecretKey::from_bytes(&[n; 32]).worker_id(),
            wallet: WalletAddress::from_bytes(SecretKey::from_bytes(&[n; 32]).public()).unwrap(),
            lifetime: BaseUnits(10),
        };
        let own = self.leaf(lifetime);
        let leaves = Leaves::new(vec![other(61), own, other(62)]).unwrap();
        let tree = Tree::build(&self.place.anchor, &leaves);
        let payer = self.treasury.address();
        let (purse, _) = associated_token_account(payer.as_array(), self.place.mint.as_array()).unwrap();
        let top_up = Some((Address::new_from_array(purse), 2 * EARNED));
        let total = leaves.total().0;
        let made = compose::post_root(&self.place, payer, epoch, total, &tree.root(), top_up, AMPLE);
        let signature = self.send(made.unwrap()).await;
        let proof = tree.proof(leaves.position(own.worker, own.wallet).unwrap()).unwrap();
        (proof, tree.root(), signature)
    }

    /// The network claims for the worker.
    async fn pay(&self, lifetime: u64, proof: Proof, opens: bool) -> TransactionSignature {
        let rented = RentedAccount { missing: opens, lamports: 10_000_000 };
        let claims = [(self.leaf(lifetime), proof, [rented; 2])];
        let made = compose::claims(&self.place, self.treasury.address(), &claims, AMPLE);
        self.send(made.unwrap()).await
    }

    fn payout(&self, id: u64, epoch: u64, amount: u64, signature: Option<TransactionSignature>) -> Payout {
        Payout {
            id,
            epoch,
            wallet: self.wallet(),
            amount: BaseUnits(amount),
            fee: if signature.is_some() { BaseUnits(FEE) } else { BaseUnits::ZERO },
            stage: PayoutStage::Confirmed,
            signature,
            at: UnixMillis(1),
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::over(Box::new(self.ledger.clone()), "ledger".to_owned(), true)
    }

    /// What is wrong with a payout, and what is not known of it.
    async fn check(&self, payout: &Payout) -> (Option<&'static str>, Vec<verify::Subject>) {
        let party = told::party(&self.facts, payout.wallet).unwrap();
        let answers = self.endpoint().about_payout(&self.store, &self.facts, &party, payout).await.unwrap();
        let told = ToldPayout {
            epoch: payout.epoch,
            amount: payout.amount,
            sent_by_network: payout.signature.is_some(),
            is_settled: true,
        };
        let books = books(&self.store, &self.facts).await.unwrap();
        outcome(&verify::payout(&party, told, &answers, &books))
    }
}

fn outcome(found: &[verify::Fact]) -> (Option<&'static str>, Vec<verify::Subject>) {
    let wrong = found.iter().find_map(|fact| match &fact.finding {
        Finding::Wrong(wrong) => Some(wrong.code()),
        Finding::Holds | Finding::Unknown => None,
    });
    let unknown = found.iter().filter(|fact| fact.finding == Finding::Unknown);
    (wrong, unknown.map(|fact| fact.subject).collect())
}

fn facts(place: &Place, worker: &SecretKey, wallet: &Key) -> PayoutFacts {
    let wallet = WalletAddress::from_bytes(wallet.address().to_bytes()).unwrap();
    let mut standing = fixture::standing(Vec::new());
    let told = standing.place.as_mut().unwrap();
    told.program = lull_types::ChainAddress(*place.anchor.program());
    told.account = lull_types::ChainAddress(*place.anchor.account());
    told.mint = lull_types::ChainAddress(place.mint.to_bytes());
    PayoutFacts {
        network: network().network_id(),
        network_is_local: true,
        worker: worker.worker_id(),
        wallet: Some(wallet),
        chain_endpoint: None,
        told: ToldPayouts { standing: Some(standing), ..ToldPayouts::default() },
        balance: None,
        earned: BaseUnits(EARNED),
    }
}

#[tokio::test]
async fn payouts_on_the_ledger_hold_and_lies_about_them_do_not() {
    let stage = Stage::new().await;
    let (proof, _, first_root) = stage.post(1, 700).await;
    let first = stage.pay(700, proof, true).await;
    let (proof, ..) = stage.post(2, 1_000).await;
    let second = stage.pay(1_000, proof, false).await;
    let (first, second) = (stage.payout(1, 1, 700, Some(first)), stage.payout(2, 2, 300, Some(second)));

    assert_eq!(stage.check(&second).await, (None, vec![]), "under the newest root");
    // The older root is searched among the transactions of the network's account, or found by its own.
    assert_eq!(stage.check(&first).await, (None, vec![]), "under an older root");
    let network = network().network_id();
    let anchored = AnchoredEpoch { epoch: 1, at: UnixMillis(1), signature: Some(first_root) };
    let standing = PayoutStanding { anchored: Some(anchored), ..fixture::standing(Vec::new()) };
    let stands = Record::PayoutStanding { network, standing: Box::new(standing) };
    stage.store.write(vec![stands]).await.unwrap();
    assert_eq!(stage.check(&first).await, (None, vec![]), "under an older root that was told of");

    let lie = |change: &dyn Fn(&mut Payout)| {
        let mut lie = first.clone();
        change(&mut lie);
        lie
    };
    use verify::Subject::{Amount, Destination, Mint, Path, Program, Root, Transaction};
    let lies = [
        (lie(&|payout| payout.amount.0 += 1), (Some("payout_other_amount"), vec![])),
        (lie(&|payout| payout.signature = second.signature), (Some("payout_other_amount"), vec![])),
        (
            lie(&|payout| payout.signature = Some(first_root)),
            (Some("payout_not_a_claim"), vec![Mint, Destination, Path, Root]),
        ),
        (
            // The account of claims says that as much was paid, so that the transaction may just be forgotten.
            lie(&|payout| payout.signature = Some(TransactionSignature([1; 64]))),
            (None, vec![Transaction, Program, Mint, Amount, Destination, Path, Root]),
        ),
        (
            lie(&|payout| {
                payout.signature = Some(TransactionSignature([1; 64]));
                payout.amount = BaseUnits(1_001);
            }),
            (Some("payout_never_happened"), vec![Program, Mint, Amount, Destination, Path, Root]),
        ),
    ];
    for (payout, expected) in lies {
        assert_eq!(stage.check(&payout).await, expected, "{payout:?}");
    }
}

#[tokio::test]
async fn another_wallet_or_network_is_noticed() {
    let mut stage = Stage::new().await;
    let (proof, ..) = stage.post(1, 700).await;
    let paid = stage.pay(700, proof, true).await;
    let payout = stage.payout(1, 1, 700, Some(paid));

    let elsewhere = Payout { wallet: fixture::paid_wallet(), ..payout.clone() };
    let (wrong, _) = stage.check(&elsewhere).await;
    assert_eq!(wrong, Some("payout_not_a_claim"), "the tokens went to another wallet than was said");

    // A network that names an account which its key does not derive.
    let place = stage.facts.told.standing.as_mut().and_then(|standing| standing.place.as_mut()).unwrap();
    place.account.0[0] ^= 1;
    assert_eq!(stage.check(&payout).await.0, Some("payout_other_account"));
    let place = stage.facts.told.standing.as_mut().and_then(|standing| standing.place.as_mut()).unwrap();
    place.account.0[0] ^= 1;
    place.mint.0[0] ^= 1;
    assert_eq!(stage.check(&payout).await.0, Some("payout_other_mint"));
}

#[tokio::test]
async fn earnings_beyond_the_receipts_are_noticed() {
    let stage = Stage::new().await;
    let (proof, ..) = stage.post(1, EARNED + 1).await;
    let paid = stage.pay(EARNED + 1, proof, true).await;
    let payout = stage.payout(1, 1, EARNED + 1, Some(paid));
    assert_eq!(stage.check(&payout).await, (Some("payout_beyond_receipts"), vec![]));
}

#[tokio::test]
async fn the_contributors_own_claim_is_signed_once_paid_and_found() {
    let mut stage = Stage::new().await;
    let (proof, root, _) = stage.post(1, 800).await;
    let endpoint = stage.endpoint();
    let party = told::party(&stage.facts, stage.wallet()).unwrap();
    let leaf = stage.leaf(800);

    // A wallet without SOL on a ledger that gives none away.
    let sign = async |stage: &Stage| {
        let claimable = claim::Claimable { leaf, proof: proof.clone(), amount: leaf.lifetime };
        claim::signed(&stage.facts, &endpoint, &party, claimable, &stage.wallet_key).await
    };
    assert_eq!(sign(&stage).await.unwrap_err().code, "chain_refused");
    let place = stage.facts.told.standing.as_mut().and_then(|standing| standing.place.as_mut()).unwrap();
    place.cluster = "mainnet".into();
    assert_eq!(sign(&stage).await.unwrap_err().code, "wallet_without_sol");

    let some = Account { lamports: 50_000_000, owner: Address::default(), data: Vec::new() };
    stage.ledger.set_account(stage.wallet_key.address(), some).await.unwrap();
    stage.pass();
    let signed = sign(&stage).await.unwrap();
    assert!(claim::is_under_way(&stage.ledger, &signed).await.unwrap());
    stage.ledger.send(&signed.bytes).await.unwrap();
    stage.ledger.send(&signed.bytes).await.unwrap_or_else(|_| Signature::from(signed.signature.0));
    assert_eq!(claim::is_over(&stage.ledger, &signed).await, None);
    stage.pass();
    assert_eq!(claim::is_over(&stage.ledger, &signed).await, Some(claim::Over::Paid));

    // The network saw it, and does not know by which transaction.
    let payout = stage.payout(1, 1, 800, None);
    assert_eq!(stage.check(&payout).await, (None, vec![]));
    let wrong = Payout { amount: BaseUnits(801), ..payout };
    assert_eq!(stage.check(&wrong).await.0, None, "none of that amount is found, which proves nothing");

    // What the newest epoch lists was paid.
    let listed = WalletEarnings { wallet: stage.wallet(), lifetime: leaf.lifetime, paid: leaf.lifetime };
    stage.facts.told.standing.as_mut().unwrap().wallets = vec![listed];
    let answers = stage.endpoint().about_listed(&party).await;
    assert_eq!(answers.claimed, verify::Answer::Is(BaseUnits(800)));
    let proof = lull_types::EarningsProof {
        epoch: 1,
        wallet: stage.wallet(),
        lifetime: leaf.lifetime,
        root,
        siblings: proof.0.clone(),
    };
    let books = books(&stage.store, &stage.facts).await.unwrap();
    assert_eq!(outcome(&verify::listed(&party, &proof, true, &answers, &books)), (None, vec![]));

    // One that was never sent expires, and is not signed again before.
    let unsent = sign(&stage).await.unwrap();
    assert!(claim::is_under_way(&stage.ledger, &unsent).await.unwrap());
    (0..5).for_each(|_| stage.pass());
    assert_eq!(claim::is_over(&stage.ledger, &unsent).await, Some(claim::Over::Expired));
    assert!(!claim::is_under_way(&stage.ledger, &unsent).await.unwrap());
}

#[test]
fn a_network_elsewhere_has_nobody_on_this_machine_asked() {
    let place =
        Place::new(Anchor::new(network().network_id(), [1; 32]).unwrap(), Address::new_from_array([2; 32]));
    let (worker, wallet) = (SecretKey::from_bytes(&[22; 32]), Key::from_bytes(&[33; 32]));
    let of = |named: Option<&str>, chosen: Option<&str>, network_is_local| {
        let mut facts = facts(&place.unwrap(), &worker, &wallet);
        facts.told.standing.as_mut().unwrap().place.as_mut().unwrap().endpoint = named.map(str::to_owned);
        facts.chain_endpoint = chosen.map(str::to_owned);
        facts.network_is_local = network_is_local;
        Endpoint::of(&facts, &Arc::default())
            .map(|endpoint| (endpoint.host.clone(), endpoint.is_networks))
            .map_err(|f| f.code)
    };
    let local = "http://127.0.0.1:4434/solana";
    let public = "https://rpc.example/?api-key=secret";
    assert_eq!(of(Some(local), None, true), Ok(("127.0.0.1:4434".to_owned(), true)));
    assert_eq!(of(Some(local), None, false), Err("endpoint_on_this_machine".to_owned()));
    assert_eq!(of(Some("https://[::1]:9/"), None, false), Err("endpoint_on_this_machine".to_owned()));
    assert_eq!(of(Some("http://rpc.example/"), None, true), Err("endpoint_not_secure".to_owned()));
    assert_eq!(of(Some(public), None, false), Ok(("rpc.example".to_owned(), true)));
    // Whom the contributor chose is asked wherever it is.
    assert_eq!(of(Some(public), Some(local), false), Ok(("127.0.0.1:4434".to_owned(), false)));
    assert_eq!(of(None, None, true), Err("no_endpoint".to_owned()));
}
