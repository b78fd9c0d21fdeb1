//! What customers pay in and get back over Solana, and what a network publishes of its payouts.
//!
//! | method | path | |
//! |---|---|---|
//! | POST | `/v1/deposits` | [`NewDeposit`] → [`Deposit`] |
//! | GET | `/v1/deposits`, `/v1/deposits/{id}` | [`Deposit`] |
//! | GET | `/v1/deposits/{id}/qr.svg` | its URL as a picture for a phone |
//! | POST | `/v1/refunds` | [`NewRefund`] → [`Refund`] |
//! | GET | `/v1/refunds`, `/v1/refunds/{id}` | [`Refund`] |
//! | GET | `/epochs` | [`PublishedEpoch`]s, for everyone |
//! | GET | `/epochs/{number}` | the file of one, for everyone |

use lull_types::{BaseUnits, ChainAddress, DepositId, TransactionSignature, UnixMillis, WalletAddress};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A deposit that a customer wants to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeposit {
    /// How much, in base units; the payer chooses if nothing is said. Whatever arrives counts.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    pub amount: Option<BaseUnits>,
}

/// How far a deposit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DepositState {
    /// Nothing has arrived that is final.
    Waiting,
    /// Less has arrived than was said.
    Part,
    /// It has arrived.
    Paid,
}

/// A deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deposit {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DepositId,
    /// How far it is.
    pub state: DepositState,
    /// As it was asked for.
    #[schema(value_type = Option<u64>)]
    pub amount: Option<BaseUnits>,
    /// What has arrived, in base units.
    #[schema(value_type = u64)]
    pub received: BaseUnits,
    /// The address by which its payments are found.
    #[schema(value_type = String)]
    pub reference: ChainAddress,
    /// A Solana Pay request, which a wallet opens.
    pub url: String,
    /// What has arrived, the oldest first.
    pub payments: Vec<DepositPayment>,
    /// When it was asked for, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub created_at: UnixMillis,
    /// Until when payments are looked for without being asked to, in milliseconds since 1970. Later ones are found when
    /// the deposit is fetched.
    #[schema(value_type = u64)]
    pub watched_until: UnixMillis,
}

/// A payment that is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositPayment {
    /// Its transaction.
    #[schema(value_type = String)]
    pub signature: TransactionSignature,
    /// What arrived, in base units.
    #[schema(value_type = u64)]
    pub amount: BaseUnits,
    /// When it was credited, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub at: UnixMillis,
}

/// A refund that a customer wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    /// Chosen by the customer; the same key again returns the first refund instead of a second.
    pub idempotency_key: String,
    /// How much, in base units; all that is free to spend if nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    pub amount: Option<BaseUnits>,
    /// The wallet that it goes to, which must have an account of the token.
    #[schema(value_type = String)]
    pub to: WalletAddress,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// The money has left the account and waits to be sent.
    Planned,
    /// Its transaction is signed and is sent until it is final.
    Sent,
    /// It has arrived.
    Paid,
    /// It could not be paid, and the money is in the account again.
    Returned,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    /// Its number.
    pub id: u64,
    /// How far it is.
    pub state: RefundState,
    /// How much, in base units.
    #[schema(value_type = u64)]
    pub amount: BaseUnits,
    /// Where it goes.
    #[schema(value_type = String)]
    pub to: WalletAddress,
    /// Its newest transaction.
    #[schema(value_type = Option<String>)]
    pub signature: Option<TransactionSignature>,
    /// When it was asked for, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub created_at: UnixMillis,
}

/// An epoch whose earnings are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedEpoch {
    /// Its number.
    pub epoch: u64,
    /// The root over its leaves, in hexadecimal digits.
    pub root: String,
    /// The sum of its lifetimes, in base units.
    #[schema(value_type = u64)]
    pub total: BaseUnits,
    /// When its root was seen to be final on the chain, in milliseconds since 1970.
    #[schema(value_type = Option<u64>)]
    pub anchored_at: Option<UnixMillis>,
    /// The transaction that posted it.
    #[schema(value_type = Option<String>)]
    pub signature: Option<TransactionSignature>,
}
