//! Pure verification shared by both sides: Merkle trees, receipts, comparison of results.
