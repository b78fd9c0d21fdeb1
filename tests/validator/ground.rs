//! What a network needs on a ledger: the program, a token, and a treasury that has some.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use lull_distributor::{ClaimAccount, NetworkAccount};
use lull_network::data_dir::write_secret;
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::{Address, Chain, Outcome, Signature, Status, TOKEN_PROGRAM};
use lull_settlement::compose::{Key, Place, Signed, sign};
use lull_settlement::epoch::{Anchor, Leaf, associated_token_account};
use lull_tests::{Genesis, PATIENCE, Validator, eventually};
use lull_types::{BaseUnits, SecretKey};
use serde_json::json;
use solana_instruction::Instruction;

use crate::contract::{address, token_account};

/// The committed program's file.
const PROGRAM: &str = "../programs/distributor/distributor.so";
/// What the treasury has at first, in base units: a million USDC.
pub const TREASURY_TOKENS: u64 = 1_000_000_000_000;

/// Where a network is on a ledger, and who pays there.
#[derive(Debug)]
pub struct Ground {
    pub network: SecretKey,
    pub place: Place,
    pub treasury: Key,
    pub purse: Address,
    /// Somebody else with lamports.
    pub stranger: Key,
}

impl Ground {
    pub fn of(network: SecretKey) -> Self {
        let treasury = Key::from_bytes(&[41; 32]);
        let (program, mint) = (address(42), address(43));
        let anchor = Anchor::new(network.network_id(), program.to_bytes()).unwrap();
        let place = Place::new(anchor, mint).unwrap();
        let (purse, _) = associated_token_account(treasury.address().as_array(), mint.as_array()).unwrap();
        let stranger = Key::from_bytes(&[44; 32]);
        Self { network, place, treasury, purse: Address::new_from_array(purse), stranger }
    }

    /// A validator whose ledger begins with the program, the token and the treasury, and those who have lamports.
    pub async fn validator(&self) -> Result<Validator> {
        let system = Address::default();
        let mut mint = [&1u32.to_le_bytes()[..], self.treasury.address().as_ref()].concat();
        mint.extend(TREASURY_TOKENS.to_le_bytes());
        mint.extend([6, 1]);
        mint.extend([0; 36]);
        let purse = token_account(&self.place.mint, &self.treasury.address(), TREASURY_TOKENS);
        let genesis = Genesis::default()
            .program(Address::new_from_array(*self.place.anchor.program()), Path::new(PROGRAM))
            .account(self.place.mint, 10_000_000, TOKEN_PROGRAM, &mint)
            .account(self.purse, 10_000_000, TOKEN_PROGRAM, &purse)
            .account(self.stranger.address(), 1_000_000_000_000, system, &[]);
        Validator::start(self.treasury.address(), &genesis).await
    }

    /// Writes the treasury's key as a network is given it.
    pub fn treasury_file(&self, folder: &Path) -> Result<PathBuf> {
        let file = folder.join("treasury.json");
        write_secret(&file, self.treasury.to_json().as_bytes())?;
        Ok(file)
    }

    /// What the ledger has of the network, at `finalized`.
    pub async fn account(&self, rpc: &Rpc) -> Result<NetworkAccount> {
        let account = rpc.account(&self.place.account()).await?.context("the network has no account")?;
        NetworkAccount::read(&account.data).context("the network's account has another layout")
    }

    /// What the ledger has paid under a leaf.
    pub async fn claimed(&self, rpc: &Rpc, leaf: &Leaf) -> Result<u64> {
        let claims = self.place.anchor.claim_account(leaf.worker, leaf.wallet).context("no address")?;
        let account = rpc.account(&Address::new_from_array(claims)).await?;
        Ok(account.and_then(|account| ClaimAccount::read(&account.data)).map_or(0, |claims| claims.claimed))
    }

    /// What a wallet holds of the token.
    pub async fn held(&self, rpc: &Rpc, leaf: &Leaf) -> Result<u64> {
        let (address, _) = self.place.token_account(leaf.wallet).context("no address")?;
        self.tokens(rpc, &address).await
    }

    /// What a token account holds.
    pub async fn tokens(&self, rpc: &Rpc, address: &Address) -> Result<u64> {
        Ok(rpc.token_account(address).await?.map_or(0, |account| account.amount.0))
    }

    /// The books of the chain itself: what was paid out left the vault, and nothing else was made or lost.
    pub async fn agrees(&self, rpc: &Rpc, leaves: &[Leaf]) -> Result<()> {
        let account = self.account(rpc).await?;
        let total: u64 = leaves.iter().map(|leaf| leaf.lifetime.0).sum();
        ensure!((account.committed, account.claimed) == (total, total), "{account:?}, listed are {total}");
        let mut wallets = std::collections::BTreeMap::new();
        for leaf in leaves {
            let claimed = self.claimed(rpc, leaf).await?;
            ensure!(claimed == leaf.lifetime.0, "{leaf:?} was paid {claimed}");
            wallets.entry(leaf.wallet.to_string()).or_insert((*leaf, 0)).1 += claimed;
        }
        for (leaf, paid) in wallets.values() {
            let held = self.held(rpc, leaf).await?;
            ensure!(held == *paid, "{} holds {held} and was paid {paid}", leaf.wallet);
        }
        let (vault, purse) =
            (self.tokens(rpc, &self.place.vault).await?, self.tokens(rpc, &self.purse).await?);
        ensure!(vault + purse + total == TREASURY_TOKENS, "vault {vault}, treasury {purse}, paid {total}");
        Ok(())
    }
}

/// What a transaction cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub units: u64,
    pub bytes: usize,
    /// Of its payer: fee and rent.
    pub lamports: u64,
}

/// Signs, sends and sends again until it is final. It must have been done.
pub async fn done(
    validator: &Validator,
    rpc: &Rpc,
    instructions: &[Instruction],
    payer: &Key,
    others: &[&Key],
) -> Result<Cost> {
    let signed = sign(instructions, rpc.recent().await?.blockhash, payer, others)?;
    let outcome = outcome(rpc, &signed).await?;
    ensure!(outcome == Outcome::Done, "{outcome:?}");
    cost(validator, &signed).await
}

/// What became of a transaction, at `finalized`.
pub async fn outcome(rpc: &Rpc, signed: &Signed) -> Result<Outcome> {
    let started = Instant::now();
    let mut refused = None;
    while started.elapsed() < PATIENCE {
        refused = rpc.send(&signed.bytes).await.err().or(refused);
        if let Some(outcome) = settled(rpc, signed.signature).await? {
            return Ok(outcome);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bail!("the transaction does not come into a block: {refused:?}")
}

async fn settled(rpc: &Rpc, signature: Signature) -> Result<Option<Outcome>> {
    Ok(match rpc.statuses(&[signature]).await?.remove(0) {
        Status::Finalized { outcome, .. } => Some(outcome),
        Status::Seen { .. } | Status::Unknown { .. } | Status::Unsure => None,
    })
}

/// Sends without having it tried first, as whoever means harm does, and waits until it is final.
pub async fn forced(validator: &Validator, rpc: &Rpc, signed: &Signed) -> Result<Outcome> {
    let bytes = data_encoding::BASE64.encode(&signed.bytes);
    let options = json!({ "encoding": "base64", "skipPreflight": true });
    eventually("the end of a transaction", async || {
        validator.ask("sendTransaction", json!([bytes, options])).await?;
        settled(rpc, signed.signature).await
    })
    .await
}

async fn cost(validator: &Validator, signed: &Signed) -> Result<Cost> {
    let options =
        json!({ "encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0 });
    let meta =
        validator.ask("getTransaction", json!([signed.signature.to_string(), options])).await?["meta"].take();
    let units = meta["computeUnitsConsumed"].as_u64().with_context(|| meta.to_string())?;
    let balance = |which: &str| meta[which][0].as_u64().with_context(|| meta.to_string());
    let lamports = balance("preBalances")? - balance("postBalances")?;
    Ok(Cost { units, bytes: signed.bytes.len(), lamports })
}

/// A leaf of a wallet of its own.
pub fn leaf(n: u32, lifetime: u64) -> Leaf {
    let mut secret = [60; 32];
    secret[..4].copy_from_slice(&n.to_be_bytes());
    let key = SecretKey::from_bytes(&secret);
    let wallet = lull_types::WalletAddress::from_bytes(key.public()).unwrap();
    Leaf { worker: key.worker_id(), wallet, lifetime: BaseUnits(lifetime) }
}
