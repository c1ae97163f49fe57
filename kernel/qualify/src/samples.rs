//! Percentiles of what was measured.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Samples of one quantity, in whole units.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<u32>);

/// What there is to say about samples. All are 0 if there was no sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of samples.
    pub count: u32,
    /// Half of the samples are not above it.
    pub p50: u32,
    /// 99 of 100 samples are not above it.
    pub p99: u32,
    /// The greatest sample.
    pub max: u32,
}

impl Samples {
    /// Adds a sample. One beyond 32 bits counts as the greatest that there can be.
    pub fn add(&mut self, sample: u64) {
        self.0.push(u32::try_from(sample).unwrap_or(u32::MAX));
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sums up. A percentile is the smallest sample that so many are not above (nearest rank).
    pub fn summary(&self) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Summary {
            count: sorted.len() as u32,
            p50: rank(50),
            p99: rank(99),
            max: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.summary(), Summary::default());
        (1..=200).rev().for_each(|sample| samples.add(sample));
        let expected = Summary {
            count: 200,
            p50: 100,
            p99: 198,
            max: 200,
        };
        assert_eq!(samples.summary(), expected);
        samples.add(u64::MAX);
        assert_eq!(samples.summary().max, u32::MAX);
    }

    #[test]
    fn one_sample_is_every_percentile() {
        let mut samples = Samples::default();
        samples.add(7);
        let Summary {
            count,
            p50,
            p99,
            max,
        } = samples.summary();
        assert_eq!([count, p50, p99, max], [1, 7, 7, 7]);
    }
}
