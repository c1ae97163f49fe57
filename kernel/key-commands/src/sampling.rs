//! Choosing elements of a collection by chance.

use crate::reply::Failure;
use alloc::collections::BTreeSet;
use resp::ARGUMENTS_MAX;
use values::Random;

/// How many elements a client wants of a collection, and whether one may come twice.
pub(crate) struct Sample {
    count: usize,
    length: usize,
    may_repeat: bool,
}

/// A sample of less than this part of a collection is drawn; a larger one is what is left of a walk.
const DRAWN_PART: usize = 16;

impl Sample {
    /// Makes the sample that `number` asks for, of `length` elements: of a positive number, none comes twice.
    ///
    /// # Errors
    /// The number is out of Redis' range.
    pub(crate) fn new(number: i64, length: usize) -> Result<Self, Failure> {
        if number == i64::MIN {
            return Err(Failure::Fixed(
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ));
        }
        // Redis would write for years.
        if number < -(ARGUMENTS_MAX as i64) {
            return Err(Failure::Fixed("ERR value is out of range"));
        }
        let may_repeat = number < 0;
        let wanted = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
        let count = match (length, may_repeat) {
            (0, _) => 0,
            (_, true) => wanted,
            (length, false) => wanted.min(length),
        };
        Ok(Self {
            count,
            length,
            may_repeat,
        })
    }

    /// Returns the number of elements.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Calls `visit` for the position of each element. Each is equally likely.
    pub(crate) fn positions(&self, random: &mut Random, mut visit: impl FnMut(usize)) {
        if self.may_repeat {
            (0..self.count).for_each(|_| visit(random.below(self.length)));
        } else if self.count < self.length / DRAWN_PART {
            let mut drawn = BTreeSet::new();
            while drawn.len() < self.count {
                let position = random.below(self.length);
                if drawn.insert(position) {
                    visit(position);
                }
            }
        } else {
            // Knuth, The Art of Computer Programming, 3.4.2, algorithm S.
            let mut missing = self.count;
            for position in 0..self.length {
                if random.below(self.length - position) < missing {
                    missing -= 1;
                    visit(position);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn none_comes_twice_of_a_positive_number_and_all_can_come() {
        for (number, length) in [(5, 5), (9, 5), (3, 1000), (400, 1000), (0, 3), (7, 0)] {
            let mut seen = BTreeSet::new();
            for seed in 0..50 {
                let (sample, mut all) = (Sample::new(number, length).unwrap(), Vec::new());
                sample.positions(&mut Random::new(seed), |position| all.push(position));
                assert_eq!(all.len(), sample.len());
                assert_eq!(all.len(), (number as usize).min(length));
                let distinct: BTreeSet<_> = all.iter().copied().collect();
                assert_eq!(distinct.len(), all.len());
                assert!(all.iter().all(|position| *position < length));
                seen.extend(all);
            }
            assert!(number < 400 || seen.len() == length);
        }
        let mut repeated = Vec::new();
        let sample = Sample::new(-9, 2).unwrap();
        sample.positions(&mut Random::new(1), |position| repeated.push(position));
        assert_eq!(repeated.len(), 9);
        assert!(Sample::new(i64::MIN, 5).is_err());
    }
}
