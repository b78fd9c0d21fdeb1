//! Payouts over JSON-RPC: one network pays on the practice ledger of another, as it would on a cluster of Solana.

use std::path::Path;

use lull_distributor::NetworkAccount;
use lull_network_api::funds::PublishedEpoch;
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_settlement::chain::svm::Genesis;
use lull_settlement::chain::{Address, Chain};
use lull_settlement::compose::Key;
use lull_settlement::epoch::Anchor;
use lull_settlement::publication;
use lull_types::{NextPayout, PayoutStage, PayoutStanding, Signature, WalletAddress};
use reqwest::{Method, StatusCode};

use crate::customers::{sample_job, submit};
use crate::ledger::{FAST, Ledger, SOL, until};
use crate::process::{Customer, Network, operate, refusal};
use crate::worker::{Dialer, Session};
use crate::workers::do_one;

fn write_key(path: &Path, key: &Key) {
    std::fs::write(path, key.to_json().as_bytes()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A wallet is set, and its holder signs.
async fn prove(session: &mut Session, holder: &Key) -> WalletAddress {
    let wallet = WalletAddress::from_bytes(holder.address().to_bytes()).unwrap();
    session.say(WorkerMessage::StateWallet { wallet, domain: "127.0.0.1:1234".to_owned() }).await;
    let statement = session
        .until(|message| match message {
            NetworkMessage::WalletStatement(statement) => Some((**statement).clone()),
            NetworkMessage::Refused { fault, .. } => panic!("{fault}"),
            _ => None,
        })
        .await;
    let text = lull_checks::wallet::text(&statement).unwrap();
    let signature = Signature(<[u8; 64]>::from(holder.sign(text.as_bytes())));
    session.say(WorkerMessage::ProveWallet { nonce: statement.nonce, signature }).await;
    wallet
}

async fn standing(session: &mut Session, which: impl Fn(&PayoutStanding) -> bool) -> PayoutStanding {
    session
        .until(|message| match message {
            NetworkMessage::Payouts(standing) if which(standing) => Some((**standing).clone()),
            NetworkMessage::Refused { fault, .. } => panic!("{fault}"),
            _ => None,
        })
        .await
}

/// Options of a network that pays on the practice ledger of another, as soon as it can be, at one USDC for a SOL.
fn paying(ledger: &Ledger, key_file: &Path) -> Vec<String> {
    let Genesis { program, mint } = Genesis::addresses();
    let (program, mint) = (program.to_string(), mint.to_string());
    let quick = "--epoch-minutes 0.05 --audit-minutes 0 --slot-ms 50 --sol-price 1 --payout-threshold 10000";
    [
        "--solana",
        &ledger.url,
        "--program",
        &program,
        "--mint",
        &mint,
        "--treasury",
        key_file.to_str().unwrap(),
    ]
    .into_iter()
    .chain(quick.split(' '))
    .map(str::to_owned)
    .collect()
}

fn start(folder: &Path, options: &[String]) -> Network {
    Network::start(folder, &options.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A job of one task, at one USDC.
async fn submit_one(customer: &Customer) {
    let mut new = sample_job(customer).await;
    new.tasks.truncate(1);
    new.price_per_task = lull_types::BaseUnits(1_000_000);
    submit(customer, &new).await;
}

#[tokio::test]
async fn a_network_pays_over_json_rpc_and_publishes_what_anyone_can_check() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = Network::start(there.path(), &FAST);
    let ledger = Ledger::of(&chain);
    let treasury = Key::from_bytes(&[21; 32]);
    ledger.enrich(&chain, treasury.address(), 100_000_000).await;
    let key_file = here.path().join("treasury.json");
    write_key(&key_file, &treasury);
    let network = start(&here.path().join("network"), &paying(&ledger, &key_file));
    submit_one(&network.add_customer("Ada", 2_000_000)).await;

    let ticket = network.ticket();
    let (first, second) = (Dialer::new().await, Dialer::new().await);
    let (mut one, mut two) = (first.open(&ticket).await, second.open(&ticket).await);
    one.enrol().await;
    two.enrol().await;
    let holder = Key::from_bytes(&[22; 32]);
    let wallet = prove(&mut one, &holder).await;
    do_one(&mut one, 200).await;
    do_one(&mut two, 200).await;

    // The first is paid by the network; the second has no wallet, and nothing is listed for it.
    let done = |standing: &PayoutStanding| standing.payouts.iter().any(|p| p.stage == PayoutStage::Confirmed);
    let paid = standing(&mut one, done).await;
    // On a busy machine a blockhash may end before its transaction is sent, which is another payout that expired.
    let payout = paid.payouts.iter().find(|payout| payout.stage == PayoutStage::Confirmed).unwrap();
    // 3,051,520 lamports at one USDC for a SOL: the wallet's account had to be opened.
    assert_eq!((payout.amount.0, payout.fee.0), (1_000_000 - 3_052, 3_052));
    assert_eq!(ledger.held(holder.address()).await, payout.amount.0);
    assert_eq!((paid.next.clone(), paid.fee_later.0), (NextPayout::Nothing, 10));
    let place = paid.place.unwrap();
    assert_eq!((place.cluster.as_str(), place.endpoint.as_deref()), ("localnet", Some(ledger.url.as_str())));

    // Anyone reads the file, and finds its root in the network's account on the chain.
    let anyone = Customer::new(&network.announcement.http, "");
    let epochs: Vec<PublishedEpoch> = anyone.json("/epochs").await;
    let newest = &epochs[0];
    assert!(newest.anchored_at.is_some() && newest.signature.is_some(), "{newest:?}");
    let path = format!("/epochs/{}", newest.epoch);
    let response = anyone.get(&path).await;
    assert_eq!(response.headers()["cache-control"], "public, immutable, max-age=31536000");
    let tag = response.headers()["etag"].clone();
    assert_eq!(tag.to_str().unwrap(), format!("\"{}\"", newest.root));
    let file = response.bytes().await.unwrap();
    let (header, entry) = publication::prove(&file[..], first.key.worker_id(), wallet).unwrap();
    assert_eq!((header.leaves, entry.unwrap().leaf.lifetime), (1, payout.amount));
    let anchor = Anchor::new(ticket.id, place.program.0).unwrap();
    assert_eq!((header.anchor, *anchor.account()), (anchor, place.account.0));
    let account = ledger.rpc.account(&Address::new_from_array(place.account.0)).await.unwrap().unwrap();
    let account = NetworkAccount::read(&account.data).unwrap();
    assert_eq!((account.root, account.epoch, account.claimed), (header.root, newest.epoch, payout.amount.0));
    let again = anyone.request(Method::GET, &path).header("if-none-match", tag).send().await.unwrap();
    assert_eq!((again.status(), again.bytes().await.unwrap().len()), (StatusCode::NOT_MODIFIED, 0));
    for path in ["/epochs/0", "/epochs/18446744073709551615", "/epochs/x"] {
        assert_eq!(refusal(anyone.get(path).await).await, (404, "epoch_unknown".to_owned()));
    }

    let standing = operate(&here.path().join("network"), &["payouts", "status"]);
    assert_eq!((&standing["epoch"], &standing["anchored"]), (&newest.epoch.into(), &true.into()));
    assert_eq!(standing["treasury"], treasury.address().to_string());
    let left = standing["balances"]["lamports"].as_u64().unwrap();
    assert!(left > 0 && left < SOL, "it has paid fees and rent");
    assert!(network.stop().success() && chain.stop().success());
}

#[tokio::test]
async fn a_limit_stops_contributors_payouts_until_a_person_goes_on() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = Network::start(there.path(), &FAST);
    let ledger = Ledger::of(&chain);
    let treasury = Key::from_bytes(&[23; 32]);
    ledger.enrich(&chain, treasury.address(), 100_000_000).await;
    let key_file = here.path().join("treasury.json");
    write_key(&key_file, &treasury);
    // Two earn a USDC each, and an epoch may pay out one and a half.
    let options =
        [paying(&ledger, &key_file), vec!["--tokens-max".to_owned(), "1500000".to_owned()]].concat();
    let folder = here.path().join("network");
    let mut network = start(&folder, &options);
    submit_one(&network.add_customer("Ada", 2_000_000)).await;
    let ticket = network.ticket();
    let (first, second) = (Dialer::new().await, Dialer::new().await);
    let (mut one, mut two) = (first.open(&ticket).await, second.open(&ticket).await);
    one.enrol().await;
    two.enrol().await;
    let holders = [Key::from_bytes(&[31; 32]), Key::from_bytes(&[32; 32])];
    prove(&mut one, &holders[0]).await;
    prove(&mut two, &holders[1]).await;
    do_one(&mut one, 200).await;
    do_one(&mut two, 200).await;

    // Both are listed in one epoch: what it may not pay whole is not begun, and both learn why they wait.
    for session in [&mut one, &mut two] {
        let told = standing(session, |standing| standing.next == NextPayout::Stopped).await;
        assert!(told.payouts.iter().all(|payout| payout.stage == PayoutStage::Planned), "{told:?}");
    }
    let stopped = "lull_payouts_stopped{code=\"sender_tokens_limit\"} 1";
    assert!(network.metrics().await.contains(stopped));

    // Neither another start nor another epoch lets it go on.
    network.kill();
    network = start(&folder, &options);
    let alarm = async || {
        let standing = operate(&folder, &["payouts", "status"]);
        standing["alarm"].is_object().then_some(standing)
    };
    let standing = until("the alarm after a restart", alarm).await;
    assert_eq!(standing["alarm"]["code"], "sender_tokens_limit");
    assert_eq!(standing["limits"]["tokens_max"], 1_500_000);
    ledger.until_all_is_settled().await;
    let held = async || [ledger.held(holders[0].address()).await, ledger.held(holders[1].address()).await];
    assert_eq!(held().await, [0, 0]);

    let standing = operate(&folder, &["payouts", "resume", "--tokens-max", "2000000"]);
    assert!(standing["alarm"].is_null(), "{standing:#}");
    let each = 1_000_000 - 3_052;
    until("both payouts", async || (held().await == [each, each]).then_some(())).await;
    assert!(!network.metrics().await.contains("sender_tokens_limit"));
    assert!(network.stop().success() && chain.stop().success());
}

#[tokio::test]
async fn a_network_with_another_key_or_token_pays_nothing() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = Network::start(there.path(), &FAST);
    let ledger = Ledger::of(&chain);
    let treasury = Key::from_bytes(&[21; 32]);
    ledger.enrich(&chain, treasury.address(), 1_000).await;
    let key_file = here.path().join("treasury.json");
    write_key(&key_file, &treasury);
    let program = Genesis::addresses().program.to_string();
    // An account that is there, and no token.
    let wallet = treasury.address().to_string();
    let options = [
        "--solana",
        &ledger.url,
        "--program",
        &program,
        "--mint",
        &wallet,
        "--treasury",
        key_file.to_str().unwrap(),
        "--slot-ms",
        "50",
    ];
    let folder = here.path().join("network");
    let network = Network::start(&folder, &options);
    let waits = until("the complaint", || {
        let standing = operate(&folder, &["payouts", "status"]);
        async move { standing["waits"].as_str().map(str::to_owned) }
    })
    .await;
    assert!(waits.contains("mint_unsuitable"), "{waits}");
    network.kill();

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(crate::process::refused_start(&folder, &options).contains("treasury_exposed"));
    }
    std::fs::remove_file(&key_file).unwrap();
    assert!(crate::process::refused_start(&folder, &options).contains("treasury_unreadable"));
    assert!(crate::process::refused_start(&folder, &options[..4]).contains("--treasury"));
}
