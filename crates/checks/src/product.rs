//! A product of matrices that only its multiplication can give, and its check at a fraction of the cost.
//!
//! The network draws a fresh seed. From it follow a square matrix B and a stack of square matrices A₀, A₁, …, the
//! *panels*; every entry is a whole number of a few bits. The worker computes Cₚ = Aₚᵀ·B for every panel, digests each
//! row of each Cₚ, and commits to the Merkle root over the digests, 64 of them to a leaf. Only then does the network draw which rows it
//! wants to see, and a vector r over the field of 2³¹−1 elements. For a row c of C with the row a of Aₚᵀ the network
//! checks that the digest is the one that was committed to, and that c·r = a·(B·r). It is Freivalds' check, row by
//! row: a wrong row passes with a probability of at most 1 in 2³¹−1.
//!
//! - **Exact on every device.** Entries lie in −64..=63, so a sum of up to 4,096 products is a whole number of at
//!   most 2²⁴, as is every partial sum in any order, and f32 holds all of those exactly.
//! - **No short cut.** A row's digest is not linear in the row, so it cannot be had from B times something.
//!   Committing to anything else than the digest of the true row is noticed if that row is opened: whoever leaves a
//!   share s of the rows out passes k openings with a probability of (1−s)ᵏ.
//! - **Cheap to check.** B·r is computed once for all panels: n² operations against 2n³ for each panel.

use lull_types::{BlobHash, Coded};
use serde::{Deserialize, Serialize};

use crate::merkle;

/// The largest side of a matrix: with longer sums f32 would round.
pub const SIDE_MAX: u32 = 4096;
/// Sides are multiples of this, the largest tile of the kernels.
pub const SIDE_MULTIPLE: u32 = 128;
/// The field in which products are compared: 2³¹−1, a Mersenne prime.
pub const FIELD: i64 = (1 << 31) - 1;
/// Lanes over which a row's digest is taken; lane l takes the entries l, l + 64, ….
pub const DIGEST_LANES: usize = 64;
/// Words of a row's digest.
pub const DIGEST_WORDS: usize = 8;
/// Bytes of a row's digest.
pub const DIGEST_BYTES: usize = 4 * DIGEST_WORDS;
/// Rows whose digests are one leaf of the tree that is committed to: hashing a leaf for each row would take a
/// processor as long as multiplying takes a fast GPU.
pub const LEAF_ROWS: usize = 64;

/// Rows in all: their digests take 128 MiB.
pub const ROWS_MAX: u64 = 1 << 22;
/// Rows that can be asked for at once: they are computed again, and nobody needs more to be sure.
pub const OPENED_MAX: usize = 256;

/// Bits of r that are multiplied at once: with 11 of them and an entry's 7, a sum of 4,096 products stays in 31.
const DIGIT_BITS: u32 = 11;

/// What is to be multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Everything follows from it.
    pub seed: [u8; 32],
    /// Rows and columns of each matrix.
    pub side: u32,
    /// How many matrices are multiplied with B.
    pub panels: u32,
}

/// A row of C as it is shown to the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedRow {
    /// Its entries.
    pub values: Vec<i32>,
    /// The digests of its leaf, its own among them.
    pub leaf: Vec<u8>,
    /// From the leaf to the root.
    pub proof: Vec<BlobHash>,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductFault {
    /// The challenge is none that a device could answer exactly.
    #[error("a product of {panels} panels with a side of {side} cannot be computed exactly, or is too large")]
    ShapeUnusable {
        /// As asked for.
        side: u32,
        /// As asked for.
        panels: u32,
    },
    /// There are no such rows, or they are too many.
    #[error("rows were asked for that there are not, or too many at once")]
    RowsUnusable,
    /// Not as many rows as were asked for, or not as long.
    #[error("the answer does not hold the rows that were asked for")]
    Shape,
    /// The row is not the one that was committed to.
    #[error("row {0} is not the one that was committed to before it was asked for")]
    NotCommitted(u64),
    /// The row is not the product.
    #[error("row {0} is not the product of the challenge's matrices")]
    NotTheProduct(u64),
}

impl Coded for ProductFault {
    fn code(&self) -> &'static str {
        match self {
            Self::ShapeUnusable { .. } => "product_shape_unusable",
            Self::RowsUnusable => "product_rows_unusable",
            Self::Shape => "product_rows_missing",
            Self::NotCommitted(_) => "product_not_committed",
            Self::NotTheProduct(_) => "product_wrong",
        }
    }
}

impl Product {
    /// Whether it can be computed exactly, and by the kernels.
    pub fn check_shape(&self) -> Result<(), ProductFault> {
        let Self { side, panels, .. } = *self;
        let is_usable = (SIDE_MULTIPLE..=SIDE_MAX).contains(&side)
            && side.is_multiple_of(SIDE_MULTIPLE)
            && (1..=ROWS_MAX).contains(&self.rows());
        if is_usable { Ok(()) } else { Err(ProductFault::ShapeUnusable { side, panels }) }
    }

    /// Whether these rows can be asked for.
    pub fn check_rows(&self, rows: &[u64]) -> Result<(), ProductFault> {
        let is_usable = rows.len() <= OPENED_MAX && rows.iter().all(|row| *row < self.rows());
        if is_usable { Ok(()) } else { Err(ProductFault::RowsUnusable) }
    }

    /// Rows of C in all panels.
    pub fn rows(&self) -> u64 {
        u64::from(self.side) * u64::from(self.panels)
    }

    /// Floating-point operations that the whole takes, counted as usual: a product and a sum each.
    pub fn operations(&self) -> f64 {
        2.0 * f64::from(self.side).powi(3) * f64::from(self.panels)
    }

    /// The two keys from which the entries of a matrix follow: B, or A of a panel.
    pub fn keys(&self, matrix: Matrix) -> [u32; 2] {
        let mut hasher = blake3::Hasher::new_derive_key("lull product challenge v1: keys of a matrix");
        hasher.update(&self.seed);
        match matrix {
            Matrix::B => hasher.update(&u32::MAX.to_le_bytes()),
            Matrix::A { panel } => hasher.update(&panel.to_le_bytes()),
        };
        let hash = hasher.finalize();
        let (words, _) = hash.as_bytes().as_chunks::<4>();
        [u32::from_le_bytes(words[0]), u32::from_le_bytes(words[1])]
    }

    /// A row of C, from the definition: what an honest device computes, at the pace of a processor.
    pub fn row(&self, row: u64) -> Vec<i32> {
        let (panel, column) = self.place(row);
        let a = self.column_of_a(panel, column);
        let keys = self.keys(Matrix::B);
        let mut sums = vec![0i32; self.side as usize];
        let mut b = vec![0i16; self.side as usize];
        for (k, a) in a.into_iter().enumerate() {
            fill_row(keys, k as u32, &mut b);
            for (sum, b) in sums.iter_mut().zip(&b) {
                *sum += i32::from(a) * i32::from(*b);
            }
        }
        sums
    }

    fn place(&self, row: u64) -> (u32, u32) {
        let side = u64::from(self.side);
        ((row / side) as u32, (row % side) as u32)
    }

    /// A row of Aₚᵀ, which is a column of Aₚ.
    fn column_of_a(&self, panel: u32, column: u32) -> Vec<i16> {
        let keys = self.keys(Matrix::A { panel });
        let quads = self.side / 4;
        (0..self.side).map(|k| entries(quad(keys, k * quads + column / 4))[column as usize % 4]).collect()
    }

    /// B·r in the field.
    fn b_times(&self, r: &[u32]) -> Vec<u32> {
        let digits = |place: u32| -> Vec<i16> {
            r.iter().map(|r| (r >> (place * DIGIT_BITS) & ((1 << DIGIT_BITS) - 1)) as i16).collect()
        };
        let digits = [digits(0), digits(1), digits(2)];
        let keys = self.keys(Matrix::B);
        let mut b = vec![0i16; self.side as usize];
        let row = |k| {
            fill_row(keys, k, &mut b);
            let sum = |place: usize| i64::from(dot(&b, &digits[place])) << (place as u32 * DIGIT_BITS);
            (sum(0) + sum(1) + sum(2)).rem_euclid(FIELD) as u32
        };
        (0..self.side).map(row).collect()
    }

    /// Checks the rows that were asked for against the root that was committed to before.
    ///
    /// `vector_seed` must have been drawn after the root was received, as `asked`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(
        &self,
        root: BlobHash,
        asked: &[u64],
        opened: &[OpenedRow],
        vector_seed: &[u8; 32],
    ) -> Result<(), ProductFault> {
        self.check_shape()?;
        self.check_rows(asked)?;
        let side = self.side as usize;
        if opened.len() != asked.len() || opened.iter().any(|row| row.values.len() != side) {
            return Err(ProductFault::Shape);
        }
        for (&row, opened) in asked.iter().zip(opened) {
            let leaf_rows = LEAF_ROWS as u64;
            let (digests, _) = opened.leaf.as_chunks::<DIGEST_BYTES>();
            let is_in_leaf = opened.leaf.len() == LEAF_ROWS * DIGEST_BYTES
                && digests[(row % leaf_rows) as usize] == row_digest(&opened.values);
            let leaves = self.rows() / leaf_rows;
            if !is_in_leaf || !merkle::verify(root, &opened.leaf, row / leaf_rows, leaves, &opened.proof) {
                return Err(ProductFault::NotCommitted(row));
            }
        }
        let verifier = Verifier::new(*self, vector_seed);
        let wrong = asked.iter().zip(opened).find(|(row, opened)| !verifier.is_row(**row, &opened.values));
        wrong.map_or(Ok(()), |(row, _)| Err(ProductFault::NotTheProduct(*row)))
    }
}

/// Knows B·r, and with it each row of C when it sees it.
#[derive(Clone, Debug)]
pub struct Verifier {
    product: Product,
    r: Vec<u32>,
    b_r: Vec<u32>,
}

impl Verifier {
    /// Draws r from a seed that whoever computed C did not know before.
    pub fn new(product: Product, seed: &[u8; 32]) -> Self {
        let r = vector(seed, product.side as usize);
        let b_r = product.b_times(&r);
        Self { product, r, b_r }
    }

    /// Whether these are the entries of that row; wrongly so once in 2³¹−1 times.
    pub fn is_row(&self, row: u64, values: &[i32]) -> bool {
        let (panel, column) = self.product.place(row);
        let a = self.product.column_of_a(panel, column);
        let shown = in_field(values.iter().map(|value| i64::from(*value)).zip(&self.r));
        let true_one = in_field(a.iter().map(|a| i64::from(*a)).zip(&self.b_r));
        values.len() == self.r.len() && shown == true_one
    }
}

/// A product that was computed on a processor: what a device's must equal.
#[derive(Clone, Debug)]
pub struct Reference {
    product: Product,
    digests: Vec<[u8; DIGEST_BYTES]>,
}

impl Reference {
    /// Computes all rows.
    pub fn compute(product: Product) -> Self {
        let digests = (0..product.rows()).map(|row| row_digest(&product.row(row))).collect();
        Self { product, digests }
    }

    fn leaves(&self) -> Vec<Vec<u8>> {
        self.digests.chunks(LEAF_ROWS).map(|rows| rows.as_flattened().to_vec()).collect()
    }

    /// What is committed to.
    pub fn root(&self) -> BlobHash {
        let mut tree = merkle::Accumulator::default();
        self.leaves().iter().for_each(|leaf| tree.push(leaf));
        tree.root()
    }

    /// Shows rows.
    ///
    /// # Errors
    /// When they cannot be asked for.
    pub fn open(&self, rows: &[u64]) -> Result<Vec<OpenedRow>, ProductFault> {
        self.product.check_rows(rows)?;
        let leaves = self.leaves();
        let open = |&row: &u64| {
            let at = row as usize / LEAF_ROWS;
            let proof = merkle::prove(&leaves, at).unwrap_or_default();
            OpenedRow { values: self.product.row(row), leaf: leaves[at].clone(), proof }
        };
        Ok(rows.iter().map(open).collect())
    }
}

/// One of the matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// The one that all panels are multiplied with.
    B,
    /// The one of a panel.
    A {
        /// Which.
        panel: u32,
    },
}

/// Four entries next to each other in a row, a byte each; the kernels compute the same.
fn quad(keys: [u32; 2], place: u32) -> u32 {
    mix(mix(place ^ keys[0]) ^ keys[1])
}

/// A finaliser without known bias (Wellons's `lowbias32`).
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Each of the four from −64 to 63.
fn entries(quad: u32) -> [i16; 4] {
    quad.to_le_bytes().map(|byte| i16::from(byte & 127) - 64)
}

/// Row `row` of a row-major matrix.
fn fill_row(keys: [u32; 2], row: u32, into: &mut [i16]) {
    let quads = (into.len() / 4) as u32;
    let (chunks, _) = into.as_chunks_mut::<4>();
    for (place, chunk) in (row * quads..).zip(chunks) {
        *chunk = entries(quad(keys, place));
    }
}

/// Compilers make one instruction of eight of these products and four of their sums.
fn dot(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// A sum of products in the field.
fn in_field<'a>(pairs: impl Iterator<Item = (i64, &'a u32)>) -> u32 {
    pairs
        .fold(0i64, |sum, (value, r)| (sum + value % FIELD * i64::from(*r) % FIELD) % FIELD)
        .rem_euclid(FIELD) as u32
}

/// Elements of the field, each as likely as any other.
fn vector(seed: &[u8; 32], length: usize) -> Vec<u32> {
    let mut stream =
        blake3::Hasher::new_derive_key("lull product challenge v1: vector").update(seed).finalize_xof();
    let mut elements = Vec::with_capacity(length);
    let mut bytes = [0; 4];
    while elements.len() < length {
        stream.fill(&mut bytes);
        let element = u32::from_le_bytes(bytes) >> 1;
        // One value in 2³¹ is not in the field, and is drawn again.
        if i64::from(element) < FIELD {
            elements.push(element);
        }
    }
    elements
}

/// The digest of a row of C, as the kernels compute it: MurmurHash3's rounds, in lanes that a GPU runs side by side.
pub fn row_digest(values: &[i32]) -> [u8; DIGEST_BYTES] {
    let mut lanes = [0u32; DIGEST_LANES];
    for (lane, state) in lanes.iter_mut().enumerate() {
        *state = lane as u32;
        for value in values.iter().skip(lane).step_by(DIGEST_LANES) {
            *state = absorb(*state, value.cast_unsigned());
        }
    }
    let mut digest = [0; DIGEST_BYTES];
    let (words, _) = digest.as_chunks_mut::<4>();
    for (word, bytes) in words.iter_mut().enumerate() {
        let folded = (word..DIGEST_LANES)
            .step_by(DIGEST_WORDS)
            .fold(word as u32, |sum, lane| absorb(sum, lanes[lane]));
        *bytes = mix(folded).to_le_bytes();
    }
    digest
}

fn absorb(state: u32, word: u32) -> u32 {
    let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (state ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: Product = Product { seed: [7; 32], side: 128, panels: 3 };

    fn reference() -> Reference {
        Reference::compute(PRODUCT)
    }

    #[test]
    fn an_honest_answer_holds() {
        let honest = reference();
        let asked = [0, 5, 127, 128, 300, 383];
        let opened = honest.open(&asked).unwrap();
        for seed in 0..50 {
            assert_eq!(PRODUCT.check(honest.root(), &asked, &opened, &[seed; 32]), Ok(()));
        }
        assert_eq!(honest.open(&[384]), Err(ProductFault::RowsUnusable));
    }

    #[test]
    fn every_partial_sum_is_exact_in_f32() {
        // The largest magnitude that any partial sum in any order can have is that of all products together.
        let largest = i64::from(SIDE_MAX) * 64 * 64;
        assert!(largest <= 1 << f32::MANTISSA_DIGITS);
        let exact = |value: i64| value as f32 as i64 == value;
        assert!(exact(largest) && exact(largest - 1) && exact(1 - largest));
        assert!(!exact((1 << f32::MANTISSA_DIGITS) + 1), "one more would be rounded");
        for byte in 0..=255u32 {
            assert!(entries(byte).iter().all(|entry| (-64..=63).contains(entry)));
        }
        // The worst case itself: every product is 64².
        let sum = (0..SIDE_MAX).fold(0f32, |sum, _| (-64f32).mul_add(-64f32, sum));
        assert_eq!(sum as i64, largest);
    }

    #[test]
    fn one_wrong_entry_in_an_opened_row_is_noticed() {
        let mut cheat = reference();
        let mut wrong = PRODUCT.row(200);
        wrong[77] += 1;
        cheat.digests[200] = row_digest(&wrong);
        let mut opened = cheat.open(&[200]).unwrap();
        // Shows the true row, having committed to the wrong one.
        let check = |opened: &[OpenedRow], seed| PRODUCT.check(cheat.root(), &[200], opened, &[seed; 32]);
        assert_eq!(check(&opened, 1), Err(ProductFault::NotCommitted(200)));
        // Shows the wrong one.
        opened[0].values = wrong;
        for seed in 0..200 {
            assert_eq!(check(&opened, seed), Err(ProductFault::NotTheProduct(200)));
        }
    }

    #[test]
    fn answers_to_another_seed_or_of_another_shape_are_refused() {
        let honest = reference();
        let opened = honest.open(&[1, 2]).unwrap();
        let check = |product: Product, asked: &[u64], opened: &[OpenedRow]| {
            product.check(honest.root(), asked, opened, &[0; 32])
        };
        let other = Product { seed: [8; 32], ..PRODUCT };
        assert_eq!(check(other, &[1, 2], &opened), Err(ProductFault::NotTheProduct(1)), "a replayed answer");
        assert_eq!(check(PRODUCT, &[2, 1], &opened), Err(ProductFault::NotCommitted(2)), "other rows");
        assert_eq!(check(PRODUCT, &[1], &opened), Err(ProductFault::Shape));
        let mut short = opened.clone();
        short[1].values.pop();
        assert_eq!(check(PRODUCT, &[1, 2], &short), Err(ProductFault::Shape));
        let mut short = opened;
        short[1].leaf.pop();
        assert_eq!(check(PRODUCT, &[1, 2], &short), Err(ProductFault::NotCommitted(2)));
        for side in [0, 64, 100, 129, SIDE_MAX + SIDE_MULTIPLE] {
            let unusable = Product { side, ..PRODUCT };
            assert_eq!(unusable.check_shape(), Err(ProductFault::ShapeUnusable { side, panels: 3 }));
        }
    }

    #[test]
    fn whoever_leaves_rows_out_passes_as_often_as_stated() {
        // A tenth of the rows was never computed. Eight openings, 2,000 draws.
        let mut cheat = reference();
        let skipped = |row: u64| row % 10 == 3;
        for row in (0..PRODUCT.rows()).filter(|row| skipped(*row)) {
            cheat.digests[row as usize] = [0; DIGEST_BYTES];
        }
        let draws = 2_000u32;
        let passed = (0..draws).filter(|draw| {
            let mut stream = blake3::Hasher::new().update(&draw.to_le_bytes()).finalize_xof();
            let mut bytes = [0; 8];
            (0..8).all(|_| {
                stream.fill(&mut bytes);
                !skipped(u64::from_le_bytes(bytes) % PRODUCT.rows())
            })
        });
        let share = passed.count() as f64 / f64::from(draws);
        let stated = (1.0 - 39.0 / 384.0f64).powi(8);
        assert!((share - stated).abs() < 0.035, "{share} passed, {stated} stated");
        let opened = cheat.open(&[13]).unwrap();
        assert_eq!(
            PRODUCT.check(cheat.root(), &[13], &opened, &[0; 32]),
            Err(ProductFault::NotCommitted(13))
        );
    }

    #[test]
    fn the_vector_is_of_the_field_and_of_its_seed() {
        let r = vector(&[1; 32], 4096);
        assert!(r.iter().all(|element| i64::from(*element) < FIELD));
        assert_ne!(r, vector(&[2; 32], 4096));
        // All of the field's range is used.
        assert!(r.iter().any(|element| *element > 1 << 30) && r.iter().any(|element| *element < 1 << 28));
    }

    #[test]
    fn products_with_the_vector_agree_with_the_definition() {
        let r = vector(&[3; 32], 128);
        let keys = PRODUCT.keys(Matrix::B);
        let mut b = vec![0i16; 128];
        for (k, value) in PRODUCT.b_times(&r).into_iter().enumerate() {
            fill_row(keys, k as u32, &mut b);
            assert_eq!(value, in_field(b.iter().map(|b| i64::from(*b)).zip(&r)));
        }
    }
}
