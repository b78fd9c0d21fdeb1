//! The contract of every ledger, on Solana's own over JSON-RPC.

use anyhow::Result;
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::{Account, Address, Chain};
use lull_tests::{Genesis, PATIENCE, Validator};
use solana_keypair::{Keypair, Signer as _};

use crate::contract::{self, Stage};

/// Blocks in which whatever was sent is in a block, if it will ever be: a validator that makes every block itself
/// takes it into the next.
const UNTIL_TAKEN: u64 = 10;

struct Genuine {
    rpc: Rpc,
    payer: Keypair,
}

impl Genuine {
    async fn wait_for(&self, height: u64) {
        let wait = async {
            while self.rpc.finalized_height().await.unwrap() < height {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the validator makes no blocks");
    }
}

impl Stage for Genuine {
    fn chain(&self) -> &impl Chain {
        &self.rpc
    }

    fn payer(&self) -> &Keypair {
        &self.payer
    }

    async fn finalize(&self) {
        // 250 blocks after that of the blockhash: 150 by the protocol, and what endpoints may be apart.
        let present = self.rpc.recent().await.unwrap().last_valid_height - 250;
        self.wait_for(present + UNTIL_TAKEN).await;
    }

    async fn expire(&self) {
        let last_valid_height = self.rpc.recent().await.unwrap().last_valid_height;
        self.wait_for(last_valid_height + 1).await;
    }

    /// The ledger began with it.
    async fn put(&self, address: Address, account: Account) {
        assert_eq!(self.rpc.account(&address).await.unwrap(), Some(account));
    }
}

#[tokio::test]
#[ignore = "needs Solana's validator: cargo xtask validator"]
async fn the_contract_holds() -> Result<()> {
    let payer = Keypair::new_from_array([7; 32]);
    let accounts = contract::accounts(&payer.pubkey());
    let genesis = accounts.iter().fold(Genesis::default(), |genesis, (address, account)| {
        genesis.account(address, account.lamports, account.owner, &account.data)
    });
    let validator = Validator::start(payer.pubkey(), &genesis).await?;
    let stage = Genuine { rpc: Rpc::new(&[validator.url()])?, payer };
    contract::holds(&stage).await;
    Ok(())
}
