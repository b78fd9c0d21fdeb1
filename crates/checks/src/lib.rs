//! Pure verification shared by both sides: Merkle trees, receipts, products of matrices, filled memory, comparison of results, proofs
//! of wallets.

pub mod compare;
pub mod memory;
pub mod merkle;
pub mod product;
pub mod receipts;
pub mod wallet;
