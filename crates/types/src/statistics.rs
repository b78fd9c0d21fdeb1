//! Median and spread.

/// The value below which a `share` of the samples lies, between neighbours in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share * last as f64;
    let below = sorted[at.floor() as usize];
    let above = sorted[at.ceil() as usize];
    below + (above - below) * at.fract()
}

/// The median, and the interquartile range over it; zeroes for no samples.
pub(crate) fn median_and_spread(samples: &[f64]) -> (f64, f64) {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5);
    if median == 0.0 {
        return (0.0, 0.0);
    }
    (median, (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_quartiles() {
        assert_eq!(median_and_spread(&[]), (0.0, 0.0));
        assert_eq!(median_and_spread(&[3.0]), (3.0, 0.0));
        assert_eq!(median_and_spread(&[5.0, 1.0, 3.0, 2.0, 4.0]), (3.0, 2.0 / 3.0));
        assert_eq!(median_and_spread(&[1.0, 2.0]), (1.5, 0.5 / 1.5));
    }
}
