//! Pure verification shared by both sides: Merkle trees, receipts, comparison of results.

pub mod compare;
pub mod merkle;
pub mod receipts;
