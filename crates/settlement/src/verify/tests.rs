use lull_distributor::{Claim as ClaimFields, Network};
use lull_types::{EarningsProof, Fault, SecretKey, WalletEarnings};

use super::*;
use crate::chain::{Instruction, Outcome, TOKEN_PROGRAM, TokenChange, Transaction};
use crate::compose::Place;
use crate::epoch::{Leaf, Leaves, Tree};
use lull_types::BaseUnits;

const EPOCH: u64 = 7;
const LIFETIME: u64 = 1_000;
const AMOUNT: u64 = 600;
const FEE: u64 = 20;

/// An honest payout of 600 after one of 400 before: everything that is told, and everything that the chain says.
#[derive(Clone)]
struct Story {
    party: Party,
    told: ToldPayout,
    answers: PayoutAnswers,
    proof: EarningsProof,
    books: Books,
}

fn wallet(n: u8) -> WalletAddress {
    WalletAddress::from_bytes(SecretKey::from_bytes(&[n; 32]).public()).unwrap()
}

fn worker(n: u8) -> WorkerId {
    SecretKey::from_bytes(&[n; 32]).worker_id()
}

fn leaf(n: u8, lifetime: u64) -> Leaf {
    Leaf { worker: worker(n), wallet: wallet(n + 100), lifetime: BaseUnits(lifetime) }
}

fn place(program: u8) -> Place {
    let network = SecretKey::from_bytes(&[1; 32]).network_id();
    Place::new(Anchor::new(network, [program; 32]).unwrap(), Address::new_from_array([8; 32])).unwrap()
}

fn claim(place: &Place, leaf: &Leaf, siblings: &[Hash]) -> Instruction {
    let (destination, destination_bump) = place.token_account(leaf.wallet).unwrap();
    let network = Network {
        program: *place.anchor.program(),
        account: *place.anchor.account(),
        vault: place.vault.to_bytes(),
    };
    let fields =
        ClaimFields { destination_bump, lifetime: leaf.lifetime.0, worker: &leaf.worker.0, proof: siblings };
    let kept = place.anchor.claim_account(leaf.worker, leaf.wallet).unwrap();
    let call = network.claim([5; 32], kept, destination.to_bytes(), fields);
    Instruction {
        program: Address::new_from_array(call.program),
        accounts: call.accounts.iter().map(|account| Address::new_from_array(account.address)).collect(),
        data: call.data,
    }
}

fn network_account(place: &Place, epoch: u64, root: Hash) -> Account {
    let mut data = vec![0; NetworkAccount::LEN];
    let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[NetworkAccount::KIND, NetworkAccount::VERSION]);
    put(8, &place.anchor.network().0);
    put(72, place.mint.as_array());
    put(104, place.vault.as_array());
    put(136, &root);
    put(168, &epoch.to_le_bytes());
    let owner = Address::new_from_array(*place.anchor.program());
    Account { lamports: 1, owner, data }
}

fn story() -> Story {
    let place = place(9);
    let own = leaf(2, LIFETIME);
    let leaves = Leaves::new(vec![leaf(3, 50), own, leaf(4, 70), leaf(5, 90)]).unwrap();
    let tree = Tree::build(&place.anchor, &leaves);
    let siblings = tree.proof(leaves.position(own.worker, own.wallet).unwrap()).unwrap();
    let root = tree.root();
    let (destination, _) = place.token_account(own.wallet).unwrap();
    let change = |account, before, after| TokenChange {
        account,
        mint: place.mint,
        before: BaseUnits(before),
        after: BaseUnits(after),
    };
    let claim = claim(&place, &own, &siblings.0);
    let transaction = Transaction {
        slot: 3,
        outcome: Outcome::Done,
        fee_lamports: 5_000,
        accounts: claim.accounts.clone(),
        instructions: vec![claim],
        tokens: vec![change(destination, 400, 400 + AMOUNT), change(place.vault, AMOUNT, 0)],
    };
    Story {
        party: Party {
            anchor: place.anchor,
            account_named: place.account(),
            mint: place.mint,
            worker: own.worker,
            wallet: own.wallet,
        },
        told: ToldPayout { epoch: EPOCH, amount: BaseUnits(AMOUNT), sent_by_network: true, is_settled: true },
        answers: PayoutAnswers {
            transaction: Answer::Is(transaction),
            account: Answer::Is(network_account(&place, EPOCH, root)),
            claimed: Answer::Is(own.lifetime),
            roots: Vec::new(),
        },
        proof: EarningsProof {
            epoch: EPOCH,
            wallet: own.wallet,
            lifetime: own.lifetime,
            root,
            siblings: siblings.0,
        },
        books: Books {
            receipts: 12,
            earned: BaseUnits(LIFETIME + 2 * FEE + 80),
            receipts_fault: None,
            listed: vec![WalletEarnings { wallet: own.wallet, lifetime: own.lifetime, paid: own.lifetime }],
            paid: own.lifetime,
            fees: BaseUnits(2 * FEE),
            held: Some(BaseUnits(30)),
            payable: Some(BaseUnits(50)),
            paid_in_all: Some(own.lifetime),
        },
    }
}

/// The code of what is wrong first, if anything is, and what is not known.
fn outcome(facts: &[Fact]) -> (Option<&'static str>, Vec<Subject>) {
    use lull_types::Coded;
    let wrong = facts.iter().find_map(|fact| match &fact.finding {
        Finding::Wrong(wrong) => Some(wrong.code()),
        Finding::Holds | Finding::Unknown => None,
    });
    let unknown = facts.iter().filter(|fact| fact.finding == Finding::Unknown).map(|fact| fact.subject);
    (wrong, unknown.collect())
}

fn transaction(story: &mut Story) -> &mut Transaction {
    match &mut story.answers.transaction {
        Answer::Is(transaction) => transaction,
        Answer::Nothing | Answer::Silent(_) => panic!("the story has one"),
    }
}

/// A lie, a mishap, or something innocent, and what comes of it.
type Case = (&'static str, fn(&mut Story), Option<&'static str>, &'static [Subject]);

#[test]
fn payouts_are_checked() {
    use Subject::*;
    const ALL_OF_THE_TRANSACTION: &[Subject] = &[Transaction, Program, Mint, Amount, Destination, Path, Root];
    let cases: &[Case] = &[
        ("an honest one", |_| {}, None, &[]),
        (
            "it failed",
            |story| {
                let failed = transaction(story);
                failed.outcome = Outcome::Failed("{\"InstructionError\":[0,{\"Custom\":116}]}".into());
                failed.tokens.clear();
            },
            Some("payout_failed"),
            &[Mint],
        ),
        (
            "it never happened",
            |story| {
                story.answers.transaction = Answer::Nothing;
                story.answers.claimed = Answer::Is(BaseUnits(400));
            },
            Some("payout_never_happened"),
            &[Program, Mint, Amount, Destination, Path, Root],
        ),
        (
            "nothing was ever claimed",
            |story| {
                story.answers.transaction = Answer::Nothing;
                story.answers.claimed = Answer::Nothing;
            },
            Some("payout_never_happened"),
            &[Program, Mint, Amount, Destination, Path, Root],
        ),
        (
            "it was just now",
            |story| {
                story.answers.transaction = Answer::Nothing;
                story.answers.claimed = Answer::Is(BaseUnits(400));
                story.told.is_settled = false;
            },
            None,
            ALL_OF_THE_TRANSACTION,
        ),
        (
            "the endpoint has forgotten it",
            |story| story.answers.transaction = Answer::Nothing,
            None,
            ALL_OF_THE_TRANSACTION,
        ),
        (
            "the endpoint is silent",
            |story| {
                story.answers.transaction = Answer::Silent("no answer in time".into());
                story.answers.account = Answer::Silent(String::new());
                story.answers.claimed = Answer::Silent(String::new());
            },
            None,
            ALL_OF_THE_TRANSACTION,
        ),
        (
            "the endpoint is of another ledger",
            |story| {
                story.answers.transaction = Answer::Nothing;
                story.answers.account = Answer::Nothing;
                story.answers.claimed = Answer::Nothing;
            },
            None,
            ALL_OF_THE_TRANSACTION,
        ),
        (
            "the account is not the network's",
            |story| story.party.account_named = Address::new_from_array([44; 32]),
            Some("payout_other_account"),
            &[],
        ),
        (
            "somebody else's program owns the account",
            |story| {
                story.answers.account =
                    Answer::Is(Account { owner: TOKEN_PROGRAM, ..network_account(&place(9), EPOCH, [0; 32]) })
            },
            Some("payout_other_account"),
            &[Root],
        ),
        (
            "a claim of another program",
            |story| {
                let own = leaf(2, LIFETIME);
                transaction(story).instructions = vec![claim(&place(10), &own, &[])];
            },
            Some("payout_not_a_claim"),
            &[Destination, Path, Root],
        ),
        (
            "a plain transfer",
            |story| transaction(story).instructions[0].program = TOKEN_PROGRAM,
            Some("payout_not_a_claim"),
            &[Destination, Path, Root],
        ),
        (
            "a claim of another worker",
            |story| transaction(story).instructions = vec![claim(&place(9), &leaf(3, LIFETIME), &[])],
            Some("payout_not_a_claim"),
            &[Destination, Path, Root],
        ),
        (
            "instructions that mean nothing",
            |story| transaction(story).instructions[0].data.push(0),
            Some("payout_not_a_claim"),
            &[Destination, Path, Root],
        ),
        (
            "instructions without accounts",
            |story| transaction(story).instructions[0].accounts.truncate(2),
            Some("payout_not_a_claim"),
            &[Destination, Path, Root],
        ),
        (
            "another token",
            |story| transaction(story).tokens[0].mint = Address::new_from_array([7; 32]),
            Some("payout_other_mint"),
            &[],
        ),
        (
            "less than was said",
            |story| transaction(story).tokens[0].after.0 -= 1,
            Some("payout_other_amount"),
            &[],
        ),
        (
            "more than was said",
            |story| transaction(story).tokens[0].after.0 += 1,
            Some("payout_other_amount"),
            &[],
        ),
        (
            "nothing was moved",
            |story| transaction(story).tokens.clear(),
            Some("payout_other_amount"),
            &[Mint],
        ),
        (
            "tokens went away instead of coming",
            |story| {
                let moved = &mut transaction(story).tokens[0];
                (moved.before, moved.after) = (moved.after, moved.before);
            },
            Some("payout_other_amount"),
            &[],
        ),
        (
            "to another's wallet",
            |story| {
                let other = Leaf { wallet: wallet(66), ..leaf(2, LIFETIME) };
                let (destination, _) = place(9).token_account(other.wallet).unwrap();
                let siblings = story.proof.siblings.clone();
                let moved = transaction(story);
                moved.instructions = vec![claim(&place(9), &other, &siblings)];
                moved.tokens[0].account = destination;
            },
            Some("payout_not_a_claim"),
            &[],
        ),
        (
            "to an account that is not the wallet's, under a program that would allow it",
            |story| {
                let moved = transaction(story);
                let other = Address::new_from_array([77; 32]);
                moved.instructions[0].accounts[4] = other;
                moved.tokens[0].account = other;
            },
            Some("payout_other_destination"),
            &[],
        ),
        (
            "with a second machine's claim to the same wallet",
            |story| {
                let other = Leaf { wallet: wallet(102), ..leaf(3, 50) };
                let moved = transaction(story);
                moved.instructions.push(claim(&place(9), &other, &[]));
                moved.tokens[0].after.0 += 50;
            },
            None,
            &[],
        ),
        (
            "with a second machine's claim, and no more than one of them was worth",
            |story| {
                let other = Leaf { wallet: wallet(102), ..leaf(3, 50) };
                transaction(story).instructions.push(claim(&place(9), &other, &[]));
            },
            Some("payout_other_amount"),
            &[],
        ),
        (
            "a lifetime below what was paid",
            |story| {
                let less = leaf(2, AMOUNT - 1);
                transaction(story).instructions = vec![claim(&place(9), &less, &[])];
            },
            Some("payout_broken_path"),
            &[],
        ),
        (
            "under a forged root",
            |story| {
                let forged = leaf(2, LIFETIME + 1);
                let siblings = story.proof.siblings.clone();
                transaction(story).instructions = vec![claim(&place(9), &forged, &siblings)];
            },
            Some("payout_other_root"),
            &[],
        ),
        (
            "under an older root that was found",
            |story| {
                let root = story.proof.root;
                story.answers.account = Answer::Is(network_account(&place(9), EPOCH + 3, [3; 32]));
                story.answers.roots = vec![PostedRoot { epoch: EPOCH, root }];
            },
            None,
            &[],
        ),
        (
            "under an older root that was posted otherwise",
            |story| {
                story.answers.account = Answer::Is(network_account(&place(9), EPOCH + 3, [3; 32]));
                story.answers.roots = vec![PostedRoot { epoch: EPOCH, root: [4; 32] }];
            },
            Some("payout_other_root"),
            &[],
        ),
        (
            "under an older root that was not found",
            |story| story.answers.account = Answer::Is(network_account(&place(9), EPOCH + 3, [3; 32])),
            None,
            &[Root],
        ),
        (
            "claimed by the contributor under an earlier root than the network thinks",
            |story| {
                story.told.sent_by_network = false;
                story.answers.account = Answer::Is(network_account(&place(9), EPOCH, [3; 32]));
            },
            None,
            &[Root],
        ),
        (
            "a lifetime above the receipts",
            |story| story.books.earned = BaseUnits(LIFETIME + 2 * FEE - 1),
            Some("payout_beyond_receipts"),
            &[],
        ),
        (
            "together with another wallet above the receipts",
            |story| {
                let lifetime = BaseUnits(81);
                let other = WalletEarnings { wallet: wallet(66), lifetime, paid: BaseUnits::ZERO };
                story.books.listed.push(other);
            },
            Some("payout_beyond_receipts"),
            &[],
        ),
        (
            "so much that it cannot be added up",
            |story| {
                let lifetime = BaseUnits(u64::MAX);
                let other = WalletEarnings { wallet: wallet(66), lifetime, paid: BaseUnits::ZERO };
                story.books.listed.push(other);
            },
            Some("payout_beyond_receipts"),
            &[],
        ),
        (
            "less owed than was earned",
            |story| story.books.payable = Some(BaseUnits(49)),
            Some("payout_unaccounted"),
            &[],
        ),
        (
            "less owed, and payouts before this journal cost fees that are not known",
            |story| {
                story.books.payable = Some(BaseUnits(49));
                story.books.paid = BaseUnits(AMOUNT);
            },
            None,
            &[],
        ),
        (
            "before the network has said what it owes",
            |story| (story.books.held, story.books.payable, story.books.paid_in_all) = (None, None, None),
            None,
            &[],
        ),
        (
            "receipts that do not hold",
            |story| story.books.receipts_fault = Some(Fault::new("receipt_gap", "receipt 3 is missing")),
            Some("payout_receipts_do_not_hold"),
            &[],
        ),
    ];
    for (what, change, wrong, unknown) in cases {
        let mut story = story();
        change(&mut story);
        let facts = payout(&story.party, story.told, &story.answers, &story.books);
        assert_eq!(outcome(&facts), (*wrong, unknown.to_vec()), "{what}: {facts:#?}");
    }
}

#[test]
fn what_is_listed_is_checked() {
    use Subject::*;
    let cases: &[Case] = &[
        ("an honest one", |_| {}, None, &[]),
        (
            "the account is not the network's",
            |story| story.party.account_named = Address::new_from_array([44; 32]),
            Some("payout_other_account"),
            &[],
        ),
        (
            "the account is of another network",
            |story| {
                let other = SecretKey::from_bytes(&[55; 32]).network_id();
                let anchor = Anchor::new(other, [9; 32]).unwrap();
                let place = Place::new(anchor, Address::new_from_array([8; 32])).unwrap();
                story.answers.account = Answer::Is(network_account(&place, EPOCH, story.proof.root));
            },
            Some("payout_other_account"),
            &[Mint, Root],
        ),
        (
            "the account pays another token",
            |story| story.party.mint = Address::new_from_array([6; 32]),
            Some("payout_other_mint"),
            &[],
        ),
        (
            "no endpoint",
            |story| {
                story.answers.account = Answer::Silent("no connection".into());
                story.answers.claimed = Answer::Silent("no connection".into());
            },
            None,
            &[Program, Mint, Amount, Root],
        ),
        (
            "an endpoint of another ledger",
            |story| {
                story.answers.account = Answer::Nothing;
                story.answers.claimed = Answer::Nothing;
            },
            None,
            &[Program, Mint, Amount, Root],
        ),
        ("a forged proof", |story| story.proof.siblings[0][0] ^= 1, Some("payout_broken_path"), &[]),
        (
            "a proof of more than the root has",
            |story| story.proof.lifetime.0 += 1,
            Some("payout_broken_path"),
            &[],
        ),
        (
            "a proof for another wallet",
            |story| story.proof.wallet = wallet(66),
            Some("payout_broken_path"),
            &[],
        ),
        (
            "a proof that is too long",
            |story| story.proof.siblings = vec![[0; 32]; 33],
            Some("payout_broken_path"),
            &[],
        ),
        (
            "a root that is not on the chain",
            |story| story.answers.account = Answer::Is(network_account(&place(9), EPOCH, [3; 32])),
            Some("payout_other_root"),
            &[],
        ),
        (
            "an epoch that was never posted",
            |story| story.answers.account = Answer::Is(network_account(&place(9), EPOCH - 1, [3; 32])),
            Some("payout_not_posted"),
            &[],
        ),
        (
            "an epoch that the endpoint has not seen yet",
            |story| {
                story.answers.account = Answer::Is(network_account(&place(9), EPOCH - 1, [3; 32]));
                story.told.is_settled = false;
            },
            None,
            &[Root],
        ),
        (
            "an epoch that was replaced meanwhile",
            |story| story.answers.account = Answer::Is(network_account(&place(9), EPOCH + 1, [3; 32])),
            None,
            &[Root],
        ),
        (
            "paid less than was said",
            |story| story.answers.claimed = Answer::Is(BaseUnits(LIFETIME - 1)),
            Some("payout_paid_less"),
            &[],
        ),
        (
            "paid nothing, and it was said",
            |story| story.answers.claimed = Answer::Nothing,
            Some("payout_paid_less"),
            &[],
        ),
        (
            "claimed by the contributor just now",
            |story| story.books.listed[0].paid = BaseUnits(400),
            None,
            &[],
        ),
        (
            "more than was earned",
            |story| story.books.earned = BaseUnits(10),
            Some("payout_beyond_receipts"),
            &[],
        ),
        (
            "less than was paid before",
            |story| {
                story.answers.claimed = Answer::Is(BaseUnits(LIFETIME + 1));
                story.books.listed[0].lifetime = BaseUnits(LIFETIME);
            },
            Some("payout_listed_fell"),
            &[],
        ),
    ];
    for (what, change, wrong, unknown) in cases {
        let mut story = story();
        change(&mut story);
        let answers =
            ListedAnswers { account: story.answers.account.clone(), claimed: story.answers.claimed.clone() };
        let facts = listed(&story.party, &story.proof, story.told.is_settled, &answers, &story.books);
        assert_eq!(outcome(&facts), (*wrong, unknown.to_vec()), "{what}: {facts:#?}");
    }
}

#[test]
fn only_final_posts_of_this_network_are_roots() {
    let place = place(9);
    let network = Network {
        program: *place.anchor.program(),
        account: *place.anchor.account(),
        vault: place.vault.to_bytes(),
    };
    let posted = |network: &Network| {
        let call = network.post_root([5; 32], EPOCH, 10, &[3; 32]);
        Transaction {
            slot: 1,
            outcome: Outcome::Done,
            fee_lamports: 0,
            accounts: Vec::new(),
            instructions: vec![Instruction {
                program: Address::new_from_array(call.program),
                accounts: call.accounts.iter().map(|one| Address::new_from_array(one.address)).collect(),
                data: call.data,
            }],
            tokens: Vec::new(),
        }
    };
    let found = Some(PostedRoot { epoch: EPOCH, root: [3; 32] });
    assert_eq!(root_posted_in(&posted(&network), &place.anchor), found);
    let failed = Transaction { outcome: Outcome::Failed(String::new()), ..posted(&network) };
    let of_another = posted(&Network { account: [1; 32], ..network });
    let by_another = posted(&Network { program: [1; 32], ..network });
    for other in [failed, of_another, by_another] {
        assert_eq!(root_posted_in(&other, &place.anchor), None);
    }
}
