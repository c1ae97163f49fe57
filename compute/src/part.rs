//! What a step reads and writes of a region.

use core::ops::{Deref, Range};

use crate::region::Element;

/// A region in a step.
#[derive(Debug)]
pub struct Part<'s, T> {
    /// The whole region as all ranks have committed it.
    pub old: &'s [T],
    /// This rank's part of it, to be written.
    pub next: Next<'s, T>,
}

impl<'s, T: Element> Part<'s, T> {
    pub(crate) fn new(old: &'s [T], next: Next<'s, T>) -> Self {
        Self { old, next }
    }

    /// Returns this rank's part as it was committed.
    pub fn own(&self) -> &'s [T] {
        &self.old[self.next.range()]
    }

    /// Leaves this rank's part as it was committed.
    pub fn keep(self) -> Written<'s, T> {
        self.edit(|_| ())
    }

    /// Changes this rank's part in place. What `change` leaves alone stays as it was committed.
    pub fn edit(self, change: impl FnOnce(&mut [T])) -> Written<'s, T> {
        let own = self.own();
        self.next.own.copy_from_slice(own);
        change(self.next.own);
        Written { own: self.next.own }
    }
}

/// A rank's part of a region that is to be written. It holds whatever was there before.
#[derive(Debug)]
pub struct Next<'s, T> {
    start: usize,
    own: &'s mut [T],
}

impl<'s, T: Element> Next<'s, T> {
    pub(crate) fn new(start: usize, own: &'s mut [T]) -> Self {
        Self { start, own }
    }

    /// Returns which elements of the region it is.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.own.len()
    }

    /// Writes every element, by its index in the region.
    pub fn fill(self, mut value: impl FnMut(usize) -> T) -> Written<'s, T> {
        for (index, element) in self.own.iter_mut().enumerate() {
            *element = value(self.start + index);
        }
        Written { own: self.own }
    }

    /// Writes `value` everywhere, and lets `change` change it in place.
    pub fn edit(self, value: T, change: impl FnOnce(&mut [T])) -> Written<'s, T> {
        self.own.fill(value);
        change(self.own);
        Written { own: self.own }
    }

    /// Writes the elements of `values`.
    ///
    /// # Panics
    /// If there are not as many as the part has.
    pub fn copy(self, values: &[T]) -> Written<'s, T> {
        self.own.copy_from_slice(values);
        Written { own: self.own }
    }
}

/// A rank's part of a region, wholly written. Nothing else makes one, so who has one for each region has everything.
#[derive(Debug)]
pub struct Written<'s, T> {
    own: &'s [T],
}

/// What was written.
impl<T> Deref for Written<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.own
    }
}
