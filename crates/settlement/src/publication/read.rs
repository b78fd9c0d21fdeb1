//! Reading an epoch's file from whoever offers one.

use std::io::{ErrorKind, Read};

use lull_types::{BaseUnits, NetworkId, WalletAddress, WorkerId};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{HEADER_BYTES, Header, LEAF_BYTES, MAGIC, PublicationError};
use crate::epoch::{Anchor, Fold, Hash, LEAVES_MAX, Leaf, Leaves, Proof, hash_leaf};

/// Leaves that are read at once: 295 KB, enough work to be shared between cores.
const LEAVES_A_PIECE: u64 = 4096;

/// Leaves that one core takes at a time. Telling whether a wallet is one takes microseconds.
const LEAVES_A_TASK: usize = 64;

/// A leaf with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The leaf.
    pub leaf: Leaf,
    /// That it is under [`Header::root`].
    pub proof: Proof,
}

/// Checks a whole file.
///
/// # Errors
/// [`PublicationError`].
pub fn check(input: impl Read) -> Result<Header, PublicationError> {
    Ok(walk(input, None, |_| {})?.0)
}

/// Checks a whole file, and finds a worker's earnings for one wallet; none if the file has none.
///
/// # Errors
/// [`PublicationError`].
pub fn prove(
    input: impl Read,
    worker: WorkerId,
    wallet: WalletAddress,
) -> Result<(Header, Option<Entry>), PublicationError> {
    let mut found = None;
    let wanted = (worker, wallet);
    let (header, proof) = walk(input, Some(wanted), |leaf| {
        if leaf.key() == wanted {
            found = Some(*leaf);
        }
    })?;
    Ok((header, found.zip(proof).map(|(leaf, proof)| Entry { leaf, proof })))
}

/// Checks a whole file, and gives all that it lists for one worker: a leaf for each of its wallets.
///
/// # Errors
/// [`PublicationError`].
pub fn of_worker(input: impl Read, worker: WorkerId) -> Result<(Header, Vec<Leaf>), PublicationError> {
    let mut found = Vec::new();
    let (header, _) = walk(input, None, |leaf| {
        if leaf.worker == worker {
            found.push(*leaf);
        }
    })?;
    Ok((header, found))
}

/// Checks a whole file and takes it into memory, for whoever needs many proofs.
///
/// # Errors
/// [`PublicationError`].
pub fn read(input: impl Read) -> Result<(Header, Leaves), PublicationError> {
    // Not reserved by what the file states: memory is taken only for what was read.
    let mut leaves = Vec::new();
    let (header, _) = walk(input, None, |leaf| leaves.push(*leaf))?;
    // Sorted, unique and added up already, so that this cannot fail.
    let leaves = Leaves::new(leaves).map_err(|_| PublicationError::WrongTotal)?;
    Ok((header, leaves))
}

/// Shows every leaf in order; what was shown holds only if all does.
fn walk(
    mut input: impl Read,
    wanted: Option<(WorkerId, WalletAddress)>,
    mut show: impl FnMut(&Leaf),
) -> Result<(Header, Option<Proof>), PublicationError> {
    let mut checksum = Sha256::new();
    let mut bytes = [0; HEADER_BYTES];
    fill(&mut input, &mut bytes)?;
    checksum.update(bytes);
    let header = parse_header(&bytes)?;
    let mut fold = Fold::default();
    let mut total = BaseUnits::ZERO;
    let mut before = None;
    let mut piece = vec![0; LEAVES_A_PIECE.min(header.leaves) as usize * LEAF_BYTES];
    let mut at = 0;
    while at < header.leaves {
        let count = LEAVES_A_PIECE.min(header.leaves - at);
        let piece = &mut piece[..count as usize * LEAF_BYTES];
        fill(&mut input, piece)?;
        checksum.update(&*piece);
        for hashed in hash_piece(&header.anchor, piece) {
            let (leaf, hash) = hashed.ok_or(PublicationError::NotAWallet(at))?;
            if before.is_some_and(|before| before >= leaf.key()) {
                return Err(PublicationError::Unsorted(at));
            }
            if leaf.lifetime == BaseUnits::ZERO {
                return Err(PublicationError::Nothing(at));
            }
            total = total.plus(leaf.lifetime).map_err(|_| PublicationError::WrongTotal)?;
            if wanted == Some(leaf.key()) {
                fold.push_watched(hash);
            } else {
                fold.push(hash);
            }
            show(&leaf);
            before = Some(leaf.key());
            at += 1;
        }
    }
    let mut stated = [0; 32];
    fill(&mut input, &mut stated)?;
    if stated != <[u8; 32]>::from(checksum.finalize()) {
        return Err(PublicationError::WrongChecksum);
    }
    at_end(&mut input)?;
    if total != header.total {
        return Err(PublicationError::WrongTotal);
    }
    let (root, proof) = fold.finish();
    if root != header.root {
        return Err(PublicationError::WrongRoot);
    }
    Ok((header, proof))
}

/// Leaves with their hashes, in order; none where the wallet is not one.
fn hash_piece(anchor: &Anchor, piece: &[u8]) -> Vec<Option<(Leaf, Hash)>> {
    let leaves = piece.par_chunks_exact(LEAF_BYTES).with_min_len(LEAVES_A_TASK);
    leaves.map(|bytes| parse_leaf(bytes).map(|leaf| (leaf, hash_leaf(anchor, &leaf)))).collect()
}

fn parse_header(bytes: &[u8; HEADER_BYTES]) -> Result<Header, PublicationError> {
    let mut fields = Fields(bytes);
    if fields.take() != Some(MAGIC) {
        return Err(PublicationError::WrongFormat);
    }
    let header = fields.header().ok_or(PublicationError::WrongFormat)?;
    if header.leaves > LEAVES_MAX {
        return Err(PublicationError::TooManyLeaves);
    }
    Ok(header)
}

fn parse_leaf(bytes: &[u8]) -> Option<Leaf> {
    let mut fields = Fields(bytes);
    Some(Leaf {
        worker: WorkerId(fields.take()?),
        wallet: WalletAddress::from_bytes(fields.take()?).ok()?,
        lifetime: BaseUnits(u64::from_be_bytes(fields.take()?)),
    })
}

/// Fields of fixed width, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn header(&mut self) -> Option<Header> {
        Some(Header {
            anchor: Anchor::new(NetworkId(self.take()?), self.take()?)?,
            epoch: u64::from_be_bytes(self.take()?),
            leaves: u64::from_be_bytes(self.take()?),
            total: BaseUnits(u64::from_be_bytes(self.take()?)),
            root: self.take()?,
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

fn fill(input: &mut impl Read, into: &mut [u8]) -> Result<(), PublicationError> {
    input.read_exact(into).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => PublicationError::Truncated,
        _ => PublicationError::Unreadable(error),
    })
}

fn at_end(input: &mut impl Read) -> Result<(), PublicationError> {
    let mut byte = [0];
    match input.read_exact(&mut byte) {
        Ok(()) => Err(PublicationError::TooLong),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
        Err(error) => Err(PublicationError::Unreadable(error)),
    }
}
