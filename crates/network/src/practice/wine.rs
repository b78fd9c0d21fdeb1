//! A real data set: 1,599 red wines with eleven measured properties each (P. Cortez et al., "Modeling wine
//! preferences by data mining from physicochemical properties", 2009), as the crate `linfa-datasets` ships it.

/// Each property is spread over this many steps between its least and its greatest value. The squared distance
/// of two wines is then a whole number below 2²⁴, which 32-bit floats hold exactly: 11 × 255² is 715,275.
const STEPS: f64 = 255.0;

/// The wines, wine after wine.
#[derive(Clone, Debug, PartialEq)]
pub struct Wine {
    values: Vec<f32>,
    dimensions: usize,
}

impl Wine {
    /// The data set, normalised.
    pub fn shipped() -> Self {
        let records = linfa_datasets::winequality().records;
        let (rows, dimensions) = (records.nrows(), records.ncols());
        let mut values = vec![0.0; rows * dimensions];
        for (column, property) in records.columns().into_iter().enumerate() {
            let least = property.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = property.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let range = if greatest > least { greatest - least } else { 1.0 };
            for (row, value) in property.iter().enumerate() {
                values[row * dimensions + column] = ((value - least) / range * STEPS).round() as f32;
            }
        }
        Self { values, dimensions }
    }

    /// How many wines.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Properties of each.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The points, as the shader reads them.
    pub fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// All wines as queries, in batches of at most `size`, beginning somewhere that `seed` chooses.
    pub fn queries(&self, seed: u64, size: usize) -> Vec<Vec<f32>> {
        let mut turned = self.values.clone();
        turned.rotate_left((seed % self.len() as u64) as usize * self.dimensions);
        turned.chunks(size * self.dimensions).map(<[f32]>::to_vec).collect()
    }

    /// The `k` nearest wines to each query with their squared distances, nearest first, of equals the first in
    /// the list: what a task's outputs must hold.
    pub fn nearest(&self, queries: &[f32], k: usize) -> (Vec<u32>, Vec<f32>) {
        let mut indices = Vec::new();
        let mut distances = Vec::new();
        for query in queries.chunks(self.dimensions) {
            let mut all: Vec<(f32, u32)> = (0..)
                .zip(self.values.chunks(self.dimensions))
                .map(|(at, wine)| {
                    let distance = wine.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum();
                    (distance, at)
                })
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            indices.extend(all.iter().take(k).map(|(_, at)| *at));
            distances.extend(all.iter().take(k).map(|(distance, _)| *distance));
        }
        (indices, distances)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_set_is_whole_and_exact() {
        let wine = Wine::shipped();
        assert_eq!((wine.len(), wine.dimensions()), (1599, 11));
        assert!(wine.values.iter().all(|x| x.fract() == 0.0 && (0.0..=255.0).contains(x)));
    }

    #[test]
    fn a_wine_is_its_own_nearest_neighbour_or_has_a_twin_before_it() {
        let wine = Wine::shipped();
        let batch = &wine.queries(10, 64)[0];
        let (indices, distances) = wine.nearest(batch, 8);
        assert_eq!(indices.len(), 64 * 8);
        for (query, found) in distances.chunks(8).enumerate() {
            assert_eq!(found[0], 0.0);
            assert!(found.is_sorted());
            assert!(indices[query * 8] as usize <= query + 10);
        }
    }
}
