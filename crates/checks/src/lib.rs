//! Pure verification shared by both sides: Merkle trees, receipts, products of matrices, comparison of results.

pub mod compare;
pub mod merkle;
pub mod product;
pub mod receipts;
