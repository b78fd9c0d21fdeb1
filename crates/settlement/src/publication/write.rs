//! Writing an epoch's file.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{Header, LEAF_BYTES};
use crate::epoch::{Anchor, Leaf, Leaves, Tree};

/// Leaves that are written at once: 295 KB, after which larger pieces are no faster.
const LEAVES_A_PIECE: usize = 4096;

/// Writes the file of an epoch. `tree` is that of `leaves`.
///
/// # Errors
/// When writing fails.
pub fn write(
    mut out: impl Write,
    anchor: Anchor,
    epoch: u64,
    leaves: &Leaves,
    tree: &Tree,
) -> io::Result<Header> {
    let count = leaves.as_slice().len() as u64;
    let header = Header { anchor, epoch, leaves: count, total: leaves.total(), root: tree.root() };
    let mut checksum = Sha256::new();
    let mut put = |bytes: &[u8]| {
        checksum.update(bytes);
        out.write_all(bytes)
    };
    put(&header.to_bytes())?;
    let mut piece = Vec::with_capacity(LEAVES_A_PIECE * LEAF_BYTES);
    for leaves in leaves.as_slice().chunks(LEAVES_A_PIECE) {
        piece.clear();
        leaves.iter().for_each(|leaf| append(&mut piece, leaf));
        put(&piece)?;
    }
    out.write_all(&checksum.finalize())?;
    out.flush()?;
    Ok(header)
}

fn append(piece: &mut Vec<u8>, leaf: &Leaf) {
    piece.extend_from_slice(&leaf.worker.0);
    piece.extend_from_slice(leaf.wallet.as_bytes());
    piece.extend_from_slice(&leaf.lifetime.0.to_be_bytes());
}
