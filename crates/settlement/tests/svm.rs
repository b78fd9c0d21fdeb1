//! The practice ledger: the contract, its file, and a payout from the earnings to the wallet.

#![allow(clippy::unwrap_used, reason = "clippy does not know that the helpers of a test are of a test")]

mod contract;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::{FEE_LAMPORTS, Stage, address, sign, token_account, transfer};
use lull_distributor::{Call, Claim, ClaimAccount, Network, NetworkAccount, WITHDRAWAL_DELAY_S_MIN};
use lull_settlement::chain::svm::{Ledger, Options};
use lull_settlement::chain::{Account, Address, Chain, Signature, Status, TOKEN_PROGRAM};
use lull_settlement::epoch::{Anchor, Leaf, Leaves, Tree, token_account as token_account_of};
use lull_settlement::publication;
use lull_types::{BaseUnits, NetworkId, SecretKey, UnixMillis, WalletAddress, WorkerId};
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::{Keypair, Signer as _};

/// The committed on-chain program.
const PROGRAM: &[u8] = include_bytes!("../../../programs/distributor/distributor.so");

struct Practice {
    ledger: Ledger,
    payer: Keypair,
    now_ms: Arc<AtomicU64>,
}

impl Practice {
    async fn open(path: &Path, start_ms: u64) -> Self {
        let now_ms = Arc::new(AtomicU64::new(start_ms));
        let clock = Arc::clone(&now_ms);
        let ledger =
            Ledger::open(path, Options::default(), move || UnixMillis(clock.load(Ordering::Relaxed)))
                .unwrap();
        Self { ledger, payer: Keypair::new_from_array([7; 32]), now_ms }
    }

    async fn begin(path: &Path) -> Self {
        let practice = Self::open(path, 1_800_000_000_000).await;
        let payer = practice.payer.pubkey();
        let rich = Account { lamports: 100_000_000_000, owner: Address::default(), data: vec![] };
        practice.ledger.set_account(payer, rich).await.unwrap();
        practice
    }

    fn pass_slots(&self, slots: u64) {
        self.now_ms.fetch_add(slots * Options::default().slot_ms, Ordering::Relaxed);
    }

    async fn transfer(&self, to: &Address, lamports: u64) -> Signature {
        let recent = self.ledger.recent().await.unwrap();
        let bytes = sign(&self.payer, &[], &[transfer(&self.payer.pubkey(), to, lamports)], recent.blockhash);
        self.ledger.send(&bytes).await.unwrap()
    }

    async fn call(&self, calls: &[Call], others: &[&Keypair]) -> Signature {
        let recent = self.ledger.recent().await.unwrap();
        let instructions: Vec<Instruction> = calls.iter().map(instruction).collect();
        let bytes = sign(&self.payer, others, &instructions, recent.blockhash);
        self.ledger.send(&bytes).await.unwrap()
    }
}

impl Stage for Practice {
    fn chain(&self) -> &impl Chain {
        &self.ledger
    }
    fn payer(&self) -> &Keypair {
        &self.payer
    }
    async fn finalize(&self) {
        self.pass_slots(40);
    }
    async fn expire(&self) {
        self.pass_slots(200);
    }
    async fn put(&self, address: Address, account: Account) {
        self.ledger.set_account(address, account).await.unwrap();
    }
}

fn instruction(call: &Call) -> Instruction {
    let meta = |account: &lull_distributor::Account| AccountMeta {
        pubkey: Address::new_from_array(account.address),
        is_signer: account.signs,
        is_writable: account.writable,
    };
    let accounts = call.accounts.iter().map(meta).collect();
    Instruction { program_id: Address::new_from_array(call.program), accounts, data: call.data.clone() }
}

#[tokio::test]
async fn the_contract_holds() {
    let folder = tempfile::tempdir().unwrap();
    contract::holds(&Practice::begin(&folder.path().join("ledger.sqlite")).await).await;
}

#[tokio::test]
async fn the_contract_holds_for_a_ledger_that_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    drop(Practice::begin(&path).await);
    contract::holds(&Practice::open(&path, 1_800_000_100_000).await).await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let before = Practice::begin(&path).await;
    let now_ms = before.now_ms.load(Ordering::Relaxed);
    let first = before.transfer(&address(1), 1_000_000).await;
    before.pass_slots(40);
    let second = before.transfer(&address(1), 2_000_000).await;
    let recent = before.ledger.recent().await.unwrap();
    drop(before);

    // The clock was set back meanwhile: slots stand still until it has caught up.
    let after = Practice::open(&path, now_ms).await;
    let statuses = after.ledger.statuses(&[first, second]).await.unwrap();
    assert!(matches!(statuses[..], [Status::Finalized { .. }, Status::Seen { .. }]), "{statuses:?}");
    let account = after.ledger.account(&address(1)).await.unwrap().unwrap();
    assert_eq!(account.lamports, 1_000_000, "the second transfer is not final");
    assert_eq!(after.ledger.recent().await.unwrap(), recent);
    after.pass_slots(80);
    assert_eq!(after.ledger.account(&address(1)).await.unwrap().unwrap().lamports, 3_000_000);
    let payer = after.ledger.account(&after.payer.pubkey()).await.unwrap().unwrap();
    assert_eq!(payer.lamports, 100_000_000_000 - 3_000_000 - 2 * FEE_LAMPORTS);
}

/// Names the ledger's file to the copy of this test that is killed.
const KILLED_LEDGER: &str = "SETTLEMENT_KILLED_LEDGER";

/// Sends without end, and tells each signature once `send` has returned. Only run by the test below.
#[tokio::test]
async fn sends_until_killed() {
    let Ok(path) = std::env::var(KILLED_LEDGER) else { return };
    let practice = Practice::begin(Path::new(&path)).await;
    for lamports in 1_000_000.. {
        let signature = practice.transfer(&address(1), lamports).await;
        practice.pass_slots(1);
        println!("sent {signature}");
    }
}

#[tokio::test]
async fn what_was_sent_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let path = folder.path().join(format!("{round}.sqlite"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sends_until_killed", "--nocapture"])
            .env(KILLED_LEDGER, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let parse = |line: String| line.strip_prefix("sent ").map(|text| text.parse::<Signature>().unwrap());
        let mut sent: Vec<Signature> = lines.by_ref().filter_map(parse).take(5 + round * 7).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        sent.extend(lines.filter_map(parse));

        let practice = Practice::open(&path, 1_800_001_000_000).await;
        practice.pass_slots(40);
        for status in practice.ledger.statuses(&sent).await.unwrap() {
            assert!(matches!(status, Status::Finalized { .. }), "{status:?}");
        }
        // The last one may have been written without being told; whatever is there is there as a whole.
        let of = async |address| practice.ledger.account(&address).await.unwrap().unwrap().lamports;
        let (paid, left) = (of(address(1)).await, of(practice.payer.pubkey()).await);
        let fees = 100_000_000_000 - left - paid;
        let count = fees / FEE_LAMPORTS;
        assert!(
            fees.is_multiple_of(FEE_LAMPORTS) && (sent.len() as u64..=sent.len() as u64 + 1).contains(&count)
        );
        assert_eq!(paid, (0..count).map(|n| 1_000_000 + n).sum::<u64>());
    }
}

#[tokio::test]
async fn earnings_reach_a_wallet_once() {
    let folder = tempfile::tempdir().unwrap();
    let practice = Practice::begin(&folder.path().join("ledger.sqlite")).await;
    let (ledger, payer) = (&practice.ledger, practice.payer.pubkey());
    let (key, program, mint, vault) =
        (Keypair::new_from_array([8; 32]), address(90), address(91), address(92));
    ledger.deploy(program, PROGRAM.to_vec()).await.unwrap();
    let anchor = Anchor::new(NetworkId(key.pubkey().to_bytes()), program.to_bytes()).unwrap();
    let account = Address::new_from_array(*anchor.account());
    let mut mint_data = vec![0; 82];
    mint_data[45] = 1;
    let of_token = |data: Vec<u8>| Account { lamports: 10_000_000, owner: TOKEN_PROGRAM, data };
    ledger.set_account(mint, of_token(mint_data)).await.unwrap();
    ledger.set_account(vault, of_token(token_account(&mint, &account, 1_000_000))).await.unwrap();
    let network =
        Network { program: program.to_bytes(), account: *anchor.account(), vault: vault.to_bytes() };
    let payer_bytes = payer.to_bytes();
    let initialize = network.initialize(
        payer_bytes,
        key.pubkey().to_bytes(),
        payer_bytes,
        mint.to_bytes(),
        WITHDRAWAL_DELAY_S_MIN,
    );
    practice.call(&[initialize], &[&key]).await;

    // An epoch of many; one of them claims from the published file.
    let wallet = WalletAddress::from_bytes(SecretKey::from_bytes(&[33; 32]).public()).unwrap();
    let leaf = |n: u8| Leaf { worker: WorkerId([n; 32]), wallet, lifetime: BaseUnits(100 + u64::from(n)) };
    let leaves = Leaves::new((0..200).map(leaf).collect()).unwrap();
    let tree = Tree::build(&anchor, &leaves);
    let mut file = Vec::new();
    let header = publication::write(&mut file, anchor, 1, &leaves, &tree).unwrap();
    practice.call(&[network.post_root(payer_bytes, 1, header.total.0, &header.root)], &[]).await;
    practice.pass_slots(40);
    let posted = NetworkAccount::read(&ledger.account(&account).await.unwrap().unwrap().data).unwrap();
    assert_eq!((posted.root, posted.epoch, posted.committed), (header.root, 1, header.total.0));

    let worker = WorkerId([77; 32]);
    let (_, entry) = publication::prove(&file[..], worker, wallet).unwrap();
    let entry = entry.unwrap();
    let (destination, destination_bump) = token_account_of(wallet, &mint.to_bytes()).unwrap();
    let to = Address::new_from_array(destination);
    let owner = Address::new_from_array(*wallet.as_bytes());
    ledger.set_account(to, of_token(token_account(&mint, &owner, 0))).await.unwrap();
    let claims = anchor.claim_account(worker, wallet).unwrap();
    let claim =
        Claim { destination_bump, lifetime: entry.leaf.lifetime.0, worker: &worker.0, proof: &entry.proof.0 };
    let claim = network.claim(payer_bytes, claims, destination, claim);
    let paid = practice.call(std::slice::from_ref(&claim), &[]).await;
    practice.pass_slots(40);
    assert_eq!(ledger.token_account(&to).await.unwrap().unwrap().amount, BaseUnits(177));
    let claimed = ledger.account(&Address::new_from_array(claims)).await.unwrap().unwrap();
    assert_eq!(ClaimAccount::read(&claimed.data).unwrap().claimed, 177);
    let moved = ledger.transaction(&paid).await.unwrap().unwrap();
    assert_eq!(moved.tokens.iter().map(|change| change.after.0).max(), Some(1_000_000 - 177));

    let recent = ledger.recent().await.unwrap();
    let again = sign(&practice.payer, &[], &[instruction(&claim)], recent.blockhash);
    assert!(ledger.send(&again).await.is_err(), "a lifetime is paid once");
}
