//! A wallet on a phone, which reads requests of Solana Pay.

use anyhow::{Context, Result, ensure};
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::{Address, Chain, Signature};
use lull_settlement::compose::{Key, sign};
use lull_types::WalletAddress;
use solana_instruction::{AccountMeta, Instruction};

/// A wallet with its key, and the ledger that it speaks to.
pub struct Phone {
    key: Key,
    rpc: Rpc,
}

impl Phone {
    /// The wallet of a secret, on the ledger behind this endpoint.
    pub fn new(secret: &[u8; 32], endpoint: &str) -> Result<Self> {
        Ok(Self { key: Key::from_bytes(secret), rpc: Rpc::new(&[endpoint])? })
    }

    /// The wallet's address.
    pub fn address(&self) -> Result<WalletAddress> {
        Ok(WalletAddress::from_bytes(self.key.address().to_bytes())?)
    }

    /// Asks the ledger for lamports, which those for tests give away, and waits until they are there.
    pub async fn fill(&self, lamports: u64) -> Result<()> {
        self.rpc.airdrop(&self.key.address(), lamports).await?;
        crate::eventually("the lamports", async || Ok(self.rpc.account(&self.key.address()).await?)).await?;
        Ok(())
    }

    /// Does what a transfer request of SOL asks for, as the specification says it (docs.solanapay.com/spec): the
    /// references follow the accounts of the transfer.
    pub async fn scan(&self, request: &str) -> Result<Signature> {
        let url = reqwest::Url::parse(request)?;
        ensure!(url.scheme() == "solana", "{request}");
        let field = |name: &str| {
            let found = url.query_pairs().find(|(of, _)| of == name).map(|(_, value)| value.into_owned());
            found.with_context(|| format!("{request} has no {name}"))
        };
        ensure!(field("spl-token").is_err(), "{request} asks for tokens");
        let recipient: Address = url.path().parse()?;
        let lamports = (field("amount")?.parse::<f64>()? * 1e9).round() as u64;
        let mut accounts =
            vec![AccountMeta::new(self.key.address(), true), AccountMeta::new(recipient, false)];
        for (_, reference) in url.query_pairs().filter(|(name, _)| name == "reference") {
            accounts.push(AccountMeta::new_readonly(reference.parse()?, false));
        }
        // `Transfer` of the system program.
        let data = [&2u32.to_le_bytes()[..], &lamports.to_le_bytes()].concat();
        let transfer = Instruction { program_id: Address::default(), accounts, data };
        let recent = self.rpc.recent().await?;
        let signed = sign(&[transfer], recent.blockhash, &self.key, &[])?;
        Ok(self.rpc.send(&signed.bytes).await?)
    }
}
