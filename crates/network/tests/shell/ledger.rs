//! The practice ledger of a running network, as anyone on the machine reaches it.

use std::path::Path;
use std::time::{Duration, Instant};

use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::svm::Genesis;
use lull_settlement::chain::{Address, Chain, Signature, Status, TOKEN_PROGRAM};
use lull_settlement::compose::{Key, sign, transfer};
use lull_settlement::epoch::associated_token_account;
use serde_json::{Value, json};
use solana_address::address;
use solana_instruction::{AccountMeta, Instruction};

use crate::process::{Network, PATIENCE, client};

/// A practice network whose blocks come fast: what is taken is final a second later.
pub const FAST: [&str; 3] = ["--practice", "--slot-ms", "30"];

/// A SOL.
pub const SOL: u64 = 1_000_000_000;

const ASSOCIATED_TOKEN_PROGRAM: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");

/// Asks until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub struct Ledger {
    pub url: String,
    pub rpc: Rpc,
}

impl Ledger {
    pub fn of(network: &Network) -> Self {
        let url = format!("{}/solana", network.announcement.http);
        Self { rpc: Rpc::new(&[&url]).unwrap(), url }
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value =
            client().post(&self.url).json(&question).send().await.unwrap().json().await.unwrap();
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    pub async fn airdrop(&self, to: Address, lamports: u64) {
        let signature = self.ask("requestAirdrop", json!([to.to_string(), lamports])).await;
        self.until_final(signature.as_str().unwrap().parse().unwrap()).await;
    }

    pub async fn send(&self, payer: &Key, instructions: &[Instruction]) -> Signature {
        let recent = self.rpc.recent().await.unwrap();
        let signed = sign(instructions, recent.blockhash, payer, &[]).unwrap();
        self.rpc.send(&signed.bytes).await.unwrap()
    }

    pub async fn until_final(&self, signature: Signature) {
        until("a transaction's end", || async {
            let status = self.rpc.statuses(&[signature]).await.unwrap().remove(0);
            matches!(status, Status::Finalized { .. }).then_some(())
        })
        .await;
    }

    /// Waits until everything that could be in a block by now is in one, or never will be.
    pub async fn until_all_is_settled(&self) {
        let last = self.rpc.recent().await.unwrap().last_valid_height;
        until("the end of all blockhashes", || async {
            (self.rpc.finalized_height().await.unwrap() > last).then_some(())
        })
        .await;
    }

    /// Tokens that a wallet holds.
    pub async fn held(&self, wallet: Address) -> u64 {
        let account = self.rpc.token_account(&token_account(wallet)).await.unwrap();
        account.map_or(0, |account| account.amount.0)
    }

    /// Gives a wallet lamports and, from the practice treasury, tokens.
    pub async fn enrich(&self, network: &Network, wallet: Address, tokens: u64) {
        self.airdrop(wallet, SOL).await;
        let treasury = treasury(&network.data_dir);
        let (from, to) = (token_account(treasury.address()), token_account(wallet));
        let given = transfer(treasury.address(), from, to, tokens);
        let signature = self.send(&treasury, &[open(treasury.address(), wallet), given]).await;
        self.until_final(signature).await;
    }
}

/// The key of a practice network's treasury, which follows from the network's own.
pub fn treasury(data_dir: &Path) -> Key {
    let text = std::fs::read_to_string(data_dir.join("network.key")).unwrap();
    let key = data_encoding::HEXLOWER.decode(text.trim().as_bytes()).unwrap();
    Key::from_bytes(&blake3::derive_key("lull practice treasury 1", &key))
}

/// A wallet's account of the practice token.
pub fn token_account(wallet: Address) -> Address {
    let mint = Genesis::addresses().mint;
    Address::new_from_array(associated_token_account(wallet.as_array(), mint.as_array()).unwrap().0)
}

/// Opens that account unless it is open.
fn open(payer: Address, wallet: Address) -> Instruction {
    let accounts = vec![
        AccountMeta::new(payer, true),
        AccountMeta::new(token_account(wallet), false),
        AccountMeta::new_readonly(wallet, false),
        AccountMeta::new_readonly(Genesis::addresses().mint, false),
        AccountMeta::new_readonly(Address::default(), false),
        AccountMeta::new_readonly(TOKEN_PROGRAM, false),
    ];
    Instruction { program_id: ASSOCIATED_TOKEN_PROGRAM, accounts, data: vec![1] }
}

/// Pays a Solana Pay request, as a wallet does.
pub fn pay(payer: &Key, amount: u64, request: &lull_settlement::deposit::Request) -> Instruction {
    let to = token_account(Address::new_from_array(*request.recipient.as_bytes()));
    let mut paid = transfer(payer.address(), token_account(payer.address()), to, amount);
    paid.accounts.push(AccountMeta::new_readonly(request.reference, false));
    paid
}
