//! The network's account on the chain, and the transactions that the network signs.

use lull_distributor::{ClaimAccount, NetworkAccount, WITHDRAWAL_DELAY_S_MIN};
use lull_network_api::NetworkMessage;
use lull_settlement::chain::{Address, Chain, TokenAccount};
use lull_settlement::compose::{self, Budget, Key, Place, RentedAccount, Signed};
use lull_settlement::epoch::{Leaf, Proof};
use lull_settlement::sender::{Attempt, Claim, RefundId, Work};
use lull_types::{BaseUnits, Coded, EarningsProof, Fault, WalletAddress, WorkerId};

use super::Task;
use super::settings::check_mint;
use crate::store::payouts;

/// What making the network's account may cost beside rent: three signatures and priority.
const INITIALIZE_LAMPORTS_MAX: u64 = 100_000;

/// How far the network's account is.
#[derive(Debug)]
pub(super) enum Ready {
    /// It is there.
    Yes,
    /// Its making was signed and is sent until it is there, or can no longer be.
    Making(Signed, u64),
}

impl Task {
    /// Whether the network's account is there. If it is not, it is made; nobody loses anything if that is sent twice.
    pub(super) async fn is_ready(&mut self) -> Result<bool, Fault> {
        if matches!(self.ready, Some(Ready::Yes)) {
            return Ok(true);
        }
        if let Some(account) = self.network_account().await? {
            self.check(&account)?;
            self.ready = Some(Ready::Yes);
            return Ok(true);
        }
        let chain = &self.setup.chain;
        if !self.setup.mint_is_known {
            check_mint(&**chain, &self.setup.place.mint).await?;
        }
        if let Some(Ready::Making(signed, last_valid_height)) = &self.ready
            && chain.finalized_height().await.map_err(|error| error.fault())? <= *last_valid_height
        {
            chain.send(&signed.bytes).await.map_err(|error| error.fault())?;
            return Ok(false);
        }
        let (signed, last_valid_height) = self.make_account().await?;
        tracing::info!(signature = %signed.signature, "the network's account is made on the chain");
        chain.send(&signed.bytes).await.map_err(|error| error.fault())?;
        self.ready = Some(Ready::Making(signed, last_valid_height));
        Ok(false)
    }

    /// An account that somebody else controls, or that pays something else, is not paid from.
    fn check(&self, account: &NetworkAccount) -> Result<(), Fault> {
        let ours = self.setup.treasury.key.address().to_bytes();
        let (authority, mint) = (Address::new_from_array(account.authority), account.mint);
        if account.authority != ours {
            return Err(Fault::new(
                "treasury_not_the_authority",
                format!(
                    "the network's account on the chain obeys {authority}, which is not the treasury's key; give that key"
                ),
            ));
        }
        if mint != self.setup.place.mint.to_bytes() {
            return Err(Fault::new(
                "other_mint",
                format!(
                    "the network's account on the chain pays the token {}; give that one",
                    Address::new_from_array(mint)
                ),
            ));
        }
        Ok(())
    }

    async fn make_account(&self) -> Result<(Signed, u64), Fault> {
        let chain = &*self.setup.chain;
        let place = &self.setup.place;
        let rent = rent(chain, NetworkAccount::LEN).await? + rent(chain, TokenAccount::LEN).await?;
        let payer = &self.setup.treasury.key;
        let written = [place.account(), place.vault, payer.address()];
        let budget = Budget {
            price: chain.priority_fee(&written).await.unwrap_or(0),
            lamports_max: rent + INITIALIZE_LAMPORTS_MAX,
        };
        let recent = chain.recent().await.map_err(|error| error.fault())?;
        let (payer_address, delay) = (payer.address(), WITHDRAWAL_DELAY_S_MIN);
        let made = compose::initialize(place, payer_address, payer_address, delay, budget, rent);
        let network = Key::from(&self.setup.key);
        let signed = made.and_then(|made| compose::sign(&made, recent.blockhash, payer, &[&network]));
        signed.map(|signed| (signed, recent.last_valid_height)).map_err(|error| error.fault())
    }

    /// Composes and signs what a batch does.
    pub(super) async fn prepare(&self, epoch: u64, work: &Work, lamports_max: u64) -> Result<Attempt, Fault> {
        let chain = &*self.setup.chain;
        let (place, payer) = (&self.setup.place, &self.setup.treasury.key);
        let price = chain.priority_fee(&[place.account(), place.vault]).await.unwrap_or(0);
        let budget = Budget { price, lamports_max };
        let instructions = match work {
            Work::Root { root, total } => {
                let top_up = self.top_up(*total).await?;
                compose::post_root(place, payer.address(), epoch, total.0, root, top_up, budget)
            }
            Work::Claims(claims) => {
                let mut leaves = Vec::with_capacity(claims.len());
                for claim in claims {
                    leaves.push(self.claimed_leaf(epoch, claim).await?);
                }
                compose::claims(place, payer.address(), &leaves, budget)
            }
            Work::Refund { refund, to, amount } => {
                let to = self.refunded(*to, *amount).await?;
                let name = refund_name(place, *refund);
                compose::refund(payer.address(), self.setup.treasury.purse, to, amount.0, name, budget)
            }
        };
        // Last, so that the blockhash is as fresh as can be.
        let recent = chain.recent().await.map_err(|error| error.fault())?;
        let signed = instructions.and_then(|made| compose::sign(&made, recent.blockhash, payer, &[]));
        let Signed { signature, bytes } = signed.map_err(|error| error.fault())?;
        Ok(Attempt { signature, bytes, last_valid_height: recent.last_valid_height })
    }

    /// What the vault lacks for a total, and where it comes from.
    async fn top_up(&self, total: BaseUnits) -> Result<Option<(Address, u64)>, Fault> {
        let chain = &self.setup.chain;
        let account = self.network_account().await?;
        let (claimed, announced) =
            account.map_or((0, 0), |account| (account.claimed, account.withdrawal_amount));
        let needed = total.0.saturating_sub(claimed).saturating_add(announced);
        let held = |address| async move {
            let found = chain.token_account(&address).await.map_err(|error| error.fault())?;
            Ok::<_, Fault>(found.map_or(0, |account| account.amount.0))
        };
        let lacking = needed.saturating_sub(held(self.setup.place.vault).await?);
        if lacking == 0 {
            return Ok(None);
        }
        let purse = self.setup.treasury.purse;
        let available = held(purse).await?;
        if available < lacking {
            return Err(empty(purse, available, lacking));
        }
        Ok(Some((purse, lacking)))
    }

    /// The token account that a refund goes to, if the treasury can pay it.
    async fn refunded(&self, to: WalletAddress, amount: BaseUnits) -> Result<Address, Fault> {
        let none = || Fault::new("refund_wallet_unusable", "this wallet has no address for the token");
        let (address, _) = self.setup.place.token_account(to).ok_or_else(none)?;
        let purse = self.setup.treasury.purse;
        let held = self.setup.chain.token_account(&purse).await.map_err(|error| error.fault())?;
        let available = held.map_or(0, |account| account.amount.0);
        if available < amount.0 { Err(empty(purse, available, amount.0)) } else { Ok(address) }
    }

    /// The leaf of a claim with its proof, and which accounts it has to open.
    async fn claimed_leaf(
        &self,
        epoch: u64,
        claim: &Claim,
    ) -> Result<(Leaf, Proof, [RentedAccount; 2]), Fault> {
        let (worker, wallet) = (claim.payee.worker, claim.payee.wallet);
        let (leaf, proof) = self.epochs.prove(epoch, worker, wallet)?;
        let chain = &*self.setup.chain;
        let place = &self.setup.place;
        let claims = place.anchor.claim_account(worker, wallet).map(Address::new_from_array);
        let purse = place.token_account(wallet).map(|(address, _)| address);
        let mut rented = [RentedAccount { missing: false, lamports: 0 }; 2];
        let bytes = [ClaimAccount::LEN, TokenAccount::LEN];
        for ((rented, address), bytes) in rented.iter_mut().zip([claims, purse]).zip(bytes) {
            let Some(address) = address else { continue };
            *rented = RentedAccount::read(chain, &address, bytes).await.map_err(|error| error.fault())?;
        }
        Ok((leaf, proof, rented))
    }

    /// The proof of a worker's earnings under the root that is on the chain.
    pub(super) async fn proof(&mut self, worker: WorkerId, wallet: WalletAddress) -> NetworkMessage {
        let found = async {
            let none = || {
                Fault::new(
                    "no_epoch_yet",
                    "no epoch has been anchored on the chain yet; wait for the end of this one",
                )
            };
            let epoch = self.setup.reader.read(payouts::anchored).await?.ok_or_else(none)?;
            self.epochs.load(epoch.number).await?;
            let (leaf, proof) = self.epochs.prove(epoch.number, worker, wallet)?;
            Ok::<_, Fault>(EarningsProof {
                epoch: epoch.number,
                wallet,
                lifetime: leaf.lifetime,
                root: epoch.root,
                siblings: proof.0,
            })
        };
        match found.await {
            Ok(proof) => NetworkMessage::EarningsProof(Box::new(proof)),
            Err(fault) => NetworkMessage::Refused { assignment: None, fault },
        }
    }
}

fn empty(purse: Address, available: u64, lacking: u64) -> Fault {
    let (available, lacking) = (BaseUnits(available), BaseUnits(lacking));
    Fault::new(
        "treasury_empty",
        format!("the treasury has {available} USDC and {lacking} are to be paid from it; pay in to {purse}"),
    )
}

/// What a refund's transaction names, so that no other is like it.
fn refund_name(place: &Place, refund: RefundId) -> Address {
    let mut hasher = blake3::Hasher::new_derive_key("lull refund 1");
    hasher.update(place.anchor.account()).update(&refund.0.to_be_bytes());
    Address::new_from_array(*hasher.finalize().as_bytes())
}

async fn rent(chain: &dyn Chain, bytes: usize) -> Result<u64, Fault> {
    chain.rent_exempt(bytes).await.map_err(|error| error.fault())
}
