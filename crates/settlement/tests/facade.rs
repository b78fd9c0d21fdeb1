//! The practice ledger over JSON-RPC: the contract of a chain, through the client that real clusters are asked with.

#![allow(clippy::unwrap_used, reason = "clippy does not know that the helpers of a test are of a test")]

mod contract;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::Stage;
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::svm::{Ledger, Options, facade};
use lull_settlement::chain::{Account, Address, Chain};
use lull_types::UnixMillis;
use solana_keypair::{Keypair, Signer as _};

struct Served {
    ledger: Ledger,
    rpc: Rpc,
    payer: Keypair,
    now_ms: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

/// Answers one request after another on each connection, as an endpoint does, until nobody asks any more.
fn serve(ledger: &Ledger, runtime: &tokio::runtime::Handle) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (ledger, runtime) = (ledger.clone(), runtime.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (ledger, runtime) = (ledger.clone(), runtime.clone());
            std::thread::spawn(
                move || while answer_one(stream.as_ref().unwrap(), &ledger, &runtime).is_some() {},
            );
        }
    });
    url
}

fn answer_one(mut stream: &TcpStream, ledger: &Ledger, runtime: &tokio::runtime::Handle) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = runtime.block_on(facade::answer(ledger, &body)).to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
    stream.write_all(format!("{head}{answer}").as_bytes()).ok()
}

impl Served {
    async fn begin(endpoints: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
        let clock = Arc::clone(&now_ms);
        let clock = move || UnixMillis(clock.load(Ordering::Relaxed));
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite"), Options::default(), clock).unwrap();
        let payer = Keypair::new_from_array([7; 32]);
        let rich = Account { lamports: 100_000_000_000, owner: Address::default(), data: vec![] };
        ledger.set_account(payer.pubkey(), rich).await.unwrap();
        let runtime = tokio::runtime::Handle::current();
        let urls: Vec<String> = (0..endpoints).map(|_| serve(&ledger, &runtime)).collect();
        let rpc = Rpc::new(&urls).unwrap();
        Self { ledger, rpc, payer, now_ms, _folder: folder }
    }

    fn pass_slots(&self, slots: u64) {
        self.now_ms.fetch_add(slots * Options::default().slot_ms, Ordering::Relaxed);
    }
}

impl Stage for Served {
    fn chain(&self) -> &impl Chain {
        &self.rpc
    }
    fn payer(&self) -> &Keypair {
        &self.payer
    }
    async fn finalize(&self) {
        self.pass_slots(40);
    }
    async fn expire(&self) {
        // Two endpoints that agree are believed a hundred blocks later.
        self.pass_slots(300);
    }
    async fn put(&self, address: Address, account: Account) {
        self.ledger.set_account(address, account).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_over_one_endpoint() {
    contract::holds(&Served::begin(1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_over_two_endpoints() {
    contract::holds(&Served::begin(2).await).await;
}
