//! The arguments of a request, which nobody walks through without counting.

use core::ops::{Index, IndexMut};

use crate::{Bytes, Step};

/// Most arguments that can be looked at together, without a step.
pub const FEW_MAX: usize = 8;

/// The arguments of one request, the command's name included. There may be a million of them: they have no iterator
/// and no ranges, and whoever wants all has to take them from [`Words`], each with a step.
#[derive(Debug)]
pub struct Arguments<'a> {
    all: &'a mut [Bytes],
}

impl<'a> Arguments<'a> {
    /// Wraps the arguments of a request.
    pub fn new(all: &'a mut [Bytes]) -> Self {
        Self { all }
    }

    /// Returns their number. There is no `is_empty`, because no request is.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the first [`FEW_MAX`] arguments, for patterns of few arguments. If all are fewer, these are all.
    pub fn few(&mut self) -> &mut [Bytes] {
        let length = self.all.len().min(FEW_MAX);
        &mut self.all[..length]
    }

    /// Begins a walk at the argument `index`.
    pub fn from(&mut self, index: usize) -> Words<'_> {
        Words {
            rest: self.all.get_mut(index..).unwrap_or_default().iter_mut(),
        }
    }
}

impl Index<usize> for Arguments<'_> {
    type Output = Bytes;

    fn index(&self, index: usize) -> &Bytes {
        &self.all[index]
    }
}

impl IndexMut<usize> for Arguments<'_> {
    fn index_mut(&mut self, index: usize) -> &mut Bytes {
        &mut self.all[index]
    }
}

/// A walk through arguments.
#[derive(Debug)]
pub struct Words<'a> {
    rest: core::slice::IterMut<'a, Bytes>,
}

impl<'a> Words<'a> {
    /// Takes the next argument, and counts it.
    pub fn next(&mut self, steps: &mut impl Step) -> Option<&'a mut Bytes> {
        steps.step();
        self.rest.next()
    }

    /// Takes the next two arguments, and counts them. Returns `None` if there are fewer.
    pub fn next_pair(&mut self, steps: &mut impl Step) -> Option<(&'a mut Bytes, &'a mut Bytes)> {
        Some((self.next(steps)?, self.next(steps)?))
    }

    /// Returns how many are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    struct Steps(usize);

    impl Step for Steps {
        fn step(&mut self) {
            self.0 += 1;
        }
    }

    #[test]
    fn every_argument_that_is_taken_is_counted() {
        let mut all = vec![Bytes::from_slice(b"a"); 1001];
        let mut arguments = Arguments::new(&mut all);
        assert_eq!((arguments.few().len(), arguments.len()), (FEW_MAX, 1001));
        let mut steps = Steps(0);
        let mut words = arguments.from(1);
        while words.next_pair(&mut steps).is_some() {}
        assert_eq!(words.left(), 0);
        assert!(steps.0 >= 1000, "{}", steps.0);
        assert!(arguments.from(1001).next(&mut steps).is_none());
        assert!(arguments.from(5000).next(&mut steps).is_none());
    }
}
