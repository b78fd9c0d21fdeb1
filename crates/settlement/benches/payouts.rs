//! What the payouts of an epoch cost on the chain, and beside it the usual way: a transfer of tokens to each worker.
//!
//! Method: one run. Epochs are built and published as a network does it; transactions are composed and signed by the
//! code that networks use, and carried out by Solana's own virtual machine with the committed program and the real token
//! programs. Lamports are what the payer had before less what it has after, without a priority fee. A transaction is
//! full when one more claim or transfer makes it longer than the protocol allows.

use std::hint::black_box;
use std::time::Instant;

use bincode::deserialize;
use criterion::{Criterion, criterion_group, criterion_main};
use litesvm::LiteSVM;
use lull_distributor::WITHDRAWAL_DELAY_S_MIN;
use lull_settlement::chain::{Address, TOKEN_PROGRAM};
use lull_settlement::compose::{
    Budget, Key, Place, RentedAccount, claims, initialize, open_token_account, post_root, sign, transfer,
};
use lull_settlement::epoch::{Anchor, Leaf, Leaves, Proof, Tree, associated_token_account};
use lull_settlement::publication;
use lull_types::{BaseUnits, NetworkId, WalletAddress, WorkerId};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_transaction::versioned::VersionedTransaction;

const COUNTS: [u32; 3] = [1_000, 100_000, 1_000_000];
const PROGRAM: &[u8] = include_bytes!("../../../programs/distributor/distributor.so");
/// No priority fee, and any rent.
const FREE: Budget = Budget { price: 0, lamports_max: u64::MAX };
const COMPUTE_BUDGET_PROGRAM: Address =
    Address::from_str_const("ComputeBudget111111111111111111111111111111");
/// In millions of lamports, which is enough for all of it.
const RICH: u64 = 1_000_000_000_000;

/// The wallets that transfers go to, from this number on.
const FIRST_WALLET: u8 = 10;

/// What one transaction cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    bytes: usize,
    units: u64,
    lamports: u64,
}

/// A ledger with a network on it.
struct Ledger {
    svm: LiteSVM,
    place: Place,
    treasury: Key,
    purse: Address,
}

fn key(n: u8) -> Key {
    Key::from_bytes(&[n; 32])
}

fn wallet(n: u8) -> WalletAddress {
    WalletAddress::from_bytes(key(n).address().to_bytes()).expect("a key's public half is on the curve")
}

impl Ledger {
    fn begin() -> Self {
        let mut svm = LiteSVM::new();
        let (network, treasury) = (key(1), key(2));
        let (program, mint) = (Address::new_from_array([3; 32]), Address::new_from_array([4; 32]));
        svm.add_program(program, PROGRAM).expect("the committed program is one");
        let anchor = Anchor::new(NetworkId(network.address().to_bytes()), program.to_bytes());
        let place = anchor.and_then(|anchor| Place::new(anchor, mint)).expect("one in 2^256 has none");
        let (purse, _) = associated_token_account(treasury.address().as_array(), mint.as_array())
            .expect("one in 2^256 has none");
        let mut ledger = Self { svm, place, treasury, purse: Address::new_from_array(purse) };
        let payer = ledger.treasury.address();
        ledger.put(payer, Address::default(), Vec::new());
        let mut data = vec![0; 82];
        data[36..44].copy_from_slice(&u64::MAX.to_le_bytes());
        (data[44], data[45]) = (6, 1);
        ledger.put(mint, TOKEN_PROGRAM, data);
        let mut data = [mint.as_ref(), payer.as_ref(), &(u64::MAX / 2).to_le_bytes()].concat();
        data.resize(165, 0);
        data[108] = 1;
        ledger.put(ledger.purse, TOKEN_PROGRAM, data);
        let made = initialize(&ledger.place, payer, payer, WITHDRAWAL_DELAY_S_MIN, FREE, 0);
        ledger.send(&made.expect("it may cost anything"), &[&network]);
        ledger
    }

    fn put(&mut self, address: Address, owner: Address, data: Vec<u8>) {
        let account = Account { lamports: RICH, data, owner, executable: false, rent_epoch: u64::MAX };
        self.svm.set_account(address, account).expect("it has rent");
    }

    /// Carries instructions out in a transaction of the treasury's.
    fn send(&mut self, instructions: &[Instruction], others: &[&Key]) -> Cost {
        self.svm.expire_blockhash();
        let signed = sign(instructions, self.svm.latest_blockhash(), &self.treasury, others);
        let bytes = signed.expect("it fits").bytes;
        let transaction: VersionedTransaction = deserialize(&bytes).expect("it was serialised here");
        let held = |svm: &LiteSVM| svm.get_balance(&self.treasury.address()).unwrap_or_default();
        let before = held(&self.svm);
        let done = self.svm.send_transaction(transaction).expect("it is carried out");
        Cost { bytes: bytes.len(), units: done.compute_units_consumed, lamports: before - held(&self.svm) }
    }

    fn fits(&self, instructions: &[Instruction]) -> bool {
        sign(instructions, self.svm.latest_blockhash(), &self.treasury, &[]).is_ok()
    }

    fn post(&mut self, number: u64, leaves: &Leaves, tree: &Tree) -> Cost {
        let total = leaves.total().0;
        let payer = self.treasury.address();
        // The vault is filled besides: a network does both in one.
        let top_up = Some((self.purse, total));
        let root = post_root(&self.place, payer, number, total, &tree.root(), top_up, FREE);
        self.send(&root.expect("it may cost anything"), &[])
    }

    /// A claim of one leaf; `rented` says which of its two accounts are missing.
    fn claim(&mut self, leaf: Leaf, proof: Proof, missing: [bool; 2]) -> Cost {
        let rented = missing.map(|missing| RentedAccount { missing, lamports: 0 });
        let made = claims(&self.place, self.treasury.address(), &[(leaf, proof, rented)], FREE);
        self.send(&made.expect("it may cost anything"), &[])
    }

    /// The most claims of a proof's length that fit into one transaction.
    fn claims_that_fit(&self, leaf: Leaf, proof: &Proof) -> usize {
        let rented = [RentedAccount { missing: false, lamports: 0 }; 2];
        let claims_of = |count: usize| {
            let leaf =
                |n: usize| Leaf { worker: WorkerId([n as u8; 32]), wallet: wallet(100 + n as u8), ..leaf };
            let all: Vec<_> = (0..count).map(|n| (leaf(n), proof.clone(), rented)).collect();
            claims(&self.place, self.treasury.address(), &all, FREE).expect("it may cost anything")
        };
        (1..).take_while(|count| self.fits(&claims_of(*count))).last().unwrap_or_default()
    }

    /// Transfers to so many wallets, whose accounts are opened before where they are missing.
    fn transfers(&self, first: u8, count: u8, missing: bool) -> Vec<Instruction> {
        let payer = self.treasury.address();
        // By the compute-budget program: 2 sets the limit of units, 3 the price of one. A claim begins so, too.
        let budget =
            |data: Vec<u8>| Instruction { program_id: COMPUTE_BUDGET_PROGRAM, accounts: vec![], data };
        let mut made = vec![
            budget([&[2], &1_400_000u32.to_le_bytes()[..]].concat()),
            budget([&[3], &0u64.to_le_bytes()[..]].concat()),
        ];
        for n in first..first + count {
            let owner = Address::new_from_array(*wallet(n).as_bytes());
            let Some((account, _)) = self.place.token_account(wallet(n)) else { continue };
            if missing {
                made.push(open_token_account(payer, owner, account, self.place.mint));
            }
            made.push(transfer(payer, self.purse, account, 1));
        }
        made
    }

    /// A full transaction of transfers: how many, and what it cost.
    fn full_of_transfers(&mut self, first: u8, missing: bool) -> (u64, Cost) {
        let fit = (1..100).take_while(|count| self.fits(&self.transfers(first, *count, missing))).last();
        let count = fit.unwrap_or_default();
        let made = self.transfers(first, count, missing);
        (u64::from(count), self.send(&made, &[]))
    }
}

/// Leaves whose workers are all different. A hash takes as long for any wallet, so a few are enough; the first leaf has
/// one of its own.
fn leaves(count: u32, lifetime: u64, own: WalletAddress) -> Vec<Leaf> {
    let wallets: Vec<_> = (150..214).map(wallet).collect();
    let leaf = |n: u32| {
        let mut worker = [0; 32];
        worker[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
        worker[4..8].copy_from_slice(&count.to_be_bytes());
        let wallet = if n == 0 { own } else { wallets[n as usize % wallets.len()] };
        Leaf { worker: WorkerId(worker), wallet, lifetime: BaseUnits(lifetime) }
    };
    (0..count).map(leaf).collect()
}

/// An epoch, and what it took to build it.
fn build(place: &Place, unsorted: Vec<Leaf>) -> (Leaves, Tree, f64) {
    let started = Instant::now();
    let leaves = Leaves::new(unsorted).expect("they are sound");
    let tree = Tree::build(&place.anchor, &leaves);
    (leaves, tree, started.elapsed().as_secs_f64() * 1e3)
}

struct Figures {
    build_ms: f64,
    published: usize,
    root: Cost,
    sent_first: Cost,
    claimed_first: Cost,
    later: Cost,
    fit: usize,
}

fn figures(ledger: &mut Ledger, at: usize) -> Figures {
    let count = COUNTS[at];
    let (own, lifetime) = (wallet(220 + at as u8), 100 * (at as u64 + 1));
    let unsorted = leaves(count, lifetime, own);
    let (first, another) = (unsorted[0], unsorted[1]);
    let (sorted, tree, build_ms) = build(&ledger.place, unsorted);
    let mut file = Vec::new();
    publication::write(&mut file, ledger.place.anchor, 1, &sorted, &tree).expect("memory takes it");
    let number = 2 * at as u64 + 1;
    let root = ledger.post(number, &sorted, &tree);
    let proof = |leaves: &Leaves, tree: &Tree, leaf: Leaf| {
        leaves
            .position(leaf.worker, leaf.wallet)
            .and_then(|position| tree.proof(position))
            .expect("it is listed")
    };
    let sent_first = ledger.claim(first, proof(&sorted, &tree, first), [true, true]);
    // Somebody who holds the token already.
    let Some((account, _)) = ledger.place.token_account(another.wallet) else { unreachable!() };
    let owner = Address::new_from_array(*another.wallet.as_bytes());
    let open = open_token_account(ledger.treasury.address(), owner, account, ledger.place.mint);
    ledger.send(&[open], &[]);
    let claimed_first = ledger.claim(another, proof(&sorted, &tree, another), [true, false]);
    let fit = ledger.claims_that_fit(first, &proof(&sorted, &tree, first));

    let (sorted, tree, _) = build(&ledger.place, leaves(count, lifetime + 1, own));
    ledger.post(number + 1, &sorted, &tree);
    let first = Leaf { lifetime: BaseUnits(lifetime + 1), ..first };
    let later = ledger.claim(first, proof(&sorted, &tree, first), [false, false]);
    Figures { build_ms, published: file.len(), root, sent_first, claimed_first, later, fit }
}

#[allow(clippy::print_stdout, reason = "a bench is read in a terminal")]
fn table() {
    let mut ledger = Ledger::begin();
    let all: Vec<Figures> = (0..COUNTS.len()).map(|at| figures(&mut ledger, at)).collect();
    let row = |what: &str, of: &dyn Fn(&Figures) -> String| {
        let cells: String = all.iter().map(|figures| format!("{:>28}", of(figures))).collect();
        println!("{what:<40}{cells}");
    };
    let cost = |cost: Cost| format!("{} B {} CU {} L", cost.bytes, cost.units, cost.lamports);
    let counts: String = COUNTS.iter().map(|count| format!("{count:>24}")).collect();
    println!("{:<40}{counts}", "contributors");
    row("build the epoch, ms", &|figures| format!("{:.1}", figures.build_ms));
    row("publish, bytes", &|figures| figures.published.to_string());
    row("on the chain, transactions", &|_| "1".to_owned());
    row("  the root, vault filled", &|figures| cost(figures.root));
    row("claim, first", &|figures| cost(figures.claimed_first));
    row("claim, first, with a token account", &|figures| cost(figures.sent_first));
    row("claim, later", &|figures| cost(figures.later));
    row("claims that fit into a transaction", &|figures| figures.fit.to_string());
    println!(
        "B bytes, CU compute units, L lamports; whoever sends a claim pays for it, network or contributor"
    );

    let (opened, opening) = ledger.full_of_transfers(FIRST_WALLET, true);
    // More accounts than a transaction has room for transfers to, for the next.
    for more in 1..5 {
        ledger.full_of_transfers(FIRST_WALLET + more * opened as u8, true);
    }
    let (later, transferring) = ledger.full_of_transfers(FIRST_WALLET, false);
    println!("\nthe usual way: a transfer to each");
    println!("a full transaction, accounts opened: {opened} transfers, {}", cost(opening));
    println!("a full transaction, accounts there: {later} transfers, {}", cost(transferring));
    for count in COUNTS.map(u64::from) {
        let first = count.div_ceil(opened);
        let again = count.div_ceil(later);
        let rent = (opening.lamports - 5_000) / opened;
        println!(
            "{count:>9}: first {first} transactions, {} lamports of fees and {} of rent; each epoch after {again} and {}",
            first * 5_000,
            count * rent,
            again * transferring.lamports
        );
    }
}

fn payouts(criterion: &mut Criterion) {
    let ledger = Ledger::begin();
    let leaf = leaves(1, 1, wallet(220))[0];
    let rented = [RentedAccount { missing: false, lamports: 0 }; 2];
    criterion.bench_function("claim/compose-and-sign", |b| {
        b.iter(|| {
            let proof = Proof(vec![[7; 32]; 20]);
            let made = claims(&ledger.place, ledger.treasury.address(), &[(leaf, proof, rented)], FREE);
            sign(black_box(&made.expect("it may cost anything")), Default::default(), &ledger.treasury, &[])
        });
    });
    // Test runners run each once, where the table takes too long.
    if std::env::args().any(|argument| argument == "--bench") {
        table();
    }
}

criterion_group!(benches, payouts);
criterion_main!(benches);
