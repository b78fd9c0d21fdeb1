//! How a network pays, as its operator says it.

use std::fmt;
use std::time::Duration;

use lull_settlement::chain::rpc::{EndpointError, Rpc};
use lull_settlement::chain::{Address, Chain, ChainError, TOKEN_PROGRAM};
use lull_settlement::compose::Place;
use lull_settlement::epoch::Anchor;
use lull_settlement::sender;
use lull_types::{BaseUnits, Coded, Fault, SecretKey};

use super::practice::{self, told};
use super::treasury::{Treasury, TreasuryError, read_key};
use crate::engine::PayoutPolicy;

/// Bytes of a mint of the token program, and where its decimals are.
const MINT_BYTES: usize = 82;
const MINT_DECIMALS_AT: usize = 44;
/// Decimals of USDC: base units are millionths.
const DECIMALS: u8 = 6;
/// Lamports in a SOL.
const LAMPORTS_A_SOL: u128 = 1_000_000_000;
/// From so much on the first payout's fee, with its rents, is less than a tenth at 150 USDC for a SOL.
const THRESHOLD: BaseUnits = BaseUnits(5 * BaseUnits::ONE_USDC.0);
/// How many later fees the least payout is worth: nobody should lose more than a tenth to them.
const FEES_A_PAYOUT_MIN: u64 = 10;

/// How a network pays, as its operator says it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where; none pays on the practice ledger, if the network has one.
    pub cluster: Option<Cluster>,
    /// What contributors are charged; none for those of practice.
    pub charges: Option<Charges>,
    /// What an epoch may cost.
    pub spending: sender::Policy,
    /// How long a slot of the chain takes, by which everything that waits for the chain is timed.
    pub slot: Duration,
}

/// A slot of Solana.
pub const SLOT: Duration = Duration::from_millis(400);

impl Default for Settings {
    fn default() -> Self {
        Self { cluster: None, charges: None, spending: sender::Policy::default(), slot: SLOT }
    }
}

/// A cluster of Solana, and who pays there.
#[derive(Clone)]
pub struct Cluster {
    /// Endpoints by URL.
    pub endpoints: Vec<String>,
    /// Its name, for people.
    pub name: String,
    /// The endpoint that workers are told.
    pub told: Option<String>,
    /// The distributor program.
    pub program: Address,
    /// The token.
    pub mint: Address,
    /// Where the treasury's key is; see [`read_key`].
    pub treasury: String,
}

impl fmt::Debug for Cluster {
    /// Without the endpoints: they often hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({}, {} endpoints, program {})", self.name, self.endpoints.len(), self.program)
    }
}

/// What contributors are charged for payouts, and from when on they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charges {
    /// For a first payout to a wallet.
    pub first: BaseUnits,
    /// For each later one.
    pub later: BaseUnits,
    /// From how much on a payout is sent to whoever has not said otherwise.
    pub threshold: BaseUnits,
    /// The least that anyone can ask for.
    pub threshold_min: BaseUnits,
}

impl Charges {
    /// What sending costs at most, at so many USDC for a SOL.
    pub fn at(sol_price_usdc: u64, spending: &sender::Policy, threshold: Option<BaseUnits>) -> Self {
        let usdc = |lamports: u64| {
            let price = u128::from(sol_price_usdc) * u128::from(BaseUnits::ONE_USDC.0);
            let units = u128::from(lamports).saturating_mul(price).div_ceil(LAMPORTS_A_SOL);
            BaseUnits(u64::try_from(units).unwrap_or(u64::MAX))
        };
        let later = usdc(spending.transaction_lamports_max);
        let first = usdc(spending.transaction_lamports_max.saturating_add(spending.claim_lamports_max));
        let least = BaseUnits(later.0.saturating_mul(FEES_A_PAYOUT_MIN)).max(first);
        let threshold = threshold.unwrap_or(THRESHOLD.max(least));
        Self { first, later, threshold, threshold_min: least.min(threshold) }
    }
}

/// The network cannot pay as it is told to.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// An endpoint.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The key.
    #[error(transparent)]
    Treasury(#[from] TreasuryError),
    /// No address follows from the network's key, which happens to one in 2²⁵⁶.
    #[error("this network's key has no account on the chain; make another key")]
    NoAccount,
    /// The token.
    #[error(
        "{0} is no token with six decimals of the classic token program, which is what amounts here are in; give the mint of USDC, or of a token like it"
    )]
    Mint(Address),
}

impl Coded for SettingsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Endpoint(error) => error.code(),
            Self::Treasury(error) => error.code(),
            Self::NoAccount => "chain_no_address",
            Self::Mint(_) => "mint_unsuitable",
        }
    }
}

impl Cluster {
    /// Connects to nothing yet: an endpoint that is down today must not keep the network from its work.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn begin(&self, key: &SecretKey) -> Result<(Rpc, Place, Treasury), SettingsError> {
        if let [_] = self.endpoints[..] {
            tracing::warn!(
                "payouts rest on the word of one endpoint of Solana; give a second --solana of another operator"
            );
        }
        let rpc = Rpc::new(&self.endpoints)?;
        let anchor =
            Anchor::new(key.network_id(), self.program.to_bytes()).ok_or(SettingsError::NoAccount)?;
        let place = Place::new(anchor, self.mint).ok_or(SettingsError::NoAccount)?;
        let treasury = Treasury::of(read_key(&self.treasury)?, &place)?;
        tracing::info!(
            cluster = self.name,
            treasury = %treasury.key.address(),
            purse = %treasury.purse,
            account = %place.account(),
            "payouts are sent on Solana"
        );
        Ok((rpc, place, treasury))
    }

    /// How a network pays there. `practice` also pays wallets for which nobody has signed, as its tokens are worth
    /// nothing.
    pub fn policy(&self, place: &Place, charges: Charges, practice: bool) -> PayoutPolicy {
        PayoutPolicy {
            place: told(place, &self.name, self.told.clone()),
            fee_first: charges.first,
            fee_later: charges.later,
            threshold: charges.threshold,
            threshold_min: charges.threshold_min,
            pays_unproven: practice,
        }
    }
}

impl Settings {
    /// What contributors are charged.
    pub fn charges(&self) -> Charges {
        self.charges.unwrap_or(practice::CHARGES)
    }
}

/// Whether the token is one whose amounts mean what they mean here.
///
/// # Errors
/// That it is none, or that the chain does not answer.
pub(super) async fn check_mint(chain: &dyn Chain, mint: &Address) -> Result<(), Fault> {
    let account = chain.account(mint).await.map_err(|error: ChainError| error.fault())?;
    let suits = account.is_some_and(|account| {
        account.owner == TOKEN_PROGRAM
            && account.data.len() == MINT_BYTES
            && account.data.get(MINT_DECIMALS_AT) == Some(&DECIMALS)
    });
    if suits { Ok(()) } else { Err(SettingsError::Mint(*mint).fault()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_what_sending_costs() {
        let charges = Charges::at(150, &sender::Policy::default(), None);
        // 10,000 lamports at 150 USDC for a billion of them; with 3,041,520 of rents.
        assert_eq!((charges.later, charges.first), (BaseUnits(1_500), BaseUnits(457_728)));
        assert_eq!((charges.threshold, charges.threshold_min), (BaseUnits(5_000_000), BaseUnits(457_728)));
        let low = Charges::at(150, &sender::Policy::default(), Some(BaseUnits(1_000)));
        assert_eq!((low.threshold, low.threshold_min), (BaseUnits(1_000), BaseUnits(1_000)));
        let absurd = Charges::at(u64::MAX, &sender::Policy::default(), None);
        assert_eq!(absurd.first, BaseUnits(u64::MAX));
    }
}
